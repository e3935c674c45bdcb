"""What a picture file holds beside its pixels, and by which signs an editor wrote it.

What would be missed if a file were thrown away has a name here, an item: the time of exposure, the
place, stars, a film behind the picture. Thumbnails, colour profiles and the names of tools are
nothing that anybody would miss. Data of which nothing is known here may be missed.
"""

from __future__ import annotations

import html
import io
import re
import struct
from collections.abc import Iterator
from contextlib import suppress
from datetime import datetime, timedelta
from hashlib import sha256
from typing import BinaryIO

from PIL import Image

#: Programs that change pixels, as they name themselves in files. Cameras name their firmware there.
EDITORS = re.compile(
    r"photoshop|lightroom|camera raw|affinity|aperture|aurora|befunky|canva\b|capture (one|nx)|"
    r"corel|darktable|digital photo professional|dxo|facetune|fotor|gallery|gd-jpeg|gigapixel|gimp|"
    r"google photos|graphicsmagick|hugin|imagemagick|inkscape|instagram|iphoto|irfanview|jpegmini|"
    r"jpeg-recompress|krita|lavc|luminar|meitu|nx studio|on1 |optimi[sz]ed|paint|photo editor|"
    r"photo viewer|photodirector|photofiltre|photomatix|photopea|photos \d|photoscape|picasa|"
    r"picmonkey|picsart|pixelmator|pixlr|polarr|ptgui|rawtherapee|remini|silkypix|showfoto|"
    r"snapseed|topaz|viewnx|vsco|xnview|acdsee",
    re.IGNORECASE,
)
#: Bytes that are looked at, at most: of one part of the metadata, and behind a picture.
MOST_BYTES, MOST_BYTES_BEHIND = 2**22, 2**26

# Where texts stand: tags of EXIF (from 256 on), data sets of IPTC, names of XMP and PNG.
_TEXTS = {
    key: item
    for item, keys in {
        "program": (0x0131, 65, "CreatorTool", "Software"),
        "title": (0x9C9B, 5, 105, "title", "Headline", "Title"),
        "description": (0x010E, 0x9286, 0x9C9C, 120, "description", "Description", "Comment"),
        "keywords": (0x9C9E, 25, "subject"),
        "people": ("PersonInImage", "PersonDisplayName"),
        "author": (0x013B, 0x9C9D, 80, "creator", "Author"),
        "copyright": (0x8298, 116, "rights", "Copyright"),
        "name of the place": (90, 92, "City", "Location"),
        "rating": (0x4746, "Rating"),
        "label": ("Label",),
    }.items()
    for key in keys
}
# What it means if XMP has names of these kinds.
_KINDS = {"hdrgm": "gain map", "HDRGainMap": "gain map", "GDepth": "depth map", "GAudio": "sound"}
_KINDS |= {"GImage": "second picture", "crs": "edit settings", "darktable": "edit settings"}
# What cameras and tools write by themselves.
_DULL = re.compile(
    r"0?\W*$|.*digital camera|sony dsc|samsung|dcim|minolta|exif|screenshot|jpeg|creator:|"
    r"applemark|created (with|by)|file written|lavc|optimi|compress|intel|lead tech|handmade",
    re.IGNORECASE,
)
_DULL_KEYS = re.compile(r".*:|raw profile|creation time|disclaimer|warning|source|signature|xmp")
# How segments of a JPEG begin that are read elsewhere, or that nobody would miss; tags of a TIFF.
_SEGMENTS = (
    rb"JF(IF|XX)|AVI1|Exif|http://ns\.adobe\.com/x|ICC_|MPF|Photoshop|Adobe|Ducky|FPXR|\0*\Z"
)
_TIFF_TAGS = {33421, 33422, 33432, 33723, 34377, 34665, 34675, 34853, 37724, 50341, *_TEXTS}

_TAGS = {*(0x010F, 0x0110, 0x0132, 0x8769, 0x8825, 0x9003, 0x9291, 0x927C, 0xA002, 0xA003)}
_TAGS |= {1, 2, 3, 4, *_TEXTS}
# of numbers in EXIF; the others are bytes
_TYPES = {3: "H", 4: "L", 5: "LL", 9: "l", 10: "ll", 13: "L"}
# No letter of a packet is looked at more than a few times, whatever it holds.
_TAG = re.compile(r"<([\w-]++):([\w.-]++)([^<>]*+)>([^<]*+)")
_ATTRIBUTE = re.compile(r"""(?<![\w-])([\w-]++):([\w.-]++)\s*+=\s*+(?:"([^"]*+)"|'([^']*+)')""")

