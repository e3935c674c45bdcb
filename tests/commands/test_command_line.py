"""`python -m helpers gather | index | search`, as the article's readers type it."""

import errno
import os
import re
import shutil
import signal
import subprocess
import sys

import pandas as pd
import pytest
from inputs import everything
from PIL import Image

from helpers import shelf
from helpers.__main__ import main
from helpers.files.atomic import PARTIAL, unique_partial
from helpers.files.places import counted
from helpers.fingerprints.variants import orientations
from helpers.images.folders import find_images


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
    sentence = f"Read {listed} images; {path} lists {listed} under {keys} fingerprints.\n"
    assert capsys.readouterr().out == sentence

    query = haystack / copies["needle"][0]
    assert (
        run("search", "--dataset", haystack, "--shelve", path, "--query", query, "--radius", 8) == 0
    )
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == f"Found {counted(len(lines) - 1, 'image')}"
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


def turned_query(tmp_path, photographs, method):
    """A lossless copy of a picture of the shelf that was turned or mirrored."""
    with Image.open(photographs / "cats" / "image_0002.jpg") as picture:
        picture.transpose(method).save(tmp_path / "turned.png")
    return tmp_path / "turned.png"


@pytest.mark.parametrize(
    "method, orientation",  # as the query has to be turned to be the picture of the shelf
    [
        ("ROTATE_90", "turned by 270 degrees"),
        ("ROTATE_180", "turned by 180 degrees"),
        ("FLIP_LEFT_RIGHT", "mirrored left-right"),
        ("TRANSVERSE", "mirrored at the rising diagonal"),
    ],
)
def test_search_finds_a_turned_or_mirrored_copy_if_asked_to(
    method, orientation, indexed, photographs, tmp_path, capsys
):
    query = turned_query(tmp_path, photographs, Image.Transpose[method])
    before = {file: file.read_bytes() for file in tmp_path.glob("db.shelve*")}
    about = ["search", "-d", photographs, "-s", indexed, "-q", query]
    assert run(*about) == 0
    assert capsys.readouterr().out == "Found 0 images\n"
    assert run(*about, "--turned") == 0
    first, match, cost = capsys.readouterr().out.splitlines()
    assert first == "Found 1 image"
    assert match == f" 0  cats/image_0002.jpg  ({orientation})"
    # none of the 8 fingerprints is near another: fewer than 3 / 8 a query, at 95 %
    assert cost == (
        "Asked in 8 orientations: up to 8 times as many false matches; on average fewer than 0.375 "
        "other images of this shelf (copies, too) lie within 0 bits of one, so expect up to 3 a query"
    )
    assert {file: file.read_bytes() for file in tmp_path.glob("db.shelve*")} == before


def test_search_turned_lists_each_image_once_and_counts_what_it_costs(
    photographs, tmp_path, capsys
):
    shutil.copy(photographs / "cats" / "image_0002.jpg", photographs / "copy.jpg")
    path = tmp_path / "db.shelve"
    assert run("index", "-d", photographs, "-s", path) == 0
    capsys.readouterr()
    query = photographs / "cats" / "image_0002.jpg"
    assert run("search", "-d", photographs, "-s", path, "-q", query, "-r", 64, "--turned") == 0
    first, *matches, cost = capsys.readouterr().out.splitlines()
    assert first == "Found 9 images"
    assert matches[:2] == [
        " 0  cats/image_0002.jpg  (as it is)",
        " 0  copy.jpg  (as it is)",
    ]
    distances = [int(line[:2]) for line in matches]
    assert distances == sorted(distances)
    assert len({line.split("  (")[0][4:] for line in matches}) == 9
    assert "on average 8 other images" in cost  # each of the 8 fingerprints has all 9, less itself
    assert "so expect up to 64 a query" in cost


def test_search_turned_takes_the_nearest_orientation(indexed, photographs, capsys):
    stored = shelf.read(indexed)
    query = photographs / "dogs" / "image_0005.jpg"
    with Image.open(query) as picture:
        values = orientations(picture)
    assert run("search", "-d", photographs, "-s", indexed, "-q", query, "-r", 64, "--turned") == 0
    nearest = {
        path: min(int(value ^ int(key, 16)).bit_count() for value in map(int, values))
        for key, paths in stored.items()
        for path in paths
    }
    lines = capsys.readouterr().out.splitlines()[1:-1]
    assert {line[4:].split("  (")[0]: int(line[:2]) for line in lines} == nearest


