"""The steps of dHash on one picture; bits, greys and differences as squares, and in words.

Pillow draws the squares in a few milliseconds, so that a page can follow a slider.
"""

from __future__ import annotations

import functools

import numpy as np
from PIL import Image, ImageDraw, ImageFont

#: The orange is of Okabe and Ito's palette, as are the colours of `helpers.classroom.plots`.
ORANGE, GREY = "#D55E00", "#777777"
#: On darker greys white is easier to read, on lighter ones black.
#: On this one both have a contrast of 4.6 to 1.
MIDDLE_GREY = 117
#: Squares are drawn so many times as large as a page shows them: sharp at a zoom of 200 %.
SHARP = 2


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


def bit_squares(
    bits: np.ndarray, marked: np.ndarray | None = None, *, width: int = 200
) -> tuple[Image.Image, str]:
    """Bits as squares, 1 white and 0 black, and what they show in words.

    Parameters
    ----------
    bits : ndarray of bool, shape (rows, columns)
        The bits.
    marked : ndarray of bool, shape (rows, columns), optional
        Where squares get an orange cross, since these bits differ from those of another picture.
    width : int
        How wide it is on a page, in pixels of the page. It is drawn `SHARP` times as wide.

    Returns
    -------
    image : PIL.Image.Image
        In RGB.
    words : str
        Which bits are marked, or that these are the bits of the picture.
    """
    image, pen, side = _squares(np.where(bits, 255, 0), width)
    rows, columns = bits.shape
    for row in range(1, rows):
        pen.line((0, row * side, image.width, row * side), GREY, SHARP)
    for column in range(1, columns):
        pen.line((column * side, 0, column * side, image.height), GREY, SHARP)
    if marked is None:
        return image, "The bits of the picture"
    near, far = side // 4, side - side // 4
    for row, column in np.argwhere(marked) * side:
        pen.line((column + near, row + near, column + far, row + far), ORANGE, side // 6)
        pen.line((column + near, row + far, column + far, row + near), ORANGE, side // 6)
    return image, differences(marked)


def grey_squares(pixels: np.ndarray, *, width: int = 252) -> tuple[Image.Image, str]:
    """Grey values, each written on a square of its grey, and how many there are in words.

    Parameters
    ----------
    pixels : ndarray of int, shape (rows, columns)
        The grey values, from 0 (black) to 255 (white).
    width : int
        How wide it is on a page, in pixels of the page. It is drawn `SHARP` times as wide.

    Returns
    -------
    image : PIL.Image.Image
        In grey.
    words : str
        How many columns and rows there are.
    """
    image, pen, side = _squares(pixels, width)
    for (row, column), value in np.ndenumerate(pixels):
        ink = "black" if value > MIDDLE_GREY else "white"
        _write(pen, side, row + 0.5, column + 0.5, str(value), ink)
    return image.convert("L"), f"{pixels.shape[1]} by {pixels.shape[0]} grey values"


def difference_squares(
    after: np.ndarray, before: np.ndarray, *, width: int = 224
) -> tuple[Image.Image, str]:
    """Differences of neighbours after a change, and which of them got another bit in words.

    Parameters
    ----------
    after : ndarray of int, shape (rows, columns)
        The differences after the change. A bit is 1 if its difference is above 0.
    before : ndarray of int, shape (rows, columns)
        The differences before it. Where the bit is another one, a square has an orange frame and
        shows both: the difference before above the one after.
    width : int
        How wide it is on a page, in pixels of the page. It is drawn `SHARP` times as wide.

    Returns
    -------
    image : PIL.Image.Image
        In RGB.
    words : str
        Row, column and both differences of each frame.
    """
    image, pen, side = _squares(np.full(after.shape, 255), width)
    words = []
    for (row, column), value in np.ndenumerate(after):
        new, old = _signed(value), _signed(before[row, column])
        if (value > 0) == (before[row, column] > 0):
            _write(pen, side, row + 0.5, column + 0.5, new)
            continue
        corner = column * side + SHARP, row * side + SHARP
        opposite = (column + 1) * side - SHARP - 1, (row + 1) * side - SHARP - 1
        pen.rectangle((*corner, *opposite), outline=ORANGE, width=side // 12)
        _write(pen, side, row + 0.31, column + 0.5, old)
        _write(pen, side, row + 0.69, column + 0.5, new)
        words.append(f"row {row + 1}, column {column + 1}: {old}, {new}")
    label = f"{after.shape[1]} by {after.shape[0]} differences of neighbours"
    if words:
        label += f"; where bits differ, before and after: {'; '.join(words)}"
    return image, label


def _squares(greys: np.ndarray, width: int) -> tuple[Image.Image, ImageDraw.ImageDraw, int]:
    """Squares in a thin frame, a pen to draw more, and the side of a square."""
    side = SHARP * width // greys.shape[1]
    pixels = greys.astype(np.uint8).repeat(side, axis=0).repeat(side, axis=1)
    image = Image.fromarray(pixels).convert("RGB")
    pen = ImageDraw.Draw(image)
    pen.rectangle((0, 0, image.width - 1, image.height - 1), outline=GREY, width=SHARP)
    return image, pen, side


def _write(
    pen: ImageDraw.ImageDraw, side: int, row: float, column: float, text: str, ink: str = "black"
) -> None:
    place = round(column * side), round(row * side)
    pen.text(place, text, ink, _font(round(0.4 * side)), anchor="mm")


@functools.cache
def _font(size: int) -> ImageFont.FreeTypeFont:
    return ImageFont.load_default(size)  # it is unpacked anew at each call


def _signed(value: int) -> str:
    return f"{value:+d}" if value else "0"
