"""Near pairs drawn for a person, what comes back, and what it changes."""

import errno
import re
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from experiments_runs import folder_of_pictures, small_run, write_run

from helpers import Problem
from helpers.__main__ import main
from helpers.experiments import judging, rates, runs
from helpers.files import tables

#: How many pairs of a made-up run are planted at each distance.
PLANTED = {1: 50, 2: 5, 3: 40}


@pytest.fixture(autouse=True)
def own_data_folder(tmp_path, monkeypatch):
    monkeypatch.setenv("FINGERPRINTS_DATA", str(tmp_path / "data"))


def planted_run(folder, hashes=("dhash",), **about):
    """Pictures of random fingerprints, each with a partner at a planted distance."""
    rng, values = np.random.default_rng(5), []
    for distance, count in PLANTED.items():
        for value in rng.integers(0, 2**64, count, dtype=np.uint64):
            values += [int(value), int(value) ^ (2**distance - 1)]
    copies = {("blur", "sigma 1"): {hash: [1] for hash in hashes}}
    made = write_run(folder, dict.fromkeys(hashes, values), copies, queries=1, **about)
    rates.write_tables(made)
    return made


@pytest.fixture
def run(tmp_path):
    return planted_run(tmp_path / "run")


def name_of_page(run, hash="dhash", folder="page"):
    """The name of the run's page, as it stands on the page."""
    (run.folder.parent / folder).mkdir(exist_ok=True)
    page = judging.write_page(run, judging.draw(run, hash, 1), pictures=run.folder.parent / folder)
    text = page.read_text(encoding="utf-8")
    return re.search('data-page="([^"]+)"', text)[1]


@pytest.fixture
def file_of(tmp_path, monkeypatch):
    """`file_of(run, drawn, verdicts, judge)`: the decisions about pairs, as they are downloaded."""
    monkeypatch.setattr(
        runs, "pictures_of", lambda run, given=None: tmp_path
    )  # no pictures lie there

    def write(run, drawn, verdicts, judge="Ann"):
        page = name_of_page(run, drawn["hash"].iloc[0])
        rows = [
            (page, item, said, judge) for item, said in zip(drawn["item"], verdicts, strict=True)
        ]
        text = tables.as_csv(["page", "item", "decision", "judge"], rows, byte_order_mark=True)
        file = tmp_path / "decisions.csv"
        file.write_text(text, encoding="utf-8")
        return file

    return write


# Drawn


def test_pairs_are_drawn_by_distance_at_most_30_of_one(run):
    drawn = judging.draw(run, "dhash", pairs=10_000)
    found = drawn["distance"].value_counts()
    assert found[[1, 2, 3]].tolist() == [30, 5, 30]
    assert found.max() == 30
    assert (
        drawn.loc[drawn["distance"] <= 3, "of"] == drawn["distance"].map(PLANTED).dropna()
    ).all()


def test_few_pairs_are_taken_evenly_from_all_distances_and_no_nearer_one_gets_less(run):
    drawn = judging.draw(run, "dhash", pairs=47)
    assert len(drawn) == 47
    taken = drawn.groupby("distance")["of"].agg(["size", "first"])
    assert len(taken) == runs.table(run, "near_pairs")["distance"].nunique()
    left = taken.loc[taken["size"] < taken["first"], "size"]  # where there were more
    assert left.max() - left.min() == 1
    assert left.is_monotonic_decreasing


def test_pairs_are_listed_near_pairs_and_each_is_drawn_once(run):
    near = runs.table(run, "near_pairs").set_index(["first", "second"])["distance"]
    drawn = judging.draw(run, "dhash", pairs=150)
    assert (
        drawn["distance"].tolist()
        == near[list(zip(drawn["first"], drawn["second"], strict=True))].tolist()
    )
    assert drawn["item"].is_unique


def test_the_order_does_not_tell_the_distance(run):
    drawn = judging.draw(run, "dhash", pairs=150)
    assert abs(drawn["distance"].corr(pd.Series(range(150)))) < 0.2
    assert not drawn["distance"].is_monotonic_increasing


def test_the_runs_seed_draws(run):
    drawn = judging.draw(run, "dhash", pairs=60)
    assert drawn.equals(judging.draw(run, "dhash", pairs=60))
    other = judging.draw(replace(run, about=run.about | {"seed": 1}), "dhash", pairs=60)
    assert set(drawn["item"]) != set(other["item"])
    assert sorted(drawn["distance"]) == sorted(other["distance"])


