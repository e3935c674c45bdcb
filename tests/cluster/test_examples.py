"""The examples in the docstrings of the wing, which pytest does not collect: not all have Dask."""

import doctest
from importlib import import_module
from pathlib import Path

import pytest
from inputs import NO_DASK

from helpers import cluster

NAMES = sorted(path.stem for path in Path(cluster.__file__).parent.glob("[!_]*.py"))


@pytest.mark.parametrize("name", NAMES)
def test_the_examples_of_a_module_give_what_they_say(name):
    pytest.importorskip("distributed", reason=NO_DASK)
    module = import_module(f"helpers.cluster.{name}")
    assert doctest.testmod(module, optionflags=doctest.NORMALIZE_WHITESPACE).failed == 0
