"""The article's index: what it holds, how it is brought up to date, and which files it refuses to open."""

import collections
import json
import multiprocessing
import os
import pickle
import random
import shelve
import shutil
import sys
import tracemalloc
from contextlib import contextmanager
from dbm import dumb
from itertools import count
from pathlib import Path
from unittest import mock

import imagehash
import numpy as np
import pytest
from PIL import Image, ImageOps

from helpers import Problem, hamming, shelf
from helpers.files import pickles
from helpers.files.atomic import exclusive
from helpers.fingerprints import catalogue, hashes, recipe
from helpers.images import opening
from helpers.images.folders import find_images

# A reader must see no "Exception ignored in ..." either.
pytestmark = pytest.mark.filterwarnings("error::pytest.PytestUnraisableExceptionWarning")

KEY = "00000000000000ff"
KINDS = ["dbm.dumb", "dbm.gnu", "dbm.ndbm", "dbm.sqlite3"]


@pytest.fixture
def path(tmp_path):
    return tmp_path / "db.shelve"


def kind_or_skip(kind):
    return pytest.importorskip(kind, reason=f"this Python has no {kind}", exc_type=ImportError)


def as_the_article_does(database, folder):
    """Index a folder: a list of file names under the hexadecimal digits of each fingerprint."""
    for file in sorted(folder.rglob("*.jpg")):
        digits = str(imagehash.dhash(Image.open(file)))
        database[digits] = [*database.get(digits, []), file.name]


def listed(path):
    return sorted(name for names in shelf.read(path).values() for name in names)


def files_of(path):
    return sorted(
        file for file in path.parent.iterdir() if file.name.startswith(path.name) and file.is_file()
    )


# What it holds


def test_it_equals_a_dictionary_of_lists(path, photographs):
    shutil.copytree(photographs / "cats", photographs / "birds")  # each of them now has a twin
    shelf.build(path, photographs)
    expected = {}
    for name in find_images(photographs):
        expected.setdefault(str(imagehash.dhash(Image.open(photographs / name))), []).append(name)
    assert dict(shelf.read(path)) == expected


def test_two_files_with_one_name_in_different_folders_stay_two(path, photographs):
    shutil.copy(photographs / "cats" / "image_0000.jpg", photographs / "dogs" / "image_0000.jpg")
    shelf.build(path, photographs)
    found = shelf.read(path).find(photographs / "cats" / "image_0000.jpg")
    assert found["path"].tolist() == ["cats/image_0000.jpg", "dogs/image_0000.jpg"]


def test_names_may_hold_spaces_and_any_letters(path, photographs):
    name = "Кошки и 猫/my façade picture.jpg"
    (photographs / name).parent.mkdir()
    shutil.copy(photographs / "cats" / "image_0000.jpg", photographs / name)
    shelf.build(path, photographs)
    assert name in shelf.read(path).find(photographs / name)["path"].tolist()


def test_plain_shelve_opens_it(path, photographs):
    shelf.build(path, photographs)
    with shelve.open(str(path), "r") as plain:
        assert {key: plain[key] for key in plain if key != shelf.ABOUT} == dict(shelf.read(path))


def test_problem_images_are_not_listed_and_are_tried_again(path, photographs, photograph):
    broken = photographs / "cats" / "broken.jpg"
    broken.write_bytes(b"no picture")
    table = shelf.build(path, photographs)
    assert table.loc[table["problem"] != "", "path"].tolist() == ["cats/broken.jpg"]
    assert "cats/broken.jpg" not in listed(path)
    photograph(77).save(broken)
    assert shelf.build(path, photographs)["path"].tolist() == ["cats/broken.jpg"]
    assert "cats/broken.jpg" in listed(path)


def test_a_folder_of_problems_gives_a_shelf_that_finds_nothing(path, tmp_path, photograph):
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "broken.jpg").write_bytes(b"no picture")
    shelf.build(path, tmp_path / "photos")
    assert shelf.read(path).find(hashes.of_image(photograph(1)), 64).empty


def test_a_folder_without_images_makes_no_shelf(path, tmp_path):
    (tmp_path / "photos").mkdir()
    with pytest.raises(Problem, match="holds no images"):
        shelf.build(path, tmp_path / "photos")
    assert not files_of(path)


# Bringing it up to date


def test_building_again_lists_nothing_twice_and_reads_nothing(path, photographs):
    assert len(shelf.build(path, photographs)) == 8
    first, files = dict(shelf.read(path)), [file.stat() for file in files_of(path)]
    assert shelf.build(path, photographs).empty
    assert dict(shelf.read(path)) == first
    assert [file.stat().st_ino for file in files_of(path)] == [status.st_ino for status in files], (
        "written anew"
    )


def test_adding_files_reads_only_the_new_ones(path, photographs, photograph):
    shelf.build(path, photographs)
    (photographs / "birds").mkdir()
    photograph(50).save(photographs / "birds" / "new.jpg")
    assert shelf.build(path, photographs)["path"].tolist() == ["birds/new.jpg"]
    assert listed(path) == find_images(photographs)


def test_a_changed_file_is_read_again_and_leaves_its_old_place(path, photographs, photograph):
    shelf.build(path, photographs)
    changed = photographs / "cats" / "image_0001.jpg"
    old = hashes.of_file(changed)
    photograph(60).save(changed)
    assert shelf.build(path, photographs)["path"].tolist() == ["cats/image_0001.jpg"]
    index = shelf.read(path)
    assert index.find(old).empty
    assert index.find(changed)["path"].tolist() == ["cats/image_0001.jpg"]


