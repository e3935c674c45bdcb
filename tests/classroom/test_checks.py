"""Each exercise answers kindly to a stub, to an error, to a wrong answer and to a right one.

What is marked `every_exercise` holds for a new one as well; wrong answers of learners are added to `ANSWERS`.
"""

import copy
import itertools
import json

import course
import numpy as np
import pytest

from helpers.classroom import checks

# exercise -> a right answer, a wrong one as a learner might write it, and the input that shows it
ANSWERS = {
    "ranked": (
        lambda names, distances, radius: [
            name for bits, name in sorted(zip(distances, names, strict=True)) if bits <= radius
        ],
        lambda names, distances, radius: [
            name for bits, name in zip(distances, names, strict=True) if bits <= radius
        ],
        "(['b.jpg', 'a.jpg'], [3, 3], 5) gives ['b.jpg', 'a.jpg']; it should give ['a.jpg', 'b.jpg']",
    ),
    "differing_bits": (
        lambda a, b: np.array([digit == "1" for digit in f"{a ^ b:064b}"]).reshape(8, 8),
        lambda a, b: np.array([(a ^ b) >> n & 1 for n in range(64)]).reshape(8, 8),
        "(11, 2) in row 0 gives [1, 0, 0, 1, 0, 0, 0, 0]; it should give [0, 0, 0, 0, 0, 0, 0, 0]",
    ),
    "most_flips": (
        lambda before, after: max(after, key=lambda name: (before ^ after[name]).bit_count()),
        lambda before, after: max(after, key=lambda name: abs(before - after[name])),
        "{'first': 9223372036854775808, 'second': 3}) gives 'first'; it should give 'second'",
    ),
    "verdict": (
        lambda distance, block, review: (
            "allow"
            if distance is None or distance > review
            else "block"
            if distance <= block
            else "review"
        ),
        lambda distance, block, review: (
            "block" if distance < block else "review" if distance < review else "allow"
        ),
        "(2, 2, 8) gives 'review'; it should give 'block'",
    ),
    "share_stopped": (
        lambda stopped, often: sum(stopped[c] * often[c] for c in often) / sum(often.values()),
        lambda stopped, often: sum(stopped.values()) / len(stopped),
        "gives 0.5; it should give 0.75",
    ),
    "share_honest": (
        lambda uploads, banned, found, mistaken: (
            (1 - banned) * mistaken / ((1 - banned) * mistaken + banned * found)
            if mistaken or found
            else 0.0
        ),
        lambda uploads, banned, found, mistaken: mistaken,
        "(1000, 0.3, 0.8, 0.01) gives 0.01; it should give 0.0283",
    ),
    "same_content": (
        lambda files: sorted(
            group
            for group in ([n for n in sorted(files) if files[n] == c] for c in {*files.values()})
            if len(group) > 1
        ),
        lambda files: [[name] for name in files],
        "gives [['b'], ['a'], ['c']]; it should give [['a', 'b']]",
    ),
    "best_of": (
        lambda files: min(files, key=lambda f: (-f["pixels"], f["step"], f["modified"], f["name"]))[
            "name"
        ],
        lambda files: max(files, key=lambda f: f["step"])["name"],
        "gives 'a'; it should give 'b'",
    ),
    "may_go": (
        lambda planned, now, kept_planned, kept_now: now == planned and kept_now == kept_planned,
        lambda planned, now, kept_planned, kept_now: now == planned,
        "('a', 'a', 'b', 'c') gives True; it should give False",
    ),
    "new_size": (
        lambda width, height, factor: (round(width * factor), round(height * factor)),
        lambda width, height, factor: (int(width * factor), int(height * factor)),
        "(300, 241, 0.95) gives (285, 228); it should give (285, 229)",
    ),
    "same_file": (
        lambda first, second: first.read_bytes() == second.read_bytes(),
        lambda first, second: first == second,
        "('a', 'b') gives False; it should give True",
    ),
    "column_bits": (
        lambda pixels: pixels[1:] > pixels[:-1],
        lambda pixels: pixels[1:] >= pixels[:-1],
        "in row 0 gives [1, 1, 1, 1, 1, 1, 1, 1]; it should give [0, 0, 0, 0, 0, 0, 0, 0]",
    ),
    "average_bits": (
        lambda pixels: pixels > pixels.mean(),
        lambda pixels: pixels >= pixels.mean(),
        "([[9, 9, 9,",
    ),
    "bits_to_hex": (
        lambda bits: f"{int(''.join('01'[bit] for bit in bits.ravel().astype(int)), 2):016x}",
        lambda bits: f"{int(''.join('01'[bit] for bit in bits.ravel().astype(int)), 2):x}",
        "gives '0'; it should give '0000000000000000'",
    ),
    "add_once": (
        lambda shelf, key, name: {**shelf, key: list(dict.fromkeys([*shelf.get(key, []), name]))},
        lambda shelf, key, name: {**shelf, key: [*shelf.get(key, []), name]},
        "({'ff': ['a.jpg']}, 'ff', 'a.jpg') gives {'ff': ['a.jpg', 'a.jpg']}; it should give {'ff': ['a.jpg']}",
    ),
    "look_up": (
        lambda shelf, key, radius: [
            name
            for bits, other in sorted((bin(int(a, 16) ^ int(key, 16)).count("1"), a) for a in shelf)
            if bits <= radius
            for name in shelf[other]
        ],
        lambda shelf, key, radius: shelf.get(key),
        "'3f', 0) gives None; it should give []",
    ),
    "hamming_distance": (
        lambda a, b: bin(a ^ b).count("1"),
        lambda a, b: bin(int(float(a)) ^ int(float(b))).count("1"),
        "(0, 18446744073709551615) gives 1; it should give 64",
    ),
    "recall": (
        lambda distances, radius: (
            sum(distance <= radius for distance in distances) / len(distances)
        ),
        lambda distances, radius: np.mean(distances < radius),
        "([0, 0, 1, 2, 2, 5], 1) gives 0.33",
    ),
    "largest_radius": (
        lambda false_per_query, allowed: sum(false <= allowed for false in false_per_query) - 1,
        lambda false_per_query, allowed: sum(false < allowed for false in false_per_query) - 1,
        "([0.0, 0.01, 0.1, 0.5, 2.0, 9.0], 0.5) gives 2; it should give 3",
    ),
    "wrong_queries": (
        lambda search, oracle, queries: [
            number
            for number, query in enumerate(queries)
            if list(search(query)) != list(oracle(query))
        ],
        lambda search, oracle, queries: [
            number
            for number, query in enumerate(queries)
            if len(search(query)) != len(oracle(query))
        ],
        "gives []; it should give [1]",
    ),
    "rows_mended": (
        lambda numbers, query, radius: [
            row
            for row, number in enumerate(numbers)
            if (int(number) ^ int(query)).bit_count() <= radius
        ],
        lambda numbers, query, radius: np.flatnonzero(np.bitwise_count(numbers ^ query) < radius),
        "([0, 1, 3, 7, 18446744073709551615], 0, 1) gives [0]; it should give [0, 1]",
    ),
    "to_numbers_mended": (
        lambda digits: np.array([np.uint64(int(text, 16)) for text in digits]),
        lambda digits: np.array([int(text, 16) for text in digits]).astype(np.uint64),
        "(['0000000000000001', '8000000000000001']) gives [1, 9223372036854775808]; "
        "it should give [1, 9223372036854775809]",
    ),
    "groups_of": (
        lambda pairs: groups_by_spreading(pairs),
        lambda pairs: sorted(sorted(pair) for pair in pairs),
        "([(1, 2), (2, 3), (7, 9)]) gives [[1, 2], [2, 3], [7, 9]]; it should give [[1, 2, 3], [7, 9]]",
    ),
    "widest": (
        lambda fingerprints: max(
            bin(a ^ b).count("1") for a, b in itertools.product(fingerprints, repeat=2)
        ),
        lambda fingerprints: (min(fingerprints) ^ max(fingerprints)).bit_count(),
        "([6, 1, 8, 7]) gives 2; it should give 4",
    ),
}


