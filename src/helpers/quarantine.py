"""Move files out of a folder, safely, and put them back.

Nothing is deleted and nothing is overwritten. Before and after each move a line goes to a journal in the quarantine folder, and
the move itself is one step of the operating system; so that however a run ends, each file is at its old place or its new
one, and the next run goes on from there.
"""

import errno
import hashlib
import json
import os
import shutil
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path, PurePosixPath, PureWindowsPath

import pandas as pd

from helpers import Problem
from helpers.atomic import exclusive, write_problem

#: The journal's name in the quarantine folder.
JOURNAL = "quarantine-journal.txt"

#: What the operating system says where there are no hard links, or none for this file.
_NO_LINKS = {
    errno.EPERM,
    errno.ENOTSUP,
    errno.EOPNOTSUPP,
    errno.ENOSYS,
    errno.EMLINK,
    errno.EACCES,
    errno.EINVAL,
}


def default_quarantine(folder: str | Path) -> Path:
    """Where the files of a folder go unless another place is named: beside it, ``NAME-quarantine``.

    Parameters
    ----------
    folder : str or Path

    Returns
    -------
    Path

    Examples
    --------
    >>> default_quarantine("photos").name
    'photos-quarantine'
    """
    folder = Path(folder).resolve()
    return folder.with_name(f"{folder.name}-quarantine")


def apply(
    folder: str | Path, plan: pd.DataFrame, quarantine: str | Path | None = None
) -> pd.DataFrame:
    """Move the files that a plan says to move into a quarantine folder. Interrupted, call it again: it goes on.

    A file is moved only if it is, byte for byte, what the plan says, and so is the one that is kept in its place; else it is
    left where it is, and the table says why.

    Parameters
    ----------
    folder : str or Path
        The photo library.
    plan : DataFrame
        From `helpers.library.propose` or `helpers.library.read_plan`: ``action``, ``path``, ``kept``, ``bytes`` and ``sha256``
        are looked at. The rows of the kept files must be in it.
    quarantine : str or Path, optional
        Where the files go, under their relative paths; `default_quarantine` if left out. It may be on another disk. It keeps the
        journal, and takes the files of one folder only.

    Returns
    -------
    DataFrame
        A row a file to move: ``path``, ``outcome`` (``moved`` or ``left alone``) and ``reason`` (why it was left alone).

    Raises
    ------
    Problem
        If there is no such folder, if the quarantine lies inside it or around it, is something else, belongs to another folder,
        cannot be written, or is being worked on by another process.

    Notes
    -----
    On one file system a move is a second name (a hard link, which refuses to overwrite) and then the removal of the first; on Windows,
    and where there are no links, a renaming. On another file system it is a copy to a name of its own, fsync, a comparison
    of SHA-256, a renaming, and then the removal of the original. Times and permissions stay.

    Examples
    --------
    >>> apply("photos", plan)  # doctest: +SKIP
    """
    folder, place = _places(folder, quarantine)
    if not folder.is_dir():
        raise Problem(f"{folder}: no such folder; check the spelling")
    columns = {"action", "path", "kept", "bytes", "sha256"}
    if missing := sorted(columns - set(plan.columns)):
        raise Problem(f"the plan has no column {missing[0]!r}; propose it anew")
    with _locked(folder, place), _Journal.open(place, folder) as journal:
        journal.recover()
        seen: dict[str, tuple] = {}
        moves = plan[plan["action"] == "move"]
        to_move = set(moves["path"])
        promised = {row.path: row for row in plan.itertuples() if row.action != "move"}
        outcomes = []
        for row in moves.itertuples():
            try:
                if journal.state.get(row.path) != "in" or (folder / row.path).exists():
                    kept = None if row.kept in to_move else promised.get(row.kept)
                    _check(folder, row, kept, seen)
                    journal.move("in", row.path, row.sha256)
                outcomes.append((row.path, "moved", ""))
            except _LeftAlone as reason:
                outcomes.append((row.path, "left alone", str(reason)))
    return pd.DataFrame(outcomes, columns=["path", "outcome", "reason"], dtype="str")


