"""Kill and starve the cluster's commands, and spoil their files: right in the end, or a sentence.

``python tests/campaigns/cluster_kills.py`` takes some minutes, and needs the extra ``cluster``. In
each case a command is hurt, and ends with 0 and the right digest, or with 2 and one sentence. Then
what hurt it is taken away, and the same command has to give the right digest. No traceback may be
shown, and neither a process nor a file for passing use may be left. `--only NAME` runs one case.
"""

import argparse
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import numpy as np
import pandas as pd
import psutil

from helpers.__main__ import main as command

ROWS, RADIUS = 800_000, 3
PATIENCE = 120  # seconds that a command may take
#: Let a table of this size be shuffled, as one that no worker could hold.
SHUFFLES = 60_000  # bytes that a task is said to take for each row
CASES: dict[str, Callable[["Case"], None]] = {}


class Failed(Exception):
    """A bar that a case breaks."""


class Case:
    """A folder with a table, and the commands that are run there."""

    def __init__(self, place: Path, table: Path, right: str) -> None:
        self.place, self.right, self.told = place, right, []
        self.passing = place / "passing"
        self.passing.mkdir(parents=True)
        self.table = place / "table"
        shutil.copytree(table, self.table)
        self.out = place / "pairs"

    def start(self, *words: object, shuffles: bool = False, **more: str) -> subprocess.Popen:
        """A command in a process of its own."""
        environment = {**os.environ, "TMPDIR": str(self.passing), "TQDM_DISABLE": "1", **more}
        if shuffles:
            environment["SHUFFLES"] = "yes"
        words = [sys.executable, __file__, "--child", *map(str, words)]
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        return subprocess.Popen(words, env=environment, text=True, cwd=self.place, **pipes)

    def pairs(self, *more: object, **options: object) -> subprocess.Popen:
        """The command that finds the pairs of the table."""
        words = ["pairs", self.table, "--radius", RADIUS, "--out", self.out]
        words += [] if "--scheduler" in more else ["--workers", 2]
        return self.start("cluster", *words, *more, **options)

    def end(self, process: subprocess.Popen, codes: tuple[int, ...] = (0,)) -> int:
        """What the process ended with, and that it said no more than it may."""
        family = psutil.Process(process.pid).children(recursive=True)
        try:
            out, err = process.communicate(timeout=PATIENCE)
        except subprocess.TimeoutExpired:
            end_all([process.pid, *(each.pid for each in family)])
            raise Failed("it hangs") from None
        self.check(process.returncode, codes, out, err)
        return process.returncode

    def check(self, code: int, codes: tuple[int, ...], out: str, err: str) -> None:
        """The exit code, no traceback, one sentence."""
        if "Traceback" in out + err:
            raise Failed(f"a traceback: {(out + err)[-600:]}")
        if code not in codes:
            raise Failed(f"exit code {code}: {err[-600:]}")
        lines = err.strip().splitlines()
        if len(lines) != (code == 2):
            raise Failed(f"{len(lines)} lines beside exit code {code}: {err[-600:]}")
        self.told += lines

    def check_right(self, *more: object, **options: object) -> None:
        """The same command finishes, and is right."""
        self.end(self.pairs(*more, **options))
        self.check_digest()

    def check_digest(self) -> None:
        if (made := digest(self.out)) != self.right:
            raise Failed(f"a silent difference: {made}")

    def check_refused(self) -> None:
        """A sentence, and no result that counts."""
        if self.end(self.pairs(), codes=(2,)) and (self.out / "_result.json").exists():
            raise Failed("a result is there")

    def check_left(self) -> None:
        """Nothing is left that is for passing use."""
        files = [path for path in self.place.rglob("*") if path.is_file()]
        names = [str(path.relative_to(self.place)) for path in files]
        own = re.compile(r"(table|pairs|made|other)/[^.]|[a-z-]+-report\.html$")
        if left := [name for name in names if not own.match(name) and not name.endswith("lock")]:
            raise Failed(f"left: {left[:5]}")