def groups_by_spreading(pairs):
    """Each number takes the smallest of its group, until nothing changes."""
    least = {number: number for pair in pairs for number in pair}
    while any(least[a] != least[b] for a, b in pairs):
        for a, b in pairs:
            least[a] = least[b] = min(least[a], least[b])
    return sorted([n for n in sorted(least) if least[n] == one] for one in set(least.values()))


CHAPTER_5 = course.HERE / "05-search-faster.ipynb"


def named(function, name):
    """The function under the name that the notebook gives it."""
    function.__name__ = name
    return function


def answer_to(name, attempt, capsys):
    getattr(checks, name)(named(attempt, name))
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 1
    return lines[0]


every_exercise = pytest.mark.parametrize("name", checks.EXERCISES)


@every_exercise
def test_its_own_answer_is_right(name, capsys):
    answer = answer_to(name, checks.EXERCISES[name].right, capsys)
    assert answer.startswith(f"Right: {name} gave the expected answer on ")


@every_exercise
def test_the_answer_to_the_first_input_is_wrong_for_another(name, tmp_path, capsys):
    right, cases = checks.EXERCISES[name]
    first = right(*copy.deepcopy(cases(tmp_path) if callable(cases) else cases)[0])
    answer = answer_to(name, lambda *arguments: first, capsys)
    assert answer.startswith(f"Not yet: {name}(")


