"""A photo library with known truth: originals, copies, what only looks like one, and partners.

It is made for `library_peers.py`, apart from `helpers.truth.mess`: nothing of the helpers is used,
so that no rule of theirs can have slipped into it. The truth is a CSV beside the library, with a
row a file:

path        in the library, with ``/``
kind        what was done, in words
role        one of `ROLES`
picture     the same for an original and its copies
scene       the same for all that show one thing, so that a pair may be asked about
partner_of  the picture that a raw file, a film or a sidecar belongs to
"""

import csv
import os
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
from camera_files import CAMERAS, About, motion_photo, saved, shown, sidecar, with_gain_map
from PIL import Image, ImageFilter

#: What is right for a file.
ROLES = {
    "original": "stays",
    "copy": "goes, and its original stays",
    "loses": "holds what its original lacks: it is asked about, or stays",
    "richer": "its original goes for it, or it is asked about; it stays",
    "profile": "a copy in another colour space: it goes, or is asked about",
    "kin": "cropped, framed, turned or mirrored: it is asked about, and stays",
    "alone": "stays; nothing else shows the same",
    "partner": "goes with its picture or stays with it",
    "shut": "in a bin or a store of thumbnails: nothing is said of it",
    "linked": "another name of a file: it stays",
}
COLUMNS = ("path", "kind", "role", "picture", "scene", "partner_of")
_ZERO = datetime(2012, 1, 1)
_CARRIED = "sd-card", "phone", "laptop"


class Original(NamedTuple):
    """A picture as it was first written."""

    path: str
    content: bytes
    raw: Image.Image  # before it was compressed
    about: About
    quality: int
    modified: float  # seconds since 1970


