"""The pages to search with and to look at dHash with: what they know, what their controls do, and, in a browser, how they feel."""

import html
import io
import json
import os
import re
import secrets
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from types import SimpleNamespace

import numpy as np
import pytest
from matplotlib.figure import Figure
from PIL import Image

from helpers import Problem, datasets
from helpers.classroom import checks, plots
from helpers.explore import album, drawing, finder, lens
from helpers.explore import page as pages
from helpers.fingerprints import hashes, steps
from helpers.images import opening

# name of an upload -> what is in it, and what the page says of it
UNREADABLE = {
    "empty.jpg": (b"", r"is empty \(0 bytes\)"),
    "text.jpg": (b"I am no picture", "is not an image that Pillow can read"),
    "photo.heic": (
        b"\0\0\0\x18ftypheic" + bytes(40),
        r"install pillow-heif \(pip install pillow-heif\) and start Python anew",
    ),
}


@pytest.fixture(scope="module")
def searched():
    """The sample, fingerprinted once for this module."""
    return album.index("sample")


@pytest.fixture
def page(searched):
    """A page on the sample, whose query has strangers within 16 bits."""
    page = finder.search_page(searched, query="motorcycle_left/whole.jpg", radius=10)
    page.make_controls()
    return page


def encoded(image, format="JPEG", **options):
    file = io.BytesIO()
    image.save(file, format, **options)
    return file.getvalue()


def upload(page, name, content):
    file = {"name": name, "type": "", "size": len(content), "content": memoryview(content)}
    page.controls.upload.value = [{**file, "last_modified": datetime(2026, 1, 1, tzinfo=UTC)}]


def told(page):
    """What the page says under its controls, without markup."""
    text = re.sub(r"<style>.*?</style>", "", page.controls.status.value, flags=re.DOTALL)
    return html.unescape(re.sub(r"<[^>]+>", " ", text))


def state(page):
    return page.sentence, page.html()


# What a page shows is computed without controls


def test_the_sentence_says_what_was_found(page):
    assert page.sentence == (
        "2 of 101 pictures of sample, the query itself among them, are within 10 bits of motorcycle_left/whole.jpg."
    )
    alone = finder.search_page(page.pictures, query="cat/whole.jpg", radius=0)
    assert alone.sentence == (
        "1 of 101 pictures of sample, the query itself, is equal to cat/whole.jpg."
    )


def test_where_nothing_is_found_the_nearest_distance_is_told(page, photograph, tmp_path):
    photograph(3).save(tmp_path / "mine.png")
    own = finder.search_page(page.pictures, query=tmp_path / "mine.png", radius=0)
    value = int(hashes.of_image(photograph(3)))
    nearest = min((value ^ other).bit_count() for other in page.pictures.fingerprints.tolist())
    assert own.sentence == (
        f"None of 101 pictures of sample is equal to mine.png; the nearest is {nearest} bits away."
    )
    assert "<li>" not in own.html()


def test_each_match_is_shown_with_a_cross_on_each_bit_that_differs(searched):
    page = finder.search_page(searched, query="retina/tile_20.jpg", radius=14)
    assert len(page.matches) > 5
    items = re.findall(r"<li>.*?</li>", page.html(), re.DOTALL)
    assert len(items) == len(page.matches)
    for item, match in zip(items, page.matches.itertuples(), strict=True):
        assert item.count("l.6 .6m0-.6l-.6 .6") == match.distance
        assert match.path in item
    assert "more are not" not in page.html()


def test_a_page_shows_so_many_and_tells_of_the_others(searched):
    page = finder.search_page(searched, query="retina/tile_20.jpg", radius=32, most=3)
    assert page.html().count("<li>") == 3
    assert f"The 3 nearest are shown, {len(page.matches) - 3} more are not." in page.html()


def test_no_image_is_without_words(page):
    for shown in (page.html(), lens.microscope(page.query).html()):
        tags = re.findall(r"<(?:img|svg)[^>]*>", shown)
        assert len(tags) >= 5
        for tag in tags:
            assert re.search(r'(alt|aria-label)="[^"]{4,}"', tag), tag


def test_numbers_on_every_grey_can_be_read():
    def light(grey):  # WCAG 2.2, relative luminance
        share = grey / 255
        return share / 12.92 if share <= 0.04045 else ((share + 0.055) / 1.055) ** 2.4

    ramp = np.arange(256).reshape(16, 16)
    drawn = re.findall(r'rgb\((\d+),.*?fill="(#\w+)">\1<', drawing._numbers(ramp))
    panel = Figure().subplots()
    plots.draw_pixels(panel, ramp)
    in_figure = [(text.get_text(), text.get_color()) for text in panel.texts]
    assert len(drawn) == len(in_figure) == 256
    for grey, ink in drawn + in_figure:
        paper, letters = light(int(grey)), float(ink in ("#fff", "white"))
        assert (max(paper, letters) + 0.05) / (min(paper, letters) + 0.05) >= 4.5, grey


