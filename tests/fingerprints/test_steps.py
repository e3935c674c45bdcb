"""What the microscope computes: the steps, the changes, and bits in words."""

import numpy as np
import pytest

from helpers import Problem
from helpers.fingerprints import hashes, steps
from helpers.images import opening


def test_the_table_of_bits_is_what_dhash_compares(photograph, sample):
    for image in [photograph(seed) for seed in range(5)] + [
        opening.open_image(sample.root / path) for path in sample.images[::10]
    ]:
        seen = steps.Steps(image)
        assert np.array_equal(steps.bits(hashes.of_image(image)), seen.bits)
        assert seen.pixels.shape == (8, 9)


@pytest.mark.parametrize(
    "value, words",
    [
        (0, "no bits differ"),
        (1 << 63, "1 bit differs: row 1, column 1"),
        (
            0x8001_0000_0000_0003,
            "4 bits differ: row 1, column 1; row 2, column 8; row 8, columns 7, 8",
        ),
    ],
)
def test_differing_bits_in_words(value, words):
    assert steps.differences(steps.bits(value)) == words


def test_no_change_is_none(photograph):
    image = photograph()
    assert np.array_equal(np.asarray(steps.changed(image, steps.Change())), np.asarray(image))


@pytest.mark.parametrize(
    "change, check",
    [
        (steps.Change(crop=10), lambda before, after: after.size == (96, 64)),
        (steps.Change(turn=45), lambda before, after: after.getpixel((0, 0)) == (0, 0, 0)),
        (steps.Change(brightness=50), lambda before, after: mean(after) < 0.6 * mean(before)),
        (steps.Change(brightness=150), lambda before, after: mean(after) > 1.2 * mean(before)),
        (steps.Change(quality=1), lambda before, after: 2 < abs_difference(before, after) < 60),
    ],
    ids=["crop", "turn", "darker", "brighter", "quality"],
)
def test_a_change_does_what_its_name_says(photograph, change, check):
    image = photograph(2)
    assert check(image, steps.changed(image, change))


def mean(image):
    return np.asarray(image).mean()


def abs_difference(before, after):
    return np.abs(np.asarray(before).astype(int) - np.asarray(after)).mean()


@pytest.mark.parametrize("name", steps.LIMITS)
def test_a_change_beyond_its_limits_is_refused(photograph, name):
    low, high, _ = steps.LIMITS[name]
    for value in (low, high):
        assert steps.changed(photograph(), steps.Change(**{name: value})).width > 0
    for value in (low - 1, high + 1):
        with pytest.raises(Problem, match=f"from {low} to {high}"):
            steps.changed(photograph(), steps.Change(**{name: value}))


def test_the_nearer_half_is_the_32_smallest_differences(photograph):
    seen = steps.Steps(photograph(7))
    gaps = np.abs(seen.right_minus_left)
    assert seen.nearer_half.sum() == 32
    assert gaps[seen.nearer_half].max() <= gaps[~seen.nearer_half].min()
