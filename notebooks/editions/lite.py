"""The browser edition: a site of files in which chapters 0 to 5 run, with nothing installed.

JupyterLite shows the chapters, and Pyodide is their Python. All lies below the site. What
``lite/files.toml`` lists is fetched, held against its SHA-256, and goes into the list from which
Pyodide loads what a cell imports. So the first cell of a chapter runs as it stands.
"""

import dbm
import json
import posixpath
import re
import subprocess
import sys
import tomllib
from importlib.util import find_spec
from pathlib import Path
from shutil import copy, copytree, ignore_patterns
from tempfile import TemporaryDirectory
from zipfile import ZipFile

import jinja2

import course
import helpers
from editions import contents, state
from helpers import Problem, archive, datasets
from helpers.files.places import sha256_of

PARTS = Path(__file__).with_suffix("")
FILES = tomllib.loads((PARTS / "files.toml").read_text("utf-8"))
CHAPTERS, LESSON = course.chapters()[:6], course.lesson()
BESIDE = [f"more/{name}.ipynb" for name in ("pandas-in-ten-minutes", "glossary", "on-one-page")]
NOTEBOOKS = [LESSON["file"], *(chapter.file for chapter in CHAPTERS), *BESIDE]


def make() -> list[Path]:
    """Make the site; its folder."""
    if not find_spec("jupyterlite_core"):
        wanted = 'pip install -c notebooks/editions/constraints.txt -e ".[notebooks,editions]"'
        raise Problem(f"lite: JupyterLite is not installed; {wanted}")
    with state.made_whole("lite") as folder, TemporaryDirectory() as made:
        source = Path(made)
        lay_chapters(source / "files")
        lay_python(source / "static" / "pyodide")
        for settings in PARTS.glob("*.json"):
            copy(settings, source)
        _run("jupyterlite_core", "build", "--output-dir", folder, cwd=source)
        page = jinja2.Template((PARTS / "index.html").read_text("utf-8"), autoescape=True)
        page = page.render(chapters=CHAPTERS, lesson=LESSON)
        (folder / "index.html").write_text(page, encoding="utf-8")
        copy(PARTS.with_name("serve.py"), folder)
    return [state.ROOT / "editions" / "lite"]


def lay_chapters(folder: Path) -> None:
    """Learner's copies, whose links to what is not in the site are plain words."""
    texts = contents.learner() | contents.short()
    for name in NOTEBOOKS:
        notebook = json.loads(texts[name])

        def link(found: re.Match, here: str = posixpath.dirname(name)) -> str:
            target = posixpath.normpath(posixpath.join(here, found[2]))
            return found[0] if target in NOTEBOOKS else found[1]

        for cell in notebook["cells"]:
            if cell["cell_type"] == "markdown":
                told = "".join(cell["source"])
                cell["source"] = re.sub(r"\[([^]]+)\]\(([^)#:\s]+)(#[^)\s]*)?\)", link, told)
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(json.dumps(notebook), encoding="utf-8")


def lay_python(folder: Path) -> None:
    """Pyodide, its builds, our wheels and helpers, and the list of what imports need."""
    folder.mkdir(parents=True)
    pyodide, wheels = FILES["pyodide"], FILES["wheel"]
    wanted = [pyodide["wheel"], *("==".join(wheel["file"].split("-")[:2]) for wheel in wheels)]
    options = ("--quiet", "--no-deps", "--only-binary", ":all:", "--dest")
    with TemporaryDirectory() as fetched:
        _run("pip", "download", *options, fetched, *wanted)
        [builds] = Path(fetched).glob(re.split("[-=]", pyodide["wheel"])[0] + "*")
        with ZipFile(builds) as archived:
            for name, digest in pyodide["files"].items():
                lay(folder / name, archived.read(pyodide["folder"] + name), digest)
        for wheel in wheels:
            lay(folder / wheel["file"], Path(fetched, wheel["file"]).read_bytes(), wheel["sha256"])
    path = folder / "pyodide-lock.json"
    lock = json.loads(path.read_text("utf-8"))
    packages = lock["packages"].items()
    lock["packages"] = {n: p for n, p in packages if p["file_name"] in pyodide["files"]}
    for wheel in [*wheels, _lay_helpers(folder)]:
        name, version = wheel["file"].lower().split("-")[:2]
        entry = {"name": name, "version": version, "file_name": wheel["file"]}
        entry |= {"install_dir": "site", "package_type": "package", "unvendored_tests": False}
        entry |= {"sha256": wheel["sha256"], "imports": [name], "depends": wheel["needs"]}
        lock["packages"][name] = entry
    path.write_text(json.dumps(lock), encoding="utf-8")


def lay(path: Path, content: bytes, digest: str) -> None:
    """Write a file that is the one in the list."""
    path.write_bytes(content)
    if sha256_of(path) != digest:
        raise Problem(f"{path.name}: is not the file that lite/files.toml lists; use no other")


def _lay_helpers(folder: Path) -> dict:
    """The helpers with the sample ready made, and `dbm`, which Pyodide leaves out of Python."""
    path = folder / f"helpers-{helpers.__version__}-py3-none-any.zip"
    with TemporaryDirectory() as made:
        package, shelves = Path(made, "helpers"), Path(made, "dbm")
        copytree(Path(helpers.__file__).parent, package, ignore=ignore_patterns("__pycache__"))
        datasets.pack_sample(package / "tables" / datasets.READY_MADE.name)
        others = ignore_patterns("__pycache__", "gnu.py", "ndbm.py", "sqlite3.py")
        copytree(Path(dbm.__file__).parent, shelves, ignore=others)
        archive.pack([package, shelves], path)
    return {"file": path.name, "sha256": sha256_of(path), "needs": FILES["helpers"]["needs"]}


def _run(*words: str | Path, cwd: Path | None = None) -> None:
    command = [sys.executable, "-m", *words]
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, errors="replace")
    if done.returncode:
        said = [line for line in done.stderr.splitlines() if line.strip()] or [
            "it does not say why"
        ]
        raise Problem(f"lite: {words[0]} {words[1]} failed: {said[-1].strip()}; run it once more")
