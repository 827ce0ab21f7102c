"""The service over stand-in workers: readiness, limits, failures, and its end.

Most tests speak to the app in this process; the last ones to a real server on loopback.
"""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from uvicorn.importer import import_from_string

from mt.errors import BundleError, ConfigError
from service.app import create_app
from service.clients.usage import read_usage
from service.settings import Settings
from service.texts.translation import TranslationService
from service.workers.pool import StartWorker
from support.explaining import stub_explaining
from support.logs import restored_logging
from support.serving import JSON, WAIT_S, ask, occupy, real_server, serving, until
from support.workers import StubWorkers, stub_catalogue

ROOT = Path(__file__).resolve().parents[2]


# Health, readiness, start


@asynccontextmanager
async def starting(
    start: StartWorker, *, workers: int
) -> AsyncIterator[tuple[httpx.AsyncClient, TranslationService]]:
    """The app from its start on, before its workers are there."""
    app = create_app(Settings(workers=workers), catalogue=stub_catalogue(), start_worker=start)
    transport = httpx.ASGITransport(app)
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=transport, base_url="http://test") as http,
    ):
        yield http, app.state.server.translation


def test_a_server_is_not_ready_while_a_worker_is_missing_but_translates():
    workers, door = StubWorkers(), asyncio.Event()

    async def start():
        if workers.alive:
            await door.wait()
        return await workers.start()

    async def conversation():
        async with starting(start, workers=2) as (http, translation):
            await until(lambda: translation.queue.workers == 1)
            response = await http.get("/ready")
            assert (response.status_code, response.json()) == (503, {"status": "starting"})
            fields = {"q": "a", "source": "de", "target": "en"}
            answer = await http.post("/translate", json=fields)
            assert answer.json() == {"translatedText": "A"}
            door.set()
            await until(lambda: translation.status == "ready")
            assert (await http.get("/ready")).status_code == 200

    asyncio.run(conversation())


def test_a_server_is_ready_once_its_workers_are_there():
    workers, door = StubWorkers(), asyncio.Event()

    async def start():
        await door.wait()
        return await workers.start()

    async def conversation():
        async with starting(start, workers=1) as (http, translation):
            response = await http.get("/ready")
            assert (response.status_code, response.json()) == (503, {"status": "starting"})
            assert int(response.headers["retry-after"]) >= 1
            assert (await http.get("/health")).json() == {"status": "ok"}
            refused = await http.post("/translate", json={"q": "a", "source": "de", "target": "en"})
            assert refused.status_code == 503
            assert refused.json() == {"error": "the server is starting; try again soon"}
            assert int(refused.headers["retry-after"]) >= 1
            door.set()
            await until(lambda: translation.status == "ready")
            response = await http.get("/ready")
            assert response.status_code == 200
            assert response.json() == {
                "status": "ready",
                "model": "de-en",
                "engine": "stub",
                "models": ["de-en"],
                "workers": 1,
            }
            assert (await http.head("/health")).status_code == 200
            assert (await http.head("/ready")).status_code == 200

    asyncio.run(conversation())


def test_a_server_whose_workers_cannot_start_is_never_ready_and_says_why():
    told = []
    reason = ConfigError("no such engine")

    async def conversation():
        app = create_app(
            Settings(workers=1),
            catalogue=stub_catalogue(),
            start_worker=StubWorkers(never_starts=reason).start,
            on_failure=told.append,
        )
        async with app.router.lifespan_context(app):
            await until(lambda: told)
            assert app.state.server.translation.status == "failed"
            transport = httpx.ASGITransport(app)
            async with httpx.AsyncClient(transport=transport, base_url="http://test") as http:
                refused = await http.post("/translate", json={"q": "a"})
                ready = await http.get("/ready")
            assert refused.json() == {"error": "the server has failed; its log says why"}
            assert ready.json() == {"status": "failed"}
            for response in (refused, ready):
                assert response.status_code == 503
                assert "retry-after" not in response.headers

    asyncio.run(conversation())
    assert told == [reason]


