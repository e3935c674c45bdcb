"""Feedback on an attempt: to do, not yet (with the call that shows it), or right.

An exercise is a file, ``exercises/NAME.toml``: its answer, its calls, its texts, and what learners
get wrong. Its chapter shows ``stub("NAME")`` in a cell, which ends with ``checks.NAME(NAME)``.
"""

import dis
import math
import shelve
import sys
import tempfile
import textwrap
import tomllib
import traceback
import warnings
from collections.abc import Callable, Mapping
from contextlib import redirect_stdout
from dataclasses import dataclass, field
from functools import cache
from io import StringIO
from numbers import Real
from pathlib import Path

import numpy as np

from helpers import Problem

_FOLDER = Path(__file__).with_name("exercises")
#: The names of all exercises.
EXERCISES = tuple(sorted(path.stem for path in _FOLDER.glob("*.toml")))
#: How much is shown of what an attempt gives. A call is always shown whole.
_LETTERS = 400
#: The last kind of wrong try at each exercise, and how often it came in a row.
_tries: dict[str, tuple[str, int]] = {}


@dataclass(frozen=True)
class Exercise:
    """A right answer, the calls on which attempts are compared with it, and texts.

    An answer is the body of the function, as a learner types it.

    Parameters
    ----------
    signature : str
        What stands between ``def`` and the colon.
    asks : str
        What the function returns, in one sentence: the docstring of the stub.
    answer : str
        The right answer that the kit compares with.
    also_right : list of str
        Other right answers.
    calls : list of str
        The arguments of each call, as they are written between the brackets, the shortest first.
        They may use ``np`` and ``checks``. Attempts are shown the first call that refuses them.
    means : str
        One sentence that is told with a right answer.
    harder : str
        A question for those who are done.
    hint : str
        Told after a second wrong try of one kind, if the misconception is not a known one.
    misconceptions : list of dict of str
        What learners get wrong: ``belief`` (told to the teacher), ``answer`` and ``hint``.
    equivalent : list of dict of str
        Changes of the answer that make no difference: ``answer`` and ``because``.
    """

    signature: str
    asks: str
    answer: str
    also_right: list[str]
    calls: list[str]
    means: str
    harder: str
    hint: str
    misconceptions: list[dict[str, str]]
    equivalent: list[dict[str, str]] = field(default_factory=list)

    def function(self, answer: str) -> Callable:
        """Make the function that has an answer as its body.

        Parameters
        ----------
        answer : str
            The body, not indented.

        Returns
        -------
        callable
            The function.
        """
        names = {"np": np, "Path": Path}
        exec(f"def {self.signature}:\n{textwrap.indent(answer, '    ')}", names)
        return names[self.signature.partition("(")[0]]


def exercise(name: str) -> Exercise:
    """Read an exercise.

    Parameters
    ----------
    name : str
        One of `EXERCISES`.

    Returns
    -------
    Exercise
        What its file says.

    Raises
    ------
    Problem
        If there is no such exercise.
    """
    if name not in EXERCISES:
        raise Problem(
            f"{name}: no such exercise; write {_FOLDER.name}/{name}.toml, as CONTRIBUTING says"
        )
    entries = tomllib.loads((_FOLDER / f"{name}.toml").read_text(encoding="utf-8"))
    return Exercise(**entries | {"calls": sorted(entries["calls"], key=len)})


def stub(name: str) -> str:
    """Write the cell in which learners type their answer.

    The three dots keep the place to type on a line of its own, also when a formatter has passed.
    An answer is right in place of them, above them and below them.

    Parameters
    ----------
    name : str
        One of `EXERCISES`.

    Returns
    -------
    str
        The cell's source.

    Examples
    --------
    >>> print(stub("new_size"))
    def new_size(width: int, height: int, factor: float) -> tuple[int, int]:
        \"\"\"The new width and height, in whole pixels.\"\"\"
        # Type your answer on the next line, then run this cell.
        ...
    <BLANKLINE>
    <BLANKLINE>
    checks.new_size(new_size)
    """
    what = exercise(name)
    return (
        f'def {what.signature}:\n    """{what.asks}"""\n'
        "    # Type your answer on the next line, then run this cell.\n    ...\n\n\n"
        f"checks.{name}({name})"
    )


