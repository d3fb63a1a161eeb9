"""The coloured scene against projections in closed form, and what each factor may change."""

from __future__ import annotations

import numba
import numpy as np
import pytest
import scipy.spatial

import data
from data import coloured_scene, scene_renderer
from data.scene_renderer import AMBIENT, DIRECT, SHAPES, WALL

SIZES = np.array(coloured_scene.FACTOR_SIZES)
FLOOR, WALLS, OBJECT = range(3)
LIGHT = np.array([0.30, 1.0, 0.72]) / np.linalg.norm([0.30, 1.0, 0.72])


def index(name: str) -> int:
    return coloured_scene.FACTOR_NAMES.index(name)


def random_classes(seed: int, count: int) -> np.ndarray:
    return np.random.default_rng(seed).integers(SIZES, size=(count, len(SIZES)))


def layers(shape: str, scale: float, azimuth: float, size: int = 64) -> np.ndarray:
    """Shares of floor, walls and object in each pixel: float [3, size, size], to 1 / 510."""
    found = scene_renderer.layers([SHAPES.index(shape)], [scale], [azimuth], size)
    return found[0] / 255


def projected(points: np.ndarray, azimuth: float, size: int = 64) -> np.ndarray:
    """Where points float [n, 3] are seen: columns and rows float [n, 2], in pixels.

    The camera is 9 away from (0, 1, 0), 24 degrees above, and sees .26 to either side at 1 away.
    """
    a, e = np.radians(45 - azimuth), np.radians(24)
    forward = -np.array([np.cos(e) * np.sin(a), np.sin(e), np.cos(e) * np.cos(a)])
    right = np.array([np.cos(a), 0, -np.sin(a)])
    up = np.cross(right, forward)
    seen = np.asarray(points, float) - (np.array([0, 1.0, 0]) - 9 * forward)
    depth = seen @ forward
    u, v = seen @ right / depth, seen @ up / depth
    return np.stack([(u / 0.26 + 1) / 2 * size, (1 - v / 0.26) / 2 * size], axis=1)


def surface(shape: str, scale: float) -> np.ndarray:
    """Points that span an object, which is convex: float [n, 3]."""
    t = np.linspace(0, 2 * np.pi, 200)
    ring = np.stack([np.cos(t), 0 * t, np.sin(t)], axis=1)
    if shape == "cube":
        found = (np.indices((2, 2, 2)).reshape(3, -1).T - [0.5, 0, 0.5]) * 1.64
    elif shape == "cylinder":
        found = np.concatenate([0.82 * ring, 0.82 * ring + [0, 1.75, 0]])
    elif shape == "cone":
        found = np.concatenate([1.05 * ring, [[0, 2.05, 0]]])
    else:
        polar = np.linspace(0, np.pi, 100)[:, None, None]
        found = np.sin(polar) * ring + np.cos(polar) * [0, 1, 0]
        found = found.reshape(-1, 3) + np.array([0, 1, 0])
    return scale * found


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize(("scale", "azimuth"), [(0.55, -30.0), (0.8, 11.0), (1.1, 30.0)])
def test_outlines_are_those_of_the_projected_solids(shape, scale, azimuth):
    hull = scipy.spatial.ConvexHull(projected(surface(shape, scale), azimuth))
    centres = np.stack(np.meshgrid(np.arange(64) + 0.5, np.arange(64) + 0.5), axis=-1)
    # The distance from each edge's line, in pixels; negative is inside.
    outside = (centres @ hull.equations[:, :2].T + hull.equations[:, 2]).max(axis=-1)
    found = layers(shape, scale, azimuth)
    assert np.all(found[OBJECT][outside > 0.75] == 0)
    inside = outside < -0.75
    assert np.all(found[OBJECT][inside] >= AMBIENT - 0.01)
    assert np.all(found[:OBJECT, inside] == 0)
    # Half covered on average where the outline goes through.
    assert found[OBJECT].max() <= AMBIENT + DIRECT + 0.01
    assert hull.volume == pytest.approx(
        np.mean([np.sum(outside < d) for d in (-0.5, 0.5)]), rel=0.1
    )


