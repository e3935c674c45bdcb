"""A book to read and to search: the chapters with their saved outputs; none is run.

Jupyter Book makes it from changed copies of the notebooks, with solutions folded below their
exercises. Whatever a page needs lies beside it, so the book works from disk and without a network.
"""

import json
import re
import shutil
from base64 import b64encode
from pathlib import Path
from string import Template
from tempfile import TemporaryDirectory
from zipfile import ZIP_DEFLATED, ZipFile

from bs4 import BeautifulSoup
from nbformat import NotebookNode
from nbformat.v4 import new_markdown_cell

import course
from editions import contents, making
from helpers import Problem
from helpers.classroom import plots
from helpers.files.atomic import write_text

#: The settings of Jupyter Book, the home page, the style, and the buttons of the reader's copy.
SETTINGS = Path(__file__).with_suffix("")
GUIDE = "For teachers: with answers"


def make() -> list[Path]:
    """Make the book; its folder."""
    from jupyter_book.sphinx import build_sphinx  # takes seconds, and few have it

    copies = contents.learner() | contents.short()
    with making.made_whole("book") as folder, TemporaryDirectory() as place:
        sources, built = Path(place, "sources"), Path(place, "built", "html")
        write_sources(sources, copies)
        options = {"path_config": sources / "_config.yml", "doctreedir": Path(place, "doctrees")}
        options |= {"confoverrides": {"latex_individualpages": False}, "noconfig": True}
        strict = {"warningiserror": True, "keep_going": True, "quiet": True}
        if build_sphinx(sources, built, **options, **strict):
            raise Problem("book: Jupyter Book warns of what stands above; mend the page")
        shutil.copytree(built, folder, dirs_exist_ok=True)
        for page in folder.rglob("*.html"):
            soup = BeautifulSoup(page.read_text("utf-8"), "html.parser")
            plots.describe_figures(soup)
            page.write_text(str(soup), encoding="utf-8")
        with ZipFile(folder / "learner.zip", "w", ZIP_DEFLATED) as archive:
            for file, copy in copies.items():
                archive.writestr(f"learner/{file}", copy)
    return [making.ROOT / "editions" / "book"]


def parts() -> dict[str, list[str]]:
    """The files of each part, in the order of the book."""
    chapters = course.chapters()
    found = {part: [c.file for c in of_part] for part, of_part in course.by_part(chapters)}
    found[course.LOOK_UP] = [page.file for page in course.pages()]
    notes = [f"guide/{course.guide_of(chapter).name}" for chapter in chapters]
    guide = {f"guide/{path.name}" for path in course.HERE.glob("guide/*.md")}
    plans = sorted(guide.difference(notes), key=lambda name: (name != "guide/teachers.md", name))
    return {"A lesson": [course.lesson()["file"]]} | found | {GUIDE: plans + notes}


def write_sources(place: Path, copies: dict[str, str]) -> None:
    """Write what Jupyter Book is to build: its settings, and changed copies of the pages."""
    shutil.copytree(SETTINGS, place)
    shutil.copy(course.HERE / "readme.png", place)
    solved = {f"solutions/{c.solutions}": c.file for c in course.chapters() if c.solutions}
    pages = {file: file for files in parts().values() for file in files}
    pages |= {name: f"{file}#exercises" for name, file in solved.items()}
    lesson = {course.lesson()["file"]: contents.lesson()}
    notebooks = contents.read(course.HERE, "*.ipynb", "more/*.ipynb", "solutions/*.ipynb") | lesson
    for file, notebook in notebooks.items():
        for cell in contents.prose(notebook):
            cell.source = contents.relinked(cell.source, file, pages, named)
    for name, file in solved.items():
        solutions = contents.solutions(notebooks.pop(name))
        for notebook in (notebooks[file], *lesson.values()):
            notebook.cells = contents.solved(notebook.cells, solutions, folded)
    for file, notebook in notebooks.items():
        notebook.cells.insert(1, new_markdown_cell(buttons(file, copies[file])))
    texts = contents.written(notebooks)
    for file in parts()[GUIDE]:
        text = (course.HERE / file).read_text("utf-8").replace("\n", f"\n\n> **{GUIDE}**\n", 1)
        texts[file] = contents.relinked(text, file, pages, named)
    table = course.table(course.chapters(), course.pages())
    home = Template((SETTINGS / "index.md").read_text("utf-8"))
    texts["index.md"] = home.substitute(chapters=table)
    listed = [{"caption": p, "chapters": [{"file": f} for f in fs]} for p, fs in parts().items()]
    toc = {"format": "jb-book", "root": "index", "parts": listed}
    for file, text in (texts | {"_toc.yml": json.dumps(toc)}).items():  # JSON is YAML, too
        write_text(place / file, text)


def folded(name: str | None, group: list[NotebookNode]) -> list[NotebookNode]:
    """A solution in a fold that opens without a script."""
    opening = '<details class="solution">\n<summary>A solution</summary>'
    return [new_markdown_cell(opening), *group, new_markdown_cell("</details>")]


def named(fragment: str) -> str:
    """The name of a heading: Jupyter Book has GitHub's, JupyterLab the heading as it stands."""
    return re.sub(r"[^\w#-]", "", fragment.lower())


def buttons(file: str, copy: str) -> str:
    """HTML which fetches the learner's copy of a notebook, and runs the reader's elsewhere."""
    # from disk a browser shows a file of this kind; it saves only what the page itself holds
    data = f"data:application/x-ipynb+json;base64,{b64encode(copy.encode()).decode()}"
    this = f'<a href="{data}" download="{Path(file).name}">Fetch this notebook</a>'
    every = f'<a href="{"../" * file.count("/")}learner.zip">Fetch all notebooks</a>'
    kit, branch = course.repository()
    launch = Template((SETTINGS / "launch.html").read_text("utf-8"))
    there = kit and (course.HERE / file).is_file()  # the lesson is in editions/ only
    launch = launch.substitute(kit=kit, branch=branch, file=file) if there else ""
    return f'<p class="buttons">{this} {every} {launch}</p>'
