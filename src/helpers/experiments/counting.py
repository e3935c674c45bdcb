"""How well copies are told from other pictures, against known truth.

Where CALTECH-101 is not at hand, its fingerprints are: the kit carries them, without a picture.
So a chapter shows pictures of the sample, and counts on CALTECH-101.
"""

import json
from importlib.resources import files

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from helpers import Problem, datasets, hamming
from helpers.files.places import counted, made
from helpers.fingerprints import catalogue
from helpers.fingerprints.flat import says_nothing
from helpers.fingerprints.hashes import of_file
from helpers.truth import near_duplicates

#: What the copies in the carried tables were drawn from.
SEED = 2014
#: A smaller difference of recalls, in queries, is never claimed, nor one of fewer queries: that
#: five of five queries differ to one side happens by chance in one case of 16.
FEWEST_QUERIES = 6
_TABLES = files("helpers") / "tables"
_Z = 1.959964  # standard deviations on each side hold 95 %


def caltech_101() -> tuple[pd.DataFrame, str]:
    """CALTECH-101's fingerprints, which the kit carries without a picture, and whose they are.

    Returns
    -------
    DataFrame, str
        As from `numbers`.

    Examples
    --------
    >>> len(caltech_101()[0])
    9144
    """
    return _carried("fingerprints"), "numbers from CALTECH-101 (9,144 pictures)"


def check_different(dataset: datasets.Dataset, at_least: int) -> None:
    """Make sure that a dataset has enough different pictures for a chapter that compares them.

    Those whose dHash says nothing do not count, and those with one dHash count once. No more are
    opened than are needed.

    Parameters
    ----------
    dataset : Dataset
        The dataset of a chapter.
    at_least : int
        How many different pictures the chapter needs.

    Raises
    ------
    TooFew
        If it has fewer; see `helpers.datasets.choose`.

    Examples
    --------
    >>> check_different(datasets.sample(), at_least=17)
    """
    found = set()
    for path in dataset.images:
        if len(found) < at_least and not says_nothing(value := of_file(dataset.root / path)):
            found.add(int(value))
    if len(found) < at_least:
        raise datasets.TooFew(
            f"{dataset.root}: has {counted(len(found), 'different picture')}, flat ones left out, "
            f'and this chapter needs {at_least}; write datasets.load("sample") in place of '
            "datasets.choose(...), or choose a folder with more"
        )


def numbers(dataset: datasets.Dataset) -> tuple[pd.DataFrame, str]:
    """The fingerprints to count with, and whose they are.

    Parameters
    ----------
    dataset : Dataset
        The dataset of a chapter.

    Returns
    -------
    DataFrame
        A row a picture, as from `helpers.fingerprints.catalogue.of_folder`; ``attrs["recipe"]``
        tells what made the fingerprints. Where the sample stands in for CALTECH-101, these are
        CALTECH-101's, which the kit carries with their credit. Otherwise they are those of the
        dataset's own pictures that can be read.
    str
        Whose numbers they are, to stand beside a figure.

    Notes
    -----
    The carried fingerprints are of CALTECH-101 by Li, Andreeto, Ranzato and Perona (CaltechDATA,
    doi 10.22002/D1.20086, CC BY 4.0). ``tests/carried.py`` wrote them.

    Examples
    --------
    >>> table, where = numbers(datasets.sample())
    >>> where
    'numbers from CALTECH-101 (9,144 pictures)'
    >>> int(hamming.count_pairs(table["fingerprint"]).sum())
    41801796
    """
    if dataset.name == "sample":
        return caltech_101()
    table = catalogue.readable(catalogue.of_folder(dataset.root, dataset.images))
    return table, f"numbers from {dataset.name} ({len(table):,} pictures)"


def numbers_with_copies(
    dataset: datasets.Dataset, needles: str = "random"
) -> tuple[pd.DataFrame, pd.DataFrame, str]:
    """The fingerprints to count with, those of resized copies among them, and the truth.

    Parameters
    ----------
    dataset : Dataset
        The dataset of a chapter.
    needles : {"random", "article"}
        Which copies: ``"random"`` is four copies of each of 300 pictures; ``"article"`` is 69
        copies of 17 pictures, which on CALTECH-101 are the article's.

    Returns
    -------
    DataFrame
        As from `numbers`, with the copies; sorted by path.
    DataFrame
        The truth, as from `helpers.truth.near_duplicates.gather`.
    str
        Whose numbers they are, as from `numbers`.

    Raises
    ------
    Problem
        If there is no such choice of needles, or if the dataset has too few pictures for it: 17
        for ``"article"``, 3 for ``"random"``.

    Examples
    --------
    >>> table, truth, where = numbers_with_copies(datasets.sample())
    >>> f"{(copy_distances(truth, table)['distance'] <= 2).mean():.3f}"
    '0.994'
    """
    if needles not in ("random", "article"):
        raise Problem(f"needles={needles!r}: it is 'random' or 'article'")
    table, where = numbers(dataset)
    if len(table) < 3:
        raise Problem(
            f"{dataset.name}: has {counted(len(table), 'picture')} that can be read; distances "
            "between pictures take at least 3: choose a folder with more"
        )
    if dataset.name == "sample":
        copies = _carried("copies").query("needles == @needles")
    else:
        copies = _copies(dataset, needles)
    hidden = copies.rename(columns={"copy": "path"})[table.columns]
    both = pd.concat([table, hidden]).sort_values("path", ignore_index=True)
    both.attrs = table.attrs
    truth = copies[["needle", "copy", "factor", "width", "height"]].reset_index(drop=True)
    return both, truth.astype({"width": "int64", "height": "int64"}), where


