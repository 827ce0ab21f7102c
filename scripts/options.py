"""Command-line options that several programs share, and what they mean for the translator.

The text and range of a decoding option come from `mt.config.SearchConfig`, where it is defined.
A program that offers one names its parameter as the field is named, and hands it on to
`load_translator`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mt.config import (
    EngineConfig,
    EngineName,
    FusionConfig,
    RerankConfig,
    SearchConfig,
    Task,
    parse,
)
from mt.errors import BundleError, ConfigError
from scripts.console import describe

if TYPE_CHECKING:
    from mt import Translator
    from mt.reranking import Fluency, Reranker


def _decoding(field: str) -> Any:
    return typer.Option(help=f"{describe(SearchConfig, field)}  [default: the model's own]")


_NAMED_OTHERWISE = {
    "mbr_samples": "--mbr",
    "reverse_model": "--rescore-reverse",
    "right_to_left_model": "--rescore-right-to-left",
    "language_model": "--rescore-language-model",
    "fusion_model": "--language-model",
}
"""Options whose names are not those of their fields, for what the fields are called in Python would
not tell what the option is for."""


def _reranking(field: str, metavar: str | None = None) -> Any:
    default = RerankConfig.model_fields[field].default
    shown = "" if default in (None, False) else f"  [default: {default}]"
    return _option(field, describe(RerankConfig, field) + shown, metavar)


def _option(field: str, text: str, metavar: str | None = None) -> Any:
    return typer.Option(_named(field), metavar=metavar, help=_in_options(text))


def _named(field: str) -> str:
    """The option of a field of `RerankConfig` or `FusionConfig`."""
    return _NAMED_OTHERWISE.get(field, f"--{field.replace('_', '-')}")


def _in_options(text: str) -> str:
    """A text in which options stand for fields of `RerankConfig` and `FusionConfig`."""
    fields = [*RerankConfig.model_fields, *FusionConfig.model_fields]
    return re.sub(rf"\b({'|'.join(fields)})\b", lambda field: _named(field[0]), text)


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

BeamSize = Annotated[int | None, _decoding("beam_size")]
LengthPenalty = Annotated[float | None, _decoding("length_penalty")]
MaxLengthRatio = Annotated[float | None, _decoding("max_length_ratio")]
MaxLengthExtra = Annotated[int | None, _decoding("max_length_extra")]
MinLengthRatio = Annotated[float | None, _decoding("min_length_ratio")]
MinLength = Annotated[int | None, _decoding("min_length")]
NoRepeatNgramSize = Annotated[int | None, _decoding("no_repeat_ngram_size")]
Shortlist = Annotated[int | None, _decoding("shortlist")]
Temperature = Annotated[float | None, _decoding("temperature")]
TopK = Annotated[int | None, _decoding("top_k")]
Seed = Annotated[int | None, _decoding("seed")]
CopyDigits = Annotated[bool | None, _decoding("copy_digits")]
Truecase = Annotated[bool | None, _decoding("truecase")]

MbrSamples = Annotated[int | None, _reranking("mbr_samples", metavar="N")]
MbrBeam = Annotated[bool, _reranking("mbr_beam")]
MbrUtility = Annotated[str | None, _reranking("mbr_utility", metavar="chrf|bleu")]
MbrWeights = Annotated[str | None, _reranking("mbr_weights", metavar="uniform|model")]
MbrTemperature = Annotated[float | None, _reranking("mbr_temperature")]
ReverseModel = Annotated[Path | None, _reranking("reverse_model", metavar="DIR")]
RightToLeftModel = Annotated[Path | None, _reranking("right_to_left_model", metavar="DIR")]
LanguageModel = Annotated[Path | None, _reranking("language_model", metavar="DIR")]
ReverseWeight = Annotated[float | None, _reranking("reverse_weight")]
RightToLeftWeight = Annotated[float | None, _reranking("right_to_left_weight")]
LanguageWeight = Annotated[float | None, _reranking("language_weight")]
LengthWeight = Annotated[float | None, _reranking("length_weight")]

FusionModel = Annotated[
    Path | None,
    _option("fusion_model", describe(FusionConfig, "fusion_model"), "DIR"),
]
FusionWeight = Annotated[
    float | None,
    _option(
        "fusion_weight",
        f"{describe(FusionConfig, 'fusion_weight')}  [default: {FusionConfig().fusion_weight}]",
    ),
]


def whole_path(folder: Path) -> Path:
    """The same folder from whichever folder a process is in; a bundled model's name as it is."""
    return folder.absolute() if folder.is_dir() else folder


_TASKS = {
    "answer": "answers questions, it translates nothing: use mt-answer",
    "translate": "translates, it answers no questions: use mt-translate",
}


def given_options(options: Mapping[str, Any]) -> dict[str, Any]:
    """Those that the command line names: a weight of 0 is named, a flag that is off is not."""
    return {n: value for n, value in options.items() if value is not None and value is not False}


