"""Entries as a table, and as a CSV file: to keep a copy, or to share them with another bank."""

import re
from datetime import datetime
from pathlib import Path

import numpy as np
import pandas as pd

from helpers import Problem
from helpers.files import tables
from helpers.files.atomic import exclusive, write_text
from helpers.files.guard import check_output
from helpers.files.places import is_same_file
from helpers.fingerprints import hashes
from helpers.fingerprints.flat import check_says_something
from helpers.gate.file import File
from helpers.gate.log import is_others, iso
from helpers.images.opening import RULES

#: The columns of a bank's CSV file.
COLUMNS = ["fingerprint", "reason", "source", "time", "made_with", "others"]

_MOST_LETTERS = 10_000  # of a reason or a source


class Exchange:
    """What lists the entries of a bank, writes them as CSV, and takes them in.

    Attributes
    ----------
    file : File
        The file of the bank.
    """

    file: File

    def entries(
        self, *, withdrawn: bool = False, left_out: list[Problem] | None = None
    ) -> pd.DataFrame:
        """The entries in force, by number.

        Parameters
        ----------
        withdrawn : bool
            Whether the withdrawn ones are listed too. Why they were stands in a column
            ``withdrawn``, which is empty for those in force.
        left_out : list, optional
            If it is given, damaged lines are left out, and the `Problem` with them is added to it.

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
        with self.file.working() as log:
            rows = [] if log is None else log.flagged(withdrawn=withdrawn, left_out=left_out)
        columns = ["entry", *COLUMNS[:4], "others", "withdrawn"]
        table = pd.DataFrame(rows, columns=columns).astype({"entry": "int64"})
        numbers = [int(digits, 16) for digits in table["fingerprint"]]
        table["fingerprint"] = np.array(numbers, dtype=np.uint64)
        table = table.astype(dict.fromkeys(["reason", "source", "time", "withdrawn"], "str"))
        return table.drop(columns=["others"] if withdrawn else ["others", "withdrawn"])

    def write_csv(self, path: str | Path, *, left_out: list[Problem] | None = None) -> int:
        """Write the entries in force as CSV, whole or not at all.

        Parameters
        ----------
        path : str or Path
            An older CSV file of a bank is replaced in one step.
        left_out : list, optional
            See `entries`.

        Returns
        -------
        int
            Number of entries.

        Raises
        ------
        Problem
            If it cannot be written, or if something else is there.

        Notes
        -----
        The file is UTF-8 with ``\\n`` and all values in quotes. Its columns are ``fingerprint``
        (16 hex digits), ``reason``, ``source``, ``time`` (UTC), ``made_with``, which tells how
        the pictures were read, and, if any has a second one, ``others``: that, as JSON. A text
        that a spreadsheet would run as a formula gets a ``'`` in front, which `read_csv` takes
        away again.

        Examples
        --------
        >>> bank.write_csv("banned.csv")  # doctest: +SKIP
        2
        """
        check_output(path, "bank's CSV", inputs=[self.file.place])
        made_with = _made_with(self.file)
        with self.file.working() as log:
            rows = [] if log is None else log.flagged(withdrawn=False, left_out=left_out)
        width = 6 if any(row[5] != "{}" for row in rows) else 5
        rows = [(*row[1:5], made_with, row[5])[:width] for row in rows]
        with exclusive(path):
            write_text(path, tables.as_csv(COLUMNS[:width], rows, quote_all=True))
        return len(rows)

    def read_csv(self, path: str | Path, *, anyway: bool = False) -> int:
        """Take in the entries of a CSV file: all that are new or, if a row is broken, none.

        An entry is new if this bank never had one with the same fingerprint, reason, source and
        time. So the same file can be merged again and again. An entry that was withdrawn here
        stays so: to ban the picture again, flag it.

        Parameters
        ----------
        path : str or Path
            A file as `write_csv` writes it, also after a spreadsheet saved it.
        anyway : bool
            Whether fingerprints that say nothing are taken in as well: see
            `helpers.fingerprints.flat.says_nothing`.

        Returns
        -------
        int
            Number of entries added.

        Raises
        ------
        Problem
            If a row is broken, with its line; if its bank reads pictures otherwise; if the file
            cannot be read, or if the bank cannot be written.

        Notes
        -----
        A list that was made by hand may have an empty ``made_with``, or no such column. Then nobody
        checks how its pictures were read. Older lists have no ``others``: dHash alone decides.

        Examples
        --------
        >>> bank.read_csv("banned.csv")  # doctest: +SKIP
        0
        """
        if is_same_file(self.file.place, path):
            raise Problem(f"{path}: is the bank itself; name a CSV file")
        rows = _read_rows(path, self.file, anyway)
        if not rows:
            return 0
        return len(self.file.write(lambda log: log.add(log.without_known(rows))))


def check_text(name: str, text: str) -> None:
    """Make sure that a text can be kept as a reason or a source.

    Parameters
    ----------
    name : {"reason", "source"}
        What the text is.
    text : str
        A reason is not empty.

    Raises
    ------
    Problem
        If it cannot.

    Examples
    --------
    >>> check_text("reason", "stolen photograph")
    """
    if not isinstance(text, str):
        raise Problem(f"{name} {text!r}: it is text, not {type(text).__name__}")
    if name == "reason" and not text.strip():
        raise Problem("the reason is empty; say in a few words why")
    if len(text) > _MOST_LETTERS:
        raise Problem(f"the {name} has {len(text)} letters; {_MOST_LETTERS} are the most")
    try:
        text.encode("utf-8")
    except UnicodeEncodeError as error:
        raise Problem(
            f"the {name} {text!a} is not valid text (letter {error.start + 1}), "
            "as names of files may be; write it otherwise"
        ) from error
    if "\0" in text:
        raise Problem(f"the {name} {text!a} holds a zero character; write it without")


def _made_with(file: File) -> str:
    """How pictures are read, in words; a rule is named only if it is not that of version 0.1."""
    made = file.recipe
    words = [made.hash, str(file.settings["hash_size"])]
    words += [f"{name}={value}" for name, value in sorted(made.reading.items())]
    words += [
        f"{subject.replace(' ', '-')}={rule}"
        for subject, rule in sorted(made.rules.items())
        if rule != 1
    ]
    return " ".join(words)


def _rules_in(made_with: str) -> dict[str, int]:
    """The rules of reading that `_made_with` has named; the others are those of version 0.1."""
    words = dict(word.split("=", 1) for word in made_with.split() if "=" in word)
    named = {subject: words.get(subject.replace(" ", "-"), "1") for subject in RULES}
    return {subject: int(rule) for subject, rule in named.items() if re.fullmatch("[0-9]+", rule)}


def _read_rows(path: str | Path, file: File, anyway: bool) -> list[tuple]:
    """The rows of a CSV file as the log has them. A bank that is still to be made reads as they."""
    columns, lines = tables.read_csv(path)
    if columns not in (COLUMNS[:4], COLUMNS[:5], COLUMNS):  # made by hand, older, or of today
        raise Problem(
            f"{path}: line 1: its columns are not {','.join(COLUMNS)}; export it from a bank"
        )
    try:
        for made_with in {cells[4] for _, cells in lines if cells[4:]} - {""}:
            file.promise(_rules_in(made_with))
    except Problem as problem:
        raise Problem(f"{path}: {problem}") from problem
    rows, made_with = [], _made_with(file)
    for number, cells in lines:
        try:
            if len(cells) != len(columns):
                raise Problem(
                    f"has {len(cells)} values, not {len(columns)}; put texts with commas in quotes"
                )
            rows.append(_row(*cells, made_with=made_with, anyway=anyway))
        except Problem as problem:
            raise Problem(f"{path}: line {number}: {problem}") from problem
    return rows


def _row(
    digits: str,
    reason: str,
    source: str,
    time: str,
    there: str = "",
    others: str = "{}",
    *,
    made_with: str,
    anyway: bool,
) -> tuple:
    if there not in ("", made_with):
        raise Problem(
            f"was made with {there!r}, and this bank with {made_with!r}; their fingerprints "
            "cannot be compared: make a bank that reads pictures as that one does"
        )
    others = others or "{}"  # of a cell that somebody left empty
    if not is_others(others):
        raise Problem(
            f"{others[:80]!r} is not the second fingerprint as banks write it; leave it empty"
        )
    value = hashes.from_hex(digits)
    if not anyway:
        check_says_something(value, "the picture")
    check_text("reason", reason)
    check_text("source", source)
    try:
        moment = datetime.fromisoformat(time)
        if not moment.tzinfo:
            raise ValueError("no time zone")
        return hashes.to_hex(value), reason, source, iso(moment), others
    except (ValueError, OverflowError) as error:
        raise Problem(
            f"{time!r} is no time as 2024-05-03T12:00:00Z, in ISO 8601 and with its zone"
        ) from error