_Items = Iterator[tuple[str, object]]


def metadata_of(
    image: Image.Image, file: BinaryIO, size: tuple[int, int] | None = None
) -> tuple[dict[str, str], str]:
    """What a file holds beside its pixels, and whether an editor wrote it.

    Parameters
    ----------
    image : PIL.Image.Image
        The file as Pillow has opened it. Texts that stand behind the pixels of a PNG are known
        once it is decoded.
    file : binary file
        The same file.
    size : (int, int), optional
        Width and height of the picture, if `image` is a draft of it.

    Returns
    -------
    holds : dict
        Item -> a text of up to 80 letters: ``time`` (of exposure, with the fraction of a second),
        ``camera``, ``maker's notes``, ``place``, ``name of the place``, ``rating``, ``label``,
        ``title``, ``description``, ``keywords``, ``people``, ``author``, ``copyright``, ``film``,
        ``sound``, ``gain map``, ``depth map``, ``second picture``, ``layers``, ``edit settings``,
        ``text (...)``, ``other data (...)``, and ``data that cannot be read``, which names the
        parts that are broken or too large. Equal information has equal texts, whether it stands in
        EXIF, IPTC or XMP.
    edited : str
        The program or the sign that shows that an editor wrote the file; or empty.

    Examples
    --------
    >>> metadata_of(Image.new("L", (90, 80)), io.BytesIO())
    ({}, '')
    """
    found: dict[str, list[str]] = {}
    for read in (_exif, _xmp, _iptc, _texts, _other_data, _behind):
        try:
            for item, value in read(image, file, size or image.size):
                text = _text(value)
                if text and not (item in ("description", "rating") and _DULL.match(text)):
                    found.setdefault(item, []).append(text)
        except Exception:  # whatever is broken, something is there
            found.setdefault("data that cannot be read", []).append(read.__name__.strip("_"))
    programs = filter(EDITORS.search, found.pop("program", []))
    edited = next(iter([*found.pop("edited", []), *programs]), "")
    first = ("time", "place")  # others may hold more in XMP than in EXIF
    texts = {
        item: said[0] if item in first else ", ".join(sorted({*said}))
        for item, said in found.items()
    }
    return {item: _short(texts[item]) for item in sorted(texts)}, _short(edited)


def _text(value: object) -> str:
    text = value.decode(errors="replace") if isinstance(value, bytes) else str(value)
    return " ".join(text.replace("\0", " ").split())


def _short(text: str) -> str:
    """At most 80 letters, which differ where longer texts do."""
    return text if len(text) <= 80 else f"{text[:66]}... {_digest(text.encode())}"


def _digest(data: bytes) -> str:
    return sha256(data).hexdigest()[:10]


def _packet(image: Image.Image, kind: str) -> bytes:
    """EXIF, XMP or IPTC as it stands in the file; in a PNG it may be hexadecimal text."""
    data = image.info.get(kind) or image.info.get(f"XML:com.adobe.{kind}") or b""
    if text := image.info.get(f"Raw profile type {kind}"):
        data = bytes.fromhex("".join(text.split("\n")[3:]))
    if len(data) > MOST_BYTES:
        raise ValueError("too large")
    return data.encode() if isinstance(data, str) else data


