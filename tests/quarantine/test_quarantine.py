"""No byte is lost: whatever is wrong, whatever happens meanwhile, and at whatever moment a run is killed."""

import errno
import hashlib
import json
import os
import random
import re
import shutil
import stat
from collections import Counter
from contextlib import contextmanager, nullcontext, suppress
from itertools import count
from pathlib import Path
from unittest import mock

import numpy as np
import pandas as pd
import pytest
from filelock import FileLock
from kills import DIED, count_moments, die_before, exit_code, kill_at

from helpers import Problem
from helpers.files.atomic import exclusive
from helpers.quarantine import journal, moving
from helpers.quarantine.journal import JOURNAL, LOCK, RESERVE
from helpers.quarantine.moving import apply, undo
from helpers.quarantine.plans import read_plan, write_plan

POSIX = pytest.mark.skipif(os.name == "nt", reason="Windows does this otherwise")

COLUMNS = ["action", "path", "kept", "bytes", "sha256"]


def digest(content):
    return hashlib.sha256(content).hexdigest()


def fill(folder, groups=4, copies=3):
    """A library in which each group has a file that is kept and copies of it that go, one of them in another folder."""
    rows = []
    for group in range(groups):
        kept = f"photos/{group}.jpg"
        for number in range(copies + 1):
            path = kept if not number else f"backup {number % 2}/photos/{group} ({number}).jpg"
            content = f"{group} ".encode() * 400 + b"x" * number
            file = folder / path
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(content)
            file.chmod(0o640 if number % 2 else 0o600)
            os.utime(file, ns=(10**18, 10**18 + 123_456_789 * (1 + number) + group))
            action = "move" if number else "keep"
            rows.append((action, path, kept, len(content), digest(content)))
    return pd.DataFrame(rows, columns=COLUMNS)


def state(folder):
    """Every file, but for the journal, what belongs to it, and the plans, with its bytes, its time and its permissions."""
    found = {}
    for path in sorted(folder.rglob("*")):
        ours = path.name in (JOURNAL, LOCK, RESERVE) or re.match(r"\.?plan(-\d+)?\.csv", path.name)
        if path.is_file() and not path.is_symlink() and not ours:
            status = path.stat()
            about = (digest(path.read_bytes()), status.st_mtime_ns, stat.S_IMODE(status.st_mode))
            found[path.relative_to(folder).as_posix()] = about
    return found


def plans(place):
    return {path.name: path.read_bytes() for path in place.glob("plan*")}


@contextmanager
def other_file_system(first, second):
    """As if the two folders lay on two disks."""
    link, rename = os.link, os.rename

    def refuse(do):
        def done(source, target, *rest, **more):
            ends = [Path(end).resolve() for end in (source, target)]
            inside = {side for side in (first, second) for end in ends if end.is_relative_to(side)}
            if len(inside) > 1:
                raise OSError(errno.EXDEV, os.strerror(errno.EXDEV), str(source))
            return do(source, target, *rest, **more)

        return done

    with mock.patch.multiple(os, link=refuse(link), rename=refuse(rename)):
        yield


@contextmanager
def without_links():
    """As on FAT: no file has two names."""
    with mock.patch.object(os, "link", side_effect=PermissionError(errno.EPERM, "no links")):
        yield


WAYS = ["here", "there", "no links", "no links there"]


def way_of(name, folder, place):
    """What kind of file systems the library and the quarantine lie on."""
    if name == "here":
        return nullcontext()
    if name == "no links":
        return without_links()
    if name == "there":
        return other_file_system(folder, place)

    @contextmanager
    def both():
        with without_links(), other_file_system(folder, place):
            yield

    return both()


@pytest.fixture
def library(tmp_path):
    folder = tmp_path / "photos"
    folder.mkdir()
    return folder


@pytest.fixture
def place(tmp_path):
    return tmp_path / "photos-quarantine"


@pytest.fixture
def plan(library):
    return fill(library)


def left_alone(done):
    return done[done["outcome"] == "left alone"].set_index("path")["reason"].to_dict()


def split(before, plan):
    """What is to stay and what is to go."""
    moves = set(plan.loc[plan["action"] == "move", "path"])
    return (
        {path: about for path, about in before.items() if path not in moves},
        {path: about for path, about in before.items() if path in moves},
    )


# There and back


@pytest.mark.parametrize("way", WAYS)
def test_there_and_back_again(way, library, place, plan):
    before = state(library)
    stay, go = split(before, plan)
    with way_of(way, library, place):
        done = apply(library, plan)
        assert (state(library), state(place)) == (stay, go)
        assert list(done.columns) == ["path", "outcome", "reason"]
        assert set(done["path"]) == set(go)
        assert set(done["outcome"]) == {"moved"}
        assert set(done["reason"]) == {""}
        back = undo(place)
    assert (state(library), state(place)) == (before, {})
    assert set(back["path"]) == set(go)
    assert set(back["outcome"]) == {"put back"}
    assert {path.name for path in place.iterdir()} == {JOURNAL, LOCK, "plan.csv"}, (
        "no empty folders"
    )


@pytest.mark.skipif(not Path("/dev/shm").is_dir(), reason="needs a second file system")
def test_there_and_back_again_on_a_second_file_system(library, plan, tmp_path):
    place = Path("/dev/shm") / f"quarantine-{os.getpid()}"
    if place.parent.stat().st_dev == library.stat().st_dev:
        pytest.skip("it is the same file system")
    before = state(library)
    stay, go = split(before, plan)
    try:
        apply(library, plan, place)
        assert (state(library), state(place)) == (stay, go)
        undo(place)
        assert (state(library), state(place)) == (before, {})
    finally:
        shutil.rmtree(place)


