"""A plan that can be trusted: the original stays and loses nothing, nothing goes that is no copy, and the same plan comes out everywhere."""

import json
import os

import numpy as np
import pandas as pd
import pytest
from inputs import by_path, copy, propose, save, with_alpha
from PIL import Image, ImageDraw

from helpers import Problem
from helpers.images import opening, pixels
from helpers.library import inventory, proposal
from helpers.quarantine import plans

#: Times of files, in seconds since 1970.
OLD, LATER = 1_500_000_000, 1_600_000_000


def test_nothing_is_proposed_where_nothing_is_twice(plan_of):
    plan = plan_of()
    assert list(plan.columns) == list(plans.PLAN)
    assert plan.dtypes.astype(str).to_dict() == plans.PLAN
    assert len(plan) == 0


def date_all(folder, modified):
    for path in folder.rglob("*.*"):
        os.utime(path, (modified, modified))


# Which file stays


def test_of_exact_copies_the_oldest_stays(plan_of, photos):
    original = photos / "cats" / "image_0000.jpg"
    date_all(photos, LATER)
    copy(original, photos / "a.jpg", modified=LATER + 9)
    copy(original, photos / "old.jpg", modified=OLD)
    plan = plan_of()
    assert plan["path"].tolist() == ["old.jpg", "a.jpg", "cats/image_0000.jpg"]
    assert plan["action"].tolist() == ["keep", "move", "move"]
    assert plan["kind"].tolist() == ["best", "exact copy", "exact copy"]
    assert set(plan["kept"]) == {"old.jpg"}
    assert plan["reason"].tolist() == [
        "stays",
        "the same bytes; the one that stays is older",
        "the same bytes; the one that stays is older",
    ]
    assert plan["sha256"].nunique() == 1
    assert plan["group"].tolist() == [1, 1, 1]
    assert plan["distance"].tolist() == [0, 0, 0]


@pytest.mark.parametrize("time", [OLD, OLD + 1.9, 0, 315_600_000, 4_000_000_000])
def test_times_that_are_cut_short_or_lost_decide_nothing(time, plan_of, photos):
    """Then that of the shortest path stays, then the first by name."""
    original = photos / "cats" / "image_0000.jpg"
    date_all(photos, OLD)
    for name in ("copy/longer.jpg", "b.jpg", "a.jpg"):
        copy(original, photos / name, modified=time)
    plan = plan_of()
    assert plan["path"].tolist()[0] == "a.jpg"
    assert by_path(plan)["reason"].to_dict() == {
        "b.jpg": "the same bytes; the one that stays is first by name",
        "cats/image_0000.jpg": "the same bytes; the one that stays has a shorter path",
        "copy/longer.jpg": "the same bytes; the one that stays has a shorter path",
    }


def detailed(picture):
    noise = Image.effect_noise(picture.size, 80).convert("RGB")
    return Image.blend(picture, noise, 0.3)


