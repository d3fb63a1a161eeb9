"""The collector's database: raters, their lists and answers, on disk before they are acknowledged.

SQLite in WAL mode with synchronous=FULL: a commit that returned survives a killed process and a
power cut (https://sqlite.org/pragma.html#pragma_synchronous). No time, address or name is kept.
"""

from __future__ import annotations

import contextlib
import csv
import dataclasses
import io
import secrets
import sqlite3
import threading
from collections.abc import Iterator
from pathlib import Path

from data.files import InputError
from reproduce.serving.refusals import Refusal
from reproduce.study.answers import COLUMNS, Answer, check_answer, spreadsheet_safe
from reproduce.study.public_files import PublicStudy

_SCHEMA = """
CREATE TABLE IF NOT EXISTS study (identifier TEXT NOT NULL, digest TEXT NOT NULL) STRICT;
CREATE TABLE IF NOT EXISTS raters (
    rater TEXT PRIMARY KEY,
    list INTEGER NOT NULL,
    request TEXT UNIQUE,
    code TEXT
) STRICT;
CREATE TABLE IF NOT EXISTS answers (
    rater TEXT NOT NULL REFERENCES raters (rater),
    trial INTEGER NOT NULL,
    item TEXT NOT NULL,
    chosen TEXT NOT NULL,
    rejected TEXT NOT NULL,
    side TEXT NOT NULL,
    rt_ms INTEGER NOT NULL,
    name TEXT NOT NULL,
    PRIMARY KEY (rater, trial)
) STRICT;
"""
_FIELDS = ", ".join(field.name for field in dataclasses.fields(Answer))


@dataclasses.dataclass(frozen=True)
class Progress:
    """How far a rater has come: the list's number and the trials answered, in order."""

    list: int
    answered: tuple[int, ...]


