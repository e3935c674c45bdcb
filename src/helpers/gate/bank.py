"""A bank of banned pictures, and the gate that asks it about every upload.

A bank is one SQLite file. Its truth is a log that is only ever added to: a line for every picture that was flagged, a line for
every entry that was withdrawn, each with its time and reason. Nothing is deleted, so that one can always tell what was banned
when, and why. (What was asked, and by whom, is not written down.) What `Bank.ask` searches is made from the log and kept in memory; before each answer it reads the lines that are
new, whoever wrote them.

**What is promised.** `Bank.flag` returns when the entry is safe on disk: a process that is killed then, or a power cut, cannot
lose it. Whatever was flagged before `Bank.ask` is called, by any process on this machine, is seen by it. Many processes and
threads may ask and flag at once; they wait for each other. (Open a bank in each process, not before a fork. And copy the file
with another program: once a process closes a file, POSIX lets go of all its locks on that file, those of SQLite included.)

For this SQLite keeps a rollback journal (``journal_mode=DELETE``, ``synchronous=EXTRA``: the file, the journal and their folder
reach the disk before a flag counts). A write-ahead log would flag three times as fast, but under SQLite older than 3.51.3, as in
most Pythons of today, two processes that write at one moment could, rarely, damage the file (sqlite.org/wal.html, "The WAL-Reset
Bug"); and a gate that may only read the file could not ask. (Here it cannot for as long as a killed writer's journal lies beside the
file: whoever may write has to open the bank once.) Keep the file on a local disk: network drives lock badly. For a copy of all
that was ever flagged and withdrawn, copy the file while nobody has it open; `Bank.write_csv` writes the entries in force.

**What the gate does with a picture it cannot read** is the caller's decision: `Bank.ask` raises `Problem`. Hold such an upload
back (the gate fails closed) or let it pass (it fails open), but decide. Of an animated GIF, as of every file with several frames,
the first frame is looked at; what a later one shows is not seen.
"""

import json
import os
import sqlite3
import stat
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing, contextmanager, suppress
from datetime import UTC, datetime
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import NamedTuple, Self

import numpy as np
import pandas as pd
from PIL import Image

from helpers import Problem
from helpers.files.atomic import exclusive, write_problem, write_text
from helpers.files.parallel import share_out
from helpers.files.places import is_same_file
from helpers.files.tables import as_csv
from helpers.fingerprints import hashes
from helpers.fingerprints.flat import check_says_something, says_nothing
from helpers.gate.exchange import COLUMNS, check_not_another, check_text, read_rows
from helpers.gate.log import (
    FORMAT,
    INSERT,
    NO_BANK,
    PATIENCE,
    REPLACED,
    SCHEMA,
    SETTINGS,
    iso,
)
from helpers.hamming import BITS, as_fingerprints, as_query, check_radius
from helpers.images import opening
from helpers.search.linear import LinearScan, Search
from helpers.search.multi_index import MultiIndexHashing

#: Distances, in bits, up to which a picture is blocked, and up to which a person is to look at it.
BLOCK, REVIEW = 2, 8
_TAIL = 20_000  # entries that are scanned one by one before they join the index


class Answer(NamedTuple):
    """What the gate is to do with a picture, and because of which entry.

    Attributes
    ----------
    verdict : {"allow", "review", "block", "unreadable"}
        "unreadable" comes from `Bank.ask_many` only; `Bank.ask` raises `Problem` instead.
    distance : int or None
        Bits between the picture and the nearest entry; None if no entry is near enough for a review.
    entry : int or None
        That entry's number; of several equally near the lowest.
    reason, source, time : str
        Why it was flagged, where it came from, and when (UTC, ISO 8601). Of an unreadable picture the reason says why it is.

    Examples
    --------
    >>> Answer("allow").entry is None
    True
    """

    verdict: str
    distance: int | None = None
    entry: int | None = None
    reason: str = ""
    source: str = ""
    time: str = ""


