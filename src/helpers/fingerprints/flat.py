"""What a fingerprint says nothing about: flat pictures and even gradients."""

from __future__ import annotations

import numpy as np
from PIL import Image

from helpers import Problem
from helpers.fingerprints import hashes
from helpers.hamming import BITS, as_fingerprints

#: A fingerprint at most so many bits away from all zeros or all ones says nothing: see `says_nothing`.
NOTHING = 8


def says_nothing(fingerprints: object) -> np.ndarray:
    """Whether fingerprints say next to nothing about a picture, so that to ban one would ban crowds.

    dHash compares neighbours from left to right. In a plain picture all are equal, and all bits are 0: so are they where it only
    changes from top to bottom, or grows darker to the right; where it grows lighter all bits are 1. A fingerprint says nothing if
    at most 8 bits, `NOTHING`, tell it from all zeros or all ones: as `REVIEW` is 8 too, every plain picture would be held back
    because of it. Only the fingerprint is judged, not the spread of the greys: it is what a bank compares and all that a CSV file
    has, and an even gradient has every grey.

    Measured: 100 plain colours, also as JPEG, all say nothing (0 bits are 1), and so do 94 of 100 with a little noise, 96 of 100
    even gradients in any direction and 100 of 100 plain colours with two small words on them. Of CALTECH-101's 9,144 pictures
    6 do, of the sample's 101 pieces of photographs 5.

    Parameters
    ----------
    fingerprints : uint64, or array-like of uint64

    Returns
    -------
    bool, or ndarray of bool

    Raises
    ------
    Problem
        For what is no fingerprint.

    Examples
    --------
    >>> says_nothing(np.array([0, 0xFF, 0x1FF, 2**64 - 1], dtype=np.uint64)).tolist()
    [True, True, False, True]
    """
    ones = np.bitwise_count(as_fingerprints(fingerprints))
    return np.minimum(ones, BITS - ones) <= NOTHING


def check_says_something(value: np.uint64, name: object) -> None:
    if says_nothing(value):
        raise Problem(
            f"{name}: its fingerprint {hashes.to_hex(value)} says nothing, being nearly that of a plain picture or an "
            "even gradient, all of which would be held back with it; flag it only if you want that (anyway)"
        )


def is_flat(picture: Image.Image) -> bool:
    """Whether a fingerprint says nothing about a picture, because it compares greys that are all but equal.

    Parameters
    ----------
    picture : PIL.Image.Image

    Returns
    -------
    bool
        Whether fewer than 8 of the 64 comparisons are of greys that differ by 2 levels of 255 or more. No picture of CALTECH-101
        is flat; of the two that come next (fewer than 16) the fingerprints move by 13 bits when they are halved and saved at
        quality 40, of all others by 8 bits at most.

    Examples
    --------
    >>> is_flat(Image.new("RGB", (90, 80), "navy")), is_flat(Image.linear_gradient("L").rotate(90))
    (True, False)
    """
    greys = np.asarray(picture.convert("L").resize((9, 8), Image.Resampling.LANCZOS), dtype=int)
    return bool((np.abs(np.diff(greys, axis=1)) >= 2).sum() < 8)
