"""Odd command lines: a sentence for each, and no file changed that the command was not to change."""

import os
import random
import shutil
import subprocess
import sys
from functools import partial
from pathlib import Path

import kills
from harness import LIMIT, Failure, check_unchanged, check_words, contents, in_child

from helpers.__main__ import main

SIZES = 40, 1_000
#: What stands for a folder, a file that is read or one that is written: right and odd ones alike.
_FOLDERS = ("photos", "photos/", "./photos", "photos/../photos", "hay", "loop", "q", "link", "deep")
_FILES = (
    *("photos/0/0.jpg", "photos/1/1.jpg", "to-photo.jpg", "hard.jpg", "thesis.txt", "report.dat"),
    *("report", "x.bank", "db", "db.dat", "db.dir", "truth.csv", "more.csv", "grid.png", "loop"),
    *("nowhere.jpg", "dead", "pipe", "pipe.jpg", "fresh", "fresh.csv", "fresh.png", "no/such/x"),
    *("PHOTOS/0/0.JPG", "=1+1", "-", "--", "~", "a" * 300, "x/" * 1500, "\x1b[31mred", "\x01", "é"),
    *("\udcff\udcfe.jpg", "é", "thesis.txt/x", "photos/0/0.jpg/", "hay/gather.json", " ", "\n"),
)
#: Only where the system around is read-only: `_is_safe`.
_DEVICES = ("/dev/null", "/dev/zero", "/dev/full", "/dev/stdin", "/dev/tty", "/proc/self/mem", "/")
_NUMBERS = ("0", "1", "2", "-1", "64", "65", "1e3", "nan", "inf", "9" * 30, "٣", "1.5", "", "x")
_COLOURS = ("white", "#fff", "no colour", "rgb(300,0,0)", "", "\x1b[0m", "hsl(0,0%,0%)")
_TEXTS = ("why", "", " ", "x" * 20_000, "=1+1", "\x1b[31m", "\udcff", "a\nb")
_READING = {"--fast": (), "--no-rotate": (), "--background": _COLOURS}
#: The options of each command with the values that they may take; those with a star are needed.
COMMANDS = {
    ("gather",): {
        **{"*-i": _FOLDERS, "*-o": ("fresh", *_FOLDERS, *_FILES), "*-c": _FILES},
        **{"--needles": _NUMBERS, "--seed": _NUMBERS, "--factors": (_NUMBERS, _NUMBERS)},
        **{"--format": ("png", "jpeg", "gif"), "--quality": _NUMBERS, "--replace": ()},
        "--article": (),
    },
    ("index",): {"*-d": _FOLDERS, "*-s": _FILES, "--replace": (), **_READING},
    ("search",): {
        **{"*-d": _FOLDERS, "*-s": ("db", *_FILES), "*-q": _FILES, "-r": _NUMBERS},
        **{"--save-grid": _FILES, **_READING},
    },
    ("clean",): {
        **{"*": _FOLDERS, "--radius": _NUMBERS, "--plan": _FILES, "--sheet": _FILES},
        **{"--quarantine": (*_FOLDERS, *_FILES), "--keep": _FOLDERS, "--all": (), "--apply": ()},
        "--undo": (),
    },
    ("gate", "ask"): {"*-b": ("x.bank", *_FILES), "*": _FILES, "--block": _NUMBERS},
    ("gate", "flag"): {
        **{"*-b": ("x.bank", *_FILES), "*": _FILES, "*--reason": _TEXTS, "--source": _TEXTS},
        **{"--new": (), "--anyway": (), **_READING},
    },
    ("gate", "unflag"): {"*-b": ("x.bank", *_FILES), "*": _NUMBERS, "*--reason": _TEXTS},
    ("gate", "list"): {"*-b": ("x.bank", *_FILES), "--withdrawn": ()},
    ("gate", "export"): {"*-b": ("x.bank", "x.bank", *_FILES), "*--csv": _FILES},
    ("gate", "import"): {
        **{"*-b": ("x.bank", *_FILES), "*--csv": ("more.csv", *_FILES), "--new": ()},
        "--anyway": (),
    },
}
#: What a command may change: the files that an earlier run of it has written.
_OWN = {
    "gather": ("truth.csv", "hay/"),
    "index": ("db.dat", "db.dir"),
    "search": ("grid.png",),
    "flag": ("x.bank",),
    "unflag": ("x.bank",),
    "import": ("x.bank",),
    "export": ("more.csv",),
}


