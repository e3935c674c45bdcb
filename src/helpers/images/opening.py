"""Open one picture honestly, and say in words why one could not be opened.

``imagehash`` takes the pixels as they are stored. That is wrong for three kinds of file (measured
on imagehash 4.3.2):

- a photograph that is turned by its EXIF tag: 24 of 64 bits differ from the picture as shown;
- transparency, where the colour hidden under it counts: 15 bits;
- greys of 16 bits, which are clipped to white: 31 bits.

`open_image` mends these; every other picture comes out exactly as ``PIL.Image.open`` gives it. By
which rules it mends them is numbered: see `WAYS`.
"""

from __future__ import annotations

import errno
import os
import stat
import warnings
from collections.abc import Callable
from contextlib import suppress
from functools import cache
from importlib import import_module
from pathlib import Path

import numpy as np
from PIL import Image, ImageColor, UnidentifiedImageError

from helpers import Problem

#: How a picture is read unless something else is asked for; the arguments of `open_image`.
READING = {"rotate": True, "background": "white", "fast": False}

#: `fast` takes the smallest size that the JPEG decoder can give and that is at least this, in
#: pixels: 16 times dHash's 9 x 8.
FAST_SIZE = (144, 128)

_ORIENTATION = 0x0112  # the EXIF tag, and what each of its values asks for
_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
_HEIC = (
    b"ftypheic",
    b"ftypheix",
    b"ftypheim",
    b"ftypheis",
    b"ftyphevc",
    b"ftyphevx",
    b"ftypmif1",
    b"ftypmsf1",
)


def open_image(
    path: str | Path,
    *,
    rotate: bool = True,
    background: str | None = "white",
    fast: bool = False,
    rules: dict[str, int] | None = None,
) -> Image.Image:
    """A picture as people see it, loaded into memory.

    Parameters
    ----------
    path : str, Path or binary file
        The file. Of several frames or pages the first is taken.
    rotate : bool
        Turn the picture as its EXIF tag says. ``imagehash`` does not. (Pillow itself always
        turns a TIFF.)
    background : str or None
        The colour that shows through transparency: any colour name of Pillow. With None the
        hidden colours count, as they do for ``imagehash``.
    fast : bool
        Let the JPEG decoder shrink the picture while it decodes (Pillow's draft mode), in grey.
    rules : dict, optional
        The rule of reading for each subject of `RULES`. Without it today's rules hold; in a
        dictionary that is given, a missing subject stands for rule 1, the rule of version 0.1.

    Returns
    -------
    PIL.Image.Image
        8 bits a channel; smaller than the picture of the file where `fast` shrank it.

    Raises
    ------
    Problem
        With the reason in words, if the file cannot be read.

    Notes
    -----
    What `fast` changes was measured with ``benchmarks/fingerprint_speed.py``. Photographs of 12
    megapixels are read 4.9 times as fast on one core; 0.08 of 64 bits differ on average and 1 at
    most. CALTECH-101 is read 1.4 times as fast; 0.16 bits differ on average and 5 at most.

    Examples
    --------
    >>> open_image("holiday.heic")  # doctest: +SKIP
    Problem: holiday.heic: is a HEIC picture; convert it to JPEG, or install pillow-heif (...)
    """
    return open_with_size(path, rotate=rotate, background=background, fast=fast, rules=rules)[0]


def open_with_size(
    path: str | Path,
    *,
    rotate: bool = True,
    background: str | None = "white",
    fast: bool = False,
    rules: dict[str, int] | None = None,
) -> tuple[Image.Image, tuple[int, int]]:
    """A picture as `open_image` gives it, and how large the picture in the file is.

    Parameters
    ----------
    path, rotate, background, fast, rules
        See `open_image`.

    Returns
    -------
    image : PIL.Image.Image
        What `open_image` returns.
    size : tuple of int
        Width and height in pixels, as shown. The image that `fast` gives is smaller.
    """
    orientation, profile, transparency, bits = _functions(RULES if rules is None else rules)
    try:
        if isinstance(path, (str, Path)) and stat.S_ISFIFO(Path(path).stat().st_mode):
            raise Problem(f"{path}: is a pipe, not a file; delete it or name it otherwise")
        with (
            warnings.catch_warnings(action="ignore"),
            Image.open(path, formats=_formats()) as image,
        ):
            size = image.size
            turned = orientation(image) if rotate else 1
            if fast and image.format in ("JPEG", "MPO"):
                image.draft("L", FAST_SIZE)
            image.load()
            if image.mode == "LAB":  # Pillow has no grey for it
                raise Problem(
                    f"{path}: is in Lab colours, which cannot be compared; save it as RGB"
                )
            image = profile(image)
            if turned in _TURNS:
                image = image.transpose(_TURNS[turned])
            if background is not None:
                image = transparency(image, background)
            image = bits(image)
            return image, size[::-1] if turned in (5, 6, 7, 8) else size
    except Problem:
        raise
    except Exception as error:  # a decoder may raise anything; each file gets its own sentence
        raise Problem(f"{path}: {_reason(path, error)}") from error


