"""No byte is lost at whatever moment a run is killed, and the next run goes on."""

import json
import random
import shutil
from collections import Counter
from itertools import count
from unittest import mock

import pandas as pd
import pytest
from kills import DIED, count_moments, die_before, exit_code, kill_at
from moves import accounted, fill, split, state, way_of

from helpers.quarantine import journal
from helpers.quarantine.lines import JOURNAL, read_journal
from helpers.quarantine.moving import apply, undo


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
    plan = fill(place / "photos", groups, copies, films=True)
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
    if then == "undo" and not read_journal(aside / JOURNAL).owner:
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
