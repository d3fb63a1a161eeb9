"""The explorer without a server: JavaScript's frames are the server's, and an export is whole.

What the page computes is tested in Node, where there is one, and in Chromium, where there is one.
"""

from __future__ import annotations

import base64
import contextlib
import functools
import hashlib
import http.server
import json
import re
import shutil
import subprocess
import threading
import warnings
from pathlib import Path

import numpy as np
import pytest
import scipy.linalg
from explored import chain, config_of, opened, picture, shot, shown, stand_in, stand_in_of_layers
from scipy import stats

import models
from data.files import InputError
from models.architectures import NETWORKS
from models.layer_chain import LayerChain
from models.settings import BetaVAESettings, InfoGANSettings
from reproduce.explore import blind, export, frames, loaded_run
from reproduce.training.run_directory import RunDirectory
from reproduce.traversal import energy_matching

PAGE = Path(__file__).resolve().parents[3] / "reproduce" / "explore" / "page"
HERE = Path(__file__).parent
RUNS = [RunDirectory(f"runs/{name}") for name in ("grey", "colour")]


def in_node(**wishes):
    """What page/src computes in Node."""
    node = shutil.which("node")
    if node is None:
        pytest.skip("needs Node: node on the PATH")
    done = subprocess.run(
        [node, HERE / "in_node.mjs", PAGE / "src"],
        input=json.dumps(wishes),
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def load(run: RunDirectory) -> loaded_run.LoadedRun:
    name = run.path.name
    return stand_in_of_layers(3 if name == "colour" else 1, f"{name}, seed 0")


@pytest.fixture(scope="module", params=["half", "single"])
def exported(request, tmp_path_factory):
    folder = tmp_path_factory.mktemp("exported") / request.param
    export.write(folder, RUNS, load, 3, request.param)
    return folder, request.param


# --------------------------------------------------------------------------------- the bundle


def test_the_bundle_is_made_of_the_sources():
    """Without Node: the bundle names the hash of all that it was made of."""
    digest = hashlib.sha256()
    names = sorted(f"src/{file.name}" for file in (PAGE / "src").iterdir())
    for name in (*names, "build.mjs", "package-lock.json"):
        digest.update(name.encode() + b"\0" + (PAGE / name).read_bytes() + b"\0")
    head = (PAGE / "dist" / "explore.js").read_text()[:200]
    assert digest.hexdigest() in head, "dist/ is older than its sources: run make explore-page"
    assert (PAGE / "dist" / "index.html").read_bytes() == (PAGE / "src/index.html").read_bytes()


def test_the_bundle_is_built_again_to_the_same_bytes(tmp_path):
    if not (PAGE / "node_modules").is_dir() or not shutil.which("node"):
        pytest.skip("needs Node and the page's packages: make explore-page")
    for name in ("src", "build.mjs", "package.json", "package-lock.json"):
        copy = shutil.copytree if (PAGE / name).is_dir() else shutil.copy
        copy(PAGE / name, tmp_path / name)
    (tmp_path / "node_modules").symlink_to(PAGE / "node_modules")
    subprocess.run(["node", "build.mjs"], cwd=tmp_path, check=True, timeout=120)
    for file in (PAGE / "dist").iterdir():
        assert (tmp_path / "dist" / file.name).read_bytes() == file.read_bytes(), file.name


def test_the_page_is_small_and_names_no_other_server():
    for file in (PAGE / "src").iterdir():
        assert not re.search(r"https?:|//[a-z]+\.", file.read_text()), file
    assert sum(file.stat().st_size for file in (PAGE / "dist").iterdir()) < 60_000


# ------------------------------------------------------------------------------- the mathematics


def decoded(chains: list[LayerChain], points: list[np.ndarray]) -> list[list[np.ndarray]]:
    """Images that JavaScript decodes, with vector instructions and without."""
    found: list[list[np.ndarray]] = []
    for vectors in (True, False):
        wishes = [
            {
                "chain": export._chain(one, "single"),
                "points": np.ravel(some).astype(float).tolist(),
                "vectors": vectors,
            }
            for one, some in zip(chains, points, strict=True)
        ]
        answers = in_node(decode=wishes)["decode"]
        assert all(answer["hasVectors"] is vectors for answer in answers)
        shapes = [(len(some), *one.image_shape) for one, some in zip(chains, points, strict=True)]
        images = [np.array(answer["images"]) for answer in answers]
        found.append([each.reshape(shape) for each, shape in zip(images, shapes, strict=True)])
    return found


@pytest.mark.parametrize("network", NETWORKS)
def test_javascript_decodes_as_vaes_do(tensorflow, network):
    rng = np.random.default_rng(0)
    found = []
    for channels, side in ((1, 32), (3, 64)):
        if network == "higgins2017_dsprites" and channels == 3:
            continue  # ten million weights, of the layers that it has in grey
        decoder = "bernoulli" if channels == 1 else "gaussian"
        settings = BetaVAESettings(network=network, decoder=decoder)
        model = models.build(settings, (side, side, channels), 3)
        points = 5 * rng.standard_normal((3, 10)).astype(np.float32)
        found.append((model, points, model.decode(tensorflow.constant(points)).numpy()))
    for images in decoded([m.layer_chain() for m, *_ in found], [points for _, points, _ in found]):
        for (_, _, expected), got in zip(found, images, strict=True):
            np.testing.assert_allclose(got, expected, atol=1e-5)
            assert expected.std() > 1e-3


@pytest.mark.parametrize("network", ["infogan_cr_dsprites", "compact"])
def test_javascript_decodes_as_generators_do(tensorflow, network):
    rng = np.random.default_rng(0)
    settings = InfoGANSettings(network=network, codes="uniform", num_codes=3)
    model = models.build(settings, (32, 32, 1), 3)
    for variable in model.generator.variables:
        if "moving_variance" in variable.path:
            variable.assign(rng.uniform(0.5, 2, variable.shape))
        elif "moving_mean" in variable.path or "beta" in variable.path:
            variable.assign(rng.normal(0, 0.3, variable.shape))
    one = model.layer_chain()
    assert one.uniform[:3].all()
    points = rng.standard_normal((37, one.num_inputs)).astype(np.float32)  # more than a batch
    expected = model.decode(tensorflow.constant(points)).numpy()
    for (images,) in decoded([one], [points]):
        np.testing.assert_allclose(images, expected, atol=2e-5)


@pytest.mark.parametrize("channels", [1, 3])
def test_javascript_decodes_layers_of_every_kind(channels):
    """Kernels that are no multiple of their stride, leaks, scales, tanh, a uniform input."""
    one = chain(channels, np.random.default_rng(5))
    points = np.random.default_rng(1).standard_normal((5, 4))
    expected = one.decode(points)
    assert expected.std() > 0.1
    for (images,) in decoded([one], [points]):
        np.testing.assert_allclose(images, expected, atol=1e-5)


def test_searches_find_where_an_energy_is_reached_first():
    """Against the server's, on curves that rise, and on some that fall and rise again."""
    rng = np.random.default_rng(0)
    target, steps = 0.6, np.linspace(0, 3, 3001)
    curves, searches = [], []
    while len(curves) < 400:
        slope, size, pace = rng.uniform([0, 0, 0.3], [1, 0.5, 3])
        values = slope * steps + size * np.sin(pace * steps)
        turns = values[1:-1][np.diff(np.sign(np.diff(values))) != 0]
        if values.min() < -1e-9 or np.any(np.abs(np.append(turns, values[-1]) - target) < 0.03):
            continue  # what nearly touches the target is a matter of luck
        curves.append((slope, size, pace))
        guess = rng.uniform(0.1, 3)
        searches.append(
            {"target": target, "guess": guess, "slope": slope, "size": size, "pace": pace}
        )

    def decode(points):  # a pixel for each curve
        slope, size, pace = np.transpose(curves)
        step = np.abs(points).sum(axis=1, keepdims=True)
        return np.where(points != 0, slope * step + size * np.sin(pace * step), 0)[:, :, None, None]

    energy = target**2 / len(curves)
    expected, _, dead = energy_matching.matched_steps(
        decode, np.zeros((1, len(curves))), np.eye(len(curves)), energy
    )
    found = in_node(search=searches)["search"]
    assert [one["dead"] for one in found] == dead.tolist()
    assert dead.any()
    assert not dead.all()
    np.testing.assert_allclose([one["step"] for one in found], expected, atol=2e-3)


def test_geodesics_are_matrix_powers():
    """Against scipy's exponential of the logarithm."""
    rng = np.random.default_rng(0)
    cases = [
        (stats.special_ortho_group.rvs(size, random_state=rng), time)
        for size in (2, 3, 4, 7, 10)
        for time in (0.0, 0.3, 1.0, -0.6)
    ]
    wishes = [{"rotation": q.ravel().tolist(), "size": len(q), "time": t} for q, t in cases]
    for (q, time), got in zip(cases, in_node(geodesic=wishes)["geodesic"], strict=True):
        expected = scipy.linalg.expm(time * scipy.linalg.logm(q)).real
        np.testing.assert_allclose(np.reshape(got, q.shape), expected, atol=1e-9)
    (got,) = in_node(
        geodesic=[{"rotation": np.diag([1.0, 1.0, -1.0]).ravel().tolist(), "size": 3, "time": 1}]
    )["geodesic"]  # to a reflection no path leads: its last axis points the other way
    np.testing.assert_allclose(np.reshape(got, (3, 3)), np.eye(3), atol=1e-9)


def test_random_bases_are_haar_draws():
    size, count = 4, 3000
    draws = np.reshape(in_node(haar={"size": size, "count": count})["haar"], (count, size, size))
    squares = draws @ draws.swapaxes(1, 2)
    np.testing.assert_allclose(squares, np.broadcast_to(np.eye(size), squares.shape), atol=1e-9)
    # The first entry squared of a uniform unit vector is Beta(1/2, (k - 1) / 2).
    entries = draws[:, 1, 2]
    assert stats.kstest(entries**2, stats.beta(0.5, (size - 1) / 2).cdf).pvalue > 1e-4
    others = stats.ortho_group.rvs(size, size=count, random_state=np.random.default_rng(0))
    traces = [np.trace(some, axis1=1, axis2=2) for some in (draws, others)]
    assert stats.ks_2samp(*traces).pvalue > 1e-4


# --------------------------------------------------------------------------- the judge of the game


def judged(*sessions):
    wishes = [{"hidden": [*map(int, h)], "guesses": [*map(int, g)]} for h, g in sessions]
    return in_node(judge=wishes)["judge"]


def test_chance_is_what_the_same_guesses_come_to_blindly():
    """Against simulated places of the learned basis."""
    rng = np.random.default_rng(0)
    guesses = rng.integers(blind.PLACES + 1, size=7)
    hidden = np.clip(guesses + rng.integers(-30, 30, size=7), 0, blind.PLACES)
    perfect = np.array([3, 60, 100, 190, 20])
    outcome, best = judged((hidden, guesses), (perfect, perfect))
    misses = np.abs(hidden - guesses) / blind.PLACES
    np.testing.assert_allclose(outcome["misses"], misses)
    drawn = rng.integers(blind.PLACES + 1, size=(200_000, 7))
    null = np.abs(drawn - guesses) / blind.PLACES
    assert outcome["mean_miss"] == pytest.approx(misses.mean())
    assert outcome["chance_miss"] == pytest.approx(null.mean(), abs=2e-3)
    means = null.mean(axis=1)
    assert outcome["p_value"] == pytest.approx(np.mean(means <= misses.mean() + 1e-9), abs=5e-3)
    assert outcome["chance_low"] == pytest.approx(np.quantile(means, 0.025), abs=5e-3)
    assert outcome["chance_high"] == pytest.approx(np.quantile(means, 0.975), abs=5e-3)
    assert outcome["hits"] == np.sum(misses <= 0.05)
    assert outcome["chance_hits"] == pytest.approx(np.sum(null <= 0.05) / len(null), abs=2e-2)
    assert best["p_value"] == pytest.approx((blind.PLACES + 1) ** -5.0)
    assert (best["mean_miss"], best["hits"]) == (0, 5)


@pytest.mark.parametrize("rule", ["uniform", "middle", "ends"])
def test_p_is_not_too_small_for_who_sees_nothing_whatever_the_rule(rule):
    rng = np.random.default_rng(2)
    sessions = []
    for _ in range(100):
        guesses = {
            "uniform": rng.integers(blind.PLACES + 1, size=10),
            "middle": np.full(10, 100),
            "ends": rng.choice([0, blind.PLACES], size=10),
        }[rule]
        sessions.append((rng.integers(blind.PLACES + 1, size=10), guesses))
    values = [outcome["p_value"] for outcome in judged(*sessions)]
    assert stats.kstest(values, "uniform").pvalue > 1e-4


# ---------------------------------------------------------------------------------- the export


def wishes_of(run: loaded_run.LoadedRun, num_paths: int) -> list[dict]:
    return [
        {"space": space, "path": path, "image": image, "time": time}
        for space in run.spaces
        for path, image, time in ((0, 0, 0.0), (num_paths // 2, 2, 0.35), (num_paths - 1, 4, 1.0))
    ]


def compared(run: loaded_run.LoadedRun, file: Path, num_paths: int = 3) -> list[np.ndarray]:
    """How far JavaScript's pixels are from the server's, frame by frame, in 255ths."""
    wishes = wishes_of(run, num_paths)
    answers = in_node(file=str(file), wishes=wishes)["frames"]
    found = []
    for wish, answer in zip(wishes, answers, strict=True):
        space = run.spaces[wish["space"]]
        basis = frames.at(space.rotation(wish["path"]), wish["time"])
        np.testing.assert_allclose(np.reshape(answer["basis"], basis.shape), basis, atol=1e-5)
        strips = frames.draw(run, space, basis, wish["image"])
        assert answer["dead"] == strips.dead.tolist()
        # Bisections end at multiples of .1 / 1024.
        np.testing.assert_allclose(answer["steps"], strips.steps, atol=5e-3)
        pixels = np.frombuffer(base64.b64decode(answer["pixels"]), np.uint8)
        assert np.ptp(strips.frames.astype(int)) > 100
        found.append(np.abs(pixels.reshape(answer["shape"]).astype(int) - strips.frames))
    return found


def test_frames_of_an_export_are_the_servers(exported):
    folder, precision = exported
    listed = json.loads(re.search(r'id="exported">(.*)</script>', page_of(folder))[1])
    assert [one["title"] for one in listed] == ["grey, seed 0", "colour, seed 0"]
    for one, run in zip(listed, RUNS, strict=True):
        for difference in compared(load(run), folder / one["file"]):
            assert difference.max() <= (1 if precision == "single" else 4)
            assert np.mean(difference > 1) < 1e-2


def test_an_export_says_how_far_its_pixels_are_off(exported):
    folder, precision = exported
    for run in RUNS:
        staged = load(run)
        file = next(f for f in folder.glob("run-*.js") if staged.title in f.read_text())
        notice = re.search(r"pixels off by ([.\d]+) of 255", file.read_text())
        rounded = staged.layer_chain.at_precision(export.PRECISIONS[precision])
        at_starts = np.abs(rounded.decode(staged.starts) - staged.decode(staged.starts)).max()
        assert 255 * at_starts <= float(notice[1]) + 1e-4
        assert float(notice[1]) < (0.02 if precision == "single" else 4)


def test_tables_are_what_the_server_measures(exported):
    folder, _ = exported
    staged = load(RUNS[1])
    file = next(f for f in folder.glob("run-*.js") if staged.title in f.read_text())
    run = json.loads(re.fullmatch(r"[^=]*=\{\}\)\[[^]]*\]=(.*);\n", file.read_text())[1])
    for name, space in staged.spaces.items():
        written = run["spaces"][name]
        basis = frames.at(space.rotation(2), 0.25)
        expected = frames.measure(space, basis[None])
        for metric, values in written["paths"][2]["metrics"].items():
            table = np.frombuffer(base64.b64decode(values["single"]), "<f4")
            assert table[50] == pytest.approx(expected.metrics[metric][0], rel=1e-5, abs=1e-6)
        for rows in ("information", "leakage"):
            packed = written["paths"][2][rows]["half"]
            table = np.frombuffer(base64.b64decode(packed), "<f2").astype(float)
            at = table.reshape(blind.PLACES + 1, *getattr(expected, rows).shape[1:])[50]
            np.testing.assert_allclose(at, getattr(expected, rows)[0], atol=1e-3)


def page_of(folder: Path) -> str:
    return (folder / "index.html").read_text()


def contents(folder: Path) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in folder.iterdir()}


def test_the_same_export_gives_the_same_bytes_and_leaves_other_files(tmp_path):
    first, second = tmp_path / "a", tmp_path / "b"
    export.write(first, RUNS[:1], load, 1)
    second.mkdir()
    (second / "mine.txt").write_text("kept")
    export.write(second, RUNS[1:], load, 1)
    export.write(second, RUNS[:1], load, 1)  # another's place is taken
    assert contents(second) == contents(first) | {"mine.txt": b"kept"}


def test_an_export_takes_no_other_pages_place(tmp_path):
    (tmp_path / "index.html").write_text("<h1>my home page</h1>")
    with pytest.raises(InputError, match=r"index\.html is no export's page"):
        export.write(tmp_path, RUNS[:1], load, 1)
    assert contents(tmp_path) == {"index.html": b"<h1>my home page</h1>"}
    (tmp_path / "index.html").unlink()
    (tmp_path / "run-away.js").write_text("mine")
    export.write(tmp_path, RUNS[:1], load, 1)
    export.write(tmp_path, RUNS[1:], load, 1)
    assert (tmp_path / "run-away.js").read_text() == "mine"
    assert len(list(tmp_path.glob("run-*.js"))) == 2


def test_an_export_that_fails_leaves_the_one_before_whole(tmp_path):
    export.write(tmp_path, RUNS[:1], load, 1)
    before = contents(tmp_path)

    def fail(run):
        if run is RUNS[0]:
            raise InputError("the second run is damaged")
        return load(run)

    with pytest.raises(InputError, match="damaged"):
        export.write(tmp_path, RUNS[::-1], fail, 1)
    assert contents(tmp_path).items() >= before.items()
    fresh = tmp_path / "fresh"
    with pytest.raises(InputError, match="damaged"):
        export.write(fresh, RUNS[::-1], fail, 1)
    assert not (fresh / "index.html").exists()


def test_what_is_no_chain_of_layers_is_left_out_or_refused(tmp_path, caplog):
    def other(run):
        return load(run) if run is RUNS[1] else stand_in()

    export.write(tmp_path, RUNS, other, 1)
    assert "runs/grey is left out: only the served explorer" in caplog.text
    assert "colour, seed 0" in page_of(tmp_path)
    with pytest.raises(InputError, match="only the served explorer"):
        export.write(tmp_path / "none", RUNS[:1], other, 1)
    assert not (tmp_path / "none").exists()


def test_weights_beyond_half_precision_are_refused(tmp_path):
    def large(run):
        staged = load(run)
        kernel = staged.layer_chain.layers[1].kernel
        kernel[0, 0] = 1e6
        return staged

    with warnings.catch_warnings():
        warnings.simplefilter("error", RuntimeWarning)
        with pytest.raises(InputError, match="--weights=single"):
            export.write(tmp_path, RUNS[:1], large, 1)
    export.write(tmp_path, RUNS[:1], large, 1, "single")


def test_the_program_exports_a_trained_run(trained_run, run_program, tmp_path):
    flags = [f"--run={trained_run.path}", f"--export={tmp_path / 'page'}", "--num_paths=1"]
    done = run_program("explore", *flags, "--weights=single")
    assert done.returncode == 0, done.stderr
    assert "index.html opens in any browser" in done.stdout
    (file,) = (tmp_path / "page").glob("run-*.js")
    run = loaded_run.load(trained_run, [])
    for difference in compared(run, file, 1):
        assert difference.max() <= 1


def test_the_programs_mistakes_are_named_in_one_line(trained_run, run_program, tiny, tmp_path):
    (tmp_path / "file").write_text("")
    glow = RunDirectory(tmp_path / "glow")
    with glow.locked():
        glow.claim(config_of(tiny, "beta_vae"))
    for flags, words in (
        ([f"--export={tmp_path / 'file'}", f"--run={trained_run.path}"], "is no folder"),
        ([f"--export={tmp_path / 'a'}", f"--run={tmp_path / 'nowhere'}"], "holds no run"),
        ([f"--export={tmp_path / 'a'}", f"--run={glow.path}"], "is unfinished"),
        ([f"--export={tmp_path / 'a'}", f"--run={glow.path}", "--weights=tiny"], "weights"),
    ):
        done = run_program("explore", *flags)
        assert done.returncode == 2, done.stderr
        assert words in done.stderr
        assert done.stderr.strip().count("\n") == 0
        assert not (tmp_path / "a").exists()


# --------------------------------------------------------------------------------- in a browser


@contextlib.contextmanager
def served(folder: Path):
    """The folder on a web host."""
    handler = functools.partial(http.server.SimpleHTTPRequestHandler, directory=folder)
    handler.log_message = lambda *_: None
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()
        thread.join()


def canvases(page) -> list[np.ndarray]:
    """The pixels of all strips, RGBA."""
    found = page.locator("canvas.strip").evaluate_all(
        "all => all.map((c) => [c.height, c.width, "
        "[...c.getContext('2d').getImageData(0, 0, c.width, c.height).data]])"
    )
    return [np.reshape(values, (height, width, 4)) for height, width, values in found]


def assert_shows(page, strips: frames.Strips, most: int) -> None:
    """That canvases show strips, up to so many 255ths."""
    side = strips.frames.shape[3]
    for canvas, strip in zip(canvases(page), strips.frames, strict=True):
        for index, image in enumerate(strip):
            left = index * (side + 1)
            seen = canvas[:, left : left + side, :3]
            assert np.abs(seen.astype(int) - image).max() <= most


def test_an_export_opens_from_a_disk_on_a_desktop(browser, exported):
    folder, precision = exported
    most = 1 if precision == "single" else 4
    address = (folder / "index.html").as_uri()
    with opened(browser, address, viewport={"width": 1280, "height": 800}) as page:
        shown(page, 0)
        staged = load(RUNS[0])
        space = staged.spaces["active"]
        assert_shows(page, frames.draw(staged, space, np.eye(3), 0), most)
        assert "Discs are drawn." in page.locator("#foot").inner_text()
        assert f"weights in {precision} precision" in page.locator("#foot").inner_text()
        page.locator("#slider").focus()
        page.keyboard.press("End")
        shown(page, 200)
        assert_shows(page, frames.draw(staged, space, frames.at(space.rotation(0), 1), 0), most)
        page.get_by_role("button", name="Next random basis").click()
        page.get_by_role("button", name="Next starting image").click()
        page.locator("#slider").fill("50")
        shown(page, 50)
        page.wait_for_function("!document.querySelector('#rows').hasAttribute('aria-busy')")
        basis = frames.at(space.rotation(1), 0.25)
        page.locator('#slider[aria-valuetext^="25%"]').wait_for()
        assert_shows(page, frames.draw(staged, space, basis, 1), most)
        measured = frames.measure(space, basis[None])
        value = page.locator(".metric output").first.inner_text()
        assert float(value) == pytest.approx(measured.metrics["mig"][0], abs=6e-4)
        cell = page.locator(".heat span").first.get_attribute("title")
        assert cell == f"pos x {round(100 * measured.leakage[0, 0, 0])}%".replace(" x", "_x")
        page.get_by_role("button", name="Next random basis").click()
        page.locator("#path", has_text="3").wait_for()
        assert page.get_by_role("button", name="Next random basis").is_disabled()
        page.locator("#run").select_option("1")
        page.get_by_text("colour, seed 0 on").wait_for()
        shown(page, 0)
        coloured = load(RUNS[1])
        assert_shows(page, frames.draw(coloured, coloured.spaces["active"], np.eye(3), 1), most)
        shot(page, f"static_desktop_{precision}")


def test_the_blind_game_of_an_export_over_http_on_a_phone(browser, exported):
    folder, _ = exported
    phone = {"viewport": {"width": 390, "height": 844}, "has_touch": True, "is_mobile": True}
    with served(folder) as address, opened(browser, address, **phone) as page:
        shown(page, 0)
        shot(page, "static_phone")
        page.get_by_role("button", name="Play blind").tap()
        page.get_by_text("seen this model's learned axes unhidden").wait_for()
        page.locator("#rounds").select_option("5")
        page.get_by_role("button", name="Begin").tap()
        for number in range(5):
            page.get_by_text(f"Round {number + 1} of 5").first.wait_for()
            shown(page, 100)
            page.locator("#slider").fill("0")
            shown(page, 0)
            assert len(picture(page)) == 3
            for element in ("#plot", "#side", ".heat >> nth=0", "#to-learned"):
                assert page.locator(element).is_hidden()
            page.get_by_role("button", name="The learned basis is here").tap()
        page.locator("#headline", has_text=re.compile("chance|blind")).wait_for()
        assert "memory" in page.locator("#sentence").inner_text()
        assert page.locator(".track").count() == 5
        assert page.evaluate("document.documentElement.scrollWidth") <= 390
        shot(page, "static_phone_result")


def test_a_file_that_was_not_copied_is_named(browser, exported, tmp_path):
    folder, _ = exported
    shutil.copytree(folder, tmp_path / "page")
    for file in (tmp_path / "page").glob("run-*.js"):
        file.unlink()
    page = browser.new_page()
    page.goto((tmp_path / "page" / "index.html").as_uri())
    page.locator("#problem", has_text="put it beside the page again").wait_for()
    page.close()
