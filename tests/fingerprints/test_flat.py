"""Pictures about which a fingerprint says nothing are told from others."""

import numpy as np
import pytest
from PIL import Image

from helpers.fingerprints import flat


@pytest.mark.parametrize("size", [(50, 40), (400, 300)])
@pytest.mark.parametrize("colour", ["black", "white", "teal", "#808080"])
def test_one_colour_is_flat_also_with_noise_or_a_frame(colour, size):
    plain = Image.new("RGB", size, colour)
    assert flat.is_flat(plain)
    noise = np.random.default_rng(0).integers(-3, 4, (*size[::-1], 3)) + np.asarray(plain)
    assert flat.is_flat(Image.fromarray(np.clip(noise, 0, 255).astype(np.uint8)))


def test_stripes_from_side_to_side_are_flat_for_a_fingerprint_that_compares_sideways():
    assert flat.is_flat(Image.linear_gradient("L"))
    assert not flat.is_flat(Image.linear_gradient("L").rotate(90))


def test_photographs_are_not_flat(sample):
    assert not any(flat.is_flat(Image.open(sample.root / path)) for path in sample.whole)
