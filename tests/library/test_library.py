"""A plan that can be trusted: copies are found, look-alikes are not taken for copies, and the same plan comes out everywhere."""

import hashlib
import io
import os
import random
import shutil
import sys
import zlib
from html.parser import HTMLParser
from importlib.util import find_spec
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from PIL import Image, ImageDraw, ImageFont, features

from helpers import Problem
from helpers.__main__ import main
from helpers.fingerprints import catalogue, flat, recipe
from helpers.images import opening, pixels
from helpers.library import inventory, proposal, remembered, second_look, sheet
from helpers.quarantine import journal, moving, plans
from helpers.truth import mess

POSIX = pytest.mark.skipif(os.name == "nt", reason="Windows has no such files")
_opened = None


def _note(event, details):
    if _opened is not None and event == "open" and isinstance(details[0], str):
        _opened.append(details[0])


sys.addaudithook(_note)


@pytest.fixture
def reads(photos):
    """The paths of the library's files that were opened, in this process, since the list was cleared."""
    global _opened
    _opened = []

    class Reads:
        def __call__(self):
            paths = [Path(path) for path in _opened if Path(path).is_relative_to(photos)]
            _opened.clear()
            return sorted(path.relative_to(photos).as_posix() for path in paths)

    yield Reads()
    _opened = None


@pytest.fixture
def photos(photographs):
    return photographs


@pytest.fixture
def scan(tmp_path, photos):
    """`scan(**keywords)` with a cache of the test's own, in this process."""
    return lambda **keywords: inventory.scan(
        photos, **{"cache": tmp_path / "cache", "workers": 1, **keywords}
    )


@pytest.fixture
def plan_of(scan, photos):
    """The plan for what lies in the folder now, as rows by path."""
    return lambda **keywords: propose(scan(), photos, **keywords)


def propose(table, folder, **keywords):
    """In this process, with a cache beside the folder."""
    about = {"cache": folder.parent / "cache", "workers": 1}
    return proposal.propose(table, folder, **{**about, **keywords})


def by_path(plan):
    return plan[plan["action"] != "keep"].set_index("path")


def everything(folder):
    """Each file with its bytes and its time."""
    files = [path for path in folder.rglob("*") if path.is_file() and not path.is_symlink()]
    return {path: (path.read_bytes(), path.stat().st_mtime_ns) for path in files}


def save(picture, path, modified=None, **options):
    path.parent.mkdir(parents=True, exist_ok=True)
    picture.save(path, **options)
    if modified is not None:
        os.utime(path, (modified, modified))


def copy(source, target, modified=None):
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes(source.read_bytes())
    modified = source.stat().st_mtime + 100 if modified is None else modified
    os.utime(target, (modified, modified))


# Scan


def test_scan_tells_what_there_is_to_know(scan, photos):
    photo = photos / "cats" / "image_0001.jpg"
    table = scan()
    assert list(table.columns) == list(inventory.TABLE)
    assert table.dtypes.astype(str).to_dict() == inventory.TABLE
    others = catalogue.of_folder(photos)
    for column in ("path", "width", "height", "fingerprint", "problem"):
        assert table[column].tolist() == others[column].tolist()
    row = table.set_index("path").loc["cats/image_0001.jpg"]
    assert row["bytes"] == photo.stat().st_size
    assert row["modified"] == photo.stat().st_mtime_ns
    assert row["sha256"] == hashlib.sha256(photo.read_bytes()).hexdigest()
    assert row["quantisation"] == np.mean(Image.open(photo).quantization[0])
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


def test_by_default_it_remembers_in_the_data_folder(data_folder, photos, reads):
    table = inventory.scan(photos, workers=1)
    reads()
    assert inventory.scan(photos, workers=1).equals(table)
    assert reads() == []
    assert [path.parent.name for path in data_folder.rglob("*.txt")] == ["libraries"]


def test_two_libraries_do_not_share_what_is_remembered(scan, photos, tmp_path, photograph):
    first = scan()
    other = tmp_path / "other"
    save(photograph(77), other / "cats" / "image_0000.jpg")
    assert len(inventory.scan(other, cache=tmp_path / "cache", workers=1)) == 1
    assert scan().equals(first)


def damaged(content):
    """Many ways in which a file can be damaged."""
    rng = random.Random(1)
    yield b""
    yield b"\n"
    yield os.urandom(300)
    yield content + b"x"
    for _ in range(10):
        yield content[: rng.randrange(len(content))]
    for _ in range(30):
        at = rng.randrange(len(content))
        yield content[:at] + bytes([content[at] ^ 1 << rng.randrange(8)]) + content[at + 1 :]


def test_a_damaged_cache_is_thrown_away_with_a_sentence(scan, tmp_path, capsys):
    table = scan()
    (file,) = (tmp_path / "cache").iterdir()
    whole = file.read_bytes()
    for content in damaged(whole):
        file.write_bytes(content)
        assert scan().equals(table)
        said = capsys.readouterr().out
        assert said.startswith(f"{file}: what earlier runs found is damaged")
        assert said.count("\n") == 1
        assert file.read_bytes() == whole


