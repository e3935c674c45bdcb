"""What the tests of the gate share."""

import pytest
from banks import Bank

from helpers.gate import memory


@pytest.fixture
def path(tmp_path):
    return tmp_path / "banned.bank"


@pytest.fixture
def opened(path):
    """An empty bank."""
    with Bank(path) as opened:
        yield opened


@pytest.fixture
def small_parts(monkeypatch):
    """An index from the first few entries on, so that a test of some hundred meets every part of a search."""
    monkeypatch.setattr(memory, "_TAIL_ENTRIES", 10)  # an index of few entries is rare
