"""Which files of a photo library may go, and why."""

from __future__ import annotations

import os
from collections.abc import Iterable
from contextlib import suppress
from functools import cache
from pathlib import Path, PurePath, PurePosixPath
from typing import TYPE_CHECKING

from helpers import Problem
from helpers.images.folders import check_folder
from helpers.library.inventory import TABLE
from helpers.library.second_look import COPY, LOOK_ALIKE, Job, Verdict, decided_by, verdicts_on
from helpers.quarantine.plans import PLAN

# What only the main process needs is imported where it is used: workers start in a quarter of the time.
if TYPE_CHECKING:
    import pandas as pd

#: Bits by which the fingerprints of copies may differ, unless another radius is asked for.
RADIUS = 8
#: Why one file stays rather than another: the first of these in which they differ.
_REASONS = (
    "larger",
    "with a raw file, a film or a sidecar",
    "dated by the camera",
    "less compressed",
    "of the format of the oldest",
    "less compressed",
    "of more bytes",
    "in a folder to be kept",
    "older",
    "of a shorter path",
    "first by name",
)
_COMPARED = ("larger", "less compressed", "older")
#: In which of these copies of the same bytes may differ.
_OF_EXACT = [
    place
    for place, reason in enumerate(_REASONS)
    if reason.startswith("with a raw file") or place >= _REASONS.index("in a folder to be kept")
]
_EXACT_ORDER = ("alone", "movable", "modified", "length", "path")
#: Files that belong to the picture of their name: raw, films, sidecars.
_RAW = (
    ".arw",
    ".cr2",
    ".cr3",
    ".dng",
    ".nef",
    ".nrw",
    ".orf",
    ".pef",
    ".raf",
    ".raw",
    ".rw2",
    ".srw",
)
_PARTNERS = (*_RAW, ".mov", ".mp4", ".aae", ".dop", ".pp3", ".xmp")


# The plan


