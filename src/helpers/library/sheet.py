"""A plan as a page, on which a person sees two files side by side and decides what goes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from helpers import decisions
from helpers.files.places import counted
from helpers.quarantine.plans import summary

if TYPE_CHECKING:  # workers do without it and start sooner
    import pandas as pd

#: What a person can decide about two files: the letter of the key, and the decision.
CHOICES = {"b": "keep both", "l": "the left one goes", "r": "the right one goes"}
_SIDE = 640  # pixels at which a picture is shown
# The kinds that are compared place by place, in their order; turned or cropped ones come after.
_IN_PLACE = {"exact copy": 1, "near copy": 2, "look-alike": 3}


def contact_sheet(
    folder: str | Path,
    plan: pd.DataFrame,
    target: str | Path,
    *,
    most: int = 300,
    workers: int | None = None,
) -> None:
    """Write a plan as a page: on the left what stays, on the right what goes or is asked about.

    The page is one file and needs no network. Below each picture stands what its file is and what
    would be lost with it. Words and borders, not colours, tell which file stays. The place where
    two pictures differ most is magnified, unless one is turned, framed or cropped. What is asked
    about comes first. Files with the same bytes need no eyes: they are only counted.

    What is decided on the page changes the plan only once it is downloaded and given to `decided`.

    Parameters
    ----------
    folder : str or Path
        The photo library.
    plan : DataFrame
        From `helpers.library.proposal.propose` or `helpers.quarantine.plans.read_plan`.
    target : str or Path
        The HTML file; an older contact sheet is replaced in one step.
    most : int
        The most pairs on the page; a sentence says how many are left out.
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
    asked, about = _asked(plan), [summary(plan)]
    to_do = plan["action"].ne("keep") & plan["kind"].ne("partner")
    if equal := to_do.sum() - len(asked):
        about.append(f"Not shown, since a file with the same bytes stays or is shown: {equal:,}.")
    if len(asked) > most:
        about.append(f"{counted(len(asked) - most, 'more pair')} in the plan, not on this page.")
    files = {row.path: row for row in plan.itertuples()}
    partners = plan[plan["partner_of"] != ""].groupby("partner_of")["path"].agg(list)
    items = [_item(Path(folder), row, files, partners) for row in asked[:most].itertuples()]
    title, how = f"Copies in {Path(folder).resolve().name}", {"side": _SIDE, "workers": workers}
    decisions.write_page(target, title, about, items, CHOICES, page=_page(plan), **how)


def _asked(plan: pd.DataFrame) -> pd.DataFrame:
    """The rows that are shown: first what is asked about, kind by kind, else as in the plan."""
    has_two = plan["action"].ne("keep") & plan["kept"].ne("") & plan["kept"].ne(plan["path"])
    is_sure = plan["action"].eq("move") & plan["kind"].eq("exact copy") | plan["kind"].eq("partner")
    shown = plan.assign(key=_keys(plan))[has_two & ~is_sure]
    shown = shown.drop_duplicates(["action", "kind", "kept", "sha256"])
    order = shown["kind"].map(_IN_PLACE).astype(float).fillna(4) + 4 * shown["action"].eq("move")
    return shown.loc[order.sort_values(kind="stable").index]


def _keys(plan: pd.DataFrame) -> pd.Series:
    """The name of each row on the page; it does not depend on the order of the rows."""
    numbers = plan.groupby("group")["path"].rank(method="first").astype(int)
    return "group " + plan["group"].astype(str) + ", file " + numbers.astype(str)


def _page(plan: pd.DataFrame) -> str:
    """The page's name; it stays the same if somebody edits what is to be done."""
    rows = plan[["group", "path", "sha256"]].sort_values(["group", "path"])
    return decisions.page_name(CHOICES, rows.astype(str).to_numpy().tolist())


