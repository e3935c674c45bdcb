"""The anatomy that every notebook keeps. (nbval runs them; this reads them.)"""

import argparse
import ast
import html
import json
import os
import re
import shlex
import shutil
import textwrap
from importlib import import_module
from itertools import groupby
from pathlib import Path

import course
import nbformat
import pytest
import run
from bs4 import BeautifulSoup
from editions import contents
from prose import cells
from prose import text as prose

from helpers import Problem, datasets
from helpers.__main__ import COMMANDS
from helpers.classroom import checks, results

HERE = Path(course.__file__).parent
COURSE = course.chapters()
#: The chapters with exercises, then those of `course.MORE`, which have none.
CHAPTERS = {HERE / c.file: c for c in COURSE if c.solutions}
LESSONS = CHAPTERS | {HERE / c.file: c for c in COURSE if c.part == course.MORE}
START = HERE / COURSE[0].file
GLOSSARY = HERE / "more" / "glossary.ipynb"
#: The notes for teachers on each chapter; `guide/teachers.md` is about the whole course.
GUIDES = {course.guide_of(c): c for c in COURSE}
SOLUTIONS = {HERE / "solutions" / c.solutions: path for path, c in CHAPTERS.items()}
ALL = course.notebooks()


def named(paths):
    return pytest.mark.parametrize(
        "path", paths, ids=[path.relative_to(HERE).stem for path in paths]
    )


def printed(cell):
    return "".join("".join(output.get("text", "")) for output in cell["outputs"])


def test_every_notebook_is_in_the_course():
    found = {*HERE.glob("*.ipynb"), *HERE.glob("more/*.ipynb"), *HERE.glob("solutions/*.ipynb")}
    assert set(ALL) == found
    assert len(LESSONS) == len(COURSE) - 1  # all but the start
    assert 1 < len(SOLUTIONS) == len(CHAPTERS)


def test_some_chapters_are_named_by_how_their_files_begin():
    some = [path.relative_to(HERE).as_posix() for path in course.notebooks_of(["05", "more/t"])]
    assert some == [
        "05-search-faster.ipynb",
        "more/trees-and-clocks.ipynb",
        "solutions/05-solutions.ipynb",
    ]
    assert course.notebooks_of([]) == ALL
    with pytest.raises(Problem, match="55: no chapter's file begins so"):
        course.notebooks_of(["05", "55"])


def test_chapters_are_numbered_in_the_order_of_the_course_and_need_only_earlier_ones():
    ids = [chapter.id for chapter in COURSE]
    assert len(set(ids)) == len(ids)
    more = [chapter for chapter in COURSE if chapter.part == course.MORE]
    assert COURSE[-len(more) :] == more
    for number, chapter in enumerate(COURSE[: -len(more)]):
        assert chapter.number == number
        assert set(chapter.needs) <= set(ids[:number])
    for chapter in more:
        assert chapter.number is None
        assert chapter.file.startswith("more/")
        assert set(chapter.needs) < set(ids[: -len(more)])


def test_every_chapter_says_where_on_the_way_it_stands():
    for chapter in COURSE:
        assert set(chapter.stand) <= set(course.WAY)
        opening = cells(HERE / chapter.file)[0]["text"].splitlines()
        bold = [f"**{at}**" if at in chapter.stand else at for at in course.WAY]
        assert opening[2] == " → ".join(bold)
    assert {at for chapter in COURSE for at in chapter.stand} == set(course.WAY)


def test_headings_tables_and_links_are_those_of_the_course():
    names = [path.name for path in course.out_of_step()]
    assert not names, f"run python notebooks/run.py --links, which changes {', '.join(names)}"


def test_a_new_title_is_out_of_step_until_the_links_are_put_in_place(tmp_path):
    folder = tmp_path / "notebooks"
    shutil.copytree(HERE, folder, ignore=shutil.ignore_patterns("*.py", ".ipynb_checkpoints"))
    shutil.copy(HERE.parent / "README.md", tmp_path)
    course.put_in_place(folder)
    toml = folder / "course.toml"
    toml.write_text(
        toml.read_text(encoding="utf-8").replace("Clean a photo", "Tidy a photo"), "utf-8"
    )
    changed = {"README.md", *(f"{n:02}-" for n in (0, 8, 9, 10))}
    assert {
        p.name if p.suffix == ".md" else p.name[:3] for p in course.out_of_step(folder)
    } == changed
    course.put_in_place(folder)
    assert course.out_of_step(folder) == []
    opening = cells(folder / "09-clean-a-photo-library.ipynb")[0]["text"]
    assert opening.startswith("# 9. Tidy a photo")


