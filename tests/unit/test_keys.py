"""Key files, whole and damaged, and keys looked up in them."""

from __future__ import annotations

import json
import logging
import traceback
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import settings as examples
from hypothesis import strategies as st

from mt.errors import ConfigError
from service.clients.keys import KeyRing, new_key, read_keys, sha256_of

ADA, BOB = "a" * 43, "b" * 43
PASTED = "pasted-key-that-nobody-may-see"


def entry(name: str, key: str, **limits: object) -> dict[str, object]:
    return {"name": name, "sha256": sha256_of(key), **limits}


def write(path: Path, *entries: dict[str, object]) -> None:
    # Beside and renamed, as the program does: a file of the same length would look unchanged
    # within one tick of the file system's clock.
    draft = path.with_suffix(".draft")
    draft.write_text(json.dumps({"keys": entries}))
    draft.rename(path)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "keys.json"
    write(path, entry("ada", ADA, character_limit=5), entry("bob", BOB))
    return path


@pytest.fixture
def ring(path: Path) -> KeyRing:
    ring = KeyRing(path)
    ring.load()
    return ring


def name_of(ring: KeyRing, key: str) -> str | None:
    found = ring.find(key)
    return found.name if found else None


def test_a_key_finds_its_entry_with_its_limits(ring):
    found = ring.find(ADA)
    assert (found.name, found.character_limit, found.characters_per_minute) == ("ada", 5, None)
    assert name_of(ring, BOB) == "bob"


@pytest.mark.parametrize("key", ["", ADA[:-1], ADA + "a", ADA.upper(), sha256_of(ADA), "ada"])
def test_nothing_but_the_whole_key_will_do(ring, key):
    assert ring.find(key) is None


@examples(max_examples=50)
@given(st.text(st.characters()))
@example("\ud800")
def test_any_string_can_be_looked_up_lone_surrogates_too(key):
    assert KeyRing(Path()).find(key) is None


def test_all_entries_are_compared_wherever_the_key_stands(ring, monkeypatch):
    compared = []

    def count(left: str, right: str) -> bool:
        compared.append(left)
        return left == right

    monkeypatch.setattr("service.clients.keys.hmac.compare_digest", count)
    for key in (ADA, BOB, "neither"):
        compared.clear()
        ring.find(key)
        assert compared == [sha256_of(ADA), sha256_of(BOB)]


def test_the_hash_is_that_of_the_standard():
    # FIPS 180-2, B.1
    abc = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    assert sha256_of("abc") == abc


def test_new_keys_hold_32_bytes_and_differ():
    keys = {new_key() for _ in range(100)}
    assert len(keys) == 100
    assert {len(key) for key in keys} == {43}  # 32 bytes, 6 bits a character


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "Invalid JSON"),
        (b"\xff", "Invalid JSON"),
        (b"[]", "an object"),
        (b"{}", "keys: Field required"),
        (b'{"keys": [{"name": "x"}]}', "keys.0.sha256: Field required"),
        ({"keys": [entry("x", ADA), entry("x", BOB)]}, "keys: the name x is there 2 times"),
        ({"keys": [entry("x", ADA), entry("y", ADA)]}, "keys: x has the same key as another"),
        ({"keys": [entry("anonymous", ADA)]}, "keys.0.name: "),
        ({"keys": [entry("two words", ADA)]}, "keys.0.name: "),
        ({"keys": [{"name": "x", "sha256": PASTED}]}, "keys.0.sha256: "),
        ({"keys": [entry("x", ADA, token=PASTED)]}, "keys.0.token: "),
        ({"keys": [entry("x", ADA, character_limit=0)]}, "keys.0.character_limit: "),
        ({"keys": [entry("x", ADA, characters_per_minute="9")]}, "keys.0.characters_per_minute"),
    ],
)
def test_a_damaged_file_is_refused_in_one_line_without_its_values(tmp_path, content, words):
    path = tmp_path / "keys.json"
    path.write_bytes(content if isinstance(content, bytes) else json.dumps(content).encode())
    with pytest.raises(ConfigError) as caught:
        read_keys(path)
    message = str(caught.value)
    assert message.startswith(f"{path}: ")
    assert words in message
    assert "\n" not in message
    assert PASTED not in "".join(traceback.format_exception(caught.value))


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(ConfigError, match=r"keys\.json: cannot be read: No such file"):
        KeyRing(tmp_path / "keys.json").load()


def test_keys_come_and_go_with_the_file(ring, path):
    write(path, entry("bob", BOB), entry("cy", "c" * 43))
    assert name_of(ring, ADA) == "ada"  # not read again yet
    ring.refresh()
    assert [name_of(ring, key) for key in (ADA, BOB, "c" * 43)] == [None, "bob", "cy"]


def test_an_unchanged_file_is_not_read_again(ring, monkeypatch):
    monkeypatch.setattr("service.clients.keys.read_keys", pytest.fail)
    ring.refresh()
    assert name_of(ring, ADA) == "ada"


@pytest.mark.parametrize("damage", [lambda path: path.write_text("{"), Path.unlink])
def test_a_damaged_file_keeps_the_keys_and_is_told_once(ring, path, damage, caplog):
    caplog.set_level(logging.INFO)
    damage(path)
    ring.refresh()
    ring.refresh()
    assert name_of(ring, ADA) == "ada"
    (record,) = caplog.records
    assert record.getMessage().endswith("; the keys read before stay valid")
    write(path, entry("bob", BOB))
    ring.refresh()
    assert name_of(ring, ADA) is None
    damage(path)
    ring.refresh()
    assert len(caplog.records) == 2  # new damage is news
