"""How fast fingerprints are made, beside the article's loop, and how far `fast` strays.

    python benchmarks/fingerprint_speed.py [FOLDER]

FOLDER is CALTECH-101 if it has been unpacked, else the embedded sample twenty times over. Every
figure is the median of three rounds; in each round all ways take their turn, and each starts its
own workers, but for the one called "again": that is a session's second folder. A second table is
for photographs of 12 megapixels, which are made here from the sample, with grain, in a temporary
folder.
"""

import argparse
import os
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

os.environ["TQDM_DISABLE"] = "1"  # before tqdm is imported

import imagehash
import joblib
import numpy as np
import pandas as pd
from joblib.externals.loky import get_reusable_executor
from PIL import Image, ImageOps

from helpers import archive, datasets
from helpers.files import places
from helpers.fingerprints import catalogue, hashes
from helpers.images.folders import find_images

ROUNDS = 3
AGAIN = "again"  # a way whose name ends so finds the workers of the one before it still there


def article_loop(folder: Path, images: list[str]) -> list[str]:
    """One picture after the other, as the article does it."""
    return [str(imagehash.dhash(Image.open(folder / path))) for path in images]


def kit(folder: Path, images: list[str], workers: int, **reading: object) -> list[str]:
    """The same through `helpers.fingerprints.catalogue.of_folder`."""
    table = catalogue.of_folder(folder, images, workers=workers, **reading)
    return [hashes.to_hex(value) for value in table["fingerprint"]]


def measure(
    ways: dict[str, Callable[[], list[str]]], images: int
) -> tuple[pd.DataFrame, dict[str, list[str]]]:
    """Time all ways in turns. The first is what the others are compared with."""
    seconds, results = {name: [] for name in ways}, {}
    for _ in range(ROUNDS):
        for name, way in ways.items():
            if not name.endswith(AGAIN):
                get_reusable_executor().shutdown(wait=True)  # each way pays for its own workers
            start = time.perf_counter()
            results[name] = way()
            seconds[name].append(time.perf_counter() - start)
    median = {name: statistics.median(times) for name, times in seconds.items()}
    first = next(iter(ways))
    rows = []
    for name in ways:
        bits = [
            (int(a, 16) ^ int(b, 16)).bit_count()
            for a, b in zip(results[first], results[name], strict=True)
        ]
        rows.append(
            {
                "": name,
                "images/s": f"{images / median[name]:.1f}",
                "x the loop": f"{median[first] / median[name]:.2f}",
                "bits: mean": f"{np.mean(bits):.2f}",
                "max": max(bits),
                "within 2": f"{np.mean(np.array(bits) <= 2):.1%}",
            }
        )
    return pd.DataFrame(rows), results


def make_large_photographs(folder: Path, number: int = 12) -> list[str]:
    """The sample's colour photographs at 4000 x 3000, with grain, as a camera's pictures have."""
    sample = datasets.sample()
    grain = np.random.default_rng(0)
    names = []
    for path in sample.images:
        image = Image.open(sample.root / path)
        if image.mode == "RGB" and len(names) < number and min(image.size) >= 250:
            large = ImageOps.fit(image, (4000, 3000), Image.Resampling.BICUBIC)
            noise = grain.normal(0, 3, (3000, 4000, 1)).astype(np.float32)
            pixels = np.clip(np.asarray(large) + noise, 0, 255).astype(np.uint8)
            names.append(f"{len(names) + 1:02}.jpg")
            Image.fromarray(pixels).save(folder / names[-1], quality=90)
    return names


def main() -> None:
    """Measure both tables."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", nargs="?", type=Path, metavar="FOLDER")
    folder = parser.parse_args().folder or places.data_folder() / "caltech-101"
    repeats = 1
    if not folder.is_dir():
        folder, repeats = datasets.sample().root, 20
        print("CALTECH-101 is not here; its stand-in is the sample.")
    table = catalogue.readable(catalogue.of_folder(folder))
    images = table["path"].tolist() * repeats

    workers = sorted({1, 2, joblib.cpu_count()})
    ways = {"the article's loop": lambda: article_loop(folder, images)}
    for n in workers:
        ways[f"of_folder, {n} worker{'s' * (n > 1)}"] = lambda n=n: kit(folder, images, n)
    ways[f"of_folder, {workers[-1]} workers again"] = lambda: kit(folder, images, workers[-1])
    for n in (1, 2):
        ways[f"fast, {n} worker{'s' * (n > 1)}"] = lambda n=n: kit(folder, images, n, fast=True)
    print(
        f"\n{folder.name}: {len(images):,} images, {joblib.cpu_count()} processors, "
        f"median of {ROUNDS} rounds"
    )
    speeds, results = measure(ways, len(images))
    print(speeds.to_string(index=False))

    expected = results["the article's loop"]
    for name in ways:
        if name.startswith("of_folder"):
            equal = sum(a == b for a, b in zip(expected, results[name], strict=True))
            print(f"{name}: {equal:,} of {len(images):,} fingerprints equal imagehash.dhash")
            if len(find_images(folder)) == archive.IMAGES or repeats > 1:
                assert equal == len(images), (
                    "no picture of CALTECH-101 or the sample needs a correction"
                )

    with tempfile.TemporaryDirectory() as place:
        large = Path(place)
        images = make_large_photographs(large)
        megabytes = sum((large / name).stat().st_size for name in images) / len(images) / 1e6
        print(
            f"\n{len(images)} photographs of 4000 x 3000 pixels, {megabytes:.1f} MB on average, "
            "one worker"
        )
        ways = {
            "the article's loop": lambda: article_loop(large, images),
            "of_folder, 1 worker": lambda: kit(large, images, 1),
            "fast, 1 worker": lambda: kit(large, images, 1, fast=True),
        }
        print(measure(ways, len(images))[0].to_string(index=False))


if __name__ == "__main__":
    main()
