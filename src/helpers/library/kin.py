"""Kin: pictures that were made from each other, though they are no copies.

Turned and mirrored pictures, pictures in a frame and parts of pictures are mentioned, so that a
person looks at them. They are never moved. They are found in two steps:

- **By fingerprints.** The scan has those of each picture turned and mirrored, of its parts, and
  without its border; see `helpers.fingerprints.variants.variants_of`. Two pictures are candidates
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
from helpers.fingerprints.variants import ORIENTATIONS, PARTS, inside_frame
from helpers.images.opening import open_image
from helpers.library.remembered import open_memory

# What only the main process needs is imported where it is used, so that workers start sooner.
if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import ArrayLike

#: Bits of 128 by which a picture may differ from a variant of another one: of its parts and
#: without its border, and turned or mirrored.
RADIUS, RADIUS_TURNED = 24, 16
#: Bits by which a picture must be nearer to the turned one than to the other one as it is.
LEAST_GAIN = 8
#: The least that the details of kin correlate.
LEAST_CORRELATION = 0.88
#: The most of a picture that counts as a part of it.
MOST_AREA = 0.97
_FAR = 50  # bits; a picture that differs more from another one as it is does not show a part of it
_NEAREST = 3  # so many candidates a picture has, at most
_PAIRS = 2000  # so many candidates are compared, or one for each four pictures
_SIDE = 128  # pixels of what is compared
_STEP, _LEAST_SIDE = 0.05, 0.4  # by how much a box is changed at a time, and the least it has left
_LEAST_CONTRAST = 0.2  # of the part, beside that of the whole
_NEAR_FRAME = 0.03  # of a side: so far the box of a framed picture may be from where it ends
_PLAIN, _SHARE = 6, 0.9  # levels by which most neighbours in a frame differ at most, and how many
_TURNS = list(ORIENTATIONS.items())[1:]
_FALLEN = (6, 4, 7, 5, 1, 3, 0, 2)  # which orientation is each one with rows for columns


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
        From `helpers.library.inventory.scan`. Of rows with the same bytes only the first counts.
        So do only pictures that are not flat, not transparent, and of one frame.
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

        - ``kept``: the whole of a part, the picture inside a frame, or the larger of two.
        - ``path``: the other one.
        - ``kind``: ``turned or mirrored``, ``framed`` or ``cropped``.
        - ``distance``: of 128 bits, those by which a variant of one differs from the other.
        - ``correlation``: of the details.
        - ``reason``: in words.

    Examples
    --------
    >>> kin("photos", scan("photos"))  # doctest: +SKIP
    """
    import pandas as pd

    table = table[table["variants"] != ""].drop_duplicates("sha256")
    for name, usual in (("frames", 1), ("flat", False), ("transparent", False)):
        table = table[table[name].eq(usual).fillna(False)]
    pairs = _candidates(table["variants"].tolist())
    for end in ("one", "other"):
        for name in ("path", "sha256"):
            pairs[f"{end}_{name}"] = table[name].to_numpy()[pairs[end]]
        pairs[f"{end}_area"] = (table["width"] * table["height"]).to_numpy()[pairs[end]]
    apart = {frozenset(pair) for pair in known}
    ends = map(frozenset, zip(pairs["one_path"], pairs["other_path"], strict=True))
    pairs = pairs[np.array([pair not in apart for pair in ends], dtype=bool)]
    pairs = pairs.head(max(_PAIRS, len(table) // 4))
    rows = [
        _row(pair, *found)
        for pair, found in zip(
            pairs.itertuples(), _compared(Path(folder), pairs, cache, workers), strict=True
        )
        if found
    ]
    columns = ["kept", "path", "kind", "distance", "correlation", "reason"]
    found = pd.DataFrame(rows, columns=columns)
    found = found.sort_values(["correlation", "kept", "path"], ascending=[False, True, True])
    return found[~found[["kept", "path"]].apply(frozenset, axis=1).duplicated()].reset_index(
        drop=True
    )


def _row(pair: tuple, kind: str, correlation: float, reason: str) -> tuple:
    stays, path = pair.one_path, pair.other_path
    turned = kind.startswith("turned")
    if kind == "framed" or (turned and (-pair.one_area, stays) > (-pair.other_area, path)):
        stays, path = path, stays
    return stays, path, kind, pair.distance, correlation, reason


# Candidates


def _candidates(variants: list[str]) -> pd.DataFrame:
    """Which picture may show which, by which of its variants, and the bits that differ.

    The nearest of each picture come first, so that a crowd does not take the place of others.
    """
    import pandas as pd

    parts = [np.stack(part) for part in _near(variants) if len(part[0])]
    names = ["one", "other", "variant", "distance"]
    found = pd.DataFrame(np.concatenate([np.empty((4, 0), int), *parts], axis=1).T, columns=names)
    found = found.sort_values(["distance", "variant", "one", "other"])
    found = found.drop_duplicates(["one", "other"])
    found["place"] = found.groupby("other").cumcount()
    found = found[found["place"] < _NEAREST]
    return found.sort_values(["place", "distance", "one", "other"], ignore_index=True)


def _near(variants: list[str]) -> Iterator[tuple[np.ndarray, ...]]:
    """All pairs of a picture and another one that is near to a variant of it, row by row."""
    size = 8 + 2 * len(PARTS)
    words = [np.frombuffer(bytes.fromhex(text), ">u8").astype(np.uint64) for text in variants]
    frames = {row: one[size:, None] for row, one in enumerate(words) if len(one) > size}
    words = np.array([one[:size] for one in words], dtype=np.uint64).reshape(-1, size).T.copy()
    own, count = words[[0, 6]], np.bitwise_count

    for row in range(len(variants)):
        if row in frames:
            bits = count(own ^ frames[row]).sum(axis=0, dtype=np.uint8)
            bits[row] = 255
            yield _within(row, np.arange(len(bits)), bits[None], RADIUS, len(_TURNS) + len(PARTS))
        rest = own[:, row + 1 :]
        plain = count(rest[0] ^ own[0, row]) + count(rest[1] ^ own[1, row])
        bits = count(rest[0] ^ words[1:8, row, None])
        which, at = np.nonzero(bits <= RADIUS_TURNED)
        bits = bits[which, at] + count(rest[1, at] ^ words[_FALLEN, row][which + 1])
        is_near = (bits <= RADIUS_TURNED) & (bits + LEAST_GAIN <= plain[at])
        at = at[is_near]
        yield np.full(len(at), row), at + row + 1, which[is_near], bits[is_near]
        near = np.flatnonzero(plain <= _FAR)
        others, plain = near + row + 1, plain[near]
        for one, other in ((row, others), (others, row)):
            mine, theirs = words[8:, one].reshape(len(PARTS), 2, -1), own[:, other].reshape(2, -1)
            bits = count(mine[:, 0] ^ theirs[0]) + count(mine[:, 1] ^ theirs[1])
            yield _within(one, other, bits, np.minimum(plain, RADIUS), len(_TURNS))


def _within(
    one: ArrayLike, other: ArrayLike, bits: np.ndarray, most: ArrayLike, variant: int
) -> tuple[np.ndarray, ...]:
    """Those that differ by so many bits at most, of a row for each variant from the first one."""
    which, at = np.nonzero(bits <= most)
    one, other = np.broadcast_to(one, bits.shape[1:]), np.broadcast_to(other, bits.shape[1:])
    return one[at], other[at], which + variant, bits[which, at]


# Pixels


def _compared(
    folder: Path, pairs: pd.DataFrame, cache: str | Path | None, workers: int | None
) -> list[list]:
    """What was found about each pair: remembered, or by a look; nothing if they are no kin."""
    columns = ["one_path", "other_path", "variant"]
    asked = list(pairs[columns].itertuples(index=False, name=None))
    keys = (pairs["one_sha256"] + pairs["other_sha256"] + pairs["variant"].astype(str)).tolist()
    depends_on = [LEAST_CORRELATION, MOST_AREA]
    with open_memory(folder, cache, "kin", depends_on, _is_finding) as memory:
        found = {key: memory.found[key] for key in keys if key in memory.found}
        new = {pair: key for pair, key in sorted(zip(asked, keys, strict=True)) if key not in found}
        work = partial(_look, folder)
        looked = share_out_as_done(work, list(new), workers=workers, title="kin")
        try:
            for key, one in zip(new.values(), looked, strict=True):
                found[key] = one
                memory.keep(found, at_once=False)
        finally:
            memory.keep(found)
    return [found[key] for key in keys]


def _is_finding(_: str, found: list) -> bool:
    return isinstance(found, list) and [*map(type, found)] in ([], [str, float, str])


def _look(folder: Path, pair: tuple[str, str, int]) -> list:
    """Whether one picture shows the other one, as a kind, a correlation and words; else nothing."""
    one, other, variant = pair
    try:
        whole, part = _grey(folder / one), _grey(folder / other)
    except Problem:  # it is gone or broken since the scan
        return []
    box = (0, 0, 1, 1)
    if is_turned := variant < len(_TURNS):
        whole = whole.transpose(_TURNS[variant][1])
    elif variant < len(_TURNS) + len(PARTS):
        box = np.array(PARTS[variant - len(_TURNS)]) / 100
    else:
        box = np.array(inside_frame(whole)) / _SIDE
    box, alike = _fit(whole, part, box)
    left, top, right, bottom = box
    if alike < LEAST_CORRELATION:
        return []
    if is_turned:
        return ["turned or mirrored", alike, f"the same picture, {_TURNS[variant][0]}"]
    if (right - left) * (bottom - top) > MOST_AREA:
        return []
    cut = (f"{100 * share:.0f} %" for share in (left, top, 1 - right, 1 - bottom))
    sides = "{} at the left, {} at the top, {} at the right and {} at the bottom".format(*cut)
    framed = np.array(inside_frame(whole)) / _SIDE
    if abs(framed - box).max() <= _NEAR_FRAME or _is_plain(whole, box):
        return ["framed", alike, f"the same picture with a frame: {sides}"]
    return ["cropped", alike, f"a part of the picture, without {sides}"]


@lru_cache(maxsize=256)
def _grey(path: Path) -> Image.Image:
    picture = open_image(path, fast=True).convert("L")
    return picture.resize((_SIDE, _SIDE), Image.Resampling.BOX)


def _fit(whole: Image.Image, part: Image.Image, box: np.ndarray) -> tuple[np.ndarray, float]:
    """Where one picture lies in another, in shares of its sides, and how their details correlate.

    The box is improved by least squares, from coarse to fine, as in B. D. Lucas and T. Kanade, "An
    iterative image registration technique", IJCAI (1981).
    """
    box = np.array(box, dtype=float)
    for side, steps in ((16, 4), (32, 3), (64, 3)):
        there = np.asarray(part.resize((side, side), Image.Resampling.BOX), dtype=float)
        share = (np.arange(side) + 0.5) / side
        for _ in range(steps):
            here = _inside(whole, box, side)
            down, right = np.gradient(here)
            right, down = right * side / (box[2] - box[0]), down * side / (box[3] - box[1])
            ends = right * (1 - share), down.T * (1 - share), right * share, down.T * share
            known = np.stack([ends[0], ends[1].T, ends[2], ends[3].T, here, np.ones_like(here)])
            known = known.reshape(6, -1)
            *step, gain, _ = np.linalg.lstsq(known @ known.T, known @ there.ravel(), rcond=None)[0]
            if gain < _LEAST_CONTRAST:
                return box, 0.0
            box = np.clip(box + np.clip(np.array(step) / gain, -_STEP, _STEP), 0, 1)
            if min(box[2] - box[0], box[3] - box[1]) < _LEAST_SIDE:
                return box, 0.0
    one, other = _details(_inside(whole, box, side)), _details(there)
    product = float(np.sqrt((one * one).sum() * (other * other).sum()))
    return box, round(float((one * other).sum()) / max(product, 1.0), 4)


def _inside(whole: Image.Image, box: np.ndarray, side: int) -> np.ndarray:
    """A part of a picture, brought to so many pixels on each side."""
    part = whole.resize((side, side), Image.Resampling.BILINEAR, box=tuple(box * _SIDE))
    return np.asarray(part, dtype=float)


def _details(levels: np.ndarray) -> np.ndarray:
    """What is left of a picture without its mean levels over 8 x 8 pixels."""
    picture = Image.fromarray(levels.astype(np.float32))
    coarse = picture.reduce(8).resize(picture.size, Image.Resampling.BICUBIC)
    return levels - np.asarray(coarse)


def _is_plain(whole: Image.Image, box: np.ndarray) -> bool:
    """Whether hardly anything can be seen outside of a box."""
    levels = np.asarray(whole, dtype=np.int16)
    changes = np.maximum(abs(np.diff(levels, axis=0))[:, :-1], abs(np.diff(levels, axis=1))[:-1])
    left, top, right, bottom = np.round(box * _SIDE + (-1, -1, 1, 1)).astype(int).clip(0)
    outside = np.ones_like(changes, dtype=bool)
    outside[top:bottom, left:right] = False
    return bool((changes[outside] <= _PLAIN).mean() >= _SHARE) if outside.any() else False
