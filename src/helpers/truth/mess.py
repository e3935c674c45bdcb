"""A realistic mess of photographs, with the truth about every file.

It holds what collects in a folder over the years:

- copies: a backup that was never finished, files renamed by a browser, small versions that were
  sent, files saved again, photographs turned by a phone;
- what only looks like copies: bursts, screenshots of one window, flat pictures;
- a few broken files.
"""

from __future__ import annotations

import io
import os
from contextlib import suppress
from functools import partial
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image, ImageDraw, ImageFilter, ImageFont

from helpers import Problem
from helpers.files.atomic import exclusive, new_folder, write_problem
from helpers.files.parallel import share_out
from helpers.files.places import real_path, sha256_of
from helpers.images.drawing import resized
from helpers.images.folders import OneByOne
from helpers.images.opening import open_image

if TYPE_CHECKING:  # imported in `make`: workers do without it and start in half the time
    import pandas as pd

#: Kind -> its share of the files, roughly. Files of the first five kinds are not copies.
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

_FRAMES_OF_A_BURST = 3
_SCREENSHOTS_OF_A_LAYOUT = 4
_END_OF_2014 = 1_420_000_000  # seconds since 1970
_YEAR = 365 * 24 * 3600  # seconds
_SMALLEST = 96  # pixels of the longer side of a resized copy
_LARGEST = 1500  # pixels of the longer side of a photograph
_TURNED = (  # EXIF's orientation, and how the pixels are stored
    (6, Image.Transpose.ROTATE_90),
    (3, Image.Transpose.ROTATE_180),
    (8, Image.Transpose.ROTATE_270),
)
_TEXT = (
    "about after again answer back before bring came copy day each first found good great hand "
    "have help house keep large letter light line little made morning never next night number "
    "old page people photo place read right said still tell that the three today under week work "
    "7 12 30 2019 2024 10:45"
)
_WORDS = _TEXT.split()


def make(
    dataset_root: str | Path,
    images: list[str],
    folder: str | Path,
    files: int | None = None,
    *,
    seed: int = 0,
    workers: int | None = None,
) -> pd.DataFrame:
    """Write a messy photo library.

    Parameters
    ----------
    dataset_root : str or Path
        The folder that the photographs come from. Nothing in it is changed.
    images : list of str
        Paths relative to it. As many as are needed are drawn; if there are too few, each is
        copied more often.
    folder : str or Path
        The library to make. It is not there yet, or is empty.
    files : int, optional
        How many files it has at least, 30 or more. If left out, these are 2,000 where there are
        more than 5,000 images, else 400.
    seed : int
        What everything is drawn from, 0 or more. Same seed, same bytes and times (with one
        version of Pillow and of NumPy).
    workers : int, optional
        Processes; see `helpers.files.parallel.share_out`. The mess does not depend on it.

    Returns
    -------
    DataFrame
        The truth, a row a file, sorted by path:

        - ``path``: of the file, in the library;
        - ``original``: the path of the file it is a copy of; its own, if it is not a copy;
        - ``kind``: one of `SHARES`;
        - ``scene``: the same for the frames of a burst and the photograph they were made from,
          and for screenshots of one layout; else empty;
        - ``exact``: whether it is a copy with the same bytes.

    Raises
    ------
    Problem
        If `folder` holds something or lies inside the dataset, if no photograph can be read, or
        if fewer than 30 files are wanted.

    Notes
    -----
    A photograph of more than 1,500 pixels is reduced to these, and saved with JPEG quality 92.

    Copies are made of photographs, frames of bursts and screenshots alike:

    - Backups and renamed files are copies byte for byte.
    - Resized: both sides times 0.2 to 0.9, one time in six 1.1 to 1.5, but the longer side has 96
      pixels at least; saved with JPEG quality 92.
    - Recompressed: JPEG quality 25 to 85.
    - Rotated: the pixels are stored turned, with the EXIF tag that turns them back, at quality 95.

    What only looks like copies:

    - A frame of a burst is another shot: a window of 94 to 99 % of the scene, shifted by 0.4 to
      3 % of its width, with noise of 2 to 6 levels of 255, brightness times 0.93 to 1.07, and a
      part of the scene that has moved.
    - Screenshots come in fours of one layout: the first two differ in all text, the third from
      the first in a line, the fourth in a word.
    - Flat pictures have one colour each.

    Of the broken files one half end too early and the others are not pictures; one in three has a
    copy byte for byte.

    Examples
    --------
    >>> truth = make("photos", find_images("photos"), "mess", files=500, seed=1)  # doctest: +SKIP
    """
    import pandas as pd

    root, folder = Path(dataset_root), Path(folder)
    files = (2_000 if len(images) > 5_000 else 400) if files is None else files
    are_whole = all(isinstance(number, (int, np.integer)) for number in (files, seed))
    if not are_whole or files < 30 or seed < 0:
        raise Problem(
            f"{files!r} files with seed {seed!r}: a mess takes 30 files or more, for some of "
            "each kind, and a seed of 0 or more"
        )
    inside, outside = real_path(folder), real_path(root)
    if inside.is_relative_to(outside) or outside.is_relative_to(inside):
        raise Problem(f"{folder}: lies inside the dataset or around it; choose a folder beside it")
    with exclusive(folder):
        if os.path.lexists(folder) and not (folder.is_dir() and not any(folder.iterdir())):
            raise Problem(f"{folder}: is there already and is not empty; choose a new folder")
        jobs = _plan(root, images, int(files), int(seed), workers)
        with new_folder(folder) as place:
            share_out(partial(_write, root, place), jobs, workers=workers, title="mess")
    columns = ["path", "original", "kind", "scene", "exact"]
    truth = pd.DataFrame([{column: job[column] for column in columns} for job in jobs])
    return truth.sort_values("path", ignore_index=True)


