"""The second look: pictures with near fingerprints are compared once more, pixel by pixel.

Near fingerprints only make two pictures candidates. Two pictures are one picture if

- they correlate by at least `LEAST_CORRELATION`;
- they differ by at most `COPY_DIFFERENCE` in every place, at 512 pixels on the longer side, and
  then at the full size of the smaller one, where a digit on a page can be seen;
- their mean levels differ by at most `COPY_SHIFT`, in each part by at most `COPY_SHIFT_OF_PART`;
- their shapes (width by height) differ by at most 2 %;
- both have 8 bits a channel, since only 8 are compared;
- their cameras do not tell of two moments, or all their pixels are equal.

Two pictures that correlate, but are not one picture, are look-alikes: a person may look at them.
All that is found is about two contents. It does not depend on which of the files stays, so it is
remembered by their SHA-256.
"""

from __future__ import annotations

from base64 import b64decode
from collections import namedtuple
from collections.abc import Iterator, Sequence
from contextlib import suppress
from functools import partial
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from helpers import Problem
from helpers.files.parallel import share_out_as_done
from helpers.files.places import open_input
from helpers.images import pixels
from helpers.images.detail import shows_more
from helpers.images.formats import open_header
from helpers.images.opening import open_with_size
from helpers.library.remembered import open_memory

# What only the main process needs is imported where it is used, so that workers start sooner.
if TYPE_CHECKING:
    import pandas as pd

#: The most that copies may differ in one place; see `helpers.images.pixels.difference`.
COPY_DIFFERENCE = 20.0
#: The most that the mean levels of copies may differ; see `helpers.images.pixels.mean_levels`.
COPY_SHIFT = 3.0
#: The same for each of `PARTS` x `PARTS` parts of the pictures.
COPY_SHIFT_OF_PART, PARTS = 5.0, 6
#: The least that copies and look-alikes correlate; see `helpers.images.pixels.correlation`.
LEAST_CORRELATION = 0.9
#: If the pictures of a group have more near ones than this on average, it is a crowd, in which
#: each picture is compared with its `NEAREST` only.
MOST_NEAR, NEAREST = 24, 4
_PAIRS_OF_A_JOB = 1024  # at most; those of a crowd
_BYTES_OF_PICTURES = 2**27  # of a process, which stay in memory; as many of small ones
_OPENED_SIZE = 3 * pixels.COMPARED_SIZE // 2  # to which a decoder may shrink it at a first look
_SURE = 1  # bits; pictures that differ by no more are likely to be copies, and opened whole at once
_ENDS = ["first", "second"]


# What there is to know about a file; columns of the table that a scan makes.
_File = namedtuple(
    "_File", "path bytes modified sha256 width height deep exposed fingerprint lossless"
)
_Pair = Sequence[_File]  # two


# Which pairs


def comparable(table: pd.DataFrame) -> pd.DataFrame:
    """The pictures that may be compared by fingerprints and pixels, each content once.

    Parameters
    ----------
    table : DataFrame
        From `helpers.library.inventory.scan`.

    Returns
    -------
    DataFrame
        Of rows with the same bytes the first. Flat and transparent pictures and those of several
        frames are left out, as is what could not be read.

    Examples
    --------
    >>> comparable(scan("photos"))  # doctest: +SKIP
    """
    table = table[(table["sha256"] != "") & table["fingerprint"].notna()]
    table = table.drop_duplicates("sha256")
    for name, usual in (("frames", 1), ("flat", False), ("transparent", False)):
        table = table[table[name].eq(usual).fillna(False)]
    return table


