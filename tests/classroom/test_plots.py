"""Squares for bits, greys and differences: what is drawn, and that it can be read."""

import numpy as np
import pandas as pd
import pytest
from PIL import Image, ImageColor

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


@pytest.fixture
def shown(monkeypatch):
    """Figures that are shown, each with its description."""
    figures = []
    monkeypatch.setattr(plots, "show", lambda figure, alt: figures.append((figure, alt)))
    return figures


def test_bits_side_by_side_tell_which_differ_from_the_first(shown):
    plots.show_bits({"none": np.zeros((2, 3), bool), "one": np.eye(2, 3, 1, dtype=bool)})
    figure, alt = shown[0]
    assert alt.endswith(": none; one: 2 bits differ: row 1, column 2; row 2, column 3.")
    assert [panel.get_xlabel() for panel in figure.axes] == ["", "2 bits differ"]
    crosses = [(panel.images[0].get_array() == ORANGE).all(axis=2).any() for panel in figure.axes]
    assert crosses == [False, True]


def test_pictures_are_described_by_captions_and_paths(shown, tmp_path):
    paths = [f"{name}.png" for name in "abc"]
    for shade, path in enumerate(paths):
        Image.new("RGB", (8, 6), (100 + shade,) * 3).save(tmp_path / path)
    plots.show_pictures(tmp_path, paths, ["0 bits", "", "3 bits"], columns=2)
    plots.show_small(tmp_path, paths, columns=2)
    plots.show_small(tmp_path.parent, [f"{tmp_path.name}/{path}" for path in paths])
    (side_by_side, alt), (small, alt_small), (_, alt_of_folder) = shown
    assert alt_of_folder == f"3 small pictures in rows of 12. By folder: {tmp_path.name} 3."
    assert alt == "Pictures side by side, 3 in all: 0 bits: a.png; b.png; 3 bits: c.png."
    assert side_by_side.axes[2].get_xlabel() == "3 bits\nc.png\n8 x 6"
    assert alt_small == "3 small pictures in rows of 2."
    sheet = np.asarray(small.axes[0].images[0].get_array())
    assert [int(sheet[y, x, 0]) for y, x in ((4, 4), (4, 94), (94, 4))] == [100, 101, 102]


def test_pairs_to_be_judged_are_shown_without_their_names(shown, tmp_path):
    for shade, name in enumerate("abcd"):
        Image.new("RGB", (8, 6), (100 + shade,) * 3).save(tmp_path / f"secret_{name}.png")
    first, second = [("secret_a.png", "secret_b.png"), ("secret_c.png", "secret_d.png")]
    plots.show_unnamed(tmp_path, {3: first, 4: second})
    ((figure, alt),) = shown
    drawn = [int(np.asarray(panel.images[0].get_array())[0, 0, 0]) for panel in figure.axes]
    assert drawn == [100, 102, 101, 103], "a pair is a column"
    assert [panel.get_title() for panel in figure.axes] == ["pair 3", "pair 4", "", ""]
    assert alt.startswith("Pairs 3, 4,") and "secret" not in alt
    assert not any(panel.get_xlabel() for panel in figure.axes)
    figure.draw_without_rendering()
    left, right, below = (figure.axes[place].get_position() for place in (0, 1, 2))
    width, height = figure.get_size_inches()
    assert (left.y0 - below.y1) * height < (right.x0 - left.x1) * width, "a pair stands together"


def test_what_a_query_found_is_described_and_framed_by_the_truth(shown, tmp_path):
    for shade, name in enumerate("abc"):
        Image.new("RGB", (8, 6), (100 + shade,) * 3).save(tmp_path / f"{name}.png")
    found = pd.DataFrame({"path": ["a.png", "b.png", "c.png"], "distance": [0, 1, 2]})
    truth = pd.DataFrame({"needle": ["a.png", "c.png"], "copy": ["b.png", "a.png"]})
    plots.show_found(tmp_path, "a.png", found, truth=truth)
    plots.show_found(tmp_path, tmp_path / "a.png", found.head(0))
    (figure, alt), (_, nothing) = shown
    assert alt.endswith("a.png, bits: 0; b.png, bits: 1; c.png, bits: 2.")
    framed = [panel.spines["top"].get_linewidth() > 2 for panel in figure.axes[:4]]
    assert framed == [False, False, True, True], "no frame around the query"
    captions = [panel.get_xlabel().split("\n")[0] for panel in figure.axes[:4]]
    assert captions == ["query", "0 bits: the query itself", "1 bit: a copy", "2 bits: not a copy"]
    assert nothing == "The query a.png, and what it found: nothing."


def test_pairs_are_set_apart_and_named(shown, tmp_path, capsys):
    for name in "abcd":
        Image.new("RGB", (8, 6)).save(tmp_path / f"{name}.png")
    plots.show_pairs(tmp_path, [("a.png", "b.png"), ("c.png", "d.png")], ["1 bit", "2 bits"])
    figure, alt = shown[0]
    figure.draw_without_rendering()
    left = [panel.get_position().x0 for panel in figure.axes]
    assert left[2] - left[1] > 1.2 * (left[1] - left[0])
    assert alt.endswith("1 bit: a.png and b.png; 2 bits: c.png and d.png.")
    plots.show_pairs(tmp_path, [], [])
    assert "no such pairs" in capsys.readouterr().out and len(shown) == 1
