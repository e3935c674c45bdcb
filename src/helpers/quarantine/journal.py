"""The journal of a quarantine, and the moving of one file."""

import errno
import json
import os
import shutil
import stat
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import BinaryIO
from uuid import uuid4

from filelock import FileLock

from helpers import Problem
from helpers.files.atomic import exclusive, give_name, make_folders, synchronise, write_problem
from helpers.files.places import sha256_of
from helpers.quarantine import lines
from helpers.quarantine.lines import JOURNAL, LOCK, RESERVE, About, LeftAlone, Told

_RESERVED_BYTES = 2**16
_NO_LOCKS = {errno.ENOLCK, errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP}


@contextmanager
def _lock_of_place(place: Path) -> Iterator[None]:
    """The lock that lies in a quarantine; none if its disk has no locks, as some network drives."""
    with ExitStack() as held:
        try:
            held.enter_context(
                FileLock(place / LOCK, mode=0o666, fallback_to_soft=False, timeout=0)
            )
        except OSError as error:
            if error.errno not in _NO_LOCKS:
                raise
        yield


class Journal:
    """What was begun and what was done; `open_journal` makes one.

    Parameters
    ----------
    place : Path
        The quarantine folder.
    folder : Path
        The library.
    told : Told
        What the file says. It is brought forward with each move.
    file : binary file
        The journal itself, open for appending, without a buffer.
    """

    def __init__(self, place: Path, folder: Path, told: Told, file: BinaryIO) -> None:
        self.place, self.folder, self.told, self.file = place, folder, told, file

    def write(self, *words: str | int) -> None:
        """Write a line, and wait until the disk has it.

        Parameters
        ----------
        *words
            What the line holds.

        Raises
        ------
        Problem
            If it cannot be written.
        """
        line = json.dumps(words).encode() + b"\n"
        if not self.told.whole:  # the last line was never finished
            line = b"\n" + line
        self.told.whole = False
        try:
            if self.file.write(line) != len(line):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            os.fsync(self.file.fileno())
        except OSError as error:
            raise write_problem(self.place / JOURNAL, error) from error
        self.told.whole = True

    def _is(self, where: str, path: str) -> None:
        self.write("is", where, path)
        self.told.where[path] = where
        self.told.begun.pop(path, None)

    def _from_to(self, where: str, path: str) -> tuple[Path, Path]:
        library, quarantine = self.folder / path, self.place / path
        return (library, quarantine) if where == "in" else (quarantine, library)

    def has_moved(self, path: str) -> bool:
        """Whether a file is in quarantine, and nothing has come to its old place.

        Parameters
        ----------
        path : str
            Relative to the library.

        Returns
        -------
        bool
            What the journal says, checked against what is there.
        """
        if self.told.where.get(path) != "in":
            return False
        source, target = self._from_to("in", path)
        return os.path.lexists(target) and not os.path.lexists(source)

    def move(self, where: str, path: str, sha256: str, seen: os.stat_result | None = None) -> None:
        """Move a file into quarantine or out of it.

        Parameters
        ----------
        where : str
            "in" or "out".
        path : str
            Relative to the library.
        sha256 : str
            Of the file's content.
        seen : os.stat_result, optional
            The status of the file when it was compared with the plan. It is needed for "in".

        Raises
        ------
        LeftAlone
            If the file has changed, if something is at its new place, or if the path leads out.
        OSError
            If the operating system refuses.
        Problem
            If the journal cannot be written, or is full.
        """
        source, target = self._from_to(where, path)
        self._check(path)
        if os.path.lexists(target):
            raise LeftAlone(f"{target} is there already, and nothing is overwritten")
        if where == "in":
            if self.file.tell() > lines.MOST_JOURNAL_BYTES // 3:  # undo writes as much again
                raise Problem(f"{self.place}: its journal is full; name another quarantine folder")
            self.told.about[path] = About(sha256, stat.S_IMODE(seen.st_mode), seen.st_mtime_ns)
        elif not _is_there(source):
            raise LeftAlone("is not in quarantine any more")
        else:
            seen = source.lstat()
            if sha256_of(source) != sha256:
                raise LeftAlone("has changed in quarantine; put it back by hand")
        self.told.begun[path] = where
        self.write("begin", where, path, *self.told.about[path])
        try:
            make_folders(target.parent)
            _move(source, target, self.told.about[path], seen)
        except (OSError, LeftAlone):
            self._find(path)
            raise
        self._is(where, path)

    def recover(self) -> None:
        """Find out what became of the moves that were begun, and complete or take back each."""
        for path in list(self.told.begun):
            with suppress(LeftAlone, OSError):  # the move stays begun, and the file is left alone
                self._check(path)
                self._find(path)

    def _check(self, path: str) -> None:
        lines.check_path(self.folder, path)
        lines.check_path(self.place, path, over_links=False)

    def _find(self, path: str) -> None:
        where, sha256 = self.told.begun[path], self.told.about[path].sha256
        back = "out" if where == "in" else "in"
        source, target = self._from_to(where, path)
        for partial in target.parent.glob(_passing(sha256, "*")):
            with suppress(OSError):
                partial.unlink()
        is_at_source, is_at_target = _is_there(source), _is_there(target)
        if is_at_source and is_at_target:
            if source.samefile(target):
                if source.stat().st_nlink > 1:  # the file has its new name, and the old one too
                    target.unlink()
                where = back
            elif sha256_of(target) != sha256:  # something else is at the new place
                where = back
            elif sha256_of(source) == sha256:  # the file was copied, and not yet removed
                _remove(target)
                where = back
            # Otherwise it has moved, and something new has come to its old place.
        elif is_at_source:
            where = back
        self._is(where, path)


