"""Open one picture honestly, and say in words why one could not be opened.

``imagehash`` takes the pixels as they are stored. That is wrong for four kinds of file (measured
on imagehash 4.3.2):

- a photograph that is turned by its EXIF tag: 24 of 64 bits differ from the picture as shown;
- colours that a profile defines otherwise than sRGB: up to 11 bits, and 53 levels of 255;
- transparency, where the colour hidden under it counts: 15 bits;
- greys of 16 bits, which are clipped to white: 31 bits.

`open_image` mends these; every other picture comes out exactly as ``PIL.Image.open`` gives it. By
which rules it mends them is numbered: see `WAYS`.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

import numpy as np
from PIL import Image, ImageColor, UnidentifiedImageError

from helpers import Problem
from helpers.images.formats import (
    bare_png,
    check_memory,
    describe,
    file_of,
    name_of,
    open_header,
    reason_of_system,
)
from helpers.images.profiles import to_srgb

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
_BAND_PIXELS = 2**20  # that are worked on at a time
_SAMPLED_PIXELS = 2**20  # that tell the range of deep greys
# where usual ranges of deep greys end, and from which share of that on they count as filled
_USUAL_TOPS = {
    **{1: 0.5, 100: 0.98, 1000: 0.98, 10_000: 0.98},  # of shares
    **{255: 0.5, 1023: 0.98, 4095: 0.98, 16_383: 0.98, 65_535: 0.5},  # of 8, 10, ... 16 bits
}
_MOST_EXIF_BYTES = 2**20  # Pillow makes up to 30 bytes of one
# where a picture in memory keeps what its file said of its orientation
_EXIF = ("exif", "Raw profile type exif", "XML:com.adobe.xmp", "xmp")
_NO_GREYS = ("LAB", "La")  # modes of which Pillow makes no greys


def open_image(
    path: str | Path | BinaryIO | Image.Image,
    *,
    rotate: bool = True,
    background: str | None = "white",
    fast: bool = False,
    rules: dict[str, int] | None = None,
) -> Image.Image:
    """A picture as people see it, loaded into memory.

    Parameters
    ----------
    path : str, Path, binary file or PIL.Image.Image
        The file, of whose frames or pages the first is taken. Or a picture in memory, also one
        that Pillow has opened and not decoded yet: it comes out as its file would.
    rotate : bool
        Turn the picture as its EXIF tag says. ``imagehash`` does not. (Pillow itself always
        turns a TIFF.)
    background : str or None
        The colour that shows through transparency: any colour name of Pillow. With None the
        hidden colours count, as they do for ``imagehash``.
    fast : bool
        Let the JPEG decoder shrink the picture while it decodes (Pillow's draft mode), in grey if
        no colour profile has to be applied. It then takes little memory, so that any JPEG may have
        178 million pixels. A picture that is decoded already is read as without it.
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
        With the reason in words, if the file cannot be read, or if it would take more memory than
        `helpers.images.formats.MOST_BYTES`.

    Notes
    -----
    EXIF, texts and profiles that are broken count as none, and the picture is read. Rule 2 for the
    colour profile turns colours into sRGB, rule 1 leaves them as they are stored: see
    `helpers.images.profiles.to_srgb`.

    Rule 2 for 16 bits keeps the grey levels of pictures whose values have a narrow range; rule 1
    scales all by the range of 16 bits. Measured on the 20 photographs of the sample, saved with 16
    bits: how many bits of dHash differ from the same photograph with 8 bits, on average (at most):

    ============================ ========= =========
    values                       rule 1    rule 2
    ============================ ========= =========
    0-255                        25.3 (57) 0.0 (0)
    0-1000                       24.3 (46) 0.5 (4)
    0-4095                       13.8 (33) 0.5 (2)
    0-65535                      0.0 (0)   0.0 (0)
    29,000-31,000                18.2 (34) 0.7 (6)
    0.0-1.0, one of them 1e6     30.3 (64) 0.0 (0)
    ============================ ========= =========

    Three medical pictures that pydicom ships (values 0-1123, 127-2145, 128-2191) differ by 18, 14
    and 18 bits from their exports by rule 1, and by 1, 2 and 1 bit by rule 2.

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
    path: str | Path | BinaryIO | Image.Image,
    rules: dict[str, int] | None = None,
    at_least: int = 0,
    colours: str | None = None,
    **reading: object,
) -> tuple[Image.Image, tuple[int, int]]:
    """A picture as `open_image` gives it, and how large the picture in the file is.

    Parameters
    ----------
    path, rules
        See `open_image`.
    at_least : int
        If it is not 0, let the JPEG decoder shrink the picture, in colour, to a half, a quarter or
        an eighth, so that its longer side has so many pixels or more.
    colours : str, optional
        ``YCbCr``: of JPEGs, brightness and colours as they are stored, which takes less time. Those
        that are stored in RGB, or to which a colour profile has to be applied, come in RGB.
    **reading
        See `open_image`.

    Returns
    -------
    image : PIL.Image.Image
        What `open_image` returns.
    size : tuple of int
        Width and height in pixels, as shown. The image is smaller if the decoder has shrunk it.
    """
    rotate, background, fast = complete_reading(reading).values()
    *first, transparency, bits = _functions(RULES if rules is None else rules)
    draft = ("L", FAST_SIZE) if fast else (colours, at_least)
    try:
        with warnings.catch_warnings(action="ignore"):
            image, size, turned, convert = _decoded(path, first, draft)
            if not image.width * image.height:
                raise Problem("has no pixels; name another picture")
            if image.mode in _NO_GREYS:
                raise Problem(
                    f"is in {image.mode} colours, which cannot be compared; save it as RGB"
                )
            if image.mode in ("P", "PA") and image.palette is None:
                raise Problem("has no colours before its pixels; save it anew")
            if convert:
                mode = "RGBA" if image.has_transparency_data else "RGB"
                image = _band_by_band(image, mode, convert)
            if turned in _TURNS:
                image = image.transpose(_TURNS[turned]) if rotate else image.copy()
                for key in _EXIF:  # so that nobody turns it once more
                    image.info.pop(key, None)
            if background is not None:
                image = transparency(image, background)
            image = bits(image)
            return image, size[::-1] if rotate and turned in (5, 6, 7, 8) else size
    except Problem as problem:
        raise Problem(f"{name_of(path)}: {problem}") from problem
    except Exception as error:  # a decoder may raise anything; each file gets its own sentence
        raise Problem(f"{name_of(path)}: {_reason(path, error)}") from error


