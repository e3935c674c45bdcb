"""Clean a photo library: find the copies in it, and propose what may go.

Three steps, each of which can be looked at before the next one: `scan` tells about every file, `propose` makes a plan
from that, and `helpers.quarantine` moves what the plan names, and moves it back.
"""

import csv
import hashlib
import html
import io
import json
import os
import stat
import warnings
from base64 import b64encode
from functools import lru_cache, partial
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image

from helpers import Problem, __version__, datasets, fingerprints, pairs, pixels
from helpers.atomic import exclusive, write_text
from helpers.hamming import check_radius
from helpers.images import find_images, open_image, open_with_size
from helpers.parallel import share_out

#: Bits by which the fingerprints of copies may differ, unless another radius is asked for.
RADIUS = 10
#: The most that two copies may differ in one place, in grey levels of 255: see `helpers.pixels.difference`.
COPY = 20.0
#: Two pictures that correlate less than this are no look-alikes either, only near by chance.
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
    "quantisation": "Float64",
    "problem": "str",
}
#: The columns of the plan that `propose` makes, with their types.
PLAN = {
    "group": "Int64",
    "action": "str",
    "kind": "str",
    "path": "str",
    "kept": "str",
    "distance": "Int64",
    "difference": "Float64",
    "correlation": "Float64",
    "width": "Int64",
    "height": "Int64",
    "bytes": "Int64",
    "modified": "Int64",
    "sha256": "str",
    "reason": "str",
}
ACTIONS = ("keep", "move", "look")

_AT_A_TIME = 4096  # files after which the cache is written
_REMEMBERED = (
    1000  # pictures of one group that are kept in memory, at the size at which they are compared
)


# Every file


def scan(
    folder: str | Path, cache: str | Path | None = None, workers: int | None = None
) -> pd.DataFrame:
    """What a cleaner has to know about every image file below a folder. Nothing in it is changed.

    Parameters
    ----------
    folder : str or Path
        The photo library. Hidden files are passed over; links are listed, but never followed.
    cache : str or Path, optional
        A folder, outside the library, for what was found, so that the next scan reads only new and changed files (another size
        or time). ``libraries`` in `helpers.datasets.data_folder` if left out.
    workers : int, optional
        Processes; see `helpers.parallel.share_out`. The table does not depend on it.

    Returns
    -------
    DataFrame
        A row a file, sorted by path: ``path`` (relative, with ``/``), ``bytes``, ``modified`` (nanoseconds since 1970), ``sha256``,
        ``width`` and ``height`` (pixels, as shown), ``fingerprint`` (UInt64), ``flat`` (whether the fingerprint says nothing: see
        `is_flat`), ``frames`` (more than 1: an animation, or pages), ``quantisation`` (the mean step of a JPEG's first
        quantisation table: the larger, the more it was compressed; missing for other formats) and ``problem`` (why it
        could not be read, or empty). A file that cannot be decoded has a ``sha256`` all the same, one that cannot be opened has none.

    Raises
    ------
    Problem
        If there is no such folder, no image in it, or `cache` lies in it. One bad file raises nothing.

    Examples
    --------
    >>> scan("photos")  # doctest: +SKIP
    """
    folder = Path(folder)
    paths = find_images(folder)
    cache_file = _cache_file(folder, cache)
    if cache_file is None:
        return _scan(folder, paths, None, workers)
    with exclusive(cache_file):
        return _scan(folder, paths, cache_file, workers)


def _scan(
    folder: Path, paths: list[str], cache_file: Path | None, workers: int | None
) -> pd.DataFrame:
    known = _read_cache(cache_file) if cache_file else {}
    rows, jobs = {}, []
    for path in paths:
        row = _row_unread(folder, path)
        if row["problem"]:
            rows[path] = row
        elif (old := known.get(path)) and [old["bytes"], old["modified"]] == [
            row["bytes"],
            row["modified"],
        ]:
            rows[path] = old
        else:
            jobs.append(path)
    for start in range(0, len(jobs), _AT_A_TIME):
        some = jobs[start : start + _AT_A_TIME]
        done = share_out(partial(_rows, folder), some, workers=workers, title="scanning")
        rows |= {row["path"]: row for row in done}
        if cache_file:
            _write_cache(cache_file, rows)
    if cache_file and not jobs and known.keys() - rows.keys():
        _write_cache(cache_file, rows)
    listed = [rows[path] for path in paths]
    columns = {
        name: pd.array([row[name] for row in listed], dtype=kind) for name, kind in TABLE.items()
    }
    return pd.DataFrame(columns)


