"""`python -m helpers clean`: find copies, look at them, move them away and back."""

import os
import re
import shutil
from concurrent.futures.process import BrokenProcessPool

import pytest
from inputs import copy, everything, save

from helpers.__main__ import main
from helpers.files import parallel, tables
from helpers.files.places import counted
from helpers.library import inventory, proposal
from helpers.quarantine import journal, plans


@pytest.fixture
def twice(photographs, data_folder):
    """A photo library in which one picture is there twice."""
    shutil.copy2(photographs / "cats" / "image_0000.jpg", photographs / "twice.jpg")
    return photographs


def run(*arguments):
    return main([str(argument) for argument in arguments])


def refused(capsys, *arguments):
    """The one sentence."""
    assert run("clean", *arguments) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    return error


def test_clean_by_itself_touches_nothing(twice, capsys):
    before = everything(twice)
    assert run("clean", twice) == 0
    assert capsys.readouterr().out.startswith(
        "To move: 1 exact copy and 0 near copies, 0.0 MB. To look at: 0 look-alikes.\nGroup 1\n"
    )
    assert everything(twice) == before
    assert not (twice.parent / "photographs-quarantine").exists()


def test_clean_names_some_of_what_is_no_picture(twice, capsys):
    for number in range(8):
        (twice / f"broken {number}.jpg").write_bytes(f"no picture {number}".encode())
    assert run("clean", twice, "--workers", 1) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("No picture: broken 0.jpg: is not an image that Pillow can read")
    assert lines[5] == "No picture: 3 more; --all lists them"
    assert sum(line.startswith("No picture") for line in lines) == 6


def test_clean_names_all_if_asked_to(twice, capsys):
    for number in range(8):
        (twice / f"broken {number}.jpg").write_bytes(f"no picture {number}".encode())
        copy(twice / "cats" / "image_0001.jpg", twice / f"copy {number}.jpg")
    assert run("clean", twice, "--workers", 1, "--all") == 0
    lines = capsys.readouterr().out.splitlines()
    assert sum(line.startswith("No picture") for line in lines) == 8
    assert sum(line.startswith("  move") for line in lines) == 9
    assert "more" not in "".join(lines)


def test_clean_counts_what_it_does_not_look_at(twice, capsys):
    shut = ["my.photoslibrary/e.plist", f"aside/{journal.JOURNAL}", "aside/f.mov"]
    seen = ["a.MOV", "b.mov", "cats/c.nef", "README"]
    for name in (*seen, ".hidden.mov", ".hidden/d.mov", *shut):
        (twice / name).parent.mkdir(exist_ok=True)
        (twice / name).touch()
    assert run("clean", twice) == 0
    line = "Not looked at: 4 other files (2 .mov, 1 .nef, 1 without a suffix)"
    assert line in capsys.readouterr().out.splitlines()


def test_a_card_is_cleaned_against_an_archive_in_which_nothing_moves(
    twice, photograph, tmp_path, capsys
):
    archive = tmp_path / "archive"
    for number in (1, 2):
        copy(twice / "dogs" / f"image_000{number + 3}.jpg", archive / f"2020/renamed {number}.jpg")
        copy(archive / "2020/renamed 1.jpg", archive / f"again {number}.jpg")
    before, there = everything(twice), everything(archive)
    said = refused(capsys, twice, "--keep", archive)
    assert said.endswith(f"is no folder inside {twice}; take --against {archive}\n")
    for wrong, sentence in ((twice / "cats", "lies inside"), (tmp_path / "none", "no such folder")):
        assert sentence in refused(capsys, twice, "--against", wrong)
    assert run("clean", twice, "--against", archive, "--apply") == 0
    assert capsys.readouterr().out.startswith("To move: 3 exact copies and 0 near copies")
    assert {path.name for path in before.keys() - everything(twice).keys()} == {
        *("image_0000.jpg", "image_0004.jpg", "image_0005.jpg")
    }
    assert everything(archive) == there
    assert run("clean", twice, "--undo") == 0
    assert everything(twice) == before


