"""Runs for tests: folders of small pictures, and run folders made up from fingerprints."""

import hashlib
import json
import shutil

import numpy as np
from PIL import Image, ImageFilter

from helpers.experiments import runs
from helpers.files.tables import as_csv
from helpers.fingerprints.hashes import HASHES

#: A small table of changes, and hashes that are quick.
CHANGES = {"jpeg": ["quality 50"], "mirror": ["left-right"], "blur": ["sigma 1"]}
HASH_NAMES = ("dhash", "phash")


def folder_of_pictures(folder, number, *, seed=0, size=(48, 40)):
    """Pictures with soft spots, each another: 00.png, 01.png, ..."""
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(seed)
    for row in range(number):
        spots = rng.integers(0, 256, (8, 9, 3), dtype=np.uint8)
        picture = Image.fromarray(spots).resize(size, Image.Resampling.BICUBIC)
        picture.filter(ImageFilter.GaussianBlur(1)).save(folder / f"{row:02}.png")
    return folder


def small_run(pictures, out, **options):
    """A run with few hashes and changes, in this process and without a word."""
    about = {"hashes": HASH_NAMES, "changes": CHANGES, "queries": 5, "workers": 1}
    return runs.run(pictures, out, **{**about, "show": lambda text: None, **options})


def copied_run(run, folder, **about):
    """The same run in another folder, with other facts in run.json."""
    shutil.copytree(run.folder, folder)
    facts = json.loads((folder / "run.json").read_text())
    (folder / "run.json").write_text(json.dumps({**facts, **about}))
    return folder


def write_run(
    folder, fingerprints, copies=None, *, queries=0, pixels=None, flat=(), judged=(), **about
):
    """A run folder made up from numbers; gives back what `runs.read` reads from it.

    fingerprints   hash -> the fingerprint of each picture, a whole number of Python
    copies         (change, strength) -> hash -> the distance of each query's copy, or None
    queries        the first so many pictures are queries
    pixels         a text for each picture: those with the same one have equal pixels
    flat           rows of pictures that are flat
    judged         rows of judged.csv
    """
    folder.mkdir(parents=True, exist_ok=True)
    hashes, copies = list(fingerprints), copies or {}
    n = len(fingerprints[hashes[0]])
    names = [f"{row:05}.jpg" for row in range(n)]
    pixels = [str(row) for row in range(n)] if pixels is None else pixels
    rows = []
    for row, name in enumerate(names):
        digest = [hashlib.sha256(text.encode()).hexdigest() for text in (name, pixels[row])]
        digits = [f"{int(fingerprints[one][row]):0{-(-HASHES[one].bits // 4)}x}" for one in hashes]
        rows.append([name, 40, 30, *digest, int(row in flat), int(row < queries), "", *digits])
    columns = ["path", "width", "height", "bytes", "pixels", "flat", "query", "problem", *hashes]
    (folder / "pictures.csv").write_bytes(as_csv(columns, rows, quote_texts=False).encode())
    table = [
        [names[row], *change, *(values[one][row] for one in hashes)]
        for row in range(queries)
        for change, values in copies.items()
    ]
    columns = ["path", "change", "strength", *hashes]
    (folder / "distances.csv").write_bytes(as_csv(columns, table, quote_texts=False).encode())
    if len(judged):
        columns = ["first", "second", "verdict", "judge", "hash", "distance", "of"]
        (folder / "judged.csv").write_bytes(as_csv(columns, judged, quote_texts=False).encode())
    changes = {}
    for change, strength in copies:
        changes.setdefault(change, []).append(strength)
    facts = {
        **{"format": 1, "digest": hashlib.sha256(repr(rows).encode()).hexdigest()},
        **{"pictures": n, "left_out": 0, "queries": queries, "name": "made-up", "seed": 2014},
        **{"hashes": hashes, "changes": changes, "asked": max(1, queries), "side": None},
        **{"quick": False, "rates": runs.RATES, "reading": {}, "rules": {}, "versions": {}},
        **{"found": n, "date": "2026-11-26T12:00:00+00:00", "seconds": 1.0, "machine": []},
        **about,
    }
    (folder / "run.json").write_text(json.dumps(facts, indent=1), encoding="utf-8")
    return runs.read(folder)


def spread_run(folder, n=60, queries=10, hash="dhash", seed=0, **about):
    """A made-up run of n random fingerprints, whose copies under `blur` lie 0, 1, 2, ... bits away."""
    rng = np.random.default_rng(seed)
    values = [int(value) for value in rng.integers(0, 2**64, n, dtype=np.uint64)]
    copies = {("blur", "sigma 1"): {hash: list(range(queries))}}
    return write_run(folder, {hash: values}, copies, queries=queries, **about)
