"""What only looks like a copy: another shot, another line, another word, another frame."""

import io
from datetime import datetime, timedelta

import numpy as np
from camera_files import CAMERAS, About, profile, saved, shown
from library_copies import (
    enlarged,
    export,
    grain_of_another_shot,
    messenger,
    other_format,
    recompressed,
    reduced,
    saved_anew,
)
from messy_library import Original, Scene, composed, resized, with_grain
from PIL import Image, ImageDraw

_WORDS = [
    "about",
    "after",
    "again",
    "answer",
    "back",
    "before",
    "bring",
    "came",
    "copy",
    "day",
    "each",
    "first",
    "found",
    "good",
    "great",
    "hand",
    "have",
    "help",
    "house",
    "keep",
    "large",
    "letter",
    "light",
    "line",
    "little",
    "made",
    "morning",
    "never",
    "next",
    "night",
    "number",
    "old",
    "page",
    "people",
    "photo",
    "place",
    "read",
    "right",
    "said",
    "still",
    "tell",
    "that",
    "the",
    "three",
    "today",
    "under",
    "week",
    "work",
    "7",
    "12",
    "30",
    "2019",
    "2024",
    "10:45",
    "once",
    "upon",
    "time",
    "river",
    "mountain",
    "kitchen",
    "garden",
    "station",
    "window",
]


def moment(time: datetime, seconds: float) -> datetime:
    """A time some seconds later."""
    return time + timedelta(seconds=round(seconds, 2))


def _words(rng: np.random.Generator, count: int) -> str:
    return " ".join(_WORDS[row] for row in rng.integers(len(_WORDS), size=count))


_NOTHING = About()
_ANY = (messenger, export, reduced, recompressed, saved_anew, enlarged)
_FINE = (saved_anew, other_format, recompressed)  # of which a person still tells one word


def _alone(
    scene: Scene,
    path: str,
    content: bytes,
    number: int,
    time: datetime | None = None,
    about: About = _NOTHING,
    ways: tuple = (),
) -> None:
    """One of several look-alikes. Some have a copy, which is no copy of the others."""
    modified = (time or scene.time()).timestamp()
    scene.picture = f"{scene.name} {number}"
    if not ways or number != scene.copied:
        scene.put(path, content, modified, "alone")
        return
    scene.put(path, content, modified, "original")
    way, kind = scene.one_of(ways), scene.job["kind"]
    scene.job["kind"] = f"{way.__name__} of a {kind}"
    way(scene, Original(path, content, shown(content), about, 90, modified))
    scene.job["kind"] = kind


def single(scene: Scene) -> None:
    """A picture of which there is no other."""
    original = scene.taken()
    scene.put(original.path, original.content, original.modified, "alone")


def burst(scene: Scene) -> None:
    """Shots of one scene within a second or two."""
    raw, time = scene.photograph(), scene.time()
    camera, has_exif = scene.one_of(CAMERAS), scene.chance(0.85)
    for shot in range(4):
        when = moment(time, shot * float(scene.rng.uniform(0.1, 0.6)))
        picture = raw if shot == 0 else grain_of_another_shot(raw, scene.rng)
        about = About(camera, when, notes=scene.rng.bytes(120)) if has_exif else About()
        content = saved(picture, about, quality=camera.quality)
        path = f"Photos/{time:%Y/%m}/burst_{scene.number}_{shot}.jpg"
        _alone(scene, path, content, shot, when, about, _ANY)


def bracket(scene: Scene) -> None:
    """Three exposures of one scene."""
    raw, time, camera = scene.photograph(), scene.time(), scene.one_of(CAMERAS[:3])
    has_exif = scene.chance(0.8)
    for shot, stops in enumerate((0, -0.8, 0.8)):
        linear = (np.asarray(raw, np.float32) / 255) ** 2.2 * 2**stops
        pixels = np.clip(linear, 0, 1) ** (1 / 2.2) * 255
        picture = with_grain(Image.fromarray(pixels.astype(np.uint8)), scene.rng, 1.5)
        about, when = About(), moment(time, shot)
        if has_exif:
            about = About(camera, when, notes=scene.rng.bytes(120))
        content = saved(picture, about, quality=camera.quality)
        path = f"Photos/{time:%Y/%m}/AEB_{scene.number}_{shot}.jpg"
        _alone(scene, path, content, shot, when, about, _ANY)


