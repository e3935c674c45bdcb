"""The log of a bank: lines in a SQLite file, which is only ever added to.

A line tells that a picture was flagged, or that an entry was withdrawn, with the time and the
reason. Nothing is deleted, so one can always tell what was banned when, and why.
"""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

from helpers import Problem


class Format(NamedTuple):
    """How a file is laid out.

    Parameters
    ----------
    schema : tuple of str
        The statements that make its tables. A file with others is damaged.
    insert : str
        The statement that adds a line: number, time, action, entry, digits, reason, source.
    """

    schema: tuple[str, ...]
    insert: str


#: The table that every format has: names and JSON values.
SETTINGS = "CREATE TABLE settings (name TEXT PRIMARY KEY, value TEXT NOT NULL)"
#: All formats that are known, by their numbers. A bank keeps the format it was made in.
FORMATS = {
    1: Format(
        schema=(
            SETTINGS,
            """CREATE TABLE events (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    time TEXT NOT NULL,
    action TEXT NOT NULL,
    entry INTEGER NOT NULL,
    fingerprint TEXT NOT NULL CHECK (length(fingerprint) = 16 \
AND fingerprint NOT GLOB '*[^0-9a-f]*'),
    reason TEXT NOT NULL,
    source TEXT NOT NULL,
    CHECK (action = 'flag' AND entry = id OR action = 'unflag' AND entry < id)
)""",
            "CREATE UNIQUE INDEX withdrawn_once ON events (entry) WHERE action = 'unflag'",
            "CREATE TRIGGER never_changed BEFORE UPDATE ON events "
            "BEGIN SELECT RAISE(ABORT, 'a log is only added to'); END",
            "CREATE TRIGGER never_deleted BEFORE DELETE ON events "
            "BEGIN SELECT RAISE(ABORT, 'a log is only added to'); END",
        ),
        insert="INSERT INTO events (id, time, action, entry, fingerprint, reason, source) "
        "VALUES (?, ?, ?, ?, ?, ?, ?)",
    )
}
#: The format of new banks.
NEWEST = max(FORMATS)


class Log:
    """The lines in an opened file. Its errors are SQLite's; `helpers.gate.file` puts them in words.

    Parameters
    ----------
    connection : sqlite3.Connection
        The file.
    number : int
        The number of its format.
    path : Path
        What messages call the file.
    """

    def __init__(self, connection: sqlite3.Connection, number: int, path: Path) -> None:
        self.connection, self._path = connection, path
        self._insert = FORMATS[number].insert

    def lines_from(self, number: int) -> Iterator[tuple[int, str, int, str]]:
        """The lines from a number on.

        Parameters
        ----------
        number : int
            The number of the first line to read.

        Yields
        ------
        tuple
            Number, action ("flag" or "unflag"), entry, and the hex digits of the fingerprint.
        """
        query = "SELECT id, action, entry, fingerprint FROM events WHERE id >= ? ORDER BY id"
        with closing(self.connection.execute(query, (number,))) as lines:
            yield from lines

    def about(self, entry: int) -> tuple[str, str, str]:
        """Why an entry was flagged.

        Parameters
        ----------
        entry : int
            The number of an entry that is there.

        Returns
        -------
        tuple of str
            Reason, source and time.
        """
        query = "SELECT reason, source, time FROM events WHERE id = ?"
        return self.connection.execute(query, (entry,)).fetchone()

    def flagged(self, *, withdrawn: bool) -> list[tuple]:
        """The entries, by number.

        Parameters
        ----------
        withdrawn : bool
            Whether those that were withdrawn are among them.

        Returns
        -------
        list of tuple
            Entry, hex digits, reason, source, time; and why it was withdrawn, or None.
        """
        query = (
            "SELECT f.entry, f.fingerprint, f.reason, f.source, f.time, u.reason FROM events f "
            "LEFT JOIN events u ON u.entry = f.entry AND u.action = 'unflag' "
            "WHERE f.action = 'flag' AND (? OR u.id IS NULL) ORDER BY f.id"
        )
        return self.connection.execute(query, (withdrawn,)).fetchall()

    def without_known(self, rows: list[tuple[str, str, str, str]]) -> list[tuple]:
        """Those of some rows that the log does not have, whether withdrawn or not.

        Parameters
        ----------
        rows : list of tuple
            Hex digits, reason, source and time of each, as `add` takes them.

        Returns
        -------
        list of tuple
            In the same order, each once.
        """
        new = dict.fromkeys(rows)
        query = "SELECT fingerprint, reason, source, time FROM events WHERE action = 'flag'"
        for row in self.connection.execute(query):
            new.pop(row, None)
        return list(new)

    def add(self, rows: list[tuple[str, str, str, str]]) -> range:
        """Flag pictures, in the transaction at hand.

        Parameters
        ----------
        rows : list of tuple
            Hex digits, reason, source and time of each.

        Returns
        -------
        range
            The numbers of the new entries.
        """
        first = self._last() + 1
        lines = (
            (number, time, "flag", number, digits, reason, source)
            for number, (digits, reason, source, time) in enumerate(rows, first)
        )
        self.connection.executemany(self._insert, lines)
        return range(first, first + len(rows))

    def withdraw(self, entry: int, reason: str) -> str:
        """Withdraw an entry, in the transaction at hand.

        Parameters
        ----------
        entry : int
            Its number.
        reason : str
            Why it is withdrawn.

        Returns
        -------
        str
            The hex digits of its fingerprint.

        Raises
        ------
        Problem
            If there is no such entry, or if it was withdrawn already.
        """
        last = self._last()
        row = self.connection.execute(
            "SELECT f.fingerprint, u.time FROM events f "
            "LEFT JOIN events u ON u.entry = f.entry AND u.action = 'unflag' "
            "WHERE f.id = ? AND f.action = 'flag'",
            (min(max(0, entry), last + 1),),  # which SQLite can hold, whatever the entry
        ).fetchone()
        if not row:
            raise Problem(f"{self._path}: has no entry {entry}; list the entries to find it")
        digits, withdrawn = row
        if withdrawn:
            raise Problem(f"{self._path}: entry {entry} was withdrawn already, at {withdrawn}")
        line = last + 1, iso(datetime.now(UTC)), "unflag", entry, digits, reason, ""
        self.connection.execute(self._insert, line)
        return digits

    def _last(self) -> int:
        return self.connection.execute("SELECT coalesce(max(id), 0) FROM events").fetchone()[0]


def iso(moment: datetime) -> str:
    """A moment as the log has it.

    Parameters
    ----------
    moment : datetime
        With its time zone.

    Returns
    -------
    str
        In UTC, in ISO 8601, with microseconds.

    Examples
    --------
    >>> iso(datetime(2024, 5, 3, 12, tzinfo=UTC))
    '2024-05-03T12:00:00.000000Z'
    """
    return moment.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
