"""Whatever the body of a POST to any route, the answer is one that its wire knows, and no 5xx."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest
from fastapi.routing import iter_route_contexts
from hypothesis import example, given, settings
from hypothesis import strategies as st

from service.app import create_app
from service.settings import Settings
from support.serving import until
from support.workers import StubWorkers, stub_catalogue

Post = Callable[..., httpx.Response]

PATHS = sorted(
    route.path
    for route in iter_route_contexts(create_app(Settings()).routes)
    if route.path and "POST" in (route.methods or ())
)
"""Of all routes with a body."""
FIELDS: dict[str, dict[str, object]] = {
    "/translate": {"q": "a", "source": "de", "target": "en"},
    "/detect": {"q": "a"},
    "/v1/translate": {"texts": "a", "n_best": 2, "search": {"beam_size": 2}},
    "/v1/translate/stream": {"texts": ["a", "b"], "source": "auto", "target": "en"},
    "/v2/translate": {"text": ["a"], "target_lang": "EN-GB"},
    "/v2/languages": {"type": "target"},
}
"""A request that each route answers."""
OTHER_FIELDS = (
    "alternatives", "api_key", "auth_key", "context", "format", "formality", "glossary_id",
    "ignore_tags", "model", "model_type", "outline_detection", "s", "sentences", "source_lang",
    "split_sentences", "splitting_tags", "tag_handling", "texts", "type",
)  # fmt: skip


@pytest.fixture(scope="module")
def app() -> Any:
    workers = StubWorkers()
    return create_app(
        Settings(char_limit=50, batch_limit=4, workers=1, max_body_bytes=300_000),
        catalogue=stub_catalogue("de-en", "en-de"),
        start_worker=workers.start,
    )


@pytest.fixture(scope="module")
def post(app) -> Iterator[Post]:
    transport = httpx.ASGITransport(app)  # which lets exceptions through
    client = httpx.AsyncClient(transport=transport, base_url="http://test")
    with asyncio.Runner() as runner:
        lifespan = app.router.lifespan_context(app)
        runner.run(lifespan.__aenter__())
        runner.run(until(lambda: app.state.server.translation.status == "ready"))
        yield lambda path, **request: runner.run(client.post(path, **request))
        runner.run(client.aclose())
        runner.run(lifespan.__aexit__(None, None, None))


def test_the_routes_are_found():
    assert set(FIELDS) < set(PATHS)


def check(path: str, response: httpx.Response) -> None:
    assert response.status_code < 500, response.text
    if response.status_code == 200:
        for line in response.text.splitlines() if path.endswith("stream") else [response.text]:
            json.loads(line)
        return
    body = response.json()
    if path.startswith("/v2/"):
        assert list(body) == ["message"]
    elif path.startswith("/v1/"):
        assert list(body) == ["error"]
        assert set(body["error"]) == {"code", "message", "field", "request_id"}
    else:
        assert list(body) == ["error"]
        assert isinstance(body["error"], str)


paths = st.sampled_from(PATHS)
texts = st.text(st.characters(), max_size=60)  # surrogates included: JSON can write them
numbers = st.integers() | st.floats() | st.sampled_from([10**30, -(2**63), 1e308])
scalars = st.none() | st.booleans() | numbers | texts
documents = st.recursive(
    scalars, lambda inner: st.lists(inner) | st.dictionaries(texts, inner), max_leaves=8
)
content_types = st.sampled_from(
    [
        "application/json",
        "application/json; charset=utf-16",
        "application/vnd.api+json",
        "application/x-www-form-urlencoded",
        "multipart/form-data",
        "multipart/form-data; boundary=x",
        "multipart/form-data; boundary=x; charset=idna",
        "multipart/form-data; boundary=" + 300 * "x",
        "text/plain",
        "/",
        "",
    ]
)
HOSTILE = (
    b"",
    b"null",
    b"NaN",
    b'{"texts": NaN, "q": Infinity}',
    b'"\\ud800"',
    b"\xff\xfe\x00",
    b"{" * 100_000,
    b"[" * 100_000,
    b'{"q": ' * 40_000,
    b'{"texts": "a", "n_best": 1' + 5000 * b"0" + b"}",
    b'{"texts": "a", "n_best": 1e999}',
    b'{"\\ud800": 1, "texts": "a"}',
    b'{"texts": "\\u0000\\ud800", "q": "\\u0000\\udfff", "source": "\\ud800", "target": "en"}',
    b"q=%ff%00&source=de&target=en&text=%ed%a0%80&target_lang=EN",
    b"&".join(b"a%d=1" % n for n in range(2000)),
    b"--x\r\n",
    b"--x\r\nContent-Disposition: form-data\r\n\r\na\r\n--x--\r\n",
    b'--x\r\nContent-Disposition: form-data; name="q"; filename="q"\r\n\r\na\r\n--x--\r\n',
    b'--x\r\nContent-Disposition: form-data; name="q"\r\n\r\n\xff\x00\r\n--x--',
    b"--x--\r\n--x--",
    300_001 * b"a",
)


@pytest.mark.parametrize("body", HOSTILE, ids=lambda body: str(body[:20]))
@pytest.mark.parametrize("path", PATHS)
def test_hostile_bodies_are_answered(post, path, body):
    for content_type in (
        "application/json",
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=x",
        "text/plain",
    ):
        check(path, post(path, content=body, headers={"content-type": content_type}))


@settings(max_examples=200)
@given(path=paths, body=st.binary(), content_type=content_types)
def test_any_bytes_are_answered(post, path, body, content_type):
    check(path, post(path, content=body, headers={"content-type": content_type}))


@settings(max_examples=200)
@given(path=paths, document=documents)
def test_any_json_is_answered(post, path, document):
    headers = {"content-type": "application/json"}
    check(path, post(path, content=json.dumps(document), headers=headers))


@settings(max_examples=400)
@given(path=st.sampled_from(list(FIELDS)), data=st.data(), value=documents)
def test_a_good_request_with_one_odd_field_is_answered(post, path, data, value):
    fields = FIELDS[path]
    name = data.draw(st.sampled_from([*fields, *OTHER_FIELDS]))
    content = json.dumps(fields | {name: value})
    check(path, post(path, content=content, headers={"content-type": "application/json"}))


@settings(max_examples=200)
@given(values=st.dictionaries(st.sampled_from(["beam_size", "seed", "top_k", "x"]), documents))
@example({"beam_size": 2**64})
@example({"seed": -1})
def test_any_search_options_are_answered(post, values):
    content = json.dumps({"texts": "a", "search": values})
    response = post("/v1/translate", content=content, headers={"content-type": "application/json"})
    check("/v1/translate", response)


@settings(max_examples=100)
@given(path=st.sampled_from(list(FIELDS)), values=st.lists(st.binary(max_size=20), max_size=4))
def test_any_multipart_values_are_answered(post, path, values):
    names = [*map(str.encode, FIELDS[path]), b"\xff", b""]
    parts = [
        b'--x\r\nContent-Disposition: form-data; name="%s"\r\n\r\n%s\r\n' % (name, value)
        for name, value in zip(names, values, strict=False)
    ]
    headers = {"content-type": "multipart/form-data; boundary=x"}
    check(path, post(path, content=b"".join(parts) + b"--x--\r\n", headers=headers))
