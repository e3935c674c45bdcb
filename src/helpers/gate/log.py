"""The log of a bank: lines in a SQLite file, which is only ever added to.

A line tells that a picture was flagged, or that an entry was withdrawn, with the time and the
reason. Nothing is deleted, so one can always tell what was banned when, and why.

The lines are numbered without gaps, SQLite keeps the last number, and each has a checksum. So what
a bad disk or another program changed or removed is noticed. That is no seal: somebody who may
write to the file can compute a checksum, too.
"""

import json
import re
import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import closing, suppress
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from zlib import crc32

from helpers import Problem
from helpers.fingerprints import recipe
from helpers.images.opening import complete_rules

#: The table that every format has: names and JSON values.
SETTINGS = "CREATE TABLE settings (name TEXT PRIMARY KEY, value TEXT NOT NULL)"
_EVENTS = """CREATE TABLE events (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    time TEXT NOT NULL,
    action TEXT NOT NULL,
    entry INTEGER NOT NULL,
    fingerprint TEXT NOT NULL CHECK (length(fingerprint) = 16 \
AND fingerprint NOT GLOB '*[^0-9a-f]*'),
    reason TEXT NOT NULL,
    source TEXT NOT NULL,
    CHECK (action = 'flag' AND entry = id OR action = 'unflag' AND entry < id)
)"""
_GUARDS = (
    "CREATE UNIQUE INDEX withdrawn_once ON events (entry) WHERE action = 'unflag'",
    "CREATE TRIGGER never_changed BEFORE UPDATE ON events "
    "BEGIN SELECT RAISE(ABORT, 'a log is only added to'); END",
    "CREATE TRIGGER never_deleted BEFORE DELETE ON events "
    "BEGIN SELECT RAISE(ABORT, 'a log is only added to'); END",
)
_ADDED_IN_2 = "\n    others TEXT NOT NULL,\n    checksum INTEGER NOT NULL,\n    CHECK (action"
#: The statements that make the tables of each format. Version 0.1 made the first.
FORMATS = {
    1: (SETTINGS, _EVENTS, *_GUARDS),
    2: (SETTINGS, _EVENTS.replace("\n    CHECK (action", _ADDED_IN_2), *_GUARDS),
}
#: The format of new banks. An older one is lifted to it by the first change.
NEWEST = max(FORMATS)

_COLUMNS = "id, time, action, entry, fingerprint, reason, source"
_INSERT = f"INSERT INTO events ({_COLUMNS}, others, checksum) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)"
# with whether each has pages, and how many share them
_SCHEMA = (
    "SELECT type, name, tbl_name, sql, rootpage > 1, count(*) OVER (PARTITION BY rootpage) "
    "FROM sqlite_master"
)
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z", re.ASCII).fullmatch
_DIGITS = re.compile("[0-9a-f]{16}").fullmatch
#: Whether a text is the other hashes of a picture as `Log.add` takes them: JSON with hex digits.
is_others = re.compile(r'\{("[a-z0-9-]+": "[0-9a-f]{64}")?\}').fullmatch
_VALUES = "\0".join(["%s"] * 8)  # as `checksum` joins them, but faster
_LEAST_BYTES = 48  # of a line in the file
_MOST_NAMED = 5  # of the damaged lines
_EXPORT_IT = "export it, import that into a new bank, and flag what is missing again"
_NAMES = {"format", "algorithm", "hash_size", "bits", "reading", "rules", "versions"}
_UNKNOWN = "it does not say in known words what made it"


class Damaged(Problem):
    """A file is not as a bank leaves it: lines are missing, for example, or were changed.

    Parameters
    ----------
    path : Path
        The file.
    why : str
        What is wrong with it.
    remedy : str
        What to do if there is no copy.

    Examples
    --------
    >>> print(Damaged("a.bank", "it is cut"))
    a.bank: is damaged (it is cut); put a copy in its place, or make a new one from its CSV file
    """

    def __init__(
        self, path: Path, why: str, remedy: str = "make a new one from its CSV file"
    ) -> None:
        super().__init__(f"{path}: is damaged ({why}); put a copy in its place, or {remedy}")


