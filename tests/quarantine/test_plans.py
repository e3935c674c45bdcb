"""A plan survives a spreadsheet, and one that does not is refused with a sentence."""

import os
from itertools import product
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from inputs import copy, propose

from helpers import Problem
from helpers.library import inventory
from helpers.quarantine import plans

OF_0_1 = Path(__file__).parents[1] / "files_of_0_1"


@pytest.fixture
def strange_plan(photographs, tmp_path):
    """A plan of files with names that tables have trouble with."""
    original = photographs / "cats" / "image_0000.jpg"
    names = [
        "a b.jpg",
        "comma,semi;colon.jpg",
        "=SUM(1).jpg",
        "кот 猫.jpg",
        "-.jpg",
        " lead.jpg",
        "nan.jpg",
        "007.jpg",
    ]
    if os.name != "nt":
        names += ['quo"te.jpg', "new\nline.jpg", "re\rturn.jpg", "tab\t.jpg", "back\\slash.jpg"]
    for number, name in enumerate(names):
        copy(original, photographs / name, modified=2e9 + number)
    for name in ("x.jpg", "y.jpg"):
        (photographs / name).write_bytes(b"no picture")
    table = inventory.scan(photographs, cache=tmp_path / "cache", workers=1)
    return propose(table, photographs)


def test_a_plan_comes_back_as_it_was_written(strange_plan, tmp_path):
    plans.write_plan(tmp_path / "plan.csv", strange_plan)
    pd.testing.assert_frame_equal(plans.read_plan(tmp_path / "plan.csv"), strange_plan)
    assert (tmp_path / "plan.csv").read_bytes().startswith(b'\xef\xbb\xbf"group","action",')


def test_no_cell_of_a_plan_begins_as_a_formula_does(strange_plan, tmp_path):
    """As `=SUM(1).jpg` would, or `-.jpg`; so says every reader of CSV that knows no marks."""
    plans.write_plan(tmp_path / "plan.csv", strange_plan)
    text = pd.read_csv(tmp_path / "plan.csv", encoding="utf-8-sig", dtype="str").fillna("none")
    begin = {value[0] for value in text.to_numpy().ravel()}
    assert not begin & set("=+-@\t\r")
    assert {"'=SUM(1).jpg", "'-.jpg"} <= set(text["path"])


def test_an_empty_plan_comes_back_too(strange_plan, tmp_path):
    plans.write_plan(tmp_path / "plan.csv", strange_plan[:0])
    assert len(plans.read_plan(tmp_path / "plan.csv")) == 0
    assert list(plans.read_plan(tmp_path / "plan.csv").columns) == list(plans.PLAN)


def test_a_plan_that_a_spreadsheet_saved_reads_well(strange_plan, tmp_path):
    """Quotes only where they are needed, numbers shortened, and an empty row at the end."""
    kept = strange_plan[~strange_plan["path"].str.contains(r"[\r\n]")].reset_index(drop=True)
    saved = kept.assign(modified=kept["modified"].map("{:.5E}".format))
    ways = product([",", ";", "\t"], ["\r\n", "\n"], ["utf-8", "utf-8-sig"])
    for separator, newline, encoding in ways:
        text = saved.to_csv(index=False, sep=separator, lineterminator="\n")
        text += separator * (len(saved.columns) - 1) + "\n"
        (tmp_path / "plan.csv").write_bytes(text.replace("\n", newline).encode(encoding))
        read = plans.read_plan(tmp_path / "plan.csv")
        times = read.pop("modified").astype(float), kept["modified"].astype(float)
        pd.testing.assert_frame_equal(read, kept.drop(columns="modified"))
        assert np.allclose(*times, rtol=1e-5)


@pytest.mark.parametrize(
    ("column", "text", "value"),
    [
        ("bytes", "1234", 1234),
        ("bytes", " 1234.0 ", 1234),
        ("modified", "-7", -7),
        ("modified", "1.7E+18", 17 * 10**17),
        ("modified", "1,7E+18", 17 * 10**17),
        ("bytes", str(2**63 - 1), 2**63 - 1),
        ("difference", "7.5", 7.5),
        ("difference", "7,5", 7.5),
    ],
)
def test_numbers_as_spreadsheets_of_many_countries_write_them(column, text, value, tmp_path):
    row = {"action": "move", "path": "a", "kept": "b", "bytes": "1", "sha256": "x", column: text}
    lines = ";".join(row), ";".join(row.values())
    (tmp_path / "plan.csv").write_text("\n".join(lines))
    assert plans.read_plan(tmp_path / "plan.csv")[column].tolist() == [value]


