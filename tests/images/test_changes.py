"""Every change in the table keeps what the table promises; a new one is tried without a new line here,
unless it alters the size of pictures."""

import hashlib

import numpy as np
import PIL
import pytest
from PIL import Image

from helpers import Problem
from helpers.images import changes

ALL = [(name, strength) for name, one in changes.CHANGES.items() for strength in one.strengths]
every_change = pytest.mark.parametrize("name, strength", ALL, ids=map("/".join, ALL))
WIDTH, HEIGHT = 120, 80
#: The widths and heights that may come out, lowest and highest, where they are not those that went in.
SIZES = {
    "resize/x 0.5": (60, 40),
    "resize/x 0.25": (30, 20),
    "resize/x 2.0": (240, 160),
    "resize/x 0.5 to 1.5": ((60, 180), (40, 120)),
    "stretch width/x 0.75": (90, 80),
    "stretch width/x 1.33": (160, 80),
    "stretch width/to square": (256, 256),
    "crop each side/1 %": (118, 78),
    "crop each side/2 %": (116, 76),
    "crop each side/5 %": (108, 72),
    "crop each side/10 %": (96, 64),
    "crop each side/20 %": (72, 48),
    "crop unevenly/up to 5 %": ((108, 120), (72, 80)),
    "turn/90 degrees": (80, 120),
    "resize/0.95-1.05 + jpeg 75": ((114, 126), (76, 84)),
    "crop one side/5 %": ((114, 120), (76, 80)),
    "crop one side/10 %": ((108, 120), (72, 80)),
    "crop one side/20 %": ((96, 120), (64, 80)),
    "pad black/2 %": (124, 84),
    "pad black/5 %": (132, 88),
    "pad black/10 %": (144, 96),
    "pad black/20 %": (168, 112),
    "pad white/5 %": (132, 88),
    "pad white/10 %": (144, 96),
    "letterbox/10 %": (120, 96),
    "letterbox/20 %": (120, 112),
    "rotate, cropped/2 degrees": (116, 74),
    "rotate, cropped/4 degrees": (114, 72),
    "caption band on top/10 %": (120, 88),
    "caption band on top/20 %": (120, 96),
    "social media/half size after 2 % crop at each side, jpeg 60": (58, 38),
}
#: As the table of the experiments writes them, typed anew: so that runs of different people can be compared.
THE_TABLE = """
none: as it is
jpeg: quality 95; quality 75; quality 50; quality 20; quality 10
webp: quality 50
palette: 64 colours; 16 colours
resize: 0.95-1.05 + jpeg 75; x 0.5; x 0.25; x 2.0
stretch width: x 0.75; x 1.33; to square
crop each side: 1 %; 2 %; 5 %; 10 %; 20 %
crop one side: 5 %; 10 %; 20 %
pad black: 2 %; 5 %; 10 %; 20 %
pad white: 5 %; 10 %
letterbox: 10 %; 20 %
white frame over: 2 %; 5 %
rotate, black corners: 1 degree; 2 degrees; 4 degrees; 10 degrees
rotate, cropped: 2 degrees; 4 degrees
turn: 90 degrees; 180 degrees
mirror: left-right; top-bottom
blur: sigma 1; sigma 2; sigma 4
sharpen: unsharp mask 2 px, 150 %, threshold 0
noise: sigma 5; sigma 15; sigma 30; sigma 51
salt and pepper: 1 %; 5 %
brightness: x 0.5; x 0.8; x 1.25; x 1.5
contrast: x 0.5; x 0.75; x 1.5
saturation: x 0; x 2
gamma: 0.5; 2.0
hue: + 60 degrees
invert: all channels
vignette: Gaussian, sigma 0.7 of each side; Gaussian, sigma 0.5 of each side
watermark: small in a corner; large in the centre; all over at 25 %; all over at 50 %
caption band on top: 10 %; 20 %
sticker: 2 % of the area; 5 % of the area; 10 % of the area; 20 % of the area
perspective: 2 %; 5 %
social media: half size after 2 % crop at each side, jpeg 60
"""
MODES = ("L", "P", "RGBA", "CMYK", "1", "I;16")


