"""Each exercise answers kindly to a stub, to an error, to a wrong answer and to a right one.

What is marked `every_exercise` holds for a new one as well. What learners get wrong stands in the exercise's file.
"""

import ast
import json
import re
import textwrap
import warnings
from pathlib import Path

import course
import mutants
import numpy as np
import pytest

from helpers.classroom import checks

every_exercise = pytest.mark.parametrize("name", checks.EXERCISES)
MISCONCEPTIONS = [
    pytest.param(name, known, id=f"{name}: {known['belief'].split('. ')[0]}")
    for name in checks.EXERCISES
    for known in checks.exercise(name).misconceptions
]
#: What was judged wrongly once.
OF_0_2 = {
    "a chain of elifs that forgets equality": (
        "best_of",
        """
best = files[0]
for file in files[1:]:
    if file["pixels"] > best["pixels"]:
        best = file
    elif file["step"] < best["step"]:
        best = file
    elif file["modified"] < best["modified"]:
        best = file
    elif file["name"] < best["name"]:
        best = file
return best["name"]
""",
    ),
    "the outer list sorted before the inner ones": (
        "same_content",
        """
groups = {}
for name in files:
    groups.setdefault(files[name], []).append(name)
found = sorted(group for group in groups.values() if len(group) > 1)
for group in found:
    group.sort()
return found
""",
    ),
}


@pytest.fixture(autouse=True)
def first_try(monkeypatch):
    """No test knows of the tries of another one."""
    monkeypatch.setattr(checks, "_tries", {})  # private: a session of Python has only one


def normal(body):
    """The text of an answer without comments and spaces, so that equal answers are equal texts."""
    return ast.unparse(ast.parse(textwrap.dedent(body).strip()))


def answers(name):
    what = checks.exercise(name)
    return [what.answer, *what.also_right]


def source(name, body):
    return f"def {checks.exercise(name).signature}:\n{textwrap.indent(body, '    ')}"


def reply(name, body):
    return checks.reply(name, checks.exercise(name).function(body))


# What is in an exercise's file


@every_exercise
def test_its_file_is_whole(name):
    what = checks.exercise(name)
    assert what.signature.startswith(f"{name}(")
    assert len(what.also_right) >= 3
    assert len(what.misconceptions) >= 5
    assert len({normal(body) for body in answers(name)}) == len(answers(name))
    assert len({normal(known["answer"]) for known in what.misconceptions}) == len(
        what.misconceptions
    )
    assert len(set(what.calls)) == len(what.calls)
    assert "\n" not in what.asks


@every_exercise
def test_its_sentences_are_short_and_end(name):
    what = checks.exercise(name)
    texts = [what.asks, what.means, what.harder, what.hint]
    texts += [text for known in what.misconceptions for text in (known["belief"], known["hint"])]
    texts += [equal["because"] for equal in what.equivalent]
    for text in texts:
        assert re.search(r"[.?!)]$", text), text
        for sentence in re.split(r"(?<=[.?!:;])\s", text):
            assert len(sentence.split()) <= 20, sentence
    assert what.harder.rstrip(")").endswith(("?", "."))


@every_exercise
def test_a_call_that_is_shown_can_be_pasted(name):
    """It stands in one line, and needs nothing but `np` and `checks`."""
    for call in checks.exercise(name).calls:
        assert "\n" not in call
        assert "..." not in call
        tree = ast.parse(f"{name}({call})", mode="eval")
        bound = {node.arg for node in ast.walk(tree) if isinstance(node, ast.arg)}
        used = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
        assert used <= {name, "np", "checks", "bool"} | bound


# Right


@every_exercise
def test_right_answers_are_right_and_a_harder_question_follows(name):
    what = checks.exercise(name)
    for body in answers(name):
        assert reply(name, body) == f"Right: {what.means}\nHarder: {what.harder}"