def test_search_turned_says_which_hash_it_needs(photographs, tmp_path, capsys):
    path = tmp_path / "other.shelve"
    assert run("index", "-d", photographs, "-s", path, "--hash", "phash") == 0
    query = photographs / "cats" / "image_0000.jpg"
    assert run("search", "-d", photographs, "-s", path, "-q", query, "--turned") == 2
    told = capsys.readouterr().err
    assert "--turned asks by dhash alone, not by phash; leave it out, or index by dhash" in told
    assert run("search", "-d", photographs, "-s", path, "-q", query) == 0


def test_search_turned_in_an_empty_shelf_finds_nothing(photographs, tmp_path, capsys):
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "broken.jpg").write_bytes(b"no picture")
    path = tmp_path / "none.shelve"
    assert run("index", "-d", tmp_path / "broken", "-s", path) == 1
    capsys.readouterr()
    query = photographs / "cats" / "image_0000.jpg"
    assert run("search", "-d", tmp_path / "broken", "-s", path, "-q", query, "--turned") == 0
    assert capsys.readouterr().out == "Found 0 images\n"


@pytest.mark.slow
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
    assert run("index", "--dataset", photographs, "--shelve", indexed) == 1
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("Left out: broken.jpg: is not an image that Pillow can read; ")
    assert lines[1:] == [f"Read 1 image; {indexed} lists 9 under 9 fingerprints."]


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
        "search -d {photographs} -s {shelf} -q {query} --save-grid {text}/grid.png",
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
        "lies inside",
    ),
    (
        "gather -i {photographs} -o {photographs}/.. -c {csv}",
        "lies around",
    ),
    ("gather -i {photographs} -o {text} -c {csv}", "is there already and is no haystack"),
    ("gather -i {photographs} -o {text}/haystack -c {csv}", "could not be written"),
    ("gather -i {photographs} -o {new} -c {text}/truth.csv", "could not be written"),
    ("gather -i {photographs} -o {new} -c {empty}", "is a folder; name a file in it"),
    ("gather -i {photographs} -o {new} -c {text}", "is there already and is no truth of gather"),
    ("gather -i {photographs} -o {new} -c {query}", "lies inside"),
    ("gather -i {photographs} -o {new} -c {new}/truth.csv", "lies inside"),
    ("search -d {photographs} -s {shelf} -q {query} --save-grid {query}", "is the same file as"),
    ("search -d {photographs} -s {shelf} -q {query} --save-grid {broken}", "is no grid of search"),
    ("index -d {photographs} -s {text} --replace", "is not a shelf"),
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


@pytest.mark.parametrize("words", ["search {} -d a -s b -q c", "{}", "search -d a -s b -q c -r {}"])
def test_a_word_that_is_not_understood_is_printed_without_orders_to_the_terminal(words, capsys):
    with pytest.raises(SystemExit):
        run(*words.format("\033[31mred").split())
    error = capsys.readouterr().err
    assert "red" in error
    assert error.replace("\n", "").isprintable()


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


# Names that are none


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
def test_a_variable_that_is_not_set_does_nothing(
    words, photographs, data_folder, tmp_path, capsys, monkeypatch
):
    monkeypatch.chdir(photographs)
    before = everything(tmp_path)
    assert main([word.format(photos=photographs) for word in words]) == 2
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
def test_a_name_that_is_too_long_is_one_sentence(
    command, photographs, data_folder, tmp_path, capsys
):
    shutil.copy(photographs / "cats" / "image_0000.jpg", photographs / "twice.jpg")
    before = everything(photographs)
    places = {"photos": photographs, "long": tmp_path / ("a" * 300)}
    assert main([word.format(**places) for word in command.split()]) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert "aaa" in error
    assert everything(photographs) == before


