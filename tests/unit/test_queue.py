"""Segments that wait for a worker: their order, their batches, and who is refused."""

import asyncio

import pytest

from mt.translation import given
from service.errors import Kind, ServiceError
from service.workers.queue import (
    FIRST_PACE,
    LARGE_BATCH,
    SEGMENT_CHARACTERS,
    Task,
    WorkQueue,
)
from service.workers.work import Options


def queue(batch_characters=100, max_wait_s=4.0, deadline_s=8.0, workers=1) -> WorkQueue:
    made = WorkQueue(
        batch_characters=batch_characters, max_wait_s=max_wait_s, deadline_s=deadline_s
    )
    made.workers = workers
    return made


def tasks(*names: str, model="m", options=None) -> list[Task]:
    return [Task(model, options or Options(), name, wanted=1) for name in names]


def run(work):
    return asyncio.run(asyncio.wait_for(work, 10))


def test_a_batch_is_what_came_first_up_to_its_cost():
    async def scenario():
        waiting = queue(batch_characters=3 * (SEGMENT_CHARACTERS + 1))
        waiting.put(tasks("a", "b", "c", "d"))
        return [[task.segment for task in await waiting.take()] for _ in range(2)]

    assert run(scenario()) == [["a", "b", "c"], ["d"]]


def test_a_segment_over_the_bound_goes_alone():
    async def scenario():
        waiting = queue(batch_characters=50)
        waiting.put(tasks("long" * 100, "b"))
        return [[task.segment for task in await waiting.take()] for _ in range(2)]

    assert run(scenario()) == [["long" * 100], ["b"]]


def test_one_that_would_exceed_the_batch_waits_for_the_next():
    async def scenario():
        waiting = queue(batch_characters=50)
        waiting.put(tasks("a", "b" * 45, "c"))
        return [[task.segment for task in await waiting.take()] for _ in range(3)]

    assert run(scenario()) == [["a"], ["b" * 45], ["c"]]


def test_a_batch_is_of_one_model_and_of_equal_options_and_nobody_is_overtaken_by_his_own_kind():
    async def scenario():
        waiting = queue()
        beam = Options(search=(("beam_size", 2),))
        waiting.put([*tasks("a"), *tasks("b", model="n"), *tasks("c"), *tasks("d", options=beam)])
        waiting.put(tasks("e", model="n"))
        return [[task.segment for task in await waiting.take()] for _ in range(3)]

    assert run(scenario()) == [["a", "c"], ["b", "e"], ["d"]]


def test_idle_workers_share_what_is_there():
    async def scenario():
        waiting = queue(workers=2)
        idle = [asyncio.create_task(waiting.take()) for _ in range(2)]
        await asyncio.sleep(0)
        waiting.put(tasks("a", "b", "c", "d"))
        return [[task.segment for task in await each] for each in idle]

    assert run(scenario()) == [["a", "b"], ["c", "d"]]


def test_a_worker_waits_until_there_is_something():
    async def scenario():
        waiting = queue()
        taking = asyncio.create_task(waiting.take())
        await asyncio.sleep(0)
        assert not taking.done()
        waiting.put(tasks("a"))
        return [task.segment for task in await taking]

    assert run(scenario()) == ["a"]


def test_a_worker_that_is_cancelled_as_it_is_woken_wakes_another():
    async def scenario():
        waiting = queue(workers=2)
        first, second = (asyncio.create_task(waiting.take()) for _ in range(2))
        await asyncio.sleep(0)
        waiting.put(tasks("a"))
        first.cancel()
        return [task.segment for task in await second]

    assert run(scenario()) == ["a"]


def test_a_worker_that_is_gone_as_it_is_woken_wakes_another():
    async def scenario():
        waiting = queue()
        gone = asyncio.get_running_loop().create_future()
        first = asyncio.create_task(waiting.take(gone=gone))
        second = asyncio.create_task(waiting.take())
        await asyncio.sleep(0)
        waiting.put(tasks("a"))
        gone.set_result(None)
        assert await first == []
        return [task.segment for task in await second]

    assert run(scenario()) == ["a"]


def test_one_that_is_gone_is_given_nothing():
    async def scenario():
        waiting = queue()
        gone = asyncio.get_running_loop().create_future()
        taken = asyncio.create_task(waiting.take(gone=gone))
        await asyncio.sleep(0)
        gone.set_result(None)
        assert await taken == []
        waiting.put(tasks("a"))
        assert await waiting.take(gone=gone) == []
        return [task.segment for task in await waiting.take()]

    assert run(scenario()) == ["a"]


