"""A bank of banned pictures, and the gate that asks it about every upload.

A bank is one SQLite file. Its truth is a log that is only ever added to: see `helpers.gate.log`.
(What was asked, and by whom, is not written down.) What `Bank.ask` searches is made from the log
and kept in memory; before each answer it reads the lines that are new, whoever wrote them.

What is promised:

- When `Bank.flag` returns, the entry is safe on disk: neither a process that is killed then nor a
  power cut can lose it.
- `Bank.ask` sees whatever was flagged before it is called, by any process on this machine.
- Many processes and threads may ask and flag at once; they wait for each other. Each process
  opens the bank for itself, after a fork.
- There never is a new bank without an entry, since an empty one lets everything pass.
- A line that was changed or lost by accident is noticed: then `Bank.ask` answers nothing and names
  it, as do all changes; its other lines can be listed and exported. This is no seal: somebody who
  may write to the file can change it unnoticed.
- Nothing that lies beside the file, and was not left there by a bank, is obeyed.
- A bank of version 0.1 answers as it is. The first change lifts it to today's format, and keeps
  the old file as NAME.format-1.

What you have to mind:

- Copy the file while nobody has it open, and with another program: once a process closes a file,
  POSIX lets go of all its locks on that file, those of SQLite included. The copy holds all that
  was ever flagged and withdrawn; `Bank.write_csv` writes the entries in force.
- Keep the file on a local disk, because network drives lock badly.
- What the gate does with a picture that it cannot read is the caller's decision: `Bank.ask`
  raises `Problem`. Hold such an upload back (the gate fails closed) or let it pass (it fails
  open), but decide.
- Of a file with several frames or pages up to 100 are looked at, and the worst answer counts. Where
  there are more, and nothing was found, the answer is "review".
- A picture blocks others only if two fingerprints agree: see `helpers.gate.memory`. Bare
  fingerprints, and entries of older banks and lists, have but one, which decides alone until the
  picture is flagged anew.
"""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Self

import numpy as np
from PIL import Image

from helpers import Problem
from helpers.files.parallel import share_out
from helpers.fingerprints import hashes, recipe
from helpers.fingerprints.flat import check_says_something, says_nothing
from helpers.gate import exchange
from helpers.gate.file import File
from helpers.gate.log import Damaged, iso
from helpers.gate.look import Frame, Sight, look
from helpers.gate.memory import BLOCK, REVIEW, Answer, Memory
from helpers.hamming import BITS, as_fingerprints, check_radius, distance

if TYPE_CHECKING:
    from numpy.typing import ArrayLike


#: What a gate looks at: a file, a picture in memory, a fingerprint, or what `Bank.look` saw.
Picture = str | Path | Image.Image | np.uint64 | Frame