def test_a_file_that_is_gone_stays_listed(path, photographs):
    shelf.build(path, photographs)
    (photographs / "cats" / "image_0001.jpg").unlink()
    assert shelf.build(path, photographs).empty
    assert "cats/image_0001.jpg" in listed(path)


def test_step_by_step_gives_the_same_shelf_as_at_once(path, photographs):
    images = find_images(photographs)
    for name in images:
        shelf.build(path, photographs, images=[name])
    shelf.build(path.with_name("at_once"), photographs)
    assert dict(shelf.read(path)) == dict(shelf.read(path.with_name("at_once")))


# Asking it


@pytest.mark.parametrize("radius", [0, 1, 2, 10, 24, 32, 40, 64])
def test_find_equals_counting_the_bits_of_every_pair(radius):
    rng = np.random.default_rng(radius)
    index = {
        f"{key:016x}": [f"{key % 7}/{key}.jpg"]
        for key in rng.integers(0, 2**64, 300, dtype=np.uint64).tolist()
    }
    near = int(next(iter(index)), 16) ^ 0b101
    index[f"{near:016x}"] = ["b.jpg", "a.jpg"]
    for query in (near, near ^ 1, 0):
        expected = sorted(
            (hamming.distance(query, int(key, 16)), name)
            for key, names in index.items()
            for name in names
            if hamming.distance(query, int(key, 16)) <= radius
        )
        found = shelf.Shelf(index, {}).find(np.uint64(query), radius)
        assert list(zip(found["distance"], found["path"], strict=True)) == expected
        assert found["distance"].dtype == "int64"  # even with no rows


@pytest.mark.parametrize("radius", [-1, 65, 1000, 2.0, "2", None, True])
def test_a_radius_that_is_no_number_of_bits_is_refused(radius):
    with pytest.raises(Problem, match="whole number of bits from 0 to 64"):
        shelf.Shelf({KEY: ["a.jpg"]}, {}).find(np.uint64(255), radius)


def test_a_radius_may_come_from_numpy():
    assert len(shelf.Shelf({KEY: ["a.jpg"]}, {}).find(np.uint64(254), np.int64(1))) == 1


def test_a_query_that_is_no_picture_is_refused_with_the_reason(path, photographs):
    shelf.build(path, photographs)
    with pytest.raises(Problem, match="no such file"):
        shelf.read(path).find(photographs / "nowhere.jpg")


def test_a_picture_like_none_finds_nothing():
    found = shelf.Shelf({KEY: ["a.jpg"]}, {}).find(np.uint64(0))
    assert found.empty
    assert found.columns.tolist() == ["path", "distance"]


# What made it


def test_it_says_what_made_it(path, photographs):
    shelf.build(path, photographs, fast=True)
    about = shelf.read(path).about
    assert (about["algorithm"], about["hash_size"]) == ("dhash", 8)
    assert about["reading"] == {"rotate": True, "background": "white", "fast": True}
    assert about["versions"] == {"imagehash": imagehash.__version__, "pillow": Image.__version__}
    assert sorted(about["files"]) == find_images(photographs)


@pytest.mark.parametrize(
    "otherwise", [{"fast": True}, {"rotate": False}, {"background": "black"}, {"background": None}]
)
def test_a_query_or_a_build_made_otherwise_is_refused_with_the_reason(otherwise, path, photographs):
    shelf.build(path, photographs)
    name, value = next(iter(otherwise.items()))
    reason = f"was made with {name}=.*, and here is {name}={value!r}; their fingerprints cannot"
    with pytest.raises(Problem, match=reason):
        shelf.read(path).find(photographs / "cats" / "image_0000.jpg", **otherwise)
    with pytest.raises(Problem, match=reason):
        shelf.build(path, photographs, **otherwise)


def test_a_query_is_read_as_the_shelf_was(path, photographs, photograph):
    turned = photographs / "cats" / "turned.jpg"
    exif = Image.Exif()
    exif[0x0112] = 6
    photograph(9).save(turned, exif=exif)
    shelf.build(path, photographs, rotate=False)
    assert "cats/turned.jpg" in shelf.read(path).find(turned)["path"].tolist()
    assert shelf.read(path).find(hashes.of_file(turned, rotate=True)).empty


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"algorithm": "phash"}, "with phash of 64 bits, and here is dhash of 64 bits"),
        ({"hash_size": 16}, "with dhash of 256 bits, and here is dhash of 64 bits"),
        ({"versions": {"imagehash": "3.4", "pillow": "13.0"}}, "with imagehash 3, and here is"),
        ({"versions": {"imagehash": "4.3", "pillow": "2.9"}}, "with pillow 2, and here is"),
    ],
)
def test_fingerprints_of_another_recipe_are_refused(changed, reason):
    about = {**recipe.here().as_dict(), "files": {}, **changed}
    with pytest.raises(Problem, match=f"was made {reason}.*; .* build the shelf anew"):
        shelf.Shelf({KEY: ["a.jpg"]}, about).find(np.uint64(0), hash="dhash")