def undo(quarantine: str | Path, folder: str | Path | None = None) -> pd.DataFrame:
    """Put back all files that `apply` moved, byte for byte. Interrupted, call it again: it goes on.

    Parameters
    ----------
    quarantine : str or Path
        The quarantine folder.
    folder : str or Path, optional
        Where the files go; where they came from, as the journal has it, if left out.

    Returns
    -------
    DataFrame
        A row a file in quarantine: ``path``, ``outcome`` (``put back`` or ``left alone``) and ``reason``. A file whose place has been
        taken since is left alone. The journal stays.

    Raises
    ------
    Problem
        If it is no quarantine folder, or another process works on it.

    Examples
    --------
    >>> undo("photos-quarantine")  # doctest: +SKIP
    """
    place = Path(quarantine).resolve()
    if not (place / JOURNAL).is_file():
        raise Problem(
            f"{quarantine}: holds no {JOURNAL}, so it is no quarantine folder; check the spelling"
        )
    folder = Path(folder).resolve() if folder is not None else _folder_of(place)
    with _locked(folder, place), _Journal.open(place, folder, moved=True) as journal:
        journal.recover()
        outcomes = []
        for path, state in sorted(journal.state.items()):
            if state != "in":
                continue
            try:
                journal.move("out", path, journal.sha256[path])
                outcomes.append((path, "put back", ""))
            except _LeftAlone as reason:
                outcomes.append((path, "left alone", str(reason)))
        _remove_empty_folders(place)
    return pd.DataFrame(outcomes, columns=["path", "outcome", "reason"], dtype="str")


class _LeftAlone(Exception):
    """Why a file is not moved."""


# What is checked before


def _places(folder: str | Path, quarantine: str | Path | None) -> tuple[Path, Path]:
    folder = Path(folder).resolve()
    place = Path(quarantine).resolve() if quarantine is not None else default_quarantine(folder)
    if place.is_relative_to(folder) or folder.is_relative_to(place):
        raise Problem(f"{place}: lies inside {folder} or around it; choose a folder beside it")
    return folder, place


@contextmanager
def _locked(folder: Path, place: Path) -> Iterator[None]:
    try:
        with exclusive(folder, wait=False), exclusive(place, wait=False):
            yield
    except TimeoutError as error:
        raise Problem(
            f"{folder}: another process is moving its files; wait until it has ended"
        ) from error


def _check(folder: Path, row: tuple, kept: tuple | None, seen: dict) -> None:
    """Raise the reason, if the file must not be moved."""
    _check_path(folder, row.path)
    if row.kept == row.path or kept is None:
        raise _LeftAlone("the plan names no file that is kept in its place; propose it anew")
    _check_file(folder, row, seen, "the file")
    _check_path(folder, row.kept)
    _check_file(folder, kept, seen, f"the kept one, {row.kept},")
    if (
        os.path.samefile(folder / row.path, folder / row.kept)
        and (folder / row.path).stat().st_nlink < 2
    ):
        raise _LeftAlone(f"it is one file with the kept one, {row.kept}, under two names")


def _check_path(folder: Path, path: str) -> None:
    strange = not path or "\0" in path or ".." in PurePosixPath(path).parts
    if strange or PurePosixPath(path).is_absolute() or PureWindowsPath(path).drive:
        raise _LeftAlone("its path leads out of the folder; propose the plan anew")
    try:
        inside = (folder / path).parent.resolve(strict=True).is_relative_to(folder)
    except OSError:
        raise _LeftAlone(f"{path} is not there any more; scan again") from None
    if not inside:
        raise _LeftAlone("it lies behind a link that leads out of the folder")


