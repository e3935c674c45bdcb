"""What may be written by name, and what may be read whole.

Every output that somebody names passes `check_output` before any work begins. It replaces only
what the kit itself wrote, and knows that by its content: see `KINDS`. Small files are read by
`read_input`, which waits for nothing and never takes more than its caller's budget.
"""

import os
import re
import stat
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from helpers import Problem
from helpers.files.atomic import unique_partial, write_problem
from helpers.files.places import is_same_file, open_input, real_path

#: So many folders are made for an output, one in another.
MOST_NEW_FOLDERS = 100

_BYTES_LOOKED_AT = 4096  # at the beginning of a file, by which its kind is known


class Kind(NamedTuple):
    """What the kit writes under a name that somebody chose.

    Parameters
    ----------
    name : str
        What it is called in a sentence.
    begins : dict of str to bytes
        How each of its files begins, as a regular expression; none of them is missing. The key is
        what follows the name of the output: nothing, ``.dat``, or the path of a file inside it.
    if_there : str
        The remedy, where such a file is there already and is never replaced.
    """

    name: str
    begins: dict[str, bytes]
    if_there: str = ""

    @property
    def is_folder(self) -> bool:
        """Whether the output is a folder."""
        return all(part.startswith("/") for part in self.begins)


# how each page begins
_PAGE = (
    rb'<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
    rb'<meta name="generator" content="helpers\.'
)
#: What each command writes. A new kind is one more line, with the first bytes that only it has.
KINDS = {
    "truth": Kind("truth of gather", {"": rb"needle,copy,factor,width,height\n"}),
    "plan": Kind(
        "plan",
        {"": rb"(?=[^\n]*\baction\b)(?=[^\n]*\bpath\b)(?=[^\n]*\bkept\b)"},
        if_there="add --apply to carry it out, or name another file",
    ),
    "sheet": Kind(
        "page of decisions", {"": _PAGE + rb'(?:decisions\.write_page|[a-z.]*contact_sheet)">\n'}
    ),
    "report": Kind("report of experiment", {"": _PAGE + rb'experiments\.report">\n'}),
    "bank's CSV": Kind(
        "bank's CSV file",
        {"": rb'"fingerprint","reason","source","time","made_with"(?:,"others")?\n'},
    ),
    # a chunk of text is the first one after the header, which has 25 bytes
    "grid": Kind(
        "grid of search", {"": rb"\x89PNG\r\n\x1a\n.{29}tEXtSoftware\0helpers\.commands\.search"}
    ),
    "shelf": Kind(
        "shelf",
        {
            ".dir": rb"(?:'(?:about|[0-9a-f]{11,})', \(\d+, \d+\)\r?\n)+[^\n]*\Z",
            ".dat": rb"\x80[\x02-\x05]|\(l|\]",  # how a list or a text is pickled
        },
    ),
    "groups": Kind("groups of cluster", {"": rb"group,id\n"}),
    "report of Dask": Kind(
        "report of Dask",
        {
            "": rb'<!DOCTYPE html>\s*<html lang="en">\s*<head>\s*<meta charset="utf-8">\s*'
            rb"<title>Dask Performance Report</title>"
        },
    ),
    "run": Kind("run of experiment", {"/run.json": rb'\{\n "format": \d+,'}),
    "unfinished run": Kind("run of experiment", {"/parts/settings.json": rb'\{\n "name": "'}),
    "haystack": Kind("haystack", {"/gather.json": rb'\{\n "seed": -?\d+,\n "factors": \['}),
}


def check_output(
    path: str | Path,
    kind: str,
    *,
    inputs: Iterable[str | Path] = (),
    folders: Iterable[str | Path] = (),
) -> None:
    """Make sure that an output harms nothing that the kit did not write.

    Parameters
    ----------
    path : str or Path
        The name of the output, as somebody gave it. It need not be there.
    kind : str
        What is to be written: a key of `KINDS`.
    inputs : iterable of str or Path
        Files that the same run reads or writes; the output must be none of them.
    folders : iterable of str or Path
        Folders in which nothing may be written, as a dataset. They need not be there.

    Raises
    ------
    Problem
        If something else is there, or if the place is one of those above; with what is there, and
        what to do.

    Notes
    -----
    Two names are one file if the system says so: through links, other spellings, and other letter
    case where the disk ignores it. A link is never replaced, since somebody made it.

    Examples
    --------
    >>> check_output("truth.csv", "truth", folders=["photos"])
    """
    path, kind = Path(path), KINDS[kind]
    try:
        _check_place(path, kind, inputs, folders)
        with suppress(FileNotFoundError):
            os.lstat(unique_partial(path))  # the longest name that is needed on the way
        _check_what_is_there(path, kind)
    except OSError as error:
        raise write_problem(path, error) from error
    except ValueError as error:  # a zero character
        raise Problem(f"{path}: is not a valid file name ({error}); choose another") from error


