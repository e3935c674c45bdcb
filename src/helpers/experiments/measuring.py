"""What is measured of each picture of a run, shared out in parts that are written whole.

A part is a list of pictures of about equal cost: one query, or as many other pictures as a query
has copies. A part that is there already is not made again, so a run goes on where it was stopped.
"""

from __future__ import annotations

import hashlib
import json
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from math import comb
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING

import joblib
import numpy as np
from PIL import Image

from helpers import Problem
from helpers.files.atomic import write_text
from helpers.files.parallel import share_out
from helpers.files.places import counted, sha256_of, size_and_time
from helpers.fingerprints.flat import is_flat
from helpers.fingerprints.hashes import HASHES, of_shown, to_hex, to_int
from helpers.images import changes as table_of_changes
from helpers.images.formats import check_bytes, open_header
from helpers.images.opening import open_with_size

if TYPE_CHECKING:  # workers start without it
    import pandas as pd

#: Of these copies the end of a run tells.
TOLD = {
    "jpeg": "quality 50",
    "resize": "x 0.25",
    "crop each side": "5 %",
    "rotate, black corners": "2 degrees",
    "watermark": "large in the centre",
    "pad black": "5 %",
    "mirror": "left-right",
}
#: What is known of each picture beside its fingerprints.
FACTS = ("width", "height", "bytes", "pixels", "flat")

#: What ``run.json`` must have, by kind.
_ABOUT = {
    str: "name digest date",
    int: "pictures left_out queries seed found asked quick",
    int | float: "seconds",
    int | None: "side",
    list: "hashes rates machine",
    dict: "changes versions",
}
#: The columns of the tables that are counted from a run, after ``hash``.
TABLES = {
    "near_pairs": "first second distance kind",
    "pairs": "distance pairs",
    "rates": "radius pairs rate low high",
    "recall": "change strength rate radius recall low high recall_at_exact_rate pictures",
    "by_radius": "change strength radius found pictures",
}
_COPY_BYTES = 32  # a pixel, while a copy is made; the largest one has both sides doubled
_QUICKER = "Quicker: --queries 100, --side 1024, or --quick for a table within a minute."
_TIMED_SIDE = 512  # pixels; a larger query is timed at this size


@dataclass(frozen=True)
class Run:
    """A run, as it was read or made.

    Parameters
    ----------
    folder : Path
        Where it is kept.
    about : dict
        What ``run.json`` says: name and digest of the set, settings, versions, date, seconds.
    pictures : DataFrame
        A row a picture: ``path``, ``width``, ``height``, ``bytes``, ``pixels``, ``flat``,
        ``query``, ``problem``, then the hex text of each hash.
    distances : DataFrame
        A row a query, change and strength: ``path``, ``change``, ``strength``, then for each hash
        the bits between the fingerprints of copy and original (missing where no copy was made).
    judged : DataFrame
        Pairs on which a person decided; empty if there are none.
    """

    folder: Path
    about: dict
    pictures: pd.DataFrame
    distances: pd.DataFrame
    judged: pd.DataFrame


def check_fits(run: Run) -> None:
    """Make sure that the parts of a run fit together, since people edit and send them.

    Parameters
    ----------
    run : Run
        As its files say.

    Raises
    ------
    KeyError, TypeError, ValueError
        If something is missing, of another kind, or does not fit the rest.

    Examples
    --------
    >>> check_fits(runs.read("photos-run"))  # doctest: +SKIP
    """
    about, pictures, distances = run.about, run.pictures, run.distances
    for kind, keys in _ABOUT.items():
        if wrong := [key for key in keys.split() if not isinstance(about[key], kind)]:
            raise TypeError(f"{wrong[0]} is {about[wrong[0]]!r}")
    if not 0 < min(about["rates"]) <= max(about["rates"]) < 1:
        raise ValueError(f"rates are {about['rates']}")
    number = about["pictures"] + about["left_out"]
    if not about["pictures"] or len(pictures) != number or not pictures["path"].is_unique:
        raise ValueError(f"pictures.csv has not {counted(number, 'picture')}")
    asking, copies = pictures["path"][pictures["query"]], each_copy(about["changes"])
    rows = distances[["path", "change", "strength"]].itertuples(index=False, name=None)
    if [*rows] != [(path, *copy) for path in asking for copy in copies]:
        raise ValueError("distances are of other copies")
    for hash in about["hashes"]:
        bits, digits = HASHES[hash].bits, pictures[hash][pictures["problem"] == ""]
        is_hex = digits.str.fullmatch(f"[0-9a-f]{{{-(-bits // 4)}}}")
        if not (is_hex.all() and distances[hash].dropna().between(0, bits).all()):
            raise ValueError(f"fingerprints or distances are none of {hash}")


