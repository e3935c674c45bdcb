"""What a gate keeps in memory of a bank and searches: the entries in force."""

from array import array
from collections.abc import Callable
from contextlib import closing
from functools import partial
from typing import NamedTuple, Self

import numpy as np

from helpers import Problem
from helpers.gate.file import File
from helpers.gate.log import Damaged, Log
from helpers.search.linear import LinearScan, Search
from helpers.search.multi_index import MultiIndexHashing

#: Distances, in bits, up to which a picture is blocked, and up to which a person is to look at it.
BLOCK, REVIEW = 2, 8

_TAIL_ENTRIES = 20_000  # so many are scanned one by one before they join the index


class Answer(NamedTuple):
    """What the gate is to do with a picture, and because of which entry.

    Parameters
    ----------
    verdict : {"allow", "review", "block", "unreadable"}
        "unreadable" comes from `Bank.ask_many` only; `Bank.ask` raises `Problem` instead.
    distance : int or None
        Bits between the picture and the nearest entry; None if none is near enough for a review.
    entry : int or None
        The number of that entry; of several equally near the lowest.
    reason, source, time : str
        Why it was flagged, where it came from, and when (UTC, ISO 8601). Of an unreadable picture
        the reason says why it is.

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


class Memory:
    """The entries in force, as the log had them when it was last read.

    Most of them are in an index. The newest are the tail, which is scanned one by one, so that a
    new entry costs next to nothing.

    Parameters
    ----------
    file : File
        The file of the bank.
    """

    def __init__(self, file: File) -> None:
        self._file = file
        # the last line of the log that was read; most entries; and the newest
        self._seen = None, _no_entries(), _no_entries()
        self._state = None  # of the file, when that was

    def __len__(self) -> int:
        return sum(int(part.in_force.sum()) for part in self._seen[1:])

    def catch_up(self, log: Log | None) -> None:
        """Read the lines of the log that are new.

        Parameters
        ----------
        log : Log or None
            The lines of the file; None if there still is no file.

        Raises
        ------
        Problem
            If the log is another one now, or if it holds what no bank writes.
        """
        if log is None or self._file.state == self._state:
            return
        seen = self._seen[0]
        entries, values, withdrawn = array("q"), array("Q"), []
        with closing(log.lines(seen[0] if seen else 1)) as lines:
            if seen and next(lines, ())[:7] != seen:  # read again: is it still the same log?
                raise self._file.replaced()
            line = None
            for line in lines:
                if line[2] == "flag":
                    entries.append(line[0])
                    values.append(int(line[4], 16))
                else:
                    withdrawn.append(line)
        if line is not None:
            new = _Part(LinearScan(np.array(values)), np.array(entries))
            most, tail = self._parts(new, withdrawn)
            self._seen = line[:7], most, tail  # in one step: if stopped before, we read again
        self._state = self._file.state

    def _parts(self, new: "_Part", withdrawn: list[tuple]) -> tuple["_Part", "_Part"]:
        """Most entries and the newest, once new ones came and others were withdrawn."""
        most, tail = self._seen[1], _Part.joined(LinearScan, self._seen[2], new)
        for number, _, _, entry, *_ in withdrawn:
            if not most.withdraw(entry) and not tail.withdraw(entry):
                why = f"line {number} of its log withdraws entry {entry}, which is not in force"
                raise Damaged(self._file.path, why)
        if len(tail.entries) > max(_TAIL_ENTRIES, len(most.entries) // 10):
            index = partial(MultiIndexHashing, radius=REVIEW)
            return _Part.joined(index, most, tail), _no_entries()
        return most, tail

    def answers(
        self, log: Log | None, queries: list[np.uint64 | Problem], block: int, review: int
    ) -> list[Answer]:
        """What to do with pictures, by all lines that are in the log now.

        Parameters
        ----------
        log : Log or None
            The lines of the file; None if there still is no file.
        queries : list
            The fingerprint of each picture, or the `Problem` with it.
        block, review : int
            Bits up to which an entry blocks a picture, or makes it one for a person to look at.

        Returns
        -------
        list of Answer
            In the order of the queries.
        """
        self.catch_up(log)
        answers = []
        for query in queries:
            if isinstance(query, Problem):
                answers.append(Answer("unreadable", reason=str(query)))
            elif found := self._nearest(query, review):
                distance, entry = found
                verdict = "block" if distance <= block else "review"
                answers.append(Answer(verdict, distance, entry, *log.about(entry)))
            else:
                answers.append(Answer("allow"))
        return answers

    def _nearest(self, query: np.uint64, radius: int) -> tuple[int, int] | None:
        """Distance and number of the nearest entry in force, of several the lowest."""
        found = [part.nearest(query, radius) for part in self._seen[1:]]
        return min(filter(None, found), default=None)


class _Part:
    """Entries that are searched together, in the order of their numbers."""

    def __init__(self, search: Search, entries: np.ndarray) -> None:
        if len(search) != len(entries):
            raise ValueError(f"{len(search)} fingerprints of {len(entries)} entries")
        self.search, self.entries = search, entries
        self.in_force = np.ones(len(entries), dtype=bool)  # False once one is withdrawn

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
        rows, distances = self.search.within(query, radius)
        in_force = np.flatnonzero(self.in_force[rows])
        if not len(in_force):
            return None
        first = in_force[0]
        return int(distances[first]), int(self.entries[rows[first]])


def _no_entries() -> _Part:
    return _Part(LinearScan(np.empty(0, dtype=np.uint64)), np.empty(0, dtype=np.int64))
