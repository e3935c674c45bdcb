"""A large file over a bad network: where it goes on, where it begins anew, and what is left. No test reaches a network."""

import errno
import hashlib
import os
import random
import re
import socket
from dataclasses import dataclass
from email.utils import formatdate
from functools import partial
from http.server import BaseHTTPRequestHandler, SimpleHTTPRequestHandler, ThreadingHTTPServer
from threading import Event, Thread
from types import SimpleNamespace

import kills
import pytest
from inputs import POSIX

from helpers import Problem
from helpers.files import downloads

CONTENT = random.Random(101).randbytes(300_000)  # four pieces and a half
OTHER = random.Random(102).randbytes(300_000)
PIECE = 2**16
DATE = formatdate(1_400_000_000, usegmt=True)


@dataclass(frozen=True)
class Answer:
    """What a server does with one request; `sent` bytes of the body come, then the connection ends."""

    content: bytes = CONTENT
    sent: int = 10**9
    tag: str = '"1"'
    date: str = ""
    ranges: bool = True  # parts are given
    careful: bool = True  # ... of the version that was asked for only
    status: int = 0
    length: int | None = None  # what is told instead; 0: nothing
    told: str = ""  # as Content-Range, instead
    stalls: bool = False  # the connection does not end, but nothing comes any more
    encoding: str = ""
    kind: str = ""


class Handler(BaseHTTPRequestHandler):
    def log_message(self, *arguments):
        pass

    def do_GET(self):
        server, asked = self.server, self.headers.get
        server.asked.append((asked("Range"), asked("If-Range")))
        assert asked("Accept-Encoding") == "identity", "else a part would be one of other bytes"
        answer = server.plan.pop(0) if len(server.plan) > 1 else server.plan[0]
        start, status = 0, 200
        wished = re.fullmatch(r"bytes=(\d+)-", asked("Range", ""))
        if wished and answer.ranges:
            same = asked("If-Range") in (None, answer.tag, answer.date)
            if same or not answer.careful:
                start, status = int(wished[1]), 206
                if start >= len(answer.content):
                    status = 416
        status = answer.status or status
        body = b"" if status >= 400 else answer.content[start:]
        length = len(body) if answer.length is None else answer.length
        self.send_response(status)
        whole = len(answer.content)
        headers = {
            "ETag": answer.tag,
            "Last-Modified": answer.date,
            "Content-Encoding": answer.encoding,
            "Content-Type": answer.kind,
            "Content-Length": str(length) if length or answer.length is None else "",
            "Content-Range": answer.told or f"bytes {start}-{whole - 1}/{whole}",
        }
        if status != 206:
            del headers["Content-Range"]
        for name, value in headers.items():
            if value:
                self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body[: answer.sent])
        if answer.stalls:
            server.done.wait(20)
        self.close_connection = True


@pytest.fixture
def serve():
    """`serve(...answers)`: a server that gives one after the other, the last one again and again; its address."""
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.asked, server.done = [], Event()
        Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()

        def serve(*answers):
            server.plan, server.asked[:] = list(answers), []
            return f"http://127.0.0.1:{server.server_port}/a.zip"

        serve.asked = server.asked
        yield serve
        server.done.set()
        server.shutdown()


@pytest.fixture(autouse=True)
def waited(monkeypatch):
    """How long it was waited before new tries: here, not at all. And no proxy is asked."""
    monkeypatch.setenv("NO_PROXY", "*")
    seconds = []
    monkeypatch.setattr(downloads.time, "sleep", seconds.append)
    return seconds


@pytest.fixture
def file(tmp_path):
    return tmp_path / "data" / "a.zip"


@pytest.fixture
def fetch(file):
    """`fetch(address)`: what has come, as the file that is asked for."""
    file.parent.mkdir()

    def fetch(address, sha256="", most=10**6):
        downloads.fetch(address, file, most=most, sha256=sha256, remedy="use a cable")
        content = file.read_bytes()
        file.unlink()
        return content

    return fetch


@pytest.fixture
def begun(serve, fetch, parts):
    """`begun(...)`: an earlier run has left two pieces of a file; the address."""

    def begun(**kind):
        address = serve(Answer(sent=2 * PIECE, **kind), Answer(status=404))
        with pytest.raises(Problem, match="answered 404"):
            fetch(address)
        assert [part.stat().st_size for part in parts()] == [2 * PIECE]
        return address

    return begun


