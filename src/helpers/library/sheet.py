"""A plan as a page with small pictures, on which a person can say which groups all stay."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from helpers import decisions
from helpers.files.places import counted
from helpers.quarantine.plans import summary

if TYPE_CHECKING:  # workers do without it and start sooner
    import pandas as pd

#: What a person can decide about a group: the letter of the key, and the decision.
CHOICES = {"p": "as proposed", "a": "keep all"}
_ON_PAGE = {"keep": "stays", "move": "moves", "look": "to look at"}
_FRAMES = {"keep": "double", "move": "dashed", "look": "dotted"}


def contact_sheet(
    folder: str | Path,
    plan: pd.DataFrame,
    target: str | Path,
    *,
    most: int = 300,
    workers: int | None = None,
) -> None:
    """Write a plan as a page: a row of small pictures for each group, their fate, and why.

    The page is one file and needs no network. Exact copies, which need no eyes, come last. Words
    and borders, not colours, tell which file stays. What is decided on the page changes the plan
    only once it is downloaded and given to `decided`.

    Parameters
    ----------
    folder : str or Path
        The photo library.
    plan : DataFrame
        From `helpers.library.proposal.propose` or `helpers.quarantine.plans.read_plan`.
    target : str or Path
        The HTML file; an older contact sheet is replaced in one step.
    most : int
        The most groups on the page; a sentence says how many are left out.
    workers : int, optional
        How many processes; see `helpers.files.parallel.share_out`.

    Raises
    ------
    Problem
        If it cannot be written, or if another file or a folder is there.

    Examples
    --------
    >>> contact_sheet("photos", plan, "sheet.html")  # doctest: +SKIP
    """
    groups = [rows for _, rows in plan.groupby("group")]
    groups.sort(key=lambda rows: set(rows["kind"]) <= {"best", "exact copy"})
    about = [summary(plan)]
    if len(groups) > most:
        about.append(f"{len(groups) - most:,} more groups are in the plan.")
    items = [_item(Path(folder), rows) for rows in groups[:most]]
    title, how = f"Copies in {Path(folder).resolve().name}", {"side": 200, "workers": workers}
    decisions.write_page(target, title, about, items, CHOICES, page=_page(plan), **how)


def _page(plan: pd.DataFrame) -> str:
    """The page's name; it stays the same if somebody edits what is to be done."""
    rows = plan[["group", "path", "sha256"]].sort_values(["group", "path"])
    return decisions.page_name(CHOICES, rows.astype(str).to_numpy().tolist())


def _item(folder: Path, rows: pd.DataFrame) -> decisions.Item:
    number = rows["group"].iloc[0]
    kind = "that look alike" if "look" in set(rows["action"]) else "of the same picture"
    pictures = [_picture(folder, row) for row in rows.itertuples()]
    title = f"Group {number}: {len(rows)} files {kind}"
    return decisions.Item(f"group {number}", title, pictures)


def _picture(folder: Path, row: tuple) -> decisions.Picture:
    import pandas as pd

    size = "" if pd.isna(row.width) else f"{row.width} x {row.height} pixels, "
    size += "" if pd.isna(row.bytes) else f"{row.bytes:,} bytes"
    facts, file = [size, row.reason], folder / row.path
    return decisions.Picture(file, row.path, facts, _ON_PAGE[row.action], _FRAMES[row.action])


def decided(plan: pd.DataFrame, file: str | Path) -> tuple[pd.DataFrame, str]:
    """A plan as a person decided about it on its contact sheet.

    Parameters
    ----------
    plan : DataFrame
        The plan of which the sheet was written; somebody may have edited it since.
    file : str or Path
        The decisions that were downloaded from the sheet.

    Returns
    -------
    DataFrame
        The plan, in which every file of a group that is kept whole stays.
    str
        How many groups were decided, in a sentence.

    Raises
    ------
    Problem
        If the file cannot be read, belongs to another plan, or says two things of one group.

    Examples
    --------
    >>> plan, sentence = decided(plan, "decisions.csv")  # doctest: +SKIP
    """
    groups = "group " + plan["group"].astype(str)
    found = decisions.read(file, {_page(plan): set(groups)}, CHOICES.values())
    kept = {row["item"] for row in found if row["decision"] == "keep all"}
    proposed = {row["item"] for row in found} - kept
    plan, is_kept = plan.copy(), groups.isin(kept) & (plan["action"] != "keep")
    plan.loc[is_kept, "action"] = "keep"
    plan.loc[is_kept, "reason"] = "a person decided to keep all"
    left = groups.nunique() - len(kept) - len(proposed)
    told = f"Decided: keep all of {counted(len(kept), 'group')}, {len(proposed):,} as proposed"
    return plan, f"{told}; not decided: {left:,}, as proposed."
