"""What there is to know about every file of a photo library.

A photo library is cleaned in three steps, and each can be looked at before the next one is taken:

- `scan` makes a table of all files;
- `helpers.library.proposal.propose` makes a plan from the table: which files may go, and why;
- `helpers.quarantine.moving` moves the files that the plan names, and moves them back.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import stat
import warnings
from base64 import b64decode
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path, PurePath
from typing import TYPE_CHECKING, BinaryIO

from PIL import Image

from helpers import Problem
from helpers.files.parallel import share_out_as_done
from helpers.files.places import open_input, real_path
from helpers.fingerprints import hashes
from helpers.fingerprints.catalogue import as_column
from helpers.fingerprints.flat import is_flat
from helpers.fingerprints.variants import variants_of
from helpers.images.folders import look_into, not_looked_at, plain
from helpers.images.formats import open_header, reason_of_system
from helpers.images.frames import count_frames
from helpers.images.metadata import metadata_of
from helpers.images.opening import open_with_size
from helpers.images.pixels import sketch
from helpers.library.remembered import Memory, open_memory

# What only the main process needs is imported where it is used, so that workers start sooner.
if TYPE_CHECKING:
    import pandas as pd

#: The columns of the table that `scan` makes, with their types.
TABLE = {
    "path": "str",
    "bytes": "Int64",
    "modified": "Int64",
    "sha256": "str",
    "width": "Int64",
    "height": "Int64",
    "fingerprint": "UInt64",
    "flat": "boolean",
    "frames": "Int64",
    "lossless": "boolean",
    "transparent": "boolean",
    "deep": "boolean",
    "exposed": "str",
    "holds": "str",
    "edited": "str",
    "partners": "str",
    "names": "Int64",
    "variants": "str",
    "sketch": "str",
    "problem": "str",
}
# Whether a value that was remembered may stand in a column of this type.
_HAS_TYPE = {
    "str": lambda value: isinstance(value, str),
    "Int64": lambda value: value is None or (type(value) is int and -(2**63) <= value < 2**63),
    "UInt64": lambda value: value is None or (type(value) is int and 0 <= value < 2**64),
    "boolean": lambda value: value is None or isinstance(value, bool),
}
# Files that belong to the picture of their name: raw files, films, sidecars.
_PARTNERS = (
    *(".3fr", ".arw", ".cr2", ".cr3", ".crw", ".dcr", ".dng", ".erf", ".iiq", ".kdc", ".mef"),
    *(".mos", ".mrw", ".nef", ".nrw", ".orf", ".pef", ".raf", ".raw", ".rw2", ".rwl", ".srw"),
    *(".x3f", ".3gp", ".avi", ".m4v", ".mov", ".mp", ".mp4", ".thm", ".wav"),
    *(".aae", ".dop", ".json", ".on1", ".pp3", ".vrd", ".xmp"),
)
# How Google names what it knows of a.jpg and of a(1).jpg: a.jpg.supplemental-metadata(1).json.
_TAKEOUT = re.compile(r"(.+?)(\.\w+)(?:\.s[uplemntadr-]*)?(\(\d+\))?")
# Folders that are one thing to the program they belong to: Photos, iPhoto, Aperture, Lightroom.
_PACKAGES = (".photoslibrary", ".photolibrary", ".aplibrary", ".migratedphotolibrary", ".lrdata")


def scan(
    folder: str | Path,
    cache: str | Path | None = None,
    workers: int | None = None,
    exclude: Sequence[str] = (),
) -> pd.DataFrame:
    """What there is to know about every image file below a folder. Nothing in it is changed.

    Parameters
    ----------
    folder : str or Path
        The photo library. Hidden files are passed over. Links are listed, but not followed.
    cache : str or Path, optional
        A folder, outside the library, where what was found is remembered; if left out,
        ``libraries`` in `helpers.files.places.data_folder`. So the next scan opens only files that
        are new, or that have another size or time.
    workers : int, optional
        How many processes; see `helpers.files.parallel.share_out`. The table does not depend on
        it.
    exclude : sequence of str
        Patterns of files and folders that do not count; see `helpers.images.folders.look_into`.

    Returns
    -------
    DataFrame
        A row a file, sorted by path, in the columns and types of `TABLE`. ``attrs["opened"]`` is
        how many files had to be opened; ``attrs["not_looked_at"]`` has sentences about the
        files that are no pictures to the kit, or are left out.

    Raises
    ------
    Problem
        If there is no such folder, or no image in it; if it is or lies in a quarantine or the
        library of another program; or if `cache` lies inside it. A bad file raises nothing.

    Notes
    -----
    The columns, if their names do not say it all:

    - ``path``: relative to the folder, with ``/``.
    - ``modified``: when the file was last written, in nanoseconds since 1970.
    - ``width``, ``height``: in pixels, of the picture as it is shown.
    - ``fingerprint``: dHash, 64 bits.
    - ``flat``: whether the fingerprint says nothing; see `helpers.fingerprints.flat.is_flat`.
    - ``frames``: more than 1 for an animation, for pages, and for the two views of a stereo camera.
    - ``lossless``: whether the format keeps each pixel, with more than 256 colours.
    - ``transparent``: whether at least one pixel is.
    - ``deep``: whether it has more than 8 bits a channel.
    - ``exposed``: when the picture was taken, by the camera's clock, with the fraction of a second;
      or empty.
    - ``holds``: what the file holds beside its pixels, as a JSON object; see
      `helpers.images.metadata.metadata_of`, as for ``edited``.
    - ``edited``: which program, or which sign, shows that the file was edited; or empty.
    - ``partners``: the names of the files beside it that belong to it, by their names, as a JSON
      list: raw files, films, sidecars.
    - ``names``: how many names the file has, by hard links, in the library or elsewhere. Only the
      first one has a row; ``attrs["hard_links"]`` counts the others.
    - ``variants``: fingerprints of the picture turned, of its parts, and without its frame; see
      `helpers.fingerprints.variants.variants_of`.
    - ``sketch``: numbers by which the nearest of many pictures are found; see
      `helpers.images.pixels.sketch`.
    - ``problem``: why the picture could not be read; or empty.

    A file that cannot be decoded has a ``sha256`` all the same. A link, and a file that cannot be
    opened, has none. A quarantine inside the library is one row, and what lies in it is left out,
    since it belongs to files elsewhere. So is the library of another program, such as a
    ``.photoslibrary``.

    Examples
    --------
    >>> scan("photos")  # doctest: +SKIP
    """
    folder = Path(folder)
    _check_not_shut(folder)
    found = look_into(folder, lambda place: place.is_symlink() or _is_shut(place), exclude)
    with open_memory(folder, cache, "files", list(TABLE), _is_row) as memory:
        if memory.file is None:
            print("What is found is not remembered, since its place lies inside the photo library.")
        table = _scan(folder, found.images, memory, workers)
    table.attrs["not_looked_at"] = not_looked_at(found)
    return table


def _is_row(path: str, values: list) -> bool:
    """Whether this may be a row that an earlier run has made."""
    row = dict(zip(TABLE, values, strict=True))
    size = (row["width"] or 0, row["height"] or 0)
    return (
        all(_HAS_TYPE[TABLE[name]](value) for name, value in row.items())
        and row["path"] == path
        and (row["fingerprint"] is None or min(size) > 0)
        and len(b64decode(row["sketch"])) in (0, 128)
    )


def _scan(folder: Path, paths: list[str], memory: Memory, workers: int | None) -> pd.DataFrame:
    import pandas as pd

    rows, to_read, kept, seen = {}, [], {}, set()
    for path in paths:
        row, identity = _before_reading(folder, path)
        if identity in seen:  # another name of a file
            continue
        seen |= {identity} - {None}
        rows[path] = row
        old = dict(zip(TABLE, memory.found.get(path, ()), strict=False))
        if row["problem"]:
            continue
        if old and all(old[name] == row[name] for name in ("bytes", "modified")):
            rows[path] = old | {"names": row["names"]}
            kept[path] = memory.found[path]
        else:
            to_read.append(row)

    def found() -> Iterator[dict[str, list]]:
        for row in _rows(folder, to_read, workers):
            rows[row["path"]] = row
            # A file that could not be opened may be opened tomorrow, without a new size or time.
            yield {row["path"]: list(row.values())} if row["sha256"] else {}

    memory.keep_as_found(kept, found())
    partners = _partners(folder, rows)
    ordered = [row | {"partners": json.dumps(partners.get(path, []))} for path, row in rows.items()]
    table = pd.DataFrame(
        {name: pd.array([row[name] for row in ordered], dtype=kind) for name, kind in TABLE.items()}
    )
    # of a list pandas may take fingerprints for floats
    table["fingerprint"] = as_column([row["fingerprint"] for row in ordered])
    table.attrs |= {"opened": len(to_read), "hard_links": len(paths) - len(rows)}
    return table


def _rows(folder: Path, to_read: list[dict], workers: int | None) -> Iterator[dict]:
    """The row of each file. Files of one size are hashed first, so that none is decoded twice."""
    share = partial(share_out_as_done, workers=workers, title="scanning")
    sizes, same = Counter(row["bytes"] for row in to_read), {}
    alike = [row for row in to_read if sizes[row["bytes"]] > 1]
    hashed = {row["path"]: row for row in share(partial(_row, folder, is_decoded=False), alike)}
    for row in to_read:
        row = hashed.get(row["path"], row)
        same.setdefault(row["sha256"] or row["path"], []).append(row)
    read = share(partial(_row, folder), [rows[0] for rows in same.values()])
    for row, rows in zip(read, same.values(), strict=True):
        yield row
        for other in rows[1:]:
            if row["sha256"] == other["sha256"] and not row["problem"]:
                own = ("path", "bytes", "modified", "names")
                yield row | {name: other[name] for name in own}
            else:  # it has changed since, or may be known by its name
                yield _row(folder, other)


def _partners(folder: Path, paths: Iterable[str]) -> dict[str, list[str]]:
    """The names of the files beside each picture that belong to it: IMG_1.MOV, IMG_1.JPG.xmp."""
    inside, found = {}, {}
    for path in paths:
        place, _, name = path.rpartition("/")
        inside.setdefault(place, []).append((name, path))
    for place, pictures in inside.items():
        try:
            with os.scandir(folder / place) as entries:
                others = [entry.name for entry in entries if entry.name.lower().endswith(_PARTNERS)]
        except OSError:  # it may not be listed any more
            continue
        owners = {}
        for name, path in pictures if others else ():
            for key in {plain(name), plain(PurePath(name).stem)}:
                owners.setdefault(key, []).append(path)
        for other in sorted(others):
            name = PurePath(plain(other))
            keys = {name.name, name.stem}
            if name.suffix == ".json" and (parts := _TAKEOUT.fullmatch(name.stem)):
                keys.add(f"{parts[1]}{parts[3] or ''}{parts[2]}")
            for path in {path for key in keys for path in owners.get(key, ())}:
                found.setdefault(path, []).append(other)
    return found


def _check_not_shut(folder: Path) -> None:
    place = real_path(folder)
    for outer in (place, *place.parents):
        if _is_quarantine(outer):
            raise Problem(f"{folder}: is or lies in a quarantine, {outer}; name a photo library")
        if _is_package(outer):
            raise Problem(
                f"{folder}: is or lies in a library of another program, {outer}; "
                "name a folder of photos"
            )


def _is_shut(folder: Path) -> bool:
    return _is_package(folder) or _is_quarantine(folder)


def _is_package(folder: PurePath) -> bool:
    return folder.name.lower().endswith(_PACKAGES)


def _is_quarantine(folder: Path) -> bool:
    from helpers.quarantine.journal import JOURNAL

    with suppress(OSError):  # it may not be looked at
        return (folder / JOURNAL).is_file()
    return False


def _before_reading(folder: Path, path: str) -> tuple[dict, tuple | None]:
    """A file's row before it is opened, with its size and time, or why it is not to be opened.

    If it has several names, also what tells it from all other files.
    """
    texts = {name: "" for name, kind in TABLE.items() if kind == "str"}
    row = {**dict.fromkeys(TABLE), **texts, "path": path}
    try:
        path.encode()
        status = (folder / path).lstat()
    except UnicodeEncodeError:
        shown = path.encode("utf-8", "backslashreplace").decode()
        return {**row, "path": shown, "problem": "its name is not valid text; rename it"}, None
    except OSError as error:
        return {**row, "problem": reason_of_system(folder / path, error)}, None
    if not -(2**63) <= status.st_mtime_ns < 2**63:
        return {**row, "problem": "is dated before 1678 or after 2262; give it another date"}, None
    row |= {"bytes": status.st_size, "modified": status.st_mtime_ns, "names": status.st_nlink}
    if stat.S_ISLNK(status.st_mode):
        row["problem"] = "is a link and is left alone"
    elif stat.S_ISDIR(status.st_mode) and _is_package(folder / path):
        row["problem"] = "is a library of another program and is left alone"
    elif stat.S_ISDIR(status.st_mode) and _is_quarantine(folder / path):
        row["problem"] = "is a quarantine and is left out; it belongs to another folder"
    elif stat.S_ISREG(status.st_mode) and status.st_nlink > 1:
        return row, (status.st_dev, status.st_ino)
    return row, None


def _row(folder: Path, row: dict, *, is_decoded: bool = True) -> dict:
    """A row with the SHA-256 of its file, and with what is in it."""
    file, was = folder / row["path"], (row["bytes"], row["modified"])
    try:
        with open_input(file) as content:
            before = os.fstat(content.fileno())
            now = before.st_size, before.st_mtime_ns
            sha256 = row["sha256"] * (now == was)  # of bytes that are still the same
            sha256 = sha256 or hashlib.file_digest(content, "sha256").hexdigest()
            row = row | {"bytes": now[0], "modified": now[1], "sha256": sha256, "problem": ""}
            try:
                row |= _about_picture(content) if is_decoded else {}
            except Problem as problem:
                row["problem"] = str(problem).removeprefix(f"{file}: ")
            after = os.fstat(content.fileno())
    except OSError as error:
        return {**row, "sha256": "", "problem": reason_of_system(folder / row["path"], error)}
    if (after.st_size, after.st_mtime_ns) != now:
        row |= {"sha256": "", "problem": "was written to while it was read; scan again"}
    return row


def _about_picture(content: BinaryIO) -> dict:
    try:
        about, picture, size = _opened(content)
    except Exception:  # something beside the picture may be broken; if not, this knows the reason
        picture, size = open_with_size(content, fast=True)
        about = {"holds": json.dumps({"data that cannot be read": "some of it"})}
    greys = picture.convert("L")
    small = greys.resize((9, 8), Image.Resampling.LANCZOS)  # what dHash looks at
    grid = greys.resize((64, 64), Image.Resampling.BOX)
    return about | {
        "width": size[0],
        "height": size[1],
        "fingerprint": int(hashes.of_shown(small)),
        "flat": is_flat(small),
        "sketch": sketch(grid),
        "variants": variants_of(grid),
    }


def _opened(content: BinaryIO) -> tuple[dict, Image.Image, tuple[int, int]]:
    """What a file tells beside its pixels, the picture as shown, and its size."""
    with warnings.catch_warnings(action="ignore"):
        header = open_header(content)
        about = {"deep": _is_deep(header, content), "lossless": _is_lossless(header, content)}
        with suppress(Exception):  # later ones may be broken
            about["frames"] = count_frames(header)
        picture, size = open_with_size(header, fast=True)
        # which is laid on white if a pixel is transparent
        about["transparent"] = header.has_transparency_data and not picture.has_transparency_data
        holds, about["edited"] = metadata_of(header, content, size)
    return about | {"holds": json.dumps(holds), "exposed": holds.get("time", "")}, picture, size


def _is_lossless(header: Image.Image, content: BinaryIO) -> bool:
    if header.mode == "P":  # 256 colours; the picture may have had more
        return False
    if header.format == "TIFF":
        return "jpeg" not in str(header.info.get("compression"))
    if header.format == "WEBP":
        content.seek(12)
        kind = re.search(rb"VP8[L ]", content.read(2**16))
        return kind is not None and kind[0] == b"VP8L"
    return header.format in ("PNG", "BMP", "DIB", "PPM", "TGA")


def _is_deep(header: Image.Image, content: BinaryIO) -> bool:
    """Whether there are more than 8 bits a channel. Pillow gives 8, so the file has to be asked."""
    if header.format == "PNG":
        return "16" in str(header.tile[0][3])
    if header.format == "TIFF":
        return max(header.tag_v2.get(258, (1,))) > 8
    if header.format == "AVIF":
        content.seek(0)
        _, found, configuration = content.read(4096).partition(b"av1C")
        # `high_bitdepth`, of AV1 in ISO-BMFF
        return not found or bool(configuration[2] & 0b0100_0000)
    # as in PPM and JPEG 2000; as pillow-heif has it
    return header.mode[0] in "IF" or header.info.get("bit_depth", 8) > 8
