"""Published models are found by their folders, and each has its chain of programs."""

import json

import numpy as np
import pytest
import torch_by_hand as by_hand

from data.files import InputError
from reproduce.pipeline import published_models


@pytest.fixture
def folder(tmp_path):
    content = by_hand.archive({"x": np.zeros(1, np.float32)})
    for name, data_set in (("b_celeba", "celeba"), ("a_dsprites", "dsprites")):
        (tmp_path / name).mkdir()
        (tmp_path / name / "model.pt").write_bytes(content)
        (tmp_path / name / "specs.json").write_text(json.dumps({"dataset": data_set}))
    return tmp_path


def test_models_are_found_and_each_step_follows_from_the_one_before(folder, tmp_path):
    models = published_models.find(folder)
    assert [(m.name, m.trained_on) for m in models] == [
        ("a_dsprites", "dSprites"),
        ("b_celeba", "CelebA"),
    ]
    chains = [published_models.chain(model, tmp_path / "out", 99, "correlated") for model in models]
    assert [chain.run.path.parts[-3] for chain in chains] == ["dsprites", "celeba"]
    for chain in chains:
        made = {chain.steps[0].target}
        for step in chain.steps[1:]:
            assert set(step.sources) <= made
            made.add(step.target)
    flags = [" ".join(chain.steps[0].arguments) for chain in chains]
    assert ["--variant=correlated" in flag for flag in flags] == [False, True]


def test_a_folder_without_models_is_named(tmp_path, run_program):
    with pytest.raises(InputError, match=r"model\.pt"):
        published_models.find(tmp_path)
    done = run_program("published", f"--weights={tmp_path}")
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert "--weights" in run_program("published").stderr
