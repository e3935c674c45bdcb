"""Copies that are really resized, really saved, and truly told of."""

import hashlib
import json
import os
import random
import re
import sys
from importlib.resources import files

import imagehash
import numpy as np
import pandas as pd
import pytest
from PIL import Image

from helpers import Problem
from helpers.__main__ import main
from helpers.files import parallel
from helpers.images.folders import find_images
from helpers.truth import near_duplicates
from helpers.truth.near_duplicates import (
    FORMATS,
    article_needles,
    gather,
    random_needles,
    read_truth,
    write_truth,
)


def contents(folder):
    """Path -> SHA-256 of every file below a folder."""
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in folder.rglob("*")
        if path.is_file()
    }


def plan(*needles, copies=3):
    return pd.DataFrame({"needle": pd.Series(needles, dtype=object), "copies": copies})


NEEDLE = "cats/image_0001.jpg"
PLAN = plan(NEEDLE, "dogs/image_0006.jpg")


@pytest.fixture
def output(tmp_path):
    return tmp_path / "haystack"


# Choosing needles


def test_the_article_has_17_needles_69_copies_and_three_queries():
    twenty = [f"{number}.jpg" for number in range(20)]
    own = article_needles(twenty)
    caltech = pd.read_csv(files("helpers") / "tables" / "article_needles.csv")
    needles = article_needles([*twenty, *caltech["needle"]])
    assert needles["needle"].tolist() == caltech["needle"].tolist()
    for table in (needles, own):
        assert (len(table), table["needle"].nunique(), table["copies"].sum()) == (17, 17, 69)
        assert table["query"].dropna().sort_values().tolist() == [1, 2, 3]
    queries = needles.dropna(subset="query").sort_values("query")
    assert queries["needle"].tolist() == [
        "airplanes/image_0551.jpg",
        "chandelier/image_0082.jpg",
        "Motorbikes/image_0447.jpg",
    ]
    assert queries["copies"].tolist() == [2, 3, 3]
    assert set(own["needle"]) <= set(twenty)


def test_where_one_of_the_articles_needles_is_missing_others_are_chosen_by_the_seed():
    images = [f"{number}.jpg" for number in range(100)]
    first, again, other = (
        article_needles(images, seed=seed)["needle"].tolist() for seed in (1, 1, 2)
    )
    assert first == again != other
    assert first == article_needles(images[::-1], seed=1)["needle"].tolist()


def test_the_articles_plan_takes_17_images():
    with pytest.raises(
        Problem, match="the dataset has 16 images; the article's plan takes at least 17"
    ):
        article_needles([f"{number}.jpg" for number in range(16)])


def test_random_needles_depend_on_the_seed_and_not_on_the_order():
    images = [f"{number}.jpg" for number in range(100)]
    shuffled = random.Random(1).sample(images, len(images))
    chosen = random_needles(images, 20, seed=3)
    assert chosen.equals(random_needles(shuffled, 20, seed=3))
    assert not chosen.equals(random_needles(images, 20, seed=4))
    assert chosen["needle"].is_unique


def test_random_needles_draw_every_number_of_copies_and_no_more_needles_than_images():
    chosen = random_needles([f"{number}.jpg" for number in range(200)], 300, copies=(2, 5))
    assert len(chosen) == 200
    assert set(chosen["copies"]) == {2, 3, 4, 5}


@pytest.mark.parametrize(("needles", "copies"), [(0, (1, 8)), (3, (0, 8)), (3, (5, 4))])
def test_numbers_of_needles_and_copies_start_at_one(needles, copies):
    with pytest.raises(Problem, match="both numbers start at 1"):
        random_needles(["a.jpg"], needles, copies=copies)


# The truth


def test_the_haystack_holds_the_dataset_the_copies_and_the_truth(photographs, output):
    before = contents(photographs)
    truth = gather(photographs, output, PLAN)
    after = contents(output)
    assert truth["needle"].tolist() == [NEEDLE] * 3 + ["dogs/image_0006.jpg"] * 3
    assert {path: after[path] for path in before} == before
    assert set(after) == set(before) | set(truth["copy"]) | {"truth.csv", "gather.json"}
    assert contents(photographs) == before  # the originals are untouched


