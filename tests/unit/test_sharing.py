"""One computation for all who want the same segment."""

import asyncio

import pytest

import service.texts.sharing
from mt.translation import given
from service.errors import Kind, ServiceError
from service.telemetry.metrics import Metrics
from service.texts.cache import Cache
from service.texts.sharing import (
    RESCORED_EFFORT,
    SEGMENTS_A_TURN,
    Found,
    Origin,
    Sharing,
    model_effort,
)
from service.workers.queue import SEGMENT_CHARACTERS, Task, WorkQueue
from service.workers.work import Options
from support.serving import until
from support.turns import most_in_a_turn
from support.workers import stub_model

MODEL = stub_model("de-en")
OPTIONS = Options()


class Office:
    """A queue whose worker is the test."""

    def __init__(self, cache_bytes=100_000, **bounds):
        bounds = {"batch_characters": 10_000, "max_wait_s": 4.0, "deadline_s": 8.0} | bounds
        self.queue = WorkQueue(**bounds)
        self.queue.workers = 1
        self.sharing = Sharing(self.queue, Cache(cache_bytes), Metrics())
        self.batches = []

    def ask(self, *segments, options=OPTIONS, **arguments):
        given = {"work": self.sharing.in_parts(1)} | arguments
        return asyncio.create_task(self.sharing.translate(MODEL, options, segments, **given))

    async def do_batch(self, fails=None):
        """Take the next batch, and answer it in capitals."""
        batch = await self.queue.take()
        self.batches.append([task.segment for task in batch])
        for task in batch:
            if fails == task.segment:
                task.future.set_exception(ServiceError(Kind.INTERNAL, "internal error"))
            elif not task.future.done():
                task.future.set_result(given(task.segment.upper()))
        self.queue.done(batch, 0.001)


def run(work):
    return asyncio.run(asyncio.wait_for(work, 10))


def texts(outcomes):
    return [each.translation.text for each in outcomes]


def origins(outcomes):
    return [each.origin for each in outcomes]


def test_translations_come_in_the_order_of_the_segments():
    async def scenario():
        office = Office()
        asked = office.ask("a", "b", "c")
        await office.do_batch()
        return await asked

    outcomes = run(scenario())
    assert texts(outcomes) == ["A", "B", "C"]
    assert origins(outcomes) == [Origin.MODEL] * 3


def test_two_who_want_the_same_at_once_share_it():
    async def scenario():
        office = Office()
        first, second = office.ask("a", "b"), office.ask("b", "c")
        await asyncio.sleep(0)
        await office.do_batch()
        return office.batches, await first, await second

    batches, first, second = run(scenario())
    assert batches == [["a", "b", "c"]]
    assert texts(second) == ["B", "C"]
    assert origins(first) == [Origin.MODEL, Origin.MODEL]
    assert origins(second) == [Origin.SHARED, Origin.MODEL]


def test_one_may_join_while_it_is_in_work():
    async def scenario():
        office = Office()
        first = office.ask("a")
        await asyncio.sleep(0)
        batch = await office.queue.take()
        second = office.ask("a")
        await asyncio.sleep(0)
        batch[0].future.set_result(given("A"))
        office.queue.done(batch, 0.1)
        return origins(await first), origins(await second), len(office.queue)

    assert run(scenario()) == ([Origin.MODEL], [Origin.SHARED], 0)


def test_a_segment_that_is_there_twice_is_translated_once():
    async def scenario():
        office = Office()
        asked = office.ask("a", "a", "a")
        await office.do_batch()
        return office.batches, texts(await asked)

    assert run(scenario()) == ([["a"]], ["A", "A", "A"])


def test_what_was_translated_before_comes_from_the_cache():
    async def scenario():
        office = Office()
        asked = office.ask("a")
        await office.do_batch()
        await asked
        return await office.ask("a")

    outcomes = run(scenario())
    assert (texts(outcomes), origins(outcomes)) == (["A"], [Origin.CACHE])


@pytest.mark.parametrize(
    "options", [Options(n_best=2), Options(search=(("beam_size", 2),)), Options(rescorer="en-de")]
)
def test_other_options_are_other_translations(options):
    async def scenario():
        office = Office()
        first, second = office.ask("a"), office.ask("a", options=options)
        await asyncio.sleep(0)
        await office.do_batch()
        await office.do_batch()
        await asyncio.gather(first, second)
        return office.batches

    assert run(scenario()) == [["a"], ["a"]]


