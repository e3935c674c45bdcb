"""What happens to pictures on their way from one person to another: one table of changes.

A change has a name, one or more strengths and, where it draws something, a seed. `CHANGES` holds
all of them, `STANDARD` names the 82 strengths of the standard table, with which experiments of
different people can be compared, and `change` applies one. All work in RGB; sizes are rounded and
are at least 1 pixel; resizing uses Lanczos, turning by an angle is bicubic and anticlockwise.

What each does exactly, and its strengths, stand in ``changes.toml`` beside this module.
"""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from zlib import crc32

import numpy as np
from PIL import Image, ImageEnhance, ImageFilter, ImageOps

from helpers import Problem
from helpers.files.guard import read_input
from helpers.images import drawing
from helpers.images.drawing import as_jpeg, brightened, cut_off, padded, resized, turned

#: How large a file may be that chooses changes.
MOST_TABLE_BYTES = 2**20


@dataclass(frozen=True)
class Change:
    """One row of the table: something that happens to pictures.

    Parameters
    ----------
    name : str
        What it is called everywhere.
    strengths : mapping of str to object
        The name of each strength, with its unit, and the value that `function` gets for it: the
        number in the name, or the name if it has none or many. For a pair (lowest, highest), as
        of "20 to 60", it gets a number between the two, drawn evenly for each picture.
    exactly : str
        What is done, so exactly that somebody else can do the same.
    function : callable
        Takes the picture in RGB, the value of the strength and a random generator; gives the new
        picture. It leaves the picture that it was given as it is.
    beside : tuple of str
        The strengths that do not belong to the standard table.
    group : str
        With which others it is shown.
    """

    name: str
    strengths: Mapping[str, object]
    exactly: str
    function: Callable[[Image.Image, object, np.random.Generator], Image.Image]
    beside: tuple[str, ...] = ()
    group: str = ""


def _resized(image: Image.Image, factor: float | str, rng: np.random.Generator) -> Image.Image:
    if isinstance(factor, str):
        return as_jpeg(resized(image, rng.uniform(0.95, 1.05)), 75)
    return resized(image, factor)


def _stretched(image: Image.Image, factor: float | str) -> Image.Image:
    if factor == "to square":
        return image.resize((256, 256), Image.Resampling.LANCZOS)
    return resized(image, factor, 1)


def _mirrored(image: Image.Image, sides: str) -> Image.Image:
    return ImageOps.mirror(image) if sides == "left-right" else ImageOps.flip(image)


def _cut_unevenly(image: Image.Image, most: float, rng: np.random.Generator) -> Image.Image:
    (width, height), shares = image.size, rng.uniform(0, most / 100, 4)
    left, top = int(shares[0] * width), int(shares[1] * height)
    right = max(left + 1, round((1 - shares[2]) * width))
    bottom = max(top + 1, round((1 - shares[3]) * height))
    return image.crop((left, top, right, bottom))


def _cut_one_side(image: Image.Image, percent: float, rng: np.random.Generator) -> Image.Image:
    side, box = int(rng.integers(4)), [0, 0, *image.size]
    length = image.size[side % 2]
    cut = min(round(length * percent / 100), length - 1)
    box[side] += cut if side < 2 else -cut
    return image.crop(tuple(box))


def _framed(image: Image.Image, percent: float) -> Image.Image:
    thick = max(1, round(image.width * percent / 100))
    if min(image.size) <= 2 * thick:
        return Image.new("RGB", image.size, "white")
    return ImageOps.expand(ImageOps.crop(image, thick), thick, "white")


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


def _watermarked(image: Image.Image, mark: float | str, rng: np.random.Generator) -> Image.Image:
    if mark == "white band in a corner":
        return drawing.with_band(image, rng, text="(c) someone")
    if isinstance(mark, str):
        return drawing.with_text(image, large=mark == "large in the centre")
    return drawing.with_text_all_over(image, mark)


def _with_gamma(image: Image.Image, gamma: float) -> Image.Image:
    return image.point([round(255 * (value / 255) ** gamma) for value in range(256)] * 3)


