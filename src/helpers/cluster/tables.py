"""Tables of fingerprints in parts, at any address that fsspec knows, made and read by Dask.

A table is a folder. Its parts hold ``id``, ``path`` and ``fingerprint``; what could not be read is
in ``problems.parquet``; ``table.json`` comes last and names each part with its SHA-256. A result
is a folder like it, with three whole numbers a row and ``result.json``.
"""

from __future__ import annotations

import io
import json
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from hashlib import sha256
from itertools import chain, pairwise
from pathlib import Path
from tarfile import TarError
from typing import NamedTuple
from uuid import uuid4

import numpy as np
import pandas as pd

from helpers import Problem
from helpers.cluster.engine import Cost, gather  # first, as it tells what is not installed
from helpers.files.atomic import PARTIAL, write_bytes
from helpers.files.places import size_and_time
from helpers.fingerprints import catalogue, recipe
from helpers.fingerprints.hashes import DHASH
from helpers.hamming import as_fingerprints
from helpers.images.folders import find_images, is_picture

# isort: split
import dask.dataframe as dd
import fsspec
import pyarrow as pa
from dask import delayed
from distributed import Client
from fsspec import AbstractFileSystem as Disk
from fsspec.implementations.tar import TarFileSystem
from pyarrow import parquet

#: A result has no more rows: at up to 24 bytes each, on a disk.
MOST_ROWS = 100_000_000
PIECE = 1_000_000  # of its rows, or about as many, are written at a time
_VALUES = 250_000  # fingerprints in a part and in a partition
_SORTED_AT_A_TIME = 5_000_000  # rows of a result, whose digest is taken
_KINDS = {"fingerprint": pa.uint64(), "path": pa.string(), "problem": pa.string()}
_COLUMNS, _PROBLEM = ["id", "path", "fingerprint"], ["id", "path", "problem"]
_OF_VALUES = -1  # pictures, in place of how many there are
_SHARD = re.compile(r".*/[^._/][^/]*\.(tar|parquet)")
_OF_A_RESULT = re.compile(rf"part-\d+-\d+\.parquet|result\.json|\..+{re.escape(PARTIAL)}")


class Part(NamedTuple):
    """One file of a table.

    Parameters
    ----------
    name : str
        Of the file in the table's folder.
    rows : int
        How many it holds.
    sha256 : str
        Of its bytes.
    """

    name: str
    rows: int
    sha256: str


