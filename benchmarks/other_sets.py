"""Sets of pictures that are no photographs of objects: how those of chapter 11's table were made.

    python benchmarks/other_sets.py FOLDER [digits emoji flags codes pages]

Each set becomes a folder in FOLDER, unless it is there. The kit does not need the packages that
they come from; install those of the sets that you want in an environment of your own:

    pip install pillow scikit-learn       # digits: E. Alpaydin and C. Kaynak, UCI, CC BY 4.0
    npm install emoji-datasource-twitter  # emoji: Twemoji, Twitter and contributors, CC BY 4.0
    pip install resvg-py; npm install flag-icons                       # flags: P. Lipiridis, MIT
    pip install segno                                   # codes: made by L. Heuer's package, BSD
    pip install pypdfium2; pip download --no-deps --no-binary :all: reportlab  # pages: BSD

npm's packages are looked for in ``node_modules`` of the folder in which this is started. Unpack
reportlab there, too, and run ``genuserguide.py`` in its ``docs/userguide``: it makes the book whose
pages are the set.
"""

import argparse
import io
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from PIL import Image

SEED = 2014


def digits() -> Iterator[tuple[str, Image.Image]]:
    """1,797 handwritten digits of 8 x 8 pixels, enlarged to 128 x 128."""
    from sklearn.datasets import load_digits

    found = load_digits()
    for number, (cells, digit) in enumerate(zip(found.images, found.target, strict=True)):
        small = Image.fromarray(np.uint8(255 - 255 * cells / 16))
        yield f"{digit}/{number:04}.png", small.resize((128, 128), Image.Resampling.BICUBIC)


def emoji() -> Iterator[tuple[str, Image.Image]]:
    """1,200 emoji of 64 x 64 pixels, drawn by seed from all, on white."""
    folder = Path("node_modules/emoji-datasource-twitter/img/twitter/64")
    found = sorted(folder.glob("*.png"))
    drawn = np.random.default_rng(SEED).choice(len(found), 1200, replace=False)
    for path in (found[number] for number in sorted(drawn)):
        picture = Image.open(path).convert("RGBA")
        yield path.name, Image.alpha_composite(Image.new("RGBA", picture.size, "white"), picture)


def flags() -> Iterator[tuple[str, Image.Image]]:
    """All flags, 320 x 240 pixels."""
    import resvg_py

    for path in sorted(Path("node_modules/flag-icons/flags/4x3").glob("*.svg")):
        drawn = resvg_py.svg_to_bytes(svg_path=str(path), width=320)
        yield f"{path.stem}.png", Image.open(io.BytesIO(bytes(drawn)))


def codes() -> Iterator[tuple[str, Image.Image]]:
    """600 QR codes of 29 x 29 cells, each with an address of its own."""
    import segno

    for number in range(600):
        drawn = io.BytesIO()
        code = segno.make_qr(f"https://example.org/item/{number:06}", version=3, error="m")
        code.save(drawn, kind="png", scale=8)
        yield f"{number:03}.png", Image.open(drawn)


def pages() -> Iterator[tuple[str, Image.Image]]:
    """The pages of reportlab's user guide, at 100 dots an inch."""
    import pypdfium2

    book = pypdfium2.PdfDocument(next(Path().glob("reportlab-*/docs/reportlab-userguide.pdf")))
    for number in range(len(book)):
        yield f"{number + 1:03}.png", book[number].render(scale=100 / 72).to_pil()


SETS = {make.__name__: make for make in (digits, emoji, flags, codes, pages)}


def main() -> None:
    """Make the sets that are asked for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("sets", nargs="*", metavar="SET", help=f"some of {', '.join(SETS)}")
    arguments = parser.parse_args()
    for name in arguments.sets or SETS:
        folder, count = arguments.folder / name, 0
        if folder.exists():
            print(f"{name}: {folder} is there already; delete it to make it anew")
            continue
        for path, picture in SETS[name]():
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            picture.convert("RGB").save(folder / path)
            count += 1
        print(f"{name}: {count} pictures in {folder}")


if __name__ == "__main__":
    main()
