"""Run chapters on folders of a person's own, odd ones too: few pictures, equal ones, huge ones.

``python tests/campaigns/folders.py --chapters 01 04 --folders 1 17 cmyk``. Each chapter has to run
to its end, or to end with the sentence that tells how many pictures it needs. No process may take
more than a gigabyte. Without options all chapters run on all folders, which takes hours.
"""

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
from PIL import Image

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "notebooks"))

import run

EARLY = 3  # cells of code, in one of which a chapter that needs more pictures has to end


def photograph(seed: int, size: tuple[int, int] = (300, 200)) -> Image.Image:
    """Large soft shapes; same seed, same pixels."""
    coarse = np.random.default_rng(seed).integers(0, 256, (5, 6, 3), dtype=np.uint8)
    return Image.fromarray(coarse).resize(size, Image.Resampling.BICUBIC)


def some(
    folder: Path,
    number: int,
    size: tuple[int, int] = (300, 200),
    mode: str = "RGB",
    odd: tuple[int, int] | None = None,
) -> None:
    """So many photographs as JPEG, and one picture of the size `odd`."""
    for seed in range(number):
        photograph(seed, size).convert(mode).save(folder / f"{seed:03}.jpg", quality=85)
    if odd:
        photograph(number, odd).save(folder / "odd.png")


def equal(folder: Path) -> None:
    for number in range(20):
        photograph(0).save(folder / f"{number:03}.jpg", quality=85)


def white(folder: Path) -> None:
    for number in range(20):
        Image.new("L", (300, 200 + number), "white").save(folder / f"{number:03}.png")


#: Name -> what lays out the folder. One has a space in its name.
FOLDERS: dict[str, Callable[[Path], None]] = {
    **{str(number): partial(some, number=number) for number in (1, 2, 16, 17, 40, 59)},
    "my photos": partial(some, number=20),
    "equal": equal,
    "white": white,
    "cmyk": partial(some, number=20, mode="CMYK"),
    "spacer": partial(some, number=30, odd=(1, 1)),
    "scroll": partial(some, number=30, odd=(1, 10_000)),
    "strip": partial(some, number=30, odd=(16, 10_000)),
    "12 megapixels": partial(some, number=40, size=(4000, 3000)),
    "18 megapixels": partial(some, number=20, size=(5184, 3456)),
}


def chapters() -> dict[str, Path]:
    """The notebooks that choose a dataset, by what their files' names begin with."""
    found = [path for path in run.chapters() if "datasets.choose(" in path.read_text("utf-8")]
    return {path.name.partition("-")[0]: path for path in found}


def attempt(path: Path) -> dict:
    """Run a chapter in this process: what went wrong, whether it ended early, seconds, bytes."""
    start = time.perf_counter()
    notebook, wrong = run.execute(path)
    seconds = time.perf_counter() - start
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    printed = [output for cell in code for output in cell.outputs]
    ended = run.ended_early(notebook)
    if ended and all(cell.execution_count for cell in code[: EARLY + 1]):
        wrong = wrong or f"ended after more than {EARLY} cells: {ended}"
    if complaint := next((o.text for o in printed if o.get("name") == "stderr"), ""):
        wrong = wrong or f"complained: {complaint.strip().splitlines()[-1]}"
    for number, cell in enumerate(notebook.cells):
        if wrong and any(o.output_type == "error" for o in cell.get("outputs", [])):
            wrong += f" (cell {number}: {cell.source.splitlines()[0]})"
    return {"wrong": wrong, "ended": ended, "seconds": seconds, "bytes": peak}


def run_all(numbers: list[str], names: list[str], most: int, place: Path) -> bool:
    """Run the chapters on each folder, and print a line for each; whether none went wrong."""
    good, own = True, Path(__file__).resolve()
    for name in names:
        folder = place / name
        folder.mkdir()
        FOLDERS[name](folder)
        for number in numbers:
            about = {"DATASET": str(folder), "FINGERPRINTS_DATA": str(place / "data")}
            words = [sys.executable, str(own), "--attempt", number]
            environment = os.environ | about | {"TQDM_DISABLE": "1"}
            done = subprocess.run(words, env=environment, capture_output=True, text=True)
            result = json.loads(done.stdout.splitlines()[-1])
            told, wrong = result["ended"] or "runs", result["wrong"]
            if wrong := wrong or ("takes too much memory" if result["bytes"] > most else ""):
                told, good = f"FAILED: {wrong}", False
            cost = f"{result['seconds']:5.0f} s {result['bytes'] / 1e6:5.0f} MB"
            print(f"{name:13} {number:6} {cost}  {told}", flush=True)
    return good


def main(words: list[str] | None = None) -> int:
    """0 if every chapter ran on every folder, or ended as it may."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--chapters", nargs="*", default=list(chapters()), choices=chapters())
    parser.add_argument("--folders", nargs="*", default=list(FOLDERS), choices=FOLDERS)
    about = "bytes that a process may have taken at its peak"
    parser.add_argument("--most", type=int, default=10**9, help=about)
    parser.add_argument("--attempt", help=argparse.SUPPRESS)
    arguments = parser.parse_args(words)
    if arguments.attempt:
        print(json.dumps(attempt(chapters()[arguments.attempt])))
        return 0
    with tempfile.TemporaryDirectory() as place:
        chosen = arguments.chapters, arguments.folders, arguments.most
        return int(not run_all(*chosen, Path(place)))


if __name__ == "__main__":
    sys.exit(main())
