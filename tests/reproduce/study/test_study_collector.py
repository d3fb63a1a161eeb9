"""The collector, over HTTP: nothing acknowledged is lost, nothing forged is kept, nothing leaks."""

from __future__ import annotations

import asyncio
import collections
import contextlib
import csv
import io
import json
import re
import signal
import socket
import sqlite3
import stat
import time
from pathlib import Path

import pytest
from study_folder import CONDITION_WORDS, answer_to, read_lists, write_study

httpx = pytest.importorskip("httpx", reason="the collector's tests need the extra `study`")
pytest.importorskip("starlette", reason="the collector needs the extra `study`")

PAGE = Path(__file__).resolve().parents[3] / "reproduce" / "study" / "page"


def start(start_program, study: Path, database: Path, *flags: str):
    """A collector, and its address once it listens."""
    flags = (f"--study={study}", f"--database={database}", *flags)
    process = start_program("study.collect", *flags)
    line = process.stdout.readline()
    if not line.startswith("http://"):
        pytest.fail(process.communicate()[1])
    return process, line.split()[0]


def rows(database: Path, query: str) -> list[tuple]:
    with contextlib.closing(sqlite3.connect(database)) as connection:
        return connection.execute(query).fetchall()


def kept(database: Path) -> dict[tuple[str, int], dict]:
    """All answers in the database; fails if there is one twice."""
    names = ("item", "chosen", "rejected", "side", "rt_ms", "name")
    found = rows(database, f"SELECT rater, trial, {', '.join(names)} FROM answers")
    answers = {row[:2]: dict(zip(names, row[2:], strict=True)) for row in found}
    assert len(answers) == len(found)
    return answers


@pytest.fixture(scope="module")
def study(tmp_path_factory) -> Path:
    return write_study(tmp_path_factory.mktemp("study") / "study")


@pytest.fixture(scope="module")
def served(start_program, study, tmp_path_factory):
    """A client of a collector, and the database behind it."""
    database = tmp_path_factory.mktemp("database") / "answers.sqlite"
    process, address = start(
        start_program, study, database, "--port=0", "--new_raters_per_minute=1000"
    )
    with httpx.Client(base_url=address, timeout=60) as client:  # a busy machine must fail no test
        yield client, database
    process.terminate()
    assert process.wait(10) in (0, 130, -signal.SIGTERM)


@pytest.fixture
def rater(served, study):
    """A new rater's path, and the trials of the list."""
    given = served[0].post("/api/raters", json={}).json()
    return f"/api/raters/{given['rater']}", read_lists(study)[given["list"]]


# ---------------------------------------------------------------------------- killed and restarted


NUM_RATERS, NUM_LISTS, NUM_TRIALS, NUM_KILLS = 90, 7, 2, 3


async def ask(client, method: str, path: str, body: dict | None = None):
    """Asks until there is an answer, as the page does; a dead server gives none."""
    for _ in range(600):
        try:
            response = await client.request(method, path, json=body)
        except httpx.TransportError:
            await asyncio.sleep(0.1)
            continue
        if response.status_code < 500:
            return response
        await asyncio.sleep(0.1)
    raise TimeoutError(f"{method} {path}")


async def answer_all(client, number: int, lists, acknowledged: dict) -> str:
    """One simulated rater, from the first request to the code."""
    created = await ask(client, "POST", "/api/raters", {"request": f"{number:032x}"})
    assert created.status_code in (200, 201)
    rater, trials = created.json()["rater"], lists[created.json()["list"]]
    for trial in trials:
        side = "left" if (number + trial["trial"]) % 2 else "right"
        sent = answer_to(trial, side, rt_ms=number, name="size" if trial["ask_name"] else "")
        path = f"/api/raters/{rater}/answers/{trial['trial']}"
        response = await ask(client, "PUT", path, sent)
        # 200: the answer was kept, but the server died before it could say so.
        assert response.status_code in (200, 201), response.text
        acknowledged[rater, trial["trial"]] = sent
    finished = await ask(client, "POST", f"/api/raters/{rater}/finish")
    assert finished.status_code == 200, finished.text
    return finished.json()["code"]