def test_the_csv_tells_the_same_truth_as_the_files(photographs, output):
    truth = gather(photographs, output, PLAN)
    pd.testing.assert_frame_equal(read_truth(output / "truth.csv"), truth)
    text = (output / "truth.csv").read_bytes().decode()
    assert text.startswith("needle,copy,factor,width,height\n")
    assert text == truth.to_csv(index=False, lineterminator="\n")  # as version 0.1 wrote it
    for row in truth.itertuples():
        assert Image.open(output / row.copy).size == (row.width, row.height)


def test_copies_look_like_their_needle_but_none_has_its_bytes(photographs, output):
    truth = gather(photographs, output, plan(NEEDLE, copies=8))
    digests = contents(output)
    assert digests[NEEDLE] not in {digests[path] for path in truth["copy"]}
    original = imagehash.dhash(Image.open(photographs / NEEDLE))
    assert max(imagehash.dhash(Image.open(output / path)) - original for path in truth["copy"]) <= 6


@pytest.mark.parametrize("factors", [(0.95, 1.05), (0.5, 0.6), (1.5, 2.5), (0.99, 1.01)])
def test_width_and_height_change_by_the_factor_and_keep_their_ratio(photographs, output, factors):
    truth = gather(photographs, output, plan(NEEDLE, copies=40), factors=factors)
    assert truth["factor"].between(*factors).all()
    assert truth["factor"].nunique() > 20
    assert (truth["width"] != 120).all()
    assert (truth["height"] != 80).all()
    assert (abs(truth["width"] - 120 * truth["factor"]) <= 0.5).all()
    assert (abs(truth["height"] - 80 * truth["factor"]) <= 0.5).all()
    assert (abs(truth["width"] * 80 / 120 - truth["height"]) <= 1).all()  # a pixel at most


def test_both_larger_and_smaller_copies_are_drawn(photographs, output):
    factors = gather(photographs, output, plan(NEEDLE, copies=40))["factor"]
    assert factors.min() < 0.97
    assert factors.max() > 1.03


# The same again


@pytest.mark.slow
def test_same_seed_same_bytes_whatever_the_workers_and_the_order(sample, tmp_path):
    def made(name, images, workers):
        needles = random_needles(images, seed=5)
        folder = tmp_path / name
        truth = gather(sample.root, folder, needles, seed=5, images=images, workers=workers)
        return truth, contents(folder)

    expected, files = made("expected", sample.images, 1)
    for workers in (1, 2):
        shuffled = random.Random(workers).sample(sample.images, len(sample.images))
        truth, again = made(f"again {workers}", shuffled, workers)
        pd.testing.assert_frame_equal(truth, expected)
        assert again == files


def test_another_seed_gives_other_copies(photographs, tmp_path):
    one = gather(photographs, tmp_path / "one", PLAN, seed=1)
    two = gather(photographs, tmp_path / "two", PLAN, seed=2)
    assert one["factor"].tolist() != two["factor"].tolist()


def test_a_haystack_made_in_the_same_way_is_used_as_it_is(photographs, output):
    first = gather(photographs, output, PLAN)
    times = {path: path.stat().st_mtime_ns for path in output.rglob("*")}
    inodes = {path: path.stat().st_ino for path in output.rglob("*")}
    pd.testing.assert_frame_equal(gather(photographs, output, PLAN), first)
    assert {path: path.stat().st_mtime_ns for path in output.rglob("*")} == times
    assert {path: path.stat().st_ino for path in output.rglob("*")} == inodes


@pytest.mark.parametrize(
    ("changed", "sentence"),
    [
        ({"seed": 1}, "seed"),
        ({"factors": (0.9, 1.1)}, "factors"),
        ({"format": "png", "quality": 90}, "format, quality"),
        ({"resize": False}, "resize"),
        ({"images": [NEEDLE, "dogs/image_0006.jpg"]}, "images"),
    ],
    ids=str,
)
def test_a_haystack_made_in_another_way_is_kept_unless_it_is_to_be_replaced(
    photographs, output, changed, sentence
):
    gather(photographs, output, PLAN)
    before = contents(output)
    with pytest.raises(
        Problem,
        match=rf"haystack: holds a haystack made otherwise \({sentence}\); replace it or choose another",
    ):
        gather(photographs, output, PLAN, **changed)
    assert contents(output) == before
    truth = gather(photographs, output, PLAN, **changed, replace=True)
    assert contents(output) != before
    pd.testing.assert_frame_equal(read_truth(output / "truth.csv"), truth)


