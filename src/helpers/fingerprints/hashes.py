"""Hashes: the functions that turn a picture into bits, in one table with all that belongs to each.

A fingerprint is one whole number: its first bit is the highest of `Hash.bits`. Up to 64 bits it is
a ``uint64`` in arrays and tables; a wider one is several, first word first, and hex text in
tables. Bits that only fill up the first word are zero. `to_hex` and `from_hex` convert; nothing
else does. A new hash is a function and an entry of `HASHES`: see CONTRIBUTING.md.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import BinaryIO

import imagehash
import numpy as np
from PIL import Image

from helpers import Problem
from helpers.images.formats import check_bytes
from helpers.images.opening import open_image

#: The hash of the article, and of everything that names no other.
DHASH = "dhash"

_WORD = 64  # bits
_MODULES = {"PyWavelets": "pywt"}  # where a package's module has another name


@dataclass(frozen=True)
class Hash:
    """A hash and what belongs to it.

    Parameters
    ----------
    name : str
        What options and files call it.
    bits : int
        How many bits a fingerprint has.
    function : callable
        Takes a ``PIL.Image.Image`` and returns its bits: booleans of any shape, first bit first.
    cost : float
        Milliseconds that `function` takes for one picture; see `HASHES` for which.
    source : str
        Who proposed it, and where it was published.
    nothing : tuple of int
        Fingerprints that say nothing about a picture, as flat pictures have them.
    nothing_within : int
        How many bits a fingerprint may differ from one in `nothing` and still say nothing.
    quality : callable or None
        Takes a picture and returns 0 to 100: how much there is in it to be hashed. Most
        hashes have none.
    needs_colour : bool
        Whether it is meaningless on a grey picture.
    packages : tuple of str
        The packages that its bits depend on, beside imagehash and Pillow.
    needs : tuple of str
        What else must be installed, though its version does not matter for the bits.
    memory : int
        Bytes that the picture and `function` take for each pixel, where they are many.
    """

    name: str
    bits: int
    function: Callable[[Image.Image], np.ndarray]
    cost: float
    source: str
    nothing: tuple[int, ...] = (0,)
    nothing_within: int = 0
    quality: Callable[[Image.Image], int] | None = None
    needs_colour: bool = False
    packages: tuple[str, ...] = ()
    needs: tuple[str, ...] = ()
    memory: int = 5

    @property
    def words(self) -> int:
        """How many words of 64 bits hold a fingerprint."""
        return -(-self.bits // _WORD)

    @property
    def missing(self) -> list[str]:
        """The packages that it takes and that are not installed."""
        packages = self.packages + self.needs
        return [name for name in packages if find_spec(_MODULES.get(name, name)) is None]


def _bits_of(function: Callable, *size: int) -> Callable[[Image.Image], np.ndarray]:
    return lambda image: function(image, *size).hash


_dhash, _vertical = _bits_of(imagehash.dhash), _bits_of(imagehash.dhash_vertical)
_colorhash = _bits_of(imagehash.colorhash)


def _dhash_both(image: Image.Image) -> np.ndarray:
    return np.concatenate([_dhash(image), _vertical(image)])


def _pdq(image: Image.Image) -> np.ndarray:
    import pdqhash  # an extra

    return pdqhash.compute(np.asarray(image.convert("RGB")))[0]


def _pdq_quality(image: Image.Image) -> int:
    import pdqhash

    return pdqhash.compute(np.asarray(image.convert("RGB")))[1]


_KRAWETZ = 'N. Krawetz, "Looks Like It", hackerfactor.com (2011)'
_OFTEDAL = 'D. Oftedal, published by N. Krawetz, "Kind of Like That", hackerfactor.com (2013)'
_PETROV = "D. Petrov, kaggle.com/c/avito-duplicate-ads-detection (2016), as imagehash has it"
_COLOURS = "J. Buchner, imagehash 4.1 (2020)"
_PDQ = 'Facebook, "The TMK+PDQF Video-Hashing Algorithm and the PDQ Image-Hashing Algorithm" (2019)'


# Three bits for each of 14 colours tell which share it has: all bits are 1 if all is of it.
_ONE_COLOUR = (0, *(7 << 3 * colour for colour in range(14)))
_HALF, _FULL = 2**64 - 1, 2**128 - 1

#: All hashes by their names. `Hash.cost` was measured on one core, on the 101 pictures of the
#: sample, opened before (314 x 297 pixels on average). What says nothing was measured on 100
#: plain colours, which all say nothing, and noted in `helpers.fingerprints.flat`.
HASHES = {
    hash.name: hash
    for hash in (
        Hash(DHASH, 64, _dhash, 0.4, _OFTEDAL, (0, _HALF), 8),
        Hash("dhash-256", 256, _bits_of(imagehash.dhash, 16), 0.4, _OFTEDAL, (0, 2**256 - 1), 32),
        Hash("dhash-vertical", 64, _vertical, 0.4, _OFTEDAL, (0, _HALF), 8),
        Hash("dhash-both", 128, _dhash_both, 0.7, _OFTEDAL, (0, _HALF, _FULL ^ _HALF, _FULL), 16),
        Hash("ahash", 64, _bits_of(imagehash.average_hash), 0.4, _KRAWETZ),
        Hash("phash", 64, _bits_of(imagehash.phash), 0.5, _KRAWETZ, (0, 2**63)),
        Hash("phash-256", 256, _bits_of(imagehash.phash, 16), 0.5, _KRAWETZ, (0, 2**255)),
        Hash(
            "whash", 64, _bits_of(imagehash.whash), 3.2, _PETROV, needs=("PyWavelets",), memory=11
        ),
        Hash("colorhash", 42, _colorhash, 1.6, _COLOURS, _ONE_COLOUR, needs_colour=True, memory=14),
        Hash("pdq", 256, _pdq, 1.3, _PDQ, (0,), 0, _pdq_quality, False, ("pdqhash",), memory=26),
    )
}


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
        If there is no hash of this name, or if it needs a package that is not installed.

    Examples
    --------
    >>> hash_of("dhash").bits
    64
    """
    if name not in HASHES:
        raise Problem(f"{name!r}: no such hash; there are {', '.join(HASHES)}")
    for package in HASHES[name].missing:
        raise Problem(
            f"{name} needs {package}, which is not installed: run  python -m pip install "
            f"{package}  (where it has no wheel it takes a C++ compiler), or take another hash"
        )
    return HASHES[name]


