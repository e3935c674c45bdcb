"""A small round of all campaigns, and proof that a round fails if a case breaks a bar.

`python tests/campaigns/run.py --rounds full` runs the large ones.
"""

import re
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = [
    pytest.mark.campaign,
    pytest.mark.skipif(sys.platform != "linux", reason="processes are watched as on Linux"),
]
HERE = Path(__file__).parent
#: A campaign for each bar. Its case breaks this bar; that of the first one breaks none.
BROKEN = {
    "fine": ("pass", ""),
    "loses": ("harness.check_unchanged({'mine.txt': '0'}, {})", "lost: gone"),
    "raises": ("[][0]", "traceback: IndexError at raises.py"),
    "refuses": ("raise harness.Problem('refused')", "traceback: Problem at refuses.py"),
    "complains": ("harness.check_words(0, b'', b'Traceback\\nValueError')", "traceback: ValueErr"),
    "is_silent": ("harness.check_words(2, b'', b'')", "no sentence beside exit code 2"),
    "eats": ("bytearray(b'x') * (harness.MOST + 10**7)", "memory: a process took over 1 GB"),
    "child_eats": ("harness.in_child(eat, place)", "memory: a process took over 1 GB"),
    "hangs": ("threading.Event().wait(99)", "hang: the case was stopped"),
    "child_hangs": ("harness.in_child(wait, place, limit=0.5)", "hang: more than 0.5 seconds"),
    "dies": ("os._exit(3)", "the process died"),
}
CAMPAIGN = """\
import harness, os, sys, threading

SIZES = 1, 1
LIMIT = 2

def prepare(here): pass
def eat(): bytearray(b"x") * (harness.MOST + 10**7)
def wait(): threading.Event().wait(99)
def case(place, here, rng): {line}
"""
ROUND = f"""\
import sys

sys.path.insert(0, {str(HERE)!r})
import harness

harness.NAMES, harness.MOST = {tuple(BROKEN)}, 300_000_000
if __name__ == "__main__":
    sys.exit(harness.main())
"""


def attack(script, *options):
    words = [sys.executable, str(script), *options]
    return subprocess.run(words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def test_a_small_round_breaks_no_bar(tmp_path):
    done = attack(HERE / "run.py", "--rounds", "small", "--seed", "0", "--out", str(tmp_path))
    assert done.returncode == 0, done.stdout
    rows = re.findall(r"^(\w+) +([0-9]+) +0 ", done.stdout, re.MULTILINE)
    assert {name for name, _ in rows} == {path.stem for path in HERE.glob("*.py")} - {
        *("cluster_kills", "conftest", "folders", "harness", "intervals", "run"),
        "test_small_round",
    }


def test_intervals_hold_the_truth_in_a_small_round():
    done = attack(HERE / "intervals.py", "--rounds", "small", "--workers", "1")
    assert done.returncode == 0, done.stdout
    assert done.stdout.endswith("8 shares, 0 of them below 90%\n")


def test_a_round_fails_for_each_bar_that_a_case_breaks(tmp_path):
    for name, (line, _) in BROKEN.items():
        (tmp_path / f"{name}.py").write_text(CAMPAIGN.format(line=line))
    script, out = tmp_path / "round.py", tmp_path / "out"
    script.write_text(ROUND)
    done = attack(script, "--workers", "1", "--out", str(out))
    assert done.returncode == 1, done.stdout
    failed = dict(re.findall(r"^(\w+) +1 +([01]) ", done.stdout, re.MULTILINE))
    assert failed == {name: str(int(name != "fine")) for name in BROKEN}
    for name, (_, kind) in BROKEN.items():
        assert not kind or f"1 x {name}: {kind}" in done.stdout
        assert (out / f"{name}-0").exists() == bool(kind), "what failed is kept"


def test_chapters_run_on_odd_folders_or_end_in_a_sentence():
    done = attack(HERE / "folders.py", "--chapters", "03", "--folders", "2", "cmyk")
    assert done.returncode == 0, done.stdout
    assert re.findall(r"^(.+?) +03 .* this chapter needs 17;", done.stdout, re.MULTILINE) == ["2"]
    assert re.findall(r"^(.+?) +03 .* runs$", done.stdout, re.MULTILINE) == ["cmyk"]
    done = attack(HERE / "folders.py", "--chapters", "02", "--folders", "spacer")
    assert done.returncode == 0, done.stdout
    assert done.stdout.endswith("  runs\n")


def test_a_chapter_that_fails_on_a_folder_or_takes_much_memory_is_told(tmp_path):
    script = tmp_path / "empty.py"
    made = f"sys.path.insert(0, {str(HERE)!r}); import folders; folders.FOLDERS |= {{'0': str}}"
    script.write_text(f"import sys; {made}; sys.exit(folders.main())")
    done = attack(script, "--chapters", "pandas", "--folders", "0")
    assert done.returncode == 1, done.stdout
    assert re.search(r"^0 +pandas .* FAILED: .*holds no images", done.stdout)
    done = attack(script, "--chapters", "pandas", "--folders", "2", "--most", "1000000")
    assert done.returncode == 1, done.stdout
    assert "FAILED: takes too much memory" in done.stdout
