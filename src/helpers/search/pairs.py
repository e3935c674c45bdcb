"""All pairs of near fingerprints among many, and the groups that they form."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain, combinations
from math import comb
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from scipy import sparse

from helpers import Problem
from helpers.hamming import BITS, as_words, check_radius, count_bits, one_by_one

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

_PAIRS_AT_A_TIME = 1_000_000  # are joined to groups
#: More pairs than this are not listed: each takes about 130 bytes while they are sorted, and they
#: would fill the memory.
MOST_PAIRS = 10_000_000


def all_pairs(fingerprints: ArrayLike, radius: int) -> pd.DataFrame:
    """All pairs of rows at most `radius` bits apart.

    Parameters
    ----------
    fingerprints : array-like of uint64, shape (n,) or (n, words), or of hex text, shape (n,)
        One hash's fingerprints.
    radius : int
        Largest distance, in bits, that counts.

    Returns
    -------
    DataFrame
        ``first`` and ``second`` (row numbers, first < second) and ``distance`` (bits); sorted by
        distance, then rows.

    Raises
    ------
    Problem
        If the values are not fingerprints, if the radius is not a whole number from 0 to the
        width, or if there are more than 10 million pairs; see `crowds`.

    Notes
    -----
    These are pigeonholes again. Cut the bits into radius + k blocks: two fingerprints within the
    radius are equal in at least k blocks. So for each choice of k blocks, sort by these blocks
    alone and compare neighbours that are equal there. A pair is kept where its first k equal
    blocks are the chosen ones, so that it is kept once. k is 1 to 3, whichever should take the
    least time. For a few fingerprints, or a wide radius, each is compared with all that follow.
    Memory grows with n and the pairs found, never with n squared.

    Joining on combinations of blocks is due to G. S. Manku, A. Jain and A. Das Sarma, "Detecting
    near-duplicates for web crawling", WWW (2007).

    Examples
    --------
    >>> all_pairs(np.array([0, 7, 1], dtype=np.uint64), radius=1).values.tolist()
    [[0, 2, 1]]
    """
    words, value = _values(as_words(fingerprints))
    radius = check_radius(radius, BITS * len(words))
    counts = np.bincount(value).astype(np.int64)  # where intp has 32 bits, pairs may be more
    near = _near_values(words, radius, counts)
    # then every picture of the one value goes with every picture of the other
    several = np.flatnonzero(counts > 1)
    near = [np.append(a, b) for a, b in zip(near, (several, several, 0 * several), strict=True)]
    rows = pd.Series(np.arange(len(value)), index=value)
    pairs = pd.DataFrame({"one": near[0], "other": near[1], "distance": near[2]})
    pairs = pairs.join(rows.rename("first"), on="one").join(rows.rename("second"), on="other")
    pairs = pairs[(pairs["one"] != pairs["other"]) | (pairs["first"] < pairs["second"])]
    ends = pairs[["first", "second"]]
    pairs = pairs.assign(first=ends.min(axis=1), second=ends.max(axis=1))
    columns = ["first", "second", "distance"]
    pairs = pairs[columns].astype(np.intp)  # as NumPy counts and looks up rows
    return pairs.sort_values(["distance", "first", "second"], ignore_index=True)


def crowds(fingerprints: ArrayLike, radius: int, most: float) -> list[np.ndarray]:
    """The groups whose members have more near ones than so many on average.

    Parameters
    ----------
    fingerprints : array-like of uint64, shape (n,) or (n, words), or of hex text, shape (n,)
        One hash's fingerprints.
    radius : int
        Largest distance, in bits, that counts.
    most : float
        How many near ones a member of any other group has on average, at most.

    Returns
    -------
    list of ndarray
        The row numbers of each group, sorted; the group with the lowest row first. No pairs are
        listed, so memory grows with n only. Without these rows `all_pairs` lists at most ``most /
        2`` pairs for each row.

    Examples
    --------
    >>> rows = crowds(np.array([7, 0, 1, 8, 7, 7], dtype=np.uint64), radius=0, most=1)
    >>> [group.tolist() for group in rows]
    [[0, 4, 5]]
    """
    words, value = _values(as_words(fingerprints))
    counts = np.bincount(value)
    group = np.arange(len(counts))  # of each value, as far as it is known
    near = counts * (counts - 1.0)  # of all pictures with this value
    batch, size = [], 0
    for part in chain(_find_near(words, radius), [None]):
        if part is not None:
            batch.append(part[:2])
            size += len(part[0])
        if batch and (part is None or size > _PAIRS_AT_A_TIME):
            first, second = map(np.concatenate, zip(*batch, strict=True))
            near += 2 * np.bincount(first, counts[first] * counts[second], len(near))
            group = _components(group[first], group[second], len(group))[group]
            batch, size = [], 0
    is_crowd = np.bincount(group, near) > most * np.bincount(group, counts)
    rows = np.flatnonzero(is_crowd[group[value]]) if len(value) else value
    found = pd.Series(rows).groupby(group[value[rows]], sort=False)
    return [members.to_numpy() for _, members in found]


def groups(pairs: pd.DataFrame) -> list[np.ndarray]:
    """The groups of all that are paired, directly or by way of others: connected components.

    **Likeness is not transitive.** If *a* is near *b* and *b* near *c*, all three are one group,
    although *a* and *c* may be twice as far apart. A chain of look-alikes can join pictures that
    have nothing in common. Look at `diameter`, and at the pictures, before you trust a group.

    Parameters
    ----------
    pairs : DataFrame
        With columns ``first`` and ``second``: rows, as from `all_pairs`, or names of any kind that
        can be sorted.

    Returns
    -------
    list of ndarray
        The members of each group, sorted. The largest group comes first; of equally large ones
        that with the lowest first member. The order of the pairs does not matter, and with names
        the order of the pictures does not either.

    Raises
    ------
    Problem
        If an end of a pair is missing.

    Examples
    --------
    >>> pairs = pd.DataFrame({"first": [8, 1, 2], "second": [9, 2, 5]})
    >>> [group.tolist() for group in groups(pairs)]
    [[1, 2, 5], [8, 9]]
    """
    ends = pd.concat([pairs["first"], pairs["second"]], ignore_index=True)
    if ends.isna().any():
        raise Problem(f"{int(ends.isna().sum())} ends of pairs have no name; leave these pairs out")
    codes, members = pd.factorize(ends, sort=True)
    first, second = codes[: len(pairs)], codes[len(pairs) :]
    label = _components(first, second, len(members))
    found = pd.Series(np.asarray(members)).groupby(label, sort=True)
    return sorted(
        (group.to_numpy() for _, group in found), key=lambda group: (-len(group), group[0])
    )


def diameter(fingerprints: ArrayLike) -> int:
    """The largest distance between any two: how stretched a group is.

    Parameters
    ----------
    fingerprints : array-like of uint64, shape (n,) or (n, words), or of hex text, shape (n,)
        The members of one group. Time grows with the square of n: a second for 20,000.

    Returns
    -------
    int
        Bits; 0 for one fingerprint, or none. More than the radius that joined the group: a chain.

    Examples
    --------
    >>> diameter(np.array([0b000, 0b001, 0b011, 0b111], dtype=np.uint64))
    3
    """
    words = as_words(fingerprints)
    return max((int(far.max()) for far in one_by_one(np.unique(words, axis=1))), default=0)


def _components(first: np.ndarray, second: np.ndarray, n: int) -> np.ndarray:
    """For each of n members the number of its group."""
    graph = sparse.coo_array((np.ones(len(first), dtype=bool), (first, second)), shape=(n, n))
    return sparse.csgraph.connected_components(graph, directed=False)[1]


def _values(words: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The distinct fingerprints, since equal ones are compared once; and which one each row has."""
    order = np.lexsort(words)
    is_new = np.append(True, (np.diff(words[:, order]) != 0).any(axis=0))[: len(order)]
    value = np.empty(len(order), dtype=np.intp)
    value[order] = is_new.cumsum() - 1
    return np.ascontiguousarray(words[:, order[is_new]]), value