def test_a_hash_that_newer_helpers_have_is_refused_with_those_that_there_are():
    about = {**recipe.here().as_dict(), "algorithm": "thash", "bits": 64, "files": {}}
    with pytest.raises(Problem, match="'thash': no such hash; there are dhash, "):
        shelf.Shelf({KEY: ["a.jpg"]}, about).find(np.uint64(0))


def test_what_newer_helpers_say_beside_it_is_let_be(path, photographs):
    about = {**recipe.here().as_dict(), "files": {}, "checksums": {KEY: "7"}}
    # a shelf as a later version may write one
    shelf._publish(path, {KEY: ["a.jpg"]}, about)
    assert shelf.read(path).find(np.uint64(255))["path"].tolist() == ["a.jpg"]


def test_a_rule_that_only_newer_helpers_know_is_one_sentence(path):
    about = {**recipe.here().as_dict(), "files": {}, "rules": {"16 bits": 9}}
    shelf._publish(path, {KEY: ["a.jpg"]}, about)  # as a later version may
    with pytest.raises(Problem, match=r"db\.shelve: was read by rule 9 for 16 bits, which only"):
        shelf.read(path)


# Files of version 0.1


OF_0_1 = Path(__file__).parent / "files_of_0_1"


@pytest.fixture
def of_0_1(tmp_path):
    """A copy of the files that version 0.1 wrote."""
    return shutil.copytree(OF_0_1, tmp_path / "of_0_1")


@pytest.fixture
def rule_3(monkeypatch):
    """A third rule for deep greys, as a later version may bring one."""
    monkeypatch.setitem(
        opening.WAYS["16 bits"], 3, lambda image: ImageOps.mirror(image.convert("L"))
    )
    monkeypatch.setitem(opening.RULES, "16 bits", 3)


@pytest.mark.parametrize("name", ["shelf", "shelf-as-stored"])
@pytest.mark.parametrize("rules", [2, 3])
def test_a_shelf_of_0_1_finds_its_pictures_whatever_rules_are_new(name, rules, of_0_1, request):
    if rules == 3:
        request.getfixturevalue("rule_3")
    made = shelf.read(of_0_1 / name)
    assert set(made.recipe.rules.values()) == {1}
    for picture in find_images(of_0_1 / "pictures"):
        found = made.find(of_0_1 / "pictures" / picture).set_index("path")["distance"]
        assert found[picture] == 0


def test_a_shelf_of_0_1_is_brought_up_to_date_by_its_own_rules(of_0_1, rule_3):
    images = [of_0_1 / "pictures" / name for name in find_images(of_0_1 / "pictures")]
    shutil.copy(images[3], of_0_1 / "pictures" / "deep again.png")
    shelf.build(of_0_1 / "shelf", of_0_1 / "pictures")
    made = shelf.read(of_0_1 / "shelf")
    assert "rules" not in made.about
    assert made.find(images[3])["path"].tolist() == ["deep again.png", "deep.png"]


def test_a_new_shelf_records_the_newest_rules(of_0_1, rule_3):
    old = shelf.read(of_0_1 / "shelf")
    shelf.build(of_0_1 / "new", of_0_1 / "pictures")
    made = shelf.read(of_0_1 / "new")
    assert made.about["rules"]["16 bits"] == 3
    deep = of_0_1 / "pictures" / "deep.png"
    assert made.find(deep)["path"].tolist() == ["deep.png"]
    assert old.find(deep)["path"].tolist() == ["deep.png"]
    assert set(made) != set(old)


def test_an_unknown_way_of_reading_is_a_programmers_mistake(path, photographs):
    with pytest.raises(TypeError, match="colour"):
        shelf.build(path, photographs, colour=True)


# Shelves that others made


@pytest.mark.parametrize("kind", KINDS)
def test_the_articles_shelf_opens_and_answers(kind, path, photographs):
    with shelve.Shelf(kind_or_skip(kind).open(str(path), "c"), writeback=True) as database:
        as_the_article_does(database, photographs)
    made = shelf.read(path)
    query = photographs / "dogs" / "image_0005.jpg"
    assert len(made) == 8
    assert made.about == {}
    assert made.find(query)["path"].tolist() == ["image_0005.jpg"]
    assert made.find(query, 64)["distance"].tolist()[0] == 0


def test_the_articles_shelf_opens_whatever_kind_is_the_usual_one_here(path, photographs):
    with shelve.open(str(path), writeback=True) as database:
        as_the_article_does(database, photographs)
    assert shelf.read(path).find(photographs / "dogs" / "image_0005.jpg")["path"].tolist() == [
        "image_0005.jpg"
    ]


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_a_shelf_of_any_pickle_protocol_opens(protocol, path):
    names = [f"category/image_{number:04}.jpg" for number in range(300)]
    with shelve.Shelf(dumb.open(str(path), "c"), protocol=protocol) as database:
        database[KEY] = names
    assert shelf.read(path)[KEY] == names


def test_the_articles_query_is_read_as_imagehash_reads(path, tmp_path, photograph):
    exif = Image.Exif()
    exif[0x0112] = 6
    (tmp_path / "photos").mkdir()
    photograph(9).save(tmp_path / "photos" / "turned.jpg", exif=exif)
    with shelve.open(str(path)) as database:
        as_the_article_does(database, tmp_path / "photos")
    assert len(shelf.read(path).find(tmp_path / "photos" / "turned.jpg")) == 1