@pytest.fixture
def parts(file):
    """`parts()`: what lies in the folder."""
    return lambda: sorted(file.parent.iterdir())


FROM_THE_THIRD_PIECE = f"bytes={2 * PIECE}-"


# It goes on


def test_a_file_that_comes_whole_is_asked_for_once(serve, fetch, parts, waited, capsys):
    assert fetch(serve(Answer())) == CONTENT
    assert (serve.asked, waited, parts()) == ([(None, None)], [], [])
    assert capsys.readouterr().err == ""


def test_a_connection_that_breaks_is_tried_again_and_goes_on(serve, fetch, waited, capsys):
    assert fetch(serve(Answer(sent=2 * PIECE), Answer())) == CONTENT
    assert serve.asked == [(None, None), (FROM_THE_THIRD_PIECE, '"1"')]
    assert waited == [1]
    told = "The download broke off after 0 of 0 MB; it goes on in 1 s.\n"
    assert capsys.readouterr().err == told


def test_a_connection_that_breaks_before_anything_came_is_tried_again(serve, fetch, capsys):
    assert fetch(serve(Answer(sent=0), Answer())) == CONTENT
    assert serve.asked == [(None, None)] * 2
    assert capsys.readouterr().err == "The download broke off; it goes on in 1 s.\n"


def test_the_next_run_goes_on_where_the_last_one_was_broken_off(begun, serve, fetch, parts, capsys):
    address = begun()
    capsys.readouterr()
    serve(Answer())
    assert fetch(address) == CONTENT
    assert serve.asked == [(FROM_THE_THIRD_PIECE, '"1"')]
    assert not parts()
    told = "0 of 0 MB came in an earlier run; asking for the rest.\n"
    assert capsys.readouterr().err == told


def test_a_server_that_falls_silent_is_asked_again(serve, fetch, monkeypatch):
    monkeypatch.setattr(downloads, "_TIMEOUTS", (2, 0.2))  # in a test nobody waits for 15 seconds
    assert fetch(serve(Answer(sent=2 * PIECE, stalls=True), Answer())) == CONTENT
    assert serve.asked[1] == (FROM_THE_THIRD_PIECE, '"1"')


def test_a_server_that_has_trouble_in_between_is_asked_again(serve, fetch, waited):
    trouble = Answer(status=503)
    assert fetch(serve(Answer(sent=150_000), trouble, trouble, Answer())) == CONTENT
    assert waited == [1, 2, 4]


def test_a_server_may_give_less_than_all_that_is_missing(begun, serve, fetch, waited):
    address = begun()
    some = Answer(sent=70_000, length=70_000, told="bytes 131072-201071/300000")
    serve(some, Answer())
    assert fetch(address) == CONTENT
    assert serve.asked[1] == ("bytes=201072-", '"1"')
    address = begun()
    serve(some, Answer(sent=0, length=0, told="bytes 201072-201071/300000"))
    with pytest.raises(Problem, match="it ended too early"):
        fetch(address)


def test_waits_begin_anew_whenever_a_piece_has_come(serve, fetch, waited):
    assert (
        fetch(serve(Answer(sent=PIECE), Answer(sent=10), Answer(sent=PIECE), Answer())) == CONTENT
    )
    assert waited == [1, 2, 1]


def test_without_a_tag_the_date_tells_the_version(begun, serve, fetch):
    for tag in ("", 'W/"1"'):
        address = begun(tag=tag, date=DATE)
        serve(Answer(tag=tag, date=DATE))
        assert fetch(address) == CONTENT
        assert serve.asked == [(FROM_THE_THIRD_PIECE, DATE)]


@pytest.mark.parametrize("tag", ["", f'"{"1" * 100}"', f'"{"%" * 40}"'])
def test_without_a_version_that_can_be_kept_its_size_has_to_do(tag, begun, serve, fetch):
    address = begun(tag=tag)
    serve(Answer(tag=tag))
    assert fetch(address) == CONTENT
    assert serve.asked == [(FROM_THE_THIRD_PIECE, None)]


def test_a_rest_need_not_name_its_version_again(begun, serve, fetch):
    address = begun()
    serve(Answer(tag="", careful=False))
    assert fetch(address) == CONTENT
    assert serve.asked == [(FROM_THE_THIRD_PIECE, '"1"')]


