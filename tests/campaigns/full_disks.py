"""Commands on a disk that is nearly full: a sentence, nothing lost or half-finished, and room mends it."""

import json
import os
import random
import resource
import shutil
import signal
from functools import partial
from pathlib import Path

import kills
from harness import Failure, check_words, contents, in_child
from kills import (
    SCENARIOS,
    check_kept,
    check_state,
    copy,
    empty_disk,
    leftovers,
    words_of,
)

from helpers.__main__ import main

SIZES = 8, 50
LIMIT = 60  # seconds: a case runs two commands


def prepare(here: Path) -> None:
    if (done := here.parent / "kills").exists():
        shutil.copytree(done, here, dirs_exist_ok=True)
    else:
        kills.prepare(here)


def case(place: Path, here: Path, rng: random.Random) -> None:
    name = rng.choice(list(SCENARIOS))
    room = rng.choice((0, rng.randrange(5000), rng.randrange(70_000)))
    empty_disk()
    disk = Path(os.environ["DISK"] or place)
    far = name == "apply to another disk"
    place = (place if far else disk) / "w"
    copy(here / SCENARIOS[name][0], place)
    before, words = contents(place), words_of(name, place)
    filler = disk / "filler"
    if os.environ["DISK"]:
        free = shutil.disk_usage(disk).free
        filler.write_bytes(bytes(max(0, free - room // 4096 * 4096)))
        job = partial(main, words)
    else:
        job = partial(_limited, words, room)
    code, *texts = in_child(job, place)
    filler.unlink(missing_ok=True)
    check_words(code, *texts)
    check_kept(name, before, place)
    if code == 2:
        right = json.loads((here / "states" / f"{name}.json").read_text())["files"]
        new = {path: sha for path, sha in contents(place).items() if path not in before}
        half = [path for path, sha in new.items() if right.get(path) != sha]
        if half and words[0] not in ("clean", "experiment"):  # these keep what is whole
            raise Failure("half-finished: something is left", f"{name}: {half}")
        if left := leftovers(place):
            raise Failure("half-finished: a passing file is left", f"{name}: {left}")
    code, *texts = in_child(partial(main, words), place)
    if name == "plan" and code == 2 and b"is there already" in texts[1]:
        return
    check_words(code, *texts, allowed=(0,))
    check_kept(name, before, place)
    check_state(name, here, place)


def _limited(words: list[str], room: int) -> int:
    """Where no small disk may be mounted: no file may grow larger."""
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (room, resource.RLIM_INFINITY))
    return main(words)
