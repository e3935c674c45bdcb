"""Sentences, cells and minutes of a notebook, counted in one way.

``python tests/prose.py`` prints the table for all chapters.
"""

import json
import re
import statistics
import sys
from pathlib import Path

_NOT_READ = re.compile(r"```.*?```|<!--.*?-->|!\[[^\]]*\]\([^)]*\)", re.DOTALL)
_LINK = re.compile(r"\[([^\]]*)\]\([^)]*\)")
_PIECE = re.compile(r"\n\s*\n|\n(?=\s*(?:[-*>|#]|\d+\.)\s?)|<br>")
_END = re.compile(r"(?<=[.!?:;])[\"')*]*\s+(?=[\"'(*]*[A-Z0-9])")
_WORD = re.compile(r"[^\W_][\w'\u2019.,-]*")


def cells(path, kind=None):
    """The cells of a notebook, each with its source in ``text``."""
    found = json.loads(Path(path).read_text(encoding="utf-8"))["cells"]
    for cell in found:
        cell["text"] = "".join(cell["source"])
    return [cell for cell in found if kind in (None, cell["cell_type"])]


def text(path):
    """All its prose."""
    return "\n".join(cell["text"] for cell in cells(path, "markdown"))


def sentences(markdown):
    """The sentences of prose: no headings, tables or code; code and formulas count as a word."""
    for piece in _PIECE.split(_NOT_READ.sub(" ", markdown)):
        piece = piece.strip()
        if not piece or piece[0] in "|#":
            continue
        piece = re.sub(r"`[^`]*`|\$[^$]*\$", "code", _LINK.sub(r"\1", piece))
        yield from (s for s in _END.split(" ".join(piece.lstrip(">-* ").split())) if words(s))


def words(sentence):
    """How many words a sentence has."""
    return len(_WORD.findall(sentence))


def lengths(path):
    """The lines of each code cell, blank ones not counted."""
    return [sum(map(bool, map(str.strip, c["text"].splitlines()))) for c in cells(path, "code")]


def minutes(path):
    """How long a learner takes, by a model.

    180 words of prose a minute; 8 seconds a line of code; 30 seconds an output; 6 minutes an
    exercise, 3 minutes a quiz, and a minute a guess.
    """
    code = cells(path, "code")
    read = sum(words(s) for c in cells(path, "markdown") for s in sentences(c["text"])) / 180
    outputs = 0.5 * sum(bool(cell["outputs"]) for cell in code)
    tried = sum(6 * ("\nchecks." in c["text"]) + c["text"].startswith("guess") for c in code)
    asked = 3 * sum(c["text"].startswith("quiz.ask(") for c in code)
    return read + sum(lengths(path)) * 8 / 60 + outputs + tried + asked


def row(path):
    """The counts of one notebook."""
    long = [words(s) > 20 for c in cells(path, "markdown") for s in sentences(c["text"])]
    lines = lengths(path) or [0]
    return {
        "cells": len(cells(path)),
        "median": statistics.median(lines),
        "longest": max(lines),
        "sentences": len(long),
        "long": sum(long) / max(1, len(long)),
        "minutes": round(minutes(path)),
    }


if __name__ == "__main__":
    for name in sys.argv[1:] or sorted(Path("notebooks").glob("*.ipynb")):
        counts = row(name)
        counts["long"] = f"{counts['long']:.1%}"
        print(f"{Path(name).stem:40}", *(f"{key} {value:>5}" for key, value in counts.items()))
        if len(sys.argv) == 2:
            found = [s for c in cells(name, "markdown") for s in sentences(c["text"])]
            print(*(f"  {words(s)}: {s}" for s in found if words(s) > 20), sep="\n")
