"""The images of a folder, by their file names."""

import errno
import os
import stat
from pathlib import Path

from helpers import Problem

#: File names that count as images, whatever their case.
SUFFIXES = (
    ".jpg",
    ".jpeg",
    ".png",
    ".webp",
    ".gif",
    ".bmp",
    ".tif",
    ".tiff",
    ".avif",
    ".heic",
    ".heif",
)


def find_images(folder: str | Path) -> list[str]:
    """The images below a folder, by their file names.

    Hidden files and folders (``.thumbnails``, ``._photo.jpg``) are passed over, and links to
    folders are not followed. A sub-folder that may not be listed stands in the list by itself, so
    that it is not left out in silence.

    Parameters
    ----------
    folder : str or Path
        Where to look, sub-folders included.

    Returns
    -------
    list of str
        Paths relative to `folder`, with ``/`` on every platform, sorted: the same order on every
        file system.

    Raises
    ------
    Problem
        If the folder is not there, cannot be listed, or holds no image.

    Examples
    --------
    >>> find_images("data/sample")[:2]  # doctest: +SKIP
    ['astronaut/tile_01.jpg', 'astronaut/tile_02.jpg']
    """
    folder = Path(folder)
    check_folder(folder)
    found, unlisted = [], []
    for place, subfolders, names in os.walk(folder, onerror=unlisted.append):
        subfolders[:] = [name for name in subfolders if not name.startswith(".")]
        inside = Path(place).relative_to(folder)
        found += [
            (inside / name).as_posix()
            for name in names
            if name.lower().endswith(SUFFIXES) and not name.startswith(".")
        ]
    closed = [Path(error.filename) for error in unlisted]
    if folder in closed:
        raise Problem(f"{folder}: may not be listed; ask for permission to read it")
    found += [place.relative_to(folder).as_posix() for place in closed]
    if not found:
        raise Problem(
            f"{folder}: holds no images; looked for names that end in {', '.join(SUFFIXES)}"
        )
    return sorted(found)


def check_folder(folder: str | Path) -> None:
    """Make sure that a folder is there.

    Parameters
    ----------
    folder : str or Path
        The folder.

    Raises
    ------
    Problem
        With the reason, if it is not.

    Examples
    --------
    >>> check_folder(".")
    """
    try:
        is_folder = stat.S_ISDIR(Path(folder).stat().st_mode)
    except (FileNotFoundError, NotADirectoryError, ValueError) as error:
        raise Problem(f"{folder}: no such folder; check the spelling") from error
    except OSError as error:
        if error.errno == errno.ELOOP:
            raise Problem(f"{folder}: is a link that leads nowhere; name a folder") from error
        raise Problem(
            f"{folder}: cannot be looked at ({error.strerror}); check the spelling, "
            "or ask for permission"
        ) from error
    if not is_folder:
        raise Problem(f"{folder}: is a file, not a folder; name the folder it lies in")
