"""What each part of the cell is worth: German to English with one part at a time taken away.

A gate is held open (`clamping`), so that the fused path stays; the other changes are options of the
model (`mt.lstm.variants`).
All runs share text, tokenizers and everything else of the recipe, whose training is cut to a few
short epochs: what counts is the change in BLEU, not the BLEU.

The change is the mean over seeds of the difference to the standard cell of the same seed; its 95 %
interval is Student's t, which says how far another draw of seeds could move it. Greff et al. (2017)
found forget gate and output activation to matter most, coupled gates and no peepholes to cost
nothing.

Knows which parts there are. Does not know how a model is trained or scored.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from mt.config import DataConfig, ModelConfig, Recipe, TokenizerConfig, TrainingConfig
from mt.corpus import read_pairs
from mt.demonstrations.ablated import train_and_score
from mt.demonstrations.clamping import clamp_open
from mt.demonstrations.demonstration import Curve, Demonstration, Finding, Picture, Result
from mt.demonstrations.workspace import Findings, Workspace
from mt.errors import ConfigError

STANDARD = "standard"

TRAIN, VALID, TEST = "train", "valid", "test_2016_flickr"
STUDENT = {1: 12.706, 2: 4.303, 3: 3.182, 4: 2.776, 5: 2.571}
"""Student's t at 97.5 %, by degrees of freedom."""


class Ablation(NamedTuple):
    """One change to the cell."""

    name: str
    clamped: str = ""
    """The gate held open, if one is."""
    options: Mapping[str, bool] = {}
    """Fields of `ModelConfig` that differ."""


ABLATIONS = (
    Ablation("input gate open", clamped="input"),
    Ablation("forget gate open", clamped="forget"),
    Ablation("output gate open", clamped="output"),
    Ablation("no output tanh", options={"output_tanh": False}),
    Ablation("coupled gates", options={"coupled_gates": True}),
    Ablation(
        "coupled gates, no output tanh", options={"coupled_gates": True, "output_tanh": False}
    ),
    Ablation("peepholes", options={"peepholes": True}),
    Ablation("layer norm", options={"layer_norm": True}),
)


class Plan(NamedTuple):
    ablations: Sequence[Ablation]
    runs: int
    """Seeds of each, at least 2."""
    hidden: int
    epochs: int
    epoch_updates: int
    """Updates of a short epoch."""
    batch_tokens: int
    vocabulary_size: int
    test_lines: int | None
    """Only the first lines of the test text; all if None."""


def change(scores: Sequence[float], standard: Sequence[float]) -> tuple[float, float]:
    """The mean difference of pairs of scores, and the half-width of its 95 % interval."""
    differences = [ours - theirs for ours, theirs in zip(scores, standard, strict=True)]
    count = len(differences)
    half = STUDENT[count - 1] * statistics.stdev(differences) / math.sqrt(count)
    return statistics.fmean(differences), half


def show(plan: Plan, workspace: Workspace) -> Result:
    """
    Raises:
        ConfigError: there is no folder of text, or a text is missing in it.
    """
    texts = _texts(workspace.data)
    seeds = range(workspace.seed, workspace.seed + plan.runs)
    scores = {
        ablation.name: [
            workspace.case(
                f"{ablation.name.replace(', ', ' ').replace(' ', '-')}-seed-{seed}",
                partial(_case, plan, ablation, seed, texts, workspace),
            )
            for seed in seeds
        ]
        for ablation in (Ablation(STANDARD), *plan.ablations)
    }
    return Result(_findings(scores), [_picture(plan, scores)])


def _findings(scores: Mapping[str, Sequence[Findings]]) -> list[Finding]:
    test = {name: [run["test"] for run in runs] for name, runs in scores.items()}
    signature = scores[STANDARD][0]["signature"]
    findings = [Finding(STANDARD, f"BLEU, {signature}", statistics.fmean(test[STANDARD]))]
    for name, values in test.items():
        if name != STANDARD:
            mean, half = change(values, test[STANDARD])
            source = f"no change; 95 % interval {mean - half:+.2f} to {mean + half:+.2f}"
            findings.append(Finding(name, "change in BLEU", mean, 0.0, source))
    return findings


