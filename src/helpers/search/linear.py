"""Which of many fingerprints are near a query: four structures of one shape.

Each is built from an array of fingerprints, of 64 bits or of any multiple (see `helpers.hamming`). ``within(query, radius)`` gives
all rows at most so many bits away, ``nearest(query, k)`` the k nearest. All give the same answers in the same order; they
differ in how many fingerprints they look at, which ``cost`` tells.

A new structure is a subclass of `Search` with one method, ``_look``.
"""

from functools import cache
from itertools import combinations
from math import comb
from typing import NamedTuple

import numpy as np
import pandas as pd
from scipy import spatial

from helpers import Problem
from helpers.hamming import BITS, as_fingerprints, as_query, as_words, check_radius, count_bits

_CHUNK = 32_768  # fingerprints; what a scan keeps of them, 9 bytes each, stays in a processor's second cache
_LEAF = 32  # fingerprints in a leaf of a VP tree
# What multi-index hashing weighs, as measured (only the ratios matter): comparing one candidate, somewhere in memory, takes as
# long as scanning 16 fingerprints in a row; looking into a bucket as long as 3 candidates, turning to a table as long as 500.
_CANDIDATE, _LOOK_UP, _TABLE = 16, 3, 500


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
        return _scan(self.words, query, radius)


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


class VPTree(Search):
    """Vantage points: how far the query is from one fingerprint tells how far it is, at least, from many others.

    Each node has a vantage point and a threshold. The fingerprints at most so far from the vantage point lie inside, the rest
    outside. By the triangle inequality a query at distance d needs the inside only if d - radius <= threshold, and the
    outside only if d + radius > threshold.

    Parameters
    ----------
    fingerprints : array-like of uint64, shape (n,) or (n, words)
    seed : int
        For the choice of the vantage points. Answers do not depend on it; costs do, a little.

    Notes
    -----
    J. K. Uhlmann, "Satisfying general proximity/similarity queries with metric trees", Information Processing Letters 40 (1991);
    P. N. Yianilos, "Data structures and algorithms for nearest neighbor search in general metric spaces", SODA (1993).

    Examples
    --------
    >>> tree = VPTree(np.array([7, 0, 1], dtype=np.uint64))
    >>> rows, distances = tree.within(0, radius=1)
    >>> rows.tolist(), distances.tolist()
    ([1, 2], [0, 1])
    """

    def __init__(self, fingerprints: object, seed: int = 0) -> None:
        super().__init__(fingerprints)
        rng = np.random.default_rng(seed)
        order = np.arange(
            len(self)
        )  # each node owns a slice of it: its vantage point, the inside, the outside
        nodes = []  # vantage point, threshold, child inside, child outside, start and end of the slice
        unfinished = [(0, len(self), -1, 0)]  # slice, parent, which child of the parent
        while unfinished:
            start, end, parent, side = unfinished.pop()
            if parent >= 0:
                nodes[parent][side] = len(nodes)
            nodes.append([0, 0, -1, -1, start, end])  # a leaf, unless it can be split
            if end - start <= _LEAF:
                continue
            rows = order[start:end]
            chosen = rng.integers(len(rows))
            rows[0], rows[chosen] = rows[chosen], rows[0]
            far = count_bits(self.words[:, rows[1:]] ^ self.words[:, rows[:1]])
            threshold = min(int(np.median(far)), int(far.max()) - 1)
            inside = far <= threshold
            if not inside.any():  # all equally far away, as equal fingerprints are
                continue
            rows[1:] = np.concatenate([rows[1:][inside], rows[1:][~inside]])
            middle = start + 1 + int(inside.sum())
            nodes[-1][:2] = rows[0], threshold
            unfinished += [(start + 1, middle, len(nodes) - 1, 2)]
            unfinished += [(middle, end, len(nodes) - 1, 3)]
        self._order = order
        self._vantage, self._threshold, self._inside, self._outside, self._start, self._end = (
            np.array(nodes, dtype=np.int64).T
        )

    def _look(self, query: np.ndarray, radius: int) -> tuple[np.ndarray, np.ndarray, Cost]:
        found, computed, visited = [], 0, 0
        nodes = np.array([0])
        while len(nodes):  # one level of the tree at a time
            visited += len(nodes)
            leaf = self._inside[nodes] < 0
            leaves, nodes = nodes[leaf], nodes[~leaf]
            rows = self._order[_ranges(self._start[leaves], self._end[leaves])]
            vantage = self._vantage[nodes]
            distances = count_bits(self.words[:, vantage] ^ query[:, None]).astype(np.int64)
            near = distances <= radius
            found += [(vantage[near], distances[near]), self._compare(query, radius, rows)]
            computed += len(rows) + len(nodes)
            inside = distances - radius <= self._threshold[nodes]
            outside = distances + radius > self._threshold[nodes]
            nodes = np.concatenate([self._inside[nodes[inside]], self._outside[nodes[outside]]])
        return *_concatenate(found), Cost(computed, visited)


