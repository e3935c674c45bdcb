"""How well copies are found in a photo library with known truth: by this kit and by others.

    python benchmarks/library_peers.py make LIB --seed 1 [--part large] [--pictures FOLDER]
    python benchmarks/library_peers.py run LIB [--code CLONE]
    python benchmarks/library_peers.py judge LIB plan.csv

The pictures are put together from scikit-image's photographs, and with --pictures also taken from
a folder of photographs, such as CALTECH-101.
"""

import argparse
import os
import sys
import tempfile
from pathlib import Path

import library_copies as copies
import library_look_alikes as look_alikes
import messy_library
import numpy as np
from library_finders import FINDERS, Ran, command_of, moves_of, watched
from library_judge import Judge


def recipes(part: str, seed: int) -> list[tuple]:
    """What a library holds: (kind, function, how many, what its jobs have besides)."""
    rng = np.random.default_rng([seed, 3])
    share = {"small": 1.0, "large": 0.15, "tiny": 0.05}[part]
    counts = {kind: max(2, round(count * share)) for kind, count in copies.COPIES.items()}
    families = copies.shared_out(counts, rng)
    made = [("family", copies.family, len(families), {"copies": families})]
    for name, function, small, large, about in (
        ("partners", copies.with_partners, 36, 6, {}),
        ("with more", copies.with_more, 60, 6, {}),
        ("richer", copies.richer, 14, 2, {}),
        ("profile", copies.other_profile, 40, 6, {}),
        ("crop", copies.cropped, 30, 3, {"share": 0.03}),
        ("crop", copies.cropped, 30, 2, {"share": 0.08}),
        ("framed", copies.framed, 25, 2, {}),
        ("turned", copies.turned_or_mirrored, 32, 4, {}),
        ("filter", copies.filtered, 40, 2, {}),
        ("bin", copies.in_a_bin, 42, 0, {}),
        ("linked", copies.hard_linked, 15, 2, {}),
        ("single", look_alikes.single, 640, 30, {}),
        ("burst", look_alikes.burst, 50, 6, {}),
        ("bracket", look_alikes.bracket, 20, 2, {}),
        ("time-lapse", look_alikes.time_lapse, 2, 0, {"frames": 10 if part == "tiny" else 50}),
        ("screenshot", look_alikes.screenshot, 25, 0, {}),
        ("meme", look_alikes.meme, 12, 0, {}),
        ("page", look_alikes.page, 15, 0, {}),
        ("flags", look_alikes.flags, 10, 0, {}),
        ("panels", look_alikes.panels, 10, 0, {}),
        ("frames", look_alikes.many_frames, 20, 0, {}),
        ("assigned profile", look_alikes.profile_assigned, 4, 0, {}),
    ):
        tiny = min(small, max(6 if name == "partners" else 2, small // 25))
        made.append((name, function, {"small": small, "large": large, "tiny": tiny}[part], about))
    return made


# Commands


def _make(arguments: argparse.Namespace) -> int:
    made = recipes(arguments.part, arguments.seed)
    large = arguments.part == "large"
    count = messy_library.make(
        arguments.library, arguments.seed, made, arguments.pictures, large, arguments.workers
    )
    print(f"{arguments.library}: {count} files; {messy_library.truth_file(arguments.library)}")
    return 0


def _judge(arguments: argparse.Namespace) -> int:
    judge = Judge(arguments.library)
    judge.read_plan(arguments.plan)
    print(judge.told(arguments.most))
    return 0


def _plan_of_kit(library: Path, code: Path, workers: int, plan: Path) -> Ran:
    """One run of ``clean`` with nothing remembered."""
    with tempfile.TemporaryDirectory() as place:
        words = [sys.executable, "-m", "helpers", "clean", str(library.resolve())]
        words += ["--plan", str(plan.resolve()), "--workers", str(workers)]
        environment = {
            **os.environ,
            "PYTHONPATH": str(code.resolve() / "src"),
            "FINGERPRINTS_DATA": str(Path(place, "data")),
            "TQDM_DISABLE": "1",
        }
        plan.unlink(missing_ok=True)
        return watched(words, Path(place), environment)


def _run(arguments: argparse.Namespace) -> int:
    with tempfile.TemporaryDirectory() as place:
        plan = arguments.save or Path(place, "plan.csv")
        ran = _plan_of_kit(arguments.library, arguments.code, arguments.workers, plan)
        if not plan.exists():
            print(ran.output)
            return 1
        judge = Judge(arguments.library)
        judge.read_plan(plan)
    print(f"{ran.seconds:.1f} s, {ran.cpu:.1f} s of processors, {ran.megabytes:.0f} MB at most")
    print(judge.told(arguments.most))
    return 0


_HEAD = ("right", "wrong one kept", "others moved", "lost", "asked", "seconds", "MB")


def _peers(arguments: argparse.Namespace) -> int:
    """The same library through every finder that is here: one table."""
    folder = arguments.library.resolve()
    print(f"{'finder':<16}" + "".join(f"{name:>15}" for name in _HEAD))
    with tempfile.TemporaryDirectory() as place:
        plan = Path(place, "plan.csv")
        ran, judge = _plan_of_kit(folder, arguments.code, 2, plan), Judge(folder)
        judge.read_plan(plan)
        _print_row("this kit", judge, ran)
        for finder in FINDERS:
            if arguments.only and finder.name not in arguments.only:
                continue
            if not (words := command_of(finder, folder, arguments.python)):
                print(f"{finder.name:<16}  is not installed here")
                continue
            ran, judge = watched(words, Path(place), limit=arguments.limit), Judge(folder)
            try:
                judge.moved = moves_of(finder, ran.output, folder)
            except (ValueError, LookupError):
                if ran.code < 0:
                    print(f"{finder.name:<16}  was ended after {ran.seconds:.0f} s")
                    continue
                print(f"{finder.name:<16}  failed: {' '.join(ran.output.split())[-200:]}")
                continue
            _print_row(finder.name, judge, ran)
    return 0


def _print_row(name: str, judge: Judge, ran: Ran) -> None:
    told = judge.table()
    others = sum(
        int(told[key].split()[0]) for key in ("unrelated or look-alike moved", "kin moved")
    )
    cells = (
        told["copies moved, original kept"],
        told["original moved, copy kept"].split()[0],
        others,
        told["information lost"],
        told["asked about"].split(",")[0],
        f"{ran.seconds:.0f}",
        f"{ran.megabytes:.0f}",
    )
    print(f"{name:<16}" + "".join(f"{cell:>15}" for cell in cells), flush=True)


def _speed(arguments: argparse.Namespace) -> int:
    """Two clones in turns over one library, so that a busy machine slows both."""
    clones = {"here": arguments.code, "other": arguments.other}
    seconds: dict[str, list[tuple[float, float]]] = {name: [] for name in clones}
    files = sum(file.is_file() for file in arguments.library.rglob("*"))
    with tempfile.TemporaryDirectory() as place:
        for turn in range(arguments.turns):
            for name in list(clones)[:: -1 if turn % 2 else 1]:
                plan = Path(place, "plan.csv")
                ran = _plan_of_kit(arguments.library, clones[name], arguments.workers, plan)
                if not plan.exists():
                    print(ran.output)
                    return 1
                seconds[name].append((ran.seconds, ran.cpu))
                print(f"{name:<6} {ran.seconds:8.1f} s {ran.cpu:8.1f} s of processors", flush=True)
    for place, what in enumerate(("seconds", "seconds of processors")):
        here, other = (float(np.median([t[place] for t in seconds[name]])) for name in clones)
        rates = f"{files / here:.2f} files in one here, {files / other:.2f} there"
        print(f"{what}: {rates}; here takes {here / other:.2f} of the other")
    return 0


def _small(arguments: argparse.Namespace) -> int:
    """Many small files, all different, for `speed`."""
    arguments.library.mkdir(parents=True)
    rng = np.random.default_rng(arguments.seed)
    for number in range(arguments.files):
        file = arguments.library / f"{number // 500:03}" / f"{number:06}.jpg"
        file.parent.mkdir(exist_ok=True)
        messy_library.composed(rng, (240, 180)).save(file, quality=88)
    return 0


def main() -> int:
    """Make a library, or judge what a program says of one."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    commands = parser.add_subparsers(required=True)
    here = Path(__file__).resolve().parents[1]
    about = {}
    for function, name, what in (
        (_make, "make", "write a library and its truth"),
        (_small, "small", "write many small pictures, for speed"),
        (_run, "run", "make a plan with the kit, and judge it"),
        (_judge, "judge", "judge a plan that is there"),
        (_peers, "peers", "the same library through other programs"),
        (_speed, "speed", "the kit beside another clone of it, in turns"),
    ):
        command = about[name] = commands.add_parser(name, help=what)
        command.set_defaults(run=function)
        command.add_argument("library", type=Path, metavar="LIB")
        if name in ("make", "small"):
            command.add_argument("--seed", type=int, default=0)
        if name in ("run", "judge"):
            command.add_argument("--most", type=int, default=6, help="paths told of each kind (6)")
        if name in ("run", "peers", "speed"):
            command.add_argument("--code", type=Path, default=here, help="a clone of the kit")
        if name in ("make", "run", "speed"):
            command.add_argument("--workers", type=int, default=2)
    about["make"].add_argument("--part", choices=("small", "large", "tiny"), default="small")
    about["make"].add_argument("--pictures", type=Path, help="a folder of photographs")
    about["small"].add_argument("--files", type=int, default=20_000)
    about["run"].add_argument("--save", type=Path, help="where the plan is kept")
    about["judge"].add_argument("plan", type=Path)
    where = "an interpreter that has some of them; may be given again"
    about["peers"].add_argument("--python", action="append", default=[], help=where)
    about["peers"].add_argument("--limit", type=float, help="seconds that each one may take")
    about["peers"].add_argument("--only", nargs="+", help="the names of some")
    about["speed"].add_argument("other", type=Path, metavar="CLONE")
    about["speed"].add_argument("--turns", type=int, default=3)
    arguments = parser.parse_args()
    return arguments.run(arguments)


if __name__ == "__main__":
    sys.exit(main())
