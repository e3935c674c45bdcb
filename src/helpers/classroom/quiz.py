"""A few questions on a chapter, with feedback to each answer.

All stand in ``quizzes.toml``. A chapter asks its own with ``quiz.ask("bits")``. An answer is a
``<details>``, which opens on a click or a key and needs no JavaScript. JupyterLab strips style
sheets from a notebook that it does not trust, so all style is written on the elements.
"""

import html
import re
import tomllib
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from IPython.display import display

from helpers import Problem

_SOURCE = Path(__file__).with_name("quizzes.toml")
_LETTERS = "ABCDEF"
#: What is told first of an answer: whether it is right.
_VERDICTS = {True: "Right.", False: "Not this one."}
#: The frame of an answer has the colour of letters, so that it suits a dark page as well.
_BOX = "margin:.4em 0;padding:.4em .8em;border:1px solid;break-inside:avoid"


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
    lines = ['<section aria-label="Quiz" style="max-width:46em">']
    for number, question in enumerate(asked, start=1):
        text = f"<strong>{number}. {_escaped(question.text)}</strong>"
        lines.append(f'<p style="margin:1.5em 0 .5em">{text}</p>')
        for letter, option in zip(_LETTERS, question.options, strict=False):
            told = f"<strong>{_VERDICTS[option.right]}</strong> {_escaped(option.feedback)}"
            answer = f"{letter}. {_escaped(option.text)}"
            lines += [
                f'<details style="{_BOX}"><summary style="cursor:pointer">{answer}</summary>',
                f'<p style="margin:.5em 0 .2em">{told}</p></details>',
            ]
    return "\n".join([*lines, "</section>"])


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
        answers = zip(_LETTERS, question.options, strict=False)
        lines += [f"   {letter}. {option.text}" for letter, option in answers]
    return "\n".join(["Feedback opens in JupyterLab and in a browser.", *lines])


@cache
def _all() -> dict[str, list[Question]]:
    """By chapter."""
    found = {}
    for entry in tomllib.loads(_SOURCE.read_text(encoding="utf-8"))["question"]:
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


def _escaped(text: str) -> str:
    """Text as HTML. Not by Jinja, which the browser edition does not have."""
    return re.sub("`([^`]*)`", r"<code>\1</code>", html.escape(text))
