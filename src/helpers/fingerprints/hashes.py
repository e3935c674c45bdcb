"""Hashes: the functions that turn a picture into bits, and what belongs to each."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import imagehash
import numpy as np
from PIL import Image

from helpers import Problem
from helpers.images.opening import open_image

#: The hash of the article, and of everything that names no other.
DHASH = "dhash"


@dataclass(frozen=True)
class Hash:
    """A hash and what belongs to it.

    Attributes
    ----------
    name : str
        What options and files call it.
    bits : int
        How many bits a fingerprint has.
    packages : tuple of str
        The packages that its bits depend on, beside imagehash and Pillow.
    """

    name: str
    bits: int
    packages: tuple[str, ...] = ()


#: All hashes by their names.
HASHES = {DHASH: Hash(DHASH, 64)}


def hash_of(name: str) -> Hash:
    """The hash of a name.

    Parameters
    ----------
    name : str
        One of the names in `HASHES`.

    Returns
    -------
    Hash
        With everything that belongs to it.

    Raises
    ------
    Problem
        If there is no hash of this name.

    Examples
    --------
    >>> hash_of("dhash").bits
    64
    """
    if name not in HASHES:
        raise Problem(f"{name!r}: no such hash; there are {', '.join(HASHES)}")
    return HASHES[name]


def to_hex(fingerprint: np.uint64) -> str:
    """The 16 hex digits of a fingerprint, as ``str(imagehash.dhash(image))`` prints them.

    Parameters
    ----------
    fingerprint : uint64
        A Python integer will do.

    Returns
    -------
    str
        First bit first.

    Raises
    ------
    Problem
        For what is no whole number of 64 bits.

    Examples
    --------
    >>> to_hex(np.uint64(255))
    '00000000000000ff'
    """
    if not isinstance(fingerprint, (int, np.integer)) or not 0 <= int(fingerprint) < 2**64:
        raise Problem(f"{fingerprint!r} is not a fingerprint; it is a whole number of 64 bits")
    return f"{int(fingerprint):016x}"


def from_hex(digits: str) -> np.uint64:
    """The fingerprint behind 16 hex digits.

    Parameters
    ----------
    digits : str

    Returns
    -------
    uint64

    Raises
    ------
    Problem
        If `digits` is anything else.

    Examples
    --------
    >>> from_hex("00000000000000ff")
    np.uint64(255)
    """
    if len(digits) != 16 or not set(digits.lower()) <= set("0123456789abcdef"):
        raise Problem(f"{digits!r} is not a fingerprint; it takes 16 hex digits")
    return np.uint64(int(digits, 16))


def of_image(image: Image.Image, hash_size: int = 8) -> np.uint64 | np.ndarray:
    """The dHash of a picture in memory.

    Parameters
    ----------
    image : PIL.Image.Image
    hash_size : int
        8 for 64 bits, 16 for 256; a multiple of 8.

    Returns
    -------
    uint64
        ``imagehash.dhash(image)``: 64 comparisons of neighbours in a 9 x 8 thumbnail, first bit highest. For a larger
        `hash_size` an array of so many uint64, first word first.

    Raises
    ------
    Problem
        For another `hash_size`.

    Notes
    -----
    dHash is N. Krawetz's, "Kind of Like That" (hackerfactor.com, 2013).

    Examples
    --------
    >>> of_image(Image.linear_gradient("L").rotate(90))
    np.uint64(18446744073709551615)
    """
    if not isinstance(hash_size, int) or hash_size < 8 or hash_size % 8:
        raise Problem(
            f"hash_size {hash_size!r}: it is 8 (64 bits), 16 (256 bits) or another multiple of 8"
        )
    words = np.packbits(imagehash.dhash(image, hash_size).hash).view(">u8").astype(np.uint64)
    return words[0] if len(words) == 1 else words


def of_file(path: str | Path, **reading: object) -> np.uint64:
    """The fingerprint of an image file.

    Parameters
    ----------
    path : str or Path
    **reading
        ``rotate``, ``background``, ``fast``: see `helpers.images.opening.open_image`.

    Returns
    -------
    uint64

    Raises
    ------
    Problem
        With the reason, if the file cannot be read.

    Examples
    --------
    >>> to_hex(of_file("data/sample/cat/whole.jpg"))  # doctest: +SKIP
    '3c3c3e0f8ececdc9'
    """
    return of_image(open_image(path, **reading))
