"""The page on which a person decides, and its decisions as they come back."""

import io
import re
from base64 import b64decode
from html.parser import HTMLParser

import pytest
from browsers import chromium
from PIL import Image

from helpers import Problem, decisions
from helpers.files import tables

CHOICES = {"s": "same", "d": "different", "u": "unsure"}
PAGES = {"page 1": {"pair 1", "pair 2", "pair 3"}}


class Page(HTMLParser):
    """The tags of a page, with their attributes, and its text."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.words = [], []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))

    def handle_data(self, data):
        self.words.append(data)

    def of(self, name):
        return [attributes for tag, attributes in self.tags if tag == name]


@pytest.fixture
def pairs(photographs):
    """Two pairs of pictures."""
    paths = sorted(photographs.rglob("*.jpg"))
    return [
        decisions.Item(
            f"pair {number}",
            f"Pair {number}",
            [decisions.Picture(path, path.name, ["120 x 80 pixels"]) for path in paths[:2]],
        )
        for number in (1, 2)
    ]


@pytest.fixture
def write(tmp_path):
    """`write(items, **keywords)`: the page, as text."""

    def to_text(items, title="Pairs", about=(), **keywords):
        target = tmp_path / "page.html"
        keywords = {"page": "page 1", "workers": 1, **keywords}
        decisions.write_page(target, title, about, items, CHOICES, **keywords)
        return target.read_text(encoding="utf-8")

    return to_text


@pytest.fixture
def downloaded(tmp_path):
    """`downloaded(rows)`: a file of decisions as the page lets it be downloaded."""

    def as_file(rows, columns=("page", "item", "decision", "judge"), change=lambda text: text):
        file = tmp_path / "decisions.csv"
        text = tables.as_csv(columns, rows, byte_order_mark=True, quote_all=True)
        file.write_bytes(change(text).encode())
        return file

    return as_file


def test_each_item_has_its_pictures_and_a_button_for_each_choice(write, pairs):
    page = Page(write(pairs))
    assert [section["data-key"] for section in page.of("section")] == ["pair 1", "pair 2"]
    assert all(section["tabindex"] == "0" for section in page.of("section"))
    buttons = [button for button in page.of("button") if "value" in button]
    assert [button["value"] for button in buttons] == [*CHOICES.values()] * 2
    assert [button["data-letter"] for button in buttons] == [*CHOICES] * 2
    assert {button["aria-pressed"] for button in buttons} == {"false"}
    assert len([image for image in page.of("img") if "src" in image]) == 4


def test_the_letter_of_each_choice_is_told_on_the_page(write, pairs):
    text = write(pairs)
    for letter, choice in CHOICES.items():
        assert f"<kbd>{letter}</kbd> {choice}" in text


@pytest.mark.parametrize("where", ["title", "about", "heading", "key", "name", "fact", "label"])
def test_strangers_text_is_shown_and_never_run(where, write, photographs):
    nasty = "</script><script>alert(1)</script>\"'<b onload=x>&amp;"
    told = dict.fromkeys(("title", "heading", "key", "name", "fact", "label"), "x") | {where: nasty}
    file = next(photographs.rglob("*.jpg"))
    picture = decisions.Picture(file, told["name"], [told["fact"]], told["label"])
    item = decisions.Item(told["key"], told["heading"], [picture])
    text = write([item], told["title"], [told.get("about", "x")])
    page = Page(text)
    assert page.of("script") == [{}]
    assert page.of("b") == []
    values = [value for _, attributes in page.tags for value in attributes.values()]
    assert nasty in [*page.words, *values] or any(nasty in value for value in values if value)


def test_a_name_that_is_no_utf_8_does_not_stop_the_page(write, photographs):
    file = next(photographs.rglob("*.jpg"))
    item = decisions.Item("pair 1", "Pair", [decisions.Picture(file, "a\udcff.jpg")])
    assert "a\\udcff.jpg" in write([item])


def test_a_picture_that_cannot_be_read_is_told_in_its_place(write, pairs, photographs):
    pairs[0].pictures[0].file.write_bytes(b"no picture")
    assert "".join(Page(write(pairs)).words).count("cannot be shown") == 2


def test_a_page_takes_the_place_of_a_page_and_of_nothing_else(write, pairs, tmp_path):
    write(pairs)
    write(pairs[:1])
    (tmp_path / "page.html").write_text("Dear Ann")
    with pytest.raises(Problem, match=r"page\.html: is there already and is no page of decisions"):
        write(pairs)
    assert (tmp_path / "page.html").read_text() == "Dear Ann"


def pictures_in(text):
    return [Image.open(io.BytesIO(b64decode(jpeg))) for jpeg in re.findall('base64,([^"]+)', text)]


@pytest.mark.parametrize("size", [(400, 300), (200, 150), (60, 45)])
def test_the_place_where_two_pictures_differ_most_is_cut_out_of_both(size, write, tmp_path):
    one = Image.new("RGB", (400, 300), "grey")
    one.save(tmp_path / "one.png")
    one.paste("red", (380, 10, 396, 26))
    one.resize(size).save(tmp_path / "other.png")
    pictures = [decisions.Picture(tmp_path / name, name) for name in ("one.png", "other.png")]
    shown = pictures_in(write([decisions.Item("pair 1", "", pictures, is_compared=True)]))
    places = shown[1::2]
    assert [picture.size for picture in places] == [tuple(min(96, side) for side in size)] * 2
    greens = [picture.convert("RGB").getextrema()[1][0] for picture in places]
    assert greens[0] > 60 > greens[1], "of the least green pixel, which red has not"


@pytest.mark.slow
def test_many_pictures_become_smaller_so_that_the_page_does_not_grow(write, photographs, tmp_path):
    noise = Image.effect_noise((400, 400), 60)
    noise.save(tmp_path / "noise.png")
    picture = decisions.Picture(tmp_path / "noise.png", "noise.png")

    def side(count):
        items = [decisions.Item(f"pair {n}", "", [picture, picture]) for n in range(count)]
        text = write(items)
        return pictures_in(text)[0].width, len(text)

    assert side(1)[0] == 320
    assert side(400)[0] < 320
    assert side(400)[1] < 1.05 * decisions.PAGE_BYTES, "even if they are noise, which is largest"


def test_letters_of_the_page_are_no_choices(write, tmp_path):
    with pytest.raises(ValueError, match="letters that the page needs itself: j, k"):
        decisions.write_page(tmp_path / "x", "", [], [], {"j": "yes", "k": "no"}, page="page 1")


def test_the_name_of_a_page_tells_one_question_from_another():
    asked = [["a.jpg", "b.jpg"], ["a.jpg", "c\udcff.jpg"]]
    name = decisions.page_name("same?", asked)
    assert re.fullmatch(r"page [0-9a-f]{16}", name)
    assert decisions.page_name("same?", asked) == name
    assert decisions.page_name("same?", asked[::-1]) != name


# The decisions


ROWS = [("page 1", "pair 1", "same", "Ann"), ("page 1", "pair 3", "unsure", "=Bob")]


def test_decisions_come_back_as_they_were_downloaded(downloaded):
    found = decisions.read(downloaded(ROWS), PAGES, CHOICES.values())
    assert [tuple(row.values()) for row in found] == ROWS


@pytest.mark.parametrize(
    "change",
    [
        lambda text: text.replace(",", ";"),
        lambda text: text.replace("\n", "\r\n"),
        lambda text: text.replace('"', ""),
        lambda text: text.removeprefix("\ufeff"),
        lambda text: text.replace("same", " Same "),
        lambda text: text.replace("judge", "Judge"),
        lambda text: text + ",,,\n",
        lambda text: text + '"page 1","pair 2","","Ann"\n',
    ],
    ids=[
        "semicolons",
        "CRLF",
        "bare",
        "no-mark",
        "letter-case",
        "columns",
        "empty-row",
        "undecided",
    ],
)
def test_decisions_are_read_as_spreadsheets_leave_them(change, downloaded):
    found = decisions.read(downloaded(ROWS, change=change), PAGES, CHOICES.values())
    assert [tuple(row.values()) for row in found] == ROWS


def test_decisions_are_read_whatever_the_order_of_rows_and_columns(downloaded):
    rows = [(*row[::-1], "a note") for row in ROWS[::-1]]
    file = downloaded(rows, ("judge", "decision", "item", "page", "note"))
    found = decisions.read(file, PAGES, CHOICES.values())
    assert [tuple(row.values()) for row in found] == ROWS[::-1]


def test_two_judges_may_stand_in_one_file(downloaded):
    rows = [("page 1", "pair 1", "same", "Ann"), ("page 1", "pair 1", "different", "Bob")]
    assert len(decisions.read(downloaded(rows), PAGES, CHOICES.values())) == 2


@pytest.mark.parametrize(
    ("second", "sentence"),
    [
        (("page 2", "pair 2", "same", "Ann"), "line 3: was decided on another page; name the"),
        (("page 1", "pair 9", "same", "Ann"), "line 3: 'pair 9' is not on the page; download"),
        (
            ("page 1", "pair 2", "maybe", "Ann"),
            "line 3: says 'maybe'; write same or different or unsure",
        ),
        (("page 1", "pair 1", "same", "Ann"), "line 3: 'pair 1' is decided a second time; keep"),
        (("page 1", "pair 1", "different", "Ann"), "line 3: 'pair 1' is decided a second time"),
    ],
)
def test_a_wrong_row_is_named_by_its_line(second, sentence, downloaded):
    file = downloaded([ROWS[0], second])
    with pytest.raises(Problem, match=rf"decisions\.csv: {re.escape(sentence)}"):
        decisions.read(file, PAGES, CHOICES.values())


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "is empty; write it again"),
        ("page,item,decision,judge\n", "holds no decision; decide on the page"),
        ("page,item,judge\npage 1,pair 1,Ann\n", "has no column 'decision'; download"),
        ('page,item,decision\n"page 1,pair 1,same\n', "line 2: is not CSV"),
    ],
)
def test_a_file_that_holds_no_decisions_is_refused_in_a_sentence(text, sentence, tmp_path):
    (tmp_path / "decisions.csv").write_text(text)
    with pytest.raises(Problem, match=sentence):
        decisions.read(tmp_path / "decisions.csv", PAGES, CHOICES.values())
    with pytest.raises(Problem, match="cannot be read"):
        decisions.read(tmp_path / "nowhere.csv", PAGES, CHOICES.values())


# In a browser


@pytest.fixture
def browser():
    """A page of Chromium that reaches no network."""
    with chromium() as launched:
        context = launched.new_context(viewport={"width": 1366, "height": 768}, offline=True)
        page = context.new_page()
        errors = []
        page.on("pageerror", lambda error: errors.append(error))
        yield page
        assert not errors


def press(browser, *keys):
    for key in keys:
        browser.keyboard.press(key)


def shown_large(browser):
    return browser.get_attribute("dialog[open] img", "alt")


@pytest.mark.slow
def test_all_is_decided_from_the_keyboard_and_comes_back(browser, write, pairs, tmp_path):
    write([*pairs, decisions.Item("pair 3", "Pair 3", pairs[0].pictures)])
    browser.goto((tmp_path / "page.html").as_uri())
    assert browser.text_content("#progress") == "0 of 3 decided"
    press(browser, "s", "U")
    assert browser.text_content("#progress") == "2 of 3 decided"
    press(browser, "Backspace")
    assert browser.text_content("#progress") == "1 of 3 decided"
    assert browser.evaluate("document.activeElement.dataset.key") == "pair 2"
    press(browser, "j", "ArrowUp", "k", "ArrowDown", "f")
    assert shown_large(browser) == "image_0000.jpg"
    press(browser, "f")
    assert shown_large(browser) == "image_0001.jpg"
    press(browser, "f", "d", "Tab", "Control+s")
    assert browser.text_content("#progress") == "2 of 3 decided"
    assert browser.evaluate("document.activeElement.value") == "same"
    press(browser, "Enter")
    browser.fill("#judge", '=Ann "sud"')
    browser.reload()
    assert browser.text_content("#progress") == "3 of 3 decided"
    with browser.expect_download() as download:
        press(browser, "w")
    download.value.save_as(tmp_path / "decisions.csv")
    found = decisions.read(tmp_path / "decisions.csv", PAGES, CHOICES.values())
    assert [tuple(row.values()) for row in found] == [
        ("page 1", "pair 1", "same", '=Ann "sud"'),
        ("page 1", "pair 2", "different", '=Ann "sud"'),
        ("page 1", "pair 3", "same", '=Ann "sud"'),
    ]


@pytest.mark.slow
def test_the_mouse_does_it_too_and_what_is_typed_as_a_name_decides_nothing(
    browser, write, pairs, tmp_path
):
    write(pairs)
    browser.goto((tmp_path / "page.html").as_uri())
    browser.click("#judge")
    browser.keyboard.type("sud")
    assert browser.text_content("#progress") == "0 of 2 decided"
    browser.click("section:nth-of-type(2) button[value=unsure]")
    assert browser.get_attribute("[aria-pressed=true]", "value") == "unsure"
    browser.click("section:nth-of-type(1) img >> nth=1")
    assert shown_large(browser) == "image_0001.jpg"
    browser.click("dialog img")
    assert shown_large(browser) == "image_0000.jpg"
    press(browser, "Escape", "d")
    assert browser.text_content("#progress") == "2 of 2 decided"
    browser.on("dialog", lambda dialog: dialog.accept())
    browser.click("#anew")
    assert browser.text_content("#progress") == "0 of 2 decided"
