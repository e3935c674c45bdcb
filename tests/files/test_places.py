"""Where the kit keeps what it makes."""

from helpers.explore import album
from helpers.files import places
from helpers.images.folders import find_images
from helpers.truth import near_duplicates


def test_what_is_made_with_another_seed_leaves_the_first_as_it_was(photographs, data_folder):
    def gathered(seed):
        plan = near_duplicates.random_needles(find_images(photographs), 2, seed=seed)
        haystack = places.made("haystack", photographs.name, seed=seed)
        near_duplicates.gather(photographs, haystack, plan, seed=seed, replace=True, workers=1)
        return {path: path.read_bytes() for path in haystack.rglob("*") if path.is_file()}

    first = gathered(1)
    assert gathered(2).keys().isdisjoint(first)
    assert first == {path: path.read_bytes() for path in first}
    assert {path.parent for path in data_folder.rglob("truth.csv")} == {
        places.made("haystack", "photographs", seed=seed) for seed in (1, 2)
    }


def test_a_page_knows_what_is_made_by_its_name(photograph, data_folder):
    folder = places.made("haystack", "sample", seed=7)
    folder.mkdir()
    photograph(1).save(folder / "a.png")
    assert album.index(folder, lambda sentence: None).where == folder.name
