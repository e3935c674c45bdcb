"""What each chapter is, read from ``course.toml``, and the tables, links and stubs that follow.

``python notebooks/run.py --links`` puts them in place. A test fails until that is done.
"""

import json
import os
import posixpath
import re
import tomllib
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

from helpers import Problem
from helpers.classroom import checks
from helpers.files.atomic import write_text

HERE = Path(__file__).resolve().parent
#: The README's table of chapters stands between these two.
README_MARKS = "<!-- chapters, from notebooks/course.toml -->", "<!-- end of chapters -->"
#: Chapters of this part are not counted: nothing in the course waits for them.
MORE = "More"
#: The part of pages to look things up in: they are no chapters.
LOOK_UP = "To look up"
#: From a picture to its use. Each chapter says where on this way it stands.
WAY = ["picture", "fingerprint", "distance", "radius", "search", "use"]


@dataclass(frozen=True)
class Chapter:
    """One entry of ``course.toml``, which explains the fields."""

    id: str
    part: str
    file: str
    title: str
    you_will: str
    minutes: int
    stand: list[str]
    needs: list[str]
    solutions: str = ""

    @property
    def number(self) -> int | None:
        """The number that the file's name begins with; those of `MORE` have none."""
        return None if self.part == MORE else int(self.file[:2])

    @property
    def name(self) -> str:
        """The title, with the chapter's number if it has one."""
        return self.title if self.number is None else f"{self.number}. {self.title}"

    @property
    def place(self) -> str:
        """The way from a picture to its use, with the place of the chapter in bold."""
        return " → ".join(f"**{at}**" if at in self.stand else at for at in WAY)

    def link(self, to: "Chapter") -> str:
        """A Markdown link from this chapter to another one."""
        path = posixpath.relpath(to.file, posixpath.dirname(self.file) or ".")
        return f"[{to.name}]({path})"


@dataclass(frozen=True)
class Page:
    """A notebook to look things up in; ``course.toml`` explains the fields."""

    file: str
    title: str
    about: str


@dataclass(frozen=True)
class Part:
    """A part of the lesson of 45 minutes; ``course.toml`` explains the fields."""

    title: str
    chapter: str
    minutes: int
    text: str

    @property
    def told(self) -> str:
        """Its heading, and what joins it to the part before."""
        return f"## {self.title} ({self.minutes} minutes)\n\n{self.text}"


def lesson(folder: Path = HERE) -> dict[str, str]:
    """What the lesson of 45 minutes begins and ends with; ``course.toml`` explains the fields."""
    return _read(folder)["lesson"]


def short(folder: Path = HERE) -> list[Part]:
    """The parts of that lesson, in order."""
    return [Part(**entry) for entry in _read(folder)["short"]]


def pages(folder: Path = HERE) -> list[Page]:
    """All pages to look things up in, in the order of ``course.toml``."""
    return [Page(**entry) for entry in _read(folder)["page"]]


def chapters(folder: Path = HERE) -> list[Chapter]:
    """All chapters in the order of ``course.toml``, which is the order of the course."""
    return [Chapter(**entry) for entry in _read(folder)["chapter"]]


def repository(folder: Path = HERE) -> tuple[str, str]:
    """OWNER/NAME and branch of the reader's copy on GitHub, or ''; see ``course.toml``."""
    given = os.environ.get("REPOSITORY") or _read(folder)["repository"]
    address = r"https://github\.com/([\w.-]+/[\w.-]+?)(?:\.git)?(?:/tree/(.+?))?/?"
    found = re.fullmatch(address, given)
    if given and not found:
        raise Problem(f"{given}: not a repository; give https://github.com/OWNER/NAME")
    return (found[1], found[2] or "main") if found else ("", "")


def _read(folder: Path) -> dict:
    return tomllib.loads((folder / "course.toml").read_text(encoding="utf-8"))


def notebooks(folder: Path = HERE) -> list[Path]:
    """The notebooks of all chapters and pages, then those of the solutions."""
    course = chapters(folder)
    return [
        *(folder / found.file for found in (*course, *pages(folder))),
        *(solutions_of(chapter, folder) for chapter in course if chapter.solutions),
    ]


def notebooks_of(beginnings: list[str], folder: Path = HERE) -> list[Path]:
    """The notebooks whose files begin so, with the solutions of the same number; all for none."""
    found = notebooks(folder)
    names = [path.relative_to(folder).as_posix().removeprefix("solutions/") for path in found]
    for beginning in beginnings:
        if not any(name.startswith(beginning) for name in names):
            raise Problem(f"{beginning}: no chapter's file begins so; see {folder / 'course.toml'}")
    kept = tuple(beginnings) or ("",)
    return [path for path, name in zip(found, names, strict=True) if name.startswith(kept)]


def solutions_of(chapter: Chapter, folder: Path = HERE) -> Path:
    """The notebook with a chapter's solutions."""
    return folder / "solutions" / chapter.solutions


