"""Serve a folder to a classroom: ``python serve.py`` prints the addresses that learners open.

It stands alone: Python 3.8 or newer, nothing installed. What it adds to ``python -m http.server``:
a broken download can go on (ranges), types do not depend on Windows' registry, no link leads out of
the folder, a room is answered at once, and a browser asks whether what it has is still the same.

If Windows asks about networks, allow Python private and public ones: a school's may be public.
If it does not ask, and nobody can connect: Windows Security, Firewall, "Allow an app", and tick
both at Python. Some networks for guests keep laptops apart: use another, or a phone's hotspot.
To serve another folder: python serve.py FOLDER. To stop: Ctrl+C.
"""

import mimetypes
import os
import re
import socket
import sys
from contextlib import suppress
from functools import partial
from http.server import SimpleHTTPRequestHandler
from pathlib import Path
from socketserver import TCPServer, ThreadingMixIn

TYPES = dict(mimetypes.MimeTypes().types_map[True])  # Python's own, not those of the registry
TYPES.update({".js": "text/javascript", ".mjs": "text/javascript", ".whl": "application/zip"})
TYPES.update({".ipynb": "application/json", "": "application/octet-stream"})  # "": all others


class Handler(SimpleHTTPRequestHandler):
    """Answers with a file of its folder, or with the part of it that is asked for."""

    protocol_version, timeout, extensions_map = "HTTP/1.1", 60, TYPES  # seconds without a word

    def log_message(self, *arguments):
        """Print nothing: a room asks for thousands of files."""

    def translate_path(self, path):
        """Where the file lies, or '' if a link leads out of the folder, or to a pipe."""
        real = Path(os.path.realpath(super().translate_path(path)))
        is_inside = Path(os.path.realpath(self.directory)) in (real, *real.parents)
        return str(real) if is_inside and (os.path.isfile(real) or os.path.isdir(real)) else ""

    def send_head(self):
        """Send the headers; give the file if it is to follow."""
        name = self.path.partition("?")[0]
        here, path = map(self.translate_path, (name, name + "index.html" * name.endswith("/")))
        if not os.path.isfile(path) or not os.access(path, os.R_OK):
            # before Python 3.10, a redirection tells no length
            self.part, self.close_connection = (0, None), True
            return self.list_directory(here) if name.endswith("/") else super().send_head()
        status, asked, code = Path(path).stat(), self.headers.get, 200
        part, tag = range(status.st_size), f'"{status.st_mtime_ns:x}-{status.st_size:x}"'
        span = re.fullmatch(r"bytes=(?=.*\d)(\d*)-(\d*)", asked("Range", ""))
        if tag in asked("If-None-Match", ""):
            code = 304
        elif span and asked("If-Range", tag) == tag:
            start = int(span[1]) if span[1] else max(0, len(part) - int(span[2]))
            part = part[start : int(span[2]) + 1 if all(span.groups()) else None]
            code = 206 if part else 416
        headers = {"Content-Type": self.guess_type(path), "Content-Length": len(part), "ETag": tag}
        headers["Cache-Control"] = "no-cache"  # ask each time whether it is still this one
        if code in (206, 416):
            sent = f"{part[0]}-{part[-1]}" if part else "*"
            headers["Content-Range"] = f"bytes {sent}/{status.st_size}"
        self.send_response(code)
        for header in headers.items():
            self.send_header(*header)
        self.end_headers()
        self.part = part.start, len(part) or None
        return Path(path).open("rb") if code in (200, 206) else None

    def copyfile(self, source, outputfile):
        """Send the part, without taking it into memory."""
        self.connection.sendfile(source, *self.part)


class Server(ThreadingMixIn, TCPServer):
    """Answers a whole room at once. Unlike `HTTPServer` it does not ask a network for its name."""

    daemon_threads, request_queue_size = True, 128
    allow_reuse_address = os.name == "posix"  # on Windows two servers would share a port

    def handle_error(self, request, client_address):
        """Print nothing: a laptop was closed in the middle of a file."""


def start(folder, ports=range(8000, 8050)):
    """A server for a folder, at the first port that is free."""
    os.scandir(folder).close()  # what cannot be read is told before anybody comes
    for port in ports:
        with suppress(OSError):
            return Server(("", port), partial(Handler, directory=str(folder)))
    raise OSError(0, f"no port from {ports[0]} to {ports[-1]} is free")


def addresses():
    """This machine's addresses in its networks, the usual one first."""
    found = []
    for other in ("192.0.2.1", "192.168.0.1", "10.0.0.1", "172.16.0.1"):
        with suppress(OSError), socket.socket(type=socket.SOCK_DGRAM) as probe:
            probe.connect((other, 9))  # sends nothing, only asks which way it would go
            found.append(probe.getsockname()[0])
    with suppress(OSError):
        found += socket.gethostbyname_ex(socket.gethostname())[2]
    return [address for address in dict.fromkeys(found) if not address.startswith("127.")]


if __name__ == "__main__":
    folder = sys.argv[1] if sys.argv[1:] else Path(__file__).resolve().parent
    try:
        server = start(folder)
    except OSError as error:
        sys.exit(f"{folder}: {error.strerror}; to serve another folder: python serve.py FOLDER")
    here, *others = (f"http://{a}:{server.server_address[1]}/" for a in ("127.0.0.1", *addresses()))
    told = " or ".join(others) or "none: this computer is in no network"
    print(f"Here: {here}\nFor learners: {told}\n\n{__doc__.split(chr(10) * 2)[-1]}", flush=True)
    with suppress(KeyboardInterrupt):
        server.serve_forever()
    print("Stopped.")
