"""Commands that are killed: nothing is lost, and the next run completes the work.

Most deaths come just before a certain file operation, so that they can be repeated. Within
SQLite, which tells nobody of its own, they come after a certain time.
"""

import json
import os
import random
import re
import shutil
import signal
import sqlite3
import sys
from collections import Counter
from collections.abc import Callable
from functools import partial
from itertools import count
from pathlib import Path
from types import SimpleNamespace

import numpy as np
from harness import Failure, check_unchanged, check_words, contents, in_child
from PIL import Image, ImageOps

# all that a command needs, so that a child has it when it starts
from helpers import shelf
from helpers.__main__ import main
from helpers.classroom import plots
from helpers.experiments import runs
from helpers.gate.bank import Bank
from helpers.library import inventory, kin, proposal, remembered, sheet
from helpers.quarantine import moving
from helpers.quarantine.journal import JOURNAL
from helpers.truth import near_duplicates

SIZES = 16, 300  # of the large round, twenty for each of `STAGES`
LIMIT = 60  # seconds: a case runs three commands
LOADED = inventory, kin, moving, near_duplicates, plots, proposal, runs, sheet
_HERE = "THE-FOLDER"
_PHOTOS = [f"photos/{number % 2}/{number}.jpg" for number in range(6)]
_FLAG = ["gate", "flag", "--reason", "why", "--anyway", *_PHOTOS[:3]]
_CLEAN = ["clean", "photos", "--workers", "1", "--quarantine", "q"]
_FEW = ["--hashes", "dhash,phash", "--changes", "few.toml", "--queries", "3", "--workers", "1"]
#: Each with the folder that it starts from and the words of its command.
SCENARIOS = {
    "gather": ("start", ["gather", "-i", "photos", "-o", "new", "-c", "new.csv", "--needles", "3"]),
    "gather again": (
        "start",
        ["gather", "-i", "photos", "-o", "hay", "-c", "truth.csv", "--replace", "--seed", "5"],
    ),
    "index": ("start", ["index", "-d", "photos", "-s", "new"]),
    "index again": ("start", ["index", "-d", "photos", "-s", "db", "--replace", "--fast"]),
    "plan": ("start", [*_CLEAN, "--plan", "plan.csv", "--sheet", "sheet.html"]),
    "apply": ("start", [*_CLEAN, "--apply"]),
    "apply to another disk": ("start", [*_CLEAN[:-1], "DISK", "--apply"]),
    "undo": ("moved", [*_CLEAN, "--undo"]),
    "flag": ("start", [*_FLAG, "-b", "x.bank"]),
    "flag anew": ("start", [*_FLAG, "-b", "new.bank", "--new"]),
    "import": ("start", ["gate", "import", "-b", "x.bank", "--csv", "more.csv"]),
    "import anew": ("start", ["gate", "import", "-b", "new.bank", "--csv", "more.csv", "--new"]),
    "export": ("start", ["gate", "export", "-b", "x.bank", "--csv", "new.csv"]),
    "grid": (
        "start",
        ["search", "-d", "photos", "-s", "db", "-q", _PHOTOS[0], "--save-grid", "g.png"],
    ),
    "experiment": ("start", ["experiment", "run", "photos", "--out", "run", *_FEW]),
}
#: Stages of a command that are killed as often as all commands: what the file is called that is
#: changed in it.
STAGES = {
    "scan": ("plan", "-files.txt"),
    "second look": ("plan", "-looks.txt"),
    "kin": ("plan", "-kin.txt"),
    "plan": ("plan", "plan.csv"),
    "partners": ("apply", ".xmp"),
    "partners on another disk": ("apply to another disk", ".xmp"),
    "partners put back": ("undo", ".xmp"),
}


