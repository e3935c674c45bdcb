"""The quizzes: what each question needs, how it is shown, and whether its numbers are true."""

import json
import re
import tomllib
from collections import Counter
from html.parser import HTMLParser
from math import comb, sqrt
from pathlib import Path

import course
import numpy as np
import prose
import pytest
from bs4 import BeautifulSoup
from test_lessons import NOT_SAID

from helpers import Problem, datasets, hamming
from helpers.classroom import quiz, results
from helpers.experiments import counting
from helpers.fingerprints import hashes

_MADE = (
    *("original/rocket.jpg", "original/cat.jpg", "thumbnail/rocket.jpg", "mirrored/rocket.jpg"),
    *("turned/rocket.jpg", "screenshot/cat_1.png", "screenshot/rocket_1.png"),
)
SOURCE = Path(quiz.__file__).with_name("quizzes.toml")
ENTRIES = tomllib.loads(SOURCE.read_text(encoding="utf-8"))["question"]
COUNTED = {chapter.id: chapter for chapter in course.chapters() if chapter.part != course.MORE}
QUESTIONS = {id: quiz.questions(id) for id in COUNTED}
EVERY = [question for asked in QUESTIONS.values() for question in asked]
every_question = pytest.mark.parametrize("question", EVERY, ids=lambda q: q.text[:40])
every_chapter = pytest.mark.parametrize("chapter", COUNTED)


def right(question):
    """The place of the right answer."""
    return [option.right for option in question.options].index(True)


def soup(chapter):
    return BeautifulSoup(quiz.as_html(QUESTIONS[chapter]), "html.parser")


def test_every_chapter_that_is_counted_has_a_quiz_and_no_other_does():
    assert {entry["chapter"] for entry in ENTRIES} == set(COUNTED)
    for asked in QUESTIONS.values():
        assert 3 <= len(asked) <= 4


@every_question
def test_one_answer_is_right_and_each_has_feedback_of_its_own(question):
    options = question.options
    assert sum(option.right for option in options) == 1
    assert 3 <= len(options) <= 4
    assert len({option.text for option in options}) == len(options)
    assert len({option.feedback for option in options}) == len(options)
    for option in options:
        assert len(option.feedback.split()) >= 10
        assert bool(option.belief) != option.right


@every_question
def test_wrong_answers_ask_and_do_not_tell_which_one_is_right(question):
    answer = question.options[right(question)].text.rstrip(".").lower()
    for option in question.options:
        if not option.right:
            assert not re.search(r"\b([ABCD]\.|answer [ABCD])", option.feedback)
            assert answer not in option.feedback.lower()


def test_the_place_of_the_right_answer_and_its_length_give_nothing_away():
    places = Counter(map(right, EVERY))
    assert min(places[place] for place in range(4)) >= len(EVERY) / 6
    for asked in QUESTIONS.values():
        assert len(set(map(right, asked))) > 1
    lengths = [[len(option.text) for option in question.options] for question in EVERY]
    sorted_by_length = [sorted(found) for found in lengths]
    longest, shortest = (
        sum(
            found[right(q)] == ends[end]
            for found, ends, q in zip(lengths, sorted_by_length, EVERY, strict=True)
        )
        for end in (-1, 0)
    )
    assert longest < len(EVERY) / 2
    assert shortest < len(EVERY) / 2


def test_questions_are_written_as_chapters_are():
    parts = [
        part
        for question in EVERY
        for one in (question, *question.options)
        for part in (one.text, getattr(one, "feedback", ""), getattr(one, "belief", ""))
    ]
    sentences = [s for part in parts for s in prose.sentences(re.sub("`[^`]*`", "Code", part))]
    long = [sentence for sentence in sentences if prose.words(sentence) > 20]
    assert len(long) < 0.05 * len(sentences), long
    assert not [sentence for sentence in long if prose.words(sentence) > 25]
    for part in parts:
        for word, instead in NOT_SAID.items():
            assert not re.search(rf"\b({word})\b", part, re.I), f"{part}: say {instead}"


@every_chapter
def test_a_chapter_asks_its_own_quiz_before_it_closes(chapter):
    heading, asked, _ = prose.cells(course.HERE / COUNTED[chapter].file)[-3:]
    number = {3: "Three", 4: "Four"}[len(QUESTIONS[chapter])]
    assert heading["text"].startswith(f"## Quiz\n\n{number} questions.")
    assert asked["text"] == f'quiz.ask("{chapter}")'
    ((output),) = asked["outputs"]
    assert "".join(output["data"]["text/html"]) == quiz.as_html(QUESTIONS[chapter])


