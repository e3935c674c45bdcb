"""What is written by name replaces nothing but what the kit wrote; small files are read without waiting."""

import os
import shutil
from pathlib import Path
from unittest import mock

import numpy as np
import pandas as pd
import pytest

from helpers import Problem, shelf
from helpers.__main__ import main
from helpers.experiments import measuring, report, runs
from helpers.files import guard
from helpers.files.guard import KINDS, check_output, read_input
from helpers.gate.bank import Bank
from helpers.library import inventory, proposal, sheet
from helpers.quarantine import plans
from helpers.truth import near_duplicates

FILES_OF_0_1 = Path(__file__).parents[1] / "files_of_0_1"
needs_links = pytest.mark.skipif(os.name == "nt", reason="links need rights there")
every_kind = pytest.mark.parametrize("kind", KINDS)


def plan_of(photographs):
    return proposal.propose(inventory.scan(photographs, workers=1), photographs, 8, workers=1)


def write_bank(photographs, target):
    with Bank(target.with_name("a.bank"), make=True) as bank:
        bank.flag(np.uint64(0x123456789ABCDEF0), "stolen")
        bank.write_csv(target)


def write_grid(photographs, target):
    place = str(target.with_name("a.shelf"))
    shelf.build(place, photographs, workers=1)
    words = ["-d", photographs, "-s", place, "-q", photographs / "cats" / "image_0001.jpg"]
    assert main(["search", *map(str, words), "--save-grid", str(target)]) == 0


def write_run(photographs, target):
    about = {"hashes": ["dhash"], "changes": {"none": ["as it is"]}, "queries": 1}
    return runs.run(photographs, target, **about, workers=1, show=lambda text: None)


def write_unfinished_run(photographs, target):
    stopped = mock.patch.object(measuring, "measure", side_effect=KeyboardInterrupt)
    with stopped, pytest.raises(KeyboardInterrupt):
        write_run(photographs, target)


def write_report(photographs, target):
    figure = {"address": "", "alt": ""}
    with mock.patch.object(report, "_figure", return_value=figure):  # figures take a second
        report.write(write_run(photographs, target.with_name("run")), target)


def write_report_of_dask(photographs, target):
    """As Bokeh begins such a page; `tests/commands/test_cluster.py` meets a real one."""
    head = '<head>\n    <meta charset="utf-8">\n    <title>Dask Performance Report</title>\n'
    target.write_text(f'<!DOCTYPE html>\n<html lang="en">\n  {head}  </head>\n', encoding="utf-8")


WRITERS = {
    "groups": lambda photographs, target: pd.DataFrame({"group": [3], "id": [7]}).to_csv(
        target, index=False, lineterminator="\n"
    ),
    "report of Dask": write_report_of_dask,
    "truth": lambda photographs, target: near_duplicates.write_truth(
        target, pd.DataFrame(columns=["needle", "copy", "factor", "width", "height"])
    ),
    "plan": lambda photographs, target: plans.write_plan(target, plan_of(photographs)),
    "sheet": lambda photographs, target: sheet.contact_sheet(
        photographs, plan_of(photographs), target
    ),
    "report": write_report,
    "run": write_run,
    "unfinished run": write_unfinished_run,
    "bank's CSV": write_bank,
    "grid": write_grid,
    "shelf": lambda photographs, target: shelf.build(target, photographs, workers=1),
    "haystack": lambda photographs, target: near_duplicates.gather(
        photographs,
        target,
        near_duplicates.random_needles(["cats/image_0001.jpg"], 1),
        workers=1,
    ),
}


@pytest.fixture
def written(photographs, tmp_path, monkeypatch):
    """`written(kind)`: what the kit writes of this kind, under a name that does not tell it."""
    monkeypatch.setenv("FINGERPRINTS_DATA", str(tmp_path / "data"))

    def write(kind):
        target = tmp_path / "written.png"
        WRITERS[kind](photographs, target)
        return target

    return write


def paths_of(kind, target):
    """What lies there: the file, or the two files of a shelf."""
    parts = ["" if part.startswith("/") else part for part in KINDS[kind].begins]
    return [Path(f"{target}{part}") for part in parts]


@every_kind
def test_what_the_kit_wrote_is_known_by_its_content_and_gives_way(kind, written):
    target = written(kind)
    if KINDS[kind].if_there:
        with pytest.raises(Problem, match=r"is there already; add --apply to carry it out"):
            check_output(target, kind)
    else:
        check_output(target, kind)


