"""What stands in the editions that are notebooks: chapters, changed for those who get them.

Each function gives the text of each file, by its path in the edition.
"""

import json
import re
from collections.abc import Callable
from itertools import count
from pathlib import Path
from textwrap import indent

import course
from helpers.classroom import checks

#: The gap before a paragraph or before an item of a list.
_GAP = re.compile(r"(\n\s*\n|\n(?=\s*(?:[-*]|\d+\.) ))")
#: The check that ends the cell of an exercise, and what begins an exercise that has none.
_EXERCISE = re.compile(r"^checks\.(\w+)\(\1\)\Z|^\*\*(\d)\.\*\* \(Without a check", re.MULTILINE)


def without_outputs(notebook: dict) -> dict:
    """A notebook as it is before its first run."""
    for cell in notebook["cells"]:
        if cell["cell_type"] == "code":
            cell |= {"execution_count": None, "outputs": []}
    return notebook


def learner(source: Path = course.HERE) -> dict[str, str]:
    """The chapters without outputs and without answers."""
    notebooks = read(source, "*.ipynb", "more/*.ipynb")
    for notebook in notebooks.values():
        for cell in without_outputs(notebook)["cells"]:
            if cell["cell_type"] == "markdown":
                cell["source"] = _without_answers(_text(cell))
    return written(notebooks)


def short(source: Path = course.HERE, *, with_outputs: bool = False) -> dict[str, str]:
    """The lesson of 45 minutes, without answers. Its outputs tell what guesses are about."""
    told = lesson(source) if with_outputs else without_outputs(lesson(source))
    for cell in told["cells"]:  # it is alone in its folder, so what was a link becomes its words
        if cell["cell_type"] == "markdown":
            cell["source"] = re.sub(r"\[([^]]+)\]\([^)]+\)", r"\1", _text(cell))
    return written({course.lesson(source)["file"]: told})


def teacher(source: Path = course.HERE) -> dict[str, str]:
    """The chapters and the lesson with outputs, answers, misconceptions, minutes, and the guide."""
    notebooks = read(source, "*.ipynb", "more/*.ipynb", "solutions/*.ipynb")
    told, file = lesson(source), course.lesson(source)["file"]
    first = _note("before the lesson", "Read [the first page of the guide](guide/teachers.md).")
    told["cells"].insert(1, first)
    for chapter in course.chapters(source):
        notebook, found = notebooks[chapter.file], {}
        if chapter.solutions:
            found = solutions(notebooks[f"solutions/{chapter.solutions}"])
        folder = "../" * chapter.file.count("/") + "guide/"
        guide = course.guide_of(chapter, source).read_text("utf-8")
        guide = re.sub(r"\]\((?!https?:)", f"]({folder}", guide)
        notebook["cells"] = solved(_guided(notebook["cells"], guide), found, _told)
        told["cells"] = solved(told["cells"], found, _told)
    outside = re.compile(r"\[([^]]+)\]\(\.\./\.\./[^)]+\)")  # in the kit's other folders
    guides = {f"guide/{p.name}": p.read_text("utf-8") for p in sorted(source.glob("guide/*.md"))}
    guides = {name: outside.sub(r"\1", text) for name, text in guides.items()}
    return guides | written(notebooks | {file: told})


def lesson(source: Path = course.HERE) -> dict:
    """The notebook of the lesson of 45 minutes, with the outputs that its cells have elsewhere."""
    plan, parts, cells = course.lesson(source), iter(course.short(source)), []
    for chapter in course.chapters(source):
        notebook = json.loads((source / chapter.file).read_text("utf-8"))
        for cell in notebook["cells"]:
            tags = cell["metadata"].get("tags", [])
            if "part" in tags:
                cells.append(markdown(next(parts).told))
            if "short" in tags:
                cells.append(cell)
            if "datasets.choose(" in _text(cell):
                set_up = cell | {"source": plan["setup"]}  # it prints what this cell printed
    cells = [markdown(plan["opening"]), set_up, *cells, markdown(plan["closing"])]
    return notebook | {"cells": cells}


