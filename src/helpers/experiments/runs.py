"""A run: every hash, change and strength on the pictures of one set, kept in a folder.

Anyone reads such a folder without this kit: CSV tables, ``run.json``, and the distances as Parquet
where pyarrow is installed. A run that was stopped goes on where it was when it is asked for again:
its ``parts/`` are there until the end, and ``run.json`` is written last.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import platform
import shutil
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from datetime import datetime
from importlib.resources import files
from importlib.util import find_spec
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING

import numpy as np

from helpers import Problem, __version__
from helpers.experiments import measuring, rates
from helpers.experiments.measuring import Run
from helpers.files.atomic import PARTIAL, exclusive, new_folder, write_bytes, write_text
from helpers.files.guard import check_output, read_input
from helpers.files.places import counted, data_folder, one_line
from helpers.files.tables import MOST_CSV_BYTES, as_csv, read_csv
from helpers.fingerprints import recipe
from helpers.fingerprints.hashes import HASHES
from helpers.images.changes import CHANGES, chosen
from helpers.images.folders import look_into, not_looked_at

if TYPE_CHECKING:  # late elsewhere: workers start without it
    import pandas as pd

FORMAT = 1  # of a run's folder
SEED = 2014
#: False-match rates per pair at which recalls are told.
RATES = [1e-4, 1e-5, 1e-6]
#: What ``quick`` takes: numbers that are the same on every machine.
QUICK = {"pictures": 200, "queries": 40, "hashes": "dhash phash ahash dhash-both", "side": 512}

#: The columns of ``judged.csv``.
JUDGED = ("first", "second", "verdict", "judge", "hash", "distance", "of")
_PICTURES = ("path", *measuring.FACTS, "query", "problem")
_COPIES = ("path", "change", "strength")
#: The types of columns that hold no text.
_KINDS = {
    **dict.fromkeys(("distance", "radius", "found", "pictures", "of", "pairs"), "int64"),
    **dict.fromkeys(("rate", "low", "high", "recall", "recall_at_exact_rate"), "float64"),
    **dict.fromkeys(("width", "height"), "Int64"),
}


def run(
    folder: str | Path,
    out: str | Path,
    *,
    hashes: Sequence[str] | None = None,
    changes: Mapping | str | Path | None = None,
    queries: int = 400,
    seed: int = SEED,
    rates: Sequence[float] | None = None,
    side: int | None = None,
    quick: bool = False,
    workers: int | None = None,
    show: Callable[[str], None] = print,
) -> Run:
    """Every hash x change x strength on the pictures of a folder; goes on with a stopped run.

    Parameters
    ----------
    folder : str or Path
        A folder of pictures, or one of `helpers.datasets.DATASETS`.
    out : str or Path
        The run's folder: new, or that of a run that was stopped.
    hashes : sequence of str, optional
        Names of `HASHES`; all whose packages are installed, if left out.
    changes : mapping, str or Path, optional
        Change -> strengths or ``"all"``, or a TOML file of such; the whole table if left out.
    queries : int
        How many pictures are changed. They are drawn by seed from those that can be read, are not
        flat, and are the first of their equals.
    seed : int
        0 or more, for what is drawn.
    rates : sequence of float, optional
        False matches a pair, between 0 and 1, at which recalls are told; else `RATES`.
    side : int, optional
        Pictures with a longer side than this, in pixels, are reduced to it before all else.
    quick : bool
        Take the numbers of `QUICK`, for a first table within a minute.
    workers : int, optional
        Processes; all processors if left out. The run does not depend on it.
    show : callable
        What is done with each sentence.

    Returns
    -------
    Run
        The finished run.

    Raises
    ------
    Problem
        If there is nothing to ask with, if a setting is none, or if `out` holds something else.

    Examples
    --------
    >>> run("photos", "photos-run", quick=True)  # doctest: +SKIP
    """
    began, out = perf_counter(), Path(out)
    name, root, found = _look_into(folder, show)
    numbers = {"queries": queries, "seed": seed, "side": side, "workers": workers}
    told = RATES if rates is None else rates
    asked = {"name": name} | _settings(hashes, changes, quick, told, numbers)
    drawn = [found[row] for row in np.random.default_rng(seed).permutation(len(found))]
    drawn = drawn[: QUICK["pictures"] if quick else None]
    is_finished = os.path.lexists(out / "run.json")
    check_output(out, "run" if is_finished else "unfinished run", folders=[root])
    with exclusive(out):
        if os.path.lexists(out / "run.json"):
            made = _finished_before(out, asked, drawn, show)
            _remember(made, root)
            return made
        _begin(out, asked)
        sentence, workers = measuring.cost(root, drawn, asked, workers)
        show(f"{len(drawn):,} of {counted(len(found), 'picture')}, {sentence}")
        rows, asking = measuring.measure(root, out / "parts", drawn, asked, workers)
        if not asking:
            shutil.rmtree(out)
            why = next(filter(None, (row["problem"] for row in rows.values())), "it is flat")
            why += "; choose another folder"
            raise Problem(f"{folder}: no picture can be read and is not flat; the first: {why}")
        made = _written(out, asked | {"found": len(found)}, rows, asking, began)
        _remember(made, root)
    _tell_end(made, show)
    return made


def _look_into(folder: str | Path, show: Callable) -> tuple[str, Path, list[str]]:
    from helpers import datasets

    if str(folder) in datasets.DATASETS:
        dataset = datasets.load(str(folder), show=show)
        return dataset.name, dataset.root, dataset.images
    found = look_into(folder)
    for sentence in not_looked_at(found):
        show(one_line(sentence))
    return _shown(Path(os.path.realpath(folder)).name), Path(folder), found.images


def _settings(
    hashes: Sequence[str] | None, changes: object, quick: bool, told: Sequence, numbers: dict
) -> dict:
    """All that a run depends on beside its pictures, as ``run.json`` has it."""
    if quick:
        numbers["queries"] = min(numbers["queries"], QUICK["queries"])
        numbers["side"] = numbers["side"] or QUICK["side"]
    for what, least in (("queries", 1), ("seed", 0), ("side", 32), ("workers", 1)):
        if numbers[what] is not None and numbers[what] < least:
            raise Problem(f"{what} is {numbers[what]}; choose {least} or more")
    if not told or not all(0 < rate < 1 for rate in told):
        raise Problem(f"rates {list(told)}: each is above 0 and below 1; 1e-5 is 1 pair in 100,000")
    installed = [name for name in HASHES if not HASHES[name].missing]
    hashes = hashes or (QUICK["hashes"].split() if quick else installed)
    recipes = [recipe.here(name) for name in dict.fromkeys(hashes)]
    versions = {"helpers": __version__, "numpy": np.__version__}
    return {
        "seed": numbers["seed"],
        "hashes": [one.hash for one in recipes],
        "changes": chosen(changes),
        "asked": numbers["queries"],
        "side": numbers["side"],
        "quick": quick,
        "rates": list(dict.fromkeys(told)),
        "reading": recipes[0].reading,
        "rules": recipes[0].rules,
        "versions": versions | {key: v for one in recipes for key, v in one.versions.items()},
    }


def _begin(out: Path, asked: dict) -> None:
    """Make the folder, or make sure that what was begun there is this run."""
    settings = out / "parts" / "settings.json"
    if not os.path.lexists(settings):
        with new_folder(out) as new:
            write_text(new / "parts" / "settings.json", json.dumps(asked, indent=1))
    _check_equal(out, json.loads(read_input(settings, MOST_CSV_BYTES)), asked)
    for leftover in (*out.rglob(f".*{PARTIAL}"), *out.glob("distances.*")):
        leftover.unlink()


def _check_equal(out: Path, there: dict, asked: dict) -> None:
    for key, value in json.loads(json.dumps(asked)).items():
        if there.get(key) != value:
            raise Problem(
                f"{out}: is a run with {key} {there.get(key)}, and not {value}; "
                "name another folder, or delete that one"
            )


def _finished_before(out: Path, asked: dict, drawn: list[str], show: Callable) -> Run:
    made = read(out)
    _check_equal(out, made.about, asked)
    if list(made.pictures["path"]) != sorted(map(_shown, drawn)):
        raise Problem(f"{out}: is a run of other pictures; name another folder")
    shutil.rmtree(out / "parts", ignore_errors=True)  # it was stopped just before its end
    show(f"{one_line(str(out))}: was finished before with these settings; nothing was done.")
    return made


def _tell_end(made: Run, show: Callable) -> None:
    about, hashes = made.about, made.about["hashes"]
    left_out = made.pictures[made.pictures["problem"] != ""]
    for row in left_out.head(3).itertuples():
        show(f"Left out: {one_line(f'{row.path}: {row.problem}')}")
    lost = made.distances[made.distances[hashes].isna().any(axis=1)]
    if len(lost):
        what = one_line(", ".join(lost.iloc[0][list(_COPIES)]))
        copies = counted(len(lost), "changed copy", "changed copies")
        show(f"Not made: {copies}, first {what}; --side takes less memory.")
    show(
        f"{counted(about['pictures'], 'picture')}, {len(left_out)} left out, "
        f"{int(made.pictures['flat'].sum())} flat; {about['queries']} changed."
    )
    recall, pairs = table(made, "recall"), table(made, "pairs")["pairs"].sum() / len(hashes)
    least, stated = 3 / max(pairs, 1), about["rates"]
    # the smallest with a hundred near pairs behind it
    rate = min((one for one in stated if one * pairs >= 100), default=max(stated))
    each = measuring.each_copy(about["changes"])
    wide = recall[recall["rate"] == rate].pivot(
        index=["change", "strength"], columns="hash", values="recall"
    )
    wide = wide.loc[[name for name in measuring.TOLD.items() if name in each] or each[:6], hashes]
    wide.index = [", ".join(copy) for copy in wide.index]
    few = f" (so few pictures can show none under {least:.2g})" if rate < least else ""
    show(f"Recall where at most {rate:g} of the pairs of different pictures match{few}:")
    show(wide.rename_axis(index=None, columns=None).to_string(float_format="%.2f"))
    where = one_line(str(made.folder))
    show(f"All of it is in {where}. Next: experiment judge, radius or report {where}")


def _shown(path: str) -> str:
    return path.encode("utf-8", "backslashreplace").decode()


def _written(out: Path, asked: dict, rows: dict, asking: list[str], began: float) -> Run:
    """Write all tables, and ``run.json`` last: a folder that has it is whole."""
    import pandas as pd

    hashes, pictures, digest = asked["hashes"], [], hashlib.sha256()
    for path in sorted(rows, key=_shown):
        row = rows[path]
        facts = [row.get(key) for key in measuring.FACTS]
        is_query = None if row["problem"] else int(path in asking)
        if not row["problem"]:
            digest.update(f"{row['bytes']}  {path}\n".encode())
        digits = row.get("hashes", [None] * len(hashes))
        pictures.append([_shown(path), *facts, is_query, row["problem"], *digits])
    write_text(out / "pictures.csv", as_csv([*_PICTURES, *hashes], pictures, quote_texts=False))
    names = measuring.each_copy(asked["changes"])
    bits = [
        (path, row) for path in asking for row in zip(names, rows[path]["distances"], strict=True)
    ]
    copies = [(path, *name, *distances) for path, (name, distances) in bits]
    columns = [*_COPIES, *hashes]
    if find_spec("pyarrow"):
        content, kinds = io.BytesIO(), dict.fromkeys(hashes, "Int16")
        pd.DataFrame(copies, columns=columns).astype(kinds).to_parquet(content, index=False)
        write_bytes(out / "distances.parquet", content.getvalue())
    else:
        write_text(out / "distances.csv", as_csv(columns, copies, quote_texts=False))
    left_out = sum(bool(row["problem"]) for row in rows.values())
    about = {"format": FORMAT, "digest": digest.hexdigest(), "pictures": len(rows) - left_out}
    about |= {"left_out": left_out, "queries": len(asking), **asked}
    made = _read_tables(out, about)
    rates.write_tables(made)
    machine = [platform.system(), platform.machine(), platform.python_version()]
    about["date"] = datetime.now().astimezone().isoformat(timespec="seconds")
    about |= {"seconds": round(perf_counter() - began, 1), "machine": machine}
    write_text(out / "run.json", json.dumps(about, indent=1) + "\n")
    shutil.rmtree(out / "parts", ignore_errors=True)
    return made


def read(folder: str | Path) -> Run:
    """A finished run.

    Parameters
    ----------
    folder : str or Path
        The run's folder.

    Returns
    -------
    Run
        With the judgements, if there are any.

    Raises
    ------
    Problem
        If it is no run, is not finished, is damaged, was made by newer helpers, or has a hash or a
        change that there is not.

    Examples
    --------
    >>> read("photos-run").about["pictures"]  # doctest: +SKIP
    200
    """
    folder = Path(folder)
    if not os.path.lexists(folder / "run.json"):
        if os.path.lexists(folder / "parts" / "settings.json"):
            raise Problem(f"{folder}: is a run that is not finished; give its command again")
        raise Problem(f"{folder}: is no run, since it has no run.json; check the spelling")
    try:
        about = json.loads(read_input(folder / "run.json", MOST_CSV_BYTES))
        if about["format"] > FORMAT:
            raise Problem(f"{folder}: was made by newer helpers; install those")
        if unknown := [*({*about["hashes"]} - {*HASHES}), *({*about["changes"]} - {*CHANGES})]:
            raise Problem(
                f"{folder}: has {min(unknown)!r}, which these helpers do not know; install those "
                "that made it"
            )
        made = _read_tables(folder, about)
        measuring.check_fits(made)
        return made
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise Problem(f"{folder}: is damaged ({error!r}); make the run anew") from error


def _read_tables(folder: Path, about: dict) -> Run:
    import pandas as pd

    kinds = dict.fromkeys(about["hashes"], "Int16")
    pictures = _read_csv(folder / "pictures.csv")
    file = folder / "distances.parquet"
    if not os.path.lexists(file):
        distances = _read_csv(folder / "distances.csv", kinds)
    elif find_spec("pyarrow"):
        distances = pd.read_parquet(file).astype(kinds)
    else:
        raise Problem(f"{file}: takes pyarrow to read; run  python -m pip install pyarrow")
    judged = pd.DataFrame(columns=list(JUDGED))
    if os.path.lexists(folder / "judged.csv"):
        judged = _read_judged(folder, pictures["path"])
    pairs = (((*_PICTURES, *kinds), pictures), ((*_COPIES, *kinds), distances), (JUDGED, judged))
    for columns, read in pairs:
        if list(read.columns) != list(columns):
            raise ValueError(f"columns {', '.join(read.columns)}")
    return Run(folder, about, pictures, distances, judged)


def _read_judged(folder: Path, paths: pd.Series | None = None) -> pd.DataFrame:
    """The judgements, which people edit: none is left out without a word."""
    kinds = dict.fromkeys(("distance", "of"), "Int64")  # of a pair that was not drawn: empty
    file, checked = folder / "judged.csv", {"verdict": rates.VERDICTS}
    checked |= {} if paths is None else {"first": paths, "second": paths}
    try:
        judged = _read_csv(file, kinds)
        for column, known in checked.items():
            for wrong in judged[column][~judged[column].isin(known)]:
                raise ValueError(f"{wrong!r} is no {column}")
    except (ValueError, KeyError) as error:
        raise Problem(f"{file}: is damaged ({error}); correct it, or judge again") from error
    return judged


def _read_csv(file: Path, kinds: dict | None = None) -> pd.DataFrame:
    import pandas as pd

    size = file.stat().st_size if file.is_file() else 0
    columns, rows = read_csv(file, max(MOST_CSV_BYTES, 16 * size))
    table = pd.DataFrame([cells for _, cells in rows], columns=columns, dtype="str")
    for column, kind in {**_KINDS, **(kinds or {})}.items():
        if column in columns:
            table[column] = pd.to_numeric(table[column].replace({"": None})).astype(kind)
    for column in {"flat", "query"} & set(columns):
        table[column] = table[column] == "1"
    return table


def table(run: Run, name: str) -> pd.DataFrame:
    """One of the tables that were counted from a run.

    Parameters
    ----------
    run : Run
        The run.
    name : {"near_pairs", "pairs", "rates", "recall", "by_radius"}
        Which table.

    Returns
    -------
    DataFrame
        As the CSV file of that name has it.

    Raises
    ------
    Problem
        If the file is missing or damaged.

    Examples
    --------
    >>> table(read("photos-run"), "rates")  # doctest: +SKIP
    """
    import pandas as pd

    packed = run.folder / f"{name}.csv.gz"  # as the kit carries them
    if packed.is_file():
        return pd.read_csv(packed, keep_default_na=False, na_values=[""])
    try:
        made, hashes = _read_csv(file := run.folder / f"{name}.csv"), {*run.about["hashes"]}
        if list(made.columns) != ["hash", *measuring.TABLES[name].split()]:
            raise ValueError(f"columns {', '.join(made.columns)}")
        rows = sum(4 * -(-HASHES[hash].bits // 4) + 1 for hash in hashes)  # a hex digit has 4
        lacks = {*made["hash"]} != hashes if name != "pairs" else len(made) != rows
        if lacks and name != "near_pairs":
            raise ValueError("rows are missing")
        return made
    except ValueError as error:
        raise Problem(f"{file}: is damaged ({error}); make the run anew") from error


def carried() -> Run:
    """The run of CALTECH-101 whose tables the kit carries: for `table`, without a picture.

    Returns
    -------
    Run
        Of 8,242 pictures in 100 categories, all but ``BACKGROUND_Google`` and ``Faces_easy``. It
        has its judgements; its own tables of pictures and distances are empty. `table` has all of
        the others but ``near_pairs``.

    Notes
    -----
    Made from CALTECH-101 by Li, Andreeto, Ranzato and Perona (CaltechDATA, doi 10.22002/D1.20086,
    CC BY 4.0). ``tests/carried.py`` wrote the tables.

    Examples
    --------
    >>> carried().about["pictures"]
    8242
    """
    import pandas as pd

    folder = Path(str(files("helpers"))) / "tables" / "caltech_101_run"
    about = json.loads((folder / "run.json").read_text(encoding="utf-8"))
    empty = [pd.DataFrame(columns=[*some, *about["hashes"]]) for some in (_PICTURES, _COPIES)]
    return Run(folder, about, *empty, _read_judged(folder))


def _remember(run: Run, root: Path) -> None:
    with suppress(Problem):  # a run is no worse if nobody knows where its pictures lie
        write_bytes(_memory_of(run), os.fsencode(os.path.realpath(root)))


def _memory_of(run: Run) -> Path:
    return data_folder() / "runs" / f"{run.about['digest'][:32]}.txt"


def pictures_of(run: Run, given: str | Path | None = None) -> Path:
    """Where a run's pictures lie.

    Parameters
    ----------
    run : Run
        The run.
    given : str or Path, optional
        The folder, as somebody named it.

    Returns
    -------
    Path
        The folder in which the paths of the run's pictures lead to them.

    Raises
    ------
    Problem
        If it is not known, or they are not there.

    Examples
    --------
    >>> pictures_of(read("photos-run"), "photos")  # doctest: +SKIP
    """
    place = given
    if given is None:
        with suppress(OSError):
            place = os.fsdecode(_memory_of(run).read_bytes())
    first = run.pictures["path"][run.pictures["problem"] == ""].iloc[0]
    if place is None or not os.path.exists(Path(place, first)):
        where = f"its pictures are not in {place}"
        where = "it is not known where its pictures lie" if place is None else where
        raise Problem(f"{run.folder}: {where}; name their folder with --pictures")
    return Path(place)
