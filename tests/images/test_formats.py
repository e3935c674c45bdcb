"""Kinds of files, whatever their names are, and the memory that a picture may take."""

import io
import os
import struct
import subprocess
import sys
import zlib

import numpy as np
import pytest
from inputs import POSIX, png
from PIL import Image

from helpers import Problem
from helpers.fingerprints import hashes
from helpers.images import formats
from helpers.images.opening import open_image, open_with_size


def saved(picture, format, **options):
    file = io.BytesIO()
    picture.save(file, format, **options)
    return file.getvalue()


# Kinds


@pytest.mark.parametrize("format", ["JPEG", "PNG", "WEBP", "BMP", "DIB", "TIFF", "PPM", "TGA"])
@pytest.mark.parametrize("name", ["picture.jpg", "picture.png", "upload"])
def test_a_picture_is_known_by_its_content(format, name, photograph, tmp_path):
    content = saved(photograph(), format)
    (tmp_path / name).write_bytes(content)
    expected = hashes.of_image(Image.open(io.BytesIO(content)))
    assert hashes.of_file(tmp_path / name) == expected == hashes.of_file(io.BytesIO(content))


@pytest.mark.parametrize(
    ("suffix", "mode"),
    [
        (".jp2", "RGB"),
        (".j2k", "L"),
        (".ico", "RGBA"),
        (".tga", "P"),
        (".pgm", "I;16"),
        (".pbm", "1"),
        (".pfm", "F"),
        (".jfif", "RGB"),
        (".jpe", "RGB"),
    ],
)
def test_kinds_that_are_rare_are_read_too(suffix, mode, photograph, tmp_path):
    picture = photograph(size=(64, 48))
    if mode in ("I;16", "F"):
        picture = Image.fromarray(
            np.asarray(picture.convert("L")).astype({"F": "f4"}.get(mode, "u2"))
        )
    elif mode == "RGBA":
        picture.putalpha(255)
    else:
        picture = picture.convert(mode)
    picture.save(tmp_path / f"a{suffix}", **({"sizes": [(64, 48)]} if suffix == ".ico" else {}))
    value = hashes.of_file(tmp_path / f"a{suffix}")
    assert (int(value) ^ int(hashes.of_image(photograph(size=(64, 48))))).bit_count() <= (
        20 if mode == "1" else 3
    )


def test_a_tga_of_its_first_version_is_known_by_its_name_alone(photograph, tmp_path):
    content = saved(photograph(), "TGA")[:-26]  # without the footer of version 2
    (tmp_path / "a.tga").write_bytes(content)
    (tmp_path / "a.bmp").write_bytes(content)
    assert open_image(tmp_path / "a.tga").size == (120, 80)
    with pytest.raises(
        Problem, match=r"a\.bmp: is not an image that Pillow can read; if it is one"
    ):
        open_image(tmp_path / "a.bmp")


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"<!DOCTYPE html><html>sign in", "is a web page, as one that asks to sign in"),
        (b"\n <HTML>", "is a web page"),
        (b"version https://git-lfs.github.com/spec/v1\n", "is a pointer of Git LFS.*git lfs pull"),
        (b"<?xml version='1.0'?>\n<svg>", "is a drawing or a document"),
        (b"%PDF-1.4", "is a drawing or a document"),
        (b"%!PS-Adobe-3.0 EPSF-3.0", "is a drawing or a document"),
        (b"ID3\4" + bytes(90), "is a film or a sound recording"),
        (b"RIFF\1\2\3\4WAVEfmt ", "is a film or a sound recording"),
        (b"\0\0\0\x20ftypisom" + bytes(90), "is a film or a sound recording"),
        (b"PK\3\4" + bytes(90), "is an archive"),
        (b"8BPS\0\1" + bytes(90), "is a PSD picture, which is not looked at; save it as PNG"),
        (b"DDS " + bytes(90), "is a DDS picture, which is not looked at"),
        (b"\x89PNG\r\n\x1a\n" + bytes(90), "begins as a picture does, and is damaged after that"),
        (b"\xff\xd8\xff", "begins as a picture does"),
        (b"some notes", "is not an image that Pillow can read; if it is one, save it as"),
    ],
)
def test_what_is_no_picture_is_told_as_what_it_is(content, sentence, tmp_path):
    (tmp_path / "a.jpg").write_bytes(content)
    with pytest.raises(Problem, match=f"a.jpg: {sentence}") as told:
        open_image(tmp_path / "a.jpg")
    assert "delete" not in str(told.value)
    with pytest.raises(Problem, match=f"the picture: {sentence}"):
        open_image(io.BytesIO(content))


