"""Files move and come back byte for byte; what has changed is left alone, with a sentence."""

import errno
import hashlib
import os
import shutil
import stat
from pathlib import Path
from unittest import mock

import numpy as np
import pandas as pd
import pytest
from filelock import FileLock
from inputs import POSIX
from moves import (
    COLUMNS,
    KEPT,
    SPOILED,
    WAYS,
    change,
    digest,
    fill,
    left_alone,
    other_file_system,
    plans,
    split,
    state,
    way_of,
)

from helpers import Problem
from helpers.files.atomic import exclusive
from helpers.quarantine import journal, moving
from helpers.quarantine.journal import JOURNAL, LOCK
from helpers.quarantine.moving import apply, undo
from helpers.quarantine.plans import read_plan, write_plan

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


@pytest.mark.parametrize("column", ["path", "kept"])
def test_a_path_that_leads_out_is_left_alone(column, library, place, plan, tmp_path):
    outside = tmp_path / "outside.jpg"
    outside.write_bytes((library / SPOILED).read_bytes())
    edited = plan.copy()
    moves = edited.index[edited["action"] == "move"][: len(STRANGE)]
    originals = edited.loc[moves, "path"].tolist()
    edited.loc[moves, column] = STRANGE
    about = outside.stat().st_size, digest(outside.read_bytes())
    kept = pd.DataFrame([("keep", path, path, *about) for path in STRANGE], columns=COLUMNS)
    done = apply(library, pd.concat([edited, kept]) if column == "kept" else edited)
    assert done["outcome"].tolist() == ["left alone"] * 9 + ["moved"] * 3
    assert outside.is_file()
    assert all((library / path).is_file() for path in originals)


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


def test_sizes_may_be_missing_in_an_edited_plan(library, place, plan):
    edited = plan.assign(bytes=pd.array([None] * len(plan), dtype="Int64"))
    assert set(apply(library, edited)["outcome"]) == {"moved"}
    undo(place)
    wrong = plan.assign(bytes=plan["bytes"].astype(np.int64) + 1)
    assert set(apply(library, wrong)["outcome"]) == {"left alone"}


# Partners


@pytest.fixture
def pairs(library):
    """A plan in which each file has a film beside it; the partners stand first."""
    return fill(library, films=True).sort_values("partner_of", ascending=False)


FILMS = [f"photos/{group}.mov" for group in range(4)]


def films(folder):
    return sorted(file.relative_to(folder).as_posix() for file in folder.rglob("*.mov"))


def test_partners_go_after_their_pictures_and_come_back(library, place, pairs, monkeypatch):
    before, order, move = state(library), [], journal.Journal.move
    monkeypatch.setattr(
        journal.Journal, "move", lambda *about: order.append(about[2]) or move(*about)
    )
    assert set(apply(library, pairs)["outcome"]) == {"moved"}
    assert order.index(SPOILED) < order.index(SPOILED.replace("jpg", "mov"))
    assert films(library) == FILMS
    undo(place)
    assert state(library) == before


@pytest.mark.parametrize("why", ["a person keeps it", "it has changed"])
def test_partners_of_a_picture_that_stays_stay(why, library, pairs):
    film = SPOILED.replace("jpg", "mov")
    if why == "it has changed":
        longer(library / SPOILED)
        assert film in left_alone(apply(library, pairs))
    else:
        assert film not in set(apply(library, change(pairs, SPOILED, action="keep"))["path"])
    assert films(library) == [film, *FILMS]


def test_a_picture_stays_with_a_partner_that_may_not_go(library, pairs):
    film = SPOILED.replace("jpg", "mov")
    longer(library / film)
    done = apply(library, pairs)
    assert {film, SPOILED} == set(left_alone(done))
    assert (library / SPOILED).exists()
    assert f"stays with {film}: has changed" in "".join(done["reason"])


@pytest.mark.parametrize("picture", ["move", "look"])
def test_partners_go_with_a_picture_that_was_asked_about_if_it_goes(picture, library, pairs):
    film = SPOILED.replace("jpg", "mov")
    (library / film).write_bytes(b"there is no equal one")
    sha256 = hashlib.sha256(b"there is no equal one").hexdigest()
    asked = change(pairs, film, action="look", kept=KEPT, sha256=sha256, bytes=21)
    done = apply(library, change(asked, SPOILED, action=picture))
    assert set(done["outcome"]) == {"moved"}
    assert (library / film).exists() == (library / SPOILED).exists() == (picture == "look")


def test_partners_change_places_as_their_pictures_do(library, pairs):
    same = change(pairs, "backup 0/photos/2 (2).jpg", action="look")
    apply(library, change(change(same, KEPT, action="move"), SPOILED, action="keep"))
    assert not (library / KEPT).exists()
    assert KEPT.replace("jpg", "mov") not in films(library)
    assert SPOILED.replace("jpg", "mov") in films(library)


def test_a_partner_that_a_killed_run_left_behind_goes_with_the_next_plan(
    library, place, pairs, monkeypatch
):
    move = journal.Journal.move

    def killed(self, where, path, *rest):
        if path.endswith(".mov"):
            raise KeyboardInterrupt
        move(self, where, path, *rest)

    with monkeypatch.context() as dying, pytest.raises(KeyboardInterrupt):
        dying.setattr(journal.Journal, "move", killed)
        apply(library, pairs)
    assert len(films(library)) == 16
    next_plan = pairs[pairs["path"] == KEPT]
    assert set(apply(library, next_plan)["outcome"]) == {"moved"}
    assert films(library) == FILMS
    assert len(apply(library, next_plan)) == 0


# The archive


def test_a_file_may_be_kept_in_an_archive_elsewhere_and_there_nothing_moves(
    library, place, plan, tmp_path
):
    archive = tmp_path / "archive" / "a.jpg"
    archive.parent.mkdir()
    (library / KEPT).rename(archive)
    plan = plan.replace({KEPT: archive.as_posix()})
    assert set(apply(library, plan)["outcome"]) == {"moved"}
    undo(place)
    swapped = change(change(plan, archive.as_posix(), action="move"), SPOILED, action="keep")
    assert left_alone(apply(library, swapped))[archive.as_posix()].startswith("is no path inside")
    inside = (library / SPOILED).as_posix()
    by_two_names = change(plan, SPOILED, action="keep").replace({archive.as_posix(): inside})
    gone = plan.replace({archive.as_posix(): "/a\0b"})
    assert set(left_alone(apply(library, gone))) >= OF_ITS_GROUP
    undo(place)
    assert set(left_alone(apply(library, by_two_names))) == OF_ITS_GROUP - {SPOILED}
    assert archive.is_file()


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
