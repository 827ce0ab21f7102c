"""mt-translate, run as a user runs it, with a model of random weights."""

from __future__ import annotations

import gzip
import json
import lzma
import os
import pty
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from mt import Translator
from support.bundles import SOURCES, save_tiny_bundle
from support.commands import ROOT, assert_mistake, run
from support.warm import WarmProgram

SHORT = ("--beam-size", "1", "--max-length-ratio", "0.5", "--max-length-extra", "1")
"""Little to compute a line, where only the way of the lines matters."""


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_tiny_bundle(tmp_path_factory.mktemp("model"))


@pytest.fixture(scope="module")
def translate(model: Path) -> Iterator[WarmProgram]:
    with WarmProgram("translate", model) as program:
        yield program


def command(*arguments: str | Path) -> list[str]:
    return [sys.executable, "-m", "scripts.translate", *map(str, arguments)]


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def many_lines(count: int) -> bytes:
    """Lines of which one in ten has something to translate, all different in what is near them."""
    lines = (SOURCES[number % 23] if number % 10 == 0 else "---" for number in range(count))
    return "".join(f"{line}\n" for line in lines).encode()


# Lines and their ends


def test_line_n_in_is_line_n_out_whatever_stands_between_the_lines(model: Path) -> None:
    lines = ["Guten Morgen.\n", "\n", "  Ein Hund bellt.\r\n", "Hier\u2028dort.\n", "Ende."]

    result = run("translate", "--model", model, stdin="".join(lines).encode())

    assert result.returncode == 0, result.stderr
    expected = Translator.load(model).translate(lines)
    assert result.stdout.decode() == "".join(translation.text for translation in expected)
    translated = result.stdout.decode().split("\n")
    assert len(translated) == 5
    assert translated[1] == ""
    assert translated[2].startswith("  ")
    assert translated[2].endswith("\r")
    assert "\u2028" in translated[3]


def test_files_give_the_same_as_standard_input_and_flags_are_counted(
    translate: WarmProgram, model: Path, tmp_path: Path
) -> None:
    source, target = tmp_path / "in.de", tmp_path / "out.en"
    # More lines than are translated together, one of them with a character nobody knows.
    text = ("Guten Morgen.\n" * 501 + "Ein \u4e16 Hund.\n").encode()
    source.write_bytes(text)

    result = translate.run("--model", model, "--input", source, "--output", target)

    assert result.returncode == 0, result.stderr
    assert result.stdout == b""
    assert "lines flagged, of 502:\n" in result.stderr.decode()
    assert "  unknown_characters 1 (0.20 %): line 502\n" in result.stderr.decode()
    assert names(tmp_path) == ["in.de", "out.en"]
    assert target.read_bytes() == translate.run("--model", model, stdin=text).stdout


def test_a_second_input_is_refused_and_not_taken_in_place_of_the_first(
    translate: WarmProgram, model: Path
) -> None:
    result = translate.run("--model", model, "--input", "a.de", "--input", "b.de")

    assert_mistake(result, "--input is one file a job (found 2)")


def test_no_input_is_no_output(translate: WarmProgram, model: Path) -> None:
    result = translate.run("--model", model)

    assert (result.returncode, result.stdout, result.stderr) == (0, b"", b"")


# Options


def test_decoding_options_replace_the_models_own(translate: WarmProgram, model: Path) -> None:
    text = "Die Katze schläft auf dem Sofa.\n"
    translator = Translator.load(model)
    greedy = translator.search_config.model_copy(update={"beam_size": 1})

    result = translate.run("--model", model, "--beam-size", "1", stdin=text.encode())

    expected = translator.with_search(greedy).translate([text])[0].text
    assert expected != translator.translate([text])[0].text
    assert result.stdout.decode() == expected


@pytest.mark.parametrize(
    "field",
    [
        "beam_size",
        "length_penalty",
        "max_length_ratio",
        "max_length_extra",
        "min_length_ratio",
        "min_length",
        "no_repeat_ngram_size",
        "temperature",
        "top_k",
        "seed",
    ],
)
def test_each_decoding_option_reaches_its_field(translate: WarmProgram, field: str) -> None:
    result = translate.run(f"--{field.replace('_', '-')}", "-1")

    assert_mistake(result, f"options: {field}:", "greater than")


def test_an_option_out_of_range_is_refused() -> None:
    assert_mistake(run("translate", "--beam-size", "0"), "beam_size", "greater than or equal to 1")


