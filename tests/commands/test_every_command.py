"""What every command does. A new one only has to be in COMMANDS to be tested here."""

import re
from importlib import import_module
from pathlib import Path

import pytest

from helpers import commands
from helpers.__main__ import COMMANDS, main

MODULES = [import_module(f"helpers.commands.{name}") for name in COMMANDS]
README = (Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8")


def name_of(module):
    return module.__name__.rpartition(".")[2]


every_command = pytest.mark.parametrize("module", MODULES, ids=name_of)


def test_every_command_is_a_module_of_the_wing_and_every_module_a_command():
    files = {path.stem for path in Path(commands.__file__).parent.glob("*.py")}
    assert files - {"__init__", "terminal"} == set(COMMANDS)


@every_command
def test_every_command_has_the_name_of_its_module_and_explains_itself(module, capsys):
    with pytest.raises(SystemExit) as end:
        main([name_of(module), "--help"])
    assert end.value.code == 0
    shown = capsys.readouterr().out
    assert shown.startswith(f"usage: python -m helpers {name_of(module)} ")
    assert len(re.split(r"\n\n", shown)) >= 3  # usage, what it does, options


def test_what_a_command_does_begins_with_a_capital_in_the_list_of_all(capsys):
    with pytest.raises(SystemExit):
        main(["--help"])
    listed = dict(re.findall(r"^    (\w+) +(\S.*)$", capsys.readouterr().out, re.MULTILINE))
    assert listed.keys() == set(COMMANDS)
    assert all(text[0].isupper() for text in listed.values()), listed


@every_command
def test_every_command_refuses_an_option_that_it_does_not_have(module, capsys):
    with pytest.raises(SystemExit) as end:
        main([name_of(module), "--no-such-option"])
    assert end.value.code == 2
    assert capsys.readouterr().err.startswith("usage:")


@every_command
def test_every_command_is_shown_in_the_readme(module):
    assert re.search(rf"^python -m helpers {name_of(module)}\b", README, re.MULTILINE)


@every_command
def test_every_command_knows_no_other(module):
    source = Path(module.__file__).read_text(encoding="utf-8")
    others = "|".join(COMMANDS)
    assert not re.search(rf"helpers\.commands(\.| import.*\b)({others})\b", source)