@every_chapter
def test_guides_give_a_quiz_a_minute_a_question(chapter):
    guide = course.HERE / "guide" / f"{COUNTED[chapter].number:02}.md"
    rows = re.findall(r"^\| quiz \|.* (\d+) \|$", guide.read_text(encoding="utf-8"), re.MULTILINE)
    assert rows == [str(len(QUESTIONS[chapter]))]


class Balance(HTMLParser):
    """Whether each tag that is opened is closed, in the reverse order."""

    def __init__(self):
        super().__init__()
        self.open, self.seen = [], set()

    def handle_starttag(self, tag, attributes):
        self.open.append(tag)
        self.seen |= {tag, *(name for name, _ in attributes)}

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


@every_chapter
def test_a_quiz_is_whole_html_without_scripts_style_sheets_or_addresses(chapter):
    balance = Balance()
    balance.feed(quiz.as_html(QUESTIONS[chapter]))
    assert not balance.open
    tags = {"section", "p", "strong", "code", "details", "summary"}
    assert balance.seen <= tags | {"style", "aria-label"}
    assert not soup(chapter).select("style, [open]")


@every_chapter
def test_closed_answers_look_the_same_whether_right_or_wrong(chapter):
    closed = soup(chapter)
    for feedback in closed.select("details > :not(summary)"):
        feedback.decompose()
    for code in closed.select("summary code, strong code"):
        code.unwrap()
    wanted = []
    for number, question in enumerate(QUESTIONS[chapter], start=1):
        answers = zip("ABCD", question.options, strict=False)
        wanted.append(f"{number}. {question.text}")
        wanted += [f"{letter}. {option.text}" for letter, option in answers]
    assert closed.get_text().split() == " ".join(wanted).replace("`", "").split()
    details = closed.select("details")
    assert (
        len({str(one.attrs) + str([part.attrs for part in one.find_all()]) for one in details}) == 1
    )
    assert [len(one.find_all()) for one in details] == [1] * len(details)


def test_letters_of_html_are_shown_as_they_are():
    nasty = quiz.Option('<b onclick="x">&amp; `<i>`', "<script>alert(1)</script>", right=True)
    page = quiz.as_html([quiz.Question("a < b & `c > d`?", (nasty,))])
    found = BeautifulSoup(page, "html.parser")
    assert not found.select("b, i, script")
    assert "a < b & c > d?" in found.get_text()
    assert found.summary.get_text() == 'A. <b onclick="x">&amp; <i>'
    assert found.select_one("summary code").get_text() == "<i>"
    assert "<script>alert(1)</script>" in found.get_text()


def test_a_terminal_lists_questions_and_answers_without_feedback():
    text = quiz.as_text(QUESTIONS["bits"])
    assert text.count("\n   A. ") == text.count("\n   C. ") == len(QUESTIONS["bits"])
    for question in QUESTIONS["bits"]:
        assert question.text in text
        assert not [option for option in question.options if option.feedback in text]


def test_ask_shows_html_and_text(monkeypatch):
    shown = []
    monkeypatch.setattr(quiz, "display", lambda data, raw: shown.append((data, raw)))
    quiz.ask("start")
    ((data, raw),) = shown
    assert raw
    assert list(data) == ["text/html", "text/plain"]
    assert data["text/html"] == quiz.as_html(QUESTIONS["start"])


def test_who_asks_for_a_quiz_that_there_is_not_is_told_which_there_are():
    with pytest.raises(Problem, match="pandas: no chapter with a quiz; these are: start, haystack"):
        quiz.ask("pandas")


# What the questions say in numbers


def test_numbers_of_caltech_are_those_that_are_kept():
    kept = results.kept().set_index("name")["value"]
    texts = json.dumps(ENTRIES)
    quotes = re.findall(r"(\d[\d,]*)( of \d+)?<!--(\w+)-->", texts)
    assert len(quotes) == texts.count("<!--") > 5
    for number, rest, name in quotes:
        number = number.replace(",", "")
        assert number + rest == kept[name] or float(number) == float(kept[name]), name
    shown = json.dumps([quiz.as_html(asked) for asked in QUESTIONS.values()])
    assert "<!--" not in shown
    assert "&lt;!--" not in shown


