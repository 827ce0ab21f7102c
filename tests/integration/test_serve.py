"""mt-serve, run as a user runs it: a process of its own, asked over loopback."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
import urllib.parse
import urllib.request
from pathlib import Path

import pytest

from mt import Translator
from mt.errors import ConfigError
from scripts.serve import _listening, server_config
from service.app import create_app
from service.settings import Settings, environment_file
from service.texts import catalogue
from support.bundles import save_tiny_bundle
from support.commands import ROOT, assert_mistake, call


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_tiny_bundle(tmp_path_factory.mktemp("model"))


def test_the_server_says_where_it_is_answers_there_and_leaves_when_told(model: Path) -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "scripts.serve", "--port", "0", "--model", model],
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

        form = urllib.parse.urlencode({"q": "Guten Morgen.", "source": "de", "target": "en"})
        with urllib.request.urlopen(f"{found[1]}/translate", form.encode(), timeout=60) as answer:
            text = json.load(answer)["translatedText"]

        assert text == Translator.load(model).translate(["Guten Morgen."])[0].text
        process.send_signal(signal.SIGTERM)
        _, log = process.communicate(timeout=60)
        assert process.returncode == -signal.SIGTERM
        assert "Guten" not in log
    finally:
        process.kill()
        process.communicate()


def test_sigterm_while_the_model_is_loaded_ends_it_as_process_1_of_a_container_too(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def load(*arguments: object) -> None:
        signal.raise_signal(signal.SIGTERM)
        pytest.fail("still loading")

    monkeypatch.setattr(catalogue, "load_catalogue", load)
    # As process 1 has it, which no signal reaches without a handler.
    before = signal.signal(signal.SIGTERM, signal.SIG_IGN)
    try:
        assert call("serve", "--port", "0").returncode == 128 + signal.SIGTERM
        assert signal.getsignal(signal.SIGTERM) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGTERM, before)


def test_a_port_in_use_is_refused(model: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])

        result = call("serve", "--port", port, "--model", model)

    assert_mistake(result, f"--port {port}", "in use")


def test_a_folder_that_is_no_model_is_refused_before_anything_is_served(tmp_path: Path) -> None:
    result = call("serve", "--port", "0", "--model", tmp_path)

    assert result.returncode == 2
    assert result.stderr.decode().splitlines()[-1].startswith(f"error: {tmp_path} is not a model")


def test_a_folder_of_models_is_taken_though_the_environment_names_models(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MT_MODEL", "de-en")

    assert_mistake(
        call("serve", "--port", "0", "--models", tmp_path), f"no model folder in {tmp_path}"
    )


def test_models_and_a_folder_of_all_are_not_named_at_once(tmp_path: Path) -> None:
    assert_mistake(call("serve", "--model", "de-en", "--models", tmp_path), "--model", "--models")


def test_a_setting_out_of_range_is_refused_by_its_name() -> None:
    assert_mistake(call("serve", "--port", "70000"), "MT_PORT", "65535", "70000")


def test_all_settings_are_printed_and_nothing_is_served() -> None:
    result = call("serve", "--settings", "--port", "70000")

    assert result.returncode == 0
    assert result.stdout.decode() == environment_file()


@pytest.mark.parametrize(
    ("variable", "name"),
    [
        ("MT_API_KEYS_FILE", "keys.json"),
        ("MT_USAGE_FILE", "usage.sqlite"),
        ("MT_TRANSLATION_MEMORY", "terms.de-en.tsv"),
    ],
)
def test_a_damaged_file_is_one_line_and_no_server(
    tmp_path: Path, model: Path, monkeypatch: pytest.MonkeyPatch, variable: str, name: str
) -> None:
    damaged = tmp_path / name
    damaged.write_text("[]" * 1000)

    monkeypatch.setenv(variable, str(damaged))
    assert_mistake(call("serve", "--port", "0", "--model", model), f"error: {damaged}")


@pytest.mark.parametrize("prefix", ["/translate", "/v1"])
def test_a_prefix_that_is_the_beginning_of_a_route_is_refused(prefix: str) -> None:
    with pytest.raises(ConfigError, match=f"^MT_ROOT_PATH: {prefix} is also where the route "):
        create_app(Settings(root_path=prefix))
    create_app(Settings(root_path=f"{prefix}r"))


def test_a_variable_that_is_no_setting_is_told_and_what_it_may_have_meant(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("MT_CHAR_LIMITS", "5")
    result = call("serve", "--port", "70000")
    told, mistake = result.stderr.decode().splitlines()
    assert told == "MT_CHAR_LIMITS is no setting and is ignored; did you mean MT_CHAR_LIMIT?"
    assert mistake.startswith("error: --port (MT_PORT): ")


@pytest.mark.parametrize(("deadline_s", "whole_s"), [(0.5, 1), (8.0, 8), (8.2, 9)])
def test_a_shutdown_gives_what_is_accepted_its_whole_deadline(
    deadline_s: float, whole_s: int
) -> None:
    settings = Settings(deadline_s=deadline_s)
    assert server_config(create_app(settings), settings).timeout_graceful_shutdown == whole_s


@pytest.mark.skipif(not socket.has_dualstack_ipv6(), reason="this machine has no IPv6")
def test_every_address_of_ipv6_is_every_address_of_ipv4_too() -> None:
    with _listening(Settings(host="::", port=0)) as listener:
        socket.create_connection(("127.0.0.1", listener.getsockname()[1]), timeout=10).close()


def test_whoever_lets_others_in_without_keys_is_told(model: Path) -> None:
    process = subprocess.Popen(
        [
            sys.executable,
            "-m",
            "scripts.serve",
            "--host",
            "0.0.0.0",
            "--port",
            "0",
            "--model",
            model,
        ],
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
    )
    with process:
        assert process.stderr is not None
        assert "no keys are asked for" in process.stderr.readline()
        process.kill()


def test_a_server_whose_workers_never_live_ends(
    model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    dead = [sys.executable, "-c", ""]
    monkeypatch.setattr("service.workers.process.command_of", lambda module: dead)
    monkeypatch.setattr("service.workers.pool.RESTART_S", 0)

    result = call("serve", "--port", "0", "--model", model)

    assert result.returncode == 2, result.stderr
    assert b"the workers die as they start" in result.stderr.splitlines()[-1]
