"""What stands in the editions follows from the chapters, and no answer goes to learners."""

import ast
import json
import posixpath
import re
import subprocess
import sys

import course
import nbformat
import prose
import pytest
import run
from bs4 import BeautifulSoup
from editions import contents

from helpers.classroom import checks

COURSE, PARTS = course.chapters(), course.short()
LESSON = course.lesson()["file"]
LEARNER, TEACHER, SHORT = contents.learner(), contents.teacher(), contents.short()
PRINTED = contents.short(with_outputs=True)[LESSON]
#: The first chapters, which the lesson of 45 minutes is made of.
FIRST = [chapter for chapter in COURSE if chapter.number is not None and chapter.number <= 4]
every_edition = pytest.mark.parametrize(
    "edition", [LEARNER, TEACHER, SHORT], ids=["learner", "teacher", "short"]
)
every_chapter = pytest.mark.parametrize("chapter", COURSE, ids=[c.id for c in COURSE])


def cells(text, kind=None):
    found = json.loads(text)["cells"]
    for cell in found:
        cell["text"] = "".join(cell["source"])
    return [cell for cell in found if kind in (None, cell["cell_type"])]


def tagged(tag):
    """The cells of the first chapters that have a tag, each with its chapter's id."""
    return [
        (chapter.id, cell)
        for chapter in FIRST
        for cell in prose.cells(course.HERE / chapter.file)
        if tag in cell["metadata"].get("tags", [])
    ]


def as_words(text):
    return re.sub(r"\[([^]]+)\]\([^)]*\)", r"\1", text)


@every_edition
def test_what_is_made_twice_is_equal(edition):
    made = {"learner": contents.learner, "teacher": contents.teacher, "short": contents.short}
    [again] = [make for name, make in made.items() if edition is globals()[name.upper()]]
    assert again() == edition


@every_edition
def test_notebooks_are_valid_and_numbered_anew(edition):
    for name, text in edition.items():
        if name.endswith(".ipynb"):
            nbformat.validate(nbformat.reads(text, as_version=4))
            assert [cell["id"] for cell in cells(text)] == [
                f"cell-{number:02}" for number in range(len(cells(text)))
            ]


@every_edition
def test_links_in_an_edition_lead_to_what_is_in_it(edition):
    names = {*edition, *(posixpath.dirname(name) for name in edition)}
    for name, text in edition.items():
        told = text
        if name.endswith(".ipynb"):
            told = "\n".join(cell["text"] for cell in cells(text, "markdown"))
        for link in re.findall(r"\]\(([^)#:\s]+)(?:#[^)\s]*)?\)", told):
            path = posixpath.normpath(posixpath.join(posixpath.dirname(name), link))
            assert path in names, f"{name}: {link}"


# --------------------------------------------------------------------- for learners


def test_a_learner_gets_every_notebook_but_the_solutions_and_no_output():
    names = {path.relative_to(course.HERE).as_posix() for path in course.notebooks()}
    assert LEARNER.keys() == {name for name in names if not name.startswith("solutions/")}
    for text in (*LEARNER.values(), *SHORT.values()):
        for cell in cells(text, "code"):
            assert not cell["outputs"]
            assert cell["execution_count"] is None


def test_nothing_but_what_leads_to_solutions_is_left_out_for_a_learner():
    dropped = []
    for name, text in LEARNER.items():
        pairs = zip(prose.cells(course.HERE / name), cells(text), strict=True)
        for before, after in pairs:
            if before["text"] != after["text"]:
                kept = after["text"].splitlines()
                dropped += [line for line in before["text"].splitlines() if line not in kept]
    dropped = [line for line in dropped if line.strip()]
    assert len(dropped) == sum(bool(chapter.solutions) for chapter in COURSE) + 1
    assert all("](solutions/" in line for line in dropped)


@pytest.mark.parametrize("edition", [LEARNER, SHORT], ids=["learner", "short"])
def test_no_answer_goes_to_learners(edition):
    exercises = 0
    for text in edition.values():
        assert "solutions/" not in text
        for cell in cells(text, "code"):
            if found := re.search(r"^checks\.(\w+)\(\1\)\Z", cell["text"], re.MULTILINE):
                assert cell["text"] == checks.stub(found[1])
                exercises += 1
            else:
                assert not re.search(r"^checks\.", cell["text"], re.MULTILINE)
    assert exercises == (1 if edition is SHORT else len(checks.EXERCISES))