def lay_out(place: Path) -> None:
    """A photo library with copies, a haystack of it, a shelf, a bank and a list of entries."""
    for number, name in enumerate(_PHOTOS):
        file = place / name
        file.parent.mkdir(parents=True, exist_ok=True)
        coarse = np.random.default_rng(number).integers(0, 256, (5, 6, 3), dtype=np.uint8)
        Image.fromarray(coarse).resize((120, 80), Image.Resampling.BICUBIC).save(file)
        (place / "few.toml").write_text('jpeg = ["quality 50"]\nturn = "all"\n')
        if number < 4:
            shutil.copy(file, file.with_name(f"{number} copy ü.jpg"))
        if number < 2:  # with partners that are equal, and go together
            for partner in (f"{number}.xmp", f"{number} copy ü.xmp"):
                file.with_name(partner).write_text(f"<x:xmpmeta>{number}</x:xmpmeta>")
        picture = Image.open(file)
        picture.save(file.with_name(f"{number} smaller.jpg"), quality=60)
        ImageOps.mirror(picture).save(file.with_name(f"{number} mirrored.jpg"))
    for words in (
        ["gather", "-i", "photos", "-o", "hay", "-c", "truth.csv", "--needles", "2"],
        ["index", "-d", "photos", "-s", "db"],
        [*_FLAG, "-b", "x.bank", "--new"],
        ["gate", "flag", "--reason", "more", "-b", "y.bank", "--new", *_PHOTOS[3:]],
        ["gate", "export", "-b", "y.bank", "--csv", "more.csv"],
    ):
        ran = in_child(partial(main, words), place)
        if ran[0]:
            raise Failure(f"a whole command failed: {words[:2]}", str(ran))
    (place / "y.bank").unlink()


def prepare(here: Path) -> None:
    lay_out(here / "start")
    shutil.copytree(here / "start", here / "moved")
    in_child(partial(main, SCENARIOS["apply"][1]), here / "moved")
    journal = here / "moved" / "q" / JOURNAL
    journal.write_text(journal.read_text().replace(str(here / "moved"), _HERE))
    (here / "states").mkdir()
    for name, (start, _) in SCENARIOS.items():
        place = here / "done"
        empty_disk()
        copy(here / start, place)
        events = here / "states" / f"{name}.events"
        ran = in_child(partial(_counted, words_of(name, place), events), place)
        if ran[0]:
            raise Failure(f"a whole command failed: {name}", str(ran))
        found = {"state": state(name, place), "files": contents(place)}
        (here / "states" / f"{name}.json").write_text(json.dumps(found))
        shutil.rmtree(place)


def copy(start: Path, place: Path) -> None:
    shutil.copytree(start, place)
    if (journal := place / "q" / JOURNAL).exists():
        journal.write_text(journal.read_text().replace(_HERE, str(place)))


def words_of(name: str, place: Path) -> list[str]:
    elsewhere = os.environ["DISK"] or str(place)
    return [word.replace("DISK", f"{elsewhere}/far") for word in SCENARIOS[name][1]]


def state(name: str, place: Path) -> object:
    """What a command has made, in a form that is the same however often it was stopped."""
    if "bank" in "".join(SCENARIOS[name][1]):
        file = "x.bank" if "x.bank" in SCENARIOS[name][1] else "new.bank"
        with Bank(place / file) as bank:
            rows = bank.entries()[["fingerprint", "reason", "source"]].astype(str)
        return sorted(set(map(tuple, rows.to_numpy().tolist())))
    if name.startswith("index"):
        return dict(shelf.read(place / SCENARIOS[name][1][4]))
    if name == "grid":
        return Image.open(place / "g.png").size
    if name == "experiment":
        about = json.loads((place / "run" / "run.json").read_text())
        told = {key: about[key] for key in about if key not in ("date", "seconds", "machine")}
        files = contents(place / "run") | {"run.json": told}
        return files
    own = ("q/quarantine-", "q/plan", "far/quarantine-", "far/plan")
    files, passing = everywhere(place), leftovers(place)
    return {path: files[path] for path in files if not path.startswith((*own, *passing))}


def everywhere(place: Path) -> dict[str, str]:
    """All files of a case, with those on its other disk."""
    files = contents(place)
    if os.environ["DISK"]:
        far = contents(Path(os.environ["DISK"]) / "far")
        files |= {f"far/{path}": digest for path, digest in far.items()}
    return files


def case(place: Path, here: Path, rng: random.Random) -> None:
    name, word = rng.choice(list(SCENARIOS)), ""
    if rng.random() < 0.5:
        name, word = rng.choice(list(STAGES.values()))
    events = json.loads((here / "states" / f"{name}.events").read_text())
    event = rng.choice([number for number, what in enumerate(events, start=1) if word in what])
    seconds = rng.uniform(0, 0.2) if "gate" in SCENARIOS[name][1] and rng.random() < 0.4 else 0
    kill_and_go_on(place, here, name, event, seconds, undo=rng.random() < 0.5)


