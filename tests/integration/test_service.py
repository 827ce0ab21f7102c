"""The service over a fake translator: its wire format, its limits, its failures.

Most tests speak to the app in this process; the last ones to a real server on loopback.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import os
import re
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import uvicorn
from fastapi import FastAPI
from uvicorn.importer import import_from_string

from mt.config import SearchConfig
from mt.errors import BundleError, ConfigError
from service.app import create_app
from service.settings import Settings, load_settings
from service.translation import TranslationService
from support.translators import FakeTranslator

WAIT_S = 30
"""What would be waited for in vain fails after this; a test that passes never waits so long."""
ROOT = Path(__file__).resolve().parents[2]


class Client:
    """A client of the app, with the app's own objects at hand."""

    def __init__(self, app: Any, http: httpx.AsyncClient) -> None:
        self.app = app
        self.http = http
        self.service = app.state.service

    async def translate(self, q: object, **parameters: object) -> httpx.Response:
        body = {"q": q, "source": "de", "target": "en", **parameters}
        return await self.http.post("/translate", content=json.dumps(body), headers=JSON)


JSON = {"content-type": "application/json"}


@contextlib.asynccontextmanager
async def serving(
    translator: FakeTranslator, *, warm: bool = True, **settings: Any
) -> AsyncIterator[Client]:
    app = create_app(Settings(**{"deadline_s": WAIT_S, **settings}), translator)
    async with app.router.lifespan_context(app):
        transport = httpx.ASGITransport(app, raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url="http://test") as http:
            if warm:
                await asyncio.wrap_future(app.state.service.warm_up)
                translator.forget()
            yield Client(app, http)
            translator.release()


def ask(
    conversation: Callable[[Client], Awaitable[Any]],
    translator: FakeTranslator | None = None,
    **settings: Any,
) -> Any:
    """Start the app, hold a conversation with it, stop it."""

    async def run() -> Any:
        async with serving(translator or FakeTranslator(), **settings) as client:
            return await conversation(client)

    return asyncio.run(run())


async def occupy(client: Client, translator: FakeTranslator) -> asyncio.Task[httpx.Response]:
    """Keep the worker busy with a request until the translator is released."""
    translator.hold()
    task = asyncio.create_task(client.translate("busy"))
    assert await asyncio.to_thread(translator.searching.wait, WAIT_S)
    return task


async def until(condition: Callable[[], object]) -> None:
    async with asyncio.timeout(WAIT_S):
        while not condition():
            await asyncio.sleep(0)


# --- The parameters, wherever they come --------------------------------------------------


FIELDS = {"q": "Grüße\r\nan alle", "source": "de", "target": "en"}


@pytest.mark.parametrize(
    "request_arguments",
    [
        {"json": FIELDS},
        {"content": json.dumps(FIELDS), "headers": {"content-type": "application/ld+json"}},
        {"data": FIELDS},
        {"params": FIELDS},
        {"params": {"q": FIELDS["q"]}, "data": {"source": "de", "target": "en"}},
        {"files": {name: (None, value) for name, value in FIELDS.items()}},
        {
            "content": "q=Grüße\r\nan alle&source=de&target=en".encode(),
            "headers": {"content-type": "application/x-www-form-urlencoded"},
        },
    ],
    ids=["json", "json-variant", "form", "query", "query-and-form", "multipart", "raw-utf8-form"],
)
def test_parameters_may_come_in_any_of_libretranslates_places(request_arguments):
    async def conversation(client):
        response = await client.http.post("/translate", **request_arguments)
        assert response.status_code == 200
        assert response.json() == {"translatedText": "GRÜSSE\r\nAN ALLE"}

    ask(conversation)


def test_a_list_is_answered_with_a_list_in_its_order():
    async def conversation(client):
        response = await client.translate(["eins", "", "zwei\n\n", "eins"])
        assert response.json() == {"translatedText": ["EINS", "", "ZWEI\n\n", "EINS"]}
        assert (await client.translate(["eins"])).json() == {"translatedText": ["EINS"]}

    ask(conversation)


def test_codes_are_lower_cased_and_a_key_is_ignored():
    async def conversation(client):
        response = await client.translate("ja", source="DE", target="En", api_key="secret")
        assert response.json() == {"translatedText": "JA"}

    ask(conversation)


