"""Distances, against the definition written out: how many of 64 binary digits differ, or of 256."""

import random
import re
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
        hamming.as_words,
    ],
    ids=["as_fingerprints", "count_pairs", "distances", "as_words"],
)
def test_anything_else_is_refused_with_one_sentence(function, values, sentence):
    with pytest.raises(Problem, match=sentence):
        function(values)


@pytest.mark.parametrize("value", [1.0, np.float64(1), -1, np.int64(-1), 2**64, None, pd.NA])
def test_a_single_fingerprint_is_refused_too(value):
    with pytest.raises(Problem, match="a fingerprint must be a whole number of 64 bits, not "):
        hamming.distance(value, 1)
    with pytest.raises(Problem, match="a fingerprint must be a whole number of 64 bits, not "):
        hamming.distances(value, np.array([1], dtype=np.uint64))


# Wider ones


@pytest.mark.parametrize("words", [1, 2, 4])
@pytest.mark.parametrize("number", [0, 1, 40])
def test_distances_of_wider_fingerprints_follow_the_definition(number, words):
    values = random_fingerprints(number * words + words).reshape(-1, words)
    query, values = values[0], values[1:]
    expected = [sum(by_definition(a, b) for a, b in zip(query, row, strict=True)) for row in values]
    found = hamming.distances(query, values)
    assert found.tolist() == expected
    assert found.dtype == (np.uint8 if words == 1 else np.uint16)


@pytest.mark.parametrize("words", [1, 4, 20])
def test_the_largest_distance_is_the_width(words):
    ones = np.full((2, words), 2**64 - 1, dtype=np.uint64)
    zeros = np.zeros(words, dtype=np.uint64)
    assert hamming.distances(zeros, ones).tolist() == [64 * words] * 2
    assert hamming.distances(ones[0], ones).tolist() == [0, 0]


def test_distances_of_fingerprints_of_another_width_are_refused():
    narrow, wide = random_fingerprints(4), random_fingerprints(8).reshape(2, 4)
    with pytest.raises(Problem, match="a query of 64 bits among fingerprints of 256 bits"):
        hamming.distances(narrow[0], wide)
    with pytest.raises(Problem, match="a query of 256 bits among fingerprints of 64 bits"):
        hamming.distances(wide[0], narrow)


def test_pairs_of_wider_fingerprints_are_counted():
    wide = np.zeros((3, 4), dtype=np.uint64)
    wide[1, 3], wide[2] = 1, 2**64 - 1
    counts = hamming.count_pairs(wide)
    assert {bits: count for bits, count in enumerate(counts.tolist()) if count} == {
        1: 1,
        255: 1,
        256: 1,
    }
    assert len(counts) == 257


@pytest.mark.parametrize(
    ("shaped", "expected"),
    [
        (lambda values: values, [[1, 2, 3, 4, 5, 6]]),
        (lambda values: values[:, None], [[1, 2, 3, 4, 5, 6]]),
        (lambda values: pd.Series(values).astype("UInt64"), [[1, 2, 3, 4, 5, 6]]),
        (lambda values: list(values), [[1, 2, 3, 4, 5, 6]]),
        (lambda values: values.reshape(3, 2), [[1, 3, 5], [2, 4, 6]]),
        (lambda values: values.reshape(2, 3)[:, ::-1], [[3, 6], [2, 5], [1, 4]]),
        (lambda values: list(values.reshape(3, 2)), [[1, 3, 5], [2, 4, 6]]),
        (lambda values: values[:0], [[]]),
        (lambda values: [], [[]]),
        (lambda values: values[:0].reshape(0, 4), [[]] * 4),
    ],
)
def test_words_are_all_first_ones_then_all_second_ones(shaped, expected):
    words = hamming.as_words(shaped(np.arange(1, 7, dtype=np.uint64)))
    assert words.dtype == np.uint64
    assert words.flags.c_contiguous
    assert words.tolist() == expected


@pytest.mark.parametrize("shape", [(3, 0), (0, 0), (3, 2, 1), (0, 2, 1), ()])
def test_words_of_any_other_shape_are_refused(shape):
    with pytest.raises(Problem, match=rf"fingerprints of shape {re.escape(str(shape))}: it is "):
        hamming.as_words(np.zeros(shape, dtype=np.uint64))


@pytest.mark.parametrize(
    "query",
    [
        2**63 + 1,
        np.uint64(2**63 + 1),
        np.array(2**63 + 1, dtype=np.uint64),
        np.array([2**63 + 1], dtype=np.uint64),
        [np.uint64(2**63 + 1)],
        (np.uint64(2**63 + 1),),
    ],
    ids=["int", "uint64", "0-d array", "array of one", "list of one", "tuple of one"],
)
def test_a_query_of_one_word_may_come_in_any_container(query):
    found = hamming.as_query(query, words=1)
    assert found.dtype == np.uint64
    assert found.tolist() == [2**63 + 1]


