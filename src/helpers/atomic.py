"""Files and folders that are whole or absent, however a program ends.

Everything is written beside its final place and moved there in one step. A lock, which the operating system
lets go of when a process dies, keeps two processes from doing the same work.
"""

import hashlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock

from helpers import Problem


@contextmanager
def exclusive(path: str | Path) -> Iterator[None]:
    """Let one process at a time work on `path`; the others wait.

    Parameters
    ----------
    path : str or Path
        What is worked on. The lock itself lies in the folder for temporary files.

    Examples
    --------
    >>> with exclusive("db.shelve"):
    ...     pass
    """
    name = hashlib.sha256(os.fsencode(Path(path).resolve())).hexdigest()[:16]
    with FileLock(Path(tempfile.gettempdir()) / f"image-fingerprints-{name}.lock"):
        yield


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
    partial = final.with_name(f".{final.name}.partial")
    old = final.with_name(f".{final.name}.old")
    try:
        for leftover in (partial, old):
            shutil.rmtree(leftover, ignore_errors=True)
        partial.mkdir(parents=True)
        yield partial
        if final.exists():
            final.rename(old)
        partial.rename(final)
    except OSError as error:
        raise write_problem(final, error) from error
    finally:
        for leftover in (partial, old):
            shutil.rmtree(leftover, ignore_errors=True)


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
    partial = path.with_name(f".{path.name}.partial")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with open(partial, "w", encoding="utf-8", newline="\n") as file:
            file.write(text)
        os.replace(partial, path)
    except OSError as error:
        partial.unlink(missing_ok=True)
        raise write_problem(path, error) from error