def test_links_between_the_folders_of_chapters_lead_to_each_other():
    counted, more = COURSE[5], COURSE[-1]
    for one, other in ((counted, more), (more, counted), (more, COURSE[0]), (counted, COURSE[0])):
        name, path = re.fullmatch(r"\[(.+)\]\((.+)\)", one.link(other)).groups()
        assert name == other.name
        assert ((HERE / one.file).parent / path).resolve() == HERE / other.file


def test_pages_lead_to_the_index_and_to_each_other(tmp_path, monkeypatch):
    monkeypatch.setattr(run, "PAGES", tmp_path)
    (tmp_path / "index.html").write_text("the index", encoding="utf-8")
    link = "[Next](../05.ipynb#The-clock) [back](../../solutions/05.ipynb)"
    for page in (tmp_path / "05.html", tmp_path / "more" / "trees.html"):
        notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_markdown_cell(f"# A\n\n{link}")])
        run.write_page(notebook, page)
        soup = BeautifulSoup(page.read_text(encoding="utf-8"), "html.parser")
        links = [a["href"] for a in soup.select("a")]
        assert (page.parent / links[0]).resolve() == tmp_path / "index.html"
        assert links[-2:] == ["../05.html#The-clock", "../../solutions/05.html"]


def test_who_runs_some_chapters_is_told_where_the_first_page_is(
    tmp_path, monkeypatch, capsys, sample
):
    monkeypatch.setattr(run, "PAGES", tmp_path)
    monkeypatch.setattr(run, "execute", lambda path: (nbformat.read(path, as_version=4), ""))
    assert run.run_all(sample, course.notebooks_of(["more/g", "more/o"]), save=False)
    told = capsys.readouterr().out.splitlines()[-1]
    first, last = (tmp_path / "more" / f"{name}.html" for name in ("on-one-page", "glossary"))
    assert told.endswith(f"Open {first} in a browser.")
    assert first.is_file() and last.is_file()
    assert not (tmp_path / "index.html").exists()


@pytest.mark.slow
def test_too_few_pictures_end_a_chapter_and_are_no_failure(
    tmp_path, monkeypatch, capsys, photographs
):
    monkeypatch.setattr(run, "PAGES", tmp_path)
    chapter = next(path for path in run.chapters() if path.name.startswith("01"))
    monkeypatch.setenv("DATASET", str(photographs))
    assert run.run_all(datasets.own_folder(photographs), [chapter], save=False)
    told = r"photographs: has 8 pictures to work with, and this chapter needs 17; write datasets"
    assert told.split(": ")[1] in capsys.readouterr().out
    page = (tmp_path / chapter.name).with_suffix(".html").read_text(encoding="utf-8")
    assert "this chapter needs 17" in page
    assert "Traceback" not in page


@pytest.mark.slow
def test_a_chapter_ends_with_a_sentence_where_its_extra_is_missing(tmp_path, monkeypatch):
    (tmp_path / "distributed.py").write_text("raise ModuleNotFoundError(name='distributed')")
    monkeypatch.setenv(
        "PYTHONPATH", os.pathsep.join([str(tmp_path), os.environ.get("PYTHONPATH", "")])
    )
    chapter = tmp_path / "chapter.ipynb"
    code = ["from helpers.cluster import engine", "1 + 1"]
    nbformat.write(nbformat.v4.new_notebook(cells=[*map(nbformat.v4.new_code_cell, code)]), chapter)
    notebook, error = run.execute(chapter)
    assert not error
    assert run.ended_early(notebook).endswith('python -m pip install "image-fingerprints[cluster]"')
    assert not notebook.cells[1].outputs


@named(LESSONS)
def test_all_chapters_that_need_a_number_of_pictures_need_the_same(path):
    first = cells(path, "code")[0]["text"]
    assert re.findall(r"at_least=(\d+)", first) in ([], ["17"])


