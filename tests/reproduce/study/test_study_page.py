"""The experiment page in a real browser, from consent to code: desktop and phone, hand and keys."""

from __future__ import annotations

import base64
import contextlib
import csv
import functools
import hashlib
import http.server
import io
import json
import os
import re
import shutil
import sqlite3
import subprocess
import threading
from pathlib import Path

import numpy as np
import pytest
from browsers import PATIENCE
from PIL import Image
from study_folder import FRAMES, read_lists, write_study

PAGE = Path(__file__).resolve().parents[3] / "reproduce" / "study" / "page"
DESKTOP = {"viewport": {"width": 1280, "height": 800}}
PHONE = {
    # As sharp as a real one only where somebody looks at pictures of it: it takes its time.
    "viewport": {"width": 390, "height": 844},
    "device_scale_factor": 2 if "AXISBIAS_SHOTS" in os.environ else 1,
    **{"has_touch": True, "is_mobile": True},
}
NUM_TRIALS = 4


def test_the_bundle_is_made_of_the_sources():
    """Without Node: the bundle names the hash of all that it was made of."""
    digest = hashlib.sha256()
    names = sorted(f"src/{file.name}" for file in (PAGE / "src").iterdir())
    for name in (*names, "build.mjs", "package-lock.json"):
        digest.update(name.encode() + b"\0" + (PAGE / name).read_bytes() + b"\0")
    head = (PAGE / "dist" / "study.js").read_text()[:200]
    assert digest.hexdigest() in head, "dist/ is older than its sources: run make study-page"
    assert (PAGE / "dist" / "index.html").read_bytes() == (PAGE / "src/index.html").read_bytes()


def test_the_bundle_is_built_again_to_the_same_bytes(tmp_path):
    if not (PAGE / "node_modules").is_dir() or not shutil.which("node"):
        pytest.skip("needs Node and the page's packages: make study-page")
    for name in ("src", "build.mjs", "mit.txt", "package.json", "package-lock.json"):
        copy = shutil.copytree if (PAGE / name).is_dir() else shutil.copy
        copy(PAGE / name, tmp_path / name)
    (tmp_path / "node_modules").symlink_to(PAGE / "node_modules")
    subprocess.run(["node", "build.mjs"], cwd=tmp_path, check=True, timeout=120)
    for file in (PAGE / "dist").iterdir():
        assert (tmp_path / "dist" / file.name).read_bytes() == file.read_bytes(), file.name


def test_the_page_names_no_other_server():
    """Nor does any code of it, but in comments on licences and jsPsych's help texts."""
    for file in (PAGE / "src").iterdir():
        assert not re.search(r"https?:|//[a-z]+\.", file.read_text()), file
    assert "@import" not in (PAGE / "dist" / "study.css").read_text()
    assert "url(" not in (PAGE / "dist" / "study.css").read_text()


# ------------------------------------------------------------------------------------ in a browser


@pytest.fixture(scope="module")
def study(tmp_path_factory) -> Path:
    from reproduce.study import static_page

    folder = write_study(tmp_path_factory.mktemp("page") / "study", num_lists=2)
    static_page.install(folder)
    return folder


@pytest.fixture(scope="module")
def collector(start_program, study, tmp_path_factory):
    """A collector's address and its database."""
    database = tmp_path_factory.mktemp("database") / "answers.sqlite"
    process = start_program(
        "study.collect", f"--study={study}", f"--database={database}", "--port=0"
    )
    line = process.stdout.readline()
    if not line.startswith("http://"):
        pytest.fail(process.communicate()[1])
    yield line.split()[0], database
    process.kill()
    process.communicate()


@pytest.fixture(scope="module")
def static(study):
    """The address of STUDY/public on a web server that knows nothing of studies."""

    class Handler(http.server.SimpleHTTPRequestHandler):
        def translate_path(self, path):
            """JATOS serves a study's files below /publix/."""
            return super().translate_path(re.sub("^/publix/[^/]*", "", path))

        def log_message(self, *_):
            pass

    handler = functools.partial(Handler, directory=study / "public")
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}/"
        server.shutdown()


@contextlib.contextmanager
def opened(browser, address: str, *, allowed: str = "nothing", prepare=None, **settings):
    """A page in a fresh profile; fails if it asks another server for anything, or logs an error.

    Errors that have `allowed` in them are meant; `prepare` is called on the page first.
    """
    context = browser.new_context(**settings)
    page = context.new_page()
    page.set_default_timeout(PATIENCE)
    page.faults = []
    origin = address.split("/")[2]
    page.on(
        "request",
        lambda request: (
            page.faults.append(request.url)
            if origin != request.url.split("/")[2] and not request.url.startswith("data:")
            else None
        ),
    )
    page.on("pageerror", lambda error: page.faults.append(str(error)))
    page.on(
        "console",
        lambda message: page.faults.append(message.text) if message.type == "error" else None,
    )
    if prepare:
        prepare(page)
    page.goto(address)
    yield page
    assert [fault for fault in page.faults if allowed not in fault] == []
    context.close()


