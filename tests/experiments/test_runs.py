"""A run: what it measures, that it goes on where it was, and what it says of bad input."""

import hashlib
import json

import imagehash
import numpy as np
import pytest
from experiments_runs import CHANGES, folder_of_pictures, small_run, spread_run
from PIL import Image

from helpers import Problem
from helpers.experiments import runs
from helpers.images import changes


@pytest.fixture(autouse=True)
def own_data_folder(tmp_path, monkeypatch):
    monkeypatch.setenv("FINGERPRINTS_DATA", str(tmp_path / "data"))


def contents(folder):
    """The bytes of each file, but for date, machine and seconds in run.json."""
    files = {file.name: file.read_bytes() for file in folder.iterdir()}
    about = json.loads(files["run.json"])
    files["run.json"] = {
        key: about[key] for key in about if key not in ("date", "machine", "seconds")
    }
    return files


def test_fingerprints_and_distances_are_those_of_each_picture_and_its_changed_copy(tmp_path):
    photos = folder_of_pictures(tmp_path / "photos", 6)
    made = small_run(photos, tmp_path / "run", queries=3)
    assert made.pictures["path"].tolist() == [f"{row:02}.png" for row in range(6)]
    for row in made.pictures.itertuples():
        assert row.phash == str(imagehash.phash(Image.open(photos / row.path)))
        assert row.bytes == hashlib.sha256((photos / row.path).read_bytes()).hexdigest()
        assert (row.width, row.height) == (48, 40)
    assert made.pictures["query"].sum() == 3
    assert len(made.distances) == 3 * len(CHANGES)
    for row in made.distances.itertuples():
        picture = Image.open(photos / row.path)
        copy = changes.change(picture, row.change, row.strength, seed=2014, path=row.path)
        assert row.dhash == imagehash.dhash(copy) - imagehash.dhash(picture)


def test_a_run_is_read_as_it_was_made_and_knows_where_its_pictures_lie(tmp_path):
    photos = folder_of_pictures(tmp_path / "photos", 4)
    made = small_run(photos, tmp_path / "run")
    read = runs.read(tmp_path / "run")
    assert read.about == made.about
    assert read.pictures.equals(made.pictures)
    assert read.distances.equals(made.distances)
    assert runs.pictures_of(read) == photos.resolve()
    assert str(tmp_path) not in (tmp_path / "run" / "run.json").read_text()


def test_a_made_up_run_is_read_like_one_that_was_made(tmp_path):
    made = spread_run(tmp_path / "run", n=20, queries=5)
    assert made.distances["dhash"].tolist() == [0, 1, 2, 3, 4]
    assert made.about["pictures"] == len(made.pictures) == 20


def test_a_run_of_other_settings_is_not_mixed_with_this_one(tmp_path):
    photos = folder_of_pictures(tmp_path / "photos", 3)
    small_run(photos, tmp_path / "run")
    with pytest.raises(Problem, match="with seed 2014, and not 1"):
        small_run(photos, tmp_path / "run", seed=1)


def test_flat_and_unreadable_pictures_are_no_queries_and_equal_ones_ask_once(tmp_path):
    photos = folder_of_pictures(tmp_path / "photos", 2)
    Image.new("RGB", (40, 40), "navy").save(photos / "flat.png")
    (photos / "broken.jpg").write_bytes(b"nothing")
    (photos / "twin.png").write_bytes((photos / "00.png").read_bytes())
    made = small_run(photos, tmp_path / "run", queries=9)
    assert made.pictures.loc[made.pictures["query"], "path"].tolist() == ["00.png", "01.png"]
    assert made.pictures.loc[made.pictures["flat"], "path"].tolist() == ["flat.png"]
    assert made.about["left_out"] == 1
    assert np.isin(made.distances["path"], ["00.png", "01.png"]).all()