def complete_rules(rules: dict[str, int]) -> dict[str, int]:
    """The rule of reading for every subject.

    Parameters
    ----------
    rules : dict
        Subject and number of a rule, as a file records them. A missing subject stands for rule
        1, the rule of version 0.1, since files of 0.1 name no rules.

    Returns
    -------
    dict
        Has the subjects of `RULES`.

    Raises
    ------
    Problem
        If there is no such subject or rule here.

    Examples
    --------
    >>> complete_rules({"16 bits": 1}) == complete_rules({})
    True
    >>> complete_rules({"16 bits": 99})
    Traceback (most recent call last):
    ...
    helpers.Problem: was read by rule 99 for 16 bits, which only newer helpers know; install those
    """
    for subject, number in rules.items():
        if number not in WAYS.get(subject, {}):
            raise Problem(
                f"was read by rule {number} for {subject}, which only newer helpers know; "
                "install those"
            )
    return {subject: rules.get(subject, 1) for subject in WAYS}


def _functions(rules: dict[str, int]) -> list[Callable]:
    try:
        return [ways[rules[subject]] for subject, ways in WAYS.items()]
    except KeyError:  # most rules are complete; to look each up first would take longer
        return [WAYS[subject][number] for subject, number in complete_rules(rules).items()]


def _orientation_by_exif(image: Image.Image) -> int:
    """What the EXIF tag says, but for TIFF, which Pillow turns by itself, size and all."""
    return 1 if image.format == "TIFF" else image.getexif().get(_ORIENTATION, 1)


def _colours_as_stored(image: Image.Image) -> Image.Image:
    return image


def _lay_on(image: Image.Image, background: str) -> Image.Image:
    if not image.has_transparency_data:
        return image
    layered = image.convert("RGBA")
    if layered.getextrema()[3][0] == 255:  # fully opaque: nothing to correct
        return image
    layers = Image.alpha_composite(Image.new("RGBA", layered.size, background), layered)
    return layers.convert("RGB")


def _scale_to_8_bits(image: Image.Image) -> Image.Image:
    """Deep greys as 8 bits: over the range of 16 bits, or the picture's own if it has no such."""
    if image.mode[0] not in "IF":
        return image
    values = np.asarray(image)
    low, high = 0.0, 65535.0
    if image.mode == "F" or values.min() < low or values.max() > high:
        values = np.nan_to_num(values)
        low, high = float(values.min()), float(values.max())
    step = 255 / max(high - low, 1e-300)
    scaled = np.empty(values.shape, np.uint8)
    # row by row: all at once would take a gigabyte for 50 million pixels
    for row, exact in zip(scaled, values, strict=True):
        row[:] = np.rint((exact.astype(np.float64) - low) * step)
    return Image.fromarray(scaled)


#: The rules of reading: for each subject a number and the function that follows the rule. Rule 1
#: is that of version 0.1. A new rule gets the next number; the old ones stay, since fingerprints
#: made by them are still compared with queries, which are then read by the same rule.
WAYS: dict[str, dict[int, Callable]] = {
    "orientation": {1: _orientation_by_exif},
    "colour profile": {1: _colours_as_stored},
    "transparency": {1: _lay_on},
    "16 bits": {1: _scale_to_8_bits},
}

#: By which rules files are read unless other ones are asked for: the newest for each subject.
RULES = {subject: max(ways) for subject, ways in WAYS.items()}


