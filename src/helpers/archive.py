"""Archives of pictures: that of CALTECH-101, and folders that were packed here.

CALTECH-101's is fetched, unpacked within budgets, and verified. It is 137 MB, by Li, Andreeto,
Ranzato and Perona (CaltechDATA, doi 10.22002/D1.20086, CC BY 4.0).
"""

import gzip
import hashlib
import os
import shutil
import sys
import tarfile
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path, PurePosixPath
from typing import BinaryIO
from urllib.request import url2pathname

from helpers import Problem
from helpers.files.atomic import (
    make_folders,
    new_folder,
    unique_partial,
    write_problem,
    write_text,
)
from helpers.files.downloads import TooLarge, fetch, forget_parts
from helpers.files.parallel import progress_bar
from helpers.files.places import IN_BROWSER, sha256_of

#: The official archive.
URL = "https://data.caltech.edu/records/mzrjq-6wc02/files/caltech-101.zip"
SHA256 = "331234750fc7f77520e50d9565e8b6907b03565e30320da1401130db08c61f91"
#: SHA-256 of the lines "<sha256 of the file>  <category>/<name>.jpg", sorted by path. It does not
#: depend on how the archive is packed.
CONTENT = "951b982f7e4f4cf1bd67e90fc3a7a408ce82cfecdd44e9f36d8de7b073f441ee"
IMAGES = 9144
CREDIT = """\
CALTECH-101: CC BY 4.0 (creativecommons.org/licenses/by/4.0). Cite:
Li, Andreeto, Ranzato & Perona (2022), Caltech 101 (1.0), CaltechDATA, doi 10.22002/D1.20086;
L. Fei-Fei, R. Fergus, P. Perona, Learning generative visual models from few training examples,
CVPR Workshop on Generative-Model Based Vision, 2004."""
#: The most that an archive may have, in bytes; that each file in it may have; and all together.
MOST_BYTES, MOST_MEMBER_BYTES, MOST_MEMBERS_BYTES = 200 * 10**6, 10**7, 10**9
MOST_MEMBERS, _MOST_LISTING_BYTES = 20_000, 10**6  # of the tar, and of the zip around it
_REMEDY = (
    "connect to a network, or set CALTECH_101_MIRROR to a copy of the archive, and run this again"
)


#: On a slow network somebody may want something else.
_TOLD = (
    "CALTECH-101 is fetched, once: 137 MB. If you stop it, what has come stays. "
    'The dataset "sample" needs no network.'
)


class _NotCaltech101(Exception):
    """The archive is at fault."""


class _Measured:
    """A file of which no more is read than `left` in all, and `step` at a time."""

    def __init__(self, file: BinaryIO, left: int, step: int) -> None:
        self.file, self.left, self.step = file, left, step

    def __getattr__(self, name: str) -> object:
        return getattr(self.file, name)

    def read(self, size: int = -1) -> bytes:
        most = max(0, min(self.left, self.step)) + 1
        content = self.file.read(most if size is None or size < 0 else min(size, most))
        self.left, self.step = self.left - len(content), self.step - len(content)
        if min(self.left, self.step) < 0:
            raise _NotCaltech101("would take more room than CALTECH-101 does")
        return content


def install(root: Path) -> None:
    """Unpack the archive into a new folder; fetch it first if it is not there.

    Parameters
    ----------
    root : Path
        The folder, ``<category>/<name>.jpg`` and ``LICENCE.txt`` in the end. A fetched archive
        stays beside it.

    Raises
    ------
    Problem
        If the archive cannot be fetched or is not CALTECH-101, or if there is no room.
        What has come of an archive stays beside it, under a hidden name, to be gone on with.

    Examples
    --------
    >>> install(Path("data/caltech-101"))  # doctest: +SKIP
    """
    if IN_BROWSER:
        raise Problem(
            "A page in a browser cannot keep its 137 MB; install the kit on a computer to use it"
        )
    address = os.environ.get("CALTECH_101_MIRROR") or URL
    scheme = address.partition(":")[0].lower()
    fetched = scheme in ("http", "https")
    if fetched:
        archive = root.with_name("caltech-101.zip")  # kept: a teacher can serve it on
    else:
        path = url2pathname(address.partition(":")[2]) if scheme == "file" else address
        archive = Path(os.path.expanduser(path))  # noqa: PTH111 (it never raises)
        if not os.path.isfile(archive):
            why = "is not a file" if os.path.exists(archive) else "no such file"
            raise Problem(
                f"CALTECH_101_MIRROR={address}: {why}; set it to where the archive is, or unset it"
            )
    was_here = os.path.isfile(archive)
    try:
        with new_folder(root) as folder:
            if not was_here:
                print(_TOLD, file=sys.stderr)
                official = SHA256 if address == URL else ""
                fetch(address, archive, most=MOST_BYTES, sha256=official, remedy=_REMEDY)
            digest = _unpack(archive, folder)
            if digest != CONTENT and sha256_of(archive) != SHA256:
                raise _NotCaltech101(
                    "is not CALTECH-101, since neither its SHA-256 nor the digest of its images "
                    f"({digest[:12]}...) is the official one"
                )
            write_text(folder / "LICENCE.txt", CREDIT + "\n")
        forget_parts(root.with_name("caltech-101.zip"))
    except (TooLarge, _NotCaltech101) as error:
        if was_here and fetched:  # it may be somebody's own file: not ours to delete
            raise Problem(f"{archive}: {error}; delete it and run this again") from error
        if fetched:
            archive.unlink(missing_ok=True)
        told = "; it was deleted" if fetched else ""
        raise Problem(
            f"{address}: {error}{told}; use the official archive or another copy of it"
        ) from error


