"""How fast near fingerprints are found, beside other packages, and whether all of them are.

    python -m pip install ".[bench]"
    python benchmarks/search_speed.py [--sizes 10000 100000 1000000 10000000] [--radii 2 5 10]

Packages that are not installed are left out. imagededup is not among the extras, since it brings
all of PyTorch. Every structure is built in a process of its own and asked the same questions: half
of them are rows of the data with two bits flipped, half are new. "real" data are fingerprints of
CALTECH-101, if it has been unpacked, else of the embedded sample. Each of their bits is flipped with
a probability of 1/8, so that they are nearly as uneven as real ones. "random" data are coin flips.

For each structure are printed:

- the seconds to build it, without the import;
- the megabytes by which the process has grown (less than it holds where memory is used again);
- at each radius the median time per query in milliseconds, and that time as a multiple of faiss
  IndexBinaryFlat's (of the NumPy scan's, without faiss);
- how much it found of all that the linear scan finds: "exact" if nothing was missed or added.

A last table lists all pairs within a radius.
"""

import argparse
import importlib
import os
import re
import statistics
import sys
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import get_context
from pathlib import Path

os.environ["TQDM_DISABLE"] = "1"  # before tqdm is imported

import numpy as np
import pandas as pd
import psutil

from helpers import Problem, datasets
from helpers.files import places
from helpers.fingerprints import catalogue
from helpers.hamming import as_fingerprints
from helpers.search import compiled, linear, multi_index, pairs, trees

QUERIES, SECONDS = 32, 5  # questions for a structure at a radius, unless they take longer
REFERENCE = ("faiss IndexBinaryFlat", "linear scan")  # the first that is there


def real_fingerprints() -> np.ndarray:
    """Of CALTECH-101, if it has been unpacked, else of the sample."""
    folder = places.data_folder() / "caltech-101"
    if not folder.is_dir():
        print("CALTECH-101 is not here; its stand-in is the sample.")
        folder = datasets.sample().root
    return as_fingerprints(catalogue.readable(catalogue.of_folder(folder))["fingerprint"])


def make(kind: str, n: int, seed: int, real: np.ndarray) -> np.ndarray:
    """`n` fingerprints."""
    rng = np.random.default_rng(seed)
    if kind == "random":
        return rng.integers(0, 2**64, n, dtype=np.uint64)
    made = real[rng.integers(0, len(real), n)]
    a, b, c = (rng.integers(0, 2**64, n, dtype=np.uint64) for _ in range(3))
    return made ^ (a & b & c)