def test_options_that_do_not_go_together_are_refused(translate: WarmProgram) -> None:
    assert_mistake(translate.run("--replace"), "replace needs a column")
    assert_mistake(translate.run("--n-best", "2"), "n_best = 2 needs format jsonl")
    assert_mistake(translate.run("--format", "xml"), "format", "'text' or 'jsonl'")
    assert_mistake(translate.run("--resume"), "--resume needs --output")
    assert_mistake(translate.run("--seed", "3"), "--seed decides nothing: add --temperature")


def test_a_corpus_is_not_translated_into_itself(translate: WarmProgram, tmp_path: Path) -> None:
    places = ("--input", tmp_path, "--output", tmp_path / "en")
    result = translate.run("--ray", "auto", *places)
    assert_mistake(result, f"{tmp_path / 'en'} lies in {tmp_path}, of which all files are")


# Columns, JSON lines, compression


def test_a_column_is_translated_and_the_others_stay(translate: WarmProgram, model: Path) -> None:
    rows = b"1\tEin Hund.\t0.5\r\n2\t\t\n"
    dog = Translator.load(model).translate(["Ein Hund."])[0].text.encode()

    appended = translate.run("--model", model, "--column", "2", stdin=rows)
    replaced = translate.run("--model", model, "--column", "2", "--replace", stdin=rows)

    assert appended.stdout == b"1\tEin Hund.\t0.5\t" + dog + b"\r\n2\t\t\t\n"
    assert replaced.stdout == b"1\t" + dog + b"\t0.5\r\n2\t\t\n"


def test_a_row_with_too_few_columns_is_refused_before_anything_is_written(
    translate: WarmProgram, model: Path, tmp_path: Path
) -> None:
    source = tmp_path / "in.tsv"
    source.write_bytes(b"a\tb\n" * 600 + b"c\n")

    result = translate.run(
        "--model", model, "--input", source, "--output", tmp_path / "out.tsv", "--column", "2"
    )

    assert_mistake(result, "in.tsv, line 601", "column 2", "has 1")
    assert names(tmp_path) == ["in.tsv"]


def test_json_lines_have_scores_flags_and_alternatives(
    translate: WarmProgram, model: Path, tmp_path: Path
) -> None:
    source, target = tmp_path / "in.de", tmp_path / "out.jsonl"
    source.write_bytes("Ein \u4e16 Hund.\n\nGuten Morgen.".encode())

    result = translate.run("--model", model, "--input", source, "--output", target, "--n-best", "3")

    assert result.returncode == 0, result.stderr
    values = [json.loads(line) for line in target.read_bytes().splitlines()]
    expected = Translator.load(model).translate(
        ["Ein \u4e16 Hund.", "", "Guten Morgen."], alternatives=2
    )
    assert [value["line"] for value in values] == [1, 2, 3]
    assert [value["source"] for value in values] == ["Ein \u4e16 Hund.", "", "Guten Morgen."]
    for value, translation in zip(values, expected, strict=True):
        assert value["translation"] == translation.text
        assert value["score"] == pytest.approx(translation.score, abs=1e-5)
        assert value["flags"] == sorted(translation.flags)
        assert [each["text"] for each in value["alternatives"]] == [
            each.text for each in translation.alternatives
        ]
    assert "unknown_characters" in values[0]["flags"]
    assert len(values[2]["alternatives"]) == 2
    stdout = translate.run("--model", model, "--format", "jsonl", stdin=source.read_bytes()).stdout
    assert [json.loads(line)["translation"] for line in stdout.splitlines()] == [
        translation.text for translation in expected
    ]


def test_more_translations_than_the_beam_holds_are_refused_and_leave_nothing(
    translate: WarmProgram, model: Path, tmp_path: Path
) -> None:
    target = tmp_path / "out.jsonl"

    result = translate.run(
        "--model", model, "--output", target, "--n-best", "9", stdin=b"Ein Hund.\n"
    )

    assert_mistake(result, "9 translations", "beam of 5", "at most 5")
    assert names(tmp_path) == []


@pytest.mark.parametrize(("suffix", "module"), [(".gz", gzip), (".xz", lzma)])
def test_files_are_compressed_by_their_suffix(
    translate: WarmProgram, model: Path, tmp_path: Path, suffix: str, module
) -> None:
    text = many_lines(520)
    source, target = tmp_path / f"in.de{suffix}", tmp_path / f"out.jsonl{suffix}"
    source.write_bytes(module.compress(text))

    result = translate.run("--model", model, "--input", source, "--output", target, *SHORT)

    assert result.returncode == 0, result.stderr
    plain = translate.run("--model", model, "--format", "jsonl", *SHORT, stdin=text).stdout
    assert module.decompress(target.read_bytes()) == plain
    assert len(plain.splitlines()) == 520


