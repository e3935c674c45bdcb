"""What a table is made from: pictures, shards with pictures, or fingerprints that are there."""

from __future__ import annotations

import io
import re
from collections.abc import Iterable
from contextlib import suppress
from functools import partial
from hashlib import sha256
from pathlib import Path
from tarfile import TarError

import numpy as np
import pandas as pd

from helpers import Problem
from helpers.cluster.engine import gather  # first, as it tells what is not installed
from helpers.files.places import size_and_time
from helpers.fingerprints import catalogue, recipe
from helpers.images.folders import find_images, is_picture

# isort: split
import dask.dataframe as dd
import fsspec
from dask import delayed
from distributed import Client
from fsspec import AbstractFileSystem as Disk
from fsspec.implementations.tar import TarFileSystem
from pyarrow import parquet

VALUES = 250_000  # fingerprints in a part and in a partition
_OF_VALUES = -1  # pictures, in place of how many there are
_SHARD = re.compile(r".*/[^._/][^/]*\.(tar|parquet)")
_WHOLE = ("int8", "int16", "int32", "int64", "uint8", "uint16", "uint32")
_VALUES = {"id": _WHOLE, "fingerprint": ("uint64",)}
_PICTURES = {"path": ("string", "large_string"), "bytes": ("binary", "large_binary")}
_TAKES = "takes id (int64) and fingerprint (uint64), or path (string) and bytes (binary)"
_TELLS = ("size", "mtime", "ETag", "etag")  # of a file in a store: whether it has changed


def place(address: str | Path) -> tuple[Disk, str]:
    """The file system of an address, and the path there.

    Parameters
    ----------
    address : str or Path
        As fsspec knows it (``s3://...``); or a path.

    Returns
    -------
    AbstractFileSystem
        Of fsspec.
    str
        What it calls this place.

    Raises
    ------
    Problem
        If there is no such store, if it cannot be reached, or if a package for it is missing.
    """
    if "://" in str(address):
        try:
            disk, root = fsspec.url_to_fs(str(address))
            disk.exists(root)  # each store has errors of its own, as for who has no key
        except Exception as error:
            why = f"could not be reached ({type(error).__name__}: {error})"
            raise Problem(f"{address}: {why}; see that it is right, and what you may do") from error
        return disk, root
    return fsspec.filesystem("file"), Path(address).absolute().as_posix()


def pieces(
    source: str, made: recipe.Recipe, rows: int | None, client: Client
) -> tuple[list, float, str]:
    """What there is to read, cut into pieces of work.

    Parameters
    ----------
    source : str
        The address of a folder, or of one shard.
    made : Recipe
        What makes the fingerprints of pictures.
    rows : int, optional
        In a piece.
    client : distributed.Client
        From `helpers.cluster.engine.engine`.

    Returns
    -------
    list
        Each piece, which may be a Delayed, gives rows and problems when it is called.
    float
        Seconds of a processor that they should take.
    str
        SHA-256 of the list of what was found, with sizes and times.

    Raises
    ------
    Problem
        If there is nothing, or if a shard cannot be read.
    """
    disk, root = place(source)
    folder = f"{root}/" if root else ""  # the root of a zip is empty
    if listed := _pictures(disk, folder):
        read, paths, step = partial(_of_folder, disk, folder, made), sorted(listed), rows or 1_000
        pieces = [partial(read, at, paths[at : at + step]) for at in range(0, len(paths), step)]
    else:
        found = disk.ls(root, detail=True) if disk.exists(root) else []
        found = {each["name"]: each for each in found if _SHARD.fullmatch(each["name"])}
        listed = {name: [each.get(key) for key in _TELLS] for name, each in found.items()}
        shards, read = sorted(listed), partial(_of_shard, disk, made)
        counts = gather(client.map(read, shards, pure=False), "list", "shard")
        starts = np.cumsum([0, *counts]).tolist()
        pieces = [partial(read, *piece) for piece in zip(shards, starts, strict=False)]
        if len({count == _OF_VALUES for count in counts}) > 1:
            raise Problem(f"{source}: holds both pictures and fingerprints; part them")
        if _OF_VALUES in counts:
            few = {"blocksize": 16 * (rows or VALUES), "split_row_groups": "adaptive"}
            few |= {"columns": ["id", "fingerprint"], "index": False, "filesystem": disk}
            parts = dd.read_parquet(shards, **few).to_delayed()
            pieces = [delayed(partial)(_of_values, source, part) for part in parts]
    if not pieces:
        raise Problem(f"{source}: holds neither pictures nor shards; check the address")
    seconds = len(listed) * 3e-3 + sum(about[0] or 0 for about in listed.values() if about) / 20e6
    return pieces, seconds, sha256(repr((rows, sorted(listed.items()))).encode()).hexdigest()


