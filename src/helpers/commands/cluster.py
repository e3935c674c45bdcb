"""Index, search and pair more than one machine holds, by Dask."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from helpers import Problem
from helpers.commands.terminal import (
    add_actions,
    add_hash,
    add_reading,
    one_line,
    print_some,
    reading_of,
    until_nobody_reads,
)
from helpers.files.atomic import exclusive
from helpers.files.guard import check_output
from helpers.files.places import counted

if TYPE_CHECKING:
    from distributed import Client

    from helpers.cluster.tables import Table

_NO_RESULT = "what is written of the result counts for nothing"


def _index(arguments: argparse.Namespace) -> int:
    """Fingerprint pictures to a table in parts.

    If it is stopped, the same command goes on where it was. Ends with 0, or with 1 if a picture
    was left out, since it could not be read.
    """
    from helpers.cluster import tables

    with _at_work(arguments) as client:
        options = {"hash": arguments.hash} if arguments.hash else {}
        options |= {"show": _say, **reading_of(arguments)}
        table = tables.index(arguments.source, arguments.out, client=client, **options)
    problems = table.problems()
    print_some("Left out", problems, "problem", arguments)
    held, parts = counted(table.rows, "fingerprint"), counted(len(table.parts), "part")
    print(f"{one_line(arguments.out)} holds {held} in {parts}.")
    return int(len(problems) > 0)


def _add_index(action: argparse.ArgumentParser) -> None:
    action.set_defaults(if_stopped="what is finished of the table is kept")
    source = "a folder of pictures; if it has none, of tar or Parquet files with pictures, or of "
    source += "Parquet files with id and fingerprint; here, or at s3://bucket/photos, say"
    action.add_argument("source", metavar="FOLDER", help=source)
    _add_out(action, "TABLE", "the folder of the table, made or gone on with")
    add_hash(action, "dhash")
    add_reading(action)
    action.add_argument("--all", action="store_true", help="list every picture that is left out")


def _search(arguments: argparse.Namespace) -> None:
    """Find the pictures of a table that are near those of another, or of the same one."""
    from helpers.cluster.finding import search
    from helpers.cluster.tables import Table

    table, queries = Table.open(arguments.table), Table.open(arguments.queries)
    with _at_work(arguments) as client:
        matches = search(table, queries, arguments.radius, arguments.out, client, show=_say)
    asked = f"{counted(queries.rows, 'query', 'queries')} among {counted(table.rows, 'picture')}"
    _tell(f"{counted(matches.rows, 'match', 'matches')} of {asked}", matches, arguments)


def _add_search(action: argparse.ArgumentParser) -> None:
    action.set_defaults(if_stopped=_NO_RESULT)
    _add_table(action)
    queries = "a table with the fingerprints to ask for, made with the same hash"
    action.add_argument("--queries", required=True, metavar="TABLE", help=queries)
    _add_out(action, "MATCHES", "the folder of the result: query, id, distance")


def _pairs(arguments: argparse.Namespace) -> None:
    """Find all pairs of pictures of a table that are near each other, and their groups."""
    from helpers.cluster import joins
    from helpers.cluster.tables import Table

    table = Table.open(arguments.table)
    if arguments.groups:
        check_output(arguments.groups, "groups")
        _check_apart(arguments.groups, arguments.out)
    with _at_work(arguments) as client:
        pairs = joins.pairs(table, arguments.radius, arguments.out, client, show=_say)
        groups = joins.groups(pairs, client) if arguments.groups else None
    _tell(f"{counted(pairs.rows, 'pair')} among {counted(table.rows, 'picture')}", pairs, arguments)
    if groups is not None:
        from helpers.files.atomic import write_text
        from helpers.files.tables import as_csv

        rows = groups.sort_values(["group", "id"])[["group", "id"]].itertuples(index=False)
        write_text(Path(arguments.groups), as_csv(["group", "id"], rows, quote_texts=False))
        found = counted(groups["group"].nunique(), "group")
        print(f"{found} of {counted(len(groups), 'picture')}: {one_line(arguments.groups)}")


def _add_pairs(action: argparse.ArgumentParser) -> None:
    action.set_defaults(if_stopped=_NO_RESULT)
    _add_table(action)
    _add_out(action, "PAIRS", "the folder of the result: a, b, distance, with a < b")
    groups = "also write the groups that the pairs join: a CSV file with group and id"
    action.add_argument("--groups", metavar="FILE", help=groups)


@contextmanager
def _at_work(arguments: argparse.Namespace) -> Iterator[Client]:
    """Dask, as the options say, and where its report is, once all is done."""
    where = Path() if "://" in arguments.out else Path(arguments.out).parent
    _check_apart(arguments.out)
    report = where / f"{Path(arguments.out).name or 'cluster'}-report.html"
    check_output(report, "report of Dask")
    report.parent.mkdir(parents=True, exist_ok=True)
    if arguments.scheduler and (arguments.workers or arguments.memory):
        raise Problem("--workers, --memory: are for a cluster here; leave them or --scheduler out")
    from helpers.cluster.engine import engine

    about = {"memory": arguments.memory} if arguments.memory else {}
    options = (arguments.scheduler, arguments.workers)
    with exclusive(arguments.out), engine(*options, report=report, **about) as client:
        yield client
    print(f"Dask's report on the work is {one_line(str(report))}.")


def _check_apart(path: str, *others: str) -> None:
    """What lay among the parts of a table or a result would be read as one of them."""
    folder = Path(path).absolute().parent
    if folder in [Path(other).absolute() for other in others] or any(
        (folder / name).exists() for name in ("_table.json", "_result.json")
    ):
        raise Problem(f"{path}: lies in the folder of a table or a result; name a place outside")


def _say(sentence: str) -> None:
    with until_nobody_reads():
        print(sentence[0].upper() + sentence[1:] + ".", flush=True)


def _tell(what: str, result: Table, arguments: argparse.Namespace) -> None:
    print(f"Found {what}, within {arguments.radius} bits: {one_line(arguments.out)}")
    print(f"The digest of the result is {result.digest}.")


def _add_table(action: argparse.ArgumentParser) -> None:
    action.add_argument("table", metavar="TABLE", help="the folder of a table that index made")
    radius = "the largest distance that counts, in bits"
    action.add_argument("--radius", required=True, type=int, metavar="R", help=radius)


def _add_out(action: argparse.ArgumentParser, metavar: str, what: str) -> None:
    option = action.add_argument
    option("--out", required=True, metavar=metavar, help=what)
    scheduler = "the address of a Dask scheduler, such as tcp://10.0.0.1:8786 (a cluster here)"
    option("--scheduler", metavar="ADDRESS", help=scheduler)
    option("--workers", type=_positive, metavar="N", help="processes here (all processors)")
    option("--memory", metavar="BYTES", help="what each of them may take, such as 4GB (1.5GB)")


def _positive(text: str) -> int:
    if not text.isdecimal() or not int(text):
        raise argparse.ArgumentTypeError(f"{text!r}: a whole number, at least 1")
    return int(text)


#: What `cluster` does: the function that runs, and the one that adds its arguments.
_ACTIONS = {_index: _add_index, _search: _add_search, _pairs: _add_pairs}


def add(commands: argparse._SubParsersAction) -> None:
    """Add the command to the command line.

    Parameters
    ----------
    commands : argparse._SubParsersAction
        The commands of ``python -m helpers``.
    """
    summary = "Index, search and pair more than one machine holds, by Dask."
    for run, action in add_actions(commands, "cluster", summary, _ACTIONS).items():
        _ACTIONS[run](action)
