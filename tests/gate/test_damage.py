"""What is damaged is told, what is planted is not obeyed, and what is old is lifted."""

import itertools
import os
import re
import shutil
import sqlite3
import struct
from contextlib import closing, suppress
from pathlib import Path

import numpy as np
import pytest
from banks import KEY, Bank, change, is_whole, log_of
from kills import DIED, exit_code, work_until

from helpers import Problem
from helpers.__main__ import main
from helpers.gate import file, log

# A reader must not see "Exception ignored in ..." either.
pytestmark = pytest.mark.filterwarnings("error::pytest.PytestUnraisableExceptionWarning")

VALUES = [KEY ^ 1 << bit for bit in range(3)]
NO_LINKS = pytest.mark.skipif(os.name == "nt", reason="links need rights there")


@pytest.fixture
def bank(path):
    """A bank of three entries, one withdrawal, and an entry again."""
    with Bank(path) as opened:
        for bit, value in enumerate(VALUES):
            opened.flag(np.uint64(value), f"reason {bit}", f"letter {bit}")
        opened.unflag(1, "a mistake")
        opened.flag(np.uint64(KEY), "after all")
    return path


@pytest.mark.parametrize(
    "planted", ["[]", "null", '{"phash-256": 7}', '{"phash-256": "x"}', '{"phash-256": "00"}', "{"]
)
def test_a_planted_second_fingerprint_is_told_though_its_checksum_is_right(planted, bank):
    with closing(sqlite3.connect(bank)) as raw:
        (row,) = raw.execute("SELECT * FROM events WHERE id = 3")
    checksum = log.checksum(*row[:7], planted)
    change(bank, f"UPDATE events SET others = '{planted}', checksum = {checksum} WHERE id = 3")
    with Bank(bank) as opened, pytest.raises(log.Damaged, match="line 3 of its log is not as it"):
        opened.ask(np.uint64(VALUES[2]))


# Lines


LINES = [
    ("DELETE FROM events WHERE id = 2", "line 2 of its log is missing"),
    ("DELETE FROM events WHERE id IN (2, 3)", "lines 2 to 3 are missing"),
    ("DELETE FROM events WHERE id = 5", "line 5 of its log is missing"),
    ("DELETE FROM events", "lines 1 to 5 are missing"),
    ("UPDATE sqlite_sequence SET seq = 4", "line 5 of its log is there, but 4 is to be the last"),
    ("UPDATE sqlite_sequence SET seq = 'x'", "line 5 of its log is there, but 0 is to be the la"),
    ("UPDATE sqlite_sequence SET seq = 1 << 60", f"lines 6 to {1 << 60} are missing"),
    ("DELETE FROM sqlite_sequence", "line 5 of its log is there, but 0 is to be the last"),
    ("UPDATE events SET id = 9, entry = 9 WHERE id = 5", "lines 5 to 8 are missing"),
    ("UPDATE events SET source = CAST(x'ff' AS TEXT) WHERE id = 3", "line 3 of its log is missing"),
    *(
        (f"UPDATE events SET {name} = {value} WHERE id = 3", "line 3 of its log is not as it was")
        for name, value in [
            ("time", "'2024-05-03T12:00:00.000000Z'"),
            ("time", "'yesterday'"),
            ("time", "CAST(time AS BLOB)"),
            ("action", "'unflag'"),
            ("action", "'FLAG'"),
            ("entry", "2"),
            ("entry", "'three'"),
            ("entry", "3.5"),
            ("fingerprint", "'0123456789abcdef'"),
            ("fingerprint", "'zz' || substr(fingerprint, 3)"),
            ("fingerprint", "upper(fingerprint)"),
            ("fingerprint", "''"),
            ("fingerprint", "x'00ff'"),
            ("fingerprint", "CAST(fingerprint AS BLOB)"),
            ("fingerprint", "fingerprint || char(0)"),
            ("reason", "'another'"),
            ("reason", "CAST(reason AS BLOB)"),
            ("source", "x'ff'"),
            ("source", "'x' || source"),
            ("others", "'[]'"),
            ("checksum", "checksum + 1"),
            ("checksum", "'none'"),
        ]
    ),
]


