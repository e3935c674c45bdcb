"""All pairs of near fingerprints in a table that no memory holds, and the groups that they form.

It is the join of `helpers.search.blocks`: rows that are equal in a block of bits meet in one task,
which joins them as one machine would.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from itertools import chain, groupby
from math import ceil
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd

from helpers import Problem
from helpers.cluster.engine import cost
from helpers.cluster.tables import MOST_ROWS, PIECE, Table, read_parts, write_result
from helpers.hamming import check_radius
from helpers.search.blocks import MIX, Choice, Found, choices, find_near, join, weigh
from helpers.search.pairs import components, distinct, of_rows

# isort: split
from distributed import Client

_AT_REST, _BYTES = 300e6, 100  # of memory: for a worker, and for each row of its task
_FEWEST = 100_000  # rows of a task, however little memory there is
_SAMPLE = 100_000  # rows tell how many pairs there are, and which values are frequent
_BUCKETS = 6  # or more: to shuffle takes less time than to read the whole table for each
_READ, _SHUFFLED, _HELD = 30, 300, 400  # nanoseconds for each row, in a task of its own
_CROWD = 1 / 2  # of a task or more is the share of a value that is a crowd
_SPARE = 1.3  # buckets differ in size
_DEEPEST = 3  # crowds of crowds; those inside are joined in one task
_SENT = 25  # bytes for each row
_ALL = 2**64 - 1


class Job(NamedTuple):
    """Rows that meet in one task, and the joins to be made there.

    Parameters
    ----------
    where, radius, k : int
        Which bits are cut into radius + k blocks.
    joins : slice
        Which of the choices of k blocks are joined there. Where there are buckets, they have the
        first block in common.
    seconds : float
        How long it should take.
    fixed, value : int
        If it is a job of a crowd: bits in which it is equal, and what they are.
    within : tuple of Choice
        If it is a job of a crowd: its pairs belong to these choices, too.
    bucket, buckets : int
        Of the values of the first block those in one of so many buckets; in any, if it is None.
    crowds : ndarray of uint64
        Values of the first block that have jobs of their own.
    """

    where: int
    radius: int
    k: int
    joins: slice
    seconds: float
    fixed: int = 0
    value: int = 0
    within: tuple[Choice, ...] = ()
    bucket: int | None = None
    buckets: int = 1
    crowds: np.ndarray = np.empty(0, dtype=np.uint64)

    @property
    def is_shuffled(self) -> bool:
        """Whether Dask brings its rows together, instead of a task that reads the whole table."""
        return self.buckets >= _BUCKETS and not self.fixed

    def plan(self) -> list[Choice]:
        """The choices that are joined there.

        Returns
        -------
        list of Choice
            If there are too few bits for any, one that compares all with all.
        """
        where = np.array([self.where], dtype=np.uint64)
        plan = choices(where, self.radius, self.k) if self.k else [Choice(where & 0, [], where & 0)]
        return plan[self.joins]

    def meet(self, values: np.ndarray) -> np.ndarray | None:
        """Which rows meet there.

        Parameters
        ----------
        values : ndarray of uint64
            Fingerprints.

        Returns
        -------
        ndarray of bool, or None
            For each row; None if all of them do.
        """
        here = None
        if self.fixed:
            here = (values & np.uint64(self.fixed)) == np.uint64(self.value)
        if self.buckets > 1:
            key = values & self.plan()[0].first
            mine = ~np.isin(key, self.crowds)
            if self.bucket is not None:
                mine &= (key * MIX >> np.uint64(32)) % np.uint64(self.buckets) == self.bucket
            here = mine if here is None else here & mine
        return here


def pairs(
    table: Table,
    radius: int,
    out: str | Path,
    client: Client,
    show: Callable[[str], object] = print,
) -> Table:
    """All pairs of rows at most `radius` bits apart.

    Parameters
    ----------
    table : Table
        Of fingerprints.
    radius : int
        Largest distance, in bits, that counts.
    out : str or Path
        The folder of the result, at any address that fsspec knows. All workers must see it.
    client : distributed.Client
        From `helpers.cluster.engine.engine`.
    show : callable
        Takes a sentence that tells the cost beforehand.

    Returns
    -------
    Table
        The result: ``a`` and ``b`` (ids, a < b) and ``distance``.

    Raises
    ------
    Problem
        If the radius is no number of bits, if a part of the table is lost or has changed, or if
        there are more pairs than `helpers.cluster.tables.MOST_ROWS`.

    Notes
    -----
    The bits are cut into blocks, as `helpers.search.pairs.all_pairs` tells. If a worker can hold
    the table, each choice of blocks is a task. Otherwise there is a round for each block that can
    be the first chosen one: rows with an equal value there meet in one task, which makes all joins
    whose first block it is. So rows move radius + 1 times, not once for each choice. For up to 5
    buckets of values each task reads the whole table and keeps what is its own; for more, Dask
    shuffles the rows. One round ends before the next begins, so that the disk holds one shuffle.

    A value with more than half of the rows that a task can hold is a crowd. Its rows have tasks of
    their own, by blocks of their other bits. This decides where two rows meet, never whether.

    As measured, a row takes about 30 ns to be read, 300 ns to be shuffled, 400 ns in each task
    that holds it and 15 ns in each join, a candidate 35 ns.

    Examples
    --------
    >>> pairs(table, 3, "pairs", client).rows  # doctest: +SKIP
    about 160 pairs; 2 partitions, a minute or less
    160
    """
    plan = estimate(table, radius, client)
    show(plan.cost)
    parts = ([*_parts(table, jobs)] for jobs in plan.rounds)
    return write_result(parts, out, ["a", "b", "distance"], client)


class Plan(NamedTuple):
    """What `pairs` will do.

    Parameters
    ----------
    rounds : list of list of Job
        The jobs. Each round ends before the next begins.
    pairs : float
        About how many there will be, as a sample tells; if it has none, a bound.
    cost : str
        That, and what it should take, in words.
    """

    rounds: list[list[Job]]
    pairs: float
    cost: str


def estimate(table: Table, radius: int, client: Client) -> Plan:
    """How many pairs there will be, and what it will take to find them.

    Parameters
    ----------
    table : Table
        Of fingerprints.
    radius : int
        Largest distance, in bits, that counts.
    client : distributed.Client
        From `helpers.cluster.engine.engine`.

    Returns
    -------
    Plan
        As 100,000 rows tell that are drawn at random.

    Raises
    ------
    Problem
        If the radius is no number of bits, or if there are more pairs than
        `helpers.cluster.tables.MOST_ROWS`.
    """
    radius = check_radius(radius, table.made().bits)
    some = sampled(table, _SAMPLE, 0, client)["fingerprint"].to_numpy()
    values, _, ends = distinct(some[None])
    often, scale = np.diff(ends), max(table.rows, 1) / max(len(some), 1)
    near, found = 0.0, find_near(values, radius)
    for some_pairs in chain([often * (often - 1) / 2], (often[a] * often[b] for a, b, _ in found)):
        near += float(some_pairs.sum())
        if near * scale**2 > MOST_ROWS:
            equal = f"about {scale * often.max():,.0f} pictures have one fingerprint (flat ones do)"
            leave = f"{equal}, leave these out, or " if often.max() > 10 else ""
            raise Problem(
                f"{table.address}: more than about {near * scale**2:,.0f} pairs lie within "
                f"{radius} bits, and a result has at most {MOST_ROWS:,}; {leave}take a "
                "smaller radius"
            )
    client.wait_for_workers(1, timeout=60)  # there is none while the last one is replaced
    workers = client.scheduler_info(n_workers=-1)["workers"].values()
    threads = sum(each["nthreads"] for each in workers)
    memory = [
        ((each["memory_limit"] or 2**33) * 0.9 - _AT_REST) / each["nthreads"] for each in workers
    ]
    most = max(min(memory) / _BYTES, _FEWEST)
    rounds = [*_rounds(some, scale, Job(_ALL, radius, 0, slice(None), 0), most, threads)]
    sent = sum(jobs[0].is_shuffled for jobs in rounds) * table.rows * _SENT
    seconds = sum(job.seconds for jobs in rounds for job in jobs)
    about = near * scale**2 or 3 * (scale**2 - 1)  # none seen: 95 %
    told = f"about {about:,.0f} pairs{'' if near or not about else ' or fewer'}"
    return Plan(rounds, about, f"{told}; {cost(client, sum(map(len, rounds)), seconds, sent)}")


def _rounds(
    some: np.ndarray, scale: float, crowd: Job, most: float, threads: int
) -> Iterator[list[Job]]:
    """The jobs of a table, or of a crowd, of which these are some fingerprints."""
    rows = len(some) * scale
    # blocks need not hold all bits; of those in which few differ they would be all alike
    bits = crowd.where & int(np.bitwise_or.reduce(some ^ some[:1]))
    where = np.array([bits], dtype=np.uint64)
    times = weigh(np.unique(some)[None], where, crowd.radius, ceil(rows))
    crowd = crowd._replace(where=bits, k=(k := min(times, key=times.get, default=0)))
    plan, read = crowd.plan(), rows * _READ / 1e9
    seconds = times.get(k, 0) / 1e9 / len(plan)
    if rows <= most or not k or len(crowd.within) == _DEEPEST:
        shares = [slice(at, None, threads) for at in range(min(threads, len(plan)))]
        time = read + rows * _HELD / 1e9 + seconds * len(plan) / len(shares)
        yield [crowd._replace(joins=share, seconds=time) for share in shares]
        return
    for _, group in groupby(range(len(plan)), lambda at: int(plan[at].first[0])):
        joins = [*group]
        first = plan[joins[0]].first
        keys, often = np.unique(some & first, return_counts=True)
        crowds = keys[often * scale > most * _CROWD]
        light = (~np.isin(some & first, crowds)).sum() * scale
        buckets = max(ceil(_SPARE * light / most), 2)
        share = slice(joins[0], joins[-1] + 1)
        job = crowd._replace(joins=share, buckets=buckets, crowds=crowds)
        moved = rows * _SHUFFLED / 1e9 / buckets if job.is_shuffled else read
        time = moved + (rows * _HELD / 1e9 + seconds * len(joins)) / buckets
        jobs = [job._replace(bucket=bucket, seconds=time) for bucket in range(buckets)]
        bits, own = int(first[0]), Choice(first, plan[joins[0]].earlier, first)
        rest, within = crowd.where & ~bits, (*crowd.within, own)
        inside = crowd._replace(where=rest, fixed=crowd.fixed | bits, within=within)
        for value in crowds:
            inside = inside._replace(value=crowd.value | int(value))
            jobs += chain(*_rounds(some[some & first == value], scale, inside, most, threads))
        yield jobs


def _parts(table: Table, jobs: list[Job]) -> Iterator[tuple]:
    """The parts of the result that one round gives."""
    if jobs[0].is_shuffled:
        job, buckets = jobs[0]._replace(bucket=None), jobs[0].buckets
        frame = table.frame().map_partitions(partial(_meeting, job))
        key = frame["fingerprint"] & job.plan()[0].first[0]
        moved = frame.shuffle(key, npartitions=2 * buckets, shuffle_method="p2p")
        yield from ((partial(_found, job), rows) for rows in moved.to_delayed())
        jobs = [job for job in jobs if job.fixed]
    for job in jobs:
        yield (partial(_found, job, table),)


def _meeting(job: Job, rows: pd.DataFrame) -> pd.DataFrame:
    return rows[job.meet(rows["fingerprint"].to_numpy())]


def _found(job: Job, source: Table | pd.DataFrame) -> Iterator[Found]:
    """The pairs of a job, each time at most about a million."""
    if isinstance(source, Table):
        source = read_parts(source.parts, source.address, ["id", "fingerprint"], job.meet)
    values, rows, ends = distinct(source["fingerprint"].to_numpy()[None])
    ids = source["id"].to_numpy()[rows]
    del source, rows
    for near in _near(job, values, ends):
        sizes = (ends[side + 1] - ends[side] for side in near[:2])
        turns = ceil(np.prod([*sizes], axis=0).sum() / PIECE)
        for turn in range(turns):
            yield of_rows(near, ids, ends, turn, turns)


def _near(job: Job, values: np.ndarray, ends: np.ndarray) -> Iterator[Found]:
    """The pairs of values of a job; a value with itself if several rows have it."""
    plan = job.plan()
    if not any(choice.earlier for choice in (*job.within, plan[0])):
        several = np.flatnonzero(np.diff(ends) > 1)
        yield several, several, np.zeros(len(several), dtype=np.uint8)
    for choice in plan:
        for first, second, distance in join(values, job.radius, choice):
            differ = values[:, first] ^ values[:, second]
            near = np.full(len(first), True)
            for other in job.within:
                near &= other.has(differ)
            yield first[near], second[near], distance[near]


def groups(result: Table, client: Client) -> pd.DataFrame:
    """The groups of all that are paired, directly or by way of others.

    Parameters
    ----------
    result : Table
        From `pairs`.
    client : distributed.Client
        From `helpers.cluster.engine.engine`.

    Returns
    -------
    DataFrame
        ``id``, and ``group``: the lowest id of its group. In the order of ids.

    Notes
    -----
    Each task keeps of its pairs only what joins them to groups, a row for each id; these are
    joined eight at a time. The groups have to fit into the memory of one worker.

    Examples
    --------
    >>> groups(Table.open("pairs"), client).head(2)  # doctest: +SKIP
       id  group
    0  28     28
    1  29     28
    """
    meta = pd.DataFrame({"id": [0], "group": [0]})
    forest = result.frame().reduction(_forest, _forest, _forest, meta=meta, split_every=8)
    return client.compute(forest).result().reset_index(drop=True)


def _forest(pairs: pd.DataFrame) -> pd.DataFrame:
    members, lowest = components(pairs.iloc[:, 0], pairs.iloc[:, 1])
    return pd.DataFrame({"id": members, "group": lowest})


def sampled(table: Table, n: int, seed: int, client: Client) -> pd.DataFrame:
    """Some rows, drawn at random: which ones does not depend on how the table is parted.

    Parameters
    ----------
    table : Table
        Of fingerprints.
    n : int
        How many rows; all if there are no more.
    seed : int
        Another seed gives other rows.
    client : distributed.Client
        From `helpers.cluster.engine.engine`.

    Returns
    -------
    DataFrame
        ``id`` and ``fingerprint``, in the order of ids. Its pairs are pairs drawn at random.
    """
    table.made()  # a result has no fingerprints
    share = (n + 9 * n**0.5 + 50) / max(table.rows, 1)  # a few more than n
    some = client.compute(table.frame().map_partitions(_drawn, seed, share)).result()
    return some.nsmallest(n, "lot").drop(columns="lot").sort_values("id", ignore_index=True)


def _drawn(rows: pd.DataFrame, seed: int, share: float) -> pd.DataFrame:
    salt = pd.util.hash_array(np.array([seed])).view(np.int64)
    lot = pd.util.hash_array(rows["id"].to_numpy() ^ salt) / 2.0**64
    return rows.assign(lot=lot)[lot <= share]
