"""Several fingerprints of one picture: turned and mirrored, without its border, of its parts.

Who asks with several has several chances to find a copy, and several to be wrong: a gain counts
only at equal false matches. The notes below say what was measured with dHash on CALTECH-101: of 200
pictures, each after the 82 changes of the standard table, how many are found where 1e-5 of the
pairs of different pictures match. By dHash alone it is 0.63 on average. (8,142 pictures: without
BACKGROUND_Google, Faces_easy and Leopards 101 to 200, which are mirrored copies. 116 pairs that are
the same in one of eight orientations, correlation 0.98 or more at 32 x 32 pixels, do not count.)
"""

from __future__ import annotations

from functools import lru_cache
from math import isqrt

import numpy as np
from PIL import Image

from helpers.fingerprints.hashes import DHASH, hash_of, of_shown

#: The eight ways in which a picture may lie, and how Pillow makes them; angles anticlockwise.
ORIENTATIONS = {
    "as it is": None,
    "turned by 90 degrees": Image.Transpose.ROTATE_90,
    "turned by 180 degrees": Image.Transpose.ROTATE_180,
    "turned by 270 degrees": Image.Transpose.ROTATE_270,
    "mirrored left-right": Image.Transpose.FLIP_LEFT_RIGHT,
    "mirrored top-bottom": Image.Transpose.FLIP_TOP_BOTTOM,
    "mirrored at the falling diagonal": Image.Transpose.TRANSPOSE,
    "mirrored at the rising diagonal": Image.Transpose.TRANSVERSE,
}

#: The parts of a picture that `windows` looks at: left, top, right and bottom, in hundredths.
WINDOWS = {
    "whole": (0, 0, 100, 100),
    "centre, 90 %": (5, 5, 95, 95),
    "centre, 80 %": (10, 10, 90, 90),
    "centre, 70 %": (15, 15, 85, 85),
    "upper left, 80 %": (0, 0, 80, 80),
    "upper right, 80 %": (20, 0, 100, 80),
    "lower left, 80 %": (0, 20, 80, 100),
    "lower right, 80 %": (20, 20, 100, 100),
}

#: How far, in levels of 255, a border may be from one grey: as far as JPEG takes it.
TOLERANCE = 12
_SHARE = 0.97  # of a line's pixels that are as near as that; the others are text or noise

#: The parts of a picture that `variants_of` looks at, as `WINDOWS` has them: what is left if all
#: sides are cut, two opposite ones, or one; and four parts of 84 %, between centre and corners.
PARTS = (
    *((3, 3, 97, 97), (7, 7, 93, 93), (11, 11, 89, 89), (10, 0, 90, 100), (0, 10, 100, 90)),
    *((12, 0, 100, 100), (0, 12, 100, 100), (0, 0, 88, 100), (0, 0, 100, 88)),
    *((4, 4, 88, 88), (12, 4, 96, 88), (4, 12, 88, 96), (12, 12, 96, 96)),
)
_GRID = 32  # pixels on each side of what `variants_of` looks at; twice as many for borders


def orientations(picture: Image.Image) -> np.ndarray:
    """The dHash of a picture in all eight orientations, from two thumbnails.

    Parameters
    ----------
    picture : PIL.Image.Image
        The picture, as `helpers.images.opening.open_image` gives it.

    Returns
    -------
    ndarray of uint64, shape (8,)
        In the order of `ORIENTATIONS`.

    Notes
    -----
    dHash compares neighbours in a thumbnail of 9 x 8. Those of the picture turned by 180 degrees
    or mirrored are the same thumbnail, turned or mirrored. The other four come from the thumbnail
    of the picture with rows for columns. Measured on the 9,144 pictures of CALTECH-101: no bit
    differs from the fingerprints of the eight pictures, and it takes a quarter of the time. A
    thumbnail of 8 x 9 of the picture itself would not do. Pillow rounds between across and down:
    up to 5 bits differed, in up to 43 of the 101 pictures of the sample.

    Mean recall rises from 0.63 to 0.68. For pictures turned or mirrored it rises from 0 to 1; for
    the other strengths it falls, by 0.024 at most. Photographs stand upright, so that eight
    orientations match only 1.1 times as many different pictures within 5 bits, and 1.9 times
    within 10. If each picture is turned or mirrored at random first, it is 7 to 8 times at 4 to 8
    bits.

    The idea is that of PDQ, which takes all eight from one transform: Facebook, "The TMK+PDQF
    Video-Hashing Algorithm and the PDQ Image-Hashing Algorithm" (2019).

    Examples
    --------
    >>> [f"{one:016x}"[:4] for one in orientations(Image.linear_gradient("L"))]
    ['0000', 'ffff', '0000', '0000', '0000', '0000', 'ffff', '0000']
    """
    greys = picture.convert("L")
    upright, fallen = (
        np.asarray(one.resize((9, 8), Image.Resampling.LANCZOS))
        for one in (greys, greys.transpose(Image.Transpose.TRANSPOSE))
    )
    return _digits(_eight(upright, fallen)).ravel().astype(np.uint64)


