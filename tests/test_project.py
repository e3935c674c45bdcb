"""What the files around the code promise."""

import json
import re
import tomllib
from contextlib import suppress
from importlib import import_module
from importlib.metadata import PackageNotFoundError, metadata
from importlib.util import find_spec
from pathlib import Path

import pytest
import run
from jupyter_server.services.config import ConfigManager
from jupyterlab.commands import get_app_dir
from packaging.specifiers import SpecifierSet

from helpers import Problem
from helpers.classroom import results
from helpers.explore import page
from helpers.files import places

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
README = (ROOT / "README.md").read_text(encoding="utf-8")
#: One for classrooms, one for what makes editions.
CONSTRAINTS = [ROOT / "constraints.txt", ROOT / "notebooks" / "editions" / "constraints.txt"]
SECURITY = (ROOT / "SECURITY.md").read_text(encoding="utf-8")


def bounds(requirements):
    return dict(
        re.fullmatch(r"([\w-]+)\s*([>=]=[\d.,<post]+)", text).groups() for text in requirements
    )


def numbers(version):
    return tuple(int(part) for part in re.findall(r"\d+", version))


def declared(*extras):
    optional = PROJECT["optional-dependencies"]
    return bounds(
        [*PROJECT["dependencies"], *(name for extra in extras for name in optional[extra])]
    )


def test_conda_and_pip_ask_for_the_same_packages():
    lines = (ROOT / "environment.yml").read_text(encoding="utf-8").splitlines()
    conda = bounds(line.removeprefix("  - ") for line in lines if re.match(r"  - [\w-]+ >=", line))
    python = conda.pop("python")
    assert conda == declared("notebooks", "test")
    assert python.startswith(PROJECT["requires-python"])
    assert "      - -e ." in lines


@pytest.mark.parametrize(
    ("path", "extras"),
    [
        (CONSTRAINTS[0], ("cluster", "notebooks", "test")),
        (CONSTRAINTS[1], ("notebooks", "editions")),
    ],
    ids=["constraints", "of editions"],
)
def test_constraints_pin_every_package_within_its_bounds(path, extras):
    lines = path.read_text(encoding="utf-8").splitlines()
    pins = dict(line.split("==") for line in lines if not line.startswith("#"))
    pins = {name.lower().replace("_", "-"): version for name, version in pins.items()}
    for name, bound in declared(*extras).items():
        assert numbers(pins[name]) >= numbers(bound), name


@pytest.mark.parametrize("path", CONSTRAINTS, ids=["constraints", "of editions"])
def test_constraints_hold_names_and_versions_only(path):
    for line in path.read_text(encoding="utf-8").splitlines():
        assert re.fullmatch(r"#.*|[\w.-]+==[\w.]+", line), line


@pytest.mark.parametrize("path", CONSTRAINTS, ids=["constraints", "of editions"])
def test_constraints_name_no_version_that_an_early_release_of_the_oldest_python_refuses(path):
    """Debian 12 has 3.11.2; a package that wants 3.11.5 ended in ResolutionImpossible there."""
    oldest = PROJECT["requires-python"].removeprefix(">=") + ".0"
    pins = dict(re.findall(r"^([\w.-]+)==(\S+)$", path.read_text("utf-8"), re.MULTILINE))
    compared = 0
    for name, version in pins.items():
        with suppress(PackageNotFoundError):
            found = metadata(name)
            if found["Version"] == version and found.get("Requires-Python"):
                assert SpecifierSet(found["Requires-Python"]).contains(oldest), name
                compared += 1
    assert compared > 20


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


def test_readme_names_only_modules_that_there_are():
    names = set(re.findall(r"`(helpers(?:\.\w+)+)`", README))
    assert len(names) >= 15
    for name in names:
        module, _, word = name.rpartition(".")
        assert (
            find_spec(name)
            if find_spec(module).submodule_search_locations
            else (hasattr(import_module(module), word))
        ), name


def test_readme_names_only_targets_of_the_makefile():
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    lines = re.findall(r"^(\w[\w -]*):(?!=)", makefile, re.MULTILINE)
    targets = {target for line in lines for target in line.split()}
    named = set(re.findall(r"(?:`|^)make ([\w-]+)", README, re.MULTILINE))
    assert {"tutorial", "test", "lab", "notebooks"} <= named <= targets


def test_without_make_the_readme_shows_what_each_target_runs():
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    rules = re.findall(r"^(\w[\w -]*):(?!=).*\n((?:\t.*\n)+)", makefile, re.MULTILINE)
    commands = [
        re.sub(r" \$\(.*", "", line).replace("$@", target)
        for targets, recipe in rules
        for target in targets.split()
        for line in re.findall(r"^\t-?\$\(\w+\)/(?:\$\(IN\)/)?(.+)$", recipe, re.MULTILINE)
    ]
    assert len(commands) >= 8
    for command in commands:
        assert f"`{command}`" in README, command


