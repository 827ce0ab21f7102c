"""The launchers: which Python they take, when they install, what they ask pip for.

Nothing is installed here. A stand-in for Python makes a `.venv` of stand-ins, writes down each
pip install and each start of a program, and carries out `-c CODE` as Python would.
"""

from __future__ import annotations

import http.server
import json
import os
import shutil
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

LAUNCHERS = ["scripts/serve", "scripts/test", ".ci/run"]
PARTS = ["scripts/serve", "scripts/test", "scripts/setup.sh", "pyproject.toml", "constraints.txt"]

PATIENCE_S = 300
"""Ends a test that hangs; no test comes near it, however busy the machine."""

# -I -S: no site-packages, so that the many short runs start fast
STAND_IN = f"""#!{sys.executable} -IS
import json, os, pathlib, shutil, socket, sys

args = sys.argv[1:]
calls = pathlib.Path(os.environ["CALLS"])
module = args[args.index("-m") + 1] if "-m" in args else ""


def record(kind):
    with calls.open("a") as lines:
        lines.write(json.dumps([kind, *args]) + "\\n")


setting_up = module in ("venv", "pip") or ("-c" in args and "importlinter" not in args[-1])
if setting_up and "-I" not in args:
    sys.exit("would run modules of the folder of whoever calls")
if module == "venv":
    if "--clear" in args:
        shutil.rmtree(args[-1], ignore_errors=True)
    bin = pathlib.Path(args[-1]) / "bin"
    bin.mkdir(parents=True)
    shutil.copy(__file__, bin / "python")
elif module == "pip" and "install" in args:
    record("install")
    if "GATE" in os.environ:  # wait until the test closes its end
        socket.create_connection(("127.0.0.1", int(os.environ["GATE"]))).recv(1)
    sys.exit(int(os.environ.get("PIP_STATUS", "0")))
elif module == "pip":
    pass
elif module or "importlinter" in args[-1]:
    record("run")
    sys.exit(module == os.environ.get("FAILING"))
else:
    code = args.index("-c")
    sys.argv = ["-c", *args[code + 2 :]]
    exec(args[code + 1])
"""

PYTHON_3_9 = f"""#!{sys.executable} -IS
import sys

sys.version_info = (3, 9, 18)
exec(sys.argv[sys.argv.index("-c") + 1])
"""


class Checkout:
    """A copy of the launchers in a folder of their own, run with stand-ins first on PATH."""

    def __init__(self, folder: Path, source: Path) -> None:
        self.root = folder / "a checkout"  # a space: every path has to be quoted
        for part in PARTS:
            (self.root / part).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(source / part, self.root / part)
        self.bin = folder / "bin"
        self.elsewhere = folder / "elsewhere"
        for made in (self.bin, self.elsewhere):
            made.mkdir()
        self._calls = folder / "calls"
        self._calls.touch()
        self.put_on_path("python3", STAND_IN)
        self.env = {
            "PATH": f"{self.bin}:{os.defpath}",
            "HOME": str(self.elsewhere),
            "CALLS": str(self._calls),
            "MT_TORCH_INDEX": "",
        }

    def put_on_path(self, name: str, script: str) -> None:
        (self.bin / name).write_text(script)
        (self.bin / name).chmod(0o755)

    def start(self, launcher: str, *arguments: str, **env: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [self.root / "scripts" / launcher, *arguments],
            cwd=self.elsewhere,
            env=self.env | env,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )

    def run(self, launcher: str, *arguments: str, **env: str) -> tuple[int, str]:
        """Run a launcher to its end: exit status and what it said on stderr."""
        process = self.start(launcher, *arguments, **env)
        _, said = process.communicate(timeout=PATIENCE_S)
        return process.returncode, said

    def serve(self, *arguments: str, **env: str) -> tuple[int, str]:
        return self.run("serve", *arguments, **env)

    def installs(self) -> list[list[str]]:
        """Arguments of each call of pip install, in order."""
        return [args for kind, *args in self._recorded() if kind == "install"]

    def runs(self) -> list[list[str]]:
        """Arguments of each start of another program, in order."""
        return [args for kind, *args in self._recorded() if kind == "run"]

    def _recorded(self) -> list[list[str]]:
        return [json.loads(line) for line in self._calls.read_text().splitlines()]


