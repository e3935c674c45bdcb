"""Charts: what is drawn, and what their description tells."""

import numpy as np
import pandas as pd
import pytest

from helpers.classroom import charts


@pytest.fixture
def shown(monkeypatch):
    """Figures that are shown, each with its description."""
    figures = []
    monkeypatch.setattr(
        charts, "show", lambda figure, alt: figures.append((figure, " ".join(alt.split())))
    )
    return figures


def test_lines_tell_their_start_middle_and_end(shown):
    index = pd.Index([1, 10, 100, 1_000], name="fingerprints")
    table = pd.DataFrame({"scan": [1, 2, 3, 4], "tree": [5, 6, 7, np.nan]}, index=index)
    charts.show_lines({"one": table}, ylabel="seconds", log="xy")
    figure, alt = shown[0]
    assert [len(line.get_ydata()) for line in figure.axes[0].lines] == [4, 3]
    assert alt == (
        "Lines: seconds, against fingerprints. one. scan: 1 at 1, 3 at 100, 4 at 1,000; "
        "tree: 5 at 1, 6 at 10, 7 at 100."
    )


def test_a_circle_parts_points_and_tells_how_far_queries_are_from_its_centre(shown):
    points, centre = np.array([[0.5, 0.6], [0.5, 0.9], [0.5, 0.7]]), np.array([0.5, 0.5])
    charts.show_circle(points, centre, 0.3, {"A": np.array([0.1, 0.2])}, radius=0.1)
    figure, alt = shown[0]
    inside, outside, _ = figure.axes[0].lines
    assert (inside.get_ydata().tolist(), outside.get_ydata().tolist()) == ([0.6, 0.7], [0.9])
    assert "has 2 of them inside" in alt and "A is 0.50 from the vantage point" in alt


def test_spreads_tell_the_share_near_the_middle(shown):
    distances = {"bits": np.array([1, 30, 32, 33, 60]), "plane": np.array([0.1, 0.5, 0.6, 0.9])}
    charts.show_spreads(distances, [2, 0.1], xlabels=["bits", "sides"])
    figure, alt = shown[0]
    assert [panel.get_title() for panel in figure.axes] == [
        "bits: 40 % in the band",  # 32 and 33; from 30 a query with radius 2 looks inside only
        "plane: 50 % in the band",
    ]
    assert "bits: 40 % lie in a band of 2 to each side of 32" in alt


def test_kinds_stand_beside_each_other_and_nothing_is_lost_at_zero(shown):
    kinds = ["copy", "page", "copy"]
    charts.show_kinds([0, 0, 2], [0, 0.1, 0.01], kinds, line=0.01, xlabel="bits", ylabel="unlike")
    figure, alt = shown[0]
    copies, pages, line = figure.axes[0].lines
    assert copies.get_ydata().tolist() == [1e-5, 0.01] and line.get_ydata() == [0.01, 0.01]
    assert copies.get_xdata()[0] < 0 < pages.get_xdata()[0]
    assert "unlike. copy, 2 pairs: 1e-05 to 0.01; page, 1 pairs: 0.1 to 0.1. Line: 0.01." in alt
    assert alt.endswith("1e-05 stands for this or less.")
    assert [text.get_text() for text in figure.axes[0].texts] == ["this or less"]
    figure.draw_without_rendering()
    ticks = [tick.get_text() for tick in figure.axes[0].get_yticklabels()]
    assert "0.00001" in ticks and "0.1" in ticks, "no powers of ten"


def test_distances_of_copies_others_and_coins_stand_in_one_panel(shown):
    copies, others = (
        np.bincount([0, 0, 3], minlength=65),
        np.bincount([7, 32, 32, 40], minlength=65),
    )
    charts.show_distances(copies, others, np.eye(65)[30], "numbers from a drawer")
    figure, alt = shown[0]
    (panel,) = figure.axes
    assert [bar.get_height() for bar in panel.patches[:65]] == others.tolist()
    assert [line.get_ydata().tolist() for line in panel.lines] == [
        copies.tolist(),
        np.eye(65)[30].tolist(),
    ]
    assert panel.get_yscale() == "log"
    assert panel.get_title() == "numbers from a drawer"
    assert "Copies lie at 0 to 3 bits. Different pictures lie at 7 to 40 bits" in alt
    assert alt.endswith("in a hill with its top at 32. Coin flips would lie at 30 to 30 bits.")


def test_large_numbers_on_logarithmic_axes_are_written_out(shown):
    table = pd.DataFrame({"scan": [0.01, 1, 10_000]}, index=[1_000, 10_000, 1_000_000])
    charts.show_lines({"one": table}, ylabel="seconds", log="xy")
    panel = shown[0][0].axes[0]
    shown[0][0].draw_without_rendering()
    across, up = (
        {tick.get_text() for tick in axis.get_ticklabels()} for axis in (panel.xaxis, panel.yaxis)
    )
    assert {"1,000", "1,000,000"} <= across and {"0.01", "1", "10,000"} <= up


def test_shares_tell_their_start_middle_and_end_in_per_cent_and_what_is_always_0(shown):
    table = pd.DataFrame({"50 banned": [0.002, 0.008, 0.128]}, index=[0, 8, 16])
    charts.show_shares_over({"banned:\nstopped": table.rename_axis("bits"), "honest": 0 * table})
    ((figure, alt),) = shown
    assert alt == (
        "Lines: shares, against bits. banned: stopped. "
        "50 banned: 0.2 % at 0, 0.8 % at 8, 12.8 % at 16. honest. All lines are 0."
    )
    assert [len(panel.texts) for panel in figure.axes] == [0, 1]


def test_a_table_of_shares_is_told_row_by_row(shown):
    table = pd.DataFrame({"dHash\nradius 13": [1, 0.02], "aHash": [0.5, 0]}, ["same", "mirrored"])
    charts.show_shares(table)
    ((figure, alt),) = shown
    assert alt == (
        "Table of shares. same: dHash radius 13 100 %, aHash 50 %; "
        "mirrored: dHash radius 13 2 %, aHash 0 %."
    )
    written = {text.get_position(): text.get_text() for text in figure.axes[0].texts}
    assert written == {(0, 0): "100 %", (1, 0): "50 %", (0, 1): "2 %", (1, 1): "0 %"}
