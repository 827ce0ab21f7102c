"""The load generator of mt-benchmark against a server that answers by a script."""

from __future__ import annotations

import asyncio
import itertools
import os
import subprocess
import sys
from collections.abc import Awaitable, Callable, Iterator
from typing import TypeVar

import pytest

from scripts.benchmarks.failure import measure_drain, measure_kill
from scripts.benchmarks.figures import outcomes
from scripts.benchmarks.load import Client, Request, closed_loop, open_loop
from scripts.benchmarks.overload import measure_overload, overflow
from scripts.benchmarks.sentences import Pair, endless_sentences, get
from scripts.benchmarks.server import Server, is_running, model_workers_of, processes_of
from scripts.benchmarks.soak import measure_soak
from scripts.benchmarks.trivial import trivial_server
from support.commands import ROOT
from support.stub_server import (
    HANG_UP,
    LATER,
    NEVER_SAID,
    NOTHING,
    OK,
    TOO_LATE,
    UNREADY,
    Stub,
)

Found = TypeVar("Found")
GERMAN = Pair("de", "en")


def _requests() -> Iterator[Request]:
    return map(GERMAN.request, endless_sentences(None, "de"))


def _against(stub: Stub, measure: Callable[[str], Awaitable[Found]]) -> Found:
    """What a measurement finds of a stub in its own event loop."""

    async def both() -> Found:
        async with stub.running():
            return await measure(stub.url)

    return asyncio.run(both())


def test_a_closed_loop_sends_every_request_once_over_as_many_connections_as_clients() -> None:
    async def measure(url: str) -> list[str]:
        async with Client(url) as client:
            await client.open(3)
            answers = await closed_loop(client, itertools.islice(_requests(), 20), 3)
        return [answer.outcome for answer in answers]

    stub = Stub([OK, LATER])
    assert sorted(_against(stub, measure)) == ["200"] * 10 + ["429"] * 10
    assert stub.connections == 3
    sent = [request.data for request in itertools.islice(_requests(), 20)]
    assert sorted(stub.requests) == sorted(sent)


def test_a_closed_loop_ends_when_no_more_is_wanted() -> None:
    async def measure(url: str) -> int:
        left = iter([True] * 7)
        async with Client(url) as client:
            answers = await closed_loop(client, _requests(), 2, wanted=lambda: next(left, False))
        return len(answers)

    assert _against(Stub(), measure) == 7


def test_an_open_loop_asks_though_nobody_answers() -> None:
    async def measure(url: str) -> list[str]:
        arrivals = [0.0, 0.01, 0.01, 0.02]
        async with Client(url, patience_s=0.2) as client:
            answers = await open_loop(client, _requests(), arrivals)
        begun = answers[0].due
        assert [answer.due - begun for answer in answers] == pytest.approx(arrivals, abs=1e-6)
        assert all(answer.sent >= answer.due for answer in answers)
        return [answer.outcome for answer in answers]

    stub = Stub([NOTHING])
    assert _against(stub, measure) == ["silent"] * 4
    assert len(stub.requests) == 4


def test_every_end_of_a_request_has_its_name() -> None:
    async def measure(url: str) -> list[tuple[str, bool]]:
        async with Client(url) as client, Client(url, patience_s=0.05) as hasty:
            answers = [await client.ask(next(_requests())) for _ in range(5)]
            answers.append(await hasty.ask(next(_requests())))
        return [(answer.outcome, answer.retry_after) for answer in answers]

    script = [OK, LATER, NEVER_SAID, HANG_UP, TOO_LATE, NOTHING]
    expected = ["200", "429", "503", "broken", "504", "silent"]
    assert _against(Stub(script), measure) == [(name, name == "429") for name in expected]


def test_a_server_that_is_not_there_refuses() -> None:
    async def measure(url: str) -> str:
        return url

    gone = _against(Stub(), measure)
    answer = asyncio.run(Client(gone).ask(next(_requests())))
    assert answer.outcome == "refused"


def test_a_client_that_keeps_nothing_connects_each_time() -> None:
    async def measure(url: str) -> None:
        async with Client(url, keeps=False) as client:
            for _ in range(3):
                assert (await client.ask(next(_requests()))).outcome == "200"

    stub = Stub()
    _against(stub, measure)
    assert stub.connections == 3


