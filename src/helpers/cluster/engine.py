"""Dask at work: a local cluster or one that is there already, and sentences for what fails."""

from __future__ import annotations

import errno
import logging
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from importlib.util import find_spec
from multiprocessing import resource_tracker
from pathlib import Path

from helpers import Problem
from helpers.files.parallel import progress_bar


class NotInstalled(Problem, ImportError):
    """The extra `cluster` is missing."""


try:
    import dask.dataframe
    import distributed

    if not find_spec("bokeh"):  # which draws the report, and which no worker needs
        raise ModuleNotFoundError(name="bokeh")
except ImportError as error:
    raise NotInstalled(
        f"the cluster needs {error.name}, which is not installed: "
        'run  python -m pip install "image-fingerprints[cluster]"'
    ) from error

# else a worker gives memory back at once, and to take it again takes half of a search's time; and
# one that keeps it would wait for ever to have less, where it may go on or be ended
_KEEP_MEMORY = {
    "distributed.worker.memory.pause": False,
    "distributed.nanny.pre-spawn-environ.MALLOC_TRIM_THRESHOLD_": 2**27,  # bytes
    "distributed.nanny.pre-spawn-environ.MALLOC_MMAP_THRESHOLD_": 2**25,
    "distributed.nanny.pre-spawn-environ.ARROW_DEFAULT_MEMORY_POOL": "system",  # one for all
}
_PATIENCE = 20  # seconds in which a scheduler has to answer
_LEAST_MEMORY = 300e6  # bytes; with less a worker ends before it begins, again and again
_LOST = (  # names of what Dask raises if it was not the work that failed
    *("KilledWorker", "NoWorkerError", "NoValidWorkerError", "WorkerStartTimeoutError"),
    *("CommClosedError", "TimeoutError", "P2POutOfDiskError"),
    *("CancelledError", "FutureCancelledError", "FuturesCancelledError"),
)


def cost(client: distributed.Client, pieces: int, seconds: float, bytes_shuffled: float = 0) -> str:
    """What work will cost with the workers that there are, as far as it can be told beforehand.

    Parameters
    ----------
    client : distributed.Client
        From `engine`.
    pieces : int
        Of work.
    seconds : float
        For which one processor would work.
    bytes_shuffled : float
        What the workers will send to each other.

    Returns
    -------
    str
        A sentence, without a full stop.

    Examples
    --------
    >>> cost(client, 40, 1488, 16e9)  # doctest: +SKIP
    '40 partitions, 16.0 GB sent between workers, about 12 minutes'
    """
    threads = sum(client.nthreads().values()) or 1  # none, while workers are replaced
    minutes = seconds / 60 / threads
    noun = "partition" if pieces == 1 else "partitions"
    sent = f"{bytes_shuffled / 1e9:.1f} GB sent between workers, " if bytes_shuffled else ""
    time = f"about {minutes:,.0f} minutes" if minutes >= 1.5 else "a minute or less"
    return f"{pieces:,} {noun}, {sent}{time}"


@contextmanager
def _control_c_waits() -> Iterator[None]:
    """Half a cluster cannot be ended in order: Control-C is heard once it is whole.

    What is started meanwhile does not hear it at all, where signals can be held back.
    """
    if threading.current_thread() is not threading.main_thread():  # which alone hears it
        yield
        return
    pressed, hold = [], getattr(signal, "pthread_sigmask", None)  # not on Windows
    before = signal.signal(signal.SIGINT, lambda *_: pressed.append(True))
    if hold:
        resource_tracker.ensure_running()  # else it lets go what is held, once it is started
        held = hold(signal.SIG_BLOCK, [signal.SIGINT])
    try:
        yield
    finally:
        if hold:
            hold(signal.SIG_SETMASK, held)
        signal.signal(signal.SIGINT, before)
    if pressed:
        raise KeyboardInterrupt


class _DeafToControlC(distributed.WorkerPlugin):
    """Control-C reaches all processes of a terminal; the first one ends the others in order."""

    def setup(self, worker: distributed.Worker) -> None:
        signal.signal(signal.SIGINT, signal.SIG_IGN)


