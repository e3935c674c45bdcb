"""A second look tells one picture from two, and finds a part in its whole, flat pictures included."""

import io
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image, ImageEnhance, ImageOps

from helpers.images import pixels


def noise(seed, size=(90, 70)):
    width, height = size
    values = np.random.default_rng(seed).integers(0, 256, (height, width), dtype=np.uint8)
    return Image.fromarray(values)


def flat(grey, size=(60, 40)):
    return Image.new("L", size, grey)


# Correlation


@pytest.mark.parametrize("seed", range(5))
def test_a_picture_correlates_with_itself(photograph, seed):
    assert pixels.correlation(photograph(seed), photograph(seed)) == pytest.approx(1, abs=1e-12)


COPIES = {
    "smaller": lambda picture: picture.resize((100, 67), Image.Resampling.BICUBIC),
    "larger": lambda picture: picture.resize((360, 240), Image.Resampling.BICUBIC),
    "stretched": lambda picture: picture.resize((90, 120), Image.Resampling.BICUBIC),
    "darker": lambda picture: ImageEnhance.Brightness(picture).enhance(0.6),
    "duller": lambda picture: ImageEnhance.Contrast(picture).enhance(0.5),
    "in grey": lambda picture: picture.convert("L"),
    "with transparency": lambda picture: picture.convert("RGBA"),
    "in CMYK": lambda picture: picture.convert("CMYK"),
    "in 256 colours": lambda picture: picture.quantize(256).convert("P"),
}


@pytest.mark.parametrize("way", COPIES)
def test_a_copy_correlates_with_its_original(photograph, way):
    original, copy = photograph(3, size=(300, 200)), COPIES[way](photograph(3, size=(300, 200)))
    assert pixels.correlation(original, copy) > 0.99
    assert pixels.correlation(copy, original) == pytest.approx(pixels.correlation(original, copy))