def value_of(option: str, arguments: list[str]) -> str | None:
    return arguments[arguments.index(option) + 1] if option in arguments else None


@pytest.fixture
def copy(tmp_path: Path, checkout: Path) -> Checkout:
    return Checkout(tmp_path, checkout)


@pytest.mark.parametrize("name", [*LAUNCHERS, "scripts/setup.sh"])
def test_bash_can_read_the_launcher(name: str, checkout: Path) -> None:
    subprocess.run(["bash", "-n", checkout / name], check=True)


@pytest.mark.parametrize("name", LAUNCHERS)
def test_the_launcher_is_executable(name: str, checkout: Path) -> None:
    assert os.access(checkout / name, os.X_OK)


def test_a_machine_without_a_fitting_python_is_told_what_was_tried(copy: Checkout) -> None:
    copy.put_on_path("python3", PYTHON_3_9)
    for version in ("python3.13", "python3.12", "python3.11"):
        copy.put_on_path(version, "#!/bin/sh\necho 'first line' >&2; echo broken >&2; exit 127\n")
    status, said = copy.serve()
    assert status == 1
    assert "needs Python 3.11 or newer" in said
    assert "python3: is Python 3.9" in said
    assert "python3.11: broken" in said
    assert not (copy.root / ".venv").exists()


def test_the_next_python_is_taken_when_the_first_does_not_fit(copy: Checkout) -> None:
    copy.put_on_path("python3", "#!/bin/sh\nexit 1\n")
    copy.put_on_path("python3.13", "#!/bin/sh\nexit 127\n")
    copy.put_on_path("python3.12", STAND_IN)
    assert copy.serve()[0] == 0
    assert len(copy.runs()) == 1


def test_a_python_named_by_the_user_is_not_replaced_by_another(copy: Checkout) -> None:
    status, said = copy.serve(PYTHON="python-of-mine")
    assert status == 1
    assert "python-of-mine: " in said
    assert copy.installs() == []


def test_the_first_start_installs_and_the_second_does_not(copy: Checkout) -> None:
    assert copy.serve("--port", "1", "two words")[0] == 0
    assert copy.serve()[0] == 0
    (install,) = copy.installs()
    assert value_of("--editable", install) == str(copy.root)
    assert value_of("--constraint", install) == str(copy.root / "constraints.txt")
    program = ["-P", "-m", "scripts.serve"]
    assert copy.runs() == [[*program, "--port", "1", "two words"], program]


@pytest.mark.parametrize("name", ["pyproject.toml", "constraints.txt"])
def test_a_changed_requirement_installs_again(name: str, copy: Checkout) -> None:
    copy.serve()
    with (copy.root / name).open("a") as file:
        file.write("# changed\n")
    copy.serve()
    assert len(copy.installs()) == 2


def test_a_moved_checkout_installs_again(copy: Checkout) -> None:
    copy.serve()
    copy.root = copy.root.rename(copy.root.with_name("moved"))
    copy.serve()
    assert value_of("--editable", copy.installs()[1]) == str(copy.root)


def test_a_failed_install_starts_nothing_and_is_done_again(copy: Checkout) -> None:
    status, said = copy.serve(PIP_STATUS="1")
    assert status == 1
    assert "pip could not install" in said
    assert copy.runs() == []
    assert copy.serve()[0] == 0
    assert len(copy.installs()) == 2


def test_a_failed_update_does_not_pass_for_the_old_install(copy: Checkout) -> None:
    copy.serve()
    unchanged = (copy.root / "constraints.txt").read_text()
    (copy.root / "constraints.txt").write_text("# changed\n")
    copy.serve(PIP_STATUS="1")
    (copy.root / "constraints.txt").write_text(unchanged)
    copy.serve()
    assert len(copy.installs()) == 3


def test_a_half_made_environment_is_made_again(copy: Checkout) -> None:
    python = copy.root / ".venv" / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.write_text("#!/bin/sh\nexit 1\n")  # a venv whose pip never arrived
    python.chmod(0o755)
    assert copy.serve()[0] == 0
    assert len(copy.runs()) == 1


