"""Command-line options that several programs share.

A program that decodes has a parameter `decoding` and is decorated by `decoding_options`: the fields
of the tables in `mt.config` become its options, with their names, ranges and texts from there, and
what is given of them arrives as one `Decoding`. Does not know models: `loading` makes a translator
of it.
"""

from __future__ import annotations

import dataclasses
import functools
import inspect
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Literal, get_args, get_origin, get_type_hints

import typer

from mt.config import EngineConfig, EngineName, FusionConfig, Options, RerankConfig, SearchConfig
from scripts.console import describe

_BUNDLED = "or the name of a bundled one, such as en-de.  [default: de-en]"

Model = Annotated[
    list[Path] | None,
    typer.Option(
        metavar="DIR",
        help=f"Given more than once, the models translate together. A model folder, {_BUNDLED}",
    ),
]
"""For programs that take an ensemble as well."""
OneModel = Annotated[Path | None, typer.Option(metavar="DIR", help=f"Model folder, {_BUNDLED}")]
"""For programs that need one folder."""
LanguageModelFolder = Annotated[
    Path, typer.Option("--model", metavar="DIR", help="Model folder of a language model.")
]
"""For programs that no bundled model would do for."""
Engine = Annotated[
    EngineName | None,
    typer.Option(help=f"{describe(EngineConfig, 'engine')}  [default: auto]"),
]
Threads = Annotated[
    int | None,
    typer.Option(
        min=1,
        help="CPU threads to compute with.  [default: 1 with int8, one a core with the others]",
    ),
]


@dataclass(frozen=True)
class Decoding:
    """How a command line wants text decoded: only what it names, so that the rest is the model's.

    The values are as typed; whoever makes a table of them checks it.
    """

    engine: EngineName | None = None
    threads: int | None = None
    search: Mapping[str, Any] = field(default_factory=dict)
    """Fields of `SearchConfig`."""
    rerank: Mapping[str, Any] = field(default_factory=dict)
    """Fields of `RerankConfig`."""
    fusion: Mapping[str, Any] = field(default_factory=dict)
    """Fields of `FusionConfig`."""

    def by_search_alone(self) -> Decoding:
        """The same without what else has a say in a translation."""
        return dataclasses.replace(self, rerank={}, fusion={})

    def from_any_folder(self) -> Decoding:
        """The same for a process that is in another folder."""
        return dataclasses.replace(self, rerank=_whole(self.rerank), fusion=_whole(self.fusion))


def decoding_options(*fields: str) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Give a command, all of whose parameters have names only, options in the place of `decoding`.

    Args:
        fields: those of `SearchConfig`, `RerankConfig` and `FusionConfig` to offer; all that are no
            matter of the model's if none is named. `engine` and `threads` are always offered.
    """
    offered = {name: _parameter(name) for name in fields or _FIELDS}
    offered["engine"] = _keyword("engine", Engine)
    offered["threads"] = _keyword("threads", Threads)

    def expand(command: Callable[..., None]) -> Callable[..., None]:
        @functools.wraps(command)
        def flat(**given: Any) -> None:
            command(decoding=_decoding({name: given.pop(name) for name in offered}), **given)

        signature = inspect.signature(command, eval_str=True)
        parameters = [
            each
            for name, own in signature.parameters.items()
            for each in (offered.values() if name == "decoding" else [own])
        ]
        # What typer reads the options from.
        flat.__signature__ = signature.replace(parameters=parameters)  # type: ignore[attr-defined]
        return flat

    return expand


def in_options(text: str) -> str:
    """A text in which options stand for fields of `RerankConfig` and `FusionConfig`."""
    fields = [*RerankConfig.model_fields, *FusionConfig.model_fields]
    return re.sub(rf"\b({'|'.join(fields)})\b", lambda found: _named(found[0]), text)


def named(options: Mapping[str, Any]) -> dict[str, Any]:
    """Those that the command line names: a weight of 0 is named."""
    return {name: value for name, value in options.items() if value is not None}


def whole_path(folder: Path) -> Path:
    """The same folder from whichever folder a process is in; a bundled model's name as it is."""
    return folder.absolute() if folder.is_dir() else folder


_OF_THE_MODEL = {"max_source_pieces", "batch_rows", "batch_tokens"}
"""Fields that bound what a model is asked for at once."""
_FIELDS: dict[str, type[Options]] = {
    name: table
    for table in (SearchConfig, RerankConfig, FusionConfig)
    for name in table.model_fields
    if name not in _OF_THE_MODEL
}
"""The table of each field that may be an option."""
_NAMED_OTHERWISE = {
    "mbr_samples": "--mbr",
    "reverse_model": "--rescore-reverse",
    "right_to_left_model": "--rescore-right-to-left",
    "language_model": "--rescore-language-model",
    "fusion_model": "--language-model",
}
"""Options whose names are not those of their fields, for what the fields are called in Python would
not tell what the option is for."""


def _decoding(given: dict[str, Any]) -> Decoding:
    """The values of all options, those that were not given among them."""
    engine, threads = given.pop("engine"), given.pop("threads")
    tables: dict[type[Options], dict[str, Any]] = {
        SearchConfig: {},
        RerankConfig: {},
        FusionConfig: {},
    }
    for name, value in named(given).items():
        tables[_FIELDS[name]][name] = value
    return Decoding(engine, threads, *tables.values())


def _parameter(name: str) -> inspect.Parameter:
    table = _FIELDS[name]
    kind = get_type_hints(table)[name]
    option, metavar = _named(name), None
    if kind is bool and table is SearchConfig:  # what is on in the model can be turned off
        option = f"{option}/--no-{option.removeprefix('--')}"
    elif get_origin(kind) is Literal:
        kind, metavar = str, "|".join(get_args(kind))
    elif Path in get_args(kind):
        metavar = "DIR"
    text = describe(table, name)
    if table is not SearchConfig:
        text = in_options(text)
    info = typer.Option(option, metavar=metavar, help=text + _default(table, name))
    return _keyword(name, Annotated[kind | None, info])


def _default(table: type[Options], name: str) -> str:
    """What holds if the option is not given, as the help says it."""
    if table is SearchConfig:
        return "  [default: the model's own]"
    default = table.model_fields[name].default
    return "" if default in (None, False) else f"  [default: {default}]"


def _keyword(name: str, annotation: Any) -> inspect.Parameter:
    kind = inspect.Parameter.KEYWORD_ONLY
    return inspect.Parameter(name, kind, default=None, annotation=annotation)


def _named(name: str) -> str:
    """The option of a field."""
    return _NAMED_OTHERWISE.get(name, f"--{name.replace('_', '-')}")


def _whole(table: Mapping[str, Any]) -> dict[str, Any]:
    return {
        name: whole_path(value) if isinstance(value, Path) else value
        for name, value in table.items()
    }