def test_nobody_is_asked_about_equal_pixels_and_flat_pictures(tmp_path):
    n = 2 * sum(PLANTED.values())
    pixels = ["0" if row in (0, 100) else str(row) for row in range(n)]
    made = planted_run(tmp_path / "run", pixels=pixels, flat=(2,))
    drawn = judging.draw(made, "dhash", pairs=10_000, most=10_000)
    assert (drawn["distance"] == 1).sum() == PLANTED[1] - 1  # 00002 is flat
    assert not {"00002.jpg", "00100.jpg"} & {*drawn["first"], *drawn["second"]}


def test_dhash_is_drawn_by_if_the_run_has_it_else_its_first_hash(tmp_path):
    made = planted_run(tmp_path / "run", ("phash", "dhash"))
    assert judging.draw(made, pairs=3)["hash"].unique().tolist() == ["dhash"]
    made.about["hashes"] = ["phash"]
    assert judging.draw(made, pairs=3)["hash"].unique().tolist() == ["phash"]


# The page


@pytest.fixture(scope="module")
def measured(tmp_path_factory):
    """A small run of real pictures. Tests only read it, or write its page."""
    place = tmp_path_factory.mktemp("measured")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FINGERPRINTS_DATA", str(place / "data"))
        return small_run(folder_of_pictures(place / "photos", 6), place / "run"), place / "photos"


def test_the_page_shows_two_pictures_of_each_pair_and_what_can_be_said(measured):
    made, photos = measured
    drawn = judging.draw(made, "dhash", 5)
    assert judging.write_page(made, drawn, pictures=photos) == made.folder / "judge.html"
    text = (made.folder / "judge.html").read_text(encoding="utf-8")
    assert len(drawn) == 5
    assert re.findall('data-key="([^"]+)"', text) == drawn["item"].tolist()
    assert text.count('src="data:image/jpeg;base64,') == 10
    assert re.findall('<button [^>]*value="([^"]+)"', text) == ["same", "different", "unsure"] * 5
    assert set(re.findall("<bdi>([^<]+)</bdi>", text)) == {*drawn["first"], *drawn["second"]}
    assert "48 x 40 pixels" in text
    assert str(photos.parent) not in text


def test_the_page_tells_no_distances(measured):
    made, photos = measured
    judging.write_page(made, judging.draw(made, "dhash", 5), pictures=photos)
    text = (made.folder / "judge.html").read_text(encoding="utf-8")
    assert not re.search(r"\bbits?\b", text)


def test_items_are_the_lines_of_pictures_csv(measured):
    made, _ = measured
    lines = (made.folder / "pictures.csv").read_text(encoding="utf-8").splitlines()
    for row in judging.draw(made, "dhash", pairs=5).itertuples():
        first, second = map(int, re.fullmatch(r"lines (\d+) and (\d+)", row.item).groups())
        assert lines[first - 1].startswith(f"{row.first},")
        assert lines[second - 1].startswith(f"{row.second},")


@pytest.mark.slow
def test_a_picture_that_has_changed_is_refused_and_a_missing_one_is_told(tmp_path):
    photos = folder_of_pictures(tmp_path / "photos", 4)
    made = small_run(photos, tmp_path / "run")
    (photos / "02.png").unlink()
    judging.write_page(made, drawn := judging.draw(made))
    assert (made.folder / "judge.html").read_text(encoding="utf-8").count("cannot be shown") == 3
    (photos / "01.png").write_bytes((photos / "03.png").read_bytes())
    with pytest.raises(Problem, match=r"01\.png: has changed since the run; bring back"):
        judging.write_page(made, drawn)


# Taken in


def test_what_was_decided_is_kept_with_who_judged_and_from_how_many_it_was_drawn(run, file_of):
    drawn = judging.draw(run, pairs=9)
    judged = judging.take(run, file_of(run, drawn, ["same", "different", "unsure"] * 3)).judged
    expected = drawn.assign(verdict=["same", "different", "unsure"] * 3, judge="Ann")
    expected = expected[judged.columns].sort_values(["hash", "distance", "first", "second"])
    assert judged.equals(expected.reset_index(drop=True).astype(judged.dtypes))
    text = (run.folder / "judged.csv").read_text(encoding="utf-8")
    assert text.startswith("first,second,verdict,judge,hash,distance,of\n")
    assert (judged["first"] < judged["second"]).all()