@pytest.mark.skipif(not Path("/dev/shm").is_dir(), reason="needs a second file system")
def test_a_disk_without_room_for_all_is_told_before_the_first_move(library, plan, monkeypatch):
    place = Path("/dev/shm") / f"quarantine-{os.getpid()}"
    if place.parent.stat().st_dev == library.stat().st_dev:
        pytest.skip("it is the same file system")
    before, needed = state(library), int(plan.loc[plan["action"] == "move", "bytes"].sum())
    room = mock.Mock(free=needed - 1)
    monkeypatch.setattr(moving.shutil, "disk_usage", lambda place: room)
    try:
        with pytest.raises(Problem, match=r"has room for .* MB, and .* MB are to move there"):
            apply(library, plan, place)
        assert (state(library), state(place)) == (before, {})
        room.free = needed
        apply(library, plan, place)
        room.free = 0
        assert set(apply(library, plan, place)["outcome"]) == {"moved"}, "nothing is left to move"
    finally:
        shutil.rmtree(place)


@pytest.mark.skipif(not Path("/proc/self/fd").is_dir(), reason="tells files by their handles")
@pytest.mark.parametrize("number", [errno.ENOLCK, errno.ENOTSUP, errno.ENOSYS])
def test_a_network_drive_without_locks_will_do(number, library, place, plan, monkeypatch):
    import fcntl

    before, flock = state(library), fcntl.flock

    def without_locks(handle, operation):
        if Path(f"/proc/self/fd/{handle}").readlink().name == LOCK:
            raise OSError(number, os.strerror(number))
        return flock(handle, operation)

    monkeypatch.setattr(fcntl, "flock", without_locks)
    for _ in range(2):
        assert set(apply(library, plan)["outcome"]) == {"moved"}
        assert set(undo(place)["outcome"]) == {"put back"}
    assert state(library) == before


def test_undo_can_write_in_the_journal_of_a_full_disk(library, place, plan, monkeypatch):
    before, write = state(library), journal.Journal.write

    def on_a_full_disk(journal, *words):
        if (place / RESERVE).exists():
            raise Problem("no room")
        write(journal, *words)

    apply(library, plan)
    monkeypatch.setattr(journal.Journal, "write", on_a_full_disk)
    assert set(undo(place)["outcome"]) == {"put back"}
    assert state(library) == before


def test_times_that_the_other_disk_keeps_less_exactly_come_back_exactly(library, place, plan):
    before = state(library)
    with other_file_system(library, place):
        apply(library, plan)
        for path in place.rglob("*.jpg"):
            path.chmod(0o666)
            os.utime(path, (10**9, 10**9))
        undo(place)
    assert state(library) == before


def test_again_is_nothing_new(library, place, plan):
    apply(library, plan)
    after = state(library), state(place)
    assert set(apply(library, plan)["outcome"]) == {"moved"}
    assert (state(library), state(place)) == after
    undo(place)
    assert len(undo(place)) == 0
    apply(library, plan)
    assert (state(library), state(place)) == after


def test_a_second_plan_goes_to_the_same_quarantine(library, place, plan):
    before = state(library)
    half = plan[~((plan["action"] == "move") & plan["path"].str.contains("photos/[01]"))]
    apply(library, half)
    apply(library, plan)
    assert (state(library), state(place)) == split(before, plan)
    undo(place)
    assert state(library) == before


def test_a_library_that_was_moved_meanwhile_is_named(library, place, plan, tmp_path):
    before = state(library)
    apply(library, plan)
    moved = library.rename(tmp_path / "elsewhere")
    with pytest.raises(Problem, match="no such folder; connect its disk, or name where"):
        undo(place)
    assert not library.exists()
    assert set(undo(place, moved)["outcome"]) == {"put back"}
    assert state(moved) == before


def test_nothing_to_move_makes_no_quarantine(library, place, plan):
    assert len(apply(library, plan[plan["action"] != "move"])) == 0
    assert not place.exists()


def test_looks_and_keeps_are_not_moved(library, place, plan):
    before = state(library)
    apply(library, plan.assign(action=plan["action"].replace("move", "look")))
    assert state(library) == before


# What has changed is left alone

SPOILED = "backup 1/photos/2 (1).jpg"
KEPT = "photos/2.jpg"
OF_ITS_GROUP = {SPOILED, "backup 0/photos/2 (2).jpg", "backup 1/photos/2 (3).jpg"}


def longer(file):
    file.write_bytes(file.read_bytes() + b"!")


def other_bytes(file):
    status, content = file.stat(), file.read_bytes()
    file.write_bytes(b"!" + content[1:])
    os.utime(file, ns=(status.st_atime_ns, status.st_mtime_ns))


def remove(file):
    file.unlink()


def into_folder(file):
    file.unlink()
    file.mkdir()


def into_link(file):
    file.rename(file.with_name("target"))
    file.symlink_to("target")


SPOILS = {
    longer: "has changed since the plan was made",
    other_bytes: "has changed since the plan was made",
    remove: "is not there any more",
    into_folder: "is a link or a folder now",
    into_link: "is a link or a folder now",
}


@pytest.mark.parametrize("spoil", SPOILS)
@pytest.mark.parametrize("which", [SPOILED, KEPT])
def test_what_has_changed_is_left_alone_with_a_sentence(which, spoil, library, place, plan):
    if os.name == "nt" and spoil is into_link:
        pytest.skip("links need rights there")
    spoil(library / which)
    before = state(library)
    done = apply(library, plan)
    alone = left_alone(done)
    assert set(alone) == ({SPOILED} if which == SPOILED else OF_ITS_GROUP)
    for reason in alone.values():
        assert SPOILS[spoil] in reason
        assert ("photos/2.jpg, which is kept in its place, " in reason) == (which == KEPT)
    assert {**state(library), **state(place)} == before
    assert (done["outcome"] == "moved").sum() == 12 - len(alone)


