"""Clean a photo library: find the copies in it, and propose what may go.

Three steps, each of which can be looked at before the next one is taken: `scan` tells about every file, `propose` makes a plan
from that, and `helpers.quarantine.moving` moves what the plan names, and moves it back.
"""

from __future__ import annotations

import hashlib
import json
import os
import stat
import warnings
from collections import Counter
from collections.abc import Iterable
from contextlib import nullcontext, suppress
from functools import cache, lru_cache, partial
from importlib import resources
from importlib.metadata import PackageNotFoundError, version
from operator import attrgetter
from pathlib import Path, PurePath, PurePosixPath
from typing import TYPE_CHECKING, BinaryIO, NamedTuple

import numpy as np
from PIL import Image

from helpers import Problem, __version__
from helpers.files.atomic import exclusive, write_text
from helpers.files.parallel import share_out
from helpers.fingerprints import catalogue
from helpers.images.opening import (
    SUFFIXES,
    check_folder,
    find_images,
    open_image,
    open_with_size,
    thumbnail,
)
from helpers.quarantine.plans import PLAN

# What only the main process needs is imported where it is used: workers start in a quarter of the time.
if TYPE_CHECKING:
    import pandas as pd

#: Bits by which the fingerprints of copies may differ, unless another radius is asked for.
RADIUS = 8
#: The most that copies may differ in one place: see `helpers.images.pixels.difference`.
COPY = 20.0
#: The most that the mean levels of copies may differ, over the whole picture, and over each of `PARTS` x `PARTS` of it: see
#: `helpers.images.pixels.mean_levels`, and there what compressing and filters do.
SHIFT, SHIFT_OF_PART, PARTS = 3.0, 5.0, 6
#: Near pictures that correlate less, as `helpers.images.pixels.correlation` has it, are near by chance.
LOOK_ALIKE = 0.9

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
    "format": "str",
    "lossless": "boolean",
    "transparent": "boolean",
    "deep": "boolean",
    "quantisation": "Float64",
    "exposed": "str",
    "problem": "str",
}
#: Why one file stays rather than another: the first of these in which they differ.
_REASONS = (
    "larger",
    "with a raw file, a film or a sidecar",
    "dated by the camera",
    "less compressed",
    "of the format of the oldest",
    "less compressed",
    "of more bytes",
    "in a folder to be kept",
    "older",
    "of a shorter path",
    "first by name",
)
_COMPARED = ("larger", "less compressed", "older")
#: In which of these copies of the same bytes may differ.
_OF_EXACT = [
    place
    for place, reason in enumerate(_REASONS)
    if reason.startswith("with a raw file") or place >= _REASONS.index("in a folder to be kept")
]
_EXACT_ORDER = ("alone", "movable", "modified", "length", "path")
_FILES_AT_A_TIME = 4096  # after so many the cache is written
_PICTURES_IN_MEMORY = 200  # of one group, at the size at which they are compared
#: Files that belong to the picture of their name: raw, films, sidecars.
_RAW = (
    ".arw",
    ".cr2",
    ".cr3",
    ".dng",
    ".nef",
    ".nrw",
    ".orf",
    ".pef",
    ".raf",
    ".raw",
    ".rw2",
    ".srw",
)
_PARTNERS = (*_RAW, ".mov", ".mp4", ".aae", ".dop", ".pp3", ".xmp")
#: Folders that are one thing to macOS, and to the program they belong to: Photos, iPhoto, Aperture, and Lightroom's previews.
_PACKAGES = (".photoslibrary", ".photolibrary", ".aplibrary", ".migratedphotolibrary", ".lrdata")


# Every file


def scan(
    folder: str | Path, cache: str | Path | None = None, workers: int | None = None
) -> pd.DataFrame:
    """What there is to know about every image file below a folder. Nothing in the folder is changed.

    Parameters
    ----------
    folder : str or Path
        The photo library. Hidden files are passed over; links to files are listed, but not followed.
    cache : str or Path, optional
        A folder, outside the library, where what was found is remembered, so that the next scan reads only new and changed
        files (of another size or time); ``libraries`` in `helpers.datasets.data_folder` if left out.
    workers : int, optional
        Processes; see `helpers.files.parallel.share_out`. The table does not depend on it.

    Returns
    -------
    DataFrame
        A row a file, sorted by path: ``path`` (relative, with ``/``), ``bytes``, ``modified`` (nanoseconds since 1970),
        ``sha256``, ``width`` and ``height`` (pixels, as shown), ``fingerprint`` (UInt64), ``flat`` (see `is_flat`), ``frames``
        (more than 1: an animation, pages, or the two views of a stereo camera), ``format`` (Pillow's name), ``lossless`` (a format that
        keeps each pixel, and more than 256 colours), ``transparent`` (in a pixel at least), ``deep`` (more than 8 bits a channel),
        ``quantisation`` (mean step of a JPEG's first quantisation table, the larger the more compressed; missing for other formats),
        ``exposed`` (when, by the camera's clock: EXIF's time of exposure, with its fraction of a second; or empty) and ``problem``:
        empty, or why the picture could not be read. A file that cannot be decoded has a ``sha256`` all the same; one that cannot be
        opened, or is a link, has none. A folder inside that is a quarantine of `helpers.quarantine.moving` is one row and is left out: what
        lies in it belongs to files elsewhere. So is one that belongs to another program (``.photoslibrary`` and the like).

    Raises
    ------
    Problem
        If there is no such folder, no image in it, it is or lies in a quarantine or the library of another program, or `cache`
        lies inside it. A bad file raises nothing.

    Examples
    --------
    >>> scan("photos")  # doctest: +SKIP
    """
    folder = Path(folder)
    paths = _without_shut(folder, find_images(folder))
    cache_file = _cache_file(folder, cache, "files")
    if cache_file is None:
        print("What is found is not remembered, since its place lies inside the photo library.")
    with exclusive(cache_file) if cache_file else nullcontext():
        return _scan(folder, paths, cache_file, workers)