_Found = tuple[np.ndarray, np.ndarray, np.ndarray]  # first, second, distance


def _find_near(words: np.ndarray, radius: int) -> Iterator[_Found]:
    """All pairs of distinct fingerprints, each once, in any order, part by part."""
    n, bits = words.shape[1], BITS * len(words)
    # nanoseconds, as measured; only their ratios matter
    one_by_one = n * 4_000 + n * n / 2 * 1.2 * len(words)

    def joining(k: int) -> float:
        choices, blocks = comb(radius + k, k), _blocks(len(words), radius + k)
        candidates = 0  # as the first and the last choice have them: bits are not evenly spread
        for chosen in (blocks[:k], blocks[-k:]):
            _, equal = np.unique(
                _key(words & np.bitwise_or.reduce(chosen)[:, None]), return_counts=True
            )
            candidates += int((equal * (equal - 1) // 2).sum()) / 2
        return choices * (100_000 + n * 100 * len(words) + candidates * 60)

    costs = {k: joining(k) for k in (1, 2, 3) if n > 1 and radius + k <= bits}
    k = min(costs, key=costs.get, default=None)
    if k is None or costs[k] > one_by_one:
        return _one_by_one(words, radius)
    return _join_blocks(words, radius, k)


def _near_values(words: np.ndarray, radius: int, counts: np.ndarray) -> _Found:
    """All pairs of distinct fingerprints; so many `counts` have each, of which come pairs too."""
    listed, total = [_NOTHING], int((counts * (counts - 1) // 2).sum())
    for part in chain([_NOTHING], _find_near(words, radius)):
        total += int((counts[part[0]] * counts[part[1]]).sum())
        if total > MOST_PAIRS:
            most = int(counts.max())
            leave = f"{most:,} pictures have one fingerprint (flat ones do), leave these out, or "
            raise Problem(
                f"more than {MOST_PAIRS:,} pairs lie within {radius} bits, too many to list; "
                f"{leave if most > 1 else ''}take a smaller radius"
            )
        listed.append(part)
    return tuple(np.concatenate(column).astype(np.intp) for column in zip(*listed, strict=True))


_NOTHING = (np.empty(0, dtype=np.intp),) * 3


def _one_by_one(words: np.ndarray, radius: int) -> Iterator[_Found]:
    for row, distances in enumerate(one_by_one(words)):
        if distances.min() <= radius:
            near = np.flatnonzero(distances <= radius)
            yield np.full(len(near), row), near + row + 1, distances[near]


def _join_blocks(words: np.ndarray, radius: int, k: int) -> Iterator[_Found]:
    blocks = _blocks(len(words), radius + k)
    for chosen in combinations(range(len(blocks)), k):
        mask = np.bitwise_or.reduce([blocks[block] for block in chosen])
        earlier = [blocks[block] for block in range(chosen[-1]) if block not in chosen]
        key = _key(words & mask[:, None])
        order = np.argsort(key)
        key, in_order = key[order], words[:, order]
        left, step = np.arange(len(key)), 0
        while True:  # neighbours, then next neighbours, and so on, as long as the keys are equal
            step += 1
            left = left[: np.searchsorted(left, len(key) - step)]
            left = left[key[left] == key[left + step]]
            if not len(left):
                break
            differ = in_order[:, left] ^ in_order[:, left + step]
            distances = count_bits(differ)
            near = np.flatnonzero(distances <= radius)
            if len(words) > 1:  # keys of several words may be equal by chance
                near = near[~(differ[:, near] & mask[:, None]).any(axis=0)]
            for block in earlier:  # equal there too: found, or to be found, by an earlier choice
                near = near[(differ[:, near] & block[:, None]).any(axis=0)]
            yield order[left[near]], order[left[near] + step], distances[near]


def _blocks(words: int, blocks: int) -> list[np.ndarray]:
    """Masks, shape (words,), that cut all bits into blocks of about equal size."""
    masks = []
    for bits in np.array_split(np.arange(BITS * words), blocks):
        mask = sum(1 << int(bit) for bit in bits)
        parts = [mask >> (BITS * word) & (2**BITS - 1) for word in range(words)]
        masks.append(np.array(parts, dtype=np.uint64))
    return masks


def _key(words: np.ndarray) -> np.ndarray:
    """One integer for each column. Equal columns have equal integers; other ones rarely do."""
    key = words[0]
    for word in words[1:]:
        key = key * np.uint64(0x9E3779B97F4A7C15) + word  # Knuth's multiplier: 2**64 / golden ratio
    return key