def test_a_damaged_input_is_refused(translate: WarmProgram, tmp_path: Path) -> None:
    source = tmp_path / "in.de.gz"
    source.write_bytes(gzip.compress(b"Guten Morgen.\n" * 9)[:-5])

    assert_mistake(translate.run("--input", source), "in.de.gz: damaged behind line")


def test_a_low_score_is_flagged_and_the_line_kept(translate: WarmProgram, model: Path) -> None:
    text = b"Guten Morgen.\n\nEin Hund.\n"
    plain = translate.run("--model", model, stdin=text)

    result = translate.run("--model", model, "--min-score", "1", stdin=text)

    assert result.returncode == 0
    assert result.stdout == plain.stdout
    # A line without a word has the score 1, which is not below 1.
    assert "  low_score 2 (66.67 %): lines 1, 3\n" in result.stderr.decode()


# Mistakes


def test_invalid_utf8_is_refused_by_line_and_leaves_no_output(
    translate: WarmProgram, model: Path, tmp_path: Path
) -> None:
    source, target = tmp_path / "in.de", tmp_path / "out.en"
    source.write_bytes(b"Guten Morgen.\nGr\xfc\xdfe\n")

    result = translate.run("--model", model, "--input", source, "--output", target)

    assert_mistake(result, "in.de, line 2", "0xfc", "column 3")
    assert names(tmp_path) == ["in.de"]


def test_a_damaged_model_is_refused(translate: WarmProgram, tmp_path: Path) -> None:
    model = save_tiny_bundle(tmp_path / "model")
    weights = next(model.glob("weights-*"))
    content = bytearray(weights.read_bytes())
    content[-1] ^= 1
    weights.write_bytes(content)

    result = translate.run("--model", model, stdin=b"Hallo.\n")

    assert_mistake(result, weights.name, "damaged")


def test_a_missing_input_is_refused() -> None:
    assert_mistake(run("translate", "--input", "absent.de"), "absent.de", "No such file")


def test_an_output_that_cannot_be_written_is_refused(
    translate: WarmProgram, model: Path, tmp_path: Path
) -> None:
    target = tmp_path / "absent" / "out.en"

    result = translate.run("--model", model, "--output", target, stdin=b"Hallo.\n")

    assert_mistake(result, f"{target}: there is no folder {target.parent}")


@pytest.mark.parametrize("name", ["out.en", "../{}/out.en", "link.en"])
def test_a_text_is_not_written_over_by_its_own_translation(
    translate: WarmProgram, model: Path, tmp_path: Path, name: str
) -> None:
    text, target = tmp_path / "out.en", tmp_path / name.format(tmp_path.name)
    text.write_bytes(b"Hallo.\n")
    (tmp_path / "link.en").symlink_to("out.en")

    result = translate.run("--model", model, "--input", text, "--output", target)

    assert_mistake(result, f"{target} is read as well, and would be lost")
    assert text.read_bytes() == b"Hallo.\n"
    unfinished = tmp_path / "out.en.part"
    text.rename(unfinished)
    result = translate.run("--model", model, "--input", unfinished, "--output", text)
    assert_mistake(result, f"{unfinished} is read as well")
    with unfinished.open("rb") as file:
        result = subprocess.run(
            command("--model", model, "--output", unfinished), stdin=file, capture_output=True
        )
    assert_mistake(result, f"{unfinished} is read as well")
    assert unfinished.read_bytes() == b"Hallo.\n"


def test_a_link_goes_on_pointing_to_the_output(
    translate: WarmProgram, model: Path, tmp_path: Path
) -> None:
    link, target = tmp_path / "link.en", tmp_path / "target.en"
    target.write_text("old")
    link.symlink_to("target.en")

    result = translate.run("--model", model, "--output", link, stdin=b"---\n")

    assert result.returncode == 0, result.stderr
    assert link.is_symlink()
    assert target.read_bytes() == b"---\n"
    assert names(tmp_path) == ["link.en", "target.en"]


@pytest.mark.parametrize("workers", ["1", "2"])
@pytest.mark.parametrize(
    ("bad", "why"), [(b"\xfc\t---\n", b"not UTF-8"), (b"---\n", b"column 2 is to be translated")]
)
def test_lines_before_a_bad_one_are_translated(
    translate: WarmProgram, model: Path, bad: bytes, why: bytes, workers: str
) -> None:
    good = b"a\t---\n" * 503
    result = translate.run(
        "--model", model, "--column", "2", "--replace", "--workers", workers, stdin=good + bad
    )

    assert result.returncode == 2
    assert b"standard input, line 504: " + why in result.stderr
    assert result.stdout == good


