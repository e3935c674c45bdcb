"""Kinds of files: which ones are pictures, what the others are, how much memory a picture takes.

A picture is known by its content, whatever its name is. `SUFFIXES` are the names by which pictures
are looked for in folders. A new kind of picture is a line in `PLUGINS` and its suffixes.
"""

from __future__ import annotations

import errno
import io
import os
import re
import struct
import warnings
from contextlib import AbstractContextManager, nullcontext, suppress
from functools import cache
from importlib import import_module
from math import prod
from pathlib import Path
from typing import BinaryIO

from PIL import Image

from helpers import Problem
from helpers.files.places import open_input

#: File names that count as images, whatever their case.
SUFFIXES = (
    *(".jpg", ".jpeg", ".jpe", ".jfif", ".jif", ".jfi", ".pjpeg", ".pjp", ".jpg_large", ".mpo"),
    *(".png", ".apng", ".webp", ".gif", ".bmp", ".dib", ".tif", ".tiff", ".avif", ".heic"),
    *(".heif", ".hif", ".ppm", ".pgm", ".pbm", ".pnm", ".pfm", ".jp2", ".j2k", ".j2c", ".jpf"),
    *(".jpx", ".jpc", ".tga", ".ico"),
)

#: Pillow's names of the formats that are read, and the modules that bring them, where those are
#: not loaded by ``Image.preinit``. Other formats, as EPS, may start a program.
PLUGINS = {
    **dict.fromkeys(("JPEG", "PNG", "GIF", "BMP", "DIB", "PPM"), ""),
    **{"MPO": "Mpo", "WEBP": "WebP", "TIFF": "Tiff", "AVIF": "Avif"},
    **{"JPEG2000": "Jpeg2K", "ICO": "Ico", "HEIF": "pillow_heif", "TGA": "Tga"},
}

#: Bytes of memory that one picture may take while it is read and shown. With all that Python and
#: the kit take, a process stays below a gigabyte. It may be raised here, or by a running program
#: (``formats.MOST_BYTES = 4e9``) for itself, but not for the workers that it starts.
MOST_BYTES = 870_000_000

#: Pixels that the scans of a progressive JPEG may go through, all together. A scan goes through
#: the whole picture, and may be a few bytes of the file; a tenth of this takes half a second.
MOST_SCANNED_PIXELS = 10_000_000_000

#: Bytes of EXIF that a JPEG may have in many parts. One part has 64 kB at most.
MOST_EXIF_BYTES = 8_000_000

#: Bytes of a PNG that may be copied to do without what is broken beside its picture.
MOST_PNG_BYTES = 250_000_000

# Bytes a pixel that a decoder takes beside the picture, as measured on pictures of 24 megapixels.
_DECODER_BYTES = {"WEBP": 12, "AVIF": 12, "HEIF": 12, "JPEG2000": 20, "ICO": 12}
# How files begin that are decoded piece by piece, and never lie in memory as a whole.
_PIECE_BY_PIECE = (b"II", b"MM", b"BM", b"P")

_HEIC = rb"(?s).{4}ftyp(hei[cxms]|hev[cx]|mif1|msf1)"

# What a file is that is no picture of these formats: how it begins, as a regular expression.
_OTHERS = (
    (rb"\Z", "is empty (0 bytes); copy it again from its source"),
    (
        rb"version https://git-lfs",
        "is a pointer of Git LFS, which stands for the picture; run  git lfs pull",
    ),
    (
        rb"(\xef\xbb\xbf)?\s*<(!doctype html|html|head|body)",
        "is a web page, as one that asks to sign in, not a picture; fetch the picture again",
    ),
    (
        rb"(\xef\xbb\xbf)?\s*(<\?xml.*)?<svg|%PDF|%!PS",
        "is a drawing or a document, which is not looked at; save it as PNG to have it read",
    ),
    (
        rb".{4}ftyp(?!avi|hei|hev|mif|msf)|RIFF.{4}(AVI |WAVE)|ID3|\xff[\xf2-\xfb]|OggS|fLaC"
        rb"|\x1a\x45\xdf\xa3",
        "is a film or a sound recording, which is not looked at",
    ),
    (rb"PK\x03\x04|\x1f\x8b|7z\xbc\xaf|Rar!", "is an archive, which is not looked at; unpack it"),
    (
        rb"\xff\xd8\xff|\x89PNG|GIF8|II\*\0|MM\0\*|RIFF.{4}WEBP|.{4}ftypavif",
        "begins as a picture does, and is damaged after that; copy it again from its source",
    ),
)


