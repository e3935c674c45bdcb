"""What more than one file of tests starts from: pictures, files of pictures,
fingerprints, photo libraries."""

import os
import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from helpers.library import proposal

POSIX = pytest.mark.skipif(os.name == "nt", reason="Windows has no such files")

#: A file that begins as a picture of a telephone does.
HEIC = struct.pack(">I", 24) + b"ftypheic\0\0\0\0mif1heic" + bytes(100)

#: Why tests of the cluster are skipped: each says what to install.
NO_DASK = "Dask is missing: pip install -e '.[cluster]'"
NO_HYPOTHESIS = "hypothesis, which draws tables, is missing: pip install hypothesis"


# Pictures


def with_alpha(picture, alpha):
    picture = picture.copy()
    picture.putalpha(alpha)
    return picture


def sixteen_bits(picture):
    """In grey, with another eight bits of noise below those of the picture."""
    levels = np.asarray(picture.convert("L")).astype(np.uint16) * 256
    return levels + np.random.default_rng(1).integers(0, 256, levels.shape, dtype=np.uint16)


def exif_of(time="2024:05:01 10:00:00", fraction=None):
    exif = Image.Exif()
    details = exif.get_ifd(0x8769)
    details[0x9003] = time
    if fraction:
        details[0x9291] = fraction
    return exif


# Files of pictures


def png(width, height, lines=b"", bits=1, colours=0):
    """A PNG, without anything in memory that is as large as the picture. `colours` is 0 for grey and 2 for RGB."""

    def chunk(kind, data):
        checksum = struct.pack(">I", zlib.crc32(kind + data))
        return struct.pack(">I", len(data)) + kind + data + checksum

    header = struct.pack(">IIBBBBB", width, height, bits, colours, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        [chunk(b"IHDR", header), chunk(b"IDAT", zlib.compress(lines)), chunk(b"IEND", b"")]
    )


def profile(colours, **tags):
    """An ICC profile: a number for a gamma, three for a colour, bytes for a table of another kind."""
    table, data = b"", b""
    for name, value in {"wtpt": (0.9642, 1.0, 0.8249), **tags}.items():
        if isinstance(value, float):
            value = b"curv\0\0\0\0" + struct.pack(">IH", 1, round(256 * value)) + bytes(2)
        elif isinstance(value, tuple):
            value = b"XYZ \0\0\0\0" + struct.pack(">3i", *(round(65536 * part) for part in value))
        value += bytes(-len(value) % 4)
        place = 132 + 12 * (len(tags) + 1) + len(data)
        table += name.encode() + struct.pack(">II", place, len(value))
        data += value
    body = struct.pack(">I", len(tags) + 1) + table + data
    space = b"Lab " if "A2B0" in tags else b"XYZ "
    head = struct.pack(
        ">I4xI4s4s4s12x4s", 128 + len(body), 0x02400000, b"mntr", colours, space, b"acsp"
    )
    return head.ljust(128, b"\0") + body


#: The primaries of sRGB and of Display P3, each as red, green and blue, relative to D50.
SRGB = ((0.4361, 0.2225, 0.0139), (0.3851, 0.7169, 0.0971), (0.1431, 0.0606, 0.7141))
DISPLAY_P3 = ((0.5151, 0.2412, -0.0011), (0.2920, 0.6922, 0.0419), (0.1571, 0.0666, 0.7841))


def rgb_profile(primaries=DISPLAY_P3, gamma=2.2):
    names = ("rXYZ", "gXYZ", "bXYZ")
    curves = dict.fromkeys(("rTRC", "gTRC", "bTRC"), gamma)
    return profile(b"RGB ", **dict(zip(names, primaries, strict=True)), **curves)


def cmyk_profile():
    """Of inks that are grey and dark, each alike: any of them makes black."""
    same = bytes(range(256))
    unit = struct.pack(">9i", *np.eye(3, dtype=int).ravel() * 65536)
    lab = b"\xff\x80\x80" + b"\0\x80\x80" * 15
    return profile(b"CMYK", A2B0=b"mft1\0\0\0\0\4\3\2\0" + unit + same * 4 + lab + same * 3)


def save(picture, path, modified=None, **options):
    path.parent.mkdir(parents=True, exist_ok=True)
    picture.save(path, **options)
    if modified is not None:
        os.utime(path, (modified, modified))


def copy(source, target, modified=None):
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes(source.read_bytes())
    modified = source.stat().st_mtime + 100 if modified is None else modified
    os.utime(target, (modified, modified))


# Fingerprints of many kinds: each kind is a function of a generator, how many, and their words


def spread(rng, n, words):
    return rng.integers(0, 2**64, (n, words), dtype=np.uint64)


def equal(rng, n, words):
    return np.repeat(spread(rng, 1, words), n, axis=0)


def fingerprints(kind, n, words=1, seed=0):
    """Fingerprints that nobody can change: shape (n,) for one word, else (n, words)."""
    values = kind(np.random.default_rng([seed, n, words]), n, words)
    values = values[:, 0] if words == 1 else values
    values.setflags(write=False)
    return values


def integers(values):
    """Each fingerprint as one Python integer."""
    rows = np.reshape(values, (len(values), -1)).astype(">u8") if len(values) else []
    return [int.from_bytes(row.tobytes(), "big") for row in rows]


# Photo libraries


def everything(folder):
    """Each file with its bytes and its time."""
    files = [path for path in folder.rglob("*") if path.is_file() and not path.is_symlink()]
    return {path: (path.read_bytes(), path.stat().st_mtime_ns) for path in files}


def propose(table, folder, **keywords):
    """In this process, with a cache beside the folder."""
    about = {"cache": folder.parent / "cache", "workers": 1}
    return proposal.propose(table, folder, **{**about, **keywords})


def by_path(plan):
    return plan[plan["action"] != "keep"].set_index("path")
