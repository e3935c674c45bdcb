"""What is said of the difference between two runs, or between two hashes of one."""

import numpy as np
import pytest
from experiments_runs import copied_run, folder_of_pictures, small_run, spread_run, write_run

from helpers import Problem
from helpers.__main__ import main
from helpers.experiments import choosing, comparing, runs

BLUR, CROP = ("blur", "sigma 1"), ("crop each side", "5 %")


@pytest.fixture(autouse=True)
def own_data_folder(tmp_path, monkeypatch):
    monkeypatch.setenv("FINGERPRINTS_DATA", str(tmp_path / "data"))


def near_values(n, seed=0):
    """Fingerprints of 64 bits of which many pairs are near: few of the bits are drawn."""
    bits = np.random.default_rng(seed).random((n, 64)) < 0.2
    return [int("".join("01"[bit] for bit in row.astype(int)), 2) for row in bits]


def recall_at(rate, fingerprints, distances):
    """By hand: recall, linear between the radii whose rates are around `rate`."""
    n = len(fingerprints)
    far = [
        (fingerprints[i] ^ fingerprints[j]).bit_count() for i in range(n) for j in range(i + 1, n)
    ]
    rates = [0.0, *(np.mean(np.array(far) <= radius) for radius in range(65))]
    recalls = [0.0, *(np.mean(np.array(distances) <= radius) for radius in range(65))]
    last = max(place for place in range(66) if rates[place] <= rate)
    part = (rate - rates[last]) / (rates[last + 1] - rates[last])
    return recalls[last] + part * (recalls[last + 1] - recalls[last])


def two_hashes(folder, distances, *, n=150, **about):
    """A run of two hashes, whose copies under one change are so far from their originals."""
    values = {hash: near_values(n, seed) for seed, hash in enumerate(distances)}
    queries = len(next(iter(distances.values())))
    return write_run(folder, values, {BLUR: distances}, queries=queries, **about), values


@pytest.mark.slow
def test_a_difference_is_the_one_counted_by_hand(tmp_path):
    rng = np.random.default_rng(3)
    copies = {hash: rng.integers(0, 14, 40).tolist() for hash in ("dhash", "phash")}
    run, values = two_hashes(tmp_path / "run", copies)
    table = comparing.compare([run], redraws=50)
    rows = table[(table["what"] == "recall") & (table["change"] == "blur")]
    assert rows["at"].tolist() == [1e-6, 1e-5, 1e-4, 3 / (150 * 149 / 2)]
    for row in rows.itertuples():
        one, other = (recall_at(row.at, values[hash], copies[hash]) for hash in copies)
        assert row.value == pytest.approx(one)
        assert row.other_value == pytest.approx(other)
        assert row.difference == pytest.approx(other - one)
    means = table[table["change"] == "mean"]
    assert means["difference"].to_numpy() == pytest.approx(rows["difference"].to_numpy())


def test_a_rate_that_the_pictures_cannot_show_is_never_claimed(tmp_path):
    run, _ = two_hashes(tmp_path / "run", {"dhash": [30] * 40, "phash": [0] * 40})
    table = comparing.compare([run], redraws=50)
    recall = table[table["what"] == "recall"]
    assert (recall["difference"] > 0.5).any()
    assert not recall[recall["at"] <= 1e-4][["shown", "claimed"]].any(axis=None)
    assert recall[recall["at"] > 1e-4]["shown"].all()


@pytest.mark.parametrize(("found", "is_claimed"), [(5, False), (6, True)])
def test_a_difference_of_five_queries_is_not_claimed(tmp_path, found, is_claimed):
    copies = {"dhash": [60] * 40, "phash": [0] * found + [60] * (40 - found)}
    run, _ = two_hashes(tmp_path / "run", copies, n=400)
    table = comparing.compare([run], redraws=200)
    one = table[(table["what"] == "recall") & (table["change"] == "blur")].iloc[-1]
    assert one["shown"] and one["low"] > 0
    assert one["claimed"] == is_claimed


@pytest.mark.slow
def test_the_same_pictures_are_drawn_anew_together_and_other_ones_apart(tmp_path):
    copies = np.random.default_rng(5).integers(0, 16, 40).tolist()
    about = [{}, {"date": "another"}, {"digest": "another set"}]
    made = [
        two_hashes(tmp_path / f"run {number}", {"dhash": copies}, **one)[0]
        for number, one in enumerate(about)
    ]
    for other, is_paired in ((made[1], True), (made[2], False)):
        table = comparing.compare([made[0], other], redraws=100)
        assert np.allclose(table["difference"].dropna(), 0)
        width = (table["high"] - table["low"])[table["what"] == "recall"]
        assert (width == 0).all() if is_paired else (width > 0.1).any()
        assert not table["claimed"].any()


