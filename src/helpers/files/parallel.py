"""Work shared out among processes, with a progress bar."""

import os
import signal
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import BrokenExecutor
from contextlib import contextmanager, nullcontext, suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import joblib

from helpers import Problem
from helpers.files.places import IN_BROWSER

if TYPE_CHECKING:
    from tqdm import tqdm

_JOBS_AT_A_TIME = 64  # that a worker is handed, at most
_FEW_JOBS = 32  # so many are done before other processes would have started


def share_out(
    function: Callable[[object], object], jobs: list, *, workers: int | None, title: str
) -> list:
    """What `function` makes of all jobs, in their order, whatever the number of workers.

    Parameters
    ----------
    function : callable
        Takes a job. It is sent to other processes, so it is a function of a module, or a
        ``functools.partial`` of one.
    jobs : list
        What there is to do. Each job is sent to a process, so it is something that can be pickled.
    workers : int or None
        Processes. If None, all processors are used, but only this process for up to 32 jobs:
        others would take longer to start. In a browser this process does it all.
    title : str
        What the progress bar says.

    Returns
    -------
    list
        What `function` returned for each job.

    Raises
    ------
    Problem
        If a process was killed, as the system does when memory runs out.

    Examples
    --------
    >>> share_out(abs, [3, -1, -2], workers=1, title="signs")
    [3, 1, 2]
    """
    return list(share_out_as_done(function, jobs, workers=workers, title=title))


def share_out_as_done(
    function: Callable[[object], object], jobs: list, *, workers: int | None, title: str
) -> Iterator:
    """As `share_out`, but each result as soon as it and all before it are there.

    Parameters
    ----------
    function, jobs, workers, title
        See `share_out`.

    Yields
    ------
    object
        What `function` returned for the next job. What was done is so not lost when somebody stops
        the work.

    Raises
    ------
    Problem
        As `share_out` does.

    Examples
    --------
    >>> next(share_out_as_done(abs, [-3, 1], workers=1, title="signs"))
    3
    """
    if not jobs:
        return
    workers = workers or (1 if len(jobs) <= _FEW_JOBS else joblib.cpu_count())
    workers = 1 if IN_BROWSER else min(workers, len(jobs))  # a browser has no processes
    size = max(1, min(_JOBS_AT_A_TIME, len(jobs) // (8 * workers)))
    chunks = [jobs[start : start + size] for start in range(0, len(jobs), size)]
    pool = joblib.Parallel(n_jobs=workers, return_as="generator", batch_size=1)
    here = Path()
    with suppress(OSError):  # somebody has deleted it
        here = Path.cwd()
    with progress_bar(total=len(jobs), title=title) as bar:
        try:
            with _deaf() if workers > 1 else nullcontext():
                work = joblib.delayed(partial(_work_in, here, function))
                outcomes = pool(map(work, chunks))
            for chunk, done in zip(chunks, outcomes, strict=True):
                bar.update(len(chunk))
                yield from done
        except BrokenExecutor as error:
            raise Problem(
                f"{title}: one of {workers} processes was killed, most likely for want of memory; "
                "try again with fewer (workers=1; with clean, --workers 1)"
            ) from error


def _work_in(place: Path, function: Callable[[object], object], jobs: list) -> list:
    os.chdir(place)  # a process that began before may still be where this one was then
    return list(map(function, jobs))


@contextmanager
def _deaf() -> Iterator[None]:
    """Let processes that start here not hear control-C: this one hears it, and ends them."""
    if os.name == "nt":
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def progress_bar(
    images: Iterable | None = None,
    *,
    total: int | None,
    title: str,
    unit: str = "image",
    begun: int = 0,
) -> "tqdm":
    """A bar that counts images, or bytes, and goes when it is full.

    There is none in a browser, nor where ``TQDM_DISABLE`` is set.

    Parameters
    ----------
    images : iterable, optional
        What to count while it is gone through.
    total : int or None
        How many images there are; None if that is not known.
    title : str
        What is done with them.
    unit : str
        What one of them is; ``B`` for bytes, which are told in kB and MB.
    begun : int
        How many were done before.

    Returns
    -------
    tqdm
        A widget in a notebook, text on a terminal.

    Examples
    --------
    >>> list(progress_bar("abc", total=3, title="spelling"))
    ['a', 'b', 'c']
    """
    # late, so that workers start without it
    if IN_BROWSER:  # where no thread can watch a bar, and tqdm warns of that
        from tqdm import tqdm

        tqdm.monitor_interval = 0
    else:
        from tqdm.auto import tqdm

    hidden = IN_BROWSER or bool(os.environ.get("TQDM_DISABLE"))  # the widget does not look itself
    return tqdm(
        images,
        total=total,
        unit=unit,
        unit_scale=unit == "B",
        initial=begun,
        desc=title,
        leave=False,
        disable=hidden,
    )