# What is in the haystack and is not the kit's


STRANGERS = {"notes.txt": b"an afternoon", "cats/mine.jpg": b"a photo", "own/deep/a.txt": b"a"}


def put_strangers(folder):
    for name, content in STRANGERS.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    (folder / "empty").mkdir()


@pytest.mark.parametrize("lost", ["truth.csv", NEEDLE, "cats/image_0001_copy_1.jpg"])
def test_a_haystack_that_lost_a_file_is_made_anew_whatever_systems_put_there(
    lost, photographs, output
):
    first = gather(photographs, output, PLAN)
    before = contents(output)
    (output / lost).unlink()
    (output / "cats" / ".DS_Store").write_bytes(b"of the Finder")
    pd.testing.assert_frame_equal(gather(photographs, output, PLAN), first)
    assert contents(output) == before


@pytest.mark.parametrize("again", [{"seed": 1, "replace": True}, {}], ids=["replaced", "lost"])
def test_a_haystack_with_a_file_of_somebody_else_is_not_made_anew(again, photographs, output):
    truth = gather(photographs, output, PLAN)
    (output / truth["copy"][0]).unlink()
    put_strangers(output)
    before = contents(output)
    for stranger, more in (("cats/mine.jpg", 5), ("empty", 4), ("notes.txt", 3), ("own", 2)):
        sentence = rf"haystack.{stranger} \(and {more} more\): may be yours, .* move it away, or ch"
        with pytest.raises(Problem, match=sentence):
            gather(photographs, output, PLAN, **again)
        assert contents(output) == before
        assert (output / "empty").is_dir() == (more > 3)
        (output / stranger).rename(output.parent / f"moved {more}")
        before = contents(output)
    assert len(gather(photographs, output, PLAN, **again)) == len(truth)


@pytest.mark.parametrize("name", [NEEDLE, "truth.csv"])
def test_a_haystack_in_which_a_file_was_changed_is_not_made_anew(name, photographs, output):
    truth = gather(photographs, output, PLAN)
    (output / name).write_bytes(b"edited")
    (output / truth["copy"][0]).unlink()
    before = contents(output)
    for again in ({}, {"seed": 1, "replace": True}):
        with pytest.raises(Problem, match=f"{name}: may be yours, since it is not as gather wrote"):
            gather(photographs, output, PLAN, **again)
    assert contents(output) == before


def test_a_file_that_comes_while_a_haystack_is_made_anew_stays(photographs, output, monkeypatch):
    gather(photographs, output, PLAN)
    before = contents(output)

    def share_out_meanwhile(*arguments, **options):
        (output / "notes.txt").write_bytes(STRANGERS["notes.txt"])
        return parallel.share_out(*arguments, **options)

    monkeypatch.setattr(near_duplicates, "share_out", share_out_meanwhile)
    with pytest.raises(Problem, match=r"notes\.txt: may be yours"):
        gather(photographs, output, PLAN, seed=1, replace=True)
    assert contents(output).items() > before.items()
    assert list(output.parent.glob("*hay*")) == [output], "nothing half-finished is left"


@pytest.mark.skipif(os.name == "nt", reason="links need rights there")
def test_no_link_in_a_haystack_is_followed(photographs, output, tmp_path):
    """The photographs are listed with the same bytes, and must not be taken for the copies."""
    gather(photographs, output, PLAN)
    (output / "cats").rename(tmp_path / "moved")
    (output / "cats").symlink_to(photographs / "cats")
    before = contents(photographs)
    with pytest.raises(Problem, match=r"cats.*: may be yours"):
        gather(photographs, output, PLAN, seed=1, replace=True)
    assert contents(photographs) == before


