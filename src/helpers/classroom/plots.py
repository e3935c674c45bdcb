"""Figures with alt text, readable in grey."""

import html
import io
import itertools
import math
import warnings
from base64 import b64encode
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import PIL.Image
from IPython.display import display
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter

from helpers import Problem
from helpers.classroom.steps import GREY, ORANGE, bit_squares, differences
from helpers.images.opening import open_with_size

if TYPE_CHECKING:  # only those who make pages have it
    from bs4 import BeautifulSoup

#: Okabe and Ito's palette: colour-blind people can tell these colours apart.
#: Each line also has its own style or marker. (Orange and grey stand in `classroom.steps`.)
BLUE, GREEN, PINK = "#0072B2", "#009E73", "#CC79A7"
_STYLES = [
    (BLUE, "o-"),
    (ORANGE, "s--"),
    (GREEN, "D-."),
    (PINK, "x--"),
    ("black", "v:"),
    (GREY, "-"),
]
#: Ticks of logarithmic axes: 10,000 and 0.001, not powers of ten.
PLAIN = FuncFormatter(lambda value, _: f"{value:,.9f}".rstrip("0").rstrip("."))
#: ... or 1e-05, where there is little room.
SHORT = FuncFormatter(lambda value, _: f"{value:g}")
_DPI = 90
_APART = 0.12  # inches above and below: a caption stands nearer to its own picture than to the next
_HIDDEN = "position:absolute;width:1px;height:1px;margin:0;overflow:hidden;clip-path:inset(50%)"


def show(figure: Figure, alt: str) -> None:
    """Show a figure in a notebook, with a description for those who cannot see it.

    Parameters
    ----------
    figure : Figure
        The figure. It is closed afterwards.
    alt : str
        What the figure shows, in a sentence or two; line ends count as spaces.

    Examples
    --------
    >>> show(plt.figure(), "An empty figure.")  # doctest: +SKIP
    """
    content = as_png(figure, 256)
    plt.close(figure)
    alt = " ".join(alt.split())
    data = {"image/png": b64encode(content).decode(), "text/plain": alt}
    display(data, metadata={"image/png": {"alt": alt}}, raw=True)
    # JupyterLab drops that text; there a paragraph that only screen readers meet has it.
    hidden = f'<p class="figure-description" style="{_HIDDEN}">{html.escape(alt)}</p>'
    display({"text/html": hidden, "text/plain": alt}, raw=True)


def describe_figures(page: "BeautifulSoup") -> None:
    """Make the hidden paragraphs of `show` what they stand for: the alt text of their images.

    Parameters
    ----------
    page : BeautifulSoup
        A page made from a notebook; it is changed.

    Examples
    --------
    >>> from bs4 import BeautifulSoup
    >>> page = BeautifulSoup('<img/><p class="figure-description">A cat.</p>', "html.parser")
    >>> describe_figures(page)
    >>> page
    <img alt="A cat."/>
    """
    for description in page.select("p.figure-description"):
        description.find_previous("img")["alt"] = description.text
        description.decompose()


def as_png(figure: Figure, colours: int) -> bytes:
    """A figure as PNG with few colours, which makes it less than half the size.

    Parameters
    ----------
    figure : Figure
        The figure; it stays open.
    colours : int
        How many colours, at most 256.

    Returns
    -------
    bytes
        The content of the file: same figure, same bytes.

    Examples
    --------
    >>> as_png(Figure(), 2)[1:4]
    b'PNG'
    """
    drawn, content = io.BytesIO(), io.BytesIO()
    save(figure, drawn, format="png", dpi=_DPI, bbox_inches="tight", facecolor="white")
    # without k-means rare colours get lost: a dark vein becomes black specks
    few = PIL.Image.open(drawn).convert("RGB").quantize(colours, kmeans=5_000)
    few.save(content, format="png", optimize=True)
    return content.getvalue()


