"""What a gate sees of a picture: its frames, and each of them in several views.

A view has two fingerprints: the dHash, by which entries near it are found, and a second one of
another kind, which has to agree. The dHash sees a picture's outline: memes of one template and
letters of one letterhead share it. The second sees finer details. See `helpers.gate.memory` for
how far each may differ. Both depend on the same packages, so the bank's recipe tells for both
whether they may be compared.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import NamedTuple, Self

import numpy as np
from PIL import Image

from helpers import Problem
from helpers.files.places import is_same_file
from helpers.fingerprints import hashes
from helpers.fingerprints.variants import (
    ORIENTATIONS,
    orientations,
    orientations_of_phash,
    without_border,
)
from helpers.hamming import as_query
from helpers.images.frames import count_frames, frames
from helpers.images.opening import open_image

#: The hash of the second fingerprint.
SECOND = "phash-256"
#: How many frames or pages of a file are looked at: of more, so many that are evenly spread.
MOST_LOOKED_AT = 100

_SMALL = (64, 64)  # pixels, of which the second hash is made
_LARGE = 256  # pixels on the longer side: borders of larger pictures are looked for in reduced ones


class View(NamedTuple):
    """A frame in one view: as it is, for example, or mirrored.

    Parameters
    ----------
    how : str
        Empty for the frame as it is.
    value : uint64
        Its dHash.
    second : ndarray of uint64, shape (words,), or None
        Its second fingerprint. None if only the dHash is known.
    """

    how: str
    value: np.uint64
    second: np.ndarray | None = None


class Frame(NamedTuple):
    """What is seen of a frame or page of a picture.

    Parameters
    ----------
    views : tuple of View
        First as it is, then turned and mirrored, then without its border if it has one.
    """

    views: tuple[View, ...]

    @classmethod
    def of(cls, picture: Image.Image) -> Self:
        """What is seen of a picture as `helpers.images.opening.open_image` gives it.

        Parameters
        ----------
        picture : PIL.Image.Image
            The picture.

        Returns
        -------
        Frame
            All its views.

        Examples
        --------
        >>> [view.how for view in Frame.of(Image.radial_gradient("L")).views[:2]]
        ['', 'turned by 90 degrees']
        """
        grey = picture.convert("L")
        small = grey.resize(_SMALL, Image.Resampling.LANCZOS)
        values, seconds = orientations(small), orientations_of_phash(small, SECOND)
        views = [View("", hashes.of_shown(grey), seconds[0])]
        views += map(View, list(ORIENTATIONS)[1:], values[1:], seconds[1:])
        grey = grey.reduce(-(-max(grey.size) // _LARGE))
        if (inner := without_border(grey)).size != grey.size:
            inner = inner.resize(_SMALL, Image.Resampling.LANCZOS)
            pair = hashes.of_shown(inner), hashes.of_shown(inner, SECOND)
            views.append(View("cut out of its border", *pair))
        return cls(tuple(views))

    @property
    def value(self) -> np.uint64:
        """The dHash of the frame as it is."""
        return self.views[0].value

    @property
    def others(self) -> str:
        """The other hashes of the frame as it is, as a bank's log keeps them: JSON."""
        second = self.views[0].second
        if second is None:
            return "{}"
        return json.dumps({SECOND: hashes.to_hex(second, hashes.hash_of(SECOND).bits)})


class Sight(NamedTuple):
    """All that a gate sees of a picture.

    Parameters
    ----------
    frames : list of Frame
        Those that were looked at.
    unseen : int
        How many were not.
    """

    frames: list[Frame]
    unseen: int = 0


def look(place: Path, reading: dict, picture: object) -> Sight | Problem:
    """What the gate sees of a picture.

    Parameters
    ----------
    place : Path
        The bank's own file, which is never opened: to close it would drop SQLite's locks.
    reading : dict
        The arguments of `helpers.images.opening.open_image`.
    picture : str, Path, PIL.Image.Image, uint64 or Frame
        A file; or a picture in memory, of which the frame that it shows counts; or a fingerprint;
        or a frame that was looked at before.

    Returns
    -------
    Sight or Problem
        The `Problem` if it cannot be read.
    """
    try:
        if isinstance(picture, (str, Path)):
            if is_same_file(place, picture):
                raise Problem(f"{picture}: is the bank itself; name a picture")
            seen = [Frame.of(one) for one in frames(picture, MOST_LOOKED_AT, **reading)]
            return Sight(seen, max(0, count_frames(picture) - len(seen)))
        if isinstance(picture, Frame):
            return Sight([picture])
        if isinstance(picture, (int, np.integer)):
            return Sight([Frame((View("", as_query(picture, words=1)[0]),))])
        if isinstance(picture, Image.Image):
            return Sight([Frame.of(open_image(picture, **reading))])
    except Problem as problem:
        return problem
    return Problem(
        f"a picture is a file, a PIL image or a uint64 fingerprint, not {type(picture).__name__}"
    )