def _picture(plan: Plan, scores: Mapping[str, Sequence[Findings]]) -> Picture:
    epochs = range(1, plan.epochs + 1)
    curves = []
    for name, runs in scores.items():
        courses = zip(*(run["validation"] for run in runs), strict=True)
        curves.append(Curve(name, epochs, [statistics.fmean(values) for values in courses]))
    return Picture("validation BLEU, mean over seeds", "short epochs", "BLEU", curves)


def _texts(data: Path | None) -> dict[str, Path]:
    if data is None:
        raise ConfigError("ablations need --data: a folder that holds multi30k (see mt-download)")
    texts = {
        f"{part}.{language}": data / "multi30k" / f"{part}.{language}.xz"
        for part in (TRAIN, VALID, TEST)
        for language in ("de", "en")
    }
    for path in texts.values():
        if not path.is_file():
            raise ConfigError(f"{path}: there is no such file: mt-download multi30k makes it")
    return texts


def _case(
    plan: Plan,
    ablation: Ablation,
    seed: int,
    texts: Mapping[str, Path],
    workspace: Workspace,
    folder: Path,
) -> Findings:
    def report(record: Mapping[str, Any]) -> None:
        if record["event"] == "validation":
            workspace.report(f"{ablation.name}, seed {seed}: BLEU {record['bleu']:.2f}")

    return train_and_score(
        _recipe(plan, ablation, seed, texts, workspace),
        lambda model: clamp_open(model, ablation.clamped) if ablation.clamped else None,
        _test_text(plan, texts),
        folder,
        report,
    )


def _test_text(plan: Plan, texts: Mapping[str, Path]) -> tuple[list[str], list[str]]:
    source, target = read_pairs([texts[f"{TEST}.de"]], [texts[f"{TEST}.en"]])
    return source[: plan.test_lines], target[: plan.test_lines]


def _recipe(
    plan: Plan, ablation: Ablation, seed: int, texts: Mapping[str, Path], workspace: Workspace
) -> Recipe:
    updates = plan.epochs * plan.epoch_updates
    return Recipe(
        name="ablation",
        data=DataConfig(
            source_language="de",
            target_language="en",
            train_source=(texts[f"{TRAIN}.de"],),
            train_target=(texts[f"{TRAIN}.en"],),
            valid_source=texts[f"{VALID}.de"],
            valid_target=texts[f"{VALID}.en"],
            # Tokenised once for all runs.
            prepared=workspace.folder / "text",
        ),
        tokenizer=TokenizerConfig(vocabulary_size=plan.vocabulary_size),
        model=_model(plan, ablation),
        training=TrainingConfig(
            updates=updates,
            batch_tokens=plan.batch_tokens,
            warmup_updates=min(100, updates // 4),
            averaging="none",
            seed=seed,
            threads=workspace.threads,
            precision="auto",  # bf16 where the processor has it: half the time
            device="cpu",
            validate_every=plan.epoch_updates,
            validate_sentences=200,
            patience=plan.epochs + 1,
            checkpoint_every=plan.epoch_updates,
        ),
    )


def _model(plan: Plan, ablation: Ablation) -> ModelConfig:
    sizes = {
        "embedding_size": plan.hidden,
        "encoder_hidden_size": plan.hidden,
        "encoder_layers": 1,
        "decoder_hidden_size": plan.hidden,
        "decoder_layers": 1,
        "context_size": plan.hidden,
    }
    return ModelConfig.model_validate(sizes | dict(ablation.options))


DEMONSTRATION = Demonstration(
    "ablations",
    "What each gate, the output tanh, peepholes and layer normalisation are worth in BLEU.",
    "Greff et al. 2017",
    full=Plan(
        ablations=ABLATIONS,
        runs=3,
        hidden=256,
        epochs=8,
        epoch_updates=75,
        batch_tokens=2048,
        vocabulary_size=4000,
        test_lines=None,
    ),
    smoke=Plan(
        ablations=(ABLATIONS[0], ABLATIONS[3]),
        runs=2,
        hidden=32,
        epochs=2,
        epoch_updates=5,
        batch_tokens=512,
        vocabulary_size=1000,
        test_lines=50,
    ),
    show=show,
    check=lambda workspace: _texts(workspace.data),
)
