"""A plan to clean a photo library, on paper: as a table for a spreadsheet, as a sentence, and as a page with the pictures.

`helpers.library.inventory.propose` makes a plan, and `helpers.quarantine.moving.apply` carries it out.
"""

from __future__ import annotations

import csv
import html
import io
import os
import re
from base64 import b64encode
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from helpers import Problem
from helpers.files.atomic import write_text
from helpers.files.parallel import share_out
from helpers.images.opening import thumbnail

if TYPE_CHECKING:  # workers do without it and start sooner
    import pandas as pd

#: The columns of the plan that `helpers.library.inventory.propose` makes, with their types.
PLAN = {
    "group": "Int64",
    "action": "str",
    "kind": "str",
    "path": "str",
    "kept": "str",
    "distance": "Int64",
    "difference": "Float64",
    "correlation": "Float64",
    "width": "Int64",
    "height": "Int64",
    "bytes": "Int64",
    "modified": "Int64",
    "sha256": "str",
    "reason": "str",
}
#: Those without which it cannot be carried out.
NEEDED = ("action", "path", "kept", "bytes", "sha256")
#: What a plan can say about a file.
ACTIONS = ("keep", "move", "look")

_THUMBNAIL = 160  # pixels on the longer side, on the contact sheet
#: A whole number as programs write it; a comma is that of a fraction only where an exponent follows.
_WHOLE = re.compile(r"-?[0-9]+(\.0)?|-?[0-9]+([.,][0-9]+)?[eE]\+?[0-9]+")


def write_plan(path: str | Path, plan: pd.DataFrame) -> None:
    """Write a plan as CSV that spreadsheets open well: UTF-8 with a byte order mark, all texts in quotes.

    Parameters
    ----------
    path : str or Path
        An older file is replaced in one step.
    plan : DataFrame
        From `helpers.library.inventory.propose`.

    Raises
    ------
    Problem
        Where it cannot be written.

    Examples
    --------
    >>> write_plan("plan.csv", plan)  # doctest: +SKIP
    """
    write_text(path, as_csv(plan))


def as_csv(plan: pd.DataFrame) -> str:
    """The text of a plan's file: see `write_plan`.

    Parameters
    ----------
    plan : DataFrame

    Returns
    -------
    str

    Examples
    --------
    >>> import pandas as pd
    >>> as_csv(pd.DataFrame({"path": ["a.jpg"], "bytes": [10]}))
    '\\ufeff"path","bytes"\\n"a.jpg",10\\n'
    """
    return "\ufeff" + plan.to_csv(index=False, lineterminator="\n", quoting=csv.QUOTE_NONNUMERIC)


def read_plan(path: str | Path) -> pd.DataFrame:
    """The plan that `write_plan` wrote, also after somebody edited it in a spreadsheet.

    Parameters
    ----------
    path : str or Path
        CSV in UTF-8; with commas, semicolons or tabs, and line ends of Windows or of Unix.

    Returns
    -------
    DataFrame
        The columns of `PLAN`; what a row does not say is missing. Spreadsheets may have shortened the times, which is no
        matter: whether a file is the one of the plan is told by its SHA-256.

    Raises
    ------
    Problem
        If it cannot be read, lacks a column that is needed to carry it out, or an action is none of `ACTIONS`.

    Examples
    --------
    >>> read_plan("plan.csv")  # doctest: +SKIP
    """
    import pandas as pd

    try:
        text = Path(path).read_bytes().decode("utf-8-sig")
    except OSError as error:
        raise Problem(
            f"{path}: could not be read ({error.strerror}); write a plan first"
        ) from error
    except UnicodeDecodeError as error:
        raise Problem(f"{path}: is not in UTF-8; save it as CSV UTF-8") from error
    separator = max(",;\t", key=text.partition("\n")[0].count)
    try:
        reader = csv.DictReader(io.StringIO(text, newline=""), delimiter=separator)
        rows, columns = list(reader), reader.fieldnames or ()
    except csv.Error as error:
        raise Problem(f"{path}: is no CSV ({error}); write the plan again") from error
    if missing := [name for name in NEEDED if name not in columns]:
        raise Problem(f"{path}: has no column {missing[0]!r}; write the plan again")
    for number, row in enumerate(rows, start=2):  # in a spreadsheet the first row has the names
        row["action"] = (row["action"] or "").strip().lower()
        if not any(row.values()):
            continue
        if row["action"] not in ACTIONS:
            raise Problem(
                f"{path}: the action of row {number} is {row['action']!r}; it is one of {', '.join(ACTIONS)}"
            )
        if not row["path"]:
            raise Problem(f"{path}: row {number} names no path; write the plan again")
    rows = [row for row in rows if any(row.values())]
    values = {name: [row.get(name) or "" for row in rows] for name in PLAN}
    for name, kind in PLAN.items():
        if kind != "str":
            values[name] = [_number(path, name, value, kind) for value in values[name]]
    if "group" not in columns:
        values["group"] = pd.factorize(pd.Series(values["kept"]))[0] + 1
    return pd.DataFrame({name: pd.array(values[name], dtype=kind) for name, kind in PLAN.items()})


