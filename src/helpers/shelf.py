"""The article's index: a ``shelve`` file from hex fingerprint to the images that have it.

A shelf is a dictionary on disk whose values are pickles. Unpickling can run code, so never open a
stranger's shelf with ``shelve.open``. `read` takes nothing out of a shelf but texts and lists of
texts, by a reader of its own, and refuses any shelf that holds more.

`build` writes the kind of file that every Python on every platform can open (``dbm.dumb``:
``NAME.dat`` and ``NAME.dir``, which is plain text), so that a shelf can be carried from one machine
to another. `read` opens any kind that this Python has.
"""

import hashlib
import json
import os
import pickle
import time
from collections.abc import Iterator, Mapping
from contextlib import suppress
from functools import cached_property
from pathlib import Path

import numpy as np
import pandas as pd

from helpers import Problem
from helpers.files import pickles
from helpers.files.atomic import clear, exclusive, new_folder, write_problem
from helpers.files.guard import check_output
from helpers.files.places import size_and_time
from helpers.fingerprints import catalogue, hashes
from helpers.fingerprints.recipe import Recipe, from_dict, here, why_not
from helpers.hamming import check_radius
from helpers.images import opening
from helpers.images.folders import find_images
from helpers.search.linear import LinearScan

#: The one key beside the fingerprints: a JSON text that says what made the shelf, from which files.
ABOUT = "about"
#: How the article's own ``index.py`` reads a file: as ``imagehash`` does.
AS_STORED = {"rotate": False, "background": None, "fast": False}
_FILES = (".dat", ".dir")
_PICKLE_PROTOCOL = 4  # which every Python from 3.4 on reads


class Shelf(Mapping):
    """A shelf as it was when it was read: hex fingerprint -> list of paths.

    Parameters
    ----------
    index : dict
        Hex fingerprint -> list of paths.
    about : dict
        What made it, in the form of `helpers.fingerprints.recipe.Recipe.as_dict`, and ``files``
        (of each its size, its time and the way from the shelf to its dataset). It is empty for a
        shelf that another program made, as the article's. Other keys are let be.

    Examples
    --------
    >>> shelf = Shelf({"00000000000000ff": ["a.jpg", "b.jpg"]}, {})
    >>> shelf["00000000000000ff"]
    ['a.jpg', 'b.jpg']
    """

    def __init__(self, index: dict[str, list[str]], about: dict) -> None:
        self._index = index
        self.about = about

    def __getitem__(self, key: str) -> list[str]:
        return self._index[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self._index)

    def __len__(self) -> int:
        return len(self._index)

    @cached_property
    def recipe(self) -> Recipe:
        """What made the fingerprints; of the article's shelf, what must have made them."""
        return from_dict(self.about) if self.about else here(rules={}, **AS_STORED)

    @property
    def reading(self) -> dict:
        """How the images were read: the arguments of `helpers.images.opening.open_image`."""
        return self.recipe.reading

    def find(
        self,
        query: np.uint64 | np.ndarray | str | Path,
        radius: int = 0,
        *,
        hash: str | None = None,
        **reading: object,
    ) -> pd.DataFrame:
        """The images within `radius` bits of a query.

        Parameters
        ----------
        query : uint64, or ndarray of uint64, shape (words,), or str or Path
            A fingerprint; or an image file, which is read and hashed as the shelf's images were.
        radius : int
            Largest distance in bits, 0 to 64 (or as many as the hash has). 0 asks for equality,
            as the article does.
        hash : str, optional
            By which hash the query was, or is to be, made. May be left out.
        **reading
            How the query was, or is to be, read. May be left out.

        Returns
        -------
        DataFrame
            ``path`` and ``distance`` (bits), sorted by distance, then path; no rows if nothing is
            that near.

        Raises
        ------
        Problem
            If the query cannot be read or would be made in another way than the shelf was.

        Examples
        --------
        >>> Shelf({"00000000000000ff": ["a.jpg"]}, {}).find(np.uint64(254), radius=1)
            path  distance
        0  a.jpg         1
        """
        radius = check_radius(radius, self.recipe.bits)
        self._check_comparable(hash, **reading)
        made = self.recipe
        if isinstance(query, (str, Path)):
            query = hashes.of_file(query, made.hash, rules=made.rules, **made.reading)
        if radius == 0:
            found = {hashes.to_hex(query, made.bits): 0}
        else:
            keys = list(self)
            rows, bits = self._search.within(query, radius) if keys else ([], [])
            found = {keys[row]: int(bit) for row, bit in zip(rows, bits, strict=True)}
        rows = [(path, bits) for key, bits in found.items() for path in self.get(key, [])]
        table = pd.DataFrame(rows, columns=["path", "distance"]).astype(
            {"path": "str", "distance": "int64"}
        )
        return table.sort_values(["distance", "path"], ignore_index=True)

    @cached_property
    def _search(self) -> LinearScan:
        return LinearScan(list(self))

    def _check_comparable(self, hash: str | None, **reading: object) -> None:
        """Make sure that fingerprints made here, in this way, can be compared with the shelf's."""
        opening.complete_reading(reading)
        made = self.recipe
        asked = here(hash or made.hash, rules=made.rules, **{**made.reading, **reading})
        if reason := why_not(made, asked):
            raise Problem(
                f"the shelf was made {reason}; their fingerprints cannot be compared: ask in the "
                "same way, or build the shelf anew (replace)"
            )


