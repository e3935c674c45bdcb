"""What all campaigns share: cases drawn by seed, workers that are watched, and the table at the end.

A campaign is a module with `SIZES` (how many cases a small and a full round has), `prepare(here)`,
which lays out what its cases start from, and `case(place, here, rng)`, which tries one. A case
raises `Failure` with its kind. Any other exception counts as a traceback, a `Problem` included.
"""

import argparse
import faulthandler
import gc
import hashlib
import importlib
import json
import multiprocessing
import os
import random
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from multiprocessing.connection import Connection, wait
from pathlib import Path

from helpers import Problem

NAMES = (
    "journals",
    "banks",
    "shelves",
    "pictures",
    "tables",
    "command_lines",
    "kills",
    "full_disks",
)
LIMIT = 10  # seconds that one step of a case may take
MOST = 10**9  # bytes of memory that a process may have taken at its peak
_GUARD = 8 * 2**30  # bytes of addresses: what asks for more is stopped before the machine suffers
_KEPT = 3  # folders of failed cases that are kept for each kind
_DISK_BYTES = 2**21  # of the small disk that each worker has, where root may mount one


class Failure(Exception):
    """A bar that a case breaks: its kind, and what happened."""


# What is looked at


def contents(folder: Path) -> dict[str, str]:
    """The SHA-256 of every file below a folder, by its path; links are not followed."""
    found = {}
    for place, _, names in os.walk(folder):
        for name in names:
            file = Path(place, name)
            if file.is_file() and not file.is_symlink():
                path = file.relative_to(folder).as_posix()
                found[path] = hashlib.sha256(file.read_bytes()).hexdigest()
    return found


def check_unchanged(before: dict[str, str], after: dict[str, str]) -> None:
    """Every file that was there is there, as it was."""
    for path, digest in before.items():
        if after.get(path) != digest:
            raise Failure(f"lost: {'changed' if path in after else 'gone'}", path)


def ask(function: Callable, *arguments: object, **options: object) -> tuple:
    """What a function returns, and the `Problem` that it raised: one of both is None."""
    begin = time.process_time()
    try:
        result = function(*arguments, **options)
        if time.process_time() - begin > LIMIT:
            raise Failure(f"hang: {function.__name__} takes over {LIMIT} seconds", "")
        return result, None
    except Problem as problem:
        error = problem
        while error := error.__cause__ or error.__context__:
            if isinstance(error, MemoryError):
                raise Failure("memory: more than may be had was asked for", str(problem)) from None
        return None, problem


def explain(error: BaseException) -> tuple[str, str]:
    """The kind and the text of an exception that nobody expected."""
    frames = traceback.extract_tb(error.__traceback__)
    ours = [frame for frame in frames if "/helpers/" in frame.filename] or frames
    where = f"{Path(ours[-1].filename).name}:{ours[-1].lineno} {ours[-1].name}"
    return f"traceback: {type(error).__name__} at {where}", "".join(
        traceback.format_exception_only(error)
    )[:500]


# How files are spoilt

ODD_TEXTS = (
    *("", ".", "..", "/", "../outside/victim.txt", "/nowhere/x.jpg", "a//b", "./a.jpg", "a/../b"),
    *("\0", "\ud800", "\u202e", "=1+1", "'", "\r\n", "\x1b[31m", "a" * 300, "x/" * 2000, "é", "é"),
    *("nan", "1e999", "-1", "٣", "in", "out", "true", "0" * 16, "f" * 64, "keep", "C:\\x", "~"),
)
ODD_VALUES = (None, True, False, 0, -1, 2**31, 2**63, -(2**63), 10**400, 1.5, 1e308, [], {}, [[]])
ODD_JSON = (b"NaN", b"1e999", b"9" * 5000, b"[" * 100_000, b'"\\ud800"', b"{}", b"\xff", b"\0")


def odd(rng: random.Random) -> object:
    return rng.choice(rng.choice((ODD_TEXTS, ODD_VALUES)))


def spoil(rng: random.Random, data: bytes, other: bytes = b"") -> bytes:
    """Change some bytes, ranges or lines of a file; or join it with another one."""
    for _ in range(rng.choice((1, 1, 1, 2, 3, 8))):
        start = rng.randrange(len(data) + 1)
        end = min(len(data), start + rng.choice((1, 1, 2, 4, 16, 64, 1000)))
        if (how := rng.randrange(10)) < 3 and start < len(data):
            data = data[:start] + bytes([data[start] ^ 1 << rng.randrange(8)]) + data[start + 1 :]
        elif how == 3:
            data = data[:start] + rng.randbytes(end - start) + data[end:]
        elif how == 4:
            data = data[:start] + rng.choice((b"\0", b"\xff", b"9", b"\n")) * 4 + data[end:]
        elif how == 5:
            data = data[:start]
        elif how == 6:
            data = data[:start] + data[end:]
        elif how == 7:
            data = data[:end] + data[start:]
        elif how == 8:
            data = data[:start] + (other or data)[rng.randrange(len(other or data) + 1) :]
        else:
            lines = data.split(b"\n")
            one, two = rng.randrange(len(lines)), rng.randrange(len(lines))
            lines[one : one + 1] = rng.choice(([], [lines[two]], [lines[one]] * 2))
            data = b"\n".join(lines)
    return data


