"""The mess is what its truth says it is, and the same for the same seed."""

import hashlib
import io
import os

import numpy as np
import pytest
from PIL import Image

from helpers import Problem
from helpers.images import pixels
from helpers.images.folders import find_images
from helpers.images.opening import open_image
from helpers.truth import mess


def contents(folder):
    """Every file with its bytes and its time."""
    files = [path for path in folder.rglob("*") if path.is_file()]
    return {
        path.relative_to(folder).as_posix(): (path.read_bytes(), path.stat().st_mtime_ns)
        for path in files
    }


@pytest.fixture(scope="module")
def tiles(sample):
    """Photographs of 250 x 250 pixels."""
    return sample.root, [path for path in sample.images if "/tile_" in path]


@pytest.fixture(scope="module")
def made(tiles, tmp_path_factory):
    folder = tmp_path_factory.mktemp("made") / "mess"
    return folder, mess.make(*tiles, folder, files=110, seed=3, workers=1)


def of_kind(truth, *kinds):
    return truth[truth["kind"].isin(kinds)]


def test_there_are_as_many_files_as_wanted_some_of_each_kind_all_in_the_truth(made):
    folder, truth = made
    assert len(truth) >= 110
    assert set(truth["kind"]) == set(mess.SHARES)
    assert truth["kind"].value_counts().min() >= 2
    assert truth["path"].tolist() == sorted(contents(folder))
    assert truth["path"].is_unique
    assert truth["path"].str.lower().is_unique, "names that Windows could not tell apart"


@pytest.mark.slow
@pytest.mark.parametrize("workers", [1, 2])
def test_the_same_seed_gives_the_same_bytes_and_times(tiles, made, tmp_path, workers):
    folder, truth = made
    again = mess.make(*tiles, tmp_path / "again", files=110, seed=3, workers=workers)
    assert again.equals(truth)
    assert contents(tmp_path / "again") == contents(folder)


def test_another_seed_gives_another_mess(photographs, tmp_path):
    images = find_images(photographs)
    one = mess.make(photographs, images, tmp_path / "one", files=30, seed=1, workers=1)
    two = mess.make(photographs, images, tmp_path / "two", files=30, seed=2, workers=1)
    assert not one.equals(two)
    assert contents(tmp_path / "one") != contents(tmp_path / "two")


def test_the_order_of_the_images_does_not_matter(photographs, tmp_path):
    images = find_images(photographs)
    one = mess.make(photographs, images, tmp_path / "one", files=30, workers=1)
    two = mess.make(photographs, images[::-1] + images, tmp_path / "two", files=30, workers=1)
    assert one.equals(two)


def test_originals_are_photographs_of_the_dataset_and_each_is_another(made, tiles):
    folder, truth = made
    originals = of_kind(truth, "original")["path"]
    bytes_of = [(folder / path).read_bytes() for path in originals]
    assert len(set(bytes_of)) == len(originals)
    for path, content in zip(originals, bytes_of, strict=True):
        assert content == (tiles[0] / path.removeprefix("photos/")).read_bytes()


def test_exact_copies_have_the_bytes_of_their_original_and_only_they(made):
    folder, truth = made
    copies = truth[truth["path"] != truth["original"]]
    assert set(copies["kind"]) == set(mess.COPIES)
    for row in copies.itertuples():
        same = (folder / row.path).read_bytes() == (folder / row.original).read_bytes()
        assert same == row.exact == (row.kind in ("backup", "renamed")), row.path
    alone = truth[truth["path"] == truth["original"]]
    assert len({(folder / path).read_bytes() for path in alone["path"]}) == len(alone)


def test_whatever_is_a_copy_is_a_copy_of_something_that_is_none(made):
    truth = made[1].set_index("path")
    assert (truth.loc[truth["original"], "original"] == truth["original"].to_numpy()).all()
    assert (
        truth.loc[~truth["kind"].isin(mess.COPIES), "original"]
        == truth.index[~truth["kind"].isin(mess.COPIES)]
    ).all()


def test_rotated_copies_are_stored_turned_and_shown_upright(made):
    folder, truth = made
    for row in of_kind(truth, "rotated").itertuples():
        shown, original = open_image(folder / row.path), open_image(folder / row.original)
        stored = open_image(folder / row.path, rotate=False)
        assert shown.size == original.size
        assert pixels.difference(shown, original) < 15
        assert stored.size != shown.size or pixels.difference(stored, original) > 30


def test_resized_and_recompressed_copies_are_the_same_picture(made):
    folder, truth = made
    for row in of_kind(truth, "resized", "recompressed", "resized and recompressed").itertuples():
        copy, original = open_image(folder / row.path), open_image(folder / row.original)
        assert (copy.size != original.size) == ("resized" in row.kind)
        assert pixels.correlation(copy, original) > 0.9
        assert Image.open(folder / row.path).format == "JPEG"


def test_a_frame_of_a_burst_is_another_shot_of_its_scene(made):
    folder, truth = made
    for scene, shots in of_kind(truth, "burst").groupby("scene"):
        shown = [open_image(folder / path).convert("RGB") for path in [scene, *shots["path"]]]
        assert truth.set_index("path").at[scene, "scene"] == scene
        assert len(shown) >= 2
        for number, one in enumerate(shown):
            for other in shown[:number]:
                assert one.size == other.size
                assert pixels.difference(one, other) > 15, scene