def test_no_acknowledged_answer_is_lost_when_the_server_is_killed(start_program, tmp_path):
    study = write_study(tmp_path / "study", NUM_LISTS, NUM_TRIALS)
    lists, database = read_lists(study), tmp_path / "answers.sqlite"
    rates = ("--new_raters_per_minute=10000", "--requests_per_second=10000")
    process, address = start(start_program, study, database, "--port=0", *rates)
    port = address.rstrip("/").rsplit(":", 1)[1]
    acknowledged: dict[tuple[str, int], dict] = {}

    async def run() -> list[str]:
        nonlocal process
        limits = httpx.Limits(max_connections=NUM_RATERS)
        async with httpx.AsyncClient(base_url=address, limits=limits, timeout=30) as client:
            raters = asyncio.gather(
                *(answer_all(client, n, lists, acknowledged) for n in range(NUM_RATERS))
            )
            for kill in range(1, NUM_KILLS + 1):
                due = kill * NUM_RATERS * NUM_TRIALS // (NUM_KILLS + 1)
                while len(acknowledged) < due and not raters.done():
                    await asyncio.sleep(0.005)
                assert not raters.done(), "the raters were done before the server was killed"
                process.send_signal(signal.SIGKILL)
                process.communicate()
                before = dict(acknowledged)
                there = kept(database)
                assert {key: there.get(key) for key in before} == before
                process, _ = await asyncio.to_thread(
                    start, start_program, study, database, f"--port={port}", *rates
                )
            return await raters

    try:
        codes = asyncio.run(run())
    finally:
        process.kill()
        process.communicate()
    assert kept(database) == acknowledged
    assert len(acknowledged) == NUM_RATERS * NUM_TRIALS
    assert len(set(codes)) == NUM_RATERS
    counts = collections.Counter(number for (number,) in rows(database, "SELECT list FROM raters"))
    assert sum(counts.values()) == NUM_RATERS  # a request repeated made no second rater
    assert len(counts) == NUM_LISTS
    assert max(counts.values()) - min(counts.values()) <= 1


def test_two_collectors_on_one_database_balance_together(study, tmp_path):
    from concurrent.futures import ThreadPoolExecutor

    from reproduce.study import public_files
    from reproduce.study.store import AnswerStore

    public = public_files.read(study)
    stores = [AnswerStore(tmp_path / "answers.sqlite", public, 1000) for _ in range(2)]
    with ThreadPoolExecutor(8) as pool:
        given = list(pool.map(lambda n: stores[n % 2].assign(None)[1], range(40)))
    counts = collections.Counter(given)
    assert sorted(counts.values()) == [13, 13, 14]
    for store in stores:
        store.close()


# ----------------------------------------------------------------------------------- a rater's way


def test_a_rater_answers_resumes_and_gets_one_code(served, rater):
    client, database = served
    path, trials = rater
    assert client.get(path).json()["answered"] == []
    for trial in reversed(trials):  # in any order
        sent = answer_to(trial, "left", name="grösser 大" if trial["ask_name"] else "")
        assert client.post(f"{path}/finish").status_code == 409
        assert client.put(f"{path}/answers/{trial['trial']}", json=sent).status_code == 201
        assert client.put(f"{path}/answers/{trial['trial']}", json=sent).status_code == 200
    assert client.get(path).json()["answered"] == [0, 1, 2, 3]
    assert client.get(path).json()["done"] is True
    code = client.post(f"{path}/finish").json()["code"]
    assert client.post(f"{path}/finish").json()["code"] == code
    assert kept(database)[path.rsplit("/", 1)[1], 0]["name"] == "grösser 大"


def test_the_same_request_is_the_same_rater(served):
    client, database = served
    before = rows(database, "SELECT COUNT(*) FROM raters")[0][0]
    first = client.post("/api/raters", json={"request": "ab" * 16})
    again = client.post("/api/raters", json={"request": "ab" * 16})
    assert (first.status_code, again.status_code) == (201, 200)
    assert first.json() == again.json()
    assert rows(database, "SELECT COUNT(*) FROM raters")[0][0] == before + 1


# ------------------------------------------------------------ what is refused, and changes nothing


def everything(database: Path) -> list:
    return [rows(database, f"SELECT * FROM {table}") for table in ("study", "raters", "answers")]


MALFORMED = {
    "no JSON": (b"{", 400),
    "empty": (b"", 400),
    "no UTF-8": (b'{"item": "\xff"}', 400),
    "an array": (b"[]", 400),
    "a key twice": (b'{"side": "left", "side": "right"}', 400),
    "not a number": (b'{"rt_ms": NaN}', 400),
    "nested": (b"[" * 2000 + b"]" * 2000, 400),
    "no fields": (b"{}", 422),
    "oversized": (b'{"name": "' + b"x" * 5000 + b'"}', 413),
}


