"""An original file, from a server or from a folder: whole, checked, or not there at all.

Knows HTTP and hashes. Does not know what is in a file. What has arrived waits as NAME.part until
all of it is there and right, so a download that was cut off goes on where it stopped, in the same
run or in a later one, where the server can (RFC 9110, 14.2) and the file cannot have changed.
"""

from __future__ import annotations

import hashlib
import time
import urllib.request
import zipfile
from collections.abc import Callable
from http import HTTPStatus
from http.client import HTTPException, HTTPResponse
from pathlib import Path
from typing import NoReturn, Protocol
from urllib.error import HTTPError, URLError

from mt.datasets.dataset import Original
from mt.errors import CorpusError
from mt.system.files import settle, write_atomic

TRIES = 4
"""Times a file is asked for; between them it waits 1, 2 and 4 seconds."""
TIMEOUT = 30.0
"""Seconds without a byte after which a connection counts as broken."""
# Some servers turn away programs that do not begin like a browser.
_AGENT = "Mozilla/5.0 (compatible; mt-download)"
_CHUNK = 1 << 16
_PASSING = {HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_MANY_REQUESTS}


class Progress(Protocol):
    """Is told how a download goes."""

    def received(self, name: str, done: int, total: int | None) -> None:
        """So many bytes of a file have arrived; `total` is None where the server does not say."""

    def trying_again(self, name: str, reason: str, seconds: float) -> None:
        """It failed and will be asked for again after so many seconds."""


class Silent:
    """Keeps it to itself."""

    def received(self, name: str, done: int, total: int | None) -> None: ...

    def trying_again(self, name: str, reason: str, seconds: float) -> None: ...


def download(
    original: Original,
    url: str,
    folder: Path,
    progress: Progress,
    pause: Callable[[float], None] = time.sleep,
) -> None:
    """Get a file from below an address into a folder, under its own name.

    Raises:
        CorpusError: there is no way to the server, it has no such file, or what it sends is cut
            off or damaged each time; or the folder cannot be written or is full.
    """
    if original.sha256 is not None and _is_there(original, folder / original.name):
        return
    transfer = _Transfer(original, f"{url.rstrip('/')}/{original.path}", folder, progress)
    for attempt in range(1, TRIES + 1):
        try:
            transfer.run()
            return
        except _PassingError as failure:
            if attempt == TRIES:
                raise CorpusError(
                    f"{transfer.url}: {failure} (asked for {TRIES} times)"
                ) from failure
            seconds = 2.0 ** (attempt - 1)
            progress.trying_again(original.name, str(failure), seconds)
            pause(seconds)
        except OSError as error:  # the network's own are passing failures, so this is the disk's
            raise CorpusError(f"{error.filename or transfer.part}: {error.strerror}") from error


def take(original: Original, source: Path, folder: Path) -> None:
    """Copy a file from a folder that has it under its path or its name.

    Raises:
        CorpusError: it is not there, cannot be read or written, or is not the original.
    """
    candidates = [source / original.path, source / original.name]
    found = next((path for path in candidates if path.is_file()), None)
    if found is None:
        names = dict.fromkeys([original.path, original.name])
        raise CorpusError(f"{source} has no {' and no '.join(names)}")
    try:
        if (fault := _fault(original, found)) is not None:
            raise CorpusError(f"{found} is not the original: {fault}")
        write_atomic(folder / original.name, found.read_bytes())
    except OSError as error:
        raise CorpusError(f"{error.filename}: {error.strerror}") from error


class _PassingError(Exception):
    """What may be over at the next try."""


