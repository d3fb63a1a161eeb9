"""The analysis as a page that needs no other file."""

from __future__ import annotations

from reproduce.reporting.figures import to_svg
from reproduce.reporting.template import fill
from reproduce.study import plots, responses
from reproduce.study.preference import MARGIN
from reproduce.study.results import StudyResult
from reproduce.study.sample_size import ALPHA


def render(result: StudyResult) -> str:
    """The page as HTML."""
    return fill(
        "study.html.j2",
        result=result,
        figures={name: to_svg(figure) for name, figure in plots.figures(result).items()},
        rules=responses.EXCLUSION_RULES,
        excluded=int(result.raters["excluded"].sum()),
        margin=round(100 * MARGIN),
        alpha=ALPHA,
    )
