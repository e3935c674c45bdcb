"""The changes have the right values, each computed here in another way: by loops, from the formula,
or from what a person would measure with a ruler."""

import io
import math
import tracemalloc

import numpy as np
import pytest
from PIL import Image

from helpers import Problem
from helpers.images import changes, drawing

WIDTH, HEIGHT = 203, 101


def white(width=WIDTH, height=HEIGHT):
    return Image.new("RGB", (width, height), "white")


def grey(level, width=WIDTH, height=HEIGHT):
    return Image.new("RGB", (width, height), (level, level, level))


def changed(picture, name, strength, seed=0):
    """Rows, columns and channels, as whole numbers that may become negative."""
    return np.asarray(changes.change(picture, name, strength, seed=seed)).astype(int)


def box_of(mask):
    """Left, top, right and bottom of what is true, as a ruler has it."""
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    return columns[0], rows[0], columns[-1] + 1, rows[-1] + 1


@pytest.mark.parametrize(
    "name, strength, border, colour",
    [
        ("pad black", "2 %", (4, 2), 0),
        ("pad black", "20 %", (41, 20), 0),
        ("pad white", "5 %", (10, 5), 255),
        ("letterbox", "10 %", (0, 10), 0),
        ("letterbox", "20 %", (0, 20), 0),
    ],
)
def test_borders_lie_outside_and_have_their_share(photograph, name, strength, border, colour):
    picture, (x, y) = photograph(1, (WIDTH, HEIGHT)), border
    got = changed(picture, name, strength)
    assert got.shape == (HEIGHT + 2 * y, WIDTH + 2 * x, 3)
    expected = np.full(got.shape, colour)
    expected[y : y + HEIGHT, x : x + WIDTH] = np.asarray(picture)
    assert (got == expected).all()


@pytest.mark.parametrize("strength, x, y", [("1 %", 2, 1), ("5 %", 10, 5), ("20 %", 41, 20)])
def test_each_side_loses_its_share(photograph, strength, x, y):
    picture = photograph(1, (WIDTH, HEIGHT))
    got = changed(picture, "crop each side", strength)
    assert (got == np.asarray(picture)[y : HEIGHT - y, x : WIDTH - x]).all()


def test_one_side_loses_its_share_and_each_side_is_drawn_as_often(photograph):
    picture = photograph(1, (WIDTH, HEIGHT))
    whole = np.asarray(picture)
    parts = [whole[:, 20:], whole[10:], whole[:, :-20], whole[:-10]]
    times = [0, 0, 0, 0]
    for seed in range(200):
        got = changed(picture, "crop one side", "10 %", seed)
        times[[part.shape == got.shape and (part == got).all() for part in parts].index(True)] += 1
    assert min(times) > 30


@pytest.mark.parametrize("strength, thick", [("2 %", 4), ("5 %", 10)])
def test_a_white_frame_is_drawn_over_the_edge(strength, thick):
    got = changed(grey(0), "white frame over", strength)
    inside = thick, thick, WIDTH - thick, HEIGHT - thick
    assert box_of((got == 0).all(axis=2)) == inside
    assert (got[:thick] == 255).all() and (got[:, -thick:] == 255).all()
    assert (changed(grey(0, 20, 20), "white frame over", "2 %")[1:-1, 1:-1] == 0).all()


@pytest.mark.parametrize("size", [(203, 101), (101, 203), (400, 20), (20, 400), (64, 64)])
@pytest.mark.parametrize("degrees", [2, 4])
def test_the_largest_window_of_a_turned_picture_has_no_corner(size, degrees):
    got = changed(white(*size), "rotate, cropped", f"{degrees} degrees")
    assert (got == 255).all()
    best = max(
        width * fitting_height(size, degrees, width) for width in np.linspace(1, size[0], 20_001)
    )
    height, width, _ = got.shape
    assert (width + 2) * (height + 2) >= best >= width * height


def fitting_height(size, degrees, width):
    """How high a window of this width may be, so that its corners, turned back, lie in the picture."""
    sine, cosine = math.sin(math.radians(degrees)), math.cos(math.radians(degrees))
    return max(0, min((size[0] - width * cosine) / sine, (size[1] - width * sine) / cosine))


def test_gamma_raises_shares_to_a_power():
    for level in (0, 1, 50, 128, 200, 255):
        for gamma in (0.5, 2.0):
            got = changed(grey(level), "gamma", str(gamma))[0, 0]
            assert got.tolist() == [round(255 * (level / 255) ** gamma)] * 3
    assert changed(grey(64), "gamma", "0.5")[0, 0, 0] == 128
    assert changed(grey(128), "gamma", "2.0")[0, 0, 0] == 64


def test_hues_turn_by_a_sixth():
    """Red becomes yellow, green becomes cyan and blue magenta; greys stay."""
    for before, after in [((255, 0, 0), (255, 255, 0)), ((0, 255, 0), (0, 255, 255))]:
        got = changed(Image.new("RGB", (2, 2), before), "hue", "+ 60 degrees")[0, 0]
        assert abs(got - after).max() <= 6
    got = changed(Image.new("RGB", (2, 2), (0, 0, 255)), "hue", "+ 60 degrees")[0, 0]
    assert abs(got - (255, 0, 255)).max() <= 6
    assert (changed(grey(77), "hue", "+ 60 degrees") == 77).all()


