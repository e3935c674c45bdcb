"""What stands in the editions that are notebooks: chapters, changed for those who get them.

Each function gives the text of each file, by its path in the edition.
"""

import re
from collections.abc import Callable
from itertools import count
from pathlib import Path
from posixpath import dirname, join, normpath, relpath
from textwrap import indent

import nbformat
from nbformat import NotebookNode
from nbformat.v4 import new_markdown_cell

import course
from helpers.classroom import checks

Cells = list[NotebookNode]
#: The gap before a paragraph or before an item of a list.
_GAP = re.compile(r"(\n\s*\n|\n(?=\s*(?:[-*]|\d+\.) ))")
#: The check that ends the cell of an exercise, and what begins an exercise that has none.
_EXERCISE = re.compile(r"^checks\.(\w+)\(\1\)\Z|^\*\*(\d)\.\*\* \(Without a check", re.MULTILINE)


def without_outputs(notebook: NotebookNode) -> NotebookNode:
    """A notebook as it is before its first run."""
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.execution_count, cell.outputs = None, []
    return notebook


def learner(source: Path = course.HERE) -> dict[str, str]:
    """The chapters without outputs and without answers."""
    notebooks = read(source, "*.ipynb", "more/*.ipynb")
    for notebook in notebooks.values():
        for cell in prose(without_outputs(notebook)):
            cell.source = _without_answers(cell.source)
    return written(notebooks)


def short(source: Path = course.HERE, *, with_outputs: bool = False) -> dict[str, str]:
    """The lesson of 45 minutes, without answers. Its outputs tell what guesses are about."""
    told, file = lesson(source), course.lesson(source)["file"]
    for cell in prose(told):  # it is alone in its folder
        cell.source = relinked(cell.source, file, {})
    return written({file: told if with_outputs else without_outputs(told)})


def teacher(source: Path = course.HERE) -> dict[str, str]:
    """The chapters and the lesson with outputs, answers, misconceptions, minutes, and the guide."""
    notebooks = read(source, "*.ipynb", "more/*.ipynb", "solutions/*.ipynb")
    told, file = lesson(source), course.lesson(source)["file"]
    first = _note("before the lesson", "Read [the first page of the guide](guide/teachers.md).")
    told.cells.insert(1, first)
    for chapter in course.chapters(source):
        notebook, found = notebooks[chapter.file], {}
        if chapter.solutions:
            found = solutions(notebooks[f"solutions/{chapter.solutions}"])
        folder = "../" * chapter.file.count("/") + "guide/"
        guide = course.guide_of(chapter, source).read_text("utf-8")
        guide = re.sub(r"\]\((?!https?:)", f"]({folder}", guide)
        notebook.cells = solved(_guided(notebook.cells, guide), found, _told)
        told.cells = solved(told.cells, found, _told)
    outside = re.compile(r"\[([^]]+)\]\(\.\./\.\./[^)]+\)")  # in the kit's other folders
    guides = {f"guide/{p.name}": p.read_text("utf-8") for p in sorted(source.glob("guide/*.md"))}
    guides = {name: outside.sub(r"\1", text) for name, text in guides.items()}
    return guides | written(notebooks | {file: told})


def lesson(source: Path = course.HERE) -> NotebookNode:
    """The notebook of the lesson of 45 minutes, with the outputs that its cells have elsewhere."""
    plan, parts, cells = course.lesson(source), iter(course.short(source)), []
    for chapter in course.chapters(source):
        notebook = nbformat.read(source / chapter.file, as_version=4)
        for cell in notebook.cells:
            tags = cell.metadata.get("tags", [])
            if "part" in tags:
                cells.append(new_markdown_cell(next(parts).told))
            if "short" in tags:
                cells.append(cell)
            if "datasets.choose(" in cell.source:
                set_up = cell  # what sets up the lesson prints what this cell printed
    set_up.source = plan["setup"]
    opening, closing = (new_markdown_cell(plan[name]) for name in ("opening", "closing"))
    notebook.cells = [opening, set_up, *cells, closing]
    return notebook