@pytest.mark.parametrize("case", MALFORMED)
def test_malformed_and_oversized_bodies_are_refused(served, rater, case):
    client, database = served
    body, status = MALFORMED[case]
    before = everything(database)
    headers = {"Content-Type": "application/json"}
    response = client.put(f"{rater[0]}/answers/0", content=body, headers=headers)
    assert response.status_code == status
    assert response.json()["error"]
    assert everything(database) == before


FORGED = {
    "swapped strips": lambda a: a | {"chosen": a["rejected"], "rejected": a["chosen"]},
    "another side": lambda a: a | {"side": "right"},
    "no side": lambda a: a | {"side": "up"},
    "a strip of another pair": lambda a: a | {"chosen": "0" * 16},
    "another item": lambda a: a | {"item": "0" * 16},
    "a field more": lambda a: a | {"simulated": "true"},
    "a field less": lambda a: {k: v for k, v in a.items() if k != "rt_ms"},
    "negative time": lambda a: a | {"rt_ms": -1},
    "time as text": lambda a: a | {"rt_ms": "1"},
    "time as boolean": lambda a: a | {"rt_ms": True},
    "time without end": lambda a: a | {"rt_ms": 10**12},
    "a fraction": lambda a: a | {"rt_ms": 1.5},
    "a long name": lambda a: a | {"name": "x" * 201},
    "two lines": lambda a: a | {"name": "a\nb"},
    "half a character": lambda a: a | {"name": "\ud800"},
    "a name as number": lambda a: a | {"name": 1},
}


@pytest.mark.parametrize("case", FORGED)
def test_forged_answers_are_refused(served, rater, case):
    client, database = served
    path, trials = rater
    before = everything(database)
    forged = FORGED[case](answer_to(trials[0], "left", name="size"))
    headers = {"Content-Type": "application/json"}
    response = client.put(f"{path}/answers/0", content=json.dumps(forged), headers=headers)
    assert response.status_code == 422, response.text
    assert everything(database) == before


def test_a_name_that_was_not_asked_for_is_refused(served, rater):
    path, trials = rater
    forged = answer_to(trials[1], "left", name="size")
    assert served[0].put(f"{path}/answers/1", json=forged).status_code == 422


def test_a_second_answer_is_refused_and_the_first_one_stands(served, rater):
    client, database = served
    path, trials = rater
    assert client.put(f"{path}/answers/1", json=answer_to(trials[1], "left")).status_code == 201
    before = everything(database)
    for other in (answer_to(trials[1], "right"), answer_to(trials[1], "left", rt_ms=1)):
        assert client.put(f"{path}/answers/1", json=other).status_code == 409
    assert everything(database) == before


def test_unknown_raters_trials_and_methods_are_refused(served, rater):
    client, database = served
    path, trials = rater
    before = everything(database)
    sent = answer_to(trials[0], "left")
    for trial in ("4", "-1", "1e0", "0x0", "9" * 5000, "²", "a"):
        assert client.put(f"{path}/answers/{trial}", json=sent).status_code == 404
    stranger = "/api/raters/" + "0" * 32
    assert client.get(stranger).status_code == 404
    assert client.put(f"{stranger}/answers/0", json=sent).status_code == 404
    assert client.post(f"{stranger}/finish").status_code == 404
    assert client.delete(path).status_code == 405
    assert client.put("/api/raters/' OR 1=1 --/answers/0", json=sent).status_code == 404
    for body in ({"request": "ab"}, {"request": 1}, {"list": 0}, {"rater": "0" * 32}):
        assert client.post("/api/raters", json=body).status_code == 422
    assert everything(database) == before


def test_what_another_site_or_a_plain_form_sends_is_refused(served, rater):
    client, database = served
    path, trials = rater
    before = everything(database)
    sent = json.dumps(answer_to(trials[0], "left"))
    for kind in ("text/plain", "application/x-www-form-urlencoded", ""):
        response = client.put(f"{path}/answers/0", content=sent, headers={"Content-Type": kind})
        assert response.status_code == 415
    crossing = {"Sec-Fetch-Site": "cross-site"}
    assert client.post("/api/raters", json={}, headers=crossing).status_code == 403
    assert "access-control-allow-origin" not in client.get("/").headers
    assert everything(database) == before


