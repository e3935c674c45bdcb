"""Recall and false matches, counted by hand on small cases."""

import gzip
import hashlib
import shutil
from importlib.resources import files

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from scipy.stats import norm

from helpers import Problem, datasets, hamming
from helpers.classroom import results
from helpers.experiments import counting, rates
from helpers.fingerprints import catalogue, recipe
from helpers.search import pairs, trees

#: SHA-256 of what is packed in each carried table.
CARRIED = {
    "caltech_101_fingerprints.csv.gz": "0b4b418df4d96c32d2e6d96e7c28872b45bb3a45ebe00392d4fac64864415e78",
    "caltech_101_copies.csv.gz": "1544651bf98381321901fa75987d90a99c2c7386c3ae0b5b548f90534796b75f",
}


def a_table(**fingerprints):
    return pd.DataFrame(
        {
            "path": list(fingerprints),
            "fingerprint": pd.array(list(fingerprints.values()), dtype="UInt64"),
        }
    )


def a_truth(*pairs):
    return pd.DataFrame(pairs, columns=["needle", "copy"])


def others(**at):
    """Counts of pairs of different pictures; `others(d3=5)`: five of them at 3 bits."""
    counts = np.zeros(65, dtype=int)
    for distance, number in at.items():
        counts[int(distance[1:])] = number
    return counts


def test_distances_of_copies_hold_all_64_bits():
    table = a_table(needle=2**64 - 1, near=2**64 - 2, far=0, other=5)
    distances = counting.copy_distances(a_truth(("needle", "far"), ("needle", "near")), table)
    assert distances.to_numpy().tolist() == [["needle", "far", 64], ["needle", "near", 1]]


def test_copies_and_needles_without_a_fingerprint_are_left_out():
    table = a_table(needle=1, copy=1, unread=None, other=3)
    truth = a_truth(
        ("needle", "unread"), ("unread", "copy"), ("needle", "gone"), ("needle", "copy")
    )
    assert counting.copy_distances(truth, table).to_numpy().tolist() == [["needle", "copy", 0]]


def test_no_copies_give_an_empty_table():
    distances = counting.copy_distances(a_truth(), a_table(needle=1))
    assert (len(distances), distances.columns.tolist()) == (0, ["needle", "copy", "distance"])


def test_a_radius_finds_what_lies_within_it_and_on_it():
    result = counting.by_radius([0, 0, 2, 5], others(d2=1, d3=6, d30=3), 101, radii=range(4))
    assert result["radius"].tolist() == [0, 1, 2, 3]
    assert result["found"].tolist() == [2, 2, 3, 3]
    assert result["recall"].tolist() == [0.5, 0.5, 0.75, 0.75]
    assert result["pairs"].tolist() == [0, 0, 1, 7]
    assert result["rate"].tolist() == [0, 0, 0.1, 0.7]
    assert result["false_per_query"].tolist() == [0, 0, 10, 70]


def test_asked_among_its_own_pictures_a_query_has_each_near_pair_at_both_ends():
    values = np.array([0, 1, 3, 2**64 - 1], dtype=np.uint64)
    others_near = [int((hamming.distances(v, values) <= 2).sum()) - 1 for v in values]
    row = counting.by_radius([0], hamming.count_pairs(values), len(values)).iloc[2]
    assert row["false_per_query"] == np.mean(others_near) == 1.5


def test_the_interval_is_wilsons():
    row = counting.by_radius([0] * 71 + [1] * 29, others(d9=1), 2, radii=range(1)).iloc[0]
    z, n, p = norm.ppf(0.975), 100, 0.71
    middle, half = (p + z * z / (2 * n)), z * np.sqrt(p * (1 - p) / n + z * z / (4 * n * n))
    assert row["low"] == pytest.approx((middle - half) / (1 + z * z / n))
    assert row["high"] == pytest.approx((middle + half) / (1 + z * z / n))


@pytest.mark.parametrize(("same", "pairs"), [([], others(d1=1)), ([1], others())])
def test_nothing_to_find_is_one_sentence(same, pairs):
    with pytest.raises(Problem, match="nothing to find; take at least one copy and two pictures"):
        counting.by_radius(same, pairs, pictures=2)


# The numbers of CALTECH-101 that the kit carries


@pytest.mark.parametrize("name", CARRIED)
def test_a_carried_table_is_as_it_was_written(name):
    packed = (files("helpers") / "tables" / name).read_bytes()
    assert hashlib.sha256(gzip.decompress(packed)).hexdigest() == CARRIED[name]
    assert len(packed) < 150_000


