"""A second look, at the pixels: whether two pictures with near fingerprints are one picture."""

import base64
from collections.abc import Iterator, Sequence
from functools import cache
from hashlib import shake_256

import numpy as np
from PIL import Image


def correlation(first: Image.Image, second: Image.Image, size: int = 64) -> float:
    """How alike two pictures are, brought to a common size, in grey.

    Parameters
    ----------
    first, second : PIL.Image.Image
        The two pictures, of any size.
    size : int
        Pixels on each side of the common size.

    Returns
    -------
    float
        Pearson's correlation of the grey values, -1 to 1 (the same, but for brightness and
        contrast). A flat picture correlates with nothing: 1 if both are flat and of the same
        grey, within one part in 255, else 0.

    Examples
    --------
    >>> gradient = Image.linear_gradient("L")
    >>> round(correlation(gradient, gradient.resize((100, 80))), 3)
    1.0
    """
    a, b = greys(first, size), greys(second, size)
    return float(correlations(a, b[np.newaxis])[0])


def greys(picture: Image.Image, size: int = 64) -> np.ndarray:
    """What `correlation` looks at.

    Parameters
    ----------
    picture : PIL.Image.Image
        The picture, of any size.
    size : int
        Pixels on each side.

    Returns
    -------
    ndarray of uint8, shape (size * size,)
        Grey levels, row by row.

    Examples
    --------
    >>> greys(Image.new("RGB", (90, 80), "white"), size=2)
    array([255, 255, 255, 255], dtype=uint8)
    """
    small = picture.convert("L").resize((size, size), Image.Resampling.LANCZOS)
    return np.asarray(small, dtype=np.uint8).ravel()


def correlations(one: np.ndarray, many: np.ndarray) -> np.ndarray:
    """The `correlation` of one picture with each of many.

    Parameters
    ----------
    one : ndarray, shape (n,)
        From `greys`.
    many : ndarray, shape (pictures, n)
        From `greys`, a row a picture.

    Returns
    -------
    ndarray of float, shape (pictures,)
        See `correlation`. Sums of whole numbers are exact, so that no result depends on how many
        pictures there are.

    Examples
    --------
    >>> one = greys(Image.linear_gradient("L"))
    >>> correlations(one, np.stack([one, 255 - one])).round(3).tolist()
    [1.0, -1.0]
    """
    a, b, n = one.astype(float), many.astype(float), len(one)
    sums = a.sum(), b.sum(axis=1)
    spread = n * (a @ a) - sums[0] ** 2, n * (b * b).sum(axis=1) - sums[1] ** 2  # n * n * variance
    flat = spread[0] < n * n, spread[1] < n * n
    same_grey = flat[0] & flat[1] & (np.abs(sums[0] - sums[1]) <= n)
    product = np.sqrt(np.maximum(spread[0], 1) * np.maximum(spread[1], 1))
    return np.where(flat[0] | flat[1], same_grey, (n * (b @ a) - sums[0] * sums[1]) / product)


def sketch(picture: Image.Image) -> str:
    """A few numbers by which the nearest of many pictures are found without opening them.

    Parameters
    ----------
    picture : PIL.Image.Image
        The picture, of any size.

    Returns
    -------
    str
        64 whole numbers of 16 bits, little-endian, in base64. Each is the sum of what `greys`
        gives, about half of it (always the same half) with a minus. So the Euclidean distance of
        two sketches is about 8 times that of the greys (W. B. Johnson and J. Lindenstrauss, 1984).

    Examples
    --------
    >>> len(base64.b64decode(sketch(Image.linear_gradient("L"))))
    128
    """
    sums = greys(picture).astype(np.float32) @ _signs()  # whole numbers, so no order matters
    numbers = sums.clip(-(2**15), 2**15 - 1).astype("<i2")
    return base64.b64encode(numbers.tobytes()).decode()


