"""Keras as the kit needs it, whatever the user's keras.json and environment say."""

from __future__ import annotations

import importlib
import os
from typing import Any

from data.files import InputError

# Of every run, and kept in its config.json.
KERAS: dict[str, Any] = {
    "keras_backend": "tensorflow",
    "keras_floatx": "float32",
    "keras_epsilon": 1e-7,
    "keras_image_data_format": "channels_last",
}


def shield() -> None:
    """Hides the user's Keras settings from this process; call it before Keras is imported.

    No keras.json lies in a folder that is none, and none can be written there.
    """
    os.environ["KERAS_HOME"] = os.devnull
    os.environ["KERAS_BACKEND"] = KERAS["keras_backend"]
    os.environ["TF_USE_LEGACY_KERAS"] = "0"
    for name in ("KERAS_NNX_ENABLED", "KERAS_MAX_EPOCHS", "KERAS_MAX_STEPS_PER_EPOCH"):
        os.environ.pop(name, None)


def configure() -> None:
    """Sets Keras, which a module of the user's may have imported before, to `KERAS`.

    Raises:
        InputError: If it runs on another backend than TensorFlow.
    """
    keras = importlib.import_module("keras")
    if keras.config.backend() != KERAS["keras_backend"]:
        raise InputError(
            f"Keras was imported with the backend {keras.config.backend()}; expected tensorflow: "
            "set KERAS_BACKEND=tensorflow before it is"
        )
    keras.config.set_floatx(KERAS["keras_floatx"])
    keras.config.set_epsilon(KERAS["keras_epsilon"])
    keras.config.set_image_data_format(KERAS["keras_image_data_format"])
    keras.config.set_dtype_policy(KERAS["keras_floatx"])