class KDTree(Search):
    """scipy's K-d tree over the bits: each node asks for one bit.

    It holds every bit as a float of 8 bytes: 512 bytes for a fingerprint of 8.

    Examples
    --------
    >>> tree = KDTree(np.array([7, 0, 1], dtype=np.uint64))
    >>> rows, distances = tree.within(0, radius=1)
    >>> rows.tolist(), distances.tolist()
    ([1, 2], [0, 1])
    """

    def __init__(self, fingerprints: object) -> None:
        super().__init__(fingerprints)
        self._tree = spatial.KDTree(_unpack(self.words)) if len(self) else None

    def _look(self, query: np.ndarray, radius: int) -> tuple[np.ndarray, np.ndarray, Cost]:
        if self._tree is None:
            return *_concatenate([]), Cost(0, 0)
        # on bits, the Minkowski distance with p = 1 is the Hamming distance
        rows = self._tree.query_ball_point(_unpack(query[:, None])[0], r=radius, p=1)
        return *self._compare(query, radius, np.array(rows, dtype=np.int64)), Cost(-1, -1)

    def cost(self, query: object, radius: int) -> Cost:
        """As `Search.cost`: scipy's comparisons. It does not tell, so this walks its tree once more, by scipy's own rule.

        A node stands for a box. scipy leaves it out if the box is farther than the radius, takes all of it without looking if
        the box is wholly nearer, and compares point by point in a leaf.
        """
        point = _unpack(as_query(query, len(self.words))[:, None])[0]
        radius = check_radius(radius, self.bits)
        computed = visited = 0
        unfinished = [(self._tree.tree, self._tree.mins, self._tree.maxes)] if self._tree else []
        while unfinished:
            node, low, high = unfinished.pop()
            visited += 1
            nearest = np.maximum(0, np.maximum(low - point, point - high)).sum()
            farthest = np.maximum(point - low, high - point).sum()
            if nearest > radius or farthest < radius:
                continue
            if isinstance(node, spatial.KDTree.leafnode):
                computed += node.children
                continue
            low_right, high_left = low.copy(), high.copy()
            low_right[node.split_dim] = high_left[node.split_dim] = node.split
            unfinished += [(node.less, low, high_left), (node.greater, low_right, high)]
        return Cost(computed, visited)


