"""The numbers of a run, beside those that are kept for CALTECH-101."""

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
        ``chapter``, ``name``, ``value`` (as text, just as printed) and ``meaning``.

    Examples
    --------
    >>> kept().set_index("name").loc["images", "value"]
    '9144'
    """
    return pd.read_csv(_KEPT, dtype=str, keep_default_na=False)


def beside_caltech(chapter: int, numbers: dict[str, object]) -> pd.DataFrame:
    """A chapter's numbers of this run beside those of CALTECH-101.

    Parameters
    ----------
    chapter : int
    numbers : dict
        Name -> number, as the chapter measured it.

    Returns
    -------
    DataFrame
        A row a number, named by its meaning: ``this run`` and ``CALTECH-101`` ("-" where none is kept).

    Examples
    --------
    >>> beside_caltech(1, {"images": 102})["this run"].tolist()
    ['102']
    """
    numbers = {name: _as_text(value) for name, value in numbers.items()}
    if file := os.environ.get(RESULTS_FILE):
        with Path(file).open("a", encoding="utf-8", newline="\n") as opened:
            for name, value in numbers.items():
                opened.write(json.dumps({"chapter": chapter, "name": name, "value": value}) + "\n")
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
        What the run wrote down.

    Returns
    -------
    list of str
        A sentence each; empty if all agree and none is missing.
    """
    got = _numbers(file)
    expected = kept().set_index("name")["value"].to_dict()
    return [
        f"{name}: {got.get(name, 'missing')} in this run, {expected.get(name, 'not kept')} in the table"
        for name in sorted(expected.keys() | got.keys())
        if got.get(name) != expected.get(name)
    ]


def keep(file: str | Path) -> None:
    """Put the numbers of a run into the kept table; their meanings stay. For those who develop the kit."""
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
