"""Search by picture, and a microscope for dHash: two pages with controls, for JupyterLab.

A page is two things. Its state, and what it shows of it (``sentence``, ``html()``, ``figure()``), know no controls. The controls are made
when the page is first shown to a person; ``page.controls.radius.value = 3`` does what a hand would do. Where nobody can use controls,
since a program runs the notebook, the page shows a figure of itself and a sentence instead.
"""

from __future__ import annotations

import html
import io
import os
import tempfile
import time
from base64 import b64encode
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, fields, replace
from functools import cached_property
from pathlib import Path
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

#: What Jupyter Server lets through its websocket, unless it is told otherwise. A larger upload is lost without a word.
UPLOAD_MEGABYTES = 10
_SIDE = 800  # pixels of the copy that is shown and worked on
_THUMBNAIL = 100
_CHUNK = 512  # pictures between two words of progress
_NAMES = 10_000  # that are offered for choice; any other can be typed
_LABEL = "190px"
_STYLE = """<style>
.explore {line-height: 1.4}
.explore ol, .explore .row {display: flex; flex-wrap: wrap; gap: 14px; margin: 0; padding: 0; list-style: none}
.explore li, .explore .card {box-sizing: content-box; border: 1px solid #888; border-radius: 4px; padding: 8px; width: 208px}
.explore .card {width: auto; margin-bottom: 14px}
.explore .pair {display: flex; gap: 8px; align-items: flex-start}
.explore .card .pair {flex-wrap: wrap}
.explore .card p {flex: 1 1 260px}
.explore img {object-fit: contain}
.explore p {margin: 4px 0; overflow-wrap: anywhere}
.explore .problem {border-left: 5px solid #D55E00; padding: 4px 10px}
.explore figure {margin: 0}
.explore figcaption {margin-bottom: 4px}
</style>"""


# Pictures


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
        root = Path(dataset).expanduser()
        name, paths = root.resolve().name or str(root), find_images(root)
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
        first = f"{bad.iloc[0].path}: {bad.iloc[0].problem}"
        left_out = f"{len(bad)} of {len(table)} files could not be read, the first: {first}."
    values = hamming.as_fingerprints(good["fingerprint"])
    return Pictures(name, root, good["path"].tolist(), values, left_out)


@contextmanager
def _without_bar() -> Iterator[None]:
    """What a control starts has no cell below which a bar could stand."""
    before = os.environ.get("TQDM_DISABLE", "")
    os.environ["TQDM_DISABLE"] = "1"
    try:
        yield
    finally:
        os.environ["TQDM_DISABLE"] = before  # an empty text counts as not set


@dataclass(frozen=True, eq=False)
class Picture:
    """A picture to search with, or to look at.

    Attributes
    ----------
    name : str
        As it is shown.
    image : PIL.Image.Image
        In RGB, reduced to at most 800 pixels in width and height.
    size : (int, int)
        Width and height of the whole picture.
    fingerprint : uint64
        Of the whole picture.
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
    path = Path(path).expanduser()
    try:
        image, size = open_with_size(path)
    except Problem as problem:
        raise Problem(f"{name or path}: {str(problem).removeprefix(f'{path}: ')}") from problem
    note = "Of an animation the first frame is taken." if _is_animation(path) else ""
    value = fingerprints.of_image(image)
    return Picture(name or path.name, _reduced(image), size, value, note)


def read_upload(name: str, content: bytes) -> Picture:
    """A picture from the bytes of an upload: see `read_picture`."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "upload")  # never under a name that somebody else chose
        file.write_bytes(content)
        return read_picture(file, name)


def _is_animation(path: Path) -> bool:
    with suppress(OSError), Image.open(path, formats=["GIF", "PNG", "WEBP"]) as image:
        return image.is_animated
    return False


def _reduced(image: Image.Image) -> Image.Image:
    image = image if image.mode in ("L", "RGB") else image.convert("RGB")
    image.thumbnail((_SIDE, _SIDE))  # in place: a copy of 50 million pixels takes its time
    return image.convert("RGB")


def _open_small(path: Path) -> Image.Image:
    """For a thumbnail: a JPEG is decoded at a fraction of its size, which no eye can tell."""
    with suppress(Exception), Image.open(path, formats=["JPEG"]) as image:
        if image.mode == "RGB" and image.getexif().get(0x0112, 1) == 1:
            image.draft("RGB", (2 * _THUMBNAIL, 2 * _THUMBNAIL))
            image.load()
            return image
    return open_image(path)


