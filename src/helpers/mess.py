"""A realistic mess of photographs, with the truth about every file.

What collects in a folder over the years: a backup that was never finished, files renamed by a browser, small versions that
were sent, saved again or turned by a phone; and what only looks like copies: bursts, screenshots of one window, flat
pictures; and a few broken files.
"""

import io
import os
from functools import partial
from pathlib import Path, PurePosixPath

import numpy as np
import pandas as pd
from PIL import Image, ImageDraw, ImageFilter, ImageFont

from helpers import Problem
from helpers.atomic import exclusive, new_folder, write_problem
from helpers.images import open_image
from helpers.parallel import share_out

#: Kind -> its share of the files, roughly. The first five are no copies of anything.
SHARES = {
    "original": 0.36,
    "burst": 0.08,
    "screenshot": 0.06,
    "flat": 0.02,
    "broken": 0.02,
    "backup": 0.15,
    "renamed": 0.06,
    "resized": 0.08,
    "recompressed": 0.08,
    "resized and recompressed": 0.06,
    "rotated": 0.03,
}
#: The kinds that are copies of their original.
COPIES = tuple(SHARES)[5:]

_FRAMES = 3  # of a burst
_ALIKE = 4  # screenshots of one layout
_MARK = ".mess"  # an empty file, by which `make` knows its own
_YEAR = 365 * 24 * 3600
_WORDS = (
    "about after again all and answer at back before bring came copy day each first for found from good great hand have "
    "help here house keep know large last left letter light line list little long look made many morning name never new "
    "next night number of old other page people photo picture place read right said same second see send she sound still "
    "take tell that the there they thing think three time today two under very water way week what where word work write "
    "year you 7 12 30 2019 2024 10:45"
).split()


def make(
    dataset_root: str | Path,
    images: list[str],
    folder: str | Path,
    files: int = 300,
    *,
    seed: int = 0,
    replace: bool = False,
    workers: int | None = None,
) -> pd.DataFrame:
    """Write a messy photo library.

    Parameters
    ----------
    dataset_root : str or Path
        Where the photographs come from. Nothing in it is changed.
    images : list of str
        Paths relative to it. As many as are wanted are drawn; if there are too few, each is copied more often.
    folder : str or Path
        The library to make.
    files : int
        How many files it is to have at least, 30 or more.
    seed : int
        Same seed, same bytes and times (with one version of Pillow), whatever the number of workers.
    replace : bool
        Replace a mess that stands there already, and all that is in it.
    workers : int, optional
        Processes; see `helpers.parallel.share_out`.

    Returns
    -------
    DataFrame
        The truth, a row a file, sorted by path: ``path``, ``original`` (the path of the file it is a copy of; its own for what
        is no copy), ``kind`` (one of `SHARES`), ``scene`` (the same for the frames of a burst and the photograph they
        were made from, and for screenshots of one layout; else empty) and ``exact`` (whether a copy has the same bytes).

    Raises
    ------
    Problem
        If `folder` holds something, if no photograph can be read, or for fewer than 30 files.

    Notes
    -----
    Backups and renamed files are copies byte for byte. Resized: both sides times 0.3 to 0.9, one time in six 1.1 to 1.5;
    JPEG quality 92. Recompressed: JPEG quality 25 to 85. Rotated: the pixels stored turned, with the EXIF tag that turns them back. A
    frame of a burst is another shot: a window of 94 to 99 % of the scene, elsewhere by 0.4 to 3 % of its
    width, with noise of 2 to 6 grey levels, brightness times 0.93 to 1.07, and a subject that has moved.
    Screenshots come in fours of one layout; two have other text, one has another line. Flat pictures have one colour. Half of the broken
    files end too early, the others are no pictures; one in three has a copy byte for byte.

    Examples
    --------
    >>> truth = make("photos", find_images("photos"), "mess", files=500, seed=1)  # doctest: +SKIP
    """
    root, folder = Path(dataset_root), Path(folder)
    if not isinstance(files, (int, np.integer)) or files < 30:
        raise Problem(
            f"{files!r} files: a mess takes 30 or more, so that there are some of each kind"
        )
    with exclusive(folder):
        if folder.is_file() or (folder.is_dir() and any(folder.iterdir())):
            if not (folder / _MARK).is_file():
                raise Problem(f"{folder}: is there already and is no mess; choose a new folder")
            if not replace:
                raise Problem(
                    f"{folder}: holds a mess already; replace it or choose another folder"
                )
        plan = _plan(root, sorted(set(images)), int(files), seed, workers)
        with new_folder(folder) as place:
            share_out(partial(_write, root, place), plan, workers=workers, title="mess")
            (place / _MARK).touch()
    columns = ["path", "original", "kind", "scene", "exact"]
    truth = pd.DataFrame([{column: job[column] for column in columns} for job in plan])
    return truth.sort_values("path", ignore_index=True)


