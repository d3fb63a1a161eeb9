"""Positive controls: an InfoGAN and a Glow of the kit whose latents each move one factor alone.

Their generator and their flow are planted: a blob whose place, width and brightness are four
latents. All else is the kit's own: priors, Gaussianised codes, latent blocks, decoding, reading,
test and verdict. Their twins have the same latents rotated among themselves.

AXISBIAS_TWINS sets how many twins are turned at random in the test of how often one is called
aligned (20 unless set).
"""

import os

import numpy as np
import pandas as pd
import pytest
import scipy.stats

import models
from data.files import save_npz, write_text
from models.settings import GlowSettings, InfoGANSettings
from reproduce.basis import assessment, bases, representation
from reproduce.reporting import seed_results, seed_verdicts
from reproduce.traversal import coverage, decoder_side
from reproduce.traversal.readers import Reader

SIZE, CLASSES = 16, 8
FACTORS = ("x", "y", "width", "brightness")
LOW = np.array([5.0, 5.0, 1.2, 0.5], np.float32)
HIGH = np.array([10.0, 10.0, 2.2, 1.0], np.float32)
NAMES = ("infogan", "glow")
TWINS = int(os.environ.get("AXISBIAS_TWINS", "20"))


def blobs(places):
    """Images [n, 16, 16, 1] of values [n, 4] between 0 and 1, smoothly."""
    import tensorflow as tf

    x, y, width, brightness = tf.unstack(LOW + places * (HIGH - LOW), axis=1)
    at = tf.range(SIZE, dtype=tf.float32)
    column = tf.exp(-tf.square(at - y[:, None]) / (2 * tf.square(width[:, None])))
    row = tf.exp(-tf.square(at - x[:, None]) / (2 * tf.square(width[:, None])))
    return (brightness[:, None, None] * column[:, :, None] * row[:, None, :])[..., None]


def moments(images):
    """The four values of a blob, from its centre of mass, its spread and its mass."""
    at = np.arange(SIZE)
    image = images[..., 0].astype(float)
    mass = image.sum(axis=(1, 2))
    x, y = ((image.sum(axis=axis) @ at) / mass for axis in (1, 2))
    spread = (image * ((at - x[:, None])[:, None, :] ** 2)).sum(axis=(1, 2)) / mass
    values = np.stack([x, y, np.sqrt(spread), mass / (2 * np.pi * spread)], axis=1)
    return (values - LOW) / (HIGH - LOW)


READER = Reader(
    "moments",
    "0" * 64,
    FACTORS,
    (CLASSES,) * 4,
    moments,
    lambda values: np.clip((CLASSES * values).astype(int), 0, CLASSES - 1),
    (0.05,) * 4,
    ("RMSE, classes",) * 4,
)


def rotation(is_rotated):
    """The identity, or a turn by 45 degrees of x into y and of width into brightness, and of these.

    Every factor is then shared by four axes alike.
    """
    half = np.array([[1, 1], [-1, 1]]) / np.sqrt(2)
    return np.kron(half, half) if is_rotated else np.eye(4)


def uniform(latents):
    import tensorflow as tf

    return (tf.math.erf(latents / np.sqrt(2)) + 1) / 2


def infogan():
    settings = InfoGANSettings(network="compact", categories=(), num_codes=4, num_noise=3)
    return models.build(settings, (SIZE, SIZE, 1), 0)


def plant_infogan(model, turn):
    import tensorflow as tf

    scale = 2.0 if model._network.signed_pixels else 1.0

    def generator(inputs, training):
        del training
        codes = inputs[:, :4]  # uniform: turned where they are Gaussian
        gaussian = np.sqrt(2) * tf.math.erfinv(tf.clip_by_value(codes, -0.99999, 0.99999))
        images = blobs(uniform(gaussian @ tf.constant(turn, tf.float32)))
        images = tf.clip_by_value(images, 1e-5, 1 - 1e-5)
        return tf.math.log(images / (1 - images)) / scale

    model.generator = generator


def glow():
    settings = GlowSettings(num_levels=2, depth=1, width=4, warmup_steps=0)
    return models.build(settings, (SIZE, SIZE, 1), 0)


def plant_glow(model, turn):
    import tensorflow as tf

    axes = tf.constant(model.latent_blocks[0].unit_axes().T, tf.float32)

    class Flow:
        @staticmethod
        def inverse(latents):
            channels = (latents @ axes)[:, :4]  # the others move nothing
            images = blobs(uniform(channels @ tf.constant(turn, tf.float32)))
            return images * (255 / 256) + 0.5 / 256 - 0.5  # as `to_images` has it of 8 bits

    model.flow = Flow()


