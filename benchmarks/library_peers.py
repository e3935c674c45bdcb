"""How well copies are found in a photo library with known truth: by this kit and by others.

    python benchmarks/library_peers.py make LIB --seed 1 [--part large] [--pictures FOLDER]
    python benchmarks/library_peers.py run LIB [--code CLONE]
    python benchmarks/library_peers.py judge LIB plan.csv

The pictures are put together from scikit-image's photographs, and with --pictures also taken from
a folder of photographs, such as CALTECH-101.
"""

import argparse
import csv
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections import Counter, defaultdict
from pathlib import Path

import library_copies as copies
import library_look_alikes as look_alikes
import messy_library
import numpy as np

_KINDS = ("exact copy", "near copy")


def recipes(part: str, seed: int) -> list[tuple]:
    """What a library holds: (kind, function, how many, what its jobs have besides)."""
    rng = np.random.default_rng([seed, 3])
    share = 1.0 if part == "small" else 0.15
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
        ("time-lapse", look_alikes.time_lapse, 2, 0, {"frames": 50}),
        ("screenshot", look_alikes.screenshot, 25, 0, {}),
        ("meme", look_alikes.meme, 12, 0, {}),
        ("page", look_alikes.page, 15, 0, {}),
        ("flags", look_alikes.flags, 10, 0, {}),
        ("panels", look_alikes.panels, 10, 0, {}),
        ("frames", look_alikes.many_frames, 20, 0, {}),
        ("assigned profile", look_alikes.profile_assigned, 4, 0, {}),
    ):
        made.append((name, function, small if part == "small" else large, about))
    return made


# The judge


class Judge:
    """Sets a plan beside the truth."""

    def __init__(self, folder: Path) -> None:
        with messy_library.truth_file(folder).open(newline="", encoding="utf-8") as file:
            self.truth = {row["path"]: row for row in csv.DictReader(file)}
        self.wrong: dict[str, list[str]] = defaultdict(list)
        self.moved: dict[str, str] = {}  # path -> the path that stays for it
        self.moved_partners: dict[str, str] = {}
        self.asked: set[tuple[str, str]] = set()

    def read_plan(self, plan: Path) -> None:
        """Take in the rows of a plan; a partner's row counts as its picture's."""
        with plan.open(newline="", encoding="utf-8-sig") as file:
            for row in csv.DictReader(file):
                pair = row["path"].removeprefix("'"), row["kept"].removeprefix("'")
                if row["action"] == "move" and row["kind"] == "partner":
                    self.moved_partners[pair[0]] = pair[1]
                elif row["action"] == "move":
                    self.moved[pair[0]] = pair[1]
                elif row["action"] == "look" or (row["action"], pair[0] != pair[1]) == (
                    "keep",
                    True,
                ):
                    self.asked.add(pair)

    def _fail(self, measure: str, path: str, other: str = "", kind: str = "") -> None:
        kind = kind or self.truth.get(path, {"kind": "unknown"})["kind"]
        self.wrong[f"{measure} | {kind}"].append(f"{path}  <-  {other}" if other else path)

    def table(self) -> dict[str, str]:
        """The measures of the issue, each as text."""
        self._check_moves()
        self._check_partners()
        counts = Counter(
            measure.split(" | ")[0] for measure in self.wrong for _ in self.wrong[measure]
        )
        alone = sum(row["role"] in ("alone", "kin") for row in self.truth.values())
        right, known = self._copies()
        told = {
            "unrelated or look-alike moved": f"{counts['look-alike moved']} of {alone}",
            "copies moved, original kept": f"{right} of {known}",
            "original moved, copy kept": f"{counts['original moved']} of {known}",
            "information lost": str(counts["information lost"]),
            "partners separated": str(counts["partner separated"]),
            "in bins or linked, moved or kept": str(counts["bin or link"]),
        }
        profiles = [path for path, row in self.truth.items() if row["role"] == "profile"]
        told["other profile, moved"] = (
            f"{sum(p in self.moved for p in profiles)} of {len(profiles)}"
        )
        told |= self._mentioned()
        pairs = {frozenset(pair) for pair in self.asked}
        scenes = [
            [self.truth[path]["scene"] for path in pair if path in self.truth] for pair in pairs
        ]
        told["asked about"] = f"{len(pairs)}, unrelated {sum(len(set(s)) > 1 for s in scenes)}"
        return told

    def _check_moves(self) -> None:
        for path, kept in self.moved.items():
            row, stays = self.truth.get(path), self.truth.get(kept)
            if not row or not stays:
                self._fail("unknown path", path, kept)
            elif {row["role"], stays["role"]} & {"shut", "linked"}:
                self._fail("bin or link", path, kept)
            elif row["picture"] != stays["picture"]:
                self._fail("look-alike moved", path, kept)
            elif row["role"] in ("loses", "richer"):
                self._fail("information lost", path, kept)
            elif row["role"] == "original" and stays["role"] != "richer":
                self._fail("original moved", path, kept, f"for {stays['kind']}")

    def _check_partners(self) -> None:
        for path, row in self.truth.items():
            if row["role"] != "partner":
                continue
            goes = path in self.moved_partners or path in self.moved
            if goes != (row["partner_of"] in self.moved):
                self._fail("partner separated", path, row["partner_of"])

    def _copies(self) -> tuple[int, int]:
        originals = {
            row["picture"]: path for path, row in self.truth.items() if row["role"] == "original"
        }
        copies = [(path, row) for path, row in self.truth.items() if row["role"] == "copy"]
        right, asked = 0, self._asked_of()
        for path, row in copies:
            original = originals[row["picture"]]
            same = self.truth.get(self.moved.get(path, ""), {}).get("picture") == row["picture"]
            if same and original not in self.moved:
                right += 1
            elif path not in self.moved and original not in self.moved:
                self._fail(
                    "copy asked about" if path in asked else "copy not found", path, original
                )
        return right, len(copies)

    def _asked_of(self) -> dict[str, set[str]]:
        """Path -> the paths that it is set beside in a question or a move."""
        beside = defaultdict(set)
        for first, second in (*self.asked, *self.moved.items()):
            beside[first].add(second)
            beside[second].add(first)
        return beside

    def _mentioned(self) -> dict[str, str]:
        beside, counts = self._asked_of(), Counter()
        for path, row in self.truth.items():
            if row["role"] in ("profile", "kin"):
                others = {
                    self.truth[other]["scene"] for other in beside[path] if other in self.truth
                }
                name = row["kind"].split(",")[0] if row["role"] == "kin" else "other profile"
                name = name.replace("framed by itself", "framed")
                found = row["scene"] in others
                counts[name] += 1
                counts[name, "found"] += found
                if not found:
                    self._fail("not mentioned", path)
        names = [name for name in counts if isinstance(name, str)]
        return {f"{n} mentioned": f"{counts[n, 'found']} of {counts[n]}" for n in sorted(names)}

    def told(self, most: int) -> str:
        """The table, and what is wrong by kind with at most so many paths of each."""
        lines = [f"{name:<36} {value}" for name, value in self.table().items()]
        for measure, paths in sorted(self.wrong.items()):
            lines.append(f"- {measure}: {len(paths)}")
            lines += [f"    {path}" for path in paths[:most]]
        return "\n".join(lines)


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


