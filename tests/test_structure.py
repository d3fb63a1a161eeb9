"""The structure that docs/extending.md describes: commands on top, no import up or in a circle."""

import ast
import graphlib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
# From the bottom to the top; packages of one rank do not import each other.
RANKS = (
    ("data",),
    ("models",),
    ("reproduce.metrics",),
    ("reproduce.basis",),
    ("reproduce.training",),
    ("reproduce.traversal",),
    ("reproduce.reporting",),
    ("reproduce.pipeline",),
    ("reproduce.mechanisms", "reproduce.study", "reproduce.explore"),
    ("reproduce",),
    ("paper",),
)
TOPS = ("data", "models", "reproduce", "paper")
LIBRARIES = {"reproduce.api", "reproduce.program", "reproduce.serving"}  # of no rank


def modules() -> dict[str, Path]:
    """All modules by their dotted names, packages by that of their __init__.py."""
    files = [file for top in TOPS for file in (ROOT / top).rglob("*.py")]
    names = {}
    for file in files:
        parts = file.relative_to(ROOT).with_suffix("").parts
        names[".".join(part for part in parts if part != "__init__")] = file
    return names


def imports(name: str, file: Path, known: dict[str, Path]) -> set[str]:
    """The kit's modules that one imports, within functions, too, but not for types alone."""
    tree = ast.parse(file.read_text(encoding="utf-8"))
    typing = {
        child
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and getattr(node.test, "id", "") == "TYPE_CHECKING"
        for child in ast.walk(node)
    }
    found = set()
    for node in ast.walk(tree):
        if node in typing:
            continue
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            inner = {f"{node.module}.{alias.name}" for alias in node.names}
            found |= {one if one in known else node.module for one in inner}
    return (found & known.keys()) - {name}


def rank(name: str) -> int:
    """The rank of a module's package."""
    if name in LIBRARIES or name.startswith("reproduce.serving"):
        return 0
    fitting = [
        (len(package), index)
        for index, packages in enumerate(RANKS)
        for package in packages
        if name == package or name.startswith(f"{package}.")
    ]
    return max(fitting)[1]


@pytest.fixture(scope="module")
def graph() -> dict[str, set[str]]:
    known = modules()
    return {name: imports(name, file, known) for name, file in known.items()}


def test_nothing_imports_upwards(graph):
    upwards = {
        f"{name} -> {other}"
        for name, others in graph.items()
        for other in others
        if rank(other) > rank(name) and name not in LIBRARIES
    }
    assert upwards == set()


def test_no_circles(graph):
    # Registries load their modules by name or within functions; packages are no dependence.
    graphlib.TopologicalSorter(
        {name: {o for o in others if o not in TOPS} for name, others in graph.items()}
    ).prepare()


def test_the_paper_knows_models_by_their_rows_alone(graph):
    imported = {o for name, others in graph.items() if name.startswith("paper") for o in others}
    assert {name for name in imported if name.startswith("models.")} == {"models.registry"}
    assert not {name for name in imported if name.startswith("reproduce.training")}


def test_every_module_directly_in_reproduce_is_a_command():
    for file in (ROOT / "reproduce").glob("*.py"):
        if file.stem not in ("__init__", "api", "program"):
            assert "program.run(main)" in file.read_text(encoding="utf-8"), file.name
