"""Frames and pages: which ones count, how each is shown, and files made to exhaust a program."""

import io

import numpy as np
import pytest
from PIL import Image

from helpers import Problem
from helpers.images import frames as module
from helpers.images.frames import count_frames, frames
from helpers.images.opening import open_image

LEVELS = [20 * number for number in range(1, 12)]


def animation(path, levels=LEVELS, size=(40, 30), **options):
    images = [Image.new("RGB", size, (level,) * 3) for level in levels]
    images[0].save(path, save_all=True, append_images=images[1:], **options)
    return path


def levels_of(path, most=8):
    return [round(np.asarray(frame.convert("L")).mean()) for frame in frames(path, most)]


@pytest.mark.parametrize("suffix", ["gif", "webp", "png", "avif", "tif"])
def test_frames_are_evenly_spread_and_each_is_as_it_is_shown(tmp_path, suffix):
    path = animation(tmp_path / f"a.{suffix}", lossless=True)
    assert count_frames(path) == 11
    assert levels_of(path, 11) == pytest.approx(LEVELS, abs=3)
    assert levels_of(path, 3) == pytest.approx([20, 120, 220], abs=3)
    assert levels_of(path, 1) == pytest.approx([20], abs=3)
    kept = list(frames(path, 2))
    assert kept[0].tobytes() != kept[1].tobytes()
    with path.open("rb") as file:
        assert len(list(frames(file, 3, background=None))) == 3


def test_a_picture_of_one_frame_is_the_picture(photographs):
    path = next(photographs.rglob("*.jpg"))
    (only,) = frames(path)
    assert only.tobytes() == open_image(path).tobytes()
    assert count_frames(path) == 1


def test_pages_have_sizes_of_their_own_and_small_copies_of_a_page_do_not_count(tmp_path):
    file = tmp_path / "a.tif"
    pages = [Image.new("L", (size, 20)) for size in (30, 10, 40)]
    for page, kind in zip(pages, (0, 1, 2), strict=True):
        page.encoderinfo = {"tiffinfo": {254: kind}}
    pages[0].save(file, save_all=True, append_images=pages[1:], tiffinfo={254: 0})
    assert count_frames(file) == 2
    assert [frame.width for frame in frames(file)] == [30, 40]


def test_a_file_that_cannot_be_read_is_one_sentence(tmp_path):
    (tmp_path / "a.gif").write_bytes(b"GIF89a")
    for read in (count_frames, lambda path: list(frames(path))):
        with pytest.raises(Problem, match=r"a\.gif: begins as a picture does, and is damaged"):
            read(tmp_path / "a.gif")


@pytest.mark.parametrize("suffix", ["gif", "webp", "png"])
def test_frames_end_where_the_file_is_cut(tmp_path, suffix, photograph):
    path = tmp_path / f"a.{suffix}"
    images = [photograph(number) for number in range(5)]
    images[0].save(path, save_all=True, append_images=images[1:], lossless=True)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    try:
        first = open_image(path)
    except Problem:
        return
    shown = list(frames(path))
    assert shown[0].tobytes() == first.tobytes()
    assert len(shown) < 5


def test_no_more_is_decoded_than_a_program_can_bear(tmp_path, monkeypatch):
    path = animation(tmp_path / "a.gif")
    monkeypatch.setattr(module, "MOST_FRAME_PIXELS", 6 * 40 * 30)
    assert levels_of(path, 3) == pytest.approx([20, 120], abs=3)
    monkeypatch.setattr(module, "MOST_FRAMES", 5)
    assert count_frames(path) == 5
    assert levels_of(path) == pytest.approx(LEVELS[:5], abs=3)


def test_an_animation_that_lies_about_its_frames_gives_those_it_has(tmp_path):
    content = animation(io.BytesIO(), LEVELS[:3], format="PNG").getvalue()
    at = content.index(b"acTL") + 4
    file = tmp_path / "a.png"
    file.write_bytes(content[:at] + (2**31 - 1).to_bytes(4, "big") + content[at + 4 :])
    assert levels_of(file) == [20]


def test_a_page_that_cannot_be_read_counts_and_is_not_shown(tmp_path):
    file = animation(tmp_path / "a.tif", LEVELS[:3])
    content = bytearray(file.read_bytes())
    with Image.open(file) as image:
        image.seek(1)
        at = image._frame_pos[1]  # private: where the second page stands
    content[at : at + 2] = b"\0\0"
    file.write_bytes(content)
    assert count_frames(file) == 2
    assert levels_of(file) == [20]
