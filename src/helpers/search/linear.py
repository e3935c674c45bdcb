"""Which of many fingerprints are near a query: four structures of one shape.

Each is built from an array of fingerprints, of 64 bits or of any multiple (see `helpers.hamming`). ``within(query, radius)`` gives
all rows at most so many bits away, ``nearest(query, k)`` the k nearest. All give the same answers in the same order; they
differ in how many fingerprints they look at, which ``cost`` tells.

A new structure is a subclass of `Search` with one method, ``_look``.
"""

from typing import NamedTuple

import numpy as np
import pandas as pd

from helpers import Problem
from helpers.hamming import BITS, as_fingerprints, as_query, as_words, check_radius, count_bits

_CHUNK = 32_768  # fingerprints; what a scan keeps of them, 9 bytes each, stays in a processor's second cache


class Cost(NamedTuple):
    """What a query took: distances computed, and nodes visited or buckets looked into."""

    distances: int
    nodes: int


class Search:
    """What all structures share.

    Parameters
    ----------
    fingerprints : array-like of uint64, shape (n,) or (n, words)
        64 bits, or 64 in each of several words. A copy is kept.

    Raises
    ------
    Problem
        For what is no array of fingerprints.
    """

    def __init__(self, fingerprints: object) -> None:
        self.words = as_words(fingerprints).copy()  # so that nobody changes them later
        self.bits = BITS * len(self.words)

    def __len__(self) -> int:
        return self.words.shape[1]

    def within(self, query: object, radius: int) -> tuple[np.ndarray, np.ndarray]:
        """All rows at most `radius` bits from a query.

        Parameters
        ----------
        query : uint64, or ndarray of uint64, shape (words,)
        radius : int
            Largest distance, in bits, that counts.

        Returns
        -------
        rows, distances : ndarray of int64, shape (found,)
            Row numbers and bits, sorted by distance, then row.

        Raises
        ------
        Problem
            For a query of another width, or a radius that is no whole number from 0 to the width.

        Examples
        --------
        >>> rows, distances = LinearScan(np.array([7, 0, 1], dtype=np.uint64)).within(0, radius=1)
        >>> rows.tolist(), distances.tolist()
        ([1, 2], [0, 1])
        """
        radius = check_radius(radius, self.bits)
        rows, distances, _ = self._look(as_query(query, len(self.words)), radius)
        order = np.lexsort((rows, distances))
        return rows[order].astype(np.int64), distances[order].astype(np.int64)

    def within_many(self, queries: object, radius: int) -> pd.DataFrame:
        """All rows at most `radius` bits from each of many queries.

        Parameters
        ----------
        queries : array-like of uint64, shape (m,) or (m, words)
        radius : int

        Returns
        -------
        DataFrame
            ``query`` (its row in `queries`), ``row`` and ``distance`` (bits), sorted in this order: query, distance, row.

        Examples
        --------
        >>> LinearScan(np.array([7, 1], dtype=np.uint64)).within_many(np.array([1, 7], dtype=np.uint64), 0)
           query  row  distance
        0      0    1         0
        1      1    0         0
        """
        return _joined([self.within(query, radius) for query in _several(queries)])

    def nearest(self, query: object, k: int = 1) -> tuple[np.ndarray, np.ndarray]:
        """The `k` rows nearest to a query; all rows if there are fewer.

        Parameters
        ----------
        query : uint64, or ndarray of uint64, shape (words,)
        k : int
            At least 1.

        Returns
        -------
        rows, distances : ndarray of int64, shape (min(k, n),)
            Sorted by distance, then row. Of rows equally far the first are taken.

        Raises
        ------
        Problem
            For a query of another width, or a `k` below 1.

        Examples
        --------
        >>> rows, distances = LinearScan(np.array([7, 0, 1], dtype=np.uint64)).nearest(3, k=2)
        >>> rows.tolist(), distances.tolist()
        ([0, 2], [1, 1])
        """
        if not isinstance(k, (int, np.integer)) or isinstance(k, bool) or k < 1:
            raise Problem(f"k {k!r}: it is a whole number of rows, at least 1")
        k = min(k, len(self))
        for radius in (0, 1, 3, 7, 15):  # a wider circle, until it holds enough
            rows, distances = self.within(query, radius)
            if len(rows) >= k:
                return rows[:k], distances[:k]
        # no structure helps to look farther than that
        distances = count_bits(self.words ^ as_query(query, len(self.words))[:, None])
        rows = np.flatnonzero(distances <= np.partition(distances, k - 1)[k - 1])
        rows = rows[np.argsort(distances[rows], kind="stable")][:k]
        return rows, distances[rows].astype(np.int64)

    def nearest_many(self, queries: object, k: int = 1) -> pd.DataFrame:
        """The `k` rows nearest to each of many queries: see `nearest` and `within_many`."""
        return _joined([self.nearest(query, k) for query in _several(queries)])

    def cost(self, query: object, radius: int) -> Cost:
        """How many distances `within` computes for this query, and how many nodes or buckets it visits.

        Parameters
        ----------
        query : uint64, or ndarray of uint64, shape (words,)
        radius : int

        Returns
        -------
        Cost

        Examples
        --------
        >>> LinearScan(np.arange(100, dtype=np.uint64)).cost(0, radius=1)
        Cost(distances=100, nodes=0)
        """
        radius = check_radius(radius, self.bits)
        return self._look(as_query(query, len(self.words)), radius)[2]

    def _look(self, query: np.ndarray, radius: int) -> tuple[np.ndarray, np.ndarray, Cost]:
        """Rows within the radius in any order, each once, their distances, and the cost."""
        raise NotImplementedError

    def _compare(
        self, query: np.ndarray, radius: int, rows: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """Those of some rows that are within the radius, and their distances."""
        distances = count_bits(self.words[:, rows] ^ query[:, None])
        near = distances <= radius
        return rows[near], distances[near]


class LinearScan(Search):
    """Compare the query with every fingerprint. The plainest way, and what the others are checked against.

    Examples
    --------
    >>> len(LinearScan(np.array([7, 0, 1], dtype=np.uint64)))
    3
    """

    def _look(self, query: np.ndarray, radius: int) -> tuple[np.ndarray, np.ndarray, Cost]:
        return scan_words(self.words, query, radius)


class CompiledScan(Search):
    """The linear scan as a compiled loop, for 64 bits. It needs numba, an extra: ``pip install numba``.

    See `helpers.search.compiled`.
    """

    def __init__(self, fingerprints: object) -> None:
        super().__init__(fingerprints)
        if self.bits != BITS:
            raise Problem(f"a compiled scan is for {BITS} bits, not {self.bits}; use LinearScan")
        try:
            from helpers.search import compiled
        except ImportError as error:
            raise Problem(
                "a compiled scan needs numba, which is not installed: "
                "run  python -m pip install numba, or use LinearScan"
            ) from error
        self._scan = compiled.scan

    def _look(self, query: np.ndarray, radius: int) -> tuple[np.ndarray, np.ndarray, Cost]:
        rows = self._scan(self.words[0], query[0], np.uint64(radius))
        return *self._compare(query, radius, rows), Cost(len(self), 0)


def scan_words(
    words: np.ndarray, query: np.ndarray, radius: int
) -> tuple[np.ndarray, np.ndarray, Cost]:
    """Compare with all, chunk by chunk."""
    n = words.shape[1]
    differ = np.empty(min(_CHUNK, n), dtype=np.uint64)
    distances = np.empty(len(differ), dtype=np.uint8 if len(words) == 1 else np.uint16)
    found = []
    for start in range(0, n, _CHUNK):
        chunk = words[:, start : start + _CHUNK]
        differ, distances = differ[: chunk.shape[1]], distances[: chunk.shape[1]]
        np.bitwise_xor(chunk[0], query[0], out=differ)
        np.bitwise_count(differ, out=distances)
        for word, other in zip(chunk[1:], query[1:], strict=True):
            np.bitwise_xor(word, other, out=differ)
            distances += np.bitwise_count(differ)
        if distances.min() <= radius:
            near = np.flatnonzero(distances <= radius)
            found.append((near + start, distances[near]))
    return *concatenate(found), Cost(n, 0)


def ranges(first: np.ndarray, last: np.ndarray) -> np.ndarray:
    """The numbers first[0], ..., last[0] - 1, first[1], ..., last[1] - 1, and so on."""
    lengths = last - first
    ends = lengths.cumsum()
    return np.arange(lengths.sum()) + np.repeat(first - (ends - lengths), lengths)


def concatenate(found: list[tuple[np.ndarray, np.ndarray]]) -> tuple[np.ndarray, np.ndarray]:
    nothing = np.empty(0, dtype=np.int64)
    rows, distances = zip(*found, strict=True) if found else ([nothing], [nothing])
    return np.concatenate(rows), np.concatenate(distances)


def _several(queries: object) -> np.ndarray:
    queries = as_fingerprints(queries)
    if queries.ndim == 0:
        raise Problem(
            "one query where several are expected; put it into a list, or ask with within or nearest"
        )
    return queries


def _joined(answers: list[tuple[np.ndarray, np.ndarray]]) -> pd.DataFrame:
    rows, distances = concatenate(answers)
    query = np.repeat(np.arange(len(answers)), [len(rows) for rows, _ in answers])
    return pd.DataFrame({"query": query, "row": rows, "distance": distances})
