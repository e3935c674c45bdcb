"""What book, site and zips share: folders that are whole and know their sources, and `run`.

A folder that is made in one go (book, lite) is laid there whole, with the digest of its sources.
So it can be told whether it was made from the files as they are now.
"""

import hashlib
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import course
from helpers import Problem
from helpers.files.atomic import exclusive, new_folder
from helpers.files.places import one_line, sha256_of

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
            found.update(f"{name.as_posix()} {sha256_of(path)}\n".encode())
    return found.hexdigest()


@contextmanager
def made_whole(name: str, root: Path = ROOT) -> Iterator[Path]:
    """A folder to make an edition in: it takes its place once the block ends without an error."""
    final, sources = root / "editions" / name, digest(root)
    with exclusive(final), new_folder(final) as folder:
        yield folder
        (folder / NAME).write_text(f"{sources}\n", encoding="utf-8")


def fault(name: str, root: Path = ROOT) -> str:
    """What is wrong with an edition, with the remedy; '' if it was made from these files."""
    remedy = f"python notebooks/run.py --edition {name}"
    kept = root / "editions" / name / NAME
    if not kept.is_file():
        return f"editions/{name} is not made; {remedy}"
    if kept.read_text(encoding="utf-8").strip() != digest(root):
        return f"editions/{name} was made from other files; {remedy}"
    return ""


def run(*words: str | Path, cwd: str | Path) -> bytes:
    """What git, or a module of Python, prints in a folder; a `Problem` with its reason if it fails."""
    command = words if words[0] == "git" else [sys.executable, "-m", *words]
    try:
        return subprocess.run(command, cwd=cwd, capture_output=True, check=True).stdout
    except (OSError, subprocess.CalledProcessError) as error:
        told = getattr(error, "stderr", b"").decode(errors="replace") or str(error)
        told = " ".join(told[max(0, told.lower().rfind("error:")) :].split())
        remedy = "run this in a clone made by git, with a network, and with room on the disk"
        raise Problem(one_line(f"{words[0]} {words[1]}: {told}; {remedy}")) from error
