"""Run the chapters in order, each in a fresh kernel, or open a copy of them in JupyterLab.

Without an option, each chapter becomes a page in pages/, and pages/index.html leads to them.
"""

import argparse
import base64
import html
import os
import re
import sys
import time
from importlib import import_module
from pathlib import Path

import nbformat
from bs4 import BeautifulSoup
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError
from nbconvert import HTMLExporter

import course
from editions import contents, copies
from helpers import Problem, datasets
from helpers.classroom import plots, results
from helpers.explore import page
from helpers.files import places
from helpers.files.atomic import write_text
from helpers.images.folders import check_folder

HERE = Path(__file__).resolve().parent
PAGES = HERE.parent / "pages"
#: What JupyterLab does unless its user has chosen otherwise: it asks nobody about news.
LAB_DEFAULTS = HERE / "jupyterlab"
INDEX_STYLE = (
    "body{font:18px/1.6 sans-serif;max-width:42em;margin:3em auto;padding:0 1em}small{color:#555}"
)
#: What ends a chapter early, and is no failure. The second is `helpers.cluster.engine.NotInstalled`,
#: which cannot be imported where it is raised.
ENDS = datasets.TooFew.__name__, "NotInstalled"
#: On paper: no room for prompts and links; a cell that only draws (tag ``draws``) is its figure.
PRINT_STYLE = """@page { size: A4; margin: 12mm }
@media print {
  nav, .jp-InputPrompt, .jp-OutputPrompt, .celltag_draws .jp-Cell-inputWrapper { display: none }
  body.jp-Notebook, body .jp-Cell, body .jp-RenderedHTMLCommon { margin: 0; padding: 0 }
  body .jp-RenderedHTMLCommon { font-size: 11px; line-height: 1.35 }
  body .jp-RenderedHTMLCommon table { font-size: 11px; margin: 4px 0 8px }
  body .jp-RenderedHTMLCommon :is(td, th) { padding: 2px 8px 2px 4px; text-align: left }
  body .jp-RenderedHTMLCommon h1 { font-size: 22px; margin: 0 0 8px }
  body .jp-RenderedHTMLCommon h2 { font-size: 16px; margin: 12px 0 4px }
  body .jp-Cell pre { font-size: 11px !important; white-space: pre-wrap }
  p { margin: 0 0 6px } img { break-inside: avoid; max-width: 100% }
}"""


def chapters() -> list[Path]:
    """All notebooks, in the order in which they are run."""
    return course.notebooks()


def execute(path: Path) -> tuple[nbformat.NotebookNode, str]:
    """Run one notebook; return it with its outputs, and what went wrong or ''.

    It is not wrong that a chapter lacks pictures or an extra: see `ended_early`.
    """
    # what a chapter that stops early does not reach must not show what the sample gave
    notebook = contents.without_outputs(nbformat.read(path, as_version=4))
    client = NotebookClient(
        notebook,
        timeout=1200,
        kernel_name="python3",
        resources={"metadata": {"path": str(path.parent)}},
        # a kernel's warnings about its sockets do not concern the reader
        extra_arguments=["--log-level=ERROR"],
    )
    try:
        client.execute()
    except CellExecutionError as error:
        if ended_early(notebook):
            return notebook, ""
        return notebook, re.sub(r"\x1b\[[0-9;]*m", "", str(error)).strip().splitlines()[-1]
    except (CellTimeoutError, DeadKernelError) as error:
        return notebook, str(error).strip().splitlines()[0]
    return notebook, ""


def ended_early(notebook: nbformat.NotebookNode) -> str:
    """The sentence with which a chapter ended, for want of pictures or of an extra, or ''."""
    outputs = (output for cell in notebook.cells for output in cell.get("outputs", []))
    return next((o.evalue for o in outputs if o.get("ename") in ENDS), "")


def join_streams(outputs: list[nbformat.NotebookNode]) -> list[nbformat.NotebookNode]:
    """What a cell prints arrives in one piece or in several, as it happens."""
    joined = []
    for output in outputs:
        if output.output_type == "stream" and joined and joined[-1].get("name") == output.name:
            joined[-1].text += output.text
        else:
            joined.append(output)
    return joined