def test_names_are_escaped_and_a_picture_that_is_gone_leaves_words(tmp_path):
    name = "<img src=x onerror=alert(1)>/a & b.jpg"
    values = np.array([5, 5], dtype=np.uint64)
    gone = album.Pictures("<b>mine</b>", tmp_path, [name, "z.jpg"], values)
    query = album.Picture(
        "<i>q</i>", Image.new("RGB", (9, 8)), (9, 8), values[0], path=name, in_dataset=True
    )
    page = finder.SearchPage(gone, query, 0, 16, 12)
    shown = page.html() + page.make_controls().status.value
    assert not re.search(r"<img src=x|<b>mine|<i>q", shown)
    assert html.escape(name) in shown
    assert shown.count("cannot be read") == 2


def test_a_figure_says_in_words_what_it_shows(page):
    figure, alt = page.figure()
    plots.save(figure, io.BytesIO())
    assert page.sentence in alt
    assert "motorcycle_right/whole.jpg, 10 bits differ: row 2, column 7" in alt
    assert "milliseconds" not in alt, "alt text must not vary from run to run"
    assert "milliseconds" in page.remarks[0]


# Datasets


# Reading a picture of one's own


@pytest.mark.parametrize("name", UNREADABLE)
def test_an_upload_that_cannot_be_read_gets_a_sentence_and_the_page_goes_on(
    page, name, monkeypatch
):
    monkeypatch.setattr(opening, "_formats", lambda: ["JPEG", "PNG"])  # as without pillow-heif
    content, reason = UNREADABLE[name]
    before = state(page)
    upload(page, name, content)
    assert re.search(f"Problem: +{name}: .*({reason})", told(page))
    assert 'role="alert"' in page.controls.status.value
    assert state(page) == before
    page.controls.radius.value = 12
    assert "Problem" not in told(page)
    assert page.radius == 12


def test_half_a_file_and_a_picture_that_is_a_bomb_get_a_sentence(page, photograph, monkeypatch):
    upload(page, "half.jpg", encoded(photograph(size=(600, 400)))[:4000])
    assert "half.jpg: ends before its picture does" in told(page)
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 1000)
    upload(page, "bomb.png", encoded(photograph(), "PNG"))
    assert "bomb.png: has more than" in told(page)
    assert page.query.name == "motorcycle_left/whole.jpg"