BUILD = {"infogan": infogan, "glow": glow}
PLANT = {"infogan": plant_infogan, "glow": plant_glow}


def chain_of(name, is_rotated, folder, seed):
    """The whole chain: drawn, decoded, read, written, tested."""
    model = BUILD[name]()
    PLANT[name](model, rotation(is_rotated))
    found = decoder_side.from_prior(model, READER, 2_000, seed, decoder_side.block_of(model))
    file = folder / f"{name}-{is_rotated}-{seed}" / "representation.npz"
    representation.save(file, found)
    found = representation.load(file)
    result = assessment.assess(found, assessment.Plan(["haar", "haar_active"], ["mig"], 199))
    test = file.with_name("basis_test.csv")
    write_text(test, result.table.to_csv(index=False))
    save_npz(test.with_name("null.npz"), result.nulls)
    return file, test


@pytest.fixture(scope="module")
def verdicts(tensorflow, tmp_path_factory):
    folder = tmp_path_factory.mktemp("planted")
    files, tests, arms = [], [], []
    for name in NAMES:
        for is_rotated in (False, True):
            for seed in (0, 1):
                file, test = chain_of(name, is_rotated, folder, seed)
                files.append(file)
                tests.append(test)
                arms.append(f"{name} {'rotated' if is_rotated else 'planted'}")
    results = seed_results.read_representations(files, tests, arms)
    table, _ = seed_verdicts.judge(results, seed=0)
    return pd.DataFrame(table).set_index("model"), {r.arm: r for r in results}


@pytest.mark.parametrize("name", NAMES)
def test_planted_latents_are_found_aligned_in_every_seed(verdicts, name):
    row = verdicts[0].loc[f"{name} planted"]
    assert row["side"] == "decoder"
    assert row["special"]
    assert row["special_seeds"] == 2
    assert row["haar_observed"] > 0.4
    assert "match the chosen factors better than random axes" in row["sentence"]


@pytest.mark.parametrize("name", NAMES)
def test_their_rotated_twins_are_not(verdicts, name):
    row = verdicts[0].loc[f"{name} rotated"]
    assert not row["special"]
    assert row["haar_active_p"] > 0.5  # shared alike by all axes: as far from aligned as can be


@pytest.mark.parametrize("name", NAMES)
def test_twins_turned_at_random_are_called_aligned_as_rarely_as_the_level_says(tensorflow, name):
    model, num_aligned = BUILD[name](), 0
    for seed in range(TWINS):
        PLANT[name](model, bases.haar(1, 4, np.random.default_rng(seed))[0])
        found = decoder_side.from_prior(model, READER, 500, seed, decoder_side.block_of(model))
        plan = assessment.Plan(["haar", "haar_active"], ["mig"], 99, seed=seed, table_only=True)
        num_aligned += assessment.assess(found, plan).table["p_value"].max() <= 0.05
    above = scipy.stats.binomtest(num_aligned, TWINS, 0.05, "greater")
    assert above.pvalue > 1e-3
    if TWINS >= 200:
        assert 0.02 <= num_aligned / TWINS <= 0.08


@pytest.mark.parametrize("name", NAMES)
def test_what_moves_nothing_is_not_active(verdicts, name):
    for arm in ("planted", "rotated"):
        encoded = verdicts[1][f"{name} {arm}"].encoded
        np.testing.assert_array_equal(encoded.active(), range(4))
        assert encoded.latents.shape[1] == {"infogan": 4, "glow": 8}[name]
        assert encoded.reading.block == {"infogan": "codes", "glow": "channels"}[name]
        assert encoded.factor_names == FACTORS


def test_moments_read_the_blobs_they_are_made_of(tensorflow):
    values = np.random.default_rng(0).random((200, 4))
    found = moments(np.asarray(blobs(values.astype(np.float32))))
    np.testing.assert_allclose(found, values, atol=0.12)


def test_samples_of_a_planted_model_cover_what_it_draws(verdicts):
    """Every value is uniform: total variation from equal shares is the samples' own."""
    encoded = verdicts[1]["infogan planted"].encoded
    even = np.tile(np.arange(CLASSES)[:, None], (250, 4))
    found = coverage.total_variation(encoded.factors, even, encoded.factor_sizes)
    assert max(found[:2]) < 0.06  # the classes of width and brightness are read less exactly
