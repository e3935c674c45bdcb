"""Where the images come from: what is accepted, what is refused, and what is left behind. No test reaches a network."""

import errno
import gzip
import hashlib
import io
import os
import random
import re
import shutil
import socket
import struct
import subprocess
import sys
import tarfile
import time
import tracemalloc
import zipfile
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Barrier, Thread

import pandas as pd
import pytest
from inputs import POSIX
from PIL import Image, ImageChops

from helpers import Problem, datasets
from helpers import archive as archive_module
from helpers.files import downloads, places
from helpers.fingerprints import hashes
from helpers.images.folders import find_images

IMAGES = {
    f"{category}/image_{number:04}.jpg": f"{category} {number}".encode() * 50
    for category in ("BACKGROUND_Google", "Faces", "Faces_easy", "airplanes", "watch")
    for number in (1, 2, 3)
}


@pytest.fixture(autouse=True)
def alone(data_folder, monkeypatch):
    """Every test has an empty data folder, asks no proxy, and does not wait before a new try."""
    monkeypatch.setenv("NO_PROXY", "*")
    monkeypatch.setattr(downloads.time, "sleep", lambda seconds: None)
    monkeypatch.delenv("CALTECH_101_MIRROR", raising=False)


@pytest.fixture
def small_caltech(monkeypatch):
    """For this test, CALTECH-101 is `IMAGES`."""
    lines = "".join(
        f"{hashlib.sha256(IMAGES[path]).hexdigest()}  {path}\n" for path in sorted(IMAGES)
    )
    monkeypatch.setattr(archive_module, "CONTENT", hashlib.sha256(lines.encode()).hexdigest())
    monkeypatch.setattr(archive_module, "IMAGES", len(IMAGES))


@pytest.fixture
def archive(tmp_path):
    """The official archive, as it would be if it were small: a tar inside a zip, among what else lies there."""
    path = tmp_path / "mirror" / "caltech-101.zip"
    path.parent.mkdir()
    path.write_bytes(as_zip(as_tar(in_tar(IMAGES))))
    return path


@pytest.fixture
def mirror(archive):
    """The address of a server on this machine that hands out the folder of `archive`."""
    handler = partial(QuietHandler, directory=str(archive.parent))
    with serving(handler) as address:
        yield address


@contextmanager
def serving(handler):
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


class QuietHandler(SimpleHTTPRequestHandler):
    def log_message(self, *arguments):
        pass


def in_tar(images):
    return {f"101_ObjectCategories/{path}": content for path, content in images.items()}


def as_tar(members):
    """A .tar.gz; a `TarInfo` as a name is taken as it is, so that links can be made."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as tar:
        for name, content in members.items():
            member = name if isinstance(name, tarfile.TarInfo) else tarfile.TarInfo(name)
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    return buffer.getvalue()


def as_zip(tar, name="caltech-101/101_ObjectCategories.tar.gz"):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as outer:
        outer.writestr("__MACOSX/caltech-101/._101_ObjectCategories.tar.gz", b"not a tar")
        outer.writestr(name, tar)
    return buffer.getvalue()


def link(name, target):
    member = tarfile.TarInfo(name)
    member.type, member.linkname = tarfile.SYMTYPE, str(target)
    return member


def is_one_sentence(problem):
    """What, why and the remedy, on one line."""
    text = str(problem.value)
    return "\n" not in text and "; " in text


def everything_in(folder):
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*"))


# Every dataset that has a name


@pytest.fixture
def no_network(monkeypatch):
    def forbidden(*arguments):
        raise OSError(errno.ENETUNREACH, os.strerror(errno.ENETUNREACH))

    monkeypatch.setattr(socket.socket, "connect", forbidden)
    monkeypatch.setattr(socket, "getaddrinfo", forbidden)


@pytest.mark.parametrize("name", datasets.DATASETS)
def test_a_dataset_is_there_without_a_network_or_says_what_to_do(name, no_network, data_folder):
    try:
        dataset = datasets.DATASETS[name].give()
    except Problem as problem:
        assert "\n" not in str(problem) and "; " in str(problem)
        assert not everything_in(data_folder), "nothing half-finished is left"
    else:
        check_dataset(dataset, name)


@pytest.mark.parametrize("name", datasets.DATASETS)
def test_a_chapter_goes_on_with_every_dataset_also_without_a_network(name, no_network):
    sentences = []
    dataset = datasets.load(name, show=sentences.append)
    assert dataset.name in (name, "sample")
    stands_in = f"{name.upper()} IS NOT HERE, THE SAMPLE STANDS IN. "
    assert (dataset.name != name) == sentences[0].startswith(stands_in)
    assert sentences[-1] == str(dataset)


def check_dataset(dataset, name):
    """What each dataset keeps; a test of a new one, with files that the test made, ends with this."""
    assert dataset.name == name == name.strip().lower()
    assert len(datasets.DATASETS[name].needs) > 5
    assert dataset.root == places.data_folder() / name
    assert dataset.images == sorted(set(dataset.images)) != []
    assert all((dataset.root / path).is_file() and "\\" not in path for path in dataset.images)
    assert dataset.credit.strip()
    assert datasets.DATASETS[name].give() == dataset, "the second time it is as the first time"


# The sample


def test_the_sample_has_photographs_enough_for_a_haystack_and_needles(sample):
    whole = [path for path in sample.images if path.endswith("/whole.jpg")]
    assert len(sample.images) == 101
    assert len({int(hashes.of_file(sample.root / path)) for path in whole}) >= 17


@pytest.mark.slow
@pytest.mark.parametrize("name", ["sample", "specials"])
def test_what_is_made_here_is_the_same_when_it_is_made_again(name, tmp_path, monkeypatch):
    def made_in(folder):
        monkeypatch.setenv("FINGERPRINTS_DATA", str(folder))
        root = datasets.DATASETS[name].give().root
        return {path: (root / path).read_bytes() for path in everything_in(root) if "." in path}

    first, second = made_in(tmp_path / "first"), made_in(tmp_path / "second")
    assert first == second
    assert sum(map(len, first.values())) < 4_000_000 or name == "sample"


@pytest.mark.parametrize("name", ["sample", "specials"])
def test_the_licences_lie_beside_the_images(name, sample):
    dataset = datasets.DATASETS[name].give()
    licences = (dataset.root / "LICENCES.txt").read_text(encoding="utf-8")
    assert licences.rstrip() == dataset.credit
    for path in sample.images:
        assert f"\n{path.split('/')[0]}: " in licences


def test_tiles_are_cut_from_large_photographs_only_and_do_not_overlap(sample):
    tiles = sorted(sample.root.glob("coffee/tile_*.jpg"))
    assert [Image.open(tile).size for tile in tiles] == [(250, 250)] * 2  # of 600 x 400
    assert not list(sample.root.glob("clock/tile_*.jpg"))  # 400 x 300


# The specials


@pytest.fixture(scope="module")
def specials(tmp_path_factory):
    """The folder, and the truth about each picture in it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FINGERPRINTS_DATA", str(tmp_path_factory.mktemp("data")))
        root = datasets.specials().root
    return root, pd.read_csv(root / "truth.csv", keep_default_na=False).set_index("path")


