import json

import pytest
import torch
from torch import nn

from mt.errors import TrainingError
from mt.system import files
from mt.training import checkpoint
from mt.training.averaging import ExponentialAverage
from mt.training.checkpoint import (
    Progress,
    append_metrics,
    cut_metrics,
    load_checkpoint,
    save_checkpoint,
)

ENVIRONMENT = {"torch": "2.13.0", "threads": 1}
AWKWARD = Progress(
    update=7,
    epoch=2,
    batch=3,
    best_score=0.1 + 0.2,  # 0.30000000000000004: no digit may be lost
    best_update=5,
    failures=1,
    seconds=1e-17,
    window={"nll": 1 / 3, "positions": 12.0},
)


class Killed(BaseException):
    """Stands for a kill: no handler of errors may see it."""


class Trained:
    """A small model and its optimiser after some steps of their own random gradients."""

    def __init__(self, seed: int, *, steps: int, width: int = 3) -> None:
        torch.manual_seed(seed)
        self.model = nn.Sequential(nn.Linear(width, 4), nn.Linear(4, 2))
        self.model[0].bias.requires_grad_(False)  # as the second biases of the fused LSTM are
        self.optimizer = torch.optim.Adam(
            [p for p in self.model.parameters() if p.requires_grad], lr=0.1, fused=True
        )
        self.averaging = ExponentialAverage(self.model, decay=0.5)
        for update in range(1, steps + 1):
            self.step(update)

    def step(self, update: int = 1) -> None:
        self.optimizer.zero_grad()
        self.model(torch.ones(1, self.model[0].in_features)).square().sum().backward()
        self.optimizer.step()
        self.averaging.after_update(update)

    def save(self, folder, progress: Progress) -> None:
        save_checkpoint(folder, self.model, self.optimizer, self.averaging, progress, ENVIRONMENT)

    def load(self, folder) -> Progress:
        found = load_checkpoint(folder, self.model, self.optimizer, self.averaging)
        assert found is not None
        return found[0]

    def everything(self) -> list[torch.Tensor]:
        moments = self.optimizer.state_dict()["state"]
        return [
            *self.model.state_dict().values(),
            *(moments[number][name] for number in sorted(moments) for name in MOMENTS),
            *self.averaging.state().values(),
        ]


MOMENTS = ("step", "exp_avg", "exp_avg_sq")


def same(one: Trained, other: Trained) -> bool:
    pairs = zip(one.everything(), other.everything(), strict=True)
    return all(torch.equal(left, right) for left, right in pairs)


# Save and load


def test_weights_moments_and_progress_come_back_bit_for_bit(tmp_path):
    saved, loaded = Trained(1, steps=3), Trained(2, steps=0)
    saved.save(tmp_path, AWKWARD)
    assert load_checkpoint(tmp_path, loaded.model, loaded.optimizer, loaded.averaging) == (
        AWKWARD,
        ENVIRONMENT,
    )
    assert same(saved, loaded)


def test_the_next_step_is_the_one_an_unbroken_run_would_take(tmp_path):
    saved, loaded = Trained(1, steps=3), Trained(2, steps=0)
    saved.save(tmp_path, AWKWARD)
    loaded.load(tmp_path)
    saved.step()
    loaded.step()
    assert same(saved, loaded)


def test_a_folder_without_checkpoint_is_no_error(tmp_path):
    trained = Trained(1, steps=0)
    assert load_checkpoint(tmp_path, trained.model, trained.optimizer, trained.averaging) is None


def test_a_new_checkpoint_removes_the_old_and_what_a_kill_left(tmp_path):
    trained = Trained(1, steps=1)
    trained.save(tmp_path, Progress(update=1))
    (tmp_path / ".update-00000002.safetensors.123.tmp").write_bytes(b"half")
    (tmp_path / "source.spm").write_bytes(b"not ours")
    trained.save(tmp_path, Progress(update=2))
    assert {path.name for path in tmp_path.iterdir()} == {
        "checkpoint.json",
        "update-00000002.safetensors",
        "source.spm",
    }


# Kills


@pytest.mark.parametrize("wrote", [False, True], ids=["before the move", "after it"])
@pytest.mark.parametrize("call", [1, 2])
def test_a_kill_at_a_write_leaves_a_whole_checkpoint(tmp_path, monkeypatch, call, wrote):
    old, new, loaded = Trained(1, steps=1), Trained(1, steps=2), Trained(2, steps=0)
    old.save(tmp_path, Progress(update=1))
    calls = 0

    def killed_at(path, content):
        nonlocal calls
        calls += 1
        if calls == call and not wrote:
            raise Killed
        write_atomic(path, content)
        if calls == call:
            raise Killed

    write_atomic = files.write_atomic
    with monkeypatch.context() as patch:
        patch.setattr(files, "write_atomic", killed_at)
        patch.setattr(checkpoint, "write_atomic", killed_at)
        with pytest.raises(Killed):
            new.save(tmp_path, Progress(update=2))

    # Only the last move makes the new checkpoint the one that counts.
    expected, update = (new, 2) if (call, wrote) == (2, True) else (old, 1)
    assert loaded.load(tmp_path) == Progress(update=update)
    assert same(loaded, expected)
    new.save(tmp_path, Progress(update=2))
    assert [path.name for path in tmp_path.glob("*update*")] == ["update-00000002.safetensors"]


