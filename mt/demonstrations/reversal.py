"""Digit reversal and copying: what fits into the final states of an encoder.

The project's own encoder-decoder, one layer a side and no attention, reads a row of digits and
writes it backwards, or as it is. All that the decoder sees of the digits is the encoder's final h
and c, so the longest row that comes out right shows what states of that size can hold. Reversal is
the easier of the two: what was read last is wanted first, so there is always a short way for the
gradient, which is why Sutskever et al. (2014, 3.3) feed their sources backwards.

Trained by the project's trainer, on rows that grow longer from epoch to epoch (a curriculum;
Zaremba and Sutskever 2014, 3), fresh ones each epoch. Read out by its search, greedily.

Knows the task and its schedule. Does not know how a model is built, trained or searched.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np

from mt.config import ModelConfig, SearchConfig, TrainingConfig
from mt.corpus import Corpus, FilterReport, Sentences
from mt.decoding import SearchTask, decode
from mt.demonstrations.demonstration import Curve, Demonstration, Finding, Picture, Result
from mt.demonstrations.runs import schedule, seeded, train
from mt.demonstrations.workspace import Findings, Workspace
from mt.engine.reference import TorchEngine
from mt.model import Model, Seq2Seq
from mt.tokens import END

Order = Literal["reversed", "copied"]

FIRST_DIGIT = END + 1
VOCABULARY = FIRST_DIGIT + 10
TEST_EPOCH = 2**31
"""Rows of this epoch are never trained on."""

PUBLISHED: Mapping[tuple[Order, int, int], float] = {
    ("reversed", 64, 30): 0.0,
    ("reversed", 128, 30): 0.507,
    ("reversed", 256, 30): 0.899,
    ("copied", 128, 30): 0.014,
}
"""Exact match that has been reported, by order, state size and digits."""


class Plan(NamedTuple):
    cases: Sequence[tuple[Order, int]]
    """Order of the output and size of the states."""
    longest: int
    """Digits of the longest rows trained on."""
    tested: Sequence[int]
    """Lengths of the test rows."""
    test_rows: int
    epoch_rows: int
    growing_epochs: int
    """Epochs until the longest rows come."""
    embedding_size: int
    training: TrainingConfig


def digits(plan: Plan, order: Order, seed: int, epoch: int) -> Corpus:
    """The rows of an epoch, counted from 0: of 1 to so many digits, every length as often."""
    random = np.random.default_rng((seed, epoch))
    longest = longest_at(plan, epoch)
    lengths = 1 + np.arange(plan.epoch_rows) % longest
    return pairs([random.integers(10, size=length) for length in lengths], order)


def longest_at(plan: Plan, epoch: int) -> int:
    """Digits of the longest rows of an epoch: rising evenly over the growing epochs."""
    share = min(1.0, (epoch + 1) / max(1, plan.growing_epochs))
    return max(1, round(share * plan.longest))


def pairs(rows: Sequence[Any], order: Order) -> Corpus:
    """Rows of digits 0 to 9, and what is to become of them, as token ids."""
    sources = [[int(digit) + FIRST_DIGIT for digit in row] for row in rows]
    targets = [source[::-1] if order == "reversed" else source for source in sources]
    count = len(sources)
    report = FilterReport(read=count, kept=count, empty=0, duplicate=0, too_long=0, uneven=0)
    return Corpus(Sentences.of(sources), Sentences.of(targets), report)


def exact_match(model: Model, corpus: Corpus) -> float:
    """The share of rows of which every digit comes out right, and then the end; greedy search."""
    sources = [corpus.source[number].tolist() for number in range(len(corpus))]
    search = SearchConfig(beam_size=1, max_source_pieces=2000)
    found = decode(TorchEngine(model), [SearchTask(source) for source in sources], search)
    right: int = sum(
        list(hypotheses[0].tokens) == corpus.target[number].tolist()
        for number, hypotheses in enumerate(found)
    )
    return float(right / len(found))


def show(plan: Plan, workspace: Workspace) -> Result:
    findings, curves = [], []
    for order, hidden in plan.cases:
        found = workspace.case(
            f"digits-{order}-{hidden}",
            partial(_case, plan, order, hidden, workspace),
        )
        matches: list[float] = found["exact"]
        for length, match in zip(plan.tested, matches, strict=True):
            known = PUBLISHED.get((order, hidden, length))
            unseen = ", longer than any trained on" if length > plan.longest else ""
            findings.append(
                Finding(
                    f"{order}, H = {hidden}, {length} digits{unseen}",
                    "exact match",
                    match,
                    known,
                    "" if known is None else "reported",
                )
            )
        curves.append(Curve(f"{order}, H = {hidden}", plan.tested, matches))
    title = f"digits through the final states (trained on 1 to {plan.longest})"
    return Result(findings, [Picture(title, "digits", "exact match", curves)])


def _case(plan: Plan, order: Order, hidden: int, workspace: Workspace, folder: Path) -> Findings:
    config = seeded(plan.training, workspace)
    trainer, outcome = train(
        config,
        lambda: Seq2Seq(_model_config(plan, hidden), VOCABULARY, VOCABULARY),
        lambda epoch: digits(plan, order, config.seed, epoch),
        _test(plan, order, config.seed, plan.longest),
        workspace,
        folder,
        validate=lambda model: _validation(plan, model, order, config.seed),
        line=partial(_line, order, hidden),
    )
    model = trainer.model.eval()
    with trainer.stepper.averaging.applied():
        exact = [
            exact_match(model, _test(plan, order, config.seed, length)) for length in plan.tested
        ]
    return {"exact": exact, "updates": outcome.update, "seconds": outcome.seconds}


def _test(plan: Plan, order: Order, seed: int, length: int) -> Corpus:
    random = np.random.default_rng((seed, TEST_EPOCH, length))
    return pairs(list(random.integers(10, size=(plan.test_rows, length))), order)


def _validation(plan: Plan, model: Model, order: Order, seed: int) -> Mapping[str, Any]:
    match = exact_match(model, _test(plan, order, seed, plan.longest))
    return {"exact": 100 * match, "signature": f"exact match at {plan.longest} digits"}


def _line(order: Order, hidden: int, record: Mapping[str, Any]) -> str:
    progress = f"{order}, H = {hidden}: {record['event']}, update {record['update']:,}"
    if record["event"] != "validation":
        return progress
    return f"{progress}, exact match {record['exact']:.1f} %"


def _model_config(plan: Plan, hidden: int) -> ModelConfig:
    return ModelConfig(
        embedding_size=plan.embedding_size,
        encoder_hidden_size=hidden,
        encoder_layers=1,
        bidirectional=False,
        decoder_hidden_size=hidden,
        decoder_layers=1,
        bridge="copy",
        context_size=0,
        embedding_dropout=0.0,
        layer_dropout=0.0,
        output_dropout=0.0,
        word_dropout=0.0,
    )


DEMONSTRATION = Demonstration(
    "reversal",
    "The longest row of digits that comes through the encoder's final states, by their size.",
    "Sutskever et al. 2014, 3.3; Cho et al. 2014",
    full=Plan(
        cases=(
            ("reversed", 64),
            ("reversed", 128),
            ("reversed", 256),
            ("copied", 64),
            ("copied", 128),
            ("copied", 256),
        ),
        longest=35,
        tested=(5, 10, 15, 20, 25, 30, 35, 40),
        test_rows=1_000,
        epoch_rows=6_400,
        growing_epochs=60,
        embedding_size=32,
        training=schedule(
            updates=10_000,
            batch_tokens=2048,
            learning_rate=3e-3,
            warmup_updates=100,
            averaging="exponential",
            ema_decay=0.99,
            validate_every=1_000,
            validate_sentences=1_000,
            checkpoint_every=100,
        ),
    ),
    smoke=Plan(
        cases=(("reversed", 32),),
        longest=4,
        tested=(2, 4, 6),
        test_rows=100,
        epoch_rows=800,
        growing_epochs=4,
        embedding_size=16,
        training=schedule(
            updates=300,
            batch_tokens=256,
            learning_rate=1e-2,
            warmup_updates=10,
            averaging="none",
            validate_every=100,
            checkpoint_every=50,
        ),
    ),
    show=show,
)
