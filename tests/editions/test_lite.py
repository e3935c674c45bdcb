"""The browser edition: what it is made of; its chapters in Chromium, beside their saved outputs."""

import json
import os
import re
import subprocess
import sys
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import course
import numpy as np
import pytest
from browsers import chromium
from built import built
from editions import lite, making

from helpers import Problem

SITE = making.ROOT / "editions" / "lite"
BUILDS, OURS = lite.FILES["pyodide"]["sha256"], lite.FILES["packages"]
built = built("lite")


def cells(notebook, kind):
    return [cell for cell in notebook["cells"] if cell["cell_type"] == kind]


def text(cell):
    return "".join(cell["source"])


# ---- what it is made of


def test_each_file_is_listed_once_with_a_whole_digest():
    files = {one["file_name"]: one["sha256"] for one in OURS.values()}
    assert not BUILDS.keys() & files.keys()
    digests = [*BUILDS.values(), *files.values()]
    assert all(re.fullmatch("[0-9a-f]{64}", digest) for digest in digests)
    assert len(set(digests)) == len(digests) == len(BUILDS) + len(OURS) > 40


def test_wheels_have_the_versions_of_the_environment_that_makes_the_site():
    set_of_versions = (lite.PARTS.parent / "constraints.txt").read_text("utf-8").split()
    for name, one in OURS.items():
        assert f"{name}=={one['version']}" in set_of_versions
        assert one["file_name"].lower().startswith(f"{name}-{one['version']}-")
        assert one["imports"] == [one["name"]] == [name]


def test_what_a_package_needs_is_listed_too():
    builds = {re.split("-[0-9]", file)[0].lower().replace("_", "-") for file in BUILDS}
    needs = {need for one in (lite.FILES["helpers"], *OURS.values()) for need in one["depends"]}
    assert needs <= builds | OURS.keys()
    assert not builds & {"pywavelets", "scikit-image", "pyarrow"}


def test_another_file_of_the_same_name_is_refused(tmp_path):
    with pytest.raises(Problem, match=r"a\.whl: is not the file that lite/files\.toml lists"):
        lite.lay(tmp_path / "a.whl", b"another", OURS["comm"]["sha256"])


def test_builds_that_cannot_be_had_are_one_sentence(tmp_path, monkeypatch):
    for name, value in {"NO_INDEX": "1", "FIND_LINKS": "", "CONFIG_FILE": os.devnull}.items():
        monkeypatch.setenv(f"PIP_{name}", value)
    with pytest.raises(Problem, match=r"^pip download: ERROR: .+; run this .* with a network,"):
        lite.lay_python(tmp_path / "pyodide")


def test_links_of_the_chapters_stay_in_the_site_and_answers_out_of_it(tmp_path):
    lite.lay_chapters(tmp_path)
    laid = {path.relative_to(tmp_path).as_posix(): path for path in tmp_path.rglob("*.ipynb")}
    assert sorted(laid) == sorted(lite.NOTEBOOKS)
    found, resolved = 0, [path.resolve() for path in laid.values()]
    for path in laid.values():
        notebook = json.loads(path.read_text("utf-8"))
        assert not any(cell["outputs"] for cell in cells(notebook, "code"))
        told = "\n".join(map(text, cells(notebook, "markdown")))
        for link in re.findall(r"\]\(([^)#:\s]+)(?:#[^)\s]*)?\)", told):
            assert (path.parent / link).resolve() in resolved, link
            found += 1
    assert found > 20


# ---- in Chromium


#: What Chromium itself asks about fields of any page.
CHROMIUM_ASKS = "content-autofill.googleapis.com:443"


@contextmanager
def no_other_host():
    """A proxy that goes nowhere; its address, and what was asked of it."""
    asked = []

    class Nowhere(BaseHTTPRequestHandler):
        def do_GET(self):
            if self.path != CHROMIUM_ASKS:
                asked.append(self.path)
            self.send_error(502)

        do_CONNECT = do_POST = do_HEAD = do_PUT = do_OPTIONS = do_GET

        def log_message(self, *arguments):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Nowhere)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}", asked
    server.shutdown()