class Rater:
    """Goes through the page by one means alone: mouse, touch or keys."""

    def __init__(self, page, means: str, shots: str | None = None):
        self.page = page
        self.means = means
        self.shots = shots
        self.number = 0

    def at(self, heading: str) -> None:
        """Waits for a page; its heading must have the focus, for screen readers to start there."""
        self.page.get_by_role("heading", name=heading, level=1).wait_for()
        self.shot(heading)

    def shot(self, what: str) -> None:
        """A picture of the page, where asked for: AXISBIAS_SHOTS=FOLDER."""
        folder = os.environ.get("AXISBIAS_SHOTS")
        if folder and self.shots:
            self.number += 1
            name = re.sub(r"\W+", "_", f"{self.shots}_{self.number:02d}_{what}")
            self.page.screenshot(path=Path(folder) / f"{name}.png", full_page=True)

    def use(self, locator) -> None:
        """Clicks, taps, or goes there by the Tab key and presses it."""
        if self.means == "mouse":
            locator.click()
        elif self.means == "touch":
            locator.tap()
        else:
            locator.wait_for()
            for _ in range(20):
                if locator.evaluate("element => element === document.activeElement"):
                    break
                self.page.keyboard.press("Tab")
            else:
                raise AssertionError(f"the Tab key does not reach {locator}")
            is_box = locator.get_attribute("type") == "checkbox"
            self.page.keyboard.press("Space" if is_box else "Enter")

    def button(self, name: str) -> None:
        self.use(self.page.get_by_role("button", name=name, exact=True))

    def choose(self, letter: str) -> None:
        """Chooses a strip; by keys, A by a letter and B by an arrow."""
        strip = self.page.get_by_role("button", name=f"Choose {letter}.")
        strip.wait_for()
        if self.means == "keys":
            self.page.keyboard.press({"A": "f", "B": "ArrowRight"}[letter])
        else:
            self.use(strip)

    def begin(self) -> None:
        """Consent, instructions, practice with one right and one wrong answer."""
        self.at("Would you like to take part?")
        self.button("Begin")
        assert self.page.get_by_role("alert").inner_text().startswith("Tick the box")
        self.use(self.page.get_by_role("checkbox", name="I have read this"))
        self.button("Begin")
        self.at("What to do")
        self.button("Practise")
        for letter, word in (("A", "Right."), ("A", "Not quite.")):
            self.at("Which strip changes just one thing?")
            self.choose(letter)
            feedback = self.page.get_by_role("status").filter(has_text=word)
            feedback.wait_for()
            assert "size" in feedback.inner_text()
            self.shot("feedback")
            self.button("Next")
            feedback.wait_for(state="detached")  # till then a key is the old pair's, and lost
        self.at("That was the practice")
        self.button("Start")

    def answer(self, number: int, letter: str, name: str | None = None) -> None:
        """One pair."""
        self.page.get_by_text(f"Pair {number + 1} of {NUM_TRIALS}").wait_for()
        self.at("Which strip changes just one thing?")
        self.choose(letter)
        if name is not None:
            box = self.page.get_by_role("textbox", name=f"What changed in strip {letter}?")
            box.wait_for()
            assert box.evaluate("element => element === document.activeElement")
            self.shot("naming")
            self.page.keyboard.type(name)
            self.button("Continue")

    def finish(self) -> str:
        """All pairs, with the break, to the code."""
        for number in range(NUM_TRIALS):
            self.answer(number, "AB"[number % 2], "the size" if number == 0 else None)
            if number == 1:
                self.at("Time for a break")
                self.button("Go on")
        return self.code()

    def code(self) -> str:
        self.at("Thank you!")
        code = self.page.locator("output").inner_text()
        assert re.fullmatch("[0-9a-f]{10}", code)
        return code


def kept(database: Path, code: str) -> tuple[int, list[tuple]]:
    """The list and answers of the rater with that code."""
    with contextlib.closing(sqlite3.connect(database)) as connection:
        ((rater, number),) = connection.execute(
            "SELECT rater, list FROM raters WHERE code = ?", (code,)
        ).fetchall()
        query = "SELECT item, chosen, rejected, side, name FROM answers WHERE rater = ?"
        return number, connection.execute(f"{query} ORDER BY trial", (rater,)).fetchall()


