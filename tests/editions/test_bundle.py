"""The zips for a room without a network: what is in them, and that it installs from them alone."""

import io
import os
import re
import shlex
import shutil
import subprocess
import sys
import tomllib
from collections import Counter
from pathlib import Path, PurePosixPath
from zipfile import ZipFile

import pytest
import run
from bs4 import BeautifulSoup
from editions import bundle, making

from helpers import Problem

ROOT = making.ROOT
ARCHIVE, BOOK, LITE = (
    "data/caltech-101.zip",
    "editions/book/index.html",
    "editions/lite/index.html",
)
BUILT = [ROOT / "editions" / f"bundle-{system}.zip" for system in bundle.SYSTEMS]
BUILT = [path for path in BUILT if os.environ.get("EDITIONS") and path.is_file()]
#: Where a pupil with a long name unpacks it; Windows' paths have 259 letters at most.
DESKTOP = rf"C:\Users\{'n' * 20}\Desktop\bundle-windows" + "\\"
NOT_ON_WINDOWS = r'(?i)[<>:"\\|?*\x00-\x1f]|[. ](/|$)|(^|/)(con|prn|aux|nul|com\d|lpt\d)(\.|/|$)'
every_system = pytest.mark.parametrize("system", bundle.SYSTEMS)
needs_git = pytest.mark.skipif(not shutil.which("git"), reason="git is not installed")


def wrong_on_windows(names):
    """Names of the kit that Windows cannot have, or not beside each other."""
    names = [f"{bundle.FOLDER}/{name}" for name in names]
    wrong = [n for n in names if len(DESKTOP + n) > 259 or re.search(NOT_ON_WINDOWS, n)]
    folded = Counter(name.casefold() for name in names)
    return wrong + [name for name in names if folded[name.casefold()] > 1]


def installed(wheel):
    """Where the files of a wheel come to lie on Windows."""
    for name in (name for name in wheel.namelist() if not name.endswith("/")):
        place, path = "Lib/site-packages", PurePosixPath(name)
        if path.parts[0].endswith(".data"):
            kind, *rest = path.parts[1:]
            place = {"data": ".", "scripts": "Scripts", "headers": "Include"}.get(kind, place)
            path = PurePosixPath(*rest)
        yield (PurePosixPath(".venv", place) / path).as_posix()
        if path.suffix == ".py":
            compiled = path.parent / "__pycache__" / f"{path.stem}.cpython-313.pyc"
            yield (PurePosixPath(".venv", place) / compiled).as_posix()


@pytest.fixture
def clone(tmp_path, monkeypatch):
    """A small clone, without an edition; what is fetched is made up."""

    def git(*words):
        told = ["-c", "user.name=A", "-c", "user.email=a@b.c", "-c", "commit.gpgsign=false"]
        subprocess.run(["git", *told, *words], cwd=root, check=True, capture_output=True)

    def fetch(platform, tags, python, kit):
        (kit / "wheels").mkdir(exist_ok=True)
        for name in ("both-1-py3-none-any", f"one-1-cp{python.replace('.', '')}-none-{tags[0]}"):
            (kit / "wheels" / f"{name}.whl").write_bytes(name.encode())

    root = tmp_path / "the clone"
    (root / "notebooks").mkdir(parents=True)
    (root / "notebooks" / "00.ipynb").write_text("{}", encoding="utf-8")
    (root / ".gitignore").write_text("/editions/\n", encoding="utf-8")
    git("init", "--quiet")
    git("add", ".")
    git("commit", "--quiet", "--message", "one")
    monkeypatch.setattr(bundle, "fetch", fetch)
    monkeypatch.setenv("FINGERPRINTS_DATA", str(tmp_path / "data"))
    monkeypatch.setenv("BUNDLE", "linux")
    return root


def names(path):
    with ZipFile(path) as opened:
        return [name.removeprefix(f"{bundle.FOLDER}/") for name in opened.namelist()]


# ---- what is in a zip


@needs_git
def test_a_zip_has_what_is_committed_a_page_and_each_wheel_once(clone, capsys):
    (clone / "notebooks" / "draft.txt").touch()
    [made] = bundle.make(clone)
    wheels = [f"one-1-cp31{n}-none-manylinux_2_28_x86_64" for n in (1, 2, 3)]
    assert names(made) == [
        *(".gitignore", "START-HERE.html", "notebooks/00.ipynb", "wheels/both-1-py3-none-any.whl"),
        *(f"wheels/{wheel}.whl" for wheel in wheels),
    ]
    told = capsys.readouterr().out
    assert "changes that are not committed" in told
    assert "caltech-101.zip is not here" in told
    assert "editions/book is not made" in told
    assert "editions/lite is not made" in told


