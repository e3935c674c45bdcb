"""A photo library, what is found in it, and which of its files are opened meanwhile."""

import sys
from pathlib import Path

import pytest
from inputs import propose, save

from helpers.library import inventory

_opened = None


def _note(event, details):
    # without a mode it is `os.open`, which Python's own `open` calls
    if (
        _opened is not None
        and event == "open"
        and isinstance(details[0], (str, Path))
        and details[1]
    ):
        _opened.append(details[0])


sys.addaudithook(_note)


@pytest.fixture
def reads(photos):
    """The paths of the library's files that were opened, in this process, since the list was cleared."""
    global _opened
    _opened = []

    class Reads:
        def __call__(self):
            paths = [Path(path) for path in _opened if Path(path).is_relative_to(photos)]
            _opened.clear()
            return sorted(path.relative_to(photos).as_posix() for path in paths)

    yield Reads()
    _opened = None


@pytest.fixture
def photos(photographs):
    return photographs


@pytest.fixture
def scan(tmp_path, photos):
    """`scan(**keywords)` with a cache of the test's own, in this process."""
    return lambda **keywords: inventory.scan(
        photos, **{"cache": tmp_path / "cache", "workers": 1, **keywords}
    )


@pytest.fixture
def plan_of(scan, photos):
    """The plan for what lies in the folder now, as rows by path."""
    return lambda **keywords: propose(scan(), photos, **keywords)


@pytest.fixture
def two_groups(photos, photograph):
    for name, seed in (("a", 61), ("b", 62)):
        save(photograph(seed, size=(300, 200)), photos / f"{name}.jpg", modified=1000)
        save(photograph(seed, size=(200, 133)), photos / f"small {name}.jpg", modified=1000)