def not_looked_at(folder: str | Path) -> Counter:
    """The files of a photo library that are no pictures to the kit: raw files, films, notes.

    Parameters
    ----------
    folder : str or Path

    Returns
    -------
    Counter
        Suffix -> number of files. Not counted are hidden ones, and those in what `scan` leaves out.

    Examples
    --------
    >>> not_looked_at("photos")  # doctest: +SKIP
    Counter({'.mov': 12, '.nef': 3})
    """
    found = Counter()
    for place, folders, names in os.walk(folder):
        inside = [Path(place, name) for name in folders if not name.startswith(".")]
        folders[:] = [one.name for one in inside if not (_is_package(one) or _is_quarantine(one))]
        found.update(
            Path(name).suffix.lower() or "without a suffix"
            for name in names
            if not name.startswith(".") and not name.lower().endswith(SUFFIXES)
        )
    return Counter(dict(sorted(found.items())))  # of equally many the first by name


def is_flat(picture: Image.Image) -> bool:
    """Whether a fingerprint says nothing about a picture, because it compares greys that are all but equal.

    Parameters
    ----------
    picture : PIL.Image.Image

    Returns
    -------
    bool
        Whether fewer than 8 of the 64 comparisons are of greys that differ by 2 levels of 255 or more. No picture of CALTECH-101
        is flat; of the two that come next (fewer than 16) the fingerprints move by 13 bits when they are halved and saved at
        quality 40, of all others by 8 bits at most.

    Examples
    --------
    >>> is_flat(Image.new("RGB", (90, 80), "navy")), is_flat(Image.linear_gradient("L").rotate(90))
    (True, False)
    """
    greys = np.asarray(picture.convert("L").resize((9, 8), Image.Resampling.LANCZOS), dtype=int)
    return bool((np.abs(np.diff(greys, axis=1)) >= 2).sum() < 8)


def _scan(
    folder: Path, paths: list[str], cache_file: Path | None, workers: int | None
) -> pd.DataFrame:
    import pandas as pd

    lines = _read_cache(cache_file, _made_by(list(TABLE)))
    known = {row[0]: dict(zip(TABLE, row, strict=True)) for row in lines}
    rows, to_read = {}, []
    for path in paths:
        row = _before_reading(folder, path)
        old = known.get(path)
        if row["problem"]:
            rows[path] = row
        elif old and all(old[name] == row[name] for name in ("bytes", "modified")):
            rows[path] = old
        else:
            to_read.append(path)
    for start in range(0, len(to_read), _FILES_AT_A_TIME):
        some = to_read[start : start + _FILES_AT_A_TIME]
        read = share_out(partial(_rows, folder), some, workers=workers, title="scanning")
        rows |= {row["path"]: row for row in read}
        # what could not be opened may be opened tomorrow, without a new size or time
        whole = [[row[name] for name in TABLE] for row in rows.values() if row["sha256"]]
        _write_cache(cache_file, _made_by(list(TABLE)), whole)
    ordered = [rows[path] for path in paths]
    return pd.DataFrame(
        {name: pd.array([row[name] for row in ordered], dtype=kind) for name, kind in TABLE.items()}
    )


def _without_shut(folder: Path, paths: list[str]) -> list[str]:
    """The paths, with each quarantine, and each library of another program, in place of what lies in it."""
    place = folder.resolve()
    for outer in (place, *place.parents):
        if _is_quarantine(outer):
            raise Problem(f"{folder}: is or lies in a quarantine, {outer}; name a photo library")
        if _is_package(outer):
            raise Problem(
                f"{folder}: is or lies in a library of another program, {outer}; name a folder of photos"
            )
    inside = {parent for path in paths for parent in PurePosixPath(path).parents}
    shut = sorted(  # outer ones first
        parent for parent in inside if _is_package(parent) or _is_quarantine(folder / parent)
    )
    return sorted(
        {
            next((str(place) for place in shut if PurePosixPath(path).is_relative_to(place)), path)
            for path in paths
        }
    )


def _is_package(folder: PurePath) -> bool:
    return folder.name.lower().endswith(_PACKAGES)


def _is_quarantine(folder: Path) -> bool:
    from helpers.quarantine.moving import JOURNAL

    with suppress(OSError):  # where it may not be looked at
        return (folder / JOURNAL).is_file()
    return False


