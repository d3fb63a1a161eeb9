"""Every array that is read: refused in one line, or the right numbers, whatever its type."""

from __future__ import annotations

import io
import warnings

import hypothesis.extra.numpy as hnp
import numpy as np
import pandas as pd
import pytest
from definitions import mig
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from data import checked, own_npz
from data.files import InputError, load_npz
from reproduce.api import assess_basis
from reproduce.basis import representation
from reproduce.metrics import basis_scorer

RNG = np.random.default_rng(0)
FACTORS = RNG.integers(3, size=(300, 2))
LATENTS = np.round(FACTORS + 0.4 * RNG.normal(size=FACTORS.shape), 3)
GOOD = {
    "latents": LATENTS,
    "factors": FACTORS,
    "factor_names": np.array(["size", "hue"]),
    "factor_sizes": np.array([3, 3]),
}
SPLIT = {"latents_test": LATENTS[:50], "factors_test": FACTORS[:50]}
WIDE = np.zeros((600, 4))
WIDE[::2, ::2] = LATENTS

RIGHT_LATENTS = {
    "float16": LATENTS.astype(np.float16),
    "float32": LATENTS.astype(np.float32),
    "long double": LATENTS.astype(np.longdouble),
    "big endian": LATENTS.astype(">f8"),
    "integers": np.round(9 * LATENTS).astype(np.int8),
    "unsigned": np.clip(np.round(9 * LATENTS), 0, 255).astype(np.uint8),
    "in Fortran's order": np.asfortranarray(LATENTS),
    "strided": WIDE[::2, ::2],
    "backwards": LATENTS[::-1][::-1],
    "read-only": np.frombuffer(LATENTS.tobytes()).reshape(LATENTS.shape),
    "far from zero": LATENTS + 1e8,
    "tiny": LATENTS * 1e-9,
}
WRONG_LATENTS = {
    "bool": (LATENTS > 1, "expected float"),
    "complex": (LATENTS + 1j, "complex128"),
    "text": (LATENTS.astype(str), "expected float"),
    "dates": (LATENTS.astype("m8[s]"), "timedelta"),
    "nan": (np.where(LATENTS > 2, np.nan, LATENTS), "not finite"),
    "infinite in float64": (LATENTS.astype(np.longdouble) * np.longdouble("1e4000"), "not finite"),
    "too large": (LATENTS * 1e200, "multiply all by one number"),
    "too small": (LATENTS * 1e-200, "multiply all by one number"),
    "one column": (LATENTS[:, :1], "300 points of 1 latents"),
    "masked": (np.ma.masked_greater(LATENTS, 2), "masked"),
    "ragged": ([[1.0, 2.0], [3.0]], "no array"),
    "masked rows": (list(np.ma.masked_greater(LATENTS, 2)), "masked"),
    "beyond float64's whole numbers": (2**60 + np.round(9 * LATENTS).astype(int), "subtract"),
    "unsigned beyond them": (np.uint64(2**63) + (FACTORS * 9).astype(np.uint64), "subtract"),
    "missing": (pd.DataFrame(LATENTS).astype("Float64").mask(LATENTS > 2), "missing entries"),
    "names": (pd.DataFrame(FACTORS).replace({0: "low", 1: "mid", 2: "high"}), "factorize"),
}


@pytest.mark.parametrize("kind", RIGHT_LATENTS)
def test_latents_of_any_type_and_layout_give_the_mig_of_the_definition(kind):
    latents = RIGHT_LATENTS[kind]
    tested = representation.from_arrays(GOOD | {"latents": latents})
    found = basis_scorer.score(tested.points(), ["mig"], 0)["mig"]
    assert found == pytest.approx(mig(latents, FACTORS), abs=1e-12)


@pytest.mark.parametrize("kind", WRONG_LATENTS)
def test_latents_that_are_no_numbers_are_named(kind):
    latents, message = WRONG_LATENTS[kind]
    with pytest.raises(InputError, match=message) as error:
        representation.from_arrays(GOOD | {"latents": latents}, "mine.npz")
    assert str(error.value).startswith("mine.npz: ")
    assert "\n" not in str(error.value)


