"""Results are tied to what they were computed from: files in another order are refused."""

from __future__ import annotations

import dataclasses
import warnings

import numpy as np
import pandas as pd
import pytest

from data.files import InputError, load_npz, save_npz, write_text
from reproduce.basis import assessment, representation
from reproduce.basis.representation import Representation
from reproduce.reporting import figures, page, result_tables, seed_results, seed_verdicts


def made(folder, name, seed, names=("a", "b"), **extras):
    """A representation.npz and its test, as the program writes it."""
    rng = np.random.default_rng(seed)
    factors = rng.integers(3, size=(120, 2))
    encoded = Representation(factors + 0.2 * rng.normal(size=(120, 2)), factors, names, (3, 3))
    file = folder / f"{name}.npz"
    representation.save(file, encoded)
    encoded = representation.load(file)
    found = assessment.assess(encoded, assessment.Plan(["haar", "haar_active"], ["mig"], 19))
    test = folder / name / "basis_test.csv"
    result_tables.write(test, found.table)
    result_tables.write(test.with_name("cherry_picking.csv"), found.cherry_picking)
    result_tables.write(test.with_name("factor_test.csv"), found.by_factor)
    result_tables.write(test.with_name("axis_information.csv"), found.shares)
    keys = {
        seed_results.FINGERPRINT: np.array(encoded.fingerprint),
        seed_results.TABLE: result_tables.fingerprint(found.table),
        seed_results.PICKED: result_tables.fingerprint(found.cherry_picking),
    } | extras
    save_npz(test.with_name("null.npz"), found.nulls | keys)
    return file, test


@pytest.fixture(scope="module")
def pair(tmp_path_factory):
    folder = tmp_path_factory.mktemp("pair")
    return made(folder, "a", 0), made(folder, "b", 1)


def test_tests_in_the_order_of_their_representations_are_read(pair):
    (a, test_a), (b, test_b) = pair
    assert len(seed_results.read_representations([a, b], [test_a, test_b])) == 2


def test_tests_in_another_order_are_refused(pair):
    (a, test_a), (b, test_b) = pair
    with pytest.raises(InputError, match="computed from another representation"):
        seed_results.read_representations([a, b], [test_b, test_a])


def test_draws_of_another_test_are_refused_even_of_old_files(pair, tmp_path):
    (a, test_a), (_, test_b) = pair
    write_text(tmp_path / "basis_test.csv", test_a.read_text())
    draws = load_npz(test_b.with_name("null.npz"))
    for key in (seed_results.FINGERPRINT, seed_results.TABLE):
        del draws[key]  # as it was written before there were any
    save_npz(tmp_path / "null.npz", draws)
    with pytest.raises(InputError, match="not of the same test"):
        seed_results.read_representations([a], [tmp_path / "basis_test.csv"])


@pytest.mark.parametrize("arms", [(), ("mine", "mine")])
def test_one_file_twice_is_not_two_seeds(pair, arms):
    (a, test_a), _ = pair
    results = seed_results.read_representations([a, a], [test_a, test_a], arms)
    with pytest.raises(InputError, match="same latents"):
        seed_verdicts.judge(results, seed=0)


def test_a_test_of_factors_described_anew_is_no_test_of_the_representation(tmp_path):
    file, test = made(tmp_path, "a", 0, **{seed_results.TURNED_KEY: np.array("a,b")})
    with pytest.raises(InputError, match="described anew"):
        seed_results.read_representations([file], [test])


def test_a_verdict_of_other_results_is_refused(pair, tmp_path):
    (a, test_a), (b, test_b) = pair
    both = seed_results.read_representations([a, b], [test_a, test_b], ["x", "y"])
    table, contrasts = seed_verdicts.judge(both, seed=0)
    write_text(tmp_path / "verdict.csv", table.to_csv(index=False))
    write_text(tmp_path / "contrast.csv", contrasts.to_csv(index=False))
    read, _ = seed_verdicts.read_verdicts(tmp_path / "verdict.csv")
    seed_verdicts.check_verdicts(tmp_path / "verdict.csv", read, both)
    exchanged = seed_results.read_representations([b, a], [test_b, test_a], ["x", "y"])
    for others in (exchanged, both[:1]):
        with pytest.raises(InputError, match="is of other results"):
            seed_verdicts.check_verdicts(tmp_path / "verdict.csv", read, others)


@pytest.mark.parametrize("field", ["latents", "factors", "factor_names", "log_variance"])
def test_a_fingerprint_tells_representations_apart(pair, field):
    encoded = representation.load(pair[0][0])
    changes = {
        "latents": encoded.latents * [1, 1 + 1e-9],
        "factors": encoded.factors[::-1],
        "factor_names": ("b", "a"),
        "log_variance": np.zeros_like(encoded.latents),
    }
    other = dataclasses.replace(encoded, **{field: changes[field]})
    assert other.fingerprint != encoded.fingerprint
    assert dataclasses.replace(encoded).fingerprint == encoded.fingerprint


def test_a_damaged_number_in_a_table_is_named(pair, tmp_path):
    (a, test_a), _ = pair
    header, first, *rest = test_a.read_text().splitlines()
    cells = first.split(",")
    cells[7] = "small"
    write_text(tmp_path / "basis_test.csv", "\n".join([header, ",".join(cells), *rest]))
    with pytest.raises(InputError, match=r"basis_test\.csv: damaged \(column p_value"):
        seed_results.read_representations([a], [tmp_path / "basis_test.csv"])


def copied(test, folder):
    """A test's files in another folder."""
    for file in test.parent.iterdir():
        (folder / file.name).write_bytes(file.read_bytes())
    return folder / test.name