@cache
def formats() -> list[str]:
    """The formats that are read here.

    Returns
    -------
    list of str
        Those of `PLUGINS` that this Pillow has, with the plugins loaded. The last one is TGA, which
        has no sign of its own at its beginning.

    Examples
    --------
    >>> formats()[0]
    'JPEG'
    """
    Image.preinit()  # Image.init() would load 40 plugins
    for module in filter(None, PLUGINS.values()):
        with suppress(ImportError):
            if module == "pillow_heif":
                import_module(module).register_heif_opener()
            else:
                import_module(f"PIL.{module}ImagePlugin")
    return [name for name in PLUGINS if name in Image.OPEN]


def open_header(file: BinaryIO) -> Image.Image:
    """A picture file, opened and not yet decoded.

    Parameters
    ----------
    file : binary file
        It is read from its beginning, whatever its position is.

    Returns
    -------
    PIL.Image.Image
        A picture whose pixels are still to be decoded.

    Raises
    ------
    Problem
        If even to open it would take too much memory or time. The text goes on after the name.
    Exception
        Any that Pillow raises for a file that is no picture of the `formats`.
    """
    size, start = file.seek(0, os.SEEK_END), file.seek(0) or file.read(16)
    whole = 0 if start.startswith(_PIECE_BY_PIECE) else size
    if start[8:12] == b"WEBP":  # Pillow makes room for it at once, and for an icon
        whole += size + _pixels_of_webp(file) * (4 + _DECODER_BYTES["WEBP"])
    elif start.startswith(b"\0\0\1\0"):
        whole += _pixels_of_icon(file) * (4 + _DECODER_BYTES["ICO"])
    check_bytes(whole)
    if start.startswith(b"\xff\xd8") and size > MOST_EXIF_BYTES:
        _check_exif(file)
    names = formats()
    if names[-1] == "TGA" and (start[1:2] > b"\1" or not _is_tga(file, size)):
        names = names[:-1]
    with warnings.catch_warnings(action="ignore"):  # EXIF may be broken
        image = Image.open(file, formats=names)
    if image.info.get("progressive"):
        file.seek(0)
        if file.read().count(b"\xff\xda") * image.width * image.height > MOST_SCANNED_PIXELS:
            raise Problem("is a JPEG of so many scans that it would take minutes; save it anew")
    return image


def bare_png(file: BinaryIO) -> BinaryIO | None:
    """A PNG without what it says beside its picture, such as texts and profiles.

    Pillow refuses a whole picture if one of these is broken, or large.

    Parameters
    ----------
    file : binary file
        Any file.

    Returns
    -------
    binary file or None
        The picture, its transparency and its EXIF; None if it is no PNG, or too large for that.

    Examples
    --------
    >>> bare_png(io.BytesIO(b"no PNG")) is None
    True
    """
    size = file.seek(0, os.SEEK_END)
    file.seek(0)
    parts = [file.read(8)]
    if parts[0] != b"\x89PNG\r\n\x1a\n" or size > MOST_PNG_BYTES:
        return None
    while head := file.read(8):
        length = int.from_bytes(head[:4], "big") + 4  # with its checksum
        if head[4:] in (b"IHDR", b"PLTE", b"tRNS", b"IDAT", b"IEND", b"eXIf"):
            parts += [head, file.read(length)]
        else:
            file.seek(length, os.SEEK_CUR)
    return io.BytesIO(b"".join(parts))