def test_the_articles_shelf_is_not_built_upon(path, photographs):
    with shelve.open(str(path)) as database:
        as_the_article_does(database, photographs)
    with pytest.raises(Problem, match=r"was made by another program .*; choose a new name"):
        shelf.build(path, photographs)


def test_an_empty_shelf_is_one_sentence(path):
    with dumb.open(str(path), "n"):
        pass
    with pytest.raises(Problem, match="is empty or damaged"):
        shelf.read(path)


# Files that are no shelf, or none for this Python


def test_a_missing_shelf_is_one_sentence(path):
    with pytest.raises(Problem, match=r"db\.shelve: no such shelf; check the spelling"):
        shelf.read(path)
    assert not files_of(path), "asking must not make one"


@pytest.mark.parametrize(
    "name", ["notes.txt", "picture.jpg", "folder", "empty", "db.shelve.dat", "db.shelve.dir"]
)
def test_a_file_that_is_no_shelf_is_one_sentence(name, path, tmp_path, photograph, photographs):
    shelf.build(path, photographs)
    (tmp_path / "notes.txt").write_text("no shelf at all\n" * 10)
    (tmp_path / "empty").write_bytes(b"")
    (tmp_path / "folder").mkdir()
    photograph().save(tmp_path / "picture.jpg")
    for use in (shelf.read, lambda place: shelf.build(place, photographs)):
        with pytest.raises(Problem, match=f"{name}: is (not a shelf|a folder); ") as problem:
            use(tmp_path / name)
        assert "\n" not in str(problem.value)


GNU = (0x13579ACE).to_bytes(4, sys.byteorder) + bytes(60)
SQLITE = b"SQLite format 3\0" + bytes(100)


@pytest.mark.parametrize(("kind", "start"), [("dbm.gnu", GNU), ("dbm.sqlite3", SQLITE)])
def test_a_kind_that_this_python_lacks_is_one_sentence(kind, start, path, monkeypatch):
    path.write_bytes(start)
    # To import it fails now, as where Python was built without it.
    monkeypatch.setitem(sys.modules, kind, None)
    with pytest.raises(
        Problem,
        match=f"is a shelf of kind {kind}, which this Python cannot open; build it again here",
    ):
        shelf.read(path)


@pytest.mark.parametrize("kind", KINDS)
def test_a_file_that_only_begins_like_a_shelf_is_one_sentence(kind, path):
    kind_or_skip(kind)
    beginnings = {"dbm.gnu": GNU, "dbm.sqlite3": SQLITE}
    path.write_bytes(beginnings.get(kind, b"no shelf"))
    path.with_name("db.shelve.dat").write_bytes(b"no shelf")
    path.with_name("db.shelve.dir").write_bytes(b"'no shelf'\n")
    with pytest.raises(Problem, match=r"db\.shelve: is (damaged|not a shelf)"):
        shelf.read(path)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        (KEY, "a.jpg"),
        (KEY, [1, 2]),
        (KEY, ["a.jpg", None]),
        (KEY, {"a.jpg": 1}),
        (KEY, ("a.jpg",)),
        (KEY, None),
        ("holiday", ["a.jpg"]),
        ("00000000000000FG", ["a.jpg"]),
    ],
)
def test_a_shelf_of_something_else_is_one_sentence(key, value, path):
    with shelve.open(str(path)) as database:
        database[key] = value
    with pytest.raises(Problem, match=r"db\.shelve: is no shelf of fingerprints, since"):
        shelf.read(path)


@pytest.mark.parametrize(
    "about", ["", "no JSON", "[]", "{}", "null", '{"digest": 1}', 7, ["dhash"], "[" * 100_000]
)
def test_a_shelf_that_describes_itself_in_unknown_words_is_one_sentence(about, path):
    with shelve.open(str(path)) as database:
        database[shelf.ABOUT] = about
        database[KEY] = ["a.jpg"]
    with pytest.raises(Problem, match="in a way not known here"):
        shelf.read(path)


def test_a_shelf_that_another_program_changed_is_one_sentence(path, photographs):
    shelf.build(path, photographs)
    with shelve.open(str(path)) as database:
        database[KEY] = ["a.jpg"]
    with pytest.raises(Problem, match="was changed by another program"):
        shelf.read(path)


# Files that would run code


@pytest.fixture
def few_bytes():
    """A block that may take a megabyte of memory and no more."""

    @contextmanager
    def block():
        tracemalloc.start()
        try:
            yield
            assert tracemalloc.get_traced_memory()[1] < 1_000_000
        finally:
            tracemalloc.stop()

    return block


class Attack:
    """Pickled, a call that unpickling makes."""

    def __init__(self, function, *arguments):
        self.call = function, arguments

    def __reduce__(self):
        return self.call


ATTACKS = {
    "os.system": lambda mark: Attack(os.system, f'echo > "{mark}"'),
    "eval": lambda mark: Attack(eval, f"open({str(mark)!r}, 'w').close()"),
    "Path.touch": lambda mark: Attack(Path.touch, mark),
}


@pytest.mark.parametrize("protocol", [0, 2, 4, 5])
@pytest.mark.parametrize("attack", ATTACKS)
def test_a_shelf_that_would_run_code_is_refused_and_runs_none(
    attack, protocol, path, tmp_path, photographs
):
    mark = tmp_path / "mark"
    payload = pickle.dumps([ATTACKS[attack](mark)], protocol)
    pickle.loads(payload)
    assert mark.exists(), "the attack works where it is not held off"
    mark.unlink()
    with dumb.open(str(path), "c") as database:
        database[KEY] = payload
    for use in (shelf.read, lambda path: shelf.build(path, photographs)):
        with pytest.raises(Problem, match=r"db\.shelve: it holds .*, which could run code"):
            use(path)
    assert not mark.exists()