def _item(
    folder: Path, row: tuple, files: dict[str, tuple], partners: Mapping[str, list[str]]
) -> decisions.Item:
    label, frame = ("goes", "dashed") if row.action == "move" else ("asked about", "dotted")
    left = _facts(files[row.kept]) if row.kept in files else []
    left += [f"would be lost with this one: {row.gained}"] if row.gained else []
    right = [*_facts(row), row.reason]
    right += [f"its partner goes too: {name}" for name in partners.get(row.path, [])]
    lost = f"would be lost: {row.lost}" if row.lost else ""
    stays = decisions.Picture(folder / row.kept, row.kept, left, "stays", "double")
    other = decisions.Picture(folder / row.path, row.path, right, label, frame, lost)
    title = f"{row.kind.capitalize()}, group {row.group}"
    return decisions.Item(row.key, title, [stays, other], row.kind in _IN_PLACE)


def _facts(row: tuple) -> list[str]:
    import pandas as pd

    size = "" if pd.isna(row.width) else f"{row.width} x {row.height} pixels, "
    size += "" if pd.isna(row.bytes) else f"{row.bytes:,} bytes"
    return [size, "" if pd.isna(row.modified) else f"{pd.Timestamp(row.modified):%Y-%m-%d %H:%M}"]


def decided(plan: pd.DataFrame, file: str | Path) -> tuple[pd.DataFrame, str]:
    """A plan as a person decided about it on its contact sheet.

    If the file that stayed is to go, then what goes for it goes for the other one instead. What
    was not decided, or decided in a circle, moves only if the plan said so and another file stays.

    Parameters
    ----------
    plan : DataFrame
        The plan of which the sheet was written; somebody may have edited it since.
    file : str or Path
        The decisions that were downloaded from the sheet.

    Returns
    -------
    DataFrame
        The plan with other actions, and with other files that stay.
    str
        How often each was decided, in a sentence.

    Raises
    ------
    Problem
        If the file cannot be read, belongs to another plan, or says two things of two files.

    Examples
    --------
    >>> plan, sentence = decided(plan, "decisions.csv")  # doctest: +SKIP
    """
    plan = plan.reset_index(drop=True)
    keys, shown, said = _keys(plan), plan["kept"].copy(), {}
    for row in decisions.read(file, {_page(plan): set(keys)}, CHOICES.values()):
        judges_differ = said.get(row["item"], row["decision"]) != row["decision"]
        said[row["item"]] = "keep both" if judges_differ else row["decision"]
    left = (~_asked(plan)["key"].isin(said)).sum()
    for place, choice in keys.map(said).dropna().items():
        _decide(plan, shown, place, choice)
    counts = Counter(said.values())
    told = ", ".join(f"{choice}: {counts[choice]:,}" for choice in CHOICES.values())
    return _resolved(plan), f"Decided: {told}; not decided, so as proposed: {left:,}."


def _decide(plan: pd.DataFrame, shown: pd.Series, place: object, choice: str) -> None:
    """Change the plan as decided about a row, on whose left stood what `shown` tells."""
    row, words, why = plan.loc[place], ["action", "reason"], f"a person decided: {choice}"
    same = shown.eq(shown[place]) & plan["sha256"].eq(row["sha256"])
    if choice != "the right one goes":  # copies with its bytes go for it
        plan.loc[same & plan["path"].ne(row["path"]), "kept"] = row["path"]
    plan.loc[place, words] = ["move" if choice == "the right one goes" else "keep", why]
    if choice == "the left one goes":
        plan.loc[plan["path"] == shown[place], [*words, "kept"]] = ["move", why, row["path"]]
    elif choice == "keep both":
        plan.loc[plan["partner_of"] == row["path"], words] = ["keep", why]


def _resolved(plan: pd.DataFrame) -> pd.DataFrame:
    """The plan in which each picture that moves names one that stays, or does not move.

    `helpers.quarantine.moving` lets the partners follow.
    """
    moves = plan["action"].eq("move") & plan["partner_of"].eq("")
    goes = dict(zip(plan.loc[moves, "path"], plan.loc[moves, "kept"], strict=True))
    for place in plan.index[moves]:
        stays, seen = plan.at[place, "kept"], set()
        while stays in goes and stays not in seen:
            seen.add(stays)
            stays = goes[stays]
        plan.at[place, "kept"] = stays
    in_circle = moves & plan["kept"].isin(goes.keys())
    is_again = moves & plan["path"].where(moves).duplicated()
    plan.loc[in_circle | is_again, "action"] = "keep"
    return plan