def check_memory(image: Image.Image, size: tuple[int, int], *, is_copied: bool) -> None:
    """Make sure that a picture can be decoded within `MOST_BYTES`.

    Parameters
    ----------
    image : PIL.Image.Image
        A picture that is not decoded yet.
    size : (int, int)
        The width and height in the file; `image` may be going to be smaller.
    is_copied : bool
        Whether it will stand in memory twice, as when it is turned.

    Raises
    ------
    Problem
        If it cannot. The text goes on after the name of the picture.

    Examples
    --------
    >>> check_memory(Image.new("RGB", (90, 80)), (90, 80), is_copied=True)
    """
    channels = 1 if image.mode in ("1", "L", "P") else 4
    each = channels + max(1, 4 * is_copied + _DECODER_BYTES.get(image.format, 0))
    needed = image.width * image.height * each
    if image.format in ("JPEG", "MPO"):
        kept = size[0] * size[1] * 2 * image.layers
        needed += kept * (needed + kept > MOST_BYTES and _is_kept_whole(image))
    elif image.format == "TIFF" and image.info.get("compression") != "raw":
        rows = min(_tag(image, 278, size[1]), size[1])  # of a strip, if there are no tiles
        needed += 8 * _tag(image, 322, size[0]) * _tag(image, 323, rows)
    check_bytes(needed)


def _tag(image: Image.Image, number: int, usual: int) -> int:
    value = image.tag_v2.get(number)
    return value if isinstance(value, int) and value > 0 else usual


def check_bytes(needed: int) -> None:
    """Make sure that a picture takes no more than `MOST_BYTES`.

    Parameters
    ----------
    needed : int
        Bytes of memory that it would take.

    Raises
    ------
    Problem
        If it would take more. The text goes on after the name of the picture.

    Examples
    --------
    >>> check_bytes(90 * 80)
    """
    if needed > MOST_BYTES:
        raise Problem(
            f"would take {needed / 1e6:,.0f} MB of memory, and one picture may take "
            f"{MOST_BYTES / 1e6:,.0f} MB; save a smaller copy"
        )


def _check_exif(file: BinaryIO) -> None:
    """Raise for a JPEG of much EXIF: Pillow would join its parts, in a time that grows as n * n."""
    place = exif = 0
    while exif <= MOST_EXIF_BYTES:
        file.seek(place)
        head = file.read(10).ljust(10, b"\0")
        if head[0] != 0xFF or head[1] == 0xDA:  # where the pixels begin
            return
        is_filling = head[1] == 0xFF or head[1] in range(0xD0, 0xD9)  # has no length
        length = (1 + (head[1] != 0xFF)) if is_filling else 2 + int.from_bytes(head[2:4], "big")
        exif += length * (head[4:8] == b"Exif")
        place += length
    raise Problem(f"has over {MOST_EXIF_BYTES / 1e6:,.0f} MB of EXIF; save it anew without")


def _is_kept_whole(image: Image.Image) -> bool:
    """Whether a JPEG has several scans; its decoder then keeps all that it has read."""
    length = 6 + 2 * image.layers  # of the header of a scan of all channels, where Pillow stops
    if image.info.get("progressive") or image.fp.tell() < length:
        return True
    image.fp.seek(-length, os.SEEK_CUR)
    return int.from_bytes(image.fp.read(length)[:2], "big") != length


def _pixels_of_webp(file: BinaryIO) -> int:
    place = 12
    for _ in range(100):  # a file may be made of millions of empty chunks
        file.seek(place)
        head = file.read(18).ljust(18, b"\0")
        if head.startswith(b"VP8X"):
            return (1 + int.from_bytes(head[12:15], "little")) * (
                1 + int.from_bytes(head[15:18], "little")
            )
        if head.startswith(b"VP8L"):
            sides = int.from_bytes(head[9:13], "little")
            return (1 + (sides & 0x3FFF)) * (1 + (sides >> 14 & 0x3FFF))
        if head.startswith(b"VP8 "):
            return prod(side & 0x3FFF for side in struct.unpack("<HH", head[14:18]))
        length = int.from_bytes(head[4:8], "little")
        place += 8 + length + length % 2
    return 0


def _pixels_of_icon(file: BinaryIO) -> int:
    """Of the largest of its pictures, whatever the list at the beginning says of their sizes."""
    file.seek(4)
    entries = file.read(2)
    entries = file.read(16 * int.from_bytes(entries, "little"))
    most = 0
    for start in range(12, len(entries), 16):
        file.seek(int.from_bytes(entries[start : start + 4], "little"))
        head = file.read(24).ljust(24, b"\0")
        is_png = head.startswith(b"\x89PNG")
        most = max(
            most, abs(prod(struct.unpack(*(">ii", head[16:]) if is_png else ("<ii", head[4:12]))))
        )
    return most


