"""The bank of banned pictures: what the gate answers, what survives, what is refused."""

import csv
import errno
import itertools
import json
import multiprocessing
import os
import random
import re
import shutil
import sqlite3
import subprocess
import sys
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import datetime, timedelta
from functools import partial
from importlib.metadata import version
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from helpers import Problem
from helpers.__main__ import main
from helpers.fingerprints import flat, hashes
from helpers.gate import bank, log
from helpers.gate.bank import Answer

# A reader must see no "Exception ignored in ..." either.
pytestmark = pytest.mark.filterwarnings("error::pytest.PytestUnraisableExceptionWarning")

NO_LINKS = pytest.mark.skipif(os.name == "nt", reason="links need rights there")
Bank = partial(bank.Bank, make=True)  # in most tests there is none yet

KEY = 0x3C3C3E0F8ECECDC9

spawn = multiprocessing.get_context("spawn")
# A server that has imported everything once makes a new process in a few hundredths of a second.
quick = multiprocessing.get_context(
    "forkserver" if "forkserver" in multiprocessing.get_all_start_methods() else "spawn"
)
if quick.get_start_method() == "forkserver":
    quick.set_forkserver_preload(["helpers.gate.bank", "pytest"])


@pytest.fixture
def path(tmp_path):
    return tmp_path / "banned.bank"


@pytest.fixture
def opened(path):
    """An empty bank."""
    with Bank(path) as opened:
        yield opened


@pytest.fixture
def small_parts(monkeypatch):
    """An index from the first few entries on, so that a test of some hundred meets every part of a search."""
    monkeypatch.setattr(bank, "_TAIL", 10)


def flipped(rng, value, bits):
    for bit in rng.sample(range(64), bits):
        value ^= 1 << bit
    return value


CENTRES = [random.Random(number).getrandbits(64) for number in range(4)]


def near_a_centre(rng, bits=6):
    """A fingerprint among others like it, so that answers have ties, neighbours and twins."""
    return flipped(rng, rng.choice(CENTRES), rng.randint(0, bits))


def right_answer(in_force, query, block, review):
    """The verdict, distance and entry, by comparing with every entry of a dictionary from number to fingerprint."""
    distance, entry = min(
        (((value ^ query).bit_count(), entry) for entry, value in in_force.items()),
        default=(65, None),
    )
    if distance > review:
        return "allow", None, None
    return "block" if distance <= block else "review", distance, entry


def log_of(path):
    """The log as SQLite has it, whatever `Bank` thinks of it: (id, action, entry, fingerprint, reason)."""
    with closing(sqlite3.connect(path)) as raw:
        rows = raw.execute("SELECT id, action, entry, fingerprint, reason FROM events ORDER BY id")
        return [(*row[:3], int(row[3], 16), row[4]) for row in rows]


def in_force_after(log):
    """The entries in force, number to fingerprint, after some lines of a log."""
    in_force = {}
    for _, action, entry, value, _ in log:
        if action == "flag":
            in_force[entry] = value
        else:
            del in_force[entry]
    return in_force


def is_whole(path):
    with closing(sqlite3.connect(path)) as raw:
        return raw.execute("PRAGMA integrity_check").fetchall() == [("ok",)]


# What it answers


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(4))
def test_it_equals_comparing_with_every_entry(seed, path, small_parts):
    """A random sequence of everything that one can do, through two banks on one file, either of which may be opened anew."""
    rng, in_force, reasons, last = random.Random(seed), {}, {}, 0
    banks, asked = [Bank(path), Bank(path)], Counter()
    try:
        for step in range(500):
            which = rng.randrange(2)
            opened, choice, reason = banks[which], rng.random(), f"step {step}"
            if choice < 0.15:
                value = near_a_centre(rng)
                last += 1
                assert opened.flag(np.uint64(value), reason, "one") == last
                in_force[last], reasons[last] = value, (reason, "one")
            elif choice < 0.2:
                values = [near_a_centre(rng) for _ in range(rng.randrange(30))]
                numbers = opened.flag_many(np.array(values, dtype=np.uint64), reason, "many")
                assert numbers == range(last + 1, last + 1 + len(values))
                in_force |= dict(zip(numbers, values, strict=True))
                reasons |= dict.fromkeys(numbers, (reason, "many"))
                last += len(values)
            elif choice < 0.35 and in_force:
                entry = rng.choice(list(in_force))
                opened.unflag(entry, reason)
                del in_force[entry]
                last += 1  # the withdrawal has its own line in the log
            elif choice < 0.37:
                opened.close()
                banks[which] = Bank(path)
            else:
                block = rng.choice([0, 1, 2, 5, 64])
                review = rng.choice([radius for radius in (0, 2, 8, 20, 64) if radius >= block])
                query = near_a_centre(rng, 12)
                answer = opened.ask(np.uint64(query), block=block, review=review)
                right = right_answer(in_force, query, block, review)
                assert answer[:3] == right
                assert answer[3:5] == reasons.get(right[2], ("", ""))
                asked[answer.verdict] += 1
        for opened in banks:
            table = opened.entries()
            assert dict(zip(table["entry"], table["fingerprint"].map(int), strict=True)) == in_force
            assert len(opened) == len(in_force)
    finally:
        for opened in banks:
            opened.close()
    assert min(asked[verdict] for verdict in ("allow", "review", "block")) > 20, asked


def test_more_entries_than_are_scanned_one_by_one(path):
    """The same with the sizes that are real: an index, a tail that was flagged since, and entries withdrawn from both."""
    rng = np.random.default_rng(7)
    values = rng.integers(0, 2**64, 50_000, dtype=np.uint64)
    values = values[~flat.says_nothing(values)]
    with Bank(path) as opened:
        opened.flag_many(values[:40_000], "first")
        assert opened.ask(values[0])[:3] == ("block", 0, 1)
        opened.flag_many(values[40_000:], "second")
        for row in (5, 41_000):
            opened.unflag(row + 1, "a mistake")
            assert opened.ask(values[row]).verdict == "allow"
        for row in (6, 41_001):
            assert opened.ask(values[row] ^ np.uint64(0b11))[:3] == ("block", 2, row + 1)
        assert opened.ask(values[6] ^ np.uint64(0xFF))[:3] == ("review", 8, 7)
        assert opened.ask(values[6] ^ np.uint64(0x1FF)).verdict == "allow"


@pytest.mark.parametrize(
    ("bits", "verdict"), [(0, "block"), (2, "block"), (3, "review"), (8, "review"), (9, "allow")]
)
def test_the_two_radii(bits, verdict, opened):
    entry = opened.flag(np.uint64(KEY), "why", "whence")
    answer = opened.ask(np.uint64(KEY ^ (2**bits - 1)))
    moment = opened.entries()["time"][0]
    if verdict == "allow":
        assert answer == Answer("allow", None, None, "", "", "")
    else:
        assert answer == Answer(verdict, bits, entry, "why", "whence", moment)


def test_of_equally_near_entries_the_lowest_is_named(opened, small_parts):
    for bit in range(20):  # more than stay in the tail
        opened.flag(np.uint64(KEY ^ 1 << bit), f"bit {bit}")
        assert opened.ask(np.uint64(KEY)).entry == 1
    opened.unflag(1, "enough")
    assert opened.ask(np.uint64(KEY)).entry == 2


def test_of_several_entries_all_are_withdrawn_or_none(opened):
    first, second = opened.flag_many(np.full(2, KEY, dtype=np.uint64), "banned")
    for wrong in ([first, 99], [first, first], [first, "2"]):
        with pytest.raises(Problem, match=r"no entry 99|withdrawn already|whole number"):
            opened.unflag(wrong, "a mistake")
        assert len(opened) == 2
    opened.unflag(np.array([first, second]), "a mistake")
    assert opened.ask(np.uint64(KEY)).verdict == "allow"


@pytest.mark.skipif(
    sys.platform == "win32", reason="there locks belong to open files, not to processes"
)
def test_the_bank_is_never_opened_as_a_picture_or_list(opened, path, photographs):
    """To close a file ends all locks that this process has on it, and with them what SQLite relies on."""
    link = path.with_name("link.jpg")
    link.symlink_to(path)
    good = photographs / "cats" / "image_0001.jpg"
    for name in (path, str(path), link):
        for refused in (
            opened.ask,
            opened.fingerprint,
            opened.read_csv,
            lambda one: opened.flag(one, "x"),
        ):
            with pytest.raises(Problem, match="is the bank itself"):
                refused(name)
        answers = opened.ask_many([good, name], workers=1)
        assert [answer.verdict for answer in answers] == ["allow", "unreadable"]
        assert "is the bank itself" in answers[1].reason


def test_of_equal_pictures_one_may_be_withdrawn(opened):
    first, second = opened.flag(np.uint64(KEY), "one"), opened.flag(np.uint64(KEY), "two")
    opened.unflag(first, "a mistake")
    assert opened.ask(np.uint64(KEY))[2:4] == (second, "two")
    opened.unflag(second, "that too")
    assert opened.ask(np.uint64(KEY)).verdict == "allow"
    assert opened.flag(np.uint64(KEY), "after all") == 5, "the numbers of lines are not used again"
    assert opened.ask(np.uint64(KEY)).entry == 5


