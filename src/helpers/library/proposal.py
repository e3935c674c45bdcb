"""Which files of a photo library may go, and why.

One rule decides which of several copies stays: the first of `REASONS` in which they differ. Another
one decides whether a copy may go: only if it holds nothing that the file that stays lacks. If it
does, a person is asked, and the plan names what would be lost.
"""

from __future__ import annotations

import json
import os
import re
import stat
import time
from collections import Counter
from collections.abc import Callable, Iterable
from contextlib import suppress
from functools import cache as remembered
from functools import partial, reduce
from itertools import groupby, product
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, NamedTuple

from helpers import Problem
from helpers.files.places import one_line, sha256_of
from helpers.images.folders import check_folder, identity
from helpers.library.inventory import TABLE
from helpers.library.kin import kin
from helpers.library.second_look import COPY_DIFFERENCE, candidates, look
from helpers.quarantine.plans import PLAN

# What only the main process needs is imported where it is used, so that workers start sooner.
if TYPE_CHECKING:
    import pandas as pd

#: Bits by which the fingerprints of copies may differ, unless another radius is asked for.
RADIUS = 8
#: Times of files that differ by no more than this, in nanoseconds, are equal: FAT and archives
#: keep whole even seconds.
SLACK = 2 * 10**9
#: A file that is dated before 2 January 1980, in nanoseconds since 1970, has lost its time.
FIRST_TIME = 315_619_200 * 10**9
#: More files of other pixels than this are no copies of one picture, but a series, as a time-lapse.
MOST_COPIES = 20
# What counts by its value; of all else it is enough that both files hold some.
_BY_VALUE = ("place", "rating", "title", "description", "keywords", "people")
_IN_ARCHIVE = "lies in the archive"


class Fact(NamedTuple):
    """What is known about a pair of files: columns of `helpers.library.second_look.look`.

    Parameters
    ----------
    distance : int
        Bits by which the two fingerprints differ.
    correlation : float
        See `helpers.images.pixels.correlation`.
    difference : float
        The difference in the worst place; see `helpers.images.pixels.difference`.
    objection : str
        Why they are not one picture; empty if they are.
    shows : int
        1 if the first one shows more detail, -1 if the second one does, 0 if neither.
    """

    distance: int
    correlation: float
    difference: float
    objection: str
    shows: int


_SAME_BYTES = Fact(0, 1.0, 0.0, "", 0)


# Which file stays


class Reason(NamedTuple):
    """Why one file stays rather than another.

    Parameters
    ----------
    words : str
        What is true of the one that stays.
    compare : callable
        Takes the rows of two files and the `Fact` about them, if there is one. What it returns is
        more than 0 if the first one is better, less if the second one is, and 0 if it does not
        decide.
    """

    words: str
    compare: Callable[[tuple, tuple, Fact | None], int]


def _by(key: Callable[[tuple], object]) -> Callable[[tuple, tuple, Fact | None], int]:
    """Compare files by something of which less is better."""
    return lambda one, other, fact: (key(one) < key(other)) - (key(one) > key(other))


def _older(one: tuple, other: tuple, fact: Fact | None) -> int:
    """Compare files by their times, unless one of them has lost its time."""
    earlier, later = sorted((one.modified, other.modified))
    is_known = earlier >= FIRST_TIME and later <= time.time_ns() and later - earlier > SLACK
    return other.modified - one.modified if is_known else 0


#: Why one file stays rather than another: the first of these in which they differ.
REASONS = (
    Reason("{fixed}", _by(lambda file: not file.fixed)),
    Reason("has more raw files, films or sidecars", _by(lambda file: -len(file.beside))),
    Reason("is the camera's own file", _by(lambda file: not file.is_own)),
    Reason("holds more", _by(lambda file: -len(file.held))),
    Reason("shows more", lambda one, other, fact: fact.shows if fact else 0),
    Reason(
        "is the lossy file that was first",
        lambda one, other, fact: (
            one.is_lossy - other.is_lossy if fact and not fact.difference else 0
        ),
    ),
    Reason("is older", _older),
    Reason("is larger", _by(lambda file: -file.area)),
    Reason("has a shorter path", _by(lambda file: len(file.path))),
    Reason("is first by name", _by(lambda file: file.path)),
)


