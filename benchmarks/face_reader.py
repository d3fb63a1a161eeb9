r"""How exactly `reproduce.traversal.face_reader` reads rendered faces of known factors.

Writes a row for each attribute: its correlation with the truth, and the root mean squared error of
the truth as predicted by a straight line, which one half of the images fits and the other judges.

Example:
    python -m benchmarks.face_reader --output=paper/results/face_reader.csv
"""

from __future__ import annotations

import numpy as np
import pandas as pd
import scipy.ndimage
from absl import flags

from data import faces
from data.files import write_text
from reproduce import program
from reproduce.traversal import face_reader

_NUM_IMAGES = flags.DEFINE_integer("num_images", 2_000, "Rendered faces.", lower_bound=10)
_SEED = flags.DEFINE_integer("seed", 7, "The seed of their factors.", lower_bound=0)
_OUTPUT = flags.DEFINE_string("output", "face_reader.csv", "The table.")

# What each attribute should tell, with its unit; `faces` has no roll, so images are turned.
TRUTHS = {
    "yaw": ("azimuth", "degrees"),
    "pitch": ("elevation", "degrees"),
    "roll": ("roll", "degrees"),
    "smile": ("smile", "mm"),
    "mouth_opening": ("mouth_opening", "mm"),
    "face_width": ("head_breadth", "mm"),
    "light_side": ("light_azimuth", "degrees"),
    "skin": ("skin_tone", "albedo"),
    "hair": ("hair_colour", "albedo"),
    "background": ("background", "albedo"),
}
_MAX_ROLL = 20.0  # degrees


def main() -> None:
    """Renders, reads, compares."""
    program.start_tensorflow(1)
    reader = face_reader.load()
    rng = np.random.default_rng(_SEED.value)
    factors = np.stack([rng.integers(n, size=_NUM_IMAGES.value) for n in faces.FACTOR_SIZES], 1)
    columns = zip(faces.FACTOR_VALUES.items(), factors.T, strict=True)
    truth = {name: values[column] for (name, values), column in columns}
    images = faces.render(factors).astype(np.float32) / 255
    read = dict(zip(face_reader.ATTRIBUTES, reader.read(images).T, strict=True))
    truth["roll"] = rng.uniform(-_MAX_ROLL, _MAX_ROLL, len(images))
    turned = np.stack(
        [
            # SciPy turns counter-clockwise as an image is shown.
            scipy.ndimage.rotate(image, -roll, reshape=False, order=1, mode="nearest")
            for image, roll in zip(images, truth["roll"], strict=True)
        ]
    )
    read["roll"] = reader.read(turned)[:, face_reader.ATTRIBUTES.index("roll")]
    rows = [
        {"attribute": name, "truth": of, "unit": unit, **_compared(read[name], truth[of])}
        for name, (of, unit) in TRUTHS.items()
    ]
    table = pd.DataFrame(rows)
    write_text(_OUTPUT.value, table.to_csv(index=False, float_format="%.4g"))
    print(table.to_string(index=False))


def _compared(read: np.ndarray, truth: np.ndarray) -> dict[str, float]:
    found = np.isfinite(read)
    x, y = read[found], truth[found].astype(float)
    first = np.arange(len(x)) % 2 == 0
    slope, intercept = np.polyfit(x[first], y[first], 1)
    error = slope * x[~first] + intercept - y[~first]
    return {
        "correlation": float(np.corrcoef(x, y)[0, 1]),
        "rmse": float(np.sqrt(np.mean(error**2))),
        "sd_of_truth": float(y.std()),
        "images": len(read),
        "found": float(found.mean()),
    }


if __name__ == "__main__":
    program.run(main)
