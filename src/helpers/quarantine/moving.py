"""Move files out of a folder so that none is lost, and put them back.

Nothing is deleted and nothing is overwritten. A line goes to a journal in the quarantine folder
before each move, and another one after it. At every moment in between, the file is whole at its
old place or at its new one. So a run may end in any way, and the next one goes on from there.
"""

import os
import re
import shutil
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from itertools import count
from pathlib import Path

import pandas as pd

from helpers import Problem
from helpers.files.atomic import PARTIAL
from helpers.files.guard import read_input
from helpers.files.parallel import progress_bar
from helpers.files.places import real_path, sha256_of
from helpers.images.folders import check_folder
from helpers.quarantine import plans
from helpers.quarantine.journal import Journal, open_journal
from helpers.quarantine.lines import JOURNAL, LOCK, RESERVE, LeftAlone, check_path, read_journal

# A plan that was carried out, or one that was being written when a run ended.
_PLAN_FILE = re.compile(rf"plan(-\d+)?\.csv|\.plan(-\d+)?\.csv\.[0-9a-f]+{re.escape(PARTIAL)}")


def default_quarantine(folder: str | Path) -> Path:
    """Where the files of a folder go unless another place is named: beside it, ``NAME-quarantine``.

    Parameters
    ----------
    folder : str or Path
        The photo library. It need not exist.

    Returns
    -------
    Path
        Absolute, without links.

    Raises
    ------
    Problem
        For a whole disk, since nothing lies beside it.

    Examples
    --------
    >>> default_quarantine("photos").name
    'photos-quarantine'
    """
    folder = real_path(folder)
    if not folder.name:
        raise Problem(
            f"{folder}: is a whole disk, so nothing lies beside it; "
            "name a quarantine folder on another disk"
        )
    return folder.with_name(f"{folder.name}-quarantine")


def check_place(folder: str | Path, quarantine: str | Path) -> None:
    """Make sure that a quarantine lies beside its library, and is a quarantine if it is there.

    Parameters
    ----------
    folder : str or Path
        The photo library.
    quarantine : str or Path
        Where its files are to go. It need not exist.

    Raises
    ------
    Problem
        If one of the two lies inside the other, or if something else is at that place.

    Examples
    --------
    >>> check_place("photos", "photos-quarantine")
    """
    folder, place = real_path(folder), real_path(quarantine)
    if place.is_relative_to(folder) or folder.is_relative_to(place):
        raise Problem(f"{place}: lies inside {folder} or around it; choose a folder beside it")
    if not os.path.lexists(place) or os.path.lexists(place / JOURNAL):
        return
    try:
        names = {inside.name for inside in place.iterdir()}
    except NotADirectoryError:
        names = {place.name}
    except OSError as error:
        raise Problem(
            f"{place}: may not be listed ({error.strerror}); choose another folder"
        ) from error
    if names - {LOCK, RESERVE}:
        raise Problem(f"{place}: is there already and is no quarantine; choose another folder")