IDS = np.array([7, 250_000_000, 12])[FACTORS]
RIGHT_FACTORS = {
    "uint8": (FACTORS.astype(np.uint8), [3, 3]),
    "float": (FACTORS.astype(np.float32), [3.0, 3.0]),
    "from 1": (FACTORS + 1, [3, 3]),
    "identifiers": (IDS, [3, 3]),
    "identifiers below a bound": (IDS, [250_000_001] * 2),
    "sizes too large": (FACTORS, [1_000, 3]),
    "sizes in a row": (FACTORS, [[3, 3]]),
}


@pytest.mark.parametrize("kind", RIGHT_FACTORS)
def test_factors_as_people_keep_them_give_the_mig_of_the_definition(kind):
    factors, sizes = RIGHT_FACTORS[kind]
    split = {"latents_test": LATENTS[:50], "factors_test": factors[:50]}
    tested = representation.from_arrays(
        GOOD | {"factors": factors, "factor_sizes": np.array(sizes)} | split
    )
    assert tested.factors.min() == 0
    assert tested.factors.max() == 2
    np.testing.assert_array_equal(tested.factors_test, tested.factors[:50])
    found = basis_scorer.score(tested.points(), ["mig"], 0)["mig"]
    assert found == pytest.approx(mig(LATENTS, factors), abs=1e-12)


@pytest.mark.parametrize("make", [lambda no: ~no, lambda no: np.where(no, -1, 1)])
def test_yes_and_no_are_two_classes(make):
    yes = make(FACTORS == 0)
    tested = representation.from_arrays(GOOD | {"factors": yes, "factor_sizes": [2, 2]})
    np.testing.assert_array_equal(tested.factors, FACTORS != 0)


def test_a_single_factor_may_be_one_dimensional():
    one = {"factors": FACTORS[:, 0], "factor_names": ["size"], "factor_sizes": [3]}
    tested = representation.from_arrays(GOOD | one)
    np.testing.assert_array_equal(tested.factors, FACTORS[:, :1])


@pytest.mark.parametrize("split", ["factors", "factors_test"])
@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda f: np.where(f > 1, np.nan, f), "not whole numbers"),
        (lambda f: f * 0.5, "not whole numbers"),
        (lambda f: f * 1e300, "run from 0 to 2e\\+300"),
        (lambda f: f.astype(str), "expected int .*: number the classes"),
        (lambda f: f + 0j, "complex128"),
        (lambda f: f - 5, "runs from -5 to -3"),
        (lambda f: f + 5, "runs from 5 to 7"),
        (lambda f: f[:0], "0, 2"),
        (lambda f: f[:, :, None], "2, 1"),
    ],
)
def test_both_splits_factors_are_checked_alike(split, change, message):
    given = GOOD | SPLIT
    with pytest.raises(InputError, match=message) as error:
        representation.from_arrays(given | {split: change(given[split])})
    assert "factors" in str(error.value) or "factor 'size'" in str(error.value)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"factor_names": ["size", "size"]}, "'size' twice"),
        ({"factor_names": ["size", None]}, r"factor_names\[1\] is empty"),
        ({"factor_names": [float("nan"), "hue"]}, r"factor_names\[0\] is empty"),
        ({"factor_names": pd.Index(["size", pd.NA])}, r"factor_names\[1\] is empty"),
        ({"factor_names": ["size", " "]}, r"factor_names\[1\] is empty"),
        ({"factor_names": ["size", "h\nue"]}, r"factor_names\[1\] is 'h\\nue', .* no line breaks"),
        ({"factor_names": ["\x1b[31mred", "hue"]}, "no line breaks or other control"),
        ({"factor_names": ["\ud800", "hue"]}, "no line breaks or other control"),
        ({"factor_names": ["x" * 201, "hue"]}, "of 201 characters; expected at most 200"),
        ({"factor_sizes": ["3", "3"]}, "factor_sizes are <U1"),
        ({"factor_sizes": [np.nan, 3]}, "factor_sizes are not whole numbers"),
        ({"latents_test": LATENTS[:50]}, "one is missing"),
        (SPLIT | {"latents_test": LATENTS[:0]}, r"latents_test are float64 \[0, 2\]"),
        (SPLIT | {"latents_test": LATENTS[:50, :1]}, r"expected float \[n, 2\]"),
        ({"log_variance": 1e4 * LATENTS}, "natural logarithms"),
        ({"log_variance": LATENTS + 1j}, "log_variance are complex128"),
    ],
)
def test_other_arrays_are_checked_too(change, message):
    with pytest.raises(InputError, match=message):
        representation.from_arrays(GOOD | change)


