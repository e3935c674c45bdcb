"""What all commands share: what they print, and the options with which pictures are read."""

from __future__ import annotations

import argparse
import os
import re
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from helpers import Problem
from helpers.files.places import one_line

if TYPE_CHECKING:
    import pandas as pd


@contextmanager
def until_nobody_reads() -> Iterator[None]:
    """Print for as long as somebody reads our output.

    Examples
    --------
    >>> with until_nobody_reads():
    ...     print("Found 0 images")
    Found 0 images
    """
    try:
        yield
        sys.stdout.flush()
    except BrokenPipeError:
        mute()


def mute() -> None:
    """Let what is still to be printed go nowhere, since nobody can read it."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def print_some(what: str, rows: pd.DataFrame, why: str, arguments: argparse.Namespace) -> None:
    """Print the first few rows, a line each; with ``--all`` every row.

    Parameters
    ----------
    what : str
        What the rows are, in one or two words. Each line begins with it.
    rows : DataFrame
        A column ``path``, and the column that `why` names.
    why : str
        The column with the reason, which ends the line.
    arguments : argparse.Namespace
        The arguments of the command, among them ``all``.
    """
    most = len(rows) if arguments.all else 5
    for row in rows.head(most).to_dict("records"):
        print(f"{what}: {one_line(row['path'])}: {one_line(row[why])}")
    if len(rows) > most:
        print(f"{what}: {len(rows) - most} more; --all lists them")


def reading_of(arguments: argparse.Namespace) -> dict:
    """The options of `add_reading` that were given.

    Parameters
    ----------
    arguments : argparse.Namespace
        The arguments of the command.

    Returns
    -------
    dict
        Arguments of `helpers.images.opening.open_image`.
    """
    given = {name: getattr(arguments, name) for name in ("rotate", "background", "fast")}
    return {name: value for name, value in given.items() if value is not None}


def add_reading(command: argparse.ArgumentParser) -> None:
    """Add the options that tell how pictures are read.

    Parameters
    ----------
    command : argparse.ArgumentParser
        The command that gets the options.
    """
    option = command.add_argument
    fast = "let the JPEG decoder shrink large photographs"
    option("--fast", action="store_const", const=True, help=fast)
    rotate = "ignore the EXIF orientation"
    option("--no-rotate", dest="rotate", action="store_const", const=False, help=rotate)
    option("--background", metavar="COLOUR", help="what shows through transparency (white)")


def add_actions(
    commands: argparse._SubParsersAction, name: str, summary: str, runs: Iterable[Callable]
) -> dict[Callable, argparse.ArgumentParser]:
    """Add a command that has actions of its own.

    Parameters
    ----------
    commands : argparse._SubParsersAction
        The commands of ``python -m helpers``.
    name : str
        Of the command.
    summary : str
        What it does, in a sentence.
    runs : iterable of callable
        What each action does. ``_flag`` is the action ``flag``, and its docstring the help.

    Returns
    -------
    dict
        By function the parser of its action, which still needs arguments.
    """
    command = commands.add_parser(name, help=summary, description=summary)
    actions, parsers = command.add_subparsers(dest="action", required=True), {}
    for run in runs:
        action, first_line = run.__name__.removeprefix("_"), run.__doc__.splitlines()[0]
        parsers[run] = actions.add_parser(action, help=first_line, description=run.__doc__)
        parsers[run].set_defaults(run=run)
    return parsers


def add_hash(command: argparse.ArgumentParser, usual: str) -> None:
    """Add the option that tells by which hash fingerprints are made.

    Parameters
    ----------
    command : argparse.ArgumentParser
        The command that gets the option.
    usual : str
        Which hash is taken if the option is left out, for the help.
    """
    # the names are not listed here: to import the table takes longer than --help may
    text = f"the name of the hash (default: {usual}); a wrong name lists all"
    command.add_argument("--hash", metavar="NAME", help=text)


def check_not_empty(words: list[str]) -> None:
    """Make sure that no name is empty, as it is if a variable of the shell is not set.

    Otherwise an empty name would mean the current folder. Texts may be empty.

    Parameters
    ----------
    words : list of str
        The words of the command line.

    Raises
    ------
    Problem
        If one is empty.

    Examples
    --------
    >>> check_not_empty(["search", "--query", ""])
    Traceback (most recent call last):
    ...
    helpers.Problem: --query: is empty, as a variable is that is not set; give a name
    """
    for before, word in zip(["", *words], words, strict=False):
        is_text = before in ("--source", "--reason") or word in ("--source=", "--reason=")
        if not is_text and (not word or re.fullmatch("--[a-z-]+=", word)):
            name = word or before or "an argument"
            raise Problem(f"{name}: is empty, as a variable is that is not set; give a name")