def digest(out: Path) -> str:
    from helpers.cluster import tables

    told = tables.Table.open(out)
    if tables.digest(told) != told.digest:
        raise Failed("the result has another digest than it tells")
    return told.digest


def case(function: Callable[[Case], None]) -> Callable[[Case], None]:
    CASES[function.__name__] = function
    return function


def wait_for(what: Callable[[], object], process: subprocess.Popen | None = None) -> object:
    """What is there at last; an event is waited for, never a time."""
    end = time.monotonic() + PATIENCE
    while not (found := what()):
        if process and process.poll() is not None:
            raise Failed(f"it ended before the moment: {process.communicate()[1][-600:]}")
        if time.monotonic() > end:
            raise Failed("the moment to kill did not come")
        time.sleep(0.005)
    return found


def workers_of(process: subprocess.Popen) -> list[psutil.Process]:
    """The processes that work for a command: those that have a folder of their own."""
    found = []
    for each in psutil.Process(process.pid).children(recursive=True):
        try:
            if "spawn_main" in " ".join(each.cmdline()) or "--nanny" in each.cmdline():
                found.append(each)
        except psutil.Error:
            continue
    return found


def end_all(pids: list[int]) -> None:
    for pid in pids:
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            continue


@contextmanager
def small_disk(place: Path, size: int) -> Iterator[Callable[[], None]]:
    """A small disk at a folder, and what makes it large."""
    place.mkdir(exist_ok=True)
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "none", place], check=True)
    try:
        larger = ["mount", "-o", "remount,size=1G", place]
        yield lambda: subprocess.run(larger, check=True)
    finally:
        subprocess.run(["umount", "-l", place], check=True)


@contextmanager
def own_cluster(case: Case) -> Iterator[tuple[str, subprocess.Popen]]:
    """A scheduler and two workers that are no children of the command."""
    address = case.place / "address.json"
    environment = {**os.environ, "TMPDIR": str(case.passing)}
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, "env": environment}
    words = [sys.executable, "-m", "distributed.cli.dask_scheduler", "--host", "127.0.0.1"]
    words += ["--port", "0", "--no-dashboard", "--dashboard-address", "127.0.0.1:0"]
    there = [subprocess.Popen([*words, "--scheduler-file", address], **quiet, cwd=case.passing)]
    wait_for(lambda: address.exists() and address.stat().st_size, there[0])
    words = [sys.executable, "-m", "distributed.cli.dask_worker", "--scheduler-file", address]
    words += ["--nthreads", "1", "--memory-limit", "1GB", "--no-dashboard", "--nworkers", "2"]
    there.append(subprocess.Popen([*words, "--death-timeout", "10"], **quiet, cwd=case.passing))
    try:
        yield re.search(r"tcp://[\d.:]+", address.read_text())[0], there[0]
    finally:
        family = [psutil.Process(each.pid).children(recursive=True) for each in there]
        for each in there:
            each.terminate()
        for each in there:
            each.wait()
        end_all([each.pid for some in family for each in some])
        address.unlink(missing_ok=True)


def first_part(case: Case, folder: Path | None = None) -> Callable[[], object]:
    return lambda: next((folder or case.out).glob("part-*.parquet"), None)


# The cases


@case
def a_worker_is_killed(case: Case) -> None:
    process = case.pairs()
    wait_for(lambda: case.out.exists() and workers_of(process), process)
    workers_of(process)[0].kill()
    if case.end(process, codes=(0, 2)) == 0:
        case.check_digest()
    case.check_right()


@case
def a_worker_is_killed_while_rows_are_shuffled(case: Case) -> None:
    process = case.pairs(shuffles=True)
    wait_for(lambda: next(case.passing.rglob("shuffle-*"), None), process)
    workers_of(process)[0].kill()
    if case.end(process, codes=(0, 2)) == 0:
        case.check_digest()
    case.check_right(shuffles=True)


