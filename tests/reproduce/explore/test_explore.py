"""The explorer: its frames are reproduce.traverse's, its metrics the kit's, its game is blind."""

from __future__ import annotations

import dataclasses
import itertools
import json
import shutil
import struct
import threading

import numpy as np
import pytest
from explored import (
    FACTORS,
    config_of,
    decode,
    encode,
    opened,
    picture,
    predict,
    shot,
    shown,
    stand_in,
)

from data.files import InputError, load_npz
from reproduce.basis import representation
from reproduce.explore import blind, frames, loaded_run
from reproduce.metrics import basis_scorer
from reproduce.metrics.information import entropies, mutual_information
from reproduce.metrics.mig import mig
from reproduce.training.run_directory import RunDirectory


@pytest.fixture(scope="module")
def staged():
    return stand_in()


def test_the_active_latents_come_first(staged):
    assert list(staged.spaces) == ["active", "latents"]
    assert staged.spaces["active"].labels == ("latent 0", "latent 1", "latent 2")
    assert staged.spaces["latents"].size == 4


def test_the_path_leads_from_the_learned_axes_to_random_ones(staged):
    rotation = staged.spaces["latents"].rotation(7)
    np.testing.assert_allclose(frames.at(rotation, 0), np.eye(4), atol=1e-9)
    np.testing.assert_allclose(np.abs(frames.at(rotation, 1)), np.abs(rotation), atol=1e-9)
    _, path = frames.path_of(rotation)
    squares = path @ path.swapaxes(1, 2)
    np.testing.assert_allclose(squares, np.broadcast_to(np.eye(4), squares.shape), atol=1e-9)
    speeds = [np.linalg.norm(b - a) for a, b in itertools.pairwise(path)]
    assert np.ptp(speeds) < 1e-6


def test_metrics_are_the_kits_for_the_same_basis(staged):
    encoded, space = encode(), staged.spaces["active"]
    basis = frames.at(space.rotation(3), 0.3)
    measured = frames.measure(space, basis[None])
    latents = encoded.latents[:, :3]
    turned = (latents - latents.mean(axis=0)) / latents.std(axis=0) @ basis
    points = dataclasses.replace(encoded, latents=turned, log_variance=None).points()
    for name, value in basis_scorer.score(points, list(loaded_run.METRICS), 0).items():
        assert measured.metrics[name][0] == pytest.approx(value, abs=1e-9), name
    information = mutual_information(turned, encoded.factors)
    shares = information / entropies(encoded.factors)
    np.testing.assert_allclose(measured.information[0], shares, atol=1e-9)
    assert measured.metrics["mig"] == pytest.approx(mig(information, entropies(encoded.factors)))
    both = frames.measure(space, np.stack([np.eye(3), basis]))
    assert both.metrics["mig"][0] > 2 * measured.metrics["mig"][0]
    for name, values in both.metrics.items():
        np.testing.assert_allclose(values[1], measured.metrics[name][0], atol=1e-9)


@pytest.mark.parametrize("name", ["active", "latents"])
def test_leakage_rows_are_those_of_steps_along_the_turned_axes(staged, name):
    """Against the predicted factors of images at both ends of small steps, axis by axis."""
    space = staged.spaces[name]
    basis = frames.at(space.rotation(1), 0.6)
    (rows,) = frames.measure(space, basis[None]).leakage
    scales = np.array([2.0, 2.0, 0.3])
    for direction, row in zip(space.embed(basis.T), rows, strict=True):
        ends = [predict(decode(staged.starts + sign * 0.01 * direction)) for sign in (1, -1)]
        change = np.abs(ends[0] - ends[1]).mean(axis=0) / scales
        np.testing.assert_allclose(row, change / change.sum(), atol=0.02)
    (pure,) = frames.measure(space, np.eye(space.size)[None]).leakage
    np.testing.assert_allclose(pure[:3], np.eye(3), atol=0.03)


# --------------------------------------------------------------------------- against the programs


