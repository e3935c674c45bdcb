"""The file of a bank: made whole, opened with care, and shared by many processes and threads.

It is a SQLite file with a rollback journal (``journal_mode=DELETE``, ``synchronous=EXTRA``): the
file, the journal and their folder reach the disk before a line counts. A write-ahead log would
flag three times as fast. But under SQLite older than 3.51.3, as in most Pythons of today, two
processes that write at one moment could, rarely, damage the file (sqlite.org/wal.html, "The
WAL-Reset Bug"). And a gate that may only read the file could not ask. (Here it cannot ask as long
as the journal of a killed writer lies beside the file: somebody who may write opens it once.)
"""

import json
import os
import sqlite3
import stat
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import TypeVar

from helpers import Problem
from helpers.files.atomic import exclusive, give_name, synchronise, unique_partial, write_problem
from helpers.files.places import real_path
from helpers.fingerprints import recipe
from helpers.gate.log import FORMATS, NEWEST, SETTINGS, Log
from helpers.images.opening import complete_rules

T = TypeVar("T")

_SECONDS_TO_WAIT = 60  # while other processes write
_NO_BANK = "{}: is not a bank; check the spelling, or choose a new name"
_NAMES = {"format", "algorithm", "hash_size", "bits", "reading", "rules", "versions"}
_UNKNOWN = "it does not say in known words what made it"


