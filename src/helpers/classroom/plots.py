"""Figures with alt text, readable in grey."""

import html
import io
import itertools
import math
import warnings
from base64 import b64encode
from pathlib import Path

import numpy as np
import pandas as pd
import PIL.Image
from IPython.display import display
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from helpers import Problem
from helpers.images.opening import open_with_size

#: Okabe and Ito's palette, told apart by the colour-blind; each also has its own line style or marker.
BLUE, ORANGE, GREEN, GREY = "#0072B2", "#D55E00", "#009E73", "#777777"
PINK = "#CC79A7"
#: On darker greys white is easier to read, on lighter ones black: at this one both have a contrast of 4.6 to 1.
MIDDLE_GREY = 117
_STYLES = [
    (BLUE, "o-"),
    (ORANGE, "s--"),
    (GREEN, "D-."),
    (PINK, "x--"),
    ("black", "v:"),
    (GREY, "-"),
]
_DPI = 90
_HIDDEN = "position:absolute;width:1px;height:1px;margin:0;overflow:hidden;clip-path:inset(50%)"


def show(figure: Figure, alt: str) -> None:
    """Show a figure in a notebook, with a description for those who cannot see it.

    Parameters
    ----------
    figure : Figure
        It is closed afterwards.
    alt : str
        What the figure shows, in a sentence or two; line ends count as spaces.

    Examples
    --------
    >>> show(plt.figure(), "An empty figure.")  # doctest: +SKIP
    """
    drawn, content = io.BytesIO(), io.BytesIO()
    save(figure, drawn, format="png", dpi=_DPI, bbox_inches="tight", facecolor="white")
    plt.close(figure)
    # 256 colours are enough, and make saved notebooks a third of the size
    PIL.Image.open(drawn).convert("RGB").quantize(256).save(content, format="png", optimize=True)
    alt = " ".join(alt.split())
    data = {"image/png": b64encode(content.getvalue()).decode(), "text/plain": alt}
    display(data, metadata={"image/png": {"alt": alt}}, raw=True)
    # JupyterLab drops that; a paragraph that only screen readers meet says it there
    hidden = f'<p class="figure-description" style="{_HIDDEN}">{html.escape(alt)}</p>'
    display({"text/html": hidden, "text/plain": alt}, raw=True)


def save(figure: Figure, target: str | Path | io.BytesIO, **options: object) -> None:
    """Save a figure; letters that its font lacks, as in file names, are drawn as boxes without a warning.

    Parameters
    ----------
    figure : Figure
    target : str, Path or binary file
    **options
        Of ``figure.savefig``.

    Examples
    --------
    >>> save(plt.figure(), "empty.png")  # doctest: +SKIP
    """
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph .* missing")
        figure.savefig(target, **options)


def picture_row(
    root: str | Path, paths: list[str], captions: list[str], *, columns: int = 5
) -> Figure:
    """Pictures side by side with a caption under each.

    Parameters
    ----------
    root : str or Path
        The dataset's root.
    paths : list of str
        Relative to `root`. A picture that cannot be read leaves its reason in its place.
    captions : list of str
        One a picture.
    columns : int
        How many in a row.

    Returns
    -------
    Figure
    """
    rows = max(1, math.ceil(len(paths) / columns))
    figure = Figure(figsize=(2.3 * columns, 2.6 * rows), layout="constrained")
    panels = list(figure.subplots(rows, columns, squeeze=False).flat)
    for panel, path, caption in zip(panels, paths, captions, strict=False):
        _draw_picture(panel, root, path, caption)
    for panel in panels[len(paths) :]:
        panel.axis("off")
    return figure


