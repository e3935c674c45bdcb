"""The page to search with: what it says and shows, and what its controls do."""

import html
import io
import re
import shutil
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from helpers import Problem, datasets
from helpers.classroom import plots, steps
from helpers.explore import album, finder, lens
from helpers.files import places
from helpers.fingerprints import hashes
from helpers.images import opening


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


def test_each_match_is_shown_with_the_bits_that_differ_in_words(searched):
    page = finder.search_page(searched, query="retina/tile_20.jpg", radius=14)
    assert len(page.matches) > 5
    items = re.findall(r"<li>.*?</li>", page.html(), re.DOTALL)
    assert len(items) == len(page.matches)
    for item, match in zip(items, page.matches.itertuples(), strict=True):
        differ = steps.bits(match.differ)
        assert differ.sum() == match.distance
        assert f'alt="{steps.differences(differ)}"' in item
        assert match.path in item
    assert "more are not" not in page.html()


def test_a_page_shows_so_many_and_tells_of_the_others(searched):
    page = finder.search_page(searched, query="retina/tile_20.jpg", radius=32, most=3)
    assert page.html().count("<li>") == 3
    assert f"The 3 nearest are shown, {len(page.matches) - 3} more are not." in page.html()


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


def test_an_uploaded_copy_finds_its_original(page, sample, encoded, told, upload):
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


@pytest.mark.slow
def test_a_panorama_is_read_once_and_worked_on_small(page, tmp_path, monkeypatch, told):
    width, height = 4_000, 2_000
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
    lost = steps.count_differing(steps.bits(whole ^ copy))
    assert f"a copy of 800 x 400 pixels: {lost} from the whole picture's" in told(tool)


def test_the_radius_can_be_dragged_or_typed(page, told, walk):
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


def test_a_picture_can_be_typed_in_part(page, monkeypatch, told):
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


def test_a_picture_can_be_the_path_of_a_file_or_of_a_folder_by_mistake(page, photographs, told):
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
def test_a_picture_that_was_brought_lies_before_the_first(
    page, photograph, button, row, encoded, upload
):
    upload(page, "mine.jpg", encoded(photograph()))
    getattr(page.controls, button).click()
    assert page.query.path == page.pictures.paths[row]


def test_a_plain_picture_is_told(page, encoded, told, upload):
    upload(page, "photo.png", encoded(opening.open_image(page.pictures.root / "cat/whole.jpg")))
    assert "plain picture" not in told(page)
    upload(page, "dot.png", encoded(Image.new("RGB", (1, 1), "navy"), "PNG"))
    assert "nearly that of a plain picture, so a match says next to nothing" in told(page)


def test_the_dataset_can_be_a_folder_and_back(page, photographs, monkeypatch, told):
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


def test_two_folders_of_one_name_are_two(photographs, sample, told):
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


def test_what_fails_is_said_for_a_page_and_the_field_is_put_back(page, monkeypatch, state, told):
    def fails():
        raise Problem("no network; connect to one, and run this again")

    source = datasets.Source(fails, "a network")
    monkeypatch.setitem(datasets.DATASETS, "caltech-101", source)
    before = state(page)
    for _ in range(2):
        page.controls.dataset.value = "caltech-101"
        assert "Problem:  no network; connect to one, and try again" in told(page)
        assert page.controls.dataset.value == "sample", "or Enter would do nothing"
    assert state(page) == before


def test_a_query_that_was_brought_stays_when_the_dataset_changes(
    page, photograph, photographs, encoded, upload
):
    upload(page, "mine.jpg", encoded(photograph(4), quality=90))
    page.controls.dataset.value = str(photographs)
    assert page.query.name == "mine.jpg"
    assert page.matches["path"].tolist() == ["dogs/image_0004.jpg"]
    assert "itself" not in page.sentence


def test_stored_haystacks_are_offered_and_those_that_are_not_there_are_not(
    page, photographs, data_folder, monkeypatch, told
):
    shutil.copytree(photographs, places.made("haystack", "sample", seed=7))
    shutil.copytree(page.pictures.root, data_folder / "sample")
    (data_folder / "haystack-sample-seed-7.shelve").touch()
    page = finder.search_page("sample")
    assert page.make_controls().dataset.options == ("sample", "haystack-sample-seed-7")
    page.controls.dataset.value = "haystack-sample-seed-7"
    assert "of 8 pictures of haystack-sample-seed-7" in told(page)
    page.controls.dataset.value = "sample"
    monkeypatch.setattr(album, "index", lambda *_: pytest.fail("it was read again"))
    page.controls.dataset.value = "haystack-sample-seed-7"
    assert "of 8 pictures of haystack-sample-seed-7" in told(page)


@pytest.mark.parametrize("folder", ["nowhere", "empty", ""])
def test_a_folder_that_cannot_be_had_changes_nothing(page, tmp_path, folder, state, told):
    (tmp_path / "empty").mkdir()
    before = state(page)
    page.controls.dataset.value = str(tmp_path / folder) if folder else "  "
    assert ("Problem" in told(page)) == bool(folder)
    assert state(page) == before
    assert page.controls.dataset.value == "sample", "or Enter would do nothing"
