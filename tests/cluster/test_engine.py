"""Workers keep to their memory; what is lost comes back, or is told in a sentence."""

import errno
import multiprocessing
import os
import re
import signal
import subprocess
import sys
import tempfile
from contextlib import ExitStack
from functools import partial
from importlib.util import find_spec

import numpy as np
import pandas as pd
import pytest
from inputs import NO_DASK

from helpers import Problem

needs_dask = pytest.mark.skipif(not find_spec("distributed"), reason=NO_DASK)
if find_spec("distributed"):
    import distributed
    import psutil

    from helpers.cluster import engine

MEMORY = 700_000_000


@pytest.fixture(scope="module")
def scratch(tmp_path_factory):
    """The folder for temporary files, here one of its own."""
    folder = tmp_path_factory.mktemp("temporary")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tempfile, "tempdir", str(folder))
        yield folder


@pytest.fixture(scope="module")
def client(scratch, tmp_path_factory):
    report = tmp_path_factory.mktemp("report") / "report.html"
    with engine.engine(workers=2, memory="700MB", report=report) as client:
        yield client
        assert [path for path in scratch.rglob("worker-*") if path.is_dir()]
    assert "Dask Performance Report" in report.read_text(encoding="utf-8")
    assert not [path for path in scratch.rglob("*") if path.is_dir() and "worker" in path.name]


def about_this_process(dask_worker):
    threads, limit = dask_worker.state.nthreads, dask_worker.memory_manager.memory_limit
    return os.getpid(), threads, limit, len(multiprocessing.active_children())


@needs_dask
def test_workers_are_processes_with_one_thread_and_a_limit_of_memory(client):
    told = list(client.run(about_this_process).values())
    assert len({pid for pid, *_ in told} - {os.getpid()}) == 2
    assert {tuple(rest) for _, *rest in told} == {(1, MEMORY, 0)}


def die_once(marker, number):
    if number == 3 and not marker.exists():
        marker.touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return number


@needs_dask
def test_the_work_of_a_worker_that_is_killed_is_done_by_another(client, tmp_path):
    futures = client.map(partial(die_once, tmp_path / "killed"), range(6))
    assert engine.gather(futures, "numbers") == list(range(6))
    assert (tmp_path / "killed").exists()


@needs_dask
def test_names_that_are_no_text_reach_the_workers_and_come_back(client):
    names = ["caf\udce9.jpg", "\udcff/\udcfe"]
    assert engine.gather(client.map(str, names), "names") == names


