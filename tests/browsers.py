"""A browser for tests, or a reason why there is none."""

import shutil
from contextlib import contextmanager

import pytest


@contextmanager
def chromium():
    """Chromium or Chrome, driven by playwright; without either the test is skipped."""
    playwright = pytest.importorskip(
        "playwright.sync_api", reason="no browser test: playwright is not installed"
    )
    names = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
    program = next(filter(None, map(shutil.which, names)), None)
    if program is None:
        pytest.skip("no browser test: neither Chromium nor Chrome is on the PATH")
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(
            executable_path=program, args=["--no-sandbox", "--disable-gpu"]
        )
        yield browser
        browser.close()
