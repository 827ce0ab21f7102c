"""Tasks that other processes do come out in order, done once each, whatever becomes of those."""

from __future__ import annotations

import os
import select
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from mt.errors import InputError, JobError
from mt.jobs.workers import MAX_DEATHS, TASKS_A_WORKER, Death, Workers
from support.commands import ROOT
from support.tasks import Scripted


@pytest.fixture
def script(tmp_path: Path) -> Scripted:
    return Scripted(tmp_path)


def no_death(death: Death) -> None:
    raise AssertionError(death)


def alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    return True


def test_results_come_in_order_and_few_tasks_are_under_way(script: Scripted) -> None:
    script.pipe("fourth")
    # The first task ends once the fourth is at work, the last that is taken before a result is out.
    tasks = ["await fourth", "b", "c", "allow fourth", *"efghijk"]
    assert TASKS_A_WORKER == 2
    taken: list[str] = []
    given: list[str] = []
    under_way: list[int] = []

    def take() -> Iterator[str]:
        for task in tasks:
            taken.append(task)
            under_way.append(len(taken) - len(given))
            yield task

    with Workers(2, script, no_death) as workers:
        for task, result in workers.map(take()):
            given.append(task)
            assert result == task.upper()
        assert given == tasks
        assert max(under_way) == 4
        assert len(script.processes) == 2
        assert all(map(alive, script.processes))
    assert not any(map(alive, script.processes))


def test_no_more_processes_are_started_than_there_are_tasks(script: Scripted) -> None:
    with Workers(9, script, no_death) as workers:
        assert list(workers.map(iter(()))) == []
    assert script.processes == set()


def test_a_task_whose_worker_dies_is_done_again_and_the_death_told(script: Scripted) -> None:
    deaths: list[Death] = []
    with Workers(2, script, deaths.append) as workers:
        assert [result for _, result in workers.map(iter(["a", "die 2", "c", "d"]))] == [
            *("A", "DIE 2", "C", "D")
        ]
    assert [(death.task, death.cause) for death in deaths] == [("die 2", "killed by SIGKILL")] * 2
    assert len({death.process_id for death in deaths}) == 2
    assert {death.process_id for death in deaths} < script.processes


def test_a_task_that_kills_every_worker_ends_it_all(script: Scripted) -> None:
    deaths: list[Death] = []
    given: list[str] = []
    with (
        Workers(1, script, deaths.append) as workers,
        pytest.raises(JobError, match=r"^die 9: 3 processes died of it .*SIGKILL"),
    ):
        given += (task for task, _ in workers.map(iter(["a", "b", "die 9", "c"])))
    assert given == ["a", "b"]
    assert len(deaths) == MAX_DEATHS - 1  # the last is in the message
    assert len(script.processes) == MAX_DEATHS


@pytest.mark.parametrize(
    ("task", "error"), [("refuse no column", InputError), ("break no column", ValueError)]
)
def test_what_a_task_raises_is_raised_in_its_place(
    script: Scripted, task: str, error: type[Exception]
) -> None:
    given: list[str] = []
    with Workers(2, script, no_death) as workers, pytest.raises(error) as raised:
        given += (task for task, _ in workers.map(iter(["a", "b", "c", task, "e"])))
    assert given == ["a", "b", "c"]
    assert str(raised.value) == "no column"
    # A user's mistake is told in one line, our own with the place where it happened.
    notes = getattr(raised.value, "__notes__", [])
    assert ["line" in note and "raise ValueError" in note for note in notes] == (
        [True] if error is ValueError else []
    )


def test_what_taking_a_task_raises_is_raised_behind_the_results_before_it(
    script: Scripted,
) -> None:
    def take() -> Iterator[str]:
        yield from "abcde"
        raise InputError("line 6")

    given: list[str] = []
    with Workers(2, script, no_death) as workers, pytest.raises(InputError, match="line 6"):
        given += (task for task, _ in workers.map(take()))
    assert given == [*"abcde"]


def test_workers_are_gone_when_they_are_left_in_the_middle(script: Scripted) -> None:
    script.pipe("never")
    with Workers(2, script, no_death) as workers:
        results = workers.map(iter(["a", "await never", "await never", "d"]))
        assert next(results) == ("a", "A")
    assert script.processes
    assert not any(map(alive, script.processes))


def test_a_reader_of_tasks_that_waits_does_not_keep_results_back(script: Scripted) -> None:
    reader, writer = os.pipe()

    def take() -> Iterator[str]:
        yield "a"
        yield os.read(reader, 1).decode()

    with Workers(2, script, no_death) as workers:
        results = workers.map(take())
        assert next(results) == ("a", "A")
        os.write(writer, b"b")
        assert list(results) == [("b", "B")]
    os.close(reader)
    os.close(writer)


PARENT = """
import sys
from pathlib import Path
from mt.jobs.workers import Workers
from support.tasks import Scripted

if __name__ == "__main__":
    with Workers(2, Scripted(Path(sys.argv[1])), print) as workers:
        list(workers.map(iter(["await never", "await never"])))
"""


@pytest.mark.skipif(not hasattr(os, "pidfd_open"), reason="watches processes as Linux does")
def test_workers_in_the_middle_of_a_task_end_with_a_killed_parent(script: Scripted) -> None:
    script.pipe("never")
    program = script.folder / "parent.py"
    program.write_text(PARENT)
    paths = os.pathsep.join([str(ROOT), str(ROOT / "tests")])
    with subprocess.Popen(
        [sys.executable, program, script.folder], env=os.environ | {"PYTHONPATH": paths}
    ) as parent:
        while len(script.processes) < 2:
            assert parent.poll() is None
            time.sleep(0.05)
        workers = [os.pidfd_open(process) for process in script.processes]
        parent.kill()
    for worker in workers:
        ended = select.poll()
        ended.register(worker, select.POLLIN)
        assert ended.poll(60_000)
        os.close(worker)