@pytest.mark.parametrize("count", [2, "2"])
def test_alternatives_are_given_when_asked_for(count):
    async def conversation(client):
        assert (await client.translate("ja", alternatives=count)).json() == {
            "translatedText": "JA",
            "alternatives": ["JA#1", "JA#2"],
        }
        assert (await client.translate(["ja", "42"], alternatives=count)).json() == {
            "translatedText": ["JA", "42"],
            "alternatives": [["JA#1", "JA#2"], []],
        }

    ask(conversation)


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"q": None}, "Invalid request: missing q parameter"),
        ({"q": ""}, "Invalid request: missing q parameter"),
        ({"q": []}, "Invalid request: missing q parameter"),
        ({"source": None}, "Invalid request: missing source parameter"),
        ({"target": ""}, "Invalid request: missing target parameter"),
        ({"q": 5}, "Invalid request: q parameter is not a string or a list of strings"),
        ({"q": ["a", None]}, "Invalid request: q parameter is not a string or a list of strings"),
        ({"q": [["a"]]}, "Invalid request: q parameter is not a string or a list of strings"),
        ({"q": {"a": 1}}, "Invalid request: q parameter is not a string or a list of strings"),
        ({"source": ["de"]}, "Invalid request: source parameter is not a string"),
        ({"source": "zz"}, "zz is not supported"),
        ({"target": "zz"}, "zz is not supported"),
        ({"target": "auto"}, "auto is not supported"),
        ({"source": "z" * 999}, "z" * 40 + "... is not supported"),
        ({"source": "\ud800"}, "\ufffd is not supported"),
        (
            {"source": "en", "target": "de"},
            "en is not supported as source language; this server translates de to en",
        ),
        (
            {"source": "auto", "target": "de"},
            "de is not supported as target language; this server translates de to en",
        ),
        ({"format": "rtf"}, "rtf format is not supported"),
        ({"format": "html"}, "html format is not supported yet"),
        ({"format": 1}, "Invalid request: format parameter is not a string"),
        ({"q": "12345678901"}, "Invalid request: request (11) exceeds text limit (10)"),
        ({"q": ["a", "12345678901"]}, "Invalid request: request (11) exceeds text limit (10)"),
        ({"q": ["a"] * 4}, "Invalid request: request (4) exceeds text limit (3)"),
        ({"alternatives": "x"}, "Invalid request: alternatives parameter is not a number"),
        ({"alternatives": 1.5}, "Invalid request: alternatives parameter is not a number"),
        ({"alternatives": True}, "Invalid request: alternatives parameter is not a number"),
        ({"alternatives": [1]}, "Invalid request: alternatives parameter is not a number"),
        ({"alternatives": "9" * 5000}, "Invalid request: alternatives parameter is not a number"),
        ({"alternatives": -1}, "Invalid request: alternatives parameter must be >= 0"),
        ({"alternatives": 10**9}, "Invalid request: alternatives parameter must be <= 4"),
    ],
)
def test_a_wrong_parameter_is_named(parameters, message):
    async def conversation(client):
        response = await client.translate(**{"q": "a", **parameters})
        assert (response.status_code, response.json()) == (400, {"error": message})

    ask(conversation, char_limit=10, batch_limit=3)


def test_a_beam_bounds_the_alternatives_whatever_the_settings_say():
    async def conversation(client):
        assert (await client.translate("a", alternatives=1)).status_code == 200
        response = await client.translate("a", alternatives=2)
        assert response.json() == {"error": "Invalid request: alternatives parameter must be <= 1"}

    ask(conversation, FakeTranslator(search_config=SearchConfig(beam_size=2)))


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"5", b"\xff", b"[" * 100_000])
def test_json_that_is_no_object_is_refused(body):
    async def conversation(client):
        response = await client.http.post("/translate", content=body, headers=JSON)
        assert (response.status_code, response.json()) == (400, {"error": "Invalid JSON format"})

    ask(conversation)


def test_a_form_with_two_texts_is_refused_and_not_halved():
    async def conversation(client):
        response = await client.http.post("/translate", params={"q": ["a", "b"]})
        assert response.status_code == 400
        assert "given twice" in response.json()["error"]

    ask(conversation)


def test_a_form_with_too_many_fields_is_refused():
    async def conversation(client):
        response = await client.http.post("/translate", data={f"x{n}": "1" for n in range(101)})
        assert response.status_code == 400
        assert response.json() == {"error": "Invalid request: too many form fields"}

    ask(conversation)


