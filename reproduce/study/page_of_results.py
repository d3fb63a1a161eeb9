"""The analysis as a page that needs no other file."""

from __future__ import annotations

from importlib import metadata

import jinja2

from reproduce.reporting.figures import to_svg
from reproduce.study import plots, responses
from reproduce.study.analysis import StudyResult
from reproduce.study.preference import MARGIN
from reproduce.study.sample_size import ALPHA


def render(result: StudyResult) -> str:
    """The page as HTML."""
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("reproduce"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template("study.html.j2").render(
        result=result,
        figures={name: to_svg(figure) for name, figure in plots.figures(result).items()},
        rules=responses.EXCLUSION_RULES,
        excluded=int(result.raters["excluded"].sum()),
        margin=round(100 * MARGIN),
        alpha=ALPHA,
        version=metadata.version("axisbias"),
    )