@pytest.mark.parametrize(
    "change",
    [
        lambda about: about.pop("quality"),
        lambda about: about.update(files=[]),
        lambda about: about.update(files={"truth.csv": []}),
        lambda about: about.update(before=7),
    ],
)
@pytest.mark.parametrize("replace", [False, True])
def test_a_folder_with_another_list_is_no_haystack(change, replace, photographs, output):
    gather(photographs, output, PLAN)
    about = json.loads((output / "gather.json").read_text())
    change(about)
    (output / "gather.json").write_text(json.dumps(about, indent=1))
    before = contents(output)
    with pytest.raises(Problem, match=r"haystack.*: is .* choose a new folder"):
        gather(photographs, output, PLAN, replace=replace)
    assert contents(output) == before


def test_a_list_that_names_files_elsewhere_harms_none(photographs, output, tmp_path):
    (tmp_path / "thesis.txt").write_text("three years of work")
    gather(photographs, output, PLAN)
    about = json.loads((output / "gather.json").read_text())
    thesis = hashlib.sha256(b"three years of work").hexdigest()
    about["files"] |= {"../thesis.txt": thesis, str(tmp_path / "thesis.txt"): thesis}
    (output / "gather.json").write_text(json.dumps(about, indent=1) + "\n")
    gather(photographs, output, PLAN, seed=1, replace=True)
    assert (tmp_path / "thesis.txt").read_text() == "three years of work"


def test_a_haystack_of_version_0_1_kept_no_list_and_is_left_alone(photographs, output):
    gather(photographs, output, PLAN)
    about = json.loads((output / "gather.json").read_text())
    del about["files"]
    (output / "gather.json").write_text(json.dumps(about, indent=1) + "\n")
    before = contents(output)
    for options in ({}, {"format": "png", "replace": True}):
        with pytest.raises(Problem, match=r"may be yours, .* or choose another folder"):
            gather(photographs, output, PLAN, **options)
    assert contents(output) == before


# How copies are saved


def test_the_command_names_every_format(capsys):
    """It names them by itself, since its help is shown without loading what makes copies."""
    with pytest.raises(SystemExit):
        main(["gather", "--help"])
    assert f"--format {'|'.join(FORMATS)} " in capsys.readouterr().out


@pytest.mark.parametrize("format", FORMATS)
def test_every_format_has_its_suffix(photographs, output, format):
    copy = gather(photographs, output, plan(NEEDLE, copies=1), format=format)["copy"][0]
    assert copy.endswith(FORMATS[format])
    assert Image.open(output / copy).format == format.upper()


def test_png_copies_lose_nothing(photographs, output):
    row = gather(photographs, output, plan(NEEDLE, copies=1), format="png").iloc[0]
    copy, needle = Image.open(output / row["copy"]), Image.open(photographs / NEEDLE)
    assert row["copy"] == "cats/image_0001_copy_1.png"
    assert copy.format == "PNG"
    assert np.array_equal(
        copy, needle.resize((row["width"], row["height"]), Image.Resampling.LANCZOS)
    )


def test_a_higher_quality_takes_more_bytes_and_the_same_sizes(photographs, tmp_path):
    low = gather(photographs, tmp_path / "low", PLAN, quality=30)
    high = gather(photographs, tmp_path / "high", PLAN, quality=95)
    pd.testing.assert_frame_equal(low, high)
    for name in low["copy"]:
        assert (tmp_path / "low" / name).stat().st_size < (tmp_path / "high" / name).stat().st_size


@pytest.mark.parametrize("mode", ["RGBA", "LA", "P", "1", "L", "CMYK", "I;16"])
def test_needles_of_every_kind_are_copied_as_they_look(tmp_path, photograph, output, mode):
    (tmp_path / "pictures").mkdir()
    path = tmp_path / "pictures" / "needle.tif"
    grey = photograph().convert("L")
    deep = Image.fromarray(np.asarray(grey).astype(np.uint16) * 257)
    (deep if mode == "I;16" else photograph().convert(mode)).save(path)
    copy = gather(path.parent, output, plan("needle.tif", copies=1)).iloc[0]["copy"]
    saved = Image.open(output / copy)
    assert saved.mode == ("L" if mode in ("1", "L", "I;16") else "RGB")
    assert imagehash.dhash(saved) - imagehash.dhash(grey) <= 6


