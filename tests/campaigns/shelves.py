"""Spoilt shelves: what is read is what was written, or a `Problem`; little memory; no code is run."""

import hashlib
import json
import pickle
import random
import shutil
from pathlib import Path

import numpy as np
from harness import Failure, ask, check_unchanged, contents, odd, spoil
from PIL import Image

from helpers import shelf

SIZES = 100, 10_000


def prepare(here: Path) -> None:
    rng = np.random.default_rng(0)
    for number in range(12):
        file = here / "photos" / f"{number % 3}" / f"ü {number}.png"
        file.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(rng.integers(0, 256, (9, 9, 3), dtype=np.uint8)).resize((40, 30)).save(file)
    shelf.build(here / "db", here / "photos", workers=1)
    read = shelf.read(here / "db")
    (here / "right.json").write_text(json.dumps([dict(read), read.about]))


def case(place: Path, here: Path, rng: random.Random) -> None:
    outside, path = place / "outside", place / "db"
    outside.mkdir()
    for name in ("new.dat", "new.dir", "thesis.txt"):
        (outside / name).write_text("mine")
    for end in (".dat", ".dir"):
        shutil.copy(here / f"db{end}", place)
    how, signed = rng.randrange(8), False
    if how < 3:
        file = place / rng.choice(("db.dat", "db.dir"))
        file.write_bytes(spoil(rng, file.read_bytes(), (place / "db.dat").read_bytes()))
    elif how == 3:
        _spoil_listing(rng, place)
    elif how == 4:
        (place / ".db.ready").symlink_to(outside)
    elif how == 5:
        signed = _sign_anew(rng, place, here)
    else:
        _write(place, {rng.choice(("about", f"{rng.getrandbits(64):016x}")): _bomb(rng)})
    before = contents(outside)
    try:
        _check_shelf(path, here, rng, signed)
    finally:
        after = contents(outside)
    check_unchanged(before, after)


def _check_shelf(path: Path, here: Path, rng: random.Random, signed: bool) -> None:
    right, about = json.loads((here / "right.json").read_text())
    read, _ = ask(shelf.read, path)
    if read:
        if not signed and read.about and (dict(read), read.about) != (right, about):
            raise Failure("silently wrong: another shelf", "")
        for query, radius in ((np.uint64(int(rng.choice(list(right)), 16)), 0), (np.uint64(5), 30)):
            ask(read.find, query, radius)
        ask(read.find, here / "photos/0/ü 0.png", 3)
    if rng.random() < 0.1:
        photos = here / "photos"
        ask(shelf.build, path, photos, workers=1)
        _, problem = ask(shelf.build, path, photos, workers=1, replace=True)
        if not problem and dict(shelf.read(path)) != right:
            raise Failure("silently wrong: built anew, it is another one", "")


def _listing(place: Path) -> list[str]:
    return (place / "db.dir").read_text("latin-1").splitlines()


def _spoil_listing(rng: random.Random, place: Path) -> None:
    """Spoil the plain text that tells where each value lies in the file."""
    lines, how = _listing(place), rng.randrange(4)
    number = rng.randrange(len(lines))
    key, _, rest = lines[number].partition(", ")
    big = rng.choice((10**4, 4 * 10**9, 2**63, -1, 10**30, "1e9", "[1]", "0x7fffffff", "9" * 5000))
    if how == 0:
        lines[number] = f"{key}, ({rng.choice((0, 512, big))}, {big})"
    elif how == 1:
        deep = rng.choice(("(" * 5000, "[" * 100_000, "-" * 100_000, "None", "'a' * 10**9", "..."))
        lines[number] = f"{key}, {deep}" if rng.random() < 0.5 else f"{deep}, {rest}"
    elif how == 2:  # many keys, and one long value for all
        value = pickle.dumps(["x" * 400_000], 2)
        (place / "db.dat").write_bytes(value)
        lines = [f"'{n:016x}', (0, {len(value)})" for n in range(rng.choice((100, 9000)))]
    else:
        lines = lines * rng.choice((2, 1000))
    (place / "db.dir").write_text("\n".join(lines) + "\n", "latin-1")


def _write(place: Path, values: dict[str, bytes]) -> None:
    """Write some values into the shelf, in its own form."""
    content, lines = (place / "db.dat").read_bytes(), _listing(place)
    for key, value in values.items():
        content += b" " * (-len(content) % 512)
        lines = [line for line in lines if not line.startswith(f"'{key}'")]
        lines.append(f"'{key}', ({len(content)}, {len(value)})")
        content += value
    (place / "db.dat").write_bytes(content)
    (place / "db.dir").write_text("\n".join(lines) + "\n", "latin-1")


def _sign_anew(rng: random.Random, place: Path, here: Path) -> bool:
    """A shelf of a stranger: odd values, but the sum over it is right."""
    index, about = json.loads((here / "right.json").read_text())
    part = rng.choice((about, about["reading"], about["versions"], about["files"], index))
    part[rng.choice(list(part))] = odd(rng) if rng.random() < 0.7 else [odd(rng), odd(rng)]
    digest = hashlib.sha256(json.dumps([index, about], sort_keys=True).encode()).hexdigest()
    values = {"about": json.dumps({**about, "digest": digest}, sort_keys=True), **index}
    _write(place, {key: pickle.dumps(value) for key, value in values.items()})
    return True


def _bomb(rng: random.Random) -> bytes:
    """A pickle that wants much: memory, depth, or a name."""
    lists = b"(lp0\n" + b"".join(b"(g%d\ng%d\nlp%d\n" % (n, n, n + 1) for n in range(60)) + b"."
    return rng.choice(
        (
            b"\x80\x04\x8e" + (2**40).to_bytes(8, "little") + b"x.",
            b"\x80\x04\x8d" + (2**62).to_bytes(8, "little") + b"x.",
            b"\x80\x05\x96" + (2**40).to_bytes(8, "little") + b"x.",
            b"\x80\x02\x8b" + (2**31 - 1).to_bytes(4, "little") + b"x.",
            b"\x80\x02]" + b"]" * 200_000 + b"a" * 200_000 + b".",
            b"\x80\x02" + b"2" * 100_000 + b".",
            b"\x80\x02r" + (2**31 - 1).to_bytes(4, "little") + b".",
            b"\x80\x02]r" + (2**31 - 1).to_bytes(4, "little") + b".",
            b"I" + b"9" * 100_000 + b"\n.",
            b"cos\nsystem\n(S'true'\ntR.",
            b"\x80\x02cposix\nsystem\nq\0.",
            pickle.dumps(["x" * 10**6] * 3),
            pickle.dumps("[" * 100_000),
            pickle.dumps(json.dumps({"digest": odd(rng), "files": {"a": 10**400}})),
            pickle.dumps(odd(rng)),
            pickle.dumps([["x"] * 3] * 1000),
            lists,
        )
    )
