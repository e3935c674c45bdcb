"""Fingerprint a folder onto a shelf."""

import argparse

from helpers.commands.terminal import add_hash, add_reading, one_line, reading_of
from helpers.files.guard import check_output
from helpers.files.places import counted


def _index(arguments: argparse.Namespace) -> int:
    """Fingerprint a folder of images and keep the fingerprints on a shelf.

    Ends with 0, or with 1 if a picture was left out, since it could not be read.
    """
    import numpy as np

    from helpers import shelf
    from helpers.fingerprints.flat import plain_on_background, says_nothing
    from helpers.images.folders import look_into, not_looked_at

    check_output(arguments.shelve, "shelf")
    found = look_into(arguments.dataset, exclude=arguments.exclude)
    options = {"images": found.images, "replace": arguments.replace, **reading_of(arguments)}
    options |= {"hash": arguments.hash} if arguments.hash else {}
    table = shelf.build(arguments.shelve, arguments.dataset, **options)
    problems = table[table["problem"] != ""]
    for row in problems.itertuples():
        print(f"Left out: {one_line(row.path)}: {one_line(row.problem)}")
    for sentence in not_looked_at(found):
        print(one_line(sentence))
    made = shelf.read(arguments.shelve)
    plain = np.array(list(made))[says_nothing(list(made), made.recipe.hash)] if made else []
    names = [name for key in plain for name in made[key]]
    if sentence := plain_on_background(arguments.dataset, names, made.recipe):
        print(one_line(sentence))
    listed = sum(len(names) for names in made.values())
    read = counted(len(table) - len(problems), "image")
    under = f"lists {listed:,} under {counted(len(made), 'fingerprint')}."
    print(f"Read {read}; {one_line(arguments.shelve)} {under}")
    return int(len(problems) > 0)


def add(commands: argparse._SubParsersAction) -> None:
    """Add the command to the command line.

    Parameters
    ----------
    commands : argparse._SubParsersAction
        The commands of ``python -m helpers``.
    """
    summary = "Fingerprint a folder of images and keep the fingerprints on a shelf."
    command = commands.add_parser("index", help=summary, description=_index.__doc__)
    command.set_defaults(run=_index)
    option = command.add_argument
    option("-d", "--dataset", required=True, metavar="DIR", help="the folder of images")
    shelf = "the shelf, made or brought up to date"
    option("-s", "--shelve", required=True, metavar="FILE", help=shelf)
    exclude = "leave out files and folders of this name or path; may be given again"
    option("--exclude", action="append", default=[], metavar="PATTERN", help=exclude)
    option("--replace", action="store_true", help="start anew, whatever shelf is there")
    add_hash(command, "dHash, as in the article")
    add_reading(command)
