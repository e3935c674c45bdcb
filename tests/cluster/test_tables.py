"""A table made by many workers has the ids and bits of one machine, or is refused with a sentence."""

import hashlib
import io
import json
import os
import shutil
import tarfile
from dataclasses import replace
from itertools import count

import kills
import numpy as np
import pandas as pd
import pytest
from inputs import HEIC, NO_DASK, POSIX, png

pytest.importorskip("distributed", reason=NO_DASK)

import dask.dataframe
import distributed
import fsspec
import pyarrow.dataset

from helpers import Problem
from helpers.cluster import sources, tables
from helpers.files.atomic import unique_partial, write_bytes
from helpers.fingerprints import catalogue, recipe

TRIPLE = ["a", "b", "distance"]


@pytest.fixture(scope="module")
def client():
    """Workers as threads of this process: what is tested here is what they make."""
    about = {"processes": False, "n_workers": 2, "threads_per_worker": 1}
    with distributed.Client(dashboard_address=":0", **about) as client:
        yield client


@pytest.fixture
def index(client):
    return lambda *arguments, **about: tables.index(
        *arguments, client=client, show=lambda sentence: None, **about
    )


@pytest.fixture
def mess(tmp_path, photograph):
    """A folder in which there is everything: broken, huge, odd names, files of other kinds."""
    folder = tmp_path / "mess"
    for number, name in enumerate(
        ["b.jpg", "a/x.PNG", "a.b/c.jpg", "Заря/猫 🐈.jpg", "%41+b#c.png"]
    ):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        photograph(number).save(folder / name)
    (folder / "a" / "text.jpg").write_text("text")
    (folder / "a" / "empty.png").touch()
    (folder / "phone.heic").write_bytes(HEIC)
    (folder / "huge.png").write_bytes(png(100_000, 100_000))
    (folder / "half.jpg").write_bytes((folder / "b.jpg").read_bytes()[:900])
    for other in ("notes.txt", ".hidden.jpg", ".cache/x.jpg", "lost+found/x.jpg"):
        (folder / other).parent.mkdir(exist_ok=True)
        photograph(9).save(folder / other, "JPEG")
    return folder


def rows_of(table):
    frame = table.frame(["id", "path", "fingerprint"]).compute()
    return frame.to_dict("list")


def problems_of(table):
    content = fsspec.filesystem("file").cat_file(f"{table.address}/_problems")
    return pd.read_parquet(io.BytesIO(content)).values.tolist()


def here(folder):
    """What one machine makes of a folder: rows, and problems."""
    one = catalogue.of_folder(folder, workers=1)
    good = one[one["problem"] == ""]
    rows = {"id": good.index.tolist(), **good[["path", "fingerprint"]].to_dict("list")}
    bad = one[one["problem"] != ""]
    return rows, bad.reset_index()[["index", "path", "problem"]].values.tolist()


