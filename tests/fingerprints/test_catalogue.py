"""The 64 bits equal imagehash's, and the table of a folder is complete whatever lies in it."""

import os
import sys

import imagehash
import numpy as np
import pandas as pd
import pytest
from PIL import Image

from helpers import Problem
from helpers.fingerprints import catalogue, hashes

SAVED = {  # mode or kind -> options of Image.save
    "L": {},
    "RGB": {},
    "P": {},
    "1": {},
    "CMYK": {},
    "RGBA": {},
    "progressive": {"progressive": True},
    "quality 10": {"quality": 10},
}


def imagehash_of(path):
    return str(imagehash.dhash(Image.open(path)))


# Equal to imagehash


@pytest.mark.parametrize("kind", SAVED)
def test_a_picture_that_needs_no_correction_has_the_bits_of_imagehash(tmp_path, photograph, kind):
    mode = kind if len(kind) <= 4 else "RGB"
    path = tmp_path / f"picture.{'png' if mode in ('P', '1', 'RGBA') else 'jpg'}"
    photograph().convert(mode).save(path, **SAVED[kind])
    assert Image.open(path).mode == mode
    assert hashes.to_hex(hashes.of_file(path)) == imagehash_of(path)


def test_the_whole_sample_has_the_bits_of_imagehash(sample):
    table = catalogue.of_folder(sample.root)
    assert len(table) == 101
    assert [hashes.to_hex(value) for value in table["fingerprint"]] == [
        imagehash_of(sample.root / path) for path in table["path"]
    ]


# The table


def test_the_table_has_one_row_an_image(photographs):
    table = catalogue.of_folder(photographs)
    assert table.columns.tolist() == [
        "path",
        "category",
        "width",
        "height",
        "fingerprint",
        "problem",
    ]
    assert table["path"].tolist() == [f"cats/image_{n:04}.jpg" for n in range(4)] + [
        f"dogs/image_{n:04}.jpg" for n in range(4, 8)
    ]
    assert table["category"].tolist() == ["cats"] * 4 + ["dogs"] * 4
    assert set(zip(table["width"], table["height"], strict=True)) == {(120, 80)}
    assert table["problem"].eq("").all()
    assert table.attrs["reading"] == {"rotate": True, "background": "white", "fast": False}


def test_the_types_of_the_columns_do_not_depend_on_the_files(photographs, tmp_path):
    (tmp_path / "bad").mkdir()
    (tmp_path / "bad" / "empty.jpg").touch()
    good, bad = catalogue.of_folder(photographs), catalogue.of_folder(tmp_path / "bad")
    assert good.dtypes.to_dict() == bad.dtypes.to_dict()
    assert str(good["fingerprint"].dtype) == "UInt64"


def test_large_fingerprints_are_kept_exactly(tmp_path):
    # Brighter to the right everywhere but in one place: the highest bits are set, the lowest is not.
    pixels = np.tile(np.arange(9, dtype=np.uint8) * 20, (8, 1))
    pixels[7, 8] = 0
    Image.fromarray(pixels).save(tmp_path / "steps.png")
    (tmp_path / "empty.png").touch()  # a missing value, which must not turn the column into floats
    table = catalogue.of_folder(tmp_path)
    assert table["fingerprint"].isna().tolist() == [True, False]
    assert int(table["fingerprint"][1]) == 2**64 - 2


def test_no_bits_are_lost_beside_a_fingerprint_that_a_float_could_hold(tmp_path):
    """pandas takes a list of integers for floats if the largest of them is one exactly."""
    one = np.zeros((8, 9), dtype=np.uint8)
    one[0, 1:] = 200  # only the first bit is set: 2**63
    other = np.tile(np.arange(9, dtype=np.uint8) * 20, (8, 1))
    other[0, 1] = 0  # all but the first bit are set
    for number, pixels in enumerate([one, other]):
        Image.fromarray(pixels).save(tmp_path / f"{number}.png")
    table = catalogue.of_folder(tmp_path)
    assert [int(value) for value in table["fingerprint"]] == [2**63, 2**63 - 1]


