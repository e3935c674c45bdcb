"""The book: nothing dead, nothing from another host, everything there; as it lies on a disk."""

import base64
import json
import re
from functools import cache
from zipfile import ZipFile

import course
import nbformat
import numpy as np
import pytest
from browsers import chromium
from built import built
from crawler import Crawler
from editions import book, contents, making

from helpers import Problem
from helpers.classroom import quiz

BOOK = making.ROOT / "editions" / "book"
CHAPTERS = course.chapters()
LESSON = course.lesson()["file"]
NOTEBOOKS = [LESSON, *(c.file for c in CHAPTERS), *(p.file for p in course.pages())]
SOLVED = [chapter for chapter in CHAPTERS if chapter.solutions]
built = built("book")


@cache
def crawler():
    return Crawler(BOOK)


def page(file):
    return crawler().pages[(BOOK / file).with_suffix(".html")]


def cells(path, kind):
    found = json.loads(path.read_text("utf-8"))["cells"]
    return ["".join(cell["source"]) for cell in found if cell["cell_type"] == kind]


# ---- what any site must be: each finding, on a small site with that fault


@pytest.fixture
def site(tmp_path):
    """`site(body)`: what the crawler finds on a page with this body, beside a sound one."""

    def crawl(body="", style="", head=""):
        other = '<p id="here"><a href="index.html">back</a> <img src="a.png" alt="A cat."></p>'
        (tmp_path / "other.html").write_text(other, encoding="utf-8")
        (tmp_path / "a.png").touch()
        (tmp_path / "style.css").write_text(style, encoding="utf-8")
        text = f"<html><head>{head}</head><body>{body}</body></html>"
        (tmp_path / "index.html").write_text(text, encoding="utf-8")
        return Crawler(tmp_path)

    return crawl


def test_a_sound_site_has_no_findings(site):
    found = site(
        '<a href="other.html#here">on</a> <a href="#me" id="me">me</a> <a href="https://b.org">b</a>'
        '<img src="data:image/png;base64,AA" alt="A dot.">',
        "/* url(https://b.org/c.png) */ p { background: url('a.png') }",
        '<link rel="stylesheet" href="style.css?v=1"><link rel="canonical" href="https://b.org">',
    )
    assert not found.dead + found.loaded_elsewhere + found.without_alt
    assert (found.count_elsewhere, found.images) == (2, 2)


@pytest.mark.parametrize(
    "body",
    [
        '<a href="gone.html">x</a>',
        '<a href="other.html#gone">x</a>',
        '<a href="#gone">x</a>',
        '<img alt="x" src="gone.png">',
        '<p style="background: url(gone.png)">x</p>',
        "<style>@import 'gone.css';</style>",
        '<a href="../outside.html">x</a>',
        '<script src="gone.js"></script>',
    ],
)
def test_a_dead_link_is_found(site, tmp_path, body):
    (tmp_path.parent / "outside.html").touch()
    assert len(site(body).dead) == 1


@pytest.mark.parametrize(
    ("body", "style", "head"),
    [
        ('<img alt="x" src="https://b.org/a.png">', "", ""),
        ('<script src="//b.org/a.js"></script>', "", ""),
        ("<script>fetch('https://b.org/a')</script>", "", ""),
        ('<iframe src="http://b.org"></iframe>', "", ""),
        ('<svg><image xlink:href="https://b.org/a.svg"/></svg>', "", ""),
        ("", "p { background: url(https://b.org/a.png) }", ""),
        ("", "@import 'https://b.org/a.css';", ""),
        ("", "", '<link rel="stylesheet" href="https://b.org/a.css">'),
        ("", "", '<link rel="preload" href="//b.org/a.woff">'),
    ],
)
def test_what_is_loaded_from_another_host_is_found(site, body, style, head):
    assert len(site(body, style, head).loaded_elsewhere) == 1


@pytest.mark.parametrize("image", ['<img src="a.png">', '<img src="a.png" alt=" ">'])
def test_an_image_without_alt_text_is_found(site, image):
    assert len(site(image).without_alt) == 1


# ---- how pages are changed on their way into the book

LINKS = {"02.ipynb": "02.ipynb", "more/a.ipynb": "more/a.ipynb"}
LINKS["solutions/02.ipynb"] = "02.ipynb#exercises"


