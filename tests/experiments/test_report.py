"""One page about a run: what it says, what it keeps to itself, and what it refuses."""

import re
import shutil
from html import unescape
from itertools import pairwise

import numpy as np
import pytest
from experiments_runs import copied_run, folder_of_pictures, small_run, spread_run, write_run
from PIL import Image

from helpers import Problem
from helpers.__main__ import main
from helpers.experiments import rates, report, runs
from helpers.fingerprints.hashes import HASHES

pytestmark = pytest.mark.slow  # figures take a second

BLUR = ("blur", "sigma 1")


@pytest.fixture(autouse=True)
def own_data_folder(tmp_path, monkeypatch):
    monkeypatch.setenv("FINGERPRINTS_DATA", str(tmp_path / "data"))


def counted_run(folder, *arguments, **options):
    """A made-up run with its tables."""
    run = write_run(folder, *arguments, **options)
    rates.write_tables(run)
    return run


def page_of(run, **options):
    return report.write(run, **options).read_text(encoding="utf-8")


def row(page, section, name):
    """The cells of a row of a table, after the heading of a section."""
    found = re.search(
        rf"<tr><t[dh][^>]*>{re.escape(name)}</t[dh]>(.*?)</tr>", page.split(section)[1]
    )
    return [re.sub("<[^>]*>", "", cell) for cell in re.findall("<td[^>]*>(.*?)</td>", found[1])]


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A run of 16 pictures, one flat, two equal, one that cannot be read; its own data folder."""
    root = tmp_path_factory.mktemp("report")
    patch = pytest.MonkeyPatch()
    patch.setenv("FINGERPRINTS_DATA", str(root / "data"))
    photos = folder_of_pictures(root / "my secret place" / "hidden category", 16)
    shutil.copy(photos / "03.png", photos / "a twin.png")
    Image.new("RGB", (40, 40), "grey").save(photos / "plain.png")
    (photos / "broken one.jpg").write_bytes(b"no picture")
    small_run(photos.parent, root / "run")
    report.write(runs.read(root / "run"), root / "page.html")
    yield root
    patch.undo()


@pytest.fixture
def run(made, monkeypatch):
    monkeypatch.setenv("FINGERPRINTS_DATA", str(made / "data"))
    return runs.read(made / "run")


@pytest.fixture
def page(made):
    return (made / "page.html").read_text(encoding="utf-8")


def test_the_page_has_all_sections_and_needs_no_network(page):
    sections = re.findall(r'<h2 id="(\w+)">', page)
    assert sections == re.findall(r'<a href="#(\w+)">', page)
    assert len(sections) == 11
    addresses = re.findall(r'(?:src|href)="([^"]{0,30})', page)
    assert all(address.startswith(("#", "data:image/")) for address in addresses)
    assert not re.search(r"<script|@import|url\(", page)
    assert len(page) < 5_000_000


def test_every_figure_is_told_in_words_with_numbers(page):
    alts = [unescape(alt) for alt in re.findall(r'<img [^>]*alt="([^"]*)"', page)]
    assert all(alts)
    figures = [alt for alt in alts if "logarithmic" in alt]
    assert len(figures) == 1 + 3
    assert all(re.search(r"\d", alt) for alt in figures)


def test_the_tables_have_the_numbers_of_the_run(run, page):
    recall = runs.table(run, "recall")
    one = recall[(recall["change"] == "jpeg") & (recall["rate"] == 1e-5)].set_index("hash")
    cells = row(page, "At 1e-05 false matches", "jpeg, quality 50")
    for cell, hash in zip(cells, run.about["hashes"], strict=True):
        low, high = one.loc[hash, ["low", "high"]]
        assert cell.replace("†", "") == f"{one.loc[hash, 'recall']:.2f} {low:.2f}\u2013{high:.2f}"
    means = recall[recall["rate"] == 1e-5].groupby("hash")["recall"].mean()
    told = row(page, "At 1e-05 false matches", "mean")
    assert told == [f"{means[hash]:.3f}" for hash in run.about["hashes"]]


def test_auc_and_eer_are_those_of_all_pairs_counted_one_by_one(tmp_path):
    rng = np.random.default_rng(4)
    values = [int(value) for value in rng.integers(0, 2**64, 30, dtype=np.uint64)]
    near = rng.integers(8, 36, 20).tolist()
    page = page_of(
        counted_run(tmp_path / "run", {"dhash": values}, {BLUR: {"dhash": near}}, queries=20)
    )
    far = [(values[i] ^ values[j]).bit_count() for i in range(30) for j in range(i + 1, 30)]
    ahead = np.mean([(one < other) + (one == other) / 2 for one in near for other in far])
    points = [(0.0, 1.0)]
    points += [(np.mean(np.array(far) <= r), np.mean(np.array(near) > r)) for r in range(65)]
    for (false, missed), (next_false, next_missed) in pairwise(points):
        if missed >= false and next_missed <= next_false:
            part = (missed - false) / ((missed - false) + (next_false - next_missed))
            equal = false + part * (next_false - false)
            break
    assert row(page, 'id="auc"', "blur, sigma 1") == [f"{ahead:.4f} {100 * equal:.1f}"]


def test_the_same_run_gives_the_same_bytes(run, page):
    assert page_of(run) == page


def test_it_shows_pictures_and_says_what_was_left_out(page):
    assert page.count("data:image/jpeg") >= 18
    assert "18 pictures could be read; 1 could not" in page
    assert "hidden category/broken one.jpg" in page
    assert "1 picture is flat" in page
    assert "1 group of pictures with equal pixels counts as one picture each" in page


def test_without_pictures_no_name_is_told_anywhere(run):
    page = page_of(run, no_pictures=True)
    assert "data:image/jpeg" not in page
    for name in ("secret", "hidden", "twin", "plain.png", "broken one", "03.png", ".png"):
        assert name not in page, name
    assert "picture 4" in page  # 03.png, the fourth row, which has a twin
    assert "folder 1" not in page  # there is one folder only, so none is listed
    assert "a set of pictures" in page


def test_where_the_pictures_are_gone_the_page_says_so_and_has_all_the_rest(
    run, tmp_path, monkeypatch
):
    monkeypatch.setenv("FINGERPRINTS_DATA", str(tmp_path / "elsewhere"))
    page = page_of(run)
    assert "The pictures were not found on this machine" in page
    assert "data:image/jpeg" not in page
    assert len(re.findall("<h2", page)) == 11


def test_a_picture_that_has_changed_since_is_not_shown(run, made, tmp_path):
    photos = tmp_path / "photos"
    shutil.copytree(made / "my secret place", photos)
    first, *others = sorted(photos.rglob("*.png"))
    for file in others:
        Image.new("RGB", (9, 9), "red").save(file)
    shown = {*re.findall('data:image/jpeg[^"]*', page_of(run, pictures=photos))}
    assert len(shown) < len({*re.findall('data:image/jpeg[^"]*', page_of(run))})
    first.write_bytes(others[0].read_bytes())
    with pytest.raises(Problem, match="holds none of the pictures as they were"):
        report.write(run, tmp_path / "page.html", pictures=photos)
    assert not (tmp_path / "page.html").exists()


def test_pairs_that_a_person_judged_the_same_are_no_false_matches(tmp_path):
    values = [0, 1, 2**63, *(2**row * 0x9E3779B97F4A7C15 % 2**64 for row in range(20))]
    pair = ["00000.jpg", "00001.jpg"]
    judged = [[*pair, "same", judge, "dhash", 1, 2] for judge in ("one", "another")]
    for about, count in (({}, 1), ({"judged": judged}, 0)):
        run = counted_run(
            tmp_path / f"{count}",
            {"dhash": values},
            {BLUR: {"dhash": [0] * 9}},
            queries=9,
            **about,
        )
        page = page_of(run).split("Different pictures that are near")[1]
        assert page.count("<bdi>00000.jpg</bdi> and <bdi>00001.jpg</bdi>") == count


def test_copies_that_could_not_be_made_are_left_out(tmp_path):
    rng = np.random.default_rng(4)
    values = [int(value) for value in rng.integers(0, 2**64, 30, dtype=np.uint64)]
    near = [None, None, *[40] * 3, *[1] * 5]
    page = page_of(
        counted_run(tmp_path / "run", {"dhash": values}, {BLUR: {"dhash": near}}, queries=10)
    )
    assert "blur, sigma 1: 40 bits" in page  # one of three misses among eight copies
    assert row(page, "At the recommended radius", "blur, sigma 1")[0].startswith("0.62")


def test_hashes_of_all_sizes_stand_on_one_page(tmp_path):
    rng, names = np.random.default_rng(5), ("colorhash", "dhash", "dhash-both", "pdq")
    values = {
        name: [int.from_bytes(rng.bytes(32), "big") >> (256 - HASHES[name].bits) for _ in range(30)]
        for name in names
    }
    copies = {BLUR: {name: [HASHES[name].bits // 8] * 9 for name in names}}
    page = page_of(counted_run(tmp_path / "run", values, copies, queries=9))
    assert row(page, 'id="auc"', "blur, sigma 1")[1] == "1.0000 0.0"
    assert [row(page, 'id="cost"', name)[0] for name in names] == ["42", "64", "128", "256"]


def test_the_first_paragraph_says_what_the_radius_command_says(page, run, capsys):
    assert main(["experiment", "radius", str(run.folder)]) == 0
    lines = [line for line in capsys.readouterr().out.splitlines() if ": radius" in line]
    hash, radius = re.match(r"(\w+): radius (\d+), not proved", lines[0]).groups()
    told = re.search('<p class="found">(.*?)</p>', page, re.DOTALL)[1]
    assert f"<b>{hash}</b> finds most under this wish" in told
    assert f"<b>radius {radius}</b>" in told
    assert all(line in unescape(page) for line in lines)


def test_names_are_text_and_no_html(tmp_path):
    photos = folder_of_pictures(tmp_path / "<b>bold & beautiful", 4)
    (photos / "00.png").rename(photos / "<i>'00'.png")
    page = page_of(small_run(photos, tmp_path / "run"))
    assert "<b>bold" not in page and "<i>" not in page
    assert "&lt;b&gt;bold &amp; beautiful" in page


@pytest.mark.parametrize(
    ("number", "told"),
    [
        (1, "There is no pair of different pictures"),
        (2, "<b>not proved</b>"),
        (16, "<b>not proved</b>"),
    ],
)
def test_of_few_pictures_it_says_what_cannot_be_shown(tmp_path, number, told):
    photos = folder_of_pictures(tmp_path / "photos", number)
    page = page_of(small_run(photos, tmp_path / "run"))
    assert told in page
    assert len(re.findall("<h2", page)) == 11
    assert "nan" not in re.sub('data:[^"]*', "", page)


def test_of_equal_pictures_it_says_that_there_is_no_pair(tmp_path):
    photos = folder_of_pictures(tmp_path / "photos", 1)
    for number in range(1, 5):
        shutil.copy(photos / "00.png", photos / f"{number:02}.png")
    page = page_of(small_run(photos, tmp_path / "run"))
    assert "There is no pair of different pictures" in page
    assert "no radius is recommended" in page


def test_how_to_do_it_again_names_all_settings(run, page):
    page = unescape(page)
    assert "--hashes dhash,phash --queries 5 --seed 2014 --changes CHANGES.toml" in page
    assert '"mirror" = ["left-right"]' in page
    assert run.about["digest"] in page


# The command


def test_the_command_writes_the_page_into_the_run(run, capsys):
    assert main(["experiment", "report", str(run.folder)]) == 0
    assert capsys.readouterr().out == f"The report is in {run.folder / 'report.html'}.\n"
    assert main(["experiment", "report", str(run.folder), "--no-pictures"]) == 0  # replaces it


@pytest.fixture
def places(tmp_path):
    run = spread_run(tmp_path / "run")
    rates.write_tables(run)
    unfinished = tmp_path / "unfinished" / "parts"
    unfinished.mkdir(parents=True)
    (unfinished / "settings.json").write_text("{}")
    without = copied_run(run, tmp_path / "without a table")
    (without / "recall.csv").unlink()
    damaged = copied_run(run, tmp_path / "damaged")
    (damaged / "pictures.csv").write_text("path\n")
    (tmp_path / "mine.html").write_text("<p>mine")
    (tmp_path / "empty").mkdir()
    return {
        "RUN": run.folder,
        "NOWHERE": tmp_path / "nowhere",
        "EMPTY": tmp_path / "empty",
        "UNFINISHED": unfinished.parent,
        "DAMAGED": damaged,
        "WITHOUT": without,
        "NEWER": copied_run(run, tmp_path / "newer", format=99),
        "MINE": tmp_path / "mine.html",
        "BELOW": tmp_path / "mine.html" / "report.html",
    }


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["NOWHERE"], "is no run"),
        (["EMPTY"], "is no run"),
        (["UNFINISHED"], "is not finished"),
        (["DAMAGED"], "is damaged"),
        (["WITHOUT"], "recall.csv"),
        (["NEWER"], "newer helpers"),
        (["RUN", "--out", "MINE"], "is there already and is no report"),
        (["RUN", "--out", "EMPTY"], "is a folder"),
        (["RUN", "--out", "BELOW"], "mine.html"),
        (["RUN", "--out", ""], "is empty"),
        (["RUN", "--pictures", "NOWHERE"], "--pictures"),
        (["RUN", "--pictures", "EMPTY"], "--pictures"),
        (["RUN", "--pictures", "EMPTY", "--no-pictures"], "leave one out"),
    ],
)
def test_bad_input_is_answered_in_one_sentence_and_writes_nothing(places, words, told, capsys):
    before = places["MINE"].read_text()
    assert main(["experiment", "report", *(str(places.get(word, word)) for word in words)]) == 2
    error = capsys.readouterr().err
    assert told in error
    assert error.count("\n") == 1
    assert places["MINE"].read_text() == before
    assert not (places["RUN"] / "report.html").exists()