def test_paragraphs_and_items_that_lead_to_solutions_are_left_out():
    text = "One.\n\n- a\n- b [x](solutions/1.ipynb), and\n  more\n- c\n\n[y](../solutions/2.ipynb)\n\nTwo."
    assert contents._without_answers(text) == "One.\n\n- a\n- c\n\nTwo."  # the rare cases
    assert contents._without_answers("[x](solutions/1.ipynb)\n\nOne.") == "One."


# --------------------------------------------------------------------- the lesson of 45 minutes


def test_every_cell_with_the_tag_stands_in_the_lesson_in_order():
    told = [c["text"] for c in cells(PRINTED)[2:-1] if not c["text"].startswith("## ")]
    assert told == [as_words(cell["text"]) for _, cell in tagged("short")]


def test_the_parts_of_the_lesson_are_those_of_course_toml():
    assert [id for id, _ in tagged("part")] == [part.chapter for part in PARTS]
    assert [cell for _, cell in tagged("part") if "short" not in cell["metadata"]["tags"]] == []
    headings = re.findall(r'"## (.+) \((\d+) minutes\)', PRINTED)
    assert headings == [(part.title, str(part.minutes)) for part in PARTS]
    first = cells(PRINTED)[0]["text"]
    assert "**Time**: 45 minutes" in first
    rows = re.findall(r"^\| (\d\. .+) \| (\d+) \|$", first, re.MULTILINE)
    assert rows == headings
    assert sum(int(minutes) for _, minutes in rows) == 45


def test_the_lesson_is_a_lesson(tmp_path):
    path = tmp_path / LESSON
    path.write_text(PRINTED, encoding="utf-8")
    assert prose.minutes(path) == pytest.approx(45, rel=0.25)
    lines = prose.lengths(path)
    assert max(lines) <= 15
    code = prose.cells(path, "code")
    guesses = [number for number, cell in enumerate(code) if cell["text"].startswith("guess")]
    assert 1 <= len(guesses) <= 3
    assert all("guess" in code[number + 1]["text"] for number in guesses)
    assert "results.note(" not in PRINTED, "the lesson has no table of its numbers"
    told = prose.text(path).rpartition("**Go on.**")[0]
    assert not re.search(r"[Cc]hapter [1-9]", told), "it is not in this lesson"
    links = re.findall(r"^- chapter (\d): \[(.+)\]\((.+)\)$", course.lesson()["closing"], re.M)
    used = [c for c in COURSE if c.id in {part.chapter for part in PARTS}]
    assert links == [(str(c.number), c.title, c.file) for c in used]


def test_the_lesson_imports_what_it_uses_as_the_chapters_do():
    def imported(code):
        nodes = [n for n in ast.walk(ast.parse(code)) if isinstance(n, ast.Import | ast.ImportFrom)]
        return {
            (getattr(node, "module", None), name.name, name.asname)
            for node in nodes
            for name in node.names
        }

    set_up, *others = cells(PRINTED, "code")
    chapters = "\n".join(
        cell["text"] for c in FIRST for cell in prose.cells(course.HERE / c.file, "code")
    )
    assert imported(set_up["text"]) <= imported(chapters)
    used = {
        node.id
        for cell in others
        for node in ast.walk(ast.parse(cell["text"]))
        if isinstance(node, ast.Name)
    }
    names = {asname or name for _, name, asname in imported(set_up["text"])}
    assert names - {"datasets"} <= used
    for line in set_up["text"].split("\n\n")[1].splitlines():
        assert line in chapters


@pytest.mark.slow
def test_the_lesson_runs_and_gives_the_outputs_of_the_chapters(tmp_path):
    (tmp_path / LESSON).write_text(PRINTED, encoding="utf-8")
    options = ["-q", "-p", "no:cacheprovider", "--nbval", "--nbval-current-env"]
    command = [sys.executable, "-m", "pytest", *options, "--rootdir", str(tmp_path), LESSON]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout
    assert f"{len(cells(PRINTED, 'code'))} passed" in done.stdout


def test_the_page_to_print_has_the_minutes_and_the_figures(tmp_path):
    run.write_lesson(tmp_path)
    page = (tmp_path / LESSON).with_suffix(".html").read_text(encoding="utf-8")
    soup = BeautifulSoup(page, "html.parser")
    headings = [heading.text for heading in soup.select("h2")]
    for part in PARTS:
        assert any(f"{part.title} ({part.minutes} minutes)" in heading for heading in headings)
    assert len(soup.select("img")) >= 6
    assert all(len(image["alt"]) >= 20 for image in soup.select("img"))
    assert not soup.select("nav")


