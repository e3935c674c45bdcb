"""A radius to move: what the page says of it, and what its figure shows."""

import io

import numpy as np
import pytest

from helpers import Problem
from helpers.classroom import plots
from helpers.explore import radius

SAME = [0, 0, 1, 3]
OTHERS = np.bincount([2, 5, 5, 30], minlength=65)


def make(at=0, where=""):
    return radius.radius_page(SAME, OTHERS, pictures=101, where=where, radius=at)


@pytest.mark.slow
def test_the_page_counts_what_each_radius_finds_and_misses():
    for at in range(65):
        found, false = sum(bits <= at for bits in SAME), int(OTHERS[: at + 1].sum())
        told = make(at).sentence
        assert f"At radius {at}, {found} of 4 copies are found" in told
        assert f" and {4 - found} {'is' if found == 3 else 'are'} missed" in told
        assert f"Of 4 pairs of different pictures, {false} match" in told
        each = 100 * false / 4  # of a query among 101 pictures
        number = f"{each:.1f}" if each >= 1 else "0.0000"
        assert told.endswith(f": {number} false matches a query among 101 pictures.")


def test_moving_the_radius_moves_sentence_and_figure(told):
    page = make(where="numbers from a drawer")
    page.make_controls()
    before = page.controls.results.value
    page.controls.radius.value = 3
    assert "At radius 3, 4 of 4 copies are found and 0 are missed: a recall of 100.0 %." in told(
        page
    )
    assert "Numbers from a drawer." in told(page)
    assert page.controls.results.value != before
    assert "At radius 3, 4 of 4" in page.controls.results.value, "the alt text"


def test_the_slider_and_the_number_are_one_radius(told):
    page = make()
    number, slider = page.make_controls().page.children[0].children
    assert (number.description, number.min, number.max) == ("Radius, in bits", 0, 64)
    slider.value = 5
    assert number.value == page.radius == 5


def test_bars_within_the_radius_are_filled_and_no_others():
    figure, words = make(2).figure()
    plots.save(figure, io.BytesIO())
    for panel, counts in zip(figure.axes, (np.bincount(SAME, minlength=65), OTHERS), strict=True):
        white = {bar.get_x() + 0.4 for bar in panel.patches if bar.get_facecolor() == (1, 1, 1, 1)}
        assert np.allclose(sorted(white), np.arange(3, 65))
        assert f"{counts[:3].sum()} of 4" in panel.get_title(loc="left")
    assert words.endswith(
        "copies lie at 0 to 3 bits; pairs of different pictures lie at 2 to 30 bits."
    )


def test_nothing_is_cut_off_at_the_left_where_counts_are_large():
    figure, _ = radius.radius_page(SAME, OTHERS * 10**6, 2_000).figure()
    figure.draw_without_rendering()
    assert min(panel.yaxis.label.get_window_extent().x0 for panel in figure.axes) > 0


def test_a_radius_that_is_none_is_refused_and_so_is_nothing_to_find():
    with pytest.raises(Problem, match="radius 65"):
        make(65)
    with pytest.raises(Problem, match="nothing to find"):
        radius.radius_page([], OTHERS, pictures=4)
