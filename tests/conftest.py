"""What all tests share: a setting, a few pictures, and the lines that the report begins and ends with."""

import os
import subprocess
import sys
from importlib.util import find_spec

# Before anything imports tqdm, and before nbval starts the kernels, which inherit both.
os.environ["TQDM_DISABLE"] = "1"
os.environ["DATASET"] = "sample"

import numpy as np
import pytest
from inputs import NO_DASK
from PIL import Image

from helpers import datasets

_IS_COMPARED = "is_compared", True


def make_photograph(seed=0, size=(120, 80)):
    """A picture with large soft shapes, as a photograph has, so that its fingerprint is stable; same seed, same pixels."""
    coarse = np.random.default_rng(seed).integers(0, 256, (5, 6, 3), dtype=np.uint8)
    return Image.fromarray(coarse).resize(size, Image.Resampling.BICUBIC)


@pytest.fixture
def photograph():
    """`make_photograph(seed, size)`: a colour picture in memory."""
    return make_photograph


@pytest.fixture
def photographs(tmp_path):
    """A folder of its own for the test: eight JPEGs in two categories."""
    folder = tmp_path / "photographs"
    for number in range(8):
        path = folder / ("cats" if number < 4 else "dogs") / f"image_{number:04}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        make_photograph(number).save(path, quality=90)
    return folder


@pytest.fixture(scope="session")
def sample():
    """The embedded sample: 101 images. Tests only read it."""
    return datasets.load("sample", show=lambda sentence: None)


@pytest.fixture
def data_folder(tmp_path, monkeypatch):
    """An empty data folder for this test alone."""
    folder = tmp_path / "data"
    folder.mkdir()
    monkeypatch.setenv("FINGERPRINTS_DATA", str(folder))
    return folder


@pytest.fixture
def unread():
    """`unread(*arguments)`: run the command line with nobody to read what it prints; its code, and what it complained of."""

    def run(*arguments):
        done = subprocess.Popen(
            [sys.executable, "-m", "helpers", *arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        done.stdout.close()
        error = done.stderr.read()
        done.stderr.close()
        return done.wait(), error

    return run


def pytest_report_header():
    return "dataset: the tests run on the embedded sample, which stands in for CALTECH-101"


def pytest_collection_modifyitems(items):
    cells = [item for item in items if type(item).__name__ == "IPyNbCell"]
    for item in cells:
        if item.options["check"]:
            # reports carry it from the processes of pytest-xdist to the one that prints
            item.user_properties.append(_IS_COMPARED)
    if find_spec("distributed"):
        return
    ended = set()  # a chapter ends where it wants an extra that is not here, and says so
    for item in cells:
        if "from helpers.cluster" in item.cell.source:
            ended.add(item.path)
        if item.path in ended:
            item.add_marker(pytest.mark.skip(NO_DASK))


def pytest_terminal_summary(terminalreporter):
    reports = terminalreporter.stats.get("passed", []) + terminalreporter.stats.get("failed", [])
    compared = {report.nodeid for report in reports if _IS_COMPARED in report.user_properties}
    notebooks = {nodeid.split("::")[0] for nodeid in compared}
    terminalreporter.write_line(
        f"nbval compared {len(compared)} notebook cells in {len(notebooks)} notebooks"
    )