def test_a_kept_file_that_goes_between_two_moves_is_missed(library, plan, monkeypatch):
    """It is looked at before each move, not once for all."""
    move, moved = journal.Journal.move, []

    def and_then(self, where, path, *rest):
        move(self, where, path, *rest)
        if path in OF_ITS_GROUP and not moved:
            moved.append(path)
            (library / KEPT).unlink()

    monkeypatch.setattr(journal.Journal, "move", and_then)
    assert set(left_alone(apply(library, plan))) == OF_ITS_GROUP - set(moved)


def change(plan, of, **values):
    """The plan with other values in the row of one file."""
    plan = plan.copy()
    row = plan["path"] == of
    for name, value in values.items():
        plan.loc[row, name] = value
    return plan


def test_a_plan_that_keeps_nothing_moves_nothing(library, place, plan):
    before = state(library)
    plans = {
        "kept goes too": change(plan, KEPT, action="move"),
        "kept stays and goes": pd.concat([plan, change(plan, KEPT, action="move")]),
        "kept is not in the plan": plan[plan["path"] != KEPT],
        "kept is empty": change(plan, SPOILED, kept=""),
        "kept is itself": change(plan, SPOILED, kept=SPOILED),
    }
    for name, edited in plans.items():
        alone = left_alone(apply(library, edited))
        sentence = (
            "the plan keeps no file in its place; write keep for it, or for the one it is a copy of"
        )
        assert alone.get(SPOILED) == sentence, name
        assert (library / KEPT).is_file()
        undo(place)
        assert state(library) == before


def test_the_one_that_stays_and_its_copy_may_change_places(library, place, plan):
    before = state(library)
    swapped = change(change(plan, KEPT, action="move"), SPOILED, action="keep")
    others = plan[(plan["kept"] == KEPT) & (plan["action"] == "move") & (plan["path"] != SPOILED)]
    same = plan.set_index("path").loc[SPOILED, "sha256"]
    others = set(others.loc[others["sha256"] != same, "path"])
    alone = left_alone(apply(library, swapped))
    assert not (library / KEPT).exists()
    assert (place / KEPT).is_file()
    assert (library / SPOILED).is_file()
    assert set(alone) == others, "they were compared with the one that goes"
    undo(place)
    assert state(library) == before
    (library / SPOILED).write_bytes(b"edited")
    assert KEPT in left_alone(apply(library, swapped))
    assert (library / KEPT).is_file()


STRANGE = [
    "../outside.jpg",
    "photos/../../outside.jpg",
    "/etc/hosts",
    "",
    ".",
    "..",
    "a\0b.jpg",
    "./photos/2.jpg",
    "photos//2.jpg",
]


@pytest.mark.parametrize("path", STRANGE)
@pytest.mark.parametrize("column", ["path", "kept"])
def test_a_path_that_leads_out_is_left_alone(column, path, library, place, plan, tmp_path):
    outside = tmp_path / "outside.jpg"
    outside.write_bytes((library / SPOILED).read_bytes())
    edited = change(plan, SPOILED, **{column: path})
    extra = pd.DataFrame(
        [("keep", path, path, outside.stat().st_size, digest(outside.read_bytes()))],
        columns=COLUMNS,
    )
    done = apply(library, pd.concat([edited, extra]) if column == "kept" else edited)
    assert len(left_alone(done)) == 1
    assert outside.is_file()
    assert (library / SPOILED).is_file()
    assert (done["outcome"] == "moved").sum() == 11


@POSIX
def test_links_are_neither_followed_nor_broken(library, place, plan, tmp_path):
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "a.jpg").write_bytes(b"a")
    (library / "away").symlink_to(outside)
    (library / "favourite.jpg").symlink_to(SPOILED)
    extra = [("move", "away/a.jpg", KEPT, 1, digest(b"a"))]
    done = apply(library, pd.concat([plan, pd.DataFrame(extra, columns=COLUMNS)]))
    assert left_alone(done) == {
        "away/a.jpg": "lies behind a link that leads out of the folder; it was not followed",
        SPOILED: "a link leads to it: favourite.jpg",
    }
    assert (outside / "a.jpg").read_bytes() == b"a"
    assert (library / "favourite.jpg").is_file()


@POSIX
def test_a_file_is_never_taken_for_a_copy_of_itself(library, plan, monkeypatch):
    """As where one folder is mounted at two places: two paths lead to one file."""
    content = (library / KEPT).read_bytes()
    os.link(library / KEPT, library / "same.jpg")
    extra = [("move", "same.jpg", KEPT, len(content), digest(content))]
    edited = pd.concat([plan, pd.DataFrame(extra, columns=COLUMNS)])
    real = Path.stat

    def with_one_name(self, **keywords):
        values = list(real(self, **keywords))
        values[stat.ST_NLINK] = 1
        return os.stat_result(values, {"st_mtime_ns": real(self, **keywords).st_mtime_ns})

    monkeypatch.setattr(Path, "stat", with_one_name)
    alone = left_alone(apply(library, edited))
    assert alone["same.jpg"] == f"it is the very file that is kept, {KEPT}, by another path"
    monkeypatch.undo()
    assert left_alone(apply(library, edited)) == {}, "with two names it may lose one"
    assert (library / KEPT).read_bytes() == content