def _plan(root: Path, images: list[str], files: int, seed: int, workers: int | None) -> list[dict]:
    """What is to be written, one dict a file."""
    rng = np.random.default_rng([seed, 0])
    number = {kind: max(2, round(share * files)) for kind, share in SHARES.items()}
    wanted = number["original"]
    order = [images[row] for row in rng.permutation(len(images))]
    sources = []
    for start in range(0, len(order), wanted):  # further ones in place of those that cannot be used
        some = order[start : start + wanted]
        usable = share_out(partial(_usable, root), some, workers=workers, title="photographs")
        sources += [path for path, use in zip(some, usable, strict=True) if use]
        if len(sources) >= wanted:
            break
    sources = sources[:wanted]
    if not sources:
        raise Problem(f"{root}: no photograph in it can be read; name a folder of photographs")
    number["backup"] += wanted - len(sources)  # too few photographs: more copies

    bases = [_base("original", f"photos/{path}", source=path) for path in sources]
    for frame in range(number["burst"]):
        source = sources[(frame // _FRAMES) % len(sources)]
        name = PurePosixPath("photos", source)
        name = f"{name.with_suffix('')}_burst{frame:04}.jpg"
        bases.append(
            _base("burst", name, source=source, scene=f"photos/{source}", seed=[seed, 1, frame])
        )
    in_bursts = {job["scene"] for job in bases}
    for job in bases:
        if job["path"] in in_bursts:
            job["scene"] = job["path"]
    for shot in range(number["screenshot"]):
        layout, variant = divmod(shot, _ALIKE)
        name = f"screenshots/Screenshot {2019 + layout % 6}-{1 + shot % 12:02}-{1 + shot % 28:02} ({shot}).png"
        extra = {"layout": [seed, 2, layout], "variant": variant}
        bases.append(
            _base("screenshot", name, scene=f"layout {layout}", seed=[seed, 3, shot], **extra)
        )
    for flat in range(number["flat"]):
        suffix = ("png", "jpg", "gif")[flat % 3]
        bases.append(_base("flat", f"misc/colour {flat}.{suffix}", seed=[seed, 4, flat]))
    for broken in range(number["broken"]):
        extra = {"source": sources[broken % len(sources)], "variant": broken % 2}
        bases.append(_base("broken", f"misc/broken {broken}.jpg", seed=[seed, 5, broken], **extra))
    for job in bases:
        job["modified"] = 1_420_000_000 + int(rng.integers(5 * _YEAR))

    jobs, taken = list(bases), {job["path"].lower() for job in bases}
    pictures = [job for job in bases if job["kind"] in ("original", "burst", "screenshot")]
    for kind in COPIES:
        for count, base in enumerate(_to_copy(kind, number[kind], pictures, bases, rng)):
            path = _new_name(kind, base["path"], taken)
            later = 0 if kind == "backup" and count % 2 else int(rng.integers(3600, _YEAR))
            copy = {**base, "path": path, "original": base["path"], "copy": kind, "kind": kind}
            copy |= {"base": base["kind"], "copy_seed": [seed, 6, len(jobs)]}
            copy |= {"modified": base["modified"] + later, "exact": kind in ("backup", "renamed")}
            jobs.append(copy)
    return jobs


def _base(kind: str, path: str, scene: str = "", **extra: object) -> dict:
    return {
        "path": path,
        "original": path,
        "kind": kind,
        "base": kind,
        "scene": scene,
        "exact": False,
        "copy": None,
        **extra,
    }


def _to_copy(
    kind: str, number: int, pictures: list[dict], bases: list[dict], rng: np.random.Generator
) -> list[dict]:
    """Which files are copied in this way: any of the pictures; a backup goes folder by folder and was never finished."""
    if kind != "backup":
        broken = [job for job in bases if job["kind"] == "broken"][::3] if kind == "renamed" else []
        return broken + [
            pictures[row] for row in rng.integers(len(pictures), size=number - len(broken))
        ]
    folders: dict[str, list[dict]] = {}
    for job in pictures:
        folders.setdefault(str(PurePosixPath(job["path"]).parent), []).append(job)
    chosen: list[dict] = []
    while len(chosen) < number:
        for row in rng.permutation(len(folders)):
            inside = list(folders.values())[row]
            chosen += [job for job in inside if rng.random() < 0.6]
    return chosen[:number]


def _new_name(kind: str, path: str, taken: set[str]) -> str:
    original = PurePosixPath(path)
    stem, suffix, inside = original.stem, original.suffix, original.parent
    if kind == "backup":
        inside, pattern = PurePosixPath("backup", inside), f"{stem}{{}}{suffix}"
    elif kind == "renamed":
        pattern = f"{stem} (copy{{}}){suffix}"
    elif kind == "rotated":
        inside, pattern = PurePosixPath("phone"), f"{inside.name}_{stem}{{}}.jpg"
    else:
        inside, pattern = PurePosixPath("sent"), f"{inside.name}_{stem}_{kind.split()[0]}{{}}.jpg"
    for number in range(1, 10**9):
        name = str(inside / pattern.format(f" {number}" if number > 1 else ""))
        if name.lower() not in taken:
            taken.add(name.lower())
            return name
    raise AssertionError("there are names enough")


def _usable(root: Path, paths: list[str]) -> list[bool]:
    usable = []
    for path in paths:
        try:
            path.encode()
            usable.append(min(open_image(root / path).size) >= 64)
        except (Problem, UnicodeEncodeError):
            usable.append(False)
    return usable


# Writing


def _write(root: Path, place: Path, jobs: list[dict]) -> list[None]:
    for job in jobs:
        content = _content(root, job)
        if job["copy"] not in (None, "backup", "renamed"):
            content = _copied(content, job["copy"], np.random.default_rng(job["copy_seed"]))
        target = place / job["path"]
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(content)
            os.utime(target, ns=(job["modified"] * 10**9,) * 2)
        except OSError as error:
            raise write_problem(place, error) from error
    return [None] * len(jobs)


def _content(root: Path, job: dict) -> bytes:
    """The bytes of a file that is no copy."""
    kind = job["base"]
    if kind == "original":
        return (root / job["source"]).read_bytes()
    rng = np.random.default_rng(job["seed"])
    if kind == "burst":
        return _saved(
            _another_shot(open_image(root / job["source"]).convert("RGB"), rng), quality=92
        )
    if kind == "screenshot":
        return _saved(_screenshot(job["layout"], job["variant"], rng), "png")
    if kind == "flat":
        colour = tuple(int(level) for level in rng.integers(0, 256, 3))
        size = tuple(int(side) for side in rng.integers(80, 400, 2))
        return _saved(Image.new("RGB", size, colour), job["path"].rpartition(".")[2])
    if job["variant"]:
        return rng.bytes(int(rng.integers(100, 3000)))
    whole = _saved(open_image(root / job["source"]).convert("RGB"), quality=90)
    return whole[: int(len(whole) * rng.uniform(0.1, 0.6))]


def _saved(picture: Image.Image, format: str = "jpeg", **options: object) -> bytes:
    file = io.BytesIO()
    picture.save(file, format={"jpg": "jpeg"}.get(format, format), **options)
    return file.getvalue()


def _copied(content: bytes, way: str, rng: np.random.Generator) -> bytes:
    picture = open_image(io.BytesIO(content)).convert("RGB")
    if way == "rotated":
        tag, turn = (
            (6, Image.Transpose.ROTATE_90),
            (3, Image.Transpose.ROTATE_180),
            (8, Image.Transpose.ROTATE_270),
        )[int(rng.integers(3))]
        exif = Image.Exif()
        exif[0x0112] = tag
        return _saved(picture.transpose(turn), quality=95, exif=exif)
    if "resized" in way:
        factor = rng.uniform(1.1, 1.5) if rng.random() < 1 / 6 else rng.uniform(0.2, 0.9)
        factor = max(factor, 96 / max(picture.size))
        size = tuple(max(1, round(side * factor)) for side in picture.size)
        picture = picture.resize(size, Image.Resampling.LANCZOS)
    quality = int(rng.integers(25, 86)) if "recompressed" in way else 92
    return _saved(picture, quality=quality)


def _another_shot(scene: Image.Image, rng: np.random.Generator) -> Image.Image:
    """The same scene, a moment later: another window, other light, other noise, and something has moved."""
    width, height = scene.size
    zoom = rng.uniform(0.94, 0.99)
    shift = rng.uniform(0.004, 0.03) * width
    angle = rng.uniform(0, 2 * np.pi)
    # something has moved
    side = rng.uniform(0.15, 0.35) * min(width, height)
    x, y = rng.uniform(0, width - side), rng.uniform(0, height - side)
    step_x, step_y = rng.uniform(0.02, 0.08, 2) * width * rng.choice([-1, 1], 2)
    subject = scene.crop(tuple(map(round, (x, y, x + side, y + side))))
    mask = Image.new("L", subject.size, 0)
    ImageDraw.Draw(mask).ellipse((2, 2, subject.width - 3, subject.height - 3), fill=255)
    mask = mask.filter(ImageFilter.GaussianBlur(2))
    moved = scene.copy()
    moved.paste(subject, (round(x + step_x), round(y + step_y)), mask)
    # another window
    left = (1 - zoom) / 2 * width + shift * np.cos(angle)
    top = (1 - zoom) / 2 * height + shift * np.sin(angle)
    left = float(np.clip(left, 0, (1 - zoom) * width))
    top = float(np.clip(top, 0, (1 - zoom) * height))
    box = (left, top, left + zoom * width, top + zoom * height)
    window = np.asarray(moved.resize(scene.size, Image.Resampling.BICUBIC, box=box), dtype=float)
    window = window * rng.uniform(0.93, 1.07) + rng.normal(0, rng.uniform(2, 6), window.shape)
    return Image.fromarray(np.clip(np.rint(window), 0, 255).astype(np.uint8))


def _screenshot(layout: list[int], variant: int, rng: np.random.Generator) -> Image.Image:
    """Windows with text. Of one layout, variants 0 and 1 have other text, 2 and 3 differ from 0 in a line."""
    frame = np.random.default_rng(layout)
    common = np.random.default_rng([*layout, 0])  # the words of variant 0
    width, height = [(960, 600), (540, 960), (1024, 640)][int(frame.integers(3))]
    dark = frame.random() < 0.3
    paper, ink = ("#1e1e1e", "#dddddd") if dark else ("#ffffff", "#222222")
    picture = Image.new("RGB", (width, height), tuple(int(v) for v in frame.integers(40, 216, 3)))
    draw = ImageDraw.Draw(picture)
    windows = int(frame.integers(1, 4))
    for window in range(windows):
        left, top = int(frame.integers(0, width // 4)), int(frame.integers(0, height // 4))
        right, bottom = (
            int(frame.integers(width // 2, width)),
            int(frame.integers(height // 2, height)),
        )
        bar = tuple(int(v) for v in frame.integers(60, 200, 3))
        draw.rectangle((left, top, right, bottom), fill=paper, outline="#888888")
        draw.rectangle((left, top, right, top + 24), fill=bar)
        size = int(frame.integers(12, 18))
        font = ImageFont.load_default(size)
        draw.text((left + 8, top + 5), "Messages", fill="white", font=ImageFont.load_default(13))
        for row, y in enumerate(range(top + 36, bottom - size, round(1.6 * size))):
            text = _line(rng if variant == 1 else common, right - left - 20, font)
            if window == windows - 1 and row == 1 and variant == 2:
                text = _line(rng, right - left - 20, font)
            elif window == windows - 1 and row == 1 and variant == 3:
                text = f"{rng.choice(_WORDS)} {text.partition(' ')[2]}"
            draw.text((left + 10, y), text, fill=ink, font=font)
    return picture


def _line(rng: np.random.Generator, width: int, font: ImageFont.FreeTypeFont) -> str:
    line = ""
    for word in rng.choice(_WORDS, int(rng.integers(2, 14))):
        if font.getlength(f"{line} {word}") > width:
            break
        line = f"{line} {word}".strip()
    return line
