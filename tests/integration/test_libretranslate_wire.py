"""LibreTranslate's wire over stand-in workers: parameters, answers and error messages."""

from __future__ import annotations

import gzip
import json

import pytest

from mt.config import SearchConfig
from service.texts.catalogue import Catalogue
from support.serving import JSON, ask
from support.workers import StubWorkers, stub_catalogue, stub_model

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


def test_a_server_that_rescores_does_so_for_clients_that_cannot_ask():
    workers = StubWorkers()

    async def conversation(client):
        await client.translate("ja")

    served = stub_catalogue("de-en", "en-de")
    ask(conversation, workers, catalogue=served, rescore=True)
    assert [batch.options.rescorer for batch in workers.batches] == ["en-de"]


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
            "de is not supported as target language of en; this server translates en to nothing",
        ),
        ({"format": "rtf"}, "rtf format is not supported"),
        ({"format": 1}, "Invalid request: format parameter is not a string"),
        ({"q": "12345678901"}, "Invalid request: request (11) exceeds text limit (10)"),
        ({"q": ["a", "12345678901"]}, "Invalid request: request (11) exceeds text limit (10)"),
        ({"q": ["a"] * 4}, "Invalid request: request (4) exceeds text limit (3)"),
        # Counted before any of them is looked at.
        ({"q": [5] * 4}, "Invalid request: request (4) exceeds text limit (3)"),
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

    narrow = stub_model(search=SearchConfig(beam_size=2))
    ask(conversation, catalogue=Catalogue([narrow]))


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"5", b"\xff", b"[" * 100_000])
def test_json_that_is_no_object_is_refused(body):
    async def conversation(client):
        response = await client.http.post("/translate", content=body, headers=JSON)
        assert response.status_code == 400
        assert response.json()["error"].startswith("Invalid JSON format: ")

    ask(conversation)


@pytest.mark.parametrize(
    ("content", "query"),
    [(b"q=Gr\xfc\xdfe", ""), (b"q=Gr%FC%DFe", ""), (b"", "?q=Gr%FC%DFe")],
)
def test_a_form_that_is_not_utf_8_is_refused_and_not_mangled(content, query):
    async def conversation(client):
        headers = {"content-type": "application/x-www-form-urlencoded; charset=ISO-8859-1"}
        path = f"/translate{query}"
        response = await client.http.post(path, content=content, headers=headers)
        assert (response.status_code, "have to be UTF-8" in response.json()["error"]) == (400, True)

    ask(conversation)


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity"])
@pytest.mark.parametrize("name", ["q", "alternatives"])
def test_a_number_that_json_does_not_have_is_named(name, number):
    async def conversation(client):
        content = f'{{"source": "de", "target": "en", "{name}": {number}}}'
        response = await client.http.post("/translate", content=content, headers=JSON)
        assert response.status_code == 400
        assert response.json() == {"error": f"Invalid JSON format: {number} is no number of JSON"}

    ask(conversation)


@pytest.mark.parametrize(
    ("headers", "said"),
    [
        ({}, "missing"),
        ({"content-type": "text/plain;charset=UTF-8"}, "text/plain"),
        (
            {"content-type": "application/x-www-form-urlencoded"},
            "application/x-www-form-urlencoded",
        ),
    ],
)
def test_json_without_its_content_type_is_told_so(headers, said):
    async def conversation(client):
        content = "\n" + json.dumps(FIELDS)
        response = await client.http.post("/translate", content=content, headers=headers)
        assert response.status_code == 400
        assert response.json()["error"].startswith(
            f"Invalid request: the body looks like JSON, but its Content-Type is {said};"
        )

    ask(conversation)


@pytest.mark.parametrize("path", ["/translate", "/detect", "/v2/translate", "/v1/translate"])
def test_a_compressed_body_is_refused_and_its_encoding_named(path):
    async def conversation(client):
        content = gzip.compress(json.dumps(FIELDS).encode())
        headers = JSON | {"content-encoding": "gzip"}
        response = await client.http.post(path, content=content, headers=headers)
        assert response.status_code == 415
        assert response.headers["accept-encoding"] == "identity"
        assert "Content-Encoding: gzip is not read" in response.text
        headers = JSON | {"content-encoding": "Identity"}
        assert "Content-Encoding" not in (await client.http.post(path, headers=headers)).text

    ask(conversation)


@pytest.mark.parametrize(
    "body",
    [
        b'{"q": "first", "q": "second", "source": "de", "target": "en"}',
        b'{"q": "a", "source": "de", "target": "en", "more": {"q": 1, "q": 1}}',
    ],
)
def test_a_name_that_is_in_a_json_object_twice_is_refused_and_not_halved(body):
    async def conversation(client):
        headers = {"content-type": "application/json"}
        response = await client.http.post("/translate", content=body, headers=headers)
        assert response.status_code == 400
        assert response.json() == {"error": "Invalid request: q is given twice in a JSON object"}

    ask(conversation)


def test_a_form_with_two_texts_is_refused_and_not_halved():
    async def conversation(client):
        response = await client.http.post("/translate", params={"q": ["a", "b"]})
        assert response.status_code == 400
        assert "given twice" in response.json()["error"]

    ask(conversation)


def test_a_form_with_too_many_fields_is_refused():
    async def conversation(client):
        response = await client.http.post("/translate", data={f"x{n}": "1" for n in range(1001)})
        assert response.status_code == 400
        assert response.json() == {"error": "Invalid request: too many form fields"}

    ask(conversation)


PARTS = "".join(
    f'--x\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'
    for name, value in FIELDS.items()
)
MULTIPART = "multipart/form-data; boundary=x"


