"""Recall and false matches, counted by hand on small cases."""

import numpy as np
import pandas as pd
import pytest
from scipy.stats import norm

from helpers import Problem, experiments


def a_table(**fingerprints):
    return pd.DataFrame(
        {
            "path": list(fingerprints),
            "fingerprint": pd.array(list(fingerprints.values()), dtype="UInt64"),
        }
    )


def a_truth(*pairs):
    return pd.DataFrame(pairs, columns=["needle", "copy"])


def others(**at):
    """Counts of pictures that are no copies; `others(d3=5)`: five of them at 3 bits."""
    counts = np.zeros(65, dtype=int)
    for distance, number in at.items():
        counts[int(distance[1:])] = number
    return counts


def test_distances_of_copies_hold_all_64_bits():
    table = a_table(needle=2**64 - 1, near=2**64 - 2, far=0, other=5)
    distances = experiments.copy_distances(a_truth(("needle", "far"), ("needle", "near")), table)
    assert distances.to_numpy().tolist() == [["needle", "far", 64], ["needle", "near", 1]]


def test_copies_and_needles_without_a_fingerprint_are_left_out():
    table = a_table(needle=1, copy=1, unread=None, other=3)
    truth = a_truth(
        ("needle", "unread"), ("unread", "copy"), ("needle", "gone"), ("needle", "copy")
    )
    assert experiments.copy_distances(truth, table).to_numpy().tolist() == [["needle", "copy", 0]]


def test_no_copies_give_an_empty_table():
    distances = experiments.copy_distances(a_truth(), a_table(needle=1))
    assert (len(distances), distances.columns.tolist()) == (0, ["needle", "copy", "distance"])


def test_a_radius_finds_what_lies_within_it_and_on_it():
    result = experiments.by_radius([0, 0, 2, 5], others(d2=1, d3=6), queries=2, radii=range(4))
    assert result["radius"].tolist() == [0, 1, 2, 3]
    assert result["found"].tolist() == [2, 2, 3, 3]
    assert result["recall"].tolist() == [0.5, 0.5, 0.75, 0.75]
    assert result["false"].tolist() == [0, 0, 1, 7]
    assert result["false_per_query"].tolist() == [0, 0, 0.5, 3.5]
    assert result["precision"].tolist() == [1, 1, 0.75, 0.3]


def test_precision_of_no_match_is_unknown():
    assert experiments.by_radius([5], others(), queries=1, radii=range(1))["precision"].isna().all()


def test_the_interval_is_wilsons():
    row = experiments.by_radius([0] * 71 + [1] * 29, others(), queries=1, radii=range(1)).iloc[0]
    z, n, p = norm.ppf(0.975), 100, 0.71
    middle, half = (p + z * z / (2 * n)), z * np.sqrt(p * (1 - p) / n + z * z / (4 * n * n))
    assert row["low"] == pytest.approx((middle - half) / (1 + z * z / n))
    assert row["high"] == pytest.approx((middle + half) / (1 + z * z / n))


@pytest.mark.parametrize(("same", "queries"), [([], 1), ([1], 0)])
def test_nothing_to_find_is_one_sentence(same, queries):
    with pytest.raises(Problem, match="there is nothing to find; hide at least one copy"):
        experiments.by_radius(same, others(), queries=queries)