@contextmanager
def open_journal(place: Path, folder: Path, *, begin: bool) -> Iterator[Journal]:
    """The journal of a quarantine folder, for one process at a time.

    Two locks keep off other processes. One goes by the library, whatever the quarantine is. The
    other one lies in the quarantine, so that it keeps off other computers and containers too.

    Parameters
    ----------
    place : Path
        The quarantine folder; it is made if it is not there.
    folder : Path
        The library.
    begin : bool
        Whether files are to come here. If so, the journal says from where, and a little room is
        held for it; if not, this room is given back, in case that the disk has no other left.

    Yields
    ------
    Journal
        With what it holds already.

    Raises
    ------
    Problem
        If it cannot be read or written, if a link or a pipe has its name, if files are to come and
        those of another library are here, or if another process is moving files.

    Examples
    --------
    >>> place = Path("photos-quarantine")
    >>> with open_journal(place, Path("photos"), begin=False) as journal:  # doctest: +SKIP
    ...     journal.recover()
    """
    path = place / JOURNAL
    with ExitStack() as held:
        try:
            held.enter_context(exclusive(folder / JOURNAL, wait=False))
            make_folders(place)
            lines.check_own(place / LOCK)
            held.enter_context(_lock_of_place(place))
            told = lines.read_journal(path)
            is_new = not (told.owner or told.about or told.damaged)
            if begin and not is_new and told.owner != str(folder):
                owner = told.owner or "a folder that its journal does not name"
                raise Problem(f"{place}: holds files of {owner}; choose another folder")
            file = held.enter_context(open(path, "ab", buffering=0, opener=_open_own))
        except TimeoutError as error:
            raise Problem(
                f"{folder}: another process is moving files; wait until it has ended"
            ) from error
        except OSError as error:
            raise write_problem(path, error) from error
        journal = Journal(place, folder, told, file)
        if begin:
            _hold_room(place / RESERVE)
        else:
            with suppress(OSError):
                (place / RESERVE).unlink()
        if begin and is_new:
            journal.write("folder", str(folder))
            synchronise(place)
        yield journal


