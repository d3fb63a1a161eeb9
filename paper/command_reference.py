"""Every command with its flags, as a page: read from the programs, none of which is run."""

from __future__ import annotations

import runpy
from functools import partial
from pathlib import Path
from typing import Any
from unittest import mock

from absl import flags

from paper.regions import paragraph, table

ROOT = Path(__file__).resolve().parents[1]


def programs() -> list[str]:
    """The modules that are programs, those of `reproduce` first."""
    found = []
    for package in ("reproduce", "paper"):
        for file in sorted((ROOT / package).rglob("*.py")):
            if "    program.run(main)\n" in file.read_text(encoding="utf-8"):
                parts = file.relative_to(ROOT).with_suffix("").parts
                found.append(".".join(part for part in parts if part != "__main__"))
    return sorted(found, key=lambda module: (module.startswith("paper"), module.count("."), module))


def load(module: str) -> tuple[str, flags.FlagValues]:
    """A program's docstring and flags, defined apart from those of this process.

    Args:
        module: As `programs` names it.
    """
    own = flags.FlagValues()
    define: dict[str, Any] = {
        name: partial(getattr(flags, name), flag_values=own)
        for name in dir(flags)
        if name.startswith("DEFINE_") and name != "DEFINE_alias"
    }
    path = ROOT.joinpath(*module.split("."))
    file = path / "__main__.py" if path.is_dir() else path.with_suffix(".py")
    with mock.patch.multiple(flags, **define):
        content = runpy.run_path(str(file), run_name=module)
    return str(content["__doc__"]), own


def page() -> str:
    """A section for each program."""
    return "\n\n".join(map(_section, programs()))


def _section(module: str) -> str:
    doc, own = load(module)
    about, _, _ = doc.partition("\n\nExample")
    rows = [[f"`--{name}`", _default(own[name]), _help(own[name])] for name in own]
    paragraphs = [paragraph(*part.split()) for part in about.strip().split("\n\n")]
    listed = table(["flag", "default", "what it is"], sorted(rows)) if rows else ""
    return "\n\n".join([f"### {module}", *paragraphs, listed])


def _default(flag: flags.Flag) -> str:
    """A flag's default as it would be typed."""
    value = flag.default
    if value in (None, "", []):
        return ""
    if isinstance(value, list):
        value = ",".join(map(str, value))
    return f"`{str(value).lower() if isinstance(value, bool) else value}`"


def _help(flag: flags.Flag) -> str:
    """What a flag's help says, without what absl adds, which is neither Markdown nor a sentence."""
    text = " ".join(str(flag.help).partition(";\n")[0].split())
    if isinstance(flag, flags.EnumFlag):
        choices = " or ".join(f"`{value}`" for value in flag.parser.enum_values)
        text = f"{text.partition('>: ')[2]} {choices}."
    if isinstance(flag, flags.MultiFlag):
        text += " May be given several times."
    return text.replace("<", "\\<")