def test_a_dead_worker_answers_everyone_and_flips_readiness_until_it_is_replaced():
    workers = StubWorkers(kills="deadly")

    async def conversation(client):
        busy = await occupy(client, workers)
        texts = ("deadly", "beside")
        waiting = [asyncio.create_task(client.translate(text)) for text in texts]
        await until(lambda: len(client.server.translation.queue) == 2)
        workers.release()
        assert (await busy).status_code == 200
        for response in await asyncio.gather(*waiting):
            assert response.status_code == 503
            assert "died" in response.json()["error"]
            assert int(response.headers["retry-after"]) >= 1
        await client.ready()
        assert (await client.translate("again")).json() == {"translatedText": "AGAIN"}
        metrics = (await client.http.get("/metrics")).text
        assert "mt_worker_restarts_total 1.0" in metrics

    ask(conversation, workers)


def test_a_server_does_not_start_without_its_model(tmp_path):
    app = create_app(Settings(model=(tmp_path / "nowhere",)))

    async def start() -> None:
        async with app.router.lifespan_context(app):
            pass

    with pytest.raises(BundleError):
        asyncio.run(start())


def test_uvicorn_finds_an_app_with_the_settings_of_the_environment(monkeypatch):
    monkeypatch.setenv("MT_CHAR_LIMIT", "none")
    with restored_logging(), pytest.raises(ConfigError, match="MT_CHAR_LIMIT"):
        import_from_string("service.app:app")
    monkeypatch.delenv("MT_CHAR_LIMIT")
    with restored_logging():
        assert isinstance(import_from_string("service.app:app"), FastAPI)


# Limits and failures


def test_a_body_beyond_the_limit_is_refused_with_or_without_its_length():
    async def chunks() -> AsyncIterator[bytes]:
        for _ in range(3):
            yield b"x" * 1000

    async def conversation(client):
        for content in (b"x" * 3000, chunks()):
            response = await client.http.post("/translate", content=content, headers=JSON)
            assert response.status_code == 413
            assert response.json() == {"error": "the request body exceeds 2000 bytes"}

    ask(conversation, max_body_bytes=2000)


def test_a_body_that_says_it_is_too_large_is_not_read():
    async def conversation(client):
        sent: list[dict[str, Any]] = []

        async def receive() -> dict[str, Any]:
            raise AssertionError("it was read")

        async def send(message: dict[str, Any]) -> None:
            sent.append(message)

        headers = [(b"content-type", b"application/json"), (b"content-length", b"3000")]
        await client.app(http_scope(headers), receive, send)
        assert sent[0]["status"] == 413

    ask(conversation, max_body_bytes=2000)


def http_scope(headers: list[tuple[bytes, bytes]]) -> dict[str, Any]:
    return {
        "type": "http",
        "method": "POST",
        "path": "/translate",
        "query_string": b"",
        "headers": headers,
    }


def test_a_request_past_its_deadline_gets_504_and_frees_its_place():
    workers = StubWorkers()

    async def conversation(client):
        workers.hold()
        response = await client.translate("a" * 400 + "\n" + "b" * 400)
        assert response.status_code == 504
        assert response.json() == {"error": "the translation took too long"}
        workers.release()
        await until(lambda: client.server.translation.queue.empty)
        assert workers.segments == ["a" * 400]  # the second was never begun

    ask(conversation, workers, deadline_s=0.2, batch_characters=400)


def test_a_request_that_does_not_arrive_gets_408():
    async def conversation(client):
        sent: list[dict[str, Any]] = []

        async def receive() -> dict[str, Any]:
            await asyncio.Event().wait()
            raise AssertionError

        async def send(message: dict[str, Any]) -> None:
            sent.append(message)

        scope = http_scope([(b"content-type", b"application/json")])
        await client.app(scope, receive, send)
        assert sent[0]["status"] == 408

    ask(conversation, deadline_s=0.1)


