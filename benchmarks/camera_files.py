"""Files as cameras, phones and programs write them: what stands in them beside the pixels.

Only what is needed to make libraries for `library_peers.py`; nothing here is read by the helpers.
"""

import io
import json
import struct
from datetime import datetime, timedelta
from functools import cache
from typing import NamedTuple

import numpy as np
from PIL import Image, ImageCms, PngImagePlugin

EXIF_TIME = "%Y:%m:%d %H:%M:%S"
#: Programs that write themselves into what they export.
EDITORS = (
    "Adobe Photoshop Lightroom Classic 12.3 (Windows)",
    "Adobe Photoshop 24.7 (Macintosh)",
    "GIMP 2.10.34",
    "darktable 4.4.2",
    "Capture One 23 Windows",
    "Snapseed 2.0",
)


class Camera(NamedTuple):
    """A camera: what it writes into its files, and how it names them."""

    make: str
    model: str
    firmware: str
    name: str
    raw: str
    places: float  # the share of its files with GPS
    quality: int


CAMERAS = (
    Camera("Canon", "Canon EOS 80D", "", "IMG_{:04}.JPG", ".CR2", 0.0, 93),
    Camera("NIKON CORPORATION", "NIKON D5600", "Ver.1.10 ", "DSC_{:04}.JPG", ".NEF", 0.1, 92),
    Camera("SONY", "ILCE-6400", "ILCE-6400 v2.00", "DSC0{:04}.JPG", ".ARW", 0.1, 91),
    Camera("Apple", "iPhone 12", "16.5.1", "IMG_{:04}.JPG", ".DNG", 0.8, 90),
    Camera("samsung", "SM-G991B", "G991BXXU7EWE6", "20190704_12{:04}.jpg", ".dng", 0.6, 92),
    Camera("Google", "Pixel 6", "HDR+ 1.0.540104767zd", "PXL_2023_{:04}.jpg", ".dng", 0.7, 92),
)


class About(NamedTuple):
    """What a file tells beside its pixels; what is empty is left out."""

    camera: Camera | None = None
    time: datetime | None = None
    place: tuple[float, float] | None = None  # degrees north and east
    notes: bytes = b""  # the maker's
    orientation: int = 0
    software: str = ""  # of an editor
    edited: datetime | None = None
    rating: int = 0
    title: str = ""
    words: tuple[str, ...] = ()
    profile: bytes = b""


def exif(about: About, size: tuple[int, int]) -> Image.Exif:
    """EXIF in the form in which cameras write it."""
    found, camera = Image.Exif(), about.camera
    if camera:
        found[0x010F], found[0x0110] = camera.make, camera.model
    if program := about.software or (camera.firmware if camera else ""):
        found[0x0131] = program
    if about.orientation:
        found[0x0112] = about.orientation
    if about.edited or about.time:
        found[0x0132] = f"{about.edited or about.time:{EXIF_TIME}}"
    inner = found.get_ifd(0x8769)
    if about.time:
        inner[0x9003] = inner[0x9004] = f"{about.time:{EXIF_TIME}}"
        inner[0x9291] = f"{about.time.microsecond // 10_000:02}"
    if camera:
        inner[0x829A], inner[0x829D], inner[0x8827] = 0.008, 4.0, 200
        inner[0xA002], inner[0xA003] = size
    if about.notes:
        inner[0x927C] = about.notes
    if about.place:
        north, east = about.place
        gps = found.get_ifd(0x8825)
        gps[1], gps[2] = "N", _degrees(north)
        gps[3], gps[4] = "E", _degrees(east)
    return found


def _degrees(value: float) -> tuple[float, float, float]:
    minutes = value % 1 * 60
    return float(int(value)), float(int(minutes)), round(minutes % 1 * 60, 2)