@pytest.mark.parametrize("way", WAYS)
def test_nothing_in_quarantine_is_overwritten(way, library, place, plan):
    apply(library, plan)
    newer = library / SPOILED
    newer.write_bytes((place / SPOILED).read_bytes())
    before = state(library), state(place)
    with way_of(way, library, place):
        done = apply(library, plan)
    assert "is there already, and nothing is overwritten" in left_alone(done)[SPOILED]
    assert (state(library), state(place)) == before


@pytest.mark.parametrize("way", WAYS)
def test_undo_overwrites_nothing_and_puts_back_the_rest(way, library, place, plan):
    before = state(library)
    apply(library, plan)
    (library / SPOILED).write_bytes(b"somebody else's")
    with way_of(way, library, place):
        done = undo(place)
    assert "is there already, and nothing is overwritten" in left_alone(done)[SPOILED]
    assert len(left_alone(done)) == 1
    assert (library / SPOILED).read_bytes() == b"somebody else's"
    assert state(place) == {SPOILED: before[SPOILED]}
    (library / SPOILED).unlink()
    assert undo(place)["path"].tolist() == [SPOILED]
    assert state(library) == before


@POSIX
@pytest.mark.parametrize("way", ["here", "there"])
def test_a_file_that_comes_between_the_look_and_the_move_is_not_overwritten(
    way, library, place, plan
):
    """The operating system refuses; where there are no links, it cannot."""
    move = journal._move

    def meanwhile(source, target, *rest):
        if target == place / SPOILED:
            target.write_bytes(b"somebody else's")
        move(source, target, *rest)

    with way_of(way, library, place), mock.patch.object(journal, "_move", meanwhile):
        done = apply(library, plan)
    assert "could not be moved" in left_alone(done)[SPOILED]
    assert (place / SPOILED).read_bytes() == b"somebody else's"
    assert (library / SPOILED).is_file()


# What changes at the very moment is left alone

EDIT = b"edited at the very moment"


def save_in_place(file):
    file.write_bytes(EDIT)


def save_and_replace(file):
    new = file.with_name("new version")
    new.write_bytes(EDIT)
    new.replace(file)


def save_as_long_as_before(file):
    file.write_bytes(b"#" * file.stat().st_size)


SAVES = [save_in_place, save_and_replace, save_as_long_as_before]
MOMENTS = [
    *(("before the move", way) for way in WAYS),
    ("before the old name is removed", "there"),
    ("before the old name is removed", "no links there"),
    pytest.param("before the old name is removed", "here", marks=POSIX),
]


@contextmanager
def at_the_moment(moment, source, target, act):
    """Act once: after the file was looked at, or once it has its new name, and still the old one."""
    acted = []

    def once():
        if not acted:
            acted.append(True)
            act()

    def before(do):
        def done(old, *rest):
            if old == source:
                once()
            do(old, *rest)

        return done

    def after(do):
        def done(*arguments):
            do(*arguments)
            if os.path.lexists(source) and os.path.lexists(target):
                once()

        return done

    names, wrap = (
        (["_move"], before) if moment == "before the move" else (["_synchronise", "_rename"], after)
    )
    patch = {name: wrap(getattr(journal, name)) for name in names}
    with mock.patch.multiple(journal, **patch):
        yield
    assert acted, "the moment came"


@pytest.mark.parametrize(("moment", "way"), MOMENTS)
@pytest.mark.parametrize("save", SAVES)
def test_an_edit_at_the_very_moment_is_left_alone(save, moment, way, library, place, plan):
    before = state(library)
    source, target = library / SPOILED, place / SPOILED
    meanwhile = at_the_moment(moment, source, target, lambda: save(source))
    with way_of(way, library, place), meanwhile:
        done = apply(library, plan)
        edited = state(library)[SPOILED]
    assert left_alone(done) == {SPOILED: "was changed while it was to be moved; run this again"}
    assert edited[0] in (digest(EDIT), digest(b"#" * len("2 " * 400 + "x")))
    assert not os.path.lexists(target)
    with way_of(way, library, place):
        again = left_alone(apply(library, plan))
        assert again == {SPOILED: "has changed since the plan was made; scan again"}
        assert set(undo(place)["outcome"]) == {"put back"}
    assert (state(library), state(place)) == ({**before, SPOILED: edited}, {})


@pytest.mark.parametrize(("moment", "way"), MOMENTS)
@pytest.mark.parametrize("save", SAVES)
def test_an_edit_in_quarantine_at_the_very_moment_stays_there(
    save, moment, way, library, place, plan
):
    before = state(library)
    apply(library, plan)
    source, target = place / SPOILED, library / SPOILED
    meanwhile = at_the_moment(moment, source, target, lambda: save(source))
    with way_of(way, library, place), meanwhile:
        assert set(left_alone(undo(place))) == {SPOILED}
    edited = state(place)
    assert set(edited) == {SPOILED}
    assert edited[SPOILED] != before.pop(SPOILED)
    assert state(library) == before
    assert left_alone(undo(place)) == {SPOILED: "has changed in quarantine; put it back by hand"}


@pytest.mark.parametrize("way", [pytest.param("here", marks=POSIX), "there"])
def test_a_file_that_is_deleted_at_the_very_moment_can_be_put_back(way, library, place, plan):
    before = state(library)
    source, target = library / SPOILED, place / SPOILED
    moment = at_the_moment("before the old name is removed", source, target, source.unlink)
    with way_of(way, library, place), moment:
        apply(library, plan)
    assert (state(library), state(place)) == split(before, plan)
    undo(place)
    assert state(library) == before


@POSIX
def test_what_somebody_puts_in_the_place_of_the_new_name_is_not_removed(library, place, plan):
    """Then the file keeps its old name, as the only one."""
    before = state(library)
    source, target = library / SPOILED, place / SPOILED
    moment = "before the old name is removed"
    with at_the_moment(moment, source, target, lambda: save_and_replace(target)):
        assert set(left_alone(apply(library, plan))) == {SPOILED}
    assert state(library)[SPOILED] == before[SPOILED]
    assert target.read_bytes() == EDIT