def __getattr__(name: str) -> Callable[[Callable], None]:
    """The check of an exercise: a function that prints what is said of the learner's function."""
    if name not in EXERCISES:
        raise AttributeError(f"{name} is no exercise; these are: {', '.join(EXERCISES)}")

    def check(attempt: Callable) -> None:
        print(reply(name, attempt))

    check.__name__ = check.__qualname__ = name
    check.__doc__ = f"Say how near a function is to this: {exercise(name).asks}"
    return check


def reply(name: str, attempt: Callable) -> str:
    """Compare an attempt with the right answer, and remember what kind of wrong it is.

    Parameters
    ----------
    name : str
        One of `EXERCISES`.
    attempt : callable
        The learner's function.

    Returns
    -------
    str
        What the check prints.
    """
    what = exercise(name)
    if not callable(attempt):
        return f"Not yet: give the check the function itself: checks.{name}({name})"
    if _steps(attempt) == _steps(lambda: None):
        _tries.pop(name, None)
        return f"To do: {name} has no answer yet. Type it below the line that says so."
    found, printed = _outcomes(attempt, what.calls)
    wanted, _ = _outcomes(what.function(what.answer), what.calls)
    all_of_each = zip(what.calls, printed, found, wanted, strict=True)
    wrong = [one for one in all_of_each if not _equal(*one[2:])]
    if not wrong:
        _tries.pop(name, None)
        return f"Right: {what.means}\nHarder: {what.harder}"
    call, said, *pair = wrong[0]
    known = _misconception(what, found)
    kind = known["belief"] if known else _kind(*pair)
    before, times = _tries.get(name, ("", 0))
    _tries[name] = kind, times + 1 if kind == before else 1
    shown_as = getattr(attempt, "__name__", name)
    call = f"{shown_as if shown_as.isidentifier() else name}({call})"
    lines = ["Not yet. This call shows it:", call, *_difference(attempt, *pair)]
    if said:
        lines.append(f"It printed: {said.rstrip()}")
    if _tries[name][1] > 1:
        lines.append(f"Hint: {known['hint'] if known else what.hint}")
    return "\n".join(lines)


def shelf(contents: dict[str, list]) -> shelve.Shelf:
    """Make a shelf in memory. As any shelf it hands out copies, which have to be put back.

    Parameters
    ----------
    contents : dict
        What it holds.

    Returns
    -------
    shelve.Shelf
        The shelf.
    """
    made = _Shelf({})
    made.update(contents)
    return made


class _Shelf(shelve.Shelf):
    def __getitem__(self, key: str) -> object:
        if key not in self:  # otherwise the error would name its bytes: b'ff'
            raise KeyError(key)
        return super().__getitem__(key)


def files(*contents: bytes) -> tuple[Path, ...]:
    """Write files, which are gone when Python ends.

    Parameters
    ----------
    *contents : bytes
        What each file holds.

    Returns
    -------
    tuple of Path
        One for each content. The same contents have the same paths.
    """
    paths = _paths(contents)
    for path, content in zip(paths, contents, strict=True):
        path.write_bytes(content)  # anew, since an attempt may have written there
    return paths


@cache
def _paths(contents: tuple[bytes, ...]) -> tuple[Path, ...]:
    return tuple(Path(tempfile.mkdtemp(dir=_folder().name), "picture.jpg") for _ in contents)


@cache
def _folder() -> tempfile.TemporaryDirectory:
    return tempfile.TemporaryDirectory()


def _steps(attempt: Callable) -> list[tuple] | None:
    """What Python does in a function; None if it is not written in Python."""
    if not hasattr(attempt, "__code__"):
        return None
    steps = ((step.opname, step.argval) for step in dis.get_instructions(attempt))
    return [step for step in steps if step[0] != "NOP"]


