"""One odd thing stops no command: it is named, and all else is done."""

import os
import shutil
import sys
from pathlib import Path

import pytest
from PIL import Image

from helpers import shelf
from helpers.__main__ import main
from helpers.images.folders import find_images

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="other systems refuse such names")
DEEP = "d/" * 1_100 + "deep.jpg"  # Python's functions may call each other 1,000 times
NO_TEXT = os.fsdecode(b"\xff.jpg")


@pytest.fixture(scope="module")
def deep(tmp_path_factory):
    """Folders below one another, with a picture in the last one. A test takes them and gives them back."""
    top, here = tmp_path_factory.mktemp("deep"), Path.cwd()
    os.chdir(top)
    for _ in range(1_100):
        Path("d").mkdir()
        os.chdir("d")
    Image.effect_mandelbrot((90, 60), (-3, -2, 1.5, 2), 99).save("deep.jpg")
    yield top / "d"
    os.chdir(top / DEEP.rpartition("/")[0])
    Path("deep.jpg").unlink()
    for _ in range(1_100):  # pytest could not remove them
        os.chdir("..")
        Path("d").rmdir()
    os.chdir(here)


@pytest.fixture
def odd(photographs, photograph, deep, data_folder, monkeypatch):
    """A folder of eight photographs, a copy of one, and one odd thing of each kind."""
    monkeypatch.chdir(photographs)
    shutil.copy("cats/image_0000.jpg", "twice.jpg")
    photograph(21).save("far.jpg")
    os.utime("far.jpg", ns=(0, 2**63 + 10**18))  # about 2294
    os.mkfifo("pipe.jpg")
    Path("device.jpg").symlink_to("/dev/zero")
    photograph(22).save(NO_TEXT)
    photograph(23, size=(1, 1)).save("dot.png")
    photograph(24).save("exif.jpg", exif=b"Exif\0\0II*\0\xff\xff\xff\xff" + bytes(range(99)))
    deep.rename("d")
    monkeypatch.chdir(photographs.parent)
    yield photographs
    (photographs / "d").rename(deep)


def state(folder):
    files = [folder / name for name in find_images(folder)]
    return {file: file.read_bytes() for file in files if file.is_file()}


def run(capsys, *words):
    """The exit code, and what was said in lines."""
    code = main([str(word) for word in words])
    said = capsys.readouterr()
    return code, (said.out + said.err).splitlines()


def test_index_names_what_it_leaves_out_and_reads_all_else(odd, capsys):
    code, lines = run(capsys, "index", "-d", odd, "-s", "db")
    assert code == 1
    assert lines[:-1] == [
        "Left out: device.jpg: is a pipe or a device, not a file; name a file",
        "Left out: pipe.jpg: is a pipe or a device, not a file; name a file",
        r"Left out: \udcff.jpg: its name is not valid text; rename it",
    ]
    read = {path for paths in shelf.read("db").values() for path in paths}
    assert read == set(find_images(odd)) - {"device.jpg", "pipe.jpg", NO_TEXT}
    assert len(read) == 13


@pytest.mark.parametrize(
    ("query", "sentence"),
    [
        ("far.jpg", " 0  far.jpg"),
        ("exif.jpg", " 0  exif.jpg"),
        ("dot.png", " 0  dot.png"),
        (DEEP, f" 0  {DEEP}"),
        (NO_TEXT, "Found 0 images"),
        ("pipe.jpg", "pipe.jpg: is a pipe or a device, not a file; name a file"),
        ("device.jpg", "device.jpg: is a pipe or a device, not a file; name a file"),
    ],
    ids=["far", "exif", "dot", "deep", "no text", "pipe", "device"],
)
def test_search_finds_what_can_be_read_and_names_what_can_not(odd, query, sentence, capsys):
    run(capsys, "index", "-d", odd, "-s", "db")
    code, lines = run(capsys, "search", "-d", odd, "-s", "db", "-q", odd / query)
    assert code == (2 if "pipe or" in sentence else 0)
    assert any(line.endswith(sentence) for line in lines), lines


@pytest.mark.slow
def test_clean_names_what_it_leaves_alone_and_moves_the_copy_there_and_back(odd, capsys):
    before = state(odd)
    code, lines = run(capsys, "clean", odd, "--apply", "--all")
    assert code == 1
    assert [line for line in lines if line.startswith("No picture: ")] == [
        "No picture: device.jpg: is a link and is left alone",
        "No picture: far.jpg: is dated before 1678 or after 2262; give it another date",
        "No picture: pipe.jpg: is a pipe or a device, not a file; name a file",
        r"No picture: \udcff.jpg: its name is not valid text; rename it",
    ]
    assert lines[-1] == f"Moved to {odd}-quarantine: 1 file; --undo puts them back"
    assert run(capsys, "clean", odd, "--undo") == (0, ["Put back: 1 file"])
    assert state(odd) == before


@pytest.mark.slow
def test_gather_names_what_gets_no_copy_and_copies_all_else(odd, capsys):
    before = state(odd)
    words = ["-i", odd, "-o", "hay", "-c", "truth.csv", "--needles", 16]
    code, lines = run(capsys, "gather", *words)
    assert code == 1
    for name, why in {
        "dot.png": "is only 1 x 1 pixels, so a factor of 0.95 to 1.05 does not change both; ",
        "pipe.jpg": "is a pipe or a device, not a file; name a file",
        "device.jpg": "is a pipe or a device, not a file; name a file",
        r"\udcff.jpg": "its name is not valid text; rename it",
    }.items():
        assert any(name in line and why in line for line in lines if "No copies" in line), lines
    for name in ("pipe", "device", "deep"):  # the last one lies too deep
        assert any(f"{name}.jpg" in line for line in lines if "Not copied" in line), lines
    copied = {path.relative_to(odd.parent / "hay").as_posix() for path in state(odd.parent / "hay")}
    names = {name for name in find_images(odd) if name.startswith(("cats", "dogs"))}
    assert names | {"far.jpg", "dot.png", "exif.jpg", "twice.jpg", NO_TEXT} <= copied
    assert state(odd) == before


def test_gate_answers_for_each_picture(odd, capsys):
    flag = ["gate", "flag", "-b", "x.bank", "--reason", "why"]
    good = [odd / name for name in ("far.jpg", "exif.jpg", DEEP)]
    assert run(capsys, *flag, "--new", *good)[0] == 0
    for name in ("pipe.jpg", "device.jpg"):
        code, [sentence] = run(capsys, *flag, odd / name)
        assert code == 2
        assert sentence.endswith(f"{name}: is a pipe or a device, not a file; name a file")
    names = ["far.jpg", "pipe.jpg", "exif.jpg", "device.jpg", DEEP, NO_TEXT, "dot.png"]
    code, lines = run(capsys, "gate", "ask", "-b", "x.bank", *(odd / name for name in names))
    assert code == 1
    answers = [line.split()[0] for line in lines if line.split()[0].isalpha()]
    assert answers == ["block", "unreadable", "block", "unreadable", "block", "allow", "allow"]
