"""The real model worker: a process of its own, its answers, and its end."""

import asyncio
import os
import signal

import pytest

from mt import Translator
from mt.bundle import BUNDLED_MODELS
from mt.errors import ConfigError
from service.errors import ServiceError
from service.workers.process import ModelProcess, WorkerLostError
from service.workers.work import Assignment, Batch, Options

DE_EN = Assignment((("de-en", str(BUNDLED_MODELS / "de-en")),), "auto")
SEGMENTS = ("Guten Morgen.", "Ein Hund bellt.", "\ud800 Ja!")


def run(scenario, assignment=DE_EN):
    async def whole():
        worker = await ModelProcess.start(assignment)
        try:
            return await scenario(worker)
        finally:
            await worker.end()

    return asyncio.run(asyncio.wait_for(whole(), 60))


def batch(*segments: str, n_best: int = 1, **search: object) -> Batch:
    return Batch("de-en", Options(n_best, tuple(sorted(search.items()))), segments)


def test_a_worker_translates_as_the_library_does():
    async def scenario(worker):
        assert worker.engines == {"de-en": "int8"}
        plain = await worker.translate(batch(*SEGMENTS))
        two = await worker.translate(batch(*SEGMENTS, n_best=2, beam_size=3))
        return plain, two

    plain, two = run(scenario)
    model = Translator.load("de-en", threads=1)
    assert plain.outcomes == model.translate_segments(SEGMENTS)
    assert plain.seconds > 0
    other = model.with_search(model.search_config.model_copy(update={"beam_size": 3}))
    assert two.outcomes == other.translate_segments(SEGMENTS, alternatives=1)


def test_what_fails_in_a_worker_fails_alone_and_the_worker_goes_on():
    async def scenario(worker):
        # More candidates than the beam holds: a bug of whoever asks.
        failed = await worker.translate(batch("Ja.", "Nein.", n_best=9))
        fine = await worker.translate(batch("Guten Morgen."))
        return failed.outcomes, fine.outcomes

    failed, fine = run(scenario)
    assert [type(each) for each in failed] == [ServiceError, ServiceError]
    assert fine[0].text == "Good morning."


def test_a_killed_worker_is_lost_not_waited_for():
    async def scenario(worker):
        asking = asyncio.create_task(worker.translate(batch(*["Guten Morgen, Welt."] * 2000)))
        await asyncio.sleep(0)
        os.kill(worker.process_id, signal.SIGKILL)
        with pytest.raises(WorkerLostError):
            await asking
        with pytest.raises(WorkerLostError):
            await worker.translate(batch("Ja."))

    run(scenario)


def test_signals_for_the_whole_group_are_left_to_the_server():
    async def scenario(worker):
        for number in (signal.SIGTERM, signal.SIGINT):
            os.kill(worker.process_id, number)
        return (await worker.translate(batch("Guten Morgen."))).outcomes[0].text

    assert run(scenario) == "Good morning."


def test_a_worker_ends_with_its_server():
    async def scenario(worker):
        worker._process.stdin.close()  # as the death of the server does
        return await worker._process.wait()

    assert run(scenario) == 0


def test_a_model_that_cannot_be_loaded_is_named():
    with pytest.raises(ConfigError, match="no/such/folder"):
        run(None, Assignment((("x", "no/such/folder"),), "auto"))
