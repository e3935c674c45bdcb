"""All pairs, each once, and the groups that they form: against counting every pair, and a plain union of sets."""

import tracemalloc
from bisect import bisect_left
from contextlib import contextmanager
from functools import cache
from itertools import combinations
from math import comb

import numpy as np
import pandas as pd
import pytest
from inputs import equal, fingerprints, integers, spread

from helpers import Problem
from helpers.search import blocks, pairs

COLUMNS = ["first", "second", "distance"]


# Fingerprints of many kinds, and the truth about them


def clustered(rng, n, words):
    """A few centres, and around each of them many that differ from it in some bits, or in none."""
    centres = spread(rng, n // 40 + 1, words)
    flips = np.bitwise_and.reduce([spread(rng, n, words) for _ in range(5)])
    flips[::5] = 0
    return centres[rng.integers(0, len(centres), n)] ^ flips


def lopsided(rng, n, words):
    """All have the same low bits: in some blocks all are equal."""
    return spread(rng, n, words) & np.uint64(0xFFFF_FFFF_0000_0000)


def few_values(rng, n, words):
    return spread(rng, 3, words)[rng.integers(0, 3, n)] ^ np.uint64(1) * (rng.random((n, 1)) < 0.2)


KINDS = [spread, clustered, lopsided, few_values, equal]


def every_pair(values):
    """All pairs (distance, first, second), nearest first."""
    numbered = enumerate(integers(values))
    return sorted(((a ^ b).bit_count(), i, j) for (i, a), (j, b) in combinations(numbered, 2))


@cache
def case(kind, n, words):
    values = fingerprints(kind, n, words)
    return values, every_pair(values)


@cache
def distinct(kind, words):
    """Different fingerprints, word by word, as the ways of joining want them, and all their pairs."""
    values = fingerprints(kind, 40, words)
    values = np.unique(values.reshape(len(values), -1), axis=0)
    return np.ascontiguousarray(values.T), every_pair(values)


def listed(table):
    """A table as the pairs of `every_pair`."""
    assert table.columns.tolist() == COLUMNS
    assert table.dtypes.eq("int64").all()
    assert table.index.equals(pd.RangeIndex(len(table)))
    return list(zip(table["distance"], table["first"], table["second"], strict=True))


def found_by(way, *arguments):
    """What one of the ways yields, each pair as often as it is yielded."""
    found = [
        (int(distance), *sorted((int(a), int(b))))
        for part in way(*arguments)
        for a, b, distance in zip(*part, strict=True)
    ]
    return sorted(found)


def within(every, radius):
    return every[: bisect_left(every, (radius + 1,))]


# All pairs


@pytest.mark.parametrize("words", [1, 4])
@pytest.mark.parametrize("kind", KINDS)
def test_all_pairs_equals_brute_force(kind, words):
    for n in (0, 1, 2, 3, 80):
        values, every = case(kind, n, words)
        for radius in (0, 1, 3, 8, 32, 64 * words):
            assert listed(pairs.all_pairs(values, radius)) == within(every, radius), (n, radius)


def test_all_pairs_of_a_thousand_equals_brute_force():
    values, every = case(clustered, 1_000, 1)
    for radius in (0, 2, 5, 10):
        assert listed(pairs.all_pairs(values, radius)) == within(every, radius), radius


@pytest.mark.parametrize("words", [1, 4])
@pytest.mark.parametrize("kind", [spread, clustered, lopsided])
def test_comparing_one_by_one_finds_each_pair_once(kind, words):
    values, every = distinct(kind, words)
    for radius in (*range(11), 20, 32, 40, 63, 64, 64 * words - 1, 64 * words):
        assert found_by(blocks._one_by_one, values, radius) == within(every, radius), radius


@pytest.mark.parametrize("k", [1, 2, 3])
@pytest.mark.parametrize("words", [1, 4])
@pytest.mark.parametrize("kind", [spread, clustered, lopsided])
def test_joining_on_any_number_of_blocks_finds_each_pair_once(kind, words, k):
    values, every = distinct(kind, words)
    for radius in {1: (0, 1, 2, 3, 7, 20, 40), 2: (0, 1, 2, 4, 7), 3: (0, 1, 2, 4)}[k]:
        assert found_by(blocks._join_blocks, values, radius, k) == within(every, radius), radius


@pytest.mark.parametrize("k", [1, 2, 3])
@pytest.mark.parametrize("words", [1, 2, 4])
def test_joining_finds_a_pair_once_wherever_it_differs(words, k):
    for radius in (1, 2, 3):
        for bits in combinations(range(0, 64 * words, 10 * words), radius):
            flips = integer_as_words(sum(1 << bit for bit in bits), words)
            values = np.stack([np.full(words, 7, np.uint64), flips ^ np.uint64(7)], axis=1)
            assert found_by(blocks._join_blocks, values, radius, k) == [(radius, 0, 1)], bits


@pytest.mark.parametrize("k", [1, 2, 3])
@pytest.mark.parametrize("words", [2, 4])
def test_joining_finds_a_pair_once_that_differs_in_the_first_bits_of_its_words(words, k):
    bits = [64 * word + bit for word in range(words) for bit in (63, 62)]
    for one, other in combinations(bits, 2):
        flips = integer_as_words(2**one + 2**other, words)
        values = np.stack([np.zeros(words, np.uint64), flips], axis=1)
        for radius in (2, 4):
            assert found_by(blocks._join_blocks, values, radius, k) == [(2, 0, 1)], (one, other)


def integer_as_words(number, words):
    """Lowest word first."""
    return np.array([number >> (64 * word) & (2**64 - 1) for word in range(words)], dtype=np.uint64)


def test_each_way_is_taken_by_some(monkeypatch):
    taken = []
    for way in ("_one_by_one", "_join_blocks"):
        original = getattr(blocks, way)

        def noted(words, radius, *k, way=way, original=original):
            taken.append((way, *k))
            return original(words, radius, *k)

        monkeypatch.setattr(blocks, way, noted)
    for n, radius in ((40, 10), (3_000, 2), (20_000, 6), (300, 64)):
        pairs.all_pairs(fingerprints(spread, n), radius)
    assert taken == [("_one_by_one",), ("_join_blocks", 1), ("_join_blocks", 2), ("_one_by_one",)]


@pytest.mark.parametrize("n", [150, 400])
@pytest.mark.parametrize("words", [1, 4])
@pytest.mark.parametrize("kind", KINDS)
def test_pairs_do_not_depend_on_the_order_of_the_fingerprints(kind, words, n):
    values = fingerprints(kind, n, words)[: 150 if kind in (equal, few_values) else n]
    places = np.random.default_rng(5).permutation(len(values))
    table, permuted = (pairs.all_pairs(given, 7) for given in (values, values[places]))
    mapped = np.sort(places[permuted[["first", "second"]].to_numpy()], axis=1)
    expected = sorted(zip(permuted["distance"], *mapped.T, strict=True))
    assert listed(table) == expected


@pytest.mark.parametrize(
    "shaped",
    [
        lambda values: pd.Series(values, index=values).astype("UInt64"),
        lambda values: list(values),
        lambda values: values[:, None],
    ],
    ids=["column that allows missing values", "list", "one word each"],
)
def test_fingerprints_may_come_in_any_container_and_are_not_changed(shaped):
    values, every = case(clustered, 150, 1)
    given = shaped(values.copy())
    assert listed(pairs.all_pairs(given, 5)) == within(every, 5)
    assert np.array_equal(np.asarray(given, dtype=np.uint64).ravel(), values)


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        (np.array([1.0, 2.0]), "must be uint64, not float64: a float holds only 53 of the 64 bits"),
        (np.array([1, -2]), "must be uint64, not int64"),
        (np.array([1], dtype=np.uint32), "must be uint64, not uint32"),
        (pd.Series([1, None, 3], dtype="UInt64"), "1 of 3 rows have no fingerprint"),
        (np.zeros((2, 2, 2), dtype=np.uint64), r"fingerprints of shape \(2, 2, 2\)"),
        (np.zeros((2, 0), dtype=np.uint64), r"fingerprints of shape \(2, 0\)"),
    ],
)
def test_what_is_no_array_of_fingerprints_is_refused(values, sentence):
    for function in (lambda values: pairs.all_pairs(values, 2), pairs.diameter):
        with pytest.raises(Problem, match=sentence):
            function(values)