@pytest.fixture
def rivals(scan, photos, photograph):
    """`rivals(one, other, later)`: the row of one of two near copies; what a scan found about them is as it is told."""

    def row(one, other, first="jpg", second="jpg", shrink=1):
        names = f"a rather long name.{first}", f"b.{second}"
        save(detailed(photograph(11, size=(300, 200))), photos / names[0], LATER, quality=90)
        seen = opening.open_image(photos / names[0])
        smaller = seen.resize((300 // shrink, 200 // shrink), Image.Resampling.LANCZOS)
        save(smaller, photos / names[1], OLD, quality=95)
        table = scan()
        for name, facts in zip(names, (one, other), strict=True):
            for column, value in facts.items():
                value = json.dumps(value) if column == "holds" else value
                table.loc[table["path"] == name, column] = value
        (found,) = by_path(propose(table, photos)).reset_index().to_dict("records")
        return found

    return row


def test_the_camera_s_own_file_stays_before_an_older_or_larger_one(rivals):
    found = rivals({"exposed": "2024:05:01 10:00:00"}, {"exposed": "", "edited": ""})
    assert (found["action"], found["path"]) == ("move", "b.jpg")
    assert found["reason"].endswith("; the one that stays is the camera's own file")
    edited = {"exposed": "2024:05:01 10:00:00", "edited": "Gallery 1.0"}
    assert rivals({"exposed": "2024:05:01 10:00:00"}, edited)["path"] == "b.jpg"
    assert rivals(edited, edited)["path"] == "a rather long name.jpg", "then the older one"


def test_the_one_that_holds_more_stays_and_the_plan_names_it(rivals):
    more = {"holds": {"place": "48.86 N 2.29 E", "rating": "5 stars", "film": "30 kB"}}
    found = rivals(more, {"holds": {"film": "29 kB"}})
    assert (found["action"], found["path"], found["lost"]) == ("move", "b.jpg", "")
    assert found["gained"] == "place 48.86 N 2.29 E; rating 5 stars"
    assert found["reason"].endswith("; the one that stays holds more: " + found["gained"])


@pytest.mark.parametrize(
    ("one", "other", "lost"),
    [
        ({"place": "1 N 2 E"}, {"keywords": "cat"}, "keywords cat"),
        ({"rating": "5"}, {"rating": "1"}, "rating 1"),
        ({"keywords": "cat; dog", "film": ""}, {"keywords": "cat; owl"}, "keywords owl"),
        ({"keywords": "cat, dog"}, {"keywords": "cat, owl"}, "keywords owl"),
        ({"place": "1 N 2 E"}, {"layers": "3"}, "layers"),
    ],
)
def test_what_would_lose_something_is_asked_about(one, other, lost, rivals):
    found = rivals({"exposed": "2024", "holds": one}, {"holds": other})
    assert (found["action"], found["kind"], found["path"]) == ("look", "near copy", "b.jpg")
    assert found["lost"] == lost
    assert found["reason"] == (
        f"the same picture, but it has what the other one lacks: {lost}; look at both"
    )


def test_the_camera_s_own_file_does_not_go_even_for_one_that_never_moves(rivals):
    found = rivals({"names": 2}, {"exposed": "2024"})
    assert (found["action"], found["lost"]) == ("look", "the camera's own file")


def test_the_one_that_shows_more_stays(rivals):
    found = rivals({}, {}, shrink=3)
    assert found["path"] == "b.jpg"
    assert found["reason"].endswith("; the one that stays shows more")
    found = rivals({}, {"exposed": "2024"}, shrink=3)
    assert (found["path"], found["lost"]) == ("a rather long name.jpg", "more detail")


def test_of_equal_pixels_the_lossy_file_was_first(rivals):
    found = rivals({}, {}, second="png")
    assert found["path"] == "b.png"
    assert found["reason"].endswith("; the one that stays is the lossy file that was first")


def test_of_pictures_that_show_the_same_at_the_same_time_the_larger_stays(
    plan_of, photos, photograph
):
    picture = photograph(11, size=(300, 200))
    save(picture, photos / "a rather long name.png", modified=OLD)
    save(picture.resize((150, 100)), photos / "b.png", modified=OLD)
    assert by_path(plan_of()).loc["b.png", "reason"].endswith("; the one that stays is larger")


def test_a_file_of_several_names_never_moves(scan, photos):
    copy(photos / "cats" / "image_0000.jpg", photos / "a.jpg", modified=OLD)
    table = scan()
    table["names"] = table["path"].eq("cats/image_0000.jpg") + 1
    row = by_path(propose(table, photos)).loc["a.jpg"]
    assert row["kept"] == "cats/image_0000.jpg"
    assert row["reason"] == "the same bytes; the one that stays has several names (hard links)"
    assert len(propose(table.assign(names=2), photos)) == 0


# What is a copy


def test_an_exact_copy_of_a_near_copy_goes_with_it(plan_of, photos, photograph):
    picture = detailed(photograph(12, size=(300, 200)))
    save(picture, photos / "whole.jpg")
    save(picture.resize((150, 100)), photos / "small.jpg")
    copy(photos / "small.jpg", photos / "small again.jpg")
    moves = by_path(plan_of())
    assert set(moves.index) == {"small.jpg", "small again.jpg"}
    assert set(moves["kept"]) == {"whole.jpg"}
    assert set(moves["kind"]) == {"near copy"}


def test_a_turned_photograph_is_a_copy_of_the_upright_one(plan_of, photos, photograph):
    picture, exif = photograph(13, size=(300, 200)), Image.Exif()
    exif[0x0112] = 6
    save(picture, photos / "upright.jpg", modified=OLD, quality=95)
    turned = picture.transpose(Image.Transpose.ROTATE_90)
    save(turned, photos / "turned.jpg", modified=LATER, quality=95, exif=exif)
    assert by_path(plan_of())["kept"].to_dict() == {"turned.jpg": "upright.jpg"}


@pytest.fixture
def in_a_chain(photos, monkeypatch):
    """Pictures of which only neighbours are candidates, as in a crowd; the first is the oldest."""

    def save_all(pictures):
        for number, picture in enumerate(pictures):
            save(picture, photos / f"{number}.png", modified=OLD + 10 * number)
        names = [f"{number}.png" for number in range(len(pictures))]
        near = pd.DataFrame({"first": names[:-1], "second": names[1:]})
        monkeypatch.setattr(proposal, "candidates", lambda table, radius: near)

    return save_all


def test_a_copy_of_a_copy_is_compared_with_the_one_that_stays(in_a_chain, plan_of, photograph):
    picture = photograph(14, size=(300, 200))
    in_a_chain([picture.resize((300 - 60 * number, 200 - 40 * number)) for number in range(4)])
    assert by_path(plan_of())["kept"].to_dict() == dict.fromkeys(
        ["1.png", "2.png", "3.png"], "0.png"
    )


def test_a_chain_of_copies_is_cut_where_the_one_that_stays_has_no_copy_more(
    in_a_chain, plan_of, photograph
):
    picture = photograph(14, size=(300, 200))
    in_a_chain([picture.point(lambda level, more=2 * number: level + more) for number in range(4)])
    plan = plan_of()
    moves = plan[plan["action"] == "move"]
    assert dict(zip(moves["path"], moves["kept"], strict=True)) == {
        "1.png": "0.png",
        "3.png": "2.png",
    }
    assert plan.loc[plan["action"] == "look", ["path", "kept"]].to_numpy().tolist() == [
        ["2.png", "0.png"]
    ]


def test_colours_are_no_copies_of_each_other_unless_byte_for_byte(plan_of, photos):
    for colour in ("red", "green", "#008001", "white"):
        Image.new("RGB", (90, 80), colour).save(photos / f"{colour}.png")
    copy(photos / "red.png", photos / "red again.png")
    plan = plan_of()
    assert set(plan["path"]) == {"red.png", "red again.png"}


def test_broken_files_are_copies_byte_for_byte_and_empty_ones_are_not(plan_of, photos):
    for name in ("one.jpg", "two.jpg"):
        (photos / name).write_bytes(b"no picture")
        os.utime(photos / name, (1000, 1000))
        (photos / f"empty {name}").write_bytes(b"")
    plan = plan_of()
    assert plan["path"].tolist() == ["one.jpg", "two.jpg"]
    assert plan["kind"].tolist() == ["best", "exact copy"]


def animation(path, *pictures):
    pictures[0].save(path, save_all=True, append_images=pictures[1:], duration=100)


@pytest.mark.parametrize("suffix", ["gif", "tif", "png", "webp"])
def test_files_with_several_frames_are_compared_by_their_bytes_only(
    suffix, plan_of, photos, photograph
):
    one, two, three = (photograph(number, size=(300, 200)) for number in (21, 22, 23))
    animation(photos / f"a.{suffix}", one, two)
    animation(photos / f"b.{suffix}", one, three)
    one.save(photos / "still.png")
    assert len(plan_of()) == 0
    copy(photos / f"a.{suffix}", photos / f"c.{suffix}")
    assert set(plan_of()["path"]) == {f"a.{suffix}", f"c.{suffix}"}


def test_transparent_pictures_are_compared_by_their_bytes_only(plan_of, photos):
    """White letters on nothing: laid on white, as they are compared, both are the same."""
    for text in ("Happy birthday, Anna", "Sorry for your loss"):
        card = Image.new("RGB", (640, 480), "white")
        alpha = Image.new("L", card.size)
        draw, on_alpha = ImageDraw.Draw(card), ImageDraw.Draw(alpha)
        for number, colour in enumerate(("#142878", "#961e1e", "#0a6e1e")):
            box = (60 + 190 * number, 60 + 50 * number, 200 + 190 * number, 300)
            draw.ellipse(box, colour)
            on_alpha.ellipse(box, 255)
        on_alpha.text((60, 400), text, 255, font_size=44)
        save(with_alpha(card, alpha), photos / f"{text}.png")
    laid = [opening.open_image(path) for path in photos.glob("*.png")]
    assert pixels.difference(*laid) == 0
    assert len(plan_of()) == 0
    copy(photos / "Sorry for your loss.png", photos / "again.png")
    assert set(plan_of()["path"]) == {"Sorry for your loss.png", "again.png"}


def test_a_cut_out_does_not_go_for_a_larger_version_without_transparency(
    plan_of, photos, photograph
):
    cut_out = with_alpha(
        photograph(11, size=(300, 200)), Image.radial_gradient("L").resize((300, 200))
    )
    save(cut_out, photos / "cut out.png", modified=1000)
    flat = opening.open_image(photos / "cut out.png").resize((330, 220), Image.Resampling.LANCZOS)
    save(flat, photos / "flat.jpg", modified=2000, quality=95)
    assert len(plan_of()) == 0


def test_kin_comes_last_and_the_surest_first_and_never_moves(scan, photos, monkeypatch):
    rows = [
        ("cats/image_0002.jpg", "cats/image_0001.jpg", "framed", 9, 0.95, "in a frame"),
        ("cats/image_0001.jpg", "cats/image_0003.jpg", "cropped", 9, 0.9, "a part"),
    ]
    asked = {}

    def kin(folder, table, known, **how):
        asked.update(paths=set(table["path"]), known=known)
        columns = ["kept", "path", "kind", "distance", "correlation", "reason"]
        return pd.DataFrame(rows, columns=columns)

    monkeypatch.setattr(proposal, "kin", kin)
    copy(photos / "cats" / "image_0000.jpg", photos / "a.jpg", modified=OLD)
    plan = propose(scan(), photos)
    assert plan["kind"].tolist() == ["best", "exact copy", "best", "framed", "best", "cropped"]
    assert plan["action"].tolist() == ["keep", "move", "keep", "look", "keep", "look"]
    assert plan.loc[3, "reason"] == "in a frame; look at both"
    assert plan.loc[[3], "difference"].isna().all()
    assert "cats/image_0000.jpg" not in asked["paths"], "it goes"
    assert asked["known"] == [("cats/image_0000.jpg", "a.jpg")]


# Partners


@pytest.fixture
def pair(photos, scan):
    """`pair(here, there)`: the plan for a picture twice, each with these partners beside it."""
    copy(photos / "cats" / "image_0000.jpg", photos / "a" / "IMG_1.jpg", modified=OLD)
    copy(photos / "cats" / "image_0000.jpg", photos / "bb" / "IMG_1.jpg", modified=OLD)
    (photos / "cats" / "image_0000.jpg").unlink()

    def plan(here, there):
        for place, partners in (("a", here), ("bb", there)):
            for name, content in partners.items():
                (photos / place / name).write_bytes(content)
        return propose(scan(), photos)

    return plan


def test_a_picture_goes_with_its_partners_if_each_has_an_equal_one_beside_the_other(pair):
    plan = pair({"IMG_1.mov": b"film", "IMG_1.xmp": b"5"}, {"IMG_1.mov": b"film"})
    assert plan["path"].tolist() == ["a/IMG_1.jpg", "bb/IMG_1.jpg", "bb/IMG_1.mov"]
    assert plan["kind"].tolist() == ["best", "exact copy", "partner"]
    film = plan.loc[2]
    assert (film["action"], film["kept"], film["partner_of"]) == (
        "move",
        "a/IMG_1.mov",
        "bb/IMG_1.jpg",
    )
    assert (film["bytes"], len(film["sha256"]), film["group"]) == (4, 64, 1)
    assert film["reason"] == "goes with bb/IMG_1.jpg; the same bytes as a/IMG_1.mov"
    assert plan.loc[1, "gained"] == "IMG_1.xmp"
    assert "has more raw files, films or sidecars" in plan.loc[1, "reason"]


@pytest.mark.parametrize(
    ("here", "there", "lost"),
    [
        ({"IMG_1.jpg.xmp": b"5"}, {"IMG_1.jpg.xmp": b"1"}, "IMG_1.jpg.xmp"),
        ({"IMG_1.NEF": b"", "IMG_1.mov": b"film"}, {"IMG_1.mov": b"other"}, "IMG_1.mov"),
    ],
)
def test_a_partner_that_only_one_picture_has_keeps_it(here, there, lost, pair):
    plan = by_path(pair(here, there)).reset_index()
    row, *partners = plan.to_dict("records")
    assert (row["action"], row["kind"], row["lost"]) == ("look", "exact copy", lost)
    assert [(one["action"], one["kind"]) for one in partners] == [("look", "partner")] * len(there)
    assert {one["partner_of"] for one in partners} == {row["path"]}
    assert {one["kept"] for one in partners} == {row["kept"]}  # since none has an equal one


def test_a_partner_that_the_picture_that_stays_needs_does_not_go_with_one_asked_about(pair, photos):
    (photos / "a" / "IMG_1.jpg").rename(photos / "bb" / "IMG_1.jpe")
    plan = by_path(pair({}, {"IMG_1.mov": b"film", "IMG_1.jpg.xmp": b"5", "IMG_1.jpe.xmp": b"1"}))
    assert set(plan["action"]) == {"look"}
    assert "bb/IMG_1.mov" not in plan.index
    assert plan["kind"].tolist().count("partner") == 1


def test_a_partner_of_two_pictures_of_which_one_stays_stays(pair, photos, photograph):
    photograph(77).save(photos / "bb" / "IMG_1.png")
    plan = pair({"IMG_1.NEF": b"raw"}, {"IMG_1.NEF": b"raw"})
    assert by_path(plan)["action"].to_dict() == {"bb/IMG_1.jpg": "move"}


# Places


def test_from_a_folder_that_is_to_be_kept_nothing_moves(scan, photos, photograph):
    picture = detailed(photograph(78, size=(600, 400)))
    picture.save(photos / "large.png")
    save(picture.resize((300, 200)), photos / "shop" / "web" / "small.jpg", quality=90)
    save(picture.resize((150, 100)), photos / "smaller.jpg", quality=90)
    for name in ("shop/a.jpg", "shop/b.jpg", "a.jpg"):
        copy(photos / "cats" / "image_0000.jpg", photos / name, modified=1000)
    copy(photos / "cats" / "image_0001.jpg", photos / "shop" / "d.jpg")
    copy(photos / "shop" / "d.jpg", photos / "shop" / "e.jpg")
    (photos / "cats" / "image_0001.jpg").unlink()
    table = scan()
    plan = propose(table, photos, keep=["shop"])
    assert by_path(plan)["action"].to_dict() == {
        "a.jpg": "move",
        "cats/image_0000.jpg": "move",
        "smaller.jpg": "move",
        "large.png": "look",
    }
    assert by_path(plan)["kept"].str.startswith("shop/").all()
    assert by_path(plan).loc["large.png", "lost"] == "more detail"
    assert by_path(plan).loc["a.jpg", "reason"].endswith("lies in a folder to be kept")
    without = propose(table, photos)
    assert without.loc[without["action"] == "move", "path"].str.startswith("shop/").sum() >= 3
    assert len(propose(table, photos, keep=["."])) == 0
    if os.name != "nt":  # links need rights there
        (photos / "alias").symlink_to("shop")
        assert propose(table, photos, keep=["alias"]).equals(plan), "by another name"
    for wrong in ("nowhere", "../photographs", str(photos / "shop"), "shop/a.jpg"):
        with pytest.raises(Problem, match="is no folder inside"):
            propose(table, photos, keep=[wrong])


def test_what_an_archive_has_goes_and_what_it_has_worse_is_asked_about(
    scan, photos, photograph, tmp_path
):
    archive, picture = tmp_path / "archive", detailed(photograph(78, size=(600, 400)))
    copy(photos / "cats" / "image_0000.jpg", archive / "album" / "1.jpg", modified=LATER)
    copy(archive / "album" / "1.jpg", archive / "again.jpg")
    save(picture.resize((300, 200)), archive / "small.jpg", quality=90)
    save(picture, photos / "large.jpg", quality=90)
    there = inventory.scan(archive, tmp_path / "cache", workers=1)
    there["path"] = [(archive / path).as_posix() for path in there["path"]]
    plan = propose(scan(), photos, archive=there)
    assert by_path(plan)["action"].to_dict() == {"cats/image_0000.jpg": "move", "large.jpg": "look"}
    assert by_path(plan).loc["cats/image_0000.jpg", "reason"].endswith("lies in the archive")
    assert by_path(plan).loc["large.jpg", "lost"] == "more detail"
    assert len(plan) == 4


def test_a_series_in_which_next_to_nothing_moves_stays_whole(scan, photos, photograph, capsys):
    """Each frame passes beside the first; nobody has so many copies of one picture."""
    frame = np.asarray(photograph(205, size=(48, 32)))
    for number in range(proposal.MOST_COPIES + 1):
        moved = frame.copy()
        moved[number // 48, number % 48] ^= 8
        save(Image.fromarray(moved), photos / "lapse" / f"{number:02}.bmp")
    save(photograph(206, size=(300, 200)), photos / "a.jpg")
    save(photograph(206, size=(300, 200)), photos / "b.jpg", quality=80)
    plan = propose(scan(), photos)
    assert not plan["path"].str.startswith("lapse/").any()
    assert plan.loc[plan["action"] == "move", "path"].tolist() == ["b.jpg"]
    assert "21 files pass for copies of one picture, as lapse/00.bmp" in capsys.readouterr().out


# Bad arguments


def test_bad_arguments_are_one_sentence(scan, photos, tmp_path):
    table = scan()
    with pytest.raises(Problem, match="radius 65"):
        propose(table, photos, radius=65)
    with pytest.raises(Problem, match="no such folder; check the spelling"):
        propose(table, tmp_path / "nowhere")
    with pytest.raises(Problem, match="has no column 'sha256'"):
        propose(table.drop(columns="sha256"), photos)
