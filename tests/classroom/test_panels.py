"""Panels side by side and ranges of bits: what is drawn, and that the alt text tells the same."""

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from helpers.classroom import panels


@pytest.fixture
def shown(monkeypatch):
    """What would be shown: figures with their alt texts."""
    figures = []
    monkeypatch.setattr(panels, "show", lambda figure, alt: figures.append((figure, alt)))
    return figures


def test_a_picture_grey_values_and_bits_are_each_drawn_in_their_own_way(shown):
    one = {"picture": Image.new("RGBA", (30, 20)), "grey": np.eye(8, 9, dtype=np.uint8)}
    panels.show_panels(one | {"bits": np.eye(8, dtype=bool), "more": Image.new("L", (9, 9))})
    ((figure, alt),) = shown
    assert alt == "Side by side: picture; grey; bits; more."
    drawn = [axes.images[0].get_array().shape for axes in figure.axes if axes.images]
    assert drawn[0] == (20, 30, 3)
    assert drawn[3] == (9, 9)
    assert min(drawn[1][:2] + drawn[2][:2]) > 100  # squares, not pixels
    assert len(figure.axes) == 6
    assert not figure.axes[5].axison


def test_medians_and_ranges_are_told_as_they_are_drawn(shown):
    panels.show_ranges(
        pd.DataFrame({"crop": np.arange(101), "none": np.zeros(101, int)}), line=32, xlabel="bits"
    )
    ((figure, alt),) = shown
    assert "crop: 50 (5 to 95); none: 0 (0 to 0)" in alt
    points = next(line for line in figure.axes[0].lines if line.get_marker() == "o")
    assert points.get_xdata().tolist() == [50, 0]
    assert points.get_ydata().tolist() == [1, 0]
