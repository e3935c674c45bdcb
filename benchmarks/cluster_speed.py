"""How long the wing `cluster` takes, what it needs, and how that grows with the table.

    python -m pip install ".[cluster,bench]"
    python benchmarks/cluster_speed.py grow [1000000:5 10000000:3 ...] [--check] [--keep FILE]
    python benchmarks/cluster_speed.py one_machine [10000000:3] [--turns 3]
    python benchmarks/cluster_speed.py search [1000000:5]

N:R is a table of N random fingerprints, asked within R bits. In each table 1,000 pairs are planted
at each distance from 0 to 6 bits. All of them within the radius have to be found, none beyond it,
and no pair may have another distance than is told. With ``--check`` the digest also has to be that
of `all_pairs`, for random and for real fingerprints. Each run has a cluster of its own.

`grow` prints for each run:

- the seconds to start the cluster, to make the table, and to find the pairs;
- the processor seconds of the workers meanwhile, which other work on the machine changes little;
- the most memory of a worker, and that of this process, where the scheduler is (MB);
- the MB that workers sent to each other, and that they wrote to pass on, as Dask counts them;
- the MB of the table on the disk, and the most MB that there were besides at a time;
- the seconds of the longest task, and of the median one, among those that took longest in all.

Its model has a time for the start, and one for each row that is read, moved, held by a task or
joined, and for each pair that is compared: how many there are is planned as `pairs` plans it. It is
fitted by least squares of ratios to all runs but the one with the most rows, for which it then
tells what it foresaw; bytes sent and passing grow as that one's. `--keep` adds the runs to a CSV
file, and fits to all that it holds.

`one_machine` lets the cluster and `all_pairs` in one process do the same, in turns. `search` asks
10,000 queries, half of them two bits from a row, and compares with one index of the whole table.
"""

import argparse
import importlib
import json
import os
import shutil
import statistics
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from hashlib import sha256
from pathlib import Path

import numpy as np
import pandas as pd
import psutil
from scipy.optimize import nnls
from search_speed import alone, peak_memory

from helpers.experiments import counting
from helpers.hamming import as_fingerprints, count_bits
from helpers.search import multi_index, pairs

PLANTED, FARTHEST = 1_000, 6  # pairs at each distance, and the largest one
PART = 1_000_000  # rows that are drawn at a time
QUERIES = 10_000
RUNS = ["1000000:2", "3000000:2", "10000000:2", "1000000:5", "10000000:3", "30000000:2"]
FORESEEN = [(10**9, 2), (10**10, 2)]
MB, GB = 1e6, 1e9  # bytes


# Tables


