"""What each chapter is, read from ``course.toml``, and the tables and links that follow from it.

``python notebooks/run.py --links`` puts them in place. A test fails until that is done.
"""

import json
import re
import tomllib
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

from helpers import Problem
from helpers.files.atomic import write_text

HERE = Path(__file__).resolve().parent
#: The README's table of chapters stands between these two.
README_MARKS = "<!-- chapters, from notebooks/course.toml -->", "<!-- end of chapters -->"


@dataclass(frozen=True)
class Chapter:
    """One entry of ``course.toml``, which explains the fields."""

    id: str
    part: str
    file: str
    title: str
    you_will: str
    minutes: int
    needs: list[str]
    solutions: str = ""

    @property
    def number(self) -> int:
        """The number that the file's name begins with."""
        return int(self.file[:2])

    @property
    def name(self) -> str:
        """The title with the chapter's number; the start has none."""
        return f"{self.number}. {self.title}" if self.number else self.title

    @property
    def link(self) -> str:
        """A Markdown link that works in the folder of the chapters."""
        return f"[{self.name}]({self.file})"


def chapters(folder: Path = HERE) -> list[Chapter]:
    """All chapters in the order of ``course.toml``, which is the order of the course."""
    text = (folder / "course.toml").read_text(encoding="utf-8")
    return [Chapter(**entry) for entry in tomllib.loads(text)["chapter"]]


def notebooks(folder: Path = HERE) -> list[Path]:
    """The notebooks of all chapters, then those of the solutions."""
    course = chapters(folder)
    return [
        *(folder / chapter.file for chapter in course),
        *(solutions_of(chapter, folder) for chapter in course if chapter.solutions),
    ]


def solutions_of(chapter: Chapter, folder: Path = HERE) -> Path:
    """The notebook with a chapter's solutions."""
    return folder / "solutions" / chapter.solutions


def by_part(course: list[Chapter]) -> list[tuple[str, list[Chapter]]]:
    """The chapters of each part, under the part's name."""
    return [(part, list(found)) for part, found in groupby(course, key=lambda c: c.part)]


def table(course: list[Chapter], folder: str = "") -> str:
    """A Markdown table of chapters, by parts; `folder` stands before each file name."""
    lines = ["| chapter | you will | minutes, with exercises |", "| --- | --- | --- |"]
    for part, found in by_part(course):
        lines.append(f"| **{part}** | | |")
        for chapter in found:
            link = f"[{chapter.name}]({folder}{chapter.file})"
            lines.append(f"| {link} | {chapter.you_will} | {chapter.minutes} |")
    return "\n".join(lines)


def out_of_step(folder: Path = HERE) -> list[Path]:
    """The files which do not say what ``course.toml`` says."""
    wanted = _wanted(folder)
    return [path for path, text in wanted.items() if path.read_text(encoding="utf-8") != text]


def put_in_place(folder: Path = HERE) -> list[Path]:
    """Write headings, tables and links into all files out of step; these files."""
    wanted, changed = _wanted(folder), out_of_step(folder)
    for path in changed:
        write_text(path, wanted[path])
    return changed


def _wanted(folder: Path) -> dict[Path, str]:
    """Each file that repeats something of ``course.toml``, with the text that it should have."""
    course, readme = chapters(folder), folder.parent / "README.md"
    wanted = {readme: _with_table(readme, table(course, "notebooks/"))}
    start, *others = course
    for before, chapter, after in zip(
        [None, *course[:-1]], course, [*course[1:], None], strict=True
    ):
        path = folder / chapter.file
        cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
        first, last = _source(cells[0]), _source(cells[-1])
        first = re.sub(r"\A# .*", lambda _, name=chapter.name: f"# {name}", first)
        if chapter is start:
            first = re.sub(r"(?m)(^\|.*\n)+", lambda _: table(others) + "\n", first, count=1)
        else:
            first = _ending(first, _top(start, before, after))
        last = _ending(last, f"Next: {after.link}" if after else f"Back to {start.link}")
        wanted[path] = _with_cells(path, {0: first, len(cells) - 1: last})
        if chapter.solutions:
            path = solutions_of(chapter, folder)
            back = f"[Back to the chapter](../{chapter.file})"
            first = f"# Solutions to chapter {chapter.number}\n\n{back}"
            wanted[path] = _with_cells(path, {0: first})
    return wanted


def _top(start: Chapter, before: Chapter, after: Chapter | None) -> str:
    links = [start.link] if before is start else [f"before: {before.link}", start.link]
    return " ·\n".join([*links, *([f"next: {after.link}"] if after else [])])


def _ending(text: str, links: str) -> str:
    """The text with `links` as its last paragraph, in place of one that holds only such links."""
    head, _, tail = text.rpartition("\n\n")
    rest = re.sub(r"\[[^]]+\]\(\d\d-[\w-]+\.ipynb\)", "", tail)
    if rest == tail or re.sub(r"before:|next:|Next:|Back to|[·\s]", "", rest):
        head = text
    return f"{head}\n\n{links}"


def _with_table(readme: Path, text: str) -> str:
    begin, end = README_MARKS
    before, found, rest = readme.read_text(encoding="utf-8").partition(begin)
    _, found_end, after = rest.partition(end)
    if not (found and found_end):
        raise Problem(
            f"{readme}: the table of chapters has lost its marks; put back {begin} and {end}"
        )
    return f"{before}{begin}\n{text}\n{end}{after}"


def _with_cells(path: Path, sources: dict[int, str]) -> str:
    """The text of a notebook with other sources in some of its cells, and nothing else changed."""
    text = path.read_text(encoding="utf-8")
    notebook = json.loads(text)
    if all(_source(notebook["cells"][number]) == source for number, source in sources.items()):
        return text
    for number, source in sources.items():
        notebook["cells"][number]["source"] = source.splitlines(keepends=True)
    return json.dumps(notebook, indent=1, ensure_ascii=False) + "\n"


def _source(cell: dict) -> str:
    return "".join(cell["source"])