class Bank(exchange.Exchange):
    """A bank of banned pictures.

    Parameters
    ----------
    path : str or Path
        The file. Beside it lies, while somebody writes, NAME-journal. A process that was killed
        may leave that behind, and the process that opens the bank next needs it.
    make : bool
        Whether there may be no such file. It then appears with the first entry, and until then
        everything may pass. Without it that raises `Problem`: a new bank, made because of a
        misspelt name, would let everything pass.
    **reading
        ``rotate``, ``background``, ``fast``: how picture files are read, as in
        `helpers.images.opening.open_image`. A bank keeps what it was made with; leave them out
        to read as it does.

    Attributes
    ----------
    path : Path
        The file.
    file : File
        The same, opened.
    reading : dict
        How picture files are read.
    why_not : str
        Why pictures cannot be compared with its entries; empty if they can.

    Raises
    ------
    Problem
        If the file is no bank, or if it was made otherwise than is asked for. (While lines of its
        log are damaged, each use of it raises `helpers.gate.log.Damaged`.)

    Notes
    -----
    Where a version of imagehash made the bank whose bits may be others, its entries can be listed,
    withdrawn and exported, but pictures are refused: see `helpers.fingerprints.recipe.why_not`.

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
        self.file = File(path, make=make, **reading)
        try:
            made = self.file.recipe
            self.reading = made.reading
            self.why_not = recipe.why_not(made, recipe.here(rules=made.rules, **made.reading))
            self._memory = Memory(self.file)
            self.file.check = self._memory.catch_up
            with suppress(Damaged):  # its sound lines can still be listed
                len(self)  # reads the whole log
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def __len__(self) -> int:
        """How many entries are in force."""
        with self.file.working() as log:
            self._memory.catch_up(log)
            return len(self._memory)

    def close(self) -> None:
        """Let go of the file. The bank cannot be used after that."""
        self.file.close()

    def look(self, picture: Picture) -> list[Frame]:
        """What the bank sees of a picture: each frame that says something and differs from others.

        Parameters
        ----------
        picture : str, Path, PIL.Image.Image or uint64
            A file; or a picture in memory, of which the frame that it shows counts; or a
            fingerprint, which has no second one to be compared.

        Returns
        -------
        list of Frame
            At least one. `ask` and `flag_many` take them.

        Raises
        ------
        Problem
            If the picture cannot be read, with the reason.

        Examples
        --------
        >>> bank.look("upload.jpg")[0].value  # doctest: +SKIP
        np.uint64(4340410370284600380)
        """
        (sight,) = _sights(self, [picture], workers=1)
        if isinstance(sight, Problem):
            raise sight
        differ, telling = [], [one for one in sight.frames if not says_nothing(one.value)]
        for frame in telling or sight.frames[:1]:
            if all(distance(frame.value, one.value) > BLOCK for one in differ):
                differ.append(frame)
        return differ

    def ask(self, picture: Picture, *, block: int = BLOCK, review: int = REVIEW) -> Answer:
        """What to do with a picture, by all that has been flagged and not withdrawn up to now.

        Parameters
        ----------
        picture : str, Path, PIL.Image.Image or uint64
            See `look`.
        block, review : int
            An entry at most `block` bits away blocks the picture; one farther away, but at most
            `review`, makes it one for a person to look at. 0 <= block <= review <= 64.

        Returns
        -------
        Answer
            The verdict, and the entry that it comes from.

        Raises
        ------
        Problem
            If the picture cannot be read: let it pass or not, but decide. Also if the bank cannot
            be read.

        Examples
        --------
        >>> bank.ask("upload.jpg").verdict  # doctest: +SKIP
        'allow'
        """
        (answer,) = self.ask_many([picture], block=block, review=review, workers=1)
        if answer.verdict == "unreadable":
            raise Problem(answer.reason)
        return answer

    def ask_many(
        self,
        pictures: Iterable,
        *,
        block: int = BLOCK,
        review: int = REVIEW,
        workers: int | None = None,
    ) -> list[Answer]:
        """What to do with each of many pictures; one that cannot be read stops nothing.

        Parameters
        ----------
        pictures : iterable
            Each as for `ask`; an array of fingerprints will do.
        block, review : int
            See `ask`.
        workers : int, optional
            Processes that read files; if left out all processors, but one for a few files.

        Returns
        -------
        list of Answer
            In the order of `pictures`. The verdict of one that cannot be read is "unreadable".

        Raises
        ------
        Problem
            If the radii are not valid, or if the bank cannot be read.

        Examples
        --------
        >>> [answer.verdict for answer in bank.ask_many(["a.jpg", "letter.txt"])]  # doctest: +SKIP
        ['allow', 'unreadable']
        """
        block, review = _check_radii(block, review)
        sights = _sights(self, list(pictures), workers)
        with self.file.working() as log:
            return self._memory.answers(log, sights, block, review)

    def flag(self, picture: Picture, reason: str, source: str = "", *, anyway: bool = False) -> int:
        """Ban a picture. When this returns, the entry is safe on disk and every process sees it.

        Parameters
        ----------
        picture : str, Path, PIL.Image.Image or uint64
            See `look`.
        reason : str
            Why, in a few words.
        source : str
            Where it came from: a file name, an address, who reported it.
        anyway : bool
            Whether it is flagged even if its fingerprint says nothing: see
            `helpers.fingerprints.flat.says_nothing`.

        Returns
        -------
        int
            The number of the entry; of a file with several frames, each of which gets one, that of
            the first. The others follow.

        Raises
        ------
        Problem
            If the picture cannot be read, if its fingerprint says nothing, if there is no reason,
            or if the bank cannot be written. Then nothing was flagged.

        Examples
        --------
        >>> bank.flag("forbidden.jpg", "stolen photograph", "letter of 3 May")  # doctest: +SKIP
        1
        """
        frames = self.look(picture)
        if not anyway:
            name = picture if isinstance(picture, (str, Path)) else "the picture"
            check_says_something(frames[0].value, name)
        return self.flag_many(frames, reason, source, anyway=True)[0]

    def flag_many(
        self,
        fingerprints: ArrayLike | list[Frame],
        reason: str,
        source: str | Iterable[str] = "",
        *,
        anyway: bool = False,
    ) -> range:
        """Ban many pictures in one step: all of them or, if anything fails, none.

        Parameters
        ----------
        fingerprints : array-like of uint64, shape (n,), or list of Frame
            One a picture. A bare fingerprint has no second one: dHash alone decides by it.
        reason : str
            Why, for all.
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
        rows = _rows_to_flag(fingerprints, reason, source, anyway)
        return self.file.write(lambda log: log.add(rows)) if rows else range(0)

    def unflag(self, entries: int | Iterable[int], reason: str) -> np.ndarray:
        """Withdraw an entry, or several: all of them or, if anything fails, none.

        The log keeps them; no answer names them any more.

        Parameters
        ----------
        entries : int or iterable of int
            Their numbers. A picture that was flagged twice has two.
        reason : str
            Why they are withdrawn.

        Returns
        -------
        ndarray of uint64, shape (n,)
            Their fingerprints: another entry of the same picture may still be in force.

        Raises
        ------
        Problem
            If there is no such entry, if it was withdrawn already, if there is no reason, or if
            the bank cannot be written.

        Examples
        --------
        >>> bank.unflag(1, "it was the owner's own")  # doctest: +SKIP
        array([4340410370284600380], dtype=uint64)
        """
        numbers = _numbers(entries)
        exchange.check_text("reason", reason)
        digits = []
        if numbers:
            digits = self.file.write(lambda log: [log.withdraw(n, reason) for n in numbers])
        return np.array([hashes.from_hex(one) for one in digits], dtype=np.uint64)


