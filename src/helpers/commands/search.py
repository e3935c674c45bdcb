"""Find the pictures of a shelf that are near a query."""

from __future__ import annotations

import argparse
import io
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from helpers import Problem
from helpers.commands.terminal import add_hash, add_reading, one_line, reading_of
from helpers.files.atomic import exclusive, write_bytes
from helpers.files.guard import check_output
from helpers.files.places import counted

if TYPE_CHECKING:
    from helpers.shelf import Shelf

_ASKED = 200  # of the shelf's fingerprints at most, to know how many others are near


def _search(arguments: argparse.Namespace) -> None:
    """Find the images that have the query's fingerprint, or one within a radius."""
    import pandas as pd

    from helpers import shelf
    from helpers.fingerprints.flat import plain_on_background

    if not os.path.isdir(arguments.dataset):
        raise Problem(f"{arguments.dataset}: no such folder; name the one that was indexed")
    grid = arguments.save_grid
    if grid:
        check_output(grid, "grid", inputs=[arguments.query], folders=[arguments.dataset])
    stored = shelf.read(arguments.shelve)
    queries = _orientations(stored, arguments) if arguments.turned else {"": Path(arguments.query)}
    about = {"hash": arguments.hash, **reading_of(arguments)}
    found = pd.concat(
        stored.find(query, arguments.radius, **about).assign(lies=f"  ({name})" if name else "")
        for name, query in queries.items()
    )
    found = found.sort_values(["distance", "path"], kind="stable").drop_duplicates("path")
    print(f"Found {counted(len(found), 'image')}")
    for match in found.itertuples():
        print(f"{match.distance:2}  {one_line(match.path)}{match.lies}")
    if sentence := plain_on_background("", [arguments.query], stored.recipe):
        print(one_line(sentence))
    if arguments.turned and len(stored):
        print(_cost_of_turning(stored, arguments.radius))
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


def _orientations(stored: Shelf, arguments: argparse.Namespace) -> dict:
    """The query's fingerprints in all orientations, read as the pictures of the shelf were."""
    from helpers.fingerprints.hashes import DHASH
    from helpers.fingerprints.variants import ORIENTATIONS, orientations
    from helpers.images.opening import open_image

    made = stored.recipe
    if other := {made.hash, arguments.hash or DHASH} - {DHASH}:
        raise Problem(
            f"--turned asks by {DHASH} alone, not by {' or '.join(sorted(other))}; leave it out, "
            f"or index by {DHASH}"
        )
    picture = open_image(arguments.query, rules=made.rules, **made.reading)
    return dict(zip(ORIENTATIONS, orientations(picture), strict=True))


def _cost_of_turning(stored: Shelf, radius: int) -> str:
    """What eight orientations cost, from the distances between the shelf's own pictures."""
    from helpers.search.linear import LinearScan

    keys, sizes = list(stored), [len(paths) for paths in stored.values()]
    some = keys[:: -(-len(keys) // _ASKED)]
    found = LinearScan(keys).within_many(some, radius)["row"]
    near = sum(sizes[row] for row in found) - len(some)
    others = (near or 3) / len(some)  # none near: at 95 %, fewer than 3 are to be expected
    return (
        "Asked in 8 orientations: up to 8 times as many false matches; on average "
        f"{'' if near else 'fewer than '}{others:.3g} other images of this shelf (copies, too) lie "
        f"within {counted(radius, 'bit')} of one, so expect up to {8 * others:.3g} a query"
    )


def add(commands: argparse._SubParsersAction) -> None:
    """Add the command to the command line.

    Parameters
    ----------
    commands : argparse._SubParsersAction
        The commands of ``python -m helpers``.
    """
    command = commands.add_parser("search", help=_search.__doc__, description=_search.__doc__)
    command.set_defaults(run=_search)
    option = command.add_argument
    option("-d", "--dataset", required=True, metavar="DIR", help="the folder that was indexed")
    option("-s", "--shelve", required=True, metavar="FILE", help="the shelf")
    option("-q", "--query", required=True, metavar="IMAGE", help="the picture to look for")
    radius = "bits that may differ (0)"
    option("-r", "--radius", type=int, default=0, metavar="R", help=radius)
    option("--save-grid", metavar="PNG", help="draw the query and its matches")
    turned = "ask for turned and mirrored copies too (dhash only)"
    option("--turned", action="store_true", help=turned)
    add_hash(command, "that of the shelf")
    add_reading(command)