def test_a_flood_counts_what_the_script_says_and_asks_for_health() -> None:
    async def measure(url: str) -> None:
        async with Client(url) as client, Client(url, keeps=False) as prober:
            flood = await overflow(client, prober, _requests(), 400.0, 0.35)
        found, total = outcomes(flood.answers), len(flood.answers)
        assert found == {
            "200": -(-total // 4),
            "429": (total + 2) // 4,
            "503": (total + 1) // 4,
            "504": total // 4,
        }
        assert outcomes(flood.health) == {"200": 4}

    _against(Stub([OK, LATER, UNREADY, TOO_LATE]), measure)


def test_an_overload_is_measured_against_the_peak_before_and_after() -> None:
    async def measure(url: str) -> dict[str, object]:
        return await measure_overload(url, _requests(), times=0.2, seconds=0.3)

    record = _against(Stub(), measure)
    steps = record["capacity"]
    assert isinstance(steps, list)
    assert [step["clients"] for step in steps][:3] == [32, 64, 128]
    rates = [*(step["per_s"] for step in steps), record["capacity_after_per_s"]]
    assert record["peak_per_s"] == max(rates)
    assert record["shares"] == {"200": 1.0}


def test_those_who_leave_are_not_waited_for_and_send_what_they_should() -> None:
    async def measure(url: str) -> dict[str, object]:
        return await measure_soak(
            url,
            os.getpid(),
            GERMAN,
            endless_sentences(None, "de"),
            requests=400,
            warm_up=10,
            clients=4,
        )

    stub = Stub()
    record = _against(stub, measure)
    kinds = record["kinds"]
    assert isinstance(kinds, dict)
    assert sum(sum(found.values()) for found in kinds.values()) == 400
    assert set(kinds["left while waiting"]) == set(kinds["left while sending"]) == {"left"}
    assert kinds["single"].keys() == kinds["html"].keys() == {"200"}
    # The script says 200 where 400 would be right.
    wrong = sum(sum(kinds[name].values()) for name in ("no text", "wrong type", "broken JSON"))
    assert isinstance(record["unexpected"], int)
    assert record["unexpected"] >= wrong > 0
    assert len(record["resident_mb"]) == 11  # type: ignore[arg-type]
    cut = [request for request in stub.requests if len(request) < _promised(request)]
    assert cut


def _promised(request: bytes) -> int:
    head, _, _ = request.partition(b"\r\n\r\n")
    lengths = [line[16:] for line in head.split(b"\r\n") if line.startswith(b"Content-Length: ")]
    return len(head) + 4 + sum(map(int, lengths))


def test_the_trivial_server_answers_anything() -> None:
    async def measure(url: str) -> dict[str, int]:
        async with Client(url) as client:
            return outcomes(await closed_loop(client, itertools.islice(_requests(), 50), 5))

    with trivial_server(os.sched_getaffinity(0)) as url:
        assert asyncio.run(measure(url)) == {"200": 50}


def test_a_process_that_only_waits_to_be_buried_does_not_run() -> None:
    with subprocess.Popen([sys.executable, "-c", ""]) as process:
        os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
        assert not is_running(process.pid)
        assert process.pid not in processes_of(os.getpid())
        assert is_running(os.getpid())


@pytest.fixture
def server() -> Iterator[Server]:
    """A process that has a model worker."""
    process = subprocess.Popen(
        [sys.executable, "-m", "support.stub_server"],
        stdout=subprocess.PIPE,
        env=os.environ | {"PYTHONPATH": f"{ROOT}:{ROOT / 'tests'}"},
    )
    with process:
        assert process.stdout is not None
        yield Server(process.stdout.readline().decode().strip(), process.pid, process)
        process.kill()


def test_a_killed_worker_is_found_and_its_return_is_seen(server: Server) -> None:
    assert server.pid is not None
    asyncio.run(_until_ready(server.url))
    (worker,) = model_workers_of(server.pid)

    record = asyncio.run(measure_kill(server, _requests(), clients=8, seconds=0.2))

    assert not is_running(worker)
    assert len(model_workers_of(server.pid)) == record["workers"] == 1
    assert record["in_flight"].keys() <= {"200", "503"}
    assert record["ready_again_s"] > 0
    assert record["afterwards"]["200"] > 0
    assert [bar["held"] for bar in record["bars"]] == [True] * 4


def test_a_server_that_leaves_in_order_keeps_its_promises(server: Server) -> None:
    assert server.pid is not None
    asyncio.run(_until_ready(server.url))
    family = processes_of(server.pid)

    record = asyncio.run(measure_drain(server, _requests(), clients=8, seconds=0.2))

    assert len(family) == 2
    assert not any(map(is_running, family))
    assert record["exit_code"] == 0
    assert record["in_flight"]["200"] >= 1
    assert [bar["held"] for bar in record["bars"]] == [True] * 3


async def _until_ready(url: str) -> None:
    async with Client(url) as client:
        while (await client.ask(get("/ready"))).outcome != "200":
            pass
