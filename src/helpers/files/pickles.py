"""Dictionaries on disk whose values are pickles, as of ``shelve``, read without running code.

Unpickling can run code, and a few bytes can ask for all of the memory. So `entries` has a reader
of its own: it knows only the steps that make a text or a list of texts, and counts what it takes.
"""

import importlib
import os
import pickletools
import re
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

from helpers import Problem
from helpers.files.guard import read_input

#: The most that is taken from one dictionary, in bytes: enough for a shelf of 390,000 images.
MOST_BYTES = 2**26
#: So many bytes each step of reading counts as, beside those of the text that it makes.
STEP_BYTES = 8
# the steps of a pickle, by their names in `pickletools`
_TEXTS = {"UNICODE", "BINUNICODE", "SHORT_BINUNICODE", "BINUNICODE8"}
_AGAIN = {"GET", "BINGET", "LONG_BINGET"}
_NUMBERED = {"PUT", "BINPUT", "LONG_BINPUT", "MEMOIZE"}
_NAMES = {"GLOBAL", "INST", "STACK_GLOBAL"}
_ENDS = ("", ".dat", ".dir", ".pag", ".db")  # of the files of all kinds
_LINE = re.compile(rb"'([^'\\]{1,200})', \((\d{1,15}), (\d{1,15})\)")  # of a .dir


def entries(path: Path) -> dict[str, str | list[str] | None]:
    """All that a dictionary on disk holds.

    Parameters
    ----------
    path : Path
        Its name, as for ``shelve.open``.

    Returns
    -------
    dict
        For each key a text or a list of texts; None if there is anything else.

    Raises
    ------
    Problem
        If there is no such dictionary; if it cannot be read, or not by this Python; if it is
        damaged, too large, or would run code.

    Examples
    --------
    >>> entries(Path("db.shelve"))  # doctest: +SKIP
    {'00000000000000ff': ['a.jpg', 'b.jpg']}
    """
    found, left = {}, MOST_BYTES
    try:
        for key, pickled in _values(path):
            found[key], left = _plain(pickled, left)
    except Problem as problem:
        text = str(problem)
        raise Problem(text if text.startswith(str(path)) else f"{path}: {text}") from problem
    except Exception as error:  # a damaged file can make dbm or pickletools raise anything
        why = f"damaged ({type(error).__name__}: {str(error)[:200]})"
        remedy = "delete it and build it again"
        if isinstance(error, OSError) and type(error).__module__ == "builtins":  # not that of dbm
            why = f"not to be read ({error.strerror})"
            remedy = "ask for permission" if isinstance(error, PermissionError) else "try again"
        raise Problem(f"{path}: is {why}; {remedy}") from error
    return found


def kind_of(path: Path) -> str:
    """Which module of Python opens a dictionary on disk.

    Parameters
    ----------
    path : Path
        Its name, as for ``shelve.open``.

    Returns
    -------
    str
        The name of the module, as ``dbm.dumb``; empty if it is no dictionary.

    Raises
    ------
    Problem
        If one of its files is a pipe or a device, which might be waited for.

    Examples
    --------
    >>> kind_of(Path("holiday.jpg"))
    ''
    """
    for file in filter(os.path.exists, [f"{path}{end}" for end in _ENDS]):
        if not (os.path.isfile(file) or os.path.isdir(file)):
            raise Problem(f"{file}: is a pipe or a device; name a shelf")
    if os.path.exists(f"{path}.dat") and os.path.exists(f"{path}.dir"):
        return "dbm.dumb"
    if os.path.isfile(path):
        with path.open("rb") as file:
            if file.read(15) == b"SQLite format 3":
                return "dbm.sqlite3"
    try:
        import dbm  # late: Python in a browser may lack it, and dbm.dumb was found without it
    except ImportError:
        return ""
    return dbm.whichdb(path) or ""


def _values(path: Path) -> Iterator[tuple[str, bytes]]:
    """Each key with its pickle."""
    kind = kind_of(path)
    if kind == "dbm.dumb":
        yield from _values_of_dumb(path)
        return
    if not kind:
        if any(os.path.exists(f"{path}{end}") for end in _ENDS):
            raise Problem("is not a shelf; name one without its .dat or .dir, or build a new one")
        raise Problem("no such shelf; check the spelling, or build it first")
    try:
        module = importlib.import_module(kind)
    except ImportError as error:
        raise Problem(
            f"is a shelf of kind {kind}, which this Python cannot open; build it again here"
        ) from error
    with closing(module.open(str(path), "r")) as database:
        keys = database.keys()
        for key in keys:
            yield key.decode(), database[key]


def _values_of_dumb(path: Path) -> Iterator[tuple[str, bytes]]:
    data, listing, places = Path(f"{path}.dat"), Path(f"{path}.dir"), {}
    for line in read_input(listing, min(MOST_BYTES, listing.stat().st_size)).splitlines():
        if not (found := _LINE.fullmatch(line)):
            raise ValueError(f"{line[:40]!r} in {listing.name}")
        places[found[1].decode("latin-1")] = int(found[2]), int(found[3])
    with data.open("rb") as file:
        total = sum(size for _, size in places.values())
        if total > os.fstat(file.fileno()).st_size:
            raise ValueError(f"{data.name} is shorter than its values")
        _check_budget(MOST_BYTES - total)
        for key, (start, size) in places.items():
            file.seek(start)
            yield key, file.read(size)


def _plain(pickled: bytes, left: int) -> tuple[object, int]:
    """A text or a list of texts, or None if it is anything else; and what is left of the budget."""
    stack, marks, memo = [], [], {}
    for code, argument, _ in pickletools.genops(pickled):
        name, left = code.name, left - STEP_BYTES
        if name in _TEXTS or name in _AGAIN:
            stack.append(argument if name in _TEXTS else memo[argument])
            left -= len(ascii(stack[-1])) if isinstance(stack[-1], str) else 0
        elif name in _NUMBERED:
            memo[len(memo) if argument is None else argument] = stack[-1]
        elif name == "EMPTY_LIST":
            stack.append([])
        elif name == "MARK":
            marks.append(len(stack))
        elif name in ("APPEND", "APPENDS", "LIST"):
            start = len(stack) - 1 if name == "APPEND" else marks.pop()
            texts, stack[start:] = stack[start:], [[]] * (name == "LIST")
            if not all(isinstance(text, str) for text in texts):
                return None, left
            stack[-1] += texts
        elif name in _NAMES:
            called = argument or ".".join(map(str, stack[-2:]))
            raise Problem(
                f"it holds {called[:80]}, which could run code; a shelf holds plain lists: "
                "do not open this one"
            )
        elif name not in ("PROTO", "FRAME", "STOP"):
            return None, left
        _check_budget(left)
    return stack.pop(), left


def _check_budget(left: int) -> None:
    if left < 0:
        raise Problem(
            f"holds more than {MOST_BYTES:,} bytes, the most that is taken from a shelf; check "
            "that it is the right one (helpers.files.pickles.MOST_BYTES can be raised)"
        )
