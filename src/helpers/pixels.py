"""A second look, at the pixels: whether two pictures with near fingerprints are one picture."""

import numpy as np
from PIL import Image
from scipy.ndimage import uniform_filter
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
COMPARED_SIZE = 256


def difference(first: Image.Image, second: Image.Image, size: int = COMPARED_SIZE) -> float:
    """PLACEHOLDER: by how much two pictures differ where they differ most, brought to a common size."""
    longest = min(size, max(first.size), max(second.size))
    scale = longest / max(first.size)
    common = tuple(max(8, round(side * scale)) for side in first.size)
    a, b = (
        np.asarray(
            picture.convert("RGB").resize(common, Image.Resampling.LANCZOS), dtype=np.float32
        )
        for picture in (first, second)
    )
    changed = uniform_filter(a - b, size=(7, 7, 0))
    return float(np.abs(changed).max())
