"""An older processor gives the same training but for the last bits."""

import json
import os
import subprocess
import sys

import numpy as np
import pytest
import small_steps
from programs import ROOT

from models import hardware


def losses(instruction_set: str) -> dict[str, list[float]]:
    """What every model's first steps lose, with oneDNN held to an instruction set."""
    environment = os.environ | {"ONEDNN_MAX_CPU_ISA": instruction_set, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, small_steps.__file__],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.fixture(scope="module")
def on_this_processor():
    return losses("ALL")


# Without AVX-512, and without what this kind of processor has more than its elders.
OLDER = ["AVX2", "SSE41"] if hardware.instruction_set() == "avx512" else ["SSE41"]


@pytest.mark.parametrize("instruction_set", OLDER)
def test_an_older_processor_trains_alike(instruction_set, on_this_processor):
    older = losses(instruction_set)
    assert set(older) == set(small_steps.SETTINGS)
    for model, values in older.items():
        assert len(set(values)) == len(values), f"{model} does not move"
        np.testing.assert_allclose(values, on_this_processor[model], rtol=2e-4, err_msg=model)