def test_a_chapter_can_be_added_to_what_is_not_counted(tmp_path):
    folder = tmp_path / "notebooks"
    shutil.copytree(HERE, folder, ignore=shutil.ignore_patterns("*.py", ".ipynb_checkpoints"))
    shutil.copy(HERE.parent / "README.md", tmp_path)
    shutil.copy(folder / COURSE[-1].file, folder / "more" / "new.ipynb")
    entry = """
        [[chapter]]
        id = "new"
        part = "More"
        file = "more/new.ipynb"
        title = "Something new"
        you_will = "see something new"
        minutes = 10
        stand = ["use"]
        needs = ["haystack"]
    """
    with (folder / "course.toml").open("a", encoding="utf-8") as opened:
        opened.write(entry)
    changed = [path.name for path in course.put_in_place(folder)]
    assert sorted(changed) == ["00-find-a-copy-in-ten-lines.ipynb", "README.md", "new.ipynb"]
    assert course.out_of_step(folder) == []
    opening, closing = (cells(folder / "more" / "new.ipynb")[end]["text"] for end in (0, -1))
    assert opening.startswith("# Something new\n\npicture → ")
    assert closing.endswith(f"Back to [{COURSE[1].name}](../{COURSE[1].file})")


@named([START, *LESSONS])
def test_the_opening_cell_has_the_minutes_and_the_needs_of_the_course(path):
    opening, chapter = cells(path)[0]["text"], (LESSONS | {START: COURSE[0]})[path]
    assert "<br>\n**Time**: " in opening, "it stands on a line of its own"
    time = opening.split("**Time**")[1].split(".")[0].split(";")[0]
    assert sum(map(int, re.findall(r"\d+", time))) == chapter.minutes
    need = opening.split("**You need**")[1].split("**Time**")[0]
    named = {int(number) for number in re.findall(r"(?<![\d.])\d+", need)}
    if "to" in need.split():
        named |= set(range(min(named), max(named)))
    numbers = {chapter.id: chapter.number for chapter in COURSE}
    assert named == {numbers[need] for need in chapter.needs}


@named(ALL)
def test_saved_from_one_clean_run(path):
    code = cells(path, "code")
    assert [cell["execution_count"] for cell in code] == list(range(1, len(code) + 1))
    outputs = [output for cell in code for output in cell["outputs"]]
    assert not [output for output in outputs if output["output_type"] == "error"]
    assert not [output for output in outputs if output.get("name") == "stderr"]
    assert "widget-view" not in json.dumps(outputs), "a progress bar was saved"


@named(ALL)
def test_no_path_of_the_machine_in_an_output(path):
    for cell in cells(path, "code"):
        text = json.dumps([{k: v for k, v in o.items() if k != "data"} for o in cell["outputs"]])
        text += json.dumps([o["data"].get("text/html", "") for o in cell["outputs"] if "data" in o])
        assert not re.search(r"/(home|root|tmp|Users|work)/|[A-Z]:\\\\", text)


@named(ALL)
def test_small_enough_for_a_clone(path):
    assert path.stat().st_size < 2_000_000


@named(LESSONS)
def test_first_code_cell_chooses_the_dataset(path):
    first = cells(path, "code")[0]
    assert 'datasets.choose("caltech-101"' in first["text"]
    assert "standing in for CALTECH-101" in printed(first)


def test_the_course_starts_with_a_copy_found_before_anything_is_fetched():
    code = cells(START, "code")
    chosen = [n for n, cell in enumerate(code) if 'datasets.choose("caltech-101")' in cell["text"]]
    lines = [line for cell in code[:2] for line in cell["text"].split("\n")]
    assert len(list(filter(None, lines))) <= 10
    assert "difference: 1 of 64 bits" in printed(code[1])
    assert any("image/png" in output.get("data", {}) for output in code[2]["outputs"])
    assert len(chosen) == 1
    assert "standing in for CALTECH-101" in printed(code[chosen[0]])


@named([START, *LESSONS])
def test_opening_and_closing_cell(path):
    opening, closing = cells(path)[0]["text"], cells(path)[-1]["text"]
    for part in ("# ", "**You will**", "**You will learn**", "**You need**", "minutes", ".ipynb)"):
        assert part in opening
    for part in ("## We learned", "**Three questions.**", "**Further reading.**"):
        assert part in closing


@named([START, *LESSONS])
def test_prose_stands_between_code(path):
    runs = [
        len(list(run))
        for kind, run in groupby(c["cell_type"] for c in cells(path))
        if kind == "code"
    ]
    assert max(runs) <= 3