@pytest.mark.parametrize("other", KINDS)
@every_kind
def test_no_kind_takes_the_place_of_another(kind, other, written, tmp_path):
    if kind == other:
        return
    found = min(paths_of(other, written(other)))
    place = min(paths_of(kind, tmp_path / "place"))
    (shutil.copytree if found.is_dir() else shutil.copy)(found, place)
    with pytest.raises(Problem, match=r"is there already and is no |is a folder"):
        check_output(tmp_path / "place", kind)


@pytest.mark.parametrize(
    ("kind", "name"),
    [("truth", "truth.csv"), ("bank's CSV", "banned.csv"), ("shelf", "shelf")],
)
def test_what_0_1_wrote_is_known(kind, name):
    check_output(FILES_OF_0_1 / name, kind)


def test_a_haystack_and_a_contact_sheet_of_0_1_are_known(tmp_path):
    page = tmp_path / "sheet.html"
    shutil.copy(FILES_OF_0_1 / "gather.json", tmp_path)
    check_output(tmp_path, "haystack")
    sheet.contact_sheet(FILES_OF_0_1, plans.read_plan(FILES_OF_0_1 / "plan.csv"), page)
    page.write_text(page.read_text().replace("helpers.library.sheet.", "helpers.plans."))
    check_output(page, "sheet")


@pytest.mark.parametrize(
    "content",
    [b"", b"my thesis", b"my thesis, in which needle,copy,factor,width,height\n stands", b"{}"],
)
@every_kind
def test_a_file_of_somebody_elses_stays_and_the_sentence_says_what_to_do(kind, content, tmp_path):
    name = {"shelf": "report.dat", "haystack": "report/gather.json"}.get(kind, "report")
    (tmp_path / name).parent.mkdir(exist_ok=True)
    (tmp_path / name).write_bytes(content)
    words = KINDS[kind].name
    with pytest.raises(
        Problem, match=rf"report.*: is there already and is no {words}; (name another|choose a new)"
    ):
        check_output(tmp_path / "report", kind)
    assert (tmp_path / name).read_bytes() == content


@pytest.mark.parametrize("suffix", [".dat", ".dir"])
def test_one_half_of_a_shelf_is_no_shelf(suffix, written):
    target = written("shelf")
    Path(f"{target}{suffix}").unlink()
    with pytest.raises(Problem, match=r"is there already and is no shelf"):
        check_output(target, "shelf")


def test_a_shelf_that_was_killed_between_its_two_files_may_be_finished(written):
    target = written("shelf")
    ready = target.with_name(f".{target.name}.ready")
    ready.mkdir()
    Path(f"{target}.dir").rename(ready / "new.dir")
    check_output(target, "shelf")


# Places


@every_kind
def test_nothing_is_written_over_an_input_or_another_output_of_the_run(kind, tmp_path):
    photo = tmp_path / "photo.jpg"
    for _ in range(2):  # the other one may be there, or be written later
        with pytest.raises(Problem, match=r"is the same file as .*photo.jpg; choose another name"):
            check_output(tmp_path / "x" / ".." / "photo.jpg", kind, inputs=[photo])
        photo.write_bytes(b"photo")
        (tmp_path / "x").mkdir(exist_ok=True)


@needs_links
@pytest.mark.parametrize("link", [os.symlink, os.link])
def test_an_input_is_known_under_its_other_names(link, tmp_path):
    (tmp_path / "photo.jpg").write_bytes(b"photo")
    link(tmp_path / "photo.jpg", tmp_path / "other")
    with pytest.raises(Problem, match="is the same file as"):
        check_output(tmp_path / "other", "truth", inputs=[tmp_path / "photo.jpg"])


def test_names_that_differ_by_letter_case_are_one_place_until_the_disk_tells_otherwise(tmp_path):
    with pytest.raises(Problem, match="is the same file as"):
        check_output(tmp_path / "Truth.CSV", "truth", inputs=[tmp_path / "truth.csv"])
    (tmp_path / "truth.csv").write_bytes(b"needle,copy,factor,width,height\n")
    if not os.path.exists(tmp_path / "Truth.CSV"):
        check_output(tmp_path / "Truth.CSV", "truth", inputs=[tmp_path / "truth.csv"])


