"""Feedback on the exercises: not started, not right yet (with the input that shows it), or right.

An exercise is its right answer, with the inputs on which an attempt is compared with it. To add
one, write it below under `exercise`; the chapter then calls ``checks.NAME(NAME)``.
"""

import copy
import hashlib
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np

_ATTEMPT = """\
Parameters
----------
attempt : callable
    The learner's function. One sentence in print says how near it is to the right answer.
"""


class Exercise(NamedTuple):
    """A right answer, and the inputs on which attempts are compared with it.

    Parameters
    ----------
    right : callable
        The right answer.
    cases : list of tuple, or callable
        The arguments of each call, or a function that makes this list in a folder.
    """

    right: Callable
    cases: list[tuple] | Callable[[Path], list[tuple]]


#: Every exercise of the course, by its name. `exercise` fills it.
EXERCISES: dict[str, Exercise] = {}


def exercise(*cases: tuple | Callable[[Path], list[tuple]]) -> Callable[[Callable], Callable]:
    """Make a check of the right answer that stands below.

    Parameters
    ----------
    *cases : tuple, or one callable
        The arguments of each call that is compared, the most telling first. A callable gets an
        empty folder, where it may write files, and returns a list of such tuples.

    Returns
    -------
    callable
        A decorator. It puts the right answer into `EXERCISES`, and gives a check in its place: a
        function that prints one sentence about an attempt.

    Examples
    --------
    >>> @exercise((2,), (0,), (-3,))
    ... def double(number: int) -> int:
    ...     "Twice the number."
    ...     return 2 * number
    >>> def attempt(number):
    ...     return number**2
    >>> double(attempt)
    Not yet: attempt(-3) gives 9; it should give -6.
    >>> _ = EXERCISES.pop("double")
    """
    inputs = cases[0] if callable(cases[0]) else list(cases)

    def register(right: Callable) -> Callable[[Callable], None]:
        EXERCISES[right.__name__] = Exercise(right, inputs)

        def check(attempt: Callable) -> None:
            with tempfile.TemporaryDirectory() as folder:
                _check(attempt, inputs(Path(folder)) if callable(inputs) else inputs, right)

        check.__name__ = check.__qualname__ = right.__name__
        check.__doc__ = f"{right.__doc__}\n\n{_ATTEMPT}"
        return check

    return register


def _check(attempt: Callable, cases: list[tuple], right: Callable) -> None:
    """Print one sentence about `attempt`, after comparing it with `right` on all `cases`."""
    name = attempt.__name__
    for number, arguments in enumerate(cases):
        shown = f"{name}({', '.join(_shown(argument) for argument in arguments)})"
        try:
            got = attempt(*copy.deepcopy(arguments))
        except Exception as error:
            print(f"Not yet: {shown} raised {type(error).__name__}: {error}")
            return
        expected = right(*copy.deepcopy(arguments))
        if got is None and number == 0:
            print(
                f"To do: {name} returns nothing yet. Write its body, end it with return, "
                "and run this cell again."
            )
            return
        if not _equal(got, expected):
            row = _first_row_that_differs(got, expected)
            where = "" if row is None else f" in row {row}"
            got, expected = (got, expected) if row is None else (got[row], expected[row])
            print(
                f"Not yet: {shown}{where} gives {_shown(got)}; it should give {_shown(expected)}."
            )
            return
    print(f"Right: {name} gave the expected answer on {len(cases)} inputs.")


def _equal(got: object, expected: object) -> bool:
    if got is None:
        return False
    try:
        if isinstance(expected, float):
            return bool(np.isclose(got, expected))
        if isinstance(expected, list):
            return list(got) == expected
        got, expected = np.asarray(got), np.asarray(expected)
        if expected.dtype == np.uint64:  # NumPy would compare a float with it as floats
            got, expected = got.astype(object), expected.astype(object)
        return bool(np.array_equal(got, expected))
    except (TypeError, ValueError):
        return False