@cache
def _formats() -> list[str]:
    """The formats of the images that are looked for; others, as EPS, may start a program."""
    for plugin in ("MpoImagePlugin", "WebPImagePlugin", "TiffImagePlugin", "AvifImagePlugin"):
        with suppress(ImportError):
            import_module(f"PIL.{plugin}")
    with suppress(ImportError):
        import_module("pillow_heif").register_heif_opener()
    Image.preinit()  # the other plugins that are needed; Image.init() would load 40
    names = ["JPEG", "MPO", "PNG", "WEBP", "GIF", "BMP", "TIFF", "AVIF", "HEIF"]
    return [name for name in names if name in Image.OPEN]


def _reason(path: str | Path, error: Exception) -> str:
    path = Path(path)
    if isinstance(error, FileNotFoundError) or getattr(error, "errno", None) == errno.ELOOP:
        if path.is_symlink():
            return (
                f"is a link that leads nowhere ({path.readlink()}); "
                "bring its target back or delete the link"
            )
        return "no such file; check the spelling"
    if os.path.isdir(path) and not os.access(path, os.R_OK | os.X_OK):
        return "is a folder that may not be listed; ask for permission to read it"
    if isinstance(error, IsADirectoryError) or os.path.isdir(path):
        return "is a folder, not an image; name a file inside it"
    if isinstance(error, PermissionError):
        return "may not be read; ask for permission to read it"
    if isinstance(error, Image.DecompressionBombError):
        return (
            f"has more than {2 * Image.MAX_IMAGE_PIXELS // 1_000_000} million pixels, which Pillow "
            "refuses to open, since such files are used to exhaust memory; save a smaller copy"
        )
    if isinstance(error, UnidentifiedImageError):
        with path.open("rb") as file:
            start = file.read(32)
        if not start:
            return "is empty (0 bytes); copy it again from its source"
        if start[4:12] == b"ftypavif" and "AVIF" not in _formats():
            return "is an AVIF picture, which this Pillow was built without; convert it to JPEG"
        if start[4:12] in _HEIC and "HEIF" not in _formats():
            return (
                "is a HEIC picture; convert it to JPEG, or install pillow-heif "
                "(pip install pillow-heif) and start Python anew"
            )
        return "is not an image that Pillow can read; save it again as JPEG or PNG, or delete it"
    if "truncated" in str(error).lower():
        return f"ends before its picture does ({error}); copy it again from its source"
    if isinstance(error, OSError) and error.strerror:  # of the system, not of a decoder
        return (
            f"cannot be read ({error.strerror}); check the spelling, "
            "or copy it again from its source"
        )
    return (
        f"could not be decoded ({type(error).__name__}: {error}); "
        "copy it again from its source, or save it anew"
    )


def thumbnail(path: str | Path, size: int) -> Image.Image | None:
    """A small copy of a picture.

    Parameters
    ----------
    path : str or Path
        The file.
    size : int
        Pixels on the longer side, at most.

    Returns
    -------
    PIL.Image.Image or None
        In RGB; None if the file cannot be read.

    Examples
    --------
    >>> thumbnail("no such file.jpg", 100) is None
    True
    """
    try:
        picture = open_image(path).convert("RGB")
    except Problem:
        return None
    picture.thumbnail((size, size), Image.Resampling.LANCZOS)
    return picture


def complete_reading(reading: dict) -> dict:
    """All options of `open_image`: the given ones, and the usual values of the others.

    Parameters
    ----------
    reading : dict
        Some of ``rotate``, ``background`` and ``fast``.

    Returns
    -------
    dict
        Has the keys of `READING`.

    Raises
    ------
    TypeError
        If there is no such option: this is a mistake in the program.
    Problem
        If Pillow does not know the colour.

    Examples
    --------
    >>> complete_reading({"fast": True})
    {'rotate': True, 'background': 'white', 'fast': True}
    """
    unknown = sorted(set(reading) - set(READING))
    if unknown:
        raise TypeError(
            f"unknown argument {unknown[0]!r}; a file is read with {', '.join(READING)}"
        )
    if (background := reading.get("background")) is not None:
        try:
            ImageColor.getrgb(background)
        except ValueError as error:
            raise Problem(
                f"background {background!r}: no colour that Pillow knows; try white or #ffffff"
            ) from error
    return {**READING, **reading}
