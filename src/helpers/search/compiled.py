"""The linear scan as a loop that numba compiles: an extra, for those who have more than some millions.

One fingerprint after the other, at the speed at which memory delivers them.
"""

import numba
import numpy as np

_BLOCK = 4096  # fingerprints; only where one of them is near are rows written down


@numba.njit
def popcount(x: np.uint64) -> np.uint64:
    """The number of ones among 64 bits. LLVM knows these lines and puts the processor's own instruction in their place."""
    x = x - ((x >> np.uint64(1)) & np.uint64(0x5555555555555555))
    x = (x & np.uint64(0x3333333333333333)) + ((x >> np.uint64(2)) & np.uint64(0x3333333333333333))
    x = (x + (x >> np.uint64(4))) & np.uint64(0x0F0F0F0F0F0F0F0F)
    return (x * np.uint64(0x0101010101010101)) >> np.uint64(56)


@numba.njit
def smallest_distance(fingerprints: np.ndarray, query: np.uint64) -> np.uint64:
    """The distance of the nearest fingerprint. Without a branch, so that the processor compares several at once."""
    nearest = np.uint64(64)
    for row in range(fingerprints.size):
        nearest = min(nearest, popcount(fingerprints[row] ^ query))
    return nearest


@numba.njit
def scan(fingerprints: np.ndarray, query: np.uint64, radius: np.uint64) -> np.ndarray:
    """The rows within the radius, in order: ndarray of int64."""
    rows, found = np.empty(_BLOCK, dtype=np.int64), 0
    for start in range(0, fingerprints.size, _BLOCK):
        block = fingerprints[start : start + _BLOCK]
        if smallest_distance(block, query) <= radius:
            if found + _BLOCK > rows.size:
                rows = np.concatenate((rows, np.empty_like(rows)))
            for row in range(block.size):
                if popcount(block[row] ^ query) <= radius:
                    rows[found] = start + row
                    found += 1
    return rows[:found]
