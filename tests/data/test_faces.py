"""The renderer against closed forms and symmetries, what each factor may change, the cache."""

from __future__ import annotations

import logging

import numba
import numpy as np
import pytest

import data
from data import face_geometry, face_rasteriser, face_renderer, faces
from data.files import InputError

SIZES = np.array(faces.FACTOR_SIZES)


def index(name: str) -> int:
    return faces.FACTOR_NAMES.index(name)


def classes(**changes: int) -> np.ndarray:
    """Class indices of a frontal face with short dark hair on fair skin, but for some changes."""
    found = SIZES // 2
    found[[index(n) for n in ("skin_tone", "hair_colour", "mouth_opening")]] = 5, 1, 0
    for name, value in changes.items():
        found[index(name)] = value % SIZES[index(name)]  # -1 is the last class
    return found


def linear(images: np.ndarray) -> np.ndarray:
    """Radiance in [0, 1], from what gamma 2 made of it."""
    return (images / 255.0) ** 2


def rows_at(y: float) -> float:
    """The row of a height in millimetres."""
    return 32 - (y - face_renderer.VIEW_CENTRE) * 64 / face_renderer.VIEW_HEIGHT


UPPER = slice(0, int(rows_at(-110)))  # above the shoulders


def random_classes(seed: int, count: int) -> np.ndarray:
    return np.random.default_rng(seed).integers(SIZES, size=(count, len(SIZES)))


def test_images_have_the_documented_form():
    images = faces.render(random_classes(0, 5))
    assert images.shape == (5, 64, 64, 3)
    assert images.dtype == np.uint8
    assert images.min() < 60
    assert images.max() > 180
    assert faces.render(random_classes(0, 2), size=48).shape == (2, 48, 48, 3)
    assert faces.render(np.empty((0, len(SIZES)), int)).shape == (0, 64, 64, 3)


def test_same_factors_give_the_same_bytes_in_any_company():
    factors = random_classes(1, 24)
    together = faces.render(factors)
    np.testing.assert_array_equal(faces.render(factors[::-1])[::-1], together)
    np.testing.assert_array_equal(faces.render(factors[7:8])[0], together[7])
    threads = numba.get_num_threads()
    numba.set_num_threads(1)
    try:
        np.testing.assert_array_equal(faces.render(factors), together)
    finally:
        numba.set_num_threads(threads)


