"""Which files of a photo library may go, and why."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterable
from contextlib import suppress
from functools import cache
from pathlib import Path, PurePath, PurePosixPath
from typing import TYPE_CHECKING, NamedTuple

from helpers import Problem
from helpers.files.places import one_line
from helpers.images.folders import check_folder, identity
from helpers.library.groups import Job, Verdict, decided_by, verdicts_on
from helpers.library.inventory import TABLE
from helpers.quarantine.plans import PLAN

# What only the main process needs is imported where it is used, so that workers start sooner.
if TYPE_CHECKING:
    import pandas as pd

#: Bits by which the fingerprints of copies may differ, unless another radius is asked for.
RADIUS = 8
#: So many pairs of near pictures are compared. Each takes half a millisecond in the second look,
#: and some 300 bytes of memory; a group of 2,000 frames has so many.
MOST_NEAR_PAIRS = 2_000_000
# Files that belong to the picture of their name: raw files, films, sidecars.
_PARTNERS = (
    *(".arw", ".cr2", ".cr3", ".dng", ".nef", ".nrw", ".orf", ".pef", ".raf", ".raw", ".rw2"),
    *(".srw", ".mov", ".mp4", ".aae", ".dop", ".pp3", ".xmp"),
)


# Which file stays


class Reason(NamedTuple):
    """Why one file stays rather than another.

    Parameters
    ----------
    words : str
        What the file is that stays.
    key : callable
        Takes a file's row, and returns what files are sorted by; the smallest stays.
    is_compared : bool
        Whether the words go on with "than".
    is_of_exact : bool
        Whether copies of the same bytes, whatever they hold, may differ in it.
    """

    words: str
    key: Callable[[tuple], object]
    is_compared: bool = False
    is_of_exact: bool = False


def _compression(row: tuple) -> float:
    """How coarsely a picture was compressed. It can be compared within one format only."""
    if row.lossless:
        return 0.0
    if row.format == "JPEG" and row.quantisation is not None:
        return float(row.quantisation)
    return -row.bytes / (row.width * row.height)


#: Why one file stays rather than another: the first of these in which they differ.
REASONS = (
    Reason("larger", lambda row: -row.width * row.height, is_compared=True),
    Reason(
        "with a raw file, a film or a sidecar", lambda row: not row.has_partner, is_of_exact=True
    ),
    Reason("dated by the camera", lambda row: not row.exposed),
    Reason("less compressed", lambda row: not row.lossless, is_compared=True),
    Reason("of the format of the oldest", lambda row: row.age_of_format),
    Reason("less compressed", _compression, is_compared=True),
    Reason("of more bytes", lambda row: -row.bytes),  # more metadata, or a film behind the picture
    Reason("in a folder to be kept", lambda row: not row.is_kept, is_of_exact=True),
    Reason("older", lambda row: row.modified, is_compared=True, is_of_exact=True),
    Reason("of a shorter path", lambda row: len(row.path), is_of_exact=True),
    Reason("first by name", lambda row: row.path, is_of_exact=True),
)
_PLACES = range(len(REASONS))
_OF_EXACT = [place for place in _PLACES if REASONS[place].is_of_exact]


def _rank(row: tuple, places: Iterable[int] = _PLACES) -> tuple:
    """What a file is sorted by, a value for each reason; the best file comes first."""
    return tuple(REASONS[place].key(row) for place in places)


# The plan


def propose(
    table: pd.DataFrame,
    folder: str | Path,
    radius: int = RADIUS,
    *,
    keep: Iterable[str] = (),
    cache: str | Path | None = None,
    workers: int | None = None,
) -> pd.DataFrame:
    """A plan: which files are copies, which one of them stays, and why. Nothing is moved.

    What counts as a copy:

    - Files with the same bytes are exact copies, whatever they hold. Empty files are not.
    - Pictures with near fingerprints are compared once more, pixel by pixel, the best one first.
      A picture that passes is a near copy. `helpers.library.second_look` tells what passes.
    - Every member of a group is a copy of the one that stays, not only of another member.
    - A picture that passes beside two others is a copy of the one it differs least from.
    - A picture that correlates, but does not pass, is a look-alike: a person may look at it, and
      nothing is proposed for it.
    - Flat pictures, transparent ones and files with several frames are compared by their bytes
      only. So are pictures near to a file that has changed since the scan, and those of a group
      that is too large (see `MOST_NEAR_PAIRS`), which a sentence in print names.

    Which file stays is decided by the first of `REASONS` in which two files differ. So the plan
    is the same on every machine. It goes by what a file is, not by where it comes from: a picture
    that somebody enlarged, or saved anew without loss, stays though nothing was gained.

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
    cache : str or Path, optional
        As for `helpers.library.inventory.scan`. What the second look found is remembered for each
        group of near pictures, so a group in which nothing has changed is not opened again. The
        plan does not depend on it.
    workers : int, optional
        How many processes; see `helpers.files.parallel.share_out`. The plan does not depend on it.

    Returns
    -------
    DataFrame
        In the columns and types of `helpers.quarantine.plans.PLAN`. The rows of a group stand
        together, and the file that stays comes first. ``attrs["opened"]`` is how many files had
        to be opened, ``attrs["left_out"]`` how many pictures lie in groups that are too large.

    Raises
    ------
    Problem
        For a bad radius, if the folder is not there, if the table lacks a column, or if a folder
        of `keep` is not inside the library.

    Notes
    -----
    The columns, if their names do not say it all:

    - ``group``: 1, 2, ...; groups of look-alikes come last.
    - ``action``: ``keep``, ``move`` or ``look``.
    - ``kind``: ``best``, ``exact copy``, ``near copy`` or ``look-alike``.
    - ``kept``: the path of the file that stays.
    - ``partner_of``: of a raw file, a film or a sidecar, the path of its picture.
    - ``lost``, ``gained``: what the file holds and the one that stays lacks, and the reverse.
    - ``distance`` (in bits), ``difference`` and ``correlation``: all from the file that stays.
    - ``reason``: in words.

    A file that moves is in one row only. A file that stays may be in two: once for its copies and
    once for its look-alikes.

    Measured on messes of 5,034 files (`helpers.truth.mess`), with seeds that were not used while
    the thresholds were chosen; the generator of the mess was known. A copy is found if it and its
    original end in the same file.

    ============== ==== =============== ===================== =======
    pictures       seed proposals right copies found          recall
    ============== ==== =============== ===================== =======
    CALTECH-101    9001 2,295 of 2,295  2,293 of 2,334        0.982
    CALTECH-101    9003 2,281 of 2,281  2,277 of 2,334        0.976
    the sample     9002 3,893 of 3,893  3,882 of 4,033        0.963
    ============== ==== =============== ===================== =======

    By kind, on CALTECH-101 (and on the sample): backups and renamed files are all found, turned
    ones 1.000 (0.993), resized ones 0.968 to 0.975 (0.938), recompressed ones 0.952 to 0.958
    (0.812), resized and recompressed ones 0.917 to 0.953 (0.833). With seed 2014, which was
    known, one of 2,298 proposals is wrong: a small version was made of one of two screenshots, and
    at 108 x 193 pixels nobody sees of which one.

    What the look at full size costs: of 56 pictures of CALTECH-101 with 700 pixels or more, saved
    anew at quality 25 to 85, 44 pass instead of 54. It takes half a second for two pictures of 12
    megapixels, and two seconds for 50, beside opening them. 200 frames of a time-lapse, 640 x 480,
    all of them near each other, take 8 seconds on one core.

    In CALTECH-101 itself 16 near copies are found, each of them the same picture twice (looked at
    one by one), and 160 look-alikes.

    Examples
    --------
    >>> plan = propose(scan("photos"), "photos")  # doctest: +SKIP
    """
    from helpers.hamming import check_radius
    from helpers.search import pairs

    folder, radius = Path(folder), check_radius(radius)
    check_folder(folder)
    if missing := [name for name in TABLE if name not in table]:
        raise Problem(f"the table has no column {missing[0]!r}; scan makes one that has")
    files = table[(table["sha256"] != "") & (table["bytes"] > 0)]
    files = files.assign(
        has_partner=files["path"].isin(_with_partners(folder, files["path"].tolist())),
        is_kept=_inside(files["path"], folder, keep),
    )
    files["rank"] = [_rank(row, _OF_EXACT) for row in files.itertuples()]
    files = files.sort_values("rank")
    contents = files.drop_duplicates("sha256")  # the first stands for all that have the same bytes
    comparable = contents[
        contents["fingerprint"].notna()
        & contents["frames"].eq(1).fillna(False)
        & contents["flat"].eq(False).fillna(False)
        & contents["transparent"].eq(False).fillna(False)
    ]
    comparable, left_out = _without_crowds(comparable, radius)
    near = pairs.all_pairs(comparable["fingerprint"], radius)
    paths = comparable["path"].to_numpy()
    near = near.assign(first=paths[near["first"]], second=paths[near["second"]])
    jobs = _groups_to_judge(near, comparable)
    verdicts, opened = verdicts_on(folder, jobs, cache, workers)
    plan = _plan(files, verdicts)
    plan.attrs.update(opened=opened, left_out=left_out)
    return plan


def _without_crowds(files: pd.DataFrame, radius: int) -> tuple[pd.DataFrame, int]:
    """The files without groups that are too large to be compared, and how many those have."""
    from helpers.search import pairs

    crowds = pairs.largest_groups(files["fingerprint"], radius, MOST_NEAR_PAIRS)
    for rows in crowds:
        print(
            f"{len(rows):,} pictures near each other, as "
            f"{one_line(min(files['path'].iloc[rows]))}, "
            "are too many to compare: only exact copies among them are proposed; take a smaller "
            "radius, or clean their folders one by one"
        )
    crowded = [row for rows in crowds for row in rows]
    return files.drop(files.index[crowded]), len(crowded)


def _with_partners(folder: Path, paths: list[str]) -> set[str]:
    """The pictures that have a partner of their name beside them: IMG_1.MOV, IMG_1.JPG.xmp."""
    found, inside = set(), {}
    for path in paths:
        place, _, name = path.rpartition("/")
        inside.setdefault(place, []).append((name.lower(), path))
    for place, names in inside.items():
        with suppress(OSError):
            partners = [
                other.stem.lower()
                for other in (folder / place).iterdir()
                if other.suffix.lower() in _PARTNERS and other.is_file()
            ]
            found |= {path for name, path in names if {name, PurePath(name).stem} & set(partners)}
    return found


def _inside(paths: Iterable[str], folder: Path, places: Iterable[str]) -> list[bool]:
    """Whether each path lies in one of some folders inside the library, which links may name."""
    kept = set()
    for place in map(PurePosixPath, places):
        if place.is_absolute() or ".." in place.parts or not os.path.isdir(folder / place):
            raise Problem(f"{place}: is no folder inside {folder}; check the spelling")
        kept.add(identity(folder / place))

    @cache
    def is_inside(parent: PurePosixPath) -> bool:  # of folders 1,000 deep, too
        return any(identity(folder / place) in kept for place in (parent, *parent.parents))

    return [bool(kept) and is_inside(PurePosixPath(path).parent) for path in paths]


def _groups_to_judge(near: pd.DataFrame, files: pd.DataFrame) -> list[Job]:
    from helpers.search import pairs

    about, groups = files.set_index("path", drop=False), pairs.groups(near)
    place = {path: number for members in groups for number, path in enumerate(members)}
    neighbours: dict[str, list[int]] = {path: [] for path in place}
    for first, second in zip(near["first"], near["second"], strict=True):
        neighbours[first].append(place[second])
        neighbours[second].append(place[first])
    jobs = []
    for members in groups:
        rows = about.loc[members].astype(object)
        ranks = _ranks(rows)
        facts = zip(rows["bytes"], rows["modified"], rows["sha256"], strict=True)
        jobs.append(
            Job(
                ranks,
                {path: sorted(neighbours[path]) for path in ranks},
                rows["fingerprint"].map(int).to_dict(),
                rows["exposed"].to_dict(),
                rows["deep"].map(bool).to_dict(),
                dict(zip(members, zip(rows["width"], rows["height"], strict=True), strict=True)),
                dict(zip(members, facts, strict=True)),
            )
        )
    return jobs


def _ranks(rows: pd.DataFrame) -> dict[str, tuple]:
    """The rank of each picture of a group by its path, the best one first."""
    formats = rows.sort_values("modified", kind="stable")["format"].drop_duplicates().tolist()
    rows = rows.where(rows.notna(), None).assign(age_of_format=rows["format"].map(formats.index))
    ranks = sorted(map(_rank, rows.itertuples()))
    return {rank[-1]: rank for rank in ranks}


def _plan(files: pd.DataFrame, verdicts: list[Verdict]) -> pd.DataFrame:
    import pandas as pd

    about = files.set_index("path", drop=False)
    order = about["rank"].to_dict()
    twins = {paths[0]: paths[1:] for paths in files.groupby("sha256", sort=False)["path"].agg(list)}
    copies: dict[str, list[Verdict]] = {}  # by the one that stays
    look: dict[str, list[Verdict]] = {}
    for verdict in verdicts:
        if verdict.kind == "near copy":
            same = [verdict._replace(path=path) for path in (verdict.path, *twins[verdict.path])]
            copies.setdefault(verdict.kept, []).extend(same)
        else:
            look.setdefault(verdict.kept, []).append(verdict)
    joined = {member.path for members in copies.values() for member in members}
    for kept, others in twins.items():
        for path in others if kept not in joined else ():
            decided = _OF_EXACT[decided_by(order[kept], order[path])]
            same = Verdict("exact copy", kept, path, 0, 0.0, 1.0, decided, "the same bytes")
            copies.setdefault(kept, []).append(same)

    rows = []
    for action, groups in (("move", copies), ("look", look)):
        for kept, members in sorted(groups.items()):
            group = rows[-1][0] + 1 if rows else 1
            why = _why_it_stays(members) if action == "move" else "stays"
            rows.append((group, "keep", "best", kept, kept, 0, 0.0, 1.0, why))
            for member in sorted(members):
                better = f"the one that stays is {REASONS[member.decided].words}"
                why = f"{member.why}; {better if action == 'move' else 'look at both'}"
                evidence = member.distance, member.difference, member.correlation
                rows.append((group, action, member.kind, member.path, kept, *evidence, why))
    facts = ["width", "height", "bytes", "modified", "sha256"]
    none_yet = {"partner_of": "", "lost": "", "gained": ""}
    columns = [name for name in PLAN if name not in (*facts, *none_yet)]
    plan = pd.DataFrame(rows, columns=columns).assign(**none_yet)
    plan = _without_moves_from(plan, set(about.index[about["is_kept"].astype(bool)]))
    for fact in facts:
        plan[fact] = about[fact].reindex(plan["path"]).array
    return plan[list(PLAN)].astype(PLAN)


def _without_moves_from(plan: pd.DataFrame, kept: set[str]) -> pd.DataFrame:
    """The plan without moves of files that are to be kept, and without groups that need nothing."""
    stays = plan["action"].eq("move") & plan["path"].isin(kept)
    plan = plan.assign(
        action=plan["action"].mask(stays, "keep"),
        reason=plan["reason"].mask(stays, "stays: in a folder to be kept; " + plan["reason"]),
    )
    to_do = plan.loc[plan["action"] != "keep", "group"]
    plan = plan[plan["group"].isin(to_do)].reset_index(drop=True)
    return plan.assign(group=plan["group"].rank(method="dense").astype(int))


def _why_it_stays(members: list[Verdict]) -> str:
    decided = Counter(REASONS[member.decided].words for member in members)
    is_compared = {reason.words: reason.is_compared for reason in REASONS}  # in their order
    return "stays: " + ", ".join(
        f"{words} than {decided[words]} of them" if compared else words
        for words, compared in is_compared.items()
        if words in decided
    )
