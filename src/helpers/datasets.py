"""Where the images come from: CALTECH-101, the embedded sample, or a folder of your own.

CALTECH-101 is 137 MB, by Li, Andreeto, Ranzato and Perona (CaltechDATA, doi 10.22002/D1.20086,
CC BY 4.0). It is fetched once, unpacked once and verified. Where it cannot be had, `load` says so
and gives the sample: the photographs that scikit-image carries inside its package. Where that
cannot be had either, as in a browser, they come ready made, in a zip.

`DATASETS`, at the end, lists the datasets that have a name.
"""

import hashlib
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path, PurePosixPath

import numpy as np
from PIL import Image, ImageDraw, ImageFont, ImageOps

from helpers import Problem, archive
from helpers.files.atomic import exclusive, new_folder, write_text
from helpers.files.places import counted, data_folder, one_line
from helpers.files.tables import as_csv, read_csv
from helpers.fingerprints import catalogue
from helpers.images.drawing import as_jpeg
from helpers.images.folders import find_images, look_into, not_looked_at

#: Categories that the article left out; 7,807 images stay.
NOT_IN_THE_ARTICLE = ("BACKGROUND_Google", "Faces", "Faces_easy")

_TABLES = Path(__file__).with_name("tables")
#: Name, function of skimage.data, what it shows and who made it, licence: as the documentation of
#: skimage.data has them.
SAMPLE_PHOTOGRAPHS = tuple(cells for _, cells in read_csv(_TABLES / "sample_photographs.csv")[1])
#: The zip of `pack_sample`, in packages that carry it: the browser's does.
READY_MADE = _TABLES / "sample.zip"
SAMPLE_IMAGES = 101  # with the tiles
SAMPLE_TILE = 250  # pixels; photographs that have room for two tiles are cut up as well
SPECIAL_IMAGES = 72
SHORTEST_SIDE = 16  # pixels; resized by a few per cent, a shorter one would keep its length
_CHANGED = ("astronaut", "cat", "coffee", "rocket")
_LINES = ("MONDAY AGAIN", "ARE WE THERE YET", "IT WAS FRIDAY", "NOBODY KNOWS WHY")


class TooFew(Problem):
    """A dataset has too few pictures for a chapter, which ends here without a failure.

    Examples
    --------
    >>> raise TooFew("photos: has 2 pictures, and this chapter needs 17")
    Traceback (most recent call last):
    ...
    helpers.datasets.TooFew: photos: has 2 pictures, and this chapter needs 17
    """


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
        where = counted(len(categories), "category", "categories")
        return f"{self.name}: {counted(len(self.images), 'image')} in {where}{stands_in}."


def load(name: str | Path, *, show: Callable[[str], None] = print) -> Dataset:
    """The dataset of a chapter; one sentence in print says which images it has.

    Parameters
    ----------
    name : str or Path
        One of `DATASETS`, or the path of a folder of your own.
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
        If there is no such folder, or if the folder holds no images.

    Examples
    --------
    >>> load("sample").name
    sample: 101 images in 20 categories, standing in for CALTECH-101.
    'sample'
    """
    if name in DATASETS:
        try:
            dataset = DATASETS[name].give()
        except Problem as problem:
            if name == "sample":
                raise
            show(one_line(f"{name.upper()} IS NOT HERE, THE SAMPLE STANDS IN. {problem}"))
            dataset = sample()
    else:
        dataset = own_folder(name)
    show(one_line(str(dataset)))
    return dataset


def choose(name: str | Path, *, at_least: int = 1, **options: object) -> Dataset:
    """The dataset that a chapter names, or the one that the environment names instead.

    Parameters
    ----------
    name : str or Path
        As `load` takes it. The environment variable ``DATASET`` goes before it.
    at_least : int
        How many pictures the chapter needs: 17, as many as the article has needles, or any.
    **options
        ``show``, as `load` takes it.

    Returns
    -------
    Dataset
        What `load` returns for it.

    Raises
    ------
    TooFew
        If there are fewer pictures. A notebook shows the sentence and goes no further;
        ``notebooks/run.py`` does not count that as a failure.

    Examples
    --------
    >>> choose("sample").name
    sample: 101 images in 20 categories, standing in for CALTECH-101.
    'sample'
    """
    dataset = load(os.environ.get("DATASET") or name, **options)
    if (number := len(dataset.images)) < at_least:
        raise TooFew(
            f"{dataset.root}: has {counted(number, 'picture')} to work with, and this chapter "
            f'needs {at_least}; write datasets.load("sample") in place of datasets.choose(...), '
            "or choose a folder with more (chapters 2, 5, 6 and 9 take any)"
        )
    return dataset


