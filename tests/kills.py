"""What ends processes: at an event and never after a time, so that a busy machine changes nothing.

`die_before`   a process that ends by itself just before an operation on a file, as by a power cut
`kill_at`      a process that is killed from outside at a moment of its work
"""

import multiprocessing
import os
import sys
from itertools import count

DIED = 99  # the exit code of a process that ended as by a power cut
_OPERATIONS = {
    f"os.{name}" for name in ("rename", "remove", "mkdir", "rmdir", "link", "chmod", "utime")
}

# A server that has imported everything once makes a new process in a few hundredths of a second.
context = multiprocessing.get_context(
    "forkserver" if "forkserver" in multiprocessing.get_all_start_methods() else "spawn"
)
if context.get_start_method() == "forkserver":
    wings = ("datasets", "gate.bank", "quarantine.moving", "shelf", "truth.near_duplicates")
    kinds = ("Avif", "Bmp", "Gif", "Jpeg", "Mpo", "Png", "Ppm", "Tiff", "WebP")
    context.set_forkserver_preload(
        [
            *(f"helpers.{wing}" for wing in wings),
            *(f"PIL.{kind}ImagePlugin" for kind in kinds),
            "helpers.files.downloads",
            "requests",
            "pytest",
            "kills",
        ]
    )


def start(function, *arguments):
    """A process that has begun to work when this returns."""
    here, there = context.Pipe(duplex=False)
    process = context.Process(target=_begin, args=(there, function, arguments))
    process.start()
    there.close()
    here.recv()
    return process


def _begin(there, function, arguments):
    there.send("ready")
    function(*arguments)


def exit_code(function, *arguments):
    """The exit code of a process of its own that does the work."""
    process = context.Process(target=function, args=arguments)
    process.start()
    process.join()
    return process.exitcode


def die_before(operation):
    """Let this process die just before its operation number `operation` on a file: nothing is cleaned up.

    Gives back a function that counts as one operation more, and does something just before it dies.
    """
    seen = count(1)

    def step(before=lambda: None):
        if next(seen) == operation:
            before()
            os._exit(DIED)

    def hook(event, details):
        flags = details[2] if event == "open" else None
        writes = isinstance(flags, int) and flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT)
        if writes or event in _OPERATIONS:
            step()

    sys.addaudithook(hook)
    return step


def work_until(operation, function, *arguments):
    """Work, and die just before operation number `operation` on a file. For a process of its own."""
    die_before(operation)
    function(*arguments)


def count_moments(function, *arguments):
    """How many moments the work has in a process of its own: calls of functions, and returns from them."""
    process, here = _watch(None, function, arguments)
    moments = here.recv()
    process.join()
    assert process.exitcode == 0
    return moments


def kill_at(moment, function, *arguments):
    """Kill a process as soon as its work comes to that moment; its exit code, which is 0 if it was done before.

    It goes on until the kill arrives, so that it may be at anything: in the middle of a write, too.
    """
    process, here = _watch(moment, function, arguments)
    try:
        here.recv()
    except EOFError:  # it ended otherwise, as its exit code tells
        pass
    else:
        process.kill()
    process.join()
    return process.exitcode


def _watch(moment, function, arguments):
    here, there = context.Pipe(duplex=False)
    process = context.Process(target=_work_and_count, args=(there, moment, function, arguments))
    process.start()
    there.close()
    return process, here


def _work_and_count(there, moment, function, arguments):
    seen = 0

    def step(*event):
        nonlocal seen
        seen += 1
        if seen == moment:
            there.send(seen)

    sys.setprofile(step)
    function(*arguments)
    sys.setprofile(None)
    if moment is None:
        there.send(seen)
    there.close()