def normalise(notebook: nbformat.NotebookNode) -> nbformat.NotebookNode:
    """Drop what differs from run to run and from machine to machine."""
    notebook.metadata = {
        "kernelspec": {
            "display_name": "Python 3 (ipykernel)",
            "language": "python",
            "name": "python3",
        },
        "language_info": {"name": "python"},
    }
    for cell in notebook.cells:
        cell.metadata.pop("execution", None)
        cell.metadata.pop("collapsed", None)
        if cell.cell_type == "code":
            cell.outputs = join_streams(cell.outputs)
    for number, cell in enumerate(notebook.cells):
        cell.id = f"cell-{number:02}"
    return notebook


def save_readme_picture(notebook: nbformat.NotebookNode) -> None:
    """The figure of the cell with the tag ``readme-picture`` is the one that the README shows."""
    for cell in notebook.cells:
        if "readme-picture" in cell.metadata.get("tags", []):
            picture = next(
                o.data["image/png"] for o in cell.outputs if "image/png" in o.get("data", {})
            )
            (HERE / "readme.png").write_bytes(base64.b64decode(picture))


def title(notebook: nbformat.NotebookNode) -> str:
    """The first heading."""
    return notebook.cells[0].source.splitlines()[0].lstrip("# ")


def write_page(notebook: nbformat.NotebookNode, page: Path) -> None:
    """One HTML page; links between notebooks become links between pages, and one to the index."""
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            cell.source = re.sub(r"\.ipynb(#[\w-]+)?\)", r".html\1)", cell.source)
    exporter = HTMLExporter(theme="light")
    body, _ = exporter.from_notebook_node(notebook, {"metadata": {"name": title(notebook)}})
    soup = BeautifulSoup(body, "html.parser")
    plots.describe_figures(soup)
    if page.is_relative_to(PAGES):
        above = "../" * len(page.relative_to(PAGES).parent.parts)
        link = f'<nav><a href="{above}index.html">All chapters</a></nav>'
        soup.body.insert(0, BeautifulSoup(link, "html.parser"))
    soup.head.append(BeautifulSoup(f"<style>{PRINT_STYLE}</style>", "html.parser"))
    page.parent.mkdir(parents=True, exist_ok=True)
    page.write_text(str(soup), encoding="utf-8")


def write_index(dataset: datasets.Dataset, ran: dict[Path, tuple[float, str]]) -> None:
    """The page that leads to the others: the chapters by parts, then the solutions."""

    def item(path: Path, name: str, about: str) -> str:
        page, (seconds, told) = path.relative_to(HERE).with_suffix(".html").as_posix(), ran[path]
        ran_for = html.escape(f"ran for {seconds:.0f} s{': ' if told else ''}{told}")
        link = f'<a href="{html.escape(page)}">{html.escape(name)}</a>'
        return f"<li>{link}{about} <small>{ran_for}</small></li>"

    parts, chapters = [], course.chapters()
    for part, found in course.by_part(chapters):
        items = [
            item(
                HERE / chapter.file,
                chapter.name,
                f": {html.escape(chapter.you_will.replace('`', ''))} ({chapter.minutes} minutes)",
            )
            for chapter in found
        ]
        parts.append((part, items))
    to_look_up = [item(HERE / p.file, p.title, f": {html.escape(p.about)}") for p in course.pages()]
    parts.append((course.LOOK_UP, to_look_up))
    solved = [chapter for chapter in chapters if chapter.solutions]
    parts.append(("Solutions", [item(course.solutions_of(c), c.name, "") for c in solved]))
    body = "\n".join(
        f"<h2>{html.escape(part)}</h2>\n<ul>\n{chr(10).join(items)}\n</ul>" for part, items in parts
    )
    credit = html.escape(dataset.credit).replace("\n", "<br>")
    (PAGES / "index.html").write_text(
        '<!doctype html><html lang="en"><meta charset="utf-8"><title>Fingerprinting images</title>'
        f"<style>{INDEX_STYLE}</style><h1>Fingerprinting images</h1>"
        f"<p>Run on {html.escape(str(dataset))}</p>\n{body}\n<p><small>{credit}</small></p></html>\n",
        encoding="utf-8",
    )