def test_a_server_with_too_much_to_do_refuses_translations_but_not_health():
    workers = StubWorkers()

    async def conversation(client):
        busy = await occupy(client, workers)
        waiting = asyncio.create_task(client.translate("a" * 6000))  # 1.2 s at the first guess
        await until(lambda: len(client.server.translation.queue) == 1)
        refused = await client.translate("c")
        assert refused.status_code == 429
        assert refused.json() == {"error": "Slowdown: the server is busy; try again in 1 s"}
        assert refused.headers["retry-after"] == "1"
        for path in ("/health", "/ready"):
            assert (await client.http.get(path)).status_code == 200
        workers.release()
        assert {(await busy).status_code, (await waiting).status_code} == {200}
        assert (
            'mt_rejected_total{reason="overloaded"} 1.0' in (await client.http.get("/metrics")).text
        )

    ask(conversation, workers, max_wait_s=1.0)


def test_one_bad_text_fails_alone():
    workers = StubWorkers(fails="bad")

    async def conversation(client):
        busy = await occupy(client, workers)
        tasks = [asyncio.create_task(client.translate(text)) for text in ("a", "bad", "b")]
        await until(lambda: len(client.server.translation.queue) == 3)
        workers.release()
        await busy
        good, failed, also_good = await asyncio.gather(*tasks)
        assert good.json() == {"translatedText": "A"}
        assert also_good.json() == {"translatedText": "B"}
        assert (failed.status_code, failed.json()) == (500, {"error": "internal error"})

    ask(conversation, workers)


def test_a_bug_of_ours_is_an_internal_error_without_details(monkeypatch):
    async def conversation(client):
        monkeypatch.setattr(client.server.translation, "translate", None)
        response = await client.translate("a")
        assert (response.status_code, response.json()) == (500, {"error": "internal error"})

    ask(conversation)


def test_a_draining_server_answers_what_it_accepted_and_refuses_the_rest():
    workers = StubWorkers()

    async def conversation(client):
        busy = await occupy(client, workers)
        draining = asyncio.create_task(client.server.translation.close(WAIT_S))
        await until(lambda: client.server.translation.status == "draining")
        refused = await client.translate("late")
        assert refused.status_code == 503
        assert "retry-after" in refused.headers
        assert (await client.http.get("/ready")).json() == {"status": "draining"}
        workers.release()
        assert (await busy).json() == {"translatedText": "BUSY"}
        await draining

    ask(conversation, workers)


def test_identical_requests_in_flight_share_one_computation():
    workers = StubWorkers()

    async def conversation(client):
        busy = await occupy(client, workers)
        tasks = [asyncio.create_task(client.translate("gleich")) for _ in range(5)]
        await until(lambda: client.server.translation.queue and tasks)
        await asyncio.sleep(0.05)
        workers.release()
        await busy
        for response in await asyncio.gather(*tasks):
            assert response.json() == {"translatedText": "GLEICH"}
        assert workers.segments == ["busy", "gleich"]
        assert (await client.translate("gleich")).json() == {"translatedText": "GLEICH"}
        assert workers.segments == ["busy", "gleich"]  # from the cache

    ask(conversation, workers)


def test_a_text_by_way_of_a_third_language_says_so():
    workers = StubWorkers(convert=lambda text: text + "!")

    async def conversation(client):
        response = await client.translate("Hallo. Welt.", target="fr")
        assert response.json() == {"translatedText": "Hallo.!! Welt.!!"}
        assert response.headers["x-translation-pivot"] == "en"
        assert [batch.model for batch in workers.batches] == ["de-en", "en-fr"]
        direct = await client.translate("Hallo.")
        assert "x-translation-pivot" not in direct.headers
        listed = (await client.http.get("/languages")).json()
        assert [(each["code"], each["targets"]) for each in listed] == [
            ("de", ["de", "en", "fr"]),
            ("en", ["en", "fr"]),
            ("fr", ["fr"]),
        ]

    ask(conversation, workers, catalogue=stub_catalogue("de-en", "en-fr"))