def _row_unread(folder: Path, path: str) -> dict:
    """What is known before a file is opened: size and time, or why it must not be opened."""
    row = {**dict.fromkeys(TABLE), "path": path, "sha256": "", "problem": ""}
    try:
        path.encode()
        status = (folder / path).lstat()
    except UnicodeEncodeError:
        shown = path.encode("utf-8", "backslashreplace").decode()
        return {**row, "path": shown, "problem": "its name is not valid text; rename it"}
    except OSError as error:
        return {**row, "problem": f"cannot be read ({error.strerror}); look whether it is there"}
    row |= {"bytes": status.st_size, "modified": status.st_mtime_ns}
    if stat.S_ISLNK(status.st_mode):
        row["problem"] = "is a link; it is left as it is"
    elif stat.S_ISDIR(status.st_mode):
        row["problem"] = "is a folder that may not be listed; ask for permission to read it"
    elif not stat.S_ISREG(status.st_mode):
        row["problem"] = "is a pipe or a device, not a file; delete it or name it otherwise"
    return row


def _rows(folder: Path, paths: list[str]) -> list[dict]:
    return [_row(folder, path) for path in paths]


def _row(folder: Path, path: str) -> dict:
    file = folder / path
    row = {**dict.fromkeys(TABLE), "path": path, "sha256": "", "problem": ""}
    try:
        with file.open("rb") as content:
            status = os.fstat(content.fileno())
            row |= {"bytes": status.st_size, "modified": status.st_mtime_ns}
            row["sha256"] = hashlib.file_digest(content, "sha256").hexdigest()
            content.seek(0)
            row |= _about_picture(file, content)
            after = os.fstat(content.fileno())
        if (after.st_size, after.st_mtime_ns) != (status.st_size, status.st_mtime_ns):
            row |= {"sha256": "", "fingerprint": None}
            row["problem"] = "was being written while it was read; scan again"
    except PermissionError:
        row["problem"] = "may not be read; ask for permission to read it"
    except OSError as error:
        row["problem"] = f"cannot be read ({error.strerror}); look whether it is there"
    except Problem as problem:
        row["problem"] = str(problem).removeprefix(f"{file}: ")
    return row


def _about_picture(file: Path, content: io.BufferedReader) -> dict:
    try:
        picture, (width, height) = open_with_size(content)
    except Exception:  # once more by its name: for the sentence that says why
        picture, (width, height) = open_with_size(file)
    content.seek(0)
    with warnings.catch_warnings(action="ignore"), Image.open(content) as header:
        frames = 1 if header.format == "MPO" else getattr(header, "n_frames", 1)
        tables = getattr(header, "quantization", None)
    return {
        "width": width,
        "height": height,
        "fingerprint": int(fingerprints.of_image(picture)),
        "flat": is_flat(picture),
        "frames": frames,
        "quantisation": float(np.mean(tables[min(tables)])) if tables else None,
    }


def is_flat(picture: Image.Image) -> bool:
    """Whether a picture's fingerprint says nothing: it compares greys that are all but equal."""
    thumbnail = np.asarray(picture.convert("L").resize((9, 8), Image.Resampling.LANCZOS), dtype=int)
    return bool((np.abs(np.diff(thumbnail, axis=1)) >= 2).sum() < 8)


# What earlier scans found


def _cache_file(folder: Path, cache: str | Path | None) -> Path | None:
    place = Path(cache) if cache is not None else datasets.data_folder() / "libraries"
    library = folder.resolve()
    if place.resolve().is_relative_to(library):
        if cache is not None:
            raise Problem(f"{cache}: lies inside the photo library; choose a folder outside it")
        print(f"Nothing is remembered for the next scan, since {place} lies inside {folder}.")
        return None
    digest = hashlib.sha256(os.fsencode(library)).hexdigest()[:16]
    return place / f"{digest}.txt"


def _versions() -> dict:
    """What a fingerprint, and whether a file can be read, depend on."""
    found = {"helpers": __version__}
    for package in ("pillow", "imagehash", "pillow_heif"):
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            found[package] = ""
    return {**found, "columns": list(TABLE)}


