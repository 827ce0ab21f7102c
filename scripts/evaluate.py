"""mt-evaluate: score translations of a test set and compare systems.

Evaluates what users get: a model folder's stored weights with its own decoding defaults.
"""

from __future__ import annotations

import itertools
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from mt.bundle import find_model
from mt.config import EvaluationConfig, SearchConfig, Words, parse
from mt.errors import ConfigError
from mt.scoring import words_of
from mt.scoring.joined import LONGEST, SHORTEST
from mt.system.files import write_atomic
from mt.system.streams import compressor
from scripts.console import Version, describe, program, run
from scripts.evaluation import (
    TestText,
    evaluation_record,
    joined_parts,
    joined_record,
    length_record,
    sweep_record,
)
from scripts.options import Decoding, Model, decoding_options, named
from scripts.outputs import check_output
from scripts.plots import check_picture, draw
from scripts.reports import Format, panels, report
from scripts.systems import FinishedSystem, ModelSystem, System

app = program("Score translations of a test set and compare systems.")


@app.command()
@decoding_options()
def evaluate(
    *,
    source: Annotated[Path, typer.Option(metavar="F", help="Text to translate, .gz or .xz too.")],
    reference: Annotated[
        list[Path],
        typer.Option(
            metavar="F", help="Its translations, line by line; repeat it for further references."
        ),
    ],
    model: Model = None,
    translations: Annotated[
        Path | None,
        typer.Option(metavar="F", help="Score these finished translations instead of a model's."),
    ] = None,
    against: Annotated[
        list[Path] | None,
        typer.Option(
            metavar="DIR|F",
            help="Compare with this model folder or file of finished translations; repeatable.",
        ),
    ] = None,
    paired_test: Annotated[
        str | None,
        typer.Option(
            metavar="TEST",
            help=describe(EvaluationConfig, "paired_test") + "  [default: randomization]",
        ),
    ] = None,
    by_length: Annotated[
        bool, typer.Option("--by-length", help="Also BLEU by words of the source.")
    ] = False,
    length_edges: Annotated[
        str | None,
        typer.Option(
            metavar="N,N,...",
            help=describe(EvaluationConfig, "length_edges") + " Implies --by-length."
            "  [default: 10,15,20,30]",
        ),
    ] = None,
    tokenize: Annotated[
        str | None,
        typer.Option(metavar="NAME", help=describe(EvaluationConfig, "tokenize")),
    ] = None,
    joined: Annotated[
        bool,
        typer.Option(
            "--joined",
            help=f"Also BLEU of lines joined to longer ones, {SHORTEST} to {LONGEST} words of the "
            "source, by that of the same lines alone.",
        ),
    ] = False,
    sweep: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME=N,N,...",
            help="Also translate with each of these values of a decoding option, such as "
            "beam-size=1,5,10; given for several options, with every combination. Choose on "
            "validation text: the best of many looks better than it is.",
        ),
    ] = None,
    plot: Annotated[
        Path | None,
        typer.Option(
            metavar="F.png",
            help="Draw BLEU by length and the sweep, whichever is asked for; needs the extra "
            "\\[plot].",
        ),
    ] = None,
    form: Annotated[
        Format | None,
        typer.Option("--format", help="Form of what is printed.  [default: text]"),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="The same as --format json.")] = False,
    output: Annotated[
        Path | None, typer.Option(metavar="F", help="Also keep the translations here.")
    ] = None,
    decoding: Decoding,
    version: Version = False,
) -> None:
    """Score translations of a test set and compare systems.

    BLEU and chrF, cased and lower-cased, each with its sacreBLEU signature and a 95 % bootstrap
    interval; with --against, p-values of a paired test against the first system. Minimum Bayes risk
    (--mbr), rescoring models and --language-model are for the first system alone, so --against its
    own folder says what they change.
    """
    # Whatever can be refused is refused before anything is translated.
    form = _form(form, as_json)
    config = _config(paired_test, length_edges, tokenize)
    if paired_test is not None and not against:
        raise ConfigError("options: --paired-test compares systems: add --against")
    _check_seed()
    by_length = by_length or length_edges is not None
    if plot is not None:
        _check_plot(plot, by_length or bool(sweep))
    if output is not None:
        finished = [path for path in (translations, *(against or [])) if path and path.is_file()]
        check_output(output, [source, *reference, *finished])
    text = TestText.read(source, reference)
    first = _first_system(text, model, translations, decoding)
    others = [_other_system(text, path, decoding) for path in against or []]
    if not any(isinstance(system, ModelSystem) for system in (first, *others)):
        _refuse_decoding(decoding)
    swept = _swept_systems(first, _sweep_values(sweep or []))
    text = text._replace(words=config.tokenize or _words((first, *others)))

    long = _model(first, "--joined") if joined else None
    parts = joined_parts(text) if joined else []

    outcomes = [system.run(text.source) for system in (first, *others)]
    if output is not None:
        lines = "".join(f"{line}\n" for line in outcomes[0].translations)
        write_atomic(output, compressor(output)(lines.encode()))
    record = evaluation_record(text, outcomes, config.paired_test)
    if by_length:
        record["by_length"] = length_record(text, outcomes, config.length_edges)
    if long is not None:
        record["joined"] = joined_record(text, parts, long, outcomes[0])
    if swept:
        record["sweep"] = sweep_record(text, swept)
    if plot is not None:
        draw(plot, panels(record))
    print(report(record, form))