@needs_git
def test_what_is_here_goes_along(clone, tmp_path, capsys):
    for place in (clone / BOOK, clone / LITE, tmp_path / ARCHIVE):
        place.parent.mkdir(parents=True)
        place.write_text("...", encoding="utf-8")
    for name in ("book", "lite"):
        (clone / "editions" / name / making.NAME).write_text(making.digest(clone), "utf-8")
    [made] = bundle.make(clone)
    assert {ARCHIVE, BOOK, LITE} <= set(names(made))
    told = capsys.readouterr().out.splitlines()
    assert all(line.startswith("linux: packages for Python 3.1") for line in told)


@needs_git
def test_the_same_files_make_the_same_zip(clone, monkeypatch):
    monkeypatch.setenv("BUNDLE", "macos 3.12")
    [made] = bundle.make(clone)
    first = made.read_bytes()
    os.utime(clone / "notebooks" / "00.ipynb", (10**9, 10**9))
    assert bundle.make(clone) == [made]
    assert made.read_bytes() == first
    with ZipFile(made) as opened:
        assert {info.date_time[0] for info in opened.infolist()} == {1980}
        assert {info.external_attr >> 16 for info in opened.infolist()} == {0o100644}  # no links


@needs_git
def test_what_cannot_be_fetched_leaves_the_older_zip_and_nothing_else(clone, monkeypatch):
    def fail(*_):
        raise Problem("no network")

    [made] = bundle.make(clone)
    first = made.read_bytes()
    monkeypatch.setattr(bundle, "fetch", fail)
    with pytest.raises(Problem, match="no network"):
        bundle.make(clone)
    assert made.read_bytes() == first
    assert list(made.parent.iterdir()) == [made]


