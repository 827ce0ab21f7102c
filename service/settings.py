"""Every setting of the service, defined once: unit, range, default.

Knows names and ranges, and that a setting `x` is read from the environment variable `MT_X`.
Does not know how a setting is carried out.
"""

from __future__ import annotations

import ipaddress
import os
import textwrap
from pathlib import Path
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, Field, ValidationError
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from mt.config import EngineConfig, EngineName, did_you_mean
from mt.errors import ConfigError
from mt.system.machine import cores


def _split(separator: str) -> BeforeValidator:
    """Reads one string as several; whatever else is given is left as it is."""

    def split(value: object) -> object:
        if not isinstance(value, str):
            return value
        return tuple(part.strip() for part in value.split(separator) if part.strip())

    return BeforeValidator(split)


Paths = Annotated[tuple[Path, ...], NoDecode, _split(os.pathsep)]
"""Paths; in an environment variable separated as in PATH."""
Names = Annotated[tuple[str, ...], NoDecode, _split(",")]
"""Words; in an environment variable separated by commas."""


def _addresses(names: tuple[str, ...]) -> tuple[str, ...]:
    """Addresses and networks as they are; raises ValueError for what is neither, nor all of it."""
    if names == ("*",):
        return names
    for name in names:
        try:
            ipaddress.ip_network(name)
        except ValueError as error:
            raise ValueError(f'{error}; "*" alone stands for all') from error
    return names


Proxies = Annotated[Names, AfterValidator(_addresses)]
"""Addresses and networks of peers, or "*"; in an environment variable separated by commas."""

OTHERS = frozenset({"MT_TORCH_INDEX", "MT_CORPORA", "MT_OFFLINE"})
"""Variables that `scripts/setup.sh` and the tests read."""


class Settings(BaseSettings):
    """Settings of one server. An empty environment variable counts as not set."""

    model_config = SettingsConfigDict(
        env_prefix="MT_",
        env_ignore_empty=True,
        extra="forbid",
        frozen=True,
        use_attribute_docstrings=True,
    )

    # Where to listen
    host: str = "127.0.0.1"
    """Address to listen on; the default is reachable from this machine only, "0.0.0.0" by IPv4,
    "::" by IPv6 and IPv4."""
    port: int = Field(8000, ge=0, le=65535)
    """TCP port to listen on; 0 takes a free one."""
    root_path: str = Field("", pattern=r"^(/[^/?#]+)*$")
    """Prefix under which a proxy serves this service, "/translator" for example."""
    trusted_proxies: Proxies = ()
    """Addresses and networks of proxies, separated by commas, whose X-Forwarded-For and
    X-Forwarded-Proto are believed, "10.0.0.0/8" for example; unset believes none, so that all
    clients of a proxy have one address. "*" believes everybody, and anybody can then give
    themselves an address, unless the only way here is through a proxy that replaces the header."""
    cors_origins: Names = ()
    """Origins whose pages may call the service, separated by commas; "*" allows all of them, as
    LibreTranslate does. Credentials are never allowed."""

    # What to serve
    model: Paths = ()
    """Model folders to serve, or names of bundled ones, in the environment separated by ":" as in
    PATH; unset serves all of `models`."""
    models: Path | None = None
    """Folder of model folders to serve; unset serves the bundled ones."""
    default_model: str | None = None
    """Name of the model that a request gets which names no languages, and that goes before others
    of its pair; unset takes the first of `model` or, where that is unset too, de-en or else the
    first by name."""
    engine: EngineName = Field("auto", description=EngineConfig.model_fields["engine"].description)
    workers: int = Field(default_factory=cores, ge=1, le=256)
    """Worker processes, each with all models and one thread; the default is one a core."""
    translation_memory: Paths = ()
    """TSV or TMX files of finished translations, in the environment separated by ":" as in PATH; a
    segment found there is not translated. A TSV file is named after its languages, terms.de-en.tsv,
    and has in each line a source, a tab and its translation."""
    rescore: bool = False
    """Whether the model that translates back has a say in each translation, where it is served and
    a request does not ask for something else: better ones, for twice the time."""
    cache_bytes: int = Field(16 * 2**20, ge=0, le=2**40)
    """Memory for translations of earlier segments, in bytes; 0 keeps none."""

    # What to accept
    char_limit: int = Field(10_000, ge=1, le=10_000_000)
    """Longest text accepted, in characters."""
    batch_limit: int = Field(100, ge=1, le=10_000)
    """Most texts accepted in one request."""
    max_alternatives: int = Field(4, ge=0, le=63)
    """Most alternative translations that may be asked for, besides the best one; never more than
    the model's beam size less one."""
    max_beam_size: int = Field(10, ge=1, le=64)
    """Widest beam that a request may ask for."""
    max_body_bytes: int = Field(2 * 2**20, ge=1024, le=2**30)
    """Largest request body accepted, in bytes."""

    # Whom to serve
    api_keys_file: Path | None = None
    """File of the keys that clients need, as `mt-keys` writes it; unset asks for none."""
    usage_file: Path | None = None
    """SQLite file that counts characters per key across restarts; unset counts in memory."""
    characters_per_minute: int = Field(0, ge=0, le=10**9)
    """Characters that a client may send in a minute: a key, unless it has a limit of its own, or,
    where no keys are asked for, an address. 0 is no limit."""

    # Under load
    batch_characters: int = Field(4000, ge=1, le=10_000_000)
    """Source characters translated in one call, over all requests; a longer segment goes alone."""
    max_wait_s: float = Field(4.0, ge=0.1, le=600)
    """Seconds of work that may wait before a request is refused."""
    deadline_s: float = Field(8.0, ge=0.1, le=600)
    """Seconds from the arrival of a request after which it is answered 504 instead; also bounds
    how long a shutdown takes, and how long the head of a request may take to arrive. DeepL's
    clients send again after 10 s."""


