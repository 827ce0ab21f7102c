"""The parts of the native wire: its schemas, what a request asks for, how a stream is written."""

import asyncio
import json

import pytest
from pydantic import ValidationError

from mt.config import SearchConfig
from mt.translation import Candidate, SegmentTranslation
from service.errors import Kind, ServiceError
from service.native.rendering import Renderer
from service.native.schemas import (
    NOT_PER_REQUEST,
    ErrorEvent,
    ResultEvent,
    SearchOptions,
    SegmentEvent,
    TranslateRequest,
    TranslateResult,
)
from service.native.streaming import JSON_LINES, SSE, media_type, stream
from service.texts.catalogue import Way
from service.texts.jobs import Answer, Segment
from service.texts.sharing import Found, Origin
from support.workers import stub_model

# --- Schemas -------------------------------------------------------------------------------------


def test_search_options_are_those_of_the_model_but_for_its_memory():
    assert set(SearchOptions.model_fields) == set(SearchConfig.model_fields) - set(NOT_PER_REQUEST)


def test_a_search_option_has_the_description_and_range_of_the_models_own():
    own = SearchConfig.model_json_schema()["properties"]
    for name, field in SearchOptions.model_json_schema()["properties"].items():
        differing = {"default", "x-of-server"}
        assert {k: v for k, v in field.items() if k not in differing} == {
            k: v for k, v in own[name].items() if k not in differing
        }
        assert field["default"] is None


def test_what_is_not_given_is_not_set():
    options = SearchOptions.model_validate({"seed": 3})
    assert options.model_dump(exclude_unset=True) == {"seed": 3}


@pytest.mark.parametrize(
    "fields",
    [
        {"texts": 5},
        {"texts": ["a", None]},
        {"texts": None},
        {},
        {"texts": "a", "text": "a"},
        {"texts": "a", "n_best": 0},
        {"texts": "a", "n_best": True},
        {"texts": "a", "n_best": "2"},
        {"texts": "a", "n_best": 1.5},
        {"texts": "a", "search": None},
        {"texts": "a", "search": {"beam_size": 0}},
        {"texts": "a", "search": {"beam_size": None}},
        {"texts": "a", "search": {"batch_rows": 5}},
        {"texts": "a", "search": {"length_penalty": float("nan")}},
        {"texts": "a", "format": "pdf"},
        {"texts": "a", "sentences": "unsplit"},
    ],
)
def test_what_is_not_of_the_schema_is_refused(fields):
    with pytest.raises(ValidationError):
        TranslateRequest.model_validate(fields)


def test_a_text_is_a_list_of_one_and_valid_unicode():
    assert TranslateRequest.model_validate({"texts": "a\ud800\0b"}).texts == ["a\ufffdb"]


def test_a_whole_number_may_have_a_decimal_point():
    request = TranslateRequest.model_validate(
        {"texts": "a", "n_best": 2.0, "search": {"beam_size": 4.0, "length_penalty": 1}}
    )
    assert (request.n_best, request.search.model_dump(exclude_unset=True)) == (
        2,
        {"beam_size": 4, "length_penalty": 1.0},
    )


# --- Rendering -----------------------------------------------------------------------------------

DE_EN, EN_FR = stub_model("de-en"), stub_model("en-fr")
RENDERER = Renderer("fr", {"de-en": "int8"}, "id-1")


def segment(origin=Origin.MODEL, models=(DE_EN,), rescorers=()):
    translation = SegmentTranslation((Candidate("A b.", 0.0, 3),), frozenset({"split", "copied"}))
    return Segment("C d.", Found(translation, origin), Way(models, rescorers))


def test_a_segment_names_the_models_behind_it_to_the_bit():
    rendered = RENDERER.segment(segment(models=(DE_EN, EN_FR)))
    assert rendered == {
        "source": "C d.",
        "translation": "A b.",
        "score": 1.0,
        "flags": ["copied", "split"],
        "provenance": {
            "origin": "model",
            "models": [
                {"name": "de-en", "sha256": DE_EN.sha256, "engine": "int8"},
                {"name": "en-fr", "sha256": EN_FR.sha256, "engine": None},
            ],
            "rescored_by": [],
        },
    }


def test_a_segment_names_the_model_that_rescored_it():
    provenance = RENDERER.segment(segment(models=(EN_FR,), rescorers=(DE_EN,)))["provenance"]
    assert provenance["rescored_by"] == [
        {"name": "de-en", "sha256": DE_EN.sha256, "engine": "int8"}
    ]


