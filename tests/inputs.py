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