@pytest.mark.parametrize(("statement", "sentence"), LINES)
def test_while_a_line_is_damaged_only_the_others_can_be_listed(statement, sentence, bank, tmp_path):
    with Bank(bank) as opened:
        whole = opened.entries(withdrawn=True)
    change(bank, statement)
    before = bank.read_bytes()
    (tmp_path / "more.csv").write_text("fingerprint,reason,source,time\n")
    with (tmp_path / "more.csv").open("a") as text:
        text.write(f"{KEY ^ 7:016x},why,whence,2024-05-03T12:00:00Z\n")
    with Bank(bank, make=False) as opened:
        for use in (
            lambda: opened.ask(np.uint64(KEY)),
            lambda: opened.ask_many([KEY]),
            lambda: opened.flag(np.uint64(KEY), "more"),
            lambda: opened.unflag(2, "a mistake"),
            lambda: opened.read_csv(tmp_path / "more.csv"),
            lambda: opened.write_csv(tmp_path / "none.csv"),
            lambda: opened.entries(),
            lambda: len(opened),
        ):
            with pytest.raises(log.Damaged, match=re.escape(sentence)) as problem:
                use()
            assert "\n" not in str(problem.value)
            assert "put a copy in its place, or export it" in str(problem.value)
        left_out = []
        rest = opened.entries(withdrawn=True, left_out=left_out)
        (problem,) = left_out
        assert sentence in str(problem)
        assert set(rest["fingerprint"]) <= set(whole["fingerprint"])
        if "events" in statement and "id = " in statement:
            assert len(rest) == len(whole) - 1
        assert opened.write_csv(tmp_path / "rest.csv", left_out=left_out) <= len(rest)
        assert len(left_out) == 2
    assert bank.read_bytes() == before
    assert not (tmp_path / "none.csv").exists()


@pytest.mark.parametrize(
    "statement",
    [
        "DELETE FROM sqlite_sequence",
        "UPDATE sqlite_sequence SET seq = x'ff'",
        "UPDATE sqlite_sequence SET name = 'Events', seq = 0",
        "INSERT INTO sqlite_sequence VALUES ('more', 0)",
    ],
)
def test_where_lines_and_their_number_are_lost_nothing_may_pass(statement, bank):
    change(bank, "DELETE FROM events", statement)
    with (
        Bank(bank, make=False) as opened,
        pytest.raises(log.Damaged, match="the number of its lines is not as it was written"),
    ):
        opened.ask(np.uint64(KEY))


@pytest.mark.slow
def test_a_flipped_bit_anywhere_in_a_line_is_told(bank):
    """In each byte of it, as a bad disk or a bad cable leaves it."""
    content, told = bank.read_bytes(), 0
    with closing(sqlite3.connect(bank)) as raw:
        *texts, checksum = raw.execute(
            "SELECT time, action, ' ', fingerprint, reason, source, others, checksum FROM events "
            "WHERE id = 3"  # an entry of one byte is no text in the file
        ).fetchone()
    start = content.index("".join(texts[:2]).encode())
    end = start + len("".join(texts)) + (4 if checksum < 2**31 else 6)
    for place, bit in itertools.product(range(start, end), (0, 5, 7)):
        flipped = bytearray(content)
        flipped[place] ^= 1 << bit
        bank.write_bytes(flipped)
        with Bank(bank) as opened, pytest.raises(log.Damaged, match="line 3 of its log"):
            opened.ask(np.uint64(KEY))
        told += 1
    assert told > 200