@pytest.mark.parametrize("name", [".", "/", "./", ".."])
@pytest.mark.parametrize(
    "command",
    [
        "index -d {photos} -s {name}",
        "search -d {photos} -s {name} -q {photos}/cats/image_0000.jpg",
        "gather -i {photos} -o new -c {name}",
        "gather -i {photos} -o {name} -c truth.csv",
        "clean {photos} --plan {name}",
        "clean {photos} --sheet {name}",
        "gate export -b {name} --csv {name}",
    ],
)
def test_a_name_that_ends_without_a_last_part_is_one_sentence(
    command, name, photographs, data_folder, tmp_path, capsys, monkeypatch
):
    monkeypatch.chdir(data_folder)
    before = everything(tmp_path)
    words = [word.format(photos=photographs, name=name) for word in command.split()]
    assert main(words) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert re.search("is a .*folder|lies around|ends without a name|add the name", error)
    assert everything(tmp_path) == before


def test_a_data_folder_of_somebody_who_is_not_known_is_one_sentence(
    photographs, capsys, monkeypatch
):
    monkeypatch.setenv("FINGERPRINTS_DATA", "~nosuchuser/x")
    assert run("clean", photographs) == 2
    assert capsys.readouterr().err.startswith("FINGERPRINTS_DATA is '~nosuchuser/x': ")


@pytest.mark.skipif(os.name == "nt", reason="links need a permission there")
@pytest.mark.parametrize("words", ["clean circle", "index -d circle -s db"])
def test_a_link_in_a_circle_is_one_sentence(words, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "circle").symlink_to("circle")
    assert run(*words.split()) == 2
    error = capsys.readouterr().err
    assert error.startswith("circle: is a link that leads nowhere")
    assert error.count("\n") == 1


@pytest.mark.skipif(os.name == "nt", reason="links need a permission there")
def test_where_nothing_can_be_remembered_clean_says_so_and_goes_on(
    photographs, tmp_path, capsys, monkeypatch
):
    (tmp_path / "circle").symlink_to("circle")
    monkeypatch.setenv("FINGERPRINTS_DATA", str(tmp_path / "circle"))
    assert run("clean", photographs) == 0
    assert "What was found is not remembered: " in capsys.readouterr().out


# Names that hold orders to the terminal


