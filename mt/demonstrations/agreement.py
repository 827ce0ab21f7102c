"""Agreement over a distance: a language model learns which subject a verb or a pronoun goes with.

The project's decoder, without an encoder, reads generated English (`mt.datasets.agreement`), and is
then asked for the form of a verb behind nouns of the other number, and for the pronoun behind a new
subject. No pair of a subject and a word that could mislead was in the text it has read. Then the
unit that carries the answer is looked for, and taken out (`mt.explain.examination`).

Knows the text, the schedule and which figures are shown. Does not know how a model is trained,
asked or probed.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from textwrap import fill
from typing import Any, NamedTuple

from mt.config import ModelConfig, TokenizerConfig, TrainingConfig
from mt.corpus import Corpus, FilterReport, Sentences
from mt.datasets.agreement import CHANGED, Choice, attractors, choices
from mt.demonstrations.demonstration import Curve, Demonstration, Finding, Picture, Result
from mt.demonstrations.runs import schedule, seeded, train
from mt.demonstrations.workspace import Findings, Workspace
from mt.engine.reference import TorchEngine
from mt.explain.agreement import Accuracy, accuracies
from mt.explain.carriers import ELSEWHERE, Carrier
from mt.explain.examination import examine
from mt.language_model import LanguageModel, perplexity
from mt.model import Model, make_model
from mt.tokenizer import Tokenizer, train_tokenizers
from mt.training.checkpoint import METRICS

COURSES = (*map(attractors, range(4)), CHANGED)
"""Cases whose accuracy is followed while the model learns."""


class Plan(NamedTuple):
    train: int
    """Sentences of each case to train on."""
    valid: int
    """Choices of each case, while it learns."""
    test: int
    """Choices of each case, in the end."""
    vocabulary_size: int
    embedding_size: int
    hidden: int
    training: TrainingConfig


def show(plan: Plan, workspace: Workspace) -> Result:
    found = workspace.case("language-model", partial(_case, plan, workspace))
    findings = [
        Finding(
            f"{kind}, {case}",
            "right form preferred",
            right / total,
            majority,
            f"always one form; 95 % interval {low:.3f} to {high:.3f}",
        )
        for kind, case, right, total, majority, low, high in found["accuracies"]
    ]
    for carrier in found["carriers"]:
        findings += _of_carrier(carrier)
    return Result(findings, [_learned(found), *map(_gate, found["carriers"])])


def _of_carrier(carrier: Mapping[str, Any]) -> list[Finding]:
    case = f"{carrier['kind']}, unit {carrier['unit']} of layer {carrier['layer']}"
    gates = {each["where"]: each["mean"] for each in carrier["forgetting"]}
    elsewhere = gates.pop(ELSEWHERE)
    whole = carrier["whole"]
    return [
        Finding(case, "its cell tells the right form", carrier["accuracy"], 0.5, "a guess"),
        Finding(case, "right form preferred without it", carrier["ablated"], whole, "with it"),
        Finding(case, "choices that change without it", carrier["changed"]),
        *(
            Finding(case, f"its forget gate {where}", mean, elsewhere, ELSEWHERE)
            for where, mean in gates.items()
        ),
    ]


def _learned(found: Findings) -> Picture:
    curves = [Curve(case, found["updates"], shares) for case, shares in found["courses"].items()]
    return Picture("agreement while it is learned", "updates", "right form preferred", curves)


def _gate(carrier: Mapping[str, Any]) -> Picture:
    """The unit through one sentence."""
    example = carrier["example"]
    text = "".join(example["pieces"]).replace("▁", " ").strip()
    steps = range(1, len(example["pieces"]) + 1)
    curves = [Curve("forget gate", steps, example["forget"]), Curve("cell", steps, example["cell"])]
    title = f"the unit of the {carrier['kind']}: {carrier['unit']}"
    return Picture(title, "pieces: " + fill(text, 60), "", curves)


def _case(plan: Plan, workspace: Workspace, folder: Path) -> Findings:
    config = seeded(plan.training, workspace)
    lines = [choice.text for choice in choices("train", workspace.seed, plan.train)]
    tokenizer = _tokenizer(plan, lines, config.seed)
    valid = choices("valid", workspace.seed, plan.valid)
    trainer, _ = train(
        config,
        lambda: make_model(_model_config(plan), len(tokenizer), len(tokenizer)),
        lambda epoch: _corpus(tokenizer, lines),
        _corpus(tokenizer, [choice.text for choice in valid]),
        workspace,
        folder,
        validate=lambda model: _validation(model, tokenizer, valid),
        line=_line,
    )
    model, test = trainer.model.eval(), choices("test", workspace.seed, plan.test)
    with trainer.stepper.averaging.applied():
        found = examine(model, tokenizer, test)
    return _course(folder) | {
        "accuracies": [[*_counts(each), *each.interval] for each in found.accuracies],
        "carriers": [_plain(carrier) for carrier in found.carriers],
    }


def _tokenizer(plan: Plan, lines: Sequence[str], seed: int) -> Tokenizer:
    config = TokenizerConfig(
        joint=True, vocabulary_size=plan.vocabulary_size, character_coverage=1.0
    )
    return train_tokenizers(lines, [], config, seed=seed).target


def _corpus(tokenizer: Tokenizer, lines: Sequence[str]) -> Corpus:
    """A language model's text stands on both sides."""
    sentences, count = Sentences.of(tokenizer.encode(lines)), len(lines)
    report = FilterReport(read=count, kept=count, empty=0, duplicate=0, too_long=0, uneven=0)
    return Corpus(sentences, sentences, report)