# The plan stays beside what it moved


def test_the_plan_that_was_carried_out_lies_in_quarantine(library, place, plan):
    plan = plan.assign(reason='the same bytes; "ältere" bleibt, immer')
    apply(library, plan)
    assert list(plans(place)) == ["plan.csv"]
    kept = pd.read_csv(place / "plan.csv", encoding="utf-8-sig")
    pd.testing.assert_frame_equal(kept, plan, check_dtype=False)
    assert set(undo(place)["outcome"]) == {"put back"}
    assert list(plans(place)) == ["plan.csv"]


def test_it_is_written_as_other_plans_are(library, place, plan, tmp_path):
    write_plan(tmp_path / "plan.csv", plan)
    apply(library, plan)
    assert plans(place) == {"plan.csv": (tmp_path / "plan.csv").read_bytes()}


def test_another_plan_gets_another_number_and_the_same_one_none(library, place, plan):
    first = plan[plan["path"].str.contains("photos/[01]")]
    apply(library, first)
    written = plans(place)
    apply(library, plan)
    apply(library, plan)
    apply(library, first)
    assert list(sorted(plans(place))) == ["plan-2.csv", "plan.csv"]
    assert plans(place)["plan.csv"] == written["plan.csv"]
    assert len(pd.read_csv(place / "plan-2.csv", encoding="utf-8-sig")) == len(plan)
    apply(library, change(plan, SPOILED, kept="other.jpg"))
    assert sorted(plans(place)) == ["plan-2.csv", "plan-3.csv", "plan.csv"]


def test_it_is_there_before_the_first_file_moves(library, place, plan):
    with (
        mock.patch.object(journal, "_move", side_effect=KeyboardInterrupt),
        pytest.raises(KeyboardInterrupt),
    ):
        apply(library, plan)
    assert list(plans(place)) == ["plan.csv"]


def test_other_files_that_look_like_plans_are_told_by_undo(library, place, plan):
    apply(library, plan)
    (place / ".plan.csv.0a1b2c3d.fingerprints-partial").write_bytes(b"of a run that was killed")
    for name in ("plan-b.csv", "my plan.csv", "photos/plan.csv"):
        (place / name).parent.mkdir(exist_ok=True)
        (place / name).write_bytes(b"whose?")
    assert set(left_alone(undo(place))) == {"plan-b.csv", "my plan.csv", "photos/plan.csv"}


# Strange places


@POSIX
@pytest.mark.parametrize("circle", [("a.jpg", "a.jpg"), ("a.jpg", "b.jpg")])
def test_links_in_a_circle_are_passed_over(circle, library, place, plan):
    first, second = circle
    (library / first).symlink_to(second)
    if second != first:
        (library / second).symlink_to(first)
    extra = [("move", f"{first}/x.jpg", KEPT, 1, digest(b"x"))]
    done = apply(library, pd.concat([plan, pd.DataFrame(extra, columns=COLUMNS)]))
    assert left_alone(done) == {f"{first}/x.jpg": "is not there any more; scan again"}
    assert set(undo(place)["outcome"]) == {"put back"}
    assert (library / first).is_symlink()


@POSIX
def test_a_link_in_a_circle_is_no_library_and_no_quarantine(plan, tmp_path):
    (tmp_path / "circle").symlink_to("circle")
    with pytest.raises(Problem, match="is a link that leads nowhere; name a folder"):
        apply(tmp_path / "circle", plan)
    with pytest.raises(Problem, match="is no quarantine folder"):
        undo(tmp_path / "circle")


def test_a_whole_disk_has_nothing_beside_it(plan):
    with pytest.raises(Problem, match="is a whole disk, so nothing lies beside it; name a quarant"):
        moving.default_quarantine(Path.cwd().anchor)


def test_undo_leaves_alone_what_changed_or_came_or_went_in_quarantine(library, place, plan):
    before = state(library)
    apply(library, plan)
    longer(place / SPOILED)
    gone = "backup 0/photos/1 (2).jpg"
    (place / gone).unlink()
    (place / "new.jpg").write_bytes(b"new")
    assert left_alone(undo(place)) == {
        SPOILED: "has changed in quarantine; put it back by hand",
        gone: "is not in quarantine any more",
        "new.jpg": "is not in the journal; put it back by hand",
    }
    assert set(before) - set(state(library)) == {SPOILED, gone}
    assert (place / "new.jpg").read_bytes() == b"new"


def test_folders_that_are_gone_are_made_again(library, place, plan):
    before = state(library)
    apply(library, plan)
    shutil.rmtree(library / "backup 0")
    undo(place)
    assert state(library) == before


# Where it refuses to begin


@pytest.mark.parametrize("where", ["photos", "photos/backup 1", "photos/new", "."])
def test_a_quarantine_in_the_library_or_around_it_is_refused(where, library, plan, tmp_path):
    before = state(tmp_path)
    with pytest.raises(Problem, match=r"lies inside .* or around it"):
        apply(library, plan, tmp_path / where)
    assert state(tmp_path) == before


def test_a_folder_of_somebody_is_no_quarantine(library, plan, tmp_path):
    mine = tmp_path / "mine"
    mine.mkdir()
    (mine / "letter.txt").write_text("dear")
    for place in (mine, mine / "letter.txt"):
        with pytest.raises(
            Problem, match=r"is there already and is no quarantine|could not be written"
        ):
            apply(library, plan, place)
    with pytest.raises(Problem, match="is no quarantine folder"):
        undo(mine)
    assert [path.name for path in mine.iterdir()] == ["letter.txt"]


