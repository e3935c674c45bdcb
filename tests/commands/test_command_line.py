"""`python -m helpers gather | index | search`, as the article's readers type it."""

import os
import re
import shutil
import subprocess
import sys
from concurrent.futures.process import BrokenProcessPool

import pandas as pd
import pytest

from helpers import shelf
from helpers.__main__ import main
from helpers.files import parallel
from helpers.images.folders import find_images
from helpers.library import inventory, proposal
from helpers.quarantine import journal, plans


@pytest.fixture
def indexed(tmp_path, photographs, capsys):
    """A shelf of the photographs, made by the command."""
    path = tmp_path / "db.shelve"
    assert main(["index", "--dataset", str(photographs), "--shelve", str(path)]) == 0
    capsys.readouterr()
    return path


def run(*arguments):
    return main([str(argument) for argument in arguments])


def in_a_terminal(*arguments, **environment):
    """The same in a process of its own, whose standard output is what it is elsewhere."""
    return subprocess.run(
        [sys.executable, "-m", "helpers", *map(str, arguments)],
        capture_output=True,
        env={**os.environ, **environment},
        timeout=120,
    )


# What each command does


def test_gather_index_search_one_after_the_other(tmp_path, photographs, capsys):
    haystack, truth, path = tmp_path / "haystack", tmp_path / "truth.csv", tmp_path / "db.shelve"
    assert (
        run(
            "gather",
            "--input",
            photographs,
            "--output",
            haystack,
            "--csv",
            truth,
            "--needles",
            2,
            "--seed",
            3,
        )
        == 0
    )
    copies = pd.read_csv(truth)
    assert list(copies.columns) == ["needle", "copy", "factor", "width", "height"]
    assert copies["needle"].nunique() == 2
    assert set(copies["copy"]) == set(find_images(haystack)) - set(find_images(photographs))
    assert capsys.readouterr().out.splitlines() == [
        f"{haystack} holds 8 images and {len(copies)} copies of 2 of them.",
        f"The truth is in {truth}.",
    ]

    assert run("index", "--dataset", haystack, "--shelve", path) == 0
    listed, keys = 8 + len(copies), len(shelf.read(path))
    assert (
        capsys.readouterr().out
        == f"Read {listed} images; {path} lists {listed} under {keys} fingerprints.\n"
    )

    query = haystack / copies["needle"][0]
    assert (
        run("search", "--dataset", haystack, "--shelve", path, "--query", query, "--radius", 8) == 0
    )
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == f"Found {len(lines) - 1} images"
    assert lines[1] == f" 0  {copies['needle'][0]}"
    needed = {copies["needle"][0], *copies.loc[copies["needle"] == copies["needle"][0], "copy"]}
    assert {line[4:] for line in lines[1:]} == needed


def test_search_prints_a_line_for_each_match_with_distance_and_path(indexed, photographs, capsys):
    assert (
        run(
            "search",
            "-d",
            photographs,
            "-s",
            indexed,
            "-q",
            photographs / "cats" / "image_0002.jpg",
            "-r",
            64,
        )
        == 0
    )
    first, *lines = capsys.readouterr().out.splitlines()
    assert first == "Found 8 images"
    assert all(re.fullmatch(r"[ \d]\d  (cats|dogs)/image_\d{4}\.jpg", line) for line in lines)
    distances = [int(line[:2]) for line in lines]
    assert distances == sorted(distances)
    assert lines[0] == " 0  cats/image_0002.jpg"


def test_search_that_finds_nothing_ran_all_the_same(
    indexed, photographs, photograph, tmp_path, capsys
):
    photograph(99).save(tmp_path / "stranger.png")
    assert (
        run(
            "search",
            "--dataset",
            photographs,
            "--shelve",
            indexed,
            "--query",
            tmp_path / "stranger.png",
        )
        == 0
    )
    assert capsys.readouterr().out == "Found 0 images\n"


def test_the_same_seed_gives_the_same_truth_and_another_seed_another(tmp_path, photographs):
    def truth(name, *seed):
        file = tmp_path / f"{name}.csv"
        assert run("gather", "-i", photographs, "-o", tmp_path / name, "-c", file, *seed) == 0
        return file.read_bytes()

    assert (
        truth("first", "--seed", 5) == truth("second", "--seed", 5) != truth("third", "--seed", 6)
    )


