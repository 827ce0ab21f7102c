"""What does a model's arithmetic.

Knows engines by name. Does not know which of them a machine has.
"""

from __future__ import annotations

from typing import Literal

from mt.config.options import Options

EngineName = Literal["auto", "int8", "fp32", "bf16", "cuda"]


class EngineConfig(Options):
    """What does a model's arithmetic; no part of the model."""

    engine: EngineName = "auto"
    """int8: 8-bit integers by ONNX Runtime, the fastest on a CPU and the first to start. fp32:
    torch, the reference. bf16: torch with half the precision, for processors that multiply in it.
    cuda: torch in half precision on an NVIDIA GPU. auto: cuda where there is such a GPU, else
    int8."""