@pytest.mark.parametrize(
    "content_type", ["multipart/form-data", "multipart/form-data; boundary=x; charset=undefined"]
)
def test_a_damaged_multipart_form_is_refused(content_type):
    async def conversation(client):
        body = b'--x\r\nContent-Disposition: form-data; name="q"\r\n\r\nhello\r\n--x--\r\n'
        response = await client.http.post(
            "/translate", content=body, headers={"content-type": content_type}
        )
        assert response.status_code == 400
        assert set(response.json()) == {"error"}

    ask(conversation)


def test_text_is_made_valid_unicode_and_nothing_else_is_touched():
    text = "\ud800a\0b\udfff \u00a0\t\x0b\x85\u2028ﬁ e\u0301 👩‍👩‍👧\r\n "
    cleaned = "\ufffdab\ufffd \u00a0\t\x0b\x85\u2028ﬁ e\u0301 👩‍👩‍👧\r\n "

    async def conversation(client):
        assert (await client.translate(text)).json() == {"translatedText": cleaned}

    ask(conversation, FakeTranslator(convert=str))


# --- Which texts are translated ------------------------------------------------------------


GERMAN = "Der Hund läuft heute über die grüne Wiese."
ENGLISH = "The dog is running through the green grass today."


def test_with_auto_each_text_has_its_own_language():
    async def conversation(client):
        answer = (await client.translate([GERMAN, ENGLISH, " 👍 42"], source="auto")).json()
        assert answer["translatedText"] == [GERMAN.upper(), ENGLISH, " 👍 42"]
        german, english, neither = answer["detectedLanguage"]
        assert german["language"] == "de"
        assert 90 < german["confidence"] <= 100
        assert english["language"] == "en"
        assert neither == {"confidence": 0, "language": "de"}

    ask(conversation)


def test_with_auto_a_single_text_has_a_single_detected_language():
    async def conversation(client):
        answer = (await client.translate(GERMAN, source="auto")).json()
        assert answer["detectedLanguage"]["language"] == "de"

    ask(conversation)


def test_auto_is_refused_where_a_language_cannot_be_detected():
    async def conversation(client):
        assert "auto is not supported" in (await client.translate("a", source="auto")).text
        assert (await client.translate("a", source="xx")).json() == {"translatedText": "A"}

    ask(conversation, FakeTranslator(source_language="xx"))


@pytest.mark.parametrize("text", [" ", "\n\n", "👍🏽", "3,50 €", "..."])
def test_a_text_without_letters_comes_back_unchanged_without_the_translator(text):
    translator = FakeTranslator(convert=lambda line: "changed")

    async def conversation(client):
        assert (await client.translate(text)).json() == {"translatedText": text}
        assert translator.batches == []

    ask(conversation, translator)


@pytest.mark.parametrize("code", ["de", "en"])
def test_a_text_already_in_the_target_language_comes_back_unchanged(code):
    async def conversation(client):
        answer = await client.translate("abc", source=code, target=code)
        assert answer.json() == {"translatedText": "abc"}

    ask(conversation)


# --- The other routes ----------------------------------------------------------------------


def test_languages_are_listed_even_if_the_request_has_a_body():
    async def conversation(client):
        response = await client.http.request("GET", "/languages", data={"api_key": "x"})
        assert response.json() == [
            {"code": "de", "name": "German", "targets": ["de", "en"]},
            {"code": "en", "name": "English", "targets": ["en"]},
        ]

    ask(conversation)


def test_frontend_settings_tell_the_limits_and_languages():
    async def conversation(client):
        assert (await client.http.get("/frontend/settings")).json() == {
            "charLimit": 77,
            "frontendTimeout": 500,
            "apiKeys": False,
            "keyRequired": False,
            "suggestions": False,
            "filesTranslation": False,
            "supportedFilesFormat": [],
            "language": {
                "source": {"code": "de", "name": "German"},
                "target": {"code": "en", "name": "English"},
            },
        }

    ask(conversation, char_limit=77)


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/translate", 405),
        ("POST", "/languages", 405),
        ("POST", "/health", 405),
        ("GET", "/nothing", 404),
    ],
)
def test_the_router_refuses_in_the_same_shape(method, path, status):
    async def conversation(client):
        response = await client.http.request(method, path)
        assert response.status_code == status
        assert list(response.json()) == ["error"]

    ask(conversation)


