"""Three machines in one: the commands of `more/on-a-cluster.ipynb`, typed as they stand there.

Each machine is a network namespace with an address, a home, a folder /var/tmp and an SSH server
of its own; a fourth has a store, if moto is installed. They share /mnt. Nothing is left of them:

    unshare --net --mount --pid --fork --kill-child --mount-proc python tests/hosts.py

It takes root, Linux, `ip`, `ssh` and `sshd`, and two minutes. With `iptables`, only the ports are
open that the page names. ``THREE_HOSTS=1 python -m pytest tests/cluster/test_on_a_cluster.py``
does the same as a test.
"""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
from contextlib import suppress
from hashlib import sha256
from importlib.util import find_spec
from pathlib import Path

PAGE = Path(__file__).parents[1] / "notebooks" / "more" / "on-a-cluster.ipynb"
HOME, KEY = Path("/srv/home"), "/srv/home/.ssh/id_ed25519"
STORE = {
    "AWS_ENDPOINT_URL": "http://10.0.0.4:9000",
    "AWS_ACCESS_KEY_ID": "key",
    "AWS_SECRET_ACCESS_KEY": "secret",
    "AWS_DEFAULT_REGION": "us-east-1",
}
#: What a command that goes on says when it is ready.
READY = {"dask scheduler": "Scheduler at:", "dask worker": "Registered to:"}


def commands():
    """The commands of the page: for each heading the blocks below it."""
    cells = json.loads(PAGE.read_text(encoding="utf-8"))["cells"]
    text = "\n".join("".join(cell["source"]) for cell in cells)
    parts = re.split(r"(?m)^## (.+)$", text)[1:]
    blocks = [re.findall(r"(?s)```bash\n(.+?)```", part) for part in parts[1::2]]
    return dict(zip(parts[::2], blocks, strict=True))


def sh(script, *before, **options):
    return subprocess.run([*before, "bash", "-euc", script], check=True, text=True, **options)


class Host:
    """A machine with the address 10.0.0.`number`."""

    def __init__(self, number, folder):
        words = ["unshare", "--net", "--mount", "--uts", "sleep", "infinity"]
        self.process, self.number, self.goes_on = subprocess.Popen(words), number, []
        pid = self.process.pid
        self.inside = ["nsenter", "--target", str(pid), "--net", "--mount", "--uts"]
        while Path(f"/proc/{pid}/ns/net").readlink() == Path("/proc/self/ns/net").readlink():
            os.sched_yield()  # until it has left ours
        link = f"ip link add to{number} type veth peer name eth0 netns {pid}"
        sh(f"{link}; ip link set to{number} master bridge up")
        self.run(
            f"""hostname host{number}; ip link set lo up; ip link set eth0 up
            ip address add 10.0.0.{number}/24 dev eth0
            mount --bind {folder}/passwd /etc/passwd; mount --bind {folder}/shared /mnt
            for own in /srv /run /var/tmp; do mount -t tmpfs own $own; done
            cp -r {folder}/home {HOME}; ln -s {sys.prefix} {HOME}/fingerprints; mkdir /run/sshd
            {shutil.which("sshd")} -h {KEY} -o UsePAM=no -o StrictModes=no -o PidFile=none \
              -o 'SetEnv={" ".join(f"{k}={v}" for k, v in STORE.items())}'"""
        )

    def run(self, script, **options):
        """Type commands, as in a shell that has begun in its home."""
        env = {"PATH": os.environ["PATH"], "HOME": str(HOME), **STORE}
        cwd = HOME if HOME.exists() else "/"
        return sh(
            f"[ -d {HOME} ] && cd {HOME}; {script}", *self.inside, env=env, cwd=cwd, **options
        )

    def begin(self, command, ready):
        """Type a command that goes on, and wait until it says that it is ready."""
        env = {"PATH": os.environ["PATH"], "HOME": str(HOME), **STORE}
        words = [*self.inside, "script", "-qefc", f"cd {HOME}; {command.strip()}", "/dev/null"]
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}  # script is their terminal
        began, said = subprocess.Popen(words, text=True, env=env, **pipes), []
        for line in began.stdout:
            said.append(line)
            if ready in line:
                self.goes_on.append(began)
                return
        raise SystemExit("".join(said))

    def processes(self):
        """What runs there under Python."""
        net = Path(f"/proc/{self.process.pid}/ns/net").readlink()
        for process in Path("/proc").glob("[0-9]*"):
            with suppress(OSError):
                if (process / "ns/net").readlink() == net and "python" in str(
                    (process / "exe").readlink()
                ):
                    yield int(process.name)

    def stop(self):
        """Press Ctrl+C in all terminals, first in the first one; wait until they have ended."""
        for began in self.goes_on:
            began.communicate("\x03", timeout=60)
        self.goes_on.clear()