def orientations_of_phash(picture: Image.Image, hash: str = "phash-256") -> np.ndarray:
    """The pHash of a picture in all eight orientations, from one transform.

    Parameters
    ----------
    picture : PIL.Image.Image
        The picture, as `helpers.images.opening.open_image` gives it.
    hash : {"phash", "phash-256"}
        Which one.

    Returns
    -------
    ndarray of uint64, shape (8, words)
        In the order of `ORIENTATIONS`.

    Notes
    -----
    Where a picture is mirrored, every other wave changes its sign; where it has rows for columns,
    its waves have so, too. Of 1,500 pictures of CALTECH-101 no bit of the first differs from the
    pHash that imagehash makes.

    Examples
    --------
    >>> orientations_of_phash(Image.linear_gradient("L")).shape
    (8, 4)
    """
    from scipy.fftpack import dct

    side = isqrt(hash_of(hash).bits)
    grey = picture.convert("L").resize((4 * side, 4 * side), Image.Resampling.LANCZOS)
    waves = dct(dct(np.asarray(grey), axis=0), axis=1)[:side, :side]
    signs = (-1.0) ** np.arange(side)
    across, down = waves * signs, waves * signs[:, None]
    both = across * signs[:, None]
    eight = [waves, across.T, both, down.T, across, down, waves.T, both.T]
    flat = np.array(eight).reshape(8, -1)
    bits = flat > np.median(flat, axis=1, keepdims=True)
    return np.packbits(bits, axis=1).view(">u8").astype(np.uint64)


def _eight(upright: np.ndarray, fallen: np.ndarray) -> list[np.ndarray]:
    """The thumbnails of all orientations, in their order, from two of them."""
    turned = [upright, fallen[::-1], upright[::-1, ::-1], fallen[:, ::-1]]
    mirrored = [upright[:, ::-1], upright[::-1], fallen, fallen[::-1, ::-1]]
    return turned + mirrored


def _digits(thumbnails: list[np.ndarray] | np.ndarray) -> np.ndarray:
    """The dHash of each thumbnail."""
    many = np.asarray(thumbnails)
    bits = many[:, :, 1:] > many[:, :, :-1]
    return np.packbits(bits.reshape(len(many), -1), axis=1).view(">u8")


def without_border(picture: Image.Image, tolerance: int = TOLERANCE) -> Image.Image:
    """A picture without borders of one grey, such as letterboxes and white frames.

    Parameters
    ----------
    picture : PIL.Image.Image
        The picture.
    tolerance : int
        How far, in levels of 255, a pixel of a border may be from the median of its outermost
        line. 3 % of a line may be farther away.

    Returns
    -------
    PIL.Image.Image
        What is left, or the picture itself: if it has no border, or if less than a tenth of a
        side would be left, as of flat pictures.

    Notes
    -----
    Each side is looked at twice, so that a black bar inside a white frame goes as well. A plain sky
    counts as a border too, in a copy as in its original.

    If pictures and queries are cut, mean recall rises from 0.63 to 0.71: from 0.03 to 0.98 for
    white borders, from 0.09 to 0.98 for letterboxes. For noise it falls from 0.96 to 0.71, since a
    plain border with noise is none. If the smaller distance counts, of whole pictures or of cut
    ones, it is 0.73 on average, and 0.95 for noise.

    Examples
    --------
    >>> letterbox = Image.new("L", (90, 80))
    >>> letterbox.paste(Image.radial_gradient("L").resize((90, 60)), (0, 10))
    >>> without_border(letterbox).size
    (90, 60)
    """
    box = inside_border(picture.convert("L"), tolerance)
    return picture if box == (0, 0, *picture.size) else picture.crop(box)


def inside_border(grey: Image.Image, tolerance: int = TOLERANCE) -> tuple[int, int, int, int]:
    """Where a picture lies inside its border, as `without_border` cuts it.

    Parameters
    ----------
    grey : PIL.Image.Image
        The picture, in grey.
    tolerance : int
        As for `without_border`.

    Returns
    -------
    tuple of int
        Left, top, right and bottom, in pixels; all of the picture if it has no border.

    Examples
    --------
    >>> inside_border(Image.new("L", (90, 80)))
    (0, 0, 90, 80)
    """
    greys = np.asarray(grey, dtype=np.int16)
    left, top, right, bottom = whole = 0, 0, *grey.size
    for _ in range(2):
        top += _count_border(greys[top:bottom, left:right], tolerance)
        bottom -= _count_border(greys[top:bottom, left:right][::-1], tolerance)
        left += _count_border(greys[top:bottom, left:right].T, tolerance)
        right -= _count_border(greys[top:bottom, left:right].T[::-1], tolerance)
        if 10 * (right - left) < grey.width or 10 * (bottom - top) < grey.height:
            return whole
        if (left, top, right, bottom) == whole:
            break
    return left, top, right, bottom