def _before_reading(folder: Path, path: str) -> dict:
    """What is known of a file before it is opened: its size and time, or why it is not to be opened."""
    row = _empty_row(path)
    try:
        path.encode()
        status = (folder / path).lstat()
    except UnicodeEncodeError:
        shown = path.encode("utf-8", "backslashreplace").decode()
        return {**row, "path": shown, "problem": "its name is not valid text; rename it"}
    except OSError as error:
        return {**row, "problem": _cannot_be_read(error)}
    row |= {"bytes": status.st_size, "modified": status.st_mtime_ns}
    if stat.S_ISLNK(status.st_mode):
        row["problem"] = "is a link and is left alone"
    elif stat.S_ISDIR(status.st_mode) and _is_package(folder / path):
        row["problem"] = "is a library of another program and is left alone"
    elif stat.S_ISDIR(status.st_mode) and _is_quarantine(folder / path):
        row["problem"] = "is a quarantine and is left out; it belongs to another folder"
    elif stat.S_ISDIR(status.st_mode):
        row["problem"] = "is a folder that may not be listed; ask for permission to read it"
    elif not stat.S_ISREG(status.st_mode):
        row["problem"] = "is a pipe or a device, not a file; delete it or name it otherwise"
    return row


def _empty_row(path: str) -> dict:
    texts = {name: "" for name, kind in TABLE.items() if kind == "str"}
    return {**dict.fromkeys(TABLE), **texts, "path": path}


def _rows(folder: Path, paths: list[str]) -> list[dict]:
    return [_row(folder, path) for path in paths]


def _row(folder: Path, path: str) -> dict:
    file = folder / path
    row = _empty_row(path)
    try:
        with file.open("rb") as content:
            before = os.fstat(content.fileno())
            row |= {"bytes": before.st_size, "modified": before.st_mtime_ns}
            row["sha256"] = hashlib.file_digest(content, "sha256").hexdigest()
            try:
                row |= _about_picture(file, content)
            except Problem as problem:
                row["problem"] = str(problem).removeprefix(f"{file}: ")
            after = os.fstat(content.fileno())
    except OSError as error:
        return {**row, "problem": _cannot_be_read(error)}
    if (after.st_size, after.st_mtime_ns) != (before.st_size, before.st_mtime_ns):
        row |= {"sha256": "", "problem": "was written to while it was read; scan again"}
    return row


def _about_picture(file: Path, content: BinaryIO) -> dict:
    try:
        content.seek(0)
        picture, (width, height) = open_with_size(content)
    except Exception:  # whatever it was: opened by its name, it gets its sentence
        picture, (width, height) = open_with_size(file)
    about = {
        "width": width,
        "height": height,
        "fingerprint": int(catalogue.of_image(picture)),
        "flat": is_flat(picture),
    }
    content.seek(0)
    return about | _about_header(content, picture)


def _about_header(content: BinaryIO, picture: Image.Image) -> dict:
    """What a file tells beside its pixels. Broken metadata may raise anything; then what it was to tell is not known."""
    about = {}
    with (
        suppress(Exception),
        warnings.catch_warnings(action="ignore"),
        Image.open(content) as header,
    ):
        about["format"] = "JPEG" if header.format == "MPO" else header.format
        about["lossless"] = _is_lossless(header, content)
        about["deep"] = _is_deep(header, content)
        # `open_image` lays on white what is transparent, and leaves what only might be as it is
        might_be = header.has_transparency_data
        about["transparent"] = might_be and not picture.has_transparency_data
        tables = getattr(header, "quantization", None)
        about["quantisation"] = float(np.mean(tables[min(tables)])) if tables else None
        with suppress(Exception):
            about["exposed"] = _exposed(header)
        about["frames"] = _frames(header)  # at last: it may look for a later frame, which is broken
    return about


def _is_lossless(header: Image.Image, content: BinaryIO) -> bool:
    if header.mode == "P":  # 256 colours, of a picture that may have had more
        return False
    if header.format == "TIFF":
        return "jpeg" not in str(header.info.get("compression"))
    if header.format == "WEBP":
        content.seek(12)
        while (head := content.read(8)) and head[:4] not in (b"VP8L", b"VP8 "):
            size = int.from_bytes(head[4:], "little")
            content.seek(size + size % 2, os.SEEK_CUR)
        return head[:4] == b"VP8L"
    return header.format in ("PNG", "BMP")


def _is_deep(header: Image.Image, content: BinaryIO) -> bool:
    """Whether there are more than 8 bits a channel. Of colour pictures Pillow gives 8, so the file itself has to be asked."""
    if header.format == "PNG":
        content.seek(24)  # in the header chunk, which comes first
        return content.read(1)[0] > 8
    if header.format == "TIFF":
        return max(header.tag_v2.get(258, (1,))) > 8
    if header.format == "AVIF":
        content.seek(0)
        _, found, configuration = content.read(4096).partition(b"av1C")
        return not found or bool(
            configuration[2] & 0b0100_0000
        )  # `high_bitdepth`, of AV1 in ISO-BMFF
    return header.info.get("bit_depth", 8) > 8  # as pillow-heif has it


def _exposed(header: Image.Image) -> str:
    if header.format == "PNG" and "exif" not in header.info:
        return ""  # to look behind the pixels Pillow would decode them all
    exposure = header.getexif().get_ifd(0x8769)
    time, fraction = (str(exposure.get(tag, "")).strip(" \0") for tag in (0x9003, 0x9291))
    known = any(digit in time for digit in "123456789")  # cameras without a clock write zeros
    return f"{time}.{fraction}".rstrip(".") if known else ""