def lay(folder):
    """What all machines begin with: a key for SSH, who is root, pictures in the shared folder."""
    import numpy as np
    import pandas as pd
    from PIL import Image

    from helpers import datasets
    from helpers.experiments.counting import caltech_101

    (folder / "home/.ssh").mkdir(parents=True)
    (folder / "passwd").write_text(
        f"root:x:0:0:root:{HOME}:/bin/bash\nsshd:x:100:65534::/run/sshd:\n"
    )
    sh(f"ssh-keygen -q -t ed25519 -N '' -f {folder}/home/.ssh/id_ed25519")
    public = (folder / "home/.ssh/id_ed25519.pub").read_text()
    (folder / "home/.ssh/authorized_keys").write_text(public)
    known = "".join(f"10.0.0.{number} {public}" for number in (1, 2, 3))
    (folder / "home/.ssh/known_hosts").write_text(known)
    sample = datasets.load("sample", show=lambda sentence: None)
    for number, image in enumerate(sample.images):
        for place in ("photos", *(["photos/copies", "new"] if number % 5 == 0 else [])):
            path = folder / "shared" / place / image
            path.parent.mkdir(parents=True, exist_ok=True)
            picture = Image.open(sample.root / image)
            picture.resize([length // (1 + ("copies" in place)) for length in picture.size]).save(
                path
            )
    values, rng = (
        caltech_101()[0]["fingerprint"].to_numpy(dtype=np.uint64),
        np.random.default_rng(0),
    )
    flipped = rng.integers(0, 2**64, (3, 10, len(values)), dtype=np.uint64)
    values = values ^ np.bitwise_and.reduce(flipped)  # an eighth of the bits
    values[0] = caltech_101()[0]["fingerprint"]
    numbers = folder / "shared/numbers"
    numbers.mkdir()
    for number, some in enumerate(values):
        ids = np.arange(len(some)) + number * len(some)
        pd.DataFrame({"id": ids, "fingerprint": some}).to_parquet(numbers / f"{number}.parquet")


def in_one_process(table, radius):
    """The digest of the pairs that one process finds."""
    import pandas as pd

    from helpers.search.pairs import all_pairs

    parts = [pd.read_parquet(path) for path in sorted(table.glob("part-*"))]
    rows = pd.concat(parts, ignore_index=True)
    pairs = all_pairs(rows["fingerprint"], radius)
    ids = rows["id"].to_numpy()
    pairs = pairs.assign(first=ids[pairs["first"]], second=ids[pairs["second"]])
    pairs = pairs.sort_values(["first", "second"])
    return sha256(pairs.to_numpy("<i8").tobytes()).hexdigest()


def work(first, blocks):
    """Type all blocks on the first machine; what they said."""
    told = ""
    for block in blocks:
        ready = next((said for words, said in READY.items() if words in block), "")
        print(f"$ {block.strip()}", flush=True)
        if ready:
            first.begin(block, ready)
        else:
            told += first.run(block, stdout=subprocess.PIPE).stdout
    print(told, flush=True)
    return told


def without_a_machine(first, lost, block, folder):
    """A larger table; once its pairs are begun, all that runs on a machine is killed."""
    index, pairs = (
        block.replace("photos", "numbers").replace("/mnt/table", "/mnt/many").splitlines()
    )
    work(first, [index])
    first.begin(pairs.replace("groups.csv", "many.csv"), "About")
    for process in lost.processes():
        os.kill(process, signal.SIGKILL)
    told, _ = first.goes_on.pop().communicate()
    print(told)
    digest = in_one_process(folder / "shared/many", 2)
    assert f"The digest of the result is {digest}." in told, digest


def without_workers(first, others, block):
    """Once pairs are begun, all workers are killed: the command ends, and says why."""
    pairs = block.replace("/mnt/table", "/mnt/many").splitlines()[1]
    first.begin(pairs, "About")
    for process in (process for other in others for process in other.processes()):
        with suppress(ProcessLookupError):  # its nanny has ended it
            os.kill(process, signal.SIGKILL)
    ended = first.goes_on.pop()
    told, _ = ended.communicate(timeout=180)
    print(told)
    assert ended.returncode == 2, ended.returncode
    assert "see that scheduler and workers are there" in told, told


def with_tls(first, page, digest):
    """The same with a certificate; who has none is refused."""
    work(first, page["With TLS"])
    started, asked = (
        [block.replace("tcp:", "tls:") for block in page[heading]]
        for heading in ("Three machines, by SSH", "The work")
    )
    words = ("dask scheduler", "dask scheduler --protocol tls")
    started = [block.replace(*words) for block in started]
    work(first, started)
    told = work(first, asked)
    assert f"The digest of the result is {digest}." in told, digest
    assert first.run("curl -sf http://10.0.0.1:8787/health", stdout=subprocess.PIPE).stdout == "ok"
    stranger = "HOME=/srv timeout 60 fingerprints/bin/python -m helpers cluster pairs /mnt/table"
    stranger += " --radius 2 --out /mnt/not --scheduler tls://10.0.0.1:8786 && exit 1 || true"
    print(first.run(stranger, stdout=subprocess.PIPE, stderr=subprocess.STDOUT).stdout)
    first.stop()


def main():
    """Type all commands of the page; fail if a digest is not that of one process."""
    folder = Path(tempfile.mkdtemp())
    sh("mount --make-rprivate /; ip link set lo up; ip link add bridge type bridge")
    sh("ip link set bridge up; ip address add 10.0.0.254/24 dev bridge")
    lay(folder)
    first, *others = [Host(number, folder) for number in (1, 2, 3)]
    page = commands()
    if shutil.which("iptables"):
        only = "iptables -A INPUT -p tcp --syn -m multiport ! --dports"
        first.run(f"{only} 22,8786,8787 -j DROP")
        for other in others:
            other.run(f"{only} 22,9000,9001,9100,9101 -j DROP")
    work(first, page["Three machines, by SSH"])
    told = work(first, page["The work"])
    digest = in_one_process(folder / "shared/table", 2)
    assert f"The digest of the result is {digest}." in told, digest
    for other in others:
        assert other.run("ls /var/tmp/fingerprints", stdout=subprocess.PIPE).stdout
    without_a_machine(first, others[1], page["The work"][0], folder)
    if find_spec("moto") and find_spec("s3fs"):
        store = Host(4, folder)
        store.begin(f"{sys.executable} -m moto.server -H 10.0.0.4 -p 9000", "Running on")
        fill = "import s3fs; s3 = s3fs.S3FileSystem(); s3.mkdir('photos'); s3.mkdir('results')"
        fill += "; s3.put('/mnt/photos', 'photos', recursive=True)"
        first.run(f'{sys.executable} -c "{fill}"')
        told = work(first, page["In a cloud"])
        assert f"The digest of the result is {digest}." in told, digest
    without_workers(first, others, page["The work"][0])
    first.stop()
    for other in others:
        listening = other.run("ss -Hltn sport ge 9000", stdout=subprocess.PIPE).stdout
        assert not listening, listening
    with_tls(first, page, digest)
    print("The same digest:", digest)


if __name__ == "__main__":
    main()