@needs_links
@every_kind
def test_nothing_is_written_into_a_folder_that_stays_as_it_is(kind, photographs, tmp_path):
    (tmp_path / "door").symlink_to(photographs)
    for name in (photographs / "new", photographs / "cats" / "new", tmp_path / "door" / "new"):
        with pytest.raises(Problem, match=r"lies inside .*photographs, where nothing is written"):
            check_output(name, kind, folders=[photographs])
    check_output(tmp_path / "new", kind, folders=[photographs, tmp_path / "not there yet"])


def test_a_folder_is_not_written_around_another(photographs, tmp_path):
    with pytest.raises(Problem, match=r"lies around .*photographs; name a place beside it"):
        check_output(tmp_path, "haystack", folders=[photographs])
    check_output(tmp_path / "truth.csv", "truth", folders=[photographs])


@every_kind
@pytest.mark.parametrize("name", ["", ".", "./", "/", "..", "x/.."])
def test_a_name_without_a_last_part_is_one_sentence(kind, name):
    with pytest.raises(Problem, match="ends without a name of its own; add the name"):
        check_output(name, kind)


@needs_links
@every_kind
@pytest.mark.parametrize("goal", ["loop", "nowhere", "thesis.txt"])
def test_a_link_is_never_replaced(kind, goal, tmp_path):
    (tmp_path / "thesis.txt").write_text("my thesis")
    (tmp_path / "loop").symlink_to(goal)
    with pytest.raises(Problem, match="loop: is a link, which is never replaced; name another"):
        check_output(tmp_path / "loop", kind)


@every_kind
@pytest.mark.parametrize(
    "name",
    [
        "a" * 300,
        "a" * 240,
        "x/" * 2000 + "y",
        "x/" * 101 + "y",
        "a\0b",
        "thesis.txt/new",
        "loop/new",
    ],
)
def test_a_name_that_no_file_can_have_is_one_sentence(kind, name, tmp_path):
    (tmp_path / "thesis.txt").write_text("my thesis")
    if os.name != "nt":
        (tmp_path / "loop").symlink_to("loop")
    with pytest.raises(
        Problem,
        match=r"could not be written \(|is not a valid file name|folders that are not there",
    ):
        check_output(f"{tmp_path}/{name}", kind)


def test_a_name_in_folders_without_end_is_refused_before_each_of_them_is_looked_at(tmp_path):
    with (
        mock.patch.object(os.path, "realpath", side_effect=AssertionError),
        pytest.raises(Problem, match="lies in 1501 folders that are not there"),
    ):
        check_output(tmp_path / ("x/" * 1501) / "y", "haystack", folders=[tmp_path])


@pytest.mark.parametrize("kind", [kind for kind in KINDS if not KINDS[kind].is_folder])
def test_a_folder_in_the_place_of_a_file_is_one_sentence(kind, tmp_path):
    with pytest.raises(Problem, match="is a folder; name a file in it"):
        check_output(tmp_path, kind)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no such pipes")
@every_kind
def test_a_pipe_or_a_device_is_refused_and_never_waited_for(kind, tmp_path):
    os.mkfifo(tmp_path / "pipe")
    for name in (tmp_path / "pipe", "/dev/null"):
        with pytest.raises(Problem, match=r"is a pipe or a device|is there already and is no"):
            check_output(name, kind)
        with pytest.raises(Problem, match=r"cannot be read \(it is a pipe or a device\)"):
            read_input(name, 10)


# Reading


def test_a_small_file_is_read_whole_and_a_larger_one_is_one_sentence(tmp_path):
    (tmp_path / "small").write_bytes(b"0123456789")
    assert read_input(tmp_path / "small", 10) == b"0123456789"
    with pytest.raises(Problem, match=r"small: is larger than 9 bytes, .* the right one"):
        read_input(tmp_path / "small", 9)


@pytest.mark.parametrize(
    ("name", "sentence"),
    [("nowhere", "check the spelling"), ("", "check the spelling"), ("a\0b", "check the spelling")],
)
def test_a_file_that_cannot_be_read_is_one_sentence(name, sentence, tmp_path):
    with pytest.raises(Problem, match=rf"cannot be read \(.*\); {sentence}"):
        read_input(f"{tmp_path}/{name}", 10)


def test_a_file_that_may_not_be_read_is_to_be_asked_for(tmp_path, monkeypatch):
    def refuse(path):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(guard, "open_input", refuse)  # who runs the tests may read everything
    with pytest.raises(Problem, match=r"cannot be read \(Permission denied\); ask for permission"):
        read_input(tmp_path / "secret", 10)