def test_nothing_is_cut_off():
    for shape in SHAPES:
        for azimuth in (-30, 30):
            found = layers(shape, 1.1, azimuth)[OBJECT]
            assert not found[[0, -1]].any()
            assert not found[:, [0, -1]].any()


@pytest.mark.parametrize("azimuth", [-30.0, 0.0, 17.0])
def test_walls_meet_each_other_and_the_floor_where_planes_do(azimuth):
    found = layers("sphere", 0.55, azimuth)
    corner = projected([[-WALL, 0, -WALL], [-WALL, 3, -WALL]], azimuth)
    assert corner[1, 0] == pytest.approx(corner[0, 0], abs=64)
    top = found[WALLS][0]  # the upper edge of the image is all wall
    assert np.all(found[FLOOR][0] == 0)
    edge = np.argmax(np.abs(np.diff(top))) + 1
    at_top = np.interp(0, *projected([[-WALL, h, -WALL] for h in (9, 0)], azimuth).T[::-1])
    assert edge == pytest.approx(at_top, abs=1)
    for column in (3, 60):
        boundary = np.argmax(found[FLOOR][:, column] > 0.1)
        edges = [[-WALL, 0, d] for d in np.linspace(-WALL, 12, 400)]
        edges += [[d, 0, -WALL] for d in np.linspace(-WALL, 12, 400)]
        x, y = projected(edges, azimuth).T
        near = np.abs(x - column - 0.5) < 1
        assert boundary == pytest.approx(y[near].mean(), abs=1.5)


def test_brightness_is_lamberts():
    found = layers("cube", 1.1, 0.0)
    normals = {"floor": [0, 1, 0], "left": [1, 0, 0], "right": [0, 0, 1]}
    lit = {name: AMBIENT + DIRECT * np.dot(n, LIGHT) for name, n in normals.items()}
    assert found[FLOOR, 60, 3] == pytest.approx(lit["floor"], abs=1 / 255)
    assert found[WALLS, 2, 3] == pytest.approx(lit["left"], abs=1 / 255)
    assert found[WALLS, 2, 60] == pytest.approx(lit["right"], abs=1 / 255)
    faces = projected([[0, 1.804, 0], [0.902, 0.9, 0], [0, 0.9, 0.902]], 0.0).astype(int)
    for (x, y), name in zip(faces, ("floor", "left", "right"), strict=True):
        assert found[OBJECT, y, x] == pytest.approx(lit[name], abs=1 / 255)


@pytest.mark.parametrize("scale", [0.6, 1.0])
def test_a_sphere_casts_its_shadow_where_the_light_is_behind_it(scale):
    points = np.stack(
        np.meshgrid(np.linspace(-2.5, 2.5, 60), [0.0], np.linspace(-2.5, 2.5, 60)), -1
    )
    points = points.reshape(-1, 3)
    to_centre = np.array([0, scale, 0]) - points
    along = to_centre @ LIGHT
    away = np.sqrt(np.square(to_centre).sum(axis=1) - along**2)  # of the ray from the centre
    x, y = np.floor(projected(points, -30.0)).astype(int).T
    kept = (x >= 0) & (x < 64) & (y >= 0) & (y < 64)
    shares = layers("sphere", scale, -30.0)[:, y[kept], x[kept]]
    seen, open_floor = shares[FLOOR], shares[OBJECT] == 0
    dark, bright = away[kept] < 0.85 * scale, away[kept] > 1.25 * scale
    lit = AMBIENT + DIRECT * LIGHT[1]
    assert np.mean(np.abs(seen[dark & open_floor] - AMBIENT) < 0.01) > 0.8
    assert np.mean(np.abs(seen[bright & open_floor] - lit) < 0.01) > 0.9
    assert np.sum(dark & open_floor) > 20


