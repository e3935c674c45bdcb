"""What the tests of the gate share: fingerprints, texts, and a bank's file as SQLite has it."""

import random
import sqlite3
from contextlib import closing
from functools import partial

from helpers.gate import bank
from helpers.gate.file import File

Bank = partial(bank.Bank, make=True)  # in most tests there is none yet

KEY = 0x3C3C3E0F8ECECDC9
HEADER = "fingerprint,reason,source,time"
TIME = "2024-05-03T12:00:00.000000Z"

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


def make_empty(path, **reading):
    """A bank whose number of lines is 0. No version leaves one behind; tests count from there."""
    made = File(path, make=True, **reading)
    count = "INSERT INTO sqlite_sequence VALUES ('events', 0)"
    made.write(lambda log: log.connection.execute(count))
    made.close()


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


def connection_of(opened):
    """SQLite's connection, to make rare what is common: private, and for tests only."""
    return opened.file._log.connection


def change(path, *statements):
    """Change a bank as somebody could who knows how it is made; its tables stay described as they were."""
    with closing(sqlite3.connect(path)) as raw, raw:
        rows = raw.execute("SELECT sql FROM sqlite_master WHERE type = 'trigger'").fetchall()
        raw.execute("DROP TRIGGER never_changed")
        raw.execute("DROP TRIGGER never_deleted")
        raw.execute("PRAGMA ignore_check_constraints = ON")
        for statement in statements:
            raw.execute(statement)
        for (trigger,) in rows:
            raw.execute(trigger)