def test_values_between_classes_are_rendered():
    values = np.array([[v[len(v) // 2] for v in faces.FACTOR_VALUES.values()]])
    np.testing.assert_array_equal(faces.render_values(values), faces.render(SIZES[None] // 2))
    moved = values.copy()
    moved[0, index("azimuth")] += 2.5  # half a class
    assert np.any(faces.render_values(moved) != faces.render_values(values))


@pytest.mark.parametrize("name", faces.FACTOR_NAMES)
def test_every_factor_is_seen(name):
    """From one end to the other, whatever the other factors; and every step, for one face."""
    factors = random_classes(2, 12)
    ends = np.repeat(factors[None], 2, axis=0)
    ends[:, :, index(name)] = [[0], [SIZES[index(name)] - 1]]
    first, last = faces.render(ends.reshape(-1, len(SIZES))).reshape(2, 12, -1).astype(int)
    assert np.all(np.abs(first - last).max(axis=1) > 20)
    sweep = np.stack([classes(**{name: k}) for k in range(SIZES[index(name)])])
    images = faces.render(sweep).astype(int)
    assert np.all(np.abs(np.diff(images, axis=0)).max(axis=(1, 2, 3)) > 5)


def test_positive_azimuth_and_light_azimuth_are_to_the_viewers_right():
    images = faces.render([classes(azimuth=0), classes(azimuth=-1)])
    wall = faces.render([classes()])[0, :, :1].astype(int)  # its first column
    covered = np.abs(images - wall).max(axis=-1)[:, : int(rows_at(-60))] > 20
    left, right = (np.nonzero(mask)[1].mean() for mask in covered)
    assert left < 30
    assert right > 34
    lit = faces.render([classes(light_azimuth=0), classes(light_azimuth=-1)]).mean(axis=-1)
    cheeks = lit[:, int(rows_at(-30)) : int(rows_at(-40))]
    assert cheeks[0, :, 18:30].mean() > cheeks[0, :, 34:46].mean() + 20
    assert cheeks[1, :, 18:30].mean() < cheeks[1, :, 34:46].mean() - 20


def test_mirrored_angles_give_the_mirrored_image():
    factors = random_classes(3, 30)
    mirrored = factors.copy()
    for name in ("azimuth", "light_azimuth"):
        mirrored[:, index(name)] = SIZES[index(name)] - 1 - factors[:, index(name)]
    difference = np.abs(
        faces.render(factors).astype(int) - faces.render(mirrored)[:, :, ::-1].astype(int)
    )
    assert difference.mean() < 0.05
    assert np.mean(difference.max(axis=-1) > 4) < 2e-3  # samples on an edge may fall either way


def coverage_of(factors: np.ndarray) -> np.ndarray:
    """How much of each pixel above the shoulders faces cover, from two walls: [n, rows, 64]."""
    dark, bright = factors.copy(), factors.copy()
    dark[:, index("background")], bright[:, index("background")] = 0, SIZES[-1] - 1
    shift = linear(faces.render(bright)) - linear(faces.render(dark))
    return (1 - (shift / shift[:, :, :1]).mean(axis=-1))[:, UPPER]  # the first column is all wall


def front(count: int, seed: int) -> np.ndarray:
    """Random faces that look ahead, so that nothing above the shoulders is near the margins."""
    factors = random_classes(seed, count)
    factors[:, index("azimuth")] = 9
    return factors


def test_background_changes_the_wall_alone():
    factors = front(8, 4)
    coverage = coverage_of(factors)
    assert coverage.min() > -0.05
    assert coverage.max() < 1.05
    first, third = factors.copy(), factors.copy()
    first[:, index("background")], third[:, index("background")] = 0, 3
    first, third = faces.render(first)[:, UPPER], faces.render(third)[:, UPPER]
    shift = linear(third)[:, :, :1] - linear(first)[:, :, :1]
    expected = linear(first) + (1 - coverage[..., None]) * shift
    np.testing.assert_allclose(linear(third), expected, atol=0.02)
    assert np.mean(coverage > 0.995) > 0.25  # covered all over, and so without any change
    assert np.array_equal(first[coverage == 1], third[coverage == 1])


@pytest.mark.parametrize("name", ["light_azimuth", "light_elevation", "skin_tone", "hair_colour"])
def test_light_and_colours_leave_wall_and_outline(name):
    factors = front(8, 5)
    changed = factors.copy()
    changed[:, index(name)] = (factors[:, index(name)] + SIZES[index(name)] // 2) % SIZES[
        index(name)
    ]
    one, two = coverage_of(factors), coverage_of(changed)
    np.testing.assert_allclose(one, two, atol=0.06)  # in eight bits
    before, after = faces.render(factors)[:, UPPER], faces.render(changed)[:, UPPER]
    nobody = (one == 0) & (two == 0)
    assert nobody.mean() > 0.2
    assert np.array_equal(before[nobody], after[nobody])


@pytest.mark.parametrize(
    ("name", "top", "half_width"), [("smile", -5, 62), ("mouth_opening", -45, 75)]
)
def test_mouth_changes_the_lower_face_alone(name, top, half_width):
    """A smile also the cheeks; an open mouth also the chin."""
    sweep = faces.render(
        [classes(**{name: k, "light_azimuth": 6, "light_elevation": 2}) for k in range(7)]
    ).astype(int)
    rows, columns = np.nonzero(np.abs(sweep - sweep[:1]).max(axis=(0, 3)) > 2)
    assert rows.min() >= rows_at(top) - 1
    assert np.abs(columns - 31.5).max() <= half_width * 64 / face_renderer.VIEW_HEIGHT + 1
    if name == "smile":
        assert rows.max() <= rows_at(-118)


def test_hair_length_and_colour_leave_the_middle_of_the_face():
    middle = (slice(int(rows_at(-10)), int(rows_at(-100))), slice(27, 37))
    lit = {"light_azimuth": 6, "light_elevation": 0}
    bald = faces.render([classes(hair_length=0, **lit)])[0][middle].astype(int)
    for change in ({"hair_length": 6}, {"hair_length": 0, "hair_colour": 6}):
        other = faces.render([classes(**lit, **change)])[0][middle]
        assert np.abs(other - bald).max() <= 1


def test_bald_head_has_no_hair():
    mesh = face_geometry.hair(154.0, 0.0)
    assert not mesh.surface[0].any()
    assert np.all(np.isfinite(mesh.surface))


def meshes() -> list[face_geometry.Mesh]:
    return (
        [
            face_geometry.head(breadth, lift, opening)
            for breadth, lift, opening in ((136, -4, 0), (172, 14, 24), (154, 5, 12))
        ]
        + [face_geometry.hair(154.0, length) for length in (50.0, 300.0)]
        + [face_geometry.bust()]
    )


@pytest.mark.parametrize("mesh", meshes())
def test_meshes_are_their_own_mirror_images(mesh):
    positions, normals = mesh.surface
    np.testing.assert_allclose(np.linalg.norm(normals, axis=1), 1, atol=1e-5)
    mirrored = positions * np.array([-1, 1, 1])

    def ordered(points):
        rounded = np.round(points, 2) + 0.0  # no negative zeros
        return rounded[np.lexsort(rounded.T)]

    np.testing.assert_allclose(ordered(mirrored), ordered(positions), atol=0.05)


def test_head_has_the_stated_measures():
    for breadth in (136.0, 172.0):
        x, y, _ = face_geometry.head(breadth, 5.0, 0.0).surface[0][: 77 * 73].T
        assert x.max() - x.min() == pytest.approx(breadth, rel=0.01)
        assert y.max() - y.min() == pytest.approx(230, rel=0.01)


def sphere(radius: float) -> face_geometry.Mesh:
    polar, angle = np.meshgrid(np.linspace(0, np.pi, 181), np.linspace(-np.pi, np.pi, 361))
    polar, angle = polar.T, angle.T
    normals = np.stack(
        [np.sin(polar) * np.sin(angle), np.cos(polar), np.sin(polar) * np.cos(angle)], axis=-1
    )
    triangles = face_geometry._grid_triangles(181, 361)
    surface = np.stack([radius * normals, normals]).reshape(2, -1, 3).astype(np.float32)
    return face_geometry.Mesh(surface, triangles.astype(np.int32))


@pytest.mark.parametrize(("azimuth", "elevation"), [(0.0, 0.0), (40.0, 20.0), (-60.0, 48.0)])
def test_sphere_is_shaded_as_the_closed_form_says(azimuth, elevation):
    """Lambert's cosine, the ambient light and the gloss of a ball in the bust's place."""
    ball, radius = sphere(70.0), 70.0
    nothing = np.zeros((1, 2, 3, 3), np.float32)
    still = np.eye(3, dtype=np.float32)
    colours = np.array([[0.4, 0.3, 0.2], [0, 0, 0], [0, 0, 0]], np.float32)
    image = face_renderer.draw_many(
        nothing,
        nothing,
        ball.surface,
        np.zeros((1, 2), np.int64),
        np.concatenate([[[0, 1, 2], [3, 4, 5]], ball.triangles + 6]).astype(np.int32),
        (1, 2),
        np.stack([still, still])[None],
        face_renderer.light_frame(azimuth, elevation)[None],
        np.zeros((1, 3), np.float32),
        colours[None],
        128,
    )[0]
    step = face_renderer.VIEW_HEIGHT / 128
    x = (np.arange(128) - 63.5) * step
    x, y = np.meshgrid(x, face_renderer.VIEW_CENTRE - x)
    inside = x**2 + y**2 < (0.9 * radius) ** 2
    normal = np.stack([x, y, np.sqrt(np.where(inside, radius**2 - x**2 - y**2, 0))], -1) / radius
    a, e = np.radians([azimuth, elevation])
    light = np.array([np.sin(a) * np.cos(e), np.sin(e), np.cos(a) * np.cos(e)])
    halfway = light + np.array([0, 0, 1])
    halfway /= np.linalg.norm(halfway)
    cosine = (normal @ light).clip(0)
    ambient = face_renderer.AMBIENT * (0.85 + 0.15 * normal[..., 1])
    gloss = face_renderer.GLOSS * (normal @ halfway).clip(0) ** 12 * (cosine > 0)
    irradiance = ambient + face_renderer.DIRECT * cosine
    expected = colours[0] * irradiance[..., None] + gloss[..., None]
    smooth = inside & (np.abs(normal @ light) > 0.12)  # the shadow's edge is soft
    np.testing.assert_allclose(linear(image)[smooth], expected[smooth], atol=0.012)


def test_triangles_cover_the_samples_inside_them_and_the_nearest_wins():
    rng = np.random.default_rng(0)
    points = rng.uniform(-4, 36, size=(60, 3)).astype(np.float32)
    triangles = np.arange(60, dtype=np.int32).reshape(20, 3)
    depth, ids, shares = face_renderer._scratch(32)
    depth[:] = face_renderer.FAR
    face_rasteriser.rasterise(points, triangles, (0, 20), depth, ids, shares)
    y, x = np.mgrid[:32, :32]
    best = np.full((32, 32), float(face_renderer.FAR))
    margin = np.full((32, 32), np.inf)
    for a, b, c in points.astype(float)[triangles]:
        frame = np.array([b[:2] - a[:2], c[:2] - a[:2]]).T
        one, two = np.linalg.inv(frame) @ np.stack([x - a[0], y - a[1]]).reshape(2, -1)
        least = np.min([one, two, 1 - one - two], axis=0).reshape(32, 32)
        z = a[2] + (one * (b[2] - a[2]) + two * (c[2] - a[2])).reshape(32, 32)
        best = np.where((least >= 0) & (z > best), z, best)
        margin = np.minimum(margin, np.abs(least))
    sure = margin > 1e-4
    np.testing.assert_allclose(depth[sure], best[sure], atol=1e-2)


def test_shadow_is_behind_what_the_light_meets_first():
    depth = np.full((8, 8), face_renderer.FAR, np.float32)
    depth[:, 4:] = 10
    lit = [
        face_rasteriser.lit_share(depth, np.float32(x), np.float32(3), np.float32(z))
        for x, z in ((5, 12), (5, 8), (2, 8), (3.5, 8), (50, 8))
    ]
    np.testing.assert_allclose(lit, [1, 0, 1, 0.5, 1])


def test_chin_casts_its_shadow_on_the_neck():
    images = faces.render([classes(hair_length=0, light_elevation=k) for k in (0, -1)])
    neck = linear(images)[:, int(rows_at(-122)) : int(rows_at(-128)) + 1, 29:35].mean(
        axis=(1, 2, 3)
    )
    # A neck rotated to the viewer would be lit by cos 48 = .67 of the light; in shadow by none.
    assert neck[1] < 0.5 * neck[0]


@pytest.mark.parametrize("name", ["azimuth", "background"])
def test_render_rejects_an_index_out_of_range(name):
    for value in (-1, SIZES[index(name)]):
        factors = classes()
        factors[index(name)] = value
        with pytest.raises(ValueError, match="out of range"):
            faces.render(factors[None])


def test_render_rejects_other_shapes_and_values():
    with pytest.raises(ValueError, match=r"expected \[n, 11\]"):
        faces.render(classes())
    with pytest.raises(ValueError, match=r"expected \[n, 11\]"):
        faces.render_values(np.zeros((2, 3)))
    with pytest.raises(ValueError, match=r"hair_colour is out of range; expected 0\.01 to 0\.43"):
        faces.render_values([[0, 0, 0, 0, 0, 0, 0.1, np.nan, 0, 140, 0.1]])


def test_classes_are_equally_likely_and_independent():
    factors = faces.draw_factors()
    assert factors.shape == (20_000, 11)
    for column, size in zip(factors.T, SIZES, strict=True):
        share = np.bincount(column, minlength=size) * size / len(column)
        np.testing.assert_allclose(share, 1, atol=0.15)
    between = np.corrcoef(factors.T) - np.eye(11)
    assert np.abs(between).max() < 0.03


def test_variant_correlates_its_pairs_and_nothing_else():
    factors = faces.draw_factors("correlated")
    between = np.corrcoef(factors.T) - np.eye(11)
    # Of a Gaussian copula, Spearman's rho is 6 / pi asin(r / 2); seven classes take a little off.
    rho = 6 / np.pi * np.arcsin(faces.CORRELATION / 2)
    for pair in faces.VARIANTS["correlated"]:
        i, j = map(index, pair)
        assert between[i, j] == pytest.approx(rho, abs=0.03)
        between[i, j] = between[j, i] = 0
    assert np.abs(between).max() < 0.03
    for column in factors.T:
        assert np.bincount(column).min() > 0.85 * len(column) / (column.max() + 1)


@pytest.fixture
def few(monkeypatch):
    """Shrinks the data set to 40 images."""
    monkeypatch.setattr(faces, "NUM_IMAGES", 40)


def test_data_set_holds_what_is_rendered(few, tmp_path, monkeypatch):
    monkeypatch.setenv("AXISBIAS_CACHE", str(tmp_path))
    for variant in ("", "correlated"):
        dataset = data.load("faces", variant=variant)
        assert dataset.image_shape == (64, 64, 3)
        assert dataset.factor_names == faces.FACTOR_NAMES
        images = np.rint(dataset.images(np.arange(40)) * 255).astype(np.uint8)
        np.testing.assert_array_equal(images, faces.render(dataset.factors))
        assert dataset.at_size(32).images(np.arange(2)).shape == (2, 32, 32, 3)
    assert {p.name for p in tmp_path.glob("*.rgb")} == {"faces.rgb", "faces_correlated.rgb"}


def test_cache_is_reused_while_it_is_whole(few, tmp_path, monkeypatch, caplog):
    first = faces.load(cache=tmp_path)
    whole = faces.render

    def render(factors):
        assert len(factors) < 40, "rendered anew"
        return whole(factors)

    monkeypatch.setattr(faces, "render", render)
    second = faces.load(cache=tmp_path)
    np.testing.assert_array_equal(first.storage, second.storage)
    assert first.fingerprint == second.fingerprint
    assert not caplog.records


@pytest.mark.parametrize("damage", ["flip", "cut", "empty"])
def test_damaged_cache_is_rendered_anew_and_logged(few, tmp_path, caplog, damage):
    faces.load(cache=tmp_path)
    file = tmp_path / "faces.rgb"
    good = file.read_bytes()
    bad = {"flip": good[:99] + bytes([good[99] ^ 1]) + good[100:], "cut": good[:-9], "empty": b""}
    file.write_bytes(bad[damage])
    with caplog.at_level(logging.WARNING):
        faces.load(cache=tmp_path)
    assert f"{file} is damaged" in caplog.text
    assert file.read_bytes() == good


def test_cache_of_another_version_is_rendered_anew(few, tmp_path, caplog, monkeypatch):
    with monkeypatch.context() as other:
        other.setattr(
            faces, "render", lambda factors: np.zeros((len(factors), 64, 64, 3), np.uint8)
        )
        faces.load(cache=tmp_path)
    dataset = faces.load(cache=tmp_path)
    assert "another version's" in caplog.text
    np.testing.assert_array_equal(dataset.storage, faces.render(dataset.factors).reshape(40, -1))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            {"variant": "entangled"},
            "no variant 'entangled'; expected correlated, celeba_crop, or none",
        ),
        (
            {"data_source": "tfds"},
            "faces is not read from data_source=tfds; expected one of rendered",
        ),
        ({"data_file": "faces.npz"}, "faces is no file; leave out data_file=faces.npz"),
    ],
)
def test_misuse_is_named(arguments, message):
    with pytest.raises(InputError, match=message):
        data.load("faces", **arguments)


def test_faces_are_placed_as_in_aligned_photographs():
    rows = np.arange(64, dtype=np.uint8)[None, :, None, None] * np.ones((1, 1, 64, 3), np.uint8)
    placed = faces.as_aligned(rows)[0, :, 0, 0].astype(float)
    # Row r holds what was at (r - .51 h) / .8 + .435 h, up to the edges, where it goes on.
    expected = ((np.arange(64) + 0.5) / 64 - 0.51) / 0.8 * 64 + 0.435 * 64 - 0.5
    np.testing.assert_allclose(placed, np.clip(expected, 0, 63), atol=0.51)
    assert placed[0] == 0
    eyes = round(0.51 * 64 - 0.5)
    assert placed[eyes] == pytest.approx(0.435 * 64 - 0.5, abs=1)