# The budget


def webp(width, height):
    """A header that claims a large canvas, before a picture of one pixel."""
    sides = (width - 1).to_bytes(3, "little") + (height - 1).to_bytes(3, "little")
    chunks = b"VP8X" + struct.pack("<I", 10) + bytes(4) + sides
    chunks += saved(Image.new("RGB", (1, 1)), "WEBP", lossless=True)[12:]
    return b"RIFF" + struct.pack("<I", 4 + len(chunks)) + b"WEBP" + chunks


def icon(side):
    """A list that tells of 16 pixels, before a PNG of many."""
    inner = png(side, side, bits=8, colours=2)
    entry = struct.pack("<4B2H2I", 16, 16, 0, 0, 1, 32, len(inner), 22)
    return b"\0\0\1\0\1\0" + entry + inner


def gif(side, frames):
    head = b"GIF89a" + struct.pack("<HH", side, side) + b"\x80\0\0" + bytes(6)
    frame = b"\x2c" + struct.pack("<HHHHB", 0, 0, side, side, 0) + b"\2\2\x4c\1\0"
    return head + frame * frames + b";"


def tiles(side):
    """A TIFF of 10 x 10 pixels in one tile of many."""
    tags = {256: 10, 257: 10, 258: 8, 259: 8, 262: 1, 277: 1, 322: side, 323: side, 324: 200}
    pixels = zlib.compress(bytes(1000))
    entries = b"".join(
        struct.pack("<HHII", tag, 4, 1, value) for tag, value in {**tags, 325: len(pixels)}.items()
    )
    head = b"II*\0" + struct.pack("<IH", 8, len(tags) + 1) + entries + bytes(4)
    return head.ljust(200, b"\0") + pixels


def jpeg_2000(side):
    content = bytearray(saved(Image.new("RGB", (20, 20)), "JPEG2000"))
    sides = struct.pack(">II", side, side)
    for place in (content.find(b"ihdr") + 4, content.find(b"\xff\x51") + 6):
        content[place : place + 8] = sides
    place = content.find(b"\xff\x51") + 22
    content[place : place + 8] = sides
    return bytes(content)


BOMBS = {
    "webp": webp(16_383, 10_900),
    "webp of millions": webp(2**24, 255),
    "icon": icon(13_000),
    "png": png(13_000, 13_000, bits=8, colours=2),
    "deep png": png(11_000, 11_000, bits=16, colours=6),
    "tiff": tiles(30_000),
    "jpeg 2000": jpeg_2000(8_000),
    "gif": gif(65_535, 3),
}


@pytest.mark.parametrize("name", BOMBS)
def test_a_small_file_of_a_huge_picture_is_one_sentence(name, tmp_path):
    (tmp_path / "a.jpg").write_bytes(BOMBS[name])
    with pytest.raises(
        Problem, match=r"a\.jpg: (would take [0-9,]+ MB of|has more than 178 million)"
    ):
        open_image(tmp_path / "a.jpg")


