r"""Collects answers: serves a study and its page, and keeps every answer in a database.

Example:
    python -m reproduce.study.collect --study=STUDY --database=answers.sqlite
    python -m reproduce.study.collect --database=answers.sqlite --export=answers.csv
"""

from __future__ import annotations

import ipaddress
import logging
from pathlib import Path

from absl import flags

from data.files import InputError, write_text
from reproduce import program, serving

_STUDY = flags.DEFINE_string("study", None, "The folder that reproduce.study.stimuli wrote.")
_DATABASE = flags.DEFINE_string("database", None, "Where answers are kept (SQLite).")
_EXPORT = flags.DEFINE_string("export", None, "Write all answers into this CSV, and end.")
_CODES = flags.DEFINE_string("codes", None, "Write the codes of all who finished, and end.")
_HOST = flags.DEFINE_string(
    "host", "127.0.0.1", "The address to listen on; 0.0.0.0 lets other machines in."
)
_PORT = flags.DEFINE_integer("port", 8765, "The port to listen on.", 0, 65535)
_BEHIND_PROXY = flags.DEFINE_bool(
    "behind_proxy", False, "Take raters' addresses from a proxy on this machine (for HTTPS)."
)
_MAX_RATERS = flags.DEFINE_integer("max_raters", 2000, "Then nobody new is let in.", 1)
_NEW_RATERS_PER_MINUTE = flags.DEFINE_float(
    "new_raters_per_minute", 60, "From one address, and that many at once.", 1
)
_REQUESTS_PER_SECOND = flags.DEFINE_float(
    "requests_per_second", 100, "From one address, and twenty times as many at once.", 1
)


def main() -> None:
    """Checks the flags; exports or serves."""
    if not _DATABASE.value:
        raise InputError("--database is missing; give the file that keeps the answers")
    database = Path(_DATABASE.value)
    if _EXPORT.value or _CODES.value:
        if _STUDY.value:
            raise InputError("--study serves, --export and --codes write a file; give one of them")
        _export(database)
    elif _STUDY.value:
        _serve(Path(_STUDY.value), database)
    else:
        raise InputError("--study is missing; give the folder that reproduce.study.stimuli wrote")


def _export(database: Path) -> None:
    from reproduce.study import store

    for output, export in ((_EXPORT, store.export_answers), (_CODES, store.export_codes)):
        if output.value:
            text = export(database)
            write_text(output.value, text)
            print(f"{output.value}: {text.count(chr(10)) - 1} rows")


def _serve(folder: Path, database: Path) -> None:
    from reproduce.study import public_files

    study = public_files.read(folder)
    if database.resolve().is_relative_to((folder / "public").resolve()):
        raise InputError(f"--database={database} is inside {folder / 'public'}; put it elsewhere")
    serving.require_extra()
    from reproduce.serving.limits import RateLimit
    from reproduce.study import server
    from reproduce.study.store import AnswerStore

    store = AnswerStore(database, study, _MAX_RATERS.value)
    app = server.application(
        study,
        store,
        RateLimit(_REQUESTS_PER_SECOND.value, 20 * _REQUESTS_PER_SECOND.value),
        RateLimit(_NEW_RATERS_PER_MINUTE.value / 60, _NEW_RATERS_PER_MINUTE.value),
    )
    listening = serving.listen(_HOST.value, _PORT.value)
    host = listening.getsockname()[0]
    if not ipaddress.ip_address(host).is_loopback:
        logging.warning(
            "listening on %s without encryption; for raters elsewhere put a proxy with HTTPS "
            "before it, on this machine, and give --behind_proxy",
            host,
        )
    address = serving.address_of(listening)
    print(f"{address} collects into {database}; Ctrl-C ends it", flush=True)
    try:
        serving.serve(
            app,
            listening,
            proxy_headers=_BEHIND_PROXY.value,
            forwarded_allow_ips="127.0.0.1,::1",
        )
    finally:
        store.close()


if __name__ == "__main__":
    program.run(main)