def test_what_nobody_wants_is_not_done():
    async def scenario():
        waiting = queue()
        gone, left = tasks("gone", "left")
        waiting.put([gone, left])
        waiting.leave(gone)
        batch = await waiting.take()
        return gone.future.cancelled(), [task.segment for task in batch], waiting.wait_s

    cancelled, batch, wait_s = run(scenario())
    assert cancelled
    assert batch == ["left"]
    assert wait_s == pytest.approx((SEGMENT_CHARACTERS + 4) * FIRST_PACE)


def test_what_another_still_wants_is_done():
    async def scenario():
        waiting = queue()
        (shared,) = tasks("shared")
        shared.wanted = 2
        waiting.put([shared])
        waiting.leave(shared)
        return await waiting.take() == [shared]

    assert run(scenario())


def test_a_batch_in_work_is_stopped_once_nobody_wants_any_of_it():
    async def scenario():
        waiting, told = queue(), []
        waiting.put(tasks("a", "b"))
        first, second = batch = await waiting.take(lambda: told.append("stop"))
        waiting.leave(first)
        assert (told, first.future.done()) == ([], False)  # its result may be of use yet
        waiting.leave(second)
        assert told == ["stop"]
        assert first.future.cancelled()
        assert second.future.cancelled()
        before = waiting.wait_s
        waiting.done(batch, None)
        return before, waiting.wait_s, waiting.empty

    before, after, empty = run(scenario())
    assert before > 0 == after
    assert empty


def test_one_that_leaves_when_its_batch_is_done_stops_nothing():
    async def scenario():
        waiting, told = queue(), []
        waiting.put(tasks("a"))
        (task,) = await waiting.take(lambda: told.append("stop"))
        task.future.set_result("A")
        waiting.leave(task)
        return told

    assert run(scenario()) == []


def test_the_wait_is_the_cost_of_all_that_is_there_at_the_pace_so_far_by_all_workers():
    async def scenario():
        waiting = queue(workers=2)
        waiting.put(tasks("a" * 90, "b" * 90))
        assert waiting.wait_s == pytest.approx(200 * FIRST_PACE / 2)
        batch = await waiting.take()  # in work it counts still
        assert waiting.wait_s == pytest.approx(200 * FIRST_PACE / 2)
        waiting.done(batch, None)

    run(scenario())


def test_the_pace_becomes_that_of_the_batches_done():
    async def scenario():
        waiting = queue(batch_characters=1_000_000)
        for _ in range(20):
            waiting.put(tasks("a" * 99_990))
            waiting.done(await waiting.take(), 50.0)
        waiting.put(tasks("a" * 990))
        return waiting.wait_s

    assert run(scenario()) == pytest.approx(1000 * 50 / 100_000, rel=0.01)


def test_what_waits_is_the_work_that_nobody_has_begun():
    async def scenario():
        waiting = queue(batch_characters=100)
        waiting.put(tasks("a" * 90, "b" * 40))
        before = waiting.waiting_s
        await waiting.take()
        return before, waiting.waiting_s, waiting.wait_s

    before, after, whole = run(scenario())
    assert before == whole == pytest.approx(150 * FIRST_PACE)
    assert after == pytest.approx(50 * FIRST_PACE)


def test_a_lost_batch_says_nothing_of_the_pace():
    async def scenario():
        waiting = queue()
        waiting.put(tasks("a"))
        waiting.done(await waiting.take(), None)
        waiting.put(tasks("a"))
        return waiting.wait_s

    assert run(scenario()) == pytest.approx((SEGMENT_CHARACTERS + 1) * FIRST_PACE)


def refusal(waiting: WorkQueue, cost: float) -> ServiceError:
    with pytest.raises(ServiceError) as caught:
        waiting.admit(cost, cost)
    return caught.value


def test_a_request_is_refused_once_too_much_waits_and_told_when_to_come_again():
    async def scenario():
        waiting = queue(max_wait_s=1.0)
        waiting.put(tasks("a" * 17_000))  # 17,010 characters at 0.2 ms are 3.4 s
        assert waiting.busy_s == 3
        error = refusal(waiting, 10)
        assert (error.kind, error.retry_after_s) == (Kind.OVERLOADED, 3)

    run(scenario())


