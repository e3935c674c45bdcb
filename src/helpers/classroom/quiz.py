"""A few questions on a chapter, with feedback to each answer.

All stand in ``quizzes.toml``. A chapter asks its own with ``quiz.ask("bits")``. An answer is a
``<details>``, which opens on a click or a key and needs no JavaScript. JupyterLab strips style
sheets from a notebook that it does not trust, so all style is written on the elements.
"""

import re
import tomllib
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from IPython.display import display

from helpers import Problem

_HERE = Path(__file__).parent


@dataclass(frozen=True)
class Option:
    """An answer that a learner may choose. Words between backticks are code.

    Parameters
    ----------
    text : str
        The answer.
    feedback : str
        What is told to those who choose it.
    right : bool
        Whether it is the right one.
    belief : str
        What a learner believes who chooses a wrong one; for the teacher.
    """

    text: str
    feedback: str
    right: bool = False
    belief: str = ""


@dataclass(frozen=True)
class Question:
    """A question with its answers, in the order in which they are shown.

    Parameters
    ----------
    text : str
        The question. Words between backticks are code.
    options : tuple of Option
        Its answers.
    """

    text: str
    options: tuple[Option, ...]


def questions(chapter: str) -> list[Question]:
    """The questions on a chapter.

    Parameters
    ----------
    chapter : str
        The chapter's id in ``notebooks/course.toml``.

    Returns
    -------
    list of Question
        In the order in which they are asked.

    Raises
    ------
    Problem
        If there are none on it.

    Examples
    --------
    >>> [sum(option.right for option in question.options) for question in questions("start")]
    [1, 1, 1]
    """
    found = _all()
    if chapter not in found:
        raise Problem(f"{chapter}: no chapter with a quiz; these are: {', '.join(found)}")
    return found[chapter]


def ask(chapter: str) -> None:
    """Show the questions on a chapter. Choose an answer, and its feedback opens below it.

    Parameters
    ----------
    chapter : str
        The chapter's id in ``notebooks/course.toml``.

    Examples
    --------
    >>> ask("bits")  # doctest: +SKIP
    """
    asked = questions(chapter)
    display({"text/html": as_html(asked), "text/plain": as_text(asked)}, raw=True)


def as_html(asked: list[Question]) -> str:
    """Questions as HTML, with all feedback closed.

    Parameters
    ----------
    asked : list of Question
        The questions.

    Returns
    -------
    str
        A list of questions, each with its answers.
    """
    import jinja2  # where a page is made, as in `helpers.decisions`

    pages = jinja2.Environment(autoescape=True, undefined=jinja2.StrictUndefined)
    pages.trim_blocks = pages.lstrip_blocks = True
    template = (_HERE / "quiz.html.j2").read_text(encoding="utf-8")
    return pages.from_string(template).render(questions=asked)


def as_text(asked: list[Question]) -> str:
    """Questions and answers as plain text, for a terminal; without feedback.

    Parameters
    ----------
    asked : list of Question
        The questions.

    Returns
    -------
    str
        A line a question, and a line an answer.
    """
    lines = []
    for number, question in enumerate(asked, start=1):
        lines += ["", f"{number}. {question.text}"]
        lines += [f"   {chr(65 + n)}. {one.text}" for n, one in enumerate(question.options)]
    return "\n".join(["Feedback opens in JupyterLab and in a browser.", *lines])


@cache
def _all() -> dict[str, list[Question]]:
    """By chapter."""
    found = {}
    for entry in tomllib.loads((_HERE / "quizzes.toml").read_text(encoding="utf-8"))["question"]:
        options = tuple(Option(**_plain(option)) for option in entry["options"])
        question = Question(_plain(entry)["text"], options)
        found.setdefault(entry["chapter"], []).append(question)
    return found


def _plain(entry: dict) -> dict:
    """An entry with each text on one line, without the names of numbers, which tests read."""
    texts = {key: value for key, value in entry.items() if isinstance(value, str)}
    return entry | {
        key: " ".join(re.sub(r"<!--\w+-->", "", text).split()) for key, text in texts.items()
    }
