"""Charts of searches, of near pairs and of shares; each is shown with its alt text."""

from __future__ import annotations

from itertools import cycle
from typing import TYPE_CHECKING

import numpy as np
from matplotlib.figure import Figure
from matplotlib.patches import Circle
from matplotlib.patheffects import withStroke
from matplotlib.ticker import MaxNLocator, PercentFormatter

from helpers.classroom.plots import BLUE, GREEN, PINK, PLAIN, line_chart, show
from helpers.classroom.steps import GREY, ORANGE

if TYPE_CHECKING:
    from collections.abc import Callable

    import pandas as pd
    from numpy.typing import ArrayLike

_COLOURS, _MARKERS = (BLUE, ORANGE, GREEN, PINK, "black", GREY), "oxD+^v"
_LEAST = 1e-5  # what is less is drawn here, where an axis is logarithmic


def show_lines(tables: dict[str, pd.DataFrame], *, ylabel: str, log: str = "") -> None:
    """Show tables as lines, and tell the start, the middle and the end of each line.

    Parameters
    ----------
    tables : dict of str to DataFrame
        A panel for each title, as `helpers.classroom.plots.line_chart` takes them.
    ylabel : str
        What stands beside the y axis.
    log : {"", "x", "y", "xy"}
        Which axes are logarithmic.

    Examples
    --------
    >>> show_lines({"": pd.DataFrame({"n": [0, 1, 4]})}, ylabel="squares")  # doctest: +SKIP
    """
    across = next(iter(tables.values())).index.name or "number"
    figure = line_chart(tables, ylabel=ylabel, log=log)
    told = _tell_lines(tables, lambda value: f"{value:.3g}")
    show(figure, f"Lines: {ylabel}, against {across}. {told}")


def show_circle(
    points: np.ndarray,
    vantage: np.ndarray,
    middle: float,
    queries: dict[str, np.ndarray],
    radius: float,
) -> None:
    """Show points of a plane inside and outside a circle, and queries with their discs.

    Parameters
    ----------
    points : ndarray of float, shape (n, 2)
        The points.
    vantage : ndarray of float, shape (2,)
        The centre of the circle.
    middle : float
        How far it is from the centre to the circle.
    queries : dict of str to ndarray of float, shape (2,)
        The place of each query, by its letter.
    radius : float
        How far it is from a query to the edge of its disc.

    Examples
    --------
    >>> show_circle(np.eye(2), np.zeros(2), 0.5, {"A": np.ones(2)}, 0.1)  # doctest: +SKIP
    """
    inside = np.hypot(*(points - vantage).T) <= middle
    figure = Figure(figsize=(6.4, 5), layout="constrained")
    panel = figure.subplots()
    panel.plot(*points[inside].T, "o", ms=4, color=BLUE, label="inside")
    panel.plot(*points[~inside].T, "x", ms=5, color=ORANGE, label="outside")
    panel.plot(*vantage, "k*", ms=16, label="vantage point")
    panel.add_patch(Circle(vantage, middle, fill=False, lw=2))
    told = []
    for name, query in queries.items():
        panel.add_patch(Circle(query, radius, color=GREY, alpha=0.45))
        letter = panel.annotate(name, query, ha="center", va="center", fontsize=14, weight="bold")
        letter.set_path_effects([withStroke(linewidth=4, foreground="white")])
        told.append(f"{name} is {np.hypot(*(query - vantage)):.2f} from the vantage point")
    panel.set(aspect="equal", xlim=(-0.05, 1.05), ylim=(-0.05, 1.05), xticks=[], yticks=[])
    figure.legend(loc="outside right upper")
    alt = f"""{len(points)} points in a square. A circle of radius {middle:.2f} around a vantage
    point has {inside.sum()} of them inside. Each query has a disc of radius {radius}.
    {"; ".join(told)}."""
    show(figure, alt)