@pytest.fixture(scope="module")
def site():
    """The site in Chromium, at the address that learners open: `page`, addresses, what was asked."""
    served = subprocess.Popen(
        [sys.executable, str(SITE / "serve.py")], stdout=subprocess.PIPE, text=True
    )
    try:
        told = served.stdout.readline() + served.stdout.readline()
        here, *learners = re.findall(r"http://[\d.:]+/", told)
        with chromium() as browser, no_other_host() as (proxy, asked):
            bypass = ",".join(re.findall(r"[\d.]+(?=:\d)", told))
            context = browser.new_context(
                proxy={"server": proxy, "bypass": bypass}, accept_downloads=True
            )
            yield Site(context, here, learners[0] if learners else here, asked)
    finally:
        served.kill()
        served.wait()


class Site:
    def __init__(self, context, here, learners, asked):
        self.context, self.here, self.learners, self.asked = context, here, learners, asked

    def open(self, name, address=None):
        """A tab with a notebook."""
        tab = self.context.new_page()
        tab.goto(f"{address or self.learners}lab/index.html?path={name}")
        # JupyterLab would ask for a kernel if a cell ran before there is one
        tab.wait_for_function("window.jupyterapp?.shell.currentWidget?.sessionContext?.isReady")
        return tab


NOTEBOOK = "jupyterapp.shell.currentWidget"
#: Cells whose numbers come from other pixels, and by how much a number may differ. Pillow 10.2, of
#: which there is a build for browsers, reads and resizes pictures a little differently than 13.0.
OTHER_PIXELS = {
    ("haystack", "first = int(hashlib.md5("): 8,
    ("bits", "small = grey.resize("): 1,
    ("bits", "krawetz = ["): 0.05,
    ("bits", "changed, value = grey.copy()"): 8,
    ("bits", "differences = np.abs("): 1,
    ("bits", "nearer = np.array("): 0.005,
    ("bits", "kept = {"): 0.1,
    ("bits", "results.show("): 0.005,
    ("distances", "both.agg("): 25,
    ("distances", "results.show("): 0.1,
}
#: A page with controls is alive there. Where a program runs the notebook, its picture is shown.
LIVE = "application/vnd.jupyter.widget-view+json"
SAID_ELSEWHERE = re.compile(r".* This is a picture of it; run the cell in JupyterLab to use it\.\n")
SAID_HERE = re.compile(r"CALTECH-101 IS NOT HERE, THE SAMPLE STANDS IN\. A page in a browser .*\n")
NUMBER = re.compile(r"\d+(?:\.\d+)?")


def run(tab, command="notebook:run-all-cells"):
    """Run cells to the end; the notebook."""
    tab.evaluate(
        "command => { window.ran = false;"
        " jupyterapp.commands.execute(command).finally(() => { window.ran = true }) }",
        command,
    )
    tab.wait_for_function("window.ran", timeout=150_000)
    return tab.evaluate(f"{NOTEBOOK}.content.model.toJSON()")


def words(cell):
    """What a cell says in words, by kind; a figure and a table have words, too."""
    found = {}
    for output in cell["outputs"]:
        if output["output_type"] == "error":
            found["error"] = [output["evalue"]]
        elif output["output_type"] == "stream":
            said = SAID_HERE.sub("", SAID_ELSEWHERE.sub("", "".join(output["text"])))
            found.setdefault(output["name"], [""])[0] += said
        elif LIVE not in output["data"]:
            for kind, data in output["data"].items():
                if kind.startswith("text/"):
                    found.setdefault(kind, []).append("".join(data))
    return {kind: found[kind] for kind in sorted(found) if any(found[kind])}


def assert_same(chapter, here, there):
    """That a cell says the same in the browser as elsewhere, but for what is told above."""
    if "nbval-ignore-output" in there["metadata"].get("tags", []):  # it tells the time
        assert words(here).keys() == words(there).keys()
        return
    listed = (
        most
        for at, most in OTHER_PIXELS.items()
        if at[0] == chapter and text(there).startswith(at[1])
    )
    most = next(listed, 0)
    one, other = str(words(here)), str(words(there))
    if most:
        numbers = [list(map(float, NUMBER.findall(said))) for said in (one, other)]
        one, other = (re.sub(r"\s+|-+", " ", NUMBER.sub("#", said)) for said in (one, other))
        assert np.allclose(*numbers, rtol=0, atol=most)
    assert one == other, text(there)


