"""From pixels to bits: one table of fingerprints for a folder of images.

A fingerprint is the 64 bits of ``imagehash.dhash``: ``uint64`` in arrays and tables, 16 hex digits in the shelf and in
print. `to_hex` and `from_hex` convert between the two; nothing else does.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import imagehash
import numpy as np
from PIL import Image, ImageColor

from helpers import Problem
from helpers.files.parallel import share_out
from helpers.images.opening import READING, find_images, open_image, open_with_size

if TYPE_CHECKING:  # imported in `of_folder`: workers do without it and start in half the time
    import pandas as pd


def to_hex(fingerprint: np.uint64) -> str:
    """The 16 hex digits of a fingerprint, as ``str(imagehash.dhash(image))`` prints them.

    Parameters
    ----------
    fingerprint : uint64
        A Python integer will do.

    Returns
    -------
    str
        First bit first.

    Raises
    ------
    Problem
        For what is no whole number of 64 bits.

    Examples
    --------
    >>> to_hex(np.uint64(255))
    '00000000000000ff'
    """
    if not isinstance(fingerprint, (int, np.integer)) or not 0 <= int(fingerprint) < 2**64:
        raise Problem(f"{fingerprint!r} is not a fingerprint; it is a whole number of 64 bits")
    return f"{int(fingerprint):016x}"


def from_hex(digits: str) -> np.uint64:
    """The fingerprint behind 16 hex digits.

    Parameters
    ----------
    digits : str

    Returns
    -------
    uint64

    Raises
    ------
    Problem
        If `digits` is anything else.

    Examples
    --------
    >>> from_hex("00000000000000ff")
    np.uint64(255)
    """
    if len(digits) != 16 or not set(digits.lower()) <= set("0123456789abcdef"):
        raise Problem(f"{digits!r} is not a fingerprint; it takes 16 hex digits")
    return np.uint64(int(digits, 16))


def of_image(image: Image.Image, hash_size: int = 8) -> np.uint64 | np.ndarray:
    """The dHash of a picture in memory.

    Parameters
    ----------
    image : PIL.Image.Image
    hash_size : int
        8 for 64 bits, 16 for 256; a multiple of 8.

    Returns
    -------
    uint64
        ``imagehash.dhash(image)``: 64 comparisons of neighbours in a 9 x 8 thumbnail, first bit highest. For a larger
        `hash_size` an array of so many uint64, first word first.

    Raises
    ------
    Problem
        For another `hash_size`.

    Notes
    -----
    dHash is N. Krawetz's, "Kind of Like That" (hackerfactor.com, 2013).

    Examples
    --------
    >>> of_image(Image.linear_gradient("L").rotate(90))
    np.uint64(18446744073709551615)
    """
    if not isinstance(hash_size, int) or hash_size < 8 or hash_size % 8:
        raise Problem(
            f"hash_size {hash_size!r}: it is 8 (64 bits), 16 (256 bits) or another multiple of 8"
        )
    words = np.packbits(imagehash.dhash(image, hash_size).hash).view(">u8").astype(np.uint64)
    return words[0] if len(words) == 1 else words


def of_file(path: str | Path, **reading: object) -> np.uint64:
    """The fingerprint of an image file.

    Parameters
    ----------
    path : str or Path
    **reading
        ``rotate``, ``background``, ``fast``: see `helpers.images.opening.open_image`.

    Returns
    -------
    uint64

    Raises
    ------
    Problem
        With the reason, if the file cannot be read.

    Examples
    --------
    >>> to_hex(of_file("data/sample/cat/whole.jpg"))  # doctest: +SKIP
    '3c3c3e0f8ececdc9'
    """
    return of_image(open_image(path, **reading))


def of_folder(
    folder: str | Path,
    images: list[str] | None = None,
    *,
    workers: int | None = None,
    **reading: object,
) -> pd.DataFrame:
    """The table of a folder's images: one row each, in the order of `images`.

    Parameters
    ----------
    folder : str or Path
        The dataset's root.
    images : list of str, optional
        Paths relative to `folder`; all images below it, sorted, if left out.
    workers : int, optional
        Processes. If left out all processors, but one for a few images. The table does not depend on it.
    **reading
        ``rotate``, ``background``, ``fast``: see `helpers.images.opening.open_image`.

    Returns
    -------
    DataFrame
        ``path`` (relative, with ``/``), ``category`` (the folder it lies in), ``width`` and ``height`` (pixels, as shown),
        ``fingerprint`` (UInt64, which allows a missing value) and ``problem``: empty, or why the file could not be read;
        such a row has no fingerprint. ``attrs["reading"]`` keeps how the files were read.

    Raises
    ------
    Problem
        If `images` is left out and there is no such folder, or no image in it. A file that cannot be read raises nothing.

    Examples
    --------
    >>> of_folder("data/sample")["problem"].eq("").all()  # doctest: +SKIP
    True
    """
    import pandas as pd

    reading = complete_reading(reading)
    images = find_images(folder) if images is None else list(images)
    job = partial(_rows, Path(folder), reading)
    rows = share_out(job, images, workers=workers, title="fingerprints")
    table = pd.DataFrame(
        rows, columns=["path", "category", "width", "height", "fingerprint", "problem"]
    )
    table = table.astype({"width": "Int64", "height": "Int64", "problem": "str"})
    table["fingerprint"] = pd.array([row[4] for row in rows], dtype="UInt64")
    table.attrs["reading"] = reading
    return table


def readable(table: pd.DataFrame) -> pd.DataFrame:
    """The rows that have a fingerprint; one sentence in print says what was left out.

    Parameters
    ----------
    table : DataFrame
        From `of_folder`.

    Returns
    -------
    DataFrame
        Numbered anew.

    Examples
    --------
    >>> readable(of_folder("photos"))  # doctest: +SKIP
    """
    left_out = table[table["problem"] != ""]
    if len(left_out):
        first = left_out.iloc[0]
        print(
            f"{len(left_out)} of {len(table)} images could not be read, the first: {first.path}: {first.problem}"
        )
    return table[table["problem"] == ""].reset_index(drop=True)


def complete_reading(reading: dict) -> dict:
    """All arguments of `helpers.images.opening.open_image`, the given ones and the defaults of the others."""
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


def _rows(folder: Path, reading: dict, images: list[str]) -> list[tuple]:
    return [_row(folder, path, reading) for path in images]


def _row(folder: Path, path: str, reading: dict) -> tuple:
    file = f"{folder}/{path}"
    category = path.rpartition("/")[0]
    try:
        path.encode("utf-8")
        image, (width, height) = open_with_size(file, **reading)
        return path, category, width, height, int(of_image(image)), ""
    except UnicodeEncodeError:
        shown = path.encode("utf-8", "backslashreplace").decode()
        return shown, "", None, None, None, "its name is not valid text; rename it"
    except Problem as problem:
        return path, category, None, None, None, str(problem).removeprefix(f"{file}: ")
