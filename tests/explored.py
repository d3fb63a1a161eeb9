"""What the explorer's tests explore: a decoder in closed form, and the page in a browser."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import types
from pathlib import Path

import numpy as np
from browsers import PATIENCE

from data import own_npz
from models.layer_chain import Layer, LayerChain
from models.settings import BetaVAESettings
from reproduce.basis.representation import Representation
from reproduce.explore import loaded_run
from reproduce.training.recipes import find, override
from reproduce.training.run_directory import RunConfig
from reproduce.traversal import purity
from reproduce.traversal.predicted_factors import Factors

FACTORS = ("pos_x", "pos_y", "size")
SIDE = 16


def config_of(data_file: Path, model: str, **changes) -> RunConfig:
    recipe = override(find(model, "predictor_smoke" if model != "beta_vae" else "smoke"), changes)
    dataset = own_npz.load(data_file)
    if model != "beta_vae":
        settings = recipe.settings.fitted_to(dataset, recipe.num_steps)
        recipe = dataclasses.replace(recipe, settings=settings)
    shape = dataset.image_shape
    return RunConfig(recipe, "npz", "rendered", str(data_file), dataset.fingerprint, shape, 0)


# ------------------------------------------------------------------- a decoder in closed form


def decode(latents):
    """A disc whose place and size are the first three latents; the fourth changes nothing."""
    y, x = np.indices((SIDE, SIDE)) - SIDE / 2 + 0.5
    a, b, c = (latents[:, i, None, None] for i in range(3))
    squared = (x - 2 * a) ** 2 + (y - 2 * b) ** 2
    images = np.exp(-squared / (4 * np.exp(0.3 * c)))
    return images[..., None].astype(np.float32)


def predict(images):
    """Centre and logarithm of the mass: the disc's latents, in other units."""
    mass = images.sum(axis=(1, 2, 3))
    y, x = np.indices((SIDE, SIDE))
    centre = [(images[..., 0] * place).sum(axis=(1, 2)) / mass for place in (x, y)]
    return np.stack([*centre, np.log(mass)], axis=1)


def encode() -> Representation:
    rng = np.random.default_rng(0)
    latents = rng.standard_normal((1500, 4)) * [1.0, 0.8, 1.2, 0.01]
    factors = np.clip(np.rint(latents[:, :3] * 1.5 + 3), 0, 6).astype(np.int64)
    log_variance = np.tile([-3.0, -3.0, -3.0, 0.0], (len(latents), 1))
    return Representation(latents, factors, FACTORS, (7, 7, 7), log_variance)


def stand_in(title="a model, seed 0") -> loaded_run.LoadedRun:
    encoded = encode()
    starts = encoded.latents[:5]
    layout = Factors(FACTORS, ("ordered",) * 3, (7, 7, 7), (), (1, 1, 1), (2.0, 2.0, 0.3))
    scene = purity.TraversalSetup(decode, predict, layout, starts, 0.0)
    model = types.SimpleNamespace(settings=BetaVAESettings())
    spaces = loaded_run.spaces_of(model, encoded, 0, lambda axes: purity.differentiate(scene, axes))
    return loaded_run.LoadedRun(
        title, "discs", FACTORS, decode, None, starts, 0.01, spaces, "Discs are drawn."
    )


def chain(channels: int, rng: np.random.Generator) -> LayerChain:
    """A decoder of random layers, of every kind of them, from four inputs to SIDE x SIDE pixels."""

    def draw(*shape: int) -> np.ndarray:
        return (rng.standard_normal(shape) * 1.6 / np.sqrt(np.prod(shape) / 8)).astype(np.float32)

    size, inner = SIDE // 4, 8
    return LayerChain(
        np.array([False, False, False, True]),
        (
            Layer(2 * draw(4, 32), draw(32), activation="tanh"),
            Layer(draw(32, size**2 * inner), draw(size**2 * inner), activation="relu"),
            Layer(
                4 * draw(4, 4, inner, inner),
                draw(inner),
                stride=2,
                map_shape=(size, size),
                activation="relu",
                slope=0.2,
                scale=1 + draw(inner),
                shift=draw(inner),
            ),
            Layer(4 * draw(5, 5, channels, inner), draw(channels), 2, (2 * size, 2 * size)),
        ),
        (SIDE, SIDE, channels),
        "logistic",
        3.0,
    )


def stand_in_of_layers(channels: int, title="a network, seed 0") -> loaded_run.LoadedRun:
    """The same run with a network for a decoder, in grey or in colours."""
    network = chain(channels, np.random.default_rng(channels))
    return dataclasses.replace(
        stand_in(title),
        decode=lambda inputs: network.decode(inputs).astype(np.float32),
        layer_chain=network,
    )


@contextlib.contextmanager
def opened(browser, address: str, **settings):
    """A page in a fresh profile; fails if it logs an error or asks another server."""
    context = browser.new_context(**settings)
    page = context.new_page()
    page.set_default_timeout(PATIENCE)
    faults = []
    page.on("pageerror", lambda error: faults.append(str(error)))
    page.on("console", lambda m: faults.append(m.text) if m.type == "error" else None)

    def check(request):
        if not request.url.startswith((address.removesuffix("index.html"), "data:")):
            faults.append(request.url)

    page.on("request", check)
    page.goto(address)
    yield page
    assert faults == []
    context.close()


def shown(page, place: int):
    """Waits until the frame of a place is on the page."""
    page.locator(f'#foot[data-place="{place}"]').wait_for(state="attached")


def picture(page) -> list[str]:
    return page.locator("canvas.strip").evaluate_all("all => all.map((c) => c.toDataURL())")


def shot(page, name: str) -> None:
    """A picture of the page, where asked for: AXISBIAS_SHOTS=FOLDER."""
    folder = os.environ.get("AXISBIAS_SHOTS")
    if folder:
        page.screenshot(path=Path(folder) / f"explore_{name}.png", full_page=True)