def show_spreads(
    distances: dict[str, np.ndarray], bands: list[float], *, xlabels: list[str]
) -> None:
    """Show how far all others are from one point, and which of them lie near the middle.

    Parameters
    ----------
    distances : dict of str to ndarray, shape (n,)
        The distances of each title; a panel each. Whole numbers get a bar each.
    bands : list of float
        How far the grey band of each panel reaches to each side of the median.
    xlabels : list of str
        What stands below each panel.

    Examples
    --------
    >>> show_spreads({"": np.arange(9)}, [2], xlabels=["bits"])  # doctest: +SKIP
    """
    figure = Figure(figsize=(10, 3.6), layout="constrained")
    panels, told = figure.subplots(1, len(distances), squeeze=False)[0], []
    for panel, (title, far), band, xlabel in zip(
        panels, distances.items(), bands, xlabels, strict=True
    ):
        middle, whole = np.median(far), far.dtype.kind in "iu"
        share = np.mean((far - float(band) <= middle) & (far + float(band) > middle))
        panel.hist(far, bins=np.arange(66) - 0.5 if whole else 40, color=BLUE, alpha=0.7)
        panel.axvspan(middle - band, middle + band, color=GREY, alpha=0.4)
        panel.axvline(middle, color="black", lw=2)
        panel.set(title=f"{title}: {_percent(share)} in the band", xlabel=xlabel)
        band_at = f"in a band of {band} to each side of {middle:.3g}"
        told.append(f"{title}: {_percent(share)} lie {band_at}")
    panels[0].set_ylabel("how many")
    show(figure, f"Histograms of distances from one point. {'; '.join(told)}.")


def show_kinds(x: ArrayLike, y: ArrayLike, kinds: ArrayLike, *, line: float, **labels: str) -> None:
    """Show points of several kinds over whole numbers, beside each other, on a logarithmic scale.

    Parameters
    ----------
    x : array-like of int, shape (n,)
        Where each point stands.
    y : array-like of float, shape (n,)
        How high. Less than 0.00001 is drawn as 0.00001.
    kinds : array-like of str, shape (n,)
        Each point's kind: a colour and a marker for each.
    line : float
        Where a dashed line crosses the panel.
    **labels : str
        ``xlabel`` and ``ylabel``.

    Examples
    --------
    >>> show_kinds([0, 1], [0.1, 1], ["copy", "page"], line=0.5)  # doctest: +SKIP
    """
    x, y, kinds = np.asarray(x), np.maximum(np.asarray(y, dtype=float), _LEAST), np.asarray(kinds)
    figure = Figure(figsize=(9, 4.6), layout="constrained")
    panel, told = figure.subplots(), []
    names = list(dict.fromkeys(kinds.tolist()))
    for number, (name, colour, marker) in enumerate(
        zip(names, cycle(_COLOURS), cycle(_MARKERS), strict=False)
    ):
        at = x[kinds == name] + 0.12 * (number - (len(names) - 1) / 2)
        here = y[kinds == name]
        panel.plot(at, here, marker, color=colour, fillstyle="none", mew=1.5, label=name)
        told.append(f"{name}, {len(here)} pairs: {here.min():.2g} to {here.max():.2g}")
    panel.axhline(line, color="black", linestyle="--", linewidth=1)
    panel.set(yscale="log", **labels)
    panel.yaxis.set_major_formatter(PLAIN)
    panel.xaxis.set_major_locator(MaxNLocator(20, integer=True))
    panel.grid(color="#dddddd")
    figure.legend(loc="outside right upper")
    alt = f"Points by kind, {labels.get('ylabel', '')}. {'; '.join(told)}. Line: {line:g}."
    if y.min() == _LEAST:
        place = {"xycoords": ("axes fraction", "data"), "ha": "right", "va": "center"}
        panel.annotate("this or less", (0.99, _LEAST), backgroundcolor="white", **place)
        alt += f" {_LEAST:g} stands for this or less."
    show(figure, alt)


def show_shares_over(tables: dict[str, pd.DataFrame]) -> None:
    """Show shares as lines in per cent, and tell the start, the middle and the end of each line.

    Parameters
    ----------
    tables : dict of str to DataFrame
        The table of each title, as `line_chart` takes them; each panel has a y axis of its own,
        from 0 up to a little more than its largest share, at least 1 %.

    Examples
    --------
    >>> show_shares_over({"one half": pd.DataFrame({"of a": [0.5, 0.5]})})  # doctest: +SKIP
    """
    figure = line_chart(tables, ylabel="share", sharey=False)
    figure.set_size_inches(10.5, 4.2)
    for panel, table in zip(figure.axes, tables.values(), strict=True):
        most = np.nanmax([0, *table.to_numpy(dtype=float).flat])
        panel.set_ylim(-0.03 * max(most, 0.01), 1.1 * max(most, 0.01))
        panel.yaxis.set_major_formatter(PercentFormatter(1, 0 if most > 0.05 else 1, " %"))
        if not most:
            panel.annotate("all lines: 0 %", (0.5, 0.15), xycoords="axes fraction", ha="center")
    across = next(iter(tables.values())).index.name
    told = _tell_lines(tables, lambda share: _percent(share, 1))
    show(figure, f"Lines: shares, against {across}. {told}")