def _plan(root: Path, images: list[str], files: int, seed: int, workers: int | None) -> list[dict]:
    """What is to be written, one dict a file."""
    rng = np.random.default_rng([seed, 0])
    number = {kind: max(2, round(share * files)) for kind, share in SHARES.items()}
    sources = _draw(root, images, number["original"], rng, workers)
    number["original"] = len(sources)
    number["backup"] += max(0, files - sum(number.values()))  # too few photographs: more copies
    jobs = _originals(sources, number, seed)
    for job in jobs:
        job["modified"] = _END_OF_2014 + int(rng.integers(5 * _YEAR))
    taken = {job["path"].lower() for job in jobs}
    pictures = [job for job in jobs if job["kind"] in ("original", "burst", "screenshot")]
    broken = [job for job in jobs if job["kind"] == "broken"]
    for kind in COPIES:
        if kind == "backup":
            bases = _backed_up(pictures, number[kind], rng)
        else:
            bases = [pictures[row] for row in rng.integers(len(pictures), size=number[kind])]
            bases += broken[::3] if kind == "renamed" else []
        for count, base in enumerate(bases):
            kept_time = kind == "backup" and count % 2
            jobs.append(
                {
                    **base,
                    "path": _new_name(kind, base["path"], taken),
                    "kind": kind,
                    "exact": kind in ("backup", "renamed"),
                    "copy_seed": [seed, 6, len(jobs)],
                    "modified": base["modified"]
                    + (0 if kept_time else int(rng.integers(3600, _YEAR))),
                }
            )
    return jobs


def _draw(
    root: Path, images: list[str], wanted: int, rng: np.random.Generator, workers: int | None
) -> list[str]:
    """Photographs that can be read, and no two with the same bytes."""
    images = sorted(set(images))
    order = [images[row] for row in rng.permutation(len(images))]
    sources: dict[str, str] = {}
    for start in range(0, len(order), max(wanted, 1)):
        some = order[start : start + wanted]
        digests = share_out(partial(_digest, root), some, workers=workers, title="photographs")
        for digest, path in zip(digests, some, strict=True):
            if digest and len(sources) < wanted:
                sources.setdefault(digest, path)
        if len(sources) == wanted:
            break
    if not sources:
        raise Problem(f"{root}: no photograph in it can be read; name a folder of photographs")
    return list(sources.values())


def _digest(root: Path, path: str) -> str:
    """The SHA-256 of a photograph; empty if it cannot be read or is too small."""
    try:
        path.encode()
        return sha256_of(root / path) if min(open_image(root / path).size) >= 64 else ""
    except (Problem, OSError, UnicodeEncodeError):
        return ""