def test_the_truth_names_every_special_picture_and_what_it_is_made_of(specials):
    root, truth = specials
    assert truth.index.tolist() == find_images(root)
    assert set(truth["source"]) <= {"", *(name for name, *_ in datasets.SAMPLE_PHOTOGRAPHS)}
    originals = truth.loc[truth["original"]]
    assert (originals["original"] == originals.index).all(), "no copy of a copy"
    assert not (truth["scene"] != "")[truth["original"] != truth.index].any()
    assert (truth.groupby("scene").size() > 1).all()


def test_the_data_sheet_counts_the_special_pictures(specials):
    sheet = Path(datasets.__file__).parents[2] / "data" / "README.md"
    rows = re.findall(
        r"^\| `([\w-]+)` \| (\d+) \|", sheet.read_text(encoding="utf-8"), re.MULTILINE
    )
    counted = specials[1]["kind"].value_counts().to_dict()
    assert {kind: int(number) for kind, number in rows} == counted
    assert sum(counted.values()) == datasets.SPECIAL_IMAGES


def test_special_copies_are_what_the_truth_says(specials):
    root, truth = specials
    pictures = {path: Image.open(root / path) for path in truth.index}
    for path, row in truth.iterrows():
        picture, original = pictures[path], pictures[row["original"]]
        if row["kind"] == "byte-equal":
            assert (root / path).read_bytes() == (root / row["original"]).read_bytes()
        if row["kind"] == "pixel-equal":
            assert (picture.format, original.format) == ("PNG", "JPEG")
            assert ImageChops.difference(picture, original).getbbox() is None
        if row["kind"] == "turned":
            assert picture.size == original.size[::-1]


def test_a_pair_of_scans_differs_in_one_digit_only(specials):
    root, truth = specials
    for _, pages in truth[truth["kind"] == "scan"].groupby("scene"):
        one, other = (Image.open(root / path) for path in pages.index)
        differing = ImageChops.difference(one, other).point(lambda level: 255 * (level > 60))
        left, top, right, bottom = differing.getbbox()
        assert right - left <= 18 and bottom - top <= 33  # a letter of 6 x 11 pixels, times 3


# A folder of your own, and what is none


def test_a_folder_of_your_own_is_a_dataset(photographs):
    sentences = []
    dataset = datasets.load(photographs, show=sentences.append)
    assert (dataset.root, len(dataset.images)) == (photographs, 8)
    assert re.fullmatch("photographs-[0-9a-f]{6}", dataset.name)
    assert sentences == [f"{dataset.name}: 8 images in 2 categories."]


def test_a_folder_of_your_own_is_never_taken_for_one_of_ours(photographs, tmp_path):
    names = set()
    for place in (tmp_path / "one" / "sample", tmp_path / "two" / "sample"):
        shutil.copytree(photographs, place)
        dataset = datasets.load(place, show=print)
        assert "standing in" not in str(dataset)
        names.add(dataset.name)
    assert len(names) == 2


def test_images_that_cannot_be_read_are_left_out_and_named(photographs, tmp_path, capsys):
    shutil.copytree(photographs, tmp_path / "photos")
    (tmp_path / "photos" / "broken.jpg").write_text("no picture", encoding="utf-8")
    assert len(datasets.own_folder(tmp_path / "photos").images) == 8
    assert re.search(
        r"Left out: 1 of 9 images\. .*broken\.jpg: is not an image", capsys.readouterr().out
    )
    with pytest.raises(Problem, match="holds no image that can be read"):
        shutil.copytree(photographs, tmp_path / "none", ignore=lambda *_: ["cats", "dogs"])
        (tmp_path / "none" / "broken.jpg").write_text("no picture", encoding="utf-8")
        datasets.own_folder(tmp_path / "none")


