"""Whether what stands in ``editions/`` was made from the files as they are now.

A folder that is made in one go (book, lite) is laid there whole, with the digest of its sources.
Tests of it are skipped with a reason if it is not there or was made from others; and without the
variable EDITIONS, which ``make test-editions`` sets, since they take minutes.
"""

import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import course
from helpers.files.atomic import exclusive, new_folder

ROOT = course.HERE.parent
#: In each folder that was made: the digest of its sources.
NAME = "made-from.txt"


def digest(root: Path = ROOT) -> str:
    """Of all files in the chapters' folder and of the helpers, by name and content."""
    found = hashlib.sha256()
    paths = (path for folder in ("notebooks", "src") for path in (root / folder).rglob("*"))
    for path in sorted(paths):
        name = path.relative_to(root)
        # what Python and JupyterLab keep for themselves changes without a reader's doing
        if path.is_file() and not any(part.startswith((".", "__pycache__")) for part in name.parts):
            found.update(
                f"{name.as_posix()}\n{hashlib.sha256(path.read_bytes()).digest()}".encode()
            )
    return found.hexdigest()


@contextmanager
def made_whole(name: str, root: Path = ROOT) -> Iterator[Path]:
    """A folder to make an edition in: it takes its place once the block ends without an error."""
    final, sources = root / "editions" / name, digest(root)
    with exclusive(final), new_folder(final) as folder:
        yield folder
        (folder / NAME).write_text(f"{sources}\n", encoding="utf-8")


def reason_to_skip(name: str, root: Path = ROOT) -> str:
    """Why an edition is not tested, with the remedy; '' if it was made from these files."""
    if not os.environ.get("EDITIONS"):
        return "editions are tested by make test-editions"
    return fault(name, root)


def fault(name: str, root: Path = ROOT) -> str:
    """What is wrong with an edition, with the remedy; '' if it was made from these files."""
    remedy = f"python notebooks/run.py --edition {name}"
    kept = root / "editions" / name / NAME
    if not kept.is_file():
        return f"editions/{name} is not made; {remedy}"
    if kept.read_text(encoding="utf-8").strip() != digest(root):
        return f"editions/{name} was made from other files; {remedy}"
    return ""
