"""Characters a minute, on a clock that the test sets."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import settings as examples
from hypothesis import strategies as st

from service.clients.rates import MINUTE_S, Allowance, Rates, Window, remaining, seconds_until_room
from service.errors import Kind, ServiceError

MINUTE = 29_000_000.0 * 60
"""The start of some minute of Unix time."""


class Clock:
    """What `limits` takes the time from."""

    def __init__(self) -> None:
        self.now = MINUTE

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(time, "time", clock)
    return clock


def take(rates: Rates, characters: int, limit: int = 100, client: str = "ada") -> Allowance:
    return asyncio.run(rates.take(client, characters, limit))


def refused(rates: Rates, characters: int, limit: int = 100, client: str = "ada") -> ServiceError:
    with pytest.raises(ServiceError) as caught:
        take(rates, characters, limit, client)
    return caught.value


def test_characters_are_counted_up_to_the_limit(clock):
    rates = Rates()
    assert take(rates, 30).remaining == 70
    assert take(rates, 70).remaining == 0
    assert take(rates, 0).remaining == 0
    assert refused(rates, 1).kind is Kind.RATE_LIMITED


def test_what_is_refused_does_not_count(clock):
    rates = Rates()
    take(rates, 30)
    refused(rates, 71)
    assert take(rates, 70).remaining == 0


def test_clients_do_not_share_a_limit(clock):
    rates = Rates()
    take(rates, 100, client="ada")
    assert take(rates, 100, client="bob").remaining == 0


def test_characters_of_the_minute_before_fade_evenly(clock):
    rates = Rates()
    take(rates, 100)
    clock.now = MINUTE + 60 + 14.7  # 75.5 of them count
    assert take(rates, 0).remaining == 25
    clock.now = MINUTE + 60 + 15  # 75
    assert take(rates, 0).remaining == 25
    refused(rates, 26)
    take(rates, 25)
    clock.now = MINUTE + 120
    assert take(rates, 0).remaining == 75


def test_a_refusal_says_when_to_come_again(clock):
    rates = Rates()
    clock.now = MINUTE + 40
    take(rates, 100)
    # 20 s to the end of the minute. Then 60 characters fit once fewer than 41 count, which is
    # after 59/100 of the next minute, 35.4 s.
    error = refused(rates, 60)
    assert error.retry_after_s == 56
    assert error.message == "100 characters a minute are accepted, try again in 56 s"


def test_a_request_that_could_never_pass_is_too_large(clock):
    error = refused(Rates(), 101)
    assert error.kind is Kind.TOO_LARGE
    assert error.message == "request (101) exceeds the limit of 100 characters a minute"
    assert error.retry_after_s is None  # coming again is of no use


def test_reset_is_when_the_whole_limit_is_there_again(clock):
    rates = Rates()
    assert take(rates, 0) == Allowance(limit=100, remaining=100, reset_s=1)
    allowance = take(rates, 50)
    # 60 s, and of the next minute all but 1/50, when less than one character counts.
    assert allowance == Allowance(limit=100, remaining=50, reset_s=119)
    clock.now += allowance.reset_s
    assert take(rates, 100).remaining == 0


def wait_for(rates: Rates, characters: int) -> int:
    """Send characters; seconds to wait if they are refused, else 0."""
    try:
        take(rates, characters)
    except ServiceError as error:
        return error.retry_after_s or 0
    return 0


arrivals = st.lists(st.tuples(st.floats(0, 90), st.integers(0, 100)), min_size=1, max_size=12)


@examples(max_examples=150)
@given(arrivals)
def test_who_comes_when_told_is_let_in_and_not_a_second_sooner(arrivals):
    clock, rates = Clock(), Rates()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(time, "time", clock)
        for pause_s, characters in arrivals:
            clock.now += pause_s
            wait_s = wait_for(rates, characters)
            if wait_s > 1:
                clock.now += wait_s - 1.001
                refused(rates, characters)
                clock.now += 0.001
            if wait_s:
                clock.now += 1
                take(rates, characters)


@examples(max_examples=100)
@given(st.integers(0, 1000), st.integers(0, 1000), st.floats(0.001, 60), st.integers(0, 1000))
def test_room_and_the_wait_for_it_agree(previous, current, rest_s, characters):
    window = Window(previous, rest_s, current, rest_s + MINUTE_S)
    if characters <= remaining(window, limit=1000):
        assert seconds_until_room(window, characters, limit=1000) == 1
    assert seconds_until_room(window, characters, limit=1000) <= 2 * MINUTE_S


def during(rates: Rates, talk: Callable[[], Awaitable[Any]]) -> Any:
    async def run() -> Any:
        rates.start()
        try:
            return await talk()
        finally:
            await rates.close()

    return asyncio.run(run())


def test_clients_are_forgotten_when_nothing_of_theirs_counts(clock):
    rates = Rates()

    async def talk() -> None:
        for number in range(3000):
            await rates.take(f"client {number}", 10**9, 10**9)
        assert len(rates._storage.expirations) == 3000  # whatever the number of characters
        clock.now += 119
        await rates.forget_expired()
        assert len(rates._storage.expirations) == 3000
        clock.now += 2
        await rates.forget_expired()

    during(rates, talk)
    storage = rates._storage
    for kept in (storage.storage, storage.expirations, storage.locks, storage.events):
        assert not kept


def test_a_request_starts_no_sweep_over_all_clients(clock):
    rates = Rates()

    async def talk() -> None:
        sweep = rates._storage.timer
        await rates.take("ada", 1, 100)
        await asyncio.sleep(0)  # a sweep begun by the request would run here
        await rates.take("ada", 1, 100)
        assert rates._storage.timer is sweep
        assert sweep
        assert not sweep.done()

    during(rates, talk)


def test_the_sweep_comes_by_itself(clock, monkeypatch):
    monkeypatch.setattr("service.clients.rates.SWEEP_S", 0)
    rates = Rates()

    async def talk() -> None:
        await rates.take("ada", 1, 100)
        clock.now += 121
        async with asyncio.timeout(30):
            while rates._storage.expirations:
                await asyncio.sleep(0)

    during(rates, talk)