@pytest.mark.parametrize(("words", "bits"), [(1, 64), (4, 256)])
def test_a_radius_that_is_no_number_of_bits_is_refused(words, bits):
    for radius in (-1, bits + 1, 2.5, True, "5", None):
        with pytest.raises(Problem, match=f"it is a whole number of bits from 0 to {bits}$"):
            pairs.all_pairs(fingerprints(spread, 3, words), radius)


# Many


@contextmanager
def few_bytes(most):
    """A block that may take so much memory and no more."""
    tracemalloc.start()
    try:
        yield
        assert tracemalloc.get_traced_memory()[1] < most
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("words", [1, 4])
def test_the_few_pairs_among_hundreds_of_thousands_take_little_memory(words):
    values = fingerprints(spread, 200_000, words).copy()
    values[[150_000, 199_999, 3]] = values[[7, 1_000, 100_000]]
    last_words = values.reshape(len(values), words)[:, -1]
    last_words[[150_000, 3]] ^= np.array([2**63 + 2**40 + 1, 2**30], dtype=np.uint64)
    with few_bytes(100_000_000):
        table = pairs.all_pairs(values, 3)
    assert listed(table) == [(0, 1_000, 199_999), (1, 3, 100_000), (3, 7, 150_000)]


def test_more_pairs_than_memory_holds_are_refused_with_the_most_frequent_fingerprint(monkeypatch):
    values = np.array([5] * 1_000 + [7] * 100 + [2**40, 2**41], dtype=np.uint64)
    number = comb(1_100, 2)
    monkeypatch.setattr(pairs, "MOST_PAIRS", number)
    assert len(pairs.all_pairs(values, 1)) == number
    monkeypatch.setattr(pairs, "MOST_PAIRS", number - 1)
    sentence = (
        "more than 604,449 pairs lie within 1 bits, too many to list; 1,000 pictures have one"
    )
    with pytest.raises(Problem, match=sentence):
        pairs.all_pairs(values, 1)


