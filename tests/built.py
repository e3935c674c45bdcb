"""Whether an edition that was built is tested."""

import os

import pytest
from editions import making


def reason_to_skip(name):
    """Why it is not: nobody asks, as that takes minutes, or it was made from other files; or ''."""
    if not os.environ.get("EDITIONS"):
        return "editions are tested by make test-editions"
    return making.fault(name)


def built(name):
    """A mark for tests that need an edition."""
    reason = reason_to_skip(name)
    return pytest.mark.skipif(bool(reason), reason=reason or "it is there")
