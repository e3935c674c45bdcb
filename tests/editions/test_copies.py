"""A learner's copy of the chapters: made, kept, updated, and put back."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import course
import pytest
import run
from editions import contents, copies

from helpers import Problem

ROOT = course.HERE.parent
COURSE = course.chapters()
FIRST, SECOND = "01-one.ipynb", "02-two.ipynb"
SOLUTION = "solutions/02-solutions.ipynb"


def write(path, *sources, ran=False):
    outputs = [{"output_type": "stream", "name": "stdout", "text": ["42"]}] if ran else []
    cells = [
        {
            "cell_type": "code",
            "id": f"cell-{number}",
            "metadata": {},
            "source": source.splitlines(keepends=True),
            "execution_count": number if ran else None,
            "outputs": outputs,
        }
        for number, source in enumerate(sources, start=1)
    ]
    path.parent.mkdir(parents=True, exist_ok=True)
    notebook = {"cells": cells, "metadata": {}, "nbformat": 4, "nbformat_minor": 5}
    path.write_text(json.dumps(notebook), encoding="utf-8")


def sources(path):
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    return ["".join(cell["source"]) for cell in cells]


@pytest.fixture
def kit(tmp_path):
    """The chapters of a small course."""
    write(tmp_path / "notebooks" / FIRST, "1", ran=True)
    write(tmp_path / "notebooks" / SECOND, "2", "...", ran=True)
    write(tmp_path / "notebooks" / SOLUTION, "the answer", ran=True)
    return tmp_path / "notebooks"


@pytest.fixture
def make(kit):
    """`make()`: the learner's copy of the small course, made or brought up to date."""
    return lambda: copies.make("learner", kit, kit.parent / "editions")


@pytest.fixture
def again(kit):
    """`again(number)`: the original of a chapter is put back into that copy."""
    return lambda number: copies.again(number, kit, kit.parent / "editions")


def content(folder):
    return {
        p.relative_to(folder).as_posix(): p.read_bytes() for p in folder.rglob("*") if p.is_file()
    }


def test_what_a_learner_did_is_kept_between_starts(make, capsys):
    folder = make()
    write(folder / FIRST, "1", ran=True)  # run, and not changed
    write(folder / SECOND, "2", "return 2")
    write(folder / "notes.ipynb", "mine")
    before = content(folder)
    assert make() == folder
    assert content(folder) == before
    assert capsys.readouterr().out == ""


def test_a_new_version_replaces_what_is_unchanged_and_is_laid_beside_what_was_changed(
    make, kit, capsys
):
    folder = make()
    write(folder / FIRST, "1", ran=True)
    write(folder / SECOND, "2", "return 2")
    write(kit / FIRST, "one")
    write(kit / SECOND, "two", "...")
    make()
    assert sources(folder / FIRST) == ["one"]
    assert sources(folder / SECOND) == ["2", "return 2"]
    assert sources(folder / "02-two.new.ipynb") == ["two", "..."]
    assert capsys.readouterr().out == (
        "02-two.ipynb: the kit has a new version, 02-two.new.ipynb; yours stays as it is.\n"
    )
    (folder / "02-two.new.ipynb").unlink()  # not wanted
    make()
    assert not (folder / "02-two.new.ipynb").exists()
    assert capsys.readouterr().out == ""


def test_a_chapter_that_was_run_to_its_end_is_unchanged(make, kit):
    """Who runs the last cell with Shift and Enter gets an empty one below it."""
    folder = make()
    write(folder / FIRST, "1", "", " \n", ran=True)
    write(kit / FIRST, "one")
    make()
    assert sources(folder / FIRST) == ["one"]
    assert not (folder / "01-one.new.ipynb").exists()


def test_a_new_version_that_was_changed_is_not_overwritten_either(make, kit):
    folder = make()
    write(folder / SECOND, "mine")
    write(kit / SECOND, "two")
    make()
    write(kit / SECOND, "two, mended")
    make()
    assert sources(folder / "02-two.new.ipynb") == ["two, mended"]
    write(folder / "02-two.new.ipynb", "mine, too")
    write(kit / SECOND, "two, mended again")
    make()
    assert sources(folder / SECOND) == ["mine"]
    assert sources(folder / "02-two.new.ipynb") == ["mine, too"]
    assert sources(folder / "02-two.new-2.ipynb") == ["two, mended again"]


@pytest.mark.parametrize("spoilt", [None, "", "[]", '{"02-two.ipynb": 3}', "\0"])
def test_nothing_is_overwritten_where_the_list_of_versions_is_lost_or_spoilt(make, kit, spoilt):
    folder = make()
    write(folder / SECOND, "mine")
    write(kit / SECOND, "two")
    record = folder.parent / "learner.json"
    record.unlink() if spoilt is None else record.write_text(spoilt, encoding="utf-8")
    make()
    assert sources(folder / SECOND) == ["mine"]
    assert sources(folder / "02-two.new.ipynb") == ["two"]