def planted(n: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Rows of planted pairs, shape (pairs, 2); their fingerprints; their distances."""
    rng = np.random.default_rng([n, 0])
    distances = np.repeat(np.arange(FARTHEST + 1), PLANTED)
    rows = rng.choice(n, size=(len(distances), 2), replace=False)
    values = rng.integers(0, 2**64, rows.shape, dtype=np.uint64)
    flips = rng.permuted(np.arange(64) < distances[:, None], axis=1)
    values[:, 1] = values[:, 0] ^ np.packbits(flips, axis=1).view(np.uint64)[:, 0]
    return np.sort(rows, axis=1), values, distances


def drawn(n: int, kind: str, number: int) -> np.ndarray:
    """The fingerprints of one part of a table, without those that are planted."""
    rng, size = np.random.default_rng([n, 1, number]), min(PART, n - number * PART)
    if kind == "random":
        return rng.integers(0, 2**64, size, dtype=np.uint64)
    real = as_fingerprints(counting.caltech_101()[0]["fingerprint"])
    made = real[rng.integers(0, len(real), size)]
    one, other = (rng.integers(0, 2**64, size, dtype=np.uint64) for _ in range(2))
    return made ^ (one & other)  # each bit is flipped with a probability of 1/4


def parts(n: int, kind: str) -> Iterator[tuple[int, np.ndarray]]:
    """The first row of each part of a table, and its fingerprints."""
    rows, values, _ = planted(n)
    rows, values = rows.ravel(), values.ravel()
    for number in range(-(-n // PART)):
        first, part = number * PART, drawn(n, kind, number)
        here = (rows >= first) & (rows < first + len(part))
        part[rows[here] - first] = values[here]
        yield first, part


def table_of(n: int, kind: str, folder: Path, client: object) -> tuple[object, float]:
    """A table as `index` makes it, unless it is there; and how many seconds that took."""
    tables = importlib.import_module("helpers.cluster.tables")
    address, source = folder / f"{kind}-{n}", folder / "source"
    if (address / "_table.json").exists():
        return tables.Table.open(address), 0
    source.mkdir(parents=True)
    for first, part in parts(n, kind):
        frame = pd.DataFrame({"id": first + np.arange(len(part)), "fingerprint": part})
        frame.to_parquet(source / f"{first // PART:05}.parquet", row_group_size=PART // 4)
    start = time.perf_counter()
    table = tables.index(source, address, client=client, show=lambda _: None)
    seconds = time.perf_counter() - start
    shutil.rmtree(source)
    return table, seconds


# What is right


def digest_of(*columns: np.ndarray) -> str:
    """The digest of three columns, as that of a result is told."""
    rows = np.stack(columns, axis=1).astype("<i8")
    return sha256(rows[np.lexsort(rows.T[::-1])].tobytes()).hexdigest()


def values_of(n: int, kind: str, rows: np.ndarray) -> np.ndarray:
    """The fingerprints of some rows."""
    found = np.zeros(len(rows), dtype=np.uint64)
    for first, part in parts(n, kind):
        here = (rows >= first) & (rows < first + len(part))
        found[here] = part[rows[here] - first]
    return found


def check(n: int, kind: str, radius: int, result: object, *, whole: bool) -> str:
    """What the result holds; an error if it is wrong."""
    found = result.frame().compute(scheduler="synchronous")
    rows, _, distances = planted(n)
    near = distances <= radius
    there = pd.MultiIndex.from_frame(found[["a", "b"]])
    missing = int((~pd.MultiIndex.from_arrays(rows[near].T).isin(there)).sum())
    one, other = (values_of(n, kind, found[name].to_numpy()) for name in ("a", "b"))
    told = found["distance"].to_numpy()
    wrong = int((count_bits((one ^ other)[None]) != told).sum() + (told > radius).sum())
    wrong += int(there.duplicated().sum() + (found["a"] >= found["b"]).sum())
    if missing or wrong:
        raise SystemExit(f"{n:,} within {radius}: {missing} are missing, {wrong} are wrong")
    text = f"all {near.sum():,} planted and {len(found) - near.sum():,} others"
    if whole:
        right = pairs.all_pairs(np.concatenate([part for _, part in parts(n, kind)]), radius)
        if digest_of(*(right[name] for name in ("first", "second", "distance"))) != result.digest:
            raise SystemExit(f"{n:,} {kind} within {radius}: the digest is another")
        text += ", digest as on one machine"
    return text


# What is measured


@contextmanager
def cluster(options: argparse.Namespace, **about: object) -> Iterator[tuple[object, dict]]:
    """A cluster of its own, and what is measured of it; its passing files are in the folder."""
    start = time.perf_counter()
    engine = importlib.import_module("helpers.cluster.engine")
    tempfile.tempdir = str(options.folder / "passing")
    Path(tempfile.tempdir).mkdir(parents=True, exist_ok=True)
    with engine.engine(workers=options.workers, memory=options.memory) as client:
        client.run(importlib.import_module, "helpers.cluster.joins")
        yield client, {**about, "load": os.getloadavg()[0], "start s": time.perf_counter() - start}
    tempfile.tempdir = None


@contextmanager
def measured(client: object, folder: Path, row: dict) -> Iterator[None]:
    """Adds to a row what the work of the block took."""
    streams = importlib.import_module("distributed").get_task_stream
    before, sent = client.run(processor_seconds), client.run_on_scheduler(metrics)
    done, most, at_first = threading.Event(), [0], bytes_of(folder)
    watch = threading.Thread(target=watch_disk, args=(folder, done, most))
    watch.start()
    start = time.perf_counter()
    try:
        with streams(client) as stream:
            yield
    finally:
        row["seconds"] = time.perf_counter() - start
        done.set()
        watch.join()
    after = client.run(processor_seconds)
    row["cpu s"] = sum(after[worker] - before.get(worker, 0) for worker in after)
    row["worker MB"] = max(client.run(peak_memory).values()) / MB
    row["here MB"] = peak_memory() / MB
    row["disk MB"] = (most[0] - at_first) / MB
    time.sleep(1.5)  # workers tell the scheduler of their metrics twice a second
    now = client.run_on_scheduler(metrics)
    for name, key in (("sent MB", "comms process"), ("passed MB", "disk disk-write")):
        key = f"background-{key}"
        row[name] = (now.get(key, 0) - sent.get(key, 0)) / MB
    row["longest s"], row["median s"] = longest(stream.data)


def processor_seconds() -> float:
    """Of this process, since it began."""
    return sum(psutil.Process().cpu_times()[:2])


def metrics(dask_scheduler: object) -> dict[str, float]:
    """The bytes that shuffles sent and wrote so far, as workers count them."""
    found = {}
    for name, value in dask_scheduler.cumulative_worker_metrics.items():
        if isinstance(name, tuple) and name[0] == "p2p" and name[-1] == "bytes":
            key = f"{name[-3]} {name[-2]}"
            found[key] = found.get(key, 0) + value
    return found


def longest(stream: list[dict]) -> tuple[float, float]:
    """The longest and the median task of the kind that took longest in all."""
    split, kinds = importlib.import_module("dask.utils").key_split, {}
    for task in stream:
        spans = [span for span in task["startstops"] if span["action"] == "compute"]
        seconds = sum(span["stop"] - span["start"] for span in spans)
        kinds.setdefault(split(task["key"]), []).append(seconds)
    heaviest = max(kinds.values(), key=sum, default=[0])
    return max(heaviest), statistics.median(heaviest)


def watch_disk(folder: Path, done: threading.Event, most: list[int]) -> None:
    """Keeps the most bytes that the files of a folder had."""
    while not done.wait(0.5):
        most[0] = max(most[0], bytes_of(folder))


def bytes_of(folder: Path) -> int:
    """Of the files below a folder, some of which may go meanwhile."""
    total = 0
    for place, _, names in os.walk(folder):
        for name in names:
            with suppress(FileNotFoundError):
                total += Path(place, name).stat().st_size
    return total


def run(n: int, radius: int, kind: str, options: argparse.Namespace) -> dict:
    """Make the table and find its pairs, each with a cluster of its own."""
    joins = importlib.import_module("helpers.cluster.joins")
    with cluster(options) as (client, _):
        table, seconds = table_of(n, kind, options.folder, client)
    out, told = options.folder / "pairs", []
    with cluster(options, N=n, radius=radius, kind=kind) as (client, row):
        row |= {"table s": seconds, "table MB": bytes_of(Path(table.address)) / MB}
        with measured(client, options.folder, row):
            result = joins.pairs(table, radius, out, client, show=told.append)
    row["memory"], row["workers"], row["told"] = options.memory, options.workers, "; ".join(told)
    row["found"] = check(n, kind, radius, result, whole=options.check and n <= 10**6)
    shutil.rmtree(out)
    return row


# The model


def work(n: int, radius: int, memory: str, threads: int) -> dict[str, float]:
    """What takes time, as `pairs` would plan it for random fingerprints."""
    joins = importlib.import_module("helpers.cluster.joins")
    limit = importlib.import_module("dask.utils").parse_bytes(memory)
    some = np.random.default_rng(0).integers(0, 2**64, joins._SAMPLE, dtype=np.uint64)
    most = max((0.9 * limit - joins._AT_REST) / joins._BYTES, joins._FEWEST)
    all_of_it = joins.Job(joins._ALL, radius, 0, slice(None), 0)
    done = dict.fromkeys(("start", "read", "moved", "held", "joined", "compared"), 0.0)
    done["start"] = 1.0
    for jobs in joins._rounds(some, n / len(some), all_of_it, most, threads):
        is_moved = jobs[0].is_shuffled
        done["moved" if is_moved else "read"] += n * (1 if is_moved else len(jobs))
        for job in jobs:
            done["held"] += n / job.buckets
            for choice in job.plan():
                done["joined"] += n / job.buckets
                bits = int(count_bits(choice.mask[:, None])[0])
                done["compared"] += n**2 / 2 ** (1 + bits) / job.buckets
    return done


def foresee(rows: pd.DataFrame, memory: str, what: str) -> None:
    """Fit the model to all runs but those of the most rows, and say what it told of them."""
    of = [work(row.N, row.radius, row.memory, row.workers) for row in rows.itertuples()]
    features, seconds = pd.DataFrame(of).to_numpy(), rows[what].to_numpy()
    small = (rows["N"] < rows["N"].max()).to_numpy()
    if unknown := [*np.array([*of[0]])[(features[small] == 0).all(axis=0) & features.any(axis=0)]]:
        print(
            f"No model of {what}: no smaller run has rows {unknown[0]}; run one with less --memory"
        )
        return
    fitted, _ = nnls(features[small] / seconds[small, None], np.ones(small.sum()))
    parts = dict(zip(list(of[0])[1:], fitted[1:] * 1e9, strict=True))
    each = ", ".join(f"{value:.1f} ns a row {name}" for name, value in parts.items())
    print(f"\nmodel of {what}: {fitted[0]:.1f} s, {each}; foreseen / measured")
    for row, feature, is_small in zip(rows.itertuples(), features, small, strict=True):
        ratio = feature @ fitted / rows.loc[row.Index, what]
        print(
            f"  {row.N:>13,} within {row.radius}: {ratio:.2f}{'' if is_small else ', not fitted'}"
        )
    for radius, same in rows.groupby("radius"):
        means = same.groupby("N")[what].median()
        if len(means) > 1:
            slope = np.polyfit(np.log(means.index), np.log(means), 1)[0]
            last = np.diff(np.log(means))[-1] / np.diff(np.log(means.index))[-1]
            print(f"exponent within {radius}: {slope:.2f}; of the last step {last:.2f}")
    moved, largest = features[:, list(of[0]).index("moved")], rows["N"].argmax()
    sent_each = rows["sent MB"].iloc[largest] * MB / max(moved[largest], 1)
    passing_each = rows["disk MB"].iloc[largest] * MB / rows["N"].iloc[largest]
    for n, radius in FORESEEN:
        about = work(n, radius, memory, workers := rows["workers"].iloc[-1])
        feature = np.array([*about.values()])
        sent, passing = about["moved"] * sent_each / GB, n * passing_each / GB
        print(
            f"{n:,} within {radius}: {what} {feature @ fitted:,.0f} "
            f"({feature @ fitted / 3600:,.2f} hours) with {workers} workers, "
            f"{sent:,.0f} GB sent, {passing:,.0f} GB of disk beside the table"
        )


# The three tasks


def grow(options: argparse.Namespace) -> None:
    """How time grows."""
    rows = []
    if options.keep and options.keep.exists():
        rows = pd.read_csv(options.keep).to_dict("records")
    for n, radius in options.runs or map(size_of, RUNS):
        kinds = ("random", "real") if options.check and n <= 10**6 else ("random",)
        for kind in kinds:
            row = run(n, radius, kind, options)
            print(json.dumps(row, default=float), flush=True)
            rows.append(row)
            if options.keep:
                pd.DataFrame(rows).to_csv(options.keep, index=False)
    table = pd.DataFrame(rows)
    print(table.drop(columns=["told", "found"]).round(1).to_string(index=False))
    random = table[table["kind"] == "random"]
    if random["N"].nunique() > 1:
        for what in ("seconds", "cpu s"):
            foresee(random, options.memory, what)


def in_one_process(address: Path, n: int, radius: int) -> dict:
    """What `all_pairs` takes for a table, in the process that this is called in."""
    tables = importlib.import_module("helpers.cluster.tables")
    start, table = time.perf_counter(), tables.Table.open(address)
    values = tables.read_parts(table.parts, table.address, ["fingerprint"])["fingerprint"]
    read = time.perf_counter() - start
    found = pairs.all_pairs(values.to_numpy(), radius)
    seconds, cpu = time.perf_counter() - start, processor_seconds()
    right = digest_of(*(found[name] for name in ("first", "second", "distance")))
    return {"seconds": seconds, "read s": read, "cpu s": cpu, "MB": peak_memory() / MB,
            "digest": right}  # fmt: skip


def one_machine(options: argparse.Namespace) -> None:
    """The cluster against one process, in turns."""
    joins, times = importlib.import_module("helpers.cluster.joins"), []
    for n, radius in options.runs or [(10**7, 3)]:
        for _ in range(options.turns):
            with cluster(options) as (client, row):
                table, _ = table_of(n, "random", options.folder, client)
                with measured(client, options.folder, row):
                    out = options.folder / "pairs"
                    result = joins.pairs(table, radius, out, client, show=lambda _: None)
            alone_took = alone(in_one_process, Path(table.address), n, radius)
            if alone_took.pop("digest") != result.digest:
                raise SystemExit(f"{n:,} within {radius}: the digests differ")
            times.append((row["seconds"], alone_took["seconds"]))
            print("cluster    ", {name: round(value, 1) for name, value in row.items()})
            print("one process", {name: round(v, 1) for name, v in alone_took.items()}, flush=True)
        ours, theirs = np.median(times, axis=0)
        print(f"{n:,} within {radius}: {ours:.1f} s and {theirs:.1f} s, {ours / theirs:.2f}")


def search(options: argparse.Namespace) -> None:
    """Many queries."""
    tables = importlib.import_module("helpers.cluster.tables")
    finding = importlib.import_module("helpers.cluster.finding")
    for n, radius in options.runs or [(10**6, 5)]:
        for kind in ("random", "real"):
            values = np.concatenate([part for _, part in parts(n, kind)])
            near = values[:: n // (QUERIES // 2)][: QUERIES // 2] ^ np.uint64(2**7 + 2**40)
            asked = np.concatenate([near, drawn(QUERIES // 2, kind, 0)])
            out = options.folder / "matches"
            with cluster(options, N=n, radius=radius, kind=kind) as (client, row):
                table, _ = table_of(n, kind, options.folder, client)
                with measured(client, options.folder, row):
                    result = finding.search(table, asked, radius, out, client, show=lambda _: None)
            start = time.perf_counter()
            index = multi_index.MultiIndexHashing(values, radius)
            columns = zip(*index.parts_within(asked, radius), strict=True)
            right = digest_of(*map(np.concatenate, columns))
            row |= {"one process s": time.perf_counter() - start, "matches": result.rows}
            if right != tables.digest(result):
                raise SystemExit(f"{n:,} {kind} within {radius}: the digests differ")
            print(json.dumps(row, default=float), "digest as on one machine", flush=True)
            shutil.rmtree(out)


TASKS: dict[str, Callable] = {"grow": grow, "one_machine": one_machine, "search": search}


def size_of(text: str) -> tuple[int, int]:
    """N and R of ``N:R``."""
    n, radius = text.split(":")
    return int(float(n)), int(radius)


def main() -> None:
    """Measure, and print as it goes."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("task", choices=TASKS)
    parser.add_argument("runs", type=size_of, nargs="*", metavar="N:R")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--memory", default="1.5GB", help="of each worker")
    parser.add_argument("--check", action="store_true", help="against all_pairs, up to a million")
    parser.add_argument("--keep", type=Path, metavar="FILE")
    parser.add_argument("--turns", type=int, default=1)
    parser.add_argument("--folder", type=Path, help="where the tables stay (a passing one)")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as passing:
        options.folder = options.folder or Path(passing)
        options.folder.mkdir(parents=True, exist_ok=True)
        TASKS[options.task](options)


if __name__ == "__main__":
    main()
