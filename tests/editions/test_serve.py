"""The small server for a classroom: what it gives, what it keeps, and what it says."""

import ast
import http.client
import mimetypes
import os
import runpy
import signal
import socket
import subprocess
import sys
from contextlib import ExitStack, contextmanager
from pathlib import Path
from threading import Thread
from urllib.parse import quote

import pytest
from editions import serve
from inputs import POSIX

SCRIPT = Path(serve.__file__)
TEXT = b"0123456789"
SECRET = b"nothing for learners"


@pytest.fixture
def folder(tmp_path):
    """What is served; beside it lies what is not."""
    (tmp_path / "served" / "page").mkdir(parents=True)
    (tmp_path / "served" / "digits.bin").write_bytes(TEXT)
    (tmp_path / "served" / "page" / "index.html").write_bytes(b"<p>a page")
    (tmp_path / "served-not").mkdir()
    for name in ("secret.txt", "served-not/secret.txt", "served-not/index.html"):
        (tmp_path / name).write_bytes(SECRET)
    return tmp_path / "served"


@contextmanager
def serving(folder):
    """A server for the folder; its port."""
    with serve.start(folder) as server:
        Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        yield server.server_address[1]
        server.shutdown()


@pytest.fixture
def ask(folder):
    """`ask(path, ...headers)`: status, headers and content of an answer to a path as it is written."""
    with serving(folder) as port:

        def ask(path, method="GET", **headers):
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
            headers = {name.replace("_", "-"): value for name, value in headers.items()}
            connection.putrequest(method, path, skip_host=True)
            for name, value in headers.items():
                connection.putheader(name, value)
            connection.endheaders()
            answer = connection.getresponse()
            content = answer.read()
            connection.close()
            return answer.status, answer.headers, content

        ask.port = port
        yield ask


# What it gives


def test_a_file_comes_whole_and_is_to_be_asked_for_anew(ask):
    status, headers, content = ask("/digits.bin?version=2")
    assert (status, content, headers["Content-Length"]) == (200, TEXT, "10")
    assert (headers["Cache-Control"], headers["Content-Range"]) == ("no-cache", None)


def test_only_the_headers_are_sent_if_they_are_asked_for(ask):
    status, headers, content = ask("/digits.bin", "HEAD")
    assert (status, content, headers["Content-Length"]) == (200, b"", "10")


def test_an_empty_file_comes_whole(ask, folder):
    (folder / "empty.bin").touch()
    assert ask("/empty.bin")[::2] == (200, b"")
    assert ask("/empty.bin", Range="bytes=0-")[0] == 416


@pytest.mark.parametrize(
    ("span", "expected", "told"),
    [
        ("bytes=0-", TEXT, "0-9"),
        ("bytes=4-", TEXT[4:], "4-9"),
        ("bytes=2-3", TEXT[2:4], "2-3"),
        ("bytes=9-9", TEXT[9:], "9-9"),
        ("bytes=0-99", TEXT, "0-9"),
        ("bytes=-3", TEXT[-3:], "7-9"),
        ("bytes=-99", TEXT, "0-9"),
    ],
)
def test_a_part_comes_if_a_part_is_asked_for(span, expected, told, ask):
    status, headers, content = ask("/digits.bin", Range=span)
    assert (status, content) == (206, expected)
    assert headers["Content-Range"] == f"bytes {told}/10"
    assert headers["Content-Length"] == str(len(expected))


@pytest.mark.parametrize("span", ["bytes=10-", "bytes=99-100", "bytes=-0", "bytes=5-2"])
def test_a_part_that_there_is_not_is_refused_with_the_size(span, ask):
    status, headers, content = ask("/digits.bin", Range=span)
    assert (status, content, headers["Content-Range"]) == (416, b"", "bytes */10")


@pytest.mark.parametrize("span", ["bytes=-", "bytes=0-1,3-4", "lines=1-2", "bytes=a-b", "2-3"])
def test_any_other_wish_gives_the_whole_file(span, ask):
    assert ask("/digits.bin", Range=span)[::2] == (200, TEXT)


def test_a_part_comes_only_of_the_file_that_was_begun(ask, folder):
    tag = ask("/digits.bin")[1]["ETag"]
    assert ask("/digits.bin", Range="bytes=4-", If_Range=tag)[::2] == (206, TEXT[4:])
    assert ask("/digits.bin", Range="bytes=4-", If_Range=f"W/{tag}")[::2] == (200, TEXT)
    (folder / "digits.bin").write_bytes(b"another file")
    assert ask("/digits.bin", Range="bytes=4-", If_Range=tag)[::2] == (200, b"another file")