class AnswerStore:
    """One connection that threads take in turn; other processes may hold theirs."""

    def __init__(self, path: Path, study: PublicStudy, max_raters: int) -> None:
        """Opens or creates the database of a study.

        Raises:
            InputError: If the file is no such database, or holds another study's answers.
        """
        self._lists = study.lists
        self._max_raters = max_raters
        self._lock = threading.Lock()
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch(mode=0o600)
        self._database = _connect(path)
        try:
            self._database.execute("PRAGMA journal_mode = WAL")
            self._database.execute("PRAGMA synchronous = FULL")
            self._database.execute("PRAGMA foreign_keys = ON")
            self._database.executescript(_SCHEMA)
            with self._transaction() as database:
                known = database.execute("SELECT identifier, digest FROM study").fetchone()
                if known is None:
                    database.execute(
                        "INSERT INTO study VALUES (?, ?)", (study.identifier, study.digest)
                    )
        except sqlite3.DatabaseError as error:
            raise InputError(f"{path}: no database of answers ({error}); give another") from error
        if known not in (None, (study.identifier, study.digest)):
            raise InputError(
                f"{path}: holds answers to study {known[0]}, or to other lists of it; this is "
                f"study {study.identifier}; give another --database"
            )

    def close(self) -> None:
        """Closes the database."""
        self._database.close()

    def assign(self, request: str | None) -> tuple[str, int, bool]:
        """A rater with the list that the fewest have; the same request gives the same one.

        Returns:
            The rater, the list, and whether the rater is new.

        Raises:
            Refusal: 403 if the study has all its raters.
        """
        with self._transaction() as database:
            if request is not None:
                known = database.execute(
                    "SELECT rater, list FROM raters WHERE request = ?", (request,)
                ).fetchone()
                if known:
                    return *known, False
            counts = dict.fromkeys(range(len(self._lists)), 0)
            counts.update(database.execute("SELECT list, COUNT(*) FROM raters GROUP BY list"))
            if sum(counts.values()) >= self._max_raters:
                raise Refusal(403, "this study has all the raters it needs")
            chosen = min(counts, key=lambda number: (counts[number], number))
            rater = secrets.token_hex(16)
            database.execute(
                "INSERT INTO raters (rater, list, request) VALUES (?, ?, ?)",
                (rater, chosen, request),
            )
        return rater, chosen, True

    def record(self, rater: str, trial: int, answer: Answer) -> bool:
        """Keeps an answer.

        Returns:
            Whether it is new; the same answer once more changes nothing.

        Raises:
            Refusal: 404 if the rater or the trial does not exist, 422 if the answer does not
                belong to it, 409 if another answer is kept already.
        """
        with self._transaction() as database:
            number = self._list_of(database, rater)
            if not 0 <= trial < len(self._lists[number]):
                raise Refusal(404, "no such trial in this rater's list")
            check_answer(answer, self._lists[number][trial])
            known = database.execute(
                f"SELECT {_FIELDS} FROM answers WHERE rater = ? AND trial = ?", (rater, trial)
            ).fetchone()
            if known and Answer(*known) != answer:
                raise Refusal(409, "this trial has another answer already, which stands")
            if known:
                return False
            database.execute(
                f"INSERT INTO answers (rater, trial, {_FIELDS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                (rater, trial, *dataclasses.astuple(answer)),
            )
        return True

    def progress(self, rater: str) -> Progress:
        """How far a rater has come.

        Raises:
            Refusal: 404 if there is no such rater.
        """
        with self._lock:
            number = self._list_of(self._database, rater)
            answered = self._database.execute(
                "SELECT trial FROM answers WHERE rater = ? ORDER BY trial", (rater,)
            ).fetchall()
        return Progress(number, tuple(trial for (trial,) in answered))

    def is_done(self, progress: Progress) -> bool:
        """Whether every trial is answered."""
        return len(progress.answered) == len(self._lists[progress.list])

    def finish(self, rater: str) -> str:
        """The rater's completion code, the same at every call.

        Raises:
            Refusal: 404 if there is no such rater, 409 if trials are unanswered.
        """
        progress = self.progress(rater)
        if not self.is_done(progress):
            missing = len(self._lists[progress.list]) - len(progress.answered)
            raise Refusal(409, f"{missing} trials are not answered yet")
        with self._transaction() as database:
            database.execute(
                "UPDATE raters SET code = COALESCE(code, ?) WHERE rater = ?",
                (secrets.token_hex(5), rater),
            )
            (code,) = database.execute(
                "SELECT code FROM raters WHERE rater = ?", (rater,)
            ).fetchone()
        return code

    @staticmethod
    def _list_of(database: sqlite3.Connection, rater: str) -> int:
        found = database.execute("SELECT list FROM raters WHERE rater = ?", (rater,)).fetchone()
        if found is None:
            raise Refusal(404, "no such rater")
        return found[0]

    @contextlib.contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        """A transaction that no other writer, thread or process, can come between."""
        with self._lock:
            self._database.execute("BEGIN IMMEDIATE")
            try:
                yield self._database
                self._database.execute("COMMIT")
            except BaseException:
                if self._database.in_transaction:
                    self._database.execute("ROLLBACK")
                raise


def export_answers(path: Path) -> str:
    """All answers as CSV; raters come in the order of their random identifiers.

    Raises:
        InputError: If there is no such database.
    """
    rows = _read(
        path,
        f"SELECT rater, list, trial, {_FIELDS} FROM answers JOIN raters USING (rater) "
        "ORDER BY rater, trial",
    )
    return _csv(COLUMNS, ((*row[:-1], spreadsheet_safe(row[-1]), "false") for row in rows))


def export_codes(path: Path) -> str:
    """Rater, list and code of everyone who finished, as CSV: whom to pay.

    Raises:
        InputError: If there is no such database.
    """
    rows = _read(path, "SELECT rater, list, code FROM raters WHERE code IS NOT NULL ORDER BY rater")
    return _csv(("rater", "list", "code"), rows)


def _connect(path: Path) -> sqlite3.Connection:
    """A connection in autocommit mode: transactions are explicit."""
    return sqlite3.connect(path, timeout=10, isolation_level=None, check_same_thread=False)


def _read(path: Path, query: str) -> list[tuple]:
    if not path.is_file():
        raise InputError(f"{path}: no such database; give the --database that was collected into")
    try:
        with contextlib.closing(_connect(path)) as database:
            return database.execute(query).fetchall()
    except sqlite3.DatabaseError as error:
        raise InputError(f"{path}: no database of answers ({error})") from error


def _csv(columns: tuple[str, ...], rows: Iterator[tuple] | list[tuple]) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows(rows)
    return text.getvalue()