@pytest.mark.parametrize("sigma", [0.7, 0.5])
def test_a_vignette_follows_its_formula(sigma):
    got = changed(grey(200), "vignette", f"Gaussian, sigma {sigma} of each side")
    for x, y in [(0, 0), (101, 50), (202, 100), (202, 0), (17, 88)]:
        far = ((x + 0.5 - WIDTH / 2) / (sigma * WIDTH)) ** 2
        far += ((y + 0.5 - HEIGHT / 2) / (sigma * HEIGHT)) ** 2
        assert abs(got[y, x] - 200 * math.exp(-far / 2)).max() <= 0.5
    assert got[50, 101].tolist() == [200, 200, 200]
    assert (got == got[::-1]).all() and (got == got[:, ::-1]).all()
    corner = {0.7: 200 * math.exp(-0.25 / 0.49), 0.5: 200 / math.e}[sigma]
    assert abs(got[0, 0, 0] - corner) < 5


@pytest.mark.parametrize("sigma", [5, 15, 30, 51])
def test_noise_has_its_sigma_in_each_channel(sigma):
    got = changed(grey(128, 400, 300), "noise", f"sigma {sigma}") - 128
    inside = np.abs(got).max(axis=2) < 127  # what was clipped at 0 and 255 is left out
    assert inside.mean() > 0.95
    for channel in range(3):
        assert abs(got[..., channel].mean()) < 5 * sigma / math.sqrt(400 * 300)
        assert got[..., channel].std() == pytest.approx(sigma, rel=0.02)
    assert abs(np.corrcoef(got[..., 0].ravel(), got[..., 1].ravel())[0, 1]) < 0.02


@pytest.mark.parametrize("percent", [1, 5])
def test_salt_and_pepper_are_of_equal_number(percent):
    got = changed(grey(128, 500, 400), "salt and pepper", f"{percent} %")
    assert (got == got[..., :1]).all()
    shares = [np.mean(got[..., 0] == level) for level in (0, 255, 128)]
    assert shares == pytest.approx([percent / 200, percent / 200, 1 - percent / 100], rel=0.12)


def test_what_is_worked_on_in_bands_shows_no_seam(monkeypatch, photograph):
    rows = [("noise", "sigma 30"), ("salt and pepper", "5 %")]
    rows.append(("vignette", "Gaussian, sigma 0.5 of each side"))
    for name, strength in rows:
        monkeypatch.setattr(drawing, "_BAND_PIXELS", 10**9)  # all at once
        whole = changed(photograph(2, (WIDTH, HEIGHT)), name, strength)
        monkeypatch.setattr(drawing, "_BAND_PIXELS", 7 * WIDTH)
        assert (changed(photograph(2, (WIDTH, HEIGHT)), name, strength) == whole).all()


@pytest.mark.parametrize("name", ["noise", "salt and pepper", "vignette"])
def test_a_large_picture_takes_little_memory(name):
    picture = white(2000, 1000)
    tracemalloc.start()
    try:
        changes.change(picture, name, changes.STANDARD[name][0])
        assert tracemalloc.get_traced_memory()[1] < 2000 * 1000 * 3 + 2**18 * 3 * 4 * 4 + 2**20
    finally:
        tracemalloc.stop()


def test_a_palette_has_so_many_colours(photograph):
    for colours in (64, 16):
        got = changes.change(photograph(3, (WIDTH, HEIGHT)), "palette", f"{colours} colours")
        assert colours / 2 < len(got.getcolors()) <= colours


def test_webp_is_what_pillow_makes(photograph):
    picture, file = photograph(3, (WIDTH, HEIGHT)), io.BytesIO()
    picture.save(file, "webp", quality=50)
    expected = np.asarray(Image.open(file).convert("RGB"))
    assert (changed(picture, "webp", "quality 50") == expected).all()


def test_what_a_format_cannot_hold_gets_a_sentence():
    with pytest.raises(Problem) as problem:
        changes.change(white(16_384, 1), "webp")
    sentence = str(problem.value)
    assert sentence.startswith("webp, quality 50: not for 16384 x 1 pixels (")
    assert sentence.endswith("); take smaller pictures, or leave this out")


def test_the_factor_of_a_slight_resize_is_drawn_evenly(photograph):
    widths = [
        changed(white(1000, 10), "resize", "0.95-1.05 + jpeg 75", seed).shape[1]
        for seed in range(100)
    ]
    assert 950 <= min(widths) < 960
    assert 1040 < max(widths) <= 1050
    assert abs(np.mean(widths) - 1000) < 12


def test_social_media_cuts_halves_and_saves(photograph):
    picture, file = photograph(4, (WIDTH, HEIGHT)), io.BytesIO()
    part = picture.crop((4, 2, WIDTH - 4, HEIGHT - 2))  # 195 x 97
    part.resize((98, 48), Image.Resampling.LANCZOS).save(file, "jpeg", quality=60)
    strength = "half size after 2 % crop at each side, jpeg 60"
    assert (changed(picture, "social media", strength) == np.asarray(Image.open(file))).all()