@pytest.mark.parametrize(
    ("block", "review"), [(-1, 8), (0, 65), (3, 2), (2.0, 8), (2, None), (True, 8), ("2", 8)]
)
def test_radii_that_are_none_are_refused(block, review, opened):
    for ask in (opened.ask, lambda query, **radii: opened.ask_many([query], **radii)):
        with pytest.raises(
            Problem, match=r"whole number of bits from 0 to 64|give the smaller one"
        ):
            ask(np.uint64(KEY), block=block, review=review)


def test_the_index_is_built_anew_only_when_the_tail_has_grown(path, monkeypatch):
    built = []

    class Counted(bank.MultiIndexHashing):
        def __init__(self, values, radius):
            built.append(len(values))
            super().__init__(values, radius)

    monkeypatch.setattr(bank, "MultiIndexHashing", Counted)
    monkeypatch.setattr(bank, "_TAIL", 10)
    values = np.random.default_rng(3).integers(0, 2**64, 1_000, dtype=np.uint64)
    with Bank(path) as opened:
        opened.flag_many(values, "a list", anyway=True)
        opened.ask(np.uint64(KEY))
        for step in range(250):
            opened.flag(np.uint64(flipped(random.Random(step), KEY, 20)), "one more")
            opened.ask(np.uint64(KEY))
    assert built == [1_000, 1_101, 1_212], "each time a tenth more"


def test_an_answer_reads_only_what_is_new(opened):
    values = np.random.default_rng(1).integers(0, 2**64, 300, dtype=np.uint64)
    opened.flag_many(values, "a list", anyway=True)
    opened.ask(np.uint64(KEY))
    opened.flag(np.uint64(KEY), "one more")
    statements = []
    opened._connection.set_trace_callback(statements.append)
    assert opened.ask(np.uint64(KEY)).entry == 301
    opened._connection.set_trace_callback(None)
    assert [line for line in statements if "ORDER BY" in line] == [
        "SELECT id, action, entry, fingerprint FROM events WHERE id >= 300 ORDER BY id"
    ]


# Pictures


def test_a_picture_is_a_file_an_image_or_a_fingerprint(opened, photographs, photograph):
    file = photographs / "cats" / "image_0001.jpg"
    value = hashes.of_file(file)
    entry = opened.flag(file, "banned", "a letter")
    assert opened.fingerprint(file) == value == opened.entries()["fingerprint"][0]
    for picture in (file, str(file), Image.open(file), value, int(value)):
        assert opened.ask(picture)[:3] == ("block", 0, entry)
    smaller = Image.open(file).resize((60, 40))
    assert opened.ask(smaller).verdict == "block"
    assert opened.ask(photograph(99)).verdict == "allow"
    assert opened.flag(photograph(99), "banned too") == 2
    assert opened.ask(photograph(99)).entry == 2


@pytest.mark.parametrize("picture", [None, b"\xff\xd8", 1.5, [KEY], "", -1, 2**64, np.int64(-1)])
def test_what_is_no_picture_is_one_sentence(picture, opened):
    for use in (opened.ask, lambda picture: opened.flag(picture, "banned")):
        with pytest.raises(Problem) as problem:
            use(picture)
        assert "\n" not in str(problem.value)
    assert [answer.verdict for answer in opened.ask_many([picture, KEY])] == ["unreadable", "allow"]
    assert len(opened) == 0


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "is empty"),
        (b"no picture", "is not an image that Pillow can read"),
        (b"\x00\x00\x00\x18ftypheic" + bytes(30), "HEIC picture|could not be decoded"),
        (b"\xff\xd8\xff\xe0 no more than a beginning", "is not an image|ends before|decoded"),
    ],
)
def test_an_upload_that_cannot_be_read_raises_so_that_the_caller_decides(
    content, reason, opened, tmp_path
):
    upload = tmp_path / "upload.heic"
    upload.write_bytes(content)
    for use in (opened.ask, lambda picture: opened.flag(picture, "banned")):
        with pytest.raises(Problem, match=f"upload.heic: .*({reason})"):
            use(upload)
    (answer,) = opened.ask_many([upload])
    assert answer[:3] == ("unreadable", None, None)
    assert re.search(reason, answer.reason)


def test_an_image_that_pillow_cannot_decode_is_one_sentence(opened, photographs, tmp_path):
    file = tmp_path / "cut.jpg"
    file.write_bytes((photographs / "cats" / "image_0000.jpg").read_bytes()[:700])
    with Image.open(file) as lazy, pytest.raises(Problem, match="could not be decoded"):
        opened.ask(lazy)


def test_ask_many_stops_at_nothing_and_keeps_the_order(opened, photographs, photograph):
    files = sorted(photographs.rglob("*.jpg"))
    (photographs / "broken.jpg").write_bytes(b"no picture")
    opened.flag(files[2], "banned")
    pictures = [files[0], photographs / "broken.jpg", files[2], KEY, photograph(2), "nowhere.png"]
    answers = opened.ask_many(iter(pictures))
    verdicts = ["allow", "unreadable", "block", "allow", "block", "unreadable"]
    assert [answer.verdict for answer in answers] == verdicts
    assert "nowhere.png: no such file" in answers[5].reason
    assert opened.ask_many(pictures, workers=2) == answers
    assert opened.ask_many([]) == []


def test_ask_many_takes_an_array_and_the_radii(opened):
    opened.flag(np.uint64(KEY), "banned")
    queries = np.array([KEY, KEY ^ 0b1111, KEY ^ 0b11], dtype=np.uint64)
    answers = opened.ask_many(queries, block=1, review=3)
    assert [answer.verdict for answer in answers] == ["block", "allow", "review"]
    assert answers == [opened.ask(query, block=1, review=3) for query in queries]


def test_of_an_animation_the_first_frame_is_looked_at(opened, photograph, tmp_path):
    frames = [photograph(seed).convert("L") for seed in (1, 2)]
    frames[0].save(tmp_path / "two.gif", save_all=True, append_images=frames[1:])
    opened.flag(photograph(1), "the first frame")
    assert opened.ask(tmp_path / "two.gif").verdict == "block"
    opened.unflag(1, "to try the second")
    opened.flag(photograph(2), "the second frame")
    assert opened.ask(tmp_path / "two.gif").verdict == "allow"


def test_a_panorama_of_50_million_pixels(opened, photograph, tmp_path):
    small = photograph(5, size=(1000, 500))
    small.resize((10_000, 5_000)).save(tmp_path / "panorama.jpg")
    opened.flag(small, "banned")
    assert opened.ask(tmp_path / "panorama.jpg").verdict == "block"


# Pictures that say nothing


def plain_pictures():
    grey = np.linspace(40, 200, 300).astype(np.uint8)
    return {
        "white": Image.new("RGB", (300, 200), "white"),
        "blue": Image.new("RGB", (640, 480), "navy"),
        "downwards": Image.fromarray(np.tile(grey[:, None], (1, 300))),
        "to the right": Image.fromarray(np.tile(grey, (300, 1))),
        "to the left": Image.fromarray(np.tile(grey[::-1], (300, 1))),
    }


@pytest.mark.parametrize("name", plain_pictures())
def test_a_picture_that_says_nothing_is_flagged_only_if_one_insists(name, opened, tmp_path):
    picture = plain_pictures()[name]
    picture.save(tmp_path / "plain.png")
    for plain, sentence in (
        (picture, "the picture: its fingerprint .* says nothing"),
        (tmp_path / "plain.png", r"plain\.png: its fingerprint .* says nothing"),
        (hashes.of_image(picture), "says nothing"),
    ):
        with pytest.raises(Problem, match=sentence):
            opened.flag(plain, "banned")
    assert len(opened) == 0
    opened.flag(picture, "banned", anyway=True)
    assert opened.ask(picture).verdict == "block"


def test_the_bits_at_which_a_fingerprint_begins_to_say_something():
    few = np.array([(1 << bits) - 1 for bits in range(65)], dtype=np.uint64)
    says = (~flat.says_nothing(few)).nonzero()[0]
    assert says.tolist() == list(range(flat.NOTHING + 1, 64 - flat.NOTHING))
    assert flat.says_nothing(np.uint64(0)), "one is enough"


def test_no_plain_picture_is_held_back_because_of_what_may_be_flagged(opened):
    """What is taken is just out of reach of the default radii, and what is within their reach is not taken."""
    for value in (2**bank.REVIEW - 1, 2**64 - 2**bank.REVIEW):
        with pytest.raises(Problem, match="says nothing"):
            opened.flag(np.uint64(value), "banned")
    opened.flag(np.uint64(2 ** (bank.REVIEW + 1) - 1), "banned")
    opened.flag(np.uint64(2**64 - 2 ** (bank.REVIEW + 1)), "banned")
    for picture in plain_pictures().values():
        assert opened.ask(picture).verdict == "allow"


def test_pictures_say_something(opened, photograph):
    values = np.array([hashes.of_image(photograph(seed)) for seed in range(200)])
    assert flat.says_nothing(values).mean() < 0.02


def test_many_are_refused_if_one_says_nothing(opened):
    values = np.array([KEY, KEY, 7], dtype=np.uint64)
    with pytest.raises(Problem, match=r"number 3 of 3: its fingerprint 0{15}7 says nothing"):
        opened.flag_many(values, "a list")
    with pytest.raises(Problem, match=r"c\.png: its fingerprint 0{15}7 says nothing"):
        opened.flag_many(values, "a list", ["a.png", "b.png", "c.png"])
    assert len(opened) == 0
    assert opened.flag_many(values, "a list", anyway=True) == range(1, 4)


