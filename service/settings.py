"""Every setting of the service, defined once: unit, range, default.

Knows names and ranges, and that a setting `x` is read from the environment variable `MT_X`.
Does not know how a setting is carried out.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pydantic import Field, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from mt.config import EngineConfig, EngineName
from mt.errors import ConfigError


class Settings(BaseSettings):
    """Settings of one server process. An empty environment variable counts as not set."""

    model_config = SettingsConfigDict(
        env_prefix="MT_",
        env_ignore_empty=True,
        extra="forbid",
        frozen=True,
        use_attribute_docstrings=True,
    )

    host: str = "127.0.0.1"
    """Address to listen on; the default is reachable from this machine only."""
    port: int = Field(8000, ge=0, le=65535)
    """TCP port to listen on; 0 takes a free one."""
    model: Path | None = None
    """Folder of the model to serve, or the name of a bundled one; unset serves de-en."""
    engine: EngineName = Field("auto", description=EngineConfig.model_fields["engine"].description)
    threads: int = Field(1, ge=1, le=256)
    """CPU threads of the matrix products. More help large batches only, and suffer from whatever
    else the machine does; further processes scale better."""

    char_limit: int = Field(10_000, ge=1, le=1_000_000)
    """Longest text accepted, in characters."""
    batch_limit: int = Field(100, ge=1, le=10_000)
    """Most texts accepted in one request."""
    max_alternatives: int = Field(4, ge=0, le=63)
    """Most alternative translations that may be asked for, besides the best one; never more than
    the model's beam size less one."""
    max_body_bytes: int = Field(2 * 1024 * 1024, ge=1024, le=1024**3)
    """Largest request body accepted, in bytes."""

    batch_pieces: int = Field(1000, ge=1, le=1_000_000)
    """Source pieces (subword tokens) searched in one call, over all requests; a longer segment
    is searched alone."""
    max_waiting_pieces: int = Field(20_000, ge=1, le=100_000_000)
    """Source pieces that may wait for the translator before further requests are refused; an idle
    server accepts any one request."""
    deadline_s: float = Field(8.0, ge=0.1, le=600)
    """Seconds from the arrival of a request after which it is answered 504 instead; also bounds
    how long a shutdown takes."""


def load_settings(**given: Any) -> Settings:
    """Read the settings from the environment; values given here win.

    Raises:
        ConfigError: a value is not allowed; one line that names the environment variable.
    """
    try:
        return Settings(**given)
    except ValidationError as error:
        mistake = error.errors()[0]
        variable = "MT_" + ".".join(str(part) for part in mistake["loc"]).upper()
        raise ConfigError(f"{variable}: {mistake['msg']} (found {mistake['input']!r})") from error
