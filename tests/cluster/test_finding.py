"""A search on the cluster finds what a linear scan finds, however its table is parted."""

import numpy as np
import pandas as pd
import pytest
from inputs import NO_DASK, NO_HYPOTHESIS

pytest.importorskip("distributed", reason=NO_DASK)
pytest.importorskip("hypothesis", reason=NO_HYPOTHESIS)

import distributed
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from helpers import Problem
from helpers.cluster import finding, tables
from helpers.search.linear import LinearScan

NEAR = st.builds(  # values that are near each other, or equal
    lambda one, bits: one ^ sum(1 << bit for bit in bits),
    st.sampled_from([0, 2**64 - 1, 0x0123456789ABCDEF]),
    st.lists(st.integers(0, 63), max_size=6, unique=True),
)


@pytest.fixture(scope="module")
def client():
    """Workers as threads of this process: what is tested here is what they find."""
    about = {"processes": False, "n_workers": 2, "threads_per_worker": 1}
    with distributed.Client(dashboard_address=":0", **about) as client:
        yield client


@pytest.fixture
def table(client, tmp_path, monkeypatch):
    """Makes a table of fingerprints, three rows a part, with gaps between its ids."""

    def make(values, name, hash="dhash", rows=3):
        monkeypatch.setattr(tables, "VALUES", rows)  # else a partition would take thousands
        (tmp_path / f"of-{name}").mkdir()
        frame = pd.DataFrame({"fingerprint": np.array(values, dtype=np.uint64)})
        frame.insert(0, "id", 10 + 7 * np.arange(len(values)))
        file = tmp_path / f"of-{name}" / "values.parquet"
        frame.to_parquet(file, row_group_size=rows)
        about = {"hash": hash, "rows": rows, "client": client, "show": lambda sentence: None}
        return tables.index(file.parent, tmp_path / name, **about)

    return make


@pytest.fixture
def search(client, tmp_path):
    def ask(*arguments, out="found"):
        made = finding.search(*arguments, tmp_path / out, client, show=lambda sentence: None)
        assert made.columns == ["query", "id", "distance"]
        return made

    return ask


def rows_of(result):
    return tables.read_parts(result.parts, result.address, result.columns)


def expected(values, queries, radius):
    found = LinearScan(np.array(values, dtype=np.uint64)).within_many(
        np.array(queries, dtype=np.uint64), radius
    )
    return sorted(zip(found["query"], 10 + 7 * found["row"], found["distance"], strict=True))


@pytest.mark.slow
@given(st.lists(NEAR, max_size=12), st.lists(NEAR, max_size=8), st.sampled_from([0, 1, 3, 9, 64]))
@settings(max_examples=12, deadline=None, suppress_health_check=list(HealthCheck))
def test_it_finds_what_a_linear_scan_finds(client, tmp_path_factory, values, queries, radius):
    with pytest.MonkeyPatch.context() as patch:
        folder = tmp_path_factory.mktemp("search")
        patch.setattr(tables, "VALUES", 3)
        patch.setattr(tables, "PIECE", 5)  # matches a file: else it would take a million
        made = []
        for name, content in (("table", values), ("queries", queries)):
            (folder / f"of-{name}").mkdir()
            frame = pd.DataFrame({"fingerprint": np.array(content, dtype=np.uint64)})
            frame.insert(0, "id", 10 + 7 * np.arange(len(content)))
            frame.to_parquet(folder / f"of-{name}" / "values.parquet", row_group_size=3)
            options = {"client": client, "show": lambda sentence: None, "rows": 3}
            made.append(tables.index(folder / f"of-{name}", folder / name, **options))
        found = finding.search(*made, radius, folder / "out", client, show=lambda sentence: None)
    triples = expected(values, queries, radius)
    triples = [(10 + 7 * query, row, distance) for query, row, distance in triples]
    assert sorted(rows_of(found).itertuples(index=False, name=None)) == triples
    assert found.rows == len(triples)


def test_queries_may_be_an_array_and_count_from_zero(table, search):
    values = [0, 1, 3, 7, 15, 31, 2**64 - 1]
    found = search(table(values, "t"), np.array([3, 0, 85 << 20], dtype=np.uint64), 1)
    rows = sorted(rows_of(found).itertuples(index=False, name=None))
    assert rows == expected(values, [3, 0, 85 << 20], 1)
    assert {query for query, _, _ in rows} == {0, 1}


