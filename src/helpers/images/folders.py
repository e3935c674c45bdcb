"""The images of a folder, by their file names, and what else lies in it."""

import errno
import os
import stat
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import NamedTuple

from PIL import Image

from helpers import Problem
from helpers.files.places import counted, real_path
from helpers.images.formats import SUFFIXES
from helpers.images.opening import open_image

_OF_A_HAYSTACK = ("gather.json", "truth.csv")  # which the kit itself wrote beside its images

#: Folders of a system in which there are no pictures of the library, whatever their case: bins,
#: thumbnail stores and snapshots.
STORES = (
    *("$RECYCLE.BIN", "RECYCLER", "RECYCLED"),  # Windows
    *(".Trash*", ".thumbnails", "lost+found"),  # macOS, Linux and Android
    *("#recycle", "@eaDir", "#snapshot", "@Recycle", ".@__thumb", "@Recently-Snapshot"),  # NAS
    *(".recycle", "trashbox", "files_trashbin", ".dtrash"),  # Samba, Buffalo, Nextcloud, digiKam
)


class Contents(NamedTuple):
    """What lies in a folder and its sub-folders, without hidden files and folders.

    Parameters
    ----------
    images : list of str
        The paths of the images, relative to the folder, with ``/``, sorted. So are sub-folders
        that may not be listed, or are left out.
    others : Counter
        Suffix -> number of files that are not looked at.
    stores : Counter
        Name of a folder among `STORES` -> number of files in all folders of this name.
    excluded : Counter
        Pattern -> number of files that it left out.
    """

    images: list[str]
    others: Counter
    stores: Counter
    excluded: Counter


