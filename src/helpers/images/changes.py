"""What happens to pictures on their way from one person to another: one table of changes.

A change has a name, one or more strengths and, where it draws something, a seed. `CHANGES` holds
all of them, and `change` applies one. All work in RGB; sizes are rounded and are at least 1 pixel;
resizing uses Lanczos, turning by an angle is bicubic and anticlockwise.

The functions with a number for a strength (`resized`, `as_jpeg`, `cut_off`, `turned`,
`brightened`) serve where somebody chooses the number: in a chapter, or under the microscope.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from zlib import crc32

import numpy as np
from PIL import Image, ImageDraw, ImageEnhance, ImageFilter, ImageOps

from helpers import Problem


@dataclass(frozen=True)
class Change:
    """One row of the table: something that happens to pictures.

    Parameters
    ----------
    name : str
        What it is called everywhere.
    strengths : mapping of str to object
        The name of each strength, with its unit, and the value that `function` gets for it. For a
        pair (lowest, highest) it gets a number between the two, drawn evenly for each picture.
    exactly : str
        What is done, so exactly that somebody else can do the same.
    function : callable
        Takes the picture in RGB, the value of the strength and a random generator; gives the new
        picture. It leaves the picture that it was given as it is.
    """

    name: str
    strengths: Mapping[str, object]
    exactly: str
    function: Callable[[Image.Image, object, np.random.Generator], Image.Image]


def resized(image: Image.Image, x: float, y: float | None = None) -> Image.Image:
    """A picture with its sides times a factor.

    Parameters
    ----------
    image : PIL.Image.Image
        The picture; its mode is kept.
    x : float
        The factor of the width, above 0.
    y : float, optional
        The factor of the height; the same as `x` if left out.

    Returns
    -------
    PIL.Image.Image
        The picture in its new size. Sides are rounded and are at least 1 pixel long.

    Examples
    --------
    >>> resized(Image.new("RGB", (100, 50)), 0.5).size
    (50, 25)
    """
    y = x if y is None else y
    size = max(1, round(image.width * x)), max(1, round(image.height * y))
    return image.resize(size, Image.Resampling.LANCZOS)


def as_jpeg(image: Image.Image, quality: int) -> Image.Image:
    """A picture saved as JPEG and opened again.

    Parameters
    ----------
    image : PIL.Image.Image
        The picture, in RGB or grey.
    quality : int
        1 to 100. Everything else is as Pillow does it by default.

    Returns
    -------
    PIL.Image.Image
        The picture in RGB, with the marks that the compression left.

    Examples
    --------
    >>> as_jpeg(Image.new("RGB", (100, 50)), 10).size
    (100, 50)
    """
    saved = io.BytesIO()
    image.save(saved, format="jpeg", quality=quality)
    return Image.open(saved).convert("RGB")


def cut_off(
    image: Image.Image, percent: float, rounded: Callable[[float], int] = round
) -> Image.Image:
    """A picture without a border, which is the same share of width and of height at each side.

    Parameters
    ----------
    image : PIL.Image.Image
        The picture; its mode is kept.
    percent : float
        Per cent of the width that go at the left and again at the right, and of the height that go
        at the top and again at the bottom. At least 1 pixel stays.
    rounded : callable
        Makes pixels whole. The table rounds; the microscope takes `math.floor`, as it always did.

    Returns
    -------
    PIL.Image.Image
        The part that stays.

    Examples
    --------
    >>> cut_off(Image.new("RGB", (100, 50)), 10).size
    (80, 40)
    """
    left, top = (min(rounded(side * percent / 100), (side - 1) // 2) for side in image.size)
    return image.crop((left, top, image.width - left, image.height - top))


def turned(image: Image.Image, degrees: float) -> Image.Image:
    """A picture turned within its frame: its size stays, and the corners become black.

    Parameters
    ----------
    image : PIL.Image.Image
        The picture; its mode is kept.
    degrees : float
        The angle, anticlockwise.

    Returns
    -------
    PIL.Image.Image
        The turned picture, with the size of the old one.

    Examples
    --------
    >>> turned(Image.new("RGB", (100, 50), "white"), 45).getpixel((0, 0))
    (0, 0, 0)
    """
    return image.rotate(degrees, Image.Resampling.BICUBIC)


def brightened(image: Image.Image, factor: float) -> Image.Image:
    """A picture with every value times one factor; what would be beyond white is white.

    Parameters
    ----------
    image : PIL.Image.Image
        The picture, in RGB or grey.
    factor : float
        Below 1 the picture becomes darker, above 1 brighter.

    Returns
    -------
    PIL.Image.Image
        The picture in its new light.

    Examples
    --------
    >>> brightened(Image.new("RGB", (1, 1), (200, 100, 0)), 1.5).getpixel((0, 0))
    (255, 150, 0)
    """
    return ImageEnhance.Brightness(image).enhance(factor)


def _stretched(image: Image.Image, factor: float | None, rng: np.random.Generator) -> Image.Image:
    if factor is None:
        return image.resize((256, 256), Image.Resampling.LANCZOS)
    return resized(image, factor, 1)


def _cut_unevenly(image: Image.Image, most: float, rng: np.random.Generator) -> Image.Image:
    left, top, right, bottom = rng.uniform(0, most / 100, 4)
    box = (
        int(left * image.width),
        int(top * image.height),
        max(int(left * image.width) + 1, round((1 - right) * image.width)),
        max(int(top * image.height) + 1, round((1 - bottom) * image.height)),
    )
    return image.crop(box)


def _with_band(image: Image.Image, text: str, rng: np.random.Generator) -> Image.Image:
    marked = image.copy()
    width, height = max(1, image.width // 3), max(1, image.height // 8)
    left = 0 if rng.random() < 0.5 else image.width - width
    top = 0 if rng.random() < 0.5 else image.height - height
    draw = ImageDraw.Draw(marked)
    draw.rectangle((left, top, left + width - 1, top + height - 1), fill="white")
    draw.text((left + width // 10, top + height // 4), text, fill="black")
    return marked


def _factors(*factors: float) -> dict[str, float]:
    return {f"x {factor}": factor for factor in factors}


#: Name -> change. A new one goes here and nowhere else; tests/images/test_changes.py tries all.
CHANGES = {
    change.name: change
    for change in (
        Change(
            "none",
            {"as it is": None},
            "the pixels again",
            lambda image, _, rng: image.copy(),
        ),
        Change(
            "jpeg",
            {f"quality {quality}": quality for quality in (95, 75, 50, 20, 10)}
            | {"quality 20 to 60": (20, 60)},
            "saved as JPEG, with Pillow's defaults otherwise, and opened again",
            lambda image, quality, rng: as_jpeg(image, quality),
        ),
        Change(
            "resize",
            _factors(0.5, 0.25, 2.0) | {"x 0.5 to 1.5": (0.5, 1.5)},
            "both sides times one factor",
            lambda image, factor, rng: resized(image, factor),
        ),
        Change(
            "stretch width",
            _factors(0.75, 1.33) | {"to square": None},
            "the width times a factor; the square has 256 x 256 pixels",
            _stretched,
        ),
        Change(
            "crop each side",
            {f"{percent} %": percent for percent in (1, 2, 5, 10, 20)},
            "at each side, this share of the width or of the height is cut off",
            lambda image, percent, rng: cut_off(image, percent),
        ),
        Change(
            "crop unevenly",
            {"up to 5 %": 5},
            "at each side, a share of the width or of the height is cut off; each is drawn evenly",
            _cut_unevenly,
        ),
        Change(
            "rotate, black corners",
            {"1 degree": 1} | {f"{degrees} degrees": degrees for degrees in (2, 4, 10)},
            "turned anticlockwise within the frame; the size is kept",
            lambda image, degrees, rng: turned(image, degrees),
        ),
        Change(
            "turn",
            {
                "90 degrees": Image.Transpose.ROTATE_90,
                "180 degrees": Image.Transpose.ROTATE_180,
            },
            "turned anticlockwise, frame and all",
            lambda image, method, rng: image.transpose(method),
        ),
        Change(
            "mirror",
            {"left-right": ImageOps.mirror, "top-bottom": ImageOps.flip},
            "these two sides exchanged",
            lambda image, exchange, rng: exchange(image),
        ),
        Change(
            "blur",
            {f"sigma {sigma}": sigma for sigma in (1, 2, 4)},
            "Pillow's GaussianBlur, sigma in pixels",
            lambda image, sigma, rng: image.filter(ImageFilter.GaussianBlur(sigma)),
        ),
        Change(
            "brightness",
            _factors(0.5, 0.8, 1.25, 1.5) | {"x 1.1 to 1.5": (1.1, 1.5)},
            "every value times one factor; what would be beyond white is white",
            lambda image, factor, rng: brightened(image, factor),
        ),
        Change(
            "contrast",
            _factors(0.5, 0.75, 1.5),
            "the distance of every value from the picture's mean grey, times a factor",
            lambda image, factor, rng: ImageEnhance.Contrast(image).enhance(factor),
        ),
        Change(
            "saturation",
            _factors(0, 2),
            "the distance of every pixel from its own grey, times a factor",
            lambda image, factor, rng: ImageEnhance.Color(image).enhance(factor),
        ),
        Change(
            "invert",
            {"all channels": None},
            "255 minus every value",
            lambda image, _, rng: ImageOps.invert(image),
        ),
        Change(
            "watermark",
            {"white band in a corner": "(c) someone"},
            "a white band with black text, a third of the width and an eighth of the height, "
            "in one of the four corners, drawn evenly",
            _with_band,
        ),
    )
}

#: Name -> change and strength: the seven forms in which a picture comes back in chapters 7 and 9.
FORMS = {
    "as it is": ("none", "as it is"),
    "resized": ("resize", "x 0.5 to 1.5"),
    "recompressed": ("jpeg", "quality 20 to 60"),
    "cropped": ("crop unevenly", "up to 5 %"),
    "brightened": ("brightness", "x 1.1 to 1.5"),
    "watermarked": ("watermark", "white band in a corner"),
    "mirrored": ("mirror", "left-right"),
}


def change(
    image: Image.Image,
    name: str,
    strength: str | None = None,
    seed: int | Sequence[int] = 0,
    *,
    path: str | None = None,
) -> Image.Image:
    """A picture after one change.

    Parameters
    ----------
    image : PIL.Image.Image
        The picture, in any mode. It stays as it is.
    name : str
        One of `CHANGES`.
    strength : str, optional
        One of the change's strengths; needed only if it has more than one.
    seed : int or sequence of int
        0 or more. Same picture, name, strength, seed and path: same pixels.
    path : str, optional
        The picture's path in its dataset, if each picture is to draw for itself. Then the seed is
        one number, that of the run, and what is drawn depends neither on the other pictures nor
        on the other changes of the run.

    Returns
    -------
    PIL.Image.Image
        A new picture, in RGB.

    Raises
    ------
    Problem
        If there is no such change or strength; the sentence lists those that there are.

    Notes
    -----
    With a path the random generator starts from three numbers: the seed, the CRC-32 of the path
    and the CRC-32 of ``name/strength``, both in UTF-8.

    Examples
    --------
    >>> picture = Image.linear_gradient("L").rotate(90)
    >>> change(picture, "mirror", "left-right").getpixel((0, 0))
    (255, 255, 255)
    """
    if name not in CHANGES:
        raise Problem(f"no change is called {name!r}; choose one of: {', '.join(CHANGES)}")
    one = CHANGES[name]
    if strength is None and len(one.strengths) == 1:
        (strength,) = one.strengths
    if strength not in one.strengths:
        raise Problem(
            f"the change {name!r} has no strength {strength!r}; "
            f"choose one of: {', '.join(one.strengths)}"
        )
    if path is not None:
        place = crc32(path.encode("utf-8", "surrogateescape"))
        seed = [seed, place, crc32(f"{name}/{strength}".encode())]
    rng = np.random.default_rng(seed)
    value = one.strengths[strength]
    if isinstance(value, tuple):
        low, high = value
        whole = isinstance(low, int)
        value = int(rng.integers(low, high + 1)) if whole else rng.uniform(low, high)
    return one.function(image.convert("RGB"), value, rng)