def own_folder(folder: str | Path) -> Dataset:
    """A folder of your own as a dataset. Nothing in it is changed.

    Each image is opened once. Images that cannot be read, or have a side of fewer than 16 pixels,
    are left out, and one sentence in print says so.

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
        If there is no such folder, or if it holds no image that can be read and is large enough.

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
    is_small = table[["width", "height"]].min(axis=1).lt(SHORTEST_SIDE).fillna(False)
    for row in table[is_small].itertuples():
        table.loc[row.Index, "problem"] = f"is only {row.width} x {row.height} pixels"
    left_out = table[table["problem"] != ""]
    images = table["path"][table["problem"] == ""].tolist()
    if len(left_out):
        first = left_out.iloc[0]
        print(
            f"Left out: {len(left_out)} of {len(table)} images. "
            f"The first: {one_line(f'{folder / first.path}: {first.problem}')}"
        )
    for sentence in not_looked_at(found):
        print(one_line(sentence))
    if not images:
        raise Problem(
            f"{folder}: holds no image that can be read and has {SHORTEST_SIDE} x {SHORTEST_SIDE} "
            "pixels or more; choose another folder"
        )
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
    return _made_once("sample", _write_sample, SAMPLE_IMAGES, _sample_licences())


def pack_sample(file: str | Path) -> None:
    """Write a zip of the sample and the specials, for a place where scikit-image cannot be had.

    Where a package holds it as `READY_MADE`, both are unpacked from it if scikit-image is missing.

    Parameters
    ----------
    file : str or Path
        The zip. It has the same bytes whenever it is made.

    Raises
    ------
    Problem
        If the images cannot be written, or some that were made have been deleted.

    Examples
    --------
    >>> pack_sample("sample.zip")  # doctest: +SKIP
    """
    roots = sample().root, specials().root
    files = {p.relative_to(root.parent).as_posix(): p for root in roots for p in root.rglob("*")}
    archive.pack(files, Path(file))


def _is_unpacked(root: Path) -> bool:
    """Whether the folder came ready made, since there is no scikit-image to make it with."""
    if find_spec("skimage"):
        return False
    if not READY_MADE.is_file():
        raise Problem(
            "scikit-image: is not installed, and the sample's photographs come with it; run "
            "python -m pip install scikit-image"
        )
    archive.unpack(READY_MADE, root)
    return True


def _photograph(name: str) -> Image.Image:
    from skimage import data

    function = {name: function for name, function, _, _ in SAMPLE_PHOTOGRAPHS}[name]
    pixels = getattr(data, function)()
    if function == "stereo_motorcycle":
        pixels = pixels[name == "motorcycle_right"]
    return Image.fromarray(pixels)


def _write_sample(root: Path) -> None:
    if _is_unpacked(root):
        return
    with new_folder(root) as folder:
        for name, *_ in SAMPLE_PHOTOGRAPHS:
            photograph = _photograph(name)
            (folder / name).mkdir()
            photograph.save(folder / name / "whole.jpg", quality=95)
            lefts, tops = (range(0, n - SAMPLE_TILE + 1, SAMPLE_TILE) for n in photograph.size)
            corners = [(left, top) for top in tops for left in lefts]
            for number, (left, top) in enumerate(corners if len(corners) > 1 else [], start=1):
                tile = photograph.crop((left, top, left + SAMPLE_TILE, top + SAMPLE_TILE))
                tile.save(folder / name / f"tile_{number:02}.jpg", quality=95)
        write_text(folder / "LICENCES.txt", _sample_licences() + "\n")


def _sample_licences() -> str:
    lines = [f"{name}: {what}; {licence}" for name, _, what, licence in SAMPLE_PHOTOGRAPHS]
    return "\n".join(["Photographs from scikit-image:", *lines])


def specials() -> Dataset:
    """Pictures made to show what searches find, miss and mistake: no network is needed.

    They are made from the sample's photographs. The sample does not hold them, so that no rate
    is counted with them. ``data/README.md`` tells what each kind is.

    Returns
    -------
    Dataset
        72 images in ``data/specials``, a folder for each kind. ``truth.csv`` beside the folders
        has a row a picture:

        - ``path``, as in the dataset, and ``kind``;
        - ``source``: the photograph that it was made from, or empty;
        - ``original``: the picture that it is a copy of; its own path, if it is not a copy;
        - ``scene``: the same for pictures that look alike and are no copies, or empty.

    Raises
    ------
    Problem
        If the images cannot be written, or some that were made have been deleted.

    Examples
    --------
    >>> specials().images[0]
    'burst/shot_1.jpg'
    """
    return _made_once("specials", _write_specials, SPECIAL_IMAGES, _sample_licences())


def _write_specials(root: Path) -> None:
    if _is_unpacked(root):
        return
    rows = []
    with new_folder(root) as folder:
        for path, source, original, scene, picture in (*_changed(), *_alike(), *_drawn()):
            kind = path.partition("/")[0]
            (folder / kind).mkdir(exist_ok=True)
            picture.save(folder / path, quality=85)
            rows.append((path, kind, source, original or path, scene))
        columns = ("path", "kind", "source", "original", "scene")
        write_text(folder / "truth.csv", as_csv(columns, sorted(rows)))
        write_text(folder / "LICENCES.txt", _sample_licences() + "\n")


# Special pictures: path, source, original, scene, and the picture itself.


def _changed() -> Iterator[tuple]:
    for name in _CHANGED:
        original, photograph = f"original/{name}.jpg", _small(name)
        picture = as_jpeg(photograph, 85)  # as it is read back from its file
        yield original, name, "", "", photograph
        copies = {
            f"byte-equal/{name}.jpg": photograph,
            f"pixel-equal/{name}.png": picture,
            f"resaved/{name}.jpg": as_jpeg(picture, 40),
            f"thumbnail/{name}.jpg": _small(name, 96),
            f"mirrored/{name}.jpg": ImageOps.mirror(picture),
            f"turned/{name}.jpg": picture.transpose(Image.Transpose.ROTATE_90),
            f"cropped/{name}.jpg": ImageOps.crop(picture, picture.width // 8),
        }
        yield from ((path, name, original, "", copy) for path, copy in copies.items())


def _alike() -> Iterator[tuple]:
    for name in ("brick", "coins", "moon"):
        for side, left in (("left", 0), ("right", 16)):
            part = _photograph(name).crop((left, 0, left + 368, 300))
            yield f"look-alike/{name}_{side}.jpg", name, "", name, part
    scene, rng = np.asarray(_photograph("cat")), np.random.default_rng(2014)
    for shot in range(8):
        window = scene[2 * shot : 280 + 2 * shot, 4 * shot : 400 + 4 * shot]
        light = (window * np.uint16(86 + 2 * shot) // 100).astype(np.uint8)
        noise = rng.integers(0, 16, window.shape, dtype=np.uint8)
        yield f"burst/shot_{shot + 1}.jpg", "cat", "", "burst", Image.fromarray(light ^ noise)


def _drawn() -> Iterator[tuple]:
    for name in _CHANGED:
        for number, line in enumerate(_LINES if name == "cat" else _LINES[:1], start=1):
            window = Image.new("RGB", (560, 360), "white")
            window.paste((64, 96, 160), (0, 0, 560, 28))
            window.paste(_small(name, 240), (16, 44))
            window.paste(_text(f"{line}\n\nsaid {name}\nread", (280, 200), 2), (270, 60))
            yield f"screenshot/{name}_{number}.png", name, "", "window", window
    for name in ("cat", "rocket"):
        for number, line in enumerate(_LINES):
            meme = ImageOps.expand(_small(name), (0, 40), "white")
            for words, top in ((line, 0), (_LINES[number - 1], meme.height - 40)):
                meme.paste(_text(words, (meme.width, 40), 3), (0, top))
            yield f"meme/{name}_{number + 1}.jpg", name, "", f"meme of {name}", meme
    rng = np.random.default_rng(2014)
    for number, *amounts in ((17, 61, 81), (23, 306, 308), (42, 1250, 1260)):
        dust = rng.integers(0, 16, (500, 360), dtype=np.uint8)
        for amount in amounts:
            words = f"INVOICE {number}\n\nchairs\ntable\n\nTOTAL\n{amount}.00 EUR"
            page = Image.fromarray(np.asarray(_text(words, (360, 500), 3)) ^ dust)
            yield f"scan/{number}_{amount}.jpg", "", "", f"invoice {number}", page
    for name, greys in (("black", (0, 1)), ("white", (255, 256)), ("wall", (200, 203))):
        plain = rng.integers(*greys, (200, 300), dtype=np.uint8)
        yield f"flat/{name}.jpg", "", "", "", Image.fromarray(plain)
    for name, angle in (("lighter_to_the_right", 90), ("darker_to_the_bottom", 180)):
        yield f"flat/{name}.jpg", "", "", "", Image.linear_gradient("L").rotate(angle)


def _small(name: str, side: int = 320) -> Image.Image:
    return ImageOps.contain(_photograph(name), (side, side), Image.Resampling.LANCZOS)


def _text(words: str, size: tuple[int, int], enlarged: int) -> Image.Image:
    """Words in the bitmap font that Pillow carries: the same pixels on every system."""
    paper = Image.new("L", (size[0] // enlarged, size[1] // enlarged), "white")
    font = ImageFont.load_default_imagefont()
    ImageDraw.Draw(paper).multiline_text((6, 1), words, "black", font)
    return paper.resize(size, Image.Resampling.NEAREST)


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
    return _made_once("caltech-101", archive.install, archive.IMAGES, archive.CREDIT)


def _made_once(name: str, make: Callable[[Path], None], number: int, credit: str) -> Dataset:
    """Let `make` write the folder, unless it is there or another process is writing it."""
    root = data_folder() / name
    if not root.is_dir():
        with exclusive(root):
            if not root.is_dir():
                make(root)
    images = [path for path in find_images(root) if path.endswith((".jpg", ".png"))]
    if len(images) != number:
        raise Problem(
            f"{root}: holds {len(images):,} images where it should hold {number:,}; "
            "rename or delete that folder, and it is made again"
        )
    return Dataset(name, root, images, credit)


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
    "specials": Source(specials, "no network: made from the sample's photographs"),
    "caltech-101": Source(caltech_101, "a download of 137 MB, once, or a copy of the archive"),
}
