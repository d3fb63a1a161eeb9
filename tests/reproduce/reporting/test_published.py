"""Published models' tables: verdicts by word, the two instruments side by side, losses."""

import numpy as np
import pandas as pd
import pytest

from data.files import InputError
from reproduce.basis import factor_verdicts
from reproduce.reporting import names, published_tables
from reproduce.training.origins import Origin
from reproduce.training.recipes import find
from reproduce.training.run_directory import RunConfig, RunDirectory


def verdicts(p, carried=True, gap=0.1, axis=3, factors=("azimuth", "smile")):
    rows = []
    for family in ("haar_active", "haar"):
        for name in factors:
            row = dict.fromkeys(factor_verdicts.COLUMNS, 0.0)
            row |= {"family": family, "factor": name, "gap": gap, "p_value": p, "num_bases": 99}
            row |= {"holm_p": 2 * p if carried else np.nan, "carried": carried, "best_axis": axis}
            rows.append(row)
    return pd.DataFrame(rows)[list(factor_verdicts.COLUMNS)]


@pytest.fixture
def run(tmp_path):
    found = RunDirectory(tmp_path / "run")
    origin = Origin("small", "CelebA", "beta-VAE, beta 10", published={"kl_loss": 0.1})
    recipe = find("beta_vae", "burgess2018")
    config = RunConfig(recipe, "faces", "rendered", None, "0", (64, 64, 3), 0, origin=origin)
    with found.locked():
        found.claim(config)
    return found


def write(frame, test):
    test.parent.mkdir(exist_ok=True)
    frame.to_csv(test.with_name("factor_test.csv"), index=False)


def test_a_word_stands_out_against_both_nulls_after_correction(run):
    frame = verdicts(0.01)
    frame.loc[(frame["family"] == "haar") & (frame["factor"] == "smile"), "holm_p"] = 0.06
    write(frame, run.basis_test_file)
    table = published_tables.attributes(run)
    assert table["verdict"].tolist() == ["stands out", "not distinguishable"]
    assert table["word"].tolist() == ["azimuth", "smile"]
    assert set(table["instrument"]) == {"encoder"}
    write(verdicts(0.01, carried=False), run.basis_test_file)
    assert set(published_tables.attributes(run)["verdict"]) == {"left out"}
    assert published_tables.agreement(published_tables.attributes(run)).empty


def test_a_second_instrument_is_one_more_row_and_is_compared(run):
    write(verdicts(0.01, axis=3), run.basis_test_file)
    write(verdicts(0.3, axis=5, factors=("yaw", "roll")), run.decoder_test_file)
    table = published_tables.attributes(run)
    assert table["instrument"].tolist() == ["encoder"] * 2 + ["decoder"] * 2
    assert table["word"].tolist() == ["azimuth", "smile", "azimuth", ""]
    (row,) = published_tables.agreement(table).to_dict("records")
    assert row["word"] == "azimuth"
    assert (row["encoder"], row["decoder"], row["agree"]) == (True, False, False)
    assert (row["encoder_axis"], row["decoder_axis"]) == (3, 5)


def test_a_null_that_is_missing_is_named(run):
    frame = verdicts(0.01)
    write(frame[frame["family"] == "haar"], run.basis_test_file)
    with pytest.raises(InputError, match="haar_active"):
        published_tables.attributes(run)


def test_each_word_stands_for_factors_of_the_rendered_faces():
    from data import faces

    for factors in names.WORDS.values():
        assert set(factors) & set(faces.FACTOR_NAMES)