class Scene:
    """What one job writes: an original with all that belongs to it, or a set of look-alikes."""

    def __init__(self, folder: Path, job: dict) -> None:
        self.folder, self.job, self.number = folder, job, job["number"]
        self.rng = np.random.default_rng(job["seed"])
        self.name, self.rows = f"{job['kind']} {job['number']}", []
        self.picture = self.name  # which one is being written
        dice = np.random.default_rng([*job["seed"], 1])
        self.copied = int(dice.integers(3)) if dice.random() < 0.3 else -1  # of look-alikes

    def chance(self, share: float) -> bool:
        """Whether something happens that does so in this share of all cases."""
        return bool(self.rng.random() < share)

    def one_of(self, choices: object) -> object:
        """One of several, all as likely."""
        return choices[int(self.rng.integers(len(choices)))]

    def put(self, path: str, content: bytes, modified: float, role: str, **about: str) -> str:
        """Write a file, and its row of the truth."""
        file = self.folder / path
        file.parent.mkdir(parents=True, exist_ok=True)
        with file.open("xb") as new:
            new.write(content)
        os.utime(file, (modified, modified))
        row = {"kind": self.job["kind"], "picture": self.picture, "scene": self.name, **about}
        self.rows.append({"partner_of": "", **row, "path": path, "role": role})
        return path

    # What there is to photograph

    def photograph(self) -> Image.Image:
        """The picture that this job has for itself, as it is before it is saved."""
        source = self.job["source"]
        if self.job["large"]:
            return self._large(_opened(source) if source else composed(self.rng, (1000, 750)))
        if not source:
            width = int(self.rng.integers(420, 900))
            return composed(self.rng, (width, int(width * self.one_of((0.66, 0.75, 1.3)))))
        picture = _opened(source)
        longest = max(picture.size)
        wanted = longest if self.chance(0.5) else int(self.rng.integers(350, 900))
        if longest > 900 or wanted > longest:
            picture = with_grain(resized(picture, wanted / longest), self.rng, 2.5)
        return self._unusual(picture)

    def _unusual(self, picture: Image.Image) -> Image.Image:
        """Some pictures are grey, some dark, some panoramas."""
        kind = self.rng.random()
        if kind < 0.05 and self.job["kind"] != "filter":
            return picture.convert("L").convert("RGB")
        if kind < 0.08:
            return Image.eval(picture, lambda value: 4 + value // 4)
        if kind < 0.11:
            top = picture.height * 0.3
            return picture.crop((0, round(top), picture.width, round(top + picture.width / 3.6)))
        return picture

    def _large(self, small: Image.Image) -> Image.Image:
        size = (4000, 3000) if small.width >= small.height else (3000, 4000)
        picture = np.asarray(small.resize(size, Image.Resampling.BICUBIC), np.int16)
        texture = _texture(self.one_of(("grass.png", "gravel.png", "brick.png")))
        tiles = -(-size[1] // texture.shape[0]), -(-size[0] // texture.shape[1])
        detail = np.tile(texture, tiles)[: size[1], : size[0], None]
        noise = self.rng.integers(-4, 5, (size[1], size[0], 1), np.int16)
        return Image.fromarray(np.clip(picture + detail + noise, 0, 255).astype(np.uint8))

    # Originals

    def time(self) -> datetime:
        """When a picture was taken: each job has a day of its own."""
        seconds = self.number * 86_400 + float(self.rng.uniform(28_800, 72_000))
        return _ZERO + timedelta(seconds=round(seconds, 2))

    def taken(self, camera_share: float = 0.8, **more: object) -> Original:
        """An original: most are of a camera, some scanned or downloaded."""
        raw, time = self.photograph(), self.time()
        if not self.chance(camera_share):
            return self._without_camera(raw, time)
        camera = self.one_of(CAMERAS)
        notes = (camera.make.encode() + b"\0" + self.rng.bytes(180)) if self.chance(0.9) else b""
        place = tuple(self.rng.uniform((36, 0), (60, 20)).round(4).tolist())
        about = About(camera, time, place if self.chance(camera.places) else None, notes)
        if self.chance(0.15):
            about = about._replace(rating=int(self.rng.integers(1, 6)), words=("family", "trip"))
        about, quality = about._replace(**more), camera.quality
        path = f"Photos/{time:%Y/%m}/" + camera.name.format(self.number)
        is_phone = camera.make in ("samsung", "Google")
        if is_phone and self.chance(0.3) and not about.rating and not more:
            content = with_gain_map(raw, about, quality)
        else:
            content = saved(raw, about, quality=quality)
            if is_phone and not about.rating and self.chance(0.3):
                content = motion_photo(content, self.rng)
        return Original(path, content, raw, about, quality, time.timestamp())

    def _without_camera(self, raw: Image.Image, time: datetime) -> Original:
        where, suffix = self.one_of(
            (("Scans", "jpg"), ("Downloads", "jpg"), ("Screenshots", "png"), ("Art", "png"))
        )
        quality, path = int(self.rng.integers(82, 93)), f"{where}/{time:%Y}_{self.number}.{suffix}"
        if suffix == "png":
            content = saved(raw, About(), "PNG")
        else:
            content = saved(raw, About(), quality=quality)
        return Original(path, content, raw, About(), quality, time.timestamp())

    def keep(self, original: Original, modified: float | None = None, **about: str) -> str:
        """Write an original."""
        modified = original.modified if modified is None else modified
        return self.put(original.path, original.content, modified, "original", **about)

    def add_partners(self, path: str, suffixes: tuple[str, ...], about: About) -> dict[str, bytes]:
        """Write the partners of a picture; returns their bytes by what follows its name."""
        made = {suffix: sidecar(suffix.lstrip("+"), about, self.rng) for suffix in suffixes}
        self.put_partners(path, made)
        return made

    def put_partners(self, path: str, partners: dict[str, bytes]) -> None:
        """Write partners beside a picture; ``+.xmp`` is put behind its whole name."""
        for suffix, content in partners.items():
            whole = path + suffix[1:] if suffix[0] == "+" else path.rpartition(".")[0] + suffix
            self.put(whole, content, self.time().timestamp(), "partner", partner_of=path)


PARTNERS = (
    (".MOV",),
    (".CR2",),
    (".NEF", ".xmp"),
    ("+.xmp",),
    (".AAE",),
    ("+.json",),
    ("+.supplemental-metadata.json",),
)


# Pixels


def _opened(source: str) -> Image.Image:
    with Image.open(source) as picture:
        return picture.convert("RGB")


def resized(picture: Image.Image, factor: float) -> Image.Image:
    """A picture with both sides times a factor."""
    size = [max(32, round(side * factor)) for side in picture.size]
    return picture.resize(size, Image.Resampling.LANCZOS)


def with_grain(picture: Image.Image, rng: np.random.Generator, strength: float) -> Image.Image:
    """A picture with the noise of a sensor."""
    pixels = np.asarray(picture, np.float32)
    noise = rng.normal(0, strength, (*pixels.shape[:2], 1)).astype(np.float32)
    return Image.fromarray(np.clip(pixels + noise, 0, 255).astype(np.uint8))


_PHOTOGRAPHS = (
    *("astronaut.png", "chelsea.png", "coffee.png", "rocket.jpg", "hubble_deep_field.jpg"),
    *("motorcycle_left.png", "ihc.png", "coins.png", "camera.png", "moon.png", "retina.jpg"),
    *("brick.png", "grass.png", "gravel.png"),
)
_loaded: dict[str, Image.Image] = {}


def skimage_photograph(name: str) -> Image.Image:
    """One of scikit-image's photographs."""
    if name not in _loaded:
        import skimage

        _loaded[name] = _opened(str(Path(skimage.__file__).parent / "data" / name))
    return _loaded[name]


def _texture(name: str) -> np.ndarray:
    grey = np.asarray(skimage_photograph(name).convert("L"), np.int16)
    return ((grey - int(grey.mean())) // 8).astype(np.int16)


def composed(rng: np.random.Generator, size: tuple[int, int]) -> Image.Image:
    """A scene put together from pieces of photographs: a background and some things before it."""
    picture = _piece(rng, size)
    for _ in range(int(rng.integers(3, 7))):
        width, height = (int(side * rng.uniform(0.2, 0.55)) for side in size)
        thing = _piece(rng, (width, height))
        mask = Image.new("L", (width, height))
        from PIL import ImageDraw

        draw, shape = ImageDraw.Draw(mask), rng.random()
        if shape < 0.5:
            draw.ellipse((2, 2, width - 3, height - 3), fill=255)
        else:
            corners = rng.uniform(0, 1, (5, 2)) * (width, height)
            draw.polygon([tuple(corner) for corner in corners], fill=255)
        where = tuple(int(rng.uniform(-0.1, 0.8) * side) for side in size)
        picture.paste(thing, where, mask.filter(ImageFilter.GaussianBlur(1)))
    return with_grain(picture, rng, 2.0)


def _piece(rng: np.random.Generator, size: tuple[int, int]) -> Image.Image:
    photograph = skimage_photograph(_PHOTOGRAPHS[int(rng.integers(len(_PHOTOGRAPHS)))])
    share = rng.uniform(0.25, 0.9)
    width, height = (max(16, int(side * share)) for side in photograph.size)
    left = int(rng.integers(photograph.width - width + 1))
    top = int(rng.integers(photograph.height - height + 1))
    piece = photograph.crop((left, top, left + width, top + height))
    if rng.random() < 0.5:
        piece = piece.transpose(Image.Transpose(int(rng.integers(5))))
    pixels = np.asarray(piece.resize(size, Image.Resampling.BICUBIC), np.float32)
    pixels = pixels * rng.uniform(0.7, 1.2, 3) + rng.uniform(-30, 30, 3)
    return Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8))


def distinct(pictures: Path, rng: np.random.Generator) -> list[str]:
    """The pictures of a folder in some order, without any that looks like one before it.

    A set such as CALTECH-101 holds pictures twice, and mirrored; the truth would be wrong for them.
    """
    files = sorted(str(file) for file in pictures.rglob("*") if file.suffix.lower() in _SUFFIXES)
    files = [files[row] for row in rng.permutation(len(files))]
    chosen, seen = [], np.zeros((0, 144), np.float32)
    for file in files:
        try:
            picture = _opened(file)
        except OSError:
            continue
        if min(picture.size) < 150:
            continue
        grey = np.asarray(picture.convert("L").resize((12, 12), Image.Resampling.BOX), np.float32)
        if grey.std() < 12:
            continue
        grey = (grey - grey.mean()) / grey.std() / 12
        turned = np.array([np.rot90(g, k).ravel() for g in (grey, grey[:, ::-1]) for k in range(4)])
        if len(seen) and (turned @ seen.T).max() > 0.93:
            continue
        seen = np.vstack([seen, turned[:1]])
        chosen.append(file)
        if len(chosen) == _MOST_SOURCES:
            break
    return chosen


_SUFFIXES = (".jpg", ".jpeg", ".png")
_MOST_SOURCES = 1600


# The library


def make(
    folder: Path,
    seed: int,
    recipes: list[tuple[str, Callable, int, dict]],
    pictures: Path | None = None,
    large: bool = False,
    workers: int = 2,
) -> int:
    """Write a library and its truth; returns how many files it has.

    Recipes are (kind, function of a scene, how many, what its jobs have besides).
    """
    rng = np.random.default_rng([seed, 7])
    sources = iter(distinct(pictures, rng) if pictures else [])
    jobs = list(_jobs(seed, recipes, sources, rng, large))
    folder.mkdir(parents=True)
    with ProcessPoolExecutor(workers) as pool:
        rows = [row for some in pool.map(partial(_run, folder), jobs, chunksize=4) for row in some]
    rows.sort(key=lambda row: row["path"])
    with truth_file(folder).open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, COLUMNS)
        writer.writeheader()
        writer.writerows(rows)
    return len(rows)


def truth_file(folder: Path) -> Path:
    """Where the truth about a library stands: beside it."""
    return folder.with_name(folder.name + ".truth.csv")


def _jobs(
    seed: int, recipes: list, sources: Iterator[str], rng: np.random.Generator, large: bool
) -> Iterator[dict]:
    number = 0
    for kind, function, count, about in recipes:
        for place in range(count):
            number += 1
            source = next(sources, "") if rng.random() < 0.7 else ""
            job = {"kind": kind, "make": function, "number": number, "place": place, **about}
            if "copies" in about:
                job["copies"] = about["copies"][place]
            yield {**job, "seed": [seed, number], "source": source, "large": large}


def _run(folder: Path, job: dict) -> list[dict]:
    scene = Scene(folder, job)
    job["make"](scene)
    return scene.rows


def reopened(original: Original) -> Image.Image:
    """What a program sees that opens an original."""
    return shown(original.content)
