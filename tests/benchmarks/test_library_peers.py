"""The made library, its judge, and how other programs' answers are read."""

import csv
import hashlib
from pathlib import Path

import library_finders
import library_peers
import messy_library
import pytest
from library_judge import Judge


@pytest.fixture(scope="module")
def library(tmp_path_factory):
    """A tiny library, made in this process and in two."""
    folder = tmp_path_factory.mktemp("made") / "library"
    messy_library.make(folder, 5, library_peers.recipes("tiny", 5), workers=1)
    return folder


def truth_of(folder):
    with messy_library.truth_file(folder).open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def judged(folder, moved, partners=(), asked=()):
    judge = Judge(folder)
    judge.moved, judge.moved_partners, judge.asked = moved, dict(partners), set(asked)
    return judge, judge.table()


def right_moves(rows):
    originals = {row["picture"]: row["path"] for row in rows if row["role"] == "original"}
    moved = {r["path"]: originals[r["picture"]] for r in rows if r["role"] in ("copy", "profile")}
    partners = {r["path"]: r["partner_of"] for r in rows if r["partner_of"] in moved}
    return moved, partners


@pytest.mark.slow
def test_every_file_has_a_row_and_the_same_seed_gives_the_same_bytes(library, tmp_path):
    rows = truth_of(library)
    files = {file.relative_to(library).as_posix(): file for file in library.rglob("*")}
    files = {path: file for path, file in files.items() if file.is_file()}
    assert {row["path"] for row in rows} == set(files)
    assert {row["role"] for row in rows} == set(messy_library.ROLES)
    messy_library.make(tmp_path / "again", 5, library_peers.recipes("tiny", 5), workers=2)
    for path, file in files.items():
        digests = [
            hashlib.sha256(f.read_bytes()).digest() for f in (file, tmp_path / "again" / path)
        ]
        assert digests[0] == digests[1], path


@pytest.mark.slow
def test_the_right_plan_has_every_point_and_each_wrong_move_costs_one(library):
    rows = truth_of(library)
    moved, partners = right_moves(rows)
    kin = [(row["path"], row) for row in rows if row["role"] == "kin"]
    scenes = {row["scene"]: row["path"] for row in rows if row["role"] == "original"}
    judge, told = judged(library, moved, partners, {(path, scenes[r["scene"]]) for path, r in kin})
    assert not judge.wrong, dict(judge.wrong)
    copies = sum(row["role"] == "copy" for row in rows)
    assert told["copies moved, original kept"] == f"{copies} of {copies}"
    assert told["turned or mirrored mentioned"] == "2 of 2"

    by_role = {row["role"]: row for row in rows}
    alone = [row["path"] for row in rows if row["role"] == "alone"]
    copy, stays = next(iter(moved.items()))
    for move, measure in (
        ({alone[0]: alone[1]}, "unrelated or look-alike moved"),
        ({stays: copy}, "original moved, copy kept"),
        ({by_role["kin"]["path"]: scenes[by_role["kin"]["scene"]]}, "kin moved"),
        ({by_role["loses"]["path"]: scenes[by_role["loses"]["scene"]]}, "information lost"),
        ({by_role["shut"]["path"]: scenes[by_role["shut"]["scene"]]}, "in bins or linked"),
    ):
        told = judged(library, move)[1]
        (line,) = (value for name, value in told.items() if name.startswith(measure))
        assert line.split()[0] == "1", measure
    partner = next(iter(partners))
    del partners[partner]
    assert judged(library, moved, partners)[1]["partners separated"] == "1"


def test_answers_of_other_programs_are_read_with_blanks_in_names():
    folder = Path("/a b")
    blocks = "/a b/x 1.jpg\n/a b/y.jpg\n\n/a b/c/z.jpg\n/a b/y.jpg\n\n"
    lines = "/a b/x 1.jpg /a b/y.jpg\n/a b/c/z.jpg /a b/y.jpg\n"
    rdfind = (
        "DUPTYPE_FIRST_OCCURRENCE 1 0 9 1 2 1 /a b/x 1.jpg\n"
        "DUPTYPE_WITHIN_SAME_TREE -1 0 9 1 3 1 /a b/y.jpg\n"
    )
    rmlint = (
        '[{"description": "x"}, {"type": "duplicate_file", "is_original": true, "path": '
        '"/a b/x 1.jpg"}, {"type": "duplicate_file", "is_original": false, "path": "/a b/y.jpg"}]'
    )
    by_name = {finder.name: finder for finder in library_finders.FINDERS}
    for name, text in (
        ("fdupes", blocks),
        ("findimagedupes", lines),
        ("rdfind", rdfind),
        ("rmlint", rmlint),
        ("difPy", '[["/a b/x 1.jpg", "/a b/y.jpg"]]'),
    ):
        found = library_finders.moves_of(by_name[name], text, folder)
        assert found == {"y.jpg": "x 1.jpg"}, name


@pytest.mark.slow
def test_a_finder_that_is_not_here_is_told_in_a_sentence(library, monkeypatch, capsys):
    finders = [library_finders.Finder("nobody", "", ("no-such-program",), lambda *_: [])]
    finders.append(library_finders.Finder("no_one", "no_such_package", (), lambda *_: []))
    monkeypatch.setattr(library_peers, "FINDERS", finders)
    monkeypatch.setattr(library_peers, "_plan_of_kit", _no_plan)
    monkeypatch.setattr("sys.argv", ["library_peers.py", "peers", str(library)])
    assert library_peers.main() == 0
    assert capsys.readouterr().out.count("is not installed here") == 2


def _no_plan(library, code, workers, plan):
    plan.write_text("action,kind,path,kept\n")
    return library_finders.Ran("", 1.0, 1.0, 1.0, 0)