def test_too_many_pairs_of_equal_fingerprints_are_refused_before_they_fill_the_memory():
    sentence = r"more than 10,000,000 pairs lie within 2 bits, .* 100,000 pictures have one"
    with few_bytes(50_000_000), pytest.raises(Problem, match=sentence):
        pairs.all_pairs(fingerprints(equal, 100_000), 2)


def test_too_many_pairs_of_different_fingerprints_are_refused_before_they_fill_the_memory(
    monkeypatch,
):
    monkeypatch.setattr(pairs, "MOST_PAIRS", 10_000)
    with few_bytes(20_000_000), pytest.raises(Problem, match="too many to list"):
        pairs.all_pairs(fingerprints(spread, 3_000), 64)


def test_where_no_two_are_equal_a_refusal_does_not_blame_flat_pictures(monkeypatch):
    monkeypatch.setattr(pairs, "MOST_PAIRS", 100)
    with pytest.raises(Problem, match=r"too many to list.*take a smaller radius") as problem:
        pairs.all_pairs(fingerprints(spread, 40), 64)
    assert "1 pictures" not in str(problem.value)


# Groups


def joined(edges):
    """Sets of members, merged one edge at a time."""
    found = []
    for edge in edges:
        touched = [group for group in found if group & set(edge)]
        found = [group for group in found if not group & set(edge)]
        found.append(set(edge).union(*touched))
    return sorted((sorted(group) for group in found), key=lambda group: (-len(group), group[0]))


def table_of(edges):
    return pd.DataFrame(list(edges), columns=["first", "second"])


def listed_groups(table):
    return [group.tolist() for group in pairs.groups(table)]


@pytest.mark.parametrize("edges", [1, 2, 10, 60, 150, 400])
def test_groups_equal_merged_sets(edges):
    rng = np.random.default_rng(edges)
    for members in (3, 40, 200):
        ends = [tuple(edge) for edge in rng.integers(0, members, (edges, 2)).tolist()]
        assert listed_groups(table_of(ends)) == joined(ends)


@pytest.mark.parametrize("kind", KINDS)
def test_groups_of_near_fingerprints_equal_merged_sets(kind):
    values, every = case(kind, 120, 1)
    for radius in (0, 3, 8, 20):
        near = [(i, j) for _, i, j in within(every, radius)]
        assert listed_groups(pairs.all_pairs(values, radius)) == joined(near)


