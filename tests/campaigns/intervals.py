"""Draw samples from sets whose truth is known: do the intervals of rates and recalls hold it?

``python tests/campaigns/intervals.py --rounds full`` takes some minutes. For each set and size of
sample it prints in how many of a hundred cases the truth lies inside: for rates from three near
pairs on, for bounds, for recalls at the radius that the sample chose, and for recalls at the radius
that the whole set would choose. Beside each stands the worst radius, or the worst change and rate.
It fails if a share is below `LEAST`.
"""

import argparse
import sys
import tempfile
from functools import partial
from pathlib import Path
from types import SimpleNamespace

import joblib
import numpy as np
import pandas as pd

from helpers import hamming
from helpers.experiments import counting, rates
from helpers.files.tables import read_csv

LEAST = 0.9
SIZES = (100, 300, 1000)
REDRAWS = {"small": 20, "full": 200}
RATES = (1e-3, 1e-4, 1e-5, 1e-6)
#: How far the copies of each change lie on average, in bits.
CHANGES = {"mild": 0.5, "middle": 4, "hard": 9, "hopeless": 16}
_FEWEST = 50  # cases behind the worst of a column


def _words(bits: np.ndarray) -> np.ndarray:
    return np.packbits(bits.astype(np.uint8), axis=1).view(">u8")[:, 0].astype(np.uint64)


def _varied(rng: np.random.Generator, n: int) -> np.ndarray:
    """Bits that depend on each other, as those of photographs do."""
    return rng.normal(size=(n, 12)) @ rng.normal(size=(12, 64)) + rng.normal(size=(n, 64)) > 0


def _off(rng: np.random.Generator, bits: np.ndarray, share: float | np.ndarray) -> np.ndarray:
    return bits ^ (rng.random(bits.shape) < share)


def caltech(rng: np.random.Generator) -> np.ndarray:
    """CALTECH-101's dHash."""
    return counting.caltech_101()[0]["fingerprint"].to_numpy(dtype=np.uint64)


def look_alikes(rng: np.random.Generator) -> np.ndarray:
    """Five categories of CALTECH-101 whose pictures look alike."""
    table = counting.caltech_101()[0]
    alike = table["category"].isin(["Motorbikes", "airplanes", "Faces", "Leopards", "watch"])
    return table["fingerprint"][alike].to_numpy(dtype=np.uint64)


def twins(rng: np.random.Generator) -> np.ndarray:
    """Varied pictures, each of which has one near it."""
    bits = _varied(rng, 10_000)
    return _words(np.concatenate([bits, _off(rng, bits, 0.03)]))


def clusters(rng: np.random.Generator) -> np.ndarray:
    """Clusters of all sizes: many small ones, few large ones."""
    owner = np.repeat(np.arange(4_000), (rng.pareto(1.2, 4_000) + 1).astype(int))
    owner = rng.permutation(owner)[:20_000]
    return _words(_off(rng, _varied(rng, 4_000)[owner], 0.04))


def template(rng: np.random.Generator) -> np.ndarray:
    """One template, as 426 photographs of potatoes have: some pictures are near it, and so near
    each other; most are far."""
    share = rng.beta(1.5, 4, (20_000, 1))
    return _words(_off(rng, np.tile(rng.random(64) < 0.5, (20_000, 1)), share))


def hubs(rng: np.random.Generator) -> np.ndarray:
    """Varied pictures, among them 2 % that are equal; another 8 % are near these."""
    bits, kind = _varied(rng, 20_000), rng.random(20_000)
    bits[kind < 0.1] = _off(rng, np.tile(bits[0], ((kind < 0.1).sum(), 1)), 0.08)
    bits[kind < 0.02] = bits[0]
    return _words(bits)


SETS = {one.__name__: one for one in (caltech, look_alikes, twins, clusters, template, hubs)}
SMALL = ("caltech", "template")


def sample(words: np.ndarray, far: np.ndarray, n: int, seed: int) -> pd.DataFrame:
    """What the tables of a run say of n pictures of a set: a row a radius, or a change and rate."""
    rng = np.random.default_rng(seed)
    rows = rng.choice(len(words), n, replace=False)
    names = [f"{number:04}" for number in range(n)]
    pictures = {"path": names, "bytes": names, "pixels": names, "flat": False, "problem": ""}
    pictures["dhash"] = [f"{word:016x}" for word in words[rows]]
    queries = min(n, 400)
    grid = pd.MultiIndex.from_product([names[:queries], CHANGES, ["as it is"]])
    distances = grid.to_frame(index=False, name=["path", "change", "strength"])
    distances["dhash"] = far[rows[:queries]].ravel()
    judged = pd.DataFrame(columns=["first", "second", "verdict", "hash"])
    with tempfile.TemporaryDirectory() as folder:
        run = SimpleNamespace(folder=Path(folder), pictures=pd.DataFrame(pictures))
        run.about = {"hashes": ["dhash"], "seed": seed, "rates": RATES}
        run.distances, run.judged = distances, judged
        rates.write_tables(run)
        tables = []
        for name in ("rates", "recall"):
            columns, cells = read_csv(run.folder / f"{name}.csv")
            tables.append(pd.DataFrame([row for _, row in cells], columns=columns))
    table = pd.concat(tables, keys=["rates", "recall"], names=["of"]).reset_index("of")
    numbers = ["radius", "pairs", "rate", "low", "high"]
    return table.assign(**table[numbers].apply(pd.to_numeric), seed=seed)


