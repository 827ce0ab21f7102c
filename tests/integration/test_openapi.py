"""The OpenAPI document: what it says, whether the service keeps to it, and the page that shows it.

Schemathesis asks the service for what its document allows, and for what it does not, and compares
the answers with the document.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
import schemathesis
from schemathesis.config import SchemathesisConfig
from schemathesis.engine import events, from_schema

from support.explaining import stub_explaining
from support.proxies import stripping_proxy
from support.serving import ask, real_server
from support.workers import stub_catalogue

PREFIX = "/translator"
EXAMPLES = 8
"""Requests that are drawn for each route and way to draw them, besides those of edge cases."""


# --- What it says --------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def document() -> Any:
    """That of a server with limits of its own."""

    async def fetch(client):
        return (await client.http.get("/openapi.json")).json()

    return ask(fetch, catalogue=stub_catalogue("de-en", "en-fr"), char_limit=77, max_beam_size=7)


def operations(document: Any) -> Iterator[tuple[str, Any]]:
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            yield f"{method.upper()} {path}", operation


def test_every_route_is_described(document):
    assert set(document["paths"]) > {
        "/translate",
        "/detect",
        "/languages",
        "/frontend/settings",
        "/suggest",
        "/translate_file",
        "/v1/translate",
        "/v1/translate/stream",
        "/v1/answer",
        "/v1/explain",
        "/v1/models",
        "/v1/models/{name}",
        "/v1/languages",
        "/health",
        "/ready",
        "/metrics",
    }
    for name, operation in operations(document):
        assert operation["description"], name
        assert operation["tags"], name


def test_limits_languages_and_models_are_those_of_the_server(document):
    body = document["paths"]["/v1/translate"]["post"]["requestBody"]["content"]["application/json"]
    fields = body["schema"]["properties"]
    one, several = fields["texts"]["anyOf"]
    assert (one["maxLength"], several["maxItems"], several["items"]["maxLength"]) == (77, 100, 77)
    assert fields["source"]["anyOf"][0]["enum"] == ["de", "en", "fr", "auto"]
    assert fields["model"]["anyOf"][0]["enum"] == ["de-en", "en-fr"]
    assert document["components"]["schemas"]["SearchOptions"]["properties"]["beam_size"] == {
        "type": "integer",
        "title": "Beam Size",
        "description": "Hypotheses kept per sentence; 1 is greedy search (Graves 2012).",
        "minimum": 1,
        "maximum": 7,
    }
    assert "x-of-server" not in str(document)


def test_all_work_has_an_example_and_every_error_a_body(document):
    for name, operation in operations(document):
        if name.endswith(("/translate", "/stream", "/answer", "/explain")):
            content = operation["requestBody"]["content"]["application/json"]
            assert content["examples"], name
            assert {"400", "413", "429", "503", "504"} <= set(operation["responses"]), name
        for status, response in operation["responses"].items():
            if status[0] in "45":
                assert response["content"]["application/json"]["schema"]["$ref"], (name, status)


def test_examples_are_answered(document):
    async def conversation(client):
        for name, operation in operations(document):
            method, path = name.split()
            if path == "/v1/answer":
                continue  # none of these models answers questions
            content = (
                operation.get("requestBody", {}).get("content", {}).get("application/json", {})
            )
            for example in content.get("examples", {}).values():
                response = await client.http.request(method, path, json=example["value"])
                assert response.status_code == 200, (name, example, response.text)

    ask(conversation, catalogue=stub_catalogue("de-en", "en-de"), explaining=stub_explaining())


def test_keys_are_in_the_document_of_a_server_that_asks_for_them(document, tmp_path):
    keys = tmp_path / "keys.json"
    keys.write_text('{"keys": []}')

    async def fetch(client):
        return (await client.http.get("/openapi.json")).json()

    with_keys = dict(operations(ask(fetch, api_keys_file=keys)))
    assert {name for name, operation in with_keys.items() if operation.get("security")} >= {
        "POST /v1/translate",
        "POST /v1/translate/stream",
        "POST /v1/answer",
        "POST /v1/explain",
        "POST /translate",
        "POST /detect",
        "POST /v2/translate",
        "GET /v2/usage",
        "POST /v2/usage",
        "GET /v2/languages",
        "POST /v2/languages",
        "GET /v2/glossary-language-pairs",
        "GET /v2/glossaries",
    }
    assert not any(operation.get("security") for _, operation in operations(document))


def test_references_lead_somewhere(document):
    for name in re.findall(r"'\$ref': '#/components/schemas/(.*?)'", str(document)):
        assert name in document["components"]["schemas"]


# --- Whether the service keeps to it -------------------------------------------------------------


def contradicts_itself(body: Any) -> bool:
    """What a schema cannot say: fields that are allowed one by one, and not together."""
    search = body.get("search", {}) if isinstance(body, dict) else None
    if not isinstance(search, dict):
        return False
    names_model = body.get("model") or not body.get("target")
    if names_model and (body.get("source") or body.get("target")):
        return True  # perhaps: a model has languages of its own
    n_best, beam_size = body.get("n_best", 1), search.get("beam_size", 5)
    too_many = isinstance(n_best, int) and isinstance(beam_size, int) and n_best > beam_size
    return not search.get("temperature") and bool(search.get("top_k") or too_many)


def test_schemathesis_finds_no_failure():
    config = SchemathesisConfig.from_dict(
        {
            "seed": 1,
            "generation": {
                "max-examples": EXAMPLES,
                "deterministic": True,
                "database": "none",
                # NUL is not counted in a text's length; hostile bodies have it in another test.
                "allow-x00": False,
            },
            # Besides the statuses expected by default: 413, for a text that is too long.
            "checks": {"negative_data_rejection": {"expected-statuses": ["4xx"]}},
        }
    )
    checks, failures = 0, []
    catalogue = stub_catalogue("de-en", "en-de")
    with real_server(catalogue=catalogue, explaining=stub_explaining()) as url:
        schema = schemathesis.openapi.from_url(f"{url}/openapi.json", config=config)

        @schema.hook
        def filter_case(context, case):
            return not contradicts_itself(case.body)

        for event in from_schema(schema).execute():
            assert not isinstance(event, events.NonFatalError | events.FatalError), event
            if isinstance(event, events.ScenarioFinished):
                for done in (check for each in event.recorder.checks.values() for check in each):
                    checks += 1
                    if info := done.failure_info:
                        failures.append(f"{info.failure.message}\n{info.code_sample}")
    assert failures == []
    assert checks > 3000


# --- The page ------------------------------------------------------------------------------------


def links(page: str) -> list[str]:
    found = re.findall(r"""(?:href|src)=["'](.*?)["']|url: '(.*?)'""", page)
    return ["".join(each) for each in found]


def test_the_page_names_no_other_host():
    async def conversation(client):
        page = (await client.http.get("/docs")).text
        assert "://" not in page
        assert '"validatorUrl": null' in page  # else the page asks its makers' server
        assert len(links(page)) == 4

    ask(conversation)


def test_the_page_works_below_the_prefix_of_a_proxy():
    with real_server(root_path=PREFIX) as server, stripping_proxy(server, PREFIX) as url:
        page = httpx.get(f"{url}/docs")
        assert page.status_code == 200
        for link in links(page.text):
            response = httpx.get(page.url.join(link))
            assert response.status_code == 200, link
            assert len(response.content) > 500
        document = httpx.get(f"{url}/openapi.json").json()
        (described,) = document["servers"]
        base = page.url.join(described["url"])
        answer = httpx.post(f"{base}/v1/translate", json={"texts": "hallo"})
        assert answer.json()["translations"][0]["text"] == "HALLO"
        assert httpx.post(
            f"{base}/translate", json={"q": "a", "source": "de", "target": "en"}
        ).json()


def test_a_path_with_a_slash_too_many_is_not_found_and_not_redirected():
    async def conversation(client):
        for path in ("/docs/", "/v1/models/", "/openapi.json/"):
            assert (await client.http.get(path)).status_code == 404

    ask(conversation)


def test_without_a_prefix_the_document_names_the_servers_root(document):
    assert document["servers"] == [{"url": "/"}]


@pytest.mark.parametrize("path", ["/redoc", "/docs/x", "/docs/swagger-ui-bundle.js/x", "/docs/.."])
def test_there_is_no_other_page(path):
    async def conversation(client):
        assert (await client.http.get(path)).status_code == 404

    ask(conversation)