def _exif(image: Image.Image, file: BinaryIO, size: tuple[int, int]) -> _Items:
    if image.format != "TIFF":
        file = io.BytesIO(_packet(image, "exif").removeprefix(b"Exif\0\0"))
    file.seek(0)
    if not (start := file.read(8)):
        return
    order = {b"II*\0": "<", b"MM\0*": ">"}[start[:4]]
    tags = {0: struct.unpack(f"{order}L", start[4:])}
    for pointer in (0, 0x8769, 0x8825):  # to the main directory, and to those of details and places
        for tag, value in _directory(file, tags[pointer][0], order) if pointer in tags else ():
            tags.setdefault(tag, value)
    time, fraction, make, model, changed = (
        _text(tags.get(tag, "")) for tag in (0x9003, 0x9291, 0x010F, 0x0110, 0x0132)
    )
    if any(digit in time for digit in "123456789"):  # cameras without a clock write zeros
        yield "time", f"{time}.{fraction}".rstrip(".")
        yield "edited", _is_later(changed, time) * f"changed {changed}"
    yield "camera", model if model.startswith(make) else f"{make} {model}"
    if notes := tags.get(0x927C, b"").strip(b"\0"):
        yield "maker's notes", _digest(notes)
    if {2, 4} <= tags.keys():
        places = [
            [n / (d or 1) for n, d in zip(*[iter(tags[tag])] * 2, strict=True)] for tag in (2, 4)
        ]
        yield from _place(*places, _text(tags.get(1, "")) + _text(tags.get(3, "")))
    for tag in _TEXTS.keys() & tags.keys():
        yield _TEXTS[tag], _exif_text(tag, tags[tag], order)
    sides = sorted(tags[tag][0] for tag in (0xA002, 0xA003) if tags.get(tag, (0,))[0])
    if len(sides) == 2 and any(
        abs(was - now) > 16 for was, now in zip(sides, sorted(size), strict=True)
    ):
        yield "edited", f"had {sides[1]} x {sides[0]} pixels"
    if -1 in tags:
        raise ValueError("a value lies outside")


def _directory(file: BinaryIO, place: int, order: str) -> Iterator[tuple[int, bytes | tuple]]:
    """What a directory of EXIF says: tags with numbers or bytes; -1 if a value is not there."""
    file.seek(place)
    (count,), left = struct.unpack(f"{order}H", file.read(2)), _TAGS.copy()
    for tag, kind, number, value in struct.iter_unpack(f"{order}HHL4s", file.read(12 * count)):
        if tag in left:
            left.remove(tag)
            form = _TYPES.get(kind, "B")
            length = number * struct.calcsize(f"{order}{form}")
            if length > 4:
                file.seek(struct.unpack(f"{order}L", value)[0])
                value = file.read(min(length, MOST_BYTES))
            if len(value) < length:
                yield -1, value
            elif form == "B":
                yield tag, value[:length]
            else:
                yield tag, struct.unpack(f"{order}{number * form}", value[:length])


def _exif_text(tag: int, value: bytes | tuple, order: str) -> object:
    if isinstance(value, tuple):
        return value[0]
    if tag >= 0x9C9B:
        return value.decode("utf-16-le", "replace")
    if tag == 0x9286 and value.startswith(b"UNICODE"):
        return value[8:].decode("utf-16-le" if order == "<" else "utf-16-be", "replace")
    return value[8:] if tag == 0x9286 else value  # its first 8 bytes name the letters


def _is_later(changed: str, taken: str) -> bool:
    """Whether a file was changed more than a minute after the picture was taken."""
    with suppress(ValueError):
        both = (datetime.strptime(time[:19], "%Y:%m:%d %H:%M:%S") for time in (taken, changed))
        return changed[:19] != taken[:19] and next(both) + timedelta(minutes=1) < next(both)
    return False


def _place(latitude: list[float], longitude: list[float], sides: str) -> _Items:
    """A place from degrees, minutes and seconds; none if all are zero, as where it was erased."""
    north, east = (sum(part / 60**i for i, part in enumerate(one)) for one in (latitude, longitude))
    if north or east:
        yield (
            "place",
            f"{-north if 'S' in sides else north:.4f}, {-east if 'W' in sides else east:.4f}",
        )


def _xmp(image: Image.Image, file: BinaryIO, size: tuple[int, int]) -> _Items:
    """Tags are taken as they come, since many packets are not quite what XML should be."""
    packet = _text(_packet(image, "xmp"))
    if packet and not re.search(r"</[\w-]+:RDF\s*>", packet):
        raise ValueError("its end is missing")
    names, last = {}, ("", "")
    for kind, name, attributes, content in _TAG.findall(packet):
        last = last if kind == "rdf" else (kind, name)
        for one, key, *texts in (*_ATTRIBUTE.findall(attributes), (*last, content, "")):
            if one in _KINDS:
                yield _KINDS[one], "yes"
            key = "PersonInImage" if (one, key) == ("mwg-rs", "Name") else key
            if (text := "".join(texts).strip()) and not one.startswith("MicrosoftPhoto"):
                names.setdefault(key, []).append(html.unescape(text))
    for name in _TEXTS.keys() & names.keys():
        yield from ((_TEXTS[name], text) for text in names[name])
    if set(names.get("changed", ())) != {"/metadata"}:
        yield "program", " ".join(names.get("softwareAgent", ()))
    for meaning in names.get("Semantic", ()):
        yield {"GainMap": "gain map", "Depth": "depth map"}.get(meaning, "program"), "yes"
    if "GPSLatitude" in names and "GPSLongitude" in names:
        both = names["GPSLatitude"][0], names["GPSLongitude"][0]
        yield from _place(*(map(float, re.findall(r"[\d.]+", one)) for one in both), "".join(both))
    for text in (*names.get("DateTimeOriginal", ()), *names.get("DateCreated", ())):
        yield "time", re.sub(r"(\d)-(\d)", r"\1:\2", text.replace("T", " ", 1))[:23].rstrip("Z")


