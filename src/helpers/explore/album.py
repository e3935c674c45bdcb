"""The pictures of a dataset with their fingerprints; one picture, and those that are near it.

The pages of this wing stand on this module. It knows no controls.
"""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image

from helpers import Problem, datasets, hamming
from helpers.files import places
from helpers.fingerprints import catalogue, hashes
from helpers.images.folders import find_images, plain
from helpers.images.frames import count_frames
from helpers.images.opening import open_image, open_with_size
from helpers.search.linear import LinearScan

_LONGEST_SIDE = 800  # pixels of the copy that is shown and worked on
_CHUNK = 512  # pictures between two reports


@dataclass(frozen=True, eq=False)
class Pictures:
    """The pictures of a dataset, with their fingerprints.

    Parameters
    ----------
    name : str
        The name of the dataset, as it is shown.
    root : Path
        The folder that holds the pictures.
    paths : list of str
        The paths of the pictures, relative to `root`, sorted.
    fingerprints : ndarray of uint64, shape (n,)
        Their fingerprints, in the same order.
    left_out : str
        A sentence about files that cannot be read, or empty.
    """

    name: str
    root: Path
    paths: list[str]
    fingerprints: np.ndarray
    left_out: str = ""

    def __len__(self) -> int:
        return len(self.paths)

    @property
    def where(self) -> str:
        """What to type to get to it: the name of a dataset of the kit, or the path of a folder."""
        root = self.root.resolve()
        return self.name if root == (places.data_folder() / self.name).resolve() else str(root)

    @cached_property
    def places(self) -> dict[str, int]:
        """The row of each path."""
        return {path: row for row, path in enumerate(self.paths)}

    @cached_property
    def scan(self) -> LinearScan:
        """What searches them. Up to 100,000 pictures or so, nothing is faster: see chapter 5."""
        return LinearScan(self.fingerprints)


def index(
    dataset: datasets.Dataset | str | Path, report: Callable[[str], None] | None = None
) -> Pictures:
    """Fingerprint the pictures of a dataset.

    Parameters
    ----------
    dataset : Dataset, str or Path
        From `helpers.datasets.load`; or ``"sample"``, ``"caltech-101"``, or a folder. Nothing in it
        is changed.
    report : callable, optional
        It gets a sentence on the progress, now and then; a progress bar is shown if left out.

    Returns
    -------
    Pictures
        The pictures that can be read, and a sentence on the files that cannot.

    Raises
    ------
    Problem
        If there is no such folder, or if it holds no picture that can be read.

    Examples
    --------
    >>> len(index("sample"))
    101
    """
    if isinstance(dataset, str) and dataset in datasets.DATASETS:
        source = datasets.DATASETS[dataset]
        if report and not (places.data_folder() / dataset).is_dir():
            report(f"Making {dataset} ready; it needs {source.needs}.")
        dataset = source.give()
    if isinstance(dataset, datasets.Dataset):
        name, root, paths = dataset.name, dataset.root, dataset.images
    else:
        root = _expanded(dataset)
        name = root.resolve().name or str(root)
        if report:
            report(f"Looking for pictures in {root}.")
        paths = find_images(root)
    if report is None:
        table = catalogue.of_folder(root, paths)
    else:
        parts = []
        for start in range(0, len(paths), _CHUNK):
            report(f"Reading the pictures of {name}: {start:,} of {len(paths):,} are done.")
            with _without_bar():
                parts.append(catalogue.of_folder(root, paths[start : start + _CHUNK]))
        table = pd.concat(parts, ignore_index=True)
    good, bad = table[table["problem"] == ""], table[table["problem"] != ""]
    if good.empty:
        raise Problem(f"{root}: holds no picture that can be read; choose another folder")
    left_out = ""
    if len(bad):
        first = f"{bad.iloc[0].path}: {bad.iloc[0].problem}"
        left_out = f"{len(bad)} of {len(table)} files could not be read, the first: {first}."
    values = hamming.as_fingerprints(good["fingerprint"])
    return Pictures(name, root, good["path"].tolist(), values, left_out)


@contextmanager
def _without_bar() -> Iterator[None]:
    """Show no progress bar: what a control starts has no cell below which it could stand."""
    before = os.environ.get("TQDM_DISABLE", "")
    os.environ["TQDM_DISABLE"] = "1"
    try:
        yield
    finally:
        os.environ["TQDM_DISABLE"] = before  # an empty text counts as not set


@dataclass(frozen=True, eq=False)
class Picture:
    """A picture to search with, or to look at.

    Parameters
    ----------
    name : str
        The name that is shown.
    image : PIL.Image.Image
        The picture in RGB, reduced to at most 800 pixels in width and height.
    size : (int, int)
        Width and height of the whole picture, in pixels.
    fingerprint : uint64
        The fingerprint of the whole picture.
    note : str
        A sentence on what a person should know of it, or empty.
    path : str
        The path that was given; empty for an upload or a picture in memory.
    in_dataset : bool
        Whether `path` is its path in the dataset that is searched.
    """

    name: str
    image: Image.Image
    size: tuple[int, int]
    fingerprint: np.uint64
    note: str = ""
    path: str = ""
    in_dataset: bool = False


