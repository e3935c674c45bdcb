"""Where the images come from: CALTECH-101, the embedded sample, or a folder of your own.

CALTECH-101 is 137 MB, by Li, Andreeto, Ranzato and Perona (CaltechDATA, doi 10.22002/D1.20086,
CC BY 4.0). It is fetched once, unpacked once and verified. Where it cannot be had, `load` says so
and gives the sample: the photographs that scikit-image carries inside its package.

`DATASETS`, at the end, lists the datasets that have a name.
"""

import hashlib
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from PIL import Image

from helpers import Problem, archive
from helpers.files.atomic import exclusive, new_folder, write_text
from helpers.files.places import data_folder, one_line
from helpers.fingerprints import catalogue
from helpers.images.folders import find_images, look_into, not_looked_at

#: Categories that the article left out; 7,807 images stay.
NOT_IN_THE_ARTICLE = ("BACKGROUND_Google", "Faces", "Faces_easy")

_NO_KNOWN = "no known copyright restrictions"
_SHIPPED = "none stated; distributed with scikit-image (BSD-3-Clause)"
#: Name, function of skimage.data, what it shows and who made it, licence: as the documentation of
#: skimage.data has them.
SAMPLE_PHOTOGRAPHS = (
    ("astronaut", "astronaut", "Eileen Collins; NASA", "public domain"),
    ("brick", "brick", "brick wall; CC0Textures", "CC0"),
    ("camera", "camera", "cameraman; Lav Varshney", "CC0"),
    ("cat", "chelsea", "Chelsea the cat; Stefan van der Walt", "CC0"),
    ("cell", "cell", "a cell floating in saline; Paul Müller and others", "CC0"),
    ("clock", "clock", "a wall clock in motion; Stefan van der Walt", "public domain"),
    ("coffee", "coffee", "a cup of coffee; Rachel Michetti", "CC0"),
    ("coins", "coins", "Greek coins from Pompeii; Brooklyn Museum", _NO_KNOWN),
    ("grass", "grass", "grass; from scikit-image's data", "CC0"),
    ("gravel", "gravel", "gravel; CC0Textures", "CC0"),
    ("hubble", "hubble_deep_field", "Hubble eXtreme Deep Field; NASA", "public domain"),
    ("microaneurysms", "microaneurysms", "detail of a retina; Andreas Maier", "CC0"),
    ("moon", "moon", "surface of the moon", _SHIPPED),
    (
        "motorcycle_left",
        "stereo_motorcycle",
        "left view; Middlebury 2014 stereo benchmark, D. Scharstein and others",
        "none stated",
    ),
    ("motorcycle_right", "stereo_motorcycle", "right view; as the left one", "none stated"),
    ("page", "page", "a scanned page", _SHIPPED),
    ("retina", "retina", "a human retina; Mikael Häggström", "CC0"),
    ("rocket", "rocket", "launch of a Falcon 9; SpaceX", "public domain"),
    ("text", "text", "text for corner detection; Wikipedia", f"public domain, {_NO_KNOWN}"),
    (
        "tissue",
        "immunohistochemistry",
        "colonic glands; Center for Microscopy And Molecular Imaging",
        "no known restrictions",
    ),
)
SAMPLE_IMAGES = 101  # with the tiles
SAMPLE_TILE = 250  # pixels; photographs that have room for two tiles are cut up as well


@dataclass(frozen=True)
class Dataset:
    """A folder of images with a name and its credits.

    Parameters
    ----------
    name : str
        One of `DATASETS`, or the folder's name and a digest of its place.
    root : Path
        The folder.
    images : list of str
        Paths relative to `root`, with ``/``, sorted.
    credit : str
        Licence and citation.
    """

    name: str
    root: Path
    images: list[str]
    credit: str

    @property
    def whole(self) -> list[str]:
        """The images that are not cut out of another one: all, except the sample's tiles."""
        return [path for path in self.images if self.name != "sample" or "/tile_" not in path]

    def __str__(self) -> str:
        categories = {PurePosixPath(path).parent for path in self.images}
        stands_in = ", standing in for CALTECH-101" if self.name == "sample" else ""
        return (
            f"{self.name}: {len(self.images):,} images in {len(categories)} categories{stands_in}."
        )


