"""What lies in a folder: images by their names, other files by their kinds, links followed once."""

import gc
import os
import unicodedata
import weakref
from collections import Counter
from pathlib import Path

import pytest
from inputs import POSIX
from PIL import Image

from helpers import Problem, datasets
from helpers.__main__ import main
from helpers.images.folders import (
    OneByOne,
    find_images,
    is_picture,
    look_into,
    not_looked_at,
    plain,
)
from helpers.images.formats import SUFFIXES
from helpers.images.opening import open_image


def touch(folder, *names):
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()


def test_all_suffixes_are_found_whatever_their_case(tmp_path):
    names = [f"a{suffix}" for suffix in SUFFIXES] + [f"b{suffix.upper()}" for suffix in SUFFIXES]
    touch(tmp_path, *names, "notes.txt", "archive.jpg.zip", ".hidden.jpg", "jpg")
    assert find_images(tmp_path) == sorted(names)


def test_sub_folders_with_the_same_file_name_stay_apart_and_hidden_folders_are_passed_over(
    tmp_path,
):
    touch(tmp_path, "b/one.jpg", "a/one.jpg", "a/deep/er/one.jpg", ".thumbnails/one.jpg")
    assert find_images(tmp_path) == ["a/deep/er/one.jpg", "a/one.jpg", "b/one.jpg"]


def test_the_order_does_not_depend_on_the_file_system(tmp_path, monkeypatch):
    touch(tmp_path, *(f"{name}.jpg" for name in "bdac"))
    listdir = os.scandir(tmp_path)
    found = sorted(listdir, key=lambda entry: entry.name, reverse=True)

    class Backwards(list):
        def __enter__(self):
            return self

        def __exit__(self, *error):
            pass

    monkeypatch.setattr(os, "scandir", lambda place: Backwards(found))
    assert find_images(tmp_path) == ["a.jpg", "b.jpg", "c.jpg", "d.jpg"]


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (lambda folder: None, "pictures: no such folder; check the spelling"),
        (lambda folder: folder.touch(), "pictures: is a file, not a folder"),
        (
            lambda folder: folder.mkdir(),
            "pictures: holds no images; looked for names that end in .jpg",
        ),
    ],
)
def test_a_folder_without_images_is_one_sentence(tmp_path, make, sentence):
    make(tmp_path / "pictures")
    with pytest.raises(Problem, match=sentence):
        find_images(tmp_path / "pictures")


def test_a_sub_folder_that_may_not_be_listed_stands_in_the_list(tmp_path, monkeypatch):
    (tmp_path / "closed").mkdir()
    Image.new("L", (20, 20)).save(tmp_path / "open.png")
    scandir = os.scandir

    def closed(folder):
        if Path(folder).name == "closed":
            raise PermissionError(13, "Permission denied", str(folder))
        return scandir(folder)

    monkeypatch.setattr(os, "scandir", closed)
    assert find_images(tmp_path) == ["closed", "open.png"]
    monkeypatch.setattr(os, "access", lambda *_: False)
    with pytest.raises(Problem, match=r"closed: is a folder that may not be listed; ask for"):
        open_image(tmp_path / "closed")


@POSIX
def test_folders_below_one_another_without_end_do_not_end_the_search(tmp_path, monkeypatch):
    touch(tmp_path, "z.jpg")
    monkeypatch.chdir(tmp_path)
    for _ in range(1100):  # more than may stand in a path
        Path("deep").mkdir()
        os.chdir("deep")
    monkeypatch.chdir(tmp_path)
    first, last = find_images(tmp_path)
    assert (last, first.split("/")[0]) == ("z.jpg", "deep")
    with pytest.raises(Problem, match=r"cannot be read .*too long"):
        open_image(tmp_path / first)
    os.chdir(tmp_path)
    for _ in range(1100):
        os.chdir("deep")
    for _ in range(1100):  # pytest could not remove them
        os.chdir("..")
        Path("deep").rmdir()


# Links


@POSIX
def test_links_to_folders_are_followed_once(tmp_path):
    touch(tmp_path, "elsewhere/cats/1.jpg", "elsewhere/cats/in/2.jpg", "set/dogs/3.jpg")
    for name, target in {
        "cats": "../elsewhere/cats",
        "same cats": "../elsewhere/cats",
        "dogs again": "dogs",
        "dogs/round": "..",
        "above": "../..",
        "nowhere": "gone",
        "self": "self",
        "inner": "../elsewhere/cats/in",
    }.items():
        (tmp_path / "set" / name).symlink_to(target)
    assert find_images(tmp_path / "set") == ["cats/1.jpg", "cats/in/2.jpg", "dogs/3.jpg"]


