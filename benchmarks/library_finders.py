"""Other programs that find copies, and how the answer of each one is read.

None of them is part of the kit. Each runs in a process of its own, with the settings that its
documentation begins with, and none is asked to delete anything. All but one only group files; which
file of a group stays is read as follows.

difPy            its ``lower_quality`` goes; the largest file of a group stays
imagededup       its ``find_duplicates_to_remove`` (PHash) goes; a neighbour that is not on it stays
undouble         of a group, the best one by its ``sort_images`` stays
czkawka          (its core as a Python package) of a group, the file of most bytes stays
findimagedupes, fdupes, jdupes   of a group, the file that is named first stays
rdfind, rmlint   the file that they call the first occurrence, or the original, stays

    python -m venv PLACE; PLACE/bin/pip install difPy imagededup undouble czkawka
    apt-get install findimagedupes fdupes jdupes rdfind rmlint

and then ``library_peers.py peers LIB --python PLACE/bin/python``. Not here: dupeGuru and czkawka's
own program, since neither PyPI nor Debian brings a command line of theirs. difPy compares each
picture with all others, so its time grows with their square; `--limit` ends it.
"""

import json
import re
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import psutil

# Programs for the interpreters that have the packages: they print a list of groups, each with the
# file that stays first.
_DIFPY = """
import difPy, json, sys
build = difPy.build(sys.argv[1], show_progress=False)
found = difPy.search(build, similarity="similar", same_dim=False, show_progress=False)
lower, groups = set(found.lower_quality), []
for path, matches in found.result.items():
    group = [path, *(match[0] for match in matches)]
    groups.append(sorted(group, key=lambda path: (path in lower, path)))
print(json.dumps(groups))
"""
_IMAGEDEDUP = """
import json, sys
from imagededup.methods import PHash
hasher = PHash(verbose=False)
found = hasher.find_duplicates(image_dir=sys.argv[1], recursive=True)
gone = set(hasher.find_duplicates_to_remove(encoding_map=None, image_dir=sys.argv[1], recursive=True))
groups = []
for path in gone:
    stays = sorted(set(found[path]) - gone) or sorted(found[path])
    groups.append([stays[0], path])
print(json.dumps(groups))
"""
_UNDOUBLE = """
import json, sys
from undouble import Undouble
from undouble.undouble import sort_images
import numpy as np
model = Undouble(method="phash", hash_size=8, verbose="error")
model.import_data(sys.argv[1])
model.compute_hash()
model.group(threshold=0)
found = model.results["select_pathnames"]
print(json.dumps([list(map(str, sort_images(np.array(group))["pathnames"])) for group in found]))
"""
_CZKAWKA = """
import json, os, sys
from czkawka import ImageSimilarity
finder = ImageSimilarity()
finder.set_directories([sys.argv[1]])
finder.set_similarity(15)
found = [sorted(map(str, group), key=lambda p: -os.path.getsize(p)) for group in finder.find_similar()]
print(json.dumps(found))
"""


class Ran(NamedTuple):
    """What a program came to."""

    output: str
    seconds: float
    cpu: float  # seconds of processors
    megabytes: float  # at the peak, of all its processes
    code: int


def watched(
    words: list[str], place: Path, environment: dict | None = None, limit: float | None = None
) -> Ran:
    """Run a program, and look ten times a second how much memory it has with its children.

    After `limit` seconds it is ended; then it has said nothing.
    """
    most, ended = 0.0, threading.Event()
    begin = time.perf_counter()
    with tempfile.TemporaryFile("w+") as file, tempfile.TemporaryFile("w+") as errors:
        child = psutil.Popen(words, cwd=place, env=environment, stdout=file, stderr=errors)

        def look() -> None:
            nonlocal most
            while not ended.wait(0.1):
                most = max(most, _memory(child))

        watcher = threading.Thread(target=look)
        watcher.start()
        used = _times_at_the_end(child, limit)
        seconds, _ = time.perf_counter() - begin, ended.set()
        watcher.join()
        file.seek(0)
        errors.seek(0)
        output = file.read() or errors.read()[-2000:]
        return Ran(output, seconds, used, most / 1e6, child.returncode)


