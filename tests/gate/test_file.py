"""What the file of a bank says about itself, how it is made, and what is none."""

import itertools
import json
import os
import random
import re
import shutil
import sqlite3
import sys
from contextlib import closing, suppress
from importlib.metadata import version
from pathlib import Path

import numpy as np
import pytest
from banks import KEY, Bank, change, connection_of, is_whole, log_of, make_empty
from kills import DIED, count_moments, exit_code, kill_at, work_until
from PIL import Image, ImageOps

from helpers import Problem
from helpers.fingerprints import hashes, recipe
from helpers.gate import file, log
from helpers.images import opening

# A reader must not see "Exception ignored in ..." either.
pytestmark = pytest.mark.filterwarnings("error::pytest.PytestUnraisableExceptionWarning")


# A new bank


def test_a_new_bank_comes_with_its_first_entry(path):
    """An empty one would let everything pass."""
    with Bank(path) as opened, Bank(path) as other:
        assert opened.ask(np.uint64(KEY)).verdict == "allow"
        assert opened.ask_many([KEY])[0].verdict == "allow"
        assert len(opened) == 0
        assert opened.entries().empty
        assert opened.flag_many(np.array([], dtype=np.uint64), "a list") == range(0)
        assert opened.write_csv(path.with_name("none.csv")) == 0
        assert opened.read_csv(path.with_name("none.csv")) == 0
        assert len(opened.unflag([], "none")) == 0
        with pytest.raises(Problem, match="has no entry 1; list the entries"):
            opened.unflag(1, "a mistake")
        with pytest.raises(Problem, match="says nothing"):
            opened.flag(np.uint64(0), "banned")
        assert [file.name for file in path.parent.iterdir()] == ["none.csv"]
        assert opened.flag(np.uint64(KEY), "banned") == 1
        assert other.ask(np.uint64(KEY))[:3] == ("block", 0, 1)
        assert other.flag(np.uint64(KEY), "banned too") == 2
        assert opened.ask(np.uint64(KEY)).entry == 1
    assert sorted(file.name for file in path.parent.iterdir()) == [path.name, "none.csv"]
    Bank(path.with_name("never")).close()
    assert not path.with_name("never").exists()


@pytest.mark.parametrize("error", [KeyboardInterrupt, OSError("no room"), sqlite3.OperationalError])
def test_a_first_flag_that_fails_leaves_nothing(error, path, monkeypatch):
    add = log.Log.add

    def failing(opened, rows):
        add(opened, rows)
        raise error

    monkeypatch.setattr(log.Log, "add", failing)
    with Bank(path) as opened:
        with pytest.raises((KeyboardInterrupt, Problem)):
            opened.flag(np.uint64(KEY), "banned")
        assert list(path.parent.iterdir()) == []
        monkeypatch.setattr(log.Log, "add", add)
        assert opened.ask(np.uint64(KEY)).verdict == "allow"
        assert opened.flag(np.uint64(KEY), "banned") == 1


def test_what_others_made_meanwhile_in_another_way_is_not_added_to(path):
    with Bank(path) as opened, Bank(path, fast=True) as other:
        other.flag(np.uint64(KEY), "banned")
        before = path.read_bytes()
        for use in (opened.ask, lambda value: opened.flag(value, "banned")):
            with pytest.raises(
                Problem, match="was made meanwhile, with fast=True, and here is fas"
            ):
                use(np.uint64(KEY))
        assert path.read_bytes() == before


@pytest.mark.skipif(os.name == "nt", reason="links need rights there")
def test_a_new_bank_is_made_where_a_link_leads(path, tmp_path):
    (tmp_path / "there").mkdir()
    path.symlink_to(tmp_path / "there" / "real.bank")
    with Bank(path) as opened:
        opened.flag(np.uint64(KEY), "banned")
    assert path.is_symlink()
    assert [file.name for file in (tmp_path / "there").iterdir()] == ["real.bank"]


def flag_first(path):
    with Bank(path) as opened:
        opened.flag_many(np.arange(2**40, 2**40 + 50, dtype=np.uint64), "a list", anyway=True)


