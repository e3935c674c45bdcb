"""What a file holds beside its pixels: what anybody would miss has a name, and nothing else has."""

import io
import random
import struct
import time

import pytest
from conftest import make_photograph
from PIL import Image, ImageCms
from PIL.PngImagePlugin import PngInfo

from helpers.images.metadata import metadata_of

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning")  # of Pillow, about broken files
PHOTO = make_photograph(3, size=(160, 120))
TAKEN = "2023:05:01 10:00:00"
PLACE = {1: "N", 2: (48.0, 51.0, 29.6), 3: "W", 4: (2.0, 17.0, 40.2)}


def exif(main=None, details=None, places=None):
    made = Image.Exif()
    made.update(main or {})
    made.get_ifd(0x8769).update(details or {})
    made.get_ifd(0x8825).update(places or {})
    return made


def xmp(inside="", attributes=""):
    spaces = " ".join(f'xmlns:{name}="x"' for name in ("xmp", "dc", "exif", "hdrgm", "xmpMM"))
    return (
        f'<x:xmpmeta><rdf:RDF xmlns:rdf="y"><rdf:Description {spaces} {attributes}>{inside}'
        "</rdf:Description></rdf:RDF></x:xmpmeta>"
    ).encode()


def iptc(*texts):
    data = b"".join(
        struct.pack(">BBBH", 28, 2, number, len(text.encode())) + text.encode()
        for number, text in texts
    )
    return b"Photoshop 3.0\x008BIM\x04\x04\0\0" + struct.pack(">I", len(data)) + data


def segment(number, data):
    return struct.pack(">BBH", 255, 0xE0 + number, len(data) + 2) + data


def jpeg(*segments, behind=b"", **options):
    file = io.BytesIO()
    PHOTO.save(file, options.pop("format", "JPEG"), quality=90, **options)
    return file.getvalue()[:2] + b"".join(segments) + file.getvalue()[2:] + behind


def saved(kind, picture=PHOTO, **options):
    file = io.BytesIO()
    picture.save(file, kind, **options)
    return file.getvalue()


def found(content):
    file = io.BytesIO(content)
    with Image.open(file) as image:
        size = image.size
        image.load()
        return metadata_of(image, file, size)


def held(content):
    return found(content)[0]


def png_text(**texts):
    info = PngInfo()
    for key, text in texts.items():
        info.add_text(key.replace("_", " "), text)
    return saved("PNG", pnginfo=info)


CAMERA = exif(
    {0x010F: "Acme", 0x0110: "Acme X100", 0x0131: "Ver.1.00", 0x0132: TAKEN},
    {0x9003: TAKEN, 0x9291: "12", 0x927C: b"secret" * 50, 0xA002: 160, 0xA003: 120},
    PLACE,
)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "TIFF", "WEBP"])
def test_what_a_camera_writes_is_read_from_every_format(kind):
    holds, edited = found(saved(kind, exif=CAMERA.tobytes()))
    assert holds.pop("maker's notes", "")
    assert holds == {
        "camera": "Acme X100",
        "place": "48.8582, -2.2945",
        "time": "2023:05:01 10:00:00.12",
    }
    assert edited == ""


BAG = "<dc:{0}><rdf:Bag><rdf:li>sea &amp; sun</rdf:li><rdf:li>Rome</rdf:li></rdf:Bag></dc:{0}>"
SAME = {
    "keywords": [
        jpeg(xmp=xmp(BAG.format("subject"))),
        jpeg(segment(13, iptc((25, "Rome"), (25, "sea & sun")))),
        saved("TIFF", tiffinfo={33723: iptc((25, "Rome"), (25, "sea & sun"))[26:]}),
    ],
    "title": [
        jpeg(xmp=xmp("<dc:title><rdf:Alt><rdf:li xml:lang='x'>Été</rdf:li></rdf:Alt></dc:title>")),
        jpeg(segment(13, iptc((5, "Été")))),
        jpeg(exif=exif({0x9C9B: "Été\0".encode("utf-16-le")})),
        png_text(Title="Été"),
    ],
    "description": [
        jpeg(exif=exif({0x010E: "Grandmother"})),
        jpeg(exif=exif(details={0x9286: b"ASCII\0\0\0Grandmother"})),
        jpeg(comment=b"Grandmother"),
        saved("GIF", comment=b"Grandmother"),
        png_text(Description="Grandmother"),
    ],
    "rating": [
        jpeg(xmp=xmp(attributes='xmp:Rating="4"')),
        jpeg(xmp=xmp("<xmp:Rating>4</xmp:Rating>")),
        jpeg(exif=exif({0x4746: 4})),
    ],
    "place": [
        jpeg(exif=exif(places=PLACE)),
        jpeg(xmp=xmp(attributes="exif:GPSLatitude='48,51.4933N' exif:GPSLongitude='2,17.67W'")),
    ],
    "time": [
        jpeg(exif=exif(details={0x9003: TAKEN})),
        jpeg(xmp=xmp(attributes='exif:DateTimeOriginal="2023-05-01T10:00:00Z"')),
    ],
}