def save(figure: Figure, target: str | Path | io.BytesIO, **options: object) -> None:
    """Save a figure. Letters that its font lacks, as in file names, become boxes without a warning.

    Parameters
    ----------
    figure : Figure
        The figure; it stays open.
    target : str, Path or binary file
        Where it is saved.
    **options
        The options of ``figure.savefig``.

    Examples
    --------
    >>> save(plt.figure(), "empty.png")  # doctest: +SKIP
    """
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph .* missing")
        figure.savefig(target, **options)


def panels_in_rows(
    number: int, columns: int, width: float, height: float
) -> tuple[Figure, list[Axes]]:
    """A figure with panels side by side, in as many rows as it takes.

    Parameters
    ----------
    number : int
        How many panels.
    columns : int
        How many in a row, at most.
    width, height : float
        Of one panel, in inches.

    Returns
    -------
    figure : Figure
        Where the last row has room left, it is empty.
    panels : list of Axes
        Row by row.

    Examples
    --------
    >>> figure, panels = panels_in_rows(7, 5, 2.3, 2.75)
    >>> len(panels), len(figure.axes)
    (7, 10)
    """
    columns = max(1, min(columns, number))
    rows = max(1, math.ceil(number / columns))
    figure = Figure(figsize=(width * columns, height * rows), layout="constrained")
    figure.get_layout_engine().set(h_pad=_APART)
    panels = list(figure.subplots(rows, columns, squeeze=False).flat)
    for panel in panels[number:]:
        panel.axis("off")
    return figure, panels[:number]


def show_pictures(
    root: str | Path, paths: list[str], captions: list[str] | None = None, *, columns: int = 5
) -> None:
    """Show pictures side by side, and describe them by their paths and captions.

    Parameters
    ----------
    root : str or Path
        The dataset's root.
    paths : list of str
        The paths of the pictures, relative to `root`, or of any other image files. In the place of
        a picture that cannot be read, the figure says so.
    captions : list of str, optional
        What stands below each picture, above its path and its size.
    columns : int
        How many pictures stand in a row, at most.

    Examples
    --------
    >>> show_pictures("photos", ["cat.jpg"], ["the query"])  # doctest: +SKIP
    """
    captions = captions or [""] * len(paths)
    names = [Path(path).name if Path(path).is_absolute() else path for path in paths]
    told = [": ".join(filter(None, both)) for both in zip(captions, names, strict=True)]
    figure, panels = panels_in_rows(len(paths), columns, 2.3, 2.75)
    for panel, path, caption in zip(panels, paths, captions, strict=True):
        _draw_picture(panel, root, path, caption)
    show(figure, alt=f"Pictures side by side, {len(paths)} in all: {'; '.join(told)}.")


