"""A bank's entries as a CSV file."""

import stat
from contextlib import suppress
from datetime import datetime
from pathlib import Path

from helpers import Problem
from helpers.files.tables import read_csv
from helpers.fingerprints import hashes
from helpers.fingerprints.flat import check_says_something
from helpers.gate.log import iso

#: The columns of a bank's CSV file.
COLUMNS = ["fingerprint", "reason", "source", "time", "made_with"]
_LONGEST = 10_000  # letters of a reason or a source


def check_text(name: str, text: str) -> None:
    if not isinstance(text, str):
        raise Problem(f"{name} {text!r}: it is text, not {type(text).__name__}")
    if name == "reason" and not text.strip():
        raise Problem("the reason is empty; say in a few words why")
    if len(text) > _LONGEST:
        raise Problem(f"the {name} has {len(text)} letters; {_LONGEST} are the most")
    try:
        text.encode("utf-8")
    except UnicodeEncodeError as error:
        raise Problem(
            f"the {name} {text!a} is not valid text (letter {error.start + 1}), as names of files may be; write it otherwise"
        ) from error
    if "\0" in text:
        raise Problem(f"the {name} {text!a} holds a zero character; write it without")


def check_not_another(path: str | Path) -> None:
    """Raise where a file is there that no bank has written: an export takes the place of an export only."""
    with suppress(OSError, ValueError):  # no such file, or no name of one
        kind = Path(path).stat().st_mode
        if not (stat.S_ISREG(kind) or stat.S_ISDIR(kind)):
            raise Problem(f"{path}: is a pipe or a device; name a file")
    with suppress(OSError, ValueError), Path(path).open("rb") as file:
        if not file.read(40).startswith(b'"fingerprint"'):
            raise Problem(
                f"{path}: is there already and is no bank's CSV file; choose another name"
            )


def read_rows(path: str | Path, made_with: str, anyway: bool) -> list[tuple]:
    """The rows of a CSV file as the log has them."""
    columns, lines = read_csv(path)
    rows, line = [], 1
    try:
        if columns not in (COLUMNS, COLUMNS[:-1]):  # a list made by hand lacks the last one
            raise Problem(f"its columns are not {','.join(COLUMNS)}; export it from a bank")
        for line, cells in lines:
            if len(cells) != len(columns):
                raise Problem(
                    f"has {len(cells)} values, not {len(columns)}; put texts with commas in quotes"
                )
            rows.append(_row(*cells, made_with=made_with, anyway=anyway))
    except Problem as problem:
        raise Problem(f"{path}: line {line}: {problem}") from problem
    return rows


def _row(
    digits: str,
    reason: str,
    source: str,
    time: str,
    there: str = "",
    *,
    made_with: str,
    anyway: bool,
) -> tuple:
    if there not in ("", made_with):
        raise Problem(
            f"was made with {there!r}, and this bank with {made_with!r}; their fingerprints cannot be compared: make a bank "
            "that reads pictures as that one does"
        )
    value = hashes.from_hex(digits)
    if not anyway:
        check_says_something(value, "the picture")
    check_text("reason", reason)
    check_text("source", source)
    try:
        moment = datetime.fromisoformat(time)
        if not moment.tzinfo:
            raise ValueError("no time zone")
        return hashes.to_hex(value), reason, source, iso(moment)
    except (ValueError, OverflowError) as error:
        raise Problem(
            f"{time!r} is no time as 2024-05-03T12:00:00Z, in ISO 8601 and with its zone"
        ) from error
