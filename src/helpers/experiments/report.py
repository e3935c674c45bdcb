"""A run as one page that can be sent: what was found, how sure it is, and how to do it again."""

from __future__ import annotations

import textwrap
from base64 import b64encode
from contextlib import nullcontext, suppress
from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image

from helpers import Problem, __version__, decisions
from helpers.classroom import plots
from helpers.experiments import choosing, rates, runs
from helpers.experiments.measuring import each_copy, reduced
from helpers.files.guard import check_output
from helpers.files.places import sha256_of
from helpers.fingerprints.hashes import HASHES
from helpers.images import changes
from helpers.images.opening import open_image

#: False matches a query among as many pictures as the set has, for which a radius is recommended.
WISH = 0.01
_SIDE = 160  # of a small picture, in pixels
_MOST_LINES = 6  # in a panel: `plots.line_chart` has as many styles
_MOST_EXAMPLES = 6


def write(
    run: runs.Run,
    target: str | Path | None = None,
    *,
    pictures: str | Path | None = None,
    no_pictures: bool = False,
) -> Path:
    """Write the report of a run: one HTML file that needs no network and may be sent.

    Parameters
    ----------
    run : Run
        From `helpers.experiments.runs.read` or `helpers.experiments.runs.run`.
    target : str or Path, optional
        The file; ``report.html`` in the run's folder if left out. An older report is replaced.
    pictures : str or Path, optional
        The folder of the pictures, if it is not where it was. Where no pictures are found, the
        page says so and shows none.
    no_pictures : bool
        Whether the page shows no picture, and numbers in place of the names of pictures and
        folders.

    Returns
    -------
    Path
        The file.

    Raises
    ------
    Problem
        If the file cannot be written, if another file is there, or if `pictures` is not the
        folder of this run.

    Notes
    -----
    Same run, same bytes. The AUC is the share of cases in which a copy is nearer to its original
    than two different pictures are to each other, and half of the cases in which both are equally
    far. The EER is where the share of copies that are missed equals the false-match rate, linear
    between radii.

    Examples
    --------
    >>> write(runs.read("photos-run"))  # doctest: +SKIP
    PosixPath('photos-run/report.html')
    """
    if no_pictures and pictures:
        raise Problem(f"{pictures}: without pictures no folder of them is needed; leave one out")
    target, root = Path(target or run.folder / "report.html"), None
    with nullcontext() if pictures else suppress(Problem):
        root = None if no_pictures else runs.pictures_of(run, pictures)
    check_output(target, "report", folders=[root] if root else [])
    count = len(rates.counted_pictures(run.pictures))
    choices, reasons = choosing.answer(run, WISH) if count > 1 else ([], [])
    told = {"wish": WISH, "count": count, "choices": choices, "reasons": reasons}
    told |= _numbers(run, choices) | _pictures(run, choices, root, no_pictures)
    if pictures and not any(small for _, small in told["some"]):
        raise Problem(f"{pictures}: holds none of the pictures as they were; name their folder")
    decisions.render(target, "experiments/report.html.j2", told)
    return target