@every_exercise
def test_a_stub_is_told_to_begin(name, capsys):
    answer = answer_to(name, lambda *arguments: None, capsys)
    assert (
        answer
        == f"To do: {name} returns nothing yet. Write its body, end it with return, and run this cell again."
    )


@every_exercise
def test_an_error_is_shown_with_the_input_that_raised_it(name, capsys):
    def attempt(*arguments):
        raise ZeroDivisionError("division by zero")

    answer = answer_to(name, attempt, capsys)
    assert answer.startswith(f"Not yet: {name}(")
    assert answer.endswith(") raised ZeroDivisionError: division by zero")


@every_exercise
def test_a_wrong_number_of_arguments_is_shown_as_an_error(name, capsys):
    assert "raised TypeError" in answer_to(name, lambda: 1, capsys)


@pytest.mark.parametrize("name", ANSWERS)
def test_a_wrong_answer_is_shown_with_its_input(name, capsys):
    _, wrong, shown = ANSWERS[name]
    answer = answer_to(name, wrong, capsys)
    assert answer.startswith(f"Not yet: {name}(")
    assert shown in answer


@pytest.mark.parametrize("name", ANSWERS)
def test_another_right_answer_is_right(name, capsys):
    answer = answer_to(name, ANSWERS[name][0], capsys)
    assert answer.startswith(f"Right: {name} gave the expected answer on ")


@every_exercise
@pytest.mark.parametrize(
    "value",
    [
        ...,
        "text",
        -1,
        float("nan"),
        [],
        {},
        object(),
        np.array(["text"]),
        np.array([None]),
        np.zeros((2, 3)),
        [[1], [2, 3]],
    ],
    ids=lambda value: type(value).__name__,
)
def test_an_answer_of_another_kind_is_wrong_and_no_error(name, value, capsys):
    assert answer_to(name, lambda *arguments: value, capsys).startswith(f"Not yet: {name}(")


def test_an_attempt_that_empties_its_input_is_judged_by_what_it_returns(capsys):
    def attempt(shelf, key, name):
        names = shelf.pop(key, [])
        return {**shelf, key: names if name in names else [*names, name]}

    assert answer_to("add_once", attempt, capsys).startswith("Right:")


def test_a_list_that_is_changed_but_not_put_back_is_wrong_as_it_is_with_shelve(capsys):
    def attempt(shelf, key, name):
        shelf.setdefault(key, [])
        if name not in shelf[key]:
            shelf[key].append(name)
        return shelf

    assert "it should give {'ff': ['a.jpg']}" in answer_to("add_once", attempt, capsys)


# Chapter 5


@pytest.fixture
def given():
    """The functions with two bugs, as chapter 5 gives them."""
    cells = json.loads(CHAPTER_5.read_text(encoding="utf-8"))["cells"]
    sources = ["".join(cell["source"]) for cell in cells]
    (source,) = [source for source in sources if "def rows_given" in source]
    names = {"np": np}
    exec(source, names)
    return names


@pytest.mark.parametrize(
    ("name", "bug", "shown"),
    [
        ("rows_mended", "rows_given", "gives [0]; it should give [0, 1]"),
        ("to_numbers_mended", "to_numbers_given", "gives [1, 9223372036854775808]; it should"),
    ],
)
def test_the_given_code_of_chapter_5_is_not_right_yet(name, bug, shown, given, capsys):
    answer = answer_to(name, given[bug], capsys)
    assert answer.startswith(f"Not yet: {name}(")
    assert shown in answer


def rows_of(search, query):
    return set(search(query).tolist())


