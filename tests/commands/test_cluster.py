"""The command `cluster`: what it prints and leaves, and one sentence for what is wrong."""

import os
import re
import shutil
import sys
from importlib.util import find_spec
from pathlib import Path

import pandas as pd
import pytest
from inputs import NO_DASK

from helpers.__main__ import main


def told(capsys, *words):
    """The exit code of a command, what it printed, and its sentence."""
    code = main(["cluster", *map(str, words)])
    shown = capsys.readouterr()
    return code, shown.out, shown.err


def refused(capsys, *words):
    code, _, sentence = told(capsys, *words)
    assert code == 2
    assert sentence.count("\n") == 1
    return sentence


@pytest.mark.parametrize(
    "words",
    [
        ["index", "photos"],
        ["search", "t", "--queries", "q", "--out", "m"],
        ["search", "t", "--queries", "q", "--out", "m", "--radius", "two"],
        ["pairs", "t", "--out", "p", "--radius", "2", "--workers", "0"],
        ["pairs", "t", "--out", "p", "--radius", "2", "--workers", "1.5"],
        ["find", "t"],
    ],
)
def test_words_that_are_missing_or_wrong_are_told_with_the_usage(capsys, words):
    with pytest.raises(SystemExit) as end:
        main(["cluster", *words])
    assert end.value.code == 2
    assert capsys.readouterr().err.startswith("usage: python -m helpers cluster")


@pytest.mark.skipif(find_spec("distributed") is not None, reason="Dask is installed")
@pytest.mark.parametrize(
    "words", [["index", "t"], ["search", "t", "--queries", "t", "--radius", 1]]
)
def test_without_dask_one_sentence_says_what_to_install(capsys, tmp_path, words):
    sentence = refused(capsys, *words, "--out", tmp_path / "new")
    assert 'python -m pip install "image-fingerprints[cluster]"' in sentence
    assert not (tmp_path / "new").exists()


@pytest.fixture(scope="module")
def scheduler():
    """The address of one whose workers are threads of this process: it starts at once."""
    distributed = pytest.importorskip("distributed", reason=NO_DASK)
    about = {"processes": False, "n_workers": 2, "threads_per_worker": 1}
    with distributed.LocalCluster(dashboard_address=":0", **about) as cluster:
        yield cluster.scheduler_address


def rows_of(folder):
    return pd.concat(map(pd.read_parquet, sorted(Path(folder).glob("part-*.parquet"))))


def test_from_a_folder_to_matches(capsys, monkeypatch, tmp_path, photographs, scheduler):
    monkeypatch.chdir(tmp_path)
    (photographs / "broken.jpg").write_text("text")
    there = ["--scheduler", scheduler]
    code, shown, _ = told(capsys, "index", photographs, "--out", "deep/table", *there)
    lines = shown.splitlines()
    assert code == 1, "one is left out"
    assert lines[0] == "1 partition, a minute or less."
    assert lines[1] == "Dask's report on the work is deep/table-report.html."
    assert "Dask Performance Report" in (tmp_path / "deep/table-report.html").read_text("utf-8")
    assert lines[2].startswith("Left out: broken.jpg: is not an image")
    paths = rows_of("deep/table")["path"]
    assert lines[3:] == [f"deep/table holds {len(paths)} fingerprints in 1 part."]

    words = ["search", "deep/table", "--queries", "deep/table", "--radius", 2, "--out", "m"]
    code, shown, _ = told(capsys, *words, *there)
    found, lines = rows_of("m"), shown.splitlines()
    assert code == 0
    assert found["query"].nunique() == len(paths)
    asked = f"{len(paths)} queries among {len(paths)} pictures"
    assert lines[-2] == f"Found {len(found)} matches of {asked}, within 2 bits: m"
    assert re.fullmatch(r"The digest of the result is [0-9a-f]{64}\.", lines[-1])
    again = told(capsys, *words, *there)[1]
    assert again.splitlines()[-1] == lines[-1], "what is there is replaced by the same"


def test_pairs_and_their_groups(capsys, monkeypatch, tmp_path, photographs, scheduler):
    monkeypatch.chdir(tmp_path)
    shutil.copy(photographs / "cats" / "image_0000.jpg", photographs / "copy.jpg")
    there = ["--scheduler", scheduler]
    assert told(capsys, "index", photographs, "--out", "t", *there)[0] == 0
    paths = rows_of("t")["path"].tolist()
    words = ["pairs", "t", "--radius", 2, "--out", "p", "--groups", "groups.csv"]
    code, shown, _ = told(capsys, *words, *there)
    pairs, groups = rows_of("p"), pd.read_csv("groups.csv")
    twins = sorted(map(paths.index, ["cats/image_0000.jpg", "copy.jpg"]))
    assert code == 0
    assert (*twins, 0) in set(pairs.itertuples(index=False, name=None))
    assert groups.columns.tolist() == ["group", "id"]
    assert set(twins) <= set(groups.loc[groups["group"] == twins[0], "id"])
    assert f"Found {len(pairs)} pair" in shown
    (tmp_path / "thesis.csv").write_text("years of work")
    words = ["pairs", "t", "--radius", 2, "--out", "p", "--groups", "thesis.csv"]
    assert "is there already and is no groups of cluster" in refused(capsys, *words, *there)