def pixels(image):
    return image.mode, image.size, image.tobytes()


@every_change
def test_what_comes_out_is_rgb_of_the_size_that_is_said(photograph, name, strength):
    after = changes.change(photograph(1, (WIDTH, HEIGHT)), name, strength)
    assert after.mode == "RGB"
    said = SIZES.get(f"{name}/{strength}", (WIDTH, HEIGHT))
    for side, allowed in zip(after.size, said, strict=True):
        low, high = allowed if isinstance(allowed, tuple) else (allowed, allowed)
        assert low <= side <= high


@every_change
def test_the_same_seed_gives_the_same_pixels(photograph, name, strength):
    one, two = photograph(2), photograph(2)
    for about in ({"seed": 7}, {"seed": (7, 1)}, {"seed": 7, "path": "cats/ü.jpg"}):
        first = changes.change(one, name, strength, **about)
        assert pixels(first) == pixels(changes.change(two, name, strength, **about))


@every_change
def test_what_is_drawn_depends_on_the_path_and_on_nothing_else(photograph, name, strength):
    one, value = changes.CHANGES[name], changes.CHANGES[name].strengths[strength]
    rng = np.random.default_rng(0)
    unused = rng.bit_generator.state
    draws = isinstance(value, tuple)
    if not draws:
        one.function(photograph(3), value, rng)
        draws = rng.bit_generator.state != unused
    forms = {
        pixels(changes.change(photograph(3), name, strength, seed=1, path=f"{number}.jpg"))
        for number in range(12)
    }
    assert (len(forms) > 1) == draws


@every_change
@pytest.mark.parametrize("mode", ["RGB", *MODES])
def test_the_picture_itself_is_left_as_it_is(photograph, name, strength, mode):
    picture = in_mode(photograph(4, (40, 30)), mode)
    before = pixels(picture)
    after = changes.change(picture, name, strength, seed=3)
    assert after.mode == "RGB"
    after.paste("red", (0, 0, *after.size))
    assert pixels(picture) == before


def in_mode(picture, mode):
    if mode != "I;16":
        return picture.convert(mode)
    return Image.fromarray(np.asarray(picture.convert("L")).astype(np.uint16) * 257)


@every_change
@pytest.mark.parametrize("size", [(1, 1), (1, 10_000), (400, 1), (2, 3), (3, 3)], ids=str)
def test_a_narrow_picture_keeps_a_pixel(photograph, name, strength, size):
    for seed in range(5 if max(size) < 1000 else 1):
        after = changes.change(photograph(5, size), name, strength, seed=seed)
        assert min(after.size) >= 1
        assert len(after.tobytes()) == 3 * after.width * after.height


@pytest.mark.parametrize("name", changes.CHANGES)
def test_each_change_says_what_it_is_and_names_its_strengths(name):
    one = changes.CHANGES[name]
    assert one.name == name == name.strip()
    assert len(one.exactly) > 10
    assert one.strengths
    assert all(strength == strength.strip() != "" for strength in one.strengths)


@pytest.mark.parametrize(
    "name, strength, sentence",
    [
        ("mirrored", None, "no change is called 'mirrored'; choose one of: none, jpeg, webp"),
        ("jpeg", "10", "'jpeg' has no strength '10'; choose one of: quality 95, quality 75"),
        ("jpeg", None, "'jpeg' has no strength None; choose one of: quality 95, quality 75"),
    ],
)
def test_a_wrong_name_or_strength_gets_a_sentence_that_lists_what_there_is(
    photograph, name, strength, sentence
):
    with pytest.raises(Problem) as problem:
        changes.change(photograph(), name, strength)
    assert sentence in str(problem.value)


