"""All pairs of near fingerprints among many, and the groups that they form."""

from __future__ import annotations

from itertools import chain
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from scipy import sparse

from helpers import Problem
from helpers.hamming import BITS, as_words, check_radius, one_by_one
from helpers.search.blocks import Found, find_near, sharing
from helpers.search.linear import ranges

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
    blocks are the chosen ones, so that it is kept once. k is 1 to 4, whichever should take the
    least time. Where more than 1,000 are equal in the chosen blocks, these are cut anew, in the
    bits that are not equal in all of them. For a few fingerprints, or a wide radius, each is
    compared with all that follow.
    Memory grows with n and the pairs found, never with n squared.

    Joining on combinations of blocks is due to G. S. Manku, A. Jain and A. Das Sarma, "Detecting
    near-duplicates for web crawling", WWW (2007).

    Examples
    --------
    >>> all_pairs(np.array([0, 7, 1], dtype=np.uint64), radius=1).values.tolist()
    [[0, 2, 1]]
    """
    words, rows, ends = distinct(as_words(fingerprints))
    radius = check_radius(radius, BITS * len(words))
    counts = np.diff(ends).astype(np.int64)  # where intp has 32 bits, pairs may be more
    near = _near_values(words, radius, counts)
    columns = zip(("first", "second", "distance"), of_rows(near, rows, ends), strict=True)
    pairs = pd.DataFrame({name: column.astype(np.intp) for name, column in columns})
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
    words, order, ends = distinct(as_words(fingerprints))
    counts = np.diff(ends)
    value = np.empty(len(order), dtype=np.intp)
    value[order] = np.repeat(np.arange(len(counts)), counts)
    group = np.arange(len(counts))  # of each value, as far as it is known
    near = counts * (counts - 1.0)  # of all pictures with this value
    batch, size = [], 0
    for part in chain(find_near(words, radius), [None]):
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
    members, lowest = components(pairs["first"], pairs["second"])
    found = pd.Series(members).groupby(pd.factorize(lowest)[0], sort=False)
    return sorted(
        (group.to_numpy() for _, group in found), key=lambda group: (-len(group), group[0])
    )


def components(first: ArrayLike, second: ArrayLike) -> tuple[np.ndarray, np.ndarray]:
    """To which group each of all that are paired belongs.

    Parameters
    ----------
    first, second : array-like, shape (pairs,)
        Rows, or names of any kind that can be sorted.

    Returns
    -------
    members : ndarray
        All that have a pair, sorted.
    lowest : ndarray
        The lowest member of the group of each.

    Examples
    --------
    >>> [part.tolist() for part in components([8, 1, 2], [9, 2, 5])]
    [[1, 2, 5, 8, 9], [1, 1, 1, 8, 8]]
    """
    ends = pd.concat([pd.Series(first), pd.Series(second)], ignore_index=True)
    codes, members = pd.factorize(ends, sort=True)
    label = _components(codes[: len(first)], codes[len(first) :], len(members))
    _, lowest = np.unique(label, return_index=True)
    return np.asarray(members), np.asarray(members)[lowest[label]]


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


def distinct(words: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The distinct fingerprints, since equal ones need be compared only once.

    Parameters
    ----------
    words : ndarray of uint64, shape (words, n)
        Fingerprints word by word.

    Returns
    -------
    values : ndarray of uint64, shape (words, values)
        Each once.
    rows : ndarray of intp, shape (n,)
        The columns of `words`, those of the first value first.
    ends : ndarray of intp, shape (values + 1,)
        Value v has ``rows[ends[v] : ends[v + 1]]``.

    Examples
    --------
    >>> [part.tolist() for part in distinct(np.array([[7, 3, 7]], dtype=np.uint64))]
    [[[7, 3]], [0, 2, 1], [0, 2, 3]]
    """
    n, every = words.shape[1], np.full(len(words), 2**BITS - 1, dtype=np.uint64)
    same = np.sort(sharing(words, every)[1])  # few, as a rule: only these have to be compared
    same = same[np.lexsort(words[:, same])]
    is_new = np.append(True, (words[:, same[1:]] != words[:, same[:-1]]).any(axis=0))[: len(same)]
    if is_new.all():
        return words, np.arange(n), np.arange(n + 1)
    leader, again = same[is_new][is_new.cumsum() - 1][~is_new], same[~is_new]
    is_first = np.full(n, True)
    is_first[again] = False
    rows = np.flatnonzero(is_first)
    rows = np.insert(rows, np.searchsorted(rows, leader) + 1, again)
    return words[:, is_first], rows, np.flatnonzero(np.append(is_first[rows], True))


def of_rows(
    near: Found, rows: np.ndarray, ends: np.ndarray, turn: int = 0, turns: int = 1
) -> Found:
    """All pairs of rows: each row with the one value goes with each row with the other.

    Parameters
    ----------
    near : tuple of ndarray
        Values, other values, and their distances. A value with itself stands for all pairs of its
        rows.
    rows, ends : ndarray
        From `distinct`; instead of rows there may be their names, if these are numbers.
    turn, turns : int
        If the pairs are too many for the memory, they are asked for in so many turns.

    Returns
    -------
    tuple of ndarray
        The lower row or name, the higher one, and the distance.

    Examples
    --------
    >>> values, rows, ends = distinct(np.array([[7, 3, 7]], dtype=np.uint64))
    >>> [part.tolist() for part in of_rows(([0], [1], [1]), rows, ends)]
    [[0, 1], [1, 2], [1, 1]]
    """
    one, other, distance = map(np.asarray, near)
    left = ranges(ends[one], ends[one + 1])
    pair = np.repeat(np.arange(len(one)), ends[one + 1] - ends[one])
    if turns > 1:
        mine = left % turns == turn
        left, pair = left[mine], pair[mine]
    begin = np.where((one == other)[pair], left + 1, ends[other[pair]])
    end = ends[other[pair] + 1]
    first, second = rows[np.repeat(left, end - begin)], rows[ranges(begin, end)]
    distance = np.repeat(distance[pair], end - begin)
    return np.minimum(first, second), np.maximum(first, second), distance


def _near_values(words: np.ndarray, radius: int, counts: np.ndarray) -> Found:
    """All pairs of distinct fingerprints; so many `counts` have each, of which come pairs too."""
    several = np.flatnonzero(counts > 1)
    listed, total = [(several, several, 0 * several)], int((counts * (counts - 1) // 2).sum())
    for part in chain([_NOTHING], find_near(words, radius)):
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