@pytest.mark.parametrize("here", ["in it", "beside it"])
def test_clean_moves_nothing_from_a_folder_that_is_to_be_kept(here, twice, capsys, monkeypatch):
    (twice / "kept").mkdir()
    for name in ("kept/a.jpg", "kept/b.jpg"):
        copy(twice / "cats" / "image_0001.jpg", twice / name, modified=2e9)
    monkeypatch.chdir(twice if here == "in it" else twice.parent)
    assert run("clean", twice, "--keep", "kept", "--keep", twice / "dogs", "--apply") == 0
    assert (twice / "kept" / "a.jpg").is_file()
    assert (twice / "kept" / "b.jpg").is_file()
    assert not (twice / "cats" / "image_0001.jpg").exists()
    capsys.readouterr()
    for wrong in ("nowhere", twice.parent, "kept/a.jpg"):
        assert run("clean", twice, "--keep", wrong) == 2
        assert "is no folder inside" in capsys.readouterr().err
    assert run("clean", twice, "--keep", "kept", "--undo") == 2
    assert run("clean", twice, "--undo") == 0


def test_clean_writes_a_plan_that_it_carries_out_and_undoes(twice, tmp_path, capsys):
    before = everything(twice)
    plan, sheet, place = tmp_path / "plan.csv", tmp_path / "sheet.html", tmp_path / "aside"
    assert run("clean", twice, "--plan", plan, "--sheet", sheet) == 0
    assert everything(twice) == before
    assert len(plans.read_plan(plan)) == 2
    assert sheet.read_text(encoding="utf-8").startswith("<!DOCTYPE html>")
    capsys.readouterr()
    assert run("clean", twice, "--plan", plan, "--quarantine", place, "--apply") == 0
    assert capsys.readouterr().out.splitlines()[1:] == [
        f"Moved to {place}: 1 file; --undo puts them back"
    ]
    assert (place / "cats" / "image_0000.jpg").is_file()
    assert len(everything(twice)) == len(before) - 1
    assert run("clean", twice, "--quarantine", place, "--undo") == 0
    assert capsys.readouterr().out == "Put back: 1 file\n"
    assert everything(twice) == before


@pytest.fixture
def decided(twice, photograph, tmp_path, capsys):
    """`decided("keep both")`: a plan, and that decision about its only near copy."""
    for name, side in (("large.jpg", 300), ("small.jpg", 200)):
        save(photograph(61, size=(side, side)), twice / name)
    plan, sheet = tmp_path / "plan.csv", tmp_path / "sheet.html"
    assert run("clean", twice, "--plan", plan, "--sheet", sheet) == 0
    page = re.search(r'data-page="([^"]+)"', sheet.read_text(encoding="utf-8"))[1]
    pair = re.search(r'data-key="([^"]+)"', sheet.read_text(encoding="utf-8"))[1]
    capsys.readouterr()

    def write(decision, pair=pair, page=page):
        row = [page, pair, decision, "Ann"]
        text = tables.as_csv(["page", "item", "decision", "judge"], [row], byte_order_mark=True)
        (tmp_path / "decisions.csv").write_text(text, encoding="utf-8")
        return "--plan", plan, "--decisions", tmp_path / "decisions.csv"

    return write


def test_what_was_decided_on_the_sheet_is_carried_out_and_the_plan_is_as_it_was(
    decided, twice, tmp_path, capsys
):
    words = decided("keep both")
    plan, before = (tmp_path / "plan.csv").read_bytes(), everything(twice)
    assert run("clean", twice, *words) == 0
    assert capsys.readouterr().out.startswith(
        "Decided: keep both: 1, the left one goes: 0, the right one goes: 0; "
        "not decided, so as proposed: 0.\nTo move: 1 exact copy and 0 near copies"
    )
    for choice, gone in (("left", "large"), ("right", "small")):
        assert run("clean", twice, *decided(f"the {choice} one goes"), "--apply") == 0
        assert len(everything(twice)) == len(before) - 2
        assert not (twice / f"{gone}.jpg").exists()
        assert run("clean", twice, "--undo") == 0
        assert everything(twice) == before
    assert (tmp_path / "plan.csv").read_bytes() == plan