async def post_multipart(client, content, content_type=MULTIPART):
    headers = {"content-type": content_type}
    return await client.http.post("/translate", content=content, headers=headers)


@pytest.mark.parametrize(
    ("content_type", "content", "message"),
    [
        ("multipart/form-data", f"{PARTS}--x--", "boundary"),
        (f'{MULTIPART}; charset="', f"{PARTS}--x--", "quotation mark"),
        (MULTIPART, PARTS, "ends before its closing boundary"),
        (MULTIPART, f"{PARTS}--x", "ends before its closing boundary"),
        (MULTIPART, PARTS[:-3], "ends before its closing boundary"),
        (MULTIPART, "", "ends before its closing boundary"),
    ],
)
def test_a_damaged_multipart_form_is_refused_and_not_halved(content_type, content, message):
    async def conversation(client):
        response = await post_multipart(client, content, content_type)
        assert response.status_code == 400
        assert response.json()["error"].startswith("Invalid request: the form cannot be read: ")
        assert message in response.json()["error"]

    ask(conversation)


@pytest.mark.parametrize("charset", ["", "; charset=ISO-8859-1", "; charset=utf-8"])
@pytest.mark.parametrize("part", ["name", "value"])
def test_a_multipart_form_that_is_not_utf_8_is_refused_and_not_mangled(part, charset):
    async def conversation(client):
        name, value = (b"\xfc", b"") if part == "name" else (b"api_key", b"Gr\xfc\xdfe")
        extra = b'--x\r\nContent-Disposition: form-data; name="%b"\r\n\r\n%b\r\n' % (name, value)
        content = PARTS.encode() + extra + b"--x--"
        response = await post_multipart(client, content, MULTIPART + charset)
        assert (response.status_code, "have to be UTF-8" in response.json()["error"]) == (400, True)

    ask(conversation)


@pytest.mark.parametrize("charset", ["punycode", "idna", "undefined", "utf-16"])
def test_no_charset_that_a_multipart_form_names_is_followed(charset):
    # To decode a megabyte of the first two takes minutes.
    async def conversation(client):
        response = await post_multipart(client, f"{PARTS}--x--", f"{MULTIPART}; charset={charset}")
        assert response.json() == {"translatedText": "GRÜSSE\r\nAN ALLE"}

    ask(conversation)


def test_text_is_made_valid_unicode_and_nothing_else_is_touched():
    text = "\ud800a\0b\udfff \u00a0\t\x0b\x85\u2028ﬁ e\u0301 👩‍👩‍👧\r\n "
    cleaned = "\ufffdab\ufffd \u00a0\t\x0b\x85\u2028ﬁ e\u0301 👩‍👩‍👧\r\n "

    async def conversation(client):
        assert (await client.translate(text)).json() == {"translatedText": cleaned}

    ask(conversation, StubWorkers(convert=str))


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
        refused = await client.translate("a", source="auto")
        assert refused.status_code == 400
        assert "name the source language" in refused.json()["error"]
        assert (await client.translate("a", source="xx")).json() == {"translatedText": "A"}

    ask(conversation, catalogue=stub_catalogue("xx-en"))


@pytest.mark.parametrize("text", [" ", "\n\n", "👍🏽", "3,50 €", "..."])
def test_a_text_without_letters_comes_back_unchanged_without_the_translator(text):
    workers = StubWorkers(convert=lambda line: "changed")

    async def conversation(client):
        assert (await client.translate(text)).json() == {"translatedText": text}
        assert workers.batches == []

    ask(conversation, workers)


def test_numbers_that_stand_alone_among_words_come_back_unchanged():
    async def conversation(client):
        text = "Rechnung\n12.05.2023\n+49 30 1234567\nBetrag\t3,50 €\t2026"
        numbers_stay = "RECHNUNG\n12.05.2023\n+49 30 1234567\nBETRAG\t3,50 €\t2026"
        assert (await client.translate(text)).json() == {"translatedText": numbers_stay}

    ask(conversation, StubWorkers(convert=lambda line: line.upper().replace("2", "9")))


def test_a_line_end_in_html_is_white_space_and_in_text_ends_a_sentence():
    workers = StubWorkers()

    async def conversation(client):
        text = "<p>Ein Hund\nläuft über die\nWiese.</p><pre>Ein\nHund</pre>"
        answer = (await client.translate(text, format="html")).json()
        expected = "<p>EIN HUND LÄUFT ÜBER DIE WIESE.</p><pre>EIN\nHUND</pre>"
        assert answer == {"translatedText": expected}
        assert workers.segments == ["Ein Hund läuft über die Wiese.", "Ein", "Hund"]
        assert (await client.translate("ja\nnein")).json() == {"translatedText": "JA\nNEIN"}

    ask(conversation, workers)


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
        ("POST", "/translate/", 404),
    ],
)
def test_the_router_refuses_in_the_same_shape(method, path, status):
    async def conversation(client):
        response = await client.http.request(method, path)
        assert response.status_code == status
        assert list(response.json()) == ["error"]

    ask(conversation)


def test_detection_counts_towards_the_limit_a_minute_and_is_not_charged():
    async def conversation(client):
        response = await client.http.post("/detect", data={"q": "Guten Morgen, Hund."})
        assert response.status_code == 200
        assert response.headers["RateLimit-Remaining"] == "1"
        response = await client.http.post("/detect", data={"q": "Wie"})
        assert response.status_code == 429
        assert "20 characters a minute" in response.json()["error"]
        assert response.headers["RateLimit-Remaining"] == "1"
        anybody = client.server.access.identify({}, None, "127.0.0.1")
        assert client.server.access.usage(anybody)[0] == 0

    ask(conversation, characters_per_minute=20)
