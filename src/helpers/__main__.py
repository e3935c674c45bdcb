"""The command line: ``python -m helpers gather | index | search``, as in the article, and ``clean | gate``."""

import argparse
import os
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext, suppress
from pathlib import Path

import pandas as pd

from helpers import Problem, shelf
from helpers.files.atomic import exclusive, give_name, unique_partial, write_problem
from helpers.fingerprints import catalogue
from helpers.gate import bank
from helpers.hamming import check_radius
from helpers.images.opening import READING, find_images
from helpers.truth import near_duplicates


def gather(arguments: argparse.Namespace) -> None:
    """Copy a dataset and hide resized copies of some of its images in it."""
    images = find_images(arguments.input)
    if arguments.article:
        try:
            needles = near_duplicates.article_needles(images, others=False)
        except Problem as problem:
            raise Problem(f"{arguments.input}: {problem}") from problem
    else:
        needles = near_duplicates.random_needles(images, arguments.needles, seed=arguments.seed)
    truth = near_duplicates.gather(
        arguments.input,
        arguments.output,
        needles,
        seed=arguments.seed,
        factors=tuple(arguments.factors),
        format=arguments.format,
        quality=arguments.quality,
        replace=arguments.replace,
        images=images,
    )
    near_duplicates.write_truth(arguments.csv, truth)
    copied = len(find_images(arguments.output)) - len(truth)
    needles = truth["needle"].nunique()
    print(f"{arguments.output} holds {copied} images and {len(truth)} copies of {needles} of them.")
    print(f"The truth is in {arguments.csv}.")


def index(arguments: argparse.Namespace) -> None:
    """Fingerprint a folder of images and keep the fingerprints on a shelf."""
    table = shelf.build(
        arguments.shelve, arguments.dataset, replace=arguments.replace, **_reading(arguments)
    )
    problems = table[table["problem"] != ""]
    for row in problems.itertuples():
        print(f"Left out: {row.path}: {row.problem}")
    made = shelf.read(arguments.shelve)
    listed = sum(len(names) for names in made.values())
    print(
        f"Read {len(table) - len(problems)} images; {arguments.shelve} lists {listed} under {len(made)} fingerprints."
    )


def search(arguments: argparse.Namespace) -> None:
    """Find the images that have the query's fingerprint, or one within a radius."""
    if not os.path.isdir(arguments.dataset):
        raise Problem(f"{arguments.dataset}: no such folder; name the one that was indexed")
    found = shelf.read(arguments.shelve).find(
        Path(arguments.query), arguments.radius, **_reading(arguments)
    )
    print(f"Found {len(found)} images")
    for match in found.itertuples():
        print(f"{match.distance:2}  {match.path}")
    absent = [path for path in found["path"] if not os.path.exists(Path(arguments.dataset, path))]
    if absent:
        print(
            f"{len(absent)} of them, as {absent[0]}, are not in {arguments.dataset}: they have gone, or it is not "
            "the folder that was indexed",
            file=sys.stderr,
        )
    if arguments.save_grid:
        from helpers.classroom import (
            plots,  # matplotlib is slow to import, and only the grid needs it
        )

        figure = plots.query_grid(arguments.dataset, Path(arguments.query).resolve(), found)
        try:
            plots.save(figure, arguments.save_grid, dpi=120)
        except OSError as error:
            raise write_problem(arguments.save_grid, error) from error
        except ValueError as error:
            raise Problem(f"{arguments.save_grid}: {error}; end the name in .png") from error