def test_no_model_is_behind_what_the_memory_had():
    known = segment(Origin.MEMORY, rescorers=(DE_EN,))
    assert RENDERER.segment(known)["provenance"] == {
        "origin": "memory",
        "models": [],
        "rescored_by": [],
    }


def test_a_failed_text_has_its_error_in_its_place():
    failure = ServiceError(Kind.UNAVAILABLE, "gone", field="texts")
    result = RENDERER.result([Answer("A", "de"), failure])
    assert result["translations"][0]["text"] == "A"
    assert result["translations"][1] == {
        "error": {
            "code": "unavailable",
            "message": "gone",
            "field": "texts",
            "request_id": "id-1",
        }
    }


def test_nothing_but_failures_is_a_failure():
    failures = [ServiceError(Kind.UNAVAILABLE, "a"), ServiceError(Kind.INTERNAL, "b")]
    with pytest.raises(ServiceError, match="a"):
        RENDERER.result(failures)
    assert RENDERER.result([]) == {"translations": []}


def test_what_is_written_is_what_the_schemas_describe():
    answer = Answer("A b.", "de", 0.5, way=Way((DE_EN,)), segments=(segment(),))
    for schema, body in (
        (TranslateResult, RENDERER.result([answer, ServiceError(Kind.INTERNAL, "b")])),
        (ResultEvent, RENDERER.result_event([answer])),
        (SegmentEvent, RENDERER.segment_event(0, 1, segment())),
        (ErrorEvent, RENDERER.error_event(ServiceError(Kind.DEADLINE, "late"))),
    ):
        text = json.dumps(body)
        assert json.loads(schema.model_validate_json(text).model_dump_json()) == json.loads(text)


# --- Streaming -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("accept", "expected"),
    [
        ("", JSON_LINES[0]),
        ("*/*", JSON_LINES[0]),
        ("application/json", JSON_LINES[0]),
        ("application/jsonl", "application/jsonl"),
        ("Text/Event-Stream", SSE),
        ("text/event-stream;q=0.5, application/x-ndjson", JSON_LINES[0]),
        ("application/x-ndjson;q=0.5, text/event-stream", SSE),
        ("text/event-stream;q=0", JSON_LINES[0]),
        ("text/event-stream;q=often", JSON_LINES[0]),
        ("text/html, text/event-stream; charset=utf-8; q=0.1", SSE),
    ],
)
def test_the_accept_header_says_how_events_are_written(accept, expected):
    assert media_type(accept) == expected


def written(work, accept="") -> str:
    """All that is sent of the events of some work."""

    async def run() -> str:
        response = await stream(
            work, lambda error: {"type": "error", "why": error.kind}, accept, {}
        )
        return b"".join([chunk async for chunk in response.body_iterator]).decode()

    return asyncio.run(run())


async def two_events(announce):
    announce({"type": "segment", "n": "ä\u2028\n"})
    return {"type": "result"}


def test_a_line_of_json_is_one_line_to_every_client():
    lines = written(two_events).splitlines()  # which takes U+2028 for the end of a line
    assert [json.loads(line) for line in lines] == [
        {"type": "segment", "n": "ä\u2028\n"},
        {"type": "result"},
    ]


def test_a_server_sent_event_has_a_name_and_one_line_of_data():
    events = written(two_events, SSE).split("\n\n")
    assert events[1:] == ['event: result\ndata: {"type": "result"}', ""]
    name, data = events[0].split("\n")
    assert name == "event: segment"
    assert json.loads(data.removeprefix("data: "))["n"] == "ä\u2028\n"


def test_an_error_before_the_first_event_is_raised():
    async def work(announce):
        raise ServiceError(Kind.OVERLOADED, "busy")

    with pytest.raises(ServiceError, match="busy"):
        written(work)


def test_an_error_after_the_first_event_is_the_last_event():
    async def work(announce):
        announce({"type": "segment"})
        raise ServiceError(Kind.DEADLINE, "late")

    assert json.loads(written(work).splitlines()[-1]) == {"type": "error", "why": "deadline"}


def test_work_ends_when_nobody_takes_its_events_any_more():
    ended = []

    async def work(announce):
        announce({"type": "segment"})
        try:
            await asyncio.Event().wait()
        finally:
            ended.append(True)
        return {}

    async def leave() -> None:
        response = await stream(work, lambda error: {}, "", {})
        await anext(response.body_iterator)
        async with asyncio.timeout(5):
            await response.body_iterator.aclose()

    asyncio.run(leave())
    assert ended == [True]
