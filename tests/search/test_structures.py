"""Every structure gives the answers of Python's own integers, compared one by one."""

from bisect import bisect_left
from contextlib import contextmanager
from functools import cache
from importlib.util import find_spec
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from inputs import equal, fingerprints, integers, spread

from helpers import Problem
from helpers.search import compiled, linear, multi_index, trees

#: Every structure, and whether it takes fingerprints of several words. A new one is added here,
#: and then has to pass all tests below that are for each structure.
STRUCTURES = {
    linear.LinearScan: True,
    trees.VPTree: True,
    trees.KDTree: True,
    multi_index.MultiIndexHashing: True,
    compiled.CompiledScan: False,
}
NAMED = {structure.__name__: structure for structure in STRUCTURES}
TABLES = "MultiIndexHashing, tables alone"
needs_numba = pytest.mark.skipif(not find_spec("numba"), reason="numba is an extra")


def param(name, *arguments):
    """A structure's name, and other arguments of a test; skipped if the structure cannot run."""
    marks = needs_numba if name == "CompiledScan" else ()
    return pytest.param(name, *arguments, marks=marks)


WIDE = [*(name for name, structure in NAMED.items() if STRUCTURES[structure]), TABLES]
NAMES = [*NAMED, TABLES]
WITH_WIDTHS = [param(name, 4) for name in WIDE] + [param(name, 1) for name in NAMES]
SIZES = [0, 1, 2, 3, 40, 300, 2_000]


@pytest.fixture
def build(request, monkeypatch):
    """The structure of that name: a function from fingerprints to it."""
    if request.param == TABLES:
        monkeypatch.setattr(multi_index, "_CANDIDATE", 0)  # never will a scan seem to be quicker
    return NAMED[request.param.partition(",")[0]]


each_structure = pytest.mark.parametrize("build", [param(name) for name in NAMES], indirect=True)
each_wide_structure = pytest.mark.parametrize("build", WIDE, indirect=True)


@contextmanager
def refused(match):
    """A block that ends in a `Problem` of one sentence."""
    with pytest.raises(Problem, match=match) as problem:
        yield
    assert "\n" not in str(problem.value)


# Fingerprints of many kinds, and the truth about them