def _read_cache(file: Path) -> dict[str, dict]:
    """Path -> row. Empty if there is no cache, if it was made by other versions, or, with a sentence, if it is damaged."""
    try:
        digest, _, content = file.read_bytes().partition(b"\n")
        if hashlib.sha256(content).hexdigest().encode() != digest:
            raise ValueError("its checksum is wrong")
        versions, *rows = [json.loads(line) for line in content.splitlines()]
        if versions != _versions():
            return {}
        return {row[0]: dict(zip(TABLE, row, strict=True)) for row in rows}
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        print(
            f"{file}: what earlier scans found is damaged ({error}) and thrown away; all is read again."
        )
        return {}


def _write_cache(file: Path, rows: dict[str, dict]) -> None:
    lines = [json.dumps(_versions())]
    lines += [json.dumps([row[name] for name in TABLE]) for row in rows.values() if row["sha256"]]
    text = "\n".join(lines) + "\n"
    try:
        write_text(file, f"{hashlib.sha256(text.encode()).hexdigest()}\n{text}")
    except Problem as problem:
        print(f"The next scan will read all files again: {problem}")


# The plan


def propose(
    table: pd.DataFrame,
    folder: str | Path,
    radius: int = RADIUS,
    *,
    copy: float = COPY,
    look_alike: float = LOOK_ALIKE,
    workers: int | None = None,
) -> pd.DataFrame:
    """A plan: which files are copies, which one of each group is kept, and why. Nothing is moved.

    Parameters
    ----------
    table : DataFrame
        From `scan`.
    folder : str or Path
        The same folder; files with near fingerprints are opened once more.
    radius : int
        Bits by which the fingerprints of copies may differ.
    copy : float
        The most that copies may differ in one place: see `helpers.pixels.difference`.
    look_alike : float
        Near pairs that are no copies are listed for a person to look at if they correlate at least so much.
    workers : int, optional
        Processes. The plan does not depend on it.

    Returns
    -------
    DataFrame
        The columns of `PLAN`.
    """
    folder, radius = Path(folder), check_radius(radius)
    ranked = _ranked(table[(table["sha256"] != "") & (table["bytes"] > 0)])
    # files with the same bytes are one content, which the best of them stands for
    contents = ranked.drop_duplicates("sha256")
    readable = contents["fingerprint"].notna() & (contents["frames"] == 1)
    comparable = contents[readable & ~contents["flat"].fillna(True).astype(bool)]
    near = pairs.all_pairs(comparable["fingerprint"], radius)
    paths = comparable["path"].to_numpy()
    near = near.assign(first=paths[near["first"]], second=paths[near["second"]])
    judge = partial(_judge, folder, copy, look_alike)
    jobs = _jobs(near, comparable.set_index("path"))
    verdicts = share_out(judge, jobs, workers=workers, title="second look")
    return _plan(table, ranked, [verdict for group in verdicts for verdict in group])


#: Why one file stays rather than another: the first of these in which they differ.
_REASONS = ("larger", "less compressed", "older", "shorter path", "first by name")


def _ranked(files: pd.DataFrame) -> pd.DataFrame:
    """Of files with the same bytes, the one that stays comes first: the oldest, of the shortest path."""
    keys = files.assign(length=files["path"].str.len())
    return keys.sort_values(["modified", "length", "path"]).drop(columns="length")


def _jobs(near: pd.DataFrame, about: pd.DataFrame) -> list[tuple[dict, list]]:
    """For each group of near pictures: its members with what ranks them, the best first, and its near pairs."""
    groups = pairs.groups(near)
    group_of = {path: number for number, members in enumerate(groups) for path in members}
    inside: list[list] = [[] for _ in groups]
    for pair in near[["first", "second", "distance"]].itertuples(index=False, name=None):
        inside[group_of[pair[0]]].append(pair)
    jobs = []
    for members, its_pairs in zip(groups, inside, strict=True):
        files = about.loc[members]
        area = (files["width"] * files["height"]).astype(float)
        coarse = files["quantisation"]
        if coarse.isna().any():  # not all are JPEG
            coarse = -files["bytes"] / area
        keys = zip(
            -area, coarse.astype(float), files["modified"], map(len, members), members, strict=True
        )
        ranks = {key[-1]: tuple(key) for key in sorted(keys)}
        jobs.append((ranks, its_pairs))
    return jobs


def _first_difference(key: tuple, other: tuple) -> int:
    return next(place for place, (a, b) in enumerate(zip(key, other, strict=True)) if a != b)


def _judge(folder: Path, copy: float, look_alike: float, jobs: list[tuple]) -> list[list[tuple]]:
    return [_judge_group(folder, copy, look_alike, *job) for job in jobs]