@pytest.mark.parametrize("pickled", [b"\x80\x04\x82\x01.", b"\x80\x04\x8c\x01aQ."])
def test_what_is_registered_or_kept_elsewhere_is_no_list_of_names(pickled, path):
    with dumb.open(str(path), "c") as database:
        database[KEY] = pickled
    with pytest.raises(Problem, match=f"is no shelf of fingerprints, since '{KEY}' holds no list"):
        shelf.read(path)


@pytest.mark.parametrize(
    "value", [collections.OrderedDict(a=1), np.uint64(1), Path("a.jpg"), 1j, object()]
)
def test_a_harmless_object_is_refused_as_well(value, path):
    with shelve.open(str(path)) as database:
        database[KEY] = [value]
    with pytest.raises(Problem, match="which could run code"):
        shelf.read(path)


@pytest.mark.parametrize(
    "pickled",
    [
        b"\x80\x05\x96" + (2**28).to_bytes(8, "little") + b".",  # a bytearray of 256 MB
        b"\x80\x04\x8e" + (2**28).to_bytes(8, "little") + b".",  # bytes
        b"\x80\x04\x8d" + (2**28).to_bytes(8, "little") + b".",  # text
        b"\x80\x04\x95" + (2**28).to_bytes(8, "little") + b".",  # a frame
        b"\x80\x04]",  # no end
        b"",
    ],
)
def test_a_pickle_that_is_damaged_or_asks_for_too_much_is_one_sentence(pickled, path, few_bytes):
    with dumb.open(str(path), "c") as database:
        database[KEY] = pickled
    with (
        few_bytes(),
        pytest.raises(Problem, match=r"db\.shelve: is damaged .*; delete it and build it again"),
    ):
        shelf.read(path)


def test_a_pickle_cannot_fill_the_memory_by_numbering_its_parts(path, few_bytes):
    with dumb.open(str(path), "c") as database:
        database[KEY] = b"\x80\x04]r\xff\xff\xff\x00."  # an empty list, kept as part 16,777,215
    with few_bytes():
        assert shelf.read(path)[KEY] == []


# Files that would take all of the memory


def written(path, values, *, shared=False):
    """Write pickles as `dbm.dumb` does; all keys lead to the first one if it is shared."""
    content, lines = b"", []
    for key, pickled in values.items():
        start = 0 if shared else len(content)
        lines.append(f"'{key}', ({start}, {len(pickled)})\n")
        content += b"" if shared and content else pickled
    path.with_name(f"{path.name}.dat").write_bytes(content)
    path.with_name(f"{path.name}.dir").write_text("".join(lines))


TWICE = b"(lp0\n" + b"".join(b"(g%d\ng%d\nlp%d\n" % (n, n, n + 1) for n in range(60)) + b"."
LONG = b"\x80\x04](\x8d" + (10**5).to_bytes(8, "little") + b"x" * 10**5 + b"q\0"
DEEP = b"\x80\x02]" + b"]" * 50_000 + b"a" * 50_000 + b"."
GREEDY = {
    "2**60 texts by lists that are listed twice": ({KEY: TWICE}, "holds no list of file names"),
    "lists in lists": ({KEY: DEEP}, "holds no list of file names"),
    "one long text, again and again": ({KEY: LONG + b"h\0" * 10_000 + b"e."}, "holds more than"),
    "many steps": ({KEY: b"\x80\x04]" + b"]" * 200_000 + b"."}, "holds more than"),
    "a text of many parts": (
        {"about": pickle.dumps('{"files": {"a": [' + "[]," * 100_000 + "[]]}}")},
        "in a way not known here",
    ),
    "more than a budget": ({KEY: pickle.dumps(["x" * 2**21])}, "holds more than 1,048,576 bytes"),
}


@pytest.mark.slow
@pytest.mark.parametrize("greedy", GREEDY)
def test_a_small_file_that_wants_much_is_one_sentence(greedy, path, monkeypatch):
    values, reason = GREEDY[greedy]
    monkeypatch.setattr(pickles, "MOST_BYTES", 2**20)
    written(path, values)
    tracemalloc.start()
    try:
        with pytest.raises(Problem, match=reason):
            shelf.read(path)
        assert tracemalloc.get_traced_memory()[1] < 10_000_000
    finally:
        tracemalloc.stop()


def test_values_that_overlap_are_one_sentence(path, few_bytes):
    keys = [f"{number:016x}" for number in range(100)]
    written(path, dict.fromkeys(keys, pickle.dumps(["x" * 10_000])), shared=True)
    with few_bytes(), pytest.raises(Problem, match=r"is damaged .* is shorter than its values"):
        shelf.read(path)


def test_a_file_of_gigabytes_is_one_sentence(path, few_bytes):
    written(path, {KEY: pickle.dumps(["a.jpg"])})
    for suffix in (".dat", ".dir"):  # these take no room on most disks
        os.truncate(path.with_name(f"db.shelve{suffix}"), 3 * 10**9)
    with pytest.raises(Problem, match=r"db\.shelve\.dir: is larger than 67,108,864 bytes"):
        shelf.read(path)
    path.with_name("db.shelve.dir").write_text(f"'{KEY}', (0, {2 * 10**9})\n")
    with few_bytes(), pytest.raises(Problem, match="holds more than 67,108,864 bytes"):
        shelf.read(path)


