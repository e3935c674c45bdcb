"""What there is to know about every file of a photo library, whatever the files are."""

import hashlib
import json
import os

import numpy as np
import pandas as pd
import pytest
from inputs import (
    HEIC,
    POSIX,
    copy,
    everything,
    exif_of,
    png,
    propose,
    save,
    sixteen_bits,
    with_alpha,
)
from PIL import Image, features

from helpers import Problem
from helpers.fingerprints import catalogue
from helpers.library import inventory
from helpers.quarantine import journal, moving


def test_scan_tells_what_there_is_to_know(scan, photos):
    photo = photos / "cats" / "image_0001.jpg"
    table = scan()
    assert list(table.columns) == list(inventory.TABLE)
    assert table.dtypes.astype(str).to_dict() == inventory.TABLE
    others = catalogue.of_folder(photos, fast=True)
    for column in ("path", "width", "height", "fingerprint", "problem"):
        assert table[column].tolist() == others[column].tolist()
    row = table.set_index("path").loc["cats/image_0001.jpg"]
    assert row["bytes"] == photo.stat().st_size
    assert row["modified"] == photo.stat().st_mtime_ns
    assert row["sha256"] == hashlib.sha256(photo.read_bytes()).hexdigest()
    assert not row[["flat", "transparent", "deep"]].any()
    assert row["frames"] == 1


def test_scan_changes_nothing(scan, photos):
    before = everything(photos)
    scan()
    scan()
    assert everything(photos) == before


def test_each_file_is_opened_once_and_never_again(scan, reads):
    table = scan()
    assert reads() == sorted(table["path"])
    assert table.attrs["opened"] == 8
    again = scan()
    assert again.equals(table)
    assert again.attrs["opened"] == 0
    assert reads() == []


def test_only_what_is_new_or_has_another_size_or_time_is_read_again(
    scan, photos, reads, photograph
):
    scan()
    photograph(50).save(photos / "new.jpg")
    photograph(51).save(photos / "cats" / "image_0001.jpg")
    os.utime(photos / "dogs" / "image_0005.jpg", (1, 1))
    (photos / "cats" / "image_0002.jpg").unlink()
    reads()
    table = scan()
    assert reads() == ["cats/image_0001.jpg", "dogs/image_0005.jpg", "new.jpg"]
    fresh = scan(cache=photos.parent / "another")
    assert table.equals(fresh)
    assert "cats/image_0002.jpg" not in set(table["path"])


def test_bad_files_are_remembered_too(scan, photos, reads):
    (photos / "broken.jpg").write_bytes(b"no picture")
    (photos / "empty.jpg").write_bytes(b"")
    scan()
    reads()
    assert scan()["problem"].ne("").sum() == 2
    assert reads() == []


def test_an_interrupted_scan_remembers_what_it_had_read(scan, reads, monkeypatch):
    about, calls = inventory._about_picture, []

    def interrupted(content):
        calls.append(1)
        if len(calls) == 7:
            raise KeyboardInterrupt
        return about(content)

    monkeypatch.setattr(inventory, "_about_picture", interrupted)
    with pytest.raises(KeyboardInterrupt):
        scan()
    reads()
    assert len(scan()) == 8
    assert reads() == ["dogs/image_0006.jpg", "dogs/image_0007.jpg"]


def test_what_has_the_same_bytes_is_decoded_once(scan, photos, monkeypatch):
    first, about, decoded = photos / "cats" / "image_0000.jpg", inventory._about_picture, []
    for name in ("a.jpg", "b.jpg", "c/d.jpg"):
        copy(first, photos / name)
    (photos / "e.jpg").write_bytes(bytes(first.stat().st_size))  # of the same size only

    def noted(content):
        decoded.append(content.name)
        return about(content)

    monkeypatch.setattr(inventory, "_about_picture", noted)
    table = scan().set_index("path")
    assert len(decoded) == 9
    same = table.loc[["a.jpg", "b.jpg", "c/d.jpg", "cats/image_0000.jpg"]]
    own = ["modified", "names", "partners"]
    assert len(same.drop(columns=own).drop_duplicates()) == 1
    assert same["modified"]["a.jpg"] == (photos / "a.jpg").stat().st_mtime_ns
    assert table["problem"]["e.jpg"] != ""


