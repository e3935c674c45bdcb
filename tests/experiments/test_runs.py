"""A run: what it measures, that it goes on where it was, and what it says of bad input."""

import gzip
import hashlib
import json
import os
import sys
from pathlib import Path

import imagehash
import numpy as np
import pytest
from experiments_runs import CHANGES, HASH_NAMES, folder_of_pictures, small_run, spread_run
from PIL import Image

from helpers import Problem, datasets, hamming
from helpers.experiments import counting, measuring, rates, runs
from helpers.images import changes


@pytest.fixture(autouse=True)
def own_data_folder(tmp_path, monkeypatch):
    monkeypatch.setenv("FINGERPRINTS_DATA", str(tmp_path / "data"))


def contents(folder):
    """The bytes of each file, but for date, machine and seconds in run.json."""
    files = {file.name: file.read_bytes() for file in folder.iterdir()}
    about = json.loads(files["run.json"])
    files["run.json"] = {
        key: about[key] for key in about if key not in ("date", "machine", "seconds")
    }
    return files


def test_fingerprints_and_distances_are_those_of_each_picture_and_its_changed_copy(tmp_path):
    photos = folder_of_pictures(tmp_path / "photos", 6)
    made = small_run(photos, tmp_path / "run", queries=3)
    assert made.pictures["path"].tolist() == [f"{row:02}.png" for row in range(6)]
    for row in made.pictures.itertuples():
        assert row.phash == str(imagehash.phash(Image.open(photos / row.path)))
        assert row.bytes == hashlib.sha256((photos / row.path).read_bytes()).hexdigest()
        assert (row.width, row.height) == (48, 40)
    assert made.pictures["query"].sum() == 3
    assert len(made.distances) == 3 * len(CHANGES)
    for row in made.distances.itertuples():
        picture = Image.open(photos / row.path)
        copy = changes.change(picture, row.change, row.strength, seed=2014, path=row.path)
        assert row.dhash == imagehash.dhash(copy) - imagehash.dhash(picture)


def test_a_run_is_read_as_it_was_made_and_knows_where_its_pictures_lie(tmp_path):
    photos = folder_of_pictures(tmp_path / "photos", 4)
    made = small_run(photos, tmp_path / "run")
    read = runs.read(tmp_path / "run")
    assert read.about == made.about
    assert read.pictures.equals(made.pictures)
    assert read.distances.equals(made.distances)
    assert runs.pictures_of(read) == photos.resolve()
    assert str(tmp_path) not in (tmp_path / "run" / "run.json").read_text()


def test_a_made_up_run_is_read_like_one_that_was_made(tmp_path):
    made = spread_run(tmp_path / "run", n=20, queries=5)
    assert made.distances["dhash"].tolist() == [0, 1, 2, 3, 4]
    assert made.about["pictures"] == len(made.pictures) == 20


def test_a_run_of_other_settings_is_not_mixed_with_this_one(tmp_path):
    photos = folder_of_pictures(tmp_path / "photos", 3)
    small_run(photos, tmp_path / "run")
    with pytest.raises(Problem, match="with seed 2014, and not 1"):
        small_run(photos, tmp_path / "run", seed=1)


def test_recalls_are_told_at_the_rates_that_are_asked_for(tmp_path, capsys):
    photos = folder_of_pictures(tmp_path / "photos", 16)
    made = small_run(photos, tmp_path / "run", rates=[0.9, 1e-3, 1e-3], show=print)
    assert made.about["rates"] == [0.9, 1e-3]
    assert set(runs.table(made, "recall")["rate"]) == {0.9, 1e-3}
    # 120 pairs: 0.9 of them are more than a hundred
    assert "Recall where at most 0.9 of the pairs" in capsys.readouterr().out


def test_flat_and_unreadable_pictures_are_no_queries_and_equal_ones_ask_once(tmp_path):
    photos = folder_of_pictures(tmp_path / "photos", 2)
    Image.new("RGB", (40, 40), "navy").save(photos / "flat.png")
    (photos / "broken.jpg").write_bytes(b"nothing")
    (photos / "twin.png").write_bytes((photos / "00.png").read_bytes())
    made = small_run(photos, tmp_path / "run", queries=9)
    assert made.pictures.loc[made.pictures["query"], "path"].tolist() == ["00.png", "01.png"]
    assert made.pictures.loc[made.pictures["flat"], "path"].tolist() == ["flat.png"]
    assert made.about["left_out"] == 1
    assert np.isin(made.distances["path"], ["00.png", "01.png"]).all()


