"""The lines of a quarantine's journal: what they say, and which of them can be true.

Anybody may have changed a journal, by accident or not. So a line counts only if it has the form of
ours, if it names a path inside the library, and if it fits the lines before it.
"""

import json
import os
import re
import stat
from contextlib import suppress
from io import BytesIO
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from helpers import Problem
from helpers.files.guard import read_input
from helpers.files.places import real_path

#: The names, in the quarantine folder, of the journal and of the lock on it.
JOURNAL, LOCK = "quarantine-journal.txt", "quarantine-journal.lock"
#: The name of a file that holds room for the journal.
RESERVE = "quarantine-journal.reserve"
#: How large a journal may be that is read. A third of it has room for 100,000 moves.
MOST_JOURNAL_BYTES, MOST_JOURNAL_LINES = 2**26, 2**20

_MOST_LINE_BYTES = 2**18  # no system has a path that takes more, even if each letter is escaped
_MOST_SECONDS = 2**63  # since 1970, after which or before which no system can date a file
_MOST_NAMED = 100  # damaged lines


class LeftAlone(Exception):
    """Why a file is left alone. The text goes on after the file's path."""


def _is_name(name: object) -> bool:
    """Whether the system can have a file of this name."""
    try:
        return b"\0" not in os.fsencode(name) != b""
    except (TypeError, UnicodeEncodeError):
        return False


def _is_plain(path: object) -> bool:
    """Whether a path is written plainly, leads inside, and is none of the quarantine's own."""
    if not _is_name(path) or str(PurePosixPath(path)) != path or path == ".":
        return False
    leads_out = path.startswith("/") or ".." in path.split("/")
    is_own = path.casefold() in (JOURNAL, LOCK, RESERVE)
    return not (leads_out or is_own or (os.name == "nt" and set(path) & set("\\:")))


def _can_be_true(sha256: str, mode: object, modified: object) -> bool:
    """Whether there can be such a file."""
    return (
        re.fullmatch("[0-9a-f]{64}", sha256) is not None
        and type(mode) is type(modified) is int
        and 0 <= mode <= 0o7777
        and -_MOST_SECONDS <= modified // 10**9 < _MOST_SECONDS
    )


def check_path(root: Path, path: str, *, over_links: bool = True) -> None:
    """Make sure that a path does not lead out of the folder that it is relative to.

    Parameters
    ----------
    root : Path
        The folder, without links.
    path : str
        The path of a file in it, with ``/``.
    over_links : bool
        Whether it may lead over a link to another folder inside.

    Raises
    ------
    LeftAlone
        If it leads out, by itself or over a link, or is not written plainly.

    Examples
    --------
    >>> check_path(Path.cwd(), "cats/a.jpg")
    """
    if not _is_plain(path):
        raise LeftAlone("is no path inside the folder; make the plan anew")
    parent = (root / path).parent
    if not real_path(parent).is_relative_to(root if over_links else parent):
        raise LeftAlone("lies behind a link that leads out of the folder; it was not followed")


class About(NamedTuple):
    """A file as it was when it was moved into quarantine.

    Parameters
    ----------
    sha256 : str
        Of its content.
    mode : int
        Its permissions.
    modified : int
        When it was modified last, in nanoseconds since 1970.
    """

    sha256: str
    mode: int
    modified: int