def test_frames_are_those_of_reproduce_traverse(trained_run, run_program, tmp_path):
    loaded = loaded_run.load(trained_run, loaded_run.find_predictors(trained_run))
    space = loaded.spaces["active"]
    assert space.size > 2
    between = frames.at(space.rotation(4), 0.37)
    np.save(tmp_path / "between.npy", space.embed(between.T))
    flags = [f"--run_dir={trained_run.path}", "--image=3", "--seed=4", "--num_random_bases=1"]
    done = run_program("traverse", *flags, f"--basis_file={tmp_path / 'between.npy'}")
    assert done.returncode == 0, done.stderr
    theirs = load_npz(trained_run.traversals_file)
    active = representation.load(trained_run.representation_file).active()
    rotation = space.rotation(4)
    ends = frames.at(rotation, 1)
    # To a reflection no path leads: its last axis points the other way.
    turned = theirs["random_0/frames"]
    if np.linalg.det(rotation) < 0:
        turned = np.concatenate([turned[:-1], turned[-1:, ::-1]])
    pairs = [(np.eye(space.size), theirs["learned/frames"][active]), (ends, turned)]
    for basis, expected in [*pairs, (between, theirs["given/frames"])]:
        ours = frames.draw(loaded, space, basis, 3)
        assert ours.frames.dtype == np.uint8
        # Other batches round otherwise.
        assert np.abs(ours.frames.astype(int) - expected).max() <= 1
    assert len(np.unique(frames.draw(loaded, space, between, 3).frames)) > 50
    assert loaded.factor_names == ("pos_y", "pos_x")
    assert space.derivative is not None


def test_an_unfinished_run_is_named(trained_run, tmp_path):
    run = RunDirectory(tmp_path / "unfinished")
    with run.locked():
        run.claim(trained_run.read_config())
    with pytest.raises(InputError, match="unfinished"):
        loaded_run.load(run, [])


def test_a_run_that_was_not_encoded_is_named(trained_run, tmp_path):
    run = RunDirectory(shutil.copytree(trained_run.path, tmp_path / "run"))
    run.representation_file.unlink()
    with pytest.raises(InputError, match=r"representation\.npz"):
        loaded_run.load(run, [])


def test_mistakes_are_named_in_one_line(run_program, tiny, tmp_path):
    predictor = RunDirectory(tmp_path / "predictors" / "p")
    with predictor.locked():
        predictor.claim(config_of(tiny, "factor_predictor"))
    for flags, words in (
        ([], "--run is missing"),
        ([f"--run={tmp_path / 'nowhere'}"], "holds no run"),
        ([f"--run={predictor.path}"], "no generative model's run"),
    ):
        done = run_program("explore", *flags)
        assert done.returncode == 2
        assert done.stderr.startswith("explore: ")
        assert words in done.stderr
        assert done.stderr.count("\n") == 1


# ------------------------------------------------------------------------------- the blind game


def test_a_round_hides_the_learned_axes_at_its_place(staged):
    rng = np.random.default_rng(1)
    rounds = blind.draw_rounds(staged.spaces["active"], 20, 5, rng)
    for one in rounds:
        found = one.basis(one.hidden)
        np.testing.assert_allclose(np.sort(np.abs(found), axis=0)[:-1], 0, atol=1e-9)
        other = one.basis(blind.PLACES if one.hidden < blind.PLACES / 2 else 0)
        assert np.abs(other).max(axis=0).min() < 0.999
    assert len({one.hidden for one in rounds}) > 10
    assert {one.image for one in rounds} == set(range(5))


def test_in_a_plane_there_is_no_game(staged):
    flat = dataclasses.replace(staged.spaces["active"], labels=("a", "b"))
    with pytest.raises(InputError, match="quarter turn"):
        blind.draw_rounds(flat, 5, 5, np.random.default_rng(0))


# ---------------------------------------------------------------------------------- the server


@pytest.fixture
def explorer(tmp_path, tiny):
    from reproduce.explore import server

    config = config_of(tiny, "beta_vae")
    runs = []
    for seed in range(2):
        run = RunDirectory(tmp_path / f"run{seed}")
        with run.locked():
            run.claim(dataclasses.replace(config, seed=seed))
        runs.append(run)

    def load(run):
        return stand_in(loaded_run.title_of(run))

    return server.Explorer(runs, load, np.random.default_rng(3))


@pytest.fixture
def client(explorer):
    testclient = pytest.importorskip("starlette.testclient")
    from reproduce.explore import server

    return testclient.TestClient(server.application(explorer), base_url="http://127.0.0.1")


def unpacked(response):
    (length,) = struct.unpack("<I", response.content[:4])
    header = json.loads(response.content[4 : 4 + length])
    pixels = np.frombuffer(response.content[4 + length :], np.uint8)
    return header, pixels.reshape(header["shape"])


