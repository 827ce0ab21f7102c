"""Who may send how much: keys, characters a minute, characters for good.

Knows clients and what they are allowed. Does not know how a wire spells a refusal, nor what is
done with what a client sends. A key is looked at in `identify` and goes no further; an address
serves to tell clients apart where they have no keys. Neither is ever logged.

    client = access.identify(headers, given, address)
    with await access.admit(client, characters) as admission:
        ...                  # the work, in which other requests find the characters reserved
        admission.charge()   # the answer was made; without this only what was handed out is counted
"""

from __future__ import annotations

import asyncio
import ipaddress
import logging
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from types import TracebackType

from service.clients.keys import ANONYMOUS, KeyRing
from service.clients.rates import Allowance, Rates
from service.clients.usage import Usage
from service.errors import Kind, ServiceError
from service.settings import Settings

log = logging.getLogger("mt.service")

TEND_S = 1.0
"""Seconds between two looks at the key file, and between two writes of usage."""
UNLIMITED = 10**12
"""What a client without a limit is told its limit is; DeepL's clients need a number."""
IPV6_NETWORK_BITS = 64
"""Of an IPv6 address; who has one address has all that differ only in the others."""


@dataclass(frozen=True)
class Client:
    """Who sends a request, and what it is allowed."""

    name: str
    """Name of the key, never the key itself; "anonymous" where none are asked for."""
    character_limit: int | None
    """Characters for good; None is no limit."""
    characters_per_minute: int | None
    """Characters in a minute; None is no limit."""
    address: str = field(repr=False)
    """Where it comes from, to tell clients without keys apart."""


class Admission:
    """Leave to translate so many characters, reserved until they are charged or released.

    A context manager. What was not charged by its end is released, but for what was handed out.
    """

    def __init__(
        self, usage: Usage, client: Client, characters: int, allowance: Allowance | None
    ) -> None:
        self._usage = usage
        self._client = client
        self._reserved: int | None = characters
        self._handed_out = 0
        self.allowance = allowance
        """What the client may send now; None if there is no limit a minute."""

    @property
    def headers(self) -> dict[str, str]:
        """What the answer tells of the limit a minute; nothing if there is none."""
        return self.allowance.headers if self.allowance else {}

    def hand_out(self, characters: int) -> None:
        """Note what the client gets before the rest; it is charged for, whatever becomes of that.

        Args:
            characters: of the source.
        """
        self._handed_out += characters

    def charge(self, characters: int | None = None) -> None:
        """Count an answered request; to be called once at most.

        Args:
            characters: those translated; all that were admitted if None.
        """
        assert self._reserved is not None, "charged twice, or after the release"
        self._usage.charge(self._client.name, self._reserved if characters is None else characters)
        self.release()

    def release(self) -> None:
        """Give back what is reserved; does nothing the second time."""
        if self._reserved is not None:
            self._usage.release(self._client.name, self._reserved)
            self._reserved = None

    def __enter__(self) -> Admission:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._handed_out and self._reserved is not None:
            self.charge(self._handed_out)
        self.release()


class Access:
    """Tells clients by their keys and holds them to their limits, on one event loop."""

    def __init__(self, settings: Settings) -> None:
        self._keys = KeyRing(settings.api_keys_file) if settings.api_keys_file else None
        self._characters_per_minute = settings.characters_per_minute
        self._usage = Usage(settings.usage_file)
        self._rates = Rates()
        self._closing = asyncio.Event()
        self._tending: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Read the keys and earlier usage.

        Raises:
            ConfigError: a file cannot be used; one line that names it.
        """
        if self._keys:
            await asyncio.to_thread(self._keys.load)
        await self._usage.open()
        self._rates.start()
        self._tending = asyncio.create_task(self._tend())

    async def close(self) -> None:
        """Write the usage; to be called once all requests are answered."""
        if self._tending:
            self._closing.set()  # rather than cancelled: a write may be under way
            await self._tending
            await self._rates.close()
            await self._usage.close()

    @property
    def keys_required(self) -> bool:
        """Whether a client needs a key."""
        return self._keys is not None

    def identify(self, headers: Mapping[str, str], given: str | None, address: str) -> Client:
        """Tell who sends a request. Without a key file, whatever key it brings is ignored.

        Args:
            headers: of the request; names in lower case, or compared without regard to case.
            given: the key that its parameters hold, if any.
            address: where it comes from.

        Raises:
            ServiceError: KEY_MISSING, KEY_INVALID.
        """
        if self._keys is None:
            return Client(ANONYMOUS, None, self._characters_per_minute or None, address)
        key = _key_in(headers) or given
        if not key:
            raise ServiceError(Kind.KEY_MISSING, "an API key is required")
        found = self._keys.find(key)
        if found is None:
            raise ServiceError(Kind.KEY_INVALID, "Invalid API key")
        per_minute = found.characters_per_minute
        if per_minute is None:
            per_minute = self._characters_per_minute
        return Client(found.name, found.character_limit, per_minute or None, address)

    async def admit(self, client: Client, characters: int) -> Admission:
        """Let a request in, or refuse it before any work.

        What is admitted counts towards the limit a minute, whatever becomes of it.

        Raises:
            ServiceError: QUOTA_EXCEEDED, RATE_LIMITED with the time to come again; TOO_LARGE if
                the request alone is over the limit a minute.
        """
        limit = client.character_limit
        if not self._usage.reserve(client.name, characters, limit):
            left = self._usage.left(client.name, limit or 0)
            message = f"request ({characters}) exceeds the {left} characters left of {limit}"
            raise ServiceError(Kind.QUOTA_EXCEEDED, message)
        allowance = None
        if client.characters_per_minute is not None:
            try:
                allowance = await self._rates.take(
                    _identity(client), characters, client.characters_per_minute
                )
            except BaseException:
                self._usage.release(client.name, characters)
                raise
        return Admission(self._usage, client, characters, allowance)

    def usage(self, client: Client) -> tuple[int, int]:
        """Characters charged to a client so far, and the most that ever will be."""
        return self._usage.characters(client.name), client.character_limit or UNLIMITED

    async def _tend(self) -> None:
        while not self._closing.is_set():
            with suppress(TimeoutError):
                await asyncio.wait_for(self._closing.wait(), TEND_S)
            try:
                await self._usage.flush()
                if self._keys:
                    await asyncio.to_thread(self._keys.refresh)
            except Exception:  # a bug of ours; keys and counts have to go on all the same
                log.exception("keys and usage could not be tended")


def _key_in(headers: Mapping[str, str]) -> str | None:
    scheme, _, key = headers.get("authorization", "").partition(" ")
    if scheme.lower() in ("bearer", "deepl-auth-key") and key.strip():
        return key.strip()
    return headers.get("x-api-key")


def _identity(client: Client) -> str:
    """Whose characters of a minute are counted together."""
    if client.name != ANONYMOUS:
        return f"key {client.name}"
    try:
        address = ipaddress.ip_address(client.address)
    except ValueError:  # a socket in the file system, say
        return f"address {client.address}"
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is None:
        network = ipaddress.IPv6Network((int(address), IPV6_NETWORK_BITS), strict=False)
        return f"network {network}"
    return f"address {address}"
