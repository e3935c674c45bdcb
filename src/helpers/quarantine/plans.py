"""A plan to clean a photo library, as a table for a spreadsheet and as a sentence.

`helpers.library.proposal.propose` makes a plan, `helpers.library.sheet.contact_sheet` shows it, and
`helpers.quarantine.moving.apply` carries it out.
"""

from __future__ import annotations

import re
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from helpers import Problem
from helpers.files import tables
from helpers.files.atomic import exclusive, write_text
from helpers.files.places import counted

if TYPE_CHECKING:  # workers do without it and start sooner
    import pandas as pd

#: The columns of a plan that `helpers.library.proposal.propose` makes, with their types.
PLAN = {
    "group": "Int64",
    "action": "str",
    "kind": "str",
    "path": "str",
    "kept": "str",
    "partner_of": "str",
    "distance": "Int64",
    "difference": "Float64",
    "correlation": "Float64",
    "width": "Int64",
    "height": "Int64",
    "bytes": "Int64",
    "modified": "Int64",
    "sha256": "str",
    "lost": "str",
    "gained": "str",
    "reason": "str",
}
#: The columns without which a plan cannot be carried out.
NEEDED = ("action", "path", "kept", "bytes", "sha256")
#: What a plan can say about a file.
ACTIONS = ("keep", "move", "look")
#: The kinds of files that move or are asked about, and what several are called.
KINDS = {
    **{"exact copy": "exact copies", "near copy": "near copies", "partner": "partners"},
    **{"look-alike": "look-alikes", "turned or mirrored": "turned or mirrored"},
    **{"framed": "framed", "cropped": "cropped", "other file": "other files"},
}
#: How large a plan may be that is read: one of 100,000 rows is smaller.
MOST_PLAN_BYTES = 2**25
# A whole number as programs write it. A comma begins a fraction only if an exponent follows.
_WHOLE = re.compile(r"-?[0-9]+(\.0)?|-?[0-9]+([.,][0-9]+)?[eE]\+?[0-9]+")


def write_plan(path: str | Path, plan: pd.DataFrame) -> None:
    """Write a plan as CSV that spreadsheets open well.

    Parameters
    ----------
    path : str or Path
        The file; an older one is replaced in one step.
    plan : DataFrame
        From `helpers.library.proposal.propose`.

    Raises
    ------
    Problem
        If it cannot be written.

    Notes
    -----
    The file is UTF-8 with a byte order mark, and all texts stand in quotes. A path that a
    spreadsheet would run as a formula has a ``'`` in front, which `read_plan` takes back.

    Examples
    --------
    >>> write_plan("plan.csv", plan)  # doctest: +SKIP
    """
    with exclusive(path):  # which clears what a killed run left
        write_text(path, as_csv(plan))


def as_csv(plan: pd.DataFrame) -> str:
    """The text of a plan's file; see `write_plan`.

    Parameters
    ----------
    plan : DataFrame
        With columns of any names.

    Returns
    -------
    str
        It begins with the byte order mark.

    Examples
    --------
    >>> import pandas as pd
    >>> as_csv(pd.DataFrame({"path": ["=a.jpg"], "bytes": [10]}))
    '\\ufeff"path","bytes"\\n"\\'=a.jpg",10\\n'
    """
    values = plan.astype(object).where(plan.notna(), None)
    rows = values.itertuples(index=False, name=None)
    return tables.as_csv(list(plan.columns), rows, byte_order_mark=True)


def read_plan(path: str | Path) -> pd.DataFrame:
    """The plan that `write_plan` wrote, also after somebody edited it in a spreadsheet.

    Parameters
    ----------
    path : str or Path
        A CSV file, in one of the forms that `helpers.files.tables.read_csv` knows.

    Returns
    -------
    DataFrame
        In the columns and types of `PLAN`. A value that a row does not have is missing. Times may
        have been shortened by a spreadsheet, which does no harm: the SHA-256 tells whether a file
        is the one of the plan.

    Raises
    ------
    Problem
        If the file cannot be read, if it lacks one of the columns `NEEDED`, if an action is none
        of `ACTIONS`, if a path is missing, or if a number is none.

    Examples
    --------
    >>> read_plan("plan.csv")  # doctest: +SKIP
    """
    import pandas as pd

    columns, lines = tables.read_csv(path, MOST_PLAN_BYTES)
    if missing := [name for name in NEEDED if name not in columns]:
        raise Problem(f"{path}: has no column {missing[0]!r}; write the plan again")
    rows = []
    for number, cells in lines:
        row = {**dict.fromkeys(PLAN, ""), **dict(zip(columns, cells, strict=False))}
        row["action"] = row["action"].strip().lower()
        if any(row.values()):
            rows.append(_checked(row, f"{path}: line {number}"))
    values = {name: [row[name] for row in rows] for name in PLAN}
    if "group" not in columns:
        values["group"] = pd.factorize(pd.Series(values["kept"], dtype="str"))[0] + 1
    return pd.DataFrame({name: pd.array(values[name], dtype=kind) for name, kind in PLAN.items()})


def _checked(row: dict[str, str], where: str) -> dict[str, str | int | float | None]:
    """The row with its numbers as numbers."""
    if row["action"] not in ACTIONS:
        raise Problem(
            f"{where}: the action is {row['action']!r}; it has to be one of {', '.join(ACTIONS)}"
        )
    if not row["path"]:
        raise Problem(f"{where}: names no path; write the plan again")
    return {
        name: row[name] if kind == "str" else _number(where, name, row[name], kind)
        for name, kind in PLAN.items()
    }


def _number(where: str, name: str, value: str, kind: str) -> int | float | None:
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
    raise Problem(f"{where}: {name} {value!r} {what}; write the plan again")


def summary(plan: pd.DataFrame) -> str:
    """A plan in one sentence.

    Parameters
    ----------
    plan : DataFrame
        From `helpers.library.proposal.propose` or `read_plan`.

    Returns
    -------
    str
        How many files are to move and to be looked at, by their kinds, and how many bytes move.

    Examples
    --------
    >>> import pandas as pd
    >>> plan = {"action": ["keep", "move"], "kind": ["best", "exact copy"], "bytes": [10, 10]}
    >>> summary(pd.DataFrame(plan))
    'To move: 1 exact copy and 0 near copies, 0.0 MB. To look at: 0 look-alikes.'
    """
    moves, looks = (plan.loc[plan["action"] == action] for action in ("move", "look"))
    looks = looks[looks["kind"] != "partner"]  # which go as their pictures do
    megabytes = (moves["bytes"].sum() if len(moves) else 0) / 1e6
    copies = _counts(moves, ["exact copy", "near copy"])
    return f"To move: {copies}, {megabytes:,.1f} MB. To look at: {_counts(looks, ['look-alike'])}."


def _counts(rows: pd.DataFrame, always: list[str]) -> str:
    """How many rows there are of each kind that there is, or is always told."""
    counts = rows["kind"].where(rows["kind"].isin(list(KINDS)), "other file").value_counts()
    *told, last = (
        counted(counts.get(kind, 0), kind, many)
        for kind, many in KINDS.items()
        if kind in always or kind in counts
    )
    return f"{', '.join(told)} and {last}" if told else last