def load(
    name: str | Path, *, subset: str | None = None, show: Callable[[str], None] = print
) -> Dataset:
    """The dataset of a chapter; one sentence in print says which images it has.

    Parameters
    ----------
    name : str or Path
        One of `DATASETS`, or the path of a folder of your own.
    subset : {None, "article"}
        ``"article"`` leaves out the three categories of CALTECH-101 that the article left out:
        7,807 images stay.
    show : callable
        What is done with the sentence.

    Returns
    -------
    Dataset
        The one that was asked for. If CALTECH-101 cannot be had, the sample stands in for it, and
        a sentence says so and why.

    Raises
    ------
    Problem
        If there is no such folder or subset, or if the folder holds no images.

    Examples
    --------
    >>> load("sample").name
    sample: 101 images in 20 categories, standing in for CALTECH-101.
    'sample'
    """
    if subset not in (None, "article"):
        raise Problem(f"subset={subset!r}: there is only 'article', or None for all images")
    if name in DATASETS:
        try:
            dataset = DATASETS[name].give()
        except Problem as problem:
            if name == "sample":
                raise
            show(f"{name.upper()} IS NOT HERE, THE SAMPLE STANDS IN. {problem}")
            dataset = sample()
    else:
        dataset = own_folder(name)
    if subset == "article":
        kept = [path for path in dataset.images if path.split("/")[0] not in NOT_IN_THE_ARTICLE]
        dataset = Dataset(dataset.name, dataset.root, kept, dataset.credit)
    show(str(dataset))
    return dataset


def choose(
    name: str | Path, *, subset: str | None = None, show: Callable[[str], None] = print
) -> Dataset:
    """The dataset that a chapter names, or the one that the environment names instead.

    Parameters
    ----------
    name, subset, show
        As `load` takes them. The environment variable ``DATASET`` goes before the name.

    Returns
    -------
    Dataset
        What `load` returns for it.

    Examples
    --------
    >>> choose("sample").name
    sample: 101 images in 20 categories, standing in for CALTECH-101.
    'sample'
    """
    return load(os.environ.get("DATASET") or name, subset=subset, show=show)


def own_folder(folder: str | Path) -> Dataset:
    """A folder of your own as a dataset. Nothing in it is changed.

    Each image is opened once. Images that cannot be read are left out, and one sentence in print
    says so.

    Parameters
    ----------
    folder : str or Path
        Any tree of images.

    Returns
    -------
    Dataset
        Its name is the folder's and a digest of its place, so that two folders with the same name
        are two datasets.

    Raises
    ------
    Problem
        If there is no such folder, or if it holds no image that can be read.

    Examples
    --------
    >>> own_folder("photos")  # doctest: +SKIP
    """
    given, folder = folder, Path(os.path.expanduser(folder))  # noqa: PTH111 (it never raises)
    if not str(given) or not os.path.isdir(folder):
        names = ", ".join(map(repr, DATASETS))
        raise Problem(f"{given}: no such dataset; it is {names}, or the path of a folder of images")
    found = look_into(folder)
    table = catalogue.of_folder(folder, found.images)
    left_out = table[table["problem"] != ""]
    images = table["path"][table["problem"] == ""].tolist()
    if len(left_out):
        first = left_out.iloc[0]
        print(
            f"Left out: {len(left_out)} of {len(table)} images. "
            f"The first: {one_line(f'{folder / first.path}: {first.problem}')}"
        )
    if sentence := not_looked_at(found.others):
        print(one_line(sentence))
    if not images:
        raise Problem(f"{folder}: holds no image that can be read; choose another folder")
    place = hashlib.sha256(os.fsencode(folder.resolve())).hexdigest()[:6]
    return Dataset(
        f"{folder.resolve().name}-{place}", folder, images, f"{folder}: your own images."
    )