def saved(folder, **pictures):
    folder.mkdir(parents=True, exist_ok=True)
    for name, picture in pictures.items():
        picture.save(folder / f"{name}.{'jpg' if picture.mode == 'CMYK' else 'png'}")
    return folder


def spots(mode="RGB", seed=0, size=(40, 30)):
    pixels = np.random.default_rng(seed).integers(0, 256, (6, 8, 3), dtype=np.uint8)
    return Image.fromarray(pixels).resize(size, Image.Resampling.BICUBIC).convert(mode)


#: Odd folders, with how many pictures can be read and how many ask.
ODD = {
    "one": (lambda folder: folder_of_pictures(folder, 1), 1, 1),
    "two": (lambda folder: folder_of_pictures(folder, 2), 2, 2),
    "sixteen": (lambda folder: folder_of_pictures(folder, 16), 16, 5),
    "all equal": (lambda folder: saved(folder, a=spots(), b=spots(), c=spots()), 3, 1),
    "one pixel": (lambda folder: saved(folder, a=spots(), b=spots(size=(1, 1))), 2, 1),
    "CMYK": (lambda folder: saved(folder, a=spots("CMYK"), b=spots("CMYK", 1)), 2, 2),
    "modes": (lambda folder: saved(folder, a=spots("P"), b=spots("LA", 1), c=spots("1", 2)), 3, 3),
}


@pytest.mark.parametrize("kind", ODD)
def test_odd_folders_have_runs(kind, tmp_path):
    make, pictures, queries = ODD[kind]
    made = small_run(make(tmp_path / "photos"), tmp_path / "run")
    assert (made.about["pictures"], made.about["queries"]) == (pictures, queries)
    assert len(made.distances) == queries * len(CHANGES)
    assert runs.table(made, "recall")["recall"].between(0, 1).all()
    assert runs.table(made, "pairs")["pairs"].sum() <= pictures * (pictures - 1) / 2 * len(
        HASH_NAMES
    )


def test_names_of_any_letters_come_back(tmp_path):
    names = ["a,b.png", 'say "so".png', "two\nlines.png", "=1+1.png", " leading.png", "Ünï.png"]
    for seed, name in enumerate(names):
        saved(tmp_path / "photos", **{name.removesuffix(".png"): spots(seed=seed)})
    made = small_run(tmp_path / "photos", tmp_path / "run", queries=9)
    assert made.pictures["path"].tolist() == sorted(names)
    assert set(runs.read(tmp_path / "run").distances["path"]) == set(names)


@pytest.mark.skipif(sys.platform != "linux", reason="other systems know no such names")
def test_a_name_that_is_no_text_is_left_out_with_a_reason(tmp_path):
    photos = folder_of_pictures(tmp_path / "photos", 2)
    spots().save(os.fsencode(photos) + b"/caf\xe9.png")
    made = small_run(photos, tmp_path / "run")
    row = made.pictures.set_index("path").loc["caf\\udce9.png"]
    assert row["problem"] == "its name is not valid text; rename it"


def test_a_copy_that_cannot_be_made_is_missing_and_told(tmp_path, monkeypatch):
    def fail(image, name, *about, **more):
        if name == "blur":
            raise MemoryError
        return image

    monkeypatch.setattr("helpers.images.changes.change", fail)
    told = []
    photos = folder_of_pictures(tmp_path / "photos", 3)
    made = small_run(photos, tmp_path / "run", queries=2, show=told.append)
    missing = made.distances["dhash"].isna()
    assert made.distances.loc[missing, "change"].tolist() == ["blur", "blur"]
    assert any(text.startswith("Not made: 2 changed copies, first ") for text in told)


@pytest.mark.slow
def test_any_number_of_workers_makes_the_same_bytes(tmp_path):
    photos = folder_of_pictures(tmp_path / "photos", 9)
    for workers in (1, 3):
        small_run(photos, tmp_path / str(workers), workers=workers)
    assert contents(tmp_path / "1") == contents(tmp_path / "3")