@POSIX
@pytest.mark.slow
def test_no_bomb_takes_a_gigabyte(tmp_path):
    for name, content in {**BOMBS, "webp at the limit": webp(7_300, 7_300)}.items():
        (tmp_path / name).write_bytes(content)
    code = """
import resource, sys
from pathlib import Path
from helpers import Problem
from helpers.fingerprints import hashes
for file in sorted(Path(sys.argv[1]).iterdir()):
    try:
        hashes.of_file(file)
    except Problem:
        pass
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""
    done = subprocess.run(
        [sys.executable, "-c", code, tmp_path], capture_output=True, text=True, check=True
    )
    assert int(done.stdout) * (1 if sys.platform == "darwin" else 1024) < 1e9


def test_the_budget_can_be_raised(tmp_path, monkeypatch):
    Image.linear_gradient("L").resize((500, 400)).save(tmp_path / "a.webp")
    monkeypatch.setattr(formats, "MOST_BYTES", 100_000)
    with pytest.raises(Problem, match=r"would take 3 MB of memory, and one picture may take 0 MB"):
        open_image(tmp_path / "a.webp")
    monkeypatch.setattr(formats, "MOST_BYTES", 10_000_000)
    assert open_image(tmp_path / "a.webp").size == (500, 400)


def test_a_png_whose_colours_come_after_its_pixels_is_one_sentence(photograph, tmp_path):
    file = io.BytesIO()
    photograph(3).quantize(200).save(file, "PNG")
    start, pixels, end = (file.getvalue().index(name) - 4 for name in (b"PLTE", b"IDAT", b"IEND"))
    content = file.getvalue()
    swapped = content[:start] + content[pixels:end] + content[start:pixels] + content[end:]
    (tmp_path / "swapped.png").write_bytes(swapped)
    for read in (open_image, hashes.of_file):
        with pytest.raises(Problem, match="has no colours before its pixels; save it anew"):
            read(tmp_path / "swapped.png")


def test_a_tiff_with_an_odd_kind_of_number_is_read_as_pillow_reads_it(photograph, tmp_path):
    file = io.BytesIO()
    photograph(3).save(file, "TIFF", compression="tiff_deflate")
    number, as_bytes = struct.pack("<HHI", 278, 3, 1), struct.pack("<HHI", 278, 1, 1)
    assert file.getvalue().count(number) == 1, "the rows of a strip"
    odd = file.getvalue().replace(number, as_bytes)
    (tmp_path / "odd.tif").write_bytes(odd)
    assert open_image(tmp_path / "odd.tif").tobytes() == photograph(3).tobytes()


def test_a_jpeg_above_the_budget_can_be_read_fast(photograph, tmp_path, monkeypatch):
    photograph(size=(3000, 2000)).save(tmp_path / "a.jpg")
    monkeypatch.setattr(formats, "MOST_BYTES", 10_000_000)
    with pytest.raises(Problem, match="would take 30 MB of memory"):
        open_image(tmp_path / "a.jpg")
    assert open_with_size(tmp_path / "a.jpg", fast=True)[1] == (3000, 2000)


def test_a_turned_or_progressive_jpeg_counts_for_more(photograph, monkeypatch):
    exif = Image.Exif()
    exif[0x0112] = 6
    monkeypatch.setattr(formats, "MOST_BYTES", 5_500_000)
    picture = photograph(size=(1000, 1000))
    assert open_image(io.BytesIO(saved(picture, "JPEG"))).size == (1000, 1000)
    for options in ({"exif": exif}, {"progressive": True}):
        with pytest.raises(Problem, match="would take"):
            open_image(io.BytesIO(saved(picture, "JPEG", **options)))


def test_a_hash_that_takes_much_memory_says_so(monkeypatch):
    picture = Image.linear_gradient("L").resize((1000, 1000))
    monkeypatch.setattr(formats, "MOST_BYTES", 10_000_000)
    hashes.of_image(picture, "dhash")
    with pytest.raises(Problem, match="would take 14 MB"):
        hashes.of_image(picture, "colorhash")


def test_a_jpeg_of_scans_without_end_is_refused_at_once(photograph, monkeypatch):
    content = saved(photograph(size=(1000, 1000)), "JPEG", progressive=True)
    last = content.rindex(b"\xff\xda")
    repeated = content[:-2] + content[last:-2] * 100 + content[-2:]
    assert open_image(io.BytesIO(repeated)).size == (1000, 1000)
    monkeypatch.setattr(formats, "MOST_SCANNED_PIXELS", 50_000_000)
    with pytest.raises(Problem, match="so many scans that it would take minutes"):
        open_image(io.BytesIO(repeated))
    assert open_image(io.BytesIO(content)).size == (1000, 1000)


def test_a_jpeg_of_much_exif_is_refused_at_once(photograph):
    content = saved(photograph(), "JPEG")
    part = b"\xff\xe1\xff\xffExif\0\0" + bytes(65_527)
    with pytest.raises(Problem, match="has over 8 MB of EXIF; save it anew without"):
        open_image(io.BytesIO(content[:2] + b"\xff" + part * 130 + content[2:]))
    assert open_image(io.BytesIO(content[:2] + part * 3 + content[2:])).size == (120, 80)


# What is broken beside the picture


def with_chunk(content, name, data, place=33):
    chunk = struct.pack(">I", len(data)) + name + data
    return content[:place] + chunk + struct.pack(">I", zlib.crc32(name + data)) + content[place:]


@pytest.mark.parametrize("name", [b"zTXt", b"iTXt", b"iCCP"])
def test_texts_and_profiles_that_are_bombs_or_broken_count_as_none(name, photograph):
    content = saved(photograph(), "PNG")
    start = b"x\0\1\0\0\0" if name == b"iTXt" else b"x\0\0"
    for data in (start + zlib.compress(bytes(10**8), 1), start + b"broken", b"", b"x"):
        spoilt = with_chunk(content, name, data)
        assert open_image(io.BytesIO(spoilt)).tobytes() == photograph().tobytes()


@pytest.mark.parametrize("name", [b"gAMA", b"pHYs", b"cHRM", b"acTL", b"eXIf", b"tIME"])
def test_other_chunks_that_are_broken_count_as_none(name, photograph):
    content = saved(photograph(), "PNG")
    for place in (33, len(content) - 12):
        for data in (b"", b"\0", b"MM\0*\xff\xff\xff\xff"):
            spoilt = with_chunk(content, name, data, place)
            assert open_image(io.BytesIO(spoilt)).tobytes() == photograph().tobytes()


def test_a_png_with_a_broken_text_is_turned_by_its_exif_all_the_same(photograph):
    exif = Image.Exif()
    exif[0x0112] = 6
    content = with_chunk(saved(photograph(), "PNG", exif=exif), b"zTXt", b"x\0\7")
    assert open_image(io.BytesIO(content)).size == (80, 120)


@pytest.mark.parametrize("text", ["exif\n 3\nzz", "", "\n\n\n49492a00"])
def test_a_raw_profile_that_is_no_exif_counts_as_none(text, photograph, tmp_path):
    from PIL.PngImagePlugin import PngInfo

    words = PngInfo()
    words.add_text("Raw profile type exif", text)
    photograph().save(tmp_path / "a.png", pnginfo=words)
    assert open_image(tmp_path / "a.png").tobytes() == photograph().tobytes()


# What is no file


@POSIX
@pytest.mark.parametrize("target", ["pipe", "/dev/zero", "/dev/stdin", "/dev/null"])
def test_pipes_and_devices_are_refused_at_once_also_behind_links(target, tmp_path):
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "a.jpg").symlink_to(target)
    for path in (tmp_path / "a.jpg", tmp_path / "pipe"):
        with pytest.raises(Problem, match="is a pipe or a device, not a file; name a file"):
            open_image(path)


@pytest.mark.parametrize("name", ["a\0.jpg", "a" * 5000, "caf\udce9.jpg"])
def test_names_that_cannot_be_are_one_sentence(name, tmp_path):
    with pytest.raises(Problem):
        open_image(tmp_path / name)
