"""An unfinished output is never lost, never mixed up and never taken for a finished one."""

from __future__ import annotations

import errno
import gzip
import json
import os
from contextlib import suppress
from pathlib import Path

import pytest

from mt.errors import InputError, JobError
from mt.jobs import open_part
from support.faults import Fault, fault_at
from support.jobs import Shouter, shout

LINES = [f"line {number}\n" for number in range(7)]
SHOUTED = "".join(LINES).upper().encode()


class Stopped(BaseException):
    """Ends a job from outside, as Ctrl-C does."""


class StoppingShouter(Shouter):
    """Is stopped when it comes to a certain text."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.text = text

    def translate(self, texts, *, alternatives=0):
        if self.text in texts:
            raise Stopped
        return super().translate(texts, alternatives=alternatives)


@pytest.fixture
def source(tmp_path: Path) -> Path:
    path = tmp_path / "in.de"
    path.write_text("".join(LINES), encoding="utf-8")
    return path


@pytest.fixture
def output(tmp_path: Path) -> Path:
    folder = tmp_path / "out"
    folder.mkdir()
    return folder / "out.en"


def stop(source: Path, output: Path, at: int = 5, **options) -> None:
    """Leave a part in which the chunks before the one with line `at` are done."""
    with pytest.raises(Stopped):
        shout(source, output, translator=StoppingShouter(f"line {at}"), **options)


def names(output: Path) -> list[str]:
    return sorted(path.name for path in output.parent.iterdir())


def test_a_finished_job_leaves_its_output_alone(source, output):
    shout(source, output)
    assert output.read_bytes() == SHOUTED
    assert names(output) == ["out.en"]


def test_a_stopped_job_keeps_what_it_has_and_goes_on_there(source, output):
    stop(source, output)
    assert names(output) == ["out.en.part", "out.en.part.json"]
    assert (output.parent / "out.en.part").read_bytes() == SHOUTED[: len("line 0\n") * 4]
    shouter = Shouter()
    done = shout(source, output, resume=True, translator=shouter)
    assert shouter.calls == [["line 4", "line 5"], ["line 6"]]
    assert done.lines == 7
    assert output.read_bytes() == SHOUTED
    assert names(output) == ["out.en"]


def test_a_job_stopped_before_a_chunk_was_done_leaves_nothing(source, output):
    stop(source, output, at=1)
    assert names(output) == []


def test_resume_begins_where_there_is_nothing_to_go_on_with(source, output):
    shout(source, output, resume=True)
    assert output.read_bytes() == SHOUTED


def test_an_earlier_output_stays_until_the_new_one_is_whole(source, output):
    output.write_bytes(b"old")
    stop(source, output)
    assert output.read_bytes() == b"old"
    shout(source, output, resume=True)
    assert output.read_bytes() == SHOUTED


def test_flags_are_counted_over_all_parts_of_a_job(source, output):
    source.write_text("a?\nb\nc?\nd?\ne?\nf!\ng\n", encoding="utf-8")
    with pytest.raises(Stopped):
        shout(source, output, translator=StoppingShouter("e?"))
    done = shout(source, output, resume=True)
    assert {name: (f.lines, f.first) for name, f in done.flagged.items()} == {
        "question": (4, (1, 3, 4)),
        "loud": (1, (6,)),
    }


def test_what_is_behind_a_link_is_compressed_by_the_name_of_the_link(source, tmp_path):
    link, blob = tmp_path / "out.en.gz", tmp_path / "blob"
    link.symlink_to(blob)
    shout(source, link)
    assert gzip.decompress(blob.read_bytes()) == SHOUTED
    assert link.is_symlink()


def test_a_record_with_more_than_this_version_knows_is_refused(source, output):
    stop(source, output)
    record = output.with_name("out.en.part.json")
    content = json.loads(record.read_bytes())
    content["progress"]["flagged"] = {"question": {"lines": 1, "first": [1], "why": 2}}
    record.write_text(json.dumps(content), encoding="utf-8")
    with pytest.raises(JobError, match=r"out\.en\.part\.json.*unknown key .*why"):
        shout(source, output, resume=True)


def test_an_unfinished_output_is_not_overwritten(source, output):
    stop(source, output)
    with pytest.raises(JobError, match=r"out\.en\.part holds the first 4 lines .* add --resume"):
        shout(source, output)
    shout(source, output, resume=True)


def test_a_part_of_somebody_else_is_left_alone(source, output):
    part = output.with_name("out.en.part")
    part.write_bytes(b"half a download")
    for resume in (False, True):
        with pytest.raises(JobError, match=r"has no record out\.en\.part\.json"):
            shout(source, output, resume=resume)
    assert part.read_bytes() == b"half a download"


def test_a_record_whose_part_is_gone_does_not_stand_in_the_way(source, output):
    stop(source, output)
    output.with_name("out.en.part").unlink()
    with pytest.raises(JobError, match="remove both to begin again"):
        shout(source, output, resume=True)
    assert names(output) == ["out.en.part.json"]
    shout(source, output)
    assert output.read_bytes() == SHOUTED
    assert names(output) == ["out.en"]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"search": {"beam_size": 3}}, "begun with search.beam_size = 5, which is now 3"),
        ({"search": {"beam_size": 5, "top_k": 2}}, "search.top_k = None, which is now 2"),
        ({}, "begun with search = {'beam_size': 5}, which is now None"),
    ],
)
def test_other_settings_are_refused_by_name(source, output, settings, message):
    stop(source, output, settings={"search": {"beam_size": 5}})
    with pytest.raises(JobError) as caught:
        shout(source, output, resume=True, settings=settings)
    assert message in str(caught.value)


def test_another_environment_is_told(source, output):
    stop(source, output)
    with open_part(output, {}, {"threads": 2, "torch": "2"}, resume=True) as part:
        assert part.changes == {"threads": "1 -> 2", "torch": "None -> 2"}
    with open_part(output, {}, {"threads": 1}, resume=True) as part:
        assert part.changes == {}


@pytest.mark.parametrize(
    ("old", "new"), [("line 0", "line X"), ("line 3\n", "line 3\r\n"), ("line 1\n", "")]
)
def test_an_input_edited_where_it_was_translated_is_refused(source, output, old, new):
    stop(source, output)
    source.write_text("".join(LINES).replace(old, new), encoding="utf-8")
    with pytest.raises(JobError, match=r"in\.de: its first 4 lines are not those"):
        shout(source, output, resume=True)
    source.write_text("".join(LINES), encoding="utf-8")
    shout(source, output, resume=True)
    assert output.read_bytes() == SHOUTED


def test_an_input_may_be_mended_behind_what_was_translated(source, output):
    source.write_bytes("".join(LINES[:5]).encode() + b"gr\xfcn\n")
    with pytest.raises(InputError, match="line 6: not UTF-8"):
        shout(source, output)
    source.write_text("".join(LINES[:5]) + "grün\n", encoding="utf-8")
    shout(source, output, resume=True)
    assert output.read_text(encoding="utf-8") == "".join(LINES[:5]).upper() + "GRÜN\n"


@pytest.mark.parametrize("changed", [b"", b"LINE X\n", b"LINE 0\nLINE 1\nLINE 2\nLINE 4\n"])
def test_a_part_that_was_changed_is_refused(source, output, changed):
    stop(source, output)
    output.with_name("out.en.part").write_bytes(changed)
    with pytest.raises(JobError, match="are not those that"):
        shout(source, output, resume=True)


@pytest.mark.parametrize(
    "content", [b"", b"{", b"[]", b"[" * 100_000, b'{"format": 2}', b'{"format": 1}', b"\xff"]
)
def test_a_record_that_cannot_be_read_is_refused(source, output, content):
    stop(source, output)
    output.with_name("out.en.part.json").write_bytes(content)
    for resume in (False, True):
        with pytest.raises(JobError, match="not a record of a job"):
            shout(source, output, resume=resume)
    assert output.with_name("out.en.part").read_bytes()


def test_two_jobs_do_not_write_one_output(source, output):
    with open_part(output, {}, {}, resume=False) as part:
        part.write(b"first\n")
        with pytest.raises(JobError, match="is being written by another process"):
            shout(source, output, resume=True)
        part.finish()
    assert output.read_bytes() == b"first\n"


def test_a_part_that_another_job_has_just_finished_is_not_written_to(source, output, monkeypatch):
    def finish_elsewhere(file, operation):
        output.with_name("out.en.part").rename(output)

    monkeypatch.setattr("fcntl.flock", finish_elsewhere)  # between opening it and having it
    with pytest.raises(JobError, match="is being written by another process"):
        shout(source, output)
    assert output.read_bytes() == b""


def test_an_output_that_is_no_file_is_refused_at_once(source, tmp_path):
    with pytest.raises(JobError, match="not a regular file"):
        shout(source, tmp_path)
    with pytest.raises(JobError, match="not a regular file"):
        shout(source, Path(os.devnull))


@pytest.mark.parametrize("suffix", ["", ".gz"])
def test_no_line_is_an_empty_text(tmp_path, output, suffix):
    (tmp_path / "none").write_bytes(b"")
    output = output.with_name(f"out{suffix}")
    shout(tmp_path / "none", output)
    written = output.read_bytes()
    assert bool(written) == bool(suffix)  # no bytes are no gzip file
    assert gzip.decompress(written) == b""
    assert names(output) == [output.name]


def test_a_promise_is_kept_before_it_is_made(source, output, monkeypatch):
    """What a record speaks of is on the disk before the record takes its place."""
    part, on_disk, fsync, replace = output.with_name("out.en.part"), [0], os.fsync, os.replace

    def noted_fsync(descriptor: int) -> None:
        fsync(descriptor)
        if os.path.samestat(os.fstat(descriptor), part.stat()):
            on_disk[0] = part.stat().st_size

    def checked_replace(old: Path, new: Path) -> None:
        if new.name == "out.en.part.json":
            assert json.loads(old.read_bytes())["size"] <= on_disk[0]
        replace(old, new)

    monkeypatch.setattr(os, "fsync", noted_fsync)
    monkeypatch.setattr(os, "replace", checked_replace)
    stop(source, output)
    assert on_disk[0] == len("line 0\n") * 4


@pytest.mark.parametrize("suffix", ["", ".xz"])
@pytest.mark.parametrize("kind", ["full", "killed"])
def test_whatever_step_fails_the_job_goes_on_to_the_same_output(
    source, output, monkeypatch, kind, suffix
):
    output = output.with_name(f"out.en{suffix}")
    shout(source, output)
    expected = output.read_bytes()
    output.unlink()
    steps = 0
    while True:
        steps += 1
        with fault_at(steps, kind) as fault, monkeypatch.context() as patch:
            patch.setattr(os, "write", failing_write(fault))
            with suppress(JobError):
                shout(source, output, resume=True)
        if not fault.happened:
            break
        # The first attempt wrote this far; the second finds it and goes on.
        shout(source, output, resume=True)
        assert output.read_bytes() == expected, f"step {steps}"
        assert names(output) == [output.name], f"step {steps}"
        output.unlink()
    # Of each chunk a write, its flush, and three steps of the record.
    assert steps > 3 * 5


def test_many_faults_in_a_row_lose_nothing(source, output, monkeypatch):
    for step in range(1, 30):
        with fault_at(step, "killed") as fault, monkeypatch.context() as patch:
            patch.setattr(os, "write", failing_write(fault))
            shout(source, output, resume=True)
        if not fault.happened:
            break
    assert output.read_bytes() == SHOUTED
    assert names(output) == ["out.en"]


def test_a_full_disk_is_one_line_that_says_what_is_kept(source, output, monkeypatch):
    real = os.write

    def full(descriptor: int, content: memoryview) -> int:
        if b"LINE 4" in bytes(content):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return real(descriptor, content)

    with monkeypatch.context() as patch:
        patch.setattr(os, "write", full)
        with pytest.raises(JobError) as caught:
            shout(source, output)
    assert str(caught.value) == (
        f"{output}.part: No space left on device; the first 4 lines are kept, go on with --resume"
    )
    shout(source, output, resume=True)
    assert output.read_bytes() == SHOUTED


def failing_write(fault: Fault):
    """os.write, as a step that may stop half-way."""
    real = os.write

    def write(descriptor: int, content: memoryview) -> int:
        try:
            fault.check()
        except BaseException:
            real(descriptor, content[: len(content) // 2])
            raise
        return real(descriptor, content)

    return write