def files_of(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


# The same bits and ids as on one machine


@pytest.mark.slow
def test_the_sample_has_the_ids_and_bits_of_one_machine(sample, index, tmp_path):
    table = index(sample.root, tmp_path / "table", rows=30)
    assert rows_of(table) == here(sample.root)[0]
    assert [part.rows for part in table.parts] == [30, 30, 30, 11]
    assert table.rows == 101
    assert table.recipe.as_dict() == catalogue.of_folder(sample.root).attrs["recipe"]
    assert tables.Table.open(tmp_path / "table") == table


@pytest.mark.parametrize("hash", ["phash", "colorhash"])
def test_other_hashes_have_their_own_bits(photographs, index, tmp_path, hash):
    table = index(photographs, tmp_path / "table", hash=hash)
    expected = catalogue.of_folder(photographs, hash=hash)["fingerprint"].tolist()
    assert rows_of(table)["fingerprint"] == expected


def test_ids_count_unreadable_files_too_which_are_named(mess, index, tmp_path):
    table = index(mess, tmp_path / "table", rows=3)
    assert (rows_of(table), problems_of(table)) == here(mess)
    assert len(problems_of(table)) == 5


@POSIX
def test_a_name_that_is_no_text_and_a_link_to_nowhere_are_problems(mess, index, tmp_path):
    (mess / "b.jpg").rename(mess / os.fsdecode(b"caf\xe9.jpg"))
    (mess / "link.jpg").symlink_to("nowhere")
    table = index(mess, tmp_path / "table")
    assert (rows_of(table), problems_of(table)) == here(mess)


@pytest.mark.parametrize("store", ["memory", "zip"])
def test_pictures_in_a_store_have_the_ids_and_bits_of_a_folder(mess, index, tmp_path, store):
    address = "memory://store/mess"
    if store == "zip":
        address = f"zip://::{shutil.make_archive(tmp_path / 'mess', 'zip', mess)}"
    else:
        fsspec.filesystem("memory").put(str(mess), "/store/", recursive=True)
    table = index(address, tmp_path / "table", rows=3)
    assert (rows_of(table), problems_of(table)) == here(mess)


def test_a_table_may_lie_in_a_store(photographs, index, tmp_path):
    away, near = index(photographs, "memory://tables/one"), index(photographs, tmp_path / "near")
    assert rows_of(away) == rows_of(near)
    assert away.parts == near.parts
    with fsspec.open(f"memory://tables/one/{away.parts[0].name}", "wb") as file:
        file.write(b"half")
    assert index(photographs, "memory://tables/one") == away


def test_no_worker_starts_workers_of_its_own(photographs, index, tmp_path, monkeypatch):
    monkeypatch.setattr(catalogue, "share_out", None)
    assert index(photographs, tmp_path / "table").rows == 8


def test_a_worker_with_other_packages_makes_no_fingerprints(
    photographs, index, tmp_path, monkeypatch
):
    versions = {"imagehash": "4.3.2", "pillow": "9.5"}
    here = recipe.here()
    answers = iter([replace(here, versions=versions), here])
    monkeypatch.setattr(recipe, "here", lambda *hash, **reading: next(answers))
    with pytest.raises(Problem, match=r"a worker has other packages: .* pillow 9, and here is"):
        index(photographs, tmp_path / "table")


def test_a_worker_that_does_not_see_the_pictures_is_told(photographs, index, tmp_path, monkeypatch):
    monkeypatch.setattr(sources, "find_images", lambda folder: ["elsewhere.jpg"])
    with pytest.raises(Problem, match="a worker sees no such files there"):
        index(photographs, tmp_path / "table")


# Shards


def packed(folder, paths, file):
    with tarfile.open(file, "w") as archive:
        for path in paths:
            archive.add(folder / path, path)


@pytest.mark.parametrize("kind", ["tar", "parquet"])
def test_pictures_in_shards_have_the_bits_of_their_files(mess, index, tmp_path, kind):
    rows, problems = here(mess)
    paths = sorted([*rows["path"], *(row[1] for row in problems)], reverse=True)
    shards = tmp_path / "shards"
    shards.mkdir()
    for number, some in enumerate([paths[5:], paths[:5]]):  # in each the last path comes first
        file = shards / f"{number}.{kind}"
        if kind == "tar":
            packed(mess, some, file)
        else:
            contents = [(mess / path).read_bytes() for path in some]
            pd.DataFrame({"path": some, "bytes": contents}).to_parquet(file, row_group_size=2)
    table = index(shards, tmp_path / "table")
    found = rows_of(table)
    assert found["id"] == rows["id"]
    assert found["fingerprint"] == rows["fingerprint"]
    shard_of = {
        path: f"{int(number >= 5)}.{kind}/{path}" for number, path in enumerate(sorted(paths))
    }
    assert found["path"] == [shard_of[path] for path in rows["path"]]
    assert [row[0] for row in problems_of(table)] == [row[0] for row in problems]


def test_other_files_of_a_tar_are_passed_over(photographs, index, tmp_path):
    (photographs / "notes.txt").write_text("cats")
    with tarfile.open(tmp_path / "one.tar", "w") as archive:
        archive.add(photographs, ".")
    table = index(tmp_path / "one.tar", tmp_path / "table")
    assert rows_of(table)["fingerprint"] == here(photographs)[0]["fingerprint"]


@pytest.mark.parametrize("kind", ["tar", "parquet"])
def test_a_shard_that_is_cut_off_is_named(photographs, index, tmp_path, kind):
    packed(photographs, ["cats", "dogs"], tmp_path / "one.tar")
    whole = (tmp_path / "one.tar").read_bytes()
    (tmp_path / f"half.{kind}").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(Problem, match=rf"half\.{kind}: could not be read \(.*; copy it from"):
        index(tmp_path / f"half.{kind}", tmp_path / "table")


# Fingerprints that are there


def values(n, seed=0, step=3):
    numbers = np.random.default_rng(seed).integers(0, 2**64, n, dtype=np.uint64)
    return pd.DataFrame({"id": np.arange(n) * step, "fingerprint": numbers})


def test_fingerprints_of_parquet_files_keep_their_ids(index, tmp_path):
    expected, source = values(1000), tmp_path / "values"
    source.mkdir()
    expected[:600].to_parquet(source / "part.2.parquet", row_group_size=70)
    expected[600:].to_parquet(source / "part.10.parquet", row_group_size=70)
    table = index(source, tmp_path / "table", rows=100)
    assert table.frame().compute().reset_index(drop=True).equals(expected)
    assert max(part.rows for part in table.parts) < 150


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (lambda rows: rows[::-1], "v.parquet: its ids .* in order, each once"),
        (lambda rows: rows.assign(id=rows["id"] // 2), "ids .* in order, each once"),
        (lambda rows: rows.astype({"id": "Int64"}).replace({"id": {3: None}}), "ids .* in order"),
        (lambda rows: rows.astype({"fingerprint": "UInt64"}).replace(7, None), "a fingerprint"),
        (lambda rows: rows.astype({"id": float}), r"but has id \(double\), .*; write its"),
        (lambda rows: rows.astype({"id": "uint64"}), r"but has id \(uint64\), .*; write its"),
        (lambda rows: rows.astype({"fingerprint": float}), r"fingerprint \(double\); write its"),
        (lambda rows: rows.astype({"fingerprint": str}), r"fingerprint \((large_)?string\)"),
        (lambda rows: rows.drop(columns="id"), r"but has fingerprint \(uint64\); write its"),
        (lambda rows: pd.concat([rows, rows]), "ids .* in order, each once; sort"),
    ],
    ids=[
        *("reversed", "twice", "no id there", "no value there", "float id", "large id"),
        *("float", "text", "no id", "two files"),
    ],
)
def test_fingerprints_that_are_no_table_are_refused(index, tmp_path, change, sentence):
    rows = values(100, step=1)
    rows.loc[60, "fingerprint"] = 7
    change(rows).to_parquet(tmp_path / "v.parquet", row_group_size=50, index=False)
    with pytest.raises(Problem, match=sentence):
        index(tmp_path / "v.parquet", tmp_path / "table", rows=50)


# Going on


def test_a_second_run_makes_nothing_anew(photographs, index, tmp_path):
    table = index(photographs, tmp_path / "table", rows=3)
    (tmp_path / "table" / "_table.json").unlink()
    before = {path: path.stat().st_ino for path in (tmp_path / "table").glob("part*")}
    assert index(photographs, tmp_path / "table", rows=3) == table
    assert {path: path.stat().st_ino for path in (tmp_path / "table").glob("part*")} == before


def test_lost_and_damaged_parts_are_made_anew_with_the_same_bytes(mess, index, tmp_path):
    index(mess, tmp_path / "table", rows=4)
    whole = files_of(tmp_path / "table")
    (tmp_path / "table" / "part-00000.parquet").unlink()
    for place in range(4, len(whole["part-00001.parquet"]), 997):
        damaged = bytearray(whole["part-00001.parquet"])
        damaged[place] ^= 16
        (tmp_path / "table" / "part-00001.parquet").write_bytes(damaged)
        try:
            index(mess, tmp_path / "table", rows=4)
        except Problem as problem:  # its recipe was hit
            assert "holds another table" in str(problem)
        else:
            assert files_of(tmp_path / "table") == whole


def test_parts_of_another_size_are_made_anew(photographs, index, tmp_path):
    index(photographs, tmp_path / "table", rows=3)
    with pytest.raises(Problem, match="holds another table"):
        index(photographs, tmp_path / "table", rows=4)


def test_another_folder_or_hash_is_refused_and_nothing_changed(photographs, index, tmp_path):
    index(photographs, tmp_path / "table")
    whole = files_of(tmp_path / "table")
    with pytest.raises(Problem, match="holds another table, of other rows or another recipe"):
        index(photographs, tmp_path / "table", hash="phash")
    (photographs / "cats" / "image_0000.jpg").write_bytes(b"changed")
    with pytest.raises(Problem, match="holds another table"):
        index(photographs, tmp_path / "table")
    assert files_of(tmp_path / "table") == whole


@pytest.mark.parametrize(
    ("source", "hash", "sentence"),
    [
        ("no/such", "dhash", "holds neither pictures nor shards; check the address"),
        ("memory://no/such", "dhash", "holds neither pictures nor shards; check the address"),
        ("photographs", "dhash-256", "a table takes a hash of up to 64 bits"),
    ],
)
def test_what_cannot_be_a_table_is_a_sentence(photographs, index, tmp_path, source, hash, sentence):
    source = source if "://" in source else tmp_path / source
    with pytest.raises(Problem, match=sentence):
        index(source, tmp_path / "table", hash=hash)


def test_a_folder_of_something_else_is_no_place_for_a_table(photographs, index):
    before = sorted(photographs.rglob("*"))
    with pytest.raises(Problem, match=r"holds cats, which is no table's; name another folder"):
        index(photographs / "cats", photographs)
    assert sorted(photographs.rglob("*")) == before


def test_a_shard_that_has_changed_makes_another_table(index, tmp_path):
    values(9).to_parquet(tmp_path / "v.parquet")
    index(tmp_path / "v.parquet", tmp_path / "table")
    size = (tmp_path / "v.parquet").stat().st_size
    values(9, seed=1).to_parquet(tmp_path / "v.parquet")
    assert (tmp_path / "v.parquet").stat().st_size == size
    with pytest.raises(Problem, match="holds another table"):
        index(tmp_path / "v.parquet", tmp_path / "table")


def test_pictures_and_fingerprints_in_one_folder_are_told_apart(photographs, index, tmp_path):
    (tmp_path / "both").mkdir()
    packed(photographs, ["cats"], tmp_path / "both" / "one.tar")
    values(9).to_parquet(tmp_path / "both" / "v.parquet")
    with pytest.raises(Problem, match="both: holds both pictures and fingerprints; part them"):
        index(tmp_path / "both", tmp_path / "table")


def index_until(part, *places):
    """Make a table, and die just before a part is written. For a process of its own."""
    numbers = count(1)

    def write(path, content):
        if next(numbers) == part:
            os._exit(kills.DIED)
        write_bytes(path, content)

    tables.write_bytes = write
    with distributed.Client(processes=False, n_workers=2, dashboard_address=":0") as client:
        tables.index(*places, rows=2, client=client)


@pytest.mark.slow
def test_a_table_whose_client_was_killed_has_the_bytes_of_one_that_was_not(mess, index, tmp_path):
    index(mess, tmp_path / "whole", rows=2)
    assert kills.exit_code(index_until, 3, mess, tmp_path / "table") == kills.DIED
    assert 0 < len(list((tmp_path / "table").glob("part*"))) < 5
    assert not (tmp_path / "table" / "_table.json").exists()
    unique_partial(tmp_path / "table" / "part-00004.parquet").write_bytes(b"half")
    index(mess, tmp_path / "table", rows=2)
    assert files_of(tmp_path / "table") == files_of(tmp_path / "whole")


# Reading


def test_a_part_that_is_lost_or_changed_is_refused_and_read_once_it_is_back(
    photographs, index, client, tmp_path
):
    table = index(photographs, tmp_path / "table", rows=3)
    part = tmp_path / "table" / "part-00001.parquet"
    whole, kept = part.read_bytes(), []  # as long as a future is kept, so is its result or error
    for content, what in ((whole[:-1] + b"x", "is not as it was written"), (None, "is not there")):
        part.unlink() if content is None else part.write_bytes(content)
        kept.append(client.compute(table.frame()))
        with pytest.raises(Problem, match=rf"part-00001\.parquet: {what}; run again"):
            kept[-1].result()
    part.write_bytes(whole)
    assert len(client.compute(table.frame()).result()) == 8


@pytest.mark.parametrize("column", ["path", "bytes"])
def test_pictures_without_a_path_or_with_other_bytes_are_refused(index, tmp_path, column):
    rows = pd.DataFrame({"path": ["a.jpg", "b.jpg"], "bytes": [b"1", b"2"]})
    other = {"path": ["a.jpg", None], "bytes": ["1", "2"]}[column]
    rows.assign(**{column: other}).to_parquet(tmp_path / "v.parquet")
    what = {"path": "a path is missing", "bytes": r"but has path .*string\), bytes .*string\)"}
    with pytest.raises(Problem, match=rf"v\.parquet: .*{what[column]}"):
        index(tmp_path / "v.parquet", tmp_path / "table")


def changed(about, **parts):
    about = {**about, **parts}
    about.pop("sha256")
    return {**about, "sha256": hashlib.sha256(tables._as_json(about)).hexdigest()}


def test_a_last_file_that_was_changed_is_refused(photographs, index, tmp_path):
    table = index(photographs, tmp_path / "table", rows=3)
    file = tmp_path / "table" / "_table.json"
    whole = json.loads(file.read_text())
    file.write_bytes(file.read_bytes().replace(b"\n", b"\r\n"))  # as some editors do
    assert tables.Table.open(tmp_path / "table") == table
    name, rows, digest = whole["parts"][0]
    for about in (
        {**whole, "rows": 9},
        {**whole, "recipe": {**whole["recipe"], "hash": "phash"}},
        changed(whole, rows=9),  # by who knows how to sign it
        changed(whole, parts=[], rows=0),
        changed(whole, parts=[["../thesis.parquet", rows, digest], *whole["parts"][1:]]),
        changed(whole, parts=[[str(tmp_path / name), rows, digest], *whole["parts"][1:]]),
    ):
        file.write_text(json.dumps(about, indent=1))
        with pytest.raises(Problem, match="table: holds no whole table or result"):
            tables.Table.open(tmp_path / "table")


@pytest.mark.parametrize("address", ["nosuch://bucket/x", "dask-no-such-package://x"])
def test_a_store_that_cannot_be_reached_is_a_sentence(photographs, index, tmp_path, address):
    for places in ((address, tmp_path / "table"), (photographs, address)):
        with pytest.raises(Problem, match=f"^{address}: could not be reached .*; see that"):
            index(*places)


@pytest.mark.parametrize("text", [None, "", "{", "[" * 9999, "[]", '{"parts": 1}', '{"parts": []}'])
def test_what_is_no_table_is_a_sentence(tmp_path, text):
    if text is not None:
        (tmp_path / "_table.json").write_text(text)
    with pytest.raises(Problem, match="holds no whole table or result"):
        tables.Table.open(tmp_path)


def test_an_empty_table_and_one_without_a_good_picture_can_be_read(index, tmp_path):
    (tmp_path / "bad").mkdir()
    (tmp_path / "bad" / "empty.jpg").touch()
    table = index(tmp_path / "bad", tmp_path / "table")
    assert table.rows == 0
    assert table.frame().compute().dtypes.to_dict() == {"id": np.int64, "fingerprint": np.uint64}


# Results


def triples(n, seed=0):
    rng = np.random.default_rng(seed)
    return pd.DataFrame(rng.integers(0, [50, 2**40, 5], (n, 3)), columns=TRIPLE)


def given(*rows):
    """What a task gives of a result: columns of some rows, then of others."""
    return (lambda: [each.to_numpy().T for each in rows],)


def digest_of(rows):
    ordered = sorted(map(tuple, rows.to_numpy().tolist()))
    return hashlib.sha256(np.array(ordered, dtype="<i8").tobytes()).hexdigest()


@pytest.mark.parametrize("at_a_time", [10**6, 60])
def test_the_digest_is_that_of_the_sorted_rows(client, tmp_path, monkeypatch, at_a_time):
    monkeypatch.setattr(tables, "_SORTED_AT_A_TIME", at_a_time)  # else it would take millions
    rows = triples(700)
    parts = [given(rows[:300], rows[300:400]), given(rows[:0]), given(rows[400:])]
    made = tables.write_result([parts], tmp_path / "result", TRIPLE, client)
    assert made.digest == digest_of(rows) == tables.digest(made)
    assert [part.rows for part in made.parts] == [400, 300]
    assert tables.Table.open(tmp_path / "result") == made
    assert made.frame().compute().reset_index(drop=True).equals(rows)


def test_an_empty_result_has_the_digest_of_nothing(client, tmp_path):
    made = tables.write_result([[given(triples(0))]], tmp_path / "result", TRIPLE, client)
    assert (made.rows, made.digest) == (0, hashlib.sha256().hexdigest())
    assert made.frame().compute().columns.tolist() == TRIPLE


def test_a_result_replaces_an_older_one_and_nothing_else(client, tmp_path):
    older = [given(triples(9, seed)) for seed in range(3)]
    tables.write_result([older], tmp_path / "result", TRIPLE, client)
    made = tables.write_result([older[:1]], tmp_path / "result", TRIPLE, client)
    assert set(files_of(tmp_path / "result")) == {"part-00000-000.parquet", "_result.json"}
    (tmp_path / "result" / "thesis.txt").write_text("years of work")
    with pytest.raises(Problem, match=r"holds thesis\.txt, which is no result's"):
        tables.write_result([older], tmp_path / "result", TRIPLE, client)
    assert tables.digest(made) == made.digest


def test_a_part_that_another_command_wrote_meanwhile_is_told(client, index, photographs, tmp_path):
    table = index(photographs, tmp_path / "table", rows=3)
    other = tmp_path / "table" / "part-00003.parquet"
    shutil.copy(other.with_name("part-00000.parquet"), other)
    with pytest.raises(Problem, match=r"part-00003\.parquet: is of another one; delete it, and"):
        index(photographs, tmp_path / "table", rows=3)

    def late():
        shutil.copy(other, tmp_path / "result" / "part-00009-000.parquet")
        return [triples(5).to_numpy().T]

    (tmp_path / "result").mkdir()
    with pytest.raises(Problem, match=r"part-00009-000\.parquet: is of another one; delete it"):
        tables.write_result([[(late,)]], tmp_path / "result", TRIPLE, client)
    assert not (tmp_path / "result" / "_result.json").exists()
    other.unlink()
    assert index(photographs, tmp_path / "table", rows=3) == table


# What other readers of Parquet see in a folder

READERS = {
    "pandas": pd.read_parquet,
    "Dask": lambda folder: dask.dataframe.read_parquet(folder).compute(),
    "pyarrow": lambda folder: pyarrow.dataset.dataset(folder).to_table().to_pandas(),
}


@pytest.mark.parametrize("read", READERS.values(), ids=READERS)
def test_any_reader_of_parquet_reads_the_folder_of_a_table(mess, index, tmp_path, read):
    table = index(mess, tmp_path / "table", rows=3)
    found = read(tmp_path / "table")
    assert len(table.parts) > 1
    assert len(problems_of(table)) > 1, "they are passed over"
    assert found.to_dict("list") == here(mess)[0]
    assert found["fingerprint"].dtype == np.uint64


@pytest.mark.parametrize("read", READERS.values(), ids=READERS)
@pytest.mark.parametrize("sizes", [(0,), (5,), (5, 0, 9)])
def test_any_reader_of_parquet_reads_the_folder_of_a_result(client, tmp_path, read, sizes):
    rows = [triples(size, seed) for seed, size in enumerate(sizes)]
    tables.write_result([map(given, rows)], tmp_path / "result", TRIPLE, client)
    found = read(tmp_path / "result").reset_index(drop=True)
    assert found.equals(pd.concat(rows, ignore_index=True))
    assert found.dtypes.to_dict() == dict.fromkeys(TRIPLE, np.int64)
