"""What the table of changes does to pixels: each function makes a new picture of a picture in RGB.

The functions with a number for a strength (`resized`, `as_jpeg`, `cut_off`, `turned`,
`brightened`) also serve where somebody chooses the number: in a chapter, or under the microscope.
What is drawn at random comes from the generator that is given, and from nothing else. Pictures of
18 million pixels are worked on in bands, so that their floating-point values take little memory.
"""

from __future__ import annotations

import io
import math
from collections.abc import Callable
from functools import lru_cache

import numpy as np
from PIL import Image, ImageDraw, ImageEnhance, ImageFont, ImageOps

#: What watermarks and captions say.
TEXT = "SAMPLE TEXT"
_BAND_PIXELS = 2**18  # that are worked on at a time


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
    return saved(image, "JPEG", quality)


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


def saved(image: Image.Image, format: str, quality: int) -> Image.Image:
    """A picture saved with losses and opened again.

    Parameters
    ----------
    image : PIL.Image.Image
        The picture, in RGB or grey.
    format : str
        ``JPEG`` or ``WEBP``.
    quality : int
        1 to 100. Everything else is as Pillow does it by default.

    Returns
    -------
    PIL.Image.Image
        The picture in RGB.

    Examples
    --------
    >>> saved(Image.new("RGB", (100, 50)), "WEBP", 50).size
    (100, 50)
    """
    file = io.BytesIO()
    image.save(file, format=format, quality=quality)
    return Image.open(file).convert("RGB")


def padded(image: Image.Image, across: float, along: float, colour: str) -> Image.Image:
    """A picture with a border of one colour outside of it.

    Parameters
    ----------
    image : PIL.Image.Image
        The picture; its mode is kept.
    across, along : float
        Per cent of the width at the left and again at the right, and of the height at the top and
        again at the bottom.
    colour : str
        Any colour of Pillow.

    Returns
    -------
    PIL.Image.Image
        The larger picture.

    Examples
    --------
    >>> padded(Image.new("RGB", (100, 50)), 0, 10, "black").size
    (100, 60)
    """
    border = round(image.width * across / 100), round(image.height * along / 100)
    return ImageOps.expand(image, border, colour)