def test_gather_passes_its_options_on(tmp_path, photographs):
    options = ["--needles", 1, "--factors", 1.2, 1.3, "--format", "png"]
    assert (
        run(
            "gather",
            "-i",
            photographs,
            "-o",
            tmp_path / "out",
            "-c",
            tmp_path / "truth.csv",
            *options,
        )
        == 0
    )
    copies = pd.read_csv(tmp_path / "truth.csv")
    assert copies["factor"].between(1.2, 1.3).all()
    assert copies["copy"].str.endswith(".png").all()


def test_index_again_reads_only_what_is_new_and_names_what_it_leaves_out(
    indexed, photographs, photograph, capsys
):
    photograph(50).save(photographs / "new.jpg")
    (photographs / "broken.jpg").write_bytes(b"no picture")
    assert run("index", "--dataset", photographs, "--shelve", indexed) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("Left out: broken.jpg: is not an image that Pillow can read; ")
    assert lines[1:] == [f"Read 1 images; {indexed} lists 9 under 9 fingerprints."]


@pytest.mark.parametrize("option", [["--fast"], ["--no-rotate"], ["--background", "black"]])
def test_a_query_read_otherwise_than_the_shelf_is_refused(option, indexed, photographs, capsys):
    query = photographs / "cats" / "image_0000.jpg"
    assert run("search", "-d", photographs, "-s", indexed, "-q", query, *option) == 2
    assert "their fingerprints cannot be compared" in capsys.readouterr().err


def test_a_query_read_as_the_shelf_needs_no_option(tmp_path, photographs, capsys):
    path = tmp_path / "other.shelve"
    assert (
        run(
            "index", "-d", photographs, "-s", path, "--fast", "--no-rotate", "--background", "black"
        )
        == 0
    )
    assert (
        run("search", "-d", photographs, "-s", path, "-q", photographs / "cats" / "image_0000.jpg")
        == 0
    )
    assert " 0  cats/image_0000.jpg" in capsys.readouterr().out


@pytest.mark.parametrize("name", ["grid.png", "grid.pdf", "my grid.svg"])
def test_search_draws_a_grid(name, indexed, photographs, tmp_path):
    query = photographs / "cats" / "image_0000.jpg"
    assert (
        run("search", "-d", photographs, "-s", indexed, "-q", query, "--save-grid", tmp_path / name)
        == 0
    )
    assert (tmp_path / name).stat().st_size > 1000


def test_search_draws_a_grid_where_nothing_was_found(indexed, photographs, photograph, tmp_path):
    photograph(99).save(tmp_path / "stranger.png")
    grid = tmp_path / "grid.png"
    assert (
        run(
            "search",
            "-d",
            photographs,
            "-s",
            indexed,
            "-q",
            tmp_path / "stranger.png",
            "--save-grid",
            grid,
        )
        == 0
    )
    assert grid.read_bytes().startswith(b"\x89PNG")


# Bad input: exit status 2 and one sentence

BAD_INPUT = [
    ("search -d {nowhere} -s {shelf} -q {query}", "nowhere: no such folder"),
    ("search -d {photographs} -s {nowhere} -q {query}", "nowhere: no such shelf"),
    ("search -d {photographs} -s {query} -q {query}", "is not a shelf"),
    ("search -d {photographs} -s {shelf} -q {nowhere}", "nowhere: no such file"),
    ("search -d {photographs} -s {shelf} -q {photographs}", "is a folder, not an image"),
    ("search -d {photographs} -s {shelf} -q {broken}", "ends before its picture does"),
    ("search -d {photographs} -s {shelf} -q {text}", "is not an image"),
    (
        "search -d {photographs} -s {shelf} -q {query} --radius -1",
        "a whole number of bits from 0 to 64",
    ),
    (
        "search -d {photographs} -s {shelf} -q {query} --radius 65",
        "a whole number of bits from 0 to 64",
    ),
    ("search -d {photographs} -s {shelf} -q {query} --save-grid {new}.xyz", "end the name in .png"),
    (
        "search -d {photographs} -s {shelf} -q {query} --save-grid {nowhere}/grid.png",
        "could not be written",
    ),
    ("index -d {nowhere} -s {new}", "nowhere: no such folder"),
    ("index -d {text} -s {new}", "is a file, not a folder"),
    ("index -d {empty} -s {new}", "holds no images"),
    ("index -d {photographs} -s {text}/db.shelve", "could not be written"),
    ("index -d {photographs} -s {query}", "is not a shelf"),
    ("index -d {photographs} -s {shelf} --fast", "cannot be compared"),
    ("gather -i {nowhere} -o {new} -c {csv}", "nowhere: no such folder"),
    ("gather -i {empty} -o {new} -c {csv}", "holds no images"),
    (
        "gather -i {photographs} -o {photographs}/haystack -c {csv}",
        "lies inside the dataset or around it",
    ),
    (
        "gather -i {photographs} -o {photographs}/.. -c {csv}",
        "lies inside the dataset or around it",
    ),
    ("gather -i {photographs} -o {text} -c {csv}", "is there already and is no haystack"),
    ("gather -i {photographs} -o {text}/haystack -c {csv}", "could not be written"),
    ("gather -i {photographs} -o {new} -c {text}/truth.csv", "could not be written"),
    ("gather -i {photographs} -o {new} -c {empty}", "could not be written"),
    ("gather -i {photographs} -o {new} -c {csv} --needles 0", "both numbers start at 1"),
    ("gather -i {photographs} -o {new} -c {csv} --quality 101", "JPEG quality runs from 1 to 95"),
    ("gather -i {photographs} -o {new} -c {csv} --factors 1.1 0.9", "the smaller one first"),
    ("gather -i {photographs} -o {new} -c {csv} --article", "17"),
    ("gather -i {aeroplanes} -o {new} -c {csv} --article", "the article's 17 images are not in it"),
]