def _open_own(name: Path, flags: int) -> int:
    """Open a file without following a link, even one that has come just now."""
    return os.open(name, flags | getattr(os, "O_NOFOLLOW", 0), 0o666)


def _hold_room(reserve: Path) -> None:
    """Take up a little room, for the journal of a disk that will be full."""
    try:
        if not os.path.isfile(reserve) or reserve.stat().st_size < _RESERVED_BYTES:
            reserve.unlink(missing_ok=True)  # it may be a link
            with reserve.open("xb") as file:
                file.write(os.urandom(_RESERVED_BYTES))
    except OSError as error:
        raise write_problem(reserve, error) from error


# Moving


def _move(source: Path, target: Path, about: About, seen: os.stat_result) -> None:
    """Move the file that was seen, or raise if somebody has written to it or replaced it since.

    No system removes a name only if it is still the name of a certain file. So a moment is left,
    between the last look and the removal. A new file that comes to the old place in this moment is
    lost. If the file goes to another disk, so is what is written to it in this moment; on one disk
    it goes along with the file.
    """
    _check_seen(source, seen)
    try:
        _rename(source, target, seen)
    except LeftAlone:
        _drop(source, target, about)
        raise
    except OSError as error:
        if error.errno != errno.EXDEV:
            raise
        _copy_over(source, target, about, seen)
    synchronise(source.parent)


def _check_seen(file: Path, seen: os.stat_result) -> None:
    now = file.lstat()
    if any(
        getattr(now, name) != getattr(seen, name) for name in ("st_ino", "st_size", "st_mtime_ns")
    ):
        raise LeftAlone("was changed while it was to be moved; run this again")


def _is_there(file: Path) -> bool:
    """Whether a file is there. Raise if it is something else, as a link."""
    if not os.path.lexists(file):
        return False
    if not stat.S_ISREG(file.lstat().st_mode):
        raise LeftAlone("is a link or a folder now; put it back by hand")
    return True


def _drop(source: Path, target: Path, about: About) -> None:
    """Remove the copy of a replaced file. If both names are one file, `Journal._find` does it."""
    if not source.samefile(target) and sha256_of(target) == about.sha256:
        _remove(target)


def _rename(source: Path, target: Path, seen: os.stat_result) -> None:
    """On one file system, without overwriting."""
    has_both_names = give_name(source, target)
    synchronise(target.parent)
    if has_both_names:
        _check_seen(target, seen)
        _check_seen(source, seen)
        source.unlink()


def _copy_over(source: Path, target: Path, about: About, seen: os.stat_result) -> None:
    """To another file system."""
    passing = target.with_name(_passing(about.sha256, f"{uuid4().hex[:8]}."))
    try:
        with source.open("rb") as old, passing.open("xb") as new:
            shutil.copyfileobj(old, new, 2**20)
            new.flush()
            os.fsync(new.fileno())
        if sha256_of(passing) != about.sha256:
            raise OSError(errno.EIO, "its copy differs from it")
        # Only root may give files away, and Windows has no such thing.
        with suppress(OSError, AttributeError):
            os.chown(passing, seen.st_uid, seen.st_gid)
        with suppress(OSError):  # some file systems keep less
            shutil.copystat(source, passing)
            passing.chmod(about.mode)
            os.utime(passing, ns=(seen.st_atime_ns, about.modified))
        _rename(passing, target, passing.lstat())
    finally:
        with suppress(OSError):
            passing.unlink(missing_ok=True)
    try:
        _check_seen(source, seen)
    except LeftAlone:
        _drop(source, target, about)
        raise
    _remove(source)


def _remove(file: Path) -> None:
    """Remove a file that has another copy, even if Windows calls it read-only."""
    if os.name == "nt":
        file.chmod(stat.S_IWRITE)
    file.unlink()


def _passing(sha256: str, which: str) -> str:
    """The name of a copy that is not whole yet; with ``*`` the pattern of all, as of 0.1."""
    return f".{sha256[:16]}.{which}partial"