def test_pairs_that_are_the_same_count_no_more(run, file_of):
    before = runs.table(run, "rates").set_index("radius")
    drawn = judging.draw(run, pairs=10_000, most=50)
    drawn = drawn[drawn["distance"] <= 2]
    judged = judging.take(run, file_of(run, drawn, ["same"] * 55))
    after = runs.table(judged, "rates").set_index("radius")
    assert before["pairs"][[1, 2, 3]].tolist() == [50, 55, 95]
    assert after["pairs"][[1, 2, 3]].tolist() == [0, 0, 40]


@pytest.mark.slow
def test_a_judge_who_judges_again_replaces_what_they_said_and_another_is_added(run, file_of):
    drawn = judging.draw(run, pairs=3)
    for judge, verdicts in (
        ("Ann", ["same", "same", "same"]),
        ("Bob", ["different", "different", "same"]),
        ("Ann", ["different", "unsure"]),
    ):
        run = judging.take(run, file_of(run, drawn[: len(verdicts)], verdicts, judge))
    said = run.judged.set_index(["judge", "first", "second"])["verdict"]
    pairs = list(zip(drawn["first"], drawn["second"], strict=True))
    assert [said["Ann"][pair] for pair in pairs] == ["different", "unsure", "same"]
    assert [said["Bob"][pair] for pair in pairs] == ["different", "different", "same"]
    assert len(said) == 6


@pytest.mark.slow
def test_what_a_judge_said_last_of_a_pair_holds_by_every_hash(tmp_path, file_of):
    made = planted_run(tmp_path / "two", ("dhash", "phash"))
    drawn = judging.draw(made, "dhash", pairs=3)
    made = judging.take(made, file_of(made, drawn, ["same"] * 3))
    made = judging.take(made, file_of(made, drawn.assign(hash="phash"), ["unsure"] * 3))
    assert made.judged["hash"].tolist() == ["dhash"] * 3 + ["phash"] * 3
    assert made.judged["verdict"].tolist() == ["unsure"] * 6


def test_a_pair_added_by_hand_counts_by_every_hash_and_says_nothing_about_others(tmp_path, file_of):
    made = planted_run(tmp_path / "two", ("dhash", "phash"))
    added = judging.draw(made, "dhash", most=50)
    added = added[added["distance"] == 3].iloc[0]
    row = tables.as_csv(
        made.judged.columns, [(added["first"], added["second"], "same", "Bob", "", "", "")]
    )
    (made.folder / "judged.csv").write_text(row, encoding="utf-8")
    drawn = judging.draw(made, "dhash", most=50)
    drawn = drawn[drawn["distance"] == 1][:10]
    made = judging.take(made, file_of(made, drawn, ["same"] + ["different"] * 9))
    assert len(runs.read(made.folder).judged) == 11
    pairs = runs.table(made, "rates").set_index(["hash", "radius"])["pairs"]
    # at 1 bit a tenth of all 50 by dHash, only the one by pHash; at 3 bits one by both
    assert pairs["dhash"][[1, 2, 3]].tolist() == [45, 50, 89]
    assert pairs["phash"][[1, 2, 3]].tolist() == [49, 54, 93]
    assert judging.summary(made)[0]["distance"].tolist() == [1]


def test_decisions_of_any_page_of_the_run_are_taken(run, file_of):
    drawn = judging.draw(replace(run, about=run.about | {"seed": 77}), pairs=5)
    assert len(judging.take(run, file_of(run, drawn, ["same"] * 5)).judged) == 5


@pytest.mark.slow
@pytest.mark.parametrize("last", range(6))
def test_on_a_full_disk_judgements_and_tables_stay_as_they_were(run, file_of, last, monkeypatch):
    drawn = judging.draw(run, "dhash", 40)
    file, left = file_of(run, drawn, ["same"] * 40), [None] * last
    before = {path: path.read_bytes() for path in run.folder.iterdir()}

    def fail_at_last(_):
        if not left:
            raise OSError(errno.ENOSPC, "No space left on device")
        left.pop()

    monkeypatch.setattr("helpers.files.atomic.os.fsync", fail_at_last)
    with pytest.raises(Problem, match="No space left on device"):
        judging.take(run, file)
    assert not left
    assert {path: path.read_bytes() for path in run.folder.iterdir()} == before


def test_decisions_about_other_pictures_are_refused(run, tmp_path, file_of):
    file = file_of(run, judging.draw(run, pairs=1), ["same"])
    other = planted_run(tmp_path / "other", digest="0" * 64)
    with pytest.raises(Problem, match=r"decisions\.csv: line 2: was decided on another page"):
        judging.take(other, file)
    assert not (other.folder / "judged.csv").exists()