def test_texts_that_look_alike_when_joined_are_not_the_same():
    async def scenario():
        office = Office()
        first, second = office.ask("a|b"), office.ask("a", "b")
        await asyncio.sleep(0)
        await office.do_batch()
        return texts(await first), texts(await second)

    assert run(scenario()) == (["A|B"], ["A", "B"])


def test_a_failure_is_not_kept_and_the_others_are_answered():
    async def scenario():
        office = Office()
        asked = office.ask("a", "bad", "b")
        await office.do_batch(fails="bad")
        first, failed, last = await asked
        again = office.ask("bad")
        await office.do_batch()
        return first, failed, last, await again

    first, failed, last, again = run(scenario())
    assert texts([first, last, *again]) == ["A", "B", "BAD"]
    assert isinstance(failed, ServiceError)


def test_one_who_leaves_takes_away_only_what_nobody_else_wants():
    async def scenario():
        office = Office()
        leaving, staying = office.ask("own", "common"), office.ask("common")
        await asyncio.sleep(0)
        leaving.cancel()
        await asyncio.sleep(0)
        await office.do_batch()
        return office.batches, texts(await staying)

    assert run(scenario()) == ([["common"]], ["COMMON"])


def test_what_was_left_can_be_asked_for_again_at_once():
    async def scenario():
        office = Office()
        leaving = office.ask("a")
        await asyncio.sleep(0)
        leaving.cancel()
        with pytest.raises(asyncio.CancelledError):
            await leaving
        again = office.ask("a")  # before the loop has told anyone that the first is cancelled
        await office.do_batch()
        return texts(await again)

    assert run(scenario()) == ["A"]


def test_a_refused_request_leaves_nothing_behind():
    async def scenario():
        office = Office(max_wait_s=0.001)
        first = office.ask("a" * 100)
        await asyncio.sleep(0)
        with pytest.raises(ServiceError) as caught:
            await office.ask("a" * 100, "b")
        await office.do_batch()
        await first
        return caught.value.kind, office.batches, office.queue.empty

    kind, batches, empty = run(scenario())
    assert kind is Kind.OVERLOADED
    assert batches == [["a" * 100]]
    assert empty


def test_a_refused_request_makes_no_tasks(monkeypatch):
    made = []

    def make(*arguments):
        made.append(Task(*arguments))
        return made[-1]

    monkeypatch.setattr(service.texts.sharing, "Task", make)

    async def scenario():
        office = Office(max_wait_s=0.001)
        first = office.ask("a" * 100)
        await asyncio.sleep(0)
        with pytest.raises(ServiceError):
            await office.ask("b", "c", "d")
        first.cancel()

    run(scenario())
    assert [task.segment for task in made] == ["a" * 100]


def test_a_refused_request_does_not_keep_what_it_shared():
    async def scenario():
        office = Office(max_wait_s=0.001)
        first = office.ask("a" * 100)
        await asyncio.sleep(0)
        with pytest.raises(ServiceError):
            await office.ask("a" * 100, "b")
        first.cancel()
        await asyncio.sleep(0)
        return office.queue.empty

    assert run(scenario())


def test_a_segment_that_is_there_twice_counts_once_for_what_is_admitted():
    async def scenario():
        office = Office()
        admitted = []
        office.queue.admit = lambda *load: admitted.append(load)
        asked = office.ask("a", "bb", "a", hops=2)
        await office.do_batch()
        await asked
        return admitted

    assert run(scenario()) == [(2 * (SEGMENT_CHARACTERS + 1 + SEGMENT_CHARACTERS + 2), 1 + 2)]


@pytest.mark.parametrize(("deadline_s", "queued"), [(0.065, 3), (0.063, 1)])
def test_parts_of_a_request_are_admitted_as_one_or_not_at_all(deadline_s, queued):
    async def scenario():
        office = Office(deadline_s=deadline_s)
        before = office.ask("b" * 90)  # 20 ms by the guess
        work = office.sharing.in_parts(2)
        parts = [office.ask(segment * 100, work=work) for segment in "ac"]  # 22 ms each
        await until(lambda: len(office.queue) == 3 or all(part.done() for part in parts))
        assert len(office.queue) == queued
        await office.do_batch()
        await before
        return await asyncio.gather(*parts, return_exceptions=True)

    outcomes = run(scenario())
    if queued == 3:
        assert [texts(each) for each in outcomes] == [["A" * 100], ["C" * 100]]
    else:
        assert [outcome.kind for outcome in outcomes] == [Kind.OVERLOADED] * 2


