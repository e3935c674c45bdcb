"""A page on which a person decides about pictures, and the decisions that come back.

The page is one file. It needs no network, works from the keyboard, and keeps the decisions in the
browser until they are downloaded as CSV. `read` takes that file, also after a spreadsheet saved it.
"""

from __future__ import annotations

import hashlib
import io
import json
from base64 import b64encode
from collections.abc import Collection, Container, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image

from helpers import Problem
from helpers.files import tables
from helpers.files.atomic import exclusive, write_text
from helpers.files.guard import check_output
from helpers.files.parallel import share_out
from helpers.files.places import counted
from helpers.images import pixels
from helpers.images.opening import thumbnail

#: How many bytes the pictures of a page may take: if there are many, they become smaller.
PAGE_BYTES = 15_000_000
_SMALLEST_SIDE = 64  # pixels of a thumbnail
_CUT_OUT = 96  # pixels on each side of a place that is shown magnified
_WHOLE = 2**20  # pixels on a side, more than any picture has
_COLUMNS = ("page", "item", "decision", "judge")


class Picture(NamedTuple):
    """A picture of an item.

    Parameters
    ----------
    file : Path
        Where it lies. If it cannot be read, the page says so in its place.
    name : str
        What it is called on the page.
    facts : sequence of str
        What is told about it, a line each.
    label : str
        A word in front of its name, as ``"stays"``.
    frame : {"solid", "double", "dashed", "dotted"}
        The line around it, which tells pictures apart without a colour.
    warning : str
        What must not be overlooked, in bold.
    """

    file: Path
    name: str
    facts: Sequence[str] = ()
    label: str = ""
    frame: str = "solid"
    warning: str = ""


class Item(NamedTuple):
    """What is decided at once: a pair of pictures, or a group.

    Parameters
    ----------
    key : str
        What it is called in the CSV file. A spreadsheet must not take it for a number or a date.
    title : str
        Its heading on the page.
    pictures : sequence of Picture
        Shown side by side.
    is_compared : bool
        Whether the place where its two pictures differ most is shown magnified.
    """

    key: str
    title: str
    pictures: Sequence[Picture]
    is_compared: bool = False


def page_name(*asked: object) -> str:
    """The name of a page, by which its decisions are known.

    Parameters
    ----------
    *asked
        All that is asked on the page, as texts, numbers, lists and dictionaries of them.

    Returns
    -------
    str
        The same for the same question, on every machine.

    Examples
    --------
    >>> page_name("same or different?", [["a.jpg", "b.jpg"]])
    'page 4dd0ec61b9d230b8'
    """
    return f"page {hashlib.sha256(json.dumps(asked).encode()).hexdigest()[:16]}"


def write_page(
    target: str | Path,
    title: str,
    about: Sequence[str],
    items: Sequence[Item],
    choices: Mapping[str, str],
    *,
    page: str,
    side: int = 320,
    workers: int | None = None,
) -> None:
    """Write the page.

    Parameters
    ----------
    target : str or Path
        The HTML file; an older page of this kind is replaced in one step.
    title : str
        The heading.
    about : sequence of str
        What people are to know before they decide, a paragraph each.
    items : sequence of Item
        What is decided, in this order.
    choices : mapping of str to str
        What can be decided about an item: the letter of the key, and the decision.
    page : str
        From `page_name`.
    side : int
        How large a picture is shown, in pixels. Pictures that do not fit `PAGE_BYTES` are stored
        smaller and shown at this size.
    workers : int, optional
        How many processes; see `helpers.files.parallel.share_out`.

    Raises
    ------
    Problem
        If it cannot be written, or if another file or a folder is there.
    ValueError
        If a letter of `choices` is taken: this is a mistake in the program.

    Examples
    --------
    >>> pair = Item("pair 1", "Pair 1", [Picture("a.jpg", "a.jpg"), Picture("b.jpg", "b.jpg")])
    >>> asked = {"s": "same", "d": "different"}
    >>> write_page("pairs.html", "Pairs", [], [pair], asked, page="page 1")  # doctest: +SKIP
    """
    if taken := set(choices) & set("fjkw"):
        raise ValueError(f"letters that the page needs itself: {', '.join(sorted(taken))}")
    check_output(target, "sheet")
    room = PAGE_BYTES // max(1, sum(len(item.pictures) for item in items))
    embedded = partial(_embedded, side=side, room=room)
    shown = share_out(embedded, items, workers=workers, title="pictures")
    told = {"title": title, "about": about, "choices": choices, "page": page, "side": side}
    told["items"] = list(zip(items, shown, strict=True))
    render(target, "decisions.html.j2", told)


def render(target: str | Path, template: str, told: dict) -> None:
    """Write a page from a template, whole or not at all.

    Parameters
    ----------
    target : str or Path
        The HTML file, which has been looked at with `helpers.files.guard.check_output`.
    template : str
        The path of the template, from the folder of this module.
    told : dict
        What the template shows, by name.

    Raises
    ------
    Problem
        If it cannot be written.

    Examples
    --------
    >>> render("report.html", "experiments/report.html.j2", {})  # doctest: +SKIP
    """
    import jinja2

    folder = jinja2.FileSystemLoader(Path(__file__).parent)
    pages = jinja2.Environment(loader=folder, autoescape=True, undefined=jinja2.StrictUndefined)
    pages.trim_blocks = pages.lstrip_blocks = True
    pages.filters["counted"] = counted
    text = pages.get_template(template).render(told)
    with exclusive(target):  # which clears what a killed run left
        write_text(target, text.encode("utf-8", "backslashreplace").decode())


