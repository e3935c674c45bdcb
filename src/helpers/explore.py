"""Search by picture, and a microscope for dHash: two pages of controls in JupyterLab.

What a page shows is computed without controls: `index`, `find` and `differences` for the search; `changed` and `look` for the
microscope. The pages, `search_page` and `microscope`, carry values from controls to these and HTML back. Where nobody can use
controls, since a program runs the notebook, a page shows a figure of itself and a sentence.

A change of a page's setting in Python, ``page.radius.value = 3``, does what a hand would do.
"""

from __future__ import annotations

import html
import io
import os
import tempfile
import time
from base64 import b64encode
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, fields, replace
from functools import cached_property
from pathlib import Path, PurePosixPath
from types import ModuleType, SimpleNamespace

import numpy as np
import pandas as pd
from IPython import get_ipython
from IPython.display import display
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from PIL import Image, ImageEnhance

from helpers import Problem, datasets, fingerprints, hamming, plots
from helpers.images import find_images, open_image, open_with_size
from helpers.search import LinearScan

#: What reaches a notebook through its websocket, as Jupyter Server sets it; a larger upload is lost without a word.
UPLOAD_MEGABYTES = 10
_SIDE = 800  # pixels of the copy that is worked on and shown; fingerprints are those of the whole picture
_THUMBNAIL = 100
_CHUNK = 512  # pictures between two words of progress
_NAMES = 2000  # of one folder that are offered for choice
_OWN = "a folder of mine"
_STYLE = """<style>
.explore {line-height: 1.4}
.explore ol, .explore .row {display: flex; flex-wrap: wrap; gap: 14px; margin: 0; padding: 0; list-style: none}
.explore li, .explore .card {box-sizing: content-box; border: 1px solid #888; border-radius: 4px; padding: 8px; width: 208px}
.explore .pair {display: flex; gap: 8px; align-items: flex-start}
.explore img {object-fit: contain}
.explore p {margin: 4px 0; overflow-wrap: anywhere}
.explore .problem {border-left: 5px solid #D55E00; padding: 4px 10px}
.explore figure {margin: 0}
.explore figcaption {margin-bottom: 4px}
</style>"""


# What can be searched, and with what


@dataclass(frozen=True, eq=False)
class Pictures:
    """The pictures of a dataset, with their fingerprints.

    Attributes
    ----------
    name : str
    root : Path
    paths : list of str
        Relative to `root`, sorted.
    fingerprints : ndarray of uint64
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

    @cached_property
    def scan(self) -> LinearScan:
        """What searches them. Up to some 100,000 pictures nothing is faster: see chapter 5."""
        return LinearScan(self.fingerprints)


@dataclass(frozen=True, eq=False)
class Picture:
    """A picture to search with, or to look at.

    Attributes
    ----------
    name : str
        As it is shown.
    image : PIL.Image.Image
        In RGB, at most 800 pixels wide and high.
    size : (int, int)
        Width and height of the file's picture.
    fingerprint : uint64
        Of the file's picture.
    note : str
        A sentence, or empty.
    path : str
        In the dataset that it was chosen from, or empty.
    """

    name: str
    image: Image.Image
    size: tuple[int, int]
    fingerprint: np.uint64
    note: str = ""
    path: str = ""


def index(
    dataset: datasets.Dataset | str | Path, report: Callable[[str], None] | None = None
) -> Pictures:
    """Fingerprint the pictures of a dataset.

    Parameters
    ----------
    dataset : Dataset, str or Path
        From `helpers.datasets.load`; or ``"sample"``, ``"caltech-101"``, or a folder. Nothing in it is changed.
    report : callable, optional
        Is given a sentence on the progress, now and then, in place of a progress bar.

    Returns
    -------
    Pictures
        Without the files that cannot be read.

    Raises
    ------
    Problem
        If there is no such folder, or nothing in it that can be read.

    Examples
    --------
    >>> len(index("sample"))
    101
    """
    if dataset in ("sample", "caltech-101"):
        dataset = datasets.sample() if dataset == "sample" else datasets.caltech_101()
    if isinstance(dataset, datasets.Dataset):
        name, root, paths = dataset.name, dataset.root, dataset.images
    else:
        if not str(dataset).strip():
            raise Problem("no folder is named; type the path of a folder of pictures")
        root = Path(str(dataset).strip()).expanduser()
        name, paths = root.name or str(root), find_images(root)
    if report is None:
        table = fingerprints.of_folder(root, paths)
    else:
        parts = []
        for start in range(0, len(paths), _CHUNK):
            report(f"Reading the pictures of {name}: {start:,} of {len(paths):,} are done.")
            with _without_bar():
                parts.append(fingerprints.of_folder(root, paths[start : start + _CHUNK]))
        table = pd.concat(parts, ignore_index=True)
    good, bad = table[table["problem"] == ""], table[table["problem"] != ""]
    if good.empty:
        raise Problem(f"{root}: holds no picture that can be read; choose another folder")
    left_out = ""
    if len(bad):
        first = bad.iloc[0]
        left_out = f"{len(bad)} of {len(table)} files are left out. The first: {first.path}: {first.problem}"
    values = hamming.as_fingerprints(good["fingerprint"])
    return Pictures(name, root, good["path"].tolist(), values, left_out)


@contextmanager
def _without_bar() -> Iterator[None]:
    """A bar would be drawn nowhere: what a control starts has no cell below which it could stand."""
    before = os.environ.get("TQDM_DISABLE")
    os.environ["TQDM_DISABLE"] = "1"
    try:
        yield
    finally:
        if before is None:
            del os.environ["TQDM_DISABLE"]
        else:
            os.environ["TQDM_DISABLE"] = before


def read_picture(path: str | Path, name: str | None = None) -> Picture:
    """A picture from a file.

    Parameters
    ----------
    path : str or Path
    name : str, optional
        To show instead of the file's.

    Returns
    -------
    Picture
        Its first frame, if it has several.

    Raises
    ------
    Problem
        With the name and the reason, if it cannot be read.

    Examples
    --------
    >>> read_picture("data/sample/cat/whole.jpg").size  # doctest: +SKIP
    (451, 300)
    """
    path = Path(path)
    name = name or path.name
    try:
        image, size = open_with_size(path)
    except Problem as problem:
        raise Problem(f"{name}: {str(problem).removeprefix(f'{path}: ')}") from problem
    note = "Of an animation the first frame is taken." if _is_animation(path) else ""
    value = fingerprints.of_image(image)
    return Picture(name, _reduced(image), size, value, note)


def read_upload(name: str, content: bytes) -> Picture:
    """A picture from the bytes of an upload: see `read_picture`."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "upload")  # never under a name that a stranger chose
        file.write_bytes(content)
        return read_picture(file, name)