def _pictures(disk: Disk, folder: str) -> dict[str, list | None]:
    """The pictures of a folder, each with its bytes and what else tells that it has changed."""
    if "file" in disk.protocol:
        with suppress(Problem):
            return {path: size_and_time(Path(folder, path)) for path in find_images(folder)}
        return {}
    found = {name[len(folder) :]: each for name, each in disk.find(folder, detail=True).items()}
    return {
        path: [each.get(key) for key in _TELLS] for path, each in found.items() if is_picture(path)
    }


def _of_shard(disk: Disk, made: recipe.Recipe, shard: str, first: int | None = None) -> tuple | int:
    """The fingerprints of a shard, if the first id is known; else how many there will be."""
    try:
        with disk.open(shard, "rb") as file:
            if shard.endswith(".tar"):
                archive = TarFileSystem(fo=file)
                paths = sorted(_pictures(archive, ""))
                files = (partial(archive.open, path) for path in paths)
            else:
                opened = parquet.ParquetFile(file)
                kinds = {each.name: str(each.type) for each in opened.schema_arrow}
                of_values, of_pictures = (
                    all(kinds.get(name) in kind for name, kind in takes.items())
                    for takes in (_VALUES, _PICTURES)
                )
                if of_values:
                    shard.encode()  # as pyarrow will
                    return _OF_VALUES
                if not of_pictures:
                    has = ", ".join(f"{name} ({kind})" for name, kind in kinds.items())
                    raise Problem(f"{shard}: {_TAKES}, but has {has}; write its columns so")
                paths = opened.read(["path"])["path"].to_pylist()
                if None in paths:
                    raise ValueError("a path is missing")
                batches = opened.iter_batches(64, columns=["bytes"])
                files = (io.BytesIO(each.as_py()) for batch in batches for each in batch[0])
            if first is None:
                return len(paths)
            ids = first + np.argsort(np.argsort(paths, kind="stable"), kind="stable")
            paths = [f"{shard.rpartition('/')[2]}/{path}" for path in paths]
            return _rows(made, zip(ids.tolist(), paths, files, strict=True))
    except UnicodeEncodeError as error:
        raise Problem(f"{shard}: its path is not valid text; rename it") from error
    except (TarError, LookupError, OSError, ValueError) as error:
        raise Problem(f"{shard}: could not be read ({error}); copy it from its source") from error


def _of_values(source: str, rows: pd.DataFrame) -> tuple[pd.DataFrame, list]:
    if rows.isna().any(axis=None) or (np.diff(rows["id"]) <= 0).any():
        what = "ids have to be in order, each once, and each with a fingerprint"
        raise Problem(f"{source}: its {what}; leave out the others, and sort by id")
    return rows.assign(path=None), []


def _of_folder(disk: Disk, folder: str, made: recipe.Recipe, first: int, paths: list[str]) -> tuple:
    files = [f"{folder}{path}" for path in paths]
    if not any(map(disk.lexists, files)):
        raise Problem(f"{folder}: a worker sees no such files there; all need to see one folder")
    if "file" not in disk.protocol:
        files = [lambda file=file: io.BytesIO(disk.cat_file(file)) for file in files]
    return _rows(made, zip(range(first, first + len(paths)), paths, files, strict=True))


def _rows(made: recipe.Recipe, pictures: Iterable[tuple]) -> tuple[pd.DataFrame, list]:
    """The fingerprints of pictures, in the order of their ids; and those that have none."""
    if why := recipe.why_not(made, recipe.here(made.hash, rules=made.rules, **made.reading)):
        raise Problem(f"a worker has other packages: it would be made {why}; install the same")
    rows = sorted((number, catalogue.row_of(path, made, file)) for number, path, file in pictures)
    good = [(number, row[0], row[4]) for number, row in rows if not row[-1]]
    ids, paths, values = zip(*good, strict=True) if good else ((), (), ())
    values = np.array(values, dtype=np.uint64)  # pandas might take them for floats
    table = pd.DataFrame({"id": ids, "path": paths, "fingerprint": values})
    return table, [(number, row[0], row[-1]) for number, row in rows if row[-1]]