def test_a_request_is_refused_that_would_be_answered_too_late():
    async def scenario():
        waiting = queue(max_wait_s=4.0, deadline_s=8.0)
        waiting.put(tasks("a" * 14_990))  # 3 s
        waiting.admit(24_000, 24_000)  # 4.8 s more: in time
        error = refusal(waiting, 34_000)  # 6.8 s more: 1.8 s late
        assert (error.kind, error.retry_after_s) == (Kind.OVERLOADED, 2)

    run(scenario())


async def measured(cost: int, pace: float, model="m", **settings) -> WorkQueue:
    """An idle queue that has seen one batch, which took `pace` seconds a character."""
    waiting = queue(batch_characters=4000, **settings)
    waiting.put(tasks("a" * (cost - SEGMENT_CHARACTERS), model=model))
    waiting.done(await waiting.take(), cost * pace)
    return waiting


def test_what_nobody_could_do_in_time_is_too_large_whatever_waits():
    error = refusal(run(measured(LARGE_BATCH, 2e-4, deadline_s=8.0)), 50_000)
    assert error.kind is Kind.TOO_LARGE
    assert "at most about 40000 characters" in error.message


def test_two_workers_can_take_twice_as_much():
    run(measured(LARGE_BATCH, 2e-4, workers=2)).admit(50_000, 50_000)


def test_nothing_is_too_large_by_a_guess():
    async def scenario():
        waiting = queue(max_wait_s=4.0, deadline_s=8.0)
        waiting.admit(1_000_000, 1_000_000)  # 200 s by the guess
        waiting.put(tasks("a"))
        error = refusal(waiting, 1_000_000)  # all that is there is over in the 8 s of its deadline
        assert (error.kind, error.retry_after_s) == (Kind.OVERLOADED, 8)

    run(scenario())


def test_nothing_is_too_large_by_the_pace_of_single_sentences():
    run(measured(LARGE_BATCH - 1, 1.0)).admit(1_000_000, 1_000_000)


def test_full_batches_are_large_however_small_a_full_one_is():
    async def scenario():
        waiting = queue(batch_characters=100)
        waiting.put(tasks("a" * 40, "b" * 90))  # the second does not fit
        waiting.done(await waiting.take(), 50 * 2e-4)
        return refusal(waiting, 50_000).kind

    assert run(scenario()) is Kind.TOO_LARGE


def test_the_quickest_model_says_what_is_too_large():
    async def scenario():
        waiting = await measured(LARGE_BATCH, 1.0, model="slow")
        waiting.put(tasks("a" * LARGE_BATCH, model="quick"))
        waiting.done(await waiting.take(), LARGE_BATCH * 1e-4)
        waiting.admit(50_000, 50_000)
        return refusal(waiting, 100_000).kind

    assert run(scenario()) is Kind.TOO_LARGE


def test_an_idle_queue_takes_what_is_in_time():
    waiting = queue(max_wait_s=0.1)
    waiting.admit(30_000, 30_000)
    assert waiting.busy_s is None


def test_nobody_is_told_to_come_again_after_all_that_waits_is_given_up():
    async def scenario():
        waiting = queue(deadline_s=8.0)
        waiting.put(tasks("a" * 1_000_000))  # 200 s by the guess
        return waiting.busy_s

    assert run(scenario()) == 8


def test_a_closed_queue_is_emptied_and_then_says_so():
    async def scenario():
        waiting = queue(batch_characters=1)
        waiting.put(tasks("a", "b"))
        waiting.close()
        return [len(await waiting.take()) for _ in range(3)]

    assert run(scenario()) == [1, 1, 0]


def test_closing_wakes_those_who_wait():
    async def scenario():
        waiting = queue()
        taking = asyncio.create_task(waiting.take())
        await asyncio.sleep(0)
        waiting.close()
        return await taking

    assert run(scenario()) == []


def test_what_is_abandoned_fails():
    async def scenario():
        waiting = queue()
        (task,) = tasks("a")
        waiting.put([task])
        waiting.abandon(ServiceError(Kind.UNAVAILABLE, "gone"))
        assert len(waiting) == 0
        with pytest.raises(ServiceError, match="gone"):
            await task.future

    run(scenario())


def test_a_wider_beam_costs_more():
    async def scenario():
        waiting = queue()
        narrow, wide = Task("m", Options(), "a" * 90), Task("m", Options(), "a" * 90, effort=2.0)
        waiting.put([narrow])
        once = waiting.wait_s
        waiting.put([wide])
        wide.future.set_result(given("A"))
        return waiting.wait_s / once

    assert run(scenario()) == pytest.approx(3)
