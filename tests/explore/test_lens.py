"""The microscope: what is done to a picture, and which bits flip."""

import io
import re
from dataclasses import fields

import numpy as np
import pytest
from PIL import Image

from helpers import Problem
from helpers.classroom import plots, steps
from helpers.explore import lens
from helpers.fingerprints import hashes


def test_no_adjustment_changes_no_pixel(photograph):
    image = photograph()
    assert lens.adjusted(image, lens.Adjustment()).tobytes() == image.tobytes()


@pytest.mark.parametrize(
    "adjustment, check",
    [
        (lens.Adjustment(crop=10), lambda before, after: after.size == (96, 64)),
        (lens.Adjustment(turn=45), lambda before, after: after.getpixel((0, 0)) == (0, 0, 0)),
        (lens.Adjustment(brightness=50), lambda before, after: mean(after) < 0.6 * mean(before)),
        (lens.Adjustment(brightness=150), lambda before, after: mean(after) > 1.2 * mean(before)),
        (lens.Adjustment(quality=1), lambda before, after: 2 < difference(before, after) < 60),
    ],
    ids=["crop", "turn", "darker", "brighter", "quality"],
)
def test_an_adjustment_does_what_its_name_says(photograph, adjustment, check):
    image = photograph(2)
    assert check(image, lens.adjusted(image, adjustment))


def mean(image):
    return np.asarray(image).mean()


def difference(before, after):
    return np.abs(np.asarray(before).astype(int) - np.asarray(after)).mean()


def test_a_cut_takes_whole_pixels_and_never_one_more():
    for width in range(1, 60):
        for percent in range(41):
            after = lens.adjusted(Image.new("L", (width, 9)), lens.Adjustment(crop=percent))
            assert after.width == width - 2 * (width * percent // 100)


@pytest.mark.parametrize("setting", fields(lens.Adjustment), ids=lambda setting: setting.name)
def test_an_adjustment_beyond_its_limits_is_refused(photograph, setting):
    low, high = setting.metadata["low"], setting.metadata["high"]
    for value in (low, high):
        assert lens.adjusted(photograph(), lens.Adjustment(**{setting.name: value})).width > 0
    for value in (low - 1, high + 1):
        with pytest.raises(Problem, match=f"from {low} to {high}"):
            lens.adjusted(photograph(), lens.Adjustment(**{setting.name: value}))


def test_the_microscope_counts_the_bits_that_flip(photograph):
    image = photograph(5, size=(900, 600))
    tool = lens.microscope(image, lens.Adjustment(crop=10))
    after = lens.adjusted(image, lens.Adjustment(crop=10))
    values = hashes.of_image(image), hashes.of_image(after)
    flips = int(values[0] ^ values[1]).bit_count()
    assert flips > 3
    assert int(tool.flips.sum()) == flips
    assert f": {flips} of 64 bits differ" in tool.sentence
    assert f'alt="{steps.differences(tool.flips)}"' in tool.html()
    figure, alt = tool.figure()
    plots.save(figure, io.BytesIO())
    assert (
        f"{tool.sentence} The change: Cut off each side, %: 10. In the steps of dHash, {flips} bits differ: row"
        in alt
    )
    assert image.size == (900, 600), "the caller's picture stays as it is"


def test_the_microscope_shows_flipped_differences_before_and_after(photograph):
    tool = lens.microscope(photograph(5), lens.Adjustment(crop=10))
    assert "a copy of" not in " ".join(tool.remarks)
    before, after = tool.before.right_minus_left, tool.after.right_minus_left
    label = re.search(r'alt="8 by 8 differences[^"]*"', tool.html())[0]
    flipped = np.argwhere((before > 0) != (after > 0))
    assert len(flipped) == label.count("row") > 3
    for row, column in flipped:
        old, new = (f"{one[row, column]:+d}".replace("+0", "0") for one in (before, after))
        assert f"row {row + 1}, column {column + 1}: {old}, {new}" in label
    assert tool.html().count("<figure>") == 6
    half = np.sort(np.abs(before), axis=None)[31]
    near = sum(abs(before[row, column]) <= half for row, column in flipped)
    assert f"; {near} of them were in the nearer half of its comparisons." in tool.sentence


def test_controls_of_the_microscope_change_the_picture_and_undo_it(page, state, told):
    tool = lens.microscope(page.query)
    tool.make_controls()
    unchanged = state(tool)
    assert "none of the 64 bits differs" in told(tool)
    for name, value in {"crop": 10, "turn": 5, "brightness": 60, "quality": 10}.items():
        getattr(tool.controls, name).value = value
        assert getattr(tool.adjustment, name) == value
    assert tool.adjustment == lens.Adjustment(crop=10, turn=5, brightness=60, quality=10)
    assert tool.sentence in told(tool)
    assert tool.flips.sum() > 5
    tool.controls.reset.click()
    assert tool.adjustment == lens.Adjustment()
    assert state(tool) == unchanged
    assert tool.controls.crop.value == 0
    assert tool.controls.results.value == tool.html()


def test_the_microscope_takes_a_picture_of_ones_own_and_keeps_the_change(
    photograph, photographs, encoded, state, told, upload
):
    tool = lens.microscope(photograph(), lens.Adjustment(crop=5))
    assert tool.make_controls().crop.value == 5
    upload(tool, "mine.jpg", encoded(photograph(3), quality=95))
    assert tool.sentence.startswith("mine.jpg: ")
    assert tool.adjustment == lens.Adjustment(crop=5)
    tool.controls.path.value = str(photographs / "dogs" / "image_0006.jpg")
    assert tool.sentence.startswith("image_0006.jpg: ")
    before, path = state(tool), tool.controls.path.value
    tool.controls.path.value = str(photographs / "nothing.jpg")
    assert "nothing.jpg: no such file; check the spelling" in told(tool)
    assert tool.controls.path.value == path
    upload(tool, "text.jpg", b"text")
    assert "text.jpg: is not an image" in told(tool)
    assert state(tool) == before
    assert tool.controls.path.value == path
    upload(tool, "mine.jpg", encoded(photograph(3)))
    assert tool.controls.path.value == "", "it would name another picture"