def expected(trials: list[dict]) -> list[tuple]:
    """What `Rater.finish` chose, worked out from the list: left, right, left, right."""
    rows = []
    for trial in trials:
        chosen, rejected = ("left", "right") if trial["trial"] % 2 == 0 else ("right", "left")
        name = "the size" if trial["trial"] == 0 else ""
        rows.append((trial["item"], trial[chosen], trial[rejected], chosen, name))
    return rows


WAYS = [("desktop", "mouse"), ("desktop", "keys"), ("phone", "touch"), ("phone", "keys")]


@pytest.mark.parametrize(("device", "means"), WAYS)
def test_from_consent_to_code_with_the_collector(browser, study, collector, device, means):
    address, database = collector
    settings = DESKTOP if device == "desktop" else PHONE
    with opened(browser, address, **settings) as page:
        rater = Rater(page, means, shots=f"{device}_{means}")
        rater.begin()
        code = rater.finish()
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    number, found = kept(database, code)
    assert found == expected(read_lists(study)[number])


def test_from_consent_to_code_from_the_disk(browser, study, tmp_path):
    address = (study / "public" / "index.html").as_uri()
    with opened(browser, f"{address}?list=1", accept_downloads=True, **DESKTOP) as page:
        rater = Rater(page, "mouse", shots="static_disk")
        rater.begin()
        code = rater.finish()
        with page.expect_download() as download:
            page.get_by_role("link", name="Download the answers").click()
        assert download.value.suggested_filename == f"answers-{code}.csv"
        download.value.save_as(tmp_path / "answers.csv")
    content = (tmp_path / "answers.csv").read_bytes()
    assert hashlib.sha256(content).hexdigest().startswith(code)
    answers = list(csv.DictReader(content.decode().splitlines()))
    assert list(answers[0]) == [
        *("rater", "list", "trial", "item", "chosen", "rejected", "side", "rt_ms", "name"),
        "simulated",
    ]
    columns = ("item", "chosen", "rejected", "side", "name")
    assert [tuple(row[c] for c in columns) for row in answers] == expected(read_lists(study)[1])
    assert {(row["list"], row["simulated"]) for row in answers} == {("1", "false")}
    assert all(0 < int(row["rt_ms"]) <= 24 * 3600 * 1000 for row in answers)


def test_as_a_component_of_jatos(browser, study, static):
    """Against a stand-in with the three functions of jatos.js that the page calls."""
    script = """window.sent = []; window.ended = []; window.jatos = {
        studyResultId: "7",
        onLoad: (go) => setTimeout(go, 10),
        submitResultData: async (data) => window.sent.push(data),
        endStudyWithoutRedirect: (ok) => window.ended.push(ok),
    };"""

    def prepare(page):
        page.route("**/jatos.js", lambda route: route.fulfill(body=script))

    with opened(
        browser, f"{static}publix/abc/index.html?list=0", prepare=prepare, **DESKTOP
    ) as page:
        rater = Rater(page, "mouse")
        rater.begin()
        code = rater.finish()
        sent = page.evaluate("window.sent")
        assert page.evaluate("window.ended") == [True]
        assert page.get_by_role("link", name="Download the answers").count() == 0
    assert len(sent) == NUM_TRIALS + 1  # after every answer, and once more at the end
    assert [len(text.splitlines()) for text in sent] == [2, 3, 4, 5, 5]
    assert hashlib.sha256(sent[-1].encode()).hexdigest().startswith(code)


def forget_answers(database: Path, rater: str) -> None:
    with contextlib.closing(sqlite3.connect(database, timeout=10)) as connection:
        found = connection.execute("DELETE FROM answers WHERE rater = ?", (rater,))
        assert found.rowcount == 2
        connection.commit()


@pytest.mark.parametrize("mode", ["collector", "static"])
def test_a_closed_tab_goes_on_where_it_was(browser, study, collector, static, mode):
    address = collector[0] if mode == "collector" else f"{static}?list=1"
    with opened(browser, address, **PHONE) as page:
        rater = Rater(page, "touch", shots=f"resumed_{mode}")
        rater.begin()
        rater.choose("B")  # chosen, but what changed is not typed yet
        page.get_by_role("textbox").wait_for()
        page.reload()
        rater.at("Welcome back")
        assert f"0 of {NUM_TRIALS} pairs" in page.inner_text("main")
        rater.button("Go on")
        page.get_by_role("textbox", name="What changed in strip B?").wait_for()
        rater.button("I cannot say")
        rater.answer(1, "A")
        rater.at("Time for a break")
        if mode == "collector":  # whose database is put back to what it was before, besides
            stored = page.evaluate("Object.values(localStorage)[0]")
            forget_answers(collector[1], json.loads(stored)["rater"])
        again = page.context.new_page()
        page.close()
        again.set_default_timeout(PATIENCE)
        again.goto(address)
        rater.page = again
        rater.at("Welcome back")
        assert f"2 of {NUM_TRIALS} pairs" in again.inner_text("main")
        rater.button("Go on")
        rater.answer(2, "A")
        rater.answer(3, "A")
        code = rater.code()
        again.reload()
        assert rater.code() == code
        again.once("dialog", lambda dialog: dialog.accept())
        rater.button("Start for another person")
        rater.at("Would you like to take part?")
    if mode == "collector":
        _, found = kept(collector[1], code)
        assert [row[3] for row in found] == ["right", "left", "left", "left"]
        assert found[0][4] == ""


