"""The command line: gather, index and search, as in the article; clean a library; keep a gate."""

import argparse
import sys
from contextlib import suppress

from helpers import Problem
from helpers.commands import clean, gate, gather, index, search
from helpers.commands.terminal import check_not_empty, mute, one_line

#: Each adds its own arguments. A new command is a module of `helpers.commands`, and a word here.
COMMANDS = (gather, index, search, clean, gate)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m helpers", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    for command in COMMANDS:
        command.add(commands)
    return parser


def main(arguments: list[str] | None = None) -> int:
    """Run one command.

    Parameters
    ----------
    arguments : list of str, optional
        The words of the command line; those of this process if left out.

    Returns
    -------
    int
        0 if the command ran; 1 if ``gate ask`` held a picture back or ``clean`` left a file alone;
        2 after one sentence about bad input; 130 if it was stopped.

    Examples
    --------
    >>> main(["search", "--dataset", "images", "--shelve", "db.shelve", "--query", ""])
    2
    """
    with suppress(AttributeError):  # in a notebook
        # A file name may hold letters that the terminal cannot show.
        sys.stdout.reconfigure(errors="backslashreplace")
    words = sys.argv[1:] if arguments is None else arguments
    parsed = _parser().parse_args(words)
    try:
        check_not_empty(words)
        code = parsed.run(parsed) or 0
        sys.stdout.flush()
        return code
    except Problem as problem:
        print(problem, file=sys.stderr)
        return 2
    except BrokenPipeError:  # whoever reads our output has seen enough
        mute()
    except KeyboardInterrupt:
        # `clean --apply` may have stopped between a file's new name and its old one
        undo = ", or with --undo to go back" if getattr(parsed, "apply", False) else ""
        left = getattr(parsed, "if_stopped", "nothing half-finished was left")
        print(f"Stopped; {left}. Run it again to go on{undo}.", file=sys.stderr)
        return 130
    except OSError as error:  # what nobody has thought of, as a full disk behind `> file`
        try:
            sys.stdout.flush()
        except OSError:
            mute()
        where = f"{one_line(str(error.filename))}: " if error.filename else ""
        remedy = "check the name, the permissions and the room on the disk"
        print(f"{where}{error.strerror or error}; {remedy}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
