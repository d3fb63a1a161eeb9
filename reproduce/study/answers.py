"""One answer: what a browser sends, checked against the trial that it answers."""

from __future__ import annotations

import dataclasses
import unicodedata

from reproduce.serving.refusals import Refusal, parse_object
from reproduce.study.public_files import Trial

# Of the table of answers, as the collector exports it and the analysis reads it.
COLUMNS = (
    "rater",
    "list",
    "trial",
    "item",
    "chosen",
    "rejected",
    "side",
    "rt_ms",
    "name",
    "simulated",
)
MAX_NAME = 200  # characters
MAX_RT_MS = 24 * 60 * 60 * 1000  # a trial left open over night is still an answer
_UNWRITABLE = ("Cc", "Cs", "Zl", "Zp")  # control, lone surrogate, line and paragraph separator
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


@dataclasses.dataclass(frozen=True)
class Answer:
    """A choice between two strips.

    Attributes:
        item: The pair's identifier.
        chosen: The strip that was said to change just one thing.
        rejected: The other one.
        side: Where the chosen one was, left or right.
        rt_ms: Milliseconds from both strips' appearance to the choice.
        name: What changed, in the rater's words; empty where not asked or not known.
    """

    item: str
    chosen: str
    rejected: str
    side: str
    rt_ms: int
    name: str


def parse_answer(body: bytes) -> Answer:
    """An answer from a request's body.

    Raises:
        Refusal: 400 if it is no JSON object, 422 if a field is missing, unknown or impossible.
    """
    fields = parse_object(body)
    wanted = {field.name for field in dataclasses.fields(Answer)}
    if fields.keys() != wanted:
        raise Refusal(422, f"expected the fields {', '.join(sorted(wanted))} and no others")
    for name in wanted - {"rt_ms"}:
        if not isinstance(fields[name], str) or len(fields[name]) > MAX_NAME:
            raise Refusal(422, f"{name} must be a text of at most {MAX_NAME} characters")
    if type(fields["rt_ms"]) is not int or not 0 <= fields["rt_ms"] <= MAX_RT_MS:
        raise Refusal(422, f"rt_ms must be a whole number from 0 to {MAX_RT_MS}")
    if any(unicodedata.category(character) in _UNWRITABLE for character in fields["name"]):
        raise Refusal(422, "name must be one line without control characters")
    return Answer(**fields)


def check_answer(answer: Answer, trial: Trial) -> None:
    """Raises Refusal (422) unless the answer names that trial's item and strips, side and all."""
    if answer.side not in ("left", "right"):
        raise Refusal(422, "side must be left or right")
    shown = (trial.left, trial.right) if answer.side == "left" else (trial.right, trial.left)
    if (answer.item, answer.chosen, answer.rejected) != (trial.item, *shown):
        raise Refusal(422, "item, chosen, rejected and side do not match this rater's trial")
    if answer.name and not trial.ask_name:
        raise Refusal(422, "this trial asks for no name")


def spreadsheet_safe(text: str) -> str:
    """A stranger's text for a CSV file: a spreadsheet shall not run it as a formula."""
    return f"'{text}" if text.startswith(_FORMULA) else text
