"""What made fingerprints is kept with them, and tells which may be compared."""

import dataclasses
import json

import pytest
from PIL import Image, ImageOps

from helpers import Problem
from helpers.fingerprints import recipe
from helpers.images import opening

HERE = recipe.here()
OF_0_1 = {
    "algorithm": "dhash",
    "hash_size": 8,
    "reading": {"rotate": True, "background": "white", "fast": False},
    "versions": {"imagehash": "4.3.2", "pillow": "13.0.0"},
}


@pytest.fixture
def rule_3(monkeypatch):
    """A third rule for deep greys, as a later version may bring one: the picture is inverted."""

    def inverted(image):
        return ImageOps.invert(opening.WAYS["16 bits"][1](image).convert("L"))

    monkeypatch.setitem(opening.WAYS["16 bits"], 3, inverted)
    monkeypatch.setitem(opening.RULES, "16 bits", 3)


def other(**changes):
    return dataclasses.replace(HERE, **changes)


def test_a_recipe_by_the_rules_of_0_1_has_the_form_of_0_1():
    made = recipe.here(rules={})
    assert {**made.as_dict(), "versions": OF_0_1["versions"]} == OF_0_1


def test_a_recipe_of_0_1_is_read_and_may_be_compared():
    made = recipe.from_dict(OF_0_1)
    assert (made.hash, made.bits) == ("dhash", 64)
    assert set(made.rules.values()) == {1}
    assert recipe.why_not(made, recipe.here(rules={})) == ""


def test_a_recipe_of_0_1_is_not_compared_with_todays():
    assert recipe.why_not(recipe.from_dict(OF_0_1), HERE) == (
        "with rule 1 for colour profile, and here is rule 2 for colour profile"
    )


def test_a_recipe_by_another_rule_names_its_bits_and_rules(rule_3):
    made = recipe.here()
    about = json.loads(json.dumps(made.as_dict()))
    assert about["bits"] == 64
    assert about["rules"]["16 bits"] == 3
    assert recipe.from_dict(about) == made


def test_a_file_that_names_no_rule_keeps_the_rules_of_0_1(rule_3):
    made = recipe.from_dict(OF_0_1)
    assert made.rules["16 bits"] == 1
    assert recipe.why_not(made, recipe.here(rules=opening.RULES | {"colour profile": 1})) == (
        "with rule 1 for 16 bits, and here is rule 3 for 16 bits"
    )
    assert recipe.why_not(made, recipe.here(rules=made.rules)) == ""


def test_a_picture_is_read_by_the_rule_that_is_asked_for(rule_3, tmp_path):
    path = tmp_path / "deep.png"
    Image.new("I;16", (4, 4), 0).save(path)
    assert opening.open_image(path).getpixel((0, 0)) == 255
    assert opening.open_image(path, rules={"16 bits": 1}).getpixel((0, 0)) == 0
    assert opening.open_image(path, rules={}).getpixel((0, 0)) == 0


def test_a_rule_that_newer_helpers_made_is_refused():
    about = {**OF_0_1, "bits": 64, "rules": {"16 bits": 7}}
    with pytest.raises(Problem, match="was read by rule 7 for 16 bits, which only newer helpers"):
        recipe.from_dict(about)
    with pytest.raises(Problem, match="rule 1 for smell, which only newer helpers know"):
        recipe.from_dict({**about, "rules": {"smell": 1}})


@pytest.mark.parametrize(
    "about",
    [
        {},
        {**OF_0_1, "algorithm": 7},
        {**OF_0_1, "hash_size": "8"},
        {**OF_0_1, "hash_size": None},
        {**OF_0_1, "reading": {}},
        {**OF_0_1, "reading": None},
        {**OF_0_1, "reading": {**OF_0_1["reading"], "colour": 1}},
        {**OF_0_1, "reading": {**OF_0_1["reading"], "background": "whit"}},
        {**OF_0_1, "versions": {"imagehash": 4}},
        {**OF_0_1, "versions": {"imagehash": "none"}},
        {**OF_0_1, "rules": 2},
        "dhash",
        None,
    ],
)
def test_an_unknown_form_is_one_sentence(about):
    with pytest.raises(Problem, match="says in a way not known here what made it"):
        recipe.from_dict(about)


def test_other_keys_belong_to_the_file():
    assert recipe.from_dict({**OF_0_1, "files": {}, "checksums": []}) == recipe.from_dict(OF_0_1)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"hash": "phash"}, "with phash of 64 bits, and here is dhash of 64 bits"),
        ({"bits": 256}, "with dhash of 256 bits, and here is dhash of 64 bits"),
        (
            {"reading": {**HERE.reading, "rotate": False}},
            "with rotate=False, and here is rotate=True",
        ),
        (
            {"reading": {**HERE.reading, "background": None}},
            "with background=None, and here is background='white'",
        ),
        (
            {"versions": {**HERE.versions, "imagehash": "3.9.9"}},
            "with imagehash 3, and here is imagehash 4",
        ),
        (
            {"versions": {**HERE.versions, "pillow": "9.5.0"}},
            "with pillow 9, and here is pillow 10 or later",
        ),
        (
            {"versions": {**HERE.versions, "pdqhash": "0.2"}},
            "with pdqhash 0, and here is no pdqhash",
        ),
    ],
)
def test_what_differs_is_named(changes, reason):
    assert recipe.why_not(other(**changes), HERE) == reason


@pytest.mark.parametrize(
    "versions", [{"pillow": "10.0.1"}, {"pillow": "99.0"}, {"imagehash": "4.0"}]
)
def test_these_versions_may_be_compared(versions):
    assert recipe.why_not(other(versions={**HERE.versions, **versions}), HERE) == ""


def test_a_hash_that_there_is_not_is_refused_with_the_names():
    with pytest.raises(Problem, match="'thash': no such hash; there are dhash"):
        recipe.here("thash")


def test_an_option_of_reading_that_there_is_not_is_a_mistake_of_the_programmer():
    with pytest.raises(TypeError, match="unknown argument 'speed'"):
        recipe.here(speed=1)
