import itertools
import json
import math
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch.nn import functional

from mt.config import ModelConfig, TrainingConfig
from mt.corpus import Corpus, FilterReport, Sentences, epoch_batches, make_batch
from mt.errors import TrainingError
from mt.model import Seq2Seq
from mt.tokens import PAD
from mt.training import Trainer
from mt.training.checkpoint import Progress, load_checkpoint
from mt.training.schedule import learning_rate
from mt.training.step import use_bf16

VOCABULARY = 12
LETTERS = range(4, 12)
TIMES = ("seconds", "took", "tokens_per_second")


@pytest.fixture(autouse=True)
def _thread_count():
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


def corpus_of(pairs: Sequence[tuple[Sequence[int], Sequence[int]]]) -> Corpus:
    report = FilterReport(
        read=len(pairs), kept=len(pairs), empty=0, duplicate=0, too_long=0, uneven=0
    )
    source, target = zip(*pairs, strict=True)
    return Corpus(Sentences.of(source), Sentences.of(target), report)


def next_letters() -> Corpus:
    """Every word of one or two letters, to be rewritten in the alphabet's next letters."""
    words = [*itertools.product(LETTERS), *itertools.product(LETTERS, LETTERS)]
    return corpus_of([(word, [4 + (letter - 3) % 8 for letter in word]) for word in words])


def tiny_model(**changes: float) -> Seq2Seq:
    sizes = {
        "embedding_size": 16,
        "encoder_hidden_size": 16,
        "encoder_layers": 1,
        "decoder_hidden_size": 32,
        "decoder_layers": 1,
        "context_size": 0,
        "embedding_dropout": 0.1,
        "layer_dropout": 0.1,
        "output_dropout": 0.1,
        "word_dropout": 0.1,
    }
    return Seq2Seq(ModelConfig(**{**sizes, **changes}), VOCABULARY, VOCABULARY)


class Run:
    """A trainer with scripted validation scores and a note of everything it hands out."""

    def __init__(
        self,
        folder: Path,
        *,
        scores: Sequence[float] = (1.0,),
        model: Seq2Seq | None = None,
        seed: int = 1,
        **options: object,
    ) -> None:
        torch.manual_seed(seed)
        self.published: list[int] = []
        self.reported: list[dict] = []
        self.config = TrainingConfig(
            **{
                "batch_tokens": 60,
                "warmup_updates": 2,
                "precision": "fp32",
                "device": "cpu",
                "validate_every": 1000,
                "checkpoint_every": 1000,
                **options,
            }
        )
        self.trainer = Trainer(
            model or tiny_model(),
            lambda epoch: next_letters(),
            next_letters(),
            self.config,
            folder,
            # Of the update and not of the call, so that a resumed run gets the score it would have.
            validate=lambda model: {
                "bleu": scores[min(self._validations_due(), len(scores)) - 1],
                "signature": "scripted",
            },
            publish=lambda model, record: self.published.append(record["update"]),
            report=lambda record: self.reported.append(dict(record)),
        )

    def _validations_due(self) -> int:
        return math.ceil(self.trainer.progress.update / self.config.validate_every)

    @property
    def weights(self) -> list[torch.Tensor]:
        return [weight.detach().clone() for weight in self.trainer.model.parameters()]

    def lines(self, event: str) -> list[dict]:
        return [record for record in self.reported if record["event"] == event]

    def run_until(self, update: int):
        return self.trainer.run(lambda: self.trainer.progress.update >= update)


def metrics(folder: Path) -> list[dict]:
    text = (folder / "metrics.jsonl").read_text(encoding="utf-8")
    return [json.loads(line) for line in text.splitlines()]


# Updates


