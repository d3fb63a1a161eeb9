"""Homes, file systems, consoles and paths as users have them: one line, or it works."""

from __future__ import annotations

import errno
import os
import subprocess
import sys

import numpy as np
import pytest
from programs import ROOT, command

from data import files
from data.files import InputError, atomic_write, exclusive, write_text
from reproduce import program


@pytest.fixture(scope="module")
def representation_file(tmp_path_factory):
    rng = np.random.default_rng(0)
    factors = rng.integers(3, size=(200, 2))
    path = tmp_path_factory.mktemp("some, it's mine") / "r.npz"
    np.savez(
        path,
        latents=factors + 0.1 * rng.normal(size=factors.shape),
        factors=factors,
        factor_names=["größe", "\u2603"],
        factor_sizes=[3, 3],
    )
    return path


def score(file, output, environment=(), **options):
    flags = [f"--representation={file}", f"--output={output}", "--metrics=mig"]
    return subprocess.run(
        command("score", *flags),
        cwd=ROOT,
        env={**os.environ, **dict(environment)},
        capture_output=True,
        check=False,
        **options,
    )


def test_a_link_is_followed_and_stays(tmp_path):
    (tmp_path / "shared").mkdir()
    link = tmp_path / "link.csv"
    for target in (tmp_path / "shared" / "old.csv", tmp_path / "shared" / "not there yet.csv"):
        link.unlink(missing_ok=True)
        link.symlink_to(target)
        write_text(link, "new")
        assert link.is_symlink()
        assert target.read_text() == "new"


def make_pipe(path):
    os.mkfifo(path)


@pytest.mark.parametrize(
    ("make", "name", "message"),
    [
        (lambda p: p.mkdir(), "out", "is a folder"),
        (make_pipe, "out", "no regular file"),
        (lambda p: p.write_text("x"), "out/below.csv", "no folder"),
        (lambda p: p.symlink_to(p), "out", "no regular file"),
        (lambda p: None, "n" * 300 + ".csv", "[Ff]ile name too long"),
    ],
)
def test_what_is_no_file_is_never_replaced(tmp_path, make, name, message):
    make(tmp_path / "out")
    before = sorted(tmp_path.iterdir())
    with pytest.raises(InputError, match=message):
        write_text(tmp_path / name, "new")
    assert sorted(tmp_path.iterdir()) == before


def test_a_device_is_never_replaced():
    with pytest.raises(InputError, match="no regular file"), atomic_write(os.devnull):
        pass


def test_a_long_name_that_the_file_system_takes_is_written(tmp_path):
    file = tmp_path / ("n" * 250)
    write_text(file, "new")
    assert file.read_text() == "new"


@pytest.mark.parametrize("number", [errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP])
def test_a_file_system_without_locks_is_said_and_used(tmp_path, monkeypatch, caplog, number):
    def flock(*_):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(files.fcntl, "flock", flock)
    files.say_once.cache_clear()
    for _ in range(2):
        with exclusive(tmp_path / "lock", wait=False):
            pass
    assert [record.message.count("has no locks") for record in caplog.records] == [1]


@pytest.mark.parametrize("home", [None, f"{__file__}/home"])
def test_without_a_home_data_are_kept_among_temporary_files(monkeypatch, tmp_path, caplog, home):
    monkeypatch.delenv("AXISBIAS_CACHE", raising=False)
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.setattr(files.tempfile, "gettempdir", lambda: str(tmp_path))
    monkeypatch.setattr(files.os.path, "expanduser", lambda p: p.replace("~", home or "~"))
    files.say_once.cache_clear()
    assert files.cache_directory() == tmp_path / f"axisbias-{os.getuid()}"
    assert "AXISBIAS_CACHE" in caplog.text


