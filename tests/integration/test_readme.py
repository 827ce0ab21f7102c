"""What README.md and scripts/README.md print is run as printed, block by block, on small texts.

A program runs with the bundled model where the README names no other, in a folder that holds the
files it names. A command that is neither a program of ours nor in `NOT_RUN` fails. Last come the
pages of all rooms: their links lead somewhere, and the files they name exist.
"""

from __future__ import annotations

import contextlib
import dataclasses
import gzip
import importlib
import io
import itertools
import json
import lzma
import os
import re
import shlex
import signal
import subprocess
import sys
import textwrap
import tomllib
import urllib.request
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import pytest
from typer.main import get_command

from mt.bundle import save_bundle
from support.bundles import (
    SOURCES,
    TARGETS,
    save_tiny_bundle,
    tiny_bundle,
    tiny_language_bundle,
)
from support.commands import ROOT, call

READMES = ("README.md", "scripts/README.md")

PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
PROGRAMS = {
    name: target.removeprefix("scripts.").removesuffix(":main")
    for name, target in PYPROJECT["project"]["scripts"].items()
}
"""The module behind mt-translate and so on: the options of every command are checked."""

NOT_RUN = {
    "./scripts/serve": "installs; test_launchers.py runs it with a stand-in for pip",
    "./scripts/test": "installs and runs this suite; test_launchers.py as above",
    "mt-benchmark": "measures for minutes; test_benchmark.py has every command on small texts",
    "mt-download": "needs a network; test_download.py has a server of its own",
    "mt-serve": "runs until it is stopped; the curl lines ask one on another port",
    "mt-train": "trains for hours; test_train.py trains small models in each of these ways",
    "torchrun": "trains for hours; test_train_together.py starts two small processes",
}
"""Programs whose commands are left out, and why."""


SAID = {
    r"Guten Morgen.\n\nEin Hund läuft über die Wiese.\n": r"Good morning\.\n\n.*dog.*\n",
    r"Good morning.\n": r"Bonjour\.\n",
    r"Can you die\n": r".*(process can be killed|perpetuated indefinitely).*\n",
}
"""What the bundled models say to what is piped into them."""


class Block(NamedTuple):
    """A fenced block."""

    place: str
    language: str
    text: str

    @property
    def commands(self) -> list[str]:
        """The lines without comments, continued ones joined."""
        lines = self.text.replace("\\\n", " ").splitlines()
        return [re.sub(r"\s+#.*", "", line) for line in lines]


