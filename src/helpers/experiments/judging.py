"""Near pairs of a run, drawn by distance for a person to judge, and the judgements that come back.

Which pairs are the same picture after all? A program cannot know, so people look at some of the
near pairs. Pairs of equal pixels are judged by themselves, and flat pictures stand apart: nobody is
asked about those. What was judged stays in the run's folder, in ``judged.csv``.

A pair that was found in another way may be added to ``judged.csv`` with ``hash``, ``distance`` and
``of`` left empty. It counts as it was judged, by every hash; it says nothing about other pairs.
"""

from __future__ import annotations

import os
from dataclasses import replace
from itertools import combinations
from pathlib import Path

import numpy as np
import pandas as pd

from helpers import Problem, decisions
from helpers.experiments import rates, runs
from helpers.experiments.runs import Run
from helpers.files.atomic import exclusive
from helpers.files.places import sha256_of
from helpers.files.tables import as_csv

#: What a person can say of a pair: the letter of the key, and the verdict.
CHOICES = {"s": "same", "d": "different", "u": "unsure"}
_ABOUT = (
    "Same: also if one is a changed copy of the other, smaller, cropped, turned or with a text.",
    "Different: also if two photographs show one scene, or two letters stand on one form.",
)


def draw(run: Run, hash: str | None = None, pairs: int = 200, most: int = 30) -> pd.DataFrame:
    """Near pairs of a run, as evenly from all distances as there are such, drawn by its seed.

    Parameters
    ----------
    run : Run
        From `helpers.experiments.runs.read`.
    hash : str, optional
        By which hash they are near; dhash, or the run's first one, if left out.
    pairs : int
        How many pairs, at most.
    most : int
        How many pairs of one distance, at most.

    Returns
    -------
    DataFrame
        A row a pair, in an order that does not tell the distance: ``hash``, ``first``, ``second``
        (paths), ``distance`` (bits), ``of`` (how many near pairs lie at that distance) and
        ``item`` (their lines in ``pictures.csv``).

    Raises
    ------
    Problem
        If the run has no such hash, or no near pair of it, or if a number is too small.

    Examples
    --------
    >>> draw(runs.read("photos-run"), "dhash", pairs=10)  # doctest: +SKIP
    """
    hashes = run.about["hashes"]
    hash = hash or ("dhash" if "dhash" in hashes else hashes[0])
    if hash not in hashes:
        raise Problem(f"{hash}: is no hash of {run.folder}; choose one of {', '.join(hashes)}")
    if min(pairs, most) < 1:
        raise Problem(f"{min(pairs, most)} pairs: are too few to judge; choose 1 or more")
    near, rng = _near(run, hash), np.random.default_rng(run.about["seed"])
    if not len(near):
        raise Problem(f"{run.folder}: has no near pairs by {hash}, so there is nothing to judge")
    near = near.iloc[rng.permutation(len(near))]
    near = near.assign(turn=near.groupby("distance").cumcount())
    near = near[near["turn"] < most].sort_values(["turn", "distance"]).head(pairs)
    near = near.iloc[rng.permutation(len(near))]
    return near.drop(columns="turn").reset_index(drop=True)


def _near(run: Run, hash: str) -> pd.DataFrame:
    """Its near pairs of which people are asked, each with the name that it has on the page."""
    near = runs.table(run, "near_pairs")
    try:
        near = near[(near["hash"] == hash) & (near["kind"] == "")].drop(columns="kind")
        line = pd.Series(range(2, 2 + len(run.pictures)), index=run.pictures["path"])
        lines = zip(line[near["first"]], line[near["second"]], strict=True)
    except KeyError as error:  # a column, or a picture
        raise Problem(f"{run.folder / 'near_pairs.csv'}: is damaged; make the run anew") from error
    item = [f"lines {one} and {other}" for one, other in lines]
    return near.assign(of=near.groupby("distance")["hash"].transform("size"), item=item)


def _page(run: Run, hash: str) -> str:
    return decisions.page_name(run.about["digest"], run.pictures["path"].tolist(), hash, CHOICES)


def write_page(run: Run, drawn: pd.DataFrame, *, pictures: str | Path | None = None) -> Path:
    """Write the page on which a person judges near pairs.

    Parameters
    ----------
    run : Run
        From `helpers.experiments.runs.read`.
    drawn : DataFrame
        The pairs, from `draw`.
    pictures : str or Path, optional
        Where the run's pictures lie; see `helpers.experiments.runs.pictures_of`.

    Returns
    -------
    Path
        The page: ``judge.html`` in the run's folder.

    Raises
    ------
    Problem
        If the pictures are not known or not the same any more, or if the page cannot be written.

    Examples
    --------
    >>> run = runs.read("photos-run")  # doctest: +SKIP
    >>> write_page(run, draw(run))  # doctest: +SKIP
    """
    place, shown = runs.pictures_of(run, pictures), {}
    known = run.pictures[run.pictures["path"].isin({*drawn["first"], *drawn["second"]})]
    for row in known.itertuples():
        file, size = place / row.path, f"{row.width} x {row.height} pixels"
        if os.path.isfile(file) and sha256_of(file) != row.bytes:
            raise Problem(f"{file}: has changed since the run; bring back what was there")
        shown[row.path] = decisions.Picture(file, row.path, [size])
    items = [
        decisions.Item(row.item, f"Pair {number}", [shown[row.first], shown[row.second]])
        for number, row in enumerate(drawn.itertuples(), 1)
    ]
    target, page = run.folder / "judge.html", _page(run, drawn["hash"][0])
    title = f"Near pairs of {run.about['name']}: same or different?"
    decisions.write_page(target, title, _ABOUT, items, CHOICES, page=page)
    return target