def query_grid(
    root: str | Path,
    query: str | Path,
    found: pd.DataFrame,
    *,
    copies: set[str] | None = None,
    most: int = 9,
) -> Figure:
    """A query and what it found, each with its distance and size.

    Parameters
    ----------
    root : str or Path
        The dataset's root.
    query : str or Path
        The query: a path relative to `root`, or any other image file.
    found : DataFrame
        ``path`` and ``distance``, from `helpers.shelf.Shelf.find`.
    copies : set of str, optional
        The truth: paths of the query's copies. A match among them (or the query itself) has a solid blue frame and says so; any other
        match a dashed orange one.
    most : int
        Matches to show; the title tells how many there are.

    Returns
    -------
    Figure
    """
    shown = found.head(most)
    columns = min(5, 1 + max(1, len(shown)))
    rows = math.ceil((1 + len(shown)) / columns)
    figure = Figure(figsize=(2.3 * columns, 2.9 * rows + 0.4), layout="constrained")
    panels = list(figure.subplots(rows, columns, squeeze=False).flat)
    _draw_picture(panels[0], root, query, "query")
    for panel, match in zip(panels[1:], shown.itertuples(), strict=False):
        bits = "1 bit" if match.distance == 1 else f"{match.distance} bits"
        if copies is None:
            _draw_picture(panel, root, match.path, bits)
        elif match.path == str(query):
            _draw_picture(panel, root, match.path, f"{bits}: the query itself")
        elif match.path in copies:
            _draw_picture(panel, root, match.path, f"{bits}: a copy", BLUE, "solid")
        else:
            _draw_picture(panel, root, match.path, f"{bits}: not a copy", ORANGE, "dashed")
    for panel in panels[1 + len(shown) :]:
        panel.axis("off")
    hidden = f", {most} shown" if len(found) > most else ""
    figure.suptitle(f"Found {len(found)} image{'s' * (len(found) != 1)}{hidden}", x=0.01, ha="left")
    return figure


def _draw_picture(
    panel: Axes,
    root: str | Path,
    path: str | Path,
    caption: str,
    colour: str | None = None,
    style: str = "solid",
) -> None:
    path = Path(path)
    try:
        image, (width, height) = open_with_size(Path(root) / path)
        image.thumbnail((400, 400))
        panel.imshow(np.asarray(image.convert("RGB")))
        size = f"{width} x {height}"
    except Problem:
        panel.text(0.5, 0.5, "cannot\nbe read", ha="center", va="center", transform=panel.transAxes)
        size = ""
    name = path.name if len(path.name) <= 26 else path.name[:12] + "..." + path.name[-11:]
    folder = "" if path.is_absolute() else path.parent.as_posix()
    folder = folder.removeprefix(".") if len(folder) <= 26 else "..." + folder[-23:]
    panel.set(xticks=[], yticks=[], anchor="N")
    panel.set_xlabel(
        "\n".join(filter(None, [caption, folder, name, size])), fontsize=9, parse_math=False
    )
    for spine in panel.spines.values():
        spine.set(color=colour or "#bbbbbb", linewidth=3 if colour else 0.8, linestyle=style)


def line_chart(tables: dict[str, pd.DataFrame], *, ylabel: str, log: str = "") -> Figure:
    """Tables as lines, a panel each, side by side; one legend below.

    Parameters
    ----------
    tables : dict of str to DataFrame
        Title -> table. Its index is the x axis, named by the index's name; each column is a line, named by the column. A name
        has the same colour, marker and line style in every panel.
    ylabel : str
    log : {"", "x", "y", "xy"}
        Which axes are logarithmic.

    Returns
    -------
    Figure

    Examples
    --------
    >>> figure = line_chart({"squares": pd.DataFrame({"n": [0, 1, 4]})}, ylabel="n squared")
    """
    figure = Figure(figsize=(max(11, 4.2 * len(tables)), 4.4), layout="constrained")
    panels = figure.subplots(1, len(tables), sharey=True, squeeze=False)[0]
    names = list(dict.fromkeys(name for table in tables.values() for name in table))
    styles = dict(zip(names, itertools.cycle(_STYLES), strict=False))
    lines = {}
    for panel, (title, table) in zip(panels, tables.items(), strict=True):
        for name in table:
            colour, style = styles[name]
            (lines[name],) = panel.plot(table[name].dropna(), style, color=colour)
        panel.set(title=title, xlabel=table.index.name or "")
        panel.set_xscale("log" if "x" in log else "linear")
        panel.grid(color="#dddddd")
    panels[0].set_ylabel(ylabel)
    panels[0].set_yscale("log" if "y" in log else "linear")
    figure.legend(lines.values(), lines, loc="outside lower center", ncols=min(6, len(lines)))
    return figure


def images_row(images: dict[str, PIL.Image.Image], captions: list[str]) -> Figure:
    """Pictures in memory side by side, a title above each and a caption below.

    Parameters
    ----------
    images : dict of str to PIL.Image.Image
        Title -> picture.
    captions : list of str
        One a picture.

    Returns
    -------
    Figure
    """
    figure = Figure(figsize=(max(1.9, 11 / len(images)) * len(images), 3.4), layout="constrained")
    panels = figure.subplots(1, len(images), squeeze=False)[0]
    for panel, (title, image), caption in zip(panels, images.items(), captions, strict=True):
        panel.imshow(image, cmap="gray")
        panel.set(title=title, xlabel=caption, xticks=[], yticks=[])
    return figure