@pytest.mark.parametrize("size", [(1, 1), (1, 10_000), (90, 15)])
def test_pictures_too_small_for_any_chapter_are_left_out_and_named(
    size, photographs, tmp_path, capsys
):
    shutil.copytree(photographs, tmp_path / "photos")
    Image.new("RGB", size, "white").save(tmp_path / "photos" / "spacer.gif")
    Image.linear_gradient("L").resize((16, 16)).save(tmp_path / "photos" / "icon.png")
    images = datasets.own_folder(tmp_path / "photos").images
    assert len(images) == 9
    assert "icon.png" in images
    assert re.search(
        rf"Left out: 1 of 10 images\. .*spacer\.gif: is only {size[0]} x {size[1]} pixels",
        capsys.readouterr().out,
    )


def test_an_archive_that_lay_there_is_not_deleted(small_caltech, archive, monkeypatch):
    monkeypatch.setenv("CALTECH_101_MIRROR", "http://localhost:9/caltech-101.zip")
    own = places.data_folder() / "caltech-101.zip"
    own.parent.mkdir(parents=True, exist_ok=True)
    own.write_bytes(b"my own file")
    with pytest.raises(Problem, match=r"caltech-101\.zip: is no archive .*; delete it and run"):
        datasets.caltech_101()
    assert own.read_bytes() == b"my own file"


@pytest.mark.parametrize("name", ["caltech-256", "nowhere/at/all", "Sample"])
def test_an_unknown_dataset_is_one_sentence_that_names_the_known_ones(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(Problem, match=r"no such dataset; it is .*, or the path") as problem:
        datasets.load(name)
    assert all(repr(known) in str(problem.value) for known in datasets.DATASETS)
    assert is_one_sentence(problem)


def test_a_folder_without_images_is_one_sentence(tmp_path):
    (tmp_path / "notes.txt").write_text("no picture")
    with pytest.raises(Problem, match="holds no images") as problem:
        datasets.load(tmp_path)
    assert is_one_sentence(problem)


def test_data_goes_where_the_environment_says_or_else_into_the_clone(monkeypatch):
    monkeypatch.setenv("FINGERPRINTS_DATA", "somewhere")
    assert places.data_folder() == Path("somewhere")
    monkeypatch.delenv("FINGERPRINTS_DATA")
    assert places.data_folder().parent == Path(datasets.__file__).parents[2]


# CALTECH-101 that can be had


@pytest.mark.parametrize("packing", ["zip", "tar.gz"])
@pytest.mark.parametrize("way", ["http", "file", "path"])
def test_a_mirror_is_accepted_by_its_images(
    way, packing, small_caltech, archive, mirror, monkeypatch
):
    if packing == "tar.gz":  # as old mirrors have it; the name does not matter
        archive.write_bytes(as_tar(in_tar(IMAGES)))
    address = {"http": f"{mirror}/{archive.name}", "file": archive.as_uri(), "path": str(archive)}[
        way
    ]
    monkeypatch.setenv("CALTECH_101_MIRROR", address)
    dataset = datasets.caltech_101()
    assert dataset.images == sorted(IMAGES)
    assert {path: (dataset.root / path).read_bytes() for path in dataset.images} == IMAGES


def test_a_mirror_is_accepted_by_the_official_checksum(archive, monkeypatch):
    monkeypatch.setattr(archive_module, "SHA256", hashlib.sha256(archive.read_bytes()).hexdigest())
    monkeypatch.setattr(archive_module, "IMAGES", len(IMAGES))
    monkeypatch.setenv("CALTECH_101_MIRROR", str(archive))
    dataset = datasets.caltech_101()
    assert dataset.images == sorted(IMAGES)
    check_dataset(dataset, "caltech-101")


@pytest.mark.parametrize("name", ["my copy.zip", "50%20off.zip", "Ünïcödé 图像.zip"])
def test_a_file_address_may_hold_any_name(name, small_caltech, archive, monkeypatch):
    address = archive.rename(archive.with_name(name)).as_uri()
    monkeypatch.setenv("CALTECH_101_MIRROR", address)
    assert len(datasets.caltech_101().images) == len(IMAGES)


def test_a_file_address_may_be_written_with_plain_spaces(small_caltech, archive, monkeypatch):
    archive.rename(archive.with_name("my copy.zip"))
    monkeypatch.setenv("CALTECH_101_MIRROR", archive.parent.as_uri() + "/my copy.zip")
    assert len(datasets.caltech_101().images) == len(IMAGES)


def test_licence_and_citation_lie_beside_the_images(small_caltech, archive, monkeypatch):
    monkeypatch.setenv("CALTECH_101_MIRROR", str(archive))
    dataset = datasets.caltech_101()
    for needed in ("CC BY 4.0", "10.22002/D1.20086", "Fei-Fei"):
        assert needed in (dataset.root / "LICENCE.txt").read_text(encoding="utf-8")
        assert needed in dataset.credit


def test_only_jpg_images_are_taken(small_caltech, archive, monkeypatch, data_folder):
    other = {
        "101_ObjectCategories/BACKGROUND_Google/tmp": b"a JPEG without a suffix",
        "101_ObjectCategories/airplanes/._image_0001.jpg": b"what macOS adds",
        "101_ObjectCategories/.DS_Store": b"what macOS adds",
        "101_ObjectCategories/airplanes/notes.txt": b"text",
        "101_ObjectCategories/airplanes/deeper/image_0001.jpg": b"one folder too deep",
        "image_0001.jpg": b"no folder",
    }
    archive.write_bytes(as_zip(as_tar(other | in_tar(IMAGES))))
    monkeypatch.setenv("CALTECH_101_MIRROR", str(archive))
    datasets.caltech_101()
    files = {path for path in everything_in(data_folder / "caltech-101") if "." in path}
    assert files == {*IMAGES, "LICENCE.txt"}


def test_it_is_fetched_and_unpacked_once(small_caltech, archive, mirror, monkeypatch, data_folder):
    monkeypatch.setenv("CALTECH_101_MIRROR", f"{mirror}/{archive.name}")
    first = datasets.caltech_101()
    assert everything_in(data_folder)[:2] == ["caltech-101", "caltech-101.zip"]
    archive.unlink()
    assert datasets.caltech_101() == first


def test_a_fetched_archive_is_kept_to_be_unpacked_again(
    small_caltech, archive, mirror, monkeypatch, data_folder
):
    monkeypatch.setenv("CALTECH_101_MIRROR", f"{mirror}/{archive.name}")
    datasets.caltech_101().root.rename(data_folder / "elsewhere")
    archive.unlink()
    assert len(datasets.caltech_101().images) == len(IMAGES)


def test_what_an_interrupted_run_left_is_cleared(small_caltech, archive, monkeypatch, data_folder):
    leftover = data_folder / ".caltech-101.fingerprints-partial" / "airplanes" / "image_0009.jpg"
    leftover.parent.mkdir(parents=True)
    leftover.write_bytes(b"half")
    monkeypatch.setenv("CALTECH_101_MIRROR", str(archive))
    assert datasets.caltech_101().images == sorted(IMAGES)
    assert [path.name for path in data_folder.iterdir()] == ["caltech-101"]


# CALTECH-101 that cannot be had


@pytest.fixture
def closed_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port = listener.getsockname()[1]
    return f"http://127.0.0.1:{port}/caltech-101.zip"


@pytest.fixture
def silent_server(monkeypatch):
    monkeypatch.setattr(downloads, "_TIMEOUTS", (0.2, 0.2))
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}/caltech-101.zip"