def test_what_transparency_hides_is_not_in_the_copy(tmp_path, photograph, output):
    (tmp_path / "pictures").mkdir()
    image = Image.new("RGBA", (90, 60), (0, 0, 0, 0))
    image.save(tmp_path / "pictures" / "clear.png")
    copy = gather(tmp_path / "pictures", output, plan("clear.png", copies=1)).iloc[0]["copy"]
    assert Image.open(output / copy).getextrema() == ((255, 255),) * 3


def test_a_turned_needle_is_copied_upright(tmp_path, photograph, output):
    (tmp_path / "pictures").mkdir()
    exif = Image.Exif()
    exif[0x0112] = 6
    photograph(size=(120, 80)).save(tmp_path / "pictures" / "turned.jpg", exif=exif)
    row = gather(tmp_path / "pictures", output, plan("turned.jpg", copies=1)).iloc[0]
    assert row["width"] < row["height"]
    assert Image.open(output / row["copy"]).size == (row["width"], row["height"])


# Names


def test_a_copy_takes_no_name_of_an_image_that_is_not_copied_either(tmp_path, photograph, output):
    """Or the copies, laid beside the whole dataset, would be taken for its images."""
    (tmp_path / "pictures").mkdir()
    for number, name in enumerate(["a.jpg", "a_copy_1.jpg"]):
        photograph(number).save(tmp_path / "pictures" / name)
    truth = gather(tmp_path / "pictures", output, plan("a.jpg", copies=2), images=["a.jpg"])
    assert truth["copy"].tolist() == ["a_copy_2.jpg", "a_copy_3.jpg"]
    assert find_images(output) == ["a.jpg", *truth["copy"]]


def test_a_copy_never_takes_the_name_of_another_image(tmp_path, photograph, output):
    (tmp_path / "pictures").mkdir()
    names = ["a.jpg", "a.png", "a_copy_1.jpg"]
    for number, name in enumerate(names):
        photograph(number).save(tmp_path / "pictures" / name)
    before = contents(tmp_path / "pictures")
    truth = gather(tmp_path / "pictures", output, plan("a.jpg", "a.png", copies=2))
    assert truth["copy"].tolist() == [
        "a_copy_2.jpg",
        "a_copy_3.jpg",
        "a_copy_4.jpg",
        "a_copy_5.jpg",
    ]
    assert {path: digest for path, digest in contents(output).items() if path in names} == before
    for row in truth.itertuples():  # each is a copy of its own needle
        needle, copy = (
            imagehash.dhash(Image.open(output / path)) for path in (row.needle, row.copy)
        )
        assert needle - copy <= 6


def test_names_with_commas_quotes_formulas_and_other_scripts_survive_the_csv(
    tmp_path, photograph, output
):
    (tmp_path / "pictures").mkdir()
    names = ['NA, "猫" é.jpg', "=1+1.jpg", "-1.jpg", "'quoted'.jpg"]
    for name in names:
        photograph().save(tmp_path / "pictures" / name)
    truth = gather(tmp_path / "pictures", output, plan(*names, copies=1))
    pd.testing.assert_frame_equal(read_truth(output / "truth.csv"), truth)
    assert all((output / name).is_file() for name in truth["copy"])
    assert "\n=" not in (output / "truth.csv").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    "change",
    [
        lambda text: "\ufeff" + text,
        lambda text: text.replace("\n", "\r\n"),
        lambda text: text.replace(",", ";"),
        lambda text: text.replace(",", "\t"),
        lambda text: text + "\n\n",
    ],
    ids=["byte order mark", "line ends of Windows", "semicolons", "tabs", "empty lines"],
)
def test_a_truth_that_a_spreadsheet_saved_is_read(photographs, output, change):
    truth = gather(photographs, output, PLAN)
    text = (output / "truth.csv").read_text(encoding="utf-8")
    (output / "truth.csv").write_text(change(text), encoding="utf-8", newline="")
    pd.testing.assert_frame_equal(read_truth(output / "truth.csv"), truth)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("needle,copy\na,b\n", "line 1: has no column 'factor'; gather again"),
        (
            "needle,copy,factor,width,height\na,b,0.97,one,2\n",
            "line 2: 'one' is not a valid width; gather again",
        ),
        (
            "needle,copy,factor,width,height\na,b,1,1,1\na,c,1\n",
            "line 3: '' is not a valid width; gather again",
        ),
        *(
            (
                f"needle,copy,factor,width,height\na,b,1,{width},1\n",
                f"line 2: '{width}' is not a valid width; gather again",
            )
            for width in (2**63, -(2**63) - 1, 5000 * "9")
        ),
        (
            "needle,copy,factor,width,height\n,b,1,1,1\n",
            "line 2: '' is not a valid needle; gather again",
        ),
        (
            "needle,copy,factor,width,height\na,b,1e999,1,1\n",
            "line 2: '1e999' is not a valid factor; gather again",
        ),
        (None, "truth.csv: cannot be read .*; "),
    ],
)
def test_a_truth_that_is_damaged_is_one_sentence(tmp_path, text, sentence):
    if text is not None:
        (tmp_path / "truth.csv").write_text(text)
    with pytest.raises(Problem, match=sentence):
        read_truth(tmp_path / "truth.csv")