def test_a_quarantine_takes_the_files_of_one_library(library, place, plan, tmp_path):
    apply(library, plan)
    other = tmp_path / "other"
    other_plan = fill(other)
    before = state(tmp_path)
    with pytest.raises(Problem, match=r"holds files of .*photos; choose another folder"):
        apply(other, other_plan, place)
    with pytest.raises(Problem, match=r"holds files of .*photos; name that folder"):
        undo(place, other)
    assert state(tmp_path) == before


def test_a_library_that_is_not_there_is_one_sentence(plan, tmp_path):
    with pytest.raises(Problem, match="no such folder"):
        apply(tmp_path / "nowhere", plan)
    assert not (tmp_path / "nowhere-quarantine").exists()


def test_files_do_not_go_under_the_place_of_a_disk_that_is_not_connected(library, place, plan):
    apply(library, plan)
    library.rename(library.with_name("on the disk"))
    library.mkdir()
    after = state(place)
    with pytest.raises(Problem, match="is empty, as is the place of a disk that is not connected"):
        undo(place)
    assert state(place) == after
    (library / "here.txt").touch()
    assert set(undo(place)["outcome"]) == {"put back"}


@pytest.mark.parametrize("name", ["a" * 300, "file/inside"])
def test_a_quarantine_that_cannot_be_made_is_one_sentence(name, library, plan, tmp_path):
    before = state(library)
    (tmp_path / "file").touch()
    with pytest.raises(Problem, match="could not be written"):
        apply(library, plan, tmp_path / name)
    with pytest.raises(Problem, match="is no quarantine folder"):
        undo(tmp_path / name)
    with pytest.raises(Problem, match="check the spelling"):
        apply(tmp_path / name, plan)
    assert state(library) == before


@pytest.mark.skipif(os.name == "nt" or os.geteuid() != 0, reason="only root gives files away")
def test_a_file_on_another_disk_belongs_to_whom_it_belonged(library, place, plan):
    moves = plan.loc[plan["action"] == "move", "path"].tolist()
    for path in moves:
        os.chown(library / path, 1234, 1235)
    with other_file_system(library, place):
        apply(library, plan)
        assert {((place / path).stat().st_uid, (place / path).stat().st_gid) for path in moves} == {
            (1234, 1235)
        }
        undo(place)
    assert {(library / path).stat().st_uid for path in moves} == {1234}


@pytest.mark.parametrize("column", COLUMNS)
def test_a_plan_without_a_column_is_one_sentence(column, library, plan):
    with pytest.raises(Problem, match=f"the plan has no column '{column}'"):
        apply(library, plan.drop(columns=column))


LOCKS = {
    "on the library": lambda folder: exclusive(folder / "photos" / JOURNAL),
    "on a disk that ignores case": lambda folder: exclusive(folder / "Photos" / JOURNAL),
    "by another computer": lambda folder: FileLock(folder / "photos-quarantine" / LOCK),
}


@pytest.mark.parametrize("lock", LOCKS)
def test_two_at_once_are_one_too_many(lock, library, place, plan, tmp_path):
    apply(library, plan)
    before = state(tmp_path)
    with LOCKS[lock](tmp_path):
        for job in (lambda: apply(library, plan), lambda: undo(place)):
            with pytest.raises(Problem, match="another process is moving files"):
                job()
    assert state(tmp_path) == before
    assert set(undo(place)["outcome"]) == {"put back"}


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="needs what may not be written")
def test_a_library_that_may_only_be_read_stays_as_it_is(library, place, plan):
    before = state(library)
    folders = [library, *(path for path in library.rglob("*") if path.is_dir())]
    for folder in folders:
        folder.chmod(0o500)
    try:
        done = apply(library, plan)
        assert set(done["outcome"]) == {"left alone"}
        assert state(library) == before
    finally:
        for folder in folders:
            folder.chmod(0o700)
    assert state(place) == {}


@pytest.mark.parametrize("way", ["here", "there"])
def test_a_file_that_cannot_be_removed_stays_alone_and_leaves_no_second_one(
    way, library, place, plan
):
    before, unlink = state(library), Path.unlink

    def refuse(self, **keywords):
        if self.is_relative_to(library):
            raise PermissionError(errno.EROFS, "Read-only file system", str(self))
        return unlink(self, **keywords)

    with way_of(way, library, place), mock.patch.object(Path, "unlink", refuse):
        done = apply(library, plan)
    assert set(left_alone(done).values()) == {"could not be moved (Read-only file system)"}
    assert (state(library), state(place)) == (before, {})


# A full disk


@pytest.mark.parametrize("way", ["here", "there"])
@pytest.mark.parametrize("job", ["apply", "undo"])
def test_a_disk_that_is_full_at_any_write_loses_nothing(job, way, tmp_path):
    """Every fsync, one after the other, is the one that finds no room. Then there is room again."""
    for number in count(1):
        folder, place = tmp_path / f"{number}", tmp_path / f"{number}-quarantine"
        plan = fill(folder, groups=2, copies=1)
        before = state(folder)
        stay, go = split(before, plan)
        if job == "undo":
            apply(folder, plan)
        synchronise, seen = os.fsync, count(1)

        def full(handle, synchronise=synchronise, seen=seen, number=number):
            if next(seen) == number:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            synchronise(handle)

        with way_of(way, folder, place):
            with mock.patch.object(os, "fsync", full), suppress(Problem):
                apply(folder, plan) if job == "apply" else undo(place)
            assert accounted(folder, place) == Counter(before), number
            apply(folder, plan) if job == "apply" else undo(place)
        assert (state(folder), state(place)) == ((stay, go) if job == "apply" else (before, {}))
        if next(seen) <= number:
            break
    assert number > 8, "there are so many at least"


