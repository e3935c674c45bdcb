"""The second look: pictures with near fingerprints are compared once more, pixel by pixel.

Near fingerprints only make two pictures candidates. Two pictures are copies of each other if

- they correlate by at least `LEAST_CORRELATION`;
- they differ by at most `COPY_DIFFERENCE` in every place, at 512 pixels on the longer side, and
  then once more at the full size of the smaller one, where a digit on a page can be seen;
- their mean levels differ by at most `COPY_SHIFT`, in each part by at most `COPY_SHIFT_OF_PART`;
- their shapes (width by height) differ by at most 2 %;
- both have 8 bits a channel, since only 8 are compared;
- their cameras do not tell of two moments.

Two pictures that correlate, but are not copies, are look-alikes: a person may look at them.
"""

from __future__ import annotations

import hashlib
import json
from contextlib import suppress
from functools import lru_cache, partial
from operator import attrgetter
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image

from helpers import Problem
from helpers.files.parallel import share_out
from helpers.images.opening import open_image, thumbnail
from helpers.library.remembered import open_memory

#: The most that copies may differ in one place; see `helpers.images.pixels.difference`.
COPY_DIFFERENCE = 20.0
#: The most that the mean levels of copies may differ; see `helpers.images.pixels.mean_levels`.
COPY_SHIFT = 3.0
#: The same for each of `PARTS` x `PARTS` parts of the pictures.
COPY_SHIFT_OF_PART, PARTS = 5.0, 6
#: The least that copies and look-alikes correlate; see `helpers.images.pixels.correlation`.
LEAST_CORRELATION = 0.9
_PICTURES_IN_MEMORY = 200  # of one group, at the size at which they are compared


class Job(NamedTuple):
    """A group of pictures with near fingerprints; each dictionary has a value for each path.

    Parameters
    ----------
    ranks : dict
        What the pictures are sorted by, the best first; see `helpers.library.proposal`.
    near : dict
        The pictures whose fingerprints are near, each by its place among all paths, sorted. (Their
        paths would take most of the memory.)
    fingerprints : dict
        The fingerprint as an integer of 64 bits.
    exposed : dict
        When the picture was taken, as the camera tells; or empty.
    deep : dict
        Whether the file has more than 8 bits a channel.
    sizes : dict
        Width and height in pixels.
    files : dict
        Bytes, time and SHA-256 of the file.
    """

    ranks: dict[str, tuple]
    near: dict[str, list[int]]
    fingerprints: dict[str, int]
    exposed: dict[str, str]
    deep: dict[str, bool]
    sizes: dict[str, tuple[int, int]]
    files: dict[str, tuple]


class Verdict(NamedTuple):
    """What was found about a file, beside the one that stays.

    Parameters
    ----------
    kind : str
        ``near copy`` or ``look-alike``; ``exact copy`` where nobody had to look.
    kept : str
        The path of the file that stays.
    path : str
        The path of the file itself.
    distance : int
        Bits by which the two fingerprints differ.
    difference : float
        The difference in the worst place; see `helpers.images.pixels.difference`.
    correlation : float
        See `helpers.images.pixels.correlation`.
    decided : int
        The place, in the ranks, of what made the other one stay.
    why : str
        What was found, in words.
    """

    kind: str
    kept: str
    path: str
    distance: int
    difference: float
    correlation: float
    decided: int
    why: str


def verdicts_on(
    folder: Path, jobs: list[Job], cache: str | Path | None, workers: int | None
) -> tuple[list[Verdict], int]:
    """What was found about each group: remembered if nothing has changed, else by a second look.

    Parameters
    ----------
    folder : Path
        The photo library.
    jobs : list of Job
        The groups.
    cache : str, Path or None
        Where it is remembered; see `helpers.library.remembered.open_memory`.
    workers : int or None
        How many processes; see `helpers.files.parallel.share_out`.

    Returns
    -------
    verdicts : list of Verdict
        Those of each group together. A group in which a file is not the one that was scanned has
        none, and a sentence says so.
    opened : int
        How many files the groups have that were not remembered, and so had to be opened.

    Examples
    --------
    >>> verdicts_on(Path("photos"), [], "cache", 1)
    ([], 0)
    """
    keys = [hashlib.sha256(json.dumps(job).encode()).hexdigest() for job in jobs]
    depends_on = [COPY_DIFFERENCE, COPY_SHIFT, COPY_SHIFT_OF_PART, PARTS, LEAST_CORRELATION]
    with open_memory(folder, cache, "looks", depends_on, _are_verdicts) as memory:
        old = [
            memory.found[key]
            if _is_about(job, memory.found.get(key)) and _is_there(folder, job)
            else None
            for key, job in zip(keys, jobs, strict=True)
        ]
        new = [job for job, found in zip(jobs, old, strict=True) if found is None]
        judged = iter(share_out(partial(_judge, folder), new, workers=workers, title="second look"))
        found = [next(judged) if found is None else (True, found) for found in old]
        if changed := sum(not whole for whole, _ in found):
            print(f"Groups in which a file changed, or could not be opened: {changed}; scan again.")
        if new or len(memory.found) > len(jobs):
            memory.keep(
                {key: group for key, (whole, group) in zip(keys, found, strict=True) if whole}
            )
    verdicts = [Verdict(*verdict) for _, group in found for verdict in group]
    return verdicts, sum(len(job.files) for job in new)


