"""The browser edition: a site of files in which chapters 0 to 5 run, with nothing installed.

JupyterLite shows the chapters, and Pyodide is their Python. All lies below the site. What
``lite/files.toml`` lists is fetched, held against its SHA-256, and goes into the list from which
Pyodide loads what a cell imports. So the first cell of a chapter runs as it stands.
"""

import dbm
import json
import re
import tomllib
from importlib import import_module
from pathlib import Path
from shutil import copy, copytree, ignore_patterns
from tempfile import TemporaryDirectory
from zipfile import ZipFile

import jinja2
import nbformat

import course
import helpers
from editions import contents, making
from helpers import Problem, archive, datasets
from helpers.files.atomic import write_text
from helpers.files.places import sha256_of

PARTS = Path(__file__).with_suffix("")
FILES = tomllib.loads((PARTS / "files.toml").read_text("utf-8"))
CHAPTERS, LESSON = course.chapters()[:6], course.lesson()
BESIDE = [f"more/{name}.ipynb" for name in ("pandas-in-ten-minutes", "glossary", "on-one-page")]
NOTEBOOKS = [LESSON["file"], *(chapter.file for chapter in CHAPTERS), *BESIDE]


def make() -> list[Path]:
    """Make the site; its folder."""
    import_module("jupyterlite_core")  # which is run as a program of its own
    with making.made_whole("lite") as folder, TemporaryDirectory() as made:
        source = Path(made)
        lay_chapters(source / "files")
        lay_python(source / "static" / "pyodide")
        for settings in PARTS.glob("*.json"):
            copy(settings, source)
        making.run("jupyterlite_core", "build", "--output-dir", folder, cwd=source)
        page = jinja2.Template((PARTS / "index.html").read_text("utf-8"), autoescape=True)
        page.stream(chapters=CHAPTERS, lesson=LESSON).dump(str(folder / "index.html"), "utf-8")
        copy(PARTS.with_name("serve.py"), folder)
    return [making.ROOT / "editions" / "lite"]


def lay_chapters(folder: Path) -> None:
    """Learner's copies, whose links to what is not in the site are plain words."""
    texts, pages = contents.learner() | contents.short(), {name: name for name in NOTEBOOKS}
    notebooks = {name: nbformat.reads(texts[name], as_version=4) for name in NOTEBOOKS}
    for name, notebook in notebooks.items():
        for cell in contents.prose(notebook):
            cell.source = contents.relinked(cell.source, name, pages)
    for name, text in contents.written(notebooks).items():
        write_text(folder / name, text)


def lay_python(folder: Path) -> None:
    """Pyodide, its builds, our wheels and helpers, and the list of what imports need."""
    folder.mkdir(parents=True)
    builds, ours, helpers = FILES["pyodide"], FILES["packages"], FILES["helpers"]
    wanted = [builds["wheel"], *(f"{name}=={one['version']}" for name, one in ours.items())]
    options = ("--quiet", "--no-deps", "--only-binary", ":all:")
    with TemporaryDirectory() as fetched:
        making.run("pip", "download", *options, *wanted, cwd=fetched)
        [wheel] = Path(fetched).glob(re.split("[-=]", builds["wheel"])[0] + "*")
        with ZipFile(wheel) as archived:
            for name, digest in builds["sha256"].items():
                lay(folder / name, archived.read(builds["folder"] + name), digest)
        for one in ours.values():
            file = Path(fetched, one["file_name"])
            lay(folder / file.name, file.read_bytes(), one["sha256"])
    _lay_helpers(folder / helpers["file_name"])
    helpers = helpers | {"sha256": sha256_of(folder / helpers["file_name"])}
    lock = json.loads((folder / "pyodide-lock.json").read_text("utf-8"))
    packages = lock["packages"].items()
    there = {name: one for name, one in packages if one["file_name"] in builds["sha256"]}
    lock["packages"] = there | ours | {"helpers": helpers}
    (folder / "pyodide-lock.json").write_text(json.dumps(lock), encoding="utf-8")


def lay(path: Path, content: bytes, digest: str) -> None:
    """Write a file, if it is the one in the list."""
    path.write_bytes(content)
    if sha256_of(path) != digest:
        raise Problem(f"{path.name}: is not the file that lite/files.toml lists; use no other")


def _lay_helpers(path: Path) -> None:
    """The helpers with the sample ready made, and `dbm`, which Pyodide leaves out of Python."""
    others = ignore_patterns("__pycache__", "gnu.py", "ndbm.py", "sqlite3.py")
    with TemporaryDirectory() as made:
        for one in (helpers, dbm):
            copytree(Path(one.__file__).parent, Path(made, one.__name__), ignore=others)
        datasets.pack_sample(Path(made, "helpers", "tables", datasets.READY_MADE.name))
        archive.pack({p.relative_to(made).as_posix(): p for p in Path(made).rglob("*")}, path)