@pytest.fixture
def places(tmp_path, photographs, indexed):
    query = photographs / "cats" / "image_0000.jpg"
    (tmp_path / "text.txt").write_text("no image, no folder, no shelf")
    (tmp_path / "broken.jpg").write_bytes(query.read_bytes()[:700])
    (tmp_path / "empty").mkdir()
    for number in range(
        551, 571
    ):  # part of CALTECH-101: one of the article's 17, and enough others
        image = tmp_path / "aeroplanes" / "airplanes" / f"image_{number:04}.jpg"
        image.parent.mkdir(parents=True, exist_ok=True)
        image.write_bytes(query.read_bytes())
    return {
        "photographs": photographs,
        "query": query,
        "shelf": indexed,
        "nowhere": tmp_path / "nowhere",
        "new": tmp_path / "new",
        "csv": tmp_path / "truth.csv",
        "empty": tmp_path / "empty",
        "text": tmp_path / "text.txt",
        "broken": tmp_path / "broken.jpg",
        "aeroplanes": tmp_path / "aeroplanes",
    }


@pytest.mark.parametrize(("command", "sentence"), BAD_INPUT)
def test_bad_input_is_one_sentence(command, sentence, places, tmp_path, capsys):
    assert run(*(word.format(**places) for word in command.split())) == 2
    error = capsys.readouterr().err
    assert sentence in error
    assert error.count("\n") == 1, "one line"
    assert not [path for path in tmp_path.rglob(".*")], "nothing half-finished"
    assert len(shelf.read(places["shelf"])) == 8, "the shelf is as it was"


@pytest.mark.parametrize(
    "command", ["", "find", "index", "search -d here", "search -d a -s b -q c --radius two"]
)
def test_a_command_that_is_not_understood_ends_with_2_and_the_usage(command, capsys):
    with pytest.raises(SystemExit) as end:
        run(*command.split())
    assert end.value.code == 2
    assert capsys.readouterr().err.startswith("usage: python -m helpers")


def test_a_csv_that_could_not_be_written_can_be_had_by_asking_again(places, tmp_path):
    gather = ["gather", "-i", places["photographs"], "-o", places["new"]]
    assert run(*gather, "-c", places["empty"]) == 2
    assert run(*gather, "-c", places["csv"]) == 0
    assert places["csv"].read_bytes() == (places["new"] / "truth.csv").read_bytes()


def test_stopping_with_control_c_is_one_sentence(photographs, tmp_path, capsys, monkeypatch):
    def stopped(*arguments, **keywords):
        raise KeyboardInterrupt

    monkeypatch.setattr(shelf, "build", stopped)
    assert run("index", "-d", photographs, "-s", tmp_path / "db") == 130
    assert capsys.readouterr().err.startswith("Stopped; ")


# Clean


@pytest.fixture
def twice(photographs, data_folder):
    """A photo library in which one picture is there twice."""
    shutil.copy2(photographs / "cats" / "image_0000.jpg", photographs / "twice.jpg")
    return photographs