@POSIX
def test_names_of_one_file_are_one_row(scan, photos):
    (photos / "other.jpg").hardlink_to(photos / "cats" / "image_0000.jpg")
    (photos.parent / "outside.jpg").hardlink_to(photos / "cats" / "image_0001.jpg")
    for _ in range(2):  # the second time from memory
        table = scan()
        assert len(table) == 8
        assert table.attrs["hard_links"] == 1
        assert table.set_index("path")["names"].head(3).tolist() == [2, 2, 1]
    assert (photos / "other.jpg").unlink() is None
    assert scan()["names"].tolist() == [1, 2, *[1] * 6]


def test_partners_are_told_by_their_names_in_any_case(scan, photos):
    beside = {
        "cats/image_0000.jpg": ["IMAGE_0000.MOV", "image_0000.jpg.xmp", "image_0000.NEF"],
        "cats/image_0001.jpg": ["image_0001.aae", "image_0001.jpg.supplemental-metadata.json"],
        "cats/new(1).jpg": ["new.jpg(1).json", "new.jpg.suppl(1).json"],
        "cats/new.jpg": ["new.jpg.json"],
    }
    copy(photos / "cats" / "image_0000.jpg", photos / "cats" / "new.jpg")
    copy(photos / "cats" / "image_0000.jpg", photos / "cats" / "new(1).jpg")
    names = [name for some in beside.values() for name in some]
    for name in (*names, "image_00021.mov", "image_0003.txt"):
        (photos / "cats" / name).touch()
    scan()
    partners = scan().set_index("path")["partners"].map(json.loads)
    assert {path: some for path, some in partners.items() if some} == {
        path: sorted(some) for path, some in beside.items()
    }
    assert partners["cats/image_0002.jpg"] == []


BAD_FILES = {
    "no picture": (b"no picture", "is not an image"),
    "empty": (b"", "is empty"),
    "heic": (HEIC, "HEIC"),
    "enormous": (png(30_000, 30_000), "million pixels"),
}


@pytest.mark.parametrize("name", BAD_FILES)
def test_a_bad_file_has_a_sentence_and_a_sha256(name, scan, photos):
    content, sentence = BAD_FILES[name]
    if name == "heic" and "HEIF" in Image.registered_extensions().values():
        pytest.skip("this Pillow reads HEIC")
    (photos / "bad.jpg").write_bytes(content)
    row = scan().set_index("path").loc["bad.jpg"]
    assert sentence in row["problem"]
    assert "bad.jpg" not in row["problem"]
    assert row["sha256"] == hashlib.sha256(content).hexdigest()
    assert pd.isna(row["fingerprint"])
    assert (scan()["problem"] != "").sum() == 1, "and it stops no other"


def test_a_truncated_photograph_has_a_sentence(scan, photos):
    photo = photos / "cats" / "image_0000.jpg"
    photo.write_bytes(photo.read_bytes()[:900])
    assert (
        "ends before its picture does" in scan().set_index("path")["problem"]["cats/image_0000.jpg"]
    )


def test_what_pillow_opens_but_cannot_make_grey_has_a_sentence(scan, photos):
    Image.new("LAB", (90, 80)).save(photos / "lab.tif")
    row = scan().set_index("path").loc["lab.tif"]
    assert row["problem"] == "is in LAB colours, which cannot be compared; save it as RGB"
    assert row["sha256"] != ""


@pytest.mark.slow
def test_exif_that_is_broken_stops_nothing(plan_of, photos, photograph):
    picture, exif = photograph(33, size=(120, 80)), Image.Exif()
    exif.get_ifd(0x8769)[0x9003] = "2024:05:01 10:00:00"
    whole = exif.tobytes()
    for number in range(len(whole)):
        broken = bytearray(whole)
        broken[number] ^= 0xFF
        save(picture, photos / f"{number}.jpg", modified=1000 + number, exif=bytes(broken))
    plan = plan_of()
    assert (plan["action"] == "move").sum() > 10


