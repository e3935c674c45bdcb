"""Move files out of a folder so that none is lost, and put them back.

Nothing is deleted and nothing is overwritten. Before and after each move a line goes to a journal in the quarantine folder, and
at every moment in between the file is whole at its old place or at its new one. So a run may end in any way, and the next
one goes on from there.
"""

import errno
import hashlib
import json
import os
import re
import shutil
import stat
from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from itertools import count
from pathlib import Path, PurePosixPath
from typing import NamedTuple

import pandas as pd
from filelock import FileLock

from helpers import Problem
from helpers.files.atomic import PARTIAL, exclusive, give_name, write_problem, write_text
from helpers.files.parallel import progress_bar
from helpers.images.opening import check_folder
from helpers.quarantine import plans

#: The names, in the quarantine folder, of the journal, of the lock on it, and of room that is held for it.
JOURNAL, LOCK = "quarantine-journal.txt", "quarantine-journal.lock"
RESERVE = "quarantine-journal.reserve"

_RESERVED = 2**16  # bytes
_NO_LOCKS = {errno.ENOLCK, errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP}

# a plan that was carried out, or one that was being written when the run ended
_PLAN_FILE = re.compile(rf"plan(-\d+)?\.csv|\.plan(-\d+)?\.csv\.[0-9a-f]+{re.escape(PARTIAL)}")


def default_quarantine(folder: str | Path) -> Path:
    """Where the files of a folder go unless another place is named: beside it, ``NAME-quarantine``.

    Parameters
    ----------
    folder : str or Path

    Returns
    -------
    Path

    Raises
    ------
    Problem
        For a whole disk, which has nothing beside it.

    Examples
    --------
    >>> default_quarantine("photos").name
    'photos-quarantine'
    """
    folder = _real(folder)
    if not folder.name:
        raise Problem(
            f"{folder}: is a whole disk, so nothing lies beside it; name a quarantine folder on another disk"
        )
    return folder.with_name(f"{folder.name}-quarantine")


def check_place(folder: str | Path, quarantine: str | Path) -> None:
    """Make sure that a quarantine lies beside its library, and is a quarantine if it is there.

    Parameters
    ----------
    folder, quarantine : str or Path

    Raises
    ------
    Problem
        If one of the two lies inside the other, or something else is at that place.

    Examples
    --------
    >>> check_place("photos", "photos-quarantine")
    """
    folder, place = _real(folder), _real(quarantine)
    if place.is_relative_to(folder) or folder.is_relative_to(place):
        raise Problem(f"{place}: lies inside {folder} or around it; choose a folder beside it")
    if not os.path.lexists(place) or os.path.lexists(place / JOURNAL):
        return
    try:
        names = {inside.name for inside in place.iterdir()}
    except NotADirectoryError:
        names = {place.name}
    except OSError as error:
        raise Problem(
            f"{place}: may not be listed ({error.strerror}); choose another folder"
        ) from error
    if names - {LOCK, RESERVE}:
        raise Problem(f"{place}: is there already and is no quarantine; choose another folder")