def test_a_file_that_does_not_say_who_judged_takes_the_name_from_the_command(run, file_of):
    file = file_of(run, judging.draw(run, pairs=2), ["same", "same"], judge="")
    with pytest.raises(Problem, match="does not say who judged; say it with --judge NAME"):
        judging.take(run, file)
    assert judging.take(run, file, "=Ann").judged["judge"].tolist() == ["=Ann"] * 2


# Two judges


def of_two(table):
    """Judgements of two judges, from how often they said one thing and the other."""
    rows = []
    for (one, other), count in table.items():
        for _ in range(count):
            pair = (f"{len(rows):03}", "x")
            rows += [(*pair, one, "Ann", "dhash", 1, 9), (*pair, other, "Bob", "dhash", 1, 9)]
    return pd.DataFrame(
        rows, columns=["first", "second", "verdict", "judge", "hash", "distance", "of"]
    )


def test_kappa_is_that_of_a_worked_example():
    # 50 pairs: agreement 35/50; by chance 0.5 x 0.6 + 0.5 x 0.4 = 0.5; so (0.7 - 0.5) / (1 - 0.5)
    judged = of_two(
        {
            ("same", "same"): 20,
            ("same", "different"): 5,
            ("different", "same"): 10,
            ("different", "different"): 15,
        }
    )
    assert judging.agreement(judged).to_numpy().tolist() == [
        ["Ann", "Bob", 50, 0.7, pytest.approx(0.4)]
    ]


def test_agreement_counts_a_pair_once_and_only_what_both_judged():
    judged = of_two({("same", "same"): 2, ("same", "unsure"): 1, ("different", "different"): 3})
    twice = pd.concat([judged, judged.assign(hash="phash"), judged[:1].assign(first="alone")])
    assert judging.agreement(twice).equals(judging.agreement(judged))
    assert judging.agreement(judged)["pairs"].tolist() == [6]
    alone = judged[judged["judge"] == "Ann"]
    assert judging.agreement(alone).empty
    assert judging.agreement(pd.concat([alone, judged[1::2].assign(first="other")])).empty
    assert judging.agreement(judged[:0]).empty


def test_kappa_is_missing_if_each_says_the_same_of_all():
    row = judging.agreement(of_two({("same", "same"): 5})).iloc[0]
    assert row["equal"] == 1
    assert np.isnan(row["kappa"])


def test_three_judges_are_compared_two_at_a_time():
    judged = of_two({("same", "same"): 2, ("same", "different"): 2})
    third = judged[judged["judge"] == "Bob"].assign(judge="Cyd")
    table = judging.agreement(pd.concat([judged, third]))
    assert table[["judge", "other", "equal"]].to_numpy().tolist() == [
        ["Ann", "Bob", 0.5],
        ["Ann", "Cyd", 0.5],
        ["Bob", "Cyd", 1],
    ]


@pytest.mark.slow
def test_what_was_judged_is_told_by_distance_and_judges_who_differ_are_unsure(run, file_of):
    drawn = judging.draw(run, pairs=10_000)
    drawn = drawn[drawn["distance"] == 2]
    run = judging.take(run, file_of(run, drawn, ["same"] * 3 + ["different"] * 2))
    run = judging.take(run, file_of(run, drawn[:4], ["same"] * 2 + ["different"] * 2, "Bob"))
    counts, agreement, now = judging.summary(run)
    assert counts.to_dict("records") == [
        {"hash": "dhash", "distance": 2, "of": 5, "same": 2, "different": 2, "unsure": 1}
    ]
    # by chance 3/4 x 2/4 + 1/4 x 2/4 = 1/2
    assert agreement.to_numpy().tolist() == [["Ann", "Bob", 4, 0.75, 0.5]]
    assert now["at most"].tolist() == run.about["rates"]
    table = runs.table(run, "rates").set_index("radius")
    for row in now[now["radius"] >= 0].itertuples():
        assert row.high == table["high"][row.radius]


# On the command line