def xmp(about: About, more: str = "") -> bytes:
    """An XMP packet with stars, a title and keywords; empty if there is nothing to tell."""
    inside = "".join(f"<rdf:li>{word}</rdf:li>" for word in about.words)
    subject = f"<dc:subject><rdf:Bag>{inside}</rdf:Bag></dc:subject>" if inside else ""
    title = '<dc:title><rdf:Alt><rdf:li xml:lang="x-default">{}</rdf:li></rdf:Alt></dc:title>'
    subject += title.format(about.title) if about.title else ""
    stars = f' xmp:Rating="{about.rating}"' if about.rating else ""
    tool = f' xmp:CreatorTool="{about.software}"' if about.software.startswith("Adobe") else ""
    if not (subject or stars or tool or more):
        return b""
    return (
        '<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>'
        '<x:xmpmeta xmlns:x="adobe:ns:meta/">'
        '<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"><rdf:Description '
        'rdf:about="" xmlns:xmp="http://ns.adobe.com/xap/1.0/" '
        'xmlns:dc="http://purl.org/dc/elements/1.1/" '
        'xmlns:GCamera="http://ns.google.com/photos/1.0/camera/" '
        f'xmlns:hdrgm="http://ns.adobe.com/hdr-gain-map/1.0/"{stars}{tool}{more}>'
        f'{subject}</rdf:Description></rdf:RDF></x:xmpmeta><?xpacket end="w"?>'
    ).encode()


def saved(picture: Image.Image, about: About, format: str = "JPEG", **options: object) -> bytes:
    """The bytes of a file with all that is told about it."""
    file, beside, packet = io.BytesIO(), {}, xmp(about)
    if about != About(profile=about.profile):
        beside["exif"] = exif(about, picture.size)
    if packet and format == "PNG":
        beside["pnginfo"] = PngImagePlugin.PngInfo()
        beside["pnginfo"].add_itxt("XML:com.adobe.xmp", packet.decode())
    elif packet and format != "BMP":
        beside["xmp"] = packet
    if about.profile:
        beside["icc_profile"] = about.profile
    if format == "BMP":
        beside = {}
    picture.save(file, format, **beside, **options)
    return file.getvalue()


def with_segment(jpeg: bytes, payload: bytes, marker: int = 0xE1) -> bytes:
    """A JPEG with one more segment, behind its first."""
    end = 4 + int.from_bytes(jpeg[4:6], "big")
    segment = bytes([0xFF, marker]) + struct.pack(">H", len(payload) + 2) + payload
    return jpeg[:end] + segment + jpeg[end:]


def with_photoshop(jpeg: bytes, title: str = "", words: tuple[str, ...] = ()) -> bytes:
    """A JPEG with Photoshop's block, and IPTC in it."""
    iptc = b""
    for number, text in ((5, title), *((25, word) for word in words)):
        if text:
            value = text.encode()
            iptc += b"\x1c\x02" + bytes([number]) + struct.pack(">H", len(value)) + value
    block = b"8BIM\x04\x04\0\0" + struct.pack(">I", len(iptc)) + iptc + b"\0" * (len(iptc) % 2)
    resolution = b"8BIM\x03\xed\0\0" + struct.pack(">I", 16) + bytes(16)
    return with_segment(jpeg, b"Photoshop 3.0\0" + resolution + block, 0xED)


def film(rng: np.random.Generator, kind: bytes = b"qt  ", size: int = 20_000) -> bytes:
    """What looks like a film to programs that look at its first bytes."""
    head = b"\0\0\0\x14ftyp" + kind + b"\0\0\2\0" + kind
    return head + struct.pack(">I", size + 8) + b"mdat" + rng.bytes(size)


def motion_photo(jpeg: bytes, rng: np.random.Generator) -> bytes:
    """A phone's picture with two seconds of film behind it."""
    behind = film(rng, b"mp42")
    more = ' GCamera:MotionPhoto="1" GCamera:MotionPhotoVersion="1"'
    packet = xmp(About(), more + f' GCamera:MicroVideoOffset="{len(behind)}"')
    return with_segment(jpeg, b"http://ns.adobe.com/xap/1.0/\0" + packet) + behind


