"""Which of two copies shows more detail: never one that was only made larger, or saved anew."""

import io

import numpy as np
import pytest
from PIL import Image

from helpers.images.detail import shows_more


@pytest.fixture
def original(photograph):
    """A picture with detail in every pixel, as a camera has it."""
    values = np.asarray(photograph(5, size=(500, 400))).astype(float)
    values += np.random.default_rng(5).normal(0, 6, (400, 500, 1))
    return Image.fromarray(values.clip(0, 255).astype(np.uint8))


def saved(picture, quality):
    """The picture as a JPEG, and the quantisation table of its brightness."""
    file = io.BytesIO()
    picture.save(file, "jpeg", quality=quality)
    copy = Image.open(file)
    return copy.convert("RGB"), copy.quantization[0]


def scaled(picture, scale, way=Image.Resampling.BICUBIC):
    return picture.resize([round(side * scale) for side in picture.size], way)


def both_ways(one, other, tables=(None, None)):
    found = shows_more(one, other, tables)
    assert shows_more(other, one, tables[::-1]) == -found
    return found


@pytest.mark.parametrize("scale", [0.2, 0.5, 0.66, 0.9])
def test_a_reduced_copy_shows_less_and_an_enlarged_one_no_more(scale, original):
    for quality in (60, 95):
        assert both_ways(original, saved(scaled(original, scale), quality)[0]) == 1
        small = scaled(original, scale)
        assert both_ways(saved(scaled(small, 1 / scale), quality)[0], small) == 0
    assert both_ways(original, scaled(original, 0.97)) == 0, "too little to tell"


def test_a_coarser_jpeg_shows_less_and_what_was_made_of_it_no_more(original):
    fine, fine_table = saved(original, 95)
    coarse, table = saved(fine, 60)
    again, again_table = saved(coarse, 95)
    assert both_ways(fine, coarse, (fine_table, table)) == 1
    assert both_ways(original, coarse, (None, table)) == 1, "a PNG"
    assert both_ways(again, coarse, (again_table, table)) == 0
    assert both_ways(coarse, coarse, (None, table)) == 0, "a PNG of a JPEG"
    assert both_ways(scaled(scaled(coarse, 0.5), 2), coarse, (None, table)) == 0


@pytest.mark.parametrize("size", [(1, 1), (3, 900), (15, 15)])
def test_of_tiny_pictures_nothing_is_known(size, original):
    tiny = original.resize(size)
    assert both_ways(original, tiny) == 0
    assert both_ways(tiny, tiny.rotate(180), ([1] * 64, [1] * 64)) == 0
