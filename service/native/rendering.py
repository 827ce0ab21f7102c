"""What became of a job, as the native wire says it.

Knows the shape of answers (`service.native.schemas` describes it). Does not know requests.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from service.errors import ServiceError
from service.texts.catalogue import Model
from service.texts.jobs import Answer, Outcome, Segment
from service.wires import native_error

Body = dict[str, Any]


@dataclass(frozen=True)
class Renderer:
    """Writes the answers to one request.

    What it writes is not checked against the schemas: that would take a tenth of the request's
    time. The tests do.
    """

    target: str
    """The language of the translations."""
    engines: Mapping[str, str]
    """By the model's name."""
    request_id: str

    def result(self, outcomes: Sequence[Outcome]) -> Body:
        """A `TranslateResult`.

        Raises:
            ServiceError: of the first text, if none could be translated.
        """
        refuse_failure(outcomes)
        return {
            "translations": [
                self.error(outcome) if isinstance(outcome, ServiceError) else self._text(outcome)
                for outcome in outcomes
            ]
        }

    def answers(self, outcomes: Sequence[Outcome], model: Model) -> Body:
        """An `AnswerResult`; raises as `result`."""
        refuse_failure(outcomes)
        return {
            "model": model_reference(model, self.engines),
            "answers": [
                self.error(each)
                if isinstance(each, ServiceError)
                else {"text": each.text, "score": each.score, "flags": sorted(each.flags)}
                for each in outcomes
            ],
        }

    def error(self, error: ServiceError) -> Body:
        """A `NativeErrorBody`."""
        return native_error(error, self.request_id)

    def segment(self, segment: Segment) -> Body:
        """A `SegmentResult`."""
        translation, origin = segment.found.translation, segment.found.origin
        way = segment.written_by
        return {
            "source": segment.source,
            "translation": translation.text,
            "score": translation.score,
            "flags": sorted(translation.flags),
            "provenance": {
                "origin": origin,
                "models": self._references(way.models),
                "rescored_by": self._references(way.rescorers),
            },
        }

    def segment_event(self, text: int, index: int, segment: Segment) -> Body:
        """A `SegmentEvent`."""
        return {"type": "segment", "text": text, "index": index, "segment": self.segment(segment)}

    def result_event(self, outcomes: Sequence[Outcome]) -> Body:
        """A `ResultEvent`; raises as `result`."""
        return {"type": "result"} | self.result(outcomes)

    def error_event(self, error: ServiceError) -> Body:
        """An `ErrorEvent`."""
        return {"type": "error"} | self.error(error)

    def _references(self, models: Sequence[Model]) -> list[Body]:
        return [model_reference(model, self.engines) for model in models]

    def _text(self, answer: Answer) -> Body:
        way = answer.way
        return {
            "text": answer.text,
            "score": answer.score,
            "flags": sorted(answer.flags),
            "source": answer.source,
            "confidence": answer.detection.confidence if answer.detection else None,
            "target": self.target,
            "pivot": way.pivot if way else None,
            "alternatives": [alternative._asdict() for alternative in answer.alternatives],
            "segments": [self.segment(each) for each in answer.segments],
        }


def refuse_failure(outcomes: Sequence[Outcome]) -> None:
    """Raise the error of the first text if none could be translated."""
    failures = [outcome for outcome in outcomes if isinstance(outcome, ServiceError)]
    if failures and len(failures) == len(outcomes):
        raise failures[0]


def model_reference(model: Model, engines: Mapping[str, str]) -> Body:
    """A `ModelReference`."""
    return {"name": model.name, "sha256": model.sha256, "engine": engines.get(model.name)}
