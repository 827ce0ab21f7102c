"""What a route needs: everything of a running server, and the way from a job to its answers.

Knows in which order a client is told, admitted, served and charged, whatever the wire. Does not
know the shape of requests or answers.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends
from starlette.requests import Request

from service.clients.access import Access, Admission, Client
from service.errors import ServiceError
from service.explaining.process import Explaining
from service.settings import Settings
from service.telemetry.metrics import Metrics
from service.telemetry.observability import record_of
from service.texts.jobs import Answer, Job, Outcome, Progress, Segment
from service.texts.sharing import Origin
from service.texts.translation import TranslationService
from service.waiting import answer_while_wanted


@dataclass
class Server:
    """What belongs to one app."""

    settings: Settings
    translation: TranslationService
    access: Access
    metrics: Metrics
    explaining: Explaining

    def deadline(self) -> float:
        """When a request that arrives now has to be answered, on the clock of the event loop."""
        return asyncio.get_running_loop().time() + self.settings.deadline_s

    def identify(self, request: Request, key: str | None) -> Client:
        """Who sends a request; `key` is the one among its parameters.

        Raises:
            ServiceError: KEY_MISSING, KEY_INVALID.
        """
        address = request.client.host if request.client else ""
        client = self.access.identify(request.headers, key, address)
        record_of(request).client = client.name
        return client


@dataclass(frozen=True)
class Answers:
    """What became of a job."""

    outcomes: Sequence[Outcome]
    headers: dict[str, str]
    """For the answer: what is left of a limit, and the language in between."""

    def all(self) -> Sequence[Answer]:
        """The answers, for wires that have no place for a text that failed.

        Raises:
            ServiceError: that of the first text that failed.
        """
        for outcome in self.outcomes:
            if isinstance(outcome, ServiceError):
                raise outcome
        return [outcome for outcome in self.outcomes if isinstance(outcome, Answer)]


async def carry_out(
    request: Request,
    server: Server,
    client: Client,
    job: Job,
    deadline: float,
    progress: Progress | None = None,
    admitted: Callable[[dict[str, str]], None] | None = None,
) -> Answers:
    """Translate what a client wants, if it may and while it waits.

    Args:
        admitted: told before the work, for an answer that begins with it, what its headers say of
            the client's limit.

    Raises:
        ServiceError: whatever stands in the way.
        ClientDisconnect: the client left.
    """
    characters = sum(map(len, job.texts))
    record = record_of(request)
    record.n, record.chars = len(job.texts), characters
    server.translation.check_available()
    with await server.access.admit(client, characters) as admission:
        if admitted:
            admitted(admission.headers)
        work = server.translation.translate(job, progress and _charged(progress, admission))
        outcomes = await answer_while_wanted(request, work, deadline)
        admission.charge(
            sum(
                len(text)
                for text, outcome in zip(job.texts, outcomes, strict=True)
                if isinstance(outcome, Answer)
            )
        )
    _note(request, server, job, outcomes)
    return Answers(outcomes, admission.headers | _remarks(outcomes))


def server_of(request: Request) -> Server:
    """The server that a request came to; there from the lifespan's start on."""
    server = request.app.state.server
    assert isinstance(server, Server)
    return server


def _charged(progress: Progress, admission: Admission) -> Progress:
    """Progress that is charged for, though the end may never come."""

    def hand_out(text: int, place: int, segment: Segment) -> None:
        admission.hand_out(len(segment.source))
        progress(text, place, segment)

    return hand_out


def _note(request: Request, server: Server, job: Job, outcomes: Sequence[Outcome]) -> None:
    """Tell the log and the metrics what was done."""
    record, metrics = record_of(request), server.metrics
    translated = [each for each in outcomes if isinstance(each, Answer) and each.way]
    for text, outcome in zip(job.texts, outcomes, strict=True):
        if isinstance(outcome, ServiceError):
            metrics.text_failed(outcome.kind)
        elif outcome.way:
            metrics.translated(
                outcome.way.pair,
                source_characters=len(text),
                target_characters=len(outcome.text),
            )
            metrics.flagged(outcome.flags)
    found = [segment.found for answer in translated for segment in answer.segments]
    if found:
        record.pair = translated[0].way.pair if translated[0].way else None
        record.queue_ms = _milliseconds(each.waited_s for each in found)
        record.infer_ms = _milliseconds(each.searched_s for each in found)
        record.cached = sum(each.origin in (Origin.CACHE, Origin.MEMORY) for each in found)
        record.flags = sorted({flag for answer in translated for flag in answer.flags}) or None


def _milliseconds(seconds: Iterable[float]) -> float:
    return round(1000 * max(seconds), 1)


def _remarks(outcomes: Sequence[Outcome]) -> dict[str, str]:
    """What headers say of all texts, for answers that have no place for it."""
    answers = [each for each in outcomes if isinstance(each, Answer)]
    found = {
        "X-Translation-Pivot": {each.way.pivot for each in answers if each.way and each.way.pivot},
        "X-Translation-Flags": {flag for each in answers for flag in each.flags},
    }
    return {name: ", ".join(sorted(values)) for name, values in found.items() if values}


async def _server(request: Request) -> Server:  # were it not async, it would run in a thread
    return server_of(request)


ServerOf = Annotated[Server, Depends(_server)]
"""The server that a request came to; there from the lifespan's start on."""