def _check_file(folder: Path, row: tuple, seen: dict, what: str) -> None:
    """Raise unless a file is, byte for byte, what its row of the plan says."""
    file = folder / row.path
    try:
        status = file.lstat()
        if not stat.S_ISREG(status.st_mode):
            raise _LeftAlone(f"{what} is a link or a folder now; scan again")
        about = (status.st_size, status.st_mtime_ns, status.st_ino, row.sha256)
        if seen.get(row.path) == about:
            return
        if status.st_size != row.bytes or _sha256(file) != row.sha256:
            raise _LeftAlone(f"{what} has changed since the plan was made; scan again")
        seen[row.path] = about
    except OSError as error:
        if isinstance(error, FileNotFoundError):
            raise _LeftAlone(f"{what} is not there any more; scan again") from None
        raise _LeftAlone(f"{what} cannot be read ({error.strerror})") from None


def _sha256(file: Path) -> str:
    with file.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()


# The journal


class _Journal:
    """What was begun and what was done, a line each.

    ``["folder", path]`` first; then ``["begin", "in" | "out", path, sha256]`` before a move into quarantine or out of it, and
    ``["done", where, path]`` after it, where ``where`` says where the file is then.
    """

    def __init__(self, place: Path, folder: Path, lines: list[list]) -> None:
        self.place, self.folder = place, folder
        self.state: dict[str, str] = {}  # path -> "in" quarantine or "out" of it
        self.sha256: dict[str, str] = {}
        self.pending: dict[str, str] = {}  # path -> where it was being moved
        for word, *rest in lines:
            if word == "begin":
                where, path, self.sha256[rest[1]] = rest
                self.pending[path] = where
            elif word == "done":
                where, path = rest
                self.state[path] = where
                self.pending.pop(path, None)

    @classmethod
    @contextmanager
    def open(cls, place: Path, folder: Path, *, moved: bool = False) -> Iterator["_Journal"]:
        file = place / JOURNAL
        try:
            if not file.is_file() and place.is_dir() and any(place.iterdir()):
                raise Problem(
                    f"{place}: is there already and is no quarantine folder; choose another"
                )
            place.mkdir(parents=True, exist_ok=True)
            lines = _lines(file)
            if not moved and (owner := _owner(lines)) and owner != str(folder):
                raise Problem(f"{place}: holds files of {owner}; choose another quarantine folder")
            journal = cls(place, folder, lines)
            with file.open("ab") as journal.file:
                if journal.file.tell() and not file.read_bytes().endswith(b"\n"):
                    journal.file.write(b"\n")  # the end of a line that was never finished
                if not _owner(lines):
                    journal.write("folder", str(folder))
                    _sync_folder(place)
                    _sync_folder(place.parent)
                yield journal
        except OSError as error:
            raise write_problem(file, error) from error

    def write(self, *words: str) -> None:
        self.file.write(json.dumps(words).encode() + b"\n")
        self.file.flush()
        os.fsync(self.file.fileno())

    def _done(self, where: str, path: str) -> None:
        self.write("done", where, path)
        self.state[path] = where
        self.pending.pop(path, None)

    def _ends(self, where: str, path: str) -> tuple[Path, Path]:
        outside, inside = self.folder / path, self.place / path
        return (outside, inside) if where == "in" else (inside, outside)

    def move(self, where: str, path: str, sha256: str) -> None:
        """Move a file into quarantine ("in") or back ("out"), or raise the reason why it was left alone."""
        source, target = self._ends(where, path)
        if os.path.lexists(target):
            raise _LeftAlone(f"{target} is there already; nothing is overwritten")
        try:
            if where == "out" and _sha256(source) != sha256:
                raise _LeftAlone(f"{source} has changed in quarantine; put it back by hand")
        except OSError as error:
            raise _LeftAlone(f"{source} cannot be read ({error.strerror})") from None
        self.write("begin", where, path, sha256)
        self.pending[path], self.sha256[path] = where, sha256
        try:
            made = _make_folders(target.parent)
            _move(source, target, sha256)
        except OSError as error:
            if os.path.lexists(source):
                self._done("out" if where == "in" else "in", path)
            raise _LeftAlone(f"could not be moved ({error.strerror or error})") from None
        del made
        self._done(where, path)

    def recover(self) -> None:
        """Look what became of the moves that were begun and not done."""
        for path, where in list(self.pending.items()):
            source, target = self._ends(where, path)
            back = "out" if where == "in" else "in"
            _partial(target, self.sha256[path]).unlink(missing_ok=True)
            if not os.path.lexists(target):
                self._done(back, path)
            elif not os.path.lexists(source):
                self._done(where, path)
            elif _is_twin(source, target, self.sha256[path]):
                target.unlink()
                self._done(back, path)
            elif _sha256(target) == self.sha256[path]:  # something else has taken its old place
                self._done(where, path)
            else:
                self._done(back, path)


