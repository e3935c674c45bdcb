"""Sets what a program says of a made library beside the truth about it."""

import csv
from collections import Counter, defaultdict
from pathlib import Path

from messy_library import truth_file


class Judge:
    """Sets a plan beside the truth."""

    def __init__(self, folder: Path) -> None:
        with truth_file(folder).open(newline="", encoding="utf-8") as file:
            self.truth = {row["path"]: row for row in csv.DictReader(file)}
        self.wrong: dict[str, list[str]] = defaultdict(list)
        self.moved: dict[str, str] = {}  # path -> the path that stays for it
        self.moved_partners: dict[str, str] = {}
        self.asked: set[tuple[str, str]] = set()

    def read_plan(self, plan: Path) -> None:
        """Take in the rows of a plan; a partner's row counts as its picture's."""
        with plan.open(newline="", encoding="utf-8-sig") as file:
            for row in csv.DictReader(file):
                pair = row["path"].removeprefix("'"), row["kept"].removeprefix("'")
                if row["action"] == "move" and row["kind"] == "partner":
                    self.moved_partners[pair[0]] = pair[1]
                elif row["action"] == "move":
                    self.moved[pair[0]] = pair[1]
                elif pair[0] != pair[1]:
                    self.asked.add(pair)

    def _fail(self, measure: str, path: str, other: str = "", kind: str = "") -> None:
        kind = kind or self.truth.get(path, {"kind": "unknown"})["kind"]
        self.wrong[f"{measure} | {kind}"].append(f"{path}  <-  {other}" if other else path)

    def table(self) -> dict[str, str]:
        """The measures of the issue, each as text."""
        self.wrong.clear()
        self._check_moves()
        self._check_partners()
        right, known = self._copies()
        wrong = Counter()
        for measure, paths in self.wrong.items():
            wrong[measure.split(" | ")[0]] += len(paths)
        roles = Counter(row["role"] for row in self.truth.values())
        profiles = sum(self.truth[p]["role"] == "profile" for p in self.moved if p in self.truth)
        told = {
            "unrelated or look-alike moved": f"{wrong['look-alike moved']} of {roles['alone']}",
            "kin moved": f"{wrong['kin moved']} of {roles['kin']}",
            "copies moved, original kept": f"{right} of {known}",
            "original moved, copy kept": f"{wrong['original moved']} of {known}",
            "information lost": str(wrong["information lost"]),
            "partners separated": str(wrong["partner separated"]),
            "in bins or linked, moved or kept": str(wrong["bin or link"]),
            "other profile moved": f"{profiles} of {roles['profile']}",
            **self._mentioned(),
        }
        pairs = {frozenset(pair) for pair in self.asked}
        scenes = [
            [self.truth[path]["scene"] for path in pair if path in self.truth] for pair in pairs
        ]
        told["asked about"] = f"{len(pairs)}, unrelated {sum(len(set(s)) > 1 for s in scenes)}"
        return told

    def _check_moves(self) -> None:
        for path, kept in self.moved.items():
            row, stays = self.truth.get(path), self.truth.get(kept)
            if not row or not stays:
                self._fail("unknown path", path, kept)
            elif {row["role"], stays["role"]} & {"shut", "linked"}:
                self._fail("bin or link", path, kept)
            elif row["picture"] != stays["picture"]:
                is_kin = "kin" in (row["role"], stays["role"]) and row["scene"] == stays["scene"]
                self._fail("kin moved" if is_kin else "look-alike moved", path, kept)
            elif row["role"] in ("loses", "richer"):
                self._fail("information lost", path, kept)
            elif row["role"] == "original" and stays["role"] != "richer":
                self._fail("original moved", path, kept, f"for {stays['kind']}")

    def _check_partners(self) -> None:
        for path, row in self.truth.items():
            if row["role"] != "partner":
                continue
            goes = path in self.moved_partners or path in self.moved
            if goes != (row["partner_of"] in self.moved):
                self._fail("partner separated", path, row["partner_of"])

    def _copies(self) -> tuple[int, int]:
        originals = {
            row["picture"]: path for path, row in self.truth.items() if row["role"] == "original"
        }
        copies = [(path, row) for path, row in self.truth.items() if row["role"] == "copy"]
        right, asked = 0, self._asked_of()
        for path, row in copies:
            original = originals[row["picture"]]
            same = self.truth.get(self.moved.get(path, ""), {}).get("picture") == row["picture"]
            if same and original not in self.moved:
                right += 1
            elif path not in self.moved and original not in self.moved:
                self._fail(
                    "copy asked about" if path in asked else "copy not found", path, original
                )
        return right, len(copies)

    def _asked_of(self) -> dict[str, set[str]]:
        """Path -> the paths that it is set beside in a question or a move."""
        beside = defaultdict(set)
        for first, second in (*self.asked, *self.moved.items()):
            beside[first].add(second)
            beside[second].add(first)
        return beside

    def _mentioned(self) -> dict[str, str]:
        beside, counts = self._asked_of(), Counter()
        for path, row in self.truth.items():
            if row["role"] in ("profile", "kin"):
                others = {
                    self.truth[other]["scene"] for other in beside[path] if other in self.truth
                }
                name = row["kind"].split(",")[0] if row["role"] == "kin" else "other profile"
                name = name.replace("framed by itself", "framed")
                found = row["scene"] in others
                counts[name] += 1
                counts[name, "found"] += found
                if not found:
                    self._fail("not mentioned", path)
        names = [name for name in counts if isinstance(name, str)]
        return {f"{n} mentioned": f"{counts[n, 'found']} of {counts[n]}" for n in sorted(names)}

    def told(self, most: int) -> str:
        """The table, and what is wrong by kind with at most so many paths of each."""
        lines = [f"{name:<36} {value}" for name, value in self.table().items()]
        for measure, paths in sorted(self.wrong.items()):
            lines.append(f"- {measure}: {len(paths)}")
            lines += [f"    {path}" for path in paths[:most]]
        return "\n".join(lines)