def load_translator(
    model: Path | Sequence[Path] | None,
    threads: int | None,
    engine: EngineName | None = None,
    rerank: Mapping[str, Any] | None = None,
    *,
    fusion: Mapping[str, Any] | None = None,
    task: Task = "translate",
    shared: Path | None = None,
    **search: Any,
) -> Translator:
    """The translator of a model folder or of an ensemble of several, decoding as asked for.

    Args:
        model: one folder, or several; none is the bundled model.
        threads: CPU threads; the engine decides if None.
        engine: as `EngineConfig.engine`, which has the default; of rescoring models too.
        rerank: fields of `RerankConfig`; None leaves their defaults, by which search alone decides.
        fusion: fields of `FusionConfig`; None leaves their defaults, without a language model.
        task: what the model has to be for.
        shared: as of `Translator.load`, for the one folder.
        search: fields of `SearchConfig`; None leaves the model's own.

    Raises:
        BundleError: a folder cannot be used, does not go together with another, or is for another
            task.
        ConfigError: an option is out of range, or the machine lacks what the engine needs.
    """
    # A flag that is off is named here: it takes the place of the model's own.
    given = {name: value for name, value in search.items() if value is not None}
    # Before the model is loaded, which may bring the temperature that --top-k needs.
    parse(SearchConfig, {"temperature": 1.0} | given, where="options")
    try:
        reranking = parse(RerankConfig, given_options(rerank or {}), where="options")
        fusing = parse(FusionConfig, given_options(fusion or {}), where="options")
    except ConfigError as error:
        raise ConfigError(_in_options(str(error))) from error
    from mt import Translator

    engine = engine or EngineConfig().engine
    folders = [model] if isinstance(model, Path) else list(model or [])
    if len(folders) > 1:
        translator = Translator.load_ensemble(folders, engine=engine, threads=threads)
    else:
        translator = Translator.load(*folders, engine=engine, threads=threads, shared=shared)
    if translator.task != task:
        named = " + ".join(map(str, folders)) or translator.name
        raise BundleError(f"{named} {_TASKS[translator.task]}")
    # Checked again as a whole: what is given may not go together with what the model brings.
    whole = translator.search_config.model_dump() | given
    translator = translator.with_search(parse(SearchConfig, whole, where="options"))
    if "seed" in given and not whole["temperature"] and not reranking.mbr_samples:
        raise ConfigError("options: --seed decides nothing: add --temperature or --mbr, which draw")
    if fusing.fusion_model is not None:
        translator = translator.with_language_model(
            fusing.fusion_model, fusing.fusion_weight, engine=engine, threads=threads
        )
    if not reranking.chooses_by_risk and not reranking.rescores:
        return translator
    return translator.with_reranker(load_reranker(reranking, translator, threads, engine))


def load_reranker(
    config: RerankConfig, translator: Translator, threads: int | None, engine: EngineName
) -> Reranker:
    """What chooses among a translator's candidates, with the models that have a say in it.

    Raises:
        BundleError: a folder cannot be used.
        ConfigError: a model does not translate the way it has to.
    """
    from mt import Translator
    from mt.reranking import Reranker

    def load(folder: Path | None) -> Translator | None:
        return None if folder is None else Translator.load(folder, engine=engine, threads=threads)

    reverse, right_to_left = load(config.reverse_model), load(config.right_to_left_model)
    ways = translator.source_language, translator.target_language
    if reverse is not None:
        _check_way(f"--rescore-reverse {config.reverse_model}", reverse, ways[::-1])
    if right_to_left is not None:
        option = f"--rescore-right-to-left {config.right_to_left_model}"
        _check_way(option, right_to_left, ways)
        if right_to_left.right_to_left == translator.right_to_left:
            raise ConfigError(
                f"options: {option} writes in the same order as the model; train one with "
                "model.reverse_target"
            )
    return Reranker(config, reverse, right_to_left, _fluency(config, translator, threads, engine))


def _fluency(
    config: RerankConfig, translator: Translator, threads: int | None, engine: EngineName
) -> Fluency | None:
    if config.language_model is None:
        return None
    from mt.language_model import LanguageModel
    from mt.reranking import Fluency

    model = LanguageModel.load(config.language_model, engine=engine, threads=threads)
    if model.language != translator.target_language:
        raise ConfigError(
            f"options: --rescore-language-model {config.language_model} is of {model.language}; it "
            f"has to be of {translator.target_language}"
        )
    return Fluency(model)


def _check_way(option: str, model: Translator, wanted: tuple[str, str]) -> None:
    found = model.source_language, model.target_language
    if found != wanted:
        raise ConfigError(
            f"options: {option} translates {' to '.join(found)}; it has to be {' to '.join(wanted)}"
        )
