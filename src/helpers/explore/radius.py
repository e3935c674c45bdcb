"""A radius to move over two histograms: what it finds, and what it finds by mistake."""

from __future__ import annotations

import io
from types import SimpleNamespace

import numpy as np
from matplotlib.figure import Figure
from PIL import Image

from helpers.classroom import plots, steps
from helpers.experiments import counting
from helpers.explore.page import Page, as_html
from helpers.files.places import counted
from helpers.hamming import BITS, check_radius


def radius_page(
    same: np.ndarray, others: np.ndarray, pictures: int, *, where: str = "", radius: int = 0
) -> RadiusPage:
    """A page to choose a radius with: move it, and see what it finds.

    Parameters
    ----------
    same : array-like of int
        Distance of each copy from its needle, in bits.
    others : array-like of int, shape (65,)
        How many pairs of different pictures are 0, 1, ..., 64 bits apart, as from
        `helpers.hamming.count_pairs`.
    pictures : int
        Among how many pictures a query is asked.
    where : str
        Whose numbers these are, as from `helpers.experiments.counting.numbers`.
    radius : int
        The radius to begin with, in bits.

    Returns
    -------
    RadiusPage
        Make it a cell's last line to see it.

    Raises
    ------
    Problem
        If there are no copies or no pairs of different pictures, or if the radius is not one of 0
        to 64.

    Examples
    --------
    >>> radius_page([0, 0, 1, 3], np.eye(65, dtype=int)[2], 2, radius=2)
    A radius to move. At radius 2, 3 of 4 copies are found and 1 is missed: a recall of 75.0 %.
    Of 1 pair of different pictures, 1 matches: 1.0 false matches a query among 2 pictures.
    """
    return RadiusPage(same, others, pictures, where, check_radius(radius))


class RadiusPage(Page):
    """The page that `radius_page` makes.

    Parameters
    ----------
    same, others, pictures, where, radius
        As for `radius_page`.

    Attributes
    ----------
    table : DataFrame
        A row a radius, from `helpers.experiments.counting.by_radius`.
    """

    name = "A radius to move."

    def __init__(
        self, same: np.ndarray, others: np.ndarray, pictures: int, where: str, radius: int
    ) -> None:
        super().__init__()
        self.table = counting.by_radius(same, others, pictures, radii=range(BITS + 1))
        self.counts = np.bincount(same, minlength=BITS + 1), np.asarray(others)
        self.pictures, self.where, self.radius = pictures, where, radius

    @property
    def sentence(self) -> str:
        """What the radius finds, and what it finds by mistake."""
        at, copies = self.table.loc[self.radius], int(self.table["found"].iloc[-1])
        missed, false = copies - int(at["found"]), at["false_per_query"]
        pairs = counted(int(self.counts[1].sum()), "pair")
        return (
            f"At radius {self.radius}, {at['found']:,.0f} of {counted(copies, 'copy', 'copies')} "
            f"are found and {missed:,} {'is' if missed == 1 else 'are'} missed: "
            f"a recall of {at['recall']:.1%}. ".replace("%", " %")
            + f"Of {pairs} of different pictures, {at['pairs']:,.0f} "
            f"{'matches' if at['pairs'] == 1 else 'match'}: {false:,.{4 if false < 1 else 1}f} "
            f"false matches a query among {counted(self.pictures, 'picture')}."
        )

    @property
    def remarks(self) -> list[str]:
        """How to read the histograms."""
        told = "Filled bars are within the radius. Both axes of counts are logarithmic."
        return [told, f"{self.where[0].upper()}{self.where[1:]}."] if self.where else [told]

    def html(self) -> str:
        """The two histograms as a picture.

        Returns
        -------
        str
            HTML that holds it.
        """
        figure, words = self.figure()
        drawn = io.BytesIO()
        plots.save(figure, drawn, format="png", dpi=90 * steps.SHARP, facecolor="white")
        return f'<div class="explore">{as_html(Image.open(drawn), words)}</div>'

    def figure(self) -> tuple[Figure, str]:
        """The two histograms, one above the other, and the radius as a line through both.

        Returns
        -------
        figure : Figure
            The panels of the page.
        words : str
            What the figure shows.
        """
        figure = Figure(figsize=(9.6, 4.4))
        figure.subplots_adjust(left=0.11, right=0.99, top=0.94, bottom=0.11, hspace=0.26)
        panels, bits = figure.subplots(2, 1, sharex=True), np.arange(BITS + 1)
        names, within = ("copies", "pairs of different pictures"), bits <= self.radius
        for panel, counts, name, colour in zip(
            panels, self.counts, names, (plots.BLUE, plots.ORANGE), strict=True
        ):
            faces = np.where(within, colour, "white")
            panel.bar(bits, counts, 0.8, color=faces, edgecolor=plots.GREY, linewidth=0.8)
            panel.axvline(self.radius + 0.5, color="black", linestyle="--")
            panel.set(yscale="log", ylim=(0.5, 3 * max(1, counts.max())), ylabel="pairs")
            panel.set_xlim(-1, BITS + 1)
            panel.yaxis.set_major_formatter(plots.PLAIN)
            panel.minorticks_off()
            found = f"{counts[within].sum():,} of {counts.sum():,} {name}"
            panel.set_title(f"within {self.radius} bits: {found}", fontsize=10, loc="left")
        figure.align_ylabels()
        panels[1].set_xlabel("; ".join(filter(None, ("distance in bits", self.where))))
        spans = [
            f"{name} lie at {np.flatnonzero(counts).min()} to {np.flatnonzero(counts).max()} bits"
            for name, counts in zip(names, self.counts, strict=True)
            if counts.any()
        ]
        return figure, f"{self.sentence} Two histograms of distances: {'; '.join(spans)}."

    def _make_rows(self, controls: SimpleNamespace) -> list:
        controls.radius, row = self._number("Radius, in bits", 0, BITS, self.radius)
        self._observe(controls.radius, self._take_radius)
        return [row]

    def _fill(self) -> None:
        self.controls.radius.value = self.radius

    def _take_radius(self, radius: int) -> None:
        self.radius = radius
