"""The command line of the gate."""

import argparse
import errno
import os
import shutil
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
from banks import KEY, Bank
from kills import context
from PIL import Image, ImageOps

from helpers.__main__ import main
from helpers.commands import gate
from helpers.fingerprints import hashes
from helpers.gate import log
from helpers.gate.bank import BLOCK, REVIEW

# A reader must not see "Exception ignored in ..." either.
pytestmark = pytest.mark.filterwarnings("error::pytest.PytestUnraisableExceptionWarning")


NO_LINKS = pytest.mark.skipif(os.name == "nt", reason="links need rights there")


def run(*arguments):
    return main(["gate", *map(str, arguments)])


@pytest.fixture
def banned(path, photographs, capsys):
    """A bank with one picture, made by the command."""
    file = photographs / "cats" / "image_0001.jpg"
    assert run("flag", "--new", "--bank", path, "--reason", "stolen", file) == 0
    assert capsys.readouterr().out == f"Entry 1: {file}\n"
    return path


def test_ask_prints_a_line_for_each_picture(banned, photographs, photograph, tmp_path, capsys):
    files = [photographs / "cats" / f"image_{number:04}.jpg" for number in (0, 1)]
    with Bank(banned) as opened:
        time = opened.entries()["time"][0]
    why = f"stolen, {files[1]}, {time}"
    assert run("ask", "--bank", banned, files[0]) == 0
    assert capsys.readouterr().out == f"allow       -       -  {files[0]}\n"
    assert run("ask", "--bank", banned, *files) == 1
    assert capsys.readouterr().out.splitlines() == [
        f"allow       -       -  {files[0]}",
        f"block       0       1  {files[1]}  ({why})",
    ]
    ImageOps.mirror(Image.open(files[1])).save(tmp_path / "mirror.png")
    assert run("ask", "--bank", banned, tmp_path / "mirror.png") == 1
    assert capsys.readouterr().out == (
        f"review      0       1  {tmp_path / 'mirror.png'}  ({why}, it matches once mirrored left-right)\n"
    )


def test_ask_goes_on_after_a_picture_that_cannot_be_read(banned, photographs, tmp_path, capsys):
    broken, good = tmp_path / "broken.jpg", photographs / "cats" / "image_0000.jpg"
    broken.write_bytes(b"no picture")
    assert run("ask", "--bank", banned, broken, good) == 1
    shown = capsys.readouterr()
    assert shown.out.splitlines() == [
        f"unreadable  -       -  {broken}",
        f"allow       -       -  {good}",
    ]
    assert shown.err.startswith(f"{broken}: is not an image that Pillow can read")


def test_flag_unflag_list_export_import(banned, photographs, photograph, tmp_path, capsys):
    files = sorted((photographs / "dogs").iterdir())
    assert run("flag", "--bank", banned, "--reason", "two\nlines", "--source", "me", *files) == 0
    assert run("unflag", "--bank", banned, "--reason", "a mistake", 2, 3) == 0
    capsys.readouterr()
    assert run("list", "--bank", banned) == 0
    lines = [line.split("\t") for line in capsys.readouterr().out.splitlines()]
    assert [line[0] for line in lines] == ["1", "4", "5"]
    assert lines[0][1] == hashes.to_hex(hashes.of_file(photographs / "cats" / "image_0001.jpg"))
    assert lines[0][3:] == ["stolen", str(photographs / "cats" / "image_0001.jpg")]
    assert lines[1][3:] == ["two\\nlines", "me"]
    assert run("list", "--bank", banned, "--withdrawn") == 0
    lines = [line.split("\t") for line in capsys.readouterr().out.splitlines()]
    assert [line[-1] for line in lines[:2]] == ["in force", "withdrawn: a mistake"]

    text = tmp_path / "banned.csv"
    assert run("export", "--bank", banned, "--csv", text) == 0
    assert capsys.readouterr().out == f"Wrote 3 entries to {text}.\n"
    other = tmp_path / "other.bank"
    assert run("import", "--bank", other, "--csv", text) == 2
    assert "other.bank: no such bank" in capsys.readouterr().err
    for _ in range(2):
        assert run("import", "--new", "--bank", other, "--csv", text) == 0
    assert capsys.readouterr().out.splitlines() == [
        "Added 3 entries; in force now: 3.",
        "Added 0 entries; in force now: 3.",
    ]
    assert run("ask", "--bank", other, photographs / "cats" / "image_0001.jpg") == 1

    assert run("unflag", "--bank", other, "--reason", "a mistake", "1", "2") == 0
    assert run("export", "--bank", other, "--csv", text) == 0
    assert capsys.readouterr().out.endswith(f"Wrote 1 entry to {text}.\n")