def accounted(folder, place):
    """The files of both folders; one that is in the middle of a move is at both places, or half there under another name."""
    here, there = state(folder), state(place)
    for partial in [path for path in (*here, *there) if path.endswith(".partial")]:
        here.pop(partial, None)
        there.pop(partial, None)
    both = set(here) & set(there)
    assert all(here[path] == there[path] for path in both)
    return Counter({**here, **there})


@pytest.mark.parametrize("job", ["apply", "undo"])
def test_a_journal_that_cannot_be_written_is_one_sentence_and_goes_on_later(
    job, library, place, plan
):
    before = state(library)
    if job == "undo":
        apply(library, plan)
    with (
        mock.patch.object(
            os, "fsync", side_effect=OSError(errno.ENOSPC, "No space left on device")
        ),
        pytest.raises(Problem, match=f"{JOURNAL}: could not be written .No space left"),
    ):
        apply(library, plan) if job == "apply" else undo(place)
    assert accounted(library, place) == Counter(before)
    apply(library, plan) if job == "apply" else undo(place)
    assert (state(library), state(place)) == (
        split(before, plan) if job == "apply" else (before, {})
    )


@pytest.mark.parametrize("error", [KeyboardInterrupt, OSError(errno.EIO, "Input/output error")])
def test_a_copy_that_is_broken_off_leaves_nothing_half_finished(error, library, place, plan):
    before = state(library)
    with (
        other_file_system(library, place),
        mock.patch.object(shutil, "copyfileobj", side_effect=error),
        suppress(KeyboardInterrupt),
    ):
        apply(library, plan)
    assert (state(library), state(place)) == (before, {})


def test_a_copy_that_is_not_the_same_is_not_trusted(library, place, plan):
    before = state(library)
    with (
        other_file_system(library, place),
        mock.patch.object(shutil, "copyfileobj", lambda old, new, size: new.write(b"rubbish")),
    ):
        assert set(left_alone(apply(library, plan)).values()) == {
            "could not be moved (its copy differs from it)"
        }
    assert (state(library), state(place)) == (before, {})


# A journal that is damaged


def test_a_journal_whose_end_was_never_written_is_good_enough(library, place, plan):
    before = state(library)
    apply(library, plan)
    journal, after = place / JOURNAL, (state(library), state(place))
    whole = journal.read_bytes()
    last = (
        whole.rindex(b"\n", 0, len(whole) - 1) + 1
    )  # the last line tells that the last move is done
    for end in range(last, len(whole)):
        journal.write_bytes(whole[:end])
        assert set(apply(library, plan)["outcome"]) == {"moved"}
        assert (state(library), state(place)) == after
    journal.write_bytes(whole[: last + 5])
    undo(place)
    assert (state(library), state(place)) == (before, {})
    lines = journal.read_bytes().split(b"\n")
    broken = [line for line in lines if line and not line.endswith(b"]")]
    assert broken == [whole[last : last + 5]], "the next line began anew"


def test_lines_that_are_none_of_ours_are_passed_over(library, place, plan):
    before = state(library)
    apply(library, plan)
    journal = place / JOURNAL
    rubbish = [
        b"",
        b"\xff\xfe",
        b"{}",
        b"[]",
        b"[[1]]",
        b'["is"]',
        b"12",
        b'["folder", 1, 2]',
        b'["folder", 5]',
        b'["is", "in", ["a"]]',
        b'["begin", "in", "photos/0.jpg", "a", "1", 2]',
        b"null",
    ]
    journal.write_bytes(b"\n".join(rubbish) + b"\n" + journal.read_bytes())
    assert set(undo(place)["outcome"]) == {"put back"}
    assert state(library) == before


def test_a_journal_that_is_lost_is_told_and_nothing_is_moved(library, place, plan):
    apply(library, plan)
    (place / JOURNAL).write_bytes(b"")
    before = state(library), state(place)
    with pytest.raises(Problem, match="does not tell where the files came from"):
        undo(place)
    done = undo(place, library)
    assert set(done["reason"]) == {"is not in the journal; put it back by hand"}
    assert (state(library), state(place)) == before


def test_each_move_is_announced_before_and_confirmed_after(library, place, plan):
    move, seen = journal._move, []

    def look(*arguments):
        seen.append([json.loads(line) for line in (place / JOURNAL).read_bytes().splitlines()])
        move(*arguments)

    with mock.patch.object(journal, "_move", look):
        apply(library, plan)
    lines = [json.loads(line) for line in (place / JOURNAL).read_bytes().splitlines()]
    assert lines[0] == ["folder", str(library)]
    for number, before in enumerate(seen):
        assert before == lines[: 2 + 2 * number]
        path = before[-1][2]
        assert before[-1][:2] == ["begin", "in"]
        assert before[-1][3] == plan.set_index("path").at[path, "sha256"]
        assert lines[2 + 2 * number] == ["is", "in", path]


# What version 0.1 left


@pytest.fixture
def of_0_1(tmp_path):
    """A library that version 0.1 cleaned, and its quarantine; the journal has the library's place now."""
    for name in ("library", "library-quarantine"):
        shutil.copytree(Path(__file__).parents[1] / "files_of_0_1" / name, tmp_path / name)
    journal = tmp_path / "library-quarantine" / JOURNAL
    journal.write_text(journal.read_text().replace("/photos/library", str(tmp_path / "library")))
    return tmp_path / "library", tmp_path / "library-quarantine"


