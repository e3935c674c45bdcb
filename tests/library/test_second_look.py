"""Copies pass the second look, and look-alikes do not; what was seen is remembered."""

import os

import numpy as np
import pandas as pd
import pytest
from inputs import by_path, copy, exif_of, propose, save, sixteen_bits
from PIL import Image, ImageDraw, ImageFont

from helpers.images import opening, pixels
from helpers.library import second_look


def exposed(path, picture, *when):
    save(picture, path, **({"exif": exif_of(*when)} if when else {}))


@pytest.mark.parametrize(
    ("first", "second", "action"),
    [
        (["2024:05:01 10:00:00"], ["2024:05:01 10:00:01"], "look"),
        (["2024:05:01 10:00:00", "12"], ["2024:05:01 10:00:00", "40"], "look"),
        (["2024:05:01 10:00:00", "12"], ["2024:05:01 10:00:00", "12"], "move"),
        (["2024:05:01 10:00:00"], [], "move"),
    ],
)
def test_two_moments_of_exposure_are_two_shots(first, second, action, plan_of, photos, photograph):
    picture = photograph(31, size=(300, 200))
    exposed(photos / "a.jpg", picture, *first)
    exposed(photos / "b.jpg", picture.resize((240, 160)), *second)
    row = by_path(plan_of()).loc["b.jpg"]
    assert row["action"] == action
    assert ("taken at two moments" in row["reason"]) == (action == "look")


def with_a_patch(picture, levels):
    """The picture, brighter in one place."""
    values = np.asarray(picture).astype(int)
    values[70:90, 110:135] += levels
    return Image.fromarray(np.clip(values, 0, 255).astype(np.uint8))


def test_every_member_is_a_copy_of_the_one_that_stays_not_only_of_another(
    plan_of, photos, photograph
):
    """Likeness is not transitive: a is like b and b like c, but a is not like c."""
    picture = photograph(73, size=(300, 200)).point(lambda level: 0.8 * level + 20)
    for number, name in enumerate("abc"):
        path = photos / f"{name}.bmp"
        save(with_a_patch(picture, 7 * number), path, modified=1000 + number)
    rows = by_path(plan_of())
    assert rows["kept"].to_dict() == {"b.bmp": "a.bmp", "c.bmp": "a.bmp"}
    assert rows["action"].to_dict() == {"b.bmp": "move", "c.bmp": "look"}
    assert "in one place (up to 20 passes); look at both" in rows.loc["c.bmp", "reason"]


def test_who_is_near_a_copy_is_compared_with_the_one_that_stays(scan, photos, photograph):
    """Fingerprints of copies may form a chain; what counts is the picture that stays."""
    for number, name in enumerate("abc"):
        save(
            photograph(41, size=(300, 200)),
            photos / f"{name}.png",
            modified=1000 + number,
            compress_level=number,
        )
    table = scan()
    rows = table["path"].isin(["a.png", "b.png", "c.png"])
    table.loc[rows, "fingerprint"] = pd.array([0, 1, 3], dtype="UInt64")
    moves = by_path(propose(table, photos, radius=1))
    assert moves["kept"].to_dict() == {"b.png": "a.png", "c.png": "a.png"}
    assert moves["distance"].to_dict() == {"b.png": 1, "c.png": 2}


@pytest.mark.parametrize(
    ("width", "height", "kind"), [(301, 200, "near copy"), (330, 200, "look-alike")]
)
def test_a_stretched_picture_is_no_copy(width, height, kind, plan_of, photos, photograph):
    """A fingerprint knows nothing of shapes."""
    picture = photograph(74, size=(600, 400))
    picture.save(photos / "first.png")
    picture.resize((width, height)).save(photos / "second.png")
    plan = plan_of()
    assert plan["kind"].tolist() == ["best", kind]
    assert ("stretched" in plan["reason"].iloc[1]) == (kind == "look-alike")