def test_a_shelf_that_could_not_be_read_is_refused_before_the_work(
    photographs, path, monkeypatch, capsys
):
    """Each budget is tried from below: the first with which a shelf is built can read it too."""
    (photographs / "cats" / "image_0000.jpg").rename(photographs / "cats" / "ähm, \"'猫.jpg")
    work = mock.Mock(wraps=catalogue.of_folder)
    monkeypatch.setattr(catalogue, "of_folder", work)
    for budget in count(500, 20):
        monkeypatch.setattr(pickles, "MOST_BYTES", budget)
        try:
            shelf.build(path, photographs, workers=1)
            break
        except Problem as problem:
            assert f"would hold more than {budget:,} bytes" in str(problem)
            assert not work.called
            assert not list(path.parent.glob("*.d*"))
    assert budget > 500
    assert len(shelf.read(path)) == 8
    assert shelf.read(path).about["files"].keys() == set(find_images(photographs))


def test_the_budget_can_be_raised(path, monkeypatch):
    written(path, {KEY: pickle.dumps(["a.jpg", "ü.jpg"])})
    monkeypatch.setattr(pickles, "MOST_BYTES", 50)
    with pytest.raises(Problem, match=r"holds more than 50 bytes, .*MOST_BYTES can be raised"):
        shelf.read(path)
    monkeypatch.setattr(pickles, "MOST_BYTES", 500)
    assert shelf.read(path)[KEY] == ["a.jpg", "ü.jpg"]


# Damage


def damage(content, rng):
    """The content with one to three bytes changed, cut short, or with a piece left out."""
    content = bytearray(content)
    way = rng.random()
    if way < 0.7:
        for _ in range(rng.randrange(1, 4)):
            content[rng.randrange(len(content))] = rng.randrange(256)
    elif way < 0.9:
        del content[rng.randrange(len(content)) :]
    else:
        start = rng.randrange(len(content))
        del content[start : start + rng.randrange(1, 20)]
    return bytes(content)


@pytest.mark.parametrize("suffix", [".dat", ".dir"])
def test_a_damaged_shelf_gives_the_right_answer_or_a_sentence(suffix, path, photographs):
    shelf.build(path, photographs)
    right, file = dict(shelf.read(path)), path.with_name(path.name + suffix)
    whole, rng, refused = file.read_bytes(), random.Random(64), 0
    for _ in range(200):
        file.write_bytes(damage(whole, rng))
        try:
            assert dict(shelf.read(path)) == right
        except Problem as problem:
            assert "\n" not in str(problem)
            refused += 1
    assert refused > 50


@pytest.mark.parametrize("suffix", [".dat", ".dir"])
def test_a_damaged_shelf_of_the_article_is_lists_of_names_or_a_sentence(suffix, path, photographs):
    with shelve.Shelf(dumb.open(str(path), "c")) as database:
        as_the_article_does(database, photographs)
    file, rng, refused = path.with_name(path.name + suffix), random.Random(65), 0
    whole = file.read_bytes()
    for _ in range(200):
        file.write_bytes(damage(whole, rng))
        try:
            for key, names in shelf.read(path).items():
                hashes.from_hex(key)
                assert all(isinstance(name, str) for name in names)
        except Problem:
            refused += 1
    assert refused > 50


def test_a_digit_changed_in_a_key_does_not_go_unnoticed(path, photographs):
    shelf.build(path, photographs)
    file = path.with_name(path.name + ".dir")
    key = next(iter(shelf.read(path)))
    file.write_text(file.read_text().replace(key, key[:-1] + ("0" if key[-1] != "0" else "1")))
    with pytest.raises(Problem, match="is damaged"):
        shelf.read(path)


@pytest.mark.parametrize("suffix", [".dat", ".dir"])
def test_half_a_shelf_is_one_sentence(suffix, path, photographs):
    shelf.build(path, photographs)
    path.with_name(path.name + suffix).unlink()
    for use in (shelf.read, lambda path: shelf.build(path, photographs)):
        with pytest.raises(Problem, match=r"db\.shelve(.d..)?: is (not a shelf|there already)"):
            use(path)


def test_a_good_shelf_that_may_not_be_read_is_not_called_damaged(path, photographs, monkeypatch):
    shelf.build(path, photographs)
    opened = Path.open

    def refused(file, *arguments, **keywords):
        if file.suffix in (".dat", ".dir"):
            raise PermissionError(13, "Permission denied")
        return opened(file, *arguments, **keywords)

    monkeypatch.setattr(Path, "open", refused)
    with pytest.raises(Problem, match=r"not to be read \(Permission denied\); ask for permission"):
        shelf.read(path)


def signed(path, index, about):
    """A shelf whose sum is right, whatever it says."""
    about = {**recipe.here().as_dict(), "files": {}, **about}
    digest = shelf._digest(index, about)  # as a stranger may compute it
    values = {shelf.ABOUT: json.dumps({**about, "digest": digest}), **index}
    written(path, {key: pickle.dumps(value) for key, value in values.items()})