def test_a_tiny_task_is_learnt(tmp_path):
    run = Run(
        tmp_path,
        model=tiny_model(word_dropout=0.0),
        updates=150,
        learning_rate=0.02,
        label_smoothing=0.0,
        log_every=10,
    )
    before = run.trainer.validation_nll()
    outcome = run.trainer.run()
    assert (outcome.reason, outcome.update) == ("finished", 150)
    losses = [line["loss"] for line in run.lines("train")]
    assert losses[-1] < losses[7] < losses[0]
    assert before > 2
    assert run.trainer.validation_nll() < 0.1


def test_every_update_takes_the_step_size_of_the_schedule(tmp_path):
    run = Run(tmp_path, updates=6, log_every=1)
    run.trainer.run()
    expected = [learning_rate(update, run.config) for update in range(1, 7)]
    assert [line["learning_rate"] for line in run.lines("train")] == expected
    assert run.trainer.stepper.optimizer.param_groups[0]["lr"] == expected[-1]


def test_a_plateau_schedule_cuts_the_step_size_when_the_validation_loss_stalls(
    tmp_path, monkeypatch
):
    run = Run(
        tmp_path,
        updates=7,
        validate_every=1,
        log_every=1,
        warmup_updates=0,
        learning_rate=0.01,
        schedule="plateau",
        plateau_patience=2,
        plateau_factor=0.1,
        patience=99,
    )
    losses = iter([3.0, 2.0, 2.5, 2.0, 1.0, 1.5, 0.5])  # stalls at the third and fourth
    monkeypatch.setattr(run.trainer, "validation_nll", lambda: next(losses))
    run.trainer.run()
    found = [line["learning_rate"] for line in run.lines("train")]
    assert found == pytest.approx([0.01] * 4 + [0.001] * 3)


def test_what_is_validated_and_kept_is_the_average(tmp_path):
    seen = []
    run = Run(tmp_path, updates=3, learning_rate=0.05, averaging="exponential")
    run.trainer._validate = lambda model: (
        seen.append([p.detach().clone() for p in model.parameters() if p.requires_grad]),
        {"bleu": 1.0, "signature": "scripted"},
    )[1]
    own = [p for p in run.trainer.model.parameters() if p.requires_grad]
    first = [p.detach().clone() for p in own]
    run.trainer.run()
    average = list(run.trainer.stepper.averaging.average().values())
    assert all(map(torch.equal, seen[0], average))
    assert not all(map(torch.equal, first, average))
    assert not all(map(torch.equal, own, average))


def test_gradients_are_scaled_down_to_the_norm_asked_for(tmp_path):
    run = Run(tmp_path, updates=1, clip_norm=0.01)
    run.trainer.run()
    gradients = [p.grad for p in run.trainer.model.parameters() if p.grad is not None]
    assert torch.cat([g.flatten() for g in gradients]).norm().item() == pytest.approx(
        0.01, rel=1e-3
    )
    (line,) = run.lines("train")
    assert line["gradient_norm"] > 0.1
    assert line["clipped"] == 1


def test_parameters_of_the_loss_alone_are_clipped_with_the_others(tmp_path):
    run = Run(tmp_path, updates=1, clip_norm=0.01, bag_of_words=10.0)
    run.trainer.run()
    stepper = run.trainer.stepper
    gradients = [
        parameter.grad.flatten()
        for module in (stepper.model, stepper.objective)
        for parameter in module.parameters()
        if parameter.grad is not None
    ]
    assert torch.cat(gradients).norm().item() == pytest.approx(0.01, rel=1e-3)
    assert stepper.objective.bag_of_words.bias.grad.abs().max() > 0


