"""Find out which fingerprint survives what, on your own pictures."""

from __future__ import annotations

import argparse

from helpers import Problem
from helpers.commands.terminal import add_actions, add_hash, one_line, until_nobody_reads
from helpers.files.places import counted


def _run(arguments: argparse.Namespace) -> None:
    """Measure every hash x change x strength on the pictures of a folder.

    It first says what it will cost. If it is stopped, the same command goes on where it was.
    """
    from helpers.experiments import runs

    names = ("hashes", "changes", "queries", "seed", "rates", "side", "quick", "workers")
    runs.run(arguments.folder, arguments.out, show=_say, **_options(arguments, names))


def _say(text: str) -> None:
    with until_nobody_reads():  # a run goes on if its first lines were enough for somebody
        print(text)


def _options(arguments: argparse.Namespace, names: tuple[str, ...]) -> dict:
    return {name: getattr(arguments, name) for name in names}


def _add_run(action: argparse.ArgumentParser) -> None:
    action.set_defaults(if_stopped="what is finished of the run is kept")
    action.add_argument("folder", metavar="FOLDER", help="the pictures, or a dataset's name")
    action.add_argument("--out", required=True, metavar="RUN", help="the run's folder, a new one")
    _add_hashes(action, "names of hashes (all); a wrong one lists")
    action.add_argument("--changes", metavar="TOML", help='lines as  jpeg = ["quality 75"]  (all)')
    for name, number, what in (
        ("queries", 400, "pictures that are changed (400)"),
        ("seed", 2014, "for what is drawn (2014)"),
        ("side", None, "reduce larger pictures to so many pixels first"),
        ("workers", None, "processes (all processors)"),
    ):
        action.add_argument(f"--{name}", type=int, default=number, metavar="N", help=what)
    what = "false matches a pair, at which recalls are told (1e-4,1e-5,1e-6)"
    action.add_argument("--rates", type=_numbers, metavar="X,Y", help=what)
    action.add_argument("--quick", action="store_true", help="a first table within a minute")


def _add_hashes(action: argparse.ArgumentParser, what: str) -> None:
    action.add_argument("--hashes", type=_listed, metavar="A,B", help=what)


def _numbers(text: str) -> list[float]:
    try:
        return [float(number) for number in _listed(text)]
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{text!r}: numbers with commas, as 1e-4,1e-5") from error


def _listed(names: str) -> list[str]:
    return [name.strip() for name in names.split(",")]


def _judge(arguments: argparse.Namespace) -> None:
    """Let a person say which near pairs of a run show the same picture.

    It writes a page with the pairs, which downloads what was decided. With --decisions it adds
    that to the run, and counts the rates anew.
    """
    from helpers.experiments import judging, runs

    run, file = runs.read(arguments.place), arguments.decisions
    for name in ("hash", "pairs", "pictures"):
        if file and getattr(arguments, name) is not None:
            raise Problem(f"--{name}: is for the page that is written; leave it or --decisions out")
    if file:
        how = {"index": False, "na_rep": "-", "float_format": "{:.2g}".format}
        tables = judging.summary(judging.take(run, file, arguments.judge))
        texts = [table.to_string(**how) for table in tables if len(table)]
        print(*map(one_line, "\n\n".join(texts).splitlines()), sep="\n")
        return
    if arguments.judge:
        raise Problem("--judge: goes with --decisions; on the page, people type their name")
    pairs = 200 if arguments.pairs is None else arguments.pairs
    drawn = judging.draw(run, arguments.hash, pairs)
    page = judging.write_page(run, drawn, pictures=arguments.pictures)
    nearest, farthest = drawn["distance"].min(), drawn["distance"].max()
    print(
        f"{counted(len(drawn), 'pair')}, {nearest} to {farthest} bits apart by {drawn['hash'][0]}: "
        f"open {one_line(str(page))}, decide, download, and come back with --decisions FILE."
    )


