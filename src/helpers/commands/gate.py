"""Keep banned pictures out: ask, flag, unflag, list, export, import."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from helpers import Problem
from helpers.commands.terminal import add_reading, one_line, reading_of, until_nobody_reads
from helpers.files.atomic import exclusive, give_name, unique_partial, write_problem

if TYPE_CHECKING:
    from helpers.gate import bank


def gate_ask(arguments: argparse.Namespace) -> int:
    """Ask a bank of banned pictures about some: a line each, with verdict, distance, entry, path and why.

    Ends with 0 if all may pass, 1 if any is blocked, is for a person to look at, or cannot be read.
    """
    from helpers.gate import bank

    with bank.Bank(arguments.bank) as opened:
        if not len(opened):
            print(f"{arguments.bank}: has no entries in force, so all may pass", file=sys.stderr)
        answers = opened.ask_many(
            arguments.pictures, block=arguments.block, review=arguments.review
        )
    with until_nobody_reads():
        for answer, path in zip(answers, arguments.pictures, strict=True):
            distance, entry = (
                "-" if number is None else number for number in (answer.distance, answer.entry)
            )
            print(f"{answer.verdict:10} {distance:>2} {entry:>7}  {one_line(path)}", end="")
            texts = filter(None, (answer.reason, answer.source, answer.time))
            why = "" if answer.verdict == "unreadable" else ", ".join(map(one_line, texts))
            print(f"  ({why})" if why else "")
            if answer.verdict == "unreadable":
                print(one_line(answer.reason), file=sys.stderr)
    return int(any(answer.verdict != "allow" for answer in answers))


def gate_flag(arguments: argparse.Namespace) -> None:
    """Ban pictures: all of them or, if one cannot be read, none."""
    from helpers.gate import bank

    with _to_be_filled(arguments) as opened:
        values = [opened.fingerprint(path) for path in arguments.pictures]
        sources = arguments.pictures if arguments.source is None else arguments.source
        before = opened.ask_many(values, block=bank.BLOCK, review=bank.BLOCK)
        entries = opened.flag_many(values, arguments.reason, sources, anyway=arguments.anyway)
    for entry, path, answer in zip(entries, arguments.pictures, before, strict=True):
        known = f" ({_bits(answer)} from entry {answer.entry})" if answer.verdict == "block" else ""
        print(f"Entry {entry}: {one_line(path)}{known}")


def gate_unflag(arguments: argparse.Namespace) -> None:
    """Withdraw entries, by their numbers: all or, if one is none, none. The bank's log keeps them, with the reason."""
    from helpers.gate import bank

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
    from helpers.fingerprints import hashes
    from helpers.gate import bank

    with bank.Bank(arguments.bank) as opened:
        table = opened.entries(withdrawn=arguments.withdrawn)
    for row in table.itertuples():
        texts = [row.time, row.reason, row.source]
        if arguments.withdrawn:
            texts.append(f"withdrawn: {row.withdrawn}" if row.withdrawn else "in force")
        digits = hashes.to_hex(row.fingerprint)
        print(row.entry, digits, *map(one_line, texts), sep="\t")


def gate_export(arguments: argparse.Namespace) -> None:
    """Write the entries in force as CSV, to keep a copy or to share them."""
    from helpers.gate import bank

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
    from helpers.gate import bank

    place, reading = Path(arguments.bank), reading_of(arguments)
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
    from helpers.gate import bank

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
        add_reading(commands[name])
    for name in ("ask", "flag"):
        commands[name].add_argument("pictures", nargs="+", metavar="PICTURE")
    commands["ask"].add_argument(
        "--block",
        type=int,
        default=2,
        metavar="N",
        help="bits up to which a picture is blocked (2)",
    )
    commands["ask"].add_argument(
        "--review",
        type=int,
        default=8,
        metavar="N",
        help="bits up to which a person is to look at it (8)",
    )
    commands["flag"].add_argument(
        "--source", metavar="TEXT", help="where they came from (the path of each)"
    )
    commands["unflag"].add_argument("entries", nargs="+", type=int, metavar="ENTRY")
    commands["list"].add_argument(
        "--withdrawn", action="store_true", help="list the withdrawn ones too, and say which"
    )


def add(commands: argparse._SubParsersAction) -> None:
    """Add the command to the command line."""
    summary = "keep banned pictures out: ask, flag, unflag, list, export, import"
    command = commands.add_parser("gate", help=summary, description=summary)
    _add_gate(command.add_subparsers(dest="action", required=True))