def test_the_sample_counts_on_caltech_101(sample):
    table, where = counting.numbers(sample)
    own = catalogue.of_folder(sample.root, sample.images[:2])
    assert where == "numbers from CALTECH-101 (9,144 pictures)"
    assert table.dtypes.to_dict() == own.dtypes.to_dict()
    assert (len(table), table["category"].nunique()) == (9144, 102)
    assert table["path"].tolist() == sorted(set(table["path"]))
    assert table.attrs.keys() == own.attrs.keys()
    assert "CC BY 4.0" in table.attrs["recipe"]["credit"]


def test_carried_fingerprints_may_be_compared_with_those_made_here(sample):
    table, _, _ = counting.numbers_with_copies(sample)
    made = recipe.from_dict(table.attrs["recipe"])
    assert recipe.why_not(made, recipe.here()) == ""
    assert "fast" in recipe.why_not(made, recipe.here(fast=True))


def test_other_datasets_count_on_their_own_pictures(photographs, sample, data_folder):
    dataset = datasets.own_folder(photographs)
    table, where = counting.numbers(dataset)
    pd.testing.assert_frame_equal(table, catalogue.of_folder(photographs))
    assert where == f"numbers from {dataset.name} (8 pictures)"
    both, truth, where_both = counting.numbers_with_copies(dataset)
    assert (len(truth), len(both), where_both) == (32, 40, where)
    _, carried, _ = counting.numbers_with_copies(sample)
    assert truth.dtypes.to_dict() == carried.dtypes.to_dict()
    assert both["path"].tolist() == sorted([*dataset.images, *truth["copy"]])
    assert (counting.copy_distances(truth, both)["distance"] <= 4).all()
    with pytest.raises(Problem, match="it is 'random' or 'article'"):
        counting.numbers_with_copies(dataset, "others")


@pytest.fixture(scope="module")
def kept():
    return results.kept().set_index("name")["value"]


def text(value):
    return f"{value:.3f}" if isinstance(value, float) else str(value)


def test_the_carried_index_gives_the_numbers_on_record(sample, kept):
    table, truth, _ = counting.numbers_with_copies(sample, "article")
    distances = counting.copy_distances(truth, table)["distance"]
    lists = table.groupby("fingerprint")["path"].agg(set)
    value = table.set_index("path")["fingerprint"]
    queries = [
        "airplanes/image_0551.jpg",
        "chandelier/image_0082.jpg",
        "Motorbikes/image_0447.jpg",
    ]
    needles = truth["needle"].unique()
    near = {n: set(value.index[hamming.distances(value[n], value) <= 2]) for n in needles}
    false = sum(len(near[n] - {n, *truth["copy"][truth["needle"] == n]}) for n in needles)
    categories = counting.numbers(sample)[0]["category"]
    measured = {
        "images": len(categories),
        "categories": categories.nunique(),
        "largest_category": categories.value_counts().max(),
        "smallest_category": categories.value_counts().min(),
        "article_images": (~categories.isin(datasets.NOT_IN_THE_ARTICLE)).sum(),
        "haystack_images": len(table),
        "haystack_fingerprints": len(lists),
        "found_by_three_queries": " ".join(str(len(lists[value[query]])) for query in queries),
        "equality_found": f"{(distances == 0).sum()} of {len(truth)}",
        "radius_2_found": f"{(distances <= 2).sum()} of {len(truth)}",
        "radius_2_false": false,
        "own_lists": sum(len(one) > 1 and not one & set(truth["copy"]) for one in lists),
    }
    assert {name: text(number) for name, number in measured.items()} == kept[[*measured]].to_dict()


