"""Who may import whom: the contract in pyproject.toml holds, and it is not blind."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


UPWARD, CIRCLE = "wings import only from wings below", "no circles inside a wing"


def broken(folder):
    """The contracts that import-linter finds broken for the package in a folder."""
    run = "from importlinter.cli import lint_imports_command; lint_imports_command()"
    told = subprocess.run(
        [sys.executable, "-c", run, str(ROOT / "pyproject.toml"), "--no-cache"],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(folder), "NO_COLOR": "1", "COLUMNS": "200"},
        capture_output=True,
        text=True,
    )
    names = {line.removesuffix(" BROKEN") for line in told.stdout.splitlines() if "BROKEN" in line}
    assert (told.returncode == 0) == (not names), told.stdout + told.stderr
    return names


def test_wings_import_only_from_wings_below():
    assert broken(ROOT / "src") == set()


@pytest.mark.parametrize(
    "file, line, contract",
    [
        ("search/pairs.py", "import helpers.gate.bank", UPWARD),
        ("hamming.py", "def late():\n    from helpers.fingerprints import catalogue", UPWARD),
        ("search/linear.py", "from helpers.search import trees", CIRCLE),
    ],
    ids=["an upward import", "an upward import inside a function", "a circle inside a wing"],
)
def test_the_contract_sees(tmp_path, file, line, contract):
    copy = tmp_path / "helpers"
    shutil.copytree(ROOT / "src" / "helpers", copy, ignore=shutil.ignore_patterns("__pycache__"))
    with (copy / file).open("a", encoding="utf-8") as opened:
        opened.write(f"\n\n{line}\n")
    assert contract in broken(tmp_path)