@pytest.mark.parametrize("tag", ['"a/b:c*?%|<>"', '"ü"', "no quotes"])
def test_a_version_may_be_called_anything(tag, begun, serve, fetch, parts):
    address = begun(tag=tag)
    assert not re.search(r'[/:*?|<>"\\]', parts()[0].name), "else Windows could not keep it"
    serve(Answer(tag=tag))
    assert fetch(address) == CONTENT
    assert serve.asked == [(FROM_THE_THIRD_PIECE, tag)]


def test_what_came_whole_before_a_death_is_not_asked_for_again(serve, fetch, parts, monkeypatch):
    address = serve(Answer())
    with monkeypatch.context() as patch:
        patch.setattr(downloads.Path, "replace", lambda *_: None)
        with pytest.raises(FileNotFoundError):
            fetch(address)
    serve(Answer(status=404))
    assert fetch(address) == CONTENT
    assert (serve.asked, parts()) == ([], [])


def test_the_bar_begins_at_what_is_here(begun, serve, fetch, monkeypatch):
    address, bars, usual = begun(), [], downloads.progress_bar
    monkeypatch.setattr(downloads, "progress_bar", lambda **how: bars.append(how) or usual(**how))
    serve(Answer())
    assert fetch(address) == CONTENT
    assert bars == [{"total": 300_000, "title": "fetching", "unit": "B", "begun": 2 * PIECE}]


def test_bytes_come_as_they_are_stored(serve, fetch):
    assert fetch(serve(Answer(encoding="gzip"))) == CONTENT


# It begins anew


@pytest.mark.parametrize(
    "now",
    [
        Answer(OTHER, tag='"2"'),
        Answer(OTHER, tag='"2"', careful=False),
        Answer(OTHER, tag='"2"', ranges=False),
        Answer(OTHER + b"more", tag="", careful=False),
        Answer(OTHER[: 2 * PIECE], tag='"2"', careful=False),
        Answer(OTHER[:10], tag='"2"'),
    ],
    ids=["careful", "careless", "without parts", "another size", "too small", "much smaller"],
)
def test_another_version_is_fetched_from_the_beginning(now, begun, serve, fetch, capsys):
    address = begun()
    serve(now)
    assert fetch(address) == now.content


def test_of_two_versions_the_later_one_is_gone_on_with(begun, serve, fetch, parts):
    address, now = begun(), OTHER[:-1]
    serve(Answer(now, sent=2 * PIECE, tag='"2"'), Answer(status=404))
    with pytest.raises(Problem, match="answered 404"):
        fetch(address)
    assert len(parts()) == 2
    serve(Answer(now, tag='"2"'))
    assert fetch(address) == now
    assert serve.asked == [(FROM_THE_THIRD_PIECE, '"2"')]


@pytest.mark.parametrize(
    "told",
    [
        "bytes 0-299999/300000",
        "bytes 200000-299999/300000",
        "bytes 131072-299999/300001",
        "bytes 131072-299999/*",
        "lines 131072-299999/300000",
    ],
)
def test_another_part_than_the_one_that_is_missing_is_not_taken(told, begun, serve, fetch):
    address = begun()
    serve(Answer(told=told))
    assert fetch(address) == CONTENT
    assert serve.asked == [(FROM_THE_THIRD_PIECE, '"1"'), (None, None)]


def test_a_version_that_changes_while_it_comes_is_never_mixed(serve, fetch, waited):
    for careful in (True, False):
        begins = (Answer(sent=150_000), Answer(OTHER, sent=150_000, tag='"2"', careful=careful))
        assert fetch(serve(*begins, Answer(tag='"3"', careful=careful))) == CONTENT


def test_pythons_own_server_which_gives_no_parts_will_do(fetch, tmp_path):
    (tmp_path / "served").mkdir()
    (tmp_path / "served" / "a.zip").write_bytes(CONTENT)

    class Python(SimpleHTTPRequestHandler):
        broken = False

        def log_message(self, *arguments):
            pass

        def copyfile(self, source, output):
            output.write(source.read(None if Python.broken else 150_000))
            Python.broken = True

    handler = partial(Python, directory=str(tmp_path / "served"))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        assert fetch(f"http://127.0.0.1:{server.server_port}/a.zip") == CONTENT
        server.shutdown()