def _run(arguments: argparse.Namespace) -> int:
    """One run of ``clean`` with nothing remembered, and what it came to."""
    with tempfile.TemporaryDirectory() as place:
        plan = Path(place, "plan.csv")
        words = [sys.executable, "-m", "helpers", "clean", str(arguments.library.resolve())]
        words += ["--plan", str(plan), "--workers", str(arguments.workers)]
        environment = {
            **os.environ,
            "PYTHONPATH": str(arguments.code.resolve() / "src"),
            "FINGERPRINTS_DATA": str(Path(place, "data")),
            "TQDM_DISABLE": "1",
        }
        begin = time.perf_counter()
        done = subprocess.run(words, env=environment, cwd=place, text=True, capture_output=True)
        seconds, used = time.perf_counter() - begin, resource.getrusage(resource.RUSAGE_CHILDREN)
        if not plan.exists():
            print(done.stdout[-2000:], done.stderr[-4000:])
            return 1
        if arguments.save:
            arguments.save.write_bytes(plan.read_bytes())
        judge = Judge(arguments.library)
        judge.read_plan(plan)
        cpu = used.ru_utime + used.ru_stime
        print(f"{seconds:.1f} s, {cpu:.1f} CPU s, at most {used.ru_maxrss / 1024:.0f} MB a process")
        print(judge.told(arguments.most))
    return 0


def main() -> int:
    """Make a library, or judge what a program says of one."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    commands = parser.add_subparsers(required=True)
    here = Path(__file__).resolve().parents[1]
    for function, name, what in (
        (_make, "make", "write a library and its truth"),
        (_run, "run", "make a plan with the kit, and judge it"),
        (_judge, "judge", "judge a plan that is there"),
    ):
        command = commands.add_parser(name, help=what)
        command.set_defaults(run=function)
        command.add_argument("library", type=Path, metavar="LIB")
        if name == "make":
            command.add_argument("--seed", type=int, default=0)
            command.add_argument("--part", choices=("small", "large"), default="small")
            command.add_argument("--pictures", type=Path, help="a folder of photographs")
        else:
            command.add_argument("--most", type=int, default=6, help="paths told of each kind (6)")
        if name == "judge":
            command.add_argument("plan", type=Path)
        else:
            command.add_argument("--workers", type=int, default=2)
        if name == "run":
            command.add_argument("--code", type=Path, default=here, help="a clone of the kit")
            command.add_argument("--save", type=Path, help="where the plan is kept")
    arguments = parser.parse_args()
    return arguments.run(arguments)


if __name__ == "__main__":
    sys.exit(main())
