"""The page to look at dHash with."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path
from types import SimpleNamespace

import numpy as np
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from PIL import Image

from helpers.classroom import plots
from helpers.explore import album
from helpers.explore.album import Picture
from helpers.explore.drawing import _compared, _grid, _img, _numbers, _signed
from helpers.explore.page import Page, in_a_row, widgets_module
from helpers.fingerprints.steps import (
    LIMITS,
    Change,
    Steps,
    bits,
    changed,
    differences,
    how_many_differ,
)


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


class Microscope(Page):
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
        controls.path = self._text(widgets_module().Text(), "Picture: path of a file", "a path")
        self._on(controls.path, self._take_path)
        return [*rows, in_a_row(controls.reset), controls.path, self._uploads(controls)]

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
