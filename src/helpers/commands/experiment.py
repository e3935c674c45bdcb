"""Find out which fingerprint survives what, on your own pictures."""

from __future__ import annotations

import argparse

from helpers import Problem
from helpers.commands.terminal import add_hash, one_line
from helpers.files.places import counted


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


def _judge(arguments: argparse.Namespace) -> None:
    """Let a person say which near pairs of a run show the same picture.

    It writes a page with the pairs, which downloads what was decided. With --decisions it adds
    that to the run, and counts the rates anew.
    """
    from helpers.experiments import judging, runs

    run = runs.read(arguments.place)
    given = {name: getattr(arguments, name) for name in ("hash", "pairs", "pictures", "no_names")}
    if not arguments.decisions:
        if arguments.judge:
            raise Problem("--judge: goes with --decisions; on the page, people type their name")
        drawn = judging.write_page(
            run,
            arguments.hash,
            pairs=200 if arguments.pairs is None else arguments.pairs,
            pictures=arguments.pictures,
            names=not arguments.no_names,
        )
        page = one_line(str(run.folder / "judge.html"))
        hash, nearest, farthest = drawn["hash"][0], drawn["distance"].min(), drawn["distance"].max()
        print(
            f"{counted(len(drawn), 'pair')}, {nearest} to {farthest} bits apart by {hash}: open "
            f"{page}, decide, download, and come back with --decisions FILE."
        )
        return
    for name, value in given.items():
        if value not in (None, False):
            raise Problem(f"--{name.replace('_', '-')}: has no meaning beside --decisions")
    before = {hash: judging.rate_in_force(run, hash) for hash in run.about["hashes"]}
    judged = judging.take(run, arguments.decisions, arguments.judge)
    for sentence in judging.describe(judged):
        print(one_line(sentence))
    for hash in judged.judged["hash"].unique():
        print(f"Before: {before[hash]}\nNow: {judging.rate_in_force(judged, hash)}")


def _add_judge(action: argparse.ArgumentParser) -> None:
    action.set_defaults(if_stopped="the judgements are as they were, or whole")
    action.add_argument("place", metavar="RUN", help="the run's folder")
    action.add_argument("--pairs", type=int, metavar="N", help="how many pairs, at most (200)")
    add_hash(action, "dhash, or the run's first")
    for name, metavar, what in (
        ("pictures", "FOLDER", "where the run's pictures lie, if it is not known here"),
        ("decisions", "FILE", "what was decided, as the page downloaded it"),
        ("judge", "NAME", "who decided, where that file does not say it"),
    ):
        action.add_argument(f"--{name}", metavar=metavar, help=what)
    action.add_argument("--no-names", action="store_true", help="show no names of pictures")


#: What `experiment` does: the function that runs, and the one that adds its arguments.
_ACTIONS = ((_run, _add_run), (_judge, _add_judge))


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