# Bits


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
    return ": ".join(filter(None, [_how_many(differ), "; ".join(rows)]))


def _how_many(differ: np.ndarray) -> str:
    number = int(differ.sum())
    return f"{_bits(number)} {'differs' if number == 1 else 'differ'}"


def _bits(number: int) -> str:
    return "no bits" if number == 0 else "1 bit" if number == 1 else f"{number} bits"


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
    matches = pd.DataFrame({"path": [pictures.paths[row] for row in rows], "distance": distances})
    matches["differ"] = pictures.fingerprints[rows] ^ np.uint64(fingerprint)
    matches.attrs["seconds"] = seconds
    return matches


# What the microscope does and looks at


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
        Of the JPEG as which it is saved and opened again; 100: it is not saved.
    """

    crop: int = 0
    turn: int = 0
    brightness: int = 100
    quality: int = 100


#: The lowest and highest value of each change, and its label on the page.
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
        left, top = (side * change.crop // 100 for side in image.size)
        image = image.crop((left, top, image.width - left, image.height - top))
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
        Eight rows of nine grey values.
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
        self.pixels = np.asarray(self.grey.resize((9, 8), Image.Resampling.LANCZOS)).astype(int)
        self.right_minus_left = self.pixels[:, 1:] - self.pixels[:, :-1]
        self.bits = self.right_minus_left > 0

    @property
    def near_ties(self) -> np.ndarray:
        """The 32 comparisons of neighbours that are nearest to equal; of equally near ones the first."""
        order = np.argsort(np.abs(self.right_minus_left), axis=None, kind="stable")
        near = np.zeros(64, dtype=bool)
        near[order[:32]] = True
        return near.reshape(8, 8)


# HTML


def _img(image: Image.Image | None, alt: str, side: int) -> str:
    if image is None:
        return f'<span style="width:{side}px">cannot be read</span>'
    small, content = image.copy(), io.BytesIO()
    small.thumbnail((side, side))
    small.convert("RGB").save(content, "JPEG", quality=85)
    uri = f"data:image/jpeg;base64,{b64encode(content.getvalue()).decode()}"
    return f'<img src="{uri}" alt="{alt}" style="width:{side}px;max-height:{side}px">'


def _svg(content: str, label: str, view: str, width: int, height: int) -> str:
    return (
        f'<svg role="img" aria-label="{label}" viewBox="{view}" width="{width}" height="{height}" '
        f'style="flex:none" font-size="11" font-family="sans-serif" text-anchor="middle">{content}</svg>'
    )


def _grid(shown: np.ndarray, differ: np.ndarray | None, side: int) -> str:
    """Bits as squares, 1 white and 0 black, with a cross on those that differ: `helpers.plots.draw_bits`, but quick."""
    marked = np.argwhere(differ) if differ is not None else []
    black = "".join(f"M{column} {row}h1v1h-1z" for row, column in np.argwhere(~shown))
    lines = "".join(f"M{n} 0v8M0 {n}h8" for n in range(9))
    crosses = "".join(f"M{column}.2 {row}.2l.6 .6m0-.6l-.6 .6" for row, column in marked)
    content = (
        f'<path d="M0 0h8v8h-8z" fill="#fff"/><path d="{black}"/>'
        f'<path d="{lines}" stroke="{plots.GREY}" stroke-width=".05"/>'
        f'<path d="{crosses}" stroke="{plots.ORANGE}" stroke-width=".2"/>'
    )
    label = "The bits of the picture" if differ is None else differences(differ)
    return _svg(content, label, "-.05 -.05 8.1 8.1", side, side)


def _numbers(values: np.ndarray, label: str, framed: np.ndarray | None = None) -> str:
    """Grey values on squares of their grey; or, with frames around some, differences on white."""
    cells, (rows, columns) = [], values.shape
    for (row, column), value in np.ndenumerate(values):
        grey = 255 if framed is not None else int(value)
        ink = "#000" if grey > 127 else "#fff"
        text = str(value) if framed is None else _signed(value)
        x, y = 26 * column, 26 * row
        cells.append(
            f'<rect x="{x}" y="{y}" width="26" height="26" fill="rgb({grey},{grey},{grey})"/>'
            f'<text x="{x + 13}" y="{y + 17}" fill="{ink}">{text}</text>'
        )
        if framed is not None and framed[row, column]:
            cells.append(
                f'<path d="M{x + 2} {y + 2}h22v22h-22z" fill="none" stroke="{plots.ORANGE}" stroke-width="2.5"/>'
            )
    width, height = 26 * columns, 26 * rows
    edge = f'<rect width="{width}" height="{height}" fill="none" stroke="{plots.GREY}"/>'
    view = f"-1 -1 {width + 2} {height + 2}"
    return _svg("".join(cells) + edge, label, view, width + 2, height + 2)


def _signed(value: int) -> str:
    return f"{value:+d}" if value else "0"


def _short(name: str) -> str:
    """A name that fits above a panel: folder and file, each on its line."""
    parts = [part for part in name.rpartition("/")[::2] if part]
    return "\n".join(p if len(p) <= 30 else f"{p[:14]}...{p[-13:]}" for p in parts)


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
    >>> search_page("sample", query="cat/whole.jpg", radius=2)
    Search by picture. 1 of 101 pictures of sample, the query itself, is within 2 bits of cat/whole.jpg.
    """
    pictures = dataset if isinstance(dataset, Pictures) else index(dataset)
    largest = max(hamming.check_radius(largest), hamming.check_radius(radius))
    return SearchPage(
        pictures, _choose(pictures, query or pictures.paths[0]), radius, largest, most
    )


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
    >>> microscope(Image.linear_gradient("L"), Change(crop=10))
    A microscope for dHash. The picture: none of the 64 bits differs from the unchanged picture.
    """
    if isinstance(image, Image.Image):
        small = _reduced(image.copy())
        image = Picture("The picture", small, image.size, fingerprints.of_image(image))
    return Microscope(
        image if isinstance(image, Picture) else read_picture(image), change or Change()
    )


def _choose(pictures: Pictures, path: str | Path) -> Picture:
    """A picture of the dataset, or else of the computer."""
    if str(path) not in set(pictures.paths):
        return read_picture(path)
    return replace(read_picture(pictures.root / path, str(path)), path=str(path))


def _someone_is_there() -> bool:
    """Whether a person ran this cell: a program that runs notebooks says that it cannot be asked anything."""
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


def _row(*controls: object) -> object:
    """Side by side; below one another where the window is narrow."""
    row = _widgets().HBox(controls)
    row.layout.flex_flow = "row wrap"
    return row


class _Page:
    """What both pages share: showing, hearing, uploads. A page has ``_what``, and the methods below that raise."""

    _what: str

    @property
    def sentence(self) -> str:
        raise NotImplementedError

    @property
    def remarks(self) -> list[str]:
        raise NotImplementedError

    def html(self) -> str:
        raise NotImplementedError

    def figure(self) -> tuple[Figure, str]:
        raise NotImplementedError

    def _make(self, controls: SimpleNamespace) -> list:
        raise NotImplementedError

    def _open(self, path: str) -> Picture:
        raise NotImplementedError

    def _take(self, picture: Picture) -> None:
        raise NotImplementedError

    def __init__(self) -> None:
        self._controls: SimpleNamespace | None = None
        self._quiet = False
        self._problem = ""

    def __repr__(self) -> str:
        return f"{self._what} {self.sentence}"

    # showing

    @property
    def controls(self) -> SimpleNamespace:
        """The controls by name, and all of them together as ``controls.page``; they are made now, if they are not there yet."""
        if self._controls is None:
            widgets = _widgets()
            self._controls = SimpleNamespace(status=widgets.HTML(), results=widgets.HTML())
            rows = self._make(self._controls)
            rows += [self._controls.status, self._controls.results]
            self._controls.page = widgets.VBox(rows)
            self._render()
        return self._controls

    def _ipython_display_(self) -> None:
        figure, alt = self.figure()
        if not _someone_is_there():
            plots.show(figure, alt)
            print(f"{self._what} This is a picture of it; run the cell in JupyterLab to use it.")
            return
        try:
            model = self.controls.page.model_id
        except Problem as problem:
            plots.show(figure, alt)
            print(f"{self._what} This is a picture of it: {problem}.")
            return
        drawn, small = io.BytesIO(), io.BytesIO()
        plots.save(figure, drawn, format="png", dpi=80, bbox_inches="tight")
        Image.open(drawn).convert("RGB").quantize(256).save(small, "PNG", optimize=True)
        view = {"version_major": 2, "version_minor": 0, "model_id": model}
        data = {
            "application/vnd.jupyter.widget-view+json": view,
            # for those who get a copy of the notebook
            "image/png": b64encode(small.getvalue()).decode(),
            "text/plain": alt,
        }
        display(data, metadata={"image/png": {"alt": alt}}, raw=True)

    def _render(self) -> None:
        if self._controls is not None:
            self._tell(self.sentence, self.remarks, self._problem)
            self._controls.results.value = self.html()

    def _tell(self, sentence: str, remarks: list[str] | None = None, problem: str = "") -> None:
        told = f'<p role="status">{html.escape(sentence)}</p>'
        if problem:
            alert = f"<b>Problem:</b> {html.escape(problem)}"
            told = f'<p role="alert" class="problem">{alert}</p>{told}'
        if remarks:
            told += f"<p><small>{html.escape(' '.join(remarks))}</small></p>"
        self._controls.status.value = f'{_STYLE}<div class="explore">{told}</div>'

    # hearing

    def _on(self, control: object, act: Callable[[object], None]) -> None:
        """Call `act` with each new value of a control."""

        def heard(event: dict) -> None:
            if not self._quiet:
                self._do(lambda: act(event["new"]))

        control.observe(heard, "value")

    def _do(self, act: Callable[[], None]) -> None:
        """What a control asks for. What goes wrong becomes a sentence, and the page goes on as it was."""
        self._problem = ""
        try:
            act()
        except Problem as problem:
            self._problem = str(problem)
        except KeyboardInterrupt:
            self._problem = "interrupted; nothing has changed"
        except Exception as error:  # else it would go to a log that nobody reads
            self._problem = f"that did not work ({type(error).__name__}: {error})"
        self._render()

    @contextmanager
    def _silence(self) -> Iterator[None]:
        """Controls may be set without the page taking it for a wish."""
        before, self._quiet = self._quiet, True
        try:
            yield
        finally:
            self._quiet = before

    # controls that both have. Each has a label that is tied to it, for screen readers.

    def _text(self, control: object, label: str, example: str) -> object:
        """A text that counts when Enter is pressed or the control is left."""
        control.description, control.tooltip = label, label
        control.placeholder, control.continuous_update = f"{example}, then Enter", False
        control.style.description_width = _LABEL
        control.layout = {"width": "560px", "max_width": "98%"}
        return control

    def _number(self, label: str, low: int, high: int, value: int) -> tuple:
        """A number to type, and a slider that follows it, since a slider of ipywidgets has no name for screen readers."""
        widgets = _widgets()
        number = widgets.BoundedIntText(value, min=low, max=high, description=label)
        number.style.description_width = _LABEL
        number.layout.width = "270px"
        slider = widgets.IntSlider(value, min=low, max=high, readout=False)
        slider.layout.width = "320px"
        number.tooltip = slider.tooltip = f"{label}: {low} to {high}"
        widgets.link((number, "value"), (slider, "value"))
        return number, _row(number, slider)

    def _button(self, label: str, act: Callable[[], None]) -> object:
        button = _widgets().Button(description=label, tooltip=label)
        button.layout = {"width": "auto", "flex": "none"}
        button.on_click(lambda _: self._do(act))
        return button

    def _uploads(self, controls: SimpleNamespace) -> object:
        hint = (
            f"<small>Up to {UPLOAD_MEGABYTES} MB. Jupyter loses a larger one without a word, and the button "
            "with it: renew it, and type the file's path.</small>"
        )
        controls.place = _widgets().HBox()
        controls.renew = self._button("Renew the upload button", self._renew_upload)
        self._renew_upload()
        return _row(controls.place, controls.renew, _widgets().HTML(hint))

    def _renew_upload(self) -> None:
        label = "Upload a picture"
        upload = _widgets().FileUpload(description=label, tooltip=label)
        upload.accept = "image/*,.heic,.heif"
        upload.layout = {"width": "auto", "flex": "none"}
        self._on(upload, self._take_upload)
        self._controls.upload, self._controls.place.children = upload, [upload]

    def _take_upload(self, files: tuple) -> None:
        if not files:
            return
        with self._silence():  # so that the same file can be brought again
            self._controls.upload.value = ()
        self._tell(f"Reading {files[0]['name']}.")
        self._take(read_upload(files[0]["name"], bytes(files[0]["content"])))

    def _take_path(self, path: str) -> None:
        if path.strip():  # else it was only cleared
            self._tell(f"Reading {path.strip()}.")
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
        self._images: dict[str, str] = {}
        self._search()

    def _search(self) -> None:
        self.matches = find(self.pictures, self.query.fingerprint, self.radius)

    @property
    def sentence(self) -> str:
        """What was found."""
        query, number = self.query, len(self.matches)
        among = f"of {len(self.pictures):,} pictures of {self.pictures.name}"
        within = f"within {_bits(self.radius)} of" if self.radius else "equal to"
        if not number:
            far = hamming.distances(query.fingerprint, self.pictures.fingerprints).min()
            return f"None {among} is {within} {query.name}; the nearest is {_bits(far)} away."
        itself = ""
        if query.path:
            itself = ", the query itself," if number == 1 else ", the query itself among them,"
        return f"{number:,} {among}{itself} {'is' if number == 1 else 'are'} {within} {query.name}."

    @property
    def remarks(self) -> list[str]:
        """What the search took, and what a person should know of the query and of the dataset."""
        took = f"in {1000 * self.matches.attrs['seconds']:.2f} milliseconds."
        compared = f"The search compared {len(self.pictures):,} fingerprints {took}"
        return [compared, self.query.note, self.pictures.left_out]

    def html(self) -> str:
        """The query and its matches, each with its bits; names are escaped."""
        cards, query_bits = [], bits(self.query.fingerprint)
        for number, match in enumerate(self.matches.head(self.most).itertuples(), start=1):
            differ = bits(match.differ)
            itself = " (the query itself)" if match.path == self.query.path else ""
            if match.path not in self._images:
                image = self._thumbnail(match.path)
                self._images[match.path] = _img(image, f"match {number}", _THUMBNAIL)
            cards.append(
                f'<li><div class="pair">{self._images[match.path]}{_grid(query_bits ^ differ, differ, _THUMBNAIL)}</div>'
                f"<p><b>{number}. {_how_many(differ)}</b><br>{html.escape(match.path)}{itself}</p></li>"
            )
        more = len(self.matches) - self.most
        rest = f"<p>The {self.most} nearest are shown, {more:,} more are not.</p>"
        width, height = self.query.size
        return (
            f'<div class="explore"><div class="card"><div class="pair">{_img(self.query.image, "the query", 180)}'
            f"{_grid(query_bits, None, 140)}<p><b>The query</b><br>{html.escape(self.query.name)}<br>"
            f"{width:,} x {height:,} pixels<br><code>{fingerprints.to_hex(self.query.fingerprint)}</code><br>"
            "White: 1, brighter than to its left. Black: 0.<br>On a match: a cross where its bit differs from the query's."
            f"</p></div></div><ol>{''.join(cards)}</ol>{rest if more > 0 else ''}</div>"
        )

    def figure(self) -> tuple[Figure, str]:
        """The query and up to five matches, evenly spaced in the ranking, with their bits; and the same in words."""
        places = np.unique(np.linspace(0, len(self.matches) - 1, 5).astype(int))
        shown = self.matches.iloc[places[: len(self.matches)]]
        figure = Figure(figsize=(2 * (1 + len(shown)), 4.4), layout="constrained")
        columns = figure.subplots(2, 1 + len(shown), squeeze=False).T
        query_bits, title = bits(self.query.fingerprint), f"the query\n{_short(self.query.name)}"
        _draw_column(*columns[0], self.query.image, title, query_bits)
        words = []
        for match, column in zip(shown.itertuples(), columns[1:], strict=True):
            differ = bits(match.differ)
            title = f"{match.Index + 1}. {_how_many(differ)}\n{_short(match.path)}"
            _draw_column(*column, self._thumbnail(match.path), title, query_bits ^ differ, differ)
            words.append(f"{match.Index + 1}. {match.path}, {differences(differ)}")
        among = f" Shown, with crosses on bits that differ: {'; '.join(words)}." if words else ""
        return figure, f"{self.sentence}{among}"

    def _thumbnail(self, path: str) -> Image.Image | None:
        with suppress(Problem):
            return _open_small(self.pictures.root / path)
        return None

    # Lists to choose from would be Dropdowns, but in JupyterLab these lose their keys to the notebook: "m" makes the cell a text.

    def _make(self, controls: SimpleNamespace) -> list:
        stored = ["caltech-101", "haystack-sample", "haystack-caltech-101"]
        stored = [name for name in stored if (datasets.data_folder() / name).is_dir()]
        names = tuple(dict.fromkeys([self.pictures.name, "sample", *stored]))
        controls.dataset = _widgets().Combobox(value=self.pictures.name, options=names)
        controls.picture = _widgets().Combobox()
        label = f"Radius in bits (0 to {self.largest})"
        controls.radius, radius = self._number(label, 0, self.largest, self.radius)
        controls.previous = self._button("Previous", lambda: self._step(-1))
        controls.next = self._button("Next", lambda: self._step(1))
        controls.any = self._button("Any", lambda: self._step(None))
        self._fill()
        self._on(controls.dataset, self._take_dataset)
        self._on(controls.picture, self._take_path)
        self._on(controls.radius, self._take_radius)
        picture = self._text(controls.picture, "Picture, or a file", "part of a name, or a path")
        return [
            self._text(controls.dataset, "Data set, or a folder", "a name, or a path"),
            _row(picture, controls.previous, controls.next, controls.any),
            self._uploads(controls),
            radius,
        ]

    def _fill(self) -> None:
        with self._silence():
            self._controls.picture.options = tuple(self.pictures.paths[:_NAMES])
            self._controls.picture.value = self.query.path

    def _take_dataset(self, name: str) -> None:
        name = name.strip()
        if not name:  # cleared, to see all that are offered
            return
        if name in self._known:
            pictures = self._known[name]
        elif name in self._controls.dataset.options:
            here = datasets.data_folder() / name
            pictures = index(here if name.startswith("haystack") else name, self._tell)
            self._known[name] = pictures
        else:
            pictures = index(name, self._tell)
        query = self.query
        if query.path:  # one that was brought stays
            known = query.path in set(pictures.paths)
            query = _choose(pictures, query.path if known else pictures.paths[0])
        self.pictures, self._images = pictures, {}
        self._take(query)

    def _open(self, path: str) -> Picture:
        """A picture of the dataset, a file of the computer, or the first picture with this in its name."""
        if path not in set(self.pictures.paths) and not Path(path).expanduser().exists():
            alike = [name for name in self.pictures.paths if path.lower() in name.lower()]
            if not alike:
                where = f"no picture of {self.pictures.name} has this in its name"
                raise Problem(f"{path}: {where}, and there is no such file; check the spelling")
            path = alike[0]
        return _choose(self.pictures, path)

    def _step(self, places: int | None) -> None:
        """To the next picture, or to any."""
        paths = self.pictures.paths
        now = paths.index(self.query.path) if self.query.path else 0
        place = np.random.default_rng().integers(len(paths)) if places is None else now + places
        self._take(_choose(self.pictures, paths[place % len(paths)]))

    def _take_radius(self, radius: int) -> None:
        self.radius = radius
        self._search()

    def _take(self, picture: Picture) -> None:
        self.query = picture
        self._search()
        self._fill()


def _draw_column(
    above: object,
    below: object,
    image: Image.Image | None,
    title: str,
    shown: np.ndarray,
    differ: np.ndarray | None = None,
) -> None:
    if image is not None:
        above.imshow(np.asarray(image.convert("RGB")))
    above.set_title(title, fontsize=8, parse_math=False)
    above.axis("off")
    plots.draw_bits(below, shown, marked=differ)


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
    _titles = (
        "the picture, changed",
        "1. grey",
        "2. nine by eight pixels",
        "3. each minus its left neighbour",
        "4. bits: white if above 0",
        "the bits of the unchanged picture",
    )

    def __init__(self, picture: Picture, change: Change) -> None:
        super().__init__()
        self.change = change
        self._look_at(picture)

    def _look_at(self, picture: Picture) -> None:
        after = Steps(changed(picture.image, self.change))
        self.picture, self.before, self.after = picture, Steps(picture.image), after

    @property
    def flips(self) -> np.ndarray:
        """The bits that differ from the unchanged picture: bool, shape (8, 8)."""
        return self.before.bits != self.after.bits

    @property
    def sentence(self) -> str:
        """How many bits differ."""
        number, ties = int(self.flips.sum()), int((self.flips & self.before.near_ties).sum())
        if not number:
            return f"{self.picture.name}: none of the 64 bits differs from the unchanged picture."
        verb, were = "differs" if number == 1 else "differ", "was" if ties == 1 else "were"
        return (
            f"{self.picture.name}: {number} of 64 bits {verb} from the unchanged picture; "
            f"{ties} of them {were} among its 32 near-ties."
        )

    @property
    def remarks(self) -> list[str]:
        """Where the bits differ, and what a person should know of the picture."""
        where = differences(self.flips)
        marks = "A bit that differs has a frame in step 3 and a cross in step 4."
        return [f"{where[0].upper()}{where[1:]}. {marks}", self.picture.note]

    def html(self) -> str:
        """The steps on the changed picture."""
        after, flips = self.after, self.flips
        panels = [
            _img(after.image, "the changed picture", 180),
            _img(after.grey, "the same in grey", 180),
            _numbers(after.pixels, "9 by 8 grey values"),
            _numbers(after.right_minus_left, "8 by 8 differences of neighbours", flips),
            _grid(after.bits, flips, 210),
        ]
        figures = [
            f"<figure><figcaption>{title}</figcaption>{panel}</figure>"
            for title, panel in zip(self._titles, panels, strict=False)
        ]
        return (
            f'<div class="explore"><div class="row"><div>{figures[0]}{figures[1]}</div>'
            f"{''.join(figures[2:])}</div></div>"
        )

    def figure(self) -> tuple[Figure, str]:
        """The steps on the changed picture, and the same in words."""
        figure = Figure(figsize=(11, 7), layout="constrained")
        panels = figure.subplots(2, 3).flat
        for panel, title in zip(panels, self._titles, strict=True):
            panel.set_title(title, fontsize=10)
        panels[0].imshow(np.asarray(self.after.image))
        panels[1].imshow(np.asarray(self.after.grey), cmap="gray", vmin=0, vmax=255)
        plots.draw_pixels(panels[2], self.after.pixels)
        panels[3].imshow(np.full((8, 8), 255), cmap="gray", vmin=0, vmax=255)
        for (row, column), value in np.ndenumerate(self.after.right_minus_left):
            panels[3].text(column, row, _signed(value), ha="center", va="center", fontsize=8)
            if self.flips[row, column]:
                corner = (column - 0.45, row - 0.45)
                frame = Rectangle(corner, 0.9, 0.9, fill=False, lw=2, ec=plots.ORANGE)
                panels[3].add_patch(frame)
        plots.draw_bits(panels[4], self.after.bits, marked=self.flips)
        plots.draw_bits(panels[5], self.before.bits)
        for panel in panels:
            panel.set(xticks=[], yticks=[])
        done = [
            f"{LIMITS[field.name][2]}: {getattr(self.change, field.name)}"
            for field in fields(Change)
            if getattr(self.change, field.name) != field.default
        ]
        change = f"The change: {', '.join(done) or 'none'}."
        return figure, f"{self.sentence} {change} In the steps of dHash, {differences(self.flips)}."

    def _make(self, controls: SimpleNamespace) -> list:
        controls.path = self._text(_widgets().Text(), "Picture: path of a file", "a path")
        self._on(controls.path, self._take_path)
        rows = [controls.path, self._uploads(controls)]
        for name, (low, high, label) in LIMITS.items():
            number, row = self._number(label, low, high, getattr(self.change, name))
            setattr(controls, name, number)
            self._on(number, self._take_change)
            rows.append(row)
        controls.reset = self._button("Undo all changes", self._undo)
        return [*rows, _row(controls.reset)]

    def _take_change(self, _: int) -> None:
        values = {name: getattr(self._controls, name).value for name in LIMITS}
        self.change = Change(**values)
        self._look_at(self.picture)

    def _undo(self) -> None:
        with self._silence():
            for field in fields(Change):
                getattr(self._controls, field.name).value = field.default
        self._take_change(0)

    def _open(self, path: str) -> Picture:
        return read_picture(path)

    def _take(self, picture: Picture) -> None:
        self._look_at(picture)