def _frames(header: Image.Image) -> int:
    """The further pictures in an MPO are previews, depth maps and the like, but for those of stereo cameras and panoramas."""
    if header.format == "MPO":
        kinds = [entry["Attribute"]["MPType"] for entry in header.mpinfo[0xB002][1:]]
        if not any(kind.startswith("Multi-Frame") for kind in kinds):
            return 1
    return getattr(header, "n_frames", 1)


def _cannot_be_read(error: OSError) -> str:
    if isinstance(error, PermissionError):
        return "may not be read; ask for permission to read it"
    return (
        f"could not be read ({error.strerror or error}); look whether it is there, and scan again"
    )


# What earlier scans found


def _cache_file(folder: Path, cache: str | Path | None, about: str) -> Path | None:
    """The file where what was found about a library is remembered; None if it would lie inside the library."""
    from helpers import datasets

    library = folder.resolve()
    place = Path(cache) if cache is not None else datasets.data_folder() / "libraries"
    if place.resolve().is_relative_to(library):
        if cache is not None:
            raise Problem(f"{cache}: lies inside the photo library; choose a folder outside it")
        return None
    return place / f"{hashlib.sha256(os.fsencode(library)).hexdigest()[:16]}-{about}.txt"


def _made_by(columns: list[str]) -> dict:
    """What is remembered depends on, other than on files."""
    versions = {"helpers": __version__}
    for package in ("pillow", "imagehash", "pillow-heif"):
        try:
            versions[package] = version(package)
        except PackageNotFoundError:
            versions[package] = "none"
    return {**versions, "source": _source(), "columns": columns}


def _source() -> str:
    """The SHA-256 of the code that finds out; "none" where it is installed without its source."""
    try:
        modules = ("library", "pixels", "images", "fingerprints")
        code = [(resources.files("helpers") / f"{name}.py").read_bytes() for name in modules]
    except OSError:
        return "none"
    return hashlib.sha256(b"\0".join(code)).hexdigest()


def _read_cache(file: Path | None, made_by: dict) -> list[list]:
    """The lines; none where nothing is remembered, where other versions made it, and, with a sentence, if it is damaged."""
    if file is None:
        return []
    try:
        checksum, _, content = file.read_bytes().partition(b"\n")
        if hashlib.sha256(content).hexdigest().encode() != checksum:
            raise ValueError("its checksum is wrong")
        first, *lines = map(json.loads, content.splitlines())
        return lines if first == made_by else []
    except FileNotFoundError:
        return []
    except (OSError, ValueError) as error:
        print(f"{file}: what earlier runs found is damaged ({error}); all files are read again.")
        return []


def _write_cache(file: Path | None, made_by: dict, lines: list[list]) -> None:
    if file is None:
        return
    content = "\n".join([*(json.dumps(line) for line in [made_by, *lines]), ""])
    try:
        write_text(file, f"{hashlib.sha256(content.encode()).hexdigest()}\n{content}")
    except Problem as problem:
        print(f"What was found is not remembered: {problem}")


# The plan