@pytest.mark.parametrize("unreachable", ["closed_port", "silent_server"])
def test_without_a_network_the_sample_stands_in_and_says_so(
    unreachable, request, monkeypatch, data_folder
):
    monkeypatch.setenv("CALTECH_101_MIRROR", request.getfixturevalue(unreachable))
    sentences, start = [], time.monotonic()
    dataset = datasets.load("caltech-101", show=sentences.append)
    assert time.monotonic() - start < 5
    assert dataset.name == "sample"
    assert sentences[0].startswith(
        "CALTECH-101 IS NOT HERE, THE SAMPLE STANDS IN. No archive came from http://127.0.0.1"
    )
    assert "connect to a network, or set CALTECH_101_MIRROR" in sentences[0]
    assert sentences[1:] == ["sample: 101 images in 20 categories, standing in for CALTECH-101."]
    assert [path.name for path in data_folder.iterdir()] == ["sample"]


def test_an_archive_that_is_not_there_is_one_sentence(mirror, monkeypatch, data_folder):
    monkeypatch.setenv("CALTECH_101_MIRROR", f"{mirror}/other.zip")
    with pytest.raises(Problem, match=r"other\.zip answered 404; ") as problem:
        datasets.caltech_101()
    assert is_one_sentence(problem)
    assert not everything_in(data_folder)


@pytest.mark.parametrize(
    "address", ["nowhere.zip", "file:///nowhere/caltech-101.zip", "ftp://127.0.0.1/caltech-101.zip"]
)
def test_a_file_that_is_not_there_is_one_sentence(address, monkeypatch, data_folder):
    monkeypatch.setenv("CALTECH_101_MIRROR", address)
    with pytest.raises(Problem, match="no such file; ") as problem:
        datasets.caltech_101()
    assert is_one_sentence(problem)
    assert not everything_in(data_folder)


def test_of_a_connection_that_breaks_off_stays_what_has_come_and_it_is_no_archive(
    small_caltech, archive, monkeypatch, data_folder
):
    class Breaks(QuietHandler):
        """Promises more bytes than it sends."""

        def do_GET(self):
            self.send_response(200)
            self.send_header("Content-Length", "1000000")
            self.end_headers()
            self.wfile.write(archive.read_bytes())

    with (
        serving(Breaks) as address,
        pytest.raises(Problem, match=r"No archive came from .*, but 0 of 1 MB did") as problem,
    ):
        monkeypatch.setenv("CALTECH_101_MIRROR", f"{address}/caltech-101.zip")
        datasets.caltech_101()
    assert is_one_sentence(problem)
    [name] = everything_in(data_folder)
    assert name.startswith(".caltech-101.zip.")
    assert name.endswith(".fingerprints-partial")
    monkeypatch.setenv("CALTECH_101_MIRROR", str(archive))
    assert len(datasets.caltech_101().images) == len(IMAGES)
    assert [path.name for path in data_folder.iterdir()] == ["caltech-101"], "nobody needs it now"


