"""Chapters 0 to 5 with the old versions that the browser edition's Python has, and without what it lacks."""

import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import course
import nbformat
import pytest
from editions import contents
from nbformat.v4 import new_code_cell

import helpers
from helpers import datasets, shelf

ROOT = course.HERE.parent
CONSTRAINTS = course.HERE / "editions" / "lite" / "constraints.txt"
PINNED = [line for line in CONSTRAINTS.read_text("utf-8").split("\n") if "==" in line]
CHAPTERS = [course.HERE / chapter.file for chapter in course.chapters()[:6]]
# what a browser has no build of, no processes for, or no need of
LACKING = ("_multiprocessing", "lzma", "fcntl", "filelock", "pooch", "requests", "skimage", "pywt")
LACKS = f"""import os, sys
sys.modules.update(dict.fromkeys({LACKING}))
vars(os).pop("link", None)
"""
AS_IN_A_BROWSER = """import sys
system, sys.platform = sys.platform, "emscripten"
from helpers.files import places
sys.platform = system
"""
STANDS_IN = "CALTECH-101 IS NOT HERE, THE SAMPLE STANDS IN. A page in a browser cannot keep it"


def test_the_constraints_are_the_builds_of_the_browser_edition():
    parts = tomllib.loads((CONSTRAINTS.parent / "files.toml").read_text("utf-8"))
    files = [*parts["pyodide"]["sha256"], *(one["file_name"] for one in parts["packages"].values())]
    found = [match for file in files if (match := re.match(r"(.+?)-([0-9][^-]*)-", file))]
    carried = {f"{match[1].lower().replace('_', '-')}=={match[2]}" for match in found}
    assert {*PINNED} <= carried
    assert len(PINNED) > 10


@pytest.mark.slow
def test_without_what_a_browser_lacks_the_chapters_imports_work_and_a_shelf_is_the_same(
    photographs, tmp_path
):
    cells = (cell for path in CHAPTERS for cell in json.loads(path.read_text("utf-8"))["cells"])
    sources = ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "code"]
    imports = {
        line for source in sources for line in re.findall("^(?:import|from) .*", source, re.M)
    }
    assert len(imports) > 25
    build = "shelf.build(sys.argv[1], sys.argv[2], workers=2)"
    lines = [LACKS, "sys.modules['dbm'] = None", AS_IN_A_BROWSER, *sorted(imports), build]
    lines += ["assert places.IN_BROWSER", "print(dict(shelf.read(sys.argv[1])))"]
    command = [sys.executable, "-W", "error::UserWarning", "-c", "\n".join(lines)]
    done = subprocess.run(
        [*command, tmp_path / "there", photographs], capture_output=True, text=True, timeout=60
    )
    assert (done.returncode, done.stderr) == (0, "")
    shelf.build(tmp_path / "here", photographs)
    assert done.stdout.strip() == str(dict(shelf.read(tmp_path / "here")))


def python_with_these_versions(folder):
    """An environment with the constraints' packages and the helpers, and with nothing that a browser lacks."""
    subprocess.run([sys.executable, "-m", "venv", folder], check=True, timeout=60)
    python = folder / ("Scripts" if os.name == "nt" else "bin") / "python"
    places = [os.environ["PATH"], *map(str, ROOT.glob(".venv-editions/*"))]
    uv = shutil.which("uv", path=os.pathsep.join(places))
    install = [uv, "pip", "install", "--python"] if uv else ["-m", "pip", "install"]
    install = [*install, python] if uv else [python, *install]
    install += ["--quiet", "--only-binary", ":all:", "--constraint", CONSTRAINTS]
    wanted = ["ipykernel", "nbclient"]
    wanted += [line.partition("==")[0] for line in PINNED]
    wanted.remove("imagehash")  # it would bring PyWavelets
    for words in (wanted, ["--no-deps", "imagehash"]):
        done = subprocess.run([*install, *words], capture_output=True, text=True, timeout=600)
        if done.returncode:
            pytest.skip(f"{CONSTRAINTS.name}: cannot be installed here: {done.stderr[-300:]}")
    [site] = (path for path in folder.glob("**/site-packages") if path.is_dir())
    package = Path(helpers.__file__).parent
    shutil.copytree(package, site / "helpers", ignore=shutil.ignore_patterns("__pycache__"))
    datasets.pack_sample(site / "helpers" / "tables" / "sample.zip")
    (site / "lacks.py").write_text(LACKS, encoding="utf-8")
    (site / "lacks.pth").write_text("import lacks\n", encoding="utf-8")
    return python