def test_rates_at_equal_radii_come_with_bounds_where_near_pairs_are_few(tmp_path):
    made = [spread_run(tmp_path / f"{seed}", seed=seed) for seed in range(2)]
    table = comparing.compare(made, redraws=50)
    rates = table[table["what"] == "rate"].set_index("at")
    assert np.isnan(rates.loc[0, "difference"])
    bound = 3 / (60 * 59 / 2)
    assert rates.loc[0, "low"] == pytest.approx(-bound)
    assert rates.loc[0, "high"] == pytest.approx(bound)
    assert not rates.loc[0, "claimed"]
    assert rates[["low", "high"]].notna().all(axis=None)


@pytest.mark.filterwarnings("error")
def test_of_five_queries_no_difference_is_claimed_not_even_of_the_mean(tmp_path):
    copies = {"dhash": [0] * 5, "phash": [40] * 4 + [None]}
    run, _ = two_hashes(tmp_path / "run", copies, n=20)
    table = comparing.compare([run], redraws=200)
    recalls = table[table["what"] == "recall"]
    assert (recalls["difference"] < -0.5).any()
    assert not recalls["claimed"].any()


def test_hashes_of_other_sizes_have_no_radius_in_common(tmp_path):
    values = {"dhash": near_values(50), "dhash-both": near_values(50)}
    run = write_run(tmp_path / "run", values, {BLUR: {hash: [1] * 9 for hash in values}}, queries=9)
    assert set(comparing.compare([run], redraws=20)["what"]) == {"recall"}


def test_of_two_versions_it_tells_how_many_fingerprints_differ(tmp_path):
    values = near_values(50)
    changed = [value ^ (row < 7) for row, value in enumerate(values)]
    made = [
        write_run(
            tmp_path / version,
            {"dhash": one},
            {BLUR: {"dhash": [1] * 9}},
            queries=9,
            digest="the same",
            versions={"pillow": version},
        )
        for version, one in (("12.0", values), ("13.0", changed))
    ]
    notes = comparing.compare(made, redraws=20).attrs["notes"]
    assert notes == [
        "The same 50 pictures. Fingerprints that differ: dhash 7.",
        "They differ in pillow: 12.0 and 13.0.",
    ]


def test_of_two_sets_it_tells_how_many_pictures_are_in_both(tmp_path):
    made = [
        write_run(
            tmp_path / f"{first}",
            {"dhash": near_values(20)},
            {BLUR: {"dhash": [1] * 9}},
            queries=9,
            pixels=[f"pixels {row}" for row in range(first, first + 20)],
        )
        for first in (0, 15)
    ]
    notes = comparing.compare(made, redraws=20).attrs["notes"]
    assert notes == ["20 and 20 pictures; 5 are in both."]


@pytest.mark.slow
def test_of_two_sets_from_one_source_few_are_claimed_to_differ(tmp_path):
    rng, held = np.random.default_rng(11), 0
    for number in range(40):
        made = [
            two_hashes(
                tmp_path / f"{number} {side}",
                {"dhash": rng.integers(0, 16, 60).tolist()},
                n=120,
                digest=f"{number} {side}",
            )[0]
            for side in range(2)
        ]
        table = comparing.compare(made, redraws=200)
        mean = table[table["change"] == "mean"].iloc[-1]
        held += mean["low"] <= 0 <= mean["high"]
    assert held >= 36


def test_sentences_claim_what_the_interval_supports_and_nothing_else(tmp_path):
    run, _ = two_hashes(tmp_path / "apart", {"dhash": [60] * 40, "phash": [0] * 40}, n=400)
    told = comparing.sentences(comparing.compare([run], redraws=100))
    assert "phash finds 1.000 and dhash 0.000" in told[0]
    assert "nothing is claimed" not in told[0]
    run, _ = two_hashes(tmp_path / "alike", {"dhash": [1] * 40, "phash": [1] * 40}, n=400)
    told = comparing.sentences(comparing.compare([run], redraws=100))
    assert "nothing is claimed" in told[0]
    assert told[1].startswith("0 of ") and told[1].endswith("would): none is claimed.")


# The command