def test_fifty_megapixels_are_read_like_others(scan, photos):
    save(Image.linear_gradient("L").rotate(90).resize((8000, 6250)), photos / "large.jpg")
    row = scan().set_index("path").loc["large.jpg"]
    assert (row["width"], row["height"], row["problem"]) == (8000, 6250, "")


@POSIX
def test_links_pipes_and_names_that_are_no_text_are_listed_and_not_opened(scan, photos, reads):
    outside = photos.parent / "outside.jpg"
    outside.write_bytes((photos / "cats" / "image_0000.jpg").read_bytes())
    (photos / "link.jpg").symlink_to(outside)
    (photos / "inner.jpg").symlink_to("cats/image_0000.jpg")
    (photos / "folder").symlink_to(photos.parent)
    os.mkfifo(photos / "pipe.jpg")
    sentences = ["is a link", "is a link", "is a link", "is a pipe"]
    try:
        (photos / os.fsdecode(b"caf\xe9.jpg")).write_bytes(outside.read_bytes())
        sentences = ["its name is not valid text", *sentences]
    except OSError:  # macOS has no such names
        pass
    reads()
    table = scan()
    assert len(reads()) == 8
    bad = table[table["problem"] != ""]
    assert len(bad) == len(sentences)
    assert all(map(str.startswith, bad["problem"], sentences))
    assert (bad["sha256"] == "").all()
    assert all(path.encode() for path in table["path"])
    plan = propose(scan(), photos)
    assert len(plan) == 0, "a link is no copy"


@POSIX
def test_names_with_spaces_quotes_and_newlines_are_names(scan, photos):
    names = [
        "with space.jpg",
        "quo\"te's.jpg",
        "new\nline.jpg",
        "return\r.jpg",
        "comma,;.jpg",
        "=1.jpg",
    ]
    os.utime(photos / "cats" / "image_0000.jpg", (1e9, 1e9))
    for name in names:
        copy(photos / "cats" / "image_0000.jpg", photos / name)
    plan = propose(scan(), photos)
    assert set(plan.loc[plan["action"] == "move", "path"]) == set(names)


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="needs what may not be read")
def test_what_may_not_be_read_has_a_sentence_and_is_tried_again(scan, photos):
    photo = photos / "cats" / "image_0000.jpg"
    photo.chmod(0)
    try:
        row = scan().set_index("path").loc["cats/image_0000.jpg"]
        assert "may not be read" in row["problem"]
        assert row["sha256"] == ""
    finally:
        photo.chmod(0o644)
    assert (scan()["problem"] == "").all()


def test_what_could_not_be_opened_is_tried_again(scan, photos, monkeypatch):
    opened = inventory.open_input

    def refuse(file):
        if file.name == "image_0003.jpg":
            raise PermissionError(13, "Permission denied", str(file))
        return opened(file)

    monkeypatch.setattr(inventory, "open_input", refuse)
    row = scan().set_index("path").loc["cats/image_0003.jpg"]
    assert row["problem"] == "may not be read; ask for permission to read it"
    assert row["sha256"] == ""
    monkeypatch.undo()
    assert (scan()["problem"] == "").all()


def test_a_file_that_changes_while_it_is_read_is_not_trusted(scan, photos, monkeypatch):
    about = inventory._about_picture

    def meanwhile(content):
        found = about(content)
        if str(content.name).endswith("image_0003.jpg"):
            os.utime(content.name, (1, 1))
        return found

    monkeypatch.setattr(inventory, "_about_picture", meanwhile)
    row = scan().set_index("path").loc["cats/image_0003.jpg"]
    assert "was written to while it was read" in row["problem"]
    assert row["sha256"] == ""


