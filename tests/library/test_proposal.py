"""A plan that can be trusted: the better file stays, nothing goes that is no copy, and the same plan comes out everywhere."""

import os

import pandas as pd
import pytest
from inputs import by_path, copy, exif_of, propose, save, with_alpha
from PIL import Image, ImageDraw

from helpers import Problem
from helpers.images import opening, pixels
from helpers.quarantine import plans


def test_nothing_is_proposed_where_nothing_is_twice(plan_of):
    plan = plan_of()
    assert list(plan.columns) == list(plans.PLAN)
    assert plan.dtypes.astype(str).to_dict() == plans.PLAN
    assert len(plan) == 0


def test_of_exact_copies_the_oldest_stays(plan_of, photos):
    original = photos / "cats" / "image_0000.jpg"
    copy(original, photos / "a.jpg")
    copy(original, photos / "old.jpg", modified=1000)
    plan = plan_of()
    assert plan["path"].tolist() == ["old.jpg", "a.jpg", "cats/image_0000.jpg"]
    assert plan["action"].tolist() == ["keep", "move", "move"]
    assert plan["kind"].tolist() == ["best", "exact copy", "exact copy"]
    assert set(plan["kept"]) == {"old.jpg"}
    assert plan["reason"].tolist() == [
        "stays: older than 2 of them",
        "the same bytes; the one that stays is older",
        "the same bytes; the one that stays is older",
    ]
    assert plan["sha256"].nunique() == 1
    assert plan["group"].tolist() == [1, 1, 1]
    assert plan["distance"].tolist() == [0, 0, 0]


def test_of_equally_old_copies_that_of_the_shortest_path_stays_then_the_first_by_name(
    plan_of, photos
):
    original = photos / "cats" / "image_0000.jpg"
    for name in ("copy/longer.jpg", "b.jpg", "a.jpg"):
        copy(original, photos / name, modified=1000)
    os.utime(original, (1000, 1000))
    plan = plan_of()
    assert plan["path"].tolist()[0] == "a.jpg"
    assert by_path(plan)["reason"].to_dict() == {
        "b.jpg": "the same bytes; the one that stays is first by name",
        "cats/image_0000.jpg": "the same bytes; the one that stays is of a shorter path",
        "copy/longer.jpg": "the same bytes; the one that stays is of a shorter path",
    }


def test_the_largest_stays_then_the_least_compressed_then_the_oldest(plan_of, photos, photograph):
    for path in photos.rglob("*.jpg"):
        path.unlink()
    picture = photograph(1, size=(300, 200))
    save(picture.resize((200, 133)), photos / "small.jpg", modified=1000, quality=95)
    save(picture, photos / "coarse.jpg", modified=1000, quality=60)
    save(picture, photos / "fine, late.jpg", modified=3000, quality=90, comment="b")
    save(picture, photos / "fine, early.jpg", modified=2000, quality=90, comment="a")
    plan = plan_of()
    assert plan["path"].tolist()[0] == "fine, early.jpg"
    assert plan["reason"].tolist()[0] == (
        "stays: larger than 1 of them, less compressed than 1 of them, older than 1 of them"
    )
    reasons = by_path(plan)["reason"].str.partition("; ")[2].to_dict()
    assert reasons == {
        "coarse.jpg": "the one that stays is less compressed",
        "fine, late.jpg": "the one that stays is older",
        "small.jpg": "the one that stays is larger",
    }
    assert set(by_path(plan)["kind"]) == {"near copy"}
    assert set(by_path(plan)["action"]) == {"move"}


#: What stays, and how it is saved; what goes, and how it is saved; why. What stays is always newer.
BETTER = {
    "PNG, JPEG of more bytes": ("png", {}, "jpg", {"quality": 100}, "less compressed"),
    "BMP, WebP": ("bmp", {}, "webp", {"quality": 100}, "less compressed"),
    "lossless WebP": ("webp", {"lossless": True}, "jpg", {}, "less compressed"),
    "camera's and saved anew": (
        "jpg",
        {"quality": 90, "exif": exif_of()},
        "jpg",
        {"quality": 98},
        "dated by the camera",
    ),
    "camera's and lossless": (
        "jpg",
        {"quality": 95, "exif": exif_of()},
        "png",
        {},
        "dated by the camera",
    ),
    "a clock that was never set": (
        "jpg",
        {"quality": 98},
        "jpg",
        {"quality": 90, "exif": exif_of("0000:00:00 00:00:00")},
        "less compressed",
    ),
    "metadata": (
        "jpg",
        {"quality": 90, "comment": "the harbour"},
        "jpg",
        {"quality": 90},
        "of more bytes",
    ),
    "WebP": ("webp", {"quality": 95}, "webp", {"quality": 60}, "less compressed"),
}


@pytest.mark.parametrize("case", BETTER)
def test_the_better_file_stays(case, plan_of, photos, photograph):
    suffix, how, other_suffix, other_how, why = BETTER[case]
    picture = photograph(11, size=(300, 200))
    save(picture, photos / f"stays, later.{suffix}", modified=3000, **how)
    save(picture, photos / f"goes.{other_suffix}", modified=1000, **other_how)
    row = by_path(plan_of()).loc[f"goes.{other_suffix}"]
    assert row["action"] == "move"
    assert row["reason"].endswith(f"the one that stays is {why}")


