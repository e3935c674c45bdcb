"""What the microscope computes: the steps of dHash on one picture, what is done to it, and its bits in words."""

from __future__ import annotations

import io
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageEnhance

from helpers import Problem


def bits(fingerprint: np.uint64) -> np.ndarray:
    """The 64 bits as dHash compares them: a row of the table is a row of the picture.

    Parameters
    ----------
    fingerprint : uint64
        A Python integer will do.

    Returns
    -------
    ndarray of bool, shape (8, 8)

    Examples
    --------
    >>> bits(0b101)[7].astype(int)
    array([0, 0, 0, 0, 0, 1, 0, 1])
    """
    one = np.array([fingerprint], dtype=np.uint64).astype(">u8")
    return np.unpackbits(one.view(np.uint8)).reshape(8, 8).astype(bool)


def differences(differ: np.ndarray) -> str:
    """Which bits differ, in words: what the crosses on a grid say.

    Parameters
    ----------
    differ : ndarray of bool, shape (8, 8)

    Returns
    -------
    str

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
    return ": ".join(filter(None, [how_many_differ(differ), "; ".join(rows)]))


def how_many_differ(differ: np.ndarray) -> str:
    """`differences` without their places: ``'2 bits differ'``."""
    number = int(differ.sum())
    return f"{count(number)} {'differs' if number == 1 else 'differ'}"


def count(number: int) -> str:
    """A number of bits in words: ``'no bits'``, ``'1 bit'``, ``'2 bits'``."""
    return "no bits" if number == 0 else "1 bit" if number == 1 else f"{number} bits"


@dataclass(frozen=True)
class Change:
    """What is done to a picture, in this order.

    Attributes
    ----------
    crop : int
        Per cent of width and height cut off at each side.
    turn : int
        Degrees, anticlockwise; the corners become black.
    brightness : int
        Per cent: 100 leaves it.
    quality : int
        Of the JPEG as which it is saved and opened again; 100: it is not saved.
    """

    crop: int = 0
    turn: int = 0
    brightness: int = 100
    quality: int = 100


#: The lowest and highest value of each change, and its label on the page.
LIMITS = {
    "crop": (0, 40, "Cut off each side, %"),
    "turn": (-45, 45, "Turn, degrees"),
    "brightness": (10, 300, "Brightness, %"),
    "quality": (1, 100, "JPEG quality (100: off)"),
}


def changed(image: Image.Image, change: Change) -> Image.Image:
    """A picture after a change.

    Parameters
    ----------
    image : PIL.Image.Image
    change : Change

    Returns
    -------
    PIL.Image.Image
        In RGB.

    Raises
    ------
    Problem
        For a change beyond `LIMITS`.

    Examples
    --------
    >>> changed(Image.new("L", (100, 50)), Change(crop=10)).size
    (80, 40)
    """
    for name, (low, high, _) in LIMITS.items():
        if not low <= getattr(change, name) <= high:
            raise Problem(f"{name}={getattr(change, name)}: it is a number from {low} to {high}")
    image = image.convert("RGB")
    if change.crop:
        left, top = (side * change.crop // 100 for side in image.size)
        image = image.crop((left, top, image.width - left, image.height - top))
    if change.turn:
        image = image.rotate(change.turn, Image.Resampling.BICUBIC)
    if change.brightness != 100:
        image = ImageEnhance.Brightness(image).enhance(change.brightness / 100)
    if change.quality != 100:
        saved = io.BytesIO()
        image.save(saved, "JPEG", quality=change.quality)
        image = Image.open(saved).convert("RGB")
    return image


class Steps:
    """The steps of dHash on one picture.

    Parameters
    ----------
    image : PIL.Image.Image

    Attributes
    ----------
    grey : PIL.Image.Image
    pixels : ndarray of int, shape (8, 9)
        Eight rows of nine grey values.
    right_minus_left : ndarray of int, shape (8, 8)
        What is compared.
    bits : ndarray of bool, shape (8, 8)

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
        """The nearer half of the 64 comparisons: the 32 nearest to a tie, however near that is; of equally near ones the first."""
        order = np.argsort(np.abs(self.right_minus_left), axis=None, kind="stable")
        near = np.zeros(64, dtype=bool)
        near[order[:32]] = True
        return near.reshape(8, 8)
