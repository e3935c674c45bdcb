"""A large file fetched over a bad network: what has come stays, and the next try goes on with it.

What has come lies beside the file. Its hidden name tells three things: the address (eight digits
of its SHA-256), how many bytes there are in all, and how the server calls this version of the file.
The server is asked for the rest of this version. If it has another one, or gives no parts, the file
is fetched from the beginning.
"""

import errno
import hashlib
import os
import re
import shutil
import sys
import time
from contextlib import suppress
from dataclasses import dataclass
from glob import escape
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote, unquote

from helpers import Problem
from helpers.files.atomic import PARTIAL
from helpers.files.parallel import progress_bar
from helpers.files.places import one_line, sha256_of

if TYPE_CHECKING:  # else late: where nothing can be fetched, as in a browser, it is not there
    from requests import Response

#: Seconds to wait for a connection, and for each piece of an answer.
_TIMEOUTS = (5, 15)
#: Seconds before each new try. If a try has brought a piece or more, they begin anew.
_WAITS = (1, 2, 4, 8, 15, 30)
_PIECE = 2**16  # bytes
_LONGEST_VERSION = 80  # letters; a longer path is too long for Windows


class TooLarge(Exception):
    """A file has more bytes than it may have."""


class BrokenOff(Exception):
    """An answer is not the whole of what was to come."""


class WebPage(ValueError):
    """Something for people came: a list of files, or a page to sign in to a network."""


@dataclass(frozen=True)
class _Part:
    """What has come of one version of a file; `total` is 0 if the server does not tell it."""

    path: Path
    total: int
    version: str

    @property
    def size(self) -> int:
        return self.path.stat().st_size

    def __str__(self) -> str:
        return f"{self.size / 1e6:,.0f} of {self.total / 1e6:,.0f} MB"


def fetch(address: str, file: Path, *, most: int, sha256: str, remedy: str) -> None:
    """Fetch an archive over HTTP, and go on where an earlier run was broken off.

    If a connection breaks, it is tried again, and a sentence says so. Where nobody answers at
    first, there is no network, and nothing is waited for. Hold a lock around it.

    Parameters
    ----------
    address : str
        Where it is.
    file : Path
        What it is called once it is whole.
    most : int
        How many bytes it may have.
    sha256 : str
        What its SHA-256 has to be; if this is empty, the caller looks at the content.
    remedy : str
        What to do if it does not come.

    Raises
    ------
    Problem
        If it does not come whole; what has come stays. If it is something else, it is deleted.
    TooLarge
        If it is too large. Nothing of it stays.
    OSError
        If it cannot be written. What was written stays.

    Examples
    --------
    >>> fetch(URL, archive, most=10**8, sha256="", remedy="use a cable")  # doctest: +SKIP
    """
    from requests.exceptions import ConnectionError, HTTPError, RequestException, Timeout
    from urllib3.exceptions import HTTPError as BrokenBelow

    begun, waits, whole = _parts(address, file), None, None
    reached = {part.path: part.size for part in begun}
    if begun:
        _say(f"{begun[0]} came in an earlier run; asking for the rest.")
    while whole is None:
        try:
            whole = _go_on(address, file, most)
        except HTTPError as error:
            raise Problem(f"{address} answered {error.response.status_code}; {remedy}") from error
        except (BrokenOff, BrokenBelow, ConnectionError, Timeout) as error:
            part = next(iter(_parts(address, file)), None)
            if waits is None:
                waits = [] if isinstance(error, (ConnectionError, Timeout)) else list(_WAITS)
            elif part and part.size >= reached.get(part.path, part.size) + _PIECE:
                waits = list(_WAITS)
            if not waits:
                raise _not_come(address, error, remedy, part) from error
            if part:
                reached[part.path] = max(part.size, reached.get(part.path, 0))
            after = f" after {part}" if part else ""
            _say(f"The download broke off{after}; it goes on in {waits[0]} s.")
            time.sleep(waits.pop(0))
        except (RequestException, ValueError) as error:  # no valid address
            raise _not_come(address, error, remedy) from error
    if sha256 and sha256_of(whole) != sha256:
        whole.unlink()
        raise Problem(
            f"{address} sent something else than the official archive (its SHA-256 differs), "
            f"and it was deleted; {remedy}"
        )
    whole.replace(file)


def _not_come(address: str, error: Exception, remedy: str, part: _Part | None = None) -> Problem:
    why = str(error) if isinstance(error, (BrokenOff, WebPage)) else type(error).__name__
    told = f", but {part} did, and the next run goes on with them" if part else ""
    return Problem(f"No archive came from {address} ({why}){told}; {remedy}")


def forget_parts(file: Path) -> None:
    """Remove what has come of a file from any address. Hold a lock around it.

    Parameters
    ----------
    file : Path
        The file, which is here and whole.

    Examples
    --------
    >>> forget_parts(Path("data/caltech-101.zip"))
    """
    for path in file.parent.glob(f".{escape(file.name)}.*{PARTIAL}"):
        with suppress(OSError):
            path.unlink()