# Reasons and other texts

TEXTS = [
    "stolen photograph",
    "=1+1",
    "@SUM(A1)",
    "+49 30 1234",
    "-",
    "'tis",
    "'=1",
    "''",
    '"quoted", and, commas;semicolons',
    "two\nlines",
    "two\r\nWindows lines",
    "\rcarriage",
    "\ttab",
    " blanks around ",
    "Grüße, 猫, \U0001f408, عربى",
    "e\u0301 is not \u00e9",
    "\ufeff mark",
    "\x1b[31mred\x07",
    "NaN",
    "NULL",
    "x" * 10_000,
]


@pytest.mark.parametrize("text", TEXTS, ids=range(len(TEXTS)))
def test_any_text_comes_back_as_it_was_also_by_csv(text, opened, tmp_path):
    opened.flag(np.uint64(KEY), text, text)
    assert opened.ask(np.uint64(KEY))[3:5] == (text, text)
    opened.write_csv(tmp_path / "banned.csv")
    with Bank(tmp_path / "other.bank") as other:
        assert other.read_csv(tmp_path / "banned.csv") == 1
        assert other.ask(np.uint64(KEY)) == opened.ask(np.uint64(KEY))
    opened.unflag(1, text)
    assert opened.entries(withdrawn=True)["withdrawn"].tolist() == [text]


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "the reason is empty"),
        (" \t\n", "the reason is empty"),
        ("photo\udcff.jpg", "is not valid text"),
        ("\ud800", "is not valid text"),
        ("a\0b", "zero character"),
        ("x" * 10_001, "has 10001 letters"),
        (None, "is text, not NoneType"),
        (b"why", "is text, not bytes"),
    ],
    ids=["empty", "blank", "file name", "surrogate", "zero", "long", "none", "bytes"],
)
def test_a_reason_that_is_none_is_one_sentence(text, sentence, opened):
    opened.flag(np.uint64(KEY), "banned")
    uses = [
        lambda: opened.flag(np.uint64(KEY), text),
        lambda: opened.flag_many(np.array([KEY], dtype=np.uint64), text),
        lambda: opened.unflag(1, text),
    ]
    if "empty" not in sentence:
        uses.append(lambda: opened.flag(np.uint64(KEY), "banned", text))
    for use in uses:
        with pytest.raises(Problem, match=sentence) as problem:
            use()
        str(problem.value).encode()  # it can be printed everywhere
    assert len(opened.entries(withdrawn=True)) == 1


def test_sources_are_one_for_all_or_one_for_each(opened):
    values = np.array([KEY, KEY ^ 1], dtype=np.uint64)
    opened.flag_many(values, "a list", "list.csv")
    opened.flag_many(values, "a list", ["a.jpg", "b.jpg"])
    assert opened.entries()["source"].tolist() == ["list.csv", "list.csv", "a.jpg", "b.jpg"]
    with pytest.raises(Problem, match="3 sources for 2 fingerprints"):
        opened.flag_many(values, "a list", ["a.jpg", "b.jpg", "c.jpg"])


@pytest.mark.parametrize(
    "values", [np.zeros((2, 4), dtype=np.uint64), np.array([1.0]), np.uint64(KEY), [KEY]]
)
def test_what_are_no_fingerprints_is_one_sentence(values, opened):
    with pytest.raises(Problem, match="fingerprints"):
        opened.flag_many(values, "a list", anyway=True)


# Entries


def test_entries_are_a_table(opened):
    assert opened.entries().empty
    top = 2**63 + 5
    opened.flag_many(np.array([KEY, top, KEY], dtype=np.uint64), "why", "whence", anyway=True)
    opened.unflag(2, "a mistake")
    table = opened.entries()
    assert table.columns.tolist() == ["entry", "fingerprint", "reason", "source", "time"]
    assert [str(table[name].dtype) for name in ("entry", "fingerprint")] == ["int64", "uint64"]
    assert opened.entries().iloc[:0].dtypes.equals(table.dtypes)
    assert table["entry"].tolist() == [1, 3]
    table = opened.entries(withdrawn=True)
    assert table["fingerprint"].tolist() == [KEY, top, KEY]
    assert table["withdrawn"].tolist() == ["", "a mistake", ""]


@pytest.fixture
def in_tokyo(monkeypatch):
    """A local time that is not UTC, where that can be set."""
    with monkeypatch.context() as patch:
        patch.setenv("TZ", "Asia/Tokyo")
        getattr(time, "tzset", int)()
        yield
    getattr(time, "tzset", int)()


def test_times_are_utc_and_iso_8601(opened, in_tokyo):
    before = datetime.now().astimezone()
    opened.flag(np.uint64(KEY), "banned")
    text = opened.ask(np.uint64(KEY)).time
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z", text)
    moment = datetime.fromisoformat(text)
    assert moment.utcoffset() == timedelta(0)
    assert before <= moment <= datetime.now().astimezone()


@pytest.mark.parametrize("entry", [0, 2, 3, -1, 10**30, -(10**30)])
def test_an_unknown_entry_is_one_sentence(entry, opened):
    opened.flag(np.uint64(KEY), "banned")
    opened.flag(np.uint64(KEY), "banned")
    opened.unflag(2, "a mistake")  # line 3, which is no entry
    if entry == 2:
        with pytest.raises(Problem, match="entry 2 was withdrawn already, at 2"):
            opened.unflag(2, "again")
    else:
        with pytest.raises(Problem, match=f"has no entry {entry}; list the entries"):
            opened.unflag(entry, "why")
    assert len(log_of(opened.path)) == 3


@pytest.mark.parametrize("entry", ["1", 1.0, None, True])
def test_an_entry_is_a_whole_number(entry, opened):
    opened.flag(np.uint64(KEY), "banned")
    with pytest.raises(Problem, match="it is a whole number"):
        opened.unflag(entry, "why")
    opened.unflag(np.int64(1), "as a table has it")


def test_the_log_is_only_added_to(opened):
    opened.flag(np.uint64(KEY), "banned", "a letter")
    opened.unflag(1, "a mistake")
    assert log_of(opened.path) == [
        (1, "flag", 1, KEY, "banned"),
        (2, "unflag", 1, KEY, "a mistake"),
    ]
    with closing(sqlite3.connect(opened.path)) as raw:
        for statement in (
            "UPDATE events SET reason = 'another'",
            "DELETE FROM events",
            "INSERT INTO events SELECT 3, time, action, 1, fingerprint, reason, source FROM events WHERE id = 2",
            "INSERT INTO events SELECT 3, time, action, 1, fingerprint, reason, source FROM events WHERE id = 1",
            "INSERT INTO events SELECT 3, time, action, 3, 'no digits', reason, source FROM events WHERE id = 1",
        ):
            with pytest.raises(sqlite3.IntegrityError):
                raw.execute(statement)


# What is safe


def test_what_a_flag_costs_is_paid(opened):
    """The file, the journal and their folder are on the disk before a flag returns."""
    settings = {
        name: opened._connection.execute(f"PRAGMA {name}").fetchone()[0]
        for name in ("journal_mode", "synchronous", "fullfsync")
    }
    assert settings == {"journal_mode": "delete", "synchronous": 3, "fullfsync": 1}  # 3 is EXTRA


def strace_works():
    try:
        return (
            subprocess.run(["strace", "-o", os.devnull, "true"], capture_output=True).returncode
            == 0
        )
    except OSError:
        return False


@pytest.mark.skipif(not strace_works(), reason="needs strace")
def test_the_disk_has_it_before_flag_returns(path, tmp_path):
    code = (
        "import sys, numpy as np; from helpers.bank import Bank\n"
        "with Bank(sys.argv[1], make=True) as b:\n"
        "    sys.stdout.write('begin\\n'); sys.stdout.flush()\n"
        f"    b.flag(np.uint64({KEY}), 'banned')\n"
        "    sys.stdout.write('end\\n'); sys.stdout.flush()\n"
    )
    trace = tmp_path / "trace"
    calls = "trace=fsync,fdatasync,unlink,write,pwrite64"
    done = subprocess.run(
        ["strace", "-f", "-y", "-e", calls, "-o", trace, sys.executable, "-c", code, path],
        capture_output=True,
    )
    assert done.returncode == 0
    text = trace.read_text(errors="replace")
    flagging = text[text.index('"begin\\n"') : text.index('"end\\n"')]
    last_write = flagging.rindex(f"{path}>")
    assert "sync(" in flagging[flagging.rindex("\n", 0, last_write) :]
    gone = flagging.rindex(f'unlink("{path}-journal")')
    assert f"<{path.parent}>)" in flagging[gone:], "the folder is synchronised last"


def test_two_banks_see_each_others_flags_at_once(path):
    with Bank(path) as one, Bank(path) as other:
        for step, (here, there) in enumerate([(one, other), (other, one)] * 10):
            value = np.uint64(flipped(random.Random(step), KEY, 20))
            entry = here.flag(value, "banned")
            assert there.ask(value)[:3] == ("block", 0, entry)
            there.unflag(entry, "a mistake")
            assert here.ask(value).verdict == "allow"


def flag_what_comes(path, pipe):
    with Bank(path) as opened:
        pipe.send("ready")
        while (value := pipe.recv()) is not None:
            pipe.send(opened.flag(np.uint64(value), "banned"))


