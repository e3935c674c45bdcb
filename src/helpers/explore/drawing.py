"""What the pages draw: bits, grey values, and their differences."""

from __future__ import annotations

import io
from base64 import b64encode

import numpy as np
from PIL import Image

from helpers.classroom import plots
from helpers.fingerprints.steps import (
    differences,
)

# HTML


def _img(image: Image.Image | None, alt: str, side: int) -> str:
    if image is None:
        return f'<span style="width:{side}px">cannot be read</span>'
    small, content = image.copy(), io.BytesIO()
    small.thumbnail((side, side))
    small.convert("RGB").save(content, "JPEG", quality=85)
    uri = f"data:image/jpeg;base64,{b64encode(content.getvalue()).decode()}"
    return f'<img src="{uri}" alt="{alt}" style="width:{side}px;max-height:{side}px">'


def _svg(content: str, label: str, view: str, width: int, height: int) -> str:
    return (
        f'<svg role="img" aria-label="{label}" viewBox="{view}" width="{width}" height="{height}" '
        f'style="flex:none" font-size="11" font-family="sans-serif" text-anchor="middle">{content}</svg>'
    )


def _grid(shown: np.ndarray, differ: np.ndarray | None, side: int) -> str:
    """Bits as squares, 1 white and 0 black, with a cross on those that differ: `helpers.classroom.plots.draw_bits`, but quick."""
    marked = np.argwhere(differ) if differ is not None else []
    black = "".join(f"M{column} {row}h1v1h-1z" for row, column in np.argwhere(~shown))
    lines = "".join(f"M{n} 0v8M0 {n}h8" for n in range(9))
    crosses = "".join(f"M{column}.2 {row}.2l.6 .6m0-.6l-.6 .6" for row, column in marked)
    content = (
        f'<path d="M0 0h8v8h-8z" fill="#fff"/><path d="{black}"/>'
        f'<path d="{lines}" stroke="{plots.GREY}" stroke-width=".05"/>'
        f'<path d="{crosses}" stroke="{plots.ORANGE}" stroke-width=".2"/>'
    )
    label = "The bits of the picture" if differ is None else differences(differ)
    return _svg(content, label, "-.05 -.05 8.1 8.1", side, side)


def _numbers(pixels: np.ndarray) -> str:
    """Grey values on squares of their grey: `helpers.classroom.plots.draw_pixels`, but quick."""
    cells = []
    for (row, column), value in np.ndenumerate(pixels):
        ink = "#000" if value > plots.MIDDLE_GREY else "#fff"
        square = f'<rect x="{28 * column}" y="{28 * row}" width="28" height="28" fill="rgb({value},{value},{value})"/>'
        cells.append(f"{square}{_text(row, column, 18, value, ink)}")
    return _table("".join(cells), "9 by 8 grey values", pixels)


def _compared(after: np.ndarray, before: np.ndarray, flips: np.ndarray) -> str:
    """Differences of neighbours; where the bit flips, in a frame, the one before above the one after."""
    cells, words = [], []
    for (row, column), value in np.ndenumerate(after):
        if not flips[row, column]:
            cells.append(_text(row, column, 18, _signed(value)))
            continue
        old, new = _signed(before[row, column]), _signed(value)
        frame = f"M{28 * column + 2} {28 * row + 2}h24v24h-24z"
        cells.append(f'<path d="{frame}" fill="none" stroke="{plots.ORANGE}" stroke-width="2.5"/>')
        cells += [_text(row, column, 12, old), _text(row, column, 23, new)]
        words.append(f"row {row + 1}, column {column + 1}: {old}, {new}")
    label = "8 by 8 differences of neighbours"
    if words:
        label += f"; where bits differ, before and after: {'; '.join(words)}"
    return _table("".join(cells), label, after)


def _text(row: int, column: int, down: int, text: object, ink: str = "#000") -> str:
    return f'<text x="{28 * column + 14}" y="{28 * row + down}" fill="{ink}">{text}</text>'


def _table(cells: str, label: str, values: np.ndarray) -> str:
    height, width = 28 * values.shape[0], 28 * values.shape[1]
    paper = f'<rect width="{width}" height="{height}" fill="#fff" stroke="{plots.GREY}"/>'
    return _svg(paper + cells, label, f"-1 -1 {width + 2} {height + 2}", width + 2, height + 2)


def _signed(value: int) -> str:
    return f"{value:+d}" if value else "0"


def _short(name: str) -> str:
    """A name that fits above a panel: folder and file, each on its line."""
    parts = [part for part in name.rpartition("/")[::2] if part]
    return "\n".join(p if len(p) <= 30 else f"{p[:14]}...{p[-13:]}" for p in parts)
