"""What becomes of a picture, side by side, and how far bits spread; each with its alt text."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
from matplotlib.figure import Figure
from PIL import Image

from helpers.classroom.plots import BLUE, draw_bits, draw_image, draw_pixels, show
from helpers.classroom.steps import GREY, ORANGE

if TYPE_CHECKING:
    import pandas as pd


def show_panels(panels: dict[str, Image.Image | np.ndarray], *, columns: int = 3) -> None:
    """Show pictures, grey pixels and bits side by side, and name them in the alt text.

    Parameters
    ----------
    panels : dict of str to PIL.Image.Image or ndarray
        What stands below each title: a picture; an array of bool, whose True is a white square; or
        an array of grey values, each written on a square of its grey.
    columns : int
        How many stand in a row, at most.

    Examples
    --------
    >>> show_panels({"bits": np.eye(8, dtype=bool)})  # doctest: +SKIP
    """
    columns = min(columns, len(panels))
    rows, side = math.ceil(len(panels) / columns), min(3.4, 10 / columns)
    figure = Figure(figsize=(side * columns, (side + 0.3) * rows), layout="constrained")
    places = list(figure.subplots(rows, columns, squeeze=False).flat)
    for place, (title, shown) in zip(places, panels.items(), strict=False):
        place.set_title(title, fontsize=11 if columns <= 3 else 9)
        if isinstance(shown, Image.Image):
            draw_image(place, shown if shown.mode == "L" else shown.convert("RGB"))
        else:
            (draw_bits if shown.dtype == bool else draw_pixels)(place, shown)
    for place in places[len(panels) :]:
        place.axis("off")
    show(figure, f"Side by side: {'; '.join(panels)}.")


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
    panel.axvline(line, color=ORANGE, ls="--", label="expected of pictures with nothing in common")
    panel.hlines(heights, low, high, color=GREY, linewidth=3)
    panel.plot(middle, heights, "o", color=BLUE, markersize=8)
    panel.set_yticks(heights, list(bits))
    panel.set(xlabel=xlabel, xlim=(-1, 65))
    panel.grid(axis="x", color="#dddddd")
    figure.legend(loc="outside upper right", frameon=False)
    spread = zip(bits, middle, low, high, strict=True)
    told = [f"{name}: {one:g} ({least:.0f} to {most:.0f})" for name, one, least, most in spread]
    show(figure, f"Medians and ranges; a line stands at {line}. {'; '.join(told)}.")
