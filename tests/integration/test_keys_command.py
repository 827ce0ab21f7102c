"""mt-keys, from the file it writes to the service that reads it."""

from __future__ import annotations

import asyncio
import json
import os
import stat
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from service.clients.access import Access
from service.clients.keys import read_keys, sha256_of
from service.clients.usage import Usage
from service.errors import ServiceError
from service.settings import Settings
from support.commands import ROOT, assert_mistake, call, run


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "keys.json"


def add(file: Path, name: str, *options: str) -> str:
    result = call("keys", "add", name, "--file", file, *options)
    assert result.returncode == 0, result.stderr
    return result.stdout.decode().removesuffix("\n")


def table(*arguments: str | Path) -> list[list[str]]:
    result = call("keys", "list", *arguments)
    assert result.returncode == 0, result.stderr
    # Columns are two spaces or more apart, words of a cell one.
    lines = result.stdout.decode().splitlines()
    return [[cell.strip() for cell in line.split("  ") if cell.strip()] for line in lines]


def admitted(file: Path, key: str) -> str:
    async def identify() -> str:
        access = Access(Settings(api_keys_file=file))
        await access.start()
        try:
            return access.identify({}, key, "203.0.113.1").name
        finally:
            await access.close()

    return asyncio.run(identify())


@pytest.mark.parametrize("to", ["> /dev/full", ">&-"])
def test_a_key_that_cannot_be_told_is_not_kept(file, to):
    if "full" in to and not Path("/dev/full").exists():
        pytest.skip("no /dev/full on this system")
    command = f"exec {sys.executable} -m scripts.keys add ada --file {file} {to}"
    result = subprocess.run(
        ["sh", "-c", command], capture_output=True, env=os.environ | {"PYTHONPATH": str(ROOT)}
    )
    assert_mistake(result, "standard output")
    assert not file.exists()


def test_a_new_key_opens_the_service_until_it_is_removed(file):
    key = add(file, "ada")
    assert admitted(file, key) == "ada"
    other = add(file, "bob")
    assert call("keys", "remove", "ada", "--file", file).returncode == 0
    assert admitted(file, other) == "bob"
    with pytest.raises(ServiceError, match="Invalid API key"):
        admitted(file, key)


def test_the_key_is_all_of_standard_output_and_is_kept_nowhere(file):
    result = run("keys", "add", "ada", "--file", file, "--character-limit", "500")
    assert result.returncode == 0, result.stderr
    key = result.stdout.decode().removesuffix("\n")
    assert json.loads(file.read_bytes()) == {
        "keys": [{"name": "ada", "sha256": sha256_of(key), "character_limit": 500}]
    }
    assert key not in file.read_text()
    assert key not in result.stderr.decode()


def test_only_its_owner_may_read_the_file(file):
    mask = os.umask(0o022)
    try:
        for name in ("ada", "bob"):
            add(file, name)
            assert stat.S_IMODE(file.stat().st_mode) == 0o600
        assert os.umask(0o022) == 0o022  # as it was
    finally:
        os.umask(mask)
    assert [path.name for path in file.parent.iterdir()] == [file.name]


def test_a_file_that_the_service_reads_as_its_group_stays_readable(file):
    add(file, "ada")
    file.chmod(0o640)
    add(file, "bob")
    assert stat.S_IMODE(file.stat().st_mode) == 0o640


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
def test_root_does_not_take_the_file_from_the_service(file):
    add(file, "ada")
    os.chown(file, 1234, 4321)
    add(file, "bob")
    assert (file.stat().st_uid, file.stat().st_gid) == (1234, 4321)


def test_a_link_to_the_file_stays_one(file, tmp_path):
    add(file, "ada")
    link = tmp_path / "link.json"
    link.symlink_to(file)
    add(link, "bob")
    assert link.is_symlink()
    assert [key.name for key in read_keys(file).keys] == ["ada", "bob"]


def test_keys_added_at_once_are_all_there(file):
    def add_in_process(name: str) -> int:
        command = [sys.executable, "-m", "scripts.keys", "add", name, "--file", str(file)]
        return subprocess.run(command, capture_output=True, check=False).returncode

    names = [f"client-{number}" for number in range(6)]
    with ThreadPoolExecutor(len(names)) as threads:
        assert list(threads.map(add_in_process, names)) == [0] * len(names)
    assert sorted(key.name for key in read_keys(file).keys) == names


def test_the_list_shows_limits(file):
    add(file, "ada")
    add(file, "bob", "--characters-per-minute", "0", "--character-limit", "2500000")
    add(file, "cy", "--characters-per-minute", "1000")
    assert table("--file", file) == [
        ["name", "a minute", "limit"],
        ["ada", "the server's", "none"],
        ["bob", "none", "2,500,000"],
        ["cy", "1,000", "none"],
    ]


def test_the_list_shows_usage_while_the_service_counts(file, tmp_path):
    add(file, "ada")
    add(file, "bob")

    async def count() -> list[list[str]]:
        usage = Usage(tmp_path / "usage")
        await usage.open()
        for characters in (1000, 500):
            usage.charge("ada", characters)
        usage.charge("gone", 7)
        await usage.flush()
        try:
            return await asyncio.to_thread(table, "--file", file, "--usage", tmp_path / "usage")
        finally:
            await usage.close()

    assert asyncio.run(count()) == [
        ["name", "a minute", "limit", "characters", "requests", "characters this month"],
        ["ada", "the server's", "none", "1,500", "2", "1,500"],
        ["bob", "the server's", "none", "0", "0", "0"],
        ["gone", "no key", "no key", "7", "1", "7"],
    ]


def test_mistakes_are_one_line_and_change_nothing(file, tmp_path):
    assert_mistake(call("keys", "list", "--file", file), str(file), "No such file")
    assert_mistake(call("keys", "remove", "ada", "--file", file), str(file), "No such file")
    assert not file.exists()
    add(file, "ada")
    before = file.read_bytes()
    for arguments, word in [
        (["add", "ada"], "has a key of ada already"),
        (["add", "two words"], "name: a name has up to 64 of A-Z a-z 0-9 . _ @ -"),
        (["add", "bob", "--character-limit", "1e6"], "(found '1e6')"),
        (["add", "anonymous"], "name of clients without keys"),
        (["add", "bob", "--character-limit", "0"], "character_limit"),
        (["add", "bob", "--characters-per-minute", "-1"], "characters_per_minute"),
        (["remove", "bob"], "has no key of bob"),
        (["list", "--usage", str(tmp_path / "none")], "cannot read usage"),
    ]:
        assert_mistake(call("keys", *arguments, "--file", file), word)
        assert file.read_bytes() == before
    elsewhere = tmp_path / "missing" / "keys.json"
    assert_mistake(call("keys", "add", "ada", "--file", elsewhere), "No such file")


def test_a_device_without_end_is_not_read():
    assert_mistake(call("keys", "list", "--file", "/dev/zero"), "/dev/zero is not a regular file")


def test_a_damaged_file_is_not_written_over(file):
    file.write_text('{"keys": [')
    assert_mistake(call("keys", "add", "ada", "--file", file), "Invalid JSON")
    assert file.read_text() == '{"keys": ['