def test_a_cache_that_cannot_be_read_or_written_stops_nothing(scan, tmp_path, capsys):
    table = scan()
    (file,) = (tmp_path / "cache").iterdir()
    file.unlink()
    file.mkdir()
    assert scan().equals(table)
    assert "What was found is not remembered" in capsys.readouterr().out


@pytest.mark.parametrize("module", [remembered, recipe])
def test_what_other_versions_found_is_not_trusted(module, scan, reads, monkeypatch, capsys):
    """One asks for the version of pillow-heif, the other for those of Pillow and imagehash."""
    table = scan()
    reads()
    monkeypatch.setattr(module, "version", lambda package: "9.9")
    assert scan().equals(table)
    assert reads() == sorted(table["path"])
    assert capsys.readouterr().out == ""


def test_the_cache_never_lies_in_the_library(photos, monkeypatch, capsys):
    for inside in (photos, photos / "cache", photos / "cats" / ".." / "x"):
        with pytest.raises(Problem, match="lies inside the photo library"):
            inventory.scan(photos, cache=inside, workers=1)
    monkeypatch.setenv("FINGERPRINTS_DATA", str(photos / "data"))
    before = everything(photos)
    assert len(inventory.scan(photos, workers=1)) == 8
    assert "is not remembered" in capsys.readouterr().out
    assert everything(photos) == before


def test_an_interrupted_scan_remembers_what_it_had_read(scan, photos, reads, monkeypatch):
    monkeypatch.setattr(inventory, "_FILES_AT_A_TIME", 3)
    share_out, calls = inventory.share_out, []

    def interrupted(*arguments, **keywords):
        calls.append(1)
        if len(calls) == 3:
            raise KeyboardInterrupt
        return share_out(*arguments, **keywords)

    monkeypatch.setattr(inventory, "share_out", interrupted)
    with pytest.raises(KeyboardInterrupt):
        scan()
    reads()
    assert len(scan()) == 8
    assert reads() == ["dogs/image_0006.jpg", "dogs/image_0007.jpg"]


def heic():
    return b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + bytes(100)


def enormous():
    file = io.BytesIO()
    Image.new("L", (1, 1)).save(file, "png")
    header = bytearray(file.getvalue())
    header[16:24] = (30_000).to_bytes(4, "big") * 2
    header[29:33] = zlib.crc32(header[12:29]).to_bytes(4, "big")
    return bytes(header)


