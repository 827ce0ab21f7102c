"""The keys that clients need: names, limits, and of the keys themselves only their SHA-256.

Knows the key file, which `mt-keys` writes. Does not know HTTP, nor how limits are kept:
`service.clients.access` does. No message from here holds a key, not even one that was pasted into
the file by mistake.

A key is 32 random bytes. Nobody guesses those, so a plain SHA-256 hides it, where a password
would need salt and a slow function.
"""

from __future__ import annotations

import hashlib
import hmac
import logging
import re
import secrets
import stat
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from pydantic import Field, ValidationError, field_validator

from mt.config import Options
from mt.errors import ConfigError

log = logging.getLogger("mt.service")

ANONYMOUS = "anonymous"
"""The name of every client where no keys are asked for; no key may have it."""
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@-]{0,63}")


class Key(Options):
    """One key, as the file holds it."""

    name: str
    """Whose key it is: up to 64 of A-Z a-z 0-9 . _ @ -, a letter or digit first. Usage is counted
    under this name, so a new key under the name of a removed one goes on from its count."""
    sha256: str = Field(pattern=r"^[0-9a-f]{64}$")
    """SHA-256 of the key, hexadecimal."""
    characters_per_minute: int | None = Field(None, ge=0, le=10**9)
    """Characters that may be sent with this key in a minute; 0 is no limit, unset is the
    server's."""
    character_limit: int | None = Field(None, ge=1, le=10**12)
    """Characters that may be translated with this key for good; unset is no limit."""

    @field_validator("name")
    @classmethod
    def _allowed(cls, name: str) -> str:
        if not _NAME.fullmatch(name):
            raise ValueError("a name has up to 64 of A-Z a-z 0-9 . _ @ -, a letter or digit first")
        if name == ANONYMOUS:
            raise ValueError(f'"{ANONYMOUS}" is the name of clients without keys')
        return name


class KeyFile(Options):
    """All of a key file."""

    keys: tuple[Key, ...]

    @field_validator("keys")
    @classmethod
    def _unique(cls, keys: tuple[Key, ...]) -> tuple[Key, ...]:
        names, hashes = Counter(key.name for key in keys), Counter(key.sha256 for key in keys)
        for key in keys:
            if names[key.name] > 1:
                raise ValueError(f"the name {key.name} is there {names[key.name]} times")
            if hashes[key.sha256] > 1:
                raise ValueError(f"{key.name} has the same key as another")
        return keys


class KeyRing:
    """The keys of a file that may change while they are used.

    `load` and `refresh` read the file, so they belong in a thread; `find` is quick.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._keys: Sequence[Key] = ()
        self._version: tuple[int, ...] = ()
        self._complaint = ""

    def load(self) -> None:
        """Read the file, if it is not the one that was read last.

        Raises:
            ConfigError: it is missing or damaged; the keys read before stay.
        """
        version = _version(self._path)  # before the content: what comes after is read next time
        if version != self._version:
            self._keys = read_keys(self._path).keys
            self._version = version

    def refresh(self) -> None:
        """`load`, but a damaged file is one line in the log, and once."""
        try:
            self.load()
        except ConfigError as error:
            if str(error) != self._complaint:
                log.error("%s; the keys read before stay valid", error)
            self._complaint = str(error)
        else:
            self._complaint = ""

    def find(self, key: str) -> Key | None:
        """The entry of a key, in a time that does not depend on which it is, or how near one."""
        found = None
        digest = sha256_of(key)
        for entry in self._keys:
            if hmac.compare_digest(entry.sha256, digest):
                found = entry  # and on: leaving here would tell where in the file it stands
        return found


def new_key() -> str:
    """A key that nobody can guess: 32 random bytes as 43 characters fit for a URL."""
    return secrets.token_urlsafe(32)


def sha256_of(key: str) -> str:
    """What the file holds of a key, for any string a client may send."""
    return hashlib.sha256(key.encode("utf-8", "surrogatepass")).hexdigest()


def read_keys(path: Path) -> KeyFile:
    """Read a key file.

    Raises:
        ConfigError: it is missing or damaged; one line that names the file and the entry.
    """
    try:
        if not stat.S_ISREG(path.stat().st_mode):  # a device may have no end
            raise ConfigError(f"{path} is not a regular file")
        return KeyFile.model_validate_json(path.read_bytes())
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read: {error.strerror}") from error
    except ValidationError as error:
        mistake = error.errors(include_input=False, include_url=False)[0]
        where = ".".join(map(str, mistake["loc"]))
        message = mistake["msg"].removeprefix("Value error, ")
        # Neither the value nor, in a traceback, the cause that has it: it may be a key.
        raise ConfigError(
            f"{path}: {where}: {message}" if where else f"{path}: {message}"
        ) from None


def _version(path: Path) -> tuple[int, ...]:
    try:
        status = path.stat()
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read: {error.strerror}") from error
    return status.st_ino, status.st_mtime_ns, status.st_size