def test_of_two_lossy_formats_that_of_the_oldest_stays(plan_of, photos, photograph):
    """Bytes of two formats cannot be compared: not even a WebP of more bytes stays."""
    picture = photograph(11, size=(300, 200))
    save(picture, photos / "a.webp", modified=2000, quality=100)
    save(picture, photos / "b.jpg", modified=1000, quality=60)
    save(picture, photos / "c.jpg", modified=3000, quality=90)
    rows = by_path(plan_of())
    assert rows["kept"].to_dict() == {"a.webp": "c.jpg", "b.jpg": "c.jpg"}
    assert rows.loc["a.webp", "reason"].endswith("is of the format of the oldest")


def test_a_film_behind_the_picture_is_not_lost_for_the_stripped_still(plan_of, photos, photograph):
    save(photograph(12, size=(300, 200)), photos / "still.jpg", modified=1000)
    still = (photos / "still.jpg").read_bytes()
    (photos / "with a film.jpg").write_bytes(still + b"ftypmp42" * 200)
    assert by_path(plan_of())["kept"].to_dict() == {"still.jpg": "with a film.jpg"}


def test_an_exact_copy_of_a_near_copy_goes_with_it(plan_of, photos, photograph):
    picture = photograph(12, size=(300, 200))
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
    save(picture, photos / "upright.jpg", modified=1000, quality=95, comment=200 * "-")
    turned = picture.transpose(Image.Transpose.ROTATE_90)
    save(turned, photos / "turned.jpg", modified=2000, quality=95, exif=exif)
    assert by_path(plan_of())["kept"].to_dict() == {"turned.jpg": "upright.jpg"}


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


@pytest.mark.parametrize("partner", ["image_0000.NEF", "IMAGE_0000.mov", "image_0000.jpg.xmp"])
def test_a_raw_file_a_film_and_a_sidecar_keep_their_picture(partner, plan_of, photos):
    original = photos / "cats" / "image_0000.jpg"
    original.with_name(partner).write_bytes(b"raw")
    copy(original, photos / "a.jpg", modified=1000)
    rows = by_path(plan_of())
    assert rows["kept"].to_dict() == {"a.jpg": "cats/image_0000.jpg"}
    assert rows["reason"].tolist() == [
        "the same bytes; the one that stays is with a raw file, a film or a sidecar"
    ]


def test_other_files_of_its_name_are_no_partners(plan_of, photos, photograph):
    original = photos / "cats" / "image_0000.jpg"
    original.with_suffix(".html").touch()
    original.with_suffix(".mov").mkdir()
    photograph(77).save(original.with_suffix(".png"))
    copy(original, photos / "a.jpg", modified=1000)
    assert by_path(plan_of())["kept"].to_dict() == {"cats/image_0000.jpg": "a.jpg"}


def test_from_a_folder_that_is_to_be_kept_nothing_moves(scan, photos, photograph):
    picture = photograph(78, size=(600, 400))
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
    moves = plan[plan["action"] == "move"].set_index("path")["kept"].to_dict()
    assert moves == {
        "smaller.jpg": "large.png",
        "a.jpg": "shop/a.jpg",
        "cats/image_0000.jpg": "shop/a.jpg",
    }
    stays = plan[plan["path"].isin(["shop/web/small.jpg", "shop/b.jpg"])]
    assert stays["action"].tolist() == ["keep", "keep"]
    assert stays["reason"].str.startswith("stays: in a folder to be kept; ").all()
    assert not plan["path"].isin(["shop/d.jpg", "shop/e.jpg"]).any(), "nothing is left to do"
    assert sorted(set(plan["group"])) == [1, 2]
    without = propose(table, photos)
    assert without.loc[without["action"] == "move", "path"].str.startswith("shop/").sum() >= 3
    assert len(propose(table, photos, keep=["."])) == 0
    if os.name != "nt":  # links need rights there
        (photos / "alias").symlink_to("shop")
        assert propose(table, photos, keep=["alias"]).equals(plan), "by another name"
    for wrong in ("nowhere", "../photographs", str(photos / "shop"), "shop/a.jpg"):
        with pytest.raises(Problem, match="is no folder inside"):
            propose(table, photos, keep=[wrong])


def test_bad_arguments_are_one_sentence(scan, photos, tmp_path):
    table = scan()
    with pytest.raises(Problem, match="radius 65"):
        propose(table, photos, radius=65)
    with pytest.raises(Problem, match="no such folder; check the spelling"):
        propose(table, tmp_path / "nowhere")
    with pytest.raises(Problem, match="has no column 'sha256'"):
        propose(table.drop(columns="sha256"), photos)


def test_thousands_of_frames_of_one_scene_keep_no_other_copy_from_being_found(
    scan, photos, photograph, capsys
):
    save(photograph(5, size=(60, 40)), photos / "small.png")
    table = scan()
    frame = table[table["path"] == "cats/image_0000.jpg"]
    crowd = frame.loc[frame.index.repeat(4_600)].reset_index(drop=True)
    numbers = pd.Series(range(len(crowd)))
    crowd["fingerprint"] ^= pd.array([1 << number % 64 for number in numbers], dtype="UInt64")
    crowd["path"] = "crowd/" + numbers.astype(str) + ".jpg"
    crowd["sha256"] = numbers.mask(numbers == 4_599, 0).astype(str)  # the last is the first, twice
    plan = propose(pd.concat([table, crowd], ignore_index=True), photos)
    assert plan.loc[plan["action"] == "move", "path"].tolist() == ["crowd/4599.jpg", "small.png"]
    assert plan.attrs["left_out"] == 4_600
    sentence = "4,600 pictures near each other, as cats/image_0000.jpg, are too many to compare"
    assert sentence in capsys.readouterr().out