def main() -> None:
    run(app)


def _form(form: Format | None, as_json: bool) -> Format:
    if as_json and form not in (None, Format.JSON):
        raise ConfigError(f"options: --json and --format {form} contradict each other")
    return Format.JSON if as_json else form or Format.TEXT


def _config(
    paired_test: str | None, length_edges: str | None, tokenize: str | None
) -> EvaluationConfig:
    given: dict[str, Any] = named({"paired_test": paired_test, "tokenize": tokenize})
    if length_edges is not None:
        given["length_edges"] = _numbers("--length-edges", length_edges)
    return parse(EvaluationConfig, given, where="options")


def _check_seed() -> None:
    seed = os.environ.get("SACREBLEU_SEED")
    if seed is not None and not seed.isdecimal() and seed.lower() != "none":
        raise ConfigError(f"SACREBLEU_SEED is a whole number or None (found {seed!r})")


def _check_plot(path: Path, something_to_draw: bool) -> None:
    if not something_to_draw:
        raise ConfigError(
            "options: --plot draws BLEU by length and sweeps: add --by-length or --sweep"
        )
    check_picture(path)


def _first_system(
    text: TestText,
    model: Sequence[Path] | None,
    translations: Path | None,
    decoding: Decoding,
) -> System:
    if translations is None:
        return ModelSystem.load(model or [], decoding)
    if decoding.rerank or decoding.fusion:
        raise ConfigError("options: --translations are finished: there is nothing to choose among")
    if model:
        raise ConfigError("options: --translations takes the place of --model: give one of them")
    return FinishedSystem.read(translations, text.source_path, text.source)


def _refuse_decoding(decoding: Decoding) -> None:
    whole = {**decoding.search, "engine": decoding.engine, "threads": decoding.threads}
    for name, value in named(whole).items():
        option = name.replace("_", "-")
        option = f"--no-{option}" if value is False else f"--{option}"
        raise ConfigError(f"options: --translations are finished: there is nothing for {option}")


def _other_system(text: TestText, path: Path, decoding: Decoding) -> System:
    if (folder := find_model(path)).is_dir():
        return ModelSystem.load([folder], decoding.by_search_alone())
    return FinishedSystem.read(path, text.source_path, text.source)


def _words(systems: Sequence[System]) -> Words:
    """What suits the language of the first model there is; nobody knows that of finished text."""
    models = (system for system in systems if isinstance(system, ModelSystem))
    first = next(models, None)
    return words_of(first.translator.target_language) if first else "13a"


def _sweep_values(given: Sequence[str]) -> dict[str, list[float]]:
    """The values to try, by field of `SearchConfig`."""
    values: dict[str, list[float]] = {}
    for text in given:
        name, equals, listed = text.partition("=")
        if not equals:
            raise ConfigError(f"options: --sweep {text}: expected a name and values, name=1,2")
        field = name.removeprefix("--").replace("-", "_")
        values.setdefault(field, []).extend(_swept_values(f"--sweep {name}", listed))
    return values


def _swept_values(option: str, listed: str) -> list[float]:
    flags = {"true": True, "false": False}
    parts = [part.strip() for part in listed.split(",")]
    if flags.keys() >= set(parts):
        return [flags[part] for part in parts]
    return _numbers(option, listed)


def _swept_systems(first: System, values: dict[str, list[float]]) -> list[ModelSystem]:
    """The first system under every combination of the values."""
    if not values:
        return []
    first = _model(first, "--sweep")
    own = first.translator.search_config.model_dump()
    combinations = itertools.product(*values.values())
    return [
        first.with_search(
            parse(SearchConfig, own | dict(zip(values, each, strict=True)), where="--sweep")
        )
        for each in combinations
    ]


def _model(system: System, option: str) -> ModelSystem:
    if not isinstance(system, ModelSystem):
        raise ConfigError(f"options: {option} needs a model: those --translations are finished")
    return system


def _numbers(option: str, text: str) -> list[float]:
    """Numbers with commas between them; whole ones stay whole."""
    try:
        return [int(part) if part.strip().isdecimal() else float(part) for part in text.split(",")]
    except ValueError as error:
        raise ConfigError(
            f"options: {option}: expected numbers with commas between them (found {text!r})"
        ) from error


if __name__ == "__main__":
    main()
