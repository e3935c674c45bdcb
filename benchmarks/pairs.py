"""What a change of the kit costs: one command, run by two clones in turns, in processor time.

    python benchmarks/pairs.py OTHER [--pairs 12] -- benchmarks/gate_speed.py 100000

OTHER is another clone of this repository, or a work tree (``git worktree add``). What follows
``--`` is given to Python, in the folder of each clone and with its ``src``. The time is that of
the process and of its children, in user and system mode, so other work on the machine counts
little. The interval is that of Student's t, on the logarithms of the ratios. Not for Windows, which
keeps no such times.
"""

import argparse
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
from scipy import stats

HERE = Path(__file__).resolve().parents[1]


def processor_seconds(clone: Path, words: list[str]) -> float:
    """How long a command keeps processors busy."""
    environment = {**os.environ, "PYTHONPATH": str(clone / "src"), "TQDM_DISABLE": "1"}
    before = os.times()
    subprocess.run(
        [sys.executable, *words],
        cwd=clone,
        env=environment,
        stdout=subprocess.DEVNULL,
        check=True,
    )
    after = os.times()
    return sum(after[part] - before[part] for part in (2, 3))  # of children


def main() -> None:
    """Run the pairs, and say how the times of this clone are to those of the other one."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("other", type=Path, metavar="OTHER")
    parser.add_argument("--pairs", type=int, default=12, metavar="N")
    parser.add_argument("words", nargs="+", metavar="WORD")
    arguments = parser.parse_args()
    clones, seconds = [arguments.other.resolve(), HERE], []
    for number in range(arguments.pairs + 1):
        order = (0, 1) if number % 2 else (1, 0)  # so that neither is always the first
        times = {clone: processor_seconds(clones[clone], arguments.words) for clone in order}
        if number:  # the first pair only fills the caches
            seconds.append((times[0], times[1]))
    old, new = np.transpose(seconds)
    low, high = np.exp(stats.ttest_1samp(np.log(new / old), 0).confidence_interval())
    print(
        f"{np.median(old):.2f} s and {np.median(new):.2f} s (medians of {len(old)} pairs); here "
        f"{np.exp(np.log(new / old).mean()):.3f} times as long, 95 % {low:.3f} to {high:.3f}"
    )


if __name__ == "__main__":
    main()