def test_a_larger_side_is_reduced_before_all_else(tmp_path):
    photos = saved(tmp_path / "photos", a=spots(size=(400, 300)), b=spots(seed=1, size=(30, 20)))
    made = small_run(photos, tmp_path / "run", side=100)
    small = spots(size=(400, 300)).resize((100, 75), Image.Resampling.LANCZOS)
    assert made.pictures["phash"][0] == str(imagehash.phash(small))
    assert made.pictures["phash"][1] == str(imagehash.phash(spots(seed=1, size=(30, 20))))
    assert made.pictures["width"].tolist() == [400, 30]


def test_quick_takes_fixed_numbers(tmp_path):
    asked = []
    photos = folder_of_pictures(tmp_path / "photos", 3)
    made = runs.run(photos, tmp_path / "run", quick=True, changes=CHANGES, show=asked.append)
    assert made.about["hashes"] == ["dhash", "phash", "ahash", "dhash-both"]
    assert (made.about["asked"], made.about["side"], made.about["quick"]) == (40, 512, True)
    assert any("dhash-both" in text for text in asked)  # the table at its end


def test_a_finished_run_is_not_made_again(tmp_path):
    photos = folder_of_pictures(tmp_path / "photos", 3)
    small_run(photos, tmp_path / "run")
    before = {file: file.stat().st_mtime_ns for file in (tmp_path / "run").iterdir()}
    told = []
    small_run(photos, tmp_path / "run", show=told.append)
    assert before == {file: file.stat().st_mtime_ns for file in (tmp_path / "run").iterdir()}
    assert told[-1].endswith("was finished before with these settings; nothing was done.")


def stopped(photos, out, monkeypatch, *, after):
    """A run that is stopped once so many parts are written."""
    write, seen = measuring.write_text, []

    def stop(file, text):
        if len(seen) == after:
            raise KeyboardInterrupt
        seen.append(file)
        write(file, text)

    with monkeypatch.context() as patched:
        patched.setattr(measuring, "write_text", stop)
        with pytest.raises(KeyboardInterrupt):
            small_run(photos, out)


def test_what_was_measured_is_not_measured_again_unless_the_picture_has_changed(
    tmp_path, monkeypatch
):
    photos = folder_of_pictures(tmp_path / "photos", 8)
    stopped(photos, tmp_path / "run", monkeypatch, after=3)
    with pytest.raises(Problem, match="not finished; give its command again"):
        runs.read(tmp_path / "run")
    first = sorted((tmp_path / "run" / "parts").glob("?" * 24 + ".json"))
    assert len(first) == 3
    spots(seed=99).save(photos / "00.png")
    opened = []
    look = measuring.open_with_size
    monkeypatch.setattr(measuring, "open_with_size", lambda file: opened.append(file) or look(file))
    monkeypatch.setattr(measuring, "cost", lambda *about: ("", 1))
    made = small_run(photos, tmp_path / "run")
    assert 0 < len(opened) < 8
    assert str(photos / "00.png") in opened
    assert made.pictures["phash"][0] == str(imagehash.phash(spots(seed=99)))


def refused(tmp_path, **options):
    with pytest.raises(Problem) as problem:
        small_run(options.pop("folder", tmp_path / "photos"), tmp_path / "run", **options)
    return str(problem.value)


def mine(tmp_path):
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "run.json").write_text("{}")
    return {}


def unreadable(tmp_path):
    (tmp_path / "bad").mkdir()
    (tmp_path / "bad" / "a.jpg").write_bytes(b"")
    return {"folder": tmp_path / "bad"}


def all_flat(tmp_path):
    return {"folder": saved(tmp_path / "flat", a=Image.new("L", (9, 9)), b=Image.new("L", (8, 9)))}


def empty(tmp_path):
    (tmp_path / "none").mkdir()
    return {"folder": tmp_path / "none"}


def table(text):
    def write(tmp_path):
        (tmp_path / "table.toml").write_text(text)
        return {"changes": tmp_path / "table.toml"}

    return write


