"""What the HTTP process and its model workers say to each other.

Knows the records and how they travel: a frame is four bytes of length, most significant first, and
that many bytes of JSON. Does not know processes; nothing is unpickled.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, NamedTuple

from mt.translation import Candidate, SegmentTranslation
from service.errors import Kind, ServiceError

LENGTH_BYTES = 4
STOP = "stop"
"""Said instead of a batch: the one before is not wanted any more, if it is not answered yet."""


class Options(NamedTuple):
    """How segments are to be searched; those of equal options share a batch."""

    n_best: int = 1
    search: tuple[tuple[str, Any], ...] = ()
    """Fields of `mt.config.SearchConfig` that differ from the model's own, by name."""
    rescorer: str = ""
    """Name of the model that has a say in which hypothesis is taken; empty for none."""
    links: bool = False
    """Whether words of segments and translations are to be linked."""


class Batch(NamedTuple):
    """Segments that one call of a model translates."""

    model: str
    options: Options
    segments: tuple[str, ...]


Outcome = SegmentTranslation | ServiceError
"""What became of one segment: each succeeds or fails by itself."""


class AssignedModel(NamedTuple):
    """A model to load."""

    name: str
    folder: str
    identity: str
    """The SHA-256 that its weights are to have."""
    shared: str | None = None
    """Path of a `shared_file`, for what all workers may have once."""


class Assignment(NamedTuple):
    """What a worker is told first: the models to load, and by which engine."""

    models: tuple[AssignedModel, ...]
    engine: str


def frame(value: Any) -> bytes:
    """A value of JSON's types as it travels."""
    content = json.dumps(value, separators=(",", ":")).encode()
    return len(content).to_bytes(LENGTH_BYTES, "big") + content


def write_outcomes(outcomes: Sequence[Outcome]) -> list[Any]:
    """Outcomes in JSON's types."""
    return [
        {"kind": outcome.kind, "message": outcome.message}
        if isinstance(outcome, ServiceError)
        else [outcome.candidates, sorted(outcome.flags)]
        for outcome in outcomes
    ]


def read_outcomes(values: Sequence[Any]) -> list[Outcome]:
    """Outcomes as `write_outcomes` has written them."""
    return [
        ServiceError(Kind(value["kind"]), value["message"])
        if isinstance(value, dict)
        else SegmentTranslation(
            tuple(_read_candidate(*candidate) for candidate in value[0]), frozenset(value[1])
        )
        for value in values
    ]


def _read_candidate(
    text: str, log_probability: float, length: int, links: Sequence[Sequence[int]]
) -> Candidate:
    return Candidate(text, log_probability, length, tuple((n, m) for n, m in links))