def test_a_frame_is_sent_as_it_is_drawn(client, staged):
    query = {"run": 1, "space": "latents", "path": 5, "image": 2, "time": 0.25}
    response = client.get("/api/frame", params=query)
    assert response.status_code == 200
    header, pixels = unpacked(response)
    space = staged.spaces["latents"]
    basis = frames.at(space.rotation(5), 0.25)
    np.testing.assert_array_equal(pixels, frames.draw(staged, space, basis, 2).frames)
    measured = frames.measure(space, basis[None]).metrics
    assert header["metrics"] == pytest.approx({name: v[0] for name, v in measured.items()})
    assert header["dead"] == [False] * 4 or any(header["dead"])


def test_a_scene_says_what_can_be_chosen(client):
    assert [row["title"] for row in client.get("/api/runs").json()] == [
        "beta-VAE, diagonal posterior, seed 0",
        "beta-VAE, diagonal posterior, seed 1",
    ]
    scene = client.get("/api/scene").json()
    assert scene["space"] == "active"
    assert scene["factors"] == list(FACTORS)
    by_name = {metric["name"]: metric for metric in scene["metrics"]}
    assert by_name["mig"]["path"][0] > by_name["mig"]["random"]["high"]
    assert by_name["gaussian_total_correlation"]["sign"] == -1
    assert set(by_name) == {*loaded_run.METRICS, "traversal_purity"}


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/api/frame?run=2", 422),
        ("/api/frame?run=-1", 422),
        ("/api/frame?time=nan", 422),
        ("/api/frame?time=1.5", 422),
        ("/api/frame?image=7", 422),
        ("/api/frame?path=99999999999", 422),
        ("/api/scene?space=nowhere", 404),
        ("/api/blind/0/frame", 404),
        ("/../server.py", 404),
        ("/page/index.html", 404),
        ("/api/blind", 404),
    ],
)
def test_impossible_wishes_are_refused(client, path, status):
    response = client.get(path)
    assert response.status_code == status
    assert response.json()["error"]


def test_other_names_other_sites_and_large_bodies_are_refused(client):
    """A page elsewhere may have its name point to this machine (DNS rebinding)."""
    assert client.get("/", headers={"Host": "evil.example"}).status_code == 400
    assert client.get("/", headers={"Host": "127.0.0.1.evil.example"}).status_code == 400
    for host in ("localhost:1", "127.0.0.1:8766", "[::1]:8766"):
        assert client.get("/", headers={"Host": host}).status_code == 200
    wanted = {"run": 0, "space": "", "rounds": 5, "seen": False}
    elsewhere = client.post("/api/blind", json=wanted, headers={"Sec-Fetch-Site": "cross-site"})
    assert elsewhere.status_code == 403
    assert client.post("/api/blind", json=wanted | {"space": "x" * 5000}).status_code == 413
    assert client.post("/api/blind", data="rounds=5").status_code == 415
    for change in ({"rounds": 3}, {"seen": 1}, {"more": 1}, {"rounds": [5]}):
        assert client.post("/api/blind", json=wanted | change).status_code == 422
    for change in ({"run": 2}, {"run": "0"}, {"space": "nowhere"}, {"space": 1}):
        assert client.post("/api/blind", json=wanted | change).status_code == 404
    assert client.post("/api/blind", json=wanted).status_code == 201
    policy = client.get("/").headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy


def test_the_angle_is_told_after_the_last_guess_and_not_before(client, explorer, staged):
    wanted = {"run": 0, "space": "active", "rounds": 5, "seen": True}
    begun = client.post("/api/blind", json=wanted).json()
    assert begun.keys() == {"key", "axes"}
    session = explorer.session(begun["key"])
    for number in range(5):
        hidden = session.current.hidden
        at = f"/api/blind/{begun['key']}/frame?round={number}&place="
        plain = set()
        for place in (0, hidden, blind.PLACES):
            response = client.get(f"{at}{place}")
            header, pixels = unpacked(response)
            assert header.keys() == {"shape", "dead"}
            others = {k: v for k, v in response.headers.items() if k != "content-length"}
            plain.add(json.dumps(others))
            basis = session.current.basis(place)
            drawn = frames.draw(staged, staged.spaces["active"], basis, session.current.image)
            np.testing.assert_array_equal(pixels, drawn.frames)
        assert len(plain) == 1
        other = client.get(f"/api/blind/{begun['key']}/frame?round={number + 1}&place=0")
        assert other.status_code == 409
        guess = {"round": number, "place": hidden if number else 0}
        answer = client.post(f"/api/blind/{begun['key']}/guess", json=guess)
        told = answer.json()
        if number < 4:
            assert told == {"round": number + 1, "rounds": 5}
        # A reply that was lost is asked for again; a guess cannot be changed.
        assert client.post(f"/api/blind/{begun['key']}/guess", json=guess).json() == told
        guess["place"] = (guess["place"] + 1) % blind.PLACES
        changed = client.post(f"/api/blind/{begun['key']}/guess", json=guess)
        assert changed.status_code == 409
    assert told["result"].keys() == {"hidden", "guesses", "seen"}
    assert told["result"]["hidden"][1:] == told["result"]["guesses"][1:]
    assert told["result"]["seen"] is True