def _judge_group(
    folder: Path, copy: float, look_alike: float, ranks: dict[str, tuple], near: list[tuple]
) -> list[tuple]:
    """Compare pixels, the best picture first: its copies join it, and are compared no further."""

    @lru_cache(maxsize=_REMEMBERED)
    def thumbnail(path: str) -> Image.Image | None:
        return _thumbnail(folder / path, pixels.COMPARED_SIZE)

    neighbours: dict[str, dict[str, int]] = {path: {} for path in ranks}
    for one, other, distance in near:
        neighbours[one][other] = neighbours[other][one] = distance
    verdicts, joined = [], set()
    for best in ranks:
        if best in joined:
            continue
        worse = [path for path in neighbours[best] if ranks[path] > ranks[best]]
        for other in sorted(set(worse) - joined, key=ranks.get):
            pictures = thumbnail(best), thumbnail(other)
            if None in pictures:  # it has gone or broken since the scan
                continue
            differs, alike = pixels.difference(*pictures), pixels.correlation(*pictures)
            kind = "near copy" if differs <= copy else "look-alike" if alike >= look_alike else ""
            if kind == "near copy":
                joined.add(other)
            if kind:
                why = _first_difference(ranks[best], ranks[other])
                verdicts.append((kind, best, other, neighbours[best][other], differs, alike, why))
    # a file that joined another is no look-alike of a third: the one that stays stands for it
    return [
        verdict
        for verdict in verdicts
        if verdict[0] == "near copy" or not joined & set(verdict[1:3])
    ]


def _thumbnail(file: Path, size: int) -> Image.Image | None:
    try:
        picture = open_image(file).convert("RGB")
    except Problem:
        return None
    picture.thumbnail((size, size), Image.Resampling.LANCZOS)
    return picture


def _plan(table: pd.DataFrame, ranked: pd.DataFrame, verdicts: list[tuple]) -> pd.DataFrame:
    twins = {paths[0]: paths[1:] for paths in ranked.groupby("sha256")["path"].agg(list)}
    about = table.drop_duplicates("path").set_index("path")
    copies: dict[str, list[tuple]] = {}
    alike: dict[str, tuple] = {}  # each look-alike once, with the nearest
    for kind, best, other, *evidence in verdicts:
        if kind == "near copy":
            copies.setdefault(best, []).append((kind, other, *evidence))
            for twin in twins[other]:
                copies[best].append((kind, twin, *evidence))
        elif other not in alike or evidence[1] < alike[other][1][1]:
            alike[other] = (best, evidence)
    joined = {member[1] for members in copies.values() for member in members}
    for best, others in twins.items():
        for other in others if best not in joined else []:
            why = _first_difference(_age_and_name(about, best), _age_and_name(about, other)) + 2
            copies.setdefault(best, []).append(("exact copy", other, 0, 0.0, 1.0, why))
    look: dict[str, list[tuple]] = {}
    for other, (best, evidence) in alike.items():
        look.setdefault(best, []).append(("look-alike", other, *evidence))

    rows = []
    for number, (best, members) in enumerate(
        [*sorted(copies.items()), *sorted(look.items())], start=1
    ):
        members = sorted(members, key=lambda member: member[:2])
        reasons = [_REASONS[member[-1]] for member in members]
        counted = [f"{word} than {reasons.count(word)}" for word in _REASONS[:3] if word in reasons]
        counted += [word for word in _REASONS[3:] if word in reasons]
        kept = f"stays: {', '.join(counted)}" if members[0][0] != "look-alike" else "stays"
        rows.append((number, "keep", "original", best, best, 0, 0.0, 1.0, kept))
        for kind, path, distance, differs, correlation, why in members:
            action = "look" if kind == "look-alike" else "move"
            reason = _reason(kind, why, distance, differs)
            rows.append(
                (
                    number,
                    action,
                    kind,
                    path,
                    best,
                    distance,
                    round(differs, 2),
                    round(correlation, 4),
                    reason,
                )
            )
    columns = [name for name in PLAN if name not in _FACTS]
    plan = pd.DataFrame(rows, columns=columns).merge(
        about[_FACTS], left_on="path", right_index=True, how="left"
    )
    return plan.sort_index()[list(PLAN)].astype(PLAN)


_FACTS = ["width", "height", "bytes", "modified", "sha256"]


def _age_and_name(about: pd.DataFrame, path: str) -> tuple:
    return about.at[path, "modified"], len(path), path