@pytest.mark.parametrize(
    ("path", "text"),
    [("/translate", {"q": ["Ja.", "7"]}), ("/v2/translate", {"text": ["Ja.", "7"]})],
)
def test_what_deserves_a_second_look_is_named_where_answers_have_no_place_for_it(path, text):
    ways = {"source": "de", "target": "en", "source_lang": "DE", "target_lang": "EN"}

    async def flagged(client):
        response = await client.http.post(path, json=text | ways)
        assert response.headers["x-translation-flags"] == "copied, numbers"

    async def fine(client):
        response = await client.http.post(path, json=text | ways)
        assert response.status_code == 200
        assert "x-translation-flags" not in response.headers

    ask(flagged, StubWorkers(flags=frozenset({"numbers", "copied"})))
    ask(fine, StubWorkers())


def test_a_finished_translation_wins_over_the_model(tmp_path):
    memory = tmp_path / "terms.de-en.tsv"
    memory.write_text("Guten Tag.\tHow do you do?\n", encoding="utf-8")
    workers = StubWorkers()

    async def conversation(client):
        response = await client.translate("Guten Tag. Und nun?")
        assert response.json() == {"translatedText": "How do you do? UND NUN?"}
        assert workers.segments == ["Und nun?"]

    ask(conversation, workers, translation_memory=(memory,))


def test_html_keeps_its_tags_and_escaped_markup_stays_escaped():
    async def conversation(client):
        text = '<p class="a">eins <b>zwei</b></p>&lt;img src=x onerror=alert(1)&gt;'
        response = await client.translate(text, format="html")
        assert response.json() == {
            "translatedText": '<p class="a">EINS <b>ZWEI</b></p>&lt;IMG SRC=X ONERROR=ALERT(1)&gt;'
        }

    ask(conversation)


def test_other_origins_are_allowed_only_where_the_settings_say_so():
    origin = {"origin": "https://page.example"}

    async def refused(client):
        response = await client.http.get("/languages", headers=origin)
        assert "access-control-allow-origin" not in response.headers

    async def allowed(client):
        response = await client.http.get("/languages", headers=origin)
        assert response.headers["access-control-allow-origin"] == "*"
        assert "access-control-allow-credentials" not in response.headers
        readable = response.headers["access-control-expose-headers"].lower().split(", ")
        for name in ("remaining", "limit", "reset"):
            assert f"ratelimit-{name}" in readable
        assert {"retry-after", "x-ignored-parameters", "x-request-id"} < set(readable)
        assert {"x-translation-pivot", "x-translation-flags"} < set(readable)

    ask(refused)
    ask(allowed, cors_origins=("*",))


@pytest.mark.parametrize("origins", [("https://page.example",), ()])
def test_a_page_that_may_read_answers_may_read_that_of_an_internal_error(monkeypatch, origins):
    async def conversation(client):
        monkeypatch.setattr(client.server.translation, "translate", None)
        headers = JSON | {"origin": "https://page.example", "x-request-id": "mine"}
        body = json.dumps({"q": "a", "source": "de", "target": "en"})
        response = await client.http.post("/translate", content=body, headers=headers)
        assert response.status_code == 500
        assert response.headers["x-request-id"] == "mine"
        assert response.headers.get_list("access-control-allow-origin") == list(origins)
        assert ("access-control-expose-headers" in response.headers) == bool(origins)

    ask(conversation, cors_origins=origins)


