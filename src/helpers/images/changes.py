"""What happens to pictures on their way from one person to another: changes with a seed.

Each change is a function of a picture and a random generator and gives a new picture, in RGB. `CHANGES` holds them by name.
"""

import io

import numpy as np
from PIL import Image, ImageDraw, ImageEnhance, ImageOps

from helpers import Problem


def as_it_is(image: Image.Image, rng: np.random.Generator) -> Image.Image:
    """Unchanged."""
    return image.convert("RGB")


def resized(image: Image.Image, rng: np.random.Generator) -> Image.Image:
    """Both sides times one factor, 0.5 to 1.5."""
    factor = rng.uniform(0.5, 1.5)
    size = max(1, round(image.width * factor)), max(1, round(image.height * factor))
    return image.convert("RGB").resize(size, Image.Resampling.LANCZOS)


def recompressed(image: Image.Image, rng: np.random.Generator) -> Image.Image:
    """Saved as JPEG of quality 20 to 60, and opened again."""
    saved = io.BytesIO()
    image.convert("RGB").save(saved, format="jpeg", quality=int(rng.integers(20, 61)))
    return Image.open(saved).convert("RGB")


def cropped(image: Image.Image, rng: np.random.Generator) -> Image.Image:
    """Up to 5 % cut off at each side."""
    left, top, right, bottom = rng.uniform(0, 0.05, 4)
    box = (
        int(left * image.width),
        int(top * image.height),
        max(int(left * image.width) + 1, round((1 - right) * image.width)),
        max(int(top * image.height) + 1, round((1 - bottom) * image.height)),
    )
    return image.convert("RGB").crop(box)


def brightened(image: Image.Image, rng: np.random.Generator) -> Image.Image:
    """Every pixel times one factor, 1.1 to 1.5; what would be brighter than white is white."""
    return ImageEnhance.Brightness(image.convert("RGB")).enhance(rng.uniform(1.1, 1.5))


def watermarked(image: Image.Image, rng: np.random.Generator) -> Image.Image:
    """A white band with text across a corner: a third of the width, an eighth of the height."""
    marked = image.convert("RGB").copy()
    width, height = max(1, image.width // 3), max(1, image.height // 8)
    left = 0 if rng.random() < 0.5 else image.width - width
    top = 0 if rng.random() < 0.5 else image.height - height
    draw = ImageDraw.Draw(marked)
    draw.rectangle((left, top, left + width - 1, top + height - 1), fill="white")
    draw.text((left + width // 10, top + height // 4), "(c) someone", fill="black")
    return marked


def mirrored(image: Image.Image, rng: np.random.Generator) -> Image.Image:
    """Left and right exchanged."""
    return ImageOps.mirror(image.convert("RGB"))


#: Name -> change.
CHANGES = {
    change.__name__.replace("_", " "): change
    for change in (as_it_is, resized, recompressed, cropped, brightened, watermarked, mirrored)
}


def change(image: Image.Image, name: str, seed: object) -> Image.Image:
    """One change of a picture.

    Parameters
    ----------
    image : PIL.Image.Image
    name : str
        One of `CHANGES`.
    seed : int, or sequence of int
        Same picture, name and seed: same pixels.

    Returns
    -------
    PIL.Image.Image
        In RGB.

    Raises
    ------
    Problem
        For a change that there is not.

    Examples
    --------
    >>> picture = Image.linear_gradient("L").rotate(90)
    >>> change(picture, "mirrored", seed=0).getpixel((0, 0))
    (255, 255, 255)
    """
    if name not in CHANGES:
        raise Problem(f"no change {name!r}; there are {', '.join(CHANGES)}")
    return CHANGES[name](image, np.random.default_rng(seed))