def everything(folder):
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def refused(capsys, *arguments):
    """The one sentence."""
    assert run("clean", *arguments) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    return error


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
        assert capsys.readouterr().out == f"Put back: {len(moves)} files\n"
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
    before = everything(tmp_path)
    for target in (letter, tmp_path / "db.csv"):
        target.touch()
        error = refused(capsys, twice, "--sheet", target)
        assert error == f"{target}: is there already and is no contact sheet; name another file\n"
    assert everything(tmp_path) == {**before, tmp_path / "db.csv": b""}
    assert run("clean", twice, "--sheet", sheet) == 0
    first = sheet.read_bytes()
    (twice / "twice.jpg").unlink()
    assert run("clean", twice, "--sheet", sheet) == 0
    assert sheet.read_bytes() != first


def test_a_plan_is_not_written_over_the_sheet_nor_the_sheet_over_the_plan(twice, tmp_path, capsys):
    both = tmp_path / "both"
    assert "is no contact sheet" in refused(capsys, twice, "--plan", both, "--sheet", both)
    assert len(plans.read_plan(both)) == 2


def test_a_radius_does_not_go_with_a_plan_that_is_made(twice, tmp_path, capsys):
    plan, before = tmp_path / "plan.csv", everything(twice)
    assert run("clean", twice, "--plan", plan, "--radius", 4) == 0
    capsys.readouterr()
    error = refused(capsys, twice, "--apply", "--plan", plan, "--radius", 8)
    assert "plan.csv: is there already, with its own radius; leave out --radius" in error
    assert everything(twice) == before


