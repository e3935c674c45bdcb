"""What the files around the code promise."""

import ast
import re
import tomllib
from pathlib import Path

import pytest

import helpers
from helpers import datasets
from helpers.classroom import results
from helpers.explore import page
from helpers.files import places

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def bounds(requirements):
    return dict(re.fullmatch(r"([\w-]+)\s*(>=[\d.,<]+)", text).groups() for text in requirements)


def numbers(version):
    return tuple(int(part) for part in re.findall(r"\d+", version))


def declared():
    extras = PROJECT["optional-dependencies"]
    return bounds([*PROJECT["dependencies"], *extras["notebooks"], *extras["test"]])


def test_conda_and_pip_ask_for_the_same_packages():
    lines = (ROOT / "environment.yml").read_text(encoding="utf-8").splitlines()
    conda = bounds(line.removeprefix("  - ") for line in lines if re.match(r"  - [\w-]+ >=", line))
    python = conda.pop("python")
    assert conda == declared()
    assert python.startswith(PROJECT["requires-python"])
    assert "      - -e ." in lines


def test_constraints_pin_every_package_within_its_bounds():
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    pins = dict(line.split("==") for line in lines if not line.startswith("#"))
    pins = {name.lower().replace("_", "-"): version for name, version in pins.items()}
    for name, bound in declared().items():
        assert numbers(pins[name]) >= numbers(bound), name


def test_constraints_hold_names_and_versions_only():
    for line in (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines():
        assert re.fullmatch(r"#.*|[\w.-]+==[\w.]+", line), line


def test_readme_quotes_the_kept_numbers():
    kept = results.kept().set_index("meaning")["value"].to_dict()
    section = README.split("## What they find on CALTECH-101")[1].split("\n## ")[0]
    rows = re.findall(r"^\| (.+?) \| (.+?) \|$", section, re.MULTILINE)
    quoted = [row for row in rows if row[0] not in ("measured", "---")]
    assert len(quoted) >= 5
    for meaning, value in quoted:
        assert kept[meaning] == value


def test_readme_names_only_what_is_there():
    links = re.findall(r"\]\(([^)#:]+)\)", README)
    assert len(links) >= 7
    for link in links:
        assert (ROOT / link).exists(), link


def test_readme_names_only_targets_of_the_makefile():
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    targets = set(re.findall(r"^(\w+):", makefile, re.MULTILINE))
    named = set(re.findall(r"(?:`|^)make (\w+)", README, re.MULTILINE))
    assert {"tutorial", "test", "lab", "notebooks"} <= named <= targets


def test_modules_import_only_from_floors_below():
    floors, floor = {}, None
    for line in helpers.__doc__.splitlines():
        found = re.match(r"(-?\d|     ) +``", line)
        floor = int(found[1]) if found and found[1].strip() else floor
        floors |= dict.fromkeys(re.findall(r"``(\w+)``", line) if found else [], floor)
    modules = {path.stem: path for path in Path(helpers.__file__).parent.glob("*.py")}
    del modules["__init__"]
    assert floors.keys() == modules.keys()
    for name, path in modules.items():
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom) and node.module.split(".")[0] == "helpers":
                named = [*node.module.split(".")[1:], *(alias.name for alias in node.names)]
                above = [other for other in named if floors.get(other, -9) >= floors[name]]
                assert not above, f"{name} imports {above}"


def test_make_lab_lets_uploads_through_that_the_page_speaks_of():
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    [size] = re.findall(r"'websocket_max_message_size': (\d+)", makefile)
    assert int(size) == page.LAB_UPLOAD_MEGABYTES * 2**20


def test_data_lands_in_the_clone_or_else_where_the_user_keeps_such_things(monkeypatch, tmp_path):
    monkeypatch.delenv("FINGERPRINTS_DATA", raising=False)
    assert places.data_folder() == ROOT / "data"
    installed = tmp_path / "lib" / "site-packages" / "helpers" / "datasets.py"
    monkeypatch.setattr(datasets, "__file__", str(installed))
    assert not places.data_folder().is_relative_to(tmp_path)
    assert places.data_folder().name == "image-fingerprints"
    monkeypatch.setenv("FINGERPRINTS_DATA", str(tmp_path / "mine"))
    assert places.data_folder() == tmp_path / "mine"


def test_kept_numbers_have_a_meaning_each():
    kept = results.kept()
    assert kept["name"].is_unique
    assert kept["meaning"].is_unique
    assert (kept[["chapter", "value", "meaning"]] != "").all(axis=None)


def test_a_run_is_compared_with_the_kept_numbers(tmp_path, monkeypatch):
    file = tmp_path / "numbers.jsonl"
    monkeypatch.setenv(results.RESULTS_FILE, str(file))
    for row in results.kept().itertuples():
        results.beside_caltech(int(row.chapter), {row.name: row.value})
    assert results.differences(file) == []
    results.beside_caltech(1, {"images": 9143})
    assert results.differences(file) == ["images: 9143 in this run, 9144 in the table"]
    file.write_text("", encoding="utf-8")
    assert len(results.differences(file)) == len(results.kept())


@pytest.mark.parametrize("value, text", [(0.74833, "0.748"), (3, "3"), ("2 4 1", "2 4 1")])
def test_numbers_are_shown_with_three_decimals(value, text):
    assert results.beside_caltech(1, {"new": value})["this run"].tolist() == [text]