@pytest.mark.parametrize("item", SAME)
def test_equal_information_is_equal_wherever_it_stands(item):
    holds = [held(content) for content in SAME[item]]
    assert [{*one} for one in holds] == [{item}] * len(holds)
    assert len({one[item] for one in holds}) == 1, holds


FILM = b"\0\0\0\x18ftypmp42" + bytes(3000)
OTHERS = {
    "film": jpeg(behind=FILM),
    "second picture": jpeg(format="MPO", save_all=True, append_images=[PHOTO.resize((80, 60))]),
    "gain map": jpeg(xmp=xmp(attributes='hdrgm:Version="1.0"')),
    "layers": saved("TIFF", tiffinfo={37724: b"Adobe Photoshop Document Data Block\0" * 4}),
    "other data (APP11)": jpeg(segment(11, b"JP\0\0c2pa")),
    "other data (behind the picture)": jpeg(behind=b"secret"),
    "other data (tag 34735)": saved("TIFF", tiffinfo={34735: b"1 1 0 2"}),
    "text (parameters)": png_text(parameters="a cat, steps 20"),
    "people": jpeg(xmp=xmp("<mwg-rs:Name>Anna</mwg-rs:Name>")),
    "author": jpeg(exif=exif({0x013B: "Anna"})),
}


@pytest.mark.parametrize("item", OTHERS)
def test_what_anybody_would_miss_has_a_name(item):
    assert {*held(OTHERS[item])} == {item}


def test_films_and_other_pictures_are_told_apart():
    both = OTHERS["second picture"] + FILM
    assert {*held(both)} == {"film", "second picture"}
    of_apple = xmp(attributes='HDRGainMap:Version="1"')
    pictures = {"append_images": [PHOTO.resize((80, 60))], "xmp": of_apple}
    assert {*held(jpeg(format="MPO", save_all=True, **pictures))} == {"gain map"}


def test_a_private_chunk_of_a_png_may_be_missed():
    info = PngInfo()
    info.add(b"mkBF", b"layers of Fireworks")
    assert {*held(saved("PNG", pnginfo=info))} == {"other data (mkBF)"}


PROFILE = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
NOTHING = {
    "profile": jpeg(icc_profile=PROFILE),
    "encoder": jpeg(comment=b"CREATOR: gd-jpeg v1.0 (using IJG JPEG v62), quality = 90\n"),
    "erased place": jpeg(exif=exif(places={1: "N", 2: (0, 0, 0), 3: "E", 4: (0, 0, 0)})),
    "no clock": jpeg(exif=exif(details={0x9003: "0000:00:00 00:00:00"})),
    "default": jpeg(exif=exif({0x010E: "OLYMPUS DIGITAL CAMERA         "})),
    "blanks": jpeg(exif=exif({0x013B: "    ", 0x8298: "\0"}, {0x927C: bytes(100)})),
    "no stars": jpeg(xmp=xmp(attributes='xmp:Rating="0"')),
    "tool": png_text(**{"Software": "gnome-screenshot", "date:create": "2020"}),
    "padding": jpeg(behind=bytes(50)),
}


@pytest.mark.parametrize("name", NOTHING)
def test_what_nobody_would_miss_is_nothing(name):
    assert held(NOTHING[name]) == {}


def later(time, software="16.1"):
    return jpeg(exif=exif({0x0132: time, 0x0131: software}, {0x9003: TAKEN}))


@pytest.mark.parametrize("software", ["Ver.1.00 ", "16.1", "HDR+ 1.0.220943774z", "G991BXXU3AUE1"])
def test_a_camera_and_its_firmware_are_no_editor(software):
    assert found(later(TAKEN, software))[1] == ""
    assert found(later("2023:05:01 10:00:40", software))[1] == "", "it took a while"