def _first_row_that_differs(got: object, expected: object) -> int | None:
    """For tables of equal shape; None for anything else."""
    tables = isinstance(got, np.ndarray) and isinstance(expected, np.ndarray) and got.ndim == 2
    if not tables or got.shape != expected.shape:
        return None
    return int(np.flatnonzero((got != expected).any(axis=1))[0])


def _shown(value: object) -> str:
    if isinstance(value, np.ndarray):
        text = str((value.astype(int) if value.dtype == bool else value).tolist())
    else:
        value = value.item() if isinstance(value, np.generic) else value
        name = isinstance(value, Path) or callable(value)
        text = repr(getattr(value, "name", None) or value.__name__) if name else repr(value)
    return text if len(text) <= 160 else text[:157] + "..."


# Build a haystack


@exercise((300, 200, 1.05), (300, 241, 0.95), (101, 99, 1.02), (3481, 92, 0.951))
def new_size(width: int, height: int, factor: float) -> tuple[int, int]:
    """``new_size(width, height, factor)``: a tuple of whole pixels."""
    return round(width * factor), round(height * factor)


def _files(folder: Path) -> list[tuple]:
    contents = {"a": b"picture", "b": b"picture", "c": b"Picture", "longer": b"picture and more"}
    for name, content in contents.items():
        (folder / name).write_bytes(content)
    return [(folder / "a", folder / name) for name in ("b", "c", "longer", "a")]


@exercise(_files)
def same_file(first: Path, second: Path) -> bool:
    """``same_file(first, second)``: whether two files hold the same bytes."""
    return hashlib.md5(first.read_bytes()).digest() == hashlib.md5(second.read_bytes()).digest()


# Turn a picture into 64 bits


def _greys(seed: int, rows: int) -> list[tuple]:
    rng = np.random.default_rng(seed)
    return [(rng.integers(0, 256, (rows, 8), dtype=np.uint8),) for _ in range(5)]


_RISING = np.tile(np.arange(9, dtype=np.uint8)[:, None], (1, 8))
_FLAT = np.full((9, 8), 128, dtype=np.uint8)


@exercise((_RISING,), (_FLAT,), (_RISING[::-1],), *_greys(2, 9))
def column_bits(pixels: np.ndarray) -> np.ndarray:
    """``column_bits(pixels)``: 9 rows of 8 grey values -> 8 x 8 booleans, brighter than above."""
    return pixels[1:] > pixels[:-1]


@exercise(
    (np.arange(64, dtype=np.uint8).reshape(8, 8),),
    (np.full((8, 8), 9, dtype=np.uint8),),
    *_greys(3, 8),
)
def average_bits(pixels: np.ndarray) -> np.ndarray:
    """``average_bits(pixels)``: 8 x 8 grey values -> 8 x 8 booleans, brighter than the mean."""
    return pixels > pixels.mean()


def _bits(seed: int) -> list[tuple]:
    rng = np.random.default_rng(seed)
    return [(rng.random((8, 8)) < 0.5,) for _ in range(5)]


@exercise(
    (np.ones((8, 8), dtype=bool),),
    (np.zeros((8, 8), dtype=bool),),
    (np.eye(8, dtype=bool),),
    *_bits(4),
)
def bits_to_hex(bits: np.ndarray) -> str:
    """``bits_to_hex(bits)``: 8 x 8 booleans -> 16 hex digits, first bit highest."""
    return np.packbits(bits).tobytes().hex()


# Index and search


class _Shelf(dict):
    """As shelve does, it hands out copies: what is changed has to be put back."""

    def __getitem__(self, key: str) -> list:
        return list(super().__getitem__(key))

    def get(self, key: str, default: object = None) -> object:
        return self[key] if key in self else default  # noqa: SIM401

    def setdefault(self, key: str, default: object = None) -> object:
        super().setdefault(key, default)
        return self[key]