def test_a_filter_over_the_whole_picture_is_no_copy(plan_of, photos, photograph):
    """In no place does it make much of a difference."""
    picture = photograph(74, size=(600, 400)).point(lambda level: 0.8 * level + 25)
    warm = Image.fromarray(np.add(picture, [9, 0, -11]).astype(np.uint8))
    save(picture, photos / "a.jpg", modified=1000, quality=85)
    save(warm, photos / "warm.jpg", modified=2000, quality=92)
    for quality in (25, 50, 84):
        save(picture.resize((300, 200)), photos / f"copy, {quality}.jpg", quality=quality)
    rows = by_path(plan_of())
    look = rows[rows["action"] == "look"].iloc[0]
    assert {look.name, look["kept"]} == {"warm.jpg", "a.jpg"}
    assert look["difference"] <= second_look.COPY_DIFFERENCE
    assert "alike, but brighter, darker or of other colours as a whole, by " in look["reason"]
    assert "(up to 3 passes); look at both" in look["reason"]
    moves = rows[rows["action"] == "move"]
    assert len(moves) == 3
    assert set(moves["kept"]) == {"a.jpg"}


def test_the_difference_is_told_to_a_tenth(plan_of, photos, photograph):
    """20.1 is not 20 when up to 20 passes."""
    picture = photograph(73, size=(300, 200)).point(lambda level: 0.8 * level + 20)
    for number, name in enumerate("abc"):
        save(with_a_patch(picture, 8 * number), photos / f"{name}.bmp", modified=1000 + number)
    rows = by_path(plan_of())
    assert set(rows["action"]) == {"move", "look"}
    for row in rows.itertuples():
        assert f" a difference of {row.difference:.1f} " in row.reason


def test_a_shirt_in_another_blue_is_no_copy(plan_of, photos, photograph):
    """Each place differs a little, none a lot, and the whole hardly."""
    for name, colour in (("navy", "#20304a"), ("anthracite", "#2a2a38")):
        picture = photograph(76, size=(600, 400))
        picture.paste(colour, (150, 100, 330, 300))
        picture.save(photos / f"{name}.png")
    rows = by_path(plan_of())
    assert rows["action"].tolist() == ["look"]
    assert rows["difference"].max() <= second_look.COPY_DIFFERENCE
    assert "of other colours over an area, by" in rows["reason"].iloc[0]


@pytest.mark.parametrize("scale", [1, 2])
def test_a_master_of_16_bits_does_not_go_for_a_preview_of_8(scale, plan_of, photos, photograph):
    master = Image.fromarray(sixteen_bits(photograph(16, size=(300, 200))))
    save(master, photos / "master.tif", modified=2000)
    preview = opening.open_image(photos / "master.tif").resize((300 * scale, 200 * scale))
    save(preview, photos / "preview.png", modified=1000)
    rows = by_path(plan_of())
    assert rows["action"].tolist() == ["look"]
    assert "with more than 8 bits a channel, of which 8 are compared" in rows["reason"].iloc[0]
    copy(photos / "master.tif", photos / "master again.tif")
    rows = by_path(plan_of())
    assert rows.loc["master again.tif", "kind"] == "exact copy", (
        "but by their bytes they are compared"
    )


def test_another_line_of_text_is_a_look_alike(plan_of, photos):
    for number, text in enumerate(["see you at noon", "see you at nine", "never mind that"]):
        window = Image.new("RGB", (900, 600), "#335577")
        draw = ImageDraw.Draw(window)
        draw.rectangle((100, 80, 700, 500), fill="white")
        for line in range(9):
            draw.text(
                (120, 100 + 40 * line),
                text if line == 4 else "the same in all of them",
                fill="black",
                font_size=20,
            )
        save(window, photos / f"{number}.png")
    looks = by_path(plan_of())
    assert len(looks) == 2
    assert set(looks["action"]) == {"look"}
    assert (looks["correlation"] > 0.99).all(), "though they correlate"


def page(total):
    """A page of A4 as scanners make it, 150 dots per inch."""
    paper = Image.new("RGB", (1240, 1754), "white")
    draw, font = ImageDraw.Draw(paper), ImageFont.load_default(21)
    for line in range(39):
        draw.text(
            (100, 100 + 40 * line), f"{line + 7} copies of the same words " * 3, "black", font
        )
    draw.text((850, 1665), f"Total: {total} EUR", "black", font)
    return paper