def test_unflag_gives_back_the_fingerprints(opened):
    entries = opened.flag_many(np.array([KEY, KEY ^ 1], dtype=np.uint64), "banned")
    values = opened.unflag(reversed(entries), "a mistake")
    assert values.dtype == np.uint64
    assert values.tolist() == [KEY ^ 1, KEY]


def test_a_source_may_be_empty(banned, photographs):
    picture = photographs / "cats" / "image_0002.jpg"
    assert run("flag", "--bank", banned, "--reason", "x", "--source", "", picture) == 0
    with Bank(banned) as opened:
        assert opened.entries()["source"].tolist()[-1] == ""


@pytest.mark.slow
def flag_together(together, path, picture):
    together.wait()
    sys.exit(run("flag", "--new", "--bank", path, "--reason", "x", picture))


@pytest.mark.slow
def test_all_who_make_a_bank_at_once_ban(path, photographs):
    pictures = sorted((photographs / "cats").iterdir())
    together = context.Barrier(len(pictures))
    processes = [
        context.Process(target=flag_together, args=(together, path, one)) for one in pictures
    ]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    assert [process.exitcode for process in processes] == [0] * len(pictures)
    with Bank(path) as opened:
        assert sorted(opened.entries()["source"]) == [str(one) for one in pictures]


def test_unflag_tells_of_another_entry_of_the_same_picture(banned, photographs, capsys):
    first, second = (photographs / "cats" / f"image_000{number}.jpg" for number in (1, 2))
    assert run("flag", "--bank", banned, "--reason", "again", second, first) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines == [f"Entry 2: {second}", f"Entry 3: {first}"]
    assert run("unflag", "--bank", banned, "--reason", "a mistake", 1, 2, 1) == 0
    assert capsys.readouterr().out.splitlines() == [
        "Withdrawn: entry 1; its picture is still blocked, by entry 3",
        "Withdrawn: entry 2",
    ]


def test_an_empty_bank_says_that_it_lets_all_pass(banned, photographs, capsys):
    picture = photographs / "cats" / "image_0001.jpg"
    assert run("unflag", "--bank", banned, "--reason", "x", 1) == 0
    capsys.readouterr()
    assert run("ask", "--bank", banned, picture) == 0
    assert "has no entries in force, so all may pass" in capsys.readouterr().err


def test_csv_that_a_spreadsheet_saved_with_semicolons_is_taken_in(banned, tmp_path, capsys):
    text, other = tmp_path / "banned.csv", tmp_path / "other.bank"
    assert run("flag", "--bank", banned, "--reason", "a, b; c", "--anyway", __file__) == 2
    with Bank(banned) as opened:
        opened.flag(np.uint64(KEY), "a, b; c")
        opened.write_csv(text)
        expected = opened.entries()
    table = pd.read_csv(text, dtype=str, keep_default_na=False)
    table.to_csv(text, sep=";", index=False, lineterminator="\r\n", encoding="utf-8-sig")
    assert run("import", "--new", "--bank", other, "--csv", text) == 0
    with Bank(other) as opened:
        pd.testing.assert_frame_equal(opened.entries(), expected)


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such files")
def test_a_pipe_is_neither_a_bank_nor_a_place_for_csv(banned, photographs, tmp_path, capsys):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    picture = photographs / "cats" / "image_0001.jpg"
    for words, sentence in (
        (("export", "--bank", banned, "--csv", pipe), "is a pipe or a device; name a file"),
        (("export", "--bank", banned, "--csv", "/dev/null"), "is a pipe or a device; name a file"),
        (("ask", "--bank", pipe, picture), "is not a bank"),
        (("flag", "--new", "--bank", pipe, "--reason", "x", picture), "is not a bank"),
    ):
        assert run(*words) == 2
        assert sentence in capsys.readouterr().err


def test_a_picture_that_cannot_be_compared_stops_no_other(banned, photographs, tmp_path, capsys):
    Image.new("LAB", (90, 80)).save(tmp_path / "lab.tif")
    bad = [tmp_path / "lab.tif", tmp_path / ("a" * 300), tmp_path / "nowhere" / "b.jpg"]
    assert run("ask", "--bank", banned, *bad, photographs / "cats" / "image_0001.jpg") == 1
    verdicts = [line.split()[0] for line in capsys.readouterr().out.splitlines()]
    assert verdicts == ["unreadable"] * 3 + ["block"]


