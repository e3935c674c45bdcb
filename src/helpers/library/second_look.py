"""The second look: near pictures, compared pixel by pixel."""

from __future__ import annotations

import hashlib
import json
from contextlib import nullcontext, suppress
from functools import lru_cache, partial
from operator import attrgetter
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image

from helpers import Problem
from helpers.files.atomic import exclusive
from helpers.files.parallel import share_out
from helpers.images.opening import open_image, thumbnail
from helpers.library.remembered import cache_file_of, made_by, read_cache, write_cache

#: The most that copies may differ in one place: see `helpers.images.pixels.difference`.
COPY = 20.0
#: The most that the mean levels of copies may differ, over the whole picture, and over each of `PARTS` x `PARTS` of it: see
#: `helpers.images.pixels.mean_levels`, and there what compressing and filters do.
SHIFT, SHIFT_OF_PART, PARTS = 3.0, 5.0, 6
#: Near pictures that correlate less, as `helpers.images.pixels.correlation` has it, are near by chance.
LOOK_ALIKE = 0.9
_PICTURES_IN_MEMORY = 200  # of one group, at the size at which they are compared


class Job(NamedTuple):
    """A group of near pictures, by path, the best first."""

    ranks: dict[str, tuple]
    near: dict[str, list[str]]  # whose fingerprints are near
    fingerprints: dict[str, int]
    exposed: dict[str, str]
    deep: dict[str, bool]
    sizes: dict[str, tuple[int, int]]  # width and height
    files: dict[str, tuple]  # bytes, time and SHA-256


class Verdict(NamedTuple):
    """What was found about a file, beside the one that stays."""

    kind: str
    kept: str
    path: str
    distance: int
    difference: float
    correlation: float
    decided: int  # the place in `_REASONS` of what made the other one stay
    why: str


def verdicts_on(
    folder: Path,
    jobs: list[Job],
    copy: float,
    look_alike: float,
    cache: str | Path | None,
    workers: int | None,
) -> list[Verdict]:
    """What was found about each group: remembered where nothing has changed, else by a second look."""
    maker = made_by([*Verdict._fields, copy, look_alike])
    keys = [hashlib.sha256(json.dumps(job).encode()).hexdigest() for job in jobs]
    cache_file = cache_file_of(folder, cache, "looks")
    with exclusive(cache_file) if cache_file else nullcontext():
        known = dict(read_cache(cache_file, maker))
        old = [
            known[key] if key in known and _is_there(folder, job) else None
            for key, job in zip(keys, jobs, strict=True)
        ]
        new = [job for job, found in zip(jobs, old, strict=True) if found is None]
        judge = partial(_judge, folder, copy, look_alike)
        judged = iter(share_out(judge, new, workers=workers, title="second look"))
        found = [next(judged) if found is None else (True, found) for found in old]
        if changed := sum(not whole for whole, _ in found):
            print(f"Groups in which a file changed, or could not be opened: {changed}; scan again.")
        if new or len(known) > len(jobs):
            lines = [[key, group] for key, (whole, group) in zip(keys, found, strict=True) if whole]
            write_cache(cache_file, maker, lines)
    return [Verdict(*verdict) for _, group in found for verdict in group]


def _is_there(folder: Path, job: Job) -> bool:
    """Whether all files of a group have the size and time that they had when they were scanned."""
    try:
        now = {path: (folder / path).lstat() for path in job.files}
    except OSError:
        return False
    return all(
        (now[path].st_size, now[path].st_mtime_ns) == about[:2] for path, about in job.files.items()
    )


def _judge(
    folder: Path, copy: float, look_alike: float, jobs: list[Job]
) -> list[tuple[bool, list[Verdict]]]:
    return [_judge_group(folder, copy, look_alike, job) for job in jobs]


def _judge_group(
    folder: Path, copy: float, look_alike: float, job: Job
) -> tuple[bool, list[Verdict]]:
    """Whether all its pictures could be opened, and what was found, which is nothing if a file is not the one that was scanned."""
    if _is_there(folder, job):
        with suppress(Problem):  # of one that is gone, or broken, in the middle of it
            found = _look_at_group(folder, copy, look_alike, job)
            if _is_there(folder, job):
                return found
    return False, []