def test_hues_lie_on_a_circle():
    every = coloured_scene.colours(coloured_scene.FACTOR_VALUES["floor_hue"]).astype(float)
    around = np.linalg.norm(every - np.roll(every, 1, axis=0), axis=1)  # the last beside the first
    np.testing.assert_allclose(around, around.mean(), atol=1.5)
    assert coloured_scene.colours([0, 120, 240, 360]).argmax(axis=1).tolist() == [0, 1, 2, 0]
    np.testing.assert_allclose(every.mean(axis=1), 127.5, atol=1)  # as bright, all of them
    across = np.linalg.norm(every - np.roll(every, 5, axis=0), axis=1)
    assert np.all(across > 3 * around)


@pytest.mark.parametrize(
    ("name", "layer"), [("floor_hue", FLOOR), ("wall_hue", WALLS), ("object_hue", OBJECT)]
)
def test_a_hue_colours_its_own_layer_alone(name, layer):
    factors = random_classes(0, 12)
    changed = factors.copy()
    changed[:, index(name)] = (factors[:, index(name)] + 5) % 10
    before, after = (coloured_scene.render(f).astype(int) for f in (factors, changed))
    pose = coloured_scene.FACTOR_VALUES
    for one, two, row in zip(before, after, factors, strict=True):
        share = layers(
            SHAPES[row[index("shape")]],
            pose["scale"][row[index("scale")]],
            pose["orientation"][row[index("orientation")]],
        )[layer]
        differs = np.abs(one - two).max(axis=-1)
        assert np.all(differs[share == 0] == 0)
        assert np.all(differs[share > 0.1] > 0)
        assert differs.max() > 100


@pytest.mark.parametrize("name", ["shape", "scale"])
def test_shape_and_scale_leave_what_the_object_does_not_hide_or_shade(name):
    factors = random_classes(1, 10)
    changed = factors.copy()
    changed[:, index(name)] = SIZES[index(name)] - 1 - factors[:, index(name)]
    before, after = (coloured_scene.render(f) for f in (factors, changed))
    np.testing.assert_array_equal(before[:, :6], after[:, :6])
    np.testing.assert_array_equal(before[:, -4:], after[:, -4:])
    assert np.all((before != after).any(axis=(1, 2, 3)))


@pytest.mark.parametrize("shape", SHAPES)
def test_size_grows_with_scale(shape):
    areas = [np.sum(layers(shape, s, 0.0)[OBJECT] > 0) for s in np.linspace(0.55, 1.1, 8)]
    assert np.all(np.diff(areas) > 0)


@pytest.mark.parametrize("shape", SHAPES)
def test_orientation_is_continuous_and_seen(shape):
    """Images change the less, the smaller the step, down to nothing; neighbours differ clearly."""
    found = [layers(shape, 0.8, azimuth) for azimuth in (5.0, 5.01, 5.5, 6.5, 9.5)]
    away = [np.abs(other - found[0]).sum(axis=0).mean() for other in found]
    assert np.all(np.diff(away) > 0)
    assert away[1] < 1e-3
    classes = np.zeros((15, 6), int)
    classes[:, index("orientation")] = np.arange(15)
    classes[:, index("wall_hue")], classes[:, index("shape")] = 3, SHAPES.index(shape)
    images = coloured_scene.render(classes).astype(float)
    steps = np.square(np.diff(images, axis=0)).mean(axis=(1, 2, 3))
    assert steps.max() < 4 * steps.min()
    assert steps.min() > 5
    two = np.square(images[2:] - images[:-2]).mean(axis=(1, 2, 3))
    assert np.all(two > np.maximum(steps[1:], steps[:-1]))


def test_layers_at_half_the_size_are_means():
    """What is averaged down is what would be rendered so small, up to rounding and samples."""
    for shape in SHAPES:
        large, small = (layers(shape, 0.9, 13.0, size) for size in (64, 32))
        means = large.reshape(3, 32, 2, 32, 2).mean(axis=(2, 4))
        assert np.abs(means - small).mean() < 4e-3


