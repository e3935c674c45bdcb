"""A plan as a page that everybody can read, without a network and without harm."""

from html.parser import HTMLParser
from importlib.resources import files

import pandas as pd
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
    """The plan for five groups: two of exact copies, one of near copies, two of look-alikes."""
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


def pairs_of(plan):
    return plan[plan["kind"].isin(["near copy", "look-alike"])]


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


def test_the_sheet_shows_two_files_side_by_side_by_pictures_and_words(groups, photos, tmp_path):
    pairs = pairs_of(groups).index
    groups.loc[pairs, "lost"] = [f"place {number}" for number in range(len(pairs))]
    groups.loc[pairs[0], "gained"] = "camera Fuji"
    sheet.contact_sheet(photos, groups, tmp_path / "sheet.html", workers=1)
    page = Page((tmp_path / "sheet.html").read_text(encoding="utf-8"))
    assert not page.open, "every tag is closed"
    assert page.of("html") == [{"lang": "en"}]
    assert all(section["tabindex"] == "0" for section in page.of("section"))
    assert len(page.of("section")) == len(pairs) == 4
    names = [image["alt"] for image in page.of("img") if image["alt"]]
    text = " ".join(page.words)
    for row in groups.loc[pairs].itertuples():
        label = {"move": "goes", "look": "asked about"}[row.action]
        assert {f"{row.kept}, stays", f"{row.path}, {label}"} < set(names)
        assert row.reason in text
        assert f"would be lost: {row.lost}" in page.words
    assert page.words.count("would be lost with this one: camera Fuji") == 1
    assert "Not shown, since a file with the same bytes stays or is shown: 3." in text


def test_the_place_where_they_differ_most_is_shown_unless_one_is_turned(groups, photos, tmp_path):
    kinds = pairs_of(groups)["kind"].to_numpy() == "near copy"
    groups.loc[pairs_of(groups).index[kinds], "kind"] = "turned or mirrored"
    sheet.contact_sheet(photos, groups, tmp_path / "sheet.html", workers=1)
    page = Page((tmp_path / "sheet.html").read_text(encoding="utf-8"))
    magnified = [image["alt"] for image in page.of("img") if "magnified" in image["alt"]]
    assert len(magnified) == 2 * (~kinds).sum()
    assert all("colour" in alt or "grey" in alt for alt in magnified)


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


def test_names_are_escaped_on_the_sheet(groups, photos, tmp_path):
    nasty = ["<script>alert(1)</script>", "a&amp;b", "x' onerror='y", 'x" onerror="z', "<b>\n"]
    for column, text in zip(("path", "kept", "lost", "gained", "reason"), nasty, strict=True):
        groups[column] = groups[column].mask(groups["kind"] == "look-alike", text)
    groups["partner_of"] = groups["path"].where(groups["kind"] == "best", "")
    sheet.contact_sheet(photos, groups, tmp_path / "sheet.html", workers=1)
    page = Page((tmp_path / "sheet.html").read_text(encoding="utf-8"))
    assert not page.open
    assert {tag for tag, _ in page.tags} & {"b", "i"} == set()
    assert page.of("script") == [{}]
    assert [word for word in page.words if "use strict" in word] == [script_of_the_page()]
    assert {name for image in page.of("img") for name in image} == {"src", "alt"}
    for text in nasty:
        assert text in "".join(page.words)
    assert "cannot be shown" in "".join(page.words)


def test_what_is_asked_about_comes_first_by_kind(groups, photos, tmp_path):
    looks = pairs_of(groups).index[pairs_of(groups)["action"] == "look"]
    groups.loc[looks[0], "kind"] = "cropped"
    moves = groups.index[groups["action"].eq("move") & groups["kind"].eq("near copy")]
    groups.loc[moves[-1], "action"] = "look"
    sheet.contact_sheet(photos, groups, tmp_path / "sheet.html", workers=1)
    page = Page((tmp_path / "sheet.html").read_text(encoding="utf-8"))
    titles = [word.partition(",")[0] for word in page.words if ", group" in word]
    assert titles == ["Near copy", "Look-alike", "Cropped", "Near copy"]


def test_a_long_plan_is_cut_on_the_sheet_and_says_so(groups, photos, tmp_path):
    sheet.contact_sheet(photos, groups, tmp_path / "sheet.html", most=3, workers=1)
    page = Page((tmp_path / "sheet.html").read_text(encoding="utf-8"))
    assert len(page.of("section")) == 3
    assert "1 more pair in the plan, not on this page." in page.words


# What was decided


@pytest.fixture
def plan():
    """Three pictures that stay: a.jpg, its film, and c.jpg, which looks like it. The rest goes."""
    rows = [
        (1, "keep", "best", "a.jpg", "a.jpg", "A"),
        (1, "move", "exact copy", "a 2.jpg", "a.jpg", "A"),
        (1, "move", "near copy", "b.jpg", "a.jpg", "B"),
        (1, "move", "near copy", "b 2.jpg", "a.jpg", "B"),
        (1, "move", "near copy", "small.jpg", "a.jpg", "S"),
        (2, "keep", "best", "c.jpg", "c.jpg", "C"),
        (2, "move", "exact copy", "c 2.jpg", "c.jpg", "C"),
        (3, "keep", "best", "a.jpg", "a.jpg", "A"),
        (3, "look", "look-alike", "c.jpg", "a.jpg", "C"),
        (4, "keep", "best", "c.jpg", "c.jpg", "C"),
        (4, "look", "framed", "a.jpg", "c.jpg", "A"),
        (1, "move", "partner", "b.mov", "a.mov", "M"),
        (1, "keep", "partner", "a.mov", "a.mov", "M"),
    ]
    columns = ["group", "action", "kind", "path", "kept", "sha256"]
    about = pd.DataFrame(rows, columns=columns).reindex(columns=list(plans.PLAN))
    texts = [name for name, kind in plans.PLAN.items() if kind == "str" and name not in columns]
    about = about.assign(**dict.fromkeys(texts, "")).astype(plans.PLAN)
    about["partner_of"] = about["path"].map({"a.mov": "a.jpg", "b.mov": "b.jpg"}).fillna("")
    return about


