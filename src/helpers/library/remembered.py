"""What earlier runs found about a photo library, so that only what has changed is read again."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path

from helpers import Problem, __version__
from helpers.files.atomic import exclusive, write_text

#: The modules whose code decides what is found. If one of them changes, nothing is remembered.
FINDERS = (
    "library.inventory",
    "library.second_look",
    "images.pixels",
    "images.opening",
    "images.formats",
    "fingerprints.hashes",
    "fingerprints.flat",
)


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

    Attributes
    ----------
    found : dict
        Key -> what an earlier run found, in the types that JSON has.

    Examples
    --------
    >>> Memory(None, {}).found
    {}
    """

    def __init__(self, file: Path | None, made_by: dict) -> None:
        self.file = file
        self._made_by = made_by
        self.found: dict[str, list] = dict(self._read())

    def keep(self, found: dict[str, list]) -> None:
        """Remember this, and forget the rest. If it cannot be written, a sentence says so.

        Parameters
        ----------
        found : dict
            Key -> what was found, which JSON has to be able to hold.

        Examples
        --------
        >>> Memory(None, {}).keep({"a.jpg": [12]})
        """
        if self.file is None:
            return
        lines = [self._made_by, *found.items()]
        content = "".join(f"{json.dumps(line)}\n" for line in lines)
        try:
            write_text(self.file, f"{hashlib.sha256(content.encode()).hexdigest()}\n{content}")
        except Problem as problem:
            print(f"What was found is not remembered: {problem}")

    def _read(self) -> list[list]:
        if self.file is None:
            return []
        try:
            checksum, _, content = self.file.read_bytes().partition(b"\n")
            if hashlib.sha256(content).hexdigest().encode() != checksum:
                raise ValueError("its checksum is wrong")
            first, *lines = map(json.loads, content.splitlines())
            return lines if first == self._made_by else []
        except FileNotFoundError:
            return []
        except (OSError, ValueError) as error:
            print(
                f"{self.file}: what earlier runs found is damaged ({error}); "
                "all files are read again."
            )
            return []


@contextmanager
def open_memory(
    folder: Path, cache: str | Path | None, about: str, depends_on: list
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
    >>> with open_memory(Path("photos"), "cache", "files", ["sha256"]) as memory:
    ...     memory.found
    {}
    """
    file = _file(folder, cache, about)
    with exclusive(file) if file else nullcontext():
        yield Memory(file, _made_here(depends_on))


def _file(folder: Path, cache: str | Path | None, about: str) -> Path | None:
    from helpers.files import places

    library = folder.resolve()
    place = Path(cache) if cache is not None else places.data_folder() / "libraries"
    if place.resolve().is_relative_to(library):
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