def test_an_uploaded_copy_finds_its_original(page, sample):
    original = opening.open_image(sample.root / "coffee/whole.jpg")
    small = original.resize((original.width * 2 // 3, original.height * 2 // 3))
    page.controls.radius.value = 2
    upload(page, "my <coffee>.jpg", encoded(small))
    assert page.matches["path"].tolist() == ["coffee/whole.jpg"]
    assert "within 2 bits of my <coffee>.jpg" in told(page)
    assert "my &lt;coffee&gt;.jpg" in page.controls.results.value
    assert page.controls.picture.value == ""
    assert page.controls.upload.value == (), "or the same file could not be brought again"
    upload(page, "<b>bold</b>.txt", b"text")
    assert "Problem: <b>bold</b>.txt: is not" in " ".join(told(page).split())
    assert "&lt;b&gt;bold&lt;/b&gt;.txt" in page.controls.status.value


def test_the_same_upload_can_be_brought_again(page, photograph):
    content = encoded(photograph())
    for _ in range(2):
        upload(page, "mine.jpg", content)
        assert page.query.name == "mine.jpg"
        page.controls.picture.value = "cat/whole.jpg"
        assert page.query.name == "cat/whole.jpg"


def test_of_an_animation_the_first_frame_is_taken(page, photograph):
    frames = [photograph(seed).convert("P") for seed in range(3)]
    upload(page, "waves.gif", encoded(frames[0], "GIF", save_all=True, append_images=frames[1:]))
    assert page.query.fingerprint == hashes.of_image(frames[0])
    assert "Of an animation the first frame is taken." in told(page)
    upload(page, "still.gif", encoded(frames[0], "GIF"))
    assert "animation" not in told(page)


def test_a_panorama_is_read_once_and_worked_on_small(page, tmp_path, monkeypatch):
    width, height = 10_000, 5_000
    ramp = Image.linear_gradient("L").resize((width, height)).convert("RGB")
    ramp.save(tmp_path / "panorama.jpg", quality=60)
    page.controls.picture.value = str(tmp_path / "panorama.jpg")
    assert page.query.size == (width, height)
    assert page.query.fingerprint == hashes.of_file(tmp_path / "panorama.jpg")
    assert max(page.query.image.size) <= 800
    monkeypatch.setattr(album, "open_with_size", lambda path: pytest.fail("it was read again"))
    page.controls.radius.value = 16
    assert len(page.controls.results.value) < 1_000_000
    tool = lens.microscope(page.query)
    tool.make_controls().turn.value = 3
    assert tool.flips.any()
    whole, copy = page.query.fingerprint, hashes.of_image(page.query.image)
    lost = steps.how_many_differ(steps.bits(whole ^ copy))
    assert f"a copy of 800 x 400 pixels: {lost} from the whole picture's" in told(tool)


# Controls of the search


def test_controls_are_made_when_they_are_asked_for(page):
    unseen = finder.search_page(page.pictures)
    unseen.html(), unseen.figure(), repr(unseen)
    assert unseen.controls is None
    made = unseen.make_controls()
    assert made.page.children
    assert unseen.make_controls() is unseen.controls is made


def walk(widget):
    yield widget
    for child in getattr(widget, "children", ()):
        yield from walk(child)


@pytest.mark.parametrize("kind", ["search", "microscope"])
def test_every_control_has_a_label_and_comes_in_the_order_of_use(page, kind):
    shown = page if kind == "search" else lens.microscope(page.query)
    classes = {"Text", "Combobox", "BoundedIntText", "Button", "FileUpload"}
    shown.make_controls()
    controls = [one for one in walk(shown.controls.page) if type(one).__name__ in classes]
    labels = [one.description for one in controls]
    assert all(labels)
    assert len(set(labels)) == len(labels)
    assert all(one.tooltip for one in walk(shown.controls.page) if hasattr(one, "readout")), (
        "a slider"
    )
    names = ["Dataset, or a folder", "Picture, or a file", "Previous", "Next", "Any"]
    names += ["Upload a picture", "Renew the upload button", "Radius in bits (0 to 16)"]
    if kind == "microscope":
        names = [label for _, _, label in steps.LIMITS.values()] + ["Undo all changes"]
        names += ["Picture: path of a file", "Upload a picture", "Renew the upload button"]
    assert labels == names


def test_the_radius_can_be_dragged_or_typed(page):
    number = page.controls.radius
    slider = next(one for one in walk(page.controls.page) if hasattr(one, "readout"))
    slider.value = 16
    assert number.value == page.radius == 16
    found = len(page.matches)
    number.value = 0
    assert slider.value == page.radius == 0
    assert len(page.matches) == 1 < found
    assert "equal to motorcycle_left/whole.jpg" in told(page)
    assert page.controls.results.value.count("<li>") == 1
    number.value = 99
    assert page.radius == 16


def test_a_picture_can_be_typed_in_part(page, monkeypatch):
    assert page.controls.picture.value == "motorcycle_left/whole.jpg"
    assert page.controls.picture.options == tuple(page.pictures.paths)
    opened, open_with_size = [], album.open_with_size
    monkeypatch.setattr(
        album, "open_with_size", lambda path: opened.append(path) or open_with_size(path)
    )
    page.controls.picture.value = "ROCKET/whole"
    assert page.query.path == page.controls.picture.value == "rocket/whole.jpg"
    assert opened == [page.pictures.root / "rocket/whole.jpg"], "opened once"
    page.controls.picture.value = "no such thing"
    assert "no such thing: no picture of sample has this in its name" in told(page)
    assert page.query.path == page.controls.picture.value == "rocket/whole.jpg"
    page.controls.picture.value = "moon/tile_01"
    assert "The first of" not in told(page)
    page.controls.picture.value = "tile_0"
    alike = [path for path in page.pictures.paths if "tile_0" in path]
    assert f"The first of {len(alike)} with tile_0 in the name." in told(page)
    assert page.query.path == alike[0]
    page.controls.picture.value = "rocket/whole.jpg"
    page.controls.picture.value = ""
    assert "Problem" not in told(page)
    assert page.query.path == "rocket/whole.jpg"


def test_a_picture_can_be_the_path_of_a_file_or_of_a_folder_by_mistake(page, photographs):
    path = photographs / "cats" / "image_0002.jpg"
    page.controls.picture.value = f" {path} "
    assert page.query.name == "image_0002.jpg"
    assert not page.query.in_dataset
    assert page.controls.picture.value == str(path)
    assert page.query.fingerprint == hashes.of_file(path)
    page.controls.picture.value = str(photographs)
    assert "is a folder, not an image" in told(page)
    assert page.controls.picture.value == str(path), "the field says what is searched with"


def test_a_folder_of_the_same_name_does_not_hinder_the_search_by_name(page, tmp_path, monkeypatch):
    (tmp_path / "rocket").mkdir()
    monkeypatch.chdir(tmp_path)
    root = page.pictures.root.resolve()
    page.pictures = replace(page.pictures, root=root)
    page.controls.picture.value = "rocket"
    assert page.query.path.startswith("rocket/")


def test_buttons_go_through_the_pictures(page):
    paths = page.pictures.paths
    here = paths.index(page.query.path)
    page.controls.next.click()
    assert page.query.path == page.controls.picture.value == paths[here + 1]
    page.controls.previous.click()
    page.controls.previous.click()
    assert page.query.path == paths[here - 1]
    seen = set()
    for _ in range(8):
        page.controls.any.click()
        seen.add(page.query.path)
    assert len(seen) > 2
    page.controls.picture.value = paths[-1]
    page.controls.next.click()
    assert page.query.path == paths[0]


@pytest.mark.parametrize("button, row", [("next", 0), ("previous", -1)])
def test_a_picture_that_was_brought_lies_before_the_first(page, photograph, button, row):
    upload(page, "mine.jpg", encoded(photograph()))
    getattr(page.controls, button).click()
    assert page.query.path == page.pictures.paths[row]


def test_a_plain_picture_is_told(page):
    upload(page, "photo.png", encoded(opening.open_image(page.pictures.root / "cat/whole.jpg")))
    assert "plain picture" not in told(page)
    upload(page, "dot.png", encoded(Image.new("RGB", (1, 1), "navy"), "PNG"))
    assert "nearly that of a plain picture, so a match says next to nothing" in told(page)


def test_the_dataset_can_be_a_folder_and_back(page, photographs, monkeypatch):
    page.controls.dataset.value = str(photographs)
    assert len(page.pictures) == 8
    assert page.query.path == page.controls.picture.value == "cats/image_0000.jpg"
    assert page.controls.picture.options == tuple(page.pictures.paths)
    assert "of 8 pictures of photographs" in told(page)
    assert page.controls.dataset.value == str(photographs.resolve())
    others = shutil.copytree(photographs, photographs.with_name("others"))
    shutil.copy(photographs / "cats/image_0003.jpg", others / "cats/image_0000.jpg")
    (others / "broken.jpg").write_bytes(b"no picture")
    page.controls.dataset.value = str(others)
    assert page.html() == finder.search_page(others, query="cats/image_0000.jpg").html()
    assert "1 of 9 files could not be read, the first: broken.jpg" in told(page)
    monkeypatch.setattr(album, "index", lambda *_: pytest.fail("the sample was read again"))
    page.controls.dataset.value = "sample"
    assert "of 101 pictures of sample" in told(page)


def test_two_folders_of_one_name_are_two(photographs, sample):
    mine = shutil.copytree(photographs, photographs.parent / "deep" / "sample")
    page = finder.search_page(mine)
    page.make_controls()
    assert page.controls.dataset.value == str(mine.resolve())
    page.controls.dataset.value = "sample"
    assert "of 101 pictures of sample" in told(page)
    page.controls.dataset.value = str(mine.resolve())
    assert "of 8 pictures of sample" in told(page)


def test_what_takes_its_time_is_announced_with_the_way_to_stop_it(page, photographs, monkeypatch):
    said = []
    monkeypatch.setattr(page, "_tell", lambda sentence, *_: said.append(sentence))
    page.controls.dataset.value = str(photographs)
    assert said[0] == f"Looking for pictures in {photographs}. To stop: Kernel, then Interrupt."
    assert said[-1] == page.sentence


def test_what_fails_is_said_for_a_page_and_the_field_is_put_back(page, monkeypatch):
    def fails():
        raise Problem("no network; connect to one, and run this again")

    monkeypatch.setattr(datasets, "caltech_101", fails)
    before = state(page)
    for _ in range(2):
        page.controls.dataset.value = "caltech-101"
        assert "Problem:  no network; connect to one, and try again" in told(page)
        assert page.controls.dataset.value == "sample", "or Enter would do nothing"
    assert state(page) == before


def test_a_query_that_was_brought_stays_when_the_dataset_changes(page, photograph, photographs):
    upload(page, "mine.jpg", encoded(photograph(4), quality=90))
    page.controls.dataset.value = str(photographs)
    assert page.query.name == "mine.jpg"
    assert page.matches["path"].tolist() == ["dogs/image_0004.jpg"]
    assert "itself" not in page.sentence


def test_stored_haystacks_are_offered_and_those_that_are_not_there_are_not(
    page, photographs, data_folder, monkeypatch
):
    shutil.copytree(photographs, data_folder / "haystack-sample")
    shutil.copytree(page.pictures.root, data_folder / "sample")
    page = finder.search_page("sample")
    assert page.make_controls().dataset.options == ("sample", "haystack-sample")
    page.controls.dataset.value = "haystack-sample"
    assert "of 8 pictures of haystack-sample" in told(page)
    page.controls.dataset.value = "sample"
    monkeypatch.setattr(album, "index", lambda *_: pytest.fail("it was read again"))
    page.controls.dataset.value = "haystack-sample"
    assert "of 8 pictures of haystack-sample" in told(page)


@pytest.mark.parametrize("folder", ["nowhere", "empty", ""])
def test_a_folder_that_cannot_be_had_changes_nothing(page, tmp_path, folder):
    (tmp_path / "empty").mkdir()
    before = state(page)
    page.controls.dataset.value = str(tmp_path / folder) if folder else "  "
    assert ("Problem" in told(page)) == bool(folder)
    assert state(page) == before
    assert page.controls.dataset.value == "sample", "or Enter would do nothing"


def test_what_nobody_foresaw_becomes_a_sentence_too(page, monkeypatch):
    def fails(*_):
        raise RuntimeError("of all things")

    before = state(page)
    with monkeypatch.context() as patched:
        patched.setattr(album, "choose", fails)
        page.controls.next.click()
        assert "that did not work (RuntimeError: of all things)" in told(page)
        patched.setattr(album, "choose", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        page.controls.next.click()
        assert "interrupted; nothing has changed" in told(page)
    assert state(page) == before
    page.controls.next.click()
    assert "Problem" not in told(page)


def test_a_lost_upload_button_is_renewed(page, photograph):
    lost = page.controls.upload
    page.controls.renew.click()
    assert page.controls.upload is not lost
    assert page.controls.upload in list(walk(page.controls.page))
    assert lost not in list(walk(page.controls.page))
    upload(page, "mine.jpg", encoded(photograph()))
    assert page.query.name == "mine.jpg"


# The microscope


def test_the_microscope_counts_the_bits_that_flip(photograph):
    image = photograph(5, size=(900, 600))
    tool = lens.microscope(image, steps.Change(crop=10))
    after = steps.changed(image, steps.Change(crop=10))
    values = hashes.of_image(image), hashes.of_image(after)
    flips = int(values[0] ^ values[1]).bit_count()
    assert flips > 3
    assert int(tool.flips.sum()) == flips
    assert f": {flips} of 64 bits differ" in tool.sentence
    assert tool.html().count("l.6 .6m0-.6l-.6 .6") == tool.html().count("h24v24h-24z") == flips
    figure, alt = tool.figure()
    plots.save(figure, io.BytesIO())
    assert (
        f"{tool.sentence} The change: Cut off each side, %: 10. In the steps of dHash, {flips} bits differ: row"
        in alt
    )
    assert image.size == (900, 600), "the caller's picture stays as it is"


def test_the_microscope_shows_flipped_differences_before_and_after(photograph):
    tool = lens.microscope(photograph(5), steps.Change(crop=10))
    assert "a copy of" not in " ".join(tool.remarks)
    before, after = tool.before.right_minus_left, tool.after.right_minus_left
    label = re.search(r'aria-label="8 by 8 differences[^"]*"', tool.html())[0]
    flipped = np.argwhere((before > 0) != (after > 0))
    assert len(flipped) == label.count("row") > 3
    for row, column in flipped:
        old, new = (f"{one[row, column]:+d}".replace("+0", "0") for one in (before, after))
        assert f"row {row + 1}, column {column + 1}: {old}, {new}" in label
        for text, down in ((old, 12), (new, 23)):
            assert re.search(
                f'<text x="{28 * column + 14}" y="{28 * row + down}"[^>]*>{re.escape(text)}<',
                tool.html(),
            )
    assert tool.html().count("<figure>") == 6
    half = np.sort(np.abs(before), axis=None)[31]
    near = sum(abs(before[row, column]) <= half for row, column in flipped)
    assert f"; {near} of them were in the nearer half of its comparisons." in tool.sentence


def test_controls_of_the_microscope_change_the_picture_and_undo_it(page):
    tool = lens.microscope(page.query)
    tool.make_controls()
    unchanged = state(tool)
    assert "none of the 64 bits differs" in told(tool)
    for name, value in {"crop": 10, "turn": 5, "brightness": 60, "quality": 10}.items():
        getattr(tool.controls, name).value = value
        assert getattr(tool.change, name) == value
    assert tool.change == steps.Change(crop=10, turn=5, brightness=60, quality=10)
    assert tool.sentence in told(tool)
    assert tool.flips.sum() > 5
    tool.controls.reset.click()
    assert tool.change == steps.Change()
    assert state(tool) == unchanged
    assert tool.controls.crop.value == 0
    assert tool.controls.results.value == tool.html()


def test_the_microscope_takes_a_picture_of_ones_own_and_keeps_the_change(photograph, photographs):
    tool = lens.microscope(photograph(), steps.Change(crop=5))
    assert tool.make_controls().crop.value == 5
    upload(tool, "mine.jpg", encoded(photograph(3), quality=95))
    assert tool.sentence.startswith("mine.jpg: ")
    assert tool.change == steps.Change(crop=5)
    tool.controls.path.value = str(photographs / "dogs" / "image_0006.jpg")
    assert tool.sentence.startswith("image_0006.jpg: ")
    before, path = state(tool), tool.controls.path.value
    tool.controls.path.value = str(photographs / "nothing.jpg")
    assert "nothing.jpg: no such file; check the spelling" in told(tool)
    assert tool.controls.path.value == path
    upload(tool, "text.jpg", b"text")
    assert "text.jpg: is not an image" in told(tool)
    assert state(tool) == before
    assert tool.controls.path.value == path
    upload(tool, "mine.jpg", encoded(photograph(3)))
    assert tool.controls.path.value == "", "it would name another picture"


# Where nobody can use controls


@pytest.fixture
def shown(monkeypatch):
    """What is displayed: widgets and figures."""
    found = SimpleNamespace(widgets=[], figures=[])
    monkeypatch.setattr(pages, "display", lambda data, raw: found.widgets.append(data))
    monkeypatch.setattr(plots, "show", lambda figure, alt: found.figures.append(alt))
    return found


@pytest.mark.parametrize(
    "request_, someone",
    [
        ({"content": {"allow_stdin": True}}, True),
        ({"content": {"allow_stdin": False}}, False),
        ({}, False),
    ],
)
def test_a_program_that_runs_notebooks_is_told_from_a_person(monkeypatch, request_, someone):
    shell = SimpleNamespace(kernel=SimpleNamespace(get_parent=lambda channel: request_))
    monkeypatch.setattr(pages, "get_ipython", lambda: shell)
    assert pages._someone_is_there() is someone


def test_outside_of_jupyter_nobody_is_there():
    assert pages._someone_is_there() is False


def test_a_program_gets_a_figure_and_a_sentence(searched, shown, capsys):
    page = finder.search_page(searched)
    page._ipython_display_()
    assert shown.figures == [page.figure()[1]]
    assert shown.widgets == []
    assert page.controls is None, "controls would be kept in the notebook's file"
    assert "run the cell in JupyterLab to use it" in capsys.readouterr().out


def test_a_person_gets_controls_and_their_copy_of_the_notebook_a_figure(page, shown, monkeypatch):
    monkeypatch.setattr(pages, "_someone_is_there", lambda: True)
    page._ipython_display_()
    [data] = shown.widgets
    view = data["application/vnd.jupyter.widget-view+json"]
    assert view["model_id"] == page.controls.page.model_id
    assert data["text/plain"] == repr(page)
    assert shown.figures == [page.figure()[1]], "for those who get a copy of the notebook"
    assert "explore-live" in page.controls.status.value


def test_without_ipywidgets_a_sentence_says_how_to_get_it(searched, shown, monkeypatch, capsys):
    page = finder.search_page(searched)
    monkeypatch.setattr(pages, "_someone_is_there", lambda: True)
    monkeypatch.setitem(sys.modules, "ipywidgets", None)
    with pytest.raises(Problem, match="python -m pip install"):
        page.make_controls()
    page._ipython_display_()
    assert "controls need ipywidgets, which is not installed" in capsys.readouterr().out
    assert len(shown.figures) == 1


# The exercises of chapter 8

RIGHT = {
    "ranked": lambda names, distances, radius: [
        names[i]
        for i in sorted(range(len(names)), key=lambda i: (distances[i], names[i]))
        if distances[i] <= radius
    ],
    "differing_bits": lambda a, b: steps.bits(a ^ b),
    "most_flips": lambda before, after: sorted(
        after, key=lambda name: bin(before ^ after[name]).count("1"), reverse=True
    )[0],
}
WRONG = {
    "ranked": [
        lambda names, distances, radius: [
            n for n, d in zip(names, distances, strict=True) if d <= radius
        ],
        lambda names, distances, radius: [
            n for d, n in sorted(zip(distances, names, strict=True)) if d < radius
        ],
        lambda names, distances, radius: sorted(
            n for n, d in zip(names, distances, strict=True) if d <= radius
        ),
    ],
    "differing_bits": [
        lambda a, b: ~steps.bits(a ^ b),
        lambda a, b: steps.bits(a ^ b)[::-1],
        lambda a, b: steps.bits(a ^ b)[:, ::-1],
        lambda a, b: steps.bits(a ^ b).T,
        lambda a, b: steps.bits(a | b),
    ],
    "most_flips": [
        lambda before, after: max(after, key=lambda name: abs(before - after[name])),
        lambda before, after: max(after, key=lambda name: before ^ after[name]),
        lambda before, after: min(after, key=lambda name: (before ^ after[name]).bit_count()),
        lambda before, after: max(
            reversed(after), key=lambda name: (before ^ after[name]).bit_count()
        ),
    ],
}


@pytest.mark.parametrize("name", RIGHT)
def test_exercises_know_right_from_wrong(name, capsys):
    def answer(attempt):
        attempt.__name__ = name
        getattr(checks, name)(attempt)
        return capsys.readouterr().out

    assert answer(RIGHT[name]).startswith("Right: ")
    assert answer(lambda *arguments: None).startswith("To do: ")
    for attempt in WRONG[name]:
        assert answer(attempt).startswith("Not yet: ")


# In a browser

NOTEBOOK = {
    "cells": [
        {
            "cell_type": "code",
            "id": f"cell-{number}",
            "metadata": {},
            "source": source,
            "outputs": [],
            "execution_count": None,
        }
        for number, source in enumerate(
            [
                "from helpers.explore import finder\nfinder.search_page('sample', query='motorcycle_left/whole.jpg', radius=4)",
                "from helpers import datasets\nfrom helpers.explore import lens\nlens.microscope(datasets.sample().root / 'cat/whole.jpg')",
            ]
        )
    ],
    "metadata": {
        "kernelspec": {
            "display_name": "Python 3 (ipykernel)",
            "language": "python",
            "name": "python3",
        },
        "language_info": {"name": "python"},
    },
    "nbformat": 4,
    "nbformat_minor": 5,
}


@contextmanager
def jupyter_lab(home, folder):
    """JupyterLab on a free port, with a home of its own; its address."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    token = secrets.token_hex(16)
    places = {f"JUPYTER_{what}_DIR": str(home / what) for what in ("CONFIG", "DATA", "RUNTIME")}
    places |= {"HOME": str(home), "USERPROFILE": str(home), "IPYTHONDIR": str(home / "ipython")}
    command = [sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root", str(folder)]
    command += [f"--ServerApp.port={port}", f"--IdentityProvider.token={token}"]
    most = pages.LAB_UPLOAD_MEGABYTES * 2**20  # as `make lab` has it
    command += [f"--ServerApp.tornado_settings={{'websocket_max_message_size': {most}}}"]
    with (home / "log.txt").open("w") as log:
        server = subprocess.Popen(command, env={**os.environ, **places}, stdout=log, stderr=log)
    try:
        until = time.monotonic() + 30
        while time.monotonic() < until:
            try:
                urllib.request.urlopen(f"http://127.0.0.1:{port}/api?token={token}").close()
                break
            except OSError:
                assert server.poll() is None, (home / "log.txt").read_text()
                time.sleep(0.2)
        yield f"http://127.0.0.1:{port}/{{}}?token={token}".format
    finally:
        server.terminate()  # it ends its kernels, too
        try:
            server.wait(15)
        except subprocess.TimeoutExpired:
            server.kill()


@pytest.fixture
def browser():
    """A page of Chromium, or a reason why there is none."""
    pytest.importorskip("jupyterlab", reason="jupyterlab is not installed")
    playwright = pytest.importorskip(
        "playwright.sync_api", reason="no browser test: playwright is not installed"
    )
    names = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
    program = next(filter(None, map(shutil.which, names)), None)
    if program is None:
        pytest.skip("no browser test: neither Chromium nor Chrome is on the PATH")
    with playwright.sync_playwright() as driver:
        chromium = driver.chromium.launch(
            executable_path=program, args=["--no-sandbox", "--disable-gpu"]
        )
        yield chromium.new_page(viewport={"width": 1400, "height": 1000})
        chromium.close()


def test_in_jupyterlab_from_the_keyboard(browser, sample, photograph, tmp_path, monkeypatch):
    monkeypatch.setenv("FINGERPRINTS_DATA", str(sample.root.parent.resolve()))
    (tmp_path / "notebooks").mkdir()
    (tmp_path / "home").mkdir()
    (tmp_path / "notebooks" / "pages.ipynb").write_text(json.dumps(NOTEBOOK))
    whole = opening.open_image(sample.root / "rocket" / "whole.jpg")
    whole.resize((400, 300)).save(tmp_path / "my rocket.jpg")
    (tmp_path / "letter.txt").write_text("Dear all,")
    Image.effect_noise((10_000, 5_000), 80).save(tmp_path / "panorama.jpg", quality=60)
    assert (tmp_path / "panorama.jpg").stat().st_size > 10 * 2**20

    def press(*keys):
        for key in keys:
            browser.keyboard.press(key)

    def bring(name):
        with browser.expect_file_chooser() as chooser:
            browser.get_by_role("button", name="Upload a picture").first.press("Space")
        chooser.value.set_files(tmp_path / name)

    with jupyter_lab(tmp_path / "home", tmp_path / "notebooks") as address:
        browser.goto(address("lab/tree/pages.ipynb"))
        browser.get_by_text("| Idle").wait_for(timeout=30_000)
        browser.get_by_role("menuitem", name="Run", exact=True).click()
        browser.get_by_text("Run All Cells", exact=True).click()
        search, tool = (
            browser.get_by_role("status").filter(has_text=text).first
            for text in ("pictures of", "of the 64 bits")
        )
        tool.wait_for(timeout=30_000)
        matches = browser.locator(".explore li")
        assert matches.count() == 1
        stills = browser.locator(".jp-RenderedImage:visible")
        assert stills.count() == 0, "the live pages hide them"
        search.filter(
            has_text="1 of 101 pictures of sample, the query itself, is within 4 bits"
        ).wait_for()

        radius = browser.get_by_label("Radius in bits (0 to 16)")
        radius.focus()
        press("Tab", *["ArrowRight"] * 6)  # the slider comes next
        search.filter(has_text="within 10 bits of motorcycle_left").wait_for()
        assert matches.count() == 2
        assert browser.get_by_role("img", name="10 bits differ: row 2, column 7").count() == 1
        assert radius.input_value() == "10"
        press("Home")
        search.filter(has_text="is equal to motorcycle_left").wait_for()

        bring("my rocket.jpg")
        search.filter(has_text="1 of 101 pictures of sample is equal to my rocket.jpg").wait_for()
        assert "rocket/whole.jpg" in matches.first.inner_text()
        bring("letter.txt")
        problem = browser.locator(".explore [role=alert]")
        problem.filter(has_text="letter.txt: is not an image").wait_for()
        assert "rocket/whole.jpg" in matches.first.inner_text()

        browser.get_by_label("Picture, or a file").focus()
        press("ControlOrMeta+a")
        browser.keyboard.type("cat")
        press("Enter")
        search.filter(has_text="equal to cat/whole.jpg").wait_for()
        assert problem.count() == 0
        browser.get_by_role("button", name="Next").press("Enter")
        search.filter(has_text="equal to cell/").wait_for()

        field = browser.get_by_label("Dataset, or a folder")
        field.focus()
        press("ControlOrMeta+a")
        browser.keyboard.type("nowhere")
        press("Enter")
        problem.filter(has_text="nowhere: no such folder").wait_for()
        assert field.input_value() == "sample"

        browser.get_by_label("Cut off each side, %").focus()
        press("ControlOrMeta+a", "2", "0", "Enter")
        browser.get_by_role("status").filter(
            has_text=re.compile(r"\d\d of 64 bits differ")
        ).wait_for()
        browser.get_by_role("button", name="Undo all changes").press("Space")
        tool.wait_for()
        assert browser.locator(".jp-Cell").count() == 2, "keys went to the notebook"

        bring("panorama.jpg")
        search.filter(has_text="of panorama.jpg").or_(
            search.filter(has_text="to panorama.jpg")
        ).wait_for()

        # the next day: the notebook was saved, and its kernel is gone
        press("ControlOrMeta+s")
        notebook = tmp_path / "notebooks" / "pages.ipynb"
        until = time.monotonic() + 15
        while "image/png" not in notebook.read_text() and time.monotonic() < until:
            time.sleep(0.2)
        with urllib.request.urlopen(address("api/sessions")) as answer:
            [session] = json.load(answer)
        gone = urllib.request.Request(address(f"api/sessions/{session['id']}"), method="DELETE")
        urllib.request.urlopen(gone).close()
        browser.goto(address("lab/tree/pages.ipynb"))
        stills.nth(1).wait_for(timeout=30_000)
        assert stills.count() == 2
