"""A plan as a page with small pictures."""

from __future__ import annotations

import html
import io
from base64 import b64encode
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from helpers.files.atomic import exclusive, write_text
from helpers.files.guard import check_output
from helpers.files.parallel import share_out
from helpers.images.opening import thumbnail
from helpers.quarantine.plans import summary

if TYPE_CHECKING:  # workers do without it and start sooner
    import pandas as pd

_THUMBNAIL_SIZE = 160  # pixels on the longer side, on the contact sheet


_PAGE = """\
<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="generator" content="helpers.library.sheet.contact_sheet">
<meta name="viewport" content="width=device-width">
<title>{title}</title>
<style>
body {{ font: 16px/1.4 sans-serif; margin: 1.5em; color: #000; background: #fff; }}
section {{ border-top: 1px solid #767676; padding: .5em 0; break-inside: avoid; }}
section:focus-visible {{ outline: 3px solid #000; }}
h2 {{ font-size: 1em; margin: 0 0 .5em; }}
.row {{ display: flex; flex-wrap: wrap; gap: 1em; }}
figure {{ margin: 0; padding: .5em; width: 176px; border: 2px dashed #595959; }}
figure.keep {{ border: 6px double #000; }}
figure.look {{ border: 2px dotted #595959; }}
img {{ display: block; max-width: 100%; height: auto; }}
figcaption {{ font-size: .8em; overflow-wrap: anywhere; }}
figcaption span {{ display: block; }}
bdi {{ white-space: pre-wrap; }}
</style>
</head>
<body>
<main>
<h1>{title}</h1>
<p>{summary}</p>
{groups}
</main>
</body>
</html>
"""
_ON_PAGE = {"keep": "stays", "move": "moves", "look": "to look at"}


def contact_sheet(
    folder: str | Path,
    plan: pd.DataFrame,
    target: str | Path,
    *,
    most: int = 300,
    workers: int | None = None,
) -> None:
    """Write a plan as a page: a row of small pictures for each group, their fate, and why.

    The page is one file and needs no network. Exact copies, which need no eyes, come last. The tab
    key goes from group to group. Words and borders, not colours, tell which file stays.

    Parameters
    ----------
    folder : str or Path
        The photo library.
    plan : DataFrame
        From `helpers.library.proposal.propose` or `helpers.quarantine.plans.read_plan`.
    target : str or Path
        The HTML file; an older contact sheet is replaced in one step.
    most : int
        The most groups on the page; a sentence says how many are left out.
    workers : int, optional
        How many processes; see `helpers.files.parallel.share_out`.

    Raises
    ------
    Problem
        If it cannot be written, or if another file or a folder is there.

    Examples
    --------
    >>> contact_sheet("photos", plan, "sheet.html")  # doctest: +SKIP
    """
    check_output(target, "sheet")
    groups = [rows for _, rows in plan.groupby("group")]
    groups.sort(key=lambda rows: set(rows["kind"]) <= {"best", "exact copy"})
    paths = sorted({path for rows in groups[:most] for path in rows["path"]})
    images = share_out(partial(_embedded, Path(folder)), paths, workers=workers, title="thumbnails")
    image_of = dict(zip(paths, images, strict=True))
    parts = [_section(rows, image_of) for rows in groups[:most]]
    if len(groups) > most:
        parts.append(f"<p>{len(groups) - most:,} more groups are in the plan.</p>")
    title = f"Copies in {Path(folder).resolve().name}"
    page = _PAGE.format(
        title=html.escape(title), summary=html.escape(summary(plan)), groups="\n".join(parts)
    )
    with exclusive(target):  # which clears what a killed run left
        write_text(target, page.encode("utf-8", "backslashreplace").decode())


def _embedded(folder: Path, path: str) -> str:
    """A small picture as an address that holds it; empty if it cannot be shown."""
    picture, file = thumbnail(folder / path, _THUMBNAIL_SIZE), io.BytesIO()
    if picture:
        picture.save(file, format="jpeg", quality=70)
    data = b64encode(file.getvalue()).decode()
    return f"data:image/jpeg;base64,{data}" if data else ""


def _section(rows: pd.DataFrame, image_of: dict[str, str]) -> str:
    number = rows["group"].iloc[0]
    kind = "that look alike" if "look" in set(rows["action"]) else "of the same picture"
    figures = [_figure(row, image_of[row.path]) for row in rows.itertuples()]
    return "\n".join(
        [
            f'<section tabindex="0" aria-labelledby="group-{number}">',
            f'<h2 id="group-{number}">Group {number}: {len(rows)} files {kind}</h2>',
            '<div class="row">',
            *figures,
            "</div>",
            "</section>",
        ]
    )


def _figure(row: tuple, address: str) -> str:
    import pandas as pd

    name, fate = html.escape(row.path), _ON_PAGE[row.action]
    size = "" if pd.isna(row.width) else f"{row.width} x {row.height} pixels, "
    size += "" if pd.isna(row.bytes) else f"{row.bytes:,} bytes"
    shown = f'<img src="{address}" alt="{name}, {fate}">' if address else "<p>cannot be shown</p>"
    return "\n".join(
        [
            f'<figure class="{row.action}">',
            shown,
            f"<figcaption><strong>{fate}</strong>: <bdi>{name}</bdi>",
            f"<span>{size}</span>",
            f"<span>{html.escape(row.reason)}</span></figcaption>",
            "</figure>",
        ]
    )