def _outcomes(attempt: Callable, calls: list[str]) -> tuple[list[object], list[str]]:
    """What each call returns, or the error that it raises; and what it prints."""
    names = {"np": np, "checks": sys.modules[__name__], "attempt": attempt}
    outcomes, printed = [], []
    for call in calls:
        with redirect_stdout(StringIO()) as text:
            try:
                outcomes.append(_plain(eval(f"attempt({call})", names)))
            except Exception as error:
                outcomes.append(error)
        printed.append(text.getvalue())
    return outcomes, printed


def _plain(value: object) -> object:
    """A number of Python for one of NumPy, and a dictionary for a shelf."""
    if isinstance(value, np.generic):
        return value.item()
    return dict(value) if isinstance(value, Mapping) else value


def _equal(found: object, wanted: object) -> bool:
    """Whether they are of one kind, and equal; lists, tuples and arrays are of one kind."""
    try:
        if isinstance(wanted, np.ndarray):
            found = np.asarray(found)
            kinds = {"i": "iu", "u": "iu"}.get(wanted.dtype.kind, wanted.dtype.kind)
            alike = found.shape == wanted.shape and (found.dtype.kind in kinds or not found.size)
            return alike and found.tolist() == wanted.tolist()
        if isinstance(wanted, list | tuple):
            of_one_kind = isinstance(found, list | tuple | np.ndarray)
            return of_one_kind and len(found) == len(wanted) and all(map(_equal, found, wanted))
        found, wanted = _plain(found), _plain(wanted)
        if isinstance(wanted, float):
            number = isinstance(found, Real) and not isinstance(found, bool)
            near = number and math.isclose(found, wanted, rel_tol=1e-6, abs_tol=1e-12)
            return near or str(found) == str(wanted) == "nan"
        if isinstance(wanted, Exception):
            return type(found) is type(wanted)
        of_one_kind = isinstance(found, bool) == isinstance(wanted, bool)
        return of_one_kind and isinstance(found, type(wanted)) and found == wanted
    except (TypeError, ValueError):
        return False


def _misconception(what: Exercise, found: list[object]) -> dict[str, str] | None:
    """The known misconception that gives the same on every call."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for known in what.misconceptions:
            outcomes, _ = _outcomes(what.function(known["answer"]), what.calls)
            if all(map(_equal, found, outcomes)):
                return known
    return None


def _kind(found: object, wanted: object) -> str:
    if isinstance(found, Exception):
        return type(found).__name__
    return "value" if _type(found) == _type(wanted) else "type"


def _type(value: object) -> str:
    """The type, with the shape or the length where there is one."""
    if isinstance(value, np.ndarray):
        return f"array of {value.dtype}, shape {value.shape}"
    length = f" of {len(value)}" if isinstance(value, list | tuple | dict | set) else ""
    return f"{type(value).__name__}{length}"


def _difference(attempt: Callable, found: object, wanted: object) -> list[str]:
    """What came and what should have come, each with its type; of tables one row that differs."""
    if isinstance(found, Exception):
        code = getattr(attempt, "__code__", None)
        frames = traceback.extract_tb(found.__traceback__)
        lines = [frame.line for frame in frames if code and frame.filename == code.co_filename]
        where = f", in this line: {lines[-1]}" if lines and lines[-1] else ""
        return [f"raises {type(found).__name__}: {found}{where}", f"wanted {_shown(wanted)}"]
    row = 0
    if isinstance(found, np.ndarray) and _type(found) == _type(wanted) and found.ndim == 2:
        row = int(np.argmax((found != wanted).any(axis=1)))
    return [f"found  {_shown(found, row)}", f"wanted {_shown(wanted, row)}"]


def _shown(value: object, row: int = 0) -> str:
    if value is None:
        return "nothing: does your answer end with return?"
    if isinstance(value, np.ndarray) and value.ndim == 2 and len(value):
        text = f"row {row}: {value[row].tolist()}"
    else:
        text = repr(value.tolist() if isinstance(value, np.ndarray) else value)
    return f"{text if len(text) <= _LETTERS else text[:_LETTERS] + '...'} ({_type(value)})"
