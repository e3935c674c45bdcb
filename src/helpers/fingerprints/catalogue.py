"""From pixels to bits: one table of fingerprints for a folder of images.

A fingerprint is the 64 bits of ``imagehash.dhash``: ``uint64`` in arrays and tables, 16 hex digits in the shelf and in
print. `to_hex` and `from_hex` convert between the two; nothing else does.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from helpers import Problem
from helpers.files.parallel import share_out
from helpers.fingerprints.hashes import of_image
from helpers.images.folders import find_images
from helpers.images.opening import complete_reading, open_with_size

if TYPE_CHECKING:  # imported in `of_folder`: workers do without it and start in half the time
    import pandas as pd


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