@pytest.mark.parametrize(("n", "queries"), [(0, 0), (0, 3), (5, 0)])
def test_empty_tables_and_no_queries_give_an_empty_result(table, search, n, queries):
    found = search(table(range(n), "t"), table(range(queries), "q"), 64)
    assert [found.rows, *(part.rows for part in found.parts)] == [0, 0]
    assert rows_of(found).dtypes.eq("int64").all()


def test_nothing_near_is_an_empty_result(table, search):
    found = search(table([2**64 - 1] * 5, "t"), table([0], "q"), 63)
    assert found.rows == 0
    assert tables.Table.open(found.address) == found


def test_many_matches_are_written_in_pieces_and_never_held_together(table, search, monkeypatch):
    monkeypatch.setattr(tables, "PIECE", 100)
    one_by_one = lambda values, radius: LinearScan(values)  # noqa: E731  (its parts are smaller)
    monkeypatch.setattr(finding, "MultiIndexHashing", one_by_one)
    found = search(table([0] * 40, "t", rows=20), table([1] * 50, "q", rows=20), 1)
    assert found.rows == 40 * 50
    assert max(part.rows for part in found.parts) <= 100 + 20
    assert len(found.parts) >= 16


@pytest.mark.parametrize("most", [39, 79])
def test_more_matches_than_a_result_may_have_are_refused(
    table, search, tmp_path, monkeypatch, most
):
    monkeypatch.setattr(tables, "MOST_ROWS", most)
    whole, queries = table([0] * 8, "t", rows=4), table([1] * 10, "q", rows=10)
    with pytest.raises(Problem, match=f"would have more than {most} rows; take a smaller radius"):
        search(whole, queries, 1)
    with pytest.raises(Problem, match="holds no whole table or result"):
        tables.Table.open(tmp_path / "found")
    monkeypatch.setattr(tables, "MOST_ROWS", 80)
    assert search(whole, queries, 1).rows == 80


def test_queries_of_another_recipe_are_refused(table, search):
    sentence = (
        r"q: was made with phash of 64 bits, and here is dhash of 64 bits, .*/t; make it anew"
    )
    with pytest.raises(Problem, match=sentence):
        search(table([1], "t"), table([1], "q", hash="phash"), 1)


def test_a_result_is_no_table(table, search):
    whole = table([1, 2], "t")
    found = search(whole, whole, 5)
    for pair in ((whole, found), (found, whole)):
        with pytest.raises(Problem, match="found: is a result; name a table, as index makes one"):
            search(*pair, 5, out="other")


@pytest.mark.parametrize("radius", [-1, 65, 1.5, "3"])
def test_a_radius_that_is_no_number_of_bits_is_refused(table, search, radius):
    whole = table([1], "t")
    with pytest.raises(Problem, match="it is a whole number of bits from 0 to 64"):
        search(whole, whole, radius)


def test_queries_that_are_no_fingerprints_are_refused(table, search):
    with pytest.raises(Problem, match="must be uint64, not float64"):
        search(table([1], "t"), [1.0, 2.0], 3)


@pytest.mark.parametrize("name", ["t", "q"])
@pytest.mark.parametrize("happened", ["changed", "lost"])
def test_a_lost_or_changed_part_of_either_table_is_named(table, search, tmp_path, name, happened):
    whole, queries = table(range(9), "t"), table(range(7), "q")
    file = tmp_path / name / "part-00001.parquet"
    content = file.read_bytes()
    if happened == "lost":
        file.unlink()
    else:
        file.write_bytes(content[:-9] + b"?" + content[-8:])
    what = {"lost": "is not there", "changed": "is not as it was written"}[happened]
    with pytest.raises(Problem, match=rf"/{name}/part-00001\.parquet: {what}; run again what made"):
        search(whole, queries, 3)
    with pytest.raises(Problem, match="holds no whole table or result"):
        tables.Table.open(tmp_path / "found")


@pytest.mark.parametrize("name", ["t", "q"])
def test_a_table_is_never_replaced_by_a_result(table, search, tmp_path, name):
    whole, queries = table(range(9), "t"), table(range(7), "q")
    (tmp_path / name / "_table.json").unlink()  # as of a run that was stopped
    with pytest.raises(Problem, match=r"which is no result's; name another folder"):
        search(whole, queries, 3, out=name)
    assert (tmp_path / name / "part-00000.parquet").exists()