def _are_verdicts(_: str, found: list) -> bool:
    """Whether this may be what an earlier run has found about a group."""
    types = [str, str, str, int, float, float, int, str]
    return isinstance(found, list) and all([*map(type, verdict)] == types for verdict in found)


def _is_about(job: Job, found: list | None) -> bool:
    """Whether what was found is about this group: a better picture stays for each other one."""
    ranks = job.ranks
    return found is not None and all(
        verdict.kind in ("near copy", "look-alike")
        and {verdict.kept, verdict.path} <= ranks.keys()
        and ranks[verdict.kept] < ranks[verdict.path]
        and verdict.decided == decided_by(ranks[verdict.kept], ranks[verdict.path])
        for verdict in map(Verdict._make, found)
    )


def _is_there(folder: Path, job: Job) -> bool:
    """Whether all files of a group have the size and time that they had when they were scanned."""
    try:
        now = {path: (folder / path).lstat() for path in job.files}
    except OSError:
        return False
    return all(
        (now[path].st_size, now[path].st_mtime_ns) == about[:2] for path, about in job.files.items()
    )


def _judge(folder: Path, job: Job) -> tuple[bool, list[Verdict]]:
    """Whether all pictures could be opened, and what was found; nothing if a file has changed."""
    if _is_there(folder, job):
        with suppress(Problem):  # of a file that goes away, or breaks, in the middle of it
            look = _Look(folder, job)
            found = look.verdicts()
            if _is_there(folder, job):
                return look.saw_all, found
    return False, []


class _Look:
    """A second look at one group. The best picture is compared first."""

    def __init__(self, folder: Path, job: Job) -> None:
        self.job = job
        self.paths = sorted(job.near)
        self.pictures = _Pictures(folder, list(job.ranks))
        self.saw_all = len(self.pictures.greys) == len(job.ranks)
        self.copies: dict[str, Verdict] = {}
        # path -> the pictures it may look like: least difference, number, path, correlation
        self.looks: dict[str, list[tuple[float, int, str, float]]] = {}

    def verdicts(self) -> list[Verdict]:
        """The copies and look-alikes. Of a copy nothing more is said than whose copy it is."""
        for best in self.pictures.greys:
            if best not in self.copies:
                self._compare_with(best)
        looks = self.looks.keys() - self.copies.keys()
        return [*self.copies.values(), *sorted(self._most_alike(path) for path in looks)]

    def _compare_with(self, best: str) -> None:
        """Find the copies of one picture, and note which pictures may only look like it.

        Pictures near one of its copies are compared too, but with the best one itself. So every
        copy is a copy of the one that stays, not only of another copy.
        """
        by_difference = attrgetter("difference")
        reached, seen = [best], {best}
        for member in reached:  # which grows
            others = [
                other
                for other in map(self.paths.__getitem__, self.job.near[member])
                if other in self.pictures.greys
                and other not in seen
                and self.job.ranks[other] > self.job.ranks[best]
            ]
            seen.update(others)
            for other, alike in self.pictures.alike(best, others):
                least = self.pictures.at_least(best, other)
                found = self._verdict(best, other, alike) if least <= COPY_DIFFERENCE else None
                if found and found.kind == "near copy":
                    reached.append(other)
                    so_far = self.copies.get(other, found)
                    self.copies[other] = min(so_far, found, key=by_difference)
                else:
                    looks = self.looks.setdefault(other, [])
                    looks.append((least, len(looks), best, alike))

    def _verdict(self, best: str, other: str, alike: float) -> Verdict:
        job, differs = self.job, self.pictures.difference(best, other)
        if but := self._objection(best, other, differs):
            kind, why = "look-alike", f"alike, but {but}"
        else:
            most = f"a difference of {differs:.1f} at most (up to {COPY_DIFFERENCE:g} passes)"
            kind, why = "near copy", f"the same picture, {most}"
        distance = (job.fingerprints[best] ^ job.fingerprints[other]).bit_count()
        decided = decided_by(job.ranks[best], job.ranks[other])
        return Verdict(kind, best, other, distance, differs, round(alike, 4), decided, why)

    def _objection(self, best: str, other: str, differs: float) -> str:
        """Why two pictures that correlate are not copies of each other; empty if they are."""
        job, changed = self.job, "brighter, darker or of other colours"
        if differs > COPY_DIFFERENCE:
            return f"a difference of {differs:.1f} in one place (up to {COPY_DIFFERENCE:g} passes)"
        if (shift := self.pictures.shift(best, other)) > COPY_SHIFT:
            return f"{changed} as a whole, by {shift:.1f} (up to {COPY_SHIFT:g} passes)"
        if (part := self.pictures.shift_of_part(best, other)) > COPY_SHIFT_OF_PART:
            return f"{changed} over an area, by {part:.1f} (up to {COPY_SHIFT_OF_PART:g} passes)"
        if _is_stretched(job.sizes[best], job.sizes[other]):
            return "of another shape: one of them was stretched"
        if job.deep[best] or job.deep[other]:
            return "with more than 8 bits a channel, of which 8 are compared"
        if _is_taken_apart(job.exposed[best], job.exposed[other]):
            return "taken at two moments, as their EXIF has it"
        return ""

    def _most_alike(self, path: str) -> Verdict:
        """The verdict beside the picture that a look-alike differs least from."""
        exact: list[tuple[float, int, Verdict]] = []
        for least, number, best, alike in sorted(self.looks[path]):
            if exact and least > min(exact)[0]:
                break
            found = self._verdict(best, path, alike)
            exact.append((found.difference, number, found))
        return min(exact)[2]