@pytest.mark.parametrize(
    "words",
    [
        ["clean", ""],
        ["clean", "{photos}", "--apply", "--plan", ""],
        ["clean", "{photos}", "--apply", "--plan="],
        ["clean", "{photos}", "--quarantine", "", "--apply"],
        ["gather", "-i", "{photos}", "-o", "", "-c", "truth.csv"],
    ],
)
def test_a_variable_that_is_not_set_does_nothing(words, twice, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(twice)
    before = everything(tmp_path)
    assert main([word.format(photos=twice) for word in words]) == 2
    error = capsys.readouterr().err
    assert ": is empty, as a variable is that is not set" in error
    assert error.count("\n") == 1
    assert everything(tmp_path) == before


@pytest.mark.parametrize(
    "command",
    [
        "clean {long}",
        "clean {photos} --apply --quarantine {long}",
        "clean {photos} --undo --quarantine {long}",
        "clean {photos} --plan {long}",
        "index -d {photos} -s {long}",
        "search -d {photos} -s {long} -q {long}",
        "gather -i {photos} -o {long} -c truth.csv",
        "gate ask -b {long} {long}",
    ],
)
def test_a_name_that_is_too_long_is_one_sentence(command, twice, tmp_path, capsys):
    before = everything(twice)
    places = {"photos": twice, "long": tmp_path / ("a" * 300)}
    assert main([word.format(**places) for word in command.split()]) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert "aaa" in error
    assert everything(twice) == before


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
    assert run("clean", twice, "--apply") == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("No picture: circle.jpg: is a link")
    assert any(line.startswith("Moved to ") and ": 1 files;" in line for line in lines)
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
    before, synchronise = everything(twice), journal._synchronise
    if option == ["--undo"]:
        assert run("clean", twice, "--apply") == 0

    def stopped(folder):
        synchronise(folder)
        if list(folder.glob("*.jpg")):  # one has come, or one is to go
            raise KeyboardInterrupt

    monkeypatch.setattr(journal, "_synchronise", stopped)
    assert run("clean", twice, *option) == 130
    assert capsys.readouterr().err == f"Stopped; {sentence}\n"
    monkeypatch.setattr(journal, "_synchronise", synchronise)
    assert run("clean", twice, "--undo") == 0
    assert everything(twice) == before


# In a terminal of its own


@pytest.mark.parametrize("encoding", ["ascii", "cp1252", "utf-8"])
def test_names_that_the_terminal_cannot_show_are_shown_all_the_same(
    encoding, photographs, tmp_path
):
    name = "Кот и 猫 façade.jpg"
    (photographs / "cats" / "image_0000.jpg").rename(photographs / name)
    (photographs / "вroken.jpg").write_bytes(b"no picture")
    shown = {"ascii": "backslashreplace", "cp1252": "backslashreplace", "utf-8": "strict"}[encoding]
    for arguments, line in (
        (
            ["index", "-d", photographs, "-s", tmp_path / "db"],
            "Left out: вroken.jpg: is not an image",
        ),
        (
            ["search", "-d", photographs, "-s", tmp_path / "db", "-q", photographs / name],
            f" 0  {name}",
        ),
    ):
        ended = in_a_terminal(*arguments, PYTHONIOENCODING=encoding, PYTHONUTF8="0")
        assert ended.returncode == 0, ended.stderr.decode()
        assert line.encode(encoding, shown) in ended.stdout


def test_a_sentence_goes_to_standard_error_without_a_traceback(tmp_path, photographs):
    missing = tmp_path / "кот.shelve"
    query = photographs / "cats" / "image_0000.jpg"
    ended = in_a_terminal(
        "search", "-d", photographs, "-s", missing, "-q", query, PYTHONIOENCODING="ascii"
    )
    assert (ended.returncode, ended.stdout) == (2, b"")
    assert b"no such shelf" in ended.stderr
    assert b"Traceback" not in ended.stderr
    assert ended.stderr.count(b"\n") == 1


@pytest.mark.parametrize("command", ["gather", "index", "search"])
def test_help_names_what_the_article_names(command, capsys):
    with pytest.raises(SystemExit) as end:
        run(command, "--help")
    assert end.value.code == 0
    text = capsys.readouterr().out
    needed = {
        "gather": ["--input DIR", "--output DIR", "--csv FILE", "--seed N", "--article"],
        "index": ["--dataset DIR", "--shelve FILE"],
        "search": [
            "--dataset DIR",
            "--shelve FILE",
            "--query IMAGE",
            "--radius R",
            "--save-grid PNG",
        ],
    }
    assert all(words in text for words in needed[command])


def test_a_grid_is_drawn_whatever_the_names_are(photographs, tmp_path, capfd):
    folder = tmp_path / "photos"
    folder.mkdir()
    name = "写真 a$_$.jpg"
    shutil.copy(photographs / find_images(photographs)[0], folder / name)
    assert main(["index", "-d", str(folder), "-s", str(tmp_path / "db")]) == 0
    search = ["search", "-d", str(folder), "-s", str(tmp_path / "db"), "-q", str(folder / name)]
    assert main([*search, "--save-grid", str(tmp_path / "grid.png")]) == 0
    assert (tmp_path / "grid.png").stat().st_size > 1000
    assert "warn" not in capfd.readouterr().err.lower()


def test_a_search_in_a_folder_that_was_not_indexed_says_so(photographs, tmp_path, capsys):
    assert main(["index", "-d", str(photographs), "-s", str(tmp_path / "db")]) == 0
    query = str(photographs / find_images(photographs)[0])
    other = tmp_path / "other"
    other.mkdir()
    assert main(["search", "-d", str(other), "-s", str(tmp_path / "db"), "-q", query]) == 0
    assert "or it is not the folder that was indexed" in capsys.readouterr().err


def test_nothing_is_written_into_a_quarantine_or_beside_undo(photographs, tmp_path, capsys):
    aside = tmp_path / "aside"
    for option in ("--plan", "--sheet"):
        said = refused(capsys, photographs, "--quarantine", aside, option, aside / "new.csv")
        assert "where nothing is written" in said
        said = refused(capsys, photographs, "--undo", option, tmp_path / "new.csv")
        assert "has no meaning beside --undo" in said
    assert not aside.exists()


def test_wrong_arguments_are_told_before_the_scan(photographs, tmp_path, capsys, monkeypatch):
    from helpers.library import inventory

    monkeypatch.setattr(inventory, "scan", lambda *_, **__: pytest.fail("scanned"))
    inside = photographs / "aside"
    assert "whole number of bits" in refused(capsys, photographs, "--radius", "65")
    assert "lies inside" in refused(capsys, photographs, "--apply", "--quarantine", inside)


def test_a_plan_that_came_during_the_scan_is_not_replaced(
    photographs, tmp_path, capsys, monkeypatch
):
    from helpers.library import proposal

    plan, propose = tmp_path / "plan.csv", proposal.propose

    def late(*arguments, **options):
        plan.write_text("mine")
        return propose(*arguments, **options)

    monkeypatch.setattr(proposal, "propose", late)
    assert "has come meanwhile" in refused(capsys, photographs, "--plan", plan)
    assert plan.read_text() == "mine"