def _is_tga(file: BinaryIO, size: int) -> bool:
    """Whether it ends or is named as one; at its beginning it has nothing that other files lack."""
    file.seek(max(0, size - 18))
    is_named = str(getattr(file, "name", "")).lower().endswith(".tga")
    return is_named or file.read(18) == b"TRUEVISION-XFILE.\0"


def file_of(source: str | Path | BinaryIO) -> AbstractContextManager[BinaryIO]:
    """A file, open for reading; one that is open already stays open.

    Parameters
    ----------
    source : str, Path or binary file
        The file.

    Returns
    -------
    context manager
        Gives a binary file.

    Examples
    --------
    >>> with file_of(io.BytesIO(b"open")) as file:
    ...     file.read()
    b'open'
    """
    return nullcontext(source) if hasattr(source, "read") else open_input(source)


def name_of(source: str | Path | BinaryIO | Image.Image) -> str:
    """How a sentence calls a picture.

    Parameters
    ----------
    source : str, Path, binary file or PIL.Image.Image
        The picture.

    Returns
    -------
    str
        The path, if it has one.

    Examples
    --------
    >>> name_of(Path("cat.jpg"))
    'cat.jpg'
    """
    if isinstance(source, (str, Path)):
        return str(source)
    return str(getattr(source, "filename", "") or getattr(source, "name", "") or "the picture")


def describe(start: bytes) -> str:
    """What a file is that cannot be opened as a picture.

    Parameters
    ----------
    start : bytes
        How it begins: a few hundred bytes.

    Returns
    -------
    str
        A clause that goes on after its name, with what to do.

    Examples
    --------
    >>> describe(b"%PDF-1.7")
    'is a drawing or a document, which is not looked at; save it as PNG to have it read'
    """
    if start[4:12] == b"ftypavif" and "AVIF" not in formats():
        return "is an AVIF picture, which this Pillow was built without; convert it to JPEG"
    if re.match(_HEIC, start) and "HEIF" not in formats():
        return (
            "is a HEIC picture; convert it to JPEG, or install pillow-heif "
            "(pip install pillow-heif) and start Python anew"
        )
    for begins, sentence in _OTHERS:
        if re.match(begins, start, re.DOTALL | re.IGNORECASE):
            return sentence
    Image.init()  # what its other plugins take for theirs; none of them is let read it
    for name, (_, accept) in Image.OPEN.items():
        # a pointer of a mouse (CUR) begins as many a TGA does
        if name not in (*formats(), "CUR") and accept and accept(start[:16]) is True:
            return f"is a {name} picture, which is not looked at; save it as PNG to have it read"
    return "is not an image that Pillow can read; if it is one, save it as JPEG or PNG"


def reason_of_system(path: Path, error: OSError) -> str:
    """Why the system could not open a picture file, in words.

    Parameters
    ----------
    path : Path
        The file.
    error : OSError
        What the system raised.

    Returns
    -------
    str
        The reason and the remedy. The text goes on after the name of the file.

    Examples
    --------
    >>> reason_of_system(Path("photos/no.jpg"), FileNotFoundError())
    'no such file; check the spelling'
    """
    if isinstance(error, FileNotFoundError) or error.errno == errno.ELOOP:
        if path.is_symlink():
            return (
                f"is a link that leads nowhere ({path.readlink()}); "
                "bring its target back or delete the link"
            )
        return "no such file; check the spelling"
    if os.path.isdir(path) and not os.access(path, os.R_OK | os.X_OK):
        return "is a folder that may not be listed; ask for permission to read it"
    if os.path.isdir(path):
        return "is a folder, not an image; name a file inside it"
    if isinstance(error, PermissionError):
        return "may not be read; ask for permission to read it"
    if error.errno == errno.EINVAL:  # as `open_input` has it
        return "is a pipe or a device, not a file; name a file"
    return (
        f"cannot be read ({error.strerror}); check the spelling, or copy it again from its source"
    )