def test_a_route_that_lets_fastapi_check_a_parameter_refuses_in_the_same_shape():
    async def twice(n: int) -> int:
        return 2 * n

    async def conversation(client):
        client.app.get("/twice")(twice)
        response = await client.http.get("/twice", params={"n": "x"})
        assert response.status_code == 422
        assert response.json()["error"].startswith("Invalid request: query.n: ")

    ask(conversation)


def test_the_openapi_document_describes_every_route():
    async def conversation(client):
        document = (await client.http.get("/openapi.json")).json()
        assert set(document["paths"]) == {
            "/translate",
            "/languages",
            "/frontend/settings",
            "/health",
            "/ready",
        }
        content = document["paths"]["/translate"]["post"]["requestBody"]["content"]
        assert "q" in content["application/json"]["schema"]["properties"]

    ask(conversation)


# --- Health, readiness, start ----------------------------------------------------------------


def test_a_service_that_was_not_started_is_starting():
    assert TranslationService(Settings(), FakeTranslator()).status == "starting"


def test_a_server_is_ready_only_after_its_first_translation():
    translator = FakeTranslator()
    translator.hold()

    async def conversation(client):
        response = await client.http.get("/ready")
        assert (response.status_code, response.json()) == (503, {"status": "starting"})
        assert int(response.headers["retry-after"]) >= 1
        assert (await client.http.get("/health")).json() == {"status": "ok"}
        translator.release()
        await asyncio.wrap_future(client.service.warm_up)
        response = await client.http.get("/ready")
        assert (response.status_code, response.json()) == (
            200,
            {"status": "ready", "model": "fake", "engine": "none"},
        )
        assert (await client.http.head("/health")).status_code == 200

    ask(conversation, translator, warm=False)


def test_a_server_whose_first_translation_fails_is_never_ready():
    async def conversation(client):
        await until(client.service.warm_up.done)
        response = await client.http.get("/ready")
        assert (response.status_code, response.json()) == (503, {"status": "failed"})

    ask(conversation, FakeTranslator(fail_search="sentence"), warm=False)


def test_a_dead_worker_answers_everyone_and_ends_readiness():
    translator = FakeTranslator(die_in_search="x")

    async def conversation(client):
        busy = await occupy(client, translator)
        waiting = [asyncio.create_task(client.translate(text)) for text in ("x", "y" * 2000)]
        await until(lambda: client.service.batcher.waiting_pieces > 500)
        translator.release()
        assert (await busy).status_code == 200
        for response in await asyncio.gather(*waiting):
            assert response.status_code == 503
            assert "stopped" in response.json()["error"]
            assert "retry-after" in response.headers
        assert (await client.translate("a")).status_code == 503
        response = await client.http.get("/ready")
        assert (response.status_code, response.json()) == (503, {"status": "stopped"})
        assert (await client.http.get("/health")).status_code == 200

    ask(conversation, translator)


def test_a_server_does_not_start_without_its_model(tmp_path):
    app = create_app(Settings(model=tmp_path / "nowhere"))

    async def start() -> None:
        async with app.router.lifespan_context(app):
            pass

    with pytest.raises(BundleError):
        asyncio.run(start())


def test_uvicorn_finds_an_app_with_the_settings_of_the_environment(monkeypatch):
    monkeypatch.setenv("MT_CHAR_LIMIT", "none")
    with pytest.raises(ConfigError, match="MT_CHAR_LIMIT"):
        import_from_string("service.app:app")
    monkeypatch.delenv("MT_CHAR_LIMIT")
    assert isinstance(import_from_string("service.app:app"), FastAPI)


def test_settings_come_from_the_environment_and_a_mistake_names_its_variable(monkeypatch):
    monkeypatch.setenv("MT_PORT", "8080")
    monkeypatch.setenv("MT_MODEL", "")
    assert (load_settings().port, load_settings().model) == (8080, None)
    monkeypatch.setenv("MT_PORT", "70000")
    with pytest.raises(ConfigError, match=r"^MT_PORT: .*65535.*70000"):
        load_settings()


# --- Limits and failures -----------------------------------------------------------------------


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


def test_a_request_past_its_deadline_gets_504_and_frees_its_place():
    translator = FakeTranslator()

    async def conversation(client):
        translator.hold()
        response = await client.translate("a" * 400 + "\n" + "b" * 400)
        assert response.status_code == 504
        assert response.json() == {"error": "the translation took too long"}
        assert client.service.batcher.waiting_pieces == 0

    ask(conversation, translator, deadline_s=0.2, batch_pieces=400)