def test_a_notebook_that_cannot_be_read_counts_as_changed(make, kit):
    folder = make()
    (folder / FIRST).write_bytes(b"\xff half a notebo")
    (folder / SECOND).write_text('{"cells": [3]}', encoding="utf-8")
    before = content(folder)
    write(kit / FIRST, "one")
    write(kit / SECOND, "two")
    make()
    assert {name: content(folder)[name] for name in before} == before


def test_a_start_that_was_cut_short_is_made_good(make, kit, monkeypatch):
    def stop(path, text):
        if path.name == SECOND:
            raise KeyboardInterrupt
        write_text(path, text)

    folder = make()
    write(kit / FIRST, "one")
    write(kit / SECOND, "two")
    write_text = copies.write_text
    monkeypatch.setattr(copies, "write_text", stop)
    with pytest.raises(KeyboardInterrupt):
        make()
    monkeypatch.undo()
    make()
    assert [sources(folder / name) for name in (FIRST, SECOND)] == [["one"], ["two"]]
    write(kit / FIRST, "one, mended")
    make()
    assert sources(folder / FIRST) == ["one, mended"]
    assert not list(folder.glob("*.new*"))


def test_a_chapter_that_left_the_course_goes_unless_it_was_changed(make, kit, capsys):
    folder = make()
    write(folder / SECOND, "mine")
    for name in (FIRST, SECOND):
        (kit / name).rename(kit / name.replace("0", "1"))
    make()
    assert sorted(path.name for path in folder.glob("*.ipynb")) == [
        *("02-two.ipynb", "11-one.ipynb", "12-two.ipynb")
    ]
    assert capsys.readouterr().out == "02-two.ipynb: no longer in the course; yours stays.\n"
    make()
    assert sources(folder / SECOND) == ["mine"]
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize("mine", [False, True])
def test_solutions_that_an_earlier_kit_laid_go_unless_they_were_changed(
    make, kit, monkeypatch, capsys, mine
):
    def as_before(source):
        found = contents.learner(source)
        return found | {SOLUTION: (source / SOLUTION).read_text(encoding="utf-8")}

    place = kit.parent / "editions"
    monkeypatch.setitem(copies.EDITIONS, "learner", as_before)
    folder = copies.make("learner", kit, place)
    monkeypatch.undo()
    assert sources(folder / SOLUTION) == ["the answer"]
    if mine:
        write(folder / SOLUTION, "my answer")
    assert make() == folder
    assert (folder / SOLUTION).exists() == (folder / SOLUTION).parent.exists() == mine
    told = f"{SOLUTION}: no longer in the course; yours stays.\n"
    assert capsys.readouterr().out == (told if mine else "")


def test_what_a_teacher_changed_is_kept_and_the_new_version_is_laid_beside_it(
    tmp_path, monkeypatch, capsys
):
    folder = copies.make("teacher", place=tmp_path)
    [guide] = folder.glob("guide/02.md")
    guide.write_text("mine", encoding="utf-8")
    write(folder / COURSE[2].file, "mine")

    def next_year(source):
        found = contents.teacher(source)
        found["guide/02.md"] += "more"
        found[COURSE[2].file] = found[COURSE[3].file]
        return found

    monkeypatch.setitem(copies.EDITIONS, "teacher", next_year)
    copies.make("teacher", place=tmp_path)
    assert guide.read_text(encoding="utf-8") == "mine"
    assert sources(folder / COURSE[2].file) == ["mine"]
    assert (folder / "guide" / "02.new.md").is_file()
    assert capsys.readouterr().out.count("the kit has a new version") == 2


def test_the_original_comes_back_and_ones_own_stays_beside_it(make, kit, again, capsys):
    folder = make()
    write(folder / SECOND, "mine")
    again("02")
    assert sources(folder / SECOND) == ["2", "..."]
    assert sources(folder / "02-two.mine.ipynb") == ["mine"]
    assert capsys.readouterr().out == (
        "02-two.ipynb: yours is now 02-two.mine.ipynb.\n02-two.ipynb: the original is back.\n"
    )
    write(folder / SECOND, "mine, once more")
    write(kit / SECOND, "two")
    make()
    again("2")
    assert sources(folder / SECOND) == ["two"]
    assert sources(folder / "02-two.mine.ipynb") == ["mine"]
    assert sources(folder / "02-two.mine-2.ipynb") == ["mine, once more"]
    assert not (folder / "02-two.new.ipynb").exists()
    again("2")
    assert len(list(folder.glob("*.ipynb"))) == 4
    before = content(folder)
    make()
    assert content(folder) == before