def test_a_reader_that_leaves_early_gets_no_traceback(model: Path) -> None:
    process = subprocess.Popen(
        command("--model", model),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert process.stdout is not None
    process.stdout.close()

    _, message = process.communicate(b"Guten Morgen.\n")

    assert process.returncode == 1
    assert message == b""


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full on this system")
def test_a_full_disk_behind_standard_output_is_one_line(model: Path) -> None:
    with open("/dev/full", "wb") as full:
        result = subprocess.run(
            command("--model", model),
            input=b"Guten Morgen.\n",
            stdout=full,
            stderr=subprocess.PIPE,
            check=False,
        )

    assert result.returncode == 2
    assert result.stderr == b"error: standard output: No space left on device\n"


# Unfinished jobs


def test_a_job_killed_at_twenty_random_moments_ends_in_the_same_bytes(
    translate: WarmProgram, model: Path, tmp_path: Path
) -> None:
    source, target = tmp_path / "in.de.gz", tmp_path / "out.jsonl.xz"
    source.write_bytes(gzip.compress(many_lines(10_000)))
    job = ["--model", model, "--input", source, "--output", target, *SHORT, "--resume"]
    started = time.monotonic()
    unbroken = translate.run(*job)
    seconds = time.monotonic() - started
    assert unbroken.returncode == 0, unbroken.stderr
    expected = target.read_bytes()
    target.unlink()

    draw = random.Random(1)
    kills = resumed = 0
    while True:
        again = translate.run(*job, kill_after=draw.uniform(0, seconds / 4) if kills < 20 else None)
        resumed += b"going on behind line" in again.stderr
        if again.returncode == 0:
            assert target.read_bytes() == expected
            assert again.stderr.endswith(unbroken.stderr)  # all flags were counted, once
            assert names(tmp_path) == ["in.de.gz", "out.jsonl.xz"]
            if kills == 20:
                break
            target.unlink()
            continue
        assert again.returncode == -signal.SIGKILL, again.stderr
        kills += 1
    assert resumed


class Stalled:
    """mt-translate with a pipe as its input, which has got lines beyond its first full chunks."""

    def __init__(self, folder: Path, model: Path, text: bytes) -> None:
        self.target = folder / "out.en"
        pipe = folder / "pipe"
        os.mkfifo(pipe)
        self.process = subprocess.Popen(
            command("--model", model, "--input", pipe, "--output", self.target, *SHORT),
            stderr=subprocess.PIPE,
            # A shell that starts something in the background makes it deaf to SIGINT, and with it
            # these tests, if that is how they were started.
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
        )
        self.pipe = pipe.open("wb", buffering=0)
        # A pipe holds 64 KiB, a reader reads ahead far less than a chunk of these lines: once all
        # is written, more than one chunk has been taken, and so one committed.
        rest = memoryview(text)
        while rest:
            rest = rest[self.pipe.write(rest) :]

    def end(self) -> str:
        _, message = self.process.communicate(timeout=60)
        self.pipe.close()
        return message.decode()


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_a_job_told_to_stop_says_what_it_keeps(
    translate: WarmProgram, model: Path, tmp_path: Path, number: int, code: int
) -> None:
    text = ("-" * 99 + "\n").encode() * 2_000
    stalled = Stalled(tmp_path, model, text)

    stalled.process.send_signal(number)
    message = stalled.end()

    assert stalled.process.returncode == code
    assert f"lines are in {stalled.target}.part: go on with --resume" in message
    assert "Traceback" not in message
    assert names(tmp_path) == ["out.en.part", "out.en.part.json", "pipe"]
    source = tmp_path / "in.de"
    source.write_bytes(text)
    job = ["--model", model, "--input", source, "--output", stalled.target, *SHORT]
    assert_mistake(translate.run(*job), "out.en.part holds the first", "add --resume")
    assert_mistake(
        translate.run(*job, "--resume", "--length-penalty", "2"),
        "search.length_penalty = 1.0, which is now 2.0",
    )
    assert translate.run(*job, "--resume").returncode == 0
    assert stalled.target.read_bytes() == text


def test_another_model_does_not_go_on_with_a_job(
    translate: WarmProgram, model: Path, tmp_path: Path
) -> None:
    source, target = tmp_path / "in.de", tmp_path / "out.en"
    text = b"---\n" * 500 + b"\xfc\n"
    broken = translate.run("--model", model, "--output", target, stdin=text)
    assert broken.returncode == 2
    told, mistake = broken.stderr.decode().splitlines()
    assert told == f"the first 500 lines are in {target}.part: go on with --resume"
    assert mistake.startswith("error: standard input, line 501: not UTF-8")
    source.write_bytes(text.replace(b"\xfc", "ü".encode()))

    job = ["--input", source, "--output", target, "--resume"]
    other = translate.run(*job)  # the bundled model

    assert_mistake(other, "model.identity")
    mended = translate.run("--model", model, *job)
    assert mended.returncode == 0, mended.stderr
    assert b"going on behind line 500" in mended.stderr
    assert names(tmp_path) == ["in.de", "out.en"]


def test_a_full_disk_is_one_line_and_what_was_written_stays(model: Path, tmp_path: Path) -> None:
    source, target = tmp_path / "in.de", tmp_path / "out.en"
    source.write_bytes(("-" * 99 + "\n").encode() * 3_000)
    job = command("--model", model, "--input", source, "--output", target, *SHORT, "--resume")

    # A limit on the size of files stands for the end of the disk.
    small = subprocess.run(
        ["sh", "-c", 'ulimit -f 256; exec "$@"', "sh", *job], capture_output=True, check=False
    )

    assert_mistake(small, "out.en.part: File too large; the first", "lines are kept")
    assert subprocess.run(job, check=False).returncode == 0
    assert target.read_bytes() == source.read_bytes()


# Pipes


def test_who_waits_for_a_translation_before_writing_on_gets_it(model: Path) -> None:
    with subprocess.Popen(
        command("--model", model, *SHORT), stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        for line in (b"\n", b"42\n"):
            process.stdin.write(line)
            process.stdin.flush()
            assert process.stdout.readline() == line
        process.stdin.close()
        assert process.stdout.read() == b""
    assert process.returncode == 0


def test_a_dash_is_standard_input_and_output(
    translate: WarmProgram, model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)

    result = translate.run("--model", model, "--input", "-", "--output", "-", stdin=b"\n42\n")

    assert (result.returncode, result.stdout) == (0, b"\n42\n")
    assert [*tmp_path.iterdir()] == []
    assert_mistake(translate.run("--output", "-", "--resume"), "--resume needs --output")


# What a person sees


def test_a_terminal_shows_rate_and_share_and_the_time_left(model: Path, tmp_path: Path) -> None:
    source, target = tmp_path / "in.de", tmp_path / "out.en"
    source.write_bytes(many_lines(1_500))
    terminal, inner = pty.openpty()
    with subprocess.Popen(
        command("--model", model, "--input", source, "--output", target, *SHORT),
        stdin=inner,
        stdout=inner,
        stderr=inner,
        env=os.environ | {"TERM": "xterm", "COLUMNS": "100", "PYTHONPATH": str(ROOT)},
    ) as process:
        os.close(inner)
        shown = b""
        while block := _read(terminal):
            shown += block
    os.close(terminal)

    assert process.returncode == 0, shown.decode()
    for part in (b"100%", b"1,500 lines", b" lines/s", b"0:00:00"):
        assert part in shown, shown.decode()


def _read(terminal: int) -> bytes:
    try:
        return os.read(terminal, 65536)
    except OSError:  # all who could write have gone
        return b""


@pytest.mark.slow
def test_memory_does_not_grow_with_the_number_of_lines(model: Path, tmp_path: Path) -> None:
    """300,000 short lines need less than 20 MB more than 10,000."""
    few, many = (peak_memory(model, tmp_path, lines) for lines in (10_000, 300_000))

    assert many - few < 20 * 1024  # KiB


def peak_memory(model: Path, folder: Path, lines: int) -> int:
    """KiB that a job of so many lines needs at most."""
    source = folder / "in.de"
    source.write_text("".join(f"{SOURCES[n % 3]}\n" for n in range(lines)), encoding="utf-8")
    job = command("--model", model, "--input", source, "--output", folder / "out.en", *SHORT)
    # The largest child of a process that has only this one.
    measure = (
        "import resource, subprocess, sys\n"
        "subprocess.run(sys.argv[1:], check=True, stderr=subprocess.DEVNULL)\n"
        "print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)"
    )
    return int(subprocess.check_output([sys.executable, "-c", measure, *job]))
