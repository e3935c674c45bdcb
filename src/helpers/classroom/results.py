"""The numbers of a run: beside a learner's guess, and beside those kept for CALTECH-101.

A number has a name, which is the same in every run, and a meaning, which readers see. No two
numbers share either. A chapter notes each number where it finds it, and shows all at its end.
"""

import json
import math
import os
from contextlib import suppress
from importlib.resources import files
from numbers import Integral, Rational, Real
from pathlib import Path

import pandas as pd

#: A run of the chapters names a file here to have their numbers written down.
RESULTS_FILE = "FINGERPRINTS_RESULTS"
_KEPT = files("helpers") / "tables" / "caltech_101_results.csv"
#: The name of each number that this kernel noted -> its value, and where it is from, if told.
_NOTED: dict[str, tuple[object, object]] = {}


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


def note(name: str, value: object, source: object = None) -> None:
    """Keep a number where it is found, for the table that `show` makes. Nothing is printed.

    Parameters
    ----------
    name : str
        The number's name in `kept`. If it was noted before, the new value takes its place.
    value : object
        The number, or a short text.
    source : Dataset or str, optional
        Where the number is from, if that is not the dataset of the chapter.

    Examples
    --------
    >>> note("images", 102)
    """
    _NOTED[name] = value, source


def show(chapter: str, dataset: object) -> pd.DataFrame:
    """The numbers that a chapter noted, beside those of CALTECH-101.

    Where the environment variable `RESULTS_FILE` names a file, they are also written down there.
    One sentence in print names the numbers that were noted but are not kept for this chapter; one
    names those that are kept but were not noted.

    Parameters
    ----------
    chapter : str
        The chapter's id in ``notebooks/course.toml``.
    dataset : Dataset or str
        Where the numbers are from that were noted without a source.

    Returns
    -------
    DataFrame
        A row a number, named by its meaning: ``this run``, in which a float has three decimals;
        ``from``; and ``CALTECH-101``, which holds "-" if no value is kept.

    Examples
    --------
    >>> note("images", 102)
    >>> table = show("haystack", "sample")  # doctest: +ELLIPSIS
    Not noted in this run: categories, ...
    >>> table.loc["images in the dataset"].tolist()
    ['102', 'sample', '9144']
    """
    own = kept().query("chapter == @chapter")["name"]
    if others := [name for name in _NOTED if name not in set(own)]:
        print(f"Not among the kept numbers of the chapter {chapter!r}: {', '.join(others)}")
    if absent := [name for name in own if name not in _NOTED]:
        print(f"Not noted in this run: {', '.join(absent)}")
    numbers = {name: _as_text(value) for name, (value, _) in _NOTED.items()}
    if file := os.environ.get(RESULTS_FILE):
        with Path(file).open("a", encoding="utf-8", newline="\n") as opened:
            for name, value in numbers.items():
                opened.write(json.dumps({"name": name, "value": value}) + "\n")
    sources = [dataset if source is None else source for _, source in _NOTED.values()]
    known = kept().set_index("name")
    columns = {
        "this run": list(numbers.values()),
        "from": [str(getattr(source, "name", source)) for source in sources],
        "CALTECH-101": [known["value"].get(name, "-") for name in numbers],
    }
    return pd.DataFrame(columns, index=[known["meaning"].get(name, name) for name in numbers])


def compare(guess: object, result: object, unit: str = "") -> None:
    """Print a guess and the result, one below the other, and how far apart they are.

    Parameters
    ----------
    guess : object
        The learner's: a number, a name, or ``...`` as long as there is none.
    result : object
        What was measured: a number or a name.
    unit : str
        What follows both, as ``"pairs"``.

    Examples
    --------
    >>> compare(100, 35, "pairs")
    your guess   100 pairs
    the result   35 pairs (65 apart, a factor of 2.9)
    >>> compare(..., 0.748)
    your guess   (none yet: write it in place of ... above, then run both cells again)
    the result   0.748
    """
    mine, measured = (f"{_for_people(value)} {unit}".rstrip() for value in (guess, result))
    apart, are_numbers = "", _is_number(guess) and _is_number(result)
    if result != result:  # NaN
        measured = "(there is nothing to count)"
    if guess is ...:
        mine = "(none yet: write it in place of ... above, then run both cells again)"
    elif mine.casefold() == measured.casefold() or (are_numbers and guess == result):
        apart = " (as you guessed)"
    elif are_numbers and result == result:
        exact = int if isinstance(guess, Integral) and isinstance(result, Integral) else float
        with suppress(OverflowError):  # a guess like 10**400 is far enough from anything
            low, high = sorted((exact(guess), exact(result)))
            factor = f", a factor of {high / low:,.1f}" if 0 < 2 * low <= high else ""
            apart = f" ({_for_people(high - low)} apart{factor})"
    print(f"your guess   {mine}\nthe result   {measured}{apart}")


def compare_each(guesses: object, results: pd.DataFrame) -> pd.DataFrame:
    """Set a list of guesses beside the results, and print how many are right.

    Parameters
    ----------
    guesses : object
        A word for each row of `results`, in a list; or ``...`` as long as there is none.
    results : DataFrame
        What was found; a guess is right if it is the word in the first column.

    Returns
    -------
    DataFrame
        The results, with the guesses in the column ``your guess`` before them.

    Examples
    --------
    >>> compare_each(["same"], pd.DataFrame({"truth": ["same"]}))["your guess"].tolist()
    1 of 1 right
    ['same']
    """
    is_list = isinstance(guesses, list | tuple)
    if is_list and len(guesses) == len(results):
        mine = [str(guess).strip().casefold() for guess in guesses]
        right = sum(guess == truth for guess, truth in zip(mine, results.iloc[:, 0], strict=True))
        print(f"{right} of {len(results)} right")
    else:
        found = f"{len(guesses)} of them" if is_list else "none yet"
        print(f"your guess   ({found}: write {len(results)} words in a list, as the comment says)")
        mine = "-"
    table = results.copy()
    table.insert(0, "your guess", mine)
    return table


def differences(file: str | Path) -> list[str]:
    """Where the numbers of a run differ from those kept for CALTECH-101.

    Parameters
    ----------
    file : str or Path
        The file that `show` wrote during the run.

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
        The file that `show` wrote during a run on CALTECH-101.

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
    if value is None or value != value:  # NaN: there was nothing to count
        return "-"
    is_whole = isinstance(value, Integral) or not isinstance(value, Real)
    return str(value) if is_whole else f"{value:.3f}"


def _is_number(value: object) -> bool:
    return isinstance(value, Real) and not isinstance(value, bool)


def _for_people(value: object) -> str:
    if not _is_number(value):
        return str(value)
    if isinstance(value, Rational) and abs(value) >= 10**18:
        return f"about 10^{math.log10(abs(int(value))):.0f}"
    if isinstance(value, Integral):
        return f"{value:,}"
    value = float(value)  # a Fraction has no format
    return f"{value:,.3f}" if value == 0 or abs(value) >= 0.01 else f"{value:.2g}"
