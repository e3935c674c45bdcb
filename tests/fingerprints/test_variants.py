"""Several fingerprints of one picture are those that each variant has by itself."""

import numpy as np
import pytest
from PIL import Image, ImageOps

from helpers import Problem
from helpers.fingerprints import variants
from helpers.fingerprints.hashes import of_shown
from helpers.hamming import distance
from helpers.images import changes

SIZES = [(120, 80), (80, 120), (64, 64), (500, 20), (20, 500), (9, 8), (8, 9), (1, 1), (3, 2)]


def noise(seed, size):
    levels = np.random.default_rng(seed).integers(0, 256, (size[1], size[0], 3), dtype=np.uint8)
    return Image.fromarray(levels)


@pytest.mark.parametrize("size", SIZES, ids=str)
def test_eight_orientations_are_those_of_eight_pictures(photograph, size):
    for picture in (photograph(1, size), noise(2, size), noise(3, size).convert("L")):
        expected = [
            of_shown(picture if method is None else picture.transpose(method))
            for method in variants.ORIENTATIONS.values()
        ]
        got = variants.orientations(picture)
        assert got.dtype == np.uint64
        assert got.tolist() == expected


@pytest.mark.slow
def test_eight_orientations_are_exact_on_the_whole_sample(sample):
    for path in sample.images:
        with Image.open(sample.root / path) as picture:
            got = variants.orientations(picture)
            for value, method in zip(got, variants.ORIENTATIONS.values(), strict=True):
                assert value == of_shown(
                    picture.transpose(method) if method is not None else picture
                )


@pytest.mark.parametrize("hash", ["phash", "phash-256"])
def test_eight_orientations_of_phash_are_those_of_eight_pictures(sample, hash):
    for path in sample.images[::5]:
        with Image.open(sample.root / path) as picture:
            got = variants.orientations_of_phash(picture, hash)
            assert (got[0] == of_shown(picture, hash)).all()
            for value, method in list(zip(got, variants.ORIENTATIONS.values(), strict=True))[1:]:
                turned = of_shown(picture.transpose(method), hash)
                assert distance(value, turned) <= 8, "the last digits of floats"


def test_the_names_of_orientations_say_what_was_done(photograph):
    picture = photograph(4)
    found = dict(zip(variants.ORIENTATIONS, variants.orientations(picture), strict=True))
    assert found["as it is"] == of_shown(picture)
    for degrees in (90, 180, 270):  # anticlockwise
        turned = picture.rotate(degrees, expand=True)
        assert found[f"turned by {degrees} degrees"] == of_shown(turned)
    assert found["mirrored left-right"] == of_shown(ImageOps.mirror(picture))
    assert found["mirrored top-bottom"] == of_shown(ImageOps.flip(picture))
    falling = Image.fromarray(np.swapaxes(np.asarray(picture), 0, 1))
    assert found["mirrored at the falling diagonal"] == of_shown(falling)
    rising = Image.fromarray(np.swapaxes(np.asarray(picture)[::-1, ::-1], 0, 1))
    assert found["mirrored at the rising diagonal"] == of_shown(rising)


BORDERS = [
    ("pad black", "2 %"),
    ("pad black", "20 %"),
    ("pad white", "10 %"),
    ("letterbox", "10 %"),
    ("letterbox", "20 %"),
]


@pytest.mark.parametrize("name, strength", BORDERS)
def test_a_border_outside_is_cut_off_exactly(photograph, name, strength):
    picture = edged(photograph(5))
    got = variants.without_border(changes.change(picture, name, strength))
    assert got.size == picture.size
    assert got.tobytes() == picture.tobytes()


def edged(picture):
    """With stripes along each side, so that no line of it is of one grey."""
    width, height = picture.size
    stripes = Image.fromarray(np.uint8(np.add.outer(np.arange(height), np.arange(width)) % 8 * 36))
    stripes = stripes.convert("RGB")
    stripes.paste(picture.crop((5, 5, width - 5, height - 5)), (5, 5))
    return stripes


@pytest.mark.parametrize("quality", [50, 75, 95])
def test_a_border_goes_from_a_jpeg_too(photograph, quality):
    picture = edged(photograph(6, (240, 160)))
    padded = changes.change(picture, "letterbox", "20 %")
    padded = changes.change(padded, "jpeg", f"quality {quality}")
    got = variants.without_border(padded)
    assert got.width == 240
    assert abs(got.height - 160) <= 4