def load_settings(**given: Any) -> Settings:
    """Read the settings from the environment; values given here, as options of `mt-serve`, win.

    Raises:
        ConfigError: a value is not allowed; one line that names the environment variable, behind
            the option if it was given as one.
    """
    try:
        return Settings(**given)
    except ValidationError as error:
        mistake = error.errors()[0]
        variable = "MT_" + ".".join(str(part) for part in mistake["loc"]).upper()
        name = str(mistake["loc"][0])
        where = f"--{name.replace('_', '-')} ({variable})" if name in given else variable
        message = mistake["msg"].removeprefix("Value error, ")
        raise ConfigError(f"{where}: {message} (found {mistake['input']!r})") from error


def misspelt() -> list[str]:
    """One line for each MT_* variable of the environment that nothing in this project reads."""
    known = {f"MT_{name.upper()}" for name in Settings.model_fields}
    strange = sorted(
        name for name in os.environ if name.startswith("MT_") and name not in known | OTHERS
    )
    hints = (did_you_mean(name, known, likeness=0.8) for name in strange)
    return [
        "; ".join(filter(None, (f"{name} is no setting and is ignored", hint)))
        for name, hint in zip(strange, hints, strict=True)
    ]


def environment_file() -> str:
    """All settings as a file of environment variables: each with what it means and what it may be,
    commented out at its default, so that it changes nothing until it is edited."""
    described = Settings.model_json_schema()["properties"]
    return "\n".join(_described(name, of) for name, of in described.items())


def _described(name: str, schema: dict[str, Any]) -> str:
    meaning = " ".join(schema["description"].split())
    allowed = ""
    if "enum" in schema:
        allowed = f" One of {', '.join(schema['enum'])}."
    elif "maximum" in schema:
        allowed = f" From {schema['minimum']} to {schema['maximum']}."
    default = schema.get("default")
    shown = "" if default in (None, []) else default
    comment = textwrap.fill(meaning + allowed, 78, initial_indent="# ", subsequent_indent="# ")
    return f"{comment}\n#MT_{name.upper()}={shown}\n"
