"""CSV files that may pass through a spreadsheet: a bank's entries, a plan to clean, the truth.

A spreadsheet runs a cell as a formula if it begins with certain letters. A name of a file, or a
reason that somebody typed, must not do that: such a text gets a mark when it is written, and the
mark is taken back when it is read.
"""

import csv
from collections.abc import Iterable, Sequence
from io import BytesIO, StringIO, TextIOWrapper
from pathlib import Path

from helpers import Problem
from helpers.files.guard import read_input

#: How large a CSV file may be.
MOST_CSV_BYTES = 2**26
# a cell takes memory even if it is empty, so a file may have one for so many bytes of its budget
_BYTES_OF_A_CELL = 16

_MARK = "'"
# how a formula begins in a spreadsheet; a text with a mark of its own gets a second one
_FORMULA = (*"=+-@\t\r\n", _MARK)


def as_csv(
    columns: Sequence[str],
    rows: Iterable[Sequence],
    *,
    byte_order_mark: bool = False,
    quote_texts: bool = True,
    quote_all: bool = False,
) -> str:
    """The text of a CSV file, with commas and ``\\n``.

    Parameters
    ----------
    columns : sequence of str
        The names in the first line.
    rows : iterable of sequence
        The values of each row: texts and numbers; None becomes an empty cell.
    byte_order_mark : bool
        Whether the text begins with U+FEFF. Excel takes a file for UTF-8 only if it does.
    quote_texts : bool
        Whether every text stands in quotes, and every empty cell; if not, only those texts do
        which need them.
    quote_all : bool
        Whether numbers stand in quotes as well.

    Returns
    -------
    str
        A text that a spreadsheet would run as a formula has a ``'`` in front.

    Notes
    -----
    The letters that need a mark are those of OWASP, "CSV Injection".

    Examples
    --------
    >>> print(as_csv(["path", "bytes"], [["=1+1.jpg", 10], ["a.jpg", None]]), end="")
    "path","bytes"
    "'=1+1.jpg",10
    "a.jpg",""
    """
    quoting = csv.QUOTE_NONNUMERIC if quote_texts else csv.QUOTE_MINIMAL
    text = StringIO()
    writer = csv.writer(text, lineterminator="\n", quoting=csv.QUOTE_ALL if quote_all else quoting)
    writer.writerow(columns)
    writer.writerows(map(_marked, row) for row in rows)
    return ("\ufeff" if byte_order_mark else "") + text.getvalue()


def read_csv(
    path: str | Path, most_bytes: int | None = None
) -> tuple[list[str], list[tuple[int, list[str]]]]:
    """The cells of a CSV file that `as_csv` made, also after a spreadsheet saved it.

    Parameters
    ----------
    path : str or Path
        A file in UTF-8, with or without a byte order mark; with commas, semicolons or tabs; with
        line ends of any system.
    most_bytes : int, optional
        How many bytes it may have, instead of `MOST_CSV_BYTES`. It may have a sixteenth as many
        cells, as each takes memory.

    Returns
    -------
    columns : list of str
        The cells of the first line.
    rows : list of (int, list of str)
        The cells of each row, and the number of the line in the file on which the row begins. (A
        spreadsheet counts in the same way, unless a cell holds more than one line.) Rows that are
        empty are left out. A spreadsheet may leave out empty cells at the end of a row: the
        caller decides whether a short row will do.

    Raises
    ------
    Problem
        If the file cannot be read, is too large, or is not CSV in UTF-8. It names the file and the
        line.

    Examples
    --------
    >>> read_csv("plan.csv")  # doctest: +SKIP
    (['path', 'bytes'], [(2, ['=1+1.jpg', '10']), (3, ['a.jpg', ''])])
    """
    content = read_input(path, most_bytes := most_bytes or MOST_CSV_BYTES)
    try:
        content.decode()
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise Problem(f"{path}: line {line}: is not UTF-8 text; save it as CSV in UTF-8") from error
    file = BytesIO(content)
    separator = max((b",", b";", b"\t"), key=file.readline().count)
    most_cells = most_bytes // _BYTES_OF_A_CELL
    if sum(map(content.count, (separator, b"\r", b"\n"))) > most_cells:
        raise Problem(
            f"{path}: has more than {most_cells:,} cells, the most that are read of such a file; "
            "check that it is the right one"
        )
    file.seek(0)
    text = TextIOWrapper(file, "utf-8-sig", newline="")
    reader = csv.reader(text, strict=True, delimiter=separator.decode())
    columns, rows, line = None, [], 1
    try:
        for cells in reader:
            if columns is None:
                columns = cells
            elif any(cells):
                rows.append((line, list(map(_unmarked, cells))))
            line = reader.line_num + 1
    except csv.Error as error:
        raise Problem(f"{path}: line {line}: is not CSV ({error}); save it as CSV again") from error
    if columns is None:
        raise Problem(f"{path}: is empty; write it again")
    return columns, rows


def _marked(value: object) -> object:
    is_formula = isinstance(value, str) and value.startswith(_FORMULA)
    return f"{_MARK}{value}" if is_formula else value


def _unmarked(cell: str) -> str:
    return cell[1:] if cell.startswith(_MARK) and cell[1:].startswith(_FORMULA) else cell
