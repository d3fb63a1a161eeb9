"""The examples of extending the kit, each put where its first line says, in a copy of the tree."""

import ast
import contextlib
import re
import shutil
from pathlib import Path

import pandas as pd
import pytest

from reproduce.pipeline import jobs

ROOT = Path(__file__).resolve().parents[1]
BLOCK = re.compile(r"^```python\n# (\S+\.py)(?:, in (\w+))?\n(.*?)^```$", re.MULTILINE | re.DOTALL)
QUICK = ("--dataset=stripes", "--set=batch_size=8", "--set=log_every=10", "--num_steps=20")


def put(tree: Path, file: str, registry: str | None, code: str) -> None:
    """Writes a file of the examples, or adds its imports and its row to a registry."""
    path = tree / file
    if registry is None:
        assert not path.exists()
        path.write_text(code)
        return
    lines = code.splitlines(keepends=True)
    imports = [line for line in lines if line.startswith(("from ", "import "))]
    row = "".join(line for line in lines if line not in imports).strip().removesuffix(",") + ",\n"
    text = path.read_text()
    opening = re.search(rf"^{registry} = [({{]\n", text, re.MULTILINE)
    assert opening, f"no {registry} in {file}"
    text = text[: opening.end()] + row + text[opening.end() :]
    path.write_text(text.replace("annotations\n", "annotations\n" + "".join(imports), 1))


@pytest.fixture(scope="module")
def extended(tmp_path_factory) -> Path:
    """The kit with all examples of docs/extending.md."""
    tree = tmp_path_factory.mktemp("extended")
    for package in ("data", "models", "reproduce"):
        # With what Numba has compiled beside the modules, which would else be compiled again.
        ignored = shutil.ignore_patterns("node_modules")
        shutil.copytree(ROOT / package, tree / package, ignore=ignored)
    blocks = BLOCK.findall((ROOT / "docs" / "extending.md").read_text(encoding="utf-8"))
    assert len(blocks) == 9
    for file, registry, code in blocks:
        put(tree, file, registry or None, code)
    return tree


@pytest.fixture(scope="module")
def run(extended):
    """Runs a program of the extended kit, which must succeed."""
    log = extended / "log.txt"
    with contextlib.chdir(extended), pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", str(extended))
        leash = jobs.Leash(is_warm=True)

        def run(module: str, *flags: str) -> None:
            step = jobs.Step((f"reproduce.{module}", *flags), log)
            assert leash.run(step, log, {}) == 0, log.read_text()

        yield run
        leash.close()


def test_a_metric_a_model_and_a_data_set_go_through_the_chain(run, extended):
    run("train", "--model=linear", "--set=checkpoint_every=20", "--run_dir=runs/a", *QUICK)
    run("represent", "--run_dir=runs/a")
    run(
        "basis_test",
        "--representation=runs/a/representation.npz",
        "--metrics=mig,largest_share",
        "--num_bases=19",
        "--output=runs/a/basis_test.csv",
    )
    run("traverse", "--run_dir=runs/a")
    run("verdict", "--runs=runs/a", "--output=verdict.csv")
    run("report", "--runs=runs/a", "--verdict=verdict.csv", "--output=report.html")
    tested = pd.read_csv(extended / "runs/a/basis_test.csv")
    nulls = tested[tested["family"].isin(["haar", "haar_active"])]
    assert set(nulls["metric"]) == {"mig", "largest_share"}
    assert nulls["p_value"].between(0, 1).all()
    page = (extended / "report.html").read_text(encoding="utf-8")
    for words in ("linear autoencoder", "largest share", "squared error", "stripes"):
        assert words in page


def test_the_example_of_a_model_has_every_member_that_models_document(extended):
    module = ast.parse((ROOT / "models" / "__init__.py").read_text(encoding="utf-8"))
    documented = set(re.findall(r"`(\w+)\([^`]*\)`", ast.get_docstring(module)))
    example = ast.parse((extended / "models" / "linear.py").read_text(encoding="utf-8"))
    defined = {node.name for node in ast.walk(example) if isinstance(node, ast.FunctionDef)}
    assert {"draw", "decode", "train_step"} <= documented
    assert documented - defined == {"layer_chain"}  # which some have, as is said there


def test_an_objective_is_trained_with_a_setting_of_its_own(run, extended):
    objective = ("--set=objective=sparse", "--set=sparsity=2")
    run("train", *QUICK, "--recipe=smoke", "--set=checkpoint_every=20", *objective, "--run_dir=b")
    assert '"sparsity": 2.0' in (extended / "b" / "config.json").read_text()
    assert pd.read_csv(extended / "b" / "training.csv")["absolute_mean"].gt(0).all()
    run("represent", "--run_dir=b")