def test_the_original_of_what_ran_comes_back_without_outputs_and_leaves_nothing_beside(make, again):
    folder = make()
    before = content(folder)
    write(folder / SECOND, "2", "...", ran=True)
    (folder / FIRST).unlink()
    again("1")
    again("2")
    assert content(folder) == before


@pytest.mark.parametrize("number", ["7", "two", "0", "../02", "02-two"])
def test_a_number_that_no_chapter_has_is_a_problem(make, again, number):
    before = content(make())
    with pytest.raises(Problem, match="no chapter has this number"):
        again(number)
    assert content(make()) == before


def test_run_puts_a_chapter_back_by_its_number(make, kit, monkeypatch, capsys):
    monkeypatch.setattr(copies.again, "__defaults__", (kit, kit.parent / "editions"))
    folder = make()
    write(folder / SECOND, "mine")
    assert run.main(["--again", "02"]) == 0
    assert sources(folder / SECOND) == ["2", "..."]
    assert run.main(["--again", "72"]) == 2
    assert "72: no chapter has this number" in capsys.readouterr().err


def test_chapters_find_the_data_from_the_copy(tmp_path, monkeypatch):
    folder = copies.make("learner", place=tmp_path / "editions")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "archive.zip").touch()
    monkeypatch.setenv("FINGERPRINTS_DATA", "here")
    monkeypatch.setenv("CALTECH_101_MIRROR", "archive.zip")
    kernels, options = run.lab_options("sample", folder)
    assert kernels.pop("JUPYTER_CONFIG_PATH")
    assert kernels == {
        "DATASET": "sample",
        "FINGERPRINTS_DATA": str(tmp_path / "here"),
        "CALTECH_101_MIRROR": str(tmp_path / "archive.zip"),
    }
    [opened] = [text.partition("/lab/tree/")[2] for text in options if "/lab/tree/" in text]
    assert (folder / opened).is_file()
    assert opened.startswith("00-")


@pytest.mark.parametrize(
    ("names", "opened"),
    [(["lesson", "chapter"], COURSE[0].file), (["lesson"], course.lesson()["file"])],
    ids=["teacher", "short"],
)
def test_lab_opens_the_first_notebook_of_an_edition(tmp_path, names, opened):
    files = {"lesson": course.lesson()["file"], "chapter": COURSE[0].file}
    for name in names:
        (tmp_path / files[name]).touch()
    _, options = run.lab_options("sample", tmp_path)
    assert f"--LabApp.default_url=/lab/tree/{opened}" in options


def test_jupyterlab_shows_a_learner_the_lesson_and_nothing_else(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(copies, "PLACE", tmp_path)
    monkeypatch.setattr(copies.make, "__defaults__", (course.HERE, tmp_path))
    monkeypatch.setattr(run, "write_page", lambda notebook, page: page.touch())
    assert run.main(["--edition", "short"]) == 0
    assert [path.name for path in (tmp_path / "short").iterdir()] == [course.lesson()["file"]]
    page = (tmp_path / course.lesson()["file"]).with_suffix(".html")
    assert page.is_file()
    assert str(page) in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "named", "opened"),
    [
        (["--edition", "short"], "", "sample"),
        (["--edition", "short"], "caltech-101", "caltech-101"),
        (["--edition", "short", "--dataset", "caltech-101"], "", "caltech-101"),
        (["--edition", "teacher"], "", "caltech-101"),
        ([], "", "caltech-101"),
        ([], "sample", "sample"),
    ],
)
def test_the_lesson_downloads_nothing_unless_a_dataset_is_named(monkeypatch, words, named, opened):
    monkeypatch.setenv("DATASET", named)
    monkeypatch.setattr(run, "make_edition", lambda name: None)
    datasets = []
    monkeypatch.setattr(run, "open_lab", lambda dataset, edition: datasets.append(dataset))
    assert run.main(["--lab", *words]) == 0
    assert datasets == [opened]


def test_what_a_learner_changes_is_not_for_git():
    if not shutil.which("git") or not (ROOT / ".git").exists():
        pytest.skip("this is not a clone")
    names = ["editions/learner/01-mine.ipynb", "editions/learner.json"]
    told = subprocess.run(
        ["git", "check-ignore", *names], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert told.stdout.split() == names


def test_make_clean_leaves_what_learners_wrote(tmp_path):
    if not shutil.which("make"):
        pytest.skip("there is no make")
    shutil.copy(ROOT / "Makefile", tmp_path)
    names = (".venv/ready", "pages/index.html", "editions/learner/01-mine.ipynb", "data/a.jpg")
    for name in names:
        (tmp_path / name).parent.mkdir(parents=True)
        (tmp_path / name).touch()
    command = ["make", "clean", f"PYTHON={Path(sys.executable).as_posix()}"]
    subprocess.run(command, cwd=tmp_path, check=True, capture_output=True)
    assert [name for name in names if (tmp_path / name).exists()] == list(names[2:])