def propose(
    table: pd.DataFrame,
    folder: str | Path,
    radius: int = RADIUS,
    *,
    keep: Iterable[str] = (),
    copy: float = COPY,
    look_alike: float = LOOK_ALIKE,
    cache: str | Path | None = None,
    workers: int | None = None,
) -> pd.DataFrame:
    """A plan: which files are copies, which one of them stays, and why. Nothing is moved.

    First come exact copies: files with the same bytes, whatever they hold, but for empty files. Then pictures with near
    fingerprints are compared once more, pixel by pixel, the best of them first: whoever passes is its copy, and stays no more. Who
    passes twice is a copy of the one it differs least from. So every member of a group is a copy of the one that stays, not only of another
    member. What correlates, but does not pass, is a look-alike: a person may look at it, and nothing is proposed. Flat pictures (`is_flat`),
    transparent ones and files with several frames are compared by their bytes only; so are those near to a file that has changed since
    the scan.

    To pass, two pictures have to agree at 512 pixels, and then once more at the full size of the smaller one, where a digit on a page
    can be seen. What is too small to be seen even there, or makes less than `copy` of a difference, passes. Those do not pass whose mean
    brightness or colours are more than `SHIFT` apart, or those of one of 6 x 6 parts more than `SHIFT_OF_PART`, or whose shapes by more than 2 %, or whose cameras tell of two moments, nor does
    one with more than 8 bits a channel, since only 8 are compared.

    The best picture is the largest; then one beside which a raw file, a film or a sidecar of its name lies; then one that tells EXIF's time of exposure, as cameras write it; then a lossless one; then one of the format that the
    oldest is of; of JPEGs the least compressed by the quantisation tables, of other lossy formats by bytes per pixel; then the
    one of most bytes, which has more metadata, or a film behind the picture; then one in a folder that is to be kept; then the oldest; then that of the shortest path, and the first by
    name. So the plan is the same on every machine. It goes by what a file is, not by where it comes from: a picture that somebody enlarged,
    or saved anew without loss, wins though nothing was gained.

    Parameters
    ----------
    table : DataFrame
        From `scan`.
    folder : str or Path
        The same folder. Pictures with near fingerprints are opened once more.
    radius : int
        Bits by which the fingerprints of copies may differ.
    keep : iterable of str
        Folders inside it (relative, with ``/``) from which nothing is to move, an album or the pictures of a web shop.
    copy : float
        The most that copies may differ in one place: see `helpers.images.pixels.difference`.
    look_alike : float
        The least that look-alikes, and copies, correlate: see `helpers.images.pixels.correlation`.
    cache : str or Path, optional
        As for `scan`. What the second look found is remembered for each group of near pictures, so that pictures are opened
        only where a group, or a file in it, has changed. The plan does not depend on it.
    workers : int, optional
        Processes; see `helpers.files.parallel.share_out`. The plan does not depend on it.

    Returns
    -------
    DataFrame
        The rows of a group together, the one that stays first: ``group`` (1, 2, ...; look-alikes last), ``action`` (``keep``,
        ``move`` or ``look``), ``kind`` (``best``, ``exact copy``, ``near copy``, ``look-alike``), ``path``, ``kept`` (the path of the one
        that stays), ``distance`` (bits), ``difference`` (see `helpers.images.pixels.difference`) and ``correlation``, all three from the one that stays,
        ``width``, ``height``, ``bytes``, ``modified``, ``sha256`` and ``reason`` in words. Nobody who moves is in two rows. One who stays
        may be: once for its copies, once for its look-alikes.

    Raises
    ------
    Problem
        For a table that is not from `scan`, a folder that is not there, or a radius that is none.

    Notes
    -----
    Measured on messes of 5,034 files (`helpers.truth.mess`), with seeds not used while the thresholds were chosen; the mess's own generator was
    known. A copy is found if it and its original end in the same file. CALTECH-101, seed 9001: 2,295 of 2,295 proposals right, 2,293 of
    2,334 copies found (0.982); seed 9003: 2,281 of 2,281, and 2,277 of 2,334 (0.976); the sample, seed 9002: 3,893 of 3,893, and 3,882
    of 4,033 (0.963). Of backups and renamed files all are found; of turned ones 1.000 (0.993 on the sample), of resized 0.968 to 0.975 (0.938), of
    recompressed 0.952 to 0.958 (0.812), of resized and recompressed 0.917 to 0.953 (0.833). In the mess of chapter 7, seed 2014, one of 2,298 proposals
    is wrong: at 108 x 193 pixels nobody sees which of two screenshots a small version was made of.

    What the look at full size costs: of 56 pictures of CALTECH-101 with 700 pixels or more, saved anew at quality 25 to 85, 44 pass
    instead of 54. It takes half a second for two of 12 megapixels, and two for 50, beside opening them. 200 frames of a time-lapse, 640 x
    480, all of them near each other, take 8 seconds on one core.

    In CALTECH-101 itself 16 near copies are found, all of them the same picture twice (looked at one by one), and 160 look-alikes.

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
        alone=~files["path"].isin(_with_partners(folder, files["path"].tolist())),
        movable=[not inside for inside in _inside(files["path"], folder, keep)],
        length=files["path"].str.len(),
    ).sort_values(list(_EXACT_ORDER))
    contents = files.drop_duplicates("sha256")  # the first stands for all that have the same bytes
    comparable = contents[
        contents["fingerprint"].notna()
        & contents["frames"].eq(1).fillna(False)
        & contents["flat"].eq(False).fillna(False)
        & contents["transparent"].eq(False).fillna(False)
    ]
    near = pairs.all_pairs(comparable["fingerprint"], radius)
    paths = comparable["path"].to_numpy()
    near = near.assign(first=paths[near["first"]], second=paths[near["second"]])
    jobs = _groups_to_judge(near, comparable.set_index("path"))
    verdicts = verdicts_on(folder, jobs, copy, look_alike, cache, workers)
    return _plan(files, verdicts)


def _with_partners(folder: Path, paths: list[str]) -> set[str]:
    """The pictures beside which a raw file, a film or a sidecar of their name lies: ``IMG_1.MOV``, ``IMG_1.JPG.xmp``."""
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
    """Whether paths lie in one of some folders inside the library, by whatever name these are called."""
    kept = set()
    for place in map(PurePosixPath, places):
        if place.is_absolute() or ".." in place.parts or not os.path.isdir(folder / place):
            raise Problem(f"{place}: is no folder inside {folder}; check the spelling")
        kept.add(_identity(folder / place))

    @cache
    def is_inside(parent: PurePosixPath) -> bool:
        if _identity(folder / parent) in kept:
            return True
        return parent != PurePosixPath() and is_inside(parent.parent)

    return [bool(kept) and is_inside(PurePosixPath(path).parent) for path in paths]


def _identity(folder: Path) -> tuple[int, int] | None:
    with suppress(OSError):
        status = folder.stat()
        return status.st_dev, status.st_ino
    return None


def _groups_to_judge(near: pd.DataFrame, about: pd.DataFrame) -> list[Job]:
    from helpers.search import pairs

    neighbours: dict[str, list[str]] = {}
    for first, second in zip(near["first"], near["second"], strict=True):
        neighbours.setdefault(first, []).append(second)
        neighbours.setdefault(second, []).append(first)
    jobs = []
    for members in pairs.groups(near):
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
    """Path -> what it is sorted by, a number or name for each of `_REASONS`; the best first."""
    import pandas as pd

    formats = rows.sort_values("modified", kind="stable")["format"].drop_duplicates().tolist()
    ranks = []
    for path, row in rows.iterrows():
        if row["lossless"]:
            compression = 0.0
        elif row["format"] == "JPEG" and not pd.isna(row["quantisation"]):
            compression = float(row["quantisation"])
        else:
            compression = -row["bytes"] / (row["width"] * row["height"])
        ranks.append(
            (
                -row["width"] * row["height"],
                bool(row["alone"]),
                not row["exposed"],
                not row["lossless"],
                formats.index(row["format"]),
                compression,
                -row["bytes"],
                bool(row["movable"]),
                row["modified"],
                len(path),
                path,
            )
        )
    return {rank[-1]: rank for rank in sorted(ranks)}


def _plan(files: pd.DataFrame, verdicts: list[Verdict]) -> pd.DataFrame:
    import pandas as pd

    about = files.set_index("path", drop=False)
    order = {row[-1]: row for row in about[list(_EXACT_ORDER)].itertuples(index=False, name=None)}
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
                better = f"the one that stays is {_REASONS[member.decided]}"
                why = f"{member.why}; {better if action == 'move' else 'look at both'}"
                evidence = member.distance, member.difference, member.correlation
                rows.append((group, action, member.kind, member.path, kept, *evidence, why))
    facts = ["width", "height", "bytes", "modified", "sha256"]
    plan = pd.DataFrame(rows, columns=[name for name in PLAN if name not in facts])
    plan = _without_moves_from(plan, set(about.index[~about["movable"].to_numpy(dtype=bool)]))
    for fact in facts:
        plan[fact] = about[fact].reindex(plan["path"]).array
    return plan[list(PLAN)].astype(PLAN)


def _without_moves_from(plan: pd.DataFrame, kept: set[str]) -> pd.DataFrame:
    """The plan without moves from the folders that are to be kept, and without the groups in which nothing is left to do."""
    stays = plan["action"].eq("move") & plan["path"].isin(kept)
    plan = plan.assign(
        action=plan["action"].mask(stays, "keep"),
        reason=plan["reason"].mask(stays, "stays: in a folder to be kept; " + plan["reason"]),
    )
    to_do = plan.loc[plan["action"] != "keep", "group"]
    plan = plan[plan["group"].isin(to_do)].reset_index(drop=True)
    return plan.assign(group=plan["group"].rank(method="dense").astype(int))


def _why_it_stays(members: list[Verdict]) -> str:
    decided = [_REASONS[member.decided] for member in members]
    return "stays: " + ", ".join(
        f"{reason} than {decided.count(reason)} of them" if reason in _COMPARED else reason
        for reason in dict.fromkeys(_REASONS)
        if reason in decided
    )
