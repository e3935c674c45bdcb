"""Distances, against the definition written out: how many of 64 binary digits differ."""

from itertools import combinations

import numpy as np
import pandas as pd
import pytest

from helpers import Problem, hamming


def by_definition(a, b):
    return sum(x != y for x, y in zip(f"{int(a):064b}", f"{int(b):064b}", strict=True))


def random_fingerprints(number, seed=0):
    """Random ones, with a few near-duplicates and equal ones among them, all bits in use."""
    rng = np.random.default_rng(seed)
    values = rng.integers(0, 2**64, number, dtype=np.uint64)
    values[1::4] = values[0::4][: len(values[1::4])] ^ np.uint64(2**63 + 1)
    values[2::8] = values[0::8][: len(values[2::8])]
    return values


def test_distances_follow_the_definition():
    values = random_fingerprints(50)
    query = values[3]
    expected = [by_definition(query, value) for value in values]
    assert hamming.distances(query, values).tolist() == expected
    assert [hamming.distance(query, value) for value in values] == expected


@pytest.mark.parametrize(
    ("a", "b", "bits"), [(0, 2**64 - 1, 64), (2**63, 2**63 + 1, 1), (2**64 - 1, 2**64 - 1, 0)]
)
def test_no_bit_above_the_53rd_is_lost(a, b, bits):
    assert hamming.distance(a, b) == hamming.distance(np.uint64(a), np.uint64(b)) == bits
    assert hamming.distances(a, np.array([b], dtype=np.uint64)).tolist() == [bits]


@pytest.mark.parametrize("number", [0, 1, 2, 40])
def test_count_pairs_equals_brute_force(number):
    values = random_fingerprints(number)
    counts = hamming.count_pairs(values)
    expected = [by_definition(a, b) for a, b in combinations(values, 2)]
    assert counts.tolist() == np.bincount(np.array(expected, dtype=int), minlength=65).tolist()
    assert counts.sum() == number * (number - 1) // 2


@pytest.mark.parametrize("radius", [0, 2, 30, 64])
@pytest.mark.parametrize("number", [0, 1, 40])
def test_close_pairs_equals_brute_force(number, radius):
    values = random_fingerprints(number)
    pairs = [(by_definition(values[i], values[j]), i, j) for i, j in combinations(range(number), 2)]
    expected = [[i, j, bits] for bits, i, j in sorted(pairs) if bits <= radius]
    table = hamming.close_pairs(values, radius)
    assert table.columns.tolist() == ["first", "second", "distance"]
    assert table.to_numpy().tolist() == expected


@pytest.mark.parametrize(
    "column",
    [
        pd.Series([1, 2**64 - 1], dtype="UInt64"),
        pd.Series([1, 2**64 - 1], dtype="uint64"),
        np.array([1, 2**64 - 1], dtype=np.uint64),
        [np.uint64(1), np.uint64(2**64 - 1)],
    ],
    ids=["column that allows missing values", "column", "array", "list"],
)
def test_columns_arrays_and_lists_of_uint64_will_do(column):
    values = hamming.as_fingerprints(column)
    assert values.dtype == np.uint64
    assert values.tolist() == [1, 2**64 - 1]


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        (np.array([1.0, 2.0]), "must be uint64, not float64: a float holds only 53 of the 64 bits"),
        (
            pd.Series([1.0, 2.0]),
            "must be uint64, not float64: a float holds only 53 of the 64 bits",
        ),
        (np.array([1, -2]), "must be uint64, not int64"),
        (np.array([1], dtype=np.uint32), "must be uint64, not uint32"),
        (["00000000000000ff"], "must be uint64, not <U16"),
        (
            pd.Series([1, None, 3, None], dtype="UInt64"),
            "2 of 4 rows have no fingerprint; keep only the rows whose",
        ),
        (pd.Series([1, np.nan]), "1 of 2 rows have no fingerprint"),
    ],
)
@pytest.mark.parametrize(
    "function",
    [
        hamming.as_fingerprints,
        hamming.count_pairs,
        lambda values: hamming.distances(np.uint64(0), values),
        lambda values: hamming.close_pairs(values, 2),
    ],
    ids=["as_fingerprints", "count_pairs", "distances", "close_pairs"],
)
def test_anything_else_is_refused_with_one_sentence(function, values, sentence):
    with pytest.raises(Problem, match=sentence):
        function(values)


@pytest.mark.parametrize("value", [1.0, np.float64(1), -1, np.int64(-1), 2**64, "ff", None, pd.NA])
def test_a_single_fingerprint_is_refused_too(value):
    with pytest.raises(Problem, match="a fingerprint must be a whole number of 64 bits, not "):
        hamming.distance(value, 1)
    with pytest.raises(Problem, match="a fingerprint must be a whole number of 64 bits, not "):
        hamming.distances(value, np.array([1], dtype=np.uint64))