class Told:
    """What a journal tells; `read_journal` makes one.

    The file has a line for each event, in JSON:

    - ``["folder", path]``: once, the library that the files come from;
    - ``["begin", where, path, sha256, mode, modified]``: before a move;
    - ``["is", where, path]``: after a move, or once it has failed.

    ``where`` is "in" for the quarantine and "out" for the library.

    Attributes
    ----------
    owner : str or None
        The library that the files come from; None if the journal does not tell.
    where : dict
        Path -> "in" or "out".
    about : dict
        Path -> SHA-256, permissions and time of the file when it was moved into quarantine.
    begun : dict
        Path -> where a file was to go whose move was begun and not ended.
    damaged : list of int
        The numbers of the lines that were passed over, the first few of them.
    whole : bool
        Whether the last line of the file is whole.
    """

    def __init__(self) -> None:
        self.owner: str | None = None
        self.where: dict[str, str] = {}
        self.about: dict[str, About] = {}
        self.begun: dict[str, str] = {}
        self.damaged: list[int] = []
        self.whole = True

    def take(self, line: bytes) -> bool:
        """Take in a line.

        Parameters
        ----------
        line : bytes
            It may hold anything.

        Returns
        -------
        bool
            Whether it is one of ours, and says something that can be true after those before it.
        """
        words = None
        with suppress(ValueError, RecursionError):
            words = json.loads(line) if len(line) <= _MOST_LINE_BYTES else None
        match words:
            case ["folder", str(owner)] if _is_name(owner) and Path(owner).is_absolute():
                self.owner = self.owner or owner
                return self.owner == owner
            case ["begin", "in" | "out" as where, str(path), str(sha256), mode, modified] if (
                _is_plain(path) and _can_be_true(sha256, mode, modified)
            ):
                self.begun[path], self.about[path] = where, About(sha256, mode, modified)
            case ["is", "in" | "out" as where, str(path)] if path in self.begun:
                self.where[path] = where
                del self.begun[path]
            case _:
                return False
        return True

    def damage(self) -> str:
        """Which lines were passed over.

        Returns
        -------
        str
            A sentence without its subject, which is the journal.

        Examples
        --------
        >>> told = Told()
        >>> told.damaged += [2, 5]
        >>> told.damage()
        'has lines that are damaged or foreign, and were passed over: 2, 5'
        """
        numbers = ", ".join(map(str, self.damaged))
        more = ", ..." * (len(self.damaged) == _MOST_NAMED)
        return f"has lines that are damaged or foreign, and were passed over: {numbers}{more}"


def check_own(file: Path) -> None:
    """Make sure that one of the quarantine's own files is a plain file, if it is there.

    Parameters
    ----------
    file : Path
        The journal or the lock.

    Raises
    ------
    Problem
        If it is a link, a pipe or a folder, or a journal that is another file too.

    Examples
    --------
    >>> check_own(Path("photos-quarantine") / JOURNAL)
    """
    if os.path.lexists(file) and (
        not stat.S_ISREG(file.lstat().st_mode)
        or (file.name == JOURNAL and file.lstat().st_nlink > 1)  # a hard link to another file
    ):
        raise Problem(f"{file}: is a link or no plain file; put a plain copy in its place")


def read_journal(file: Path) -> Told:
    """What a journal holds.

    Parameters
    ----------
    file : Path
        The journal; it need not be there.

    Returns
    -------
    Told
        What its lines tell. A line that is damaged or of somebody else is passed over; its number
        is among those of `Told.damaged`. A line that a run began to write when it was killed is
        passed over too, since what it tells was not begun.

    Raises
    ------
    Problem
        If it cannot be read, is too large, or is a link or no file.

    Examples
    --------
    >>> read_journal(Path("no such file")).whole
    True
    """
    check_own(file)
    content = read_input(file, MOST_JOURNAL_BYTES) if os.path.lexists(file) else b""
    if content.count(b"\n") > MOST_JOURNAL_LINES:
        raise Problem(
            f"{file}: has more than {MOST_JOURNAL_LINES:,} lines; check it is the right one"
        )
    told = Told()
    for number, line in enumerate(map(bytes.strip, BytesIO(content)), start=1):
        was_killed = not line.endswith(b"]") and line.startswith(b'["'[: len(line)])
        if not told.take(line) and not was_killed and len(told.damaged) < _MOST_NAMED:
            told.damaged.append(number)
    told.whole = not content or content.endswith(b"\n")
    return told
