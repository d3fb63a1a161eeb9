"""The basis test as a program: what it writes, and one line for every mistake."""

import numpy as np
import pandas as pd
import pytest

COLUMNS = [
    "family",
    "metric",
    "observed",
    "null_mean",
    "null_sd",
    "null_max",
    "z",
    "p_value",
    "num_bases",
]


@pytest.fixture(scope="module")
def arrays():
    rng = np.random.default_rng(0)
    factors = np.stack([rng.integers(4, size=300), rng.integers(3, size=300)], axis=1)
    latents = np.hstack([factors + 0.1 * rng.normal(size=(300, 2)), rng.normal(size=(300, 1))])
    return {
        "latents": latents.astype(np.float32),
        "factors": factors,
        "factor_names": np.array(["size", "colour"]),
        "factor_sizes": np.array([4, 3]),
    }


@pytest.fixture(scope="module")
def file(tmp_path_factory, arrays):
    path = tmp_path_factory.mktemp("representation") / "representation.npz"
    np.savez(path, **arrays)
    return path


def test_a_users_representation_gives_a_table_and_the_draws(run_program, file, tmp_path):
    output = tmp_path / "new" / "basis_test.csv"
    flags = [f"--representation={file}", f"--output={output}", "--num_bases=99"]
    done = run_program("basis_test", *flags)
    assert done.returncode == 0, done.stderr
    frame = pd.read_csv(output)
    assert set(COLUMNS) <= set(frame.columns)
    haar = frame.set_index("family").loc["haar"]
    with np.load(output.parent / "null.npz") as nulls:
        null = nulls["haar/mig"]
    assert len(null) == haar["num_bases"] == 99
    assert haar["p_value"] == (1 + np.sum(null >= haar["observed"] - 1e-9)) / 100
    assert haar["null_max"] == pytest.approx(null.max())
    assert haar["null_sd"] == pytest.approx(np.std(null, ddof=1))

    before = {path.name: path.read_bytes() for path in output.parent.iterdir()}
    assert run_program("basis_test", *flags).returncode == 0
    assert {path.name: path.read_bytes() for path in output.parent.iterdir()} == before
    run_program("basis_test", *flags, "--seed=1")
    assert output.read_bytes() != before["basis_test.csv"]


def bad(change):
    """A maker of a damaged representation.npz from good arrays."""

    def make(path, arrays):
        np.savez(path, **change(dict(arrays)))

    return make


def with_nan(arrays):
    arrays["latents"] = arrays["latents"].copy()
    arrays["latents"][7, 1] = np.nan
    return arrays


def truncated(path, arrays):
    np.savez(path, **arrays)
    path.write_bytes(path.read_bytes()[:-200])


MISTAKES = {
    "missing": (lambda path, arrays: None, "no such file"),
    "truncated": (truncated, "damaged"),
    "text": (lambda path, arrays: path.write_text("latents"), "damaged"),
    "pickled": (bad(lambda a: a | {"latents": np.array([{}], object)}), "pickled"),
    "nan": (bad(with_nan), "row 7, column 1"),
    "lengths": (bad(lambda a: a | {"latents": a["latents"][:-1]}), "one row for each"),
    "constant": (bad(lambda a: a | {"factors": a["factors"] * [1, 0]}), "'colour' is constant"),
    "range": (bad(lambda a: a | {"factor_sizes": np.array([4, 2])}), "'colour' runs from"),
    "collapsed": (bad(lambda a: a | {"latents": a["latents"] * [1, 1e-4, 1e-4]}), "1 of 3"),
    "no latents": (bad(lambda a: {k: v for k, v in a.items() if k != "latents"}), "no array"),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistaken_file_is_named_in_one_line(run_program, arrays, tmp_path, mistake):
    make, message = MISTAKES[mistake]
    path, output = tmp_path / "mistaken.npz", tmp_path / "basis_test.csv"
    make(path, arrays)
    output.write_text("what was there before")
    done = run_program("basis_test", f"--representation={path}", f"--output={output}")
    assert_one_line(done, message)
    assert "mistaken.npz" in done.stderr or mistake == "collapsed"
    assert output.read_text() == "what was there before"


@pytest.mark.parametrize(
    ("flag", "message"),
    [
        ("--families=haar,har", "unknown family 'har'"),
        ("--metrics=mog", "unknown metric 'mog'"),
        ("--families=", "no family"),
        ("--num_bases=0", "num_bases"),
        ("--num_bases=many", "num_bases"),
        ("--sead=3", "sead"),
        ("stray", "unexpected argument 'stray'"),
    ],
)
def test_a_mistaken_flag_is_named_in_one_line(run_program, file, tmp_path, flag, message):
    output = tmp_path / "basis_test.csv"
    done = run_program("basis_test", f"--representation={file}", f"--output={output}", flag)
    assert_one_line(done, message)
    assert not output.exists()


def test_latents_on_bin_edges_are_warned_of(run_program, arrays, tmp_path):
    # 1 lies on the first edge: apart from 0, but beside it once the sign is flipped.
    latents = arrays["latents"].copy()
    latents[:, 0] = np.array([0, 1, 18, 20])[arrays["factors"][:, 0]]
    np.savez(tmp_path / "whole.npz", **arrays | {"latents": latents})
    done = run_program(
        "basis_test",
        f"--representation={tmp_path / 'whole.npz'}",
        f"--output={tmp_path / 'basis_test.csv'}",
        "--num_bases=19",
    )
    assert done.returncode == 0
    assert "bin edges" in done.stderr


def assert_one_line(done, message):
    assert done.returncode == 2
    assert message in done.stderr
    assert done.stderr.count("\n") == 1, done.stderr
    assert done.stderr.startswith("basis_test: ")