def _is_animation(path: Path) -> bool:
    try:
        with Image.open(path, formats=["GIF", "PNG", "WEBP"]) as image:
            return image.is_animated
    except (OSError, AttributeError):
        return False


def _reduced(image: Image.Image) -> Image.Image:
    """The picture in RGB, of a size to work with."""
    image = image if image.mode in ("L", "RGB") else image.convert("RGB")
    image.thumbnail((_SIDE, _SIDE))  # in place: a copy of 50 million pixels takes its time
    return image.convert("RGB")


# The search


def bits(fingerprint: np.uint64) -> np.ndarray:
    """The 64 bits as dHash compares them: a row of the table is a row of the picture.

    Parameters
    ----------
    fingerprint : uint64
        A Python integer will do.

    Returns
    -------
    ndarray of bool, shape (8, 8)

    Examples
    --------
    >>> bits(0b101)[7].astype(int)
    array([0, 0, 0, 0, 0, 1, 0, 1])
    """
    one = np.array([fingerprint], dtype=np.uint64).astype(">u8")
    return np.unpackbits(one.view(np.uint8)).reshape(8, 8).astype(bool)


def find(pictures: Pictures, fingerprint: np.uint64, radius: int) -> pd.DataFrame:
    """The pictures near a fingerprint, nearest first; of equally near ones in the order of their names.

    Parameters
    ----------
    pictures : Pictures
    fingerprint : uint64
    radius : int
        Largest distance, in bits, that counts.

    Returns
    -------
    DataFrame
        ``path``, ``distance`` (bits) and ``differ`` (uint64: its ones are the bits that differ; see `bits`).
        ``attrs["seconds"]`` is what the search took.

    Raises
    ------
    Problem
        For a radius that is no whole number from 0 to 64.

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
    differ = pictures.fingerprints[rows] ^ np.uint64(fingerprint)
    paths = [pictures.paths[row] for row in rows]
    matches = pd.DataFrame({"path": paths, "distance": distances, "differ": differ})
    matches.attrs["seconds"] = seconds
    return matches


def differences(differ: np.ndarray) -> str:
    """Which bits differ, in words: what the crosses on a grid say.

    Parameters
    ----------
    differ : ndarray of bool, shape (8, 8)

    Returns
    -------
    str

    Examples
    --------
    >>> differences(bits(0b101))
    '2 bits differ: row 8, columns 6, 8'
    """
    rows = []
    for row, places in enumerate(differ, start=1):
        columns = [str(column) for column, differs in enumerate(places, start=1) if differs]
        if columns:
            rows.append(f"row {row}, column{'s' * (len(columns) > 1)} {', '.join(columns)}")
    where = f": {'; '.join(rows)}" if rows else ""
    return f"{_count(differ)}{where}"


def _count(differ: np.ndarray) -> str:
    number = int(differ.sum())
    return f"{_bits(number)} {'differs' if number == 1 else 'differ'}"


def _bits(number: int) -> str:
    return "no bits" if number == 0 else "1 bit" if number == 1 else f"{number} bits"


def found_in_words(pictures: Pictures, query: Picture, matches: pd.DataFrame, radius: int) -> str:
    """What a search found, in one sentence.

    Parameters
    ----------
    pictures : Pictures
    query : Picture
    matches : DataFrame
        From `find`.
    radius : int

    Returns
    -------
    str
        With the distance of the nearest picture, where nothing was found.
    """
    number, among = len(matches), f"of {len(pictures):,} pictures of {pictures.name}"
    within = f"within {_bits(radius)} of {query.name}" if radius else f"equal to {query.name}"
    if not number:
        nearest = int(hamming.distances(query.fingerprint, pictures.fingerprints).min())
        return f"None {among} is {within}; the nearest is {_bits(nearest)} away."
    itself = ""
    if query.path and (matches["path"] == query.path).any():
        itself = ", the query itself," if number == 1 else ", the query itself among them,"
    return f"{number:,} {among}{itself} {'is' if number == 1 else 'are'} {within}."


# The microscope


@dataclass(frozen=True)
class Change:
    """What is done to a picture, in this order.

    Attributes
    ----------
    crop : int
        Per cent of width and height cut off at each side.
    turn : int
        Degrees, anticlockwise; the corners become black.
    brightness : int
        Per cent: 100 leaves it.
    quality : int
        Of the JPEG as which it is saved and opened again; 100: it is not saved again.
    """

    crop: int = 0
    turn: int = 0
    brightness: int = 100
    quality: int = 100


#: The lowest and highest value of each change, and its name on the page.
LIMITS = {
    "crop": (0, 40, "Cut off each side, %"),
    "turn": (-45, 45, "Turn, degrees"),
    "brightness": (10, 300, "Brightness, %"),
    "quality": (1, 100, "JPEG quality (100: as it is)"),
}


def changed(image: Image.Image, change: Change) -> Image.Image:
    """A picture after a change.

    Parameters
    ----------
    image : PIL.Image.Image
    change : Change

    Returns
    -------
    PIL.Image.Image
        In RGB.

    Raises
    ------
    Problem
        For a change beyond `LIMITS`.

    Examples
    --------
    >>> changed(Image.new("L", (100, 50)), Change(crop=10)).size
    (80, 40)
    """
    for name, (low, high, _) in LIMITS.items():
        if not low <= getattr(change, name) <= high:
            raise Problem(f"{name}={getattr(change, name)}: it is a number from {low} to {high}")
    image = image.convert("RGB")
    if change.crop:
        share, (width, height) = change.crop / 100, image.size
        left, top = int(width * share), int(height * share)
        image = image.crop((left, top, width - left, height - top))
    if change.turn:
        image = image.rotate(change.turn, Image.Resampling.BICUBIC)
    if change.brightness != 100:
        image = ImageEnhance.Brightness(image).enhance(change.brightness / 100)
    if change.quality != 100:
        saved = io.BytesIO()
        image.save(saved, "JPEG", quality=change.quality)
        image = Image.open(saved).convert("RGB")
    return image


class Steps:
    """The steps of dHash on one picture.

    Parameters
    ----------
    image : PIL.Image.Image

    Attributes
    ----------
    grey : PIL.Image.Image
    pixels : ndarray of int, shape (8, 9)
        Rows of nine grey values.
    right_minus_left : ndarray of int, shape (8, 8)
        What is compared.
    bits : ndarray of bool, shape (8, 8)

    Examples
    --------
    >>> bool(Steps(Image.linear_gradient("L").rotate(90)).bits.all())
    True
    """

    def __init__(self, image: Image.Image) -> None:
        self.image = image
        self.grey = image.convert("L")
        small = self.grey.resize((9, 8), Image.Resampling.LANCZOS)
        self.pixels = np.asarray(small).astype(int)
        self.right_minus_left = self.pixels[:, 1:] - self.pixels[:, :-1]
        self.bits = self.right_minus_left > 0

    @property
    def near_ties(self) -> np.ndarray:
        """The 32 comparisons of neighbours that are nearest to equal; of equally near ones the first."""
        order = np.argsort(np.abs(self.right_minus_left), axis=None, kind="stable")
        near = np.zeros(64, dtype=bool)
        near[order[:32]] = True
        return near.reshape(8, 8)


def flips_in_words(before: Steps, after: Steps) -> str:
    """How many bits a change flipped, in one sentence.

    Parameters
    ----------
    before, after : Steps

    Returns
    -------
    str

    Examples
    --------
    >>> dark = Steps(Image.new("L", (90, 80)))
    >>> flips_in_words(dark, dark)
    'None of the 64 bits differs from the unchanged picture.'
    """
    flips = before.bits != after.bits
    number, ties = int(flips.sum()), int((flips & before.near_ties).sum())
    if not number:
        return "None of the 64 bits differs from the unchanged picture."
    among = f"{ties} of them {'was' if ties == 1 else 'were'} among its 32 near-ties"
    verb = "differs" if number == 1 else "differ"
    return f"{number} of 64 bits {verb} from the unchanged picture; {among}."


# As HTML


def data_uri(image: Image.Image, side: int) -> str:
    """A picture as text that a page can show, at most so many pixels wide and high."""
    small = image.copy()
    small.thumbnail((side, side))
    content = io.BytesIO()
    small.convert("RGB").save(content, "JPEG", quality=85)
    return "data:image/jpeg;base64," + b64encode(content.getvalue()).decode()


def _img(uri: str, alt: str, side: int) -> str:
    return (
        f'<img src="{uri}" alt="{html.escape(alt)}" style="width:{side}px;max-height:{side}px">'
        if uri
        else f'<span style="width:{side}px">this picture cannot be read</span>'
    )


def bits_svg(shown: np.ndarray, differ: np.ndarray | None = None, *, side: int = _THUMBNAIL) -> str:
    """Bits as squares, 1 white and 0 black; those that differ have a cross.

    Parameters
    ----------
    shown : ndarray of bool, shape (8, 8)
    differ : ndarray of bool, shape (8, 8), optional
    side : int
        Pixels.

    Returns
    -------
    str
        SVG, with a label for those who cannot see it.
    """
    label = "The bits of the picture" if differ is None else differences(differ)
    black = "".join(f"M{column} {row}h1v1h-1z" for row, column in np.argwhere(~shown))
    lines = "".join(f"M{n} 0v8M0 {n}h8" for n in range(9))
    crosses = "".join(
        f"M{column + 0.2:.1f} {row + 0.2:.1f}l.6 .6m0-.6l-.6 .6"
        for row, column in np.argwhere(differ if differ is not None else np.zeros((8, 8)))
    )
    return (
        f'<svg role="img" aria-label="{label}" width="{side}" height="{side}" viewBox="-.05 -.05 8.1 8.1" style="flex:none">'
        f'<path d="M0 0h8v8h-8z" fill="#fff"/><path d="{black}" fill="#000"/>'
        f'<path d="{lines}" stroke="{plots.GREY}" stroke-width=".05"/>'
        f'<path d="{crosses}" stroke="{plots.ORANGE}" stroke-width=".2" fill="none"/></svg>'
    )


def _signed(value: int) -> str:
    return f"{value:+d}" if value else "0"


def _numbers_svg(values: np.ndarray, label: str, framed: np.ndarray | None = None) -> str:
    """Numbers in squares: grey values in their own grey; or, if some are to be framed, signed numbers on white."""
    rows, columns = values.shape
    cells, frames = [], []
    for (row, column), value in np.ndenumerate(values):
        fill = int(value) if framed is None else 255
        ink = "#000" if fill > 127 else "#fff"
        text = str(value) if framed is None else _signed(value)
        cells.append(
            f'<rect x="{column * 26}" y="{row * 26}" width="26" height="26" fill="rgb({fill},{fill},{fill})"/>'
            f'<text x="{column * 26 + 13}" y="{row * 26 + 17}" fill="{ink}">{text}</text>'
        )
        if framed is not None and framed[row, column]:
            frames.append(f"M{column * 26 + 2} {row * 26 + 2}h22v22h-22z")
    return (
        f'<svg role="img" aria-label="{label}" width="{26 * columns + 2}" height="{26 * rows + 2}" '
        f'viewBox="-1 -1 {26 * columns + 2} {26 * rows + 2}" font-size="11" font-family="sans-serif" text-anchor="middle">'
        f'{"".join(cells)}<path d="{"".join(frames)}" fill="none" stroke="{plots.ORANGE}" stroke-width="2.5"/>'
        f'<rect width="{26 * columns}" height="{26 * rows}" fill="none" stroke="{plots.GREY}"/></svg>'
    )


def matches_html(
    query: Picture,
    matches: pd.DataFrame,
    thumbnails: Callable[[str], str],
    *,
    most: int = 12,
) -> str:
    """A query and its matches, each with its bits.

    Parameters
    ----------
    query : Picture
    matches : DataFrame
        From `find`.
    thumbnails : callable
        From a path to a data URI, or to an empty text for a file that cannot be read.
    most : int
        Matches to show; a sentence tells of the others.

    Returns
    -------
    str
        Names in it are escaped.
    """
    cards = []
    for number, match in enumerate(matches.head(most).itertuples(), start=1):
        differ = bits(match.differ)
        itself = " (the query itself)" if match.path == query.path else ""
        cards.append(
            f'<li><div class="pair">{_img(thumbnails(match.path), f"match {number}", _THUMBNAIL)}'
            f"{bits_svg(bits(query.fingerprint) ^ differ, differ)}</div>"
            f"<p><b>{number}. {_count(differ)}</b><br>{html.escape(match.path)}{itself}</p></li>"
        )
    rest = len(matches) - most
    more = f"<p>The {most} nearest are shown, {rest:,} more are not.</p>" if rest > 0 else ""
    width, height = query.size
    return (
        f'{_STYLE}<div class="explore"><div class="card" style="margin-bottom:14px;width:auto">'
        f'<div class="pair">{_img(data_uri(query.image, 180), "the query", 180)}{bits_svg(bits(query.fingerprint), side=140)}'
        f"<p><b>The query</b><br>{html.escape(query.name)}<br>{width:,} x {height:,} pixels<br>"
        f"<code>{fingerprints.to_hex(query.fingerprint)}</code><br>White: 1, brighter than to its left. Black: 0.<br>"
        f"On a match: a cross where its bit differs from the query's.</p>"
        f"</div></div><ol>{''.join(cards)}</ol>{more}</div>"
    )


def steps_html(before: Steps, after: Steps) -> str:
    """The steps of dHash on a changed picture, with crosses on the bits that flipped.

    Parameters
    ----------
    before, after : Steps

    Returns
    -------
    str
    """
    flips = before.bits != after.bits
    shown = [("the picture, changed", after.image), ("1. grey", after.grey)]
    pictures = "".join(
        _figure(title, _img(data_uri(image, 180), title, 180)) for title, image in shown
    )
    steps = [
        ("2. nine by eight pixels", _numbers_svg(after.pixels, "9 by 8 grey values")),
        (
            "3. each minus its left neighbour",
            _numbers_svg(after.right_minus_left, "8 by 8 differences of neighbours", flips),
        ),
        ("4. bits: white if above 0", bits_svg(after.bits, flips, side=210)),
    ]
    figures = "".join(_figure(title, content) for title, content in steps)
    where = differences(flips)
    return (
        f'{_STYLE}<div class="explore"><div class="row"><div>{pictures}</div>{figures}</div>'
        f"<p>{where[0].upper()}{where[1:]}. Bits that differ have a frame in step 3 and a cross in step 4.</p></div>"
    )


def _figure(title: str, content: str) -> str:
    return f"<figure><figcaption>{title}</figcaption>{content}</figure>"


# The pages


def search_page(
    dataset: Pictures | datasets.Dataset | str | Path = "sample",
    *,
    query: str | Path | None = None,
    radius: int = 10,
    largest: int = 16,
    most: int = 12,
) -> SearchPage:
    """A page to search with: choose a picture or bring one, drag the radius, see the matches.

    Parameters
    ----------
    dataset : Pictures, Dataset, str or Path
        From `index`, or anything that `index` takes.
    query : str or Path, optional
        The first query: a path in the dataset, or of any picture file; the dataset's first picture if left out.
    radius : int
        To begin with.
    largest : int
        The radius to which one can go.
    most : int
        Matches to show.

    Returns
    -------
    SearchPage
        Make it a cell's last line to see it.

    Raises
    ------
    Problem
        If there is no such dataset or query, or a radius is no whole number from 0 to 64.

    Examples
    --------
    >>> search_page("sample", query="cat/whole.jpg", radius=2)  # doctest: +SKIP
    """
    pictures = dataset if isinstance(dataset, Pictures) else index(dataset)
    largest = max(hamming.check_radius(largest), hamming.check_radius(radius))
    first = pictures.paths[0] if query is None else query
    return SearchPage(pictures, _picture_of(pictures, first), radius, largest, most)


def microscope(
    image: Image.Image | Picture | str | Path, change: Change | None = None
) -> Microscope:
    """A page to look at dHash with: change a picture, see which bits flip.

    Parameters
    ----------
    image : PIL.Image.Image, Picture, str or Path
        A picture, or its file. One that is larger than 800 pixels is reduced to that first, to be quick.
    change : Change, optional
        To begin with.

    Returns
    -------
    Microscope
        Make it a cell's last line to see it.

    Raises
    ------
    Problem
        If the file cannot be read, or for a change beyond `LIMITS`.

    Examples
    --------
    >>> microscope("photo.jpg", Change(crop=10))  # doctest: +SKIP
    """
    if isinstance(image, (str, Path)):
        image = read_picture(image)
    elif isinstance(image, Image.Image):
        value, small = fingerprints.of_image(image), _reduced(image.copy())
        image = Picture("the picture", small, image.size, value)
    return Microscope(image, change or Change())


def _picture_of(pictures: Pictures, path: str | Path) -> Picture:
    """A picture of the dataset by its path there, or of the computer."""
    if str(path) in set(pictures.paths):
        return replace(read_picture(pictures.root / path, str(path)), path=str(path))
    return _from_computer(path)


def _from_computer(path: str | Path) -> Picture:
    file = Path(path).expanduser()
    return replace(read_picture(file, str(path)), name=file.name)


def _open_small(path: Path) -> Image.Image:
    """For a thumbnail. A JPEG is decoded at a fraction of its size, as no eye can tell."""
    try:
        with Image.open(path, formats=["JPEG"]) as image:
            if image.mode == "RGB" and image.getexif().get(0x0112, 1) == 1:
                image.draft("RGB", (2 * _THUMBNAIL, 2 * _THUMBNAIL))
                image.load()
                return image
    except Exception:  # whatever is the matter, the next line finds it out
        pass
    return open_image(path)


def _someone_is_there() -> bool:
    """Whether a person ran this cell. A program that runs notebooks says that it cannot be asked anything."""
    kernel = getattr(get_ipython(), "kernel", None)
    request = kernel.get_parent("shell") if hasattr(kernel, "get_parent") else {}
    return bool(request.get("content", {}).get("allow_stdin"))


def _widgets() -> ModuleType:
    try:
        import ipywidgets
    except ImportError as error:
        raise Problem(
            "controls need ipywidgets, which is not installed: "
            'run  python -m pip install "image-fingerprints[notebooks]"  and restart the kernel'
        ) from error
    return ipywidgets


def _short(name: str) -> str:
    """A name that fits above a panel, folder and file on two lines."""
    parts = name.rpartition("/")[::2]
    return "\n".join(
        part if len(part) <= 30 else f"{part[:14]}...{part[-13:]}" for part in parts if part
    )


def _row(widgets: ModuleType, *controls: object) -> object:
    """Side by side; below one another where the window is narrow."""
    row = widgets.HBox(controls)
    row.layout.flex_flow = "row wrap"
    return row


class _Page:
    """What both pages share: controls that are made when they are first needed, uploads, and a place for sentences."""

    _what = "A page."

    def __init__(self) -> None:
        self._controls: SimpleNamespace | None = None
        self._quiet = False
        self._problem = ""

    def __repr__(self) -> str:
        return f"{self._what} {self.sentence}"

    # each page has these

    @property
    def sentence(self) -> str:
        raise NotImplementedError

    def figure(self) -> tuple[Figure, str]:
        raise NotImplementedError

    def html(self) -> str:
        raise NotImplementedError

    def _take(self, picture: Picture) -> None:
        raise NotImplementedError

    def _open(self, path: str) -> Picture:
        return _from_computer(path)

    def _make(self, widgets: ModuleType, controls: SimpleNamespace) -> list:
        raise NotImplementedError

    # showing

    @property
    def controls(self) -> SimpleNamespace:
        """The controls by name; they are made now, if they are not there yet."""
        if self._controls is None:
            widgets = _widgets()
            controls = SimpleNamespace()
            controls.status = widgets.HTML()
            controls.results = widgets.HTML()
            self._controls = controls
            rows = [*self._make(widgets, controls), controls.status, controls.results]
            controls.page = widgets.VBox(rows)
            self._render()
        return self._controls

    def _ipython_display_(self) -> None:
        figure, alt = self.figure()
        if _someone_is_there():
            try:
                model = self.controls.page.model_id
            except Problem as problem:
                print(problem)
            else:
                drawn, small = io.BytesIO(), io.BytesIO()
                plots.save(figure, drawn, format="png", dpi=80, bbox_inches="tight")
                Image.open(drawn).convert("RGB").quantize(256).save(small, "PNG", optimize=True)
                data = {
                    "application/vnd.jupyter.widget-view+json": {
                        "version_major": 2,
                        "version_minor": 0,
                        "model_id": model,
                    },
                    # for a copy of the notebook that is read where nothing can be dragged
                    "image/png": b64encode(small.getvalue()).decode(),
                    "text/plain": alt,
                }
                display(data, metadata={"image/png": {"alt": alt}}, raw=True)
                return
        plots.show(figure, alt)
        print(f"{self._what} This is a picture of it; run the cell in JupyterLab to use it.")

    def _render(self) -> None:
        if self._controls is None:
            return
        told = f'<p role="status">{html.escape(self.sentence)}</p>'
        if self._problem:
            told = f'<p role="alert" class="problem"><b>Problem:</b> {html.escape(self._problem)}</p>{told}'
        self._controls.status.value = f'{_STYLE}<div class="explore">{told}</div>'
        self._controls.results.value = self.html()

    def _report(self, sentence: str) -> None:
        if self._controls is not None:
            told = f'<p role="status">{html.escape(sentence)}</p>'
            self._controls.status.value = f'{_STYLE}<div class="explore">{told}</div>'

    # hearing

    def _on(self, control: object, act: Callable[[object], None]) -> None:
        """Call `act` with each new value; what goes wrong becomes a sentence, and the page stays as it was."""

        def heard(event: dict) -> None:
            if self._quiet:
                return
            self._problem = ""
            try:
                act(event["new"])
            except Problem as problem:
                self._problem = str(problem)
            except KeyboardInterrupt:
                self._problem = "interrupted; nothing has changed"
            except Exception as error:  # else it would go to a log that nobody reads
                self._problem = f"that did not work ({type(error).__name__}: {error})"
            self._render()

        control.observe(heard, "value")

    @contextmanager
    def _silence(self) -> Iterator[None]:
        """Controls may be set without the page taking it for a wish."""
        before, self._quiet = self._quiet, True
        try:
            yield
        finally:
            self._quiet = before

    # controls

    def _number(self, widgets: ModuleType, text: str, low: int, high: int, value: int) -> tuple:
        """A number to type, with a label, and a slider that follows it. (A slider of ipywidgets has no name for screen readers.)"""
        typed = widgets.BoundedIntText(
            value, min=low, max=high, description=text, tooltip=f"{text}: {low} to {high}"
        )
        typed.style.description_width = "190px"
        typed.layout.width = "270px"
        slider = widgets.IntSlider(value, min=low, max=high, readout=False, tooltip=text)
        slider.layout.width = "320px"
        widgets.link((typed, "value"), (slider, "value"))
        return typed, _row(widgets, typed, slider)

    def _own_picture(self, widgets: ModuleType, controls: SimpleNamespace) -> list:
        """Ways to bring a picture: an upload, or a path."""
        controls.uploads = widgets.HBox()
        controls.path = widgets.Text(
            description="or type its path",
            placeholder="then press Enter",
            continuous_update=False,
            tooltip="Path of a picture",
        )
        controls.path.style.description_width = "initial"
        controls.path.layout.width = "420px"
        controls.renew = widgets.Button(description="Renew the upload button")
        controls.renew.tooltip = "If an upload was too large"
        controls.renew.layout = {"width": "auto", "flex": "none"}
        controls.renew.on_click(lambda _: self._renew_upload(widgets, controls))
        self._on(controls.path, self._take_path)
        self._renew_upload(widgets, controls)
        hint = widgets.HTML(
            f"<small>Up to {UPLOAD_MEGABYTES} MB: Jupyter loses a larger upload without a word, and the button with it. "
            "Then renew the button, and type the file's path.</small>"
        )
        return [_row(widgets, controls.uploads, controls.path, controls.renew), hint]

    def _renew_upload(self, widgets: ModuleType, controls: SimpleNamespace) -> None:
        controls.upload = widgets.FileUpload(
            description="Upload a picture", accept="image/*,.heic,.heif", tooltip="Upload a picture"
        )
        controls.upload.layout = {"width": "auto", "flex": "none"}
        self._on(controls.upload, self._take_upload)
        controls.uploads.children = [controls.upload]

    def _take_upload(self, files: tuple) -> None:
        if not files:
            return
        with self._silence():  # so that the same file can be brought again
            self._controls.upload.value = ()
        self._report(f"Reading {files[0]['name']}.")
        self._take(read_upload(files[0]["name"], bytes(files[0]["content"])))
        with self._silence():
            self._controls.path.value = ""

    def _take_path(self, path: str) -> None:
        if path.strip():
            self._report(f"Reading {path.strip()}.")
            self._take(self._open(path.strip()))


class SearchPage(_Page):
    """See `search_page`.

    Attributes
    ----------
    pictures : Pictures
    query : Picture
    radius : int
    matches : DataFrame
        From `find`.
    """

    _what = "Search by picture."

    def __init__(
        self, pictures: Pictures, query: Picture, radius: int, largest: int, most: int
    ) -> None:
        super().__init__()
        self.pictures, self.query, self.radius = pictures, query, radius
        self.largest, self.most = largest, most
        self._known = {pictures.name: pictures}  # so that going back is quick
        self._shown = pictures.name
        self._uris: dict[str, str] = {}
        self._search()

    def _search(self) -> None:
        self.matches = find(self.pictures, self.query.fingerprint, self.radius)

    @property
    def sentence(self) -> str:
        """What was found."""
        return found_in_words(self.pictures, self.query, self.matches, self.radius)

    def figure(self) -> tuple[Figure, str]:
        """The query and up to five matches with their bits, and the same in words."""
        places = np.unique(np.linspace(0, len(self.matches) - 1, 5).astype(int))
        shown = self.matches.iloc[places[: len(self.matches)]]
        columns = 1 + len(shown)
        figure = Figure(figsize=(2 * columns, 4.4), layout="constrained")
        panels = figure.subplots(2, columns, squeeze=False)
        query_bits = bits(self.query.fingerprint)
        drawn = [(self.query.image, f"the query\n{_short(self.query.name)}", query_bits, None)]
        words = []
        for match in shown.itertuples():
            differ, number = bits(match.differ), match.Index + 1
            try:
                image = _open_small(self.pictures.root / match.path)
            except Problem:
                image = Image.new("RGB", (1, 1), "white")
            title = f"{number}. {_count(differ)}\n{_short(match.path)}"
            drawn.append((image, title, query_bits ^ differ, differ))
            words.append(f"{number}. {match.path}, {differences(differ)}")
        for (image, title, shown_bits, differ), (above, below) in zip(drawn, panels.T, strict=True):
            above.imshow(np.asarray(image.convert("RGB")))
            above.set_title(title, fontsize=8, parse_math=False)
            above.axis("off")
            plots.draw_bits(below, shown_bits, marked=differ)
        among = f" Shown, with crosses on bits that differ: {'; '.join(words)}." if words else ""
        return figure, f"{self.sentence}{among}"

    def html(self) -> str:
        """The query and its matches."""
        return matches_html(self.query, self.matches, self._thumbnail, most=self.most)

    def _thumbnail(self, path: str) -> str:
        if path not in self._uris:
            try:
                self._uris[path] = data_uri(_open_small(self.pictures.root / path), _THUMBNAIL)
            except Problem:
                self._uris[path] = ""
        return self._uris[path]

    def _render(self) -> None:
        super()._render()
        if self._controls is not None:
            milliseconds = 1000 * self.matches.attrs["seconds"]
            self._controls.clock.value = (
                f"<small>The search compared {len(self.pictures):,} fingerprints "
                f"in {milliseconds:.2f} milliseconds.</small>"
            )

    # controls

    def _make(self, widgets: ModuleType, controls: SimpleNamespace) -> list:
        def wide(control: object, width: str) -> object:
            control.style.description_width = "initial"
            control.layout.width = width
            return control

        stored = [
            name
            for name in ("sample", "caltech-101", "haystack-sample", "haystack-caltech-101")
            if name == "sample" or (datasets.data_folder() / name).is_dir()
        ]
        choices = list(dict.fromkeys([self.pictures.name, *stored, _OWN]))
        controls.dataset = wide(
            widgets.Dropdown(
                options=choices,
                value=self.pictures.name,
                description="Data set",
                tooltip="Data set",
            ),
            "260px",
        )
        controls.folder = wide(
            widgets.Text(
                description="Folder of mine",
                placeholder="its path, then press Enter",
                continuous_update=False,
                tooltip="Path of a folder of pictures",
            ),
            "420px",
        )
        controls.folder.layout.display = "none"
        controls.category = wide(
            widgets.Dropdown(description="Category", tooltip="Category"), "260px"
        )
        controls.picture = wide(widgets.Dropdown(description="Picture", tooltip="Picture"), "420px")
        controls.radius, radius_row = self._number(
            widgets, f"Radius in bits (0 to {self.largest})", 0, self.largest, self.radius
        )
        controls.clock = widgets.HTML()
        own = self._own_picture(widgets, controls)
        self._fill()
        self._on(controls.dataset, self._take_dataset)
        self._on(controls.folder, self._take_folder)
        self._on(controls.category, self._take_category)
        self._on(controls.picture, self._take_chosen)
        self._on(controls.radius, self._take_radius)
        return [
            _row(widgets, controls.dataset, controls.folder),
            _row(widgets, controls.category, controls.picture),
            *own,
            radius_row,
            controls.clock,
        ]

    def _fill(self, category: str | None = None) -> None:
        """The names to choose from; the query's is chosen, if it is one of them."""
        folders: dict[str, list[str]] = {}
        for path in self.pictures.paths:
            folders.setdefault(PurePosixPath(path).parent.as_posix(), []).append(path)
        if category is None and self.query.path:
            category = PurePosixPath(self.query.path).parent.as_posix()
        category = category or self._controls.category.value
        if category not in folders:
            category = next(iter(folders))
        names = folders[category][:_NAMES]
        with self._silence():
            self._controls.category.options = [
                (f"{'(top folder)' if name == '.' else name} ({len(paths):,})", name)
                for name, paths in folders.items()
            ]
            self._controls.category.value = category
            self._controls.picture.options = [(PurePosixPath(path).name, path) for path in names]
            self._controls.picture.value = self.query.path if self.query.path in names else None
            if self.query.path:
                self._controls.path.value = ""

    def _take_dataset(self, name: str) -> None:
        self._controls.folder.layout.display = "" if name == _OWN else "none"
        if name == _OWN:
            if self._controls.folder.value.strip():
                self._take_folder(self._controls.folder.value)
            return
        try:
            if name not in self._known:
                folder = datasets.data_folder() / name
                source = folder if name.startswith("haystack-") else name
                self._known[name] = index(source, self._report)
        except BaseException:
            with self._silence():
                self._controls.dataset.value = self._shown
            raise
        self._show(self._known[name])
        self._shown = name

    def _take_folder(self, folder: str) -> None:
        if folder.strip():
            self._show(index(folder, self._report))
            self._shown = _OWN

    def _show(self, pictures: Pictures) -> None:
        """Search other pictures. A query that was brought stays; so does one that is among these, too."""
        query = self.query
        if query.path:
            path = query.path if query.path in set(pictures.paths) else pictures.paths[0]
            query = _picture_of(pictures, path)
        self.pictures, self.query, self._uris = pictures, query, {}
        self._search()
        self._fill()

    def _take_category(self, category: str) -> None:
        self._fill(category)
        self._take_chosen(self._controls.picture.options[0][1])

    def _take_chosen(self, path: str | None) -> None:
        if path is not None:
            self._take(_picture_of(self.pictures, path))

    def _take_radius(self, radius: int) -> None:
        self.radius = radius
        self._search()

    def _open(self, path: str) -> Picture:
        return _picture_of(self.pictures, path)

    def _take(self, picture: Picture) -> None:
        self.query = picture
        self._search()
        self._fill()