@named(ALL)
def test_every_figure_has_alt_text(path):
    figures = [
        output
        for cell in cells(path, "code")
        for output in cell["outputs"]
        if "image/png" in output.get("data", {})
    ]
    for figure in figures:
        alt = figure["metadata"]["image/png"]["alt"]
        assert len(alt) >= 20
        assert "".join(figure["data"]["text/plain"]) == alt  # which nbval compares


@named([*ALL, *HERE.glob("guide/*.md")])
def test_links_lead_somewhere(path):
    text = prose(path) if path in ALL else path.read_text(encoding="utf-8")
    for link in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", text):
        assert (path.parent / link).exists(), link


@named(ALL)
def test_links_to_a_word_lead_to_its_heading(path):
    """JupyterLab and the pages find a heading by its own letters, with a hyphen for a space."""
    headings = re.findall(r"^## (.+)$", prose(GLOSSARY), re.MULTILINE)
    assert len(headings) == len({heading.lower() for heading in headings}) > 30
    inside = r"\]\(()#([^)]+)\)" if path == GLOSSARY else r"\]\(([^)#]*glossary\.ipynb)#([^)]+)\)"
    for _, anchor in re.findall(inside, prose(path)):
        assert anchor in {heading.replace(" ", "-") for heading in headings}


@named(GUIDES)
def test_teachers_have_answers_misconceptions_and_minutes_for_each_chapter(path):
    parts = dict(re.findall(r"^## (.+)\n((?:(?!## ).*\n)+)", path.read_text("utf-8"), re.MULTILINE))
    assert list(parts) == ["Answers", "What learners get wrong", "Timing"]
    assert re.findall(r"^(\d)\. ", parts["Answers"], re.MULTILINE) == ["1", "2", "3"]
    assert parts["What learners get wrong"].count("\n- ") >= 2
    rows = re.findall(r"^\| .+ \| (.+) \| (\d+) \|$", parts["Timing"], re.MULTILINE)
    assert sum(int(minutes) for _, minutes in rows) == GUIDES[path].minutes
    headings = re.findall(r"^## (.+)$", prose(HERE / GUIDES[path].file), re.MULTILINE)
    begins = [headings.index(heading) for heading, _ in rows]
    assert begins == sorted(begins)


@named([path for path in ALL if path not in SOLUTIONS])
def test_numbers_quoted_for_caltech_are_the_kept_ones(path):
    """A quoted number is followed by a comment with its name; readers do not see that."""
    kept = results.kept().set_index("name")["value"]
    text = prose(path).replace("none<!--", "0<!--")
    quotes = re.findall(r"(\d[\d.,]*)( %| of \d+)?[^\d<]{,12}<!--(\w+)-->", text)
    assert len(quotes) == text.count("<!--")
    for number, unit, name in quotes:
        number = number.replace(",", "")
        if unit == " %":
            assert float(number) == pytest.approx(float(kept[name]) * 100), name
        else:
            assert number + unit == kept[name] or float(number) == float(kept[name]), name


def test_the_page_to_print_has_each_command_as_the_command_line_takes_it():
    parser = argparse.ArgumentParser()
    commands = parser.add_subparsers()
    for name in COMMANDS:
        import_module(f"helpers.commands.{name}").add(commands)
    shown = prose(HERE / "more" / "on-one-page.ipynb").split("## Commands")[1]
    lines = [shlex.split(line) for line in re.findall(r"^\| `(.+?)` \| ", shown, re.MULTILINE)]
    assert {words[0] for words in lines} == set(COMMANDS)
    for words in lines:
        assert parser.parse_args(words)  # which would exit


def test_the_plans_for_teachers_add_up():
    minutes = {chapter.number: chapter.minutes for chapter in COURSE}
    text = (HERE / "guide" / "teachers.md").read_text(encoding="utf-8")
    plans = re.findall(r"^\| (?:a |half a ).*?\| ([\d, ]+) \| (\d+) \|", text, re.MULTILINE)
    assert len(plans) >= 4
    for numbers, told in plans:
        assert sum(minutes[int(number)] for number in numbers.split(", ")) == int(told), numbers