def test_a_page_that_cannot_be_read_stops_only_its_own_lines(path):
    with Bank(path) as opened:
        values = np.arange(2**40, 2**40 + 500, dtype=np.uint64)
        opened.flag_many(values, "x" * 50, anyway=True)
    content = bytearray(path.read_bytes())
    page = content.index(b"x" * 50, len(content) // 2) // 4096 * 4096
    content[page : page + 100] = bytes(100)
    path.write_bytes(content)
    left_out = []
    with Bank(path) as opened:
        with pytest.raises(Problem, match=r"is damaged .*are missing"):
            opened.ask(np.uint64(KEY))
        assert 400 < len(opened.entries(left_out=left_out)) < 500
    assert len(left_out) == 1


def test_a_line_that_was_damaged_after_it_was_read_is_told(bank):
    with Bank(bank) as opened:
        assert opened.ask(np.uint64(KEY)).entry == 5
        change(bank, "UPDATE events SET reason = 'another' WHERE id = 5")
        with pytest.raises(Problem, match="line 5 of its log is not as it was written"):
            opened.ask(np.uint64(KEY))


def test_the_command_line_tells_what_is_damaged(bank, photographs, tmp_path, capsys):
    change(bank, "UPDATE events SET fingerprint = '0123456789abcdef' WHERE id = 2")
    picture, text = photographs / "cats" / "image_0001.jpg", tmp_path / "rest.csv"
    for words, shown in (
        (["ask", "-b", bank, picture], 0),
        (["flag", "-b", bank, "--reason", "x", picture], 0),
        (["unflag", "-b", bank, "--reason", "x", "3"], 0),
        (["list", "-b", bank], 2),
        (["export", "-b", bank, "--csv", text], 1),
        (["import", "-b", bank, "--csv", text], 0),
    ):
        assert main(["gate", *map(str, words)]) == 2
        output = capsys.readouterr()
        assert len(output.out.splitlines()) == shown
        assert "banned.bank: is damaged (line 2 of its log is not as it was" in output.err
        assert output.err.count("\n") == 1
    other = tmp_path / "other.bank"
    assert main(["gate", "import", "--new", "-b", str(other), "--csv", str(text)]) == 0
    assert [row[3] for row in log_of(other)] == [VALUES[2], KEY]


# What the file says about itself


TRIGGER = "CREATE TRIGGER sqlite_x AFTER INSERT ON events BEGIN SELECT RAISE(IGNORE); END"


@pytest.mark.parametrize(
    "statement",
    [
        f"INSERT INTO sqlite_master VALUES ('trigger', 'sqlite_x', 'events', 0, '{TRIGGER}')",
        "CREATE VIEW more AS SELECT 1",
        "CREATE TABLE more (x)",
        "CREATE INDEX more ON events (reason)",
        "DROP INDEX withdrawn_once",
        "DROP TRIGGER never_deleted",
        "ANALYZE",
        "UPDATE sqlite_master SET type = 'view' WHERE name = 'events'",
        "UPDATE sqlite_master SET tbl_name = 'settings' WHERE name = 'never_changed'",
        "UPDATE sqlite_master SET name = 'never' WHERE name = 'never_changed'",
        "UPDATE sqlite_master SET rootpage = 4 WHERE name IN ('events', 'sqlite_sequence')",
        "UPDATE sqlite_master SET rootpage = 2 WHERE name = 'never_changed'",
        "UPDATE sqlite_master SET sql = replace(sql, 'NOT NULL', '') WHERE name = 'events'",
        "INSERT INTO sqlite_master SELECT * FROM sqlite_master WHERE name = 'never_deleted'",
    ],
)
def test_the_whole_schema_is_looked_at(statement, bank):
    whole = bank.read_bytes()
    with closing(sqlite3.connect(bank)) as raw, raw:
        raw.execute("PRAGMA writable_schema = ON")
        raw.execute(statement)
    before = bank.read_bytes()
    assert before != whole
    with pytest.raises(Problem, match="is damaged") as problem:
        Bank(bank)
    assert "\n" not in str(problem.value)
    assert bank.read_bytes() == before


def test_a_trigger_that_comes_while_a_bank_is_open_is_told(bank):
    with Bank(bank) as opened:
        with closing(sqlite3.connect(bank)) as raw, raw:
            raw.execute(TRIGGER.replace("sqlite_x", "more"))
        with pytest.raises(Problem, match="another program changed its tables"):
            opened.flag(np.uint64(KEY), "would be lost")


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE settings SET value = replace(value, 'false', 'true') WHERE name = 'reading'",
        "UPDATE settings SET value = replace(value, '2', '1') WHERE name = 'rules'",
        "DELETE FROM settings WHERE name = 'rules'",
        "DELETE FROM settings WHERE name = 'checksum'",
        "UPDATE settings SET value = '1' WHERE name = 'checksum'",
        "UPDATE settings SET value = x'ff' WHERE name = 'checksum'",
        "INSERT INTO settings VALUES (NULL, '1')",
        "INSERT INTO settings VALUES (x'00', '1')",
    ],
)
def test_settings_that_are_not_as_they_were_written_are_told(statement, bank):
    with closing(sqlite3.connect(bank)) as raw, raw:
        assert raw.execute(statement).rowcount == 1
    with pytest.raises(Problem, match="is damaged"):
        Bank(bank)


