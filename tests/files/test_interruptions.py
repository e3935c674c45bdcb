"""Killed at any moment, the old state is whole or the new one is, and the next run completes the work."""

import hashlib
import io
import os
import random
import shelve
import shutil
import tarfile
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from dbm import error as dbm_errors
from itertools import count
from types import FunctionType
from unittest import mock

import pytest
from kills import DIED, count_moments, exit_code, kill_at, work_until

from helpers import Problem, archive, datasets, shelf
from helpers.files.atomic import write_text
from helpers.images.folders import find_images
from helpers.truth import near_duplicates

pytestmark = pytest.mark.slow


@dataclass
class Job:
    """Something that takes a while, in a folder of its own.

    `prepare(place, size, photograph)` lays out what the work starts from, `work(place)` does it,
    `state(place)` tells what it has made.
    """

    prepare: FunctionType
    work: FunctionType
    state: FunctionType


# Unpacking


def prepare_archive(place, size, photograph):
    images = {
        f"category_{number % 9}/image_{number:04}.jpg": f"{number} ".encode() * 400
        for number in range(size)
    }
    with tarfile.open(place / "caltech-101.tar.gz", "w:gz") as tar:
        for path, content in images.items():
            member = tarfile.TarInfo(f"101_ObjectCategories/{path}")
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    lines = "".join(
        f"{hashlib.sha256(images[path]).hexdigest()}  {path}\n" for path in sorted(images)
    )
    (place / "content").write_text(f"{size} {hashlib.sha256(lines.encode()).hexdigest()}")


def unpack(place):
    size, digest = (place / "content").read_text().split()
    environment = {
        "FINGERPRINTS_DATA": str(place),
        "CALTECH_101_MIRROR": str(place / "caltech-101.tar.gz"),
    }
    with (
        mock.patch.dict(os.environ, environment),
        mock.patch.multiple(archive, CONTENT=digest, IMAGES=int(size)),
    ):
        datasets.caltech_101()


# Indexing


def prepare_photographs(place, size, photograph):
    for number in range(size):
        path = place / "photographs" / f"{number % 3}" / f"{number}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        photograph(number, size=(300, 200)).save(path)


def prepare_shelf(place, size, photograph):
    """A shelf that knows half of the photographs, some of which have changed since."""
    prepare_photographs(place, size, photograph)
    images = find_images(place / "photographs")
    shelf.build(place / "db.shelve", place / "photographs", images=images[::2], workers=1)
    for number, path in enumerate(images[::4]):
        photograph(1000 + number, size=(300, 201)).save(place / "photographs" / path)


def index(place):
    shelf.build(place / "db.shelve", place / "photographs", workers=1)


def entries(place):
    try:
        return dict(shelf.read(place / "db.shelve"))
    except Problem as problem:
        assert "no such shelf" in str(problem), problem
        return None


# Gathering


def prepare_haystack(place, size, photograph):
    """A haystack that was made with another seed."""
    prepare_photographs(place, size, photograph)
    gather(place, seed=1)


def prepare_haystack_that_lost_files(place, size, photograph):
    prepare_photographs(place, size, photograph)
    gather(place)
    (place / "haystack" / "truth.csv").unlink()
    (place / "haystack" / "0" / "0.jpg").unlink()


def gather(place, seed=2):
    needles = near_duplicates.random_needles(
        find_images(place / "photographs"), 4, copies=(2, 2), seed=seed
    )
    near_duplicates.gather(
        place / "photographs",
        place / "haystack",
        needles,
        seed=seed,
        replace=True,
        workers=1,
    )


def files(folder):
    """Every file with what it holds; None where there is no folder."""

    def tell(place):
        root = place / folder
        found = {
            path.relative_to(root).as_posix(): path for path in root.rglob("*") if path.is_file()
        }
        return {
            name: hashlib.sha256(path.read_bytes()).hexdigest() for name, path in found.items()
        } or None

    return tell


