"""The journal of a quarantine, and the moving of one file."""

import errno
import json
import os
import shutil
import stat
from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from pathlib import Path, PurePosixPath
from typing import BinaryIO, NamedTuple

from filelock import FileLock

from helpers import Problem
from helpers.files.atomic import exclusive, give_name, write_problem
from helpers.files.places import real_path, sha256_of

#: The names, in the quarantine folder, of the journal and of the lock on it.
JOURNAL, LOCK = "quarantine-journal.txt", "quarantine-journal.lock"
#: The name of a file that holds room for the journal: see `open_journal`.
RESERVE = "quarantine-journal.reserve"

_RESERVED_BYTES = 2**16
_NO_LOCKS = {errno.ENOLCK, errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP}


class LeftAlone(Exception):
    """Why a file is left alone. The text goes on after the file's path."""


@contextmanager
def _locked(folder: Path, lock: AbstractContextManager) -> Iterator[None]:
    """Hold a lock that raises `TimeoutError` if another process holds it."""
    with ExitStack() as held:
        try:
            held.enter_context(lock)
        except TimeoutError as error:
            raise Problem(
                f"{folder}: another process is moving files; wait until it has ended"
            ) from error
        except OSError as error:
            raise write_problem(folder, error) from error
        yield


@contextmanager
def _lock_of_place(place: Path) -> Iterator[None]:
    """The lock that lies in a quarantine; none if its disk has no locks, as some network drives."""
    lock = FileLock(place / LOCK, mode=0o666, blocking=False, fallback_to_soft=False)
    with ExitStack() as held:
        try:
            held.enter_context(lock)
        except OSError as error:
            if error.errno not in _NO_LOCKS:
                raise
        yield


def check_path(root: Path, path: str) -> None:
    """Make sure that a path does not lead out of the folder that it is relative to.

    Parameters
    ----------
    root : Path
        The folder, without links.
    path : str
        The path of a file in it, with ``/``.

    Raises
    ------
    LeftAlone
        If it leads out, by itself or over a link, or is not written plainly.

    Examples
    --------
    >>> check_path(Path.cwd(), "cats/a.jpg")
    """
    plain = isinstance(path, str) and path and "\0" not in path and str(PurePosixPath(path)) == path
    leads_out = not plain or path.startswith("/") or ".." in path.split("/")
    if leads_out or (os.name == "nt" and set(path) & set("\\:")):
        raise LeftAlone("is no path inside the folder; make the plan anew")
    if not real_path((root / path).parent).is_relative_to(root):
        raise LeftAlone("lies behind a link that leads out of the folder; it was not followed")


# The journal


class _About(NamedTuple):
    """A file as it was when it was moved into quarantine."""

    sha256: str
    mode: int
    modified: int


class Journal:
    """What was begun and what was done; `open_journal` makes one.

    The file has a line for each event, in JSON:

    - ``["folder", path]``: once, the library that the files come from;
    - ``["begin", where, path, sha256, mode, modified]``: before a move;
    - ``["is", where, path]``: after a move, or once it has failed.

    ``where`` is "in" for the quarantine and "out" for the library.

    Parameters
    ----------
    place : Path
        The quarantine folder.
    folder : Path
        The library.
    lines : list of list
        What the file holds: see `read_journal`.
    whole : bool
        Whether the last line of the file is whole.
    file : binary file
        The journal itself, open for appending, without a buffer.

    Attributes
    ----------
    where : dict
        Path -> "in" or "out".
    about : dict
        Path -> SHA-256, permissions and time of the file when it was moved into quarantine.
    begun : dict
        Path -> where a file was to go whose move was begun and not ended.
    """

    def __init__(
        self, place: Path, folder: Path, lines: list[list], whole: bool, file: BinaryIO
    ) -> None:
        self.place, self.folder, self.whole, self.file = place, folder, whole, file
        self.where: dict[str, str] = {}
        self.about: dict[str, _About] = {}
        self.begun: dict[str, str] = {}
        for word, where, path, *about in (line for line in lines if line[0] != "folder"):
            if word == "begin":
                self.begun[path], self.about[path] = where, _About(*about)
            else:
                self.where[path] = where
                self.begun.pop(path, None)

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
        if not self.whole:  # the last line was never finished
            line = b"\n" + line
        self.whole = False
        try:
            if self.file.write(line) != len(line):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            os.fsync(self.file.fileno())
        except OSError as error:
            raise write_problem(self.place / JOURNAL, error) from error
        self.whole = True

    def _is(self, where: str, path: str) -> None:
        self.write("is", where, path)
        self.where[path] = where
        self.begun.pop(path, None)

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
        if self.where.get(path) != "in":
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
            If the journal cannot be written.
        """
        source, target = self._from_to(where, path)
        check_path(self.place if where == "in" else self.folder, path)
        if os.path.lexists(target):
            raise LeftAlone(f"{target} is there already, and nothing is overwritten")
        if where == "in":
            self.about[path] = _About(sha256, stat.S_IMODE(seen.st_mode), seen.st_mtime_ns)
        elif not source.is_file():
            raise LeftAlone("is not in quarantine any more")
        else:
            seen = source.lstat()
            if sha256_of(source) != sha256:
                raise LeftAlone("has changed in quarantine; put it back by hand")
        self.begun[path] = where
        self.write("begin", where, path, *self.about[path])
        try:
            _make_folders(target.parent)
            _move(source, target, self.about[path], seen)
        except (OSError, LeftAlone):
            self._find(path)
            raise
        self._is(where, path)

    def recover(self) -> None:
        """Find out what became of the moves that were begun, and complete or take back each."""
        for path in list(self.begun):
            with suppress(LeftAlone, OSError):  # the move stays begun, and the file is left alone
                check_path(self.folder, path)
                check_path(self.place, path)
                self._find(path)

    def _find(self, path: str) -> None:
        where, sha256 = self.begun[path], self.about[path].sha256
        back = "out" if where == "in" else "in"
        source, target = self._from_to(where, path)
        _passing(target, sha256).unlink(missing_ok=True)
        if os.path.lexists(source) and os.path.lexists(target):
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
        elif os.path.lexists(source):
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
        If it cannot be written, if files are to come and those of another library are here, or if
        another process is moving files.

    Examples
    --------
    >>> place = Path("photos-quarantine")
    >>> with open_journal(place, Path("photos"), begin=False) as journal:  # doctest: +SKIP
    ...     journal.recover()
    """
    path = place / JOURNAL
    with ExitStack() as held:
        held.enter_context(_locked(folder, exclusive(folder / JOURNAL, wait=False)))
        try:
            _make_folders(place)
            held.enter_context(_locked(place, _lock_of_place(place)))
            lines, whole = read_journal(path)
            owner = owner_of(lines)
            if begin and owner not in (None, str(folder)):
                raise Problem(f"{place}: holds files of {owner}; choose another folder")
            file = held.enter_context(path.open("ab", buffering=0))
        except OSError as error:
            raise write_problem(path, error) from error
        journal = Journal(place, folder, lines, whole, file)
        if begin:
            _hold_room(place / RESERVE)
        else:
            with suppress(OSError):
                (place / RESERVE).unlink()
        if begin and owner is None:
            journal.write("folder", str(folder))
            _synchronise(place)
        yield journal


