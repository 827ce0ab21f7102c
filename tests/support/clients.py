"""Other people's clients of translation services, unmodified, each in an environment of its own.

Knows which versions there are, how they are installed, and how to run code beside them. Does not
know servers, nor what a client is asked.

Environments stay in the folder they are made in, so that only the first run needs an index.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

VERSIONS = {
    "deepl": "1.32.0",
    "deep-translator": "1.11.4",
    "libretranslatepy": "2.1.4",
    "translate": "3.8.0",
    "deepl-node": "1.28.0",
}
"""The versions tested; deepl-node is npm's, the others are PyPI's."""
INSTALL_S = 300
RUN_S = 120

Run = Callable[[str, str], Any]
"""Runs some lines of setting up, then the body of a function; gives what that returns, by way of
JSON."""


def python_client(cache: Path, name: str) -> Run:
    """A client for Python; skips the test if it cannot be installed."""
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    folder = cache / f"{name}-{VERSIONS[name]}-python{version}"
    python = folder / "bin" / "python"
    _install(
        folder,
        [sys.executable, "-m", "venv", "--clear", "--without-pip", str(folder)],
        # No retries: where there is no index, that is soon said.
        [
            *(sys.executable, "-m", "pip", "--python", str(python), "--disable-pip-version-check"),
            *("install", "--quiet", "--retries", "0", "--timeout", "10"),
            f"{name}=={VERSIONS[name]}",
        ],
    )

    def run(setting_up: str, body: str) -> Any:
        program = (
            f"import json\n{setting_up}\ndef main():\n{textwrap.indent(body, ' ')}\n"
            "print(json.dumps(main()))\n"
        )
        return _run([str(python), "-I", "-c", program], folder)

    return run


def node_client(cache: Path, name: str) -> Run:
    """A client for Node.js; skips the test if it cannot be installed."""
    for program in ("node", "npm"):
        if not shutil.which(program):
            pytest.skip(f"{name} needs {program}, which is not there")
    folder = cache / f"{name}-{VERSIONS[name]}"
    folder.mkdir(exist_ok=True)
    _install(
        folder,
        [
            *("npm", "install", "--prefix", str(folder), "--ignore-scripts", "--no-audit"),
            *("--no-fund", "--fetch-retries=0", "--fetch-timeout=10000"),
            f"{name}@{VERSIONS[name]}",
        ],
    )

    def run(setting_up: str, body: str) -> Any:
        program = (
            f"{setting_up}\nasync function main() {{\n{body}\n}}\n"
            "main().then((answer) => console.log(JSON.stringify(answer)));\n"
        )
        return _run(["node", "-e", program], folder)

    return run


def _install(folder: Path, *commands: list[str]) -> None:
    complete = folder / "complete"
    if complete.exists():
        return
    for command in commands:
        result = _result_of(command, folder.parent, INSTALL_S)
        if result.returncode:
            said = [line for line in result.stderr.splitlines() if "error" in line.lower()]
            pytest.skip(f"{folder.name} cannot be installed: {said[0] if said else 'no reason'}")
    complete.touch()


def _run(command: list[str], folder: Path) -> Any:
    result = _result_of(command, folder, RUN_S)
    assert result.returncode == 0, result.stderr
    return json.loads(result.stdout)


def _result_of(command: list[str], folder: Path, limit_s: int) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command,
        cwd=folder,
        capture_output=True,
        text=True,
        env=os.environ | {"NO_PROXY": "127.0.0.1", "no_proxy": "127.0.0.1"},
        timeout=limit_s,
        check=False,
    )
