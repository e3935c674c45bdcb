"""Near pairs of a run, drawn by distance for a person to judge, and the judgements that come back.

Which pairs are the same picture after all? A program cannot know, so people look at some of the
near pairs. Pairs of equal pixels are judged by themselves, and flat pictures stand apart: nobody is
asked about those. What was judged stays in the run's folder, in ``judged.csv``.
"""

from __future__ import annotations

import os
from itertools import combinations
from pathlib import Path

import numpy as np
import pandas as pd

from helpers import Problem, decisions
from helpers.experiments import rates, runs
from helpers.experiments.runs import Run
from helpers.files.atomic import exclusive, write_text
from helpers.files.places import counted, sha256_of
from helpers.files.tables import as_csv

#: What a person can say of a pair: the letter of the key, and the verdict.
CHOICES = {"s": "same", "d": "different", "u": "unsure"}
_ABOUT = (
    "Do both show the same picture? Say same also if one is a changed copy of the other: smaller, "
    "cropped, turned, brighter, with a text on it.",
    "Say different if they are two pictures, also if both show the same thing: two photographs of "
    "one scene, two letters on one form.",
)
_COLUMNS = ["first", "second", "verdict", "judge", "hash", "distance", "of"]


def draw(
    run: Run,
    hash: str | None = None,
    *,
    pairs: int = 200,
    most_a_bit: int = 30,
    seed: int | None = None,
) -> pd.DataFrame:
    """Near pairs of a run, as evenly from all distances as there are such.

    Parameters
    ----------
    run : Run
        From `helpers.experiments.runs.read`.
    hash : str, optional
        By which hash they are near; dhash, or the run's first one, if left out.
    pairs : int
        How many pairs, at most.
    most_a_bit : int
        How many pairs of one distance, at most.
    seed : int, optional
        What they are drawn with; the run's seed if left out.

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
    if min(pairs, most_a_bit) < 1:
        raise Problem(f"{min(pairs, most_a_bit)} pairs: are too few to judge; choose 1 or more")
    near, seed = _near(run, hash), run.about["seed"] if seed is None else seed
    if not len(near):
        raise Problem(f"{run.folder}: has no near pairs by {hash}, so there is nothing to judge")
    rng = np.random.default_rng(seed)
    near = near.iloc[rng.permutation(len(near))]
    near = near.assign(turn=near.groupby("distance").cumcount())
    near = near[near["turn"] < most_a_bit].sort_values(["turn", "distance"]).head(pairs)
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


def write_page(
    run: Run,
    hash: str | None = None,
    *,
    pairs: int = 200,
    seed: int | None = None,
    pictures: str | Path | None = None,
    names: bool = True,
    workers: int | None = None,
) -> pd.DataFrame:
    """Write the page on which a person judges near pairs: ``judge.html`` in the run's folder.

    Parameters
    ----------
    run : Run
        From `helpers.experiments.runs.read`.
    hash, pairs, seed
        See `draw`.
    pictures : str or Path, optional
        Where the run's pictures lie; see `helpers.experiments.runs.pictures_of`.
    names : bool
        Whether the names of the pictures are shown, which may tell more than the pictures do.
    workers : int, optional
        How many processes; see `helpers.files.parallel.share_out`.

    Returns
    -------
    DataFrame
        The pairs on the page, as from `draw`.

    Raises
    ------
    Problem
        If there is nothing to judge, if the pictures are not known or not the same any more, or if
        the page cannot be written.

    Examples
    --------
    >>> write_page(runs.read("photos-run"))  # doctest: +SKIP
    """
    drawn, place = draw(run, hash, pairs=pairs, seed=seed), runs.pictures_of(run, pictures)
    known = run.pictures.set_index("path")
    for path in dict.fromkeys([*drawn["first"], *drawn["second"]]):
        if os.path.isfile(place / path) and sha256_of(place / path) != known["bytes"][path]:
            raise Problem(
                f"{place / path}: has changed since the run; name the folder of the pictures as "
                "they were, with --pictures"
            )

    def picture(path: str) -> decisions.Picture:
        row = known.loc[path]
        return decisions.Picture(place / path, path, [f"{row['width']} x {row['height']} pixels"])

    items = [
        decisions.Item(row.item, f"Pair {number}", [picture(row.first), picture(row.second)])
        for number, row in enumerate(drawn.itertuples(), 1)
    ]
    title, page = f"Near pairs of {run.about['name']}", _page(run, drawn["hash"][0])
    target, options = run.folder / "judge.html", {"names": names, "workers": workers}
    decisions.write_page(target, title, _ABOUT, items, CHOICES, page=page, **options)
    return drawn


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
    near = pd.concat(
        [_near(run, name).assign(page=_page(run, name)) for name in run.about["hashes"]]
    )
    pages = {_page(run, name): set() for name in run.about["hashes"]}
    pages |= {page: set(rows["item"]) for page, rows in near.groupby("page")}
    found = decisions.read(file, pages, CHOICES.values())
    found["judge"] = found["judge"].replace("", judge or "")
    if (found["judge"] == "").any():
        raise Problem(f"{file}: does not say who judged; say it with --judge NAME")
    found = found.rename(columns={"decision": "verdict"}).merge(near, on=["page", "item"])
    target, who = run.folder / "judged.csv", ["first", "second", "judge"]
    with exclusive(target):
        both = pd.concat([runs.read(run.folder).judged, found])[_COLUMNS]
        # a pair is the same by every hash, so what a judge said last holds for all of them
        both["verdict"] = both.groupby(who)["verdict"].transform("last")
        both = both.drop_duplicates([*who, "hash"], keep="last")
        both = both.sort_values(["hash", "distance", *who])
        rows = both.itertuples(index=False, name=None)
        write_text(target, as_csv(_COLUMNS, rows, quote_texts=False))
        run = runs.read(run.folder)
        rates.write_tables(run)
    return run


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
    >>> agreement(pd.DataFrame(judged)).iloc[0].tolist()
    ['Ann', 'Bob', 2, 0.5, 0.0]
    """
    once = judged.drop_duplicates(["first", "second", "judge"])
    table = once.pivot(index=["first", "second"], columns="judge", values="verdict")
    found = []
    for one, other in combinations(table.columns, 2):
        both = table[[one, other]].dropna()
        equal = (both[one] == both[other]).mean()
        shares = [both[judge].value_counts(normalize=True) for judge in (one, other)]
        chance = shares[0].mul(shares[1], fill_value=0).sum()
        kappa = (equal - chance) / (1 - chance) if chance < 1 else float("nan")
        if len(both):
            found.append((one, other, len(both), float(equal), float(kappa)))
    return pd.DataFrame(found, columns=["judge", "other", "pairs", "equal", "kappa"])


