"""Writes the tables of CALTECH-101 that the kit carries.

`python tests/carried.py` writes fingerprints, with the archive at hand. `python tests/carried.py RUN` packs the tables of a
run on all categories but BACKGROUND_Google and Faces_easy. The same archive and the same versions of the packages give the
same bytes.
"""

import json
import shutil
import sys
from pathlib import Path

import pandas as pd

import helpers
from helpers import archive, datasets
from helpers.experiments import counting, runs
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


def write_run(folder, run):
    """Pack the tables of a run, and what was judged; without what differs from machine to machine."""
    folder.mkdir(exist_ok=True)
    about = {key: run.about[key] for key in run.about if key not in ("date", "seconds", "machine")}
    about |= {
        "name": "caltech-101 without BACKGROUND_Google and Faces_easy",
        "credit": archive.CREDIT,
    }
    text = json.dumps(about, indent=1) + "\n"
    (folder / "run.json").write_text(text, encoding="utf-8", newline="\n")
    for name in ("rates", "recall", "by_radius", "pairs"):
        file, six_digits = (
            folder / f"{name}.csv.gz",
            {"float_format": "%.6g", "compression": PACKED},
        )
        runs.table(run, name).to_csv(file, index=False, lineterminator="\n", **six_digits)
    shutil.copyfile(run.folder / "judged.csv", folder / "judged.csv")


if __name__ == "__main__":
    tables = Path(helpers.__file__).with_name("tables")
    if len(sys.argv) > 1:
        write_run(tables / "caltech_101_run", runs.read(sys.argv[1]))
        sys.exit()
    write(tables, datasets.caltech_101())