def test_a_broken_download_is_gone_on_with(small_caltech, archive, monkeypatch, data_folder):
    asked, content = [], archive.read_bytes()

    class GoesOn(QuietHandler):
        """Breaks off in the middle of the first answer, and gives the rest if it is asked for."""

        def do_GET(self):
            start = len(content) // 2 if self.headers["Range"] else 0
            asked.append(self.headers["Range"])
            self.send_response(206 if start else 200)
            self.send_header("Content-Length", str(len(content) - start))
            if start:
                told = f"bytes {start}-{len(content) - 1}/{len(content)}"
                self.send_header("Content-Range", told)
            self.end_headers()
            self.wfile.write(content[start:] if start else content[: len(content) // 2])

    with serving(GoesOn) as address:
        monkeypatch.setenv("CALTECH_101_MIRROR", f"{address}/caltech-101.zip")
        assert datasets.caltech_101().images == sorted(IMAGES)
    assert asked == [None, f"bytes={len(content) // 2}-"]
    assert everything_in(data_folder)[:2] == ["caltech-101", "caltech-101.zip"]


def test_two_at_once_fetch_it_once(small_caltech, archive, monkeypatch):
    asked, both = [], Barrier(2)

    class Counts(QuietHandler):
        def do_GET(self):
            asked.append(self.path)
            super().do_GET()

    def load():
        both.wait()
        found.append(datasets.caltech_101().images)

    with serving(partial(Counts, directory=str(archive.parent))) as address:
        monkeypatch.setenv("CALTECH_101_MIRROR", f"{address}/caltech-101.zip")
        found, threads = [], [Thread(target=load) for _ in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert found == [sorted(IMAGES)] * 2
    assert asked == ["/caltech-101.zip"]


def test_another_file_at_the_official_address_is_refused(
    small_caltech, archive, mirror, monkeypatch, data_folder
):
    monkeypatch.setattr(archive_module, "URL", f"{mirror}/{archive.name}")
    with pytest.raises(Problem, match="its SHA-256 differs") as problem:
        datasets.caltech_101()
    assert is_one_sentence(problem)
    assert not everything_in(data_folder)


WRONG = {
    "one byte of one image": as_zip(
        as_tar(in_tar(IMAGES | {"watch/image_0003.jpg": b"another watch"}))
    ),
    "an image less": as_zip(as_tar(in_tar(dict(list(IMAGES.items())[1:])))),
    "an image more": as_zip(as_tar(in_tar(IMAGES | {"watch/image_0004.jpg": b"a watch more"}))),
    "no image": as_zip(as_tar({})),
    "no tar in the zip": as_zip(as_tar(in_tar(IMAGES)), name="caltech-101/Annotations.tar"),
    "no gzip in the zip": as_zip(b"this is no tar"),
    "a page of HTML": b"<!DOCTYPE html><title>Sign in to the network</title>",
    "an empty file": b"",
    "the first half of the zip": as_zip(as_tar(in_tar(IMAGES)))[:400],
    "the first half of the tar": as_tar(in_tar(IMAGES))[:300],
    "a zip with damage inside": as_zip(as_tar(in_tar(IMAGES))).replace(
        as_tar(in_tar(IMAGES))[40:60], bytes(20)
    ),
    "a link for an image": as_zip(
        as_tar({link("101_ObjectCategories/watch/image_0003.jpg", "/etc/hostname"): b""})
    ),
}
LEAVES_THE_FOLDER = [
    "../evil.jpg",
    "101_ObjectCategories/../../evil.jpg",
    "101_ObjectCategories/airplanes/../../../evil.jpg",
    "/evil/airplanes/evil.jpg",
    "//server/share/evil.jpg",
    "..\\..\\evil.jpg",
    "101_ObjectCategories\\..\\evil.jpg",
    "\\evil\\evil.jpg",
    "C:\\evil\\evil.jpg",
    "C:/evil/evil.jpg",
    "101_ObjectCategories/airplanes/image_0001.jpg:evil",
]
WRONG |= {
    f"member {name}": as_zip(as_tar({name: b"evil"} | in_tar(IMAGES))) for name in LEAVES_THE_FOLDER
}


@pytest.mark.parametrize("way", ["http", "file"])
@pytest.mark.parametrize("wrong", WRONG)
def test_a_wrong_archive_is_refused(
    wrong, way, small_caltech, archive, mirror, monkeypatch, tmp_path, data_folder
):
    archive.write_bytes(WRONG[wrong])
    address = archive.as_uri() if way == "file" else f"{mirror}/{archive.name}"
    monkeypatch.setenv("CALTECH_101_MIRROR", address)
    with pytest.raises(Problem, match="use the official archive or another copy of it") as problem:
        datasets.caltech_101()
    assert is_one_sentence(problem)
    assert str(problem.value).startswith(address)
    assert not everything_in(data_folder), (
        "neither images nor, over the network, the refused archive"
    )
    assert archive.read_bytes() == WRONG[wrong], "a user's own file is left alone"
    assert not [path for path in everything_in(tmp_path) if "evil" in path]


@pytest.mark.parametrize("name", LEAVES_THE_FOLDER)
def test_a_path_that_leaves_the_folder_is_named(name, small_caltech, archive, monkeypatch):
    archive.write_bytes(WRONG[f"member {name}"])
    monkeypatch.setenv("CALTECH_101_MIRROR", str(archive))
    with pytest.raises(Problem, match="would be written outside the folder") as problem:
        datasets.caltech_101()
    assert repr(name) in str(problem.value)


def test_nothing_is_written_through_a_link_in_the_archive(
    small_caltech, archive, monkeypatch, tmp_path
):
    outside = tmp_path / "outside"
    outside.mkdir()
    archive.write_bytes(
        as_zip(as_tar({link("101_ObjectCategories/airplanes", outside): b""} | in_tar(IMAGES)))
    )
    monkeypatch.setenv("CALTECH_101_MIRROR", str(archive))
    dataset = datasets.caltech_101()
    assert not (dataset.root / "airplanes").is_symlink()
    assert not everything_in(outside)


def sparse(size):
    """A tar in which a picture of so many bytes is stored as none: 512 bytes of zeros are not there."""
    member = tarfile.TarInfo("101_ObjectCategories/cat/image_0001.jpg")
    header = bytearray(member.tobuf(tarfile.GNU_FORMAT))
    header[156:157], header[257:265] = tarfile.GNUTYPE_SPARSE, b"ustar  \0"
    header[386:410] = b"%011o\0%011o\0" % (size, 0)
    header[482:495] = b"\0%011o\0" % size
    header[148:156] = b" " * 8
    header[148:156] = b"%06o\0 " % sum(header)
    return gzip.compress(bytes(header) + bytes(1024))


def long_header(kind, size):
    """A tar whose first header announces a name of so many bytes."""
    member = tarfile.TarInfo("long")
    member.type, member.size = kind, size
    return gzip.compress(member.tobuf(tarfile.GNU_FORMAT) + bytes(size))


def listing_of(number):
    """A zip that lists so many members, and holds none."""
    end = struct.pack(
        "<4s4H2LH", b"PK\5\6", 0, 0, number % 2**16, number % 2**16, 46 * number, 0, 0
    )
    return (b"PK\1\2" + bytes(42)) * number + end


def packed(method):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", method) as outer:
        outer.writestr("101_ObjectCategories.tar.gz", as_tar(in_tar(IMAGES)))
    return buffer.getvalue()


BOMBS = {
    "a picture of 2 GB that takes 512 bytes": as_zip(sparse(2 * 10**9)),
    "a small picture with holes": as_zip(sparse(10**6)),
    "a picture of 11 MB": as_zip(as_tar(in_tar({"cat/large.jpg": bytes(11 * 10**6)}))),
    "a name of 100 MB": as_zip(long_header(tarfile.GNUTYPE_LONGNAME, 10**8)),
    "words of 100 MB": as_zip(long_header(tarfile.XHDTYPE, 10**8)),
    "an inner archive of 300 MB": as_zip(bytes(300 * 10**6)),
    "an inner archive that says nothing of its size": as_zip(gzip.compress(bytes(300 * 10**6))),
    "a zip of 100,000 members": listing_of(100_000),
    "another packing": packed(zipfile.ZIP_LZMA),
    "25,000 files": as_zip(as_tar({f"x/{number}": b"" for number in range(25_000)})),
    "20 images more": as_zip(as_tar(in_tar({f"cat/{number}.jpg": b"" for number in range(35)}))),
}


@pytest.mark.slow
@pytest.mark.parametrize("bomb", BOMBS)
def test_an_archive_that_wants_much_is_refused_before_it_has_it(
    bomb, small_caltech, archive, monkeypatch, data_folder
):
    archive.write_bytes(BOMBS[bomb])
    monkeypatch.setenv("CALTECH_101_MIRROR", str(archive))
    tracemalloc.start()
    try:
        with pytest.raises(Problem, match="use the official archive") as problem:
            datasets.caltech_101()
        assert tracemalloc.get_traced_memory()[1] < 60_000_000
    finally:
        tracemalloc.stop()
    assert is_one_sentence(problem)
    assert not everything_in(data_folder)


def test_all_files_of_an_archive_have_a_budget_together(
    small_caltech, archive, monkeypatch, data_folder
):
    monkeypatch.setattr(archive_module, "MOST_MEMBERS_BYTES", 100_000)
    many = {f"cat/notes_{number}.txt": bytes(9_000) for number in range(12)}
    archive.write_bytes(as_zip(as_tar(in_tar(many | IMAGES))))
    monkeypatch.setenv("CALTECH_101_MIRROR", str(archive))
    with pytest.raises(Problem, match="would take more room than CALTECH-101 does; use"):
        datasets.caltech_101()
    monkeypatch.setattr(archive_module, "MOST_MEMBERS_BYTES", 10**6)
    assert len(datasets.caltech_101().images) == len(IMAGES), "it can be raised"


@pytest.mark.parametrize("way", ["http", "file"])
def test_an_archive_larger_than_its_budget_is_refused(
    way, small_caltech, archive, mirror, monkeypatch, data_folder
):
    monkeypatch.setattr(archive_module, "MOST_BYTES", archive.stat().st_size - 1)
    address = {"http": f"{mirror}/{archive.name}", "file": str(archive)}[way]
    monkeypatch.setenv("CALTECH_101_MIRROR", address)
    with pytest.raises(Problem, match=r"more room than|is larger than") as problem:
        datasets.caltech_101()
    assert is_one_sentence(problem)
    assert not everything_in(data_folder)


@pytest.mark.parametrize(
    "name", ["cat/\udcff.jpg", "cat/a\nb.jpg", f"cat/{'ü' * 200}.jpg", "\x1b[31m/a.jpg"]
)
def test_a_name_that_cannot_be_written_is_one_sentence(
    name, small_caltech, archive, monkeypatch, data_folder
):
    archive.write_bytes(as_zip(as_tar(in_tar({name: b"x"} | IMAGES))))
    monkeypatch.setenv("CALTECH_101_MIRROR", str(archive))
    with pytest.raises(Problem, match="has an invalid name; use the official") as problem:
        datasets.caltech_101()
    str(problem.value).encode()
    assert str(problem.value).isprintable()
    assert not everything_in(data_folder)


@POSIX
def test_a_mirror_that_is_a_pipe_or_a_device_is_not_waited_for(tmp_path, monkeypatch, data_folder):
    os.mkfifo(tmp_path / "pipe")
    for address in (tmp_path / "pipe", "/dev/zero", tmp_path):
        monkeypatch.setenv("CALTECH_101_MIRROR", str(address))
        with pytest.raises(Problem, match="is not a file; set it to where"):
            datasets.caltech_101()


@pytest.mark.parametrize(
    "address", ["~nosuchuser/x.zip", "http://[", "http:", "file:", "a\x01b", "x" * 5000]
)
def test_an_address_that_is_none_is_one_sentence(address, monkeypatch, data_folder):
    monkeypatch.setenv("CALTECH_101_MIRROR", address)
    with pytest.raises(Problem) as problem:
        datasets.caltech_101()
    assert is_one_sentence(problem)
    assert not everything_in(data_folder)
    with pytest.raises(Problem, match="no such dataset"):
        datasets.own_folder(address)


def test_a_damaged_archive_is_a_sentence_or_does_no_harm(small_caltech, archive, monkeypatch):
    monkeypatch.setenv("CALTECH_101_MIRROR", str(archive))
    rng, whole, refused = random.Random(101), archive.read_bytes(), 0
    for _ in range(200):
        damaged = bytearray(whole)
        damaged[rng.randrange(len(whole))] ^= rng.randrange(1, 256)
        archive.write_bytes(damaged)
        try:
            dataset = datasets.caltech_101()
        except Problem:
            refused += 1
        else:
            assert {path: (dataset.root / path).read_bytes() for path in dataset.images} == IMAGES
            shutil.rmtree(dataset.root)
    assert refused > 100


def test_after_a_refusal_a_good_archive_is_fetched(small_caltech, archive, mirror, monkeypatch):
    good = archive.read_bytes()
    archive.write_bytes(WRONG["a page of HTML"])
    monkeypatch.setenv("CALTECH_101_MIRROR", f"{mirror}/{archive.name}")
    with pytest.raises(Problem):
        datasets.caltech_101()
    archive.write_bytes(good)
    assert len(datasets.caltech_101().images) == len(IMAGES)


def test_a_folder_with_an_image_less_is_one_sentence(small_caltech, archive, monkeypatch):
    monkeypatch.setenv("CALTECH_101_MIRROR", str(archive))
    (datasets.caltech_101().root / "watch" / "image_0003.jpg").unlink()
    with pytest.raises(
        Problem, match="holds 14 images where it should hold 15; rename or delete that folder"
    ) as problem:
        datasets.caltech_101()
    assert is_one_sentence(problem)


# No room


def no_room(*arguments, **keywords):
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


@pytest.mark.parametrize("operation", ["write_bytes", "mkdir", "open", "rename"])
def test_a_full_disk_is_one_sentence_and_leaves_nothing(
    operation, small_caltech, archive, monkeypatch, data_folder
):
    monkeypatch.setenv("CALTECH_101_MIRROR", str(archive))
    original = getattr(Path, operation)

    def full(path, *arguments, **keywords):
        inside = path.is_relative_to(data_folder / ".caltech-101.fingerprints-partial")
        return (no_room if inside else original)(path, *arguments, **keywords)

    with monkeypatch.context() as patch:
        patch.setattr(Path, operation, full)
        with pytest.raises(Problem, match=r"could not be written .*; make room") as problem:
            datasets.caltech_101()
    assert is_one_sentence(problem)
    assert not everything_in(data_folder)
    assert archive.is_file()
    assert len(datasets.caltech_101().images) == len(IMAGES), "with room again, it goes on"


def test_no_room_for_the_download_is_one_sentence_and_what_has_come_stays(
    small_caltech, archive, mirror, monkeypatch, data_folder
):
    monkeypatch.setenv("CALTECH_101_MIRROR", f"{mirror}/{archive.name}")
    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", no_room)
        with pytest.raises(Problem, match=r"could not be written .*; make room") as problem:
            datasets.caltech_101()
    assert is_one_sentence(problem)
    [part] = data_folder.iterdir()
    assert part.read_bytes() == archive.read_bytes()
    archive.unlink()
    assert len(datasets.caltech_101().images) == len(IMAGES), "with room again, it goes on"


@pytest.fixture
def tiny_disk(tmp_path):
    """A real disk of 128 kB, where the system permits to mount one."""
    place = tmp_path / "disk"
    place.mkdir()
    if sys.platform != "linux" or os.geteuid() != 0:
        pytest.skip("only root on Linux can mount a small disk")
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=128k", "tmpfs", place], capture_output=True
    )
    if mounted.returncode:
        pytest.skip("mounting is not permitted here")
    yield place
    subprocess.run(["umount", "--lazy", place], check=True)


def test_a_disk_that_is_really_full(tiny_disk, archive, monkeypatch):
    images = {f"airplanes/image_{number:04}.jpg": os.urandom(30_000) for number in range(10)}
    archive.write_bytes(as_zip(as_tar(in_tar(images))))
    monkeypatch.setenv("CALTECH_101_MIRROR", str(archive))
    monkeypatch.setenv("FINGERPRINTS_DATA", str(tiny_disk))
    for load in (datasets.caltech_101, datasets.sample):
        with pytest.raises(Problem, match="No space left on device") as problem:
            load()
        assert is_one_sentence(problem)
        assert not everything_in(tiny_disk)


def test_a_place_that_cannot_be_written_is_one_sentence(tmp_path, archive, monkeypatch):
    (tmp_path / "file").write_text("a file where a folder should be")
    monkeypatch.setenv("CALTECH_101_MIRROR", str(archive))
    monkeypatch.setenv("FINGERPRINTS_DATA", str(tmp_path / "file"))
    for load in (datasets.caltech_101, datasets.sample):
        with pytest.raises(Problem, match="could not be written") as problem:
            load()
        assert is_one_sentence(problem)


def test_a_sample_that_lost_an_image_is_one_sentence(tmp_path, monkeypatch):
    monkeypatch.setenv("FINGERPRINTS_DATA", str(tmp_path))
    (datasets.sample().root / "cat" / "whole.jpg").unlink()
    with pytest.raises(Problem, match="holds 100 images where it should hold 101; rename or"):
        datasets.sample()


@POSIX
def test_a_name_that_orders_a_terminal_about_is_printed_on_one_line(photograph, tmp_path, capsys):
    folder = tmp_path / "my\x1b[31m\nphotos"
    folder.mkdir()
    photograph(1).save(folder / "a.png")
    assert datasets.load(folder).root == folder
    printed = capsys.readouterr().out
    assert printed.startswith(r"my\x1b[31m\nphotos-")
    assert printed.endswith(": 1 image in 1 category.\n")


def test_the_environment_chooses_before_the_chapter(monkeypatch, tmp_path):
    monkeypatch.delenv("DATASET", raising=False)
    assert datasets.choose("sample", show=lambda _: None).name == "sample"
    monkeypatch.setenv("DATASET", "sample")
    assert datasets.choose(tmp_path / "nothing", show=lambda _: None).name == "sample"


def test_a_dataset_with_too_few_pictures_is_refused_in_a_sentence(monkeypatch, photographs):
    monkeypatch.setenv("DATASET", str(photographs))
    assert len(datasets.choose("sample", at_least=8, show=lambda _: None).images) == 8
    with pytest.raises(datasets.TooFew, match=r"has 8 pictures .* needs 9; .*load\(\"sample\"\)"):
        datasets.choose("sample", at_least=9, show=lambda _: None)


def test_without_scikit_image_the_sample_is_unpacked_with_equal_bytes(tmp_path, monkeypatch):
    made = [datasets.sample(), datasets.specials()]
    packed = tmp_path / "sample.zip"
    datasets.pack_sample(packed)
    before = packed.read_bytes()
    datasets.pack_sample(packed)
    assert packed.read_bytes() == before
    monkeypatch.setitem(sys.modules, "skimage", None)  # as if it were not installed
    monkeypatch.setattr(datasets, "READY_MADE", packed)
    monkeypatch.setenv("FINGERPRINTS_DATA", str(tmp_path / "other"))
    for old, new in zip(made, [datasets.sample(), datasets.specials()], strict=True):
        assert new.root != old.root
        assert everything_in(new.root) == everything_in(old.root)
        for path in new.images:
            assert (new.root / path).read_bytes() == (old.root / path).read_bytes(), path
        assert (new.images, new.credit) == (old.images, old.credit)


def test_a_zip_that_cannot_be_written_leaves_the_older_one(tmp_path, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    file, zipped = tmp_path / "a.txt", tmp_path / "new" / "a.zip"
    file.write_text("a", encoding="utf-8")
    archive_module.pack({"a.txt": file, "folder": tmp_path}, zipped)
    before = zipped.read_bytes()
    monkeypatch.setattr(archive_module.shutil, "copyfileobj", full)
    with pytest.raises(Problem, match=r"a\.zip: could not be written \(No space left"):
        archive_module.pack({"b.txt": file}, zipped)
    assert zipped.read_bytes() == before
    assert everything_in(zipped.parent) == ["a.zip"]


def test_without_scikit_image_and_a_ready_made_sample_is_one_sentence(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "skimage", None)
    monkeypatch.setattr(datasets, "READY_MADE", tmp_path / "sample.zip")
    with pytest.raises(Problem, match="scikit-image: is not installed") as problem:
        datasets.sample()
    assert is_one_sentence(problem)


def test_in_a_browser_the_sample_stands_in_and_a_sentence_says_why(monkeypatch, capsys):
    monkeypatch.setattr(archive_module, "IN_BROWSER", True)
    monkeypatch.delenv("DATASET")
    assert datasets.choose("caltech-101").name == "sample"
    assert "A page in a browser cannot keep its 137 MB" in capsys.readouterr().out