def _originals(sources: list[str], number: dict[str, int], seed: int) -> list[dict]:
    """All files that are not copies."""
    jobs = [_job("original", f"photos/{path}", source=path) for path in sources]
    for frame in range(number["burst"]):
        scene = jobs[(frame // _FRAMES_OF_A_BURST) % len(sources)]
        scene["scene"] = scene["path"]
        path = f"{PurePosixPath(scene['path']).with_suffix('')}_burst{frame:04}.jpg"
        about = {"source": scene["source"], "scene": scene["path"], "seed": [seed, 1, frame]}
        jobs.append(_job("burst", path, **about))
    for shot in range(number["screenshot"]):
        layout, variant = divmod(shot, _SCREENSHOTS_OF_A_LAYOUT)
        date = f"{2019 + layout % 6}-{1 + shot % 12:02}-{1 + shot % 28:02}"
        about = {"scene": f"layout {layout}", "layout": [seed, 2, layout], "variant": variant}
        path = f"screenshots/Screenshot {date} ({shot}).png"
        jobs.append(_job("screenshot", path, seed=[seed, 3, shot], **about))
    for flat in range(number["flat"]):
        path = f"misc/colour {flat}.{('png', 'jpg', 'gif')[flat % 3]}"
        jobs.append(_job("flat", path, seed=[seed, 4, flat]))
    for broken in range(number["broken"]):
        about = {"source": sources[broken % len(sources)], "variant": broken % 2}
        jobs.append(_job("broken", f"misc/broken {broken}.jpg", seed=[seed, 5, broken], **about))
    return jobs


def _job(kind: str, path: str, **about: object) -> dict:
    """A file that is not a copy. Its copies have the same `content` as it has."""
    original = {"original": path, "kind": kind, "content": kind, "scene": "", "exact": False}
    return {"path": path, **original, **about}


def _backed_up(pictures: list[dict], number: int, rng: np.random.Generator) -> list[dict]:
    """Folder after folder, about 60 % of each: the backup was never finished."""
    folders: dict[str, list[dict]] = {}
    for job in pictures:
        folders.setdefault(str(PurePosixPath(job["path"]).parent), []).append(job)
    chosen: list[dict] = []
    while len(chosen) < number:
        for row in rng.permutation(len(folders)):
            chosen += [job for job in list(folders.values())[row] if rng.random() < 0.6]
    return chosen[:number]


def _new_name(kind: str, path: str, taken: set[str]) -> str:
    """A name for a copy that no other file has, whatever the case of its letters."""
    original = PurePosixPath(path)
    stem, suffix, inside = original.stem, original.suffix, original.parent
    start, end = {
        "backup": (PurePosixPath("backup", inside, stem), suffix),
        "renamed": (inside / f"{stem} (copy", f"){suffix}"),
        "rotated": (PurePosixPath("phone", f"{inside.name}_{stem}"), ".jpg"),
    }.get(kind, (PurePosixPath("sent", f"{inside.name}_{stem}_{kind.split()[0]}"), ".jpg"))
    name, number = f"{start}{end}", 1
    while name.lower() in taken:
        number += 1
        name = f"{start} {number}{end}"
    taken.add(name.lower())
    return name


# Writing


def _write(root: Path, place: Path, job: dict) -> None:
    content = _content(root, job)
    if job["kind"] in COPIES and not job["exact"]:
        content = _copied(content, job["kind"], np.random.default_rng(job["copy_seed"]))
    target = place / job["path"]
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content)
        os.utime(target, ns=(job["modified"] * 10**9,) * 2)
    except OSError as error:
        raise write_problem(place, error) from error


def _content(root: Path, job: dict) -> bytes:
    """The bytes of a file that is not a copy, or of the file that a copy is made of."""
    if job["content"] == "original":
        content = (root / job["source"]).read_bytes()
        return _saved(_scene(root, job), quality=92) if _is_large(content) else content
    rng = np.random.default_rng(job["seed"])
    if job["content"] == "burst":
        scene = _scene(root, job)
        return _saved(_another_shot(scene, rng), quality=92)
    if job["content"] == "screenshot":
        return _saved(_screenshot(job["layout"], job["variant"], rng), "png")
    if job["content"] == "flat":
        colour, size = rng.integers(0, 256, 3).tolist(), rng.integers(80, 400, 2).tolist()
        flat = Image.new("RGB", tuple(size), tuple(colour))
        return _saved(flat, job["path"].rpartition(".")[2])
    if job["variant"]:
        return rng.bytes(int(rng.integers(100, 3000)))
    whole = _saved(_scene(root, job), quality=90)
    return whole[: int(len(whole) * rng.uniform(0.1, 0.6))]


def _scene(root: Path, job: dict) -> Image.Image:
    (photograph,) = OneByOne(root, [job["source"]], longest=_LARGEST)
    return photograph


def _is_large(content: bytes) -> bool:
    with suppress(Exception), Image.open(io.BytesIO(content)) as image:
        return max(image.size) > _LARGEST
    return False


def _saved(picture: Image.Image, format: str = "jpeg", **options: object) -> bytes:
    file = io.BytesIO()
    picture.save(file, format={"jpg": "jpeg"}.get(format, format), **options)
    return file.getvalue()


def _copied(content: bytes, kind: str, rng: np.random.Generator) -> bytes:
    picture = open_image(io.BytesIO(content)).convert("RGB")
    if kind == "rotated":
        tag, turn = _TURNED[int(rng.integers(len(_TURNED)))]
        exif = Image.Exif()
        exif[0x0112] = tag
        return _saved(picture.transpose(turn), quality=95, exif=exif)
    if "resized" in kind:
        factor = rng.uniform(1.1, 1.5) if rng.random() < 1 / 6 else rng.uniform(0.2, 0.9)
        picture = resized(picture, max(factor, _SMALLEST / max(picture.size)))
    quality = int(rng.integers(25, 86)) if "recompressed" in kind else 92
    return _saved(picture, quality=quality)


def _another_shot(scene: Image.Image, rng: np.random.Generator) -> Image.Image:
    """The same scene a moment later: other window, light and noise, and something has moved."""
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
    """Windows with text: variant 1 has other text than 0; 2 and 3 differ from 0 in a line."""
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
        right = int(frame.integers(width // 2, width))
        bottom = int(frame.integers(height // 2, height))
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
                word, _, rest = text.partition(" ")
                text = f"{rng.choice([other for other in _WORDS if other != word])} {rest}"
            draw.text((left + 10, y), text, fill=ink, font=font)
    return picture


def _line(rng: np.random.Generator, width: int, font: ImageFont.FreeTypeFont) -> str:
    line = ""
    for word in rng.choice(_WORDS, int(rng.integers(2, 14))):
        if font.getlength(f"{line} {word}") > width:
            break
        line = f"{line} {word}".strip()
    return line
