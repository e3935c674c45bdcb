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
            print(f"Not yet: {shown} gives {_shown(got)}; it should give {_shown(expected)}.")
            return
    print(f"Right: {name} gave the expected answer on {number + 1} inputs.")


def _equal(got: object, expected: object) -> bool:
    if got is None:
        return False
    try:
        if isinstance(expected, float):
            return bool(np.isclose(got, expected))
        return bool(np.array_equal(np.asarray(got), np.asarray(expected)))
    except (TypeError, ValueError):
        return False


def _shown(value: object) -> str:
    if isinstance(value, np.ndarray):
        text = f"array({(value.astype(int) if value.dtype == bool else value).tolist()})"
    else:
        text = repr(value.name if isinstance(value, Path) else value)
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


def difference_bits(attempt: Callable) -> None:
    """``difference_bits(pixels)``: 8 rows of 9 grey values -> 8 x 8 booleans."""
    rng = np.random.default_rng(2)
    flat = np.full((8, 9), 128, dtype=np.uint8)
    cases = [(np.tile(np.arange(9, dtype=np.uint8), (8, 1)),), (flat,)]
    cases += [(rng.integers(0, 256, (8, 9), dtype=np.uint8),) for _ in range(5)]
    _check(attempt, cases, lambda pixels: pixels[:, 1:] > pixels[:, :-1])


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


def add_once(attempt: Callable) -> None:
    """``add_once(shelf, key, name)``: the shelf with `name` under `key`, listed once."""

    def truth(shelf: dict, key: str, name: str) -> dict:
        names = shelf.get(key, [])
        return {**shelf, key: names if name in names else [*names, name]}

    cases = [
        ({}, "ff", "a.jpg"),
        ({"ff": ["a.jpg"]}, "ff", "b.jpg"),
        ({"ff": ["a.jpg"]}, "ff", "a.jpg"),
    ]
    cases += [
        ({"ff": ["a.jpg"]}, "00", "a.jpg"),
        ({"ff": ["a.jpg", "b.jpg"], "00": []}, "00", "b.jpg"),
    ]
    _check(attempt, cases, truth)


def look_up(attempt: Callable) -> None:
    """``look_up(shelf, key)``: the list of names, empty where there is none."""
    shelf = {"ff": ["a.jpg", "b.jpg"], "00": ["c.jpg"]}
    _check(
        attempt,
        [(shelf, "ff"), (shelf, "00"), (shelf, "0f"), ({}, "ff")],
        lambda shelf, key: shelf.get(key, []),
    )


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
    """``largest_radius(false_per_query, allowed)``: the largest radius that costs no more than `allowed`."""
    rising = [0.0, 0.01, 0.1, 0.5, 2.0, 9.0]
    cases = [
        (rising, 0.5),
        (rising, 0.49),
        (rising, 0.0),
        (rising, 100.0),
        ([0.0, 0.0, 0.0, 1.0], 0.2),
    ]

    def truth(false_per_query: list[float], allowed: float) -> int:
        return max(radius for radius, false in enumerate(false_per_query) if false <= allowed)

    _check(attempt, cases, truth)