#: Bad input, and what the sentence about it says.
BAD = {
    "no such folder": (lambda place: {"folder": place / "fotos"}, "no such folder; check"),
    "no picture": (empty, "holds no images"),
    "none can be read": (unreadable, "no picture can be read and is not flat"),
    "all flat": (all_flat, "no picture can be read and is not flat"),
    "a folder of mine": (mine, "is there already and is no run of experiment"),
    "no such hash": (lambda _: {"hashes": ["dhash", "md5"]}, "'md5': no such hash; there are"),
    "no query": (lambda _: {"queries": 0}, "queries is 0; choose 1 or more"),
    "no rate": (lambda _: {"rates": []}, "rates []: each is above 0 and below 1"),
    "a rate of 1": (lambda _: {"rates": [1e-4, 1]}, "each is above 0 and below 1"),
    "a tiny side": (lambda _: {"side": 1}, "side is 1; choose 32 or more"),
    "a seed below 0": (lambda _: {"seed": -1}, "seed is -1; choose 0 or more"),
    "no worker": (lambda _: {"workers": 0}, "workers is 0; choose 1 or more"),
    "no TOML": (table("jpeg"), "is not a table in TOML"),
    "no such change": (table('melt = "all"'), "melt"),
    "no such strength": (table('jpeg = ["quality 96"]'), "quality 96"),
    "no such strength at once": (lambda _: {"changes": {"jpeg": ["quality 96"]}}, "quality 96"),
    "no table": (lambda place: {"changes": place / "no.toml"}, "cannot be read"),
}


@pytest.mark.parametrize("kind", BAD)
def test_bad_input_gets_one_sentence_and_leaves_nothing(kind, tmp_path):
    folder_of_pictures(tmp_path / "photos", 2)
    give, says = BAD[kind]
    options = give(tmp_path)
    before = sorted(tmp_path.rglob("*"))
    sentence = refused(tmp_path, **options)
    assert says in sentence
    assert "\n" not in sentence
    assert sorted(tmp_path.rglob("*")) == before


def test_a_run_is_not_written_among_its_pictures(tmp_path):
    photos = folder_of_pictures(tmp_path / "photos", 2)
    with pytest.raises(Problem, match=r"lies inside .*, where nothing is written"):
        small_run(photos, photos / "run")


def test_what_is_no_run_or_damaged_is_told_in_a_sentence(tmp_path):
    with pytest.raises(Problem, match=r"is no run, since it has no run\.json"):
        runs.read(tmp_path)
    made = spread_run(tmp_path / "run")
    (tmp_path / "run" / "run.json").write_text(json.dumps(made.about | {"format": 2}))
    with pytest.raises(Problem, match="was made by newer helpers; install those"):
        runs.read(tmp_path / "run")
    for name, unknown in (
        ("smudge", {"changes": {"smudge": []}}),
        ("shash", {"hashes": ["shash"]}),
    ):
        (tmp_path / "run" / "run.json").write_text(json.dumps(made.about | unknown))
        with pytest.raises(Problem, match=f"has '{name}', which these helpers do not know"):
            runs.read(tmp_path / "run")
    (tmp_path / "run" / "run.json").write_text('{"format": 1')
    with pytest.raises(Problem, match="is damaged"):
        runs.read(tmp_path / "run")
    spread_run(tmp_path / "other", n=12)
    (tmp_path / "other" / "distances.csv").unlink()
    with pytest.raises(Problem, match=r"distances\.csv: cannot be read"):
        runs.read(tmp_path / "other")


@pytest.mark.parametrize(
    ("old", "new", "why"),
    [
        ("different", "diferent", "'diferent' is no verdict"),
        ("00000.jpg", "0.jpg", r"'0\.jpg' is no first"),
        ("verdict", "Verdict", "'verdict'"),
        (",3,", ",x,", "Unable to parse string 'x'"),
    ],
)
def test_a_judgement_that_was_edited_wrongly_is_told_and_not_left_out(old, new, why, tmp_path):
    row = ["00000.jpg", "00001.jpg", "different", "Ann", "dhash", 3, 1]
    file = spread_run(tmp_path / "run", n=12, judged=[row]).folder / "judged.csv"
    text = file.read_text()
    file.write_bytes("\ufeff{}".format(text.replace(",", ";").replace("\n", "\r\n")).encode())
    assert runs.read(tmp_path / "run").judged.iloc[0].tolist() == row
    file.write_text(text.replace(old, new))
    with pytest.raises(Problem, match=rf"judged\.csv: is damaged \({why}.*; correct it"):
        runs.read(tmp_path / "run")


