"""Every hash of the table passes one shared test; a new one passes by being in the table."""

from importlib.util import find_spec

import imagehash
import numpy as np
import pandas as pd
import pytest
from PIL import Image

from helpers import Problem, hamming, shelf
from helpers.__main__ import main
from helpers.fingerprints import catalogue, flat, hashes, recipe
from helpers.images.opening import open_image
from helpers.search.compiled import CompiledScan
from helpers.search.linear import LinearScan
from helpers.search.multi_index import MultiIndexHashing
from helpers.search.pairs import all_pairs
from helpers.search.trees import KDTree, VPTree


def dhash_both(image):
    bits = [imagehash.dhash(image).hash, imagehash.dhash_vertical(image).hash]
    return imagehash.ImageHash(np.concatenate(bits))


#: What imagehash itself says, of the hashes that it offers.
ORACLES = {
    "dhash": imagehash.dhash,
    "dhash-256": lambda image: imagehash.dhash(image, hash_size=16),
    "dhash-vertical": imagehash.dhash_vertical,
    "dhash-both": dhash_both,
    "ahash": imagehash.average_hash,
    "phash": imagehash.phash,
    "phash-256": lambda image: imagehash.phash(image, hash_size=16),
    "whash": imagehash.whash,
    "colorhash": imagehash.colorhash,
}
MODES = ["RGB", "L", "P", "1", "CMYK", "YCbCr", "LA", "RGBA"]
FLAT = ["black", "white", "grey", "navy", "orange", "#123456"]


@pytest.fixture(params=hashes.HASHES)
def hash(request):
    """The name of every hash; those that need a package which is missing are skipped."""
    for package in hashes.HASHES[request.param].packages:
        pytest.importorskip(
            package, reason=f"{request.param} needs {package}, which takes a compiler"
        )
    return request.param


@pytest.fixture
def folder(photographs):
    """Eight photographs, one of which is a smaller copy of another."""
    with Image.open(photographs / "cats" / "image_0001.jpg") as picture:
        picture.resize((80, 53), Image.Resampling.LANCZOS).save(photographs / "copy.png")
    return photographs


def number(value, hash):
    return int(hashes.to_hex(value, hashes.HASHES[hash].bits), 16)


# The shared test


def test_its_entry_is_complete(hash):
    kind = hashes.HASHES[hash]
    assert kind.name == hash
    assert kind.cost > 0
    assert kind.source
    assert all(0 <= pattern < 2**kind.bits for pattern in kind.nothing)


@pytest.mark.parametrize("mode", MODES)
def test_it_has_as_many_bits_as_it_says_in_every_mode(hash, mode, photograph):
    kind = hashes.HASHES[hash]
    picture = photograph(3).convert(mode)
    assert np.asarray(kind.function(picture)).size == kind.bits
    value = hashes.of_image(picture, hash)
    assert np.asarray(value).dtype == np.uint64
    assert np.size(value) == kind.words
    assert number(value, hash) < 2**kind.bits, "bits that only fill up a word are zero"


def test_it_tells_pictures_apart(hash, photograph):
    assert len({number(hashes.of_image(photograph(seed), hash), hash) for seed in range(8)}) > 4


def test_it_has_the_bits_of_imagehash(hash, photograph):
    if hash not in ORACLES:
        pytest.skip(f"imagehash does not offer {hash}")
    for seed in range(6):
        for mode in ("RGB", "L"):
            picture = photograph(seed, size=(240, 160)).convert(mode)
            expected = ORACLES[hash](picture)
            found = hashes.of_image(picture, hash)
            assert hashes.to_hex(found, hashes.HASHES[hash].bits) == str(expected)


def test_its_distance_is_that_of_imagehash(hash, photograph):
    oracle = ORACLES.get(
        hash, lambda image: imagehash.ImageHash(hashes.HASHES[hash].function(image))
    )
    one, other = photograph(1), photograph(2)
    distance = hamming.distance(hashes.of_image(one, hash), hashes.of_image(other, hash))
    assert distance == int(oracle(one) - oracle(other))


