"""A plan as a page that everybody can read, without a network and without harm."""

import os
import re
from html.parser import HTMLParser
from importlib.resources import files

import pytest
from inputs import (
    copy,
    propose,
    save,
)

from helpers import Problem
from helpers.files import tables
from helpers.library import sheet
from helpers.quarantine import plans


@pytest.fixture
def groups(photos, photograph, scan):
    """The plan for five groups: two of exact copies, one of which cannot be shown, one of near copies, two of look-alikes."""
    for name in ("a.jpg", "b.jpg"):
        copy(photos / "cats" / "image_0000.jpg", photos / "again" / name)
        (photos / f"broken {name}").write_bytes(b"no picture")
    for name, size in (("large", (300, 200)), ("middle", (240, 160)), ("small", (150, 100))):
        save(photograph(51, size), photos / f"{name}.png")
    for seed in (52, 53):
        save(photograph(seed, (300, 200)), photos / f"colour {seed}.jpg")
        save(photograph(seed, (300, 200)).convert("L"), photos / f"grey {seed}.jpg")
    plan = propose(scan(), photos)
    assert sorted(plan["kind"].groupby(plan["group"]).last()) == [
        *("exact copy", "exact copy", "look-alike", "look-alike", "near copy")
    ]
    return plan


class Page(HTMLParser):
    """The tags of a page, with their attributes, and its text."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.words, self.open = [], [], []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))
        if tag not in ("meta", "img", "input"):
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.words.append(data)

    def of(self, name):
        return [attributes for tag, attributes in self.tags if tag == name]


def script_of_the_page():
    """The script as it stands in the template: no word of a picture is in it."""
    template = (files("helpers") / "decisions.html.j2").read_text(encoding="utf-8")
    script = template.partition("<script>")[2].partition("</script>")[0]
    assert "{{" not in script
    assert "{%" not in script
    return script


def test_the_sheet_shows_each_group_by_pictures_and_words(groups, photos, tmp_path):
    sheet.contact_sheet(photos, groups, tmp_path / "sheet.html", workers=1)
    page = Page((tmp_path / "sheet.html").read_text(encoding="utf-8"))
    assert not page.open, "every tag is closed"
    assert page.of("html") == [{"lang": "en"}]
    assert len(page.of("section")) == 5
    assert all(section["tabindex"] == "0" for section in page.of("section"))
    assert len(page.of("figure")) == len(groups)
    readable = groups[groups["width"].notna()]
    assert len(readable) == len(groups) - 2
    alts = [image["alt"] for image in page.of("img") if image["alt"]]
    assert len(alts) == len(set(alts)) == len(readable)
    assert sum(alt.endswith(", stays") for alt in alts) == (readable["action"] == "keep").sum()
    text = " ".join(page.words)
    for row in groups.itertuples():
        assert row.path in text
        assert row.reason in text


def test_the_sheet_needs_no_network(groups, photos, tmp_path):
    sheet.contact_sheet(photos, groups, tmp_path / "sheet.html", workers=1)
    text = (tmp_path / "sheet.html").read_text(encoding="utf-8")
    page = Page(text)
    assert {tag for tag, _ in page.tags} & {"link", "iframe", "a", "object"} == set()
    assert page.of("script") == [{}]
    shown = [image["src"] for image in page.of("img") if "src" in image]
    assert all(address.startswith("data:image/jpeg;base64,") for address in shown)
    assert "http" not in text
    assert "url(" not in text
    assert len(text) < 400_000


def test_names_are_escaped_on_the_sheet(photos, scan, tmp_path):
    original = photos / "cats" / "image_0000.jpg"
    names = ["<script>alert(1)<|script>.jpg".replace("|", "_"), "a&amp;b.jpg", "x' onerror='y.jpg"]
    if os.name != "nt":
        names += ['x" onerror="alert(1).jpg', "<b>\n.jpg"]
    else:
        names = names[1:]
    for name in names:
        copy(original, photos / name)
    (photos / "bad <i>.jpg" if os.name != "nt" else photos / "bad.jpg").write_bytes(b"no picture")
    copy(next(photos.glob("bad*")), photos / "worse.jpg")
    sheet.contact_sheet(photos, propose(scan(), photos), tmp_path / "sheet.html")
    page = Page((tmp_path / "sheet.html").read_text(encoding="utf-8"))
    assert not page.open
    assert {tag for tag, _ in page.tags} & {"b", "i"} == set()
    assert page.of("script") == [{}]
    assert [word for word in page.words if "use strict" in word] == [script_of_the_page()]
    *shown, large = page.of("img")
    assert all(set(image) == {"src", "alt"} for image in shown)
    assert large == {"alt": ""}
    for name in names:
        assert name in "".join(page.words)
        assert any(image["alt"].startswith(name) for image in page.of("img"))
    assert "".join(page.words).count("cannot be shown") == 2


def test_exact_copies_come_last_on_the_sheet(groups, photos, tmp_path):
    sheet.contact_sheet(photos, groups, tmp_path / "sheet.html", workers=1)
    page = Page((tmp_path / "sheet.html").read_text(encoding="utf-8"))
    shown = [int(section["data-key"].split(" ")[1]) for section in page.of("section")]
    eyes = groups[groups["kind"].isin(["near copy", "look-alike"])]["group"].unique().tolist()
    others = [number for number in groups["group"].unique().tolist() if number not in eyes]
    assert shown == eyes + others
    assert min(len(eyes), len(others)) > 1


def test_a_long_plan_is_cut_on_the_sheet_and_says_so(groups, photos, tmp_path):
    sheet.contact_sheet(photos, groups, tmp_path / "sheet.html", most=2, workers=1)
    page = Page((tmp_path / "sheet.html").read_text(encoding="utf-8"))
    assert len(page.of("section")) == 2
    assert "3 more groups are in the plan." in page.words


def page_of(file):
    return re.search(r'data-page="([^"]+)"', file.read_text(encoding="utf-8"))[1]


@pytest.fixture
def decide(groups, photos, tmp_path):
    """`decide({3: "keep all"})`: what the sheet of these groups lets somebody download."""
    sheet.contact_sheet(photos, groups, tmp_path / "sheet.html", workers=1)
    page = page_of(tmp_path / "sheet.html")

    def write(verdicts, page=page):
        rows = [(page, f"group {number}", verdict, "Ann") for number, verdict in verdicts.items()]
        file = tmp_path / "decisions.csv"
        text = tables.as_csv(["page", "item", "decision", "judge"], rows, byte_order_mark=True)
        file.write_text(text, encoding="utf-8")
        return file

    return write


def test_a_group_that_is_kept_whole_stays_and_no_other_changes(groups, decide):
    moved = groups.loc[groups["action"] == "move", "group"].unique().tolist()
    looked = groups.loc[groups["action"] == "look", "group"].unique().tolist()
    file = decide({moved[0]: "keep all", looked[0]: "keep all", moved[1]: "as proposed"})
    plan, sentence = sheet.decided(groups, file)
    assert sentence == (
        "Decided: keep all of 2 groups, 1 as proposed; not decided: 2, as proposed."
    )
    chosen = groups["group"].isin([moved[0], looked[0]])
    assert set(plan.loc[chosen, "action"]) == {"keep"}
    assert plan[~chosen].equals(groups[~chosen])
    assert groups.loc[chosen, "action"].iloc[-1] != "keep", "the plan that was given is as it was"


def test_decisions_belong_to_the_plan_also_after_somebody_edited_it(groups, decide, tmp_path):
    number = int(groups["group"].iloc[0])
    file = decide({number: "keep all"})
    plans.write_plan(tmp_path / "plan.csv", groups[::-1])
    read = plans.read_plan(tmp_path / "plan.csv")
    read.loc[read["action"] == "move", "action"] = "keep"
    assert set(sheet.decided(read, file)[0]["action"]) == {"keep", "look"}


def test_decisions_about_another_plan_are_refused(groups, decide):
    file = decide({1: "keep all"})
    other = groups.assign(sha256="0" * 64)
    with pytest.raises(Problem, match=r"decisions\.csv: line 2: was decided on another page"):
        sheet.decided(other, file)