def _unpack(archive: Path, folder: Path) -> str:
    """Write the archive's images into `folder`; give the digest of what was written."""
    digests = {}
    images = progress_bar(_images_in(archive), total=IMAGES, title="unpacking")
    for path, content in images:
        (folder / path).parent.mkdir(exist_ok=True)
        (folder / path).write_bytes(content)
        digests[path] = hashlib.sha256(content).hexdigest()
        if len(digests) > IMAGES:
            raise _NotCaltech101(f"holds more than {IMAGES:,} images")
    lines = "".join(f"{digests[path]}  {path}\n" for path in sorted(digests))
    return hashlib.sha256(lines.encode()).hexdigest()


def _images_in(archive: Path) -> Iterator[tuple[str, bytes]]:
    """``<category>/<name>.jpg`` and the bytes of each image in the archive."""
    try:
        if archive.stat().st_size > MOST_BYTES:
            raise _NotCaltech101(f"is larger than {MOST_BYTES:,} bytes")
        with archive.open("rb") as file:
            stream = _Measured(_inner_archive(file), MOST_MEMBERS_BYTES, 2 * MOST_MEMBER_BYTES)
            with tarfile.open(fileobj=stream, mode="r|") as members:
                for number, member in enumerate(members):
                    stream.step = 2 * MOST_MEMBER_BYTES  # its content, and the next header
                    name, path = member.name, PurePosixPath(member.name.replace("\\", "/"))
                    if ".." in path.parts or ":" in name or "\0" in name or path.is_absolute():
                        raise _NotCaltech101(
                            f"its member {name[:300]!r} would be written outside the folder"
                        )
                    large = member.issparse() or member.size > MOST_MEMBER_BYTES
                    if large or number >= MOST_MEMBERS:
                        raise _NotCaltech101(f"its member {name[:300]!r} is too large, or too many")
                    image = path.name.endswith(".jpg") and not path.name.startswith(".")
                    if image and member.isfile() and len(path.parts) == 3:
                        if not name.isprintable() or len(name.encode()) > 255:
                            raise _NotCaltech101(f"its member {name[:300]!r} has an invalid name")
                        yield "/".join(path.parts[1:]), members.extractfile(member).read()
    except _NotCaltech101:
        raise
    except OSError as error:
        if error.errno is None:  # gzip: not its format
            raise _NotCaltech101(f"is no archive of CALTECH-101 ({error})") from error
        raise Problem(f"{archive}: could not be read ({error.strerror}); run this again") from error
    except Exception as error:  # a damaged archive can make zipfile, tarfile or zlib raise anything
        raise _NotCaltech101(f"is no archive of CALTECH-101, or a damaged one ({error})") from error


def _inner_archive(file: BinaryIO) -> BinaryIO:
    """The tar of images. It lies inside the official zip; old mirrors have it without the zip."""
    measured = _Measured(file, 2 * MOST_BYTES, _MOST_LISTING_BYTES)
    if not zipfile.is_zipfile(measured):
        file.seek(0)
        return gzip.GzipFile(fileobj=file)
    name, outer = "/101_ObjectCategories.tar.gz", zipfile.ZipFile(measured)
    inner = [member for member in outer.infolist() if f"/{member.filename}".endswith(name)]
    if not inner:
        raise zipfile.BadZipFile(f"it has no {name[1:]}")
    # Python unpacks other methods without a limit
    is_usual = inner[0].compress_type in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
    if inner[0].file_size > MOST_BYTES or not is_usual:
        raise _NotCaltech101("has an inner archive that is too large, or packed in another way")
    measured.step = MOST_BYTES
    return gzip.GzipFile(fileobj=outer.open(inner[0]))


def pack(files: Mapping[str, Path], file: Path) -> None:
    """Put files into one zip that depends on their names and contents only.

    Parameters
    ----------
    files : mapping of str to Path
        The name that each file gets in the zip, with ``/``. What is no file is left out.
    file : Path
        The zip; an older one is replaced in one step.

    Raises
    ------
    Problem
        If it cannot be written.

    Examples
    --------
    >>> pack({"sample/cat.png": Path("cat.png")}, Path("sample.zip"))  # doctest: +SKIP
    """
    partial = unique_partial(file)
    try:
        make_folders(file.parent)
        with zipfile.ZipFile(partial, "w") as packed:
            for name, path in sorted(files.items()):
                if path.is_file():
                    # a member of 1980 whose bits are the same on every system
                    member = zipfile.ZipInfo(name)
                    member.create_system, member.external_attr = 3, 0o100644 << 16
                    member.file_size = path.stat().st_size  # from 2 GB on, it takes another form
                    is_packed = path.suffix in (".jpg", ".png", ".whl", ".zip")
                    member.compress_type = zipfile.ZIP_STORED if is_packed else zipfile.ZIP_DEFLATED
                    with path.open("rb") as source, packed.open(member, "w") as target:
                        shutil.copyfileobj(source, target, 2**20)
        partial.replace(file)
    except OSError as error:
        raise write_problem(file, error) from error
    finally:
        with suppress(OSError):
            partial.unlink()


def unpack(file: Path, root: Path) -> None:
    """Make a folder of what `pack` put into a zip under its name.

    Parameters
    ----------
    file : Path
        A zip that this kit made: nothing in it is checked.
    root : Path
        The folder to make, whole or not at all.

    Raises
    ------
    Problem
        If it cannot be written.

    Examples
    --------
    >>> unpack(Path("sample.zip"), Path("data/sample"))  # doctest: +SKIP
    """
    with new_folder(root) as folder, zipfile.ZipFile(file) as packed:
        for name in packed.namelist():
            top, _, inner = name.partition("/")
            if top == root.name:
                (folder / inner).parent.mkdir(parents=True, exist_ok=True)
                (folder / inner).write_bytes(packed.read(name))
