"""Feedback on the exercises: not started, not right yet (with the input that shows it), or right."""

import copy
import hashlib
import tempfile
from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np


def _check(attempt: Callable, cases: Iterable[tuple], truth: Callable) -> None:
    """Print one sentence about `attempt`, after comparing it with `truth` on all `cases`."""
    name = attempt.__name__
    for number, arguments in enumerate(cases):
        shown = f"{name}({', '.join(_shown(argument) for argument in arguments)})"
        try:
            got = attempt(*copy.deepcopy(arguments))
        except Exception as error:
            print(f"Not yet: {shown} raised {type(error).__name__}: {error}")
            return
        expected = truth(*copy.deepcopy(arguments))
        if got is None and number == 0:
            print(
                f"To do: {name} returns nothing yet. Write its body, end it with return, and run this cell again."
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
    print(f"Right: {name} gave the expected answer on {number + 1} inputs.")


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


# Chapter 1


def new_size(attempt: Callable) -> None:
    """``new_size(width, height, factor)``: a tuple of whole pixels."""
    cases = [(300, 200, 1.05), (300, 241, 0.95), (101, 99, 1.02), (3481, 92, 0.951)]
    _check(
        attempt,
        cases,
        lambda width, height, factor: (round(width * factor), round(height * factor)),
    )


def same_file(attempt: Callable) -> None:
    """``same_file(first, second)``: whether two files hold the same bytes."""
    with tempfile.TemporaryDirectory() as folder:
        contents = {
            "a": b"picture",
            "b": b"picture",
            "c": b"Picture",
            "longer": b"picture and more",
        }
        paths = {name: Path(folder, name) for name in contents}
        for name, path in paths.items():
            path.write_bytes(contents[name])

        def truth(first: Path, second: Path) -> bool:
            return (
                hashlib.md5(first.read_bytes()).digest()
                == hashlib.md5(second.read_bytes()).digest()
            )

        _check(attempt, [(paths["a"], paths[name]) for name in ("b", "c", "longer", "a")], truth)


# Chapter 2


def column_bits(attempt: Callable) -> None:
    """``column_bits(pixels)``: 9 rows of 8 grey values -> 8 x 8 booleans, brighter than above."""
    rng = np.random.default_rng(2)
    rising = np.tile(np.arange(9, dtype=np.uint8)[:, None], (1, 8))
    cases = [(rising,), (np.full((9, 8), 128, dtype=np.uint8),), (rising[::-1],)]
    cases += [(rng.integers(0, 256, (9, 8), dtype=np.uint8),) for _ in range(5)]
    _check(attempt, cases, lambda pixels: pixels[1:] > pixels[:-1])


def average_bits(attempt: Callable) -> None:
    """``average_bits(pixels)``: 8 x 8 grey values -> 8 x 8 booleans, brighter than the mean."""
    rng = np.random.default_rng(3)
    cases = [(np.arange(64, dtype=np.uint8).reshape(8, 8),), (np.full((8, 8), 9, dtype=np.uint8),)]
    cases += [(rng.integers(0, 256, (8, 8), dtype=np.uint8),) for _ in range(5)]
    _check(attempt, cases, lambda pixels: pixels > pixels.mean())


def bits_to_hex(attempt: Callable) -> None:
    """``bits_to_hex(bits)``: 8 x 8 booleans -> 16 hex digits, first bit highest."""
    rng = np.random.default_rng(4)
    cases = [
        (np.ones((8, 8), dtype=bool),),
        (np.zeros((8, 8), dtype=bool),),
        (np.eye(8, dtype=bool),),
    ]
    cases += [(rng.random((8, 8)) < 0.5,) for _ in range(5)]
    _check(attempt, cases, lambda bits: np.packbits(bits).tobytes().hex())


# Chapter 3


class _Shelf(dict):
    """As shelve does, it hands out copies: what is changed has to be put back."""

    def __getitem__(self, key: str) -> list:
        return list(super().__getitem__(key))

    def get(self, key: str, default: object = None) -> object:
        return self[key] if key in self else default  # noqa: SIM401

    def setdefault(self, key: str, default: object = None) -> object:
        super().setdefault(key, default)
        return self[key]


def add_once(attempt: Callable) -> None:
    """``add_once(shelf, key, name)``: the shelf with `name` under `key`, listed once."""

    def truth(shelf: dict, key: str, name: str) -> dict:
        names = shelf.get(key, [])
        return {**shelf, key: names if name in names else [*names, name]}

    cases = [
        (_Shelf(), "ff", "a.jpg"),
        (_Shelf({"ff": ["a.jpg"]}), "ff", "b.jpg"),
        (_Shelf({"ff": ["a.jpg"]}), "ff", "a.jpg"),
        (_Shelf({"ff": ["a.jpg"]}), "00", "a.jpg"),
        (_Shelf({"ff": ["a.jpg", "b.jpg"], "00": []}), "00", "b.jpg"),
    ]
    _check(attempt, cases, truth)


def look_up(attempt: Callable) -> None:
    """``look_up(shelf, key, radius)``: the names within `radius` bits of `key`, nearest first."""

    def truth(shelf: dict, key: str, radius: int) -> list[str]:
        near = sorted(((int(other, 16) ^ int(key, 16)).bit_count(), other) for other in shelf)
        return [name for bits, other in near if bits <= radius for name in shelf[other]]

    shelf = {"0f": ["d.jpg"], "ff": ["a.jpg", "b.jpg"], "00": ["c.jpg"]}
    cases = [(shelf, "ff", 0), (shelf, "00", 0), (shelf, "3f", 0), (shelf, "ff", 3)]
    cases += [(shelf, "7f", 3), (shelf, "ff", 4), (shelf, "ff", 8), ({}, "ff", 64)]
    _check(attempt, cases, truth)


# Chapter 4


def hamming_distance(attempt: Callable) -> None:
    """``hamming_distance(a, b)``: the number of bits in which two whole numbers differ."""
    cases = [
        (0b1011, 0b0010),
        (0, 0),
        (0, 2**64 - 1),
        (2**63, 1),
        (0x0123456789ABCDEF, 0xFEDCBA9876543210),
    ]
    _check(attempt, cases, lambda a, b: (a ^ b).bit_count())


def recall(attempt: Callable) -> None:
    """``recall(distances, radius)``: the share of copies that a radius finds."""
    distances = np.array([0, 0, 1, 2, 2, 5])
    cases = [(distances, radius) for radius in (1, 0, 2, 4, 5, 64)]
    _check(attempt, cases, lambda distances, radius: float((distances <= radius).mean()))


def largest_radius(attempt: Callable) -> None:
    """``largest_radius(false_per_query, allowed)``: the largest radius that costs no more than `allowed`, or -1."""
    rising = [0.0, 0.01, 0.1, 0.5, 2.0, 9.0]
    cases = [
        (rising, 0.5),
        (rising, 0.49),
        (rising, 0.0),
        (rising, 100.0),
        ([0.0, 0.0, 0.0, 1.0], 0.2),
        ([0.02, 0.02, 0.037], 0.01),
    ]

    def truth(false_per_query: list[float], allowed: float) -> int:
        cheap = [radius for radius, false in enumerate(false_per_query) if false <= allowed]
        return max(cheap, default=-1)

    _check(attempt, cases, truth)


# Chapter 5


def wrong_queries(attempt: Callable) -> None:
    """``wrong_queries(search, oracle, queries)``: the numbers of the queries for which the two searches differ."""
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

    cases = [(strict, oracle, queries), (oracle, oracle, queries), (misses_one, oracle, queries)]
    cases += [(another_row, oracle, queries), (adds_one, oracle, queries)]
    cases += [(oracle, oracle, queries[:0])]

    def truth(search: Callable, oracle: Callable, queries: np.ndarray) -> list[int]:
        return [
            number
            for number, query in enumerate(queries)
            if not np.array_equal(search(query), oracle(query))
        ]

    _check(attempt, cases, truth)


def rows_mended(attempt: Callable) -> None:
    """``rows_mended(numbers, query, radius)``: the rows at most `radius` bits from the query."""
    numbers = np.array([0, 1, 3, 7, 2**64 - 1], dtype=np.uint64)
    cases = [(numbers, np.uint64(query), radius) for query, radius in ((0, 1), (0, 0), (7, 2))]
    cases += [(numbers, np.uint64(0), 64), (numbers[:0], np.uint64(0), 5)]
    _check(
        attempt,
        cases,
        lambda numbers, query, radius: np.flatnonzero(np.bitwise_count(numbers ^ query) <= radius),
    )


def to_numbers_mended(attempt: Callable) -> None:
    """``to_numbers_mended(digits)``: 16 hex digits each -> uint64."""
    cases = [
        (["ffffffffffffffff"],),
        (["0000000000000001", "8000000000000001"],),
        (["0123456789abcdef", "fedcba9876543210"],),
        (["0000000000000000"],),
    ]
    _check(attempt, cases, lambda digits: np.array([int(d, 16) for d in digits], dtype=np.uint64))


# Chapter 6


def verdict(attempt: Callable) -> None:
    """``verdict(distance, block, review)``: "block", "review" or "allow"."""

    def truth(distance: int | None, block: int, review: int) -> str:
        if distance is None or distance > review:
            return "allow"
        return "block" if distance <= block else "review"

    cases = [(0, 2, 8), (2, 2, 8), (3, 2, 8), (8, 2, 8), (9, 2, 8), (None, 2, 8), (0, 0, 0)]
    _check(attempt, [*cases, (1, 0, 0), (64, 64, 64)], truth)


def share_stopped(attempt: Callable) -> None:
    """``share_stopped(stopped, often)``: the share of all uploads that is stopped."""
    cases = [
        ({"resized": 1.0, "mirrored": 0.0}, {"resized": 3, "mirrored": 1}),
        ({"resized": 0.9, "mirrored": 0.1}, {"resized": 1, "mirrored": 1}),
        ({"resized": 0.9, "mirrored": 0.1}, {"mirrored": 0.2, "resized": 0.6}),
        ({"resized": 0.25}, {"resized": 7}),
        ({"resized": 1.0, "mirrored": 0.0}, {"resized": 1, "mirrored": 2}),
    ]

    def truth(stopped: dict[str, float], often: dict[str, float]) -> float:
        return sum(stopped[change] * times for change, times in often.items()) / sum(often.values())

    _check(attempt, cases, truth)


def share_honest(attempt: Callable) -> None:
    """``share_honest(uploads, banned, found, mistaken)``: of what is stopped, the share that is honest."""
    cases = [(1_000, 0.3, 0.8, 0.01), (10_000, 0.0001, 1.0, 0.001), (500, 0.5, 0.5, 0.0)]
    cases += [(500, 0.5, 0.0, 0.5), (100, 0.2, 0.0, 0.0), (100, 0.3, 0.33, 0.01)]

    def truth(uploads: int, banned: float, found: float, mistaken: float) -> float:
        bad, good = uploads * banned * found, uploads * (1 - banned) * mistaken
        return good / (bad + good) if bad + good else 0.0

    _check(attempt, cases, truth)


# Chapter 7


def same_content(attempt: Callable) -> None:
    """``same_content(files)``: groups of names with the same bytes."""
    cases = [
        ({"b": b"x", "a": b"x", "c": b"y"},),
        ({"a": b"x", "b": b"y"},),
        ({"d": b"1", "c": b"2", "b": b"1", "a": b"2", "e": b"1"},),
        ({"a": b"", "b": b"", "c": b" "},),
        ({},),
    ]

    def truth(files: dict[str, bytes]) -> list[list[str]]:
        groups = [
            sorted(name for name in files if files[name] == content)
            for content in set(files.values())
        ]
        return sorted(group for group in groups if len(group) > 1)

    _check(attempt, cases, truth)


def best_of(attempt: Callable) -> None:
    """``best_of(files)``: the name of the file that stays."""

    def file(name: str, pixels: int, step: float, modified: int) -> dict:
        return {"name": name, "pixels": pixels, "step": step, "modified": modified}

    cases = [
        ([file("a", 100, 2, 5), file("b", 200, 9, 9)],),
        ([file("a", 200, 9, 1), file("b", 200, 2, 5)],),
        ([file("a", 200, 2, 5), file("b", 200, 2, 1)],),
        ([file("b", 200, 2, 5), file("a", 200, 2, 5)],),
        ([file("a", 1, 1, 1)],),
    ]

    def truth(files: list[dict]) -> str:
        return min(files, key=lambda f: (-f["pixels"], f["step"], f["modified"], f["name"]))["name"]

    _check(attempt, cases, truth)


def may_go(attempt: Callable) -> None:
    """``may_go(planned, now, kept_planned, kept_now)``: whether a file may be moved."""
    cases = [("a", "a", "b", "b"), ("a", "c", "b", "b"), ("a", "a", "b", "c")]
    cases += [
        ("a", None, "b", "b"),
        ("a", "a", "b", None),
        ("a", "a", "a", "a"),
        ("a", "b", "b", "a"),
    ]
    _check(
        attempt,
        cases,
        lambda planned, now, kept_planned, kept_now: now == planned and kept_now == kept_planned,
    )


# Chapter 8


def ranked(attempt: Callable) -> None:
    """``ranked(names, distances, radius)``: the names within the radius, by distance, then name."""

    def truth(names: list[str], distances: list[int], radius: int) -> list[str]:
        return [name for bits, name in sorted(zip(distances, names, strict=True)) if bits <= radius]

    cases = [
        (["b.jpg", "a.jpg"], [3, 3], 5),
        (["a.jpg", "b.jpg", "c.jpg"], [7, 0, 2], 10),
        (["a.jpg", "b.jpg"], [5, 6], 5),
        (["c.jpg", "b.jpg", "a.jpg"], [2, 9, 2], 2),
        (["a.jpg"], [1], 0),
    ]
    _check(attempt, cases, truth)


def differing_bits(attempt: Callable) -> None:
    """``differing_bits(a, b)``: two whole numbers of 64 bits -> 8 x 8 booleans, first bit at the top left."""
    cases = [
        (0b1011, 0b0010),
        (2**63, 0),
        (2**64 - 1, 2**64 - 1),
        (0x0123456789ABCDEF, 0xFEDCBA9876543210),
        (0x00FF00FF00FF00FF, 0),
    ]

    def truth(a: int, b: int) -> np.ndarray:
        bits = np.unpackbits(np.frombuffer((a ^ b).to_bytes(8, "big"), dtype=np.uint8))
        return bits.reshape(8, 8).astype(bool)

    _check(attempt, cases, truth)


def most_flips(attempt: Callable) -> None:
    """``most_flips(before, after)``: the name of the change that flips the most bits, the first of several."""
    cases = [
        (0b1111, {"crop": 0b0001, "turn": 0b1110}),
        (0, {"first": 2**63, "second": 0b11}),
        (0b1010, {"first": 0b1001, "second": 0b0110, "third": 0b0101}),
        (7, {"a": 4, "b": 1, "c": 7}),
        (8, {"crop": 11, "turn": 7}),
        (7, {"turn": 4, "crop": 1}),
    ]

    def truth(before: int, after: dict[str, int]) -> str:
        return max(after, key=lambda name: (before ^ after[name]).bit_count())

    _check(attempt, cases, truth)