def test_what_a_browser_has_is_not_sent_again_until_it_changes(ask, folder):
    path, tag = folder / "page" / "index.html", ask("/page/")[1]["ETag"]
    status, headers, content = ask("/page/", If_None_Match=f'"other", W/{tag}')
    assert (status, content, headers["ETag"]) == (304, b"", tag)
    before = path.stat().st_mtime_ns
    path.write_bytes(b"of another folder, served at this address")
    os.utime(path, ns=(before - 10**10, before - 10**10))  # older than what the browser has
    assert ask("/page/", If_None_Match=tag)[0] == 200


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("a.wasm", "application/wasm"),
        ("a.mjs", "text/javascript"),
        ("a.JS", "text/javascript"),
        ("a.whl", "application/zip"),
        ("a.data", "application/octet-stream"),
        ("a.json", "application/json"),
        ("a.ipynb", "application/json"),
        ("a.css", "text/css"),
        ("a.svg", "image/svg+xml"),
        ("a.unheard-of", "application/octet-stream"),
        ("index.html", "text/html"),
    ],
)
def test_a_file_has_its_type(name, kind, ask, folder):
    (folder / name).write_bytes(b"content")
    assert ask(f"/{name}")[1]["Content-Type"] == kind


def test_types_are_not_those_of_the_registry(monkeypatch):
    mimetypes.init()
    for suffix in (".js", ".css", ".html", ".svg", ".json", ".wasm"):
        monkeypatch.setitem(mimetypes.types_map, suffix, "text/plain")  # as some programs leave it
    assert runpy.run_path(SCRIPT)["TYPES"] == serve.TYPES
    assert serve.TYPES[".js"] != "text/plain"


@pytest.mark.parametrize("name", ["a b.txt", "50%.txt", "a#b?c.txt", "Ünïcödé 图像.txt", "...txt"])
def test_a_file_may_have_any_name(name, ask, folder):
    if os.name == "nt" and "?" in name:
        pytest.skip("Windows knows no such name")
    (folder / name).write_text("here", encoding="utf-8")
    assert ask("/" + quote(name))[::2] == (200, b"here")


def test_a_folder_gives_its_page_or_else_a_list(ask, folder):
    assert ask("/page/?kernel=python")[::2] == (200, b"<p>a page")
    status, headers, _ = ask("/page?kernel=python")
    assert (status, headers["Location"]) == (301, "/page/?kernel=python")
    assert b"digits.bin" in ask("/")[2]


@pytest.mark.parametrize("path", ["/other", "/other/", "/digits.bin/", "/page/other.html", "/%00"])
def test_what_is_not_there_is_not_found_and_the_server_goes_on(path, ask):
    try:
        assert ask(path)[0] == 404
    except http.client.RemoteDisconnected:
        assert "%00" in path
    assert ask("/digits.bin")[0] == 200


def test_a_folder_may_be_made_anew_while_it_is_served(ask, folder):
    folder.rename(folder.with_name("old"))
    folder.mkdir()
    (folder / "digits.bin").write_bytes(b"new")
    assert ask("/digits.bin")[::2] == (200, b"new")


def test_a_whole_room_is_answered_at_once(ask, folder):
    content = os.urandom(8_000_000)  # more than fits between two programs
    (folder / "large.bin").write_bytes(content)
    with ExitStack() as stack:
        answers = []
        for _ in range(30):
            connection = http.client.HTTPConnection("127.0.0.1", ask.port, timeout=20)
            stack.callback(connection.close)
            connection.request("GET", "/large.bin")
            answers.append(connection.getresponse())  # none has been read when the last one begins
        assert all(answer.read() == content for answer in answers)


def test_many_files_come_over_one_connection(ask):
    connection = http.client.HTTPConnection("127.0.0.1", ask.port, timeout=20)
    connection.connect()
    used = connection.sock
    for path, size in (("/digits.bin", 10), ("/page/", 9), ("/digits.bin", 10)):
        connection.request("GET", path)
        assert len(connection.getresponse().read()) == size
        assert connection.sock is used
    connection.close()


def test_nothing_is_printed_while_laptops_come_and_go(ask, folder, capfd):
    (folder / "large.bin").write_bytes(bytes(30_000_000))
    for request in (b"GET /large.bin HTTP/1.1\r\n\r\n", b"nonsense\r\n\r\n", b""):
        with socket.create_connection(("127.0.0.1", ask.port), timeout=20) as left:
            left.sendall(request)
            left.recv(1 if request else 0)
    assert ask("/other")[0] == 404
    assert capfd.readouterr() == ("", "")


# What it keeps


