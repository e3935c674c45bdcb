"""What is made whole, knows from which files, and runs other programs: `editions.making`."""

import re
import sys

import pytest
import run
from built import reason_to_skip
from editions import making

from helpers import Problem


@pytest.fixture
def kit(tmp_path):
    for name in ("notebooks/01.ipynb", "src/helpers/plots.py", "README.md"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(name, encoding="utf-8")
    return tmp_path


def make(kit, text="made"):
    with making.made_whole("book", kit) as folder:
        (folder / "index.html").write_text(text, encoding="utf-8")


def test_an_edition_is_tested_as_long_as_its_sources_stay(kit):
    assert "is not made" in making.fault("book", kit)
    make(kit)
    assert making.fault("book", kit) == ""
    (kit / "README.md").write_text("no source of it", encoding="utf-8")
    checkpoint = kit / "notebooks" / ".ipynb_checkpoints" / "01.ipynb"
    checkpoint.parent.mkdir()
    checkpoint.touch()
    assert making.fault("book", kit) == ""


@pytest.mark.parametrize("name", ["notebooks/01.ipynb", "src/helpers/plots.py", "src/new.py"])
def test_an_edition_of_other_sources_is_not_tested(kit, name):
    make(kit)
    (kit / name).write_text("changed", encoding="utf-8")
    assert "was made from other files" in making.fault("book", kit)
    make(kit)
    assert making.fault("book", kit) == ""


def test_a_renamed_file_is_another_source(kit):
    make(kit)
    (kit / "notebooks" / "01.ipynb").rename(kit / "notebooks" / "02.ipynb")
    assert "was made from other files" in making.fault("book", kit)


def test_an_interrupted_build_leaves_the_old_edition(kit):
    make(kit, "old")
    with pytest.raises(KeyboardInterrupt), making.made_whole("book", kit) as folder:
        (folder / "index.html").write_text("half", encoding="utf-8")
        raise KeyboardInterrupt
    assert (kit / "editions" / "book" / "index.html").read_text(encoding="utf-8") == "old"
    assert [path.name for path in (kit / "editions").iterdir()] == ["book"]


def test_what_changes_while_an_edition_is_made_makes_it_old(kit):
    with making.made_whole("book", kit):
        (kit / "notebooks" / "01.ipynb").write_text("changed meanwhile", encoding="utf-8")
    assert "was made from other files" in making.fault("book", kit)


def test_editions_are_tested_only_when_that_is_asked_for(kit, monkeypatch):
    make(kit)
    monkeypatch.setattr(making.fault, "__defaults__", (kit,))
    monkeypatch.setenv("EDITIONS", "1")
    assert reason_to_skip("book") == ""
    assert "is not made" in reason_to_skip("lite")
    monkeypatch.delenv("EDITIONS")
    assert "make test-editions" in reason_to_skip("book")


def test_what_a_program_says_last_is_told_on_one_line(tmp_path):
    with pytest.raises(
        Problem, match=r"^nowhere a: .*No module named nowhere; run this in a clone"
    ):
        making.run("nowhere", "a", cwd=tmp_path)
    (tmp_path / "shouts.py").write_text(
        "import sys\nsys.exit('a warning\\nERROR: all is\\n  lost')", encoding="utf-8"
    )
    with pytest.raises(Problem, match=r"^shouts now: ERROR: all is lost; run this"):
        making.run("shouts", "now", cwd=tmp_path)


@pytest.mark.parametrize(
    ("name", "package"), [("book", "jupyter_book.sphinx"), ("lite", "jupyterlite_core")]
)
def test_a_package_that_is_missing_is_one_sentence(monkeypatch, capsys, name, package):
    monkeypatch.setitem(sys.modules, package, None)  # as if it were not installed
    assert run.main(["--edition", name]) == 2
    [told] = capsys.readouterr().err.splitlines()
    assert re.match(rf"{name}: .*{package.split('.')[0]}.*; run make {name}, or pip install", told)