SAVED = '<xmpMM:History><rdf:Seq><rdf:li stEvt:softwareAgent="Adobe Lightroom 12" {}/></rdf:Seq>'
SAVED += "</xmpMM:History>"
EDITED = {
    "Adobe Photoshop CS6 (Windows)": later(TAKEN, "Adobe Photoshop CS6 (Windows)"),
    "GIMP 2.10": jpeg(xmp=xmp(attributes='xmp:CreatorTool="GIMP 2.10"')),
    "Adobe Lightroom 12": jpeg(xmp=xmp(SAVED.format('stEvt:changed="/"'))),
    "changed 2023:05:01 10:02:00": later("2023:05:01 10:02:00"),
    "had 4000 x 3000 pixels": jpeg(exif=exif(details={0xA002: 4000, 0xA003: 3000})),
    "CREATOR: gd-jpeg v1.0": jpeg(comment=b"CREATOR: gd-jpeg v1.0"),
}


@pytest.mark.parametrize("sign", EDITED)
def test_an_editor_is_known_by_a_sign(sign):
    assert found(EDITED[sign])[1] == sign


def test_who_only_wrote_metadata_edited_no_picture():
    assert found(jpeg(xmp=xmp(SAVED.format('stEvt:changed="/metadata"'))))[1] == ""


def test_a_turned_picture_has_the_size_that_exif_says():
    turned = exif({0x0112: 6}, {0xA002: 120, 0xA003: 160})
    assert found(jpeg(exif=turned)) == ({}, "")


UNREAD = {
    "exif": jpeg(segment(1, b"Exif\0\0II*\0\xff\0\0\0")),
    "xmp": jpeg(xmp=xmp(attributes='xmp:Rating="4"')[:120]),
    "iptc": jpeg(segment(13, iptc((25, "Rome"))[:-7].replace(b"\0\x0a", b"\0\x04"))),
}


@pytest.mark.parametrize("part", UNREAD)
def test_what_is_broken_may_be_missed(part):
    assert held(UNREAD[part]) == {"data that cannot be read": part}


def test_the_rest_of_broken_exif_is_read():
    raw = bytearray(CAMERA.tobytes())
    notes = raw.index(struct.pack(">H", 0x927C)) + 8
    raw[notes : notes + 4] = b"\0\0\xff\xff"  # the place of the maker's notes lies outside
    holds = held(jpeg(exif=bytes(raw)))
    assert holds["data that cannot be read"] == "exif"
    assert {"camera", "place", "time"} < {*holds}


def test_no_file_is_so_broken_that_it_raises():
    rng = random.Random(5)
    contents = [saved(kind, exif=CAMERA) for kind in ("JPEG", "PNG", "TIFF", "WEBP")]
    contents += [*OTHERS.values(), *(content for same in SAME.values() for content in same)]
    for content in contents:
        for _ in range(20):
            broken = bytearray(content)
            for _ in range(rng.randrange(1, 6)):
                broken[rng.randrange(20, len(content))] = rng.randrange(256)
            try:
                file = io.BytesIO(broken)
                image = Image.open(file)
            except Exception:  # Pillow refuses it
                continue
            holds, edited = metadata_of(image, file)
            assert all(len(text) <= 80 for text in (*holds.values(), edited))


def test_long_texts_are_cut_and_still_differ():
    one, other = (held(jpeg(comment=b"x" * 300 + end))["description"] for end in (b"a", b"b"))
    assert len(one) == len(other) <= 80
    assert one != other


def test_a_value_that_is_named_again_and_again_is_read_once():
    """Each of 60,000 entries names the same 2 MB: to read them all would take a minute."""
    entries = struct.pack("<HHII", 0x010E, 2, 2**21, 720_010) * 60_000
    image = Image.new("RGB", (9, 8))
    image.info["exif"] = b"II*\0" + struct.pack("<IH", 8, 60_000) + entries + b"x" * 2**21
    start = time.process_time()
    assert metadata_of(image, io.BytesIO())[0]["description"].startswith("xxx")
    assert time.process_time() - start < 5


@pytest.mark.parametrize("odd", ["a-", "<a:b", "<a:bb ", "a:", "a:b ", "a:b=", "a.", "</"])
def test_no_letter_of_xmp_is_looked_at_again_and_again(odd):
    packet = f"<a:b {odd * 60_000}".encode() + b"</rdf:RDF>"
    picture, start = saved("PNG", xmp=packet), time.process_time()
    found(picture)
    assert time.process_time() - start < 2
