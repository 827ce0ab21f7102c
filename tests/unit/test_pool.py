"""Workers at work: every death has its answer, and nobody is left waiting."""

import asyncio

import pytest

from mt.errors import ConfigError
from service.errors import Kind, ServiceError
from service.telemetry.metrics import Metrics
from service.workers import pool as pool_module
from service.workers.pool import Pool
from service.workers.process import WorkerLostError
from service.workers.queue import Task, WorkQueue
from service.workers.work import Options
from support.workers import StubWorkers


class Shop:
    def __init__(self, workers: StubWorkers, size=1, batch_limit_s=10.0, start=None):
        self.queue = WorkQueue(batch_characters=10_000, max_wait_s=4.0, deadline_s=8.0)
        self.told = []
        self.pool = Pool(
            self.queue,
            start or workers.start,
            size=size,
            batch_limit_s=batch_limit_s,
            metrics=Metrics(),
            on_ready=lambda: self.told.append("ready"),
            on_failure=self.told.append,
        )
        self.pool.start()

    def put(self, *segments: str) -> list[Task]:
        tasks = [Task("m", Options(), segment, wanted=1) for segment in segments]
        self.queue.put(tasks)
        return tasks

    async def ready(self):
        while not self.pool.complete:
            await asyncio.sleep(0)


def run(work):
    return asyncio.run(asyncio.wait_for(work, 10))


async def text(task: Task) -> str:
    return (await task.future).text


async def failure(task: Task) -> ServiceError:
    with pytest.raises(ServiceError) as caught:
        await task.future
    return caught.value


def test_what_is_put_in_comes_out_translated():
    async def scenario():
        shop = Shop(StubWorkers())
        first, second = shop.put("a", "b")
        assert [await text(first), await text(second)] == ["A", "B"]
        assert first.seconds == 0.001
        await shop.pool.close(1)

    run(scenario())


def test_it_is_complete_when_all_workers_are_there_and_says_so_once():
    async def scenario():
        workers = StubWorkers(kills="deadly")
        shop = Shop(workers, size=3)
        assert not shop.pool.complete
        await shop.ready()
        assert len(workers.alive) == 3
        (bad,) = shop.put("deadly")
        await failure(bad)
        await shop.ready()
        assert shop.told == ["ready"]
        assert shop.pool.engines["m"] == "stub"
        await shop.pool.close(1)

    run(scenario())


def test_when_a_worker_dies_its_batch_fails_and_another_takes_its_place():
    async def scenario():
        workers = StubWorkers(kills="deadly")
        shop = Shop(workers)
        bad, beside = shop.put("deadly", "beside")
        for task in (bad, beside):
            error = await failure(task)
            assert (error.kind, error.retry_after_s) == (Kind.UNAVAILABLE, 1)
        (after,) = shop.put("after")
        assert await text(after) == "AFTER"
        assert len(workers.alive) == 1
        await shop.pool.close(1)

    run(scenario())


def test_a_worker_that_dies_with_nothing_to_do_is_replaced_before_anybody_comes():
    async def scenario():
        workers = StubWorkers()
        shop = Shop(workers, size=2)
        await shop.ready()
        died, other = workers.alive
        died.die()
        while len(workers.alive) < 2 or not shop.pool.complete:
            await asyncio.sleep(0)
        assert died not in workers.alive
        assert other in workers.alive
        assert [await text(task) for task in shop.put("a", "b")] == ["A", "B"]
        await shop.pool.close(1)

    run(scenario())


def test_while_a_worker_is_replaced_the_pool_is_not_complete():
    async def scenario():
        workers, door = StubWorkers(kills="deadly"), asyncio.Event()

        async def start():
            await door.wait()
            return await workers.start()

        shop = Shop(workers, start=start)
        assert shop.pool.count() == {"working": 0, "starting": 1}
        door.set()
        await shop.ready()
        door.clear()
        (bad,) = shop.put("deadly")
        await failure(bad)
        while workers.alive:
            await asyncio.sleep(0)
        assert not shop.pool.complete
        door.set()
        await shop.ready()
        assert shop.pool.count() == {"working": 1, "starting": 0}
        await shop.pool.close(1)

    run(scenario())


def test_what_waits_survives_the_death_of_a_worker():
    async def scenario():
        workers = StubWorkers(kills="deadly")
        shop = Shop(workers)
        workers.hold()
        (bad,) = shop.put("deadly")
        while not workers.batches:
            await asyncio.sleep(0)
        (waiting,) = shop.put("waiting")
        workers.release()
        await failure(bad)
        assert await text(waiting) == "WAITING"
        await shop.pool.close(1)

    run(scenario())


