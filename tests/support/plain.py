"""The options of a tiny model that other programs could have as well.

Knows names of `ModelConfig`. Given to `support.bundles.tiny_bundle`.
"""

from __future__ import annotations

from typing import Any

PLAIN: dict[str, Any] = {
    "embedding_size": 8,
    "encoder_hidden_size": 8,
    "encoder_layers": 2,
    "decoder_hidden_size": 8,
    "decoder_layers": 2,
    "bidirectional": False,
    "reverse_source": True,
    "bridge": "copy",
    "context_size": 0,
    "deep_output": False,
    "tied_output": False,
}
"""Two layers of 8, copied from encoder to decoder; all else as in the recipe of that kind."""
