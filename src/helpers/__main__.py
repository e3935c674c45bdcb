"""The command line: gather, index, search, as in the article; clean; gate; experiment; cluster."""

from __future__ import annotations

import _signal  # as `signal`, which takes longer to import; control-C may come meanwhile
import os
import sys
import types
from contextlib import suppress

from helpers import Problem

#: Each is a module of `helpers.commands` and adds its own arguments. A new command is a word here.
COMMANDS = ("gather", "index", "search", "clean", "gate", "experiment", "cluster")


def _parsed(words: list[str]) -> object:
    """What the words say, as `argparse` tells it. It imports here, where control-C may come."""
    import argparse
    from importlib import import_module

    from helpers.commands.terminal import check_not_empty, one_line

    class Parser(argparse.ArgumentParser):
        def error(self, message: str) -> None:
            super().error(one_line(message))  # it repeats words of the command line

    parser = Parser(prog="python -m helpers", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    for command in COMMANDS:
        import_module(f"helpers.commands.{command}").add(commands)
    parsed = parser.parse_args(words)
    check_not_empty(words)
    return parsed


def main(arguments: list[str] | None = None) -> int:
    """Run one command.

    Parameters
    ----------
    arguments : list of str, optional
        The words of the command line; those of this process if left out.

    Returns
    -------
    int
        0 if the command ran; 1 if ``gate ask`` held a picture back, ``clean`` left a file alone or
        ``index`` left a picture out; 2 after one sentence about bad input; 130 if it was stopped.

    Examples
    --------
    >>> main(["search", "--dataset", "images", "--shelve", "db.shelve", "--query", ""])
    2
    """
    parsed = None
    try:
        with suppress(AttributeError):  # in a notebook
            # A file name may hold letters that the terminal cannot show.
            sys.stdout.reconfigure(errors="backslashreplace")
        parsed = _parsed(sys.argv[1:] if arguments is None else arguments)
        code = parsed.run(parsed) or 0
        sys.stdout.flush()
        return code
    except Problem as problem:
        _complain(str(problem))
        return 2
    except BrokenPipeError:  # whoever reads our output has seen enough
        _mute()
    except KeyboardInterrupt:
        # `clean --apply` may have stopped between a file's new name and its old one
        undo = ", or with --undo to go back" if getattr(parsed, "apply", False) else ""
        left = getattr(parsed, "if_stopped", "nothing half-finished was left")
        _complain(f"Stopped; {left}. Run it again to go on{undo}.")
        return 130
    except MemoryError:
        _complain("there is not enough memory; close other programs, or name fewer pictures")
        return 2
    except OSError as error:  # what nobody has thought of, as a full disk behind `> file`
        try:
            sys.stdout.flush()
        except OSError:
            _mute()
        where = f"{error.filename}: " if error.filename else ""
        remedy = "check the name, the permissions and the room on the disk"
        _complain(f"{where}{error.strerror or error}; {remedy}")
        return 2
    return 0


def _complain(sentence: str) -> None:
    from helpers.files.places import one_line

    print(one_line(sentence), file=sys.stderr)


def _mute() -> None:
    from helpers.commands.terminal import mute

    mute()


def _stop(number: int, frame: types.FrameType | None) -> None:
    """What control-C does. Within an import it ends all: NumPy would tell of a bad install."""
    while frame:
        if frame.f_code.co_filename.startswith("<frozen importlib"):
            os.write(2, b"Stopped before it began; nothing half-finished was left.\n")
            os._exit(130)
        frame = frame.f_back
    raise KeyboardInterrupt


def _stop_again(lost: sys.UnraisableHookArgs) -> None:
    """Python lets no exception out of some functions, as `__del__`: then control-C comes again."""
    import threading

    if lost.exc_type is KeyboardInterrupt:
        threading.Timer(0.01, _signal.raise_signal, [_signal.SIGINT]).start()
    else:
        sys.__unraisablehook__(lost)


if __name__ == "__main__":
    _signal.signal(_signal.SIGINT, _stop)
    sys.unraisablehook = _stop_again
    sys.exit(main())