# Children of a worker, which may be killed or fail as a process does


def in_child(
    job: Callable[[], object],
    place: Path,
    limit: float = LIMIT,
    interrupt: float | None = None,
) -> tuple:
    """Run in a new process, in a folder; its exit code (below 0: the signal), output, complaints.

    After `interrupt` seconds it gets what control-C sends.
    """
    files = [tempfile.TemporaryFile() for _ in range(2)]  # noqa: SIM115 (closed by _awaited)
    child = os.fork()
    if not child:
        code = 1
        try:
            os.setsid()
            for number, file in enumerate(files, start=1):
                os.dup2(file.fileno(), number)
            os.chdir(place)
            code = job() or 0
        except SystemExit as leaving:
            code = leaving.code if isinstance(leaving.code, int) else 1
        except BaseException:
            traceback.print_exc()
        finally:
            gc.collect()
            with suppress(BaseException):
                sys.stdout.flush()
                sys.stderr.flush()
            os._exit(code)
    return _awaited(child, files, limit, interrupt)


def _awaited(child: int, files: list, limit: float, interrupt: float | None) -> tuple:
    begin, done = time.monotonic(), 0
    while not done and time.monotonic() < begin + limit:
        time.sleep(0.003)
        if interrupt is not None and time.monotonic() > begin + interrupt:
            interrupt = None
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(child, signal.SIGINT)
        done, status, usage = os.wait4(child, os.WNOHANG)
    with suppress(ProcessLookupError):  # its own children go too
        os.killpg(child, signal.SIGKILL)
    if not done:
        os.waitpid(child, 0)
        raise Failure(f"hang: more than {limit} seconds", "")
    texts = []
    for file in files:
        file.seek(0)
        texts.append(file.read())
        file.close()
    if (peak := _bytes(usage)) > MOST:
        raise Failure("memory: a process took over 1 GB", f"{peak / 1e6:.0f} MB")
    in_child.peak = max(in_child.peak, peak)
    return os.waitstatus_to_exitcode(status), *texts


in_child.peak = 0


def check_words(code: int, output: bytes, complaints: bytes, allowed: tuple = (0, 1, 2)) -> None:
    """No traceback, an exit code that is explained, a sentence if it is 2, no orders to a terminal."""
    lines = complaints.decode(errors="replace").strip().splitlines()
    for word in ("Traceback", "Exception ignored", "MemoryError"):
        if found := [number for number, line in enumerate(lines) if word in line]:
            ours = [line for line in lines[found[0] :] if "/helpers/" in line] or lines
            where = ours[-1].strip().rpartition("/")[2].replace('", line ', ":")
            raise Failure(f"traceback: {lines[-1].split(':')[0][:60]} at {where[:70]}", lines[-1])
    if code not in allowed:
        raise Failure(f"exit code {code}", "\n".join(lines[-3:]))
    if code == 2 and not lines:
        raise Failure("no sentence beside exit code 2", "")
    if orders := [byte for byte in output + complaints if byte < 32 and byte not in b"\n\t\r"]:
        raise Failure("a name is printed with orders to the terminal", repr(orders[:5]))


# Workers


def _bytes(usage: resource.struct_rusage) -> int:
    return usage.ru_maxrss * (1 if sys.platform == "darwin" else 1024)


def _place(base: Path, number: int) -> Path:
    """The folder of a worker. No single spoilt letter makes the name of one into another's."""
    return base / hashlib.sha256(f"worker {number}".encode()).hexdigest()[:8]


