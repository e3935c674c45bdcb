"""A library, the place of its quarantine, and a plan."""

import pytest
from moves import fill


@pytest.fixture
def library(tmp_path):
    folder = tmp_path / "photos"
    folder.mkdir()
    return folder


@pytest.fixture
def place(tmp_path):
    return tmp_path / "photos-quarantine"


@pytest.fixture
def plan(library):
    return fill(library)