def test_the_only_strength_of_a_change_need_not_be_named(photograph):
    assert changes.change(photograph(6), "invert").getpixel((0, 0)) == tuple(
        255 - value for value in photograph(6).getpixel((0, 0))
    )


def test_each_function_has_an_entry_in_the_table():
    assert list(changes.FUNCTIONS) == list(changes.CHANGES)


def test_the_value_of_a_strength_is_the_number_in_its_name():
    for name, strength, value in [
        ("jpeg", "quality 75", 75),
        ("jpeg", "quality 20 to 60", (20, 60)),
        ("brightness", "x 1.1 to 1.5", (1.1, 1.5)),
        ("resize", "x 2.0", 2.0),
        ("resize", "0.95-1.05 + jpeg 75", "0.95-1.05 + jpeg 75"),
        ("stretch width", "to square", "to square"),
        ("hue", "+ 60 degrees", 60),
        ("vignette", "Gaussian, sigma 0.7 of each side", 0.7),
        ("watermark", "all over at 25 %", 25),
    ]:
        got = changes.CHANGES[name].strengths[strength]
        assert (got, type(got)) == (value, type(value))


def test_the_standard_table_has_82_strengths_in_its_order():
    rows = [row.split(": ") for row in THE_TABLE.strip().splitlines()]
    assert list(changes.STANDARD.items()) == [(name, one.split("; ")) for name, one in rows]
    assert sum(map(len, changes.STANDARD.values())) == 82


def test_what_chapters_draw_for_themselves_stands_beside_the_standard_table():
    beside = {(name, one) for name, row in changes.CHANGES.items() for one in row.beside}
    assert beside >= {
        ("jpeg", "quality 20 to 60"),
        ("resize", "x 0.5 to 1.5"),
        ("crop unevenly", "up to 5 %"),
        ("brightness", "x 1.1 to 1.5"),
        ("watermark", "white band in a corner"),
    }
    assert beside < set(ALL)


def chosen(path, text):
    path.write_text(text, encoding="utf-8")
    return changes.chosen(path)


def test_an_experiment_takes_the_standard_table_or_what_a_file_chooses(tmp_path):
    whole = changes.chosen()
    assert whole == changes.STANDARD
    whole["jpeg"].clear()
    assert len(changes.STANDARD["jpeg"]) == 5
    text = '\ufeffmirror = "all"\njpeg = ["quality 10", "quality 95"]\n"crop one side" = "5 %"\n'
    got = chosen(tmp_path / "table.toml", text)
    assert list(got.items()) == [
        ("jpeg", ["quality 95", "quality 10"]),
        ("crop one side", ["5 %"]),
        ("mirror", ["left-right", "top-bottom"]),
    ]
    got = chosen(tmp_path / "table.toml", 'brightness = "all"\n"crop unevenly" = "all"\n')
    assert got == {"crop unevenly": ["up to 5 %"], "brightness": changes.STANDARD["brightness"]}


@pytest.mark.parametrize(
    "text, sentence",
    [
        ("", "chooses no change; write lines as"),
        ("mirrored = 'all'", "no change is called 'mirrored'; choose one of: none, jpeg, webp"),
        ("jpeg = ['95']", "'jpeg' has no strength '95'; choose one of: quality 95, quality 75"),
        ("jpeg = 95", "'jpeg' has no strength 95; choose one of: quality 95, quality 75"),
        ("jpeg = [['quality 95']]", "'jpeg' has no strength ['quality 95']; choose one of"),
        ("[jpeg]\nquality = 95", "'jpeg' has no strength {'quality': 95}; choose one of"),
        ("jpeg = []", "'jpeg' has no strength in it; name some, or leave out the line"),
        ("jpeg: quality 95", "is not a table in TOML (Expected '=' after a key"),
        ("crop one side = 'all'", "is not a table in TOML (Expected '=' after a key"),
        ("jpeg = 'all'\njpeg = 'all'", "is not a table in TOML (Cannot overwrite a value"),
        ("a = " + "[" * 100_000, "is not a table in TOML ("),
    ],
)
def test_a_table_that_cannot_be_used_gets_a_sentence(tmp_path, text, sentence):
    with pytest.raises(Problem) as problem:
        chosen(tmp_path / "table.toml", text)
    assert str(problem.value).startswith(f"{tmp_path / 'table.toml'}: ")
    assert sentence in str(problem.value)
    assert "\n" not in str(problem.value)


