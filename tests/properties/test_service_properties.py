"""Whatever a client sends to the service, the answer is well-formed and never a 500."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.app import create_app
from service.parameters import clean
from service.settings import Settings
from support.serving import until
from support.workers import StubWorkers, stub_catalogue

Post = Callable[..., httpx.Response]


@pytest.fixture(scope="module")
def post() -> Iterator[Post]:
    """Posts to /translate of an app whose workers leave texts as they are."""
    settings = Settings(char_limit=50, batch_limit=4, workers=1)
    workers = StubWorkers(convert=str)
    app = create_app(settings, catalogue=stub_catalogue(), start_worker=workers.start)
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    client = httpx.AsyncClient(transport=transport, base_url="http://test")
    with asyncio.Runner() as runner:
        lifespan = app.router.lifespan_context(app)
        runner.run(lifespan.__aenter__())
        runner.run(until(lambda: app.state.server.translation.status == "ready"))
        yield lambda **request: runner.run(client.post("/translate", **request))
        runner.run(client.aclose())
        runner.run(lifespan.__aexit__(None, None, None))


# Surrogates included: JSON can write them, though no text can hold them.
texts = st.text(st.characters(), max_size=60)
scalars = st.none() | st.booleans() | st.integers() | st.floats() | texts
documents = st.recursive(
    scalars, lambda inner: st.lists(inner) | st.dictionaries(texts, inner), max_leaves=8
)
codes = st.sampled_from(["de", "EN", "auto", "zz"])
near_requests = st.fixed_dictionaries(
    {"q": texts | st.lists(texts | documents, max_size=5) | documents},
    optional={
        "source": codes | documents,
        "target": codes | documents,
        "format": st.sampled_from(["text", "html"]) | documents,
        "alternatives": st.integers(-1, 6) | documents,
        "api_key": documents,
    },
)
content_types = st.sampled_from(
    [
        "application/json",
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=x",
        "multipart/form-data; boundary=x; charset=idna",
        "text/plain",
    ]
)


def check_answer(response: httpx.Response) -> None:
    body: Any = response.json()
    if response.status_code == 200:
        assert set(body) <= {"translatedText", "detectedLanguage", "alternatives"}
        assert "translatedText" in body
    else:
        assert response.status_code == 400
        assert list(body) == ["error"]
        assert body["error"]


@given(document=documents | near_requests)
def test_any_json_document_is_answered(post, document):
    headers = {"content-type": "application/json"}
    check_answer(post(content=json.dumps(document), headers=headers))


@given(body=st.binary(), content_type=content_types, query=st.binary(max_size=40))
def test_any_bytes_are_answered(post, body, content_type, query):
    url_query = "".join(f"%{byte:02x}" for byte in query)
    check_answer(post(content=body, headers={"content-type": content_type}, params=url_query))


@given(values=st.lists(st.binary(max_size=20), min_size=3, max_size=3), content_type=content_types)
def test_any_multipart_values_are_answered(post, values, content_type):
    parts = [
        b'--x\r\nContent-Disposition: form-data; name="%s"\r\n\r\n%s\r\n' % (name, value)
        for name, value in zip((b"q", b"source", b"target"), values, strict=True)
    ]
    check_answer(
        post(content=b"".join(parts) + b"--x--\r\n", headers={"content-type": content_type})
    )


@given(items=st.lists(texts.filter(lambda text: len(text) <= 50), min_size=1, max_size=4))
def test_every_text_comes_back_in_its_place_with_only_its_unicode_repaired(post, items):
    body = json.dumps({"q": items, "source": "de", "target": "en"})
    answer = post(content=body, headers={"content-type": "application/json"}).json()
    # JSON itself joins two neighbouring surrogates that make a pair.
    assert answer == {"translatedText": [clean(json.loads(json.dumps(item))) for item in items]}
