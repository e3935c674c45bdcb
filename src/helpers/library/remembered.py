"""What earlier runs found about a photo library, so that only what has changed is read again."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from functools import partial
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path

from helpers import Problem, __version__
from helpers.files.atomic import exclusive, write_text
from helpers.files.guard import open_input

#: The most that is remembered about a photo library, in bytes: enough for a million files.
MOST_BYTES = 2**28
_MOST_BYTES_OF_A_LINE = 2**24  # enough for a group of 40,000 pictures
#: The modules whose code decides what is found. If one of them changes, nothing is remembered.
FINDERS = (
    "library.inventory",
    "library.groups",
    "library.second_look",
    "images.detail",
    "images.pixels",
    "images.opening",
    "images.formats",
    "fingerprints.hashes",
    "fingerprints.flat",
)


_Form = Callable[[str, object], bool]


class Memory:
    """What earlier runs found, by a key; `open_memory` makes one.

    The file is text. Its first line is the SHA-256 of the rest, the second says what made it, and
    every other line is one key with what was found. If something else made it, it counts for
    nothing. If it is damaged, a sentence says so, and it counts for nothing too.

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

    def keep(self, found: dict[str, list]) -> None:
        """Remember this, and forget the rest. If it cannot be written, a sentence says so.

        Parameters
        ----------
        found : dict
            Key -> what was found, which JSON has to be able to hold.

        Examples
        --------
        >>> Memory(None, {}, has_form=lambda key, found: True).keep({"a.jpg": [12]})
        """
        if self.file is None:
            return
        lines = [f"{json.dumps(line)}\n" for line in (self._made_by, *found.items())]
        content = "".join(lines)
        try:
            if len(content) > MOST_BYTES or max(map(len, lines)) > _MOST_BYTES_OF_A_LINE:
                raise Problem(f"{self.file}: would be too large; clean smaller folders")
            write_text(self.file, f"{hashlib.sha256(content.encode()).hexdigest()}\n{content}")
        except Problem as problem:
            print(f"What was found is not remembered: {problem}")

    def _read(self, has_form: _Form) -> dict[str, list]:
        if self.file is None:
            return {}
        try:
            with open_input(self.file) as file:
                if self.file.is_symlink() or os.fstat(file.fileno()).st_size > MOST_BYTES:
                    raise ValueError("it is a link, or too large")
                checksum = file.readline(65)
                if hashlib.file_digest(file, "sha256").hexdigest().encode() != checksum.strip():
                    raise ValueError("its checksum is wrong")
                file.seek(len(checksum))
                lines = map(json.loads, iter(partial(file.readline, _MOST_BYTES_OF_A_LINE), b""))
                found = {}
                for key, value in lines if next(lines) == self._made_by else ():
                    if not has_form(key, value):
                        raise ValueError("it has another form")
                    found[key] = value
                return found
        except FileNotFoundError:
            return {}
        except (OSError, ValueError, TypeError, StopIteration, RecursionError) as error:
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
    """All that a finding depends on, other than the files of the library."""
    from helpers.fingerprints import recipe

    try:
        heif = version("pillow-heif")
    except PackageNotFoundError:
        heif = "none"
    return {
        "helpers": __version__,
        "pillow-heif": heif,
        "code": _digest_of_code(),
        "recipe": recipe.here().as_dict(),
        "depends on": depends_on,
    }


def _digest_of_code() -> str:
    """The SHA-256 of the finders' code; "none" where the package is installed without its files."""
    try:
        code = [Path(find_spec(f"helpers.{name}").origin).read_bytes() for name in FINDERS]
    except OSError:
        return "none"
    return hashlib.sha256(b"\0".join(code)).hexdigest()