def guide_of(chapter: Chapter, folder: Path = HERE) -> Path:
    """The notes for teachers on a chapter."""
    name = Path(chapter.file).stem if chapter.number is None else f"{chapter.number:02}"
    return folder / "guide" / f"{name}.md"


def by_part(course: list[Chapter]) -> list[tuple[str, list[Chapter]]]:
    """The chapters of each part, under the part's name."""
    return [(part, list(found)) for part, found in groupby(course, key=lambda c: c.part)]


def table(course: list[Chapter], to_look_up: list[Page], folder: str = "") -> str:
    """A Markdown table of chapters, by parts, and of pages; `folder` stands before each file."""
    lines = ["| chapter | you will | minutes, with exercises and quiz |", "| --- | --- | --- |"]
    for part, found in by_part(course):
        lines.append(f"| **{part}** | | |")
        for chapter in found:
            link = f"[{chapter.name}]({folder}{chapter.file})"
            lines.append(f"| {link} | {chapter.you_will} | {chapter.minutes} |")
    lines.append(f"| **{LOOK_UP}** | | |")
    lines += [f"| [{page.title}]({folder}{page.file}) | {page.about} | |" for page in to_look_up]
    return "\n".join(lines)


def out_of_step(folder: Path = HERE) -> list[Path]:
    """The files which do not say what ``course.toml`` says."""
    wanted = _wanted(folder)
    return [path for path, text in wanted.items() if path.read_text(encoding="utf-8") != text]


def put_in_place(folder: Path = HERE) -> list[Path]:
    """Write headings, tables, links and stubs into all files out of step; these files."""
    wanted, changed = _wanted(folder), out_of_step(folder)
    for path in changed:
        write_text(path, wanted[path])
    return changed


def _wanted(folder: Path) -> dict[Path, str]:
    """Each file that repeats something of ``course.toml``, with the text that it should have."""
    course, to_look_up = chapters(folder), pages(folder)
    readme = folder.parent / "README.md"
    wanted = {readme: _with_table(readme, table(course, to_look_up, "notebooks/"))}
    for page in to_look_up:
        path = folder / page.file
        wanted[path] = _with_cells(path, {0: f"# {page.title}\n\n{_first(path)}"})
    start, *others = course
    for chapter in course:
        path = folder / chapter.file
        cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
        first, last = f"# {chapter.name}\n\n{chapter.place}\n\n{_first(path)}", _source(cells[-1])
        top, bottom = _links(course, chapter)
        sources = {0: _ending(first, top), len(cells) - 1: _ending(last, bottom)}
        if chapter is start:
            at = next(n for n, cell in enumerate(cells) if "| chapter |" in _source(cell))
            before, *_, after = re.split(r"(?m)(^\|.*\n)+", _source(cells[at]))
            sources[at] = f"{before}{table(others, to_look_up)}\n{after}"
        wanted[path] = _with_cells(path, sources | _stubs(cells))
        if chapter.solutions:
            path = solutions_of(chapter, folder)
            back = f"[Back to the chapter](../{chapter.file})"
            first = f"# Solutions to chapter {chapter.number}\n\n{back}"
            wanted[path] = _with_cells(path, {0: first})
    return wanted


def _stubs(cells: list[dict]) -> dict[int, str]:
    """What stands in each cell that ends with the check of an exercise."""
    ends = [re.search(r"(?m)^checks\.(\w+)\(\1\)\Z", _source(cell)) for cell in cells]
    return {number: checks.stub(end[1]) for number, end in enumerate(ends) if end}


def _links(course: list[Chapter], chapter: Chapter) -> tuple[str, str]:
    """The links that a chapter's first cell ends with, and those of its last cell."""
    start, link = course[0], chapter.link
    if chapter.part == MORE:
        before = next((c for c in course if c.id in chapter.needs[-1:]), start)
        also = "" if before is start else f" ·\n{link(start)}"
        return f"before: {link(before)}{also}", f"Back to {link(before)}"
    counted = [c for c in course if c.part != MORE]
    place = counted.index(chapter)
    before, after = counted[:place], counted[place + 1 :]
    top = [
        *(f"before: {link(c)}" for c in before[1:][-1:]),
        *(link(c) for c in before[:1]),
        *(f"next: {link(c)}" for c in after[:1]),
    ]
    return " ·\n".join(top), f"Next: {link(after[0])}" if after else f"Back to {link(start)}"


def _ending(text: str, links: str) -> str:
    """The text with `links` as its last paragraph, in place of one that holds only such links."""
    head, _, tail = text.rpartition("\n\n")
    rest = re.sub(r"\[[^]]+\]\((\.\./|more/)?[\w-]+\.ipynb\)", "", tail)
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


def _first(path: Path) -> str:
    """A notebook's first cell, below its heading and its place."""
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    return re.sub(r"\A#.*\s+(\W*picture\W* → .*\s+)*", "", _source(cells[0]))


def _source(cell: dict) -> str:
    return "".join(cell["source"])