def apply(
    folder: str | Path, plan: pd.DataFrame, quarantine: str | Path | None = None
) -> pd.DataFrame:
    """Move the files that a plan says to move into quarantine. If it was interrupted, it goes on.

    A file moves if two things hold: it is, byte for byte, the file of the plan, and so is the file
    that is kept in its place. Otherwise it is left alone, and the table says why. A person may
    edit the plan: write ``keep`` for ``move``, or let the file that stays and its copy change
    places. The partners of a picture, such as a raw file or a film, go after it, and only if it
    went; it stays if one of them could not go. If a run is killed between the two, the next one
    takes the partners along.

    Parameters
    ----------
    folder : str or Path
        The photo library.
    plan : DataFrame
        From `helpers.library.proposal.propose` or `helpers.quarantine.plans.read_plan`. It needs
        the columns `helpers.quarantine.plans.NEEDED`, and rows for the files that are kept.
    quarantine : str or Path, optional
        Where the files go, under the same relative paths; `default_quarantine` if left out. It may
        be on another disk, but not in the library, and takes the files of one library only.

    Returns
    -------
    DataFrame
        A row for each file to be moved: ``path``, ``outcome`` (``moved`` or ``left alone``) and
        ``reason``, which says why it was left alone.

    Raises
    ------
    Problem
        If there is no such folder; if the plan lacks a column; if the quarantine is something
        else, belongs to another folder, lies inside the library, has no room or cannot be written;
        or if another process is moving files.

    Notes
    -----
    The quarantine also holds the journal, and the plan, which tells why a file went: ``plan.csv``,
    or ``plan-2.csv`` and so on if another plan is there.

    On one file system a file first gets its new name beside the old one (a hard link, which never
    overwrites) and then loses the old one. On Windows, and where there are no hard links, it is
    renamed. To another file system it is copied under a passing name, synchronised, compared by
    SHA-256 and renamed; then the original is removed. A file that was written to or replaced
    meanwhile stays, and its copy in quarantine is removed. Times and permissions stay. The journal
    has them too, since some file systems keep them less exactly.

    Examples
    --------
    >>> apply("photos", plan)  # doctest: +SKIP
    """
    folder = real_path(folder)
    place = real_path(default_quarantine(folder) if quarantine is None else quarantine)
    check_folder(folder)
    check_place(folder, place)
    if missing := [name for name in plans.NEEDED if name not in plan]:
        raise Problem(f"the plan has no column {missing[0]!r}; make it anew")
    moves, outcomes = _moves(plan), []
    if moves or os.path.lexists(place):
        with open_journal(place, folder, begin=True) as journal:
            journal.recover()
            if moves:
                _check_room(folder, place, moves, journal)
                _keep_plan(place, plan)
            moves += _unfinished(journal, known={row.path for row in moves})
            checks = _Checks(folder, plan, moves)
            for row in progress_bar(moves, total=len(moves), title="moving"):
                with _reason_to_leave() as reasons:
                    if row.partner_of and not journal.has_moved(row.partner_of):
                        raise LeftAlone(f"belongs to {row.partner_of}, which has not moved")
                    if not journal.has_moved(row.path):
                        checks.check_partners(row, journal)
                        journal.move("in", row.path, row.sha256, checks.status_of(row))
                outcomes.append((row.path, "left alone" if reasons else "moved", "".join(reasons)))
    return pd.DataFrame(outcomes, columns=["path", "outcome", "reason"], dtype="str")


def undo(quarantine: str | Path, folder: str | Path | None = None) -> pd.DataFrame:
    """Put back all that `apply` moved, byte for byte. If it was interrupted, it goes on.

    Parameters
    ----------
    quarantine : str or Path
        The quarantine folder. The journal and the plans stay in it.
    folder : str or Path, optional
        Where the files go; if left out, where they came from. Name it if the library has been
        moved since.

    Returns
    -------
    DataFrame
        A row for each file in the quarantine: ``path``, ``outcome`` (``put back`` or ``left
        alone``) and ``reason``. A file is left alone if it has changed, if something else is at its
        old place, or if the journal does not tell enough of it. If lines of the journal are damaged
        or foreign, it has a row too, with their numbers.

    Raises
    ------
    Problem
        If it is no quarantine folder, if the library is not there, if the journal cannot be read or
        is a link, or if another process is moving files.

    Examples
    --------
    >>> undo("photos-quarantine")  # doctest: +SKIP
    """
    place = real_path(quarantine)
    if not os.path.isfile(place / JOURNAL):
        raise Problem(
            f"{quarantine}: is no quarantine folder, since it holds no {JOURNAL}; "
            "check the spelling"
        )
    folder = _library_of(place, folder)
    outcomes = []
    with open_journal(place, folder, begin=False) as journal:
        journal.recover()
        told = journal.told
        inside = {path for path, where in told.where.items() if where == "in"} | set(told.begun)
        for path in progress_bar(sorted(inside), total=len(inside), title="putting back"):
            with _reason_to_leave() as reasons:
                journal.move("out", path, told.about[path].sha256)
            outcomes.append((path, "left alone" if reasons else "put back", "".join(reasons)))
        _clear_plans(place)
        for path in _strangers(place, known={JOURNAL, LOCK, RESERVE, *inside}):
            outcomes.append((path, "left alone", "is not in the journal; put it back by hand"))
        if told.damaged:
            outcomes.append((JOURNAL, "left alone", told.damage()))
        _remove_empty_folders(place)
    # not every table can hold a name that is no valid text
    rows = [[text.encode(errors="backslashreplace").decode() for text in row] for row in outcomes]
    return pd.DataFrame(rows, columns=["path", "outcome", "reason"], dtype="str")