def blocks(name: str) -> list[Block]:
    text = (ROOT / name).read_text(encoding="utf-8")
    return [
        Block(f"{name}:{text.count(chr(10), 0, found.start()) + 1}", found[1], found[2])
        for found in re.finditer(r"^```(\w*)\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    ]


PAGES = [ROOT / "CONTRIBUTING.md", ROOT / "README.md", *sorted(ROOT.glob("[a-z]*/README.md"))]
BLOCKS = [block for name in READMES for block in blocks(name)]
SHELL = [block for block in BLOCKS if block.language == "sh"]
COMMANDS = [command for block in SHELL for command in block.commands]


def first_word(command: str) -> str:
    return shlex.split(command)[0]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Every file and model folder that the commands name."""
    folder = tmp_path_factory.mktemp("readme")
    german, english = ("".join(f"{line}\n" for line in side[:4]) for side in (SOURCES, TARGETS))
    rows = "".join(f"{number}\t{line}\n" for number, line in enumerate(SOURCES[:4]))
    texts = {
        "test.de": german,
        "test.en": english,
        "valid.de": german,
        "valid.en": english,
        "others.en": english.lower(),
        "book.de.gz": german,
        "book.de": german,
        "new.de": german,
        "rows.tsv": rows,
        "DATA/multi30k/train.de.xz": german,
        "DATA/multi30k/train.en.xz": english,
        "DATA/multi30k/captions.de.xz": german,
        "DATA/multi30k/captions.en.xz": english,
        "DATA/multi30k/test_2016_flickr.de.xz": german,
        "DATA/multi30k/test_2016_flickr.en.xz": english,
        "DATA/tatoeba-de-en/test.de.xz": german,
        "DATA/tatoeba-de-en/test.en.xz": english,
        "DATA/tatoeba-de-en/train.de.xz": german,
        "DATA/tatoeba-de-en/train.en.xz": english,
        "DATA/tatoeba-fr-en/train.en.xz": english,
        "DATA/tatoeba-es-en/train.en.xz": english,
    }
    for name, text in texts.items():
        write_text(folder / name, text)
    teachers = ("teacher", "teacher-de-en", "teacher-en-de", "teacher-fr", "back")
    trained = ("multi30k-de-en", "student", "mine", *teachers)
    for name in ("A", "B", *(f"runs/{run}" for run in trained)):
        save_tiny_bundle(folder / name)
    save_answering(folder)
    save_bundle(folder / "runs" / "words", tiny_language_bundle(), "card")
    save_bundle(folder / "runs" / "words-de-en", tiny_language_bundle(), "card")
    for name in ("A", "B", "tatoeba-de-en"):
        events = [
            {"event": "train", "update": 1, "loss": 5.0, "learning_rate": 0.001},
            {"event": "validation", "update": 1, "seconds": 60.0, "nll": 4.5, "bleu": 3.25}
            | {"sentences": 4, "signature": "nrefs:1"},
        ]
        lines = "".join(f"{json.dumps(event)}\n" for event in events)
        write_text(folder / "runs" / name / "run" / "metrics.jsonl", lines)
    return folder


def save_answering(folder: Path) -> None:
    """A model that answers, and questions for it."""
    bundle = tiny_bundle()
    config = bundle.config.model_copy(update={"task": "answer", "segmentation": "whole"})
    save_bundle(folder / "runs" / "babi", dataclasses.replace(bundle, config=config), "card")
    for split, column in itertools.product(("train", "test"), ("question", "answer", "task")):
        write_text(folder / "DATA" / "babi" / f"{split}.{column}.xz", "Hast du Hunger?\n")
    for name in ("story.txt", "questions.txt"):
        write_text(folder / name, "Ich habe keine Zeit.\n")


def write_text(path: Path, text: str) -> None:
    packed = {".gz": gzip.compress, ".xz": lzma.compress}.get(path.suffix, bytes)(text.encode())
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(packed)


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    """The address of mt-serve with the bundled model, on a port that is free."""
    process = subprocess.Popen(
        [sys.executable, "-m", "scripts.serve", "--port", "0"],
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
    )
    try:
        assert process.stderr is not None
        said = ""
        while not (found := re.search(r"on (http://127\.0\.0\.1:\d+)\n", said)):
            line = process.stderr.readline()
            assert line, said
            said += line
        yield found[1]
    finally:
        process.kill()
        process.communicate()


@pytest.fixture
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The programs as commands of a shell."""
    for name, module in PROGRAMS.items():
        command = tmp_path / name
        command.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m scripts.{module} "$@"\n')
        command.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    monkeypatch.setenv("PYTHONPATH", str(ROOT))


@pytest.fixture
def _signals() -> Iterator[None]:
    """mt-translate handles SIGTERM until its process ends."""
    before = signal.getsignal(signal.SIGTERM)
    yield
    signal.signal(signal.SIGTERM, before)


def test_every_block_is_found_and_of_a_kind_that_is_run() -> None:
    fences = sum((ROOT / name).read_text(encoding="utf-8").count("```") for name in READMES)
    assert fences == 2 * len(BLOCKS)
    assert {block.language for block in BLOCKS} == {"sh", "python"}


def test_what_is_not_run_is_in_the_readmes() -> None:
    assert set(NOT_RUN) <= {first_word(command) for command in COMMANDS}


@pytest.mark.parametrize("command", [c for c in COMMANDS if first_word(c).startswith("mt-")])
def test_options_are_known(command: str) -> None:
    name, *arguments = shlex.split(command.rpartition(" | ")[2])
    program = get_command(importlib.import_module(f"scripts.{PROGRAMS[name]}").app)

    program.make_context(name, arguments).close()


def test_the_story_of_a_unit_is_the_bundled_model_s() -> None:
    text = (ROOT / "scripts" / "README.md").read_text(encoding="utf-8")
    command = next(command for command in COMMANDS if " --walk " in command)
    _, *arguments = shlex.split(command)

    said = call("explain", *arguments).stdout.decode()
    told = textwrap.dedent(text[text.index("    Unit ") : text.index("\nThat unit of the")])

    number = re.compile(r"[-+]?[0-9]+[.][0-9]+|[0-9]+(?=%)")
    assert number.sub("#", said).split() == number.sub("#", told).split()
    for found, printed in zip(number.findall(said), number.findall(told), strict=True):
        last_digit = 0.001 if "." in printed else 1
        assert float(found) == pytest.approx(float(printed), abs=1.01 * last_digit)


@pytest.mark.usefixtures("programs", "_signals")
@pytest.mark.parametrize("block", SHELL, ids=lambda block: block.place)
def test_commands_do_what_they_say(
    block: Block, folder: Path, request: pytest.FixtureRequest
) -> None:
    if ".png" in block.text:
        pytest.importorskip("matplotlib", reason="pictures need the extra [plot]")
    for command in block.commands:
        name, *arguments = shlex.split(command)
        if name in NOT_RUN:
            continue
        if name == "curl":
            answer = ask(request.getfixturevalue("server"), arguments)
            assert answer == {"translatedText": "Good morning."}
        elif name == "printf":
            shell = subprocess.run(["sh", "-c", command], capture_output=True, check=True)
            assert re.fullmatch(SAID[arguments[0]], shell.stdout.decode())
        else:
            assert name in PROGRAMS, f"{command}: make it run, or list it"
            result = call(PROGRAMS[name], *arguments, folder=folder)
            assert result.returncode == 0, (command, result.stderr)
            for option, file in pairwise(arguments):
                assert option not in ("--output", "--plot") or (folder / file).is_file(), command


def ask(server: str, arguments: list[str]) -> object:
    """The answer to curl's arguments, `URL -d name=value ...`, from a server elsewhere."""
    url, *rest = arguments
    assert set(rest[::2]) == {"-d"}, arguments
    form = "&".join(rest[1::2]).encode()
    there = url.replace("http://127.0.0.1:8000", server)
    with urllib.request.urlopen(there, form, timeout=60) as answer:
        return json.load(answer)


@pytest.mark.parametrize(
    "block",
    [block for block in BLOCKS if block.language == "python"],
    ids=lambda block: block.place,
)
def test_python_runs_as_printed(block: Block) -> None:
    printed = io.StringIO()

    with contextlib.redirect_stdout(printed):
        exec(compile(block.text, block.place, "exec"), {})

    assert re.fullmatch(
        r"Good morning\. 0\.\d+ frozenset\(\)\nGood morning\.\n", printed.getvalue()
    )


@pytest.mark.parametrize(
    ("block", "pattern"),
    [
        (0, r"\(7, 6, 5, 4\)\n"),
        (1, r"encoder 1, forward tensor.*\n▁?[Ii]ch [0-9.e-]+ [0-9.e-]+ -?[0-9.e-]+\n.*"),
    ],
    ids=["the whole of it", "looking inside"],
)
def test_python_of_the_library_runs_as_printed(block: int, pattern: str) -> None:
    python = [each for each in blocks("mt/README.md") if each.language == "python"]
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        exec(compile(python[block].text, python[block].place, "exec"), {})
    assert re.fullmatch(pattern, printed.getvalue(), re.DOTALL), printed.getvalue()


@pytest.mark.parametrize("page", PAGES)
def test_links_lead_somewhere(page: Path) -> None:
    links = re.findall(r"\]\(([^)#]+)[^)]*\)", page.read_text(encoding="utf-8"))
    ours = [link for link in links if "://" not in link]

    assert [link for link in ours if not (page.parent / link).exists()] == []


@pytest.mark.parametrize("page", PAGES)
def test_files_that_a_page_names_exist(page: Path) -> None:
    names = re.findall(r"`([\w/]+\.py)`", page.read_text(encoding="utf-8"))

    assert [
        name for name in names if not ((ROOT / name).exists() or [*page.parent.rglob(name)])
    ] == []


def test_the_library_is_drawn_with_the_layers_that_are_checked() -> None:
    contracts = PYPROJECT["tool"]["importlinter"]["contracts"]
    layers = next(contract["layers"] for contract in contracts if contract["id"] == "library")

    drawing = "".join("  ".join(layer.split(" | ")) + "\n" for layer in layers)
    assert f"```\n{drawing}```" in (ROOT / "mt" / "README.md").read_text(encoding="utf-8")
