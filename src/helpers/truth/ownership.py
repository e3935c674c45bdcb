"""Which files of a folder the kit wrote, and which of them are still as they were written.

A folder that the kit fills holds a list: of each file its SHA-256 as it was written. When the
folder is to be made anew, only files of this list go, and only those that nobody changed since.
"""

import hashlib
import json
import os
import shutil
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path, PurePosixPath

from helpers import Problem
from helpers.files.atomic import give_name, write_text
from helpers.files.guard import read_input
from helpers.files.places import open_input

#: The file with the settings of a folder and its list.
LIST = "gather.json"
#: How large it may be; there is room for 300,000 files.
MOST_BYTES_OF_A_LIST = 2**25


def as_list(settings: dict, files: dict[str, str], **more: object) -> str:
    """The text of a list.

    Parameters
    ----------
    settings : dict
        How the files were made.
    files : dict of str to str
        Path and SHA-256 of each file.
    **more
        ``before``: the same of the files that are being replaced.

    Returns
    -------
    str
        JSON, with a line a file.

    Examples
    --------
    >>> as_list({"seed": 0}, {})
    '{\\n "seed": 0,\\n "files": {}\\n}\\n'
    """
    about = {**settings, "files": dict(sorted(files.items())), **more}
    return json.dumps(about, indent=1) + "\n"


def read_list(file: Path) -> tuple[dict, dict[str, set[str]], bool]:
    """What `as_list` made.

    Parameters
    ----------
    file : Path
        It need not be there.

    Returns
    -------
    settings : dict
        How the files were made; empty if there is no list.
    listed : dict of str to set of str
        Path and SHA-256 of each file; of one that is being replaced, both. It is empty in the
        lists of older helpers.
    is_whole : bool
        Whether the files are all there, as far as the kit knows: no run ended among them.

    Raises
    ------
    Problem
        If it is no such list.

    Examples
    --------
    >>> read_list(Path("no such file"))
    ({}, {}, False)
    """
    if not os.path.lexists(file):
        return {}, {}, False
    try:
        settings = json.loads(read_input(file, MOST_BYTES_OF_A_LIST))
        files, before = settings.pop("files", {}), settings.pop("before", {})
        listed = {path: {files.get(path), before.get(path)} for path in files | before}
    except (ValueError, TypeError, AttributeError, RecursionError) as error:
        raise Problem(
            f"{file}: is not a list of files that was written here; choose a new folder"
        ) from error
    return settings, listed, not before


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


def look_over(folder: Path, listed: dict[str, set[str]]) -> tuple[dict[str, str], list[str]]:
    """Tell the kit's own files in a folder from all else.

    Parameters
    ----------
    folder : Path
        It need not be there. No link in it is followed.
    listed : dict of str to set of str
        Path and SHA-256 of each file that the kit wrote; of a file that was being replaced when a
        run ended, both.

    Returns
    -------
    own : dict of str to str
        Path and SHA-256 of the listed files that are as they were written.
    others : list of str
        The paths of all else: files, links, and folders in which no listed file lies.

    Examples
    --------
    >>> look_over(Path("no such folder"), {})
    ({}, [])
    """
    own, others = {}, []
    folders = {parent for path in listed for parent in PurePosixPath(path).parents}
    for place, subfolders, names in os.walk(folder):
        inside = PurePosixPath(Path(place).relative_to(folder).as_posix())
        for name in [*subfolders, *names]:
            path, file = str(inside / name), Path(place, name)
            if name in subfolders and inside / name in folders and not file.is_symlink():
                continue
            if path in listed and (digest := digest_of(file)) in listed[path]:
                own[path] = digest
            elif path != LIST:
                others.append(path)
        subfolders[:] = [name for name in subfolders if str(inside / name) not in others]
    return own, sorted(others)


def check_way(folder: Path, others: list[str], names: Iterable[str]) -> None:
    """Make sure that no file is to be written where something of somebody else is.

    Parameters
    ----------
    folder : Path
        The folder that is to be filled.
    others : list of str
        What is in it and does not belong to the kit, from `look_over`.
    names : iterable of str
        The paths that are to be written.

    Raises
    ------
    Problem
        With the first thing that is in the way.

    Examples
    --------
    >>> check_way(Path("haystack"), ["notes.txt"], ["cats/1.jpg"])
    """
    taken = {PurePosixPath(path) for path in others}
    for name in map(PurePosixPath, names if taken else []):
        if in_the_way := taken.intersection([name, *name.parents]):
            raise Problem(
                f"{folder / min(in_the_way)}: was put there, or was changed since it was written; "
                "move it away, or choose another folder"
            )


def move_into(folder: Path, place: Path, settings: dict, own: dict, files: dict) -> None:
    """Let new files take the places of the kit's own ones; all others stay untouched.

    Parameters
    ----------
    folder : Path
        The folder to work on.
    place : Path
        Where those of the new files are that `folder` does not hold, and the new list. It is
        removed in the end.
    settings : dict
        How the new files were made.
    own : dict of str to str
        Path and SHA-256 of the kit's own files in `folder`, from `look_over`.
    files : dict of str to str
        Path and SHA-256 of all files that are to be there. Nothing that is not the kit's has
        these names, as `check_way` made sure.

    Raises
    ------
    OSError
        If the system refuses something. The list tells a later run how to go on.

    Examples
    --------
    >>> move_into(folder, place, settings, own, {"new.jpg": digest})  # doctest: +SKIP
    """
    write_text(folder / LIST, as_list(settings, files, before=own))
    gone = [path for path in own if files.get(path) != own[path]]
    for path in gone:
        (folder / path).unlink()
    for path in files:
        if files[path] != own.get(path):
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            give_name(place / path, folder / path)
    for inside in {parent for path in gone for parent in PurePosixPath(path).parents}:
        with suppress(OSError):  # it is not empty
            (folder / inside).rmdir()
    (place / LIST).replace(folder / LIST)
    shutil.rmtree(place)
