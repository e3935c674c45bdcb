"""A zip a system, for a stick in a room without a network: the kit, and the packages it needs.

Inside: what is committed, ``wheels/`` with the packages for each Python, and whatever of these is
here: CALTECH-101's archive, the book, the browser edition. ``START-HERE.html`` tells what to do.

The set is that of ``constraints.txt``. Where a package of it was not made for a Python or a
processor, the newest older one that was takes its place.
"""

import os
import re
import shutil
import tomllib
from pathlib import Path

import jinja2

from editions import making
from helpers import Problem
from helpers.archive import pack
from helpers.files.atomic import exclusive, new_folder
from helpers.files.places import data_folder, one_line

SETTINGS = Path(__file__).with_suffix("")
SYSTEMS = tomllib.loads((SETTINGS / "systems.toml").read_text("utf-8"))
PYTHONS = ["3.11", "3.12", "3.13"]
FOLDER = "image-fingerprints"  # in the zip


def make(root: Path = making.ROOT) -> list[Path]:
    """Make the zips that the variable BUNDLE names, or all; what was made."""
    systems, pythons = chosen(os.environ.get("BUNDLE", ""))
    if making.run("git", "status", "--porcelain", cwd=root):
        print("The work tree has changes that are not committed; the zips do not have them.")
    extras = {"data/caltech-101.zip": data_folder() / "caltech-101.zip"}
    if not (archive := extras["data/caltech-101.zip"]).is_file():
        print(one_line(f"{archive} is not here; in the zips the sample stands in for CALTECH-101."))
    for name in ("book", "lite"):
        if fault := making.fault(name, root):
            print(f"{fault}.")
        files = (root / "editions" / name).rglob("*")
        extras |= {path.relative_to(root).as_posix(): path for path in files}
    return [_make(system, pythons, extras, root) for system in systems]


def chosen(words: str) -> tuple[list[str], list[str]]:
    """The systems and Pythons that are named, as in "linux 3.12"; all, where none is."""
    pythons = re.findall(r"(?<!\S)3\.\d+(?!\S)", words)
    systems = [word for word in words.split() if word not in pythons]
    if unknown := set(systems).difference(SYSTEMS):
        raise Problem(one_line(f"BUNDLE: {min(unknown)}: name {', '.join(SYSTEMS)}, or a Python"))
    return systems or list(SYSTEMS), pythons or PYTHONS


def _make(system: str, pythons: list[str], extras: dict[str, Path], root: Path) -> Path:
    final = root / "editions" / f"bundle-{system}.zip"
    with exclusive(final), new_folder(final) as folder:
        kit = folder / FOLDER
        committed = folder / "committed.zip"
        making.run("git", "archive", "--output", committed, "HEAD", cwd=root)
        shutil.unpack_archive(committed, kit)
        for platform, tags in SYSTEMS[system].items():
            for python in pythons:
                print(f"{system}: packages for Python {python}, {platform} ...", flush=True)
                fetch(platform, tags, python, kit)
        commit = making.run("git", "log", "-1", "--format=%h, %cs", cwd=root).decode()
        told = page(system=system, pythons=pythons, extras=extras, commit=commit.strip())
        (kit / "START-HERE.html").write_text(told, encoding="utf-8")
        files = {path.relative_to(folder).as_posix(): path for path in kit.rglob("*")}
        pack(files | {f"{FOLDER}/{name}": path for name, path in extras.items()}, final)
        shutil.rmtree(folder)  # so that it takes no place; see `new_folder`
    return final


def fetch(platform: str, tags: list[str], python: str, kit: Path) -> None:
    """Put all wheels for a platform and a Python into the kit's ``wheels``."""
    pins = f"../{platform}-{python}.txt"  # another name each time: uv keeps to an older list
    constraints = (kit / "constraints.txt").read_text("utf-8")
    # not "==": some were made for newer Pythons only, or for fewer processors
    (kit.parent / "newest.txt").write_text(constraints.replace("==", "<="), "utf-8")
    list_them = (
        "uv pip compile --quiet --generate-hashes --only-binary :all: --extra notebooks --extra test"
        " pyproject.toml notebooks/editions/bundle/build.txt --constraint ../newest.txt"
        f" --python-platform {platform} --python-version {python} -o {pins}"
    )
    fetch_them = (
        f"pip download --quiet --no-deps --only-binary :all: -r {pins} -d wheels"
        f" --python-version {python} --platform {' --platform '.join(tags)}"
    )
    for command in (list_them, fetch_them):
        making.run(*command.split(), cwd=kit)


def page(**told: object) -> str:
    """What to do with the kit on a system, as HTML."""
    text = (SETTINGS / "start-here.html").read_text("utf-8")
    return jinja2.Template(text, autoescape=True, trim_blocks=True, lstrip_blocks=True).render(told)
