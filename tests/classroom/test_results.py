"""Numbers that are kept, written down and compared; and those that learners guess."""

from fractions import Fraction
from types import SimpleNamespace

import course
import numpy as np
import pandas as pd
import pytest

from helpers.classroom import results


def test_each_kept_number_belongs_to_a_chapter():
    assert set(results.kept()["chapter"]) <= {chapter.id for chapter in course.chapters()}


def test_kept_numbers_have_a_meaning_each():
    kept = results.kept()
    assert kept["name"].is_unique
    assert kept["meaning"].is_unique
    assert (kept[["chapter", "value", "meaning"]] != "").all(axis=None)


@pytest.fixture
def nothing_noted(monkeypatch):
    # private, because a chapter has a kernel of its own, and tests share one
    monkeypatch.setattr(results, "_NOTED", {})


def shown(**numbers):
    results._NOTED.clear()  # private: as a new kernel does
    for name, value in numbers.items():
        results.note(name, value)
    return results.show("haystack", "sample")


@pytest.mark.usefixtures("nothing_noted")
def test_a_run_is_compared_with_the_kept_numbers(tmp_path, monkeypatch):
    file = tmp_path / "numbers.jsonl"
    monkeypatch.setenv(results.RESULTS_FILE, str(file))
    for row in results.kept().itertuples():
        shown(**{row.name: row.value})
    assert results.differences(file) == []
    shown(images=9143)
    assert results.differences(file) == ["images: 9143 in this run, 9144 in the table"]
    file.write_text("", encoding="utf-8")
    assert len(results.differences(file)) == len(results.kept())


@pytest.mark.usefixtures("nothing_noted")
@pytest.mark.parametrize("value, text", [(0.74833, "0.748"), (3, "3"), ("2 4 1", "2 4 1")])
def test_numbers_are_shown_with_three_decimals(value, text):
    assert shown(new=value)["this run"].tolist() == [text]


def as_measured(chapter):
    kept = results.kept().set_index("name")
    return kept["value"][kept["chapter"] == chapter].to_dict()


@pytest.mark.usefixtures("nothing_noted")
def test_noted_numbers_are_shown_in_order_and_written_down(tmp_path, monkeypatch, capsys):
    file = tmp_path / "numbers.jsonl"
    monkeypatch.setenv(results.RESULTS_FILE, str(file))
    for chapter in sorted(set(results.kept()["chapter"])):
        results._NOTED.clear()  # private: as a new kernel does
        for name, value in as_measured(chapter).items():
            assert results.note(name, value) is None
        table = results.show(chapter, "caltech-101")
        assert table["this run"].tolist() == table["CALTECH-101"].tolist()
        assert table["this run"].tolist() == list(as_measured(chapter).values())
    assert results.differences(file) == []
    assert capsys.readouterr().out == ""


@pytest.mark.usefixtures("nothing_noted")
def test_a_cell_that_runs_twice_replaces_its_number(tmp_path, monkeypatch):
    monkeypatch.setenv(results.RESULTS_FILE, str(tmp_path / "numbers.jsonl"))
    for images in (1, 2):
        results.note("images", images)
        results.note("categories", 102)
    assert results.show("haystack", "sample")["this run"].tolist() == ["2", "102"]
    assert results.show("haystack", "sample")["this run"].tolist() == ["2", "102"]
    assert "images: 2 in this run, 9144 in the table" in results.differences(
        tmp_path / "numbers.jsonl"
    )


@pytest.mark.usefixtures("nothing_noted")
def test_it_is_told_where_numbers_are_from_and_which_are_unknown_or_absent(capsys):
    known = as_measured("haystack")
    for name in list(known)[1:]:
        results.note(name, known[name])
    results.note("my own number", np.float32(0.5), SimpleNamespace(name="photos-1a2b3c"))
    results.note("share_equal", 1.0, "CALTECH-101's fingerprints")
    table = results.show("haystack", SimpleNamespace(name="sample"))
    assert capsys.readouterr().out.splitlines() == [
        "Not among the kept numbers of the chapter 'haystack': my own number, share_equal",
        f"Not noted in this run: {next(iter(known))}",
    ]
    others = len(known) - 1
    assert table["from"].tolist() == [
        *["sample"] * others,
        *("photos-1a2b3c", "CALTECH-101's fingerprints"),
    ]
    assert table.loc["my own number"].tolist() == ["0.500", "photos-1a2b3c", "-"]


