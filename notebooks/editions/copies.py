"""Editions that are notebooks, laid into their folders; `contents` tells what stands in them.

Each is a copy to work in, kept when the kit is updated. A file that was changed there is
never overwritten. It is unchanged if its cells, whatever their outputs, are those of a version
that was laid there; ``editions/NAME.json`` holds the digests of these versions.
"""

import hashlib
import json
import os
from collections.abc import Iterator
from contextlib import suppress
from itertools import count
from pathlib import Path

import course
from editions import contents
from helpers import Problem
from helpers.files.atomic import exclusive, write_problem, write_text

PLACE = course.HERE.parent / "editions"
#: What gives the texts of an edition, by its name.
EDITIONS = {"learner": contents.learner, "teacher": contents.teacher, "short": contents.short}


def make(name: str, source: Path = course.HERE, place: Path = PLACE) -> Path:
    """Make an edition, or bring it up to date; its folder. What is laid beside is told in print."""
    folder, texts = place / name, EDITIONS[name](source)
    with exclusive(folder):
        laid = _laid(folder)
        for file, text in texts.items():
            _lay(folder / file, text, laid.setdefault(file, []))
        for file in sorted(laid.keys() - texts.keys()):  # the course has no such file any more
            _remove_unchanged(folder / file, laid.pop(file))
            if os.path.lexists(folder / file):
                print(f"{file}: no longer in the course; yours stays.")
        write_text(_list_of(folder), json.dumps(laid, indent=1) + "\n")
    return folder


def again(number: str, source: Path = course.HERE, place: Path = PLACE) -> None:
    """Put the original of a chapter back for a learner; a changed one is kept beside it."""
    folder, texts = place / "learner", contents.learner(source)
    names = [name for name in texts if name.startswith(f"{number:0>2}-")]
    if len(names) != 1:
        raise Problem(f"{number}: no chapter has this number; give that of a file's name, as 02")
    path, text = folder / names[0], texts[names[0]]
    with exclusive(folder):
        versions = _laid(folder).get(path.name, [])
        _remove_unchanged(path, [*versions, _digest(text.encode())])
        if os.path.lexists(path):
            mine = next(mine for mine in _beside(path, "mine") if not os.path.lexists(mine))
            try:
                path.rename(mine)
            except OSError as error:
                raise write_problem(mine, error) from error
            print(f"{path.name}: yours is now {mine.name}.")
        write_text(path, text)
    print(f"{path.name}: the original is back.")


def _lay(path: Path, text: str, versions: list[str]) -> None:
    """Write a file unless it was changed; if it was, lay a new version beside it, once."""
    new, there = _digest(text.encode()), _digest_of(path)
    if there is None or (there in versions and there != new):
        write_text(path, text)
    elif there != new and versions[-1:] != [new]:
        beside = next(p for p in _beside(path, "new") if _digest_of(p) in (None, new, *versions))
        write_text(beside, text)
        print(f"{path.name}: the kit has a new version, {beside.name}; yours stays as it is.")
    versions[:] = [*(version for version in versions if version != new), new]


def _remove_unchanged(path: Path, versions: list[str]) -> None:
    """Remove a file, and new versions beside it, unless somebody changed them."""
    for found in (path, *path.parent.glob(f"{path.stem}.new*{path.suffix}")):
        if _digest_of(found) in versions:
            with suppress(OSError):  # as the folder is not empty, most often
                found.unlink()
                path.parent.rmdir()


def _beside(path: Path, what: str) -> Iterator[Path]:
    numbers = ("" if number == 1 else f"-{number}" for number in count(1))
    return (path.with_name(f"{path.stem}.{what}{number}{path.suffix}") for number in numbers)


def _digest_of(path: Path) -> str | None:
    """None if it is not there; what cannot be read counts as changed."""
    try:
        return _digest(path.read_bytes())
    except OSError:
        return "" if os.path.lexists(path) else None


def _digest(content: bytes) -> str:
    """Of the sources of a notebook's cells that are not empty; of all, if it is something else."""
    with suppress(ValueError, LookupError, TypeError):
        cells = json.loads(content)["cells"]
        sources = [[cell["cell_type"], "".join(cell["source"])] for cell in cells]
        # JupyterLab adds an empty cell when the last one is run
        content = json.dumps([cell for cell in sources if cell[1].strip()]).encode()
    return hashlib.sha256(content).hexdigest()


def _list_of(folder: Path) -> Path:
    return folder.with_name(f"{folder.name}.json")  # beside it: learners need not see it


def _laid(folder: Path) -> dict[str, list[str]]:
    """The digests of the versions that were laid, by name; none are known if the list is spoilt."""
    with suppress(OSError, ValueError, AttributeError):
        found = json.loads(_list_of(folder).read_bytes()).items()
        return {name: versions for name, versions in found if isinstance(versions, list)}
    return {}