@pytest.mark.skipif(sys.platform != "linux", reason="other systems refuse such names")
def test_names_that_are_no_text_are_told_and_stop_nothing(
    capsys, monkeypatch, tmp_path, photographs, scheduler
):
    monkeypatch.chdir(tmp_path)
    name, there = os.fsdecode(b"caf\xe9"), ["--scheduler", scheduler]
    (photographs / "cats" / "image_0000.jpg").rename(photographs / f"{name}.jpg")
    photographs.rename(name)
    code, shown, _ = told(capsys, "index", name, "--out", f"{name}-table", *there)
    assert code == 1
    assert shown.splitlines()[2:] == [
        r"Left out: caf\udce9.jpg: its name is not valid text; rename it",
        r"caf\udce9-table holds 7 fingerprints in 1 part.",
    ]
    words = ["--radius", 2, "--out", f"{name}-pairs", "--groups", f"{name}.csv"]
    assert told(capsys, "pairs", f"{name}-table", *words, *there)[0] == 0
    assert Path(f"{name}.csv").read_text().startswith("group,id\n")

    values = pd.DataFrame({"id": [1], "fingerprint": pd.Series([2], dtype="uint64")})
    Path(f"{name}.parquet").write_bytes(values.to_parquet())
    sentence = refused(capsys, "index", f"{name}.parquet", "--out", "t", *there)
    assert r"caf\udce9.parquet: its path is not valid text; rename it" in sentence


def test_one_sentence_tells_what_is_wrong(capsys, monkeypatch, tmp_path, scheduler):
    from helpers.cluster import engine

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(engine, "_PATIENCE", 5)  # else it would wait for twenty seconds
    values = pd.DataFrame({"id": range(3), "fingerprint": pd.Series([1, 2, 3], dtype="uint64")})
    (tmp_path / "values").mkdir()
    values.to_parquet("values/values.parquet")
    for words in (["t"], ["other", "--hash", "phash"]):
        assert told(capsys, "index", "values", "--scheduler", scheduler, "--out", *words)[0] == 0
    (tmp_path / "thesis").mkdir()
    (tmp_path / "thesis" / "part-00000.parquet").write_text("years of work")
    (tmp_path / "mine-report.html").write_text("years of work")

    def search(*words, table="t", queries="t", out="m", radius=1):
        words = words or ("--scheduler", scheduler)
        asked = [table, "--queries", queries, "--out", out, "--radius", radius]
        return refused(capsys, "search", *asked, *words)

    assert "was made with phash of 64 bits, and here" in search(queries="other")
    assert "nowhere: holds no whole table or result" in search(table="nowhere")
    assert "nowhere: holds no whole table or result" in search(queries="nowhere")
    assert "which is no result's; name another folder" in search(out="t")
    assert "which is no result's; name another folder" in search(out="thesis")
    assert "is there already and is no report of Dask" in search(out="mine")
    assert "t/m: lies in the folder of a table or a result; name a place" in search(out="t/m")
    groups = ["pairs", "t", "--radius", 1, "--out", "p", "--groups", "p/groups.csv"]
    assert "p/groups.csv: lies in the folder of" in refused(capsys, *groups, "--scheduler", "h:1")
    assert "radius 65: it is a whole number of bits" in search(radius=65)
    assert "--queries: is empty" in search(queries="")
    assert "lots: Could not interpret 'lots'" in search("--memory", "lots")
    assert "missing port number in address 'host'" in search("--scheduler", "host")
    assert "unknown address scheme 'ftp'" in search("--scheduler", "ftp://host:1")
    assert search("--scheduler", "tcp://127.0.0.1:1").startswith("tcp://127.0.0.1:1: ")
    assert "leave them or --scheduler out" in search("--scheduler", "tcp://h:1", "--workers", 1)
    assert (tmp_path / "thesis" / "part-00000.parquet").read_text() == "years of work"
    assert not (tmp_path / "m").exists()


def test_control_c_says_what_is_left_of_a_result(capsys, monkeypatch, tmp_path, scheduler):
    from helpers.cluster import finding

    def stopped(*arguments):
        raise KeyboardInterrupt

    monkeypatch.chdir(tmp_path)
    (tmp_path / "values").mkdir()
    values = pd.DataFrame({"id": [0], "fingerprint": pd.Series([1], dtype="uint64")})
    values.to_parquet("values/values.parquet")
    there = ["--scheduler", scheduler]
    assert told(capsys, "index", "values", "--out", "t", *there)[0] == 0
    monkeypatch.setattr(finding, "write_result", stopped)  # at this moment, whatever the machine
    words = ["search", "t", "--queries", "t", "--radius", 1, "--out", "m"]
    code, _, sentence = told(capsys, *words, *there)
    what = "Stopped; what is written of the result counts for nothing. Run it again to go on.\n"
    assert (code, sentence) == (130, what)