def clean(arguments: argparse.Namespace) -> int:
    """Find the copies in a photo library, and propose which of them may go, and why.

    Nothing is touched, unless --apply moves them into a quarantine folder, or --undo puts them back. Ends with 0, or with 1 if
    --apply or --undo left a file alone.
    """
    from helpers.library import inventory
    from helpers.quarantine import moving, plans  # they take a second to import

    if arguments.workers is not None and arguments.workers < 1:
        raise Problem(f"--workers {arguments.workers}: is no number of processes; it starts at 1")
    folder = Path(arguments.folder)
    place = Path(arguments.quarantine or moving.default_quarantine(folder))
    if arguments.undo:
        for option in ("plan", "sheet", "radius", "keep"):
            if getattr(arguments, option) is not None:
                raise Problem(f"--{option}: has no meaning beside --undo; leave it out")
        done = moving.undo(place, folder)
        print(f"Put back: {(done['outcome'] == 'put back').sum()} files")
        return _print_left_alone(done, arguments)
    carry_out = arguments.apply and arguments.plan
    for written in filter(None, (arguments.sheet, None if carry_out else arguments.plan)):
        _check_outside(written, folder)
        _check_outside(written, place)
    moving.check_place(folder, place)
    if arguments.sheet:
        plans.check_sheet(arguments.sheet)
    if carry_out:
        for option in ("radius", "keep"):
            if getattr(arguments, option) is not None and os.path.lexists(arguments.plan):
                raise Problem(
                    f"{arguments.plan}: is there already, with its own {option}; leave out --{option}, or name another plan"
                )
        plan = plans.read_plan(arguments.plan)
    else:
        if arguments.plan and os.path.lexists(arguments.plan):
            raise Problem(
                f"{arguments.plan}: is there already; add --apply to carry it out, or name another file"
            )
        radius = check_radius(inventory.RADIUS if arguments.radius is None else arguments.radius)
        keep = _inside(folder, arguments.keep or [])
        table = inventory.scan(folder, workers=arguments.workers)
        with _until_nobody_reads():
            _print_some("No picture", table[table["problem"] != ""], "problem", arguments)
            if others := inventory.not_looked_at(folder):
                kinds = ", ".join(f"{number:,} {kind}" for kind, number in others.most_common(5))
                print(
                    f"Not looked at: {others.total():,} other files ({kinds}{' ...' * (len(others) > 5)})"
                )
        plan = inventory.propose(table, folder, radius, keep=keep, workers=arguments.workers)
        if arguments.plan:
            if os.path.lexists(arguments.plan):
                raise Problem(f"{arguments.plan}: has come meanwhile; name another file")
            plans.write_plan(arguments.plan, plan)
            with _until_nobody_reads():
                print(f"The plan is in {arguments.plan}.")
    with _until_nobody_reads():  # who has read enough still wants what was asked for
        print(plans.summary(plan))
        if not arguments.apply:
            _print_groups(plan, arguments)
    if arguments.sheet:
        plans.contact_sheet(folder, plan, arguments.sheet, workers=arguments.workers)
        with _until_nobody_reads():
            print(f"The pictures are in {arguments.sheet}.")
    if arguments.apply:
        done = moving.apply(folder, plan, place)
        moved = (done["outcome"] == "moved").sum()
        print(
            f"Moved to {place}: {moved} files; --undo puts them back" if moved else "Moved: 0 files"
        )
        return _print_left_alone(done, arguments)
    return 0


def _print_left_alone(done: pd.DataFrame, arguments: argparse.Namespace) -> int:
    """Print what was left alone; 1 if anything was."""
    left = done[done["outcome"] == "left alone"]
    with _until_nobody_reads():
        _print_some("Left alone", left, "reason", arguments)
    return int(len(left) > 0)


def _inside(folder: Path, places: list[str]) -> list[str]:
    """Folders of the library, relative to it. They are named from here or from there."""
    root, inside = Path(os.path.realpath(folder)), []
    for place in places:
        found = Path(os.path.realpath(place if os.path.isdir(place) else folder / place))
        if not found.is_relative_to(root) or not os.path.isdir(found):
            raise Problem(f"--keep {place}: is no folder inside {folder}; check the spelling")
        inside.append(found.relative_to(root).as_posix())
    return inside