@pytest.mark.parametrize(
    ("row", "sentence"),
    [
        (("keep some",), "line 2: says 'keep some'; write keep both or the left one"),
        (("keep both", "group 7"), "line 2: 'group 7' is not on the page"),
        (("keep both", "group 1, file 1", "page 1"), "line 2: was decided on another page"),
        (("",), "holds no decision"),
    ],
)
def test_decisions_that_are_wrong_are_refused_and_nothing_moves(
    row, sentence, decided, twice, capsys
):
    before = everything(twice)
    assert sentence in refused(capsys, twice, *decided(*row), "--apply")
    assert everything(twice) == before


def test_decisions_need_a_plan_that_is_there(decided, twice, tmp_path, capsys):
    words = decided("keep both")
    assert "name the plan too" in refused(capsys, twice, *words[2:])
    assert "cannot be read" in refused(capsys, twice, "--plan", tmp_path / "no.csv", *words[2:])
    assert "has no meaning beside --undo" in refused(capsys, twice, "--undo", *words[2:])


def test_apply_without_a_plan_makes_one(twice, capsys):
    assert run("clean", twice, "--apply") == 0
    assert (twice.parent / "photographs-quarantine" / "cats" / "image_0000.jpg").is_file()
    assert run("clean", twice, "--undo") == 0
    assert (twice / "cats" / "image_0000.jpg").is_file()


def test_an_edited_plan_is_never_written_over(twice, tmp_path, capsys):
    plan = tmp_path / "plan.csv"
    for text, sentence in (
        ("action;path;kept\n", "is there already; add --apply to carry it out, or name another"),
        ("a letter", "is there already and is no plan; name another file"),
    ):
        plan.write_text(text)
        assert sentence in refused(capsys, twice, "--plan", plan)
        assert plan.read_text() == text


def test_apply_says_what_it_left_alone(twice, tmp_path, capsys):
    assert run("clean", twice, "--plan", tmp_path / "plan.csv") == 0
    (twice / "cats" / "image_0000.jpg").write_bytes(b"other")
    assert run("clean", twice, "--plan", tmp_path / "plan.csv", "--apply") == 1
    assert capsys.readouterr().out.splitlines()[-1] == (
        "Left alone: cats/image_0000.jpg: has changed since the plan was made; scan again"
    )
    assert (twice / "cats" / "image_0000.jpg").read_bytes() == b"other"


# Bad input: exit status 2 and one sentence


@pytest.mark.parametrize(
    ("command", "sentence"),
    [
        ("{nowhere}", "no such folder"),
        ("{empty}", "holds no images"),
        ("{photos} --radius 65", "radius 65"),
        ("{photos} --undo", "is no quarantine folder"),
        ("{photos} --apply --plan {nowhere}", "cannot be read"),
        ("{photos} --apply --quarantine {photos}/cats", "lies inside"),
        ("{photos} --sheet {empty}", "is a folder; name a file in it"),
        ("{photos} --plan {text}/plan.csv", "could not be written"),
    ],
)
def test_bad_input_is_one_sentence(command, sentence, twice, tmp_path, capsys):
    (tmp_path / "empty").mkdir()
    (tmp_path / "text").touch()
    places = {name: tmp_path / name for name in ("nowhere", "empty", "text")} | {"photos": twice}
    before = everything(twice)
    assert run("clean", *(word.format(**places) for word in command.split())) == 2
    error = capsys.readouterr().err
    assert sentence in error
    assert error.count("\n") == 1
    assert everything(twice) == before


def test_apply_and_undo_at_once_is_not_understood(twice, capsys):
    with pytest.raises(SystemExit) as end:
        run("clean", twice, "--apply", "--undo")
    assert end.value.code == 2


def test_the_help_tells_the_radius_and_the_hash(capsys):
    with pytest.raises(SystemExit):
        run("clean", "--help")
    said = " ".join(capsys.readouterr().out.split())
    assert f"compared ({proposal.RADIUS})" in said
    assert "Fingerprints are dHash" in said


# What it prints, writes and refuses