def test_same_factors_give_the_same_bytes_in_any_company():
    factors = random_classes(2, 12)
    together = coloured_scene.render(factors)
    np.testing.assert_array_equal(coloured_scene.render(factors[::-1])[::-1], together)
    np.testing.assert_array_equal(coloured_scene.render(factors[7:8])[0], together[7])
    threads = numba.get_num_threads()
    numba.set_num_threads(1)
    try:
        np.testing.assert_array_equal(coloured_scene.render(factors), together)
    finally:
        numba.set_num_threads(threads)


@pytest.fixture(scope="module")
def whole_set(tmp_path_factory):
    return coloured_scene.load(tmp_path_factory.mktemp("cache"))


def test_all_images_are_there_in_order(whole_set):
    assert len(whole_set) == 480_000
    rows = np.random.default_rng(0).integers(len(whole_set), size=60)
    factors = np.stack(np.unravel_index(rows, coloured_scene.FACTOR_SIZES), axis=1)
    np.testing.assert_array_equal(whole_set.factors[rows], factors)
    expected = coloured_scene.render(factors) / np.float32(255)
    np.testing.assert_array_equal(whole_set.images(rows), expected)
    assert whole_set.at_size(32).images(rows).shape == (60, 32, 32, 3)
    kinds = dict(zip(whole_set.factor_names, whole_set.factor_kinds, strict=True))
    assert kinds["object_hue"] == kinds["shape"] == "categorical"
    assert kinds["scale"] == kinds["orientation"] == "ordered"


def test_an_image_is_made_of_its_layers(whole_set):
    """By float arithmetic of our own: the sum of the layers times their colours, rounded."""
    shares = whole_set.storage.sources[0]
    for row in (0, 12_345, 479_999):
        factors = whole_set.factors[row]
        hues = 36 * factors[:3]
        angles = np.radians(hues[:, None] - np.array([0, 120, 240]))
        colours = np.rint(255 * (1 + np.cos(angles)) / 2)
        pose = np.ravel_multi_index(tuple(factors[3:]), coloured_scene.FACTOR_SIZES[3:])
        expected = np.einsum("lhw,lc->hwc", shares[pose].astype(float), colours) / 255
        image = 255 * whole_set.images(np.array([row]))[0]
        np.testing.assert_allclose(image, expected, atol=0.501)


def test_cache_is_reused_and_that_of_another_version_is_not(
    whole_set, tmp_path, caplog, monkeypatch
):
    file = tmp_path / "coloured_scene.layers"
    shares = whole_set.storage.sources[0]
    every = scene_renderer.layers

    def few(shapes, *others):
        assert len(shapes) < 10, "rendered anew"
        return every(shapes, *others)

    with monkeypatch.context() as patch:
        patch.setattr(
            scene_renderer,
            "layers",
            lambda shapes, *o: np.zeros((len(shapes), 3, 64, 64), np.uint8),
        )
        coloured_scene.load(tmp_path)
    assert coloured_scene.load(tmp_path).fingerprint == whole_set.fingerprint
    assert f"{file} is another version's" in caplog.text
    monkeypatch.setattr(scene_renderer, "layers", few)
    np.testing.assert_array_equal(coloured_scene.load(tmp_path).storage.sources[0], shares)


@pytest.mark.parametrize(
    ("factors", "message"),
    [
        ([[0, 0, 0, 8, 0, 0]], "out of range"),
        ([[0, 0, 0, 0, -1, 0]], "out of range"),
        ([[0, 0, 0]], r"expected \[n, 6\]"),
    ],
)
def test_render_rejects_what_is_no_class(factors, message):
    with pytest.raises(ValueError, match=message):
        coloured_scene.render(np.array(factors))


def test_it_has_no_variants_or_files():
    for arguments in ({"variant": "grey"}, {"data_file": "scene.h5"}, {"data_source": "tfds"}):
        with pytest.raises(data.InputError, match="coloured_scene"):
            data.load("coloured_scene", **arguments)
