"""From what a command line names to a translator that decodes so.

Knows in which order things are refused: options before models are loaded, and what only a model can
tell after. Does not know the options themselves (`options`).
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

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
from scripts.options import Decoding, in_options

if TYPE_CHECKING:
    from mt import Translator
    from mt.reranking import Fluency, Reranker

_TASKS = {
    "answer": "answers questions, it translates nothing: use mt-answer",
    "translate": "translates, it answers no questions: use mt-translate",
}


def load_translator(
    folders: Sequence[Path],
    decoding: Decoding,
    *,
    task: Task = "translate",
    shared: Path | None = None,
) -> Translator:
    """The translator of a model folder or of an ensemble of several, decoding as asked for.

    Args:
        folders: one folder, or several; none is the bundled model.
        task: what the model has to be for.
        shared: as of `Translator.load`, for the one folder.

    Raises:
        BundleError: a folder cannot be used, does not go together with another, or is for another
            task.
        ConfigError: an option is out of range, or the machine lacks what the engine needs.
    """
    reranking, fusing = _checked(decoding)
    engine, threads = decoding.engine or EngineConfig().engine, decoding.threads
    translator = _searching(_load(folders, engine, threads, task, shared), decoding)
    if "seed" in decoding.search and not (
        translator.search_config.temperature or reranking.mbr_samples
    ):
        raise ConfigError("options: --seed decides nothing: add --temperature or --mbr, which draw")
    if fusing.fusion_model is not None:
        translator = translator.with_language_model(
            fusing.fusion_model, fusing.fusion_weight, engine=engine, threads=threads
        )
    if not reranking.chooses_by_risk and not reranking.rescores:
        return translator
    return translator.with_reranker(_load_reranker(reranking, translator, engine, threads))


def _checked(decoding: Decoding) -> tuple[RerankConfig, FusionConfig]:
    """What can be refused before a model is loaded, which takes a while."""
    # The model may bring the temperature that --top-k needs.
    parse(SearchConfig, {"temperature": 1.0} | dict(decoding.search), where="options")
    try:
        return (
            parse(RerankConfig, dict(decoding.rerank), where="options"),
            parse(FusionConfig, dict(decoding.fusion), where="options"),
        )
    except ConfigError as error:
        raise ConfigError(in_options(str(error))) from error


def _load(
    folders: Sequence[Path],
    engine: EngineName,
    threads: int | None,
    task: Task,
    shared: Path | None,
) -> Translator:
    from mt import Translator

    if len(folders) > 1:
        translator = Translator.load_ensemble(folders, engine=engine, threads=threads)
    else:
        translator = Translator.load(*folders, engine=engine, threads=threads, shared=shared)
    if translator.task != task:
        shown = " + ".join(map(str, folders)) or translator.name
        raise BundleError(f"{shown} {_TASKS[translator.task]}")
    return translator


def _searching(translator: Translator, decoding: Decoding) -> Translator:
    # Checked again as a whole: what is given may not go together with what the model brings.
    whole = translator.search_config.model_dump() | dict(decoding.search)
    return translator.with_search(parse(SearchConfig, whole, where="options"))


def _load_reranker(
    config: RerankConfig, translator: Translator, engine: EngineName, threads: int | None
) -> Reranker:
    """What chooses among a translator's candidates, with the models that have a say in it."""
    from mt import Translator
    from mt.reranking import Reranker

    def load(folder: Path | None) -> Translator | None:
        return None if folder is None else Translator.load(folder, engine=engine, threads=threads)

    reverse, right_to_left = load(config.reverse_model), load(config.right_to_left_model)
    way = translator.source_language, translator.target_language
    if reverse is not None:
        _check_way(f"--rescore-reverse {config.reverse_model}", reverse, way[::-1])
    if right_to_left is not None:
        option = f"--rescore-right-to-left {config.right_to_left_model}"
        _check_way(option, right_to_left, way)
        if right_to_left.right_to_left == translator.right_to_left:
            raise ConfigError(
                f"options: {option} writes in the same order as the model; train one with "
                "model.reverse_target"
            )
    return Reranker(config, reverse, right_to_left, _fluency(config, translator, engine, threads))


def _fluency(
    config: RerankConfig, translator: Translator, engine: EngineName, threads: int | None
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
