"""Spoilt journals of a quarantine: undo loses nothing, obeys nothing planted, and puts back what is whole."""

import hashlib
import json
import os
import random
import shutil
from pathlib import Path

import pandas as pd
from harness import ODD_JSON, Failure, ask, check_unchanged, contents, odd, spoil

from helpers.quarantine import moving
from helpers.quarantine.journal import JOURNAL, LOCK, RESERVE

SIZES = 150, 10_000
_MOVED = ("b/one.jpg", "b/two.jpg", "b/deep/three.jpg", "ü 4.jpg", "c/=5.jpg", "c/6.jpg")
_HERE = "THE-FOLDER"


def prepare(here: Path) -> None:
    library = here / "library"
    rows = []
    for number, name in enumerate(_MOVED):
        for path in (f"kept/{number}.jpg", name):
            file = library / path
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(f"picture {number} ".encode() * 20)
            digest = hashlib.sha256(file.read_bytes()).hexdigest()
            action = "move" if path == name else "keep"
            rows.append((action, path, f"kept/{number}.jpg", file.stat().st_size, digest))
    plan = pd.DataFrame(rows, columns=["action", "path", "kept", "bytes", "sha256"])
    done = moving.apply(library, plan)
    if set(done["outcome"]) != {"moved"}:
        raise Failure("not all was moved", str(done))
    journal = here / "library-quarantine" / JOURNAL
    journal.write_text(journal.read_text().replace(str(here), _HERE))
    (here / "outside").mkdir()
    for name in ("victim.txt", "three.jpg"):
        (here / "outside" / name).write_text(f"{name}: mine alone")


def case(place: Path, here: Path, rng: random.Random) -> None:
    for folder in ("library", "library-quarantine", "outside"):
        shutil.copytree(here / folder, place / folder)
    library, quarantine = place / "library", place / "library-quarantine"
    journal = quarantine / JOURNAL
    whole = journal.read_bytes().replace(_HERE.encode(), str(place).encode())
    lines = whole.splitlines()
    if rng.random() < 0.2:  # as if a run had been killed while it moved a file
        _unfinish(rng, lines, library, quarantine)
    content = _spoilt(rng, lines, place)
    journal.write_bytes(content)
    planted = rng.random() < 0.2 and _plant(rng, place, quarantine)
    before = contents(place)
    folder = library if rng.random() < 0.7 else None
    done, problem = ask(moving.undo, quarantine, folder)
    after = contents(place)
    outside = {path: digest for path, digest in before.items() if path.startswith("outside")}
    check_unchanged(outside, after)
    ours = {f"{quarantine.name}/{name}" for name in (JOURNAL, LOCK, RESERVE)}
    lost = {digest for path, digest in before.items() if path not in ours} - set(after.values())
    if lost:
        raise Failure("lost: a file", f"{lost}, {problem or ''}")
    if planted or (problem and _other_owner(content, library, folder)):
        return
    if problem:
        raise Failure("refused: the whole undo", str(problem))
    for path in _MOVED:
        is_whole = _lines_of(path, content) == _lines_of(path, whole)
        sure = is_whole and (folder or not _other_owner(content, library, folder))
        if sure and not (library / path).is_file():
            raise Failure("not put back: a file whose lines are whole", path)
        is_named = path in set(done["path"])
        if (quarantine / path).is_file() and not is_named:
            raise Failure("left alone without a word", path)


def _lines_of(path: str, content: bytes) -> list[bytes]:
    """The lines that tell of a file, in any form; undo may only be sure if there are no others."""
    name = json.dumps(path).encode()
    return [line for line in content.split(b"\n") if name in line or path.encode() in line]


def _other_owner(content: bytes, library: Path, folder: Path | None) -> bool:
    """Whether the journal belongs to another folder, so that undo may refuse."""
    for line in content.split(b"\n"):
        try:
            word, owner = json.loads(line)
        except (ValueError, RecursionError, TypeError):
            continue
        if word == "folder" and isinstance(owner, str):
            return owner != str(library) and (folder is None or os.path.isdir(owner.split("\0")[0]))
    return folder is None


def _unfinish(rng: random.Random, lines: list[bytes], library: Path, quarantine: Path) -> None:
    path = rng.choice(_MOVED)
    lines.remove(
        next(line for line in lines if line.startswith(b'["is"') and _lines_of(path, line))
    )
    (library / path).parent.mkdir(parents=True, exist_ok=True)
    how = rng.choice((os.link, shutil.copy2, os.rename))
    how(quarantine / path, library / path)


def _spoilt(rng: random.Random, lines: list[bytes], place: Path) -> bytes:
    content = b"\n".join(lines) + b"\n"
    number = rng.randrange(len(lines))
    how = rng.randrange(7)
    if how < 2:
        return spoil(rng, content, content)
    if how == 2:
        lines[number] = spoil(rng, lines[number], content)
    elif how == 3:
        words = json.loads(lines[number])
        words[rng.randrange(len(words))] = odd(rng)
        lines[number] = json.dumps(words).encode()
    elif how == 4:
        lines[number:number] = [rng.choice(ODD_JSON)]
    elif how == 5:
        lines[number:number] = _planted_lines(rng, place)
    else:
        rng.shuffle(lines)
    return b"\n".join(lines) + rng.choice((b"\n", b"\n", b""))


def _planted_lines(rng: random.Random, place: Path) -> list[bytes]:
    """A move of a file that is none of the quarantine's, told as true ones are."""
    victim = place / "outside" / "victim.txt"
    digest = hashlib.sha256(victim.read_bytes()).hexdigest()
    paths = ["../outside/victim.txt", str(victim), "link/victim.txt", JOURNAL, LOCK, RESERVE]
    paths += ["kept/0.jpg", "b", "", ".", "b/one.jpg/x", *_MOVED]
    path = rng.choice(paths)
    if path.startswith("link"):
        (place / rng.choice(("library", "library-quarantine")) / "link").symlink_to(victim.parent)
    digest = rng.choice((digest, "a/../b", "../" * 9, "f" * 64, ""))
    begin = ["begin", rng.choice(("in", "out", "up")), path, digest, 420, rng.choice((0, 10**30))]
    planted = [begin, ["is", rng.choice(("in", "in", "out", "up")), path]]
    return [json.dumps(words).encode() for words in planted[rng.choice((0, 0, 1)) :]]


def _plant(rng: random.Random, place: Path, quarantine: Path) -> bool:
    """Put a link where the kit has a file or a folder of its own."""
    outside = place / "outside"
    name = rng.choice((JOURNAL, LOCK, RESERVE, "b", "partial"))
    file = quarantine / name
    if name == "b":
        shutil.copytree(file, outside / "b")
        shutil.rmtree(file)
        file.symlink_to(outside / "b")
    elif name == "partial":
        digest = hashlib.sha256(b"picture 0 " * 20).hexdigest()
        (place / "library" / "b").mkdir(exist_ok=True)
        (place / "library" / "b" / f".{digest[:16]}.partial").symlink_to(outside / "victim.txt")
    else:
        target = outside / (name if name == JOURNAL else "victim.txt")
        if name == JOURNAL:
            shutil.copy2(file, target)
        file.unlink(missing_ok=True)
        file.symlink_to(target)
    return True