def _check_outside(file: str, folder: Path) -> None:
    """Nothing is written into a photo library or a quarantine, by whatever path."""
    for around in Path(os.path.realpath(file)).parents:
        inside = around == Path(os.path.realpath(folder))  # which may not be there yet
        with suppress(OSError):
            inside = inside or around.samefile(folder)
        if inside:
            raise Problem(
                f"{file}: lies inside {folder}, where nothing is written; name another place"
            )


def _print_groups(plan: pd.DataFrame, arguments: argparse.Namespace) -> None:
    """The first groups of a plan, with the reasons, and how many more there are; with --all, every one."""
    groups, lines = (len(plan), len(plan)) if arguments.all else (5, 4)
    for number, group in plan[plan["group"] <= groups].groupby("group"):
        print(f"Group {number}")
        for row in group.head(lines).itertuples():
            print(f"  {row.action}  {_one_line(row.path)}: {_one_line(row.reason)}")
        if len(group) > lines:
            print(f"  {len(group) - lines} more files")
    more = plan["group"].nunique() - groups
    if more > 0:
        print(f"{more} more groups; --all or --plan lists them, --sheet shows the pictures")


def _print_some(what: str, rows: pd.DataFrame, why: str, arguments: argparse.Namespace) -> None:
    most = len(rows) if arguments.all else 5
    for row in rows.head(most).to_dict("records"):
        print(f"{what}: {_one_line(row['path'])}: {_one_line(row[why])}")
    if len(rows) > most:
        print(f"{what}: {len(rows) - most} more; --all lists them")


def gate_ask(arguments: argparse.Namespace) -> int:
    """Ask a bank of banned pictures about some: a line each, with verdict, distance, entry, path and why.

    Ends with 0 if all may pass, 1 if any is blocked, is for a person to look at, or cannot be read.
    """
    with bank.Bank(arguments.bank) as opened:
        if not len(opened):
            print(f"{arguments.bank}: has no entries in force, so all may pass", file=sys.stderr)
        answers = opened.ask_many(
            arguments.pictures, block=arguments.block, review=arguments.review
        )
    with _until_nobody_reads():
        for answer, path in zip(answers, arguments.pictures, strict=True):
            distance, entry = (
                "-" if number is None else number for number in (answer.distance, answer.entry)
            )
            print(f"{answer.verdict:10} {distance:>2} {entry:>7}  {_one_line(path)}", end="")
            texts = filter(None, (answer.reason, answer.source, answer.time))
            why = "" if answer.verdict == "unreadable" else ", ".join(map(_one_line, texts))
            print(f"  ({why})" if why else "")
            if answer.verdict == "unreadable":
                print(_one_line(answer.reason), file=sys.stderr)
    return int(any(answer.verdict != "allow" for answer in answers))


def gate_flag(arguments: argparse.Namespace) -> None:
    """Ban pictures: all of them or, if one cannot be read, none."""
    with _to_be_filled(arguments) as opened:
        values = [opened.fingerprint(path) for path in arguments.pictures]
        sources = arguments.pictures if arguments.source is None else arguments.source
        before = opened.ask_many(values, block=bank.BLOCK, review=bank.BLOCK)
        entries = opened.flag_many(values, arguments.reason, sources, anyway=arguments.anyway)
    for entry, path, answer in zip(entries, arguments.pictures, before, strict=True):
        known = f" ({_bits(answer)} from entry {answer.entry})" if answer.verdict == "block" else ""
        print(f"Entry {entry}: {_one_line(path)}{known}")


def gate_unflag(arguments: argparse.Namespace) -> None:
    """Withdraw entries, by their numbers: all or, if one is none, none. The bank's log keeps them, with the reason."""
    with bank.Bank(arguments.bank) as opened:
        entries = list(dict.fromkeys(arguments.entries))
        values = opened.unflag(entries, arguments.reason)
        answers = opened.ask_many(values, block=bank.BLOCK, review=bank.BLOCK)
    for entry, answer in zip(entries, answers, strict=True):
        still = f"; its picture is still blocked, {_bits(answer)} from entry {answer.entry}"
        print(f"Withdrawn: entry {entry}{still if answer.verdict == 'block' else ''}")


