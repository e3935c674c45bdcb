"""What earlier runs found about a photo library."""

from __future__ import annotations

import hashlib
import json
import os
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path

from helpers import Problem, __version__
from helpers.files.atomic import write_text

#: The modules whose code decides what is found: what they found before they were changed is forgotten.
FINDERS = (
    "library.inventory",
    "library.second_look",
    "images.pixels",
    "images.opening",
    "fingerprints.hashes",
    "fingerprints.flat",
)


def cache_file_of(folder: Path, cache: str | Path | None, about: str) -> Path | None:
    """The file where what was found about a library is remembered; None if it would lie inside the library."""
    from helpers.files import places

    library = folder.resolve()
    place = Path(cache) if cache is not None else places.data_folder() / "libraries"
    if place.resolve().is_relative_to(library):
        if cache is not None:
            raise Problem(f"{cache}: lies inside the photo library; choose a folder outside it")
        return None
    return place / f"{hashlib.sha256(os.fsencode(library)).hexdigest()[:16]}-{about}.txt"


def made_by(columns: list[str]) -> dict:
    """What is remembered depends on, other than on files."""
    versions = {"helpers": __version__}
    for package in ("pillow", "imagehash", "pillow-heif"):
        try:
            versions[package] = version(package)
        except PackageNotFoundError:
            versions[package] = "none"
    return {**versions, "source": _source(), "columns": columns}


def _source() -> str:
    """The SHA-256 of the code that finds out; "none" where it is installed without its source."""
    try:
        code = [Path(find_spec(f"helpers.{name}").origin).read_bytes() for name in FINDERS]
    except OSError:
        return "none"
    return hashlib.sha256(b"\0".join(code)).hexdigest()


def read_cache(file: Path | None, made_by: dict) -> list[list]:
    """The lines; none where nothing is remembered, where other versions made it, and, with a sentence, if it is damaged."""
    if file is None:
        return []
    try:
        checksum, _, content = file.read_bytes().partition(b"\n")
        if hashlib.sha256(content).hexdigest().encode() != checksum:
            raise ValueError("its checksum is wrong")
        first, *lines = map(json.loads, content.splitlines())
        return lines if first == made_by else []
    except FileNotFoundError:
        return []
    except (OSError, ValueError) as error:
        print(f"{file}: what earlier runs found is damaged ({error}); all files are read again.")
        return []


def write_cache(file: Path | None, made_by: dict, lines: list[list]) -> None:
    if file is None:
        return
    content = "\n".join([*(json.dumps(line) for line in [made_by, *lines]), ""])
    try:
        write_text(file, f"{hashlib.sha256(content.encode()).hexdigest()}\n{content}")
    except Problem as problem:
        print(f"What was found is not remembered: {problem}")