def test_a_query_of_several_words_keeps_their_order():
    query = random_fingerprints(4)
    for given in (query, list(query), tuple(query)):
        assert hamming.as_query(given, words=4).tolist() == query.tolist()


@pytest.mark.parametrize(
    ("query", "words", "sentence"),
    [
        (
            7,
            4,
            "a query of 64 bits among fingerprints of 256 bits; make it with the same hash",
        ),
        (np.zeros(4, dtype=np.uint64), 1, "a query of 256 bits among fingerprints of 64 bits"),
        (np.zeros(0, dtype=np.uint64), 1, "a query of 0 bits among fingerprints of 64 bits"),
        (np.zeros((1, 4), dtype=np.uint64), 4, r"a query of shape \(1, 4\): .* within_many takes"),
        (np.zeros(4), 4, "must be uint64, not float64"),
        ([1, 2, 3, 4], 4, "must be uint64, not int64"),
        (["ff"], 1, "must be uint64, not <U2"),
        (7.0, 1, "whole number of 64 bits, not 7.0: a float holds only 53 of the 64 bits"),
        (np.array(7.0), 1, "whole number of 64 bits, .*: a float holds only 53 of the 64 bits"),
        (-1, 1, "whole number of 64 bits, not -1"),
        (2**64, 1, "whole number of 64 bits, not 18446744073709551616"),
        ("cat.jpg", 1, "fingerprints like 'cat.jpg': as text they are hex digits"),
        ("0" * 17, 1, "a query of 128 bits among fingerprints of 64 bits"),
        (None, 1, "whole number of 64 bits, not None"),
    ],
)
def test_what_is_no_query_is_refused(query, words, sentence):
    with pytest.raises(Problem, match=sentence):
        hamming.as_query(query, words)


def test_a_column_is_a_query_or_refused_in_one_sentence():
    column = pd.Series([1, 2], dtype="UInt64")
    with pytest.raises(Problem) as problem:
        hamming.as_query(column, words=1)
    assert "\n" not in str(problem.value)


# Hex text


@pytest.mark.parametrize("bits", [4, 42, 64, 72, 128, 256])
@pytest.mark.parametrize("column", [list, pd.Series, np.array, pd.array])
def test_hex_text_is_the_same_fingerprints(bits, column):
    rng = random.Random(bits)
    numbers = [rng.getrandbits(bits) for _ in range(40)]
    texts = column([f"{number:0{-(-bits // 4)}x}" for number in numbers])
    words = hamming.as_words(texts)
    assert words.shape == (-(-bits // 64), 40)
    assert [int.from_bytes(row.astype(">u8").tobytes(), "big") for row in words.T] == numbers
    expected = [(number ^ numbers[3]).bit_count() for number in numbers]
    assert hamming.distances(texts[3], texts).tolist() == expected
    assert [hamming.distance(texts[3], text) for text in texts] == expected


@pytest.mark.parametrize(
    ("texts", "sentence"),
    [
        (["ff", "fff"], "fingerprints of 2 and 3 hex digits; compare those of one hash"),
        (["ff", 7], "fingerprints of 0 and 2 hex digits"),
        (["f f "], "as text they are hex digits"),
        (["f_f"], "as text they are hex digits"),
        ([""], "as text they are hex digits"),
        (pd.Series(["ff", None], dtype="string"), "1 of 2 rows have no fingerprint"),
        (["ff", None], "1 of 2 rows have no fingerprint"),
    ],
)
def test_other_text_is_refused(texts, sentence):
    with pytest.raises(Problem, match=sentence):
        hamming.as_words(texts)


@pytest.mark.parametrize("words", [1, 2, 4])
def test_ones_are_counted_over_all_words(words):
    values = random_fingerprints(40 * words).reshape(words, 40)
    counts = hamming.count_bits(values)
    assert counts.tolist() == [sum(int(word).bit_count() for word in column) for column in values.T]
    assert counts.dtype == (np.uint8 if words == 1 else np.uint16)
    assert hamming.count_bits(values[:, :0]).shape == (0,)


@pytest.mark.parametrize("bits", [64, 128, 256])
def test_a_radius_is_a_whole_number_up_to_the_width(bits):
    for radius in (0, 1, bits, np.int64(bits), np.uint8(5)):
        checked = hamming.check_radius(radius, bits)
        assert checked == radius
        assert type(checked) is int
    for radius in (-1, bits + 1, 2.0, 2.5, True, np.True_, "5", None, np.nan, [3]):
        with pytest.raises(Problem, match=f"it is a whole number of bits from 0 to {bits}$"):
            hamming.check_radius(radius, bits)


def test_a_radius_goes_up_to_64_if_no_width_is_given():
    assert hamming.check_radius(64) == 64
    with pytest.raises(Problem, match=r"^radius 65: it is a whole number of bits from 0 to 64$"):
        hamming.check_radius(65)