# Wrong


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize(("name", "known"), MISCONCEPTIONS)
def test_a_misconception_is_refused_and_the_second_time_its_hint_is_told(name, known):
    first, second = reply(name, known["answer"]), reply(name, known["answer"])
    assert first.startswith(f"Not yet. This call shows it:\n{name}(")
    assert second == f"{first}\nHint: {known['hint']}"


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize(("name", "known"), MISCONCEPTIONS)
def test_the_call_that_is_shown_gives_what_is_said(name, known):
    what = checks.exercise(name)
    lines = reply(name, known["answer"]).splitlines()
    names = {"np": np, "checks": checks}
    try:
        found = eval(lines[1], names | {name: what.function(known["answer"])})
    except Exception as error:
        assert lines[2].startswith(f"raises {type(error).__name__}: ")
        return
    wanted = eval(lines[1], names | {name: what.function(what.answer)})
    assert lines[2].removeprefix("found ") != lines[3].removeprefix("wanted")
    for line, value in zip(lines[2:], (found, wanted), strict=True):
        row = re.search(r"row (\d+): ", line)
        value = value[int(row.group(1))] if row else value
        plain = value.tolist() if isinstance(value, np.ndarray | np.generic) else value
        assert repr(dict(plain) if hasattr(plain, "keys") else plain)[:400] in line


@pytest.mark.parametrize("wrong", OF_0_2)
def test_what_passed_before_is_refused(wrong):
    name, body = OF_0_2[wrong]
    assert reply(name, body).startswith("Not yet.")


@pytest.mark.slow
@every_exercise
def test_mutants_of_the_answer_are_refused(name):
    """If the answer is too short for twenty of them, those of other right answers follow."""
    what = checks.exercise(name)
    equivalent = {normal(known["answer"]) for known in what.equivalent}
    made, accepted = [], []
    for body in answers(name):
        if len(made) < 20:
            made += mutants.mutants(source(name, body))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for body in made:
            if reply(name, body).startswith("Right"):
                accepted.append(normal(body))
    assert len(made) - len(equivalent) >= 20
    assert not set(accepted) - equivalent, "\n\n".join(set(accepted) - equivalent)
    assert not equivalent - set(accepted), "these are refused, or no mutants any more"


@every_exercise
@pytest.mark.parametrize(
    "value",
    [
        ...,
        "text",
        -1,
        float("nan"),
        {},
        object(),
        np.array(["text"]),
        np.array([None]),
        np.zeros((2, 3)),
        np.zeros((8, 8)),
        [[1], [2, 3]],
        iter("ab"),
        [np.uint64(2**63)],
    ],
    ids=lambda value: type(value).__name__,
)
def test_an_answer_of_another_kind_is_wrong_and_no_error(name, value):
    assert checks.reply(name, lambda *arguments: value).startswith("Not yet. This call shows it:")


@pytest.mark.slow
@every_exercise
def test_the_answer_to_one_call_is_wrong_for_another(name):
    what = checks.exercise(name)
    for call in what.calls:
        names = {"np": np, "checks": checks, "right": what.function(what.answer)}
        value = eval(f"right({call})", names)
        assert checks.reply(name, lambda *arguments, value=value: value).startswith("Not yet.")


@pytest.mark.parametrize(
    ("name", "body", "told"),
    [
        ("recall", "return (distances <= radius).sum()", ["found  1 (int)", "wanted 0.5 (float)"]),
        (
            "column_bits",
            "return pixels > 0",
            [
                "found  row 0: [False, ",
                "(array of bool, shape (9, 8))",
                "(array of bool, shape (8, 8))",
            ],
        ),
        (
            "column_bits",
            "return (pixels[1:] > pixels[:-1]).astype(int)",
            [
                "found  row 0: [0, 0, ",
                "(array of int64, shape (8, 8))",
                "(array of bool, shape (8, 8))",
            ],
        ),
        (
            "column_bits",
            "return pixels[1:] >= pixels[:-1]",
            [
                "column_bits(np.zeros((9, 8), np.uint8))",
                "found  row 0: [True, True, True, True, True, True, True, True] (array of bool, shape (8, 8))",
                "wanted row 0: [False, False, False, False, False, False, False, False] (array of bool",
            ],
        ),
        ("new_size", "return [width * factor, height]", ["(list of 2)", "(tuple of 2)"]),
        ("look_up", "return None", ["found  nothing: does your answer end with return?"]),
    ],
)
def test_type_shape_and_value_are_told(name, body, told):
    what = checks.exercise(name)
    body = body.replace("return None", "len(shelf)")
    text = checks.reply(name, what.function(body))
    for part in told:
        assert part in text