def _bits(answer: bank.Answer) -> str:
    return "1 bit" if answer.distance == 1 else f"{answer.distance} bits"


def gate_list(arguments: argparse.Namespace) -> None:
    """List the entries in force: number, fingerprint, time, reason and source, with tabs between."""
    with bank.Bank(arguments.bank) as opened:
        table = opened.entries(withdrawn=arguments.withdrawn)
    for row in table.itertuples():
        texts = [row.time, row.reason, row.source]
        if arguments.withdrawn:
            texts.append(f"withdrawn: {row.withdrawn}" if row.withdrawn else "in force")
        digits = catalogue.to_hex(row.fingerprint)
        print(row.entry, digits, *map(_one_line, texts), sep="\t")


def gate_export(arguments: argparse.Namespace) -> None:
    """Write the entries in force as CSV, to keep a copy or to share them."""
    with bank.Bank(arguments.bank) as opened:
        written = opened.write_csv(arguments.csv)
    print(f"Wrote {written} entries to {arguments.csv}.")


def gate_import(arguments: argparse.Namespace) -> None:
    """Take in the entries of a CSV file that are new: all or, if a row is broken, none."""
    with _to_be_filled(arguments) as opened:
        added = opened.read_csv(arguments.csv, anyway=arguments.anyway)
        in_force = len(opened)
    print(f"Added {added} entries; {in_force} are in force.")


@contextmanager
def _to_be_filled(arguments: argparse.Namespace) -> Iterator[bank.Bank]:
    """The bank, which is made if that is asked for and there is none."""
    place, reading = Path(arguments.bank), _reading(arguments)
    final = Path(os.path.realpath(place))  # where a link leads
    with exclusive(final) if arguments.new else nullcontext():  # two may want to make it
        if arguments.new and not os.path.lexists(final):
            opening = _made(place, final, reading)
        elif arguments.new and os.path.isfile(final) and not final.stat().st_size:
            raise Problem(f"{place}: is an empty file; delete it, or choose another name")
        else:
            opening = bank.Bank(place, **reading)
        with opening as opened:
            yield opened


@contextmanager
def _made(place: Path, final: Path, reading: dict) -> Iterator[bank.Bank]:
    """A new bank, to be filled beside its place: an empty one there, left by what failed, would let all pass."""
    partial = unique_partial(final)
    try:
        with bank.Bank(partial, make=True, **reading) as opened:
            yield opened
        give_name(partial, final)
    except FileExistsError as error:
        raise Problem(f"{place}: has come meanwhile; run this again") from error
    except OSError as error:
        raise write_problem(place, error) from error
    except Problem as problem:
        raise Problem(str(problem).replace(str(partial), str(place))) from problem
    finally:
        for leftover in (partial, Path(f"{partial}-journal")):
            with suppress(OSError):
                leftover.unlink()


@contextmanager
def _until_nobody_reads() -> Iterator[None]:
    """Print for as long as somebody reads our output."""
    try:
        yield
        sys.stdout.flush()
    except BrokenPipeError:
        _mute()


def _mute() -> None:
    """Let what is still to be printed go nowhere, since nobody can read it."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _one_line(text: str) -> str:
    """The text on one line and without orders to the terminal: a reason, or a file's name, may hold any letters."""
    return "".join(
        letter if letter.isprintable() else letter.encode("unicode_escape").decode()
        for letter in text
    )


