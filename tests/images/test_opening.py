"""One picture, opened honestly: turned, laid on white, scaled to 8 bits, or refused with the reason."""

import io
import os
import struct
import sys

import imagehash
import numpy as np
import pytest
from inputs import HEIC, png
from PIL import Image

from helpers import Problem
from helpers.fingerprints import hashes
from helpers.images import formats
from helpers.images.opening import open_image, open_with_size, thumbnail

ORIENTATION = 0x0112  # the EXIF tag
# What has to be done to an upright picture so that the tag's turn makes it upright again.
UNDO = {
    1: None,
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_90,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_270,
}


def imagehash_of(path):
    return str(imagehash.dhash(Image.open(path)))


def fingerprint_of(path, **reading):
    return hashes.to_hex(hashes.of_file(path, **reading))


# Kinds of files


@pytest.mark.parametrize(
    "suffix", [".jpg", ".jpeg", ".JPG", ".png", ".webp", ".gif", ".bmp", ".tif", ".tiff"]
)
def test_every_kind_of_file_is_read(tmp_path, photograph, suffix):
    path = tmp_path / f"picture{suffix}"
    photograph().save(path)
    assert fingerprint_of(path) == imagehash_of(path)


# Rotation


@pytest.mark.parametrize("orientation", UNDO)
@pytest.mark.parametrize("suffix", [".png", ".tif"])
def test_a_picture_is_turned_as_its_exif_tag_says(tmp_path, photograph, orientation, suffix):
    upright = photograph(size=(120, 80))
    stored = upright if UNDO[orientation] is None else upright.transpose(UNDO[orientation])
    exif = Image.Exif()
    exif[ORIENTATION] = orientation
    stored.save(tmp_path / f"turned{suffix}", exif=exif)
    image, size = open_with_size(tmp_path / f"turned{suffix}")
    assert size == image.size == (120, 80)
    assert np.array_equal(image, upright)


def test_rotation_can_be_switched_off(tmp_path, photograph):
    path = tmp_path / "turned.jpg"
    exif = Image.Exif()
    exif[ORIENTATION] = 6
    photograph(size=(120, 80)).save(path, exif=exif)
    assert open_with_size(path)[1] == (80, 120)
    assert open_with_size(path, rotate=False)[1] == (120, 80)
    assert fingerprint_of(path) != imagehash_of(path)
    assert fingerprint_of(path, rotate=False) == imagehash_of(path)


@pytest.mark.parametrize("exif", [b"Exif\x00\x00not a directory of tags", None, 0, 9])
def test_a_senseless_exif_tag_turns_nothing(tmp_path, photograph, exif):
    path = tmp_path / "picture.jpg"
    if not isinstance(exif, bytes):
        orientation, exif = exif, Image.Exif()
        if orientation is not None:
            exif[ORIENTATION] = orientation
    photograph().save(path, exif=exif)
    assert fingerprint_of(path) == imagehash_of(path)


# Transparency


def transparent(photograph, mode, hidden):
    """Left half transparent; `hidden` is the grey value that stands there, unseen."""
    if mode == "P":
        image = photograph().quantize(200)
        image.putpalette(image.getpalette()[: 200 * 3] + [hidden] * 3)
        image.paste(200, (0, 0, 60, 80))
        image.info["transparency"] = 200
        return image
    image = photograph().convert("L" if mode == "LA" else "RGB")
    image.paste(hidden if mode == "LA" else (hidden,) * 3, (0, 0, 60, 80))
    alpha = Image.new("L", image.size, 255)
    alpha.paste(0, (0, 0, 60, 80))
    image.putalpha(alpha)
    return image


@pytest.mark.parametrize("mode", ["RGBA", "LA", "P"])
def test_transparency_shows_the_background_and_not_the_hidden_colour(tmp_path, photograph, mode):
    black, white = tmp_path / "hides_black.png", tmp_path / "hides_white.png"
    transparent(photograph, mode, 0).save(black)
    transparent(photograph, mode, 255).save(white)
    assert Image.open(black).mode == mode
    assert imagehash_of(black) != imagehash_of(white)  # the hidden colour counts for imagehash
    assert fingerprint_of(black) == fingerprint_of(white) == imagehash_of(white)
    assert fingerprint_of(white, background="black") == imagehash_of(black)


@pytest.mark.parametrize("mode", ["RGBA", "LA", "P"])
def test_transparency_can_be_left_to_imagehash(tmp_path, photograph, mode):
    path = tmp_path / "hides_black.png"
    transparent(photograph, mode, 0).save(path)
    assert fingerprint_of(path, background=None) == imagehash_of(path)