def test_a_request_that_does_not_arrive_gets_408():
    async def conversation(client):
        sent: list[dict[str, Any]] = []

        async def receive() -> dict[str, Any]:
            await asyncio.Event().wait()
            raise AssertionError

        async def send(message: dict[str, Any]) -> None:
            sent.append(message)

        scope = {
            "type": "http",
            "method": "POST",
            "path": "/translate",
            "query_string": b"",
            "headers": [(b"content-type", b"application/json")],
        }
        await client.app(scope, receive, send)
        assert sent[0]["status"] == 408

    ask(conversation, deadline_s=0.1)


def test_a_full_queue_refuses_translations_but_not_health():
    translator = FakeTranslator()

    async def conversation(client):
        busy = await occupy(client, translator)
        waiting = asyncio.create_task(client.translate("a" * 400))
        await until(lambda: client.service.batcher.waiting_pieces > 100)
        refused = await client.translate("c")
        assert refused.status_code == 503
        assert "busy" in refused.json()["error"]
        assert int(refused.headers["retry-after"]) >= 1
        for path in ("/health", "/ready"):
            assert (await client.http.get(path)).status_code == 200
        translator.release()
        assert {(await busy).status_code, (await waiting).status_code} == {200}

    ask(conversation, translator, max_waiting_pieces=101)


def test_one_bad_text_fails_alone():
    translator = FakeTranslator(fail_search="x", refuse_plan="z")

    async def conversation(client):
        busy = await occupy(client, translator)
        tasks = [asyncio.create_task(client.translate(text)) for text in ("a", "x", "z", "b")]
        await until(lambda: client.service.batcher.waiting_pieces == 4)
        translator.release()
        await busy
        good, failed, refused, also_good = await asyncio.gather(*tasks)
        assert good.json() == {"translatedText": "A"}
        assert also_good.json() == {"translatedText": "B"}
        assert (failed.status_code, failed.json()) == (500, {"error": "internal error"})
        assert (refused.status_code, refused.json()) == (400, {"error": "this text is refused"})

    ask(conversation, translator)


def test_a_request_that_failed_for_one_of_its_texts_does_not_wait_for_the_others():
    translator = FakeTranslator(refuse_plan="z")

    async def conversation(client):
        translator.hold()
        response = await client.translate(["z", "a" * 400 + "\n" + "b" * 400])
        assert (response.status_code, response.json()) == (400, {"error": "this text is refused"})
        assert client.service.batcher.waiting_pieces == 0

    ask(conversation, translator, batch_pieces=400)


def test_a_bug_of_ours_is_an_internal_error_without_details(monkeypatch):
    async def conversation(client):
        monkeypatch.setattr(client.service, "translate", None)
        response = await client.translate("a")
        assert (response.status_code, response.json()) == (500, {"error": "internal error"})

    ask(conversation)


def test_a_draining_server_answers_what_it_accepted_and_refuses_the_rest():
    translator = FakeTranslator()

    async def conversation(client):
        busy = await occupy(client, translator)
        draining = asyncio.create_task(asyncio.to_thread(client.service.close))
        await until(lambda: client.service.batcher.closing)
        refused = await client.translate("late")
        assert refused.status_code == 503
        assert "retry-after" in refused.headers
        assert (await client.http.get("/ready")).json() == {"status": "draining"}
        translator.release()
        assert (await busy).json() == {"translatedText": "BUSY"}
        await draining

    ask(conversation, translator)


def test_the_log_has_a_line_for_each_request_and_never_the_text(caplog):
    async def conversation(client):
        await client.http.post("/translate?q=geheim&source=de&target=en")
        await client.http.get("/geheim")

    with caplog.at_level(logging.INFO, logger="mt.service"):
        ask(conversation)
    messages = [record.getMessage() for record in caplog.records if record.name == "mt.service"]
    assert [re.sub(r"[\d.]+ ms", "n ms", message) for message in messages] == [
        "POST /translate 200 n ms",
        "GET other 404 n ms",
    ]


# --- A real server ---------------------------------------------------------------------------


