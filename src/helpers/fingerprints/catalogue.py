"""The table of a folder: a row an image, with its fingerprint or what went wrong."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

import numpy as np

from helpers import Problem
from helpers.files.parallel import share_out
from helpers.fingerprints import recipe
from helpers.fingerprints.hashes import DHASH, hash_of, of_shown, to_hex
from helpers.images.folders import find_images
from helpers.images.formats import name_of, reason_of_system
from helpers.images.opening import open_with_size

if TYPE_CHECKING:  # imported in `of_folder`: workers do without it and start in half the time
    import pandas as pd


def of_folder(
    folder: str | Path,
    images: list[str] | None = None,
    *,
    hash: str = DHASH,
    workers: int | None = None,
    rules: dict[str, int] | None = None,
    **reading: object,
) -> pd.DataFrame:
    """The table of a folder's images: one row each, in the order of `images`.

    Parameters
    ----------
    folder : str or Path
        The dataset's root.
    images : list of str, optional
        Paths relative to `folder`; if left out, all images below it, sorted.
    hash : str
        The name of the hash: one of `helpers.fingerprints.hashes.HASHES`.
    workers : int, optional
        How many processes share the work. If left out, all processors do, but one for a few
        images. The table does not depend on it.
    rules : dict, optional
        By which rules the files are read: see `helpers.images.opening.open_image`.
    **reading
        ``rotate``, ``background``, ``fast``: see `helpers.images.opening.open_image`.

    Returns
    -------
    DataFrame
        The columns are:

        - ``path``: relative, with ``/``;
        - ``category``: the folder it lies in;
        - ``width``, ``height``: pixels, as shown;
        - ``fingerprint``: UInt64 (which allows a missing value) for hashes of up to 64 bits, hex
          text for wider ones;
        - ``quality``: 0 to 100, only for a hash that has one (PDQ);
        - ``problem``: empty, or why the file could not be read; such a row has no fingerprint.

        ``attrs["reading"]`` keeps how the files were read, ``attrs["recipe"]`` all that made the
        fingerprints, in the form of `helpers.fingerprints.recipe.Recipe.as_dict`.

    Raises
    ------
    Problem
        If there is no such hash; or, where `images` is left out, if there is no such folder or
        no image in it. A file that cannot be read raises nothing.

    Notes
    -----
    If some rows have no fingerprint, pandas takes the column of a CSV file for floats, which lose
    bits. ``pd.read_csv(file, dtype={"fingerprint": "UInt64"})`` brings it back whole; for hashes of
    more than 64 bits it is ``"str"``.

    Examples
    --------
    >>> of_folder("data/sample")["problem"].eq("").all()  # doctest: +SKIP
    True
    """
    import pandas as pd

    made, kind = recipe.here(hash, rules=rules, **reading), hash_of(hash)
    images = find_images(folder) if images is None else list(images)
    job = partial(_row, Path(folder), made)
    rows = share_out(job, images, workers=workers, title="fingerprints")
    columns = ["path", "category", "width", "height", "fingerprint", "quality", "problem"]
    table = pd.DataFrame(rows, columns=columns)
    kinds = {"width": "Int64", "height": "Int64", "quality": "Int64", "problem": "str"}
    table = table.astype(kinds)
    table["fingerprint"] = as_column([row[4] for row in rows], hash)
    if not kind.quality:
        del table["quality"]
    table.attrs.update(reading=made.reading, recipe=made.as_dict())
    return table


def as_column(
    values: list[int | str | None], hash: str = DHASH
) -> pd.api.extensions.ExtensionArray:
    """A column of fingerprints, in which some may be missing.

    Parameters
    ----------
    values : list of int, str or None
        Numbers of a hash of up to 64 bits, hex text of a wider one; None where there is none.
    hash : str
        The hash that made them.

    Returns
    -------
    pandas array
        UInt64, or text for a wider hash.

    Notes
    -----
    ``pd.array(values, dtype="UInt64")`` will not do. pandas 3.1 takes a list of integers for
    floats if the largest of them is a float exactly, and all others lose their last bits.

    Examples
    --------
    >>> as_column([2**63, 2**63 - 1, None]).tolist()
    [9223372036854775808, 9223372036854775807, <NA>]
    """
    import pandas as pd

    if hash_of(hash).words > 1:
        return pd.array(values, dtype="string")
    numbers = np.array([value or 0 for value in values], dtype=np.uint64)
    return pd.arrays.IntegerArray(numbers, np.array([value is None for value in values], bool))


def readable(table: pd.DataFrame) -> pd.DataFrame:
    """The rows that have a fingerprint; one sentence in print says what was left out.

    Parameters
    ----------
    table : DataFrame
        From `of_folder`.

    Returns
    -------
    DataFrame
        Those rows, numbered anew.

    Examples
    --------
    >>> readable(of_folder("photos"))  # doctest: +SKIP
    """
    left_out = table[table["problem"] != ""]
    if len(left_out):
        first = left_out.iloc[0]
        print(
            f"{len(left_out)} of {len(table)} images could not be read, "
            f"the first: {first.path}: {first.problem}"
        )
    return table[table["problem"] == ""].reset_index(drop=True)


def row_of(path: str, made: recipe.Recipe, file: str | BinaryIO | Callable[[], BinaryIO]) -> tuple:
    """The row of one picture.

    Parameters
    ----------
    path : str
        What the table calls it.
    made : Recipe
        What makes the fingerprint.
    file : str, binary file or callable
        Where it is read from; or what fetches it, as from a store, when its turn comes.

    Returns
    -------
    tuple
        ``path``, ``category``, ``width``, ``height``, ``fingerprint`` (an integer, or hex text of a
        hash of more than 64 bits), ``quality``, ``problem``.

    Examples
    --------
    >>> row_of("no such.jpg", recipe.here(), "photos/no such.jpg")[-1].partition(";")[0]
    'no such file'
    """
    kind, category = hash_of(made.hash), path.rpartition("/")[0]
    try:
        path.encode("utf-8")
        file = file() if callable(file) else file
        image, (width, height) = open_with_size(file, rules=made.rules, **made.reading)
        value = of_shown(image, made.hash)
        value = int(value) if kind.words == 1 else to_hex(value, kind.bits)
        quality = kind.quality(image) if kind.quality else None
        return path, category, width, height, value, quality, ""
    except UnicodeEncodeError:
        shown = path.encode("utf-8", "backslashreplace").decode()
        return shown, "", None, None, None, None, "its name is not valid text; rename it"
    except Problem as problem:
        reason = str(problem).removeprefix(f"{name_of(file)}: ")
        return path, category, None, None, None, None, reason
    except (FileNotFoundError, PermissionError) as error:
        return path, category, None, None, None, None, reason_of_system(Path(path), error)


def _row(folder: Path, made: recipe.Recipe, path: str) -> tuple:
    return row_of(path, made, f"{folder}/{path}")
