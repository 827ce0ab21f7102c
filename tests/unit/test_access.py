"""Who is let in: keys wherever clients put them, limits, and what may never be logged."""

from __future__ import annotations

import asyncio
import json
import logging
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from starlette.datastructures import Headers

from mt.errors import ConfigError
from service.clients.access import UNLIMITED, Access, Client
from service.clients.keys import sha256_of
from service.clients.usage import Count, read_usage
from service.errors import Kind, ServiceError
from service.settings import Settings

ADA, BOB, CY = "key-of-ada", "key-of-bob", "key-of-cy"
ADDRESS = "203.0.113.77"

ENTRIES: list[dict[str, Any]] = [
    {"name": "ada", "sha256": sha256_of(ADA), "character_limit": 100},
    {"name": "bob", "sha256": sha256_of(BOB), "characters_per_minute": 10},
    {"name": "cy", "sha256": sha256_of(CY), "characters_per_minute": 0},
]


def write(path: Path, entries: list[dict[str, Any]]) -> None:
    draft = path.with_suffix(".draft")
    draft.write_text(json.dumps({"keys": entries}))
    draft.rename(path)


@pytest.fixture(autouse=True)
def _half_past_a_minute(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(time, "time", lambda: 29_000_000 * 60 + 30.0)


@pytest.fixture
def keys(tmp_path: Path) -> Path:
    path = tmp_path / "keys.json"
    write(path, ENTRIES)
    return path


@asynccontextmanager
async def opened(**settings: Any) -> AsyncIterator[Access]:
    access = Access(Settings(**settings))
    await access.start()
    try:
        yield access
    finally:
        await access.close()


def using(talk: Callable[[Access], Awaitable[Any]], **settings: Any) -> Any:
    async def run() -> Any:
        async with opened(**settings) as access, asyncio.timeout(30):
            return await talk(access)

    return asyncio.run(run())


def refusal(access: Access, given: str | None = None, **headers: str) -> ServiceError:
    with pytest.raises(ServiceError) as caught:
        access.identify(Headers(headers), given, ADDRESS)
    return caught.value


def client_of(access: Access, given: str | None = None, address: str = ADDRESS) -> Client:
    return access.identify({}, given, address)


async def refused(access: Access, client: Client, characters: int) -> ServiceError:
    with pytest.raises(ServiceError) as caught:
        await access.admit(client, characters)
    return caught.value


# --- Keys --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("headers", "given"),
    [
        ({"Authorization": f"Bearer {ADA}"}, None),
        ({"Authorization": f"bearer  {ADA}"}, None),
        ({"Authorization": f"DeepL-Auth-Key {ADA}"}, None),
        ({"X-API-Key": ADA}, None),
        ({"Authorization": "Bearer", "X-API-Key": ADA}, None),
        ({}, ADA),
        ({"Authorization": "Basic dXNlcjpwYXNz"}, ADA),  # a proxy's business
        ({"Authorization": "Bearer "}, ADA),
        ({"Authorization": f"Bearer {ADA}"}, BOB),  # a header goes before a parameter
    ],
)
def test_a_key_is_found_wherever_clients_put_it(keys, headers, given):
    async def talk(access: Access) -> None:
        client = access.identify(Headers(headers), given, ADDRESS)
        assert (client.name, client.character_limit) == ("ada", 100)

    using(talk, api_keys_file=keys)


def test_a_missing_key_is_not_a_wrong_one(keys):
    async def talk(access: Access) -> None:
        assert access.keys_required
        assert refusal(access).kind is Kind.KEY_MISSING
        assert refusal(access, "").kind is Kind.KEY_MISSING
        assert refusal(access, "wrong").kind is Kind.KEY_INVALID
        assert refusal(access, authorization="Bearer wrong").kind is Kind.KEY_INVALID
        # A wrong key in the header is not mended by a right one elsewhere.
        assert refusal(access, ADA, authorization="Bearer wrong").kind is Kind.KEY_INVALID

    using(talk, api_keys_file=keys)


def test_without_a_key_file_all_are_anonymous_whatever_key_they_send():
    async def talk(access: Access) -> None:
        assert not access.keys_required
        for given in (None, ADA):
            client = client_of(access, given)
            assert (client.name, client.character_limit) == ("anonymous", None)
            assert client.characters_per_minute is None

    using(talk)


def test_the_limit_a_minute_is_the_keys_own_or_the_servers(keys):
    async def talk(access: Access) -> list[int | None]:
        return [client_of(access, key).characters_per_minute for key in (ADA, BOB, CY)]

    assert using(talk, api_keys_file=keys) == [None, 10, None]
    assert using(talk, api_keys_file=keys, characters_per_minute=50) == [50, 10, None]