def test_what_another_process_flags_is_seen_at_once(path):
    here, there = quick.Pipe()
    process = quick.Process(target=flag_what_comes, args=(path, there))
    process.start()
    assert here.recv() == "ready"
    with Bank(path) as opened:
        for step in range(50):
            value = flipped(random.Random(step), KEY, 20)
            assert opened.ask(np.uint64(value)).verdict == "allow"
            here.send(value)
            assert opened.ask(np.uint64(value)).entry in (None, step + 1), "not yet acknowledged"
            entry = here.recv()
            assert opened.ask(np.uint64(value))[:3] == ("block", 0, entry)
    here.send(None)
    process.join()


BLOCK, REVIEW = 3, 12


def note(file, *words):
    """A line that is on the disk when this returns."""
    file.write(json.dumps(words) + "\n")
    file.flush()
    os.fsync(file.fileno())


def notes(file):
    """The whole lines of a file; the last may have been cut short."""
    lines = file.read_text().splitlines(keepends=True) if file.exists() else []
    return [json.loads(line) for line in lines if line.endswith("\n")]


def work(path, folder, name, rounds):
    """Flag, withdraw and ask, and note what was acknowledged and answered.

    With an answer goes how long the log was, by SQLite itself, just before and just after.
    """
    rng = random.Random(name)
    with (
        closing(sqlite3.connect(path, timeout=60)) as raw,
        Bank(path) as opened,
        (folder / name).open("w") as file,
    ):

        def length():
            return raw.execute("SELECT coalesce(max(id), 0) FROM events").fetchone()[0]

        note(file, "ready")
        for _ in range(rounds):
            choice = rng.random()
            if choice < 0.3:
                value = near_a_centre(rng)
                note(file, "flag", opened.flag(np.uint64(value), name), value)
            elif choice < 0.4:
                entry = rng.randint(1, max(1, length()))
                try:
                    opened.unflag(entry, name)
                except Problem as problem:
                    assert "has no entry" in str(problem) or "already" in str(problem)
                else:
                    note(file, "unflag", entry)
            else:
                query, before = near_a_centre(rng, 12), length()
                answer = opened.ask(np.uint64(query), block=BLOCK, review=REVIEW)
                note(file, "ask", query, before, length(), *answer[:3])
        note(file, "done")


def check_notes(path, folder, names):
    """No acknowledged flag or withdrawal is missing, and every answer was right at one moment while it was asked for."""
    assert is_whole(path)
    log = log_of(path)
    states = [{}]  # the entries in force after 0, 1, 2, ... lines
    for line in log:
        states.append(in_force_after([line]) if not states[-1] else dict(states[-1]))
        if line[1] == "flag":
            states[-1][line[2]] = line[3]
        else:
            del states[-1][line[2]]
    answers = 0
    for name in names:
        written = Counter()
        for what, *details in notes(folder / name):
            if what == "flag":
                entry, value = details
                assert log[entry - 1] == (entry, "flag", entry, value, name)
            elif what == "unflag":
                assert [line[4] for line in log if line[1:3] == ("unflag", details[0])] == [name]
            elif what == "ask":
                query, before, after, *answer = details
                moments = range(before, after + 1)
                right = [list(right_answer(states[n], query, BLOCK, REVIEW)) for n in moments]
                assert answer in right
                answers += 1
            written[what] += 1
        in_log = Counter(line[1] for line in log if line[4] == name)
        one_more = 0 if written["done"] else 1  # which it was about to note when it was killed
        acknowledged = written["flag"] + written["unflag"]
        assert acknowledged <= in_log.total() <= acknowledged + one_more
    with Bank(path) as opened:
        for query in [*CENTRES, KEY]:
            answer = opened.ask(np.uint64(query), block=BLOCK, review=REVIEW)
            assert answer[:3] == right_answer(states[-1], query, BLOCK, REVIEW)
    return answers


def wait_for(condition):
    for _ in range(6_000):
        if condition():
            return
        time.sleep(0.01)
    raise AssertionError("waited for a minute in vain")


@pytest.mark.slow
def test_four_processes_at_once_two_of_which_are_killed(path, tmp_path):
    Bank(path).close()
    names = ["first", "second", "third", "fourth"]
    rounds = {"first": 200, "second": 200, "third": 10**9, "fourth": 10**9}
    processes = {
        name: spawn.Process(target=work, args=(path, tmp_path, name, rounds[name]))
        for name in names
    }
    for process in processes.values():
        process.start()
    wait_for(lambda: all(notes(tmp_path / name) for name in names))
    rng = random.Random(2014)
    for name in ("third", "fourth"):
        time.sleep(rng.uniform(0.1, 0.5))
        processes[name].kill()
    for process in processes.values():
        process.join()
    assert [processes[name].exitcode for name in ("first", "second")] == [0, 0]
    assert all(notes(tmp_path / name)[-1] != ["done"] for name in ("third", "fourth"))
    assert check_notes(path, tmp_path, names) > 150


def flag_lists(path, folder, size):
    with Bank(path) as opened, (folder / "lists").open("w") as file:
        first = len(opened)  # so that no two runs give the same reasons
        for seed in itertools.count():
            values = np.random.default_rng(seed).integers(2**40, 2**63, size, dtype=np.uint64)
            numbers = opened.flag_many(values, f"{first} {seed}", anyway=True)
            note(file, numbers.start, f"{first} {seed}")


@pytest.mark.slow
@pytest.mark.parametrize("size", [1, 400, 5_000])
def test_killed_at_ten_random_moments(size, path, tmp_path):
    rng, acknowledged, killed_at_work = random.Random(size), 0, 0
    for _ in range(10):
        (tmp_path / "lists").unlink(missing_ok=True)
        process = quick.Process(target=flag_lists, args=(path, tmp_path, size))
        process.start()
        wait_for(lambda: (tmp_path / "lists").exists())
        time.sleep(rng.uniform(0, 0.2))
        process.kill()
        process.join()
        killed_at_work += path.with_name(f"{path.name}-journal").exists()
        with Bank(path) as opened:
            assert len(opened) % size == 0, "a list is there as a whole or not at all"
        log = log_of(path)
        for first, reason in notes(tmp_path / "lists"):
            acknowledged += 1
            assert [line[0] for line in log[first - 1 : first + size - 1] if line[4] == reason] == [
                *range(first, first + size)
            ]
        assert is_whole(path)
    assert acknowledged + killed_at_work > 5


def test_a_journal_that_was_left_behind_takes_back_what_was_half_written(path, tmp_path):
    """As after a power cut while a list was written: both files are copied at that moment."""
    with Bank(path) as opened:
        opened.flag_many(np.arange(2**40, 2**40 + 5_000, dtype=np.uint64), "first", anyway=True)
    later = tmp_path / "later"
    later.mkdir()
    with closing(sqlite3.connect(path, isolation_level=None)) as raw:
        raw.execute("PRAGMA cache_size = 1")
        raw.execute("BEGIN IMMEDIATE")
        rows = ((n, "t", "flag", n, f"{n:016x}", "half", "") for n in range(5_001, 15_001))
        raw.executemany(log.INSERT, rows)
        for name in (path.name, f"{path.name}-journal"):
            shutil.copy(path.with_name(name), later / name)
        raw.execute("ROLLBACK")
    assert (later / path.name).stat().st_size > path.stat().st_size, "much was written already"
    with Bank(later / path.name) as opened:
        assert len(opened) == 5_000
        assert opened.flag(np.uint64(KEY), "goes on") == 5_001
    assert is_whole(later / path.name)


@pytest.mark.slow
def test_threads_may_share_a_bank(opened):
    def use(seed):
        rng = random.Random(seed)
        for _ in range(25):
            value = np.uint64(near_a_centre(rng))
            entry = opened.flag(value, f"thread {seed}")
            assert opened.ask(value)[1] == 0
            opened.unflag(entry, f"thread {seed}")
        return seed

    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(use, range(8))) == list(range(8))
    assert len(opened) == 0
    assert len(log_of(opened.path)) == 400


def test_banks_may_be_made_by_many_at_once(path):
    together = threading.Barrier(8)

    def make(number):
        together.wait()
        with Bank(path) as opened:
            return opened.flag(np.uint64(KEY), f"by {number}")

    with ThreadPoolExecutor(8) as pool:
        assert sorted(pool.map(make, range(8))) == list(range(1, 9))


def test_a_bank_that_others_keep_busy_is_one_sentence(path, monkeypatch):
    monkeypatch.setattr(log, "PATIENCE", 0.05)
    with Bank(path) as opened, closing(sqlite3.connect(path, isolation_level=None)) as raw:
        raw.execute("BEGIN EXCLUSIVE")
        for use in (
            lambda: opened.ask(np.uint64(KEY)),
            lambda: opened.flag(np.uint64(KEY), "x"),
            lambda: Bank(path),
        ):
            with pytest.raises(Problem, match=r"other processes keep it busy .*; try again later"):
                use()
        raw.execute("ROLLBACK")
        assert opened.flag(np.uint64(KEY), "x") == 1


def test_a_flag_waits_for_others(path):
    with (
        Bank(path) as opened,
        closing(sqlite3.connect(path, isolation_level=None, check_same_thread=False)) as raw,
    ):
        raw.execute("BEGIN EXCLUSIVE")
        timer = threading.Timer(0.3, lambda: raw.execute("ROLLBACK"))
        timer.start()
        assert opened.flag(np.uint64(KEY), "after them") == 1
        timer.join()


