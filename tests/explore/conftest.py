"""What the tests of the pages share: the sample, a page, and what a hand does with it."""

import html
import io
import re
from datetime import UTC, datetime

import pytest

from helpers.explore import album, finder


@pytest.fixture(scope="session")
def searched():
    """The sample, fingerprinted once for all tests."""
    return album.index("sample")


@pytest.fixture
def page(searched):
    """A page on the sample, whose query has strangers within 16 bits."""
    page = finder.search_page(searched, query="motorcycle_left/whole.jpg", radius=10)
    page.make_controls()
    return page


@pytest.fixture
def encoded():
    """`encoded(image, format, **options)`: the bytes of a picture's file."""

    def encode(image, format="JPEG", **options):
        file = io.BytesIO()
        image.save(file, format, **options)
        return file.getvalue()

    return encode


@pytest.fixture
def upload():
    """`upload(page, name, content)`: bring a file to a page."""

    def bring(page, name, content):
        file = {"name": name, "type": "", "size": len(content), "content": memoryview(content)}
        file["last_modified"] = datetime(2026, 1, 1, tzinfo=UTC)
        page.controls.upload.value = [file]

    return bring


@pytest.fixture
def told():
    """`told(page)`: what a page says under its controls, without markup."""

    def tell(page):
        text = re.sub(r"<style>.*?</style>", "", page.controls.status.value, flags=re.DOTALL)
        return html.unescape(re.sub(r"<[^>]+>", " ", text))

    return tell


@pytest.fixture
def state():
    """`state(page)`: all that a page shows."""
    return lambda page: (page.sentence, page.html())


@pytest.fixture
def walk():
    """`walk(control)`: a control and all controls inside it."""

    def visit(control):
        yield control
        for child in getattr(control, "children", ()):
            yield from visit(child)

    return visit