def to_int(fingerprint: int | np.uint64 | np.ndarray, bits: int = _WORD) -> int:
    """A fingerprint as one whole number of Python.

    Parameters
    ----------
    fingerprint : uint64, or ndarray of uint64, shape (words,)
        One fingerprint: a number (a Python integer will do), or words, first word first.
    bits : int
        How many bits the fingerprint has.

    Returns
    -------
    int
        The first bit is the highest.

    Raises
    ------
    Problem
        If the value is not a whole number of so many bits, as a float is not.

    Examples
    --------
    >>> to_int(from_hex("00000000000000010000000000000002", bits=128), bits=128) == 2**64 + 2
    True
    """
    number = fingerprint
    if isinstance(number, np.ndarray) and number.ndim == 1 and number.dtype == np.uint64:
        number = int.from_bytes(number.astype(">u8").tobytes(), "big")
    is_whole = isinstance(number, (int, np.integer)) and not isinstance(number, bool)
    if not is_whole or not 0 <= int(number) < 2**bits:
        is_float = isinstance(number, (float, np.floating))
        why = ": a float holds only 53 of the bits" if is_float else ""
        raise Problem(
            f"{fingerprint!r} is not a fingerprint; it is a whole number of {bits} bits{why}"
        )
    return int(number)


def to_hex(fingerprint: int | np.uint64 | np.ndarray, bits: int = _WORD) -> str:
    """The hex digits of a fingerprint, as ``str(imagehash.dhash(image))`` prints them.

    Parameters
    ----------
    fingerprint : uint64, or ndarray of uint64, shape (words,)
        One fingerprint, as for `to_int`.
    bits : int
        How many bits the fingerprint has.

    Returns
    -------
    str
        First bit first; a digit for each 4 bits, so 16 digits for 64 bits.

    Raises
    ------
    Problem
        If the value is not a whole number of so many bits.

    Examples
    --------
    >>> to_hex(np.uint64(255))
    '00000000000000ff'
    """
    return f"{to_int(fingerprint, bits):0{-(-bits // 4)}x}"


def to_image_hash(
    fingerprint: int | np.uint64 | np.ndarray, hash: str = DHASH
) -> imagehash.ImageHash:
    """A fingerprint as imagehash has it.

    Parameters
    ----------
    fingerprint : uint64, or ndarray of uint64, shape (words,)
        One fingerprint, as for `to_int`.
    hash : str
        The name of the hash that made it.

    Returns
    -------
    imagehash.ImageHash
        Equal to the one that imagehash itself makes. `from_any` leads back.

    Raises
    ------
    Problem
        If the value is no fingerprint of this hash.

    Examples
    --------
    >>> print(to_image_hash(np.uint64(255)), to_image_hash(np.uint64(255)) - to_image_hash(254))
    00000000000000ff 1
    """
    kind = hash_of(hash)
    digits = f"{to_int(fingerprint, kind.bits):0{kind.bits}b}"
    shape = np.shape(kind.function(Image.new("RGB", (64, 64))))  # as this hash lays its bits out
    return imagehash.ImageHash(np.array([bit == "1" for bit in digits]).reshape(shape))


def from_any(
    value: str | int | np.uint64 | np.ndarray | imagehash.ImageHash, bits: int = _WORD
) -> np.uint64 | np.ndarray:
    """The fingerprint behind any form in which one is written down.

    Parameters
    ----------
    value : str, int, uint64, ndarray of uint64 or imagehash.ImageHash
        Hex digits, a whole number, words, or what imagehash has made.
    bits : int
        How many bits the fingerprint has.

    Returns
    -------
    uint64, or ndarray of uint64, shape (words,)
        A number up to 64 bits, several words beyond.

    Raises
    ------
    Problem
        If it is no fingerprint of so many bits. A float never is, as it holds only 53 bits.

    Examples
    --------
    >>> from_any("00000000000000ff"), from_any(255), from_any(to_image_hash(255))
    (np.uint64(255), np.uint64(255), np.uint64(255))
    """
    if isinstance(value, imagehash.ImageHash):
        value = str(value)
    return from_hex(value if isinstance(value, str) else to_hex(value, bits), bits)


