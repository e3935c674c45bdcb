"""Hide near-duplicates in a haystack, and write down the truth about them.

The article's ``gather.py`` meant to do this, but saved the original file again in place of the
resized picture: its copies were equal byte for byte. `gather` really saves what it resizes.
"""

from __future__ import annotations

import hashlib
import json
import math
import random
from functools import partial
from importlib.metadata import version
from importlib.resources import files
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from PIL import Image

from helpers import Problem, __version__
from helpers.files.atomic import exclusive, new_folder, write_problem, write_text
from helpers.files.parallel import share_out
from helpers.files.places import real_path
from helpers.files.tables import as_csv, read_csv
from helpers.images.folders import find_images
from helpers.images.opening import open_image, open_with_size

if TYPE_CHECKING:  # imported where it is used: workers do without it and start in half the time
    import pandas as pd

#: The name of each format that copies may have -> the suffix of their files.
FORMATS = {"jpeg": ".jpg", "png": ".png"}

#: The columns of a truth, and what each holds.
_COLUMNS = {"needle": str, "copy": str, "factor": float, "width": int, "height": int}


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
                f"the dataset has {len(images)} images; "
                f"the article's plan takes at least {len(table)}"
            )
        table["needle"] = sorted(_shuffled(images, random.Random(seed))[: len(table)])
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
    return pd.DataFrame({"needle": chosen, "copies": numbers})


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
        it is.
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
        Whether a haystack that was made in another way is replaced.
    workers : int, optional
        Processes; all processors if left out. The result does not depend on it.

    Returns
    -------
    DataFrame
        The truth, a row a copy: ``needle``, ``copy`` (paths in the haystack), ``factor``,
        ``width``, ``height`` (pixels). It is also in ``truth.csv`` in the haystack. A needle that
        cannot be read gets no copies; one sentence in print names it.

    Raises
    ------
    Problem
        If `output` holds something else, a needle is not in the dataset, a needle is too small to
        be resized, or an argument is out of range.

    Examples
    --------
    >>> gather("photos", "haystack", random_needles(find_images("photos")))  # doctest: +SKIP
    """
    folder, output = Path(folder), Path(output)
    images = find_images(folder) if images is None else sorted(set(images))
    _check_arguments(folder, output, needles, images, factors, format, quality)
    settings = {
        "seed": seed,
        "factors": list(factors),
        "format": format,
        "quality": quality,
        "resize": resize,
        "needles": needles[["needle", "copies"]].astype(object).values.tolist(),
        "images": _listing_digest(folder, images),
        "versions": {"helpers": __version__, "pillow": version("pillow")},
    }
    with exclusive(output):
        made = _read_settings(output)
        if made == settings and (output / "truth.csv").is_file():
            truth = read_truth(output / "truth.csv")
            if all((output / copy).is_file() for copy in truth["copy"]):
                return truth
        if made and made != settings and not replace:
            changed = ", ".join(key for key in settings if made.get(key) != settings[key])
            raise Problem(
                f"{output}: holds a haystack made otherwise ({changed}); "
                "replace it or choose another folder"
            )
        truth = _plan(folder, needles, set(images), seed, factors, format, resize)
        with new_folder(output) as place:
            jobs = _files_to_write(images, truth, resize)
            job = partial(_save, folder, place, quality)
            for sentence in share_out(job, jobs, workers=workers, title="haystack"):
                print(sentence)
            write_truth(place / "truth.csv", truth)
            write_text(place / "gather.json", json.dumps(settings, indent=1) + "\n")
    return truth


def _files_to_write(images: list[str], truth: pd.DataFrame, resize: bool) -> list[tuple]:
    """Of each file its source, its name, and the size of a copy that is resized."""
    return [(path, path, None) for path in images] + [
        (row.needle, row.copy, (row.width, row.height) if resize else None)
        for row in truth.itertuples()
    ]


def write_truth(path: str | Path, truth: pd.DataFrame) -> None:
    """Write the truth as CSV, with the same bytes on every system.

    Parameters
    ----------
    path : str or Path
        The file; one that is there already is replaced.
    truth : DataFrame
        From `gather`.

    Raises
    ------
    Problem
        If the file cannot be written.

    Notes
    -----
    A name that a spreadsheet would run as a formula gets a mark in front, which `read_truth` takes
    back: see `helpers.files.tables`.

    Examples
    --------
    >>> write_truth("truth.csv", truth)  # doctest: +SKIP
    """
    rows = truth.astype(object).itertuples(index=False)
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
                cells[column].append(kind(about[column]))
        except (KeyError, ValueError) as error:
            found = about.get(column, "")
            raise Problem(
                f"{path}: line {line}: {found!r} is not a valid {column}; gather again"
            ) from error
    return pd.DataFrame({c: pd.Series(cells[c], dtype=kind) for c, kind in _COLUMNS.items()})


def _check_arguments(
    folder: Path,
    output: Path,
    needles: pd.DataFrame,
    images: list[str],
    factors: tuple[float, float],
    format: str,
    quality: int,
) -> None:
    if format not in FORMATS:
        names = " or ".join(map(repr, FORMATS))
        raise Problem(f"format {format!r}: copies are saved as {names}")
    if not 1 <= quality <= 95:
        raise Problem(f"quality {quality}: JPEG quality runs from 1 to 95")
    if not 0 < factors[0] < factors[1] < math.inf:
        raise Problem(
            f"factors {factors}: give the smaller one first, both above 0, finite and not equal"
        )
    absent = sorted(set(needles["needle"]) - set(images))
    if absent:
        raise Problem(
            f"{folder}: has no image {absent[0]} to copy; needles are paths relative to it"
        )
    inside, outside = real_path(output), real_path(folder)
    if inside.is_relative_to(outside) or outside.is_relative_to(inside):
        raise Problem(f"{output}: lies inside the dataset or around it; choose a folder beside it")
    if output.is_file() or (
        output.is_dir() and any(output.iterdir()) and not (output / "gather.json").is_file()
    ):
        raise Problem(f"{output}: is there already and is no haystack; choose a new folder")


def _listing_digest(folder: Path, images: list[str]) -> str:
    try:
        sizes = [(folder / path).lstat().st_size for path in images]
    except OSError as error:
        raise Problem(
            f"{error.filename}: cannot be copied ({error.strerror}); "
            "list only images that are there"
        ) from error
    return hashlib.sha256(json.dumps([images, sizes]).encode()).hexdigest()


def _read_settings(output: Path) -> dict | None:
    try:
        return json.loads((output / "gather.json").read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError):
        return None
    except ValueError as error:
        raise Problem(
            f"{output / 'gather.json'}: is damaged ({error}); delete {output} and gather again"
        ) from error


def _plan(
    folder: Path,
    needles: pd.DataFrame,
    taken: set[str],
    seed: int,
    factors: tuple[float, float],
    format: str,
    resize: bool,
) -> pd.DataFrame:
    import pandas as pd

    rng = random.Random(seed)
    rows = []
    for needle, copies in needles[["needle", "copies"]].itertuples(index=False):
        try:
            needle.encode()
            width, height = open_with_size(folder / needle)[1]
        except UnicodeEncodeError:
            shown = needle.encode("utf-8", "backslashreplace").decode()
            print(f"No copies of an image whose name is not valid text: {shown}; rename it")
            continue
        except Problem as problem:
            print(f"No copies of an image that cannot be read: {problem}")
            continue
        stem = PurePosixPath(needle)
        suffix = FORMATS[format] if resize else stem.suffix
        number = 0
        for _ in range(copies):
            factor, size = (
                _draw(rng, folder / needle, (width, height), factors)
                if resize
                else (1.0, (width, height))
            )
            number += 1
            while (name := str(stem.with_name(f"{stem.stem}_copy_{number}{suffix}"))) in taken:
                number += 1
            taken.add(name)
            rows.append((needle, name, factor, *size))
    return pd.DataFrame(rows, columns=list(_COLUMNS))


def _draw(
    rng: random.Random, path: Path, size: tuple[int, int], factors: tuple[float, float]
) -> tuple[float, tuple]:
    for _ in range(1000):
        factor = round(factors[0] + (factors[1] - factors[0]) * rng.random(), 6)
        new = tuple(max(1, round(side * factor)) for side in size)
        if new[0] != size[0] and new[1] != size[1]:
            return factor, new
    raise Problem(
        f"{path}: is only {size[0]} x {size[1]} pixels, so a factor of {factors[0]} to "
        f"{factors[1]} does not change both; choose another needle or a wider range"
    )


def _save(folder: Path, place: Path, quality: int, jobs: list[tuple]) -> list[str]:
    """Write some files of the haystack; give a sentence for each that could not be read."""
    sentences = []
    for source, name, size in jobs:
        target = place / name
        try:
            content = (folder / source).read_bytes() if size is None else None
        except OSError as error:
            sentences.append(f"Not copied: {folder / source} could not be read ({error.strerror}).")
            continue
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            if size is None:
                target.write_bytes(content)
                continue
            image = open_image(folder / source)
            image = image.convert("L" if image.mode in ("L", "1") else "RGB").resize(
                size, Image.Resampling.LANCZOS
            )
            image.save(target, quality=quality)
        except OSError as error:
            raise write_problem(place, error) from error
    return sentences


def _shuffled(images: list[str], rng: random.Random) -> list[str]:
    # random() is the one draw whose sequence Python promises never to change.
    return sorted(sorted(images), key=lambda _: rng.random())