def _number(path: str | Path, name: str, value: str, kind: str) -> int | float | None:
    value = value.strip()
    if not value:
        return None
    with suppress(ValueError, OverflowError):
        if kind == "Float64":
            return float(value.replace(",", "."))
        whole = int(value) if value.isdecimal() else float(value.replace(",", "."))
        if _WHOLE.fullmatch(value) and whole == int(whole) and abs(whole) < 2**63:
            return int(whole)
    what = "is no number" if kind == "Float64" else "is no whole number, written without separators"
    raise Problem(f"{path}: {name} {value!r} {what}; write the plan again")


def summary(plan: pd.DataFrame) -> str:
    """A plan in one sentence.

    Parameters
    ----------
    plan : DataFrame
        From `helpers.library.inventory.propose` or `read_plan`.

    Returns
    -------
    str

    Examples
    --------
    >>> import pandas as pd
    >>> summary(pd.DataFrame({"action": ["keep", "move"], "kind": ["best", "exact copy"], "bytes": [10, 10]}))
    'To move: 1 exact copies and 0 near copies, 0.0 MB. To look at: 0 look-alikes.'
    """
    moves = plan[plan["action"] == "move"]
    counts = moves["kind"].value_counts()
    megabytes = (moves["bytes"].sum() if len(moves) else 0) / 1e6
    exact, near = (counts.get(kind, 0) for kind in ("exact copy", "near copy"))
    copies = f"{exact:,} exact copies and {near:,} near copies"
    if other := len(moves) - exact - near:  # a person edited the plan
        copies += f" and {other:,} other files"
    return f"To move: {copies}, {megabytes:,.1f} MB. To look at: {(plan['action'] == 'look').sum():,} look-alikes."


_PAGE = """\
<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="generator" content="helpers.quarantine.plans.contact_sheet">
<meta name="viewport" content="width=device-width">
<title>{title}</title>
<style>
body {{ font: 16px/1.4 sans-serif; margin: 1.5em; color: #000; background: #fff; }}
section {{ border-top: 1px solid #767676; padding: .5em 0; break-inside: avoid; }}
section:focus-visible {{ outline: 3px solid #000; }}
h2 {{ font-size: 1em; margin: 0 0 .5em; }}
.row {{ display: flex; flex-wrap: wrap; gap: 1em; }}
figure {{ margin: 0; padding: .5em; width: 176px; border: 2px dashed #595959; }}
figure.keep {{ border: 6px double #000; }}
figure.look {{ border: 2px dotted #595959; }}
img {{ display: block; max-width: 100%; height: auto; }}
figcaption {{ font-size: .8em; overflow-wrap: anywhere; }}
figcaption span {{ display: block; }}
bdi {{ white-space: pre-wrap; }}
</style>
</head>
<body>
<main>
<h1>{title}</h1>
<p>{summary}</p>
{groups}
</main>
</body>
</html>
"""
_MARK = b'<meta name="generator" content="helpers.quarantine.plans.contact_sheet">'  # of `_PAGE`
_ON_PAGE = {"keep": "stays", "move": "moves", "look": "to look at"}


