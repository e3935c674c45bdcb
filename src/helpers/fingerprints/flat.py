"""What a fingerprint says nothing about: flat pictures and even gradients."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from helpers import Problem
from helpers.files.places import counted
from helpers.fingerprints import recipe
from helpers.fingerprints.hashes import DHASH, Hash, hash_of, of_file, to_hex
from helpers.hamming import as_query, as_words, count_bits

if TYPE_CHECKING:
    from numpy.typing import ArrayLike


def says_nothing(fingerprints: ArrayLike, hash: str = DHASH) -> np.ndarray | np.bool_:
    """Whether fingerprints say next to nothing about a picture.

    Such a fingerprint is that of a flat picture, or near it. To ban it would ban crowds, and
    pairs of them are no copies. Only the fingerprint is judged, not the spread of the greys: the
    fingerprint is what a bank compares and all that a CSV file has.

    Parameters
    ----------
    fingerprints : array-like of uint64, shape (), (n,) or (n, words), or of hex text
        One fingerprint, or many; one of several words has the shape (words,).
    hash : str
        The hash that made them.

    Returns
    -------
    bool, or ndarray of bool, shape (n,)
        One answer for each fingerprint.

    Raises
    ------
    Problem
        If the values are not fingerprints of this hash.

    Notes
    -----
    dHash compares neighbours from left to right. In a flat picture all are equal, so that all
    bits are 0. They are 0 as well where a picture only changes from top to bottom, or grows
    darker to the right; where it grows lighter all bits are 1. A fingerprint of dHash says
    nothing if at most 8 bits tell it from all zeros or all ones: since the gate holds back
    pictures within 8 bits, every flat picture would be held back because of it.

    Measured on 100 flat pictures, also as JPEG: all say nothing, in every hash but PDQ. So do some
    of 100 flat pictures with noise of one grey level, of 100 even gradients in any direction, and
    of the 101 pictures of the sample (of those which are grey, colorhash says no more than that):

    ============== ===== ========= ======
    hash           noise gradients sample
    ============== ===== ========= ======
    dhash          92    100       5
    dhash-256      78    97        2
    dhash-vertical 92    99        2
    dhash-both     92    99        1
    ahash          78    0         0
    phash          26    0         0
    phash-256      0     0         0
    whash          0     0         0
    colorhash      92    99        44
    ============== ===== ========= ======

    Of CALTECH-101's 9,144 pictures 6 say nothing in dHash. In PDQ the fingerprint of a flat
    picture is noise, and only its quality, which is 0, tells; its authors say to discard
    fingerprints of quality 49 or less.

    Examples
    --------
    >>> says_nothing(np.array([0, 0xFF, 0x1FF, 2**64 - 1], dtype=np.uint64)).tolist()
    [True, True, False, True]
    >>> says_nothing(["8000000000000000", "8000000000000001"], hash="phash").tolist()
    [True, False]
    """
    kind = hash_of(hash)
    if isinstance(fingerprints, str) or np.ndim(fingerprints) == 0:
        return _says_nothing(as_query(fingerprints, kind.words)[:, None], kind)[0]
    words = as_words(fingerprints)
    if len(words) < kind.words:  # the words of one fingerprint
        return _says_nothing(as_query(words[0], kind.words)[:, None], kind)[0]
    return _says_nothing(words, kind)


def _says_nothing(words: np.ndarray, kind: Hash) -> np.ndarray:
    """For fingerprints word by word, shape (words, n)."""
    digits = [f"{number:0{16 * kind.words}x}" for number in kind.nothing]
    answer = np.zeros(words.shape[1], dtype=bool)
    for pattern in as_words(digits).T:
        answer |= count_bits(words ^ as_query(pattern, len(words))[:, None]) <= kind.nothing_within
    return answer


def check_says_something(value: np.uint64, name: object, hash: str = DHASH) -> None:
    """Make sure that a fingerprint says something about its picture.

    Parameters
    ----------
    value : uint64, or ndarray of uint64, shape (words,)
        The fingerprint.
    name : str or Path
        What the sentence calls the picture.
    hash : str
        The hash that made the fingerprint.

    Raises
    ------
    Problem
        If it says nothing: see `says_nothing`.

    Examples
    --------
    >>> check_says_something(np.uint64(0x3C3C3E0F8ECECDC9), "cat.jpg")
    """
    if says_nothing(value, hash):
        raise Problem(
            f"{name}: its fingerprint {to_hex(value, hash_of(hash).bits)} says nothing, being "
            "nearly that of a plain picture or an even gradient, all of which would be held back "
            "with it; flag it only if you want that (anyway)"
        )


def is_flat(picture: Image.Image) -> bool:
    """Whether a picture is flat: dHash says nothing about it, since its greys are all but equal.

    Parameters
    ----------
    picture : PIL.Image.Image
        The picture.

    Returns
    -------
    bool
        Whether fewer than 8 of dHash's 64 comparisons are of greys that differ by 2 levels of
        255 or more.

    Notes
    -----
    No picture of CALTECH-101 is flat. The two that come closest have fewer than 16 such
    comparisons. If they are halved and saved at quality 40, their fingerprints change by 13 bits;
    those of all other pictures change by 8 bits at most.

    Examples
    --------
    >>> is_flat(Image.new("RGB", (90, 80), "navy"))
    True
    >>> is_flat(Image.linear_gradient("L").rotate(90))
    False
    """
    greys = np.asarray(picture.convert("L").resize((9, 8), Image.Resampling.LANCZOS), dtype=int)
    return bool((np.abs(np.diff(greys, axis=1)) >= 2).sum() < 8)


def plain_on_background(folder: str | Path, paths: Iterable[str], made: recipe.Recipe) -> str:
    """A sentence about transparent pictures, such as white icons, that their background hides.

    Parameters
    ----------
    folder : str or Path
        Where the pictures lie.
    paths : iterable of str
        Their paths in it.
    made : Recipe
        How their fingerprints were made.

    Returns
    -------
    str
        Which of them have the fingerprint of a flat picture, and another one on another background;
        empty if none has.

    Examples
    --------
    >>> plain_on_background("photos", [], recipe.here())
    ''
    """
    below = made.reading["background"] or "nothing"
    other, hidden = "grey" if below in ("nothing", "white") else "white", []
    kind = hash_of(made.hash)
    for path in paths:
        values = []
        with suppress(Problem):
            for reading in (made.reading, made.reading | {"background": other}):
                file = Path(folder, path)
                values.append(of_file(file, made.hash, rules=made.rules, **reading))
        numbers = [int(to_hex(value, kind.bits), 16) for value in values]
        if len(set(numbers)) == 2 and numbers[0] in kind.nothing:
            hidden.append(path)
    if not hidden:
        return ""
    first = f", as {hidden[0]}" if len(hidden) > 1 else f" ({hidden[0]})"
    return (
        f"{counted(len(hidden), 'transparent image')}{first}: plain once laid on {below}, like any "
        f"plain picture; index and search with --background {other} to tell what they show"
    )