def candidates(table: pd.DataFrame, radius: int) -> pd.DataFrame:
    """The pairs of pictures to be compared: those with near fingerprints.

    Parameters
    ----------
    table : DataFrame
        From `helpers.library.inventory.scan`; its `comparable` rows count.
    radius : int
        Bits by which the fingerprints of copies may differ.

    Returns
    -------
    DataFrame
        ``first`` and ``second`` (paths, in the order of the table) and ``distance`` (bits), sorted.
        In a crowd, such as a time-lapse, the pictures have too many near ones. A sentence names
        it, and each of its pictures is paired with those of the nearest sketches only, so that n
        frames have a few times n pairs.

    Examples
    --------
    >>> candidates(scan("photos"), 8)  # doctest: +SKIP
    """
    import pandas as pd

    from helpers.files.places import one_line
    from helpers.search import pairs

    table = comparable(table)
    crowds = pairs.crowds(table["fingerprint"], radius, MOST_NEAR)
    rest = np.setdiff1d(np.arange(len(table)), np.concatenate([[], *crowds]).astype(int))
    near = pairs.all_pairs(table["fingerprint"].iloc[rest], radius)
    found = [near.assign(first=rest[near["first"]], second=rest[near["second"]])]
    for rows in crowds:
        print(
            f"{len(rows):,} pictures are near each other, as "
            f"{one_line(min(table['path'].iloc[rows]))}: "
            f"each is compared with the {NEAREST} nearest only"
        )
        near = _nearest(table.iloc[rows], radius)
        found.append(near.assign(first=rows[near["first"]], second=rows[near["second"]]))
    near = pd.concat(found).sort_values(["distance", "first", "second"], ignore_index=True)
    paths = table["path"].to_numpy()
    return near.assign(first=paths[near["first"]], second=paths[near["second"]])


def _nearest(table: pd.DataFrame, radius: int) -> pd.DataFrame:
    """The pairs of rows whose sketches are nearest, as far as they lie within the radius.

    Those of the commonest size are asked once more for the nearest of each: else small copies of
    all frames would be near each other only.
    """
    import pandas as pd
    from scipy.spatial import cKDTree

    sketches = b"".join(map(b64decode, table["sketch"]))
    points = np.frombuffer(sketches, dtype="<i2").reshape(len(table), -1).astype(float)
    sizes = table["width"] * 2**32 + table["height"]
    found = []
    for rows in np.arange(len(table)), np.flatnonzero(sizes == sizes.mode()[0]):
        tree = cKDTree(points[rows])
        near = tree.query(points, k=min(NEAREST + 1, len(rows)), workers=-1)[1]
        ends = np.repeat(np.arange(len(table)), near.shape[1]), rows[near.ravel()]
        found.append(np.sort(ends, axis=0))
    first, second = np.unique(np.concatenate(found, axis=1), axis=1)
    words = table["fingerprint"].to_numpy(dtype=np.uint64)
    distance = np.bitwise_count(words[first] ^ words[second]).astype(np.int64)
    pairs = pd.DataFrame({"first": first, "second": second, "distance": distance})
    return pairs[(first != second) & (distance <= radius)]


# What is found about them


def look(
    folder: str | Path,
    pairs: pd.DataFrame,
    table: pd.DataFrame,
    cache: str | Path | None = None,
    workers: int | None = None,
) -> pd.DataFrame:
    """What there is to know about pairs of pictures: remembered, or by a second look.

    Parameters
    ----------
    folder : str or Path
        The photo library. Absolute paths may name files elsewhere.
    pairs : DataFrame
        With columns ``first`` and ``second``: paths, as from `candidates`.
    table : DataFrame
        From `helpers.library.inventory.scan`, with a row for each path.
    cache : str or Path, optional
        As for `helpers.library.inventory.scan`. What is found is remembered as it is found, by the
        SHA-256 of both files, as long as both are in the table.
    workers : int, optional
        How many processes; see `helpers.files.parallel.share_out`.

    Returns
    -------
    DataFrame
        A row a pair, in their order: ``first``, ``second``, ``distance`` (bits of the
        fingerprints), ``correlation``, ``difference`` (in the worst place), ``objection`` (why
        they are not one picture; empty if they are) and ``shows``: 1 if the first one shows more
        detail, -1 if the second one does, 0 if neither. A pair is left out if it does not
        correlate. So is one of which a file is not as it was when it was scanned; a sentence
        counts these. ``attrs["opened"]`` is how many files had to be opened.

    Examples
    --------
    >>> look("photos", candidates(table, 8), table)  # doctest: +SKIP
    """
    import pandas as pd

    folder = Path(folder)
    paths = list(dict.fromkeys([*pairs["first"], *pairs["second"]]))
    named = table.set_index("path", drop=False).loc[paths]
    facts = named[list(_File._fields)].astype(object).itertuples(index=False, name=None)
    files = {about[0]: _File(*about) for about in facts}
    there = {path for path, file in files.items() if _is_there(folder, file)}
    asked = list(zip(pairs["first"], pairs["second"], strict=True))
    to_know = [(files[one], files[two]) for one, two in asked if {one, two} <= there]
    found, opened = _found(folder, to_know, set(table["sha256"]), cache, workers)
    rows, changed = [], len(asked) - len(to_know)
    for one, two in to_know:
        fact = found.get(_key(one, two))
        changed += fact is None
        if fact:
            *seen, shows = fact
            distance = (one.fingerprint ^ two.fingerprint).bit_count()
            turn = 1 if one.sha256 <= two.sha256 else -1
            rows.append((one.path, two.path, distance, *seen, shows * turn))
    if changed:
        print(f"Pairs of which a file changed, or could not be opened: {changed}; scan again.")
    columns = ["first", "second", "distance", "correlation", "difference", "objection", "shows"]
    looked = pd.DataFrame(rows, columns=columns)
    looked.attrs["opened"] = opened
    return looked