def _count_border(greys: np.ndarray, tolerance: int) -> int:
    """How many lines from the top are of one grey."""
    if not greys.size:
        return 0
    line = np.sort(greys[0])
    level = (line[(line.size - 1) // 2] + line[line.size // 2]) // 2  # np.median takes longer
    if np.count_nonzero(np.abs(line - level) <= tolerance) < _SHARE * line.size:
        return 0  # as most are
    near = np.abs(greys - level) <= tolerance
    is_border = np.append(near.mean(axis=1) >= _SHARE, False)
    return int(np.argmin(is_border))


def windows(picture: Image.Image, hash: str = DHASH) -> np.ndarray:
    """The fingerprints of a picture and of seven parts of it.

    A picture that got a border, or lies in a larger one, may be found by a part of it.

    Parameters
    ----------
    picture : PIL.Image.Image
        The picture, as `helpers.images.opening.open_image` gives it.
    hash : str
        The name of the hash: one of `helpers.fingerprints.hashes.HASHES`.

    Returns
    -------
    ndarray of uint64, shape (8,) or (8, words)
        In the order of `WINDOWS`.

    Raises
    ------
    Problem
        If there is no such hash.

    Notes
    -----
    If a query asks with all eight, mean recall rises from 0.63 to 0.69: from 0.03 to 0.90 for white
    borders, but only from 0.09 to 0.17 for letterboxes, since no window has their shape. They match
    1.2 times as many different pictures within 5 bits, and 1.4 times within 10.

    Examples
    --------
    >>> windows(Image.linear_gradient("L"), "dhash-both").shape
    (8, 2)
    """
    boxes = [
        tuple(round(end * side / 100) for end, side in zip(box, 2 * picture.size, strict=True))
        for box in WINDOWS.values()
    ]
    return np.array([of_shown(picture.crop(box), hash) for box in boxes])


def variants_of(picture: Image.Image) -> str:
    """The dHashes of a picture turned and mirrored, of its parts, and without its border.

    Parameters
    ----------
    picture : PIL.Image.Image
        The picture. A small one will do: a draft of 144 x 128 pixels.

    Returns
    -------
    str
        16 hexadecimal digits each, of: the eight of `orientations`, in their order; each of
        `PARTS`, as it is and mirrored at the falling diagonal; and, if the picture has a border,
        what is left without it, in the same two ways.

    Notes
    -----
    All of them come from one picture of 32 x 32 pixels, and so may differ by a bit or two from
    those of the picture itself. A part in two ways is compared in 128 bits: where as many copies
    are found, far fewer different pictures match than in 64.

    Examples
    --------
    >>> len(variants_of(Image.radial_gradient("L"))) // 16 == 8 + 2 * len(PARTS)
    True
    """
    grid = picture.convert("L").resize((2 * _GRID, 2 * _GRID), Image.Resampling.BOX)
    levels = np.asarray(grid.reduce(2), dtype=np.float32)
    upright, fallen = _two_thumbnails(levels, ((0, 0, 100, 100), *PARTS))
    parts = np.stack([upright, fallen], axis=1)[1:].reshape(-1, 8, 9)
    thumbnails = np.concatenate([_eight(upright[0], fallen[0]), parts])
    left, top, right, bottom = inside_border(grid)
    if (left, top, right, bottom) != (0, 0, *grid.size):
        # without the lines in which the border and the picture are mixed
        first = left + bool(left), top + bool(top)
        last = right - (right < grid.width), bottom - (bottom < grid.height)
        cut = tuple(end * 100 / grid.width for end in first + last)
        thumbnails = np.concatenate([thumbnails, *_two_thumbnails(levels, (cut,))])
    return _digits(thumbnails).tobytes().hex()


def _two_thumbnails(levels: np.ndarray, boxes: tuple[tuple, ...]) -> list[np.ndarray]:
    """Thumbnails of 9 x 8 of parts of a picture, as they are and with rows for columns."""
    rows_of_8, rows_of_9, columns_of_8, columns_of_9 = _weights(boxes)
    upright = np.rint(rows_of_8 @ levels @ columns_of_9)
    return [upright, np.rint(rows_of_9 @ levels @ columns_of_8).swapaxes(1, 2)]


@lru_cache(maxsize=256)
def _weights(boxes: tuple[tuple, ...]) -> list[np.ndarray]:
    """How Pillow weighs rows and columns where it reduces them to 8 or 9, for several parts."""
    each = Image.fromarray(np.eye(_GRID, dtype=np.float32))

    def weights(start: float, end: float, count: int) -> np.ndarray:
        box = (0, start * _GRID / 100, _GRID, end * _GRID / 100)
        return np.asarray(each.resize((_GRID, count), Image.Resampling.LANCZOS, box=box))

    rows = [np.stack([weights(top, low, n) for _, top, _, low in boxes]) for n in (8, 9)]
    columns = [np.stack([weights(left, end, n).T for left, _, end, _ in boxes]) for n in (8, 9)]
    return rows + columns