def _go_on(address: str, file: Path, most: int) -> Path:
    """Ask for what is missing, and write it; where the whole is then."""
    part = next(iter(_parts(address, file)), None)
    if part and part.size == part.total:
        return part.path
    answer = _ask(address, part)
    if part and answer.status_code in (206, 416) and not _is_rest(answer, part):
        answer.close()
        part.path.unlink()
        part, answer = None, _ask(address, None)
    with answer:
        if answer.status_code >= 500:
            raise BrokenOff(f"it answered {answer.status_code}")
        answer.raise_for_status()
        if not part or answer.status_code != 206:
            before, part = part, _new_part(answer, address, file, most)
            if before:
                _say("The server does not give the rest; all comes from the beginning.")
        _write(answer, part, most)
    return part.path


def _begin_of_names(address: str, file: Path) -> str:
    return f".{file.name}.{hashlib.sha256(os.fsencode(address)).hexdigest()[:8]}."


def _parts(address: str, file: Path) -> list[_Part]:
    """What has come from an address and can be gone on with, the latest first."""
    begin, found = _begin_of_names(address, file), []
    for path in file.parent.glob(f"{escape(begin)}*{PARTIAL}"):
        rest = path.name.removeprefix(begin).removesuffix(PARTIAL)
        told = re.fullmatch(r"(\d{1,15})\.([\w.~%-]*)", rest, re.ASCII)
        if told and path.is_file() and not path.is_symlink():
            found.append(_Part(path, int(told[1]), unquote(told[2], "latin-1")))
    found = [part for part in found if 0 < part.size <= part.total]
    return sorted(found, key=lambda part: part.path.stat().st_mtime_ns, reverse=True)


def _new_part(answer: "Response", address: str, file: Path, most: int) -> _Part:
    """An empty one, in the place of any other of the same size."""
    length = answer.headers.get("Content-Length", "")
    total = int(length) if re.fullmatch(r"\d{1,15}", length, re.ASCII) else 0
    if answer.status_code != 200:
        raise BrokenOff(f"it answered {answer.status_code}")
    if answer.headers.get("Content-Type", "").startswith("text/html"):
        raise WebPage("a web page came: sign in to the network, or mend the address")
    if total > most:
        raise TooLarge(f"is larger than {most:,} bytes")
    version, begin = _version(answer), f"{_begin_of_names(address, file)}{total}."
    for path in file.parent.glob(f"{escape(begin)}*{PARTIAL}"):
        path.unlink()
    path = file.with_name(f"{begin}{quote(version, '', 'latin-1')}{PARTIAL}")
    path.touch(exist_ok=False)
    return _Part(path, total, version)


def _version(answer: "Response") -> str:
    """How the server calls it; '' if it says nothing that can be relied on."""
    version = answer.headers.get("ETag", "")
    if not version or version.startswith("W/"):
        version = answer.headers.get("Last-Modified", "")
    return version if len(quote(version, "", "latin-1")) <= _LONGEST_VERSION else ""


def _ask(address: str, part: _Part | None) -> "Response":
    import requests

    headers = {"Accept-Encoding": "identity"}
    if part:
        headers["Range"] = f"bytes={part.size}-"
        if part.version:
            headers["If-Range"] = part.version
    return requests.get(address, headers=headers, stream=True, timeout=_TIMEOUTS)


def _is_rest(answer: "Response", part: _Part) -> bool:
    """Whether it is what is missing: some servers send what was not asked for."""
    told = re.fullmatch(r"bytes (\d+)-\d+/(\d+)", answer.headers.get("Content-Range", ""))
    is_same = _version(answer) in ("", part.version)
    return told is not None and is_same and told.groups() == (str(part.size), str(part.total))


def _write(answer: "Response", part: _Part, most: int) -> None:
    left = (part.total or most) - part.size
    bar = progress_bar(total=part.total or None, title="fetching", unit="B", begun=part.size)
    if part.total and left > shutil.disk_usage(part.path.parent).free:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))  # before the disk is really full
    try:
        with part.path.open("ab") as opened, bar:
            for content in answer.raw.stream(_PIECE, decode_content=False):
                left -= len(content)
                if left < 0:
                    break
                opened.write(content)
                bar.update(len(content))
            opened.flush()
            os.fsync(opened.fileno())  # else, after a power cut, a whole file might hold nothing
    except BaseException:
        if not part.total:
            part.path.unlink()  # nobody could go on with it
        raise
    if left < 0:
        part.path.unlink()
        if part.total:
            raise BrokenOff("it sent more than it had told")
        raise TooLarge(f"is larger than {most:,} bytes")
    if left and part.total:
        raise BrokenOff("it ended too early")


def _say(sentence: str) -> None:
    print(one_line(sentence), file=sys.stderr)
