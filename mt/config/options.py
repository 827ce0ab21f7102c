"""What all tables of options have in common, and in which words a table is refused.

Knows tables and keys in general. Does not know any table.
"""

from __future__ import annotations

import difflib
from collections.abc import Collection
from pathlib import Path
from typing import Annotated, Any, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from mt.errors import ConfigError


class Options(BaseModel):
    """Base of all option tables: immutable, unknown keys and other types refused, docstrings kept.

    Strict, since `updates = true` or `joint = "no"` would else mean 1 and false.
    """

    model_config = ConfigDict(
        extra="forbid",
        frozen=True,
        strict=True,
        allow_inf_nan=False,
        use_attribute_docstrings=True,
    )


T = TypeVar("T", bound=Options)

ModelName = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")]
LanguageCode = Annotated[str, Field(pattern=r"^[a-z]{2,3}$")]
"""Of ISO 639."""

# Not strict: TOML and JSON have strings and lists where Python has paths and tuples.
TextFile = Annotated[Path, Field(strict=False)]
TextFiles = Annotated[tuple[TextFile, ...], Field(strict=False, min_length=1)]
WholeNumbers = Annotated[tuple[int, ...], Field(strict=False, min_length=1)]
Times = Annotated[tuple[Annotated[int, Field(ge=1, le=100)], ...], Field(strict=False)]


def parse(options: type[T], table: Any, where: str) -> T:
    """Check a table of plain values against its options.

    Raises:
        ConfigError: one line with the first thing wrong; for an unknown key, the nearest known.
    """
    try:
        return options.model_validate(table)
    except ValidationError as error:
        raise ConfigError(f"{where}: {_first_mistake(options, error)}") from error


def did_you_mean(name: str, known: Collection[str], *, likeness: float = 0.5) -> str:
    """A question for the known name nearest to one that is not known; "" if none is near enough.

    Args:
        likeness: what is near enough, as `difflib.SequenceMatcher.ratio`.
    """
    near = difflib.get_close_matches(name, known, n=1, cutoff=likeness)
    return f"did you mean {near[0]}?" if near else ""


def _first_mistake(options: type[Options], error: ValidationError) -> str:
    # An unknown key is told before a missing one: the first is usually a misspelling of the second.
    mistakes = sorted(error.errors(), key=lambda mistake: mistake["type"] != "extra_forbidden")
    mistake = mistakes[0]
    location = ".".join(_printable(str(part)) for part in mistake["loc"])
    if mistake["type"] == "extra_forbidden":
        if not (known := _known_keys(options, mistake["loc"][:-1])):
            return f"unknown key {location}"
        hint = did_you_mean(str(mistake["loc"][-1]), known)
        hint = hint or f"known are {', '.join(sorted(known))}"
        return f"unknown key {location}; {hint}"
    message = mistake["msg"].removeprefix("Value error, ")
    if mistake["type"] == "missing":
        return f"{location} is required"
    found = f" (found {mistake['input']!r})" if not isinstance(mistake["input"], dict) else ""
    return f"{location}: {message}{found}" if location else message


def _printable(key: str) -> str:
    # A quoted key of TOML may hold anything, line ends among it.
    return key if key.isprintable() else repr(key)


def _known_keys(options: type[Options], path: tuple[int | str, ...]) -> list[str]:
    """Those of the table at a path; none where it lies within something else than tables."""
    table: Any = options
    for part in path:
        if part not in getattr(table, "model_fields", {}):
            return []
        table = table.model_fields[part].annotation
    return list(getattr(table, "model_fields", {}))