def test_of_two_set_ups_at_once_one_installs_and_the_other_waits(copy: Checkout) -> None:
    with socket.create_server(("127.0.0.1", 0)) as gate:
        gate.settimeout(PATIENCE_S)
        first = copy.start("serve", GATE=str(gate.getsockname()[1]))
        installing, _ = gate.accept()
        second = copy.start("serve")
        assert second.stderr is not None
        said = second.stderr.readline()
        installing.close()
    for process in (first, second):
        process.communicate(timeout=PATIENCE_S)
        assert process.returncode == 0
    assert "waiting for it" in said
    assert len(copy.installs()) == 1
    assert len(copy.runs()) == 2


def test_the_checks_run_fast_ones_first_and_arguments_go_to_pytest(copy: Checkout) -> None:
    assert copy.run("test", "-k", "one")[0] == 0
    assert value_of("--editable", copy.installs()[0]) == f"{copy.root}[dev]"
    *checks, imports, tests = copy.runs()
    assert checks == [["-m", "ruff", "check"], ["-m", "ruff", "format", "--check"], ["-m", "mypy"]]
    assert "lint_imports_command" in imports[-1]
    assert tests[:2] == ["-m", "pytest"]
    assert tests[-2:] == ["-k", "one"]
    assert value_of("--numprocesses", tests) == "auto"


def test_the_first_failing_check_is_the_last(copy: Checkout) -> None:
    assert copy.run("test", FAILING="mypy")[0] == 1
    assert copy.runs()[-1] == ["-m", "mypy"]


def test_what_the_tests_need_covers_what_the_service_needs(copy: Checkout) -> None:
    copy.run("test")
    copy.serve()
    assert len(copy.installs()) == 1


def test_what_the_service_needs_is_not_enough_for_the_tests(copy: Checkout) -> None:
    copy.serve()
    copy.run("test")
    assert len(copy.installs()) == 2


@pytest.fixture
def torch_index() -> Iterator[str]:
    """A package index on loopback that answers every question with an empty page."""

    class Empty(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200 if self.path == "/whl/cpu/torch/" else 404)
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Empty) as server:
        threading.Thread(target=server.serve_forever).start()
        yield f"http://127.0.0.1:{server.server_port}/whl/cpu"
        server.shutdown()


def test_an_index_that_answers_is_handed_to_pip(copy: Checkout, torch_index: str) -> None:
    assert copy.serve(MT_TORCH_INDEX=torch_index)[0] == 0
    assert value_of("--extra-index-url", copy.installs()[0]) == torch_index


def test_an_index_without_torch_is_not_handed_to_pip(copy: Checkout, torch_index: str) -> None:
    status, said = copy.serve(MT_TORCH_INDEX=f"{torch_index}/other")
    assert status == 0
    assert "may be the large build" in said
    assert value_of("--extra-index-url", copy.installs()[0]) is None


def test_a_dead_index_is_left_to_pip_with_a_warning(copy: Checkout) -> None:
    with socket.create_server(("127.0.0.1", 0)) as once:
        port = once.getsockname()[1]
    status, said = copy.serve(MT_TORCH_INDEX=f"http://127.0.0.1:{port}/whl/cpu")
    assert status == 0
    assert "does not answer" in said
    assert value_of("--extra-index-url", copy.installs()[0]) is None


@pytest.mark.slow
def test_an_index_that_never_answers_is_given_up(copy: Checkout) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        index = f"http://127.0.0.1:{silent.getsockname()[1]}/whl/cpu"
        status, said = copy.serve(MT_TORCH_INDEX=index)
    assert status == 0
    assert "does not answer" in said


def test_a_machine_with_a_gpu_asks_no_index_for_the_cpu_build(copy: Checkout) -> None:
    copy.put_on_path("nvidia-smi", "#!/bin/sh\nexit 0\n")
    copy.put_on_path("uname", "#!/bin/sh\necho Linux\n")
    del copy.env["MT_TORCH_INDEX"]
    status, said = copy.serve()
    assert status == 0
    assert "NVIDIA GPU" in said
    assert value_of("--extra-index-url", copy.installs()[0]) is None