# What lies beside


def journal_of(bank, victim):
    """A journal that names another file, which SQLite deletes (pager_delsuper in its source)."""
    content = bank.read_bytes()
    page = struct.unpack(">H", content[16:18])[0]
    name, magic = os.fsencode(victim), bytes.fromhex("d9d505f920a163d7")
    header = magic + struct.pack(">IIIII", 0, 0, len(content) // page, 512, page)
    record = struct.pack(">I", 0x40000000 // page + 1) + name
    return header.ljust(512, b"\0") + record + struct.pack(">II", len(name), sum(name)) + magic


PLANTED = {
    "names a file": lambda bank, victim: journal_of(bank, victim),
    "names a file, and waits": lambda bank, victim: bytes(28) + journal_of(bank, victim)[28:],
    "a letter": lambda bank, victim: b"Dear diary",
    "too large": lambda bank, victim: journal_of(bank, victim)[:16] + b"\xff" * 12,
}


@pytest.mark.parametrize("early", [True, False])
@pytest.mark.parametrize("what", PLANTED)
def test_a_journal_that_no_bank_left_is_not_obeyed(what, early, bank, tmp_path):
    victim, journal = tmp_path / "thesis.txt", tmp_path / "banned.bank-journal"
    victim.write_text("my thesis")
    planted, before = PLANTED[what](bank, victim), bank.read_bytes()
    if early:
        journal.write_bytes(planted)
        with pytest.raises(Problem, match=r"banned.bank-journal: .*so no bank left it there; move"):
            Bank(bank)
    else:
        with Bank(bank) as opened:
            journal.write_bytes(planted)
            for use in (opened.ask, lambda value: opened.flag(value, "more")):
                with pytest.raises(Problem, match="so no bank left it there; move it away"):
                    use(np.uint64(KEY))
    assert victim.read_text() == "my thesis"
    assert journal.read_bytes() == planted
    assert bank.read_bytes() == before


@NO_LINKS
@pytest.mark.parametrize("end", ["-journal", "-wal", "-shm"])
@pytest.mark.parametrize("link", [os.symlink, os.link, None])
def test_a_link_beside_is_not_followed(link, end, bank, tmp_path):
    victim, beside = tmp_path / "thesis.txt", tmp_path / f"banned.bank{end}"
    if link:
        victim.write_bytes(b"")
        link(victim, beside)
    else:
        beside.symlink_to(victim)  # which is not there
    with pytest.raises(Problem, match=f"banned.bank{end}: .*so no bank left it there"):
        Bank(bank)
    assert victim.exists() == bool(link)
    assert os.path.lexists(beside)
    beside.unlink()
    with Bank(bank) as opened:
        assert opened.flag(np.uint64(KEY), "goes on") == 6


@NO_LINKS
def test_what_lies_beside_the_file_that_a_link_leads_to_counts(bank, tmp_path):
    (tmp_path / "there").mkdir()
    real = tmp_path / "there" / "real.bank"
    bank.rename(real)
    bank.symlink_to(real)
    Path(f"{real}-journal").write_bytes(journal_of(real, tmp_path / "x"))
    with pytest.raises(Problem, match=r"real.bank-journal: names another file"):
        Bank(bank)


def test_what_sqlite_itself_may_leave_is_taken(bank):
    """A journal that was begun, and nothing of which has reached the disk."""
    for content in (b"", bytes(12), bytes(512)):
        Path(f"{bank}-journal").write_bytes(content)
        with Bank(bank) as opened:
            assert opened.ask(np.uint64(KEY)).entry == 5
    with Bank(bank) as opened:
        assert opened.flag(np.uint64(KEY), "goes on") == 6


def test_to_open_a_bank_that_has_gone_makes_none(path):
    with pytest.raises(sqlite3.OperationalError), closing(file._connected(path)) as raw:
        raw.execute("SELECT 1 FROM sqlite_master")
    assert list(path.parent.iterdir()) == []


# Budgets


def test_a_bank_has_a_largest_size(bank, monkeypatch):
    monkeypatch.setattr(file, "MOST_BANK_BYTES", bank.stat().st_size + 8192)
    with Bank(bank) as opened:
        with pytest.raises(Problem, match=r"a bank has at most .* bytes, and this would be one of"):
            opened.flag_many(np.full(1000, KEY, dtype=np.uint64), "too many")
        assert opened.flag(np.uint64(KEY), "one more") == 6
    monkeypatch.setattr(file, "MOST_BANK_BYTES", bank.stat().st_size - 1)
    with pytest.raises(Problem, match="a bank has at most"):
        Bank(bank)


def test_a_value_of_a_gigabyte_is_not_read(bank):
    change(bank, "UPDATE events SET reason = zeroblob(300000) WHERE id = 2")
    with Bank(bank) as opened, pytest.raises(log.Damaged, match="line 2 of its log"):
        opened.ask(np.uint64(KEY))


# Banks of an older format

OLD = Path(__file__).parents[1] / "files_of_0_1" / "banned.bank"


@pytest.fixture
def old(path):
    """A copy of a bank that version 0.1 wrote."""
    shutil.copy(OLD, path)
    return path


def format_of(path):
    with closing(sqlite3.connect(path)) as raw:
        return int(raw.execute("SELECT value FROM settings WHERE name = 'format'").fetchone()[0])


def check_copy(old):
    """The copy that is kept of a bank of 0.1 is another such bank, with the same lines."""
    kept = Path(f"{old}.format-1")
    assert format_of(kept) == 1
    assert log_of(kept) == log_of(OLD)
    with Bank(kept, make=False) as opened, Bank(OLD) as was:
        assert opened.entries(withdrawn=True).equals(was.entries(withdrawn=True))


def test_the_first_change_lifts_an_old_bank_and_keeps_a_copy(old):
    with Bank(old) as opened, Bank(old) as other:
        entries = opened.entries(withdrawn=True)
        assert opened.ask(entries["fingerprint"][0]).verdict == "block"
        assert old.read_bytes() == OLD.read_bytes(), "to ask changes nothing"
        assert opened.flag(np.uint64(KEY), "banned") == 5
        assert format_of(old) == 2
        assert is_whole(old)
        assert other.ask(np.uint64(KEY)).entry == 5, "who had it open goes on"
        assert other.flag(np.uint64(KEY), "again") == 6
        assert opened.entries(withdrawn=True)[:3].equals(entries)
    with Bank(old) as opened:
        assert opened.ask(np.uint64(KEY)).entry == 5
        assert opened.file.settings["format"] == 2
    check_copy(old)
    assert sorted(file.name for file in old.parent.iterdir()) == [old.name, f"{old.name}.format-1"]


def test_a_bank_that_is_lifted_while_it_is_opened_is_seen_as_it_was_or_as_it_is(old, monkeypatch):
    """The format and the version of its tables are read at one moment: a writer waits until then."""
    monkeypatch.setattr(file, "_SECONDS_TO_WAIT", 0)  # private, so that a writer that waits is told
    read, tries = file.read_settings, []

    def read_and_let_another_write(*arguments):
        found = read(*arguments)
        if not tries:
            tries.append(True)
            with suppress(Problem):
                other.flag(np.uint64(KEY), "meanwhile")
        return found

    with Bank(old) as other:
        monkeypatch.setattr(file, "read_settings", read_and_let_another_write)
        with Bank(old) as opened:
            lines = len(log_of(old))
            assert opened.flag(np.uint64(KEY), "banned") == lines + 1
            assert opened.file.settings["format"] == 2
            assert other.ask(np.uint64(KEY)).verdict == "block"
    check_copy(old)


def test_an_empty_bank_of_0_1_lets_all_pass_and_takes_a_first_entry(old):
    change(old, "DELETE FROM events", "DELETE FROM sqlite_sequence")
    with Bank(old) as opened:
        assert opened.ask(np.uint64(KEY)).verdict == "allow"
        assert opened.flag(np.uint64(KEY), "banned") == 1
        assert opened.ask(np.uint64(KEY)).entry == 1


def test_a_change_that_fails_lifts_nothing(old):
    with Bank(old) as opened:
        for _ in range(2):
            with pytest.raises(Problem, match="has no entry 9"):
                opened.unflag(9, "a mistake")
            assert format_of(old) == 1
            assert len(opened) == 2
        opened.unflag(1, "a mistake")
        assert format_of(old) == 2
    check_copy(old)


def test_a_file_with_the_name_of_the_copy_is_not_replaced(old):
    kept = Path(f"{old}.format-1")
    kept.write_text("mine")
    with (
        Bank(old) as opened,
        pytest.raises(Problem, match=r"format-1: is there already, .*move it"),
    ):
        opened.flag(np.uint64(KEY), "banned")
    assert kept.read_text() == "mine"
    assert old.read_bytes() == OLD.read_bytes()


OLD_LINES = [
    "UPDATE events SET time = 'yesterday' WHERE id = 2",
    "UPDATE events SET entry = 1 WHERE id = 2",
    "UPDATE events SET fingerprint = x'00' WHERE id = 2",
    "UPDATE events SET fingerprint = '' WHERE id = 2",
    "UPDATE events SET reason = CAST(reason AS BLOB) WHERE id = 2",
    "UPDATE events SET reason = CAST(x'ff' AS TEXT) WHERE id = 2",
    "DELETE FROM events WHERE id = 2",
]


@pytest.mark.parametrize("statement", OLD_LINES)
def test_a_damaged_bank_of_0_1_is_told_and_not_lifted(statement, old):
    change(old, statement)
    before = old.read_bytes()
    with Bank(old) as opened:
        for use in (opened.ask, lambda value: opened.flag(value, "more")):
            with pytest.raises(log.Damaged, match="line 2 of its log"):
                use(np.uint64(KEY))
        assert opened.entries(left_out=[])["entry"].tolist() == [1]
    assert old.read_bytes() == before
    assert list(old.parent.iterdir()) == [old]


def flag_one(path):
    with Bank(path) as opened:
        opened.flag(np.uint64(KEY), "banned")


@pytest.mark.slow
def test_dying_before_every_file_operation_while_a_bank_is_lifted(tmp_path):
    for operation in itertools.count(1):
        path = tmp_path / str(operation) / "old.bank"
        path.parent.mkdir()
        shutil.copy(OLD, path)
        code = exit_code(work_until, operation, flag_one, path)
        assert code in (0, DIED)
        lines = len(log_of(path))
        assert lines == {1: 4, 2: 5}[format_of(path)]
        with Bank(path) as opened:
            assert opened.flag(np.uint64(KEY), "goes on") == lines + 1
        check_copy(path)
        assert len(list(path.parent.iterdir())) == 2, "nothing half-made is left"
        if code == 0:
            break
    assert operation > 3, "there are so many operations at least"