def test_a_key_opens_the_door_and_its_characters_are_counted(tmp_path):
    from hashlib import sha256

    keys = tmp_path / "keys.json"
    digest = sha256(b"open-sesame").hexdigest()
    keys.write_text(f'{{"keys": [{{"name": "ali", "sha256": "{digest}", "character_limit": 10}}]}}')

    async def conversation(client):
        missing = await client.translate("eins")
        assert missing.status_code == 400
        wrong = await client.translate("eins", api_key="sesame")
        assert (wrong.status_code, wrong.json()) == (403, {"error": "Invalid API key"})
        right = await client.translate("eins", api_key="open-sesame")
        assert right.json() == {"translatedText": "EINS"}
        header = {"authorization": "Bearer open-sesame", **JSON}
        body = b'{"q": "zwei", "source": "de", "target": "en"}'
        response = await client.http.post("/translate", content=body, headers=header)
        assert response.json() == {"translatedText": "ZWEI"}
        spent = await client.translate("drei", api_key="open-sesame")
        assert spent.status_code == 429

    ask(conversation, api_keys_file=keys)


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        ("/translate", {"q": "Ja.", "source": "de", "target": "en"}, 400),
        ("/detect", {"q": "Ja."}, 400),
        ("/v1/translate", {"texts": "Ja."}, 401),
        ("/v1/translate/stream", {"texts": "Ja."}, 401),
        ("/v1/answer", {"questions": "Wo?"}, 401),
        ("/v1/explain", {"text": "Ja."}, 401),
        ("/v2/translate", {"text": ["Ja."], "target_lang": "EN"}, 403),
    ],
)
def test_nothing_is_done_with_a_text_without_a_key_where_keys_are_asked_for(
    tmp_path, path, body, status
):
    async def conversation(client):
        assert (await client.http.post(path, json=body)).status_code == status

    keys = tmp_path / "keys.json"
    keys.write_text(json.dumps({"keys": [{"name": "ada", "sha256": "0" * 64}]}))
    ask(conversation, api_keys_file=keys, explaining=stub_explaining())


def test_what_is_charged_is_what_was_answered():
    async def conversation(client):
        access = client.server.access
        for path, body in [
            ("/v1/translate", {"texts": ["good", "bad"]}),
            ("/v1/explain", {"text": "Ja."}),
        ]:
            assert (await client.http.post(path, json=body)).status_code == 200
            used.append(access.usage(access.identify({}, None, ""))[0])

    used: list[int] = []
    ask(conversation, StubWorkers(fails="bad"), explaining=stub_explaining())
    assert used == [4, 4 + 3]


def test_usage_is_written_when_the_service_ends(tmp_path, monkeypatch):
    monkeypatch.setattr("service.clients.access.TEND_S", 600)

    async def conversation(client):
        assert (await client.translate("eins")).status_code == 200

    file = tmp_path / "usage.sqlite"
    ask(conversation, usage_file=file)
    assert [counts.characters for counts in read_usage(file).values()] == [4]


# A real server


def test_concurrent_requests_share_batches():
    workers = StubWorkers()

    async def conversation():
        async with serving(workers) as client:
            busy = await occupy(client, workers)
            tasks = [asyncio.create_task(client.translate(f"satz {n:02}")) for n in range(32)]
            await until(lambda: len(client.server.translation.queue) == 32)
            workers.release()
            responses = await asyncio.gather(*tasks)
            assert [response.json()["translatedText"] for response in responses] == [
                f"SATZ {n:02}" for n in range(32)
            ]
            await busy
            assert [len(batch.segments) for batch in workers.batches] == [1, 32]

    asyncio.run(conversation())


def test_a_real_server_answers_on_loopback():
    with real_server() as url, httpx.Client(base_url=url, trust_env=False) as http:
        response = http.post("/translate", data={"q": "ja", "source": "de", "target": "en"})
        assert response.json() == {"translatedText": "JA"}
        assert response.headers["x-request-id"]


SERVER_PROGRAM = """
import asyncio, socket, sys, uvicorn
from service.app import create_app
from service.telemetry.logs import configure_logging
from service.settings import Settings
from support.workers import StubWorker, StubWorkers, stub_catalogue

class Told(StubWorkers):
    async def start(self):
        return Obedient(self)

class Obedient(StubWorker):
    async def translate(self, batch):
        print("translating", *batch.segments, flush=True)
        await asyncio.to_thread(sys.stdin.readline)
        return await super().translate(batch)

configure_logging()
listener = socket.create_server(("127.0.0.1", 0))
app = create_app(
    Settings(deadline_s=30, workers=1),
    catalogue=stub_catalogue(),
    start_worker=Told().start,
    on_ready=lambda: print(listener.getsockname()[1], flush=True),
)
config = uvicorn.Config(app, log_config=None, access_log=False)
uvicorn.Server(config).run(sockets=[listener])
"""


