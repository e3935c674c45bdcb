"""Find the pictures of a shelf that are near a query."""

import argparse
import io
import os
import sys
from pathlib import Path

from helpers import Problem
from helpers.commands.terminal import add_hash, add_reading, one_line, reading_of
from helpers.files.atomic import exclusive, write_bytes
from helpers.files.guard import check_output
from helpers.files.places import counted


def _search(arguments: argparse.Namespace) -> None:
    """Find the images that have the query's fingerprint, or one within a radius."""
    from helpers import shelf

    if not os.path.isdir(arguments.dataset):
        raise Problem(f"{arguments.dataset}: no such folder; name the one that was indexed")
    grid = arguments.save_grid
    if grid:
        check_output(grid, "grid", inputs=[arguments.query], folders=[arguments.dataset])
    found = shelf.read(arguments.shelve).find(
        Path(arguments.query), arguments.radius, hash=arguments.hash, **reading_of(arguments)
    )
    print(f"Found {counted(len(found), 'image')}")
    for match in found.itertuples():
        print(f"{match.distance:2}  {one_line(match.path)}")
    absent = [path for path in found["path"] if not os.path.exists(Path(arguments.dataset, path))]
    if absent:
        print(
            f"{len(absent)} of them, as {one_line(absent[0])}, are not in "
            f"{one_line(arguments.dataset)}: they have gone, or it is not the folder "
            "that was indexed",
            file=sys.stderr,
        )
    if grid:
        # matplotlib is slow to import, and only the grid needs it
        from helpers.classroom import plots

        figure = plots.query_grid(arguments.dataset, Path(arguments.query).resolve(), found)
        drawn, format = io.BytesIO(), Path(grid).suffix[1:].lower() or "png"
        mark = {"Software": __name__} if format == "png" else {}
        try:
            plots.save(figure, drawn, format=format, dpi=120, metadata=mark)
        except ValueError as error:
            raise Problem(f"{grid}: {error}; end the name in .png") from error
        with exclusive(grid):  # which clears what a killed run left
            write_bytes(grid, drawn.getvalue())


def add(commands: argparse._SubParsersAction) -> None:
    """Add the command to the command line.

    Parameters
    ----------
    commands : argparse._SubParsersAction
        The commands of ``python -m helpers``.
    """
    command = commands.add_parser("search", help=_search.__doc__, description=_search.__doc__)
    command.set_defaults(run=_search)
    command.add_argument(
        "-d", "--dataset", required=True, metavar="DIR", help="the folder that was indexed"
    )
    command.add_argument("-s", "--shelve", required=True, metavar="FILE", help="the shelf")
    command.add_argument(
        "-q", "--query", required=True, metavar="IMAGE", help="the picture to look for"
    )
    command.add_argument(
        "-r", "--radius", type=int, default=0, metavar="R", help="bits that may differ (0)"
    )
    command.add_argument("--save-grid", metavar="PNG", help="draw the query and its matches")
    add_hash(command, "that of the shelf")
    add_reading(command)