def judge(table: pd.DataFrame, words: np.ndarray, far: np.ndarray, redraws: int) -> list[dict]:
    """How often the truth lies inside, of all samples of one size: a row for each kind of end."""
    counts = hamming.count_pairs(words)
    truth = np.append(np.cumsum(counts) / counts.sum(), 0)  # the last is that of radius -1
    found = np.array([(far <= radius).mean(axis=0) for radius in [*range(65), -1]])
    at = table[table["of"] == "rates"].astype({"radius": int})
    reached = at.groupby("radius")["seed"].transform("size") == redraws  # by every sample
    at = at[reached].assign(truth=truth[at["radius"][reached]])
    at["key"], few = at["radius"], at["pairs"] < len(rates.BOUNDS)
    recall = table[table["of"] == "recall"].astype({"radius": int})
    recall["key"] = recall["change"] + recall["rate"].map(" at {:g}".format)
    change = recall["change"].map(list(CHANGES).index)
    chosen = recall["rate"].map(lambda rate: int((truth[:65] <= rate).sum()) - 1)
    kinds = {
        "rates": at[~few],
        "bounds": at[few],
        "recalls": recall.assign(truth=found[recall["radius"], change]),
        "recalls, radius redrawn": recall.assign(truth=found[chosen, change]),
    }
    rows = []
    for kind, cases in kinds.items():
        inside = (cases["low"] - 1e-9 <= cases["truth"]) & (cases["truth"] <= cases["high"] + 1e-9)
        each = inside.groupby(cases["key"]).agg(["sum", "size"])
        if kind == "bounds":  # of all samples: those with more near pairs have no bound to fail
            each += np.array([[1, 1]]) * (redraws - each["size"]).to_numpy()[:, None]
        share = (each["sum"] / each["size"])[each["size"] >= min(_FEWEST, redraws)]
        worst = f"{share.min():.3f} ({share.idxmin()})" if len(share) else ""
        whole = each["sum"].sum() / max(each["size"].sum(), 1) if len(each) else np.nan
        rows.append({"of": kind, "cases": len(cases), "inside": whole, "worst": worst})
    return rows


def campaign(rounds: str, names: list[str], workers: int) -> bool:
    """Print the table; whether every share is large enough."""
    redraws, rows = REDRAWS[rounds], []
    for draw in (SETS[name] for name in names or (SETS if rounds == "full" else SMALL)):
        rng = np.random.default_rng(2014)
        words = draw(rng)
        own = rng.gamma(2, 0.5, (len(words), 1))  # some pictures suffer more than others
        far = np.minimum(rng.poisson(own * list(CHANGES.values())), 64)
        for n in SIZES if rounds == "full" else SIZES[:1]:
            jobs = map(joblib.delayed(partial(sample, words, far, n)), range(redraws))
            tables = joblib.Parallel(n_jobs=workers)(jobs)
            told = judge(pd.concat(tables), words, far, redraws)
            rows += [{"set": draw.__name__, "pictures": n, **row} for row in told]
            for row in told:
                inside = "" if np.isnan(row["inside"]) else f"{row['inside']:.3f}"
                where = f"{draw.__name__:12} {n:5}  {row['of']:24}"
                print(f"{where} {row['cases']:6} {inside:>6}  {row['worst']}", flush=True)
    low = [row for row in rows if row["inside"] < LEAST]
    print(f"{len(rows)} shares, {len(low)} of them below {LEAST:.0%}")
    return not low


def main(words: list[str] | None = None) -> int:
    """0 if the truth lies inside often enough."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", choices=tuple(REDRAWS), default="small")
    parser.add_argument("--sets", nargs="*", default=[], choices=SETS, help="these sets alone")
    parser.add_argument("--workers", type=int, default=2)
    arguments = parser.parse_args(words)
    print(f"{'set':12} {'n':>5}  {'of':24} {'cases':>6} inside  worst")
    return int(not campaign(arguments.rounds, arguments.sets, arguments.workers))


if __name__ == "__main__":
    sys.exit(main())