class Process:
    """A server that translates a batch for each line it is sent."""

    def __init__(self) -> None:
        environment = {**os.environ, "PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'tests'}"}
        self.process = subprocess.Popen(
            [sys.executable, "-c", SERVER_PROGRAM],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=environment,
        )

    async def line(self) -> str:
        assert self.process.stdout is not None
        return (await asyncio.to_thread(self.process.stdout.readline)).strip()

    def go_on(self) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write("\n")
        self.process.stdin.flush()


@pytest.fixture
def process():
    started = Process()
    with started.process:
        yield started
        started.process.kill()


FIELDS = {"q": "Grüße\r\nan alle", "source": "de", "target": "en"}


def test_on_sigterm_a_server_answers_what_is_in_flight_and_ends(process):
    async def conversation() -> None:
        port = int(await process.line())
        url = f"http://127.0.0.1:{port}"
        async with httpx.AsyncClient(base_url=url, timeout=WAIT_S, trust_env=False) as http:
            in_flight = asyncio.create_task(http.post("/translate", params=FIELDS))
            assert await process.line() == "translating Grüße an alle"
            process.process.terminate()
            await refuses_connections(port)
            assert not in_flight.done()
            process.go_on()
            assert (await in_flight).json() == {"translatedText": "GRÜSSE\r\nAN ALLE"}

    asyncio.run(conversation())
    assert process.process.wait(WAIT_S) in (0, -signal.SIGTERM)


async def refuses_connections(port: int) -> None:
    async with asyncio.timeout(WAIT_S):
        while True:
            try:
                _, writer = await asyncio.open_connection("127.0.0.1", port)
            except ConnectionError:  # refused, or reset by a listener that closes just now
                return
            writer.close()
            await writer.wait_closed()


def test_a_client_that_leaves_frees_its_place(process):
    async def conversation() -> None:
        port = int(await process.line())
        url = f"http://127.0.0.1:{port}"
        async with httpx.AsyncClient(base_url=url, timeout=WAIT_S, trust_env=False) as http:
            busy = asyncio.create_task(http.post("/translate", params=FIELDS | {"q": "busy"}))
            assert await process.line() == "translating busy"
            leaving = asyncio.create_task(http.post("/translate", params=FIELDS | {"q": "leaving"}))
            await depth(http, 1)
            leaving.cancel()
            await depth(http, 0)
            process.go_on()
            await busy
            staying = asyncio.create_task(http.post("/translate", params=FIELDS | {"q": "staying"}))
            assert await process.line() == "translating staying"
            process.go_on()
            assert (await staying).json() == {"translatedText": "STAYING"}

    asyncio.run(conversation())


def test_a_client_that_leaves_before_its_answer_is_no_error_of_the_server():
    workers = StubWorkers()
    workers.hold()

    async def conversation(url: str) -> list[str]:
        async with httpx.AsyncClient(base_url=url, timeout=WAIT_S, trust_env=False) as http:
            leaving = asyncio.create_task(http.post("/translate", params=FIELDS))
            async with asyncio.timeout(WAIT_S):
                while not workers.batches:
                    await asyncio.sleep(0)
                leaving.cancel()
                counted = re.compile(r'requests_total{method="POST",.*status="([0-9]+)"} 1')
                while not (found := counted.findall((await http.get("/metrics")).text)):
                    await asyncio.sleep(0)
        return found

    with real_server(workers) as url:
        assert asyncio.run(conversation(url)) == ["499"]


async def depth(http: httpx.AsyncClient, expected: int) -> None:
    """Wait until so many segments wait, by what the queue's work is worth."""
    async with asyncio.timeout(WAIT_S):
        while True:
            text = (await http.get("/metrics")).text
            (value,) = (
                float(line.split()[1])
                for line in text.splitlines()
                if line.startswith("mt_queue_depth ")
            )
            if value == expected:
                return
