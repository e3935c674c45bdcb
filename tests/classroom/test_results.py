"""Numbers that are kept, written down and compared."""

import course
import pytest

from helpers.classroom import results


def test_each_kept_number_belongs_to_a_chapter():
    assert set(results.kept()["chapter"]) <= {chapter.id for chapter in course.chapters()}


def test_kept_numbers_have_a_meaning_each():
    kept = results.kept()
    assert kept["name"].is_unique
    assert kept["meaning"].is_unique
    assert (kept[["chapter", "value", "meaning"]] != "").all(axis=None)


def test_a_run_is_compared_with_the_kept_numbers(tmp_path, monkeypatch):
    file = tmp_path / "numbers.jsonl"
    monkeypatch.setenv(results.RESULTS_FILE, str(file))
    for row in results.kept().itertuples():
        results.beside_caltech({row.name: row.value})
    assert results.differences(file) == []
    results.beside_caltech({"images": 9143})
    assert results.differences(file) == ["images: 9143 in this run, 9144 in the table"]
    file.write_text("", encoding="utf-8")
    assert len(results.differences(file)) == len(results.kept())


@pytest.mark.parametrize("value, text", [(0.74833, "0.748"), (3, "3"), ("2 4 1", "2 4 1")])
def test_numbers_are_shown_with_three_decimals(value, text):
    assert results.beside_caltech({"new": value})["this run"].tolist() == [text]