def measure(
    root: Path, place: Path, drawn: list[str], asked: dict, workers: int
) -> tuple[dict[str, dict], list[str]]:
    """Open each picture once; take its fingerprints and, if it is a query, those of its copies.

    Parameters
    ----------
    root : Path
        The folder of the pictures.
    place : Path
        The folder in which finished parts are kept, and looked for.
    drawn : list of str
        Paths of the pictures, in the order in which they are taken for queries.
    asked : dict
        The settings of the run.
    workers : int
        Processes. The result does not depend on it.

    Returns
    -------
    rows : dict of str to dict
        What is known of each picture.
    asking : list of str
        The queries, sorted. If one that was drawn is unreadable, flat or equal to another picture,
        the next takes its place, and is opened once more.
    """
    rows, todo, queries = {}, sorted(drawn), set(drawn[: asked["asked"]])
    while todo:
        parts = _parts(root, todo, queries, len(each_copy(asked["changes"])))
        job = partial(_work_on, root, place, asked)
        share_out(job, list(parts.items()), workers=workers, title="parts of the run")
        for name in parts:
            rows |= json.loads((place / f"{name}.json").read_bytes())
        asking = _queries(rows, drawn)[: asked["asked"]]
        todo = sorted(path for path in asking if rows[path]["distances"] is None)
        queries = set(todo)
    return rows, sorted(asking)


def _queries(rows: dict[str, dict], drawn: list[str]) -> list[str]:
    """The pictures that may be asked with, in the order in which they were drawn."""
    first = {}
    for path in sorted(rows):
        first.setdefault(rows[path].get("pixels"), path)
    may = {path for path in first.values() if not rows[path]["problem"] and not rows[path]["flat"]}
    return [path for path in drawn if path in may]