def make_queries(kind: str, data: np.ndarray, real: np.ndarray) -> np.ndarray:
    """Half of them near a row, half new, in turns."""
    rng = np.random.default_rng(1)
    near = data[rng.integers(0, len(data), QUERIES // 2)] ^ np.uint64(2**7 + 2**40)
    return np.stack([near, make(kind, QUERIES // 2, 2, real)], axis=1).ravel()


# A structure is made from the data and the largest radius. It is a function from a query and a
# radius to the rows found.


def _ours(structure: type, *, for_radius: bool = False) -> Callable:
    def build(data: np.ndarray, radius: int) -> Callable:
        built = structure(data, radius) if for_radius else structure(data)
        return lambda query, radius: built.within(query, radius)[0]

    return build


def faiss_flat(data: np.ndarray, radius: int) -> Callable:
    """A scan in C++."""
    import faiss

    index = faiss.IndexBinaryFlat(64)
    index.add(data.view(np.uint8).reshape(-1, 8))
    return _ask_faiss(index)


def faiss_multi_hash(data: np.ndarray, radius: int) -> Callable:
    """Multi-index hashing in C++: exact if `nflip` is at least radius // 4."""
    import faiss

    index = faiss.IndexBinaryMultiHash(64, 4, 16)
    index.add(data.view(np.uint8).reshape(-1, 8))
    ask = _ask_faiss(index)

    def within(query: np.uint64, radius: int) -> np.ndarray:
        index.nflip = radius // 4
        return ask(query, radius)

    return within


def _ask_faiss(index: object) -> Callable:
    def within(query: np.uint64, radius: int) -> np.ndarray:
        one = np.array([query]).view(np.uint8).reshape(1, 8)
        return index.range_search(one, radius + 1)[2]  # faiss's radius is strict

    return within


def ball_tree(data: np.ndarray, radius: int) -> Callable:
    """A tree of balls over unpacked bits."""
    from sklearn.neighbors import BallTree

    def unpack(values: np.ndarray) -> np.ndarray:
        return np.unpackbits(values.view(np.uint8).reshape(-1, 8), axis=1)

    tree = BallTree(unpack(data), metric="hamming")  # a share of bits
    return lambda query, radius: tree.query_radius(
        unpack(np.array([query])), r=(radius + 0.5) / 64
    )[0]


def bk_tree(data: np.ndarray, radius: int) -> Callable:
    """A tree over the 65 possible distances, of Python integers."""
    import pybktree

    rows = _rows_of(data)
    tree = pybktree.BKTree(pybktree.hamming_distance, rows)
    return lambda query, radius: [
        row for _, value in tree.find(int(query), radius) for row in rows[value]
    ]


def vptree_integers(data: np.ndarray, radius: int) -> Callable:
    """As the best-known sequel to the article uses it: on integers, which it makes floats of."""
    import vptree

    rows = _rows_of(data)
    tree = vptree.VPTree(list(rows), lambda a, b: (int(a) ^ int(b)).bit_count())
    return lambda query, radius: [
        row
        for _, value in tree.get_all_in_range(int(query), radius + 1)  # strict
        for row in rows.get(int(value), [-1])
    ]


def imagededup_bk(data: np.ndarray, radius: int) -> Callable:
    """The tree behind ``imagededup.find_duplicates``."""
    from imagededup.handlers.search.bktree import BKTree

    hashes = {str(row): f"{value:016x}" for row, value in enumerate(data.tolist())}
    tree = BKTree(hashes, lambda a, b: (int(a, 16) ^ int(b, 16)).bit_count())
    return lambda query, radius: [
        int(row) for row, _ in tree.search(hashes.to_hex(query), tol=radius)
    ]


def usearch_graph(data: np.ndarray, radius: int) -> Callable:
    """A graph for approximate search; it has no radius, so the nearest 100 are asked for."""
    from usearch.index import Index, MetricKind, ScalarKind

    index = Index(ndim=64, metric=MetricKind.Hamming, dtype=ScalarKind.B1)
    index.add(np.arange(len(data)), data.view(np.uint8).reshape(-1, 8))

    def within(query: np.uint64, radius: int) -> np.ndarray:
        found = index.search(np.array([query]).view(np.uint8), min(100, len(data)))
        return found.keys[found.distances <= radius].astype(np.int64)

    return within


def _rows_of(data: np.ndarray) -> dict[int, list[int]]:
    rows = {}
    for row, value in enumerate(data.tolist()):
        rows.setdefault(value, []).append(row)
    return rows


#: Name -> how it is built, the module that it needs, and with how many fingerprints at most it is
#: tried.
STRUCTURES = {
    "linear scan": (_ours(linear.LinearScan), "numpy", 10**8),
    "compiled scan (numba)": (_ours(compiled.CompiledScan), "numba", 10**8),
    "multi-index hashing": (_ours(multi_index.MultiIndexHashing, for_radius=True), "numpy", 10**8),
    "VP tree": (_ours(trees.VPTree), "numpy", 10**6),
    "K-d tree (scipy)": (_ours(trees.KDTree), "scipy", 10**5),
    "faiss IndexBinaryFlat": (faiss_flat, "faiss", 10**8),
    "faiss IndexBinaryMultiHash": (faiss_multi_hash, "faiss", 10**8),
    "scikit-learn BallTree": (ball_tree, "sklearn", 10**5),
    "pybktree": (bk_tree, "pybktree", 10**5),
    "imagededup BKTree": (imagededup_bk, "imagededup", 10**5),
    "usearch (nearest 100)": (usearch_graph, "usearch", 10**5),
    "vptree on integers": (vptree_integers, "vptree", 10**4),
}


def measure(name: str, kind: str, n: int, radii: list[int], real: np.ndarray) -> dict:
    """Build one structure and ask it, in the process that this is called in."""
    data = make(kind, n, 0, real)
    queries, oracle = make_queries(kind, data, real), linear.LinearScan(data)
    build, module, _ = STRUCTURES[name]
    importlib.import_module(module)  # not part of the building
    before, start = psutil.Process().memory_info().rss, time.perf_counter()
    within = build(data, max(radii))
    row = {"data": kind, "N": n, "structure": name, "build s": time.perf_counter() - start}
    row["MB"] = (psutil.Process().memory_info().rss - before) / 1e6
    expected, found, wrong = 0, 0, 0
    for radius in radii:
        within(queries[0], radius)
        times, start = [], time.perf_counter()
        for query in queries:
            if time.perf_counter() - start > SECONDS and len(times) > 2:
                break
            asked = time.perf_counter()
            rows = within(query, radius)
            times.append(time.perf_counter() - asked)
            right = set(oracle.within(query, radius)[0].tolist())
            rows = {int(row) for row in rows}
            expected, found = expected + len(right), found + len(right & rows)
            wrong += len(rows - right)
        row[f"r {radius}"] = statistics.median(times) * 1e3
    row["found"] = "exact" if expected == found and not wrong else f"{found / expected:.1%}"
    row["found"] += f", {wrong} wrong" if wrong else ""
    return row


def measure_pairs(name: str, kind: str, n: int, radius: int, real: np.ndarray) -> dict:
    """List all pairs, in the process that this is called in; too many are refused, and told."""
    data = real if kind == "as they are" else make(kind, n, 0, real)
    if name != "all_pairs":
        importlib.import_module("faiss")
    start = time.perf_counter()
    if name == "all_pairs":
        try:
            found = f"{len(pairs.all_pairs(data, radius)):,}"
        except Problem as problem:  # too many to list, as among copies of a small sample
            found = f"refused: {problem}"
    else:
        import faiss

        index = faiss.IndexBinaryFlat(64)
        index.add(data.view(np.uint8).reshape(-1, 8))
        limits, _, _ = index.range_search(data.view(np.uint8).reshape(-1, 8), radius + 1)
        found = f"{(int(limits[-1]) - n) // 2:,}"
    seconds = time.perf_counter() - start
    return {
        "data": kind, "N": n, "radius": radius, "": name,
        "seconds": seconds, "peak MB": peak_memory() / 1e6, "pairs": found,
    }  # fmt: skip


def peak_memory() -> int:
    """The most memory, in bytes, that this process has held."""
    if sys.platform == "win32":
        return psutil.Process().memory_info().peak_wset
    status = Path("/proc/self/status")
    if status.exists():  # Linux, where the other way gives a new process the figure of the old one
        return 1024 * int(re.search(r"VmHWM:\s+(\d+)", status.read_text())[1])
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (
        1 if sys.platform == "darwin" else 1024
    )


def alone(function: Callable, *arguments: object) -> dict | None:
    """Call a function in a process of its own."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        return pool.submit(function, *arguments).result()


def is_there(module: str) -> bool:
    """Whether a package can be imported."""
    try:
        importlib.import_module(module)
    except ImportError:
        return False
    return True


def memory_speed() -> float:
    """Fingerprints a second that one core can read, as NumPy's maximum of 10 million reads them."""
    data, times = make("random", 10**7, 0, np.empty(0)), []
    for _ in range(9):
        start = time.perf_counter()
        data.max()
        times.append(time.perf_counter() - start)
    return len(data) / statistics.median(times)


def show(rows: list[dict], radii: list[int]) -> None:
    """Print the measurements of one kind and size, and their ratios."""
    table = pd.DataFrame(rows)
    reference = next(name for name in REFERENCE if name in set(table["structure"]))
    of = table[table["structure"] == reference].iloc[0]
    for radius in radii:
        table[f"x {radius}"] = (table[f"r {radius}"] / of[f"r {radius}"]).map("{:.3g}".format)
        table[f"r {radius}"] = table[f"r {radius}"].map("{:.3f}".format)
    table["build s"], table["MB"] = table["build s"].map("{:.2f}".format), table["MB"].round()
    print(table.drop(columns=["data", "N"]).to_string(index=False), flush=True)


def main() -> None:
    """Measure, and print as it goes."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--sizes", type=int, nargs="+", default=[10**4, 10**5, 10**6, 10**7])
    parser.add_argument("--radii", type=int, nargs="+", default=[2, 5, 10])
    parser.add_argument("--pairs", type=int, nargs="*", default=[10**5, 10**6], metavar="N")
    arguments = parser.parse_args()
    real = real_fingerprints()
    there = {name: is_there(module) for name, (_, module, _) in STRUCTURES.items()}
    for name in [name for name in there if not there[name]]:
        print(f"Left out, not installed: {name}")
    for n in arguments.sizes:
        for kind in ("random", "real"):
            print(f"\n{n:,} {kind} fingerprints; ms per query, and x the reference", flush=True)
            rows = []
            for name, (_, _, most) in STRUCTURES.items():
                if there[name] and n <= most:
                    try:
                        rows.append(alone(measure, name, kind, n, arguments.radii, real))
                    except (ImportError, Problem, BrokenProcessPool) as problem:
                        print(f"Left out: {name}: {problem}")
            show(rows, arguments.radii)
            if n == 10**7 and kind == "random":
                speed, by_name = memory_speed(), {row["structure"]: row for row in rows}
                print(f"memory is read at {speed / 1e9:.2f} billion fingerprints a second", end="")
                for name in ("linear scan", "compiled scan (numba)", "faiss IndexBinaryFlat"):
                    if name in by_name:
                        share = n / (by_name[name][f"r {arguments.radii[0]}"] / 1e3) / speed
                        print(f"; {name}: {share:.0%} of that", end="")
                print(flush=True)

    print("\nAll pairs within a radius")
    rows = [alone(measure_pairs, "all_pairs", "as they are", len(real), r, real) for r in (5, 10)]
    for n in arguments.pairs:
        for kind in ("random", "real"):
            rows.append(alone(measure_pairs, "all_pairs", kind, n, 5, real))
            if n <= 10**5 and there["faiss IndexBinaryFlat"]:
                rows.append(alone(measure_pairs, "faiss IndexBinaryFlat", kind, n, 5, real))
    print(pd.DataFrame(rows).round({"seconds": 3, "peak MB": 0}).to_string(index=False))


if __name__ == "__main__":
    main()