def share_table(shares: pd.DataFrame) -> Figure:
    """A table of shares, each written out on a square that is the darker the larger it is.

    Parameters
    ----------
    shares : DataFrame
        Of numbers from 0 to 1; its index and columns are the labels.

    Returns
    -------
    Figure
    """
    rows, columns = shares.shape
    figure = Figure(figsize=(2 + 1.3 * columns, 1.2 + 0.45 * rows), layout="constrained")
    panel = figure.subplots()
    panel.imshow(shares, cmap="Blues", vmin=0, vmax=1, aspect="auto")
    for (row, column), share in np.ndenumerate(shares.to_numpy()):
        colour = "white" if share > 0.6 else "black"
        panel.text(column, row, f"{share:.0%}", ha="center", va="center", color=colour)
    panel.set_xticks(range(columns), shares.columns)
    panel.set_yticks(range(rows), shares.index)
    return figure


def two_kinds(x: np.ndarray, y: np.ndarray, first: np.ndarray, *, names: tuple[str, str]) -> Figure:
    """Points of two kinds, told apart by colour and by marker.

    Parameters
    ----------
    x, y : array-like of float, shape (n,)
    first : array-like of bool, shape (n,)
        Which points are of the first kind.
    names : (str, str)
        Of the two kinds.

    Returns
    -------
    Figure
        With one panel, whose axes are to be named.
    """
    figure = Figure(figsize=(7.5, 4.6), layout="constrained")
    panel = figure.subplots()
    x, y, first = np.asarray(x), np.asarray(y), np.asarray(first, dtype=bool)
    panel.plot(x[~first], y[~first], "x", color=ORANGE, label=names[1])
    panel.plot(x[first], y[first], "o", color=BLUE, alpha=0.6, label=names[0])
    panel.grid(color="#dddddd")
    panel.legend()
    return figure


def draw_pixels(panel: Axes, pixels: np.ndarray, *, numbers: bool = True) -> None:
    """Draw a few grey pixels as squares with their values.

    Parameters
    ----------
    panel : Axes
    pixels : ndarray of uint8, shape (rows, columns)
    numbers : bool
        Write the values, 0 (black) to 255 (white), into the squares.
    """
    panel.imshow(pixels, cmap="gray", vmin=0, vmax=255)
    panel.set(xticks=[], yticks=[])
    if numbers:
        for (row, column), value in np.ndenumerate(pixels):
            colour = "black" if value > MIDDLE_GREY else "white"
            panel.text(column, row, int(value), ha="center", va="center", fontsize=7, color=colour)


def draw_bits(panel: Axes, bits: np.ndarray, *, marked: np.ndarray | None = None) -> None:
    """Draw bits as squares: 1 white, 0 black.

    Parameters
    ----------
    panel : Axes
    bits : ndarray of bool, shape (rows, columns)
    marked : ndarray of bool, optional
        Squares to mark with an orange cross, as those that differ from another picture's.
    """
    panel.imshow(bits, cmap="gray", vmin=0, vmax=1)
    panel.set(xticks=[], yticks=[])
    panel.set_xticks(np.arange(bits.shape[1] - 1) + 0.5, minor=True)
    panel.set_yticks(np.arange(bits.shape[0] - 1) + 0.5, minor=True)
    panel.grid(which="minor", color=GREY, linewidth=0.5)
    panel.tick_params(which="minor", length=0)
    if marked is not None:
        rows, columns = np.nonzero(marked)
        panel.scatter(columns, rows, marker="x", s=80, linewidths=3, color=ORANGE)


def draw_with_bits(
    above: Axes,
    below: Axes,
    image: PIL.Image.Image | None,
    title: str,
    bits: np.ndarray,
    marked: np.ndarray | None = None,
) -> None:
    """Draw a picture under a title, and its bits below.

    Parameters
    ----------
    above, below : Axes
    image : PIL.Image.Image or None
        None leaves the place empty.
    title : str
    bits, marked : ndarray of bool
        See `draw_bits`.
    """
    if image is not None:
        above.imshow(np.asarray(image.convert("RGB")))
    above.set_title(title, fontsize=8, parse_math=False)
    above.axis("off")
    draw_bits(below, bits, marked=marked)