def test_the_carried_copies_give_the_numbers_on_record(sample, kept):
    table, truth, _ = counting.numbers_with_copies(sample)
    originals, _ = counting.numbers(sample)
    same = counting.copy_distances(truth, table)["distance"].to_numpy()
    counts, bits = hamming.count_pairs(originals["fingerprint"]), np.arange(hamming.BITS + 1)
    at = counting.by_radius(same, counts, pictures=len(originals))
    high = rates.of_fingerprints(originals["fingerprint"])["high"] * (len(originals) - 1)
    chosen = int((high <= 0.1).sum()) - 1
    mean = float(np.average(bits, weights=counts))
    deviation = float(np.sqrt(np.average((bits - mean) ** 2, weights=counts)))
    measured = {
        "copies_measured": len(same),
        **{f"share_within_{radius}": float(at["recall"][radius]) for radius in (1, 2)},
        "share_equal": float(at["recall"][0]),
        **{
            f"false_per_query_{radius}": f"{at['false_per_query'][radius]:.4f}"
            for radius in (0, 2, 5, 10)
        },
        **{f"false_high_{radius}": f"{high[radius]:.4f}" for radius in (4, 5)},
        "chosen_radius": chosen,
        "chosen_recall_low": float(at["low"][chosen]),
        "pairs": int(counts.sum()),
        **{f"pairs_{distance}": int(counts[distance]) for distance in (0, 1, 2)},
        **{f"pairs_within_{radius}": int(counts[: radius + 1].sum()) for radius in (2, 5, 10)},
        "mean_distance": mean,
        "deviation": deviation,
        "free_bits": round(1 / (2 * deviation / hamming.BITS) ** 2),
    }
    assert {name: text(number) for name, number in measured.items()} == kept[[*measured]].to_dict()


def test_the_carried_fingerprints_give_groups_crops_and_prices_on_record(sample, kept):
    table, _ = counting.numbers(sample)
    values, paths = table["fingerprint"].to_numpy(dtype=np.uint64), table["path"]
    near = pairs.all_pairs(values, radius=10)
    at_2, at_10 = (pairs.groups(near[near["distance"] <= radius]) for radius in (2, 10))
    parts = [path for path in paths if path.startswith("Faces_easy/")]
    known = dict(zip(paths, values, strict=True))
    crops = np.array(
        [hamming.distance(known[path], known[path.replace("_easy", "")]) for path in parts]
    )
    drawn = [
        known[path] for path in np.random.default_rng(2014).permutation(paths.tolist())[:1_000]
    ]
    nearest = {
        size: np.array(
            [hamming.distances(one, np.array(drawn[:size])).min() for one in drawn[500:]]
        )
        for size in (50, 500)
    }
    measured = {
        "groups_2": len(at_2),
        "largest_group_2": len(at_2[0]),
        "largest_group_10": len(at_10[0]),
        "diameter_10": max(pairs.diameter(values[group]) for group in at_10),
        "crops": len(parts),
        "crops_within_10": int((crops <= 10).sum()),
        **{f"price_{r}": float((nearest[500] <= r).mean()) for r in (2, 8, 16)},
        **{f"price_{r}_of_50": float((nearest[50] <= r).mean()) for r in (2, 8, 16)},
    }
    assert {name: text(number) for name, number in measured.items()} == kept[[*measured]].to_dict()


def test_the_carried_fingerprints_cost_the_trees_what_is_on_record(sample, kept):
    values = counting.numbers(sample)[0]["fingerprint"].to_numpy(dtype=np.uint64)

    def many(n, seed):
        rng = np.random.default_rng(seed)
        a, b, c = (rng.integers(0, 2**64, n, dtype=np.uint64) for _ in range(3))
        return values[rng.integers(0, len(values), n)] ^ (a & b & c)

    stock, queries = many(10_000, 2014), many(20, 1)
    vp_tree, kd_tree = trees.VPTree(stock), trees.KDTree(stock)
    measured = {}
    for radius in (2, 5):
        for name, tree, some in (("vp", vp_tree, queries), ("kd", kd_tree, queries[:8])):
            costs = [tree.cost(query, radius).distances for query in some]
            measured[f"{name}_share_{radius}"] = float(np.mean(costs)) / len(stock)
    assert {name: text(number) for name, number in measured.items()} == kept[[*measured]].to_dict()


def test_distances_of_fewer_than_three_pictures_are_refused_in_a_sentence(data_folder, photograph):
    folder = data_folder.parent / "few"
    folder.mkdir()
    for number in range(3):
        photograph(number).save(folder / f"{number}.png")
        dataset = datasets.own_folder(folder)
        if number < 2:
            with pytest.raises(
                Problem, match=r"has [12] pictures? that can be read; .* at least 3"
            ):
                counting.numbers_with_copies(dataset)
    assert len(counting.numbers_with_copies(dataset)[1]) == 12


def test_equal_and_flat_pictures_are_no_different_ones(photographs, tmp_path):
    shutil.copy(photographs / "cats/image_0000.jpg", photographs / "again.jpg")
    Image.new("RGB", (90, 80), "navy").save(photographs / "flat.png")
    dataset = datasets.load(photographs, show=lambda _: None)
    counting.check_different(dataset, at_least=8)
    with pytest.raises(datasets.TooFew, match=r"has 8 different pictures, flat .* needs 9;"):
        counting.check_different(dataset, at_least=9)