@pytest.mark.parametrize(
    "path",
    [
        "/../secret.txt",
        "/page/../../secret.txt",
        "/%2e%2e/secret.txt",
        "/%2e%2e%2fsecret.txt",
        "/..%2fsecret.txt",
        "/..\\secret.txt",
        "/..%5csecret.txt",
        "/page/..%5c..%5csecret.txt",
        "/.%2e/served-not/secret.txt",
        "//secret.txt",
        "/..",
        "/../",
        "/%2e%2e/",
        "/../served-not/",
    ],
)
def test_no_path_leads_out_of_the_folder(path, ask):
    content = ask(path)[2]
    assert SECRET not in content
    assert b"secret.txt" not in content, "nor is it listed"


def test_no_absolute_path_is_followed(ask, folder):
    absolute = (folder.parent / "secret.txt").as_posix()
    for path in (
        absolute,
        "/" + absolute,
        quote(absolute, safe=""),
        f"/{quote(absolute, safe='')}",
    ):
        assert SECRET not in ask(path)[2]


@POSIX
def test_no_link_leads_out_of_the_folder(ask, folder):
    (folder / "file.txt").symlink_to(folder.parent / "secret.txt")
    (folder / "beside").symlink_to(folder.parent / "served-not")
    (folder / "index.html").symlink_to(folder.parent / "secret.txt")
    (folder / "circle").symlink_to(folder / "circle")
    for path in ("/file.txt", "/beside/secret.txt", "/beside/", "/beside", "/circle"):
        assert ask(path)[0] == 404
    assert SECRET not in ask("/")[2]
    (folder / "inside.bin").symlink_to(folder / "digits.bin")
    assert ask("/inside.bin")[::2] == (200, TEXT)


@POSIX
def test_a_folder_that_is_a_link_is_served_as_well(folder):
    (folder.parent / "link").symlink_to(folder)
    with serving(folder.parent / "link") as port:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
        connection.request("GET", "/digits.bin")
        assert connection.getresponse().read() == TEXT
        connection.close()


@POSIX
def test_a_pipe_is_not_waited_for(ask, folder):
    os.mkfifo(folder / "pipe")
    assert ask("/pipe")[0] == 404


# How it is started


def test_it_takes_the_next_port_if_one_is_in_use(folder):
    with serve.start(folder) as first:
        port = first.server_address[1]
        with serve.start(folder, range(port, port + 20)) as second:
            assert port < second.server_address[1] < port + 20
        with pytest.raises(OSError, match=f"no port from {port} to {port} is free"):
            serve.start(folder, range(port, port + 1))


@contextmanager
def started(*arguments, **how):
    """The program, as a teacher starts it: alone, with no package to be found."""
    command = [sys.executable, "-I", "-S", *map(str, arguments)]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    with subprocess.Popen(command, **pipes, **how) as process:
        yield process
        process.kill()


@POSIX
def test_it_serves_the_folder_it_lies_in_until_it_is_stopped(folder):
    (folder / "serve.py").write_bytes(SCRIPT.read_bytes())
    heard = {"preexec_fn": lambda: signal.signal(signal.SIGINT, signal.SIG_DFL)}
    with started(folder / "serve.py", **heard) as process:
        here = process.stdout.readline().split("http://")[1].strip("/\n")
        connection = http.client.HTTPConnection(here, timeout=20)
        connection.request("GET", "/digits.bin")
        assert connection.getresponse().read() == TEXT
        process.send_signal(signal.SIGINT)
        told, complaint = process.stdout.read(), process.stderr.read()
        process.wait(timeout=20)
    assert "To stop: Ctrl+C" in told
    assert (told.splitlines()[-1], complaint, process.returncode) == ("Stopped.", "", 0)


@pytest.mark.parametrize("name", ["no such folder", "served/digits.bin"])
def test_what_cannot_be_served_is_one_sentence(name, folder):
    with started(SCRIPT, folder.parent / name) as process:
        told, complaint = process.communicate(timeout=20)
    assert (told, complaint.count("\n"), process.returncode) == ("", 1, 1)
    assert complaint.startswith(str(folder.parent / name))
    assert "; to serve another folder: python serve.py FOLDER" in complaint


def test_addresses_of_networks_are_told_and_no_other():
    found = serve.addresses()
    assert len(found) == len(set(found))
    for address in found:
        assert len(socket.inet_aton(address)) == 4
        assert not address.startswith(("127.", "0."))


def test_it_needs_nothing_but_an_old_python():
    tree = ast.parse(SCRIPT.read_text(encoding="utf-8"), feature_version=(3, 8))
    names = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            names.add(node.module)
    assert {name.split(".")[0] for name in names} <= sys.stdlib_module_names