def test_flag_takes_all_or_none(banned, photographs, tmp_path, capsys):
    good = photographs / "dogs" / "image_0005.jpg"
    Image.new("RGB", (90, 90)).save(tmp_path / "plain.png")
    for bad, sentence in (
        (tmp_path / "nowhere.jpg", "nowhere.jpg: no such file"),
        (tmp_path / "plain.png", "plain.png: its fingerprint 0000000000000000 says nothing"),
    ):
        assert run("flag", "--bank", banned, "--reason", "x", good, bad) == 2
        shown = capsys.readouterr()
        assert sentence in shown.err
        assert shown.err.count("\n") == 1
        assert shown.out == ""
    with Bank(banned) as opened:
        assert len(opened) == 1
    plain = tmp_path / "plain.png"
    assert run("flag", "--bank", banned, "--reason", "x", "--anyway", good, plain) == 0


@pytest.mark.parametrize(
    "failing", ["flag --reason x {bad}", "flag --reason= {good}", "import --csv {bad}"]
)
@pytest.mark.parametrize("linked", [False, pytest.param(True, marks=NO_LINKS)])
def test_what_fails_makes_no_bank(failing, linked, path, photographs, tmp_path, capsys):
    """An empty one would let everything pass."""
    if linked:
        path.symlink_to(tmp_path / "there")
    bad, good = tmp_path / "nowhere", photographs / "cats" / "image_0001.jpg"
    words = [word.format(bad=bad, good=good) for word in failing.split()]
    assert run(words[0], "--new", "--bank", path, *words[1:]) == 2
    assert capsys.readouterr().err.count("\n") == 1
    assert not path.exists()
    assert run("ask", "--bank", path, good) == 2


@pytest.mark.parametrize("error", [KeyboardInterrupt, OSError(errno.ENOSPC, "no room"), None])
def test_what_is_stopped_in_the_middle_makes_no_bank(
    error, path, photographs, tmp_path, capsys, monkeypatch
):
    add, made = log.Log.add, path.with_name("made meanwhile")

    def stopped(opened, rows):
        entries = add(opened, rows)
        if error:
            raise error
        if made.exists():
            made.rename(path)
        return entries

    picture = photographs / "cats" / "image_0001.jpg"
    assert run("flag", "--new", "--bank", made, "--reason", "x", picture) == 0
    capsys.readouterr()
    monkeypatch.setattr(log.Log, "add", stopped)
    code = run("flag", "--new", "--bank", path, "--reason", "x", "--source", "me", picture)
    shown = capsys.readouterr()
    if error:
        assert code == (130 if error is KeyboardInterrupt else 2)
        assert shown.err.count("\n") == 1
        assert "partial" not in shown.err
        assert not path.exists()
    else:
        assert (code, shown.out) == (0, f"Entry 2: {picture}\n"), "it goes into the one that came"
        with Bank(path) as opened:
            assert opened.entries()["source"].tolist() == [str(picture), "me"]
    assert list(tmp_path.glob(".*")) == []


def test_the_radii_that_the_help_names_are_those_of_the_gate(capsys):
    parser = argparse.ArgumentParser()
    gate.add(parser.add_subparsers())
    arguments = parser.parse_args(["gate", "ask", "--bank", "x", "picture"])
    assert (arguments.block, arguments.review) == (BLOCK, REVIEW)
    with pytest.raises(SystemExit):
        run("ask", "--help")
    shown = " ".join(capsys.readouterr().out.split())
    assert f"bits up to which a picture is blocked ({BLOCK})" in shown
    assert f"bits up to which a person is to look at it ({REVIEW})" in shown


def test_a_bank_made_with_options_is_asked_without(path, photographs, capsys):
    file = photographs / "dogs" / "image_0005.jpg"
    flag = ["flag", "--bank", path, "--reason", "x", file]
    assert run(*flag) == 2
    assert not path.exists()
    assert run(*flag, "--new", "--fast", "--no-rotate", "--background", "black") == 0
    assert run("ask", "--bank", path, file) == 1
    assert run(*flag) == 0
    assert run(*flag, "--background", "white") == 2
    assert "their fingerprints cannot be compared" in capsys.readouterr().err


