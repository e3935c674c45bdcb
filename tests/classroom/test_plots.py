"""Squares for bits, greys and differences: what is drawn, and that it can be read."""

import numpy as np
import pytest
from matplotlib.figure import Figure
from PIL import ImageColor

from helpers.classroom import plots, steps

ORANGE = ImageColor.getrgb(plots.ORANGE)


def pixels_of_squares(image, rows, columns):
    """The pixels of each square."""
    side = image.width // columns
    pixels = np.asarray(image)
    for row in range(rows):
        for column in range(columns):
            yield (
                (row, column),
                pixels[row * side : (row + 1) * side, column * side : (column + 1) * side],
            )


@pytest.mark.parametrize("width", [100, 200])
def test_each_bit_is_a_square_and_those_that_are_marked_have_a_cross(width):
    bits, marked = np.random.default_rng(3).integers(0, 2, (2, 8, 8)).astype(bool)
    image, words = steps.bit_squares(bits, marked, width=width)
    assert image.height == image.width <= steps.SHARP * width
    for place, pixels in pixels_of_squares(image, 8, 8):
        middle = tuple(pixels[len(pixels) // 2, len(pixels) // 2])
        assert (middle == ORANGE) == marked[place]
        beside = tuple(pixels[len(pixels) // 2, len(pixels) // 8])
        assert beside == ((255,) * 3 if bits[place] else (0,) * 3)
    assert words.startswith(f"{marked.sum()} bits differ: row 1, ")


def test_bits_without_marks_have_no_cross():
    image, words = steps.bit_squares(np.eye(8, dtype=bool))
    assert not (np.asarray(image) == ORANGE).all(axis=2).any()
    assert words == "The bits of the picture"


def test_numbers_on_every_grey_can_be_read():
    def light(grey):  # WCAG 2.2, relative luminance
        share = grey / 255
        return share / 12.92 if share <= 0.04045 else ((share + 0.055) / 1.055) ** 2.4

    ramp = np.arange(256).reshape(16, 16)
    image, words = steps.grey_squares(ramp, width=16 * 28)
    assert words == "16 by 16 grey values"
    for place, pixels in pixels_of_squares(image, 16, 16):
        assert pixels[5, 5] == ramp[place]
        inside = pixels[5:-5, 5:-5].astype(int)
        ink = inside.flat[np.abs(inside - ramp[place]).argmax()]
        paper, letters = light(int(ramp[place])), light(int(ink))
        contrast = (max(paper, letters) + 0.05) / (min(paper, letters) + 0.05)
        assert contrast >= 4.5, ramp[place]


def test_a_difference_whose_bit_flips_has_a_frame_and_shows_both():
    before = np.array([[5, -3, 0, 7], [1, 1, -9, 0]])
    after = np.array([[-5, -3, 2, 7], [0, 3, 9, 0]])
    image, words = steps.difference_squares(after, before, width=120)
    framed = {
        place
        for place, pixels in pixels_of_squares(image, 2, 4)
        if (pixels == ORANGE).all(axis=2).any()
    }
    assert framed == {(0, 0), (0, 2), (1, 0), (1, 2)}
    assert words == (
        "4 by 2 differences of neighbours; where bits differ, before and after: "
        "row 1, column 1: +5, -5; row 1, column 3: 0, +2; "
        "row 2, column 1: +1, 0; row 2, column 3: -9, +9"
    )
    assert steps.difference_squares(before, before)[1] == "4 by 2 differences of neighbours"


def test_a_figure_shows_the_same_squares():
    pixels = np.arange(72).reshape(8, 9)
    panels = Figure().subplots(1, 2)
    plots.draw_pixels(panels[0], pixels)
    plots.draw_bits(panels[1], pixels[:, 1:] % 3 > 0)
    drawn = [panel.images[0].get_array() for panel in panels]
    assert np.array_equal(drawn[0], steps.grey_squares(pixels)[0])
    assert np.array_equal(drawn[1], steps.bit_squares(pixels[:, 1:] % 3 > 0)[0])
