"""The study's stimuli: balanced, matched, and blind."""

import collections
import dataclasses
import hashlib
import io
import itertools
import json
import pathlib
import types

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from data import coloured_scene, dsprites, faces
from data.files import InputError
from models.latent_blocks import coordinates
from reproduce.study import catch_trials, design, pairs, responses, strips, study_plan

NUM_FRAMES = 7


def blocks(values):
    """Images 16 x 16 whose quarters are as bright as four values [n, 4] say."""
    images = np.zeros((len(values), 16, 16, 1), np.float32)
    for (row, column), value in zip(itertools.product((0, 8), (0, 8)), values.T, strict=True):
        images[:, row : row + 8, column : column + 8, 0] = value[:, None, None]
    return images


BLOCKS = catch_trials.Renderer(
    ("pos_x", "pos_y", "size", "tone"),
    (9, 9, 9, 9),
    ("pos_x", "pos_y", "size", "tone"),
    (),
    False,
    lambda indices: blocks(indices / 8),
)


def quarter_of(frames):
    """Which quarters change over a strip."""
    changed = np.abs(np.diff(frames[..., 0], axis=0)).max(axis=0) > 1e-6
    return {
        2 * row + column
        for row, column in itertools.product((0, 1), (0, 1))
        if changed[8 * row : 8 * row + 8, 8 * column : 8 * column + 8].any()
    }


# Dealing to lists


def make_group(count, per_list):
    made = [design.Pair(f"item{n}", (f"target{n}", f"other{n}")) for n in range(count)]
    return design.Group(made, per_list)