def test_a_table_that_cannot_be_read_gets_a_sentence(tmp_path):
    with pytest.raises(Problem, match="cannot be read"):
        changes.chosen(tmp_path)
    with pytest.raises(Problem, match="cannot be read"):
        changes.chosen(tmp_path / "nowhere.toml")
    (tmp_path / "latin.toml").write_bytes(b"m\xfcll = 'all'")
    with pytest.raises(Problem, match="is not a table in TOML"):
        changes.chosen(tmp_path / "latin.toml")
    (tmp_path / "large.toml").write_bytes(b"#" * (2**20 + 1))
    with pytest.raises(Problem, match="is larger than"):
        changes.chosen(tmp_path / "large.toml")


def test_another_strength_draws_otherwise(monkeypatch, photograph):
    """So that what is drawn for one strength does not say what is drawn for another."""
    two = changes.Change(
        "two", {"a": 1, "b": 1}, "one draw", lambda image, _, rng: dot(image, rng.integers(10_000))
    )
    monkeypatch.setitem(changes.CHANGES, "two", two)
    drawn = [
        pixels(changes.change(photograph(), "two", strength, seed=1, path="one.jpg"))
        for strength in "ab"
    ]
    assert drawn[0] != drawn[1]


def dot(image, value):
    marked = image.copy()
    marked.putpixel((0, 0), (int(value) // 256, int(value) % 256, 0))
    return marked


def test_a_part_of_the_table_draws_what_the_whole_draws(photograph):
    """The seed as the table of the experiments asks for it: CRC-32 of the path and of change/strength."""
    seed = [2014, 0x50ACEB5B, 0x9C9B2FB2]
    expected = changes.change(photograph(), "crop unevenly", "up to 5 %", seed=seed)
    got = changes.change(
        photograph(), "crop unevenly", "up to 5 %", seed=2014, path="cats/image_0001.jpg"
    )
    assert pixels(got) == pixels(expected)


#: SHA-256 of 40 pictures of each form, made by version 0.1 with Pillow 13.0.0, on which numbers depend that the kit keeps.
OF_VERSION_0_1 = {
    "as it is": "3b2d89efc149ca77",
    "resized": "569ac02505e51f90",
    "recompressed": "f78a72fcb7127a9a",
    "cropped": "9c79bfee3d09cd99",
    "brightened": "c82433b3e8b72a3d",
    "watermarked": "15fc0628e5447c77",
    "mirrored": "77315e14b56c92f4",
}


@pytest.mark.skipif(PIL.__version__ != "13.0.0", reason="another Pillow gives other pixels")
@pytest.mark.parametrize("form", OF_VERSION_0_1)
def test_the_forms_of_chapter_7_have_the_pixels_of_version_0_1(photograph, form):
    assert list(changes.FORMS) == list(OF_VERSION_0_1)
    digest = hashlib.sha256()
    for number in range(20):
        picture = photograph(number, (40 + 7 * number, 99 - 3 * number))
        picture = picture.convert("L") if number % 4 == 1 else picture
        for seed in (number, (2014, number)):
            after = changes.change(picture, *changes.FORMS[form], seed=seed)
            digest.update(repr(after.size).encode() + after.tobytes())
    assert digest.hexdigest()[:16] == OF_VERSION_0_1[form]