def items_of(plan):
    """The key of each pair on the sheet, by the path on its right."""
    return sheet._asked(plan).set_index("path")["key"].to_dict()  # to decide without a browser


@pytest.fixture
def decide(plan, tmp_path):
    """`decide({"b.jpg": "keep both"})`: the plan so decided, what moves for what, the sentence."""

    def decided(verdicts, about=None, other=None):
        file, page = tmp_path / "decisions.csv", sheet._page(plan)  # as on the sheet
        rows = [
            (page, items_of(plan)[path], verdict, judge)
            for judge, said in (("Ann", verdicts), ("Bob", other or {}))
            for path, verdict in said.items()
        ]
        text = tables.as_csv(["page", "item", "decision", "judge"], rows, byte_order_mark=True)
        file.write_text(text, encoding="utf-8")
        new, sentence = sheet.decided(plan if about is None else about, file)
        moves = new[new["action"] == "move"]
        return new, dict(zip(moves["path"], moves["kept"], strict=True)), sentence

    return decided


AS_PROPOSED = {
    **dict.fromkeys(["a 2.jpg", "b.jpg", "b 2.jpg", "small.jpg"], "a.jpg"),
    "c 2.jpg": "c.jpg",
    "b.mov": "a.mov",
}


@pytest.mark.parametrize(
    ("verdicts", "changed"),
    [
        ({"b.jpg": "the right one goes"}, {}),
        ({"c.jpg": "keep both"}, {}),
        ({"b.jpg": "keep both"}, {**dict.fromkeys(["b.jpg", "b.mov"]), "b 2.jpg": "b.jpg"}),
        ({"c.jpg": "the right one goes"}, {"c.jpg": "a.jpg", "c 2.jpg": "a.jpg"}),
        (
            {"b.jpg": "the left one goes"},
            {
                "b.jpg": None,
                **dict.fromkeys(["a.jpg", "a 2.jpg", "b 2.jpg", "small.jpg"], "b.jpg"),
            },
        ),
        (
            {"c.jpg": "the left one goes", "small.jpg": "keep both"},
            {"small.jpg": None, **dict.fromkeys(["a.jpg", "a 2.jpg", "b.jpg", "b 2.jpg"], "c.jpg")},
        ),
        (
            {"b.jpg": "the left one goes", "small.jpg": "the left one goes"},
            {
                **dict.fromkeys(["b.jpg", "small.jpg"]),
                **dict.fromkeys(["a.jpg", "a 2.jpg"], "small.jpg"),
                "b 2.jpg": "b.jpg",
            },
        ),
        (  # in another group a.jpg stands on the right
            {"b.jpg": "the left one goes", "a.jpg": "the left one goes"},
            {
                "b.jpg": None,
                **dict.fromkeys(
                    ["a.jpg", "a 2.jpg", "b 2.jpg", "small.jpg", "c.jpg", "c 2.jpg"], "b.jpg"
                ),
            },
        ),
    ],
    ids=[
        "as proposed",
        "as asked",
        "both",
        "right",
        "left",
        "left look-alike",
        "left twice",
        "left in a row",
    ],
)
def test_what_goes_goes_for_a_file_that_stays(verdicts, changed, decide):
    new, moves, _ = decide(verdicts)
    expected = {path: kept for path, kept in {**AS_PROPOSED, **changed}.items() if kept}
    assert moves == expected
    assert not moves.keys() & set(moves.values())
    assert not set(new["path"]) - set(moves) - set(new.loc[new["action"] != "move", "path"])


def test_what_is_decided_in_a_circle_stays(decide):
    moves = decide(dict.fromkeys(["a.jpg", "c.jpg"], "the right one goes"))[1]
    assert moves == {"b.mov": "a.mov"}, "which follows b.jpg only"


def test_where_judges_differ_both_stay(decide):
    moves = decide({"c.jpg": "the right one goes"}, other={"c.jpg": "the left one goes"})[1]
    assert moves == AS_PROPOSED


def test_how_often_each_was_decided_is_told(decide):
    _, _, sentence = decide({"b.jpg": "keep both", "c.jpg": "the right one goes"})
    assert sentence == (
        "Decided: keep both: 1, the left one goes: 0, the right one goes: 1; "
        "not decided, so as proposed: 2."
    )


def test_decisions_belong_to_the_plan_also_after_somebody_edited_it(plan, decide, tmp_path):
    plans.write_plan(tmp_path / "plan.csv", plan[::-1])
    read = plans.read_plan(tmp_path / "plan.csv")
    read.loc[read["action"] == "move", "action"] = "keep"
    assert decide({"b.jpg": "the left one goes"}, read)[1] == {"a.jpg": "b.jpg"}


def test_decisions_about_another_plan_are_refused(plan, decide):
    other = plan.assign(sha256="0" * 64)
    with pytest.raises(Problem, match=r"decisions\.csv: line 2: was decided on another page"):
        decide({"b.jpg": "keep both"}, other)
