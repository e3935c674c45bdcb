"""Spoilt CSV files: plans, a bank's entries and the truth say what they say, or are refused in words."""

import csv
import hashlib
import io
import random
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
from harness import Failure, ask, check_unchanged, contents, odd, spoil

from helpers.files.tables import read_csv
from helpers.gate.bank import Bank
from helpers.quarantine import moving, plans
from helpers.truth import near_duplicates

SIZES = 300, 20_000
_MOVED = ("b/one.jpg", "ü 2.jpg", "=3.jpg")


def prepare(here: Path) -> None:
    rows = []
    for number, name in enumerate(_MOVED):
        for path in (f"kept/{number}.jpg", name):
            file = here / "library" / path
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(f"picture {number} ".encode() * 20)
            digest = hashlib.sha256(file.read_bytes()).hexdigest()
            about = {"group": number + 1, "path": path, "kept": f"kept/{number}.jpg"}
            about |= {"action": "move" if path == name else "keep", "kind": "exact copy"}
            about |= {"bytes": file.stat().st_size, "sha256": digest, "reason": 'is "it", or not'}
            rows.append({**dict.fromkeys(plans.PLAN), **about})
    plan = pd.DataFrame(rows).astype(plans.PLAN)
    plans.write_plan(here / "plan.csv", plan)
    with Bank(here / "x.bank", make=True) as bank:
        bank.flag_many(
            np.arange(1, 9, dtype=np.uint64) * 0x1234567890ABCDE, "a, b", list("=+'\"; \tü")
        )
        bank.write_csv(here / "bank.csv")
    truth = {"needle": ["a.jpg", "=b.jpg"], "copy": ["a_1.jpg", "=b_1.jpg"]}
    truth |= {"factor": [1.02, 0.97], "width": [10, 20], "height": [30, 40]}
    near_duplicates.write_truth(here / "truth.csv", pd.DataFrame(truth))


def case(place: Path, here: Path, rng: random.Random) -> None:
    name = rng.choice(("plan", "bank", "truth"))
    file = place / f"{name}.csv"
    data = (here / file.name).read_bytes()
    other = (here / rng.choice(("plan.csv", "bank.csv", "truth.csv"))).read_bytes()
    how = rng.randrange(10)
    if how < 4:
        data = spoil(rng, data, other)
    elif how < 9:
        data = _cells(rng, data)
    else:
        ends = ("utf-16", "latin-1", "utf-8-sig")
        data = data.decode("utf-8-sig").encode(rng.choice(ends), "replace")
        data = data.replace(b"\n", rng.choice((b"\r\n", b"\r", b"\n\n", b"\0\n")))
        data = data.replace(b",", rng.choice((b";", b"\t", b",", b",,")))
    file.write_bytes(data)
    ask(read_csv, file)
    {"plan": _plan, "bank": _bank, "truth": _truth}[name](file, here, rng)


def _cells(rng: random.Random, data: bytes) -> bytes:
    rows = list(csv.reader(io.StringIO(data.decode("utf-8-sig"))))
    for _ in range(rng.choice((1, 1, 3))):
        row = rng.choice(rows)
        column, how = rng.randrange(len(row)) if row else 0, rng.randrange(8)
        if how < 4 and row:
            long = "x" * rng.choice((200_000, 3_000_000)) if rng.random() < 0.05 else odd(rng)
            row[column] = str(long) if not isinstance(long, int) else "1" + "0" * 400
        elif how == 4:
            row[column : column + 1] = rng.choice(([], [*row[column : column + 1]] * 2, ["a", ""]))
        elif how == 5:
            other = rng.choice(rows)
            row[column:], other[column:] = other[column:], row[column:]
        elif how == 6:
            rows.append(list(row))
        else:
            for row in rows:
                row[column:] = row[column + 1 :]
    file = io.StringIO()
    csv.writer(file, delimiter=rng.choice(",;\t"), quoting=rng.choice((0, 1))).writerows(rows)
    return file.getvalue().encode("utf-8", "surrogatepass")


def _plan(file: Path, here: Path, rng: random.Random) -> None:
    """A plan is read, says the same once it is written again, and loses nothing when it is carried out."""
    plan, problem = ask(plans.read_plan, file)
    if problem:
        return
    if list(plan.columns) != list(plans.PLAN) or not set(plan["action"]) <= set(plans.ACTIONS):
        raise Failure("silently wrong: no plan", str(plan.columns))
    again = file.with_name("again.csv")
    _, problem = ask(plans.write_plan, again, plan)
    read, refused = ask(plans.read_plan, again)
    if problem or refused or not read.equals(plan):
        raise Failure("silently wrong: a plan changes when it is written", str(problem or refused))
    if rng.random() < 0.3:
        place = file.parent
        shutil.copytree(here / "library", place / "library")
        before = contents(place / "library")
        ask(moving.apply, place / "library", plan)
        if lost := set(before.values()) - set(contents(place).values()):
            raise Failure("lost: a file", str(lost))
        if (place / "library-quarantine").exists():
            ask(moving.undo, place / "library-quarantine")
        check_unchanged(before, contents(place / "library"))


def _bank(file: Path, here: Path, rng: random.Random) -> None:
    """Entries are taken in, and are the same once they went to a file and into another bank."""
    tables = []
    for number in range(2):
        with Bank(file.with_name(f"{number}.bank"), make=True) as bank:
            _, problem = ask(bank.read_csv, file, anyway=rng.random() < 0.9 or number == 1)
            if problem and number:
                raise Failure("silently wrong: what was written is not taken in", str(problem))
            if problem:
                return
            tables.append(bank.entries())
            file = file.with_name("again.csv")
            bank.write_csv(file)
    if not tables[0].equals(tables[1]):
        raise Failure("silently wrong: entries change when they are written", "")


def _truth(file: Path, here: Path, rng: random.Random) -> None:
    """Numbers are numbers and names are names."""
    truth, problem = ask(near_duplicates.read_truth, file)
    if problem:
        return
    whole = near_duplicates.read_truth(here / "truth.csv")
    if set(whole.columns) - set(truth.columns):
        raise Failure("silently wrong: the truth lacks a column", str(list(truth.columns)))
    for name in ("width", "height"):
        if len(truth) and not pd.api.types.is_integer_dtype(truth[name]):
            raise Failure("silently wrong: a size that is no whole number", str(truth[name][:3]))
    for name in ("needle", "copy"):
        if not all(isinstance(path, str) and path for path in truth[name]):
            raise Failure("silently wrong: a path that is no text", str(truth[name][:3]))
    again = file.with_name("again.csv")
    _, problem = ask(near_duplicates.write_truth, again, truth)
    read, refused = ask(near_duplicates.read_truth, again)
    if problem or refused or not read.equals(truth):
        raise Failure("silently wrong: the truth changes when it is written", str(refused))