def lab_options(dataset: str, folder: Path) -> tuple[dict[str, str], list[str]]:
    """The environment of JupyterLab and its kernels, and how it is started on a folder."""
    if dataset not in datasets.DATASETS:
        check_folder(dataset)
        dataset = str(Path(dataset).absolute())
    # kernels run elsewhere, so paths are whole
    settings = {"DATASET": dataset, "FINGERPRINTS_DATA": str(places.data_folder().absolute())}
    if os.path.isfile(mirror := os.environ.get("CALTECH_101_MIRROR", "")):
        settings["CALTECH_101_MIRROR"] = str(Path(mirror).absolute())
    config = filter(None, [str(LAB_DEFAULTS), os.environ.get("JUPYTER_CONFIG_PATH")])
    settings["JUPYTER_CONFIG_PATH"] = os.pathsep.join(config)
    # Jupyter drops larger uploads without an error; a photograph may have more than its 10 MB
    uploads = {"websocket_max_message_size": page.LAB_UPLOAD_MEGABYTES * 2**20}
    first, alone = course.chapters()[0].file, course.lesson()["file"]
    opened = alone if (folder / alone).exists() and not (folder / first).exists() else first
    return settings, [
        f"--notebook-dir={folder}",
        f"--LabApp.default_url=/lab/tree/{opened}",
        f"--ServerApp.tornado_settings={uploads}",
    ]


def open_lab(dataset: str, edition: str) -> None:
    """Start JupyterLab on the first notebook of an edition, and wait until it is stopped."""
    from jupyterlab import labapp  # takes a second

    folder = copies.make(edition)
    settings, options = lab_options(dataset, folder)
    os.environ |= settings
    told = f"JupyterLab opens {folder}, where what you change is kept, on {settings['DATASET']}."
    print(places.one_line(told))
    labapp.main(options)


def write_lesson(place: Path) -> Path:
    """The page of the lesson of 45 minutes, to print: with outputs, so not for learners' folder."""
    [(name, text)] = contents.short(with_outputs=True).items()
    written = (place / name).with_suffix(".html")
    write_page(nbformat.reads(text, as_version=4), written)
    return written


def make_edition(name: str) -> None:
    """Make an edition, and say what it is, how large, and how long that took."""
    start = time.perf_counter()
    if name in copies.EDITIONS:
        made = [copies.make(name)]
        if name == "short":
            made.append(write_lesson(copies.PLACE))
    else:
        try:
            made = import_module(f"editions.{name}").make()
        except ImportError as error:
            wanted = 'pip install -c notebooks/editions/constraints.txt -e ".[notebooks,editions]"'
            raise Problem(f"{name}: {error}; run make {name}, or {wanted}") from error
    seconds = time.perf_counter() - start
    for path in made:
        files = [path] if path.is_file() else [p for p in path.rglob("*") if p.is_file()]
        megabytes = sum(file.stat().st_size for file in files) / 1e6
        print(places.one_line(f"{path}: {megabytes:.1f} MB, made in {seconds:.0f} s."))


def run_all(dataset: datasets.Dataset, paths: list[Path], *, save: bool) -> bool:
    """Run the notebooks and write their pages; whether none failed."""
    ran, good = {}, True
    for count, path in enumerate(paths, start=1):
        name = path.relative_to(HERE).with_suffix("").as_posix()
        print(f"[{count}/{len(paths)}] {name} ...", end=" ", flush=True)
        start = time.perf_counter()
        notebook, error = execute(path)
        seconds = time.perf_counter() - start
        told = f"FAILED: {error}" if error else ended_early(notebook)
        print(f"{seconds:.0f} s  {told}".rstrip())
        ran[path], good = (seconds, told), good and not error
        if save and not told:
            write_text(path, nbformat.writes(normalise(notebook)) + "\n")
            save_readme_picture(notebook)
        write_page(notebook, PAGES / f"{name}.html")
    first = paths[0].relative_to(HERE).with_suffix("")
    if len(ran) == len(chapters()):
        write_index(dataset, ran)
        first = "index"
    print(places.one_line(f"{dataset} Open {PAGES / first}.html in a browser."))
    return good


