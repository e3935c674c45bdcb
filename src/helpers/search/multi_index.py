"""Multi-index hashing: pigeonholes for bits."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from itertools import combinations
from math import comb
from typing import TYPE_CHECKING

import numpy as np

from helpers import Problem
from helpers.hamming import BITS, as_query, check_radius, count_bits
from helpers.search.linear import Cost, Search, as_queries, ranges, scan_words

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

# What multi-index hashing weighs, as measured; only the ratios matter. To compare a candidate,
# somewhere in memory, takes as long as to scan 16 fingerprints in a row. To look into a bucket
# takes as long as 3 candidates, to turn to a table as long as 500.
_CANDIDATE, _LOOK_UP, _TABLE = 16, 3, 500
_AT_A_TIME = 2_000_000  # candidates, and values that are looked up: about 50 bytes each


class MultiIndexHashing(Search):
    """Pigeonholes: near fingerprints are equal, or nearly so, in some band of bits.

    Cut the bits into m bands. Let two fingerprints differ in at most r = m q + a bits (a < m).
    Then they differ in at most q bits in one of the first a + 1 bands, or in at most q - 1 bits
    in one of the others: else they would differ in (a + 1)(q + 1) + (m - a - 1) q = r + 1 bits or
    more. So each band gets a table from its value to the rows that have it. The query's value,
    with up to q bits flipped, is looked up there, and only the rows found are compared in full.

    Parameters
    ----------
    fingerprints : array-like of uint64, shape (n,) or (n, words), or of hex text, shape (n,)
        One hash's fingerprints. A copy is kept.
    radius : int
        The radius to be quick at; the bands are chosen for it and for n. Any other radius gets
        the same answers. Where looking up would take longer than comparing with all, a scan
        answers.

    Raises
    ------
    Problem
        If the values are not fingerprints, if the radius is not a whole number from 0 to the
        width, or if there are 2**32 fingerprints or more.

    Notes
    -----
    The method is that of M. Norouzi, A. Punjani and D. J. Fleet, "Fast search in Hamming space with
    multi-index hashing", CVPR (2012).

    Examples
    --------
    >>> index = MultiIndexHashing(np.array([7, 0, 1], dtype=np.uint64))
    >>> rows, distances = index.within(0, radius=1)
    >>> rows.tolist(), distances.tolist()
    ([1, 2], [0, 1])
    """

    def __init__(self, fingerprints: ArrayLike, radius: int = 10) -> None:
        super().__init__(fingerprints)
        n, radius = len(self), check_radius(radius, self.bits)
        if n >= 2**32:
            raise Problem(f"{n} fingerprints: a row number has 32 bits here; search them in parts")
        # bands of up to 4 n values; one of 8 bits is always allowed
        plans = [
            per_word for per_word in range(2, 9) if 2 ** -(-BITS // per_word) <= max(4 * n, 256)
        ]
        widths = {m: [len(part) for part in np.array_split(np.arange(BITS), m)] for m in plans}
        self.widths = min(
            (widths[m] * len(self.words) for m in plans), key=lambda w: _work(w, n, radius)
        )
        self._tables = []
        rows, shift = np.arange(n, dtype=np.uint64), 0
        for width in self.widths:
            word, low = divmod(shift, BITS)
            values = self._band(self.words[word], low, width)
            by_value = np.sort(values << np.uint64(32) | rows).astype(np.uint32)  # keeps the rows
            starts = np.zeros(2**width + 1, dtype=np.uint32)
            np.cumsum(np.bincount(values.astype(np.intp), minlength=2**width), out=starts[1:])
            self._tables.append((word, low, starts, by_value))
            shift += width

    def parts_within(self, queries: ArrayLike, radius: int) -> Iterator[tuple[np.ndarray, ...]]:
        """What `within_many` finds, part by part. Many queries are looked up together.

        Parameters
        ----------
        queries : array-like of uint64, shape (m,) or (m, words), or of hex text, shape (m,)
            The fingerprints to ask for.
        radius : int
            Largest distance, in bits, that counts.

        Yields
        ------
        query, row, distance : ndarray of intp
            As `helpers.search.linear.Search.parts_within` does.

        Notes
        -----
        Among a million random fingerprints 10,000 queries took 0.04 s at radius 2, 0.13 s at radius
        5 and 1.3 s at radius 10; one by one they took 0.5 s, 0.7 s and 1.7 s.
        """
        radius, n = check_radius(radius, self.bits), len(self)
        work = _work(self.widths, 0, radius, table=0)  # a table is turned to for many at once
        if not n or work * _CANDIDATE > n:
            yield from super().parts_within(queries, radius)
            return
        words = as_queries(queries).T
        for query in words.T[:1]:
            as_query(query, len(self.words))  # refuses another width
        step = max(1, int(_AT_A_TIME * min(_LOOK_UP / work, _CANDIDATE / n)))
        for start in range(0, words.shape[1], step):
            for query, row in self._look_together(words[:, start : start + step], radius):
                distances = count_bits(self.words[:, row] ^ words[:, start + query])
                yield tuple(np.asarray(c, dtype=np.intp) for c in (start + query, row, distances))

    def _look_together(self, words: np.ndarray, radius: int) -> Iterator[tuple[np.ndarray, ...]]:
        """Queries, by their number, and rows within the radius, each pair once."""
        n, candidates, buckets = len(self), 0, []
        for (word, low, starts, rows), width, flips in self._bands(radius):
            values = self._band(words[word], low, width)[:, None] ^ flips
            first, last = starts[values].astype(np.intp), starts[values + 1].astype(np.intp)
            candidates = candidates + (last - first).sum(axis=1)
            buckets.append((rows, first, last))
        few = candidates * _CANDIDATE <= n
        queries, found = np.flatnonzero(few), []
        for rows, first, last in buckets:
            first, last = first[few], last[few]
            query = np.repeat(queries, (last - first).sum(axis=1))
            row = rows[ranges(first.ravel(), last.ravel())]
            is_near = count_bits(self.words[:, row] ^ words[:, query]) <= radius
            found.append(query[is_near].astype(np.int64) * n + row[is_near])
        yield np.divmod(np.unique(np.concatenate(found)), n)  # one may be found in several bands
        for query in np.flatnonzero(~few):  # where many have the query's values
            rows = scan_words(self.words, words[:, query], radius)[0]
            yield np.full(len(rows), query), rows

    def _bands(self, radius: int) -> Iterator[tuple[tuple, int, np.ndarray]]:
        """The tables in which a query is looked up, their bits, and what is flipped in each."""
        reaches = _reaches(self.widths, radius)
        for table, width, reach in zip(self._tables, self.widths, reaches, strict=False):
            yield table, width, _flips(width, reach)

    @staticmethod
    def _band(word: np.ndarray, low: int, width: int) -> np.ndarray:
        return word >> np.uint64(low) & np.uint64(2**width - 1)

    def _look(self, query: np.ndarray, radius: int) -> tuple[np.ndarray, np.ndarray, Cost]:
        if _work(self.widths, 0, radius) * _CANDIDATE > len(self):
            return scan_words(self.words, query, radius)
        buckets, candidates, look_ups = [], 0, 0
        for (word, low, starts, rows), width, flips in self._bands(radius):
            values = self._band(query[word], low, width) ^ flips
            first, last = starts[values].astype(np.intp), starts[values + 1].astype(np.intp)
            buckets.append((rows, first, last))
            candidates += int((last - first).sum())
            look_ups += len(flips)
        # where many have the query's values
        if candidates * _CANDIDATE > len(self):
            return scan_words(self.words, query, radius)
        rows = np.concatenate([rows[ranges(first, last)] for rows, first, last in buckets])
        rows, _ = self._compare(query, radius, rows)
        rows = np.unique(rows)  # one row may be found in several bands
        return *self._compare(query, radius, rows), Cost(candidates, look_ups)


def _reaches(widths: list[int], radius: int) -> list[int]:
    """How many bits may differ in each band that has to be looked up."""
    every, rest = divmod(radius, len(widths))
    reaches = [every if band <= rest else every - 1 for band in range(len(widths))]
    return [reach for reach in reaches if reach >= 0]


def _work(widths: list[int], n: int, radius: int, table: int = _TABLE) -> float:
    """The work for a query, in candidates, as if all values of a band were equally frequent."""
    work = 0
    for reach, width in zip(_reaches(widths, radius), widths, strict=False):
        look_ups = sum(comb(width, bits) for bits in range(reach + 1))
        work += table + look_ups * (_LOOK_UP + n / 2**width)
    return work


@cache
def _flips(width: int, reach: int) -> np.ndarray:
    """All numbers of `width` bits with at most `reach` ones."""
    flips = [
        sum(1 << bit for bit in ones)
        for count in range(reach + 1)
        for ones in combinations(range(width), count)
    ]
    return np.array(flips, dtype=np.uint64)