def propose(
    table: pd.DataFrame,
    folder: str | Path,
    radius: int = RADIUS,
    *,
    keep: Iterable[str] = (),
    copy: float = COPY,
    look_alike: float = LOOK_ALIKE,
    cache: str | Path | None = None,
    workers: int | None = None,
) -> pd.DataFrame:
    """A plan: which files are copies, which one of them stays, and why. Nothing is moved.

    First come exact copies: files with the same bytes, whatever they hold, but for empty files. Then pictures with near
    fingerprints are compared once more, pixel by pixel, the best of them first: whoever passes is its copy, and stays no more. Who
    passes twice is a copy of the one it differs least from. So every member of a group is a copy of the one that stays, not only of another
    member. What correlates, but does not pass, is a look-alike: a person may look at it, and nothing is proposed. Flat pictures (`is_flat`),
    transparent ones and files with several frames are compared by their bytes only; so are those near to a file that has changed since
    the scan.

    To pass, two pictures have to agree at 512 pixels, and then once more at the full size of the smaller one, where a digit on a page
    can be seen. What is too small to be seen even there, or makes less than `copy` of a difference, passes. Those do not pass whose mean
    brightness or colours are more than `SHIFT` apart, or those of one of 6 x 6 parts more than `SHIFT_OF_PART`, or whose shapes by more than 2 %, or whose cameras tell of two moments, nor does
    one with more than 8 bits a channel, since only 8 are compared.

    The best picture is the largest; then one beside which a raw file, a film or a sidecar of its name lies; then one that tells EXIF's time of exposure, as cameras write it; then a lossless one; then one of the format that the
    oldest is of; of JPEGs the least compressed by the quantisation tables, of other lossy formats by bytes per pixel; then the
    one of most bytes, which has more metadata, or a film behind the picture; then one in a folder that is to be kept; then the oldest; then that of the shortest path, and the first by
    name. So the plan is the same on every machine. It goes by what a file is, not by where it comes from: a picture that somebody enlarged,
    or saved anew without loss, wins though nothing was gained.

    Parameters
    ----------
    table : DataFrame
        From `scan`.
    folder : str or Path
        The same folder. Pictures with near fingerprints are opened once more.
    radius : int
        Bits by which the fingerprints of copies may differ.
    keep : iterable of str
        Folders inside it (relative, with ``/``) from which nothing is to move, an album or the pictures of a web shop.
    copy : float
        The most that copies may differ in one place: see `helpers.images.pixels.difference`.
    look_alike : float
        The least that look-alikes, and copies, correlate: see `helpers.images.pixels.correlation`.
    cache : str or Path, optional
        As for `scan`. What the second look found is remembered for each group of near pictures, so that pictures are opened
        only where a group, or a file in it, has changed. The plan does not depend on it.
    workers : int, optional
        Processes; see `helpers.files.parallel.share_out`. The plan does not depend on it.

    Returns
    -------
    DataFrame
        The rows of a group together, the one that stays first: ``group`` (1, 2, ...; look-alikes last), ``action`` (``keep``,
        ``move`` or ``look``), ``kind`` (``best``, ``exact copy``, ``near copy``, ``look-alike``), ``path``, ``kept`` (the path of the one
        that stays), ``distance`` (bits), ``difference`` (see `helpers.images.pixels.difference`) and ``correlation``, all three from the one that stays,
        ``width``, ``height``, ``bytes``, ``modified``, ``sha256`` and ``reason`` in words. Nobody who moves is in two rows. One who stays
        may be: once for its copies, once for its look-alikes.

    Raises
    ------
    Problem
        For a table that is not from `scan`, a folder that is not there, or a radius that is none.

    Notes
    -----
    Measured on messes of 5,034 files (`helpers.truth.mess`), with seeds not used while the thresholds were chosen; the mess's own generator was
    known. A copy is found if it and its original end in the same file. CALTECH-101, seed 9001: 2,295 of 2,295 proposals right, 2,293 of
    2,334 copies found (0.982); seed 9003: 2,281 of 2,281, and 2,277 of 2,334 (0.976); the sample, seed 9002: 3,893 of 3,893, and 3,882
    of 4,033 (0.963). Of backups and renamed files all are found; of turned ones 1.000 (0.993 on the sample), of resized 0.968 to 0.975 (0.938), of
    recompressed 0.952 to 0.958 (0.812), of resized and recompressed 0.917 to 0.953 (0.833). In the mess of chapter 7, seed 2014, one of 2,298 proposals
    is wrong: at 108 x 193 pixels nobody sees which of two screenshots a small version was made of.

    What the look at full size costs: of 56 pictures of CALTECH-101 with 700 pixels or more, saved anew at quality 25 to 85, 44 pass
    instead of 54. It takes half a second for two of 12 megapixels, and two for 50, beside opening them. 200 frames of a time-lapse, 640 x
    480, all of them near each other, take 8 seconds on one core.

    In CALTECH-101 itself 16 near copies are found, all of them the same picture twice (looked at one by one), and 160 look-alikes.

    Examples
    --------
    >>> plan = propose(scan("photos"), "photos")  # doctest: +SKIP
    """
    from helpers.hamming import check_radius
    from helpers.search import pairs

    folder, radius = Path(folder), check_radius(radius)
    check_folder(folder)
    if missing := [name for name in TABLE if name not in table]:
        raise Problem(f"the table has no column {missing[0]!r}; scan makes one that has")
    files = table[(table["sha256"] != "") & (table["bytes"] > 0)]
    files = files.assign(
        alone=~files["path"].isin(_with_partners(folder, files["path"].tolist())),
        movable=[not inside for inside in _inside(files["path"], folder, keep)],
        length=files["path"].str.len(),
    ).sort_values(list(_EXACT_ORDER))
    contents = files.drop_duplicates("sha256")  # the first stands for all that have the same bytes
    comparable = contents[
        contents["fingerprint"].notna()
        & contents["frames"].eq(1).fillna(False)
        & contents["flat"].eq(False).fillna(False)
        & contents["transparent"].eq(False).fillna(False)
    ]
    near = pairs.all_pairs(comparable["fingerprint"], radius)
    paths = comparable["path"].to_numpy()
    near = near.assign(first=paths[near["first"]], second=paths[near["second"]])
    jobs = _groups_to_judge(near, comparable.set_index("path"))
    verdicts = _verdicts(folder, jobs, copy, look_alike, cache, workers)
    return _plan(files, verdicts)


def _with_partners(folder: Path, paths: list[str]) -> set[str]:
    """The pictures beside which a raw file, a film or a sidecar of their name lies: ``IMG_1.MOV``, ``IMG_1.JPG.xmp``."""
    found, inside = set(), {}
    for path in paths:
        place, _, name = path.rpartition("/")
        inside.setdefault(place, []).append((name.lower(), path))
    for place, names in inside.items():
        with suppress(OSError):
            partners = [
                other.stem.lower()
                for other in (folder / place).iterdir()
                if other.suffix.lower() in _PARTNERS and other.is_file()
            ]
            found |= {path for name, path in names if {name, PurePath(name).stem} & set(partners)}
    return found