def _guided(cells: Cells, guide: str) -> Cells:
    """The cells of a chapter with what its guide tells, and minutes below the headings."""
    parts = dict(re.findall(r"^## (.+)\n((?:(?!## ).*\n)+)", guide, re.MULTILINE))
    rows = re.findall(r"^\| (.+) \| (.+) \| (\d+) \|$", parts["Timing"], re.MULTILINE)
    for part, heading, minutes in rows:
        told, above = _note(f"{minutes} minutes, {part}").source, f"\n## {heading}\n"
        for cell in cells:
            cell.source = f"\n{cell.source}\n".replace(above, f"{above}\n{told}\n")[1:-1]
    wrong = _note("what learners get wrong", parts["What learners get wrong"])
    answers = _note("answers to the three questions", parts["Answers"])
    return [cells[0], wrong, _note("minutes", parts["Timing"]), *cells[1:], answers]


def solutions(notebook: NotebookNode) -> dict[str, Cells]:
    """The cells of each solution, by the exercise's number and by its name."""
    found = {}
    for cell in notebook.cells[2:]:  # the first two are the title and the imports
        if begun := re.match(r"\*\*(\d)\.\*\*", cell.source):
            group = found[begun[1]] = []
        group.append(cell)
        if named := _EXERCISE.search(cell.source):
            found[named[1]] = group
    return found


def solved(
    cells: Cells, solutions: dict[str, Cells], shown: Callable[[str | None, Cells], Cells]
) -> Cells:
    """The cells with the solution of each exercise after it; `shown` gets its name and cells."""
    found = []
    for cell in cells:
        found.append(cell)
        exercise = _EXERCISE.search(cell.source)
        if exercise and (group := solutions.get(exercise[1] or exercise[2])):
            found += shown(exercise[1], group)
    return found


def _told(name: str | None, group: Cells) -> Cells:
    """A solution, with what learners believe who have another."""
    wrong = checks.exercise(name).misconceptions if name else []
    beliefs = [f"\n- *Some believe*: {each['belief']}" for each in wrong]
    return [_note("a solution", "\n".join([group[0].source, *beliefs])), *group[1:]]


def _note(title: str, text: str = "") -> NotebookNode:
    """A cell that nobody takes for a part of the chapter."""
    text = f"**For the teacher: {title}**\n\n{text}".strip()
    return new_markdown_cell(indent(text, "> ", lambda line: True))


def _without_answers(text: str) -> str:
    """Without the paragraphs, and the items of lists, that lead to a solution."""
    _, *pieces = _GAP.split(f"\n\n{text}")  # gaps and paragraphs, in turn
    pairs = zip(pieces[::2], pieces[1::2], strict=True)
    kept = [gap + told for gap, told in pairs if not re.search(r"\]\([^)]*solutions/", told)]
    return "".join(kept).strip("\n")


def prose(notebook: NotebookNode) -> Cells:
    """The cells of a notebook that are to be read."""
    return [cell for cell in notebook.cells if cell.cell_type == "markdown"]


def relinked(text: str, here: str, pages: dict[str, str], named: Callable[[str], str] = str) -> str:
    """Markdown of the file `here` whose links lead to what an edition has; others become words.

    `pages` tells where each file of the kit is found: solutions may be in the chapter that leads to
    them. `named` gives the name of a heading.
    """

    def link(found: re.Match) -> str:
        name, path, fragment = found.groups("")
        page = pages.get(normpath(join(dirname(here), path))) if path else here
        if page is None:
            return name
        if path and page.startswith(f"{here}#"):
            return f"{name} are folded below the exercises."
        return f"[{name}]({path and relpath(page, dirname(here) or '.')}{named(fragment)})"

    return re.sub(r"\[([^]]*)\]\((?!\w+:)([^)#\s]*)(#[^)\s]*)?\)", link, text)


def read(source: Path, *patterns: str) -> dict[str, NotebookNode]:
    """Notebooks by their paths in the chapters' folder; all whose paths match a pattern."""
    paths = [path for pattern in patterns for path in sorted(source.glob(pattern))]
    return {p.relative_to(source).as_posix(): nbformat.read(p, as_version=4) for p in paths}


def written(notebooks: dict[str, NotebookNode]) -> dict[str, str]:
    """Notebooks as they are written: cells numbered anew."""
    texts = {}
    for name, notebook in notebooks.items():
        runs = count(1)
        for number, cell in enumerate(notebook.cells):
            cell.id = f"cell-{number:02}"
            if cell.get("execution_count"):
                cell.execution_count = next(runs)
        texts[name] = nbformat.writes(notebook) + "\n"  # now, as notebooks may share a cell
    return texts