@case
def a_worker_is_killed_after_the_first_part_of_a_result(case: Case) -> None:
    process = case.pairs(shuffles=True)
    wait_for(first_part(case), process)
    workers_of(process)[-1].kill()
    if case.end(process, codes=(0, 2)) == 0:
        case.check_digest()
    case.check_right(shuffles=True)


@case
def the_scheduler_is_killed(case: Case) -> None:
    with own_cluster(case) as (address, scheduler):
        process = case.pairs("--scheduler", address, shuffles=True)
        wait_for(first_part(case), process)
        scheduler.kill()
        case.end(process, codes=(2,))
        if (case.out / "_result.json").exists():
            raise Failed("a result is there")
    with own_cluster(case) as (address, _):
        case.check_right("--scheduler", address)


@case
def the_command_is_killed(case: Case) -> None:
    process = case.pairs(shuffles=True)
    wait_for(first_part(case), process)
    family = psutil.Process(process.pid).children(recursive=True)
    process.kill()
    process.communicate()
    wait_for(lambda: not any(map(alive, family)))
    case.check_right(shuffles=True)


@case
def the_command_is_killed_while_it_makes_a_table(case: Case) -> None:
    source, made = case.place / "source", case.place / "made"
    source.mkdir()
    rows = pd.read_parquet(sorted(case.table.glob("part-*")), columns=["id", "fingerprint"])
    rows = pd.concat([rows, rows.assign(id=rows["id"] + len(rows))])
    for number, part in enumerate(np.array_split(np.arange(len(rows)), 8)):
        rows.iloc[part].to_parquet(source / f"{number}.parquet")
    words = ("cluster", "index", source, "--out", made, "--workers", 2)
    process = case.start(*words)
    wait_for(first_part(case, made), process)
    family = psutil.Process(process.pid).children(recursive=True)
    process.kill()
    process.communicate()
    wait_for(lambda: not any(map(alive, family)))
    case.end(case.start(*words))
    table = pd.read_parquet(sorted(made.glob("part-*"))).sort_values("id")
    shutil.rmtree(source)
    if not np.array_equal(table["fingerprint"], rows["fingerprint"]):
        raise Failed("a silent difference of the table")


@case
def the_disk_of_the_result_is_full(case: Case) -> None:
    with small_disk(case.out, 8192) as grow:
        if case.end(case.pairs(), codes=(0, 2)) == 0:
            raise Failed("it did not fail on a full disk")
        grow()
        case.check_right()


@case
def the_disk_of_the_workers_is_full(case: Case) -> None:
    with small_disk(case.passing, 4_000_000) as grow:
        if case.end(case.pairs(shuffles=True), codes=(0, 2)) == 0:
            raise Failed("it did not fail on a full disk")
        grow()
        case.check_right(shuffles=True)
        case.check_left()


@case
def a_worker_takes_too_much_memory(case: Case) -> None:
    if case.end(case.pairs("--memory", "310MB"), codes=(0, 2)) == 0:
        case.check_digest()
    case.check_right()


def spoiled(spoil: Callable[[Path, bytes], object]) -> Callable[[Case], None]:
    """A case in which a part of the table is spoilt, and put right again."""

    def try_it(case: Case) -> None:
        part = sorted(case.table.glob("part-*.parquet"))[1]
        content = part.read_bytes()
        spoil(part, content)
        for shuffles in (False, True):
            case.end(case.pairs(shuffles=shuffles), codes=(2,))
            if (case.out / "_result.json").exists() or part.name not in case.told[-1]:
                raise Failed(f"a result is there, or the file is not named: {case.told[-1]}")
        part.write_bytes(content)
        case.check_right()

    return try_it


