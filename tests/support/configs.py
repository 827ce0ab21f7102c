"""Every configuration a small model can have, to draw from."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from mt.config import ModelConfig
from support.layers import VARIANTS
from support.models import tiny_config


@st.composite
def configs(draw: st.DrawFn) -> ModelConfig:
    """Every shape and every cell a model can have, in up to three layers a side."""
    reading = draw(st.sampled_from(["forward", "reversed", "both"]))
    variant = draw(st.sampled_from(VARIANTS))
    widths = st.integers(2 if variant.layer_norm else 1, 4)
    encoder_layers, width = draw(st.integers(1, 3)), draw(widths)
    shape: dict[str, Any] = {
        **variant._asdict(),
        "bidirectional": reading == "both",
        "reverse_source": reading == "reversed",
        "encoder_layers": encoder_layers,
        "encoder_hidden_size": width,
        "embedding_size": draw(st.integers(2, 5)),
        "context_size": draw(st.sampled_from([0, 3])),
        "tied_output": draw(st.booleans()),
    }
    if draw(st.booleans()):
        directions = 2 if reading == "both" else 1
        shape |= {
            "bridge": "copy",
            "decoder_layers": encoder_layers,
            "decoder_hidden_size": width * directions,
        }
    else:
        shape |= {"decoder_layers": draw(st.integers(1, 3)), "decoder_hidden_size": draw(widths)}
    alike = shape["decoder_hidden_size"] == width * (2 if reading == "both" else 1)
    scores = ["none", "general", "additive", *(["dot"] if alike else [])]
    shape["attention"] = draw(st.sampled_from(scores))
    deep_enough = encoder_layers >= (3 if shape["attention"] == "none" else 2)
    shape["residual"] = (shape["decoder_layers"] > 1 or deep_enough) and draw(st.booleans())
    if draw(st.booleans()):
        shape["deep_output"] = False
        if shape["attention"] == "none":
            shape["embedding_size"] = shape["decoder_hidden_size"]
    return tiny_config(**shape)