def check_all_or_nothing(path):
    """What a killed process left, and that the next one clears it."""
    if path.exists():
        assert is_whole(path)
        assert len(log_of(path)) == 50
    else:
        with pytest.raises(Problem, match="no such bank"):
            Bank(path, make=False)
    begun = 50 if path.exists() else 0
    with Bank(path) as opened:
        assert opened.flag(np.uint64(KEY), "goes on") == begun + 1
    return begun


@pytest.mark.slow
def test_killed_at_twenty_random_moments_while_it_is_made(tmp_path):
    moments, rng = count_moments(flag_first, tmp_path / "whole"), random.Random(11)
    for trial in range(20):
        path = tmp_path / str(trial) / "new.bank"
        path.parent.mkdir()
        kill_at(rng.randint(1, moments), flag_first, path)
        if not check_all_or_nothing(path):  # the next run makes it, and clears what is left
            assert [file.name for file in path.parent.iterdir()] == [path.name]


def test_dying_before_every_file_operation_while_it_is_made(tmp_path):
    for operation in itertools.count(1):
        path = tmp_path / str(operation) / "new.bank"
        path.parent.mkdir()
        code = exit_code(work_until, operation, flag_first, path)
        if code == 0:
            break
        assert code == DIED
        check_all_or_nothing(path)
    assert operation > 3, "there are so many operations at least"


def test_what_a_killed_process_left_of_a_new_bank_is_cleared(path):
    for end in ("", "-journal"):
        path.with_name(f".{path.name}.0a1b2c3d.fingerprints-partial{end}").write_bytes(b"killed")
    with Bank(path) as opened:
        opened.flag(np.uint64(KEY), "banned")
    assert [file.name for file in path.parent.iterdir()] == [path.name]


def test_a_second_name_that_a_killed_process_left_of_its_bank_goes_with_the_next_change(path):
    make_empty(path)
    left = path.with_name(f".{path.name}.0a1b2c3d.fingerprints-partial")
    os.link(path, left)
    with Bank(path) as opened:
        opened.ask(np.uint64(KEY))
        assert left.exists(), "who asks changes nothing"
        opened.flag(np.uint64(KEY), "banned")
        assert opened.ask(np.uint64(KEY)).verdict == "block"
    assert not left.exists()


# What made it