def sample() -> Dataset:
    """Twenty photographs from inside scikit-image, whole and as tiles: no network is needed.

    Returns
    -------
    Dataset
        101 images in ``data/sample``. Each photograph has a folder, with ``whole.jpg`` and, if it
        is large, tiles of 250 x 250 pixels that do not overlap. ``LICENCES.txt`` beside the
        folders names the makers.

    Raises
    ------
    Problem
        If the images cannot be written, or some that were made have been deleted.

    Examples
    --------
    >>> len(sample().images)
    101
    """
    root = data_folder() / "sample"
    _make_once(root, _write_sample)
    return Dataset("sample", root, _complete(root, SAMPLE_IMAGES), _sample_licences())


def _write_sample(root: Path) -> None:
    from skimage import data

    with new_folder(root) as folder:
        for name, function, _, _ in SAMPLE_PHOTOGRAPHS:
            pixels = getattr(data, function)()
            if function == "stereo_motorcycle":
                pixels = pixels[name == "motorcycle_right"]
            photograph = Image.fromarray(pixels)
            (folder / name).mkdir()
            photograph.save(folder / name / "whole.jpg", quality=95)
            corners = [
                (left, top)
                for top in range(0, photograph.height - SAMPLE_TILE + 1, SAMPLE_TILE)
                for left in range(0, photograph.width - SAMPLE_TILE + 1, SAMPLE_TILE)
            ]
            for number, (left, top) in enumerate(corners if len(corners) > 1 else [], start=1):
                tile = photograph.crop((left, top, left + SAMPLE_TILE, top + SAMPLE_TILE))
                tile.save(folder / name / f"tile_{number:02}.jpg", quality=95)
        write_text(folder / "LICENCES.txt", _sample_licences() + "\n")


def _sample_licences() -> str:
    lines = [f"{name}: {what}; {licence}" for name, _, what, licence in SAMPLE_PHOTOGRAPHS]
    return "\n".join(["Photographs from scikit-image:", *lines])


def caltech_101() -> Dataset:
    """CALTECH-101: fetched, unpacked and verified once, then found in ``data/caltech-101``.

    The environment variable ``CALTECH_101_MIRROR`` names another place to take the archive from
    (``http:``, ``https:``, ``file:`` or a path). An archive is accepted if its SHA-256 is the
    official one, or if the images in it are the official ones.

    Returns
    -------
    Dataset
        9,144 images in 102 categories.

    Raises
    ------
    Problem
        If it cannot be fetched, is not CALTECH-101, or cannot be written. Nothing half-finished
        is left.

    Examples
    --------
    >>> len(caltech_101().images)  # doctest: +SKIP
    9144
    """
    root = data_folder() / "caltech-101"
    _make_once(root, archive.install)
    return Dataset("caltech-101", root, _complete(root, archive.IMAGES), archive.CREDIT)


def _make_once(root: Path, make: Callable[[Path], None]) -> None:
    """Let `make` write the folder, unless it is there or another process is writing it."""
    if not root.is_dir():
        with exclusive(root):
            if not root.is_dir():
                make(root)


def _complete(root: Path, number: int) -> list[str]:
    """The images of a folder, if they are as many as it should hold."""
    images = [path for path in find_images(root) if path.endswith(".jpg")]
    if len(images) != number:
        raise Problem(
            f"{root}: holds {len(images):,} images where it should hold {number:,}; "
            "rename or delete that folder, and it is made again"
        )
    return images


@dataclass(frozen=True)
class Source:
    """How a dataset that has a name can be had.

    Parameters
    ----------
    give : callable
        Takes nothing and gives the `Dataset`, in a folder of that name in the data folder; makes
        it first if it is not there. If it cannot be had, it raises a `Problem` and leaves nothing.
    needs : str
        What it takes to have it, for people who choose.
    """

    give: Callable[[], Dataset]
    needs: str


#: Name -> how it can be had. A new one goes here and nowhere else.
DATASETS = {
    "sample": Source(sample, "no network: its photographs come with scikit-image"),
    "caltech-101": Source(caltech_101, "a download of 137 MB, once, or a copy of the archive"),
}
