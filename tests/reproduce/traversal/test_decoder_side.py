"""The decoder side: factors read from what a model makes of its prior, and what is kept."""

import dataclasses

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.latent_blocks import LatentBlock, coordinates
from reproduce.basis import assessment, representation
from reproduce.basis.representation import Reading, Representation
from reproduce.traversal import coverage, decoder_side, predicted_factors
from reproduce.traversal.readers import Reader

SHAPES, TURNS = 3, 40
LAYOUT = predicted_factors.Factors(
    ("shape", "scale", "orientation"),
    ("categorical", "ordered", "angle"),
    (SHAPES, 6, TURNS),
    (4, 2, 1),
    (SHAPES, 1, 6),
    (1.0, 1.0, 1.0),
)


def read_perfectly(labels):
    """What a predictor that errs nowhere gives: one-hot shape, scale, and three circles."""
    shape, scale, turn = labels.T
    angles = 2 * np.pi * turn[:, None] / (TURNS - 1) * np.array(LAYOUT.symmetries)
    circles = np.stack([np.cos(angles), np.sin(angles)], axis=2).reshape(len(labels), -1)
    return np.hstack([np.eye(SHAPES)[shape], scale[:, None], circles])


def that_look_alike(labels):
    """The labels' own classes, where turns that look alike are one."""
    shape, scale, turn = labels.T
    return np.stack([shape, scale, turn * np.array(LAYOUT.symmetries)[shape] % (TURNS - 1)], axis=1)


labels_of_sprites = st.lists(
    st.tuples(st.integers(0, 2), st.integers(0, 5), st.integers(0, TURNS - 1)),
    min_size=1,
    max_size=20,
).map(np.array)


@given(labels_of_sprites)
def test_a_perfect_predictor_reads_the_datas_classes(labels):
    read = predicted_factors.classes(LAYOUT, read_perfectly(labels))
    np.testing.assert_array_equal(read, that_look_alike(labels))
    assert (read >= 0).all()
    assert (read < predicted_factors.class_sizes(LAYOUT)).all()


def test_angles_that_look_alike_are_one_class():
    turn = TURNS - 1  # classes of a full turn; a square's quarter is no whole number of them
    labels = np.array([[0, 1, 0], [0, 1, turn], [2, 1, 0], [2, 1, turn], [2, 1, 13], [1, 1, 13]])
    found = predicted_factors.classes(LAYOUT, read_perfectly(labels))[:, 2]
    np.testing.assert_array_equal(found, [0, 0, 0, 0, 13, 26])
    # An ellipse at 10 and at 190 degrees, as a predictor reads them.
    degrees = np.radians([10, 190])[:, None] * np.array([4, 2, 1])
    circles = np.stack([np.cos(degrees), np.sin(degrees)], axis=2).reshape(2, -1)
    ellipses = np.hstack([np.tile([0.1, 0.8, 0.1], (2, 1)), [[2.4], [2.6]], circles])
    read = predicted_factors.classes(LAYOUT, ellipses)
    assert read[0, 2] == read[1, 2] == round(20 / 360 * turn)
    np.testing.assert_array_equal(read[:, 1], [2, 3])


def test_predictions_beyond_the_classes_are_the_last_ones():
    outside = read_perfectly(np.array([[0, 0, 0], [0, 5, 0]]))
    outside[:, 3] = [-3.2, 9.9]
    np.testing.assert_array_equal(predicted_factors.classes(LAYOUT, outside)[:, 1], [0, 5])


def test_total_variation_is_the_closed_form():
    half = np.repeat([[0], [1]], 4, axis=0)
    skewed = np.array([[0]] * 7 + [[1]])
    assert coverage.total_variation(half, skewed, (2,)) == [pytest.approx(0.375)]
    assert coverage.total_variation(half, half[:, [0, 0]][:, :1], (3,)) == [0.0]
    apart = np.array([[0], [2]])
    assert coverage.total_variation(apart, apart * 0 + 1, (3,)) == [1.0]


def test_two_samples_differ_by_as_much_as_is_said():
    rng = np.random.default_rng(0)
    n, m, size = 500, 2_000, 8
    found = [
        coverage.total_variation(
            rng.integers(size, size=(n, 1)), rng.integers(size, size=(m, 1)), (size,)
        )[0]
        for _ in range(200)
    ]
    expected = np.sqrt((size - 1) * (1 / n + 1 / m) / (2 * np.pi))
    assert np.mean(found) == pytest.approx(expected, rel=0.1)


