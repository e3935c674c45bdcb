"""Keep banned pictures out: ask, flag, unflag, list, export, import."""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING

from helpers.commands.terminal import (
    add_actions,
    add_reading,
    one_line,
    reading_of,
    until_nobody_reads,
)
from helpers.files.places import counted

if TYPE_CHECKING:
    from helpers.gate.bank import Bank


def add(commands: argparse._SubParsersAction) -> None:
    """Add the command to the command line.

    Parameters
    ----------
    commands : argparse._SubParsersAction
        The commands of ``python -m helpers``.
    """
    summary = "Keep banned pictures out: ask, flag, unflag, list, export, import"
    runs = (_ask, _flag, _unflag, _list, _export, _import)
    actions = add_actions(commands, "gate", summary, runs)
    for run, action in actions.items():
        action.add_argument("-b", "--bank", required=True, metavar="FILE", help="the bank")
        if run in (_flag, _unflag):
            action.add_argument("--reason", required=True, metavar="TEXT", help="why")
        if run in (_export, _import):
            action.add_argument("--csv", required=True, metavar="FILE", help="the CSV file")
        if run in (_flag, _import):
            _add_making(action)
        if run in (_ask, _flag):
            action.add_argument("pictures", nargs="+", metavar="PICTURE")
    _add_radii(actions[_ask])
    actions[_flag].add_argument(
        "--source", metavar="TEXT", help="where they came from (the path of each)"
    )
    actions[_unflag].add_argument("entries", nargs="+", type=int, metavar="ENTRY")
    withdrawn = "list the withdrawn ones too, and say which"
    actions[_list].add_argument("--withdrawn", action="store_true", help=withdrawn)


def _add_making(action: argparse.ArgumentParser) -> None:
    action.add_argument("--new", action="store_true", help="make the bank if there is none")
    what = "even fingerprints that say nothing, with which plain pictures would be held back"
    action.add_argument("--anyway", action="store_true", help=what)
    add_reading(action)


def _add_radii(action: argparse.ArgumentParser) -> None:
    # The numbers are those of helpers.gate.memory, which takes longer to import than --help may.
    for name, bits, what in (
        ("--block", 2, "a picture is blocked"),
        ("--review", 8, "a person is to look at it"),
    ):
        told = f"bits up to which {what} ({bits})"
        action.add_argument(name, type=int, default=bits, metavar="N", help=told)


def _opened(arguments: argparse.Namespace) -> Bank:
    """The bank of the command line, which may be a new one where that can be asked for."""
    from helpers.gate import bank

    if "new" in arguments:
        return bank.Bank(arguments.bank, make=arguments.new, **reading_of(arguments))
    return bank.Bank(arguments.bank)


def _ask(arguments: argparse.Namespace) -> int:
    """Ask about pictures: a line each, with verdict, distance, entry, path and why.

    Ends with 0 if all may pass, 1 if any is blocked, is for a person to look at, or cannot be read.
    """
    with _opened(arguments) as bank:
        if not len(bank):
            print(f"{arguments.bank}: has no entries in force, so all may pass", file=sys.stderr)
        answers = bank.ask_many(arguments.pictures, block=arguments.block, review=arguments.review)
    with until_nobody_reads():
        for answer, path in zip(answers, arguments.pictures, strict=True):
            distance, entry = (
                "-" if number is None else number for number in (answer.distance, answer.entry)
            )
            print(f"{answer.verdict:10} {distance:>2} {entry:>7}  {one_line(path)}", end="")
            texts = filter(None, (answer.reason, answer.source, answer.time, answer.how))
            why = "" if answer.verdict == "unreadable" else ", ".join(map(one_line, texts))
            print(f"  ({why})" if why else "")
            if answer.verdict == "unreadable":
                print(one_line(answer.reason), file=sys.stderr)
    return int(any(answer.verdict != "allow" for answer in answers))


def _flag(arguments: argparse.Namespace) -> None:
    """Ban pictures: all of them or, if one cannot be read, none."""
    with _opened(arguments) as bank:
        looks = [(path, frame) for path in arguments.pictures for frame in bank.look(path)]
        paths, frames = map(list, zip(*looks, strict=True))
        sources = paths if arguments.source is None else arguments.source
        entries = bank.flag_many(frames, arguments.reason, sources, anyway=arguments.anyway)
    for entry, path in zip(entries, paths, strict=True):
        print(f"Entry {entry}: {one_line(path)}")


def _unflag(arguments: argparse.Namespace) -> None:
    """Withdraw entries, by their numbers: all or, if there is no such one, none.

    The log of the bank keeps them, with the reason.
    """
    from helpers.gate.memory import BLOCK

    with _opened(arguments) as bank:
        entries = list(dict.fromkeys(arguments.entries))
        values = bank.unflag(entries, arguments.reason)
        answers = bank.ask_many(values, block=BLOCK, review=BLOCK)
    for entry, answer in zip(entries, answers, strict=True):
        still = f"; its picture is still blocked, by entry {answer.entry}"
        print(f"Withdrawn: entry {entry}{still if answer.verdict == 'block' else ''}")


def _list(arguments: argparse.Namespace) -> None:
    """List the entries in force: number, fingerprint, time, reason, source, and tabs between."""
    from helpers.fingerprints import hashes

    left_out = []
    with _opened(arguments) as bank:
        table = bank.entries(withdrawn=arguments.withdrawn, left_out=left_out)
    for row in table.itertuples():
        texts = [row.time, row.reason, row.source]
        if arguments.withdrawn:
            texts.append(f"withdrawn: {row.withdrawn}" if row.withdrawn else "in force")
        digits = hashes.to_hex(row.fingerprint)
        print(row.entry, digits, *map(one_line, texts), sep="\t")
    for problem in left_out:
        raise problem


def _export(arguments: argparse.Namespace) -> None:
    """Write the entries in force as CSV, to keep a copy or to share them."""
    left_out = []
    with _opened(arguments) as bank:
        written = bank.write_csv(arguments.csv, left_out=left_out)
    print(f"Wrote {counted(written, 'entry', 'entries')} to {one_line(arguments.csv)}.")
    for problem in left_out:
        raise problem


def _import(arguments: argparse.Namespace) -> None:
    """Take in the entries of a CSV file that are new: all or, if a row is broken, none."""
    with _opened(arguments) as bank:
        added = bank.read_csv(arguments.csv, anyway=arguments.anyway)
        in_force = len(bank)
    print(f"Added {counted(added, 'entry', 'entries')}; in force now: {in_force:,}.")
