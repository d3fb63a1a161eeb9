"""Images a second in training: this project's own loop, and PyTorch on the same network.

The network of Locatello et al. 2019, batches of 64 from 100,000 packed images of 64 x 64, two
threads, gathering and unpacking included. Run it as `python benchmarks/train_throughput.py` with
`axisbias[benchmark]` installed; the rounds are interleaved, and medians of five are compared with
the better of PyTorch's two memory layouts. It takes three minutes on an idle machine; on a busy
one PyTorch's threads wait for each other, and the comparison would be unfair to it.
"""

import dataclasses
import statistics
import time
from collections.abc import Callable

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from data import Dataset
from reproduce import program
from reproduce.training import recipes
from reproduce.training.run_directory import RunConfig

THREADS, BATCH, IMAGES, STEPS, ROUNDS = 2, 64, 100_000, 100, 5
EXPECTED = {"float32": 1.2, "mixed_bfloat16": 1.0}  # at least so many times PyTorch's rate

Training = Callable[[int], float]  # makes a number of steps, returns their mean loss


def ours(storage: np.ndarray, precision: str) -> tuple[Training, int]:
    """This project's training and its number of weights."""
    import tensorflow as tf

    import models
    from reproduce.training import loop

    recipe = recipes.RECIPES["locatello2019"]
    settings = dataclasses.replace(recipe.settings, precision=precision)
    recipe = dataclasses.replace(recipe, settings=settings, batch_size=BATCH)
    shape = (64, 64, 1)
    dataset = Dataset("random", storage, 1, shape, np.zeros((IMAGES, 1), int), ("none",), (1,))
    config = RunConfig(recipe, "random", "rendered", None, "", shape, seed=0)
    model = models.build(settings, shape, config.seed)
    strategy = tf.distribute.get_strategy()
    run_steps = loop.make_step_function(model, config, dataset, strategy, xla=False)
    made = 0

    def train(steps: int) -> float:
        nonlocal made
        loss = 0.0
        for first in range(made, made + steps, loop.STEPS_PER_CALL):
            loss += run_steps(first, loop.STEPS_PER_CALL)[0][0]
        made += steps
        return loss / steps

    weights = model.encoder.trainable_variables + model.decoder.trainable_variables
    return train, sum(np.asarray(weight).size for weight in weights)


def pytorch(
    storage: np.ndarray, precision: str, layout: torch.memory_format
) -> tuple[Training, int]:
    """The same in PyTorch: its number of weights must be the same."""
    conv, transposed = nn.Conv2d, nn.ConvTranspose2d
    encoder = nn.Sequential(
        *(conv(1, 32, 4, 2, 1), nn.ReLU(), conv(32, 32, 4, 2, 1), nn.ReLU()),
        *(conv(32, 64, 2, 2), nn.ReLU(), conv(64, 64, 2, 2), nn.ReLU()),
        *(nn.Flatten(), nn.Linear(1024, 256), nn.ReLU(), nn.Linear(256, 20)),
    ).to(memory_format=layout)
    decoder = nn.Sequential(
        *(nn.Linear(10, 256), nn.ReLU(), nn.Linear(256, 1024), nn.ReLU()),
        *(nn.Unflatten(1, (64, 4, 4)), transposed(64, 64, 4, 2, 1), nn.ReLU()),
        *(transposed(64, 32, 4, 2, 1), nn.ReLU(), transposed(32, 32, 4, 2, 1), nn.ReLU()),
        transposed(32, 1, 4, 2, 1),
    ).to(memory_format=layout)
    weights = [*encoder.parameters(), *decoder.parameters()]
    optimizer = torch.optim.Adam(weights, 1e-4, fused=True)
    packed = torch.from_numpy(storage)
    bit_places = torch.tensor([7, 6, 5, 4, 3, 2, 1, 0], dtype=torch.uint8)
    mixed = precision == "mixed_bfloat16"

    def step() -> torch.Tensor:
        values = packed[torch.randint(0, IMAGES, (BATCH,))]
        bits = (values[..., None] >> bit_places) & 1
        images = bits.float().reshape(BATCH, 1, 64, 64).contiguous(memory_format=layout)
        with torch.autocast("cpu", torch.bfloat16, enabled=mixed):
            mean, log_variance = encoder(images).float().chunk(2, -1)
            latents = mean + torch.exp(log_variance / 2) * torch.randn_like(mean)
            logits = decoder(latents).float()
        total = functional.binary_cross_entropy_with_logits(logits, images, reduction="sum")
        kl = (mean**2 + log_variance.exp() - 1 - log_variance).sum() / 2
        loss = (total + 4 * kl) / BATCH
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()
        return loss.detach()

    def train(steps: int) -> float:
        return float(sum(step() for _ in range(steps))) / steps

    return train, sum(weight.numel() for weight in weights)


def main() -> None:
    """Measures and prints."""
    program.start_tensorflow(THREADS)
    torch.set_num_threads(THREADS)
    storage = np.random.default_rng(0).integers(256, size=(IMAGES, 512), dtype=np.uint8)
    ways = {}
    for precision in EXPECTED:
        ways[precision, "axisbias"] = ours(storage, precision)
        for name in ("contiguous_format", "channels_last"):
            ways[precision, f"PyTorch, {name}"] = pytorch(storage, precision, getattr(torch, name))
    assert len({weights for _, weights in ways.values()}) == 1, "the networks differ"
    for key, (train, _) in ways.items():
        loss = train(20)  # traces and warms up
        # Random bits cannot be predicted, so every pixel costs ln 2.
        assert abs(loss / (64 * 64 * np.log(2)) - 1) < 0.05, (key, loss)

    rates: dict[tuple[str, str], list[float]] = {key: [] for key in ways}
    for _ in range(ROUNDS):
        for key, (train, _) in ways.items():
            started = time.perf_counter()
            train(STEPS)
            rates[key].append(STEPS * BATCH / (time.perf_counter() - started))
    medians = {key: statistics.median(values) for key, values in rates.items()}
    print(f"images/s in training, {THREADS} threads, medians of {ROUNDS} interleaved rounds")
    for (precision, name), median in medians.items():
        low, high = min(rates[precision, name]), max(rates[precision, name])
        print(f"{precision:15} {name:27} {median:7.0f}   ({low:.0f} to {high:.0f})")
    for precision, expected in EXPECTED.items():
        rival = max(v for (p, name), v in medians.items() if p == precision and "PyTorch" in name)
        ratio = medians[precision, "axisbias"] / rival
        verdict = "as expected" if ratio >= expected else "less than expected"
        print(f"{precision:15} {ratio:.2f} x PyTorch's better, {verdict} ({expected} or more)")


if __name__ == "__main__":
    main()
