"""Which files of a folder the kit wrote, and whether they are still as they were written.

A folder that the kit fills holds a list: of each file its SHA-256 as it was written. The folder is
replaced as a whole, and only if it holds nothing else.
"""

import hashlib
import json
import os
from contextlib import suppress
from pathlib import Path, PurePosixPath

from helpers import Problem
from helpers.files.guard import read_input
from helpers.files.places import open_input

#: The file with the settings of a folder and its list.
LIST = "gather.json"
#: How large it may be; there is room for 300,000 files.
MOST_BYTES_OF_A_LIST = 2**25
# what systems put by themselves into any folder that is looked at
_OF_SYSTEMS = (".DS_Store", "Thumbs.db", "desktop.ini")


def as_list(settings: dict, files: dict[str, str]) -> str:
    """The text of a list.

    Parameters
    ----------
    settings : dict
        How the files were made.
    files : dict of str to str
        Path and SHA-256 of each file.

    Returns
    -------
    str
        JSON, with a line a file.

    Examples
    --------
    >>> as_list({"seed": 0}, {})
    '{\\n "seed": 0,\\n "files": {}\\n}\\n'
    """
    return json.dumps({**settings, "files": dict(sorted(files.items()))}, indent=1) + "\n"


def read_list(file: Path) -> tuple[dict, dict[str, str]]:
    """What `as_list` made.

    Parameters
    ----------
    file : Path
        It need not be there.

    Returns
    -------
    settings : dict
        How the files were made; empty if there is no list.
    listed : dict of str to str
        Path and SHA-256 of each file.

    Raises
    ------
    Problem
        If it is no such list.

    Examples
    --------
    >>> read_list(Path("no such file"))
    ({}, {})
    """
    if not os.path.lexists(file):
        return {}, {}
    try:
        settings = json.loads(read_input(file, MOST_BYTES_OF_A_LIST))
        listed = settings.pop("files", {})
        if not all(isinstance(digest, str) for digest in listed.values()):
            raise TypeError("a digest is no text")
    except (ValueError, TypeError, AttributeError, RecursionError) as error:
        raise Problem(
            f"{file}: is not a list of files that was written here; choose a new folder"
        ) from error
    return settings, listed


def digest_of(file: Path) -> str:
    """The SHA-256 of a regular file.

    Parameters
    ----------
    file : Path
        A pipe or a device is not waited for.

    Returns
    -------
    str
        64 hex digits; empty for a link, and for all that cannot be read.

    Examples
    --------
    >>> digest_of(Path("no such file"))
    ''
    """
    with suppress(OSError):
        if not file.is_symlink():
            with open_input(file) as content:
                return hashlib.file_digest(content, "sha256").hexdigest()
    return ""


def check_own(folder: Path, listed: dict[str, str]) -> None:
    """Make sure that a folder holds nothing but what the kit wrote, still as it was written.

    Parameters
    ----------
    folder : Path
        It need not be there. No link in it is followed.
    listed : dict of str to str
        Path and SHA-256 of each file that the kit wrote.

    Raises
    ------
    Problem
        With the first file, link or folder that is not the kit's, or was changed since.

    Examples
    --------
    >>> check_own(Path("no such folder"), {})
    """
    others = []
    folders = {str(parent) for path in listed for parent in PurePosixPath(path).parents}
    for place, subfolders, names in os.walk(folder):
        for file in (Path(place, name) for name in [*subfolders, *names]):
            path = file.relative_to(folder).as_posix()
            is_folder = file.name in subfolders and not file.is_symlink()
            is_own = path in folders if is_folder else digest_of(file) == listed.get(path)
            if not is_own and path != LIST and file.name not in _OF_SYSTEMS:
                others.append(path)
    if others:
        more = f" (and {len(others) - 1:,} more)" * (len(others) > 1)
        raise Problem(
            f"{folder / min(others)}{more}: may be yours, since it is not as gather wrote it; "
            "move it away, or choose another folder"
        )