JOBS = {
    "unpacking": Job(prepare_archive, unpack, files("caltech-101")),
    "indexing": Job(prepare_photographs, index, entries),
    "indexing again": Job(prepare_shelf, index, entries),
    "gathering": Job(prepare_photographs, gather, files("haystack")),
    "gathering again": Job(prepare_haystack, gather, files("haystack")),
    "gathering what is missing": Job(prepare_haystack_that_lost_files, gather, files("haystack")),
}
#: Sizes at which each job is at work on many files, one after the other.
SIZES = {"unpacking": 120, "indexing": 30, "indexing again": 40, "gathering": 60}


# What is killed


def leftovers(place):
    return [path.name for path in place.rglob(".*")]


def prepared(job, size, tmp_path, photograph):
    """A folder to copy for every trial, and the states before and after the work is done, and its moments."""
    template, done = tmp_path / "template", tmp_path / "done"
    template.mkdir()
    job.prepare(template, size, photograph)
    shutil.copytree(template, done)
    moments = count_moments(job.work, done)
    assert job.state(done) is not None
    assert not leftovers(done)
    return template, job.state(template), job.state(done), moments


@pytest.mark.parametrize("name", SIZES)
def test_killed_at_twenty_random_moments(name, tmp_path, photograph):
    job = JOBS[name]
    template, old, new, moments = prepared(job, SIZES[name], tmp_path, photograph)
    rng, killed = random.Random(name), 0
    for trial in range(100):
        place = tmp_path / str(trial)
        shutil.copytree(template, place)
        killed += kill_at(rng.randint(1, moments), job.work, place) != 0
        assert job.state(place) in (old, new)
        job.work(place)
        assert job.state(place) == new
        assert not leftovers(place)
        shutil.rmtree(place)
        if killed == 20:
            break
    assert killed == 20


@pytest.mark.parametrize("name", JOBS)
def test_dying_before_every_single_file_operation(name, tmp_path, photograph):
    job = JOBS[name]
    template, old, new, _ = prepared(job, 4, tmp_path, photograph)
    for operation in count(1):
        place = tmp_path / str(operation)
        shutil.copytree(template, place)
        code = exit_code(work_until, operation, job.work, place)
        if code == 0:
            break
        assert code == DIED
        is_replaced = name in ("gathering again", "gathering what is missing")
        between_two_renamings = [None] if is_replaced else []
        assert job.state(place) in [old, new, *between_two_renamings], operation
        job.work(place)
        assert job.state(place) == new, operation
        assert not leftovers(place), operation
        shutil.rmtree(place)
    assert operation > 10, "there are so many operations at least"


def plain(path):
    """What the article's own `search.py` would see."""
    try:
        with shelve.open(str(path), "r") as database:
            return {key: database[key] for key in database if key != shelf.ABOUT}
    except dbm_errors:
        return None


def read(place):
    shelf.read(place / "db.shelve")


@pytest.mark.parametrize("work", [index, read])
def test_a_plain_shelve_too_sees_the_old_shelf_or_the_new_or_none(work, tmp_path, photograph):
    """Also where it is a reader who finishes what a killed process began, and is killed in turn."""
    template, old, new, _ = prepared(JOBS["indexing again"], 6, tmp_path, photograph)
    if work is read:
        with mock.patch.object(shelf, "_finish"):
            index(template)
        assert leftovers(template), "the new shelf is ready, but not in its place"
    seen = []
    for operation in count(1):
        place = tmp_path / str(operation)
        shutil.copytree(template, place)
        code = exit_code(work_until, operation, work, place)
        seen.append(plain(place / "db.shelve"))
        assert seen[-1] in (old, new, None), operation
        assert entries(place) in (old, new), operation
        if code == 0:
            break
    assert old in seen
    assert seen[-1] == new


@pytest.mark.skipif(os.name == "nt", reason="a file that is being read is not replaced there")
def test_two_who_write_one_file_leave_one_of_both_whole(tmp_path):
    file, texts = tmp_path / "plan.csv", ["a" * 300_000, "b" * 200_000]
    read = set()
    with ThreadPoolExecutor() as pool:
        writing = [pool.submit(write_text, file, text) for _ in range(30) for text in texts]
        while not all(job.done() for job in writing):
            with suppress(FileNotFoundError):
                read.add(file.read_text())
    assert [job.result() for job in writing] == [None] * 60
    assert read <= set(texts)
    assert leftovers(tmp_path) == []