def test_what_version_0_1_moved_is_put_back(of_0_1):
    library, place = of_0_1
    assert undo(place)["outcome"].tolist() == ["put back", "put back"]
    assert {path.name for path in library.iterdir()} == {
        *("=cat, a copy.jpg", "cat large.jpg", "cat.jpg", "cell.jpg")
    }
    assert plans(place).keys() == {"plan.csv"}


def test_a_plan_of_version_0_1_is_carried_out_on(of_0_1):
    library, place = of_0_1
    plan = read_plan(place / "plan.csv")
    (place / "cat.jpg").rename(library / "cat.jpg")
    assert apply(library, plan)["outcome"].tolist() == ["moved", "moved"]
    assert (place / "cat.jpg").is_file()
    assert not (library / "cat.jpg").exists()


# Killed


def work(job, way, place):
    folder, aside = place / "photos", place / "aside"
    plan = pd.read_pickle(place / "plan.pickle")
    with way_of(way, folder.resolve(), aside.resolve()):
        apply(folder, plan, aside) if job == "apply" else undo(aside)


def work_until(operation, job, way, place):
    """Work, and die just before that file operation; before half a line in the journal, and after it, too."""
    step = die_before(operation)

    def line(write):
        def written(self, *words):
            step()
            step(lambda: self.file.write(json.dumps(words).encode()[:10]))
            write(self, *words)

        return written

    with mock.patch.object(journal.Journal, "write", line(journal.Journal.write)):
        work(job, way, place)


def prepare(job, way, place, groups, copies):
    (place / "photos").mkdir(parents=True)
    plan = fill(place / "photos", groups, copies)
    plan.to_pickle(place / "plan.pickle")
    before = state(place / "photos")
    if job == "undo":
        work("apply", "here", place)
    return plan, before


def copy_of(template, target):
    """A copy with the library's own path in the journal."""
    shutil.copytree(template, target)
    journal = target / "aside" / JOURNAL
    if journal.is_file():
        _, *lines = journal.read_bytes().split(b"\n")
        first = json.dumps(["folder", str((target / "photos").resolve())]).encode()
        journal.write_bytes(b"\n".join([first, *lines]))


def check_that_nothing_is_lost_and_all_can_go_on(job, way, place, plan, before, then):
    folder, aside = place / "photos", place / "aside"
    assert accounted(folder, aside) == Counter(before)
    if then == "undo" and not journal.owner_of(journal.read_journal(aside / JOURNAL)[0]):
        return  # it died before the journal told where the files came from
    work(then, way, place)
    stay, go = split(before, plan)
    assert (state(folder), state(aside)) == ((stay, go) if then == "apply" else (before, {}))


@pytest.mark.slow
@pytest.mark.parametrize(("job", "way"), [("apply", "here"), ("apply", "there"), ("undo", "there")])
def test_killed_at_twenty_random_moments(job, way, tmp_path):
    template = tmp_path / "template"
    plan, before = prepare(job, way, template, groups=8, copies=3)
    copy_of(template, tmp_path / "done")
    moments = count_moments(work, job, way, tmp_path / "done")
    rng, killed = random.Random(f"{job} {way}"), 0
    for trial in range(100):
        place = tmp_path / str(trial)
        copy_of(template, place)
        killed += kill_at(rng.randint(1, moments), work, job, way, place) != 0
        then = rng.choice(["apply", "undo"])
        check_that_nothing_is_lost_and_all_can_go_on(job, way, place, plan, before, then)
        shutil.rmtree(place)
        if killed == 20:
            break
    assert killed == 20


@pytest.mark.slow
@pytest.mark.parametrize(
    ("job", "way"),
    [
        ("apply", "here"),
        ("apply", "there"),
        ("apply", "no links"),
        ("undo", "here"),
        ("undo", "there"),
    ],
)
def test_dying_before_every_single_file_operation(job, way, tmp_path):
    template = tmp_path / "template"
    plan, before = prepare(job, way, template, groups=2, copies=1)
    for operation in count(1):
        place = tmp_path / str(operation)
        copy_of(template, place)
        code = exit_code(work_until, operation, job, way, place)
        if code == 0:
            break
        assert code == DIED
        again = tmp_path / f"{operation} again"
        copy_of(place, again)
        check_that_nothing_is_lost_and_all_can_go_on(job, way, place, plan, before, job)
        other = "undo" if job == "apply" else "apply"
        check_that_nothing_is_lost_and_all_can_go_on(job, way, again, plan, before, other)
        shutil.rmtree(place)
        shutil.rmtree(again)
    assert operation > 12, "there are so many operations at least"


@pytest.mark.slow
def test_dying_again_and_again(tmp_path):
    """Each run dies a few operations after it began, whatever the one before it left; in the end all is back."""
    place = tmp_path / "place"
    plan, before = prepare("apply", "there", place, groups=3, copies=2)
    rng = random.Random(5)
    for _ in range(25):
        job = rng.choice(["apply", "apply", "undo"])
        if job == "undo" and not (place / "aside" / JOURNAL).is_file():
            continue
        assert exit_code(work_until, rng.randrange(1, 30), job, "there", place) in (0, DIED)
        assert accounted(place / "photos", place / "aside") == Counter(before)
    check_that_nothing_is_lost_and_all_can_go_on("apply", "there", place, plan, before, "undo")


def test_sizes_may_be_missing_in_an_edited_plan(library, place, plan):
    edited = plan.assign(bytes=pd.array([None] * len(plan), dtype="Int64"))
    assert set(apply(library, edited)["outcome"]) == {"moved"}
    undo(place)
    wrong = plan.assign(bytes=plan["bytes"].astype(np.int64) + 1)
    assert set(apply(library, wrong)["outcome"]) == {"left alone"}