def _reason(kind: str, why: int, distance: int, differs: float) -> str:
    than = {3: "the one that stays has a shorter path", 4: "the one that stays comes first by name"}
    than = than.get(why, f"the one that stays is {_REASONS[why]}")
    if kind == "exact copy":
        return f"the same bytes; {than}"
    if kind == "near copy":
        return f"the same picture, {distance} bits and at most {differs:.0f} of 255 levels away; {than}"
    return f"near, {distance} bits away, but {differs:.0f} of 255 levels off in one place: another picture, or an edited one"


# On paper


def write_plan(path: str | Path, plan: pd.DataFrame) -> None:
    """Write a plan as CSV that spreadsheets open well: UTF-8 with a byte order mark, every text in quotes.

    Parameters
    ----------
    path : str or Path
    plan : DataFrame
        From `propose`.

    Raises
    ------
    Problem
        Where it cannot be written.

    Examples
    --------
    >>> write_plan("plan.csv", plan)  # doctest: +SKIP
    """
    text = io.StringIO()
    plan.to_csv(text, index=False, lineterminator="\n", quoting=csv.QUOTE_NONNUMERIC)
    write_text(path, "\ufeff" + text.getvalue())


def read_plan(path: str | Path) -> pd.DataFrame:
    """The plan that `write_plan` wrote, also after somebody edited it in a spreadsheet and saved it as CSV.

    Parameters
    ----------
    path : str or Path

    Returns
    -------
    DataFrame
        The columns of `PLAN`. Separators may be commas, semicolons or tabs, line ends of any kind; numbers may have lost
        digits, as spreadsheets shorten the time; the SHA-256 tells all the same whether a file is the one of the plan.

    Raises
    ------
    Problem
        If it cannot be read, has lost a column, or an action is none of `ACTIONS`.

    Examples
    --------
    >>> read_plan("plan.csv")  # doctest: +SKIP
    """
    path = Path(path)
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except OSError as error:
        raise Problem(f"{path}: cannot be read ({error.strerror}); write the plan first") from error
    except UnicodeDecodeError as error:
        raise Problem(f"{path}: is not UTF-8; save it as CSV UTF-8") from error
    header = text.partition("\n")[0]
    separator = max(",;\t", key=header.count)
    try:
        rows = list(csv.DictReader(io.StringIO(text, newline=""), delimiter=separator))
    except csv.Error as error:
        raise Problem(f"{path}: is no CSV ({error}); write the plan again") from error
    return _as_plan(path, [row for row in rows if any(row.values())])


def _as_plan(path: Path, rows: list[dict]) -> pd.DataFrame:
    needed = ("action", "path", "kept", "bytes", "sha256")
    for line, row in enumerate(rows, start=1):
        missing = [name for name in needed if row.get(name) is None]
        if missing:
            raise Problem(f"{path}: has no column {missing[0]!r}; write the plan again")
        if row["action"].strip() not in ACTIONS:
            raise Problem(
                f"{path}: row {line} has the action {row['action']!r}; it is {', '.join(ACTIONS)}"
            )
        row["action"] = row["action"].strip()
    columns = {}
    for name, kind in PLAN.items():
        values = [row.get(name) or "" for row in rows]
        if kind != "str":
            values = [_number(path, name, value, whole=kind == "Int64") for value in values]
        columns[name] = pd.array(values, dtype=kind)
    return pd.DataFrame(columns)


def _number(path: Path, name: str, value: str, *, whole: bool) -> int | float | None:
    value = value.strip()
    if not value:
        return None
    try:
        if whole:
            return (
                int(value) if value.lstrip("-").isdigit() else int(float(value.replace(",", ".")))
            )
        return float(value.replace(",", "."))
    except (ValueError, OverflowError):
        raise Problem(f"{path}: {name} {value!r} is no number; write the plan again") from None


_STYLE = """
body { font: 16px/1.4 sans-serif; margin: 1.5em; color: #000; background: #fff; }
section { border-top: 1px solid #767676; padding: .5em 0; break-inside: avoid; }
section:focus-visible { outline: 3px solid #000; }
h2 { font-size: 1em; margin: 0 0 .5em; }
.row { display: flex; flex-wrap: wrap; gap: 1em; }
figure { margin: 0; padding: .5em; width: 176px; border: 2px dashed #595959; }
figure.keep { border: 5px solid #000; }
figure.look { border: 2px dotted #595959; }
img { display: block; max-width: 100%; height: auto; }
figcaption { font-size: .8em; overflow-wrap: anywhere; white-space: pre-line; }
"""
_WORDS = {"keep": "STAYS", "move": "moves", "look": "look at it"}