def test_the_teachers_hour_has_the_parts_of_the_short_lesson_and_what_its_guesses_meet():
    text = (HERE / "guide" / "teachers.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| (\d+) \| (.+) \|.*\|.*\| (.+) \|$", text, re.MULTILINE)
    titles = [(part.minutes, part.title.partition(". ")[2].lower()) for part in course.short()]
    assert [(int(minutes), part.lower()) for minutes, part, _ in rows] == titles
    outputs = [output for cell in contents.lesson()["cells"] for output in cell.get("outputs", [])]
    met = re.findall(r"the result +(\d+)", "".join("".join(o.get("text", "")) for o in outputs))
    assert [re.match(r"\d+", told)[0] for _, _, told in rows[:3]] == met


def test_the_semester_has_each_chapter_once_and_after_what_it_needs():
    text = (HERE / "guide" / "teachers.md").read_text(encoding="utf-8")
    weeks = re.findall(r"^\| (\d+) \| (\d+) \| (\d+) \|", text, re.MULTILINE)
    counted = [chapter for chapter in COURSE if chapter.number is not None]
    assert sorted(int(number) for _, number, _ in weeks) == [c.number for c in counted]
    place = {counted[int(number)].id: int(week) for week, number, _ in weeks}
    for _, number, told in weeks:
        chapter = counted[int(number)]
        assert chapter.minutes == int(told), number
        assert all(place[needed] < place[chapter.id] for needed in chapter.needs), number


@named(LESSONS)
def test_chapters_report_the_numbers_that_are_kept(path):
    kept = results.kept()
    kept = kept["meaning"][kept["chapter"] == LESSONS[path].id]
    outputs = [output for cell in cells(path, "code") for output in cell["outputs"]]
    shown = "".join("".join(output.get("data", {}).get("text/html", "")) for output in outputs)
    assert len(kept) > 0 or "results.show(" not in "".join(c["text"] for c in cells(path, "code"))
    for meaning in kept:
        assert f"<th>{html.escape(meaning, quote=False)}</th>" in shown


CHECK = re.compile(r"^checks\.(\w+)\(\1\)$", re.MULTILINE)


def stubs(path):
    """The cells of a chapter that wait for an answer, by the names of the exercises."""
    found = {}
    for cell in cells(path, "code"):
        if CHECK.search(cell["text"]):
            found[CHECK.search(cell["text"])[1]] = cell
    return found


def imported(path):
    """The names that a chapter has imported when a learner comes to its exercises."""
    names = {}
    for cell in cells(path, "code"):
        if "%" not in cell["text"]:
            nodes = ast.walk(ast.parse(cell["text"]))
            lines = [n for n in nodes if isinstance(n, ast.Import | ast.ImportFrom)]
            exec("\n".join(map(ast.unparse, lines)), names)
    return names


@named(CHAPTERS)
def test_exercises_wait_for_the_learner(path):
    assert 2 <= len(stubs(path)) <= 4
    for name, cell in stubs(path).items():
        assert cell["text"] == checks.stub(name), "run python notebooks/run.py --links"
        assert printed(cell).startswith("To do: ")


@named(CHAPTERS)
def test_an_answer_typed_where_the_stub_says_so_is_right(path, capsys):
    """As it is typed after a click behind the mark and Enter: with the cursor's indentation."""
    for name, cell in stubs(path).items():
        before, mark, after = cell["text"].partition("run this cell.\n")
        answer = textwrap.indent(checks.exercise(name).answer.strip(), "    ")
        exec(f"{before}{mark}{answer}\n{after}", imported(path))
        assert capsys.readouterr().out.startswith("Right: "), name


@named(CHAPTERS)
def test_what_a_check_shows_can_be_pasted_into_its_chapter(path):
    for name in stubs(path):
        what = checks.exercise(name)
        names = imported(path) | {name: what.function(what.answer)}
        for call in what.calls:
            eval(f"{name}({call})", names)


def test_every_exercise_stands_in_one_chapter():
    assert sorted(name for path in CHAPTERS for name in stubs(path)) == list(checks.EXERCISES)


@named(SOLUTIONS)
def test_solutions_solve_every_exercise_of_their_chapter(path):
    assert f"[Solutions](solutions/{path.name})" in prose(SOLUTIONS[path])
    source = "\n".join(cell["text"] for cell in cells(SOLUTIONS[path], "code"))
    asked = re.findall(r"^checks\.(\w+)\(", source, re.MULTILINE)
    solved = [
        re.search(r"^checks\.(\w+)\(", cell["text"], re.MULTILINE).group(1)
        for cell in cells(path, "code")
        if printed(cell).startswith("Right: ")
    ]
    assert solved == asked
    assert all(hasattr(checks, name) for name in asked)