def test_whole_numbers_of_64_bits_are_never_shown_as_floats():
    text = reply(
        "to_numbers_mended", "return np.array([int(t, 16) for t in digits]).astype(np.uint64)"
    )
    assert (
        'to_numbers_mended(["0000000000000001", "8000000000000001"])\n'
        "found  [1, 9223372036854775808] (array of uint64, shape (2,))\n"
        "wanted [1, 9223372036854775809] (array of uint64, shape (2,))"
    ) in text
    assert "e+" not in text


def test_the_shortest_call_is_shown():
    assert reply("hamming_distance", "return abs(a - b)").splitlines()[1:] == [
        "hamming_distance(1, 2)",
        "found  1 (int)",
        "wanted 2 (int)",
    ]


@every_exercise
def test_an_error_is_shown_with_the_call_that_raised_it(name):
    def attempt(*arguments):
        return 1 / 0

    lines = checks.reply(name, attempt).splitlines()
    assert lines[1].startswith("attempt(")
    assert lines[2] == ("raises ZeroDivisionError: division by zero, in this line: return 1 / 0")
    assert lines[3].startswith("wanted ")


@every_exercise
def test_a_wrong_number_of_arguments_is_shown_as_an_error(name):
    assert "raises TypeError: " in checks.reply(name, lambda: 1)


def test_an_attempt_that_makes_the_files_of_a_call_equal_is_refused():
    spoils = "for path in (first, second):\n    path.write_bytes(b'')\nreturn True"
    for body in (spoils, "return True"):
        assert reply("same_file", body).startswith("Not yet.")


def test_what_is_no_function_is_told():
    assert checks.reply("recall", 0.5) == (
        "Not yet: give the check the function itself: checks.recall(recall)"
    )


def test_a_function_without_a_name_is_shown_with_that_of_the_exercise():
    assert "\nrecall(" in checks.reply("recall", lambda distances, radius: 7)
    assert checks.reply("hamming_distance", max).startswith("Not yet.")


# Hints


def test_a_hint_comes_with_the_second_wrong_try_of_one_kind():
    wrong, other = "return abs(a - b)", "return a ^ b"
    assert ["Hint:" in reply("hamming_distance", body) for body in (wrong, wrong, wrong)] == [
        False,
        True,
        True,
    ]
    assert ["Hint:" in reply("hamming_distance", body) for body in (other, wrong, other)] == [
        False,
        False,
        False,
    ]
    assert "Hint:" in reply("hamming_distance", other)


def test_a_right_answer_and_an_untouched_stub_begin_anew():
    for between in ("return (a ^ b).bit_count()", "..."):
        reply("hamming_distance", "return a ^ b")
        reply("hamming_distance", between)
        assert "Hint:" not in reply("hamming_distance", "return a ^ b")


def test_a_wrong_try_that_is_no_known_misconception_gets_the_hint_of_the_exercise():
    hint = checks.exercise("hamming_distance").hint
    for body in ("return 7 // (a + b + 9)", "return 1 / 0", "return str(a)"):
        assert "Hint:" not in reply("hamming_distance", body)
        assert reply("hamming_distance", body).endswith(f"\nHint: {hint}")


def test_tries_at_one_exercise_do_not_count_for_another():
    reply("rows_mended", "return 1")
    assert "Hint:" not in reply("recall", "return 1")


# Stubs