@pytest.mark.parametrize(("count", "per_list"), [(64, 32), (24, 6), (8, 2), (256, 32), (15, 5)])
def test_every_pair_is_seen_equally_often_from_either_side(count, per_list):
    group = make_group(count, per_list)
    num_lists = design.lists_needed([group], 3 * 2 * count // per_list)
    lists = design.deal([group], num_lists, 0, np.random.default_rng(0))
    seen = collections.Counter(trial.item for trials in lists for trial in trials)
    left = collections.Counter(
        trial.item for trials in lists for trial in trials if trial.left.startswith("target")
    )
    assert set(seen.values()) == {num_lists * per_list // count}
    assert all(2 * left[item] == seen[item] for item in seen)
    for trials in lists:
        assert len({trial.item for trial in trials}) == len(trials) == per_list
        on_left = sum(trial.left.startswith("target") for trial in trials)
        assert abs(2 * on_left - per_list) <= 1


def test_lists_hold_as_many_of_every_arm():
    group = make_group(128, 32)  # two arms, side by side
    lists = design.deal([group], 8, 0, np.random.default_rng(1))
    for trials in lists:
        assert sum(int(trial.item[4:]) < 64 for trial in trials) == 16


def test_names_are_asked_so_often_and_groups_are_mixed():
    groups = [make_group(16, 8), make_group(4, 2)]
    lists = design.deal(groups, 4, 3, np.random.default_rng(2))
    for trials in lists:
        assert len(trials) == 10
        assert sum(trial.ask_name for trial in trials) == 3
    # Pairs of the second group have the names of the first's: they stand anywhere.
    assert lists[0] != lists[2]


def test_the_question_for_a_name_does_not_tell_the_kind():
    other = design.Group([design.Pair(f"catch{n}", ("a", "b")) for n in range(24)], 6)
    lists = design.deal([make_group(64, 32), other], 64, 8, np.random.default_rng(3))
    asked = [
        trial.item.startswith("catch") for trials in lists for trial in trials if trial.ask_name
    ]
    expected, share = 64 * 8 * 6 / 38, 6 / 38
    assert abs(sum(asked) - expected) < 4 * np.sqrt(expected * (1 - share))


def test_lists_suffice_for_the_raters_and_are_whole_blocks():
    groups = [make_group(64, 32), make_group(24, 6)]  # blocks of 4 and of 8
    assert design.lists_needed(groups, 60) == 64
    assert design.lists_needed(groups, 64) == 64
    assert design.lists_needed(groups, 65) == 72


# Files


@pytest.mark.parametrize("channels", [1, 3])
def test_files_hold_exactly_the_frames(channels):
    images = np.random.default_rng(0).random((NUM_FRAMES, 32, 32, channels))
    frames = strips.as_frames(images)
    side = strips.FRAME_SIDE + 2 * strips.BORDER
    assert frames.shape == (NUM_FRAMES, side, side, 3)
    still = np.asarray(Image.open(io.BytesIO(strips.still(frames))))
    np.testing.assert_array_equal(still, np.concatenate(list(frames), axis=1))
    moving = Image.open(io.BytesIO(strips.animated(frames)))
    order = [0, 1, 2, 3, 4, 5, 6, 5, 4, 3, 2, 1]
    assert moving.n_frames == len(order)
    for place, index in enumerate(order):
        moving.seek(place)
        np.testing.assert_array_equal(np.asarray(moving.convert("RGB")), frames[index])


def test_files_give_nothing_away(tmp_path):
    rng = np.random.default_rng(0)
    flat, noise = np.full((NUM_FRAMES, 16, 16, 1), 0.5), rng.random((NUM_FRAMES, 16, 16, 1))
    strips.write(tmp_path, {"aa": strips.as_frames(flat), "bb": strips.as_frames(noise)})
    for suffix in (strips.STILL, strips.ANIMATED):
        one, other = (tmp_path / f"{name}.{suffix}" for name in ("aa", "bb"))
        assert one.stat().st_size == other.stat().st_size
        assert one.stat().st_mtime == other.stat().st_mtime
        for file in (one, other):
            image = Image.open(file)
            image.load()  # what stands behind its end disturbs nobody
            assert not image.getexif()
            assert not getattr(image, "text", {})


# Catch trials


def test_catch_trials_change_one_factor_and_two():
    energy = 0.02
    found = catch_trials.draw(BLOCKS, energy, 40, NUM_FRAMES, np.random.default_rng(0))
    assert len(found) == 40
    for pair in found:
        index = {name: number for number, name in enumerate(BLOCKS.names)}
        assert quarter_of(pair.single) == {index[pair.single_factor]}
        assert quarter_of(pair.double) == {index[name] for name in pair.double_factors}
        assert set(pair.double_factors) != {"pos_x", "pos_y"}  # along a diagonal: one change
        np.testing.assert_allclose(pair.single[3], pair.double[3], atol=1e-6)  # the same start
        for frames, claimed in (
            (pair.single, pair.single_energy),
            (pair.double, pair.double_energy),
        ):
            ends = np.square(frames[[0, -1]] - frames[3]).mean()
            assert ends == pytest.approx(claimed, rel=1e-4)
            assert ends == pytest.approx(energy, rel=0.25)
    assert len({pair.single_factor for pair in found}) == 4


def test_an_energy_out_of_reach_is_an_error():
    with pytest.raises(InputError, match="energy"):
        catch_trials.draw(BLOCKS, 10.0, 1, NUM_FRAMES, np.random.default_rng(0))


def test_renderers_draw_as_the_data_sets_do(monkeypatch):
    def images(rows):
        classes = np.stack(np.unravel_index(rows, dsprites.FACTOR_SIZES), axis=1)
        return dsprites.render(classes)[..., None].astype(np.float32)

    monkeypatch.setattr(catch_trials, "_dsprites", lambda: types.SimpleNamespace(images=images))
    turns = np.array([[2, 3, -1, 9, 9], [2, 3, 38, 9, 9], [2, 3, 39, 9, 9], [2, 3, 0, 9, 9]])
    drawn = catch_trials.DSPRITES.render(turns.astype(float))
    np.testing.assert_array_equal(drawn[0], drawn[1])  # a full turn round
    np.testing.assert_array_equal(drawn[2], drawn[3])
    np.testing.assert_array_equal(drawn[1, ..., 0], dsprites.render(turns[1:2])[0])

    classes = np.random.default_rng(0).integers(faces.FACTOR_SIZES, size=(2, 11))
    np.testing.assert_allclose(
        catch_trials.FACES.render(classes.astype(float)), faces.render(classes) / 255, atol=1e-6
    )
    assert catch_trials.renderer_of("npz", 3) is catch_trials.FACES
    assert catch_trials.renderer_of("dsprites", 1) is catch_trials.DSPRITES
    assert catch_trials.renderer_of("dsprites", 3) is catch_trials.FACES  # a variant in colour


def test_catch_trials_of_the_coloured_scene_are_matched(tmp_path, monkeypatch):
    monkeypatch.setenv("AXISBIAS_CACHE", str(tmp_path))
    renderer = catch_trials.renderer_of("coloured_scene", 3)
    turned = np.array([[9, 0, 0, 2, 3, 4], [-1, 0, 0, 2, 3, 4]], float)
    found = renderer.render(turned)
    np.testing.assert_array_equal(found[0], found[1])  # a full turn round the hues
    classes = turned[:1].astype(int)
    np.testing.assert_array_equal(found[:1], coloured_scene.render(classes) / np.float32(255))
    pairs_found = catch_trials.draw(renderer, 0.01, 3, NUM_FRAMES, np.random.default_rng(0))
    for pair in pairs_found:
        assert pair.single_energy == pytest.approx(pair.double_energy, rel=0.25)


# Pairs: a decoder whose six latents move four quarters; the last two move nothing.

MIXING = np.zeros((6, 4))
MIXING[:4] = np.diag([0.2, 0.3, 0.4, 0.1])
STRATUM = coordinates("latents", np.arange(6), 6, "all")
ENERGY = 0.004


def decode(latents):
    return blocks(np.clip(0.5 + latents @ MIXING, 0, 1))


def test_strips_are_live_matched_and_from_the_same_start():
    rng = np.random.default_rng(0)
    start = rng.normal(size=6) * 0.3
    for basis, rule in itertools.product(("learned", "random"), pairs.RULES):
        strip = pairs.draw_strip(decode, start, STRATUM, basis, rule, ENERGY, rng)
        middle = strip.frames[NUM_FRAMES // 2]
        np.testing.assert_allclose(middle, decode(start[None])[0], atol=1e-6)
        ends = np.square(strip.frames[[0, -1]] - middle).mean()
        assert ends == pytest.approx(ENERGY, rel=0.05)
        assert np.linalg.norm(strip.coordinates) == pytest.approx(1)
        if basis == "learned":
            assert strip.axis < 4  # the others are dead


def test_uniform_is_uniform_over_live_axes_and_label_free_takes_the_shortest_step():
    rng = np.random.default_rng(1)
    start = np.zeros(6)
    counts = collections.Counter(
        pairs.draw_strip(decode, start, STRATUM, "learned", "uniform", ENERGY, rng).axis
        for _ in range(200)
    )
    assert set(counts) == {0, 1, 2, 3}
    assert min(counts.values()) > 25  # of 50 expected: less comes about once in 100,000
    chosen = pairs.draw_strip(decode, start, STRATUM, "learned", "label_free", ENERGY, rng)
    assert chosen.axis == 2  # the largest weight


def test_no_live_axis_is_no_strip():
    rng = np.random.default_rng(0)
    assert pairs.draw_strip(decode, np.zeros(6), STRATUM, "learned", "uniform", 5.0, rng) is None


# A whole study


RECIPE = types.SimpleNamespace(image_size=None)


class FakeRun:
    """So much of a finished run as the stimuli ask for."""

    def __init__(self, name, arm, seed):
        self.path = pathlib.Path(name)
        self._config = types.SimpleNamespace(
            **{"arm": arm, "data_set": "blocks", "dataset": "blocks", "seed": seed},
            **{"image_shape": (16, 16, 1), "fingerprint": "0", "recipe": RECIPE},
        )

    def read_config(self):
        return self._config


PLAN = study_plan.Plan(
    seed=3,
    pairs=8,
    label_free_pairs=4,
    trials=8,
    label_free_trials=4,
    catch_trials=2,
    identical_trials=1,
    names=2,
    raters=6,
    energy_share=0.05,
    power_repetitions=1,
)


@pytest.fixture(scope="module")
def make(tensorflow):
    """Makes a study of two arms, one of two seeds, into a folder."""
    from reproduce.study import catch_trials, make_study, strip_metrics
    from reproduce.training import trained_model

    class Dataset:
        def __len__(self):
            return 100

        def images(self, indices):
            return blocks(np.random.default_rng(0).random((100, 4))[indices])

    def run(output, plan=PLAN):
        runs = [FakeRun("runa", "armone", 0), FakeRun("runb", "armone", 1)]
        runs.append(FakeRun("runc", "armtwo", 0))
        with pytest.MonkeyPatch.context() as patch:
            model = types.SimpleNamespace(latent_blocks=(STRATUM,))
            patch.setattr(trained_model, "load_model", lambda run: model)
            patch.setattr(trained_model, "load_dataset", lambda run: Dataset())
            patch.setattr(trained_model, "decoder", lambda model: decode)
            patch.setattr(
                trained_model,
                "start_inputs",
                lambda model, dataset, rows, seed: np.random.default_rng(rows).normal(
                    size=(len(rows), 6)
                ),
            )
            patch.setattr(strips, "FRAME_SIDE", 24)
            patch.setattr(catch_trials, "renderer_of", lambda name, channels: BLOCKS)
            patch.setattr(
                strip_metrics,
                "measure",
                lambda *arguments: {"purity": np.arange(len(arguments[4]), dtype=float)},
            )
            return make_study.make(runs, [], plan, "Which?", str(output))

    return run


@pytest.fixture(scope="module")
def study(make, tmp_path_factory):
    folder = tmp_path_factory.mktemp("study") / "study"
    printed = make(folder)
    return folder, printed


def read_lists(folder):
    files = sorted((folder / "public" / "lists").iterdir(), key=lambda file: int(file.stem))
    return [json.loads(file.read_text())["trials"] for file in files]


def test_the_study_is_what_the_collector_takes(study):
    from reproduce.study import public_files

    folder, printed = study
    found = public_files.read(folder)
    assert len(found.lists) == found.document["num_lists"] == 8  # 6 raters; 4 pairs x 2 sides
    assert "274 trials to detect 60%" in printed[0]
    assert len(found.document["practice"]) == study_plan.NUM_PRACTICE


def test_the_key_says_all_and_lists_are_balanced(study):
    folder, _ = study
    key = pd.read_csv(folder / "private" / "key.csv").fillna("")
    assert list(key.columns) == list(responses.KEY_COLUMNS)
    counts = key.groupby("kind")["item"].nunique().to_dict()
    assert counts == {"test": 24, "catch": 8, "identical": 4, "practice": 3}
    test = key[key["kind"] == "test"]
    assert test.groupby(["model", "rule"])["item"].nunique().to_dict() == {
        (arm, rule): count
        for arm in ("armone", "armtwo")
        for rule, count in (("uniform", 8), ("label_free", 4))
    }
    assert test.groupby("run")["item"].nunique().to_dict() == {"runa": 6, "runb": 6, "runc": 12}
    for _, own in test.groupby("item"):
        assert sorted(own["basis"]) == ["learned", "random"]
        assert own["start_image"].nunique() == own["run"].nunique() == 1
        assert np.ptp(own["energy"]) < 0.1 * own["energy"].mean()
        assert own.loc[own["target"], "basis"].item() == "learned"
    kinds = key.drop_duplicates("item").set_index("item")["kind"]
    target = key.set_index("strip")["target"]
    for trials in read_lists(folder):
        own = collections.Counter(kinds[trial["item"]] for trial in trials)
        assert own == {"test": 12, "catch": 2, "identical": 1}
        test_trials = [trial for trial in trials if kinds[trial["item"]] == "test"]
        assert sum(bool(target[trial["left"]]) for trial in test_trials) == 6
    purity = pd.read_csv(folder / "private" / "metrics.csv")
    assert set(purity["strip"]) == set(test["strip"])


def test_identical_pairs_are_the_same_pixels_of_two_names(study):
    folder, _ = study
    key = pd.read_csv(folder / "private" / "key.csv")
    for _, own in key[key["kind"] == "identical"].groupby("item"):
        one, other = own["strip"]
        assert one != other
        for suffix in ("png", "webp"):
            files = [folder / "public" / "strips" / f"{name}.{suffix}" for name in (one, other)]
            assert files[0].read_bytes() == files[1].read_bytes()
        assert not own["target"].any()


def test_nothing_public_reveals_a_condition(study):
    folder, _ = study
    key = pd.read_csv(folder / "private" / "key.csv").fillna("")
    secrets = {"learned", "random", "identical", "catch", "uniform", "label_free", "armone", "runa"}
    stats = collections.defaultdict(set)
    for file in (folder / "public").rglob("*"):
        if not file.is_file():
            continue
        content = file.read_bytes()
        for secret in secrets:
            assert secret.encode() not in content, (file, secret)
            assert secret not in file.name
        if file.parent.name == "strips":
            stats[file.suffix].add((len(content), file.stat().st_mtime, file.stat().st_mode))
    assert {suffix: len(found) for suffix, found in stats.items()} == {".png": 1, ".webp": 1}
    # Neither the order of the names nor that of the lists goes with the target.
    test = key[key["kind"] == "test"].sort_values("strip").reset_index(drop=True)
    ranks = test.index[test["target"]].to_numpy()
    assert abs(ranks.mean() - (len(test) - 1) / 2) < 4 * len(test) / np.sqrt(12 * len(ranks))
    first = [trials[0]["item"] for trials in read_lists(folder)]
    assert len(set(first)) > 3


def test_the_same_command_writes_the_same_bytes_and_another_seed_other_names(study, make, tmp_path):
    def digests(folder):
        return {
            str(file.relative_to(folder)): hashlib.sha256(file.read_bytes()).hexdigest()
            for file in folder.rglob("*")
            if file.is_file()
        }

    folder, _ = study
    make(tmp_path / "again")
    assert digests(tmp_path / "again") == digests(folder)
    make(tmp_path / "other", dataclasses.replace(PLAN, seed=4))
    assert not {name for name in digests(tmp_path / "other") if "strips" in name} & set(
        digests(folder)
    )


def test_names_depend_on_what_only_the_checkpoint_tells(study):
    # With the seed and the number of pairs alone nobody can make the names.
    from reproduce.study import make_study

    row = {"step": 1.0, "energy": 0.1, "start_image": 3}
    one, other = (
        make_study._secret([types.SimpleNamespace(key=[row | {"step": step}])], PLAN)
        for step in (1.0, 1.0 + 1e-12)
    )
    assert one != other


# Mistakes


@pytest.mark.parametrize(
    "change",
    [
        {"trials": 7},
        {"label_free_trials": 0},
        {"catch_trials": 1},
        {"names": 16},
    ],
)
def test_numbers_that_do_not_go_together_are_refused(change):
    configs = [FakeRun("a", "armone", 0).read_config(), FakeRun("b", "armtwo", 0).read_config()]
    study_plan.check(PLAN, configs)
    with pytest.raises(InputError, match="expected"):
        study_plan.check(dataclasses.replace(PLAN, **change), configs)


@pytest.mark.parametrize(
    "flags", [(), ("--runs=nowhere", "--output=x"), ("--energy_share=2", "--runs=x")]
)
def test_mistaken_flags_end_with_status_2_and_one_line(run_program, flags):
    done = run_program("study.stimuli", *flags)
    assert done.returncode == 2
    assert len(done.stderr.strip().splitlines()) == 1


def test_a_study_is_not_overwritten(tmp_path):
    (tmp_path / "key.csv").write_text("")
    with pytest.raises(InputError, match="not empty"):
        study_plan.check_output(str(tmp_path))
    study_plan.check_output(str(tmp_path / "new"))
