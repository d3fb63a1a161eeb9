"""Testing a representation needs no TensorFlow: README's section runs where there is none."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tomllib

import pandas as pd
import pytest
from conftest import ROOT

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


README = (ROOT / "README.md").read_text()
SECTION = README.split("## Your own representation")[1].split("\n## ")[0]


def run(arguments, environment, cwd):
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=cwd,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )


def test_readmes_section_runs_from_the_array_to_the_page(environment, tmp_path):
    saving, notebook = re.findall(r"```python\n(.*?)```", SECTION, re.DOTALL)
    # The cells of a notebook, one after the other in one process, with fewer bases.
    cells = (
        f"{saving}\n{notebook.replace('(latents, factors)', '(latents, factors, num_bases=19)')}"
    )
    done = run(["-c", cells], environment, tmp_path)
    assert done.returncode == 0, done.stderr
    (command,) = re.findall(r"-m (reproduce\.basis_test --rep.*--report=report.html)", SECTION)
    flags = [*command.split(), "--num_bases=19"]
    done = run(["-m", *flags], environment, tmp_path)
    assert done.returncode == 0, done.stderr
    table = pd.read_csv(tmp_path / "basis_test.csv").set_index("family")
    assert table.loc["haar", "p_value"] == 1 / 20
    assert "aligned beyond chance" in (tmp_path / "report.html").read_text()
    (command,) = re.findall(r"-m (reproduce\.score --rep.*--output=scores.csv)", SECTION)
    done = run(["-m", *command.split()], environment, tmp_path)
    assert done.returncode == 0, done.stderr
    assert len(pd.read_csv(tmp_path / "scores.csv")) == 3


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
