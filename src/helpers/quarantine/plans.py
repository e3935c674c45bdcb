"""A plan to clean a photo library, on paper: as a table for a spreadsheet, as a sentence, and as a page with the pictures.

`helpers.library.proposal.propose` makes a plan, and `helpers.quarantine.moving.apply` carries it out.
"""

from __future__ import annotations

import csv
import io
import re
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from helpers import Problem
from helpers.files.atomic import write_text

if TYPE_CHECKING:  # workers do without it and start sooner
    import pandas as pd

#: The columns of the plan that `helpers.library.proposal.propose` makes, with their types.
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
#: A whole number as programs write it; a comma is that of a fraction only where an exponent follows.
_WHOLE = re.compile(r"-?[0-9]+(\.0)?|-?[0-9]+([.,][0-9]+)?[eE]\+?[0-9]+")


def write_plan(path: str | Path, plan: pd.DataFrame) -> None:
    """Write a plan as CSV that spreadsheets open well: UTF-8 with a byte order mark, all texts in quotes.

    Parameters
    ----------
    path : str or Path
        An older file is replaced in one step.
    plan : DataFrame
        From `helpers.library.proposal.propose`.

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
        From `helpers.library.proposal.propose` or `read_plan`.

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