CASES |= {
    "a_part_is_lost": spoiled(lambda part, _: part.unlink()),
    "a_part_is_cut_off": spoiled(lambda part, content: part.write_bytes(content[: 2 * 10**5])),
    "a_byte_of_a_part_is_wrong": spoiled(
        lambda part, content: part.write_bytes(
            content[:99_999] + bytes([content[99_999] ^ 1]) + content[100_000:]
        )
    ),
    "a_part_is_of_another_table": spoiled(
        lambda part, _: part.write_bytes(part.with_name("part-00000.parquet").read_bytes())
    ),
}


@case
def the_last_file_of_a_table_is_cut_off(case: Case) -> None:
    file = case.table / "_table.json"
    content = file.read_bytes()
    file.write_bytes(content[:-40])
    case.check_refused()
    file.write_bytes(content)
    case.check_right()


@case
def a_result_is_half_written(case: Case) -> None:
    case.check_right()
    (case.out / "_result.json").unlink()
    (case.out / "part-00777-000.parquet").write_bytes(b"PAR1")
    (case.out / ".part-00001-000.parquet.0123abcd.fingerprints-partial").write_bytes(b"PAR1")
    words = ("search", case.table, "--queries", case.out, "--radius", 1, "--out", "matches")
    case.end(case.start("cluster", *words, "--workers", 1), codes=(2,))
    case.check_right()


def alive(process: psutil.Process) -> bool:
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


# The round


def prepare(place: Path) -> tuple[Path, str]:
    """A table of four parts with planted pairs, and the digest of its pairs."""
    from helpers.cluster import engine, tables
    from helpers.search import pairs

    rng = np.random.default_rng(0)
    values = rng.integers(0, 2**64, ROWS, dtype=np.uint64)
    flipped = np.uint64(1) << rng.integers(0, 64, (3, 30_000), dtype=np.uint64)
    values[:30_000] = values[30_000:60_000] ^ np.bitwise_xor.reduce(flipped, axis=0)
    values = rng.permutation(values)
    (place / "source").mkdir()
    rows = pd.DataFrame({"id": np.arange(ROWS), "fingerprint": values})
    rows.to_parquet(place / "source" / "rows.parquet", row_group_size=ROWS // 4)
    with engine.engine(workers=1) as client:
        tables.index(place / "source", place / "table", rows=ROWS // 4, client=client)
    found = pairs.all_pairs(values, RADIUS)
    rows = found.sort_values(["first", "second"])[["first", "second", "distance"]]
    import hashlib

    return place / "table", hashlib.sha256(rows.to_numpy("<i8").tobytes()).hexdigest()


def child(words: list[str]) -> int:
    if os.environ.get("SHUFFLES"):
        from helpers.cluster import joins

        joins._BYTES = SHUFFLES
    return command(words)


def main() -> int:
    """Run the cases; 1 if any failed."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", action="append", metavar="NAME")
    parser.add_argument("--keep", action="store_true", help="the folders")
    arguments = parser.parse_args()
    failed = 0
    with ExitStack() as stack:
        place = Path(tempfile.mkdtemp(prefix="cluster-kills-"))
        if not arguments.keep:
            stack.callback(shutil.rmtree, place, ignore_errors=True)
        table, right = prepare(place)
        for name in arguments.only or CASES:
            if "disk" in name and os.geteuid():
                print(f"{name}: left out, since only root may mount a small disk")
                continue
            at_work, begin, why = Case(place / name, table, right), time.monotonic(), ""
            try:
                CASES[name](at_work)
                at_work.check_left()
            except Failed as problem:
                failed, why = failed + 1, str(problem)
            seconds = time.monotonic() - begin
            said = f"FAILED: {why}" if why else "right; " + " | ".join(at_work.told)
            print(f"{name} ({seconds:.0f} s): {said.replace(str(place), '')}", flush=True)
    print(f"{len(arguments.only or CASES)} cases, {failed} failed")
    return int(failed > 0)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--child"]:
        sys.exit(child(sys.argv[2:]))
    sys.exit(main())
