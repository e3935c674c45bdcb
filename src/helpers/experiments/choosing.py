"""The radius for a wish: so many false matches a query, among so many pictures, and no more."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from math import ceil, comb, sqrt
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from helpers import Problem
from helpers.experiments import counting, rates
from helpers.files.places import counted
from helpers.fingerprints.flat import says_nothing
from helpers.fingerprints.hashes import DHASH
from helpers.hamming import as_words

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    from helpers.experiments.measuring import Run

#: Sets whose fingerprints may serve as the strangers, and by which hash the kit carries them.
STRANGERS = {"caltech-101": "dhash"}
_A_BIT_MORE = 1 + 1e-9  # as 3 / 19,900 pairs x 199 is a little more than 0.03


def largest_radius(table: pd.DataFrame, false: float, pictures: int) -> int:
    """The largest radius whose upper bound keeps to a wish.

    Parameters
    ----------
    table : DataFrame
        As from `helpers.experiments.rates.of_fingerprints`.
    false : float
        How many false matches a query may have.
    pictures : int
        Among how many pictures, itself one of them.

    Returns
    -------
    int
        Bits; -1 if even radius 0 has too many.

    Examples
    --------
    >>> table = pd.DataFrame({"high": [1e-6, 1e-5, 1e-4]})
    >>> largest_radius(table, 0.01, pictures=1_001)
    1
    """
    return int((table["high"] * (pictures - 1) <= false * _A_BIT_MORE).sum()) - 1


def radius_of_sample(
    fingerprints: ArrayLike,
    pictures: int,
    false: float = 0.01,
    *,
    hash: str = DHASH,
    same: Iterable[tuple] = (),
) -> tuple[int, list[str]]:
    """The radius for a wish among more pictures than can be compared, as a sample of them tells.

    Parameters
    ----------
    fingerprints : array-like of uint64, shape (n,) or (n, words), or of hex text, shape (n,)
        Of pictures that were drawn at random, such as ``joins.sampled(...)["fingerprint"]`` of
        `helpers.cluster`. 100,000 take half a minute and 400 MB.
    pictures : int
        Among how many pictures, itself one of them.
    false : float
        How many false matches a query may have.
    hash : str
        The hash that made them.
    same : iterable of (int, int)
        Rows of pairs that a person judged the same picture.

    Returns
    -------
    radius : int
        Bits: the largest radius whose upper bound keeps to the wish; -1 if none does.
    lines : list of str
        What the sample can show at all, then the answer, in sentences.

    Raises
    ------
    Problem
        If fewer than two of the sample are not flat, or if a number is out of bounds.

    Notes
    -----
    A rate per pair is that of all pictures, since each pair is as likely as any other to be drawn.
    The intervals are those of `helpers.experiments.rates.of_fingerprints`.

    Examples
    --------
    >>> sample = np.array([2**20 - 1, 2**40 - 1, 2**50 - 1], dtype=np.uint64)
    >>> radius, lines = radius_of_sample(sample, 10, 3)
    >>> lines[0]
    'with 3 pictures the smallest rate that can be shown is 9 false matches a query among 10.'
    """
    words = as_words(fingerprints)
    is_flat = says_nothing(words.T, hash)
    rows = np.cumsum(~is_flat) - 1
    same = [(rows[one], rows[other]) for one, other in same if not is_flat[[one, other]].any()]
    left, flat = int((~is_flat).sum()), int(is_flat.sum())
    _check_numbers(false, pictures)
    if left < 2:
        raise Problem(f"{counted(left, 'picture')} that are not flat make no pair; draw more")
    table = rates.of_fingerprints(words.T[~is_flat], same=same)
    radius, others, total = largest_radius(table, false, pictures), pictures - 1, comb(left, 2)
    lines = [_first_line(counted(left, "picture"), total, pictures), *_flat_line(flat)]
    at = table.loc[max(radius, 0)]
    least, most = at["low"] * others, at["high"] * others
    found = f"{counted(int(at['pairs']), 'pair')} in {total:,}"
    told = f"{found}, so {_short(least)} to {_short(most)} false matches a query"
    wish = f"{false:g} false matches a query among {pictures:,}"
    if radius >= 0:
        return radius, [*lines, f"radius {radius} keeps to {wish}: within it lie {told}."]
    need = ceil((1 + sqrt(1 + 8 * total * most / false)) / 2 - 1e-6)
    remedy = f"draw {need:,} pictures, if no more of their pairs are equal"
    if at["pairs"] >= len(rates.BOUNDS):
        remedy = "judge the near pairs, as copies are no false matches, or take more bits"
    return radius, [*lines, f"no radius keeps to {wish}: at radius 0 lie {told}; {remedy}."]


@dataclass(frozen=True)
class Choice:
    """A radius of one hash, what it costs, and what it finds.

    Parameters
    ----------
    hash : str
        The hash.
    radius : int
        Bits; -1 if none keeps to the wish.
    is_proved : bool
        Whether the upper bound keeps to the wish. If not, this is the largest radius without a
        near pair, and the pictures are too few to show so few false matches.
    false, most : float
        False matches a query at this radius, or at 0 if there is none, and their upper bound.
    recalls : DataFrame
        ``change``, ``strength``, ``recall``, and its 95 % interval ``low`` to ``high``.
    mean : tuple of float
        The mean of these recalls, and its interval from pictures drawn anew; NaN if no picture
        was changed.
    """

    hash: str
    radius: int
    is_proved: bool
    false: float
    most: float
    recalls: pd.DataFrame
    mean: tuple[float, float, float]


def choose(
    measured: rates.Measured, hash: str, false: float, pictures: int, radius: int | None = None
) -> Choice:
    """The radius of one hash for a wish.

    Parameters
    ----------
    measured : Measured
        As from `helpers.experiments.rates.measure`.
    hash : str
        The hash.
    false : float
        How many false matches a query may have.
    pictures : int
        Among how many pictures, itself one of them.
    radius : int, optional
        A radius that was chosen elsewhere, to be looked at here.

    Returns
    -------
    Choice
        The largest radius that keeps to the wish.
    """
    found, far, others = measured.rates[hash], measured.far[hash], pictures - 1
    is_proved = radius is not None or found.high[0] * others <= false * _A_BIT_MORE
    if radius is None and is_proved:
        radius = largest_radius(found.table(), false, pictures)
    elif radius is None:
        radius = int(_is_none(found.pairs).sum()) - 1
    asked = np.isfinite(far).sum(axis=1)
    low, high = counting.wilson((far <= radius).sum(axis=1), asked)
    drawn = measured.recalls(hash, np.full(len(measured.weights), radius))
    recalls = measured.changes.assign(recall=drawn[:, 0], low=low, high=high)
    drawn = drawn[asked > 0].mean(axis=0) if asked.any() else np.full(2, np.nan)
    ends = np.quantile(drawn[np.isfinite(drawn)], [0.025, 0.975]) if asked.any() else drawn
    at = min(max(radius, 0), len(found.high) - 1)
    costs = found.redrawn[0][at] * others, found.high[at] * others
    return Choice(hash, radius, is_proved, *map(float, costs), recalls, (drawn[0], *ends))


def _is_none(pairs: np.ndarray) -> np.ndarray:
    """Whether no pair is near; one of which a judge is unsure counts half, and is one."""
    return pairs < 1e-6


def radius(run: Run, false: float = 0.01, **options: object) -> list[str]:
    """The radius for a wish, with its reasons, in sentences.

    Parameters
    ----------
    run : Run
        A run.
    false : float
        How many false matches a query may have.
    **options
        ``pictures``, ``hash`` and ``strangers``, as `answer` takes them.

    Returns
    -------
    list of str
        As from `answer`.

    Raises
    ------
    Problem
        As `answer` does.
    """
    return answer(run, false, **options)[1]


def answer(
    run: Run,
    false: float = 0.01,
    pictures: int | None = None,
    hash: str | None = None,
    strangers: str | None = None,
) -> tuple[list[Choice], list[str]]:
    """The radius of each hash for a wish, and the reasons in sentences.

    Parameters
    ----------
    run : Run
        A run.
    false : float
        How many false matches a query may have.
    pictures : int, optional
        Among how many pictures, itself one of them; if left out, as many as the run counts.
    hash : str, optional
        One of the run's hashes; all if left out.
    strangers : str, optional
        One of `STRANGERS`: the run's pictures are held against these, not against each other.

    Returns
    -------
    list of Choice
        Of each hash: those first that are proved, then those first that find more.
    list of str
        First what the set can show at all, then the answer, then a check of it on two halves.

    Raises
    ------
    Problem
        If a value is none, or if there is no pair of different pictures.
    """
    own = len(rates.counted_pictures(run.pictures))
    pictures = own if pictures is None else pictures
    hashes = _check(run, own, false, pictures, hash, strangers)
    others = strangers and as_words(counting.caltech_101()[0]["fingerprint"])
    options = {"hashes": hashes, "reach": false / (pictures - 1), "strangers": others}
    measured = rates.measure(run, **options)
    choices = [choose(measured, name, false, pictures) for name in hashes]
    choices.sort(key=_merit, reverse=True)
    total = measured.rates[hashes[0]].total
    against = f" against CALTECH-101's {others.shape[1]:,}" if strangers else ""
    lines = [_first_line(f"{counted(own, 'picture')}{against}", total, pictures)]
    lines += _flat_line(int(run.pictures["flat"].sum()))
    for choice in choices:
        need = measured.rates[choice.hash].total * choice.most / false  # pairs, none near
        enough = need / others.shape[1] if strangers else (1 + sqrt(1 + 8 * need)) / 2
        lines.append(_sentence(choice, false, pictures, ceil(enough - 1e-6)))
    if any(_is_none(measured.rates[each.hash].pairs[max(each.radius, 0)]) for each in choices):
        lines.append(
            f"Where there is no near pair, the bound is {rates.BOUNDS[0]} / {total:,.0f} pairs x "
            f"{pictures - 1:,} other pictures. It assumes that pairs match independently of each "
            "other; a larger one is taken where near pairs are seen to come in bunches."
        )
    if len(hashes) > 1 and false * _A_BIT_MORE >= rates.BOUNDS[0] / total * (pictures - 1):
        lines += _ranks(measured, false / (pictures - 1))
    lines += _on_halves(run, false, pictures, options)
    for row in choices[0].recalls.itertuples() if len(hashes) == 1 else ():
        lines.append(
            f"{row.change}, {row.strength}: {row.recall:.3f} ({row.low:.3f} to {row.high:.3f})"
        )
    return choices, lines


def _check(
    run: Run, own: int, false: float, pictures: int, hash: str | None, strangers: str | None
) -> list[str]:
    """Which hashes are asked about, once all values have been looked at."""
    if strangers and strangers not in STRANGERS:
        raise Problem(f"strangers {strangers!r}: the kit carries {', '.join(STRANGERS)} only")
    if own < (1 if strangers else 2):
        raise Problem(
            f"{run.folder}: {counted(own, 'picture')} that can be read and not flat, so no pair; "
            "take a folder with more, or --strangers caltech-101"
        )
    _check_numbers(false, pictures)
    hash = hash or STRANGERS.get(strangers)
    if strangers and hash != STRANGERS[strangers]:
        raise Problem(f"{hash}: of {strangers} the kit carries {STRANGERS[strangers]}; take that")
    if hash and hash not in run.about["hashes"]:
        raise Problem(
            f"{run.folder}: has no hash {hash!r}; choose one of {', '.join(run.about['hashes'])}"
        )
    return [hash] if hash else run.about["hashes"]


def _check_numbers(false: float, pictures: int) -> None:
    if isinstance(pictures, bool) or not isinstance(pictures, int) or not 2 <= pictures < 1e12:
        raise Problem(f"pictures {pictures!r}: choose a whole number from 2 to 999,999,999,999")
    if not 0 < false < pictures - 1:
        raise Problem(
            f"false {false!r}: it is a number above 0 and below {pictures - 1:,}, at which every "
            "picture would match; 0.01 is one false match in 100 queries"
        )


def _first_line(sample: str, total: float, pictures: int) -> str:
    return (
        f"with {sample} the smallest rate that can be shown is "
        f"{_short(rates.BOUNDS[0] / total * (pictures - 1))} false matches a query among "
        f"{pictures:,}."
    )


def _flat_line(flat: int) -> list[str]:
    return [f"{counted(flat, 'flat picture')} left out: they match each other."] if flat else []


def _merit(choice: Choice) -> tuple[bool, float]:
    return choice.is_proved, np.nan_to_num(choice.mean[0], nan=-1)


def _sentence(choice: Choice, false: float, pictures: int, enough: int) -> str:
    wish, mean = f"{false:g} false matches a query among {pictures:,}", _share(choice.mean)
    costs = f"{_short(choice.false)} (at most {_short(choice.most)})"
    if choice.radius < 0:
        return (
            f"no radius of {choice.hash} keeps to {wish}; at radius 0 there are {costs}: judge the "
            "near pairs, as copies are no false matches, take more bits, or fewer pictures"
        )
    if choice.is_proved:
        return f"{choice.hash}: radius {choice.radius} keeps to {wish}: {costs}; it finds {mean}"
    return (
        f"{choice.hash}: radius {choice.radius}, not proved for {wish}: at most "
        f"{_short(choice.most)} is shown, and {enough:,} pictures without a near pair would do; "
        f"it finds {mean}"
    )


def _share(mean: tuple[float, float, float]) -> str:
    if np.isnan(mean[0]):
        return "what is not known, as no picture was changed"
    return f"{mean[0]:.3f} of all changes on average ({mean[1]:.3f} to {mean[2]:.3f})"


def _short(number: float) -> str:
    return np.format_float_positional(number, precision=2, fractional=False, trim="-")


def _ranks(measured: rates.Measured, rate: float) -> list[str]:
    """Which hash finds more than which, in redraws that they share, at equal false matches."""
    drawn = {hash: pd.DataFrame(measured.recalls_at(hash, rate)[2]).mean() for hash in measured.far}
    lines = []
    for one in drawn if len(measured.queries) >= counting.FEWEST_QUERIES else ():
        less = [other for other in drawn if (drawn[one] - drawn[other]).quantile(0.025) > 0]
        if less:
            lines.append(f"At equal false matches {one} finds more than {', '.join(less)}.")
    return lines or ["At equal false matches no hash is shown to find more than another."]


def _on_halves(run: Run, false: float, pictures: int, options: dict) -> list[str]:
    """The choice on one half of the pictures, and what it comes to on the other half."""
    n = len(run.pictures)
    one = np.random.default_rng(run.about["seed"]).permutation(n) < n // 2
    halves = [rates.measure(run, only=half, **options) for half in (one, ~one)]
    if min(len(half.pictures) for half in halves) < (1 if options["strangers"] is not None else 2):
        return ["Check: too few pictures to choose on one half and look at the other."]
    choices = [choose(halves[0], hash, false, pictures) for hash in options["hashes"]]
    best = max(choices, key=_merit)
    there = choose(halves[1], best.hash, false, pictures, best.radius)
    told = [
        f"{len(half.pictures):,} pictures: {_short(choice.false)} false matches (at most "
        f"{_short(choice.most)}), it finds {_share(choice.mean)}"
        for half, choice in zip(halves, (best, there), strict=True)
    ]
    what = f"radius {best.radius}" if best.radius >= 0 else "no radius, so 0 is shown"
    proved = "" if best.is_proved else ", not proved"
    return [
        f"Check: the pictures were split in two by seed. Chosen on one half: {best.hash}, {what}"
        f"{proved}. There, {told[0]}. On the other half, {told[1]}."
    ]