def test_screenshots_of_one_layout_are_alike_but_no_two_the_same(made):
    folder, truth = made
    for _, shots in of_kind(truth, "screenshot").groupby("scene"):
        shown = [open_image(folder / path) for path in shots["path"]]
        assert len({picture.tobytes() for picture in shown}) == len(shown)
        assert min(pixels.correlation(shown[0], other) for other in shown) > 0.9


def test_flat_pictures_have_one_colour_and_each_its_own(made):
    folder, truth = made
    colours = []
    for path in of_kind(truth, "flat")["path"]:
        colour = np.asarray(open_image(folder / path).convert("RGB")).reshape(-1, 3)
        assert np.ptp(colour, axis=0).max() <= 2
        colours.append(tuple(colour[0]))
    assert len(set(colours)) == len(colours)


def test_broken_files_cannot_be_opened(made):
    folder, truth = made
    broken = of_kind(truth, "broken")
    for path in broken["path"]:
        with pytest.raises(Problem):
            open_image(folder / path)
    assert truth["original"].isin(broken["path"]).sum() > len(broken), "and some have copies"


def test_copies_are_never_older_than_their_originals(made):
    folder, truth = made
    for row in truth.itertuples():
        assert (folder / row.path).stat().st_mtime_ns >= (folder / row.original).stat().st_mtime_ns


@pytest.mark.slow
def test_with_few_photographs_there_are_more_copies(photographs, tmp_path):
    truth = mess.make(photographs, find_images(photographs), tmp_path / "mess", files=60, workers=1)
    assert len(truth) >= 60
    assert len(of_kind(truth, "original")) == 8


@pytest.mark.slow
def test_what_cannot_be_read_or_is_there_twice_is_not_taken(photographs, tmp_path):
    (photographs / "broken.jpg").write_bytes(b"no picture")
    (photographs / "again.jpg").write_bytes((photographs / "cats/image_0000.jpg").read_bytes())
    Image.new("RGB", (20, 20)).save(photographs / "tiny.png")
    images = [*find_images(photographs), "missing.jpg"]
    truth = mess.make(photographs, images, tmp_path / "mess", files=60, workers=1)
    assert len(of_kind(truth, "original")) == 8
    digests = [
        hashlib.sha256((tmp_path / "mess" / path).read_bytes()).hexdigest()
        for path in of_kind(truth, "original")["path"]
    ]
    assert len(set(digests)) == 8


@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt", reason="Windows has no such names")
def test_strange_names_are_copied_like_others(photographs, tmp_path):
    for number, path in enumerate(find_images(photographs)):
        name = ["a {x} b.jpg", "q\"uo'te.jpg", "li\nne.jpg", "кот.jpg"][number % 4]
        (photographs / path).rename(photographs / f"{number} {name}")
    truth = mess.make(photographs, find_images(photographs), tmp_path / "mess", files=60, workers=1)
    assert truth["path"].tolist() == sorted(contents(tmp_path / "mess"))


# Refusals


@pytest.mark.parametrize("name", ["letter.txt", ".mess", "photos/0.jpg"])
def test_a_folder_that_holds_something_is_never_replaced(photographs, tmp_path, name):
    """Not even by a mark, since anybody may have an empty file of this name."""
    file = tmp_path / "mine" / name
    file.parent.mkdir(parents=True)
    file.write_text("")
    with pytest.raises(Problem, match="mine: is there already and is not empty; choose a"):
        mess.make(photographs, find_images(photographs), tmp_path / "mine", files=30)
    assert file.is_file()


@pytest.mark.parametrize("place", ["inside", ".", ".."])
def test_the_dataset_stays_as_it_is(photographs, place):
    with pytest.raises(Problem, match="lies inside the dataset or around it"):
        mess.make(photographs, find_images(photographs), photographs / place, files=30)


@pytest.mark.parametrize("arguments", [{"files": 29}, {"files": 30.5}, {"seed": -1}, {"seed": "x"}])
def test_bad_numbers_are_one_sentence(photographs, tmp_path, arguments):
    with pytest.raises(Problem, match="a mess takes 30 files or more"):
        mess.make(photographs, find_images(photographs), tmp_path / "mess", **arguments)
    assert not (tmp_path / "mess").exists()


def test_without_photographs_there_is_no_mess(tmp_path):
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "a.jpg").write_bytes(io.BytesIO(b"no picture").getvalue())
    for images in ([], ["a.jpg"]):
        with pytest.raises(Problem, match="no photograph in it can be read"):
            mess.make(tmp_path / "photos", images, tmp_path / "mess", files=30, workers=1)
    assert not (tmp_path / "mess").exists()


@pytest.mark.slow
def test_huge_photographs_are_reduced_so_that_a_mess_stays_small(tmp_path, photograph):
    (tmp_path / "photos").mkdir()
    for number, size in enumerate([(3000, 1000), (1500, 300)]):
        photograph(number, size).save(tmp_path / "photos" / f"{number}.jpg")
    truth = mess.make(tmp_path / "photos", ["0.jpg", "1.jpg"], tmp_path / "mess", files=30)
    known = truth.set_index("path")
    for path, size in (("photos/0.jpg", (1500, 500)), ("photos/1.jpg", (1500, 300))):
        assert Image.open(tmp_path / "mess" / path).size == size
        copies = known.index[(known["original"] == path) & known["exact"]]
        assert len(copies) > 0
        for copy in copies:
            same = (tmp_path / "mess" / path).read_bytes()
            assert (tmp_path / "mess" / copy).read_bytes() == same
    untouched = (tmp_path / "photos" / "1.jpg").read_bytes()
    assert (tmp_path / "mess" / "photos" / "1.jpg").read_bytes() == untouched
