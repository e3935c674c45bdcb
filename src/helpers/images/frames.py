"""The frames and pages of a picture file, each as people see it."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

from PIL import Image

from helpers.images.formats import check_memory, file_of, open_header
from helpers.images.opening import open_image

#: Frames that are counted at most, since a small file may name millions of them.
MOST_FRAMES = 10_000

#: Pixels of frames that `frames` goes through at most, since an animation has to be decoded from
#: its beginning. So many, of noise, take 12 seconds as a GIF, 20 as a WebP and 28 as an AVIF.
MOST_FRAME_PIXELS = 250_000_000

_REDUCED_OR_MASK = 0b101  # of the TIFF tag NewSubfileType, 254


def count_frames(source: str | Path | BinaryIO | Image.Image) -> int:
    """How many frames or pages a file shows.

    Parameters
    ----------
    source : str, Path, binary file or PIL.Image.Image
        The file, or a picture that Pillow has opened and not decoded yet.

    Returns
    -------
    int
        Of a GIF or TIFF no more than `MOST_FRAMES`. In an MPO only the views of stereo cameras and
        the parts of panoramas count: its other pictures are previews, gain maps and the like. In
        a TIFF reduced copies of a page and masks do not count.

    Raises
    ------
    Problem
        If the file cannot be read.

    Examples
    --------
    >>> count_frames(Image.new("L", (90, 80)))
    1
    """
    if isinstance(source, Image.Image):
        return len(_numbers(source))
    with suppress(Exception), file_of(source) as file, _quietly(open_header, file) as image:
        return len(_quietly(_numbers, image))
    open_image(source)  # it says what is wrong; or all is well but what stands beside a PNG
    return 1


def frames(
    source: str | Path | BinaryIO, most: int = 8, **reading: object
) -> Iterator[Image.Image]:
    """The frames or pages of a file, each as `helpers.images.opening.open_image` gives it.

    Parameters
    ----------
    source : str, Path or binary file
        The file.
    most : int
        If there are more frames than this, so many of them come, evenly spread: the first one, the
        last one, and some between.
    **reading
        Arguments of `open_image`.

    Yields
    ------
    PIL.Image.Image
        One at a time is held. Of an MPO all pictures come, also those that do not count. Fewer
        come than ``min(most, count_frames(source))`` if a frame is broken or too large, or if
        `MOST_FRAME_PIXELS` are used up: a file of which nobody has seen the rest.

    Raises
    ------
    Problem
        If the first frame cannot be read.

    Examples
    --------
    >>> [frame.size for frame in frames("dance.gif", most=3)]  # doctest: +SKIP
    [(320, 240), (320, 240), (320, 240)]
    """
    yield open_image(source, **reading)
    with suppress(Exception), file_of(source) as file, _quietly(open_header, file) as image:
        # in an MPO all: a hidden picture may be what somebody looks for
        counted = range(image.n_frames) if image.format == "MPO" else _quietly(_numbers, image)
        shown = min(most, len(counted))
        wanted = {counted[i * (len(counted) - 1) // max(shown - 1, 1)] for i in range(1, shown)}
        has_pages = image.format in ("TIFF", "MPO")  # of which each is decoded by itself
        spent = 0
        for number in range(1, max(wanted, default=0) + 1):
            if has_pages and number not in wanted:
                continue
            spent += image.width * image.height
            if spent > MOST_FRAME_PIXELS:
                return
            _quietly(image.seek, number)
            check_memory(image, image.size, is_copied=True)  # it may have grown
            if number in wanted:
                frame = open_image(image, **reading)
                yield frame.copy() if frame is image else frame


def _quietly(function: Callable, argument: object) -> object:
    with warnings.catch_warnings(action="ignore"):
        return function(argument)


def _numbers(image: Image.Image) -> Sequence[int]:
    """The numbers of the frames that count."""
    if image.format == "MPO":
        kinds = [entry["Attribute"]["MPType"] for entry in image.mpinfo[0xB002]]
        return [i for i, kind in enumerate(kinds) if not i or kind.startswith("Multi-Frame")]
    if image.format not in ("GIF", "TIFF"):
        return range(getattr(image, "n_frames", 1))
    counted = [0]
    for number in range(1, MOST_FRAMES):
        try:  # `seek` would decode a GIF, and `n_frames` goes on for ever where there are millions
            image._seek(number, False) if image.format == "GIF" else image.seek(number)
        except EOFError:
            break
        except Exception:  # it is there, and broken
            counted.append(number)
            break
        if image.format == "GIF" or not image.tag_v2.get(254, 0) & _REDUCED_OR_MASK:
            counted.append(number)
    image.seek(0)
    return counted
