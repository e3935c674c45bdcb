"""The page to search with."""

from __future__ import annotations

import html
from contextlib import suppress
from pathlib import Path
from types import SimpleNamespace

import numpy as np
from matplotlib.figure import Figure
from PIL import Image

from helpers import Problem, datasets, hamming
from helpers.classroom import plots
from helpers.explore import album
from helpers.explore.album import THUMBNAIL, Picture, Pictures
from helpers.explore.drawing import _grid, _img, _short
from helpers.explore.page import Page, in_a_row, widgets_module
from helpers.files import places
from helpers.fingerprints import flat, hashes
from helpers.fingerprints.steps import (
    bits,
    count,
    differences,
    how_many_differ,
)

_NAMES = 10_000  # that are offered for choice; any other can be typed


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


class SearchPage(Page):
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
        plain = plain if flat.says_nothing(self.query.fingerprint) else ""
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
            f"{width:,} x {height:,} pixels<br><code>{hashes.to_hex(self.query.fingerprint)}</code><br>"
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
        stored = [name for name in stored if (places.data_folder() / name).is_dir()]
        names = tuple(dict.fromkeys([self.pictures.where, "sample", *stored]))
        controls.dataset = widgets_module().Combobox(options=names)
        controls.picture = widgets_module().Combobox()
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
            in_a_row(picture, controls.previous, controls.next, controls.any),
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
            place = places.data_folder() / name if stored else name
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