def _validation(model: Model, tokenizer: Tokenizer, valid: Sequence[Choice]) -> Mapping[str, Any]:
    scorer = LanguageModel(TorchEngine(model), tokenizer, name="agreement", language="en")
    found = perplexity(scorer.score([choice.text for choice in valid]))
    followed = [choice for choice in valid if choice.case in COURSES]
    shares = {each.case: each.share for each in accuracies(scorer, followed)}
    return {"perplexity": found.piece, "signature": found.signature, "shares": shares}


def _course(folder: Path) -> Findings:
    """The shares of right forms at each validation, as the run's metrics have them."""
    events = map(json.loads, (folder / METRICS).read_bytes().splitlines())
    validations = [event for event in events if event["event"] == "validation"]
    return {
        "updates": [event["update"] for event in validations],
        "courses": {case: [event["shares"][case] for event in validations] for case in COURSES},
    }


def _counts(accuracy: Accuracy) -> tuple[str, str, int, int, float]:
    return accuracy.kind, accuracy.case, accuracy.right, accuracy.total, accuracy.majority


def _plain(carrier: Carrier) -> dict[str, Any]:
    return carrier._asdict() | {
        "forgetting": [each._asdict() for each in carrier.forgetting],
        "example": carrier.example._asdict(),
    }


def _line(record: Mapping[str, Any]) -> str:
    progress = f"{record['event']}, update {record['update']:,}"
    if record["event"] != "validation":
        return progress
    shares = ", ".join(f"{case} {share:.1%}" for case, share in record["shares"].items())
    return f"{progress}: {shares}"


def _model_config(plan: Plan) -> ModelConfig:
    return ModelConfig(
        embedding_size=plan.embedding_size,
        encoder_layers=0,
        context_size=0,
        decoder_hidden_size=plan.hidden,
        decoder_layers=1,
        embedding_dropout=0.1,
        output_dropout=0.2,
        word_dropout=0.0,
    )


DEMONSTRATION = Demonstration(
    "agreement",
    "Verbs and pronouns that agree with a subject far away, and the unit that remembers it.",
    "Linzen et al. 2016; Lakretz et al. 2019",
    full=Plan(
        train=2400,
        valid=100,
        test=400,
        vocabulary_size=400,
        embedding_size=64,
        hidden=128,
        training=schedule(
            updates=8_000,
            batch_tokens=2048,
            learning_rate=3e-3,
            warmup_updates=100,
            averaging="exponential",
            ema_decay=0.99,
            validate_every=400,
            checkpoint_every=200,
        ),
    ),
    smoke=Plan(
        train=400,
        valid=20,
        test=40,
        vocabulary_size=350,
        embedding_size=32,
        hidden=32,
        training=schedule(
            updates=200,
            batch_tokens=1024,
            learning_rate=1e-2,
            warmup_updates=10,
            averaging="none",
            validate_every=50,
            checkpoint_every=100,
        ),
    ),
    show=show,
)
