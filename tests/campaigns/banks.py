"""Spoilt banks: every answer is the right one or a `Problem`, and nothing that a bank names is touched."""

import json
import random
import re
import shutil
import sqlite3
import struct
from contextlib import closing, suppress
from pathlib import Path

import numpy as np
from harness import Failure, ask, check_unchanged, contents, odd, spoil

from helpers.gate.bank import Bank

SIZES = 150, 10_000
_QUERIES = 12
_NEW = np.uint64(0x123456789ABCDEF1)


def prepare(here: Path) -> None:
    rng = random.Random(0)
    values = [rng.getrandbits(64) for _ in range(40)]
    with Bank(here / "x.bank", make=True) as bank:
        for start in range(0, 40, 10):
            sources = [f"letter {start + number}" for number in range(10)]
            bank.flag_many(np.uint64(values[start : start + 10]), f"reason {start}", sources)
        bank.unflag([3, 14, 15], "it was the owner's own")
        near = [value ^ rng.choice((0, 1, 0x1010, 0x11111, 2**64 - 1)) for value in values]
        queries = [*near[: _QUERIES - 2], values[2], values[13]]
        answers = [list(bank.ask(np.uint64(query))) for query in queries]
        entries = bank.entries().astype(str).to_numpy().tolist()
    (here / "right.json").write_text(json.dumps([queries, answers, entries]))
    with closing(sqlite3.connect(here / "x.bank", isolation_level=None)) as connection:
        connection.execute("PRAGMA cache_size = 1")  # so that the pages go to the file at once
        connection.execute("BEGIN IMMEDIATE")
        table = _tables(connection)[0]
        connection.execute(f"CREATE TABLE more AS SELECT * FROM {table}")
        connection.execute("CREATE TABLE zeros AS SELECT zeroblob(100000) AS x")
        shutil.copy(here / "x.bank", here / "half.bank")
        shutil.copy(here / "x.bank-journal", here / "half.bank-journal")
        connection.execute("ROLLBACK")


def case(place: Path, here: Path, rng: random.Random) -> None:
    file, journal = place / "x.bank", place / "x.bank-journal"
    (place / "thesis.txt").write_text("my thesis")
    shutil.copy(here / "x.bank", file)
    how = rng.randrange(8)
    if how < 2:
        file.write_bytes(spoil(rng, file.read_bytes(), (here / "half.bank").read_bytes()))
    elif how == 2:
        _flip_a_digit(rng, file)
    elif how < 6:
        with (
            suppress(sqlite3.Error, OverflowError, UnicodeEncodeError),
            closing(sqlite3.connect(file, isolation_level=None)) as connection,
        ):
            _edit(rng, connection)
    elif how == 6:  # a writer was killed, and then something happened to what it left
        shutil.copy(here / "half.bank", file)
        content = (here / "half.bank-journal").read_bytes()
        journal.write_bytes(spoil(rng, content) if rng.random() < 0.7 else content)
    else:
        _plant_beside(rng, file, place / "thesis.txt")
    before = {"thesis.txt": contents(place)["thesis.txt"]}
    try:
        _check_answers(file, here, rng)
    finally:
        after = contents(place)
    check_unchanged(before, after)
    if strangers := {path for path in after if not path.startswith("x.bank")} - {*before, "x.csv"}:
        raise Failure("something was created", str(strangers))


def _check_answers(file: Path, here: Path, rng: random.Random) -> None:
    queries, answers, entries = json.loads((here / "right.json").read_text())
    bank, _ = ask(Bank, file)
    if bank is None:
        return
    with bank:
        sound = True
        for query, right in zip(queries, answers, strict=True):
            answer, problem = ask(bank.ask, np.uint64(query))
            if not problem and list(answer) != right:
                raise Failure("silently wrong: an answer", f"{answer}, not {right}")
            sound = sound and not problem
        table, problem = ask(bank.entries)
        if sound and not problem and table.astype(str).to_numpy().tolist() != entries:
            raise Failure("silently wrong: the list", "")
        ask(bank.write_csv, file.with_name("x.csv"))
        if rng.random() < 0.3:
            _, problem = ask(bank.flag, _NEW, "new")
            answer, refused = ask(bank.ask, _NEW)
            if not problem and not refused and answer.verdict != "block":
                raise Failure("silently wrong: what was flagged is let pass", str(answer))


def _tables(connection: sqlite3.Connection) -> list[str]:
    query = "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'"
    names = [name for (name,) in connection.execute(query)]
    return sorted(names, key=lambda name: name != "events")


def _flip_a_digit(rng: random.Random, file: Path) -> None:
    """Change a letter of a text, as a bad block does, so that it is still a text of its kind."""
    content = bytearray(file.read_bytes())
    found = list(re.finditer(rb"[0-9a-f]{16}|reason \d+|letter \d+|20\d\d-[0-9-]{5}T", content))
    start, end = rng.choice(found).span()
    for _ in range(rng.choice((1, 1, 4))):
        content[end - 1 - rng.randrange(min(16, end - start))] = ord(rng.choice("0123456789abcdef"))
    file.write_bytes(content)