def test_a_body_that_says_it_is_small_is_cut_off(served, rater):
    host, port = served[0].base_url.host, served[0].base_url.port
    before = everything(served[1])
    with socket.create_connection((host, port), timeout=20) as connection:
        head = f"PUT {rater[0]}/answers/0 HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n"
        connection.sendall(f"{head}Content-Type: application/json\r\n\r\n".encode())
        with contextlib.suppress(OSError):
            for _ in range(3):
                connection.sendall(b"800\r\n" + b" " * 0x800 + b"\r\n")
        assert b" 413 " in connection.recv(4096)
    assert everything(served[1]) == before


# ----------------------------------------------------------------------------- what can be fetched


PROGRAMS = ("study.js", "study.css")


def told(study: Path, name: str, content: bytes) -> set[bytes]:
    """Words of the key that a file of that name contains."""
    secrets = {word.lower() for word in CONDITION_WORDS}
    with (study / "private" / "key.csv").open() as file:
        for row in csv.DictReader(file):
            secrets |= {row[name] for name in ("run", "model", "direction")}
    if name in PROGRAMS:
        # A program has words of its own, such as catch; what raters read has none of them.
        secrets -= {"catch", "target", "direction", "energy", "basis"}
    return {word.encode() for word in secrets if word.encode() in content.lower()}


def test_what_raters_read_has_no_word_of_the_key(study):
    assert not told(study, "texts.js", (PAGE / "src" / "texts.js").read_bytes())
    # The search finds what it looks for.
    assert told(study, "key.csv", (study / "private" / "key.csv").read_bytes())


def test_no_file_of_the_static_page_reveals_a_condition(tmp_path):
    from reproduce.study import static_page

    study = write_study(tmp_path / "study")
    static_page.install(study)
    files = [file for file in (study / "public").rglob("*") if file.is_file()]
    assert {"index.html", "study.js", "study.json", "0.json"} <= {file.name for file in files}
    for file in files:
        assert not told(study, file.name, file.name.encode() + file.read_bytes()), file


def test_nothing_that_can_be_fetched_reveals_a_condition(served, study):
    client, _ = served
    public = study / "public"
    names = [str(file.relative_to(public)) for file in public.rglob("*.*")]
    assert len(names) == 1 + 3 + 12
    fetched = {name: client.get(f"/{name}") for name in (*names, "", "api/raters/none")}
    fetched |= {name: client.get(f"/{name}") for name in PROGRAMS}
    for name, response in fetched.items():
        assert response.status_code == (404 if "api" in name else 200), name
        assert not told(study, name, f"{response.headers}".encode() + response.content), name
        assert not {"last-modified", "etag", "server"} & response.headers.keys()
    # All strips and lists are alike but for their contents.
    shapes = {(r.headers["content-type"], r.headers["cache-control"]) for n, r in fetched.items()
              if n.startswith("strips/")}  # fmt: skip
    assert len(shapes) == 1


@pytest.mark.parametrize(
    "path",
    [
        "/private/key.csv", "/../private/key.csv", "/%2e%2e/private/key.csv",
        "/strips/../../private/key.csv", "/strips/..%2f..%2fprivate%2fkey.csv",
        "//private/key.csv", "/key.csv", "/design.json", "/answers.sqlite", "/strips/", "/strips",
        "/lists/00.json", "/study.json%00", "/collect.py", "/page/package.json", "/dist/study.js",
        "/etc/passwd", "/file:///etc/passwd", "/STUDY.JSON", "/.git/config",
    ],
)  # fmt: skip
def test_no_path_leads_out_of_what_is_public(served, path):
    host, port = served[0].base_url.host, served[0].base_url.port
    with socket.create_connection((host, port)) as connection:  # a client would tidy the path
        connection.sendall(f"GET {path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n".encode())
        answer = b"".join(iter(lambda: connection.recv(65536), b""))
    assert answer.startswith(b"HTTP/1.1 404"), answer[:200]
    assert b"secret-run" not in answer


def test_every_response_sets_the_browsers_bounds(served):
    for path in ("/", "/study.js", "/study.json", "/api/raters/none", "/nothing"):
        headers = served[0].get(path).headers
        assert "default-src 'none'" in headers["content-security-policy"]
        assert "unsafe" not in headers["content-security-policy"]
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["referrer-policy"] == "no-referrer"
        assert headers["x-frame-options"] == "DENY"
    assert served[0].get("/study.json").headers["cache-control"] == "no-store"