def with_gain_map(picture: Image.Image, about: About, quality: int) -> bytes:
    """A phone's picture with a second one in it, which says how bright it may be shown."""
    small = picture.convert("L").resize((picture.width // 4, picture.height // 4))
    second = small.convert("RGB")
    packet = xmp(About(), ' hdrgm:Version="1.0" hdrgm:GainMapMax="2.3"')
    second.encoderinfo = {"xmp": packet}
    file = io.BytesIO()
    told = {"exif": exif(about, picture.size), "quality": quality, "xmp": xmp(about) or packet}
    picture.save(file, "MPO", save_all=True, append_images=[second], **told)
    return file.getvalue()


def sidecar(suffix: str, about: About, rng: np.random.Generator) -> bytes:
    """The text of a file beside a picture, by its suffix."""
    if suffix.lower().endswith(".json"):
        seconds = f"{(about.time or datetime(2019, 1, 1)).timestamp():.0f}"
        told = {"title": "photo", "photoTakenTime": {"timestamp": seconds}, "people": []}
        return json.dumps({**told, "imageViews": str(rng.integers(1000))}, indent=2).encode()
    if suffix.lower() == ".aae":
        edit = f"<key>adjustmentData</key><data>{rng.bytes(60).hex()}</data>"
        return f'<?xml version="1.0"?><plist version="1.0"><dict>{edit}</dict></plist>'.encode()
    if suffix.lower() == ".xmp":
        return xmp(About(rating=int(rng.integers(1, 6)), words=(rng.bytes(4).hex(),)))
    if suffix.lower() == ".mov":
        return film(rng)
    return b"II*\0" + rng.bytes(30_000)  # a raw file


# Colour profiles

_WHITE = (0.9642, 1.0, 0.8249)
_PRIMARIES = {  # as seen under D50, and the exponent of their tone curve; 0 is the one of sRGB
    "Display P3": (
        (0.51512, 0.24120, -0.00105, 0.29198, 0.69225, 0.04189, 0.15710, 0.06657, 0.78407),
        0.0,
    ),
    "Adobe RGB (1998)": (
        (0.60974, 0.31111, 0.01947, 0.20528, 0.62567, 0.06087, 0.14919, 0.06322, 0.74457),
        2.19921875,
    ),
    "ProPhoto RGB": (
        (0.79767, 0.28804, 0.0, 0.13519, 0.71188, 0.0, 0.03134, 0.00009, 0.82491),
        1.8,
    ),
}
PROFILES = tuple(_PRIMARIES)


@cache
def profile(name: str) -> bytes:
    """A colour profile of three primaries and one tone curve, made from published numbers."""
    numbers, power = _PRIMARIES[name]
    if power:
        curve = b"curv\0\0\0\0" + struct.pack(">IH", 1, round(power * 256))
    else:
        steps = np.linspace(0, 1, 1024)
        linear = np.where(steps <= 0.04045, steps / 12.92, ((steps + 0.055) / 1.055) ** 2.4)
        values = np.round(linear * 65535).astype(">u2").tobytes()
        curve = b"curv\0\0\0\0" + struct.pack(">I", 1024) + values
    label = name.encode() + b"\0"
    tags = {
        b"desc": b"desc\0\0\0\0" + struct.pack(">I", len(label)) + label + bytes(78),
        b"cprt": b"text\0\0\0\0" + b"No copyright\0",
        b"wtpt": _xyz(_WHITE),
        b"rXYZ": _xyz(numbers[:3]),
        b"gXYZ": _xyz(numbers[3:6]),
        b"bXYZ": _xyz(numbers[6:]),
        **dict.fromkeys((b"rTRC", b"gTRC", b"bTRC"), curve),
    }
    index, body, start = struct.pack(">I", len(tags)), b"", 132 + 12 * len(tags)
    for tag, data in tags.items():
        index += tag + struct.pack(">II", start + len(body), len(data))
        body += data + bytes(-len(data) % 4)
    head = struct.pack(">I4sI", start + len(body), b"none", 0x02100000) + b"mntrRGB XYZ "
    head += struct.pack(">6H", 2024, 1, 1, 0, 0, 0) + b"acsp" + bytes(28)
    head += b"".join(struct.pack(">i", round(value * 65536)) for value in _WHITE)
    return head.ljust(128, b"\0") + index + body


def _xyz(values: tuple[float, ...]) -> bytes:
    return b"XYZ \0\0\0\0" + b"".join(struct.pack(">i", round(v * 65536)) for v in values)


def in_profile(picture: Image.Image, name: str) -> Image.Image:
    """A picture in sRGB with its pixels turned into those of another colour space."""
    standard = ImageCms.createProfile("sRGB")
    other = ImageCms.ImageCmsProfile(io.BytesIO(profile(name)))
    return ImageCms.profileToProfile(picture, standard, other, outputMode="RGB")


def shown(content: bytes) -> Image.Image:
    """The pixels of a file in RGB, turned as it says, as a program would open it."""
    from PIL import ImageOps

    with Image.open(io.BytesIO(content)) as opened:
        return ImageOps.exif_transpose(opened).convert("RGB")


def later(time: datetime, rng: np.random.Generator, days: float = 400) -> datetime:
    """Some time after another one."""
    return time + timedelta(seconds=float(rng.uniform(3600, days * 86_400)))