@cache
def _signs() -> np.ndarray:
    bits = np.frombuffer(shake_256(b"signs").digest(64 * 64 * 64 // 8), dtype=np.uint8)
    return np.unpackbits(bits).reshape(-1, 64) * np.float32(2) - 1


_SEARCHED_SIZE = 1024  # pixels on the longer side, in which a part is looked for


def find_part(whole: Image.Image, part: Image.Image) -> float:
    """How well one picture fits into another, at the place where it fits best, at the same scale.

    Parameters
    ----------
    whole, part : PIL.Image.Image
        The picture to look in, and the picture to look for.

    Returns
    -------
    float
        The highest correlation, in grey, of `part` with any window of `whole` of its size; 0 if
        it is too large. It takes a tenth of a second for pictures of 300 x 200 pixels.
        If `whole` is larger than 1,024 pixels, both are reduced by one factor.

    Notes
    -----
    The method is that of J. P. Lewis, "Fast normalized cross-correlation", Industrial Light & Magic
    (1995), as scikit-image has it.

    Examples
    --------
    >>> whole = Image.radial_gradient("L")
    >>> round(find_part(whole, whole.crop((20, 40, 120, 100))), 3)
    1.0
    """
    from skimage.feature import match_template  # only here is it needed

    if part.width > whole.width or part.height > whole.height:
        return 0.0
    step = max(1, max(whole.size) / _SEARCHED_SIZE)
    sizes = [[max(1, round(side / step)) for side in picture.size] for picture in (whole, part)]
    small = [one.convert("L").resize(size) for one, size in zip((whole, part), sizes, strict=True)]
    a, b = (np.asarray(picture, dtype=float) for picture in small)
    return float(match_template(a, b).max())


#: Pixels on the longer side, at most, of the common size at which `difference` compares two
#: pictures, unless it is asked for more.
COMPARED_SIZE = 512

_CONTRAST = 32  # levels of 255, the standard deviation of brightness; less is little
# pixels on each side that are compared at a time; what fits into `COMPARED_SIZE` is one tile
_TILE = 512


#: A picture as it is compared: its brightness and its two colours (Y, Cb, Cr).
Planes = tuple[Image.Image, Image.Image, Image.Image]


def planes_of(picture: Image.Image | Planes, size: int | None = None) -> Planes:
    """The brightness and the two colours of a picture, so that they are told apart only once.

    Parameters
    ----------
    picture : PIL.Image.Image or tuple
        The picture, or its planes.
    size : int, optional
        Pixels on the longer side, at most; otherwise it stays as large as it is.

    Returns
    -------
    tuple of three PIL.Image.Image
        In mode L and of one size: Y, Cb, Cr.

    Examples
    --------
    >>> [plane.size for plane in planes_of(Image.new("RGB", (1000, 800)), 100)]
    [(100, 80), (100, 80), (100, 80)]
    """
    if isinstance(picture, Image.Image):
        if picture.mode not in ("RGB", "YCbCr"):
            picture = picture.convert("RGB")
        picture = (picture if picture.mode == "YCbCr" else picture.convert("YCbCr")).split()
    full = picture[0].size
    small = common_size(full, full, size)
    return _scaled(picture, small, (0, 0, *full), reducing_gap=2) if size else picture


def _scaled(planes: Planes, size: tuple[int, int], box: Sequence[float], **about: int) -> Planes:
    """A box of a picture, brought to a size. Colours, which are compared coarsely, less exactly."""
    ways = Image.Resampling.LANCZOS, Image.Resampling.BILINEAR, Image.Resampling.BILINEAR
    both = zip(planes, ways, strict=True)
    return tuple(plane.resize(size, way, tuple(box), **about) for plane, way in both)


def difference(
    first: Image.Image | Planes, second: Image.Image | Planes, size: int | None = COMPARED_SIZE
) -> float:
    """By how much two pictures differ in the place where they differ most.

    Resizing and compressing change every pixel a little; another shot, or another line of text,
    changes some places a lot. So it is the worst place, not the mean over all, that tells
    look-alikes from copies.

    Parameters
    ----------
    first, second : PIL.Image.Image or tuple
        The two pictures, of any size, or their planes; see `planes_of`.
    size : int or None
        Pixels on the longer side of the common size. It is the smaller picture's size if that is
        less, or if this is None. What is too small to be seen at the common size is not seen: a
        digit on a page, at 512 pixels.

    Returns
    -------
    float
        The largest of three differences, in levels of 255:

        - of mean brightness over 3 x 3 pixels;
        - twice that of mean brightness over 9 x 9 pixels, where noise averages out;
        - of mean colour (Cb or Cr) over 9 x 9 pixels, since JPEG keeps colours coarsely.

        If the brightness of one picture has a standard deviation s below 32 levels, this is
        multiplied by 32 / s: in fog a small difference is a large one. So it may pass 255.

    Notes
    -----
    Large pictures are compared in tiles that overlap by 8 pixels, so that little memory is needed
    beside the pictures themselves.

    Examples
    --------
    >>> gradient = Image.linear_gradient("L")
    >>> difference(gradient, gradient.resize((300, 200))) < 2
    True
    >>> marked = gradient.copy()
    >>> marked.paste(255, (40, 40, 46, 46))
    >>> round(difference(gradient, marked))
    214
    """
    first, second = planes_of(first), planes_of(second)
    common = common_size(first[0].size, second[0].size, size)
    worst, counts = 0.0, np.zeros((2, 256), dtype=np.int64)
    for box in _tiles(common):
        parts = [_part(picture, common, box) for picture in (first, second)]
        worst = max([worst, *_worst_of(*parts, worst)])
        # without what the next tile has too
        own = [box[end] if box[end] == common[end - 2] else box[end] - 8 for end in (2, 3)]
        inner = (0, 0, own[0] - box[0], own[1] - box[1])
        counts += [brightness.crop(inner).histogram() for brightness, *_ in parts]
    return float(worst * _for_contrast(*map(_deviation, counts)))


def _worst_of(
    first: Sequence[Image.Image], second: Sequence[Image.Image], so_far: float
) -> Iterator:
    """The differences of two parts that may be more than what was found so far.

    A mean is at most what it is a mean of, so most sums over 9 x 9 pixels are not needed.
    """
    for weight, one, other in zip((2, 1, 1), first, second, strict=True):
        differs = np.subtract(one, other, dtype=np.int16)
        if weight * _largest(differs) <= so_far:
            continue
        threes = _sums_of_three(differs)
        most = _largest(threes) / 9
        if weight == 2:
            yield most
        if weight * most > so_far:
            yield weight * _largest(_sums_of_three(threes, step=3)) / 81


def _largest(values: np.ndarray) -> int:
    return max(int(values.max()), -int(values.min()))


def mean_levels(picture: Image.Image | Planes, parts: int = 1) -> np.ndarray:
    """The mean brightness and the two mean colours of a picture, which a filter changes.

    `difference` does not see that: a filter that makes a picture warmer changes every place a
    little, and none a lot. Nor does it see it if a shirt that fills a part of the picture is the
    same but in another blue.

    Parameters
    ----------
    picture : PIL.Image.Image or tuple
        The picture, of any size, or its planes; see `planes_of`.
    parts : int
        Into how many parts it is divided, across and down.

    Returns
    -------
    ndarray of float, shape (parts, parts, 3)
        Brightness and two colours (Y, Cb, Cr), in levels of 255.

    Notes
    -----
    Measured on 300 pictures of CALTECH-101, at 512 pixels at most (in brackets: on 4 photographs
    of scikit-image):

    - Halving and saving at JPEG quality 25, 50 or 85 moves none by more than 2.0 (0.55) in one of
      the three.
    - A warm filter (18 levels more red, 22 less blue) moves each by 8.2 (11.2) or more.
    - Saved at quality 25 to 85, halved or not, 99 % are moved by no more than 4.2 in any of 6 x 6
      parts, and none by more than 6.2.

    Examples
    --------
    >>> mean_levels(Image.new("RGB", (90, 80), "white")).tolist()
    [[[255.0, 128.0, 128.0]]]
    """
    planes = [plane.convert("F") for plane in planes_of(picture)]
    small = [plane.resize((parts, parts), Image.Resampling.BOX) for plane in planes]
    return np.stack(small, axis=-1).astype(float)


def common_size(
    first: tuple[int, int], second: tuple[int, int], size: int | None = COMPARED_SIZE
) -> tuple[int, int]:
    """The width and height at which `difference` compares two pictures.

    Parameters
    ----------
    first, second : (int, int)
        Their widths and heights.
    size : int or None
        Pixels on its longer side, as for `difference`.

    Returns
    -------
    (int, int)
        In pixels, at least 9 on each side.

    Examples
    --------
    >>> common_size((4000, 3000), (1024, 768)), common_size((4000, 3000), (1024, 768), size=None)
    ((512, 384), (1024, 768))
    """
    smaller = min(first, second, key=lambda sides: (sides[0] * sides[1], sides))
    scale = min(1, size / max(smaller)) if size else 1
    return tuple(max(9, round(side * scale)) for side in smaller)


def _tiles(size: tuple[int, int]) -> list[tuple[int, int, int, int]]:
    """Boxes of which each square of 9 x 9 pixels lies in one."""
    width, height = size
    return [
        (left, top, min(left + _TILE + 8, width), min(top + _TILE + 8, height))
        for top in range(0, max(height - 8, 1), _TILE)
        for left in range(0, max(width - 8, 1), _TILE)
    ]


def _part(planes: Planes, common: tuple[int, int], box: tuple[int, int, int, int]) -> Planes:
    """What is in a box of the picture, brought to the common size."""
    full = planes[0].size
    if full == common:
        return tuple(plane.crop(box) for plane in planes)
    inside = [min(box[end] * full[end % 2] / common[end % 2], full[end % 2]) for end in range(4)]
    return _scaled(planes, (box[2] - box[0], box[3] - box[1]), inside)


def _deviation(counts: np.ndarray) -> float:
    """The standard deviation of levels 0 to 255 of which there are so many each."""
    number, levels = counts.sum(), np.arange(256)
    mean = (counts * levels).sum() / number
    return float(np.sqrt((counts * (levels - mean) ** 2).sum() / number))


def _for_contrast(*deviations: float) -> float:
    return max(1, _CONTRAST / max(min(deviations), 1))


def _sums_of_three(values: np.ndarray, step: int = 1) -> np.ndarray:
    """Sums of three values, `step` apart, down and then across.

    With step 1 and then 3 they are sums over 9 x 9.
    """
    down = values[: -2 * step] + values[step:-step]
    down += values[2 * step :]
    sums = down[:, : -2 * step] + down[:, step:-step]
    sums += down[:, 2 * step :]
    return sums
