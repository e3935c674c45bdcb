"""What the microscope computes: the steps, and bits in words."""

import numpy as np
import pytest

from helpers.classroom import steps
from helpers.fingerprints import hashes
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


def test_the_nearer_half_is_the_32_smallest_differences(photograph):
    seen = steps.Steps(photograph(7))
    gaps = np.abs(seen.right_minus_left)
    assert seen.nearer_half.sum() == 32
    assert gaps[seen.nearer_half].max() <= gaps[~seen.nearer_half].min()
