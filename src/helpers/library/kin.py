"""Kin: pictures that were made from each other, though they are no copies.

Turned and mirrored pictures, pictures in a frame and parts of pictures are mentioned, so that a
person looks at them. They are never moved. They are found in two steps:

- **By fingerprints.** The scan has those of each picture turned and mirrored, of its parts, and
  without its frame; see `helpers.fingerprints.variants.variants_of`. Two pictures are candidates
  if one of them is near to a variant of the other, and not nearer to the other as it is.
- **By pixels.** One picture is fitted into the other: where does it lie? If it is there, the two
  have the same details, and correlate in them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import lru_cache, partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from helpers import Problem
from helpers.files.parallel import share_out_as_done
from helpers.fingerprints.variants import ORIENTATIONS, PARTS, inside_border
from helpers.images.opening import open_image
from helpers.library.remembered import open_memory
from helpers.library.second_look import comparable

# What only the main process needs is imported where it is used, so that workers start sooner.
if TYPE_CHECKING:
    import pandas as pd

#: Bits of 128 by which a picture may differ from a variant of another one: of its parts and
#: without its frame, and turned or mirrored.
RADIUS, RADIUS_TURNED = 24, 16
#: The least that the details of kin correlate.
LEAST_CORRELATION = 0.88
#: The most of a picture that counts as a part of it.
LARGEST_PART = 0.97
#: So many candidates are compared, the nearest ones; or one for each eight pictures. A picture is
#: compared with so many others as their part, or turned.
MOST_PAIRS, NEAREST = 1000, 3
#: Bits by which a picture must be nearer to the turned one than to the other one as it is.
LEAST_GAIN = 8
_OF_ONE_WORD = 0.67  # of the bits that differ, so many at most are in the first of two words
_FAR = 50  # bits; a picture that differs more from another one as it is does not show a part of it
_SIDE = 128  # pixels of what is compared
_STEP, _LEAST_SIDE = 0.05, 0.4  # by how much a box is changed at a time, and the least it has left
_LEAST_CONTRAST = 0.2  # of the part, beside that of the whole
_LEAST_OF_HALF = 0.7  # correlation at half the size; with less it is not looked at in full
_NEAR_FRAME = 0.06  # of a side; a picture that lies so near to where a frame ends is framed
_TURNS = list(ORIENTATIONS.items())[1:]
_STARTS = [(0, 0, 100, 100)] * len(_TURNS) + list(PARTS)  # where a picture may lie in another one
_FALLEN = [4, 7, 5, 1, 3, 0, 2]  # which orientation is each of them with rows for columns
# The first word and the second one of each variant that a picture may be near to.
_FIRST = np.append(np.arange(1, 8), np.arange(8, 10 + 2 * len(PARTS), 2))
_SECOND = np.append(_FALLEN, np.arange(9, 11 + 2 * len(PARTS), 2))


def kin(
    folder: str | Path,
    table: pd.DataFrame,
    cache: str | Path | None = None,
    workers: int | None = None,
    known: Iterable[tuple[str, str]] = (),
) -> pd.DataFrame:
    """Pairs of pictures that are not copies, but were made from each other.

    Parameters
    ----------
    folder : str or Path
        The photo library. Absolute paths may name files elsewhere.
    table : DataFrame
        From `helpers.library.inventory.scan`; its `comparable` rows count.
    cache : str or Path, optional
        As for `helpers.library.inventory.scan`. What is found is remembered as it is found.
    workers : int, optional
        How many processes; see `helpers.files.parallel.share_out`.
    known : iterable of (str, str)
        Pairs of paths, in any order, that are not to be mentioned, such as copies.

    Returns
    -------
    DataFrame
        A row a pair, the surest first:

        - ``kept``: the whole of a part, the picture inside a frame, or the first one in the table.
        - ``path``: the other one.
        - ``kind``: ``turned or mirrored``, ``framed`` or ``cropped``.
        - ``distance``: of 128 bits, those by which a variant of one differs from the other.
        - ``correlation``: of the details.
        - ``reason``: in words.

    Notes
    -----
    Measured on CALTECH-101 with 780 more files made of its pictures, each of another one; a third
    of them is saved at quality 60 to 90, and another third is made smaller first, to 0.5 to 1. All
    was chosen on every other picture, and this is of the rest:

    =========================================================== ============
    made by                                                     mentioned
    =========================================================== ============
    cutting 3 % from each side, or as much unevenly             57 of 60
    cutting 8 % from each side, or as much unevenly             56 of 60
    cutting one side, a corner, or to another shape             155 of 180
    frames: plain, in two colours, with text, round corners     233 of 270
    turning and mirroring                                       208 of 210
    =========================================================== ============

    Of the photographs of scikit-image 12 of 12, 15 of 18, 20 of 27 and 21 of 21 are mentioned: cut
    evenly or not, in other ways, framed, and turned. Among the sample's 101 pictures no pair is.

    In CALTECH-101 itself 154 pairs are mentioned: the 100 Leopards that are mirrored, and 54, which
    were looked at. Two of these are two shots of one man; 8 show one drawing or thing in two
    colours; the others are parts and frames. Seven of the ten are below 0.95.

    For 20,000 pictures it takes 6 seconds to find the candidates, and 3 milliseconds to look at
    each of at most 5,000 pairs, beside opening large files.

    Examples
    --------
    >>> kin("photos", scan("photos"))  # doctest: +SKIP
    """
    import pandas as pd

    table = comparable(table)
    paths, digests = table["path"].tolist(), table["sha256"].tolist()
    apart = {frozenset(ends) for ends in known}
    pairs = _candidates(table["variants"].tolist())
    pairs = [pair for pair in pairs if frozenset(map(paths.__getitem__, pair[:2])) not in apart]
    asked = {
        f"{digests[one]} {digests[other]} {variant}": (paths[one], paths[other], variant)
        for one, other, variant, _ in pairs[: max(MOST_PAIRS, len(paths) // 8)]
    }
    rows, best = [], {}
    looked = _found(Path(folder), asked, cache, workers)
    for (one, other, _, distance), (kind, *more) in zip(pairs, looked, strict=False):
        ends = (paths[other], paths[one]) if kind == "framed" else (paths[one], paths[other])
        rows += [(*ends, kind, distance, *more)] if kind else []
    for row in sorted(rows, key=lambda row: (-row[4], row)):
        best.setdefault(frozenset(row[:2]), row)
    columns = ["kept", "path", "kind", "distance", "correlation", "reason"]
    return pd.DataFrame(list(best.values()), columns=columns)


def _candidates(variants: list[str]) -> list[tuple[int, int, int, int]]:
    """Which picture may show which other one, by which variant, and the bits that differ.

    The nearest of each picture come first, so that a crowd does not take the place of others.
    """
    import pandas as pd

    names = ["one", "other", "variant", "distance"]
    near = np.concatenate([np.empty((4, 0), dtype=int), *_near(variants)], axis=1)
    near = pd.DataFrame(near.T, columns=names).sort_values(["distance", "variant", "one", "other"])
    near = near.drop_duplicates(["one", "other"])
    near["place"] = near.groupby("other").cumcount()
    near = near[near["place"] < NEAREST].sort_values(["place", "distance", "one", "other"])
    return list(near[names].itertuples(index=False, name=None))


def _near(variants: list[str]) -> Iterator[np.ndarray]:
    """For each picture the others that are near to one of its variants: in four rows, as above."""
    words = [np.frombuffer(bytes.fromhex(text), ">u8").astype(np.uint64) for text in variants]
    own = np.array([one[[0, 6]] for one in words], dtype=np.uint64).reshape(-1, 2).T.copy()
    turns, count = len(_TURNS), np.bitwise_count
    every = np.arange(len(words))
    for row, mine in enumerate(words):
        plain = count(own[0] ^ own[0, row]) + count(own[1] ^ own[1, row])
        parts = np.flatnonzero(plain <= _FAR)
        for start, end, others, radius, gain in (
            (0, turns, every[row + 1 :], RADIUS_TURNED, LEAST_GAIN),
            (turns, turns + len(PARTS), parts, RADIUS, 0),
            (turns + len(PARTS), len(mine) // 2 + 3, every, RADIUS, 0),
        ):
            bits = count(own[0, others] ^ mine[_FIRST[start:end], None])
            found = np.flatnonzero(bits <= _OF_ONE_WORD * radius)
            if not len(found):
                continue
            variant, at = np.divmod(found, len(others))
            other = others[at]
            bits = bits[variant, at] + count(own[1, other] ^ mine[_SECOND[start:end]][variant])
            is_near = (bits <= radius) & (bits + gain <= plain[other]) & (other != row)
            found = [np.full(len(at), row), other, variant + start, bits]
            yield np.stack([part[is_near] for part in found])


def _found(
    folder: Path, asked: dict[str, tuple], cache: str | Path | None, workers: int | None
) -> list[list]:
    """What was found about each pair: remembered, or by a look. The kind of no kin is empty."""
    depends_on = [LEAST_CORRELATION, LARGEST_PART]
    with open_memory(folder, cache, "kin", depends_on, _is_finding) as memory:
        found = {key: memory.found[key] for key in asked if key in memory.found}
        new = sorted((pair, key) for key, pair in asked.items() if key not in found)
        looked = share_out_as_done(
            partial(_look, folder), [pair for pair, _ in new], workers=workers, title="kin"
        )
        memory.keep_as_found(found, ({key: one} for (_, key), one in zip(new, looked, strict=True)))
    return [found[key] for key in asked]


def _is_finding(_: str, found: list) -> bool:
    return isinstance(found, list) and [*map(type, found)] in ([str], [str, float, str])


def _look(folder: Path, pair: tuple[str, str, int]) -> list:
    """How one picture shows the other one: kind, correlation and words; or one empty text."""
    one, other, variant = pair
    try:
        whole, part = _grey(folder / one), _grey(folder / other)
    except Problem:  # it is gone or broken since the scan
        return [""]
    words, turn = _TURNS[variant] if variant < len(_TURNS) else ("", None)
    whole = whole.transpose(turn) if words else whole
    is_part = variant < len(_STARTS)
    box = np.array(_STARTS[variant]) / 100 if is_part else np.array(inside_border(whole)) / _SIDE
    box, alike = _fit(whole, part, box)
    if alike < LEAST_CORRELATION:
        return [""]
    if words:
        return ["turned or mirrored", alike, f"the same picture, {words}"]
    frame = np.array(inside_border(whole)) / _SIDE
    areas = [np.prod(one[2:] - one[:2]) for one in (box, frame)]
    if areas[0] > LARGEST_PART:
        return [""]
    shares = *box[:2], *(1 - box[2:])
    cut = "{:.0%} left, {:.0%} above, {:.0%} right and {:.0%} below".format(*shares)
    if areas[1] <= LARGEST_PART and abs(frame - box).max() <= _NEAR_FRAME:
        return ["framed", alike, f"the same picture in a frame: {cut}"]
    return ["cropped", alike, f"a part of the picture, without {cut}"]


@lru_cache(maxsize=256)
def _grey(path: Path) -> Image.Image:
    picture = open_image(path, fast=True).convert("L")
    return picture.resize((_SIDE, _SIDE), Image.Resampling.BOX)


def _fit(whole: Image.Image, part: Image.Image, box: np.ndarray) -> tuple[np.ndarray, float]:
    """Where one picture lies in another, in shares of its sides, and how their details correlate.

    The box is improved by least squares, from coarse to fine, as in B. D. Lucas and T. Kanade, "An
    iterative image registration technique", IJCAI (1981).
    """
    for side, steps in ((16, 3), (32, 2), (64, 1)):
        there = np.asarray(part.resize((side, side), Image.Resampling.BOX), dtype=float)
        share = (np.arange(side) + 0.5) / side
        for _ in range(steps):
            here = _inside(whole, box, side)
            down, right = np.gradient(here)
            right, down = right * side / (box[2] - box[0]), down * side / (box[3] - box[1])
            ends = right * (1 - share), down.T * (1 - share), right * share, down.T * share
            known = np.stack([ends[0], ends[1].T, ends[2], ends[3].T, here, np.ones_like(here)])
            known = known.reshape(6, -1)
            squares = known @ known.T + np.eye(6)  # so that there is always a solution
            *step, gain, _ = np.linalg.solve(squares, known @ there.ravel())
            step = np.clip(np.array(step) / max(gain, _LEAST_CONTRAST), -_STEP, _STEP)
            box = np.clip(box + step, 0, 1)
            if gain < _LEAST_CONTRAST or min(box[2:] - box[:2]) < _LEAST_SIDE:
                return box, 0.0
        if side == 16:
            continue
        one, other = _details(_inside(whole, box, side)), _details(there)
        product = np.sqrt((one * one).sum() * (other * other).sum())
        alike = round(float((one * other).sum() / max(product, 1.0)), 4)
        if alike < _LEAST_OF_HALF:
            break
    return box, alike


def _inside(whole: Image.Image, box: np.ndarray, side: int) -> np.ndarray:
    """A part of a picture, brought to so many pixels on each side."""
    part = whole.resize((side, side), Image.Resampling.BILINEAR, box=tuple(box * _SIDE))
    return np.asarray(part, dtype=float)


def _details(levels: np.ndarray) -> np.ndarray:
    """What is left of a picture without its mean levels over 8 x 8 pixels."""
    picture = Image.fromarray(levels.astype(np.float32))
    coarse = picture.reduce(8).resize(picture.size, Image.Resampling.BICUBIC)
    return levels - np.asarray(coarse)
