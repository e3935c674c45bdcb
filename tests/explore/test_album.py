"""The pictures that one searches among, and one's own: read, named, found, or refused with the reason."""

import io
import os
import shutil
import unicodedata

import numpy as np
import pytest
from PIL import Image

from helpers import Problem, datasets
from helpers.explore import album
from helpers.fingerprints import hashes


@pytest.mark.parametrize("radius", [0, 3, 10, 16, 64])
def test_find_ranks_by_distance_then_name(searched, radius):
    query = searched.fingerprints[40]
    pairs = zip(searched.paths, searched.fingerprints.tolist(), strict=True)
    plain = sorted(((value ^ int(query)).bit_count(), path) for path, value in pairs)
    found = album.find(searched, query, radius)
    expected = [(bits, path) for bits, path in plain if bits <= radius]
    assert list(zip(found["distance"], found["path"], strict=True)) == expected
    assert [int(differ).bit_count() for differ in found["differ"]] == found["distance"].tolist()


def test_find_refuses_a_radius_that_is_none(searched):
    with pytest.raises(Problem, match="from 0 to 64"):
        album.find(searched, 0, 65)


def test_an_own_folder_is_indexed_without_what_cannot_be_read(photographs):
    (photographs / "broken.jpg").write_bytes(b"no picture")
    mine = album.index(photographs)
    assert len(mine) == 8
    assert mine.left_out.startswith("1 of 9 files could not be read, the first: broken.jpg: ")


def test_progress_is_told_in_words_where_there_is_no_bar(photographs, monkeypatch):
    monkeypatch.delenv("TQDM_DISABLE")
    monkeypatch.setattr(album, "_CHUNK", 5)
    said = []
    told = album.index(photographs, said.append)
    assert said == [
        f"Looking for pictures in {photographs}.",
        "Reading the pictures of photographs: 0 of 8 are done.",
        "Reading the pictures of photographs: 5 of 8 are done.",
    ]
    assert not os.environ.get("TQDM_DISABLE")
    plain = album.index(photographs)
    assert told.paths == plain.paths
    assert np.array_equal(told.fingerprints, plain.fingerprints)


def test_a_folder_that_is_not_there_or_holds_nothing_to_read_is_told(tmp_path):
    with pytest.raises(Problem, match="no such folder"):
        album.index(tmp_path / "nowhere")
    (tmp_path / "a.jpg").write_bytes(b"")
    with pytest.raises(Problem, match="no picture that can be read"):
        album.index(tmp_path)


def test_a_fetch_is_announced_and_a_dataset_that_is_there_is_not(data_folder, monkeypatch):
    said = []

    def fetch():
        raise Problem("no network")

    source = datasets.Source(fetch, "a network")
    monkeypatch.setitem(datasets.DATASETS, "caltech-101", source)
    for _ in range(2):
        with pytest.raises(Problem, match="no network"):
            album.index("caltech-101", said.append)
        (data_folder / "caltech-101").mkdir(exist_ok=True)
    assert said == ["Making caltech-101 ready; it needs a network."]


def test_a_dataset_says_what_to_type_to_get_to_it(searched, photographs):
    assert searched.where == "sample"
    assert album.index(photographs).where == str(photographs.resolve())
    mine = shutil.copytree(photographs, photographs.parent / "sample")
    assert album.index(mine).where == str(mine.resolve())


def test_a_picture_knows_where_it_comes_from(searched, photographs, photograph):
    path = photographs / "cats" / "image_0002.jpg"
    inside = album.choose(searched, "cat/whole.jpg")
    assert (inside.path, inside.in_dataset) == ("cat/whole.jpg", True)
    outside = album.choose(searched, path)
    assert (outside.path, outside.in_dataset) == (str(path), False)
    brought = album.read_upload("mine.jpg", path.read_bytes())
    assert (brought.name, brought.path, brought.in_dataset) == ("mine.jpg", "", False)
    assert inside.fingerprint == searched.fingerprints[searched.places["cat/whole.jpg"]]
    assert outside.fingerprint == brought.fingerprint == hashes.of_file(path)
    seen = photograph(2, size=(900, 60))
    memory = album.from_memory(seen)
    assert (memory.size, memory.image.size, seen.size) == ((900, 60), (800, 53), (900, 60))
    assert memory.fingerprint == hashes.of_image(seen)


def test_a_picture_is_named_exactly_or_in_part_or_by_its_file(searched, photographs, monkeypatch):
    assert album.named(searched, "cat/whole.jpg").note == ""
    assert album.named(searched, "CAT/w").path == "cat/whole.jpg"
    several = album.named(searched, "whole")
    assert several.path == "astronaut/whole.jpg"
    assert several.note == "The first of 20 with whole in the name."
    (photographs / "whole").mkdir()
    searched = album.index(datasets.sample().root.resolve())
    monkeypatch.chdir(photographs)
    assert album.named(searched, "whole").in_dataset, "a folder of that name is no picture"
    shutil.copy("dogs/image_0006.jpg", "moon")
    assert not album.named(searched, "moon").in_dataset
    with pytest.raises(Problem, match="no picture of sample has this in its name, and there is no"):
        album.named(searched, "no such thing")
    with pytest.raises(Problem, match="cats: is a folder, not an image"):
        album.named(searched, str(photographs / "cats"))


@pytest.mark.parametrize("stored", ["NFC", "NFD"])
@pytest.mark.parametrize("typed", ["NFC", "NFD"])
def test_a_name_is_found_however_its_letters_are_composed(stored, typed, tmp_path, photograph):
    for number, name in enumerate(("größe.jpg", "a größe.jpg", "b.jpg")):
        photograph(number).save(tmp_path / unicodedata.normalize(stored, name))
    searched = album.index(tmp_path)
    for text in ("größe.jpg", "GRÖSSE.JPG", "grösse.jpg"):
        found = album.named(searched, unicodedata.normalize(typed, text))
        assert unicodedata.normalize("NFC", found.path) == "größe.jpg", "the whole name comes first"
    found = album.named(searched, unicodedata.normalize(typed, "A grö"))
    assert unicodedata.normalize("NFC", found.path) == "a größe.jpg"


def test_a_picture_in_memory_is_shown_as_its_file_would_be(tmp_path, photograph):
    exif = Image.Exif()
    exif[0x0112] = 6
    photograph().save(tmp_path / "turned.jpg", exif=exif)
    read = album.read_picture(tmp_path / "turned.jpg")
    with Image.open(tmp_path / "turned.jpg") as opened:
        kept = album.from_memory(opened)
    assert (kept.size, kept.fingerprint) == ((80, 120), read.fingerprint)
    assert kept.image.tobytes() == read.image.tobytes()


def test_an_upload_in_heic_is_read_where_pillow_heif_is_installed(photograph):
    pillow_heif = pytest.importorskip("pillow_heif")
    content = io.BytesIO()
    pillow_heif.from_pillow(photograph(size=(400, 300))).save(content, quality=90)
    read = album.read_upload("mine.heic", content.getvalue())
    assert read.size == (400, 300)
    difference = int(read.fingerprint ^ hashes.of_image(photograph(size=(400, 300))))
    assert difference.bit_count() <= 5