def test_its_hex_digits_lead_there_and_back(hash, photograph):
    bits = hashes.HASHES[hash].bits
    value = hashes.of_image(photograph(1), hash)
    digits = hashes.to_hex(value, bits)
    assert len(digits) == -(-bits // 4)
    assert np.array_equal(hashes.from_hex(digits, bits), value)
    assert hamming.distance(digits, value) == 0
    with pytest.raises(Problem, match="hex digits"):
        hashes.from_hex(digits + "0", bits)


def test_picture_file_and_folder_give_one_fingerprint(hash, folder):
    table = catalogue.of_folder(folder, hash=hash)
    assert table["problem"].eq("").all()
    bits = hashes.HASHES[hash].bits
    for path, found in zip(table["path"], table["fingerprint"], strict=True):
        value = hashes.of_file(folder / path, hash)
        assert np.array_equal(value, hashes.of_image(open_image(folder / path), hash))
        assert found == (int(value) if bits <= 64 else hashes.to_hex(value, bits))
    assert recipe.from_dict(table.attrs["recipe"]) == recipe.here(hash)


def test_its_column_is_uint64_or_text_even_with_missing_values(hash, folder):
    (folder / "empty.jpg").touch()
    table = catalogue.of_folder(folder, hash=hash)
    wide = hashes.HASHES[hash].bits > 64
    assert str(table["fingerprint"].dtype) == ("string" if wide else "UInt64")
    assert table["fingerprint"].isna().sum() == 1
    with pytest.raises(Problem, match="1 of 10 rows have no fingerprint"):
        hamming.as_words(table["fingerprint"])
    good = catalogue.readable(table)
    assert hamming.as_words(good["fingerprint"]).shape == (hashes.HASHES[hash].words, 9)


@pytest.mark.slow
def test_workers_change_nothing(hash, folder):
    images = catalogue.find_images(folder) * 5
    one = catalogue.of_folder(folder, images, hash=hash, workers=1)
    two = catalogue.of_folder(folder, images, hash=hash, workers=2)
    pd.testing.assert_frame_equal(one, two)
    assert one.attrs == two.attrs


def test_of_a_flat_picture_it_says_nothing(hash):
    kind = hashes.HASHES[hash]
    for colour in FLAT:
        picture = Image.new("RGB", (120, 80), colour)
        if kind.quality:  # then it is the quality that tells
            assert kind.quality(picture) <= 49
        else:
            assert flat.says_nothing(hashes.of_image(picture, hash), hash)


def test_of_a_photograph_it_says_something(hash, photograph):
    values = [hashes.of_image(photograph(seed), hash) for seed in range(8)]
    digits = [hashes.to_hex(value, hashes.HASHES[hash].bits) for value in values]
    assert not flat.says_nothing(digits, hash).any()
    assert not any(flat.says_nothing(value, hash) for value in values)


def test_pairs_and_search_work_with_its_column(hash, folder):
    table = catalogue.of_folder(folder, hash=hash)
    digits = [
        hashes.to_hex(hashes.of_file(folder / path, hash), hashes.HASHES[hash].bits)
        for path in table["path"]
    ]
    expected = sorted(
        (hamming.distance(digits[one], digits[other]), one, other)
        for one in range(9)
        for other in range(one + 1, 9)
    )
    pairs = all_pairs(table["fingerprint"], hashes.HASHES[hash].bits)
    found = list(zip(pairs["distance"], pairs["first"], pairs["second"], strict=True))
    assert found == expected
    bits, query = hashes.HASHES[hash].bits, table["fingerprint"][0]
    ranked = sorted((hamming.distance(digits[0], other), row) for row, other in enumerate(digits))
    for structure in (LinearScan, VPTree, KDTree, MultiIndexHashing):
        rows, distances = structure(table["fingerprint"]).within(query, bits)
        assert list(zip(distances, rows, strict=True)) == ranked
    if bits > 64:
        with pytest.raises(Problem, match="a compiled scan is for 64 bits, not "):
            CompiledScan(table["fingerprint"])
    elif find_spec("numba"):
        rows, distances = CompiledScan(table["fingerprint"]).within(query, bits)
        assert list(zip(distances, rows, strict=True)) == ranked


def test_a_shelf_finds_a_copy_at_its_distance(hash, folder, tmp_path):
    shelf.build(tmp_path / "shelf", folder, hash=hash)
    made = shelf.read(tmp_path / "shelf")
    assert made.recipe == recipe.here(hash)
    query = folder / "cats" / "image_0001.jpg"
    expected = hamming.distance(
        hashes.of_file(query, hash), hashes.of_file(folder / "copy.png", hash)
    )
    found = made.find(query, expected).set_index("path")["distance"]
    assert found["copy.png"] == expected
    assert found["cats/image_0001.jpg"] == 0
    assert made.find(query)["distance"].eq(0).all()
    with pytest.raises(Problem, match=f"was made with {hash} of"):
        made.find(query, hash="dhash" if hash != "dhash" else "phash")


# Hex digits


@pytest.mark.parametrize("number", [0, 1, 2**53 + 1, 2**63, 2**63 + 1, 2**64 - 1])
def test_hex_holds_all_64_bits(number):
    digits = hashes.to_hex(np.uint64(number))
    assert digits == f"{number:016x}"
    assert hashes.from_hex(digits) == np.uint64(number)
    assert hashes.from_hex(digits).dtype == np.uint64


@pytest.mark.parametrize(
    "digits", ["", "ff", "0" * 17, "00000000000000fg", "0x000000000000ff", " 0000000000000ff"]
)
def test_other_text_is_no_fingerprint(digits):
    with pytest.raises(Problem, match="is not a fingerprint; it takes 16 hex digits"):
        hashes.from_hex(digits)


def test_digits_of_more_bits_than_a_hash_has_are_no_fingerprint():
    assert hashes.from_hex("3ffffffffff", bits=42) == 2**42 - 1
    with pytest.raises(Problem, match="it takes 11 hex digits"):
        hashes.from_hex("4" + 10 * "0", bits=42)


@pytest.mark.parametrize("value", [255.0, -1, 2**64, "ff", None, np.zeros(2, dtype=np.uint64) + 9])
def test_only_a_whole_number_of_64_bits_has_16_hex_digits(value):
    with pytest.raises(Problem, match="is not a fingerprint; it is a whole number of 64 bits"):
        hashes.to_hex(value)


# Every form in which a fingerprint is written down


def test_every_form_of_a_fingerprint_leads_back(hash, photograph, tmp_path):
    kind = hashes.HASHES[hash]
    for seed in range(4):
        value = hashes.of_image(photograph(seed), hash)
        number = hashes.to_int(value, kind.bits)
        forms = [hashes.to_hex(value, kind.bits), number, value]
        forms.append(hashes.to_image_hash(value, hash))
        for form in forms:
            assert np.array_equal(hashes.from_any(form, kind.bits), value), type(form)
        if hash in ORACLES:
            theirs = ORACLES[hash](photograph(seed))
            assert hashes.to_image_hash(value, hash) == theirs
            assert hashes.to_image_hash(value, hash) - theirs == 0
            assert np.array_equal(hashes.from_any(theirs, kind.bits), value)


def test_a_table_leads_through_csv_and_back(hash, folder, tmp_path):
    (folder / "empty.jpg").touch()
    table = catalogue.of_folder(folder, hash=hash)
    table.to_csv(tmp_path / "table.csv", index=False)
    kind = "UInt64" if hashes.HASHES[hash].words == 1 else "str"
    again = pd.read_csv(tmp_path / "table.csv", dtype={"fingerprint": kind})["fingerprint"]
    assert again.isna().tolist() == table["fingerprint"].isna().tolist()
    assert again.dropna().tolist() == table["fingerprint"].dropna().tolist()


@pytest.mark.parametrize("value", [255.0, np.float64(2**63), float("nan"), True, None, -1, "0xff"])
@pytest.mark.parametrize("bits", [42, 64, 256])
def test_what_holds_no_fingerprint_is_refused(value, bits):
    with pytest.raises(Problem, match="is not a fingerprint") as told:
        hashes.from_any(value, bits)
    assert ("a float holds only 53" in str(told.value)) == isinstance(value, (float, np.floating))


@pytest.mark.parametrize("bits", [42, 64, 128, 256])
def test_a_number_of_more_bits_than_there_are_is_refused(bits):
    assert hashes.to_int(hashes.from_any(2**bits - 1, bits), bits) == 2**bits - 1
    for wrong in (2**bits, "1" + "0" * (bits // 4 + 1)):
        with pytest.raises(Problem, match="is not a fingerprint"):
            hashes.from_any(wrong, bits)


# Hashes that cannot be made


def test_a_hash_that_there_is_not_is_refused_with_the_names(photograph, photographs):
    for use in (
        lambda: hashes.of_image(photograph(), "thash"),
        lambda: catalogue.of_folder(photographs, hash="thash"),
    ):
        with pytest.raises(Problem, match="'thash': no such hash; there are dhash, dhash-256, "):
            use()


def test_a_hash_whose_package_is_missing_is_refused_with_the_remedy(photographs, monkeypatch):
    # As where it is not installed: the package is no longer found.
    monkeypatch.setattr(hashes, "find_spec", lambda name: None)
    with pytest.raises(Problem, match=r"pdq needs pdqhash, .* run  python -m pip install pdqhash"):
        catalogue.of_folder(photographs, hash="pdq")
    with pytest.raises(Problem, match=r"whash needs PyWavelets, .* or take another hash"):
        hashes.of_file(photographs / "cats" / "image_0000.jpg", "whash")


def test_a_hash_of_colours_does_not_read_fast_which_is_grey(photographs):
    with pytest.raises(Problem, match="colorhash compares colours, and fast reads greys"):
        catalogue.of_folder(photographs, hash="colorhash", fast=True)


def test_pdq_comes_with_its_quality(photographs):
    pytest.importorskip("pdqhash", reason="pdq needs pdqhash, which takes a compiler")
    (photographs / "empty.jpg").touch()
    Image.new("RGB", (120, 80), "navy").save(photographs / "flat.png")
    table = catalogue.of_folder(photographs, hash="pdq").set_index("path")
    assert str(table["quality"].dtype) == "Int64"
    assert table.loc["flat.png", "quality"] == 0
    assert pd.isna(table.loc["empty.jpg", "quality"])
    assert table["quality"].max() > 49


def test_the_command_line_finds_a_resized_copy_at_its_distance(hash, folder, tmp_path, capsys):
    where = ["--dataset", str(folder), "--shelve", str(tmp_path / "shelf")]
    assert main(["index", *where, "--hash", hash]) == 0
    query = tmp_path / "resized.png"
    with Image.open(folder / "dogs" / "image_0006.jpg") as picture:
        picture.resize((110, 74)).save(query)
    expected = hamming.distance(
        hashes.of_file(query, hash), hashes.of_file(folder / "dogs" / "image_0006.jpg", hash)
    )
    capsys.readouterr()
    ask = ["search", *where, "--query", str(query), "--radius", str(expected)]
    for chosen in ([], ["--hash", hash]):
        assert main([*ask, *chosen]) == 0
        assert f"{expected:2}  dogs/image_0006.jpg" in capsys.readouterr().out.splitlines()
    assert main([*ask, "--hash", "ahash" if hash != "ahash" else "whash"]) == 2
    assert f"the shelf was made with {hash} of" in capsys.readouterr().err