def clustered(rng, n, words):
    """A few centres, and around each of them many that differ from it in some bits, or in none."""
    centres = spread(rng, n // 60 + 1, words)
    flips = np.bitwise_and.reduce([spread(rng, n, words) for _ in range(4)])
    flips[::5] = 0
    return centres[rng.integers(0, len(centres), n)] ^ flips


def lopsided(rng, n, words):
    """Most have the same low bits: one bucket of a table, and one side of a tree, holds most."""
    values = spread(rng, n, words)
    values[: n - n // 8] &= np.uint64(0xFFFF_FFFF_0000_0000)
    return values


def opposite(rng, n, words):
    one = spread(rng, 1, words)
    return np.where(rng.random((n, 1)) < 0.5, one, ~one)


KINDS = [spread, clustered, lopsided, opposite, equal]


def ranking(values, query):
    """All pairs (distance, row), nearest first."""
    one = int.from_bytes(np.atleast_1d(query).astype(">u8").tobytes(), "big")
    return sorted(((value ^ one).bit_count(), row) for row, value in enumerate(integers(values)))


@cache
def questions(kind, n, words):
    """The fingerprints, and some queries, each with its ranking."""
    values = fingerprints(kind, n, words)
    member = (values if n else fingerprints(kind, 1, words))[n // 2]
    queries = [member, member ^ np.uint64(2**63 + 2**20 + 1), ~member]
    return values, [(query, ranking(values, query)) for query in queries]


def radii(n, words):
    """Some, from 0 to the width; for one size all."""
    if (n, words) == (300, 1):
        return range(65)
    few = [0, 1, 2, 3, 5, 8, 10, 16, 26, 32, 40, 63, 64]
    return few if words == 1 else [*few[:8], 27, 64, 100, 128, 64 * words - 1, 64 * words]


def listed(answer):
    """An answer as the pairs of a ranking."""
    rows, distances = answer
    assert rows.dtype == distances.dtype == np.int64
    return list(zip(distances.tolist(), rows.tolist(), strict=True))


def within(ranked, radius):
    return ranked[: bisect_left(ranked, (radius + 1,))]


# Right answers


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("build", "words"), WITH_WIDTHS, indirect=["build"])
def test_within_equals_brute_force(build, words, kind):
    for n in SIZES:
        values, asked = questions(kind, n, words)
        structure = build(values)
        assert (len(structure), structure.bits) == (n, 64 * words)
        for query, ranked in asked:
            for radius in radii(n, words):
                assert listed(structure.within(query, radius)) == within(ranked, radius), (
                    n,
                    radius,
                )


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("build", "words"), WITH_WIDTHS, indirect=["build"])
def test_nearest_equals_brute_force(build, words, kind):
    for n in (0, 1, 3, 300):
        values, asked = questions(kind, n, words)
        structure = build(values)
        for query, ranked in asked[:2]:
            assert listed(structure.nearest(query)) == ranked[:1]
            for k in (2, np.int64(50), n + 1):
                assert listed(structure.nearest(query, k)) == ranked[:k], (n, k)


@each_structure
def test_of_rows_equally_far_the_first_are_taken(build):
    values = np.array([8, 4, 2, 1, 0, 16, 32], dtype=np.uint64)
    structure = build(values)
    assert listed(structure.nearest(0, 4)) == [(0, 4), (1, 0), (1, 1), (1, 2)]
    assert listed(structure.within(0, 1)) == [(0, 4), *((1, row) for row in (0, 1, 2, 3, 5, 6))]


@each_structure
def test_a_distance_equal_to_the_radius_counts(build):
    values = np.array([2**bits - 1 for bits in range(65)] * 40, dtype=np.uint64)
    structure = build(values)
    for radius in range(65):
        _, distances = structure.within(0, radius)
        assert np.bincount(distances).tolist() == [40] * (radius + 1)


@each_structure
@pytest.mark.parametrize("n", [5_000, 40_000])
def test_thousands_of_equal_fingerprints_are_no_deep_tree(build, n):
    structure = build(fingerprints(equal, n))
    value = structure.words[0, 0]
    for query, radius, found in ((value, 0, n), (~value, 63, 0), (~value, 64, n)):
        rows, distances = structure.within(query, radius)
        assert rows.tolist() == list(range(found))
        assert set(distances.tolist()) <= {radius}
        assert structure.cost(query, radius).distances <= n


@each_structure
def test_fingerprints_all_equally_far_from_each_other_are_no_deep_tree(build):
    values = np.tile(np.uint64(1) << np.arange(64, dtype=np.uint64), 50)
    structure = build(values)
    for query in (0, 1, 2**63, 2**64 - 1):
        ranked = ranking(values, np.uint64(query))
        for radius in (0, 1, 2, 3, 62, 63, 64):
            assert listed(structure.within(query, radius)) == within(ranked, radius)


@pytest.mark.parametrize("words", [1, 4])
@pytest.mark.parametrize("kind", KINDS)
def test_answers_do_not_depend_on_the_seed(kind, words):
    values, asked = questions(kind, 300, words)
    for seed in (1, 2**40):
        tree = trees.VPTree(values, seed=seed)
        for query, ranked in asked:
            for radius in radii(300, words):
                assert listed(tree.within(query, radius)) == within(ranked, radius)


def test_two_words_and_three_are_searched_like_one_and_four():
    for words in (2, 3):
        values, asked = questions(clustered, 300, words)
        for name in WIDE[:4]:
            structure = NAMED[name](values)
            for query, ranked in asked:
                for radius in radii(300, words):
                    assert listed(structure.within(query, radius)) == within(ranked, radius)


# Many at once


@each_wide_structure
@pytest.mark.parametrize("words", [1, 4])
def test_many_queries_are_answered_as_one_by_one(build, words):
    structure, queries = (
        build(fingerprints(clustered, 300, words)),
        fingerprints(clustered, 300, words)[::30],
    )
    table = structure.within_many(queries, 9)
    expected = [
        (number, row, distance)
        for number, query in enumerate(queries)
        for row, distance in zip(*structure.within(query, 9), strict=True)
    ]
    assert len(expected) > len(queries)
    assert table.columns.tolist() == ["query", "row", "distance"]
    assert list(table.itertuples(index=False, name=None)) == expected
    assert table.dtypes.eq("int64").all()


@each_structure
@pytest.mark.parametrize(("n", "queries"), [(0, 0), (0, 3), (40, 0)])
def test_many_queries_without_an_answer_give_an_empty_table(build, n, queries):
    structure, asked = build(fingerprints(spread, n)), fingerprints(spread, queries, seed=5)
    table = structure.within_many(asked, 0)
    assert table.columns.tolist() == ["query", "row", "distance"]
    assert table.dtypes.eq("int64").all()
    assert table.empty


@each_structure
def test_many_queries_may_come_from_a_column(build):
    values = fingerprints(clustered, 40)
    structure, column = build(values), pd.Series(values[:3], index=[7, 8, 9]).astype("UInt64")
    pd.testing.assert_frame_equal(
        structure.within_many(column, 5), structure.within_many(values[:3], 5)
    )


# The tables of multi-index hashing


@pytest.mark.parametrize("words", [1, 4])
def test_without_the_fall_back_it_is_the_tables_that_answer(monkeypatch, words):
    values, asked = questions(clustered, 3_000, words)
    index = multi_index.MultiIndexHashing(values)
    few, many = asked[2][0], asked[0][0]
    with monkeypatch.context() as patch:
        patch.setattr(multi_index, "_flips", None)
        assert index.cost(many, 10) == (3_000, 0), "so few are scanned, and nothing is looked up"
    monkeypatch.setattr(multi_index, "_CANDIDATE", 0)
    assert index.cost(many, 10).nodes > 0
    assert index.cost(few, 0).distances < 100
    monkeypatch.setattr(multi_index, "scan_words", None)
    for query, ranked in asked:
        assert listed(index.within(query, 10)) == within(ranked, 10)


@pytest.mark.parametrize("n", [300, 3_000, 20_000])
def test_every_division_into_bands_gives_the_same_answers(monkeypatch, n):
    monkeypatch.setattr(multi_index, "_CANDIDATE", 0)
    values, asked = questions(clustered, n, 1)
    divisions = set()
    for built_for in (0, 10, 14, 16, 20, 24, 64):
        index = multi_index.MultiIndexHashing(values, radius=built_for)
        if len(index.widths) in divisions:
            continue
        divisions.add(len(index.widths))
        assert sum(index.widths) == 64
        for query, ranked in asked:
            for radius in (*range(17), 20, 33, 64):
                assert listed(index.within(query, radius)) == within(ranked, radius)
    assert len(divisions) >= 2


@pytest.mark.parametrize("at_a_time", [50, 2_000_000])
@pytest.mark.parametrize("words", [1, 4])
def test_queries_that_are_looked_up_together_get_the_answers_of_the_scan(
    monkeypatch, words, at_a_time
):
    values = np.concatenate([fingerprints(kind, 4_000, words) for kind in (spread, lopsided)])
    values[::9] = values[7]  # a crowd, which is scanned for
    queries = np.concatenate([values[7:60], fingerprints(spread, 60, words, seed=5), values[7:9]])
    monkeypatch.setattr(multi_index, "_AT_A_TIME", at_a_time)
    index, scan = multi_index.MultiIndexHashing(values, 4), linear.LinearScan(values)
    for radius in (0, 1, 2, 4):
        parts = list(index.parts_within(queries, radius))
        assert len(parts) < len(queries) or at_a_time == 50
        assert max(len(query) for query, _, _ in parts) <= len(values)
        found = index.within_many(queries, radius)
        assert len(found) == sum(len(query) for query, _, _ in parts) > 3 * len(values) // 9
        pd.testing.assert_frame_equal(found, scan.within_many(queries, radius))


@pytest.mark.parametrize("n", [40, 20_000])
def test_many_queries_of_another_width_are_refused(n):
    index = multi_index.MultiIndexHashing(fingerprints(spread, n))
    with refused("a query of 256 bits among fingerprints of 64 bits"):
        index.within_many(fingerprints(spread, 3, 4), 1)


def neighbours(values, query):
    """One fingerprint at each distance from 0 to 16, at random places, among the others."""
    rng = np.random.default_rng(4)
    rows = rng.choice(len(values), 17, replace=False)
    for distance, row in enumerate(rows):
        bits = rng.choice(64, distance, replace=False).astype(np.uint64)
        values[row] = query ^ np.bitwise_or.reduce(np.uint64(1) << bits, initial=np.uint64(0))


@pytest.mark.parametrize(
    ("kind", "n", "built_for"), [(spread, 300_000, 10), (lopsided, 300_000, 5), (spread, 2**20, 5)]
)
def test_hundreds_of_thousands_are_answered_from_tables_or_by_a_scan(kind, n, built_for):
    values = fingerprints(kind, n).copy()
    query = np.uint64(0x0123_4567_89AB_CDEF)  # its low bits are nobody else's
    neighbours(values, query)
    index = multi_index.MultiIndexHashing(values, radius=built_for)
    ranked = sorted(
        (distance, row)
        for row, value in enumerate(values.tolist())
        if (distance := (value ^ int(query)).bit_count()) <= 16
    )
    assert {distance for distance, _ in ranked} == set(range(17))
    for radius in range(17):
        assert listed(index.within(query, radius)) == within(ranked, radius)
    for radius in range(6):
        cost = index.cost(query, radius)
        assert 0 < cost.nodes <= cost.distances + 100
        assert len(within(ranked, radius)) <= cost.distances < n / 16
    assert index.cost(query, 30) == (n, 0)
    assert listed(index.nearest(query, 9)) == ranked[:9]


def test_the_nearest_of_hundreds_of_thousands_are_found_without_comparing_with_all(monkeypatch):
    values = fingerprints(spread, 300_000).copy()
    query, compared = np.uint64(0x0123_4567_89AB_CDEF), []
    neighbours(values, query)
    index, count = multi_index.MultiIndexHashing(values), linear.count_bits
    monkeypatch.setattr(
        linear, "count_bits", lambda words: compared.append(words.shape[1]) or count(words)
    )
    assert index.nearest(query, 6)[1].tolist() == [0, 1, 2, 3, 4, 5]
    assert sum(compared) < 30_000


def test_a_bucket_that_holds_most_is_scanned():
    values = fingerprints(lopsided, 300_000).copy()
    query = np.uint64(0x0123_4567_0000_0000)  # its low bits are everybody's
    neighbours(values, query)
    index = multi_index.MultiIndexHashing(values, radius=5)
    assert index.cost(query, 5) == (300_000, 0)
    for radius in (0, 2, 5):
        found = listed(index.within(query, radius))
        truth = enumerate((value ^ int(query)).bit_count() for value in values.tolist())
        assert found == sorted((bits, row) for row, bits in truth if bits <= radius)


def test_the_bands_are_of_the_fingerprint_and_none_is_wider_than_it_pays():
    for n, words, built_for in ((0, 1, 0), (40, 1, 10), (3_000, 4, 10), (20_000, 1, 64)):
        widths = multi_index.MultiIndexHashing(
            fingerprints(spread, n, words), radius=built_for
        ).widths
        assert sum(widths) == 64 * words
        assert 2 ** max(widths) <= max(256, 4 * n)


# What it costs


@pytest.mark.parametrize("build", [param("LinearScan"), param("CompiledScan")], indirect=True)
@pytest.mark.parametrize("n", SIZES)
def test_a_scan_compares_with_all(build, n):
    scan = build(fingerprints(spread, n))
    assert {scan.cost(7, radius) for radius in (0, 10, 64)} == {linear.Cost(n, 0)}


@pytest.mark.parametrize("words", [1, 4])
@pytest.mark.parametrize("kind", KINDS)
def test_a_vp_tree_compares_with_each_match_and_with_none_twice(kind, words):
    for n in (0, 2, 40, 300, 2_000):
        values, asked = questions(kind, n, words)
        tree = trees.VPTree(values)
        for query, ranked in asked:
            costs = [tree.cost(query, radius) for radius in radii(n, words)]
            assert costs == sorted(costs), "a wider circle costs no less"
            for radius, cost in zip(radii(n, words), costs, strict=True):
                assert len(within(ranked, radius)) <= cost.distances <= n
            assert costs[-1].distances == n


@pytest.mark.parametrize("words", [1, 4])
@pytest.mark.parametrize("kind", KINDS)
def test_a_kd_tree_compares_with_each_match_that_it_does_not_take_wholesale(kind, words):
    for n in (0, 2, 40, 300):
        values, asked = questions(kind, n, words)
        tree = trees.KDTree(values)
        differ = integers(np.bitwise_or.reduce(values ^ values[:1], axis=0, keepdims=True))
        for query, ranked in asked:
            for radius in radii(n, words)[::3]:
                cost = tree.cost(query, radius)
                assert 0 <= cost.distances <= n
                assert bool(cost.nodes) == bool(n)
                if radius < differ[0].bit_count() // 2:  # no box is so small that it lies within
                    assert cost.distances >= len(within(ranked, radius))


@pytest.mark.parametrize("build", ["VPTree", "KDTree"], indirect=True)
def test_a_tree_leaves_out_other_clusters_than_the_querys(build):
    values, asked = questions(clustered, 2_000, 1)
    tree = build(values)
    for query, ranked in asked[:2]:
        for radius in (0, 1):
            distances, nodes = tree.cost(query, radius)
            assert len(within(ranked, radius)) <= distances < len(values) / 2
            assert nodes < 2 * len(values)


def test_a_vp_tree_leaves_out_the_other_side_up_to_the_last_bit():
    values = np.repeat(np.array([0, 0xFF], dtype=np.uint64), 100)
    tree = trees.VPTree(values)
    assert sorted(tree.cost(query, 7) for query in (0, 0xFF)) == [(100, 2), (200, 3)]
    assert [tree.cost(query, 8) for query in (0, 0xFF)] == [(200, 3)] * 2


def test_the_seed_of_a_vp_tree_chooses_what_it_compares_with():
    values, asked = questions(clustered, 2_000, 1)
    query, _ = asked[0]
    costs = {seed: trees.VPTree(values, seed).cost(query, 3) for seed in range(5)}
    assert len(set(costs.values())) > 1
    assert costs[3] == trees.VPTree(values, seed=3).cost(query, 3)
    assert costs[0] == trees.VPTree(values).cost(query, 3)


def test_a_kd_tree_leaves_out_one_side_of_a_bit_and_never_the_other():
    tree = trees.KDTree(np.repeat(np.array([0, 1], dtype=np.uint64), [12, 30]))
    assert [tree.cost(query, 0) for query in (0, 1)] == [(12, 3), (42, 3)]


def test_scipys_tree_gives_matches_and_nothing_else(monkeypatch):
    values, asked = questions(clustered, 300, 1)
    tree, given = trees.KDTree(values), []
    compare = tree._compare
    monkeypatch.setattr(
        tree, "_compare", lambda *arguments: given.append(arguments[2]) or compare(*arguments)
    )
    for query, ranked in asked:
        tree.within(query, 9)
        assert sorted(given.pop().tolist()) == sorted(row for _, row in within(ranked, 9))


def test_a_kd_tree_takes_a_box_wholesale_that_lies_within():
    tree = trees.KDTree(fingerprints(equal, 3_000))
    value = tree.words[0, 0]
    assert tree.cost(value, 1) == (0, 1)
    assert tree.cost(value, 0) == (3_000, 1)
    assert tree.cost(~value, 63) == (0, 1)
    assert len(tree.within(value, 1)[0]) == 3_000


@each_structure
def test_a_cost_has_two_names(build):
    cost = build(fingerprints(spread, 40)).cost(7, 3)
    assert cost == (cost.distances, cost.nodes)
    assert all(isinstance(number, int) for number in cost)


# What goes in


@pytest.mark.parametrize(("build", "words"), WITH_WIDTHS, indirect=["build"])
def test_neither_the_fingerprints_nor_the_queries_are_changed(build, words):
    values = fingerprints(clustered, 300, words).copy()
    queries = values[:3].copy()
    before = values.copy(), queries.copy()
    structure = build(values)
    for query in queries:
        structure.within(query, 20)
        structure.nearest(query, 30)
        structure.cost(query, 5)
    structure.within_many(queries, 20)
    assert np.array_equal(values, before[0])
    assert np.array_equal(queries, before[1])


@pytest.mark.parametrize(("build", "words"), WITH_WIDTHS, indirect=["build"])
def test_what_happens_to_the_fingerprints_later_changes_no_answer(build, words):
    original, asked = questions(clustered, 300, words)
    values = original.copy()
    structure = build(values)
    values[:] = 0
    for query, ranked in asked:
        assert listed(structure.within(query, 20)) == within(ranked, 20)


@each_structure
@pytest.mark.parametrize(
    "shaped",
    [
        lambda values: pd.Series(values).astype("UInt64"),
        lambda values: pd.Series(values, index=values),
        lambda values: list(values),
        lambda values: values[:, None],
        lambda values: np.repeat(values, 2)[::2],
        lambda values: values.astype(">u8"),
    ],
    ids=[
        "column that allows missing values",
        "column",
        "list",
        "one word each",
        "every other of an array",
        "another order of bytes",
    ],
)
def test_fingerprints_may_come_in_any_container(build, shaped):
    values, asked = questions(clustered, 40, 1)
    structure = build(shaped(values))
    for query, ranked in asked:
        assert listed(structure.within(query, 9)) == within(ranked, 9)


@each_structure
@pytest.mark.parametrize(
    "shaped",
    [
        int,
        np.uint64,
        np.array,
        lambda query: np.array([query]),
        lambda query: [query],
        lambda query: (query,),
        lambda query: pd.Series([query], index=["a"], dtype="UInt64"),
        lambda query: np.array([query]).astype(">u8"),
    ],
    ids=[
        "int",
        "uint64",
        "0-d array",
        "array of one",
        "list of one",
        "tuple of one",
        "column of one",
        "another order of bytes",
    ],
)
def test_a_query_may_come_in_any_container(build, shaped):
    values, asked = questions(clustered, 40, 1)
    structure = build(values)
    for query, ranked in asked:
        assert listed(structure.within(shaped(query), 9)) == within(ranked, 9)


@each_wide_structure
def test_a_query_of_several_words_may_be_a_list(build):
    values, asked = questions(clustered, 40, 4)
    structure = build(values)
    for query, ranked in asked:
        assert listed(structure.within(list(query), 40)) == within(ranked, 40)


@each_structure
def test_a_radius_and_a_number_of_rows_may_come_from_numpy(build):
    structure = build(np.array([7, 0, 1], dtype=np.uint64))
    assert listed(structure.within(0, np.uint8(1))) == [(0, 1), (1, 2)]
    assert listed(structure.nearest(0, np.uint8(2))) == [(0, 1), (1, 2)]
    assert structure.cost(0, np.int64(1)) == structure.cost(0, 1)


# What is refused


@each_structure
@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        (np.array([1], dtype=np.uint32), "must be uint64, not uint32"),
        (np.array([1, -2]), "must be uint64, not int64: a signed integer has no room"),
        (np.array([1.0]), "must be uint64, not float64: a float holds only 53 of the 64 bits"),
        (np.array([1.0, np.nan]), "must be uint64, not float64"),
        (pd.Series([1.0, np.nan, np.nan]), "2 of 3 rows have no fingerprint"),
        (pd.Series([1, pd.NA], dtype="UInt64"), "1 of 2 rows have no fingerprint"),
        (pd.array([1, None], dtype="UInt64"), "1 of 2 rows have no fingerprint"),
        (["cat.jpg"], "as text they are hex digits"),
        (np.array([2**64, 1]), "must be uint64, not object; hashes.of_image and from_hex"),
        (np.array([None, "ff"]), "1 of 2 rows have no fingerprint"),
        (np.array([True]), "must be uint64, not bool"),
        (np.zeros((3, 0), dtype=np.uint64), r"shape \(3, 0\): it is \(n,\) for 64 bits"),
        (np.zeros((3, 2, 2), dtype=np.uint64), r"shape \(3, 2, 2\): it is \(n,\) for 64 bits"),
        (np.uint64(7), r"shape \(\): it is \(n,\) for 64 bits"),
    ],
)
def test_what_is_no_array_of_fingerprints_is_refused(build, values, sentence):
    with refused(sentence):
        build(values)