def apply(
    folder: str | Path, plan: pd.DataFrame, quarantine: str | Path | None = None
) -> pd.DataFrame:
    """Move the files that a plan says to move into a quarantine folder. After an interruption call it again: it goes on.

    A file is moved if it is, byte for byte, the one of the plan, and the file that is kept in its place is so too. Otherwise it is left
    alone, and the table that is returned says why. A person may edit the plan: write ``keep`` for ``move``, or let the file that was to stay and
    its copy change places.

    Parameters
    ----------
    folder : str or Path
        The photo library.
    plan : DataFrame
        From `helpers.library.inventory.propose` or `helpers.quarantine.plans.read_plan`: the columns ``action``, ``path``, ``kept``, ``bytes`` and
        ``sha256``. The rows of the files that are kept must be in it.
    quarantine : str or Path, optional
        Where the files go, under the same relative paths; `default_quarantine` if left out. It may be on another disk, but not in
        the library, and takes the files of one library only. It also holds the journal and, to tell why a file went, the plan:
        ``plan.csv``, or ``plan-2.csv`` and so on where another plan is there.

    Returns
    -------
    DataFrame
        A row for each file to be moved: ``path``, ``outcome`` (``moved`` or ``left alone``) and ``reason``, why it was left alone.

    Raises
    ------
    Problem
        If there is no such folder, the quarantine is none, belongs to another folder, lies inside the library or cannot be
        written, or another process is at work.

    Notes
    -----
    On one file system a file gets its new name beside the old one (a hard link, which never overwrites), and then loses the old one. Where
    there are no hard links, and on Windows, it is renamed. To another file system it is copied under a passing name, synchronised,
    compared by SHA-256 and renamed, and then the original is removed. A file that was written to or replaced meanwhile stays, and
    what was new in quarantine goes. Times and permissions stay; the journal has them too, for file systems that keep them less exactly.

    Examples
    --------
    >>> apply("photos", plan)  # doctest: +SKIP
    """
    folder = _real(folder)
    place = _real(quarantine) if quarantine is not None else default_quarantine(folder)
    check_folder(folder)
    check_place(folder, place)
    if missing := [name for name in plans.NEEDED if name not in plan]:
        raise Problem(f"the plan has no column {missing[0]!r}; make it anew")
    moves = plan[plan["action"] == "move"]
    outcomes = []
    if len(moves) or os.path.lexists(place):
        to_move, links, seen = set(moves["path"]), _links(folder), {}
        staying = [row for row in plan.itertuples() if row.path not in to_move]
        stays = {row.path: row for row in staying}
        instead = {row.kept: row for row in reversed(staying) if row.action == "keep"}
        with _alone(folder), _open_journal(place, folder) as journal:
            journal.recover()
            if len(moves):
                _check_room(folder, place, moves, journal)
                _keep_plan(place, plan)
            for row in progress_bar(moves.itertuples(), total=len(moves), title="moving"):
                reason = ""
                if not journal.has_moved(row.path):
                    kept = stays.get(row.kept)
                    # who was to stay may go for a copy that a person wants to keep, and with it who is the same
                    other = instead.get(row.kept)
                    if other and (
                        row.kept == row.path or (not kept and other.sha256 == row.sha256)
                    ):
                        kept = other
                    with _reason_to_leave() as reasons:
                        status = _check(folder, row, kept, links, seen)
                        journal.move("in", row.path, row.sha256, status)
                    reason = "".join(reasons)
                outcomes.append((row.path, "left alone" if reason else "moved", reason))
    return pd.DataFrame(outcomes, columns=["path", "outcome", "reason"], dtype="str")


def undo(quarantine: str | Path, folder: str | Path | None = None) -> pd.DataFrame:
    """Put back all that `apply` moved, byte for byte. After an interruption call it again: it goes on.

    Parameters
    ----------
    quarantine : str or Path
        The quarantine folder.
    folder : str or Path, optional
        Where the files go: where they came from, if left out. Name it if the library has been moved since.

    Returns
    -------
    DataFrame
        A row for each file in the quarantine: ``path``, ``outcome`` (``put back`` or ``left alone``) and ``reason``. A file is left alone where
        something has taken its place, or has changed it. The journal and the plans stay in the quarantine folder.

    Raises
    ------
    Problem
        If it is no quarantine folder, the library is not there, or another process is at work.

    Examples
    --------
    >>> undo("photos-quarantine")  # doctest: +SKIP
    """
    place = _real(quarantine)
    if not os.path.isfile(place / JOURNAL):
        raise Problem(
            f"{quarantine}: is no quarantine folder, since it holds no {JOURNAL}; check the spelling"
        )
    try:
        owner = _owner(_read_journal(place / JOURNAL)[0])
    except OSError as error:
        raise Problem(
            f"{place / JOURNAL}: cannot be read ({error.strerror or error}); ask for permission to read it"
        ) from error
    if folder is None and owner is None:
        raise Problem(
            f"{place / JOURNAL}: does not tell where the files came from; name the folder"
        )
    folder = _real(folder if folder is not None else owner)
    if not os.path.isdir(folder):
        raise Problem(
            f"{folder}: no such folder; connect its disk, or name where the library is now"
        )
    if owner not in (None, str(folder)) and os.path.isdir(owner):
        raise Problem(f"{place}: holds files of {owner}; name that folder")
    with suppress(OSError):  # where it may not be listed
        if not any(folder.iterdir()):
            raise Problem(
                f"{folder}: is empty, as is the place of a disk that is not connected; connect it or, if this is the right "
                "folder, put any file there first"
            )
    outcomes = []
    with _alone(folder), _open_journal(place) as journal:
        with suppress(OSError):
            (place / RESERVE).unlink()  # room for the journal, where there is no other left
        journal.folder = folder
        journal.recover()
        inside = sorted(path for path, where in journal.where.items() if where == "in")
        for path in progress_bar(inside, total=len(inside), title="putting back"):
            with _reason_to_leave() as reasons:
                journal.move("out", path, journal.about[path].sha256)
            outcomes.append((path, "left alone" if reasons else "put back", "".join(reasons)))
        for path in _strangers(place, known={JOURNAL, LOCK, RESERVE, *inside}):
            outcomes.append((path, "left alone", "is not in the journal; put it back by hand"))
        _remove_empty_folders(place)
    return pd.DataFrame(outcomes, columns=["path", "outcome", "reason"], dtype="str")