@pytest.mark.slow
def test_the_command_writes_the_page_and_takes_the_decisions_in(measured, tmp_path, capsys):
    made, photos = measured
    words = ["experiment", "judge", str(made.folder)]
    assert main([*words, "--pairs", "4", "--pictures", str(photos), "--hash", "phash"]) == 0
    drawn = judging.draw(made, "phash", pairs=4)
    assert capsys.readouterr().out == (
        f"4 pairs, {drawn['distance'].min()} to {drawn['distance'].max()} bits apart by phash: open "
        f"{made.folder / 'judge.html'}, decide, download, and come back with --decisions FILE.\n"
    )
    page = re.search('data-page="([^"]+)"', (made.folder / "judge.html").read_text("utf-8"))[1]
    rows = [(page, item, "different", "") for item in drawn["item"]]
    (tmp_path / "d.csv").write_text(tables.as_csv(["page", "item", "decision", "judge"], rows))
    assert main([*words, "--decisions", str(tmp_path / "d.csv"), "--judge", "Ann"]) == 0
    counts, now = capsys.readouterr().out.strip().split("\n\n")
    lines = [line.split() for line in counts.splitlines()]
    assert lines[0] == ["hash", "distance", "of", "same", "different", "unsure"]
    assert sum(int(line[4]) for line in lines[1:]) == 4
    assert [line.split()[0] for line in now.splitlines()] == ["hash"] + ["phash"] * 3
    (made.folder / "judged.csv").unlink()


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["nowhere"], "nowhere: is no run, since it has no run.json"),
        (["{run}", "--hash", "md5"], "md5: is no hash of {run}; choose one of dhash, phash"),
        (["{run}", "--pairs", "0"], "0 pairs: are too few to judge; choose 1 or more"),
        (["{run}", "--pictures", "{tmp}"], "name their folder with --pictures"),
        (["{run}", "--judge", "Ann"], "--judge: goes with --decisions; on the page"),
        (["{run}", "--decisions", "nowhere.csv"], "nowhere.csv: cannot be read"),
        (["{run}", "--decisions", "{tmp}/empty.csv"], "empty.csv: is empty; write it again"),
        (["{run}", "--decisions", "{tmp}/other.csv"], "other.csv: has no column 'page'; download"),
        (["{run}", "--decisions", "{tmp}/page.csv"], "page.csv: line 2: was decided on another"),
        (["{run}", "--decisions", "{run}"], "cannot be read"),
        (["{run}", "--decisions", "{run}/rates.csv"], "rates.csv: has no column 'page'"),
        (["{run}", "--decisions", "d.csv", "--pairs", "9"], "--pairs: is for the page"),
        (["{run}", "--decisions", "d.csv", "--hash", "dhash"], "--hash: is for the page"),
        (["{run}", "--decisions", "d.csv", "--pictures", "{tmp}"], "--pictures: is for the page"),
        (["{run}", "--decisions", ""], "--decisions: is empty, as a variable is that is not set"),
    ],
)
def test_bad_input_is_answered_with_one_sentence(words, sentence, measured, tmp_path, capsys):
    (tmp_path / "empty.csv").touch()
    (tmp_path / "other.csv").write_text("first,second,verdict\na,b,same\n")
    (tmp_path / "page.csv").write_text("page,item,decision,judge\npage 1,x,same,Ann\n")
    places = {"{run}": str(measured[0].folder), "{tmp}": str(tmp_path)}
    for short, place in places.items():
        words = [word.replace(short, place) for word in words]
        sentence = sentence.replace(short, place)
    assert main(["experiment", "judge", *words]) == 2
    error = capsys.readouterr().err
    assert sentence in error
    assert error.count("\n") == 1


@pytest.mark.parametrize(
    ("name", "text", "sentence"),
    [
        (
            "near_pairs.csv",
            "hash,first\n",
            "near_pairs.csv: is damaged (columns hash, first); make the run anew",
        ),
        (
            "near_pairs.csv",
            "hash,first,second,distance,kind\ndhash,a,b,1,\n",
            "near_pairs.csv: is damaged; make the run anew",
        ),
        (
            "near_pairs.csv",
            "hash,first,second,distance,kind\ndhash,00.png,01.png,x,\n",
            "near_pairs.csv: is damaged (Unable to parse string 'x'",
        ),
        ("judged.csv", "first,second\n", "is damaged"),
        ("judge.html", "Dear Ann", "is there already and is no page of decisions"),
    ],
)
def test_what_is_wrong_in_the_runs_folder_is_told_in_one_sentence(
    name, text, sentence, tmp_path, capsys
):
    made = small_run(folder_of_pictures(tmp_path / "photos", 3), tmp_path / "run")
    (made.folder / name).write_text(text)
    assert main(["experiment", "judge", str(made.folder)]) == 2
    error = capsys.readouterr().err
    assert sentence in error
    assert error.count("\n") == 1


def test_a_set_without_near_pairs_has_nothing_to_judge(tmp_path, capsys):
    made = small_run(folder_of_pictures(tmp_path / "photos", 1), tmp_path / "run")
    assert main(["experiment", "judge", str(made.folder)]) == 2
    assert "has no near pairs by dhash, so there is nothing to judge" in capsys.readouterr().err
