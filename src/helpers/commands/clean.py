"""Find the copies in a photo library, and move them into quarantine or back."""

from __future__ import annotations

import argparse
import os
from pathlib import Path
from typing import TYPE_CHECKING

from helpers import Problem
from helpers.commands.terminal import one_line, print_some, until_nobody_reads
from helpers.files.guard import check_output
from helpers.files.places import counted, real_path

if TYPE_CHECKING:
    import pandas as pd


def _clean(arguments: argparse.Namespace) -> int:
    """Find the copies in a photo library, and propose which of them may go, and why.

    Nothing is touched, unless --apply moves the copies into a quarantine folder, or --undo puts
    them back. Fingerprints are dHash, since the second look was measured with it. Ends with 0, or
    with 1 if --apply or --undo left a file alone, also as no picture that can be read.
    """
    from helpers.library import sheet  # these take a second to import
    from helpers.quarantine import moving, plans

    if arguments.workers is not None and arguments.workers < 1:
        raise Problem(f"--workers {arguments.workers}: is no number of processes; it starts at 1")
    folder = Path(arguments.folder)
    place = Path(arguments.quarantine or moving.default_quarantine(folder))
    if arguments.undo:
        return _undo(folder, place, arguments)
    if arguments.decisions and not arguments.plan:
        raise Problem("--decisions: change a plan; name the plan too, with --plan")
    carry_out = arguments.plan and (arguments.apply or arguments.decisions)
    if arguments.plan and not carry_out:
        check_output(arguments.plan, "plan", folders=[folder, place])
    if arguments.sheet:
        plan_file = filter(None, [arguments.plan])
        check_output(arguments.sheet, "sheet", inputs=plan_file, folders=[folder, place])
    moving.check_place(folder, place)
    plan = _read_plan(arguments) if carry_out else _make_plan(folder, arguments)
    with until_nobody_reads():  # people who stop reading still want what they asked for
        print(plans.summary(plan))
        if not arguments.apply:
            _print_groups(plan, arguments)
    if arguments.sheet:
        sheet.contact_sheet(folder, plan, arguments.sheet, workers=arguments.workers)
        with until_nobody_reads():
            print(f"The pictures are in {one_line(arguments.sheet)}.")
    return _apply(folder, plan, place, arguments) if arguments.apply else 0


def _undo(folder: Path, place: Path, arguments: argparse.Namespace) -> int:
    from helpers.quarantine import moving

    for option in ("plan", "decisions", "sheet", "radius", "keep", "exclude", "against"):
        if getattr(arguments, option) is not None:
            raise Problem(f"--{option}: has no meaning beside --undo; leave it out")
    done = moving.undo(place, folder)
    print(f"Put back: {counted((done['outcome'] == 'put back').sum(), 'file')}")
    return _print_left_alone(done, arguments)


def _apply(folder: Path, plan: pd.DataFrame, place: Path, arguments: argparse.Namespace) -> int:
    from helpers.quarantine import moving

    done = moving.apply(folder, plan, place)
    moved = (done["outcome"] == "moved").sum()
    where, back = f" to {one_line(str(place))}", "; --undo puts them back"
    print(f"Moved{where if moved else ''}: {counted(moved, 'file')}{back if moved else ''}")
    # files that were no pictures: sentences have named them
    return max(_print_left_alone(done, arguments), plan.attrs.get("unread", 0))


def _read_plan(arguments: argparse.Namespace) -> pd.DataFrame:
    """The plan that is to be carried out. It has its own radius and folders to be kept."""
    from helpers.library import sheet
    from helpers.quarantine import plans

    for option in ("radius", "keep", "exclude", "against"):
        if getattr(arguments, option) is not None and os.path.lexists(arguments.plan):
            raise Problem(
                f"{arguments.plan}: is there already, with its own {option}; "
                f"leave out --{option}, or name another plan"
            )
    plan = plans.read_plan(arguments.plan)
    if arguments.decisions:
        plan, sentence = sheet.decided(plan, arguments.decisions)
        with until_nobody_reads():
            print(sentence)
    return plan


def _make_plan(folder: Path, arguments: argparse.Namespace) -> pd.DataFrame:
    """Scan the library and propose; the plan is written if that is asked for."""
    from helpers.hamming import check_radius
    from helpers.library import proposal
    from helpers.quarantine import plans

    radius = check_radius(proposal.RADIUS if arguments.radius is None else arguments.radius)
    keep = _inside(folder, arguments.keep or [])
    archive = _check_archive(folder, arguments.against) if arguments.against else None
    table, options = _scan(folder, arguments), {"keep": keep, "workers": arguments.workers}
    if archive:
        there = _scan(archive, arguments)
        there["path"] = [(archive / path).as_posix() for path in there["path"]]
        options["archive"] = there
    plan = proposal.propose(table, folder, radius, **options)
    plan.attrs["unread"] = int((table["problem"] != "").any())
    if arguments.plan:
        check_output(arguments.plan, "plan")  # has one come meanwhile?
        plans.write_plan(arguments.plan, plan)
        with until_nobody_reads():
            print(f"The plan is in {one_line(arguments.plan)}.")
    return plan


