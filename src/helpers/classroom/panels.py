"""What becomes of a picture, side by side, and how far bits spread; each with its alt text."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING

import numpy as np
from matplotlib.figure import Figure
from PIL import Image

from helpers.classroom.plots import BLUE, draw_image, panels_in_rows, show
from helpers.classroom.steps import GREY, ORANGE, bit_squares, grey_squares

if TYPE_CHECKING:
    import pandas as pd


def show_panels(
    panels: dict[str, Image.Image | np.ndarray],
    captions: list[str] | None = None,
    *,
    columns: int = 7,
) -> None:
    """Show pictures, grey pixels and bits side by side, with their titles in the alt text.

    Parameters
    ----------
    panels : dict of str to PIL.Image.Image or ndarray
        What stands below each title: a picture; an array of bool, whose True is a white square; an
        array of grey values, each written on a square of its grey; or an array of float, whose
        least is black and whose most is white.
    captions : list of str, optional
        What stands below each of them.
    columns : int
        How many stand in a row, at most.

    Examples
    --------
    >>> show_panels({"bits": np.eye(8, dtype=bool)})  # doctest: +SKIP
    """
    columns = min(columns, len(panels))
    side = min(3.4, 10 / columns)
    captions, size = captions or [""] * len(panels), max(9, 14 - columns)
    figure, places = panels_in_rows(len(panels), columns, side, side + 0.3)
    for place, (title, shown), caption in zip(places, panels.items(), captions, strict=True):
        lines = [textwrap.fill(line, int(13 * side)) for line in title.splitlines()]
        place.set_title("\n".join(lines), fontsize=size)
        place.set_xlabel(caption, fontsize=size)
        if isinstance(shown, Image.Image):
            draw_image(place, shown if shown.mode == "L" else shown.convert("RGB"))
        elif shown.dtype.kind == "f":
            draw_image(place, np.interp(shown, (shown.min(), shown.max()), (0, 255)))
        else:
            draw_image(place, (bit_squares if shown.dtype == bool else grey_squares)(shown)[0])
    told = [", ".join(filter(None, both)) for both in zip(panels, captions, strict=True)]
    show(figure, f"Side by side: {'; '.join(told)}.")


def show_ranges(bits: pd.DataFrame, *, line: float, xlabel: str) -> None:
    """Show the median of each column and where nine in ten of its values lie.

    Parameters
    ----------
    bits : DataFrame
        Numbers of bits, a column for each kind. The first column stands at the top.
    line : float
        Where a dashed line stands: what pictures that have nothing in common are expected to give.
    xlabel : str
        What stands below the axis.

    Examples
    --------
    >>> show_ranges(pd.DataFrame({"crop": [9, 20]}), line=32, xlabel="bits")  # doctest: +SKIP
    """
    low, middle, high = bits.quantile([0.05, 0.5, 0.95]).to_numpy()
    heights = np.arange(len(middle))[::-1]
    figure = Figure(figsize=(9, 1.2 + 0.3 * len(middle)), layout="constrained")
    panel = figure.subplots()
    means = "expected of pictures with nothing in common"
    panel.axvline(line, color=ORANGE, ls="--", label=means)
    panel.hlines(heights, low, high, color=GREY, linewidth=3)
    panel.plot(middle, heights, "o", color=BLUE, markersize=8)
    panel.set_yticks(heights, list(bits))
    panel.set(xlabel=xlabel, xlim=(-1, 65))
    panel.grid(axis="x", color="#dddddd")
    figure.legend(loc="outside upper right", frameon=False)
    spread = zip(bits, middle, low, high, strict=True)
    told = [f"{name}: {one:g} ({least:.0f} to {most:.0f})" for name, one, least, most in spread]
    show(figure, f"Ranges: {xlabel}. {'; '.join(told)}. A dashed line at {line}: {means}.")
