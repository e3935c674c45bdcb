"""What makes a chapter a lesson: small cells, short sentences, one word for one thing."""

import re
import statistics
from itertools import groupby
from pathlib import Path

import course
import prose
import pytest

HERE = Path(course.__file__).parent
CHAPTERS = {HERE / chapter.file: chapter for chapter in course.chapters()}
every_chapter = pytest.mark.parametrize("path", CHAPTERS, ids=[path.stem for path in CHAPTERS])

#: Words that chapters do not use, and what they say instead.
NOT_SAID = {
    r"strangers?": "different pictures",
    r"(false|true) (positives?|negatives?)": "false match, match, miss",
    r"thresholds?": "radius, except in a quotation",
    r"cut-?offs?": "radius",
    r"candidate pairs?": "near pairs",
    r"simply|obviously|trivial(ly)?|of course|just": "nothing: what is easy for us may not be easy",
    r"leverage|utili[sz]e|delve": "use",
}


@every_chapter
def test_cells_are_small_and_few(path):
    lines = prose.lengths(path)
    kinds = groupby(cell["cell_type"] for cell in prose.cells(path))
    # to a reader, paragraphs below each other are one cell
    assert (
        sum(1 if kind == "markdown" else len(list(run)) for kind, run in kinds) <= 62
    )  # two are the quiz
    assert statistics.median(lines) <= 4
    assert max(lines) <= 15


@every_chapter
def test_sentences_are_short(path):
    long = [
        sentence
        for cell in prose.cells(path, "markdown")
        for sentence in prose.sentences(cell["text"])
        if prose.words(sentence) > 20
    ]
    assert prose.row(path)["long"] < 0.05, long


@every_chapter
def test_one_thing_has_one_word(path):
    unquoted = re.sub(r"\*[^*\n]+\*|\"[^\"]*\"|`[^`]*`|\([^)]*ipynb[^)]*\)", "", prose.text(path))
    for word, instead in NOT_SAID.items():
        assert not (found := re.search(rf"\b({word})\b", unquoted, re.I)), (
            f"{found.group()!r}: say {instead}"
        )


@every_chapter
def test_little_stands_before_the_lesson(path):
    first = prose.cells(path, "code")[0]["text"].splitlines()
    plumbing = [line for line in first if line.strip() and not re.match(r"from|import| |\)", line)]
    assert len(plumbing) <= 2
    code = "\n".join(cell["text"] for cell in prose.cells(path, "code"))
    assert "os.environ" not in code
    assert "except ImportError" not in code


@every_chapter
def test_new_words_are_few_and_lead_to_the_glossary(path):
    line = re.search(r"\*\*New words\*\*:?(.*?)(?:<br>|\n\n|$)", prose.text(path), re.DOTALL)
    words = re.findall(r"\[([^\]]+)\]\([^)]*glossary\.ipynb#([^)]+)\)", line.group(1))
    assert 1 <= len(words) <= 6
    known = prose.text(HERE / "more" / "glossary.ipynb")
    headings = {h.strip().lower().replace(" ", "-") for h in re.findall(r"^#+ (.*)$", known, re.M)}
    assert {anchor.lower() for _, anchor in words} <= headings


@every_chapter
def test_guesses_are_written_down_and_answered(path):
    code = prose.cells(path, "code")
    guesses = [number for number, c in enumerate(code) if c["text"].startswith("guess")]
    assert len(guesses) <= 3
    for number in guesses:
        assert not code[number]["outputs"], "the answer is not beside the question"
        assert "guess" in code[number + 1]["text"], "the next cell sets guess and result together"


@every_chapter
def test_what_is_from_which_dataset_is_told_in_one_box(path):
    told = re.findall(r"\b[io]n the sample\b", prose.text(path), re.I)
    boxes = re.findall(r"^> \*\*Which pictures\*\*", prose.text(path), re.M)
    assert len(boxes) <= 1
    assert len(told) <= 3


@every_chapter
def test_minutes_are_those_of_the_model(path):
    assert prose.minutes(path) == pytest.approx(CHAPTERS[path].minutes, rel=0.25)
