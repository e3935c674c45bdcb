"""Rates of false matches per pair of different pictures, and recalls, both with 95 % intervals.

Pairs are not independent: one picture sits in many. So the intervals come from a bootstrap that
draws *pictures* anew: a pair weighs as often as its first picture was drawn, times its second. If
few pictures sit in most near pairs, the interval reaches as far up as a t distribution with so few
degrees of freedom. Fewer than three near pairs give a bound, and no rate; if near pairs come in
bunches, the bound is larger. ``tests/campaigns/coverage.py`` shows how often all this holds.

Pictures that are flat, or cannot be read, stand apart. Those of equal pixels are one picture. Other
pairs are different pictures unless a person judged them the same; at each distance, the share of
the same among pairs that were judged is taken for the others.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from scipy.special import ndtr, stdtrit

from helpers.experiments.counting import SEED, wilson
from helpers.files.atomic import write_all
from helpers.files.tables import as_csv
from helpers.hamming import as_words, count_bits, count_pairs
from helpers.search.pairs import all_pairs

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    from helpers.experiments.measuring import Run

#: How often pictures are drawn anew.
REDRAWS = 1000
#: With 0, 1, 2 near pairs: how many are expected at most (Poisson, 95 %).
BOUNDS = (3.0, 4.74, 6.30)
VERDICTS = {"same": 0.0, "unsure": 0.5, "different": 1.0}  # what a judged pair counts
#: Up to this rate a pair, near pairs are counted in each redraw, and listed.
COUNTED_RATE, LISTED_RATE = 1e-3, 1e-4
#: ... but no more than so many of a hash; then the table ends at a smaller radius.
MOST_COUNTED, MOST_LISTED = 1_000_000, 50_000
_FEW = 300  # near pairs that are counted and listed in any case, where there are so many


@dataclass(frozen=True)
class Rates:
    """How often different pictures match, by one hash.

    Parameters
    ----------
    pairs : ndarray of float, shape (radii,)
        How many pairs of different pictures lie within each radius: 0, 1, ... bits.
    total : float
        How many pairs of different pictures there are.
    low, high : ndarray of float, shape (radii,)
        The 95 % interval of the rate; 0 and a bound if there are fewer than three near pairs.
    redrawn : ndarray of float, shape (1 + redraws, radii)
        The rate: of the pictures as they are, then of each redraw.
    counts : ndarray of int
        How many pairs lie at 0, 1, ... bits, judged or not.
    """

    pairs: np.ndarray
    total: float
    low: np.ndarray
    high: np.ndarray
    redrawn: np.ndarray
    counts: np.ndarray

    def table(self) -> pd.DataFrame:
        """The rates as a table.

        Returns
        -------
        DataFrame
            ``radius``, ``pairs`` within it, ``rate`` a pair (missing where there is a bound
            only), ``low``, ``high``.
        """
        pairs = np.rint(self.pairs).astype(int)
        rate = np.where(pairs < len(BOUNDS), np.nan, self.redrawn[0])
        columns = {"radius": np.arange(len(pairs)), "pairs": pairs, "rate": rate}
        return pd.DataFrame({**columns, "low": self.low, "high": self.high})


def of_fingerprints(
    fingerprints: ArrayLike,
    *,
    same: Iterable[tuple] = (),
    redraws: int = REDRAWS,
    seed: int = SEED,
) -> pd.DataFrame:
    """How often two different pictures match within each radius, with intervals.

    Parameters
    ----------
    fingerprints : array-like of uint64, shape (n,) or (n, words), or of hex text, shape (n,)
        One of each different picture.
    same : iterable of (int, int)
        Rows of pairs that are no different pictures after all.
    redraws : int
        How often pictures are drawn anew for the intervals.
    seed : int
        What they are drawn with.

    Returns
    -------
    DataFrame
        As from `Rates.table`. It ends at the first radius with a rate above `COUNTED_RATE`, and
        with 300 near pairs.

    Examples
    --------
    >>> table = of_fingerprints(np.array([0, 7, 2**20 - 1], dtype=np.uint64))
    >>> table.iloc[3].tolist()
    [3.0, 1.0, nan, 0.0, 1.0]
    """
    words = as_words(fingerprints)
    verdicts = pd.DataFrame(list(same), columns=["first", "second"]).assign(verdict="same", hash="")
    place = pd.Series(np.arange(words.shape[1]))
    weights = _drawn_anew(words.shape[1], redraws, seed)
    return _of_words(words, weights, _values(verdicts, place), "-", COUNTED_RATE, 0).table()


def _drawn_anew(n: int, redraws: int, seed: int) -> np.ndarray:
    """How often each of n pictures is drawn: first each once, then n of them with replacement."""
    rng, weights = np.random.default_rng(seed), np.ones((1 + redraws, n), dtype=np.uint8)
    for row in weights[1:] if n else ():
        row[:] = np.bincount(rng.integers(0, n, n).astype(np.intp, copy=False), minlength=n)
    return weights


def _first_passing(counts: np.ndarray, rate: float, most: int) -> int:
    """The first radius with a larger rate and 300 near pairs; with `most`, if it is not 0."""
    near, total = np.cumsum(counts), int(np.sum(counts))
    enough = (near > rate * total) & (near >= _FEW) | (near == total)
    radius = int(np.argmax(enough))
    return max(0, min(radius, int(np.searchsorted(near, most, side="right")) - 1))


def _of_words(
    words: np.ndarray,
    weights: np.ndarray,
    verdicts: pd.DataFrame,
    hash: str,
    reach: float,
    strangers: int,
) -> Rates:
    """The rates of one hash. If the last so many are strangers, only pairs with one of them count.
    Equal fingerprints are counted together: thousands take no time."""
    counts = count_pairs(words.T)
    if strangers:
        counts -= count_pairs(words[:, :-strangers].T) + count_pairs(words[:, -strangers:].T)
    radius = _first_passing(counts, reach, MOST_COUNTED)
    totals, near, levels, bunch = _redrawn_counts(words, weights, radius, strangers)
    first, second = verdicts["first"].to_numpy(), verdicts["second"].to_numpy()
    bits = np.minimum(count_bits(words[:, first] ^ words[:, second]), radius + 1).astype(int)
    drawn = bits[by_this := verdicts["hashes"].map(lambda hashes: hash in hashes).to_numpy(bool)]
    looked = np.bincount(drawn, minlength=radius + 2)
    both = weights[:, first].astype(float) * weights[:, second]
    found = []
    for end, whole in enumerate((np.floor, np.asarray, np.ceil)):  # unsure: low, middle, high
        value = whole(verdicts["value"].to_numpy(dtype=float))
        known = np.bincount(drawn, value[by_this], minlength=radius + 2)
        low, high = wilson(known, looked)
        share = (low, known / np.maximum(looked, 1), high)[end]
        share = np.where(looked, share, 1)  # where nobody looked, all are different
        judged = np.zeros((len(value), radius + 2))
        judged[np.arange(len(value)), bits] = value - share[bits]
        judged = both @ judged
        same = near * (1 - share[:-1]) - judged[:, :-1]
        found.append((np.cumsum(near - same, axis=1), totals - same.sum(axis=1) - judged[:, -1]))
    return _with_ends(counts, levels, bunch, *found)


def _with_ends(
    counts: np.ndarray, levels: np.ndarray, bunch: float, low: tuple, middle: tuple, high: tuple
) -> Rates:
    """The rates, from near pairs and all pairs, both of the pictures as they are, then redrawn."""
    redrawn = [near / np.maximum(total, 1)[:, None] for near, total in (low, middle, high)]
    pairs, total, most = middle[0][0], middle[1][0], np.rint(high[0][0])
    bound = np.array(BOUNDS)[np.minimum(most, len(BOUNDS) - 1).astype(int)] * bunch / max(total, 1)
    lows = np.quantile(redrawn[0][1:], 0.025, axis=0)
    highs = [*map(np.quantile, redrawn[2][1:].T, levels)]
    ends = [
        np.where(np.rint(pairs) < len(BOUNDS), 0, lows),
        np.where(most < len(BOUNDS), np.minimum(bound, 1), highs),
    ]
    return Rates(pairs, float(total), *np.maximum.accumulate(ends, axis=1), redrawn[1], counts)


def _redrawn_counts(
    words: np.ndarray, weights: np.ndarray, radius: int, strangers: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray, float]:
    """All pairs of each redraw, and those at 0, 1, ..., `radius` bits; then what `_spread` says."""
    if strangers:
        values, value = words.T, np.arange(words.shape[1])
        far = np.array(
            [count_bits(words[:, -strangers:] ^ one[:, None]) for one in values[:-strangers]]
        )
        first, second = np.nonzero(far <= radius)
        bits = far[first, second]
        order = np.argsort(bits, kind="stable")
        first, second, bits = first[order], second[order] + len(far), bits[order]
    else:
        values, value = np.unique(words.T, axis=0, return_inverse=True)
        pairs = all_pairs(values, radius)
        first, second, bits = (pairs[name].to_numpy() for name in pairs)
    value, (present, starts) = value.ravel(), np.unique(bits, return_index=True)
    totals, near = np.zeros(len(weights)), np.zeros((len(weights), radius + 1))
    for row, drawn in enumerate(weights):
        of_value = np.bincount(value, drawn, len(values))
        if strangers:
            totals[row] = float(drawn[:-strangers].sum()) * float(drawn[-strangers:].sum())
        else:
            squares = np.square(drawn, dtype=float).sum()
            totals[row] = (drawn.sum(dtype=float) ** 2 - squares) / 2
            near[row, 0] = (of_value @ of_value - squares) / 2
        if len(starts):
            near[row, present] = np.add.reduceat(of_value[first] * of_value[second], starts)
    often = np.bincount(value, minlength=len(values))
    partners = np.zeros((len(values), radius + 1))
    partners[:, 0] = often - 1
    np.add.at(partners, (first, bits), often[second])
    np.add.at(partners, (second, bits), often[first])
    return totals, near, *_spread(np.cumsum(partners, axis=1), often)


def _spread(partners: np.ndarray, often: np.ndarray) -> tuple[np.ndarray, float]:
    """Which quantile of the redraws is the upper end at each radius; then the factor of bounds: how
    many near pairs come with one, at the first radius with three, if they are two or more."""
    if not len(often):
        return np.ones(partners.shape[1]), 1
    off = partners - np.average(partners, axis=0, weights=often)
    free = (often @ off**2) ** 2 / np.maximum(often @ off**4, 1e-9)  # Satterthwaite's degrees
    levels = ndtr(np.minimum(stdtrit(np.maximum(free, 2), 0.975), 3))
    pairs = often @ partners / 2
    several = partners[:, np.argmax(pairs >= len(BOUNDS))]
    bunch = often @ several**2 / max(often @ several, 1)
    return levels, bunch if pairs[-1] >= len(BOUNDS) and bunch >= 2 else 1


def _values(judged: pd.DataFrame, place: pd.Series) -> pd.DataFrame:
    """What was judged of each pair; `place` has a row for each name."""
    columns = {name: judged[name].map(place) for name in ("first", "second")}
    columns["value"] = judged["verdict"].map(VERDICTS)
    table = judged.assign(**columns).dropna(subset=list(columns))
    table[["first", "second"]] = np.sort(table[["first", "second"]].to_numpy(dtype=int), axis=1)
    table = table[table["first"] < table["second"]].groupby(["first", "second"], as_index=False)
    # judges who differ are unsure together
    agreed = table.agg(low=("value", "min"), high=("value", "max"), hashes=("hash", set))
    agreed["value"] = agreed["low"].where(agreed["low"] == agreed["high"], 0.5)
    return agreed[["first", "second", "value", "hashes"]]


@dataclass(frozen=True)
class Measured:
    """What a run's tables come from.

    Parameters
    ----------
    pictures : DataFrame
        As from `counted_pictures`.
    weights : ndarray, shape (1 + redraws, pictures)
        How often each is there: once, then as each redraw has it.
    verdicts : DataFrame
        Pairs that were judged: ``first``, ``second`` (rows), ``value`` (0 the same, 1 different,
        0.5 unsure) and ``hashes`` by which they were drawn.
    rates : dict of str to Rates
        Of each hash.
    changes : DataFrame
        ``change`` and ``strength``, as often as there are such.
    far : dict of str to ndarray of float, shape (changes, queries)
        Of each hash: bits between a changed query and the query; NaN where there are none.
    queries : ndarray of int, shape (queries,)
        Which picture each is.
    """

    pictures: pd.DataFrame
    weights: np.ndarray
    verdicts: pd.DataFrame
    rates: dict[str, Rates]
    changes: pd.DataFrame
    far: dict[str, np.ndarray]
    queries: np.ndarray

    def recalls(self, hash: str, radii: np.ndarray) -> np.ndarray:
        """The share of queries found, in each redraw at a radius of its own.

        Parameters
        ----------
        hash : str
            The hash.
        radii : ndarray of int, shape (1 + redraws,)
            Bits; -1 finds nothing.

        Returns
        -------
        ndarray of float, shape (changes, 1 + redraws)
            NaN where no query was drawn.
        """
        far, weights = self.far[hash], self.weights[:, self.queries].T.astype(float)
        found, of = np.empty((len(far), len(radii))), np.isfinite(far) @ weights
        for radius in np.unique(radii):
            found[:, radii == radius] = (far <= radius) @ weights[:, radii == radius]
        return np.where(of > 0, found / np.maximum(of, 1), np.nan)

    def recalls_at(self, hash: str, rate: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """The recalls at a false-match rate, in each redraw, which has a radius of its own.

        Parameters
        ----------
        hash : str
            The hash.
        rate : float
            False matches a pair of different pictures.

        Returns
        -------
        radii : ndarray of int, shape (1 + redraws,)
            The largest radius whose rate is no larger; -1 if there is none.
        recalls : ndarray of float, shape (changes, 1 + redraws)
            At this radius.
        exact : ndarray of float, shape (changes, 1 + redraws)
            At the rate itself: linear between this radius and the next one.
        """
        rates = self.rates[hash].redrawn
        radii = (rates <= rate).sum(axis=1) - 1
        around = np.column_stack([np.zeros(len(rates)), rates, rates[:, -1]])
        row = np.arange(len(rates))
        low, high = around[row, radii + 1], around[row, radii + 2]
        part = np.where(high > low, (rate - low) / np.where(high > low, high - low, 1), 0)
        recalls, after = self.recalls(hash, radii), self.recalls(hash, radii + 1)
        return radii, recalls, recalls + part * (after - recalls)


def measure(
    run: Run,
    *,
    only: np.ndarray | None = None,
    hashes: Sequence[str] | None = None,
    redraws: int = REDRAWS,
    reach: float = COUNTED_RATE,
    strangers: np.ndarray | None = None,
) -> Measured:
    """Count near pairs and recalls of a run, in redraws that all hashes share.

    Parameters
    ----------
    run : Run
        A run.
    only : ndarray of bool, shape (pictures,), optional
        Which of the run's pictures are looked at; all if left out.
    hashes : sequence of str, optional
        Which of its hashes; all if left out.
    redraws : int
        How often pictures are drawn anew, by the run's seed.
    reach : float
        As for `of_fingerprints`.
    strangers : ndarray of uint64, shape (words, n), optional
        Other pictures' fingerprints: rates are those of the run's pictures against these.

    Returns
    -------
    Measured
        With everything that the tables are made of.
    """
    pictures = counted_pictures(run.pictures if only is None else run.pictures[only])
    hashes = run.about["hashes"] if hashes is None else hashes
    seed, places = run.about["seed"], pictures.index.to_series(index=pictures["path"])
    weights = _drawn_anew(len(pictures), redraws, seed)
    others = 0 if strangers is None else strangers.shape[1]
    verdicts = _values(run.judged[: 0 if others else None], places)  # of the run's own pairs
    drawn = np.hstack([weights, _drawn_anew(others, redraws, seed + 1)])
    reach, rates = max(reach, *run.about["rates"]), {}
    for hash in hashes:
        words = as_words(pictures[hash])
        words = np.hstack([words, strangers if others else words[:, :0]])
        rates[hash] = _of_words(words, drawn, verdicts, hash, reach, others)
    rows = run.distances[run.distances["path"].isin(pictures["path"])]
    queries = places[rows["path"].unique()].to_numpy(dtype=int)
    changes = run.distances[["change", "strength"]].drop_duplicates(ignore_index=True)
    far = {hash: rows[hash].to_numpy(float, na_value=np.nan) for hash in hashes}
    far = {hash: bits.reshape(len(queries), len(changes)).T for hash, bits in far.items()}
    return Measured(pictures, weights, verdicts, rates, changes, far, queries)


def counted_pictures(pictures: pd.DataFrame) -> pd.DataFrame:
    """The pictures that count as different: readable, not flat, one of equal pixels.

    Parameters
    ----------
    pictures : DataFrame
        A run's pictures.

    Returns
    -------
    DataFrame
        Some of the rows.
    """
    rows = pictures[_may_count(pictures)].sort_values("path")
    return rows.drop_duplicates("pixels").reset_index(drop=True)


def _may_count(pictures: pd.DataFrame) -> pd.Series:
    return ~pictures["flat"] & (pictures["problem"] == "")


def write_tables(run: Run, **others: str) -> None:
    """Write a run's tables of near pairs, rates and recalls into its folder, all or none.

    Parameters
    ----------
    run : Run
        With its pictures and distances, and the judgements if there are any.
    **others : str
        Texts of other tables that are written with them.
    """
    measured, tables = measure(run), {}
    for hash, rates in measured.rates.items():
        recalls = pd.concat([_recall(measured, hash, rate) for rate in run.about["rates"]])
        for name, table in {
            "near_pairs": _near_pairs(run.pictures, measured, hash),
            "pairs": _pairs(measured, hash),
            "rates": rates.table(),
            "recall": recalls.sort_index(kind="stable"),
            "by_radius": _by_radius(measured, hash),
        }.items():
            table.insert(0, "hash", hash)
            tables.setdefault(name, []).append(table)
    for name, parts in tables.items():
        table = pd.concat(parts).astype(object)
        rows = (
            [float(f"{cell:.6g}") if isinstance(cell, float) else cell for cell in row]
            for row in table.where(table.notna(), None).itertuples(index=False, name=None)
        )
        others[name] = as_csv(list(table), rows, quote_texts=False)
    write_all({run.folder / f"{name}.csv": text.encode() for name, text in others.items()})


def _near_pairs(pictures: pd.DataFrame, measured: Measured, hash: str) -> pd.DataFrame:
    counted, counts = measured.pictures, measured.rates[hash].counts
    rank, size = counted.groupby(hash).cumcount(), counted[hash].value_counts().to_numpy()
    most = len(counted)  # of one fingerprint
    while (np.minimum(size, most) * (np.minimum(size, most) - 1) / 2).sum() > MOST_LISTED:
        most //= 2
    kept = counted[rank < most]
    near = all_pairs(as_words(kept[hash]).T, _first_passing(counts, LISTED_RATE, MOST_LISTED))
    paths = kept["path"].to_numpy()
    near = near.assign(first=paths[near["first"]], second=paths[near["second"]], kind="")
    equal = pictures[_may_count(pictures)].merge(counted, on="pixels", suffixes=("", " of first"))
    equal = equal[equal["path"] != equal["path of first"]]
    is_same = equal["bytes"] == equal["bytes of first"]
    equal = equal.assign(first=equal["path of first"], second=equal["path"], distance=0)
    equal["kind"] = np.where(is_same, "same bytes", "same pixels")
    columns = ["first", "second", "distance", "kind"]
    both = pd.concat([near[columns], equal[columns]])
    return both.sort_values(["distance", "first", "second"], ignore_index=True)


def _pairs(measured: Measured, hash: str) -> pd.DataFrame:
    words, verdicts = as_words(measured.pictures[hash]), measured.verdicts
    same = verdicts[verdicts["value"] == 0]
    bits = count_bits(words[:, same["first"]] ^ words[:, same["second"]])
    different = measured.rates[hash].counts - np.bincount(bits, minlength=64 * len(words) + 1)
    different = different[: 4 * len(measured.pictures[hash][0]) + 1]  # a hex digit has 4 bits
    return pd.DataFrame({"distance": np.arange(len(different)), "pairs": different})


def _recall(measured: Measured, hash: str, rate: float) -> pd.DataFrame:
    """At one rate; the interval holds for the radius as it is, and for one that is chosen anew."""
    rates, far = measured.rates[hash], measured.far[hash]
    radii, recalls, exact = measured.recalls_at(hash, rate)
    asked = np.isfinite(far).sum(axis=1)
    low, high = wilson((far <= radii[0]).sum(axis=1), asked)
    drawn = np.where(np.isnan(recalls), recalls[:, :1], recalls)[:, 1:]
    ends = np.quantile(drawn, [0.025, 0.975], axis=1)
    for end in (rates.high, rates.low):  # which radii the rates' own intervals allow
        at = (far <= (end <= rate).sum() - 1).sum(axis=1) / np.maximum(asked, 1)
        ends = np.fmin(ends[0], at), np.fmax(ends[1], at)
    told = {"rate": rate, "radius": int(radii[0]), "recall": recalls[:, 0]}
    told |= {"low": np.fmin(low, ends[0]), "high": np.fmax(high, ends[1])}
    told |= {"recall_at_exact_rate": exact[:, 0], "pictures": asked}
    return measured.changes.assign(**told)


def _by_radius(measured: Measured, hash: str) -> pd.DataFrame:
    far = measured.far[hash]
    table = measured.changes.assign(pictures=np.isfinite(far).sum(axis=1))
    radii = range(len(measured.rates[hash].pairs))
    tables = [table.assign(radius=at, found=(far <= at).sum(axis=1)) for at in radii]
    columns = ["change", "strength", "radius", "found", "pictures"]
    return pd.concat(tables).sort_index(kind="stable")[columns]