def test_the_truth_has_the_same_bytes_on_every_platform(tmp_path):
    write_truth(tmp_path / "truth.csv", pd.DataFrame({"needle": ["é.jpg"], "factor": [0.975]}))
    assert (tmp_path / "truth.csv").read_bytes() == "needle,factor\né.jpg,0.975\n".encode()


# What is refused, and what is skipped


@pytest.mark.parametrize(
    "place", ["photographs", "photographs/haystack", "photographs/cats/new", "."]
)
def test_a_haystack_inside_or_around_the_dataset_is_refused(photographs, place):
    before = contents(photographs)
    with pytest.raises(
        Problem, match=r"lies inside .*photographs, where nothing|lies around .*photographs; name a"
    ):
        gather(photographs, photographs.parent / place, PLAN, replace=True)
    assert contents(photographs) == before


def test_a_link_into_the_dataset_is_seen_through(photographs, tmp_path):
    (tmp_path / "door").symlink_to(photographs)
    with pytest.raises(Problem, match=r"lies inside .*photographs, where nothing is written"):
        gather(photographs, tmp_path / "door" / "haystack", PLAN)


@pytest.mark.parametrize("replace", [False, True])
def test_a_folder_that_is_no_haystack_is_left_alone(photographs, output, replace):
    output.mkdir()
    (output / "thesis.txt").write_text("three years of work")
    with pytest.raises(
        Problem, match="haystack: is there already and is no haystack; choose a new folder"
    ):
        gather(photographs, output, PLAN, replace=replace)
    assert {path.name: path.read_text() for path in output.iterdir()} == {
        "thesis.txt": "three years of work"
    }


def test_a_file_in_the_place_of_the_haystack_is_left_alone(photographs, output):
    output.write_text("three years of work")
    with pytest.raises(Problem, match="is there already and is no haystack"):
        gather(photographs, output, PLAN, replace=True)
    assert output.read_text() == "three years of work"


def test_an_empty_folder_may_become_the_haystack(photographs, output):
    output.mkdir()
    assert len(gather(photographs, output, PLAN)) == 6


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ({"format": "gif"}, "format 'gif': copies are saved as 'jpeg' or 'png'"),
        ({"quality": 96}, "quality 96: JPEG quality runs from 1 to 95"),
        ({"quality": 0}, "quality 0: JPEG quality runs from 1 to 95"),
        (
            {"factors": (1.05, 0.95)},
            "give the smaller one first, both above 0, at most 10 and not equal, as 0.95",
        ),
        ({"factors": (0, 1)}, "both above 0"),
        ({"factors": (1, float("inf"))}, "at most 10"),
        ({"factors": (95, 105)}, r"at most 10 .*they are not in per cent"),
        ({"factors": (1, 1)}, "and not equal"),
        (
            {"needles": plan("cats/no.jpg")},
            "photographs: has no image cats/no.jpg to copy; needles are paths relative",
        ),
    ],
    ids=str,
)
def test_arguments_out_of_range_are_one_sentence_and_nothing_is_made(
    photographs, output, arguments, sentence
):
    with pytest.raises(Problem, match=sentence):
        gather(photographs, output, **{"needles": PLAN, **arguments})
    assert not output.exists()