# The plan


def propose(
    table: pd.DataFrame,
    folder: str | Path,
    radius: int = RADIUS,
    *,
    keep: Iterable[str] = (),
    archive: pd.DataFrame | None = None,
    cache: str | Path | None = None,
    workers: int | None = None,
) -> pd.DataFrame:
    """A plan: which files are copies, which one of them stays, and why. Nothing is moved.

    What counts as a copy:

    - Files with the same bytes are exact copies, whatever they hold. Empty files are not.
    - Pictures with near fingerprints are compared once more, pixel by pixel. Two that are one
      picture are near copies. `helpers.library.second_look` tells what passes.
    - Every member of a group is a copy of the one that stays, not only of another member.
    - A picture that correlates, but does not pass, is a look-alike: a person may look at it, and
      nothing is proposed for it.
    - More than `MOST_COPIES` files with other pixels that pass for copies of one picture are a
      series, as a time-lapse in which little moves. All of them stay, and a sentence tells.
    - Flat pictures, transparent ones and files with several frames are compared by their bytes
      only. So are pictures near to a file that has changed since the scan.

    What moves and what stays:

    - Of several copies one stays: the best by the first of `REASONS` in which they differ.
    - Another one goes only if it holds nothing that the one that stays lacks. If it does, a person
      is asked to look at both, and ``lost`` names it.
    - A raw file, a film or a sidecar goes with its picture, if there is one of the same bytes
      beside the picture that stays; if there is none, a person is asked. It goes with a picture
      that is asked about, too, if the person lets that go.
    - Nothing moves from a folder to be kept or from the archive, and no file of several names.

    Parameters
    ----------
    table : DataFrame
        From `helpers.library.inventory.scan`.
    folder : str or Path
        The same folder. Pictures with near fingerprints are opened once more.
    radius : int
        Bits by which the fingerprints of copies may differ.
    keep : iterable of str
        Folders inside the library (relative, with ``/``) from which nothing is to move, such as
        an album or the pictures of a web shop.
    archive : DataFrame, optional
        Of another folder, from `helpers.library.inventory.scan`, with absolute paths. What it has
        goes from the library, and nothing in it moves; its own copies are not listed.
    cache : str or Path, optional
        As for `helpers.library.inventory.scan`. What the second look found is remembered. The
        plan does not depend on it.
    workers : int, optional
        How many processes; see `helpers.files.parallel.share_out`. The plan does not depend on it.

    Returns
    -------
    DataFrame
        In the columns and types of `helpers.quarantine.plans.PLAN`. The rows of a group stand
        together, and the file that stays comes first. ``attrs["opened"]`` is how many files had
        to be opened.

    Raises
    ------
    Problem
        For a bad radius, if the folder is not there, if a table lacks a column, or if a folder
        of `keep` is not inside the library.

    Notes
    -----
    The columns, if their names do not say it all:

    - ``group``: 1, 2, ...; first those in which files move, then copies that are asked about,
      look-alikes, and kin (see `helpers.library.kin`), the surest first.
    - ``kind``: ``best``, ``exact copy``, ``near copy``, ``partner``, ``look-alike``, or one of kin.
    - ``partner_of``: of a raw file, a film or a sidecar, the path of its picture.
    - ``lost``, ``gained``: what the file holds and the one that stays lacks, and the reverse.
    - ``distance`` (in bits), ``difference`` and ``correlation``: all from the file that stays.
      Those of kin are as `helpers.library.kin.kin` tells; a difference has no sense there.

    A file that moves is in one row only. A file that stays may be in several.

    Examples
    --------
    >>> plan = propose(scan("photos"), "photos")  # doctest: +SKIP
    """
    folder = Path(folder)
    check_folder(folder)
    if missing := [name for name in TABLE if name not in table]:
        raise Problem(f"the table has no column {missing[0]!r}; scan makes one that has")
    table = _with_facts(table, folder, keep, archive)
    judge = _Judge(table, folder, partial(look, folder, table=table, cache=cache, workers=workers))
    twins = dict(map(judge.twins, table.groupby("sha256")["path"].agg(list)))
    near = candidates(table[table["path"].isin(twins)], radius)
    in_archive = set(table.loc[table["fixed"] == _IN_ARCHIVE, "path"])
    judge.ask(near[~(near["first"].isin(in_archive) & near["second"].isin(in_archive))])
    judge.propose(twins, judge.copies())
    judge.show_looks()
    judge.show_kin(partial(kin, folder, cache=cache, workers=workers), table)
    plan = judge.plan()
    plan.attrs["opened"] = judge.opened
    return plan