def test_a_damaged_file_stops_the_start_in_one_line(keys, tmp_path):
    async def never(access: Access) -> None:
        pytest.fail("it started")

    keys.write_text("{")
    with pytest.raises(ConfigError, match=r"keys\.json: Invalid JSON"):
        using(never, api_keys_file=keys)
    with pytest.raises(ConfigError, match=r"missing/usage: cannot count usage there"):
        using(never, usage_file=tmp_path / "missing" / "usage")


def test_keys_come_and_go_while_the_service_runs(keys, monkeypatch):
    monkeypatch.setattr("service.clients.access.TEND_S", 0)

    async def talk(access: Access) -> None:
        write(keys, [ENTRIES[1], {"name": "dee", "sha256": sha256_of("new")}])
        while True:
            try:
                assert client_of(access, "new").name == "dee"
                break
            except ServiceError:
                await asyncio.sleep(0)
        assert refusal(access, ADA).kind is Kind.KEY_INVALID

    using(talk, api_keys_file=keys)


# --- Characters a minute -----------------------------------------------------------------------


def test_a_client_is_refused_over_its_limit_a_minute(keys):
    async def talk(access: Access) -> None:
        bob = client_of(access, BOB)
        admission = await access.admit(bob, 10)
        assert admission.headers["RateLimit-Limit"] == "10"
        assert admission.headers["RateLimit-Remaining"] == "0"
        # 30 s to the end of the minute, 54 s until less than one of the ten counts.
        assert admission.headers["RateLimit-Reset"] == "85"
        error = await refused(access, bob, 1)
        assert error.kind is Kind.RATE_LIMITED
        assert error.retry_after_s == 31
        assert (await refused(access, bob, 11)).kind is Kind.TOO_LARGE

    using(talk, api_keys_file=keys)


def test_without_a_limit_a_minute_no_header_tells_of_one(keys):
    async def talk(access: Access) -> None:
        admission = await access.admit(client_of(access, CY), 10**9)
        assert admission.headers == {}

    using(talk, api_keys_file=keys, characters_per_minute=5)


@pytest.mark.parametrize(
    ("first", "second", "together"),
    [
        ("203.0.113.1", "203.0.113.1", True),
        ("203.0.113.1", "203.0.113.2", False),
        ("2001:db8::1", "2001:db8::ffff:0:1", True),  # one subscriber's network
        ("2001:db8::1", "2001:db8:0:1::1", False),
        ("::ffff:203.0.113.1", "::ffff:203.0.113.2", False),
        ("unix", "unix", True),
    ],
)
def test_anonymous_clients_are_told_apart_by_network(first, second, together):
    async def talk(access: Access) -> None:
        await access.admit(client_of(access, address=first), 10)
        again = client_of(access, address=second)
        if together:
            await refused(access, again, 1)
        else:
            await access.admit(again, 10)

    using(talk, characters_per_minute=10)


def test_a_key_has_its_limit_wherever_it_comes_from(keys):
    async def talk(access: Access) -> None:
        await access.admit(client_of(access, BOB, "203.0.113.1"), 10)
        await refused(access, client_of(access, BOB, "203.0.113.2"), 1)

    using(talk, api_keys_file=keys)


# --- Characters for good -----------------------------------------------------------------------


def test_parallel_requests_cannot_both_have_the_last_characters(keys):
    async def talk(access: Access) -> None:
        ada = client_of(access, ADA)
        results = await asyncio.gather(
            *(access.admit(ada, 60) for _ in range(3)), return_exceptions=True
        )
        admission, *errors = results
        assert not isinstance(admission, BaseException)
        assert [str(error) for error in errors] == [
            "request (60) exceeds the 40 characters left of 100"
        ] * 2
        assert all(isinstance(e, ServiceError) and e.kind is Kind.QUOTA_EXCEEDED for e in errors)
        admission.release()
        admission.release()
        await access.admit(ada, 100)

    using(talk, api_keys_file=keys)


def test_only_what_is_charged_is_counted(keys):
    async def talk(access: Access) -> None:
        ada = client_of(access, ADA)
        with await access.admit(ada, 60) as admission:
            admission.charge()
        assert access.usage(ada) == (60, 100)
        with pytest.raises(RuntimeError), await access.admit(ada, 40):
            raise RuntimeError
        assert access.usage(ada) == (60, 100)
        with await access.admit(ada, 40) as admission:
            admission.charge(15)  # of the rest nothing came
        assert access.usage(ada) == (75, 100)
        with await access.admit(ada, 25) as admission:
            assert (await refused(access, ada, 1)).kind is Kind.QUOTA_EXCEEDED
            admission.charge()
        assert access.usage(ada) == (100, 100)
        await access.admit(ada, 0)  # nothing to translate costs nothing

    using(talk, api_keys_file=keys)