@pytest.mark.parametrize(
    ("size", "factors", "sentence"),
    [
        ((3, 3), (0.95, 1.05), r"is only 3 x 3 pixels, .* choose another needle or a wider range"),
        ((5000, 5000), (9, 10), r"has 5000 x 5000 pixels, so a copy would have more than 178"),
    ],
)
def test_a_needle_that_cannot_be_resized_is_passed_over_with_a_sentence(
    size, factors, sentence, photographs, output, capsys
):
    Image.new("L", size).save(photographs / "odd.png")
    needles = plan("odd.png", NEEDLE)
    truth = gather(photographs, output, needles, factors=factors, workers=1)
    assert set(truth["needle"]) == {NEEDLE}
    assert re.search(f"No copies of .*odd.png: {sentence}", capsys.readouterr().out)
    assert (output / "odd.png").is_file()


def test_a_needle_that_cannot_be_read_is_skipped_with_a_sentence(photographs, output, capsys):
    (photographs / NEEDLE).write_bytes(b"")
    truth = gather(photographs, output, PLAN)
    assert truth["needle"].unique().tolist() == ["dogs/image_0006.jpg"]
    printed = capsys.readouterr().out
    assert printed.startswith(f"No copies of {photographs / NEEDLE}: is empty (0 bytes)")
    assert (output / NEEDLE).read_bytes() == b""  # it is hay all the same


def test_needles_are_drawn_whatever_their_names():
    names = [f"{number:02}\udce9.jpg" for number in range(17)]
    assert random_needles(names)["needle"].tolist() == names
    assert article_needles(names)["needle"].tolist() == names


@pytest.mark.skipif(sys.platform != "linux", reason="other systems refuse such names")
def test_a_needle_whose_name_is_no_text_is_skipped_with_a_sentence(photographs, output, capsys):
    name = os.fsdecode(b"caf\xe9.jpg")
    (photographs / NEEDLE).rename(photographs / name)
    assert len(gather(photographs, output, plan(name, "dogs/image_0006.jpg"))) == 3
    shown = r"No copies of caf\udce9.jpg: its name is not valid text; rename it"
    assert shown in capsys.readouterr().out
    assert (output / name).is_file()


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no such pipes")
def test_hay_that_cannot_be_read_is_left_out_with_a_sentence(photographs, output, capsys):
    (photographs / "dogs" / "link.jpg").symlink_to("nowhere")
    (photographs / "dogs" / "zero.jpg").symlink_to("/dev/zero")
    os.mkfifo(photographs / "dogs" / "pipe.jpg")
    gather(photographs, output, PLAN)
    printed = capsys.readouterr().out
    assert "link.jpg: is a link that leads nowhere (" in printed
    for name in ("zero", "pipe"):
        assert f"{name}.jpg: is a pipe or a device, not a file; name a file" in printed
    assert sorted(find_images(output))[-1].startswith("dogs/image_0007")


def test_a_haystack_with_damaged_settings_is_one_sentence(photographs, output):
    gather(photographs, output, PLAN)
    (output / "gather.json").write_text("{")
    before = contents(output)
    for replace in (False, True):
        with pytest.raises(Problem, match=r"is there already and is no haystack; choose a new"):
            gather(photographs, output, PLAN, replace=replace)
    assert contents(output) == before


def test_a_listed_image_that_is_gone_is_one_sentence(photographs, tmp_path):
    needles = random_needles(find_images(photographs), 1)
    with pytest.raises(Problem, match=r"gone\.jpg: cannot be copied .*; list only images"):
        gather(
            photographs, tmp_path / "out", needles, images=[*find_images(photographs), "gone.jpg"]
        )


def test_a_haystack_that_lost_its_truth_is_made_anew(photographs, tmp_path):
    needles = random_needles(find_images(photographs), 1)
    truth = gather(photographs, tmp_path / "out", needles)
    (tmp_path / "out" / "truth.csv").unlink()
    assert gather(photographs, tmp_path / "out", needles).equals(truth)
    assert (tmp_path / "out" / "truth.csv").is_file()