def test_what_came_from_another_address_is_left_alone(begun, serve, fetch, parts, file):
    address = begun()
    serve(Answer(OTHER))
    assert fetch(f"{address}?other") == OTHER
    assert serve.asked == [(None, None)]
    assert len(parts()) == 1
    (file.parent / "a.zip").write_bytes(b"whole")
    (file.parent / ".a.zip").touch()
    (file.parent / ".b.zip.0.1.fingerprints-partial").touch()
    downloads.forget_parts(file)
    assert [path.name for path in parts()] == [".a.zip", ".b.zip.0.1.fingerprints-partial", "a.zip"]


def test_a_page_to_sign_in_does_not_cost_what_has_come(begun, serve, fetch):
    address = begun()
    serve(Answer(b"<p>Sign in to the network", tag="", ranges=False))
    assert fetch(address).startswith(b"<p>")  # whoever unpacks it will refuse it
    serve(Answer())
    assert fetch(address) == CONTENT
    assert serve.asked == [(FROM_THE_THIRD_PIECE, '"1"')]


def test_a_page_that_says_what_it_is_is_told(begun, serve, fetch, parts, waited):
    address, before = begun(), parts()
    serve(Answer(b"<p>Sign in to the network", kind="text/html; charset=utf-8", ranges=False))
    with pytest.raises(Problem, match=r"\(a web page came: sign in to the network, or mend"):
        fetch(address)
    assert (parts(), waited) == (before, [1]), "it was waited for once, before"


@POSIX
def test_nothing_is_written_through_a_link(begun, serve, fetch, parts, tmp_path):
    address = begun()
    part, elsewhere = parts()[0], tmp_path / "elsewhere"
    part.rename(elsewhere)
    part.symlink_to(elsewhere)
    serve(Answer())
    assert fetch(address) == CONTENT
    assert elsewhere.read_bytes() == CONTENT[: 2 * PIECE]


def test_a_part_that_is_longer_than_the_whole_is_not_gone_on_with(begun, serve, fetch, parts):
    address = begun()
    with parts()[0].open("ab") as part:
        part.write(CONTENT)
    serve(Answer())
    assert fetch(address) == CONTENT
    assert serve.asked == [(None, None)]


# It ends


def is_one_sentence(problem):
    """What, why and the remedy, on one line."""
    return "\n" not in str(problem.value) and str(problem.value).endswith("; use a cable")


def test_where_nobody_answers_at_first_nothing_is_waited_for(fetch, waited):
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        address = f"http://127.0.0.1:{listener.getsockname()[1]}/a.zip"
    with pytest.raises(Problem, match=r"No archive came from .* \(ConnectionError\); ") as problem:
        fetch(address)
    assert is_one_sentence(problem)
    assert not waited


def test_a_silent_server_is_not_waited_for_long(fetch, waited, monkeypatch):
    assert sum(downloads._TIMEOUTS) <= 20  # private: what a class waits for before the sample
    monkeypatch.setattr(downloads, "_TIMEOUTS", (0.2, 0.2))
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        with pytest.raises(Problem, match="ReadTimeout"):
            fetch(f"http://127.0.0.1:{listener.getsockname()[1]}/a.zip")
    assert not waited


def test_tries_that_bring_nothing_come_to_an_end_and_what_has_come_is_told(
    serve, fetch, waited, parts
):
    address = serve(Answer(sent=150_000), Answer(sent=0))
    with pytest.raises(Problem, match=r", but 0 of 0 MB did, and the next run goes on") as problem:
        fetch(address)
    assert is_one_sentence(problem)
    assert waited == [1, 2, 4, 8, 15, 30]
    serve(Answer())
    assert fetch(address) == CONTENT


@pytest.mark.parametrize(
    ("always", "why"),
    [
        (Answer(sent=150_000, ranges=False), ""),
        (Answer(length=400_000), ""),
        (Answer(status=503), "it answered 503"),
        (Answer(sent=0), ""),
        (Answer(told="nonsense", sent=PIECE), ""),
        (Answer(status=204), "it answered 204"),
    ],
    ids=["no parts", "a wrong length", "trouble", "nothing", "wrong parts", "another answer"],
)
def test_a_server_that_never_gives_the_whole_is_not_asked_for_ever(
    always, why, serve, fetch, waited
):
    with pytest.raises(Problem, match=rf"No archive came from .* \({why}") as problem:
        fetch(serve(always))
    assert is_one_sentence(problem)
    assert waited == [1, 2, 4, 8, 15, 30]


