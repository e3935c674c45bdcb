"""Hamming distances: the number of bits in which two fingerprints differ.

A fingerprint is 64 bits, one ``uint64``. Wider ones are several: 256 bits (``imagehash`` with ``hash_size=16``) are a row of
four, so that many of them are an array of shape (n, 4).
"""

import numpy as np
import pandas as pd

from helpers import Problem

#: Bits in a fingerprint, unless it is a wider one.
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
    if values.dtype.kind != "u" or values.itemsize != 8:
        why = {
            "f": ": a float holds only 53 of the 64 bits",
            "i": ": a signed integer has no room for the 64th bit; fingerprints.of_image gives uint64",
            "O": "; fingerprints.of_image and from_hex make them",
        }.get(values.dtype.kind, "")
        raise Problem(f"fingerprints must be uint64, not {values.dtype}{why}")
    return values.astype(np.uint64, copy=False)  # in this machine's order of bytes


def as_words(fingerprints: object) -> np.ndarray:
    """Fingerprints word by word: all first 64 bits, then all second ones, and so on.

    Parameters
    ----------
    fingerprints : array-like of uint64, shape (n,) or (n, words)

    Returns
    -------
    ndarray of uint64, shape (words, n)

    Raises
    ------
    Problem
        For what is no array of fingerprints.

    Examples
    --------
    >>> as_words(np.array([[1, 2], [3, 4]], dtype=np.uint64)).tolist()
    [[1, 3], [2, 4]]
    """
    values = as_fingerprints(fingerprints)
    if values.ndim == 1:
        values = values[:, None]
    if values.ndim != 2 or not values.shape[1]:
        raise Problem(
            f"fingerprints of shape {np.shape(fingerprints)}: it is (n,) for 64 bits, (n, words) for more"
        )
    return np.ascontiguousarray(values.T)


def as_query(query: object, words: int) -> np.ndarray:
    """One fingerprint, to be compared with others of so many words.

    Parameters
    ----------
    query : uint64, or ndarray of uint64, shape (words,)
        A Python integer will do for 64 bits.
    words : int
        64-bit words in the fingerprints it is compared with.

    Returns
    -------
    ndarray of uint64, shape (words,)

    Raises
    ------
    Problem
        For what is no fingerprint, or one of another width.

    Examples
    --------
    >>> as_query(3, words=1)
    array([3], dtype=uint64)
    """
    if np.ndim(query):
        query = as_fingerprints(query)
        if query.ndim > 1:
            raise Problem(
                f"a query of shape {query.shape}: it is one fingerprint; within_many takes many"
            )
    else:
        query = np.array([_one(query)], dtype=np.uint64)
    if len(query) != words:
        raise Problem(
            f"a query of {BITS * len(query)} bits among fingerprints of {BITS * words} bits; "
            "make it with the same hash_size"
        )
    return query


def _one(value: object) -> int:
    if isinstance(value, np.ndarray) and value.ndim == 0:
        value = value[()]
    whole = isinstance(value, (int, np.integer)) and not isinstance(value, bool)
    if whole and 0 <= int(value) < 2**BITS:
        return int(value)
    why = (
        ": a float holds only 53 of the 64 bits" if isinstance(value, (float, np.floating)) else ""
    )
    raise Problem(f"a fingerprint must be a whole number of {BITS} bits, not {value!r}{why}")


def count_bits(words: np.ndarray) -> np.ndarray:
    """How many bits are 1 in each fingerprint.

    Parameters
    ----------
    words : ndarray of uint64, shape (words, n)

    Returns
    -------
    ndarray of uint8 (one word) or uint16, shape (n,)

    Examples
    --------
    >>> count_bits(np.array([[1, 3], [7, 0]], dtype=np.uint64)).tolist()
    [4, 2]
    """
    bits = np.bitwise_count(words)
    return bits[0] if len(bits) == 1 else bits.sum(axis=0, dtype=np.uint16)


def check_radius(radius: int, bits: int = BITS) -> int:
    """The radius, if it is one.

    Parameters
    ----------
    radius : int
        Bits.
    bits : int
        In a fingerprint: the largest radius that there is.

    Returns
    -------
    int
        0 to `bits`.

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
    if not whole or not 0 <= radius <= bits:
        raise Problem(f"radius {radius!r}: it is a whole number of bits from 0 to {bits}")
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
    query : uint64, or ndarray of uint64, shape (words,)
    fingerprints : array-like of uint64, shape (n,) or (n, words)

    Returns
    -------
    ndarray of uint8 (64 bits) or uint16, shape (n,)
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
    words = as_words(fingerprints)
    return count_bits(words ^ as_query(query, len(words))[:, None])


def count_pairs(fingerprints: object) -> np.ndarray:
    """How many pairs there are at each distance, among all pairs of `fingerprints`.

    Parameters
    ----------
    fingerprints : array-like of uint64, shape (n,) or (n, words)

    Returns
    -------
    ndarray of int64, shape (65,), or (64 words + 1,)
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
    words = as_words(fingerprints)
    counts = np.zeros(BITS * len(words) + 1, dtype=np.int64)
    for row in range(words.shape[1] - 1):
        distances = count_bits(words[:, row + 1 :] ^ words[:, row : row + 1])
        counts += np.bincount(distances, minlength=len(counts))
    return counts