def _copies(dataset: datasets.Dataset, needles: str) -> pd.DataFrame:
    """The truth about copies that are made now, in the data folder, with their fingerprints."""
    if needles == "article":
        plan = near_duplicates.article_needles(dataset.whole, seed=SEED)
    else:
        plan = near_duplicates.random_needles(dataset.images, 300, copies=(4, 4), seed=SEED)
    folder, images = made(f"copies-{needles}", dataset.name, seed=SEED), plan["needle"].tolist()
    options = {"images": images, "seed": SEED, "replace": True}
    truth = near_duplicates.gather(dataset.root, folder, plan, **options)
    table = catalogue.of_folder(folder, truth["copy"].tolist())
    return truth.assign(needles=needles, **table[["category", "fingerprint", "problem"]])


def _carried(name: str) -> pd.DataFrame:
    file = _TABLES / f"caltech_101_{name}.csv.gz"
    table = pd.read_csv(file, dtype={"fingerprint": str, "width": "Int64", "height": "Int64"})
    table["fingerprint"] = catalogue.as_column([int(digits, 16) for digits in table["fingerprint"]])
    table["problem"] = pd.Series("", index=table.index, dtype="str")
    recipe = json.loads((_TABLES / "caltech_101_recipe.json").read_text(encoding="utf-8"))
    table.attrs.update(reading=recipe["reading"], recipe=recipe)
    return table


def copy_distances(truth: pd.DataFrame, table: pd.DataFrame) -> pd.DataFrame:
    """How far each copy's fingerprint is from its needle's.

    Parameters
    ----------
    truth : DataFrame
        From `helpers.truth.near_duplicates.gather`.
    table : DataFrame
        The haystack's fingerprints, from `helpers.fingerprints.catalogue.of_folder`.

    Returns
    -------
    DataFrame
        `truth` with a column ``distance`` (bits). Copies without a fingerprint are left out, and
        copies of a needle without one.

    Examples
    --------
    >>> table = pd.DataFrame({"path": ["a", "b"], "fingerprint": np.array([0, 3], dtype=np.uint64)})
    >>> copy_distances(pd.DataFrame({"needle": ["a"], "copy": ["b"]}), table)["distance"].tolist()
    [2]
    """
    known = table.dropna(subset="fingerprint").set_index("path")["fingerprint"]
    truth = truth[truth["needle"].isin(known.index) & truth["copy"].isin(known.index)].reset_index(
        drop=True
    )
    needles, copies = (hamming.as_words(known[truth[name]]) for name in ("needle", "copy"))
    return truth.assign(distance=hamming.count_bits(needles ^ copies).astype(int))


def by_radius(
    same: np.ndarray, others: np.ndarray, pictures: int, radii: range = range(17)
) -> pd.DataFrame:
    """What each radius finds and what it finds by mistake.

    Parameters
    ----------
    same : array-like of int
        Distance of each copy from its needle, in bits.
    others : array-like of int, shape (65,)
        How many pairs of different pictures are 0, 1, ..., 64 bits apart, as from
        `helpers.hamming.count_pairs`.
    pictures : int
        Among how many pictures a query is asked.
    radii : range
        The radii to try.

    Returns
    -------
    DataFrame
        A row a radius: ``found`` (copies), ``recall`` (share of all copies) with its 95 % Wilson
        interval ``low`` to ``high``, ``pairs`` (of different pictures that match), ``rate``
        (their share of all such pairs), and ``false_per_query`` (among so many pictures).

    Raises
    ------
    Problem
        If there are no copies or no pairs of different pictures.

    Examples
    --------
    >>> others = np.eye(65, dtype=int)[2]
    >>> by_radius([0, 0, 1, 3], others, pictures=2, radii=range(3))["recall"].tolist()
    [0.5, 0.75, 0.75]
    """
    same, others, radii = np.sort(same), np.asarray(others), np.array(radii)
    if not len(same) or not others.sum():
        raise Problem(
            f"{len(same)} copies and {others.sum()} pairs of different pictures: there is nothing "
            "to find; take at least one copy and two pictures"
        )
    found = np.searchsorted(same, radii, side="right")
    pairs = np.cumsum(others)[np.minimum(radii, len(others) - 1)]
    low, high = wilson(found, len(same))
    rate = pairs / others.sum()
    table = {"radius": radii, "found": found, "recall": found / len(same), "low": low, "high": high}
    table |= {"pairs": pairs, "rate": rate, "false_per_query": rate * (pictures - 1)}
    return pd.DataFrame(table)


def wilson(found: ArrayLike, of: ArrayLike) -> tuple[np.ndarray, np.ndarray]:
    """The 95 % interval of a share.

    Parameters
    ----------
    found : array-like of float
        How many were found.
    of : array-like of float
        Of how many; of none, the interval is 0 to 1.

    Returns
    -------
    ndarray of float, ndarray of float
        Its lower and its upper end.

    Notes
    -----
    E. B. Wilson, "Probable inference, the law of succession, and statistical inference", JASA 22
    (1927).

    Examples
    --------
    >>> [round(float(end), 3) for end in wilson(0, 10)]
    [0.0, 0.278]
    """
    found, of = np.asarray(found, dtype=float), np.asarray(of, dtype=float)
    middle, size = found + _Z**2 / 2, of + _Z**2
    half = _Z * np.sqrt(found * (of - found) / np.maximum(of, 1) + _Z**2 / 4)
    return np.maximum(middle - half, 0) / size, np.minimum(middle + half, size) / size