class Microscope(_Page):
    """See `microscope`.

    Attributes
    ----------
    picture : Picture
    change : Change
    before, after : Steps
        Of the unchanged picture and of the changed one.
    """

    _what = "A microscope for dHash."

    def __init__(self, picture: Picture, change: Change) -> None:
        super().__init__()
        self.picture, self.change = picture, change
        self.before = Steps(picture.image)
        self._look()

    def _look(self) -> None:
        self.after = Steps(changed(self.picture.image, self.change))

    @property
    def flips(self) -> np.ndarray:
        """The bits that differ from the unchanged picture: bool, shape (8, 8)."""
        return self.before.bits != self.after.bits

    @property
    def sentence(self) -> str:
        """How many bits differ."""
        return f"{self.picture.name}: {flips_in_words(self.before, self.after)}"

    def figure(self) -> tuple[Figure, str]:
        """The steps, and the same in words."""
        figure = Figure(figsize=(11, 7), layout="constrained")
        panels = figure.subplots(2, 3).flat
        titles = [
            "the picture, changed",
            "1. grey",
            "2. nine by eight pixels",
            "3. each minus its left neighbour",
            "4. bits: white if above 0",
            "the bits of the unchanged picture",
        ]
        panels[0].imshow(np.asarray(self.after.image))
        panels[1].imshow(np.asarray(self.after.grey), cmap="gray", vmin=0, vmax=255)
        plots.draw_pixels(panels[2], self.after.pixels)
        panels[3].imshow(np.full((8, 8), 255), cmap="gray", vmin=0, vmax=255)
        for (row, column), value in np.ndenumerate(self.after.right_minus_left):
            panels[3].text(column, row, _signed(value), ha="center", va="center", fontsize=8)
            if self.flips[row, column]:
                frame = {"xy": (column - 0.45, row - 0.45), "width": 0.9, "height": 0.9}
                panels[3].add_patch(Rectangle(**frame, fill=False, lw=2, ec=plots.ORANGE))
        plots.draw_bits(panels[4], self.after.bits, marked=self.flips)
        plots.draw_bits(panels[5], self.before.bits)
        for panel, title in zip(panels, titles, strict=True):
            panel.set_title(title, fontsize=10)
            panel.set(xticks=[], yticks=[])
        done = ", ".join(
            f"{LIMITS[field.name][2]}: {getattr(self.change, field.name)}"
            for field in fields(Change)
            if getattr(self.change, field.name) != field.default
        )
        flips = differences(self.flips)
        return (
            figure,
            f"{self.sentence} The change: {done or 'none'}. In the steps of dHash, {flips}.",
        )

    def html(self) -> str:
        """The steps."""
        return steps_html(self.before, self.after)

    def _make(self, widgets: ModuleType, controls: SimpleNamespace) -> list:
        own = self._own_picture(widgets, controls)
        rows = []
        for name, (low, high, text) in LIMITS.items():
            typed, row = self._number(widgets, text, low, high, getattr(self.change, name))
            setattr(controls, name, typed)
            self._on(typed, self._take_change)
            rows.append(row)
        controls.reset = widgets.Button(description="Undo all changes", tooltip="Undo all changes")
        controls.reset.on_click(lambda _: self._undo())
        return [*own, *rows, controls.reset]

    def _take_change(self, _: int) -> None:
        values = {name: getattr(self._controls, name).value for name in LIMITS}
        self.change = Change(**values)
        self._look()

    def _undo(self) -> None:
        with self._silence():
            for field in fields(Change):
                getattr(self._controls, field.name).value = field.default
        self._take_change(0)
        self._problem = ""
        self._render()

    def _take(self, picture: Picture) -> None:
        self.picture = picture
        self.before = Steps(picture.image)
        self._look()
