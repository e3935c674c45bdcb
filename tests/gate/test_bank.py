"""What the gate answers, and what may be flagged."""

import random
import re
import sys
import time
from collections import Counter
from datetime import datetime, timedelta

import numpy as np
import pytest
from banks import KEY, TEXTS, Bank, connection_of, flipped, log_of, near_a_centre, right_answer
from PIL import Image

from helpers import Problem
from helpers.fingerprints import flat, hashes
from helpers.gate import bank, memory
from helpers.gate.bank import Answer

# A reader must not see "Exception ignored in ..." either.
pytestmark = pytest.mark.filterwarnings("error::pytest.PytestUnraisableExceptionWarning")


# What it answers


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(4))
def test_it_equals_comparing_with_every_entry(seed, path, small_parts):
    """A random sequence of everything that one can do, through two banks on one file, either of which may be opened anew."""
    rng, in_force, reasons, last = random.Random(seed), {}, {}, 0
    banks, asked = [Bank(path), Bank(path)], Counter()
    try:
        for step in range(400):
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
    opened.flag(np.uint64(KEY), "banned")
    good = photographs / "cats" / "image_0001.jpg"
    for name in (path, str(path), link):
        for refused in (
            opened.ask,
            opened.look,
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


@pytest.mark.slow
def test_the_index_is_built_anew_only_when_the_tail_has_grown(path, monkeypatch):
    built = []

    class Counted(memory.MultiIndexHashing):
        def __init__(self, values, radius):
            built.append(len(values))
            super().__init__(values, radius)

    monkeypatch.setattr(memory, "MultiIndexHashing", Counted)
    monkeypatch.setattr(memory, "_TAIL_ENTRIES", 5)  # an index of few entries is rare
    values = np.random.default_rng(3).integers(0, 2**64, 100, dtype=np.uint64)
    with Bank(path) as opened:
        opened.flag_many(values, "a list", anyway=True)
        opened.ask(np.uint64(KEY))
        for step in range(25):
            opened.flag(np.uint64(flipped(random.Random(step), KEY, 20)), "one more")
            opened.ask(np.uint64(KEY))
    assert built == [100, 111, 123], "each time a tenth more"


def test_an_answer_reads_only_what_is_new(opened):
    values = np.random.default_rng(1).integers(0, 2**64, 300, dtype=np.uint64)
    opened.flag_many(values, "a list", anyway=True)
    opened.ask(np.uint64(KEY))
    opened.flag(np.uint64(KEY), "one more")
    statements = []
    connection_of(opened).set_trace_callback(statements.append)
    assert opened.ask(np.uint64(KEY)).entry == 301
    connection_of(opened).set_trace_callback(None)
    assert [line for line in statements if "ORDER BY" in line] == [
        "SELECT id, time, action, entry, fingerprint, reason, source, others, checksum "
        "FROM events WHERE id >= 300 ORDER BY id"
    ]


# Pictures


def test_a_picture_is_a_file_an_image_or_a_fingerprint(opened, photographs, photograph):
    file = photographs / "cats" / "image_0001.jpg"
    value = hashes.of_file(file)
    entry = opened.flag(file, "banned", "a letter")
    assert opened.look(file)[0].value == value == opened.entries()["fingerprint"][0]
    for picture in (file, str(file), Image.open(file), value, int(value)):
        assert opened.ask(picture)[:3] == ("block", 0, entry)
    smaller = Image.open(file).resize((60, 40))
    assert opened.ask(hashes.of_image(smaller)).verdict == "block"
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
    with Image.open(file) as lazy, pytest.raises(Problem, match=r"cut\.jpg: ends before"):
        opened.ask(lazy)


@pytest.mark.slow
def test_ask_many_stops_at_nothing_and_keeps_the_order(opened, photographs, photograph):
    files = sorted(photographs.rglob("*.jpg"))
    (photographs / "broken.jpg").write_bytes(b"no picture")
    opened.flag(files[2], "banned")
    pictures = [files[0], photographs / "broken.jpg", files[2], KEY, files[2], "nowhere.png"]
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


@pytest.mark.slow
def test_a_panorama_of_50_million_pixels(opened, photograph, tmp_path):
    small = photograph(5, size=(1000, 500))
    small.resize((10_000, 5_000)).save(tmp_path / "panorama.jpg")
    opened.flag(small, "banned")
    assert opened.ask(tmp_path / "panorama.jpg").verdict == "review", "too smooth for the second"


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
    nothing = hashes.hash_of("dhash").nothing_within
    few = np.array([(1 << bits) - 1 for bits in range(65)], dtype=np.uint64)
    says = (~flat.says_nothing(few)).nonzero()[0]
    assert says.tolist() == list(range(nothing + 1, 64 - nothing))
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