def describe(run: Run) -> list[str]:
    """What was judged of a run, in sentences.

    Parameters
    ----------
    run : Run
        From `take`.

    Returns
    -------
    list of str
        How many pairs are the same, different and unsure at each distance, and how well judges
        agree. Judges who differ about a pair are unsure together.

    Examples
    --------
    >>> describe(runs.read("photos-run"))  # doctest: +SKIP
    """
    by_pair = run.judged.groupby(["hash", "distance", "of", "first", "second"])["verdict"]
    verdict = by_pair.agg(lambda said: said.iloc[0] if said.nunique() == 1 else "unsure")
    told = []
    for (hash, distance, of), rows in verdict.groupby(level=[0, 1, 2]):
        counts = ", ".join(f"{(rows == what).sum()} {what}" for what in CHOICES.values())
        told.append(
            f"{hash}, {counted(distance, 'bit')}: {counts}; {len(rows)} of {of:,} pairs judged"
        )
    for row in agreement(run.judged).itertuples():
        told.append(
            f"{row.judge} and {row.other} judged {counted(row.pairs, 'pair')} both and agree on "
            f"{row.equal:.0%} (Cohen's kappa {row.kappa:.2f})"
        )
    return told


def rate_in_force(run: Run, hash: str) -> str:
    """A hash's radius at the largest rate that the run tells of, and its rate, in a sentence.

    Parameters
    ----------
    run : Run
        From `helpers.experiments.runs.read` or `take`.
    hash : str
        One of its hashes.

    Returns
    -------
    str
        With the interval; only with a bound, if there are fewer than three near pairs.

    Examples
    --------
    >>> rate_in_force(runs.read("photos-run"), "dhash")  # doctest: +SKIP
    'radius 4 by dhash has 3.1e-05 false matches a pair (95 %: 1.2e-05 to 6e-05)'
    """
    recall, table = runs.table(run, "recall"), runs.table(run, "rates")
    radius = recall.loc[recall["hash"] == hash].sort_values("rate")["radius"].iloc[-1]
    row = table[(table["hash"] == hash) & (table["radius"] == max(radius, 0))].iloc[0]
    what = f"radius {row['radius']} by {hash} has"
    if pd.isna(row["rate"]):
        return f"{what} at most {row['high']:.2g} false matches a pair"
    ends = f"95 %: {row['low']:.2g} to {row['high']:.2g}"
    return f"{what} {row['rate']:.2g} false matches a pair ({ends})"