class _Transfer:
    """A file on its way, over as many connections as it takes."""

    def __init__(self, original: Original, url: str, folder: Path, progress: Progress) -> None:
        self.original, self.url, self.progress = original, url, progress
        self.path = folder / original.name
        self.part = folder / f"{original.name}.part"
        self.version = ""
        """What the server calls the version that `part` is of, if anything."""

    def run(self) -> None:
        """Get what is missing, check the whole, and give it its name."""
        have = self._received()
        total = have if have == self.original.bytes else self._receive(have)
        size = self.part.stat().st_size
        if total is not None and size < total:
            raise _PassingError(f"cut off after {size:,} of {total:,} bytes")
        if (fault := _fault(self.original, self.part)) is not None:
            self.part.unlink()
            raise _PassingError(fault)
        settle(self.part, self.path)

    def _received(self) -> int:
        # Only bytes of the very file that is asked for can be built upon.
        known = self.original.sha256 is not None or self.version
        return self.part.stat().st_size if known and self.part.exists() else 0

    def _receive(self, have: int) -> int | None:
        """Append what comes after the bytes there are; returns the size of the whole."""
        with self._answer(have) as response:
            length = response.headers.get("Content-Length")
            if response.status == HTTPStatus.PARTIAL_CONTENT:
                first = response.headers.get("Content-Range", "").partition("-")[0]
                if first != f"bytes {have}":
                    self.part.unlink()
                    raise _PassingError("the server sent another range than it was asked for")
            else:  # it sends the whole, asked for or not
                have = 0
                self.version = _version(response)
            total = have + int(length) if length else self.original.bytes
            with self.part.open("ab" if have else "wb") as file:
                while chunk := _read(response):
                    file.write(chunk)
                    have += len(chunk)
                    self.progress.received(self.original.name, have, total)
        return total

    def _answer(self, have: int) -> HTTPResponse:
        request = urllib.request.Request(self.url, headers={"User-Agent": _AGENT})
        if have:
            request.add_header("Range", f"bytes={have}-")
            if self.version:
                request.add_header("If-Range", self.version)
        try:
            response: HTTPResponse = urllib.request.urlopen(request, timeout=TIMEOUT)
        except HTTPError as error:
            with error:
                self._refused(error)
        except (HTTPException, OSError) as error:
            raise _PassingError(_reason(error)) from error
        return response

    def _refused(self, error: HTTPError) -> NoReturn:
        if error.code == HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:
            self.part.unlink()  # it has more bytes than the file
            raise _PassingError("the part that was there does not fit") from error
        reason = f"{error.code} {error.reason}".strip()
        if error.code >= HTTPStatus.INTERNAL_SERVER_ERROR or error.code in _PASSING:
            raise _PassingError(reason) from error
        raise CorpusError(f"{self.url}: {reason}") from error


def _read(response: HTTPResponse) -> bytes:
    try:
        return response.read(_CHUNK)
    except (HTTPException, OSError) as error:
        raise _PassingError(_reason(error)) from error


def _reason(error: Exception) -> str:
    cause = error.reason if isinstance(error, URLError) else error
    if isinstance(cause, OSError) and cause.strerror:
        return cause.strerror
    return str(cause) or type(cause).__name__


def _version(response: HTTPResponse) -> str:
    # A weak tag says "much the same", which is not enough to add bytes to (RFC 9110, 13.1.5).
    tag = response.headers.get("ETag", "")
    return tag if tag.startswith('"') else response.headers.get("Last-Modified", "")


def _is_there(original: Original, path: Path) -> bool:
    return path.is_file() and _fault(original, path) is None


def _fault(original: Original, path: Path) -> str | None:
    """What tells a file from the original; None where nothing does."""
    size = path.stat().st_size
    if original.bytes is not None and size != original.bytes:
        return f"it has {size:,} bytes, expected {original.bytes:,}"
    if original.sha256 is None:
        return _zip_fault(path)
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    if digest != original.sha256:
        return f"its SHA-256 is {digest}, expected {original.sha256}"
    return None


def _zip_fault(path: Path) -> str | None:
    # Whatever is wrong with an archive, Python raises nearly anything; its checksums are CRC-32.
    try:
        with zipfile.ZipFile(path) as archive:
            damaged = archive.testzip()
    except OSError:
        raise
    except Exception as error:
        return f"not a .zip archive: {error}"
    return None if damaged is None else f"damaged .zip archive: wrong checksum of {damaged}"
