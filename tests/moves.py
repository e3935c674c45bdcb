"""A library of which files move, the disks it may lie on, and what lies where afterwards."""

import errno
import hashlib
import os
import re
import stat
from collections import Counter
from contextlib import contextmanager, nullcontext
from pathlib import Path
from unittest import mock

import pandas as pd

from helpers.quarantine.journal import JOURNAL, LOCK, RESERVE

COLUMNS = ["action", "path", "kept", "bytes", "sha256"]
#: A copy that is to move, and the file that is kept in its place.
SPOILED = "backup 1/photos/2 (1).jpg"
KEPT = "photos/2.jpg"
#: The kinds of file systems that a library and its quarantine may lie on: see `way_of`.
WAYS = ["here", "there", "no links", "no links there"]


def digest(content):
    return hashlib.sha256(content).hexdigest()


def fill(folder, groups=4, copies=3, films=False):
    """A library in which each group has a file that is kept and copies of it that go, one of them in another folder; beside each a film, if asked for."""
    rows = []
    for group in range(groups):
        kept = f"photos/{group}.jpg"
        for number in range(copies + 1):
            path = kept if not number else f"backup {number % 2}/photos/{group} ({number}).jpg"
            content = f"{group} ".encode() * 400 + b"x" * number
            file = folder / path
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(content)
            file.chmod(0o640 if number % 2 else 0o600)
            os.utime(file, ns=(10**18, 10**18 + 123_456_789 * (1 + number) + group))
            action = "move" if number else "keep"
            rows.append((action, path, kept, len(content), digest(content), ""))
            if films:
                film = file.with_suffix(".mov")
                film.write_bytes(f"film {group}".encode())
                ends = (name.replace(".jpg", ".mov") for name in (path, kept))
                about = film.stat().st_size, digest(film.read_bytes())
                rows += [("move", *ends, *about, path)] * (number > 0)
    plan = pd.DataFrame(rows, columns=[*COLUMNS, "partner_of"])
    return plan if films else plan[COLUMNS]


def state(folder):
    """Every file, but for the journal, what belongs to it, and the plans, with its bytes, its time and its permissions."""
    found = {}
    for path in sorted(folder.rglob("*")):
        ours = path.name in (JOURNAL, LOCK, RESERVE) or re.match(r"\.?plan(-\d+)?\.csv", path.name)
        if path.is_file() and not path.is_symlink() and not ours:
            status = path.stat()
            about = (digest(path.read_bytes()), status.st_mtime_ns, stat.S_IMODE(status.st_mode))
            found[path.relative_to(folder).as_posix()] = about
    return found


def plans(place):
    return {path.name: path.read_bytes() for path in place.glob("plan*")}


@contextmanager
def other_file_system(first, second):
    """As if the two folders lay on two disks."""
    link, rename = os.link, os.rename

    def refuse(do):
        def done(source, target, *rest, **more):
            ends = [Path(end).resolve() for end in (source, target)]
            inside = {side for side in (first, second) for end in ends if end.is_relative_to(side)}
            if len(inside) > 1:
                raise OSError(errno.EXDEV, os.strerror(errno.EXDEV), str(source))
            return do(source, target, *rest, **more)

        return done

    with mock.patch.multiple(os, link=refuse(link), rename=refuse(rename)):
        yield


@contextmanager
def without_links():
    """As on FAT: no file has two names."""
    with mock.patch.object(os, "link", side_effect=PermissionError(errno.EPERM, "no links")):
        yield


def way_of(name, folder, place):
    """What kind of file systems the library and the quarantine lie on."""
    if name == "here":
        return nullcontext()
    if name == "no links":
        return without_links()
    if name == "there":
        return other_file_system(folder, place)

    @contextmanager
    def both():
        with without_links(), other_file_system(folder, place):
            yield

    return both()


def left_alone(done):
    return done[done["outcome"] == "left alone"].set_index("path")["reason"].to_dict()


def split(before, plan):
    """What is to stay and what is to go."""
    moves = set(plan.loc[plan["action"] == "move", "path"])
    return (
        {path: about for path, about in before.items() if path not in moves},
        {path: about for path, about in before.items() if path in moves},
    )


def change(plan, of, **values):
    """The plan with other values in the row of one file."""
    plan = plan.copy()
    row = plan["path"] == of
    for name, value in values.items():
        plan.loc[row, name] = value
    return plan


def accounted(folder, place):
    """The files of both folders; one that is in the middle of a move is at both places, or half there under another name."""
    here, there = state(folder), state(place)
    for partial in [path for path in (*here, *there) if path.endswith(".partial")]:
        here.pop(partial, None)
        there.pop(partial, None)
    both = set(here) & set(there)
    assert all(here[path] == there[path] for path in both)
    return Counter({**here, **there})
