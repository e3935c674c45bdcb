"""What was acknowledged is safe: killed, crowded, or without room."""

import itertools
import json
import os
import random
import re
import shutil
import sqlite3
import subprocess
import sys
import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing

import numpy as np
import pytest
from banks import (
    CENTRES,
    KEY,
    Bank,
    connection_of,
    flipped,
    in_force_after,
    is_whole,
    log_of,
    make_empty,
    near_a_centre,
    right_answer,
)
from kills import context, count_moments, kill_at

from helpers import Problem
from helpers.gate import file

# A reader must not see "Exception ignored in ..." either.
pytestmark = pytest.mark.filterwarnings("error::pytest.PytestUnraisableExceptionWarning")


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
            "INSERT INTO events SELECT 3, time, action, 1, fingerprint, reason, source, others, 0 FROM events WHERE id = 2",
            "INSERT INTO events SELECT 3, time, action, 1, fingerprint, reason, source, others, 0 FROM events WHERE id = 1",
            "INSERT INTO events SELECT 3, time, action, 3, 'no digits', reason, source, others, 0 FROM events WHERE id = 1",
        ):
            with pytest.raises(sqlite3.IntegrityError):
                raw.execute(statement)


# What is safe


def test_what_a_flag_costs_is_paid(opened):
    """The file, the journal and their folder are on the disk before a flag returns."""
    opened.flag(np.uint64(KEY), "banned")
    settings = {
        name: connection_of(opened).execute(f"PRAGMA {name}").fetchone()[0]
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


@pytest.mark.slow
@pytest.mark.skipif(not strace_works(), reason="needs strace")
def test_the_disk_has_it_before_flag_returns(path, tmp_path):
    code = (
        "import sys, numpy as np; from helpers.gate.bank import Bank\n"
        "with Bank(sys.argv[1], make=True) as b:\n"
        f"    b.flag(np.uint64({KEY}), 'banned')\n"
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
    here, there = context.Pipe()
    process = context.Process(target=flag_what_comes, args=(path, there))
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


def work(path, folder, name, rounds, together, there):
    """Flag, withdraw and ask, and note what was acknowledged and answered.

    With an answer goes how long the log was, by SQLite itself, just before and just after. After so
    many rounds it tells that it may be killed, and goes on, or is done if there is nobody to tell.
    """
    rng = random.Random(name)
    with (
        closing(sqlite3.connect(path, timeout=60)) as raw,
        Bank(path) as opened,
        (folder / name).open("w") as file,
    ):

        def length():
            return raw.execute("SELECT coalesce(max(id), 0) FROM events").fetchone()[0]

        together.wait()
        for number in itertools.count() if there else range(rounds):
            if number == rounds:
                there.send("kill me")
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


@pytest.mark.slow
def test_four_processes_at_once_two_of_which_are_killed(path, tmp_path):
    make_empty(path)
    rounds = {"first": 200, "second": 200, "third": 30, "fourth": 60}
    together, processes, victims = context.Barrier(4), {}, {}
    for name in rounds:
        here, there = context.Pipe(duplex=False)
        if name in ("third", "fourth"):
            victims[name] = here
        arguments = (
            path,
            tmp_path,
            name,
            rounds[name],
            together,
            there if here in victims.values() else None,
        )
        processes[name] = context.Process(target=work, args=arguments)
        processes[name].start()
    for name, here in victims.items():
        assert here.recv() == "kill me"
        processes[name].kill()
    for process in processes.values():
        process.join()
    assert [processes[name].exitcode for name in ("first", "second")] == [0, 0]
    assert all(notes(tmp_path / name)[-1] != ["done"] for name in victims)
    assert check_notes(path, tmp_path, rounds) > 150


def flag_lists(path, folder, size, lists):
    with Bank(path) as opened, (folder / "lists").open("w") as file:
        first = len(opened)  # so that no two runs give the same reasons
        for seed in range(lists):
            values = np.random.default_rng(seed).integers(2**40, 2**63, size, dtype=np.uint64)
            numbers = opened.flag_many(values, f"{first} {seed}", anyway=True)
            note(file, numbers.start, f"{first} {seed}")


@pytest.mark.slow
@pytest.mark.parametrize("size", [1, 400, 5_000])
def test_killed_at_twenty_random_moments(size, path, tmp_path):
    make_empty(path)
    other = tmp_path / "other.bank"
    make_empty(other)
    # from the first list on, since the first change also opens the lock
    opening, end = (count_moments(flag_lists, other, tmp_path, size, lists) for lists in (1, 5))
    rng, acknowledged, killed_at_work = random.Random(size), 0, 0
    for _ in range(20):
        moment = rng.randint(opening, end)
        assert kill_at(moment, flag_lists, path, tmp_path, size, 1_000) != 0
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
        rows = ((n, "t", "flag", n, f"{n:016x}", "half", "", "{}", 0) for n in range(5_001, 15_001))
        raw.executemany("INSERT INTO events VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", rows)
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
        for _ in range(10):
            value = np.uint64(near_a_centre(rng))
            entry = opened.flag(value, f"thread {seed}")
            assert opened.ask(value)[1] == 0
            opened.unflag(entry, f"thread {seed}")
        return seed

    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(use, range(8))) == list(range(8))
    assert len(opened) == 0
    assert len(log_of(opened.path)) == 160


def test_banks_may_be_made_by_many_at_once(path):
    together = threading.Barrier(8)

    def make(number):
        together.wait()
        with Bank(path) as opened:
            return opened.flag(np.uint64(KEY), f"by {number}")

    with ThreadPoolExecutor(8) as pool:
        assert sorted(pool.map(make, range(8))) == list(range(1, 9))


def test_a_bank_that_others_keep_busy_is_one_sentence(path, monkeypatch):
    monkeypatch.setattr(file, "_SECONDS_TO_WAIT", 0.05)  # a minute of it is rare
    make_empty(path)
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
    make_empty(path)
    begun = threading.Event()
    with (
        Bank(path) as opened,
        closing(sqlite3.connect(path, isolation_level=None)) as raw,
        ThreadPoolExecutor() as pool,
    ):
        raw.execute("BEGIN EXCLUSIVE")
        connection_of(opened).set_trace_callback(lambda statement: begun.set())
        flag = pool.submit(opened.flag, np.uint64(KEY), "after them")
        assert begun.wait(60)
        assert not flag.done()
        raw.execute("ROLLBACK")
        assert flag.result() == 1


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
    make_empty(opened.path)
    assert len(opened) == 0
    with monkeypatch.context() as patch:  # to be stopped just there is rare
        patch.setattr(opened.file._log, "connection", Stopping(connection_of(opened)))
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
    (pages,) = connection_of(opened).execute("PRAGMA page_count").fetchone()
    connection_of(opened).execute(f"PRAGMA max_page_count = {pages}")
    full = r"banned\.bank: could not be written \(database or disk is full\); make room there"
    with pytest.raises(Problem, match=full):
        opened.flag_many(values, "another list", anyway=True)
    text = tmp_path / "list.csv"
    text.write_text(text.read_text().replace("a list", "another list"))
    with pytest.raises(Problem, match=full):
        opened.read_csv(text, anyway=True)
    assert len(opened) == 3_001
    assert opened.ask(np.uint64(KEY)).entry == 3_001
    connection_of(opened).execute("PRAGMA max_page_count = 1000000")
    assert opened.flag_many(values, "another list", anyway=True) == range(3_002, 6_002)
    assert is_whole(opened.path)


FILL = """
import resource, sys
import numpy as np
from helpers import Problem
from helpers.gate.bank import Bank
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