@pytest.mark.slow
def test_a_digit_on_a_page_is_seen_at_full_size(plan_of, photos):
    """At 512 pixels it is not."""
    save(page("61.08"), photos / "a.jpg", quality=90, comment=20_000 * "-")
    save(page("81.08"), photos / "b.jpg", quality=90)
    save(page("61.08"), photos / "copy of a.jpg", quality=60)
    one, other = (opening.open_image(photos / name) for name in ("a.jpg", "b.jpg"))
    assert pixels.difference(one, other) <= second_look.COPY_DIFFERENCE
    rows = by_path(plan_of())
    assert rows["action"].to_dict() == {"b.jpg": "look", "copy of a.jpg": "move"}
    assert rows.loc["copy of a.jpg", "kept"] == "a.jpg"


def test_many_frames_of_one_scene_take_few_looks(plan_of, photos, photograph, monkeypatch, reads):
    """Of 40 frames there are 780 pairs; small sums tell most of them apart, and no picture is opened for each pair."""
    scene = np.asarray(photograph(71, size=(300, 200)))
    for number in range(40):
        moved = scene.copy()
        moved[60:100, 7 * number : 7 * number + 20] = (
            255 - moved[60:100, 7 * number : 7 * number + 20]
        )
        save(Image.fromarray(moved), photos / f"{number:02}.bmp", modified=1000 + number)
    exact, calls = pixels.difference, []
    monkeypatch.setattr(pixels, "difference", lambda *two: (calls.append(two), exact(*two))[1])
    reads()
    rows = by_path(plan_of())
    assert len(rows) == 39
    assert set(rows["action"]) == {"look"}
    assert len(calls) < 200
    assert reads().count("07.bmp") <= 4, (
        "its bytes, its fingerprint, the second look, and parts of it"
    )
    for path, row in rows.iterrows():
        two = (opening.open_image(photos / name) for name in (row["kept"], path))
        assert row["difference"] == round(exact(*two), 1)


def test_who_passes_twice_is_a_copy_of_the_one_it_differs_least_from(plan_of, photos, photograph):
    """Two look-alikes stay; a small version of the second is its copy, although the first has the better rank."""
    picture = photograph(73, size=(300, 200)).point(lambda level: 0.8 * level + 20)
    for number, name in enumerate("ab"):
        save(with_a_patch(picture, 14 * number), photos / f"{name}.bmp", modified=1000 + number)
    save(with_a_patch(picture, 10).resize((270, 180)), photos / "c.bmp", modified=3000)
    rows = by_path(plan_of())
    assert rows["action"].to_dict() == {"b.bmp": "look", "c.bmp": "move"}
    assert rows["kept"].to_dict() == {"b.bmp": "a.bmp", "c.bmp": "b.bmp"}


def test_a_grey_version_is_left_to_a_person(plan_of, photos, photograph):
    picture = photograph(51, size=(300, 200))
    save(picture, photos / "colour.jpg")
    save(picture.convert("L"), photos / "grey.jpg")
    assert by_path(plan_of())["action"].tolist() == ["look"]


def test_pictures_that_are_gone_since_the_scan_are_left_out(scan, photos, photograph):
    save(photograph(61, size=(300, 200)), photos / "a.jpg")
    save(photograph(61, size=(200, 133)), photos / "b.jpg")
    table = scan()
    (photos / "b.jpg").write_bytes(b"no picture")
    assert len(propose(table, photos)) == 0
    (photos / "b.jpg").unlink()
    assert len(propose(table, photos)) == 0


def test_a_second_plan_opens_only_what_has_changed(two_groups, scan, photos, reads, photograph):
    table = scan()
    reads()
    plan = propose(table, photos)
    assert reads() == ["a.jpg", "b.jpg", "small a.jpg", "small b.jpg"]
    assert plan.attrs["opened"] == 4
    again = propose(table, photos)
    pd.testing.assert_frame_equal(again, plan)
    assert again.attrs["opened"] == 0
    assert reads() == []
    save(photograph(61, size=(210, 140)), photos / "small a.jpg")
    table = scan()
    reads()
    assert table.attrs["opened"] == 1
    plan = propose(table, photos)
    assert reads() == ["a.jpg", "small a.jpg"]
    assert plan.attrs["opened"] == 2
    pd.testing.assert_frame_equal(
        propose(table, photos, cache=photos.parent / "another cache"), plan
    )
    assert by_path(plan).loc["small a.jpg", "width"] == 210