def from_hex(digits: str, bits: int = _WORD) -> np.uint64 | np.ndarray:
    """The fingerprint behind hex digits.

    Parameters
    ----------
    digits : str
        As from `to_hex`.
    bits : int
        How many bits the fingerprint has.

    Returns
    -------
    uint64, or ndarray of uint64, shape (words,)
        A number up to 64 bits, several words beyond.

    Raises
    ------
    Problem
        If `digits` are not the digits of such a fingerprint.

    Examples
    --------
    >>> from_hex("00000000000000ff")
    np.uint64(255)
    >>> from_hex("000000000000000000000000000000ff", bits=128)
    array([  0, 255], dtype=uint64)
    """
    length = -(-bits // 4)
    known = len(digits) == length and set(digits.lower()) <= set("0123456789abcdef")
    if not known or int(digits, 16) >= 2**bits:
        raise Problem(f"{digits!r} is not a fingerprint; it takes {length} hex digits")
    words = -(-bits // _WORD)
    found = np.frombuffer(int(digits, 16).to_bytes(8 * words, "big"), ">u8").astype(np.uint64)
    return found[0] if words == 1 else found


def of_image(image: Image.Image, hash: str = DHASH, **reading: object) -> np.uint64 | np.ndarray:
    """The fingerprint of a picture in memory: the same as that of its file.

    Parameters
    ----------
    image : PIL.Image.Image
        The picture, also one that Pillow has opened and not decoded yet. It stays as it is.
    hash : str
        The name of the hash: one of `HASHES`.
    **reading
        ``rotate``, ``background``, ``rules``: see `helpers.images.opening.open_image`. With
        ``rotate=False, background=None`` the pixels count as they are stored, as they do for
        ``imagehash``.

    Returns
    -------
    uint64, or ndarray of uint64, shape (words,)
        A number up to 64 bits, several words beyond. For dHash it is ``imagehash.dhash(image)``:
        64 comparisons of neighbours in a 9 x 8 thumbnail, first bit highest.

    Raises
    ------
    Problem
        If there is no such hash, if it needs a package that is not installed, or if the picture
        cannot be decoded.

    Notes
    -----
    What tells how a picture is to be turned is its EXIF tag, which Pillow keeps with a picture.
    What `helpers.images.opening.open_image` gives has lost that tag, so that nothing is turned
    twice.

    Examples
    --------
    >>> of_image(Image.linear_gradient("L").rotate(90))
    np.uint64(18446744073709551615)
    >>> of_image(Image.linear_gradient("L"), hash="dhash-both")
    array([                   0, 18446744073709551615], dtype=uint64)
    """
    return of_shown(open_image(image, **reading), hash)


def of_file(
    path: str | Path | BinaryIO, hash: str = DHASH, **reading: object
) -> np.uint64 | np.ndarray:
    """The fingerprint of an image file.

    Parameters
    ----------
    path : str, Path or binary file
        The file.
    hash : str
        The name of the hash: one of `HASHES`.
    **reading
        ``rotate``, ``background``, ``fast``, ``rules``: see `helpers.images.opening.open_image`.

    Returns
    -------
    uint64, or ndarray of uint64, shape (words,)
        See `of_image`.

    Raises
    ------
    Problem
        With the reason, if the file cannot be read or there is no such hash.

    Examples
    --------
    >>> to_hex(of_file("data/sample/cat/whole.jpg"))  # doctest: +SKIP
    '3c3c3e0f8ececdc9'
    """
    return of_shown(open_image(path, **reading), hash)


def of_shown(picture: Image.Image, hash: str = DHASH) -> np.uint64 | np.ndarray:
    """The fingerprint of a picture as `helpers.images.opening.open_image` gave it.

    Parameters
    ----------
    picture : PIL.Image.Image
        The picture, whose pixels are taken as they are.
    hash : str
        The name of the hash: one of `HASHES`.

    Returns
    -------
    uint64, or ndarray of uint64, shape (words,)
        See `of_image`.

    Raises
    ------
    Problem
        If there is no such hash, if it needs a package that is not installed, or if it would take
        too much memory for a picture of this size.

    Examples
    --------
    >>> of_shown(Image.linear_gradient("L").rotate(90))
    np.uint64(18446744073709551615)
    """
    kind = hash_of(hash)
    check_bytes(picture.width * picture.height * kind.memory)
    bits = np.asarray(kind.function(picture), dtype=bool).ravel()
    if bits.size != kind.bits:
        raise TypeError(f"{hash} gave {bits.size} bits, and its entry says {kind.bits}")
    if bits.size % _WORD:
        bits = np.concatenate([np.zeros(-bits.size % _WORD, dtype=bool), bits])
    words = np.packbits(bits).view(">u8").astype(np.uint64)
    return words[0] if len(words) == 1 else words