def show_small(root: str | Path, paths: list[str], *, columns: int = 12) -> None:
    """Show many pictures at once, small and without names.

    Parameters
    ----------
    root : str or Path
        The dataset's root.
    paths : list of str
        The paths of the pictures, relative to `root`.
    columns : int
        How many pictures stand in a row.

    Raises
    ------
    Problem
        If a picture cannot be read.

    Examples
    --------
    >>> show_small("photos", ["cat.jpg", "dog.jpg"])  # doctest: +SKIP
    """
    side, rows = 90, math.ceil(len(paths) / columns)
    sheet = PIL.Image.new("RGB", (columns * side, rows * side), "#dddddd")
    for number, path in enumerate(paths):
        small = open_with_size(Path(root) / path)[0].convert("RGB")
        small.thumbnail((side - 4, side - 4))
        sheet.paste(small, (number % columns * side + 2, number // columns * side + 2))
    figure = Figure(figsize=(sheet.width / 100, sheet.height / 100), layout="constrained")
    draw_image(panel := figure.subplots(), sheet)
    panel.axis("off")
    folders = Counter(Path(path).parent.as_posix() for path in paths)
    told = ", ".join(f"{folder} {count}" for folder, count in folders.items() if folder != ".")
    by_folder = f" By folder: {told}." if told else ""
    show(figure, alt=f"{len(paths)} small pictures in rows of {columns}.{by_folder}")


def show_pairs(root: str | Path, pairs: list[tuple[str, str]], captions: list[str]) -> None:
    """Show pairs of pictures, two pairs a row, set apart from each other.

    Parameters
    ----------
    root : str or Path
        The dataset's root.
    pairs : list of (str, str)
        The paths of both pictures of each pair, relative to `root`.
    captions : list of str
        What stands above each pair.
    """
    if not len(pairs):
        print("There are no such pairs.")
        return
    rows, told = math.ceil(len(pairs) / 2), []
    figure = Figure(figsize=(9.6, 2.75 * rows), layout="constrained")
    figure.get_layout_engine().set(h_pad=_APART)
    grid = figure.add_gridspec(rows, 5, width_ratios=[1, 1, 0.25, 1, 1])
    for number, (pair, caption) in enumerate(zip(pairs, captions, strict=True)):
        for side, path in enumerate(pair):
            panel = figure.add_subplot(grid[number // 2, 3 * (number % 2) + side])
            _draw_picture(panel, root, path, "")
            panel.set_title("" if side else caption, loc="left", fontsize=11)
        told.append(f"{caption}: {pair[0]} and {pair[1]}")
    show(figure, f"Pairs of pictures side by side. {'; '.join(told)}.")


def show_unnamed(root: str | Path, pairs: dict[object, tuple[str, str]]) -> None:
    """Show pairs of pictures, one above the other, without names that could tell what they are.

    Parameters
    ----------
    root : str or Path
        The dataset's root.
    pairs : dict of object to (str, str)
        The number of each pair, and the paths of its pictures, relative to `root`.

    Examples
    --------
    >>> show_unnamed("photos", {1: ("cat.jpg", "cat_2.jpg")})  # doctest: +SKIP
    """
    figure = Figure(figsize=(10, 4.6), layout="constrained")
    figure.get_layout_engine().set(w_pad=_APART)
    columns = figure.subplots(2, len(pairs), squeeze=False).T
    for column, (number, pair) in zip(columns, pairs.items(), strict=True):
        column[0].set_title(f"pair {number}")
        for panel, path in zip(column, pair, strict=True):
            draw_image(panel, open_with_size(Path(root) / path)[0].convert("RGB"))
        column[0].set_anchor("S")  # so that both of a pair meet
    show(figure, f"Pairs {', '.join(map(str, pairs))}, one picture above the other, without names.")


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
        The matches: ``path`` and ``distance``, from `helpers.shelf.Shelf.find`.
    copies : set of str, optional
        The truth: paths of the query's copies. A match among them has a solid blue frame and says
        so; any other match has a dashed orange one, but for the query itself, which has none.
    most : int
        How many matches are shown; the title tells how many there are.

    Returns
    -------
    Figure
        The query first, then the matches in the order of the table.
    """
    shown = found.head(most)
    figure, panels = panels_in_rows(1 + len(shown), 5, 2.3, 3.1)
    _draw_picture(panels[0], root, query, "query")
    for panel, match in zip(panels[1:], shown.itertuples(), strict=True):
        bits = "1 bit" if match.distance == 1 else f"{match.distance} bits"
        if copies is None:
            _draw_picture(panel, root, match.path, bits)
        elif match.path == str(query):
            _draw_picture(panel, root, match.path, f"{bits}: the query itself")
        elif match.path in copies:
            _draw_picture(panel, root, match.path, f"{bits}: a copy", BLUE, "solid")
        else:
            _draw_picture(panel, root, match.path, f"{bits}: not a copy", ORANGE, "dashed")
    hidden = f", {most} shown" if len(found) > most else ""
    figure.suptitle(f"Found {len(found)} image{'s' * (len(found) != 1)}{hidden}", x=0.01, ha="left")
    return figure


def show_found(
    root: str | Path, query: str | Path, found: pd.DataFrame, *, truth: pd.DataFrame | None = None
) -> None:
    """Show a query and what it found, and describe the matches.

    Parameters
    ----------
    root : str or Path
        The dataset's root.
    query : str or Path
        The query: a path relative to `root`, or any other image file.
    found : DataFrame
        The matches: ``path`` and ``distance``, from `helpers.shelf.Shelf.find`.
    truth : DataFrame, optional
        From `helpers.truth.near_duplicates.gather`. Frames tell copies from others, as in
        `query_grid`.

    Examples
    --------
    >>> show_found("photos", "cat.jpg", shelf.find("photos/cat.jpg"))  # doctest: +SKIP
    """
    copies = None if truth is None else set(truth["copy"][truth["needle"] == str(query)])
    told = [f"{match.path}, bits: {match.distance}" for match in found.itertuples()]
    name = Path(query).name if Path(query).is_absolute() else query
    alt = f"The query {name}, and what it found: {'; '.join(told) or 'nothing'}."
    show(query_grid(root, query, found, copies=copies), alt)


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


def line_chart(
    tables: dict[str, pd.DataFrame],
    *,
    ylabel: str,
    log: str = "",
    sharey: bool = True,
    columns: int | None = None,
) -> Figure:
    """Tables as lines, a panel each, side by side; one legend below.

    Parameters
    ----------
    tables : dict of str to DataFrame
        The table of each title. Its index is the x axis, and has the name of the index; each column
        is a line, and has the name of the column. A name has the same colour, marker and line style
        in every panel.
    ylabel : str
        What stands beside the y axis.
    log : {"", "x", "y", "xy"}
        Which axes are logarithmic.
    sharey : bool
        Whether all panels have the y axis of the first one.
    columns : int, optional
        How many panels stand in a row; all of them if left out.

    Returns
    -------
    Figure
        A panel for each table.

    Examples
    --------
    >>> figure = line_chart({"squares": pd.DataFrame({"n": [0, 1, 4]})}, ylabel="n squared")
    """
    columns = columns or len(tables)
    rows = math.ceil(len(tables) / columns)
    figure = Figure(figsize=(max(11, 4.2 * columns), 4.4 * rows), layout="constrained")
    panels = figure.subplots(rows, columns, sharey=sharey, squeeze=False).flat
    names = list(dict.fromkeys(name for table in tables.values() for name in table))
    styles = dict(zip(names, itertools.cycle(_STYLES), strict=False))
    lines = {}
    for panel in panels[len(tables) :]:
        panel.remove()
    for panel, (title, table) in zip(figure.axes, tables.items(), strict=True):
        for name in table:
            colour, style = styles[name]
            (lines[name],) = panel.plot(table[name].dropna(), style, color=colour)
        panel.set(title=title, xlabel=table.index.name or "")
        for axis in log:
            panel.set(**{f"{axis}scale": "log"})
            getattr(panel, f"{axis}axis").set_major_formatter(PLAIN)
        panel.grid(color="#dddddd")
    figure.axes[0].set_ylabel(ylabel)
    figure.legend(lines.values(), lines, loc="outside lower center", ncols=min(6, len(lines)))
    return figure


def show_bits(bits: dict[str, np.ndarray]) -> None:
    """Show fingerprints side by side, bit by bit; crosses mark what differs from the first one.

    Parameters
    ----------
    bits : dict of str to ndarray of bool, shape (rows, columns)
        The bits of each name, all of one shape: 1 becomes white, 0 becomes black.

    Examples
    --------
    >>> show_bits({"none": np.zeros((8, 8)), "one": np.eye(8)})  # doctest: +SKIP
    """
    first, figure = next(iter(bits.values())), Figure(figsize=(3.2 * len(bits), 3.4))
    told = []
    for number, (name, found) in enumerate(bits.items(), start=1):
        words = differences(found != first) if number > 1 else ""
        panel = figure.add_subplot(1, len(bits), number, title=name, xlabel=words.split(":")[0])
        draw_image(panel, bit_squares(found, found != first)[0])
        told.append(": ".join(filter(None, (name, words))))
    show(figure, alt=f"Bits as white and black squares: {'; '.join(told)}.")


def draw_image(panel: Axes, image: PIL.Image.Image) -> None:
    """Put a picture into a panel of a figure.

    Parameters
    ----------
    panel : Axes
        The panel. It loses its ticks; the picture stands at its top, so that titles are in line.
    image : PIL.Image.Image
        The picture, in RGB or grey.
    """
    panel.imshow(image, cmap="gray", vmin=0, vmax=255)
    panel.set(xticks=[], yticks=[], anchor="N")
