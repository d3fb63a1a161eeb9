"""Testing a representation needs no TensorFlow: the pages that say so run where there is none."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tomllib

import pandas as pd
import pytest
from programs import ROOT

BLOCK = '''
import sys

class _Blocked:
    """Finds nothing of TensorFlow, as where it is not installed."""

    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {"tensorflow", "keras", "tensorflow_probability", "tf_keras"}:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

sys.meta_path.insert(0, _Blocked())
'''


@pytest.fixture(scope="module")
def environment(tmp_path_factory):
    """The environment of a Python that finds no TensorFlow, in every process that it starts."""
    folder = tmp_path_factory.mktemp("blocked")
    (folder / "sitecustomize.py").write_text(BLOCK)
    return {**os.environ, "PYTHONPATH": f"{folder}{os.pathsep}{ROOT}"}


PAGE = (ROOT / "docs" / "representation.md").read_text(encoding="utf-8")
README = (ROOT / "README.md").read_text(encoding="utf-8")


def run(arguments, environment, cwd):
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=cwd,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_page_runs_from_the_array_to_the_report(environment, tmp_path):
    done = run(["-c", "\n".join(cells())], environment, tmp_path)
    assert done.returncode == 0, done.stderr
    (command,) = re.findall(r"-m (reproduce\.basis_test --rep.*--report=report.html)", PAGE)
    flags = [*command.split(), "--num_bases=19"]
    done = run(["-m", *flags], environment, tmp_path)
    assert done.returncode == 0, done.stderr
    table = pd.read_csv(tmp_path / "basis_test.csv").set_index("family")
    assert table.loc["haar", "p_value"] == 1 / 20
    assert "aligned beyond chance" in (tmp_path / "report.html").read_text()
    (command,) = re.findall(r"-m (reproduce\.score --rep.*--output=scores.csv)", PAGE)
    done = run(["-m", *command.split()], environment, tmp_path)
    assert done.returncode == 0, done.stderr
    assert len(pd.read_csv(tmp_path / "scores.csv")) == 3


def test_readmes_ten_lines_run(environment, tmp_path):
    (block,) = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    arrays = re.search(r"^rng = .*^latents = .*?\n", PAGE, re.DOTALL | re.MULTILINE)
    (notebook,) = re.findall(r"`(from reproduce\.api [^`]*)`", README)
    fewer = notebook.replace("(latents, factors)", "(latents, factors, num_bases=19)")
    code = block.replace("import numpy as np\n", f"import numpy as np\n{arrays[0]}") + fewer
    done = run(["-c", code], environment, tmp_path)
    assert done.returncode == 0, done.stderr
    (command,) = re.findall(r"-m (reproduce\.basis_test .*)", README)
    done = run(["-m", *command.split(), "--num_bases=19"], environment, tmp_path)
    assert done.returncode == 0, done.stderr
    assert "aligned beyond chance" in (tmp_path / "report.html").read_text()


def cells():
    """What the page would have a notebook run, with fewer bases; then in two processes."""
    saving, notebook = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    last = "assess_basis(latents, factors, metrics=['sap'], num_bases=9, num_fits=3, workers=2)"
    return [
        saving,
        notebook.replace("(latents, factors)", "(latents, factors, num_bases=19)"),
        last,
    ]


# What a notebook's kernel has that a script has not: a running event loop, streams that are no
# files, and a main module that comes from nowhere.
KERNEL = """
import ast, asyncio, json, sys, types

class Stream:
    def write(self, text):
        return len(text)

    def flush(self):
        pass

async def run(cells):
    main = sys.modules["__main__"] = types.ModuleType("__main__")
    for cell in cells:
        tree = ast.parse(cell)
        last = ast.Expression(tree.body.pop().value)
        exec(compile(tree, "<cell>", "exec"), main.__dict__)
        shown = eval(compile(last, "<cell>", "eval"), main.__dict__)
    return shown.to_dict("list")

cells = json.loads(sys.argv[1])
sys.stdout = sys.stderr = Stream()
try:
    found = asyncio.run(run(cells))
finally:
    sys.stdout, sys.stderr = sys.__stdout__, sys.__stderr__
print(json.dumps(found))
"""


def test_the_pages_cells_run_in_what_a_notebook_is(environment, tmp_path):
    done = run(["-c", KERNEL, json.dumps(cells())], environment, tmp_path)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["family"] == ["haar_active", "haar"]
    assert found["num_bases"] == [3, 3]


def test_the_page_runs_in_a_notebook(environment, tmp_path):
    nbclient = pytest.importorskip("nbclient", reason="needs nbclient and ipykernel")
    nbformat = pytest.importorskip("nbformat")
    pytest.importorskip("ipykernel")
    v4 = nbformat.v4
    notebook = v4.new_notebook(cells=[v4.new_code_cell(cell) for cell in cells()])
    client = nbclient.NotebookClient(notebook, resources={"metadata": {"path": str(tmp_path)}})
    client.execute(env=environment)
    (shown,) = (o for o in notebook.cells[1].outputs if o.output_type == "execute_result")
    assert re.findall(r"<td>(haar\w*)</td>", shown.data["text/html"]) == ["haar_active", "haar"]
    assert (tmp_path / "representation.npz").exists()


def test_training_says_what_to_install(environment, tmp_path, tiny):
    flags = ["--dataset=npz", f"--data_file={tiny}", f"--run_dir={tmp_path}/run", "--num_steps=1"]
    done = run(["-m", "reproduce.train", *flags, "--recipe=smoke"], environment, tmp_path)
    assert done.returncode == 2
    assert "need TensorFlow" in done.stderr
    assert ".[train]" in done.stderr
    assert done.stderr.count("\n") == 1


def test_the_project_without_extras_asks_for_none_of_it():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert not [name for name in project["dependencies"] if name.startswith(("tensor", "tf"))]
    assert any(name.startswith("tensorflow>") for name in project["optional-dependencies"]["train"])
