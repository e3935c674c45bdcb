"""`python -m helpers experiment run`: what it prints, and what it says of bad input."""

import os
import subprocess
import sys

import pytest
from experiments_runs import folder_of_pictures

from helpers.__main__ import main
from helpers.experiments import runs


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    monkeypatch.setenv("FINGERPRINTS_DATA", str(tmp_path / "data"))
    monkeypatch.chdir(tmp_path)
    folder_of_pictures(tmp_path / "photos", 6)
    (tmp_path / "few.toml").write_text('jpeg = ["quality 50"]\nmirror = "all"\n')


RUN = "experiment run photos --out run --hashes dhash,phash --changes few.toml --queries 3 --workers 1"


def test_it_tells_the_cost_first_and_ends_with_a_table_and_what_is_next(capsys):
    assert main(RUN.split()) == 0
    first, *others = capsys.readouterr().out.splitlines()
    assert first.startswith("6 of 6 pictures, each decoded once; 3 changed, to 9 copies; 30 fing")
    assert "About 0.1 minutes with 1 process, 1 MB on disk, " in first
    assert others[0] == "6 pictures, 0 left out, 0 flat; 3 changed."
    told = [line.split()[0] for line in others[2:]]
    assert told == ["dhash", "jpeg,", "mirror,", "All"]
    assert others[-1] == "All of it is in run. Next: experiment judge, radius or report run"
    assert runs.read("run").about["hashes"] == ["dhash", "phash"]


def test_given_again_it_says_that_it_is_finished(capsys):
    main(RUN.split())
    capsys.readouterr()
    assert main(RUN.split()) == 0
    told = capsys.readouterr().out
    assert told == "run: was finished before with these settings; nothing was done.\n"


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ("experiment run fotos --out run", "fotos: no such folder; check the spelling"),
        ("experiment run few.toml --out run", "few.toml: is a file, not a folder"),
        ("experiment run photos --out few.toml", "few.toml: is there already and is no run"),
        ("experiment run photos --out photos/run", "photos/run: lies inside photos"),
        ("experiment run photos --out run --hashes dhash,", "'': no such hash; there are dhash"),
        ("experiment run photos --out run --hashes md5", "'md5': no such hash; there are dhash"),
        ("experiment run photos --out run --queries 0", "queries is 0; choose 1 or more"),
        ("experiment run photos --out run --rates 0,1e-5", "rates [0.0, 1e-05]: each is above 0"),
        ("experiment run photos --out run --side 3", "side is 3; choose 32 or more"),
        ("experiment run photos --out run --workers -1", "workers is -1; choose 1 or more"),
        ("experiment run photos --out run --changes no.toml", "no.toml: cannot be read"),
        (
            "experiment run photos --out run --changes photos/00.png",
            "photos/00.png: is not a table",
        ),
        ("experiment run photos --out run --seed -1", "seed is -1; choose 0 or more"),
    ],
)
def test_bad_input_gets_one_sentence(words, says, capsys, tmp_path):
    before = sorted(tmp_path.rglob("*"))
    assert main(words.split()) == 2
    told = capsys.readouterr()
    assert told.err.startswith(says)
    assert told.err.count("\n") == 1
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.slow
def test_a_run_goes_on_when_nobody_reads_what_it_says():
    read, write = os.pipe()
    os.close(read)
    words = [sys.executable, "-m", "helpers", *RUN.split()]
    try:
        done = subprocess.run(words, stdout=write, stderr=subprocess.PIPE, check=False, timeout=60)
    finally:
        os.close(write)
    assert (done.returncode, done.stderr) == (0, b"")
    assert runs.read("run").about["pictures"] == 6