def test_stopped_in_the_middle_nothing_is_flagged_and_the_bank_goes_on(opened, monkeypatch):
    def stopped(rows):
        yield from itertools.islice(rows, 3)
        raise KeyboardInterrupt

    class Stopping:
        def __init__(self, connection):
            self.connection = connection

        def __getattr__(self, name):
            return getattr(self.connection, name)

        def executemany(self, statement, rows):
            self.connection.executemany(statement, stopped(rows))

    values = np.array([KEY] * 10, dtype=np.uint64)
    with monkeypatch.context() as patch:
        patch.setattr(opened, "_connection", Stopping(opened._connection))
        with pytest.raises(KeyboardInterrupt):
            opened.flag_many(values, "a list")
    assert opened.ask(np.uint64(KEY)).verdict == "allow"
    assert opened.flag_many(values, "a list") == range(1, 11)


# No room


def test_a_full_disk_is_one_sentence_and_leaves_what_was_there(opened, tmp_path):
    values = np.arange(2**40, 2**40 + 3_000, dtype=np.uint64)
    opened.flag_many(values, "a list", anyway=True)
    opened.write_csv(tmp_path / "list.csv")
    opened.flag(np.uint64(KEY), "the last that had room")
    (pages,) = opened._connection.execute("PRAGMA page_count").fetchone()
    opened._connection.execute(f"PRAGMA max_page_count = {pages}")
    full = r"banned\.bank: could not be written \(database or disk is full\); make room there"
    with pytest.raises(Problem, match=full):
        opened.flag_many(values, "another list", anyway=True)
    text = tmp_path / "list.csv"
    text.write_text(text.read_text().replace("a list", "another list"))
    with pytest.raises(Problem, match=full):
        opened.read_csv(text, anyway=True)
    assert len(opened) == 3_001
    assert opened.ask(np.uint64(KEY)).entry == 3_001
    opened._connection.execute("PRAGMA max_page_count = 1000000")
    assert opened.flag_many(values, "another list", anyway=True) == range(3_002, 6_002)
    assert is_whole(opened.path)