class _Pictures:
    """The pictures of a group, at the size at which they are compared.

    A little of each picture stays in memory; all of it only for the latest ones.
    """

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

    def alike(self, best: str, others: list[str]) -> list[tuple[str, float]]:
        """The pictures that correlate with the best one, and by how much."""
        if not others:
            return []
        many = np.stack([self.greys[other] for other in others])
        found = self._pixels.correlations(self.greys[best], many).tolist()
        return [
            (other, alike)
            for other, alike in zip(others, found, strict=True)
            if alike >= LEAST_CORRELATION
        ]

    def at_least(self, best: str, other: str) -> float:
        """What two pictures differ by at least: for most this shows that they are no copies."""
        size = self._pixels.common_size(self._sizes[best], self._sizes[other])
        return round(self._pixels.at_least(self._blocks(best, size), self._blocks(other, size)), 1)

    def shift(self, best: str, other: str) -> float:
        """By how much the brightness or a colour of the whole differs."""
        return round(float(np.abs(self._means[best] - self._means[other]).max()), 1)

    def shift_of_part(self, best: str, other: str) -> float:
        """The same, of the part where it differs most."""
        # At two sizes an edge might fall into two parts.
        size = self._pixels.common_size(self._sizes[best], self._sizes[other])
        both = [self._small(path).resize(size, Image.Resampling.LANCZOS) for path in (best, other)]
        one, two = (self._pixels.mean_levels(picture, PARTS) for picture in both)
        return round(float(np.abs(one - two).max()), 1)

    def difference(self, best: str, other: str) -> float:
        """What two pictures differ by; if it is little, also at the smaller one's full size."""
        differs = self._pixels.difference(self._small(best), self._small(other))
        both = min(max(self._sizes[best]), max(self._sizes[other]))
        if both == self._pixels.COMPARED_SIZE and round(differs, 1) <= COPY_DIFFERENCE:
            other_whole = open_image(self._folder / other).convert("RGB")
            differs = max(differs, self._pixels.difference(self._whole(best), other_whole, None))
        return round(differs, 1)


def decided_by(best: tuple, other: tuple) -> int:
    """The first place at which two ranks differ.

    Parameters
    ----------
    best : tuple
        The rank of the picture that stays.
    other : tuple
        The rank of another picture, of the same length.

    Returns
    -------
    int
        Counted from 0.

    Examples
    --------
    >>> decided_by((-100, False, "a.jpg"), (-100, True, "b.jpg"))
    1
    """
    return next(
        place for place, pair in enumerate(zip(best, other, strict=True)) if pair[0] != pair[1]
    )


def _is_stretched(first: tuple[int, int], second: tuple[int, int]) -> bool:
    """Whether shapes differ by more than 2 %, beside what comes of rounding to whole pixels."""
    shapes = first[0] * second[1], first[1] * second[0]
    return max(shapes) / min(shapes) - 1 > 0.02 + 1 / min(*first, *second)


def _is_taken_apart(first: str, second: str) -> bool:
    """Whether the cameras' clocks, or their fractions of a second, say that these are two shots."""
    times = zip(first.partition(".")[::2], second.partition(".")[::2], strict=True)
    return any(one and other and one != other for one, other in times)