def test_answers_wait_until_the_collector_is_back(browser, collector):
    address, database = collector
    with opened(browser, address, allowed="Failed to load", **DESKTOP) as page:
        rater = Rater(page, "keys", shots="offline")
        rater.begin()
        rater.at("Which strip changes just one thing?")
        page.wait_for_load_state("networkidle")  # the next pairs are loaded ahead
        page.context.set_offline(True)
        rater.answer(0, "A", "colour")
        rater.answer(1, "B")
        notice = page.get_by_role("status").filter(has_text="Not saved yet")
        notice.wait_for()
        rater.at("Time for a break")
        page.context.set_offline(False)
        notice.wait_for(state="detached")
        rater.button("Go on")
        rater.answer(2, "A")
        rater.answer(3, "A")
        code = rater.code()
    assert [row[3] for row in kept(database, code)[1]] == ["left", "right", "left", "left"]


def pixels(page) -> list[np.ndarray]:
    """What the canvases of the pair show, as arrays."""
    texts = page.evaluate(
        """[...document.querySelectorAll("canvas")].map((canvas) => canvas.toDataURL())"""
    )
    contents = [base64.b64decode(text.split(",")[1]) for text in texts]
    return [np.asarray(Image.open(io.BytesIO(content)).convert("RGB")) for content in contents]


def test_still_pictures_are_the_frames_and_moving_ones_move(browser, study, collector):
    practice = json.loads((study / "public" / "study.json").read_text())["practice"][0]
    frames = []
    for side in ("left", "right"):
        strip = np.asarray(Image.open(study / "public" / "strips" / f"{practice[side]}.png"))
        frames += np.split(strip, FRAMES, axis=1)
    for motion in ("reduce", "no-preference"):
        with opened(browser, collector[0], reduced_motion=motion, **PHONE) as page:
            rater = Rater(page, "touch", shots=f"motion_{motion}")
            page.get_by_role("checkbox").check()
            rater.button("Begin")
            rater.button("Practise")
            if motion == "reduce":
                rater.at("Which strip changes just one thing?")
                rater.button("Show moving pictures")
            rater.at("Which strip changes just one thing?")
            seen = set()
            for _ in range(40):
                shown = pixels(page)
                assert len(shown) == 2
                numbers = [
                    next(n for n in range(FRAMES) if (frames[n + start] == picture).all())
                    for start, picture in zip((0, FRAMES), shown, strict=True)
                ]
                assert numbers[0] == numbers[1]  # in step
                seen.add(numbers[0])
                page.wait_for_timeout(50)
            assert len(seen) > 2
            rater.button("Show still pictures")
            rater.at("Which strip changes just one thing?")
            for found, frame in zip(pixels(page), frames, strict=True):
                np.testing.assert_array_equal(found, frame)


def test_a_picture_that_fails_is_tried_again(browser, collector):
    broken = [True]

    def serve(route):
        route.abort() if broken else route.continue_()

    def prepare(page):
        page.route("**/strips/*", serve)

    settings = {"allowed": "ERR_FAILED", "prepare": prepare, **DESKTOP}
    with opened(browser, collector[0], **settings) as page:
        rater = Rater(page, "mouse", shots="failed")
        page.get_by_role("checkbox").check()
        rater.button("Begin")
        rater.button("Practise")
        rater.at("That did not work")
        broken.clear()
        rater.button("Try again")
        rater.at("Which strip changes just one thing?")


def test_who_declines_leaves_nothing_behind(browser, collector):
    address, database = collector
    with contextlib.closing(sqlite3.connect(database)) as connection:
        count = "SELECT COUNT(*) FROM raters"
        before = connection.execute(count).fetchone()
        with opened(browser, address, **DESKTOP) as page:
            rater = Rater(page, "mouse", shots="declined")
            rater.button("No, thank you")
            rater.at("Thank you all the same")
            assert page.evaluate("localStorage.length") == 0
        assert connection.execute(count).fetchone() == before