class Planted:
    """A model of four latents, whose last moves nothing; pixels are the others."""

    def __init__(self, rotation=None):
        self.rotation = np.eye(4) if rotation is None else rotation
        self.latent_blocks = (
            coordinates("latents", np.arange(4), 4, "all"),
            coordinates("one", np.arange(1), 4, "one"),
        )

    def draw(self, num, seed):
        import tensorflow as tf

        return tf.random.stateless_normal([num, 4], seed)

    def decode(self, inputs):
        import tensorflow as tf

        pixels = tf.sigmoid(2 * inputs @ tf.constant(self.rotation, tf.float32))
        used = tf.constant([1.0, 1.0, 1.0, 0.0])
        return tf.reshape(pixels * used, [-1, 1, 4, 1])


NAMES = ("a", "b", "c", "never")
READER = Reader(
    "pixels",
    "0" * 64,
    NAMES,
    (8,) * 4,
    lambda images: images.reshape(len(images), -1),
    lambda values: np.minimum((8 * values).astype(int), 7),
    (0.1, 0.2, 0.3, 0.4),
    ("RMSE, classes",) * 4,
)


def made(model, num=1_000, reader=READER, seed=3):
    return decoder_side.from_prior(model, reader, num, seed, decoder_side.block_of(model))


def test_latents_are_the_priors_and_factors_those_of_their_images(tensorflow):
    found = made(Planted())
    assert found.factor_names == ("a", "b", "c")
    assert found.reading == Reading(
        "pixels", "0" * 64, (0.1, 0.2, 0.3), ("RMSE, classes",) * 3, "latents", 1_000, ("never",)
    )
    expected = np.minimum(8 / (1 + np.exp(-2 * found.latents[:, :3])), 7).astype(int)
    assert (found.factors != expected).mean() < 1e-3  # rounding at a class's edge
    np.testing.assert_allclose(found.latents.mean(axis=0), 0, atol=0.13)
    np.testing.assert_allclose(np.cov(found.latents.T), np.eye(4), atol=0.15)
    np.testing.assert_array_equal(found.active(), [0, 1, 2])
    assert "a part in the images' variance" in found.left_out()


def test_the_first_draws_do_not_depend_on_their_number(tensorflow):
    few, many = made(Planted(), 60), made(Planted(), 700)
    np.testing.assert_array_equal(few.latents, many.latents[:60])
    assert not np.array_equal(few.latents, made(Planted(), 60, seed=4).latents)


def test_planted_axes_are_found_and_rotated_ones_are_not(tensorflow):
    plan = assessment.Plan(["haar", "haar_active"], ["mig"], 199)
    aligned = assessment.assess(made(Planted()), plan).table
    assert (aligned["p_value"] == 1 / 200).all()
    rng = np.random.default_rng(5)
    rotation = np.eye(4)
    rotation[:3, :3] = np.linalg.qr(rng.normal(size=(3, 3)))[0]
    rotated = assessment.assess(made(Planted(rotation)), plan).table
    assert rotated.set_index("family").loc["haar_active", "p_value"] > 0.05


def test_the_part_of_a_latent_is_its_total_effect(tensorflow):
    """Of pixels z A it is the squared column over the pixels: independent of all other latents."""

    class Linear(Planted):
        def decode(self, inputs):
            import tensorflow as tf

            return tf.reshape(inputs * tf.constant([1.0, 2.0, 0.5, 0.0]), [-1, 1, 4, 1])

    model = Linear()
    from reproduce.training import trained_model

    effect = decoder_side.responses(
        model, trained_model.decoder(model), decoder_side.block_of(model), 0
    )
    np.testing.assert_allclose(effect, np.array([1, 4, 0.25, 0]) / 4, rtol=0.25)


def test_a_block_that_repeats_its_latents_reads_their_sum():
    def embed(directions):
        return np.tile(directions, 4)

    block = LatentBlock("channels", 2, embed, "at four positions")
    rng = np.random.default_rng(0)
    inputs = rng.normal(size=(5_000, 8))
    expected = inputs.reshape(-1, 4, 2).sum(axis=1) / 2
    np.testing.assert_allclose(block.read(inputs), expected)
    np.testing.assert_allclose(block.read(inputs).std(axis=0), 1, atol=0.03)


def test_images_that_cannot_be_read_are_left_out_and_counted(tensorflow):
    def read(images):
        values = READER.read(images).astype(float)
        return np.where(values[:, :1] > 0.75, np.nan, values)

    found = made(Planted(), reader=dataclasses.replace(READER, read=read))
    assert len(found.latents) < found.reading.num_drawn == 1_000
    assert found.latents[:, 0].max() <= np.log(3) / 2 + 1e-6  # where the pixel is .75
    nothing = dataclasses.replace(READER, read=lambda images: np.full((len(images), 4), np.nan))
    with pytest.raises(Exception, match="pixels reads 0 of 1000 decoded images"):
        made(Planted(), reader=nothing)


def test_wrong_blocks_are_named():
    with pytest.raises(Exception, match="unknown latent block 'x'; expected one of latents, one"):
        decoder_side.block_of(Planted(), "x")
    with pytest.raises(Exception, match="one: 1 latents; expected 2 or more"):
        decoder_side.block_of(Planted(), "one")


