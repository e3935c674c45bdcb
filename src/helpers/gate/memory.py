"""What a gate keeps in memory of a bank and searches: the entries in force."""

import json
from array import array
from collections.abc import Callable
from contextlib import closing
from functools import partial
from typing import NamedTuple, Self

import numpy as np

from helpers import Problem
from helpers.gate.file import File
from helpers.gate.log import Damaged, Log
from helpers.gate.look import SECOND, Sight, View
from helpers.hamming import distance
from helpers.search.linear import LinearScan, Search
from helpers.search.multi_index import MultiIndexHashing

#: Distances, in bits, up to which a picture is blocked, and up to which a person is to look at it.
BLOCK, REVIEW = 2, 8
#: Bits of 256, in the second fingerprint, up to which an entry may block, or lead to a review.
SAME, ALIKE = 4, 90

_OTHER_DETAILS = (
    "the template matches, the details do not: perhaps it has other words ({} of 256 bits differ)"
)

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
    how : str
        Why a person is to look, where it is not for the distance alone.

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
    how: str = ""


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
        self, log: Log | None, sights: list[Sight | Problem], block: int, review: int
    ) -> list[Answer]:
        """What to do with pictures, by all lines that are in the log now.

        Parameters
        ----------
        log : Log or None
            The lines of the file; None if there still is no file.
        sights : list
            What was seen of each picture, or the `Problem` with it.
        block, review : int
            Bits up to which an entry blocks a picture, or makes it one for a person to look at.

        Returns
        -------
        list of Answer
            In the order of the pictures; of each the worst that is found for any frame.
        """
        self.catch_up(log)
        return [
            Answer("unreadable", reason=str(sight))
            if isinstance(sight, Problem)
            else self._answer(log, sight, block, review)
            for sight in sights
        ]

    def _answer(self, log: Log | None, sight: Sight, block: int, review: int) -> Answer:
        found = (
            self._worst(log, view, block, review) for frame in sight.frames for view in frame.views
        )
        unseen = f"{sight.unseen} of its frames or pages were not looked at"
        otherwise = Answer("review", how=unseen) if sight.unseen else Answer("allow")
        return min(
            filter(None, found),
            key=lambda one: (one.verdict != "block", one.distance, one.entry),
            default=otherwise,
        )

    def _worst(self, log: Log | None, view: View, block: int, review: int) -> Answer | None:
        """The worst answer that an entry gives for a view; of several the nearest entry's."""
        kept = None
        near = [one for part in self._seen[1:] for one in part.within(view.value, review)]
        for bits, entry in sorted(near):
            if kept and (view.how or bits > block):
                break
            *about, others = log.about(entry)
            verdict, how = _verdict(view, bits <= block, others)
            if verdict == "block" or (verdict and not kept):
                kept = Answer(verdict, bits, entry, *about, how)
            if verdict == "block":
                break
        return kept


def _verdict(view: View, is_near: bool, others: str) -> tuple[str, str]:
    """What an entry within the radius says of a view, and why it is not what dHash says."""
    second = json.loads(others).get(SECOND)
    if second is None or view.second is None:  # dHash alone decides, as in older banks
        return "" if view.how else "block" if is_near else "review", ""
    bits = distance(view.second, second)
    if view.how:
        return "review" if bits <= ALIKE else "", f"it matches once {view.how}"
    if is_near:
        return ("block", "") if bits <= SAME else ("review", _OTHER_DETAILS.format(bits))
    return "review" if bits <= ALIKE else "", ""


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

    def within(self, query: np.uint64, radius: int) -> list[tuple[int, int]]:
        """Distance and number of each entry that is so near and in force."""
        rows, distances = self.search.within(query, radius)
        there = self.in_force[rows]
        return list(zip(distances[there].tolist(), self.entries[rows[there]].tolist(), strict=True))


def _no_entries() -> _Part:
    return _Part(LinearScan(np.empty(0, dtype=np.uint64)), np.empty(0, dtype=np.int64))