def take_memory(bytes):
    return len(bytearray(os.urandom(2**20)) * (bytes // 2**20))


def fill_disk(number):
    raise OSError(errno.ENOSPC, "No space left on device")


@needs_dask
@pytest.mark.parametrize(
    ("work", "reason"),
    [(take_memory, "all those workers died while running it"), (fill_disk, "No space left")],
)
def test_work_that_takes_too_much_is_told_in_a_sentence(client, work, reason):
    client.run_on_scheduler(lambda dask_scheduler: setattr(dask_scheduler, "allowed_failures", 0))
    address = client.scheduler.address
    expected = pytest.raises(Problem, match=f"^{address}: .*{reason}.*; see that .* to go on$")
    with expected, engine.engine(address) as again:
        engine.gather(again.map(work, [3 * MEMORY]), "memory")


@needs_dask
def test_what_is_no_fault_of_the_cluster_comes_through(client):
    with pytest.raises(ZeroDivisionError), engine.engine(client.scheduler.address) as again:
        engine.gather(again.map(lambda number: 1 // number, [1, 0]), "numbers")
    with pytest.raises(Problem, match=r"^photos: no$"), engine.engine(client.scheduler.address):
        raise Problem("photos: no")


@needs_dask
def test_a_scheduler_that_does_not_answer_is_a_sentence(monkeypatch):
    monkeypatch.setattr(engine, "_PATIENCE", 0.2)  # nobody waits 20 seconds for a test
    expected = pytest.raises(Problem, match=r"^tcp://127\.0\.0\.1:9: .*; see that scheduler")
    with expected, engine.engine("tcp://127.0.0.1:9"):
        pytest.fail("there is none")


@needs_dask
def test_a_scheduler_with_tls_needs_a_certificate_and_says_so():
    expected = pytest.raises(Problem, match=r"^tls://127\.0\.0\.1:9: TLS expects .*; write tcp:")
    with expected, engine.engine("tls://127.0.0.1:9"):
        pytest.fail("there is no certificate")


@needs_dask
@pytest.mark.parametrize(
    ("memory", "reason"), [("60MB", "too little memory for a worker"), ("much", "Could not .*")]
)
def test_too_little_memory_is_refused_before_a_worker_starts(memory, reason):
    expected = pytest.raises(Problem, match=f"^{memory}: {reason}; write 4GB, say$")
    with expected, engine.engine(memory=memory):
        pytest.fail("its workers would end at once")


@needs_dask
def test_control_c_while_workers_start_is_heard_once_they_can_be_ended_in_order(monkeypatch):
    done = []

    class Cluster(ExitStack):
        def __init__(self, **about):
            super().__init__()
            signal.raise_signal(signal.SIGINT)
            self.callback(done.append, "ended")
            done.append("started")

    heard = signal.getsignal(signal.SIGINT)
    monkeypatch.setattr(distributed, "LocalCluster", Cluster)
    with pytest.raises(KeyboardInterrupt), engine.engine():
        pytest.fail("it went on")
    assert done == ["started", "ended"]
    assert signal.getsignal(signal.SIGINT) is heard


@needs_dask
@pytest.mark.slow
@pytest.mark.skipif("win32" in sys.platform, reason="there each process of a console hears it")
def test_control_c_at_a_terminal_ends_a_cluster_that_starts_without_a_traceback(tmp_path):
    pd.DataFrame({"id": [0], "fingerprint": np.uint64([7])}).to_parquet(tmp_path / "v.parquet")
    command = [sys.executable, "-m", "helpers", "cluster", "index", "v.parquet", "--out", "table"]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    began = subprocess.Popen(command, **pipes, cwd=tmp_path, start_new_session=True)
    while not any("spawn_main" in " ".join(each.cmdline()) for each in family(began.pid)):
        assert began.poll() is None, began.communicate()
    workers = family(began.pid)
    os.killpg(began.pid, signal.SIGINT)
    out, err = began.communicate(timeout=60)
    assert (began.returncode, out) == (130, ""), err
    assert re.fullmatch("Stopped; what is finished of the table is kept. .*\n", err)
    left = psutil.wait_procs(workers, timeout=20)[1]  # they have a moment to follow
    assert not [each for each in left if each.status() != psutil.STATUS_ZOMBIE]


def family(pid):
    return psutil.Process(pid).children(recursive=True)


@needs_dask
def test_work_that_was_cancelled_has_no_results(client):
    futures = client.map(abs, [-1, -2])
    client.cancel(futures)
    with pytest.raises(distributed.CancelledError):
        engine.gather(futures, "numbers")


@needs_dask
def test_a_scheduler_without_workers_is_a_sentence(monkeypatch):
    monkeypatch.setattr(engine, "_PATIENCE", 0.2)
    about = {"processes": False, "n_workers": 0, "dashboard_address": ":0"}
    cluster = distributed.LocalCluster(**about)
    expected = pytest.raises(Problem, match="see that scheduler and workers are there")
    with cluster, expected, engine.engine(cluster.scheduler_address):
        pytest.fail("there is no worker")


@needs_dask
@pytest.mark.parametrize(
    ("work", "sentence"),
    [
        ((1, 6), "1 partition, a minute or less"),
        (
            (4000, 2 * 60 * 95.4, 16e9),
            "4,000 partitions, 16.0 GB sent between workers, about 95 minutes",
        ),
    ],
)
def test_a_cost_is_told_in_words(client, work, sentence):
    assert engine.cost(client, *work) == sentence


@pytest.mark.slow
@pytest.mark.parametrize("package", ["bokeh", "dask"])
def test_a_package_that_is_missing_is_a_sentence(package):
    code = f"""
import sys
sys.modules[{package!r}] = None  # as if it were not there
from helpers import Problem
try:
    import helpers.cluster.tables
except Problem as problem:
    print(isinstance(problem, ImportError), problem)
"""
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert told.stdout.startswith("True the cluster needs ")
    assert told.stdout.endswith('run  python -m pip install "image-fingerprints[cluster]"\n')
