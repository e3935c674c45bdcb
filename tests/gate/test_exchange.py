"""Entries as a CSV file: they come back as they were."""

import csv
import random
import re

import numpy as np
import pytest
from banks import HEADER, KEY, TEXTS, TIME, Bank, near_a_centre

from helpers import Problem

# A reader must not see "Exception ignored in ..." either.
pytestmark = pytest.mark.filterwarnings("error::pytest.PytestUnraisableExceptionWarning")


# As a text file


def test_csv_is_written_as_said(opened, tmp_path):
    opened.flag(np.uint64(KEY), "=1+1", 'the "letter"')
    opened.flag(np.uint64(KEY), "withdrawn")
    opened.unflag(2, "a mistake")
    file = tmp_path / "new" / "banned.csv"
    assert opened.write_csv(file) == 1
    moment = opened.entries()["time"][0]
    assert file.read_bytes().decode() == (
        '"fingerprint","reason","source","time","made_with"\n'
        f'"3c3c3e0f8ececdc9","\'=1+1","the ""letter""","{moment}","dhash 8 background=white fast=False rotate=True 16-bits=2 colour-profile=2"\n'
    )
    assert [place.name for place in file.parent.iterdir()] == ["banned.csv"]


def test_entries_of_a_bank_that_reads_otherwise_are_refused(path, tmp_path):
    with Bank(path) as opened, Bank(tmp_path / "other.bank", rotate=False) as other:
        other.flag(np.uint64(KEY), "banned")
        other.write_csv(tmp_path / "banned.csv")
        with pytest.raises(
            Problem,
            match=r"line 2: was made with 'dhash 8 .*rotate=False 16-bits=2 colour-profile=2', and this",
        ):
            opened.read_csv(tmp_path / "banned.csv")
        assert len(opened) == 0
        text = (tmp_path / "banned.csv").read_text(encoding="utf-8")
        (tmp_path / "banned.csv").write_text(re.sub('"dhash.*"', '""', text), encoding="utf-8")
        assert opened.read_csv(tmp_path / "banned.csv") == 1  # whoever says so knows it


def test_csv_goes_round(path, tmp_path):
    rng = random.Random(8)
    with Bank(path) as opened, Bank(tmp_path / "other.bank") as other:
        for number in range(100):
            texts = rng.sample(TEXTS[:-1], 2)
            opened.flag(np.uint64(near_a_centre(rng)), f"{texts[0]} {number}", texts[1])
        opened.write_csv(tmp_path / "banned.csv")
        assert other.read_csv(tmp_path / "banned.csv") == 100
        assert other.entries().equals(opened.entries())
        for again in (opened, other):
            assert again.read_csv(tmp_path / "banned.csv") == 0
            assert len(again) == 100
        other.write_csv(tmp_path / "again.csv")
        assert (tmp_path / "again.csv").read_bytes() == (tmp_path / "banned.csv").read_bytes()


def write_rows(file, *rows, end="\n", encoding="utf-8"):
    file.write_bytes("".join(f"{row}{end}" for row in (HEADER, *rows)).encode(encoding))
    return file


GOOD = f"{KEY:016x},banned,a letter,{TIME}"


def test_rows_that_are_the_same_are_taken_once(opened, tmp_path):
    others = [
        f"{KEY + 1:016x},banned,a letter,{TIME}",
        f"{KEY:016x},banned twice,a letter,{TIME}",
        f"{KEY:016x},banned,another letter,{TIME}",
        f"{KEY:016x},banned,a letter,{TIME.replace('2024', '2025')}",
    ]
    same = [GOOD.upper().replace("BANNED,A LETTER", "banned,a letter")]
    same += [f"{KEY:016x},banned,a letter,2024-05-03T14:00:00+02:00"]
    file = write_rows(tmp_path / "banned.csv", GOOD, *others, *same, GOOD)
    assert opened.read_csv(file) == 5
    assert opened.read_csv(file) == 0
    later = GOOD.replace("2024", "2026")
    assert opened.read_csv(write_rows(tmp_path / "later.csv", later, later)) == 1
    opened.unflag(6, "to compare the others")
    assert opened.entries()["time"].tolist() == [TIME] * 4 + [TIME.replace("2024", "2025")]
    assert opened.ask(np.uint64(KEY))[3:6] == ("banned", "a letter", TIME)


def test_what_was_withdrawn_here_stays_withdrawn(opened, tmp_path):
    file = write_rows(tmp_path / "banned.csv", f"{KEY:016x},banned,,{TIME}")
    assert opened.read_csv(file) == 1
    opened.unflag(1, "not here")
    assert opened.read_csv(file) == 0
    assert opened.ask(np.uint64(KEY)).verdict == "allow"


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig"])
def test_line_ends_and_marks_of_other_systems(end, encoding, opened, tmp_path):
    row = f'{KEY:016x},"two\nlines, ä",,{TIME}'
    file = write_rows(tmp_path / "banned.csv", row, "", row, end=end, encoding=encoding)
    assert opened.read_csv(file) == 1
    assert opened.ask(np.uint64(KEY)).reason == "two\nlines, ä"


def test_a_text_that_only_begins_with_a_mark_keeps_it(opened, tmp_path):
    file = write_rows(tmp_path / "banned.csv", f"{KEY:016x},'tis banned,'=1,{TIME}")
    opened.read_csv(file)
    assert opened.ask(np.uint64(KEY))[3:5] == ("'tis banned", "=1")


