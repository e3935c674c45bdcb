"""Hide near-duplicates in a haystack, and write down the truth about them.

The article's ``gather.py`` meant to do this, but saved the original file again in place of the
resized picture: its copies were equal byte for byte. `gather` really saves what it resizes.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
import random
from collections.abc import Iterator
from functools import partial
from importlib.metadata import version
from importlib.resources import files
from itertools import count
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from PIL import Image

from helpers import Problem, __version__
from helpers.files.atomic import exclusive, new_folder, write_problem, write_text
from helpers.files.guard import check_output
from helpers.files.parallel import share_out
from helpers.files.places import counted, one_line, open_input, sha256_of
from helpers.files.tables import as_csv, read_csv
from helpers.images.folders import find_images
from helpers.images.formats import reason_of_system
from helpers.images.opening import open_image, open_with_size
from helpers.truth import ownership
from helpers.truth.ownership import LIST

if TYPE_CHECKING:  # imported where it is used: workers do without it and start in half the time
    import pandas as pd

#: The name of each format that copies may have -> the suffix of their files.
FORMATS = {"jpeg": ".jpg", "png": ".png"}

#: The largest factor. Who gives more most likely means per cent.
MOST_FACTOR = 10
#: No copy has more pixels: Pillow refuses to open such a picture.
MOST_PIXELS_OF_A_COPY = 178_956_970
_MOST_FOLDERS = 500  # above a file: Python cannot remove many more within each other
_TRUTH = "truth.csv"
#: The columns of a truth, and what each holds.
_COLUMNS = {"needle": str, "copy": str, "factor": float, "width": int, "height": int}
# of a column of names as they are on the disk: with pyarrow, pandas keeps only valid text as str
_AS_THEY_ARE = object


def article_needles(images: list[str], *, seed: int = 0, others: bool = True) -> pd.DataFrame:
    """The article's 17 needles with the article's numbers of copies.

    Parameters
    ----------
    images : list of str
        The dataset's paths.
    seed : int
        What the choice of others starts from: same seed, same choice.
    others : bool
        Whether as many others are chosen at random if CALTECH-101's 17 are not all among the
        images.

    Returns
    -------
    DataFrame
        ``needle`` (path), ``copies`` and ``query``: 1, 2, 3 for the three that the article looks
        up, else missing.

    Raises
    ------
    Problem
        If there are fewer than 17 images, or if the article's are not among them and others are
        not wanted.

    Examples
    --------
    >>> int(article_needles([f"{n}.jpg" for n in range(20)])["copies"].sum())
    69
    """
    import pandas as pd

    table = pd.read_csv(
        files("helpers") / "tables" / "article_needles.csv", dtype={"query": "Int64"}
    )
    table = table[["needle", "copies", "query"]]
    if not set(table["needle"]) <= set(images):
        if not others:
            raise Problem("the article's 17 images are not in it; name CALTECH-101's folder")
        if len(images) < len(table):
            raise Problem(
                f"the dataset has {counted(len(images), 'image')}; "
                f"the article's plan takes at least {len(table)}: choose a larger dataset"
            )
        chosen = sorted(_shuffled(images, random.Random(seed))[: len(table)])
        table["needle"] = pd.Series(chosen, dtype=_AS_THEY_ARE)
    return table


def random_needles(
    images: list[str], needles: int = 17, *, copies: tuple[int, int] = (1, 8), seed: int = 0
) -> pd.DataFrame:
    """Needles chosen at random, each with a random number of copies.

    Parameters
    ----------
    images : list of str
        The dataset's paths, in any order.
    needles : int
        How many to choose; all images, if there are no more.
    copies : (int, int)
        The fewest and the most copies of a needle. The article drew 1 to 8.
    seed : int
        What the choice starts from: same seed, same choice.

    Returns
    -------
    DataFrame
        ``needle`` (path) and ``copies``, sorted by path.

    Raises
    ------
    Problem
        If a number is below 1, or the fewest copies are more than the most.

    Examples
    --------
    >>> random_needles(["a.jpg", "b.jpg", "c.jpg"], 2, copies=(4, 4), seed=1)["copies"].tolist()
    [4, 4]
    """
    import pandas as pd

    if needles < 1 or not 1 <= copies[0] <= copies[1]:
        raise Problem(
            f"{needles} needles with {copies[0]} to {copies[1]} copies: both numbers start at 1"
        )
    rng = random.Random(seed)
    chosen = sorted(_shuffled(images, rng)[:needles])
    numbers = [copies[0] + int(rng.random() * (copies[1] - copies[0] + 1)) for _ in chosen]
    return pd.DataFrame({"needle": pd.Series(chosen, dtype=_AS_THEY_ARE), "copies": numbers})


def gather(
    folder: str | Path,
    output: str | Path,
    needles: pd.DataFrame,
    *,
    images: list[str] | None = None,
    seed: int = 0,
    factors: tuple[float, float] = (0.95, 1.05),
    format: str = "jpeg",
    quality: int = 75,
    resize: bool = True,
    replace: bool = False,
    workers: int | None = None,
) -> pd.DataFrame:
    """Copy a dataset and hide resized copies of the needles in it.

    Parameters
    ----------
    folder : str or Path
        The dataset's root. Nothing in it is changed.
    output : str or Path
        The haystack to make. If it is there already and was made in the same way, it is used as
        it is; if files of it are missing, it is made anew.
    needles : DataFrame
        ``needle`` and ``copies``, from `article_needles` or `random_needles`.
    images : list of str, optional
        The images to copy; all below `folder` if left out.
    seed : int
        What the factors are drawn from. Same seed, same copies, byte for byte (with one version
        of Pillow).
    factors : (float, float)
        Each copy's width and height are the needle's times a factor drawn evenly between these
        two. A draw that would leave width or height as it was is drawn again.
    format : {"jpeg", "png"}
        How copies are saved: one of `FORMATS`.
    quality : int
        JPEG quality, 1 to 95; 75 is Pillow's default.
    resize : bool
        Whether copies are resized. False repeats the mistake of the article's script: each copy
        is the needle's file, byte for byte.
    replace : bool
        Whether a haystack that was made in another way is replaced. A haystack is made anew only
        if all in it is as `gather` wrote it: ``gather.json`` lists the files.
    workers : int, optional
        Processes; all processors if left out. The result does not depend on it.

    Returns
    -------
    DataFrame
        The truth, a row a copy: ``needle``, ``copy`` (paths in the haystack), ``factor``,
        ``width``, ``height`` (pixels). It is also in ``truth.csv`` in the haystack. A needle that
        cannot be read, or is too small to be resized, gets no copies; one sentence in print names
        it. So it is with a file that cannot be copied, as a pipe.

    Raises
    ------
    Problem
        If `output` holds something else, if it is to be made anew and holds a file that `gather`
        did not write, if a needle is not in the dataset, or if an argument is out of range.

    Examples
    --------
    >>> gather("photos", "haystack", random_needles(find_images("photos")))  # doctest: +SKIP
    """
    folder, output = Path(folder), Path(output)
    images = find_images(folder) if images is None else sorted(set(images))
    asked = dict(seed=seed, factors=list(factors), format=format, quality=quality, resize=resize)
    _check_arguments(folder, needles, images, asked)
    check_output(output, "haystack", folders=[folder])
    settings = _settings(folder, images, needles, asked)
    with exclusive(output):
        made, listed = _read_list(output, settings, replace)
        if made == settings and listed and all((output / path).is_file() for path in listed):
            return read_truth(output / _TRUTH)
        ownership.check_own(output, listed)
        truth = _plan(folder, needles, asked)
        jobs = [(path, path, None) for path in images]
        for row in truth.itertuples():
            jobs.append((row.needle, row.copy, (row.width, row.height) if resize else None))
        with new_folder(output) as place:
            save, files = partial(_save, folder, place, quality), {}
            for name, digest, sentence in share_out(save, jobs, workers=workers, title="haystack"):
                if sentence:
                    print(one_line(sentence))
                else:
                    files[name] = digest
            write_truth(place / _TRUTH, truth)
            files[_TRUTH] = sha256_of(place / _TRUTH)
            write_text(place / LIST, ownership.as_list(settings, files))
            ownership.check_own(output, listed)  # has something come meanwhile?
    return truth


def write_truth(path: str | Path, truth: pd.DataFrame) -> None:
    """Write the truth as CSV, with the same bytes on every system.

    Parameters
    ----------
    path : str or Path
        The file; a truth that is there already is replaced.
    truth : DataFrame
        From `gather`.

    Raises
    ------
    Problem
        If the file cannot be written, or if something else is there.

    Notes
    -----
    A name that a spreadsheet would run as a formula gets a mark in front, which `read_truth` takes
    back: see `helpers.files.tables`.

    Examples
    --------
    >>> write_truth("truth.csv", truth)  # doctest: +SKIP
    """
    check_output(path, "truth")
    rows = truth.astype(object).itertuples(index=False)
    with exclusive(path):  # which clears what a killed run left
        write_text(path, as_csv(truth.columns, rows, quote_texts=False))


def read_truth(path: str | Path) -> pd.DataFrame:
    """The truth that `gather` wrote.

    Parameters
    ----------
    path : str or Path
        The file, which may have passed through a spreadsheet.

    Returns
    -------
    DataFrame
        What `gather` returned.

    Raises
    ------
    Problem
        If the file cannot be read or does not hold a truth.

    Examples
    --------
    >>> read_truth("haystack/truth.csv")  # doctest: +SKIP
    """
    import pandas as pd

    columns, rows = read_csv(path)
    absent = [column for column in _COLUMNS if column not in columns]
    if absent:
        raise Problem(f"{path}: line 1: has no column {absent[0]!r}; gather again")
    cells = {column: [] for column in _COLUMNS}
    for line, row in rows:
        about = dict(zip(columns, row, strict=False))
        try:
            for column, kind in _COLUMNS.items():
                value = kind(about[column])
                if not (value if kind is str else abs(value) < 2**63):
                    raise ValueError("no name, or no number of 64 bits")
                cells[column].append(value)
        except (KeyError, ValueError) as error:
            found = about.get(column, "")
            raise Problem(
                f"{path}: line {line}: {found!r} is not a valid {column}; gather again"
            ) from error
    return pd.DataFrame({c: pd.Series(cells[c], dtype=kind) for c, kind in _COLUMNS.items()})


def _check_arguments(folder: Path, needles: pd.DataFrame, images: list[str], asked: dict) -> None:
    factors, quality = asked["factors"], asked["quality"]
    if asked["format"] not in FORMATS:
        names = " or ".join(map(repr, FORMATS))
        raise Problem(f"format {asked['format']!r}: copies are saved as {names}")
    if not 1 <= quality <= 95:
        raise Problem(f"quality {quality}: JPEG quality runs from 1 to 95")
    if not 0 < factors[0] < factors[1] <= MOST_FACTOR:
        raise Problem(
            f"factors {factors[0]} and {factors[1]}: give the smaller one first, both above 0, at "
            f"most {MOST_FACTOR} and not equal, as 0.95 and 1.05 (they are not in per cent)"
        )
    absent = sorted(set(needles["needle"]) - set(images))
    if absent:
        raise Problem(
            f"{folder}: has no image {absent[0]} to copy; needles are paths relative to it"
        )


def _settings(folder: Path, images: list[str], needles: pd.DataFrame, asked: dict) -> dict:
    """All that decides what the haystack holds."""
    return {
        **asked,
        "needles": needles[["needle", "copies"]].astype(object).values.tolist(),
        "images": _listing_digest(folder, images),
        "versions": {"helpers": __version__, "pillow": version("pillow")},
    }


def _listing_digest(folder: Path, images: list[str]) -> str:
    sizes = []
    for path in images:
        try:
            sizes.append((folder / path).lstat().st_size)
        except OSError as error:
            if error.errno != errno.ENAMETOOLONG:
                raise Problem(
                    f"{error.filename}: cannot be copied ({error.strerror}); "
                    "list only images that are there"
                ) from error
            sizes.append(0)
    return hashlib.sha256(json.dumps([images, sizes]).encode()).hexdigest()


def _read_list(output: Path, settings: dict, replace: bool) -> tuple[dict, dict]:
    """What the list in it gives, if the haystack may be used or replaced."""
    made, listed = ownership.read_list(output / LIST)
    if made and made.keys() != settings.keys():
        raise Problem(f"{output}: is there already and is no haystack; choose a new folder")
    if made and made != settings and not replace:
        changed = ", ".join(key for key in settings if made[key] != settings[key])
        raise Problem(
            f"{output}: holds a haystack made otherwise ({changed}); "
            "replace it or choose another folder"
        )
    return made, listed


def _plan(folder: Path, needles: pd.DataFrame, asked: dict) -> pd.DataFrame:
    """The truth about the copies to be made, under names that the dataset does not have."""
    import pandas as pd

    rng, rows, taken, resize = random.Random(asked["seed"]), [], set(), asked["resize"]
    for needle, copies in needles[["needle", "copies"]].itertuples(index=False):
        try:
            needle.encode()
            _check_depth(folder / needle)
            size = open_with_size(folder / needle)[1]
            drawn = [
                _draw(rng, folder / needle, size, asked["factors"]) if resize else (1.0, size)
                for _ in range(copies)
            ]
        except UnicodeEncodeError:
            print(f"No copies of {one_line(needle)}: its name is not valid text; rename it")
            continue
        except Problem as problem:
            print(one_line(f"No copies of {problem}"))
            continue
        stem = PurePosixPath(needle)
        suffix = FORMATS[asked["format"]] if resize else stem.suffix
        names = (str(stem.with_name(f"{stem.stem}_copy_{n}{suffix}")) for n in count(1))
        free = (name for name in names if not (name in taken or os.path.lexists(folder / name)))
        for (factor, new_size), name in zip(drawn, free, strict=False):
            taken.add(name)
            rows.append((needle, name, factor, *new_size))
    return pd.DataFrame(rows, columns=list(_COLUMNS))


def _draw(rng: random.Random, path: Path, size: tuple, factors: list) -> tuple[float, tuple]:
    """A factor that changes both sides, and the new sides."""
    for _ in range(1000):
        factor = round(factors[0] + (factors[1] - factors[0]) * rng.random(), 6)
        new = tuple(max(1, round(side * factor)) for side in size)
        if new[0] * new[1] > MOST_PIXELS_OF_A_COPY:
            raise Problem(
                f"{path}: has {size[0]} x {size[1]} pixels, so a copy would have more than "
                f"{MOST_PIXELS_OF_A_COPY:,}; choose another needle or smaller factors"
            )
        if new[0] != size[0] and new[1] != size[1]:
            return factor, new
    raise Problem(
        f"{path}: is only {size[0]} x {size[1]} pixels, so a factor of {factors[0]} to "
        f"{factors[1]} does not change both; choose another needle or a wider range"
    )


def _save(folder: Path, place: Path, quality: int, job: tuple) -> tuple[str, str, str]:
    """Write a file of the haystack: its name and SHA-256, or why it could not be read."""
    source, name, size = job
    target = place / name
    try:
        _check_depth(folder / source)
        target.parent.mkdir(parents=True, exist_ok=True)
        if size is None:
            with target.open("wb") as copy:
                copy.writelines(_pieces(folder / source))
        else:
            image = open_image(folder / source)
            image = image.convert("L" if image.mode in ("L", "1") else "RGB")
            image.resize(size, Image.Resampling.LANCZOS).save(target, quality=quality)
        return name, sha256_of(target), ""
    except Problem as problem:
        if size is not None:  # the truth already tells of this copy
            raise
        target.unlink(missing_ok=True)
        return name, "", f"Not copied: {problem}"
    except OSError as error:
        if error.errno != errno.ENAMETOOLONG or size is not None:
            raise write_problem(place, error) from error
        return name, "", f"Not copied: {folder / source}: its path is too long."


def _check_depth(file: Path) -> None:
    if len(file.parts) > _MOST_FOLDERS:
        raise Problem(f"{file}: lies in more than {_MOST_FOLDERS} folders; move it up")


def _pieces(file: Path) -> Iterator[bytes]:
    try:
        with open_input(file) as content:
            while piece := content.read(2**20):
                yield piece
    except OSError as error:
        raise Problem(f"{file}: {reason_of_system(file, error)}") from error


def _shuffled(images: list[str], rng: random.Random) -> list[str]:
    # random() is the one draw whose sequence Python promises never to change.
    return sorted(sorted(images), key=lambda _: rng.random())
