"""Tables of fingerprints in parts, at any address that fsspec knows, made and read by Dask.

A table is a folder. Its parts hold ``id``, ``path`` and ``fingerprint``; ``_problems``, Parquet
too, has what could not be read; ``_table.json`` comes last and names each part with its SHA-256. A
result is a folder like it, with three whole numbers a row and ``_result.json``.

Readers of Parquet pass over these names with ``_``: so ``pandas.read_parquet(FOLDER)`` gives the
rows, as do Dask and pyarrow. They check no SHA-256, as `Table.frame` does.
"""

from __future__ import annotations

import io
import json
import re
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from hashlib import sha256
from itertools import chain, count, pairwise
from pathlib import Path
from typing import NamedTuple
from uuid import uuid4

import numpy as np
import pandas as pd

from helpers import Problem
from helpers.cluster.engine import cost, gather  # first, as it tells what is not installed
from helpers.cluster.sources import VALUES, pieces, place
from helpers.files.atomic import PARTIAL, write_bytes
from helpers.fingerprints import recipe
from helpers.fingerprints.hashes import DHASH

# isort: split
import dask.dataframe as dd
import pyarrow as pa
from dask import delayed
from distributed import Client
from pyarrow import parquet

#: A result has no more rows: at up to 24 bytes each, on a disk.
MOST_ROWS = 100_000_000
PIECE = 1_000_000  # of its rows, or about as many, are written at a time
_SORTED_AT_A_TIME = 5_000_000  # rows of a result, whose digest is taken
_KINDS = {"fingerprint": pa.uint64(), "path": pa.string(), "problem": pa.string()}
_COLUMNS, _PROBLEM = ["id", "path", "fingerprint"], ["id", "path", "problem"]
_PART = re.compile(r"part-\d+(-\d+)?\.parquet")


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
        try:
            content = _read(address, "_table.json") or _read(address, "_result.json")
            about = json.loads(content or "{}")
            if about.pop("sha256") != sha256(_as_json(about)).hexdigest():
                raise ValueError("it has been changed since it was written")
            parts = about["parts"] = tuple(Part(*part) for part in about["parts"])
            if not parts or not all(_PART.fullmatch(part.name) for part in parts):
                raise ValueError("it names parts that it cannot have")
            if about["rows"] != sum(part.rows for part in parts):
                raise ValueError("it counts its rows wrong")
            about["recipe"] = recipe.from_dict(about["recipe"]) if about["recipe"] else None
            return cls(_whole(address), **about)
        except (ValueError, LookupError, TypeError, RecursionError) as error:
            why = f"{type(error).__name__}: {error}" if content else "its last file is not there"
            what = f"{address}: holds no whole table or result ({why})"
            raise Problem(f"{what}; check the address, or run again what made it") from error

    def made(self) -> recipe.Recipe:
        """What made its fingerprints.

        Returns
        -------
        Recipe
            Of a table.

        Raises
        ------
        Problem
            If it is a result, which has no fingerprints.
        """
        if self.recipe is None:
            raise Problem(f"{self.address}: is a result; name a table, as index makes one")
        return self.recipe

    def problems(self) -> pd.DataFrame:
        """The pictures that could not be read.

        Returns
        -------
        DataFrame
            ``id``, ``path`` and ``problem``, of a table.
        """
        return parquet.read_table(io.BytesIO(_read(self.address, "_problems"))).to_pandas()

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
        frame = dd.from_map(read, [[part] for part in self.parts], meta=read([]), label=own)
        return frame.repartition(npartitions=min(len(self.parts), self.rows // VALUES + 1))


def read_parts(
    parts: Sequence[Part],
    address: str,
    columns: Sequence[str],
    keep: Callable[[np.ndarray], np.ndarray | None] | None = None,
) -> pd.DataFrame:
    """Some parts of a table, checked.

    Parameters
    ----------
    parts : sequence of Part
        Which of its files.
    address : str
        Of the table's folder.
    columns : sequence of str
        Which of its columns.
    keep : callable, optional
        Takes the fingerprints of each part as soon as it is read, and tells which rows to keep;
        all, if that is None.

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
        table = parquet.read_table(pa.BufferReader(content), columns=columns, use_threads=False)
        if keep and (kept := keep(table["fingerprint"].to_numpy())) is not None:
            table = table.filter(pa.array(kept))
        tables.append(table)
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

    Examples
    --------
    >>> index("photos", "table", client=client).rows  # doctest: +SKIP
    1 partition, a minute or less
    101
    """
    made, source, out = recipe.here(hash, **reading), _whole(source), _whole(out)
    if made.bits > 64:
        raise Problem(f"{out}: a table takes a hash of up to 64 bits; name another")
    _names(out, "table")
    work, seconds, listing = pieces(source, made, rows, client)
    show(cost(client, len(work), seconds))
    about = {"recipe": json.dumps(made.as_dict(), sort_keys=True), "source": listing}
    tasks = [delayed(_make)(out, about, *piece) for piece in enumerate(work)]
    parts, problems, ends = zip(*gather(client.compute(tasks), "index"), strict=True)
    if any(one >= other for one, other in pairwise(chain(*ends))):
        raise Problem(f"{source}: its ids are not in order, each once; sort its rows by id")
    _write(out, "_problems", _parquet(pd.DataFrame(chain(*problems), columns=_PROBLEM)))
    count = sum(part.rows for part in parts)
    return _finish("table", Table(out, parts, count, _COLUMNS, listing, made))


def _names(out: str, kind: str) -> list[str]:
    """What is in the folder of a table or a result, which holds nothing else."""
    of_both = rf"_{kind}\.json|\..+{re.escape(PARTIAL)}"
    parts = {"table": r"part-\d+\.parquet|_problems", "result": r"part-\d+-\d+\.parquet"}
    own = re.compile(f"{of_both}|{parts[kind]}")
    disk, root = place(out)
    disk.invalidate_cache()  # workers have written there
    names = disk.ls(root, detail=False) if disk.exists(root) else []
    names = sorted(name.rpartition("/")[2] for name in names)
    if strange := [name for name in names if not own.fullmatch(name)]:
        raise Problem(f"{out}: holds {strange[0]}, which is no {kind}'s; name another folder")
    return names


def _finish(kind: str, table: Table) -> Table:
    """The table, whose last file is now written; without it there is none."""
    about = {key: value for key, value in vars(table).items() if key != "address"}
    disk, root = place(table.address)
    for name in {*_names(table.address, kind)} - {part.name for part in table.parts}:
        if name.endswith(PARTIAL):  # which a killed worker left
            disk.rm_file(f"{root}/{name}")
        elif name.startswith("part-"):  # which readers of Parquet would take for a part
            what = "is of another one; delete it, and run this again"
            raise Problem(f"{table.address}/{name}: {what}")
    about["sha256"] = sha256(_as_json(about)).hexdigest()
    _write(table.address, f"_{kind}.json", _as_json(about))
    return table


def _as_json(about: dict) -> bytes:
    return json.dumps(about, indent=1, default=recipe.Recipe.as_dict).encode()


def _make(out: str, about: dict, number: int, read: Callable) -> tuple:
    """A part, made unless it is there and right; its problems; its first and last id."""
    name, about = f"part-{number:05}.parquet", {**about, "part": str(number)}
    if not (content := _kept(out, name, about)):
        rows, problems = read()
        content = _parquet(rows[_COLUMNS], {**about, "problems": json.dumps(problems)})
        _write(out, name, content)
    table = parquet.read_table(io.BytesIO(content), columns=["id"])
    ends = table["id"][:: max(1, len(table) - 1)].to_pylist()
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


def _put(out: str, name: str, rows: pd.DataFrame, about: dict | None = None) -> Part:
    content = _parquet(rows, about)
    _write(out, name, content)
    return Part(name, len(rows), sha256(content).hexdigest())


def _schema(columns: Iterable[str]) -> pa.Schema:
    return pa.schema([(name, _KINDS.get(name, pa.int64())) for name in columns])


def _parquet(frame: pd.DataFrame, about: dict | None = None) -> bytes:
    table = pa.Table.from_pandas(frame, _schema(frame.columns), preserve_index=False)
    file = io.BytesIO()
    parquet.write_table(table.replace_schema_metadata(about), file, write_page_checksum=True)
    return file.getvalue()


def write_result(
    parts: Iterable[Iterable[tuple]], out: str | Path, columns: Sequence[str], client: Client
) -> Table:
    """Compute a result, part by part, and write it.

    Parameters
    ----------
    parts : iterable of iterables of tuple
        Each part is a function, and what it is given (which may be Delayed): it gives the three
        columns of some rows, then those of others. What belongs to one iterable is written before
        the next is begun.
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
    disk, root = place(out := _whole(out))
    for name in _names(out, "result"):  # _result.json before its parts, so that no half one counts
        disk.rm_file(f"{root}/{name}")
    made, numbers = [], count()
    make = partial(delayed(_make_result), out, list(columns))
    for batch in parts:
        tasks = [make(number, *part) for number, part in zip(numbers, batch, strict=False)]
        gather(client.compute(tasks), "write", each=partial(_add, out, made))
    if not made:  # readers of Parquet learn the columns from a part
        made.append(_put(out, "part-00000-000.parquet", pd.DataFrame(columns=columns)))
    table = Table(out, tuple(sorted(made)), sum(part.rows for part in made), list(columns), "")
    return _finish("result", replace(table, digest=digest(table)))


def _make_result(
    out: str, columns: list[str], number: int, give: Callable, *given: object
) -> list[Part]:
    made, some, size = [], [], 0
    for found in chain(give(*given), [None]):
        if found is not None:
            some.append(found)
            size += len(found[0])
        if size >= PIECE or (found is None and size):
            joined = map(np.concatenate, zip(*some, strict=True))
            frame = pd.DataFrame(dict(zip(columns, joined, strict=True)))
            name = f"part-{number:05}-{len(made):03}.parquet"
            _add(out, made, [_put(out, name, frame)])
            some, size = [], 0
    return made


def _add(out: str, made: list[Part], more: list[Part]) -> None:
    made += more
    if sum(part.rows for part in made) > MOST_ROWS:
        raise Problem(f"{out}: would have more than {MOST_ROWS:,} rows; take a smaller radius")


def digest(result: Table) -> str:
    """SHA-256 of the rows of a result, sorted by their three numbers.

    Parameters
    ----------
    result : Table
        A result.

    Returns
    -------
    str
        Of the numbers as int64, lowest byte first, row after row. It does not depend on how the
        rows are parted, nor on their order.
    """
    columns, first, found = result.columns, result.columns[0], sha256()
    read = partial(read_parts, address=result.address, columns=columns)
    some = [read([part])[first][::1000] for part in result.parts]
    steps = np.linspace(0, 1, 2 + result.rows // _SORTED_AT_A_TIME)[1:-1]
    ends = np.unique(pd.concat(some).quantile(steps))
    for low, high in pairwise([-np.inf, *ends, np.inf]):  # of first numbers: what memory holds
        rows = (read([part]) for part in result.parts)
        rows = [each[each[first].between(low, high, "right")] for each in rows]
        found.update(pd.concat(rows).sort_values(columns).to_numpy("<i8").tobytes())
    return found.hexdigest()


def _whole(address: str | Path) -> str:
    """An address that means the same to all workers."""
    return str(address) if "://" in str(address) else Path(address).absolute().as_posix()


def _read(address: str | Path, name: str) -> bytes:
    """A file of a table, or nothing if it is not there."""
    disk, root = place(address)
    with suppress(FileNotFoundError, NotADirectoryError):
        return disk.cat_file(f"{root}/{name}")
    return b""


def _write(address: str, name: str, content: bytes) -> None:
    disk, root = place(address)
    if "file" in disk.protocol:
        write_bytes(Path(root, name), content)
    else:  # a store shows a file once it is whole, and `_kept` finds what is not
        disk.makedirs(root, exist_ok=True)
        disk.pipe_file(f"{root}/{name}", content)