@each_structure
@pytest.mark.parametrize("radius", [-1, 65, 2.5, 2.0, True, np.True_, "5", None, [3]])
def test_a_radius_that_is_no_number_of_bits_is_refused(build, radius):
    structure = build(fingerprints(spread, 40))
    for ask in (structure.within, structure.cost):
        with refused("it is a whole number of bits from 0 to 64$"):
            ask(7, radius)
    with refused("it is a whole number of bits from 0 to 64$"):
        structure.within_many(fingerprints(spread, 2), radius)


@each_wide_structure
@pytest.mark.parametrize("radius", [-1, 257, 2.5, True, "5"])
def test_a_radius_goes_as_far_as_the_fingerprints_are_wide(build, radius):
    structure = build(fingerprints(spread, 40, 4))
    query = structure.words[:, 0]
    for ask in (structure.within, structure.cost):
        with refused("it is a whole number of bits from 0 to 256$"):
            ask(query, radius)
    assert len(structure.within(query, 256)[0]) == 40


@each_wide_structure
@pytest.mark.parametrize(("bits", "asked"), [(64, 256), (256, 64), (256, 128), (64, 0)])
def test_a_query_of_another_width_is_refused(build, bits, asked):
    structure, query = (
        build(fingerprints(spread, 40, bits // 64)),
        np.zeros(asked // 64, dtype=np.uint64),
    )
    sentence = f"a query of {asked} bits among fingerprints of {bits} bits; make it with the same"
    for ask in (structure.within, structure.cost, structure.nearest):
        with refused(sentence):
            ask(query, 1)


@each_wide_structure
def test_a_whole_number_is_no_query_among_wider_fingerprints(build):
    with refused("a query of 64 bits among fingerprints of 256 bits"):
        build(fingerprints(spread, 40, 4)).within(7, 1)


@each_structure
@pytest.mark.parametrize(
    ("query", "sentence"),
    [
        (
            np.zeros((2, 1), dtype=np.uint64),
            r"a query of shape \(2, 1\): .* within_many takes many",
        ),
        (np.zeros((1, 4), dtype=np.uint64), r"a query of shape \(1, 4\)"),
        (np.array([7]), "must be uint64, not int64"),
        (np.array([7.0]), "must be uint64, not float64"),
        (7.0, "must be a whole number of 64 bits, not 7.0: a float holds only 53 of the 64 bits"),
        (np.array(7.0), "must be a whole number of 64 bits, .*: a float holds only 53"),
        (True, "must be a whole number of 64 bits, not True"),
        (-1, "must be a whole number of 64 bits, not -1"),
        (2**64, "must be a whole number of 64 bits, not 18446744073709551616"),
        ("cat.jpg", "fingerprints like 'cat.jpg': as text they are hex digits"),
        (None, "must be a whole number of 64 bits, not None"),
        (pd.NA, "must be a whole number of 64 bits, not <NA>"),
    ],
)
def test_what_is_no_query_is_refused(build, query, sentence):
    structure = build(fingerprints(spread, 40))
    for ask in (structure.within, structure.cost, structure.nearest):
        with refused(sentence):
            ask(query, 1)


@each_structure
@pytest.mark.parametrize("query", [7, np.uint64(7), np.array(7, dtype=np.uint64)])
def test_one_query_where_several_are_expected_is_refused(build, query):
    structure = build(fingerprints(spread, 40))
    with refused("^(one query where several are expected|fingerprints must be uint64, not int64)"):
        structure.within_many(query, 1)


@each_structure
@pytest.mark.parametrize("k", [0, -1, 1.5, 1.0, True, "1", None])
def test_a_number_of_rows_below_one_or_no_number_is_refused(build, k):
    structure = build(fingerprints(spread, 40))
    with refused(r"^k .*: it is a whole number of rows, at least 1$"):
        structure.nearest(7, k)


@pytest.mark.parametrize("radius", [-1, 65, 2.5, True, "5"])
def test_an_index_is_not_made_for_a_radius_that_is_none(radius):
    with refused("it is a whole number of bits from 0 to 64$"):
        multi_index.MultiIndexHashing(fingerprints(spread, 40), radius=radius)


def test_an_index_of_256_bits_may_be_made_for_any_radius_up_to_256():
    assert len(multi_index.MultiIndexHashing(fingerprints(spread, 40, 4), radius=256)) == 40
    with refused("radius 257: it is a whole number of bits from 0 to 256$"):
        multi_index.MultiIndexHashing(fingerprints(spread, 40, 4), radius=257)


# Compiled


def test_a_compiled_scan_is_for_64_bits():
    with refused("a compiled scan is for 64 bits, not 256; use LinearScan"):
        compiled.CompiledScan(fingerprints(spread, 40, 4))


def test_a_compiled_scan_without_numba_says_what_to_install(monkeypatch):
    # As where numba is not installed.
    monkeypatch.setattr(compiled, "numba", SimpleNamespace(is_missing=True))
    with refused(r"needs numba, which is not installed: run  python -m pip .*, or use Linear"):
        compiled.CompiledScan(fingerprints(spread, 40))


@needs_numba
@pytest.mark.parametrize("n", [4_095, 4_096, 4_097, 8_192, 20_000])
def test_a_compiled_scan_finds_the_first_and_the_last_of_each_block(n):
    values = np.full(n, 2**64 - 1, dtype=np.uint64)
    rows = [row for row in (0, 1, 4_094, 4_095, 4_096, 8_191, 8_192, n - 1) if row < n]
    rows = sorted(set(rows))
    values[rows] = 0
    scan = compiled.CompiledScan(values)
    assert listed(scan.within(0, 0)) == [(0, row) for row in rows]
    assert len(scan.within(0, 64)[0]) == n


@needs_numba
def test_the_compiled_count_is_the_number_of_ones():
    for value in [*integers(fingerprints(spread, 200)), 1, 2**63, 2**64 - 1]:
        one = compiled.CompiledScan(np.array([value], dtype=np.uint64))
        assert len(one.within(0, value.bit_count())[0]) == 1
        assert len(one.within(0, value.bit_count() - 1)[0]) == 0