def _embedded(item: Item, side: int, room: int) -> list[tuple[str, str]]:
    """Each picture of an item, and its magnified place, as addresses; empty if there is none."""
    size = _WHOLE if item.is_compared else side
    pictures = [thumbnail(picture.file, size) for picture in item.pictures]
    places = [""] * len(pictures)
    if item.is_compared and None not in pictures:
        places = [address(place, 90) for place in _worst_places(*pictures)]
    shown = zip(pictures, places, strict=True)
    return [(_fitting(picture, side, room - len(place)), place) for picture, place in shown]


def _worst_places(first: Image.Image, second: Image.Image) -> list[Image.Image]:
    """The place where two pictures differ most, cut out of both at the size of the smaller one."""
    size = pixels.common_size(first.size, second.size, None)
    grid, box = [max(1, side // 8) for side in size], Image.Resampling.BOX
    small = [picture.resize(grid, box).convert("YCbCr") for picture in (first, second)]
    apart = (np.abs(np.subtract(*small, dtype=np.int16)) * (2, 1, 1)).max(axis=2)
    row, column = np.unravel_index(apart.argmax(), apart.shape)
    left = max(0, min(8 * int(column) + 4 - _CUT_OUT // 2, size[0] - _CUT_OUT))
    top = max(0, min(8 * int(row) + 4 - _CUT_OUT // 2, size[1] - _CUT_OUT))
    place = left, top, min(left + _CUT_OUT, size[0]), min(top + _CUT_OUT, size[1])
    return [picture.resize(size).crop(place) for picture in (first, second)]


def _fitting(picture: Image.Image | None, side: int, room: int) -> str:
    """A picture as an address of so many letters at most, unless it is the smallest already."""
    while picture is not None:
        picture.thumbnail((side, side), Image.Resampling.LANCZOS)
        if len(source := address(picture)) <= room or max(picture.size) <= _SMALLEST_SIDE:
            return source
        factor = max(0.5, 0.95 * (room / len(source)) ** 0.5)
        side = max(_SMALLEST_SIDE, int(max(picture.size) * factor))
    return ""


def address(picture: Image.Image, quality: int = 75) -> str:
    """A small picture as an address that holds it, for a page that needs no other file.

    Parameters
    ----------
    picture : PIL.Image.Image
        The picture, in RGB or grey.
    quality : int
        That of JPEG.

    Returns
    -------
    str
        The picture as JPEG.

    Examples
    --------
    >>> address(Image.new("RGB", (8, 8)))[:23]
    'data:image/jpeg;base64,'
    """
    jpeg = io.BytesIO()
    picture.save(jpeg, format="jpeg", quality=quality)
    return f"data:image/jpeg;base64,{b64encode(jpeg.getvalue()).decode()}"


def read(
    file: str | Path, pages: Mapping[str, Container[str]], choices: Collection[str]
) -> list[dict[str, str]]:
    """The decisions that a page let somebody download, also after a spreadsheet saved them.

    Parameters
    ----------
    file : str or Path
        A CSV file, in one of the forms that `helpers.files.tables.read_csv` knows. Its columns and
        rows may stand in any order, and those of several judges in one file.
    pages : mapping of str to container of str
        The names of the pages whose decisions are taken, from `page_name`, and the keys of what
        may be decided on each.
    choices : collection of str
        What may be decided.

    Returns
    -------
    list of dict
        Of each decision ``page``, ``item``, ``decision`` and ``judge``. Rows without a decision
        are left out.

    Raises
    ------
    Problem
        If the file cannot be read or holds no decision, and with the number of the line if a row
        belongs to another page, is about no item of it, decides something else, or decides what
        the same judge has decided above.

    Examples
    --------
    >>> read("decisions.csv", {"page 1": ["pair 1"]}, ["same", "different"])  # doctest: +SKIP
    """
    columns, lines = tables.read_csv(file)
    columns, found = [name.strip().lower() for name in columns], {}
    if missing := [name for name in _COLUMNS[:3] if name not in columns]:
        raise Problem(f"{file}: has no column {missing[0]!r}; download the decisions again")
    for number, cells in lines:
        named = {**dict.fromkeys(_COLUMNS, ""), **dict(zip(columns, cells, strict=False))}
        row = {name: named[name].strip() for name in _COLUMNS}
        row["decision"] = row["decision"].lower()
        where, key = f"{file}: line {number}", (row["page"], row["item"], row["judge"])
        if row["page"] not in pages:
            raise Problem(f"{where}: was decided on another page; name the file of this one")
        if row["item"] not in pages[row["page"]]:
            raise Problem(f"{where}: {row['item']!r} is not on the page; download them again")
        if not row["decision"]:
            continue
        if row["decision"] not in choices:
            raise Problem(f"{where}: says {row['decision']!r}; write {' or '.join(choices)}")
        if key in found:
            raise Problem(f"{where}: {row['item']!r} is decided a second time; keep one of the two")
        found[key] = row
    if not found:
        raise Problem(f"{file}: holds no decision; decide on the page and download again")
    return list(found.values())
