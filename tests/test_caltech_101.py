"""The real CALTECH-101, through the real set-up code. Skipped where `CALTECH_101_MIRROR` names no usable archive."""

import gzip
import json
import os
import shutil
from pathlib import Path

import carried
import imagehash
import joblib
import numpy as np
import pytest
from PIL import Image

import helpers
from helpers import Problem, datasets, hamming, shelf
from helpers.experiments import rates, runs
from helpers.fingerprints import catalogue, hashes
from helpers.truth import near_duplicates

pytestmark = pytest.mark.skipif(
    not os.environ.get("CALTECH_101_MIRROR"),
    reason="CALTECH_101_MIRROR is not set: the sample stands in",
)


@pytest.fixture(scope="module")
def caltech():
    """In the ordinary data folder, where the notebooks find it as well."""
    try:
        return datasets.caltech_101()
    except Problem as problem:
        pytest.skip(f"CALTECH-101 cannot be had: {problem}")


@pytest.fixture(scope="module")
def table(caltech):
    return catalogue.of_folder(caltech.root, caltech.images)


def hash_some(root, images):
    return [str(imagehash.dhash(Image.open(root / path))) for path in images]


def test_it_has_9144_images_in_102_categories(caltech):
    assert len(caltech.images) == 9144
    assert len({path.split("/")[0] for path in caltech.images}) == 102


def in_the_article(caltech):
    left_out = datasets.NOT_IN_THE_ARTICLE
    return [path for path in caltech.images if path.split("/")[0] not in left_out]


def test_the_article_used_7807_of_them(caltech):
    assert len(in_the_article(caltech)) == 7807


def test_all_fingerprints_equal_those_of_imagehash(caltech, table):
    parts = [caltech.images[start : start + 200] for start in range(0, len(caltech.images), 200)]
    hashed = joblib.Parallel(n_jobs=-1)(
        joblib.delayed(hash_some)(caltech.root, part) for part in parts
    )
    expected = [digits for part in hashed for digits in part]
    assert [hashes.to_hex(value) for value in table["fingerprint"]] == expected
    assert table["path"].tolist() == caltech.images
    assert (table["problem"] == "").all()


def test_pairs_at_each_distance_are_those_on_record(table):
    pairs = hamming.count_pairs(table["fingerprint"])
    assert pairs[:5].tolist() == [35, 28, 49, 48, 96]
    assert pairs.sum() == 41_801_796
    assert np.average(np.arange(65), weights=pairs) == pytest.approx(31.69, abs=0.005)


def test_the_articles_queries_find_what_they_found_when_copies_are_not_resized(caltech, tmp_path):
    images = in_the_article(caltech)
    needles = near_duplicates.article_needles(images)
    haystack, path = tmp_path / "haystack", tmp_path / "db.shelve"
    near_duplicates.gather(caltech.root, haystack, needles, images=images, resize=False)
    shelf.build(path, haystack)
    index = shelf.read(path)
    queries = needles.dropna().sort_values("query")["needle"]
    assert queries.tolist() == [
        "airplanes/image_0551.jpg",
        "chandelier/image_0082.jpg",
        "Motorbikes/image_0447.jpg",
    ]
    assert [len(index.find(haystack / query)) for query in queries] == [3, 4, 4]
    found = [len(index.find(haystack / needle)) for needle in needles["needle"]]
    assert found == (needles["copies"] + 1).tolist()


@pytest.mark.slow
def test_the_carried_tables_are_what_the_archive_gives(caltech, tmp_path):
    """Of the recipe only the versions may differ; how well gzip packs depends on the computer."""
    tables = Path(helpers.__file__).with_name("tables")
    carried.write(tmp_path, caltech)
    for name in ("fingerprints", "copies"):
        new, kept = (folder / f"caltech_101_{name}.csv.gz" for folder in (tmp_path, tables))
        assert gzip.decompress(new.read_bytes()) == gzip.decompress(kept.read_bytes())
    new, kept = (
        json.loads((folder / "caltech_101_recipe.json").read_text(encoding="utf-8"))
        for folder in (tmp_path, tables)
    )
    assert new | {"versions": None} == kept | {"versions": None}


@pytest.mark.slow
def test_a_part_of_the_carried_run_comes_out_the_same(caltech, tmp_path, monkeypatch):
    """All pictures and queries, one hash and two copies of each query: the same distances, rates and recalls."""
    monkeypatch.setenv("FINGERPRINTS_DATA", str(tmp_path / "data"))
    (tmp_path / "photos").mkdir()
    for category in caltech.root.iterdir():
        if category.is_dir() and category.name not in ("BACKGROUND_Google", "Faces_easy"):
            (tmp_path / "photos" / category.name).symlink_to(category)
    asked = {"hashes": ["dhash"], "changes": {"jpeg": ["quality 50"], "crop one side": ["5 %"]}}
    made, kept = runs.run(tmp_path / "photos", tmp_path / "run", **asked), runs.carried()
    assert made.about["digest"] == kept.about["digest"]
    shutil.copy(kept.folder / "judged.csv", made.folder)
    rates.write_tables(runs.read(made.folder))
    for name in ("pairs", "rates", "recall", "by_radius"):
        rows, known = runs.table(made, name), runs.table(kept, name)
        known = known[known["hash"] == "dhash"]
        if "change" in known:
            known = known[
                (known["change"] + known["strength"]).isin(rows["change"] + rows["strength"])
            ]
        about = ["hash", *{"change", "strength", "rate", "radius", "distance"} & set(rows)]
        both = rows.merge(known, on=about if name != "rates" else ["hash", "radius"])
        assert len(both) == len(rows) == len(known)
        exact = {"pairs", "found", "radius", "recall", "pictures"} & set(rows) - {*about}
        for column in exact:
            assert np.allclose(both[f"{column}_x"], both[f"{column}_y"], rtol=1e-5, atol=0), column