@pytest.mark.parametrize(
    "files",
    [
        {},
        {"a.jpg": []},
        {"a.jpg": 5},
        {"a.jpg": None},
        {"a.jpg": [1, 2]},
        {"a.jpg": [1, 2, 3]},
        {"a.jpg": [1, 2, "photos"], "b.jpg": [1, 2, "photos"]},
        {"cats/image_0000.jpg": "abc"},
    ],
)
def test_odd_words_about_its_files_are_one_sentence(files, path, photographs):
    signed(path, {KEY: ["a.jpg"]}, {"files": files})
    assert shelf.read(path)[KEY] == ["a.jpg"]
    with pytest.raises(Problem, match=r"in a way not known here what it was made of; replace it"):
        shelf.build(path, photographs)
    assert len(shelf.build(path, photographs, replace=True)) == 8


@pytest.mark.parametrize(
    "about",
    [
        {"files": []},
        {"hash_size": 1e308},
        {"versions": 5},
        {"reading": []},
        {"algorithm": "x" * 10**6},
        {"rules": {"x" * 10**6: 1}, "bits": 64},
    ],
)
def test_odd_words_about_what_made_it_are_one_short_sentence(about, path):
    signed(path, {KEY: ["a.jpg"]}, about)
    try:
        shelf.read(path).find(np.uint64(255))
    except Problem as problem:
        assert len(str(problem).replace("x" * 10**6, "")) < 600
    else:
        raise AssertionError("it was taken")


# What is no file of ours


@pytest.fixture
def outside(tmp_path):
    """A folder of the user's, in which lie files with the names of ours."""
    folder = tmp_path / "outside"
    folder.mkdir()
    for name in ("new.dat", "new.dir", "thesis.txt"):
        (folder / name).write_text("mine")
    return folder


def is_untouched(folder):
    return sorted((file.name, file.read_text()) for file in folder.iterdir()) == [
        (name, "mine") for name in ("new.dat", "new.dir", "thesis.txt")
    ]


def test_nothing_is_moved_out_of_a_linked_folder(path, photographs, outside):
    shelf.build(path, photographs)
    whole = dict(shelf.read(path))
    ready = path.with_name(".db.shelve.ready")
    ready.symlink_to(outside)
    assert dict(shelf.read(path)) == whole
    for replace in (False, True):
        with pytest.raises(Problem, match=r"\.ready: stands where a new shelf is made; move it"):
            shelf.build(path, photographs, replace=replace)
    ready.unlink()
    ready.mkdir()
    for suffix in (".dat", ".dir"):
        (ready / f"new{suffix}").symlink_to(outside / f"new{suffix}")
    assert dict(shelf.read(path)) == whole
    with pytest.raises(Problem, match="stands where a new shelf is made"):
        shelf.build(path, photographs)
    assert dict(shelf.read(path)) == whole
    assert is_untouched(outside)


def test_a_folder_of_somebodys_own_is_not_removed(path, photographs, outside):
    for name in ("new.dat", "new.dir"):
        (outside / name).unlink()
    outside.rename(path.with_name(".db.shelve.ready"))
    with pytest.raises(Problem, match="stands where a new shelf is made"):
        shelf.build(path, photographs)
    assert path.with_name(".db.shelve.ready").joinpath("thesis.txt").read_text() == "mine"


def test_what_waits_never_takes_the_place_of_another_file(path, photographs):
    shelf.build(path, photographs)
    ready = path.with_name(".db.shelve.ready")
    ready.mkdir()
    for suffix in (".dat", ".dir"):
        path.with_name(f"db.shelve{suffix}").rename(ready / f"new{suffix}")
    report = path.with_name("db.shelve.dat")
    report.write_text("my measurements")
    for use in (shelf.read, lambda path: shelf.build(path, photographs, replace=True)):
        with pytest.raises(Problem, match=r"\.dat: is there already and is no shelf"):
            use(path)
    assert report.read_text() == "my measurements"
    report.unlink()
    assert len(shelf.read(path)) == 8


@pytest.mark.parametrize("suffix", [".dat", ".dir"])
def test_replace_replaces_nothing_but_a_shelf(suffix, path, photographs):
    report = path.with_name(f"report{suffix}")
    report.write_text("my measurements")
    with pytest.raises(Problem, match=f"report{suffix}: is there already and is no shelf; name"):
        shelf.build(path.with_name("report"), photographs, replace=True)
    assert report.read_text() == "my measurements"


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes here")
@pytest.mark.parametrize("suffix", ["", ".dat", ".dir", ".pag", ".db"])
def test_a_pipe_is_refused_at_once(suffix, path, photographs):
    os.mkfifo(path.with_name(f"db.shelve{suffix}"))
    for use in (shelf.read, lambda path: shelf.build(path, photographs)):
        with pytest.raises(Problem, match="is a pipe or a device; name a"):
            use(path)


