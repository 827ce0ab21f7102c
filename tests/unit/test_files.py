"""A file is written whole or not at all, whatever fails on the way."""

from __future__ import annotations

import json
import os
import stat
from pathlib import Path

import pytest

from mt.system.files import remove_leftovers, settle, sha256, write_atomic, write_json


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "weights.bin"
    path.write_bytes(b"old")
    return path


def fail_at_call(number: int, error: BaseException):
    """A stand-in for a system call that does nothing but fail when called that often."""
    calls = iter(range(1, number + 1))

    def stand_in(*arguments):
        if next(calls) == number:
            raise error

    return stand_in


def test_a_file_is_replaced(path):
    write_atomic(path, b"new")
    assert path.read_bytes() == b"new"
    assert os.listdir(path.parent) == ["weights.bin"]


def test_a_file_is_made(tmp_path):
    write_atomic(tmp_path / "new.bin", b"\x00\n\xff")
    assert (tmp_path / "new.bin").read_bytes() == b"\x00\n\xff"


def test_a_link_goes_on_pointing_to_the_file(path):
    link = path.with_name("link.bin")
    link.symlink_to(path.name)
    write_atomic(link, b"new")
    assert link.is_symlink()
    assert path.read_bytes() == b"new"


def test_what_is_no_file_is_not_replaced(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "folder").mkdir()
    (tmp_path / "link").symlink_to("pipe")
    before = sorted(os.listdir(tmp_path))
    for name, said in (
        ("pipe", "not a regular"),
        ("link", "not a regular"),
        ("folder", "Is a dir"),
    ):
        with pytest.raises(OSError, match=said):
            write_atomic(tmp_path / name, b"new")
    assert sorted(os.listdir(tmp_path)) == before
    assert (tmp_path / "pipe").is_fifo()


def test_a_missing_folder_is_told_by_the_name_that_was_asked_for(tmp_path):
    with pytest.raises(FileNotFoundError) as told:
        write_atomic(tmp_path / "absent" / "new.bin", b"new")
    assert told.value.filename == str(tmp_path / "absent" / "new.bin")


def test_the_content_is_on_the_disk_before_the_name_moves(path, monkeypatch):
    steps = []
    replace, fsync = os.replace, os.fsync

    def noted_fsync(descriptor: int) -> None:
        fsync(descriptor)
        status = os.fstat(descriptor)
        steps.append(("flush", "folder" if stat.S_ISDIR(status.st_mode) else status.st_size))

    def noted_replace(source: Path, target: Path) -> None:
        steps.append(("move", target.read_bytes()))
        replace(source, target)

    monkeypatch.setattr(os, "fsync", noted_fsync)
    monkeypatch.setattr(os, "replace", noted_replace)
    write_atomic(path, b"new")
    assert steps == [("flush", len(b"new")), ("move", b"old"), ("flush", "folder")]


@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), KeyboardInterrupt()])
@pytest.mark.parametrize("call", ["fsync", "replace"])
def test_the_old_file_stays_when_a_step_fails(path, monkeypatch, call, error):
    monkeypatch.setattr(os, call, fail_at_call(1, error))
    with pytest.raises(type(error)):
        write_atomic(path, b"new")
    assert path.read_bytes() == b"old"
    assert os.listdir(path.parent) == ["weights.bin"]


def test_the_old_file_stays_when_the_content_cannot_be_written(path):
    with pytest.raises(TypeError):
        write_atomic(path, "not bytes")
    assert path.read_bytes() == b"old"
    assert os.listdir(path.parent) == ["weights.bin"]


def test_the_new_file_is_whole_when_only_the_flush_of_the_folder_fails(path, monkeypatch):
    monkeypatch.setattr(os, "fsync", fail_at_call(2, OSError(5, "Input/output error")))
    with pytest.raises(OSError, match="Input/output error"):
        write_atomic(path, b"new")
    assert path.read_bytes() == b"new"
    assert os.listdir(path.parent) == ["weights.bin"]


def test_a_full_disk_is_told_with_the_file_that_found_no_room(path, monkeypatch):
    monkeypatch.setattr(os, "fsync", fail_at_call(1, OSError(28, "No space left on device")))
    with pytest.raises(OSError, match="No space left on device") as caught:
        write_atomic(path, b"new")
    assert caught.value.filename == str(path)


def test_what_a_killed_write_left_is_removed_and_nothing_else(path):
    for name in (".weights.bin.4711.tmp", ".a.b.json.1.tmp"):
        (path.parent / name).write_bytes(b"half")
    kept = ["weights.bin", ".hidden", ".weights.bin.tmp", "weights.bin.4711.tmp", "..1.tmp2"]
    for name in kept[1:]:
        (path.parent / name).write_bytes(b"not ours")
    remove_leftovers(path.parent)
    assert sorted(os.listdir(path.parent)) == sorted(kept)


def test_a_finished_file_takes_the_place_of_another(path):
    finished = path.with_name("weights.bin.part")
    finished.write_bytes(b"new")
    settle(finished, path)
    assert path.read_bytes() == b"new"
    assert os.listdir(path.parent) == ["weights.bin"]


def test_a_missing_folder_is_an_error(tmp_path):
    with pytest.raises(FileNotFoundError):
        write_atomic(tmp_path / "nowhere" / "file", b"")


def test_json_is_indented_readable_and_ends_its_last_line(tmp_path):
    write_json(tmp_path / "a.json", {"name": "grün", "sizes": [1]})
    text = (tmp_path / "a.json").read_text(encoding="utf-8")
    assert text == '{\n  "name": "grün",\n  "sizes": [\n    1\n  ]\n}\n'
    assert json.loads(text) == {"name": "grün", "sizes": [1]}


@pytest.mark.parametrize("value", [float("nan"), float("inf"), "\ud800", {1j}])
def test_what_json_cannot_hold_is_refused_and_the_old_file_stays(path, value):
    with pytest.raises((ValueError, TypeError)):
        write_json(path, {"bleu": value})
    assert path.read_bytes() == b"old"
    assert os.listdir(path.parent) == ["weights.bin"]


def test_sha256_is_the_published_one():
    # FIPS 180-2, appendix B.1
    assert sha256(b"abc") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
