"""The copies of a made library: of each kind that collects over the years, and what is near one."""

import os
from collections.abc import Callable
from datetime import timedelta

import numpy as np
from camera_files import (
    EDITORS,
    PROFILES,
    About,
    in_profile,
    later,
    profile,
    saved,
    with_photoshop,
)
from messy_library import PARTNERS, Original, Scene, reopened, resized, with_grain
from PIL import Image, ImageDraw, ImageFilter, ImageOps, TiffImagePlugin

_DAY = 86_400.0


def _stem(original: Original) -> tuple[str, str, str]:
    """The folder, the name and the suffix of an original."""
    place, _, name = original.path.rpartition("/")
    stem, _, suffix = name.rpartition(".")
    return place, stem, suffix


def _after(scene: Scene, original: Original, days: float = 600) -> float:
    return original.modified + float(scene.rng.uniform(0.1, days)) * _DAY


def _bare(original: Original, **more: object) -> About:
    """What a program that copies EXIF leaves of it: no rating, no keywords."""
    kept = original.about._replace(rating=0, words=(), title="", orientation=0)
    return kept._replace(**more)


# Copies with the same bytes


def backup(scene: Scene, original: Original) -> str:
    """The same bytes in a folder of old backups."""
    when = original.modified if scene.chance(0.6) else _after(scene, original)
    path = f"Backup {scene.one_of((2015, 2018, 2020))}/{original.path}"
    return scene.put(path, original.content, when, "copy")


def renamed(scene: Scene, original: Original) -> str:
    """The same bytes under another name."""
    place, stem, suffix = _stem(original)
    form = scene.one_of(("{} (1).{}", "{} - Copy.{}", "{} copy.{}", "{}~2.{}"))
    path = f"{place}/{form.format(stem, suffix)}"
    return scene.put(path, original.content, _after(scene, original), "copy")


def time_cut(scene: Scene, original: Original) -> str:
    """The same bytes, with the time that FAT leaves of it: down to even seconds."""
    when = original.modified // 2 * 2
    return scene.put(f"USB stick/{original.path}", original.content, when, "copy")


def no_time(scene: Scene, original: Original) -> str:
    """The same bytes, with no time at all."""
    when = scene.one_of((0.0, 315_532_800.0))
    return scene.put(f"Recovered/{original.path}", original.content, when, "copy")


# Copies with other bytes


def messenger(scene: Scene, original: Original) -> str:
    """Smaller, coarser, and without a word about it."""
    small = resized(reopened(original), scene.rng.uniform(0.4, 0.85))
    content = saved(small, About(), quality=int(scene.rng.integers(60, 81)))
    path = f"WhatsApp Images/IMG-{scene.time():%Y%m%d}-WA{scene.number:04}.jpg"
    return scene.put(path, content, _after(scene, original, 30), "copy")


def export(scene: Scene, original: Original) -> str:
    """What an editor writes: EXIF and its own name, at a high quality, so more bytes."""
    program, time = scene.one_of(EDITORS), original.about.time or scene.time()
    about = _bare(original, software=program, edited=later(time, scene.rng))
    if scene.chance(0.5):
        about = about._replace(notes=b"")
    quality = int(scene.rng.integers(95, 100))
    content = saved(reopened(original), about, quality=quality, subsampling=0)
    if "Photoshop" in program:
        content = with_photoshop(content)
    _, stem, _ = _stem(original)
    return scene.put(f"Exports/{stem}-{scene.number}.jpg", content, _after(scene, original), "copy")


def enlarged(scene: Scene, original: Original) -> str:
    """Larger than it was, with nothing more to see."""
    large = resized(reopened(original), scene.rng.uniform(1.1, 2.0))
    about = _bare(original) if scene.chance(0.5) else About()
    if about.camera and scene.chance(0.5):
        about = about._replace(software=scene.one_of(EDITORS))
    content = saved(large, about, quality=int(scene.rng.integers(88, 97)))
    _, stem, _ = _stem(original)
    path = f"Prints/{stem}_{scene.number}_large.jpg"
    return scene.put(path, content, _after(scene, original), "copy")