class _LeftAlone(Exception):
    """Why a file is left alone."""


@contextmanager
def _reason_to_leave() -> Iterator[list[str]]:
    """A list that holds the reason, once the block has ended, if there was one."""
    reasons: list[str] = []
    try:
        yield reasons
    except _LeftAlone as reason:
        reasons.append(str(reason))
    except FileNotFoundError:
        reasons.append("is not there any more; scan again")
    except OSError as error:
        reasons.append(f"could not be moved ({error.strerror or error})")


@contextmanager
def _locked(folder: Path, lock: AbstractContextManager) -> Iterator[None]:
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


def _alone(folder: Path) -> AbstractContextManager[None]:
    """Keep off other processes that would move files of the same library, to whatever quarantine."""
    return _locked(folder, exclusive(folder / JOURNAL, wait=False))


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


def _real(path: str | Path) -> Path:
    """The path without links. `Path.resolve` raises for links in a circle, before Python 3.13."""
    return Path(os.path.realpath(path))


# What is checked before a file is moved


def _links(folder: Path) -> dict[Path, Path]:
    """The files that links in the folder lead to, with one of these links each."""
    return {
        _real(Path(place) / name): Path(place) / name
        for place, _, names in os.walk(folder)
        for name in names
        if (Path(place) / name).is_symlink()
    }


def _check(
    folder: Path, row: tuple, kept: tuple | None, links: dict[Path, Path], seen: dict[str, tuple]
) -> os.stat_result:
    """The status that a file of the plan had when it was looked at. Raise the reason why it must not be moved, if there is one."""
    if kept is None or kept.path == row.path:
        raise _LeftAlone(
            "the plan keeps no file in its place; write keep for it, or for the one it is a copy of"
        )
    status = _check_file(folder, row, "", seen)
    _check_file(folder, kept, f"{kept.path}, which is kept in its place, ", seen)
    moved, stays = folder / row.path, folder / kept.path
    if link := links.get(_real(moved)):
        raise _LeftAlone(f"a link leads to it: {link.relative_to(folder)}")
    if moved.samefile(stays) and (_real(moved) == _real(stays) or moved.stat().st_nlink < 2):
        raise _LeftAlone(f"it is the very file that is kept, {kept.path}, by another path")
    return status


def _check_file(folder: Path, row: tuple, who: str, seen: dict[str, tuple]) -> os.stat_result:
    """The status of a file before it was read. Raise the reason why it is not, byte for byte, the one of the plan."""
    _check_path(folder, row.path)
    file = folder / row.path
    if not os.path.lexists(file):
        raise _LeftAlone(f"{who}is not there any more; scan again")
    status = file.lstat()
    if not stat.S_ISREG(status.st_mode):
        raise _LeftAlone(f"{who}is a link or a folder now; scan again")
    now = (status.st_ino, status.st_size, status.st_mtime_ns, row.sha256)
    if seen.get(row.path) != now:
        other_size = pd.notna(row.bytes) and status.st_size != row.bytes
        if other_size or _sha256(file) != row.sha256:
            raise _LeftAlone(f"{who}has changed since the plan was made; scan again")
        seen[row.path] = now
    return status


def _check_path(root: Path, path: str) -> None:
    """Raise if a path leads out of the folder it is relative to: by itself, or over a link."""
    plain = isinstance(path, str) and path and "\0" not in path and str(PurePosixPath(path)) == path
    leads_out = not plain or path.startswith("/") or ".." in path.split("/")
    if leads_out or (os.name == "nt" and set(path) & set("\\:")):
        raise _LeftAlone("is no path inside the folder; make the plan anew")
    if not _real((root / path).parent).is_relative_to(root):
        raise _LeftAlone("lies behind a link that leads out of the folder; it was not followed")


def _sha256(file: Path) -> str:
    with file.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()


# The journal


