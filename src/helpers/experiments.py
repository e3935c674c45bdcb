"""How well copies are told from other pictures, against known truth."""

import numpy as np
import pandas as pd
from scipy.stats import binomtest

from helpers import Problem, hamming


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
    same: np.ndarray, others: np.ndarray, queries: int, radii: range = range(17)
) -> pd.DataFrame:
    """What each radius finds and what it finds by mistake.

    Parameters
    ----------
    same : array-like of int
        Distance of each copy from its needle, in bits.
    others : array-like of int, shape (65,)
        How many pictures that are no copies lie at 0, 1, ..., 64 bits from a query, summed over
        all queries.
    queries : int
        How many queries were asked.
    radii : range
        The radii to try.

    Returns
    -------
    DataFrame
        A row a radius: ``found`` (copies), ``recall`` (share of all copies) with its 95 % Wilson
        interval ``low`` to ``high``, ``false`` (matches that are no copies),
        ``false_per_query``, and ``precision``.

    Raises
    ------
    Problem
        If there are no copies or no queries.

    Notes
    -----
    The interval is that of E. B. Wilson, "Probable inference, the law of succession, and
    statistical inference", JASA 22 (1927).

    Examples
    --------
    >>> others = np.eye(65, dtype=int)[2]
    >>> by_radius([0, 0, 1, 3], others, queries=1, radii=range(3))["recall"].tolist()
    [0.5, 0.75, 0.75]
    """
    same, rows = np.asarray(same), []
    if not len(same) or queries < 1:
        raise Problem(
            f"{len(same)} copies and {queries} queries: there is nothing to find; "
            "hide at least one copy"
        )
    for radius in radii:
        found, false = int((same <= radius).sum()), int(np.asarray(others)[: radius + 1].sum())
        interval = binomtest(found, len(same)).proportion_ci(method="wilson")
        rows.append(
            {
                "radius": radius,
                "found": found,
                "recall": found / len(same),
                "low": interval.low,
                "high": interval.high,
                "false": false,
                "false_per_query": false / queries,
                "precision": found / (found + false) if found + false else float("nan"),
            }
        )
    return pd.DataFrame(rows)
