"""The pairs of a cluster are those of one machine, however the table is parted and whatever is frequent in it."""

from itertools import chain

import numpy as np
import pandas as pd
import pytest
from inputs import NO_DASK, NO_HYPOTHESIS

pytest.importorskip("distributed", reason=NO_DASK)
pytest.importorskip("hypothesis", reason=NO_HYPOTHESIS)

import distributed
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import helpers
from helpers import Problem
from helpers.cluster import joins, tables
from helpers.search import pairs as alone

MEMORY = 2**33  # bytes that count for a worker without a limit; with one it might wait for memory
#: How many rows a task takes, and from how many buckets on rows are shuffled.
WAYS = {"at once": (10**9, 8), "read for each bucket": (120, 10**9), "shuffled": (120, 2)}


@pytest.fixture(scope="module")
def client():
    """Workers as threads of this process: what is tested here is what they find."""
    about = {"processes": False, "n_workers": 2, "threads_per_worker": 1, "memory_limit": 0}
    with distributed.Client(dashboard_address=":0", **about) as client:
        yield client


@pytest.fixture
def table(client, tmp_path, monkeypatch):
    """Makes a table of fingerprints in parts, with gaps between its ids."""

    def make(values, rows=50, ids=None, hash="dhash"):
        monkeypatch.setattr(tables, "VALUES", rows)  # else a partition would take thousands
        name = f"{len(list(tmp_path.iterdir()))}"
        (tmp_path / f"of-{name}").mkdir()
        frame = pd.DataFrame({"fingerprint": np.array(values, dtype=np.uint64)})
        frame.insert(0, "id", ids_of(frame) if ids is None else ids)
        frame.to_parquet(tmp_path / f"of-{name}" / "values.parquet", row_group_size=rows)
        about = {"rows": rows, "hash": hash, "client": client, "show": lambda sentence: None}
        return tables.index(tmp_path / f"of-{name}", tmp_path / name, **about)

    return make


@pytest.fixture
def take(monkeypatch):
    def take(way):
        rows, buckets = WAYS.get(way, way)
        about = {"_AT_REST": 0, "_FEWEST": 1, "_BYTES": 0.9 * MEMORY / rows}
        for name, value in about.items():
            monkeypatch.setattr(joins, name, value)
        monkeypatch.setattr(joins, "_BUCKETS", buckets)

    return take


def ids_of(values):
    return 10 + 7 * np.arange(len(values))


def listed(result):
    """Pairs as sorted triples."""
    rows = [tables.read_parts([part], result.address, result.columns) for part in result.parts]
    return sorted(chain(*(each.itertuples(index=False, name=None) for each in rows)))


def expected(values, radius):
    found = alone.all_pairs(np.array(values, dtype=np.uint64), radius)
    rows = found.assign(first=10 + 7 * found["first"], second=10 + 7 * found["second"])
    return sorted(rows.itertuples(index=False, name=None))


def found(table, radius, client, tmp_path):
    said = []
    result = joins.pairs(table, radius, tmp_path / "pairs", client, show=said.append)
    assert result.columns == ["a", "b", "distance"]
    assert said[0].startswith("about ")
    return result


def carried():
    path = tables.Path(helpers.__file__).with_name("tables") / "caltech_101_fingerprints.csv.gz"
    return np.array([int(text, 16) for text in pd.read_csv(path)["fingerprint"]], dtype=np.uint64)


def skewed(seed, equal, flat, near, others):
    """Fingerprints of which some are equal, some have half of their bits in common, some are near."""
    rng = np.random.default_rng(seed)
    values = rng.integers(0, 2**64, others, dtype=np.uint64)
    flats = rng.integers(0, 2**32, flat, dtype=np.uint64) << np.uint64(rng.integers(0, 33))
    flips = np.bitwise_and.reduce(rng.integers(0, 2**64, (4, near), dtype=np.uint64))
    popular = np.full(equal, rng.integers(0, 2**64, dtype=np.uint64))
    nearby = rng.integers(0, 2**64, 3, dtype=np.uint64)[rng.integers(0, 3, near)] ^ flips
    return rng.permutation(np.concatenate([values, flats, popular, nearby]))


