"""Files and folders that are whole or absent, however a program ends.

Everything is written beside its final place and moved there in one step. A lock keeps two
processes from doing the same work; the operating system lets go of it when a process dies.
"""

import errno
import hashlib
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from glob import escape
from pathlib import Path
from uuid import uuid4

from helpers import Problem
from helpers.files.places import IN_BROWSER, one_line

_SILENCE = 1  # second, after which it is said that another process is waited for

#: How the names end of what is not whole yet.
PARTIAL = ".fingerprints-partial"


@contextmanager
def exclusive(path: str | Path, *, wait: bool = True) -> Iterator[None]:
    """Let one process at a time work on `path`; the others wait.

    What an interrupted process left behind is cleared first.

    Parameters
    ----------
    path : str or Path
        What is worked on.
    wait : bool
        Whether to wait for another process that is at work.

    Yields
    ------
    None
        Once no other process is at work.

    Raises
    ------
    Problem
        If the lock cannot be written.
    TimeoutError
        If another process is at work, and we are not to wait.

    Notes
    -----
    The lock lies in the folder for temporary files. It keeps off the processes that share this
    folder, but not those of another computer on a network drive or of another container.

    Examples
    --------
    >>> with exclusive("db.shelve"):
    ...     pass
    """
    if IN_BROWSER:  # where there are no other processes
        clear(Path(path))
        yield
        return
    from filelock import FileLock, Timeout  # late: it has no locks in a browser, and warns of that

    # `Photos` and `photos` may be one folder; where they are two, one waits for the other
    same = os.path.realpath(path).casefold()
    name = hashlib.sha256(os.fsencode(same)).hexdigest()[:16]
    file = Path(tempfile.gettempdir()) / f"image-fingerprints-{name}.lock"
    lock = FileLock(file, mode=0o666)  # another user may need it too
    try:
        try:
            lock.acquire(blocking=wait, timeout=_SILENCE)
        except Timeout:
            if not wait:
                raise
            print(
                f"Another process works on {one_line(str(path))}; waiting for it", file=sys.stderr
            )
            lock.acquire()
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

    An older folder at `final` is replaced, unless the block has removed the folder that it got.
    What an interrupted run left behind is removed first.
    Hold `exclusive(final)` around it where two processes might meet.

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
        If the folder cannot be written, as there is no room or no permission.

    Examples
    --------
    >>> with new_folder("haystack") as folder:  # doctest: +SKIP
    ...     (folder / "truth.csv").touch()
    """
    final = Path(final)
    partial, old = _beside(final)
    try:
        clear(final)
        make_folders(final.parent)
        partial.mkdir()
        yield partial
        if partial.exists():
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
    """Remove what an interrupted run left behind beside its final place. Hold a lock around it.

    Parameters
    ----------
    final : Path
        What `new_folder`, `write_text` or a new bank was to make. If its older folder had been
        moved away already, that comes back.

    Examples
    --------
    >>> clear(Path("haystack"))
    """
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
    """A name for a file that is not whole yet, which no other file has.

    Parameters
    ----------
    final : Path
        The name that the file is to get once it is whole.

    Returns
    -------
    Path
        Beside `final`. `clear` knows such a name.

    Examples
    --------
    >>> unique_partial(Path("plan.csv")).name  # doctest: +SKIP
    '.plan.csv.0a1b2c3d.fingerprints-partial'
    """
    return final.with_name(f".{final.name}.{uuid4().hex[:8]}{PARTIAL}")


def give_name(file: Path, name: Path) -> bool:
    """Give a file a name on the same file system, without overwriting.

    Parameters
    ----------
    file : Path
        The file under its old name.
    name : Path
        The new name.

    Returns
    -------
    bool
        Whether the file has both names now, through a hard link. The caller then removes the old
        one. Where there are no hard links, and on Windows, the old name is gone already.

    Raises
    ------
    OSError
        `FileExistsError` if something has this name already; others as the system raises them.

    Examples
    --------
    >>> if give_name(partial, final):  # doctest: +SKIP
    ...     partial.unlink()
    """
    if os.name == "nt":
        file.rename(name)  # raises where something is there
        return False
    try:
        os.link(file, name)
    except (OSError, AttributeError) as error:  # a browser's Python has no os.link at all
        if os.path.lexists(name):
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST)) from error
        file.rename(name)  # there are no hard links; if something else is wrong, this fails too
        return False
    return True


def make_folders(folder: Path) -> None:
    """Make a folder and all above it that are missing, so that they outlast a power cut.

    Parameters
    ----------
    folder : Path
        The folder. It may lie deeper than functions may call each other.

    Examples
    --------
    >>> make_folders(Path("."))
    """
    missing = [place for place in (folder, *folder.parents) if not os.path.isdir(place)]
    for place in reversed(missing):
        place.mkdir(exist_ok=True)
        synchronise(place.parent)


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
    """The sentence for a file or folder that could not be written.

    Parameters
    ----------
    path : str or Path
        The file or folder.
    error : OSError
        What the system raised.

    Returns
    -------
    Problem
        To be raised.

    Examples
    --------
    >>> str(write_problem("a.csv", OSError("no room"))).partition(";")[0]
    'a.csv: could not be written (no room)'
    """
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
        If it cannot be written.

    Examples
    --------
    >>> write_text("plan.csv", "path,action\\n")  # doctest: +SKIP
    """
    write_bytes(path, text.encode())


def write_bytes(path: str | Path, content: bytes) -> None:
    """Write a small file, whole or not at all.

    Parameters
    ----------
    path : str or Path
        The file; an older one is replaced in one step.
    content : bytes
        What it is to hold.

    Raises
    ------
    Problem
        If it cannot be written.

    Examples
    --------
    >>> write_bytes("grid.png", b"...")  # doctest: +SKIP
    """
    write_all({Path(path): content})


def write_all(contents: Mapping[Path, bytes]) -> None:
    """Write small files that belong together: if there is no room for one, all stay as they were.

    Parameters
    ----------
    contents : mapping of Path to bytes
        What each file is to hold; an older one is replaced in one step.

    Raises
    ------
    Problem
        If one cannot be written.

    Examples
    --------
    >>> write_all({Path("one.csv"): b"...", Path("other.csv"): b"..."})  # doctest: +SKIP
    """
    partials = {path: unique_partial(path) for path in contents}
    try:
        for path, partial in partials.items():
            make_folders(path.parent)
            with partial.open("xb") as file:
                file.write(contents[path])
                file.flush()
                os.fsync(file.fileno())  # else, after a power cut, the new name might hold nothing
        for path, partial in partials.items():
            partial.replace(path)
    except OSError as error:
        raise write_problem(path, error) from error
    finally:
        for partial in partials.values():
            with suppress(OSError):
                partial.unlink()
