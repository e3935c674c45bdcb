"""Charts: what is drawn, and what their description tells."""

import numpy as np

from helpers.classroom import charts


def test_distances_of_copies_others_and_coins_stand_in_one_panel(monkeypatch):
    shown = []
    monkeypatch.setattr(charts, "show", lambda figure, alt: shown.append((figure, alt)))
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
    alt = " ".join(alt.split())
    assert "Copies lie at 0 to 3 bits. Different pictures lie at 7 to 40 bits" in alt
    assert alt.endswith("in a hill with its top at 32. Coin flips would lie at 30 to 30 bits.")
