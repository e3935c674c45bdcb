"""Hamming distances: the number of bits in which two fingerprints differ.

A fingerprint of up to 64 bits is one ``uint64``, its last bit lowest. A wider one is several words,
the first word first: 256 bits are a row of four, so that many of them are an array of shape
(n, 4). Tables hold wider ones as hex text. Bits that only fill up a word are zero in all
fingerprints of a hash, so that no distance counts them.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import numpy as np

from helpers import Problem

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import ArrayLike

#: Bits in a word, and in most fingerprints.
BITS = 64


def as_fingerprints(values: ArrayLike) -> np.ndarray:
    """An array of fingerprints of up to 64 bits, or of words of wider ones.

    Parameters
    ----------
    values : array-like of unsigned 64-bit integers
        An array, a list of ``np.uint64``, or a column of a table.

    Returns
    -------
    ndarray of uint64
        The same values in the same shape.

    Raises
    ------
    Problem
        If the values are floats (which cannot hold 64 bits), or signed or smaller integers, or
        if rows of a table have no fingerprint.

    Examples
    --------
    >>> as_fingerprints(np.array([1.0]))
    Traceback (most recent call last):
    ...
    helpers.Problem: fingerprints must be uint64, not float64: a float holds only 53 of the 64 bits
    """
    if _is_of_pandas(values):
        _check_none_missing(values)
        values = values.to_numpy("uint64") if str(values.dtype) == "UInt64" else values.to_numpy()
    values = np.asarray(values)
    if values.size == 0 and values.dtype == np.float64:  # np.asarray([])
        return values.astype(np.uint64)
    if values.dtype.kind != "u" or values.itemsize != 8:
        why = {
            "f": ": a float holds only 53 of the 64 bits",
            "i": ": a signed integer has no room for the 64th bit; hashes.of_image gives uint64",
            "O": "; hashes.of_image and from_hex make them",
        }.get(values.dtype.kind, "")
        raise Problem(f"fingerprints must be uint64, not {values.dtype}{why}")
    return values.astype(np.uint64, copy=False)  # in this machine's order of bytes


def as_words(fingerprints: ArrayLike) -> np.ndarray:
    """Fingerprints word by word: all first 64 bits, then all second ones, and so on.

    Parameters
    ----------
    fingerprints : array-like of uint64, shape (n,) or (n, words), or of hex text, shape (n,)
        Arrays, lists or columns of a table. All hex texts have the same number of digits.

    Returns
    -------
    ndarray of uint64, shape (words, n)
        Where the bits do not fill the words, the first word begins with zeros.

    Raises
    ------
    Problem
        If the values are not fingerprints, or have different widths.

    Examples
    --------
    >>> as_words(np.array([[1, 2], [3, 4]], dtype=np.uint64)).tolist()
    [[1, 3], [2, 4]]
    >>> as_words(["00000000000000010000000000000002"]).tolist()
    [[1], [2]]
    """
    values = _from_text(fingerprints) if _is_text(fingerprints) else as_fingerprints(fingerprints)
    if values.ndim == 1:
        values = values[:, None]
    if values.ndim != 2 or not values.shape[1]:
        raise Problem(
            f"fingerprints of shape {np.shape(fingerprints)}: it is (n,) for 64 bits, "
            "(n, words) for more"
        )
    return np.ascontiguousarray(values.T)


def _is_text(values: ArrayLike) -> bool:
    """Whether these are hex texts; a missing one may stand among them."""
    if _is_of_pandas(values):
        from pandas.api.types import is_string_dtype

        return is_string_dtype(values.dtype) and len(values) > 0
    if isinstance(values, np.ndarray) and values.dtype.kind not in "OU":
        return False
    return any(isinstance(value, str) for value in values) if np.ndim(values) == 1 else False


def _from_text(texts: ArrayLike) -> np.ndarray:
    """The words behind hex texts, shape (n, words)."""
    _check_none_missing(texts)
    texts = list(texts)
    lengths = {len(text) if isinstance(text, str) else 0 for text in texts}
    if len(lengths) > 1:
        raise Problem(
            f"fingerprints of {min(lengths)} and {max(lengths)} hex digits; "
            "compare those of one hash"
        )
    words = -(-lengths.pop() // 16)
    digits = "".join(text.zfill(16 * words) for text in texts)
    if not re.fullmatch("[0-9a-fA-F]+", digits):
        raise Problem(f"fingerprints like {texts[0]!r}: as text they are hex digits, all of them")
    content = bytes.fromhex(digits)
    return np.frombuffer(content, ">u8").astype(np.uint64).reshape(-1, words)


def _is_of_pandas(values: object) -> bool:
    """Whether it is a column of a table. pandas is not imported for that: workers do without it."""
    return type(values).__module__.partition(".")[0] == "pandas"


def _check_none_missing(values: ArrayLike) -> None:
    import pandas as pd

    missing = int(pd.isna(values).sum())
    if missing:
        raise Problem(
            f"{missing} of {len(values)} rows have no fingerprint; "
            "keep only the rows whose problem is empty"
        )


def as_query(query: np.uint64 | np.ndarray | str, words: int | None = None) -> np.ndarray:
    """One fingerprint, to be compared with others of so many words.

    Parameters
    ----------
    query : uint64, or ndarray of uint64, shape (words,), or hex text
        The fingerprint. A Python integer will do for one of up to 64 bits.
    words : int, optional
        How many words the fingerprints have that it is compared with; any number if left out.

    Returns
    -------
    ndarray of uint64, shape (words,)
        The words of the fingerprint.

    Raises
    ------
    Problem
        If it is not a fingerprint, or has another width.

    Examples
    --------
    >>> as_query(3, words=1)
    array([3], dtype=uint64)
    """
    if isinstance(query, str):
        query = as_words([query])[:, 0]
    elif np.ndim(query):
        query = as_fingerprints(query)
        if query.ndim > 1:
            raise Problem(
                f"a query of shape {query.shape}: it is one fingerprint; within_many takes many"
            )
    else:
        query = np.array([_whole_number(query)], dtype=np.uint64)
    if words is not None and len(query) != words:
        raise Problem(
            f"a query of {BITS * len(query)} bits among fingerprints of {BITS * words} bits; "
            "make it with the same hash"
        )
    return query


def _whole_number(value: object) -> int:
    if isinstance(value, np.ndarray) and value.ndim == 0:
        value = value[()]
    whole = isinstance(value, (int, np.integer)) and not isinstance(value, bool)
    if whole and 0 <= int(value) < 2**BITS:
        return int(value)
    is_float = isinstance(value, (float, np.floating))
    why = ": a float holds only 53 of the 64 bits" if is_float else ""
    raise Problem(f"a fingerprint must be a whole number of {BITS} bits, not {value!r}{why}")


def count_bits(words: np.ndarray) -> np.ndarray:
    """How many bits are 1 in each fingerprint.

    Parameters
    ----------
    words : ndarray of uint64, shape (words, n)
        Fingerprints word by word, as `as_words` gives them.

    Returns
    -------
    ndarray of uint8 (one word) or uint16, shape (n,)
        The number of ones in all words of each.

    Examples
    --------
    >>> count_bits(np.array([[1, 3], [7, 0]], dtype=np.uint64)).tolist()
    [4, 2]
    """
    bits = np.bitwise_count(words)
    return bits[0] if len(bits) == 1 else bits.sum(axis=0, dtype=np.uint16)


def check_radius(radius: int, bits: int = BITS) -> int:
    """Make sure that a radius is a number of bits.

    Parameters
    ----------
    radius : int
        The largest distance that is to count, in bits.
    bits : int
        How many bits a fingerprint has: the largest radius that there is.

    Returns
    -------
    int
        The radius, 0 to `bits`.

    Raises
    ------
    Problem
        If it is anything else.

    Examples
    --------
    >>> check_radius(5)
    5
    """
    whole = isinstance(radius, (int, np.integer)) and not isinstance(radius, bool)
    if not whole or not 0 <= radius <= bits:
        raise Problem(f"radius {radius!r}: it is a whole number of bits from 0 to {bits}")
    return int(radius)


def distance(a: np.uint64 | np.ndarray | str, b: np.uint64 | np.ndarray | str) -> int:
    """The number of bits in which two fingerprints differ.

    Parameters
    ----------
    a, b : uint64, or ndarray of uint64, shape (words,), or hex text
        The fingerprints; Python integers will do for up to 64 bits.

    Returns
    -------
    int
        0 to 64 bits, or to as many as wider fingerprints have.

    Raises
    ------
    Problem
        If one is not a fingerprint, or if their widths differ.

    Examples
    --------
    >>> distance(0b1011, 0b0010)
    2
    """
    a = as_query(a)
    return int(np.bitwise_count(a ^ as_query(b, len(a))).sum())


def distances(query: np.uint64 | np.ndarray | str, fingerprints: ArrayLike) -> np.ndarray:
    """From one fingerprint to each of many.

    Parameters
    ----------
    query : uint64, or ndarray of uint64, shape (words,), or hex text
        The one fingerprint.
    fingerprints : array-like of uint64, shape (n,) or (n, words), or of hex text, shape (n,)
        The many.

    Returns
    -------
    ndarray of uint8 (up to 64 bits) or uint16, shape (n,)
        Bits, in the order of `fingerprints`.

    Raises
    ------
    Problem
        If one is not a fingerprint, or if their widths differ.

    Examples
    --------
    >>> distances(np.uint64(0), np.array([0, 1, 3], dtype=np.uint64)).tolist()
    [0, 1, 2]
    """
    words = as_words(fingerprints)
    return count_bits(words ^ as_query(query, len(words))[:, None])


def count_pairs(fingerprints: ArrayLike) -> np.ndarray:
    """How many pairs there are at each distance, among all pairs of `fingerprints`.

    Parameters
    ----------
    fingerprints : array-like of uint64, shape (n,) or (n, words), or of hex text, shape (n,)
        The fingerprints.

    Returns
    -------
    ndarray of int64, shape (64 words + 1,)
        Number of pairs at 0, 1, ..., 64 bits (or more); they sum to ``n * (n - 1) / 2``. Time
        grows with the square of n: half a second for 10,000.

    Raises
    ------
    Problem
        If the values are not fingerprints.

    Examples
    --------
    >>> count_pairs(np.array([0, 1, 3], dtype=np.uint64))[:3].tolist()
    [0, 2, 1]
    """
    words = as_words(fingerprints)
    counts = np.zeros(BITS * len(words) + 1, dtype=np.int64)
    for distances in one_by_one(words):
        counts += np.bincount(distances, minlength=len(counts))
    return counts


def one_by_one(words: np.ndarray) -> Iterator[np.ndarray]:
    """From each fingerprint but the last to all that follow it.

    Parameters
    ----------
    words : ndarray of uint64, shape (words, n)
        Fingerprints word by word, as `as_words` gives them.

    Yields
    ------
    ndarray of uint8 (one word) or uint16
        The distances of one fingerprint, in bits.

    Examples
    --------
    >>> [far.tolist() for far in one_by_one(np.array([[0, 1, 3]], dtype=np.uint64))]
    [[1, 2], [1]]
    """
    for row in range(words.shape[1] - 1):
        yield count_bits(words[:, row + 1 :] ^ words[:, row : row + 1])
