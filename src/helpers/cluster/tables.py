"""Tables of fingerprints in parts, at any address that fsspec knows, made and read by Dask.

A table is a folder. Its parts hold ``id``, ``path`` and ``fingerprint``; what could not be read is
in ``problems.parquet``; ``table.json`` comes last and names each part with its SHA-256. A result
is a folder like it, with three whole numbers a row and ``result.json``.
"""

from __future__ import annotations

import io
import json
import re
import tarfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from hashlib import sha256
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd

from helpers import Problem
from helpers.cluster.engine import Cost, gather  # which tells what is not installed
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
from pyarrow.parquet import ParquetFile, read_schema, read_table, write_table

_PICTURES = 1_000  # of a folder in a part: some seconds of work
_VALUES = 250_000  # fingerprints in a part and in a partition
_SORTED_AT_A_TIME = 5_000_000  # rows of a result, whose digest is taken
_KINDS = {"fingerprint": pa.uint64(), "path": pa.string(), "problem": pa.string()}
_COLUMNS, _PROBLEM = ["id", "path", "fingerprint"], ["id", "path", "problem"]
_SHARD = re.compile(r".*/[^._/][^/]*\.(tar|parquet)")
_OF_A_RESULT = re.compile(rf"part-\d+\.parquet|result\.json|\..+{re.escape(PARTIAL)}")


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
    columns : tuple of str
        ``id``, ``path``, ``fingerprint``; of a result its three.
    digest : str
        Of a result: see `digest`. Of a table: SHA-256 of the list of what was read.
    recipe : Recipe or None
        What made the fingerprints; a result has none.
    """

    address: str
    parts: tuple[Part, ...]
    rows: int
    columns: tuple[str, ...]
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
        fs, root = _place(address)
        kind = "table" if fs.exists(f"{root}/table.json") else "result"
        try:
            about = json.loads(_get(address, f"{kind}.json"))
            parts = tuple(Part(*part) for part in about["parts"])
            made = recipe.from_dict(about["recipe"]) if kind == "table" else None
            columns, rows = tuple(about["columns"]), sum(part.rows for part in parts)
            return cls(_whole(address), parts, rows, columns, about["digest"], made)
        except (ValueError, LookupError, TypeError) as error:
            raise Problem(f"{address}/{kind}.json: is damaged ({error}); make it anew") from error

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
        names = list(columns if self.recipe else self.columns)
        read = partial(read_parts, address=self.address, columns=names)
        frame = dd.from_map(read, [[part] for part in self.parts] or [[]], meta=read([]))
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
        content = _get(address, part.name)
        if sha256(content).hexdigest() != part.sha256:
            where = f"{address}/{part.name}"
            raise Problem(f"{where}: is not as it was written; run again what made it")
        table = read_table(io.BytesIO(content), columns=list(columns))
        tables.append(table.replace_schema_metadata())
    return pa.concat_tables(tables).to_pandas()


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
        In a part: 1,000 pictures of a folder, or about 250,000 fingerprints, if left out. A shard
        of pictures is one part.
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
    cost = Cost(len(pieces), 0, seconds / 60 / sum(client.nthreads().values()))
    show(cost.sentence())
    fs, root = _place(out)
    fs.makedirs(root, exist_ok=True)
    about = {"recipe": json.dumps(made.as_dict(), sort_keys=True), "source": listing}
    tasks = [delayed(_make)(out, about, *piece) for piece in enumerate(pieces)]
    done = gather(client.compute(tasks), "index")
    if any(one >= other for one, other in pairwise(end for _, ends, _ in done for end in ends)):
        raise Problem(f"{source}: its ids are not in order; sort its rows by id")
    problems = pd.DataFrame([row for *_, some in done for row in some], columns=_PROBLEM)
    _put(out, "problems.parquet", _parquet(problems, {}))
    final = {"recipe": made.as_dict(), "columns": _COLUMNS, "problems": len(problems)}
    final |= {"digest": listing, "parts": [part for part, *_ in done]}
    _put(out, "table.json", json.dumps(final, indent=1).encode())
    return Table.open(out)


def _pieces(
    source: str, made: recipe.Recipe, rows: int | None, client: Client
) -> tuple[list, float, str]:
    """What gives the rows of each part, seconds of work, and the digest of what is listed."""
    fs, root = _place(source)
    found = fs.ls(root, detail=True) if fs.exists(root) else []
    shards = {each["name"]: [each["size"]] for each in found if _SHARD.fullmatch(each["name"])}
    pictures = _pictures(fs, root, shards)
    listed = sorted((pictures or shards).items())
    names, step = [name for name, _ in listed], rows or _PICTURES
    if pictures:
        read = partial(_of_folder, fs, root, made)
        pieces = [partial(read, at, names[at : at + step]) for at in range(0, len(names), step)]
    elif names[0].endswith("t") and "fingerprint" in read_schema(names[0], filesystem=fs).names:
        few = {"blocksize": 16 * (rows or _VALUES), "split_row_groups": "adaptive"}
        frame = dd.read_parquet(names, ["id", "fingerprint"], filesystem=fs, **few)
        pieces = frame.to_delayed()
    else:
        counts = gather(client.map(partial(_count, fs), names, pure=False), "list", "shard")
        pieces = [
            partial(_of_shard, fs, made, *each)
            for each in zip(names, np.cumsum([0, *counts]).tolist(), strict=False)
        ]
    size = sum(about[0] or 0 for _, about in listed if about)
    listing = repr((rows, listed)).encode("utf-8", "surrogateescape")
    return pieces, len(names) * 3e-3 + size / 20e6, sha256(listing).hexdigest()


def _pictures(fs: fsspec.AbstractFileSystem, root: str, shards: dict) -> dict[str, object]:
    """The pictures of a folder, each with what tells that it has changed."""
    if not _is_local(fs):
        found = fs.find(root, detail=True).items()
        found = {name[len(root) :].lstrip("/"): [each["size"]] for name, each in found}
        found = {path: about for path, about in found.items() if is_picture(path)}
        if not found and not shards:
            raise Problem(f"{root}: holds neither pictures nor shards; check the address")
        return found
    try:
        return {path: size_and_time(Path(root, path)) for path in find_images(root)}
    except Problem:
        if shards:
            return {}
        raise


@contextmanager
def _opened(fs: fsspec.AbstractFileSystem, shard: str) -> Iterator[tuple[list, Iterator]]:
    """The paths of the pictures in a shard, and the pictures, one after the other."""
    try:
        with fs.open(shard, "rb") as file:
            if shard.endswith(".tar"):
                archive = tarfile.TarFile(fileobj=file)
                members = {each: each.name.removeprefix("./") for each in archive if each.isfile()}
                members = {each: path for each, path in members.items() if is_picture(path)}
                yield list(members.values()), map(archive.extractfile, members)
            else:
                batches = ParquetFile(file).iter_batches(64, columns=["bytes"])
                contents = (io.BytesIO(each.as_py()) for batch in batches for each in batch[0])
                yield read_table(file, columns=["path"])["path"].to_pylist(), contents
    except (tarfile.TarError, LookupError, OSError, ValueError) as error:
        raise Problem(f"{shard}: could not be read ({error}); copy it from its source") from error


def _count(fs: fsspec.AbstractFileSystem, shard: str) -> int:
    with _opened(fs, shard) as (paths, _):
        return len(paths)


def _of_shard(fs: fsspec.AbstractFileSystem, made: recipe.Recipe, shard: str, first: int) -> tuple:
    with _opened(fs, shard) as (paths, files):
        ids = np.argsort(np.argsort(paths, kind="stable"), kind="stable") + first
        paths = [f"{shard.rpartition('/')[2]}/{path}" for path in paths]
        return _rows(made, zip(ids.tolist(), paths, files, strict=True))


def _of_folder(
    fs: fsspec.AbstractFileSystem, root: str, made: recipe.Recipe, first: int, paths: list[str]
) -> tuple:
    files = [f"{root}/{path}" for path in paths]
    if not any(map(fs.lexists, files)):
        raise Problem(f"{root}: a worker sees no such files there; all need to see one folder")
    if not _is_local(fs):
        files = [lambda file=file: io.BytesIO(fs.cat_file(file)) for file in files]
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
    """A part, made unless it is there and right; its first and last id; its problems."""
    name, about = f"part-{number:05}.parquet", {**about, "part": str(number)}
    if not (content := _kept(out, name, about)):
        rows, problems = read() if callable(read) else (read.assign(path=None)[_COLUMNS], [])
        as_fingerprints(rows["fingerprint"])
        if len(rows) and (rows["id"].dtype.kind not in "iu" or (np.diff(rows["id"]) <= 0).any()):
            raise Problem(f"{out}: ids have to be whole numbers in order, each once; sort by id")
        content = _parquet(rows, {**about, "problems": json.dumps(problems)})
        _put(out, name, content)
    table = read_table(io.BytesIO(content))
    ends = table["id"].take([0, len(table) - 1][: len(table)]).to_pylist()
    part = Part(name, len(table), sha256(content).hexdigest())
    return part, ends, json.loads(table.schema.metadata[b"problems"])


def _kept(out: str, name: str, about: dict) -> bytes:
    """The bytes of a part that an earlier run wrote, if every one is right."""
    fs, root = _place(out)
    if not fs.exists(f"{root}/{name}"):
        return b""
    content = _get(out, name)
    try:
        table = read_table(io.BytesIO(content), page_checksum_verification=True)
    except (OSError, ValueError):  # half written, as by a store without renaming, or damaged
        return b""
    there = {key.decode(): value.decode() for key, value in (table.schema.metadata or {}).items()}
    if any(there.get(key) != about[key] for key in ("recipe", "source")):
        raise Problem(f"{out}: holds another table, of other rows or another recipe; name another")
    return content if _parquet(table.to_pandas(), {**there, **about}) == content else b""


def _schema(columns: Iterable[str]) -> pa.Schema:
    return pa.schema([(name, _KINDS.get(name, pa.int64())) for name in columns])


def _parquet(frame: pd.DataFrame, about: dict) -> bytes:
    table = pa.Table.from_pandas(frame, _schema(frame.columns), preserve_index=False)
    file = io.BytesIO()
    write_table(table.replace_schema_metadata(about), file, write_page_checksum=True)
    return file.getvalue()


def write_result(
    parts: dd.DataFrame | Iterable[object], out: str | Path, columns: Sequence[str], client: Client
) -> Table:
    """Compute a result, part by part, and write it.

    Parameters
    ----------
    parts : Dask DataFrame, or iterable of Delayed
        Each part is a DataFrame with these columns; an empty one gets no file.
    out : str or Path
        A folder at any address that fsspec knows: a new one, or one with an older result, which is
        replaced.
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
        If the folder holds something else.
    """
    out = _whole(out)
    fs, root = _place(out)
    fs.makedirs(root, exist_ok=True)
    names = [name.rpartition("/")[2] for name in fs.ls(root, detail=False)]
    if strange := [name for name in names if not _OF_A_RESULT.fullmatch(name)]:
        raise Problem(f"{out}: holds {strange[0]}, which is no result's; name another folder")
    for name in sorted(names, reverse=True):  # result.json first, so that no half one counts
        fs.rm_file(f"{root}/{name}")
    parts = parts.to_delayed() if isinstance(parts, dd.DataFrame) else parts
    tasks = [delayed(_write)(out, list(columns), *part) for part in enumerate(parts)]
    done = tuple(part for part in gather(client.compute(tasks), "write") if part.rows)
    table = Table(out, done, sum(part.rows for part in done), tuple(columns), "")
    about = {"columns": table.columns, "digest": digest(table), "parts": done}
    _put(out, "result.json", json.dumps(about, indent=1).encode())
    return Table.open(out)


def _write(out: str, columns: list[str], number: int, rows: pd.DataFrame) -> Part:
    name, content = f"part-{number:05}.parquet", _parquet(rows[columns], {})
    if len(rows):
        _put(out, name, content)
    return Part(name, len(rows), sha256(content).hexdigest())


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
    read, found = partial(read_parts, address=table.address, columns=table.columns), sha256()
    firsts = [read([part]).iloc[:, 0].to_numpy()[::1000] for part in table.parts]
    steps = np.linspace(0, 1, 2 + table.rows // _SORTED_AT_A_TIME)[1:-1]
    ends = np.unique(np.quantile(np.concatenate(firsts), steps)) if len(steps) else []
    for low, high in pairwise([-np.inf, *ends, np.inf]):  # a range of first numbers at a time
        rows = [read([part]) for part in table.parts]
        rows = [each[each.iloc[:, 0].between(low, high, "right")] for each in rows]
        rows = pd.concat(rows or [read([])]).sort_values(list(table.columns))
        found.update(rows.to_numpy("<i8").tobytes())
    return found.hexdigest()


def _whole(address: str | Path) -> str:
    """An address that means the same to all workers."""
    return str(address) if "://" in str(address) else Path(address).absolute().as_posix()


def _place(address: str | Path) -> tuple[fsspec.AbstractFileSystem, str]:
    """The file system of an address, and the path there."""
    remote = "://" in str(address)
    return fsspec.url_to_fs(address) if remote else (fsspec.filesystem("file"), _whole(address))


def _is_local(fs: fsspec.AbstractFileSystem) -> bool:
    return "file" in fs.protocol


def _get(address: str | Path, name: str) -> bytes:
    fs, root = _place(address)
    try:
        return fs.cat_file(f"{root}/{name}")
    except FileNotFoundError as error:
        raise Problem(f"{address}/{name}: is not there; run again what made it") from error


def _put(address: str, name: str, content: bytes) -> None:
    fs, root = _place(address)
    if _is_local(fs):
        write_bytes(Path(root, name), content)
    else:  # a store shows a file once it is whole, and `_kept` finds what is not
        fs.pipe_file(f"{root}/{name}", content)
