"""The file of a bank: made whole, opened with care, and shared by many processes and threads.

It is a SQLite file with a rollback journal (``journal_mode=DELETE``, ``synchronous=EXTRA``): the
file, the journal and their folder reach the disk before a line counts. A write-ahead log would
flag three times as fast. But under SQLite older than 3.51.3, as in most Pythons of today, two
processes that write at one moment could, rarely, damage the file (sqlite.org/wal.html, "The
WAL-Reset Bug"). And a gate that may only read the file could not ask. (Here it cannot ask as long
as the journal of a killed writer lies beside the file: somebody who may write opens it once.)

Such a journal brings back what was there before. But it may also name any file of this machine,
which SQLite then deletes. So what lies beside a bank is looked at before SQLite is, each time.
"""

import os
import shutil
import sqlite3
import stat
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

from helpers import Problem
from helpers.files.atomic import exclusive, give_name, synchronise, unique_partial, write_problem
from helpers.files.places import open_input, real_path, sha256_of
from helpers.fingerprints import recipe
from helpers.gate.log import FORMATS, NEWEST, Damaged, Log, read_settings, write_settings

T = TypeVar("T")

#: How large a bank may be.
MOST_BANK_BYTES = 2**29
#: How large a row of it may be. A reason has at most 10,000 letters, and so has a source.
MOST_ROW_BYTES = 2**17

