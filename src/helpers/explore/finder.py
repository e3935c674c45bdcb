"""The page to search with: choose a picture or bring one, and see the matches."""

from __future__ import annotations

import html
from pathlib import Path
from types import SimpleNamespace

import numpy as np
from matplotlib.figure import Figure
from PIL import Image

from helpers import datasets, hamming
from helpers.classroom import plots, steps
from helpers.explore import album
from helpers.explore.album import Picture, Pictures
from helpers.explore.page import Page, as_html, in_a_row, widgets_module
from helpers.files import places
from helpers.fingerprints import flat, hashes
from helpers.images.opening import thumbnail

THUMBNAIL = 100  # pixels
_OFFERED_NAMES = 10_000  # any other can be typed


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
        What is searched: from `helpers.explore.album.index`, or anything that it takes.
    query : str or Path, optional
        The first query: a path in the dataset, or of any picture file. The dataset's first picture
        if left out.
    radius : int
        The radius to begin with: the largest distance, in bits, that counts as a match.
    largest : int
        The largest radius that the controls offer.
    most : int
        How many matches are shown.

    Returns
    -------
    SearchPage
        Make it a cell's last line to see it.

    Raises
    ------
    Problem
        If there is no such dataset or query, or if a radius is not a whole number from 0 to 64.

    Examples
    --------
    >>> search_page("sample", query="cat/whole.jpg", radius=2).sentence
    '1 of 101 pictures of sample, the query itself, is within 2 bits of cat/whole.jpg.'
    """
    found = dataset if isinstance(dataset, Pictures) else album.index(dataset)
    largest = max(hamming.check_radius(largest), hamming.check_radius(radius))
    first = album.choose(found, query or found.paths[0])
    return SearchPage(found, first, radius, largest, most)


class SearchPage(Page):
    """The page that `search_page` makes.

    Parameters
    ----------
    pictures : Pictures
        The pictures that are searched.
    query : Picture
        The picture that they are compared with.
    radius : int
        The largest distance, in bits, that counts as a match.
    largest : int
        The largest radius that the controls offer.
    most : int
        How many matches are shown.

    Attributes
    ----------
    matches : DataFrame
        All matches, from `helpers.explore.album.find`.
    """

    name = "Search by picture."

    def __init__(
        self, pictures: Pictures, query: Picture, radius: int, largest: int, most: int
    ) -> None:
        super().__init__()
        self.pictures, self.query, self.radius = pictures, query, radius
        self.largest, self.most = largest, most
        self._known = {pictures.where: pictures}  # so that going back is quick
        self._images: dict[tuple[str, int], str] = {}
        self._search()

    def _search(self) -> None:
        self.matches = album.find(self.pictures, self.query.fingerprint, self.radius)

    @property
    def sentence(self) -> str:
        """What was found."""
        query, number = self.query, len(self.matches)
        among = f"of {len(self.pictures):,} pictures of {self.pictures.name}"
        within = f"within {steps.count_bits(self.radius)} of" if self.radius else "equal to"
        if not number:
            nearest = hamming.distances(query.fingerprint, self.pictures.fingerprints).min()
            away = f"{steps.count_bits(nearest)} away"
            return f"None {among} is {within} {query.name}; the nearest is {away}."
        itself = ""
        if query.in_dataset:
            itself = ", the query itself," if number == 1 else ", the query itself among them,"
        return f"{number:,} {among}{itself} {'is' if number == 1 else 'are'} {within} {query.name}."

    @property
    def remarks(self) -> list[str]:
        """What the search took, and what a person should know of the query and of the dataset."""
        took = f"in {1000 * self.matches.attrs['seconds']:.2f} milliseconds."
        compared = f"The search compared {len(self.pictures):,} fingerprints {took}"
        plain = ""
        if flat.says_nothing(self.query.fingerprint):
            plain = (
                "The query's fingerprint is nearly that of a plain picture, "
                "so a match says next to nothing."
            )
        shown = [compared, self.query.note, plain, self.pictures.left_out]
        return [remark for remark in shown if remark]

    def html(self) -> str:
        """The query and its matches, each with its bits.

        Returns
        -------
        str
            HTML that holds all its pictures. Names of files are escaped.
        """
        shown = enumerate(self.matches.head(self.most).itertuples(), start=1)
        cards = "".join(self._card(number, match) for number, match in shown)
        more = len(self.matches) - self.most
        rest = f"<p>The {self.most} nearest are shown, {more:,} more are not.</p>"
        query, (width, height) = self.query, self.query.size
        drawn = steps.bit_squares(steps.bits(query.fingerprint), width=140)
        return (
            '<div class="explore"><div class="card"><div class="pair">'
            f"{as_html(query.image, 'the query', 180)}{as_html(*drawn)}"
            f"<p><b>The query</b><br>{html.escape(query.name)}<br>{width:,} x {height:,} pixels<br>"
            f"<code>{hashes.to_hex(query.fingerprint)}</code><br>"
            "White: 1, brighter than to its left. Black: 0.<br>"
            "On a match: a cross where its bit differs from the query's.</p></div></div>"
            f"<ol>{cards}</ol>{rest if more > 0 else ''}</div>"
        )

    def _card(self, number: int, match: tuple) -> str:
        """A match in the list of the page."""
        place = match.path, number
        if place not in self._images:
            small = thumbnail(self.pictures.root / match.path, steps.SHARP * THUMBNAIL)
            self._images[place] = as_html(small, f"match {number}", THUMBNAIL)
        itself = self.query.in_dataset and match.path == self.query.path
        return (
            f'<li><div class="pair">{self._images[place]}{as_html(*self._squares(match))}</div>'
            f"<p><b>{number}. {steps.count_differing(steps.bits(match.differ))}</b><br>"
            f"{html.escape(match.path)}{' (the query itself)' if itself else ''}</p></li>"
        )

    def _squares(self, match: tuple) -> tuple[Image.Image, str]:
        """The bits of a match, with crosses, and where they differ in words."""
        differ = steps.bits(match.differ)
        return steps.bit_squares(
            steps.bits(self.query.fingerprint) ^ differ, differ, width=THUMBNAIL
        )

    def figure(self) -> tuple[Figure, str]:
        """The query and up to five matches, evenly spaced in the ranking, with their bits.

        Returns
        -------
        figure : Figure
            A column for each of them.
        words : str
            What the figure shows.
        """
        rows = np.unique(np.linspace(0, len(self.matches) - 1, 5).astype(int))
        shown = self.matches.iloc[rows[: len(self.matches)]]
        figure = Figure(figsize=(2 * (1 + len(shown)), 4.4), layout="constrained")
        columns = figure.subplots(2, 1 + len(shown), squeeze=False).T
        drawn = steps.bit_squares(steps.bits(self.query.fingerprint), width=THUMBNAIL)[0]
        _draw(columns[0], "the query", self.query.name, self.query.image, drawn)
        words = []
        for match, column in zip(shown.itertuples(), columns[1:], strict=True):
            drawn, where = self._squares(match)
            title = f"{match.Index + 1}. {steps.count_differing(steps.bits(match.differ))}"
            small = thumbnail(self.pictures.root / match.path, steps.SHARP * THUMBNAIL)
            _draw(column, title, match.path, small, drawn)
            words.append(f"{match.Index + 1}. {match.path}, {where}")
        if len(shown) < len(self.matches):
            some = f"{len(shown)} of {len(self.matches):,} matches, evenly spaced in their ranking"
            figure.supxlabel(some, fontsize=10)
        among = f" Shown, with crosses on bits that differ: {'; '.join(words)}." if words else ""
        return figure, f"{self.sentence}{among}"

    # No Dropdowns: in JupyterLab the notebook takes their keys, and "m" turns the cell into text.

    def _make_rows(self, controls: SimpleNamespace) -> list:
        patterns = [*datasets.DATASETS, *(f"haystack-{name}*" for name in datasets.DATASETS)]
        found = [p for some in patterns for p in sorted(places.data_folder().glob(some))]
        stored = [path.name for path in found if path.is_dir()]
        names = tuple(dict.fromkeys([self.pictures.where, "sample", *stored]))
        controls.dataset = widgets_module().Combobox(options=names)
        controls.picture = widgets_module().Combobox()
        label = f"Radius in bits (0 to {self.largest})"
        controls.radius, radius = self._number(label, 0, self.largest, self.radius)
        controls.previous = self._button("Previous", lambda: self._step(-1))
        controls.next = self._button("Next", lambda: self._step(1))
        controls.any = self._button("Any", lambda: self._step(None))
        self._observe(controls.dataset, self._take_dataset)
        self._observe(controls.picture, self._take_path)
        self._observe(controls.radius, self._take_radius)
        picture = self._text(controls.picture, "Picture, or a file", "part of a name, or a path")
        return [
            self._text(controls.dataset, "Dataset, or a folder", "a name, or a path"),
            in_a_row(picture, controls.previous, controls.next, controls.any),
            self._uploads(controls),
            radius,
        ]

    def _fill(self) -> None:
        self.controls.dataset.value = self.pictures.where
        self.controls.picture.options = tuple(self.pictures.paths[:_OFFERED_NAMES])
        self.controls.picture.value = self.query.path

    def _take_dataset(self, name: str) -> None:
        name = name.strip()
        if not name:  # cleared, to see all that are offered
            return
        dataset = self._known.get(name)
        if dataset is None:
            offered = name in self.controls.dataset.options
            stored = offered and name.startswith("haystack")
            place = places.data_folder() / name if stored else name
            dataset = album.index(place, self._report)
            if offered:  # a folder that was typed is read anew each time
                self._known[name] = dataset
        query = self.query
        if query.in_dataset:  # one that was brought stays
            known = query.path in dataset.places
            query = album.choose(dataset, query.path if known else dataset.paths[0])
        self.pictures, self._images = dataset, {}
        self._take_picture(query)

    def _read(self, text: str) -> Picture:
        return album.named(self.pictures, text)

    def _step(self, number: int | None) -> None:
        """Go so many pictures on, or to any. A picture that was brought lies before the first."""
        paths = self.pictures.paths
        if number is None:
            row = int(np.random.default_rng().integers(len(paths)))
        elif self.query.in_dataset:
            row = self.pictures.places[self.query.path] + number
        else:
            row = min(number, 0)
        self._take_picture(album.choose(self.pictures, paths[row % len(paths)]))

    def _take_radius(self, radius: int) -> None:
        self.radius = radius
        self._search()

    def _take_picture(self, picture: Picture) -> None:
        self.query = picture
        self._search()


def _draw(
    column: np.ndarray, title: str, path: str, image: Image.Image | None, drawn: Image.Image
) -> None:
    """Draw a picture into the upper one of two panels, and its bits into the lower one."""
    lines = [title, *(part for part in path.rpartition("/")[::2] if part)]
    fitting = [line if len(line) <= 30 else f"{line[:14]}...{line[-13:]}" for line in lines]
    column[0].set_title("\n".join(fitting), fontsize=8, parse_math=False)
    if image is None:
        column[0].axis("off")
    else:
        plots.draw_image(column[0], image)
    column[0].set_anchor("S")  # beside its bits
    plots.draw_image(column[1], drawn)