def saved_anew(scene: Scene, original: Original) -> str:
    """Opened and saved by a viewer, at a higher quality than the camera's."""
    about = _bare(original) if scene.chance(0.6) else About()
    content = saved(reopened(original), about, quality=int(scene.rng.integers(95, 99)))
    place, stem, _ = _stem(original)
    path = f"{place}/{stem}_saved.jpg"
    return scene.put(path, content, _after(scene, original), "copy")


def other_format(scene: Scene, original: Original) -> str:
    """The same pixels in a format without loss."""
    format, suffix, options = scene.one_of(
        (
            ("PNG", "png", {}),
            ("WEBP", "webp", {"lossless": True}),
            ("TIFF", "tif", {"compression": "tiff_lzw"}),
            ("BMP", "bmp", {}),
        )
    )
    about = _bare(original) if format == "PNG" and scene.chance(0.4) else About()
    content = saved(reopened(original), about, format, **options)
    _, stem, _ = _stem(original)
    path = f"Converted/{stem}_{scene.number}.{suffix}"
    return scene.put(path, content, _after(scene, original), "copy")


def _smaller(scene: Scene, original: Original, factor: float, quality: int, where: str) -> str:
    picture = reopened(original)
    picture = resized(picture, factor) if factor != 1 else picture
    about = _bare(original) if scene.chance(0.5) else About()
    _, stem, _ = _stem(original)
    content = saved(picture, about, quality=quality)
    path = f"{where}/{stem}_{scene.number}.jpg"
    return scene.put(path, content, _after(scene, original), "copy")


def reduced(scene: Scene, original: Original) -> str:
    """Both sides times 0.25 to 0.9."""
    return _smaller(scene, original, scene.rng.uniform(0.25, 0.9), 92, "Web")


def recompressed(scene: Scene, original: Original) -> str:
    """Saved anew at quality 25 to 80."""
    return _smaller(scene, original, 1, int(scene.rng.integers(25, 81)), "Small files")


def reduced_and_recompressed(scene: Scene, original: Original) -> str:
    """Both."""
    factor, quality = scene.rng.uniform(0.3, 0.9), int(scene.rng.integers(50, 81))
    return _smaller(scene, original, factor, quality, "Mails")


def turned_for_good(scene: Scene, original: Original) -> str:
    """The pixels turned; the original has a tag instead."""
    about = _bare(original) if scene.chance(0.6) else About()
    _, stem, _ = _stem(original)
    content = saved(reopened(original), about, quality=95)
    path = f"Turned/{stem}_{scene.number}.jpg"
    return scene.put(path, content, _after(scene, original), "copy")


def other_date(scene: Scene, original: Original) -> str:
    """The same pixels, with the clock put right."""
    time = original.about.time + timedelta(hours=int(scene.rng.integers(1, 12)))
    content = saved(original.raw, original.about._replace(time=time), quality=original.quality)
    _, stem, _ = _stem(original)
    path = f"Clock put right/{stem}_{scene.number}.jpg"
    return scene.put(path, content, _after(scene, original), "copy")


#: Each way to make a copy, and how many there are in a library of small pictures.
COPIES: dict[Callable, int] = {
    backup: 24,
    renamed: 14,
    time_cut: 14,
    no_time: 10,
    messenger: 60,
    export: 40,
    enlarged: 30,
    saved_anew: 30,
    other_format: 40,
    turned_for_good: 20,
    reduced: 30,
    recompressed: 34,
    reduced_and_recompressed: 20,
    other_date: 10,
}
# After these the time of the file need not tell which one was first.
_TOLD_OTHERWISE = {backup, renamed, messenger, export, reduced}


def shared_out(counts: dict[Callable, int], rng: np.random.Generator) -> list[tuple]:
    """The copies of each family: mostly one, at times two or three of different kinds."""
    left = [kind for kind, count in counts.items() for _ in range(count)]
    left = [left[row] for row in rng.permutation(len(left))]
    families = []
    while left:
        wanted, family = int(rng.choice((1, 2, 3), p=(0.7, 0.2, 0.1))), []
        for kind in dict.fromkeys(left):
            alone = {kind, *family} & {turned_for_good, other_date}
            if len(family) < wanted and not (family and alone):
                family.append(kind)
        for kind in family:
            left.remove(kind)
        families.append(tuple(family))
    return families