def test_a_person_may_change_actions_and_leave_out_what_need_not_be_there(strange_plan, tmp_path):
    few = strange_plan[["path", "action", "kept", "bytes", "sha256"]].assign(action=" Look ")
    few = few[~few["path"].str.contains("\r")]
    few.to_csv(tmp_path / "plan.csv", index=False)
    read = plans.read_plan(tmp_path / "plan.csv")
    groups = few["kept"].unique().tolist()
    assert read["group"].tolist() == [1 + groups.index(kept) for kept in few["kept"]]
    assert set(read["action"]) == {"look"}
    assert read["path"].tolist() == few["path"].tolist()
    assert read["width"].isna().all()


BAD_PLANS = {
    "empty": (b"", "is empty; write it again"),
    "other": (b"a,b\n1,2\n", "has no column 'action'"),
    "lost a column": (b"action,path,kept,bytes\nmove,a,b,1\n", "has no column 'sha256'"),
    "action": (
        b"action,path,kept,bytes,sha256\ndelete,a,b,1,x\n",
        "line 2: the action is 'delete'; it has to be one of keep, move, look",
    ),
    "no path": (b"action,path,kept,bytes,sha256\nmove,,b,1,x\n", "line 2: names no path"),
    "number": (
        b"action,path,kept,bytes,sha256\nmove,a,b,many,x\n",
        "line 2: bytes 'many' is no whole",
    ),
    "infinite": (b"action,path,kept,bytes,sha256\nmove,a,b,inf,x\n", "bytes 'inf' is no whole"),
    "too large": (
        b"action,path,kept,bytes,sha256\nmove,a,b,99999999999999999999,x\n",
        "bytes '99999999999999999999' is no whole number",
    ),
    "far too large": (
        b"group,action,path,kept,bytes,sha256\n1e300,move,a,b,1,x\n",
        "group '1e300' is no whole number",
    ),
    "thousands": (
        b'action,path,kept,bytes,sha256\nmove,a,b,"1,234",x\n',
        "bytes '1,234' is no whole number, written without separators; write the plan again",
    ),
    "thousands with points": (
        b"action;path;kept;bytes;sha256\nmove;a;b;1.000;x\n",
        "bytes '1.000' is no whole number",
    ),
    "a fraction": (b"action,path,kept,bytes,sha256\nmove,a,b,1.5E0,x\n", "bytes '1.5E0' is no"),
    "difference": (
        b"action,path,kept,bytes,sha256,difference\nmove,a,b,1,x,little\n",
        "difference 'little' is no number",
    ),
    "latin": (
        "action,path,kept,bytes,sha256\nmove,é,b,1,x\n".encode("latin-1"),
        "line 2: is not UTF-8 text",
    ),
    "binary": (bytes(range(256)), "is not UTF-8 text"),
    "zeros": (b"\0" * 99, "has no column"),
}


@pytest.mark.parametrize("name", BAD_PLANS)
def test_a_plan_that_is_none_is_one_sentence(name, tmp_path):
    content, sentence = BAD_PLANS[name]
    (tmp_path / "plan.csv").write_bytes(content)
    with pytest.raises(Problem, match=sentence) as problem:
        plans.read_plan(tmp_path / "plan.csv")
    assert str(problem.value).startswith(f"{tmp_path / 'plan.csv'}: ")


def test_a_plan_that_is_not_there_is_one_sentence(tmp_path):
    with pytest.raises(Problem, match="cannot be read"):
        plans.read_plan(tmp_path / "plan.csv")
    with pytest.raises(Problem, match="cannot be read"):
        plans.read_plan(tmp_path)
    with pytest.raises(Problem, match="could not be written"):
        plans.write_plan(tmp_path, pd.DataFrame())


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes in folders here")
def test_what_is_no_plain_file_or_too_large_is_refused_at_once(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "link to a device").symlink_to("/dev/zero")
    for name in ("pipe", "link to a device"):
        with pytest.raises(Problem, match=r"cannot be read .*a pipe or a device"):
            plans.read_plan(tmp_path / name)
    with (tmp_path / "plan.csv").open("wb") as file:
        file.truncate(plans.MOST_PLAN_BYTES + 1)
    with pytest.raises(Problem, match="is larger than 33,554,432 bytes, the most"):
        plans.read_plan(tmp_path / "plan.csv")


# Version 0.1


def test_a_plan_of_version_0_1_opens():
    """It knew no marks: there the path begins with an equals sign."""
    read = plans.read_plan(OF_0_1 / "plan.csv")
    assert read["action"].tolist() == ["keep", "move", "move"]
    assert read["path"].tolist() == ["cat large.jpg", "=cat, a copy.jpg", "cat.jpg"]
    assert read["bytes"].tolist() == [5093, 2214, 2214]
    assert read["difference"].tolist() == [0.0, 4.8, 4.8]
    later = read[["partner_of", "lost", "gained"]]
    assert (later == "").all(axis=None), "columns that it did not have"