def _decoded(
    source: str | Path | BinaryIO | Image.Image, ways: Sequence[Callable], draft: tuple
) -> tuple[Image.Image, tuple[int, int], int, Callable | None]:
    """A picture with its pixels, its size as stored, its turn, and what maps its colours."""
    if isinstance(source, Image.Image):
        return _loaded(source, ways, draft)
    with file_of(source) as file:
        try:
            with open_header(file) as image:
                return _loaded(image, ways, draft)
        except Problem:
            raise
        except Exception:
            if not (bare := bare_png(file)):
                raise
            with open_header(bare) as image:
                return _loaded(image, ways, draft)


def _shrink(image: Image.Image, colours: str | None, least: tuple | int) -> None:
    if colours == "YCbCr" and (image.info.get("adobe_transform") == 0 or image.layer[0][0] == 82):
        colours = None  # it is stored in RGB, its first channel perhaps as "R"
    size, steps = image.size, (8, 4, 2) if least and least != FAST_SIZE else ()
    for step in steps:  # another side would be stretched by a part of a pixel
        if max(size) >= step * least and not any(side % step for side in size):
            size = [side // step for side in size]
            break
    image.draft(colours, least if least == FAST_SIZE else size)


def _loaded(
    image: Image.Image, ways: Sequence[Callable], draft: tuple
) -> tuple[Image.Image, tuple[int, int], int, Callable | None]:
    orientation, profile = ways
    size, turned, convert = image.size, 0, profile(image)
    if getattr(image, "fp", None):  # it is not decoded yet
        if any(draft) and image.format in ("JPEG", "MPO"):
            _shrink(image, None if convert else draft[0], draft[1])
        turned = image.format != "PNG" and orientation(image)  # to know, a PNG would be decoded
        is_copied = not turned or turned in _TURNS or image.has_transparency_data or bool(convert)
        check_memory(image, size, is_copied=is_copied)
    image.load()
    return image, size, turned or orientation(image), convert


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
    with suppress(Exception):  # EXIF that cannot be understood counts as none
        exif = image.info.get("exif", b"")
        # Pillow reads all of it; most files have no such tag
        is_named = b"\x01\x12" in exif or b"\x12\x01" in exif
        is_named = is_named or any(key in image.info for key in _EXIF[1:])
        if image.format != "TIFF" and is_named and len(exif) <= _MOST_EXIF_BYTES:
            return image.getexif().get(_ORIENTATION, 1)
    return 1


def _colours_as_stored(image: Image.Image) -> None:
    return None


def _lay_on(image: Image.Image, background: str) -> Image.Image:
    if not image.has_transparency_data:
        return image
    if all(band.convert("RGBA").getextrema()[3][0] == 255 for band in _bands(image)):
        return image  # fully opaque: nothing to correct

    def laid(band: Image.Image) -> Image.Image:
        below = Image.new("RGBA", band.size, background)
        return Image.alpha_composite(below, band.convert("RGBA")).convert("RGB")

    return _band_by_band(image, "RGB", laid)


def _scale_container(image: Image.Image) -> Image.Image:
    """Deep greys by rule 1: over the range of 16 bits, or the picture's own if it has no such."""
    if image.mode[0] not in "IF":
        return image
    low, high = 0.0, 65535.0
    bands = (np.nan_to_num(np.asarray(band)) for band in _bands(image))
    ends = np.array([(band.min(), band.max()) for band in bands], dtype=float)
    if image.mode == "F" or ends.min() < low or ends.max() > high:
        low, high = ends.min(), ends.max()
    return _scale(image, low, high, nan=0.0)


def _scale_values(image: Image.Image) -> Image.Image:
    """Deep greys by rule 2: from 0 to the highest value, or to the end of a usual range.

    - Of values that are few (one in 1,000 at either end) and far from the others, none counts.
    - A usual range is that of shares (of 1, 100, 1,000 or 10,000), or of 8, 10, 12, 14 or 16 bits.
    - If the lowest value is below 0, or above half of the highest one, it takes the place of 0.
    """
    if image.mode[0] not in "IF":
        return image
    step = int(np.ceil(np.sqrt(image.width * image.height / _SAMPLED_PIXELS)))
    some = [np.asarray(band)[::step, ::step].astype(float).ravel() for band in _bands(image)]
    values = np.sort(np.concatenate(some))
    values = values[np.isfinite(values)] if np.isfinite(values).any() else np.zeros(1)
    rare = max(int(len(values) > 2), len(values) // 1000)
    low, high = values[rare], values[-1 - rare]
    far = (high - low) / 4
    low, high = values[(values >= low - far) & (values <= high + far)][[0, -1]]
    if 0 <= low <= high / 2:
        filled = (top for top, share in _USUAL_TOPS.items() if share * top <= high <= top)
        low, high = 0.0, next(filled, high)
    return _scale(image, low, high, nan=low)


def _scale(image: Image.Image, low: float, high: float, nan: float) -> Image.Image:
    step = 255 / max(high - low, 1e-300)

    def scaled(band: Image.Image) -> Image.Image:
        values = np.nan_to_num(np.asarray(band), nan=nan).astype(np.float64)
        return Image.fromarray(np.rint((values - low) * step).clip(0, 255).astype(np.uint8))

    return _band_by_band(image, "L", scaled)


def _bands(image: Image.Image) -> Iterator[Image.Image]:
    """The picture in strips, so that what is made of each takes little memory."""
    rows = max(1, _BAND_PIXELS // image.width)
    if rows >= image.height:
        yield image
    else:
        for top in range(0, image.height, rows):
            yield image.crop((0, top, image.width, min(top + rows, image.height)))


def _band_by_band(
    image: Image.Image, mode: str, function: Callable[[Image.Image], Image.Image]
) -> Image.Image:
    """What a function that looks at single pixels makes of a picture."""
    whole, top = None, 0
    for band in _bands(image):
        made = function(band)
        if band is image:
            return made
        whole = whole or Image.new(mode, image.size)
        whole.paste(made, (0, top))
        top += made.height
    return whole


#: The rules of reading: for each subject a number and the function that follows the rule. Rule 1
#: is that of version 0.1. A new rule gets the next number; the old ones stay, since fingerprints
#: made by them are still compared with queries, which are then read by the same rule.
WAYS: dict[str, dict[int, Callable]] = {
    "orientation": {1: _orientation_by_exif},
    "colour profile": {1: _colours_as_stored, 2: to_srgb},
    "transparency": {1: _lay_on},
    "16 bits": {1: _scale_container, 2: _scale_values},
}

#: By which rules files are read unless other ones are asked for: the newest for each subject.
RULES = {subject: max(ways) for subject, ways in WAYS.items()}


def _reason(source: str | Path | BinaryIO | Image.Image, error: Exception) -> str:
    if isinstance(error, Image.DecompressionBombError):
        return (
            f"has more than {2 * Image.MAX_IMAGE_PIXELS // 1_000_000} million pixels, which Pillow "
            "refuses to open, since such files are used to exhaust memory; save a smaller copy"
        )
    if isinstance(error, UnidentifiedImageError):
        with file_of(source) as file:
            file.seek(0)
            return describe(file.read(1024))
    if "truncated" in str(error).lower():
        return f"ends before its picture does ({error}); copy it again from its source"
    if isinstance(error, OSError) and error.strerror and isinstance(source, (str, Path)):
        return reason_of_system(Path(source), error)
    return (
        f"could not be decoded ({type(error).__name__}: {error}); "
        "copy it again from its source, or save it anew"
    )


def thumbnail(path: str | Path, size: int) -> Image.Image | None:
    """A small copy of a picture. The JPEG decoder may shrink a large one, to 1.5 times the size.

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

    Notes
    -----
    At 512 pixels that takes 0.05 s for 0.12 s of 12 megapixels, with Display P3 0.06 s for 0.31 s.
    The `helpers.images.pixels.difference` of ten such JPEGs (photographs of scikit-image, in a
    mosaic or enlarged) and 70 copies changed by 0.6 levels on average, by 3.6 at most.

    Examples
    --------
    >>> thumbnail("no such file.jpg", 100) is None
    True
    """
    try:
        picture = open_with_size(path, at_least=size * 3 // 2)[0].convert("RGB")
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
    return {**READING, **reading}  # in the order of `READING`