@pytest.mark.parametrize(
    ("key", "wrong"),
    [
        *(("digest", 5), ("name", 5), ("seed", "x"), ("rates", []), ("rates", ["x"])),
        *(("changes", {}), ("changes", 5), ("pictures", 61), ("seconds", None), ("versions", 3)),
        *(("format", "one"), ("hashes", ["phash"]), ("side", "x"), ("machine", None)),
    ],
)
def test_a_run_json_that_lacks_something_or_does_not_fit_is_damaged(key, wrong, tmp_path):
    made = spread_run(tmp_path / "run", n=12)
    without = {name: made.about[name] for name in made.about if name != key}
    for about in (without | {key: wrong}, without):
        (made.folder / "run.json").write_text(json.dumps(about))
        with pytest.raises(Problem, match="is damaged"):
            runs.read(made.folder)


@pytest.mark.parametrize("text", ["", "[]", "null", "{}", "[" * 100_000])
def test_a_run_json_of_another_kind_is_damaged(text, tmp_path):
    (spread_run(tmp_path / "run", n=12).folder / "run.json").write_text(text)
    with pytest.raises(Problem, match="is damaged"):
        runs.read(tmp_path / "run")


@pytest.mark.parametrize(
    ("name", "old", "new"),
    [
        ("distances.csv", "00003.jpg,blur,sigma 1,3\n", ""),
        ("distances.csv", "sigma 1,3", "sigma 1,-3"),
        ("distances.csv", "sigma 1,3", "sigma 1,65"),
        ("pictures.csv", "00003.jpg", "00002.jpg"),
        ("pictures.csv", ",40,30,", ",x,30,"),
        ("pictures.csv", "0,1,,", "0,0,,"),
    ],
)
def test_tables_of_a_run_that_do_not_fit_are_damaged(name, old, new, tmp_path):
    file = spread_run(tmp_path / "run", n=12).folder / name
    text = file.read_text()
    assert old in text
    file.write_text(text.replace(old, new, 1))
    with pytest.raises(Problem, match="is damaged"):
        runs.read(tmp_path / "run")


@pytest.mark.parametrize("name", measuring.TABLES)
def test_a_table_that_lacks_a_column_or_a_hash_is_damaged(name, tmp_path):
    made = spread_run(tmp_path / "run", n=12)
    rates.write_tables(made)
    assert list(runs.table(made, name))[1:] == measuring.TABLES[name].split()
    file = made.folder / f"{name}.csv"
    lines = file.read_text().splitlines(keepends=True)
    if name == "pairs":
        file.write_text("".join(lines[:-1]))
        with pytest.raises(Problem, match="is damaged"):
            runs.table(made, name)
    for text in (lines[0], "".join(line.partition(",")[2] for line in lines)):
        file.write_text(text)
        if name == "near_pairs" and text == lines[0]:  # there may be none
            continue
        with pytest.raises(Problem, match=rf"{name}\.csv: is damaged"):
            runs.table(made, name)


def test_pictures_that_have_moved_are_asked_for(tmp_path):
    photos = folder_of_pictures(tmp_path / "photos", 2)
    made = small_run(photos, tmp_path / "run")
    moved = photos.rename(tmp_path / "moved")
    with pytest.raises(Problem, match=r"not in .*; name their folder with --pictures"):
        runs.pictures_of(made)
    assert runs.pictures_of(made, moved) == moved
    with pytest.raises(Problem, match="it is not known where its pictures lie"):
        runs.pictures_of(spread_run(tmp_path / "made up"))


def without_pyarrow(monkeypatch):
    find = runs.find_spec
    monkeypatch.setattr(runs, "find_spec", lambda name: None if name == "pyarrow" else find(name))


def test_distances_as_parquet_are_those_of_csv_and_need_pyarrow(tmp_path, monkeypatch):
    pytest.importorskip("pyarrow")
    photos = folder_of_pictures(tmp_path / "photos", 4)
    small_run(photos, tmp_path / "parquet")
    with monkeypatch.context() as patched:
        without_pyarrow(patched)
        small_run(photos, tmp_path / "csv")
        with pytest.raises(Problem, match="takes pyarrow to read"):
            runs.read(tmp_path / "parquet")
    files = [{file.name for file in (tmp_path / name).glob("dist*")} for name in ("csv", "parquet")]
    assert files == [{"distances.csv"}, {"distances.parquet"}]
    both = [runs.read(tmp_path / name).distances for name in ("csv", "parquet")]
    assert both[0].equals(both[1])
    (tmp_path / "parquet" / "distances.parquet").write_bytes(b"PAR1")
    with pytest.raises(Problem, match="is damaged"):
        runs.read(tmp_path / "parquet")