def test_the_largest_group_comes_first_and_of_equal_ones_that_of_the_first_member():
    edges = [(50, 60), (9, 8), (30, 31), (31, 32), (3, 40), (20, 22), (22, 21)]
    assert listed_groups(table_of(edges)) == [[20, 21, 22], [30, 31, 32], [3, 40], [8, 9], [50, 60]]


def test_groups_do_not_depend_on_the_order_of_the_pairs_nor_on_who_is_first():
    rng = np.random.default_rng(6)
    table = pairs.all_pairs(fingerprints(clustered, 150), 4)
    expected = listed_groups(table)
    assert len(expected) > 3
    for _ in range(5):
        shuffled = table.sample(frac=1, random_state=rng)
        swapped = rng.random(len(table)) < 0.5
        shuffled.loc[swapped, ["first", "second"]] = shuffled.loc[
            swapped, ["second", "first"]
        ].to_numpy()
        assert listed_groups(shuffled) == expected
        assert listed_groups(pd.concat([shuffled, table])) == expected


def test_groups_of_names_do_not_depend_on_the_order_of_the_pictures():
    values = fingerprints(clustered, 150)
    names = np.array([f"кошки/{number % 9}/bild {number}.jpg" for number in range(150)])
    found = []
    for places in (np.arange(150), np.random.default_rng(7).permutation(150)):
        table = pairs.all_pairs(values[places], 4)
        table[["first", "second"]] = names[places][table[["first", "second"]].to_numpy()]
        found.append(listed_groups(table))
        edges = table[["first", "second"]].itertuples(index=False, name=None)
        assert found[-1] == joined(edges)
    assert found[0] == found[1]


@pytest.mark.parametrize("dtype", ["str", "object", "category"])
def test_names_may_be_of_any_kind_of_column(dtype):
    table = table_of([("b.jpg", "ä.jpg"), ("a.jpg", "c.jpg"), ("c.jpg", "b.jpg"), ("x", "y")])
    expected = [["a.jpg", "b.jpg", "c.jpg", "ä.jpg"], ["x", "y"]]
    assert listed_groups(table.astype(dtype)) == expected


def test_large_row_numbers_are_kept():
    assert listed_groups(table_of([(2**62, 2**62 + 1), (5, 2**62 + 1)])) == [[5, 2**62, 2**62 + 1]]


def test_nobody_near_anybody_gives_no_group():
    assert pairs.groups(pairs.all_pairs(fingerprints(spread, 40), 0)) == []
    assert pairs.groups(table_of([])) == []


@pytest.mark.parametrize("missing", [None, np.nan, pd.NA])
def test_pairs_without_a_name_at_one_end_are_refused(missing):
    table = table_of([("a", "b"), (missing, "b"), ("c", missing)])
    with pytest.raises(Problem, match="2 ends of pairs have no name; leave these pairs out"):
        pairs.groups(table)


def test_pairs_are_not_changed_by_grouping():
    table = pairs.all_pairs(fingerprints(clustered, 150), 4)
    before = table.copy()
    pairs.groups(table)
    pd.testing.assert_frame_equal(table, before)


def test_likeness_is_not_transitive():
    chain = np.array([2**step - 1 for step in range(0, 41, 2)], dtype=np.uint64)
    (group,) = pairs.groups(pairs.all_pairs(chain, 2))
    assert group.tolist() == list(range(21))
    assert pairs.diameter(chain[group]) == 40
    assert pairs.groups(pairs.all_pairs(chain, 1)) == []


# Diameter


@pytest.mark.parametrize("n", [2, 3, 40, 150])
@pytest.mark.parametrize("words", [1, 4])
@pytest.mark.parametrize("kind", KINDS)
def test_diameter_equals_brute_force(kind, words, n):
    values, every = case(kind, n, words)
    assert pairs.diameter(values) == every[-1][0]
    assert isinstance(pairs.diameter(values), int)


@pytest.mark.parametrize("words", [1, 4])
@pytest.mark.parametrize("n", [0, 1])
def test_none_or_one_is_nought_bits_wide(n, words):
    assert pairs.diameter(fingerprints(spread, n, words)) == 0


def test_opposites_are_as_wide_as_they_can_be():
    assert pairs.diameter(np.array([0, 2**64 - 1], dtype=np.uint64)) == 64
    assert pairs.diameter(np.array([[0] * 4, [2**64 - 1] * 4], dtype=np.uint64)) == 256


# Crowds


