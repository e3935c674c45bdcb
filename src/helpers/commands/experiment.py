"""Find out which fingerprint survives what, on your own pictures."""

from __future__ import annotations

import argparse


def _run(arguments: argparse.Namespace) -> None:
    """Measure every hash x change x strength on the pictures of a folder.

    It first says what it will cost. If it is stopped, the same command goes on where it was.
    """
    from helpers.experiments import runs

    hashes = arguments.hashes and [name.strip() for name in arguments.hashes.split(",")]
    runs.run(
        arguments.folder,
        arguments.out,
        hashes=hashes,
        **{
            name: getattr(arguments, name)
            for name in ("changes", "queries", "seed", "side", "quick", "workers")
        },
    )


def _add_run(action: argparse.ArgumentParser) -> None:
    action.set_defaults(if_stopped="what is finished of the run is kept")
    action.add_argument("folder", metavar="FOLDER", help="the pictures, or a dataset's name")
    action.add_argument("--out", required=True, metavar="RUN", help="the run's folder, a new one")
    action.add_argument("--hashes", metavar="A,B", help="names of hashes (all); a wrong one lists")
    action.add_argument("--changes", metavar="TOML", help='lines as  jpeg = ["quality 75"]  (all)')
    for name, number, what in (
        ("queries", 400, "pictures that are changed (400)"),
        ("seed", 2014, "for what is drawn (2014)"),
        ("side", None, "reduce larger pictures to so many pixels first"),
        ("workers", None, "processes (all processors)"),
    ):
        action.add_argument(f"--{name}", type=int, default=number, metavar="N", help=what)
    action.add_argument("--quick", action="store_true", help="a first table within a minute")


#: What `experiment` does: the function that runs, and the one that adds its arguments.
_ACTIONS = ((_run, _add_run),)


def add(commands: argparse._SubParsersAction) -> None:
    """Add the command to the command line.

    Parameters
    ----------
    commands : argparse._SubParsersAction
        The commands of ``python -m helpers``.
    """
    summary = "Find out which fingerprint survives what, on your own pictures."
    experiment = commands.add_parser("experiment", help=summary, description=summary)
    actions = experiment.add_subparsers(dest="action", required=True)
    for run, add_arguments in _ACTIONS:
        name, first_line = run.__name__.removeprefix("_"), run.__doc__.splitlines()[0]
        action = actions.add_parser(name, help=first_line, description=run.__doc__)
        action.set_defaults(run=run)
        add_arguments(action)