def test_the_carried_run_is_whole_and_names_only_pictures_that_were_judged():
    carried = runs.carried()
    assert carried.about["pictures"] == 8242
    assert len(carried.about["hashes"]) >= 10
    assert sum(map(len, carried.about["changes"].values())) == 82
    pairs = runs.table(carried, "pairs")
    rates, recall = runs.table(carried, "rates"), runs.table(carried, "recall")
    found = runs.table(carried, "by_radius")
    verdicts = carried.judged["verdict"].value_counts()
    assert verdicts["same"] > 90
    for hash in carried.about["hashes"]:
        near = pairs[pairs["hash"] == hash].set_index("distance")["pairs"]
        assert near.sum() == 8242 * 8241 / 2 - verdicts["same"]
        last = rates[rates["hash"] == hash].iloc[-1]
        half = near[near.index <= last["radius"]].sum() - last["pairs"]  # of the unsure ones
        assert 0 <= half <= verdicts["unsure"] / 2 or hash == "dhash"  # for it see below
        assert len(recall[recall["hash"] == hash]) == 82 * 3
        assert len(found[found["hash"] == hash]) == 82 * (last["radius"] + 1)
    assert set(recall["pictures"]) == set(found["pictures"]) == {400}
    for file in carried.folder.iterdir():
        opened = gzip.open if file.suffix == ".gz" else open
        with opened(file, "rt", encoding="utf-8") as text:
            assert ("image_0" in text.read()) == (file.name == "judged.csv")
    assert sum(file.stat().st_size for file in carried.folder.iterdir()) < 500_000
    assert "CC BY 4.0" in carried.about["credit"]


def carried_pairs():
    """Of each distance by dHash, from the carried fingerprints: all pairs. Then what was judged, with its bits."""
    table, _ = counting.numbers(datasets.Dataset("sample", Path(), [], ""))
    kept = table[~table["category"].isin(["BACKGROUND_Google", "Faces_easy"])]
    judged = runs.carried().judged
    words = kept.set_index("path")["fingerprint"]
    both = (words[judged[end]].to_numpy(np.uint64) for end in ("first", "second"))
    return hamming.count_pairs(kept["fingerprint"]), judged.assign(
        bits=np.bitwise_count(np.bitwise_xor(*both))
    )


def test_the_carried_pairs_are_those_of_the_carried_fingerprints_but_for_what_was_judged_the_same():
    counted, judged = carried_pairs()
    same = judged.loc[judged["verdict"] == "same", "bits"]
    pairs = runs.table(runs.carried(), "pairs").query("hash == 'dhash'").set_index("distance")
    expected = counted - np.bincount(same, minlength=65)
    assert expected.tolist() == pairs["pairs"].reindex(range(65), fill_value=0).tolist()


def test_the_carried_rates_are_the_judged_pairs_and_the_share_of_the_drawn_ones_among_the_others():
    counted, judged = carried_pairs()
    assert not judged.duplicated(["first", "second"]).any()
    judged["value"] = judged["verdict"].map({"same": 0, "unsure": 0.5, "different": 1})
    drawn, by_hand = judged[judged["hash"] == "dhash"], judged[judged["hash"] == ""]
    assert drawn["distance"].astype(int).tolist() == drawn["bits"].tolist()
    assert set(judged["hash"]) == {"", "dhash"}
    assert by_hand[["distance", "of"]].isna().all(axis=None)
    rates = runs.table(runs.carried(), "rates").query("hash == 'dhash'").set_index("radius")
    different = 0.0
    for bits, pairs in rates["pairs"].items():
        others = counted[bits] - (by_hand["bits"] == bits).sum()
        values = drawn.loc[drawn["bits"] == bits, "value"]
        assert (drawn.loc[drawn["bits"] == bits, "of"] == others).all()
        share = values.mean() if len(values) else 1
        different += by_hand.loc[by_hand["bits"] == bits, "value"].sum() + others * share
        assert abs(pairs - different) <= 0.5 + 1e-6