def test_clean_prints_the_copies_and_why(twice, capsys):
    assert run("clean", twice) == 0
    _, title, *lines = capsys.readouterr().out.splitlines()
    assert title == "Group 1"
    plan = proposal.propose(inventory.scan(twice), twice)
    assert lines == [f"  {row.action}  {row.path}: {row.reason}" for row in plan.itertuples()]
    assert [line.split(":")[0] for line in lines] == [
        "  keep  twice.jpg",
        "  move  cats/image_0000.jpg",
    ]
    assert all(plan["reason"])


def test_clean_prints_the_first_groups_and_says_how_many_more_there_are(twice, capsys):
    for number in range(7):
        cat = sorted(twice.glob("*/*"))[number]
        shutil.copy2(
            cat, twice / f"{number}\x1b.jpg" if os.name != "nt" else twice / f"{number}.jpg"
        )
    for number in range(5):
        shutil.copy2(twice / "twice.jpg", twice / f"again {number}.jpg")
    assert run("clean", twice) == 0
    out = capsys.readouterr().out
    lines = out.splitlines()
    assert sum(line.startswith("Group ") for line in lines) == 5
    assert lines.count("  4 more files") == 1
    assert lines[-1] == "2 more groups; --all or --plan lists them, --sheet shows the pictures"
    assert len(lines) <= 1 + 5 * 6 + 1
    assert "\x1b" not in out


def test_apply_leaves_the_plan_beside_what_moved_and_undo_knows_it(twice, tmp_path, capsys):
    before, place = everything(twice), tmp_path / "photographs-quarantine"
    for plan in ("plan.csv", "plan-2.csv"):
        assert run("clean", twice, "--apply") == 0
        carried_out = plans.read_plan(place / plan)
        moves = carried_out[carried_out["action"] == "move"]
        assert all((place / path).is_file() for path in moves["path"])
        assert moves["reason"].str.len().gt(0).all()
        capsys.readouterr()
        assert run("clean", twice, "--undo") == 0
        assert capsys.readouterr().out == f"Put back: {counted(len(moves), 'file')}\n"
        shutil.copy2(twice / "dogs" / "image_0004.jpg", twice / "new.jpg")
    (twice / "new.jpg").unlink()
    assert everything(twice) == before


@pytest.mark.parametrize("option", ["--sheet", "--plan"])
@pytest.mark.parametrize("name", ["twice.jpg", "new.html", "cats/deeper/new.csv", "../alias/x.csv"])
def test_nothing_is_written_into_the_library(option, name, twice, capsys):
    if "alias" in name and os.name == "nt":
        pytest.skip("links need rights there")
    if "alias" in name:
        (twice.parent / "alias").symlink_to(twice / "cats")
    before = everything(twice.parent)
    assert "lies inside" in refused(capsys, twice, option, twice / name)
    assert everything(twice.parent) == before


def test_a_sheet_takes_the_place_of_a_sheet_and_of_nothing_else(twice, tmp_path, capsys):
    letter, sheet = tmp_path / "letter.html", tmp_path / "sheet.html"
    letter.write_text("<!DOCTYPE html><title>Dear</title>")
    (tmp_path / "db.csv").touch()
    before = everything(tmp_path)
    for target in (letter, tmp_path / "db.csv"):
        error = refused(capsys, twice, "--sheet", target)
        assert (
            error == f"{target}: is there already and is no page of decisions; name another file\n"
        )
    assert everything(tmp_path) == before
    assert run("clean", twice, "--sheet", sheet) == 0
    first = sheet.read_bytes()
    (twice / "twice.jpg").unlink()
    assert run("clean", twice, "--sheet", sheet) == 0
    assert sheet.read_bytes() != first


def test_a_plan_is_not_written_over_the_sheet_nor_the_sheet_over_the_plan(twice, tmp_path, capsys):
    both = tmp_path / "both"
    assert "is the same file as" in refused(capsys, twice, "--plan", both, "--sheet", both)
    assert not both.exists()


def test_a_radius_does_not_go_with_a_plan_that_is_made(twice, tmp_path, capsys):
    plan, before = tmp_path / "plan.csv", everything(twice)
    assert run("clean", twice, "--plan", plan, "--radius", 4) == 0
    capsys.readouterr()
    error = refused(capsys, twice, "--apply", "--plan", plan, "--radius", 8)
    assert "plan.csv: is there already, with its own radius; leave out --radius" in error
    assert everything(twice) == before