def test_what_is_read_is_kept_with_the_latents(tmp_path):
    reading = Reading("r", "f", (0.5,), ("RMSE, classes",), "codes", 30, ("shape", "scale"))
    rng = np.random.default_rng(0)
    latents = rng.normal(size=(20, 3)).astype(np.float32).astype(float)
    factors = rng.integers(4, size=(20, 1))
    mine = Representation(
        latents,
        factors,
        ("x",),
        (4,),
        responsive=np.array([True, False, True]),
        reading=reading,
    )
    representation.save(tmp_path / "r.npz", mine, "run")
    found = representation.load(tmp_path / "r.npz")
    assert found.reading == reading
    np.testing.assert_array_equal(found.active(), [0, 2])
    assert found.fingerprint == mine.fingerprint
    assert found.fingerprint != dataclasses.replace(mine, responsive=None).fingerprint
    with np.load(tmp_path / "r.npz") as file:
        arrays = dict(file)
    np.savez(tmp_path / "r.npz", **{**arrays, "reading_errors": np.zeros(2)})
    with pytest.raises(Exception, match="2 errors of 1 factors"):
        representation.load(tmp_path / "r.npz")


def test_a_decoder_whose_images_are_all_alike_has_no_verdict(tmp_path, tensorflow, run_program):
    class Blind(Planted):
        def decode(self, inputs):
            return 0 * super().decode(inputs)

    alike = made(Blind(), 100)
    assert alike.factor_names == ()
    assert len(alike.active()) == 0
    file, test = tmp_path / "alike.npz", tmp_path / "basis_test.csv"
    representation.save(file, alike)
    flags = (f"--representation={file}", "--num_bases=9", "--skip_inactive", f"--output={test}")
    done = run_program("basis_test", *flags)
    assert done.returncode == 0, done.stderr
    table = pd.read_csv(test)
    assert table["p_value"].isna().all()
    assert set(table["family"]) >= {"haar"}
    verdict = f"--output={tmp_path / 'verdict.csv'}"
    done = run_program("verdict", f"--representation={file}", f"--basis_test={test}", verdict)
    assert done.returncode == 0, done.stderr
    assert "no verdict" in done.stdout


@pytest.fixture(scope="module")
def runs(tiny, tmp_path_factory, run_program):
    """Barely trained runs of all three systems on the tiny data set."""
    folder = tmp_path_factory.mktemp("runs")
    for model, *settings in (
        ("beta_vae", "recipe=smoke"),
        ("infogan", "recipe=infogan_smoke"),
        ("glow", "recipe=glow_smoke"),
    ):
        done = run_program(
            "train",
            f"--model={model}",
            *(f"--{setting}" for setting in settings),
            "--dataset=npz",
            f"--data_file={tiny}",
            "--num_steps=3",
            f"--run_dir={folder / model}",
        )
        assert done.returncode == 0, done.stderr
    return folder


def test_all_three_systems_by_one_path(runs, predictor, run_program):
    sizes = {}
    for run in sorted(runs.iterdir()):
        flags = (f"--run_dir={run}", "--from_prior", f"--predictor={predictor}", "--num_points=64")
        done = run_program("represent", *flags)
        assert done.returncode == 0, done.stderr
        found = representation.load(run / "decoder" / "representation.npz")
        assert found.reading.num_drawn == 64
        assert {*found.factor_names, *found.reading.left_out} == {"pos_y", "pos_x"}
        sizes[run.name] = (found.reading.block, found.latents.shape[1])
        first = (run / "decoder" / "representation.npz").read_bytes()
        assert run_program("represent", *flags).returncode == 0
        assert (run / "decoder" / "representation.npz").read_bytes() == first
    assert {name: block for name, (block, _) in sizes.items()} == {
        "beta_vae": "latents",
        "glow": "channels",
        "infogan": "codes",
    }


def test_mistakes_are_told_in_one_line(runs, predictor, run_program, tmp_path):
    run = f"--run_dir={runs / 'infogan'}"
    for flags, message in (
        ([run, "--from_prior"], "--from_prior and --predictor go together"),
        ([run, f"--predictor={predictor}"], "--from_prior and --predictor go together"),
        ([run, "--block=noise"], "--block is for --from_prior"),
        ([run, "--from_prior", f"--predictor={tmp_path}"], "holds no run"),
        (
            [run, "--from_prior", f"--predictor={predictor}", "--block=x"],
            "unknown latent block 'x'; expected one of codes, noise",
        ),
        ([run, "--from_prior", f"--predictor={runs / 'glow'}"], "is no factor_predictor's"),
    ):
        done = run_program("represent", *flags)
        assert done.returncode == 2
        assert message in done.stderr
        assert len(done.stderr.strip().splitlines()) == 1