@contextlib.contextmanager
def real_server(translator: FakeTranslator, **settings: Any) -> Iterator[Client]:
    """A server on a free port, in a thread of this process."""
    app = create_app(Settings(**{"deadline_s": WAIT_S, **settings}), translator)
    server = uvicorn.Server(uvicorn.Config(app, log_config=None, access_log=False))
    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        try:
            while not server.started:
                assert thread.is_alive(), "the server did not start"
            app.state.service.warm_up.result(WAIT_S)
            translator.forget()
            url = f"http://127.0.0.1:{listener.getsockname()[1]}"
            http = httpx.AsyncClient(base_url=url, timeout=WAIT_S, trust_env=False)
            yield Client(app, http)
        finally:
            translator.release()
            server.should_exit = True
            thread.join(WAIT_S)
            assert not thread.is_alive()


def test_concurrent_requests_share_searches():
    translator = FakeTranslator()

    async def conversation(client):
        async with client.http:
            busy = await occupy(client, translator)
            tasks = [asyncio.create_task(client.translate(f"satz {n:02}")) for n in range(32)]
            await until(lambda: client.service.batcher.waiting_pieces == 32 * 2)
            translator.release()
            responses = await asyncio.gather(*tasks)
            assert [response.json()["translatedText"] for response in responses] == [
                f"SATZ {n:02}" for n in range(32)
            ]
            await busy
            assert len(translator.batches) == 2
            assert sorted(translator.batches[1]) == [f"satz {n:02}" for n in range(32)]

    with real_server(translator) as client:
        asyncio.run(conversation(client))


def test_a_client_that_leaves_frees_its_place(caplog):
    translator = FakeTranslator()

    async def conversation(client):
        async with client.http:
            busy = await occupy(client, translator)
            leaving = asyncio.create_task(client.translate("a" * 400))
            await until(lambda: client.service.batcher.waiting_pieces > 100)
            leaving.cancel()
            await until(lambda: client.service.batcher.waiting_pieces == 0)
            await until(lambda: "POST /translate 499" in caplog.text)
            translator.release()
            await busy
            assert (await client.translate("b")).json() == {"translatedText": "B"}
            assert translator.batches == [["busy"], ["b"]]

    with caplog.at_level(logging.INFO, logger="mt.service"), real_server(translator) as client:
        asyncio.run(conversation(client))


SERVER_PROGRAM = """
import socket, sys, uvicorn
from service.app import create_app
from service.settings import Settings
from support.translators import FakeTranslator

class Told(FakeTranslator):
    def search(self, sources, *, n_best=1):
        print("searching", flush=True)
        sys.stdin.readline()
        return super().search(sources, n_best=n_best)

listener = socket.create_server(("127.0.0.1", 0))
print(listener.getsockname()[1], flush=True)
app = create_app(Settings(deadline_s=30), Told())
config = uvicorn.Config(app, log_config=None, access_log=False)
uvicorn.Server(config).run(sockets=[listener])
"""


def test_on_sigterm_a_server_answers_what_is_in_flight_and_ends():
    environment = {**os.environ, "PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'tests'}"}
    with subprocess.Popen(
        [sys.executable, "-c", SERVER_PROGRAM],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=environment,
    ) as process:
        try:
            asyncio.run(_terminate_in_flight(process))
            assert process.wait(WAIT_S) in (0, -signal.SIGTERM)
        finally:
            process.kill()


async def _terminate_in_flight(process: subprocess.Popen[str]) -> None:
    port = int(await _line(process))
    assert await _line(process) == "searching"  # the warm-up
    _let_search(process)
    url = f"http://127.0.0.1:{port}"
    async with httpx.AsyncClient(base_url=url, timeout=WAIT_S, trust_env=False) as http:
        in_flight = asyncio.create_task(http.post("/translate", params=FIELDS))
        assert await _line(process) == "searching"
        process.terminate()
        await _refuses_connections(port)
        assert not in_flight.done()
        _let_search(process)
        assert (await in_flight).json() == {"translatedText": "GRÜSSE\r\nAN ALLE"}


async def _line(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return (await asyncio.to_thread(process.stdout.readline)).strip()


def _let_search(process: subprocess.Popen[str]) -> None:
    assert process.stdin is not None
    process.stdin.write("\n")
    process.stdin.flush()


async def _refuses_connections(port: int) -> None:
    async with asyncio.timeout(WAIT_S):
        while True:
            try:
                _, writer = await asyncio.open_connection("127.0.0.1", port)
            except ConnectionError:  # refused, or reset by a listener that closes just now
                return
            writer.close()
            await writer.wait_closed()