class Exported:
    """A tensor of a library that speaks DLPack alone."""

    def __init__(self, values):
        self._values = values

    def __dlpack__(self, **options):
        return self._values.__dlpack__(**options)

    def __dlpack_device__(self):
        return self._values.__dlpack_device__()

    def __array__(self, *_, **__):
        raise TypeError("can't convert this tensor to numpy")


class ExportedAlone:
    """A tensor that has nothing but DLPack."""

    def __init__(self, values):
        self._values = values

    def __dlpack__(self, **options):
        return self._values.__dlpack__(**options)

    def __dlpack_device__(self):
        return self._values.__dlpack_device__()


class OnAnotherDevice:
    def __array__(self, *_, **__):
        raise TypeError("can't convert cuda:0 device type tensor to numpy.\nUse .cpu() first")


@pytest.mark.parametrize(
    "convert",
    [
        pd.DataFrame,
        np.ndarray.tolist,
        lambda z: (row for row in z),
        lambda z: dict(enumerate(z)).values(),
        Exported,
        ExportedAlone,
        lambda z: z.astype(object),
        np.asfortranarray,
    ],
)
def test_python_takes_whatever_holds_numbers(convert):
    expected = assess_basis(LATENTS, FACTORS, num_bases=19)
    found = assess_basis(convert(LATENTS), convert(FACTORS), num_bases=19)
    pd.testing.assert_frame_equal(found, expected)


@pytest.mark.parametrize(
    "names",
    [
        np.array(["a", "b"]),
        pd.Index(["a", "b"]),
        ["a", "b"],
        (b"a", b"b"),
        iter(["a", "b"]),
        {"a": 3, "b": 3}.keys(),
    ],
)
def test_python_takes_names_of_any_kind(names):
    assert len(assess_basis(LATENTS, FACTORS, factor_names=names, num_bases=9)) == 2


def test_python_takes_one_name_alone_and_names_that_can_be_read_but_once():
    expected = assess_basis(LATENTS, FACTORS, families=["haar"], metrics=["mig"], num_bases=9)
    for families, metrics in (("haar", "mig"), (iter(["haar"]), iter(["mig"]))):
        found = assess_basis(LATENTS, FACTORS, families=families, metrics=metrics, num_bases=9)
        pd.testing.assert_frame_equal(found, expected)


def test_rows_that_pandas_labels_in_another_order_are_not_matched_by_position():
    latents, factors = pd.DataFrame(LATENTS), pd.DataFrame(FACTORS)
    shuffled = factors.sample(frac=1, random_state=0)
    with pytest.raises(InputError, match=r"different orders.* give factors\.loc\[latents\.index\]"):
        assess_basis(latents, shuffled, num_bases=9)
    pd.testing.assert_frame_equal(
        assess_basis(latents, shuffled.loc[latents.index], num_bases=9),
        assess_basis(LATENTS, FACTORS, num_bases=9),
    )
    half = latents[::2]  # labels of another kind say nothing
    assert len(assess_basis(half, factors[::2].reset_index(drop=True), num_bases=9)) == 2