class MultiIndexHashing(Search):
    """Pigeonholes: fingerprints that differ in few bits are equal, or nearly so, in some band of bits.

    Cut the bits into m bands. If two fingerprints differ in at most r = m q + a bits (a < m), then they differ in at most q bits in
    one of the first a + 1 bands, or in at most q - 1 bits in one of the others: else they would differ in
    (a + 1)(q + 1) + (m - a - 1) q = r + 1 bits or more. So each band gets a table from its value to the rows that have it; the
    query's value, with up to q bits flipped, is looked up there, and only the rows found are compared in full.

    Parameters
    ----------
    fingerprints : array-like of uint64, shape (n,) or (n, words)
    radius : int
        The radius to be quick at; the bands are chosen for it and for n. Any other radius gets the same answers. One for which
        looking up would take longer than comparing with all is answered by a scan.

    Notes
    -----
    M. Norouzi, A. Punjani and D. J. Fleet, "Fast search in Hamming space with multi-index hashing", CVPR (2012).

    Examples
    --------
    >>> index = MultiIndexHashing(np.array([7, 0, 1], dtype=np.uint64))
    >>> rows, distances = index.within(0, radius=1)
    >>> rows.tolist(), distances.tolist()
    ([1, 2], [0, 1])
    """

    def __init__(self, fingerprints: object, radius: int = 10) -> None:
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
            np.cumsum(np.bincount(values.astype(np.int64), minlength=2**width), out=starts[1:])
            self._tables.append((word, low, starts, by_value))
            shift += width

    @staticmethod
    def _band(word: np.ndarray, low: int, width: int) -> np.ndarray:
        return word >> np.uint64(low) & np.uint64(2**width - 1)

    def _look(self, query: np.ndarray, radius: int) -> tuple[np.ndarray, np.ndarray, Cost]:
        if _work(self.widths, 0, radius) * _CANDIDATE > len(self):
            return _scan(self.words, query, radius)
        buckets, candidates, look_ups = [], 0, 0
        reaches = _reaches(self.widths, radius)
        for reach, width, (word, low, starts, rows) in zip(
            reaches, self.widths, self._tables, strict=False
        ):
            values = self._band(query[word], low, width) ^ _flips(width, reach)
            first, last = starts[values].astype(np.int64), starts[values + 1].astype(np.int64)
            buckets.append((rows, first, last))
            candidates += int((last - first).sum())
            look_ups += len(values)
        if candidates * _CANDIDATE > len(
            self
        ):  # many have the query's values, as many like it would
            return _scan(self.words, query, radius)
        rows = np.concatenate([rows[_ranges(first, last)] for rows, first, last in buckets])
        rows, _ = self._compare(query, radius, rows)
        rows = np.unique(rows)  # one row may be found in several bands
        return *self._compare(query, radius, rows), Cost(candidates, look_ups)


def _scan(words: np.ndarray, query: np.ndarray, radius: int) -> tuple[np.ndarray, np.ndarray, Cost]:
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
    return *_concatenate(found), Cost(n, 0)


def _reaches(widths: list[int], radius: int) -> list[int]:
    """How many bits may differ in each band that has to be looked up."""
    every, rest = divmod(radius, len(widths))
    reaches = [every if band <= rest else every - 1 for band in range(len(widths))]
    return [reach for reach in reaches if reach >= 0]


def _work(widths: list[int], n: int, radius: int) -> float:
    """The work for a query, counted in candidates, if all values of a band were equally frequent."""
    work = 0
    for reach, width in zip(_reaches(widths, radius), widths, strict=False):
        look_ups = sum(comb(width, bits) for bits in range(reach + 1))
        work += _TABLE + look_ups * (_LOOK_UP + n / 2**width)
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


def _ranges(first: np.ndarray, last: np.ndarray) -> np.ndarray:
    """The numbers first[0], ..., last[0] - 1, first[1], ..., last[1] - 1, and so on."""
    lengths = last - first
    ends = lengths.cumsum()
    return np.arange(lengths.sum()) + np.repeat(first - (ends - lengths), lengths)


def _concatenate(found: list[tuple[np.ndarray, np.ndarray]]) -> tuple[np.ndarray, np.ndarray]:
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
    rows, distances = _concatenate(answers)
    query = np.repeat(np.arange(len(answers)), [len(rows) for rows, _ in answers])
    return pd.DataFrame({"query": query, "row": rows, "distance": distances})


def _unpack(words: np.ndarray) -> np.ndarray:
    """Words, shape (words, n), as their bits, shape (n, 64 words): floats, as scipy's tree wants them."""
    in_order = np.ascontiguousarray(words.T).astype(">u8").view(np.uint8)
    return np.unpackbits(in_order, axis=1).astype(np.float64)
