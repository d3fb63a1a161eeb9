"""Pages of HTML that need no other file, from the templates of `reproduce/templates`."""

from __future__ import annotations

from importlib import metadata
from typing import Any

import jinja2


def fill(name: str, /, **values: Any) -> str:
    """A template's page.

    Args:
        name: The template's file.
        **values: What it asks for, apart from `version`, the kit's own.

    Raises:
        jinja2.UndefinedError: If it asks for more.
    """
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("reproduce"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template(name).render(version=metadata.version("axisbias"), **values)