def _inside(paths: Iterable[str], folder: Path, places: Iterable[str]) -> list[bool]:
    """Whether paths lie in one of some folders inside the library, by whatever name these are called."""
    kept = set()
    for place in map(PurePosixPath, places):
        if place.is_absolute() or ".." in place.parts or not os.path.isdir(folder / place):
            raise Problem(f"{place}: is no folder inside {folder}; check the spelling")
        kept.add(_identity(folder / place))

    @cache
    def is_inside(parent: PurePosixPath) -> bool:
        if _identity(folder / parent) in kept:
            return True
        return parent != PurePosixPath() and is_inside(parent.parent)

    return [bool(kept) and is_inside(PurePosixPath(path).parent) for path in paths]


def _identity(folder: Path) -> tuple[int, int] | None:
    with suppress(OSError):
        status = folder.stat()
        return status.st_dev, status.st_ino
    return None


class _Job(NamedTuple):
    """A group of near pictures, by path, the best first."""

    ranks: dict[str, tuple]
    near: dict[str, list[str]]  # whose fingerprints are near
    fingerprints: dict[str, int]
    exposed: dict[str, str]
    deep: dict[str, bool]
    sizes: dict[str, tuple[int, int]]  # width and height
    files: dict[str, tuple]  # bytes, time and SHA-256


def _groups_to_judge(near: pd.DataFrame, about: pd.DataFrame) -> list[_Job]:
    from helpers.search import pairs

    neighbours: dict[str, list[str]] = {}
    for first, second in zip(near["first"], near["second"], strict=True):
        neighbours.setdefault(first, []).append(second)
        neighbours.setdefault(second, []).append(first)
    jobs = []
    for members in pairs.groups(near):
        rows = about.loc[members].astype(object)
        ranks = _ranks(rows)
        facts = zip(rows["bytes"], rows["modified"], rows["sha256"], strict=True)
        jobs.append(
            _Job(
                ranks,
                {path: sorted(neighbours[path]) for path in ranks},
                rows["fingerprint"].map(int).to_dict(),
                rows["exposed"].to_dict(),
                rows["deep"].map(bool).to_dict(),
                dict(zip(members, zip(rows["width"], rows["height"], strict=True), strict=True)),
                dict(zip(members, facts, strict=True)),
            )
        )
    return jobs


def _ranks(rows: pd.DataFrame) -> dict[str, tuple]:
    """Path -> what it is sorted by, a number or name for each of `_REASONS`; the best first."""
    import pandas as pd

    formats = rows.sort_values("modified", kind="stable")["format"].drop_duplicates().tolist()
    ranks = []
    for path, row in rows.iterrows():
        if row["lossless"]:
            compression = 0.0
        elif row["format"] == "JPEG" and not pd.isna(row["quantisation"]):
            compression = float(row["quantisation"])
        else:
            compression = -row["bytes"] / (row["width"] * row["height"])
        ranks.append(
            (
                -row["width"] * row["height"],
                bool(row["alone"]),
                not row["exposed"],
                not row["lossless"],
                formats.index(row["format"]),
                compression,
                -row["bytes"],
                bool(row["movable"]),
                row["modified"],
                len(path),
                path,
            )
        )
    return {rank[-1]: rank for rank in sorted(ranks)}


class _Verdict(NamedTuple):
    """What was found about a file, beside the one that stays."""

    kind: str
    kept: str
    path: str
    distance: int
    difference: float
    correlation: float
    decided: int  # the place in `_REASONS` of what made the other one stay
    why: str


def _verdicts(
    folder: Path,
    jobs: list[_Job],
    copy: float,
    look_alike: float,
    cache: str | Path | None,
    workers: int | None,
) -> list[_Verdict]:
    """What was found about each group: remembered where nothing has changed, else by a second look."""
    made_by = _made_by([*_Verdict._fields, copy, look_alike])
    keys = [hashlib.sha256(json.dumps(job).encode()).hexdigest() for job in jobs]
    cache_file = _cache_file(folder, cache, "looks")
    with exclusive(cache_file) if cache_file else nullcontext():
        known = dict(_read_cache(cache_file, made_by))
        old = [
            known[key] if key in known and _is_there(folder, job) else None
            for key, job in zip(keys, jobs, strict=True)
        ]
        new = [job for job, found in zip(jobs, old, strict=True) if found is None]
        judge = partial(_judge, folder, copy, look_alike)
        judged = iter(share_out(judge, new, workers=workers, title="second look"))
        found = [next(judged) if found is None else (True, found) for found in old]
        if changed := sum(not whole for whole, _ in found):
            print(f"Groups in which a file changed, or could not be opened: {changed}; scan again.")
        if new or len(known) > len(jobs):
            lines = [[key, group] for key, (whole, group) in zip(keys, found, strict=True) if whole]
            _write_cache(cache_file, made_by, lines)
    return [_Verdict(*verdict) for _, group in found for verdict in group]


def _is_there(folder: Path, job: _Job) -> bool:
    """Whether all files of a group have the size and time that they had when they were scanned."""
    try:
        now = {path: (folder / path).lstat() for path in job.files}
    except OSError:
        return False
    return all(
        (now[path].st_size, now[path].st_mtime_ns) == about[:2] for path, about in job.files.items()
    )


def _judge(
    folder: Path, copy: float, look_alike: float, jobs: list[_Job]
) -> list[tuple[bool, list[_Verdict]]]:
    return [_judge_group(folder, copy, look_alike, job) for job in jobs]