class File:
    """The file of a bank, which may not be there yet.

    Parameters
    ----------
    path : str or Path
        The file.
    make : bool
        Whether there may be no file. It then appears, whole, with the first lines that are written.
    **reading
        How pictures are to be read, if that matters: see `helpers.gate.bank.Bank`.

    Attributes
    ----------
    path : Path
        The file, as the caller named it.
    place : Path
        The same, absolute.
    settings : dict
        What the file says about itself, or will say once it is made: its format and its recipe.
    recipe : Recipe
        What made the fingerprints, or will make them.

    Raises
    ------
    Problem
        If there is no such file, if it is no bank, or if it was made otherwise than is asked for.
    """

    def __init__(self, path: str | Path, *, make: bool = False, **reading: object) -> None:
        self.path = Path(path)
        self.place = self.path.absolute()
        self._lock, self._process = threading.RLock(), os.getpid()
        self._log, self._is_closed = None, False
        self.recipe = recipe.here(**reading)
        self.settings = {"format": NEWEST, **self.recipe.as_dict()}
        if before := self._what_is_there(make):
            self._open(before, reading)
        elif not make:
            raise Problem(
                f"{path}: no such bank; check the spelling, or make one "
                "(make=True; on the command line --new)"
            )
        elif not os.path.isdir(real_path(self.place).parent):
            raise Problem(f"{path}: there is no folder for it; make that first")

    def close(self) -> None:
        """Let go of the file. It cannot be used after that."""
        with self._lock:
            self._is_closed = True
            if self._log:
                self._log.connection.close()

    @contextmanager
    def working(self) -> Iterator[Log | None]:
        """Let one thread at a time work on the file, in the process that opened it.

        Yields
        ------
        Log or None
            The lines in the file; None if there still is no file.

        Raises
        ------
        Problem
            If the file is no longer the one that was opened, and for every error of SQLite.
        """
        if os.getpid() != self._process:
            raise Problem(f"{self.path}: was opened in another process; open it anew in this one")
        with self._lock, self._translated():
            if self._is_closed:
                raise Problem(f"{self.path}: is closed; open it again")
            if self._log is None:
                self._open_what_came()
            else:
                try:
                    is_in_place = os.path.samestat(self._opened, self.place.stat())
                except OSError:
                    is_in_place = False
                if not is_in_place:
                    raise self.replaced()
            yield self._log

    def write(self, change: Callable[[Log], T]) -> T:
        """Write lines in one transaction: all of them or, if anything fails, none.

        Parameters
        ----------
        change : callable
            Is given the log, and adds lines to it: at least one.

        Returns
        -------
        object
            What `change` returns. The lines are safe on the disk then.

        Raises
        ------
        Problem
            If the file cannot be written.
        """
        with self.working() as log:
            if log is None:
                final = real_path(self.place)  # where a link leads
                with exclusive(final):
                    self._open_what_came()  # while we waited
                    if self._log is None:
                        with suppress(FileExistsError):
                            return self._make(final, change)
                        self._open_what_came()
            with _transaction(self._log.connection):
                return change(self._log)

    def _make(self, final: Path, change: Callable[[Log], T]) -> T:
        """Make a file that gets its name once it is whole: an empty bank would let all pass."""
        partial = unique_partial(final)
        try:
            # SQLite names the journal after the file, so the file is closed before it is renamed.
            with closing(_connected(partial)) as connection, _transaction(connection):
                for statement in FORMATS[NEWEST].schema:
                    connection.execute(statement)
                settings = [(name, json.dumps(value)) for name, value in self.settings.items()]
                connection.executemany("INSERT INTO settings VALUES (?, ?)", settings)
                changed = change(Log(connection, NEWEST, self.path))
            give_name(partial, final)
            synchronise(final.parent)
        except FileExistsError:
            raise
        except OSError as error:
            raise write_problem(self.path, error) from error
        finally:
            for leftover in (partial, Path(f"{partial}-journal")):
                with suppress(OSError):
                    leftover.unlink()
        self._open_what_came()
        return changed

    def promise(self, rules: dict[str, int]) -> None:
        """Let a bank that there still is not be made by other rules of reading than the newest.

        Parameters
        ----------
        rules : dict
            Subject and rule, as in `helpers.images.opening.RULES`.

        Raises
        ------
        Problem
            If there is no such rule.
        """
        if self._log is None:
            self.recipe = recipe.here(rules=rules, **self.recipe.reading)
            self.settings = {"format": NEWEST, **self.recipe.as_dict()}

    def _open_what_came(self) -> None:
        """Open the file if there is one now. What was promised for a new one must hold for it."""
        before = self._what_is_there(make=True)
        if self._log or not before:
            return
        promised = self.settings, self.recipe
        self._open(before, {})
        if why := recipe.why_not(self.recipe, promised[1]):
            self._log.connection.close()
            self._log, (self.settings, self.recipe) = None, promised
            raise Problem(
                f"{self.path}: was made meanwhile, {why}; open it anew to go on with that bank"
            )

    def _what_is_there(self, make: bool) -> os.stat_result | None:
        try:
            there = self.place.stat()
        except (FileNotFoundError, NotADirectoryError):
            return None
        except ValueError as error:
            raise Problem(
                f"{str(self.path)!r}: is not a valid file name ({error}); choose another"
            ) from error
        except OSError as error:
            raise Problem(
                f"{self.path}: may not be opened ({error.strerror}); ask for permission"
            ) from error
        # SQLite would wait for a pipe, and takes a file of one byte for an empty one.
        if stat.S_ISFIFO(there.st_mode) or there.st_size == 1:
            raise Problem(_NO_BANK.format(self.path))
        if there.st_size or not stat.S_ISREG(there.st_mode):
            return there
        if make:
            raise Problem(f"{self.path}: is an empty file; delete it, or choose another name")
        return None

    def _open(self, before: os.stat_result, asked: dict) -> None:
        with self._translated():
            connection = _connected(self.place)
            try:
                self.settings, self.recipe = self._checked(connection)
                _check_recipe(self.path, self.recipe, asked)
                connection.execute("PRAGMA journal_mode = DELETE")
                self._opened = self.place.stat()
                if not os.path.samestat(before, self._opened):
                    raise self.replaced()
            except BaseException:
                connection.close()
                raise
        self._log = Log(connection, self.settings["format"], self.path)

    def _checked(self, connection: sqlite3.Connection) -> tuple[dict, recipe.Recipe]:
        """What the file says about itself, if it is one of a known format."""
        query = "SELECT sql FROM sqlite_master WHERE name NOT LIKE 'sqlite_%'"
        schema = {statement for (statement,) in connection.execute(query)}
        if SETTINGS not in schema:
            raise Problem(f"{self.path}: is not a bank, but another database; choose a new name")
        rows = connection.execute("SELECT name, value FROM settings").fetchall()
        try:
            settings = {name: json.loads(value) for name, value in rows}
        except (TypeError, ValueError, RecursionError) as error:
            raise self.damaged(_UNKNOWN) from error
        number = settings.get("format")
        if not isinstance(number, int) or number not in FORMATS:
            known = " and ".join(map(str, FORMATS))
            raise Problem(
                f"{self.path}: is a bank of format {number}, and these helpers know format {known};"
                " open it with the helpers that made it, and carry its entries over as CSV"
            )
        made = _recipe_in(self.path, settings)
        if made is None or not settings.keys() <= _NAMES:
            raise self.damaged(_UNKNOWN)
        if schema != set(FORMATS[number].schema):
            raise self.damaged("another program changed its tables")
        return settings, made

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            raise self._problem(error) from error
        except UnicodeDecodeError as error:  # SQLite complains of what it found, in its words
            raise self.damaged("its tables are described in no valid text") from error

    def _problem(self, error: sqlite3.Error) -> Problem:
        name = getattr(error, "sqlite_errorname", "")
        kind = name.split("_")[1:2]
        why = " ".join(str(error).split())
        if kind == ["CANTOPEN"]:
            if os.path.isdir(self.place):
                return Problem(f"{self.path}: is a folder, not a bank; name a file in it")
            return Problem(f"{self.path}: may not be opened ({why}); ask for permission")
        if name in ("SQLITE_READONLY_ROLLBACK", "SQLITE_READONLY_RECOVERY"):
            return Problem(
                f"{self.path}: was left half written by a program that was killed; "
                "let somebody who may write to it open it once, which mends it"
            )
        if kind in (["FULL"], ["IOERR"], ["READONLY"]):
            return write_problem(self.path, OSError(why))
        if kind == ["BUSY"]:
            return Problem(f"{self.path}: other processes keep it busy ({why}); try again later")
        if kind == ["NOTADB"]:
            return Problem(_NO_BANK.format(self.path))
        return self.damaged(why)

    def damaged(self, why: str) -> Problem:
        """The sentence for a file in a state in which no bank leaves one.

        Parameters
        ----------
        why : str
            What is wrong with it.

        Returns
        -------
        Problem
            To be raised.
        """
        return Problem(
            f"{self.path}: is damaged ({why}); put a copy in its place, "
            "or make a new one from its CSV file"
        )

    def replaced(self) -> Problem:
        """The sentence for a file that is no longer the one that was opened.

        Returns
        -------
        Problem
            To be raised.
        """
        return Problem(
            f"{self.path}: another file has taken its place, or it has gone; open the bank anew"
        )