@exercise(
    (_Shelf(), "ff", "a.jpg"),
    (_Shelf({"ff": ["a.jpg"]}), "ff", "b.jpg"),
    (_Shelf({"ff": ["a.jpg"]}), "ff", "a.jpg"),
    (_Shelf({"ff": ["a.jpg"]}), "00", "a.jpg"),
    (_Shelf({"ff": ["a.jpg", "b.jpg"], "00": []}), "00", "b.jpg"),
)
def add_once(shelf: dict, key: str, name: str) -> dict:
    """``add_once(shelf, key, name)``: the shelf with `name` under `key`, listed once."""
    names = shelf.get(key, [])
    return {**shelf, key: names if name in names else [*names, name]}


_NAMES = {"0f": ["d.jpg"], "ff": ["a.jpg", "b.jpg"], "00": ["c.jpg"]}


@exercise(
    *[(_NAMES, "ff", 0), (_NAMES, "00", 0), (_NAMES, "3f", 0), (_NAMES, "ff", 3)],
    *[(_NAMES, "7f", 3), (_NAMES, "ff", 4), (_NAMES, "ff", 8), ({}, "ff", 64)],
)
def look_up(shelf: dict, key: str, radius: int) -> list[str]:
    """``look_up(shelf, key, radius)``: the names within `radius` bits of `key`, nearest first."""
    near = sorted(((int(other, 16) ^ int(key, 16)).bit_count(), other) for other in shelf)
    return [name for bits, other in near if bits <= radius for name in shelf[other]]


# Measure Hamming distances


@exercise(
    (0b1011, 0b0010),
    (0, 0),
    (0, 2**64 - 1),
    (2**63, 1),
    (0x0123456789ABCDEF, 0xFEDCBA9876543210),
)
def hamming_distance(a: int, b: int) -> int:
    """``hamming_distance(a, b)``: the number of bits in which two whole numbers differ."""
    return (a ^ b).bit_count()


@exercise(*((np.array([0, 0, 1, 2, 2, 5]), radius) for radius in (1, 0, 2, 4, 5, 64)))
def recall(distances: np.ndarray, radius: int) -> float:
    """``recall(distances, radius)``: the share of copies that a radius finds."""
    return float((distances <= radius).mean())


@exercise(
    *(([0.0, 0.01, 0.1, 0.5, 2.0, 9.0], allowed) for allowed in (0.5, 0.49, 0.0, 100.0)),
    ([0.0, 0.0, 0.0, 1.0], 0.2),
    ([0.02, 0.02, 0.037], 0.01),
)
def largest_radius(false_per_query: list[float], allowed: float) -> int:
    """``largest_radius(false_per_query, allowed)``: the largest that costs no more, or -1."""
    cheap = [radius for radius, false in enumerate(false_per_query) if false <= allowed]
    return max(cheap, default=-1)


# Search faster


def _searches(_: Path) -> list[tuple]:
    values = np.array([0, 1, 3, 7, 15, 31], dtype=np.uint64)
    queries = values[:5] ^ np.uint64(2)

    def oracle(query: np.uint64) -> np.ndarray:
        return np.flatnonzero(np.bitwise_count(values ^ query) <= 2)

    def strict(query: np.uint64) -> np.ndarray:
        return np.flatnonzero(np.bitwise_count(values ^ query) < 2)

    def misses_one(query: np.uint64) -> np.ndarray:
        return oracle(query)[: -1 if query == queries[3] else None]

    def another_row(query: np.uint64) -> np.ndarray:
        return oracle(query) + (query == queries[1])

    def adds_one(query: np.uint64) -> np.ndarray:
        return np.append(oracle(query), 5) if query == queries[2] else oracle(query)

    searches = (strict, oracle, misses_one, another_row, adds_one)
    return [*((search, oracle, queries) for search in searches), (oracle, oracle, queries[:0])]


@exercise(_searches)
def wrong_queries(search: Callable, oracle: Callable, queries: np.ndarray) -> list[int]:
    """``wrong_queries(search, oracle, queries)``: the numbers of those answered otherwise."""
    return [
        number
        for number, query in enumerate(queries)
        if not np.array_equal(search(query), oracle(query))
    ]


