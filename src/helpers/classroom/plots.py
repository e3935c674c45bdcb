"""Figures with alt text, readable in grey."""

import functools
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
import PIL.ImageDraw
import PIL.ImageFont
from IPython.display import display
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from helpers import Problem
from helpers.files.atomic import write_bytes
from helpers.fingerprints import steps
from helpers.images.opening import open_with_size

#: Okabe and Ito's palette: colour-blind people can tell these colours apart.
#: Each line also has its own style or marker.
BLUE, ORANGE, GREEN, GREY = "#0072B2", "#D55E00", "#009E73", "#777777"
PINK = "#CC79A7"
#: On darker greys white is easier to read, on lighter ones black.
#: On this one both have a contrast of 4.6 to 1.
MIDDLE_GREY = 117
#: Squares are drawn so many times as large as a page shows them: sharp at a zoom of 200 %.
SHARP = 2
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
        The figure. It is closed afterwards.
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
    # JupyterLab drops that text; there a paragraph that only screen readers meet has it.
    hidden = f'<p class="figure-description" style="{_HIDDEN}">{html.escape(alt)}</p>'
    display({"text/html": hidden, "text/plain": alt}, raw=True)


def save(figure: Figure, target: str | Path | io.BytesIO, **options: object) -> None:
    """Save a figure. Letters that its font lacks, as in file names, become boxes without a warning.

    Parameters
    ----------
    figure : Figure
        The figure; it stays open.
    target : str, Path or binary file
        Where it is saved. A file is whole or absent; one that is there already is replaced. A PNG
        file carries a mark by which `helpers.files.guard` knows it.
    **options
        The options of ``figure.savefig``.

    Raises
    ------
    Problem
        If the file cannot be written.
    ValueError
        If its name ends in no format that Matplotlib knows.

    Examples
    --------
    >>> save(plt.figure(), "empty.png")  # doctest: +SKIP
    """
    drawn = target
    if isinstance(target, (str, Path)):
        drawn = io.BytesIO()
        options.setdefault("format", Path(target).suffix[1:].lower() or "png")
        if options["format"] == "png":
            options["metadata"] = {"Software": f"{__name__}.save"}
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph .* missing")
        figure.savefig(drawn, **options)
    if drawn is not target:
        write_bytes(target, drawn.getvalue())


def picture_row(
    root: str | Path, paths: list[str], captions: list[str], *, columns: int = 5
) -> Figure:
    """Pictures side by side with a caption under each.

    Parameters
    ----------
    root : str or Path
        The dataset's root.
    paths : list of str
        The paths of the pictures, relative to `root`. In the place of a picture that cannot be
        read, the figure says so.
    captions : list of str
        What stands below each picture.
    columns : int
        How many pictures stand in a row.

    Returns
    -------
    Figure
        The pictures, each with its folder, name and size.
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
        The matches: ``path`` and ``distance``, from `helpers.shelf.Shelf.find`.
    copies : set of str, optional
        The truth: paths of the query's copies. A match among them, or the query itself, has a solid
        blue frame and says so; any other match has a dashed orange one.
    most : int
        How many matches are shown; the title tells how many there are.

    Returns
    -------
    Figure
        The query first, then the matches in the order of the table.
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
        The table of each title. Its index is the x axis, and has the name of the index; each column
        is a line, and has the name of the column. A name has the same colour, marker and line style
        in every panel.
    ylabel : str
        What stands beside the y axis.
    log : {"", "x", "y", "xy"}
        Which axes are logarithmic.

    Returns
    -------
    Figure
        A panel for each table.

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
        The picture of each title.
    captions : list of str
        What stands below each picture.

    Returns
    -------
    Figure
        A panel for each picture.
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
        The shares, from 0 to 1; the index and the columns are the labels.

    Returns
    -------
    Figure
        One panel with a square for each share.
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
    x : array-like of float, shape (n,)
        How far each point is to the right.
    y : array-like of float, shape (n,)
        How high each point is.
    first : array-like of bool, shape (n,)
        Which points are of the first kind.
    names : (str, str)
        The names of the two kinds, for the legend.

    Returns
    -------
    Figure
        One panel, whose axes have no names yet.
    """
    figure = Figure(figsize=(7.5, 4.6), layout="constrained")
    panel = figure.subplots()
    x, y, first = np.asarray(x), np.asarray(y), np.asarray(first, dtype=bool)
    panel.plot(x[~first], y[~first], "x", color=ORANGE, label=names[1])
    panel.plot(x[first], y[first], "o", color=BLUE, alpha=0.6, label=names[0])
    panel.grid(color="#dddddd")
    panel.legend()
    return figure


def draw_image(panel: Axes, image: PIL.Image.Image) -> None:
    """Put a picture into a panel of a figure.

    Parameters
    ----------
    panel : Axes
        The panel. It loses its ticks.
    image : PIL.Image.Image
        The picture, in RGB or grey.
    """
    panel.imshow(image, cmap="gray", vmin=0, vmax=255)
    panel.set(xticks=[], yticks=[])


def draw_bits(panel: Axes, bits: np.ndarray, *, marked: np.ndarray | None = None) -> None:
    """Draw bits into a panel of a figure: see `bit_squares`.

    Parameters
    ----------
    panel : Axes
        The panel. It loses its ticks.
    bits : ndarray of bool, shape (rows, columns)
        The bits: 1 becomes white, 0 becomes black.
    marked : ndarray of bool, shape (rows, columns), optional
        Where squares get an orange cross.
    """
    draw_image(panel, bit_squares(bits, marked)[0])