def _add_judge(action: argparse.ArgumentParser) -> None:
    action.set_defaults(if_stopped="the judgements are as they were, or whole")
    action.add_argument("place", metavar="RUN", help="the run's folder")
    what = "how many pairs, at most (200)"
    action.add_argument("--pairs", type=int, metavar="N", help=what)
    add_hash(action, "dhash, or the run's first")
    for name, metavar, what in (
        ("pictures", "FOLDER", "where the run's pictures lie, if it is not known here"),
        ("decisions", "FILE", "what was decided, as the page downloaded it"),
        ("judge", "NAME", "who decided, where that file does not say it"),
    ):
        action.add_argument(f"--{name}", metavar=metavar, help=what)


def _compare(arguments: argparse.Namespace) -> None:
    """Tell how much more one finds than another, with intervals: two runs, or hashes of one.

    Each run is compared with the first, hash by hash; the hashes of one run with the first.
    """
    from helpers.experiments import comparing, runs

    table = comparing.compare([runs.read(place) for place in arguments.places], arguments.hashes)
    for names, rows in table.groupby(["one", "other"], sort=False):
        print(one_line("{1}, less {0}:".format(*names)))
        is_claimed = rows["claimed"] & (rows["headline"] | (rows["what"] == "rate"))
        is_mean = rows["shown"] & (rows["change"] == "mean")
        told = rows if arguments.all else rows[is_claimed | is_mean]
        columns = ["what", "at", "change", "strength", "value", "difference", "low", "high"]
        told = told[[*columns, "claimed"]].assign(value=told["other_value"])
        print(told.to_string(index=False, float_format="{:.3g}".format, na_rep="bound"))
    for sentence in comparing.sentences(table):
        print(one_line(sentence))


def _add_compare(action: argparse.ArgumentParser) -> None:
    action.add_argument("places", nargs="+", metavar="RUN", help="folders of runs")
    _add_hashes(action, "which (all that the runs share)")
    action.add_argument("--all", action="store_true", help="list what does not differ as well")


def _radius(arguments: argparse.Namespace) -> None:
    """Choose the largest radius that keeps to so many false matches a query, and say why.

    It says what the set can show at all, what the radius finds of each change, and checks the
    choice: made on one half of the pictures, it is looked at on the other.
    """
    from helpers.experiments import choosing, runs

    options = _options(arguments, ("false", "pictures", "hash", "strangers"))
    for line in choosing.radius(runs.read(arguments.place), **options):
        print(one_line(line))


def _add_radius(action: argparse.ArgumentParser) -> None:
    action.add_argument("place", metavar="RUN", help="the run's folder")
    what = "false matches a query (0.01)"
    action.add_argument("--false", type=float, default=0.01, metavar="X", help=what)
    what = "among how many pictures (as many as the run counts)"
    action.add_argument("--pictures", type=int, metavar="N", help=what)
    add_hash(action, "all of the run")
    what = "hold a small folder against caltech-101, whose dhash the kit carries"
    action.add_argument("--strangers", metavar="SET", help=what)


def _report(arguments: argparse.Namespace) -> None:
    """Write one HTML page about a run: it works offline, and can be sent."""
    from helpers.experiments import report, runs

    options = _options(arguments, ("pictures", "no_pictures"))
    target = report.write(runs.read(arguments.place), arguments.out, **options)
    print(f"The report is in {one_line(str(target))}.")


def _add_report(action: argparse.ArgumentParser) -> None:
    action.add_argument("place", metavar="RUN", help="the run's folder")
    action.add_argument("--out", metavar="FILE", help="the page (report.html in the run's folder)")
    action.add_argument("--pictures", metavar="FOLDER", help="where the pictures lie now")
    action.add_argument("--no-pictures", action="store_true", help="no pictures, numbers for names")


#: What `experiment` does: the function that runs, and the one that adds its arguments.
_ACTIONS = {
    _run: _add_run,
    _judge: _add_judge,
    _radius: _add_radius,
    _compare: _add_compare,
    _report: _add_report,
}


def add(commands: argparse._SubParsersAction) -> None:
    """Add the command to the command line.

    Parameters
    ----------
    commands : argparse._SubParsersAction
        The commands of ``python -m helpers``.
    """
    summary = "Find out which fingerprint survives what, on your own pictures."
    for run, action in add_actions(commands, "experiment", summary, _ACTIONS).items():
        _ACTIONS[run](action)