def _is_twin(source: Path, target: Path, sha256: str) -> bool:
    """Whether `target` can go because `source` is the same."""
    if os.path.samefile(source, target):
        return source.stat().st_nlink > 1
    return _sha256(source) == sha256 == _sha256(target)


def _lines(file: Path) -> list[list]:
    """The journal's lines; a line that was never finished counts for nothing: what it speaks of was not begun."""
    lines = []
    for line in file.read_bytes().splitlines() if file.is_file() else []:
        with suppress(ValueError):
            lines.append(json.loads(line))
    return lines


def _owner(lines: list[list]) -> str | None:
    return next((line[1] for line in lines if line[0] == "folder"), None)


def _folder_of(place: Path) -> Path:
    owner = _owner(_lines(place / JOURNAL))
    if owner is None:
        raise Problem(f"{place / JOURNAL}: does not say where the files came from; name the folder")
    return Path(owner)


# Moving


def _move(source: Path, target: Path, sha256: str) -> None:
    """Move a file so that it is at one place or the other, whole, at any moment, and nothing is overwritten."""
    try:
        _rename(source, target)
    except OSError as error:
        if error.errno != errno.EXDEV:
            raise
        _copy_over(source, target, sha256)
    _sync_folder(source.parent)


def _rename(source: Path, target: Path) -> None:
    if os.name == "nt":
        source.rename(target)  # which refuses to overwrite there
        return
    try:
        os.link(source, target)
    except OSError as error:
        if error.errno not in _NO_LINKS:
            raise
        if os.path.lexists(target):
            raise FileExistsError(errno.EEXIST, "is there already", str(target)) from error
        source.rename(target)
        _sync_folder(target.parent)
        return
    _sync_folder(target.parent)
    try:
        source.unlink()
    except OSError:
        target.unlink()
        raise


def _copy_over(source: Path, target: Path, sha256: str) -> None:
    """To another file system."""
    partial = _partial(target, sha256)
    try:
        with source.open("rb") as old, partial.open("wb") as new:
            shutil.copyfileobj(old, new, 2**20)
            new.flush()
            os.fsync(new.fileno())
        if _sha256(partial) != sha256:
            raise OSError(errno.EIO, "its copy differs from it")
        shutil.copystat(source, partial)
        _rename(partial, target)
    finally:
        with suppress(OSError):
            partial.unlink(missing_ok=True)
    try:
        source.unlink()
    except OSError:
        target.chmod(0o600)
        target.unlink()
        raise


def _partial(target: Path, sha256: str) -> Path:
    return target.with_name(f".{sha256[:16]}.partial")


def _make_folders(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)


def _sync_folder(folder: Path) -> None:
    """Make sure that the names in a folder outlast a power cut; Windows does not offer it."""
    if os.name == "nt":
        return
    with suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def _remove_empty_folders(place: Path) -> None:
    for folder, _, _ in os.walk(place, topdown=False):
        if Path(folder) != place:
            with suppress(OSError):
                Path(folder).rmdir()