def _recipe_in(path: Path, settings: dict) -> recipe.Recipe | None:
    """The recipe in a file's settings; None if it is in no known form."""
    rules = settings.get("rules")
    if isinstance(rules, dict):
        try:
            complete_rules(rules)
        except Problem as problem:  # newer helpers know the rule
            raise Problem(f"{path}: {problem}") from problem
    try:
        return recipe.from_dict(settings)
    except Problem:
        return None


def _check_recipe(path: Path, made: recipe.Recipe, asked: dict) -> None:
    """Raise where no picture, read as is asked for, could be compared with the entries."""
    for key, value in asked.items():
        if value != made.reading[key]:
            raise Problem(
                f"{path}: the bank was made with {key}={made.reading[key]!r}, and {key}={value!r} "
                "is asked for; their fingerprints cannot be compared: ask in the same way, "
                "or make a new bank"
            )
    here = recipe.here()
    if (made.hash, made.bits) != (here.hash, here.bits):
        raise Problem(
            f"{path}: the bank was made {recipe.why_not(made, here)}; their fingerprints cannot "
            "be compared: make a new bank from the pictures"
        )


def _connected(place: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(
        place, timeout=_SECONDS_TO_WAIT, isolation_level=None, check_same_thread=False
    )
    try:
        connection.execute("PRAGMA synchronous = EXTRA")
        connection.execute("PRAGMA fullfsync = ON")  # macOS needs to be told twice
    except BaseException:
        connection.close()
        raise
    return connection


@contextmanager
def _transaction(connection: sqlite3.Connection) -> Iterator[None]:
    """All that is written in the block, or none of it; no other process writes meanwhile."""
    try:
        connection.execute("BEGIN IMMEDIATE")
        yield
        connection.execute("COMMIT")
    except BaseException:
        with suppress(sqlite3.Error):  # which has rolled back by itself after some errors
            connection.execute("ROLLBACK")
        raise