def find_images(folder: str | Path) -> list[str]:
    """The images below a folder, by their file names: those of `look_into`.

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
    return look_into(folder).images


def look_into(
    folder: str | Path,
    leave_out: Callable[[Path], bool] = lambda place: False,
    exclude: Sequence[str] = (),
) -> Contents:
    """What lies in a folder and its sub-folders.

    Hidden files and folders (``.cache``, ``._photo.jpg``) are passed over. A sub-folder that may
    not be listed stands in the list by itself, so that it is not left out in silence. Links to
    folders are followed: each place once, and never to a place that holds the folder itself.

    Parameters
    ----------
    folder : str or Path
        Where to look. It may be a bin itself.
    leave_out : callable, optional
        Takes a sub-folder, or a link to a folder, and says whether nothing in it counts. Then it
        stands in the list by itself.
    exclude : sequence of str
        Patterns (``raw``, ``*.png``, ``2019/*``) of files and folders that do not count. One fits a
        name, or a path relative to the folder, whatever its case; with ``/`` at its end it fits
        folders alone.

    Returns
    -------
    Contents
        The images, the other files by their kind, and what was left out.

    Raises
    ------
    Problem
        If the folder is not there, cannot be listed, or holds no image.

    Examples
    --------
    >>> look_into("photos").others  # doctest: +SKIP
    Counter({'.mov': 12, '.nef': 3})
    """
    check_folder(folder)
    seen = {identity(place) for place in real_path(folder).parents}
    found = Contents([], Counter(), Counter(), Counter(dict.fromkeys(exclude, 0)))
    patterns = [(found.stores, "", plain(pattern)) for pattern in STORES]
    patterns += [(found.excluded, pattern, plain(pattern)) for pattern in exclude]
    waiting, linked = [("", None)], []  # each with the count of the files that are left out in it
    while waiting or linked:  # real folders first, so that their files keep their own paths
        inside, count = waiting.pop() if waiting else linked.pop(linked.index(min(linked)))
        place = Path(folder, inside)
        known = identity(place)
        if known and known in seen:
            continue
        seen.add(known)
        try:
            with os.scandir(place) as listed:
                entries = list(listed)
        except OSError as error:
            if not inside:
                raise Problem(
                    f"{folder}: may not be listed; ask for permission to read it"
                ) from error
            if not count:
                found.images.append(inside)
            continue
        for entry in entries:
            path = f"{inside}/{entry.name}" if inside else entry.name
            is_folder = _is_folder(entry)
            left_out = count or _left_out(patterns, entry.name, path, is_folder)
            if left_out and not is_folder:
                left_out[0][left_out[1]] += 1
            elif left_out:
                waiting += [] if entry.is_symlink() else [(path, left_out)]
            elif entry.name.startswith(".") or path in _OF_A_HAYSTACK:
                continue
            elif leave_out(place / entry.name) if is_folder else path.lower().endswith(SUFFIXES):
                found.images.append(path)
            elif not is_folder:
                found.others[Path(path).suffix.lower() or "without a suffix"] += 1
            else:
                (linked if entry.is_symlink() else waiting).append((path, None))
    found.images.sort()
    if not found.images:
        sentences = [f"looked for names that end in {', '.join(SUFFIXES)}", *not_looked_at(found)]
        raise Problem(f"{folder}: holds no images; {'. '.join(sentences)}")
    return found


def _left_out(patterns: list, name: str, path: str, is_folder: bool) -> tuple | None:
    """Where a file or folder that does not count is counted, and under which name."""
    names = [plain(name), plain(path)]
    names += [f"{each}/" for each in names] if is_folder else []
    for counter, shown, pattern in patterns:
        if (shown or is_folder) and any(fnmatchcase(each, pattern) for each in names):
            return counter, shown or name
    return None


def is_picture(path: str) -> bool:
    """Whether `look_into` would count a file among the images, by its path alone.

    Parameters
    ----------
    path : str
        Relative to the folder, with ``/``: of a file in a store or an archive, which is not listed
        folder by folder.

    Returns
    -------
    bool
        False for hidden files, for those in `STORES`, and for other suffixes.

    Examples
    --------
    >>> [is_picture(path) for path in ("cats/cat.JPG", ".cache/cat.jpg", "lost+found/cat.jpg")]
    [True, False, False]
    """
    *folders, name = path.split("/")
    stores = [plain(pattern) for pattern in STORES]
    hidden = any(part[:1] == "." != part for part in (*folders, name)) or path in _OF_A_HAYSTACK
    left_out = any(fnmatchcase(plain(part), store) for part in folders for store in stores)
    return name.lower().endswith(SUFFIXES) and not hidden and not left_out


def identity(place: Path) -> tuple[int, int] | None:
    """What tells a folder from all others, by whatever path or link it is named.

    Parameters
    ----------
    place : Path
        A folder, or a link to one.

    Returns
    -------
    (int, int) or None
        The numbers of its disk and of the folder there; None if it cannot be looked at.

    Examples
    --------
    >>> identity(Path(".")) == identity(Path.cwd())
    True
    """
    with suppress(OSError):
        status = place.stat()
        return status.st_dev, status.st_ino
    return None


def _is_folder(entry: os.DirEntry) -> bool:
    with suppress(OSError):  # as a link that leads to itself
        return entry.is_dir()
    return False


def not_looked_at(found: Contents) -> list[str]:
    """Sentences about the files of a folder that are not looked at.

    Parameters
    ----------
    found : Contents
        What lies in the folder.

    Returns
    -------
    list of str
        How many there are, and of which kinds; empty if there are none.

    Examples
    --------
    >>> not_looked_at(Contents([], Counter({".mov": 12, ".nef": 3}), Counter(), Counter()))
    ['Not looked at: 15 other files (12 .mov, 3 .nef)']
    """
    sentences = []
    for begin, what, end, files in (
        ("Not looked at", "other file", "", found.others),
        ("Left out", "file", " in bins, thumbnail stores or snapshots", found.stores),
        ("Excluded", "file", "", found.excluded),
    ):
        ordered = sorted(files.items(), key=lambda item: (-item[1], item[0]))
        kinds = ", ".join(f"{number:,} {kind}" for kind, number in ordered[:5])
        kinds += " ..." * (len(files) > 5)
        if files:
            sentences.append(f"{begin}: {counted(files.total(), what)}{end} ({kinds})")
    return sentences


def plain(name: str) -> str:
    """A name, so that two ways to write it are equal.

    Parameters
    ----------
    name : str
        The name of a file, or a part of it.

    Returns
    -------
    str
        Without capitals, and each letter with its accents as one (NFC). Disks and archives of a
        Mac keep them apart (NFD), and a keyboard does not.

    Examples
    --------
    >>> plain("GRO\u0308SSE.jpg") == plain("gr\u00f6sse.JPG")
    True
    """
    return unicodedata.normalize("NFC", unicodedata.normalize("NFD", name).casefold())


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


@dataclass(frozen=True)
class OneByOne:
    """Pictures of a folder, each opened when its turn comes: any number of them fits into memory.

    Parameters
    ----------
    folder : str or Path
        The folder.
    paths : sequence of str
        Their paths in it. They come in this order and in RGB, as often as somebody goes through.
    longest : int
        A picture with a longer side, in pixels, is reduced to it.

    Examples
    --------
    >>> len(OneByOne("photos", ["a.jpg", "b.jpg"]))
    2
    """

    folder: str | Path
    paths: Sequence[str]
    longest: int = 1500

    def __len__(self) -> int:
        return len(self.paths)

    def __iter__(self) -> Iterator[Image.Image]:
        for path in self.paths:
            picture = open_image(Path(self.folder, path)).convert("RGB")
            picture.thumbnail((self.longest, self.longest), Image.Resampling.LANCZOS)
            yield picture