def _guided(cells: list[dict], guide: str) -> list[dict]:
    """The cells of a chapter with what its guide tells, and minutes below the headings."""
    parts = dict(re.findall(r"^## (.+)\n((?:(?!## ).*\n)+)", guide, re.MULTILINE))
    rows = re.findall(r"^\| (.+) \| (.+) \| (\d+) \|$", parts["Timing"], re.MULTILINE)
    for part, heading, minutes in rows:
        told = _text(_note(f"{minutes} minutes, {part}"))
        for cell in cells:
            above = f"\n## {heading}\n"
            cell["source"] = f"\n{_text(cell)}\n".replace(above, f"{above}\n{told}\n")[1:-1]
    wrong = _note("what learners get wrong", parts["What learners get wrong"])
    answers = _note("answers to the three questions", parts["Answers"])
    return [cells[0], wrong, _note("minutes", parts["Timing"]), *cells[1:], answers]


def solutions(notebook: dict) -> dict[str, list[dict]]:
    """The cells of each solution, by the exercise's number and by its name."""
    found = {}
    for cell in notebook["cells"][2:]:  # the first two are the title and the imports
        if begun := re.match(r"\*\*(\d)\.\*\*", _text(cell)):
            group = found[begun[1]] = []
        group.append(cell)
        if named := _EXERCISE.search(_text(cell)):
            found[named[1]] = group
    return found


def solved(
    cells: list[dict],
    solutions: dict[str, list[dict]],
    shown: Callable[[str | None, list[dict]], list[dict]],
) -> list[dict]:
    """The cells with the solution of each exercise after it; `shown` gets its name and cells."""
    found = []
    for cell in cells:
        found.append(cell)
        exercise = _EXERCISE.search(_text(cell))
        if exercise and (group := solutions.get(exercise[1] or exercise[2])):
            found += shown(exercise[1], group)
    return found


def _told(name: str | None, group: list[dict]) -> list[dict]:
    """A solution, with what learners believe who have another."""
    wrong = checks.exercise(name).misconceptions if name else []
    beliefs = [f"\n- *Some believe*: {each['belief']}" for each in wrong]
    return [_note("a solution", "\n".join([_text(group[0]), *beliefs])), *group[1:]]


def _note(title: str, text: str = "") -> dict:
    """A cell that nobody takes for a part of the chapter."""
    text = f"**For the teacher: {title}**\n\n{text}".strip()
    return markdown(indent(text, "> ", lambda line: True))


def markdown(text: str) -> dict:
    """A cell of Markdown."""
    return {"cell_type": "markdown", "metadata": {}, "source": text}


def _without_answers(text: str) -> str:
    """Without the paragraphs, and the items of lists, that lead to a solution."""
    _, *pieces = _GAP.split(f"\n\n{text}")  # gaps and paragraphs, in turn
    pairs = zip(pieces[::2], pieces[1::2], strict=True)
    kept = [gap + told for gap, told in pairs if not re.search(r"\]\([^)]*solutions/", told)]
    return "".join(kept).strip("\n")


def read(source: Path, *patterns: str) -> dict[str, dict]:
    """Notebooks by their paths in the chapters' folder; all whose paths match a pattern."""
    paths = [path for pattern in patterns for path in sorted(source.glob(pattern))]
    return {p.relative_to(source).as_posix(): json.loads(p.read_text("utf-8")) for p in paths}


def written(notebooks: dict[str, dict]) -> dict[str, str]:
    """Notebooks as they are written: cells numbered anew."""
    written = {}
    for name, notebook in notebooks.items():
        runs = count(1)
        for number, cell in enumerate(notebook["cells"]):
            cell |= {"id": f"cell-{number:02}", "source": _text(cell).splitlines(keepends=True)}
            if cell.get("execution_count"):
                cell["execution_count"] = next(runs)
        written[name] = json.dumps(notebook, indent=1, ensure_ascii=False) + "\n"
    return written


def _text(cell: dict) -> str:
    return "".join(cell["source"])
