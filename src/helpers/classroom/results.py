"""The numbers of a run, beside those that are kept for CALTECH-101.

A number has a name, which is the same in every run, and a meaning, which readers see. No two
numbers share either.
"""

import json
import os
from importlib.resources import files
from pathlib import Path

import pandas as pd

#: A run of the chapters names a file here to have their numbers written down.
RESULTS_FILE = "FINGERPRINTS_RESULTS"
_KEPT = files("helpers") / "tables" / "caltech_101_results.csv"


def kept() -> pd.DataFrame:
    """The numbers that CALTECH-101 gave, with what each one means.

    Returns
    -------
    DataFrame
        A row a number, all columns texts: ``chapter`` (the id in ``notebooks/course.toml`` of the
        chapter that measures it), ``name``, ``value`` (just as printed) and ``meaning``.

    Notes
    -----
    ``python notebooks/run.py --keep`` wrote the values, from a run of all chapters on CALTECH-101.

    Examples
    --------
    >>> kept().set_index("name").loc["images", "value"]
    '9144'
    """
    return pd.read_csv(_KEPT, dtype=str, keep_default_na=False)


def beside_caltech(numbers: dict[str, object]) -> pd.DataFrame:
    """The numbers of this run beside those of CALTECH-101.

    Where the environment variable `RESULTS_FILE` names a file, they are also written down there.

    Parameters
    ----------
    numbers : dict
        The name of each number, and its value as the chapter measured it. A float is shown with
        three decimals.

    Returns
    -------
    DataFrame
        A row a number, named by its meaning. Its columns are ``this run`` and ``CALTECH-101``,
        which holds "-" if no value is kept.

    Examples
    --------
    >>> beside_caltech({"images": 102})["this run"].tolist()
    ['102']
    """
    numbers = {name: _as_text(value) for name, value in numbers.items()}
    if file := os.environ.get(RESULTS_FILE):
        with Path(file).open("a", encoding="utf-8", newline="\n") as opened:
            for name, value in numbers.items():
                opened.write(json.dumps({"name": name, "value": value}) + "\n")
    known = kept().set_index("name")
    columns = {
        "this run": list(numbers.values()),
        "CALTECH-101": [known["value"].get(name, "-") for name in numbers],
    }
    return pd.DataFrame(columns, index=[known["meaning"].get(name, name) for name in numbers])


def differences(file: str | Path) -> list[str]:
    """Where the numbers of a run differ from those kept for CALTECH-101.

    Parameters
    ----------
    file : str or Path
        The file that `beside_caltech` wrote during the run.

    Returns
    -------
    list of str
        A sentence for each number that differs, is missing or is not kept, sorted by name. The
        list is empty if all agree.

    Examples
    --------
    >>> differences("numbers.jsonl")  # doctest: +SKIP
    ['images: 9143 in this run, 9144 in the table']
    """
    got = _numbers(file)
    expected = kept().set_index("name")["value"].to_dict()
    return [
        f"{name}: {got.get(name, 'missing')} in this run, "
        f"{expected.get(name, 'not kept')} in the table"
        for name in sorted(expected.keys() | got.keys())
        if got.get(name) != expected.get(name)
    ]


def keep(file: str | Path) -> None:
    """Put the numbers of a run into the kept table. For those who develop the kit.

    Only values change. A new number first needs a row with its chapter, name and meaning.

    Parameters
    ----------
    file : str or Path
        The file that `beside_caltech` wrote during a run on CALTECH-101.

    Examples
    --------
    >>> keep("pages/numbers.jsonl")  # doctest: +SKIP
    """
    got, table = _numbers(file), kept()
    table["value"] = [
        got.get(name, value) for name, value in zip(table["name"], table["value"], strict=True)
    ]
    table.to_csv(str(_KEPT), index=False, lineterminator="\n")


def _numbers(file: str | Path) -> dict[str, str]:
    lines = Path(file).read_text(encoding="utf-8").splitlines()
    return {entry["name"]: entry["value"] for entry in map(json.loads, lines)}


def _as_text(value: object) -> str:
    return f"{value:.3f}" if isinstance(value, float) else str(value)