def _scan(folder: Path, arguments: argparse.Namespace) -> pd.DataFrame:
    """The table of a folder; what is not looked at is printed."""
    from helpers.library import inventory

    exclude = arguments.exclude or ()
    table = inventory.scan(folder, workers=arguments.workers, exclude=exclude)
    with until_nobody_reads():
        print_some("No picture", table[table["problem"] != ""], "problem", arguments)
        for sentence in table.attrs["not_looked_at"]:
            print(one_line(sentence))
        if names := table.attrs["hard_links"]:
            print(f"Hard links: {counted(names, 'more name')} of files; each file is there once")
    return table


def _check_archive(folder: Path, archive: str) -> Path:
    """Where the archive is, without links. It and the library lie apart."""
    from helpers.images.folders import check_folder

    check_folder(archive)
    place, library = real_path(archive), real_path(folder)
    if place.is_relative_to(library) or library.is_relative_to(place):
        raise Problem(
            f"--against {archive}: lies inside {folder} or around it; "
            "take --keep for a folder of the library"
        )
    return place


def _print_left_alone(done: pd.DataFrame, arguments: argparse.Namespace) -> int:
    """Print what was left alone; 1 if anything was."""
    left = done[done["outcome"] == "left alone"]
    with until_nobody_reads():
        print_some("Left alone", left, "reason", arguments)
    return int(len(left) > 0)


def _inside(folder: Path, places: list[str]) -> list[str]:
    """Folders of the library, relative to it. They are named from here or from there."""
    root, inside = real_path(folder), []
    for place in places:
        found = real_path(place if os.path.isdir(place) else folder / place)
        if not found.is_relative_to(root) or not os.path.isdir(found):
            elsewhere = os.path.isdir(found) and not root.is_relative_to(found)
            remedy = f"take --against {place}" if elsewhere else "check the spelling"
            raise Problem(f"--keep {place}: is no folder inside {folder}; {remedy}")
        inside.append(found.relative_to(root).as_posix())
    return inside


def _print_groups(plan: pd.DataFrame, arguments: argparse.Namespace) -> None:
    """Print the first groups of a plan with the reasons; with --all, every group."""
    groups, lines = (len(plan), len(plan)) if arguments.all else (5, 4)
    for number, group in plan[plan["group"] <= groups].groupby("group"):
        print(f"Group {number}")
        for row in group.head(lines).itertuples():
            print(f"  {row.action}  {one_line(row.path)}: {one_line(row.reason)}")
        if len(group) > lines:
            print(f"  {counted(len(group) - lines, 'more file')}")
    more = plan["group"].nunique() - groups
    if more > 0:
        print(
            f"{counted(more, 'more group')}; --all or --plan lists them, --sheet shows the pictures"
        )


def add(commands: argparse._SubParsersAction) -> None:
    """Add the command to the command line.

    Parameters
    ----------
    commands : argparse._SubParsersAction
        The commands of ``python -m helpers``.
    """
    command = commands.add_parser(
        "clean", help="Clean a photo library.", description=_clean.__doc__
    )
    command.set_defaults(run=_clean, if_stopped="nothing is lost")
    command.add_argument("folder", metavar="FOLDER", help="the photo library")
    for name, metavar, what in (
        ("radius", "N", "bits by which copies may differ, before their pixels are compared (8)"),
        ("plan", "FILE", "write the plan as CSV; with --apply, carry this one out"),
        ("sheet", "FILE", "write a page of pictures side by side, as HTML"),
        ("decisions", "FILE", "what was decided on that page about the pairs of --plan"),
        ("quarantine", "DIR", "where the copies go, with the plan (FOLDER-quarantine)"),
        ("keep", "DIR", "a folder of the library from which nothing moves; may be given again"),
        ("against", "DIR", "an archive elsewhere: what it has goes, and nothing moves in it"),
        ("exclude", "PATTERN", "leave out files and folders of this name or path; also again"),
        ("workers", "N", "processes (all processors)"),
    ):
        kind = {"type": int} if metavar == "N" else {}
        kind |= {"action": "append"} if name in ("keep", "exclude") else {}
        command.add_argument(f"--{name}", metavar=metavar, help=what, **kind)
    command.add_argument("--all", action="store_true", help="print all, not the first few")
    whether = command.add_mutually_exclusive_group()
    whether.add_argument("--apply", action="store_true", help="move the copies")
    whether.add_argument("--undo", action="store_true", help="put back what was moved")
