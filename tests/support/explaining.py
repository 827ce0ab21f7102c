"""A process that explains every sentence alike, at once and without a model.

Knows the lines of `service.explaining.process`, and what an explanation looks like.
"""

from __future__ import annotations

import json
import sys
from typing import Any

from service.explaining.process import Explaining

_GATE = {"mean": [0.5, 0.25], "shut": [0.0, 0.5], "open": [0.0, 0.0]}
_SIGNED = {"mean": [0.1, -0.1], "magnitude": [0.2, 0.4]}
EXPLANATION: dict[str, Any] = {
    "model": "de-en",
    "sha256": 64 * "0",
    "source": "Ja",
    "translation": "Yes",
    "log_probability": -0.5,
    "source_pieces": ["▁Ja", "</s>"],
    "target_read": ["<s>", "▁Yes"],
    "target_written": ["▁Yes", "</s>"],
    "layers": [
        {
            "layer": "encoder 1, forward",
            "side": "encoder",
            "depth": 1,
            "backwards": False,
            "units": 2,
            "summary": dict.fromkeys(("input", "forget", "output"), _GATE)
            | dict.fromkeys(("candidate", "cell", "hidden"), _SIGNED),
        }
    ],
    "dependence": [
        {
            "layer": "encoder 1, forward",
            "gradient": [0.5, 2.0],
            "kept": {"mean": [0.25, 1.0], "most": [0.5, 1.0]},
            "most_by_unit": [1, 0],
        }
    ],
    "attention": None,
}
_SCRIPT = f"""
import sys
for _ in sys.stdin:
    print("null", {json.dumps(json.dumps(EXPLANATION))}, sep="\\n", flush=True)
"""


def stub_explaining() -> Explaining:
    """What an app explains with."""
    return Explaining([sys.executable, "-c", _SCRIPT])
