"""The numbers of a run, beside those that are kept for CALTECH-101."""

import json
import os
from importlib.resources import files
from pathlib import Path

import pandas as pd

#: A run of the chapters names a file here to have their numbers written down.
RESULTS_FILE = "FINGERPRINTS_RESULTS"


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
    return pd.read_csv(files("helpers") / "tables" / "caltech_101_results.csv", dtype=str, keep_default_na=False)


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
        A row a number: ``what it is``, ``this run``, ``CALTECH-101`` ("-" where none is kept).

    Examples
    --------
    >>> beside_caltech(1, {"images": 102})["this run"].tolist()
    ['102']
    """
    numbers = {name: _as_text(value) for name, value in numbers.items()}
    if file := os.environ.get(RESULTS_FILE):
        with open(file, "a", encoding="utf-8", newline="\n") as opened:
            for name, value in numbers.items():
                opened.write(json.dumps({"chapter": chapter, "name": name, "value": value}) + "\n")
    known = kept().set_index("name")
    table = pd.DataFrame(index=list(numbers))
    table["what it is"] = [known["meaning"].get(name, name) for name in numbers]
    table["this run"] = list(numbers.values())
    table["CALTECH-101"] = [known["value"].get(name, "-") for name in numbers]
    return table


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
    lines = Path(file).read_text(encoding="utf-8").splitlines()
    got = {entry["name"]: entry["value"] for entry in map(json.loads, lines)}
    expected = kept().set_index("name")["value"].to_dict()
    return [
        f"{name}: {got.get(name, 'missing')} in this run, {expected.get(name, 'not kept')} in the table"
        for name in sorted(expected.keys() | got.keys())
        if got.get(name) != expected.get(name)
    ]


def _as_text(value: object) -> str:
    return f"{value:.3f}" if isinstance(value, float) else str(value)
