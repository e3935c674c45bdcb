"""Spoilt pictures: each is refused in words, or is what Pillow makes of it; and none eats the machine."""

import io
import random
import shutil
import struct
import warnings
import zlib
from contextlib import suppress
from pathlib import Path

import numpy as np
from harness import Failure, ask, spoil
from PIL import Image, features

from helpers.fingerprints import hashes
from helpers.images.formats import bare_png, formats
from helpers.images.opening import open_image
from helpers.library import inventory

SIZES = 150, 20_000
LIMIT = 60  # seconds: a case opens its picture six times
_SMALL = 4_000_000  # pixels up to which Pillow is asked as well
_SIDES = (0, 1, 2, 255, 5000, 13_000, 16_384, 30_000, 65_535, 2**24, 2**31 - 1, 2**32 - 1)
#: 46 bytes that are a picture of 16,383 x 10,900 pixels.
_LARGE_WEBP = bytes.fromhex(
    "5249464626000000574542505650384c190000002ffeffa41a075081540820000a1a02495bbced8f8f88e87f0000"
)


def _picture(number: int, mode: str) -> Image.Image:
    coarse = np.random.default_rng(number).integers(0, 256, (5, 6, 4), dtype=np.uint8)
    picture = Image.fromarray(coarse).resize((48, 36), Image.Resampling.BICUBIC)
    if mode in ("I;16", "F", "I"):
        grey = np.asarray(picture.convert("L"))
        kind = {"I;16": np.uint16, "I": np.int32, "F": np.float32}[mode]
        return Image.fromarray(grey.astype(kind) * 200)
    return picture if mode == "RGBA" else picture.convert("RGB").convert(mode)


def prepare(here: Path) -> None:
    exif = Image.Exif()
    exif[0x0112], exif[0x010F] = 6, "a camera"
    exif.get_ifd(0x8769)[0x9003] = "2024:05:03 12:00:00"
    kinds = [("jpg", mode, {"exif": exif}) for mode in ("L", "RGB", "CMYK")]
    kinds += [("jpg", "RGB", {"progressive": True})]
    kinds += [("png", mode, {"exif": exif}) for mode in ("1", "L", "P", "RGB", "RGBA", "I;16")]
    kinds += [("png", "P", {"transparency": 3}), ("gif", "P", {"transparency": 3})]
    kinds += [("webp", mode, {"lossless": True, "exif": exif}) for mode in ("RGB", "RGBA")]
    kinds += [("webp", "RGB", {}), ("bmp", "RGB", {}), ("bmp", "P", {}), ("gif", "L", {})]
    kinds += [("tif", mode, {}) for mode in ("1", "L", "I;16", "F", "I", "RGBA", "CMYK", "LAB")]
    kinds += [
        ("tif", "RGB", {"compression": name}) for name in ("tiff_lzw", "tiff_deflate", "jpeg")
    ]
    kinds += [("tif", "1", {"compression": "group4"})]
    if features.check("avif"):
        kinds += [("avif", "RGB", {}), ("avif", "RGBA", {})]
    kinds += [("ppm", "RGB", {}), ("pgm", "L", {}), ("pgm", "I;16", {}), ("pfm", "F", {})]
    kinds += [("pbm", "1", {}), ("ico", "RGBA", {}), ("dib", "RGB", {})]
    kinds += [("jp2", mode, {}) for mode in ("L", "RGB", "RGBA", "I;16")]
    more = [_picture(number, "RGB") for number in range(50, 54)]
    kinds += [
        (end, "RGB", {"save_all": True, "append_images": more})
        for end in ("gif", "png", "webp", "tif")
    ]
    for number, (end, mode, options) in enumerate(kinds):
        name = f"{number:02}.{end}"
        picture = _picture(number, mode if mode != "LAB" else "RGB")
        if mode == "LAB":
            picture = Image.frombytes("LAB", picture.size, picture.tobytes())
        picture.save(here / name, **options)
        if mode != "LAB" and ask(open_image, here / name)[1]:
            raise Failure("a whole picture cannot be read", name)