def _sights(bank: Bank, pictures: list, workers: int | None) -> list[Sight | Problem]:
    """What a bank sees of each picture. Files are shared out among processes."""
    if bank.why_not and not all(isinstance(one, (int, np.integer, Frame)) for one in pictures):
        raise Problem(
            f"{bank.path}: the bank was made {bank.why_not}; their fingerprints cannot be "
            "compared: install that one, or make a new bank from the pictures"
        )
    made = bank.file.recipe
    job = partial(look, bank.file.place, {"rules": made.rules, **made.reading})
    paths = [one for one in pictures if isinstance(one, (str, Path))]
    if len(pictures) == 1:  # without a progress bar
        return [job(pictures[0])]
    of_files = iter(share_out(job, paths, workers=workers, title="pictures"))
    return [next(of_files) if isinstance(one, (str, Path)) else job(one) for one in pictures]


def _rows_to_flag(
    fingerprints: ArrayLike | list[Frame],
    reason: str,
    source: str | Iterable[str],
    anyway: bool,
) -> list[tuple[str, str, str, str, str]]:
    """The rows that the log is to add, if everything about them is right."""
    others = None
    if isinstance(fingerprints, list) and all(isinstance(one, Frame) for one in fingerprints):
        others = [one.others for one in fingerprints]
        fingerprints = [one.value for one in fingerprints]
    values = as_fingerprints(fingerprints)
    if values.ndim != 1:
        raise Problem(
            f"fingerprints of shape {values.shape}: a bank takes {BITS} bits each, shape (n,)"
        )
    exchange.check_text("reason", reason)
    is_one = isinstance(source, (str, bytes)) or not isinstance(source, Iterable)
    sources = [source] * len(values) if is_one else list(source)
    if len(sources) != len(values):
        raise Problem(
            f"{len(sources)} sources for {len(values)} fingerprints; give one, or one for each"
        )
    for text in sources:
        exchange.check_text("source", text)
    if not anyway:
        for row in np.flatnonzero(says_nothing(values)):
            name = sources[row] or f"number {row + 1} of {len(values)}"
            check_says_something(values[row], name)
    time = iso(datetime.now(UTC))
    return [
        (f"{value:016x}", reason, origin, time, other)
        for value, origin, other in zip(
            values.tolist(), sources, others or ["{}"] * len(values), strict=True
        )
    ]


def _numbers(entries: int | Iterable[int]) -> list[int]:
    numbers = list(entries) if isinstance(entries, Iterable) else [entries]
    for entry in numbers:
        if not isinstance(entry, (int, np.integer)) or isinstance(entry, bool):
            raise Problem(f"entry {entry!r}: it is a whole number, as flag gave it")
    return [int(entry) for entry in numbers]


def _check_radii(block: int, review: int) -> tuple[int, int]:
    block, review = check_radius(block), check_radius(review)
    if block > review:
        raise Problem(
            f"block {block}, review {review}: what is blocked lies within what is reviewed; "
            "give the smaller one to block"
        )
    return block, review
