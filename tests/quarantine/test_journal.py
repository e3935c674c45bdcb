"""No byte is lost whatever happens at the very moment of a move, or to the journal."""

import errno
import json
import os
import shutil
from collections import Counter
from contextlib import contextmanager, suppress
from functools import partial
from itertools import count
from unittest import mock

import pytest
from inputs import POSIX
from moves import (
    SPOILED,
    WAYS,
    accounted,
    fill,
    left_alone,
    other_file_system,
    split,
    state,
    way_of,
)

from helpers import Problem
from helpers.quarantine import journal
from helpers.quarantine.journal import JOURNAL, RESERVE
from helpers.quarantine.moving import apply, undo

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


#: A file is saved in each of these ways, all in one run.
SAVES = {
    SPOILED: save_in_place,
    "backup 0/photos/2 (2).jpg": save_and_replace,
    "backup 1/photos/2 (3).jpg": save_as_long_as_before,
}
MOMENTS = [
    *(("before the move", way) for way in WAYS),
    ("before the old name is removed", "there"),
    ("before the old name is removed", "no links there"),
    pytest.param("before the old name is removed", "here", marks=POSIX),
]


@contextmanager
def at_the_moment(moment, source_folder, target_folder, acts):
    """Act once for each path: after the file was looked at, or once it has its new name, and still the old one."""
    acted = []

    def once(path):
        if path not in acted:
            acted.append(path)
            acts[path]()

    def before(do):
        def done(old, *rest):
            for path in acts:
                if old == source_folder / path:
                    once(path)
            do(old, *rest)

        return done

    def after(do):
        def done(*arguments):
            do(*arguments)
            for path in acts:
                if os.path.lexists(source_folder / path) and os.path.lexists(target_folder / path):
                    once(path)

        return done

    names, wrap = (
        (["_move"], before) if moment == "before the move" else (["synchronise", "_rename"], after)
    )
    # private names: nothing else lies in this moment
    patch = {name: wrap(getattr(journal, name)) for name in names}
    with mock.patch.multiple(journal, **patch):
        yield
    assert sorted(acted) == sorted(acts), "the moment came for each"


def saves_in(folder):
    return {path: partial(save, folder / path) for path, save in SAVES.items()}


@pytest.mark.parametrize(("moment", "way"), MOMENTS)
def test_an_edit_at_the_very_moment_is_left_alone(moment, way, library, place, plan):
    before = state(library)
    meanwhile = at_the_moment(moment, library, place, saves_in(library))
    with way_of(way, library, place), meanwhile:
        done = apply(library, plan)
        edited = {path: about for path, about in state(library).items() if path in SAVES}
    why = "was changed while it was to be moved; run this again"
    assert left_alone(done) == dict.fromkeys(SAVES, why)
    assert all(edited[path] != before[path] for path in SAVES)
    assert not set(state(place)) & set(SAVES)
    with way_of(way, library, place):
        again = left_alone(apply(library, plan))
        assert again == dict.fromkeys(SAVES, "has changed since the plan was made; scan again")
        assert set(undo(place)["outcome"]) == {"put back"}
    assert (state(library), state(place)) == ({**before, **edited}, {})


@pytest.mark.parametrize(("moment", "way"), MOMENTS)
def test_an_edit_in_quarantine_at_the_very_moment_stays_there(moment, way, library, place, plan):
    before = state(library)
    apply(library, plan)
    meanwhile = at_the_moment(moment, place, library, saves_in(place))
    with way_of(way, library, place), meanwhile:
        assert set(left_alone(undo(place))) == set(SAVES)
    edited = state(place)
    assert set(edited) == set(SAVES)
    assert all(edited[path] != before.pop(path) for path in SAVES)
    assert state(library) == before
    why = "has changed in quarantine; put it back by hand"
    assert left_alone(undo(place)) == dict.fromkeys(SAVES, why)


@pytest.mark.parametrize("way", [pytest.param("here", marks=POSIX), "there"])
def test_a_file_that_is_deleted_at_the_very_moment_can_be_put_back(way, library, place, plan):
    before = state(library)
    moment, act = "before the old name is removed", {SPOILED: (library / SPOILED).unlink}
    with way_of(way, library, place), at_the_moment(moment, library, place, act):
        apply(library, plan)
    assert (state(library), state(place)) == split(before, plan)
    undo(place)
    assert state(library) == before


@POSIX
def test_what_somebody_puts_in_the_place_of_the_new_name_is_not_removed(library, place, plan):
    """Then the file keeps its old name, as the only one."""
    before = state(library)
    moment, act = "before the old name is removed", partial(save_and_replace, place / SPOILED)
    with at_the_moment(moment, library, place, {SPOILED: act}):
        assert set(left_alone(apply(library, plan))) == {SPOILED}
    assert state(library)[SPOILED] == before[SPOILED]
    assert (place / SPOILED).read_bytes() == EDIT


# What the journal tells


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


# A journal that is damaged

DAMAGED = "has lines that are damaged or foreign, and were passed over"


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
    numbers = ", ".join(str(1 + number) for number, line in enumerate(rubbish) if line)
    assert left_alone(undo(place)) == {JOURNAL: f"{DAMAGED}: {numbers}"}
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