@contextmanager
def engine(
    scheduler: str | None = None,
    workers: int | None = None,
    memory: str = "1.5GB",
    report: str | Path | None = None,
) -> Iterator[distributed.Client]:
    """Dask at work, for as long as the block lasts.

    Parameters
    ----------
    scheduler : str, optional
        The address of a scheduler, such as ``"tcp://10.0.0.1:8786"``. If left out, a local cluster
        is started: a process a worker, with one thread each.
    workers : int, optional
        Processes of a local cluster; one for each processor if left out.
    memory : str
        What each of them may take. Dask moves data to the disk before (to the folder for temporary
        files), and stops a worker that takes more.
    report : str or Path, optional
        Where Dask's performance report (HTML) is kept.

    Yields
    ------
    distributed.Client
        Give it to the functions of this wing.

    Raises
    ------
    Problem
        If no scheduler answers, or if workers would have too little memory; out of the block, if
        workers, the scheduler or a disk are lost.

    Notes
    -----
    A program that starts a local cluster has its work under ``if __name__ == "__main__":``, since
    each worker imports the program first.

    Control-C waits for the seconds in which a local cluster starts.

    Examples
    --------
    >>> with engine(workers=2) as client:  # doctest: +SKIP
    ...     table = index("photos", "table", client=client)
    """
    local = {"n_workers": workers, "threads_per_worker": 1, "memory_limit": memory}
    local["silence_logs"] = "CRITICAL"  # what fails is told in a sentence
    local["scheduler_kwargs"] = {"dashboard": False, "dashboard_address": "127.0.0.1:0"}
    try:
        with ExitStack() as stack:  # whose end may fail, too, as the report without a scheduler
            stack.enter_context(distributed.utils.silence_logging_cmgr("CRITICAL"))
            log = logging.getLogger("asyncio")  # which tells of work that nobody waits for any more
            stack.callback(log.setLevel, log.level)
            log.setLevel("CRITICAL")
            stack.enter_context(dask.config.set(_KEEP_MEMORY))
            try:
                if not scheduler and dask.utils.parse_bytes(memory) < _LEAST_MEMORY:
                    raise ValueError("too little memory for a worker")
                if not (cluster := scheduler):
                    with _control_c_waits():
                        cluster = stack.enter_context(distributed.LocalCluster(**local))
                client = stack.enter_context(distributed.Client(cluster, timeout=_PATIENCE))
            except (ValueError, TypeError) as error:  # not written so, or TLS without a certificate
                remedy = "write tcp://10.0.0.1:8786" if scheduler else "write 4GB"
                raise Problem(f"{scheduler or memory}: {error}; {remedy}, say") from error
            client.wait_for_workers(1, timeout=_PATIENCE)
            if not scheduler:
                client.register_plugin(_DeafToControlC())
            if report:
                stack.enter_context(distributed.performance_report(str(report)))
            yield client
    except Exception as error:
        if not (reason := _lost(error)):
            raise
        raise Problem(
            f"{scheduler or 'the local cluster'}: {reason}; see that scheduler and workers are "
            "there, with more memory or room on their disks, and run it again to go on"
        ) from error


def _lost(error: BaseException | None) -> str:
    """What was lost of the cluster; nothing if it was the work that failed."""
    while error and not isinstance(error, Problem):
        if type(error).__name__ in _LOST or getattr(error, "errno", 0) == errno.ENOSPC:
            return str(error).partition(". ")[0] or type(error).__name__
        error = error.__cause__ or error.__context__
    return ""


def gather(
    futures: list[distributed.Future],
    title: str,
    unit: str = "part",
    each: Callable[[object], object] | None = None,
) -> list:
    """What tasks give back, in their order, with a progress bar.

    Parameters
    ----------
    futures : list of Future
        The tasks.
    title : str
        What the progress bar says.
    unit : str
        What one task is.
    each : callable, optional
        Takes each result as it comes. What it raises ends all.

    Returns
    -------
    list
        Their results, which are small.

    Raises
    ------
    Exception
        What a task raised, at once.

    Examples
    --------
    >>> gather(client.map(abs, [3, -1]), "signs")  # doctest: +SKIP
    [3, 1]
    """
    results = {}
    with progress_bar(total=len(futures), title=title, unit=unit) as bar:
        for future in distributed.as_completed(futures):
            results[future.key] = future.result()  # which raises what as_completed would yield
            if each:
                each(results[future.key])
            bar.update()
    return [results[future.key] for future in futures]