def build(
    path: str | Path,
    folder: str | Path,
    *,
    images: list[str] | None = None,
    hash: str = hashes.DHASH,
    replace: bool = False,
    workers: int | None = None,
    **reading: object,
) -> pd.DataFrame:
    """Make a shelf of a folder's images, or bring one up to date.

    Images that the shelf has are not read again unless their size or time has changed. Nothing is
    listed twice. Images that have gone stay listed (`replace` starts anew). The rules by which
    its files were read stay too. If the process is killed, the old shelf stays, or none.

    Parameters
    ----------
    path : str or Path
        The shelf; the files are this name with ``.dat`` and ``.dir``.
    folder : str or Path
        The dataset's root; the shelf lists paths relative to it.
    images : list of str, optional
        Paths relative to `folder`; all images below it if left out.
    hash : str
        The name of the hash: one of `helpers.fingerprints.hashes.HASHES`.
    replace : bool
        Read all images anew; an old shelf, however it was made, gives way to the new one.
    workers : int, optional
        How many processes share the work: see `helpers.fingerprints.catalogue.of_folder`.
    **reading
        ``rotate``, ``background``, ``fast``: see `helpers.images.opening.open_image`.

    Returns
    -------
    DataFrame
        The table of the images that were read this time; those with a ``problem`` are not on the
        shelf.

    Raises
    ------
    Problem
        If `path` is something else than a shelf, or a shelf made otherwise; if the folder holds
        no images; if there is no room.

    Examples
    --------
    >>> build("db.shelve", "photos")  # doctest: +SKIP
    """
    path, folder = Path(path), Path(folder)
    check_output(path, "shelf")
    made = here(hash, **reading)
    images = find_images(folder) if images is None else sorted(set(images))
    with exclusive(path):
        clear(_ready(path))
        _finish(path)
        if os.path.lexists(_ready(path)):
            raise Problem(
                f"{_ready(path)}: stands where a new shelf is made; move it away, or choose a new "
                "name for the shelf"
            )
        there = pickles.kind_of(path)
        if os.path.exists(path) and not there:
            raise Problem(
                f"{path}: is not a shelf; name one without its .dat or .dir, or choose a new name"
            )
        index, known = {}, {}
        if there and not replace:
            old = _to_go_on_with(path, made)
            made = here(hash, rules=old.recipe.rules, **made.reading)
            index, known = dict(old), old.about["files"]
        now = {name: size_and_time(folder / name) for name in images}
        place = _place_from(path, folder)
        _check_size(path, made, {**known, **now}, place)
        changed = [
            name for name in images if now[name] is None or known.get(name, [])[:2] != now[name]
        ]
        _check_same_folder(path, changed, known, place)
        table = catalogue.of_folder(
            folder, changed, hash=hash, workers=workers, rules=made.rules, **made.reading
        )
        index = _brought_up_to_date(index, known, table, made.bits)
        listed = {name for names in index.values() for name in names}
        files = {
            name: [*now[name], place] if now.get(name) else known[name] for name in sorted(listed)
        }
        if replace or files != known or not there:
            _publish(path, index, {**made.as_dict(), "files": files})
    return table


