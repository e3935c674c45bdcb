"""Odd command lines, read from the parser, so that each later command is tried by itself.

Each ends with a sentence, and no file has changed that its command was not to change. Some are
stopped by control-C within their first half second: they end with 130 and leave nothing
half-finished. Some find files and folders that they may not read or write.
"""

import argparse
import os
import random
import shutil
import signal
import sys
from collections.abc import Iterator
from functools import partial
from importlib import import_module
from pathlib import Path

import kills
from harness import Failure, check_words, contents, in_child

from helpers.__main__ import COMMANDS, main

SIZES = 30, 1_000
LIMIT = 30  # seconds: of which a child takes 10 at most
_INTERRUPTED = 0.2  # the share of the cases
_FORBIDDEN = 0.2  # the share of the cases in which something may not be read or written
_FIRST = 0.5  # seconds in which control-C comes
# The values of the options: the first three of each are those that most people would give.
_FOLDERS = ("photos", "./photos", "photos/", "photos/../photos", "hay", "loop", "q", "link", "deep")
_ODD = (
    *("report", "x.bank", "db", "db.dat", "db.dir", "truth.csv", "more.csv", "grid.png", "loop"),
    *("nowhere.jpg", "dead", "pipe", "pipe.jpg", "fresh", "fresh.csv", "fresh.png", "no/such/x"),
    *("PHOTOS/0/0.JPG", "=1+1", "-", "--", "~", "a" * 300, "x/" * 1500, "\x1b[31mred", "\x01", "é"),
    *("\udcff\udcfe.jpg", "é", "thesis.txt/x", "photos/0/0.jpg/", "hay/gather.json", " ", "\n"),
)
_READ = ("photos/0/0.jpg", "photos/1/1.jpg", "to-photo.jpg", "hard.jpg", "thesis.txt", *_ODD)
_WRITTEN = ("fresh.csv", "thesis.txt", "photos/0/0.jpg", "hard.jpg", "to-photo.jpg", "report.dat")
_WRITTEN += _ODD
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
_COLOURS = ("white", "#fff", "red", "no colour", "rgb(300,0,0)", "", "\x1b[0m", "hsl(0,0%,0%)")
_TEXTS = ("why", "because", "x", "", " ", "x" * 20_000, "=1+1", "\x1b[31m", "\udcff", "a\nb")
#: The values of an option by what it is called in the code, or by its word in the help.
VALUES = {
    **{"shelve": ("db", "db", "fresh", "report", *_ODD), "hash": ("dhash", "phash", "ahash", "no")},
    **{"bank": ("x.bank", "x.bank", "fresh", "thesis.txt", *_ODD), "csv": ("more.csv", *_WRITTEN)},
    **{"output": ("fresh", "hay", "new", *_WRITTEN), "keep": _FOLDERS, "query": _READ},
    **{"quarantine": ("q", "new", "hay", *_WRITTEN), "save_grid": ("fresh.png", *_WRITTEN)},
    **{"workers": ("1", "1", "2", "0", "-1", "nan", "1.5", "", "x")},
    **{"LOW": ("0.9", "0.8", "0.7", *_NUMBERS), "HIGH": ("1.1", "1.2", "1.3", *_NUMBERS)},
    **{"DIR": _FOLDERS, "FOLDER": _FOLDERS, "FILE": _WRITTEN, "PICTURE": _READ, "IMAGE": _READ},
    **{"out": ("fresh", "new", "run", *_WRITTEN), "changes": ("few.toml", "few.toml", *_READ)},
    **{"hashes": ("dhash", "dhash,phash", "ahash", "no", ",", "")},
    **{"TEXT": _TEXTS, "COLOUR": _COLOURS},
}
#: What a command is given before all else, so that it takes a moment; a later word goes before it.
_ALWAYS = {("experiment", "run"): ("--changes", "few.toml", "--hashes", "dhash")}
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


def _all_commands() -> dict[tuple, list[argparse.Action]]:
    """The words of each command, and its options and arguments."""
    parser = argparse.ArgumentParser()
    commands = parser.add_subparsers()
    for name in COMMANDS:
        import_module(f"helpers.commands.{name}").add(commands)
    return dict(_below(parser, ()))


def _below(parser: argparse.ArgumentParser, words: tuple) -> Iterator[tuple]:
    # private, because argparse tells nobody what it was told
    groups = [one for one in parser._actions if isinstance(one, argparse._SubParsersAction)]
    for group in groups:
        for name, inner in group.choices.items():
            yield from _below(inner, (*words, name))
    if not groups:
        yield words, [one for one in parser._actions if one.dest != "help"]