@pytest.mark.skipif(os.name == "nt", reason="there are no such names")
def test_every_name_is_printed_on_one_line_and_without_orders_to_the_terminal(
    photographs, tmp_path, capsys, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    odd = "\033]0;owned\007\033[2Jx\nFound 0 images\n"
    (photographs / "cats").rename(photographs / odd)
    (photographs / f"{odd}.jpg").write_bytes(b"no picture")
    query = photographs / odd / "image_0000.jpg"
    gather = ["gather", "-i", photographs, "-c", odd]
    assert run("index", "-d", photographs, "-s", odd) == 1
    assert run("search", "-d", photographs, "-s", odd, "-q", query) == 0
    query.rename(tmp_path / "gone.jpg")
    assert run("search", "-d", photographs, "-s", odd, "-q", tmp_path / "gone.jpg") == 0
    assert run(*gather, "-o", f"{odd}2", "--needles", 9) == 0
    assert run(*gather, "-o", f"{odd}2", "--needles", 9, "--seed", 1) == 2
    assert run("search", "-d", odd, "-s", odd, "-q", query) == 2
    shown = capsys.readouterr()
    for text in shown:
        assert text.replace("\n", "").isprintable()
    assert not [line for line in shown.out.splitlines() if line.startswith("Found 0")]
    assert sum("owned" in line for line in shown.out.splitlines()) == 7  # a line for each name


# A disk that is full, and another process that is at work


def test_a_grid_is_written_whole_or_not_at_all(indexed, photographs, tmp_path, capsys, monkeypatch):
    def no_room(handle):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", no_room)
    query, grid = photographs / "cats" / "image_0000.jpg", tmp_path / "grid.png"
    before = everything(tmp_path)
    words = ["search", "-d", photographs, "-s", indexed, "-q", query, "--save-grid", grid]
    assert run(*words) == 2
    error = capsys.readouterr().err
    assert (
        error
        == f"{grid}: could not be written (No space left on device); make room there, or choose another folder that you may write to\n"
    )
    assert everything(tmp_path) == before


@pytest.mark.parametrize("option", ["--save-grid", "--csv", "--sheet"])
def test_what_a_killed_run_left_beside_an_output_is_cleared(option, indexed, photographs, tmp_path):
    output = tmp_path / "grid.png"
    unique_partial(output).write_bytes(b"half")
    query = photographs / "cats" / "image_0000.jpg"
    words = {
        "--save-grid": ["search", "-d", photographs, "-s", indexed, "-q", query],
        "--csv": ["gather", "-i", photographs, "-o", tmp_path / "hay", "--needles", "1"],
        "--sheet": ["clean", photographs],
    }
    assert run(*words[option], option, output) == 0
    assert output.is_file()
    assert not [path for path in tmp_path.iterdir() if path.name.endswith(PARTIAL)]


def test_no_memory_is_one_sentence(photographs, tmp_path, capsys, monkeypatch):
    def no_memory(*arguments, **keywords):
        raise MemoryError

    monkeypatch.setattr(shelf, "build", no_memory)
    assert run("index", "-d", photographs, "-s", tmp_path / "db") == 2
    assert capsys.readouterr().err.startswith("there is not enough memory; ")


# In a terminal of its own


@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt", reason="control-C comes otherwise there")
@pytest.mark.parametrize(
    "module",
    [
        "helpers.commands.terminal",
        "helpers.files.guard",
        "helpers.files.places",
        "numpy._core._multiarray_umath",
        "numpy",
        "pandas._libs.tslibs.timestamps",
        "pandas",
        "helpers.shelf",
    ],
)
def test_control_c_while_modules_are_imported_leaves_no_traceback(module, photographs, tmp_path):
    """Python tells of each module once it is imported, so the test knows when."""
    words = ["index", "-d", str(photographs), "-s", str(tmp_path / "db")]
    with subprocess.Popen(
        [sys.executable, "-X", "importtime", "-m", "helpers", *words],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        for line in process.stderr:
            if line.rpartition("|")[2].strip() == module:
                process.send_signal(signal.SIGINT)
                break
        rest = process.stderr.read()
    assert process.returncode == 130
    lines = [line for line in rest.splitlines() if not line.startswith("import time:")]
    assert len(lines) == 1
    assert lines[0].startswith("Stopped")


@pytest.mark.slow
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
        assert ended.returncode == (arguments[0] == "index"), ended.stderr.decode()
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


def test_white_icons_are_told_to_be_plain_until_they_lie_on_another_background(tmp_path, capsys):
    icons, shelve, flat = tmp_path / "icons", str(tmp_path / "shelf"), "transparent image"
    icons.mkdir()
    for name, box in (("bar", (10, 40, 86, 56)), ("post", (40, 10, 56, 86))):
        icon = Image.new("RGBA", (96, 96), (255, 255, 255, 0))
        icon.paste("white", box)
        icon.save(icons / f"{name}.png")
    Image.new("RGB", (96, 96), "white").save(icons / "wall.png")
    where = ["--dataset", str(icons), "--shelve", shelve]
    asked = ["search", *where, "--query", str(icons / "bar.png")]
    assert main(["index", *where]) == 0
    assert capsys.readouterr().out.startswith(f"2 {flat}s, as bar.png: plain once laid on white, ")
    assert main(asked) == 0
    told = capsys.readouterr().out
    assert "Found 3 images" in told
    assert f"1 {flat} (" in told
    assert "bar.png): plain once laid on white, like any plain picture; index and search" in told
    assert main(["index", *where, "--background", "grey", "--replace"]) == 0
    assert main([*asked, "--background", "grey"]) == 0
    told = capsys.readouterr().out
    assert "lists 3 under 3 fingerprints" in told
    assert "Found 1 image\n" in told
    assert flat not in told


def test_a_shelf_of_a_narrow_hash_may_be_made_anew(photographs, tmp_path):
    where = ["--dataset", str(photographs), "--shelve", str(tmp_path / "shelf")]
    for hash in ("colorhash", "dhash"):
        assert main(["index", *where, "--hash", hash, "--replace"]) == 0
