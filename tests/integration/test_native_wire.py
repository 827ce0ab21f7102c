"""The native wire over stand-in workers: what is answered, refused and streamed."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import pytest

from mt.text.words import Links
from service.clients.keys import sha256_of
from service.native.rendering import Renderer
from service.native.schemas import TranslateResult
from service.texts.catalogue import Catalogue
from service.texts.sharing import SEGMENTS_A_TURN
from support.serving import WAIT_S, ask, serving, until
from support.workers import StubWorkers, stub_catalogue, stub_model


async def translate(client: Any, texts: object, **fields: object) -> list[Any]:
    """The translations, which are as the schema has them."""
    response = await client.http.post("/v1/translate", json={"texts": texts, **fields})
    assert response.status_code == 200, response.text
    TranslateResult.model_validate_json(response.text)
    translations = response.json()["translations"]
    assert isinstance(translations, list)
    return translations


def translated(texts: object, workers: StubWorkers | None = None, **fields: object) -> list[Any]:
    """The same, of a new server with models from German to English and back."""
    catalogue = stub_catalogue("de-en", "en-de")
    return ask(lambda c: translate(c, texts, **fields), workers, catalogue=catalogue)


def model_reference(name: str) -> dict[str, Any]:
    return {"name": name, "sha256": stub_model(name).sha256, "engine": "stub"}


# --- Answers -------------------------------------------------------------------------------------


def test_an_answer_says_all_there_is_to_say():
    # The stand-in's best candidate has the score 1/2, the next one 1/4.
    first, second = (
        {
            "source": source,
            "translation": source.upper(),
            "score": 0.5,
            "flags": ["copied"],
            "provenance": {
                "origin": "model",
                "models": [model_reference("de-en")],
                "rescored_by": [],
            },
        }
        for source in ("Eins zwei.", "Drei vier.")
    )
    workers = StubWorkers(flags=frozenset({"copied"}))
    answer = translated("Eins zwei. Drei vier.\n", workers, source="de", target="en", n_best=2)
    assert answer == [
        {
            "text": "EINS ZWEI. DREI VIER.\n",
            "score": 0.5,
            "flags": ["copied"],
            "source": "de",
            "confidence": None,
            "target": "en",
            "pivot": None,
            "alternatives": [{"text": "EINS ZWEI.#1 DREI VIER.#1\n", "score": 0.25}],
            "segments": [first, second],
        }
    ]


def test_texts_are_answered_in_their_order():
    texts = ["eins", "", "zwei", "eins", "\n"]
    assert [each["text"] for each in translated(texts)] == ["EINS", "", "ZWEI", "EINS", "\n"]
    assert translated([]) == []


def test_each_text_has_a_language_of_its_own():
    german = "Das ist ein Hund, der über die Wiese läuft."
    english = "This is a dog that runs across the meadow."
    first, second, third = translated([german, english, "42"], source="auto", target="EN-GB")
    assert (first["source"], first["text"]) == ("de", german.upper())
    assert (second["source"], second["text"], second["segments"]) == ("en", english, [])
    assert first["confidence"] > 50
    assert second["confidence"] > 50
    assert third["text"] == "42"


@pytest.mark.parametrize("fields", [{}, {"model": "en-de"}, {"source": "auto", "target": "en"}])
@pytest.mark.parametrize("form", ["text", "html"])
def test_texts_without_letters_come_back_unchanged_by_any_model(fields, form):
    workers = StubWorkers(convert=lambda line: "changed")
    texts = ["12.05.2023", " 2026\n", "3,50 €"] + (["<b>5</b>"] if form == "html" else [])
    answers = translated(texts, workers, format=form, **fields)
    assert [each["text"] for each in answers] == texts
    assert [each["segments"] for each in answers] == [[]] * len(texts)
    assert workers.batches == []


def test_numbers_among_other_lines_and_cells_stay():
    workers = StubWorkers()
    text = "Rechnung\n12.05.2023\n+49 30 1234567\nBetrag\t3,50 €\t2026"
    (answer,) = translated(text, workers)
    assert answer["text"] == "RECHNUNG\n12.05.2023\n+49 30 1234567\nBETRAG\t3,50 €\t2026"
    assert workers.segments == ["Rechnung", "Betrag"]


def test_without_languages_the_default_model_translates():
    (answer,) = translated("This is a dog that runs across the meadow.")
    assert (answer["source"], answer["target"], answer["confidence"]) == ("de", "en", None)
    (answer,) = translated("hallo", model="en-de")
    assert (answer["source"], answer["target"]) == ("en", "de")
    assert answer["segments"][0]["provenance"]["models"] == [model_reference("en-de")]


@pytest.mark.parametrize("fields", [{}, {"model": "de-en"}, {"model": "de-en", "target": "en"}])
def test_a_language_is_not_to_be_detected_where_a_model_decides(fields):
    async def conversation(client):
        body = {"texts": "Hallo.", "source": "auto", **fields}
        response = await client.http.post("/v1/translate", json=body)
        assert response.status_code == 400
        error = response.json()["error"]
        assert error["field"] == "source"
        assert error["message"].endswith(
            "auto needs a target and no model: de-en takes texts for de"
        )

    ask(conversation)


def test_a_pivot_is_named_with_both_models():
    async def conversation(client):
        (answer,) = await translate(client, "hallo", source="de", target="fr")
        assert answer["pivot"] == "en"
        (segment,) = answer["segments"]
        assert segment["provenance"]["models"] == [
            model_reference("de-en"),
            model_reference("en-fr"),
        ]
        assert segment["score"] == 0.5  # 1/2 by each model for one token each

    ask(conversation, catalogue=stub_catalogue("de-en", "en-fr"))


def test_provenance_tells_model_company_cache_and_memory_apart(tmp_path):
    memory = tmp_path / "terms.de-en.tsv"
    memory.write_text("Danke.\tThanks.\n")
    workers = StubWorkers()

    async def conversation(client):
        workers.hold()
        one = asyncio.create_task(translate(client, "Hallo. Danke."))
        await until(lambda: workers.batches)
        other = asyncio.create_task(translate(client, "Hallo."))
        await until(lambda: b"mt_shared_total 1.0" in client.server.metrics.render("")[0])
        workers.release()
        answers = [await one, await other, await translate(client, "Hallo.")]
        return [[s["provenance"]["origin"] for s in answer["segments"]] for (answer,) in answers]

    origins = ask(conversation, workers, translation_memory=(memory,))
    assert origins == [["model", "memory"], ["shared"], ["cache"]]


def test_markup_and_sentences_are_read_as_asked():
    (answer,) = translated("<p>Hallo <b>du</b></p>", format="html")
    assert answer["text"].startswith("<p>")
    assert "<b>" in answer["text"]
    (answer,) = translated("eins\nzwei", sentences="unwrap")
    assert [each["source"] for each in answer["segments"]] == ["eins zwei"]
    (answer,) = translated("Eins zwei. Drei vier.", sentences="whole")
    assert len(answer["segments"]) == 1


def turned(text: str) -> str:
    first, *others = text.split()
    return " ".join(f"{word}x" for word in (*others, first))


def linked_as_turned(text: str, other: str) -> Links:
    count = len(text.split())
    return [(n, (n - 1) % count) for n in range(count)]


def test_tags_go_with_the_words_that_a_model_links():
    workers = StubWorkers(convert=turned, link=linked_as_turned)
    (answer,) = translated("<p><b>eins</b> zwei drei vier</p>", workers, format="html")
    assert answer["text"] == "<p>zweix dreix vierx <b>einsx</b></p>"
    assert [batch.options.links for batch in workers.batches] == [True]


def test_tags_go_with_their_words_through_a_language_in_between():
    workers = StubWorkers(convert=turned, link=linked_as_turned)

    async def conversation(client):
        way = {"source": "de", "target": "fr", "format": "html"}
        (answer,) = await translate(client, "<p><b>eins</b> zwei drei vier</p>", **way)
        assert answer["text"] == "<p>dreixx vierxx <b>einsxx</b> zweixx</p>"

    ask(conversation, workers, catalogue=stub_catalogue("de-en", "en-fr"))


def test_texts_of_one_request_are_linked_each_as_it_needs():
    workers = StubWorkers(convert=turned, link=linked_as_turned)
    texts = ["<p>eins <b>zwei</b> drei</p>", "<p>eins zwei drei</p>", "<p>vier</p>"]
    answers = translated(texts, workers, format="html")
    assert [each["text"] for each in answers] == [
        "<p><b>zweix</b> dreix einsx</p>",
        "<p>zweix dreix einsx</p>",
        "<p>vierx</p>",
    ]
    linked = {segment: batch.options.links for batch in workers.batches for segment in batch[2]}
    assert not linked["vier"]


def test_words_are_linked_only_where_tags_have_to_find_their_place():
    workers = StubWorkers()
    for form, text in (("html", "<p>eins zwei</p>"), ("text", "eins <b>zwei</b> drei")):
        translated(text, workers, format=form)
    assert [batch.options.links for batch in workers.batches] == [False, False]


@pytest.mark.parametrize(
    ("form", "lines"),
    [("text", ["eins", "zwei"]), ("html", ["eins zwei"]), ("xml", ["eins", "zwei"])],
)
def test_a_line_end_is_white_space_in_html_alone_if_nobody_says(form, lines):
    for fields in ({}, {"sentences": None}):
        (answer,) = translated("eins\nzwei", format=form, **fields)
        assert [each["source"] for each in answer["segments"]] == lines


# --- Search options ------------------------------------------------------------------------------


def options_of(**fields: object) -> Any:
    workers = StubWorkers()
    translated("hallo", workers, **fields)
    (batch,) = workers.batches
    return batch.options


def test_search_options_reach_the_model():
    options = options_of(n_best=3, search={"beam_size": 7, "seed": 3, "temperature": 0.5})
    assert options.n_best == 3
    assert dict(options.search) == {"beam_size": 7, "seed": 3, "temperature": 0.5}


def test_options_that_the_model_has_anyway_are_no_options():
    assert (
        options_of(search={"beam_size": 5, "length_penalty": 1, "truecase": True}) == options_of()
    )


def test_options_are_compared_with_those_of_the_model_that_writes():
    wide = stub_model().search.model_copy(update={"beam_size": 9})
    catalogue = Catalogue([stub_model("de-en"), stub_model("en-fr", search=wide)])
    workers = StubWorkers()

    async def conversation(client):
        await translate(client, "hallo", source="de", target="fr", search={"beam_size": 9})

    ask(conversation, workers, catalogue=catalogue)
    assert [batch.options.search for batch in workers.batches] == [(), ()]


# --- Rescoring -----------------------------------------------------------------------------------


def rescorers(*requests: dict[str, Any], models: Sequence[str], **settings: object) -> list[str]:
    """Of each batch, of all requests one after the other."""
    workers = StubWorkers()

    async def conversation(client):
        for fields in requests:
            await translate(client, "hallo", **fields)

    ask(conversation, workers, catalogue=stub_catalogue(*models), cache_bytes=0, **settings)
    return [batch.options.rescorer for batch in workers.batches]


def test_translations_are_rescored_if_the_request_or_else_the_server_says_so():
    asked: list[dict[str, Any]] = [{}, {"rescore": None}, {"rescore": True}, {"rescore": False}]
    both = ("de-en", "en-de")
    assert rescorers(*asked, models=both) == ["", "", "en-de", ""]
    assert rescorers(*asked, models=both, rescore=True) == ["en-de", "en-de", "en-de", ""]
    assert rescorers({}, models=("de-en",), rescore=True) == [""]  # by what is not there


def test_both_models_of_a_pivot_are_rescored_or_neither():
    way = {"source": "de", "target": "fr"}
    there_and_back = ("de-en", "en-de", "en-fr", "fr-en")
    assert rescorers(way | {"rescore": True}, models=there_and_back) == ["en-de", "fr-en"]
    assert rescorers(way, models=there_and_back[:3], rescore=True) == ["", ""]


def test_where_there_is_nothing_to_choose_nothing_is_rescored():
    drawn: dict[str, Any] = {"search": {"temperature": 1.0}}
    greedy: dict[str, Any] = {"search": {"beam_size": 1}}
    assert rescorers(drawn, greedy, models=("de-en", "en-de"), rescore=True) == ["", ""]


def test_who_rescored_is_told_with_the_segment_and_with_the_model():
    async def conversation(client):
        (answer,) = await translate(client, "hallo", rescore=True)
        provenance = answer["segments"][0]["provenance"]
        assert provenance["models"] == [model_reference("de-en")]
        assert provenance["rescored_by"] == [model_reference("en-de")]
        listed = (await client.http.get("/v1/models")).json()["models"]
        assert [each["rescored_by"] for each in listed] == ["en-de", "de-en", None]

    ask(conversation, catalogue=stub_catalogue("de-en", "en-de", "fr-en"))


# --- Failures ------------------------------------------------------------------------------------


def test_one_bad_text_fails_alone():
    workers = StubWorkers(fails="bad")

    async def conversation(client):
        answers = await translate(client, ["good", "bad", "Fine. Also bad."])
        assert answers[0]["text"] == "GOOD"
        for answer in answers[1:]:
            assert answer["error"]["code"] == "internal"
            assert answer["error"]["request_id"]

    ask(conversation, workers)


def test_a_text_in_a_language_without_a_way_fails_alone():
    french = "C'est un chien qui court dans la prairie avec les enfants."
    german = "Das ist ein Hund, der über die Wiese läuft."

    async def conversation(client):
        fine, lost = await translate(client, [german, french], source="auto", target="en")
        assert fine["text"] == german.upper()
        assert lost["error"]["code"] == "unsupported_language"

    ask(conversation, catalogue=stub_catalogue("de-en", "en-fr"))


def test_a_request_fails_if_all_its_texts_do():
    async def conversation(client):
        response = await client.http.post("/v1/translate", json={"texts": ["die", "die too"]})
        assert response.status_code == 503
        assert response.headers["retry-after"] == "1"
        assert response.json()["error"]["code"] == "unavailable"

    ask(conversation, StubWorkers(kills="die"))


REFUSALS: list[tuple[dict[str, Any], int, str, str | None]] = [
    ({}, 400, "invalid_request", "texts"),
    ({"texts": ["a", 5]}, 400, "invalid_request", "texts"),
    ({"texts": ["a"] * 4}, 400, "invalid_request", "texts"),
    ({"texts": "a" * 21}, 400, "invalid_request", "texts"),
    ({"texts": "a", "text": "b"}, 400, "invalid_request", "text"),
    ({"texts": "a", "n_best": 4}, 400, "invalid_request", "n_best"),
    ({"texts": "a", "n_best": 3, "search": {"beam_size": 2}}, 400, "invalid_request", "n_best"),
    ({"texts": "a", "search": {"beam_size": 9}}, 400, "invalid_request", "search.beam_size"),
    ({"texts": "a", "search": {"top_k": 9}}, 400, "invalid_request", "search"),
    ({"texts": "a", "search": {"batch_rows": 9}}, 400, "invalid_request", "search.batch_rows"),
    ({"texts": "a", "target": "zz"}, 400, "unsupported_language", "target"),
    ({"texts": "a", "source": "zz", "target": "en"}, 400, "unsupported_language", "source"),
    ({"texts": "a", "source": "en", "target": "fr"}, 400, "unsupported_language", "target"),
    ({"texts": "a", "source": "en"}, 400, "unsupported_language", "source"),
    ({"texts": "a", "model": "de-en", "target": "de"}, 400, "unsupported_language", "target"),
    ({"texts": "a", "model": "gpt"}, 404, "not_found", "model"),
    ({"texts": "a", "rescore": True}, 400, "invalid_request", "rescore"),
    ({"texts": "a", "rescore": "yes"}, 400, "invalid_request", "rescore"),
    (
        {"texts": "a", "rescore": True, "search": {"temperature": 1.0}},
        *(400, "invalid_request", "rescore"),
    ),
    (
        {"texts": "a", "rescore": True, "search": {"beam_size": 1}},
        *(400, "invalid_request", "rescore"),
    ),
]


@pytest.mark.parametrize("path", ["/v1/translate", "/v1/translate/stream"])
def test_a_refusal_names_the_field_and_the_request(path):
    async def conversation(client):
        for body, status, code, field in REFUSALS:
            response = await client.http.post(path, json=body, headers={"x-request-id": "mine"})
            error = response.json()["error"]
            assert (response.status_code, error["code"], error["field"]) == (status, code, field)
            assert error["request_id"] == "mine"
            assert "\n" not in error["message"]

    ask(
        conversation,
        catalogue=stub_catalogue("de-en", "fr-de"),
        char_limit=20,
        batch_limit=3,
        max_alternatives=2,
        max_beam_size=8,
    )


@pytest.mark.parametrize(
    ("content", "content_type"),
    [
        (b'{"texts": "a"}', "text/plain"),
        (b"texts=a", "application/x-www-form-urlencoded"),
        (b'["a"]', "application/json"),
        (b"{", "application/json"),
        (b"", "application/json"),
        (b'{"texts": "\xff"}', "application/json"),
        (b'{"texts": ' + b"[" * 100_000, "application/json"),
        (b'{"texts": "a", "texts": "b"}', "application/json"),
    ],
)
def test_a_body_that_is_no_json_object_is_refused(content, content_type):
    async def conversation(client):
        headers = {"content-type": content_type}
        response = await client.http.post("/v1/translate", content=content, headers=headers)
        assert response.status_code == 400
        assert response.json()["error"]["code"] == "invalid_request"

    ask(conversation)


def test_an_error_repeats_no_more_than_a_line_of_what_was_sent():
    async def conversation(client):
        for body in ({"texts": "a", "x" * 9999: 1}, {"texts": "a", "target": "\ud800" * 9999}):
            content = json.dumps(body)
            headers = {"content-type": "application/json"}
            response = await client.http.post("/v1/translate", content=content, headers=headers)
            assert response.status_code == 400
            assert len(response.text) < 400

    ask(conversation)


def test_a_key_is_asked_for_where_there_are_keys(tmp_path):
    keys = tmp_path / "keys.json"
    keys.write_text(json.dumps({"keys": [{"name": "ada", "sha256": sha256_of("secret")}]}))

    async def conversation(client):
        for headers, status in (
            ({}, 401),
            ({"authorization": "Bearer wrong"}, 403),
            ({"authorization": "Bearer secret"}, 200),
            ({"x-api-key": "secret"}, 200),
        ):
            for path in ("/v1/translate", "/v1/translate/stream"):
                response = await client.http.post(path, json={"texts": "a"}, headers=headers)
                assert response.status_code == status
                assert response.headers.get("www-authenticate") == (
                    "Bearer" if not headers else None
                )

    ask(conversation, api_keys_file=keys)


@pytest.mark.parametrize("path", ["/v1/translate", "/v1/translate/stream"])
def test_an_answer_of_many_segments_is_written_on_a_thread_of_its_own(monkeypatch, path):
    threads = []
    write = Renderer.result

    def noted(renderer: Renderer, outcomes: Any) -> Any:
        threads.append(threading.current_thread())
        return write(renderer, outcomes)

    monkeypatch.setattr(Renderer, "result", noted)

    async def conversation(client):
        for count in (SEGMENTS_A_TURN, SEGMENTS_A_TURN + 1):
            body = {"texts": "\n".join(["ja"] * count)}
            assert "JA" in (await client.http.post(path, json=body)).text

    ask(conversation)
    assert [each is threading.main_thread() for each in threads] == [True, False]


# --- Models and languages ------------------------------------------------------------------------


def test_models_are_listed_with_their_figures():
    async def conversation(client):
        listed = (await client.http.get("/v1/models")).json()["models"]
        assert [each["name"] for each in listed] == ["de-en", "en-fr"]
        assert [each["default"] for each in listed] == [True, False]
        assert (await client.http.get("/v1/models/en-fr")).json() == listed[1]
        assert listed[1] == model_reference("en-fr") | {
            "task": "translate",
            "source": "en",
            "target": "fr",
            "default": False,
            "rescored_by": None,
            "bleu": 31.5,
            "signature": "nrefs:1|case:mixed",
            "licence": "CC0-1.0",
            "card": "# en-fr\n",
        }
        unknown = await client.http.get("/v1/models/no-such")
        assert (unknown.status_code, unknown.json()["error"]["field"]) == (404, "model")

    ask(conversation, catalogue=stub_catalogue("de-en", "en-fr"))


def test_languages_are_listed_with_the_ways_between_them():
    async def conversation(client):
        listed = (await client.http.get("/v1/languages")).json()
        assert listed["languages"] == [
            {"code": "de", "name": "German"},
            {"code": "en", "name": "English"},
            {"code": "fr", "name": "French"},
        ]
        assert listed["pairs"] == [
            {"source": "de", "target": "en", "pivot": None, "models": ["de-en"]},
            {"source": "de", "target": "fr", "pivot": "en", "models": ["de-en", "en-fr"]},
            {"source": "en", "target": "fr", "pivot": None, "models": ["en-fr"]},
        ]

    ask(conversation, catalogue=stub_catalogue("de-en", "en-fr"))


# --- Streams -------------------------------------------------------------------------------------


class Exchange:
    """A request by hand, whose answer is seen as it comes, and whose client may leave."""

    def __init__(self, app: Any, body: object) -> None:
        self._sent: asyncio.Queue[Any] = asyncio.Queue()
        self._left = asyncio.Event()
        self._request = [{"type": "http.request", "body": json.dumps(body).encode()}]
        headers = [(b"content-type", b"application/json")]
        scope = {
            "type": "http",
            "method": "POST",
            "path": "/v1/translate/stream",
            "headers": headers,
            "query_string": b"",
        }
        self.task = asyncio.create_task(app(scope, self._receive, self._sent.put))

    async def _receive(self) -> Any:
        if self._request:
            return self._request.pop()
        await self._left.wait()
        return {"type": "http.disconnect"}

    async def message(self) -> Any:
        async with asyncio.timeout(WAIT_S):
            return await self._sent.get()

    async def event(self) -> Any:
        return json.loads((await self.message())["body"])

    @property
    def silent(self) -> bool:
        return self._sent.empty()

    def leave(self) -> None:
        self._left.set()


@asynccontextmanager
async def half_done(workers: StubWorkers, **settings: Any) -> AsyncIterator[tuple[Any, Exchange]]:
    """A stream whose first segment was sent, and whose second one waits for the worker."""
    workers.convert = lambda text: (workers.hold(), text.upper())[1]
    async with serving(workers, batch_characters=1, **settings) as client:
        exchange = Exchange(client.app, {"texts": ["Eins.", "Zwei. Drei."]})
        assert (await exchange.message())["status"] == 200
        event = await exchange.event()
        assert (event["type"], event["text"], event["index"]) == ("segment", 0, 0)
        assert event["segment"]["translation"] == "EINS."
        await until(lambda: len(workers.batches) == 2)
        assert exchange.silent
        yield client, exchange


def charged(client: Any) -> int:
    """Characters, of all who come without a key."""
    access = client.server.access
    characters, _ = access.usage(access.identify({}, None, ""))
    assert isinstance(characters, int)
    return characters


def run(conversation: Any) -> None:
    async def within_time() -> None:
        async with asyncio.timeout(WAIT_S):
            await conversation()

    asyncio.run(within_time())


@pytest.mark.parametrize("accept", ["application/jsonl", "application/x-ndjson", "*/*"])
def test_a_stream_has_every_segment_and_then_the_result(accept):
    async def conversation(client):
        body = {"texts": ["Eins. Zwei.", "42", "Drei."], "n_best": 2}
        path, headers = "/v1/translate/stream", {"accept": accept}
        response = await client.http.post(path, json=body, headers=headers)
        *segments, last = map(json.loads, response.text.splitlines())
        places = [(each["text"], each["index"], each["segment"]["source"]) for each in segments]
        assert places == [(0, 0, "Eins."), (0, 1, "Zwei."), (2, 0, "Drei.")]
        assert last["type"] == "result"
        assert [each["text"] for each in last["translations"]] == ["EINS. ZWEI.", "42", "DREI."]
        rendered = [each for text in last["translations"] for each in text["segments"]]
        assert rendered == [each["segment"] for each in segments]

    ask(conversation)


def test_a_stream_may_be_server_sent_events():
    async def conversation(client):
        response = await client.http.post(
            "/v1/translate/stream", json={"texts": "ja"}, headers={"accept": "text/event-stream"}
        )
        assert response.headers["content-type"].startswith("text/event-stream")
        assert [line for line in response.text.split("\n") if line.startswith("event")] == [
            "event: segment",
            "event: result",
        ]

    ask(conversation)


def test_a_text_that_failed_alone_is_in_the_last_event():
    async def conversation(client):
        response = await client.http.post("/v1/translate/stream", json={"texts": ["good", "bad"]})
        *segments, last = map(json.loads, response.text.splitlines())
        assert [each["segment"]["source"] for each in segments] == ["good"]
        assert last["translations"][1]["error"]["code"] == "internal"

    ask(conversation, StubWorkers(fails="bad"))


def test_segments_are_sent_as_they_finish():
    async def conversation():
        workers = StubWorkers()
        async with half_done(workers) as (_, exchange):
            workers.release()
            assert (await exchange.event())["segment"]["translation"] == "ZWEI."
            workers.release()
            assert (await exchange.event())["segment"]["translation"] == "DREI."
            assert (await exchange.event())["type"] == "result"
            assert await exchange.message() == {
                "type": "http.response.body",
                "body": b"",
                "more_body": False,
            }
            await exchange.task

    run(conversation)


def test_a_stream_names_the_pivot_before_it_is_done():
    async def conversation():
        workers = StubWorkers()
        # The second model, which is given upper case, is held after its first segment.
        workers.convert = lambda text: (text.isupper() and workers.hold(), text.upper())[1]
        catalogue = stub_catalogue("de-en", "en-fr")
        async with serving(workers, batch_characters=1, catalogue=catalogue) as client:
            body = {"texts": ["eins", "zwei"], "source": "de", "target": "fr"}
            exchange = Exchange(client.app, body)
            headers = dict((await exchange.message())["headers"])
            assert headers[b"x-translation-pivot"] == b"en"
            exchange.leave()
            await exchange.task

    run(conversation)


def test_a_stream_tells_what_is_left_of_a_limit_before_it_is_done():
    async def conversation():
        workers = StubWorkers()
        workers.convert = lambda text: (workers.hold(), text)[1]
        async with serving(workers, batch_characters=1, characters_per_minute=100) as client:
            exchange = Exchange(client.app, {"texts": ["eins", "zwei"]})
            headers = dict((await exchange.message())["headers"])
            assert headers[b"ratelimit-limit"] == b"100"
            assert headers[b"ratelimit-remaining"] == b"92"
            assert b"ratelimit-reset" in headers
            exchange.leave()
            await exchange.task

    run(conversation)


def test_a_client_that_leaves_a_stream_frees_its_places():
    async def conversation():
        workers = StubWorkers()
        async with half_done(workers) as (client, exchange):
            assert len(client.server.translation.queue) == 1
            exchange.leave()
            await exchange.task
            assert len(client.server.translation.queue) == 0
            assert exchange.silent
            workers.release()
            await client.ready()
            metrics = (await client.http.get("/metrics")).text
            assert 'route="/v1/translate/stream",status="499"' in metrics
        assert workers.segments == ["Eins.", "Zwei."]

    run(conversation)


def test_a_deadline_in_the_middle_of_a_stream_is_its_last_event():
    async def conversation():
        async with half_done(StubWorkers(), deadline_s=0.3) as (_, exchange):
            last = await exchange.event()
            assert last["type"] == "error"
            assert last["error"]["code"] == "deadline"
            assert (await exchange.message())["more_body"] is False

    run(conversation)


@pytest.mark.parametrize("leaves", [True, False])
def test_who_does_not_see_the_end_of_a_stream_is_charged_what_it_has_seen(leaves):
    async def conversation():
        async with half_done(StubWorkers(), deadline_s=WAIT_S if leaves else 0.3) as (client, ex):
            if leaves:
                ex.leave()
            await ex.task
            assert charged(client) == len("Eins.")

    run(conversation)


def test_who_sees_the_end_of_a_stream_is_charged_its_texts_once():
    async def conversation():
        async with serving() as client:
            fields = {"texts": "Eins.  Zwei."}
            response = await client.http.post("/v1/translate/stream", json=fields)
            assert response.text.count('"type": "segment"') == 2
            assert charged(client) == len("Eins.  Zwei.")

    run(conversation)


def test_a_worker_that_dies_in_the_middle_of_a_stream_fails_the_text_it_had():
    async def conversation():
        workers = StubWorkers(kills="Zwei")
        async with half_done(workers) as (_, exchange):
            workers.release()
            assert (await exchange.event())["segment"]["source"] == "Drei."
            last = await exchange.event()
            assert last["translations"][0]["text"] == "EINS."
            assert last["translations"][1]["error"]["code"] == "unavailable"

    run(conversation)


def test_before_the_first_event_an_error_is_a_status():
    async def conversation():
        workers = StubWorkers()
        async with serving(workers, deadline_s=0.1) as client:
            workers.hold()
            response = await client.http.post("/v1/translate/stream", json={"texts": "hallo"})
            assert response.status_code == 504
            assert response.json()["error"]["code"] == "deadline"

    run(conversation)