# --------------------------------------------------------------------------------- in a browser


@pytest.fixture
def address(explorer):
    """The explorer on a socket, in a thread of this process."""
    uvicorn = pytest.importorskip("uvicorn")
    from reproduce import serving
    from reproduce.explore import server

    listening = serving.listen("127.0.0.1", 0)
    config = uvicorn.Config(
        server.application(explorer), ws="none", lifespan="off", log_level="error"
    )
    running = uvicorn.Server(config)
    thread = threading.Thread(target=running.run, kwargs={"sockets": [listening]})
    thread.start()
    yield serving.address_of(listening)
    running.should_exit = True
    thread.join()


def test_turning_by_keys_on_a_desktop(browser, address):
    with opened(browser, address, viewport={"width": 1280, "height": 800}) as page:
        shown(page, 0)
        learned = picture(page)
        assert len(learned) == 3
        assert page.locator("#where").inner_text() == "The learned basis"
        assert "Discs are drawn." in page.locator("#foot").inner_text()
        page.locator("#slider").focus()
        page.keyboard.press("End")
        shown(page, 200)
        assert all(a != b for a, b in zip(learned, picture(page), strict=True))
        page.keyboard.press("ArrowLeft")
        shown(page, 199)
        assert "of the way" in page.locator("#slider").get_attribute("aria-valuetext")
        page.keyboard.press("Home")
        shown(page, 0)
        assert picture(page) == learned
        assert int(page.locator(".heat span").first.inner_text()) > 90
        page.get_by_role("button", name="SAP continuous").press("Enter")
        assert page.locator("#plot-title").inner_text() == "SAP continuous"
        page.get_by_role("button", name="Information").press("Space")
        assert "mutual information" in page.locator("#heat-note").inner_text()
        page.locator("#run").select_option("1")
        page.get_by_text("seed 1 on").wait_for()
        page.locator("#space").select_option("latents")
        page.get_by_text("4 axes turned").wait_for()
        assert page.locator("canvas.strip").count() == 4
        shot(page, "desktop")


def test_the_blind_game_by_touch_on_a_phone(browser, address, explorer):
    phone = {"viewport": {"width": 390, "height": 844}, "has_touch": True, "is_mobile": True}
    with opened(browser, address, **phone, device_scale_factor=2) as page:
        shown(page, 0)
        shot(page, "phone")
        page.get_by_role("button", name="Play blind").tap()
        page.get_by_text("seen this model's learned axes unhidden").wait_for()
        page.locator("#rounds").select_option("5")
        page.get_by_role("button", name="Begin").tap()
        shown(page, 100)
        for element in ("#plot", "#side", ".heat >> nth=0", "#to-learned"):
            assert page.locator(element).is_hidden()
        assert page.evaluate("document.documentElement.scrollWidth") <= 390
        (session,) = explorer._sessions.values()
        for number in range(5):
            page.get_by_text(f"Round {number + 1} of 5").first.wait_for()
            hidden = session.current.hidden
            page.locator("#slider").fill(str(hidden))
            shown(page, hidden)
            shot(page, f"phone_round_{number}")
            page.get_by_role("button", name="The learned basis is here").tap()
        page.get_by_role("heading", name="You found the learned basis").wait_for()
        assert "0% of the slider away" in page.locator("#sentence").inner_text()
        assert page.locator(".track").count() == 5
        assert page.evaluate("document.documentElement.scrollWidth") <= 390
        shot(page, "phone_result")
