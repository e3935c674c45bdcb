"""What all commands share: what they print, and the options with which pictures are read."""

from __future__ import annotations

import argparse
import os
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from helpers import Problem

if TYPE_CHECKING:
    import pandas as pd


@contextmanager
def until_nobody_reads() -> Iterator[None]:
    """Print for as long as somebody reads our output."""
    try:
        yield
        sys.stdout.flush()
    except BrokenPipeError:
        mute()


def mute() -> None:
    """Let what is still to be printed go nowhere, since nobody can read it."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def one_line(text: str) -> str:
    """The text on one line and without orders to the terminal: a reason, or a file's name, may hold any letters."""
    return "".join(
        letter if letter.isprintable() else letter.encode("unicode_escape").decode()
        for letter in text
    )


def print_some(what: str, rows: pd.DataFrame, why: str, arguments: argparse.Namespace) -> None:
    """Print the first few rows, a line each, with a column that says why; with ``--all`` every one."""
    most = len(rows) if arguments.all else 5
    for row in rows.head(most).to_dict("records"):
        print(f"{what}: {one_line(row['path'])}: {one_line(row[why])}")
    if len(rows) > most:
        print(f"{what}: {len(rows) - most} more; --all lists them")


def reading_of(arguments: argparse.Namespace) -> dict:
    """The options of `add_reading` that were given: arguments of `helpers.images.opening.open_image`."""
    given = {name: getattr(arguments, name) for name in ("rotate", "background", "fast")}
    return {name: value for name, value in given.items() if value is not None}


def add_reading(command: argparse.ArgumentParser) -> None:
    """Add the options that tell how pictures are read."""
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
    command.add_argument(
        "--hash", metavar="NAME", help=f"dhash, phash, ... ({usual}); a wrong name lists all"
    )


def check_not_empty(words: list[str]) -> None:
    """Raise where a name is empty, as that of the current folder would be if a variable is not set. Texts may be."""
    for before, word in zip(["", *words], words, strict=False):
        is_text = before in ("--source", "--reason") or word in ("--source=", "--reason=")
        if not is_text and (not word or re.fullmatch("--[a-z-]+=", word)):
            raise Problem(
                f"{word or before or 'an argument'}: is empty, as a variable is that is not set; give a name"
            )
