"""Hamming distances: the number of bits, 0 to 64, in which two fingerprints differ."""

import numpy as np
import pandas as pd

from helpers import Problem

#: Bits in a fingerprint.
BITS = 64


def as_fingerprints(values: object) -> np.ndarray:
    """An array of fingerprints, or one sentence that says why it is none.

    Parameters
    ----------
    values : array-like of unsigned 64-bit integers
        An array, a list of ``np.uint64``, or a column of a table.

    Returns
    -------
    ndarray of uint64
        Of the same shape.

    Raises
    ------
    Problem
        For floats (which cannot hold 64 bits), for signed or smaller integers, and for a table's rows without a fingerprint.

    Examples
    --------
    >>> as_fingerprints(np.array([1.0]))
    Traceback (most recent call last):
    ...
    helpers.Problem: fingerprints must be uint64, not float64: a float holds only 53 of the 64 bits
    """
    if isinstance(values, (pd.Series, pd.api.extensions.ExtensionArray)):
        missing = int(pd.isna(values).sum())
        if missing:
            raise Problem(
                f"{missing} of {len(values)} rows have no fingerprint; keep only the rows whose problem is empty"
            )
        values = values.to_numpy("uint64") if str(values.dtype) == "UInt64" else values.to_numpy()
    values = np.asarray(values)
    if values.size == 0 and values.dtype == np.float64:  # np.asarray([])
        return values.astype(np.uint64)
    if values.dtype != np.uint64:
        why = ": a float holds only 53 of the 64 bits" if values.dtype.kind == "f" else ""
        raise Problem(f"fingerprints must be uint64, not {values.dtype}{why}")
    return values


def _one(value: object) -> int:
    if isinstance(value, (int, np.integer)) and 0 <= int(value) < 2**BITS:
        return int(value)
    why = (
        ": a float holds only 53 of the 64 bits" if isinstance(value, (float, np.floating)) else ""
    )
    raise Problem(f"a fingerprint must be a whole number of {BITS} bits, not {value!r}{why}")


def check_radius(radius: int) -> int:
    """The radius, if it is one.

    Parameters
    ----------
    radius : int
        Bits.

    Returns
    -------
    int
        0 to 64 bits.

    Raises
    ------
    Problem
        For anything else.

    Examples
    --------
    >>> check_radius(5)
    5
    """
    whole = isinstance(radius, (int, np.integer)) and not isinstance(radius, bool)
    if not whole or not 0 <= radius <= BITS:
        raise Problem(f"radius {radius}: it is a whole number of bits from 0 to {BITS}")
    return int(radius)


def distance(a: np.uint64, b: np.uint64) -> int:
    """The number of bits in which two fingerprints differ.

    Parameters
    ----------
    a, b : uint64
        The fingerprints; Python integers will do.

    Returns
    -------
    int
        0 to 64 bits.

    Raises
    ------
    Problem
        For what is no whole number of 64 bits.

    Examples
    --------
    >>> distance(0b1011, 0b0010)
    2
    """
    return (_one(a) ^ _one(b)).bit_count()


def distances(query: np.uint64, fingerprints: object) -> np.ndarray:
    """From one fingerprint to each of many.

    Parameters
    ----------
    query : uint64
    fingerprints : array-like of uint64, shape (n,)

    Returns
    -------
    ndarray of uint8, shape (n,)
        Bits, in the order of `fingerprints`.

    Raises
    ------
    Problem
        For what is no fingerprint.

    Examples
    --------
    >>> distances(np.uint64(0), np.array([0, 1, 3], dtype=np.uint64)).tolist()
    [0, 1, 2]
    """
    return np.bitwise_count(as_fingerprints(fingerprints) ^ np.uint64(_one(query)))


def count_pairs(fingerprints: object) -> np.ndarray:
    """How many pairs there are at each distance, among all pairs of `fingerprints`.

    Parameters
    ----------
    fingerprints : array-like of uint64, shape (n,)

    Returns
    -------
    ndarray of int64, shape (65,)
        Number of pairs at 0, 1, ..., 64 bits; they sum to ``n * (n - 1) / 2``. Time grows with the square of n:
        half a second for 10,000.

    Raises
    ------
    Problem
        For what is no fingerprint.

    Examples
    --------
    >>> count_pairs(np.array([0, 1, 3], dtype=np.uint64))[:3].tolist()
    [0, 2, 1]
    """
    fingerprints = as_fingerprints(fingerprints)
    counts = np.zeros(BITS + 1, dtype=np.int64)
    for row in range(len(fingerprints) - 1):
        counts += np.bincount(
            np.bitwise_count(fingerprints[row + 1 :] ^ fingerprints[row]), minlength=BITS + 1
        )
    return counts


def close_pairs(fingerprints: object, radius: int) -> pd.DataFrame:
    """All pairs of rows at most `radius` bits apart.

    Parameters
    ----------
    fingerprints : array-like of uint64, shape (n,)
    radius : int
        Largest distance, in bits, that counts.

    Returns
    -------
    DataFrame
        ``first``, ``second`` (row numbers, first < second) and ``distance``; sorted by distance, then rows.

    Raises
    ------
    Problem
        For what is no fingerprint, and for a radius that is not from 0 to 64 bits.

    Examples
    --------
    >>> close_pairs(np.array([0, 7, 1], dtype=np.uint64), radius=1).values.tolist()
    [[0, 2, 1]]
    """
    fingerprints, radius = as_fingerprints(fingerprints), check_radius(radius)
    found = []
    for row in range(len(fingerprints) - 1):
        bits = np.bitwise_count(fingerprints[row + 1 :] ^ fingerprints[row])
        found += [
            (row, row + 1 + other, int(bits[other]))
            for other in np.flatnonzero(bits <= radius).tolist()
        ]
    pairs = pd.DataFrame(found, columns=["first", "second", "distance"], dtype="int64")
    return pairs.sort_values(["distance", "first", "second"], ignore_index=True)