def family(scene: Scene) -> None:
    """An original and its copies."""
    kinds, more, share = scene.job["copies"], {}, 0.8
    if turned_for_good in kinds:
        more, share = {"orientation": scene.one_of((3, 6, 8))}, 1.0
    elif other_date in kinds:
        more, share = {"title": ""}, 1.0
    original = scene.taken(share, **more)
    modified = None
    if original.about.time and set(kinds) <= _TOLD_OTHERWISE and scene.chance(0.25):
        modified = original.modified + scene.rng.uniform(1, 900) * _DAY
        if {backup, renamed} & set(kinds):
            original = original._replace(modified=modified)  # copies of the same bytes follow it
    scene.keep(original, modified, kind="original")
    if original.about.camera and scene.chance(0.12):
        scene.add_partners(original.path, scene.one_of(PARTNERS), original.about)
    for kind in kinds:
        scene.job["kind"] = kind.__name__
        path = kind(scene, original)
        if kind in (messenger, export, reduced) and scene.chance(0.5):  # copies of a copy
            content = (scene.folder / path).read_bytes()
            about = About() if kind is messenger else original.about
            original = original._replace(content=content, about=about)


# Copies that hold what their original lacks


def with_more(scene: Scene) -> None:
    """A copy to which somebody added stars, a title, a place, keywords or layers."""
    original = scene.taken(1.0, place=None, rating=0, words=())
    scene.keep(original, kind="original")
    what, when = scene.one_of(tuple(_MORE)), _after(scene, original)
    about = _bare(original, software=EDITORS[0], edited=scene.time())
    content, suffix = _MORE[what](reopened(original), about)
    path = f"Edited/{_stem(original)[1]}_{scene.number}.{suffix}"
    scene.put(path, content, when, "loses", kind=f"copy with {what}")


def _layered(picture: Image.Image, about: About) -> tuple[bytes, str]:
    import io

    tags, file = TiffImagePlugin.ImageFileDirectory_v2(), io.BytesIO()
    tags[305] = EDITORS[1]
    tags.tagtype[37724] = 7
    tags[37724] = b"Adobe Photoshop Document Data Block\0MIB8ryaL" + bytes(400)
    picture.save(file, "TIFF", tiffinfo=tags)
    return file.getvalue(), "tif"


_PLACE, _WORDS = (48.8583, 2.2945), ("Anna", "holiday")
_MORE = {
    "stars": lambda p, a: (saved(p, a._replace(rating=5), quality=96), "jpg"),
    "title": lambda p, a: (saved(p, a._replace(title="The lake"), quality=90), "jpg"),
    "IPTC": lambda p, a: (with_photoshop(saved(p, a, quality=96), "The lake", _WORDS), "jpg"),
    "place": lambda p, a: (saved(resized(p, 0.6), a._replace(place=_PLACE), quality=90), "jpg"),
    "keywords": lambda p, a: (saved(p, About(words=_WORDS), "PNG"), "png"),
    "layers": _layered,
}


def richer(scene: Scene) -> None:
    """The same pixels twice; the later file has all of the first and a place and stars."""
    original = scene.taken(1.0, place=None, rating=0, words=())
    if not original.content.startswith(b"\xff\xd8") or b"MPF\0" in original.content[:9000]:
        original = original._replace(content=saved(original.raw, original.about, quality=90))
    scene.keep(original, kind="original without a place")
    place, stem, _ = _stem(original)
    about = original.about._replace(place=_PLACE, rating=4, words=_WORDS)
    content = saved(original.raw, about, quality=original.quality)
    when = _after(scene, original)
    scene.put(f"{place}/{stem}_tagged.jpg", content, when, "richer", kind="tagged later")


