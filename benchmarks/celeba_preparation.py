"""Preparing CelebA: images a second, cores used, and memory, which must not grow with the images.

It writes JPEGs of the official size and of about the official length. Run it as
`python benchmarks/celeba_preparation.py` on a quiet machine; it takes a minute.
"""

import io
import multiprocessing
import resource
import tempfile
import time
import zipfile
from pathlib import Path

import numpy as np
from machine import describe
from PIL import Image

from data import celeba
from data.celeba_files import ATTRIBUTES
from reproduce import program

NUM_IMAGES = (5_000, 20_000)
DISTINCT = 500


def pictures() -> list[bytes]:
    """JPEGs of 178 x 218 pixels, blurred noise."""
    rng, found = np.random.default_rng(0), []
    for _ in range(DISTINCT):
        noise = Image.fromarray(rng.integers(256, size=(27, 22, 3), dtype=np.uint8))
        buffer = io.BytesIO()
        noise.resize((178, 218), Image.Resampling.BICUBIC).save(buffer, "JPEG", quality=80)
        found.append(buffer.getvalue())
    return found


def write(folder: Path, jpegs: list[bytes], num_images: int) -> None:
    """Writes an archive in the official format."""
    rng = np.random.default_rng(1)
    names = [f"{i:06d}.jpg" for i in range(1, num_images + 1)]
    with zipfile.ZipFile(folder / "img_align_celeba.zip", "w") as file:
        for i, name in enumerate(names):
            file.writestr(f"img_align_celeba/{name}", jpegs[i % DISTINCT])
    with (folder / "list_attr_celeba.txt").open("w") as file:
        print(num_images, " ".join(ATTRIBUTES), sep="\n", file=file)
        for name in names:
            print(name, *rng.choice([-1, 1], size=len(ATTRIBUTES)), file=file)
    partitions = "".join(f"{name} {10 * i // num_images // 8}\n" for i, name in enumerate(names))
    (folder / "list_eval_partition.txt").write_text(partitions)


def prepare(folder: Path) -> None:
    """Prepares in a process of its own, and prints what that took."""
    program.start_tensorflow()
    idle = resource.getrusage(resource.RUSAGE_SELF)
    started = time.perf_counter()
    dataset = celeba.load("files", folder, "_all", folder / "cache")
    seconds = time.perf_counter() - started
    used = resource.getrusage(resource.RUSAGE_SELF)
    busy = used.ru_utime + used.ru_stime - idle.ru_utime - idle.ru_stime
    print(
        f"{len(dataset):,} images: {len(dataset) / seconds:.0f} images/s, {busy / seconds:.2f} of "
        f"{program.num_cores()} cores busy; {used.ru_maxrss / 1024:.0f} MiB of memory at most, "
        f"{idle.ru_maxrss / 1024:.0f} of them TensorFlow's",
        flush=True,
    )


if __name__ == "__main__":
    print(describe())
    jpegs = pictures()
    print(f"JPEGs of {np.mean([len(jpeg) for jpeg in jpegs]):,.0f} bytes (CelebA's: 7,125)")
    for num_images in NUM_IMAGES:
        with tempfile.TemporaryDirectory() as name:
            write(Path(name), jpegs, num_images)
            process = multiprocessing.get_context("spawn").Process(
                target=prepare, args=(Path(name),)
            )
            process.start()
            process.join()