def draw_pixels(panel: Axes, pixels: np.ndarray) -> None:
    """Draw a few grey pixels into a panel of a figure: see `grey_squares`.

    Parameters
    ----------
    panel : Axes
        The panel. It loses its ticks.
    pixels : ndarray of uint8, shape (rows, columns)
        The grey values, from 0 (black) to 255 (white).
    """
    draw_image(panel, grey_squares(pixels)[0])


# Squares. Pillow draws them in a few milliseconds, so that a page can follow a slider.


def bit_squares(
    bits: np.ndarray, marked: np.ndarray | None = None, *, width: int = 200
) -> tuple[PIL.Image.Image, str]:
    """Bits as squares, 1 white and 0 black, and what they show in words.

    Parameters
    ----------
    bits : ndarray of bool, shape (rows, columns)
        The bits.
    marked : ndarray of bool, shape (rows, columns), optional
        Where squares get an orange cross, since these bits differ from those of another picture.
    width : int
        How wide it is on a page, in pixels of the page. It is drawn `SHARP` times as wide.

    Returns
    -------
    image : PIL.Image.Image
        In RGB.
    words : str
        Which bits are marked, or that these are the bits of the picture.
    """
    image, pen, side = _squares(np.where(bits, 255, 0), width)
    rows, columns = bits.shape
    for row in range(1, rows):
        pen.line((0, row * side, image.width, row * side), GREY, SHARP)
    for column in range(1, columns):
        pen.line((column * side, 0, column * side, image.height), GREY, SHARP)
    if marked is None:
        return image, "The bits of the picture"
    near, far = side // 4, side - side // 4
    for row, column in np.argwhere(marked) * side:
        pen.line((column + near, row + near, column + far, row + far), ORANGE, side // 6)
        pen.line((column + near, row + far, column + far, row + near), ORANGE, side // 6)
    return image, steps.differences(marked)


def grey_squares(pixels: np.ndarray, *, width: int = 252) -> tuple[PIL.Image.Image, str]:
    """Grey values, each written on a square of its grey, and how many there are in words.

    Parameters
    ----------
    pixels : ndarray of int, shape (rows, columns)
        The grey values, from 0 (black) to 255 (white).
    width : int
        How wide it is on a page, in pixels of the page. It is drawn `SHARP` times as wide.

    Returns
    -------
    image : PIL.Image.Image
        In grey.
    words : str
        How many columns and rows there are.
    """
    image, pen, side = _squares(pixels, width)
    for (row, column), value in np.ndenumerate(pixels):
        ink = "black" if value > MIDDLE_GREY else "white"
        _write(pen, side, row + 0.5, column + 0.5, str(value), ink)
    return image.convert("L"), f"{pixels.shape[1]} by {pixels.shape[0]} grey values"


def difference_squares(
    after: np.ndarray, before: np.ndarray, *, width: int = 224
) -> tuple[PIL.Image.Image, str]:
    """Differences of neighbours after a change, and which of them got another bit in words.

    Parameters
    ----------
    after : ndarray of int, shape (rows, columns)
        The differences after the change. A bit is 1 if its difference is above 0.
    before : ndarray of int, shape (rows, columns)
        The differences before it. Where the bit is another one, a square has an orange frame and
        shows both: the difference before above the one after.
    width : int
        How wide it is on a page, in pixels of the page. It is drawn `SHARP` times as wide.

    Returns
    -------
    image : PIL.Image.Image
        In RGB.
    words : str
        Row, column and both differences of each frame.
    """
    image, pen, side = _squares(np.full(after.shape, 255), width)
    words = []
    for (row, column), value in np.ndenumerate(after):
        new, old = _signed(value), _signed(before[row, column])
        if (value > 0) == (before[row, column] > 0):
            _write(pen, side, row + 0.5, column + 0.5, new)
            continue
        corner = column * side + SHARP, row * side + SHARP
        opposite = (column + 1) * side - SHARP - 1, (row + 1) * side - SHARP - 1
        pen.rectangle((*corner, *opposite), outline=ORANGE, width=side // 12)
        _write(pen, side, row + 0.31, column + 0.5, old)
        _write(pen, side, row + 0.69, column + 0.5, new)
        words.append(f"row {row + 1}, column {column + 1}: {old}, {new}")
    label = f"{after.shape[1]} by {after.shape[0]} differences of neighbours"
    if words:
        label += f"; where bits differ, before and after: {'; '.join(words)}"
    return image, label


def _squares(greys: np.ndarray, width: int) -> tuple[PIL.Image.Image, PIL.ImageDraw.ImageDraw, int]:
    """Squares in a thin frame, a pen to draw more, and the side of a square."""
    side = SHARP * width // greys.shape[1]
    pixels = greys.astype(np.uint8).repeat(side, axis=0).repeat(side, axis=1)
    image = PIL.Image.fromarray(pixels).convert("RGB")
    pen = PIL.ImageDraw.Draw(image)
    pen.rectangle((0, 0, image.width - 1, image.height - 1), outline=GREY, width=SHARP)
    return image, pen, side


def _write(
    pen: PIL.ImageDraw.ImageDraw,
    side: int,
    row: float,
    column: float,
    text: str,
    ink: str = "black",
) -> None:
    place = round(column * side), round(row * side)
    pen.text(place, text, ink, _font(round(0.4 * side)), anchor="mm")


@functools.cache
def _font(size: int) -> PIL.ImageFont.FreeTypeFont:
    return PIL.ImageFont.load_default(size)  # it is unpacked anew at each call


def _signed(value: int) -> str:
    return f"{value:+d}" if value else "0"