def kill_and_go_on(
    place: Path, here: Path, name: str, event: int, seconds: float, undo: bool
) -> None:
    """A command dies before an event or after some seconds, and is started again, or undone."""
    empty_disk()
    place = place / "w"
    copy(here / SCENARIOS[name][0], place)
    before, words = contents(place), words_of(name, place)
    code, *texts = in_child(partial(_killed, words, event, seconds), place)
    if code not in (-signal.SIGKILL, -signal.SIGALRM):
        check_words(code, *texts)
    check_kept(name, before, place)
    again = words
    if undo and "apply" in name:
        again = [word.replace("--apply", "--undo") for word in words]
    code, *texts = in_child(partial(main, again), place)
    nothing_moved = again != words and code == 2 and b"no quarantine" in texts[1]
    planned = name == "plan" and code == 2 and b"is there already" in texts[1]
    if not (nothing_moved or planned):
        check_words(code, *texts, allowed=(0,))
    check_kept(name, before, place)
    if again == words and not planned:
        check_state(name, here, place)
    elif again != words:
        check_unchanged(before, contents(place))
    if left := leftovers(place):
        raise Failure("what a killed run left behind stays", f"{name}: {left}")


def empty_disk() -> None:
    if disk := os.environ["DISK"]:
        for inside in Path(disk).iterdir():
            shutil.rmtree(inside) if inside.is_dir() else inside.unlink()


def check_kept(name: str, before: dict, place: Path) -> None:
    """No photograph is lost, and none has changed its place but for clean."""
    photos = {path: sha for path, sha in before.items() if path.startswith(("photos/", "q/"))}
    photos = {path: sha for path, sha in photos.items() if "quarantine-" not in path}
    after = everywhere(place)
    if lost := Counter(photos.values()) - Counter(after.values()):
        raise Failure("lost: a file", f"{name}: {lost}")
    if "apply" not in name and name != "undo":
        check_unchanged(photos, after)


def check_state(name: str, here: Path, place: Path) -> None:
    right = json.loads((here / "states" / f"{name}.json").read_text())["state"]
    made = json.loads(json.dumps(state(name, place)))
    if made != right:
        if isinstance(made, dict):
            right, made = (
                dict(one.items() - two.items()) for one, two in ((right, made), (made, right))
            )
        raise Failure(f"the next run does not complete the work: {name}", f"{made}, not {right}")


def leftovers(place: Path) -> list[str]:
    passing = re.compile(r"bank-journal|\.ready|\.partial|fingerprints-(partial|old)")
    return [path for path in everywhere(place) if passing.search(path)]


def _counted(words: list[str], file: Path) -> int:
    seen: list[str] = []
    _watch(seen.append, words)
    code = main(words)
    file.write_text(json.dumps(seen))
    return code


def _killed(words: list[str], event: int, seconds: float) -> int:
    seen = count(1)

    def die(_: str) -> None:
        if next(seen) == event:
            os.kill(os.getpid(), signal.SIGKILL)

    if seconds:
        signal.setitimer(signal.ITIMER_REAL, seconds)
    else:
        _watch(die, words)
    return main(words)


def _watch(act: Callable[[str], object], words: list[str]) -> None:
    """Act before each operation that changes a file, with its name, and each step of SQLite.

    What is found is remembered as soon as it is found, not every half minute.
    """
    remembered.SECONDS, remembered.time = 0, SimpleNamespace(monotonic=float)
    names = ("rename", "remove", "link", "symlink", "mkdir", "rmdir", "truncate", "utime", "chmod")
    changes = {f"os.{name}" for name in names}

    def hook(event: str, details: tuple) -> None:
        flags = details[2] if event == "open" else 0
        writes = isinstance(flags, int) and flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT)
        if writes or event in changes:
            act(" ".join(str(detail) for detail in details if isinstance(detail, str | Path)))

    def profile(frame: object, event: str, function: object) -> None:
        owner = getattr(function, "__self__", None)
        if event == "c_call" and isinstance(owner, (sqlite3.Connection, sqlite3.Cursor)):
            act("")

    sys.addaudithook(hook)
    if "gate" in words:
        sys.setprofile(profile)