@pytest.mark.parametrize("radius", [0, 2])
@pytest.mark.parametrize("seed", range(5))
def test_crowds_are_the_groups_with_more_near_ones_on_average(radius, seed):
    rng = np.random.default_rng([radius, seed])
    centres = rng.integers(0, 2**64, 12, dtype=np.uint64)
    values = rng.choice(centres, 200, p=rng.dirichlet(np.ones(12)))
    values ^= np.uint64(1) << rng.integers(0, 3, 200, dtype=np.uint64)
    table = pairs.all_pairs(values, radius)
    for most in (0, 3, 9.5, 200):
        expected = [
            rows
            for rows in listed_groups(table)
            if 2 * table["first"].isin(rows).sum() > most * len(rows)
        ]
        found = [rows.tolist() for rows in pairs.crowds(values, radius, most)]
        assert found == sorted(expected)


def test_thousands_of_frames_of_one_scene_are_one_crowd():
    rng = np.random.default_rng(0)
    scene = fingerprints(equal, 4_600) ^ (
        np.uint64(1) << rng.integers(0, 64, 4_600, dtype=np.uint64)
    )
    values = np.append(scene, fingerprints(spread, 5_000, seed=1))
    with pytest.raises(Problem, match="too many to list"):
        pairs.all_pairs(values, 8)
    with few_bytes(300_000_000):
        [rows] = pairs.crowds(values, 8, most=24)
    assert rows.tolist() == list(range(4_600))
    assert pairs.crowds([], 8, most=0) == []


# Crowds in a block, and pairs of rows


def test_a_crowd_with_equal_blocks_is_joined_on_its_other_bits():
    rng = np.random.default_rng(3)
    flat = rng.integers(0, 2**24, 6_000, dtype=np.uint64) << np.uint64(11)
    flat[:6] = flat[6] ^ np.uint64(1) << np.arange(11, 17, dtype=np.uint64)
    values = np.append(flat, fingerprints(spread, 2_000))
    expected = sum(
        int((np.bitwise_count(values[row + 1 :] ^ value) <= 3).sum())
        for row, value in enumerate(values)
    )
    assert len(pairs.all_pairs(values, 3)) == expected > 1_000


def test_flat_pictures_take_no_quadratic_time():
    values = np.random.default_rng(3).integers(0, 2**40, 200_000, dtype=np.uint64)
    words, _, _ = pairs.distinct(values[None])
    [first, *_] = blocks.choices(np.array([2**64 - 1], dtype=np.uint64) << np.uint64(40), 2, 1)
    compared = []
    original = blocks.count_bits
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            blocks,
            "count_bits",
            lambda words: (compared.append(words.shape[1]), original(words))[1],
        )
        for _ in blocks.join(words, 2, first):
            pass
    assert sum(compared) < 200_000**2 / 100


@pytest.mark.parametrize("turns", [1, 2, 7])
def test_pairs_of_rows_in_turns_are_all_pairs_of_rows(turns):
    values = np.array([[5, 7, 5, 9, 7, 7, 5, 1]], dtype=np.uint64)
    _, rows, ends = pairs.distinct(values)  # 5, 7, 9, 1
    near = (np.array([0, 1, 0]), np.array([0, 1, 1]), np.array([0, 0, 1]))
    found = [pairs.of_rows(near, rows + 10, ends, turn, turns) for turn in range(turns)]
    listed = sorted(zip(*map(np.concatenate, zip(*found, strict=True)), strict=True))
    names = {5: (10, 12, 16), 7: (11, 14, 15)}
    within = [(a, b, 0) for of in names.values() for a, b in combinations(of, 2)]
    across = [(min(a, b), max(a, b), 1) for a in names[5] for b in names[7]]
    assert listed == sorted(within + across)


def test_a_wide_radius_lists_no_millions_of_choices():
    words = np.random.default_rng(0).integers(0, 2**64, (30, 4), dtype=np.uint64)
    tracemalloc.start()
    found = pairs.all_pairs(words, radius=120)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 50e6
    bits = np.unpackbits(words.view(np.uint8), axis=1)
    distances = (bits[:, None] != bits[None]).sum(axis=2)[np.triu_indices(30, 1)]
    assert sorted(found["distance"]) == sorted(distances[distances <= 120])
    assert 0 < len(found) < len(distances)