@pytest.mark.parametrize("name", [".", "/", "..", "photos/..", "", "x" * 300, "a\0b"])
def test_a_name_that_cannot_be_one_is_one_sentence(name, photographs, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for use in (shelf.read, lambda path: shelf.build(path, photographs)):
        with pytest.raises(Problem, match="; "):
            use(name)
    assert list(tmp_path.iterdir()) == [photographs]


# Several processes


def swap_and_build(path, folder, versions, turns, started):
    """Put one version of a picture after the other in place, and bring the shelf up to date each time."""
    for turn in range(turns):
        shutil.copy(versions[turn % 2], folder / "cats" / "new.tmp")
        (folder / "cats" / "new.tmp").replace(folder / "cats" / "image_0000.jpg")
        shelf.build(path, folder)
        started.set()


def build_some(path, folder, images, ready):
    ready.wait()
    for name in images:
        shelf.build(path, folder, images=[name])


@pytest.mark.slow
def test_reading_while_another_process_builds_gives_the_old_shelf_or_the_new(
    path, photographs, tmp_path, photograph
):
    versions = [tmp_path / "first.jpg", tmp_path / "second.jpg"]
    shelves = []
    for number, picture in enumerate(versions):
        photograph(100 + number, size=(120 + number, 80)).save(picture)
        shutil.copy(picture, photographs / "cats" / "image_0000.jpg")
        shelf.build(tmp_path / f"expected_{number}", photographs)
        shelves.append(dict(shelf.read(tmp_path / f"expected_{number}")))
    context = multiprocessing.get_context("spawn")
    started = context.Event()
    builder = context.Process(
        target=swap_and_build, args=(path, photographs, versions, 150, started)
    )
    builder.start()
    assert started.wait(60)
    seen = [0, 0]
    while builder.is_alive():
        seen[shelves.index(dict(shelf.read(path)))] += 1
    builder.join()
    assert builder.exitcode == 0
    assert min(seen) >= 5, f"both versions were met: {seen}"


@pytest.mark.slow
def test_two_processes_that_build_at_the_same_time_lose_nothing(path, photographs):
    context = multiprocessing.get_context("spawn")
    images, ready = find_images(photographs), context.Event()
    builders = [
        context.Process(target=build_some, args=(path, photographs, images[part::2], ready))
        for part in (0, 1)
    ]
    for builder in builders:
        builder.start()
    ready.set()
    for builder in builders:
        builder.join(60)
    assert [builder.exitcode for builder in builders] == [0, 0]
    assert listed(path) == images


def test_reading_does_not_wait_for_a_long_build(path, photographs):
    shelf.build(path, photographs)
    with exclusive(path):
        assert len(shelf.read(path)) == 8


def test_a_shelf_that_stays_half_moved_is_one_sentence(path, photographs, monkeypatch):
    shelf.build(path, photographs)
    path.with_name(".db.shelve.ready").mkdir()
    shutil.copy(path.with_name("db.shelve.dir"), path.with_name(".db.shelve.ready") / "new.dir")
    monkeypatch.setattr(shelf.time, "sleep", lambda seconds: None)
    with exclusive(path), pytest.raises(Problem, match="is being written over and over; try again"):
        shelf.read(path)


@pytest.mark.parametrize("operation", ["os.fsync", "pickle.dumps"])
def test_no_room_is_one_sentence_and_leaves_the_old_shelf(
    operation, path, photographs, photograph, monkeypatch
):
    shelf.build(path, photographs)
    old = dict(shelf.read(path))
    photograph(90).save(photographs / "new.jpg")
    with monkeypatch.context() as patch:

        def full(*arguments):
            raise OSError(28, "No space left on device")

        patch.setattr(operation, full)
        with pytest.raises(
            Problem, match=r"could not be written \(No space left on device\); make room"
        ):
            shelf.build(path, photographs)
    assert dict(shelf.read(path)) == old
    assert [file.name for file in path.parent.iterdir() if file.name.startswith(".")] == []
    assert len(shelf.build(path, photographs)) == 1


def test_replace_starts_anew_but_never_takes_the_place_of_another_file(photographs, tmp_path):
    shelf.build(tmp_path / "db", photographs, fast=True)
    first = len(shelf.build(tmp_path / "db", photographs, replace=True))
    assert first == len(find_images(photographs))
    assert shelf.read(tmp_path / "db").reading["fast"] is False
    (tmp_path / "letter.txt").write_text("dear reader", encoding="utf-8")
    with pytest.raises(Problem, match=r"letter\.txt: is not a shelf"):
        shelf.build(tmp_path / "letter.txt", photographs, replace=True)
    assert [path.name for path in tmp_path.glob("letter*")] == ["letter.txt"]


def test_another_folder_adds_what_is_new_and_never_takes_a_name_away(photographs, tmp_path):
    shelf.build(tmp_path / "db", photographs)
    before = dict(shelf.read(tmp_path / "db"))
    other = tmp_path / "other"
    other.mkdir()
    Image.effect_mandelbrot((60, 40), (-2, -1, 1, 1), 50).save(other / "new.png")
    assert shelf.build(tmp_path / "db", other)["path"].tolist() == ["new.png"]
    added = shelf.read(tmp_path / "db")
    assert all(set(before[key]) <= set(added[key]) for key in before)
    same_name = other / find_images(photographs)[0]
    same_name.parent.mkdir(parents=True)
    Image.new("L", (50, 50)).save(same_name)
    with pytest.raises(Problem, match="was built from another folder, which has another"):
        shelf.build(tmp_path / "db", other)
    assert dict(shelf.read(tmp_path / "db")) == dict(added)


def test_an_image_named_twice_is_listed_once(photographs, tmp_path):
    name = find_images(photographs)[0]
    shelf.build(tmp_path / "db", photographs, images=[name, name])
    assert list(shelf.read(tmp_path / "db").values()) == [[name]]