FILL = """
import resource, sys
import numpy as np
from helpers import Problem
from helpers.bank import Bank
with Bank(sys.argv[1], make=True) as opened:
    opened.flag(np.uint64(2**40), "before", anyway=True)
    size = opened.path.stat().st_size
    resource.setrlimit(resource.RLIMIT_FSIZE, (size + 8_192, size + 8_192))
    try:
        for number in range(10_000):
            entry = opened.flag(np.uint64(2**40 + number), "x" * 300, anyway=True)
    except Problem as problem:
        print(entry, len(opened), opened.ask(np.uint64(2**40 + entry - 2)).verdict)
        print(problem)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="needs a limit on the size of files")
def test_a_file_that_may_not_grow_keeps_all_that_was_acknowledged(path):
    """The operating system refuses to write, here in the middle of a page."""
    done = subprocess.run([sys.executable, "-c", FILL, path], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    numbers, sentence = done.stdout.splitlines()
    entry, in_force, verdict = numbers.split()
    assert entry == in_force
    assert int(entry) > 10
    assert verdict == "block"
    assert re.search(r"banned\.bank: could not be written \(.*\); make room there", sentence)
    with Bank(path) as opened:
        assert len(opened) == int(entry)
    assert is_whole(path)


# What made it


def test_a_bank_says_what_made_it(path):
    with Bank(path, fast=True):
        pass
    with Bank(path) as opened:
        assert opened.reading == {"rotate": True, "background": "white", "fast": True}
        assert opened.settings == {
            "format": 1,
            "algorithm": "dhash",
            "hash_size": 8,
            "reading": opened.reading,
            "versions": {name: version(name) for name in ("imagehash", "pillow")},
        }


def test_pictures_are_read_as_the_bank_was_made(path, photograph, tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6
    photograph(9).save(tmp_path / "turned.jpg", exif=exif)
    with Bank(path, rotate=False) as opened:
        opened.flag(tmp_path / "turned.jpg", "banned")
    with Bank(path) as opened:
        assert opened.ask(tmp_path / "turned.jpg").verdict == "block"
        assert opened.ask_many([tmp_path / "turned.jpg"])[0].verdict == "block"
        assert opened.ask(photograph(9)).verdict == "block", "as it is stored"
        assert opened.ask(hashes.of_file(tmp_path / "turned.jpg")).verdict == "allow"


@pytest.mark.skipif(sys.platform == "win32", reason="open files cannot be replaced there")
def test_a_bank_that_is_replaced_while_it_is_opened_is_refused(path, tmp_path, monkeypatch):
    other = tmp_path / "other.bank"
    for place in (path, other):
        Bank(place).close()
    check = bank.Bank._checked_settings

    def replace_first(self, *arguments):
        other.replace(path)
        return check(self, *arguments)

    monkeypatch.setattr(bank.Bank, "_checked_settings", replace_first)
    with pytest.raises(Problem, match="another file has taken its place"):
        Bank(path)


def test_a_name_that_is_none_is_one_sentence(opened, tmp_path):
    for use in (Bank, opened.read_csv, opened.write_csv):
        with pytest.raises(Problem, match=r"no name of a file|cannot be read"):
            use("a\0b")


@pytest.mark.parametrize(
    "otherwise", [{"fast": True}, {"rotate": False}, {"background": "black"}, {"background": None}]
)
def test_another_reading_is_refused_with_the_reason(otherwise, path):
    Bank(path).close()
    ((name, value),) = otherwise.items()
    with pytest.raises(Problem, match=f"was made with {name}=.*, and {name}={value!r} is asked fo"):
        Bank(path, **otherwise)
    Bank(path, rotate=True).close()  # which it was made with


@pytest.mark.parametrize("upload", ["image_0001.jpg", Image.new("RGB", (90, 90), "navy")])
def test_pictures_are_refused_where_another_imagehash_made_the_bank(
    upload, path, photographs, tmp_path, monkeypatch
):
    """But what is in the bank can still be listed, asked for by number, withdrawn and exported."""
    if isinstance(upload, str):
        upload = photographs / "cats" / upload
    with monkeypatch.context() as patch:
        patch.setattr(bank, "version", lambda name: "2.9" if name == "imagehash" else version(name))
        with Bank(path) as opened:
            opened.flag(upload, "banned", anyway=True)
    with Bank(path) as opened:
        value = opened.entries()["fingerprint"][0]
        for refused in (opened.ask, lambda one: opened.ask_many([one]), opened.fingerprint):
            with pytest.raises(Problem, match=r"was made with imagehash 2, and here is"):
                refused(upload)
        with pytest.raises(Problem, match=r"was made with imagehash 2, and here is"):
            opened.flag(upload, "banned", anyway=True)
        assert opened.ask(value).verdict == "block"
        assert opened.write_csv(tmp_path / "banned.csv") == 1
        opened.unflag(1, "a mistake")
        assert opened.ask_many([value])[0].verdict == "allow"


@pytest.mark.parametrize("package", ["imagehash", "pillow"])
def test_another_later_number_or_another_pillow_is_taken(package, path, photographs, monkeypatch):
    other = {"imagehash": version("imagehash").split(".")[0] + ".999", "pillow": "2.9"}
    with monkeypatch.context() as patch:
        patch.setattr(bank, "version", other.get)
        Bank(path).close()
    with Bank(path) as opened:
        assert opened.ask(photographs / "cats" / "image_0001.jpg").verdict == "allow"


def set_to(path, name, text):
    with closing(sqlite3.connect(path)) as raw, raw:
        raw.execute("UPDATE settings SET value = ? WHERE name = ?", (text, name))


@pytest.mark.parametrize(
    ("name", "text", "sentence"),
    [
        ("algorithm", '"phash"', "was made with algorithm phash, and here is dhash"),
        ("hash_size", "16", "was made with hash_size 16, and here is 8"),
        ("format", "2", "is a bank of format 2, and these helpers know format 1"),
        ("format", "no JSON", "is damaged"),
        ("reading", "{}", "is damaged"),
        ("reading", "[]", "is damaged"),
        ("reading", '{"rotate": 1, "fast": 1, "background": "no colour"}', "is damaged"),
        ("reading", '{"rotate": 1, "fast": 1, "background": "red", "colour": 1}', "is damaged"),
        ("versions", "null", "is damaged"),
        ("versions", '{"pillow": 12}', "is damaged"),
        ("versions", '{"pillow": "12.0"}', "is damaged"),
        ("hash_size", "[" * 100_000, "is damaged"),
    ],
)
def test_settings_that_are_others_are_refused(name, text, sentence, path):
    Bank(path).close()
    set_to(path, name, text)
    with pytest.raises(Problem, match=re.escape(sentence)) as problem:
        Bank(path)
    assert "\n" not in str(problem.value)


def test_an_unknown_way_of_reading_is_a_programmers_mistake(path):
    with pytest.raises(TypeError, match="colour"):
        Bank(path, colour=True)
    with pytest.raises(Problem, match="no colour that Pillow knows"):
        Bank(path, background="no colour")
    assert not path.exists()


# Files that are no bank


def another_database(place):
    with closing(sqlite3.connect(place)) as raw, raw:
        raw.execute("CREATE TABLE settings (name TEXT, value TEXT)")
        raw.execute("CREATE TABLE events (id INTEGER PRIMARY KEY)")


def cut_bank(place):
    with Bank(place) as opened:
        opened.flag_many(np.arange(2**40, 2**40 + 500, dtype=np.uint64), "x", anyway=True)
    os.truncate(place, place.stat().st_size - 9_000)


NO_BANKS = {
    "notes.txt": (lambda place: place.write_text("no bank at all\n" * 100), "is not a bank"),
    "a": (lambda place: place.write_text("a"), "is not a bank"),
    "picture.png": (lambda place: Image.new("L", (90, 90)).save(place), "is not a bank"),
    "header": (lambda place: place.write_bytes(b"SQLite format 3\0" + bytes(84)), "is (not a|dam)"),
    "another.db": (another_database, "is not a bank, but another database"),
    "folder": (Path.mkdir, "is a folder, not a bank"),
    "cut.bank": (cut_bank, "is damaged"),
    "file/bank": (lambda place: place.parent.write_text("file"), "there is no folder for it"),
    "nowhere/bank": (lambda place: None, "there is no folder for it"),
}


@pytest.mark.parametrize("name", NO_BANKS)
def test_what_is_no_bank_is_one_sentence_and_stays_as_it_was(name, tmp_path):
    prepare, sentence = NO_BANKS[name]
    place = tmp_path / name
    prepare(place)
    files = {file: file.is_file() and file.read_bytes() for file in tmp_path.rglob("*")}
    for make in (True, False):
        expected = sentence if place.exists() else f"{sentence}|no such bank"
        with pytest.raises(Problem, match=f"{place.name}: .*({expected})") as problem:
            Bank(place, make=make)
        assert "\n" not in str(problem.value)
    assert {file: file.is_file() and file.read_bytes() for file in tmp_path.rglob("*")} == files


def test_a_gate_makes_no_bank(path):
    with pytest.raises(Problem, match=r"banned\.bank: no such bank; check the spelling"):
        Bank(path, make=False)
    assert not path.exists()
    path.touch()
    with pytest.raises(Problem, match=r"banned\.bank: no such bank"):
        Bank(path, make=False)
    Bank(path).close()  # an empty file is what is left of one that was killed while it was made
    Bank(path, make=False).close()


@pytest.mark.skipif(
    sys.platform == "win32" or os.geteuid() == 0, reason="root may read and write everything"
)
def test_permission(path):
    with Bank(path) as opened:
        opened.flag(np.uint64(KEY), "banned")
    path.chmod(0o400)
    path.parent.chmod(0o500)
    try:
        with Bank(path) as opened:
            assert opened.ask(np.uint64(KEY)).verdict == "block"
            with pytest.raises(Problem, match="could not be written"):
                opened.flag(np.uint64(KEY), "banned")
        with pytest.raises(Problem, match=r"may not be opened .*; ask for permission"):
            Bank(path.with_name("new.bank"))
        for place in (path, path.parent):
            place.chmod(0)
            for make in (True, False):
                with pytest.raises(Problem, match=r"may not be opened .*; ask for permission"):
                    Bank(path, make=make)
    finally:
        path.parent.chmod(0o700)


def test_a_bank_that_may_only_be_read_answers(path):
    with Bank(path) as opened:
        opened.flag(np.uint64(KEY), "banned")
        opened._connection.execute("PRAGMA query_only = ON")
        with pytest.raises(Problem, match=r"could not be written .*readonly"):
            opened.flag(np.uint64(KEY), "banned")
        assert opened.ask(np.uint64(KEY)).entry == 1


def test_a_damaged_bank_gives_an_answer_or_a_sentence(path):
    with Bank(path) as opened:
        opened.flag_many(np.arange(2**40, 2**40 + 200, dtype=np.uint64), "list", anyway=True)
        opened.unflag(7, "a mistake")
    whole, rng, refused = path.read_bytes(), random.Random(64), 0
    for _ in range(200):
        content = bytearray(whole)
        if rng.random() < 0.8:
            for _ in range(rng.randrange(1, 20)):
                content[rng.randrange(len(content))] = rng.randrange(256)
        else:
            start = rng.randrange(len(content))
            content[start : start + 600] = bytes(len(content[start : start + 600]))
        path.write_bytes(content)
        path.with_name(f"{path.name}-journal").unlink(missing_ok=True)
        try:
            with Bank(path) as opened:
                opened.ask(np.uint64(KEY), review=64)
                opened.entries(withdrawn=True)
        except Problem as problem:
            assert "\n" not in str(problem)
            refused += 1
    assert refused > 50


def changed(path, *statements):
    """Change a bank as somebody could who knows how it is made."""
    with closing(sqlite3.connect(path)) as raw, raw:
        rows = raw.execute("SELECT sql FROM sqlite_master WHERE type = 'trigger'").fetchall()
        raw.execute("DROP TRIGGER never_changed")
        raw.execute("DROP TRIGGER never_deleted")
        raw.execute("PRAGMA ignore_check_constraints = ON")
        for statement in statements:
            raw.execute(statement)
        for (trigger,) in rows:
            raw.execute(trigger)


@pytest.mark.parametrize(
    ("statement", "sentence"),
    [
        ("DELETE FROM events WHERE id = 2", "line 2 of its log is missing"),
        ("UPDATE events SET id = 9, entry = 9 WHERE id = 5", "line 5 of its log is missing"),
        ("UPDATE events SET entry = 4 WHERE id = 4", "there is no entry 4"),
        ("UPDATE events SET fingerprint = 'zz' || substr(fingerprint, 3) WHERE id = 3", "no bank"),
        ("UPDATE events SET fingerprint = 'abcd' WHERE id = 3", "what no bank writes"),
        ("UPDATE events SET fingerprint = '' WHERE id = 3", "what no bank writes"),
        ("UPDATE events SET fingerprint = x'00ff' WHERE id = 3", "what no bank writes"),
        ("CREATE TABLE more (x)", "another program changed its tables"),
        ("DROP INDEX withdrawn_once", "another program changed its tables"),
        (
            "CREATE TRIGGER more AFTER INSERT ON events BEGIN SELECT RAISE(IGNORE); END",
            "another program changed its tables",
        ),
    ],
)
def test_a_bank_that_another_program_changed_is_one_sentence(statement, sentence, path):
    with Bank(path) as opened:
        for bit in range(3):
            opened.flag(np.uint64(KEY ^ 1 << bit), "banned")
        opened.unflag(1, "a mistake")
        opened.flag(np.uint64(KEY), "banned")
    changed(path)
    with Bank(path) as opened:
        assert len(opened) == 3
    changed(path, statement)
    with pytest.raises(Problem, match=f"is damaged .*{sentence}"):
        Bank(path)


@pytest.mark.skipif(sys.platform == "win32", reason="Windows does not let go of an open file")
@pytest.mark.parametrize("how", ["removed", "replaced", "cut short", "overwritten"])
def test_a_bank_whose_file_is_another_now_is_one_sentence(how, path):
    with Bank(path) as opened:
        opened.flag(np.uint64(KEY), "in the copy")
        shutil.copy(path, path.with_name("copy"))
        opened.flag(np.uint64(~KEY & 2**64 - 1), "not in the copy")
        opened.ask(np.uint64(KEY))
        if how == "overwritten":
            with Bank(path.with_name("copy")) as other:
                other.flag(np.uint64(KEY), "only in the copy")
                other.flag(np.uint64(KEY), "that too")
        if how == "removed":
            path.unlink()
        elif how == "replaced":
            path.with_name("copy").replace(path)
        else:
            shutil.copyfile(path.with_name("copy"), path)
        with pytest.raises(Problem, match="another file has taken its place"):
            opened.ask(np.uint64(KEY))
        if how in ("removed", "replaced"):
            with pytest.raises(Problem, match="another file has taken its place"):
                opened.flag(np.uint64(KEY), "lost otherwise")


def test_a_bank_is_opened_in_the_process_that_uses_it(opened, monkeypatch):
    monkeypatch.setattr(os, "getpid", lambda: -1)
    with pytest.raises(Problem, match="was opened in another process; open it anew"):
        opened.ask(np.uint64(KEY))


def test_a_closed_bank_is_one_sentence(path):
    opened = Bank(path)
    opened.close()
    opened.close()
    for use in (opened.entries, lambda: opened.ask(np.uint64(KEY)), lambda: opened.flag(KEY, "x")):
        with pytest.raises(Problem, match="is closed; open it again"):
            use()


def test_a_bank_that_is_refused_is_let_go_of(path, monkeypatch):
    Bank(path).close()
    connections, connect = [], sqlite3.connect
    monkeypatch.setattr(
        sqlite3, "connect", lambda *a, **k: connections.append(connect(*a, **k)) or connections[0]
    )
    with pytest.raises(Problem):
        Bank(path, fast=True)
    with pytest.raises(sqlite3.ProgrammingError, match="closed"):
        connections[0].execute("SELECT 1")


def test_nothing_is_left_beside_a_bank(path):
    with Bank(path) as opened:
        opened.flag(np.uint64(KEY), "banned")
        assert [file.name for file in path.parent.iterdir()] == [path.name]


def test_a_bank_that_was_switched_to_a_write_ahead_log_is_switched_back(path):
    Bank(path).close()
    with closing(sqlite3.connect(path)) as raw:
        raw.execute("PRAGMA journal_mode = WAL")
    with Bank(path) as opened:
        assert opened._connection.execute("PRAGMA journal_mode").fetchone() == ("delete",)


def test_names_that_mean_something_to_sqlite_are_names(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    names = ["file:x.bank", ":memory:"] if sys.platform != "win32" else []
    for name in [*names, "a b?mode=ro#%20.bank" if names else "a b#%20.bank", "Кот 猫.bank"]:
        with Bank(name) as opened:
            opened.flag(np.uint64(KEY), "banned")
        assert (tmp_path / name).stat().st_size > 0
        with Bank(name, make=False) as opened:
            assert len(opened) == 1


# As a text file

HEADER = "fingerprint,reason,source,time"
TIME = "2024-05-03T12:00:00.000000Z"


def test_csv_is_written_as_said(opened, tmp_path):
    opened.flag(np.uint64(KEY), "=1+1", 'the "letter"')
    opened.flag(np.uint64(KEY), "withdrawn")
    opened.unflag(2, "a mistake")
    file = tmp_path / "new" / "banned.csv"
    assert opened.write_csv(file) == 1
    moment = opened.entries()["time"][0]
    assert file.read_bytes().decode() == (
        '"fingerprint","reason","source","time","made_with"\n'
        f'"3c3c3e0f8ececdc9","\'=1+1","the ""letter""","{moment}","dhash 8 background=white fast=False rotate=True"\n'
    )
    assert [place.name for place in file.parent.iterdir()] == ["banned.csv"]