def case(place: Path, here: Path, rng: random.Random) -> None:
    files = sorted(here.iterdir())
    source, other = rng.choice(files), rng.choice(files)
    data, suffix = source.read_bytes(), source.suffix
    if (how := rng.randrange(100)) < 40:
        data = spoil(rng, data, other.read_bytes())
    elif how < 98:
        change = {".png": _png, ".jpg": _jpeg, ".gif": _gif, ".tif": _tiff}.get(suffix, _numbers)
        with suppress(ValueError, IndexError, struct.error):  # a change that this file has not
            data = change(rng, data)
        if rng.random() < 0.2:
            data = spoil(rng, data)
    else:
        data, suffix = _bomb(rng)
    if rng.random() < 0.05:
        suffix = other.suffix
    file = place / f"picture{suffix}"
    file.write_bytes(data)
    shown, problem = ask(open_image, file)
    if shown is None or shown.width * shown.height <= _SMALL:
        _compare(data, shown, problem)
    else:
        shown = None  # two such pictures at once would be the campaign's memory, not the kit's
    ask(open_image, file, fast=True, rotate=False, background=None)
    print_, _ = ask(hashes.of_file, file)
    if rng.random() < 0.1:
        table, _ = ask(inventory.scan, place, cache=place.parent / "cache", workers=1)
        shutil.rmtree(place.parent / "cache", ignore_errors=True)
        if (print_ is None) != (table["problem"][0] != ""):
            raise Failure("silently wrong: scan and open do not agree", table["problem"][0])
    again, refused = ask(open_image, io.BytesIO(data))
    if bool(problem) != bool(refused) or (shown and _differ(shown, again)):
        raise Failure("silently wrong: a file and its bytes differ", f"{problem} / {refused}")


def _differ(one: Image.Image, other: Image.Image) -> bool:
    return (one.mode, one.size) != (other.mode, other.size) or one.tobytes() != other.tobytes()


def _compare(data: bytes, shown: Image.Image | None, problem: Exception | None) -> None:
    """What Pillow itself makes of it: the same pixels, where there is nothing to turn or to lay on."""
    try:
        with (
            warnings.catch_warnings(action="ignore"),
            Image.open(
                io.BytesIO(data), formats=[name for name in formats() if name != "TGA"]
            ) as image,
        ):
            if image.width * image.height > _SMALL:
                return
            image.load()
            image.convert("L")
    except Exception as error:
        bare = bare_png(
            io.BytesIO(data)
        )  # broken words beside a picture are no reason to refuse it
        if bare and bare.getvalue() != data:
            return _compare(bare.getvalue(), shown, problem)
        if shown is not None:
            raise Failure("silently wrong: Pillow refuses what is shown", repr(error)) from None
        return
    if shown is None:
        if image.mode != "LAB" and "pixels" not in str(problem) and "MB" not in str(problem):
            cause = type(problem.__cause__).__name__
            raise Failure(f"refused ({cause}), though Pillow decodes it", str(problem))
    elif sorted(shown.size) != sorted(image.size):
        raise Failure("silently wrong: another size than Pillow's", f"{shown.size} {image.size}")
    elif shown.mode == image.mode and shown.mode in ("L", "RGB") and "exif" not in image.info:
        plain = not image.has_transparency_data and "icc_profile" not in image.info
        if plain and _differ(shown, image) and image.format not in ("TIFF", "MPO"):
            raise Failure("silently wrong: other pixels than Pillow's", "")


# What each kind of file can lie about


def _numbers(rng: random.Random, data: bytes) -> bytes:
    """Put a large number somewhere into the first bytes, in either order."""
    number, place = rng.choice(_SIDES), rng.randrange(4, min(200, len(data)))
    size = rng.choice((2, 3, 4))
    written = (number % 2 ** (8 * size)).to_bytes(size, rng.choice(("little", "big")))
    return data[:place] + written + data[place + size :]


def _png(rng: random.Random, data: bytes) -> bytes:
    parts, place = [], 8
    while place < len(data):
        size = int.from_bytes(data[place : place + 4], "big")
        parts.append([data[place + 4 : place + 8], data[place + 8 : place + 8 + size]])
        place += 12 + size
    number, how = rng.randrange(len(parts)), rng.randrange(7)
    if how < 2:
        header = list(struct.unpack(">IIBBBBB", parts[0][1]))
        which = rng.randrange(7)
        header[which] = rng.choice(_SIDES) if which < 2 else rng.randrange(20)
        parts[0][1] = struct.pack(">IIBBBBB", *header)
    elif how == 2:
        zeros = zlib.compress(bytes(rng.choice((1000, 10**8))), 1)
        kind = rng.choice((b"zTXt", b"iCCP", b"iTXt"))
        parts.insert(1, [kind, b"x\0" + (b"\1\0\0\0" if kind == b"iTXt" else b"\0") + zeros])
    elif how == 3:
        parts[number][1] = spoil(rng, parts[number][1])
    elif how == 4:
        parts[number:number] = [parts[rng.randrange(len(parts))]]
    elif how == 5:
        name = rng.choice((b"eXIf", b"acTL", b"fcTL", b"tRNS", b"PLTE", b"gAMA", b"cHRM", b"IDAT"))
        parts.insert(rng.choice((1, number)), [name, rng.randbytes(rng.choice((0, 1, 8, 26)))])
    else:
        pixels = [part for part in parts if part[0] in (b"IDAT", b"eXIf")]
        pixels[-1][1] = spoil(rng, pixels[-1][1])
    return _joined(parts)