def prepare(here: Path) -> None:
    kills.lay_out(here / "start")
    ran = in_child(partial(main, kills.SCENARIOS["grid"][1]), here / "start")
    if ran[0]:
        raise Failure("a whole command failed: search", str(ran))
    (here / "start" / "g.png").rename(here / "start" / "grid.png")
    for name in ("thesis.txt", "report.dat"):
        (here / "start" / name).write_text("mine")


def case(place: Path, here: Path, rng: random.Random) -> None:
    place = place / "around" / "w"
    shutil.copytree(here / "start", place)
    (place / "loop").symlink_to("loop")
    (place / "dead").symlink_to("gone")
    (place / "to-photo.jpg").symlink_to("photos/0/0.jpg")
    (place / "link").symlink_to("photos")
    (place / "hard.jpg").hardlink_to(place / "photos" / "0" / "2.jpg")
    (place / "deep" / "er").mkdir(parents=True)
    for name in ("pipe", "pipe.jpg", "deep/pipe.jpg"):
        os.mkfifo(place / name)
    before = contents(place)
    words = _words(rng)
    told = " ".join(words)[:500].encode("utf-8", "backslashreplace").decode()
    try:
        if rng.random() < 0.1:
            ran = _started(words, place)
        else:
            ran = in_child(partial(main, words), place)
        check_words(*ran)
    except Failure as failure:
        raise Failure(failure.args[0], f"{told}: {failure.args[1]}") from None
    after = contents(place)
    own = _OWN.get(words[1] if words[0] == "gate" else words[0], ())
    if words[0] == "clean" and ("--apply" in words or "--undo" in words):
        if lost := set(before.values()) - set(after.values()):
            raise Failure("lost: a file", f"{told}: {lost}")
        own = ("photos/", "hay/", "hard.jpg")
    kept = {path: digest for path, digest in before.items() if not path.startswith(own)}
    for path, digest in kept.items():
        if after.get(path) != digest:
            raise Failure(f"lost: {words[0]} changed a file that is not its own", f"{told}: {path}")
    check_unchanged(kept, after)


def _words(rng: random.Random) -> list[str]:
    command = rng.choice(list(COMMANDS))
    words = list(command)
    for option, values in COMMANDS[command].items():
        if rng.random() > (0.97 if option[0] == "*" else 0.25):
            continue
        name = option.removeprefix("*")
        if values in (_FOLDERS, _FILES) and _is_safe() and rng.random() < 0.1:
            values = _DEVICES[: None if values is _FILES else -1]
        several = values if values and isinstance(values[0], tuple) else [values] * bool(values)
        # the first few are what most people type
        given = [rng.choice(some[: rng.choice((2, 8, None))]) for some in several]
        words += [name, *given] if name else given
        if rng.random() < 0.05:
            words += [rng.choice((name or "-x", "--help", "", "--no-such", *given))]
    return words


def _is_safe() -> bool:
    """Whether no command can write into the folder of the devices."""
    return not os.access("/dev", os.W_OK)


def _started(words: list[str], place: Path) -> tuple:
    """The same as people start it."""
    try:
        done = subprocess.run(
            [sys.executable, "-m", "helpers", *words],
            cwd=place,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=3 * LIMIT,  # which includes all imports
        )
    except subprocess.TimeoutExpired:
        raise Failure("hang: a command", "") from None
    return done.returncode, done.stdout, done.stderr
