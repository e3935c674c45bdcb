"""Panels side by side and ranges of bits: what is drawn, and that the alt text tells the same."""

from itertools import pairwise

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from helpers.classroom import panels, steps


@pytest.fixture
def shown(monkeypatch):
    """What would be shown: figures with their alt texts."""
    figures = []
    monkeypatch.setattr(panels, "show", lambda figure, alt: figures.append((figure, alt)))
    return figures


def test_a_picture_grey_values_and_bits_are_each_drawn_in_their_own_way(shown):
    one = {"picture": Image.new("RGBA", (30, 20)), "grey": np.eye(8, 9, dtype=np.uint8)}
    more = {"bits": np.eye(8, dtype=bool), "more": Image.new("L", (9, 9))}
    panels.show_panels(one | more, columns=3)
    ((figure, alt),) = shown
    assert alt == "Side by side: picture; grey; bits; more."
    drawn = [axes.images[0].get_array().shape for axes in figure.axes if axes.images]
    assert drawn[0] == (20, 30, 3)
    assert drawn[3] == (9, 9)
    grey, bits = (figure.axes[place].images[0].get_array() for place in (1, 2))
    assert np.array_equal(grey, steps.grey_squares(one["grey"])[0])
    assert np.array_equal(bits, steps.bit_squares(more["bits"])[0])
    assert len(figure.axes) == 6
    assert not figure.axes[5].axison


def test_numbers_with_points_are_drawn_from_their_least_to_their_most_with_captions(shown):
    panels.show_panels(
        {"rough": np.array([[-2.0, 0.0, 2.0]]), "x": Image.new("L", (9, 9))}, ["a", ""]
    )
    ((figure, alt),) = shown
    assert figure.axes[0].images[0].get_array().tolist() == [[0, 127.5, 255]]
    assert [panel.get_xlabel() for panel in figure.axes] == ["a", ""]
    assert alt == "Side by side: rough, a; x."


def test_titles_stay_above_their_own_panels_and_stand_in_line(shown):
    shapes = [(9, 4), (4, 9), (9, 9), (5, 5), (9, 2), (2, 9), (3, 3)]
    pictures = {f"{n} % cut off each side": Image.new("L", s) for n, s in enumerate(shapes)}
    panels.show_panels(pictures, columns=7)
    ((figure, _),) = shown
    figure.draw_without_rendering()
    boxes = [panel.title.get_window_extent() for panel in figure.axes]
    assert all(one.x1 + 4 < two.x0 for one, two in pairwise(boxes))
    assert np.ptp([box.y0 for box in boxes]) < 1


def test_medians_and_ranges_are_told_as_they_are_drawn(shown):
    panels.show_ranges(
        pd.DataFrame({"crop": np.arange(101), "none": np.zeros(101, int)}), line=32, xlabel="bits"
    )
    ((figure, alt),) = shown
    assert alt.startswith(
        "Ranges: bits. crop: 50 (5 to 95); none: 0 (0 to 0). A dashed line at 32: "
    )
    assert alt.endswith(f": {figure.axes[0].lines[0].get_label()}.")
    points = next(line for line in figure.axes[0].lines if line.get_marker() == "o")
    assert points.get_xdata().tolist() == [50, 0]
    assert points.get_ydata().tolist() == [1, 0]