WRONG = {
    "queries instead of their numbers": (
        "wrong_queries",
        lambda search, oracle, queries: [
            query for query in queries if rows_of(search, query) != rows_of(oracle, query)
        ],
    ),
    "the right queries": (
        "wrong_queries",
        lambda search, oracle, queries: [
            number
            for number, query in enumerate(queries)
            if rows_of(search, query) == rows_of(oracle, query)
        ],
    ),
    "blind to rows too many": (
        "wrong_queries",
        lambda search, oracle, queries: [
            number
            for number, query in enumerate(queries)
            if not rows_of(oracle, query) <= rows_of(search, query)
        ],
    ),
    "blind to rows too few": (
        "wrong_queries",
        lambda search, oracle, queries: [
            number
            for number, query in enumerate(queries)
            if not rows_of(search, query) <= rows_of(oracle, query)
        ],
    ),
    "compares arrays of unequal length": (
        "wrong_queries",
        lambda search, oracle, queries: [
            number for number, query in enumerate(queries) if (search(query) != oracle(query)).any()
        ],
    ),
    "fingerprints instead of rows": (
        "rows_mended",
        lambda numbers, query, radius: numbers[np.bitwise_count(numbers ^ query) <= radius],
    ),
    "a mask instead of rows": (
        "rows_mended",
        lambda numbers, query, radius: np.bitwise_count(numbers ^ query) <= radius,
    ),
    "a wider radius": (
        "rows_mended",
        lambda numbers, query, radius: np.flatnonzero(
            np.bitwise_count(numbers ^ query) < radius + 2
        ),
    ),
    "floats, since no type is given": (
        "to_numbers_mended",
        lambda digits: np.array([int(text, 16) for text in digits]),
    ),
    "floats": (
        "to_numbers_mended",
        lambda digits: np.array([int(text, 16) for text in digits], dtype=float),
    ),
    "63 bits": (
        "to_numbers_mended",
        lambda digits: np.array([int(text, 16) % 2**63 for text in digits], dtype=np.uint64),
    ),
    "digits as they came": ("to_numbers_mended", lambda digits: digits),
}
RIGHT = {
    "with range": (
        "wrong_queries",
        lambda search, oracle, queries: [
            number
            for number in range(len(queries))
            if not np.array_equal(search(queries[number]), oracle(queries[number]))
        ],
    ),
    "with nonzero": (
        "rows_mended",
        lambda numbers, query, radius: np.nonzero(np.bitwise_count(numbers ^ query) <= radius)[0],
    ),
    "with dtype": (
        "to_numbers_mended",
        lambda digits: np.array([int(text, 16) for text in digits], dtype=np.uint64),
    ),
    "with fromiter": (
        "to_numbers_mended",
        lambda digits: np.fromiter((int(text, 16) for text in digits), dtype="uint64"),
    ),
}


@pytest.mark.parametrize("wrong", WRONG)
def test_another_wrong_answer_to_chapter_5_is_not_right_yet(wrong, capsys):
    name, attempt = WRONG[wrong]
    assert answer_to(name, attempt, capsys).startswith(f"Not yet: {name}(")


@pytest.mark.parametrize("right", RIGHT)
def test_another_right_answer_to_chapter_5_is_right(right, capsys):
    name, attempt = RIGHT[right]
    assert answer_to(name, attempt, capsys).startswith(f"Right: {name} gave the expected answer on")


def test_an_answer_about_functions_is_the_same_in_every_run(capsys):
    answer = answer_to("wrong_queries", ANSWERS["wrong_queries"][1], capsys)
    assert " at 0x" not in answer


# Wrong answers that look right


def differing(a, b):
    return ANSWERS["differing_bits"][0](a, b)


def most(names, before, after):
    return max(names, key=lambda name: (before ^ after[name]).bit_count())


def share_of_whole_uploads(uploads, banned, found, mistaken):
    bad, good = round(uploads * banned * found), round(uploads * (1 - banned) * mistaken)
    return good / max(1, bad + good)


NEARLY = {
    "the first by name": ("most_flips", lambda before, after: most(sorted(after), before, after)),
    "the last of several": (
        "most_flips",
        lambda before, after: most(list(reversed(after)), before, after),
    ),
    "the largest number": (
        "most_flips",
        lambda before, after: max(after, key=lambda name: before ^ after[name]),
    ),
    "the fewest flips": (
        "most_flips",
        lambda before, after: min(after, key=lambda name: (before ^ after[name]).bit_count()),
    ),
    "nearer than the radius": (
        "ranked",
        lambda names, distances, radius: [
            name for bits, name in sorted(zip(distances, names, strict=True)) if bits < radius
        ],
    ),
    "sorted by name": (
        "ranked",
        lambda names, distances, radius: sorted(
            name for name, bits in zip(names, distances, strict=True) if bits <= radius
        ),
    ),
    "the bits that are equal": ("differing_bits", lambda a, b: ~differing(a, b)),
    "rows upside down": ("differing_bits", lambda a, b: differing(a, b)[::-1]),
    "columns from the right": ("differing_bits", lambda a, b: differing(a, b)[:, ::-1]),
    "columns for rows": ("differing_bits", lambda a, b: differing(a, b).T),
    "a bit of either": ("differing_bits", lambda a, b: differing(a | b, 0)),
    "the bits of the difference": (
        "most_flips",
        lambda before, after: max(after, key=lambda name: abs(before - after[name]).bit_count()),
    ),
    "files that changed places": (
        "may_go",
        lambda planned, now, kept, kept_now: {planned, kept} == {now, kept_now},
    ),
    "a rounded share": (
        "share_stopped",
        lambda stopped, often: round(ANSWERS["share_stopped"][0](stopped, often), 2),
    ),
    "rounded uploads": ("share_honest", share_of_whole_uploads),
}


@pytest.mark.parametrize("answer", NEARLY)
def test_an_answer_that_is_nearly_right_is_not_right_yet(answer, capsys):
    name, attempt = NEARLY[answer]
    assert "it should give" in answer_to(name, attempt, capsys)
