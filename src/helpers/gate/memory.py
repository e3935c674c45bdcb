"""What a gate keeps in memory of a bank and searches: the entries in force. And what it answers.

An entry is found by its dHash. Then the second fingerprint, a pHash of 256 bits, has its say:

- an upload is blocked if both are near: dHash within 2 bits, pHash within 4 of 256;
- else a person is to look if dHash is within 2 bits, or within 8 and pHash within 90;
- what matches turned, mirrored or without its border only is never blocked: within 8 and 90 bits
  a person is to look.

Any entry within reach may say so, not only the nearest. Where one side has only a dHash, that
decides alone, for the upload as it is.

The radii were chosen on half of CALTECH-101's pictures, and measured on the other half: a bank of
500; 1,500 others as they are, resized and recompressed; 120 of the bank after the 82 changes of the
standard table; and memes, 12 of each of 100 templates and styles, whose words differ. In per cent:

==================================== ========== ==========
what                                 dHash      both
==================================== ========== ==========
memes with other words, blocked      30         5
honest uploads, blocked              0.1        0
honest uploads, for a person         1.7        1.1
changed ones, blocked                47         32
changed ones, blocked or a person    70         81
turned and mirrored, for a person    2          100
==================================== ========== ==========

Where captions have a twelfth of the height, as in most memes, it is 12 against 0. A finer hash of
the same kind would not do: where 5 % of these memes are blocked, dhash-256 still blocks 50 % of
gently changed copies, and pHash 71 %. It has a price: of pictures with few details, such as blurred
ones, the bits of pHash are chance. They wait for a person.
"""

import json
from array import array
from contextlib import closing
from typing import NamedTuple

import numpy as np

from helpers import Problem
from helpers.gate.file import File
from helpers.gate.log import Damaged, Log
from helpers.gate.look import SECOND, Sight, View
from helpers.hamming import distance
from helpers.search.linear import LinearScan
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
    new entry costs little.

    Parameters
    ----------
    file : File
        The file of the bank.
    """

    def __init__(self, file: File) -> None:
        self._file, self._state = file, None  # the state of the file when it was last read
        nothing = np.empty((2, 0), dtype=np.uint64)
        # the last line that was read; the index and the numbers of most entries; fingerprints and
        # numbers of the tail; and the numbers of those withdrawn, and of the lines that did that
        self._seen = None, LinearScan(nothing[0]), nothing[1], nothing, frozenset()

    def __len__(self) -> int:
        return len(self._seen[1]) + self._seen[3].shape[1] - len(self._seen[4]) // 2

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
        last, index, most, tail, gone = self._seen
        values, entries, withdrawn, line = array("Q"), array("Q"), set(), None
        with closing(log.lines(last[0] if last else 1)) as lines:
            if last and next(lines, ())[:7] != last:  # read again: is it still the same log?
                raise self._file.replaced()
            for line in lines:
                number, _, action, entry, digits, *_ = line
                if action == "flag":
                    entries.append(number)
                    values.append(int(digits, 16))
                elif entry in gone or entry in withdrawn:
                    why = f"line {number} of its log withdraws entry {entry}, which is not in force"
                    raise Damaged(self._file.path, why)
                else:
                    withdrawn |= {number, entry}
        if line:
            tail = np.append(tail, (values, entries), axis=1)
            if tail.shape[1] > max(_TAIL_ENTRIES, len(index) // 10):
                index = MultiIndexHashing(np.append(index.words[0], tail[0]), radius=REVIEW)
                most, tail = np.append(most, tail[1]), tail[:, :0]
            # in one step: if stopped before, we read again
            self._seen = line[:7], index, most, tail, gone | withdrawn
        self._state = self._file.state

    def _near(self, value: np.uint64, radius: int) -> list[tuple[int, int]]:
        """Distance and number of each entry in force that is so near, the nearest first."""
        _, index, most, tail, gone = self._seen
        bits = np.bitwise_count(tail[0] ^ value)
        found = [*zip(bits[bits <= radius].tolist(), tail[1, bits <= radius].tolist(), strict=True)]
        if len(index):
            rows, bits = index.within(value, radius)
            found += zip(bits.tolist(), most[rows].tolist(), strict=True)
        return sorted(one for one in found if one[1] not in gone)

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
        for bits, entry in self._near(view.value, review):
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
