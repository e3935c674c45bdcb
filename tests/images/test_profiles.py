"""Colours as people see them: profiles of all kinds, broken ones, and ones made to exhaust a program."""

import io

import numpy as np
import pytest
from inputs import SRGB, cmyk_profile, profile, rgb_profile, with_alpha
from PIL import Image, ImageCms, ImageOps

from helpers.fingerprints import hashes
from helpers.images import profiles
from helpers.images.opening import RULES, open_image

FOREIGN = rgb_profile()
SRGB_OF_PILLOW = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


def saved(picture, profile, format="PNG", **options):
    file = io.BytesIO()
    picture.save(file, format, icc_profile=profile, **options)
    return file


def differs(one, other):
    return np.abs(np.asarray(one.convert("RGB"), int) - np.asarray(other.convert("RGB"), int)).max()


@pytest.fixture
def swapped(photograph):
    """A photograph with its channels in another order, and the profile that says so."""
    red, green, blue = photograph(3).split()
    return Image.merge("RGB", (blue, red, green)), rgb_profile((SRGB[2], SRGB[0], SRGB[1]))


@pytest.mark.parametrize("format", ["PNG", "TIFF", "WEBP", "AVIF", "JPEG"])
def test_a_picture_of_other_colours_is_seen_as_its_original(format, swapped, photograph):
    picture, its_profile = swapped
    file = saved(picture, its_profile, format, quality=100, lossless=True)
    assert differs(open_image(file), photograph(3)) <= (12 if format in ("JPEG", "AVIF") else 9)
    assert differs(open_image(file, rules=RULES | {"colour profile": 1}), picture) <= 12
    distance = hashes.of_file(file) ^ hashes.of_image(photograph(3))
    assert int(distance).bit_count() <= 2


def test_a_fast_read_applies_the_profile_to_what_it_reduced(swapped, photograph):
    picture, its_profile = swapped
    large, original = (image.resize((1200, 800)) for image in (picture, photograph(3)))
    file = saved(large, its_profile, "JPEG", quality=95)
    shown = open_image(file, fast=True)
    assert shown.size == (300, 200)
    assert differs(shown, original.resize(shown.size, reducing_gap=None)) <= 30
    distance = hashes.of_file(file, fast=True) ^ hashes.of_image(original)
    assert int(distance).bit_count() <= 1
    assert open_image(saved(large, SRGB_OF_PILLOW, "JPEG"), fast=True).mode == "L"


def test_pixels_stay_bit_for_bit_where_a_profile_says_srgb_or_nothing_that_can_be_used(photograph):
    picture = photograph(5)
    link = bytearray(FOREIGN)
    link[12:16] = b"link"
    for unused in (
        SRGB_OF_PILLOW,
        b"no profile",
        FOREIGN[:200],
        FOREIGN[:128],
        bytes(link),
        bytes(3000),
        profile(b"GRAY", kTRC=1.0),
        cmyk_profile(),
        FOREIGN.replace(b"rTRC", b"xTRC"),
        FOREIGN + bytes(profiles.MOST_PROFILE_BYTES),
    ):
        file = saved(picture, unused, "TIFF")
        assert open_image(file).tobytes() == picture.tobytes()
    assert open_image(saved(picture.convert("L"), FOREIGN)).mode == "L"


def test_greys_and_inks_have_profiles_too(photograph):
    grey = photograph(6).convert("L")
    shown = open_image(saved(grey, profile(b"GRAY", kTRC=1.0)))
    linear = np.asarray(grey) / 255
    expected = 255 * np.where(
        linear < 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055
    )
    assert np.abs(np.asarray(shown.convert("L")) - expected).max() <= 3
    ink = ImageOps.invert(grey)
    empty = Image.new("L", ink.size)
    black, cyan = (
        saved(Image.merge("CMYK", inks), cmyk_profile(), "TIFF")
        for inks in ((empty, empty, empty, ink), (ink, empty, empty, empty))
    )
    assert open_image(black).tobytes() == open_image(cyan).tobytes()
    as_stored = open_image(cyan, rules=RULES | {"colour profile": 1})
    assert differs(open_image(cyan), as_stored) > 100


@pytest.mark.parametrize("mode", ["RGBA", "LA", "P", "PA", "RGB with a clear colour"])
def test_what_is_clear_stays_clear(mode, photograph):
    picture, made, options = photograph(7), FOREIGN, {}
    alpha = photograph(8).convert("L")
    if mode == "LA":
        picture, made = picture.convert("L"), profile(b"GRAY", kTRC=1.0)
    if mode == "P":
        picture, options = picture.quantize(20), {"transparency": 3}
    elif mode.startswith("RGB "):
        options = {"transparency": picture.getpixel((5, 5))}
    else:
        picture = with_alpha(picture, alpha)
    file = saved(picture, made, "PNG" if mode != "PA" else "TIFF", **options)
    with Image.open(file) as stored:
        clear = stored.convert("RGBA").getchannel("A")
    shown = open_image(file, background=None)
    assert shown.getchannel("A").tobytes() == clear.tobytes()
    assert open_image(file).mode == "RGB"


def test_nothing_is_mapped_twice_or_changed_in_memory(swapped):
    picture, its_profile = swapped
    file = saved(picture, its_profile)
    shown = open_image(file)
    assert "icc_profile" not in shown.info
    assert open_image(shown).tobytes() == shown.tobytes()
    with Image.open(file) as lazy:
        assert open_image(lazy).tobytes() == shown.tobytes()
        assert (lazy.tobytes(), lazy.info["icc_profile"]) == (picture.tobytes(), its_profile)


def test_pictures_of_many_bands_are_mapped_whole(monkeypatch, swapped):
    picture, its_profile = swapped
    file = saved(picture, its_profile)
    whole = open_image(file).tobytes()
    monkeypatch.setattr("helpers.images.opening._BAND_PIXELS", 1000)  # private: fewer make it slow
    assert open_image(file).tobytes() == whole


def test_a_picture_is_read_without_what_applies_a_profile(monkeypatch, swapped):
    """As by a Pillow that was built without LittleCMS."""
    picture, _ = swapped
    monkeypatch.setattr(ImageCms, "core", None)
    file = saved(picture, rgb_profile(gamma=2.6))
    assert open_image(file).tobytes() == picture.tobytes()