def test_entries_of_a_bank_that_reads_otherwise_are_refused(path, tmp_path):
    with Bank(path) as opened, Bank(tmp_path / "other.bank", rotate=False) as other:
        other.flag(np.uint64(KEY), "banned")
        other.write_csv(tmp_path / "banned.csv")
        with pytest.raises(
            Problem, match=r"line 2: was made with 'dhash 8 .*rotate=False', and this"
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
    assert opened.ask(np.uint64(KEY))[3:] == ("banned", "a letter", TIME)


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
    for place in (tmp_path / "folder", tmp_path / "file" / "banned.csv"):
        with pytest.raises(Problem, match=f"{place.name}: could not be written"):
            opened.write_csv(place)
    before = path.read_bytes()
    with pytest.raises(Problem, match="is the bank itself"):
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


# The command line


def run(*arguments):
    return main(["gate", *map(str, arguments)])


@pytest.fixture
def banned(path, photographs, capsys):
    """A bank with one picture, made by the command."""
    file = photographs / "cats" / "image_0001.jpg"
    assert run("flag", "--new", "--bank", path, "--reason", "stolen", file) == 0
    assert capsys.readouterr().out == f"Entry 1: {file}\n"
    return path


def test_ask_prints_a_line_for_each_picture(banned, photographs, photograph, tmp_path, capsys):
    files = [photographs / "cats" / f"image_{number:04}.jpg" for number in (0, 1)]
    with Bank(banned) as opened:
        time, distance = (
            opened.entries()["time"][0],
            opened.ask(files[0], block=64, review=64).distance,
        )
    why = f"stolen, {files[1]}, {time}"
    assert run("ask", "--bank", banned, files[0]) == 0
    assert capsys.readouterr().out == f"allow       -       -  {files[0]}\n"
    assert run("ask", "--bank", banned, *files) == 1
    assert capsys.readouterr().out.splitlines() == [
        f"allow       -       -  {files[0]}",
        f"block       0       1  {files[1]}  ({why})",
    ]
    radii = ["--block", distance - 1, "--review", distance]
    assert run("ask", "--bank", banned, *radii, files[0]) == 1
    assert capsys.readouterr().out == f"review     {distance:2}       1  {files[0]}  ({why})\n"


def test_ask_goes_on_after_a_picture_that_cannot_be_read(banned, photographs, tmp_path, capsys):
    broken, good = tmp_path / "broken.jpg", photographs / "cats" / "image_0000.jpg"
    broken.write_bytes(b"no picture")
    assert run("ask", "--bank", banned, broken, good) == 1
    shown = capsys.readouterr()
    assert shown.out.splitlines() == [
        f"unreadable  -       -  {broken}",
        f"allow       -       -  {good}",
    ]
    assert shown.err.startswith(f"{broken}: is not an image that Pillow can read")


def test_flag_unflag_list_export_import(banned, photographs, photograph, tmp_path, capsys):
    files = sorted((photographs / "dogs").iterdir())
    assert run("flag", "--bank", banned, "--reason", "two\nlines", "--source", "me", *files) == 0
    assert run("unflag", "--bank", banned, "--reason", "a mistake", 2, 3) == 0
    capsys.readouterr()
    assert run("list", "--bank", banned) == 0
    lines = [line.split("\t") for line in capsys.readouterr().out.splitlines()]
    assert [line[0] for line in lines] == ["1", "4", "5"]
    assert lines[0][1] == hashes.to_hex(hashes.of_file(photographs / "cats" / "image_0001.jpg"))
    assert lines[0][3:] == ["stolen", str(photographs / "cats" / "image_0001.jpg")]
    assert lines[1][3:] == ["two\\nlines", "me"]
    assert run("list", "--bank", banned, "--withdrawn") == 0
    lines = [line.split("\t") for line in capsys.readouterr().out.splitlines()]
    assert [line[-1] for line in lines[:2]] == ["in force", "withdrawn: a mistake"]

    text = tmp_path / "banned.csv"
    assert run("export", "--bank", banned, "--csv", text) == 0
    assert capsys.readouterr().out == f"Wrote 3 entries to {text}.\n"
    other = tmp_path / "other.bank"
    assert run("import", "--bank", other, "--csv", text) == 2
    assert "other.bank: no such bank" in capsys.readouterr().err
    for _ in range(2):
        assert run("import", "--new", "--bank", other, "--csv", text) == 0
    assert capsys.readouterr().out.splitlines() == [
        "Added 3 entries; 3 are in force.",
        "Added 0 entries; 3 are in force.",
    ]
    assert run("ask", "--bank", other, photographs / "cats" / "image_0001.jpg") == 1


def test_unflag_gives_back_the_fingerprints(opened):
    entries = opened.flag_many(np.array([KEY, KEY ^ 1], dtype=np.uint64), "banned")
    values = opened.unflag(reversed(entries), "a mistake")
    assert values.dtype == np.uint64
    assert values.tolist() == [KEY ^ 1, KEY]


def test_a_source_may_be_empty(banned, photographs):
    picture = photographs / "cats" / "image_0002.jpg"
    assert run("flag", "--bank", banned, "--reason", "x", "--source", "", picture) == 0
    with Bank(banned) as opened:
        assert opened.entries()["source"].tolist()[-1] == ""


def test_two_who_make_a_bank_at_once_both_ban(path, photographs):
    pictures = sorted((photographs / "cats").iterdir())
    gates = [
        subprocess.Popen(
            [
                sys.executable,
                "-m",
                "helpers",
                "gate",
                "flag",
                "--new",
                "-b",
                path,
                "--reason",
                "x",
                one,
            ]
        )
        for one in pictures
    ]
    assert [gate.wait() for gate in gates] == [0] * len(pictures)
    with Bank(path) as opened:
        assert sorted(opened.entries()["source"]) == [str(one) for one in pictures]


def test_flag_and_unflag_tell_of_other_entries_of_the_same_picture(banned, photographs, capsys):
    first, second = (photographs / "cats" / f"image_000{number}.jpg" for number in (1, 2))
    assert run("flag", "--bank", banned, "--reason", "again", second, first) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines == [f"Entry 2: {second}", f"Entry 3: {first} (0 bits from entry 1)"]
    assert run("unflag", "--bank", banned, "--reason", "a mistake", 1, 2, 1) == 0
    assert capsys.readouterr().out.splitlines() == [
        "Withdrawn: entry 1; its picture is still blocked, 0 bits from entry 3",
        "Withdrawn: entry 2",
    ]


def test_an_empty_bank_says_that_it_lets_all_pass(banned, photographs, capsys):
    picture = photographs / "cats" / "image_0001.jpg"
    assert run("unflag", "--bank", banned, "--reason", "x", 1) == 0
    capsys.readouterr()
    assert run("ask", "--bank", banned, picture) == 0
    assert "has no entries in force, so all may pass" in capsys.readouterr().err


def test_csv_that_a_spreadsheet_saved_with_semicolons_is_taken_in(banned, tmp_path, capsys):
    text, other = tmp_path / "banned.csv", tmp_path / "other.bank"
    assert run("flag", "--bank", banned, "--reason", "a, b; c", "--anyway", __file__) == 2
    with Bank(banned) as opened:
        opened.flag(np.uint64(KEY), "a, b; c")
        opened.write_csv(text)
        expected = opened.entries()
    table = pd.read_csv(text, dtype=str, keep_default_na=False)
    table.to_csv(text, sep=";", index=False, lineterminator="\r\n", encoding="utf-8-sig")
    assert run("import", "--new", "--bank", other, "--csv", text) == 0
    with Bank(other) as opened:
        pd.testing.assert_frame_equal(opened.entries(), expected)


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such files")
def test_a_pipe_is_neither_a_bank_nor_a_place_for_csv(banned, photographs, tmp_path, capsys):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    picture = photographs / "cats" / "image_0001.jpg"
    for words, sentence in (
        (("export", "--bank", banned, "--csv", pipe), "is a pipe or a device; name a file"),
        (("export", "--bank", banned, "--csv", "/dev/null"), "is a pipe or a device; name a file"),
        (("ask", "--bank", pipe, picture), "is not a bank"),
        (("flag", "--new", "--bank", pipe, "--reason", "x", picture), "is not a bank"),
    ):
        assert run(*words) == 2
        assert sentence in capsys.readouterr().err


def test_a_picture_that_cannot_be_compared_stops_no_other(banned, photographs, tmp_path, capsys):
    Image.new("LAB", (90, 80)).save(tmp_path / "lab.tif")
    bad = [tmp_path / "lab.tif", tmp_path / ("a" * 300), tmp_path / "nowhere" / "b.jpg"]
    assert run("ask", "--bank", banned, *bad, photographs / "cats" / "image_0001.jpg") == 1
    verdicts = [line.split()[0] for line in capsys.readouterr().out.splitlines()]
    assert verdicts == ["unreadable"] * 3 + ["block"]


def test_flag_takes_all_or_none(banned, photographs, tmp_path, capsys):
    good = photographs / "dogs" / "image_0005.jpg"
    Image.new("RGB", (90, 90)).save(tmp_path / "plain.png")
    for bad, sentence in (
        (tmp_path / "nowhere.jpg", "nowhere.jpg: no such file"),
        (tmp_path / "plain.png", "plain.png: its fingerprint 0000000000000000 says nothing"),
    ):
        assert run("flag", "--bank", banned, "--reason", "x", good, bad) == 2
        shown = capsys.readouterr()
        assert sentence in shown.err
        assert shown.err.count("\n") == 1
        assert shown.out == ""
    with Bank(banned) as opened:
        assert len(opened) == 1
    plain = tmp_path / "plain.png"
    assert run("flag", "--bank", banned, "--reason", "x", "--anyway", good, plain) == 0


@pytest.mark.parametrize(
    "failing", ["flag --reason x {bad}", "flag --reason= {good}", "import --csv {bad}"]
)
@pytest.mark.parametrize("linked", [False, pytest.param(True, marks=NO_LINKS)])
def test_what_fails_makes_no_bank(failing, linked, path, photographs, tmp_path, capsys):
    """An empty one would let everything pass."""
    if linked:
        path.symlink_to(tmp_path / "there")
    bad, good = tmp_path / "nowhere", photographs / "cats" / "image_0001.jpg"
    words = [word.format(bad=bad, good=good) for word in failing.split()]
    assert run(words[0], "--new", "--bank", path, *words[1:]) == 2
    assert capsys.readouterr().err.count("\n") == 1
    assert not path.exists()
    assert run("ask", "--bank", path, good) == 2


@pytest.mark.parametrize("error", [KeyboardInterrupt, OSError(errno.ENOSPC, "no room"), None])
def test_what_is_stopped_in_the_middle_makes_no_bank(
    error, path, photographs, tmp_path, capsys, monkeypatch
):
    add, made = Bank.func._add, path.with_name("made meanwhile")

    def stopped(opened, rows):
        add(opened, rows)
        if error:
            raise error
        made.rename(path)

    picture = photographs / "cats" / "image_0001.jpg"
    assert run("flag", "--new", "--bank", made, "--reason", "x", picture) == 0
    monkeypatch.setattr(Bank.func, "_add", stopped)
    before = made.read_bytes()
    code = run("flag", "--new", "--bank", path, "--reason", "x", "--source", "me", picture)
    assert code == (130 if error is KeyboardInterrupt else 2)
    shown = capsys.readouterr().err
    assert shown.count("\n") == 1
    assert "partial" not in shown
    if error:
        assert not path.exists()
    else:
        assert "has come meanwhile; run this again" in shown
        assert path.read_bytes() == before
    assert list(tmp_path.glob(".*")) == []


def test_a_bank_made_with_options_is_asked_without(path, photographs, capsys):
    file = photographs / "dogs" / "image_0005.jpg"
    flag = ["flag", "--bank", path, "--reason", "x", file]
    assert run(*flag) == 2
    assert not path.exists()
    assert run(*flag, "--new", "--fast", "--no-rotate", "--background", "black") == 0
    assert run("ask", "--bank", path, file) == 1
    assert run(*flag) == 0
    assert run(*flag, "--background", "white") == 2
    assert "their fingerprints cannot be compared" in capsys.readouterr().err


BAD_INPUT = [
    ("ask --bank {new} {picture}", "new.bank: no such bank; check the spelling"),
    ("ask --bank {text} {picture}", "notes.txt: is not a bank"),
    ("ask --bank {bank} --block 9 {picture}", "give the smaller one to block"),
    ("ask --bank {bank} --review 65 {picture}", "a whole number of bits from 0 to 64"),
    ("flag --bank {bank} --reason x {text}", "notes.txt: is not an image"),
    ("flag --bank {text} --reason x {picture}", "notes.txt: is not a bank"),
    ("flag --new --bank {bank}/new --reason x {picture}", "there is no folder for it"),
    ("flag --bank {new} --reason x {picture}", "no such bank"),
    ("flag --bank {bank} --reason x {bank}", "is the bank itself; name a picture"),
    ("import --bank {bank} --csv {bank}", "is the bank itself; name a CSV file"),
    ("export --bank {bank} --csv .", ".: is no name of a file"),
    ("export --bank {bank} --csv {text}", "notes.txt: is there already and is no bank's CSV file"),
    ("export --bank {bank} --csv {picture}", "is there already and is no bank's CSV file"),
    ("unflag --bank {bank} --reason x 1 7", "has no entry 7"),
    ("flag --bank {bank} --reason= {picture}", "the reason is empty"),
    ("flag --new --bank {none} --reason x {picture}", "is an empty file; delete it"),
    ("ask --bank {none} {picture}", "no such bank"),
    ("unflag --bank {bank} --reason x 7", "has no entry 7"),
    ("unflag --bank {new} --reason x 7", "no such bank"),
    ("list --bank {new}", "no such bank"),
    ("export --bank {new} --csv {csv}", "no such bank"),
    ("export --bank {bank} --csv {bank}", "is the bank itself"),
    ("export --bank {bank} --csv {text}/csv", "could not be written"),
    ("import --bank {bank} --csv {csv}", "banned.csv: cannot be read"),
    ("import --bank {bank} --csv {text}", "notes.txt: line 1: its columns are not"),
]


@pytest.mark.parametrize(("command", "sentence"), BAD_INPUT)
def test_bad_input_is_one_sentence(command, sentence, banned, photographs, tmp_path, capsys):
    (tmp_path / "notes.txt").write_text("no bank, no picture, no CSV\n")
    (tmp_path / "empty.bank").touch()
    places = {
        "bank": banned,
        "new": tmp_path / "new.bank",
        "text": tmp_path / "notes.txt",
        "csv": tmp_path / "banned.csv",
        "none": tmp_path / "empty.bank",
        "picture": photographs / "cats" / "image_0001.jpg",
    }
    assert run(*(word.format(**places) for word in command.split())) == 2
    shown = capsys.readouterr()
    assert sentence in shown.err
    assert shown.err.count("\n") == 1, "one line"
    assert shown.out == ""
    assert not places["new"].exists()
    with Bank(banned) as opened:
        assert len(opened) == 1


@pytest.mark.parametrize("command", ["", "ask", "ask --bank x", "flag --bank x y", "unflag x"])
def test_a_command_that_is_not_understood_ends_with_2(command, capsys):
    with pytest.raises(SystemExit) as end:
        run(*command.split())
    assert end.value.code == 2
    assert capsys.readouterr().err.startswith("usage: python -m helpers gate")


@pytest.mark.skipif(sys.platform != "linux", reason="other systems refuse such names")
def test_names_of_files_may_be_anything(banned, photographs, tmp_path):
    """In a process of its own, which prints them."""
    names = [b"no text \xff.jpg", b"a\nblock  0  1  b.jpg", "猫 \x1b[2J.jpg".encode()]
    for name in names:
        shutil.copy(photographs / "cats" / "image_0001.jpg", os.fsencode(tmp_path) + b"/" + name)

    def gate(*arguments):
        return subprocess.run(
            [sys.executable, "-m", "helpers", "gate", *arguments],
            capture_output=True,
            cwd=tmp_path,
            env={**os.environ, "PYTHONIOENCODING": "ascii"},
        )

    done = gate("ask", "--bank", banned, *names)
    assert done.returncode == 1
    lines = [line.partition(b"  (stolen, ")[0] for line in done.stdout.splitlines()]
    assert lines == [
        b"block       0       1  no text \\udcff.jpg",
        b"block       0       1  a\\nblock  0  1  b.jpg",
        b"block       0       1  \\u732b \\x1b[2J.jpg",
    ]
    done = gate("flag", "--bank", banned, "--reason", "x", names[0])
    assert done.returncode == 2
    assert b"is not valid text" in done.stderr
    assert done.stderr.count(b"\n") == 1
    done = gate("flag", "--bank", banned, "--reason", "x", "--source", "a letter", names[0])
    assert done.returncode == 0
    assert b"Entry 2: no text \\udcff.jpg" in done.stdout


@pytest.mark.skipif(sys.platform == "win32", reason="pipes end otherwise there")
def test_what_nobody_reads_is_held_back_all_the_same(banned, photographs, unread):
    files = [photographs / "cats" / "image_0001.jpg"] * 30
    code, error = unread("gate", "ask", "--bank", banned, *files)
    assert code == 1, error
    assert b"Traceback" not in error