def test_the_database_holds_nothing_personal(served, rater):
    columns = {
        name
        for table in ("raters", "answers", "study")
        for _, name, *_ in rows(served[1], f"PRAGMA table_info({table})")
    }
    assert columns == {
        *("identifier", "digest", "rater", "list", "request", "code"),
        *("trial", "item", "chosen", "rejected", "side", "rt_ms", "name"),
    }
    assert stat.S_IMODE(served[1].stat().st_mode) == 0o600


# ------------------------------------------------------------------------------------------- rates


def test_rates_are_bounded_for_each_address(study, tmp_path):
    from reproduce.serving.limits import RateLimit
    from reproduce.study import public_files, server
    from reproduce.study.store import AnswerStore

    now, database = 0.0, tmp_path / "answers.sqlite"
    public = public_files.read(study)
    store = AnswerStore(database, public, max_raters=100)
    requests = RateLimit(rate=1, burst=20, clock=lambda: now)
    new_raters = RateLimit(rate=3 / 60, burst=3, clock=lambda: now)
    app = server.application(public, store, requests, new_raters)

    def client(address: str) -> httpx.AsyncClient:
        transport = httpx.ASGITransport(app, client=(address, 1))
        return httpx.AsyncClient(transport=transport, base_url="http://study")

    async def ask() -> None:
        nonlocal now
        async with client("192.0.2.1") as one, client("192.0.2.2") as other:
            made = [await one.post("/api/raters", json={}) for _ in range(4)]
            assert [response.status_code for response in made] == [201, 201, 201, 429]
            assert made[-1].headers["Retry-After"] == "21"  # a new one every 20 seconds
            assert len(rows(database, "SELECT * FROM raters")) == 3
            fetched = [(await one.get("/study.json")).status_code for _ in range(20)]
            assert fetched == [200] * 16 + [429] * 4
            assert (await other.post("/api/raters", json={})).status_code == 201
            now = 20.0
            assert (await one.post("/api/raters", json={})).status_code == 201
            assert (await one.post("/api/raters", json={})).status_code == 429

    asyncio.run(ask())
    store.close()


def test_a_bucket_fills_again_and_few_are_kept():
    from reproduce.serving.limits import RateLimit

    now = 0.0
    limit = RateLimit(rate=0.5, burst=2, clock=lambda: now)
    assert [limit.take("a") for _ in range(3)] == [0, 0, 2]  # a token takes two seconds
    assert limit.take("b") == 0
    now = 2.0
    assert [limit.take("a") for _ in range(2)] == [0, 2]
    for number in range(20_000):
        limit.take(str(number))
    assert len(limit._buckets) == 10_000


def test_a_study_that_has_its_raters_lets_nobody_in(study, tmp_path):
    from reproduce.serving.refusals import Refusal
    from reproduce.study import public_files
    from reproduce.study.store import AnswerStore

    store = AnswerStore(tmp_path / "answers.sqlite", public_files.read(study), max_raters=1)
    store.assign("a")
    with pytest.raises(Refusal, match="all the raters") as refused:
        store.assign("b")
    assert refused.value.status == 403
    assert store.assign("a")[2] is False
    store.close()


# --------------------------------------------------------------------------------- flags and files


def test_export(served, rater, run_program, tmp_path):
    client, database = served
    path, trials = rater
    name = '=HYPERLINK("x"), 大'
    for trial in trials:
        sent = answer_to(trial, "right", name=name if trial["ask_name"] else "")
        client.put(f"{path}/answers/{trial['trial']}", json=sent)
    code = client.post(f"{path}/finish").json()["code"]
    output, codes = tmp_path / "answers.csv", tmp_path / "codes.csv"
    done = run_program(
        "study.collect", f"--database={database}", f"--export={output}", f"--codes={codes}"
    )  # while the collector runs
    assert (done.returncode, done.stderr) == (0, "")
    text = output.read_text()
    assert text.splitlines()[0] == (
        "rater,list,trial,item,chosen,rejected,side,rt_ms,name,simulated"
    )
    found = [row for row in csv.DictReader(io.StringIO(text)) if row["rater"] in path]
    assert [row["trial"] for row in found] == ["0", "1", "2", "3"]
    for row, trial in zip(found, trials, strict=True):
        assert (row["chosen"], row["rejected"]) == (trial["right"], trial["left"])
        assert (row["rt_ms"], row["side"], row["simulated"]) == ("1234", "right", "false")
    assert found[0]["name"] == f"'{name}"  # no spreadsheet runs it
    assert f"{path.rsplit('/', 1)[1]},{found[0]['list']},{code}" in codes.read_text().splitlines()


