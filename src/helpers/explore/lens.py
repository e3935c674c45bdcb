"""The microscope: change a picture, and see which bits of its dHash flip."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, fields
from pathlib import Path
from types import SimpleNamespace

import numpy as np
from matplotlib.figure import Figure
from PIL import Image

from helpers import Problem
from helpers.classroom import plots, steps
from helpers.classroom.steps import Steps
from helpers.explore import album
from helpers.explore.album import Picture
from helpers.explore.page import Page, as_html, in_a_row, widgets_module
from helpers.images import drawing


def _setting(default: int, **about: object) -> int:
    """A number with its lowest and highest value, its label on the page, and what it does."""
    return field(default=default, metadata=about)


@dataclass(frozen=True)
class Adjustment:
    """What is done to a picture, in this order.

    Parameters
    ----------
    crop : int
        Per cent of width and height that are cut off at each side, 0 to 40.
    turn : int
        Degrees, -45 to 45, anticlockwise; the corners become black.
    brightness : int
        Per cent, 10 to 300; 100 leaves the picture as it is.
    quality : int
        The JPEG quality, 1 to 100, with which it is saved and opened again; at 100 it is not saved.
    """

    crop: int = _setting(
        0,
        low=0,
        high=40,
        label="Cut off each side, %",
        function=lambda image, percent: drawing.cut_off(image, percent, math.floor),
    )
    turn: int = _setting(0, low=-45, high=45, label="Turn, degrees", function=drawing.turned)
    brightness: int = _setting(
        100,
        low=10,
        high=300,
        label="Brightness, %",
        function=lambda image, percent: drawing.brightened(image, percent / 100),
    )
    quality: int = _setting(
        100, low=1, high=100, label="JPEG quality (100: off)", function=drawing.as_jpeg
    )


def adjusted(image: Image.Image, adjustment: Adjustment) -> Image.Image:
    """A picture after an adjustment.

    Parameters
    ----------
    image : PIL.Image.Image
        The picture, in any mode. It stays as it is.
    adjustment : Adjustment
        What is done to it.

    Returns
    -------
    PIL.Image.Image
        The adjusted picture, in RGB.

    Raises
    ------
    Problem
        If a value is beyond its limits.

    Examples
    --------
    >>> adjusted(Image.new("L", (100, 50)), Adjustment(crop=10)).size
    (80, 40)
    """
    image = image.convert("RGB")
    for setting in fields(Adjustment):
        value, about = getattr(adjustment, setting.name), setting.metadata
        if not about["low"] <= value <= about["high"]:
            limits = f"it is a number from {about['low']} to {about['high']}"
            raise Problem(f"{setting.name}={value}: {limits}")
        if value != setting.default:
            image = about["function"](image, value)
    return image


def microscope(
    image: Image.Image | Picture | str | Path, adjustment: Adjustment | None = None
) -> Microscope:
    """A page to look at dHash with: change a picture, see which bits flip.

    Parameters
    ----------
    image : PIL.Image.Image, Picture, str or Path
        A picture, or its file; ``page.query`` is what a search page searches with. A picture that
        is larger than 800 pixels is first reduced to that, so that the page is quick; the page says
        how many bits that changes.
    adjustment : Adjustment, optional
        What is done to the picture to begin with; nothing if left out.

    Returns
    -------
    Microscope
        Make it a cell's last line to see it.

    Raises
    ------
    Problem
        If the file cannot be read, or if a value of the adjustment is beyond its limits.

    Examples
    --------
    >>> microscope(Image.linear_gradient("L"), Adjustment(crop=10))
    A microscope for dHash. The picture: none of the 64 bits differs from the unchanged picture.
    """
    if isinstance(image, Image.Image):
        image = album.from_memory(image)
    elif not isinstance(image, Picture):
        image = album.read_picture(image)
    return Microscope(image, adjustment or Adjustment())


class Microscope(Page):
    """The page that `microscope` makes.

    Parameters
    ----------
    picture : Picture
        The picture to look at.
    adjustment : Adjustment
        What is done to it to begin with.

    Attributes
    ----------
    before : Steps
        The steps on the unchanged picture.
    after : Steps
        The steps on the changed picture.
    """

    name = "A microscope for dHash."

    def __init__(self, picture: Picture, adjustment: Adjustment) -> None:
        super().__init__()
        self.adjustment = adjustment
        self._take_picture(picture)

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
        where = steps.differences(self.flips)
        marks = (
            "A bit that differs has a cross in step 4 and a frame in step 3, "
            "with the difference before above the one after."
        )
        picture, reduced = self.picture, ""
        lost = steps.bits(picture.fingerprint) != self.before.bits
        if lost.any() or picture.size != picture.image.size:
            width, height = picture.image.size
            reduced = (
                f"The steps are those of a copy of {width} x {height} pixels: "
                f"{steps.count_differing(lost)} from the whole picture's."
            )
        shown = [f"{where[0].upper()}{where[1:]}. {marks}", reduced, picture.note]
        return [remark for remark in shown if remark]

    def _panels(self) -> list[tuple]:
        """Of each panel: title, picture, what it shows, and width if it is not one of squares."""
        after, before = self.after, self.before
        differences = after.right_minus_left, before.right_minus_left
        return [
            ("the picture, changed", after.image, "the changed picture", 180),
            ("1. grey", after.grey, "the same in grey", 180),
            ("2. nine by eight pixels", *steps.grey_squares(after.pixels)),
            ("3. each minus its left neighbour", *steps.difference_squares(*differences)),
            ("4. bits: white if above 0", *steps.bit_squares(after.bits, self.flips)),
            ("the bits of the unchanged picture", *steps.bit_squares(before.bits)),
        ]

    def html(self) -> str:
        """The steps on the changed picture; its bits come first.

        Returns
        -------
        str
            HTML that holds all its pictures.
        """
        panels = self._panels()
        figures = [
            f"<figure><figcaption>{title}</figcaption>{as_html(*drawn)}</figure>"
            for title, *drawn in [*panels[4:], *panels[:4]]
        ]
        return f'<div class="explore"><div class="row">{"".join(figures)}</div></div>'

    def figure(self) -> tuple[Figure, str]:
        """The steps on the changed picture, in their order.

        Returns
        -------
        figure : Figure
            The panels of the page.
        words : str
            What the figure shows.
        """
        figure = Figure(figsize=(10, 5.8), layout="constrained")
        places = figure.subplots(2, 3).flat
        for place, (title, image, *_) in zip(places, self._panels(), strict=True):
            place.set_title(title, fontsize=10)
            plots.draw_image(place, image)
        done = [
            f"{setting.metadata['label']}: {getattr(self.adjustment, setting.name)}"
            for setting in fields(Adjustment)
            if getattr(self.adjustment, setting.name) != setting.default
        ]
        change = f"The change: {', '.join(done) or 'none'}."
        differ = steps.differences(self.flips)
        return figure, f"{self.sentence} {change} In the steps of dHash, {differ}."

    def _make_rows(self, controls: SimpleNamespace) -> list:
        rows = []
        for setting in fields(Adjustment):
            label, low, high = (setting.metadata[part] for part in ("label", "low", "high"))
            number, row = self._number(label, low, high, getattr(self.adjustment, setting.name))
            setattr(controls, setting.name, number)
            self._observe(number, self._take_adjustment)
            rows.append(row)
        controls.reset = self._button("Undo all changes", self._undo)
        controls.path = self._text(widgets_module().Text(), "Picture: path of a file", "a path")
        self._observe(controls.path, self._take_path)
        return [*rows, in_a_row(controls.reset), controls.path, self._uploads(controls)]

    def _fill(self) -> None:
        self.controls.path.value = "" if self.picture.in_dataset else self.picture.path
        for setting in fields(Adjustment):
            control = getattr(self.controls, setting.name)
            control.value = getattr(self.adjustment, setting.name)

    def _take_adjustment(self, _: int) -> None:
        names = [setting.name for setting in fields(Adjustment)]
        self.adjustment = Adjustment(*(getattr(self.controls, name).value for name in names))
        self._take_picture(self.picture)

    def _undo(self) -> None:
        self.adjustment = Adjustment()
        self._take_picture(self.picture)

    def _read(self, path: str) -> Picture:
        return album.read_picture(path)

    def _take_picture(self, picture: Picture) -> None:
        after = Steps(adjusted(picture.image, self.adjustment))
        self.picture, self.before, self.after = picture, Steps(picture.image), after