def _reading(arguments: argparse.Namespace) -> dict:
    return {
        name: getattr(arguments, name) for name in READING if getattr(arguments, name) is not None
    }


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m helpers", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)

    command = commands.add_parser("gather", help=gather.__doc__, description=gather.__doc__)
    command.set_defaults(run=gather)
    command.add_argument(
        "-i", "--input", required=True, metavar="DIR", help="the dataset; nothing in it is changed"
    )
    command.add_argument(
        "-o", "--output", required=True, metavar="DIR", help="the haystack, a new folder"
    )
    command.add_argument(
        "-c", "--csv", required=True, metavar="FILE", help="where the truth about the copies goes"
    )
    command.add_argument(
        "--seed", type=int, default=0, metavar="N", help="same seed, same copies (0)"
    )
    command.add_argument(
        "--article", action="store_true", help="the article's 17 needles with its numbers of copies"
    )
    command.add_argument(
        "--needles", type=int, default=17, metavar="N", help="how many images to copy (17)"
    )
    command.add_argument(
        "--factors",
        type=float,
        nargs=2,
        default=(0.95, 1.05),
        metavar=("LOW", "HIGH"),
        help="resize by (0.95 1.05)",
    )
    command.add_argument(
        "--format", choices=near_duplicates.FORMATS, default="jpeg", help="of the copies (jpeg)"
    )
    command.add_argument(
        "--quality", type=int, default=75, metavar="Q", help="JPEG quality of the copies (75)"
    )
    command.add_argument(
        "--replace", action="store_true", help="start anew, whatever haystack is there"
    )

    command = commands.add_parser("index", help=index.__doc__, description=index.__doc__)
    command.set_defaults(run=index)
    command.add_argument(
        "-d", "--dataset", required=True, metavar="DIR", help="the folder of images"
    )
    command.add_argument(
        "-s",
        "--shelve",
        required=True,
        metavar="FILE",
        help="the shelf, made or brought up to date",
    )
    command.add_argument(
        "--replace", action="store_true", help="start anew, whatever shelf is there"
    )
    _add_reading(command)

    command = commands.add_parser("search", help=search.__doc__, description=search.__doc__)
    command.set_defaults(run=search)
    command.add_argument(
        "-d", "--dataset", required=True, metavar="DIR", help="the folder that was indexed"
    )
    command.add_argument("-s", "--shelve", required=True, metavar="FILE", help="the shelf")
    command.add_argument(
        "-q", "--query", required=True, metavar="IMAGE", help="the picture to look for"
    )
    command.add_argument(
        "-r", "--radius", type=int, default=0, metavar="R", help="bits that may differ (0)"
    )
    command.add_argument("--save-grid", metavar="PNG", help="draw the query and its matches")
    _add_reading(command)

    command = commands.add_parser("clean", help="clean a photo library", description=clean.__doc__)
    command.set_defaults(run=clean)
    command.add_argument("folder", metavar="FOLDER", help="the photo library")
    command.add_argument(
        "--radius",
        type=int,
        metavar="N",
        help="bits by which copies may differ, before their pixels are compared (8)",
    )
    command.add_argument(
        "--plan", metavar="FILE", help="write the plan as CSV; with --apply, carry this one out"
    )
    command.add_argument("--sheet", metavar="FILE", help="write a page of small pictures, as HTML")
    command.add_argument(
        "--quarantine", metavar="DIR", help="where the copies go, with the plan (FOLDER-quarantine)"
    )
    command.add_argument(
        "--keep",
        action="append",
        metavar="DIR",
        help="a folder of the library from which nothing moves; may be given again",
    )
    command.add_argument("--all", action="store_true", help="print all, not the first few")
    command.add_argument("--workers", type=int, metavar="N", help="processes (all processors)")
    whether = command.add_mutually_exclusive_group()
    whether.add_argument("--apply", action="store_true", help="move the copies")
    whether.add_argument("--undo", action="store_true", help="put back what was moved")

    summary = "keep banned pictures out: ask, flag, unflag, list, export, import"
    command = commands.add_parser("gate", help=summary, description=summary)
    _add_gate(command.add_subparsers(dest="action", required=True))
    return parser


