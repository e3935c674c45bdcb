"""The linear scan as a loop that numba compiles: an extra, for more than some millions.

It compares one fingerprint after the other, at the speed at which memory delivers them.
"""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING

import numpy as np

from helpers import Problem
from helpers.hamming import BITS
from helpers.search.linear import Cost, Search

try:
    import numba
except ImportError:  # then nothing is compiled, and CompiledScan says what to install
    numba = SimpleNamespace(njit=lambda function: function, is_missing=True)

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

_BLOCK = 256  # fingerprints; only where one of them is near are rows written down


@numba.njit
def _popcount(x: np.uint64) -> np.uint64:
    """The number of ones among 64 bits; LLVM replaces these lines by one instruction."""
    x = x - ((x >> np.uint64(1)) & np.uint64(0x5555555555555555))
    x = (x & np.uint64(0x3333333333333333)) + ((x >> np.uint64(2)) & np.uint64(0x3333333333333333))
    x = (x + (x >> np.uint64(4))) & np.uint64(0x0F0F0F0F0F0F0F0F)
    return (x * np.uint64(0x0101010101010101)) >> np.uint64(56)


@numba.njit
def _smallest_distance(fingerprints: np.ndarray, query: np.uint64) -> np.uint64:
    """The distance of the nearest; without a branch, so that several are compared at once."""
    nearest = np.uint64(64)
    for row in range(fingerprints.size):
        nearest = min(nearest, _popcount(fingerprints[row] ^ query))
    return nearest


@numba.njit
def _scan(fingerprints: np.ndarray, query: np.uint64, radius: np.uint64) -> np.ndarray:
    """The rows within the radius, in order: ndarray of int64."""
    rows, found = np.empty(4 * _BLOCK, dtype=np.int64), 0
    for start in range(0, fingerprints.size, _BLOCK):
        block = fingerprints[start : start + _BLOCK]
        if _smallest_distance(block, query) <= radius:
            if found + _BLOCK > rows.size:
                rows = np.concatenate((rows, np.empty_like(rows)))
            for row in range(block.size):  # without a branch, which would be guessed wrongly
                rows[found] = start + row
                found += np.int64(_popcount(block[row] ^ query) <= radius)
    return rows[:found]


class CompiledScan(Search):
    """The linear scan as a compiled loop, for fingerprints of up to 64 bits.

    Parameters
    ----------
    fingerprints : array-like of uint64, or of hex text, shape (n,)
        At most 64 bits each. A copy is kept.

    Raises
    ------
    Problem
        If the fingerprints are wider, or if numba (an extra) is not installed.

    Examples
    --------
    >>> CompiledScan(np.array([7, 0, 1], dtype=np.uint64)).within(0, radius=1)  # doctest: +SKIP
    (array([1, 2]), array([0, 1]))
    """

    def __init__(self, fingerprints: ArrayLike) -> None:
        super().__init__(fingerprints)
        if self.bits != BITS:
            raise Problem(f"a compiled scan is for {BITS} bits, not {self.bits}; use LinearScan")
        if hasattr(numba, "is_missing"):
            raise Problem(
                "a compiled scan needs numba, which is not installed: "
                "run  python -m pip install numba, or use LinearScan"
            )

    def _look(self, query: np.ndarray, radius: int) -> tuple[np.ndarray, np.ndarray, Cost]:
        rows = _scan(self.words[0], query[0], np.uint64(radius))
        return *self._compare(query, radius, rows), Cost(len(self), 0)