def test_another_file_than_the_one_that_is_known_is_deleted(begun, serve, fetch, parts):
    address, sha256 = begun(), hashlib.sha256(CONTENT).hexdigest()
    serve(Answer(OTHER, careful=False))
    with pytest.raises(Problem, match=r"its SHA-256 differs\), and it was deleted; ") as problem:
        fetch(address, sha256)
    assert is_one_sentence(problem)
    assert str(problem.value).startswith(address)
    assert not parts()
    serve(Answer())
    assert fetch(address, sha256) == CONTENT
    assert serve.asked == [(None, None)]


def test_a_length_that_is_told_too_short_gives_another_file(serve, fetch, parts):
    address, sha256 = serve(Answer(length=100_000)), hashlib.sha256(CONTENT).hexdigest()
    with pytest.raises(Problem, match="its SHA-256 differs"):
        fetch(address, sha256)
    assert not parts()


@pytest.mark.parametrize("length", [None, 0])
def test_no_more_comes_than_may(length, serve, fetch, parts):
    for most in (len(CONTENT) - 1, 10):
        with pytest.raises(downloads.TooLarge, match=f"is larger than {most:,} bytes"):
            fetch(serve(Answer(length=length)), most=most)
        assert not parts()
    for most in (len(CONTENT), len(CONTENT) + 1):
        assert fetch(serve(Answer(length=length)), most=most) == CONTENT


def test_without_a_length_nothing_stays_of_what_was_stopped(serve, fetch, parts, monkeypatch):
    monkeypatch.setattr(downloads, "_TIMEOUTS", (2, 0.2))
    assert fetch(serve(Answer(sent=150_000, length=0, stalls=True), Answer())) == CONTENT
    assert serve.asked == [(None, None), (None, None)]
    assert not parts()


def stopped_by(error, monkeypatch):
    """The second piece is the last one."""

    class Bar:
        def __init__(self, **how):
            self.left = 2

        __enter__ = lambda self: self  # noqa: E731
        __exit__ = lambda *_: None  # noqa: E731

        def update(self, number):
            self.left -= 1
            if not self.left:
                raise error

    monkeypatch.setattr(downloads, "progress_bar", Bar)


@pytest.mark.parametrize(
    "error", [KeyboardInterrupt(), OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))]
)
def test_what_has_come_stays_after_control_c_and_on_a_full_disk(
    error, serve, fetch, monkeypatch, waited
):
    address = serve(Answer())
    with monkeypatch.context() as patch, pytest.raises(type(error)):
        stopped_by(error, patch)
        fetch(address)
    assert not waited
    serve(Answer())
    assert fetch(address) == CONTENT
    assert serve.asked == [(FROM_THE_THIRD_PIECE, '"1"')]


def test_a_disk_without_room_for_the_rest_is_not_filled(begun, serve, fetch, monkeypatch, parts):
    address, rest = begun(), len(CONTENT) - 2 * PIECE
    for free in (rest - 1, rest):
        serve(Answer())
        usage = SimpleNamespace(free=free)
        monkeypatch.setattr(downloads.shutil, "disk_usage", lambda folder, usage=usage: usage)
        if free < rest:
            with pytest.raises(OSError, match="No space left") as full:
                fetch(address)
            assert full.value.errno == errno.ENOSPC
            assert parts()[0].stat().st_size == 2 * PIECE
        else:
            assert fetch(address) == CONTENT


def test_what_has_come_stays_whenever_the_process_dies(serve, file, fetch, parts):
    operation, died = 0, kills.DIED
    while died:
        operation += 1
        address = serve(Answer(sent=150_000), Answer())
        died = kills.exit_code(work, operation, address, file)
        assert died in (kills.DIED, 0)
        assert not file.exists() or file.read_bytes() == CONTENT
        assert fetch(serve(Answer())) == CONTENT
        assert not parts()
    assert operation > 3


def work(operation, address, file):
    os.environ["NO_PROXY"], downloads.time.sleep = "*", lambda seconds: None
    kills.work_until(operation, download, address, file)


def download(address, file):
    downloads.fetch(address, file, most=10**6, sha256="", remedy="")
