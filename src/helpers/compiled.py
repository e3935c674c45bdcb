"""The linear scan as a loop that numba compiles: an extra, for those who have more than some millions.

One fingerprint after the other, at the speed at which memory delivers them.
"""

import numba
import numpy as np

_BLOCK = 4096  # fingerprints that are counted before any is written down


@numba.njit
def popcount(x: np.uint64) -> np.uint64:
    """The number of ones among 64 bits. LLVM knows these lines and puts the processor's own instruction in their place."""
    x = x - ((x >> np.uint64(1)) & np.uint64(0x5555555555555555))
    x = (x & np.uint64(0x3333333333333333)) + ((x >> np.uint64(2)) & np.uint64(0x3333333333333333))
    x = (x + (x >> np.uint64(4))) & np.uint64(0x0F0F0F0F0F0F0F0F)
    return (x * np.uint64(0x0101010101010101)) >> np.uint64(56)


@numba.njit
def count_within(fingerprints: np.ndarray, query: np.uint64, radius: np.uint64) -> int:
    """How many fingerprints are within the radius. Without a branch, so that several are compared at once."""
    near = 0
    for row in range(fingerprints.size):
        near += popcount(fingerprints[row] ^ query) <= radius
    return near


@numba.njit
def scan(fingerprints: np.ndarray, query: np.uint64, radius: np.uint64) -> np.ndarray:
    """The rows within the radius, in order: ndarray of int64."""
    rows, found = np.empty(64, dtype=np.int64), 0
    for start in range(0, fingerprints.size, _BLOCK):
        block = fingerprints[start : start + _BLOCK]
        near = count_within(block, query, radius)
        if near:
            while found + near > rows.size:
                rows = np.concatenate((rows, np.empty_like(rows)))
            for row in range(block.size):
                if popcount(block[row] ^ query) <= radius:
                    rows[found] = start + row
                    found += 1
    return rows[:found]