@pytest.mark.filterwarnings("error")
def test_redraws_without_a_query_are_left_out_without_a_warning(tmp_path):
    run, _ = two_hashes(tmp_path / "run", {"dhash": [3], "phash": [3]}, n=20)
    means = comparing.compare([run]).query("change == 'mean'")
    assert means[["difference", "low", "high"]].notna().all(axis=None)
    assert any("no hash is shown" in line for line in choosing.radius(run, 5))


@pytest.mark.slow
def test_the_command_prints_what_differs_and_two_sentences(tmp_path, capsys):
    run, _ = two_hashes(tmp_path / "run", {"dhash": [60] * 40, "phash": [0] * 40}, n=400)
    assert main(["experiment", "compare", str(run.folder), "--hashes", "dhash, phash"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "phash, less dhash:"
    assert lines[-2].startswith("At 3.8e-05 false matches a pair phash finds 1.000")
    few = len(lines)
    assert main(["experiment", "compare", str(run.folder), "--all"]) == 0
    assert len(capsys.readouterr().out.splitlines()) > few


@pytest.fixture
def places(tmp_path):
    """One run, and ten things with which it cannot be compared."""
    run = spread_run(tmp_path / "run", date="first")
    other = spread_run(tmp_path / "other hash", hash="phash", date="second")
    unfinished = tmp_path / "unfinished"
    (unfinished / "parts").mkdir(parents=True)
    (unfinished / "parts" / "settings.json").write_text("{}")
    (tmp_path / "none").mkdir()
    changed = copied_run(run, tmp_path / "change", changes={"jpeg": ["quality 75"]})
    text = (changed / "distances.csv").read_text()
    (changed / "distances.csv").write_text(text.replace("blur,sigma 1", "jpeg,quality 75"))
    damaged = copied_run(run, tmp_path / "damaged")
    (damaged / "run.json").write_text("{")
    return {
        "run": run.folder,
        "no folder": tmp_path / "nowhere",
        "no run": tmp_path / "none",
        "unfinished": unfinished,
        "damaged": damaged,
        "newer": copied_run(run, tmp_path / "newer", format=99),
        "copied": copied_run(run, tmp_path / "copied"),
        "other hash": other.folder,
        "other change": changed,
        "other reading": copied_run(run, tmp_path / "reading", reading={"rotate": False}),
        "quick": copied_run(run, tmp_path / "quick", quick=True),
        "reduced": copied_run(run, tmp_path / "reduced", side=32),
        "three": write_run(tmp_path / "three", {"dhash": [1, 2, 3]}).folder,
    }


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["run"], "there are not two things to compare"),
        (["run", "run"], "it is the same run"),
        (["run", "copied"], "it is the same run"),
        (["run", "no folder"], "is no run"),
        (["run", "no run"], "is no run"),
        (["run", "unfinished"], "is not finished"),
        (["run", "damaged"], "is damaged"),
        (["run", "newer"], "made by newer helpers"),
        (["run", "other hash"], "there are not two things to compare"),
        (["run", "other change"], "no change and strength is in both"),
        (["run", "other reading"], "pictures were read with other options"),
        (["run", "quick"], "only one is quick"),
        (["run", "three"], "has 3 pictures to count with, too few to compare; take a run of 4"),
        (["run", "reduced"], "reduced to 32 pixels in one of them only"),
        (["run", "--hashes", "dhash,phash"], "'phash': is not a hash of all these runs"),
        (["run", "--hashes", ","], "'': is not a hash of all these runs"),
    ],
)
def test_what_cannot_be_compared_is_refused_in_one_sentence(places, words, told, capsys):
    words = [str(places.get(word, word)) for word in words]
    assert main(["experiment", "compare", *words]) == 2
    error = capsys.readouterr().err
    assert told in error
    assert error.count("\n") == 1


def test_a_side_that_reduces_nothing_may_differ(places, tmp_path):
    made = spread_run(tmp_path / "large side", side=64)
    assert len(comparing.compare([runs.read(places["run"]), made], redraws=20))


def test_no_run_is_refused():
    with pytest.raises(Problem, match="name a run"):
        comparing.compare([])


@pytest.mark.slow
def test_runs_of_real_pictures_are_compared(tmp_path):
    made = [
        small_run(
            folder_of_pictures(tmp_path / f"photos {seed}", 12, seed=seed), tmp_path / f"{seed}"
        )
        for seed in range(2)
    ]
    table = comparing.compare(made, redraws=20)
    assert set(table["other"]) == {f"{hash} in {made[1].folder}" for hash in ("dhash", "phash")}
    assert (table[table["change"] == "mean"]["strength"] == "of 3").all()