def _with_facts(
    table: pd.DataFrame, folder: Path, keep: Iterable[str], archive: pd.DataFrame | None
) -> pd.DataFrame:
    """The files that have a content, sorted, with what `REASONS` go by."""
    import pandas as pd

    fixed = pd.Series("", table.index, dtype="str")
    fixed = fixed.mask(table["names"].fillna(1) > 1, "has several names (hard links)")
    fixed = fixed.mask(_inside(table["path"], folder, keep), "lies in a folder to be kept")
    table = table.assign(fixed=fixed)
    if archive is not None:
        table = pd.concat([table, archive.assign(fixed=_IN_ARCHIVE)], ignore_index=True)
    table = table[(table["sha256"] != "") & (table["bytes"] > 0)].sort_values("path")
    beside = [
        tuple(PurePosixPath(path).with_name(name).as_posix() for name in json.loads(names))
        for path, names in zip(table["path"], table["partners"], strict=True)
    ]
    return table.assign(
        beside=pd.Series(beside, table.index, dtype="object"),
        held=table["holds"].map(_held),
        area=(table["width"] * table["height"]).fillna(0).astype(int),
        is_own=(table["exposed"] != "") & (table["edited"] == ""),
        is_lossy=table["lossless"].eq(False).fillna(False).astype(bool),
    )


def _held(text: str) -> frozenset[tuple[str, str]]:
    """What a file holds beside its pixels, each thing by itself."""
    return frozenset(
        (item, value if item in _BY_VALUE else "")
        for item, values in json.loads(text or "{}").items()
        for value in (re.split("[;,] ", values) if item in ("keywords", "people") else [values])
    )


def _inside(paths: Iterable[str], folder: Path, places: Iterable[str]) -> list[bool]:
    """Whether each path lies in one of some folders inside the library, which links may name."""
    kept = set()
    for place in map(PurePosixPath, places):
        if place.is_absolute() or ".." in place.parts or not os.path.isdir(folder / place):
            raise Problem(f"{place}: is no folder inside {folder}; check the spelling")
        kept.add(identity(folder / place))

    @remembered
    def is_inside(parent: PurePosixPath) -> bool:  # of folders 1,000 deep, too
        return any(identity(folder / place) in kept for place in (parent, *parent.parents))

    return [bool(kept) and is_inside(PurePosixPath(path).parent) for path in paths]


# Who is whose copy


