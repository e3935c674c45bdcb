"""What earlier runs found about a photo library, so that only what has changed is read again."""

from __future__ import annotations

import hashlib
import json
import os
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, nullcontext
from functools import cache as remembered
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import helpers
from helpers import Problem
from helpers.files.atomic import exclusive, write_text
from helpers.files.guard import read_input

#: The most that is remembered about a photo library, in bytes: enough for 400,000 files.
MOST_BYTES = 2**29
#: What is found is remembered every so many seconds, or less often: to write it takes at most a
#: twentieth of the time.
SECONDS = 30

_Form = Callable[[str, object], bool]


class Memory:
    """What earlier runs found, by a key; `open_memory` makes one.

    The file is text: a SHA-256, a line of JSON with what made the findings, and one with the
    findings themselves. If something else made them, such as an earlier version, they count for
    nothing. If the file is damaged, a sentence says so, and it counts for nothing too.

    Parameters
    ----------
    file : Path or None
        Where it is kept; None if nothing is to be remembered.
    made_by : dict
        All that a finding depends on, beside the files of the library.
    has_form : callable
        Takes a key and what was found, as they were read, and says whether `keep` may have been
        given them; the file may be planted.

    Attributes
    ----------
    found : dict
        Key -> what an earlier run found, in the types that JSON has.

    Examples
    --------
    >>> Memory(None, {}, has_form=lambda key, found: True).found
    {}
    """

    def __init__(self, file: Path | None, made_by: dict, has_form: _Form) -> None:
        self.file = file
        self._made_by = made_by
        self.found: dict[str, list] = self._read(has_form)
        self._next = time.monotonic() + SECONDS

    def keep(self, found: dict[str, list], *, at_once: bool = True) -> None:
        """Remember this, and forget the rest. If it cannot be written, a sentence says so.

        Parameters
        ----------
        found : dict
            Key -> what was found, which JSON has to be able to hold.
        at_once : bool
            False while more is being found: then it is written only every `SECONDS`.

        Examples
        --------
        >>> Memory(None, {}, has_form=lambda key, found: True).keep({"a.jpg": [12]})
        """
        start = time.monotonic()
        if self.file is None or (not at_once and start < self._next) or found == self.found:
            return
        content = f"{json.dumps(self._made_by)}\n{json.dumps(found)}"
        try:
            if len(content) > MOST_BYTES:
                raise Problem(f"{self.file}: would be too large; clean smaller folders")
            write_text(self.file, f"{hashlib.sha256(content.encode()).hexdigest()}\n{content}")
        except Problem as problem:
            print(f"What was found is not remembered: {problem}")
            self.file = None
        end = time.monotonic()
        self._next = end + max(SECONDS, 20 * (end - start))

    def keep_as_found(self, found: dict[str, list], more: Iterable[dict[str, list]]) -> None:
        """Add what is being found, and remember it meanwhile; at the end too, if it is stopped.

        Parameters
        ----------
        found : dict
            What is known already, as for `keep`. It grows.
        more : iterable of dict
            What is found, part by part.

        Examples
        --------
        >>> found = {"a.jpg": [12]}
        >>> Memory(None, {}, has_form=lambda key, found: True).keep_as_found(found, [{"b.jpg": []}])
        >>> found
        {'a.jpg': [12], 'b.jpg': []}
        """
        try:
            for some in more:
                found |= some
                self.keep(found, at_once=False)
        finally:
            self.keep(found)

    def _read(self, has_form: _Form) -> dict[str, list]:
        if self.file is None or not os.path.lexists(self.file):
            return {}
        try:
            if self.file.is_symlink():
                raise ValueError("it is a link")
            checksum, _, content = read_input(self.file, MOST_BYTES + 65).partition(b"\n")
            if hashlib.sha256(content).hexdigest().encode() != checksum:
                raise ValueError("its checksum is wrong")
            made_by, _, content = content.partition(b"\n")
            if json.loads(made_by) != self._made_by:
                return {}
            found = json.loads(content)
            if not all(has_form(key, value) for key, value in found.items()):
                raise ValueError("it has another form")
            return found
        except (Problem, ValueError, TypeError, AttributeError, RecursionError) as error:
            print(
                f"{self.file}: what earlier runs found is damaged ({error}); "
                "all files are read again."
            )
            return {}


@contextmanager
def open_memory(
    folder: Path, cache: str | Path | None, about: str, depends_on: list, has_form: _Form
) -> Iterator[Memory]:
    """What earlier runs found about a photo library. Other processes wait until the block ends.

    Parameters
    ----------
    folder : Path
        The photo library.
    cache : str, Path or None
        The folder where it is remembered; if None, ``libraries`` in
        `helpers.files.places.data_folder`.
    about : str
        What is remembered: a part of the file's name.
    depends_on : list
        What it depends on beside the code and the packages, such as thresholds, in the types
        that JSON has.
    has_form : callable
        As for `Memory`.

    Yields
    ------
    Memory
        It remembers nothing if the data folder lies inside the library, where nothing is written.

    Raises
    ------
    Problem
        If `cache` lies inside the library.

    Examples
    --------
    >>> with open_memory(Path("photos"), "cache", "files", [], lambda key, found: True) as memory:
    ...     memory.found
    {}
    """
    file = _file(folder, cache, about)
    with exclusive(file) if file else nullcontext():
        yield Memory(file, _made_here(depends_on), has_form)


def _file(folder: Path, cache: str | Path | None, about: str) -> Path | None:
    from helpers.files import places

    library = places.real_path(folder)
    place = Path(cache) if cache is not None else places.data_folder() / "libraries"
    if places.real_path(place).is_relative_to(library):
        if cache is not None:
            raise Problem(f"{cache}: lies inside the photo library; choose a folder outside it")
        return None
    return place / f"{hashlib.sha256(os.fsencode(library)).hexdigest()[:16]}-{about}.txt"


def _made_here(depends_on: list) -> dict:
    """All that a finding depends on, other than the files of the library.

    The version number does not change with every change of the code, so all of that counts, too.
    """
    from helpers.fingerprints import recipe

    try:
        heif = version("pillow-heif")
    except PackageNotFoundError:
        heif = "none"
    about = {
        "helpers": helpers.__version__,
        "pillow-heif": heif,
        "code": _code_of(helpers.__file__),
    }
    return {**about, "recipe": recipe.here(fast=True).as_dict(), "depends on": depends_on}


@remembered
def _code_of(package: str) -> str:
    """The SHA-256 of all modules of a package, which a run asks for several times."""
    code = hashlib.sha256()
    for file in sorted(Path(package).parent.rglob("*.py")):
        code.update(file.read_bytes())
    return code.hexdigest()