def with_partners(scene: Scene) -> None:
    """Pictures with files beside them, at one place or at two."""
    original, case = scene.taken(1.0), scene.job["place"] % 6
    partners = scene.one_of(PARTNERS)
    if case < 4:
        scene.keep(original, kind="original with partners" if case < 3 else "original")
    path = f"Backup 2019/{original.path}"
    if case in (0, 1):  # only the original has partners
        scene.add_partners(original.path, partners, original.about)
        scene.put(path, original.content, original.modified, "copy", kind="backup, no partners")
    elif case == 2:  # both have the same
        made = scene.add_partners(original.path, partners, original.about)
        scene.put(path, original.content, original.modified, "copy", kind="backup with partners")
        scene.put_partners(path, made)
    elif case == 3:  # the copy was edited, and says so in a file of its own
        content = saved(reopened(original), _bare(original, software=EDITORS[3]), quality=97)
        path = f"Exports/{_stem(original)[1]}_{scene.number}.jpg"
        scene.put(path, content, _after(scene, original), "loses", kind="copy with a sidecar")
        scene.add_partners(path, (".xmp",), original.about)
    elif case == 4:  # the same bytes, each with a sidecar of its own
        for place in (original.path, path):
            role = "original" if place == original.path else "loses"
            scene.put(place, original.content, original.modified, role, kind="another sidecar each")
            scene.add_partners(place, ("+.xmp",), original.about)
    else:  # the same bytes, of which only the one with the longer path has partners
        scene.put(path, original.content, original.modified, "original", kind="has the partners")
        scene.put(original.path, original.content, original.modified, "copy", kind="has no partner")
        scene.add_partners(path, partners, original.about)


def other_profile(scene: Scene) -> None:
    """One picture in two colour spaces."""
    original, number = scene.taken(0.9, rating=0, words=()), scene.job["place"]
    name = PROFILES[number % 3]
    pixels = in_profile(original.raw, name)
    if number % 4 == 3 and original.about.camera:  # the camera's own is the one with a profile
        about = original.about._replace(profile=profile(name))
        content = saved(pixels, about, quality=92)
        scene.keep(original._replace(content=content), kind=f"original in {name}")
        copy = saved(original.raw, _bare(original), quality=90)
    else:
        scene.keep(original, kind="original")
        about = _bare(original, profile=profile(name))
        if not original.about.camera:
            about = About(profile=profile(name))
        format = "PNG" if number % 5 == 4 else "JPEG"
        copy = saved(in_profile(reopened(original), name), about, format, quality=94)
    path = f"For print/{_stem(original)[1]}_{scene.number}.jpg"
    scene.put(path, copy, _after(scene, original), "profile", kind=f"in {name}")


# Kin: never moved, but mentioned


def _kin(scene: Scene, original: Original, picture: Image.Image, kind: str) -> None:
    if scene.chance(0.3):
        picture = resized(picture, scene.rng.uniform(0.6, 0.95))
    about = _bare(original) if scene.chance(0.4) else About()
    quality, when = int(scene.rng.integers(80, 96)), _after(scene, original)
    path = f"Made from/{kind.replace(' ', '_')}_{scene.number}.jpg"
    content = saved(picture, about, quality=quality)
    scene.put(path, content, when, "kin", kind=kind, picture=f"{scene.name} {kind}")


def cropped(scene: Scene) -> None:
    """Cropped by a share of each side, a little unevenly."""
    original, share = scene.taken(), scene.job["share"]
    scene.keep(original, kind="original")
    picture = reopened(original)
    left, top, right, bottom = scene.rng.uniform(0.8, 1.2, 4) * share
    width, height = picture.size
    box = left * width, top * height, (1 - right) * width, (1 - bottom) * height
    _kin(scene, original, picture.crop(tuple(map(round, box))), f"cropped {share:.0%} a side")


