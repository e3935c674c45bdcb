"""What both pages share: showing, hearing, uploads."""

import re
import sys
from types import SimpleNamespace

import pytest
from PIL import Image

from helpers import Problem
from helpers.classroom import plots
from helpers.explore import album, finder, lens
from helpers.explore import page as pages
from helpers.fingerprints import hashes
from helpers.images import formats

# name of an upload -> what is in it, and what the page says of it
UNREADABLE = {
    "empty.jpg": (b"", r"is empty \(0 bytes\)"),
    "text.jpg": (b"I am no picture", "is not an image that Pillow can read"),
    "photo.heic": (
        b"\0\0\0\x18ftypheic" + bytes(40),
        r"install pillow-heif \(pip install pillow-heif\) and start Python anew",
    ),
}


def test_controls_are_made_when_they_are_asked_for(page):
    unseen = finder.search_page(page.pictures)
    unseen.html(), unseen.figure(), repr(unseen)
    assert unseen.controls is None
    made = unseen.make_controls()
    assert made.page.children
    assert unseen.make_controls() is unseen.controls is made


@pytest.mark.parametrize("kind", ["search", "microscope"])
def test_every_control_has_a_label_and_comes_in_the_order_of_use(page, kind, walk):
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
        names = ["Cut off each side, %", "Turn, degrees", "Brightness, %"]
        names += ["JPEG quality (100: off)", "Undo all changes"]
        names += ["Picture: path of a file", "Upload a picture", "Renew the upload button"]
    assert labels == names


def test_no_image_is_without_words(page):
    for shown in (page.html(), lens.microscope(page.query).html()):
        tags = re.findall(r"<img[^>]*>", shown)
        assert len(tags) >= 5
        for tag in tags:
            assert re.search(r'alt="[^"]{4,}"', tag), tag


def test_a_lost_upload_button_is_renewed(page, photograph, encoded, upload, walk):
    lost = page.controls.upload
    page.controls.renew.click()
    assert page.controls.upload is not lost
    assert page.controls.upload in list(walk(page.controls.page))
    assert lost not in list(walk(page.controls.page))
    upload(page, "mine.jpg", encoded(photograph()))
    assert page.query.name == "mine.jpg"


def test_what_nobody_foresaw_becomes_a_sentence_too(page, monkeypatch, state, told):
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


@pytest.mark.parametrize("name", UNREADABLE)
def test_an_upload_that_cannot_be_read_gets_a_sentence_and_the_page_goes_on(
    page, name, monkeypatch, state, told, upload
):
    monkeypatch.setattr(formats, "formats", lambda: ["JPEG", "PNG"])  # as without pillow-heif
    content, reason = UNREADABLE[name]
    before = state(page)
    upload(page, name, content)
    assert re.search(f"Problem: +{name}: .*({reason})", told(page))
    assert 'role="alert"' in page.controls.status.value
    assert state(page) == before
    page.controls.radius.value = 12
    assert "Problem" not in told(page)
    assert page.radius == 12


def test_half_a_file_and_a_picture_that_is_a_bomb_get_a_sentence(
    page, photograph, monkeypatch, encoded, told, upload
):
    upload(page, "half.jpg", encoded(photograph(size=(600, 400)))[:4000])
    assert "half.jpg: ends before its picture does" in told(page)
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 1000)
    upload(page, "bomb.png", encoded(photograph(), "PNG"))
    assert "bomb.png: has more than" in told(page)
    assert page.query.name == "motorcycle_left/whole.jpg"


def test_the_same_upload_can_be_brought_again(page, photograph, encoded, upload):
    content = encoded(photograph())
    for _ in range(2):
        upload(page, "mine.jpg", content)
        assert page.query.name == "mine.jpg"
        page.controls.picture.value = "cat/whole.jpg"
        assert page.query.name == "cat/whole.jpg"


def test_of_an_animation_the_first_frame_is_taken(page, photograph, encoded, told, upload):
    frames = [photograph(seed).convert("P") for seed in range(3)]
    upload(page, "waves.gif", encoded(frames[0], "GIF", save_all=True, append_images=frames[1:]))
    assert page.query.fingerprint == hashes.of_image(frames[0])
    assert "Of an animation the first frame is taken." in told(page)
    upload(page, "still.gif", encoded(frames[0], "GIF"))
    assert "animation" not in told(page)


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
    shell = SimpleNamespace(kernel=SimpleNamespace(get_parent=lambda: request_))
    monkeypatch.setattr(pages, "get_ipython", lambda: shell)
    assert pages.is_run_by_a_person() is someone


def test_outside_of_jupyter_nobody_is_there():
    assert pages.is_run_by_a_person() is False


def test_a_program_gets_a_figure_and_a_sentence(searched, shown, capsys):
    page = finder.search_page(searched)
    page._ipython_display_()
    assert shown.figures == [page.figure()[1]]
    assert shown.widgets == []
    assert page.controls is None, "controls would be kept in the notebook's file"
    assert "run the cell in JupyterLab to use it" in capsys.readouterr().out


def test_a_person_gets_controls_and_their_copy_of_the_notebook_a_figure(page, shown, monkeypatch):
    monkeypatch.setattr(pages, "is_run_by_a_person", lambda: True)
    page._ipython_display_()
    [data] = shown.widgets
    view = data["application/vnd.jupyter.widget-view+json"]
    assert view["model_id"] == page.controls.page.model_id
    assert data["text/plain"] == repr(page)
    assert shown.figures == [page.figure()[1]], "for those who get a copy of the notebook"
    assert "explore-live" in page.controls.status.value


def test_without_ipywidgets_a_sentence_says_how_to_get_it(searched, shown, monkeypatch, capsys):
    page = finder.search_page(searched)
    monkeypatch.setattr(pages, "is_run_by_a_person", lambda: True)
    monkeypatch.setitem(sys.modules, "ipywidgets", None)
    with pytest.raises(Problem, match="python -m pip install"):
        page.make_controls()
    page._ipython_display_()
    assert "controls need ipywidgets, which is not installed" in capsys.readouterr().out
    assert len(shown.figures) == 1
