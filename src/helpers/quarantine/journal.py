"""The journal of a quarantine, and the moving of one file."""

import errno
import json
import os
import shutil
import stat
from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from filelock import FileLock

from helpers import Problem
from helpers.files.atomic import give_name, write_problem
from helpers.files.places import real_path, sha256_of

#: The names, in the quarantine folder, of the journal, of the lock on it, and of room that is held for it.
JOURNAL, LOCK = "quarantine-journal.txt", "quarantine-journal.lock"
RESERVE = "quarantine-journal.reserve"

_RESERVED = 2**16  # bytes
_NO_LOCKS = {errno.ENOLCK, errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP}


class LeftAlone(Exception):
    """Why a file is left alone."""


@contextmanager
def locked(folder: Path, lock: AbstractContextManager) -> Iterator[None]:
    """Hold a lock, which does not wait."""
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
    """The lock that lies in a quarantine; none where its disk has no locks, as some network drives: then that of `_alone` has to do."""
    lock = FileLock(place / LOCK, mode=0o666, blocking=False, fallback_to_soft=False)
    with ExitStack() as held:
        try:
            held.enter_context(lock)
        except OSError as error:
            if error.errno not in _NO_LOCKS:
                raise
        yield


def check_path(root: Path, path: str) -> None:
    """Raise if a path leads out of the folder it is relative to: by itself, or over a link."""
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
    """What was begun and what was done. A line each, in JSON:

    ``["folder", path]`` once; before a move ``["begin", where, path, sha256, mode, modified]``; after it, or once it has failed,
    ``["is", where, path]``. `where` is "in" for quarantine, "out" for the library.
    """

    def __init__(self, place: Path, folder: Path | None, lines: list[list], whole: bool) -> None:
        self.place, self.folder, self.whole = place, folder, whole
        self.where: dict[str, str] = {}
        self.about: dict[str, _About] = {}
        self.begun: dict[str, str] = {}  # path -> where it was to go
        for word, where, path, *about in (line for line in lines if line[0] != "folder"):
            if word == "begin":
                self.begun[path], self.about[path] = where, _About(*about)
            else:
                self.where[path] = where
                self.begun.pop(path, None)

    def write(self, *words: str | int) -> None:
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
        """Whether a file is in quarantine, and nothing has come to its old place."""
        if self.where.get(path) != "in":
            return False
        source, target = self._from_to("in", path)
        return os.path.lexists(target) and not os.path.lexists(source)

    def move(self, where: str, path: str, sha256: str, seen: os.stat_result | None = None) -> None:
        """Move a file into quarantine, as it was when it was seen, or out of it. Raise the reason why it is left alone."""
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
        """Find out what became of the moves that were begun."""
        for path in list(self.begun):
            with suppress(LeftAlone, OSError):  # it stays begun, and is left alone
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
                if source.stat().st_nlink > 1:  # it has its new name, and the old one too
                    target.unlink()
                where = back
            elif sha256_of(target) != sha256:  # never came there
                where = back
            elif sha256_of(source) == sha256:  # copied, and not yet removed
                _remove(target)
                where = back
            # else it is there, and something new has come to its old place
        elif os.path.lexists(source):
            where = back
        self._is(where, path)


@contextmanager
def open_journal(place: Path, folder: Path | None = None) -> Iterator[Journal]:
    """The journal of a quarantine folder, which is made for `folder` if it is not there.

    The lock on it lies with the files that it guards, so that it keeps off other computers and containers too.
    """
    file = place / JOURNAL
    try:
        _make_folders(place)
    except OSError as error:
        raise write_problem(file, error) from error
    with locked(place, _lock_of_place(place)):
        try:
            lines, whole = read_journal(file)
            owner = owner_of(lines)
            if folder and owner not in (None, str(folder)):
                raise Problem(f"{place}: holds files of {owner}; choose another folder")
            journal = Journal(place, folder, lines, whole)
            journal.file = file.open("ab", buffering=0)
        except OSError as error:
            raise write_problem(file, error) from error
        with journal.file:
            if folder:
                _hold_room(place / RESERVE)
            if folder and owner is None:
                journal.write("folder", str(folder))
                _synchronise(place)
            yield journal


def _hold_room(reserve: Path) -> None:
    """Take up a little room, which `undo` gives back: on a disk that is full it too has to write in the journal."""
    try:
        if not os.path.isfile(reserve) or reserve.stat().st_size < _RESERVED:
            reserve.write_bytes(os.urandom(_RESERVED))
    except OSError as error:
        raise write_problem(reserve, error) from error


def read_journal(file: Path) -> tuple[list[list], bool]:
    """The journal's lines, and whether the last one is whole. A broken one counts for nothing: what it tells was not begun."""
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
    return next((line[1] for line in lines if line[0] == "folder"), None)


# Moving


def _move(source: Path, target: Path, about: _About, seen: os.stat_result) -> None:
    """Move the file that was seen, or raise if somebody has written to it or replaced it since.

    No system removes a name only if it is still that of a certain file. So a moment is left, between the last look and the
    removal, in which a new file at the old place would be lost and, where the file goes to another disk, also what is then
    written to it. On one disk such writes go along with the file.
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
    """Remove what was to go, where something new is at its old place. (Two names of one file are for `Journal._find`.)"""
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
        with suppress(
            OSError, AttributeError
        ):  # only root may give files away; Windows has no such thing
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
    """Remove a file of which there is another copy, also where Windows calls it read-only."""
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
    """Make the names in a folder outlast a power cut, where the operating system offers that."""
    with suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