def test_what_was_handed_out_is_charged_though_the_rest_never_comes(keys):
    async def talk(access: Access) -> None:
        ada = client_of(access, ADA)
        with await access.admit(ada, 60) as admission:
            admission.hand_out(10)
            admission.hand_out(5)
        assert access.usage(ada) == (15, 100)
        with await access.admit(ada, 85) as admission:  # the others are not reserved any more
            admission.hand_out(10)
            admission.charge(80)
        assert access.usage(ada) == (95, 100)

    using(talk, api_keys_file=keys)


def test_charging_twice_is_our_mistake(keys):
    async def talk(access: Access) -> None:
        admission = await access.admit(client_of(access, ADA), 1)
        admission.charge()
        with pytest.raises(AssertionError):
            admission.charge()

    using(talk, api_keys_file=keys)


def test_what_is_refused_by_the_minute_is_not_reserved_for_good(keys):
    async def talk(access: Access) -> None:
        ada = client_of(access, ADA)
        await access.admit(ada, 40)
        assert (await refused(access, ada, 20)).kind is Kind.RATE_LIMITED
        assert (await refused(access, ada, 51)).kind is Kind.TOO_LARGE
        assert access._usage.left("ada", 100) == 60

    using(talk, api_keys_file=keys, characters_per_minute=50)


def test_what_is_over_the_limit_for_good_does_not_count_in_the_minute(keys):
    async def talk(access: Access) -> None:
        ada = client_of(access, ADA)
        assert (await refused(access, ada, 101)).kind is Kind.QUOTA_EXCEEDED
        assert (await access.admit(ada, 1)).headers["RateLimit-Remaining"] == "199"

    using(talk, api_keys_file=keys, characters_per_minute=200)


def test_a_limit_for_good_outlasts_the_server(keys, tmp_path):
    async def talk(access: Access) -> tuple[int, int]:
        ada = client_of(access, ADA)
        with await access.admit(ada, 40) as admission:
            admission.charge()
        return access.usage(ada)

    settings = {"api_keys_file": keys, "usage_file": tmp_path / "usage"}
    assert [using(talk, **settings) for _ in range(2)] == [(40, 100), (80, 100)]
    with pytest.raises(ServiceError, match="the 20 characters left of 100"):
        using(talk, **settings)


def test_usage_without_a_limit_still_tells_clients_a_number(keys):
    async def talk(access: Access) -> None:
        client = client_of(access, CY)
        with await access.admit(client, 7) as admission:
            admission.charge()
        assert access.usage(client) == (7, UNLIMITED)

    using(talk, api_keys_file=keys)


# --- In the background -------------------------------------------------------------------------


def test_usage_is_written_while_the_service_runs(tmp_path, monkeypatch):
    monkeypatch.setattr("service.clients.access.TEND_S", 0)
    path = tmp_path / "usage"

    async def talk(access: Access) -> None:
        (await access.admit(client_of(access), 7)).charge()
        while not read_usage(path):
            await asyncio.sleep(0)

    using(talk, usage_file=path)
    assert list(read_usage(path).values()) == [Count(7, 1)]


def test_a_mistake_of_ours_does_not_end_the_writing(tmp_path, monkeypatch, caplog):
    monkeypatch.setattr("service.clients.access.TEND_S", 0)
    path = tmp_path / "usage"

    async def talk(access: Access) -> None:
        flush = access._usage.flush
        failed = asyncio.Event()

        async def fail_once() -> None:
            access._usage.flush = flush
            failed.set()
            raise RuntimeError

        access._usage.flush = fail_once
        await failed.wait()
        (await access.admit(client_of(access), 7)).charge()
        while not read_usage(path):
            await asyncio.sleep(0)

    using(talk, usage_file=path)
    assert "keys and usage could not be tended" in caplog.text


def test_closing_what_did_not_start_is_no_error():
    asyncio.run(Access(Settings()).close())


def test_no_key_and_no_address_is_ever_logged_or_told(keys, tmp_path, monkeypatch, caplog):
    caplog.set_level(logging.DEBUG)
    monkeypatch.setattr("service.clients.access.TEND_S", 0)
    told: list[object] = []

    async def talk(access: Access) -> None:
        bob = client_of(access, BOB)
        told.append(bob)
        told.append((await access.admit(bob, 10)).headers)
        told.append(await refused(access, bob, 10))
        told.append(await refused(access, bob, 11))
        told.append(refusal(access, BOB + "x"))
        write(keys, [{"name": "bob", "sha256": BOB}])  # the key where its hash belongs
        while not caplog.records:
            await asyncio.sleep(0)

    using(talk, api_keys_file=keys, usage_file=tmp_path / "usage")
    everything = caplog.text + repr(told) + "".join(str(each) for each in told)
    assert "'bob'" in everything
    assert BOB not in everything
    assert sha256_of(BOB) not in everything
    assert ADDRESS not in everything