def test_small_gradients_are_left_as_those_of_the_mean_over_positions(tmp_path):
    model = tiny_model(embedding_dropout=0, layer_dropout=0, output_dropout=0, word_dropout=0)
    first = epoch_batches(next_letters(), 60, seed=1, epoch=0)[0]
    batch = make_batch(next_letters(), first.tolist())
    logits = model.logits(model(batch.source, batch.source_lengths, batch.previous))
    functional.cross_entropy(
        logits.flatten(0, 1), batch.target.T.flatten(), ignore_index=PAD, label_smoothing=0.1
    ).backward()
    expected = {name: p.grad for name, p in model.named_parameters() if p.grad is not None}
    model.zero_grad()

    run = Run(tmp_path, model=model, updates=1, clip_norm=1000.0)
    run.trainer.run()
    for name, parameter in model.named_parameters():
        if name in expected:
            torch.testing.assert_close(parameter.grad, expected[name])
    (line,) = run.lines("train")
    norm = torch.cat([gradient.flatten() for gradient in expected.values()]).norm().item()
    assert line["gradient_norm"] == pytest.approx(norm, rel=1e-4)
    assert line["clipped"] == 0


def test_a_line_of_metrics_is_a_mean_over_all_positions_since_the_last(tmp_path):
    summing = Run(tmp_path, updates=4, log_every=4, decay_from=1.0)
    batches = epoch_batches(next_letters(), 60, seed=1, epoch=0)
    words = [int((next_letters().target.lengths[batch] + 1).sum()) for batch in batches]
    summing.run_until(2)
    window = summing.trainer.progress.window
    assert window["positions"] == words[0] + words[1]
    assert words[0] != words[1]  # or a mean of means would be as good

    writing = Run(tmp_path, updates=3, log_every=2, decay_from=1.0)
    writing.trainer.run()
    first, last = writing.lines("train")
    assert (first["update"], last["update"]) == (2, 3)
    assert first["nll"] == window["nll"] / window["positions"]
    assert first["loss"] == window["loss"] / window["positions"]

    summing.run_until(3)
    rest = {name: value - window[name] for name, value in summing.trainer.progress.window.items()}
    assert last["nll"] == pytest.approx(rest["nll"] / rest["positions"])


def test_every_epoch_draws_its_batches_anew(tmp_path, monkeypatch):
    drawn = []

    def noted(corpus, budget, *, seed, epoch):
        drawn.append((budget, seed, epoch))
        return epoch_batches(corpus, budget, seed=seed, epoch=epoch)

    monkeypatch.setattr("mt.training.loop.epoch_batches", noted)
    Run(tmp_path, updates=10, batch_tokens=60, seed=1).run_until(9)  # an epoch has 4 batches
    assert drawn == [(60, 1, 0), (60, 1, 1), (60, 1, 2)]


def test_the_run_computes_with_the_threads_asked_for(tmp_path):
    run = Run(tmp_path, updates=1, threads=2)
    assert torch.get_num_threads() == 2
    run.trainer.run()
    assert torch.get_num_threads() == 2
    assert run.trainer.environment["threads"] == 2


# A loss that is no number


@pytest.mark.parametrize("poison", [math.nan, math.inf])
def test_a_loss_that_is_no_number_stops_the_run_and_names_the_rate(tmp_path, poison):
    run = Run(tmp_path, updates=9, learning_rate=0.125, checkpoint_every=1, validate_every=3)

    def poisoned() -> bool:
        if run.trainer.progress.update == 2:
            run.trainer.model.output_bias.data[5] = poison
        return False

    with pytest.raises(TrainingError, match=r"^update 3: [^\n]*learning_rate \(0\.125\)[^\n]*$"):
        run.trainer.run(poisoned)
    assert run.published == []
    # What was saved last can be gone on with.
    good = Run(tmp_path, updates=9)
    found = load_checkpoint(
        tmp_path,
        good.trainer.model,
        good.trainer.stepper.optimizer,
        good.trainer.stepper.averaging,
    )
    assert found is not None
    assert found[0].update == 2
    assert all(torch.isfinite(weight).all() for weight in good.weights)


# Loss of a batch and of the validation text