def test_other_thresholds_are_another_plan(two_groups, scan, photos, monkeypatch):
    """What was remembered with the first ones says nothing about the second."""
    table = scan()
    assert len(propose(table, photos)) == 4
    monkeypatch.setattr(second_look, "COPY_DIFFERENCE", 0.1)
    assert "move" not in set(propose(table, photos)["action"])
    monkeypatch.setattr(second_look, "LEAST_CORRELATION", 1.1)
    assert len(propose(table, photos)) == 0


def test_what_is_gone_is_not_remembered_and_not_proposed(two_groups, scan, photos):
    table = scan()
    whole = propose(table, photos)
    kept = (photos / "small a.jpg").read_bytes()
    (photos / "small a.jpg").unlink()
    assert set(propose(table, photos)["path"]) == {"b.jpg", "small b.jpg"}
    (photos / "small a.jpg").write_bytes(kept)
    os.utime(photos / "small a.jpg", (1000, 1000))
    pd.testing.assert_frame_equal(propose(table, photos), whole)


@pytest.mark.parametrize("when", ["before", "meanwhile", "until then"])
def test_what_was_seen_in_a_changed_file_is_neither_used_nor_remembered(
    when, scan, photos, photograph, monkeypatch, capsys
):
    """Under the bytes of the scan the verdict about other bytes would be kept."""
    picture = photograph(73, size=(300, 200))
    save(picture, photos / "a.png", modified=1000)
    save(with_a_patch(picture, 60), photos / "b.png", modified=2000)
    table = scan()
    right = propose(table, photos, cache=photos.parent / "another cache")
    assert by_path(right)["action"].tolist() == ["look"]
    content, open_with_size = (photos / "b.png").read_bytes(), second_look.open_with_size

    def overwrite():
        copy(photos / "a.png", photos / "b.png", modified=3000)

    def bring_back():
        (photos / "b.png").write_bytes(content)
        os.utime(photos / "b.png", (2000, 2000))

    def opened(file, **about):
        if file.name == "b.png" and when == "meanwhile":
            overwrite()
        picture = open_with_size(file, **about)
        if file.name == "b.png" and when == "until then":
            bring_back()
        return picture

    if when != "meanwhile":
        overwrite()
    monkeypatch.setattr(second_look, "open_with_size", opened)
    capsys.readouterr()
    assert len(propose(table, photos)) == 0
    assert capsys.readouterr().out == (
        "Pairs of which a file changed, or could not be opened: 1; scan again.\n"
    )
    monkeypatch.setattr(second_look, "open_with_size", open_with_size)
    bring_back()
    pd.testing.assert_frame_equal(propose(table, photos), right)


@pytest.mark.parametrize(
    ("size", "in_memory"), [((300, 200), 10**8), ((300, 200), 1), ((700, 500), 10**8)]
)
def test_a_picture_that_goes_away_during_the_second_look_stops_nothing(
    size, in_memory, two_groups, scan, photos, photograph, monkeypatch
):
    """It is opened once or more: again when there are many in a group, and once more at full size."""
    picture = photograph(63, size=size)
    save(picture, photos / "c.png", modified=1000)
    save(picture, photos / "d.jpg", modified=1000, quality=90)
    table = scan()
    whole = propose(table, photos, cache=photos.parent / "another cache")
    content, open_with_size = (photos / "d.jpg").read_bytes(), second_look.open_with_size

    def goes_away(file, **about):
        picture = open_with_size(file, **about)
        if file.name == "d.jpg":
            file.unlink(missing_ok=True)
        return picture

    monkeypatch.setattr(second_look, "_BYTES_OF_PICTURES", in_memory)
    monkeypatch.setattr(second_look, "open_with_size", goes_away)
    plan = propose(table, photos)
    assert set(plan["path"]) == {"a.jpg", "small a.jpg", "b.jpg", "small b.jpg"}
    monkeypatch.setattr(second_look, "open_with_size", open_with_size)
    (photos / "d.jpg").write_bytes(content)
    os.utime(photos / "d.jpg", (1000, 1000))
    again = propose(table, photos)
    assert {"c.png", "d.jpg"} < set(again["path"])
    pd.testing.assert_frame_equal(again, whole)