# --------------------------------------------------------------------- for teachers


def is_note(cell):
    return cell["text"].startswith("> **For the teacher: ")


@every_chapter
def test_a_teacher_gets_the_chapter_and_nothing_else_but_what_is_marked(chapter):
    before = prose.cells(course.HERE / chapter.file)
    after = [cell for cell in cells(TEACHER[chapter.file]) if not is_note(cell)]
    solved = [cell for cell in after if cell["text"] not in {c["text"] for c in before}]
    for cell in after:  # minutes stand below headings
        cell["text"] = re.sub(r"\n\n> \*\*For the teacher: \d+ minutes, .*", "", cell["text"])
    kept = [cell for cell in after if cell["text"] in {c["text"] for c in before}]
    assert [cell["text"] for cell in kept] == [cell["text"] for cell in before]
    outputs = [[c.get("outputs") for c in told] for told in (before, kept)]
    assert outputs[0] == outputs[1]
    if chapter.solutions:
        solutions = {c["text"] for c in prose.cells(course.solutions_of(chapter), "code")}
        assert {c["text"] for c in solved if c["cell_type"] == "code"} <= solutions


@every_chapter
def test_a_teacher_gets_answers_misconceptions_and_minutes_in_the_chapter(chapter):
    told = cells(TEACHER[chapter.file])
    parts = course.guide_of(chapter).read_text("utf-8").split("\n## ")[1:]
    answers, wrong, timing = (part.partition("\n")[2] for part in parts)
    quoted = {note["text"].splitlines()[0]: note for note in told if is_note(note)}

    def words(text):
        return re.findall(r"\w+", as_words(text))

    for title, text, place in (
        ("what learners get wrong", wrong, told[1]),
        ("minutes", timing, told[2]),
        ("answers to the three questions", answers, told[-1]),
    ):
        note = quoted[f"> **For the teacher: {title}**"]
        assert note == place
        assert words(note["text"].partition("\n")[2]) == words(text)
    minutes = re.findall(r"For the teacher: (\d+) minutes, ", TEACHER[chapter.file])
    assert len(minutes) == timing.count("\n|") - 2  # the head of the table
    assert sum(map(int, minutes)) == chapter.minutes


@pytest.mark.parametrize("name", [*(c.file for c in COURSE if c.solutions), LESSON])
def test_every_exercise_has_its_solution_after_it(name):
    told, found = cells(TEACHER[name]), 0
    for number, cell in enumerate(told):
        stub = re.search(r"^checks\.(\w+)\(\1\)\Z", cell["text"], re.MULTILINE)
        if stub and cell["text"] == checks.stub(stub[1]):
            note, *others = told[number + 1 :]
            answer = next(cell for cell in others if f"checks.{stub[1]}({stub[1]})" in cell["text"])
            assert is_note(note)
            for misconception in checks.exercise(stub[1]).misconceptions:
                assert misconception["belief"] in note["text"]
            assert answer["outputs"][0]["text"][0].startswith("Right: ")
            found += 1
    assert found >= 1
    unchecked = [cell for cell in told if "(Without a check" in cell["text"]]
    for cell in unchecked:
        assert "**For the teacher: a solution**" in told[told.index(cell) + 1]["text"]


@pytest.mark.parametrize("chapter", [c for c in COURSE if c.solutions], ids=lambda c: c.id)
def test_solutions_run_in_their_chapter(chapter):
    """They import nothing that the chapter has not imported, and stand behind its imports."""
    imports = prose.cells(course.solutions_of(chapter), "code")[0]["text"]
    names = {alias.asname or alias.name for n in ast.parse(imports).body for alias in n.names}
    code = "\n".join(
        cell["text"]
        for cell in prose.cells(course.HERE / chapter.file, "code")
        if "%" not in cell["text"].splitlines()[0]
    )
    nodes = [n for n in ast.walk(ast.parse(code)) if isinstance(n, ast.Import | ast.ImportFrom)]
    assert names <= {alias.asname or alias.name for node in nodes for alias in node.names}


def test_a_teacher_gets_the_guide_and_what_is_more():
    guides = {f"guide/{path.name}" for path in course.HERE.glob("guide/*.md")}
    more = {f"more/{path.name}" for path in course.HERE.glob("more/*.ipynb")}
    assert guides | more | {LESSON, "guide/teachers.md"} <= TEACHER.keys()
