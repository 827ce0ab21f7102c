"""Runs the project's programs the way a user does: a process of their own, bytes in and out.

`call` spares the process, for the many cases of a program whose one case `run` has proven.

Knows how to start a program and what a user's mistake has to look like. Does not know any program.
"""

from __future__ import annotations

import contextlib
import importlib
import io
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from unittest import mock

from support.logs import restored_logging

ROOT = Path(__file__).resolve().parents[2]


def run(
    program: str,
    *arguments: str | Path,
    stdin: bytes = b"",
    folder: Path | None = None,
    environment: Mapping[str, str] | None = None,
) -> subprocess.CompletedProcess[bytes]:
    """Run `python -m scripts.PROGRAM` to its end.

    Args:
        folder: the folder to run it in; the caller's own if None.
        environment: variables to add to the caller's own.
    """
    return subprocess.run(
        [sys.executable, "-m", f"scripts.{program}", *map(str, arguments)],
        input=stdin,
        capture_output=True,
        cwd=folder,
        env=os.environ | {"PYTHONPATH": str(ROOT), "COLUMNS": "80"} | dict(environment or {}),
        timeout=300,
        check=False,
    )


def call(
    program: str, *arguments: str | Path, folder: Path | None = None
) -> subprocess.CompletedProcess[bytes]:
    """What `run` gives, without the seconds that a new process spends on its imports.

    Args:
        folder: the folder to be in meanwhile; the caller's own if None.
    """
    main = importlib.import_module(f"scripts.{program}").main
    line = [program, *map(str, arguments)]
    out, err = io.StringIO(), io.StringIO()
    with (
        restored_logging(),
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(err),
        contextlib.chdir(folder or Path.cwd()),
        mock.patch.object(sys, "argv", line),
    ):
        try:
            main()
        except SystemExit as ended:
            code = ended.code
    assert isinstance(code, int)
    return subprocess.CompletedProcess(line, code, out.getvalue().encode(), err.getvalue().encode())


def assert_mistake(result: subprocess.CompletedProcess[bytes], *words: str) -> None:
    """The program ended as it must on a user's mistake: code 2, one line that holds the words."""
    message = result.stderr.decode()
    assert result.returncode == 2, message
    assert message.startswith("error: "), message
    assert message.count("\n") == 1, message
    assert message.endswith("\n"), message
    assert result.stdout == b""
    for word in words:
        assert word in message, message