@POSIX
def test_links_that_are_not_followed_stand_in_the_list(tmp_path):
    touch(tmp_path, "elsewhere/1.jpg", "set/2.jpg")
    (tmp_path / "set" / "link").symlink_to("../elsewhere")
    assert look_into(tmp_path / "set", os.path.islink).images == ["2.jpg", "link"]


@POSIX
def test_a_dataset_of_linked_classes_is_read_and_clean_names_the_links(
    photographs, tmp_path, capsys, data_folder
):
    (tmp_path / "set").mkdir()
    for name in ("cats", "dogs"):
        (tmp_path / "set" / name).symlink_to(photographs / name)
    dataset = datasets.load(tmp_path / "set")
    assert len(dataset.images) == 8
    assert main(["index", "-d", f"{tmp_path}/set", "-s", f"{tmp_path}/shelf"]) == 0
    capsys.readouterr()
    assert main(["clean", f"{tmp_path}/set"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "No picture: cats: is a link and is left alone"
    assert lines[1] == "No picture: dogs: is a link and is left alone"
    assert lines[2].startswith("To move: 0 exact copies and 0 near copies")


# What is not looked at


def test_other_files_are_counted_by_kind(tmp_path):
    touch(tmp_path, "1.jpg", "a/2.MOV", "3.mov", "4.svg", "LICENCE", ".hidden.mov", "skip/5.mov")
    found = look_into(tmp_path, leave_out=lambda folder: folder.name == "skip")
    assert found.others == Counter({".mov": 2, ".svg": 1, "without a suffix": 1})
    assert not_looked_at(found) == [
        "Not looked at: 4 other files (2 .mov, 1 .svg, 1 without a suffix)"
    ]
    touch(tmp_path, *(f"{suffix}.{suffix}" for suffix in "abcdef"))
    assert not_looked_at(look_into(tmp_path))[0].endswith("1 .d ...)")


def test_bins_and_thumbnail_stores_are_left_out_wherever_they_lie_and_counted(tmp_path):
    stores = ["$Recycle.Bin", "a/#recycle", "@eaDir", "a/@EADIR", "b/.Trash-1000", ".thumbnails"]
    touch(tmp_path, "1.jpg", "a/2.jpg", "a/trash/3.jpg", "a/#recycled/4.jpg", "a/@eaDir.jpg")
    touch(tmp_path, *(f"{store}/deep/5.jpg" for store in stores), "@eaDir/6.db")
    found = look_into(tmp_path)
    assert found.images == [
        "1.jpg",
        "a/#recycled/4.jpg",
        "a/2.jpg",
        "a/@eaDir.jpg",
        "a/trash/3.jpg",
    ]
    assert not_looked_at(found) == [
        "Left out: 7 files in bins, thumbnail stores or snapshots "
        "(2 @eaDir, 1 #recycle, 1 $Recycle.Bin, 1 .Trash-1000, 1 .thumbnails ...)"
    ]
    assert find_images(tmp_path / "@eaDir") == ["deep/5.jpg"]  # named by a person
    (tmp_path / "1.jpg").rename(tmp_path / "$Recycle.Bin" / "1.jpg")
    with pytest.raises(Problem, match=r"holds no images; .*\.ico\. Left out: 5 files in bins"):
        look_into(tmp_path, exclude=["a", "[b@.]*"])


@POSIX
def test_a_bin_is_not_left_by_a_link(tmp_path):
    touch(tmp_path, "set/1.jpg", "elsewhere/2.jpg", "set/.Trashes/3.jpg")
    (tmp_path / "set" / ".Trashes" / "link").symlink_to("../../elsewhere")
    (tmp_path / "set" / "@Recycle").symlink_to("../elsewhere")
    assert look_into(tmp_path / "set").stores == Counter({".Trashes": 1})


def test_what_a_person_excludes_is_counted_by_pattern(tmp_path):
    touch(tmp_path, "raw/1.jpg", "a/RAW/2.jpg", "a/raw.JPG", "b/3.png", "b/c/4.jpg", "Größe.jpg")
    for patterns, images, count in (
        ((), 6, {}),
        (("raw",), 4, {"raw": 2}),
        (("raw*",), 3, {"raw*": 3}),
        (("*/",), 1, {"*/": 5}),
        (("B/*.png", "b/c"), 4, {"B/*.png": 1, "b/c": 1}),
        (("GRO\u0308SSE*",), 5, {"GRO\u0308SSE*": 1}),
        (("rwa", "[", "../*"), 6, {"rwa": 0, "[": 0, "../*": 0}),  # which are told, too
    ):
        found = look_into(tmp_path, exclude=patterns)
        assert (len(found.images), found.excluded) == (images, count)
    found = look_into(tmp_path, exclude=["raw", "*.png"])
    assert not_looked_at(found) == ["Excluded: 3 files (2 raw, 1 *.png)"]


def test_what_gather_wrote_beside_the_images_of_a_haystack_is_known(tmp_path):
    touch(tmp_path, "1.jpg", "gather.json", "truth.csv", "own.csv", "cats/truth.csv")
    assert look_into(tmp_path).others == Counter({".csv": 2})


def test_every_command_that_looks_into_a_folder_says_what_it_left_out(
    photographs, tmp_path, capsys, data_folder
):
    touch(photographs, "film.mov")
    sentence = "Not looked at: 1 other file (1 .mov)"
    for command in (
        ["index", "-d", f"{photographs}", "-s", f"{tmp_path}/shelf"],
        [
            "gather",
            "-i",
            f"{photographs}",
            "-o",
            f"{tmp_path}/hay",
            "-c",
            f"{tmp_path}/truth.csv",
            "--needles",
            "1",
        ],
        ["clean", f"{photographs}"],
    ):
        assert main(command) == 0
        assert sentence in capsys.readouterr().out.splitlines(), command[0]
    datasets.load(photographs)
    assert sentence in capsys.readouterr().out.splitlines()


def test_commands_leave_out_what_a_person_excludes(photographs, tmp_path, capsys, data_folder):
    for command in (["index", "-s", f"{tmp_path}/shelf", "-d"], ["clean"]):
        assert main([*command, f"{photographs}", "--exclude", "dogs", "--exclude", "*1*"]) == 0
        out = capsys.readouterr().out
        assert "Excluded: 5 files (4 dogs, 1 *1*)" in out.splitlines()
        assert "index" not in command or "Read 3 images" in out


# Names


@pytest.mark.parametrize("form", ["NFC", "NFD"])
def test_capitals_and_compositions_of_letters_are_one_to_plain(form):
    assert plain(unicodedata.normalize(form, "GRÖSSE Ἀ.JPG")) == plain("größe ἀ.jpg")
    assert plain("grosse.jpg") != plain("grösse.jpg")


def test_pictures_come_one_by_one_and_large_ones_are_reduced(tmp_path, photograph):
    for name, size in (("a.png", (300, 200)), ("b.png", (40, 80)), ("c.png", (90, 30))):
        photograph(1, size).save(tmp_path / name)
    pictures = OneByOne(tmp_path, ["b.png", "a.png", "c.png"], longest=90)
    for _ in range(2):  # as often as somebody goes through
        opened = list(pictures)
        assert [picture.size for picture in opened] == [(40, 80), (90, 60), (90, 30)]
        assert opened[0].tobytes() == photograph(1, (40, 80)).tobytes()
    assert len(pictures) == 3


def test_of_many_pictures_one_by_one_no_more_than_two_are_held(tmp_path, photograph):
    photograph(1, (100, 100)).save(tmp_path / "a.png")
    seen = []
    for picture in OneByOne(tmp_path, ["a.png"] * 4):
        seen.append(weakref.ref(picture))
        gc.collect()
        assert sum(one() is not None for one in seen) <= 2


def test_a_path_alone_tells_what_is_listed_in_a_folder(tmp_path):
    names = ["a.jpg", "b/c.PNG", "b/.d.jpg", ".e/f.jpg", "b/@eaDir/g.jpg", "lost+found/h.jpg"]
    names += ["i.txt", "truth.csv", "$Recycle.bin/j.gif", "k.jpg/l.jpeg", "jpg", "m .Jpg_Large"]
    touch(tmp_path, *names)
    assert sorted(filter(is_picture, names)) == find_images(tmp_path)