#: Name -> what is done. A new change has a line here and an entry in changes.toml.
FUNCTIONS = {
    "none": lambda image, _, rng: image.copy(),
    "jpeg": lambda image, quality, rng: as_jpeg(image, quality),
    "webp": lambda image, quality, rng: drawing.saved(image, "WEBP", quality),
    "palette": lambda image, colours, rng: image.quantize(colours).convert("RGB"),
    "resize": _resized,
    "stretch width": lambda image, factor, rng: _stretched(image, factor),
    "crop each side": lambda image, percent, rng: cut_off(image, percent),
    "crop unevenly": _cut_unevenly,
    "crop one side": _cut_one_side,
    "pad black": lambda image, percent, rng: padded(image, percent, percent, "black"),
    "pad white": lambda image, percent, rng: padded(image, percent, percent, "white"),
    "letterbox": lambda image, percent, rng: padded(image, 0, percent, "black"),
    "white frame over": lambda image, percent, rng: _framed(image, percent),
    "rotate, black corners": lambda image, degrees, rng: turned(image, degrees),
    "rotate, cropped": lambda image, degrees, rng: drawing.turned_inside(image, degrees),
    "turn": lambda image, degrees, rng: image.transpose(Image.Transpose[f"ROTATE_{degrees}"]),
    "mirror": lambda image, sides, rng: _mirrored(image, sides),
    "blur": lambda image, sigma, rng: image.filter(ImageFilter.GaussianBlur(sigma)),
    "sharpen": lambda image, _, rng: image.filter(ImageFilter.UnsharpMask(2, 150, 0)),
    "noise": drawing.with_noise,
    "salt and pepper": drawing.with_salt_and_pepper,
    "brightness": lambda image, factor, rng: brightened(image, factor),
    "contrast": lambda image, factor, rng: ImageEnhance.Contrast(image).enhance(factor),
    "saturation": lambda image, factor, rng: ImageEnhance.Color(image).enhance(factor),
    "gamma": lambda image, gamma, rng: _with_gamma(image, gamma),
    "hue": lambda image, degrees, rng: _with_hue(image, degrees),
    "invert": lambda image, _, rng: ImageOps.invert(image),
    "vignette": lambda image, sigma, rng: drawing.with_vignette(image, sigma),
    "watermark": _watermarked,
    "caption band on top": lambda image, percent, rng: drawing.with_caption(image, percent),
    "sticker": drawing.with_sticker,
    "perspective": lambda image, percent, rng: _seen_aslant(image, percent),
    "social media": lambda image, _, rng: as_jpeg(resized(cut_off(image, 2), 0.5), 60),
}


def _value(strength: str) -> object:
    numbers = [json.loads(number) for number in re.findall(r"\d+(?:\.\d+)?", strength)]
    if " to " in strength and len(numbers) == 2:
        return tuple(numbers)
    return numbers[0] if len(numbers) == 1 else strength


def _read_changes() -> dict[str, Change]:
    table = tomllib.loads(Path(__file__).with_suffix(".toml").read_text(encoding="utf-8"))
    changes = {}
    for name, entry in table.items():
        beside = tuple(entry.get("beside", ()))
        strengths = {one: _value(one) for one in (*entry.get("strengths", ()), *beside)}
        about = strengths, entry["exactly"], FUNCTIONS[name], beside, entry["group"]
        changes[name] = Change(name, *about)
    return changes


#: Name -> change. tests/images/test_changes.py tries all.
CHANGES = _read_changes()

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
        If there is no such change or strength; the sentence lists those that there are. Or if a
        format cannot hold so large a picture, as WebP no side of more than 16,383 pixels.

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
    try:
        return one.function(image.convert("RGB"), value, rng)
    except (OSError, ValueError) as error:
        raise Problem(
            f"{name}, {strength}: not for {image.width} x {image.height} pixels ({error}); take "
            "smaller pictures, or leave this out"
        ) from error


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


def chosen(path: str | Path | Mapping | None = None) -> dict[str, list[str]]:
    """The changes of an experiment: those that a file chooses, or the standard table.

    Parameters
    ----------
    path : str, Path or mapping, optional
        A TOML file with a line a change: a list of strengths, as ``jpeg = ["quality 95"]``, or
        all that the standard table has of it, as ``mirror = "all"``. A name with a space stands
        in quotes. Or what such a file holds.

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
        if not isinstance(asked := path, Mapping):
            asked = tomllib.loads(read_input(path, MOST_TABLE_BYTES).decode("utf-8-sig"))
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