def _parts(root: Path, images: list[str], queries: set[str], copies: int) -> dict[str, list]:
    """Lists of pictures, each named by all that it depends on: also by files' sizes and times."""
    parts, weight = {}, 0
    for path in images:
        weight += 1 + copies * (path in queries)
        part = parts.setdefault(weight // (copies + 1), [])
        part.append((path, path in queries, size_and_time(root / path)))
    return {
        hashlib.sha256(json.dumps(part).encode()).hexdigest()[:24]: part for part in parts.values()
    }


def _work_on(root: Path, parts: Path, asked: dict, part: tuple) -> None:
    file, pictures = parts / f"{part[0]}.json", part[1]
    if not file.exists():
        rows = {path: _of_picture(root, path, asked, query) for path, query, _ in pictures}
        write_text(file, json.dumps(rows))


def _of_picture(root: Path, path: str, asked: dict, is_query: bool) -> dict:
    """All that a run needs of one picture, which is opened once."""
    file, row = f"{root}/{path}", {"problem": "", "distances": None}
    try:
        path.encode()
        picture, (width, height) = open_with_size(file)
        check_bytes(8 * width * height)
        pixels = hashlib.sha256(f"{picture.width} x {picture.height}\n".encode())
        colours = picture if picture.mode == "RGB" else picture.convert("RGB")
        pixels.update(colours.tobytes())
        if max(picture.size) > (asked["side"] or np.inf):
            picture = reduced(colours, asked["side"])
        values = {hash: _value(picture, hash) for hash in asked["hashes"]}
        facts = [width, height, sha256_of(file), pixels.hexdigest(), int(is_flat(picture))]
    except UnicodeEncodeError:
        return row | {"problem": "its name is not valid text; rename it"}
    except (Problem, OSError, MemoryError) as problem:
        why = str(problem).removeprefix(f"{file}: ")
        return row | {"problem": why or "takes more memory than there is; close other programs"}
    if is_query and not facts[-1]:
        row["distances"] = _distances(picture, path, values, asked)
    digits = [to_hex(value, HASHES[name].bits) for name, value in values.items()]
    return row | dict(zip(FACTS, facts, strict=True)) | {"hashes": digits}


def reduced(picture: Image.Image, side: int | None) -> Image.Image:
    """A picture as a run takes it, if it reduces large ones.

    Parameters
    ----------
    picture : PIL.Image.Image
        The picture, in RGB. It is made smaller itself, since a copy takes long.
    side : int or None
        Pixels on its longer side, at most; any number if None.

    Returns
    -------
    PIL.Image.Image
        The same object.

    Examples
    --------
    >>> reduced(Image.new("RGB", (400, 100)), 200).size
    (200, 50)
    """
    if side:
        # five times as fast on 18 megapixels as Lanczos alone: whole pixels are averaged first
        picture.thumbnail((side, side), Image.Resampling.LANCZOS, reducing_gap=3)
    return picture


def _value(picture: Image.Image, hash: str) -> int:
    return to_int(of_shown(picture, hash), HASHES[hash].bits)


def _distances(picture: Image.Image, path: str, values: dict, asked: dict) -> list[list]:
    """A row a change and strength. What takes too much memory is missing, and told at the end."""
    found, picture = [], picture.convert("RGB")
    for name, strength in each_copy(asked["changes"]):
        copy = None
        with suppress(Exception):  # as MemoryError
            check_bytes(picture.width * picture.height * _COPY_BYTES)
            copy = table_of_changes.change(picture, name, strength, asked["seed"], path=path)
        found.append([_bits(copy, hash, value) for hash, value in values.items()])
    return found


def _bits(copy: Image.Image | None, hash: str, value: int) -> int | None:
    with suppress(Exception):
        return (_value(copy, hash) ^ value).bit_count()
    return None


def each_copy(changes: dict[str, list[str]]) -> list[tuple[str, str]]:
    """The changes and strengths, one by one.

    Parameters
    ----------
    changes : dict of str to list of str
        Change -> strengths.

    Returns
    -------
    list of (str, str)
        In the same order.

    Examples
    --------
    >>> each_copy({"turn": ["90 degrees", "180 degrees"]})
    [('turn', '90 degrees'), ('turn', '180 degrees')]
    """
    return [(name, strength) for name, strengths in changes.items() for strength in strengths]


def cost(root: Path, drawn: list[str], asked: dict, workers: int | None) -> tuple[str, int]:
    """What a run will cost, from the time that three pictures take.

    Parameters
    ----------
    root, drawn, asked
        As for `measure`.
    workers : int or None
        Processes; all processors if None, but one for what takes seconds.

    Returns
    -------
    str
        Decodings, fingerprints, minutes, megabytes; and what is quicker, if it takes an hour.
    int
        The number of processes.
    """
    sizes = {path: (size_and_time(root / path) or [0])[0] for path in drawn}
    paths, plain, query, pixels = sorted(drawn, key=lambda path: (sizes[path], path)), [], 0, 0
    for share in (0.2, 0.8, 0.5):
        path, began = paths[int(share * len(paths))], perf_counter()
        row = _of_picture(root, path, asked, is_query=False)
        plain.append(perf_counter() - began)
    if not row["problem"]:
        whole = min(max(row["width"], row["height"]), asked["side"] or np.inf)
        side, began = min(whole, _TIMED_SIDE), perf_counter()
        _of_picture(root, path, asked | {"side": side}, is_query=True)
        query = max(0, perf_counter() - began - plain[-1]) * (whole / side) ** 2
    with suppress(Exception), (root / paths[-1]).open("rb") as file, open_header(file) as image:
        pixels = image.width * image.height
    n, queries, hashes = len(drawn), min(asked["asked"], len(drawn)), len(asked["hashes"])
    copies = queries * len(each_copy(asked["changes"]))
    seconds = n * np.mean(plain) + queries * query
    workers = workers or (joblib.cpu_count() if seconds > 5 else 1)
    minutes, pairs = seconds / workers / 60, comb(n, 2)
    room = n * (200 + 30 * hashes) + copies * (60 + 4 * hashes)
    room = 1 + (room + hashes * 100 * min(pairs, 300 + pairs // 10**4)) / 1e6
    held = (_COPY_BYTES if asked["side"] is None else 12) * pixels / 1e6
    memory = 180 + workers * (100 + held)
    sentence = f"""each decoded once; {queries:,} changed, to {counted(copies, "copy", "copies")};
        {counted((n + copies) * hashes, "fingerprint")}. About {max(minutes, 0.1):,.1f} minutes with
        {counted(workers, "process", "processes")}, {room:,.0f} MB on disk, {memory:,.0f} MB of
        memory. {_QUICKER if minutes > 60 else ""}"""
    return " ".join(sentence.split()), workers