def contact_sheet(
    folder: str | Path,
    plan: pd.DataFrame,
    target: str | Path,
    *,
    most: int = 300,
    workers: int | None = None,
) -> None:
    """A page with a row of small pictures for each group of a plan: which one stays, which ones move, and why.

    It is one file and needs no network. Exact copies, which need no eyes, come last. The tab key goes from group to group; what stays is told by words and borders, not by
    colours.

    Parameters
    ----------
    folder : str or Path
        The photo library.
    plan : DataFrame
        From `helpers.library.inventory.propose` or `read_plan`.
    target : str or Path
        The HTML file; an older contact sheet is replaced in one step.
    most : int
        Groups on the page; a sentence says how many are left out.
    workers : int, optional
        Processes; see `helpers.files.parallel.share_out`.

    Raises
    ------
    Problem
        Where it cannot be written, or another file is there.

    Examples
    --------
    >>> contact_sheet("photos", plan, "sheet.html")  # doctest: +SKIP
    """
    check_sheet(target)
    groups = [rows for _, rows in plan.groupby("group")]
    groups.sort(
        key=lambda rows: set(rows["kind"]) <= {"best", "exact copy"}
    )  # at last those that need no eyes
    paths = sorted({path for rows in groups[:most] for path in rows["path"]})
    images = share_out(partial(_embedded, Path(folder)), paths, workers=workers, title="thumbnails")
    image_of = dict(zip(paths, images, strict=True))
    parts = [_section(rows, image_of) for rows in groups[:most]]
    if len(groups) > most:
        parts.append(f"<p>{len(groups) - most:,} more groups are in the plan.</p>")
    title = f"Copies in {Path(folder).resolve().name}"
    page = _PAGE.format(
        title=html.escape(title), summary=html.escape(summary(plan)), groups="\n".join(parts)
    )
    write_text(target, page.encode("utf-8", "backslashreplace").decode())


def check_sheet(target: str | Path) -> None:
    """Make sure that a contact sheet would not take the place of another file.

    Parameters
    ----------
    target : str or Path
        Where it is to be written.

    Raises
    ------
    Problem
        If a file is there that `contact_sheet` did not write, or a folder.

    Examples
    --------
    >>> check_sheet("sheet.html")
    """
    target, start = Path(target), b""
    with suppress(OSError):
        if target.is_file():
            with target.open("rb") as file:
                start = file.read(1000)
    if os.path.isdir(target):
        raise Problem(f"{target}: is a folder; name a file in it")
    if os.path.lexists(target) and _MARK not in start:
        raise Problem(f"{target}: is there already and is no contact sheet; name another file")


def _embedded(folder: Path, paths: list[str]) -> list[str]:
    """The address of each small picture, which is the picture itself; empty for what cannot be shown."""
    addresses = []
    for path in paths:
        picture, file = thumbnail(folder / path, _THUMBNAIL), io.BytesIO()
        if picture:
            picture.save(file, format="jpeg", quality=70)
        data = b64encode(file.getvalue()).decode()
        addresses.append(f"data:image/jpeg;base64,{data}" if data else "")
    return addresses


def _section(rows: pd.DataFrame, image_of: dict[str, str]) -> str:
    number = rows["group"].iloc[0]
    kind = "that look alike" if "look" in set(rows["action"]) else "of the same picture"
    figures = [_figure(row, image_of[row.path]) for row in rows.itertuples()]
    return "\n".join(
        [
            f'<section tabindex="0" aria-labelledby="group-{number}">',
            f'<h2 id="group-{number}">Group {number}: {len(rows)} files {kind}</h2>',
            '<div class="row">',
            *figures,
            "</div>",
            "</section>",
        ]
    )


def _figure(row: tuple, address: str) -> str:
    import pandas as pd

    name, fate = html.escape(row.path), _ON_PAGE[row.action]
    size = "" if pd.isna(row.width) else f"{row.width} x {row.height} pixels, "
    size += "" if pd.isna(row.bytes) else f"{row.bytes:,} bytes"
    shown = f'<img src="{address}" alt="{name}, {fate}">' if address else "<p>cannot be shown</p>"
    return "\n".join(
        [
            f'<figure class="{row.action}">',
            shown,
            f"<figcaption><strong>{fate}</strong>: <bdi>{name}</bdi>",
            f"<span>{size}</span>",
            f"<span>{html.escape(row.reason)}</span></figcaption>",
            "</figure>",
        ]
    )