def test_a_bank_says_what_made_it(path):
    make_empty(path, fast=True)
    with Bank(path) as opened:
        assert opened.reading == {"rotate": True, "background": "white", "fast": True}
        assert opened.file.settings == {
            "format": log.NEWEST,
            "algorithm": "dhash",
            "hash_size": 8,
            "bits": 64,
            "reading": opened.reading,
            "rules": opening.RULES,
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
        assert opened.ask(photograph(9)).verdict != "allow", "as it is stored"
        assert opened.ask(hashes.of_file(tmp_path / "turned.jpg")).verdict == "allow"


@pytest.mark.skipif(sys.platform == "win32", reason="open files cannot be replaced there")
def test_a_bank_that_is_replaced_while_it_is_opened_is_refused(path, tmp_path, monkeypatch):
    other = tmp_path / "other.bank"
    for place in (path, other):
        make_empty(place)
    check = file.File._describe

    def replace_first(self, *arguments):
        other.replace(path)
        return check(self, *arguments)

    monkeypatch.setattr(file.File, "_describe", replace_first)  # just between two steps
    with pytest.raises(Problem, match="another file has taken its place"):
        Bank(path)


def test_a_name_that_is_none_is_one_sentence(opened, tmp_path):
    for use in (Bank, opened.read_csv, opened.write_csv):
        with pytest.raises(Problem, match=r"not a valid file name|cannot be read"):
            use("a\0b")


@pytest.mark.parametrize(
    "otherwise", [{"fast": True}, {"rotate": False}, {"background": "black"}, {"background": None}]
)
def test_another_reading_is_refused_with_the_reason(otherwise, path):
    make_empty(path)
    ((name, value),) = otherwise.items()
    with pytest.raises(Problem, match=f"was made with {name}=.*, and here is {name}={value!r}"):
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
        patch.setattr(
            recipe, "version", lambda name: "2.9" if name == "imagehash" else version(name)
        )
        with Bank(path) as opened:
            opened.flag(upload, "banned", anyway=True)
    with Bank(path) as opened:
        value = opened.entries()["fingerprint"][0]
        for refused in (opened.ask, lambda one: opened.ask_many([one]), opened.look):
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
    other = {"imagehash": version("imagehash").split(".")[0] + ".999", "pillow": "10.4"}
    with monkeypatch.context() as patch:
        patch.setattr(recipe, "version", other.get)
        make_empty(path)
    with Bank(path) as opened:
        assert opened.ask(photographs / "cats" / "image_0001.jpg").verdict == "allow"


def set_to(path, name, text):
    """As a bank would write another setting; what is no JSON, as another program would."""
    with closing(sqlite3.connect(path)) as raw, raw:
        raw.execute("UPDATE settings SET value = ? WHERE name = ?", (text, name))
        rows = raw.execute("SELECT name, value FROM settings WHERE name != 'checksum'")
        with suppress(ValueError, RecursionError):
            settings = json.dumps({name: json.loads(value) for name, value in rows}, sort_keys=True)
            checksum = json.dumps(log.checksum(settings))
            raw.execute("UPDATE settings SET value = ? WHERE name = 'checksum'", (checksum,))


@pytest.mark.parametrize(
    ("name", "text", "sentence"),
    [
        ("algorithm", '"phash"', "was made with phash of 64 bits, and here is dhash of 64 bits"),
        ("hash_size", "16", "was made with dhash of 256 bits, and here is dhash of 64 bits"),
        ("format", "3", "is a bank of format 3, and these helpers know format 1 and 2"),
        ("format", "1", "is damaged"),
        ("format", "true", "is a bank of format True"),
        ("format", "no JSON", "is damaged"),
        ("reading", "{}", "is damaged"),
        ("reading", "[]", "is damaged"),
        ("reading", '{"rotate": 1, "fast": 1, "background": "no colour"}', "is damaged"),
        ("reading", '{"rotate": 1, "fast": 1, "background": "red", "colour": 1}', "is damaged"),
        ("versions", "null", "is damaged"),
        ("versions", '{"pillow": 12}', "is damaged"),
        ("hash_size", "[" * 100_000, "is damaged"),
    ],
)
def test_settings_that_are_others_are_refused(name, text, sentence, path):
    make_empty(path)
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


# What version 0.1 made

OF_0_1 = Path(__file__).parents[1] / "files_of_0_1"


@pytest.fixture
def old(path):
    """A copy of a bank that version 0.1 wrote."""
    shutil.copy(OF_0_1 / "banned.bank", path)
    return path


def test_a_bank_of_0_1_answers_and_takes_flags(old, photograph):
    before = old.read_bytes()
    with Bank(old, make=False) as opened:
        assert opened.entries()["entry"].tolist() == [1, 2]
        for name in ("astronaut.jpg", "transparent.png"):
            assert opened.ask(OF_0_1 / "pictures" / name)[:2] == ("block", 0)
        assert opened.ask(OF_0_1 / "pictures" / "cell.jpg").verdict == "allow"
        assert old.read_bytes() == before
        assert opened.flag(photograph(5), "banned") == 5
    with Bank(old, make=False) as opened:
        assert opened.ask(photograph(5)).entry == 5


def test_a_bank_that_begins_with_entries_of_0_1_reads_by_the_rules_of_0_1(path, tmp_path):
    with Bank(path, make=True) as opened:
        opened.read_csv(OF_0_1 / "banned.csv")
        assert opened.ask(OF_0_1 / "pictures" / "astronaut.jpg")[:2] == ("block", 0)
    with Bank(path) as opened:
        assert set(opened.file.recipe.rules.values()) == {1}
        assert opened.ask(OF_0_1 / "pictures" / "astronaut.jpg")[:2] == ("block", 0)
    with Bank(tmp_path / "other.bank", make=True) as other:
        other.flag(OF_0_1 / "pictures" / "cell.jpg", "banned")
        with pytest.raises(Problem, match=r"and this bank with .* 16-bits=2"):
            other.read_csv(OF_0_1 / "banned.csv")


def test_entries_of_0_1_are_taken_in(old, path, tmp_path):
    with Bank(tmp_path / "new.bank") as opened:
        assert opened.read_csv(OF_0_1 / "banned.csv") == 2
        opened.write_csv(tmp_path / "banned.csv")
    assert (tmp_path / "banned.csv").read_bytes() == (OF_0_1 / "banned.csv").read_bytes()
    with Bank(old) as opened:
        assert opened.read_csv(OF_0_1 / "banned.csv") == 0


@pytest.fixture
def rule_2(monkeypatch):
    """A second rule for transparency, as a later version may bring one: all is mirrored."""
    monkeypatch.setitem(
        opening.WAYS["transparency"], 2, lambda image, background: ImageOps.mirror(image)
    )
    monkeypatch.setitem(opening.RULES, "transparency", 2)


def test_a_bank_of_0_1_is_asked_by_the_rules_of_0_1(old, rule_2, tmp_path):
    picture = OF_0_1 / "pictures" / "astronaut.jpg"
    with Bank(old) as opened, Bank(tmp_path / "new.bank") as new:
        assert opened.ask(picture)[:2] == ("block", 0)
        assert opened.ask_many([picture] * 2, workers=1)[1].verdict == "block"
        new.flag(picture, "banned")
        assert new.ask(picture)[:2] == ("block", 0)
        assert new.look(picture)[0].value != opened.look(picture)[0].value
        new.write_csv(tmp_path / "new.csv")
        with pytest.raises(Problem, match=r"was made with 'dhash 8 .* transparency=2', and this"):
            opened.read_csv(tmp_path / "new.csv")
    with Bank(tmp_path / "new.bank", make=False) as new:
        assert new.file.settings["rules"]["transparency"] == 2
        assert new.ask(picture)[:2] == ("block", 0)


def test_a_rule_that_only_newer_helpers_know_is_one_sentence(old):
    with closing(sqlite3.connect(old)) as raw, raw:
        raw.execute("INSERT INTO settings VALUES ('rules', '{\"transparency\": 7}')")
    with pytest.raises(Problem, match="was read by rule 7 for transparency, which only newer help"):
        Bank(old)
    with closing(sqlite3.connect(old)) as raw, raw:
        raw.execute("UPDATE settings SET name = 'rulez' WHERE name = 'rules'")
    with pytest.raises(Problem, match=r"is damaged .it does not say in known words what made it"):
        Bank(old)


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
    with pytest.raises(Problem, match=r"banned\.bank: is an empty file; delete it"):
        Bank(path)


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
        with (
            Bank(path.with_name("new.bank")) as opened,
            pytest.raises(Problem, match=r"may not be opened .*; ask for permission"),
        ):
            opened.flag(np.uint64(KEY), "banned")
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
        connection_of(opened).execute("PRAGMA query_only = ON")
        with pytest.raises(Problem, match=r"could not be written .*readonly"):
            opened.flag(np.uint64(KEY), "banned")
        assert opened.ask(np.uint64(KEY)).entry == 1


@pytest.mark.slow
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


@pytest.mark.parametrize(
    ("statement", "sentence"),
    [
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
    change(path)
    with Bank(path) as opened:
        assert len(opened) == 3
    change(path, statement)
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
    make_empty(path)
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


def test_a_bank_that_was_switched_to_a_write_ahead_log_is_one_sentence(path):
    make_empty(path)
    with closing(sqlite3.connect(path)) as raw:
        raw.execute("PRAGMA journal_mode = WAL")
    with pytest.raises(Problem, match="gave it a write-ahead log; there, take that back"):
        Bank(path)
    assert list(path.parent.iterdir()) == [path]


def test_names_that_mean_something_to_sqlite_are_names(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    names = ["file:x.bank", ":memory:"] if sys.platform != "win32" else []
    for name in [*names, "a b?mode=ro#%20.bank" if names else "a b#%20.bank", "Кот 猫.bank"]:
        with Bank(name) as opened:
            opened.flag(np.uint64(KEY), "banned")
        assert (tmp_path / name).stat().st_size > 0
        with Bank(name, make=False) as opened:
            assert len(opened) == 1