def time_lapse(scene: Scene) -> None:
    """Frames of a camera that stands still while the light changes and something moves."""
    raw = resized(composed(scene.rng, (960, 640)), 2 / 3)
    base, frames, time = np.asarray(raw, np.float32), scene.job["frames"], scene.time()
    has_exif = scene.chance(0.5)
    for frame in range(frames):
        light = 0.85 + 0.3 * frame / frames
        picture = Image.fromarray(np.clip(base * light, 0, 255).astype(np.uint8))
        draw, x = ImageDraw.Draw(picture), 30 + frame * 560 // frames
        draw.ellipse((x, 60 + frame % 7, x + 46, 106 + frame % 7), fill=(250, 240, 190))
        picture = with_grain(picture, scene.rng, 2)
        when = time + timedelta(seconds=10 * frame)
        about = About(CAMERAS[0], when, notes=scene.rng.bytes(60)) if has_exif else About()
        content = saved(picture, about, quality=90)
        path = f"Time-lapse {scene.number}/{frame:04}.jpg"
        _alone(scene, path, content, frame, when, about, _ANY)


# Drawn


def _lines(scene: Scene, size: tuple[int, int], lines: list[str], colours: tuple) -> Image.Image:
    paper, ink, bar = colours
    picture = Image.new("RGB", size, paper)
    draw, step = ImageDraw.Draw(picture), size[1] // (len(lines) + 3)
    draw.rectangle((0, 0, size[0], step), fill=bar)
    for row, line in enumerate(lines):
        draw.text((24, (row + 2) * step), line, ink, font_size=max(11, step * 5 // 9))
    return picture


def screenshot(scene: Scene) -> None:
    """Of one window: one line other than before, one word, and all text."""
    rng = scene.rng
    size, count = scene.one_of(((540, 960), (960, 540), (720, 720))), int(rng.integers(9, 16))
    colours = scene.one_of(
        (
            ("white", "black", "#3366cc"),
            ("#101418", "#d0d8e0", "#202830"),
            ("#fff8e8", "#303030", "#884422"),
            ("#ece5dd", "#111b21", "#008069"),
        )
    )
    first = [_words(rng, int(rng.integers(3, 8))) for _ in range(count)]
    line, word, all_other = list(first), list(first), [_words(rng, 5) for _ in first]
    line[count // 2] = _words(rng, 6)
    parts = word[count // 3].split()
    word[count // 3] = " ".join(["other", *parts[1:]])
    for shot, lines in enumerate((first, line, word, all_other)):
        content = saved(_lines(scene, size, lines, colours), About(), "PNG")
        path = f"Screenshots/Screenshot_{scene.time():%Y%m%d}-{scene.number}-{shot}.png"
        _alone(scene, path, content, shot, ways=_FINE)


def meme(scene: Scene) -> None:
    """One photograph with other words above and below."""
    raw = scene.photograph()
    for number in range(6):
        picture, size = raw.copy(), max(14, raw.height // 9)
        draw = ImageDraw.Draw(picture)
        about = {"anchor": "mm", "font_size": size, "stroke_width": 2, "stroke_fill": "black"}
        middle = raw.width // 2
        draw.text((middle, size), _words(scene.rng, 3).upper(), "white", **about)
        draw.text((middle, raw.height - size), _words(scene.rng, 3).upper(), "white", **about)
        content = saved(picture, About(), quality=int(scene.rng.integers(70, 92)))
        _alone(scene, f"Memes/{scene.number}_{number}.jpg", content, number, ways=_FINE)


def page(scene: Scene) -> None:
    """Scanned letters of one form, with other digits and dates."""
    rng = scene.rng
    body = [_words(rng, 9) for _ in range(int(rng.integers(14, 24)))]
    for number in range(4):
        lines = list(body)
        lines[2] = f"Invoice {rng.integers(10**5, 10**6)} of {rng.integers(1, 29)} May 2021"
        lines[-3] = f"Sum: {rng.integers(10, 999)}.{rng.integers(10, 99)} EUR"
        picture = _lines(scene, (620, 877), lines, ("#fdfdf8", "#222222", "#fdfdf8"))
        content = saved(with_grain(picture, rng, 1.5), About(), quality=85)
        path = f"Scans/letter_{scene.number}_{number}.jpg"
        _alone(scene, path, content, number, ways=_FINE)


def flags(scene: Scene) -> None:
    """Flags of one form in other colours; icons of one program in two states."""
    across, rng = scene.chance(0.5), scene.rng
    first = rng.integers(0, 256, (3, 3))
    for number in range(4):
        colours = first.copy()
        if number:  # one stripe has a clearly different colour
            colours[number - 1] = (first[number - 1] + rng.integers(70, 186, 3)) % 256
        picture = Image.new("RGB", (240, 160))
        draw = ImageDraw.Draw(picture)
        for stripe, colour in enumerate(colours.tolist()):
            box = (stripe * 80, 0, stripe * 80 + 80, 160)
            box = box if across else (0, stripe * 54, 240, stripe * 54 + 54)
            draw.rectangle(box, fill=tuple(colour))
        _alone(scene, f"Flags/{scene.number}_{number}.png", saved(picture, About(), "PNG"), number)
    for number, colour in enumerate(("#44aa44", "#aa4444")):
        picture = Image.new("RGB", (128, 128), "white")
        draw = ImageDraw.Draw(picture)
        draw.rounded_rectangle((10, 10, 118, 118), 20, fill="#d0d0d8")
        draw.ellipse((80, 80, 116, 116), fill=colour)
        draw.text((28, 24), f"{scene.number % 90 + 10}", "#333344", font_size=56)
        path = f"Icons/{scene.number}_{('on', 'off')[number]}.png"
        _alone(scene, path, saved(picture, About(), "PNG"), 10 + number)


def panels(scene: Scene) -> None:
    """Strips of three pictures, of which one is another."""
    shown = [resized(composed(scene.rng, (320, 320)), 1) for _ in range(5)]
    for number, third in enumerate((2, 3, 4)):
        strip = Image.new("RGB", (980, 330), "white")
        for place, picture in enumerate((0, 1, third)):
            strip.paste(shown[picture], (5 + place * 325, 5))
        content = saved(strip, About(), quality=90)
        _alone(scene, f"Comics/{scene.number}_{number}.jpg", content, number, ways=_ANY)


def many_frames(scene: Scene) -> None:
    """Animations, or files of many pages, that begin with the same frame."""
    first = composed(scene.rng, (360, 240))
    format, suffix, options = scene.one_of(
        (
            ("GIF", "gif", {"duration": 200}),
            ("WEBP", "webp", {"duration": 200, "quality": 80}),
            ("TIFF", "tif", {"compression": "jpeg"}),
            ("PNG", "png", {"duration": 200}),
        )
    )
    for number in range(2):
        later = [composed(scene.rng, (360, 240)) for _ in range(2)]
        file = io.BytesIO()
        first.save(file, format, save_all=True, append_images=later, **options)
        _alone(scene, f"Frames/{scene.number}_{number}.{suffix}", file.getvalue(), number)
    if scene.chance(0.5):
        still = saved(first, About(), quality=92)
        _alone(scene, f"Frames/{scene.number}_still.jpg", still, 2)


def profile_assigned(scene: Scene) -> None:
    """The same numbers under another profile: they look otherwise."""
    original = scene.taken()
    scene.put(original.path, original.content, original.modified, "alone")
    content = saved(original.raw, About(profile=profile("ProPhoto RGB")), quality=92)
    _alone(scene, f"Filters/assigned_{scene.number}.jpg", content, 1)
