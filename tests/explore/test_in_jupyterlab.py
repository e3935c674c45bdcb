"""The pages in JupyterLab, in a browser, from the keyboard."""

import json
import os
import re
import secrets
import socket
import subprocess
import sys
from contextlib import contextmanager

import pytest
import requests
from browsers import chromium
from PIL import Image
from requests.adapters import HTTPAdapter
from urllib3.util import Retry

from helpers.explore import page as pages
from helpers.images import opening


def notebook(*sources):
    """A notebook with these code cells, not run yet, as JSON."""
    about = {"cell_type": "code", "metadata": {}, "outputs": [], "execution_count": None}
    cells = [{**about, "id": f"cell-{n}", "source": source} for n, source in enumerate(sources)]
    kernel = {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"}
    metadata = {"kernelspec": kernel, "language_info": {"name": "python"}}
    return json.dumps({"cells": cells, "metadata": metadata, "nbformat": 4, "nbformat_minor": 5})


PAGES = notebook(
    "from helpers.explore import finder\nfinder.search_page('sample', query='motorcycle_left/whole.jpg', radius=4)",
    "from helpers import datasets\nfrom helpers.explore import lens\nlens.microscope(datasets.sample().root / 'cat/whole.jpg')",
)
RADIUS = notebook(
    "from helpers.explore.radius import radius_page\nradius_page([0, 0, 1, 3], [0, 0, 1] + 62 * [1], pictures=12)"
)


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
    patient = HTTPAdapter(max_retries=Retry(30, backoff_factor=0.1, backoff_max=1))
    with (home / "log.txt").open("w") as log:
        server = subprocess.Popen(command, env={**os.environ, **places}, stdout=log, stderr=log)
    try:
        with requests.Session() as session:  # it tries anew until the server answers
            session.mount("http://", patient)
            session.get(f"http://127.0.0.1:{port}/api?token={token}").raise_for_status()
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
    with chromium() as launched:
        yield launched.new_page(viewport={"width": 1400, "height": 1000})


def test_in_jupyterlab_from_the_keyboard(browser, sample, photograph, tmp_path, monkeypatch):
    monkeypatch.setenv("FINGERPRINTS_DATA", str(sample.root.parent.resolve()))
    (tmp_path / "notebooks").mkdir()
    (tmp_path / "home").mkdir()
    (tmp_path / "notebooks" / "pages.ipynb").write_text(PAGES)
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
        with browser.expect_response(
            lambda answer: answer.request.method == "PUT" and "api/contents" in answer.url
        ):
            press("ControlOrMeta+s")
        assert "image/png" in (tmp_path / "notebooks" / "pages.ipynb").read_text()
        [session] = requests.get(address("api/sessions")).json()
        requests.delete(address(f"api/sessions/{session['id']}")).raise_for_status()
        browser.goto(address("lab/tree/pages.ipynb"))
        stills.nth(1).wait_for(timeout=30_000)
        assert stills.count() == 2
        # The server would wait for a kernel that it ends while it starts.
        browser.get_by_text("| Idle").wait_for(timeout=30_000)


def test_a_radius_moves_from_the_keyboard(browser, tmp_path):
    (tmp_path / "notebooks").mkdir()
    (tmp_path / "home").mkdir()
    (tmp_path / "notebooks" / "radius.ipynb").write_text(RADIUS)
    with jupyter_lab(tmp_path / "home", tmp_path / "notebooks") as address:
        browser.goto(address("lab/tree/radius.ipynb"))
        browser.get_by_text("| Idle").wait_for(timeout=30_000)
        browser.get_by_role("menuitem", name="Run", exact=True).click()
        browser.get_by_text("Run All Cells", exact=True).click()
        status = browser.get_by_role("status")
        status.filter(has_text="At radius 0, 2 of 4 copies are found").wait_for(timeout=30_000)
        browser.get_by_label("Radius, in bits").focus()
        browser.keyboard.press("ArrowUp")
        status.filter(has_text="At radius 1, 3 of 4 copies are found").wait_for()
        browser.keyboard.press("Tab")  # the slider comes next
        browser.keyboard.press("ArrowRight")
        told = "At radius 2, 3 of 4 copies are found and 1 is missed"
        status.filter(has_text=told).wait_for()
        browser.get_by_role("img", name=told).wait_for()
        assert browser.locator(".jp-RenderedImage:visible").count() == 0, "the live page hides it"
        assert browser.locator(".jp-Cell").count() == 1, "keys went to the notebook"