@pytest.mark.parametrize("k", [0.02, 0.05])
def test_perspective_brings_four_points_to_the_corners(k):
    """Of a picture whose red grows to the right and whose green grows downwards, so that colours tell places."""
    w, h = 250, 200
    places = np.zeros((h, w, 3), dtype=np.uint8)
    places[..., 0] = np.arange(w)[None, :]
    places[..., 1] = np.arange(h)[:, None]
    got = changed(Image.fromarray(places), "perspective", f"{round(100 * k)} %")
    assert got.shape == (h, w, 3)
    for (row, column), (x, y) in {
        (0, 0): (k * w, k * h),
        (0, -1): (w - k * w, 0),
        (-1, -1): (w - 1, h - 1),
        (-1, 0): (0, h - k * h),
    }.items():
        assert abs(got[row, column, :2] - (x, y)).max() <= 1.5


def test_a_small_watermark_lies_in_the_lower_left_corner():
    got = changed(white(900, 600), "watermark", "small in a corner")
    left, top, right, bottom = box_of((got < 128).all(axis=2))
    assert 27 <= left <= 31 and 579 <= bottom <= 582
    assert 15 <= bottom - top <= 30  # capitals of a font of 30 pixels
    assert 120 < right - left < 300
    tiny = changed(white(60, 40), "watermark", "small in a corner")
    assert 3 <= np.ptp(box_of((tiny < 200).any(axis=2))[1::2]) <= 6


def test_a_large_watermark_lies_in_the_centre():
    got = changed(grey(0, 900, 600), "watermark", "large in the centre")
    left, top, right, bottom = box_of((got > 128).all(axis=2))
    assert abs((left + right) / 2 - 450) < 10 and abs((top + bottom) / 2 - 300) < 20
    assert 60 <= bottom - top <= 120  # capitals of a font of 120 pixels
    assert 480 < right - left < 900


@pytest.mark.parametrize("percent", [25, 50])
def test_a_watermark_all_over_has_four_lines_of_its_opacity(percent):
    picture = grey(100, 900, 600)
    got = changed(picture, "watermark", f"all over at {percent} %")[..., 0]
    assert abs(got.max() - (100 + 155 * percent / 100)) <= 1
    assert got.min() == 100
    is_text = (got > 100).any(axis=1)
    starts = np.flatnonzero(np.diff(is_text.astype(int)) == 1) + 1
    assert len(starts) == 4
    assert (np.diff(starts) == 150).all()
    assert (got[:, 700:] > 100).any() and (got[:, :200] > 100).any()


@pytest.mark.parametrize("percent, high", [(10, 60), (20, 120)])
def test_a_caption_stands_above_the_picture(photograph, percent, high):
    picture = photograph(6, (900, 600))
    got = changed(picture, "caption band on top", f"{percent} %")
    assert got.shape == (600 + high, 900, 3)
    assert (got[high:] == np.asarray(picture)).all()
    left, top, right, bottom = box_of((got[:high] < 128).all(axis=2))
    assert abs((left + right) / 2 - 450) < 6 and abs((top + bottom) / 2 - high / 2) < high / 8
    assert 0.3 * high < bottom - top < 0.6 * high  # capitals of a font of 0.6 of the band
    assert (got[0] == 255).all()


@pytest.mark.parametrize("percent", [2, 5, 10, 20])
def test_a_sticker_has_its_area_and_its_place_is_drawn(percent):
    picture, side = grey(200, 300, 200), math.sqrt(percent / 100 * 300 * 200)
    places = []
    for seed in range(40):
        got = changed(picture, "sticker", f"{percent} % of the area", seed)
        left, top, right, bottom = box_of((got != 200).any(axis=2))
        assert abs(right - left - side) <= 1 and abs(bottom - top - side) <= 1
        face = got[top:bottom, left:right]
        is_black = (face == 0).all(axis=2)
        is_yellow = (face == (255, 204, 0)).all(axis=2)
        assert is_black[0].any() and is_black[:, 0].any()
        assert 0.5 < is_yellow.mean() < math.pi / 4
        eye = round(0.4 * side)
        assert is_black[eye, round(0.35 * side)] and is_black[eye, round(0.65 * side)]
        assert is_yellow[eye, round(0.5 * side)]
        places.append((left, top, 300 - right, 200 - bottom))
    assert (np.ptp(places, axis=0) > 0.5 * (np.array([300, 200, 300, 200]) - side)).all()


def test_sharpening_makes_a_step_steeper():
    step = np.zeros((20, 40, 3), dtype=np.uint8)
    step[:, :20], step[:, 20:] = 100, 150
    strength = "unsharp mask 2 px, 150 %, threshold 0"
    got = changed(Image.fromarray(step), "sharpen", strength)[10, :, 0]
    assert got[19] < 90 and got[20] > 160
    assert got[0] == 100 and got[39] == 150