def _library_of(place: Path, folder: str | Path | None) -> Path:
    """The folder that the files of a quarantine go back to."""
    owner = read_journal(place / JOURNAL).owner
    if folder is None and owner is None:
        raise Problem(
            f"{place / JOURNAL}: does not tell where the files came from; name the folder"
        )
    folder = real_path(folder if folder is not None else owner)
    if not os.path.isdir(folder):
        raise Problem(
            f"{folder}: no such folder; connect its disk, or name where the library is now"
        )
    if owner not in (None, str(folder)) and os.path.isdir(owner):
        raise Problem(f"{place}: holds files of {owner}; name that folder")
    with suppress(OSError):  # it may not be listed
        if not any(folder.iterdir()):
            raise Problem(
                f"{folder}: is empty, as is the place of a disk that is not connected; "
                "connect it or, if this is the right folder, put any file there first"
            )
    return folder


@contextmanager
def _reason_to_leave() -> Iterator[list[str]]:
    """A list that holds the reason why a file was left alone, once the block has ended."""
    reasons: list[str] = []
    try:
        yield reasons
    except LeftAlone as reason:
        reasons.append(str(reason))
    except FileNotFoundError:
        reasons.append("is not there any more; scan again")
    except OSError as error:
        reasons.append(f"could not be moved ({error.strerror or error})")


# What is to move


def _moves(plan: pd.DataFrame) -> list[tuple]:
    """The rows of the pictures that are to move, and then those of the partners of these.

    A picture that was asked about, and is to move now, takes its partners along. If a picture has
    changed places with the one that stays, so have their partners that have the same bytes.
    """
    plan = plan.assign(partner_of=plan.get("partner_of", ""))  # which older plans do not have
    moves = plan[plan["action"] == "move"]
    pictures = list(moves[moves["partner_of"] == ""].itertuples())
    go, partners, instead = {row.path for row in pictures}, [], {}
    copies = plan[plan["kept"] != plan["path"]]
    kept = dict(zip(copies["path"], copies["kept"], strict=True))
    for row in plan[(plan["partner_of"] != "") & (plan["action"] != "keep")].itertuples():
        other = kept.get(row.partner_of)
        if row.partner_of in go:
            partners.append(row)
        elif other in go and row.kept != other:
            partners.append(row._replace(path=row.kept, kept=row.path, partner_of=other))
            instead[row.kept] = row.path
    return pictures + [row._replace(kept=instead.get(row.kept, row.kept)) for row in partners]


def _unfinished(journal: Journal, known: set[str]) -> list[tuple]:
    """The rows of partners that an earlier run, which was killed, left behind."""
    rows = {}
    for file in filter(lambda file: _PLAN_FILE.fullmatch(file.name), journal.place.iterdir()):
        with suppress(Problem):
            rows |= {row.path: row for row in _moves(plans.read_plan(file)) if row.partner_of}
    return [
        row
        for path, row in sorted(rows.items())
        if path not in known
        and journal.has_moved(row.partner_of)
        and os.path.lexists(journal.folder / path)
    ]


# What is checked before a file is moved


class _Checks:
    """Whether the files of a plan may move: each file, and the one that is kept in its place."""

    def __init__(self, folder: Path, plan: pd.DataFrame, moves: list[tuple]) -> None:
        self.folder, self.links = folder, _links(folder)
        self.to_move = to_move = {row.path for row in moves}
        self.partners: dict[str, list[tuple]] = {}
        for row in filter(lambda row: row.partner_of, moves):
            self.partners.setdefault(row.partner_of, []).append(row)
        staying = [row for row in plan.itertuples() if row.path not in to_move]
        self.stays = {row.path: row for row in staying}
        # Each group's first file that a person wants to keep, by the path that the plan kept.
        self.instead = {row.kept: row for row in reversed(staying) if row.action == "keep"}
        self.seen: dict[str, tuple] = {}

    def check_partners(self, row: tuple, journal: Journal) -> None:
        """Raise if a partner of a picture must not move."""
        for partner in self.partners.get(row.path, ()):
            try:
                if not journal.has_moved(partner.path):
                    self.status_of(partner)
            except LeftAlone as reason:
                raise LeftAlone(f"stays with {partner.path}: {reason}") from None

    def status_of(self, row: tuple) -> os.stat_result:
        """The status of a file when it was looked at. Raise the reason why it must not move."""
        kept = self._kept_for(row)
        if kept is None or kept.path == row.path:
            raise LeftAlone(
                "the plan keeps no file in its place; "
                "write keep for it, or for the one it is a copy of"
            )
        status = self._check_file(row, "")
        self._check_file(kept, f"{kept.path}, which is kept in its place, ")
        moved, stays = self.folder / row.path, self.folder / kept.path
        if link := self.links.get(real_path(moved)):
            raise LeftAlone(f"a link leads to it: {link.relative_to(self.folder)}")
        if moved.samefile(stays) and (
            real_path(moved) == real_path(stays) or moved.stat().st_nlink < 2
        ):
            raise LeftAlone(f"it is the very file that is kept, {kept.path}, by another path")
        return status

    def _kept_for(self, row: tuple) -> tuple | None:
        """The row of the file that stays for this one. A partner's has its bytes, or is a picture.

        It may be a copy that a person wants to keep instead. Then the file that was to stay may
        go, and so may the files that have the same bytes as that copy.
        """
        if row.partner_of:
            equal = None if row.kept in self.to_move else row._replace(path=row.kept)
            return self.stays.get(row.kept, equal)
        kept, other = self.stays.get(row.kept), self.instead.get(row.kept)
        is_same = other and (row.kept == row.path or (not kept and other.sha256 == row.sha256))
        return other if is_same else kept

    def _check_file(self, row: tuple, which: str) -> os.stat_result:
        """The status of a file before it was read. Raise if it is not the one of the plan."""
        file = self.folder / row.path
        if not os.path.lexists(file):
            raise LeftAlone(f"{which}is not there any more; scan again")
        is_elsewhere = which and Path(row.path).is_absolute()  # in the archive
        if not is_elsewhere or real_path(file).is_relative_to(self.folder):
            check_path(self.folder, row.path)
        status = file.lstat()
        if not stat.S_ISREG(status.st_mode):
            raise LeftAlone(f"{which}is a link or a folder now; scan again")
        now = (status.st_ino, status.st_size, status.st_mtime_ns, row.sha256)
        if self.seen.get(row.path) != now:
            other_size = pd.notna(row.bytes) and status.st_size != row.bytes
            if other_size or sha256_of(file) != row.sha256:
                raise LeftAlone(f"{which}has changed since the plan was made; scan again")
            self.seen[row.path] = now
        return status