def test_a_quarantine_inside_is_left_out_and_says_so(scan, photos):
    """What lies in it may be the only other copy of what lies beside it."""
    shut = photos / "old" / "library-quarantine"
    for inside in ("cats/image_0000.jpg", "more/deep/image.jpg"):
        copy(photos / "cats" / "image_0000.jpg", shut / inside)
    copy(photos / "cats" / "image_0000.jpg", photos / "old" / "library" / "image.jpg")
    assert len(propose(scan(), photos)) == 4
    (shut / journal.JOURNAL).touch()
    table = scan()
    found = table["path"].str.startswith("old/")
    assert table["path"][found].tolist() == ["old/library-quarantine", "old/library/image.jpg"]
    assert table["problem"][found].iloc[0].startswith("is a quarantine and is left out")
    assert set(propose(table, photos)["path"]) == {"cats/image_0000.jpg", "old/library/image.jpg"}


def test_what_was_moved_is_not_offered_again_from_the_folder_above(scan, photos, tmp_path):
    copy(photos / "cats" / "image_0000.jpg", photos / "again.jpg")
    assert moving.apply(photos, propose(scan(), photos))["outcome"].tolist() == ["moved"]
    (tmp_path / "cache").rename(tmp_path.with_name(f"{tmp_path.name}-cache"))
    table = inventory.scan(tmp_path, cache=tmp_path.with_name(f"{tmp_path.name}-cache"), workers=1)
    assert table["sha256"][table["sha256"] != ""].is_unique
    for place in ("photographs-quarantine", "photographs-quarantine/again"):
        (tmp_path / place).mkdir(exist_ok=True)
        copy(photos / "cats" / "image_0001.jpg", tmp_path / place / "x.jpg")
        with pytest.raises(Problem, match="is or lies in a quarantine"):
            inventory.scan(tmp_path / place, cache=tmp_path.parent / "cache", workers=1)


@pytest.mark.parametrize(
    "name", ["Photos Library.photoslibrary", "A.APLIBRARY", "x.migratedphotolibrary", "P.lrdata"]
)
def test_a_library_of_another_program_is_left_alone(name, scan, photos):
    """macOS shows it as one file; who moves what lies in it damages it."""
    shut = photos / "pictures" / name
    for inside in ("originals/A/1.jpg", "resources/derivatives/A/1.jpg"):
        copy(photos / "cats" / "image_0000.jpg", shut / inside)
    copy(photos / "cats" / "image_0000.jpg", photos / "pictures" / "beside it.jpg")
    table = scan()
    found = table["path"].str.contains(name, regex=False)
    assert table["path"][found].tolist() == [f"pictures/{name}"]
    assert table["problem"][found].tolist() == ["is a library of another program and is left alone"]
    assert set(propose(table, photos)["path"]) == {"cats/image_0000.jpg", "pictures/beside it.jpg"}
    for folder in (shut, shut / "originals"):
        with pytest.raises(Problem, match="is or lies in a library of another program"):
            inventory.scan(folder, cache=photos.parent / "cache", workers=1)


def test_a_folder_that_is_none_is_one_sentence(tmp_path):
    with pytest.raises(Problem, match="no such folder"):
        inventory.scan(tmp_path / "nowhere", cache=tmp_path / "cache")
    (tmp_path / "empty").mkdir()
    with pytest.raises(Problem, match="holds no images"):
        inventory.scan(tmp_path / "empty", cache=tmp_path / "cache")


def test_of_256_colours_nobody_knows_whether_there_were_more(scan, photos, photograph):
    picture = photograph(13)
    save(picture.quantize(256), photos / "few.png")
    save(picture, photos / "many.png")
    save(picture, photos / "whole.tif")
    save(picture, photos / "packed.tif", compression="jpeg")
    save(picture, photos / "lossy.webp", exif=exif_of())
    save(picture, photos / "lossless.webp", lossless=True, exif=exif_of())
    table = scan().set_index("path")
    named = table[~table.index.str.contains("/")]
    assert set(named.index[named["lossless"]]) == {"many.png", "whole.tif", "lossless.webp"}


