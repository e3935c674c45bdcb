"""Tables as spreadsheets leave them: what is written comes back, and no cell runs as a formula."""

import csv
from io import StringIO

import pytest

from helpers import Problem
from helpers.files.tables import as_csv, read_csv

COLUMNS = ["path", "bytes"]
TEXTS = [
    "a b.jpg",
    'comma,semi;colon and "quotes"',
    "=SUM(1).jpg",
    "+1+1",
    "-.jpg",
    "@import",
    "'=1",
    "'tis",
    "''",
    "\ttab",
    "\r\nreturn",
    "new\nline",
    "re\rturn",
    "кот 猫",
    " lead",
    "007",
    "nan",
    "\ufeff",
]


@pytest.fixture
def file(tmp_path):
    return tmp_path / "table.csv"


def write(file, text, encoding="utf-8"):
    file.write_bytes(text.encode(encoding))
    return file


@pytest.mark.parametrize("byte_order_mark", [False, True])
@pytest.mark.parametrize("quotes", [{}, {"quote_all": True}])
def test_every_text_comes_back_as_it_was_written(byte_order_mark, quotes, file):
    rows = [[text, number] for number, text in enumerate(TEXTS)]
    text = as_csv(COLUMNS, rows, byte_order_mark=byte_order_mark, **quotes)
    columns, read = read_csv(write(file, text))
    assert columns == COLUMNS
    assert [cells for _, cells in read] == [[text, str(number)] for text, number in rows]


def test_texts_that_need_no_quotes_may_do_without(file):
    texts = [text for text in TEXTS if "\r" not in text]  # which Python before 3.13 leaves bare
    text = as_csv(COLUMNS, [[text, 0.5] for text in texts], quote_texts=False)
    assert text.startswith("path,bytes\na b.jpg,0.5\n")
    assert [cells[0] for _, cells in read_csv(write(file, text))[1]] == texts


def test_a_spreadsheet_sees_no_formula():
    text = as_csv(COLUMNS, [[text, -1] for text in TEXTS])
    cells = [row[0] for row in csv.reader(StringIO(text, newline=""))]
    assert not [cell for cell in cells if cell.startswith(tuple("=+-@\t\r\n"))]
    assert ",-1\n" in text  # a number is none, and stays as it is


def test_the_bytes_of_each_kind_of_file():
    rows = [["a", 1], [None, None], ["b", 2.5]]
    assert as_csv(COLUMNS, rows) == '"path","bytes"\n"a",1\n"",""\n"b",2.5\n'
    assert as_csv(COLUMNS, rows, quote_all=True) == '"path","bytes"\n"a","1"\n"",""\n"b","2.5"\n'
    assert as_csv(COLUMNS, rows, quote_texts=False) == "path,bytes\na,1\n,\nb,2.5\n"
    assert as_csv(COLUMNS, [], byte_order_mark=True) == '\ufeff"path","bytes"\n'


@pytest.mark.parametrize("separator", [",", ";", "\t"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig"])
def test_what_a_spreadsheet_saved_reads_well(separator, end, encoding, file):
    """Quotes only where they are needed, a row of nothing, and an empty cell left out at the end."""
    lines = [("path", "bytes"), ('"two\nlines, ä; b"', "1"), ("", ""), ("'=1",), ("'tis", "3")]
    text = "".join(separator.join(line) + end for line in lines)
    columns, rows = read_csv(write(file, text, encoding))
    assert columns == COLUMNS
    assert rows == [(2, ["two\nlines, ä; b", "1"]), (5, ["=1"]), (6, ["'tis", "3"])]


def test_rows_carry_the_line_on_which_they_begin(file):
    text = as_csv(COLUMNS, [["one", 1], ["of\nthree\nlines", 2], ["after", 3]])
    assert [line for line, _ in read_csv(write(file, text + "\n\nlast,4\n"))[1]] == [2, 3, 6, 9]


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"", "is empty"),
        ("path\na\nGr\xfc\xdfe".encode("latin-1"), "line 3: is not UTF-8 text; save it as"),
        ("path\n".encode("utf-16"), "line 1: is not UTF-8 text"),
        (b'path\na\n"open', r"line 3: is not CSV \(unexpected end of data\); save it as"),
        (b'path\na\n"a"b', "line 3: is not CSV .*expected after"),
        (b"path\n" + 200_000 * b"x", "line 2: is not CSV .*field larger than"),
    ],
)
def test_what_is_no_table_is_one_sentence(content, sentence, file):
    file.write_bytes(content)
    with pytest.raises(Problem, match=f"table.csv: {sentence}"):
        read_csv(file)


def test_a_table_that_is_not_there_is_one_sentence(tmp_path):
    for path in (tmp_path / "nowhere.csv", tmp_path, tmp_path / "zero\0"):
        with pytest.raises(Problem, match=r"cannot be read \(.*\); check the spelling"):
            read_csv(path)


@pytest.mark.parametrize("content", [b"path\n" + 300 * b"x", b"a,b\n" + 20 * b"\n", 40 * b","])
def test_a_table_that_takes_more_memory_than_its_budget_is_one_sentence(content, file):
    file.write_bytes(content)
    with pytest.raises(Problem, match=r"table.csv: (is larger|has more) than .* right one"):
        read_csv(file, most_bytes=256)
