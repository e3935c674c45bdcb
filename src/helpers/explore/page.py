"""Search by picture, and a microscope for dHash: two pages with controls, for JupyterLab.

A page is two things. Its state, and what it shows of it (``sentence``, ``html()``, ``figure()``), know no controls: see `helpers.explore.album`
and `helpers.fingerprints.steps`. The controls are made when the page is first shown to a person, or by ``page.make_controls()``; then
``page.controls.radius.value = 3`` does what a hand would do. Where nobody can use controls, since a program runs the notebook, the page
shows a figure of itself and a sentence instead.
"""

from __future__ import annotations

import html
import io
from base64 import b64encode
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import fields
from pathlib import Path
from types import ModuleType, SimpleNamespace

import numpy as np
from IPython import get_ipython
from IPython.display import display
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from PIL import Image

from helpers import Problem, datasets, hamming
from helpers.classroom import plots
from helpers.explore import album
from helpers.explore.album import THUMBNAIL, Picture, Pictures
from helpers.fingerprints import catalogue
from helpers.fingerprints.steps import (
    LIMITS,
    Change,
    Steps,
    bits,
    changed,
    count,
    differences,
    how_many_differ,
)
from helpers.gate import bank

#: What Jupyter Server lets through its websocket, unless it is told otherwise, as by `make lab`. A larger upload is lost without a word.
UPLOAD_MEGABYTES, LAB_UPLOAD_MEGABYTES = 10, 100
_NAMES = 10_000  # that are offered for choice; any other can be typed
_LABEL = "155px"
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
.explore-upload {font-size: 0}
.explore-upload::before {font-size: var(--jp-widgets-font-size); content: "Upload a picture"; content: "Upload a picture" / ""}
.jp-OutputArea-child:has(.explore-live) + .jp-OutputArea-child,
.jp-OutputArea-child:has(.explore-live) + .jp-OutputArea-child + .jp-OutputArea-child {display: none}
</style>"""


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
    """Bits as squares, 1 white and 0 black, with a cross on those that differ: `helpers.classroom.plots.draw_bits`, but quick."""
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


def _numbers(pixels: np.ndarray) -> str:
    """Grey values on squares of their grey: `helpers.classroom.plots.draw_pixels`, but quick."""
    cells = []
    for (row, column), value in np.ndenumerate(pixels):
        ink = "#000" if value > plots.MIDDLE_GREY else "#fff"
        square = f'<rect x="{28 * column}" y="{28 * row}" width="28" height="28" fill="rgb({value},{value},{value})"/>'
        cells.append(f"{square}{_text(row, column, 18, value, ink)}")
    return _table("".join(cells), "9 by 8 grey values", pixels)


def _compared(after: np.ndarray, before: np.ndarray, flips: np.ndarray) -> str:
    """Differences of neighbours; where the bit flips, in a frame, the one before above the one after."""
    cells, words = [], []
    for (row, column), value in np.ndenumerate(after):
        if not flips[row, column]:
            cells.append(_text(row, column, 18, _signed(value)))
            continue
        old, new = _signed(before[row, column]), _signed(value)
        frame = f"M{28 * column + 2} {28 * row + 2}h24v24h-24z"
        cells.append(f'<path d="{frame}" fill="none" stroke="{plots.ORANGE}" stroke-width="2.5"/>')
        cells += [_text(row, column, 12, old), _text(row, column, 23, new)]
        words.append(f"row {row + 1}, column {column + 1}: {old}, {new}")
    label = "8 by 8 differences of neighbours"
    if words:
        label += f"; where bits differ, before and after: {'; '.join(words)}"
    return _table("".join(cells), label, after)


def _text(row: int, column: int, down: int, text: object, ink: str = "#000") -> str:
    return f'<text x="{28 * column + 14}" y="{28 * row + down}" fill="{ink}">{text}</text>'


def _table(cells: str, label: str, values: np.ndarray) -> str:
    height, width = 28 * values.shape[0], 28 * values.shape[1]
    paper = f'<rect width="{width}" height="{height}" fill="#fff" stroke="{plots.GREY}"/>'
    return _svg(paper + cells, label, f"-1 -1 {width + 2} {height + 2}", width + 2, height + 2)


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
        From `helpers.explore.album.index`, or anything that it takes.
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
    found = dataset if isinstance(dataset, Pictures) else album.index(dataset)
    largest = max(hamming.check_radius(largest), hamming.check_radius(radius))
    first = album.choose(found, query or found.paths[0])
    return SearchPage(found, first, radius, largest, most)


def microscope(
    image: Image.Image | Picture | str | Path, change: Change | None = None
) -> Microscope:
    """A page to look at dHash with: change a picture, see which bits flip.

    Parameters
    ----------
    image : PIL.Image.Image, Picture, str or Path
        A picture, or its file; ``page.query`` is what a search page searches with. One that is larger than 800 pixels is reduced to that
        first, to be quick; the page says how many bits that changes.
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
        image = album.from_memory(image)
    elif not isinstance(image, Picture):
        image = album.read_picture(image)
    return Microscope(image, change or Change())


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
    """What both pages share: showing, hearing, uploads.

    A page has the text ``_what``, the properties ``sentence`` and ``remarks``, and the methods ``html()`` and ``figure()``. Of its controls it
    knows how to make the rows (``_make``), how to put its state into them (``_fill``), how to open what was typed (``_open``), and what to
    do with a picture (``_take``).
    """

    def __init__(self) -> None:
        self.controls: SimpleNamespace | None = None
        self._quiet = False
        self._problem = ""

    def __repr__(self) -> str:
        return f"{self._what} {self.sentence}"

    # showing

    def make_controls(self) -> SimpleNamespace:
        """The controls by name, and all of them together as ``page``; made now, if they are not there yet, and kept as ``controls``."""
        if self.controls is None:
            widgets = _widgets()
            self.controls = SimpleNamespace(status=widgets.HTML(), results=widgets.HTML())
            rows = [*self._make(self.controls), self.controls.status, self.controls.results]
            self.controls.page = widgets.VBox(rows)
            self._render()
        return self.controls

    def _ipython_display_(self) -> None:
        why = "; run the cell in JupyterLab to use it"
        if _someone_is_there():
            try:
                view = {"version_major": 2, "version_minor": 0}
                view["model_id"] = self.make_controls().page.model_id
                live = {"application/vnd.jupyter.widget-view+json": view, "text/plain": repr(self)}
                display(live, raw=True)
                why = ""
            except Problem as problem:
                why = f": {problem}"
        # The live page hides it (see the style): it is for those who open the saved notebook.
        plots.show(*self.figure())
        if why:
            print(f"{self._what} This is a picture of it{why}.")

    def _render(self) -> None:
        if self.controls is not None:
            with self._silence():  # also after a failure: the controls say what the page shows
                self._fill()
            self._tell(self.sentence, self.remarks, self._problem)
            self.controls.results.value = self.html()

    def _tell(self, sentence: str, remarks: list[str] | None = None, problem: str = "") -> None:
        told = f'<p role="status">{html.escape(sentence)}</p>'
        if problem:
            alert = f"<b>Problem:</b> {html.escape(problem)}"
            told = f'<p role="alert" class="problem">{alert}</p>{told}'
        if remarks:
            told += f"<p><small>{html.escape(' '.join(remarks))}</small></p>"
        self.controls.status.value = f'{_STYLE}<div class="explore explore-live">{told}</div>'

    def _report(self, sentence: str) -> None:
        self._tell(f"{sentence} To stop: Kernel, then Interrupt.")

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
            self._problem = str(problem).replace("run this again", "try again")
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
        number.layout.width = "225px"
        slider = widgets.IntSlider(value, min=low, max=high, readout=False)
        slider.layout = {"flex": "1 1 160px", "min_width": "120px", "max_width": "320px"}
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
            f'<div class="explore"><small>Up to {UPLOAD_MEGABYTES} MB, or {LAB_UPLOAD_MEGABYTES} if <code>make lab</code> started JupyterLab. '
            "A larger one is lost without a word, and the button with it: renew it, and type the file's path.</small></div>"
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
        upload.add_class("explore-upload")  # the style hides a count that is always 0
        self._on(upload, self._take_upload)
        self.controls.upload, self.controls.place.children = upload, [upload]

    def _take_upload(self, files: tuple) -> None:
        if not files:
            return
        with self._silence():  # so that the same file can be brought again
            self.controls.upload.value = ()
        self._report(f"Reading {files[0]['name']}.")
        self._take(album.read_upload(files[0]["name"], bytes(files[0]["content"])))

    def _take_path(self, path: str) -> None:
        if path.strip():  # else it was only cleared
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
        From `helpers.explore.album.find`.
    """

    _what = "Search by picture."

    def __init__(
        self, dataset: Pictures, query: Picture, radius: int, largest: int, most: int
    ) -> None:
        super().__init__()
        self.pictures, self.query, self.radius = dataset, query, radius
        self.largest, self.most = largest, most
        self._known = {dataset.where: dataset}  # so that going back is quick
        self._images: dict[str, str] = {}
        self._search()

    def _search(self) -> None:
        self.matches = album.find(self.pictures, self.query.fingerprint, self.radius)

    @property
    def sentence(self) -> str:
        """What was found."""
        query, number = self.query, len(self.matches)
        among = f"of {len(self.pictures):,} pictures of {self.pictures.name}"
        within = f"within {count(self.radius)} of" if self.radius else "equal to"
        if not number:
            far = hamming.distances(query.fingerprint, self.pictures.fingerprints).min()
            return f"None {among} is {within} {query.name}; the nearest is {count(far)} away."
        itself = ""
        if query.in_dataset:
            itself = ", the query itself," if number == 1 else ", the query itself among them,"
        return f"{number:,} {among}{itself} {'is' if number == 1 else 'are'} {within} {query.name}."

    @property
    def remarks(self) -> list[str]:
        """What the search took, and what a person should know of the query and of the dataset."""
        took = f"in {1000 * self.matches.attrs['seconds']:.2f} milliseconds."
        compared = f"The search compared {len(self.pictures):,} fingerprints {took}"
        plain = "The query's fingerprint is nearly that of a plain picture, so a match says next to nothing."
        plain = plain if bank.says_nothing(self.query.fingerprint) else ""
        return [
            remark
            for remark in (compared, self.query.note, plain, self.pictures.left_out)
            if remark
        ]

    def html(self) -> str:
        """The query and its matches, each with its bits; names are escaped."""
        cards, query_bits = [], bits(self.query.fingerprint)
        for number, match in enumerate(self.matches.head(self.most).itertuples(), start=1):
            differ = bits(match.differ)
            itself = " (the query itself)" if self._is_query(match.path) else ""
            if match.path not in self._images:
                image = self._thumbnail(match.path)
                self._images[match.path] = _img(image, f"match {number}", THUMBNAIL)
            cards.append(
                f'<li><div class="pair">{self._images[match.path]}{_grid(query_bits ^ differ, differ, THUMBNAIL)}</div>'
                f"<p><b>{number}. {how_many_differ(differ)}</b><br>{html.escape(match.path)}{itself}</p></li>"
            )
        more = len(self.matches) - self.most
        rest = f"<p>The {self.most} nearest are shown, {more:,} more are not.</p>"
        width, height = self.query.size
        return (
            f'<div class="explore"><div class="card"><div class="pair">{_img(self.query.image, "the query", 180)}'
            f"{_grid(query_bits, None, 140)}<p><b>The query</b><br>{html.escape(self.query.name)}<br>"
            f"{width:,} x {height:,} pixels<br><code>{catalogue.to_hex(self.query.fingerprint)}</code><br>"
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
        plots.draw_with_bits(*columns[0], self.query.image, title, query_bits)
        words = []
        for match, column in zip(shown.itertuples(), columns[1:], strict=True):
            differ = bits(match.differ)
            title = f"{match.Index + 1}. {how_many_differ(differ)}\n{_short(match.path)}"
            plots.draw_with_bits(
                *column, self._thumbnail(match.path), title, query_bits ^ differ, differ
            )
            words.append(f"{match.Index + 1}. {match.path}, {differences(differ)}")
        if len(shown) < len(self.matches):
            some = f"{len(shown)} of {len(self.matches):,} matches, evenly spaced in their ranking"
            figure.supxlabel(some, fontsize=10)
        among = f" Shown, with crosses on bits that differ: {'; '.join(words)}." if words else ""
        return figure, f"{self.sentence}{among}"

    def _is_query(self, path: str) -> bool:
        return self.query.in_dataset and path == self.query.path

    def _thumbnail(self, path: str) -> Image.Image | None:
        with suppress(Problem):
            return album.open_small(self.pictures.root / path)
        return None

    # Lists to choose from would be Dropdowns, but in JupyterLab these lose their keys to the notebook: "m" makes the cell a text.

    def _make(self, controls: SimpleNamespace) -> list:
        stored = ["caltech-101", "haystack-sample", "haystack-caltech-101"]
        stored = [name for name in stored if (datasets.data_folder() / name).is_dir()]
        names = tuple(dict.fromkeys([self.pictures.where, "sample", *stored]))
        controls.dataset = _widgets().Combobox(options=names)
        controls.picture = _widgets().Combobox()
        label = f"Radius in bits (0 to {self.largest})"
        controls.radius, radius = self._number(label, 0, self.largest, self.radius)
        controls.previous = self._button("Previous", lambda: self._step(-1))
        controls.next = self._button("Next", lambda: self._step(1))
        controls.any = self._button("Any", lambda: self._step(None))
        self._on(controls.dataset, self._take_dataset)
        self._on(controls.picture, self._take_path)
        self._on(controls.radius, self._take_radius)
        picture = self._text(controls.picture, "Picture, or a file", "part of a name, or a path")
        return [
            self._text(controls.dataset, "Dataset, or a folder", "a name, or a path"),
            _row(picture, controls.previous, controls.next, controls.any),
            self._uploads(controls),
            radius,
        ]

    def _fill(self) -> None:
        self.controls.dataset.value = self.pictures.where
        self.controls.picture.options = tuple(self.pictures.paths[:_NAMES])
        self.controls.picture.value = self.query.path

    def _take_dataset(self, name: str) -> None:
        name = name.strip()
        if not name:  # cleared, to see all that are offered
            return
        dataset = self._known.get(name)
        if dataset is None:
            offered = name in self.controls.dataset.options
            stored = offered and name.startswith("haystack")
            place = datasets.data_folder() / name if stored else name
            dataset = album.index(place, self._report)
            if offered:  # a folder that was typed is read anew each time
                self._known[name] = dataset
        query = self.query
        if query.in_dataset:  # one that was brought stays
            known = query.path in dataset.places
            query = album.choose(dataset, query.path if known else dataset.paths[0])
        self.pictures, self._images = dataset, {}
        self._take(query)

    def _open(self, text: str) -> Picture:
        return album.named(self.pictures, text)

    def _step(self, places: int | None) -> None:
        """To the next picture, or to any. One that was brought lies before the first and after the last."""
        paths = self.pictures.paths
        if places is None:
            place = int(np.random.default_rng().integers(len(paths)))
        elif self.query.in_dataset:
            place = self.pictures.places[self.query.path] + places
        else:
            place = min(places, 0)
        self._take(album.choose(self.pictures, paths[place % len(paths)]))

    def _take_radius(self, radius: int) -> None:
        self.radius = radius
        self._search()

    def _take(self, picture: Picture) -> None:
        self.query = picture
        self._search()


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
        "4. bits: white if above 0",
        "the bits of the unchanged picture",
        "the picture, changed",
        "1. grey",
        "2. nine by eight pixels",
        "3. each minus its left neighbour",
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
        number, ties = int(self.flips.sum()), int((self.flips & self.before.nearer_half).sum())
        if not number:
            return f"{self.picture.name}: none of the 64 bits differs from the unchanged picture."
        verb, were = "differs" if number == 1 else "differ", "was" if ties == 1 else "were"
        return (
            f"{self.picture.name}: {number} of 64 bits {verb} from the unchanged picture; "
            f"{ties} of them {were} in the nearer half of its comparisons."
        )

    @property
    def remarks(self) -> list[str]:
        """Where the bits differ, and what a person should know of the picture."""
        where = differences(self.flips)
        marks = "A bit that differs has a cross in step 4 and a frame in step 3, with the difference before above the one after."
        picture, copy = self.picture, ""
        lost = bits(picture.fingerprint) != self.before.bits
        if lost.any() or picture.size != picture.image.size:
            width, height = picture.image.size
            copy = f"The steps are those of a copy of {width} x {height} pixels: {how_many_differ(lost)} from the whole picture's."
        shown = [f"{where[0].upper()}{where[1:]}. {marks}", copy, picture.note]
        return [remark for remark in shown if remark]

    def html(self) -> str:
        """The steps on the changed picture; its bits come first."""
        after, before, flips = self.after, self.before, self.flips
        panels = [
            _grid(after.bits, flips, 200),
            _grid(before.bits, None, 200),
            _img(after.image, "the changed picture", 180),
            _img(after.grey, "the same in grey", 180),
            _numbers(after.pixels),
            _compared(after.right_minus_left, before.right_minus_left, flips),
        ]
        figures = [
            f"<figure><figcaption>{title}</figcaption>{panel}</figure>"
            for title, panel in zip(self._titles, panels, strict=True)
        ]
        return f'<div class="explore"><div class="row">{"".join(figures)}</div></div>'

    def figure(self) -> tuple[Figure, str]:
        """The steps on the changed picture, and the same in words."""
        figure = Figure(figsize=(11, 7), layout="constrained")
        panels = figure.subplots(2, 3).flat[[4, 5, 0, 1, 2, 3]]  # there is room: step 1 first
        for panel, title in zip(panels, self._titles, strict=True):
            panel.set_title(title, fontsize=10)
        plots.draw_bits(panels[0], self.after.bits, marked=self.flips)
        plots.draw_bits(panels[1], self.before.bits)
        panels[2].imshow(np.asarray(self.after.image))
        panels[3].imshow(np.asarray(self.after.grey), cmap="gray", vmin=0, vmax=255)
        plots.draw_pixels(panels[4], self.after.pixels)
        panels[5].imshow(np.full((8, 8), 255), cmap="gray", vmin=0, vmax=255)
        for (row, column), value in np.ndenumerate(self.after.right_minus_left):
            text = _signed(value)
            if self.flips[row, column]:
                text = f"{_signed(self.before.right_minus_left[row, column])}\n{text}"
                corner = (column - 0.45, row - 0.45)
                frame = Rectangle(corner, 0.9, 0.9, fill=False, lw=2, ec=plots.ORANGE)
                panels[5].add_patch(frame)
            panels[5].text(column, row, text, ha="center", va="center", fontsize=8)
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
        rows = []
        for name, (low, high, label) in LIMITS.items():
            number, row = self._number(label, low, high, getattr(self.change, name))
            setattr(controls, name, number)
            self._on(number, self._take_change)
            rows.append(row)
        controls.reset = self._button("Undo all changes", self._undo)
        controls.path = self._text(_widgets().Text(), "Picture: path of a file", "a path")
        self._on(controls.path, self._take_path)
        return [*rows, _row(controls.reset), controls.path, self._uploads(controls)]

    def _fill(self) -> None:
        picture = self.picture
        self.controls.path.value = "" if picture.in_dataset else picture.path
        for field in fields(Change):
            getattr(self.controls, field.name).value = getattr(self.change, field.name)

    def _take_change(self, _: int) -> None:
        self.change = Change(**{name: getattr(self.controls, name).value for name in LIMITS})
        self._look_at(self.picture)

    def _undo(self) -> None:
        self.change = Change()
        self._look_at(self.picture)

    def _open(self, path: str) -> Picture:
        return album.read_picture(path)

    def _take(self, picture: Picture) -> None:
        self._look_at(picture)