class _About(NamedTuple):
    """A file as it was when it was moved into quarantine."""

    sha256: str
    mode: int
    modified: int


class _Journal:
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
        _check_path(self.place if where == "in" else self.folder, path)
        if os.path.lexists(target):
            raise _LeftAlone(f"{target} is there already, and nothing is overwritten")
        if where == "in":
            self.about[path] = _About(sha256, stat.S_IMODE(seen.st_mode), seen.st_mtime_ns)
        elif not source.is_file():
            raise _LeftAlone("is not in quarantine any more")
        else:
            seen = source.lstat()
            if _sha256(source) != sha256:
                raise _LeftAlone("has changed in quarantine; put it back by hand")
        self.begun[path] = where
        self.write("begin", where, path, *self.about[path])
        try:
            _make_folders(target.parent)
            _move(source, target, self.about[path], seen)
        except (OSError, _LeftAlone):
            self._find(path)
            raise
        self._is(where, path)

    def recover(self) -> None:
        """Find out what became of the moves that were begun."""
        for path in list(self.begun):
            with suppress(_LeftAlone, OSError):  # it stays begun, and is left alone
                _check_path(self.folder, path)
                _check_path(self.place, path)
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
            elif _sha256(target) != sha256:  # never came there
                where = back
            elif _sha256(source) == sha256:  # copied, and not yet removed
                _remove(target)
                where = back
            # else it is there, and something new has come to its old place
        elif os.path.lexists(source):
            where = back
        self._is(where, path)


@contextmanager
def _open_journal(place: Path, folder: Path | None = None) -> Iterator[_Journal]:
    """The journal of a quarantine folder, which is made for `folder` if it is not there.

    The lock on it lies with the files that it guards, so that it keeps off other computers and containers too.
    """
    file = place / JOURNAL
    try:
        _make_folders(place)
    except OSError as error:
        raise write_problem(file, error) from error
    with _locked(place, _lock_of_place(place)):
        try:
            lines, whole = _read_journal(file)
            owner = _owner(lines)
            if folder and owner not in (None, str(folder)):
                raise Problem(f"{place}: holds files of {owner}; choose another folder")
            journal = _Journal(place, folder, lines, whole)
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


def _check_room(folder: Path, place: Path, moves: pd.DataFrame, journal: _Journal) -> None:
    """Raise where files have to be copied to another disk, and it has no room for all."""
    if folder.stat().st_dev == place.stat().st_dev:
        return
    needed = sum(
        int(row.bytes)
        for row in moves.itertuples()
        if pd.notna(row.bytes)
        and not journal.has_moved(row.path)
        and os.path.isfile(folder / row.path)
    )
    free = shutil.disk_usage(place).free
    if needed > free:
        raise Problem(
            f"{place}: has room for {free / 1e6:,.1f} MB, and {needed / 1e6:,.1f} MB are to move there; make room, or name another "
            "quarantine folder"
        )


def _read_journal(file: Path) -> tuple[list[list], bool]:
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


def _owner(lines: list[list]) -> str | None:
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
    except _LeftAlone:
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
        raise _LeftAlone("was changed while it was to be moved; run this again")


def _drop(source: Path, target: Path, about: _About) -> None:
    """Remove what was to go, where something new is at its old place. (Two names of one file are for `_Journal._find`.)"""
    if not source.samefile(target) and _sha256(target) == about.sha256:
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
        if _sha256(passing) != about.sha256:
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
    except _LeftAlone:
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


# What is left in quarantine


def _keep_plan(place: Path, plan: pd.DataFrame) -> None:
    """Put the plan into quarantine, under a name that is free, unless it is there already."""
    text = plans.as_csv(plan)
    for number in count(1):
        file = place / (f"plan-{number}.csv" if number > 1 else "plan.csv")
        if not os.path.lexists(file):
            write_text(file, text)
            return
        with suppress(OSError):
            if file.read_bytes() == text.encode():
                return


def _strangers(place: Path, known: set[str]) -> list[str]:
    """Files in quarantine that the journal does not know, and that are no plans."""
    found = {
        (Path(folder) / name).relative_to(place).as_posix()
        for folder, _, names in os.walk(place)
        for name in names
    }
    return sorted(path for path in found - known if not _PLAN_FILE.fullmatch(path))


def _remove_empty_folders(place: Path) -> None:
    for folder, _, _ in os.walk(place, topdown=False):
        if Path(folder) != place:
            with suppress(OSError):  # it is not empty
                Path(folder).rmdir()