# 16 bits


@pytest.mark.parametrize("suffix", [".png", ".tif"])
def test_16_bits_equal_the_8_bit_version(tmp_path, photograph, suffix):
    grey = photograph().convert("L")
    grey.save(tmp_path / "8.png")
    deep = tmp_path / f"16{suffix}"
    Image.fromarray(np.asarray(grey).astype(np.uint16) * 257).save(deep)
    assert Image.open(deep).mode == "I;16"
    assert np.array_equal(open_image(deep), grey)
    assert fingerprint_of(deep) == imagehash_of(tmp_path / "8.png") != imagehash_of(deep)


def test_floating_point_pixels_are_scaled_to_their_own_range(tmp_path):
    values = np.linspace(-3, 7, 90 * 80, dtype=np.float32).reshape(80, 90)
    Image.fromarray(values).save(tmp_path / "float.tif")
    pixels = np.asarray(open_image(tmp_path / "float.tif"))
    assert (pixels.dtype, pixels.min(), pixels.max()) == (np.uint8, 0, 255)


def field(seed, size=256):
    """Grey levels from 0 to 1: soft spots and a little noise, as under a microscope."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:size, :size]
    spots = rng.uniform([0, 0, 8, 0.3], [size, size, 25, 1], (12, 4))
    levels = sum(h * np.exp(-((x - a) ** 2 + (y - b) ** 2) / (2 * s * s)) for a, b, s, h in spots)
    levels = 0.9 * levels / levels.max() + 0.08 + rng.normal(0, 0.01, levels.shape)
    return levels.clip(0) / levels.max()


def bits_apart(one, other):
    return (int(one) ^ int(other)).bit_count()


@pytest.mark.parametrize("top", [60, 255, 700, 1000, 4095, 9000, 65_535])
def test_deep_greys_of_a_narrow_range_have_the_fingerprint_of_their_export(top, tmp_path):
    values = []
    for seed in range(8):
        levels = field(seed)
        Image.fromarray(np.rint(levels * top).astype(np.uint16)).save(tmp_path / "deep.tif")
        export = Image.fromarray(np.rint(levels * 255).astype(np.uint8))
        values.append(hashes.of_file(tmp_path / "deep.tif"))
        assert bits_apart(values[-1], hashes.of_image(export)) <= (2 if top >= 255 else 6)
        assert len(np.unique(open_image(tmp_path / "deep.tif"))) >= min(top, 200) * 0.9
    apart = [bits_apart(a, b) for number, a in enumerate(values) for b in values[:number]]
    assert min(apart) > 8


@pytest.mark.parametrize("low", [0, 100, 20_000, 65_000])
def test_deep_greys_keep_their_levels_wherever_their_range_lies(low):
    levels = np.rint(low + field(3) * 250).astype(np.uint16)
    assert len(np.unique(open_image(Image.fromarray(levels)))) > 128


@pytest.mark.parametrize("value", [np.inf, -np.inf, np.nan, -9999, 1e6, 1e38, -3e38])
@pytest.mark.parametrize("top", [1, 255, 40_000])
def test_one_odd_pixel_decides_nothing(value, top, tmp_path):
    levels = (field(1) * top).astype(np.float32)
    expected = hashes.of_image(Image.fromarray(levels))
    levels[3, 3] = value
    Image.fromarray(levels).save(tmp_path / "odd.tif")
    assert bits_apart(expected, hashes.of_file(tmp_path / "odd.tif")) <= 2


@pytest.mark.parametrize("size", [(1, 1), (2, 1), (3, 1), (40, 30)])
@pytest.mark.parametrize("value", [0, 7, np.nan, np.inf])
def test_deep_greys_that_are_all_equal_or_none_are_a_flat_picture(size, value):
    levels = np.full(size, value, dtype=np.float32)
    assert len(np.unique(open_image(Image.fromarray(levels)))) == 1


def test_a_large_picture_of_deep_greys_is_scaled_as_a_small_one(tmp_path):
    """It is looked at by samples, and worked on in strips."""
    small = np.rint(field(5) * 4095).astype(np.uint16)
    large = np.kron(small, np.ones((6, 7), dtype=np.uint16))
    scaled = np.asarray(open_image(Image.fromarray(large)))
    assert np.abs(scaled[::6, ::7].astype(int) - open_image(Image.fromarray(small))).max() <= 1


def test_a_large_transparent_picture_is_laid_on_as_a_small_one(photograph):
    small = photograph(2, size=(200, 150))
    small.putalpha(Image.linear_gradient("L").resize((200, 150)))
    large = small.resize((2000, 1500), Image.Resampling.NEAREST)
    for picture in (large, large.convert("LA"), large.quantize(50)):
        again = picture.resize((200, 150), Image.Resampling.NEAREST)
        shown = open_image(picture).resize((200, 150), Image.Resampling.NEAREST)
        assert shown.tobytes() == open_image(again).tobytes()


@pytest.mark.parametrize("mode", ["I;16", "I;16B", "I", "F"])
def test_rule_1_for_deep_greys_stays_as_it_was_in_0_1(mode):
    levels = np.rint(field(2) * 3000).astype(np.int32)
    kind = {"I;16": "<u2", "I;16B": ">u2", "I": "i4", "F": "f4"}[mode]
    image = Image.frombytes(mode, levels.shape, levels.astype(kind).tobytes())
    low, high = (levels.min(), levels.max()) if mode == "F" else (0, 65_535)
    expected = np.rint((levels - float(low)) * (255 / (high - low)))
    assert np.array_equal(open_image(image, rules={"16 bits": 1}), expected)
    assert not np.array_equal(open_image(image), expected) or mode == "F"


# One way for a file and for a picture in memory


def ways_of(tmp_path, photograph):
    """Files for each thing that `open_image` mends, and a plain one."""
    exif = Image.Exif()
    exif[ORIENTATION] = 6
    clear = transparent(photograph, "RGBA", 0)
    deep = Image.fromarray(np.rint(field(1) * 900).astype(np.uint16))
    for name, picture, options in (
        ("plain.jpg", photograph(), {}),
        ("turned.jpg", photograph(), {"exif": exif}),
        ("turned.png", photograph(), {"exif": exif}),
        ("turned.tif", photograph(), {"exif": exif}),
        ("turned.webp", photograph(), {"exif": exif}),
        ("turned and clear.png", clear, {"exif": exif}),
        ("palette.png", transparent(photograph, "P", 0), {"transparency": 200}),
        ("deep.png", deep, {}),
        ("deep.tif", deep, {"exif": exif}),
    ):
        picture.save(tmp_path / name, **options)
        yield tmp_path / name


def test_a_file_and_the_same_picture_in_memory_have_one_fingerprint(tmp_path, photograph):
    for file in ways_of(tmp_path, photograph):
        expected = hashes.of_file(file)
        assert hashes.of_file(io.BytesIO(file.read_bytes())) == expected, file.name
        with file.open("rb") as opened:
            assert hashes.of_file(opened) == expected, file.name
        with Image.open(file) as lazy:
            assert hashes.of_image(lazy) == expected, file.name
            assert hashes.of_image(lazy) == expected, "it is decoded now"
        with Image.open(file) as decoded:
            decoded.load()
            if decoded.mode == "RGB" and decoded.format != "TIFF":
                assert hashes.of_image(decoded.copy()) == expected, file.name
                assert hashes.of_image(decoded.convert("RGB")) == expected, file.name
        as_stored = {"rotate": False, "background": None}
        assert hashes.of_image(Image.open(file), **as_stored) == hashes.of_file(file, **as_stored)


def test_nothing_is_turned_or_laid_on_twice(tmp_path, photograph):
    for file in ways_of(tmp_path, photograph):
        shown = open_image(file)
        again, size = open_with_size(shown)
        assert (again.tobytes(), size) == (shown.tobytes(), shown.size), file.name
        assert hashes.of_image(shown) == hashes.of_file(file)
        assert hashes.of_image(shown.convert("RGB")) == hashes.of_file(file)
        stored = open_image(file, rotate=False)
        assert open_image(stored).size == stored.size, file.name


def test_a_picture_in_memory_stays_as_it_is(tmp_path, photograph):
    for file in ways_of(tmp_path, photograph):
        with Image.open(file) as picture:
            picture.load()
            before = picture.mode, picture.size, picture.tobytes(), dict(picture.info)
            open_image(picture)
            assert (picture.mode, picture.size, picture.tobytes(), picture.info) == before


@pytest.mark.parametrize("mode", ["RGB", "L", "P", "1", "CMYK", "YCbCr", "HSV", "I;16B", "PA"])
def test_ordinary_pictures_have_the_fingerprint_of_imagehash(mode, photograph):
    picture = photograph(4).convert("L" if mode == "I;16B" else "RGBA" if mode == "PA" else "RGB")
    picture = picture.convert("PA" if mode == "PA" else mode)
    if mode != "I;16B":
        assert hashes.to_hex(hashes.of_image(picture)) == str(imagehash.dhash(picture))
    hashes.of_image(picture)


def test_a_picture_in_memory_that_cannot_be_compared_is_one_sentence(tmp_path, photograph):
    photograph().save(tmp_path / "cut.png")
    (tmp_path / "cut.png").write_bytes((tmp_path / "cut.png").read_bytes()[:500])
    for picture, sentence in (
        (Image.new("LAB", (9, 9)), "the picture: is in LAB colours"),
        (Image.new("La", (9, 9)), "the picture: is in La colours"),
        (Image.new("RGB", (0, 9)), "the picture: has no pixels"),
        (Image.new("RGB", (9, 0)), "the picture: has no pixels"),
        (Image.open(tmp_path / "cut.png"), r"cut\.png: ends before its picture does"),
    ):
        with pytest.raises(Problem, match=sentence):
            hashes.of_image(picture)
    for content in (b"", b"no picture"):
        with pytest.raises(Problem, match="the picture: is "):
            hashes.of_file(io.BytesIO(content))


# Files that cannot be read


def text_file(path, photograph):
    path.write_text("not a picture")


def empty_file(path, photograph):
    path.touch()


def half_a_jpeg(path, photograph):
    photograph().save(path, format="JPEG", quality=95)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def head_of_a_jpeg(path, photograph):
    photograph().save(path, format="JPEG")
    path.write_bytes(path.read_bytes()[:100])


def damaged_png(path, photograph):
    photograph().save(path, format="PNG")
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 255
    path.write_bytes(content)


def bomb(path, photograph):
    path.write_bytes(png(20_000, 2 * Image.MAX_IMAGE_PIXELS // 20_000 + 1))


def heic(path, photograph):
    path.write_bytes(HEIC)


def video(path, photograph):
    path.write_bytes(struct.pack(">I", 24) + b"ftypisom\0\0\0\0mp42isom" + bytes(100))


def dead_link(path, photograph):
    path.symlink_to("gone.jpg")


def link_to_itself(path, photograph):
    path.symlink_to(path.name)


def folder(path, photograph):
    path.mkdir()


def nothing(path, photograph):
    pass


UNREADABLE = [
    (text_file, "is not an image that Pillow can read; if it is one, save it as JPEG or PNG"),
    (empty_file, r"is empty \(0 bytes\); copy it again from its source"),
    (half_a_jpeg, "ends before its picture does .*truncated.*; copy it again from its source"),
    (head_of_a_jpeg, "ends before its picture does .*; copy it again from its source"),
    (damaged_png, "could not be decoded .*; copy it again from its source, or save it anew"),
    (bomb, "has more than 178 million pixels, which Pillow refuses to open.*; save a smaller copy"),
    (
        heic,
        "is a HEIC picture; convert it to JPEG, or install pillow-heif .* and start Python anew",
    ),
    (video, "is a film or a sound recording, which is not looked at"),
    (
        dead_link,
        r"is a link that leads nowhere \(gone.jpg\); bring its target back or delete the link",
    ),
    (link_to_itself, "is a link that leads nowhere"),
    (folder, "is a folder, not an image; name a file inside it"),
    (nothing, "no such file; check the spelling"),
]


@pytest.mark.parametrize(
    ("make", "sentence"), UNREADABLE, ids=[make.__name__ for make, _ in UNREADABLE]
)
def test_a_file_that_cannot_be_read_is_one_sentence(
    tmp_path, photograph, make, sentence, monkeypatch
):
    # as without pillow-heif
    monkeypatch.setattr(formats, "formats", lambda: ["JPEG", "PNG"])
    make(tmp_path / "picture.jpg", photograph)
    with pytest.raises(Problem, match=f"picture.jpg: {sentence}"):
        open_image(tmp_path / "picture.jpg")


@pytest.mark.skipif(
    sys.platform == "win32" or os.geteuid() == 0,
    reason="no file is closed to root, nor by chmod on Windows",
)
def test_a_file_without_permission_is_one_sentence(tmp_path, photograph):
    path = tmp_path / "picture.jpg"
    photograph().save(path)
    path.chmod(0)
    with pytest.raises(Problem, match=r"picture.jpg: may not be read; ask for permission"):
        open_image(path)


def test_a_refused_permission_is_put_in_words(tmp_path, monkeypatch):
    def refuse(*arguments, **options):
        raise PermissionError(13, "Permission denied")

    (tmp_path / "picture.jpg").touch()
    monkeypatch.setattr(Image, "open", refuse)
    with pytest.raises(Problem, match=r"picture.jpg: may not be read; ask for permission"):
        open_image(tmp_path / "picture.jpg")


def test_a_picture_between_the_two_bomb_limits_is_read_without_a_warning(
    tmp_path, recwarn, monkeypatch
):
    path = tmp_path / "large.png"
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 1000)  # one bit past the first limit is enough
    path.write_bytes(png(64, 24, (b"\0" + bytes(8)) * 24))
    assert open_with_size(path)[1] == (64, 24)
    assert not recwarn


# Fast


@pytest.fixture(scope="module")
def large_jpeg(tmp_path_factory, sample):
    path = tmp_path_factory.mktemp("large") / "photograph.jpg"
    Image.open(sample.root / "astronaut/whole.jpg").resize((2000, 1500)).save(path, quality=90)
    return path


def test_fast_shrinks_while_decoding_and_still_tells_the_full_size(large_jpeg):
    image, size = open_with_size(large_jpeg, fast=True)
    assert size == (2000, 1500)
    assert (image.mode, image.width) == ("L", 250)


def test_fast_stays_within_three_bits_and_is_off_by_default(large_jpeg):
    exact, fast = hashes.of_file(large_jpeg), hashes.of_file(large_jpeg, fast=True)
    assert (int(exact) ^ int(fast)).bit_count() <= 3
    assert hashes.to_hex(exact) == imagehash_of(large_jpeg)
    assert open_image(large_jpeg).size == (2000, 1500)


def test_fast_tells_the_size_of_a_turned_picture_as_shown(tmp_path, large_jpeg):
    exif = Image.Exif()
    exif[ORIENTATION] = 6
    Image.open(large_jpeg).save(tmp_path / "turned.jpg", exif=exif)
    image, size = open_with_size(tmp_path / "turned.jpg", fast=True)
    assert size == (1500, 2000)
    assert image.height > image.width


def test_fast_changes_nothing_about_a_png(tmp_path, photograph):
    photograph(size=(600, 400)).save(tmp_path / "picture.png")
    assert open_image(tmp_path / "picture.png", fast=True).size == (600, 400)
    assert fingerprint_of(tmp_path / "picture.png", fast=True) == imagehash_of(
        tmp_path / "picture.png"
    )


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes in folders here")
def test_a_pipe_that_is_named_like_an_image_does_not_stop_the_run(tmp_path):
    os.mkfifo(tmp_path / "pipe.jpg")
    with pytest.raises(Problem, match=r"pipe\.jpg: is a pipe or a device, not a file; name a file"):
        open_image(tmp_path / "pipe.jpg")


def test_an_odd_tag_beside_the_orientation_does_not_hinder_the_turn(tmp_path):
    picture = Image.linear_gradient("L").resize((40, 20))
    width_as_text = struct.pack(">HHI4s", 0x0100, 2, 3, b"ab")
    orientation = struct.pack(">HHIHH", 0x0112, 3, 1, 6, 0)
    exif = b"MM\0*" + struct.pack(">IH", 8, 2) + width_as_text + orientation + bytes(4)
    picture.save(tmp_path / "odd.png", exif=exif)
    image, size = open_with_size(tmp_path / "odd.png")
    assert size == image.size == (20, 40)
    assert image.tobytes() == picture.transpose(Image.Transpose.ROTATE_270).tobytes()


def test_a_thumbnail_of_a_large_jpeg_is_that_of_all_its_pixels_but_for_a_few_levels(
    tmp_path, photograph
):
    for size in ((2400, 1600), (2401, 1600), (1200, 804)):
        photograph(9, size).save(tmp_path / "a.jpg", quality=95)
        picture, exact = thumbnail(tmp_path / "a.jpg", 400), open_image(tmp_path / "a.jpg")
        exact.thumbnail((400, 400), Image.Resampling.LANCZOS)
        assert picture.size == exact.size
        assert np.abs(np.asarray(picture, int) - np.asarray(exact)).max() <= 3
    for at_least, width in ((0, 1200), (300, 300), (301, 600), (900, 1200)):
        assert open_with_size(tmp_path / "a.jpg", at_least=at_least)[0].width == width


@pytest.mark.parametrize("stored", ["YCbCr", "RGB"])
def test_colours_come_as_they_are_stored_or_in_rgb(stored, tmp_path, photograph):
    file = tmp_path / "a.jpg"
    photograph(2).save(file, quality=90, keep_rgb=stored == "RGB")
    for at_least in (0, 50):
        as_stored, as_shown = (
            open_with_size(file, at_least=at_least, colours=colours)[0]
            for colours in ("YCbCr", None)
        )
        assert (as_stored.mode, as_shown.mode) == (stored, "RGB")
        differs = np.subtract(as_stored.convert("RGB"), as_shown, dtype=int)
        assert np.abs(differs).max() <= 3, "but for rounding"