def _hold_room(reserve: Path) -> None:
    """Take up a little room, for the journal of a disk that will be full."""
    try:
        if not os.path.isfile(reserve) or reserve.stat().st_size < _RESERVED_BYTES:
            reserve.write_bytes(os.urandom(_RESERVED_BYTES))
    except OSError as error:
        raise write_problem(reserve, error) from error


def read_journal(file: Path) -> tuple[list[list], bool]:
    """What a journal holds.

    Parameters
    ----------
    file : Path
        The journal; it need not be there.

    Returns
    -------
    lines : list of list
        The words of each line. A broken line is left out: what it tells was not begun.
    whole : bool
        Whether the last line is whole.

    Raises
    ------
    OSError
        If it cannot be read.

    Examples
    --------
    >>> read_journal(Path("no such file"))
    ([], True)
    """
    content = file.read_bytes() if os.path.isfile(file) else b""
    lines = []
    for line in content.split(b"\n"):
        with suppress(ValueError):
            lines.append(json.loads(line))
    kinds = {"folder": [str] * 2, "begin": [str] * 4 + [int] * 2, "is": [str] * 3}
    lines = [line for line in lines if isinstance(line, list) and line]
    lines = [line for line in lines if kinds.get(str(line[0])) == [type(word) for word in line]]
    return lines, not content or content.endswith(b"\n")


def owner_of(lines: list[list]) -> str | None:
    """The library that the files of a quarantine come from.

    Parameters
    ----------
    lines : list of list
        From `read_journal`.

    Returns
    -------
    str or None
        Its folder; None if the journal does not tell.

    Examples
    --------
    >>> owner_of([["folder", "/photos"], ["is", "in", "a.jpg"]])
    '/photos'
    """
    return next((line[1] for line in lines if line[0] == "folder"), None)


# Moving


def _move(source: Path, target: Path, about: _About, seen: os.stat_result) -> None:
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
    _synchronise(source.parent)


def _check_seen(file: Path, seen: os.stat_result) -> None:
    now = file.lstat()
    if any(
        getattr(now, name) != getattr(seen, name) for name in ("st_ino", "st_size", "st_mtime_ns")
    ):
        raise LeftAlone("was changed while it was to be moved; run this again")


def _drop(source: Path, target: Path, about: _About) -> None:
    """Remove the copy of a replaced file. If both names are one file, `Journal._find` does it."""
    if not source.samefile(target) and sha256_of(target) == about.sha256:
        _remove(target)


def _rename(source: Path, target: Path, seen: os.stat_result) -> None:
    """On one file system, without overwriting."""
    has_both_names = give_name(source, target)
    _synchronise(target.parent)
    if has_both_names:
        _check_seen(target, seen)
        _check_seen(source, seen)
        source.unlink()


def _copy_over(source: Path, target: Path, about: _About, seen: os.stat_result) -> None:
    """To another file system."""
    passing = _passing(target, about.sha256)
    try:
        with source.open("rb") as old, passing.open("wb") as new:
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


def _passing(target: Path, sha256: str) -> Path:
    """The name of a copy that is not whole yet."""
    return target.with_name(f".{sha256[:16]}.partial")


def _make_folders(folder: Path) -> None:
    if not folder.is_dir():
        _make_folders(folder.parent)
        folder.mkdir(exist_ok=True)
        _synchronise(folder.parent)


def _synchronise(folder: Path) -> None:
    """Make the names in a folder outlast a power cut, if the operating system offers that."""
    with suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
