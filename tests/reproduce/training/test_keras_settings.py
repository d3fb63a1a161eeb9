"""A user's Keras settings change no training, and cannot stop one."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest
from programs import ROOT

from models.keras_settings import KERAS

SCRIPT = """
from reproduce import program
program.start_tensorflow()
import keras, tensorflow_probability
print(keras.config.backend(), keras.config.floatx(), keras.config.epsilon(),
      keras.config.image_data_format(), keras.config.dtype_policy().name,
      keras.layers.Conv2D(2, 3)(keras.ops.ones((1, 8, 8, 1))).shape)
"""
ODD = {
    "half precision": ({"floatx": "float16", "epsilon": 1e-3}, {}),
    "channels first, another backend": (
        {"image_data_format": "channels_first", "backend": "torch"},
        {"KERAS_BACKEND": "jax", "TF_USE_LEGACY_KERAS": "1"},
    ),
    "nonsense": ({"floatx": "float", "epsilon": "small"}, {"KERAS_NNX_ENABLED": "1"}),
}


@pytest.mark.parametrize("kind", ODD)
def test_keras_is_as_the_kit_needs_it(tmp_path, kind):
    content, environment = ODD[kind]
    (tmp_path / "keras.json").write_text(json.dumps(content))
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT],
        cwd=ROOT,
        env={**os.environ, "KERAS_HOME": str(tmp_path), **environment},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.split("\n")[0] == (
        "tensorflow float32 1e-07 channels_last float32 (1, 6, 6, 2)"
    )
    assert json.loads((tmp_path / "keras.json").read_text()) == content  # left alone


def test_a_run_records_them():
    from test_recipes_runs import CONFIG

    from reproduce.training.run_directory import RunConfig

    kept = json.loads(CONFIG.to_json())
    assert kept["keras"] == KERAS
    del kept["keras"]  # an older run's
    assert RunConfig.from_json(json.dumps(kept)) == CONFIG