def _to_go_on_with(path: Path, made: Recipe) -> Shelf:
    """The shelf that is there, if files read by `made` may join it."""
    old = read(path)
    if not old.about:
        raise Problem(
            f"{path}: was made by another program and does not say how; choose a new name, "
            "or replace it"
        )
    old._check_comparable(made.hash, **made.reading)
    files, listed = old.about["files"], {name for names in old.values() for name in names}
    forms = [[type(part) for part in about] for about in files.values() if isinstance(about, list)]
    if files.keys() != listed or forms != [[int, int, str]] * len(files):
        raise Problem(f"{path}: says in a way not known here what it was made of; replace it")
    return old


def _check_size(path: Path, made: Recipe, files: dict, place: str) -> None:
    """Make sure that a shelf of these files can be read, before they are."""
    about = {name: [*(known or (0, 0))[:2], place] for name, known in files.items()}
    text = json.dumps({**made.as_dict(), "files": about, "digest": 64 * "0"})
    steps = 8 * pickles.STEP_BYTES  # which each value takes at most
    needed = len(ascii(text)) + steps + sum(len(ascii(name)) + steps for name in files)
    if needed > pickles.MOST_BYTES:
        raise Problem(
            f"{path}: would hold more than {pickles.MOST_BYTES:,} bytes, the most that is taken "
            "from a shelf; index fewer images (helpers.files.pickles.MOST_BYTES can be raised)"
        )


def _check_same_folder(path: Path, changed: list[str], known: dict, place: str) -> None:
    for name in changed:
        if name in known and known[name][2] != place:
            raise Problem(
                f"{path}: was built from another folder, which has another {name}; index a folder "
                "above both, choose a new name, or build it anew (replace)"
            )


def _brought_up_to_date(index: dict, known: dict, table: pd.DataFrame, bits: int) -> dict:
    """The index with the images of `table` in their places; those read anew leave the old ones."""
    taken_anew = set(table["path"]) & set(known)
    if taken_anew:
        index = {
            key: [name for name in names if name not in taken_anew] for key, names in index.items()
        }
    for row in table[table["problem"] == ""].itertuples():
        value = row.fingerprint
        key = value if isinstance(value, str) else hashes.to_hex(value, bits)
        index[key] = [*index.get(key, []), row.path]
    return {key: sorted(index[key]) for key in sorted(index) if index[key]}


def read(path: str | Path) -> Shelf:
    """A shelf, whole, as it is at this moment; one that the article's ``index.py`` made will do.

    Parameters
    ----------
    path : str or Path
        Its name without ``.dat``, ``.dir`` or ``.db``.

    Returns
    -------
    Shelf
        All that the file holds.

    Raises
    ------
    Problem
        If there is none, if this Python cannot open it, or if it holds anything but a shelf does.

    Examples
    --------
    >>> len(read("db.shelve"))  # doctest: +SKIP
    9018
    """
    path = Path(path)
    if path.name in ("", ".."):
        raise Problem(f"{path}: is not a shelf; add the name of one")
    for _ in range(250):  # while another process puts a new shelf in place
        if _is_waiting(path):
            with suppress(TimeoutError), exclusive(path, wait=False):
                _finish(path)
        before = _stamp(path)
        try:
            entries = pickles.entries(path)
        except Problem:
            if _is_whole(path, before):
                raise
        else:
            if _is_whole(path, before):
                break
        time.sleep(0.02)
    else:
        raise Problem(f"{path}: is being written over and over; try again when that has ended")
    shelf = Shelf(entries, _about(path, entries))
    for key, names in entries.items():
        if not isinstance(names, list):
            raise Problem(
                f"{path}: is no shelf of fingerprints, since {key!r} holds no list of file names"
            )
        try:
            hashes.from_hex(key, shelf.recipe.bits)
        except Problem as problem:
            raise Problem(f"{path}: is no shelf of fingerprints, since {problem}") from problem
    return shelf