# Facts about pairs


@pytest.fixture
def look(scan, photos):
    """`look(**keywords)` at all candidates among what lies in the folder now, in this process."""

    def look(radius=8, **keywords):
        table = scan()
        about = {"cache": photos.parent / "cache", "workers": 1, **keywords}
        return second_look.look(photos, second_look.candidates(table, radius), table, **about)

    return look


def test_a_fact_does_not_depend_on_who_is_named_first(scan, photos, photograph):
    for seed in (61, 62):
        grain = np.random.default_rng(seed).normal(0, 6, (300, 400, 1))
        values = np.add(photograph(seed, size=(400, 300)), grain).clip(0, 255)
        picture = Image.fromarray(values.astype(np.uint8))
        save(picture, photos / f"{seed}.png")
        save(picture.resize((300, 225)), photos / f"small {seed}.jpg", quality=90)
    table = scan()
    pairs = second_look.candidates(table, 8)
    assert len(pairs) == 2
    turned = pairs.rename(columns={"first": "second", "second": "first"})
    there, back = (
        second_look.look(photos, some, table, photos.parent / name, 1)
        for name, some in (("one cache", pairs), ("another cache", turned))
    )
    assert there["shows"].abs().tolist() == [1, 1]
    assert back["shows"].tolist() == (-there["shows"]).tolist()
    facts = ["distance", "correlation", "difference", "objection"]
    pd.testing.assert_frame_equal(there[facts], back[facts])


def test_facts_are_about_contents_wherever_they_lie(two_groups, look, photos):
    assert look().attrs["opened"] == 4
    (photos / "moved").mkdir()
    (photos / "small a.jpg").rename(photos / "moved" / "renamed.jpg")
    found = look()
    assert found.attrs["opened"] == 0
    assert "moved/renamed.jpg" in {*found["first"], *found["second"]}


def test_what_was_found_before_somebody_stopped_it_is_remembered(
    two_groups, look, photos, monkeypatch
):
    open_with_size, opened = second_look.open_with_size, []

    def stopped(file, **about):
        opened.append(file)
        if len(opened) == 3:
            raise KeyboardInterrupt
        return open_with_size(file, **about)

    monkeypatch.setattr(second_look, "open_with_size", stopped)
    with pytest.raises(KeyboardInterrupt):
        look()
    monkeypatch.setattr(second_look, "open_with_size", open_with_size)
    found = look()
    assert len(found) == 2
    assert found.attrs["opened"] == 2


@pytest.mark.parametrize("changed", [False, True])
def test_equal_pixels_under_two_times_are_one_picture(changed, look, photos, photograph):
    picture = photograph(75, size=(300, 200))
    exposed(photos / "a.jpg", picture, "2024:05:01 10:00:00")
    if changed:
        picture.putpixel((7, 7), (1, 2, 3))
    exposed(photos / "b.jpg", picture, "2021:07:01 10:00:00")
    [objection] = look()["objection"]
    assert objection == (changed * "taken at two moments, as their EXIF has it")


def test_in_a_crowd_each_is_compared_with_a_few_and_a_copy_is_found(
    look, scan, photos, photograph, capsys
):
    scene = np.asarray(photograph(71, size=(300, 200)))
    for number in range(60):
        moved = scene.copy()
        moved[60:100, 4 * number : 4 * number + 20] ^= 255
        save(Image.fromarray(moved), photos / f"{number:02}.bmp")
    save(Image.fromarray(scene).resize((300, 200)), photos / "elsewhere.jpg")
    frame = Image.open(photos / "33.bmp")
    for name, size in (("whole", (300, 200)), ("small", (200, 133))):
        save(frame.resize(size), photos / f"{name}.jpg", quality=85)
    pairs = second_look.candidates(scan(), 20)
    assert "63 pictures are near each other, as 00.bmp: each is compared with" in (
        capsys.readouterr().out
    )
    assert len(pairs) < 63 * 2 * second_look.NEAREST
    found = look(radius=20)
    same = found[found["objection"] == ""]
    assert {frozenset(pair) for pair in zip(same["first"], same["second"], strict=True)} >= {
        frozenset(("33.bmp", "whole.jpg")),
        frozenset(("33.bmp", "small.jpg")),
    }
