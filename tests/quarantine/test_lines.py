"""A journal that somebody changed, and links where the quarantine has files: undo obeys nothing planted."""

import json
import os
import shutil
from contextlib import suppress
from functools import partial
from unittest import mock

import pytest
from inputs import POSIX
from moves import (
    KEPT,
    SPOILED,
    change,
    digest,
    left_alone,
    other_file_system,
    plans,
    split,
    state,
    way_of,
)

from helpers import Problem
from helpers.__main__ import main
from helpers.quarantine import journal, lines
from helpers.quarantine.lines import JOURNAL, LOCK, RESERVE, read_journal
from helpers.quarantine.moving import apply, undo
from helpers.quarantine.plans import write_plan

PIPES = pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes in folders here")
DAMAGED = "has lines that are damaged or foreign, and were passed over"
STRANGER = "is not in the journal; put it back by hand"
SHA256 = "0" * 64


def words(*values):
    return json.dumps(values).encode()


def about(begin, **values):
    """The line that begins a move, with other values."""
    names = ("word", "where", "path", "sha256", "mode", "modified")
    return words(*{**dict(zip(names, json.loads(begin), strict=True)), **values}.values())


#: What may become of the line that begins the move of a file.
DAMAGES = {
    "a letter": lambda line: line.replace(b"begin", b"bfgin"),
    "no brackets": lambda line: line[1:-1],
    "lost": lambda line: b"",
    "cut": lambda line: line[:30],
    "no text": lambda line: line[:20] + b"\xff\xfe" + line[20:],
    "zeros": lambda line: bytes(len(line)),
    "deep": lambda line: b"[" * 100_000,
    "deep and whole": lambda line: b"[" * 900 + b"]" * 900,
    "long": lambda line: b"[" + b" " * 2**18 + line[1:],
    "a huge number": lambda line: line[:-1] + b"9" * 5000 + b"]",
    "a fraction": lambda line: line[:-1] + b".5]",
    "one more": lambda line: line[:-1] + b", 1]",
    "elsewhere": partial(about, where="up"),
    "no file has it": partial(about, sha256="a/../b"),
    "in capitals": partial(about, sha256="A" * 64),
    "below zero": partial(about, mode=-1),
    "too many bits": partial(about, mode=2**31),
    "a truth": partial(about, mode=True),
    "a text": partial(about, mode="420"),
    "after all time": partial(about, modified=10**30),
    "before all time": partial(about, modified=-(10**30)),
    "nothing": partial(about, modified=None),
    "a list": partial(about, path=[SPOILED]),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_line_stops_no_other_file(damage, library, place, plan):
    before = state(library)
    apply(library, plan)
    whole = (place / JOURNAL).read_bytes().splitlines()
    number = next(number for number, line in enumerate(whole) if SPOILED.encode() in line)
    whole[number] = DAMAGES[damage](whole[number])
    (place / JOURNAL).write_bytes(b"\n".join(whole) + b"\n")
    done = undo(place)
    assert state(place) == {SPOILED: before.pop(SPOILED)}
    assert state(library) == before
    numbers = [number + 2] if damage in ("lost", "cut") else [number + 1, number + 2]
    numbers = ", ".join(map(str, numbers))
    assert left_alone(done) == {SPOILED: STRANGER, JOURNAL: f"{DAMAGED}: {numbers}"}


@pytest.mark.parametrize("where", ["in", "out"])
def test_a_line_that_tells_that_a_move_has_ended_may_be_lost(where, library, place, plan):
    before = state(library)
    apply(library, plan)
    if where == "out":
        undo(place)
    end = words("is", where, SPOILED)
    whole = (place / JOURNAL).read_bytes()
    assert whole.count(end) == 1
    (place / JOURNAL).write_bytes(whole.replace(end, b'["iz"]'))
    assert list(left_alone(undo(place))) == [JOURNAL]
    assert state(library) == before


#: Lines that nobody wrote who moved a file.
FOREIGN = {
    "out of the quarantine": "../outside/mine.txt",
    "absolute": "/etc/hosts",
    "in a folder that is a link": "link/mine.txt",
    "a zero": "a\0b.jpg",
    "no text at all": "\ud800/x.jpg",
    "not plain": "photos//0.jpg",
    "nothing": "",
    "here": ".",
    "the journal": JOURNAL,
    "the lock": LOCK,
    "the lock in capitals": LOCK.upper(),
    "the reserve": RESERVE,
    "too long": "a" * 300 + "/" + "b" * 5000,
    "below a file": f"{SPOILED}/x",
    "a folder": "backup 1",
    "what was kept": KEPT,
}


@POSIX
@pytest.mark.parametrize("path", FOREIGN.values(), ids=FOREIGN)
@pytest.mark.parametrize("where", ["in", "out"])
@pytest.mark.parametrize("ended", [True, False])
def test_a_planted_line_moves_nothing(ended, where, path, library, place, plan, tmp_path):
    before = state(library)
    apply(library, plan)
    mine = tmp_path / "outside" / "mine.txt"
    mine.parent.mkdir()
    mine.write_bytes(b"")  # as the lock is
    for folder in (library, place):
        (folder / "link").symlink_to(mine.parent)
    with (place / JOURNAL).open("ab") as file:
        file.write(words("begin", where, path, digest(b""), 0o644, 0) + b"\n")
        if ended:
            file.write(words("is", where, path) + b"\n")
    assert (undo(place)["outcome"] == "put back").sum() == 12
    assert (state(library), state(place)) == (before, {})
    assert [file.name for file in mine.parent.iterdir()] == ["mine.txt"]
    assert (place / LOCK).is_file()


def test_lines_that_contradict_others_are_told(library, place, plan):
    before = state(library)
    apply(library, plan)
    planted = [
        words("is", "out", SPOILED),  # no move was begun
        words("folder", str(library.parent)),
        words("begin", "in", SPOILED, SHA256, 0o644, 0),  # another file
        words("is", "in", SPOILED),
    ]
    begin = len((place / JOURNAL).read_bytes().splitlines()) + 1
    with (place / JOURNAL).open("ab") as file:
        file.write(b"\n".join(planted) + b"\n")
    assert left_alone(undo(place)) == {
        SPOILED: "has changed in quarantine; put it back by hand",
        JOURNAL: f"{DAMAGED}: {begin}, {begin + 1}",
    }
    assert state(place) == {SPOILED: before[SPOILED]}


@pytest.mark.parametrize("owner", ["\0", "\ud800", "photos", "", "a" * 5000])
def test_an_odd_owner_is_none(owner, library, place, plan):
    apply(library, plan)
    _, rest = (place / JOURNAL).read_bytes().split(b"\n", 1)
    (place / JOURNAL).write_bytes(words("folder", owner) + b"\n" + rest)
    with pytest.raises(Problem, match="does not tell where the files came from; name the folder"):
        undo(place)
    with pytest.raises(Problem, match=r"holds files of a folder that its journal does not name"):
        apply(library, plan)
    assert (undo(place, library)["outcome"] == "put back").sum() == 12


def test_undo_ends_with_one_if_a_line_is_damaged(library, place, plan, capsys):
    apply(library, plan)
    with (place / JOURNAL).open("ab") as file:
        file.write(b"mine\n")
    assert main(["clean", str(library), "--undo"]) == 1
    assert f"Left alone: {JOURNAL}: {DAMAGED}: 26" in capsys.readouterr().out
    assert not state(place)


def test_the_numbers_of_very_many_damaged_lines_are_cut(tmp_path):
    (tmp_path / JOURNAL).write_bytes(b"x\n" * 1000)
    assert (
        read_journal(tmp_path / JOURNAL)
        .damage()
        .endswith(": " + ", ".join(map(str, range(1, 101))) + ", ...")
    )


def test_a_file_of_somebody_with_the_name_of_the_journal_is_not_written_to(library, place, plan):
    place.mkdir()
    (place / JOURNAL).write_bytes(b"Dear diary\n")
    before = state(library)
    with pytest.raises(Problem, match="holds files of a folder that its journal does not name"):
        apply(library, plan)
    assert left_alone(undo(place, library)) == {JOURNAL: f"{DAMAGED}: 1"}
    assert (place / JOURNAL).read_bytes() == b"Dear diary\n"
    assert state(library) == before


# Budgets


def test_a_journal_that_is_too_large_is_refused(library, place, plan):
    apply(library, plan)
    os.truncate(place / JOURNAL, lines.MOST_JOURNAL_BYTES + 1)
    for job in (lambda: undo(place), lambda: apply(library, plan)):
        with pytest.raises(Problem, match=r"journal.txt: is larger than 67,108,864 bytes"):
            job()
    (place / JOURNAL).write_bytes(b"\n" * (lines.MOST_JOURNAL_LINES + 1))
    with pytest.raises(Problem, match="has more than 1,048,576 lines; check"):
        undo(place)


def test_a_journal_never_grows_so_large_that_undo_refuses_it(library, place, plan, monkeypatch):
    before = state(library)
    monkeypatch.setattr(lines, "MOST_JOURNAL_BYTES", 3000)
    with pytest.raises(Problem, match="its journal is full; name another quarantine folder"):
        apply(library, plan)
    assert 0 < len(state(place)) < 12
    assert set(undo(place)["outcome"]) == {"put back"}
    assert state(library) == before
    assert len(undo(place)) == 0


# Links and pipes in the place of the quarantine's own files


def link(name, target):
    name.unlink(missing_ok=True)
    name.symlink_to(target)


def hard_link(name, target):
    name.unlink(missing_ok=True)
    os.link(target, name)


def pipe(name, target):
    name.unlink(missing_ok=True)
    os.mkfifo(name)


def folder(name, target):
    name.unlink(missing_ok=True)
    name.mkdir()


THINGS = [
    *((name, thing) for name in (JOURNAL, LOCK, RESERVE) for thing in (link, pipe, folder)),
    (JOURNAL, hard_link),
    (RESERVE, hard_link),
]


@POSIX
@pytest.mark.parametrize(("name", "thing"), THINGS)
@pytest.mark.parametrize("job", ["apply", "undo"])
def test_what_has_the_name_of_a_file_of_ours_is_not_followed(
    job, name, thing, library, place, plan, tmp_path
):
    before = state(library)
    if job == "undo":
        apply(library, plan)
    place.mkdir(exist_ok=True)
    mine = tmp_path / "mine.txt"
    mine.write_bytes((place / name).read_bytes() if (place / name).exists() else b"mine")
    content = mine.read_bytes()
    thing(place / name, mine)
    with suppress(Problem):
        apply(library, plan) if job == "apply" else undo(place)
    assert mine.read_bytes() == content
    assert {**state(library), **state(place)} == before
    if name != RESERVE:
        with pytest.raises(Problem, match=r"put a plain copy in its place|is no quarantine folder"):
            apply(library, plan) if job == "apply" else undo(place)
        shutil.rmtree(place / name) if thing is folder else (place / name).unlink()
        if name != JOURNAL or job == "undo":
            (place / name).write_bytes(content if name == JOURNAL else b"")
    if (place / RESERVE).is_dir():
        (place / RESERVE).rmdir()
    apply(library, plan) if job == "apply" else undo(place)
    assert (state(library), state(place)) == (
        split(before, plan) if job == "apply" else (before, {})
    )


@POSIX
@pytest.mark.parametrize("job", ["apply", "undo"])
def test_a_copy_on_its_way_is_written_through_no_link(job, library, place, plan, tmp_path):
    """Whatever names of such copies are known: those of 0.1 were."""
    before = state(library)
    if job == "undo":
        apply(library, plan)
    mine = tmp_path / "mine.txt"
    mine.write_bytes(b"mine")
    target = (place if job == "apply" else library) / SPOILED
    target.parent.mkdir(parents=True, exist_ok=True)
    if job == "apply":
        (place / JOURNAL).write_bytes(words("folder", str(library)) + b"\n")
    target.with_name(f".{before[SPOILED][0][:16]}.partial").symlink_to(mine)
    with other_file_system(library, place):
        apply(library, plan) if job == "apply" else undo(place)
    assert mine.read_bytes() == b"mine"
    assert target.is_file()
    assert not target.is_symlink()


@POSIX
@pytest.mark.parametrize("way", ["here", "there", "no links"])
@pytest.mark.parametrize("outside", [True, False])
def test_a_folder_in_quarantine_that_is_a_link_is_not_followed(
    outside, way, library, place, plan, tmp_path
):
    before = state(library)
    apply(library, plan)
    elsewhere = (tmp_path if outside else place) / "elsewhere"
    (place / "backup 1").rename(elsewhere)
    (place / "backup 1").symlink_to(elsewhere)
    there = state(elsewhere)
    with way_of(way, library, place):
        alone = left_alone(undo(place))
    why = "lies behind a link that leads out of the folder; it was not followed"
    assert alone.pop(SPOILED) == why
    assert state(elsewhere) == there
    assert {f"backup 1/{path}" for path in there} == set(before) - set(state(library))
    (place / "backup 1").unlink()
    elsewhere.rename(place / "backup 1")
    assert set(undo(place)["outcome"]) == {"put back"}
    assert state(library) == before


@POSIX
def test_nothing_goes_into_quarantine_over_a_link(library, place, plan, tmp_path):
    before = state(library)
    (tmp_path / "outside").mkdir()
    place.mkdir()
    (place / JOURNAL).write_bytes(words("folder", str(library)) + b"\n")
    (place / "backup 1").symlink_to(tmp_path / "outside")
    alone = left_alone(apply(library, plan))
    assert {path.partition("/")[0] for path in alone} == {"backup 1"}
    assert not list((tmp_path / "outside").iterdir())
    assert {**state(library), **state(place)} == before


@POSIX
def test_nothing_goes_back_over_a_link_that_leads_out_of_the_library(
    library, place, plan, tmp_path
):
    apply(library, plan)
    (tmp_path / "outside").mkdir()
    shutil.rmtree(library / "backup 1")
    (library / "backup 1").symlink_to(tmp_path / "outside")
    after = state(place)
    alone = left_alone(undo(place))
    assert {path.partition("/")[0] for path in alone} == {"backup 1"}
    assert not list((tmp_path / "outside").iterdir())
    assert set(state(place)) == set(alone) < set(after)


@POSIX
@pytest.mark.parametrize("way", ["here", "there"])
def test_a_link_in_quarantine_is_no_file_of_ours(way, library, place, plan, tmp_path):
    apply(library, plan)
    mine = tmp_path / "mine.jpg"
    (place / SPOILED).rename(mine)
    (place / SPOILED).symlink_to(mine)
    with way_of(way, library, place):
        alone = left_alone(undo(place))
    assert alone == {SPOILED: "is a link or a folder now; put it back by hand"}
    assert mine.is_file()
    assert not os.path.lexists(library / SPOILED)


@POSIX
@pytest.mark.parametrize("side", ["library", "quarantine"])
def test_a_move_that_was_broken_off_is_not_ended_through_a_link(
    side, library, place, plan, tmp_path
):
    """A file with two names may lose one, but not if one of both is a link to it."""
    with (
        mock.patch.object(journal, "_move", side_effect=KeyboardInterrupt),  # a kill in between
        suppress(KeyboardInterrupt),
    ):
        apply(library, plan)
    path = next(iter(read_journal(place / JOURNAL).begun))
    (place / path).parent.mkdir(parents=True, exist_ok=True)
    file, other = library / path, place / path
    if side == "library":
        file.rename(other)
        file, other = other, file
    other.symlink_to(file)
    os.link(file, tmp_path / "a second name")
    content = file.read_bytes()
    assert path in left_alone(undo(place))
    assert file.read_bytes() == content
    assert other.is_symlink()


@PIPES
@pytest.mark.parametrize("thing", [link, pipe, folder])
def test_a_kept_plan_is_compared_with_files_alone(thing, library, place, plan, tmp_path):
    apply(library, plan)
    mine = tmp_path / "mine.csv"
    (place / "plan.csv").rename(mine)
    content = mine.read_bytes()
    thing(place / "plan.csv", mine)
    thing(place / "plan-2.csv", "/dev/zero")
    apply(library, plan)
    assert (place / "plan-3.csv").read_bytes() == mine.read_bytes() == content


# Strange places, times and ends


@POSIX
def test_a_quarantine_that_is_a_link_will_do(library, place, plan, tmp_path):
    before = state(library)
    (tmp_path / "elsewhere").mkdir()
    place.symlink_to(tmp_path / "elsewhere")
    assert set(apply(library, plan)["outcome"]) == {"moved"}
    assert (state(library), state(tmp_path / "elsewhere")) == split(before, plan)
    assert set(undo(place)["outcome"]) == {"put back"}
    assert (state(library), state(place)) == (before, {})


@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt", reason="no such paths there")
def test_folders_may_lie_deeper_than_functions_may_call_each_other(library, place, plan):
    deep = "d/" * 1100 + "deep.jpg"
    folders = [(library / deep).parent]
    folders += [folder for folder in folders[0].parents if folder.is_relative_to(library)]
    for folder in reversed(folders[:-1]):
        folder.mkdir()
    (library / SPOILED).rename(library / deep)
    try:
        assert set(apply(library, change(plan, SPOILED, path=deep))["outcome"]) == {"moved"}
        assert (place / deep).is_file()
        assert set(undo(place)["outcome"]) == {"put back"}
        assert not (place / "d").exists()
        (library / deep).unlink()
    finally:
        for folder in folders[:-1]:  # pytest could not remove them
            folder.rmdir()


def test_a_file_of_a_far_future_goes_and_comes_back(library, place, plan):
    """After 2262 a number of 64 bits does not count the nanoseconds any more."""
    os.utime(library / SPOILED, ns=(0, 2**63 + 10**18))
    if (library / SPOILED).stat().st_mtime_ns < 2**63:
        pytest.skip("this disk dates no file so late")
    before = state(library)
    with other_file_system(library, place):
        assert set(apply(library, plan)["outcome"]) == {"moved"}
        assert set(undo(place)["outcome"]) == {"put back"}
    assert state(library) == before


def test_the_half_copy_of_a_run_of_0_1_that_was_killed_is_removed(library, place, plan):
    before = state(library)
    with (
        mock.patch.object(journal, "_move", side_effect=KeyboardInterrupt),  # a kill in between
        suppress(KeyboardInterrupt),
    ):
        apply(library, plan)
    path = next(iter(read_journal(place / JOURNAL).begun))
    partial = (place / path).with_name(f".{before[path][0][:16]}.partial")
    partial.parent.mkdir(parents=True, exist_ok=True)
    partial.write_bytes(b"half")
    assert len(undo(place)) == 0
    assert (state(library), state(place)) == (before, {})


def test_what_a_killed_run_left_of_a_plan_is_cleared(library, place, plan, tmp_path):
    left = [folder / ".plan.csv.0a1b2c3d.fingerprints-partial" for folder in (tmp_path, place)]
    place.mkdir()
    (place / JOURNAL).write_bytes(words("folder", str(library)) + b"\n")
    for file in left:
        file.write_bytes(b"half")
    write_plan(tmp_path / "plan.csv", plan)
    apply(library, plan)
    assert not any(file.exists() for file in left)
    assert list(plans(place)) == ["plan.csv"]


def test_undo_clears_what_a_killed_run_left_of_a_plan_and_nothing_else(library, place, plan):
    apply(library, plan)
    left = place / ".plan-2.csv.0a1b2c3d.fingerprints-partial"
    mine = place / ".plan of mine.fingerprints-partial"
    for file in (left, mine):
        file.write_bytes(b"half")
    assert left_alone(undo(place)) == {mine.name: STRANGER}
    assert (left.exists(), mine.exists()) == (False, True)


@POSIX
def test_a_stranger_whose_name_is_no_text_is_told(library, place, plan):
    """With escapes: a column of Arrow, which pandas takes if it is installed, holds UTF-8 alone."""
    apply(library, plan)
    try:
        (place / os.fsdecode(b"\xff.txt")).touch()
    except OSError:
        pytest.skip("this disk has no such names")
    assert left_alone(undo(place)) == {r"\udcff.txt": STRANGER}