@dataclass(frozen=True)
class Table:
    """A table of fingerprints, or a result, as it lies on a disk or in a store.

    Parameters
    ----------
    address : str
        Of its folder.
    parts : tuple of Part
        Its files, in the order of ids.
    rows : int
        In all parts.
    columns : list of str
        ``id``, ``path``, ``fingerprint``; of a result its three.
    digest : str
        Of a result: see `digest`. Of a table: SHA-256 of the list of what was read.
    recipe : Recipe or None
        What made the fingerprints; a result has none.
    """

    address: str
    parts: tuple[Part, ...]
    rows: int
    columns: list[str]
    digest: str
    recipe: recipe.Recipe | None = None

    @classmethod
    def open(cls, address: str | Path) -> Table:
        """A table or a result that is complete.

        Parameters
        ----------
        address : str or Path
            Of its folder.

        Returns
        -------
        Table
            Nothing of its parts has been read yet.

        Raises
        ------
        Problem
            If there is none, or if its last file cannot be understood.
        """
        kind = "table" if _read(address, "table.json") else "result"
        try:
            about = json.loads(_read(address, f"{kind}.json"))
            about["parts"] = tuple(Part(*part) for part in about["parts"])
            about["recipe"] = recipe.from_dict(about["recipe"]) if about["recipe"] else None
            return cls(_whole(address), **about)
        except (ValueError, LookupError, TypeError) as error:
            what = f"{address}: holds no whole table or result"
            raise Problem(f"{what} ({error}); run again what made it") from error

    def frame(self, columns: Sequence[str] = ("id", "fingerprint")) -> dd.DataFrame:
        """Its rows as a Dask DataFrame, of which nothing is read yet.

        Parameters
        ----------
        columns : sequence of str
            Which of them; those of a result are its own three.

        Returns
        -------
        dask.dataframe.DataFrame
            Small parts share a partition. Each part's SHA-256 is checked when it is read.
        """
        names = columns if self.recipe else self.columns
        read = partial(read_parts, address=self.address, columns=list(names))
        own = f"read-{uuid4().hex}"  # else Dask may answer with what it kept of an earlier reading
        frame = dd.from_map(read, [[part] for part in self.parts] or [[]], meta=read([]), label=own)
        return frame.repartition(npartitions=min(len(self.parts), -(-self.rows // _VALUES)) or 1)


def read_parts(parts: Sequence[Part], address: str, columns: Sequence[str]) -> pd.DataFrame:
    """Some parts of a table, checked.

    Parameters
    ----------
    parts : sequence of Part
        Which of its files.
    address : str
        Of the table's folder.
    columns : sequence of str
        Which of its columns.

    Returns
    -------
    DataFrame
        The rows, in their order.

    Raises
    ------
    Problem
        If a file is lost or has changed.
    """
    tables = [_schema(columns).empty_table()]
    for part in parts:
        content = _read(address, part.name)
        if sha256(content).hexdigest() != part.sha256:
            what = "is not as it was written" if content else "is not there"
            raise Problem(f"{address}/{part.name}: {what}; run again what made it")
        tables.append(parquet.read_table(io.BytesIO(content), columns=columns))
    return pa.concat_tables(table.replace_schema_metadata() for table in tables).to_pandas()


def index(
    source: str | Path,
    out: str | Path,
    *,
    hash: str = DHASH,
    rows: int | None = None,
    client: Client,
    show: Callable[[str], object] = print,
    **reading: object,
) -> Table:
    """Fingerprint pictures to a table, or bring fingerprints into one.

    A run that was stopped goes on with the parts that are there and right.

    Parameters
    ----------
    source : str or Path
        A folder with pictures, at any address that fsspec knows (``s3://...``). If there are none,
        a folder with shards, or one shard: ``*.tar`` with pictures, or ``*.parquet`` with ``path``
        and ``bytes``. Or ``*.parquet`` with ``id`` and ``fingerprint``, in the order of ids.
    out : str or Path
        The folder of the table, at such an address, too. All workers must see both.
    hash : str
        The name of the hash, of up to 64 bits. Fingerprints that are there are taken for its own.
    rows : int, optional
        In a part; if left out, 1,000 pictures or 250,000 values. A shard of pictures is one part.
    client : distributed.Client
        From `helpers.cluster.engine.engine`.
    show : callable
        Takes a sentence that tells the cost beforehand.
    **reading
        Options of `helpers.images.opening.open_image`.

    Returns
    -------
    Table
        Its ids count all pictures that are listed, in the order of their paths. A picture in a
        shard has the name of the shard, ``/``, and its own path there.

    Raises
    ------
    Problem
        If there is nothing to read, or if `out` holds another table.
    """
    made, source, out = recipe.here(hash, **reading), _whole(source), _whole(out)
    if made.bits > 64 or source == out:
        what = "a hash of up to 64 bits" if made.bits > 64 else "a folder of its own"
        raise Problem(f"{out}: a table takes {what}; name another")
    pieces, seconds, listing = _pieces(source, made, rows, client)
    threads = sum(client.nthreads().values()) or 1  # none, while workers are replaced
    show(Cost(len(pieces), 0, seconds / 60 / threads).sentence())
    about = {"recipe": json.dumps(made.as_dict(), sort_keys=True), "source": listing}
    tasks = [delayed(_make)(out, about, *piece) for piece in enumerate(pieces)]
    parts, problems, ends = zip(*gather(client.compute(tasks), "index"), strict=True)
    if any(one >= other for one, other in pairwise(chain(*ends))):
        raise Problem(f"{source}: its ids are not in order, each once; sort its rows by id")
    _write(out, "problems.parquet", _parquet(pd.DataFrame(chain(*problems), columns=_PROBLEM)))
    count = sum(part.rows for part in parts)
    return _finish("table", Table(out, parts, count, _COLUMNS, listing, made))


def _finish(kind: str, table: Table) -> Table:
    """The table, whose last file is now written; without it there is none."""
    about = {key: value for key, value in vars(table).items() if key != "address"}
    for half in Path(table.address).glob(f".*{PARTIAL}"):  # which a killed worker left
        half.unlink(missing_ok=True)
    text = json.dumps(about, indent=1, default=recipe.Recipe.as_dict)
    _write(table.address, f"{kind}.json", text.encode())
    return table


def _pieces(
    source: str, made: recipe.Recipe, rows: int | None, client: Client
) -> tuple[list, float, str]:
    """What gives the rows of each part, seconds of work, and the digest of what is listed."""
    disk, root = _place(source)
    folder = f"{root}/" if root else ""  # the root of a zip is empty
    if listed := _pictures(disk, folder):
        read, paths, step = partial(_of_folder, disk, folder, made), sorted(listed), rows or 1_000
        pieces = [partial(read, at, paths[at : at + step]) for at in range(0, len(paths), step)]
    else:
        found = disk.ls(root, detail=True) if disk.exists(root) else []
        listed = {each["name"]: [each["size"]] for each in found if _SHARD.fullmatch(each["name"])}
        shards, read = sorted(listed), partial(_of_shard, disk, made)
        counts = gather(client.map(read, shards, pure=False), "list", "shard")
        starts = np.cumsum([0, *counts]).tolist()
        pieces = [partial(read, *piece) for piece in zip(shards, starts, strict=False)]
        if _OF_VALUES in counts:
            few = {"blocksize": 16 * (rows or _VALUES), "split_row_groups": "adaptive"}
            values = dd.read_parquet(shards, ["id", "fingerprint"], filesystem=disk, **few)
            pieces = values.to_delayed()
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
    return {path: [each["size"]] for path, each in found.items() if is_picture(path)}


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
                if {"id", "fingerprint"} <= set(opened.schema_arrow.names):
                    return _OF_VALUES
                paths = opened.read(["path"])["path"].to_pylist()
                batches = opened.iter_batches(64, columns=["bytes"])
                files = (io.BytesIO(each.as_py()) for batch in batches for each in batch[0])
            if first is None:
                return len(paths)
            ids = first + np.argsort(np.argsort(paths, kind="stable"), kind="stable")
            paths = [f"{shard.rpartition('/')[2]}/{path}" for path in paths]
            return _rows(made, zip(ids.tolist(), paths, files, strict=True))
    except (TarError, LookupError, OSError, ValueError) as error:
        raise Problem(f"{shard}: could not be read ({error}); copy it from its source") from error


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


def _make(out: str, about: dict, number: int, read: Callable | pd.DataFrame) -> tuple:
    """A part, made unless it is there and right; its problems; its first and last id."""
    name, about = f"part-{number:05}.parquet", {**about, "part": str(number)}
    if not (content := _kept(out, name, about)):
        rows, problems = read() if callable(read) else (read.assign(path=None)[_COLUMNS], [])
        as_fingerprints(rows["fingerprint"])
        if len(rows) and (rows["id"].dtype.kind not in "iu" or (np.diff(rows["id"]) <= 0).any()):
            raise Problem(f"{out}: ids have to be whole numbers in order, each once; sort by id")
        content = _parquet(rows, {**about, "problems": json.dumps(problems)})
        _write(out, name, content)
    table = parquet.read_table(io.BytesIO(content))
    ends = table["id"].to_pylist()[:: max(1, len(table) - 1)]
    part = Part(name, len(table), sha256(content).hexdigest())
    return part, json.loads(table.schema.metadata[b"problems"]), ends


def _kept(out: str, name: str, about: dict) -> bytes:
    """The bytes of a part that an earlier run wrote, if every one is right."""
    content = _read(out, name)
    try:
        table = parquet.read_table(io.BytesIO(content), page_checksum_verification=True)
    except (OSError, ValueError):  # there is none, or it is half written or damaged
        return b""
    there = {key.decode(): value.decode() for key, value in (table.schema.metadata or {}).items()}
    if any(there.get(key) != about[key] for key in ("recipe", "source")):
        raise Problem(f"{out}: holds another table, of other rows or another recipe; name another")
    return content if _parquet(table.to_pandas(), {**there, **about}) == content else b""


def _schema(columns: Iterable[str]) -> pa.Schema:
    return pa.schema([(name, _KINDS.get(name, pa.int64())) for name in columns])


def _parquet(frame: pd.DataFrame, about: dict | None = None) -> bytes:
    table = pa.Table.from_pandas(frame, _schema(frame.columns), preserve_index=False)
    file = io.BytesIO()
    parquet.write_table(table.replace_schema_metadata(about), file, write_page_checksum=True)
    return file.getvalue()


def write_result(
    parts: dd.DataFrame | Iterable, out: str | Path, columns: Sequence[str], client: Client
) -> Table:
    """Compute a result, part by part, and write it.

    Parameters
    ----------
    parts : Dask DataFrame, or iterable of sequences of Delayed
        Each part is a DataFrame with these columns, or a function that gives columns of some rows
        after the other. The parts of a sequence are written before the next ones are made.
    out : str or Path
        A new folder at any address that fsspec knows, or an older result, which is replaced.
    columns : sequence of str
        The names of three columns of whole numbers, such as ``a``, ``b`` and ``distance``.
    client : distributed.Client
        From `helpers.cluster.engine.engine`.

    Returns
    -------
    Table
        The result, with its digest.

    Raises
    ------
    Problem
        If the folder holds something else, or if there are more than `MOST_ROWS` rows.
    """
    disk, root = _place(out := _whole(out))
    names = [name.rpartition("/")[2] for name in disk.ls(root, False)] if disk.exists(root) else []
    if strange := [name for name in names if not _OF_A_RESULT.fullmatch(name)]:
        raise Problem(f"{out}: holds {strange[0]}, which is no result's; name another folder")
    for name in sorted(names, reverse=True):  # result.json first, so that no half one counts
        disk.rm_file(f"{root}/{name}")
    sizes, done, make = [], [], partial(delayed(_make_result), out, list(columns))
    for batch in [parts.to_delayed()] if isinstance(parts, dd.DataFrame) else parts:
        tasks = [make(*part) for part in enumerate(batch, len(done))]
        done += gather(client.compute(tasks), "write", each=partial(_check_size, out, sizes))
    parts = tuple(chain(*done))
    table = Table(out, parts, sum(part.rows for part in parts), list(columns), "")
    return _finish("result", replace(table, digest=digest(table)))


def _make_result(out: str, columns: list[str], number: int, rows: object) -> list[Part]:
    made, sizes = [], []
    for piece, frame in enumerate(_in_pieces(rows(), columns) if callable(rows) else [rows]):
        if len(frame):
            name, content = f"part-{number:05}-{piece:03}.parquet", _parquet(frame[columns])
            _check_size(out, sizes, [part := Part(name, len(frame), sha256(content).hexdigest())])
            _write(out, name, content)
            made.append(part)
    return made


def _in_pieces(found: Iterable[tuple], columns: list[str]) -> Iterator[pd.DataFrame]:
    some, size = [], 0
    for rows in chain(found, [None]):
        if rows is not None:
            some.append(rows)
            size += len(rows[0])
        if some and (rows is None or size >= PIECE):
            joined = map(np.concatenate, zip(*some, strict=True))
            yield pd.DataFrame(dict(zip(columns, joined, strict=True)))
            some, size = [], 0


def _check_size(out: str, sizes: list[int], more: list[Part]) -> None:
    sizes += [part.rows for part in more]
    if sum(sizes) > MOST_ROWS:
        raise Problem(f"{out}: would have more than {MOST_ROWS:,} rows; take a smaller radius")


def digest(result: Table | str | Path) -> str:
    """SHA-256 of the rows of a result, sorted by their three numbers.

    Parameters
    ----------
    result : Table, str or Path
        A result, or the address of one.

    Returns
    -------
    str
        Of the numbers as int64, lowest byte first, row after row. It does not depend on how the
        rows are parted, nor on their order.
    """
    table = result if isinstance(result, Table) else Table.open(result)
    columns, first, found = list(table.columns), table.columns[0], sha256()
    read = partial(read_parts, address=table.address, columns=columns)
    some = [read([part])[first][::1000] for part in table.parts] or [read([])[first]]
    steps = np.linspace(0, 1, 2 + table.rows // _SORTED_AT_A_TIME)[1:-1]
    ends = np.unique(pd.concat(some).quantile(steps))
    for low, high in pairwise([-np.inf, *ends, np.inf]):  # of first numbers: what memory holds
        rows = (read([part]) for part in table.parts)
        rows = [each[each[first].between(low, high, "right")] for each in rows] or [read([])]
        found.update(pd.concat(rows).sort_values(columns).to_numpy("<i8").tobytes())
    return found.hexdigest()


def _whole(address: str | Path) -> str:
    """An address that means the same to all workers."""
    return str(address) if "://" in str(address) else Path(address).absolute().as_posix()


def _place(address: str | Path) -> tuple[Disk, str]:
    """The file system of an address, and the path there."""
    if "://" in str(address):
        return fsspec.url_to_fs(str(address))
    return fsspec.filesystem("file"), _whole(address)


def _read(address: str | Path, name: str) -> bytes:
    """A file of a table, or nothing if it is not there."""
    disk, root = _place(address)
    with suppress(FileNotFoundError, NotADirectoryError):
        return disk.cat_file(f"{root}/{name}")
    return b""


def _write(address: str, name: str, content: bytes) -> None:
    disk, root = _place(address)
    if "file" in disk.protocol:
        write_bytes(Path(root, name), content)
    else:  # a store shows a file once it is whole, and `_kept` finds what is not
        disk.makedirs(root, exist_ok=True)
        disk.pipe_file(f"{root}/{name}", content)