def _check_place(path: Path, kind: Kind, inputs: Iterable, folders: Iterable) -> None:
    missing = sum(not os.path.exists(parent) for parent in path.parents)
    if missing > MOST_NEW_FOLDERS:
        raise Problem(f"{path}: lies in {missing} folders that are not there; check the spelling")
    for file in inputs:
        if _is_one_place(path, file):
            raise Problem(f"{path}: is the same file as {file}; choose another name")
    for folder in folders:
        if any(_is_one_place(around, folder) for around in (path, *real_path(path).parents)):
            raise Problem(
                f"{path}: lies inside {folder}, where nothing is written; name another place"
            )
        if kind.is_folder and any(_is_one_place(path, end) for end in real_path(folder).parents):
            raise Problem(f"{path}: lies around {folder}; name a place beside it")
    if path.name in ("", ".."):
        raise Problem(f"{path}: ends without a name of its own; add the name that is to be written")


def _is_one_place(one: str | Path, other: str | Path) -> bool:
    """Whether two names lead to one place; if nothing is there yet, letter case does not count."""
    if os.path.exists(one) or os.path.exists(other):
        return is_same_file(one, other)
    return os.path.realpath(one).casefold() == os.path.realpath(other).casefold()


def _check_what_is_there(path: Path, kind: Kind) -> None:
    names = [path] if kind.is_folder else [Path(f"{path}{part}") for part in kind.begins]
    there = list(filter(os.path.lexists, names))
    for name in dict.fromkeys([path, *there]):
        _check_type(name, kind)
    if not there or (kind.is_folder and not any(path.iterdir())):
        return
    begin = {part: _first_bytes(path, part) for part in kind.begins}
    if not all(re.match(begins, begin[part], re.DOTALL) for part, begins in kind.begins.items()):
        remedy = "choose a new folder" if kind.is_folder else "name another file"
        raise Problem(f"{there[0]}: is there already and is no {kind.name}; {remedy}")
    if kind.if_there:
        raise Problem(f"{path}: is there already; {kind.if_there}")


def _check_type(name: Path, kind: Kind) -> None:
    try:
        mode = name.lstat().st_mode
    except FileNotFoundError:
        return
    if stat.S_ISLNK(mode):
        raise Problem(f"{name}: is a link, which is never replaced; name another place")
    if kind.is_folder and not stat.S_ISDIR(mode):
        raise Problem(f"{name}: is there already and is no {kind.name}; choose a new folder")
    if not kind.is_folder and stat.S_ISDIR(mode):
        raise Problem(f"{name}: is a folder; name a file in it")
    if not kind.is_folder and not stat.S_ISREG(mode):
        raise Problem(f"{name}: is a pipe or a device; name a file")


def _first_bytes(path: Path, part: str) -> bytes:
    """How a part of what is there begins; a shelf may have left its ``.dir`` beside itself."""
    for file in (f"{path}{part}", path.with_name(f".{path.name}.ready") / f"new{part}"):
        with suppress(FileNotFoundError), open_input(file) as opened:
            return opened.read(_BYTES_LOOKED_AT)
    return b""


def read_input(path: str | Path, most_bytes: int) -> bytes:
    """The content of a small file, as a table or a journal.

    Parameters
    ----------
    path : str or Path
        A file. A pipe or a device is refused at once, and never waited for.
    most_bytes : int
        How many bytes it may have.

    Returns
    -------
    bytes
        The whole content.

    Raises
    ------
    Problem
        If it is no regular file, cannot be read, or is too large.

    Examples
    --------
    >>> read_input("truth.csv", 10**6)  # doctest: +SKIP
    b'needle,copy,factor,width,height\\n'
    """
    try:
        with open_input(path) as file:
            content = file.read(most_bytes + 1)
    except (OSError, ValueError) as error:  # ValueError if the name holds a zero character
        why = getattr(error, "strerror", None) or error
        remedy = (
            "ask for permission" if isinstance(error, PermissionError) else "check the spelling"
        )
        raise Problem(f"{path}: cannot be read ({why}); {remedy}") from error
    if len(content) > most_bytes:
        raise Problem(
            f"{path}: is larger than {most_bytes:,} bytes, the most that are read of such a file; "
            "check that it is the right one"
        )
    return content
