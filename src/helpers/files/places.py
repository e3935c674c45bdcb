"""Where files are: opened, their content by SHA-256, their real place, where the kit's own are."""

import errno
import hashlib
import logging
import os
import stat
import sys
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

from helpers import Problem

#: Whether this is Python inside a page: no processes, no threads, no network of its own, and files
#: that are gone when the page is.
IN_BROWSER = sys.platform == "emscripten"
if IN_BROWSER:
    os.umask(0o022)  # it begins with 0o777 there: no new file could be read
    # matplotlib looks for fonts at each start there, and would say so in red
    logging.getLogger("matplotlib.font_manager").setLevel(logging.ERROR)

# this file is src/helpers/files/places.py in the clone
_CLONE = Path(__file__).resolve().parents[3]


def data_folder() -> Path:
    """Where datasets and everything made from them are kept.

    Returns
    -------
    Path
        What the environment variable ``FINGERPRINTS_DATA`` names, if it is set. Otherwise
        ``data/`` of the clone; for a package that was installed without its clone, the cache
        folder of the user, or in a browser the home folder.

    Raises
    ------
    Problem
        If the variable names the home folder of somebody who is not known here.

    Examples
    --------
    >>> data_folder()  # doctest: +SKIP
    PosixPath('image-fingerprints/data')
    """
    if chosen := os.environ.get("FINGERPRINTS_DATA"):
        try:
            return Path(chosen).expanduser()
        except RuntimeError as error:  # there is no such user
            raise Problem(
                f"FINGERPRINTS_DATA is {chosen!r}: {error}; write the whole path"
            ) from error
    if (_CLONE / "pyproject.toml").is_file() and (_CLONE / "data").is_dir():
        return _CLONE / "data"
    if IN_BROWSER:
        return Path.home() / "image-fingerprints"
    import pooch  # late: workers start without it

    return pooch.os_cache("image-fingerprints")


def made(what: str, dataset: str, *, seed: int) -> Path:
    """The folder in `data_folder` for what chance made from a dataset.

    Each seed has a folder of its own: a chapter that takes another one leaves those of other
    chapters as they are.

    Parameters
    ----------
    what : str
        What is in it, as ``"haystack"``.
    dataset : str
        The dataset's name.
    seed : int
        What it is made with.

    Returns
    -------
    Path
        It need not be there yet.

    Examples
    --------
    >>> made("haystack", "sample", seed=2014).name
    'haystack-sample-seed-2014'
    """
    return data_folder() / f"{what}-{dataset}-seed-{seed}"


def sha256_of(file: str | Path) -> str:
    """The SHA-256 of a file's content.

    Parameters
    ----------
    file : str or Path
        Read piece by piece, so its size does not matter.

    Returns
    -------
    str
        64 hex digits.

    Raises
    ------
    OSError
        If the file cannot be read.

    Examples
    --------
    >>> sha256_of("photos/cat.jpg")  # doctest: +SKIP
    'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855'
    """
    with Path(file).open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()


def size_and_time(file: Path) -> list[int] | None:
    """What tells that a file has changed.

    Parameters
    ----------
    file : Path
        The file.

    Returns
    -------
    list of int, or None
        Bytes, and nanoseconds since 1970 when it was last changed; None if it is not there.

    Examples
    --------
    >>> size_and_time(Path("no such file")) is None
    True
    """
    with suppress(OSError, ValueError):  # ValueError if the name holds a zero character
        status = file.stat()
        return [status.st_size, status.st_mtime_ns]
    return None


def one_line(text: str) -> str:
    """The text on one line and without orders to the terminal.

    Parameters
    ----------
    text : str
        A reason or the name of a file, which may hold any letters.

    Returns
    -------
    str
        The text, with an escape like ``\\n`` for each letter that cannot be printed.

    Examples
    --------
    >>> print(one_line("two\\nlines"))
    two\\nlines
    """
    return "".join(
        letter if letter.isprintable() else letter.encode("unicode_escape").decode()
        for letter in text
    )


def counted(number: int, noun: str, nouns: str = "") -> str:
    """A number of things in words.

    Parameters
    ----------
    number : int
        How many there are.
    noun : str
        What one of them is called.
    nouns : str
        What several are called; the noun with an s if left out.

    Returns
    -------
    str
        With commas between thousands.

    Examples
    --------
    >>> counted(1, "exact copy", "exact copies"), counted(1200, "file")
    ('1 exact copy', '1,200 files')
    """
    return f"{number:,} {noun if number == 1 else nouns or noun + 's'}"


def open_input(path: str | Path) -> BinaryIO:
    """A file, opened for reading without waiting for anything.

    Parameters
    ----------
    path : str or Path
        A regular file, or a link to one.

    Returns
    -------
    binary file
        To be closed by the caller.

    Raises
    ------
    OSError
        If it cannot be read, or is a pipe or a device.

    Examples
    --------
    >>> open_input("photos/cat.jpg")  # doctest: +SKIP
    <_io.BufferedReader name='photos/cat.jpg'>
    """
    mode = os.stat(path).st_mode  # noqa: PTH116 (twice as fast, and done for every picture)
    if not stat.S_ISREG(mode) and not stat.S_ISDIR(mode):
        raise OSError(errno.EINVAL, "it is a pipe or a device")
    not_waiting = getattr(os, "O_NONBLOCK", 0)  # if a pipe takes the file's place just now
    return open(path, "rb", opener=lambda name, flags: os.open(name, flags | not_waiting))


def real_path(path: str | Path) -> Path:
    """The path without links.

    Parameters
    ----------
    path : str or Path
        It need not exist.

    Returns
    -------
    Path
        Absolute. (`Path.resolve` would raise for links in a circle, before Python 3.13.)

    Examples
    --------
    >>> real_path(".") == Path.cwd()
    True
    """
    return Path(os.path.realpath(path))


def is_same_file(one: str | Path, other: str | Path) -> bool:
    """Whether two names lead to one file, by any link or spelling.

    Parameters
    ----------
    one : str or Path
        The first name.
    other : str or Path
        The second name.

    Returns
    -------
    bool
        False if one of them is not there.

    Examples
    --------
    >>> is_same_file("no such file", "no such file")
    False
    """
    with suppress(OSError, ValueError):  # one is not there, or its name is not valid
        return Path(one).samefile(other)
    return False
