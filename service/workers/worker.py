"""A model worker: a process of one thread that translates the batches it is handed.

Knows the library, and the frames of `service.workers.work` on its standard input and output. Does
not know HTTP, queues or other workers.
"""

from __future__ import annotations

import contextlib
import functools
import json
import logging
import os
import select
import time
from collections.abc import Callable, Mapping, Sequence
from io import FileIO
from itertools import starmap
from pathlib import Path
from typing import Any, BinaryIO

from mt.config import EngineName
from mt.errors import BundleError, MTError
from mt.translation import SegmentTranslation
from mt.translator import Translator
from service.child import become_child
from service.errors import Kind, ServiceError
from service.telemetry.logs import configure_logging
from service.workers.work import (
    LENGTH_BYTES,
    STOP,
    AssignedModel,
    Batch,
    Options,
    Outcome,
    frame,
    write_outcomes,
)

log = logging.getLogger("mt.service.worker")

WARM_UP = ("A first sentence, which makes the engine allocate what it needs.",) * 4
KEPT_CONFIGURATIONS = 64

Translate = Callable[[Batch], Sequence[SegmentTranslation]]


def main() -> None:
    answers = become_child()
    configure_logging()
    requests = os.fdopen(0, "rb", buffering=0)  # none is read ahead, for `_check_wanted` to see it
    try:
        models, engine = _read(requests)
        translators = {model.name: _load(model, engine) for model in starmap(AssignedModel, models)}
    except MTError as error:
        _write(answers, {"error": str(error)})
        return
    for translator in translators.values():
        # One that takes texts as a whole may find these too long, and does without.
        with contextlib.suppress(MTError):
            translator.translate_segments(WARM_UP)
    _write(answers, {"engines": {name: each.engine for name, each in translators.items()}})
    check = functools.partial(_check_wanted, requests)
    translate = _translate_by({name: each.with_check(check) for name, each in translators.items()})
    while (request := _read(requests)) is not None:
        if request != STOP:  # else it came too late
            _write(answers, _answer(translate, request))


class UnwantedError(Exception):
    """Nobody waits for the batch at hand any more."""


def translate_batch(translate: Translate, batch: Batch) -> list[Outcome]:
    """What becomes of each segment; if the batch fails, each is tried by itself."""
    try:
        return list(translate(batch))
    except UnwantedError:
        refusal = ServiceError(Kind.UNAVAILABLE, "stopped, since nobody waited for it any more")
        return [refusal] * len(batch.segments)
    except Exception as error:
        if len(batch.segments) == 1:
            return [_failure(error)]
        log.warning("a batch failed; its %d segments are tried one by one", len(batch.segments))
    alone = (batch._replace(segments=(segment,)) for segment in batch.segments)
    return [outcome for each in alone for outcome in translate_batch(translate, each)]


def _load(model: AssignedModel, engine: EngineName) -> Translator:
    shared = None if model.shared is None else Path(model.shared)
    translator = Translator.load(model.folder, engine=engine, threads=1, shared=shared)
    # A training may have stored a better model in the meantime: the server would name the old one
    # in its answers, and its other workers would go on with that.
    if translator.identity != model.identity:
        raise BundleError(
            f"{model.folder}: this model was replaced since the server started; restart it"
        )
    return translator


def _translate_by(translators: Mapping[str, Translator]) -> Translate:
    @functools.lru_cache(KEPT_CONFIGURATIONS)
    def configured(model: str, search: tuple[tuple[str, Any], ...], rescorer: str) -> Translator:
        translator = translators[model]
        config = translator.search_config.model_copy(update=dict(search))
        changed = translator.with_search(config)
        return changed.rescored_by(translators[rescorer]) if rescorer else changed

    def translate(batch: Batch) -> Sequence[SegmentTranslation]:
        options = batch.options
        return configured(batch.model, options.search, options.rescorer).translate_segments(
            batch.segments, alternatives=options.n_best - 1, links=options.links
        )

    return translate


def _answer(translate: Translate, request: Any) -> dict[str, Any]:
    started = time.perf_counter()
    model, (n_best, search, *others), segments = request
    options = Options(n_best, tuple(map(tuple, search)), *others)
    outcomes = translate_batch(translate, Batch(model, options, tuple(segments)))
    seconds = time.perf_counter() - started
    return {"outcomes": write_outcomes(outcomes), "seconds": seconds}


def _check_wanted(requests: FileIO) -> None:
    """Raises UnwantedError if the server has said so, which is all it says during a batch; or if
    it has ended, which reads alike."""
    if select.select([requests], [], [], 0)[0]:
        raise UnwantedError


def _failure(error: Exception) -> ServiceError:
    if isinstance(error, MTError):  # options that do not fit the model, a shortlist for example
        return ServiceError(Kind.INVALID_REQUEST, str(error))
    log.error("a segment failed", exc_info=error)
    return ServiceError(Kind.INTERNAL, "internal error")


def _read(stream: FileIO) -> Any:
    """The next value, or None where the stream ends."""
    head = _read_exactly(stream, LENGTH_BYTES)
    content = _read_exactly(stream, int.from_bytes(head, "big"))
    return json.loads(content) if content else None


def _read_exactly(stream: FileIO, size: int) -> bytes:
    """So many bytes, or none where the stream ends before."""
    content = b""
    while len(content) < size:
        if not (more := stream.read(size - len(content))):
            return b""
        content += more
    return content


def _write(stream: BinaryIO, value: Any) -> None:
    stream.write(frame(value))
    stream.flush()


if __name__ == "__main__":
    main()