SKEWED = st.builds(
    skewed,
    seed=st.integers(0, 10**6),
    equal=st.sampled_from([0, 1, 60]),
    flat=st.sampled_from([0, 150]),
    near=st.sampled_from([0, 30]),
    others=st.sampled_from([0, 1, 150]),
)


@pytest.mark.slow
@pytest.mark.parametrize("way", WAYS)
@settings(
    max_examples=5,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(values=SKEWED, radius=st.sampled_from([0, 1, 2, 3, 6]))
def test_pairs_are_those_of_one_machine(client, table, take, tmp_path, way, values, radius):
    take(way)
    assert listed(found(table(values), radius, client, tmp_path)) == expected(values, radius)


@pytest.mark.slow
def test_what_the_kit_carries_has_the_pairs_that_are_told(client, table, tmp_path):
    result = found(table(carried(), rows=2_500), 10, client, tmp_path)
    counts = np.bincount([distance for *_, distance in listed(result)])
    assert counts[:3].tolist() == [35, 28, 49]
    assert counts[:6].sum() == 403
    assert counts.sum() == result.rows == 5_804


@pytest.mark.slow
def test_the_digest_is_that_of_one_machine(client, table, take, tmp_path):
    take((8_000, 2))
    values = np.append(carried(), carried()[::2] ^ np.uint64(0x8001))
    result = found(table(values, rows=3_000), 5, client, tmp_path)
    rows = np.array(expected(values, 5), dtype="<i8")
    assert result.digest == tables.sha256(rows.tobytes()).hexdigest()


def test_a_crowd_is_shared_out_among_jobs(client, table, take):
    values = np.random.default_rng(5).integers(0, 2**64, 4_000, dtype=np.uint64)
    values[::2] &= np.uint64(0xFFFF_FFFF_0000_0000)
    take((600, 2))
    plan = joins.estimate(table(values, rows=1_000), 2, client)
    jobs = list(chain(*plan.rounds))
    assert any(job.within for job in jobs)
    assert max(job.meet(values).sum() for job in jobs) < 1_200


def test_pairs_of_a_popular_picture_are_written_in_pieces(client, table, tmp_path, monkeypatch):
    for module in (joins, tables):
        monkeypatch.setattr(module, "PIECE", 1_000)
    result = found(table([7] * 200 + [6]), 1, client, tmp_path)
    assert result.rows == 200 * 199 / 2 + 200
    assert max(part.rows for part in result.parts) <= 2_000


def test_too_many_pairs_are_refused_before_they_are_made(client, table, tmp_path, monkeypatch):
    monkeypatch.setattr(joins, "MOST_ROWS", 19_000)
    sentence = (
        "more than about 19,900 pairs lie within 0 bits, and a result has at most 19,000; about 200 "
        r"pictures have one fingerprint \(flat ones do\), leave these out, or take a smaller radius"
    )
    with pytest.raises(Problem, match=sentence):
        joins.pairs(table([7] * 200), 0, tmp_path / "pairs", client)
    assert not (tmp_path / "pairs").exists()


def test_a_sample_tells_about_how_many_pairs_there_are(client, table, monkeypatch):
    values = skewed(seed=1, equal=2_000, flat=0, near=0, others=6_000)
    monkeypatch.setattr(joins, "_SAMPLE", 1_000)
    plan = joins.estimate(table(values, rows=2_000), 3, client)
    assert plan.pairs == pytest.approx(2_000 * 1_999 / 2, rel=0.25)
    assert plan.cost.startswith(f"about {plan.pairs:,.0f} pairs; ")


def test_a_sample_without_pairs_tells_a_bound(client, table, monkeypatch):
    monkeypatch.setattr(joins, "_SAMPLE", 100)
    values = np.random.default_rng(0).integers(0, 2**64, 1_000, dtype=np.uint64)
    plan = joins.estimate(table(values), 3, client)
    assert plan.cost.startswith("about 297 pairs or fewer; ")


@pytest.mark.slow
def test_groups_are_those_of_one_machine(client, table, tmp_path):
    values = carried()[:3_000]
    result = found(table(values, rows=700), 10, client, tmp_path)
    groups = joins.groups(result, client)
    members = [rows["id"].tolist() for _, rows in groups.groupby("group")]
    of_rows = alone.groups(alone.all_pairs(values, 10))
    assert sorted(members) == sorted((10 + 7 * rows).tolist() for rows in of_rows)
    assert all(rows["id"].min() == group for group, rows in groups.groupby("group"))
    assert groups["id"].is_monotonic_increasing


def test_an_empty_table_has_no_pairs_beforehand_either(client, table):
    assert joins.estimate(table([]), 3, client).pairs == 0


def test_a_task_has_no_more_rows_than_a_thread_of_any_worker_can_hold(client, table, monkeypatch):
    workers = client.scheduler_info(n_workers=-1)["workers"]
    about = [{"nthreads": 8, "memory_limit": 8 * 10**9}, {"nthreads": 1, "memory_limit": 8 * 10**9}]
    told = {"workers": dict(zip(workers, about, strict=True))}
    monkeypatch.setattr(client, "scheduler_info", lambda **_: told)
    for name, value in {"_AT_REST": 0, "_FEWEST": 1, "_BYTES": 0.9 * 10**9 / 120}.items():
        monkeypatch.setattr(joins, name, value)
    values = np.random.default_rng(0).integers(0, 2**64, 400, dtype=np.uint64)
    jobs = chain(*joins.estimate(table(values), 2, client).rounds)
    assert max(job.meet(values).sum() for job in jobs) <= 150


def test_no_pairs_have_no_groups(client, table, tmp_path):
    for values in ([], [1], [1, 2**20 - 1]):
        result = found(table(values), 3, client, tmp_path)
        assert result.rows == len(joins.groups(result, client)) == 0


@pytest.mark.slow
def test_a_sample_does_not_depend_on_how_the_table_is_parted(client, table):
    values = skewed(seed=2, equal=50, flat=100, near=0, others=500)
    one, other = (joins.sampled(table(values, rows), 90, 3, client) for rows in (40, 300))
    pd.testing.assert_frame_equal(one, other)
    assert len(one) == 90
    assert (values[(one["id"] - 10) // 7] == one["fingerprint"]).all()
    assert not one.equals(joins.sampled(table(values), 90, 4, client))
    assert len(joins.sampled(table(values), 10_000, 3, client)) == len(values)


def test_a_result_is_no_table(client, table, tmp_path):
    result = found(table([1, 1]), 0, client, tmp_path)
    with pytest.raises(Problem, match="pairs: is a result; name a table, as index makes one"):
        joins.pairs(result, 0, tmp_path / "others", client)


@pytest.mark.parametrize("radius", [-1, 65, 1.5])
def test_what_is_no_radius_is_refused(client, table, tmp_path, radius):
    with pytest.raises(Problem, match="it is a whole number of bits from 0 to 64"):
        joins.pairs(table([1, 1]), radius, tmp_path / "pairs", client)


def test_a_radius_beyond_the_bits_of_the_hash_is_refused(client, table, tmp_path):
    few = table([1, 2], hash="colorhash")
    with pytest.raises(Problem, match=f"from 0 to {few.recipe.bits}$"):
        joins.pairs(few, few.recipe.bits + 1, tmp_path / "pairs", client)
    assert few.recipe.bits < 64
    assert found(few, few.recipe.bits, client, tmp_path).rows == 1