def _look_at_group(
    folder: Path, copy: float, look_alike: float, job: Job
) -> tuple[bool, list[Verdict]]:
    """Whether all its pictures could be opened, and the copies and look-alikes: the best is compared first, pixel by pixel."""
    pictures = _Pictures(folder, list(job.ranks))
    by_difference = attrgetter("difference")

    def verdict(best: str, other: str, alike: float) -> Verdict:
        differs = pictures.difference(best, other, copy)
        shift = pictures.shift(best, other)
        if differs > copy:
            but = f"a difference of {differs:.1f} in one place (up to {copy:g} passes)"
        elif shift > SHIFT:
            but = f"brighter, darker or of other colours as a whole, by {shift:.1f} (up to {SHIFT:g} passes)"
        elif (part := pictures.shift_of_part(best, other)) > SHIFT_OF_PART:
            but = f"brighter, darker or of other colours over an area, by {part:.1f} (up to {SHIFT_OF_PART:g} passes)"
        elif _is_stretched(job.sizes[best], job.sizes[other]):
            but = "of another shape: one of them was stretched"
        elif job.deep[best] or job.deep[other]:
            but = "with more than 8 bits a channel, of which 8 are compared"
        elif _taken_apart(job.exposed[best], job.exposed[other]):
            but = "taken at two moments, as their EXIF has it"
        else:
            but = ""
        kind = "look-alike" if but else "near copy"
        same = f"the same picture, a difference of {differs:.1f} at most (up to {copy:g} passes)"
        why = f"alike, but {but}" if but else same
        distance = (job.fingerprints[best] ^ job.fingerprints[other]).bit_count()
        decided = decided_by(job.ranks[best], job.ranks[other])
        return Verdict(kind, best, other, distance, differs, round(alike, 4), decided, why)

    copies: dict[str, Verdict] = {}
    looks: dict[
        str, list[tuple]
    ] = {}  # path -> difference at least, number, better one, correlation
    for best in pictures.greys:
        if best in copies:
            continue
        reached, seen = [best], {best}
        for member in reached:  # it grows: who is near a copy is compared too, but with the best
            others = [
                other
                for other in job.near[member]
                if other in pictures.greys
                and other not in seen
                and job.ranks[other] > job.ranks[best]
            ]
            seen.update(others)
            for other, alike in pictures.alike(best, others, look_alike):
                least = pictures.at_least(best, other)
                found = verdict(best, other, alike) if least <= copy else None
                if found and found.kind == "near copy":
                    reached.append(other)
                    copies[other] = min(copies.get(other, found), found, key=by_difference)
                else:
                    so_far = looks.setdefault(other, [])
                    so_far.append((least, len(so_far), best, alike))
    # of copies nothing more is said than whose they are, of a look-alike only what it is most like
    nearest = []
    for path in looks.keys() - copies.keys():
        exact: list[tuple[float, int, Verdict]] = []
        for least, number, best, alike in sorted(looks[path]):
            if exact and least > min(exact)[0]:
                break
            found = verdict(best, path, alike)
            exact.append((found.difference, number, found))
        nearest.append(min(exact)[2])
    return len(pictures.greys) == len(job.ranks), [*copies.values(), *sorted(nearest)]


class _Pictures:
    """The pictures of a group, at the size at which they are compared. A little of each stays in memory, of a few all."""

    def __init__(self, folder: Path, paths: list[str]) -> None:
        from helpers.images import pixels

        def opened(path: str) -> Image.Image:
            if picture := thumbnail(folder / path, pixels.COMPARED_SIZE):
                return picture
            raise Problem(f"{folder / path}: is gone or broken since the scan; scan again")

        self._pixels = pixels
        self._folder = folder
        self._small = small = lru_cache(maxsize=_PICTURES_IN_MEMORY)(opened)
        self._blocks = lru_cache(maxsize=None)(lambda path, size: pixels.blocks(small(path), size))
        self._whole = lru_cache(maxsize=1)(lambda path: open_image(folder / path).convert("RGB"))
        self._sizes, self._means, self.greys = {}, {}, {}
        for path in paths:
            with suppress(Problem):
                picture = small(path)
                self._sizes[path] = picture.size
                self._means[path] = pixels.mean_levels(picture)
                self.greys[path] = pixels.greys(picture)

    def alike(self, best: str, others: list[str], least: float) -> list[tuple[str, float]]:
        """Those that correlate with the best, and how much."""
        if not others:
            return []
        many = np.stack([self.greys[other] for other in others])
        found = self._pixels.correlations(self.greys[best], many).tolist()
        return [
            (other, alike) for other, alike in zip(others, found, strict=True) if alike >= least
        ]

    def at_least(self, best: str, other: str) -> float:
        """What two pictures differ by at least, which is enough to know of most that are no copies."""
        size = self._pixels.common_size(self._sizes[best], self._sizes[other])
        return round(self._pixels.at_least(self._blocks(best, size), self._blocks(other, size)), 1)

    def shift(self, best: str, other: str) -> float:
        """By how much the brightness or a colour of the whole differs."""
        return round(float(np.abs(self._means[best] - self._means[other]).max()), 1)

    def shift_of_part(self, best: str, other: str) -> float:
        """The same, of the part where it differs most. At one size: else an edge may fall into another part."""
        size = self._pixels.common_size(self._sizes[best], self._sizes[other])
        both = [self._small(path).resize(size, Image.Resampling.LANCZOS) for path in (best, other)]
        one, two = (self._pixels.mean_levels(picture, PARTS) for picture in both)
        return round(float(np.abs(one - two).max()), 1)

    def difference(self, best: str, other: str, copy: float) -> float:
        """What two pictures differ by; if that is little, and both are larger, at the full size of the smaller one."""
        differs = self._pixels.difference(self._small(best), self._small(other))
        both = min(max(self._sizes[best]), max(self._sizes[other]))
        if both == self._pixels.COMPARED_SIZE and round(differs, 1) <= copy:
            other_whole = open_image(self._folder / other).convert("RGB")
            differs = max(differs, self._pixels.difference(self._whole(best), other_whole, None))
        return round(differs, 1)


def decided_by(best: tuple, other: tuple) -> int:
    """The place of the first of `_REASONS` in which two ranks differ."""
    return next(
        place for place, pair in enumerate(zip(best, other, strict=True)) if pair[0] != pair[1]
    )


def _is_stretched(first: tuple[int, int], second: tuple[int, int]) -> bool:
    """Whether width by height differ by more than 2 %, beside what is rounded to whole pixels."""
    shapes = first[0] * second[1], first[1] * second[0]
    return max(shapes) / min(shapes) - 1 > 0.02 + 1 / min(*first, *second)


def _taken_apart(first: str, second: str) -> bool:
    """Whether two cameras' clocks say that these are two shots: EXIF's time of exposure and its fraction of a second."""
    times = zip(first.partition(".")[::2], second.partition(".")[::2], strict=True)
    return any(one and other and one != other for one, other in times)