def _add_gate(actions: argparse._SubParsersAction) -> None:
    commands = {}
    for run in (gate_ask, gate_flag, gate_unflag, gate_list, gate_export, gate_import):
        name, summary = run.__name__.removeprefix("gate_"), run.__doc__.splitlines()[0]
        command = commands[name] = actions.add_parser(name, help=summary, description=run.__doc__)
        command.set_defaults(run=run)
        command.add_argument("-b", "--bank", required=True, metavar="FILE", help="the bank")
    for name in ("flag", "unflag"):
        commands[name].add_argument("--reason", required=True, metavar="TEXT", help="why")
    for name in ("export", "import"):
        commands[name].add_argument("--csv", required=True, metavar="FILE", help="the CSV file")
    for name in ("flag", "import"):
        commands[name].add_argument(
            "--new", action="store_true", help="make the bank if there is none"
        )
        commands[name].add_argument(
            "--anyway",
            action="store_true",
            help="even fingerprints that say nothing, with which plain pictures would be held back",
        )
        _add_reading(commands[name])
    for name in ("ask", "flag"):
        commands[name].add_argument("pictures", nargs="+", metavar="PICTURE")
    commands["ask"].add_argument(
        "--block",
        type=int,
        default=bank.BLOCK,
        metavar="N",
        help=f"bits up to which a picture is blocked ({bank.BLOCK})",
    )
    commands["ask"].add_argument(
        "--review",
        type=int,
        default=bank.REVIEW,
        metavar="N",
        help=f"bits up to which a person is to look at it ({bank.REVIEW})",
    )
    commands["flag"].add_argument(
        "--source", metavar="TEXT", help="where they came from (the path of each)"
    )
    commands["unflag"].add_argument("entries", nargs="+", type=int, metavar="ENTRY")
    commands["list"].add_argument(
        "--withdrawn", action="store_true", help="list the withdrawn ones too, and say which"
    )


def _add_reading(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--fast",
        action="store_const",
        const=True,
        help="let the JPEG decoder shrink large photographs",
    )
    command.add_argument(
        "--no-rotate",
        dest="rotate",
        action="store_const",
        const=False,
        help="ignore the EXIF orientation",
    )
    command.add_argument(
        "--background", metavar="COLOUR", help="what shows through transparency (white)"
    )


def _check_not_empty(words: list[str]) -> None:
    """Raise where a name is empty, as that of the current folder would be if a variable is not set. Texts may be."""
    for before, word in zip(["", *words], words, strict=False):
        is_text = before in ("--source", "--reason") or word in ("--source=", "--reason=")
        if not is_text and (not word or re.fullmatch("--[a-z-]+=", word)):
            raise Problem(
                f"{word or before or 'an argument'}: is empty, as a variable is that is not set; give a name"
            )


def main(arguments: list[str] | None = None) -> int:
    """Run one command; 0 when it ran (1 when ``gate ask`` holds a picture back, or ``clean`` left a file alone), 2 with one sentence on bad input."""
    with suppress(AttributeError):  # in a notebook
        # A file name may hold letters that the terminal cannot show.
        sys.stdout.reconfigure(errors="backslashreplace")
    words = sys.argv[1:] if arguments is None else arguments
    parsed = _parser().parse_args(words)
    try:
        _check_not_empty(words)
        code = parsed.run(parsed) or 0
        sys.stdout.flush()
        return code
    except Problem as problem:
        print(problem, file=sys.stderr)
        return 2
    except BrokenPipeError:  # whoever reads our output has seen enough
        _mute()
    except KeyboardInterrupt:
        # `clean --apply` may have stopped between a file's new name and its old one
        undo = ", or with --undo to go back" if getattr(parsed, "apply", False) else ""
        left = "nothing is lost" if parsed.run is clean else "nothing half-finished was left"
        print(f"Stopped; {left}. Run it again to go on{undo}.", file=sys.stderr)
        return 130
    except OSError as error:  # what nobody has thought of, as a full disk behind `> file`
        try:
            sys.stdout.flush()
        except OSError:
            _mute()
        where = f"{_one_line(str(error.filename))}: " if error.filename else ""
        print(
            f"{where}{error.strerror or error}; check the name, the permissions and the room on the disk",
            file=sys.stderr,
        )
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