def contact_sheet(
    folder: str | Path,
    plan: pd.DataFrame,
    target: str | Path,
    *,
    most: int = 300,
    workers: int | None = None,
) -> None:
    """A page with a row of small pictures for each group of a plan: who stays, who moves, and why.

    It needs no network and no other file, is read from top to bottom (the tab key goes from group to group), and tells by
    words and borders, not by colours.

    Parameters
    ----------
    folder : str or Path
        The photo library.
    plan : DataFrame
        From `propose` or `read_plan`.
    target : str or Path
        The HTML file.
    most : int
        Groups to show; a sentence on the page tells how many more there are.
    workers : int, optional
        Processes; see `helpers.parallel.share_out`.

    Raises
    ------
    Problem
        Where it cannot be written.

    Examples
    --------
    >>> contact_sheet("photos", plan, "sheet.html")  # doctest: +SKIP
    """
    groups = [rows for _, rows in plan.groupby("group", sort=True)]
    shown = groups[:most]
    paths = sorted({path for rows in shown for path in rows["path"]})
    made = share_out(partial(_embedded, Path(folder)), paths, workers=workers, title="thumbnails")
    images = dict(zip(paths, made, strict=True))
    title = html.escape(f"Plan for {Path(folder).name}")
    parts = [
        f'<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n<title>{title}</title>\n'
        f"<style>{_STYLE}</style>\n</head>\n<body>\n<main>\n<h1>{title}</h1>\n<p>{html.escape(summary(plan))}</p>"
    ]
    for rows in shown:
        number, kind = (
            rows["group"].iloc[0],
            "look-alikes" if "look" in set(rows["action"]) else "copies",
        )
        heading = f"Group {number}: {kind}, {len(rows)} files"
        parts.append(
            f'<section tabindex="0" aria-labelledby="group-{number}">\n<h2 id="group-{number}">{heading}</h2>\n<div class="row">'
        )
        parts += [_figure(row, images[row.path]) for row in rows.itertuples()]
        parts.append("</div>\n</section>")
    if len(groups) > most:
        parts.append(f"<p>{len(groups) - most:,} more groups are in the plan.</p>")
    parts.append("</main>\n</body>\n</html>\n")
    # a name may hold half a character, which no page can
    page = "\n".join(parts).encode("utf-8", "backslashreplace").decode()
    write_text(target, page)


def _embedded(folder: Path, paths: list[str]) -> list[str]:
    return [_data_address(_thumbnail(folder / path, 160)) for path in paths]


def _data_address(picture: Image.Image | None) -> str:
    if picture is None:
        return ""
    file = io.BytesIO()
    picture.save(file, format="jpeg", quality=70)
    return f"data:image/jpeg;base64,{b64encode(file.getvalue()).decode()}"


def _figure(row: tuple, address: str) -> str:
    name, word = html.escape(row.path), _WORDS[row.action]
    size = f"{row.width} x {row.height} pixels" if pd.notna(row.width) else "cannot be shown"
    image = f'<img src="{address}" alt="{name}, {size}, {word}">' if address else f"<p>{size}</p>"
    return (
        f'<figure class="{row.action}">\n{image}\n<figcaption><strong>{word}</strong>: <bdi>{name}</bdi>\n'
        f"{size}, {row.bytes:,} bytes\n{html.escape(row.reason)}</figcaption>\n</figure>"
    )


def summary(plan: pd.DataFrame) -> str:
    """A plan in one sentence.

    Parameters
    ----------
    plan : DataFrame
        From `propose`.

    Returns
    -------
    str

    Examples
    --------
    >>> summary(pd.DataFrame({"action": ["keep", "move"], "kind": ["original", "exact copy"], "bytes": [10, 10]}))
    '1 files may go (1 exact copies, 0 near copies; 0.0 MB); 0 look-alikes are to be looked at.'
    """
    moves = plan[plan["action"] == "move"]
    kinds = moves["kind"].value_counts()
    return (
        f"{len(moves):,} files may go ({kinds.get('exact copy', 0):,} exact copies, {kinds.get('near copy', 0):,} near "
        f"copies; {(moves['bytes'].sum() if len(moves) else 0) / 1e6:,.1f} MB); {(plan['action'] == 'look').sum():,} look-alikes are to be looked at."
    )
