"""What happens to pictures on their way from one person to another: one table of changes.

A change has a name, one or more strengths and, where it draws something, a seed. `CHANGES` holds
all of them, `STANDARD` names the 82 strengths of the standard table, with which experiments of
different people can be compared, and `change` applies one. All work in RGB; sizes are rounded and
are at least 1 pixel; resizing uses Lanczos, turning by an angle is bicubic and anticlockwise.
"""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from zlib import crc32

import numpy as np
from PIL import Image, ImageEnhance, ImageFilter, ImageOps

from helpers import Problem
from helpers.files.guard import read_input
from helpers.images import drawing
from helpers.images.drawing import as_jpeg, brightened, cut_off, resized, turned

_MOST_TABLE_BYTES = 2**20


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
    beside : tuple of str
        The strengths that do not belong to the standard table.
    """

    name: str
    strengths: Mapping[str, object]
    exactly: str
    function: Callable[[Image.Image, object, np.random.Generator], Image.Image]
    beside: tuple[str, ...] = ()


def _resized(image: Image.Image, factor: float | None, rng: np.random.Generator) -> Image.Image:
    if factor is None:
        return as_jpeg(resized(image, rng.uniform(0.95, 1.05)), 75)
    return resized(image, factor)


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


def _cut_one_side(image: Image.Image, percent: float, rng: np.random.Generator) -> Image.Image:
    side, box = int(rng.integers(4)), [0, 0, *image.size]
    length = image.size[side % 2]
    cut = min(round(length * percent / 100), length - 1)
    box[side] += cut if side < 2 else -cut
    return image.crop(tuple(box))


def _framed(image: Image.Image, percent: float) -> Image.Image:
    thick = max(1, round(image.width * percent / 100))
    new = Image.new("RGB", image.size, "white")
    if min(image.size) > 2 * thick:
        inside = thick, thick, image.width - thick, image.height - thick
        new.paste(image.crop(inside), inside)
    return new


def _seen_aslant(image: Image.Image, percent: float) -> Image.Image:
    (w, h), k = image.size, percent / 100
    corners = [(0, 0), (w, 0), (w, h), (0, h)]
    sources = [(k * w, k * h), (w - k * w, 0), (w, h), (0, h - k * h)]
    rows = []
    for (x, y), (u, v) in zip(corners, sources, strict=True):
        rows += [[x, y, 1, 0, 0, 0, -u * x, -u * y], [0, 0, 0, x, y, 1, -v * x, -v * y]]
    numbers = np.linalg.solve(np.array(rows, dtype=float), np.ravel(sources))
    method = Image.Transform.PERSPECTIVE
    return image.transform(image.size, method, tuple(numbers), Image.Resampling.BICUBIC)


def _with_hue(image: Image.Image, degrees: float) -> Image.Image:
    hue, saturation, value = image.convert("HSV").split()
    hue = hue.point([(old + round(degrees / 360 * 256)) % 256 for old in range(256)])
    return Image.merge("HSV", (hue, saturation, value)).convert("RGB")


def _with_gamma(image: Image.Image, gamma: float) -> Image.Image:
    return image.point([round(255 * (value / 255) ** gamma) for value in range(256)] * 3)


def _factors(*factors: float) -> dict[str, float]:
    return {f"x {factor}": factor for factor in factors}


def _each(text: str, *numbers: float) -> dict[str, float]:
    return {text.format(number): number for number in numbers}


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
            _each("quality {}", 95, 75, 50, 20, 10) | {"quality 20 to 60": (20, 60)},
            "saved as JPEG, with Pillow's defaults otherwise, and opened again",
            lambda image, quality, rng: as_jpeg(image, quality),
            beside=("quality 20 to 60",),
        ),
        Change(
            "webp",
            _each("quality {}", 50),
            "saved as WebP, with Pillow's defaults otherwise, and opened again",
            lambda image, quality, rng: drawing.saved(image, "WEBP", quality),
        ),
        Change(
            "palette",
            _each("{} colours", 64, 16),
            "Pillow's quantize with its defaults, and back to RGB",
            lambda image, colours, rng: image.quantize(colours).convert("RGB"),
        ),
        Change(
            "resize",
            {"0.95-1.05 + jpeg 75": None} | _factors(0.5, 0.25, 2.0) | {"x 0.5 to 1.5": (0.5, 1.5)},
            "both sides times one factor; the first is drawn evenly from 0.95 to 1.05, and then "
            "the picture is saved as JPEG, quality 75",
            _resized,
            beside=("x 0.5 to 1.5",),
        ),
        Change(
            "stretch width",
            _factors(0.75, 1.33) | {"to square": None},
            "the width times a factor; the square has 256 x 256 pixels",
            _stretched,
        ),
        Change(
            "crop each side",
            _each("{} %", 1, 2, 5, 10, 20),
            "at each side, this share of the width or of the height is cut off",
            lambda image, percent, rng: cut_off(image, percent),
        ),
        Change(
            "crop unevenly",
            {"up to 5 %": 5},
            "at each side, a share of the width or of the height is cut off; each is drawn evenly",
            _cut_unevenly,
            beside=("up to 5 %",),
        ),
        Change(
            "crop one side",
            _each("{} %", 5, 10, 20),
            "this share of the width or of the height is cut off at one side: left, top, right or "
            "bottom, drawn evenly",
            _cut_one_side,
        ),
        Change(
            "pad black",
            _each("{} %", 2, 5, 10, 20),
            "a black border outside: this share of the width at the left and at the right, and of "
            "the height above and below",
            lambda image, percent, rng: drawing.padded(image, percent, percent, "black"),
        ),
        Change(
            "pad white",
            _each("{} %", 5, 10),
            "as pad black, in white",
            lambda image, percent, rng: drawing.padded(image, percent, percent, "white"),
        ),
        Change(
            "letterbox",
            _each("{} %", 10, 20),
            "a black bar outside above, and one below, each with this share of the height",
            lambda image, percent, rng: drawing.padded(image, 0, percent, "black"),
        ),
        Change(
            "white frame over",
            _each("{} %", 2, 5),
            "a white frame drawn over the four edges, this share of the width thick, at least 1 "
            "pixel",
            lambda image, percent, rng: _framed(image, percent),
        ),
        Change(
            "rotate, black corners",
            {"1 degree": 1} | _each("{} degrees", 2, 4, 10),
            "turned anticlockwise within the frame; the size is kept",
            lambda image, degrees, rng: turned(image, degrees),
        ),
        Change(
            "rotate, cropped",
            _each("{} degrees", 2, 4),
            "turned anticlockwise, and cut to the largest upright window without black corners",
            lambda image, degrees, rng: drawing.turned_inside(image, degrees),
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
            _each("sigma {}", 1, 2, 4),
            "Pillow's GaussianBlur, sigma in pixels",
            lambda image, sigma, rng: image.filter(ImageFilter.GaussianBlur(sigma)),
        ),
        Change(
            "sharpen",
            {"unsharp mask 2 px, 150 %, threshold 0": ImageFilter.UnsharpMask(2, 150, 0)},
            "Pillow's UnsharpMask",
            lambda image, mask, rng: image.filter(mask),
        ),
        Change(
            "noise",
            _each("sigma {}", 5, 15, 30, 51),
            "Gaussian noise in each channel, sigma in levels of 255",
            drawing.with_noise,
        ),
        Change(
            "salt and pepper",
            _each("{} %", 1, 5),
            "this share of the pixels is black or white, half of it each, drawn evenly",
            drawing.with_salt_and_pepper,
        ),
        Change(
            "brightness",
            _factors(0.5, 0.8, 1.25, 1.5) | {"x 1.1 to 1.5": (1.1, 1.5)},
            "every value times one factor; what would be beyond white is white",
            lambda image, factor, rng: brightened(image, factor),
            beside=("x 1.1 to 1.5",),
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
            "gamma",
            _each("{}", 0.5, 2.0),
            "every value, as a share of 255, to this power",
            lambda image, gamma, rng: _with_gamma(image, gamma),
        ),
        Change(
            "hue",
            {"+ 60 degrees": 60},
            "all hues turned by this angle of 360: by 43 of the 256 steps of Pillow's HSV",
            lambda image, degrees, rng: _with_hue(image, degrees),
        ),
        Change(
            "invert",
            {"all channels": None},
            "255 minus every value",
            lambda image, _, rng: ImageOps.invert(image),
        ),
        Change(
            "vignette",
            _each("Gaussian, sigma {} of each side", 0.7, 0.5),
            "every value times exp(-(dx / (sigma w))^2 / 2), dx from the centre of the picture to "
            "that of the pixel, and times the same for the height",
            lambda image, sigma, rng: drawing.with_vignette(image, sigma),
        ),
        Change(
            "watermark",
            {
                "small in a corner": lambda image, rng: drawing.with_text(image, large=False),
                "large in the centre": lambda image, rng: drawing.with_text(image, large=True),
                "all over at 25 %": lambda image, rng: drawing.with_text_all_over(image, 25),
                "all over at 50 %": lambda image, rng: drawing.with_text_all_over(image, 50),
                "white band in a corner": partial(drawing.with_band, text="(c) someone"),
            },
            "SAMPLE TEXT in Pillow's own font. Small: black, size 0.2/6 of the width (at least 6), "
            "lower left, 3 % from the edges. Large: white, 0.8/6 of the width, centred. All "
            "over: white, size 1/9 of the width, again and again in four lines a quarter of height "
            "apart. No size is above twice the height. White band: with black text, a third of the "
            "width and an eighth of the height, in one of the four corners, drawn evenly",
            lambda image, mark, rng: mark(image, rng),
            beside=("white band in a corner",),
        ),
        Change(
            "caption band on top",
            _each("{} %", 10, 20),
            "a white band outside above, with this share of the height; in its middle SAMPLE TEXT "
            "in black, 0.6 of the band large",
            lambda image, percent, rng: drawing.with_caption(image, percent),
        ),
        Change(
            "sticker",
            _each("{} % of the area", 2, 5, 10, 20),
            "a yellow disc (255, 204, 0) with a black rim and two black eyes; the square around it "
            "has this share of the area, and its place is drawn evenly",
            drawing.with_sticker,
        ),
        Change(
            "perspective",
            _each("{} %", 2, 5),
            "with k this share, what lies at (k w, k h), (w - k w, 0), (w, h) and (0, h - k h) "
            "goes to the four corners, from the upper left one clockwise; bicubic",
            lambda image, percent, rng: _seen_aslant(image, percent),
        ),
        Change(
            "social media",
            {"half size after 2 % crop at each side, jpeg 60": None},
            "cut as crop each side, 2 %; then both sides halved; then saved as JPEG, quality 60",
            lambda image, _, rng: as_jpeg(resized(cut_off(image, 2), 0.5), 60),
        ),
    )
}

#: Change -> strengths: the standard table, in its order.
STANDARD = {
    name: strengths
    for name, change in CHANGES.items()
    if (strengths := [one for one in change.strengths if one not in change.beside])
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
    one, strength = _row(name, strength)
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


def _row(name: str, strength: object) -> tuple[Change, str]:
    if name not in CHANGES:
        raise Problem(f"no change is called {name!r}; choose one of: {', '.join(CHANGES)}")
    one = CHANGES[name]
    if strength is None and len(one.strengths) == 1:
        (strength,) = one.strengths
    if not isinstance(strength, str) or strength not in one.strengths:
        raise Problem(
            f"the change {name!r} has no strength {strength!r}; "
            f"choose one of: {', '.join(one.strengths)}"
        )
    return one, strength


def chosen(path: str | Path | None = None) -> dict[str, list[str]]:
    """The changes of an experiment: those that a file chooses, or the standard table.

    Parameters
    ----------
    path : str or Path, optional
        A TOML file with a line a change: a list of strengths, as ``jpeg = ["quality 95"]``, or
        all that the standard table has of it, as ``mirror = "all"``. A name with a space stands
        in quotes.

    Returns
    -------
    dict of str to list of str
        Change -> strengths, in the order of `CHANGES`, whatever the order in the file.

    Raises
    ------
    Problem
        If the file cannot be read, is not TOML, chooses nothing, or names what there is not.

    Examples
    --------
    >>> sum(map(len, chosen().values()))
    82
    """
    if path is None:
        return {name: list(strengths) for name, strengths in STANDARD.items()}
    example = 'write lines as  jpeg = ["quality 95"]  or  "pad black" = "all"'
    try:
        asked = tomllib.loads(read_input(path, _MOST_TABLE_BYTES).decode("utf-8-sig"))
    except (ValueError, RecursionError) as error:
        raise Problem(f"{path}: is not a table in TOML ({error}); {example}") from error
    if not asked:
        raise Problem(f"{path}: chooses no change; {example}")
    try:
        return {
            name: _strengths(name, asked[name])
            for name in sorted(asked, key=[*CHANGES, *asked].index)
        }
    except Problem as problem:
        raise Problem(f"{path}: {problem}") from problem


def _strengths(name: str, asked: object) -> list[str]:
    if asked == "all" and name in CHANGES:
        return list(STANDARD.get(name, CHANGES[name].strengths))
    asked = asked if isinstance(asked, list) else [asked]
    rows = [_row(name, strength) for strength in asked]
    if not rows:
        raise Problem(f"{name!r} has no strength in it; name some, or leave out the line")
    return [one for one in CHANGES[name].strengths if one in asked]