_COMMANDS = _all_commands()


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
    is_interrupted = rng.random() < _INTERRUPTED
    shut = [] if is_interrupted else _shut(rng, place)
    try:
        if is_interrupted:
            _check_interrupted(words, place, rng.uniform(0, _FIRST))
        else:
            check_words(*in_child(partial(main, words), place))
    except Failure as failure:
        raise Failure(failure.args[0], f"{told}: {failure.args[1]}") from None
    finally:
        for path, mode in reversed(shut):
            path.chmod(mode)
    after = contents(place)
    own = _OWN.get(words[1] if words[0] == "gate" else words[0], ())
    if words[0] == "clean" and ("--apply" in words or "--undo" in words):
        if lost := set(before.values()) - set(after.values()):
            raise Failure("lost: a file", f"{told}: {lost}")
        own = ("photos/", "hay/", "hard.jpg")
    for path, digest in before.items():
        if after.get(path) != digest and not path.startswith(own):
            raise Failure(f"lost: {words[0]} changed a file that is not its own", f"{told}: {path}")


def _shut(rng: random.Random, place: Path) -> list[tuple[Path, int]]:
    """Take permissions from some files and folders: those, and what they had."""
    if rng.random() > _FORBIDDEN:
        return []
    paths = [path for path in sorted(place.rglob("*")) if not path.is_symlink()]
    shut = [(path, path.stat().st_mode) for path in rng.sample(paths, 3)]
    for path, _ in sorted(shut, reverse=True):  # what lies inside comes first
        path.chmod(rng.choice((0, 0o200, 0o400, 0o500)))
    return sorted(shut, reverse=True)


def _check_interrupted(words: list[str], place: Path, seconds: float) -> None:
    """As a terminal does it: to all processes of the command. It may have ended before."""
    code, output, complaints = in_child(partial(_command, words), place, interrupt=seconds)
    if _is_pythons_own(complaints) or (code == -signal.SIGINT and b"Trace" not in complaints):
        return
    check_words(code, output, complaints, allowed=(0, 1, 2, 130))
    if code == 130 and not complaints.startswith(b"Stopped"):
        raise Failure("no sentence beside exit code 130", str(complaints[-300:]))
    if code == 130 and b"nothing half-finished" in complaints and (left := kills.leftovers(place)):
        raise Failure("half-finished: something is left", str(left))


def _is_pythons_own(complaints: bytes) -> bool:
    """Whether Python was still starting: then not a line of the kit has run, nor of a package."""
    others = b"/helpers/", b"site-packages", b"threading.py", b"multiprocessing"
    return b"KeyboardInterrupt" in complaints and not any(name in complaints for name in others)


def _command(words: list[str]) -> None:
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    words = [word.encode("utf-8", "surrogateescape") for word in words]
    os.execv(sys.executable, [sys.executable.encode(), b"-m", b"helpers", *words])


def _words(rng: random.Random) -> list[str]:
    command, tame = rng.choice(list(_COMMANDS)), rng.random() < 0.6
    words = [*command, *_ALWAYS.get(command, ())]
    for action in _COMMANDS[command]:
        if rng.random() > (0.98 if action.required else 0.25):
            continue
        values = _values(action)
        words += [rng.choice(action.option_strings)] if action.option_strings else []
        words += [rng.choice(some[: 3 if tame else None]) for some in values]
        is_file = values and values[0][-1] == _ODD[-1] and not os.access("/dev", os.W_OK)
        if is_file and rng.random() < 0.05:
            words[-1] = rng.choice(_DEVICES)
        if not tame and rng.random() < 0.05:
            words += [rng.choice(("-x", "--help", "", "--no-such", words[-1]))]
    return words


def _values(action: argparse.Action) -> list[tuple]:
    """What may be given for each word that an option takes."""
    if action.nargs == 0:
        return []
    named = action.metavar if isinstance(action.metavar, tuple) else [action.metavar]
    if action.choices or "|" in str(named[0]):
        return [(*(action.choices or named[0].split("|")), "gif", "")]
    usual = _NUMBERS if action.type in (int, float) else (*_READ, *_FOLDERS)
    return [VALUES.get(action.dest) or VALUES.get(word, usual) for word in named]