def test_lab_finds_a_folder_with_a_space_from_wherever_its_kernels_run(tmp_path, monkeypatch):
    (tmp_path / "my photos").mkdir()
    monkeypatch.chdir(tmp_path)
    assert run.lab_options("my photos", ROOT)[0]["DATASET"] == str(tmp_path / "my photos")
    assert run.lab_options("sample", ROOT)[0]["DATASET"] == "sample"
    with pytest.raises(Problem, match="no such folder"):
        run.lab_options("my photo", ROOT)


@pytest.mark.parametrize("option", ["--check", "--keep"])
def test_numbers_of_some_chapters_are_not_compared(option, capsys):
    assert run.main([option, "05"]) == 2
    assert capsys.readouterr().err == f"{option}: needs the numbers of all chapters; name none\n"


def test_run_tells_a_name_that_orders_a_terminal_about_on_one_line(capsys):
    assert run.main(["--dataset", "my\x1b[31m\nphotos"]) == 2
    assert capsys.readouterr().err.startswith(r"my\x1b[31m\nphotos: no such dataset; ")


def test_lab_lets_uploads_through_that_the_page_speaks_of():
    _, options = run.lab_options("sample", ROOT)
    [size] = re.findall(r"'websocket_max_message_size': (\d+)", " ".join(options))
    assert int(size) == page.LAB_UPLOAD_MEGABYTES * 2**20


def test_lab_asks_nobody_about_news_and_keeps_what_its_user_has_set(monkeypatch, tmp_path):
    news = {"@jupyterlab/apputils-extension:notification": {"fetchNews": "false"}}
    mine = tmp_path / "labconfig" / "default_setting_overrides.json"
    mine.parent.mkdir()
    mine.write_text('{"mine": {"theme": "dark"}}', encoding="utf-8")
    monkeypatch.setenv("JUPYTER_CONFIG_PATH", str(tmp_path))
    settings, _ = run.lab_options("sample", ROOT)
    monkeypatch.setenv("JUPYTER_CONFIG_PATH", settings["JUPYTER_CONFIG_PATH"])
    found = ConfigManager(config_dir_name="labconfig").get("default_setting_overrides")
    assert news.items() <= found.items()
    assert found["mine"] == {"theme": "dark"}
    schema = Path(get_app_dir(), "schemas", *next(iter(news)).split(":")).with_suffix(".json")
    asks = json.loads(schema.read_text(encoding="utf-8"))["properties"]["fetchNews"]
    assert "false" in [option["const"] for option in asks["oneOf"]]


def test_data_lands_in_the_clone_or_else_where_the_user_keeps_such_things(monkeypatch, tmp_path):
    monkeypatch.delenv("FINGERPRINTS_DATA", raising=False)
    assert places.data_folder() == ROOT / "data"
    # private, because no test can install the kit elsewhere in a moment
    monkeypatch.setattr(places, "_CLONE", tmp_path / "lib")
    assert not places.data_folder().is_relative_to(tmp_path)
    assert places.data_folder().name == "image-fingerprints"
    monkeypatch.setenv("FINGERPRINTS_DATA", str(tmp_path / "mine"))
    assert places.data_folder() == tmp_path / "mine"


def imported(name):
    """A module, or nothing if it takes an extra that is not installed."""
    try:
        return import_module(name)
    except ImportError:
        assert name.startswith("helpers.cluster.")


def test_the_page_on_safety_has_every_budget_with_its_value():
    told = dict(re.findall(r"^\| `(helpers[\w.]+)` \| ([\d,]+) \|", SECURITY, re.MULTILINE))
    budgets = {}
    for file in (ROOT / "src").rglob("*.py"):
        module = ".".join(file.relative_to(ROOT / "src").with_suffix("").parts)
        names = re.findall(r"^(MOST_\w+.*) = ", file.read_text(encoding="utf-8"), re.MULTILINE)
        for name in re.findall(r"\bMOST_\w+", " ".join(names)):
            key = f"{module}.{name}"
            budgets[key] = f"{getattr(imported(module), name):,}" if imported(module) else told[key]
    assert told == budgets


def test_the_page_on_safety_names_only_tests_and_modules_that_there_are():
    tests = set(re.findall(r"`(tests/[\w/]+\.py)", SECURITY))
    assert len(tests) > 15
    for test in tests:
        assert (ROOT / test).is_file(), test
    for name in re.findall(r"`(helpers[\w.]*\.\w+)`", SECURITY):
        module, _, word = name.rpartition(".")
        assert not imported(module) or hasattr(imported(module), word), name