def read_picture(path: str | Path, name: str | None = None) -> Picture:
    """A picture from a file.

    Parameters
    ----------
    path : str or Path
        The file.
    name : str, optional
        What to show instead of the file's name.

    Returns
    -------
    Picture
        The picture, or its first frame if it has several.

    Raises
    ------
    Problem
        If the file cannot be read; the sentence has its name and the reason.

    Examples
    --------
    >>> read_picture("data/sample/cat/whole.jpg").size  # doctest: +SKIP
    (451, 300)
    """
    file = _expanded(path)
    try:
        image, size = open_with_size(file)
    except Problem as problem:
        raise Problem(f"{name or file}: {str(problem).removeprefix(f'{file}: ')}") from problem
    note = "Of an animation the first frame is taken." if count_frames(file) > 1 else ""
    value = hashes.of_shown(image)
    return Picture(name or file.name, reduced(image), size, value, note, str(path))


def read_upload(name: str, content: bytes) -> Picture:
    """A picture from the bytes of an upload.

    Parameters
    ----------
    name : str
        The name of the file that was uploaded.
    content : bytes
        What the file holds.

    Returns
    -------
    Picture
        See `read_picture`; its path is empty.

    Raises
    ------
    Problem
        If it cannot be read; the sentence has its name and the reason.
    """
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "upload")  # never under a name that somebody else chose
        file.write_bytes(content)
        return replace(read_picture(file, name), path="")


def from_memory(image: Image.Image, name: str = "The picture") -> Picture:
    """A picture that is open already.

    Parameters
    ----------
    image : PIL.Image.Image
        The picture, in any mode. It stays as it is.
    name : str
        The name that is shown.

    Returns
    -------
    Picture
        The picture; its path is empty.
    """
    shown = open_image(image)
    return Picture(name, reduced(shown.copy()), shown.size, hashes.of_shown(shown))


def choose(dataset: Pictures, path: str | Path) -> Picture:
    """A picture of the dataset, or else of the computer.

    Parameters
    ----------
    dataset : Pictures
        Where the path is looked for first.
    path : str or Path
        A path in the dataset, or of any file.

    Returns
    -------
    Picture
        See `read_picture`.

    Raises
    ------
    Problem
        If it cannot be read.
    """
    if str(path) not in dataset.places:
        return read_picture(path)
    chosen = read_picture(dataset.root / path, str(path))
    return replace(chosen, path=str(path), in_dataset=True)


def named(dataset: Pictures, text: str) -> Picture:
    """A picture by its path in the dataset, by its file, or by a part of its name in the dataset.

    Parameters
    ----------
    dataset : Pictures
        Where the name is looked for.
    text : str
        A path in the dataset, the path of a file, or a part of a path in the dataset; of a part,
        neither capitals nor the composition of letters matter.

    Returns
    -------
    Picture
        If several pictures have the text in their names, the first of them; its ``note`` says so.

    Raises
    ------
    Problem
        If there is no such picture, or if it cannot be read.
    """
    is_file = is_there = False
    with suppress(OSError, ValueError):  # the text is too long for a path, or holds a zero
        is_file, is_there = _expanded(text).is_file(), _expanded(text).exists()
    if text in dataset.places or is_file:
        return choose(dataset, text)
    wanted = plain(text)
    alike = [path for path in dataset.paths if wanted in plain(path)]
    if alike:
        alike.sort(key=lambda path: plain(path) != wanted)  # the whole name before parts of it
        first = choose(dataset, alike[0])
        several = f"The first of {len(alike):,} with {text} in the name."
        return replace(first, note=f"{several} {first.note}".strip()) if alike[1:] else first
    if is_there:
        return read_picture(text)  # such as a folder: the Problem says so
    where = f"no picture of {dataset.name} has this in its name"
    raise Problem(f"{text}: {where}, and there is no such file; check the spelling")


def _expanded(path: str | Path) -> Path:
    """The path with the home folder for ``~``; unchanged where ``~name`` is nobody's home."""
    return Path(os.path.expanduser(path))  # noqa: PTH111 (it never raises)


def reduced(image: Image.Image) -> Image.Image:
    """A picture in RGB of at most 800 pixels in width and height.

    Parameters
    ----------
    image : PIL.Image.Image
        The picture, in any mode. It may be made smaller itself, since a copy takes long.

    Returns
    -------
    PIL.Image.Image
        The smaller picture. It may be the same object.
    """
    image = image if image.mode in ("L", "RGB") else image.convert("RGB")
    image.thumbnail((_LONGEST_SIDE, _LONGEST_SIDE))
    return image.convert("RGB")


def find(pictures: Pictures, fingerprint: np.uint64, radius: int) -> pd.DataFrame:
    """The pictures near a fingerprint, nearest first; at one distance, in the order of their names.

    Parameters
    ----------
    pictures : Pictures
        The pictures that are searched.
    fingerprint : uint64
        What they are compared with.
    radius : int
        The largest distance, in bits, that counts as a match.

    Returns
    -------
    DataFrame
        A row a match: ``path``, ``distance`` (bits) and ``differ`` (uint64: its ones are the bits
        that differ; see `helpers.classroom.steps.bits`). ``attrs["seconds"]`` is the time that
        the search took.

    Raises
    ------
    Problem
        If the radius is not a whole number from 0 to 64.

    Examples
    --------
    >>> two = Pictures("two", Path(), ["a.jpg", "b.jpg"], np.array([0, 3], dtype=np.uint64))
    >>> find(two, np.uint64(1), radius=1)
        path  distance  differ
    0  a.jpg         1       1
    1  b.jpg         1       2
    """
    scan, start = pictures.scan, time.perf_counter()
    rows, distances = scan.within(fingerprint, radius)
    seconds = time.perf_counter() - start
    matches = pd.DataFrame({"path": [pictures.paths[row] for row in rows], "distance": distances})
    matches["differ"] = pictures.fingerprints[rows] ^ np.uint64(fingerprint)
    matches.attrs["seconds"] = seconds
    return matches