def agrees_with_kept(numbers: Path, *, keep: bool) -> bool:
    """Whether a run on CALTECH-101 gave the numbers that are kept, or was told to keep its own."""
    if keep:
        results.keep(numbers)
    differing = results.differences(numbers)
    if differing:
        print("Numbers that differ from those kept for CALTECH-101:", *differing, sep="\n")
    else:
        print("All numbers agree with those kept for CALTECH-101.")
    return not differing


def put_links_in_place() -> None:
    """Write the tables and links of ``course.toml``, and say where."""
    changed = course.put_in_place()
    names = ", ".join(path.name for path in changed)
    print(f"Brought into step with course.toml: {names or 'all were in step'}.")


def parser() -> argparse.ArgumentParser:
    """The options, none of which needs another."""
    parser = argparse.ArgumentParser(description=__doc__)
    add = parser.add_argument
    add(
        "beginnings",
        nargs="*",
        help='how the files of chapters begin, as in "05 more/trees"; without it, all are run',
    )
    add(
        "--dataset",
        default=os.environ.get("DATASET"),
        help=f"{', '.join(datasets.DATASETS)} or a folder; without it, what the variable DATASET says; "
        "else caltech-101, and for the lesson of 45 minutes sample",
    )
    add(
        "--lab",
        action="store_true",
        help="open the learner's copy in JupyterLab, or that of --edition",
    )
    add("--again", metavar="02", help="put the original of a chapter back into the learner's copy")
    names = (*copies.EDITIONS, "book", "lite", "bundle")
    add("--edition", choices=names, help="only make this edition, in editions/")
    add("--save", action="store_true", help="run on the sample; save the notebooks in place")
    add("--links", action="store_true", help="only write the tables and links of course.toml")
    add("--check", action="store_true", help="fail if the numbers are not those of CALTECH-101")
    add("--keep", action="store_true", help="keep this run's numbers for CALTECH-101")
    return parser


def main(words: list[str] | None = None) -> int:
    """0 if every chapter ran (and, of all, with --check, gave the numbers that are kept)."""
    arguments = parser().parse_args(words)
    # a room that opens the lesson is not to fetch 137 MB a machine
    chosen = arguments.dataset or ("sample" if arguments.edition == "short" else "caltech-101")
    try:
        if arguments.beginnings and (arguments.check or arguments.keep):
            option = "--check" if arguments.check else "--keep"
            raise Problem(f"{option}: needs the numbers of all chapters; name none")
        if arguments.links or arguments.save:
            put_links_in_place()
        if arguments.again:
            copies.again(arguments.again)
        if arguments.edition:
            make_edition(arguments.edition)
        if arguments.lab:
            open_lab(
                chosen, arguments.edition if arguments.edition in copies.EDITIONS else "learner"
            )
        if arguments.links or arguments.again or arguments.edition or arguments.lab:
            return 0
        paths = course.notebooks_of(arguments.beginnings)
        dataset = datasets.load("sample" if arguments.save else chosen)
    except Problem as problem:
        print(places.one_line(str(problem)), file=sys.stderr)
        return 2
    is_own = dataset.name not in datasets.DATASETS
    os.environ["DATASET"] = str(dataset.root.resolve()) if is_own else dataset.name
    os.environ["FINGERPRINTS_DATA"] = str(places.data_folder().resolve())
    os.environ["TQDM_DISABLE"] = "1"  # bars belong on a terminal, not on a page
    PAGES.mkdir(exist_ok=True)
    numbers = PAGES / "numbers.jsonl"
    numbers.write_text("", encoding="utf-8")
    os.environ[results.RESULTS_FILE] = str(numbers)

    good = run_all(dataset, paths, save=arguments.save)
    if len(paths) < len(chapters()):
        return int(not good)
    if dataset.name == "caltech-101":
        agrees = agrees_with_kept(numbers, keep=arguments.keep and good)
        good &= agrees or not arguments.check
    elif arguments.check:
        print("Nothing to compare: CALTECH-101 is not here.")
        good = False
    return int(not good)


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit("\nStopped; run it again to go on.")