BROKEN = {
    "few": (f"{KEY:016x},banned,{TIME}", "has 3 values, not 4"),
    "many": (f"{KEY:016x},banned, and more,a letter,{TIME}", "has 5 values, not 4"),
    "number": (f"3.95E+18,banned,,{TIME}", "'3.95E+18' is not a fingerprint"),
    "short": (f"{KEY:015x}"[:15] + f",banned,,{TIME}", "is not a fingerprint"),
    "long": (f"{KEY:017x},banned,,{TIME}", "is not a fingerprint"),
    "digits": (f"{'g' * 16},banned,,{TIME}", "is not a fingerprint; it takes 16 hex digits"),
    "wide digits": ("\uff13" * 16 + f",banned,,{TIME}", "is not a fingerprint"),
    "blank": (f" {KEY:015x},banned,,{TIME}", "is not a fingerprint"),
    "nothing": (f"{0:016x},banned,,{TIME}", "says nothing"),
    "reason": (f"{KEY:016x},,a letter,{TIME}", "the reason is empty"),
    "mark": (f"{KEY:016x},'\n,,{TIME}", "has 2 values"),
    "long reason": (f"{KEY:016x},{'x' * 10_001},,{TIME}", "has 10001 letters"),
    "huge reason": (f"{KEY:016x},{'x' * 200_000},,{TIME}", "field larger than field limit"),
    "zero": (f"{KEY:016x},a\0b,,{TIME}", "zero character"),
    "no time": (f"{KEY:016x},banned,,", "'' is no time"),
    "no zone": (f"{KEY:016x},banned,,2024-05-03T12:00:00", "is no time"),
    "another time": (f"{KEY:016x},banned,,03.05.2024 12:00", "is no time"),
    "early": (f"{KEY:016x},banned,,0001-01-01T00:00:00+05:00", "is no time"),
    "open quote": (f'{KEY:016x},"banned,,{TIME}', "unexpected end of data"),
    "after quote": (f'{KEY:016x},"banned"!,,{TIME}', "expected after"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_row_is_named_and_none_is_taken(name, opened, tmp_path):
    row, sentence = BROKEN[name]
    good = f'{KEY:016x},"of\nthree\nlines",,{TIME}'
    after = [] if "quote" in name else [GOOD]
    file = write_rows(tmp_path / "banned.csv", GOOD, good, "", row, *after)
    with pytest.raises(Problem, match=rf"banned\.csv: line 7: .*{re.escape(sentence)}") as problem:
        opened.read_csv(file)
    assert "\n" not in str(problem.value)
    assert len(opened) == 0
    if name == "nothing":
        assert opened.read_csv(file, anyway=True) == 3


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"", "is empty"),
        (b"\n\n", "line 1: its columns are not fingerprint,reason,source,time"),
        (HEADER.replace(",", "|").encode(), "line 1: its columns are not"),
        (b"fingerprint,reason,source\n", "line 1: its columns are not"),
        (b"reason,fingerprint,source,time\n", "line 1: its columns are not"),
        (f"{HEADER}\n{GOOD}\nGr\xfc\xdfe".encode("latin-1"), "line 3: is not UTF-8 text"),
        (f"{HEADER}\n".encode("utf-16"), "line 1: is not UTF-8 text"),
        (b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", "line 1: is not UTF-8 text"),
    ],
)
def test_what_is_no_csv_of_a_bank_is_one_sentence(content, sentence, opened, tmp_path):
    (tmp_path / "banned.csv").write_bytes(content)
    with pytest.raises(Problem, match=rf"banned\.csv: {sentence}"):
        opened.read_csv(tmp_path / "banned.csv")


def test_a_csv_that_cannot_be_read_or_written_is_one_sentence(opened, tmp_path, path):
    opened.flag(np.uint64(KEY), "banned")
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").write_text("a file")
    for place in (tmp_path / "nowhere.csv", tmp_path / "folder", tmp_path / "file" / "banned.csv"):
        with pytest.raises(Problem, match=f"{place.name}: cannot be read"):
            opened.read_csv(place)
    for place, reason in (
        (tmp_path / "folder", "is a folder; name a file in it"),
        (tmp_path / "file" / "banned.csv", "could not be written"),
    ):
        with pytest.raises(Problem, match=f"{place.name}: {reason}"):
            opened.write_csv(place)
    before = path.read_bytes()
    with pytest.raises(Problem, match="is the same file as"):
        opened.write_csv(path.parent / "folder" / ".." / path.name)
    assert path.read_bytes() == before
    assert not [place for place in tmp_path.rglob(".*")]


def test_an_empty_bank_goes_round_too(opened, tmp_path):
    assert opened.write_csv(tmp_path / "banned.csv") == 0
    assert opened.read_csv(tmp_path / "banned.csv") == 0


def test_a_spreadsheet_sees_no_formula(opened, tmp_path):
    for text in TEXTS:
        opened.flag(np.uint64(KEY), text, text)
    opened.write_csv(tmp_path / "banned.csv")
    with (tmp_path / "banned.csv").open(newline="", encoding="utf-8") as file:
        cells = [cell for row in csv.reader(file) for cell in row]
    assert not [cell for cell in cells if cell.startswith(tuple("=+-@\t\r\n"))]