BAD_INPUT = [
    ("ask --bank {new} {picture}", "new.bank: no such bank; check the spelling"),
    ("ask --bank {text} {picture}", "notes.txt: is not a bank"),
    ("ask --bank {bank} --block 9 {picture}", "give the smaller one to block"),
    ("ask --bank {bank} --review 65 {picture}", "a whole number of bits from 0 to 64"),
    ("flag --bank {bank} --reason x {text}", "notes.txt: is not an image"),
    ("flag --bank {text} --reason x {picture}", "notes.txt: is not a bank"),
    ("flag --new --bank {bank}/new --reason x {picture}", "there is no folder for it"),
    ("flag --bank {new} --reason x {picture}", "no such bank"),
    ("flag --bank {bank} --reason x {bank}", "is the bank itself; name a picture"),
    ("import --bank {bank} --csv {bank}", "is the bank itself; name a CSV file"),
    ("export --bank {bank} --csv .", ".: ends without a name of its own"),
    ("export --bank {bank} --csv {text}", "notes.txt: is there already and is no bank's CSV file"),
    ("export --bank {bank} --csv {picture}", "is there already and is no bank's CSV file"),
    ("unflag --bank {bank} --reason x 1 7", "has no entry 7"),
    ("flag --bank {bank} --reason= {picture}", "the reason is empty"),
    ("flag --new --bank {none} --reason x {picture}", "is an empty file; delete it"),
    ("ask --bank {none} {picture}", "no such bank"),
    ("unflag --bank {bank} --reason x 7", "has no entry 7"),
    ("unflag --bank {new} --reason x 7", "no such bank"),
    ("list --bank {new}", "no such bank"),
    ("export --bank {new} --csv {csv}", "no such bank"),
    ("export --bank {bank} --csv {bank}", "is the same file as"),
    ("export --bank {bank} --csv {text}/csv", "could not be written"),
    ("import --bank {bank} --csv {csv}", "banned.csv: cannot be read"),
    ("import --bank {bank} --csv {text}", "notes.txt: line 1: its columns are not"),
]


@pytest.mark.parametrize(("command", "sentence"), BAD_INPUT)
def test_bad_input_is_one_sentence(command, sentence, banned, photographs, tmp_path, capsys):
    (tmp_path / "notes.txt").write_text("no bank, no picture, no CSV\n")
    (tmp_path / "empty.bank").touch()
    places = {
        "bank": banned,
        "new": tmp_path / "new.bank",
        "text": tmp_path / "notes.txt",
        "csv": tmp_path / "banned.csv",
        "none": tmp_path / "empty.bank",
        "picture": photographs / "cats" / "image_0001.jpg",
    }
    assert run(*(word.format(**places) for word in command.split())) == 2
    shown = capsys.readouterr()
    assert sentence in shown.err
    assert shown.err.count("\n") == 1, "one line"
    assert shown.out == ""
    assert not places["new"].exists()
    with Bank(banned) as opened:
        assert len(opened) == 1


@pytest.mark.parametrize("command", ["", "ask", "ask --bank x", "flag --bank x y", "unflag x"])
def test_a_command_that_is_not_understood_ends_with_2(command, capsys):
    with pytest.raises(SystemExit) as end:
        run(*command.split())
    assert end.value.code == 2
    assert capsys.readouterr().err.startswith("usage: python -m helpers gate")


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="other systems refuse such names")
def test_names_of_files_may_be_anything(banned, photographs, tmp_path):
    """In a process of its own, which prints them."""
    names = [b"no text \xff.jpg", b"a\nblock  0  1  b.jpg", "猫 \x1b[2J.jpg".encode()]
    for name in names:
        shutil.copy(photographs / "cats" / "image_0001.jpg", os.fsencode(tmp_path) + b"/" + name)

    def gate(*arguments):
        return subprocess.run(
            [sys.executable, "-m", "helpers", "gate", *arguments],
            capture_output=True,
            cwd=tmp_path,
            env={**os.environ, "PYTHONIOENCODING": "ascii"},
        )

    done = gate("ask", "--bank", banned, *names)
    assert done.returncode == 1
    lines = [line.partition(b"  (stolen, ")[0] for line in done.stdout.splitlines()]
    assert lines == [
        b"block       0       1  no text \\udcff.jpg",
        b"block       0       1  a\\nblock  0  1  b.jpg",
        b"block       0       1  \\u732b \\x1b[2J.jpg",
    ]
    done = gate("flag", "--bank", banned, "--reason", "x", names[0])
    assert done.returncode == 2
    assert b"is not valid text" in done.stderr
    assert done.stderr.count(b"\n") == 1
    done = gate("flag", "--bank", banned, "--reason", "x", "--source", "a letter", names[0])
    assert done.returncode == 0
    assert b"Entry 2: no text \\udcff.jpg" in done.stdout


@pytest.mark.skipif(sys.platform == "win32", reason="pipes end otherwise there")
def test_what_nobody_reads_is_held_back_all_the_same(banned, photographs, unread):
    files = [photographs / "cats" / "image_0001.jpg"] * 30
    code, error = unread("gate", "ask", "--bank", banned, *files)
    assert code == 1, error
    assert b"Traceback" not in error