def test_a_bar_inside_a_frame_goes_as_well(photograph):
    picture = edged(photograph(7))
    both = ImageOps.expand(ImageOps.expand(picture, (0, 20), "black"), 10, "white")
    assert variants.without_border(both).tobytes() == picture.tobytes()


@pytest.mark.parametrize("size", [(1, 1), (1, 100), (100, 1), (40, 30)], ids=str)
def test_a_flat_picture_comes_back_whole(size):
    for colour in ("black", "white", "navy"):
        flat = Image.new("RGB", size, colour)
        assert variants.without_border(flat).size == size


def test_nothing_is_cut_where_hardly_anything_would_be_left():
    dot = Image.new("L", (100, 80))
    dot.paste(255, (50, 40, 55, 60))
    assert variants.without_border(dot).size == (100, 80)
    dot.paste(noise(1, (11, 20)), (50, 40))
    assert variants.without_border(dot).size == (11, 20)


def test_a_picture_without_a_border_is_left_as_it_is(photograph):
    picture = edged(photograph(8))
    before = picture.tobytes()
    assert variants.without_border(picture).tobytes() == before == picture.tobytes()


def test_the_tolerance_says_how_noisy_a_border_may_be(photograph):
    picture = ImageOps.expand(edged(photograph(9)), 10, (20, 20, 20))
    levels = np.asarray(picture).astype(int)
    levels[:10] += np.random.default_rng(1).choice([-8, 8], (10, picture.width, 1))
    noisy = Image.fromarray(levels.astype(np.uint8))
    assert variants.without_border(noisy, tolerance=16).size == (120, 80)
    assert variants.without_border(noisy, tolerance=4).height > 80


@pytest.mark.parametrize("hash", ["dhash", "dhash-both", "phash"])
def test_windows_have_the_fingerprints_of_the_parts_that_they_name(hash, photograph):
    picture = photograph(10, (200, 100))
    boxes = {
        "whole": (0, 0, 200, 100),
        "centre, 90 %": (10, 5, 190, 95),
        "centre, 80 %": (20, 10, 180, 90),
        "centre, 70 %": (30, 15, 170, 85),
        "upper left, 80 %": (0, 0, 160, 80),
        "upper right, 80 %": (40, 0, 200, 80),
        "lower left, 80 %": (0, 20, 160, 100),
        "lower right, 80 %": (40, 20, 200, 100),
    }
    assert list(boxes) == list(variants.WINDOWS)
    expected = [of_shown(picture.crop(box), hash) for box in boxes.values()]
    assert (variants.windows(picture, hash) == np.array(expected)).all()


@pytest.mark.parametrize("size", [(1, 1), (1, 50), (2, 3)], ids=str)
def test_the_smallest_pictures_have_windows(size):
    assert variants.windows(noise(1, size)).shape == (8,)


def test_windows_by_a_hash_that_there_is_not_get_a_sentence(photograph):
    with pytest.raises(Problem, match="no such hash"):
        variants.windows(photograph(), "ehash")


def test_variants_are_the_fingerprints_of_what_they_name(photograph):
    picture = edged(photograph(11, (256, 256)))
    framed = ImageOps.expand(picture, 32, "white")
    for asked, cut in ((picture, []), (framed, [(32, 32, 288, 288)])):
        boxes = [tuple(end * asked.width / 100 for end in box) for box in variants.PARTS] + cut
        parts = [asked.resize((800, 800), Image.Resampling.BICUBIC, box=box) for box in boxes]
        expected = list(variants.orientations(asked))
        for part in parts:
            expected += [of_shown(part), of_shown(part.transpose(Image.Transpose.TRANSPOSE))]
        got = np.frombuffer(bytes.fromhex(variants.variants_of(asked)), ">u8")
        assert len(got) == len(expected) == 8 + 2 * len(boxes)
        assert np.bitwise_count(got ^ np.array(expected, dtype=np.uint64)).max() <= 6


def test_variants_are_those_of_a_draft_too(photograph):
    picture = photograph(12, (1152, 1024))
    draft = picture.reduce(8)
    one, other = (
        np.frombuffer(bytes.fromhex(variants.variants_of(asked)), ">u8")
        for asked in (picture, draft)
    )
    assert np.bitwise_count(one ^ other).max() <= 6