@pytest.mark.parametrize(
    "guess, result, unit, second",
    [
        (100, 35, "pairs", "35 pairs (65 apart, a factor of 2.9)"),
        (10**6, np.int64(41_801_796), "", "41,801,796 (40,801,796 apart, a factor of 41.8)"),
        (300, np.uint8(200), "", "200 (100 apart)"),
        (0.7, 0.748, "of the copies", "0.748 of the copies (0.048 apart)"),
        (0, 0.748, "", "0.748 (0.748 apart)"),
        (-3, 3, "", "3 (6 apart)"),
        (0.01, 8.4e-7, "", "8.4e-07 (0.01 apart, a factor of 11,904.8)"),
        (2, np.int64(2), "bits", "2 bits (as you guessed)"),
        (2.0, np.int64(2), "bits", "2 bits (as you guessed)"),
        ("Mirrored", "mirrored", "", "mirrored (as you guessed)"),
        ("cropped", "mirrored", "", "mirrored"),
        ("50 %", 0.748, "", "0.748"),
        (None, 3, "", "3"),
        (False, True, "", "True"),
    ],
)
def test_a_guess_stands_beside_the_result(guess, result, unit, second, capsys):
    results.compare(guess, result, unit)
    first, under = capsys.readouterr().out.splitlines()
    assert first.startswith("your guess   ")
    assert under == f"the result   {second}"


def test_without_a_guess_the_chapter_goes_on_and_says_how_to_guess(capsys):
    results.compare(..., 35, "pairs")
    first, under = capsys.readouterr().out.splitlines()
    assert "write it in place of ... above" in first
    assert under == "the result   35 pairs"


@pytest.mark.parametrize(
    "guesses, printed, shown",
    [
        (["same", "different"], "2 of 2 right", ["same", "different"]),
        (["different", " Different"], "1 of 2 right", ["different", "different"]),
        (..., "none yet: write 2 words", ["-", "-"]),
        (["same"], "1 of them: write 2 words", ["-", "-"]),
        ("same", "none yet: write 2 words", ["-", "-"]),
    ],
)
def test_each_guess_of_a_list_stands_beside_its_result(guesses, printed, shown, capsys):
    found = pd.DataFrame({"truth": ["same", "different"], "second look": ["same", "same"]})
    table = results.compare_each(guesses, found)
    assert printed in capsys.readouterr().out
    assert table.columns.tolist() == ["your guess", "truth", "second look"]
    assert table["your guess"].tolist() == shown
    assert found.columns.tolist() == ["truth", "second look"]


@pytest.mark.parametrize(
    ("guess", "result", "told"),
    [
        (10**400, 35, "your guess   about 10^400 pairs\nthe result   35 pairs"),
        (10**5000, 0.5, "your guess   about 10^5000 pairs\nthe result   0.500 pairs"),
        (Fraction(10**400, 3), 2, "your guess   about 10^400 pairs\nthe result   2 pairs"),
        (Fraction(1, 4), 0.5, "your guess   0.250 pairs\nthe result   0.500 pairs (0.250 apart,"),
        (5, float("nan"), "your guess   5 pairs\nthe result   (there is nothing to count)"),
        (..., float("nan"), "your guess   (none yet"),
    ],
    ids=str.split("huge huger huge-share share nothing none"),
)
def test_odd_guesses_and_results_are_told_in_words(guess, result, told, capsys):
    results.compare(guess, result, "pairs")
    assert capsys.readouterr().out.startswith(told)


def test_what_could_not_be_counted_is_a_dash_in_the_table(monkeypatch):
    monkeypatch.setattr(results, "_NOTED", {})  # what other tests have noted
    for name, value in (("images", float("nan")), ("categories", None)):
        results.note(name, value)
    assert results.show("haystack", "photos")["this run"].tolist() == ["-", "-"]