@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt", reason="pipes end otherwise there")
def test_what_nobody_reads_is_moved_all_the_same(twice, unread, tmp_path):
    place = tmp_path / "aside"
    code, error = unread("clean", twice, "--apply", "--quarantine", place)
    assert code == 0, error
    assert b"Traceback" not in error
    assert len([path for path in place.rglob("*.jpg") if path.is_file()]) == 1


def test_a_worker_that_is_killed_is_one_sentence(twice, capsys, monkeypatch):
    def killed(*arguments, **options):
        raise BrokenProcessPool

    monkeypatch.setattr(parallel.joblib, "Parallel", lambda **_: killed)
    error = refused(capsys, twice, "--workers", 2)
    assert error.startswith(
        "scanning: one of 2 processes was killed, most likely for want of memory"
    )


@pytest.mark.parametrize("workers", [0, -3])
def test_there_is_one_worker_at_least(workers, twice, capsys):
    error = refused(capsys, twice, "--workers", workers)
    assert error == f"--workers {workers}: is no number of processes; it starts at 1\n"


@pytest.mark.parametrize("option", [[], ["--undo"], ["--apply"]])
def test_a_whole_disk_is_one_sentence(option, tmp_path, capsys):
    assert "is a whole disk" in refused(capsys, tmp_path.anchor, *option)


@pytest.mark.skipif(os.name == "nt", reason="links need rights there")
def test_clean_passes_over_links_in_a_circle(twice, capsys):
    (twice / "circle.jpg").symlink_to("circle.jpg")
    assert run("clean", twice, "--apply") == 1
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("No picture: circle.jpg: is a link")
    assert any(line.startswith("Moved to ") and ": 1 file;" in line for line in lines)
    assert run("clean", twice, "--undo") == 0


@pytest.mark.parametrize(
    ("option", "sentence"),
    [
        (["--apply"], "nothing is lost. Run it again to go on, or with --undo to go back."),
        (["--undo"], "nothing is lost. Run it again to go on."),
    ],
)
def test_clean_that_is_stopped_between_two_names_tells_the_truth(
    option, sentence, twice, capsys, monkeypatch
):
    before, synchronise = everything(twice), journal.synchronise
    if option == ["--undo"]:
        assert run("clean", twice, "--apply") == 0

    def stopped(folder):
        synchronise(folder)
        if list(folder.glob("*.jpg")):  # one has come, or one is to go
            raise KeyboardInterrupt

    monkeypatch.setattr(journal, "synchronise", stopped)
    assert run("clean", twice, *option) == 130
    assert capsys.readouterr().err == f"Stopped; {sentence}\n"
    monkeypatch.setattr(journal, "synchronise", synchronise)
    assert run("clean", twice, "--undo") == 0
    assert everything(twice) == before


def test_nothing_is_written_into_a_quarantine_or_beside_undo(photographs, tmp_path, capsys):
    aside = tmp_path / "aside"
    for option in ("--plan", "--sheet"):
        said = refused(capsys, photographs, "--quarantine", aside, option, aside / "new.csv")
        assert "where nothing is written" in said
        said = refused(capsys, photographs, "--undo", option, tmp_path / "new.csv")
        assert "has no meaning beside --undo" in said
    assert not aside.exists()


def test_wrong_arguments_are_told_before_the_scan(photographs, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(inventory, "scan", lambda *_, **__: pytest.fail("scanned"))
    inside = photographs / "aside"
    assert "whole number of bits" in refused(capsys, photographs, "--radius", "65")
    assert "lies inside" in refused(capsys, photographs, "--apply", "--quarantine", inside)


def test_a_plan_that_came_during_the_scan_is_not_replaced(
    photographs, tmp_path, capsys, monkeypatch
):
    plan, propose = tmp_path / "plan.csv", proposal.propose

    def late(*arguments, **options):
        plan.write_text("mine")
        return propose(*arguments, **options)

    monkeypatch.setattr(proposal, "propose", late)
    assert "is there already and is no plan" in refused(capsys, photographs, "--plan", plan)
    assert plan.read_text() == "mine"