def _memory(child: psutil.Process) -> float:
    total = 0.0
    try:
        for process in (child, *child.children(recursive=True)):
            total += getattr(process.memory_full_info(), "pss", process.memory_info().rss)
    except (psutil.NoSuchProcess, psutil.AccessDenied, psutil.ZombieProcess):
        pass
    return total


def _times_at_the_end(child: psutil.Popen, limit: float | None) -> float:
    """Wait for a program; the seconds that processors took for it and its children."""
    import resource

    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    try:
        child.wait(limit)
    except (psutil.TimeoutExpired, subprocess.TimeoutExpired):
        for process in (*child.children(recursive=True), child):
            process.kill()
        child.wait()
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


# What they print


def _from_json(output: str, folder: Path) -> list[list[str]]:
    return json.loads(output.strip().splitlines()[-1])


def _from_blocks(output: str, folder: Path) -> list[list[str]]:
    return [block.splitlines() for block in output.strip().split("\n\n") if block]


def _from_lines(output: str, folder: Path) -> list[list[str]]:
    """A group a line, with the paths set apart by the blanks that may stand in them, too."""
    return [re.split(f" (?={re.escape(str(folder))}/)", line) for line in output.splitlines()]


def _from_rdfind(output: str, folder: Path) -> list[list[str]]:
    groups: list[list[str]] = []
    for line in output.splitlines():
        kind, *_, path = line.split(" ", 7) if line.startswith("DUPTYPE") else ("", "")
        if kind == "DUPTYPE_FIRST_OCCURRENCE":
            groups.append([path])
        elif kind:
            groups[-1].append(path)
    return groups


def _from_rmlint(output: str, folder: Path) -> list[list[str]]:
    groups: list[list[str]] = []
    for row in json.loads(output):
        if row.get("type") == "duplicate_file":
            if row["is_original"]:
                groups.append([])
            groups[-1].append(row["path"])
    return groups


class Finder(NamedTuple):
    """A program that finds copies."""

    name: str
    package: str  # for Python's; else empty
    words: tuple[str, ...]  # FOLDER stands for the library
    read: Callable[[str, Path], list[list[str]]]


FINDERS = (
    Finder("difPy", "difPy", ("-c", _DIFPY, "FOLDER"), _from_json),
    Finder("imagededup", "imagededup", ("-c", _IMAGEDEDUP, "FOLDER"), _from_json),
    Finder("undouble", "undouble", ("-c", _UNDOUBLE, "FOLDER"), _from_json),
    Finder("czkawka", "czkawka", ("-c", _CZKAWKA, "FOLDER"), _from_json),
    Finder("findimagedupes", "", ("findimagedupes", "-q", "-R", "FOLDER"), _from_lines),
    Finder("fdupes", "", ("fdupes", "-q", "-r", "FOLDER"), _from_blocks),
    Finder("jdupes", "", ("jdupes", "-q", "-r", "FOLDER"), _from_blocks),
    Finder("rdfind", "", ("rdfind", "-outputname", "/dev/stdout", "FOLDER"), _from_rdfind),
    Finder("rmlint", "", ("rmlint", "-T", "df", "-o", "json:stdout", "FOLDER"), _from_rmlint),
)


def command_of(finder: Finder, folder: Path, pythons: list[str]) -> list[str]:
    """How a finder is started here; empty where it is not to be had."""
    words = [str(folder) if word == "FOLDER" else word for word in finder.words]
    if not finder.package:
        return words if shutil.which(words[0]) else []
    for python in (*pythons, sys.executable):
        asked = f"import importlib.util as u; raise SystemExit(not u.find_spec({finder.package!r}))"
        if subprocess.run([python, "-c", asked]).returncode == 0:
            return [python, *words]
    return []


def moves_of(finder: Finder, output: str, folder: Path) -> dict[str, str]:
    """What a finder would move, and for which file; each file once, as it says first."""
    moved: dict[str, str] = {}
    for stays, *others in finder.read(output, folder):
        kept = Path(folder, stays).relative_to(folder).as_posix()
        for path in others:
            gone = Path(folder, path).relative_to(folder).as_posix()
            if gone != kept:
                moved.setdefault(gone, kept)
    return moved