def test_figures_need_no_desktop_and_a_console_no_unicode(representation_file, tmp_path):
    odd = {"MPLBACKEND": "module://matplotlib_inline.backend_inline", "PYTHONIOENCODING": "ascii"}
    page = tmp_path / "page.html"
    flags = [
        f"--representation={representation_file}",
        f"--output={tmp_path / 'b.csv'}",
        f"--report={page}",
        "--families=haar,haar_active",
        "--num_bases=9",
    ]
    done = subprocess.run(
        command("basis_test", *flags),
        cwd=ROOT,
        env={**os.environ, **odd},
        capture_output=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr.decode()
    assert "größe" in page.read_text(encoding="utf-8")


@pytest.mark.parametrize("form", ["{}", '"{}"'])
def test_a_path_with_commas_blanks_and_quotes_is_one_path(representation_file, tmp_path, form):
    done = score(form.format(representation_file), tmp_path / "s, it's.csv")
    assert done.returncode == 0, done.stderr.decode()
    assert (tmp_path / "s, it's.csv").read_text().startswith("metric,value\nmig,")


def test_an_output_that_cannot_be_is_refused_before_anything_is_computed(
    representation_file, tmp_path
):
    done = score(representation_file, tmp_path)
    assert done.returncode == 2
    assert b"is a folder" in done.stderr
    assert done.stderr.count(b"\n") == 1


def test_paths_come_apart_at_commas_unless_a_file_has_them(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("a", "b,c", "d, e"):
        (tmp_path / name).touch()
    assert program.paths(["a", "b", "c", "d", "e", "f"]) == ["a", "b,c", "d, e", "f"]
    assert program.listed(["a", "b,c", 'd"e']) == 'a,"b,c","d""e"'


def test_make_hands_its_variables_on_as_they_are():
    variables = ["DATASET=my, it's.npz", "OUTPUT=a b"]
    done = subprocess.run(
        [*["make", "--no-print-directory", "-n", "-o", ".venv/.main", "reproduce"], *variables],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    shown = done.stdout.strip().splitlines()[-1].split("-m reproduce.main_job ")[1]
    script = f"for flag in {shown}; do printf '%s|' \"$flag\"; done"
    flags = subprocess.run(["sh", "-c", script], capture_output=True, text=True, check=True)
    assert flags.stdout.split("|")[1:3] == ["--dataset=my, it's.npz", "--output=a b"]


def test_without_a_writable_folder_compiled_functions_are_kept_elsewhere(tmp_path):
    script = (
        "import data.files as f; f.is_writable = lambda folder: False; "
        "import os; os.environ.pop('NUMBA_CACHE_DIR', None); import data.numba_cache; "
        "print(os.environ['NUMBA_CACHE_DIR'])"
    )
    # The package itself imports numba, so that its own import is looked at before.
    script = script.replace(
        "import data.files as f",
        "import importlib.util, sys, types; "
        "sys.modules['data'] = types.ModuleType('data'); sys.modules['data'].__path__ = ['data']; "
        "import data.files as f",
    )
    done = subprocess.run(
        [sys.executable, "-c", script],
        cwd=ROOT,
        env={**os.environ, "TMPDIR": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout.strip() == str(tmp_path / f"axisbias-{os.getuid()}" / "numba"), done.stderr
    assert done.stderr.count("axisbias: ") == 1


def test_standard_streams_that_are_closed_stop_nothing(representation_file, tmp_path):
    program_ = " ".join(map(str, command("score", "--metrics=mig")))
    for streams in (">&-", "2>&-", "<&- >&- 2>&-"):
        output = tmp_path / f"{len(streams)}.csv"
        script = f'{program_} "--representation=$1" "--output=$2" {streams}'
        done = subprocess.run(
            ["sh", "-c", script, "sh", representation_file, output], cwd=ROOT, check=False
        )
        assert done.returncode == 0
        assert output.read_text(encoding="utf-8").startswith("metric,value\nmig,")


def test_modules_of_the_users_own_hide_none_of_the_kits(representation_file, tmp_path):
    (tmp_path / "data").mkdir()  # a folder of pictures, say
    (tmp_path / "models.py").write_text("mine = True\n", encoding="utf-8")
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "NUMBA_THREADING_LAYER": "tbb"}

    def run(*arguments):
        return subprocess.run(
            [sys.executable, *arguments],
            cwd=tmp_path,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )

    flags = [f"--representation={representation_file}", "--output=s.csv", "--metrics=mig"]
    done = run("-m", "reproduce.score", *flags)
    assert done.returncode == 0, done.stderr
    done = run("-c", "import models, reproduce.api")
    assert "give yours another name" in done.stderr.splitlines()[-1]


def test_nothing_that_was_given_is_overwritten(tmp_path, representation_file, run_program):
    given = tmp_path / "null.npz"
    given.write_bytes(representation_file.read_bytes())
    flags = [f"--representation={given}", "--num_bases=9", "--families=haar"]
    for more in (["--output=" + str(given)], [f"--output={tmp_path}/basis_test.csv"]):
        done = run_program("basis_test", *flags, *more)
        assert done.returncode == 2
        assert "take the place of an input" in done.stderr
    assert given.read_bytes() == representation_file.read_bytes()
    assert [file.name for file in tmp_path.iterdir()] == ["null.npz"]
