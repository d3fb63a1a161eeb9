"""Lets simulated raters with known preferences answer a study: to try it, never to claim anything.

Every answer is marked as simulated, and so is all that reproduce.study.analyse makes of it.

Example:
    python -m reproduce.study.simulate --study=study --preference=0.6 --output=simulated.csv
"""

from __future__ import annotations

import json
from pathlib import Path

from absl import flags

from data import random_streams
from data.files import InputError
from reproduce import program

_STUDY = flags.DEFINE_string("study", None, "A study's folder, with public/ and private/.")
_PREFERENCE = flags.DEFINE_list(
    "preference",
    ["0.6"],
    "The share of choices of the learned axis; or ARM=SHARE of some arms as well, as in "
    "0.5,beta_vae/diagonal=0.65.",
)
_RATERS = flags.DEFINE_integer("raters", 60, "Simulated raters.", lower_bound=1)
_SD_RATER = flags.DEFINE_float("sd_rater", 0.5, "In logits.", lower_bound=0)
_SD_ITEM = flags.DEFINE_float("sd_item", 0.7, "In logits.", lower_bound=0)
_LEFT_BIAS = flags.DEFINE_float("left_bias", 0.1, "In logits.")
_GUESSERS = flags.DEFINE_float(
    "guessers", 0.1, "The share of raters who guess.", lower_bound=0, upper_bound=1
)
_SEED = flags.DEFINE_integer("seed", 0, "The seed of everything.", lower_bound=0)
_OUTPUT = flags.DEFINE_string("output", "simulated.csv", "In the columns of an export.")


def main() -> None:
    """Reads, answers, writes."""
    if not _STUDY.value:
        raise InputError("--study is missing; give the folder that reproduce.study.stimuli wrote")
    shares = _shares(_PREFERENCE.value)
    study = Path(_STUDY.value)
    key_file = study / "private" / "key.csv"
    files = sorted((study / "public" / "lists").glob("*.json"), key=lambda file: int(file.stem))
    if not key_file.is_file() or not files:
        raise InputError(f"{study}: no study; give the folder that reproduce.study.stimuli wrote")

    import pandas as pd

    from data.files import write_text
    from reproduce.study import simulated_raters

    key = pd.read_csv(key_file)
    unknown = set(shares) - {"", *key["model"].dropna()}
    if unknown:
        raise InputError(
            f"--preference names {', '.join(sorted(unknown))}; the key has no such arm"
        )
    lists = [json.loads(file.read_text(encoding="utf-8"))["trials"] for file in files]
    truths = {
        arm: simulated_raters.Truth(
            share,
            _SD_RATER.value,
            _SD_ITEM.value,
            _LEFT_BIAS.value,
            guessers=_GUESSERS.value,
        )
        for arm, share in shares.items()
    }
    rng = random_streams.generator(_SEED.value, random_streams.RATERS)
    answers = simulated_raters.answer(lists, key, truths, _RATERS.value, rng)
    write_text(_OUTPUT.value, answers.to_csv(index=False))
    print(f"{_OUTPUT.value}: {len(answers)} SIMULATED answers of {_RATERS.value} raters")


def _shares(parts: list[str]) -> dict[str, float]:
    """Shares by arm, "" for all others."""
    shares = {"": 0.5}
    for part in parts:
        arm, _, share = part.rpartition("=")
        try:
            shares[arm] = float(share)
        except ValueError:
            shares[arm] = 0
        if not 0.01 <= shares[arm] <= 0.99:
            raise InputError(f"--preference={part}; expected a share from .01 to .99, or ARM=SHARE")
    return shares


if __name__ == "__main__":
    program.run(main)