class Bank:
    """A bank of banned pictures.

    Parameters
    ----------
    path : str or Path
        The file. Beside it lies, while somebody writes, NAME-journal; a process that was killed may leave that behind, and
        whoever opens the bank next needs it.
    make : bool
        Make a bank where there is none yet. Otherwise that raises `Problem`: a new bank, made because of a misspelt name, would let
        everything pass.
    **reading
        ``rotate``, ``background``, ``fast``: how picture files are read (see `helpers.images.opening.open_image`). A bank keeps what it
        was made with; leave them out to read as it does.

    Attributes
    ----------
    path : Path
    settings : dict
        What made the bank: ``format``, ``algorithm``, ``hash_size``, ``reading`` and ``versions``.

    Raises
    ------
    Problem
        If the file is no bank, or one made otherwise than is asked for; or if it cannot be opened.

    Notes
    -----
    Where another imagehash made the bank (first number of its version), its entries can be listed, withdrawn and exported, but
    pictures are refused: their fingerprints might be others. Pillow may be another one: of 3,048
    pictures of CALTECH-101 (every third) 3 have another fingerprint under Pillow 10.4, 11.3 and 12.0 than under 13.0, by one bit.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder, Bank(f"{folder}/banned.bank", make=True) as bank:
    ...     entry = bank.flag(np.uint64(0x3C3C3E0F8ECECDC9), "stolen photograph")
    ...     answer = bank.ask(np.uint64(0x3C3C3E0F8ECECDC8))
    >>> entry, answer.verdict, answer.distance, answer.reason
    (1, 'block', 1, 'stolen photograph')
    """

    def __init__(self, path: str | Path, *, make: bool = False, **reading: object) -> None:
        self.path = Path(path)
        self._place = self.path.absolute()
        self._lock, self._process = threading.RLock(), os.getpid()
        # the last line of the log that was read; most entries; and the newest
        self._seen = None, _no_entries(), _no_entries()
        made = _made_here(reading)
        missing = f"{path}: no such bank; check the spelling, or make one (make=True; on the command line --new)"
        before = None
        try:
            before = self._place.stat()
            # SQLite would wait for a pipe, and takes a file of one byte for an empty one
            if stat.S_ISFIFO(before.st_mode) or before.st_size == 1:
                raise Problem(NO_BANK.format(path))
        except FileNotFoundError as error:
            if not make:
                raise Problem(missing) from error
        except ValueError as error:
            raise Problem(f"{path!r}: is no name of a file ({error}); choose another") from error
        except OSError:
            pass  # SQLite will say so too
        with self._translated():
            self._connection = sqlite3.connect(
                self._place, timeout=PATIENCE, isolation_level=None, check_same_thread=False
            )
        try:
            with self._translated():
                self._connection.execute("PRAGMA synchronous = EXTRA")
                self._connection.execute("PRAGMA fullfsync = ON")  # macOS needs to be told twice
                if not self._schema() and make:
                    self._make(made)
                if not self._schema():
                    raise Problem(missing)
                self.settings = self._checked_settings(made, reading)
                self._connection.execute("PRAGMA journal_mode = DELETE")
                self._file = self._place.stat()
                if before and not os.path.samestat(before, self._file):
                    raise Problem(REPLACED.format(path))
                self._catch_up()
        except BaseException:
            self._connection.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def __len__(self) -> int:
        """How many entries are in force."""
        with self._working():
            self._catch_up()
            return sum(int(part.in_force.sum()) for part in self._seen[1:])

    def close(self) -> None:
        """Let go of the file. The bank cannot be used after that."""
        with self._lock:
            if self._connection:
                self._connection.close()
            self._connection = None

    @property
    def reading(self) -> dict:
        """How picture files are read: the arguments of `helpers.images.opening.open_image`."""
        return self.settings["reading"]

    def fingerprint(self, picture: str | Path | Image.Image | np.uint64) -> np.uint64:
        """A picture's fingerprint, made as those in the bank were.

        Parameters
        ----------
        picture : str, Path, PIL.Image.Image or uint64
            A file; or a picture in memory, which is taken as it is (`helpers.images.opening.open_image` turns it upright and lays it on
            a background); or a fingerprint, which is given back.

        Returns
        -------
        uint64

        Raises
        ------
        Problem
            With the reason, if the picture cannot be read.

        Examples
        --------
        >>> bank.fingerprint("upload.jpg")  # doctest: +SKIP
        np.uint64(4340410370284600380)
        """
        self._check_imagehash([picture])
        return _fingerprint(self.reading, self._place, picture)

    def _check_imagehash(self, pictures: list) -> None:
        """Raise where the fingerprints of pictures, if there are any, would not be like those in the bank."""
        there, here = (
            _first_number(versions) for versions in (self.settings["versions"], _versions())
        )
        if there != here and not all(isinstance(one, (int, np.integer)) for one in pictures):
            raise Problem(
                f"{self.path}: the bank was made with imagehash {there}, and here is {here}; their fingerprints cannot be "
                "compared: install that one, or make a new bank from the pictures"
            )

    # Asking

    def ask(
        self,
        picture: str | Path | Image.Image | np.uint64,
        *,
        block: int = BLOCK,
        review: int = REVIEW,
    ) -> Answer:
        """What to do with a picture, by all that has been flagged and not withdrawn up to now.

        Parameters
        ----------
        picture : str, Path, PIL.Image.Image or uint64
            See `fingerprint`.
        block, review : int
            An entry at most `block` bits away blocks the picture; one farther away, but at most `review`, makes it one for a
            person to look at. 0 <= block <= review <= 64.

        Returns
        -------
        Answer

        Raises
        ------
        Problem
            If the picture cannot be read: let it pass or not, but decide. Also if the bank cannot be read.

        Examples
        --------
        >>> bank.ask("upload.jpg").verdict  # doctest: +SKIP
        'allow'
        """
        block, review = _check_radii(block, review)
        query = self.fingerprint(picture)
        with self._working():
            self._catch_up()
            return self._answer(query, block, review)

    def ask_many(
        self,
        pictures: Iterable,
        *,
        block: int = BLOCK,
        review: int = REVIEW,
        workers: int | None = None,
    ) -> list[Answer]:
        """What to do with each of many pictures. One that cannot be read stops nothing: its verdict is "unreadable".

        Parameters
        ----------
        pictures : iterable
            Each as for `ask`; an array of fingerprints will do.
        block, review : int
            See `ask`.
        workers : int, optional
            Processes that read files. If left out all processors, but one for a few files.

        Returns
        -------
        list of Answer
            In the order of `pictures`.

        Raises
        ------
        Problem
            If the radii are none, or the bank cannot be read.

        Examples
        --------
        >>> [answer.verdict for answer in bank.ask_many(["a.jpg", "letter.txt"])]  # doctest: +SKIP
        ['allow', 'unreadable']
        """
        block, review = _check_radii(block, review)
        pictures = list(pictures)
        self._check_imagehash(pictures)
        paths = [picture for picture in pictures if isinstance(picture, (str, Path))]
        job = partial(_try_all, self.reading, self._place)
        of_files = iter(share_out(job, paths, workers=workers, title="pictures"))
        queries = [
            next(of_files) if isinstance(picture, (str, Path)) else job([picture])[0]
            for picture in pictures
        ]
        with self._working():
            self._catch_up()
            return [
                Answer("unreadable", reason=str(query))
                if isinstance(query, Problem)
                else self._answer(query, block, review)
                for query in queries
            ]

    def entries(self, *, withdrawn: bool = False) -> pd.DataFrame:
        """The entries in force, by number.

        Parameters
        ----------
        withdrawn : bool
            True lists the withdrawn ones too, and why they were, in a column ``withdrawn`` (empty for those in force).

        Returns
        -------
        DataFrame
            ``entry``, ``fingerprint`` (uint64), ``reason``, ``source`` and ``time``.

        Raises
        ------
        Problem
            If the bank cannot be read.

        Examples
        --------
        >>> bank.entries()["reason"].tolist()  # doctest: +SKIP
        ['stolen photograph']
        """
        columns = ["entry", *COLUMNS[:-1], "withdrawn"]
        table = pd.DataFrame(self._flagged(withdrawn), columns=columns).astype({"entry": "int64"})
        numbers = [int(digits, 16) for digits in table["fingerprint"]]
        table["fingerprint"] = np.array(numbers, dtype=np.uint64)
        table["withdrawn"] = table["withdrawn"].fillna("")
        texts = ["reason", "source", "time", "withdrawn"]
        table = table.astype(dict.fromkeys(texts, "str"))
        return table if withdrawn else table.drop(columns="withdrawn")

    # Flagging

    def flag(
        self,
        picture: str | Path | Image.Image | np.uint64,
        reason: str,
        source: str = "",
        *,
        anyway: bool = False,
    ) -> int:
        """Ban a picture. When this returns, the entry is safe on disk and every process sees it.

        Parameters
        ----------
        picture : str, Path, PIL.Image.Image or uint64
            See `fingerprint`.
        reason : str
            Why, in a few words.
        source : str
            Where it came from: a file name, an address, who reported it.
        anyway : bool
            Flag it even if its fingerprint says nothing: see `says_nothing`.

        Returns
        -------
        int
            The number of the entry.

        Raises
        ------
        Problem
            If the picture cannot be read, its fingerprint says nothing, there is no reason, or the bank cannot be written. Then
            nothing was flagged.

        Examples
        --------
        >>> bank.flag("forbidden.jpg", "stolen photograph", "letter of 3 May")  # doctest: +SKIP
        1
        """
        value = self.fingerprint(picture)
        if not anyway:
            check_says_something(
                value, picture if isinstance(picture, (str, Path)) else "the picture"
            )
        return self.flag_many([value], reason, source, anyway=True)[0]

    def flag_many(
        self,
        fingerprints: object,
        reason: str,
        source: str | Iterable[str] = "",
        *,
        anyway: bool = False,
    ) -> range:
        """Ban many pictures in one step: all of them or, if anything fails, none.

        Parameters
        ----------
        fingerprints : array-like of uint64, shape (n,)
        reason : str
        source : str or iterable of str
            One for all, or one for each.
        anyway : bool
            See `flag`.

        Returns
        -------
        range
            The numbers of the entries, in the order of `fingerprints`.

        Raises
        ------
        Problem
            As `flag`.

        Examples
        --------
        >>> bank.flag_many(table["fingerprint"], "list of the police", "list.csv")  # doctest: +SKIP
        range(2, 1000002)
        """
        values = as_fingerprints(fingerprints)
        if values.ndim != 1:
            raise Problem(
                f"fingerprints of shape {values.shape}: a bank takes {BITS} bits each, shape (n,)"
            )
        check_text("reason", reason)
        one = isinstance(source, (str, bytes)) or not isinstance(source, Iterable)
        sources = [source] * len(values) if one else list(source)
        if len(sources) != len(values):
            raise Problem(
                f"{len(sources)} sources for {len(values)} fingerprints; give one, or one for each"
            )
        for text in sources:
            check_text("source", text)
        if not anyway:
            for row in np.flatnonzero(says_nothing(values)):
                check_says_something(
                    values[row], sources[row] or f"number {row + 1} of {len(values)}"
                )
        time = iso(datetime.now(UTC))
        rows = [
            (f"{value:016x}", reason, origin, time)
            for value, origin in zip(values.tolist(), sources, strict=True)
        ]
        with self._writing():
            return self._add(rows)

    def unflag(self, entries: int | Iterable[int], reason: str) -> np.ndarray:
        """Withdraw an entry, or several: all or, if anything fails, none. The log keeps them; no answer names them any more.

        Parameters
        ----------
        entries : int or iterable of int
            Their numbers. A picture that was flagged twice has two.
        reason : str
            Why they are withdrawn.

        Returns
        -------
        ndarray of uint64
            Their fingerprints: another entry of the same picture may still be in force.

        Raises
        ------
        Problem
            If there is no such entry or it was withdrawn already, there is no reason, or the bank cannot be written.

        Examples
        --------
        >>> bank.unflag(1, "it was the owner's own")  # doctest: +SKIP
        """
        check_text("reason", reason)
        numbers = list(entries) if isinstance(entries, Iterable) else [entries]
        for entry in numbers:
            if not isinstance(entry, (int, np.integer)) or isinstance(entry, bool):
                raise Problem(f"entry {entry!r}: it is a whole number, as flag gave it")
        with self._writing():
            digits = [self._withdraw(int(entry), reason) for entry in numbers]
        return np.array([hashes.from_hex(one) for one in digits], dtype=np.uint64)

    # As a text file

    def write_csv(self, path: str | Path) -> int:
        """Write the entries in force as CSV, whole or not at all: to keep a copy, or to share them with another bank.

        UTF-8, ``\\n``, all values in quotes, and the columns ``fingerprint`` (16 hex digits), ``reason``, ``source``, ``time``
        (UTC) and ``made_with``, which tells how the pictures were read. A text that a spreadsheet would run as a formula gets a ``'`` in front, which `read_csv` takes away again.

        Parameters
        ----------
        path : str or Path
            An older CSV file of a bank is replaced in one step.

        Returns
        -------
        int
            Number of entries.

        Raises
        ------
        Problem
            If it cannot be written, or something else is there.

        Examples
        --------
        >>> bank.write_csv("banned.csv")  # doctest: +SKIP
        2
        """
        if is_same_file(self._place, path):
            raise Problem(f"{path}: is the bank itself; choose another name for the CSV file")
        check_not_another(path)
        rows = [[*row[1:5], self._made_with] for row in self._flagged(withdrawn=False)]
        try:
            with exclusive(path):
                write_text(path, as_csv(COLUMNS, rows, quote_all=True))
        except OSError as error:
            raise write_problem(path, error) from error
        except ValueError as error:  # "." or "" has no name that a file could have
            raise Problem(f"{path}: is no name of a file ({error}); choose another") from error
        return len(rows)

    def read_csv(self, path: str | Path, *, anyway: bool = False) -> int:
        """Take in the entries of a CSV file, as `write_csv` writes it: all that are new or, if a row is broken, none.

        Entries of a bank that reads pictures otherwise are refused. Where ``made_with`` is empty or there is no such
        column, as in a list made by hand, it is for you to know. New is what this bank never had with the same fingerprint, reason, source and time, so that the same file can be merged
        again and again. An entry that was withdrawn here stays so: to ban the picture again, flag it.

        Parameters
        ----------
        path : str or Path
            In UTF-8, with commas or, as some spreadsheets write, with semicolons.
        anyway : bool
            Take in fingerprints that say nothing as well: see `says_nothing`.

        Returns
        -------
        int
            Number of entries added.

        Raises
        ------
        Problem
            With file, line and reason, if a row is broken; or if the file cannot be read or the bank not written.

        Examples
        --------
        >>> bank.read_csv("banned.csv")  # doctest: +SKIP
        0
        """
        if is_same_file(self._place, path):
            raise Problem(f"{path}: is the bank itself; name a CSV file")
        new = dict.fromkeys(
            read_rows(path, self._made_with, anyway)
        )  # each once, in the order of the file
        with self._writing():
            query = "SELECT fingerprint, reason, source, time FROM events WHERE action = 'flag'"
            for row in self._connection.execute(query):
                new.pop(row, None)
            return len(self._add(list(new)))

    @property
    def _made_with(self) -> str:
        reading = " ".join(f"{name}={value}" for name, value in sorted(self.reading.items()))
        return f"{self.settings['algorithm']} {self.settings['hash_size']} {reading}"

    # The file

    @contextmanager
    def _working(self) -> Iterator[None]:
        """One thread at a time, in the process that opened the bank, on the file that was opened."""
        if os.getpid() != self._process:
            raise Problem(f"{self.path}: was opened in another process; open it anew in this one")
        with self._lock:
            if self._connection is None:
                raise Problem(f"{self.path}: is closed; open it again")
            try:
                in_place = os.path.samestat(self._file, self._place.stat())
            except OSError:
                in_place = False
            if not in_place:
                raise Problem(REPLACED.format(self.path))
            with self._translated():
                yield

    @contextmanager
    def _writing(self) -> Iterator[None]:
        with self._working(), self._transaction():
            yield

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        """All that is written in the block, or none of it; no other process writes meanwhile."""
        try:
            self._connection.execute("BEGIN IMMEDIATE")
            yield
            self._connection.execute("COMMIT")
        except BaseException:
            with suppress(sqlite3.Error):  # which has rolled back by itself after some errors
                self._connection.execute("ROLLBACK")
            raise

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            raise self._problem(error) from error
        except UnicodeDecodeError as error:  # SQLite complains of what it found, in its words
            raise self._damaged("its tables are described in no valid text") from error

    def _problem(self, error: sqlite3.Error) -> Problem:
        """SQLite's error in one sentence."""
        name = getattr(error, "sqlite_errorname", "")
        kind = name.split("_")[1:2]
        why = " ".join(str(error).split())
        if kind == ["CANTOPEN"]:
            with suppress(OSError):  # where the folder may not be entered
                if self._place.is_dir():
                    return Problem(f"{self.path}: is a folder, not a bank; name a file in it")
                if not self._place.parent.is_dir():
                    return Problem(f"{self.path}: there is no folder for it; make that first")
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
            return Problem(NO_BANK.format(self.path))
        return self._damaged(why)

    def _damaged(self, why: str) -> Problem:
        return Problem(
            f"{self.path}: is damaged ({why}); put a copy in its place, or make a new one from its CSV file"
        )

    def _schema(self) -> set[str]:
        query = "SELECT sql FROM sqlite_master WHERE name NOT LIKE 'sqlite_%'"
        return {row[0] for row in self._connection.execute(query)}

    def _make(self, made: dict) -> None:
        with self._transaction():
            if self._schema():  # another process was first
                return
            for statement in SCHEMA:
                self._connection.execute(statement)
            for name, value in made.items():
                self._connection.execute(
                    "INSERT INTO settings VALUES (?, ?)", (name, json.dumps(value))
                )

    def _checked_settings(self, made: dict, reading: dict) -> dict:
        """What made the bank, if pictures read here and now can be compared with those in it."""
        schema, unknown = self._schema(), "it does not say in known words what made it"
        if SETTINGS not in schema:
            raise Problem(f"{self.path}: is not a bank, but another database; choose a new name")
        rows = self._connection.execute("SELECT name, value FROM settings").fetchall()
        try:
            then = {name: json.loads(value) for name, value in rows}
        except (TypeError, ValueError, RecursionError) as error:
            raise self._damaged(unknown) from error
        if then.get("format") != FORMAT:
            raise Problem(
                f"{self.path}: is a bank of format {then.get('format')}, and these helpers know format {FORMAT}; "
                "open it with the helpers that made it, and carry its entries over as CSV"
            )
        try:
            known = then.keys() == made.keys() and then["reading"].keys() == made["reading"].keys()
            opening.complete_reading(then["reading"])
            _first_number(then["versions"])
        except (TypeError, AttributeError, KeyError, Problem) as error:
            raise self._damaged(unknown) from error
        if not known:
            raise self._damaged(unknown)
        if schema != set(SCHEMA):
            raise self._damaged("another program changed its tables")
        for key, value in reading.items():
            if value != then["reading"][key]:
                raise Problem(
                    f"{self.path}: the bank was made with {key}={then['reading'][key]!r}, and {key}={value!r} is asked for; "
                    "their fingerprints cannot be compared: ask in the same way, or make a new bank"
                )
        for key in ("algorithm", "hash_size"):
            if made[key] != then[key]:
                raise Problem(
                    f"{self.path}: the bank was made with {key} {then[key]}, and here is {made[key]}; their fingerprints cannot "
                    "be compared: make a new bank from the pictures"
                )
        return then

    def _flagged(self, withdrawn: bool) -> list[tuple]:
        """Entry, digits, reason, source, time and, of those that were withdrawn, why."""
        query = (
            "SELECT f.entry, f.fingerprint, f.reason, f.source, f.time, u.reason FROM events f "
            "LEFT JOIN events u ON u.entry = f.entry AND u.action = 'unflag' "
            "WHERE f.action = 'flag' AND (? OR u.id IS NULL) ORDER BY f.id"
        )
        with self._working():
            return self._connection.execute(query, (withdrawn,)).fetchall()

    def _withdraw(self, entry: int, reason: str) -> str:
        """Withdraw an entry, in the transaction at hand; its fingerprint's digits."""
        last = self._last_event()
        row = self._connection.execute(
            "SELECT f.fingerprint, u.time FROM events f "
            "LEFT JOIN events u ON u.entry = f.entry AND u.action = 'unflag' "
            "WHERE f.id = ? AND f.action = 'flag'",
            (min(max(0, entry), last + 1),),  # which SQLite can hold, whatever the entry
        ).fetchone()
        if not row:
            raise Problem(f"{self.path}: has no entry {entry}; list the entries to find it")
        digits, withdrawn = row
        if withdrawn:
            raise Problem(f"{self.path}: entry {entry} was withdrawn already, at {withdrawn}")
        row = last + 1, iso(datetime.now(UTC)), "unflag", entry, digits, reason, ""
        self._connection.execute(INSERT, row)
        return digits

    def _last_event(self) -> int:
        return self._connection.execute("SELECT coalesce(max(id), 0) FROM events").fetchone()[0]

    def _add(self, rows: list[tuple]) -> range:
        """Flag all that is in the rows (digits, reason, source, time), in the transaction at hand."""
        first = self._last_event() + 1
        lines = (
            (number, time, "flag", number, digits, reason, source)
            for number, (digits, reason, source, time) in enumerate(rows, first)
        )
        self._connection.executemany(INSERT, lines)
        return range(first, first + len(rows))

    # What is kept in memory

    def _catch_up(self) -> None:
        """Read the lines of the log that are new."""
        seen, most, tail = self._seen
        number = seen[0] if seen else 0
        entries, digits, withdrawn = [], [], []
        query = "SELECT id, action, entry, fingerprint FROM events WHERE id >= ? ORDER BY id"
        with closing(self._connection.execute(query, (number,))) as rows:
            if seen and rows.fetchone() != seen:  # read again, to see that it is still the same log
                raise Problem(REPLACED.format(self.path))
            for row in rows:
                seen, number = row, number + 1
                if row[0] != number:
                    raise self._damaged(f"line {number} of its log is missing")
                if row[1] == "flag":
                    entries.append(number)
                    digits.append(row[3])
                else:
                    withdrawn.append(row[2])
        if seen is self._seen[0]:
            return
        try:
            values = np.frombuffer(bytes.fromhex("".join(digits)), ">u8").astype(np.uint64)
            new = _Part(LinearScan(values), np.array(entries, dtype=np.int64))
            tail = _Part.joined(LinearScan, tail, new)
            for entry in withdrawn:
                if not most.withdraw(entry) and not tail.withdraw(entry):
                    raise ValueError(f"there is no entry {entry}")
        except (TypeError, ValueError) as error:
            raise self._damaged(f"its log holds what no bank writes: {error}") from error
        if len(tail.entries) > max(_TAIL, len(most.entries) // 10):
            index = partial(MultiIndexHashing, radius=REVIEW)
            most, tail = _Part.joined(index, most, tail), _no_entries()
        self._seen = seen, most, tail  # in one step: if we are stopped before, we read them again

    def _answer(self, query: np.uint64, block: int, review: int) -> Answer:
        found = [part.nearest(query, review) for part in self._seen[1:]]
        nearest = min(filter(None, found), default=None)
        if nearest is None:
            return Answer("allow")
        distance, entry = nearest
        why = "SELECT reason, source, time FROM events WHERE id = ?"
        row = self._connection.execute(why, (entry,)).fetchone()
        return Answer("block" if distance <= block else "review", distance, entry, *row)


class _Part:
    """Entries that are searched together, in the order of their numbers. Some may have been withdrawn since."""

    def __init__(self, search: Search, entries: np.ndarray) -> None:
        if len(search) != len(entries):
            raise ValueError(f"{len(search)} fingerprints of {len(entries)} entries")
        self.search, self.entries = search, entries
        self.in_force = np.ones(len(entries), dtype=bool)

    @classmethod
    def joined(cls, structure: Callable[[np.ndarray], Search], *parts: Self) -> Self:
        """One part of all entries in force."""
        values = [part.search.words[0, part.in_force] for part in parts]
        entries = [part.entries[part.in_force] for part in parts]
        return cls(structure(np.concatenate(values)), np.concatenate(entries))

    def withdraw(self, entry: int) -> bool:
        """Leave the entry out from now on, if it is one of these."""
        row = np.searchsorted(self.entries, entry)
        if row == len(self.entries) or self.entries[row] != entry:
            return False
        self.in_force[row] = False
        return True

    def nearest(self, query: np.uint64, radius: int) -> tuple[int, int] | None:
        """Distance and number of the nearest entry in force, of several the lowest; None if none is within the radius."""
        rows, distances = self.search.within(query, radius)
        in_force = np.flatnonzero(self.in_force[rows])
        if not len(in_force):
            return None
        first = in_force[0]
        return int(distances[first]), int(self.entries[rows[first]])


def _no_entries() -> _Part:
    return _Part(LinearScan(np.empty(0, dtype=np.uint64)), np.empty(0, dtype=np.int64))


def _fingerprint(reading: dict, place: Path, picture: object) -> np.uint64:
    if isinstance(picture, (str, Path)):
        if is_same_file(place, picture):  # to close it would drop SQLite's locks
            raise Problem(f"{picture}: is the bank itself; name a picture")
        return hashes.of_file(picture, **reading)
    if isinstance(picture, (int, np.integer)):
        return as_query(picture, words=1)[0]
    if not isinstance(picture, Image.Image):
        raise Problem(
            f"a picture is a file, a PIL image or a uint64 fingerprint, not {type(picture).__name__}"
        )
    try:
        return hashes.of_image(picture)
    except Exception as error:  # a picture that Pillow has not decoded yet may raise anything
        raise Problem(
            f"the picture could not be decoded ({type(error).__name__}: {error}); open it with helpers.images.opening.open_image"
        ) from error


def _try_all(reading: dict, place: Path, pictures: list) -> list:
    """The fingerprint of each picture, or the `Problem` with it."""
    found = []
    for picture in pictures:
        try:
            found.append(_fingerprint(reading, place, picture))
        except Problem as problem:
            found.append(problem)
    return found


def _check_radii(block: int, review: int) -> tuple[int, int]:
    block, review = check_radius(block), check_radius(review)
    if block > review:
        raise Problem(
            f"block {block}, review {review}: what is blocked lies within what is reviewed; give the smaller one to block"
        )
    return block, review


def _made_here(reading: dict) -> dict:
    return {
        "format": FORMAT,
        "algorithm": "dhash",
        "hash_size": 8,
        "reading": opening.complete_reading(reading),
        "versions": _versions(),
    }


def _versions() -> dict[str, str]:
    return {name: version(name) for name in ("imagehash", "pillow")}


def _first_number(versions: dict[str, str]) -> str:
    """Of imagehash's version."""
    return versions["imagehash"].split(".")[0]