@pytest.mark.parametrize(
    ("here", "text", "wanted"),
    [
        ("01.ipynb", "[b](02.ipynb)", "[b](02.ipynb)"),
        ("more/b.ipynb", "[b](a.ipynb#d-Hash,-twice)", "[b](a.ipynb#d-hash-twice)"),
        ("more/b.ipynb", "[b](../02.ipynb) [a](a.ipynb)", "[b](../02.ipynb) [a](a.ipynb)"),
        ("02.ipynb", "[S](solutions/02.ipynb)", "S are folded below the exercises."),
        ("guide/a.md", "[S](../solutions/02.ipynb)", "[S](../02.ipynb#exercises)"),
        ("guide/a.md", "[`R`](../../README.md#set-up) x", "`R` x"),
        ("a.md", "[a](https://b.org/c(d).html#E)", "[a](https://b.org/c(d).html#E)"),
        ("a.md", "[bit](#Bit) [x]: [i]", "[bit](#bit) [x]: [i]"),
    ],
)
def test_links_lead_to_pages_of_the_book_or_are_none(here, text, wanted):
    assert contents.relinked(text, here, LINKS, book.named) == wanted


def of_cells(*sources):
    kinds = {"#": "markdown", "*": "markdown", "d": "code"}
    cells = [{"cell_type": kinds[source[0]], "source": source} for source in sources]
    return nbformat.from_dict({"cells": cells})


def test_each_solution_is_folded_below_its_exercise():
    stub = "def a(): ...\n\n\nchecks.a(a)"
    chapter = of_cells("## Exercises\n\n**1.** Do.", stub, "**2.** (Without a check.)", "## End")
    solved = "def a(): 1\n\n\nchecks.a(a)"
    solutions = of_cells("# Solutions", "d0", "**1.** So.", solved, "**2.** So too.")
    found = contents.solved(chapter.cells, contents.solutions(solutions), book.folded)
    one = ["<details", "**1.** So.", solved, "</details>"]
    two = ["<details", "**2.** So too.", "</details>"]
    wanted = ["## Exercises", stub, *one, "**2.** (Without", *two, "## End"]
    sources = [cell["source"] for cell in found]
    assert all(map(str.startswith, sources, wanted)) and len(sources) == len(wanted)


def test_every_page_of_the_course_and_the_guide_is_in_the_book_once():
    files = [file for files in book.parts().values() for file in files]
    wanted = [*NOTEBOOKS]
    guide = [p.relative_to(course.HERE).as_posix() for p in course.HERE.glob("guide/*.md")]
    assert sorted(files) == sorted(wanted + guide)
    assert book.parts()[book.GUIDE][0] == "guide/teachers.md"


# ---- buttons


@pytest.mark.parametrize(
    ("repository", "kit", "branch"),
    [
        ("https://github.com/ada/kit", "ada/kit", "main"),
        ("https://github.com/ada/kit.git", "ada/kit", "main"),
        ("https://github.com/ada/my.kit/", "ada/my.kit", "main"),
        ("https://github.com/ada/kit/tree/class-2", "ada/kit", "class-2"),
    ],
)
def test_buttons_lead_to_the_chapter_in_the_readers_repository(
    monkeypatch, repository, kit, branch
):
    monkeypatch.setenv("REPOSITORY", repository)
    html = book.buttons("more/glossary.ipynb", "{}")
    assert re.findall('href="(https[^"]+)"', html) == [
        f"https://mybinder.org/v2/gh/{kit}/{branch}?urlpath=lab/tree/notebooks/more/glossary.ipynb",
        f"https://colab.research.google.com/github/{kit}/blob/{branch}/notebooks/more/glossary.ipynb",
    ]
    assert f"<code>%pip install git+https://github.com/{kit}@{branch}</code>" in html
    assert "http" not in book.buttons(LESSON, "{}")  # it is no file of the repository


def test_without_a_repository_there_are_no_such_buttons(monkeypatch):
    monkeypatch.setattr(course, "repository", lambda: ("", ""))
    assert "Fetch" in book.buttons("02.ipynb", "{}")
    assert "http" not in book.buttons("02.ipynb", "{}")


def test_the_address_of_the_course_holds_unless_the_variable_has_another(tmp_path, monkeypatch):
    (tmp_path / "course.toml").write_text('repository = "https://github.com/a/b"', encoding="utf-8")
    monkeypatch.delenv("REPOSITORY", raising=False)
    assert course.repository(tmp_path) == ("a/b", "main")
    monkeypatch.setenv("REPOSITORY", "https://github.com/c/d")
    assert course.repository(tmp_path) == ("c/d", "main")


@pytest.mark.parametrize("address", ["https://example.org/kit", "https://github.com/kit", "kit"])
def test_an_address_that_is_no_repository_is_told(monkeypatch, address):
    monkeypatch.setenv("REPOSITORY", address)
    with pytest.raises(Problem, match="give https://github"):
        book.buttons("02.ipynb", "{}")