def test_rows_that_were_left_out_differently_are_not_matched_by_position():
    latents, factors = pd.DataFrame(LATENTS), pd.DataFrame(FACTORS)
    one, other = latents.drop(index=7), factors.drop(index=9)
    with pytest.raises(InputError, match=r"share but 298 of 299 row labels.* \.to_numpy\(\)"):
        assess_basis(one, other, num_bases=9)
    shared = one.index.intersection(other.index)
    pd.testing.assert_frame_equal(
        assess_basis(one.loc[shared], other.loc[shared], num_bases=9),
        assess_basis(LATENTS[shared], FACTORS[shared], num_bases=9),
    )


@pytest.mark.parametrize(
    ("dtype", "classes"), [("uint8", 256), ("int8", 128), ("uint8", 255), ("uint16", 300)]
)
def test_a_type_that_is_just_wide_enough_overflows_nowhere(dtype, classes):
    wide = np.stack([np.arange(2_000) % classes, RNG.integers(4, size=2_000)], axis=1)
    latents = wide + 0.1 * RNG.normal(size=wide.shape)
    found = assess_basis(latents, wide.astype(dtype), families=["haar"], num_bases=1)
    assert found["observed"].item() == pytest.approx(mig(latents, wide), abs=1e-12)


def test_python_names_the_argument_and_what_to_do():
    for latents, message in (
        (OnAnotherDevice(), r"latents are no array .*Use \.cpu\(\) first"),
        (LATENTS[:, 0], "the arguments: latents are"),
    ):
        with pytest.raises(InputError, match=message) as error:
            assess_basis(latents, FACTORS)
        assert "--" not in str(error.value)
        assert "\n" not in str(error.value)


def test_what_is_pickled_is_named_where_it_is_needed_and_left_alone_elsewhere(tmp_path):
    about = np.array({"author": "somebody"}, dtype=object)
    np.savez(tmp_path / "r.npz", **GOOD, metadata=about)
    assert representation.load(tmp_path / "r.npz").factor_names == ("size", "hue")
    for name in ("factor_names", "log_variance"):
        np.savez(tmp_path / "r.npz", **(GOOD | {name: np.array(["a", {}], dtype=object)}))
        with pytest.raises(InputError, match=f"its array {name} holds pickled objects"):
            representation.load(tmp_path / "r.npz")


DTYPES = st.one_of(
    hnp.boolean_dtypes(),
    hnp.integer_dtypes(),
    hnp.unsigned_integer_dtypes(),
    hnp.floating_dtypes(),
    hnp.complex_number_dtypes(),
    hnp.unicode_string_dtypes(max_len=3),
    hnp.byte_string_dtypes(max_len=3),
    hnp.datetime64_dtypes(),
    hnp.timedelta64_dtypes(),
)
ANY_ARRAY = hnp.arrays(DTYPES, hnp.array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=6))
LAYOUTS = st.sampled_from([np.ascontiguousarray, np.asfortranarray, lambda a: a[::-1][::-1]])
NAMES = ("latents", "factors", "factor_names", "factor_sizes", "log_variance", *SPLIT)


def ranks(values):
    return np.unique(values, return_inverse=True)[1].reshape(np.shape(values))


@settings(max_examples=300, suppress_health_check=[HealthCheck.too_slow])
@given(st.dictionaries(st.sampled_from(NAMES), ANY_ARRAY, min_size=1, max_size=3), LAYOUTS)
def test_any_arrays_are_refused_or_read_right_as_a_representation(given_arrays, layout):
    few = {name: GOOD[name][:6] if name[0] == "l" else GOOD[name] for name in GOOD}
    few["factors"] = np.array([[0, 1], [1, 2], [2, 0], [0, 0], [1, 1], [2, 2]])
    content = few | {name: layout(a) if a.ndim else a for name, a in given_arrays.items()}
    file = io.BytesIO()
    np.savez(file, **content)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        try:
            read = representation.from_arrays(dict(np.load(io.BytesIO(file.getvalue()))))
        except InputError:
            return
    np.testing.assert_array_equal(read.latents, content["latents"].astype(np.float64))
    if "log_variance" in content:
        np.testing.assert_array_equal(read.log_variance, content["log_variance"].astype(float))
    factors = np.asarray(content["factors"]).reshape(read.factors.shape).astype(np.float64)
    for column, was in zip(read.factors.T, factors.T, strict=True):
        np.testing.assert_array_equal(ranks(column), ranks(was))  # the same classes, in order
    assert np.all(read.factors >= 0)
    assert np.all(read.factors < read.factor_sizes)
    assert read.latents.dtype == np.float64
    assert read.factors.dtype == np.int64


