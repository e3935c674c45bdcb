"""The radius for a wish, on runs made up from fingerprints whose near pairs are known."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from experiments_runs import write_run

from helpers import Problem
from helpers.__main__ import main
from helpers.experiments import choosing, counting, rates

CHANGES = {("jpeg", "quality 75"): 0, ("blur", "sigma 4"): 9}


def varied(n, pairs=(), bits=3, seed=0):
    """Fingerprints far from each other; of each pair, the other is `bits` from the one."""
    values = np.random.default_rng(seed).integers(0, 2**64, n, dtype=np.uint64).tolist()
    for one, other in pairs:
        values[other] = values[one] ^ (2**bits - 1)
    return values


def a_run(folder, values, queries=20, **hashes):
    """Each query is found at 0 bits after one change, and at 9 after another."""
    hashes = {"dhash": values, **hashes}
    copies = {what: {hash: [bits] * queries for hash in hashes} for what, bits in CHANGES.items()}
    return write_run(folder, hashes, copies, queries=queries, seed=5)


@pytest.mark.parametrize(
    ("n", "pictures", "told"),
    [
        (200, None, "0.03 false matches a query among 200."),
        (200, 10_000, "1.5 false matches a query among 10,000."),
        (100, None, "0.06 false matches a query among 100."),
    ],
)
def test_the_first_line_says_what_the_set_can_show(tmp_path, n, pictures, told):
    lines = choosing.radius(a_run(tmp_path, varied(n)), pictures=pictures)
    assert lines[0] == f"with {n} pictures the smallest rate that can be shown is {told}"


@pytest.mark.slow
def test_the_largest_radius_is_that_whose_upper_bound_keeps_to_the_wish(tmp_path):
    run = a_run(tmp_path, varied(300, pairs=[(0, 1), (2, 3)], bits=5))
    high = rates.measure(run).rates["dhash"].high * 299
    assert high[4] == pytest.approx(3.0 / (300 * 299 / 2) * 299), "no near pair up to 4 bits"
    assert high[5] == pytest.approx(6.3 / (300 * 299 / 2) * 299), "two from 5 bits on"
    for wish, radius in ((high[4] * 1.01, 4), (high[5] * 1.01, None)):
        choice = choosing.choose(rates.measure(run), "dhash", wish, 300)
        assert choice.is_proved
        assert choice.most <= wish
        assert choice.radius == (radius or max(np.flatnonzero(high <= wish)))
    assert choosing.radius(run, false=float(high[4]))[1].startswith("dhash: radius 4 keeps to")


@pytest.mark.slow
def test_a_wish_for_less_than_can_be_shown_is_not_proved(tmp_path):
    run = a_run(tmp_path, varied(200, pairs=[(0, 1)], bits=6))
    lines = choosing.radius(run, false=0.01, hash="dhash")
    # 347 pictures have 60,031 pairs, and 3.0 / 60,031 x 199 is below 0.01 for the first time
    assert lines[1].startswith(
        "dhash: radius 5, not proved for 0.01 false matches a query among 200: at most 0.03 is "
        "shown, and 347 pictures without a near pair would do; it finds 0.500"
    )
    assert 3.0 / (347 * 346 / 2) * 199 <= 0.01 < 3.0 / (346 * 345 / 2) * 199
    assert any("the bound is 3.0 / 19,900 pairs x 199" in line for line in lines)
    assert any("It assumes that pairs match independently" in line for line in lines)


def test_bounds_are_larger_where_near_pairs_come_in_bunches(tmp_path):
    # one picture is 4 bits from six others, which are 8 bits from each other
    values = varied(100)
    values[:7] = [values[0], *(values[0] ^ (15 << 4 * row) for row in range(6))]
    run = a_run(tmp_path, values)
    high = rates.measure(run).rates["dhash"].high * 99
    assert high[3] > 1.9 * 3.0 / 4950 * 99
    lines = choosing.radius(run, false=0.08, hash="dhash")
    assert lines[0].startswith("with 100 pictures the smallest rate that can be shown is 0.06 ")
    assert lines[1].startswith("dhash: radius 3, not proved for 0.08 false matches a query")
    assert f"at most {high[3]:.2g} is shown" in lines[1]


@pytest.mark.slow
@pytest.mark.parametrize(("verdict", "radius"), [("different", 5), ("unsure", 5), ("same", 7)])
def test_a_near_pair_of_which_a_judge_is_unsure_makes_no_radius_larger(tmp_path, verdict, radius):
    values = varied(200, pairs=[(0, 1)], bits=6)
    values[3] = values[2] ^ (2**8 - 1)
    run = a_run(tmp_path, values)
    first, second = run.pictures["path"][:2]
    judged = [first, second, verdict, "Ann", "dhash", 6, 1]
    run = replace(run, judged=pd.DataFrame([judged], columns=run.judged.columns))
    assert choosing.choose(rates.measure(run), "dhash", 0.01, 200).radius == radius


@pytest.mark.slow
def test_look_alikes_get_no_radius_and_are_told_what_would_help(tmp_path):
    run = a_run(tmp_path, [value % 2**5 for value in varied(100)])
    lines = choosing.radius(run, false=1, hash="dhash")
    assert lines[1].startswith("no radius of dhash keeps to 1 false matches a query among 100; at")
    assert "judge the near pairs" in lines[1]


@pytest.mark.slow
def test_each_change_is_told_with_its_interval_and_the_choice_is_checked_on_halves(tmp_path):
    run = a_run(tmp_path, varied(60))
    lines = choosing.radius(run, false=3, hash="dhash")
    radius = int(lines[1].split()[2])
    assert radius >= 9
    low, _ = counting.wilson(20, 20)
    assert lines[-2] == f"jpeg, quality 75: 1.000 ({low:.3f} to 1.000)"
    check = next(line for line in lines if line.startswith("Check:"))
    assert check.count("30 pictures") == 2
    one = np.random.default_rng(5).permutation(60) < 30
    halves = [rates.measure(run, only=half, reach=3 / 59) for half in (one, ~one)]
    chosen = choosing.choose(halves[0], "dhash", 3, 60)
    assert f"Chosen on one half: dhash, radius {chosen.radius}" in check
    there = choosing.choose(halves[1], "dhash", 3, 60, chosen.radius)
    assert there.radius == chosen.radius
    assert f"(at most {there.most:.2g}" in check.partition("other half")[2]


@pytest.mark.slow
def test_ranks_are_claimed_only_where_the_intervals_support_them(tmp_path):
    values = varied(400, pairs=[(2 * k, 2 * k + 1) for k in range(40)], bits=4)
    hashes = {"dhash": values, "phash": values, "ahash": values}
    bits = {"dhash": [2] * 60, "phash": [20] * 60, "ahash": [2] * 60}
    run = write_run(tmp_path, hashes, {("jpeg", "quality 10"): bits}, queries=60, seed=5)
    lines = choosing.radius(run, false=0.05)
    ranks = [line for line in lines if line.startswith("At equal")]
    assert ranks == [
        "At equal false matches dhash finds more than phash.",
        "At equal false matches ahash finds more than phash.",
    ]
    assert [line.split(":")[0] for line in lines[1:4]] == ["dhash", "ahash", "phash"]


@pytest.mark.filterwarnings("error")
def test_of_a_single_query_no_rank_is_claimed(tmp_path):
    values = varied(20)
    bits = {"dhash": [2], "phash": [40]}
    hashes = {"dhash": values, "phash": values}
    run = write_run(tmp_path, hashes, {("jpeg", "quality 10"): bits}, queries=1, seed=5)
    lines = choosing.radius(run, false=5)
    assert "At equal false matches no hash is shown to find more than another." in lines


@pytest.mark.slow
def test_caltech_101_may_serve_as_strangers(tmp_path):
    known = counting.caltech_101()[0]["fingerprint"].tolist()
    run = a_run(tmp_path, [*varied(12), known[0] ^ 1, known[1], known[2] ^ 6, known[3]], queries=5)
    lines = choosing.radius(run, false=0.01, strangers="caltech-101")
    assert lines[0] == (
        "with 16 pictures against CALTECH-101's 9,144 the smallest rate that can be shown is "
        "0.00031 false matches a query among 16."
    )
    digits = run.pictures["dhash"].map(lambda text: int(text, 16))
    words = np.array([*known, *digits], dtype=np.uint64)
    far = np.bitwise_count(words[None, 9144:] ^ words[:9144, None]).ravel()
    measured = rates.measure(
        run, strangers=np.array([known], dtype=np.uint64), reach=0.01 / 15
    ).rates["dhash"]
    assert measured.pairs[:13].tolist() == [(far <= radius).sum() for radius in range(13)]
    assert measured.total == 16 * 9144
    assert (measured.low <= measured.redrawn[0]).all()
    assert (measured.redrawn[0] <= measured.high).all()


def test_flat_pictures_are_told_apart(tmp_path):
    run = write_run(tmp_path, {"dhash": [0, 0, 0, *varied(20)]}, flat=(0, 1, 2), seed=5)
    lines = choosing.radius(run)
    assert lines[0].startswith("with 20 pictures the")
    assert lines[1] == "3 flat pictures left out: they match each other."
    assert "what is not known, as no picture was changed" in lines[2]


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--false", "nan"], "false nan: it is a number above 0 and below 39"),
        (["--false", "-1"], "false -1.0: it is a number above 0"),
        (["--false", "0"], "false 0.0: it is a number above 0"),
        (["--false", "inf"], "false inf: it is a number above 0"),
        (["--false", "39"], "below 39, at which every picture would match"),
        (["--pictures", "1"], "pictures 1: choose a whole number from 2"),
        (["--pictures", "-5"], "pictures -5: choose a whole number"),
        (["--pictures", "9" * 30], "choose a whole number from 2 to 999,999"),
        (["--hash", "md5"], "has no hash 'md5'; choose one of dhash"),
        (["--strangers", "imagenet"], "strangers 'imagenet': the kit carries caltech-101 only"),
        (
            ["--strangers", "caltech-101", "--hash", "phash"],
            "phash: of caltech-101 the kit carries",
        ),
    ],
)
def test_a_bad_value_is_one_sentence(tmp_path, capsys, words, told):
    a_run(tmp_path, varied(40), queries=2)
    assert main(["experiment", "radius", str(tmp_path), *words]) == 2
    said = capsys.readouterr()
    assert told in said.err
    assert (said.out, said.err.count("\n")) == ("", 1)


def test_what_is_no_run_or_has_no_pair_is_one_sentence(tmp_path, capsys):
    assert main(["experiment", "radius", str(tmp_path)]) == 2
    assert "is no run" in capsys.readouterr().err
    run = write_run(tmp_path / "one", {"dhash": [5]}, seed=5)
    with pytest.raises(Problem, match="1 picture that can be read and not flat, so no pair"):
        choosing.radius(run)


@pytest.mark.slow
def test_the_command_prints_the_lines(tmp_path, capsys):
    run = a_run(tmp_path, varied(50), queries=4)
    assert main(["experiment", "radius", str(tmp_path), "--false", "1", "--hash", "dhash"]) == 0
    assert capsys.readouterr().out.splitlines() == choosing.radius(run, false=1, hash="dhash")


# A sample of more pictures than can be compared


def test_a_sample_tells_the_radius_of_a_run_with_the_same_fingerprints(tmp_path):
    values = varied(200, pairs=[(0, 1)], bits=6)
    run = a_run(tmp_path, values)
    for pictures, false in ((200, 0.04), (10_000, 2)):
        chosen = choosing.choose(rates.measure(run), "dhash", false, pictures)
        sample = np.array(values, dtype=np.uint64)
        radius, lines = choosing.radius_of_sample(sample, pictures, false)
        assert radius == chosen.radius == 5
        assert lines[0] == choosing.radius(run, pictures=pictures)[0]
        assert lines[1] == (
            f"radius 5 keeps to {false:g} false matches a query among {pictures:,}: within it lie "
            f"0 pairs in 19,900, so 0 to {chosen.most:.2g} false matches a query."
        )


def test_a_sample_that_is_too_small_says_how_many_would_do():
    radius, lines = choosing.radius_of_sample(np.array(varied(200), np.uint64), 200, 0.01)
    assert radius == -1
    assert lines[-1].endswith("; draw 347 pictures, if no more of their pairs are equal.")
    assert 3.0 / (347 * 346 / 2) * 199 <= 0.01 < 3.0 / (346 * 345 / 2) * 199


def test_copies_in_a_sample_leave_no_radius_until_they_are_judged():
    pairs = [(row, row + 1) for row in range(4, 24, 2)]
    values = [0, 1, *varied(200, pairs=pairs, bits=0)]  # two are flat
    same = [(row + 2, other + 2) for row, other in pairs]
    sample = np.array(values, dtype=np.uint64)
    radius, lines = choosing.radius_of_sample(sample, 200, 0.05)
    assert radius == -1
    assert lines[1] == "2 flat pictures left out: they match each other."
    assert "10 pairs in 19,900" in lines[2]
    assert lines[2].endswith(
        "judge the near pairs, as copies are no false matches, or take more bits."
    )
    same += [(0, 1), (1, 9)]  # of what is left out nothing is asked
    assert choosing.radius_of_sample(sample, 200, 0.05, same=same)[0] > 5


@pytest.mark.parametrize(
    ("values", "pictures", "false", "sentence"),
    [
        ([0, 1, 2, 0x0F0F0F0F0F0F0F0F], 100, 0.1, "1 picture that .* no pair; draw more"),
        ([], 100, 0.1, "0 pictures that are not flat make no pair; draw more"),
        (varied(9), 1, 0.1, "pictures 1: choose a whole number from 2"),
        (varied(9), 100, 0, "false 0: it is a number above 0 and below 99"),
    ],
)
def test_a_sample_without_a_pair_and_wishes_that_are_none_are_refused(
    values, pictures, false, sentence
):
    with pytest.raises(Problem, match=sentence):
        choosing.radius_of_sample(np.array(values, dtype=np.uint64), pictures, false)
