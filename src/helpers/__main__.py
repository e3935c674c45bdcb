"""The command line, for those who come from the article: ``python -m helpers gather | index | search``."""

import argparse
import os
import sys
from contextlib import suppress
from pathlib import Path

from helpers import Problem, near_duplicates, shelf
from helpers.atomic import write_problem
from helpers.images import READING, find_images


def gather(arguments: argparse.Namespace) -> None:
    """Copy a dataset and hide resized copies of some of its images in it."""
    images = find_images(arguments.input)
    if arguments.article:
        try:
            needles = near_duplicates.article_needles(images, others=False)
        except Problem as problem:
            raise Problem(f"{arguments.input}: {problem}") from problem
    else:
        needles = near_duplicates.random_needles(images, arguments.needles, seed=arguments.seed)
    truth = near_duplicates.gather(
        arguments.input,
        arguments.output,
        needles,
        seed=arguments.seed,
        factors=tuple(arguments.factors),
        format=arguments.format,
        quality=arguments.quality,
        replace=arguments.replace,
        images=images,
    )
    near_duplicates.write_truth(arguments.csv, truth)
    copied = len(find_images(arguments.output)) - len(truth)
    needles = truth["needle"].nunique()
    print(f"{arguments.output} holds {copied} images and {len(truth)} copies of {needles} of them.")
    print(f"The truth is in {arguments.csv}.")


def index(arguments: argparse.Namespace) -> None:
    """Fingerprint a folder of images and keep the fingerprints on a shelf."""
    table = shelf.build(
        arguments.shelve, arguments.dataset, replace=arguments.replace, **_reading(arguments)
    )
    problems = table[table["problem"] != ""]
    for row in problems.itertuples():
        print(f"Left out: {row.path}: {row.problem}")
    made = shelf.read(arguments.shelve)
    listed = sum(len(names) for names in made.values())
    print(
        f"Read {len(table) - len(problems)} images; {arguments.shelve} lists {listed} under {len(made)} fingerprints."
    )


def search(arguments: argparse.Namespace) -> None:
    """Find the images that have the query's fingerprint, or one within a radius."""
    if not Path(arguments.dataset).is_dir():
        raise Problem(f"{arguments.dataset}: no such folder; name the one that was indexed")
    found = shelf.read(arguments.shelve).find(
        Path(arguments.query), arguments.radius, **_reading(arguments)
    )
    print(f"Found {len(found)} images")
    for match in found.itertuples():
        print(f"{match.distance:2}  {match.path}")
    absent = [path for path in found["path"] if not Path(arguments.dataset, path).exists()]
    if absent:
        print(
            f"{len(absent)} of them, as {absent[0]}, are not in {arguments.dataset}: they have gone, or it is not "
            "the folder that was indexed",
            file=sys.stderr,
        )
    if arguments.save_grid:
        from helpers import plots  # matplotlib is slow to import, and only the grid needs it

        figure = plots.query_grid(arguments.dataset, Path(arguments.query).resolve(), found)
        try:
            plots.save(figure, arguments.save_grid, dpi=120)
        except OSError as error:
            raise write_problem(arguments.save_grid, error) from error
        except ValueError as error:
            raise Problem(f"{arguments.save_grid}: {error}; end the name in .png") from error


def _reading(arguments: argparse.Namespace) -> dict:
    return {
        name: getattr(arguments, name) for name in READING if getattr(arguments, name) is not None
    }


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m helpers", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)

    command = commands.add_parser("gather", help=gather.__doc__, description=gather.__doc__)
    command.set_defaults(run=gather)
    command.add_argument(
        "-i", "--input", required=True, metavar="DIR", help="the dataset; nothing in it is changed"
    )
    command.add_argument(
        "-o", "--output", required=True, metavar="DIR", help="the haystack, a new folder"
    )
    command.add_argument(
        "-c", "--csv", required=True, metavar="FILE", help="where the truth about the copies goes"
    )
    command.add_argument(
        "--seed", type=int, default=0, metavar="N", help="same seed, same copies (0)"
    )
    command.add_argument(
        "--article", action="store_true", help="the article's 17 needles with its numbers of copies"
    )
    command.add_argument(
        "--needles", type=int, default=17, metavar="N", help="how many images to copy (17)"
    )
    command.add_argument(
        "--factors",
        type=float,
        nargs=2,
        default=(0.95, 1.05),
        metavar=("LOW", "HIGH"),
        help="resize by (0.95 1.05)",
    )
    command.add_argument(
        "--format", choices=near_duplicates.FORMATS, default="jpeg", help="of the copies (jpeg)"
    )
    command.add_argument(
        "--quality", type=int, default=75, metavar="Q", help="JPEG quality of the copies (75)"
    )
    command.add_argument(
        "--replace", action="store_true", help="start anew, whatever haystack is there"
    )

    command = commands.add_parser("index", help=index.__doc__, description=index.__doc__)
    command.set_defaults(run=index)
    command.add_argument(
        "-d", "--dataset", required=True, metavar="DIR", help="the folder of images"
    )
    command.add_argument(
        "-s",
        "--shelve",
        required=True,
        metavar="FILE",
        help="the shelf, made or brought up to date",
    )
    command.add_argument(
        "--replace", action="store_true", help="start anew, whatever shelf is there"
    )
    _add_reading(command)

    command = commands.add_parser("search", help=search.__doc__, description=search.__doc__)
    command.set_defaults(run=search)
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
    _add_reading(command)
    return parser


def _add_reading(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--fast",
        action="store_const",
        const=True,
        help="let the JPEG decoder shrink large photographs",
    )
    command.add_argument(
        "--no-rotate",
        dest="rotate",
        action="store_const",
        const=False,
        help="ignore the EXIF orientation",
    )
    command.add_argument(
        "--background", metavar="COLOUR", help="what shows through transparency (white)"
    )


def main(arguments: list[str] | None = None) -> int:
    """Run one command; 0 when it ran, 2 with one sentence on bad input."""
    with suppress(AttributeError):  # in a notebook
        # A file name may hold letters that the terminal cannot show.
        sys.stdout.reconfigure(errors="backslashreplace")
    parsed = _parser().parse_args(arguments)
    try:
        parsed.run(parsed)
    except Problem as problem:
        print(problem, file=sys.stderr)
        return 2
    except BrokenPipeError:  # whoever reads our output has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except KeyboardInterrupt:
        print("Stopped; nothing half-finished was left. Run it again to go on.", file=sys.stderr)
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
