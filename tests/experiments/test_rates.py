"""Rates and recalls against plain loops over all pairs, and what stands apart from them."""

from itertools import combinations
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from helpers.experiments import counting, rates
from helpers.files.tables import read_csv

JUDGED = ["first", "second", "verdict", "judge", "hash", "distance", "of"]


def look_alikes(n, seed=0, width=64):
    """Fingerprints of which many lie near each other: each has a few bits off one of n / 3."""
    rng = np.random.default_rng(seed)
    bits = rng.integers(0, 2, (n // 3, width))[rng.integers(0, n // 3, n)]
    bits ^= rng.random(bits.shape) < 0.05
    return np.packbits(bits.astype(np.uint8), axis=1).view(">u8").astype(np.uint64)


def digits(words):
    return ["".join(f"{int(word):016x}" for word in row) for row in words]


def a_run(folder, words, **others):
    """A run of pictures that all differ; each is asked with, as `a` (near) and `b` (far)."""
    names = [f"{number:04}.png" for number in range(len(words))]
    pictures = {"path": names, "bytes": [f"b{name}" for name in names]}
    pictures |= {"pixels": [f"p{name}" for name in names], "flat": False, "problem": ""}
    pictures = pd.DataFrame(pictures | {"dhash": digits(words)})
    far = np.column_stack([np.arange(len(names)) % 5, np.full(len(names), 40)])
    distances = [
        (name, "jpeg", strength, bits)
        for name, row in zip(names, far, strict=True)
        for strength, bits in zip(["quality 75", "quality 10"], row, strict=True)
    ]
    distances = pd.DataFrame(distances, columns=["path", "change", "strength", "dhash"])
    about = {"hashes": ["dhash"], "seed": 3, "rates": [1e-2, 1e-3]}
    judged = others.pop("judged", pd.DataFrame(columns=JUDGED))
    for name, values in others.items():
        pictures[name] = values
    return SimpleNamespace(
        folder=folder, about=about, pictures=pictures, distances=distances, judged=judged
    )


def written(run):
    rates.write_tables(run)
    tables = {}
    for name in ("near_pairs", "pairs", "rates", "recall", "by_radius"):
        columns, rows = read_csv(run.folder / f"{name}.csv")
        tables[name] = pd.DataFrame([cells for _, cells in rows], columns=columns)
    return SimpleNamespace(**tables)


def bits_between(words, one, other):
    return sum(int(a ^ b).bit_count() for a, b in zip(words[one], words[other], strict=True))


@pytest.mark.parametrize("width", [64, 128])
def test_rates_and_intervals_are_those_of_a_loop_over_all_pairs(width):
    words = look_alikes(40, width=width)
    words[7] = words[3]  # equal fingerprints of different pictures
    table = rates.of_fingerprints(words, redraws=50, seed=5)
    drawn, rng, reach = [], np.random.default_rng(5), len(table)
    for number in range(51):
        often = [1] * 40
        if number:
            often = np.bincount(rng.integers(0, 40, 40), minlength=40).tolist()
        near, total = np.zeros(width + 1), 0
        for one, other in combinations(range(40), 2):
            near[bits_between(words, one, other)] += often[one] * often[other]
            total += often[one] * often[other]
        drawn.append(np.cumsum(near)[:reach] / total)
        if not number:
            pairs = np.cumsum(near)[:reach]
    low, high = np.quantile(drawn[1:], [0.025, 0.975], axis=0)
    known = pairs >= 3
    assert table["pairs"].tolist() == pairs.tolist()
    assert pairs[-1] >= 300 > pairs[-2], "all near pairs up to the 300th"
    assert np.allclose(table["rate"][known], drawn[0][known])
    assert table["rate"][~known].isna().all()
    # both ends never fall
    assert np.allclose(table["low"][known], np.maximum.accumulate(low)[known])
    assert np.allclose(table["high"], np.maximum.accumulate(table["high"]))
    assert (table["high"][known] >= high[known] - 1e-12).all()


@pytest.mark.parametrize(("near", "bound"), [(0, 3.0), (1, 4.74), (2, 6.30)])
def test_fewer_than_three_near_pairs_give_a_bound_and_no_rate(near, bound):
    rng = np.random.default_rng(0)
    words = rng.integers(0, 2**64, 60, dtype=np.uint64)
    words[: 2 * near : 2] = words[1 : 2 * near : 2]
    row = rates.of_fingerprints(words).iloc[0]
    assert row["pairs"] == near
    assert np.isnan(row["rate"])
    assert (row["low"], row["high"]) == (0, pytest.approx(bound / 1770))


def test_pairs_that_are_the_same_after_all_are_no_pairs_of_different_pictures():
    words = look_alikes(40)
    whole = rates.of_fingerprints(words)
    one, other = next(
        pair for pair in combinations(range(40), 2) if bits_between(words, *pair) <= 4
    )
    less = rates.of_fingerprints(words, same=[(other, one)])
    bits = bits_between(words, one, other)
    gone = (whole["pairs"] - less["pairs"]).tolist()
    assert gone == [0] * bits + [1] * (len(whole) - bits)
    known = less["pairs"] >= 3
    assert np.allclose(less["rate"][known], less["pairs"][known] / (780 - 1))


@pytest.mark.parametrize("n", [0, 1, 2])
def test_few_pictures_show_nothing(n):
    table = rates.of_fingerprints(np.arange(n, dtype=np.uint64))
    assert table["rate"].isna().all()
    assert (table["low"] == 0).all()
    assert (table["high"] == 1).all()


@pytest.mark.slow
def test_thousands_of_equal_fingerprints_are_counted_at_once():
    words = np.append(np.zeros(6000, dtype=np.uint64), look_alikes(300)[:, 0])
    table = rates.of_fingerprints(words, redraws=100)
    assert len(table) == 1
    assert table["pairs"][0] >= 6000 * 5999 / 2
    assert table["low"][0] < table["rate"][0] < table["high"][0]


def test_a_seed_gives_the_same_table():
    words = look_alikes(60)
    one, other, third = (rates.of_fingerprints(words, seed=seed) for seed in (1, 1, 2))
    pd.testing.assert_frame_equal(one, other)
    assert (one["high"] != third["high"]).any()


def test_the_numbers_of_caltech_101_come_from_all_pairs(sample):
    values = counting.numbers(sample)[0]["fingerprint"]
    table = rates.of_fingerprints(values, redraws=20)
    assert table["pairs"][[0, 2, 10]].tolist() == [35, 112, 5804]
    assert (table["rate"] * 9143).round(4)[[0, 2]].tolist() == [0.0077, 0.0245]


# The tables of a run


def test_flat_unreadable_and_equal_pictures_stand_apart(tmp_path):
    words = look_alikes(40)
    words[:6] = words[0]
    run = a_run(tmp_path, words)
    run.pictures.loc[1, "flat"] = True
    run.pictures.loc[2, ["problem", "dhash"]] = ["cannot be read", ""]
    run.pictures.loc[[3, 4], "pixels"] = run.pictures.loc[0, "pixels"]
    run.pictures.loc[4, "bytes"] = run.pictures.loc[0, "bytes"]
    run.distances = run.distances[~run.distances["path"].isin([f"{n:04}.png" for n in range(1, 5)])]
    tables = written(run)
    equal = tables.near_pairs[tables.near_pairs["distance"] == "0"]
    assert equal[["first", "second", "kind"]].to_numpy().tolist() == [
        ["0000.png", "0003.png", "same pixels"],
        ["0000.png", "0004.png", "same bytes"],
        ["0000.png", "0005.png", ""],
    ]
    assert tables.pairs["pairs"].astype(int).sum() == 36 * 35 / 2
    assert tables.rates["pairs"][0] == "1"
    assert set(tables.recall["pictures"]) == {"36"}


def test_recalls_are_those_at_the_largest_radius_of_a_rate(tmp_path):
    run = a_run(tmp_path, words := look_alikes(120, seed=1))
    tables = written(run)
    far = sorted(bits_between(words, *pair) for pair in combinations(range(120), 2))
    for (rate, strength), row in (
        tables.recall.astype({"rate": float}).set_index(["rate", "strength"]).iterrows()
    ):
        near = [sum(bits <= radius for bits in far) / len(far) for radius in range(20)]
        radius = max((r for r in range(20) if near[r] <= rate), default=-1)
        recalls = [0, *(min(5, r + 1) / 5 if strength == "quality 75" else 0 for r in range(20))]
        assert int(row["radius"]) == radius
        assert float(row["recall"]) == pytest.approx(recalls[radius + 1])
        below = near[radius] if radius >= 0 else 0
        part = (rate - below) / (near[radius + 1] - below)
        exact = recalls[radius + 1] + part * (recalls[radius + 2] - recalls[radius + 1])
        assert float(row["recall_at_exact_rate"]) == pytest.approx(exact, rel=1e-5)
        assert float(row["low"]) <= float(row["recall"]) <= float(row["high"])
    found = tables.by_radius[tables.by_radius["strength"] == "quality 75"]["found"].astype(int)
    assert found[:6].tolist() == [24, 48, 72, 96, 120, 120]


# What was judged


def judged(words, verdicts, hash="dhash"):
    rows = [
        [f"{one:04}.png", f"{other:04}.png", verdict, judge, hash, 0, 0]
        for one, other, verdict, judge in verdicts
    ]
    return pd.DataFrame(rows, columns=JUDGED)


def near(words, radius):
    return [p for p in combinations(range(len(words)), 2) if bits_between(words, *p) <= radius]


def measured(run):
    return rates.measure(run, redraws=200).rates["dhash"]


def test_a_pair_that_was_judged_the_same_is_gone_whatever_hash_it_was_drawn_by(tmp_path):
    words = look_alikes(60)
    one, other = near(words, 3)[0]
    run = a_run(tmp_path, words, judged=judged(words, [(one, other, "same", "ann")], "phash"))
    whole = rates.of_fingerprints(words)["pairs"]
    bits = bits_between(words, one, other)
    gone = whole - measured(run).pairs
    assert gone.tolist() == [0] * bits + [1] * (len(whole) - bits)
    tables = written(run)
    assert int(tables.pairs["pairs"].astype(int).sum()) == 60 * 59 / 2 - 1
    assert len(tables.near_pairs) == whole.iloc[-1], "it is listed as before"


def test_the_share_of_the_same_is_taken_for_pairs_that_nobody_looked_at(tmp_path):
    words = look_alikes(120)
    at = [pair for pair in near(words, 6) if bits_between(words, *pair) == 6]
    half = at[: len(at) // 2]
    verdicts = [(*pair, "same" if row % 4 else "different", "ann") for row, pair in enumerate(half)]
    run = a_run(tmp_path, words, judged=judged(words, verdicts))
    different = sum(verdict == "different" for _, _, verdict, _ in verdicts)
    whole = rates.of_fingerprints(words)["pairs"]
    expected = different + (len(at) - len(half)) * different / len(half)
    pairs = measured(run).pairs
    assert pairs[6] - pairs[5] == pytest.approx(expected)
    assert pairs[5] == whole[5], "at other distances all count as different"
    run.judged["hash"] = "phash"  # drawn by another hash: nothing is known of the others
    pairs = measured(run).pairs
    assert pairs[6] - pairs[5] == len(at) - (len(half) - different)


def test_unsure_and_judges_who_differ_widen_the_interval_to_both_sides(tmp_path):
    words = look_alikes(60)
    pairs = near(words, 8)
    sure = [(*pair, "different", "ann") for pair in pairs]
    unsure = [(*pair, "unsure", "ann") for pair in pairs]
    differ = [*sure, *((*pair, "same", "bob") for pair in pairs)]
    found = [
        measured(a_run(tmp_path, words, judged=judged(words, verdicts)))
        for verdicts in (sure, unsure, differ)
    ]
    assert found[0].pairs[8] == len(pairs)
    for other in found[1:]:
        assert other.pairs[8] == len(pairs) / 2
        assert other.low[8] == 0
        # all that are unsure count as different at the upper end
        assert other.high[8] == pytest.approx(found[0].high[8])
    assert found[0].low[8] > 0


def test_pairs_that_nobody_looked_at_widen_the_interval_though_all_judged_ones_are_the_same(
    tmp_path,
):
    words = look_alikes(120)
    at = [pair for pair in near(words, 6) if bits_between(words, *pair) == 6]
    some = a_run(tmp_path, words, judged=judged(words, [(*p, "same", "ann") for p in at[:9]]))
    every = a_run(tmp_path, words, judged=judged(words, [(*p, "same", "ann") for p in at]))
    some, every = measured(some), measured(every)
    assert some.pairs[6] == every.pairs[6] == some.pairs[5]
    assert some.high[6] > every.high[6]
    assert some.low[6] == pytest.approx(every.low[6], rel=0.05)


def test_a_run_gives_the_same_bytes_again(tmp_path):
    words = look_alikes(80)
    contents = []
    for name in ("one", "other"):
        (tmp_path / name).mkdir()
        rates.write_tables(a_run(tmp_path / name, words))
        contents.append([file.read_bytes() for file in sorted((tmp_path / name).iterdir())])
    assert contents[0] == contents[1]
    assert len(contents[0]) == 5


@pytest.mark.slow
def test_many_equal_fingerprints_of_different_pixels_are_counted_and_some_of_them_listed(tmp_path):
    words = np.concatenate([np.zeros((900, 1), dtype=np.uint64), look_alikes(100)])
    tables = written(a_run(tmp_path, words))
    assert int(tables.pairs["pairs"][0]) >= 900 * 899 / 2
    assert 10_000 < len(tables.near_pairs) <= rates.MOST_LISTED
    assert set(tables.near_pairs["distance"]) == {"0"}
