"""What earlier runs found is used as long as nothing has changed, and never once anything has."""

import hashlib
import json
import os
import random

import pandas as pd
import pytest
from inputs import everything, propose, save

import helpers
from helpers import Problem
from helpers.fingerprints import recipe
from helpers.library import inventory, remembered
from helpers.library.remembered import open_memory


def test_by_default_it_remembers_in_the_data_folder(data_folder, photos, reads):
    table = inventory.scan(photos, workers=1)
    reads()
    assert inventory.scan(photos, workers=1).equals(table)
    assert reads() == []
    assert [path.parent.name for path in data_folder.rglob("*.txt")] == ["libraries"]


def test_two_libraries_do_not_share_what_is_remembered(scan, photos, tmp_path, photograph):
    first = scan()
    other = tmp_path / "other"
    save(photograph(77), other / "cats" / "image_0000.jpg")
    assert len(inventory.scan(other, cache=tmp_path / "cache", workers=1)) == 1
    assert scan().equals(first)


def damaged(content):
    """Many ways in which a file can be damaged."""
    rng = random.Random(1)
    yield b""
    yield b"\n"
    yield os.urandom(300)
    yield content + b"x"
    for _ in range(10):
        yield content[: rng.randrange(len(content))]
    for _ in range(30):
        at = rng.randrange(len(content))
        yield content[:at] + bytes([content[at] ^ 1 << rng.randrange(8)]) + content[at + 1 :]


def test_a_damaged_cache_is_thrown_away_with_a_sentence(scan, tmp_path, capsys):
    table = scan()
    (file,) = (tmp_path / "cache").iterdir()
    whole = file.read_bytes()
    for content in damaged(whole):
        file.write_bytes(content)
        assert scan().equals(table)
        said = capsys.readouterr().out
        assert said.startswith(f"{file}: what earlier runs found is damaged")
        assert said.count("\n") == 1
        assert file.read_bytes() == whole


def test_what_an_earlier_version_remembered_counts_for_nothing_in_silence(scan, tmp_path, capsys):
    table = scan()
    (file,) = (tmp_path / "cache").iterdir()
    lines = ["a.jpg", [1, 2]]
    content = "".join(f"{json.dumps(line)}\n" for line in ({"helpers": "0.5"}, lines, lines))
    file.write_text(f"{hashlib.sha256(content.encode()).hexdigest()}\n{content}")
    assert scan().equals(table)
    assert capsys.readouterr().out == ""


def test_a_cache_that_cannot_be_read_or_written_stops_nothing(scan, tmp_path, capsys):
    table = scan()
    (file,) = (tmp_path / "cache").iterdir()
    file.unlink()
    file.mkdir()
    assert scan().equals(table)
    assert "What was found is not remembered" in capsys.readouterr().out


@pytest.mark.parametrize("module", [remembered, recipe])
def test_what_other_versions_found_is_not_trusted(module, scan, reads, monkeypatch, capsys):
    """One asks for the version of pillow-heif, the other for those of Pillow and imagehash."""
    table = scan()
    reads()
    monkeypatch.setattr(module, "version", lambda package: "9.9")
    assert scan().equals(table)
    assert reads() == sorted(table["path"])
    assert capsys.readouterr().out == ""


def test_the_cache_never_lies_in_the_library(photos, monkeypatch, capsys):
    for inside in (photos, photos / "cache", photos / "cats" / ".." / "x"):
        with pytest.raises(Problem, match="lies inside the photo library"):
            inventory.scan(photos, cache=inside, workers=1)
    monkeypatch.setenv("FINGERPRINTS_DATA", str(photos / "data"))
    before = everything(photos)
    assert len(inventory.scan(photos, workers=1)) == 8
    assert "is not remembered" in capsys.readouterr().out
    assert everything(photos) == before


def test_damaged_looks_are_thrown_away_with_a_sentence(two_groups, scan, photos, reads, capsys):
    table = scan()
    plan = propose(table, photos)
    (file,) = photos.parent.glob("cache/*-looks.txt")
    file.write_bytes(file.read_bytes()[:-5])
    pd.testing.assert_frame_equal(propose(table, photos), plan)
    assert "is damaged" in capsys.readouterr().out
    reads()
    propose(table, photos)
    assert reads() == []


def test_other_versions_look_again(two_groups, scan, photos, reads, monkeypatch):
    table = scan()
    propose(table, photos)
    monkeypatch.setattr(helpers, "__version__", "99")
    reads()
    propose(table, photos)
    assert len({*reads()}) == 4


def any_form(key, found):
    return True


def test_what_is_kept_is_found_by_the_next_run_in_the_same_form(photos, tmp_path):
    found = {"a.jpg": [1, 0.5, None, "é\n", True], "b": []}
    for before in ({}, found):
        with open_memory(photos, tmp_path / "cache", "files", ["x", 1.5], any_form) as memory:
            assert memory.found == before
            memory.keep(found)
    with open_memory(photos, tmp_path / "cache", "files", ["x", 2.5], any_form) as memory:
        assert memory.found == {}, "it depends on something else"
    with open_memory(photos, tmp_path / "cache", "looks", ["x", 1.5], any_form) as memory:
        assert memory.found == {}, "it is about something else"


def test_other_code_looks_again(two_groups, scan, photos, reads, monkeypatch, tmp_path):
    """The version number does not change with every change."""
    propose(scan(), photos)
    reads()
    propose(scan(), photos)
    assert reads() == []
    (tmp_path / "source" / "library").mkdir(parents=True)
    (tmp_path / "source" / "library" / "inventory.py").write_text("#")
    monkeypatch.setattr(helpers, "__file__", str(tmp_path / "source" / "__init__.py"))
    table = scan()
    assert {*reads()} == {*table["path"]}
    propose(table, photos)
    assert len({*reads()}) == 4


def test_a_finding_is_written_after_a_while_and_at_the_end(tmp_path, photos, monkeypatch):
    with open_memory(photos, tmp_path / "cache", "files", [], any_form) as memory:
        memory.keep({"a": [1]}, at_once=False)
        assert not memory.file.exists(), "it has only begun"
        monkeypatch.setattr(remembered.time, "monotonic", lambda: 1e9)
        memory.keep({"a": [1], "b": [2]}, at_once=False)
        kept = memory.file.read_text()
        memory.keep({"a": [1], "b": [2], "c": [3]}, at_once=False)
        assert memory.file.read_text() == kept
