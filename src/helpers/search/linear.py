"""Which of many fingerprints are near a query: what all structures share, and the linear scan.

Each structure is built from fingerprints of any width (see `helpers.hamming`).
``within(query, radius)`` gives all rows at most so many bits away, ``nearest(query, k)`` the k
nearest. All structures give the same answers in the same order; they differ in how many
fingerprints they look at, which ``cost`` tells.

A new structure is a subclass of `Search` with one method, ``_look``: see CONTRIBUTING.md.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import pandas as pd

from helpers import Problem
from helpers.hamming import BITS, as_query, as_words, check_radius, count_bits

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

# fingerprints; what a scan keeps of them, 9 bytes each, stays in a processor's second cache
_CHUNK = 32_768


class Cost(NamedTuple):
    """What a query took.

    Parameters
    ----------
    distances : int
        How many distances were computed.
    nodes : int
        How many nodes of a tree, or buckets of a table, were visited.
    """

    distances: int
    nodes: int


class Search:
    """What all structures share.

    Parameters
    ----------
    fingerprints : array-like of uint64, shape (n,) or (n, words), or of hex text, shape (n,)
        One hash's fingerprints. A copy is kept.

    Attributes
    ----------
    words : ndarray of uint64, shape (words, n)
        The fingerprints word by word.
    bits : int
        How many bits the words of a fingerprint have: the largest radius that can be asked for.

    Raises
    ------
    Problem
        If the values are not fingerprints.
    """

    def __init__(self, fingerprints: ArrayLike) -> None:
        self.words = as_words(fingerprints).copy()  # so that nobody changes them later
        self.bits = BITS * len(self.words)

    def __len__(self) -> int:
        return self.words.shape[1]

    def within(
        self, query: np.uint64 | np.ndarray | str, radius: int
    ) -> tuple[np.ndarray, np.ndarray]:
        """All rows at most `radius` bits from a query.

        Parameters
        ----------
        query : uint64, or ndarray of uint64, shape (words,), or hex text
            One fingerprint.
        radius : int
            Largest distance, in bits, that counts.

        Returns
        -------
        rows, distances : ndarray of intp, shape (found,)
            Row numbers and bits, sorted by distance, then row.

        Raises
        ------
        Problem
            If the query has another width, or if the radius is not from 0 to that width.

        Examples
        --------
        >>> rows, distances = LinearScan(np.array([7, 0, 1], dtype=np.uint64)).within(0, radius=1)
        >>> rows.tolist(), distances.tolist()
        ([1, 2], [0, 1])
        """
        radius = check_radius(radius, self.bits)
        rows, distances, _ = self._look(as_query(query, len(self.words)), radius)
        order = np.lexsort((rows, distances))
        return rows[order].astype(np.intp), distances[order].astype(np.intp)

    def within_many(self, queries: ArrayLike, radius: int) -> pd.DataFrame:
        """All rows at most `radius` bits from each of many queries.

        Parameters
        ----------
        queries : array-like of uint64, shape (m,) or (m, words), or of hex text, shape (m,)
            The fingerprints to ask for.
        radius : int
            Largest distance, in bits, that counts.

        Returns
        -------
        DataFrame
            ``query`` (its row in `queries`), ``row`` and ``distance`` (bits), sorted in this
            order: query, distance, row.

        Examples
        --------
        >>> values = np.array([7, 1], dtype=np.uint64)
        >>> LinearScan(values).within_many(values[::-1], 0)
           query  row  distance
        0      0    1         0
        1      1    0         0
        """
        nothing = (np.empty(0, dtype=np.intp),) * 3
        parts = [nothing, *self.parts_within(queries, radius)]
        query, row, distance = map(np.concatenate, zip(*parts, strict=True))
        order = np.lexsort((row, distance, query))
        columns = {"query": query[order], "row": row[order], "distance": distance[order]}
        return pd.DataFrame(columns)

    def parts_within(self, queries: ArrayLike, radius: int) -> Iterator[tuple[np.ndarray, ...]]:
        """What `within_many` finds, part by part, for more than memory holds.

        Parameters
        ----------
        queries : array-like of uint64, shape (m,) or (m, words), or of hex text, shape (m,)
            The fingerprints to ask for.
        radius : int
            Largest distance, in bits, that counts.

        Yields
        ------
        query, row, distance : ndarray of intp
            The columns of `within_many`, in any order, each match once: at most two million of
            them, or as many as there are fingerprints, if they are more.

        Examples
        --------
        >>> values = np.array([7, 1], dtype=np.uint64)
        >>> [query.tolist() for query, _, _ in LinearScan(values).parts_within(values, 2)]
        [[0, 0], [1, 1]]
        """
        for number, query in enumerate(as_queries(queries)):
            rows, distances = self.within(query, radius)
            yield np.full(len(rows), number, dtype=np.intp), rows, distances

    def nearest(
        self, query: np.uint64 | np.ndarray | str, k: int = 1
    ) -> tuple[np.ndarray, np.ndarray]:
        """The `k` rows nearest to a query; all rows if there are fewer.

        Parameters
        ----------
        query : uint64, or ndarray of uint64, shape (words,), or hex text
            One fingerprint.
        k : int
            How many rows, at least 1.

        Returns
        -------
        rows, distances : ndarray of intp, shape (min(k, n),)
            Sorted by distance, then row. Of rows equally far the first are taken.

        Raises
        ------
        Problem
            If the query has another width, or if `k` is below 1.

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
        return rows, distances[rows].astype(np.intp)

    def cost(self, query: np.uint64 | np.ndarray | str, radius: int) -> Cost:
        """What `within` takes for a query.

        Parameters
        ----------
        query : uint64, or ndarray of uint64, shape (words,), or hex text
            One fingerprint.
        radius : int
            Largest distance, in bits, that counts.

        Returns
        -------
        Cost
            How many distances it computes, and how many nodes or buckets it visits.

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
    """Compare the query with every fingerprint: the oracle of all other structures.

    Parameters
    ----------
    fingerprints : array-like of uint64, shape (n,) or (n, words), or of hex text, shape (n,)
        One hash's fingerprints. A copy is kept.

    Examples
    --------
    >>> len(LinearScan(np.array([7, 0, 1], dtype=np.uint64)))
    3
    """

    def _look(self, query: np.ndarray, radius: int) -> tuple[np.ndarray, np.ndarray, Cost]:
        return scan_words(self.words, query, radius)


def scan_words(
    words: np.ndarray, query: np.ndarray, radius: int
) -> tuple[np.ndarray, np.ndarray, Cost]:
    """Compare a query with all fingerprints, chunk by chunk.

    Parameters
    ----------
    words : ndarray of uint64, shape (words, n)
        The fingerprints word by word.
    query : ndarray of uint64, shape (words,)
        The words of the query.
    radius : int
        Largest distance, in bits, that counts.

    Returns
    -------
    rows, distances : ndarray, shape (found,)
        Row numbers, in order, and bits.
    cost : Cost
        What it took.
    """
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
    """The numbers first[0], ..., last[0] - 1, first[1], ..., last[1] - 1, and so on.

    Parameters
    ----------
    first, last : ndarray of int
        Where each range starts, and the number after its end.

    Returns
    -------
    ndarray of int
        All ranges, joined.

    Examples
    --------
    >>> ranges(np.array([3, 8]), np.array([5, 9])).tolist()
    [3, 4, 8]
    """
    lengths = last - first
    ends = lengths.cumsum()
    return np.arange(lengths.sum()) + np.repeat(first - (ends - lengths), lengths)


def concatenate(found: list[tuple[np.ndarray, np.ndarray]]) -> tuple[np.ndarray, np.ndarray]:
    """All answers as one.

    Parameters
    ----------
    found : list of tuple of ndarray
        Rows and distances, several times or never.

    Returns
    -------
    rows, distances : ndarray, shape (found,)
        Joined in their order.
    """
    nothing = np.empty(0, dtype=np.intp)
    rows, distances = zip(*found, strict=True) if found else ([nothing], [nothing])
    return np.concatenate(rows), np.concatenate(distances)


def as_queries(queries: ArrayLike) -> np.ndarray:
    """Several queries, one a row.

    Parameters
    ----------
    queries : array-like of uint64, shape (m,) or (m, words), or of hex text, shape (m,)
        The fingerprints to ask for.

    Returns
    -------
    ndarray of uint64, shape (m, words)
        Word by word.

    Raises
    ------
    Problem
        If it is one query, or if the values are not fingerprints.

    Examples
    --------
    >>> as_queries(np.array([7, 1], dtype=np.uint64)).tolist()
    [[7], [1]]
    """
    if np.ndim(queries) == 0:
        raise Problem(
            "one query where several are expected; put it into a list, or ask with within"
        )
    return as_words(queries).T