def test_two_files_with_one_name_stay_two(tmp_path, photograph):
    for number, name in enumerate(["one.jpg", "a/one.jpg", "a/b/one.jpg"]):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        photograph(number).save(tmp_path / name)
    table = catalogue.of_folder(tmp_path).set_index("path")
    assert table["category"].to_dict() == {"one.jpg": "", "a/one.jpg": "a", "a/b/one.jpg": "a/b"}
    assert table["fingerprint"].nunique() == 3


@pytest.mark.parametrize(
    "name", ["with two spaces.jpg", "Заря/猫 🐈.jpg", "café.JPG", "quote'\"&.jpg", "%41+b#c.png"]
)
def test_names_may_hold_anything(tmp_path, photograph, name):
    path = tmp_path / name
    path.parent.mkdir(exist_ok=True)
    photograph().save(path)
    table = catalogue.of_folder(tmp_path)
    assert table["path"].tolist() == [name]
    assert table["problem"].tolist() == [""]


@pytest.mark.skipif(sys.platform != "linux", reason="other systems refuse such names")
def test_a_name_that_is_no_text_gets_a_row_that_can_be_printed(tmp_path, photographs):
    (photographs / "cats" / "image_0000.jpg").rename(photographs / os.fsdecode(b"caf\xe9.jpg"))
    table = catalogue.of_folder(photographs)
    row = table[table["problem"] != ""].iloc[0]
    assert (row["path"], row["problem"]) == (
        "caf\\udce9.jpg",
        "its name is not valid text; rename it",
    )
    assert len(table) == 8


def test_bad_files_never_stop_a_run(photographs, capsys):
    (photographs / "cats" / "image_0001.jpg").write_text("text")
    (photographs / "cats" / "image_0002.jpg").write_bytes(b"")
    half = photographs / "dogs" / "image_0005.jpg"
    half.write_bytes(half.read_bytes()[:900])
    (photographs / "dogs" / "link.jpg").symlink_to("nowhere")
    table = catalogue.of_folder(photographs)
    problems = table.set_index("path")["problem"]
    assert problems[problems != ""].index.tolist() == [
        "cats/image_0001.jpg",
        "cats/image_0002.jpg",
        "dogs/image_0005.jpg",
        "dogs/link.jpg",
    ]
    assert problems["cats/image_0001.jpg"].startswith(
        "is not an image"
    )  # the path is in its own column
    assert (
        table.loc[problems.to_numpy() != "", ["width", "height", "fingerprint"]]
        .isna()
        .all(axis=None)
    )
    assert len(catalogue.readable(table)) == 5
    assert capsys.readouterr().out.startswith(
        "4 of 9 images could not be read, the first: cats/image_0001.jpg: is not"
    )


def test_a_folder_named_like_an_image_is_a_folder(photographs, photograph):
    (photographs / "x.jpg").mkdir()
    photograph(9).save(photographs / "x.jpg" / "y.jpg")
    table = catalogue.of_folder(photographs)
    assert table["problem"].eq("").all()
    assert table["path"].tolist()[-1] == "x.jpg/y.jpg"


def test_workers_change_nothing(sample):
    images = [*sample.images, "no/such.jpg"]
    assert len(images) > 64  # fewer would not be worth a second process
    one = catalogue.of_folder(sample.root, images, workers=1)
    two = catalogue.of_folder(sample.root, images, workers=2)
    pd.testing.assert_frame_equal(one, two)
    assert one.attrs == two.attrs


def test_given_images_keep_their_order(photographs):
    images = ["dogs/image_0007.jpg", "cats/image_0001.jpg"]
    assert catalogue.of_folder(photographs, images)["path"].tolist() == images


def test_the_options_of_reading_are_kept_with_the_table(photographs):
    table = catalogue.of_folder(photographs, fast=True, background=None)
    assert table.attrs["reading"] == {"rotate": True, "background": None, "fast": True}


def test_an_unknown_option_is_refused_at_once(photographs):
    with pytest.raises(
        TypeError, match="unknown argument 'speed'; a file is read with rotate, background, fast"
    ):
        catalogue.of_folder(photographs, speed=1)


def test_an_unknown_colour_is_refused_at_once(photographs):
    with pytest.raises(Problem, match="background 'whit': no colour that Pillow knows; try white"):
        catalogue.of_folder(photographs, background="whit")


def test_an_empty_folder_is_one_sentence(tmp_path):
    with pytest.raises(Problem, match="holds no images"):
        catalogue.of_folder(tmp_path)