def test_a_request_in_parts_is_not_in_its_own_way():
    async def scenario():
        office = Office(max_wait_s=0.01)
        work = office.sharing.in_parts(2)
        parts = [office.ask(segment * 500, work=work) for segment in "ab"]  # 0.1 s each
        await until(lambda: len(office.queue) == 2)
        await office.do_batch()
        return [texts(each) for each in await asyncio.gather(*parts)]

    assert run(scenario()) == [["A" * 500], ["B" * 500]]


def test_models_of_the_same_weights_are_not_taken_for_each_other():
    async def scenario():
        office = Office()
        first = office.ask("a")
        await office.do_batch()
        await first
        work = office.sharing.in_parts(1)
        narrow = stub_model("de-en-narrow", sha256=MODEL.sha256)
        other = office.sharing.translate(narrow, OPTIONS, ["a"], work=work)
        second = asyncio.create_task(other)
        await office.do_batch()
        return origins(await second)

    assert run(scenario()) == [Origin.MODEL]


def test_others_have_their_turn_while_many_segments_are_found_queued_and_told():
    segments = [str(number) for number in range(3 * SEGMENTS_A_TURN)]

    class Counted(Cache):
        asked = 0

        def get(self, key):
            self.asked += 1
            return super().get(key)

    async def scenario():
        office, cache, told = Office(batch_characters=10**6), Counted(10**7), []
        office.sharing = Sharing(office.queue, cache, Metrics())
        counts = lambda: cache.asked, lambda: len(office.queue), lambda: len(told)
        async with most_in_a_turn(*counts) as most:
            asked = office.ask(*segments, done=lambda index, _: told.append(index))
            await until(lambda: len(office.queue) == len(segments))
            await office.do_batch()
            await asked
        return most, len(told)

    (asked, queued, told), count = run(scenario())
    assert count == len(segments)
    assert asked == 2 * SEGMENTS_A_TURN  # for each with links and without
    assert queued == told == SEGMENTS_A_TURN


def test_one_who_leaves_while_segments_are_queued_leaves_nothing_behind():
    async def scenario():
        office = Office()
        asked = office.ask(*(str(number) for number in range(3 * SEGMENTS_A_TURN)))
        await until(lambda: len(office.queue))
        asked.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asked
        return office.queue.empty

    assert run(scenario())


def test_what_costs_nothing_is_never_refused():
    async def scenario():
        office = Office(max_wait_s=0.001)
        known = office.ask("known")
        await office.do_batch()
        await known
        waiting = office.ask("a" * 100)
        await asyncio.sleep(0)
        found = await office.ask("known")
        waiting.cancel()
        return origins(found)

    assert run(scenario()) == [Origin.CACHE]


def test_progress_is_told_in_order():
    async def scenario():
        office = Office()
        first = office.ask("b")
        await office.do_batch()
        await first
        told = []
        asked = office.ask("a", "b", "c", done=lambda index, found: told.append((index, found)))
        await office.do_batch()
        return told, list(enumerate(await asked))

    told, outcomes = run(scenario())
    assert told == outcomes
    assert [index for index, _ in told] == [0, 1, 2]


def test_how_long_it_took_is_told():
    async def scenario():
        office = Office()
        asked = office.ask("a")
        await asyncio.sleep(0)
        (task,) = await office.queue.take()
        task.queued, task.started, task.seconds = 1.0, 1.25, 0.5
        task.future.set_result(given("A"))
        office.queue.done([task], 0.5)
        return await asked

    assert run(scenario()) == [Found(given("A"), Origin.MODEL, 0.25, 0.5)]


def test_a_translation_with_links_serves_whoever_wants_none():
    async def scenario():
        office = Office()
        linked = office.ask("eins", options=Options(links=True))
        await office.do_batch()
        await linked
        assert origins(await office.ask("eins")) == [Origin.CACHE]
        plain = office.ask("zwei")
        await office.do_batch()
        await plain
        again = office.ask("zwei", options=Options(links=True))
        await office.do_batch()
        assert origins(await again) == [Origin.MODEL]

    run(scenario())


@pytest.mark.parametrize(
    ("options", "effort"),
    [
        (Options(), 1.0),
        (Options(n_best=3), 1.0),
        (Options(search=(("beam_size", 10),)), 2.0),
        (Options(search=(("beam_size", 1),)), 0.2),
        (Options(n_best=20, search=(("temperature", 1.0),)), 4.0),
        (Options(rescorer="en-de"), RESCORED_EFFORT),
        (Options(search=(("beam_size", 10),), rescorer="en-de"), 2 * RESCORED_EFFORT),
    ],
)
def test_the_effort_is_that_of_the_hypotheses_kept(options, effort):
    assert model_effort(MODEL, options) == effort  # whose own beam is 5 wide