def test_the_loss_of_a_batch_is_the_sum_over_its_pairs_and_counts_no_padding(tmp_path):
    trainer = Run(tmp_path).trainer
    trainer.model.eval()
    pairs = corpus_of([([4], [5]), ([4, 5, 6], [7, 8, 9, 10]), ([6, 7], [11, 4])])
    whole = trainer.stepper.loss(make_batch(pairs, [0, 1, 2]), smoothing=0.1)
    alone = [
        trainer.stepper.loss(make_batch(pairs, [number]), smoothing=0.1) for number in range(3)
    ]
    assert [loss.positions for loss in alone] == [2, 5, 3]  # end tokens included
    assert whole.positions == 10
    for name in ("smoothed", "nll"):
        total = sum(getattr(loss, name).item() for loss in alone)
        assert getattr(whole, name).item() == pytest.approx(total, rel=1e-6)


def test_a_model_that_knows_nothing_has_the_loss_of_a_fair_draw(tmp_path):
    model = tiny_model()
    model.decoder.embedding.weight.data.zero_()  # also the output layer: all logits are zero
    assert Run(tmp_path, model=model).trainer.validation_nll() == pytest.approx(
        math.log(VOCABULARY)
    )


def test_the_validation_loss_does_not_depend_on_the_batches(tmp_path):
    model = tiny_model(output_dropout=0.5)
    found = [
        Run(tmp_path, model=model, batch_tokens=tokens).trainer.validation_nll()
        for tokens in (1, 7, 60, 10_000)
    ]
    assert found == pytest.approx([found[0]] * 4, rel=1e-6)


# Validation, the model kept, the early stop


def test_only_a_better_model_is_published(tmp_path, monkeypatch):
    run = Run(tmp_path, scores=[5.0, 7.0, 7.0, 6.0, 8.0], updates=10, validate_every=2)
    losses = iter([5.0, 4.0, 4.0, 1.0, 3.0])
    monkeypatch.setattr(run.trainer, "validation_nll", lambda: next(losses))
    outcome = run.trainer.run()
    assert run.published == [2, 4, 10]
    assert [line["better"] for line in run.lines("validation")] == [True, True, False, False, True]
    assert (outcome.reason, outcome.best_score, outcome.best_update) == ("finished", 8.0, 10)


def test_of_equal_scores_the_loss_decides(tmp_path, monkeypatch):
    run = Run(tmp_path, scores=[0.0], updates=10, validate_every=2, patience=2)
    losses = iter([5.0, 4.0, 4.5, 3.0, 3.0])  # the fourth is better, the fifth is not
    monkeypatch.setattr(run.trainer, "validation_nll", lambda: next(losses))
    outcome = run.trainer.run()
    assert run.published == [2, 4, 8]
    assert (outcome.reason, outcome.best_score, outcome.best_update) == ("finished", 0.0, 8)


def test_a_first_score_of_zero_is_a_model_too(tmp_path):
    run = Run(tmp_path, scores=[0.0], updates=2)
    run.trainer.run()
    assert run.published == [2]


def test_the_last_update_is_validated_whatever_the_interval(tmp_path):
    run = Run(tmp_path, updates=5, validate_every=3)
    run.trainer.run()
    assert [line["update"] for line in run.lines("validation")] == [3, 5]


def test_patience_counts_validations_in_a_row_without_a_better_score(tmp_path):
    scores = [5.0, 4.0, 6.0, 5.5, 5.0, 9.0]
    run = Run(tmp_path, scores=scores, updates=100, validate_every=1, patience=2)
    outcome = run.trainer.run()
    assert (outcome.reason, outcome.update) == ("early stop", 5)
    assert (outcome.best_score, outcome.best_update) == (6.0, 3)
    assert run.published == [1, 3]


def test_a_run_that_stopped_early_stays_stopped_when_resumed(tmp_path):
    options = {"updates": 100, "validate_every": 1, "patience": 1}
    scores = [2.0, 1.0]
    Run(tmp_path, scores=scores, **options).trainer.run()
    again = Run(tmp_path, scores=scores, **options)
    assert again.trainer.resume()
    outcome = again.trainer.run()
    assert (outcome.reason, outcome.update) == ("early stop", 2)


