"""Turned, framed and cropped pictures are mentioned, and hardly any others."""

import numpy as np
import pytest
from PIL import Image, ImageOps

from helpers.images.opening import open_image
from helpers.library import inventory
from helpers.library.kin import kin

NAMES = ["astronaut", "camera", "cat", "coffee", "rocket"]


@pytest.fixture
def photos(tmp_path, sample):
    """Five photographs."""
    folder = tmp_path / "photos"
    folder.mkdir()
    for number, name in enumerate(NAMES):
        path = f"{name}/whole.jpg"
        picture = open_image(sample.root / path).convert("RGB")
        picture.thumbnail((300, 300))
        picture.save(folder / f"{number}.png")
    return folder


@pytest.fixture
def mentioned(photos, tmp_path):
    """What is mentioned, with the scan's table; `keywords` are for `kin`."""

    def run(workers=1, **keywords):
        table = inventory.scan(photos, tmp_path / "cache", workers=workers)
        return kin(photos, table, tmp_path / "cache", workers, **keywords)

    return run


def cropped(left, top, right, bottom):
    def crop(picture):
        width, height = picture.size
        return picture.crop(
            (left * width, top * height, width - right * width, height - bottom * height)
        )

    return crop


MADE = {
    "turned or mirrored": [
        ImageOps.mirror,
        ImageOps.flip,
        lambda picture: picture.rotate(90, expand=True),
        lambda picture: picture.rotate(180),
        lambda picture: picture.transpose(Image.Transpose.TRANSVERSE),
    ],
    "framed": [
        lambda picture: ImageOps.expand(picture, 20, "white"),
        lambda picture: ImageOps.expand(ImageOps.expand(picture, 12, "white"), 8, "navy"),
    ],
    "cropped": [
        cropped(0.03, 0.03, 0.03, 0.03),
        cropped(0.08, 0.08, 0.08, 0.08),
        cropped(0, 0.12, 0, 0.12),
        cropped(0.02, 0.0, 0.1, 0.08),
    ],
}


@pytest.mark.parametrize(
    ("kind", "change"), [(kind, change) for kind, made in MADE.items() for change in made]
)
def test_what_was_made_of_a_picture_is_mentioned(kind, change, mentioned, photos):
    original = Image.open(photos / "3.png")
    made = change(original)
    made = made.resize((made.width * 3 // 4, made.height * 3 // 4), Image.Resampling.LANCZOS)
    made.save(photos / "made.jpg", quality=80)
    found = mentioned()
    assert found[["kept", "path", "kind"]].values.tolist() == [["3.png", "made.jpg", kind]]


def test_nothing_is_mentioned_where_nothing_was_made(mentioned, photos):
    Image.open(photos / "2.png").save(photos / "copy.jpg", quality=70)
    assert mentioned().empty


def test_what_is_known_is_not_mentioned_again(mentioned, photos):
    ImageOps.mirror(Image.open(photos / "2.png")).save(photos / "made.png")
    assert len(mentioned()) == 1
    assert mentioned(known={("made.png", "2.png")}).empty


def test_a_picture_that_is_its_own_mirror_image_is_no_kin_of_its_copy(mentioned, photos):
    half = Image.open(photos / "2.png")
    whole = Image.new("RGB", (2 * half.width, half.height))
    whole.paste(half, (0, 0))
    whole.paste(ImageOps.mirror(half), (half.width, 0))
    whole.save(photos / "a.png")
    whole.save(photos / "b.jpg", quality=80)
    found = mentioned()
    assert not found.isin(["b.jpg"]).any(axis=None) or "turned" not in " ".join(found["kind"])


def test_what_was_found_is_remembered_and_the_same_for_any_number_of_workers(
    mentioned, photos, monkeypatch
):
    ImageOps.mirror(Image.open(photos / "2.png")).save(photos / "made.png")
    cropped(0.05, 0.05, 0.05, 0.05)(Image.open(photos / "4.png")).save(photos / "part.png")
    first = mentioned(workers=2)
    assert len(first) == 2
    monkeypatch.setattr("helpers.library.kin._grey", None)  # so that nothing can be opened
    assert mentioned().equals(first)


def test_a_file_that_is_gone_is_no_kin(mentioned, photos, tmp_path):
    ImageOps.mirror(Image.open(photos / "2.png")).save(photos / "made.png")
    table = inventory.scan(photos, tmp_path / "cache", workers=1)
    (photos / "made.png").unlink()
    assert kin(photos, table, tmp_path / "cache", 1).empty


def test_of_a_crowd_each_picture_is_compared_with_a_few_only(mentioned, photos, monkeypatch):
    original, looked = Image.open(photos / "2.png"), []
    for number in range(12):
        part = cropped(0.04 + 0.004 * number, 0.04, 0.04, 0.04)(original)
        part.save(photos / f"part{number}.png")
    look = "helpers.library.kin._look"
    monkeypatch.setattr(look, lambda folder, pair: looked.append(pair) or [""])
    mentioned()
    _, counts = np.unique([other for _, other, _ in looked], return_counts=True)
    assert 0 < counts.max() <= 3
