"""A second look, at the pixels: whether two pictures with near fingerprints are one picture."""

import numpy as np
from PIL import Image
from skimage.feature import match_template


def correlation(first: Image.Image, second: Image.Image, size: int = 64) -> float:
    """How alike two pictures are, brought to a common size, in grey.

    Parameters
    ----------
    first, second : PIL.Image.Image
    size : int
        Pixels on each side of the common size.

    Returns
    -------
    float
        Pearson's correlation of the grey values, -1 to 1 (the same, but for brightness and contrast). A flat picture
        correlates with nothing: 1 if both are flat and of the same grey, within one part in 255, else 0.

    Examples
    --------
    >>> gradient = Image.linear_gradient("L")
    >>> round(correlation(gradient, gradient.resize((100, 80))), 3)
    1.0
    """
    a, b = (
        np.asarray(picture.convert("L").resize((size, size), Image.Resampling.LANCZOS), dtype=float)
        for picture in (first, second)
    )
    means, deviations = (a.mean(), b.mean()), (a.std(), b.std())
    if min(deviations) < 1:
        return float(max(deviations) < 1 and abs(means[0] - means[1]) <= 1)
    return float(((a - means[0]) * (b - means[1])).mean() / (deviations[0] * deviations[1]))


def find_part(whole: Image.Image, part: Image.Image) -> float:
    """How well one picture fits into another, at the place where it fits best, at the same scale.

    Parameters
    ----------
    whole, part : PIL.Image.Image

    Returns
    -------
    float
        The highest correlation, in grey, of `part` with any window of `whole` of its size; 0 if it is too large.
        It takes a tenth of a second for pictures of 300 x 200 pixels.

    Notes
    -----
    J. P. Lewis, "Fast normalized cross-correlation", Industrial Light & Magic (1995), as in scikit-image.

    Examples
    --------
    >>> whole = Image.radial_gradient("L")
    >>> round(find_part(whole, whole.crop((20, 40, 120, 100))), 3)
    1.0
    """
    if part.width > whole.width or part.height > whole.height:
        return 0.0
    a, b = (np.asarray(picture.convert("L"), dtype=float) for picture in (whole, part))
    return float(match_template(a, b).max())


#: Pixels on the longer side, at most, of the common size at which `difference` compares two pictures.
COMPARED_SIZE = 512

_CONTRAST = 32  # levels of 255, the standard deviation of brightness; less is little


def difference(first: Image.Image, second: Image.Image, size: int = COMPARED_SIZE) -> float:
    """By how much two pictures differ in the place where they differ most.

    Resizing and compressing change every pixel a little; another shot, or another line of text, changes some places a lot. So
    it is the worst place, not the mean over all, that tells look-alikes from copies.

    Parameters
    ----------
    first, second : PIL.Image.Image
    size : int
        Pixels on the longer side of the common size, which is the smaller picture's if that is less.

    Returns
    -------
    float
        Levels of 255: the largest of the differences of mean brightness over 3 x 3 pixels, of twice those over 9 x 9 (where noise
        averages out), and of those of mean colour (Cb or Cr) over 9 x 9, since JPEG keeps colours coarsely. If the brightness of
        one picture has a standard deviation s below 32 levels, times 32 / s: in fog a small difference is a large one.

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
    smaller = min(first.size, second.size, key=lambda sides: (sides[0] * sides[1], sides))
    scale = min(1, size / max(smaller))
    common = tuple(max(9, round(side * scale)) for side in smaller)
    a, b = (
        np.asarray(
            picture.convert("RGB").resize(common, Image.Resampling.LANCZOS).convert("YCbCr"),
            dtype=np.int16,
        )
        for picture in (first, second)
    )
    threes = _sums_of_three(a - b)
    nines = _sums_of_three(threes, step=3)
    fine, coarse = np.abs(threes[..., 0]).max() / 9, np.abs(nines).max(axis=(0, 1)) / 81
    contrast = min(a[..., 0].std(), b[..., 0].std())
    worst = max(fine, 2 * coarse[0], coarse[1], coarse[2])
    return float(worst * max(1, _CONTRAST / max(contrast, 1)))


def _sums_of_three(values: np.ndarray, step: int = 1) -> np.ndarray:
    """Of three values each, `step` apart, down and then across. With step 1 and then 3 they are sums over 9 x 9."""
    down = values[: -2 * step] + values[step:-step] + values[2 * step :]
    return down[:, : -2 * step] + down[:, step:-step] + down[:, 2 * step :]