def use_the_microscope(tab):
    """Cut the sides off, and take a picture of one's own, as a learner does."""
    every = tab.evaluate(f"{NOTEBOOK}.content.model.toJSON()")["cells"]
    at = next(n for n, cell in enumerate(every) if "lens.microscope(" in text(cell))
    tab.evaluate(f"n => {NOTEBOOK}.content.scrollToItem(n)", at)
    told = tab.get_by_role("status")
    told.filter(has_text="3 of 64 bits differ").wait_for()
    tab.get_by_label("Cut off each side, %").focus()
    for keys in ("ControlOrMeta+a", "2", "0", "Tab"):
        tab.keyboard.press(keys)
    told.filter(has_text=re.compile(r"\d\d of 64 bits differ")).wait_for()
    with tab.expect_file_chooser() as chooser:
        tab.get_by_role("button", name="Upload a picture").press("Space")
    chooser.value.set_files(course.HERE / "readme.png")
    told.filter(has_text="readme.png: ").wait_for()


@built
@pytest.mark.parametrize("chapter", lite.CHAPTERS, ids=lambda chapter: chapter.id)
def test_a_chapter_gives_in_the_browser_what_it_gives_elsewhere(site, chapter):
    tab = site.open(chapter.file)
    here = cells(run(tab), "code")
    if chapter.id == "bits":
        use_the_microscope(tab)
    tab.close()
    there = cells(json.loads((course.HERE / chapter.file).read_text("utf-8")), "code")
    here = [cell for cell in here if text(cell)]  # an empty one follows the last one
    assert list(map(text, here)) == list(map(text, there))
    for one, other in zip(here, there, strict=True):
        assert_same(chapter.id, one, other)
    assert site.asked == []


@built
@pytest.mark.parametrize(
    "name", [lite.LESSON["file"], lite.BESIDE[0], lite.BESIDE[2]], ids=lambda name: Path(name).stem
)
def test_the_lesson_and_the_pages_beside_the_chapters_run_without_an_error(site, name):
    tab = site.open(name)
    ran = cells(run(tab), "code")
    tab.close()
    assert not [words(cell) for cell in ran if "error" in words(cell)]
    assert all(cell["execution_count"] for cell in ran if text(cell))
    assert site.asked == []


@built
def test_an_exercise_is_answered_saved_and_downloaded(site):
    chapter = next(chapter for chapter in lite.CHAPTERS if chapter.id == "bits")
    solutions = json.loads(course.solutions_of(chapter).read_text("utf-8"))
    answer = next(text(cell) for cell in cells(solutions, "code") if "checks." in text(cell))
    check = re.search(r"^checks\.\w+\(.+", answer, re.MULTILINE)[0]
    tab = site.open(chapter.file, site.here)
    model = f"{NOTEBOOK}.content.model"
    every = tab.evaluate(f"{model}.toJSON()")["cells"]
    first = next(n for n, cell in enumerate(every) if cell["cell_type"] == "code")
    asked = next(n for n, cell in enumerate(every) if check in text(cell))
    for number in (first, asked):
        tab.evaluate(f"n => {NOTEBOOK}.content.activeCellIndex = n", number)
        ran = run(tab, "notebook:run-cell")
    assert "To do" in str(words(ran["cells"][asked]))
    tab.evaluate(
        f"([n, told]) => {model}.cells.get(n).sharedModel.setSource(told)", [asked, answer]
    )
    ran = run(tab, "notebook:run-cell")
    assert "Right" in str(words(ran["cells"][asked]))
    tab.evaluate("jupyterapp.commands.execute('docmanager:save')")
    with tab.expect_download() as download:
        tab.evaluate("jupyterapp.commands.execute('docmanager:download')")
    saved = json.loads(download.value.path().read_text("utf-8"))
    assert text(saved["cells"][asked]) == answer
    tab.close()
    tab = site.open(chapter.file, site.here)
    assert text(tab.evaluate(f"{model}.toJSON()")["cells"][asked]) == answer
    tab.close()
    assert site.asked == []


@built
def test_the_first_page_leads_to_what_there_is_and_from_a_disk_says_what_it_needs(site):
    tab = site.context.new_page()
    tab.goto(site.learners)
    tab.get_by_text("nothing is installed").wait_for()
    links = tab.locator("a:visible")
    paths = [
        links.nth(n).get_attribute("href").partition("?path=")[2] for n in range(links.count())
    ]
    assert sorted(paths) == sorted(lite.NOTEBOOKS)
    assert not tab.get_by_text("python serve.py").is_visible()
    tab.goto((SITE / "index.html").as_uri())
    tab.get_by_text("python serve.py").wait_for()
    assert links.count() == 0
    tab.close()
