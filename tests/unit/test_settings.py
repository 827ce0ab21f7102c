"""The service's settings: read from the environment, and written as a file of one."""

import os
from pathlib import Path

import pytest

from mt.errors import ConfigError
from service.settings import Settings, environment_file, load_settings, misspelt


def test_settings_come_from_the_environment_and_a_mistake_names_its_variable(monkeypatch):
    monkeypatch.setenv("MT_PORT", "8080")
    monkeypatch.setenv("MT_MODEL", "")
    monkeypatch.setenv("MT_TRANSLATION_MEMORY", os.pathsep.join(["a.tsv", "b.tmx"]))
    monkeypatch.setenv("MT_CORS_ORIGINS", "https://a.example, https://b.example")
    settings = load_settings()
    assert (settings.port, settings.model) == (8080, ())
    assert settings.translation_memory == (Path("a.tsv"), Path("b.tmx"))
    assert settings.cors_origins == ("https://a.example", "https://b.example")
    monkeypatch.setenv("MT_PORT", "70000")
    with pytest.raises(ConfigError, match=r"^MT_PORT: .*65535.*70000"):
        load_settings()


def test_a_mistake_in_an_option_names_the_option_and_the_variable(monkeypatch):
    monkeypatch.setenv("MT_PORT", "80")
    with pytest.raises(ConfigError, match=r"^--port \(MT_PORT\): .*65535 \(found 99999\)$"):
        load_settings(port=99999)
    monkeypatch.setenv("MT_PORT", "99999")
    with pytest.raises(ConfigError, match=r"^MT_PORT: "):
        load_settings(workers=1)


def test_proxies_are_addresses_and_networks_or_all(monkeypatch):
    monkeypatch.setenv("MT_TRUSTED_PROXIES", "10.0.0.0/8, 192.0.2.1,2001:db8::/32")
    assert load_settings().trusted_proxies == ("10.0.0.0/8", "192.0.2.1", "2001:db8::/32")
    monkeypatch.setenv("MT_TRUSTED_PROXIES", "*")
    assert load_settings().trusted_proxies == ("*",)
    for mistake in ("proxy.example", "10.0.0.1/8", "*,10.0.0.1"):
        monkeypatch.setenv("MT_TRUSTED_PROXIES", mistake)
        with pytest.raises(ConfigError, match=r"^MT_TRUSTED_PROXIES: "):
            load_settings()


def test_a_variable_that_nothing_reads_is_told_with_the_nearest_setting(monkeypatch):
    for name in ("MT_PORT", "MT_OFFLINE", "MT_CORPORA", "MT_TORCH_INDEX", "MTA"):
        monkeypatch.setenv(name, "1")
    assert misspelt() == []
    monkeypatch.setenv("MT_CHAR_LIMITS", "1")
    monkeypatch.setenv("MT_ZZZ", "1")
    assert misspelt() == [
        "MT_CHAR_LIMITS is no setting and is ignored; did you mean MT_CHAR_LIMIT?",
        "MT_ZZZ is no setting and is ignored",
    ]


def test_the_file_of_settings_has_each_once_at_its_default(monkeypatch):
    lines = environment_file().splitlines()
    given = [line[1:].split("=", 1) for line in lines if line.startswith("#MT_")]
    assert [name for name, _ in given] == [f"MT_{name.upper()}" for name in Settings.model_fields]
    for name, value in given:
        monkeypatch.setenv(name, value)
    assert load_settings() == Settings.model_construct()


def test_the_file_of_settings_changes_nothing_until_a_line_is_edited():
    assert all(not line or line.startswith("#") for line in environment_file().splitlines())


def test_the_file_of_settings_says_what_a_value_may_be():
    about = dict(
        reversed(entry.strip().rsplit("\n", 1)) for entry in environment_file().split("\n\n")
    )
    assert about["#MT_PORT=8000"] == "# TCP port to listen on; 0 takes a free one. From 0 to 65535."
    assert about["#MT_ENGINE=auto"].endswith("One of auto, int8,\n# fp32, bf16, cuda.")
    assert "#MT_WORKERS=" in about
    for several in ("MODEL", "TRANSLATION_MEMORY"):
        assert f'separated by "{os.pathsep}"' in " ".join(about[f"#MT_{several}="].split("\n# "))