def _judge_group(
    folder: Path, copy: float, look_alike: float, job: _Job
) -> tuple[bool, list[_Verdict]]:
    """Whether all its pictures could be opened, and what was found, which is nothing if a file is not the one that was scanned."""
    if _is_there(folder, job):
        with suppress(Problem):  # of one that is gone, or broken, in the middle of it
            found = _look_at_group(folder, copy, look_alike, job)
            if _is_there(folder, job):
                return found
    return False, []


def _look_at_group(
    folder: Path, copy: float, look_alike: float, job: _Job
) -> tuple[bool, list[_Verdict]]:
    """Whether all its pictures could be opened, and the copies and look-alikes: the best is compared first, pixel by pixel."""
    pictures = _Pictures(folder, list(job.ranks))
    by_difference = attrgetter("difference")

    def verdict(best: str, other: str, alike: float) -> _Verdict:
        differs = pictures.difference(best, other, copy)
        shift = pictures.shift(best, other)
        if differs > copy:
            but = f"a difference of {differs:.1f} in one place (up to {copy:g} passes)"
        elif shift > SHIFT:
            but = f"brighter, darker or of other colours as a whole, by {shift:.1f} (up to {SHIFT:g} passes)"
        elif (part := pictures.shift_of_part(best, other)) > SHIFT_OF_PART:
            but = f"brighter, darker or of other colours over an area, by {part:.1f} (up to {SHIFT_OF_PART:g} passes)"
        elif _is_stretched(job.sizes[best], job.sizes[other]):
            but = "of another shape: one of them was stretched"
        elif job.deep[best] or job.deep[other]:
            but = "with more than 8 bits a channel, of which 8 are compared"
        elif _taken_apart(job.exposed[best], job.exposed[other]):
            but = "taken at two moments, as their EXIF has it"
        else:
            but = ""
        kind = "look-alike" if but else "near copy"
        same = f"the same picture, a difference of {differs:.1f} at most (up to {copy:g} passes)"
        why = f"alike, but {but}" if but else same
        distance = (job.fingerprints[best] ^ job.fingerprints[other]).bit_count()
        decided = _decided(job.ranks[best], job.ranks[other])
        return _Verdict(kind, best, other, distance, differs, round(alike, 4), decided, why)

    copies: dict[str, _Verdict] = {}
    looks: dict[
        str, list[tuple]
    ] = {}  # path -> difference at least, number, better one, correlation
    for best in pictures.greys:
        if best in copies:
            continue
        reached, seen = [best], {best}
        for member in reached:  # it grows: who is near a copy is compared too, but with the best
            others = [
                other
                for other in job.near[member]
                if other in pictures.greys
                and other not in seen
                and job.ranks[other] > job.ranks[best]
            ]
            seen.update(others)
            for other, alike in pictures.alike(best, others, look_alike):
                least = pictures.at_least(best, other)
                found = verdict(best, other, alike) if least <= copy else None
                if found and found.kind == "near copy":
                    reached.append(other)
                    copies[other] = min(copies.get(other, found), found, key=by_difference)
                else:
                    so_far = looks.setdefault(other, [])
                    so_far.append((least, len(so_far), best, alike))
    # of copies nothing more is said than whose they are, of a look-alike only what it is most like
    nearest = []
    for path in looks.keys() - copies.keys():
        exact: list[tuple[float, int, _Verdict]] = []
        for least, number, best, alike in sorted(looks[path]):
            if exact and least > min(exact)[0]:
                break
            found = verdict(best, path, alike)
            exact.append((found.difference, number, found))
        nearest.append(min(exact)[2])
    return len(pictures.greys) == len(job.ranks), [*copies.values(), *sorted(nearest)]


class _Pictures:
    """The pictures of a group, at the size at which they are compared. A little of each stays in memory, of a few all."""

    def __init__(self, folder: Path, paths: list[str]) -> None:
        from helpers.images import pixels

        def opened(path: str) -> Image.Image:
            if picture := thumbnail(folder / path, pixels.COMPARED_SIZE):
                return picture
            raise Problem(f"{folder / path}: is gone or broken since the scan; scan again")

        self._pixels = pixels
        self._folder = folder
        self._small = small = lru_cache(maxsize=_PICTURES_IN_MEMORY)(opened)
        self._blocks = lru_cache(maxsize=None)(lambda path, size: pixels.blocks(small(path), size))
        self._whole = lru_cache(maxsize=1)(lambda path: open_image(folder / path).convert("RGB"))
        self._sizes, self._means, self.greys = {}, {}, {}
        for path in paths:
            with suppress(Problem):
                picture = small(path)
                self._sizes[path] = picture.size
                self._means[path] = pixels.mean_levels(picture)
                self.greys[path] = pixels.greys(picture)

    def alike(self, best: str, others: list[str], least: float) -> list[tuple[str, float]]:
        """Those that correlate with the best, and how much."""
        if not others:
            return []
        many = np.stack([self.greys[other] for other in others])
        found = self._pixels.correlations(self.greys[best], many).tolist()
        return [
            (other, alike) for other, alike in zip(others, found, strict=True) if alike >= least
        ]

    def at_least(self, best: str, other: str) -> float:
        """What two pictures differ by at least, which is enough to know of most that are no copies."""
        size = self._pixels.common_size(self._sizes[best], self._sizes[other])
        return round(self._pixels.at_least(self._blocks(best, size), self._blocks(other, size)), 1)

    def shift(self, best: str, other: str) -> float:
        """By how much the brightness or a colour of the whole differs."""
        return round(float(np.abs(self._means[best] - self._means[other]).max()), 1)

    def shift_of_part(self, best: str, other: str) -> float:
        """The same, of the part where it differs most. At one size: else an edge may fall into another part."""
        size = self._pixels.common_size(self._sizes[best], self._sizes[other])
        both = [self._small(path).resize(size, Image.Resampling.LANCZOS) for path in (best, other)]
        one, two = (self._pixels.mean_levels(picture, PARTS) for picture in both)
        return round(float(np.abs(one - two).max()), 1)

    def difference(self, best: str, other: str, copy: float) -> float:
        """What two pictures differ by; if that is little, and both are larger, at the full size of the smaller one."""
        differs = self._pixels.difference(self._small(best), self._small(other))
        both = min(max(self._sizes[best]), max(self._sizes[other]))
        if both == self._pixels.COMPARED_SIZE and round(differs, 1) <= copy:
            other_whole = open_image(self._folder / other).convert("RGB")
            differs = max(differs, self._pixels.difference(self._whole(best), other_whole, None))
        return round(differs, 1)


