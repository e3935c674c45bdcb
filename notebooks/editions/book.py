"""A book to read and to search: the chapters with their saved outputs; none is run.

Jupyter Book makes it from changed copies of the notebooks, with solutions folded below their
exercises. Whatever a page needs lies beside it, so the book works from disk and without a network.
"""

import json
import re
import shutil
from base64 import b64encode
from pathlib import Path
from posixpath import dirname, join, normpath, relpath
from string import Template
from tempfile import TemporaryDirectory

import nbformat
from bs4 import BeautifulSoup
from nbformat import NotebookNode
from nbformat.v4 import new_markdown_cell

import course
from editions import copies, state
from helpers import Problem
from helpers.classroom import plots
from helpers.files.atomic import write_text

#: The settings of Jupyter Book, the home page and the style.
SETTINGS = Path(__file__).with_suffix("")
GUIDE = "For teachers: with answers"


def make() -> list[Path]:
    """Make the book; its folder."""
    try:
        from jupyter_book.sphinx import build_sphinx
    except ImportError as error:
        wanted = 'pip install -c notebooks/editions/constraints.txt -e ".[notebooks,editions]"'
        raise Problem(f"book: Jupyter Book cannot be imported ({error}); {wanted}") from error
    with state.made_whole("book") as folder, TemporaryDirectory() as place:
        learner = copies.make(copies.LEARNER, place=Path(place, "editions"))
        write_sources(sources := Path(place, "sources"), learner)
        options = {"path_config": sources / "_config.yml", "doctreedir": Path(place, "doctrees")}
        options |= {"confoverrides": {"latex_individualpages": False}, "noconfig": True}
        strict = {"warningiserror": True, "keep_going": True, "quiet": True}
        if build_sphinx(sources, folder, **options, **strict):
            raise Problem("book: Jupyter Book warns of what stands above; mend the page")
        for page in folder.rglob("*.html"):
            soup = BeautifulSoup(page.read_text("utf-8"), "html.parser")
            plots.describe_figures(soup)
            page.write_text(str(soup), encoding="utf-8")
        shutil.make_archive(str(folder / "learner"), "zip", learner.parent, "learner")
    return [state.ROOT / "editions" / "book"]


def contents() -> dict[str, list[str]]:
    """The files of each part, in the order of the book."""
    parts = {part: [c.file for c in found] for part, found in course.by_part(course.chapters())}
    guide = [path.relative_to(course.HERE).as_posix() for path in course.HERE.glob("guide/*.md")]
    guide.sort(key=lambda name: (name != "guide/teachers.md", name[len("guide/")].isdigit(), name))
    return parts | {course.LOOK_UP: [page.file for page in course.pages()], GUIDE: guide}


def write_sources(place: Path, learner: Path) -> None:
    """Write what Jupyter Book is to build: its settings, and changed copies of the pages."""
    shutil.copytree(SETTINGS, place)
    shutil.copy(course.HERE / "readme.png", place)
    parts, solved = contents(), {c.file: c.solutions for c in course.chapters() if c.solutions}
    pages = {file: file for files in parts.values() for file in files}
    pages |= {f"solutions/{name}": f"{file}#exercises" for file, name in solved.items()}
    for file in (file for files in parts.values() for file in files):
        (place / file).parent.mkdir(exist_ok=True)
        if file.endswith(".md"):
            text = relinked((course.HERE / file).read_text("utf-8"), file, file, pages)
            write_text(place / file, text.replace("\n", f"\n\n> **{GUIDE}**\n", 1))
            continue
        notebook = _notebook(file, file, pages)
        if file in solved:
            fold(notebook.cells, _notebook(f"solutions/{solved[file]}", file, pages).cells)
        notebook.cells.insert(1, new_markdown_cell(buttons(file, (learner / file).read_bytes())))
        write_text(place / file, nbformat.writes(notebook))
    table = course.table(course.chapters(), course.pages())
    home = Template((SETTINGS / "index.md").read_text("utf-8")).substitute(chapters=table)
    write_text(place / "index.md", home)
    parts = [{"caption": p, "chapters": [{"file": f} for f in files]} for p, files in parts.items()]
    toc = {"format": "jb-book", "root": "index", "parts": parts}
    write_text(place / "_toc.yml", json.dumps(toc))  # JSON is YAML, too


def _notebook(file: str, there: str, pages: dict[str, str]) -> NotebookNode:
    """A notebook whose cells are to stand in another file; no heading within a cell."""
    notebook = nbformat.read(course.HERE / file, as_version=4)
    cells, notebook.cells = notebook.cells, []
    for cell in cells:
        cell.id = f"{Path(file).stem}-{cell.id}"  # cells of two notebooks meet
        if cell.cell_type == "markdown":
            text = relinked(cell.source, file, there, pages)
            notebook.cells += map(new_markdown_cell, re.split(r"\n(?=## )", text))
        else:
            notebook.cells.append(cell)
    return notebook


def relinked(text: str, here: str, there: str, pages: dict[str, str]) -> str:
    """Markdown moved to another file: its links lead to pages of the book, or are no links."""

    def link(found: re.Match) -> str:
        name, path, fragment = found.groups("")
        place = normpath(join(dirname(here), path))
        if path and place not in pages:
            return name
        if path and pages[place].startswith(f"{there}#"):
            return f"{name} are folded below the exercises."
        path = path and relpath(pages[place], dirname(there) or ".")
        # Jupyter Book names a heading as GitHub does, JupyterLab as it stands
        fragment = re.sub(r"[^\w#-]", "", fragment.lower())
        return f"[{name}]({path}{fragment})"

    return re.sub(r"\[([^]]*)\]\((?!\w+:)([^)#\s]*)(#[^)\s]*)?\)", link, text)


def fold(cells: list[NotebookNode], solutions: list[NotebookNode]) -> None:
    """Put the solution of each exercise below it, in a fold that opens without a script."""
    ends, found, number = {}, {}, ""
    for place, cell in enumerate(cells, start=1):
        if cell.cell_type == "markdown":  # a heading ends an exercise
            number = (re.findall(r"(?m)^(?:## |\*\*(\d+)\.\*\*)", cell.source) or [number])[-1]
        ends[number] = place
    number = "1"  # what the solutions import belongs to the first
    for cell in solutions[1:]:
        number = (re.findall(r"\A\*\*(\d+)\.\*\*", cell.source) or [number])[0]
        found.setdefault(number, []).append(cell)
    for number in sorted(found, reverse=True):
        opening = f'<details class="solution">\n<summary>Solution of exercise {number}</summary>'
        folded = [new_markdown_cell(opening), *found[number], new_markdown_cell("</details>")]
        cells[ends[number] : ends[number]] = folded


def buttons(file: str, copy: bytes) -> str:
    """HTML which fetches the learner's copy of a notebook, and runs the reader's elsewhere."""
    # from disk a browser shows a file of this kind; it saves only what the page itself holds
    data = f"data:application/x-ipynb+json;base64,{b64encode(copy).decode()}"
    this = f'<a href="{data}" download="{Path(file).name}">Fetch this notebook</a>'
    every = f'<a href="{"../" * file.count("/")}learner.zip">Fetch all notebooks</a>'
    kit, branch = course.repository()
    launch = Template((SETTINGS / "launch.html").read_text("utf-8"))
    launch = launch.substitute(kit=kit, branch=branch, file=file) if kit else ""
    return f'<p class="buttons">{this} {every} {launch}</p>'
