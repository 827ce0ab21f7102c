"""DeepL's wire over stand-in workers: where parameters may stand, answers, errors."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest

from service.clients.access import UNLIMITED
from service.clients.keys import sha256_of
from service.deepl.parameters import MAX_BODY_BYTES
from support.serving import JSON, ask, occupy, until
from support.workers import StubWorkers, stub_catalogue

KEY = "a key of many characters"
FORM = {"content-type": "application/x-www-form-urlencoded"}


async def translate(client, text, headers=None, **parameters):
    """POST /v2/translate, as JSON, from German to English if not said otherwise."""
    body = {"text": text, "source_lang": "DE", "target_lang": "EN-GB", **parameters}
    return await client.http.post(
        "/v2/translate", content=json.dumps(body), headers=JSON | (headers or {})
    )


async def texts(client, text, **parameters):
    response = await translate(client, text, **parameters)
    assert response.status_code == 200, response.text
    return [each["text"] for each in response.json()["translations"]]


@pytest.fixture
def keys(tmp_path: Path) -> Path:
    path = tmp_path / "keys.json"
    entry = {"name": "ada", "sha256": sha256_of(KEY), "character_limit": 10}
    path.write_text(json.dumps({"keys": [entry]}))
    return path


# --- The parameters, wherever they come --------------------------------------------------

FIELDS = {"text": ["Grüße\r\nan alle", "zwei"], "source_lang": "de", "target_lang": "en-GB"}


@pytest.mark.parametrize(
    "request_arguments",
    [
        {"json": FIELDS},
        {"data": FIELDS},
        {"params": FIELDS},
        {"params": {"text": FIELDS["text"]}, "data": {"source_lang": "", "target_lang": "EN"}},
        {
            "params": {"target_lang": "EN", "text": "is said below"},
            "json": {"text": FIELDS["text"]},
        },
        {
            "files": [
                ("text", (None, FIELDS["text"][0])),
                ("text", (None, FIELDS["text"][1])),
                ("target_lang", (None, "EN")),
            ]
        },
        {
            "content": "text=Grüße\r\nan alle&text=zwei&target_lang=EN".encode(),
            "headers": {"content-type": "application/x-www-form-urlencoded; charset=utf-8"},
        },
    ],
    ids=["json", "form", "query", "query-and-form", "query-and-json", "multipart", "raw-utf8-form"],
)
def test_parameters_may_come_in_any_place(request_arguments):
    async def conversation(client):
        response = await client.http.post("/v2/translate", **request_arguments)
        assert response.status_code == 200, response.text
        assert response.json() == {
            "translations": [
                {
                    "detected_source_language": "DE",
                    "text": "GRÜSSE\r\nAN ALLE",
                    "billed_characters": 14,
                },
                {"detected_source_language": "DE", "text": "ZWEI", "billed_characters": 4},
            ]
        }

    ask(conversation)


# --- What comes back ---------------------------------------------------------------------


def test_the_language_of_each_text_is_detected_by_itself():
    async def conversation(client):
        response = await translate(
            client, ["Ein Hund läuft über die Wiese.", "A dog is running."], source_lang=None
        )
        first, second = response.json()["translations"]
        assert (first["detected_source_language"], first["text"]) == (
            "DE",
            "EIN HUND LÄUFT ÜBER DIE WIESE.",
        )
        # Already in the target language.
        assert (second["detected_source_language"], second["text"]) == ("EN", "A dog is running.")

    ask(conversation)


def test_the_type_of_model_that_was_used_is_named_if_one_is_asked_for():
    workers = StubWorkers()

    async def conversation(client):
        async def used(source, **asked):
            response = await translate(client, ["ja"], source_lang=source, **asked)
            return response.json()["translations"][0].get("model_type_used")

        better, faster = "quality_optimized", "latency_optimized"
        assert await used("DE") is None
        assert await used("DE", model_type="prefer_quality_optimized") == better
        assert await used("DE", model_type=better) == better
        assert await used("DE", model_type=faster) == faster
        assert await used("FR", model_type="prefer_quality_optimized") == faster
        assert await used("EN", model_type="quality_optimized") == faster  # nothing to translate
        rescorers = [batch.options.rescorer for batch in workers.batches]
        assert rescorers == ["", "en-de", "en-de", "", ""]

    ask(conversation, workers, catalogue=stub_catalogue("de-en", "en-de", "fr-en"), cache_bytes=0)


def test_a_better_model_that_there_is_not_is_refused():
    async def conversation(client):
        response = await translate(client, ["ja"], model_type="quality_optimized")
        assert response.status_code == 400
        assert response.json()["message"] == (
            "Value for 'model_type' not supported. The translations of model de-en cannot be "
            "rescored: no model of this server translates en to de; prefer_quality_optimized goes "
            "without."
        )
        detected = await translate(
            client,
            ["Ein Hund läuft über die Wiese."],
            source_lang=None,
            model_type="quality_optimized",
        )
        assert detected.status_code == 400
        assert "rescored" in detected.json()["message"]

    ask(conversation)


def test_what_the_memory_had_is_not_of_better_quality(tmp_path):
    memory = tmp_path / "terms.de-en.tsv"
    memory.write_text("ja\tYes.\n")

    async def conversation(client):
        for text, used in (("ja", "latency_optimized"), ("ja\nnein", "quality_optimized")):
            response = await translate(client, [text], model_type="quality_optimized")
            assert response.json()["translations"][0]["model_type_used"] == used

    served = stub_catalogue("de-en", "en-de")
    ask(conversation, catalogue=served, translation_memory=(memory,))


def test_sentences_are_cut_as_asked_for():
    workers = StubWorkers()

    async def conversation(client):
        text = ["Eins. Zwei\ndrei."]
        assert await texts(client, text) == ["EINS. ZWEI\nDREI."]
        assert await texts(client, text, split_sentences="nonewlines") == ["EINS. ZWEI DREI."]
        assert await texts(client, text, split_sentences="0") == ["EINS. ZWEI DREI."]
        assert workers.segments == ["Eins.", "Zwei", "drei.", "Zwei drei.", "Eins. Zwei drei."]

    ask(conversation, workers, cache_bytes=2**20)


def test_lines_without_letters_and_preformatted_ones_are_never_unwrapped():
    workers = StubWorkers()

    async def conversation(client):
        text = ["Guten Tag.\n---\n***\n2026", "a  \t\n  ---"]
        found = await texts(client, text, split_sentences="nonewlines")
        assert found == ["GUTEN TAG.\n---\n***\n2026", "A  \t\n  ---"]
        assert workers.segments == ["Guten Tag.", "a"]
        text = ["<pre>Guten\nMorgen.\nGute Nacht.</pre>"]
        assert await texts(client, text, tag_handling="html") == [
            text[0].upper().replace("PRE", "pre")
        ]

    ask(conversation, workers)


def test_tags_stay_and_what_ignored_ones_hold_stays():
    async def conversation(client):
        text = ['<p class="a">Bitte <x id="3">nicht</x> lesen &amp; <keep>so</keep> lassen</p>']
        assert await texts(client, text, tag_handling="xml", ignore_tags=["x", "keep"]) == [
            '<p class="a">BITTE <x id="3">nicht</x> LESEN &amp; <keep>so</keep> LASSEN</p>'
        ]
        assert await texts(client, ["a<br>b"], tag_handling="html") == ["A<br>B"]
        assert await texts(client, ["<p>a\nb</p>"], tag_handling="html") == ["<p>A B</p>"]
        assert await texts(client, ["<b>a</b>"]) == ["<B>A</B>"]  # text, unless said otherwise

    ask(conversation)


def test_parameters_without_effect_are_named_in_a_header():
    async def conversation(client):
        response = await translate(client, ["ja"], context="Ein Brief.", formality="prefer_less")
        assert response.json()["translations"][0]["text"] == "JA"
        assert response.headers["x-ignored-parameters"] == "context, formality"
        assert "x-ignored-parameters" not in (await translate(client, ["ja"])).headers

    ask(conversation)


def test_a_sentence_of_the_translation_memory_says_so(tmp_path):
    memory = tmp_path / "terms.de-en.tsv"
    memory.write_text("Guten Tag.\tHow do you do?\n")
    workers = StubWorkers()

    async def conversation(client):
        response = await translate(client, ["Guten Tag. Wie geht es?", "Wie geht es?"])
        first, second = response.json()["translations"]
        assert first["text"] == "How do you do? WIE GEHT ES?"
        assert first["segments_from_translation_memory"] == 1
        assert "segments_from_translation_memory" not in second
        assert workers.segments == ["Wie geht es?"]

    ask(conversation, workers, translation_memory=(memory,))


def test_a_detour_through_a_third_language_is_named_in_a_header():
    async def conversation(client):
        response = await translate(client, ["ja"], target_lang="FR")
        assert response.headers["x-translation-pivot"] == "en"

    ask(conversation, catalogue=stub_catalogue("de-en", "en-fr"))


# --- Languages, usage, glossaries --------------------------------------------------------

TARGETS = [
    {"language": "DE", "name": "German", "supports_formality": False},
    {"language": "EN-GB", "name": "English (British)", "supports_formality": False},
    {"language": "EN-US", "name": "English (American)", "supports_formality": False},
]
SOURCES = [{"language": "DE", "name": "German"}, {"language": "EN", "name": "English"}]


@pytest.mark.parametrize(
    ("method", "arguments", "expected"),
    [
        ("GET", {}, SOURCES),
        ("GET", {"params": {"type": "source"}}, SOURCES),
        ("GET", {"params": {"type": "target"}}, TARGETS),
        ("GET", {"data": {"type": "target"}}, TARGETS),  # as DeepL's client for Python does
        ("GET", {"params": {"type": "target"}, "headers": JSON}, TARGETS),
        ("POST", {"data": {"type": "target"}}, TARGETS),
        ("POST", {"json": {"type": "target"}}, TARGETS),
    ],
)
def test_languages_are_listed_by_type(method, arguments, expected):
    async def conversation(client):
        response = await client.http.request(method, "/v2/languages", **arguments)
        assert (response.status_code, response.json()) == (200, expected)

    ask(conversation, catalogue=stub_catalogue("de-en", "en-de"))


def test_only_what_something_is_translated_from_is_a_source():
    async def conversation(client):
        listed = [
            [each["language"] for each in (await client.http.get("/v2/languages", params=p)).json()]
            for p in ({"type": "source"}, {"type": "target"})
        ]
        assert listed == [["DE", "EN"], ["EN-GB", "EN-US", "FR"]]

    ask(conversation, catalogue=stub_catalogue("de-en", "en-fr"))


def test_an_unknown_type_of_languages_is_refused():
    async def conversation(client):
        response = await client.http.get("/v2/languages", params={"type": "both"})
        assert response.status_code == 400
        assert response.json()["message"].startswith("Parameter 'type' is invalid.")

    ask(conversation)


def test_usage_counts_what_was_billed():
    async def conversation(client):
        billed = (await translate(client, ["Grüße", "", "a b"])).json()["translations"]
        assert [each["billed_characters"] for each in billed] == [5, 0, 3]
        for method in ("GET", "POST"):
            response = await client.http.request(method, "/v2/usage")
            assert response.json() == {"character_count": 8, "character_limit": UNLIMITED}

    ask(conversation)


def test_there_are_no_glossaries():
    async def conversation(client):
        http = client.http
        pairs = await http.get("/v2/glossary-language-pairs")
        assert pairs.json() == {"supported_languages": []}
        assert (await http.get("/v2/glossaries")).json() == {"glossaries": []}
        for method, path in (
            ("POST", "/v2/glossaries"),
            ("GET", "/v2/glossaries/5"),
            ("DELETE", "/v2/glossaries/5"),
            ("GET", "/v2/glossaries/5/entries"),
            ("POST", "/v2/document"),
            ("POST", "/v2/document/5/result"),
            ("GET", "/v3/glossaries"),
        ):
            response = await http.request(method, path)
            assert response.status_code == 404, path
            assert list(response.json()) == ["message"]

    ask(conversation)


# --- Keys and limits ---------------------------------------------------------------------


def test_a_key_may_stand_in_the_header_or_among_the_parameters(keys):
    async def conversation(client):
        http = client.http
        header = {"authorization": f"DeepL-Auth-Key {KEY}"}
        assert (await translate(client, ["ja"], headers=header)).status_code == 200
        assert (await translate(client, ["ja"], auth_key=KEY)).status_code == 200
        response = await http.get("/v2/usage", headers=header)
        assert response.json() == {"character_count": 4, "character_limit": 10}
        assert (await http.get("/v2/usage", params={"auth_key": KEY})).json() == response.json()

    ask(conversation, api_keys_file=keys)


@pytest.mark.parametrize(
    "headers", [{}, {"authorization": "DeepL-Auth-Key wrong"}], ids=["missing", "wrong"]
)
def test_without_a_right_key_everything_is_forbidden(keys, headers):
    async def conversation(client):
        refused = [await translate(client, ["ja"], headers=headers)]
        for path in ("languages", "usage", "glossaries", "glossary-language-pairs"):
            refused.append(await client.http.get(f"/v2/{path}", headers=headers))
        refused.append(await client.http.post("/v2/glossaries", headers=headers))
        for response in refused:
            assert response.status_code == 403
            assert list(response.json()) == ["message"]

    ask(conversation, api_keys_file=keys)


def test_a_key_that_is_used_up_gets_456(keys):
    async def conversation(client):
        header = {"authorization": f"DeepL-Auth-Key {KEY}"}
        assert (await translate(client, ["a" * 10], headers=header)).status_code == 200
        response = await translate(client, ["a"], headers=header)
        assert response.status_code == 456
        assert list(response.json()) == ["message"]

    ask(conversation, api_keys_file=keys)


def test_more_than_128_kib_is_too_large():
    async def conversation(client):
        body = json.dumps({"text": ["ja"], "target_lang": "EN"})
        for size, status in ((MAX_BODY_BYTES, 200), (MAX_BODY_BYTES + 1, 413)):
            content = body.ljust(size)
            response = await client.http.post("/v2/translate", content=content, headers=JSON)
            assert response.status_code == status
        assert list(response.json()) == ["message"]

    ask(conversation)


# --- Errors ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("content", "headers", "message"),
    [
        (b"", JSON, "Value for 'target_lang' not supported."),
        (b"", FORM, "Value for 'target_lang' not supported."),
        (b"{", JSON, "Invalid JSON format: Expecting property name"),
        (b"[]", JSON, "Invalid JSON format: the body has to be an object"),
        (b"[" * 100_000, JSON, "Invalid JSON format: too many brackets within brackets"),
        (b'{"text": "sch\xf6n"}', JSON, "Invalid JSON format: byte 14 is not UTF-8"),
        (b'{"text": %s}' % (b"9" * 5000), JSON, "Invalid JSON format: a number has too many"),
        (b'{"target_lang": "EN"}', JSON, "Parameter 'text' not specified."),
        (b'{"target_lang": "EN", "text": 5}', JSON, "Value for 'text' not supported."),
        (b'{"target_lang": "\\ud800", "text": ["a"]}', JSON, "'target_lang' not supported."),
        (b"target_lang=EN&target_lang=DE&text=a", FORM, "'target_lang' not supported."),
        (b"target_lang=EN&text=" + b"&text=" * 50, FORM, "has 51 texts"),
    ],
)
def test_what_cannot_be_read_is_a_bad_request(content, headers, message):
    async def conversation(client):
        response = await client.http.post("/v2/translate", content=content, headers=headers)
        assert response.status_code == 400
        assert message in response.json()["message"]

    ask(conversation)


def test_lone_surrogates_and_nul_come_back_as_valid_text():
    async def conversation(client):
        assert await texts(client, ["a\ud800b\0c", "\ud800\0"]) == ["A\ufffdBC", "\ufffd"]

    ask(conversation)


def test_a_busy_server_answers_429_and_when_to_come_again():
    workers = StubWorkers()

    async def conversation(client):
        busy = await occupy(client, workers)
        waiting = asyncio.create_task(client.translate("a" * 6000))  # 1.2 s at the first guess
        await until(lambda: len(client.server.translation.queue) == 1)
        response = await translate(client, ["ja"])
        assert response.status_code == 429
        assert int(response.headers["retry-after"]) >= 1
        assert list(response.json()) == ["message"]
        workers.release()
        assert [(await each).status_code for each in (busy, waiting)] == [200, 200]

    ask(conversation, workers, max_wait_s=1)


def test_a_lost_worker_is_503_a_late_answer_504_and_a_failed_text_500():
    workers = StubWorkers(kills="stirb", fails="falsch")

    async def conversation(client):
        assert (await translate(client, ["stirb"])).status_code == 503
        await client.ready()
        response = await translate(client, ["gut", "falsch"])
        assert (response.status_code, response.json()) == (500, {"message": "internal error"})
        workers.hold()
        response = await translate(client, ["warte"])
        assert response.status_code == 504
        assert list(response.json()) == ["message"]

    ask(conversation, workers, deadline_s=0.5)


def test_a_server_that_starts_answers_503_and_when_to_come_again():
    async def conversation(client):
        response = await translate(client, ["ja"])
        assert response.status_code == 503
        assert "retry-after" in response.headers
        assert list(response.json()) == ["message"]

    ask(conversation, warm=False)
