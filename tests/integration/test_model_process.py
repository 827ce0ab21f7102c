"""The real model worker: a process of its own, its answers, and its end."""

import asyncio
import contextlib
import os
import signal
import sys

import pytest
import uvloop

from mt import Translator
from mt.bundle import BUNDLED_MODELS, load_bundle
from mt.config import RerankConfig
from mt.errors import ConfigError
from mt.reranking import Reranker
from service.child import start_child
from service.errors import ServiceError
from service.workers.process import ModelProcess, WorkerLostError
from service.workers.work import AssignedModel, Assignment, Batch, Options
from support.serving import ask, until
from support.workers import StubWorkers

FOLDER = BUNDLED_MODELS / "de-en"
DE_EN = Assignment((AssignedModel("de-en", str(FOLDER), load_bundle(FOLDER).identity),), "auto")
SEGMENTS = ("Guten Morgen.", "Ein Hund bellt.", "\ud800 Ja!")


@contextlib.contextmanager
def started(assignment=DE_EN):
    """Holds conversations with a worker of its own."""
    with asyncio.Runner() as runner:
        worker = runner.run(asyncio.wait_for(ModelProcess.start(assignment), 60))
        try:
            yield lambda conversation: runner.run(asyncio.wait_for(conversation(worker), 60))
        finally:
            runner.run(worker.end())


@pytest.fixture(scope="module")
def run():
    """Holds conversations with one worker, which each of them leaves alive."""
    with started() as run:
        yield run


def test_a_worker_imports_nothing_from_the_current_folder(tmp_path, monkeypatch):
    for name in ("service", "numpy"):
        (tmp_path / f"{name}.py").write_text("raise SystemExit('not ours')")
    monkeypatch.chdir(tmp_path)
    with started() as run:
        assert run(lambda worker: worker.translate(batch(*SEGMENTS))).outcomes


def batch(*segments: str, n_best: int = 1, **search: object) -> Batch:
    return Batch("de-en", Options(n_best, tuple(sorted(search.items()))), segments)


def test_a_worker_translates_as_the_library_does(run):
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


def test_a_worker_has_translations_rescored_as_the_library_does():
    folders = {name: BUNDLED_MODELS / name for name in ("de-en", "en-de")}
    both = tuple(
        AssignedModel(name, str(folder), load_bundle(folder).identity)
        for name, folder in folders.items()
    )
    lines = ("Man kann nie wissen.", "Wer hat das Haus gebaut?", "Es regnet schon wieder.")

    async def scenario(worker):
        rescored = Batch("de-en", Options(n_best=5, rescorer="en-de"), lines)
        return (await worker.translate(rescored)).outcomes

    with started(Assignment(both, "auto")) as run:
        outcomes = run(scenario)
    forth, back = (Translator.load(name, threads=1) for name in folders)
    config = RerankConfig(reverse_model=folders["en-de"])
    expected = forth.with_reranker(Reranker(config, back)).translate_segments(lines, alternatives=4)
    assert outcomes == expected
    assert outcomes != forth.translate_segments(lines, alternatives=4)


def test_a_worker_links_words_as_the_library_does(run):
    lines = ("Ich habe das Buch gelesen.", "Es regnet.")

    async def scenario(worker):
        return (await worker.translate(Batch("de-en", Options(2, links=True), lines))).outcomes

    outcomes = run(scenario)
    model = Translator.load("de-en", threads=1)
    assert outcomes == model.translate_segments(lines, alternatives=1, links=True)
    assert all(candidate.links for each in outcomes for candidate in each.candidates)


def test_what_fails_in_a_worker_fails_alone_and_the_worker_goes_on(run):
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

    with started() as run:
        run(scenario)


@pytest.mark.parametrize("loop", [asyncio.new_event_loop, uvloop.new_event_loop])
def test_a_worker_that_died_while_idle_is_lost_with_its_next_batch(loop):
    async def scenario():
        worker = ModelProcess(await start_child([sys.executable, "-c", ""]), {})
        await until(worker._process.stdin.is_closing)
        worker.stop()  # changes nothing
        with pytest.raises(WorkerLostError):
            await worker.translate(batch("Ja."))
        await worker.end()

    with asyncio.Runner(loop_factory=loop) as runner:
        runner.run(scenario())


@pytest.mark.parametrize(
    "answer",
    [
        b"no JSON",
        b"\xff",
        b"[]",
        b'{"outcomes": 5, "seconds": 1}',
        b'{"outcomes": [], "seconds": 1}',
    ],
)
def test_a_worker_whose_answer_is_none_is_replaced_and_its_text_refused(answer):
    script = "import sys; sys.stdin.buffer.read(4); sys.stdout.buffer.write(%r)"
    command = [sys.executable, "-c", script % (len(answer).to_bytes(4, "big") + answer)]
    workers, lost = StubWorkers(), []
    start_sound = workers.start

    async def start():
        if lost:
            return await start_sound()
        lost.append(ModelProcess(await start_child(command), {"de-en": "stub"}))
        return lost[0]

    async def conversation(client):
        refused = await client.translate("ja")
        await client.ready()
        return refused, await client.translate("ja"), lost[0]._process

    workers.start = start
    refused, answered, process = ask(conversation, workers)
    assert (refused.status_code, refused.headers["retry-after"]) == (503, "1")
    assert answered.json() == {"translatedText": "JA"}
    assert process.returncode is not None


def test_a_batch_that_is_not_wanted_any_more_is_given_up_between_two_steps(run):
    async def scenario(worker):
        asking = asyncio.create_task(worker.translate(batch(*["Guten Morgen, Welt."] * 2000)))
        await asyncio.sleep(0)
        worker.stop()
        given_up = (await asking).outcomes
        worker.stop()  # comes too late, and is passed over
        return given_up, (await worker.translate(batch("Guten Morgen."))).outcomes

    given_up, (after,) = run(scenario)
    assert {type(each) for each in given_up} == {ServiceError}
    assert after.text == "Good morning."


def test_signals_for_the_whole_group_are_left_to_the_server(run):
    async def scenario(worker):
        for number in (signal.SIGTERM, signal.SIGINT):
            os.kill(worker.process_id, number)
        return (await worker.translate(batch("Guten Morgen."))).outcomes[0].text

    assert run(scenario) == "Good morning."


def test_a_worker_ends_with_its_server():
    async def scenario(worker):
        worker._process.stdin.close()  # as the death of the server does
        return await worker._process.wait()

    with started() as run:
        assert run(scenario) == 0


def test_a_model_that_cannot_be_loaded_is_named():
    nowhere = Assignment((AssignedModel("x", "no/such/folder", ""),), "auto")
    with pytest.raises(ConfigError, match="no/such/folder"), started(nowhere):
        pass


def test_a_model_that_is_not_the_one_of_the_servers_start_is_not_put_to_work():
    replaced = Assignment((AssignedModel("de-en", str(FOLDER), "0" * 64),), "auto")
    with pytest.raises(ConfigError, match="replaced since the server started"), started(replaced):
        pass