_FIVE = np.array([0, 1, 3, 7, 2**64 - 1], dtype=np.uint64)


@exercise(
    *((_FIVE, np.uint64(query), radius) for query, radius in ((0, 1), (0, 0), (7, 2), (0, 64))),
    (_FIVE[:0], np.uint64(0), 5),
)
def rows_mended(numbers: np.ndarray, query: np.uint64, radius: int) -> np.ndarray:
    """``rows_mended(numbers, query, radius)``: the rows at most `radius` bits from the query."""
    return np.flatnonzero(np.bitwise_count(numbers ^ query) <= radius)


@exercise(
    (["ffffffffffffffff"],),
    (["0000000000000001", "8000000000000001"],),
    (["0123456789abcdef", "fedcba9876543210"],),
    (["0000000000000000"],),
)
def to_numbers_mended(digits: list[str]) -> np.ndarray:
    """``to_numbers_mended(digits)``: 16 hex digits each -> uint64."""
    return np.array([int(text, 16) for text in digits], dtype=np.uint64)


# Find a dataset's own duplicates


@exercise(
    ([(1, 2), (2, 3), (7, 9)],),
    ([(4, 5), (1, 2), (2, 4)],),
    ([(9, 3), (1, 8), (3, 0), (5, 8), (9, 0)],),
    ([(1, 2), (3, 4), (5, 6), (2, 3), (4, 5)],),
    ([],),
)
def groups_of(pairs: list[tuple[int, int]]) -> list[list[int]]:
    """``groups_of(pairs)``: the groups that hang together by pairs, each sorted, and sorted."""
    groups = []
    for pair in pairs:
        touched = [group for group in groups if group & {*pair}]
        groups = [group for group in groups if group not in touched] + [{*pair}.union(*touched)]
    return sorted(sorted(group) for group in groups)


@exercise(
    ([0b0000, 0b0011, 0b1111],),
    ([0b0110, 0b0001, 0b1000, 0b0111],),
    ([0, 2**64 - 1, 2**63],),
    ([5, 5],),
    ([7],),
)
def widest(fingerprints: list[int]) -> int:
    """``widest(fingerprints)``: the largest distance between two of a group, 0 for a single one."""
    return max((a ^ b).bit_count() for a in fingerprints for b in fingerprints)


# Keep banned pictures out


@exercise(
    *((distance, 2, 8) for distance in (0, 2, 3, 8, 9, None)), (0, 0, 0), (1, 0, 0), (64, 64, 64)
)
def verdict(distance: int | None, block: int, review: int) -> str:
    """``verdict(distance, block, review)``: "block", "review" or "allow"."""
    if distance is None or distance > review:
        return "allow"
    return "block" if distance <= block else "review"


@exercise(
    ({"resized": 1.0, "mirrored": 0.0}, {"resized": 3, "mirrored": 1}),
    ({"resized": 0.9, "mirrored": 0.1}, {"resized": 1, "mirrored": 1}),
    ({"resized": 0.9, "mirrored": 0.1}, {"mirrored": 0.2, "resized": 0.6}),
    ({"resized": 0.25}, {"resized": 7}),
    ({"resized": 1.0, "mirrored": 0.0}, {"resized": 1, "mirrored": 2}),
)
def share_stopped(stopped: dict[str, float], often: dict[str, float]) -> float:
    """``share_stopped(stopped, often)``: the share of all uploads that is stopped."""
    return sum(stopped[change] * times for change, times in often.items()) / sum(often.values())


@exercise(
    *[(1_000, 0.3, 0.8, 0.01), (10_000, 0.0001, 1.0, 0.001), (500, 0.5, 0.5, 0.0)],
    *[(500, 0.5, 0.0, 0.5), (100, 0.2, 0.0, 0.0), (100, 0.3, 0.33, 0.01)],
)
def share_honest(uploads: int, banned: float, found: float, mistaken: float) -> float:
    """``share_honest(uploads, banned, found, mistaken)``: the honest share of what is stopped."""
    bad, good = uploads * banned * found, uploads * (1 - banned) * mistaken
    return good / (bad + good) if bad + good else 0.0