def _links(folder: Path) -> dict[Path, Path]:
    """The files that links in the folder lead to, with one of these links each."""
    found = (file for _, files in _walk(folder) for file in files)
    return {real_path(file): file for file in found if file.is_symlink()}


def _walk(folder: Path) -> Iterator[tuple[Path, list[Path]]]:
    """Each folder, from above, with its files and links. (`os.walk` fails in deep folders.)"""
    folders = [folder]
    for place in folders:  # which grows meanwhile
        files = []
        with suppress(OSError), os.scandir(place) as listed:
            for entry in listed:
                is_folder = (
                    entry.is_dir(follow_symlinks=False)
                    and not getattr(entry, "is_junction", bool)()
                )
                (folders if is_folder else files).append(Path(entry))
        yield place, files


def _check_room(folder: Path, place: Path, moves: list[tuple], journal: Journal) -> None:
    """Raise if files have to be copied to another disk, and it has no room for all."""
    if folder.stat().st_dev == place.stat().st_dev:
        return
    needed = sum(
        int(row.bytes)
        for row in moves
        if pd.notna(row.bytes)
        and not journal.has_moved(row.path)
        and os.path.isfile(folder / row.path)
    )
    free = shutil.disk_usage(place).free
    if needed > free:
        raise Problem(
            f"{place}: has room for {free / 1e6:,.1f} MB, and {needed / 1e6:,.1f} MB are to move "
            "there; make room, or name another quarantine folder"
        )


# What is left in quarantine


def _keep_plan(place: Path, plan: pd.DataFrame) -> None:
    """Put the plan into quarantine under a free name, unless it is there already."""
    text = plans.as_csv(plan).encode()
    for number in count(1):
        file = place / (f"plan-{number}.csv" if number > 1 else "plan.csv")
        if not os.path.lexists(file):
            plans.write_plan(file, plan)
            return
        with suppress(Problem):
            if not file.is_symlink() and read_input(file, len(text)) == text:
                return


def _clear_plans(place: Path) -> None:
    """Remove what a killed run left of a plan that it was writing."""
    for file in place.glob(f".plan*{PARTIAL}"):
        with suppress(OSError):
            if _PLAN_FILE.fullmatch(file.name):
                file.unlink()


def _strangers(place: Path, known: set[str]) -> list[str]:
    """Files in quarantine that are neither in the journal nor plans."""
    found = {file.relative_to(place).as_posix() for _, files in _walk(place) for file in files}
    return sorted(path for path in found - known if not _PLAN_FILE.fullmatch(path))


def _remove_empty_folders(place: Path) -> None:
    for folder, _ in reversed(list(_walk(place))[1:]):
        with suppress(OSError):  # it is not empty
            folder.rmdir()