def test_brighter_by_the_same_amount_everywhere_is_the_same():
    picture = noise(1, size=(64, 64)).point(lambda grey: grey // 2)
    brighter = picture.point(lambda grey: grey + 100)
    assert pixels.correlation(picture, brighter) == pytest.approx(1, abs=1e-12)


def test_the_negative_is_the_opposite():
    for picture in (noise(1), noise(2, size=(64, 64))):
        assert pixels.correlation(picture, ImageOps.invert(picture)) == pytest.approx(-1, abs=0.01)


def test_the_negative_of_a_photograph_is_the_opposite(photograph):
    picture = photograph(4)
    assert pixels.correlation(picture, ImageOps.invert(picture)) < -0.99


@pytest.mark.parametrize("seed", range(5))
def test_unrelated_noise_does_not_correlate(seed):
    assert abs(pixels.correlation(noise(seed), noise(seed + 100))) < 0.1


def test_it_is_pearsons_correlation_of_the_grey_values():
    first, second = noise(1, size=(16, 16)), noise(2, size=(16, 16))
    expected = np.corrcoef(np.asarray(first, float).ravel(), np.asarray(second, float).ravel())
    assert pixels.correlation(first, second, size=16) == pytest.approx(expected[0, 1])


@pytest.mark.parametrize("size", [1, 8, 64, 100])
def test_the_common_size_may_be_chosen(photograph, size):
    assert pixels.correlation(photograph(1), photograph(1), size=size) == pytest.approx(1)


@pytest.mark.parametrize(
    ("first", "second", "expected"),
    [
        (flat(128), flat(128, size=(10, 90)), 1),
        (flat(0), flat(0), 1),
        (flat(128), flat(129), 1),
        (flat(128), flat(130), 0),
        (flat(0), flat(255), 0),
        (flat(128), Image.new("RGB", (20, 20), (128, 128, 128)), 1),
        (flat(128), noise(1), 0),
        (noise(1), flat(128), 0),
    ],
)
def test_a_flat_picture_correlates_only_with_one_of_the_same_grey(first, second, expected):
    found = pixels.correlation(first, second)
    assert isinstance(found, float)
    assert found == expected


def test_the_pictures_are_not_changed(photograph):
    first, second = photograph(1), photograph(2)
    before = first.tobytes(), second.tobytes()
    pixels.correlation(first, second)
    pixels.find_part(first, second)
    assert (first.tobytes(), second.tobytes()) == before
    assert first.mode == second.mode == "RGB"


def test_one_with_many_is_one_with_each(photograph):
    many = [
        photograph(1),
        photograph(2, size=(50, 70)),
        flat(9),
        noise(3),
        photograph(1).point(lambda v: v // 2),
    ]
    for one in (photograph(1), flat(9), noise(4)):
        all_greys = np.stack([pixels.greys(picture) for picture in many])
        together = pixels.correlations(pixels.greys(one), all_greys).tolist()
        assert together == [pixels.correlation(one, picture) for picture in many]


# The largest difference, at full size and in small


def with_a_dot(picture, place):
    marked = picture.copy()
    marked.paste((255, 0, 0), (*place, place[0] + 5, place[1] + 5))
    return marked


def test_what_is_lost_at_512_pixels_is_seen_at_full_size(photograph):
    large = photograph(3, size=(2600, 1300)).point(lambda level: level // 2)
    marked = with_a_dot(large, (1400, 700))
    assert pixels.difference(large, marked) < 15
    assert pixels.difference(large, marked, size=None) > 40


@pytest.mark.parametrize("tile", [9, 50, 64, 200, 1000])
def test_the_difference_does_not_depend_on_the_tiles(tile, photograph, monkeypatch):
    fog = photograph(4, size=(311, 203)).point(lambda level: 100 + level // 12)
    for place in ((0, 0), (61, 47), (306, 198), (62, 100)):
        marked = with_a_dot(fog, place)
        monkeypatch.setattr(pixels, "_TILE", 4096)
        whole = pixels.difference(fog, marked, size=None)
        monkeypatch.setattr(pixels, "_TILE", tile)
        assert pixels.difference(fog, marked, size=None) == whole > 20


def test_tiles_of_two_sizes_fit_together(photograph, monkeypatch):
    """The larger picture is brought to the smaller one's size tile by tile, no less exactly than at once."""
    large, small = photograph(5, size=(500, 400)), photograph(5, size=(333, 251))
    at_once = pixels.difference(large, small, size=None)
    monkeypatch.setattr(pixels, "_TILE", 64)
    assert pixels.difference(large, small, size=None) == pytest.approx(at_once, abs=1)


# Brightness and colours of the whole


def test_the_mean_levels_are_those_of_ycbcr():
    picture = Image.new("RGB", (40, 30), (90, 60, 30))
    picture.paste("white", (0, 0, 20, 30))
    y = 0.299 * 90 + 0.587 * 60 + 0.114 * 30
    expected = [(y + 255) / 2, 128 + 0.564 * (30 - y) / 2, 128 + 0.713 * (90 - y) / 2]
    assert pixels.mean_levels(picture).ravel() == pytest.approx(expected, abs=0.6)
    greys = Image.fromarray(np.repeat(np.arange(0, 200, dtype=np.uint8), 3).reshape(20, 30))
    for mode in ("L", "RGB", "CMYK", "RGBA"):
        found = pixels.mean_levels(greys.convert(mode))
        assert found.ravel() == pytest.approx([99.5, 128, 128], abs=0.2)


def test_the_mean_levels_of_parts_tell_where():
    picture = Image.new("RGB", (60, 90), "grey")
    picture.paste((100, 128, 128), (20, 0, 40, 30))
    moved = np.abs(
        pixels.mean_levels(picture, 3) - pixels.mean_levels(Image.new("RGB", (60, 90), "grey"), 3)
    )
    assert moved.shape == (3, 3, 3)
    assert np.argwhere(moved.max(axis=2) > 1).tolist() == [[0, 1]]


@pytest.mark.parametrize("seed", range(4))
def test_a_filter_moves_the_mean_levels_and_compression_does_not(seed, photograph):
    picture = photograph(seed, size=(600, 400)).point(lambda level: 0.8 * level + 25)
    means = pixels.mean_levels(picture)
    for quality in (25, 50, 85):
        file = io.BytesIO()
        picture.resize((300, 200)).save(file, "jpeg", quality=quality)
        assert np.abs(pixels.mean_levels(Image.open(file)) - means).max() < 1
    warm = Image.fromarray(np.add(picture, [18, 0, -22]).astype(np.uint8))
    assert np.abs(pixels.mean_levels(warm) - means).max() > 10


# A part in its whole


def test_only_who_looks_for_a_part_waits_for_scikit_image():
    code = "import sys, helpers.images.pixels; sys.exit('skimage' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.parametrize(
    "box", [(0, 0, 60, 40), (33, 17, 93, 57), (60, 40, 120, 80), (0, 0, 120, 80), (5, 0, 25, 80)]
)
def test_a_crop_is_found_wherever_it_was_cut(photograph, box):
    for picture in (photograph(6), noise(6, size=(120, 80))):
        assert pixels.find_part(picture, picture.crop(box)) > 0.999


def test_a_crop_is_found_in_another_mode_and_another_brightness(photograph):
    picture = photograph(6)
    part = picture.crop((20, 10, 90, 70))
    assert pixels.find_part(picture, part.convert("L")) > 0.999
    assert pixels.find_part(picture.convert("L"), part.convert("RGBA")) > 0.999
    assert pixels.find_part(picture, ImageEnhance.Brightness(part).enhance(0.7)) > 0.99


@pytest.mark.parametrize("size", [(121, 80), (120, 81), (500, 10), (10, 500)])
def test_a_part_larger_than_the_whole_is_none(photograph, size):
    found = pixels.find_part(photograph(6), photograph(6, size=size))
    assert isinstance(found, float)
    assert found == 0


@pytest.mark.parametrize("seed", range(3))
def test_an_unrelated_picture_is_not_found(photograph, seed):
    assert pixels.find_part(noise(seed), noise(seed + 100, size=(40, 30))) < 0.3
    assert pixels.find_part(photograph(seed), photograph(seed + 100, size=(100, 60))) < 0.9


@pytest.mark.parametrize("grey", [0, 1, 77, 128, 255])
@pytest.mark.parametrize("size", [(1, 1), (30, 20), (90, 70)])
def test_a_flat_part_is_found_nowhere(grey, size):
    for whole in (noise(1), flat(grey, size=(90, 70))):
        assert pixels.find_part(whole, flat(grey, size)) == 0


@pytest.mark.parametrize("grey", [0, 1, 77, 255])
def test_flat_places_in_the_whole_fit_nothing(grey):
    whole = flat(grey, size=(200, 150))
    assert pixels.find_part(whole, noise(1, size=(40, 30))) == pytest.approx(0, abs=1e-6)
    whole.paste(noise(2, size=(20, 20)), (10, 10))
    assert pixels.find_part(whole, noise(1, size=(40, 30))) < 0.3
    whole.paste(noise(1, size=(40, 30)), (100, 90))
    assert pixels.find_part(whole, noise(1, size=(40, 30))) == pytest.approx(1, abs=1e-6)


# By how much two pictures differ


def test_a_picture_differs_from_itself_by_nothing_and_both_ways_the_same(photograph):
    one, other = photograph(1, size=(300, 200)), photograph(2, size=(200, 260))
    assert pixels.difference(one, one) == 0
    assert pixels.difference(one, other) == pixels.difference(other, one) > 50
    square, wide = one.resize((200, 200)), one.resize((400, 100))
    assert pixels.difference(square, wide) == pytest.approx(pixels.difference(wide, square))


def changed(picture, box, *levels):
    values = np.asarray(picture).astype(int)
    left, top, right, bottom = box
    values[top:bottom, left:right] += levels
    return Image.fromarray(np.clip(values, 0, 255).astype(np.uint8))


@pytest.fixture
def stripes():
    """A colour picture of 120 x 90 pixels with a standard deviation of 50 levels."""
    values = np.full((90, 120, 3), 128)
    values[:, ::2] += 50
    values[:, 1::2] -= 50
    return Image.fromarray(values.astype(np.uint8))


def test_brightness_counts_by_threes_and_twice_by_nines(stripes):
    assert pixels.difference(stripes, changed(stripes, (40, 30, 43, 33), 18)) == 18
    assert pixels.difference(stripes, changed(stripes, (40, 30, 42, 32), 18)) == 8
    assert pixels.difference(stripes, changed(stripes, (40, 30, 49, 39), 18)) == 36
    assert pixels.difference(stripes, changed(stripes, (111, 81, 120, 90), -18)) == 36, (
        "in a corner"
    )


def test_colour_counts_by_nines(stripes):
    """Blue and red against brightness; as Pillow rounds them."""
    redder = changed(stripes, (40, 30, 49, 39), 28, -14, 0)
    assert pixels.difference(stripes, redder) == pytest.approx(20, abs=1.5)
    assert pixels.difference(stripes, changed(stripes, (40, 30, 43, 33), 28, -14, 0)) < 4


def test_where_there_is_little_contrast_a_difference_counts_for_more(stripes):
    fog = stripes.point(lambda level: 128 + (level - 128) * 8 // 50)
    assert pixels.difference(fog, changed(fog, (40, 30, 43, 33), 5)) == pytest.approx(20, rel=0.25)
    assert pixels.difference(fog, changed(stripes, (0, 0, 0, 0), 0)) > 50, (
        "the one with less counts"
    )


def test_the_common_size_is_the_smaller_one_but_no_more_than_512(photograph):
    large = Image.fromarray(np.random.default_rng(1).integers(0, 256, (700, 900), dtype=np.uint8))
    small = large.resize((90, 70), Image.Resampling.LANCZOS)
    assert pixels.difference(large, small) < 3
    halved = large.resize((512, 398), Image.Resampling.LANCZOS)
    assert pixels.difference(large, halved) < 3
    assert pixels.difference(large, large.resize((640, 498), Image.Resampling.LANCZOS)) < 15
    tiny = photograph(1, size=(3, 2))
    assert pixels.difference(tiny, tiny.resize((6, 4), Image.Resampling.NEAREST)) < 40


@pytest.mark.slow
def test_a_part_of_a_large_picture_is_found_at_the_size_of_a_small_one(photograph):
    whole = photograph(1, (3000, 2000))
    part = whole.crop((900, 500, 2100, 1400))
    assert pixels.find_part(whole, part) > 0.995
    assert pixels.find_part(whole, photograph(2, (1200, 900))) < 0.9
    assert pixels.find_part(part, whole) == 0
