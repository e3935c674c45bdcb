"""Clean a photo library: the right files are proposed, and none is lost whatever happens."""

import hashlib
import multiprocessing
import random
import time

import pandas as pd
import pytest
from PIL import Image

from helpers import Problem, library, mess, quarantine
from helpers.__main__ import main

METHODS = multiprocessing.get_all_start_methods()
context = multiprocessing.get_context("forkserver" if "forkserver" in METHODS else "spawn")


@pytest.fixture(scope="module")
def made(tmp_path_factory, sample):
    """A mess of 200 files, its truth, its table and its plan. Tests that move files take a copy."""
    place = tmp_path_factory.mktemp("library")
    truth = mess.make(sample.root, sample.images, place / "photos", files=200, seed=77)
    table = library.scan(place / "photos", cache=place / "cache")
    return place / "photos", truth, table, library.propose(table, place / "photos")


@pytest.fixture
def photos(made, tmp_path):
    """A copy of the mess with the same times."""
    import shutil

    return shutil.copytree(made[0], tmp_path / "photos")


def contents(folder):
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in folder.rglob("*")
        if path.is_file() and path.name != quarantine.JOURNAL
    }


def times(folder):
    return {path: path.stat().st_mtime_ns for path in sorted(folder.rglob("*")) if path.is_file()}


# The plan


def test_nearly_all_proposals_are_copies_and_nearly_all_copies_are_found(made):
    _, truth, _, plan = made
    original = truth.set_index("path")["original"]
    moves = plan[plan["action"] == "move"]
    right = original[moves["path"]].to_numpy() == original[moves["kept"]].to_numpy()
    assert right.mean() >= 0.97
    copies = truth[truth["original"] != truth["path"]]["path"]
    stays = set(plan.loc[plan["action"] == "keep", "path"])
    found = copies.isin(moves["path"][right]) | copies.isin(stays)
    assert found.mean() >= 0.95


def test_exact_copies_are_all_found_without_a_mistake(made):
    _, _, table, plan = made
    exact = plan[plan["kind"] == "exact copy"]
    assert len(exact) > 20
    assert set(exact["action"]) == {"move"}
    same_bytes = plan.groupby("sha256")["path"].transform("size")
    assert (same_bytes[exact.index] > 1).all()
    for sha256, group in table[table["bytes"] > 0].groupby("sha256"):
        moved = plan[(plan["sha256"] == sha256) & (plan["action"] == "move")]
        assert len(moved) >= len(group) - 1


def test_no_burst_screenshot_or_flat_picture_goes_for_another(made):
    _, truth, _, plan = made
    known = truth.set_index("path")
    moves = plan[plan["action"] == "move"]
    wrong = moves[
        known["original"][moves["path"]].to_numpy() != known["original"][moves["kept"]].to_numpy()
    ]
    assert len(wrong) <= 0.03 * len(moves)
    assert not known["kind"][wrong["path"]].isin(["screenshot", "flat"]).any()


def test_the_best_of_a_group_stays(made):
    plan = made[3]
    of = plan.drop_duplicates("path").set_index("path")
    moves = plan[plan["kind"] == "near copy"]
    pixels = moves["width"] * moves["height"]
    kept = of.loc[moves["kept"]]
    assert (pixels.to_numpy() <= (kept["width"] * kept["height"]).to_numpy()).all()
    assert moves["reason"].str.len().gt(10).all()


def test_the_plan_does_not_depend_on_the_number_of_workers(made, tmp_path):
    folder, _, table, plan = made
    again = library.scan(folder, cache=tmp_path / "cache", workers=1)
    pd.testing.assert_frame_equal(again, table)
    pd.testing.assert_frame_equal(library.propose(again, folder, workers=1), plan)