def _work(pipe: Connection, base: Path, number: int, seed: int) -> None:
    os.setsid()
    resource.setrlimit(resource.RLIMIT_AS, (_GUARD, _GUARD))
    mine = _place(base, number)
    (mine / "tmp").mkdir(parents=True, exist_ok=True)
    os.environ |= {"TMPDIR": f"{mine}/tmp", "HOME": f"{mine}/tmp", "TQDM_DISABLE": "1"}
    os.environ |= {"FINGERPRINTS_DATA": f"{mine}/data", "MPLBACKEND": "agg", "DISK": ""}
    if (disk := base / f"disk-{number}").is_dir():
        os.environ["DISK"] = str(disk)
    tempfile.tempdir = None
    for handle in range(3):
        os.dup2(os.open(os.devnull, os.O_RDWR), handle)
    stack = (mine / "stack.txt").open("w")
    with suppress(EOFError):  # the pipe is closed when all is done
        while True:
            task = pipe.recv()
            stack.truncate(0)
            faulthandler.dump_traceback_later(LIMIT * 0.9, file=stack)
            _try(pipe, *task, base, mine, seed)


def _try(pipe: Connection, name: str, case: int | None, base: Path, mine: Path, seed: int) -> None:
    """Try one case, and tell what became of it."""
    begin, place, failed = time.monotonic(), mine / "case", ()
    for folder in (place, mine / "data"):  # what a case finds does not depend on the one before
        shutil.rmtree(folder, ignore_errors=True)
    place.mkdir()
    os.chdir(place)
    in_child.peak = 0
    with suppress(OSError):  # the peak is counted anew for each case, where Linux runs
        Path("/proc/self/clear_refs").write_text("5")
    try:
        module, here = importlib.import_module(name), base / "templates" / name
        if case is None:
            here.mkdir(parents=True)
            module.prepare(here)
        else:
            module.case(place, here, random.Random(f"{seed} {name} {case}"))
    except Failure as failure:
        failed = failure.args
    except BaseException as error:
        failed = explain(error)
    peak = _bytes(resource.getrusage(resource.RUSAGE_SELF))
    if not failed and peak > MOST:
        failed = "memory: a process took over 1 GB", f"{peak / 1e6:.0f} MB"
    pipe.send((failed, time.monotonic() - begin, max(peak, in_child.peak)))
    pipe.recv()  # until what failed has been kept


class _Worker:
    """A process, and the case it is at."""

    def __init__(self, base: Path, number: int, seed: int) -> None:
        self.arguments, self.place = (base, number, seed), _place(base, number) / "case"
        self.task = self.process = None

    def start(self, task: tuple, limit: float) -> None:
        if not self.process or not self.process.is_alive():
            context = multiprocessing.get_context("spawn")
            self.pipe, there = context.Pipe()
            self.process = context.Process(target=_work, args=(there, *self.arguments))
            self.process.start()
            there.close()
            limit += 60  # until it has imported everything
        self.task, self.end = task, time.monotonic() + limit
        self.pipe.send(task)

    def result(self) -> tuple | None:
        """What became of its case, if that has ended."""
        try:
            if self.pipe.poll():
                return self.pipe.recv()
        except (EOFError, OSError):
            self.process.join()
            return ("the process died", f"exit code {self.process.exitcode}"), 0, 0
        if time.monotonic() < self.end:
            return None
        self.stop()
        stack = (self.place.parent / "stack.txt").read_text().splitlines()
        ours = [line.strip() for line in stack if "/helpers/" in line] or ["no code of the kit"]
        where = ours[0].rpartition("/")[2].replace('", line ', ":")
        return (f"hang: the case was stopped at {where}", "\n".join(stack[:20])), LIMIT, 0

    def stop(self, *, wait: bool = False) -> None:
        if self.process and wait:
            self.pipe.close()
            self.process.join(10)
        with suppress(ProcessLookupError, AttributeError):
            os.killpg(self.process.pid, signal.SIGKILL)
        if self.process:
            self.process.join()


def _run(name: str, cases: list, workers: list, keep: Callable) -> tuple[int, float, int]:
    """All cases of a campaign: how many failed, seconds, and the highest peak in bytes."""
    limit = getattr(importlib.import_module(name), "LIMIT", LIMIT)
    begin, waiting, failures, peak = time.monotonic(), list(reversed(cases)), 0, 0
    while waiting or any(worker.task for worker in workers):
        for worker in workers:
            if not worker.task and waiting:
                case = waiting.pop()
                worker.start((name, case), 300 if case is None else limit)
        wait([worker.pipe for worker in workers if worker.task], timeout=0.5)
        for worker in workers:
            if worker.task and (result := worker.result()):
                failed, _, taken = result
                peak = max(peak, taken)
                if failed:
                    failures += 1
                    keep(*worker.task, *failed, worker.place)
                with suppress(OSError):
                    worker.pipe.send("go on")
                if taken > MOST:  # it would keep much of that
                    worker.stop()
                worker.task = None
    return failures, time.monotonic() - begin, peak


