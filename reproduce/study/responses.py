"""Raters' answers: read, checked against the key, and as arrays for the statistics."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pandas as pd

from data.files import InputError
from reproduce.study import spreadsheets
from reproduce.study.answers import COLUMNS

KEY_COLUMNS = (
    "item",
    "strip",
    "kind",
    "basis",
    "rule",
    "run",
    "model",
    "data_set",
    "seed",
    "direction",
    "step",
    "energy",
    "start_image",
    "target",
)
KINDS = ("test", "catch", "identical")  # of pairs
MIN_CATCH_SHARE = 0.8  # of catch trials answered right, or a rater is left out
EXCLUSION_RULES = (
    "raters who answered fewer than 80% of their catch trials right are left out",
    "raters who answered no catch trial are left out",
    "all other answers count, also of raters who did not finish",
)


@dataclasses.dataclass(frozen=True, eq=False)
class Responses:
    """Answers to pairs of which one strip is the target.

    Attributes:
        chosen: bool [n], whether the target was chosen.
        left: bool [n], whether it stood on the left.
        raters: int [n], from 0.
        items: int [n], from 0.
    """

    chosen: np.ndarray
    left: np.ndarray
    raters: np.ndarray
    items: np.ndarray

    def __len__(self) -> int:
        return len(self.chosen)

    @property
    def num_raters(self) -> int:
        """How many raters answered."""
        return len(np.unique(self.raters))

    @property
    def num_items(self) -> int:
        """How many pairs were answered."""
        return len(np.unique(self.items))


def from_frame(answers: pd.DataFrame) -> Responses:
    """Answers as arrays; `target_chosen`, `side`, `rater` and `item` are read."""
    chosen = answers["target_chosen"].to_numpy(bool)
    left = (answers["side"].to_numpy() == "left") == chosen
    raters, items = (pd.factorize(answers[column], sort=True)[0] for column in ("rater", "item"))
    return Responses(chosen, left, raters, items)


def read(answers_file: Path | str, key_file: Path | str) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Reads answers and key.

    Returns:
        The answers, with what the key says of each pair (`kind`, `rule`, `model`, `data_set`,
        `run`) and whether its target was chosen; and the key.

    Raises:
        InputError: If a file is missing or damaged, an answer is to no pair of the key or given
            twice, or simulated answers are among others.
    """
    answers = spreadsheets.read(Path(answers_file), COLUMNS)
    key = spreadsheets.read(Path(key_file), KEY_COLUMNS)
    key["target"] = _as_bool(key["target"], key_file, "target")
    answers["simulated"] = _as_bool(answers["simulated"], answers_file, "simulated")
    if answers.empty:
        raise InputError(f"{answers_file}: no answers; export them again, or wait for some")
    if answers["simulated"].nunique() > 1:
        raise InputError(
            f"{answers_file}: simulated and real answers are mixed; keep them in files apart"
        )
    if (answers["rater"].str.strip() == "").any():
        raise InputError(f"{answers_file}: an answer has no rater; export it anew")
    if not answers["side"].isin(["left", "right"]).all():
        raise InputError(f"{answers_file}: a side is neither left nor right")
    if answers.duplicated(["rater", "trial"]).any():
        raise InputError(f"{answers_file}: a rater answers a trial twice; export it anew")
    _check_key(key_file, key)
    item_of = key.set_index("strip")["item"]
    for column in ("chosen", "rejected"):
        known = answers[column].map(item_of) == answers["item"]
        if not known.all():
            row = answers[~known].iloc[0]
            raise InputError(
                f"{answers_file}: rater {row['rater']}, trial {row['trial']}: {column} is no strip "
                f"of this pair in {key_file}; give the key of the same study"
            )
    if (answers["chosen"] == answers["rejected"]).any():
        raise InputError(f"{answers_file}: an answer chooses and rejects the same strip")
    pairs = key.drop_duplicates("item").set_index("item")
    told = answers.join(pairs[["kind", "rule", "run", "model", "data_set"]], on="item")
    told["target_chosen"] = told["chosen"].map(key.set_index("strip")["target"])
    return told, key


def _check_key(file: Path | str, key: pd.DataFrame) -> None:
    if key["strip"].duplicated().any():
        strip = key.loc[key["strip"].duplicated(), "strip"].iloc[0]
        raise InputError(f"{file}: strip {strip} is there twice; give the key as stimuli wrote it")
    unknown = sorted(set(key["kind"]) - set(KINDS))
    if unknown:
        raise InputError(f"{file}: unknown kind {unknown[0]!r}; expected {', '.join(KINDS)}")
    pairs = key[key["kind"] != "identical"].groupby("item")["target"].agg(["size", "sum"])
    wrong = pairs[(pairs["size"] != 2) | (pairs["sum"] != 1)]
    if not wrong.empty:
        raise InputError(
            f"{file}: pair {wrong.index[0]} has {wrong['sum'].iloc[0]} targets among "
            f"{wrong['size'].iloc[0]} strips; expected one of two: give the key as stimuli wrote it"
        )


def exclude(answers: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Leaves raters out by the rules that were fixed beforehand.

    Returns:
        The answers that count; and a row for each rater: `rater`, `catch_trials`,
        `catch_share` answered right, `excluded`.
    """
    catch = answers[answers["kind"] == "catch"].groupby("rater")["target_chosen"]
    table = pd.DataFrame({"catch_trials": catch.size(), "catch_share": catch.mean()})
    table = table.reindex(sorted(answers["rater"].unique()))
    table["catch_trials"] = table["catch_trials"].fillna(0).astype(int)
    # A share within rounding of the limit meets it: 4 of 5.
    table["excluded"] = ~(table["catch_share"] >= MIN_CATCH_SHARE - 1e-9)
    kept = table.index[~table["excluded"]]
    return answers[answers["rater"].isin(kept)], table.rename_axis("rater").reset_index()


# As spreadsheets write them in the languages of their menus.
_BOOLEANS = dict.fromkeys(("true", "wahr", "vrai", "verdadero", "vero", "waar"), True) | (
    dict.fromkeys(("false", "falsch", "faux", "falso", "onwaar"), False)
)


def _as_bool(column: pd.Series, file: Path | str, name: str) -> pd.Series:
    values = column.str.strip().str.lower().map(_BOOLEANS)
    if values.isna().any():
        raise InputError(f"{file}: {name} is neither true nor false somewhere; export it anew")
    return values.astype(bool)