_NO_BANK = "{}: is not a bank; check the spelling, or choose a new name"
_SECONDS_TO_WAIT = 60  # while other processes write
_JOURNAL = bytes.fromhex("d9d505f920a163d7")  # how SQLite's journals begin (sqlite.org/fileformat)


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
    state : tuple or None
        Another one whenever there may be new lines.
    check : callable
        Is given the log before lines are written, and raises if none may be.

    Raises
    ------
    Problem
        If there is no such file, if it is no bank, or if it was made otherwise than is asked for.
    """

    def __init__(self, path: str | Path, *, make: bool = False, **reading: object) -> None:
        self.path = Path(path)
        self.place = self.path.absolute()
        self._lock, self._process = threading.RLock(), os.getpid()
        self._log, self._version, self._is_closed, self._is_cleared = None, None, False, False
        self.state, self.check = None, lambda log: None
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
    def working(self, *, writing: bool = False) -> Iterator[Log | None]:
        """Let one thread at a time work on the file, in the process that opened it.

        Parameters
        ----------
        writing : bool
            Whether lines are to be added; then no other process adds any meanwhile.

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
        with self._lock, _translated(self.path):
            if self._is_closed:
                raise Problem(f"{self.path}: is closed; open it again")
            if self._log is None:
                self._open_what_came()
            if self._log is None:
                yield None
                return
            connection = self._log.connection
            _check_beside(self._real)
            with _transaction(connection, writing):
                self._check_place()
                (version,) = connection.execute("PRAGMA data_version").fetchone()
                state = version, connection.total_changes  # by others, and by us
                if state != self.state:
                    if _schema_version(connection) != self._version:  # lifted, for example
                        self._describe(connection)
                    self.state = state
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
        if not self._is_cleared:  # a killed run may have given its new bank a second name
            with suppress(TimeoutError), exclusive(real_path(self.place), wait=False):
                self._is_cleared = True
        with self.working(writing=True) as log:
            if log is not None:
                return self._change(change)
            final = real_path(self.place)  # where a link leads
            with exclusive(final):
                self._open_what_came()  # while we waited
                if self._log is None:
                    with suppress(FileExistsError):
                        return self._make(final, change)
            return self.write(change)

    def _change(self, change: Callable[[Log], T]) -> T:
        """Write lines to the file that is there, in the transaction at hand."""
        self.check(self._log)
        if (old := self.settings["format"]) != NEWEST:
            self._keep_copy(Path(f"{self._real}.format-{old}"))
            self._log.lift()
            connection = self._log.connection
            write_settings(connection, self.settings | {"format": NEWEST})
            self._describe(connection)
        changed = change(self._log)
        self._check_size(self._log.count_bytes())
        return changed

    def _keep_copy(self, kept: Path) -> None:
        """Keep a copy of the file as it is, unless an earlier try has left it there."""
        with exclusive(self._real), self._partial(self._real) as partial:
            with (
                closing(_connected(self._real)) as old,
                closing(_connected(partial, make=True)) as new,
            ):
                old.backup(new)
            shutil.copymode(self._real, partial)
            try:
                give_name(partial, kept)
                synchronise(kept.parent)
            except FileExistsError:
                if not kept.is_file() or sha256_of(kept) != sha256_of(partial):
                    raise Problem(
                        f"{kept}: is there already, and a copy of the bank is to be kept there "
                        "before the bank gets its new format; move it away"
                    ) from None

    def _make(self, final: Path, change: Callable[[Log], T]) -> T:
        """Make a file that gets its name once it is whole: an empty bank would let all pass."""
        with self._partial(final) as partial:
            # SQLite names the journal after the file, so the file is closed before it is renamed.
            with closing(_connected(partial, make=True)) as connection, _transaction(connection):
                for statement in FORMATS[NEWEST]:
                    connection.execute(statement)
                write_settings(connection, self.settings)
                changed = change(Log(connection, NEWEST, self.path))
            give_name(partial, final)
            synchronise(final.parent)
        self._open_what_came()
        return changed

    @contextmanager
    def _partial(self, final: Path) -> Iterator[Path]:
        """A name for a new file, which is removed at the end."""
        partial = unique_partial(final)
        try:
            yield partial
        except FileExistsError:
            raise
        except OSError as error:
            raise write_problem(self.path, error) from error
        finally:
            for leftover in (partial, Path(f"{partial}-journal")):
                with suppress(OSError):
                    leftover.unlink()

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
            self._check_size(there.st_size)
            return there
        if make:
            raise Problem(f"{self.path}: is an empty file; delete it, or choose another name")
        return None

    def _check_size(self, size: int) -> None:
        if size > MOST_BANK_BYTES:
            raise Problem(
                f"{self.path}: a bank has at most {MOST_BANK_BYTES:,} bytes, and this would be one "
                f"of {size:,}; begin another bank"
            )

    def _open(self, before: os.stat_result, asked: dict) -> None:
        with _translated(self.path):
            self._real = real_path(self.place)
            _check_beside(self._real)
            connection = _connected(self._real)
            try:
                with _transaction(connection, writing=False):  # another process may lift it now
                    self._describe(connection)
                _check_recipe(self.path, self.recipe, asked)
                if connection.execute("PRAGMA journal_mode").fetchone() != ("delete",):
                    raise Problem(
                        f"{self.path}: another program gave it a write-ahead log; there, take that "
                        "back: PRAGMA journal_mode = DELETE"
                    )
                self._opened = before
                self._check_place()
            except BaseException:
                self._log = None
                connection.close()
                raise

    def _check_place(self) -> None:
        """Raise if the file is no longer the one that was opened."""
        try:
            if os.path.samestat(self._opened, self.place.stat()):
                return
        except OSError:
            pass
        raise self.replaced()

    def _describe(self, connection: sqlite3.Connection) -> None:
        self.settings, self.recipe = read_settings(connection, self.path)
        self._version = _schema_version(connection)
        self._log = Log(connection, self.settings["format"], self.path)

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


def _check_recipe(path: Path, made: recipe.Recipe, asked: dict) -> None:
    """Raise where no picture, read as is asked for, could be compared with the entries."""
    wanted = recipe.here(rules=made.rules, **{**made.reading, **asked})
    if why := recipe.why_not(made, replace(wanted, versions=made.versions)):
        raise Problem(
            f"{path}: the bank was made {why}; their fingerprints cannot be compared: ask in the "
            "same way, or make a new bank from the pictures"
        )


