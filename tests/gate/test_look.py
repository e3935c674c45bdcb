"""What is seen of a picture beside its dHash, and what the gate answers by it."""

import re

import numpy as np
import pytest
from banks import KEY, Bank
from PIL import Image

from helpers import Problem, datasets
from helpers.fingerprints import hashes
from helpers.gate import look, memory
from helpers.gate.look import Frame, View
from helpers.images import changes
from helpers.images.opening import open_image


@pytest.fixture(scope="module")
def memes():
    """Four memes of one template, which differ in their words."""
    made = datasets.specials()
    return [open_image(made.root / f"meme/cat_{number}.jpg") for number in (1, 2, 3, 4)]


@pytest.fixture
def scene(sample):
    """A photograph with details, without a border."""
    return open_image(sample.root / "coffee/whole.jpg")


def test_other_words_on_a_banned_template_are_for_a_person(opened, memes):
    opened.flag(memes[0], "its words")
    answers = opened.ask_many(memes, block=8)
    assert [answer.verdict for answer in answers] == ["block", "review", "review", "review"]
    assert "the details do not" in answers[1].how
    again = changes.change(memes[0], "jpeg", "quality 75")
    assert opened.ask(again).verdict == "block"


@pytest.mark.parametrize("how", list(look.ORIENTATIONS.items())[1:], ids=lambda how: how[0])
def test_turned_and_mirrored_pictures_are_for_a_person(opened, scene, how):
    entry = opened.flag(scene, "banned")
    answer = opened.ask(scene.transpose(how[1]))
    assert (answer.verdict, answer.entry) == ("review", entry)
    back = {"turned by 90 degrees": "turned by 270 degrees"}
    back |= {value: key for key, value in back.items()}
    assert answer.how == f"it matches once {back.get(how[0], how[0])}"


def test_a_border_is_seen_through(opened, scene):
    entry = opened.flag(scene, "banned")
    answer = opened.ask(changes.change(scene, "pad white", "10 %"))
    assert (answer.verdict, answer.entry) == ("review", entry)
    assert answer.how == "it matches once cut out of its border"


def test_where_one_side_has_no_second_fingerprint_dhash_alone_decides(opened, memes, scene):
    opened.flag(hashes.of_image(memes[0]), "its words")
    assert opened.ask(memes[1], block=8).verdict == "block"
    opened.flag(hashes.of_image(scene), "banned")
    mirrored = changes.change(scene, "mirror", "left-right")
    assert opened.ask(mirrored).verdict == "allow", "as it was before"
    opened.flag(scene, "banned anew")
    assert opened.ask(mirrored).verdict == "review"
    assert opened.ask(hashes.of_image(scene)).verdict == "block"


def second(bits):
    """A second fingerprint so many bits from another, all of whose bits are 0."""
    return hashes.from_hex(f"{(1 << bits) - 1:064x}", 256)


@pytest.mark.parametrize(
    ("bits", "other_bits", "verdict"),
    [
        (2, memory.SAME, "block"),
        (2, memory.SAME + 1, "review"),
        (2, 256, "review"),
        (3, memory.SAME, "review"),
        (8, memory.ALIKE, "review"),
        (8, memory.ALIKE + 1, "allow"),
        (9, 0, "allow"),
    ],
)
def test_both_fingerprints_have_their_radii(opened, bits, other_bits, verdict):
    opened.flag_many([Frame((View("", np.uint64(KEY), second(0)),))], "banned")
    asked = Frame((View("", np.uint64(KEY ^ (1 << bits) - 1), second(other_bits)),))
    assert opened.ask(asked).verdict == verdict


def test_any_entry_within_reach_may_block_not_only_the_nearest(opened, small_parts):
    other_words = [Frame((View("", np.uint64(KEY), second(100 + n)),)) for n in range(20)]
    opened.flag_many(other_words, "other words")
    (same,) = opened.flag_many([Frame((View("", np.uint64(KEY ^ 1), second(0)),))], "the same")
    asked = Frame((View("", np.uint64(KEY), second(0)),))
    assert opened.ask(asked)[:3] == ("block", 1, same)
    opened.unflag(same, "a mistake")
    assert opened.ask(asked)[:3] == ("review", 0, 1)


def test_lists_carry_the_second_fingerprint(opened, scene, tmp_path):
    opened.flag(scene, "banned")
    opened.write_csv(tmp_path / "banned.csv")
    opened.write_csv(tmp_path / "banned.csv")  # which may be replaced, being a bank's
    with Bank(tmp_path / "other.bank") as other:
        assert other.read_csv(tmp_path / "banned.csv") == 1
        assert other.read_csv(tmp_path / "banned.csv") == 0
        for picture in (scene, changes.change(scene, "mirror", "left-right")):
            assert other.ask(picture) == opened.ask(picture)
            assert other.ask(picture).verdict != "allow"
        text = (tmp_path / "banned.csv").read_text(encoding="utf-8")
        (tmp_path / "bad.csv").write_text(text.replace("phash-256", "x y"), encoding="utf-8")
        with pytest.raises(Problem, match=r"line 2: .* is not the second fingerprint"):
            other.read_csv(tmp_path / "bad.csv")
        emptied = re.sub(r'"\{""phash.*\}"', '""', text)
        (tmp_path / "emptied.csv").write_text(emptied, encoding="utf-8")
        assert other.read_csv(tmp_path / "emptied.csv") == 0, "known, and not refused"


# Frames


@pytest.fixture(params=["gif", "webp", "tif"])
def animation(request, photograph, tmp_path):
    """Three frames: white, a photograph, and another."""
    frames = [Image.new("RGB", (120, 80), "white"), photograph(1), photograph(2)]
    path = tmp_path / f"three.{request.param}"
    options = {"lossless": True} if request.param == "webp" else {}
    frames[0].save(path, save_all=True, append_images=frames[1:], **options)
    return path


def test_of_several_frames_the_worst_answer_counts(opened, photograph, animation):
    assert opened.ask(animation).verdict == "allow"
    opened.flag(photograph(2), "banned")
    assert opened.ask(animation).verdict in ("block", "review"), "GIF has few colours"
    assert opened.ask(animation).distance <= 2


def test_frames_that_were_not_looked_at_are_for_a_person(
    opened, photograph, animation, monkeypatch
):
    monkeypatch.setattr(look, "MOST_LOOKED_AT", 2)  # so many frames are rare
    answer = opened.ask(animation)
    assert answer == memory.Answer("review", how="1 of its frames or pages were not looked at")
    opened.flag(photograph(2), "banned")
    assert opened.ask(animation).entry == 1, "the last frame is among those"


def test_each_frame_that_says_something_is_banned(opened, photograph, animation):
    assert opened.flag(animation, "banned") == 1
    assert len(opened) == 2, "white says nothing"
    for seed in (1, 2):
        assert opened.ask(hashes.of_image(photograph(seed))).verdict != "allow"
    assert opened.ask(Image.new("RGB", (90, 80), "white")).verdict == "allow"


def test_a_picture_of_many_pixels_is_seen_as_its_smaller_self(scene):
    large, small = (Frame.of(scene.resize((size, size))) for size in (2_000, 500))
    assert len(large.views) == len(small.views)
    assert (large.views[0].second ^ small.views[0].second).any() <= memory.SAME