def _numbers(run: runs.Run, choices: list[choosing.Choice]) -> dict:
    """Tables and figures: all that shows no picture of the set and no name."""
    about, hashes = run.about, run.about["hashes"]
    tables = {name: runs.table(run, name) for name in ("pairs", "rates", "recall", "by_radius")}
    bounds = tables["rates"][tables["rates"]["rate"].isna()]
    others = {
        hash: part["pairs"].to_numpy()[: HASHES[hash].bits + 1]
        for hash, part in tables["pairs"].groupby("hash", sort=False)
    }
    total = max(counts.sum() for counts in others.values())
    chosen = [one.recalls.assign(hash=one.hash, rate="wish", radius=one.radius) for one in choices]
    recall = pd.concat([tables["recall"], *chosen])
    means = recall.groupby(["rate", "hash"], sort=False).mean(numeric_only=True)
    copies = run.distances.groupby(["change", "strength"])
    groups, shown = {}, [one.hash for one in choices[:_MOST_LINES]]
    for row in each_copy(about["changes"]):
        groups.setdefault(changes.CHANGES[row[0]].group, []).append(row)
    return {
        "about": about,
        "version": __version__,
        "kinds": {hash: HASHES[hash] for hash in hashes},
        "total": total,
        "judged": len(run.judged),
        "groups": groups,
        "is_standard": about["changes"] == changes.chosen(None),
        "cells": recall.set_index(["rate", "change", "strength", "hash"]).to_dict("index"),
        "averages": means.to_dict("index"),
        "bounds": set(zip(bounds["hash"], bounds["radius"], strict=True)),
        "separated": {
            (hash, *row): _separated(_counted(bits, hash), others[hash])
            for hash in hashes
            for row, bits in copies[hash]
        },
        "histograms": _histograms(run, others) if choices else None,
        "curves": _curves(tables, groups, shown, max(1e-5, rates.BOUNDS[0] / max(total, 1))),
        "most_lines": _MOST_LINES,
    }


def _counted(bits: pd.Series, hash: str) -> np.ndarray:
    return np.bincount(bits.dropna().astype(int), minlength=HASHES[hash].bits + 1)


def _separated(copies: np.ndarray, others: np.ndarray) -> tuple[float, float]:
    """AUC and EER, from how many copies and how many different pairs lie at each distance."""
    found, false = ([0, *np.cumsum(counts) / max(counts.sum(), 1)] for counts in (copies, others))
    return np.trapezoid(found, false), np.interp(0, np.add(found, false) - 1, false)


def _histograms(run: runs.Run, others: dict[str, np.ndarray]) -> dict[str, str]:
    panels, told = {}, []
    for hash, far in others.items():
        near = _counted(run.distances[hash], hash)
        table = pd.DataFrame({"different pictures": far, "copies and their originals": near})
        panels[hash] = (table / table.sum()).replace(0, np.nan)
        half = (2 * np.cumsum(near) < near.sum()).sum()
        least = (100 * np.cumsum(far) < far.sum()).sum()
        told.append(f"{hash}: half of the copies within {half} bits, 1 % of others within {least}")
    title = "share of pairs (upwards, logarithmic) at each distance in bits"
    return _figure(panels, 2, "y", title, told)


def _curves(tables: dict, groups: dict, shown: list[str], rate: float) -> dict[str, dict]:
    """Recall against the rate of false matches: a panel for each change and strength."""
    points = tables["by_radius"].merge(tables["rates"].dropna()[["hash", "radius", "rate"]])
    points["recall"] = points["found"] / points["pictures"]
    of_change, figures = points.groupby(["change", "strength"]), {}
    title = "recall (upwards) against false matches a pair (logarithmic)"
    least = points["rate"].min()
    for group, rows in groups.items() if len(points) else ():
        panels, told = {}, []
        for row in rows:
            table = of_change.get_group(row).pivot_table("recall", "rate", "hash", aggfunc="max")
            lines = [table[hash].dropna() for hash in shown if hash in table]
            ends = sorted((np.interp(rate, line.index, line), line.name) for line in lines)
            (low, worst), (high, best) = ends[0], ends[-1]
            told.append(f"{', '.join(row)}: {low:.2f} ({worst}) to {high:.2f} ({best})")
            name = ", ".join(row).replace(" %", "\u00a0%")
            panels["\n".join(textwrap.wrap(name, 32))] = table.reindex(columns=shown)
        limits = {"ylim": (-0.04, 1.04), "xlim": (least / 1.5, max(1.5e-3, 50 * least))}
        told[0] = f"at {rate:.2g} of {told[0]}"
        figures[group] = _figure(panels, 5, "x", title, told, **limits)
    return figures