def _schema_version(connection: sqlite3.Connection) -> tuple:
    """What SQLite counts up when tables are changed."""
    return connection.execute("PRAGMA schema_version").fetchone()


def _check_beside(place: Path) -> None:
    """Make sure that SQLite obeys no file beside this one but the journal of a bank."""
    for end in ("-journal", "-wal", "-shm"):
        name = f"{place}{end}"
        with suppress(OSError):  # there is none, or it has gone since: its writer is ready
            if why := _why_not_beside(name):
                raise Problem(f"{name}: {why}, so no bank left it there; move it away")


def _why_not_beside(name: str) -> str:
    there = os.lstat(name)
    if not name.endswith("-journal"):
        return "belongs to a write-ahead log"
    if not stat.S_ISREG(there.st_mode) or there.st_nlink > 1:
        return "is a link, or no file"
    with open_input(name) as file:
        begin = file.read(28)
        file.seek(-min(8, there.st_size), os.SEEK_END)
        end = file.read()
    if end == _JOURNAL and len(begin) > len(end):
        return "names another file, which SQLite would delete"
    if begin[:8].strip(b"\0") and begin[:8] != _JOURNAL:
        return "is no journal of SQLite"
    pages, size = (int.from_bytes(begin[start : start + 4]) for start in (16, 24))
    return "tells of too large a file" if pages * size > MOST_BANK_BYTES else ""


def _connected(place: Path, *, make: bool = False) -> sqlite3.Connection:
    """A connection to the file of a bank."""
    connection = sqlite3.connect(
        f"{place.as_uri()}?mode=rw{'c' * make}",
        uri=True,
        timeout=_SECONDS_TO_WAIT,
        isolation_level=None,
        check_same_thread=False,
    )
    try:
        connection.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, MOST_ROW_BYTES)
        connection.execute("PRAGMA synchronous = EXTRA")
        connection.execute("PRAGMA fullfsync = ON")  # macOS needs to be told twice
    except BaseException:
        connection.close()
        raise
    return connection


@contextmanager
def _transaction(connection: sqlite3.Connection, writing: bool = True) -> Iterator[None]:
    """Let a block see one state of the file, and write all or, if anything fails, none."""
    try:
        connection.execute("BEGIN IMMEDIATE" if writing else "BEGIN")
        yield
        if writing:
            connection.execute("COMMIT")
    finally:
        if connection.in_transaction:  # which SQLite has ended by itself after some errors
            with suppress(sqlite3.Error):
                connection.execute("ROLLBACK")


@contextmanager
def _translated(path: Path) -> Iterator[None]:
    """Turn the errors of SQLite in a block into sentences."""
    try:
        yield
    except sqlite3.Error as error:
        raise _in_words(path, error) from error
    except UnicodeDecodeError as error:  # SQLite complains of what it found, in its words
        raise Damaged(path, "its tables are described in no valid text") from error


def _in_words(path: Path, error: sqlite3.Error) -> Problem:
    name = getattr(error, "sqlite_errorname", "")
    kind = name.split("_")[1:2]
    why = " ".join(str(error).split())
    if kind == ["CANTOPEN"]:
        if os.path.isdir(path):
            return Problem(f"{path}: is a folder, not a bank; name a file in it")
        return Problem(f"{path}: may not be opened ({why}); ask for permission")
    if name in ("SQLITE_READONLY_ROLLBACK", "SQLITE_READONLY_RECOVERY"):
        return Problem(
            f"{path}: was left half written by a program that was killed; "
            "let somebody who may write to it open it once, which mends it"
        )
    if kind in (["FULL"], ["IOERR"], ["READONLY"]):
        return write_problem(path, OSError(why))
    if kind == ["BUSY"]:
        return Problem(f"{path}: other processes keep it busy ({why}); try again later")
    if kind == ["NOTADB"]:
        return Problem(_NO_BANK.format(path))
    return Damaged(path, why)