def take(run: Run, file: str | Path, judge: str | None = None) -> Run:
    """Add what was decided on a page to the run's judgements, and count its rates anew.

    If a judge decides about a pair again, this takes the place of what they said before. Another
    judge is added.

    Parameters
    ----------
    run : Run
        From `helpers.experiments.runs.read`.
    file : str or Path
        The decisions that were downloaded from the page.
    judge : str, optional
        Who judged, where the file does not say so.

    Returns
    -------
    Run
        The run, with all judgements.

    Raises
    ------
    Problem
        If the file cannot be read, if a row of it is wrong or belongs to another run, or if nobody
        says who judged.

    Examples
    --------
    >>> take(runs.read("photos-run"), "decisions.csv", judge="Ann")  # doctest: +SKIP
    """
    near = {_page(run, name): _near(run, name) for name in run.about["hashes"]}
    pages = {page: set(rows["item"]) for page, rows in near.items()}
    found = pd.DataFrame(decisions.read(file, pages, CHOICES.values()))
    found["judge"] = found["judge"].replace("", judge or "")
    if (found["judge"] == "").any():
        raise Problem(f"{file}: does not say who judged; say it with --judge NAME")
    listed = pd.concat([rows.assign(page=page) for page, rows in near.items()])
    found = found.rename(columns={"decision": "verdict"}).merge(listed, on=["page", "item"])
    target, who = run.folder / "judged.csv", ["first", "second", "judge"]
    with exclusive(target):
        run = runs.read(run.folder)
        both = pd.concat([run.judged, found])[[*runs.JUDGED]]
        # a pair is the same by every hash, so what a judge said last holds for all of them
        both["verdict"] = both.groupby(who)["verdict"].transform("last")
        both = both.drop_duplicates([*who, "hash"], keep="last")
        both = both.sort_values(["hash", "distance", *who]).astype(object)
        rows = both.where(both.notna(), None).itertuples(index=False, name=None)
        text = as_csv(runs.JUDGED, rows, quote_texts=False)
        rates.write_tables(replace(run, judged=both), judged=text)
        return runs.read(run.folder)


def agreement(judged: pd.DataFrame) -> pd.DataFrame:
    """How well judges agree, two at a time.

    Parameters
    ----------
    judged : DataFrame
        A run's judgements: ``first``, ``second``, ``verdict``, ``judge``.

    Returns
    -------
    DataFrame
        A row for two judges: ``judge``, ``other``, ``pairs`` (which both judged), ``equal`` (the
        share of these on which they agree) and ``kappa``, which is 1 if they always agree and 0
        if they do as often as by chance. It is missing if each of them says the same of all pairs.

    Notes
    -----
    Kappa is that of J. Cohen, "A coefficient of agreement for nominal scales", Educational and
    Psychological Measurement 20 (1960).

    Examples
    --------
    >>> judged = {"first": ["a", "b"] * 2, "second": ["c"] * 4, "judge": ["Ann"] * 2 + ["Bob"] * 2}
    >>> judged["verdict"] = ["same", "different", "same", "same"]
    >>> agreement(pd.DataFrame(judged)).to_numpy().tolist()
    [['Ann', 'Bob', 2, 0.5, 0.0]]
    """
    once = judged.drop_duplicates(["first", "second", "judge"])
    table = once.pivot(index=["first", "second"], columns="judge", values="verdict")
    found = []
    for one, other in combinations(table.columns, 2):
        both = table[[one, other]].dropna()
        if both.empty:
            continue
        equal = float((both[one] == both[other]).mean())
        shares = both.apply(pd.Series.value_counts, normalize=True).fillna(0)
        chance = float(shares.prod(axis=1).sum())
        kappa = (equal - chance) / (1 - chance) if chance < 1 else float("nan")
        found.append((one, other, len(both), equal, kappa))
    return pd.DataFrame(found, columns=["judge", "other", "pairs", "equal", "kappa"])


def summary(run: Run) -> list[pd.DataFrame]:
    """What was judged of a run, and its rates since.

    Parameters
    ----------
    run : Run
        From `take`.

    Returns
    -------
    list of DataFrame
        How many pairs were judged the same, different and unsure, of how many at each distance
        (judges who differ about a pair are unsure together). How well judges agree, as from
        `agreement`. And the radius that keeps to each rate, with its own rate: by the hashes by
        which pairs were judged.

    Examples
    --------
    >>> summary(runs.read("photos-run"))  # doctest: +SKIP
    """
    where = ["hash", "distance", "of"]
    pairs = run.judged.groupby([*where, "first", "second"], as_index=False)["verdict"]
    said = pairs.agg(lambda verdicts: "unsure" if verdicts.nunique() > 1 else verdicts.iloc[0])
    counts = pd.crosstab([said[name] for name in where], said["verdict"]).reset_index()
    counts = counts.reindex(columns=[*where, *CHOICES.values()], fill_value=0)
    radii = runs.table(run, "recall").rename(columns={"rate": "at most"})
    radii = radii.loc[radii["hash"].isin(said["hash"]), ["hash", "at most", "radius"]]
    now = radii.drop_duplicates().merge(runs.table(run, "rates"), "left", on=["hash", "radius"])
    return [counts.rename_axis(columns=None), agreement(run.judged), now]