def _joined(parts: list) -> bytes:
    """A PNG of these chunks, the sums being right."""
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(part)) + name + part + struct.pack(">I", zlib.crc32(name + part))
        for name, part in parts
    )


def _jpeg(rng: random.Random, data: bytes) -> bytes:
    how = rng.randrange(4)
    if how == 0 and (start := data.find(b"Exif\0\0")) > 0:
        return data[:start] + spoil(rng, data[start : start + 120]) + data[start + 120 :]
    if how == 1:  # the same scan over and over
        start = data.index(b"\xff\xda")
        return data[:start] + data[start:-2] * rng.choice((2, 500)) + data[-2:]
    if how == 2:
        return data[:2] + b"\xff\xe1\xff\xff" + rng.randbytes(65_533) + data[2:]
    start = min(place for place in (data.find(b"\xff\xc0"), data.find(b"\xff\xc2")) if place > 0)
    sides = struct.pack(">HH", *(rng.choice(_SIDES) % 2**16 for _ in range(2)))
    return data[: start + 5] + sides + data[start + 9 :]


def _gif(rng: random.Random, data: bytes) -> bytes:
    sides = struct.pack("<HH", *(rng.choice(_SIDES) % 2**16 for _ in range(2)))
    frame = data.index(b"\x2c")
    if (how := rng.randrange(3)) == 0:
        return data[:6] + sides + data[10:]
    if how == 1:
        return data[: frame + 5] + sides + data[frame + 9 :]
    return data[:frame] + data[frame:-1] * rng.choice((2, 3000)) + b";"


def _tiff(rng: random.Random, data: bytes) -> bytes:
    """Change an entry of the first directory: its tag, type, count or value; or where the next one lies."""
    start = int.from_bytes(data[4:8], "little")
    count = int.from_bytes(data[start : start + 2], "little")
    place = start + 2 + 12 * rng.randrange(count)
    if rng.random() < 0.1:
        end = start + 2 + 12 * count
        return data[:end] + struct.pack("<I", rng.choice((start, 2, 2**31))) + data[end + 4 :]
    tag, kind, number, value = struct.unpack("<HHII", data[place : place + 12])
    if (how := rng.randrange(8)) == 0:
        tag = rng.choice((254, 256, 257, 258, 259, 262, 273, 274, 277, 278, 279, 320, 330, 339))
    elif how == 1:
        kind = rng.randrange(20)
    elif how == 2:
        number = rng.choice(_SIDES)
    else:
        value = rng.choice((*_SIDES, *range(10)))
    return data[:place] + struct.pack("<HHII", tag, kind, number, value) + data[place + 12 :]


def _bomb(rng: random.Random) -> tuple[bytes, str]:
    """A small file that really holds a picture of a hundred million pixels, or nearly so."""
    side, kind = rng.choice((9000, 13_000)), rng.choice(("png", "deep", "gif", "webp", "tif"))
    if kind == "webp":
        return _LARGE_WEBP, ".webp"
    if kind == "gif":
        frame = b"\x2c" + struct.pack("<HHHHB", 0, 0, side, side, 0) + b"\2\2\x4c\1\0"
        head = b"GIF89a" + struct.pack("<HH", side, side) + b"\x80\0\0" + bytes(6)
        return head + frame * rng.choice((1, 500)) + b";", ".gif"
    depth, colour, channels = (16, 6, 8) if kind == "deep" else (8, rng.choice((0, 6)), 4)
    rows = zlib.compress(bytes((1 + side * channels) * side), 1)
    header = struct.pack(">IIBBBBB", side, side, depth, colour, 0, 0, 0)
    if kind == "tif":
        return _bilevel(side), ".tif"
    return _joined([(b"IHDR", header), (b"IDAT", rows), (b"IEND", b"")]), ".png"


def _bilevel(side: int) -> bytes:
    file = io.BytesIO()
    Image.new("1", (side, side)).save(file, "TIFF", compression="group4")
    return file.getvalue()
