"""Answers as JATOS and spreadsheets keep them are the answers that were given."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from test_study_analysis import make_study, write_study

from data.files import InputError
from reproduce.study import metric_table, responses, simulated_raters
from reproduce.study.simulated_raters import Truth


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    key, lists = make_study()
    truths = {"": Truth(0.65)}
    answers = simulated_raters.answer(lists, key, truths, 6, np.random.default_rng(1))
    folder = tmp_path_factory.mktemp("study")
    files = write_study(folder, key, answers)
    return answers, files, responses.read(*files)[0]


def joined(answers, glue):
    """What JATOS exports: every rater's own table, header and all, one after the other."""
    return glue.join(
        rows.to_csv(index=False, lineterminator="\r\n").rstrip("\r\n")
        for _, rows in answers.groupby("rater", sort=False)
    )


def german(answers):
    text = answers.to_csv(index=False, sep=";")
    return text.replace("True", "WAHR").replace("False", "FALSCH")


FORMS = {
    "JATOS, a line between": lambda a: joined(a, "\r\n").encode(),
    "JATOS, blank lines between": lambda a: joined(a, "\n\n\n").encode(),
    "JATOS, nothing between": lambda a: joined(a, "").encode(),
    "a byte order mark": lambda a: a.to_csv(index=False).encode("utf-8-sig"),
    "a spreadsheet's semicolons": lambda a: german(a).encode("utf-8-sig"),
    "a spreadsheet's separator, named": lambda a: b"sep=;\r\n" + german(a).encode(),
    "a spreadsheet's tabs": lambda a: a.to_csv(index=False, sep="\t").encode("utf-16"),
    "old Macintosh lines": lambda a: a.to_csv(index=False, lineterminator="\r").encode(),
}


@pytest.mark.parametrize("form", FORMS)
def test_answers_are_read_as_they_were_given(study, tmp_path, form):
    answers, (_, key), expected = study
    file = tmp_path / "answers.csv"
    file.write_bytes(FORMS[form](answers))
    read, _ = responses.read(file, key)
    pd.testing.assert_frame_equal(read, expected)


def test_a_name_in_latin_1_is_a_name(study, tmp_path):
    answers, (_, key), _ = study
    file = tmp_path / "answers.csv"
    file.write_bytes(answers.assign(name="größer").to_csv(index=False).encode("latin-1"))
    assert set(responses.read(file, key)[0]["name"]) == {"größer"}


@pytest.mark.parametrize("content", [b"", b"\n\n", b"\0\1\2", b'"', b"rater;list\n1;2"])
def test_what_is_no_table_is_named(study, tmp_path, content):
    file = tmp_path / "answers.csv"
    file.write_bytes(content)
    with pytest.raises(InputError, match=r"answers\.csv") as error:
        responses.read(file, study[1][1])
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            lambda a, k: (a.assign(rater=a["rater"].where(a["rater"] != a["rater"][0], " ")), k),
            "no",
        ),
        (lambda a, k: (a, pd.concat([k, k[:1]])), "is there twice"),
        (lambda a, k: (a, k.assign(kind="Test")), "unknown kind 'Test'"),
    ],
)
def test_what_would_be_counted_wrong_is_named(study, tmp_path, change, message):
    answers, (_, key_file), _ = study
    key = pd.read_csv(key_file, dtype=str, keep_default_na=False)
    files = write_study(tmp_path, *reversed(change(answers, key)))
    with pytest.raises(InputError, match=message):
        responses.read(*files)


@pytest.mark.parametrize(
    "text",
    [
        "strip,metric,value\ns1,purity,0.25\ns2,purity,-1e-3\n",
        "strip;metric;value\r\ns1;purity;0,25\r\ns2;purity;-1e-3\r\n",
        "sep=;\nstrip;metric;value\ns1;purity;0,25\ns2;purity;-0,001\n",
        'strip,metric,value\ns1,purity,"0,25"\ns2,purity,"-0,001"\n',
    ],
)
def test_metrics_have_decimal_points_or_commas(tmp_path, text):
    file = tmp_path / "metrics.csv"
    file.write_text(text, encoding="utf-8-sig")
    table = metric_table.read(file)
    assert table["value"].tolist() == [0.25, -0.001]


@pytest.mark.parametrize("value", ["1.234,5", "small"])
def test_a_metric_that_is_no_number_is_named(tmp_path, value):
    file = tmp_path / "metrics.csv"
    file.write_text(f"strip;metric;value\ns1;purity;{value}\n", encoding="utf-8")
    with pytest.raises(InputError, match=r"metrics\.csv: "):
        metric_table.read(file)