def _iptc(image: Image.Image, file: BinaryIO, size: tuple[int, int]) -> _Items:
    blocks = image.info.get("photoshop", {})
    if 0x0406 in blocks:  # the quality that somebody chose
        yield "edited", "Photoshop"
    data = blocks.get(0x0404) or getattr(image, "tag_v2", {}).get(33723) or _packet(image, "iptc")
    place = data.find(b"\x1c\2")
    while place >= 0 and data[place : place + 1] == b"\x1c":
        record, number, length = struct.unpack(">BBH", data[place + 1 : place + 5])
        if record == 2 and number in _TEXTS:
            yield _TEXTS[number], data[place + 5 : place + 5 + length]
        place += 5 + length


def _texts(image: Image.Image, file: BinaryIO, size: tuple[int, int]) -> _Items:
    for item in ("program", "description"):
        yield item, image.info.get("comment", "")
    for key, text in image.info.items() if image.format == "PNG" else ():
        if key in _TEXTS:
            yield _TEXTS[key], text
        elif isinstance(text, str) and not _DULL_KEYS.match(key.lower()):
            yield f"text ({_short(key)})", text


def _other_data(image: Image.Image, file: BinaryIO, size: tuple[int, int]) -> _Items:
    for name, data in getattr(image, "applist", ()):
        if data.startswith(b"urn:iso:std:iso:ts:21496"):
            yield "gain map", "yes"
        elif name != "COM" and not re.match(_SEGMENTS, data):
            yield f"other data ({name})", _digest(data)
        yield "edited", "Photoshop" * data.startswith(b"Ducky")
    for name, data, *_ in getattr(image, "private_chunks", ()):
        yield f"other data ({name.decode('latin-1')})", _digest(data)
    for tag in image.tag_v2 if image.format == "TIFF" else ():
        if tag == 37724:
            yield "layers", "yes"
        elif tag >= 2**15 and tag not in _TIFF_TAGS:
            yield f"other data (tag {tag})", "yes"
    if image.format in ("HEIF", "AVIF"):
        file.seek(0)
        head = file.read(2**16)
        yield "gain map", "yes" * (b"gainmap" in head)
        yield "depth map", "yes" * (b"aux:depth" in head or b"aux:disparity" in head)


def _behind(image: Image.Image, file: BinaryIO, size: tuple[int, int]) -> _Items:
    """What follows the picture in a JPEG file: other pictures, a film, or something else."""
    if image.format not in ("JPEG", "MPO"):
        return
    more = image.mpinfo[0xB002][1:] if image.format == "MPO" else ()
    has_more = any(entry["Attribute"]["MPType"] == "Undefined" for entry in more)  # no previews
    length = file.seek(0, io.SEEK_END)
    file.seek(max(0, length - 2**12))
    if file.read().rstrip(b"\0").endswith(b"\xff\xd9") and not has_more:
        return
    file.seek(0)
    data, place = file.read(MOST_BYTES_BEHIND), 2
    while data[place] == 0xFF and data[place + 1] != 0xDA:
        place += 2 + int.from_bytes(data[place + 2 : place + 4])
    if (end := data.find(b"\xff\xd9", place)) < 0:  # of a picture that is cut off
        return
    if has_more:
        kind = re.search(rb"hdrgm|gainmap|depth", data[end:], re.IGNORECASE)
        item = "depth map" if kind and kind[0].lower() == b"depth" else "gain map"
        yield item if kind else "second picture", "yes"
    if film := re.search(rb"\0[\0\1]..ftyp", data[end:], re.DOTALL):
        yield "film", f"{length - end - film.start()} bytes"
    elif image.format == "JPEG":
        yield "other data (behind the picture)", _digest(data[end + 2 :])