def show_shares(shares: pd.DataFrame) -> None:
    """Show a table of shares, each on a square that is the darker the larger it is.

    Parameters
    ----------
    shares : DataFrame
        The shares, from 0 to 1; the index and the columns are the labels.

    Examples
    --------
    >>> show_shares(pd.DataFrame({"dHash": [1.0]}, index=["resized"]))  # doctest: +SKIP
    """
    (rows, columns), told = shares.shape, []
    figure = Figure(figsize=(2 + 1.3 * columns, 1.2 + 0.45 * rows), layout="constrained")
    panel = figure.subplots()
    panel.imshow(shares, cmap="Blues", vmin=0, vmax=1, aspect="auto")
    for row, (kind, line) in enumerate(shares.iterrows()):
        for column, share in enumerate(line):
            colour = "white" if share > 0.7 else "black"  # both have a contrast of 4.4 to 1 there
            panel.text(column, row, _percent(share), ha="center", va="center", color=colour)
        parts = [f"{' '.join(name.split())} {_percent(share)}" for name, share in line.items()]
        told.append(f"{kind}: {', '.join(parts)}")
    panel.set_xticks(range(columns), shares.columns)
    panel.set_yticks(range(rows), shares.index)
    show(figure, f"Table of shares. {'; '.join(told)}.")


def show_distances(copies: ArrayLike, others: ArrayLike, coins: ArrayLike, where: str = "") -> None:
    """Show how many pairs there are at each distance, on a logarithmic scale.

    Parameters
    ----------
    copies : array-like of int, shape (n,)
        How many copies are 0, 1, ... bits from their needle.
    others : array-like of int, shape (n,)
        How many pairs of different pictures are that far apart.
    coins : array-like of float, shape (n,)
        As many pairs as coin flips would give.
    where : str
        Whose numbers these are.

    Examples
    --------
    >>> show_distances([3, 1, 0], [0, 1, 5], [1.5, 3, 1.5])  # doctest: +SKIP
    """
    copies, others = np.asarray(copies), np.asarray(others)
    figure, bits = Figure(figsize=(10, 4.4), layout="constrained"), np.arange(len(others))
    panel = figure.subplots()
    label = f"{others.sum():,} pairs of different pictures"
    panel.bar(bits, others, 0.9, color=ORANGE, alpha=0.5, label=label)
    label = f"{copies.sum():,} copies and their needles"
    panel.step(bits, copies, where="mid", color=BLUE, lw=2.5, label=label)
    panel.plot(bits, coins, "k--", label="coin flips, as many pairs")
    panel.set(yscale="log", ylim=(0.5, None), xlim=(-1, len(bits)))
    panel.yaxis.set_major_formatter(PLAIN)
    panel.set(xlabel="distance in bits", ylabel="pairs (logarithmic)", title=where)
    figure.legend(loc="outside upper center", ncols=3)
    seen = [np.flatnonzero(counts) for counts in (copies, others, np.asarray(coins) >= 0.5)]
    spans = [f"{found.min()} to {found.max()} bits" if len(found) else "none" for found in seen]
    alt = f"""Histograms of distances, {where}, on a logarithmic scale. Copies lie at {spans[0]}.
    Different pictures lie at {spans[1]}, in a hill with its top at {others.argmax()}. Coin flips
    would lie at {spans[2]}."""
    show(figure, alt)


def _percent(share: float, digits: int = 0) -> str:
    return f"{100 * share:.{digits}f} %"


def _tell_lines(tables: dict[str, pd.DataFrame], told: Callable[[float], str]) -> str:
    """The title of each panel, then the start, the middle and the end of each of its lines."""
    parts = []
    for title, table in tables.items():
        lines = []
        for name, line in table.items() if table.any(axis=None) else ():
            ends = line.dropna().iloc[[0, line.count() // 2, -1]]
            points = ", ".join(f"{told(value)} at {at:,}" for at, value in ends.items())
            lines.append(f"{name}: {points}")
        parts += [" ".join(title.split()), "; ".join(lines) or "All lines are 0"]
    return f"{'. '.join(filter(None, parts))}."