@pytest.mark.filterwarnings("ignore:Palette images with Transparency")
def test_transparent_is_what_has_a_pixel_that_is_not_what_only_might_have(scan, photos, photograph):
    picture = photograph(14)
    veil = Image.new("L", picture.size, 255)
    veil.putpixel((3, 4), 254)
    few = picture.quantize(64)
    place = photos / "transparent"
    for suffix, how in (("png", {}), ("tif", {}), ("webp", {"lossless": True, "exact": True})):
        save(with_alpha(picture, veil), place / f"yes.{suffix}", **how)
        save(with_alpha(picture, 255), place / f"no.{suffix}", **how)
    save(with_alpha(picture.convert("L"), veil), place / "yes, grey.png")
    save(with_alpha(picture.convert("L"), 255), place / "no, grey.png")
    save(few, place / "yes.gif", transparency=3)
    save(few, place / "no.gif")
    save(few, place / "yes, few.png", transparency=3)
    save(few, place / "no, few.png", transparency=200)
    save(picture, place / "yes, one colour.png", transparency=picture.getpixel((5, 5)))
    table = scan()
    assert table["transparent"].notna().all()
    found = [path.split("/") for path in table["path"][table["transparent"]]]
    named = {path.name for path in place.iterdir() if path.name.startswith("yes")}
    assert {folder for folder, _ in found} == {"transparent"}
    assert {name for _, name in found} == named


def test_deep_is_what_has_more_than_8_bits_a_channel(scan, photos, photograph):
    picture = photograph(15)
    deep = Image.fromarray(sixteen_bits(picture))
    deep.save(photos / "deep.png")
    deep.save(photos / "deep.tif")
    Image.fromarray(np.asarray(deep).astype(np.float32)).save(photos / "floats.tif")
    lines = (np.asarray(picture).astype(">u2") * 257).reshape(picture.height, -1)
    lines = b"".join(b"\0" + line.tobytes() for line in lines)
    # of 16 bits a channel, which Pillow reads but does not write
    (photos / "colours.png").write_bytes(png(*picture.size, lines, bits=16, colours=2))
    for name in ("not.png", "not.tif", "not.bmp", "not.webp"):
        picture.save(photos / name)
    if features.check("avif"):
        picture.save(photos / "not.avif")
        content = bytearray((photos / "not.avif").read_bytes())
        # as in a file of 10 bits, which Pillow cannot write
        content[content.find(b"av1C") + 6] |= 0b0100_0000
        depths = content.find(b"pixi") + 9
        content[depths : depths + 3] = b"\n\n\n"
        (photos / "ten.avif").write_bytes(content)
    picture.convert("1").save(photos / "not, two.tif")
    picture.quantize(16).save(photos / "not, few.png")
    table = scan()
    assert (table["problem"] == "").all()
    assert table["deep"].notna().all()
    deep = {"deep.png", "deep.tif", "floats.tif", "colours.png", "ten.avif"}
    assert set(table["path"][table["deep"]]) == deep & set(table["path"])


@pytest.mark.parametrize(
    ("kind", "frames"), [(0, 1), (0x010001, 1), (0x020001, 2), (0x020002, 2), (0x020003, 2)]
)
def test_the_second_view_of_a_stereo_camera_counts_and_a_preview_does_not(
    kind, frames, scan, photos, photograph
):
    """The kind of the second picture, in the MP entries: undefined, a preview, panorama, stereo, angles."""
    file, first = photos / "pair.jpg", photograph(24)
    first.save(file, format="MPO", save_all=True, append_images=[photograph(25)])
    content = file.read_bytes()
    (at,) = [
        place
        for place in range(len(content))
        if content[place : place + 4] == b"\0\0\3\0"
        and content[place + 16 : place + 20] == b"\0\0\0\0"
    ]
    file.write_bytes(content[: at + 16] + kind.to_bytes(4, "little") + content[at + 20 :])
    assert scan().set_index("path").loc["pair.jpg", "frames"] == frames