def _decided(best: tuple, other: tuple) -> int:
    """The place of the first of `_REASONS` in which two ranks differ."""
    return next(
        place for place, pair in enumerate(zip(best, other, strict=True)) if pair[0] != pair[1]
    )


def _is_stretched(first: tuple[int, int], second: tuple[int, int]) -> bool:
    """Whether width by height differ by more than 2 %, beside what is rounded to whole pixels."""
    shapes = first[0] * second[1], first[1] * second[0]
    return max(shapes) / min(shapes) - 1 > 0.02 + 1 / min(*first, *second)


def _taken_apart(first: str, second: str) -> bool:
    """Whether two cameras' clocks say that these are two shots: EXIF's time of exposure and its fraction of a second."""
    times = zip(first.partition(".")[::2], second.partition(".")[::2], strict=True)
    return any(one and other and one != other for one, other in times)


def _plan(files: pd.DataFrame, verdicts: list[_Verdict]) -> pd.DataFrame:
    import pandas as pd

    about = files.set_index("path", drop=False)
    order = {row[-1]: row for row in about[list(_EXACT_ORDER)].itertuples(index=False, name=None)}
    twins = {paths[0]: paths[1:] for paths in files.groupby("sha256", sort=False)["path"].agg(list)}
    copies: dict[str, list[_Verdict]] = {}  # by the one that stays
    look: dict[str, list[_Verdict]] = {}
    for verdict in verdicts:
        if verdict.kind == "near copy":
            same = [verdict._replace(path=path) for path in (verdict.path, *twins[verdict.path])]
            copies.setdefault(verdict.kept, []).extend(same)
        else:
            look.setdefault(verdict.kept, []).append(verdict)
    joined = {member.path for members in copies.values() for member in members}
    for kept, others in twins.items():
        for path in others if kept not in joined else ():
            decided = _OF_EXACT[_decided(order[kept], order[path])]
            same = _Verdict("exact copy", kept, path, 0, 0.0, 1.0, decided, "the same bytes")
            copies.setdefault(kept, []).append(same)

    rows = []
    for action, groups in (("move", copies), ("look", look)):
        for kept, members in sorted(groups.items()):
            group = rows[-1][0] + 1 if rows else 1
            why = _why_it_stays(members) if action == "move" else "stays"
            rows.append((group, "keep", "best", kept, kept, 0, 0.0, 1.0, why))
            for member in sorted(members):
                better = f"the one that stays is {_REASONS[member.decided]}"
                why = f"{member.why}; {better if action == 'move' else 'look at both'}"
                evidence = member.distance, member.difference, member.correlation
                rows.append((group, action, member.kind, member.path, kept, *evidence, why))
    facts = ["width", "height", "bytes", "modified", "sha256"]
    plan = pd.DataFrame(rows, columns=[name for name in PLAN if name not in facts])
    plan = _without_moves_from(plan, set(about.index[~about["movable"].to_numpy(dtype=bool)]))
    for fact in facts:
        plan[fact] = about[fact].reindex(plan["path"]).array
    return plan[list(PLAN)].astype(PLAN)


def _without_moves_from(plan: pd.DataFrame, kept: set[str]) -> pd.DataFrame:
    """The plan without moves from the folders that are to be kept, and without the groups in which nothing is left to do."""
    stays = plan["action"].eq("move") & plan["path"].isin(kept)
    plan = plan.assign(
        action=plan["action"].mask(stays, "keep"),
        reason=plan["reason"].mask(stays, "stays: in a folder to be kept; " + plan["reason"]),
    )
    to_do = plan.loc[plan["action"] != "keep", "group"]
    plan = plan[plan["group"].isin(to_do)].reset_index(drop=True)
    return plan.assign(group=plan["group"].rank(method="dense").astype(int))


def _why_it_stays(members: list[_Verdict]) -> str:
    decided = [_REASONS[member.decided] for member in members]
    return "stays: " + ", ".join(
        f"{reason} than {decided.count(reason)} of them" if reason in _COMPARED else reason
        for reason in dict.fromkeys(_REASONS)
        if reason in decided
    )
