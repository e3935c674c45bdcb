"""What breaks a fingerprint: the distances of that page, computed here in another way.

The page opens pictures with the kit and changes them with Pillow. Here they are arrays, and the distances are imagehash's.
nbval runs the page; these tests read what it saved. That pages which differ in a digit are equal, and that a ban on one meme
stops the others, is in `test_phenomena`.
"""

import re
from io import BytesIO

import course
import imagehash
import numpy as np
import pytest
from PIL import Image
from prose import cells

from helpers import datasets
from helpers.fingerprints import hashes

PAGE = course.HERE / "more" / "what-breaks-a-fingerprint.ipynb"
CELLS = cells(PAGE)


def special(path):
    with Image.open(datasets.specials().root / path) as image:
        return np.asarray(image)


def bits(one, other, function=imagehash.dhash):
    return function(Image.fromarray(one)) - function(Image.fromarray(other))


def both(one, other):
    return bits(one, other), bits(one, other, imagehash.phash)


@pytest.fixture(scope="module")
def cat(own_data):
    return special("original/cat.jpg")


@pytest.fixture(scope="module")
def own_data(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FINGERPRINTS_DATA", str(tmp_path_factory.mktemp("data")))
        yield


def told(section):
    """What stands below the pictures of a section: distances for each name, as the page saved them."""
    starts = [n for n, cell in enumerate(CELLS) if cell["text"].startswith(f"## {section}")]
    outputs = CELLS[starts[-1] + 1]["outputs"]
    text = "".join(next(o["data"]["text/plain"] for o in outputs if "data" in o))
    found = re.findall(r"(?:^Side by side: |; )(.+?), dHash (\d+), pHash (\d+) bits", text)
    return {name: (int(dhash), int(phash)) for name, dhash, phash in found}


def cut(pixels, share):
    y, x = (round(share * n) for n in pixels.shape[:2])
    return pixels[y : len(pixels) - y, x : pixels.shape[1] - x]


def framed(pixels, share, colour=0):
    border = [(round(share * n),) * 2 for n in pixels.shape[:2]]
    return np.pad(pixels, [*border, (0, 0)], constant_values=colour)


def test_a_picture_as_it_is_stored_is_far_from_the_picture_as_it_is_shown(cat):
    assert told("Turned by its EXIF tag") == {
        "as shown": (0, 0),
        "as stored": both(cat, np.rot90(cat)),
    }
    assert bits(cat, np.rot90(cat)) > 10


def test_a_hidden_colour_counts_where_transparency_is_dropped(cat):
    height, width = cat.shape[:2]
    disc = Image.radial_gradient("L").resize((width, height))
    seen = np.asarray(disc)[:, :, None] < 150
    shown = np.where(seen, cat, 255).astype(np.uint8)
    hidden = both(shown, np.where(seen, cat, 0).astype(np.uint8))
    expected = {"black below": (0, 0), "white below": (0, 0), "white below, dropped": (0, 0)}
    assert told("Transparency") == expected | {"black below, dropped": hidden}
    assert hidden[0] > 10


def test_16_bits_are_white_where_they_are_clipped(cat):
    grey = np.asarray(Image.fromarray(cat).convert("L"))
    clipped = np.where(grey > 0, 255, 0).astype(np.uint8)
    expected = {"8 bits": (0, 0), "16 bits, scaled": (0, 0)}
    assert told("16 bits") == expected | {"16 bits, clipped": both(grey, clipped)}
    assert bits(grey, clipped) > 10


def test_of_a_mirrored_picture_only_bits_that_differ_from_their_mirror_image_stay(cat):
    """A bit is turned round and goes to the other end of its row, unless two neighbours are equal."""
    before = imagehash.dhash(Image.fromarray(cat)).hash
    small = np.asarray(Image.fromarray(cat).convert("L").resize((9, 8), Image.Resampling.LANCZOS))
    equal = np.diff(small.astype(int)) == 0
    after = ~before[:, ::-1] & ~equal[:, ::-1]
    assert (before != after).sum() == bits(cat, cat[:, ::-1]) == told("Mirrored")["mirrored"][0]
    turned = {"turned by 90": np.rot90(cat), "turned by 180": cat[::-1, ::-1]}
    expected = {"the picture": (0, 0), "mirrored": both(cat, cat[:, ::-1])}
    expected |= {name: both(cat, one) for name, one in turned.items()}
    assert told("Mirrored") == expected


def test_a_crop_costs_the_more_bits_the_more_it_cuts_off(cat):
    expected = {f"{share} % off": both(cat, cut(cat, share / 100)) for share in (1, 2, 5, 10)}
    assert told("Cropped") == {"the picture": (0, 0)} | expected
    assert sorted(expected.values()) == list(expected.values())


def test_a_frame_costs_bits_that_come_back_when_it_is_cut_off(cat):
    frames = {f"{share} % black": framed(cat, share / 100) for share in (2, 5, 10)}
    frames["5 % white"] = framed(cat, 0.05, 255)
    expected = {name: both(cat, one) for name, one in frames.items()}
    assert told("Framed") == {"the picture": (0, 0)} | expected
    assert min(expected.values())[0] > 2
    y, x = (round(0.05 * n) for n in cat.shape[:2])
    assert both(cat, frames["5 % white"][y:-y, x:-x]) == (0, 0)


@pytest.mark.parametrize("path", ["original/cat.jpg", "original/rocket.jpg", "scan/17_61.jpg"])
def test_a_decoders_rounding_changes_near_ties_alone(path, own_data):
    """The differences of those bits are rounded to -1, 0, 1 or 2 levels; the page counts those of 1 at most."""
    pixels, rng = special(path), np.random.default_rng(17)
    small = Image.fromarray(pixels).convert("L").resize((9, 8), Image.Resampling.LANCZOS)
    difference = np.diff(np.asarray(small, dtype=int))
    before, changed = imagehash.dhash(Image.fromarray(pixels)).hash, []
    for _ in range(20):
        moved = (pixels + rng.integers(-1, 2, pixels.shape)).clip(0, 255).astype(np.uint8)
        flips = before != imagehash.dhash(Image.fromarray(moved)).hash
        assert ((difference[flips] >= -1) & (difference[flips] <= 2)).all()
        changed.append(flips.sum())
    assert f"{path}: {(abs(difference) <= 1).sum()} near ties\n" in output_of(
        "Rounding by a decoder"
    )
    most = {"original/cat.jpg": 0, "original/rocket.jpg": 2, "scan/17_61.jpg": 6}[path]
    assert max(changed) <= most
    assert path != "scan/17_61.jpg" or max(changed) > 0


def output_of(section):
    starts = [n for n, cell in enumerate(CELLS) if cell["text"].startswith(f"## {section}")]
    return "".join("".join(o.get("text", "")) for o in CELLS[starts[-1] + 1]["outputs"])


def rounded(hash):
    """The ten distances of each of the three pictures."""
    lists = re.findall(rf"{hash} \[([^]]+)\]", output_of("Rounding by a decoder"))
    return [list(map(int, one.split(", "))) for one in lists]


def test_of_an_animation_only_the_first_frame_counts(own_data):
    def animation(*names):
        frames = [
            Image.fromarray(special(f"original/{name}.jpg")).resize((320, 240)) for name in names
        ]
        frames[0].save(file := BytesIO(), "GIF", save_all=True, append_images=frames[1:])
        assert Image.open(file).n_frames == 2
        return np.asarray(Image.open(file).convert("RGB")), file

    start, file = animation("cat", "rocket")
    assert hashes.to_hex(hashes.of_file(file)) == str(imagehash.dhash(Image.fromarray(start)))
    later, _ = animation("rocket", "cat")
    assert told("Animations") == {
        "cat, then rocket": (0, 0),
        "rocket, then cat": both(start, later),
        "cat, then coffee": (0, 0),
    }
    assert bits(start, later) > 20


def test_flat_pictures_and_gradients_have_no_bits_of_dhash_or_all(own_data):
    flat = {name: special(f"flat/{name}.jpg") for name in ("black", "white", "wall")}
    expected = {name: both(flat["black"], one) for name, one in flat.items()}
    assert told("Flat pictures") == expected
    down = np.repeat(np.arange(256, dtype=np.uint8)[:, None], 256, axis=1)
    ways = [np.full_like(down, 128), down, down[::-1], down.T[:, ::-1], down.T]
    expected = [both(ways[0], one) for one in ways]
    assert list(told("Even gradients").values()) == expected
    assert [dhash for dhash, _ in expected] == [0, 0, 0, 0, 64]


@pytest.mark.parametrize(
    "section, paths",
    [
        ("Other words", [f"meme/cat_{number}.jpg" for number in (1, 2, 3, 4)]),
        ("One letter", ["scan/23_306.jpg", "scan/23_308.jpg"]),
    ],
)
def test_words_touch_few_of_the_72_pixels(section, paths, own_data):
    first, *others = map(special, paths)
    assert list(told(section).values()) == [(0, 0), *(both(first, one) for one in others)]
    assert all(bits(first, one) <= 8 for one in others)


def test_a_collision_has_the_fingerprint_of_one_picture_and_the_look_of_another(cat):
    """Seen in what the page draws: the bent coffee is nearer to the coffee in its pixels."""
    assert told("A collision")["coffee, bent"][0] == 0
    assert told("A collision")["coffee"] == both(cat, special("original/coffee.jpg"))


def rows():
    """The rows of the two tables: section, what is told of dHash and of pHash, and which of what is below counts."""
    for cell, far_or_near in zip(CELLS[1:3], (max, min), strict=True):
        for line in re.findall(r"^\| (.*\]\(#.*) \|$", cell["text"], re.MULTILINE):
            name, *told, _, _ = line.split(" | ")
            section = re.search(r"\(#([^)]+)\)", name)[1].replace("-", " ")
            yield pytest.param(section, told, far_or_near, id=f"{section}-{far_or_near.__name__}")


@pytest.mark.parametrize("section, texts, far_or_near", list(rows()))
def test_a_row_of_the_tables_tells_what_is_below_its_pictures(section, texts, far_or_near):
    """Of copies the tables tell the farthest, of other pictures the nearest; the first picture is their measure."""
    if section == "Rounding by a decoder":
        for text, hash in zip(texts, ("dHash", "pHash"), strict=True):
            cat, rocket, page = rounded(hash)
            start = {"dHash": "0 to 1", "pHash": "0"}[hash]
            assert text == f"{start}, on a scan to {max(page)}"
            assert max(cat + rocket) == int(start[-1])
        return
    below = zip(*list(told(section).values())[1:], strict=True)
    for text, values in zip(texts, below, strict=True):
        numbers = list(map(int, re.findall(r"\d+", text)))
        assert set(numbers) <= set(values)
        assert far_or_near(numbers) == far_or_near(values)
        assert " to " not in text or numbers == [min(values), max(values)]