def damage(study: Path, how: str) -> None:
    public = study / "public"
    strip = sorted((public / "strips").iterdir())[0]
    lists = public / "lists" / "0.json"
    match how:
        case "private inside":
            (study / "private").rename(public / "private")
        case "key inside":
            (public / "strips" / "key.csv").write_text("item,strip\n")
        case "private linked into public":
            (study / "private").rename(public / "elsewhere")
            (study / "private").symlink_to(public / "elsewhere")
        case "public is a link":
            public.rename(study / "real")
            public.symlink_to(study / "real")
        case "a link in public":
            (public / "strips" / "a.png").symlink_to(study / "private" / "key.csv")
        case "a strip missing":
            strip.unlink()
        case "a strip cut":
            strip.write_bytes(strip.read_bytes()[:10])
        case "a list missing":
            lists.unlink()
        case "a list that tells":
            document = json.loads(lists.read_text())
            document["trials"][0]["kind"] = "catch"
            lists.write_text(json.dumps(document))
        case "a study cut":
            (public / "study.json").write_text('{"study": "ab')
        case "no frames":
            document = json.loads((public / "study.json").read_text())
            document["image"] = {"width": 24, "height": 24}
            (public / "study.json").write_text(json.dumps(document))


DAMAGES = {
    "private inside": "private material",
    "key inside": "private material",
    "private linked into public": "private/ is inside",
    "public is a link": "a link",
    "a link in public": "a link",
    "a strip missing": "no such strip",
    "a strip cut": "no PNG",
    "a list missing": "0.json: no such file",
    "a list that tells": "trial 0 must have",
    "a study cut": "no JSON",
    "no frames": "frames is None",
}


@pytest.mark.parametrize("how", DAMAGES)
def test_a_study_that_is_damaged_or_tells_is_not_read(tmp_path, how):
    from data.files import InputError
    from reproduce.study import public_files

    study = write_study(tmp_path / "study")
    public_files.read(study)
    damage(study, how)
    with pytest.raises(InputError, match=re.escape(DAMAGES[how])):
        public_files.read(study)


def test_mistakes_take_one_line_and_status_2(run_program, study, tmp_path, start_program):
    from reproduce.study import public_files
    from reproduce.study.store import AnswerStore

    other = write_study(tmp_path / "other", num_lists=2)
    AnswerStore(tmp_path / "other.sqlite", public_files.read(other), 1).close()
    (tmp_path / "text.sqlite").write_text("no database " * 100)
    (tmp_path / "leak").mkdir()
    leaking = write_study(tmp_path / "leak" / "study")
    damage(leaking, "private inside")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        given = f"--study={study}"
        mistakes = [
            ([given], "--database is missing"),
            ([given, f"--database={tmp_path / 'other.sqlite'}"], "other lists"),
            ([given, f"--database={tmp_path / 'text.sqlite'}"], "no database of answers"),
            ([given, f"--database={study / 'public' / 'a.sqlite'}"], "put it elsewhere"),
            ([f"--database={tmp_path / 'none.sqlite'}", "--export=a.csv"], "no such database"),
            ([f"--study={leaking}", f"--database={tmp_path / 'b.sqlite'}"], "private material"),
            (
                [given, f"--database={tmp_path / 'c.sqlite'}", f"--port={taken.getsockname()[1]}"],
                "cannot listen",
            ),
        ]
        for flags, message in mistakes:
            done = run_program("study.collect", *flags)
            (line,) = done.stderr.splitlines()
            assert (done.returncode, line[:9]) == (2, "collect: ")
            assert message in line


def test_help_answers_at_once_and_loads_no_server(run_program, monkeypatch):
    monkeypatch.setenv("PYTHONPROFILEIMPORTTIME", "1")
    for module in ("study.collect", "study.publish"):
        done = run_program(module, "--help")
        assert done.returncode == 0
        assert "--study" in done.stdout
        assert "starlette" not in done.stderr
        assert "tensorflow" not in done.stderr


def test_interrupt_ends_it_without_a_traceback(start_program, study, tmp_path):
    process, _ = start(start_program, study, tmp_path / "answers.sqlite", "--port=0")
    time.sleep(0.2)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=10)
    assert process.returncode == 130
    assert "Traceback" not in errors
    assert len(errors.splitlines()) == 1
