"""Odd command lines: a sentence for each, and no file changed that the command was not to change."""

import os
import random
import shutil
from functools import partial
from pathlib import Path

import kills
from harness import Failure, check_words, contents, in_child

from helpers.__main__ import main

SIZES = 30, 1_000
# The values of the options: the first three of each are those that most people would give.
_FOLDERS = ("photos", "./photos", "photos/", "photos/../photos", "hay", "loop", "q", "link", "deep")
_ODD = (
    *("report", "x.bank", "db", "db.dat", "db.dir", "truth.csv", "more.csv", "grid.png", "loop"),
    *("nowhere.jpg", "dead", "pipe", "pipe.jpg", "fresh", "fresh.csv", "fresh.png", "no/such/x"),
    *("PHOTOS/0/0.JPG", "=1+1", "-", "--", "~", "a" * 300, "x/" * 1500, "\x1b[31mred", "\x01", "é"),
    *("\udcff\udcfe.jpg", "é", "thesis.txt/x", "photos/0/0.jpg/", "hay/gather.json", " ", "\n"),
)
_READ = ("photos/0/0.jpg", "photos/1/1.jpg", "to-photo.jpg", "hard.jpg", "thesis.txt", *_ODD)
_WRITTEN = (
    "fresh.csv",
    "thesis.txt",
    "photos/0/0.jpg",
    "hard.jpg",
    "to-photo.jpg",
    "report.dat",
    *_ODD,
)
_SHELVES = ("db", "fresh", "report", *_ODD)
_BANKS = ("x.bank", "x.bank", "fresh", "thesis.txt", *_ODD)
#: Only where the folder of the devices is read-only.
_DEVICES = ("/dev/null", "/dev/zero", "/dev/full", "/dev/stdin", "/dev/tty", "/proc/self/mem")
_NUMBERS = (
    "1",
    "2",
    "3",
    "0",
    "-1",
    "64",
    "65",
    "1e3",
    "nan",
    "inf",
    "9" * 30,
    "٣",
    "1.5",
    "",
    "x",
)
_FACTORS = ("0.9", "0.8", "0.7", *_NUMBERS), ("1.1", "1.2", "1.3", *_NUMBERS)
_COLOURS = ("white", "#fff", "red", "no colour", "rgb(300,0,0)", "", "\x1b[0m", "hsl(0,0%,0%)")
_TEXTS = ("why", "because", "x", "", " ", "x" * 20_000, "=1+1", "\x1b[31m", "\udcff", "a\nb")
_READING = {"--fast": (), "--no-rotate": (), "--background": (_COLOURS,)}
#: The options of each command with the values that they take; those with a star are needed.
COMMANDS = {
    ("gather",): {
        **{"*-i": (_FOLDERS,), "*-o": (("fresh", "hay", "new", *_WRITTEN),), "*-c": (_WRITTEN,)},
        **{"--needles": (_NUMBERS,), "--seed": (_NUMBERS,), "--factors": _FACTORS},
        **{"--format": (("png", "jpeg", "png", "gif"),), "--quality": (_NUMBERS,)},
        **{"--replace": (), "--article": ()},
    },
    ("index",): {"*-d": (_FOLDERS,), "*-s": (_SHELVES,), "--replace": (), **_READING},
    ("search",): {
        **{"*-d": (_FOLDERS,), "*-s": (("db", *_SHELVES),), "*-q": (_READ,), "-r": (_NUMBERS,)},
        **{"--save-grid": (("fresh.png", "photos/0/0.jpg", *_WRITTEN),), **_READING},
    },
    ("clean",): {
        **{
            "*": (_FOLDERS,),
            "--radius": (_NUMBERS,),
            "--plan": (_WRITTEN,),
            "--sheet": (_WRITTEN,),
        },
        **{"--quarantine": (("q", "new", "hay", *_WRITTEN),), "--keep": (_FOLDERS,), "--all": ()},
        **{"--apply": (), "--undo": ()},
    },
    ("gate", "ask"): {"*-b": (_BANKS,), "*": (_READ,), "--block": (_NUMBERS,)},
    ("gate", "flag"): {
        **{"*-b": (_BANKS,), "*": (_READ,), "*--reason": (_TEXTS,), "--source": (_TEXTS,)},
        **{"--new": (), "--anyway": (), **_READING},
    },
    ("gate", "unflag"): {"*-b": (_BANKS,), "*": (_NUMBERS,), "*--reason": (_TEXTS,)},
    ("gate", "list"): {"*-b": (_BANKS,), "--withdrawn": ()},
    ("gate", "export"): {"*-b": (_BANKS,), "*--csv": (_WRITTEN,)},
    ("gate", "import"): {
        **{"*-b": (_BANKS,), "*--csv": (("more.csv", *_READ),), "--new": (), "--anyway": ()},
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
        check_words(*in_child(partial(main, words), place))
    except Failure as failure:
        raise Failure(failure.args[0], f"{told}: {failure.args[1]}") from None
    after = contents(place)
    own = _OWN.get(words[1] if words[0] == "gate" else words[0], ())
    if words[0] == "clean" and ("--apply" in words or "--undo" in words):
        if lost := set(before.values()) - set(after.values()):
            raise Failure("lost: a file", f"{told}: {lost}")
        own = ("photos/", "hay/", "hard.jpg")
    for path, digest in before.items():
        if after.get(path) != digest and not path.startswith(own):
            raise Failure(f"lost: {words[0]} changed a file that is not its own", f"{told}: {path}")


def _words(rng: random.Random) -> list[str]:
    command, tame = rng.choice(list(COMMANDS)), rng.random() < 0.6
    words = list(command)
    for option, values in COMMANDS[command].items():
        if rng.random() > (0.98 if option[0] == "*" else 0.25):
            continue
        name = option.removeprefix("*")
        words += [name] * bool(name) + [rng.choice(some[: 3 if tame else None]) for some in values]
        is_file = values and values[0][-1] == _ODD[-1] and not os.access("/dev", os.W_OK)
        if is_file and rng.random() < 0.05:
            words[-1] = rng.choice(_DEVICES)
        if not tame and rng.random() < 0.05:
            words += [rng.choice(("-x", "--help", "", "--no-such", words[-1]))]
    return words
