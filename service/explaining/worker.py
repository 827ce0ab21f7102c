"""The process that explains translations, one line of request after the other.

Knows `mt.explain`, and the lines of `service.explaining.process`: for each line of JSON on its
standard input two on its standard output, why it is refused (or null), and the explanation (or
null). Does not know HTTP.
"""

from __future__ import annotations

import json
import logging
import sys
from typing import Any

from mt.errors import InputError
from mt.explain import Explainer, to_record
from service.child import become_child
from service.errors import Kind
from service.telemetry.logs import configure_logging

log = logging.getLogger("mt.service.explain")


def main() -> None:
    answers = become_child()
    configure_logging()
    explaining = _Explaining()
    for line in sys.stdin.buffer:
        refusal, explanation = explaining.answer(json.loads(line))
        for value in (refusal, explanation):
            answers.write(json.dumps(value, separators=(",", ":")).encode() + b"\n")
        answers.flush()


class _Explaining:
    """Explains with the model that was asked for last, which stays loaded."""

    def __init__(self) -> None:
        self._folder = ""
        self._explainer: Explainer | None = None

    def answer(self, request: dict[str, Any]) -> tuple[dict[str, str] | None, Any]:
        """Why the request is refused, or else its explanation."""
        try:
            explanation = self._load(request["folder"]).explain(request["text"])
            return None, to_record(explanation, full=request["full"])
        except InputError as error:
            return {"kind": Kind.INVALID_REQUEST, "message": str(error)}, None
        except Exception as error:
            log.error("an explanation failed", exc_info=error)
            return {"kind": Kind.INTERNAL, "message": "internal error"}, None

    def _load(self, folder: str) -> Explainer:
        if self._explainer is None or folder != self._folder:
            self._explainer = None  # two would take twice the memory
            self._explainer, self._folder = Explainer.load(folder), folder
        return self._explainer


if __name__ == "__main__":
    main()