def _found(
    folder: Path,
    pairs: list[_Pair],
    known: set[str],
    cache: str | Path | None,
    workers: int | None,
) -> tuple[dict[str, list], int]:
    """What is known about contents, these pairs among them, and how many files were opened."""
    depends_on = [COPY_DIFFERENCE, COPY_SHIFT, COPY_SHIFT_OF_PART, PARTS, LEAST_CORRELATION]
    with open_memory(folder, cache, "looks", depends_on, _is_fact) as memory:
        found = {key: fact for key, fact in memory.found.items() if {*key.split()} <= known}
        ordered = (sorted(two, key=lambda file: file.sha256) for two in pairs)
        new = {_key(*two): two for two in ordered if _key(*two) not in found}
        jobs, work = list(_jobs(list(new.values()))), partial(_facts, folder)
        looked = share_out_as_done(work, jobs, workers=workers, title="second look")
        memory.keep_as_found(found, looked)
    return found, len({file.path for two in new.values() for file in two})


def _key(one: _File, two: _File) -> str:
    return " ".join(sorted((one.sha256, two.sha256)))


def _is_fact(_: str, fact: list) -> bool:
    """Whether this may be what an earlier run has found: nothing if two do not correlate."""
    return isinstance(fact, list) and [*map(type, fact)] in ([], [float, float, str, int])


def _is_there(folder: Path, file: _File) -> bool:
    """Whether a file has the size and time that it had when it was scanned."""
    with suppress(OSError):
        now = (folder / file.path).lstat()
        return (now.st_size, now.st_mtime_ns) == (file.bytes, file.modified)
    return False


def _jobs(pairs: list[_Pair]) -> Iterator[list[_Pair]]:
    """The pairs of each group of pictures together; those of a large group in parts."""
    import pandas as pd

    from helpers.search.pairs import groups

    paths = pd.DataFrame([[file.path for file in two] for two in pairs], columns=_ENDS)
    group = {path: number for number, some in enumerate(groups(paths)) for path in some}
    ordered = sorted(pairs, key=lambda two: (group[two[0].path], two[0].path, two[1].path))
    for _, some in groupby(ordered, key=lambda two: group[two[0].path]):
        rest = list(some)
        while rest:
            yield rest[:_PAIRS_OF_A_JOB]
            del rest[:_PAIRS_OF_A_JOB]


def _facts(folder: Path, pairs: list[_Pair]) -> dict[str, list]:
    """What is found about each pair; nothing about those of which a file has changed."""
    pictures, found = _Pictures(folder), {}
    for one, two in pairs:
        with suppress(Problem):  # of a file that goes away, or breaks, in the middle of it
            fact = _fact(pictures, one, two)
            if _is_there(folder, one) and _is_there(folder, two):
                found[_key(one, two)] = fact
    return found