class Log:
    """The lines in an opened file. Its errors are SQLite's; `helpers.gate.file` puts them in words.

    Parameters
    ----------
    connection : sqlite3.Connection
        The file.
    number : int
        The number of its format. Only the newest is written.
    path : Path
        What messages call the file.
    table : str
        The table with the lines.
    """

    def __init__(
        self, connection: sqlite3.Connection, number: int, path: Path, table: str = "events"
    ) -> None:
        self.connection, self._number, self._path, self._table = connection, number, path, table
        more = "'{}'" if number == 1 else "others, checksum"
        self._select = f"SELECT {_COLUMNS}, {more} FROM {table} WHERE id"

    def lines(self, first: int = 1, left_out: list | None = None) -> Iterator[tuple]:
        """The lines from a number on, each as it was written.

        Parameters
        ----------
        first : int
            The number of the first line to read.
        left_out : list, optional
            Is given the `Damaged` that is raised otherwise, once all other lines are read.

        Yields
        ------
        tuple
            Number, time, action ("flag" or "unflag"), entry, the hex digits of the fingerprint,
            reason, source, other hashes; and the checksum if the format has one.

        Raises
        ------
        Damaged
            At the end, if lines are missing or are not as they were written.
        """
        counts = self.connection.execute("SELECT * FROM sqlite_sequence LIMIT 2").fetchall()
        last = counts[0][1] if counts and type(counts[0][1]) is int else 0
        number, bad = first - 1, []
        # version 0.1 made a bank before its first entry; later ones make none that is empty
        if counts != [(self._table, last)] and (counts or self._number > 1):
            bad.append("the number of its lines is not as it was written")
        for line in self._rows(first, last):
            if line[0] > number + 1:
                bad.append(_missing(number + 1, line[0] - 1))
            if is_sound(line) and line[0] > number:
                yield line
            else:
                bad.append(f"line {line[0]} of its log is not as it was written")
            number = line[0]
        if number < last:
            bad.append(_missing(number + 1, last))
        elif number > max(last, first - 1):
            bad.append(f"line {number} of its log is there, but {last} is to be the last")
        if bad:
            more = f"; and {len(bad) - _MOST_NAMED} more" * (len(bad) > _MOST_NAMED)
            damage = Damaged(self._path, "; ".join(bad[:_MOST_NAMED]) + more, _EXPORT_IT)
            if left_out is None:
                raise damage
            left_out.append(damage)

    def _rows(self, first: int, last: int) -> Iterator[tuple]:
        """All rows that can be read; where SQLite gives up, one by one."""
        try:
            for row in self.connection.execute(f"{self._select} >= ? ORDER BY id", (first,)):
                first = row[0] + 1
                yield row
        except sqlite3.DatabaseError as error:
            name = getattr(error, "sqlite_errorname", "")  # none if a text cannot be decoded
            if name and not name.startswith(("SQLITE_CORRUPT", "SQLITE_TOOBIG")):
                raise
            for number in range(first, min(last, first + self.count_bytes() // _LEAST_BYTES) + 1):
                with suppress(sqlite3.DatabaseError):
                    yield from self.connection.execute(f"{self._select} = ?", (number,))

    def count_bytes(self) -> int:
        """How large the file is, or will be once the transaction at hand is over.

        Returns
        -------
        int
            In bytes.
        """
        query = "SELECT page_count * page_size FROM pragma_page_count, pragma_page_size"
        return self.connection.execute(query).fetchone()[0]

    def about(self, entry: int) -> tuple[str, str, str, str]:
        """Why an entry was flagged, and its other hashes.

        Parameters
        ----------
        entry : int
            The number of an entry that is there.

        Returns
        -------
        tuple of str
            Reason, source, time and other hashes.

        Raises
        ------
        Damaged
            If its line is not as it was written.
        """
        line = self.connection.execute(f"{self._select} = ?", (entry,)).fetchone()
        if not line or not is_sound(line):
            why = f"line {entry} of its log is not as it was written"
            raise Damaged(self._path, why, _EXPORT_IT)
        return line[5], line[6], line[1], line[7]

    def flagged(self, *, withdrawn: bool, left_out: list | None) -> list[tuple]:
        """The entries, by number.

        Parameters
        ----------
        withdrawn : bool
            Whether those that were withdrawn are among them.
        left_out : list, optional
            See `lines`.

        Returns
        -------
        list of tuple
            Entry, hex digits, reason, source, time, other hashes; and why it was withdrawn.
        """
        flagged, why = {}, {}
        for _, time, action, entry, digits, reason, *texts in self.lines(1, left_out):
            if action == "flag":
                flagged[entry] = digits, reason, texts[0], time, texts[1]
            else:
                why[entry] = reason
        return [
            (entry, *about, why.get(entry, ""))
            for entry, about in flagged.items()
            if withdrawn or entry not in why
        ]

    def without_known(self, rows: list[tuple]) -> list[tuple]:
        """Those of some rows that the log does not have, whether withdrawn or not.

        Parameters
        ----------
        rows : list of tuple
            As `add` takes them. Other hashes make no other row.

        Returns
        -------
        list of tuple
            In the same order, each once.
        """
        new = {}
        for row in rows:
            new.setdefault(row[:4], row)
        query = "SELECT fingerprint, reason, source, time FROM events WHERE action = 'flag'"
        for row in self.connection.execute(query):
            new.pop(row, None)
        return list(new.values())

    def add(self, rows: list[tuple[str, str, str, str, str]]) -> range:
        """Flag pictures, in the transaction at hand.

        Parameters
        ----------
        rows : list of tuple
            Hex digits, reason, source, time and other hashes of each.

        Returns
        -------
        range
            The numbers of the new entries.
        """
        first = self._last() + 1
        self._insert(
            (number, time, "flag", number, digits, reason, source, others)
            for number, (digits, reason, source, time, others) in enumerate(rows, first)
        )
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
        now = iso(datetime.now(UTC))
        self._insert([(last + 1, now, "unflag", entry, digits, reason, "", "{}")])
        return digits

    def lift(self) -> None:
        """Give a file of an older format the newest one, in the transaction at hand."""
        _, events, *guards = FORMATS[NEWEST]
        self.connection.execute("ALTER TABLE events RENAME TO before")
        self.connection.execute(events)
        self._insert(Log(self.connection, 1, self._path, "before").lines())
        for statement in ("DROP TABLE before", *guards):
            self.connection.execute(statement)

    def _insert(self, lines: Iterable[tuple]) -> None:
        rows = ((*line, checksum(*line)) for line in lines)
        self.connection.executemany(_INSERT, rows)

    def _last(self) -> int:
        return self.connection.execute("SELECT coalesce(max(id), 0) FROM events").fetchone()[0]


def read_settings(connection: sqlite3.Connection, path: Path) -> tuple[dict, recipe.Recipe]:
    """What a file says about itself, if it is a bank of a known format.

    Parameters
    ----------
    connection : sqlite3.Connection
        The file.
    path : Path
        What messages call it.

    Returns
    -------
    settings : dict
        Its format and its recipe.
    recipe : Recipe
        What made its fingerprints.

    Raises
    ------
    Problem
        If it is no bank, or one that is not as a bank leaves it.
    """
    there = _schema(connection)
    if ("table", "settings", "settings", SETTINGS) not in {row[:4] for row in there}:
        raise Problem(f"{path}: is not a bank, but another database; choose a new name")
    query = "SELECT name, value FROM settings LIMIT 20"  # more than have names
    rows = connection.execute(query).fetchall()
    try:
        settings = {name: json.loads(value) for name, value in rows}
    except (TypeError, ValueError, RecursionError) as error:
        raise Damaged(path, _UNKNOWN) from error
    number, found = settings.get("format"), settings.pop("checksum", None)
    if type(number) is not int or number not in FORMATS:
        known = " and ".join(map(str, FORMATS))
        raise Problem(
            f"{path}: is a bank of format {number}, and these helpers know format {known};"
            " open it with the helpers that made it, and carry its entries over as CSV"
        )
    made = _recipe_in(path, settings)
    if made is None or not settings.keys() <= _NAMES:
        raise Damaged(path, _UNKNOWN)
    if there != _schema_of(number):
        raise Damaged(path, "another program changed its tables")
    written = json.dumps(settings, sort_keys=True)
    if found != (None if number == 1 else checksum(written)):
        raise Damaged(path, "its settings are not as they were written")
    return settings, made


def write_settings(connection: sqlite3.Connection, settings: dict) -> None:
    """Write what a file says about itself, in the transaction at hand.

    Parameters
    ----------
    connection : sqlite3.Connection
        The file.
    settings : dict
        As from `read_settings`.
    """
    rows = settings | {"checksum": checksum(json.dumps(settings, sort_keys=True))}
    connection.executemany(
        "INSERT OR REPLACE INTO settings VALUES (?, ?)",
        [(name, json.dumps(value)) for name, value in rows.items()],
    )


def _schema(connection: sqlite3.Connection) -> set[tuple]:
    """All that a file describes: tables, indices, triggers and views, the hidden ones too."""
    return set(connection.execute(_SCHEMA))


@cache
def _schema_of(number: int) -> set[tuple]:
    """What `_schema` finds in a bank of a format."""
    with closing(sqlite3.connect(":memory:")) as empty:
        for statement in FORMATS[number]:
            empty.execute(statement)
        return _schema(empty)


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


def checksum(*values: object) -> int:
    """CRC-32 of a line, or of all settings, as it stands in the file.

    Parameters
    ----------
    *values : str or int
        All that is kept; their texts are joined by zero characters.

    Returns
    -------
    int
        Up to 2**32 - 1.
    """
    return crc32("\0".join(map(str, values)).encode())


def is_sound(line: tuple) -> bool:
    """Whether a line is as a bank writes it.

    Parameters
    ----------
    line : tuple
        Its values in the file, of whatever types; with a checksum if the format has one.

    Returns
    -------
    bool
        Whether each value has its type and form, and the checksum is right.

    Examples
    --------
    >>> is_sound((1, "2024-05-03T12:00:00.000000Z", "flag", 1, "0123456789abcdef", "why", "", "{}"))
    True
    """
    number, time, action, entry, digits, reason, source = line[:7]
    try:
        return (
            (entry == number if action == "flag" else action == "unflag" and 0 < entry < number)
            and type(entry) is int
            and type(reason) is type(source) is str
            and bool(_TIME(time) and _DIGITS(digits))
            and bool(is_others(line[7]))
            and (len(line) == 8 or line[8] == crc32((_VALUES % line[:8]).encode()))
        )
    except TypeError:
        return False


def _missing(first: int, last: int) -> str:
    which = f"line {first} of its log is" if first == last else f"lines {first} to {last} are"
    return f"{which} missing or cannot be read"


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
