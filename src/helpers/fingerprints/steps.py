"""The steps of dHash on one picture, and its bits as a table and in words."""

from __future__ import annotations

import numpy as np
from PIL import Image


def bits(fingerprint: np.uint64) -> np.ndarray:
    """The 64 bits as dHash compares them: a row of the table is a row of the picture.

    Parameters
    ----------
    fingerprint : uint64
        A fingerprint. A Python integer will do.

    Returns
    -------
    ndarray of bool, shape (8, 8)
        The highest bit stands at the top left.

    Examples
    --------
    >>> bits(0b101)[7].astype(int)
    array([0, 0, 0, 0, 0, 1, 0, 1])
    """
    one = np.array([fingerprint], dtype=np.uint64).astype(">u8")
    return np.unpackbits(one.view(np.uint8)).reshape(8, 8).astype(bool)


def differences(differ: np.ndarray) -> str:
    """Which bits differ, in words: what the crosses on a table of bits show.

    Parameters
    ----------
    differ : ndarray of bool, shape (rows, columns)
        True where a bit differs.

    Returns
    -------
    str
        How many bits differ, and the row and column of each, counted from 1.

    Examples
    --------
    >>> differences(bits(0b101))
    '2 bits differ: row 8, columns 6, 8'
    """
    rows = []
    for row, places in enumerate(differ, start=1):
        columns = [str(column) for column, differs in enumerate(places, start=1) if differs]
        if columns:
            rows.append(f"row {row}, column{'s' * (len(columns) > 1)} {', '.join(columns)}")
    return ": ".join(filter(None, [count_differing(differ), "; ".join(rows)]))


def count_differing(differ: np.ndarray) -> str:
    """How many bits differ, in words.

    Parameters
    ----------
    differ : ndarray of bool
        True where a bit differs.

    Returns
    -------
    str
        Such as ``'2 bits differ'``.

    Examples
    --------
    >>> count_differing(bits(0b101)), count_differing(bits(1)), count_differing(bits(0))
    ('2 bits differ', '1 bit differs', 'no bits differ')
    """
    number = int(differ.sum())
    return f"{count_bits(number)} {'differs' if number == 1 else 'differ'}"


def count_bits(number: int) -> str:
    """A number of bits in words.

    Parameters
    ----------
    number : int
        How many bits there are.

    Returns
    -------
    str
        Such as ``'2 bits'``.

    Examples
    --------
    >>> count_bits(0), count_bits(1), count_bits(2)
    ('no bits', '1 bit', '2 bits')
    """
    return "no bits" if number == 0 else "1 bit" if number == 1 else f"{number} bits"


class Steps:
    """The steps of dHash on one picture.

    Parameters
    ----------
    image : PIL.Image.Image
        The picture, in any mode.

    Attributes
    ----------
    grey : PIL.Image.Image
        Step 1: the picture in grey.
    pixels : ndarray of int, shape (8, 9)
        Step 2: eight rows of nine grey values, from 0 (black) to 255 (white).
    right_minus_left : ndarray of int, shape (8, 8)
        Step 3: each grey value but the first of a row, minus its left neighbour.
    bits : ndarray of bool, shape (8, 8)
        Step 4: whether that difference is above 0.

    Examples
    --------
    >>> bool(Steps(Image.linear_gradient("L").rotate(90)).bits.all())
    True
    """

    def __init__(self, image: Image.Image) -> None:
        self.image = image
        self.grey = image.convert("L")
        self.pixels = np.asarray(self.grey.resize((9, 8), Image.Resampling.LANCZOS)).astype(int)
        self.right_minus_left = self.pixels[:, 1:] - self.pixels[:, :-1]
        self.bits = self.right_minus_left > 0

    @property
    def nearer_half(self) -> np.ndarray:
        """The 32 comparisons that are nearest to a tie: bool, shape (8, 8).

        Of equally near ones those count first that come first in the table.
        """
        order = np.argsort(np.abs(self.right_minus_left), axis=None, kind="stable")
        near = np.zeros(64, dtype=bool)
        near[order[:32]] = True
        return near.reshape(8, 8)