def turned_inside(image: Image.Image, degrees: float) -> Image.Image:
    """The largest upright window of a turned picture that holds none of the black corners.

    Parameters
    ----------
    image : PIL.Image.Image
        The picture; its mode is kept.
    degrees : float
        The angle, anticlockwise, 0 to 45.

    Returns
    -------
    PIL.Image.Image
        A smaller picture from the middle, of at least 1 pixel.

    Notes
    -----
    The window has the largest area. Of a long picture it touches the two long sides only.

    Examples
    --------
    >>> turned_inside(Image.new("RGB", (120, 80)), 4).size
    (114, 72)
    """
    sine, cosine = math.sin(math.radians(degrees)), math.cos(math.radians(degrees))
    width, height = image.size
    if min(width, height) <= 2 * sine * cosine * max(width, height):
        inner = min(width, height) / 2 / sine, min(width, height) / 2 / cosine
        inner = inner if width >= height else inner[::-1]
    else:
        inner = width * cosine - height * sine, height * cosine - width * sine
        inner = tuple(side / (cosine**2 - sine**2) for side in inner)
    left, top = (
        min(math.ceil((side - kept) / 2), (side - 1) // 2)
        for side, kept in zip(image.size, inner, strict=True)
    )
    return turned(image, degrees).crop((left, top, width - left, height - top))


def _in_bands(
    image: Image.Image, function: Callable[[np.ndarray, slice], np.ndarray]
) -> Image.Image:
    """A picture after a function of some of its rows at a time, as floats, and where they lie."""
    values = np.array(image)
    rows = max(1, _BAND_PIXELS // image.width)
    for top in range(0, image.height, rows):
        part = slice(top, min(top + rows, image.height))
        new = function(values[part].astype(np.float32), part)
        values[part] = np.clip(np.rint(new, out=new), 0, 255, out=new)
    return Image.fromarray(values)


def with_noise(image: Image.Image, sigma: float, rng: np.random.Generator) -> Image.Image:
    """A picture with Gaussian noise in each channel.

    Parameters
    ----------
    image : PIL.Image.Image
        The picture, in RGB.
    sigma : float
        The standard deviation, in levels of 255.
    rng : numpy.random.Generator
        It draws the noise, row by row.

    Returns
    -------
    PIL.Image.Image
        A picture of the same size.
    """
    level = np.float32(sigma)
    return _in_bands(
        image, lambda part, _: part + level * rng.standard_normal(part.shape, dtype=np.float32)
    )


def with_salt_and_pepper(
    image: Image.Image, percent: float, rng: np.random.Generator
) -> Image.Image:
    """A picture some of whose pixels are black or white.

    Parameters
    ----------
    image : PIL.Image.Image
        The picture, in RGB.
    percent : float
        Per cent of the pixels, half of them black; whole pixels, not channels.
    rng : numpy.random.Generator
        It draws which.

    Returns
    -------
    PIL.Image.Image
        A picture of the same size.
    """

    def grainy(values: np.ndarray, rows: slice) -> np.ndarray:
        drawn = rng.random(values.shape[:2], dtype=np.float32)
        values[drawn < percent / 200] = 0
        values[drawn >= 1 - percent / 200] = 255
        return values

    return _in_bands(image, grainy)


def with_vignette(image: Image.Image, sigma: float) -> Image.Image:
    """A picture that becomes darker towards its corners.

    Parameters
    ----------
    image : PIL.Image.Image
        The picture, in RGB.
    sigma : float
        The standard deviation of the light, as a share of the width and of the height.

    Returns
    -------
    PIL.Image.Image
        Pixels times exp(-(dx / (sigma w))² / 2), dx from the centre to the middle of the pixel,
        times the same for the height.
    """

    def light(side: int) -> np.ndarray:
        far = (np.arange(side) - (side - 1) / 2) / (sigma * side)
        return np.exp(-(far**2) / 2).astype(np.float32)

    across, down = light(image.width)[:, None], light(image.height)[:, None, None]
    return _in_bands(image, lambda part, rows: part * across * down[rows])


@lru_cache(maxsize=64)  # Pillow reads its own font anew for each size
def _font(size: float) -> ImageFont.FreeTypeFont:
    return ImageFont.load_default(max(1, size))


def with_text(image: Image.Image, large: bool) -> Image.Image:
    """A picture with one text on it.

    Parameters
    ----------
    image : PIL.Image.Image
        The picture, in RGB.
    large : bool
        White in the centre, 0.8/6 of the width large, but no larger than twice the height. If
        not, black at the lower left, 3 % of the width and of the height from the edges, 0.2/6 of
        the width large, but at least 6 pixels.

    Returns
    -------
    PIL.Image.Image
        With `TEXT`.
    """
    width, height = image.size
    if large:
        place, size, colour, anchor = (width / 2, height / 2), width * 0.8 / 6, "white", "mm"
    else:
        place = round(0.03 * width), height - round(0.03 * height)
        size, colour, anchor = max(6, width * 0.2 / 6), "black", "lb"
    marked = image.copy()
    font = _font(min(size, max(6, 2 * height)))
    ImageDraw.Draw(marked).text(place, TEXT, colour, font, anchor=anchor)
    return marked


def with_text_all_over(image: Image.Image, percent: float) -> Image.Image:
    """A picture under four lines of white text that lets it through.

    Parameters
    ----------
    image : PIL.Image.Image
        The picture, in RGB.
    percent : float
        How opaque the text is.

    Returns
    -------
    PIL.Image.Image
        With lines of `TEXT`, again and again, a quarter of the height apart; the first is an
        eighth from the top. They are 1/9 of the width large, but no larger than twice the height.
    """
    mask = Image.new("L", image.size)
    draw, font = ImageDraw.Draw(mask), _font(min(image.width / 9, 2 * image.height))
    step = max(1, math.ceil(font.getlength(TEXT + "  ")))
    for line in (1, 3, 5, 7):
        for left in range(0, image.width, step):
            place = left, line * image.height / 8
            draw.text(place, TEXT, round(255 * percent / 100), font, anchor="lm")
    marked = image.copy()
    marked.paste("white", mask=mask)
    return marked


def with_band(image: Image.Image, rng: np.random.Generator, text: str) -> Image.Image:
    """A picture with a white band in a corner.

    Parameters
    ----------
    image : PIL.Image.Image
        The picture, in RGB.
    rng : numpy.random.Generator
        It draws one of the four corners, evenly.
    text : str
        What the band says, in black.

    Returns
    -------
    PIL.Image.Image
        The band has a third of the width and an eighth of the height.
    """
    marked = image.copy()
    width, height = max(1, image.width // 3), max(1, image.height // 8)
    left = 0 if rng.random() < 0.5 else image.width - width
    top = 0 if rng.random() < 0.5 else image.height - height
    draw = ImageDraw.Draw(marked)
    draw.rectangle((left, top, left + width - 1, top + height - 1), fill="white")
    draw.text((left + width // 10, top + height // 4), text, fill="black")
    return marked


def with_caption(image: Image.Image, percent: float) -> Image.Image:
    """A picture with a white band above it, on which one line of black text stands.

    Parameters
    ----------
    image : PIL.Image.Image
        The picture, in RGB.
    percent : float
        How high the band is: per cent of the picture's height, at least 1 pixel.

    Returns
    -------
    PIL.Image.Image
        The higher picture. `TEXT` is 0.6 of the band large and stands in its middle.

    Examples
    --------
    >>> with_caption(Image.new("RGB", (100, 50)), 10).size
    (100, 55)
    """
    high = max(1, round(image.height * percent / 100))
    new = Image.new("RGB", (image.width, image.height + high), "white")
    place, font = (image.width / 2, high / 2), _font(min(0.6 * high, 2 * image.width))
    ImageDraw.Draw(new).text(place, TEXT, "black", font, anchor="mm")
    new.paste(image, (0, high))
    return new


def with_sticker(image: Image.Image, percent: float, rng: np.random.Generator) -> Image.Image:
    """A picture with a yellow face somewhere on it.

    Parameters
    ----------
    image : PIL.Image.Image
        The picture, in RGB.
    percent : float
        The area of the square around the face: per cent of the picture's.
    rng : numpy.random.Generator
        It draws the place. The square lies inside the picture, if the picture is wide enough.

    Returns
    -------
    PIL.Image.Image
        A disc in (255, 204, 0) with a black rim, a twentieth of it wide, and two black eyes.
    """
    marked = image.copy()
    side = max(1, round(math.sqrt(percent / 100 * image.width * image.height)))
    spare = image.width - side, image.height - side
    left, top = (int(rng.integers(min(0, one), max(0, one) + 1)) for one in spare)
    draw = ImageDraw.Draw(marked)
    disc = left, top, left + side - 1, top + side - 1
    draw.ellipse(disc, (255, 204, 0), "black", max(1, side // 20))
    for eye in (0.35, 0.65):
        x, y, radius = left + eye * side, top + 0.4 * side, 0.07 * side
        draw.ellipse((x - radius, y - radius, x + radius, y + radius), "black")
    return marked