def _edit(rng: random.Random, connection: sqlite3.Connection) -> None:
    """Change a bank as another program could: a value, a row, or how its tables are described."""
    table = rng.choice(_tables(connection))
    columns = [row[1] for row in connection.execute(f"PRAGMA table_info({table})")]
    column = rng.choice(columns)
    rows = [row[0] for row in connection.execute(f"SELECT rowid FROM {table}")]
    some = rng.choice([*rows, rows[-1]])
    kept = connection.execute("SELECT name, sql FROM sqlite_master WHERE type = 'trigger'")
    kept = kept.fetchall()
    for name, _ in kept:
        connection.execute(f"DROP TRIGGER {name}")
    connection.execute("PRAGMA ignore_check_constraints = ON")
    connection.execute("PRAGMA writable_schema = ON")
    how = rng.randrange(9)
    if how < 2:
        value = rng.choice((odd(rng), rng.randbytes(8), "0" * 10**6, f"{rng.getrandbits(64):016x}"))
        if isinstance(value, (list, dict)):
            value = json.dumps(value)
        connection.execute(f"UPDATE {table} SET {column} = ? WHERE rowid = ?", (value, some))
    elif how == 2:
        connection.execute(f"DELETE FROM {table} WHERE rowid = ?", (some,))
    elif how == 3:
        rest = ", ".join(name for name in columns if name not in ("id", "name", column))
        first = f"(SELECT max(rowid) + 1 FROM {table})"
        query = f"INSERT INTO {table} ({columns[0]}, {rest}, {column}) "
        value = rng.choice((column, "'x'", "NULL", "1"))
        connection.execute(
            f"{query} SELECT {first}, {rest}, {value} FROM {table} WHERE rowid = {some}"
        )
    elif how == 4:
        action = rng.choice(("AFTER INSERT", "BEFORE INSERT", "AFTER UPDATE", "AFTER DELETE"))
        does = rng.choice((f"DELETE FROM {table}", "SELECT RAISE(IGNORE)"))
        connection.execute(f"CREATE TRIGGER extra {action} ON {table} BEGIN {does}; END")
        name = rng.choice(("extra", "sqlite_extra"))
        connection.execute("UPDATE sqlite_master SET name = ? WHERE name = 'extra'", (name,))
    elif how == 5:
        column_of = {"loop": "x", "zeros": "zeroblob(900000000)"}
        what = rng.choice(sorted(column_of))
        values = ", ".join(f"{column_of[what]} AS {name}" for name in columns)
        loop = "WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c) "
        connection.execute(f"ALTER TABLE {table} RENAME TO old")
        connection.execute(
            f"CREATE VIEW {table} AS {loop * (what == 'loop')}SELECT {values}"
            + " FROM c" * (what == "loop")
        )
    elif how == 6:
        name, text = rng.choice(
            connection.execute("SELECT name, sql FROM sqlite_master WHERE sql > ''").fetchall()
        )
        old, new = rng.choice(
            (("TEXT", "BLOB"), ("TEXT", "INTEGER"), ("NOT NULL", ""), (")", ") "))
        )
        text = spoil(rng, text.encode()).decode("latin-1") if rng.random() < 0.5 else text
        text = text.replace(old, new)
        connection.execute("UPDATE sqlite_master SET sql = ? WHERE name = ?", (text, name))
    elif how == 7:
        pragma = rng.choice(("user_version", "application_id", "journal_mode", "auto_vacuum"))
        value = {"journal_mode": "WAL", "auto_vacuum": "1"}.get(pragma, "99")
        connection.execute(f"PRAGMA {pragma} = {value}")
        connection.execute("VACUUM")
    else:
        connection.execute(f"PRAGMA page_size = {rng.choice((512, 65536))}")
        connection.execute("VACUUM")
    if how != 7 or rng.random() < 0.9:
        for _, text in kept:
            connection.execute(text)


def _plant_beside(rng: random.Random, file: Path, victim: Path) -> None:
    """Put a file beside the bank that SQLite obeys: a journal that names another file, or a log."""
    content = file.read_bytes()
    page = struct.unpack(">H", content[16:18])[0]
    name, magic = str(victim).encode(), bytes.fromhex("d9d505f920a163d7")
    header = magic + struct.pack(">IIIII", 0, 0, len(content) // page, 512, page)
    record = struct.pack(">I", 0x40000000 // page + 1) + name
    record += struct.pack(">II", len(name), sum(name)) + magic
    planted, how = header.ljust(512, b"\0") + record, rng.randrange(4)
    if how == 0:
        planted = spoil(rng, planted)
    elif how == 1:
        file.write_bytes(content[:18] + b"\2\2" + content[20:])
        Path(f"{file}-wal").write_bytes(rng.randbytes(rng.choice((0, 32, 5000))))
        return
    elif how == 2:
        Path(f"{file}-journal").symlink_to(victim)
        return
    Path(f"{file}-journal").write_bytes(planted)