def said(cell):
    """What a cell printed and showed, as text, and what it said on the error stream."""
    outputs = cell["outputs"]
    streams = {"stdout": "", "stderr": ""}
    for output in outputs:
        if output["output_type"] == "stream":
            streams[output["name"]] += "".join(output["text"])
    shown = ["".join(output["data"]["text/plain"]) for output in outputs if "data" in output]
    return [streams["stdout"], *shown], streams["stderr"]


def same_from_old_pillow(cell, saved, told):
    """Pillow 13 resizes high and narrow pictures in another order than Pillow 10: few bits differ."""
    masks = {"by_change": r"\b32\.0[23]\b", "both.agg(": r"[\d.]+"}
    for word, numbers in masks.items():
        if word in "".join(cell["source"]):
            return re.sub(numbers, "", str(saved)) == re.sub(numbers, "", str(told))
    return False


@pytest.fixture(scope="module")
def executed(tmp_path_factory):
    """Each chapter's cells, as they are saved and as they ran with the old versions."""
    if not os.environ.get("EDITIONS"):
        pytest.skip("a minute: make test-editions runs it")
    place = tmp_path_factory.mktemp("browser")
    python = python_with_these_versions(place / "python")
    copied = place / "chapters"
    copied.mkdir()
    for path in CHAPTERS:
        notebook = contents.without_outputs(nbformat.read(path, as_version=4))
        notebook.cells.insert(0, new_code_cell(AS_IN_A_BROWSER))
        nbformat.write(notebook, copied / path.name)
    new = {"FINGERPRINTS_DATA": place / "data", "MPLCONFIGDIR": place, "JUPYTER_DATA_DIR": place}
    gone = ("DATASET", "PYTHONPATH", "JUPYTER_PATH")
    settings = {name: value for name, value in os.environ.items() if name not in gone}
    code = "from nbclient.cli import main; main()"
    command = [python, "-c", code, "--inplace", "--timeout=120", *(path.name for path in CHAPTERS)]
    done = subprocess.run(
        command, cwd=copied, env=settings | new, capture_output=True, text=True, timeout=600
    )
    assert not done.returncode, done.stderr[-3000:]
    both = {}
    for path in CHAPTERS:
        old, new = (json.loads(p.read_text("utf-8")) for p in (path, copied / path.name))
        pairs = zip(old["cells"], new["cells"][1:], strict=True)
        both[path.name] = [pair for pair in pairs if pair[0]["cell_type"] == "code"]
    return both


@pytest.mark.parametrize("name", [path.name for path in CHAPTERS])
def test_a_chapter_says_the_same_with_the_browsers_versions(name, executed):
    for saved, ran in executed[name]:
        if "nbval-ignore-output" in saved["metadata"].get("tags", ()):
            continue
        (before, _), (now, complaint) = said(saved), said(ran)
        now[0] = "\n".join(line for line in now[0].split("\n") if not line.startswith(STANDS_IN))
        assert now == before or same_from_old_pillow(saved, before, now), "".join(saved["source"])
        assert not complaint


def test_in_the_browser_a_chapter_says_that_the_sample_stands_in(executed):
    for cells in executed.values():
        assert sum(STANDS_IN in said(ran)[0][0] for _, ran in cells) == 1
