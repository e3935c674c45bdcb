"""A run that is killed at any moment is completed to the same bytes by the same command."""

import json
import os
import random
import signal
import subprocess
import sys

import pytest
from experiments_runs import CHANGES, HASH_NAMES, folder_of_pictures, small_run
from kills import count_moments, kill_at

#: How many kills of one process, at moments drawn by seed, and of a command with its two workers.
ROUNDS = [(2, 1), pytest.param((13, 7), marks=pytest.mark.campaign)]


def contents(folder):
    """The bytes of each file, but for date, machine and seconds in run.json."""
    files = {str(file.relative_to(folder)): file.read_bytes() for file in folder.rglob("*.*")}
    about = json.loads(files["run.json"])
    files["run.json"] = {
        key: about[key] for key in about if key not in ("date", "machine", "seconds")
    }
    return files


def killed_with_its_workers(photos, out, table, parts):
    """Kill all processes of the command as soon as so many parts are there; True if it was not done before."""
    words = [sys.executable, "-m", "helpers", "experiment", "run", str(photos), "--out", str(out)]
    words += ["--hashes", ",".join(HASH_NAMES), "--changes", str(table), "--queries", "5"]
    process = subprocess.Popen(
        [*words, "--workers", "2"], start_new_session=True, stdout=subprocess.DEVNULL
    )
    while process.poll() is None:
        if len(list((out / "parts").glob("?" * 24 + ".json"))) >= parts:
            os.killpg(process.pid, signal.SIGKILL)
            break
    return process.wait() == -signal.SIGKILL


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="processes are killed in groups")
@pytest.mark.parametrize("kills", ROUNDS)
def test_a_killed_run_is_completed_to_the_same_bytes(kills, tmp_path, monkeypatch):
    monkeypatch.setenv("FINGERPRINTS_DATA", str(tmp_path / "data"))
    photos = folder_of_pictures(tmp_path / "photos", 12)
    lines = [f"{name} = {json.dumps(strengths)}" for name, strengths in CHANGES.items()]
    (tmp_path / "table.toml").write_text("\n".join(lines))
    small_run(photos, tmp_path / "right")
    right = contents(tmp_path / "right")
    alone, together = kills
    moments = count_moments(small_run, photos, tmp_path / "counted")
    assert contents(tmp_path / "counted") == right
    died = 0
    for number, moment in enumerate(random.Random(1).sample(range(1, moments), alone)):
        out = tmp_path / f"alone-{number}"
        died += kill_at(moment, small_run, photos, out) != 0
        small_run(photos, out)
        assert contents(out) == right
    for parts in range(together):
        out = tmp_path / f"together-{parts}"
        died += killed_with_its_workers(photos, out, tmp_path / "table.toml", parts)
        small_run(photos, out)
        assert contents(out) == right
    assert died >= 0.7 * (alone + together)