CHANGES = {
    "cut short": lambda text: text[: text.rindex(",haar") if ",haar" in text else -30],
    "a row lost": lambda text: text[: text[:-1].rindex("\n") + 1],
    "a number changed": lambda text: text.replace(",19,", ",18,", 1),
    "infinite": lambda text: text.replace("mig,0.", "mig,inf", 1),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=list(CHANGES))
@pytest.mark.parametrize("name", ["basis_test.csv", "cherry_picking.csv"])
def test_a_table_that_was_changed_is_refused(pair, tmp_path, change, name):
    (a, test_a), _ = pair
    test = copied(test_a, tmp_path)
    text = change((tmp_path / name).read_text(encoding="utf-8"))
    if text == (tmp_path / name).read_text(encoding="utf-8"):
        pytest.skip("not a change of this table")
    (tmp_path / name).write_text(text, encoding="utf-8")
    with pytest.raises(InputError, match=f"{name}: "):
        seed_results.read_representations([a], [test])


def test_what_changes_no_value_of_a_table_is_read(pair, tmp_path):
    (a, test_a), _ = pair
    test = copied(test_a, tmp_path)
    rows = [line.split(",") for line in test.read_text(encoding="utf-8").splitlines()]
    text = "\r\n\r\n".join(",".join(reversed(row)) for row in rows)  # columns, line ends, a mark
    test.write_bytes(b"\xef\xbb\xbf" + text.encode())
    (found,), (expected,) = (
        seed_results.read_representations([a], [file]) for file in (test, test_a)
    )
    pd.testing.assert_frame_equal(found.frame[list(expected.frame)], expected.frame)


def test_a_table_that_an_earlier_test_left_is_not_of_this_one(pair, tmp_path):
    (a, test_a), _ = pair
    test = copied(test_a, tmp_path)
    draws = load_npz(test.with_name("null.npz"))
    save_npz(test.with_name("null.npz"), draws | {seed_results.PICKED: np.array("")})
    (found,) = seed_results.read_representations([a], [test])
    assert found.picked is None


def test_a_representation_of_another_run_is_refused(pair, tmp_path):
    (file, _), _ = pair
    encoded = representation.load(file)
    assert representation.load(file, "run").fingerprint == encoded.fingerprint  # it names none
    representation.save(tmp_path / "r.npz", encoded, "run")
    assert representation.load(tmp_path / "r.npz", "run").fingerprint == encoded.fingerprint
    with pytest.raises(InputError, match="encoded by another run"):
        representation.load(tmp_path / "r.npz", "other run")


@pytest.mark.parametrize("names", [("1", "2"), ("NA", "nan"), ("True", "1e3"), ("null", "None")])
def test_names_that_look_like_numbers_or_gaps_stay_names(tmp_path, names):
    file, test = made(tmp_path, "a", 0, names)
    (result,) = seed_results.read_representations([file], [test])
    assert result.encoded.factor_names == names
    assert tuple(result.by_factor["factor"][:2]) == names
    assert tuple(result.shares.columns[1:3]) == names
    write_text(tmp_path / "table.csv", f"factor,value\n{names[0]},1\n{names[1]},2\n")
    read = result_tables.read(tmp_path / "table.csv", ["factor", "value"])
    assert tuple(read["factor"]) == names
    assert read["value"].tolist() == [1, 2]


def test_letters_that_the_font_lacks_are_said_once(caplog):
    import matplotlib.pyplot as plt

    figure, axis = plt.subplots()
    axis.set_title("\u8272\u76f8")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert figures.to_svg(figure).startswith("<svg")
    assert caplog.text.count("lacks \u76f8 \u8272") == 1


@pytest.mark.parametrize(
    "change",
    [
        lambda null: null[:0],
        lambda null: np.concatenate([null, null]),
        lambda null: null[:, None, None],
        lambda null: null + 0j,
        lambda null: null * np.nan,
        lambda null: null - 1,
    ],
)
def test_draws_of_another_number_or_kind_are_refused(pair, tmp_path, change):
    (a, test_a), _ = pair
    write_text(tmp_path / "basis_test.csv", test_a.read_text())
    draws = load_npz(test_a.with_name("null.npz"))
    draws["haar/mig"] = change(draws["haar/mig"])
    save_npz(tmp_path / "null.npz", draws)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(InputError, match="not of the same test as haar/mig"):
            seed_results.read_representations([a], [tmp_path / "basis_test.csv"])


def test_seeds_of_an_arm_have_the_same_factors_and_an_arm_has_a_name(tmp_path):
    files = [made(tmp_path, "a", 0), made(tmp_path, "b", 1, ("a", "c"))]
    representations, tests = zip(*files, strict=True)
    mixed = seed_results.read_representations(representations, tests, ["mine", "mine"])
    with pytest.raises(InputError, match=r"different factors \(a, b; a, c\)"):
        seed_verdicts.judge(mixed, seed=0)
    apart = seed_results.read_representations(representations, tests, ["mine", "theirs"])
    assert len(seed_verdicts.judge(apart, seed=0)[0]) == 2
    unnamed = seed_results.read_representations(representations, tests, ["mine", " "])
    with pytest.raises(InputError, match="an arm has an empty name"):
        seed_verdicts.judge(unnamed, seed=0)


def test_a_page_of_arms_without_a_common_metric_is_refused(pair):
    (a, test_a), (b, test_b) = pair
    one, other = seed_results.read_representations([a, b], [test_a, test_b])
    renamed = {key.replace("mig", "modularity"): null for key, null in other.nulls.items()}
    frame = other.frame.assign(metric="modularity")
    other = dataclasses.replace(other, frame=frame, nulls=renamed)
    with pytest.raises(InputError, match="no metric was tested in every arm"):
        page.render([one, other], pd.DataFrame(), pd.DataFrame())
