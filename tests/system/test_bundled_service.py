"""The real server with the bundled models: what it keeps to itself, and what it does without."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import threading
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.commands import ROOT

WAIT_S = 60
TEXT = "Geheimnis7431"
NATIVE = {"source": "de", "target": "en"}


class Running:
    """A server, and all that it has said so far."""

    def __init__(self, environment: dict[str, str]) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "scripts.serve", "--port", "0", "--model", "de-en"],
            stderr=subprocess.PIPE,
            text=True,
            env=os.environ | {"PYTHONPATH": str(ROOT), "MT_WORKERS": "1"} | environment,
        )
        self.said = ""
        self._there = threading.Event()
        self._listener = threading.Thread(target=self._listen)
        self._listener.start()
        assert self._there.wait(WAIT_S), self.said
        self.url = self.said.split(" on ")[1].split()[0]

    def ask(self, path: str, body: object = None, **headers: str) -> tuple[int, str]:
        data = None if body is None else json.dumps(body).encode()
        headers = {name.replace("_", "-"): value for name, value in headers.items()}
        if data:
            headers["content-type"] = "application/json"
        request = urllib.request.Request(self.url + path, data, headers)
        try:
            with urllib.request.urlopen(request, timeout=WAIT_S) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()

    def stop(self) -> str:
        self.process.terminate()
        self.process.wait(WAIT_S)
        self._listener.join(WAIT_S)
        return self.said

    def _listen(self) -> None:
        assert self.process.stderr is not None
        with self.process.stderr as lines:
            for line in lines:
                self.said += line
                if "try: curl" in line:
                    self._there.set()


@pytest.fixture(scope="module")
def key_file(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    path = tmp_path_factory.mktemp("keys") / "keys.json"
    made = subprocess.run(
        [sys.executable, "-m", "scripts.keys", "add", "somebody", "--file", str(path)],
        capture_output=True,
        text=True,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        check=True,
    )
    return path, made.stdout.split()[-1]


@pytest.fixture
def server(key_file: tuple[Path, str]) -> Iterator[Running]:
    running = Running({"MT_API_KEYS_FILE": str(key_file[0])})
    yield running
    running.stop()


def test_neither_texts_nor_keys_nor_addresses_are_told(
    server: Running, key_file: tuple[Path, str]
) -> None:
    key = key_file[1]
    query = urllib.parse.urlencode({"q": TEXT, "api_key": key, **NATIVE})
    bearer = {"Authorization": f"Bearer {key}"}
    asked = [
        server.ask("/translate", {"q": TEXT, "api_key": key, **NATIVE}),
        server.ask(f"/translate?{query}", ""),
        server.ask("/translate", {"q": TEXT, "api_key": TEXT, **NATIVE}),
        server.ask("/translate", {"q": TEXT, "source": TEXT, "target": "en", "api_key": key}),
        server.ask("/detect", {"q": TEXT, "api_key": key}),
        server.ask("/v1/translate", {"texts": TEXT, **NATIVE}, **bearer),
        server.ask("/v1/translate", {TEXT: TEXT}, **bearer),
        server.ask("/v1/translate/stream", {"texts": [TEXT] * 3, **NATIVE}, **bearer),
        server.ask(f"/v1/models/{TEXT}", **bearer),
        server.ask(
            *("/v2/translate", {"text": [TEXT], "target_lang": "EN-GB"}),
            Authorization=f"DeepL-Auth-Key {key}",
        ),
        server.ask(f"/{TEXT}/{key}"),
        server.ask("/health", X_API_Key=key),
    ]
    status, metrics = server.ask("/metrics", **bearer)
    assert status == 200
    said = server.stop()
    assert {200, 400, 403, 404} <= {status for status, _ in asked}
    assert said.count('"event":"request"') == len(asked) + 1
    for secret in (TEXT, key, TEXT.lower(), urllib.parse.quote(TEXT)):
        assert secret not in metrics
        assert secret not in said
    # The address that it listens at is told once, before the first request.
    assert said.count("127.0.0.1") == said.split("try: curl")[0].count("127.0.0.1") + 1


OFFLINE = """
import fcntl, json, os, re, socket, struct, subprocess, sys, urllib.request

# Only loopback, which is down in a new network namespace.
with socket.socket() as any_socket:
    request = struct.pack("16sh14x", b"lo", 1)  # IFF_UP
    fcntl.ioctl(any_socket, 0x8914, request)  # SIOCSIFFLAGS
assert [name for _, name in socket.if_nameindex()] == ["lo"]
server = subprocess.Popen(
    [sys.executable, "-m", "scripts.serve", "--port", "0", "--workers", "1"],
    stderr=subprocess.PIPE,
    text=True,
)
said = ""
while not (found := re.search(r"on (http://127\\.0\\.0\\.1:\\d+)\\n", said)):
    line = server.stderr.readline()
    assert line, said
    said += line
body = json.dumps({"q": "Guten Morgen.", "source": "auto", "target": "en"}).encode()
headers = {"content-type": "application/json"}
request = urllib.request.Request(found[1] + "/translate", body, headers)
print(urllib.request.urlopen(request, timeout=60).read().decode())
print(len(urllib.request.urlopen(found[1] + "/docs", timeout=60).read()) > 100)
server.terminate()
server.wait()
"""


def test_the_service_starts_and_translates_without_a_network() -> None:
    unshare = shutil.which("unshare")
    if not unshare:
        pytest.skip("unshare, of util-linux, is not here")
    command = [unshare, "--net", "--map-root-user"]
    if subprocess.run([*command, "true"], capture_output=True, check=False).returncode:
        pytest.skip("this machine does not let its users have network namespaces")
    done = subprocess.run(
        [*command, sys.executable, "-c", OFFLINE],
        capture_output=True,
        text=True,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        timeout=2 * WAIT_S,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    answer, docs = done.stdout.splitlines()
    assert json.loads(answer)["translatedText"] == "Good morning."
    assert docs == "True"
