"""The queue and its worker, one failure at a time; pieces are characters of the fake translator."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import CancelledError

import pytest

from mt.errors import InputError
from service.batching import Batcher, RefusedError, TextFailedError
from support.translators import FakeTranslator

WAIT_S = 30


@pytest.fixture
def translator() -> Iterator[FakeTranslator]:
    translator = FakeTranslator()
    yield translator
    translator.release()


@pytest.fixture
def batcher(translator: FakeTranslator) -> Iterator[Batcher]:
    batcher = Batcher(translator, batch_pieces=10, max_waiting_pieces=1000)
    batcher.start()
    yield batcher
    translator.release()
    batcher.close(WAIT_S)


def occupy(batcher: Batcher, translator: FakeTranslator) -> None:
    """Keep the worker busy with a text of its own until the translator is released."""
    translator.hold()
    batcher.submit(["busy"])
    assert translator.searching.wait(WAIT_S)


def results(futures) -> list[str]:
    return [future.result(WAIT_S).text for future in futures]


def test_texts_come_back_in_the_order_they_were_given(batcher):
    assert results(batcher.submit(["c", "a", "b"])) == ["C", "A", "B"]


def test_a_lone_text_is_searched_at_once(batcher, translator):
    assert results(batcher.submit(["a"])) == ["A"]
    assert translator.batches == [["a"]]


def test_texts_of_several_requests_share_a_search_while_the_worker_is_busy(batcher, translator):
    occupy(batcher, translator)
    futures = [future for text in "abc" for future in batcher.submit([text])]
    translator.release()
    assert results(futures) == ["A", "B", "C"]
    assert translator.batches == [["busy"], ["a", "b", "c"]]


def test_a_batch_ends_where_its_pieces_would_exceed_the_budget(batcher, translator):
    occupy(batcher, translator)
    futures = batcher.submit(["aaaa", "bbbbbb", "c"])  # 4 + 6 fill a batch of 10
    translator.release()
    results(futures)
    assert translator.batches[1:] == [["aaaa", "bbbbbb"], ["c"]]


def test_a_source_larger_than_the_budget_is_searched_alone(batcher, translator):
    occupy(batcher, translator)
    futures = batcher.submit(["a", "b" * 11, "c"])
    translator.release()
    results(futures)
    assert translator.batches[1:] == [["a"], ["b" * 11], ["c"]]


def test_a_text_may_be_spread_over_batches_and_is_joined_again(batcher, translator):
    occupy(batcher, translator)
    futures = batcher.submit(["aaaaaa\n\nbbbbbb", "cc"])
    translator.release()
    assert results(futures) == ["AAAAAA\n\nBBBBBB", "CC"]
    assert translator.batches[1:] == [["aaaaaa"], ["bbbbbb", "cc"]]


def test_a_blank_text_needs_no_search(batcher, translator):
    assert results(batcher.submit([" \n "])) == [" \n "]
    assert translator.batches == []


def test_each_text_gets_as_many_hypotheses_as_it_asked_for(batcher, translator):
    occupy(batcher, translator)
    [one] = batcher.submit(["a"], n_best=1)
    [three] = batcher.submit(["b"], n_best=3)
    translator.release()
    assert one.result(WAIT_S).alternatives == ()
    assert [each.text for each in three.result(WAIT_S).alternatives] == ["B#1", "B#2"]
    assert translator.batches[1:] == [["a", "b"]]
    assert translator.n_bests[1:] == [3]


def test_the_translator_is_called_by_the_worker_only(batcher, translator):
    results(batcher.submit(["a", "b"]))
    assert translator.threads == {"translator"}


@pytest.mark.parametrize("failing_call", ["fail_plan", "fail_search", "fail_finish"])
def test_a_text_that_raises_fails_alone(batcher, translator, failing_call, caplog):
    setattr(translator, failing_call, "x")
    occupy(batcher, translator)
    good, bad, also_good = batcher.submit(["a", "x", "b"])
    translator.release()
    assert results([good, also_good]) == ["A", "B"]
    with pytest.raises(TextFailedError):
        bad.result(WAIT_S)
    assert "Traceback" in caplog.text


def test_a_text_that_cannot_be_accepted_says_so(batcher, translator):
    translator.refuse_plan = "x"
    [bad] = batcher.submit(["x"])
    with pytest.raises(InputError, match="refused"):
        bad.result(WAIT_S)


def test_the_rest_of_a_failed_text_is_not_searched(batcher, translator):
    translator.fail_search = "x"
    [bad] = batcher.submit(["xxxxxx\nyyyyyy"])
    with pytest.raises(TextFailedError):
        bad.result(WAIT_S)
    assert results(batcher.submit(["a"])) == ["A"]
    assert translator.batches == [["xxxxxx"], ["a"]]


def test_a_cancelled_text_is_never_planned_and_frees_its_place_at_once(batcher, translator):
    occupy(batcher, translator)
    abandoned, wanted = batcher.submit(["a" * 400, "b"])
    assert batcher.waiting_pieces == 101 + 1  # guessed, a piece for every four characters
    assert abandoned.cancel()
    assert batcher.waiting_pieces == 1
    translator.release()
    assert results([wanted]) == ["B"]
    assert translator.planned == ["busy", "b"]
    with pytest.raises(CancelledError):
        abandoned.result(WAIT_S)


def test_a_text_cancelled_after_planning_is_never_searched(batcher, translator):
    translator.hold()
    first, second = batcher.submit(["aaaaaa", "bbbbbb"])  # both planned, one searched
    assert translator.searching.wait(WAIT_S)
    assert batcher.waiting_pieces == 6
    assert second.cancel()
    assert batcher.waiting_pieces == 0
    translator.release()
    assert results([first, *batcher.submit(["c"])]) == ["AAAAAA", "C"]
    assert translator.batches == [["aaaaaa"], ["c"]]


def test_a_text_cancelled_while_it_is_planned_leaves_nothing_waiting(batcher, translator):
    plan, planning, cancelled = translator.plan, threading.Event(), threading.Event()

    def slow_plan(text):
        planning.set()
        assert cancelled.wait(WAIT_S)
        return plan(text)

    translator.plan = slow_plan
    [abandoned] = batcher.submit(["aaaaaa"])
    assert planning.wait(WAIT_S)
    assert abandoned.cancel()
    cancelled.set()
    assert results(batcher.submit(["c"])) == ["C"]
    assert batcher.waiting_pieces == 0
    assert translator.batches == [["c"]]


def test_nothing_waits_once_all_is_done(batcher):
    results(batcher.submit(["aaaaaa\nbbbbbb", "c", " "]))
    assert batcher.waiting_pieces == 0


def test_a_full_queue_refuses_a_whole_request_and_says_when_to_come_back(translator):
    batcher = Batcher(translator, batch_pieces=10, max_waiting_pieces=3)
    batcher.start()
    occupy(batcher, translator)
    waiting = batcher.submit(["a", "b"])
    with pytest.raises(RefusedError, match="busy") as refusal:
        batcher.submit(["c", "d"])
    assert refusal.value.retry_after_s >= 1
    assert batcher.waiting_pieces == 2
    waiting += batcher.submit(["e"])
    translator.release()
    assert results(waiting) == ["A", "B", "E"]
    batcher.close(WAIT_S)


def test_an_idle_worker_accepts_a_request_larger_than_the_bound(translator):
    batcher = Batcher(translator, batch_pieces=10, max_waiting_pieces=1)
    batcher.start()
    assert results(batcher.submit(["a", "b", "c"])) == ["A", "B", "C"]
    batcher.close(WAIT_S)


def test_a_dead_worker_leaves_nobody_waiting_and_refuses_new_texts(batcher, translator, caplog):
    translator.die_in_search = "x"
    occupy(batcher, translator)
    futures = batcher.submit(["x", "a" * 9, "b"])  # in the search, planned, in the inbox
    translator.release()
    for future in futures:
        with pytest.raises(RefusedError, match="stopped"):
            future.result(WAIT_S)
    assert not batcher.alive
    assert "the translation worker died" in caplog.text
    with pytest.raises(RefusedError, match="stopped"):
        batcher.submit(["c"])


def test_closing_finishes_what_was_accepted_and_refuses_the_rest(batcher, translator):
    occupy(batcher, translator)
    futures = batcher.submit(["a", "b"])
    closing = threading.Thread(target=batcher.close, args=(WAIT_S,))
    closing.start()
    while not batcher.closing:
        pass
    with pytest.raises(RefusedError, match="shutting down"):
        batcher.submit(["c"])
    translator.release()
    closing.join(WAIT_S)
    assert results(futures) == ["A", "B"]
    assert not batcher.alive


def test_closing_gives_up_on_a_search_that_does_not_return(batcher, translator):
    occupy(batcher, translator)
    [future] = batcher.submit(["a"])
    batcher.close(timeout_s=0)
    with pytest.raises(RefusedError, match="shutting down"):
        future.result(0)
