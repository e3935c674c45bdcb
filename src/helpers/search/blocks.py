"""Near pairs among distinct fingerprints: a join on combinations of blocks of bits."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations
from math import comb
from typing import NamedTuple

import numpy as np

from helpers.hamming import BITS, count_bits, one_by_one

#: Columns of two fingerprints each, and their distances.
Found = tuple[np.ndarray, np.ndarray, np.ndarray]

#: Knuth's multiplier, 2**64 / golden ratio: what differs little differs much after it.
MIX = np.uint64(0x9E3779B97F4A7C15)
_CHOSEN = (1, 2, 3, 4)  # so many blocks may be chosen
# What a join takes for each fingerprint and each candidate, and what a comparison of each with
# each takes for a row and a pair: nanoseconds, as measured; only their ratios matter.
_SORT, _CANDIDATE, _ROW, _PAIR = 15, 35, 4_000, 1.2
_WEIGHED = 200_000  # of the fingerprints tell how many candidates there are
_CROWD = 1_000  # with one key; more are joined on their other bits


def find_near(words: np.ndarray, radius: int) -> Iterator[Found]:
    """All pairs of distinct fingerprints at most `radius` bits apart, part by part.

    Parameters
    ----------
    words : ndarray of uint64, shape (words, n)
        Fingerprints word by word, none of them twice.
    radius : int
        Largest distance, in bits, that counts.

    Returns
    -------
    iterator of tuple of ndarray
        Columns of two, and their distances; each pair once, in any order.
    """
    n = words.shape[1]
    some = words
    if n > _WEIGHED:
        some = words[:, np.random.default_rng(0).random(n) < _WEIGHED / n]
    costs = weigh(some, _varying(words), radius, n)
    k = min(costs, key=costs.get, default=None)
    if k is None or costs[k] > n * _ROW + n * n / 2 * _PAIR * len(words):
        return _one_by_one(words, radius)
    return _join_blocks(words, radius, k)


def weigh(words: np.ndarray, where: np.ndarray, radius: int, n: int) -> dict[int, float]:
    """How long joins on each number of blocks should take.

    Parameters
    ----------
    words : ndarray of uint64, shape (words, some)
        Some distinct fingerprints.
    where : ndarray of uint64, shape (words,)
        The bits that are cut into blocks.
    radius : int
        Largest distance, in bits, that counts.
    n : int
        How many there are in all.

    Returns
    -------
    dict of int to float
        Nanoseconds for each k that is possible.
    """
    times, some = {}, max(words.shape[1], 1)
    bits = count_bits(where[:, None])[0]
    for k in _CHOSEN:
        if n > 1 and radius + k <= bits:
            blocks = _blocks(where, radius + k)
            # as the first and the last choice have them: bits are not evenly spread
            masks = (np.bitwise_or.reduce(chosen) for chosen in (blocks[:k], blocks[-k:]))
            candidates = sum(count_candidates(words, mask) for mask in masks) / 2
            candidates *= (n / some) ** 2
            one_join = 100_000 + n * _SORT * len(words) + candidates * _CANDIDATE
            times[k] = comb(radius + k, k) * one_join
    return times


def _one_by_one(words: np.ndarray, radius: int) -> Iterator[Found]:
    for row, distances in enumerate(one_by_one(words)):
        if distances.min() <= radius:
            near = np.flatnonzero(distances <= radius)
            yield np.full(len(near), row), near + row + 1, distances[near]


def _join_blocks(words: np.ndarray, radius: int, k: int) -> Iterator[Found]:
    for choice in choices(_varying(words), radius, k):
        yield from join(words, radius, choice)


class Choice(NamedTuple):
    """Blocks of bits in which the pairs of one join are equal, and others in which they differ.

    Parameters
    ----------
    mask : ndarray of uint64, shape (words,)
        The bits of the chosen blocks.
    earlier : list of ndarray of uint64, shape (words,)
        The bits of each block before the last chosen one that was not chosen. A pair that is
        equal there belongs to an earlier choice.
    first : ndarray of uint64, shape (words,)
        The bits of the first chosen block.
    """

    mask: np.ndarray
    earlier: list[np.ndarray]
    first: np.ndarray

    def has(self, differ: np.ndarray) -> np.ndarray:
        """Which pairs belong to it.

        Parameters
        ----------
        differ : ndarray of uint64, shape (words, pairs)
            The bits in which the two of each pair differ.

        Returns
        -------
        ndarray of bool
            For each pair.
        """
        belongs = ~(differ & self.mask[:, None]).any(axis=0)  # two keys may be equal by chance
        for block in self.earlier:  # equal there too: found, or to be found, by an earlier choice
            belongs &= (differ & block[:, None]).any(axis=0)
        return belongs


def choices(where: np.ndarray, radius: int, k: int) -> list[Choice]:
    """All choices of k among radius + k blocks: each pair within the radius belongs to one.

    Parameters
    ----------
    where : ndarray of uint64, shape (words,)
        The bits to be cut into blocks. In the others fingerprints may differ, too, but those in
        which all are equal would make blocks that tell nothing.
    radius : int
        Largest distance, in bits, that counts.
    k : int
        How many blocks are chosen.

    Returns
    -------
    list of Choice
        In the order of blocks: those with the same first block follow each other.

    Examples
    --------
    >>> [int(choice.mask[0]) for choice in choices(np.array([0b1111], dtype=np.uint64), 1, 1)]
    [3, 12]
    """
    blocks = _blocks(where, radius + k)
    return [
        Choice(
            np.bitwise_or.reduce([blocks[block] for block in chosen]),
            [blocks[block] for block in range(chosen[-1]) if block not in chosen],
            blocks[chosen[0]],
        )
        for chosen in combinations(range(len(blocks)), k)
    ]


def join(words: np.ndarray, radius: int, choice: Choice) -> Iterator[Found]:
    """The pairs of distinct fingerprints that belong to one choice, part by part.

    Parameters
    ----------
    words : ndarray of uint64, shape (words, n)
        Fingerprints word by word, none of them twice.
    radius : int
        Largest distance, in bits, that counts.
    choice : Choice
        One of `choices`.

    Yields
    ------
    tuple of ndarray
        Columns of two, and their distances; each pair once, in any order.
    """
    key, order = sharing(words, choice.mask)
    ends = np.append(np.flatnonzero(key[1:] != key[:-1]) + 1, len(key))
    sizes = np.diff(ends, prepend=0)
    for end, size in zip(ends[sizes > _CROWD], sizes[sizes > _CROWD], strict=True):
        # compared with all the others, a crowd would take the square of its size
        rows = order[end - size : end]
        for first, second, distances in find_near(words[:, rows], radius):
            near = choice.has(words[:, rows[first]] ^ words[:, rows[second]])
            yield rows[first[near]], rows[second[near]], distances[near]
    few = np.repeat(sizes <= _CROWD, sizes)
    key, order = key[few], order[few]
    in_order, left, step = words[:, order], np.arange(len(key)), 0
    while True:  # neighbours, then next neighbours, and so on, as long as the keys are equal
        step += 1
        left = left[: np.searchsorted(left, len(key) - step)]
        left = left[key[left] == key[left + step]]
        if not len(left):
            break
        differ = in_order[:, left] ^ in_order[:, left + step]
        distances = count_bits(differ)
        near = np.flatnonzero(distances <= radius)
        near = near[choice.has(differ[:, near])]
        yield order[left[near]], order[left[near] + step], distances[near]


def count_candidates(words: np.ndarray, mask: np.ndarray) -> int:
    """How many pairs are equal in some bits, and so have to be compared.

    Parameters
    ----------
    words : ndarray of uint64, shape (words, n)
        Fingerprints word by word.
    mask : ndarray of uint64, shape (words,)
        These bits.

    Returns
    -------
    int
        Pairs.

    Examples
    --------
    >>> count_candidates(np.array([[4, 5, 1]], dtype=np.uint64), np.array([4], dtype=np.uint64))
    1
    """
    key, _ = sharing(words, mask)
    _, sizes = np.unique(key, return_counts=True)
    return int((sizes * (sizes - 1) // 2).sum())


def sharing(words: np.ndarray, mask: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The columns that may be equal to another in some bits.

    Parameters
    ----------
    words : ndarray of uint64, shape (words, n)
        Fingerprints word by word.
    mask : ndarray of uint64, shape (words,)
        These bits.

    Returns
    -------
    key, order : ndarray
        Their keys, in order, and the numbers of the columns. Those with equal bits have equal
        keys; others rarely do.
    """
    n = words.shape[1]
    below = np.uint64(max(n - 1, 1).bit_length())
    key = words[0] & mask[0]
    key *= MIX
    for word, bits in zip(words[1:], mask[1:], strict=True):
        key ^= word & bits
        key *= MIX
    # the number of a column stands below its key: so the numbers are sorted along
    key >>= below
    key <<= below
    key |= np.arange(n, dtype=np.min_scalar_type(n))  # most of the time goes to fresh memory
    key.sort()
    high = key >> below
    same = high[1:] == high[:-1]
    shared = np.append(False, same)[:n] | np.append(same, False)[:n]
    order = key[shared] & (np.uint64(1) << below) - np.uint64(1)
    return high[shared], order.astype(np.intp)


def _varying(words: np.ndarray) -> np.ndarray:
    """The bits in which not all fingerprints are equal."""
    return np.bitwise_or.reduce(words ^ words[:, :1], axis=1)


def _blocks(where: np.ndarray, blocks: int) -> list[np.ndarray]:
    """Masks, shape (words,), that cut the bits of `where` into blocks of about equal size."""
    places = [at for at in range(BITS * len(where)) if int(where[at // BITS]) >> at % BITS & 1]
    masks = []
    for bits in np.array_split(np.array(places, dtype=int), blocks):
        mask = np.zeros(len(where), dtype=np.uint64)
        for bit in bits:
            mask[bit // BITS] |= np.uint64(1 << int(bit) % BITS)
        masks.append(mask)
    return masks