def test_the_notebook_that_a_button_fetches_is_the_one_given():
    copy = re.search(
        r'href="data:[^,]+,([^"]+)" download="(.+?)"', book.buttons("more/a.ipynb", "{ }")
    )
    assert (base64.b64decode(copy[1]), copy[2]) == (b"{ }", "a.ipynb")


# ---- the book that was built


@built
def test_no_link_of_the_book_is_dead():
    assert not crawler().dead
    assert len(crawler().pages) > 30


@built
def test_the_book_loads_nothing_from_another_host():
    assert not crawler().loaded_elsewhere


@built
def test_every_image_of_the_book_has_alt_text():
    assert not crawler().without_alt
    assert crawler().images > 60


@built
@pytest.mark.parametrize("chapter", SOLVED, ids=lambda chapter: chapter.id)
def test_every_solution_is_folded_after_the_exercise_that_it_solves(chapter):
    folds = page(chapter.file).select("details.solution")
    path = course.solutions_of(chapter)
    exercises = [text for text in cells(path, "markdown") if re.match(r"\*\*\d", text)]
    assert len(folds) == len(exercises)
    assert not [fold for fold in folds if fold.has_attr("open")]
    words = "\n".join(fold.text for fold in folds)
    for source in cells(path, "code")[1:]:  # the first imports what the chapter has imported
        assert source in words
    for fold in folds:
        for name in re.findall(r"checks\.(\w+)\(\1\)", fold.text)[:1]:
            cells_before = (cell for cell in fold.find_all_previous("pre"))
            before = next(cell for cell in cells_before if "checks." in cell.text)
            assert f"checks.{name}({name})" in before.text and "..." in before.text


@built
def test_the_lesson_has_its_solution_folded_too():
    assert [fold for fold in page(LESSON).select("details.solution") if "bit_count" in fold.text]


@built
@pytest.mark.parametrize("chapter", CHAPTERS, ids=lambda chapter: chapter.id)
def test_every_quiz_is_shown_and_folded(chapter):
    asked = [text for text in cells(course.HERE / chapter.file, "code") if "quiz.ask(" in text]
    assert len(asked) == (chapter.part != course.MORE)
    answers = page(chapter.file).select("section[aria-label=Quiz] details")
    if asked:
        options = [option for each in quiz.questions(chapter.id) for option in each.options]
        assert len(answers) == len(options) > 3
    for answer in answers:
        assert not answer.has_attr("open") and answer.select_one("summary").text


@built
def test_every_chapter_and_page_can_be_fetched_without_outputs_or_answers():
    with ZipFile(BOOK / "learner.zip") as archive:
        laid = {name: archive.read(name) for name in archive.namelist()}
    for file in NOTEBOOKS:
        link = page(file).select_one(".buttons a[download]")
        assert link["download"] == file.split("/")[-1]
        copy = base64.b64decode(link["href"].partition(",")[2])
        assert laid[f"learner/{file}"] == copy
        found = json.loads(copy)["cells"]
        assert not [cell for cell in found if cell.get("outputs")]
        assert "solutions/" not in copy.decode()


@built
def test_the_search_index_has_a_word_of_each_chapter():
    text = (BOOK / "searchindex.js").read_text("utf-8")
    index = json.loads(text.removeprefix("Search.setIndex(").rstrip(")"))
    terms = [*index["terms"].items(), *index["titleterms"].items()]
    for chapter in CHAPTERS:
        number = index["docnames"].index(chapter.file.removesuffix(".ipynb"))
        prose = " ".join(cells(course.HERE / chapter.file, "markdown")[1:])
        word = max(re.findall(r"\b[a-z]+\b", re.sub(r"`.*?`|\(.*?\)|<.*?>", "", prose)), key=len)
        found = [np.atleast_1d(at) for term, at in terms if term.startswith(word[:6])]
        assert any(number in at for at in found), word


@built
def test_the_book_is_searched_from_disk_and_asks_no_other_host():
    with chromium() as browser:
        tab = browser.new_page()
        asked, errors = [], []
        tab.on("request", lambda request: asked.append(request.url))
        tab.on("pageerror", lambda error: errors.append(error))
        tab.goto((BOOK / "index.html").as_uri())
        tab.locator("input[name=q]").first.wait_for(state="attached")
        tab.keyboard.press("Control+K")
        tab.keyboard.type("orientation")
        tab.keyboard.press("Enter")
        hit = tab.locator("#search-results a").first
        hit.wait_for()
        hit.click()
        tab.wait_for_url(lambda url: "search.html" not in url)
        assert "orientation" in tab.locator("article").inner_text().lower()
    assert not [url for url in asked if not url.startswith(("file:", "data:"))]
    assert not errors