# Clean a photo library


@exercise(
    ({"b": b"x", "a": b"x", "c": b"y"},),
    ({"a": b"x", "b": b"y"},),
    ({"d": b"1", "c": b"2", "b": b"1", "a": b"2", "e": b"1"},),
    ({"a": b"", "b": b"", "c": b" "},),
    ({},),
)
def same_content(files: dict[str, bytes]) -> list[list[str]]:
    """``same_content(files)``: groups of names with the same bytes."""
    groups = [
        sorted(name for name in files if files[name] == content) for content in set(files.values())
    ]
    return sorted(group for group in groups if len(group) > 1)


def _file(name: str, pixels: int, step: float, modified: int) -> dict:
    return {"name": name, "pixels": pixels, "step": step, "modified": modified}


@exercise(
    ([_file("a", 100, 2, 5), _file("b", 200, 9, 9)],),
    ([_file("a", 200, 9, 1), _file("b", 200, 2, 5)],),
    ([_file("a", 200, 2, 5), _file("b", 200, 2, 1)],),
    ([_file("b", 200, 2, 5), _file("a", 200, 2, 5)],),
    ([_file("a", 1, 1, 1)],),
)
def best_of(files: list[dict]) -> str:
    """``best_of(files)``: the name of the file that stays."""
    return min(files, key=lambda f: (-f["pixels"], f["step"], f["modified"], f["name"]))["name"]


@exercise(
    *[("a", "a", "b", "b"), ("a", "c", "b", "b"), ("a", "a", "b", "c"), ("a", None, "b", "b")],
    *[("a", "a", "b", None), ("a", "a", "a", "a"), ("a", "b", "b", "a")],
)
def may_go(planned: str, now: str | None, kept_planned: str, kept_now: str | None) -> bool:
    """``may_go(planned, now, kept_planned, kept_now)``: whether a file may be moved."""
    return now == planned and kept_now == kept_planned


# Search by picture


@exercise(
    (["b.jpg", "a.jpg"], [3, 3], 5),
    (["a.jpg", "b.jpg", "c.jpg"], [7, 0, 2], 10),
    (["a.jpg", "b.jpg"], [5, 6], 5),
    (["c.jpg", "b.jpg", "a.jpg"], [2, 9, 2], 2),
    (["a.jpg"], [1], 0),
)
def ranked(names: list[str], distances: list[int], radius: int) -> list[str]:
    """``ranked(names, distances, radius)``: names within the radius, by distance, then name."""
    return [name for bits, name in sorted(zip(distances, names, strict=True)) if bits <= radius]


@exercise(
    (0b1011, 0b0010),
    (2**63, 0),
    (2**64 - 1, 2**64 - 1),
    (0x0123456789ABCDEF, 0xFEDCBA9876543210),
    (0x00FF00FF00FF00FF, 0),
)
def differing_bits(a: int, b: int) -> np.ndarray:
    """``differing_bits(a, b)``: two numbers of 64 bits -> 8 x 8 booleans, first bit top left."""
    bits = np.unpackbits(np.frombuffer((a ^ b).to_bytes(8, "big"), dtype=np.uint8))
    return bits.reshape(8, 8).astype(bool)


@exercise(
    (0b1111, {"crop": 0b0001, "turn": 0b1110}),
    (0, {"first": 2**63, "second": 0b11}),
    (0b1010, {"first": 0b1001, "second": 0b0110, "third": 0b0101}),
    (7, {"a": 4, "b": 1, "c": 7}),
    (8, {"crop": 11, "turn": 7}),
    (7, {"turn": 4, "crop": 1}),
)
def most_flips(before: int, after: dict[str, int]) -> str:
    """``most_flips(before, after)``: the change that flips the most bits, the first of several."""
    return max(after, key=lambda name: (before ^ after[name]).bit_count())
