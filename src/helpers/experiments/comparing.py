"""What the difference between two runs is, or between two hashes of one, with 95 % intervals."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import combinations

import numpy as np
import pandas as pd

from helpers import Problem
from helpers.experiments import rates
from helpers.experiments.counting import FEWEST_QUERIES, SEED
from helpers.experiments.measuring import each_copy
from helpers.experiments.runs import Run
from helpers.files.places import counted, is_same_file
from helpers.fingerprints.hashes import HASHES

#: At this rate, or at the smallest one that both can show if it is larger, sentences compare.
LEAST_RATE = 1e-5
_FEWEST_PICTURES = 4  # three pairs can show no rate below 1, at which all pictures match
#: What is compared: a run in redraws, and the name of a hash.
Side = tuple[rates.Measured, str]


def compare(
    runs: Sequence[Run], hashes: Sequence[str] | None = None, *, redraws: int = rates.REDRAWS
) -> pd.DataFrame:
    """How much more one finds than another at equal false matches, with intervals.

    Parameters
    ----------
    runs : sequence of Run
        Two or more: each is compared with the first, hash by hash. One: its hashes are compared
        with the first of them.
    hashes : sequence of str, optional
        Which hashes; if left out, all that the runs have in common.
    redraws : int
        How often pictures are drawn anew.

    Returns
    -------
    DataFrame
        A row for each two, rate, change and strength, and one for the mean of these: ``one`` and
        ``other`` (what is compared), ``what`` (``"recall"``), ``at`` (false matches a pair),
        ``change``, ``strength``, ``value`` and ``other_value``, ``difference`` (the other less
        the one), its interval ``low`` to ``high``, ``shown`` (whether there are pairs enough for
        this rate), ``headline`` (whether it is at the rate of which `sentences` tell: 0.00001, or
        the smallest that both show), and ``claimed``: whether it is shown, the interval leaves
        out 0, and enough queries differ for it. Where
        fingerprints have equally many bits, then a row for each radius: ``what`` is ``"rate"``,
        ``at`` the radius. ``attrs["notes"]`` tells in sentences how the runs differ.

    Raises
    ------
    Problem
        If they cannot be compared, with the reason.

    Notes
    -----
    Rates are those of the runs, and the smallest one that both can show, if that is larger than
    0.00001. A recall is taken at exactly this rate, between two radii. Intervals come from redraws
    of pictures: the same redraws for both where the pictures are the same, others where not.

    Examples
    --------
    >>> compare([read("photos-run")], ["dhash", "phash"])  # doctest: +SKIP
    """
    if not runs:
        raise Problem("there is nothing to compare; name a run")
    first, *others = runs = list(runs)
    hashes, parts, notes = _check(runs, hashes), [], []
    name = "{} in {}" if others else "{}"
    for number, other in enumerate(others or [first]):
        sides = _measured(first, other, hashes, number, redraws)
        notes += _notes(first, other, hashes) if others else []
        for hash in hashes if others else hashes[1:]:
            pair = (sides[0], hash if others else hashes[0]), (sides[1], hash)
            headline = max(LEAST_RATE, _smallest(pair))
            at = {headline} | {*first.about["rates"]} & {*other.about["rates"]}
            table = pd.concat([*(_recalls(pair, rate) for rate in sorted(at)), _at_radii(pair)])
            table["headline"] = (table["what"] == "recall") & (table["at"] == headline)
            names = {"one": name.format(pair[0][1], first.folder)}
            parts.append(table.assign(**names, other=name.format(hash, other.folder)))
    table = pd.concat(parts, ignore_index=True)
    table.attrs["notes"] = notes
    return table


def _check(runs: list[Run], hashes: Sequence[str] | None) -> list[str]:
    """The hashes to compare; a Problem if these runs may not be compared."""
    for run in runs:
        if (count := len(rates.counted_pictures(run.pictures))) < _FEWEST_PICTURES:
            raise Problem(
                f"{run.folder}: has {counted(count, 'picture')} to count with, too few to compare; "
                f"take a run of {_FEWEST_PICTURES} or more"
            )
    for one, other in combinations(runs, 2):
        sides = [run.about["side"] or np.inf for run in (one, other)]
        sizes = [run.pictures[["width", "height"]].max(axis=None) for run in (one, other)]
        why = ""
        if is_same_file(one.folder, other.folder) or one.about == other.about:
            why = "it is the same run"
        elif one.about["reading"] != other.about["reading"]:
            why = "pictures were read with other options"
        elif one.about["quick"] != other.about["quick"]:
            why = "only one is quick, with some of its pictures, and reduced"
        elif min(sides[0], sizes[0]) > sides[1] or min(sides[1], sizes[1]) > sides[0]:
            why = f"pictures were reduced to {min(sides)} pixels in one of them only"
        elif not set(each_copy(one.about["changes"])) & set(each_copy(other.about["changes"])):
            why = "no change and strength is in both"
        if why:
            raise Problem(
                f"{other.folder}: cannot be compared with {one.folder}, since {why}; name two runs "
                "that were made alike"
            )
    shared = set.intersection(*(set(run.about["hashes"]) for run in runs))
    there = [name for name in runs[0].about["hashes"] if name in shared]
    chosen = list(dict.fromkeys(there if hashes is None else hashes))
    if missing := [name for name in chosen if name not in there]:
        raise Problem(
            f"{missing[0]!r}: is not a hash of all these runs; choose one of: "
            f"{', '.join(there) or 'none'}"
        )
    if len(chosen) < (2 if len(runs) == 1 else 1):
        raise Problem(
            f"{runs[0].folder}: there are not two things to compare; name another run, or one with "
            "more hashes"
        )
    return chosen


def _measured(
    one: Run, other: Run, hashes: list[str], number: int, redraws: int
) -> list[rates.Measured]:
    """Both runs in redraws: the same redraws of the same pictures, if they are of one set."""
    is_paired = one.about["digest"] == other.about["digest"]
    paths = [set(rates.counted_pictures(run.pictures)["path"]) for run in (one, other)]
    found = []
    for place, run in enumerate((one, other)[: 1 + (one is not other)]):
        only = run.pictures["path"].isin(paths[0] & paths[1] if is_paired else paths[place])
        run = replace(run, about=run.about | {"seed": SEED + (not is_paired) * (number + place)})
        found.append(rates.measure(run, only=only.to_numpy(), hashes=hashes, redraws=redraws))
    return [found[0], found[-1]]


def _smallest(pair: tuple[Side, Side]) -> float:
    """The smallest rate that both can show: the bound where no pair is near."""
    return max(rates.BOUNDS[0] / max(one.rates[hash].total, 1) for one, hash in pair)


def _recalls(pair: tuple[Side, Side], rate: float) -> pd.DataFrame:
    """Recalls at one rate, by change and in the mean."""
    rows = [list(one.changes.itertuples(index=False, name=None)) for one, _ in pair]
    common = [row for row in rows[0] if row in rows[1]]
    recalls = [
        one.recalls_at(hash, rate)[2][[there.index(row) for row in common]]
        for (one, hash), there in zip(pair, rows, strict=True)
    ]
    table = _differences(*(np.vstack([one, pd.DataFrame(one).mean()]) for one in recalls))
    table[["change", "strength"]] = [*common, ("mean", f"of {len(common)}")]
    queries = min(len(one.queries) for one, _ in pair)
    # how many queries differ; the mean is of all of them
    differ = queries * table["difference"].abs().mask(table["change"] == "mean", 1)
    shown = rate >= _smallest(pair)
    table["claimed"] &= shown & (differ >= FEWEST_QUERIES)
    return table.assign(what="recall", at=rate, shown=shown)


def _at_radii(pair: tuple[Side, Side]) -> pd.DataFrame:
    """Rates of false matches at equal radii, where a bit is the same share of all bits."""
    if len({HASHES[hash].bits for _, hash in pair}) > 1:
        return pd.DataFrame()
    one, other = (measured.rates[hash] for measured, hash in pair)
    radii = range(min(len(one.pairs), len(other.pairs)))
    table = _differences(one.redrawn.T[radii], other.redrawn.T[radii])
    few = np.minimum(one.pairs[radii], other.pairs[radii]).round() < len(rates.BOUNDS)
    # where one is a bound and no rate, the interval reaches from bound to bound
    table["low"] = table["low"].mask(few, other.low[radii] - one.high[radii])
    table["high"] = table["high"].mask(few, other.high[radii] - one.low[radii])
    table.loc[few, ["value", "other_value", "difference"]] = np.nan
    claimed = (table["low"] > 0) | (table["high"] < 0)
    about = {"what": "rate", "at": radii, "change": "", "strength": ""}
    return table.assign(claimed=claimed, shown=~few, **about)


def _differences(one: np.ndarray, other: np.ndarray) -> pd.DataFrame:
    """The other less the one; in both a column as it is comes first, then the redraws."""
    low, high = pd.DataFrame((other - one)[:, 1:].T).quantile([0.025, 0.975]).to_numpy()
    table = pd.DataFrame({"value": one[:, 0], "other_value": other[:, 0], "low": low, "high": high})
    table["difference"] = table["other_value"] - table["value"]
    return table.assign(claimed=(low > 0) | (high < 0))


def _notes(one: Run, other: Run, hashes: list[str]) -> list[str]:
    """How two runs differ, beside what was measured."""
    tables = [run.pictures.set_index("path") for run in (one, other)]
    if one.about["digest"] == other.about["digest"]:
        differ = [f"{hash} {(tables[0][hash] != tables[1][hash]).sum():,}" for hash in hashes]
        what = f"The same {counted(len(tables[0]), 'picture')}"
        notes = [f"{what}. Fingerprints that differ: {', '.join(differ)}."]
    else:
        both = len(set(tables[0]["pixels"]) & set(tables[1]["pixels"]) - {""})
        numbers = " and ".join(f"{run.about['pictures']:,}" for run in (one, other))
        notes = [f"{numbers} pictures; {both:,} are in both."]
    there = [
        {**run.about["versions"], **run.about["rules"], "seed": run.about["seed"]}
        | {"judged pairs": len(run.judged)}
        for run in (one, other)
    ]
    for name in there[0]:
        if there[0][name] != there[1].get(name):
            notes.append(f"They differ in {name}: {there[0][name]} and {there[1].get(name)}.")
    return notes


def sentences(table: pd.DataFrame) -> list[str]:
    """What may be said of differences, and of what nothing is claimed.

    Parameters
    ----------
    table : DataFrame
        From `compare`.

    Returns
    -------
    list of str
        How the runs differ, then one or two sentences for each two that were compared.

    Examples
    --------
    >>> print(*sentences(compare([read("photos-run")])), sep="\\n")  # doctest: +SKIP
    """
    said = list(table.attrs["notes"])
    for (one, other), rows in table.groupby(["one", "other"], sort=False):
        *each, mean = rows[rows["headline"]].itertuples()
        claimed = sum(row.claimed for row in each)
        said.append(
            f"At {mean.at:.2g} false matches a pair {other} finds {mean.other_value:.3f} and {one} "
            f"{mean.value:.3f}, in the mean {mean.strength} changes and strengths. The difference "
            f"is {mean.difference:+.3f}, from {mean.low:+.3f} to {mean.high:+.3f}"
            + ("." if mean.claimed else ": this holds 0, so nothing is claimed.")
        )
        chance, rest = round(0.05 * len(each)), len(each) - claimed
        what = f"nothing is claimed of the other {rest}" if claimed > chance else "none is claimed"
        said.append(
            f"{claimed} of {len(each)} single changes differ so much that their interval leaves 0 "
            f"out (by chance alone about {chance} would): {what}."
        )
    return said
