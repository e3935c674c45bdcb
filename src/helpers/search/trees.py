"""Two trees: vantage points, and one bit a node."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy import spatial

from helpers.hamming import as_query, check_radius, count_bits
from helpers.search.linear import Cost, Search, concatenate, ranges

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

_LEAF = 32  # fingerprints in a leaf of a VP tree


class VPTree(Search):
    """Vantage points: being far from one fingerprint is being far from those near it.

    Each node has a vantage point and a threshold. The fingerprints at most so far from the
    vantage point lie inside, the rest outside. By the triangle inequality a query at distance d
    needs the inside only if d - radius <= threshold, and the outside only if
    d + radius > threshold.

    Parameters
    ----------
    fingerprints : array-like of uint64, shape (n,) or (n, words), or of hex text, shape (n,)
        One hash's fingerprints. A copy is kept.
    seed : int
        For the choice of the vantage points. Answers do not depend on it; costs do, a little.

    Notes
    -----
    The tree was found twice:

    - J. K. Uhlmann, "Satisfying general proximity/similarity queries with metric trees",
      Information Processing Letters 40 (1991);
    - P. N. Yianilos, "Data structures and algorithms for nearest neighbor search in general metric
      spaces", SODA (1993).

    Examples
    --------
    >>> tree = VPTree(np.array([7, 0, 1], dtype=np.uint64))
    >>> rows, distances = tree.within(0, radius=1)
    >>> rows.tolist(), distances.tolist()
    ([1, 2], [0, 1])
    """

    def __init__(self, fingerprints: ArrayLike, seed: int = 0) -> None:
        super().__init__(fingerprints)
        rng = np.random.default_rng(seed)
        # each node owns a slice of the order: its vantage point, the inside, the outside
        order = np.arange(len(self))
        # vantage point, threshold, child inside, child outside, start and end of the slice
        nodes = []
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
            np.array(nodes, dtype=np.intp).T
        )

    def _look(self, query: np.ndarray, radius: int) -> tuple[np.ndarray, np.ndarray, Cost]:
        found, computed, visited = [], 0, 0
        nodes = np.array([0])
        while len(nodes):  # one level of the tree at a time
            visited += len(nodes)
            leaf = self._inside[nodes] < 0
            leaves, nodes = nodes[leaf], nodes[~leaf]
            rows = self._order[ranges(self._start[leaves], self._end[leaves])]
            vantage = self._vantage[nodes]
            distances = count_bits(self.words[:, vantage] ^ query[:, None]).astype(np.intp)
            near = distances <= radius
            found += [(vantage[near], distances[near]), self._compare(query, radius, rows)]
            computed += len(rows) + len(nodes)
            inside = distances - radius <= self._threshold[nodes]
            outside = distances + radius > self._threshold[nodes]
            nodes = np.concatenate([self._inside[nodes[inside]], self._outside[nodes[outside]]])
        return *concatenate(found), Cost(computed, visited)


class KDTree(Search):
    """scipy's K-d tree over the bits: each node asks for one bit.

    It holds every bit as a float of 8 bytes: 512 bytes for a fingerprint of 8.

    Parameters
    ----------
    fingerprints : array-like of uint64, shape (n,) or (n, words), or of hex text, shape (n,)
        One hash's fingerprints. A copy is kept.

    Examples
    --------
    >>> tree = KDTree(np.array([7, 0, 1], dtype=np.uint64))
    >>> rows, distances = tree.within(0, radius=1)
    >>> rows.tolist(), distances.tolist()
    ([1, 2], [0, 1])
    """

    def __init__(self, fingerprints: ArrayLike) -> None:
        super().__init__(fingerprints)
        self._tree = spatial.KDTree(_unpack(self.words)) if len(self) else None

    def _look(self, query: np.ndarray, radius: int) -> tuple[np.ndarray, np.ndarray, Cost]:
        if self._tree is None:
            return *concatenate([]), Cost(0, 0)
        # on bits, the Minkowski distance with p = 1 is the Hamming distance
        rows = self._tree.query_ball_point(_unpack(query[:, None])[0], r=radius, p=1)
        return *self._compare(query, radius, np.array(rows, dtype=np.intp)), Cost(-1, -1)

    def cost(self, query: np.uint64 | np.ndarray | str, radius: int) -> Cost:
        """What `within` takes for a query, counted by walking scipy's tree once more.

        scipy does not tell, so this follows its rule. A node stands for a box. scipy leaves it
        out if the box is farther than the radius. It takes all of it without looking if the box
        is wholly nearer. It compares point by point in a leaf.

        Parameters
        ----------
        query : uint64, or ndarray of uint64, shape (words,), or hex text
            One fingerprint.
        radius : int
            Largest distance, in bits, that counts.

        Returns
        -------
        Cost
            How many distances scipy computes, and how many nodes it visits.
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


def _unpack(words: np.ndarray) -> np.ndarray:
    """Words, shape (words, n), as their bits, shape (n, 64 words): floats, as scipy wants them."""
    in_order = np.ascontiguousarray(words.T).astype(">u8").view(np.uint8)
    return np.unpackbits(in_order, axis=1).astype(np.float64)
