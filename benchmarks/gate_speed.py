"""How fast a gate opens, answers and flags at one million entries, beside one scan of them all.

    python benchmarks/gate_speed.py [ENTRIES]

The entries are random. Half of the uploads are an entry with up to 4 bits changed, half are random.
Last come pictures of the sample, asked about as files and, to compare, by their dHash alone.
"""

import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pandas as pd

from helpers import datasets
from helpers.fingerprints import hashes
from helpers.gate.bank import BLOCK, REVIEW, Bank
from helpers.search.linear import LinearScan

ASKED = 2_000


def uploads(rng: np.random.Generator, entries: np.ndarray) -> np.ndarray:
    """Half near an entry, half strangers, in turns."""
    near = rng.choice(entries, ASKED // 2)
    for bit in rng.integers(0, 64, (4, len(near)), dtype=np.uint64):
        near = near ^ np.where(rng.random(len(near)) < 0.5, np.uint64(1) << bit, np.uint64(0))
    strangers = rng.integers(0, 2**64, ASKED // 2, dtype=np.uint64)
    return np.column_stack([near, strangers]).ravel()


def measure(entries: int) -> pd.Series:
    """Seconds and milliseconds of a bank of so many entries."""
    rng, figures = np.random.default_rng(0), {}
    values = rng.integers(0, 2**64, entries, dtype=np.uint64)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "banned.bank"
        start = time.perf_counter()
        with Bank(path, make=True) as bank:
            bank.flag_many(values, "banned", anyway=True)
        figures["flag all in one step, s"] = time.perf_counter() - start
        figures["the file, MB"] = path.stat().st_size / 1e6
        start = time.perf_counter()
        bank = Bank(path)
        figures["open, s"] = time.perf_counter() - start
        asked = uploads(rng, values)
        for name, radii in {"ask": (BLOCK, REVIEW), "ask up to 2 bits": (2, 2)}.items():
            start = time.perf_counter()
            answers = [bank.ask(value, block=radii[0], review=radii[1]) for value in asked]
            figures[f"{name}, ms"] = (time.perf_counter() - start) / len(asked) * 1e3
        scan = LinearScan(values)
        start = time.perf_counter()
        nearest = [scan.nearest(value, 1) for value in asked[:200]]
        figures["one scan of all entries, ms"] = (time.perf_counter() - start) / 200 * 1e3
        for answer, (_, distances) in zip(answers, nearest, strict=False):
            expected = int(distances[0]) if distances[0] <= 2 else None
            if answer.distance != expected:
                raise AssertionError(f"the gate says {answer.distance}, the scan {expected}")
        sample = datasets.load("sample", show=lambda sentence: None)
        files = [sample.root / path for path in sample.images]
        for name, ask in {
            "ask about a file": bank.ask,
            "the same by dHash alone": lambda file: bank.ask(hashes.of_file(file)),
        }.items():
            start = time.perf_counter()
            for file in files:
                ask(file)
            figures[f"{name}, ms"] = (time.perf_counter() - start) / len(files) * 1e3
        start = time.perf_counter()
        for value in asked[:200]:
            bank.flag(value, "banned", anyway=True)
        figures["flag one, ms"] = (time.perf_counter() - start) / 200 * 1e3
        bank.close()
    figures["checks per second"] = 1e3 / figures["ask, ms"]
    return pd.Series(figures)


if __name__ == "__main__":
    print(measure(int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000).round(2).to_string())
