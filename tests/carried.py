"""Writes the tables of CALTECH-101's fingerprints that the kit carries: `python tests/carried.py`, with the archive at hand.

The same archive and the same versions of the packages give the same bytes.
"""

import json
from pathlib import Path

import pandas as pd

import helpers
from helpers import archive, datasets
from helpers.experiments import counting
from helpers.fingerprints import hashes

PACKED = {"method": "gzip", "compresslevel": 9, "mtime": 0}


def write(folder, dataset):
    copies = []
    for needles in ("article", "random"):
        table, truth, _ = counting.numbers_with_copies(dataset, needles)
        about = table.set_index("path").loc[truth["copy"], ["category", "fingerprint"]]
        copies.append(truth.assign(needles=needles, **about.reset_index(drop=True)))
    recipe = json.dumps({"credit": archive.CREDIT, **table.attrs["recipe"]}, indent=2) + "\n"
    (folder / "caltech_101_recipe.json").write_text(recipe, encoding="utf-8", newline="\n")
    table = table[~table["path"].isin(truth["copy"])].drop(columns="problem")
    for name, rows in (("fingerprints", table), ("copies", pd.concat(copies))):
        rows = rows.assign(fingerprint=rows["fingerprint"].map(hashes.to_hex))
        file = folder / f"caltech_101_{name}.csv.gz"
        rows.to_csv(file, index=False, lineterminator="\n", compression=PACKED)


if __name__ == "__main__":
    write(Path(helpers.__file__).with_name("tables"), datasets.caltech_101())
