"""Which engine runs a bundle, by name.

Knows the engines and what each needs. Does not know how one works, and imports only the one that
is asked for: the default on a CPU does without torch.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, get_args

from mt.bundle import Bundle
from mt.config import EngineName
from mt.engine.interface import Engine
from mt.errors import ConfigError

ENGINES: tuple[EngineName, ...] = get_args(EngineName)

_NVIDIA_DRIVER = Path("/proc/driver/nvidia/version")


def load_engine(
    bundle: Bundle,
    name: EngineName = "auto",
    threads: int | None = None,
    shared: Path | None = None,
) -> Engine[Any]:
    """Make an engine of a bundle.

    Args:
        name: as `EngineConfig.engine`.
        threads: CPU threads to compute with; None is 1 for int8, and what torch likes for others.
        shared: as of `Int8Engine`; other engines share nothing.

    Raises:
        BundleError: the weights do not fit the configuration.
        ConfigError: there is no engine of that name, or the machine lacks what it needs.
    """
    if name not in ENGINES:
        raise ConfigError(f"engine = {name!r}: one of {', '.join(ENGINES)} is allowed")
    if name == "auto":
        name = "cuda" if _cuda() else "int8"
    if name == "int8":
        from mt.engine.int8 import Int8Engine

        return Int8Engine.load(bundle, threads=threads or 1, shared=shared)
    from mt.engine.reference import TorchEngine
    from mt.parameters import load_model

    return TorchEngine.load(load_model(bundle), name, bundle.lexicon, threads)


def _cuda() -> bool:
    if not _NVIDIA_DRIVER.exists():
        return False  # told without torch, whose import takes a second
    import torch

    return torch.cuda.is_available()
