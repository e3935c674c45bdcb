"""The page on real clusters: its commands are those that there are, and do what it says."""

import argparse
import os
import re
import shlex
import shutil
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import hosts
import pytest
from inputs import NO_DASK

NEEDED = ("unshare", "nsenter", "ip", "ssh", "sshd", "script", "openssl")


def words():
    """The words of each command of the page, whichever machine it is for."""
    blocks = (block for found in hosts.commands().values() for block in found)
    lines = [line for block in blocks for line in block.splitlines()]
    told = [re.sub(r"^ssh -t \S+ '(.+)'$", r"\1", line) for line in lines]
    begin = "~/fingerprints/bin/"
    return [shlex.split(line.removeprefix(begin)) for line in told if line.startswith(begin)]


def test_the_page_has_the_kits_commands_as_the_command_line_takes_them():
    parser = argparse.ArgumentParser()
    import_module("helpers.commands.cluster").add(parser.add_subparsers())
    found = [rest for python, *rest in words() if python == "python" and "helpers" in rest]
    assert {rest[3] for rest in found} == {"index", "pairs", "search"}
    for rest in found:
        assert parser.parse_args(rest[2:]).scheduler == "tcp://10.0.0.1:8786"


def test_the_page_has_dasks_commands_as_dask_takes_them():
    found = {rest[0]: rest[1:] for dask, *rest in words() if dask == "dask"}
    assert set(found) == {"scheduler", "worker"}
    for name, rest in found.items():
        command = pytest.importorskip(f"distributed.cli.dask_{name}", reason=NO_DASK).main
        assert command.make_context(name, rest).params["host"].startswith("10.0.0.")


def test_the_page_sets_up_dask_as_the_engine_does_here():
    pytest.importorskip("distributed", reason="takes the extra cluster")
    dask = import_module("dask")
    yaml, engine = pytest.importorskip("yaml"), import_module("helpers.cluster.engine")
    blocks = (block for found in hosts.commands().values() for block in found)
    (text,) = (block for block in blocks if "fingerprints.yaml <<END" in block)
    told = yaml.safe_load(text.partition("<<END\n")[2].partition("\nEND")[0])
    assert told["distributed"].pop("scheduler") == {"no-workers-timeout": "60s"}  # not so here:
    expected = {}  # a worker that is lost comes back
    for key, value in engine._KEEP_MEMORY.items():  # as no caller needs to know
        dask.config.set({key: value}, config=expected)
    assert told == expected


@pytest.mark.skipif("THREE_HOSTS" not in os.environ, reason="asked for by THREE_HOSTS=1")
def test_three_machines_give_the_digest_of_one_by_the_commands_of_the_page(tmp_path):
    if missing := [name for name in NEEDED if not shutil.which(name)] or os.getuid():
        pytest.skip(f"takes root, and {', '.join(NEEDED)}: {missing}")
    pytest.importorskip("distributed", reason=NO_DASK)
    apart = ["unshare", "--net", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc"]
    command = [*apart, sys.executable, Path(hosts.__file__)]
    env = os.environ | {"TMPDIR": str(tmp_path)}
    done = subprocess.run(command, env=env, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    assert "The same digest: " in done.stdout