class _Judge:
    """What is known about files and pairs of them, and the rows of the plan that come of it."""

    def __init__(self, table: pd.DataFrame, folder: Path, look_at: Callable) -> None:
        self.files = {file.path: file for file in table.itertuples(index=False)}
        self.facts: dict[str, dict[str, Fact]] = {path: {} for path in self.files}
        self.rows: dict[str, dict] = {}
        self.opened, self._look_at = 0, look_at
        self._folder, self._sha256 = folder, remembered(lambda path: self._about(path)["sha256"])

    def ask(self, pairs: pd.DataFrame) -> None:
        """Compare pairs."""
        looked = self._look_at(pairs)
        self.opened += looked.attrs["opened"]
        for one, two, *about in looked.itertuples(index=False):
            fact = Fact(*about)
            self.facts[one][two] = fact
            self.facts[two][one] = fact._replace(shows=-fact.shows)

    def better(self, one: str, other: str) -> tuple[bool, str]:
        """Whether the first one of two files stays, and why."""
        fact, (one, other) = self.facts[one].get(other), (self.files[one], self.files[other])
        signs = ((reason.compare(one, other, fact), reason.words) for reason in REASONS)
        sign, words = next(found for found in signs if found[0])
        return sign > 0, words.format(fixed=one.fixed)

    def best(self, paths: list[str]) -> str:
        """The file that stays of several, which come in the order of their paths."""
        return reduce(lambda best, path: path if self.better(path, best)[0] else best, paths)

    def twins(self, paths: list[str]) -> tuple[str, list[str]]:
        """Of files with the same bytes the one that stays, and the others."""
        best = self.best(paths)
        return best, [path for path in paths if path != best]

    def copies(self) -> dict[str, str]:
        """For each near copy the file that stays, with which it was compared itself."""
        import pandas as pd

        from helpers.search import pairs

        ends, found, asked, left = ["first", "second"], {}, set(), set(self.files)
        while left:
            near = [
                (one, two)
                for one in left
                for two, fact in self.facts[one].items()
                if one < two and two in left and not fact.objection
            ]
            left, ask = set(), set()
            for group in pairs.groups(pd.DataFrame(near, columns=ends, dtype="str")):
                facts = [self.facts[path].values() for path in group]
                if sum(all(fact.difference for fact in some) for some in facts) > MOST_COPIES:
                    print(
                        f"{len(group):,} files pass for copies of one picture, as "
                        f"{one_line(group[0])}: too many not to be a series, so all of them stay"
                    )
                    continue
                stays = self.best(list(group))
                reached, unknown = self._reached(stays, set(group))
                if unknown <= asked:
                    found |= dict.fromkeys(reached - {stays}, stays)
                    left |= set(group) - reached
                else:
                    left |= set(group)
                    ask |= unknown - asked
            if ask:
                self.ask(pd.DataFrame(sorted(ask), columns=ends))
                asked |= ask
        return found

    def _reached(self, stays: str, group: set[str]) -> tuple[set[str], set[tuple[str, str]]]:
        """A picture with its copies, and pairs of it and copies of copies that are not known."""
        reached, seen, unknown = [stays], {stays}, set()
        for one in reached:  # which grows
            for other, fact in self.facts[one].items():
                if not fact.objection and other in group and other not in seen:
                    seen.add(other)
                    direct = self.facts[stays].get(other)
                    if not direct:
                        unknown.add((stays, other))
                    elif not direct.objection:
                        reached.append(other)
        return set(reached), unknown

    def propose(self, twins: dict[str, list[str]], copies: dict[str, str]) -> None:
        """Add a row for each file that goes or is asked about, and for the partners that go."""
        for best, others in twins.items():
            stays = copies.get(best, best)
            for path in (best, *others):
                if path != stays and not self.files[path].fixed:
                    self.rows[path] = self._copy(stays, path, best)
                if path == best and not self._goes(path):
                    stays = best  # and its twins are copies of it
        stay = self.files.keys() - set(filter(self._goes, self.rows))
        needed = Counter(name for path in stay for name in self.files[path].beside)
        for path in list(self.rows):
            kept, is_asked = self.rows[path]["kept"], not self._goes(path)
            equal = self._equal(path, kept)
            for mine in self.files[path].beside if is_asked else equal:
                # which no other picture needs
                if needed[mine] == is_asked and mine not in self.rows:
                    self._add_partner(mine, path, equal.get(mine, kept), is_asked)

    def _add_partner(self, mine: str, path: str, theirs: str, is_asked: bool) -> None:
        """Add the row of a partner, which goes for one of the same bytes, or for the picture."""
        why = f"{'would go' if is_asked else 'goes'} with {path}"
        why += f"; the same bytes as {theirs}" if theirs not in self.files else ""
        action = "look" if is_asked else "move"
        row = self._row(path, self.rows[path]["kept"], action=action, kind="partner", reason=why)
        row |= {"kept": theirs, "partner_of": path, "width": None, "height": None}
        with suppress(OSError):
            self.rows[mine] = row | self._about(mine)

    def _goes(self, path: str) -> bool:
        return path in self.rows and self.rows[path]["action"] == "move"

    def _copy(self, stays: str, path: str, best: str) -> dict:
        """The row of a copy, of which the best twin was compared with the one that stays."""
        fact, kind, same = _SAME_BYTES, "exact copy", "the same bytes"
        if stays != best:
            fact, kind, same = self.facts[best][stays], "near copy", "the same picture"
        lost, gained = self._more(path, stays, fact.shows), self._more(stays, path, -fact.shows)
        if lost:
            why = f"{same}, but it has what the other one lacks: {lost}; look at both"
        else:
            is_better, why = self.better(stays, path if stays == best else best)
            why = why if is_better else "is the best of several"
            why += f": {gained}" if why == "holds more" else ""
            if stays != best:
                same += f", a difference of {fact.difference:.1f} at most"
                same += f" (up to {COPY_DIFFERENCE:g} passes)"
            why = f"{same}; the one that stays {why}"
        about = {"action": "look" if lost else "move", "lost": lost, "gained": gained}
        return self._row(path, stays, fact, kind=kind, reason=why, **about)

    def _more(self, one: str, other: str, shows: int) -> str:
        """What one picture has and another one lacks."""
        file, lacks = self.files[one], self.files[other]
        more = sorted(" ".join(filter(None, item)) for item in file.held - lacks.held)
        more += ["more detail"] * (shows > 0)
        more += ["the camera's own file"] * (file.is_own and not lacks.is_own)
        partners = set(file.beside) - self._equal(one, other).keys()
        return "; ".join([*more, *sorted(PurePosixPath(path).name for path in partners)])

    def _equal(self, one: str, other: str) -> dict[str, str]:
        """Each partner of one picture that has one of the same bytes beside the other."""
        found = {}
        for pair in product(self.files[one].beside, self.files[other].beside):
            with suppress(OSError):
                if len(set(map(self._sha256, pair))) == 1:
                    found.setdefault(*pair)
        return found

    def _about(self, partner: str) -> dict[str, str | int]:
        """What a plan tells about a partner; an error of the system if it is no plain file."""
        status = (self._folder / partner).lstat()
        if not stat.S_ISREG(status.st_mode):
            raise FileNotFoundError(partner)
        about = {"path": partner, "sha256": sha256_of(self._folder / partner)}
        return about | {"bytes": status.st_size, "modified": status.st_mtime_ns}

    def show_looks(self) -> None:
        """Add a row for each look-alike that stays, beside the one that it differs least from."""
        free = self.files.keys() - self.rows.keys()
        for path in sorted(free):
            looks = [
                (fact.difference, other, fact)
                for other, fact in self.facts[path].items()
                if fact.objection and not self._goes(other) and self.better(other, path)[0]
            ]
            if looks:
                _, kept, fact = min(looks)
                about = {"kind": "look-alike", "place": (2,)}
                about["reason"] = f"alike, but {fact.objection}; look at both"
                self.rows[path] = self._row(path, kept, fact, **about)

    def show_kin(self, look_for: Callable[..., pd.DataFrame], table: pd.DataFrame) -> None:
        """Add a row for each pair of kin that is not in the plan; the surest come first."""
        known = [(path, row["kept"]) for path, row in self.rows.items()]
        found = look_for(table[~table["path"].map(self._goes).astype(bool)], known=known)
        places = {kept: place for place, kept in enumerate(found["kept"].unique())}
        for kept, path, kind, distance, alike, why in found.itertuples(index=False):
            if {self.files[kept].fixed, self.files[path].fixed} != {_IN_ARCHIVE}:
                fact, about = Fact(distance, alike, None, why, 0), {"place": (3, places[kept])}
                row = self._row(path, kept, fact, kind=kind, reason=f"{why}; look at both", **about)
                self.rows[kept, path] = row

    def _row(self, path: str, stays: str, fact: Fact = _SAME_BYTES, **about: str | tuple) -> dict:
        """A row of the group of the file that stays."""
        row = {**dict.fromkeys(PLAN, ""), **self.files[path]._asdict(), **fact._asdict()}
        return row | {"group": stays, "kept": stays, "action": "look"} | about

    def plan(self) -> pd.DataFrame:
        """The rows in groups: files that move, copies asked about, look-alikes, kin."""
        import pandas as pd

        def group(row: dict) -> tuple:
            return *row.get("place", (int(row["action"] == "look"),)), row["group"]

        def place(row: dict) -> tuple:
            return group(row), row["partner_of"] or row["path"], row["partner_of"], row["path"]

        plan = []
        for number, (key, members) in enumerate(
            groupby(sorted(self.rows.values(), key=place), key=group), 1
        ):
            best = self._row(key[-1], key[-1], action="keep", kind="best", reason="stays")
            plan += [{**row, "group": number} for row in (best, *members)]
        return pd.DataFrame(
            {name: pd.array([row[name] for row in plan], dtype=kind) for name, kind in PLAN.items()}
        )