def framed(scene: Scene) -> None:
    """A border of one colour, wider below, with words, or of the picture itself, blurred."""
    original, number = scene.taken(), scene.job["place"] % 5
    scene.keep(original, kind="original")
    picture = reopened(original)
    border = max(4, round(min(picture.size) * scene.rng.uniform(0.04, 0.12)))
    colour = scene.one_of(("white", "black", "#e8e0d0", "#203040"))
    if number == 4:
        side = max(picture.size) + 2 * border
        frame = picture.resize((side, side)).filter(ImageFilter.GaussianBlur(side // 20))
        frame.paste(picture, ((side - picture.width) // 2, (side - picture.height) // 2))
        return _kin(scene, original, frame, "framed by itself, blurred")
    sides = (border, border, border, border * (3 if number in (2, 3) else 1))
    frame = ImageOps.expand(picture, sides, colour)
    if number == 3:
        place = (border * 2, frame.height - border * 2)
        ImageDraw.Draw(frame).text(place, "Summer 2019", "grey", font_size=border)
    kind = ("framed", "framed", "framed, wide below", "framed, with words")[number]
    return _kin(scene, original, frame, kind)


def turned_or_mirrored(scene: Scene) -> None:
    """Turned or mirrored without a tag that tells."""
    original, way = scene.taken(), Image.Transpose(scene.job["place"] % 7)
    scene.keep(original, kind="original")
    name = way.name.lower().replace("_", " ")
    _kin(scene, original, reopened(original).transpose(way), f"turned or mirrored, {name}")


def filtered(scene: Scene) -> None:
    """Another look of the same picture: somebody wanted both."""
    original = scene.taken()
    scene.keep(original, kind="original")
    picture = reopened(original)
    pixels = np.asarray(picture, np.float32)
    kind = ("grey", "sepia", "contrast", "faded", "vignette")[scene.job["place"] % 5]
    if kind == "grey" and np.ptp(pixels, axis=2).mean() < 8:  # it is grey by itself
        kind = "sepia"
    if kind in ("grey", "sepia"):
        grey = np.asarray(picture.convert("L"), np.float32)[..., None]
        pixels = grey * ((1, 1, 1) if kind == "grey" else (1.07, 0.9, 0.7))
    elif kind == "contrast":
        pixels = (pixels - 128) * 1.6 + 128
    elif kind == "faded":
        pixels = pixels * 0.6 + (80, 70, 60)
    else:
        across = np.hypot(*np.ogrid[-1 : 1 : pixels.shape[0] * 1j, -1 : 1 : pixels.shape[1] * 1j])
        pixels = pixels * (1.1 - 0.55 * across[..., None])
    picture = Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8))
    about = _bare(original, software="Snapseed 2.0") if scene.chance(0.5) else About()
    path, when = f"Filters/{kind}_{scene.number}.jpg", _after(scene, original)
    content = saved(picture, about, quality=93)
    scene.put(path, content, when, "alone", kind=f"filter: {kind}", picture=f"{scene.name} {kind}")


def in_a_bin(scene: Scene) -> None:
    """An original, and what lies of it in a bin or a store of thumbnails."""
    original, number = scene.taken(), scene.job["place"] % 6
    scene.keep(original, kind="original")
    place, stem, suffix = _stem(original)
    name = f"{stem}.{suffix}"
    small = saved(resized(reopened(original), 0.4), About(), quality=85)
    path, content = (
        (f"$RECYCLE.BIN/S-1-5-21-1004/$R{scene.number:06}.{suffix}", original.content),
        (f"#recycle/{original.path}", original.content),
        (f".Trash-1000/files/{name}", original.content),
        (f"{place}/@eaDir/{name}/SYNOPHOTO_THUMB_XL.jpg", small),
        (f".thumbnails/{scene.number}.jpg", small),
        (f"RECYCLER/{scene.number}/{name}", original.content),
    )[number]
    when = original.modified - (_DAY if scene.chance(0.5) else 0)
    scene.put(path, content, when, "shut", kind=path.split("/")[0])


def hard_linked(scene: Scene) -> None:
    """One file under two names."""
    original = scene.taken()
    path = scene.put(original.path, original.content, original.modified, "linked")
    other = f"Albums/{scene.number}/{_stem(original)[1]}.jpg"
    (scene.folder / other).parent.mkdir(parents=True, exist_ok=True)
    os.link(scene.folder / path, scene.folder / other)
    scene.rows.append({**scene.rows[-1], "path": other})


def grain_of_another_shot(picture: Image.Image, rng: np.random.Generator) -> Image.Image:
    """The same scene a moment later: moved, lit a little otherwise, with other noise."""
    width, height = picture.size
    share, shift = rng.uniform(0.94, 0.99), rng.uniform(0.004, 0.03)
    left = (1 - share) * width * rng.random() + shift * width * rng.choice((-1, 1))
    top = (1 - share) * height * rng.random()
    left = float(np.clip(left, 0, (1 - share) * width))
    box = (left, top, left + share * width, top + share * height)
    moved = picture.resize(picture.size, Image.Resampling.BICUBIC, box=box)
    pixels = np.asarray(moved, np.float32) * rng.uniform(0.93, 1.07)
    shot = Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8))
    side = max(12, min(picture.size) // 6)
    x, y = int(rng.integers(width - side)), int(rng.integers(height - side))
    thing = shot.crop((x, y, x + side, y + side))
    step = max(3, side // 4)
    shot.paste(thing, (int(np.clip(x + step, 0, width - side)), y))
    return with_grain(shot, rng, rng.uniform(2, 5))