def test_a_worker_that_does_not_answer_is_taken_for_lost():
    async def scenario():
        workers = StubWorkers()
        shop = Shop(workers, batch_limit_s=0.01)
        workers.hold()
        (stuck,) = shop.put("stuck")
        assert (await failure(stuck)).kind is Kind.UNAVAILABLE
        workers.release()
        (after,) = shop.put("after")
        assert await text(after) == "AFTER"
        await shop.pool.close(1)

    run(scenario())


def test_a_batch_that_nobody_wants_is_stopped_and_the_worker_goes_on():
    async def scenario():
        workers = StubWorkers()
        shop = Shop(workers)
        workers.hold()
        (left,) = shop.put("left")
        while not workers.batches:
            await asyncio.sleep(0)
        (other,) = shop.put("other")
        shop.queue.leave(left)
        while len(workers.batches) < 2:
            await asyncio.sleep(0)
        workers.release()
        assert await text(other) == "OTHER"
        assert (workers.stopped, left.future.cancelled()) == (1, True)
        await shop.pool.close(1)

    run(scenario())


def test_one_bad_segment_fails_alone():
    async def scenario():
        shop = Shop(StubWorkers(fails="bad"))
        good, bad = shop.put("good", "bad")
        assert await text(good) == "GOOD"
        assert (await failure(bad)).kind is Kind.INTERNAL
        await shop.pool.close(1)

    run(scenario())


def test_two_workers_work_at_once():
    async def scenario():
        workers = StubWorkers()
        shop = Shop(workers, size=2)
        await shop.ready()
        await asyncio.sleep(0)
        workers.hold()
        tasks = shop.put("a", "b")
        while len(workers.batches) < 2:
            await asyncio.sleep(0)
        workers.release()
        assert [await text(task) for task in tasks] == ["A", "B"]
        await shop.pool.close(1)

    run(scenario())


def test_if_no_worker_will_ever_start_somebody_is_told():
    async def scenario():
        reason = ConfigError("no such engine")
        shop = Shop(StubWorkers(never_starts=reason), size=2)
        while not shop.told:
            await asyncio.sleep(0)
        assert set(shop.told) == {reason}
        await shop.pool.close(1)

    run(scenario())


@pytest.mark.parametrize("error", [WorkerLostError(), OSError("too many open files")])
def test_a_worker_that_does_not_start_is_tried_again(monkeypatch, error):
    monkeypatch.setattr(pool_module, "RESTART_S", 0)
    workers, attempts = StubWorkers(), []

    async def start():
        attempts.append(1)
        if len(attempts) < 3:
            raise error
        return await workers.start()

    async def scenario():
        shop = Shop(workers, start=start)
        (task,) = shop.put("a")
        assert await text(task) == "A"
        await shop.pool.close(1)

    run(scenario())
    assert len(attempts) == 3


@pytest.mark.parametrize("first_lives", [True, False])
def test_deaths_at_the_start_end_the_service_only_if_no_worker_ever_lived(monkeypatch, first_lives):
    monkeypatch.setattr(pool_module, "RESTART_S", 0)
    workers, attempts = StubWorkers(), []

    async def start():
        attempts.append(1)
        if len(attempts) > 1 or not first_lives:
            raise WorkerLostError
        return await workers.start()

    async def scenario():
        shop = Shop(workers, size=2, start=start)
        while len(attempts) < 20 and not shop.told:
            await asyncio.sleep(0)
        assert len(shop.told) == (0 if first_lives else 1)
        if first_lives:
            (task,) = shop.put("a")
            assert await text(task) == "A"
        await shop.pool.close(0.1)

    run(scenario())


def test_closing_finishes_what_was_accepted_and_ends_the_workers():
    async def scenario():
        workers = StubWorkers()
        shop = Shop(workers)
        await shop.ready()
        workers.hold()
        tasks = shop.put("a", "b")
        closing = asyncio.create_task(shop.pool.close(5))
        await asyncio.sleep(0)
        workers.release()
        await closing
        assert [await text(task) for task in tasks] == ["A", "B"]
        assert workers.alive == []

    run(scenario())


def test_closing_does_not_wait_for_ever():
    async def scenario():
        workers = StubWorkers()
        shop = Shop(workers)
        await shop.ready()
        workers.hold()
        (stuck,) = shop.put("stuck")
        while not workers.batches:
            await asyncio.sleep(0)
        (waiting,) = shop.put("waiting")
        await shop.pool.close(0.01)
        for task in (stuck, waiting):
            assert (await failure(task)).kind is Kind.UNAVAILABLE
        assert workers.alive == []

    run(scenario())


def test_a_pool_that_never_started_can_be_closed():
    async def scenario():
        queue = WorkQueue(batch_characters=1, max_wait_s=1, deadline_s=1)
        pool = Pool(
            queue,
            StubWorkers().start,
            size=1,
            batch_limit_s=1,
            metrics=Metrics(),
            on_ready=list,
            on_failure=print,
        )
        await pool.close(1)

    run(scenario())
