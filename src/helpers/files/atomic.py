"""Files and folders that are whole or absent, however a program ends.

Everything is written beside its final place and moved there in one step. A lock, which the operating system
lets go of when a process dies, keeps two processes from doing the same work.
"""

import errno
import hashlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from glob import escape
from pathlib import Path
from uuid import uuid4

from filelock import FileLock, Timeout

from helpers import Problem

#: How the names end of what is not whole yet.
PARTIAL = ".fingerprints-partial"

# what the operating system answers where a file cannot have a second name
_NO_LINKS = {
    errno.EACCES,
    errno.EINVAL,
    errno.EMLINK,
    errno.ENOSYS,
    errno.ENOTSUP,
    errno.EOPNOTSUPP,
    errno.EPERM,
}


@contextmanager
def exclusive(path: str | Path, *, wait: bool = True) -> Iterator[None]:
    """Let one process at a time work on `path`; the others wait. What an interrupted one left behind is cleared first.

    Parameters
    ----------
    path : str or Path
        What is worked on. The lock itself lies in the folder for temporary files, so it keeps off processes that share this folder:
        neither those of another computer on a network drive, nor those of another container.
    wait : bool
        False raises `TimeoutError` where another process is at work.

    Raises
    ------
    Problem
        Where the lock cannot be written.

    Examples
    --------
    >>> with exclusive("db.shelve"):
    ...     pass
    """
    # `Photos` and `photos` may be one folder; where they are two, one waits for the other
    same = os.path.realpath(path).casefold()
    name = hashlib.sha256(os.fsencode(same)).hexdigest()[:16]
    file = Path(tempfile.gettempdir()) / f"image-fingerprints-{name}.lock"
    lock = FileLock(file, mode=0o666)  # another user may need it too
    try:
        lock.acquire(blocking=wait)
    except Timeout:
        raise
    except OSError as error:
        raise write_problem(file, error) from error
    try:
        clear(Path(path))
        yield
    finally:
        lock.release()


@contextmanager
def new_folder(final: str | Path) -> Iterator[Path]:
    """A folder to fill, which takes the place `final` once the block ends without an error.

    An older folder at `final` is replaced. What an interrupted run left behind is removed first. Hold
    `exclusive(final)` around it where two processes might meet.

    Parameters
    ----------
    final : str or Path
        Where the folder is to stand.

    Yields
    ------
    Path
        An empty folder beside `final`.

    Raises
    ------
    Problem
        Where the folder cannot be written: no room, no permission.
    """
    final = Path(final)
    partial, old = _beside(final)
    try:
        clear(final)
        partial.mkdir(parents=True)
        yield partial
        if os.path.lexists(final):
            final.rename(old)
        partial.rename(final)
    except OSError as error:
        raise write_problem(final, error) from error
    finally:
        clear(final)


def _beside(final: Path) -> tuple[Path, Path]:
    # names that nobody gives to a folder of their own, since `clear` removes them
    return tuple(final.with_name(f".{final.name}{what}") for what in (PARTIAL, ".fingerprints-old"))


def clear(final: Path) -> None:
    """Remove what an interrupted `new_folder(final)` or `write_text` left behind. Hold a lock around it."""
    partial, old = _beside(final)
    if os.path.exists(old) and not os.path.exists(final):  # ended between the two renamings
        with suppress(OSError):
            old.rename(final)
    for leftover in (partial, old):
        shutil.rmtree(leftover, ignore_errors=True)
    with suppress(OSError):
        partials = f".{escape(final.name)}.{8 * '[0-9a-f]'}{PARTIAL}"
        for leftover in (*final.parent.glob(partials), *final.parent.glob(f"{partials}-journal")):
            leftover.unlink()


def unique_partial(final: Path) -> Path:
    """A name, which nobody else has, for a file that is to be moved to `final` once it is whole."""
    return final.with_name(f".{final.name}.{uuid4().hex[:8]}{PARTIAL}")


def give_name(file: Path, name: Path) -> bool:
    """Give a file a name on the same file system, without overwriting.

    Parameters
    ----------
    file, name : Path

    Returns
    -------
    bool
        Whether it has both names now (a hard link), for the caller to remove the old one. Where there are no hard links, and on
        Windows, it has lost the old one.

    Raises
    ------
    OSError
        `FileExistsError` where something has this name already.
    """
    if os.name == "nt":
        file.rename(name)  # raises where something is there
        return False
    try:
        os.link(file, name)
    except OSError as error:
        if error.errno not in _NO_LINKS:
            raise
        if os.path.lexists(name):
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST)) from error
        file.rename(name)
        return False
    return True


def synchronise(folder: Path) -> None:
    """Make the names in a folder outlast a power cut, where the operating system offers that.

    Parameters
    ----------
    folder : Path
        The folder in which a file has got its name.

    Examples
    --------
    >>> synchronise(Path("."))
    """
    with suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def write_problem(path: str | Path, error: OSError) -> Problem:
    """The sentence for a file or folder that could not be written."""
    return Problem(
        f"{path}: could not be written ({error.strerror or error}); make room there, "
        "or choose another folder that you may write to"
    )


def write_text(path: str | Path, text: str) -> None:
    """Write a small text file (UTF-8, ``\\n``), whole or not at all.

    Parameters
    ----------
    path : str or Path
        The file; an older one is replaced in one step.
    text : str
        What it is to hold.

    Raises
    ------
    Problem
        Where it cannot be written.
    """
    path = Path(path)
    partial = unique_partial(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with partial.open("x", encoding="utf-8", newline="\n") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())  # else, after a power cut, the new name might hold nothing
        partial.replace(path)
    except OSError as error:
        with suppress(OSError):
            partial.unlink()
        raise write_problem(path, error) from error