def test_a_run_that_loses_patience_at_its_last_update_is_finished(tmp_path):
    options = {"updates": 2, "validate_every": 1, "patience": 1}
    assert Run(tmp_path, **options).trainer.run().reason == "finished"
    again = Run(tmp_path, **options)
    assert again.trainer.resume()
    assert again.trainer.run().reason == "finished"


# Stop and resume


def test_a_stop_saves_where_the_run_stands(tmp_path):
    run = Run(tmp_path, updates=9)
    outcome = run.run_until(4)
    assert (outcome.reason, outcome.update, outcome.best_score) == ("stopped", 4, None)
    other = Run(tmp_path, updates=9, seed=2)
    assert other.trainer.resume()
    assert other.trainer.progress == run.trainer.progress
    assert all(map(torch.equal, other.weights, run.weights))


def test_without_a_checkpoint_there_is_nothing_to_resume(tmp_path):
    run = Run(tmp_path, updates=9)
    run.trainer.run(lambda: False)
    (tmp_path / "checkpoint.json").unlink()
    again = Run(tmp_path, updates=9)
    assert not again.trainer.resume()
    assert metrics(tmp_path) == []  # what was lost will be written again


def test_a_changed_environment_is_reported(tmp_path):
    Run(tmp_path, updates=9).run_until(1)
    other = Run(tmp_path, updates=9, threads=2)
    assert other.trainer.resume()
    (line,) = other.lines("resume")
    assert line["changed_environment"] == {"threads": {"was": 1, "is": 2}}


RESUMED = {
    "updates": 17,  # an epoch has 4 batches
    "validate_every": 6,
    "checkpoint_every": 4,
    "log_every": 3,
    "scores": [2.0, 3.0, 1.0],
}


@pytest.fixture(scope="module")
def left_alone(tmp_path_factory):
    folder = tmp_path_factory.mktemp("left_alone")
    run = Run(folder, **RESUMED)
    run.trainer.run()
    return run.weights, metrics(folder), run.trainer.progress, run.published


def test_no_checkpoint_is_written_twice(tmp_path, monkeypatch):
    saved: list[int] = []

    def save(*what: object) -> None:
        saved.append(next(part.update for part in what if isinstance(part, Progress)))

    monkeypatch.setattr("mt.training.loop.save_checkpoint", save)
    Run(tmp_path, updates=8, checkpoint_every=4).trainer.run()
    assert saved == [4, 8]


@pytest.mark.parametrize("interval", [1, 2, 3, 5])
def test_a_run_stopped_again_and_again_ends_bit_for_bit_like_one_left_alone(
    tmp_path, left_alone, interval
):
    weights, lines, progress, published = left_alone
    assert [line["epoch"] for line in lines if line["event"] == "train"][-1] >= 3
    found: list[int] = []
    for part in itertools.count(1):
        run = Run(tmp_path, seed=part, **RESUMED)  # another model each time, which has to go
        assert run.trainer.resume() == (part > 1)
        outcome = run.run_until(part * interval)
        found += run.published
        if outcome.reason == "finished":
            break
    assert all(map(torch.equal, run.weights, weights))
    assert without_times(metrics(tmp_path)) == without_times(lines)
    assert untimed(run.trainer.progress) == untimed(progress)
    assert found == published == [6, 12]


