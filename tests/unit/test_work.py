"""What server and workers say to each other, and how a batch is done."""

import json
import math

import pytest

from mt.errors import InputError
from mt.translation import Candidate, SegmentTranslation, given
from service.errors import Kind, ServiceError
from service.workers.work import LENGTH_BYTES, Batch, Options, frame, read_outcomes, write_outcomes
from service.workers.worker import UnwantedError, translate_batch

FULL = SegmentTranslation(
    (
        Candidate("Guten Tag! \u2028 \U0001f600 \ud800", -0.1 - 1e-17, 3, ((0, 1), (2, 0))),
        Candidate("", -math.pi, 1),
    ),
    frozenset({"copied", "split"}),
)


def test_a_frame_says_how_long_it_is():
    sent = frame({"a": [1, "ä"]})
    size = int.from_bytes(sent[:LENGTH_BYTES], "big")
    assert size == len(sent) - LENGTH_BYTES
    assert json.loads(sent[LENGTH_BYTES:]) == {"a": [1, "ä"]}


def test_outcomes_survive_the_way_to_the_last_bit():
    failed = ServiceError(Kind.INTERNAL, "internal error")
    sent = frame(write_outcomes([FULL, failed, given("")]))
    full, refused, empty = read_outcomes(json.loads(sent[LENGTH_BYTES:]))
    assert (full, empty) == (FULL, given(""))
    assert isinstance(refused, ServiceError)
    assert (refused.kind, refused.message) == (Kind.INTERNAL, "internal error")


def batch(*segments: str) -> Batch:
    return Batch("m", Options(), segments)


def test_a_batch_is_one_call():
    calls = []

    def translate(asked):
        calls.append(asked)
        return [given(segment.upper()) for segment in asked.segments]

    assert translate_batch(translate, batch("a", "b")) == [given("A"), given("B")]
    assert calls == [batch("a", "b")]


def test_one_bad_segment_fails_alone():
    def translate(asked):
        if "bad" in asked.segments:
            raise RuntimeError("secret")
        return [given(segment.upper()) for segment in asked.segments]

    first, failed, last = translate_batch(translate, batch("a", "bad", "b"))
    assert (first, last) == (given("A"), given("B"))
    assert isinstance(failed, ServiceError)
    assert failed.kind is Kind.INTERNAL
    assert "secret" not in failed.message


def test_a_segment_that_cannot_be_accepted_says_why():
    def translate(asked):
        raise InputError("too odd")

    (failed,) = translate_batch(translate, batch("a"))
    assert isinstance(failed, ServiceError)
    assert (failed.kind, failed.message) == (Kind.INVALID_REQUEST, "too odd")


def test_a_batch_that_nobody_wants_is_not_tried_again_one_by_one():
    calls = []

    def translate(asked):
        calls.append(asked)
        raise UnwantedError

    outcomes = translate_batch(translate, batch("a", "b"))
    assert [type(each) for each in outcomes] == [ServiceError, ServiceError]
    assert len(calls) == 1


@pytest.mark.parametrize("error", [KeyboardInterrupt, SystemExit])
def test_the_end_of_the_process_is_not_held_up(error):
    def translate(asked):
        raise error

    with pytest.raises(error):
        translate_batch(translate, batch("a", "b"))