def said(chapter, place):
    """All that the right answer to a question says."""
    question = QUESTIONS[chapter][place]
    return f"{question.options[right(question)].text} {question.options[right(question)].feedback}"


def test_numbers_that_are_sums_come_out_as_told():
    assert "65" in said("index", 0)
    assert 1 + 64 == 65
    assert "2,081" in said("index", 0)
    assert 1 + 64 + comb(64, 2) == 2_081
    assert "13 x 12" in said("bits", 0)
    assert np.diff(np.zeros((12, 13))).size == 144
    assert "0.01" in said("distances", 1)
    assert 10_000 / 1_000_000 == 0.01
    assert "More than half" in said("gate", 0)
    honest = (100_000 - 100) / 1_000
    assert honest / (honest + 80) > 0.5
    assert "0.03" in said("own", 0)
    assert 3 / comb(200, 2) * 199 == pytest.approx(0.03)
    assert 30 + 5 > 32 >= 30 - 5  # faster, 0: both halves


def test_a_tree_that_grows_more_slowly_wins_at_ten_million():
    times = {10**n: (3 * 2 ** (n - 4), 0.1 * 10 ** (n - 4)) for n in range(4, 8)}
    assert [n for n, (tree, scan) in times.items() if tree < scan] == [10**7]
    assert times[10**6] == pytest.approx((12, 10))
    assert times[10**7] == pytest.approx((24, 100))
    assert "between 1 and 10 million" in said("faster", 2)
    assert "12 ms against 10" in said("faster", 2)
    assert "24 ms against 100" in said("faster", 2)


def test_differing_bits_touch_seven_of_eight_bands_at_most():
    touched = {bits: min(bits, 8) for bits in range(65)}
    assert max(bits for bits, bands in touched.items() if bands < 8) == 7
    assert said("faster", 1).startswith("7 ")


def test_two_steps_of_six_bits_lead_from_0_to_12():
    first = 0b111111
    ends = [(first ^ first << shift).bit_count() for shift in range(8)]  # six bits flip, then six
    assert (min(ends), max(ends)) == (0, 12)
    assert said("duplicates", 0).startswith("Between 0 and 12 bits")


def test_the_errors_of_two_hashes_are_as_told():
    for found, errors in (((6, 0), "2.7"), ((16, 10), "1.2")):
        both = np.repeat([1, -1, 0], (*found, 40 - sum(found)))
        assert both.sum() == 30 - 24
        assert f"{both.mean() / (both.std() / sqrt(40)):.1f}" == errors
        assert errors in said("hashes", 1)


def test_adding_to_all_levels_flips_no_bit():
    levels = np.random.default_rng(0).integers(0, 236, (8, 9))
    assert np.array_equal(np.diff(levels) > 0, np.diff(levels + 20) > 0)


def test_distances_of_the_pictures_that_were_made_are_as_told():
    made = datasets.specials().root
    value = {name: hashes.of_file(made / name) for name in _MADE}
    first = value["original/rocket.jpg"]
    assert hamming.distance(first, value["thumbnail/rocket.jpg"]) == 1
    assert 64 - hamming.distance(first, value["original/cat.jpg"]) == 30
    missed = [
        hamming.distance(first, value[name])
        for name in ("mirrored/rocket.jpg", "turned/rocket.jpg")
    ]
    assert missed == [29, 37]
    window = value["screenshot/cat_1.png"]
    assert hamming.distance(window, value["screenshot/rocket_1.png"]) == 6
    assert hamming.distance(window, value["original/cat.jpg"]) == 33


def test_near_pairs_and_crops_of_caltech_are_as_told():
    table, _ = counting.caltech_101()
    counts = hamming.count_pairs(table["fingerprint"]).cumsum()
    assert round(counts[-1] / counts[10], -3) == 7_000
    assert counts[30] / counts[-1] == pytest.approx(0.4, abs=0.01)
    value = table.set_index("path")["fingerprint"]
    parts = value[value.index.str.startswith("Faces_easy/")]
    wholes = value[parts.index.str.replace("Faces_easy", "Faces")]
    bits = np.bitwise_count(hamming.as_fingerprints(parts) ^ hamming.as_fingerprints(wholes))
    assert (bits <= 29).mean() < 0.5 <= (bits <= 30).mean()
    assert (bits > 30).mean() == pytest.approx(0.4, abs=0.01)
