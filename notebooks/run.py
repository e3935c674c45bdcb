"""Run the chapters, in order, each in a fresh kernel.

``python notebooks/run.py`` leaves a page for each in ``pages/``, and an index; ``--save`` runs them on the sample and saves
them in place, normalised, so that a change of the code shows as a small difference. ``--check`` fails if the numbers
of a run on CALTECH-101 are not those that the kit keeps, and ``--keep`` keeps them.
"""

import argparse
import base64
import html
import os
import re
import sys
import time
from pathlib import Path

import nbformat
from bs4 import BeautifulSoup
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError
from nbconvert import HTMLExporter

from helpers import Problem, datasets
from helpers.files import places
from helpers.classroom import results
from helpers.files.atomic import write_text

HERE = Path(__file__).resolve().parent
PAGES = HERE.parent / "pages"


def chapters() -> list[Path]:
    """The chapters in order, then their solutions."""
    return [*sorted(HERE.glob("[0-9]*.ipynb")), *sorted((HERE / "solutions").glob("[0-9]*.ipynb"))]


def execute(path: Path) -> tuple[nbformat.NotebookNode, str]:
    """Run one notebook from its first cell; the notebook with its outputs, and what went wrong or ''."""
    notebook = nbformat.read(path, as_version=4)
    client = NotebookClient(
        notebook,
        timeout=1200,
        kernel_name="python3",
        resources={"metadata": {"path": str(path.parent)}},
        extra_arguments=[
            "--log-level=ERROR"
        ],  # warnings about its sockets do not concern the reader
    )
    try:
        client.execute()
    except CellExecutionError as error:
        return notebook, re.sub(r"\x1b\[[0-9;]*m", "", str(error)).strip().splitlines()[-1]
    except (CellTimeoutError, DeadKernelError) as error:
        return notebook, str(error).strip().splitlines()[0]
    return notebook, ""


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
    """One HTML page; links between notebooks become links between pages."""
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            cell.source = re.sub(r"\.ipynb(#[\w-]+)?\)", r".html\1)", cell.source)
    exporter = HTMLExporter(theme="light", log_level="ERROR")
    body, _ = exporter.from_notebook_node(notebook, {"metadata": {"name": title(notebook)}})
    soup = BeautifulSoup(body, "html.parser")
    for description in soup.select("p.figure-description"):  # see helpers.classroom.plots.show
        description.find_previous("img")["alt"] = description.text
        description.decompose()
    page.parent.mkdir(parents=True, exist_ok=True)
    page.write_text(str(soup), encoding="utf-8")


def write_index(dataset: datasets.Dataset, rows: list[tuple[str, str, float, str]]) -> None:
    """The page that leads to the others."""
    items = "\n".join(
        f'<li><a href="{html.escape(page)}">{html.escape(name)}</a> <small>{seconds:.0f} s{" &ndash; " if error else ""}'
        f"{html.escape(error)}</small></li>"
        for page, name, seconds, error in rows
    )
    credit = html.escape(dataset.credit).replace("\n", "<br>")
    (PAGES / "index.html").write_text(
        '<!doctype html><html lang="en"><meta charset="utf-8"><title>Fingerprinting images</title>'
        "<style>body{font:18px/1.6 sans-serif;max-width:42em;margin:3em auto;padding:0 1em}small{color:#555}</style>"
        f"<h1>Fingerprinting images</h1><p>Run on {html.escape(str(dataset))}</p><ul>\n{items}\n</ul>"
        f"<p><small>{credit}</small></p></html>\n",
        encoding="utf-8",
    )


def main() -> int:
    """0 if every chapter ran (and, with --check, gave the numbers that are kept)."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--save", action="store_true", help="run on the sample and save the notebooks in place"
    )
    parser.add_argument(
        "--check",
        action="store_true",
        help="fail if the numbers are not those kept for CALTECH-101",
    )
    parser.add_argument(
        "--keep",
        action="store_true",
        help="keep the numbers of this run on CALTECH-101 from now on",
    )
    arguments = parser.parse_args()

    try:
        dataset = datasets.load(
            "sample" if arguments.save else os.environ.get("DATASET") or "caltech-101"
        )
    except Problem as problem:
        print(problem, file=sys.stderr)
        return 2
    os.environ["DATASET"] = (
        dataset.name if dataset.name in ("sample", "caltech-101") else str(dataset.root.resolve())
    )
    os.environ["FINGERPRINTS_DATA"] = str(places.data_folder().resolve())
    os.environ["TQDM_DISABLE"] = "1"  # bars belong on a terminal, not on a page
    PAGES.mkdir(exist_ok=True)
    numbers = PAGES / "numbers.jsonl"
    numbers.write_text("", encoding="utf-8")
    os.environ[results.RESULTS_FILE] = str(numbers)

    rows, paths = [], chapters()
    for count, path in enumerate(paths, start=1):
        name = path.relative_to(HERE).with_suffix("").as_posix()
        print(f"[{count}/{len(paths)}] {name} ...", end=" ", flush=True)
        start = time.perf_counter()
        notebook, error = execute(path)
        seconds = time.perf_counter() - start
        print(f"{seconds:.0f} s" + (f"  FAILED: {error}" if error else ""))
        rows.append((f"{name}.html", title(notebook), seconds, error))
        if arguments.save and not error:
            write_text(path, nbformat.writes(normalise(notebook)) + "\n")
            save_readme_picture(notebook)
        write_page(notebook, PAGES / f"{name}.html")
    write_index(dataset, rows)
    print(f"{dataset} Open {PAGES / 'index.html'} in a browser.")

    failed = any(error for *_, error in rows)
    if dataset.name == "caltech-101":
        if arguments.keep and not failed:
            results.keep(numbers)
        differing = results.differences(numbers)
        print(
            "\n".join(["Numbers that differ from those kept for CALTECH-101:", *differing])
            if differing
            else "All numbers agree with those kept for CALTECH-101."
        )
        failed |= arguments.check and bool(differing)
    elif arguments.check:
        print("Nothing to compare: CALTECH-101 is not here.")
        failed = True
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