def test_a_kill_while_old_files_are_removed_leaves_the_new_checkpoint(tmp_path, monkeypatch):
    trained, loaded = Trained(1, steps=1), Trained(2, steps=0)
    trained.save(tmp_path, Progress(update=1))
    trained.step()

    def killed(path, missing_ok=False):
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr("pathlib.Path.unlink", killed)
        with pytest.raises(Killed):
            trained.save(tmp_path, Progress(update=2))
    assert loaded.load(tmp_path) == Progress(update=2)
    assert same(loaded, trained)


# Damage


def damage_tensors(folder):
    path = folder / "update-00000007.safetensors"
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)


def cut_tensors(folder):
    path = folder / "update-00000007.safetensors"
    path.write_bytes(path.read_bytes()[:-10])


def remove_tensors(folder):
    (folder / "update-00000007.safetensors").unlink()


def cut_pointer(folder):
    path = folder / "checkpoint.json"
    path.write_bytes(path.read_bytes()[:-10])


def change_pointer(**changes):
    def change(folder):
        path = folder / "checkpoint.json"
        record = {**json.loads(path.read_bytes()), **changes}
        path.write_text(json.dumps({name: v for name, v in record.items() if v is not None}))

    return change


@pytest.mark.parametrize(
    "damage",
    [
        damage_tensors,
        cut_tensors,
        remove_tensors,
        cut_pointer,
        change_pointer(progress={"update": 7, "moon": "full"}),
        change_pointer(progress={"update": "seven"}),
        change_pointer(environment=None),
        change_pointer(sha256=None),
    ],
)
def test_a_damaged_checkpoint_is_refused_in_one_line(tmp_path, damage):
    trained = Trained(1, steps=1)
    trained.save(tmp_path, AWKWARD)
    damage(tmp_path)
    with pytest.raises(TrainingError) as refused:
        trained.load(tmp_path)
    assert str(tmp_path) in str(refused.value)
    assert "\n" not in str(refused.value)


def test_a_model_of_another_shape_is_refused_in_one_line(tmp_path):
    Trained(1, steps=1).save(tmp_path, AWKWARD)
    with pytest.raises(TrainingError, match=r"^[^\n]*another shape$"):
        Trained(1, steps=0, width=5).load(tmp_path)


# Metrics


def lines(folder) -> list[dict]:
    *whole, rest = (folder / "metrics.jsonl").read_bytes().split(b"\n")
    assert rest == b""
    return [json.loads(line) for line in whole]


def test_metrics_past_an_update_are_cut(tmp_path):
    for update in (0, 1, 2, 2, 3):
        append_metrics(tmp_path, {"update": update, "example": "Müller\u2028\x85\n"})
    cut_metrics(tmp_path, 2)
    assert [line["update"] for line in lines(tmp_path)] == [0, 1, 2, 2]
    assert lines(tmp_path)[0]["example"] == "Müller\u2028\x85\n"


@pytest.mark.parametrize("half", ['{"update": 2, "nl', '{"update": 2}', "{"])
def test_a_last_line_without_its_end_is_cut(tmp_path, half):
    append_metrics(tmp_path, {"update": 1})
    with (tmp_path / "metrics.jsonl").open("a") as file:
        file.write(half)
    cut_metrics(tmp_path, 2)
    append_metrics(tmp_path, {"update": 2})
    assert lines(tmp_path) == [{"update": 1}, {"update": 2}]


@pytest.mark.parametrize("line", [b"{", b"\xff", b"[]", b"{}", b'{"update": "1"}'])
def test_a_damaged_line_within_is_told_and_nothing_is_cut(tmp_path, line):
    metrics = tmp_path / "metrics.jsonl"
    metrics.write_bytes(b'{"update": 1}\n' + line + b'\n{"update": 3}\n')
    before = metrics.read_bytes()
    with pytest.raises(TrainingError, match=rf"^{metrics}, line 2: not a record with an update$"):
        cut_metrics(tmp_path, 2)
    assert metrics.read_bytes() == before


def test_a_run_without_metrics_has_none_to_cut(tmp_path):
    cut_metrics(tmp_path, 2)
    assert list(tmp_path.iterdir()) == []


def test_a_full_disk_is_told_with_the_name_of_the_metrics(tmp_path):
    (tmp_path / "metrics.jsonl").symlink_to("/dev/full")
    with pytest.raises(OSError, match="No space left") as told:
        append_metrics(tmp_path, {"event": "start"})
    assert told.value.filename == str(tmp_path / "metrics.jsonl")