BAD_FILES = {
    "no picture": (b"no picture", "is not an image"),
    "empty": (b"", "is empty"),
    "heic": (heic(), "HEIC"),
    "enormous": (enormous(), "million pixels"),
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
    assert row["problem"] == "is in Lab colours, which cannot be compared; save it as RGB"
    assert row["sha256"] != ""


@pytest.mark.slow
def test_exif_that_is_broken_stops_nothing(plan_of, photos, photograph):
    picture, exif = photograph(33, size=(300, 200)), Image.Exif()
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
    sentences = ["is a link", "is a link", "is a pipe"]
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
    opened = Path.open

    def refuse(self, *arguments, **keywords):
        if self.name == "image_0003.jpg":
            raise PermissionError(13, "Permission denied", str(self))
        return opened(self, *arguments, **keywords)

    monkeypatch.setattr(Path, "open", refuse)
    row = scan().set_index("path").loc["cats/image_0003.jpg"]
    assert row["problem"] == "may not be read; ask for permission to read it"
    assert row["sha256"] == ""
    monkeypatch.undo()
    assert (scan()["problem"] == "").all()


def test_a_file_that_changes_while_it_is_read_is_not_trusted(scan, photos, monkeypatch):
    about = inventory._about_picture

    def meanwhile(file, content):
        found = about(file, content)
        if file.name == "image_0003.jpg":
            os.utime(file, (1, 1))
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


# Which pictures are flat


@pytest.mark.parametrize("size", [(50, 40), (400, 300)])
@pytest.mark.parametrize("colour", ["black", "white", "teal", "#808080"])
def test_one_colour_is_flat_also_with_noise_or_a_frame(colour, size):
    plain = Image.new("RGB", size, colour)
    assert flat.is_flat(plain)
    noise = np.random.default_rng(0).integers(-3, 4, (*size[::-1], 3)) + np.asarray(plain)
    assert flat.is_flat(Image.fromarray(np.clip(noise, 0, 255).astype(np.uint8)))


def test_stripes_from_side_to_side_are_flat_for_a_fingerprint_that_compares_sideways():
    assert flat.is_flat(Image.linear_gradient("L"))
    assert not flat.is_flat(Image.linear_gradient("L").rotate(90))


def test_photographs_are_not_flat(sample):
    assert not any(flat.is_flat(Image.open(sample.root / path)) for path in sample.whole)


# By how much two pictures differ


def test_a_picture_differs_from_itself_by_nothing_and_both_ways_the_same(photograph):
    one, other = photograph(1, size=(300, 200)), photograph(2, size=(200, 260))
    assert pixels.difference(one, one) == 0
    assert pixels.difference(one, other) == pixels.difference(other, one) > 50
    square, wide = one.resize((200, 200)), one.resize((400, 100))
    assert pixels.difference(square, wide) == pytest.approx(pixels.difference(wide, square))


def changed(picture, box, *levels):
    values = np.asarray(picture).astype(int)
    left, top, right, bottom = box
    values[top:bottom, left:right] += levels
    return Image.fromarray(np.clip(values, 0, 255).astype(np.uint8))


@pytest.fixture
def stripes():
    """A colour picture of 120 x 90 pixels with a standard deviation of 50 levels."""
    values = np.full((90, 120, 3), 128)
    values[:, ::2] += 50
    values[:, 1::2] -= 50
    return Image.fromarray(values.astype(np.uint8))


def test_brightness_counts_by_threes_and_twice_by_nines(stripes):
    assert pixels.difference(stripes, changed(stripes, (40, 30, 43, 33), 18)) == 18
    assert pixels.difference(stripes, changed(stripes, (40, 30, 42, 32), 18)) == 8
    assert pixels.difference(stripes, changed(stripes, (40, 30, 49, 39), 18)) == 36
    assert pixels.difference(stripes, changed(stripes, (111, 81, 120, 90), -18)) == 36, (
        "in a corner"
    )


def test_colour_counts_by_nines(stripes):
    """Blue and red against brightness; as Pillow rounds them."""
    redder = changed(stripes, (40, 30, 49, 39), 28, -14, 0)
    assert pixels.difference(stripes, redder) == pytest.approx(20, abs=1.5)
    assert pixels.difference(stripes, changed(stripes, (40, 30, 43, 33), 28, -14, 0)) < 4


def test_where_there_is_little_contrast_a_difference_counts_for_more(stripes):
    fog = stripes.point(lambda level: 128 + (level - 128) * 8 // 50)
    assert pixels.difference(fog, changed(fog, (40, 30, 43, 33), 5)) == pytest.approx(20, rel=0.25)
    assert pixels.difference(fog, changed(stripes, (0, 0, 0, 0), 0)) > 50, (
        "the one with less counts"
    )


def test_the_common_size_is_the_smaller_one_but_no_more_than_512(photograph):
    large = Image.fromarray(np.random.default_rng(1).integers(0, 256, (700, 900), dtype=np.uint8))
    small = large.resize((90, 70), Image.Resampling.LANCZOS)
    assert pixels.difference(large, small) == 0
    halved = large.resize((512, 398), Image.Resampling.LANCZOS)
    assert pixels.difference(large, halved) == 0
    assert pixels.difference(large, large.resize((640, 498), Image.Resampling.LANCZOS)) < 15
    tiny = photograph(1, size=(3, 2))
    assert pixels.difference(tiny, tiny.resize((6, 4), Image.Resampling.NEAREST)) < 40


# Which file stays


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


def exif_of(time="2024:05:01 10:00:00", fraction=None):
    exif = Image.Exif()
    details = exif.get_ifd(0x8769)
    details[0x9003] = time
    if fraction:
        details[0x9291] = fraction
    return exif


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


# Who is no copy


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


def with_alpha(picture, alpha):
    picture = picture.copy()
    picture.putalpha(alpha)
    return picture


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


def sixteen_bits(picture):
    """In grey, with another eight bits of noise below those of the picture."""
    levels = np.asarray(picture.convert("L")).astype(np.uint16) * 256
    return levels + np.random.default_rng(1).integers(0, 256, levels.shape, dtype=np.uint16)


def deep_png(path, picture):
    """16 bits a channel, in colour, which Pillow reads but does not write."""
    values = (np.asarray(picture).astype(">u2") * 257).reshape(picture.height, -1)
    lines = b"".join(b"\0" + line.tobytes() for line in values)
    header = picture.width.to_bytes(4, "big") + picture.height.to_bytes(4, "big") + b"\x10\2\0\0\0"
    content = b"\x89PNG\r\n\x1a\n"
    for kind, chunk in ((b"IHDR", header), (b"IDAT", zlib.compress(lines)), (b"IEND", b"")):
        checksum = zlib.crc32(kind + chunk).to_bytes(4, "big")
        content += len(chunk).to_bytes(4, "big") + kind + chunk + checksum
    path.write_bytes(content)


def test_deep_is_what_has_more_than_8_bits_a_channel(scan, photos, photograph):
    picture = photograph(15)
    deep = Image.fromarray(sixteen_bits(picture))
    deep.save(photos / "deep.png")
    deep.save(photos / "deep.tif")
    Image.fromarray(np.asarray(deep).astype(np.float32)).save(photos / "floats.tif")
    deep_png(photos / "colours.png", picture)
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


@pytest.mark.parametrize("scale", [1, 2])
def test_a_master_of_16_bits_does_not_go_for_a_preview_of_8(scale, plan_of, photos, photograph):
    master = Image.fromarray(sixteen_bits(photograph(16, size=(300, 200))))
    save(master, photos / "master.tif", modified=2000)
    preview = opening.open_image(photos / "master.tif").resize((300 * scale, 200 * scale))
    save(preview, photos / "preview.png", modified=1000)
    rows = by_path(plan_of())
    assert rows["action"].tolist() == ["look"]
    assert "with more than 8 bits a channel, of which 8 are compared" in rows["reason"].iloc[0]
    copy(photos / "master.tif", photos / "again.tif")
    rows = by_path(plan_of())
    assert rows.loc["again.tif", "kind"] == "exact copy", "but by their bytes they are compared"


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
    assert set(rows["kept"]) == {"warm.jpg", "a.jpg"}
    look = rows[rows["action"] == "look"].loc["a.jpg"]
    assert look["difference"] <= second_look.COPY
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
    assert rows["difference"].max() <= second_look.COPY
    assert "of other colours over an area, by" in rows["reason"].iloc[0]


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


def test_a_digit_on_a_page_is_seen_at_full_size(plan_of, photos):
    """At 512 pixels it is not."""
    save(page("61.08"), photos / "a.jpg", quality=90, comment=20_000 * "-")
    save(page("81.08"), photos / "b.jpg", quality=90)
    save(page("61.08"), photos / "copy of a.jpg", quality=60)
    one, other = (opening.open_image(photos / name) for name in ("a.jpg", "b.jpg"))
    assert pixels.difference(one, other) <= second_look.COPY
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
    assert reads().count("07.bmp") == 2, "for its fingerprint, and for the second look"
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


# What the second look found is remembered


@pytest.fixture
def two_groups(photos, photograph):
    for name, seed in (("a", 61), ("b", 62)):
        save(photograph(seed, size=(300, 200)), photos / f"{name}.jpg", modified=1000)
        save(photograph(seed, size=(200, 133)), photos / f"small {name}.jpg", modified=1000)


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


def test_other_thresholds_are_another_plan(two_groups, scan, photos):
    table = scan()
    assert len(propose(table, photos)) == 4
    assert len(propose(table, photos, copy=0.1)[lambda plan: plan["action"] == "move"]) == 0
    assert len(propose(table, photos, look_alike=1.1)) == 0
    assert len(propose(table, photos)) == 4


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
    content, thumbnail = (photos / "b.png").read_bytes(), second_look.thumbnail

    def overwrite():
        copy(photos / "a.png", photos / "b.png", modified=3000)

    def bring_back():
        (photos / "b.png").write_bytes(content)
        os.utime(photos / "b.png", (2000, 2000))

    def opened(file, size):
        if file.name == "b.png" and when == "meanwhile":
            overwrite()
        picture = thumbnail(file, size)
        if file.name == "b.png" and when == "until then":
            bring_back()
        return picture

    if when != "meanwhile":
        overwrite()
    monkeypatch.setattr(second_look, "thumbnail", opened)
    capsys.readouterr()
    assert len(propose(table, photos)) == 0
    assert capsys.readouterr().out == (
        "Groups in which a file changed, or could not be opened: 1; scan again.\n"
    )
    monkeypatch.setattr(second_look, "thumbnail", thumbnail)
    bring_back()
    pd.testing.assert_frame_equal(propose(table, photos), right)


@pytest.mark.parametrize(
    ("size", "in_memory"), [((300, 200), 200), ((300, 200), 1), ((700, 500), 200)]
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
    content, thumbnail = (photos / "d.jpg").read_bytes(), second_look.thumbnail

    def goes_away(file, size):
        picture = thumbnail(file, size)
        if file.name == "d.jpg":
            file.unlink(missing_ok=True)
        return picture

    monkeypatch.setattr(second_look, "_PICTURES_IN_MEMORY", in_memory)
    monkeypatch.setattr(second_look, "thumbnail", goes_away)
    plan = propose(table, photos)
    assert set(plan["path"]) == {"a.jpg", "small a.jpg", "b.jpg", "small b.jpg"}
    monkeypatch.setattr(second_look, "thumbnail", thumbnail)
    (photos / "d.jpg").write_bytes(content)
    os.utime(photos / "d.jpg", (1000, 1000))
    again = propose(table, photos)
    assert {"c.png", "d.jpg"} < set(again["path"])
    pd.testing.assert_frame_equal(again, whole)


def test_damaged_looks_are_thrown_away_with_a_sentence(two_groups, scan, photos, reads, capsys):
    table = scan()
    plan = propose(table, photos)
    (file,) = photos.parent.glob("cache/*-looks.txt")
    file.write_bytes(file.read_bytes()[:-5])
    pd.testing.assert_frame_equal(propose(table, photos), plan)
    assert "is damaged" in capsys.readouterr().out
    reads()
    propose(table, photos)
    assert reads() == []


def test_other_versions_look_again(two_groups, scan, photos, reads, monkeypatch):
    table = scan()
    propose(table, photos)
    monkeypatch.setattr(remembered, "__version__", "99")
    reads()
    propose(table, photos)
    assert len(reads()) == 4


@pytest.fixture
def source(monkeypatch, tmp_path):
    """A copy of the code that decides what is found, for a test to change: a file for each of `FINDERS`."""
    folder = tmp_path / "source"
    folder.mkdir()
    for name in remembered.FINDERS:
        shutil.copy(find_spec(f"helpers.{name}").origin, folder / name)

    def found(name):
        return SimpleNamespace(origin=str(folder / name.removeprefix("helpers.")))

    monkeypatch.setattr(remembered, "find_spec", found)
    return folder


@pytest.mark.parametrize("module", remembered.FINDERS)
def test_other_code_looks_again(module, two_groups, scan, photos, reads, source):
    """The version number does not change with every change."""
    propose(scan(), photos)
    reads()
    propose(scan(), photos)
    assert reads() == []
    with (source / module).open("a") as file:
        file.write("#")
    table = scan()
    assert len(reads()) == len(table) == 12
    propose(table, photos)
    assert len(reads()) == 4
    (source / module).unlink()
    assert scan().equals(table), "as where only what was compiled of it is installed"


def test_bad_arguments_are_one_sentence(scan, photos, tmp_path):
    table = scan()
    with pytest.raises(Problem, match="radius 65"):
        propose(table, photos, radius=65)
    with pytest.raises(Problem, match="no such folder; check the spelling"):
        propose(table, tmp_path / "nowhere")
    with pytest.raises(Problem, match="has no column 'sha256'"):
        propose(table.drop(columns="sha256"), photos)


# A mess with known truth

SEED = 2


@pytest.fixture(scope="module")
def messy(sample, tmp_path_factory):
    """A folder, the truth about it, its table and its plan."""
    place = tmp_path_factory.mktemp("messy")
    tiles = [path for path in sample.images if "/tile_" in path]
    truth = mess.make(sample.root, tiles, place / "photos", files=420, seed=SEED, workers=2)
    table = inventory.scan(place / "photos", cache=place / "cache", workers=2)
    plan = propose(table, place / "photos", workers=2)
    return place / "photos", truth.set_index("path"), table, plan


@pytest.mark.slow
def test_no_proposed_move_is_wrong(messy):
    _, truth, _, plan = messy
    moves = plan[plan["action"] == "move"]
    original = truth["original"]
    assert original[moves["path"]].tolist() == original[moves["kept"]].tolist()
    assert len(moves) > 150


#: A third of the tiles have little contrast (retina, moon, cells), and screenshots are looked at in full size: there a person
#: is asked rather more often.
RECALL = {
    "backup": 1,
    "renamed": 1,
    "rotated": 1,
    "resized": 0.9,
    "recompressed": 0.65,
    "resized and recompressed": 0.85,
}


@pytest.mark.parametrize("kind", mess.COPIES)
def test_copies_are_found(kind, messy):
    _, truth, _, plan = messy
    moves = plan[plan["action"] == "move"].set_index("path")["kept"].to_dict()
    copies = truth[truth["kind"] == kind]
    found = [
        moves.get(path, path) == moves.get(row.original, row.original)
        for path, row in copies.iterrows()
    ]
    assert np.mean(found) >= RECALL[kind]


def test_what_was_missed_is_shown_to_a_person(messy):
    _, truth, _, plan = messy
    moves = plan[plan["action"] == "move"].set_index("path")["kept"].to_dict()
    looks = plan[plan["action"] == "look"]
    shown = {*looks["path"], *looks["kept"]}
    copies = truth[truth["kind"].isin(mess.COPIES)]
    missed = [
        path
        for path, row in copies.iterrows()
        if moves.get(path, path) != moves.get(row.original, row.original)
    ]
    assert np.mean([moves.get(path, path) in shown for path in missed] or [1]) >= 0.8


def test_bursts_and_screenshots_are_shown_and_never_moved_for_each_other(messy):
    _, truth, _, plan = messy
    looks = plan[plan["action"] == "look"]
    scenes = truth["scene"]
    alike = scenes[looks["path"]].to_numpy() == scenes[looks["kept"]].to_numpy()
    assert alike.mean() > 0.7
    assert {"burst", "screenshot"} <= set(truth["kind"][looks["path"]])


def test_the_rows_of_a_plan_hang_together(messy):
    _, _, table, plan = messy
    moves, looks, kept = (plan[plan["action"] == action] for action in ("move", "look", "keep"))
    assert moves["path"].is_unique
    assert looks["path"].is_unique
    assert not set(moves["path"]) & ({*looks["path"]} | {*kept["path"]})
    assert set(moves["kept"]) | set(looks["kept"]) == set(kept["path"])
    for _, rows in plan.groupby("group"):
        assert rows["action"].tolist()[0] == "keep"
        assert set(rows["kept"]) == {rows["path"].iloc[0]}
        assert (
            rows["action"].iloc[1:].isin(["move"]).all()
            or rows["action"].iloc[1:].isin(["look"]).all()
        )
    assert plan["group"].drop_duplicates().tolist() == list(range(1, plan["group"].max() + 1))
    facts = ["bytes", "modified", "sha256", "width", "height"]
    known = table.set_index("path").loc[plan["path"], facts].reset_index(drop=True)
    assert plan[facts].astype(object).fillna(-1).equals(known.astype(object).fillna(-1))
    assert (moves["difference"] <= second_look.COPY).all()
    assert (plan["correlation"] >= second_look.LOOK_ALIKE).all()
    assert (plan["reason"] != "").all()
    largest = plan.assign(area=plan["width"] * plan["height"]).groupby("group")["area"]
    assert (largest.first().fillna(0) == largest.max().fillna(0)).all()


@pytest.mark.slow
@pytest.mark.parametrize("workers", [1, 2])
def test_the_plan_depends_neither_on_workers_nor_on_the_order_of_files(workers, messy, tmp_path):
    folder, _, table, plan = messy
    shuffled = table.sample(frac=1, random_state=workers)
    again = propose(shuffled, folder, cache=tmp_path / "cache", workers=workers)
    pd.testing.assert_frame_equal(again, plan)


def test_the_table_does_not_depend_on_workers(messy, tmp_path):
    folder, _, table, _ = messy
    assert inventory.scan(folder, cache=tmp_path / "cache", workers=1).equals(table)


def test_a_wider_radius_makes_no_proposal_wrong(messy):
    folder, truth, table, _ = messy
    plan = propose(table, folder, radius=14, workers=2)
    moves = plan[plan["action"] == "move"]
    assert truth["original"][moves["path"]].tolist() == truth["original"][moves["kept"]].tolist()


# The plan as CSV


@pytest.fixture
def strange_plan(plan_of, photos):
    original = photos / "cats" / "image_0000.jpg"
    names = [
        "a b.jpg",
        "comma,semi;colon.jpg",
        "=SUM(1).jpg",
        "кот 猫.jpg",
        "-.jpg",
        " lead.jpg",
        "nan.jpg",
        "007.jpg",
    ]
    if os.name != "nt":
        names += ['quo"te.jpg', "new\nline.jpg", "re\rturn.jpg", "tab\t.jpg", "back\\slash.jpg"]
    for number, name in enumerate(names):
        copy(original, photos / name, modified=2e9 + number)
    (photos / "x.jpg").write_bytes(b"no picture")
    (photos / "y.jpg").write_bytes(b"no picture")
    return plan_of()


def test_a_plan_comes_back_as_it_was_written(strange_plan, tmp_path):
    plans.write_plan(tmp_path / "plan.csv", strange_plan)
    pd.testing.assert_frame_equal(plans.read_plan(tmp_path / "plan.csv"), strange_plan)
    assert (tmp_path / "plan.csv").read_bytes().startswith(b'\xef\xbb\xbf"group","action",')


def test_an_empty_plan_comes_back_too(plan_of, tmp_path):
    plans.write_plan(tmp_path / "plan.csv", plan_of())
    assert len(plans.read_plan(tmp_path / "plan.csv")) == 0
    assert list(plans.read_plan(tmp_path / "plan.csv").columns) == list(plans.PLAN)


@pytest.mark.parametrize("separator", [",", ";", "\t"])
@pytest.mark.parametrize("newline", ["\r\n", "\n"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig"])
def test_a_plan_that_a_spreadsheet_saved_reads_well(
    separator, newline, encoding, strange_plan, tmp_path
):
    """Quotes only where they are needed, numbers shortened, and an empty row at the end."""
    kept = strange_plan[~strange_plan["path"].str.contains(r"[\r\n]")].reset_index(drop=True)
    saved = kept.assign(modified=kept["modified"].map("{:.5E}".format))
    text = saved.to_csv(index=False, sep=separator, lineterminator="\n")
    text += separator * (len(saved.columns) - 1) + "\n"
    (tmp_path / "plan.csv").write_bytes(text.replace("\n", newline).encode(encoding))
    read = plans.read_plan(tmp_path / "plan.csv")
    pd.testing.assert_frame_equal(read.drop(columns="modified"), kept.drop(columns="modified"))
    assert np.allclose(read["modified"].astype(float), kept["modified"].astype(float), rtol=1e-5)


@pytest.mark.parametrize(
    ("column", "text", "value"),
    [
        ("bytes", "1234", 1234),
        ("bytes", " 1234.0 ", 1234),
        ("modified", "-7", -7),
        ("modified", "1.7E+18", 17 * 10**17),
        ("modified", "1,7E+18", 17 * 10**17),
        ("bytes", str(2**63 - 1), 2**63 - 1),
        ("difference", "7.5", 7.5),
        ("difference", "7,5", 7.5),
    ],
)
def test_numbers_as_spreadsheets_of_many_countries_write_them(column, text, value, tmp_path):
    row = {"action": "move", "path": "a", "kept": "b", "bytes": "1", "sha256": "x", column: text}
    lines = ";".join(row), ";".join(row.values())
    (tmp_path / "plan.csv").write_text("\n".join(lines))
    assert plans.read_plan(tmp_path / "plan.csv")[column].tolist() == [value]


def test_a_person_may_change_actions_and_leave_out_what_need_not_be_there(strange_plan, tmp_path):
    few = strange_plan[["path", "action", "kept", "bytes", "sha256"]].assign(action=" Look ")
    few = few[~few["path"].str.contains("\r")]
    few.to_csv(tmp_path / "plan.csv", index=False)
    read = plans.read_plan(tmp_path / "plan.csv")
    groups = few["kept"].unique().tolist()
    assert read["group"].tolist() == [1 + groups.index(kept) for kept in few["kept"]]
    assert set(read["action"]) == {"look"}
    assert read["path"].tolist() == few["path"].tolist()
    assert read["width"].isna().all()


BAD_PLANS = {
    "empty": (b"", "is empty; write it again"),
    "other": (b"a,b\n1,2\n", "has no column 'action'"),
    "lost a column": (b"action,path,kept,bytes\nmove,a,b,1\n", "has no column 'sha256'"),
    "action": (
        b"action,path,kept,bytes,sha256\ndelete,a,b,1,x\n",
        "line 2: the action is 'delete'; it has to be one of keep, move, look",
    ),
    "no path": (b"action,path,kept,bytes,sha256\nmove,,b,1,x\n", "line 2: names no path"),
    "number": (
        b"action,path,kept,bytes,sha256\nmove,a,b,many,x\n",
        "line 2: bytes 'many' is no whole",
    ),
    "infinite": (b"action,path,kept,bytes,sha256\nmove,a,b,inf,x\n", "bytes 'inf' is no whole"),
    "too large": (
        b"action,path,kept,bytes,sha256\nmove,a,b,99999999999999999999,x\n",
        "bytes '99999999999999999999' is no whole number",
    ),
    "far too large": (
        b"group,action,path,kept,bytes,sha256\n1e300,move,a,b,1,x\n",
        "group '1e300' is no whole number",
    ),
    "thousands": (
        b'action,path,kept,bytes,sha256\nmove,a,b,"1,234",x\n',
        "bytes '1,234' is no whole number, written without separators; write the plan again",
    ),
    "thousands with points": (
        b"action;path;kept;bytes;sha256\nmove;a;b;1.000;x\n",
        "bytes '1.000' is no whole number",
    ),
    "a fraction": (b"action,path,kept,bytes,sha256\nmove,a,b,1.5E0,x\n", "bytes '1.5E0' is no"),
    "difference": (
        b"action,path,kept,bytes,sha256,difference\nmove,a,b,1,x,little\n",
        "difference 'little' is no number",
    ),
    "latin": (
        "action,path,kept,bytes,sha256\nmove,é,b,1,x\n".encode("latin-1"),
        "line 2: is not UTF-8 text",
    ),
    "binary": (bytes(range(256)), "is not UTF-8 text"),
    "zeros": (b"\0" * 99, "has no column"),
}


@pytest.mark.parametrize("name", BAD_PLANS)
def test_a_plan_that_is_none_is_one_sentence(name, tmp_path):
    content, sentence = BAD_PLANS[name]
    (tmp_path / "plan.csv").write_bytes(content)
    with pytest.raises(Problem, match=sentence) as problem:
        plans.read_plan(tmp_path / "plan.csv")
    assert str(problem.value).startswith(f"{tmp_path / 'plan.csv'}: ")


def test_a_plan_that_is_not_there_is_one_sentence(tmp_path):
    with pytest.raises(Problem, match="cannot be read"):
        plans.read_plan(tmp_path / "plan.csv")
    with pytest.raises(Problem, match="cannot be read"):
        plans.read_plan(tmp_path)
    with pytest.raises(Problem, match="could not be written"):
        plans.write_plan(tmp_path, pd.DataFrame())


# The contact sheet


class Page(HTMLParser):
    """The tags of a page, with their attributes, and its text."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.words, self.open = [], [], []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))
        if tag not in ("meta", "img"):
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.words.append(data)

    def of(self, name):
        return [attributes for tag, attributes in self.tags if tag == name]


def test_the_sheet_shows_each_group_by_pictures_and_words(messy, tmp_path):
    folder, _, _, plan = messy
    plan = plan[plan["group"] <= 6]
    sheet.contact_sheet(folder, plan, tmp_path / "sheet.html", workers=1)
    page = Page((tmp_path / "sheet.html").read_text(encoding="utf-8"))
    assert not page.open, "every tag is closed"
    assert page.of("html") == [{"lang": "en"}]
    assert len(page.of("section")) == 6
    assert all(section["tabindex"] == "0" for section in page.of("section"))
    assert len(page.of("figure")) == len(plan)
    readable = plan[plan["width"].notna()]
    alts = [image["alt"] for image in page.of("img")]
    assert len(alts) == len(set(alts)) == len(readable)
    assert sum(alt.endswith(", stays") for alt in alts) == (readable["action"] == "keep").sum()
    text = " ".join(page.words)
    for row in plan.itertuples():
        assert row.path in text
        assert row.reason in text


def test_the_sheet_needs_no_network(messy, tmp_path):
    folder, _, _, plan = messy
    sheet.contact_sheet(folder, plan[plan["group"] <= 3], tmp_path / "sheet.html", workers=1)
    text = (tmp_path / "sheet.html").read_text(encoding="utf-8")
    page = Page(text)
    assert {tag for tag, _ in page.tags} & {"script", "link", "iframe", "a", "object"} == set()
    assert all(image["src"].startswith("data:image/jpeg;base64,") for image in page.of("img"))
    assert "http" not in text
    assert "url(" not in text
    assert len(text) < 400_000


def test_names_are_escaped_on_the_sheet(photos, scan, tmp_path):
    original = photos / "cats" / "image_0000.jpg"
    names = ["<script>alert(1)<|script>.jpg".replace("|", "_"), "a&amp;b.jpg", "x' onerror='y.jpg"]
    if os.name != "nt":
        names += ['x" onerror="alert(1).jpg', "<b>\n.jpg"]
    else:
        names = names[1:]
    for name in names:
        copy(original, photos / name)
    (photos / "bad <i>.jpg" if os.name != "nt" else photos / "bad.jpg").write_bytes(b"no picture")
    copy(next(photos.glob("bad*")), photos / "worse.jpg")
    sheet.contact_sheet(photos, propose(scan(), photos), tmp_path / "sheet.html")
    page = Page((tmp_path / "sheet.html").read_text(encoding="utf-8"))
    assert not page.open
    assert {tag for tag, _ in page.tags} & {"script", "b", "i"} == set()
    assert all(set(image) == {"src", "alt"} for image in page.of("img"))
    for name in names:
        assert name in "".join(page.words)
        assert any(image["alt"].startswith(name) for image in page.of("img"))
    assert "".join(page.words).count("cannot be shown") == 2


def test_exact_copies_come_last_on_the_sheet(messy, tmp_path):
    folder, _, _, plan = messy
    sheet.contact_sheet(folder, plan, tmp_path / "sheet.html", workers=1)
    page = Page((tmp_path / "sheet.html").read_text(encoding="utf-8"))
    shown = [int(section["aria-labelledby"].split("-")[1]) for section in page.of("section")]
    eyes = plan[plan["kind"].isin(["near copy", "look-alike"])]["group"].unique().tolist()
    others = [number for number in plan["group"].unique().tolist() if number not in eyes]
    assert shown == eyes + others
    assert min(len(eyes), len(others)) > 1


def test_a_long_plan_is_cut_on_the_sheet_and_says_so(messy, tmp_path):
    folder, _, _, plan = messy
    sheet.contact_sheet(folder, plan, tmp_path / "sheet.html", most=2, workers=1)
    page = Page((tmp_path / "sheet.html").read_text(encoding="utf-8"))
    assert len(page.of("section")) == 2
    assert f"{plan['group'].max() - 2:,} more groups are in the plan." in page.words


# The command


@pytest.fixture
def twice(photos, data_folder):
    copy(photos / "cats" / "image_0000.jpg", photos / "again.jpg")
    return photos


def run(*arguments):
    return main([str(argument) for argument in arguments])


def test_clean_by_itself_touches_nothing(twice, capsys):
    before = everything(twice.parent / "photographs")
    assert run("clean", twice) == 0
    assert capsys.readouterr().out.startswith(
        "To move: 1 exact copies and 0 near copies, 0.0 MB. To look at: 0 look-alikes.\nGroup 1\n"
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
        f"Moved to {place}: 1 files; --undo puts them back"
    ]
    assert (place / "again.jpg").is_file()
    assert len(everything(twice)) == len(before) - 1
    assert run("clean", twice, "--quarantine", place, "--undo") == 0
    assert capsys.readouterr().out == "Put back: 1 files\n"
    assert everything(twice) == before


def test_apply_without_a_plan_makes_one(twice, capsys):
    assert run("clean", twice, "--apply") == 0
    assert (twice.parent / "photographs-quarantine" / "again.jpg").is_file()
    assert run("clean", twice, "--undo") == 0
    assert (twice / "again.jpg").is_file()


def test_an_edited_plan_is_never_written_over(twice, tmp_path, capsys):
    plan = tmp_path / "plan.csv"
    plan.write_text("edited")
    assert run("clean", twice, "--plan", plan) == 2
    assert "is there already; add --apply to carry it out" in capsys.readouterr().err
    assert plan.read_text() == "edited"


def test_apply_says_what_it_left_alone(twice, tmp_path, capsys):
    assert run("clean", twice, "--plan", tmp_path / "plan.csv") == 0
    (twice / "again.jpg").write_bytes(b"other")
    assert run("clean", twice, "--plan", tmp_path / "plan.csv", "--apply") == 1
    assert capsys.readouterr().out.splitlines()[-1] == (
        "Left alone: again.jpg: has changed since the plan was made; scan again"
    )
    assert (twice / "again.jpg").read_bytes() == b"other"


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


def test_the_help_tells_the_radius(capsys):
    with pytest.raises(SystemExit):
        run("clean", "--help")
    assert f"compared ({proposal.RADIUS})" in " ".join(capsys.readouterr().out.split())