def _about(path: Path, entries: dict) -> dict:
    """What made the shelf; it is taken out of `entries`, which then only holds fingerprints."""
    if ABOUT not in entries:
        if not entries:
            raise Problem(f"{path}: is empty or damaged; delete it and build it again")
        return {}
    try:
        text = entries.pop(ABOUT)
        if sum(map(text.count, ",:[{")) * pickles.STEP_BYTES > pickles.MOST_BYTES:
            raise ValueError("too many parts")
        about = json.loads(text)
        digest = about.pop("digest")
        if not isinstance(about["files"], dict):
            raise TypeError("files")
        from_dict(about)
        is_whole = digest == _digest(entries, about)
    except Problem as problem:
        raise Problem(
            f"{path}: {str(problem)[:300]}; or build it again with these helpers"
        ) from problem
    except (TypeError, ValueError, AttributeError, KeyError, RecursionError) as error:
        raise Problem(
            f"{path}: says in a way not known here what made it; build it again with these helpers"
        ) from error
    if not is_whole:
        raise Problem(
            f"{path}: is damaged, or was changed by another program; delete it and build it again"
        )
    return about


def _digest(index: dict, about: dict) -> str:
    return hashlib.sha256(json.dumps([index, about], sort_keys=True).encode()).hexdigest()


def _ready(path: Path) -> Path:
    return path.with_name(f".{path.name}.ready")


def _publish(path: Path, index: dict[str, list[str]], about: dict) -> None:
    """Write a new shelf beside the old one, then let it take the old one's place.

    It counts from the moment when the finished folder is renamed to ``.NAME.ready``: from then on
    `read` and `build` finish what was begun.
    """
    about = json.dumps({**about, "digest": _digest(index, about)}, sort_keys=True)
    with new_folder(_ready(path)) as place:
        data, listing = ((place / f"new{suffix}").open("xb") for suffix in _FILES)
        with data, listing:
            for key, value in {ABOUT: about, **index}.items():
                pickled = pickle.dumps(value, _PICKLE_PROTOCOL)
                data.write(bytes(-data.tell() % 512))  # as `dbm.dumb` lays them out
                listing.write(f"{key!r}, {(data.tell(), len(pickled))}\n".encode())
                data.write(pickled)
            for file in (data, listing):
                file.flush()
                os.fsync(file.fileno())
    _finish(path)


def _is_waiting(path: Path) -> bool:
    """Whether a finished shelf is to be moved to its place; not if there are links, or folders."""
    ready = _ready(path)
    files = [file for suffix in _FILES if os.path.lexists(file := ready / f"new{suffix}")]
    ours = not any(map(os.path.islink, [ready, *files])) and all(map(os.path.isfile, files))
    return bool(files) and ours


def _finish(path: Path) -> None:
    """Move a finished shelf to its place. Hold `exclusive(path)` around it.

    The old ``.dir`` goes first: without it there is no shelf. So nobody, not even a plain
    ``shelve.open``, can meet the ``.dat`` of one shelf beside the ``.dir`` of another.
    """
    ready = _ready(path)
    places = [path.with_name(path.name + suffix) for suffix in _FILES]
    news = [ready / f"new{suffix}" for suffix in _FILES]
    try:
        if _is_waiting(path):
            check_output(path, "shelf")
            if os.path.exists(news[0]):
                places[1].unlink(missing_ok=True)
                news[0].replace(places[0])
            if os.path.exists(news[1]):
                news[1].replace(places[1])
            (ready / "new.bak").unlink(missing_ok=True)  # version 0.1 left one
        with suppress(OSError):  # it is not ours, or somebody's own files lie in it
            ready.rmdir()
    except OSError as error:
        raise write_problem(path, error) from error


def _stamp(path: Path) -> tuple:
    """Changes whenever another shelf takes this one's place."""
    stamps = []
    for suffix in ("", *_FILES):
        try:
            status = path.with_name(path.name + suffix).stat()
            stamps.append((status.st_ino, status.st_mtime_ns, status.st_size))
        except (OSError, ValueError):  # ValueError: a zero character
            stamps.append(None)
    return tuple(stamps)


def _is_whole(path: Path, before: tuple) -> bool:
    """Whether what was read since `before` is one whole shelf."""
    return not _is_waiting(path) and before == _stamp(path)


def _place_from(path: Path, folder: Path) -> str:
    """The way from the shelf to the dataset: it stays when both are moved."""
    start, end = path.resolve().parent, folder.resolve()
    try:
        return Path(os.path.relpath(end, start)).as_posix()
    except ValueError:  # Windows: on another drive
        return end.as_posix()