def test_a_run_with_parameters_of_its_own_resumes_bit_for_bit_too(tmp_path):
    options = {"updates": 7, "log_every": 1, "r_drop": 2.0, "bag_of_words": 0.3}
    for folder in ("whole", "parts"):
        (tmp_path / folder).mkdir()
    whole = Run(tmp_path / "whole", **options)
    whole.trainer.run()
    Run(tmp_path / "parts", **options).run_until(3)
    rest = Run(tmp_path / "parts", seed=2, **options)
    assert rest.trainer.resume()
    rest.trainer.run()
    assert all(map(torch.equal, rest.weights, whole.weights))
    lines = without_times(metrics(tmp_path / "whole"))
    assert without_times(metrics(tmp_path / "parts")) == lines
    trained = [line for line in lines if line["event"] == "train"]
    assert all(line["divergence"] > 0 and line["bag_of_words"] > 0 for line in trained)
    assert whole.trainer.stepper.objective.bag_of_words.bias.abs().max() > 0  # from zero: it learns


def test_a_checkpoint_without_the_parameters_of_the_loss_is_refused(tmp_path):
    Run(tmp_path, updates=9).run_until(1)
    with pytest.raises(TrainingError, match="of another shape"):
        Run(tmp_path, updates=9, bag_of_words=0.3).trainer.resume()


def without_times(lines: list[dict]) -> list[dict]:
    return [
        {name: value for name, value in line.items() if name not in TIMES}
        for line in lines
        if line["event"] not in ("stopped", "resume")
    ]


def untimed(progress: Progress) -> Progress:
    return replace(progress, seconds=0.0)


@pytest.mark.parametrize("update", [5, 6, 7, 8, 9, 12, 13])
def test_a_run_killed_after_its_last_checkpoint_goes_back_to_it(tmp_path, left_alone, update):
    weights, lines, progress, _ = left_alone

    def killed() -> bool:
        if run.trainer.progress.update == update:
            raise KeyboardInterrupt
        return False

    run = Run(tmp_path, **RESUMED)
    with pytest.raises(KeyboardInterrupt):
        run.trainer.run(killed)
    run = Run(tmp_path, seed=2, **RESUMED)
    assert run.trainer.resume()
    assert run.trainer.progress.update == update // 4 * 4
    run.trainer.run()
    assert all(map(torch.equal, run.weights, weights))
    assert untimed(run.trainer.progress) == untimed(progress)
    assert without_times(metrics(tmp_path)) == without_times(lines)


# Arithmetic and device


@pytest.mark.parametrize(
    ("precision", "capabilities", "expected"),
    [
        ("auto", {"avx512_bf16": True, "amx_bf16": False}, True),
        ("auto", {"amx_bf16": True}, True),
        ("auto", {"avx512_bf16": False, "amx_bf16": False, "avx2": True}, False),
        ("auto", {}, False),
        ("bf16", {}, True),
        ("fp32", {"avx512_bf16": True}, False),
    ],
)
def test_bf16_on_a_processor_is_taken_where_it_has_it(
    monkeypatch, precision, capabilities, expected
):
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: capabilities)
    assert use_bf16(TrainingConfig(precision=precision), torch.device("cpu")) is expected


@pytest.mark.parametrize("supported", [True, False])
def test_bf16_on_a_gpu_is_taken_where_it_has_it(monkeypatch, supported):
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"avx512_bf16": not supported})
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda: supported)
    assert use_bf16(TrainingConfig(), torch.device("cuda")) is supported


def test_a_run_in_bf16_keeps_its_weights_in_fp32(tmp_path):
    run = Run(tmp_path, updates=2, precision="bf16", log_every=1)
    exact = Run(tmp_path, updates=2, log_every=1)
    run.trainer.run()
    exact.trainer.run()
    assert run.trainer.environment["precision"] == "bf16"
    assert {weight.dtype for weight in run.weights} == {torch.float32}
    rounded, full = run.lines("train")[0]["nll"], exact.lines("train")[0]["nll"]
    assert rounded != full
    assert rounded == pytest.approx(full, rel=0.02)


def test_a_gpu_that_is_not_there_is_refused_by_name(tmp_path, monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(TrainingError, match=r"^training\.device = \"cuda\": [^\n]*$"):
        Run(tmp_path, device="cuda")
    assert Run(tmp_path, device="auto").trainer.stepper.device.type == "cpu"
