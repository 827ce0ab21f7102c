"""A program that is started many times: forks of a process that has imported all it needs.

Imports take seconds, a fork milliseconds. What runs is the program's own `main` in a process of its
own, which can be killed like any other. Knows how programs are started and end. Does not know any
program.
"""

from __future__ import annotations

import importlib
import json
import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path
from types import TracebackType
from typing import Any, NoReturn

from mt import Translator

ROOT = Path(__file__).resolve().parents[2]


class WarmProgram:
    """`python -m scripts.PROGRAM`, ready to be run; a context manager.

    Args:
        model: a model folder; it translates once, for what is only loaded when first needed.
    """

    def __init__(self, program: str, model: Path) -> None:
        self._process = subprocess.Popen(
            [sys.executable, __file__, program, model],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=os.environ | {"PYTHONPATH": str(ROOT), "COLUMNS": "80"},
        )

    def __enter__(self) -> WarmProgram:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._process.communicate()  # closes its standard input, which ends it

    def run(
        self, *arguments: str | Path, stdin: bytes = b"", kill_after: float | None = None
    ) -> subprocess.CompletedProcess[bytes]:
        """Run the program to its end.

        Args:
            kill_after: seconds after which SIGKILL ends it, if nothing has before; a return code
                of -9 says that it did.
        """
        with tempfile.TemporaryDirectory() as name:
            streams = [Path(name, stream) for stream in ("stdin", "stdout", "stderr")]
            for stream, content in zip(streams, (stdin, b"", b""), strict=True):
                stream.write_bytes(content)  # there even if a kill comes before the program begins
            request = {
                "arguments": [str(argument) for argument in arguments],
                "streams": [str(stream) for stream in streams],
                "kill_after": kill_after,
            }
            assert self._process.stdin is not None
            assert self._process.stdout is not None
            print(json.dumps(request), file=self._process.stdin, flush=True)
            code = int(self._process.stdout.readline())
            _, stdout, stderr = (stream.read_bytes() for stream in streams)
        return subprocess.CompletedProcess(list(arguments), code, stdout, stderr)


def _serve(program: str, model: str) -> None:
    # The descriptors 0 and 1 are for the forks.
    requests, replies = os.fdopen(os.dup(0)), os.fdopen(os.dup(1), "w")
    main = importlib.import_module(f"scripts.{program}").main
    Translator.load(model).translate(["Ein Hund bellt."])
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGCHLD})
    for line in requests:
        request = json.loads(line)
        child = os.fork()
        if not child:
            signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGCHLD})
            _run(main, request)
        code = _ending(child, request["kill_after"])
        print(code, file=replies, flush=True)


def _run(main: Any, request: dict[str, Any]) -> NoReturn:
    modes = (os.O_RDONLY, os.O_WRONLY | os.O_CREAT, os.O_WRONLY | os.O_CREAT)
    for number, (path, mode) in enumerate(zip(request["streams"], modes, strict=True)):
        os.dup2(os.open(path, mode), number)
    sys.argv[1:] = request["arguments"]
    code = 1
    try:
        main()
    except SystemExit as error:
        code = int(error.code or 0)
    finally:
        sys.stdout.flush()
        os._exit(code)


def _ending(child: int, kill_after: float | None) -> int:
    if kill_after is not None and signal.sigtimedwait({signal.SIGCHLD}, kill_after) is None:
        os.kill(child, signal.SIGKILL)
    _, status = os.waitpid(child, 0)
    while signal.sigtimedwait({signal.SIGCHLD}, 0):
        pass  # that of this child, if nobody waited for it
    return os.waitstatus_to_exitcode(status)


if __name__ == "__main__":
    _serve(*sys.argv[1:])