class _Keeper:
    """Writes down what failed, and keeps the folder of the first few of each kind."""

    def __init__(self, out: Path, arguments: argparse.Namespace) -> None:
        self.out, self.seed, self.kinds, self.first = out, arguments.seed, Counter(), {}

    def __call__(self, name: str, case: int | None, kind: str, text: str, place: Path) -> None:
        key = name, kind
        self.kinds[key] += 1
        number = "preparing" if case is None else case
        self.first.setdefault(key, f"--case {name}:{number} --seed {self.seed}  {text[-400:]!r}")
        line = {"campaign": name, "case": number, "seed": self.seed, "kind": kind, "text": text}
        with (self.out / "failures.jsonl").open("a") as file:
            file.write(json.dumps(line) + "\n")
        if self.kinds[key] <= _KEPT:
            target = self.out / f"{name}-{number}"
            shutil.rmtree(target, ignore_errors=True)
            subprocess.run(["cp", "-a", place, target], stderr=subprocess.DEVNULL, timeout=60)


# The command


def _start_safe(base: Path, out: Path, workers: int) -> None:
    """As root: start anew with a system that is read-only but for two folders, and small disks.

    Files that may not be read or written are closed to it then, as they are to others. Where
    nothing may be mounted, as in many containers, this returns.
    """
    mounts = ["mount --bind $1 $1", "mount --bind $2 $2", "mount -o remount,bind,ro /"]
    mounts.append("{ ! mountpoint -q /dev || mount -o remount,bind,ro /dev; }")
    for number in range(workers):
        disk = f"$1/disk-{number}"
        mounts.append(f"mkdir {disk} && mount -t tmpfs -o size={_DISK_BYTES} none {disk}")
    mortal = "setpriv --bounding-set=-dac_override,-dac_read_search"
    script = " && ".join(mounts) + f' || exit 77; shift 2; {mortal} true || exec "$@"; '
    script += f'exec {mortal} "$@"'
    words = ["unshare", "--mount", "--propagation", "private", "sh", "-c", script, "sh"]
    words += [str(base), str(out), sys.executable, *sys.argv]
    environment = {**os.environ, "CAMPAIGNS": str(base), "TMPDIR": str(base)}
    if subprocess.run([*words[:4], "true"], stderr=subprocess.DEVNULL).returncode:
        return
    code = subprocess.run(words, env=environment).returncode
    if code != 77:
        shutil.rmtree(base, ignore_errors=True)
        sys.exit(code)


def main() -> int:
    """Run the campaigns; 1 if any case failed."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", choices=("small", "full"), default="small")
    parser.add_argument("--share", type=float, default=100, help="percent of the round (100)")
    parser.add_argument("--only", action="append", choices=NAMES, help="this campaign")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--out", type=Path, default=Path(tempfile.gettempdir(), "campaigns"))
    parser.add_argument("--case", metavar="NAME:NUMBER", help="run this case alone")
    arguments = parser.parse_args()
    arguments.out.mkdir(parents=True, exist_ok=True)
    out = arguments.out.resolve()
    if "CAMPAIGNS" not in os.environ:
        base = Path(tempfile.mkdtemp(prefix="campaigns-")).resolve()
        if os.geteuid() == 0 and shutil.which("unshare"):
            _start_safe(base, out, arguments.workers)
        os.environ["CAMPAIGNS"] = str(base)
    base = Path(os.environ["CAMPAIGNS"])
    os.environ["MPLCONFIGDIR"] = str(base / "matplotlib")
    os.environ["PYTHONWARNINGS"] = "ignore:resource_tracker"  # what is killed leaves semaphores
    workers = [_Worker(base, number, arguments.seed) for number in range(arguments.workers)]
    keeper, rows = _Keeper(out, arguments), []
    try:
        for name in arguments.only or NAMES:
            if arguments.case and name != arguments.case.partition(":")[0]:
                continue
            size = importlib.import_module(name).SIZES[arguments.rounds == "full"]
            cases = list(range(max(1, round(size * arguments.share / 100))))
            if arguments.case:
                cases = [int(arguments.case.partition(":")[2])]
            if not _run(name, [None], workers[:1], keeper)[0]:
                rows.append((name, len(cases), *_run(name, cases, workers, keeper)))
    finally:
        for worker in workers:
            worker.stop(wait=not worker.task)
        shutil.rmtree(base, ignore_errors=True)
    print(f"{'campaign':14} {'cases':>6} {'failed':>6} {'seconds':>8} {'peak MB':>8}")
    for name, size, failures, seconds, peak in rows:
        print(f"{name:14} {size:6} {failures:6} {seconds:8.1f} {peak / 1e6:8.0f}")
    for (name, kind), number in keeper.kinds.most_common():
        print(f"{number:6} x {name}: {kind}\n           {keeper.first[name, kind]}")
    return int(bool(keeper.kinds))
