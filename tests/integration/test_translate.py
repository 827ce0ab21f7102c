"""mt-translate, run as a user runs it, with a model of random weights."""

from __future__ import annotations

from pathlib import Path

import pytest

from mt import Translator
from support.bundles import save_tiny_bundle
from support.commands import assert_mistake, run


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_tiny_bundle(tmp_path_factory.mktemp("model"))


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
    model: Path, tmp_path: Path
) -> None:
    source, target = tmp_path / "in.de", tmp_path / "out.en"
    # More lines than are translated together, one of them with a character nobody knows.
    text = "Guten Morgen.\n" * 501 + "Ein \u4e16 Hund.\n"
    source.write_bytes(text.encode())

    result = run("translate", "--model", model, "--input", source, "--output", target)

    assert result.returncode == 0, result.stderr
    assert result.stdout == b""
    assert "unknown_characters 1" in result.stderr.decode()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in.de", "out.en"]
    assert target.read_bytes() == run("translate", "--model", model, stdin=text.encode()).stdout


def test_no_input_is_no_output(model: Path) -> None:
    result = run("translate", "--model", model)

    assert (result.returncode, result.stdout, result.stderr) == (0, b"", b"")


def test_decoding_options_replace_the_models_own(model: Path) -> None:
    text = "Die Katze schläft auf dem Sofa.\n"
    translator = Translator.load(model)
    greedy = translator.search_config.model_copy(update={"beam_size": 1})

    result = run("translate", "--model", model, "--beam-size", "1", stdin=text.encode())

    expected = translator.with_search(greedy).translate([text])[0].text
    assert expected != translator.translate([text])[0].text
    assert result.stdout.decode() == expected


def test_invalid_utf8_is_refused_by_line_and_leaves_no_output(model: Path, tmp_path: Path) -> None:
    source, target = tmp_path / "in.de", tmp_path / "out.en"
    source.write_bytes(b"Guten Morgen.\nGr\xfc\xdfe\n")

    result = run("translate", "--model", model, "--input", source, "--output", target)

    assert_mistake(result, "in.de, line 2", "0xfc", "column 3")
    assert [path.name for path in tmp_path.iterdir()] == ["in.de"]


def test_a_damaged_model_is_refused(tmp_path: Path) -> None:
    model = save_tiny_bundle(tmp_path / "model")
    weights = next(model.glob("weights-*"))
    content = bytearray(weights.read_bytes())
    content[-1] ^= 1
    weights.write_bytes(content)

    assert_mistake(run("translate", "--model", model, stdin=b"Hallo.\n"), weights.name, "damaged")


def test_a_missing_input_is_refused() -> None:
    assert_mistake(run("translate", "--input", "absent.de"), "absent.de", "No such file")


def test_an_output_that_cannot_be_written_is_refused(model: Path, tmp_path: Path) -> None:
    target = tmp_path / "absent" / "out.en"

    result = run("translate", "--model", model, "--output", target, stdin=b"Hallo.\n")

    assert_mistake(result, "out.en", "No such file")


def test_an_option_out_of_range_is_refused() -> None:
    assert_mistake(run("translate", "--beam-size", "0"), "beam_size", "greater than or equal to 1")


def test_a_reader_that_leaves_early_gets_no_traceback(model: Path) -> None:
    import subprocess
    import sys

    process = subprocess.Popen(
        [sys.executable, "-m", "scripts.translate", "--model", model],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert process.stdout is not None
    process.stdout.close()

    _, message = process.communicate(b"Guten Morgen.\n")

    assert process.returncode == 1
    assert message == b""