@every_exercise
@pytest.mark.parametrize("place", ["above the dots", "in place of them", "below them"])
def test_an_answer_typed_into_the_stub_is_right(name, place, capsys):
    answer = textwrap.indent(checks.exercise(name).answer.strip(), "    ")
    with_dots = {"above the dots": f"{answer}\n    ...", "below them": f"    ...\n{answer}"}
    cell = checks.stub(name).replace("    ...", with_dots.get(place, answer))
    exec(cell, {"np": np, "Path": Path, "checks": checks})
    assert capsys.readouterr().out.startswith("Right: ")


@every_exercise
def test_a_stub_is_told_to_begin_also_when_it_runs_again(name, capsys):
    for _ in range(2):
        exec(checks.stub(name), {"np": np, "Path": Path, "checks": checks})
        assert capsys.readouterr().out == (
            f"To do: {name} has no answer yet. Type it below the line that says so.\n"
        )


@pytest.mark.parametrize("body", ["...", "pass", "return None", "'text'", "# a comment\n..."])
def test_a_body_that_does_nothing_is_untouched(body):
    assert reply("recall", body).startswith("To do: ")


def test_an_answer_without_return_is_not_untouched():
    assert "does your answer end with return?" in reply("recall", "(distances <= radius).mean()")


def test_a_check_says_what_it_wants_and_one_that_is_not_there_which_there_are():
    assert checks.exercise("recall").asks in checks.recall.__doc__
    with pytest.raises(AttributeError, match=r"recal is no exercise; these are: .*recall"):
        _ = checks.recal


# What calls are made of


def test_a_shelf_hands_out_copies():
    shelf = checks.shelf({"ff": ["a"]})
    shelf["ff"].append("b")
    assert dict(shelf) == {"ff": ["a"]}


def test_files_have_the_contents_and_no_name_in_common():
    first, second = checks.files(b"a", b"b")
    assert (first.read_bytes(), second.read_bytes()) == (b"a", b"b")
    assert first != second
    assert checks.files(b"a", b"b") == (first, second)


def test_an_attempt_that_empties_its_input_is_judged_by_what_it_returns():
    body = """
names = shelf.pop(key, [])
return {**shelf, key: names if name in names else [*names, name]}
"""
    assert reply("add_once", body).startswith("Right:")


def test_a_shelf_that_was_closed_is_an_error_of_the_attempt():
    assert "raises ValueError: " in reply("add_once", "shelf.close()\nreturn shelf")


# The given code of the chapter on search


@pytest.fixture
def given():
    """The functions with two bugs, as their chapter gives them."""
    cells = [
        "".join(cell["source"])
        for path in course.HERE.glob("*.ipynb")
        for cell in json.loads(path.read_text(encoding="utf-8"))["cells"]
    ]
    (code,) = [cell for cell in cells if "def rows_given" in cell]
    names = {"np": np}
    exec(code, names)
    return names


@pytest.mark.parametrize(
    ("name", "bug", "shown"),
    [
        ("rows_mended", "rows_given", "wanted [0] (array of int64, shape (1,))"),
        ("to_numbers_mended", "to_numbers_given", "found  [1, 9223372036854775808] ("),
    ],
)
def test_the_given_code_is_not_right_yet(name, bug, shown, given):
    assert shown in checks.reply(name, given[bug])


def test_what_an_attempt_prints_is_told_of_the_call_that_is_shown_and_of_no_other(capsys):
    def hamming_distance(a, b):
        print("bits:", (a ^ b).bit_count())

    checks.hamming_distance(hamming_distance)
    lines = capsys.readouterr().out.splitlines()
    assert sum(line.startswith("It printed: bits: ") for line in lines) == 1
    assert lines[0].startswith("Not yet")

    def answers_too(a, b):
        hamming_distance(a, b)
        return (a ^ b).bit_count()

    checks.hamming_distance(answers_too)
    assert "bits: " not in capsys.readouterr().out


def test_a_key_that_is_not_on_a_shelf_is_named_as_it_was_asked_for():
    with pytest.raises(KeyError, match=r"^'ff'$"):
        checks.shelf({"00": ["a"]})["ff"]
    assert checks.shelf({"00": ["a"]})["00"] == ["a"]