@needs_git
def test_a_full_disk_is_told_and_leaves_nothing(clone, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(bundle, "pack", full)
    with pytest.raises(Problem, match=r"bundle-linux\.zip: could not be written \(No space left"):
        bundle.make(clone)
    assert not list((clone / "editions").iterdir())


@needs_git
def test_outside_of_a_clone_one_sentence_says_so(tmp_path, monkeypatch):
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    with pytest.raises(Problem, match=r"^git status: .*; run this in a clone made by git"):
        bundle.make(tmp_path)


def test_systems_and_pythons_can_be_chosen():
    assert bundle.chosen("") == (["linux", "windows", "macos"], ["3.11", "3.12", "3.13"])
    assert bundle.chosen("3.14 linux") == (["linux"], ["3.14"])
    assert bundle.chosen("macos windows")[0] == ["macos", "windows"]
    with pytest.raises(Problem, match="BUNDLE: beos: name linux, windows, macos, or a Python"):
        bundle.chosen("linux beos 3.12")


@every_system
def test_a_list_of_its_own_is_resolved_and_fetched_for_each_python(system, tmp_path, monkeypatch):
    (tmp_path / "kit").mkdir()
    (tmp_path / "kit" / "constraints.txt").write_text("a==1.5\n", "utf-8")
    commands = []
    monkeypatch.setattr(making, "run", lambda *words, cwd: commands.append(words))
    for platform, tags in bundle.SYSTEMS[system].items():
        for python in bundle.PYTHONS:
            bundle.fetch(platform, tags, python, tmp_path / "kit")
            asked, fetched = commands[-2:]
            assert asked[asked.index("--python-platform") + 1] == platform
            assert asked[asked.index("--python-version") + 1] == python
            assert asked[asked.index("-o") + 1] == fetched[fetched.index("-r") + 1]
            assert fetched[fetched.index("--python-version") + 1] == python
            assert [fetched[n + 1] for n, w in enumerate(fetched) if w == "--platform"] == tags
    assert len(set(commands)) == 6 * len(bundle.SYSTEMS[system])  # no list is used twice
    assert (tmp_path / "newest.txt").read_text("utf-8") == "a<=1.5\n"


def test_what_builds_the_kit_is_fetched_too():
    lines = (bundle.SETTINGS / "build.txt").read_text("utf-8").splitlines()
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    wanted = {*project["build-system"]["requires"], "editables"}
    assert {line for line in lines if not line.startswith("#")} == wanted


# ---- names


@needs_git
def test_windows_can_have_every_name_of_the_clone():
    if not (ROOT / ".git").exists():
        pytest.skip("this is no clone made by git")
    listed = subprocess.run(["git", "ls-files", "-s", "-z"], cwd=ROOT, capture_output=True)
    modes, names = zip(
        *(line.split("\t") for line in listed.stdout.decode().split("\0")[:-1]), strict=True
    )
    assert len(names) > 300
    assert not wrong_on_windows(names)
    assert not [mode for mode in modes if mode.startswith("120000")]  # no link


def test_names_that_windows_cannot_have_are_found():
    wrong = ["a" * 200, "what?.txt", "a./b", "more/con.py", "A.txt", "a.TXT"]
    assert len(wrong_on_windows([*wrong, "fine.txt"])) == len(wrong)


@pytest.mark.parametrize("path", BUILT, ids=lambda path: path.stem)
def test_windows_can_have_every_name_of_a_zip_and_of_what_is_installed_from_it(path):
    assert not wrong_on_windows(names(path))
    with ZipFile(path) as opened:
        for name in opened.namelist():
            if name.endswith(".whl"):
                with ZipFile(io.BytesIO(opened.read(name))) as wheel:
                    assert not wrong_on_windows(dict.fromkeys(installed(wheel)))


# ---- the page


def page(system, *there, pythons=bundle.PYTHONS):
    extras = {name: ROOT / "README.md" for name in there} | {
        ARCHIVE: ROOT / ("README.md" if ARCHIVE in there else "no such file")
    }
    return bundle.page(system=system, pythons=pythons, extras=extras, commit="0a1b2c3, 2026-11-26")


def commands(text):
    for block in BeautifulSoup(text, "html.parser").select("pre"):
        yield from (line.replace("\\", "/") for line in block.text.strip().splitlines())


@every_system
@pytest.mark.parametrize("there", [(), (ARCHIVE, BOOK, LITE)], ids=["bare", "whole"])
def test_a_page_names_only_files_and_options_that_there_are(system, there):
    soup = BeautifulSoup(text := page(system, *there), "html.parser")
    links = [link["href"] for link in soup.select("a")]
    assert "README.md" in links
    for link in links:
        assert link in there or (ROOT / link).is_file(), link
    given = [shlex.split(command) for command in commands(text)]
    for words in given:
        files = [word for word in words if re.match(r"notebooks|tests$", word)]
        assert all((ROOT / file).exists() for file in files), words
        if "notebooks/run.py" in words:
            run.parser().parse_args(words[2:])
    assert len([words for words in given if "--lab" in words]) == 1


@every_system
def test_a_page_sets_up_from_the_wheels_as_make_does(system):
    python, begin = ".venv/bin/python", "python3 -m venv .venv"
    if system == "windows":
        python, begin = ".venv/Scripts/python", "py -m venv .venv"
    first, second, *_ = commands(page(system))
    assert first == begin
    wanted = f'{python} -m pip install --no-index --find-links wheels -e ".[notebooks,test]"'
    assert second == wanted


@every_system
def test_a_page_tells_what_the_zip_lacks(system):
    bare, whole = page(system), page(system, ARCHIVE, BOOK, LITE)
    for sentence in ("has no browser edition", "has no book", "Not CALTECH-101"):
        assert sentence in bare
        assert sentence not in whole
    assert "--lab --dataset sample" in bare
    assert "--lab\n" in whole
    assert "Python\n3.11, 3.12 or 3.13." in bare
    assert "Python\n3.12. Nothing" in page(system, pythons=["3.12"])
    assert "serve.py" in whole


# ---- what is installed from it


def test_make_takes_the_packages_from_wheels_if_the_kit_has_them(tmp_path):
    if not shutil.which("make"):
        pytest.skip("there is no make here")
    for name in ("Makefile", "pyproject.toml", "constraints.txt"):
        shutil.copy(ROOT / name, tmp_path)

    def told(*words):
        make = ["make", "-n", *words]
        return subprocess.run(make, cwd=tmp_path, capture_output=True, text=True, check=True).stdout

    assert "--no-index" not in told("lab")
    assert "--constraint constraints.txt" in told("lab")
    (tmp_path / "wheels").mkdir()
    (tmp_path / "wheels" / "a-1-py3-none-any.whl").touch()
    for target in ("tutorial", "lab", "test"):
        assert '--no-index --find-links wheels --editable ".[notebooks,test]"' in told(target)


@pytest.mark.skipif(
    ROOT / "editions" / "bundle-linux.zip" not in BUILT or sys.platform != "linux",
    reason="needs EDITIONS=1, and the zip that BUNDLE=linux make bundle makes, on Linux",
)
def test_the_kit_of_the_zip_installs_without_an_index_and_runs_chapter_0(tmp_path):
    with ZipFile(ROOT / "editions" / "bundle-linux.zip") as opened:
        opened.extractall(tmp_path)
    kit = tmp_path / bundle.FOLDER
    own = {
        key: value for key, value in os.environ.items() if not key.startswith(("PIP_", "PYTHON"))
    }
    own |= {"PIP_CONFIG_FILE": os.devnull, "HOME": str(tmp_path), "no_proxy": "*"}
    own.pop("FINGERPRINTS_DATA", None)
    text = (kit / "START-HERE.html").read_text("utf-8")
    first, second, _, check, *_ = [shlex.split(command) for command in commands(text)]
    for words in ([sys.executable, *first[1:]], second, check):
        done = subprocess.run(words, cwd=kit, env=own, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
    assert (kit / "pages" / "00-find-a-copy-in-ten-lines.html").is_file()
    assert Path(kit / "data" / "specials").is_dir()