@settings(max_examples=200, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.dictionaries(
        st.sampled_from(["images", "factors", "factor_names", "factor_sizes", "factor_kinds"]),
        ANY_ARRAY,
        min_size=1,
        max_size=2,
    )
)
def test_any_arrays_are_refused_or_read_right_as_images(tmp_path_factory, given_arrays):
    content = {
        "images": np.arange(6 * 48, dtype=np.uint8).reshape(6, 4, 4, 3),
        "factors": np.array([[0, 1], [1, 2], [2, 0], [0, 0], [1, 1], [2, 2]]),
        "factor_names": np.array(["size", "hue"]),
        "factor_sizes": np.array([3, 3]),
    } | given_arrays
    file = tmp_path_factory.mktemp("any") / "any.npz"
    np.savez(file, **content)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        try:
            dataset = own_npz.load(file)
        except InputError:
            return
    images = content["images"].reshape(len(dataset), *dataset.image_shape)
    top = np.float32(1 if dataset.bits == 1 else 255)
    np.testing.assert_array_equal(dataset.images(np.arange(len(dataset))), images / top)


@given(st.dictionaries(st.text("abc", min_size=1, max_size=3), ANY_ARRAY, max_size=3))
def test_what_was_saved_is_what_is_loaded(tmp_path_factory, content):
    file = tmp_path_factory.mktemp("any") / "any.npz"
    np.savez(file, **content)
    for name, array in load_npz(file).items():
        np.testing.assert_array_equal(array, content[name])


def test_classes_beyond_the_bound_are_numbered_in_order():
    column = np.array([checked.MAX_CLASSES, 5, checked.MAX_CLASSES + 9, 5])
    factors, _, _, sizes = checked.factors("x", column, ["id"], [10**9], 4)
    assert factors.ravel().tolist() == [1, 0, 2, 0]
    assert sizes == (3,)


def test_the_original_dsprites_archive_is_read_as_it_is(tmp_path):
    classes = np.stack([np.zeros(24, int), *np.indices((3, 2, 1, 2, 2)).reshape(5, -1)], axis=1)
    images = RNG.integers(2, size=(24, 16, 16)).astype(np.uint8)
    about = np.array({"latents_sizes": [1, 3, 6, 40, 32, 32]}, dtype=object)
    np.savez(
        tmp_path / "dsprites.npz",
        imgs=images,
        latents_classes=classes,
        latents_values=classes * 1.0,
        metadata=about,
    )
    read = own_npz.load(tmp_path / "dsprites.npz")
    assert read.factor_names == ("shape", "scale", "pos_x", "pos_y")  # one orientation: constant
    assert read.factor_sizes == (3, 2, 2, 2)
    assert read.factor_kinds == ("categorical", "ordered", "ordered", "ordered")
    np.testing.assert_array_equal(read.factors, classes[:, [1, 2, 4, 5]])
    np.testing.assert_array_equal(read.images(np.arange(24))[..., 0], images)


@pytest.mark.parametrize("shape", [(6, 16, 16, 2), (6, 16, 16, 4), (6, 3, 16, 16)])
def test_images_of_other_channels_are_refused_when_they_are_read(tmp_path, shape):
    np.savez(
        tmp_path / "i.npz",
        images=np.ones(shape, np.uint8),
        **{"factors": np.arange(6), "factor_names": ["a"], "factor_sizes": [6]},
    )
    with pytest.raises(InputError, match="channels; expected 1 or 3"):
        own_npz.load(tmp_path / "i.npz")