def _fact(pictures: _Pictures, one: _File, two: _File) -> list:
    # A PNG of a JPEG has equal pixels, but not when both are turned into brightness and colours.
    pictures.colours = None if one.lossless or two.lossless else "YCbCr"
    least = min(max(file.width, file.height) for file in (one, two))
    least = max(3 * least // 2, _OPENED_SIZE)
    is_apart = _is_taken_apart(one.exposed, two.exposed)
    is_sure = not is_apart and (one.fingerprint ^ two.fingerprint).bit_count() <= _SURE
    first_look = least if is_sure else _OPENED_SIZE, pixels.COMPARED_SIZE
    small = [pictures.of(file, *first_look) for file in (one, two)]
    greys = [pixels.greys(planes[0]) for planes in small]
    alike = float(pixels.correlations(greys[0], greys[1][np.newaxis])[0])
    if alike < LEAST_CORRELATION:
        return []
    differs, shows = pixels.difference(*small), 0
    objection = _too_different(differs) or _objection(one, two, *small)
    if not objection:
        large = [pictures.of(file, least) for file in (one, two)]
        if least > _OPENED_SIZE:
            differs = max(differs, pixels.difference(*large, None))
        objection = _too_different(differs)
        same_size = large[0][0].size == large[1][0].size
        if not objection and (differs or not same_size):
            tables = [pictures.table_of(file) if same_size else None for file in (one, two)]
            shows = shows_more(large[0][0], large[1][0], tables)
            objection = "taken at two moments, as their EXIF has it" if is_apart else ""
    return [round(alike, 4), round(differs, 1), objection, shows]


def _too_different(differs: float) -> str:
    if round(differs, 1) <= COPY_DIFFERENCE:
        return ""
    return f"a difference of {differs:.1f} in one place (up to {COPY_DIFFERENCE:g} passes)"


def _objection(one: _File, two: _File, *small: pixels.Planes) -> str:
    """Why two pictures that differ little in each place are not one picture all the same."""
    changed = "brighter, darker or of other colours"
    size = pixels.common_size(small[0][0].size, small[1][0].size)
    # At two sizes an edge might fall into two parts.
    same = [[plane.resize(size, Image.Resampling.LANCZOS) for plane in planes] for planes in small]
    for planes, parts, most, where in (
        (small, 1, COPY_SHIFT, "as a whole"),
        (same, PARTS, COPY_SHIFT_OF_PART, "over an area"),
    ):
        levels = [pixels.mean_levels(tuple(some), parts) for some in planes]
        if (shift := round(float(np.abs(levels[0] - levels[1]).max()), 1)) > most:
            return f"{changed} {where}, by {shift:.1f} (up to {most:g} passes)"
    if _is_stretched(one, two):
        return "of another shape: one of them was stretched"
    if one.deep or two.deep:
        return "with more than 8 bits a channel, of which 8 are compared"
    return ""


class _Pictures:
    """The pictures of a job, as they are compared. The latest ones stay in memory."""

    def __init__(self, folder: Path) -> None:
        self.colours: str | None = None  # as for `open_with_size`
        self._folder = folder
        self._latest: dict[int | None, dict] = {None: {}, pixels.COMPARED_SIZE: {}}

    def of(self, file: _File, least: int, size: int | None = None) -> pixels.Planes:
        """A picture with so many pixels on its longer side, or more; made small for a size."""
        whole = max(file.width, file.height)
        least = whole if file.lossless or 2 * least > whole else least  # as no decoder shrinks it
        latest, key = self._latest[size], (file, least, self.colours)
        planes, path = latest.pop(key, None), self._folder / file.path
        if size and not planes:
            planes = pixels.planes_of(self.of(file, least), size)
        elif not planes:
            if not _is_there(self._folder, file):
                raise Problem(f"{path}: is gone or was changed since the scan; scan again")
            about = {"at_least": least, "colours": self.colours}
            planes = pixels.planes_of(open_with_size(path, **about)[0])
        latest[key] = planes
        while len(latest) > 1 and sum(map(_bytes, latest.values())) > _BYTES_OF_PICTURES:
            del latest[next(iter(latest))]
        return planes

    def table_of(self, file: _File) -> list[int] | None:
        """The quantisation table of the brightness of a JPEG."""
        with suppress(Exception), open_input(self._folder / file.path) as content:
            tables = open_header(content).quantization
            return tables[min(tables)]
        return None


def _bytes(planes: pixels.Planes) -> int:
    return 3 * planes[0].width * planes[0].height


def _is_stretched(one: _File, two: _File) -> bool:
    """Whether shapes differ by more than 2 %, beside what comes of rounding to whole pixels."""
    shapes = one.width * two.height, one.height * two.width
    least = min(one.width, one.height, two.width, two.height)
    return max(shapes) / min(shapes) - 1 > 0.02 + 1 / least


def _is_taken_apart(first: str, second: str) -> bool:
    """Whether the cameras' clocks, or their fractions of a second, say that these are two shots."""
    times = zip(first.partition(".")[::2], second.partition(".")[::2], strict=True)
    return any(one and other and one != other for one, other in times)