def test_a_plan_comes_back_from_a_file_with_any_line_ends(made, tmp_path):
    plan = made[3]
    library.write_plan(tmp_path / "plan.csv", plan)
    text = (tmp_path / "plan.csv").read_bytes()
    (tmp_path / "windows.csv").write_bytes(text.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n"))
    for name in ("plan.csv", "windows.csv"):
        back = library.read_plan(tmp_path / name)
        columns = ["action", "kind", "path", "kept", "bytes", "sha256", "reason"]
        pd.testing.assert_frame_equal(back[columns], plan[columns])


def test_a_second_scan_reads_what_has_changed_alone(photos, tmp_path, monkeypatch):
    first = library.scan(photos, cache=tmp_path / "cache")
    read = []
    honest = library._row
    monkeypatch.setattr(
        library, "_row", lambda folder, path: read.append(path) or honest(folder, path)
    )
    again = library.scan(photos, cache=tmp_path / "cache", workers=1)
    pd.testing.assert_frame_equal(again, first)
    assert read == []
    changed = first["path"][3]
    (photos / changed).write_bytes((photos / changed).read_bytes() + b" ")
    library.scan(photos, cache=tmp_path / "cache", workers=1)
    assert read == [changed]


def test_a_damaged_cache_is_thrown_away(photos, tmp_path, capsys):
    first = library.scan(photos, cache=tmp_path / "cache")
    (file,) = (path for path in (tmp_path / "cache").iterdir() if path.suffix == ".txt")
    file.write_bytes(file.read_bytes()[:-30])
    again = library.scan(photos, cache=tmp_path / "cache")
    pd.testing.assert_frame_equal(again, first)
    assert "all files are read again" in capsys.readouterr().out


def test_one_bad_file_stops_nothing(tmp_path, photograph):
    folder = tmp_path / "photos"
    folder.mkdir()
    photograph(1, size=(300, 200)).save(folder / "good.jpg")
    (folder / "empty.jpg").touch()
    (folder / "text.jpg").write_text("no picture")
    Image.new("RGB", (9000, 5600), "red").save(folder / "panorama.png")
    table = library.scan(folder, cache=tmp_path / "cache").set_index("path")
    assert table.loc["good.jpg", "problem"] == "" == table.loc["panorama.png", "problem"]
    assert table.loc["empty.jpg", "problem"] and table.loc["text.jpg", "problem"]
    assert (library.propose(table.reset_index(), folder)["action"] != "move").all()


def test_the_contact_sheet_needs_no_network_and_escapes_names(tmp_path, photograph):
    folder = tmp_path / "photos"
    folder.mkdir()
    picture = photograph(1, size=(300, 200))
    picture.save(folder / "a & b.jpg", quality=95)
    picture.save(folder / "a & b <i>.jpg", quality=60)
    plan = library.propose(library.scan(folder, cache=tmp_path / "cache"), folder)
    library.contact_sheet(folder, plan, tmp_path / "sheet.html")
    page = (tmp_path / "sheet.html").read_text(encoding="utf-8")
    assert "a &amp; b &lt;i&gt;.jpg" in page
    assert "<i>" not in page
    assert "http" not in page.replace("http-equiv", "")
    assert page.count("data:image/") == 2


# Moving, and putting back


def test_moved_and_put_back_byte_for_byte(made, photos, tmp_path):
    plan, before, old = made[3], contents(photos), times(photos)
    done = quarantine.apply(photos, plan, tmp_path / "aside")
    moved = set(plan.loc[plan["action"] == "move", "path"])
    assert set(done["outcome"]) == {"moved"}
    assert set(contents(photos)) == set(before) - moved
    assert {**contents(photos), **contents(tmp_path / "aside")} == before
    back = quarantine.undo(tmp_path / "aside")
    assert set(back["outcome"]) == {"put back"}
    assert contents(photos) == before
    assert times(photos) == old


def test_what_has_changed_since_the_plan_is_left_alone(made, photos, tmp_path):
    plan = made[3]
    moves = plan[plan["action"] == "move"]
    victim = photos / moves["path"].iloc[0]
    victim.write_bytes(victim.read_bytes() + b"more")
    (photos / moves["kept"].iloc[-1]).unlink()
    done = quarantine.apply(photos, plan, tmp_path / "aside").set_index("path")
    assert done.loc[moves["path"].iloc[0], "outcome"] == "left alone"
    assert "changed" in done.loc[moves["path"].iloc[0], "reason"]
    assert done.loc[moves["path"].iloc[-1], "outcome"] == "left alone"
    assert victim.exists()


def test_undo_overwrites_nothing(made, photos, tmp_path):
    plan = made[3]
    quarantine.apply(photos, plan, tmp_path / "aside")
    path = plan.loc[plan["action"] == "move", "path"].iloc[0]
    (photos / path).parent.mkdir(parents=True, exist_ok=True)
    (photos / path).write_bytes(b"something new")
    back = quarantine.undo(tmp_path / "aside").set_index("path")
    assert back.loc[path, "outcome"] == "left alone"
    assert (photos / path).read_bytes() == b"something new"
    assert (tmp_path / "aside" / path).exists()
    assert (back["outcome"] == "put back").sum() == len(back) - 1


def test_a_plan_cannot_lead_out_of_the_folder(made, photos, tmp_path):
    plan = made[3].copy()
    outside = tmp_path / "outside.jpg"
    outside.write_bytes(b"not yours")
    row = plan[plan["action"] == "move"].index[0]
    plan.loc[row, "path"] = "../outside.jpg"
    plan.loc[row, "bytes"] = outside.stat().st_size
    plan.loc[row, "sha256"] = hashlib.sha256(b"not yours").hexdigest()
    done = quarantine.apply(photos, plan, tmp_path / "aside").set_index("path")
    assert done.loc["../outside.jpg", "outcome"] == "left alone"
    assert outside.read_bytes() == b"not yours"


def _apply(photos, plan, aside):
    quarantine.apply(photos, plan, aside)


def _undo(aside):
    quarantine.undo(aside)


def _kill(target, arguments, after):
    process = context.Process(target=target, args=arguments)
    process.start()
    process.join(after)
    alive = process.is_alive()
    process.kill()
    process.join()
    return alive


def test_killed_at_twenty_moments_every_byte_is_accounted_for(made, photos, tmp_path):
    plan, before, aside = made[3], contents(photos), tmp_path / "aside"
    moved = set(plan.loc[plan["action"] == "move", "path"])
    start = time.perf_counter()
    _kill(_apply, (photos, plan, aside), 60)
    whole, chance, hits = time.perf_counter() - start, random.Random(20), 0
    quarantine.undo(aside)
    assert contents(photos) == before
    for moment in range(20):
        after = chance.uniform(0.1, 1) * whole
        hits += _kill(_apply, (photos, plan, aside), after)
        here, there = contents(photos), contents(aside) if aside.exists() else {}
        assert {**there, **here}.items() >= before.items(), moment
        if moment % 4 == 0:
            quarantine.apply(photos, plan, aside)
            assert set(contents(photos)) == set(before) - moved
        elif moment % 4 == 1:
            hits += _kill(_undo, (aside,), chance.uniform(0.1, 1) * whole)
        if (aside / quarantine.JOURNAL).exists():
            quarantine.undo(aside)
        assert contents(photos) == before, moment
        assert contents(aside) == {} if aside.exists() else True
    assert hits >= 10


# The command


def test_the_command_shows_a_plan_and_touches_nothing(photos, tmp_path, data_folder, capsys):
    before = contents(photos)
    assert main(["clean", str(photos), "--sheet", str(tmp_path / "sheet.html")]) == 0
    assert "look-alikes" in capsys.readouterr().out
    assert contents(photos) == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["data", "photos", "sheet.html"]


def test_the_command_moves_and_puts_back(photos, tmp_path, data_folder, capsys):
    before = contents(photos)
    assert main(["clean", str(photos), "--apply"]) == 0
    aside = tmp_path / "photos-quarantine"
    assert len(contents(photos)) < len(before)
    assert {**contents(photos), **contents(aside)} == before
    assert main(["clean", str(photos), "--undo"]) == 0
    assert contents(photos) == before


@pytest.mark.parametrize(
    ("folder", "sentence"), [("nowhere", "no such folder"), ("empty", "no image")]
)
def test_what_is_no_library_gets_one_sentence(folder, sentence, tmp_path, data_folder):
    (tmp_path / "empty").mkdir()
    with pytest.raises(Problem, match=sentence):
        library.scan(tmp_path / folder)