def _figure(panels: dict, columns: int, log: str, title: str, told: list, **limits: tuple) -> dict:
    """Small panels of lines, as an address that holds them, and told in words."""
    figure = plots.line_chart(panels, ylabel="", log=log, columns=columns)
    figure.set_size_inches(11.5, 1.1 + 1.9 * -(-len(panels) // columns))
    figure.suptitle(title, fontsize=11)
    for number, panel in enumerate(figure.axes):
        panel.set(xlabel="", **limits)
        panel.minorticks_off()
        panel.title.set_fontsize(8)
        getattr(panel, f"{log}axis").set_major_formatter(plots.SHORT)
        at_left, at_bottom = number % columns == 0, number + columns >= len(panels)
        panel.tick_params(labelsize=8, labelleft=at_left, labelbottom=at_bottom or not limits)
        for line in panel.lines:
            line.set_markersize(4)
    data = b64encode(plots.as_png(figure, 64)).decode()
    return {"address": f"data:image/png;base64,{data}", "alt": f"{title}: {'; '.join(told)}"}


def _pictures(
    run: runs.Run, choices: list[choosing.Choice], root: Path | None, no_pictures: bool
) -> dict:
    """What was measured and left out, and examples: all that names or shows pictures."""
    table = run.pictures.assign(name=run.pictures["path"])
    table["folder"] = [Path(path).parent.as_posix() for path in table["path"]]
    if no_pictures:
        table["name"] = [f"picture {row}" for row in range(1, len(table) + 1)]
        table["folder"] = [f"folder {place + 1}" for place in table["folder"].factorize()[0]]
        reason = "cannot be read; the reason is in pictures.csv"
        table["problem"] = table["problem"].where(table["problem"] == "", reason)
    names = dict(zip(table["path"], table["name"], strict=True))

    def shown(path: str, *change: str) -> tuple[str, str]:
        return names[path], _small(run, root, path, *change)

    readable = table[table["problem"] == ""]
    some = readable["path"].iloc[np.linspace(0, len(readable) - 1, 18).astype(int)].unique()
    equal = readable.groupby("pixels")["name"].agg(list)
    hash, radius = (
        (choices[0].hash, choices[0].radius) if choices else (run.about["hashes"][0], np.inf)
    )
    far = run.distances.assign(bits=run.distances[hash], is_missed=run.distances[hash] > radius)
    missed = far.groupby(["change", "strength"])["is_missed"].transform("mean")
    far = far[far["is_missed"] & (missed <= 0.5)].sort_values("bits", kind="stable")[::-1]
    far = far.drop_duplicates("change").drop_duplicates("path").head(_MOST_EXAMPLES)
    near = runs.table(run, "near_pairs").query("hash == @hash and kind == ''")
    judged = run.judged.groupby(["first", "second"])["verdict"].agg(
        lambda one: " or ".join(sorted({*one}))
    )
    near = near.join(judged, on=["first", "second"]).fillna({"verdict": "not judged"})
    near = near[near["verdict"] != "same"].head(_MOST_EXAMPLES)
    return {
        "title": "a set of pictures" if no_pictures else run.about["name"],
        "has_pictures": root is not None,
        "no_pictures": no_pictures,
        "readable": readable,
        "lost": table[table["problem"] != ""],
        "equal": [paths for paths in equal if len(paths) > 1],
        "some": [shown(path) for path in some],
        "misses": [
            (shown(row.path), shown(row.path, row.change, row.strength), row)
            for row in far.itertuples()
        ],
        "mistakes": [(shown(row.first), shown(row.second), row) for row in near.itertuples()],
    }


def _small(run: runs.Run, root: Path | None, path: str, *change: str) -> str:
    """A small picture, after a change, as an address that holds it; empty if it is not there."""
    known = run.pictures.set_index("path").loc[path, "bytes"]
    try:
        if root is None or sha256_of(root / path) != known:
            return ""
        picture = reduced(open_image(root / path).convert("RGB"), run.about["side"])
        if change:
            picture = changes.change(picture, *change, run.about["seed"], path=path)
    except (OSError, Problem):
        return ""
    picture.thumbnail((_SIDE, _SIDE), Image.Resampling.LANCZOS)
    return decisions.address(picture)
