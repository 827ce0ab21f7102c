"""The Dockerfile carried out without a container engine, and what came out of it tried.

    sudo .venv/bin/python tests/system/container_stand_in.py [--build-arg NAME=VALUE] [--json F]

For machines where no base image can be had. Two root folders stand in for the two stages: this
machine's system folders, read-only, with this Python at /usr/local, and nothing else but what the
steps put there. The Dockerfile is read, not repeated: its RUN steps run in the first root, COPY
fills the second, and there ENV, USER, WORKDIR, CMD and HEALTHCHECK are taken at their word.

The container gets what `docker run --read-only --cap-drop ALL --network none` gives: the command is
process 1 of its own process and network namespaces, its root is mounted read-only, all but its
volumes, and it holds no capability. What cannot be shown here is that the base image lacks nothing
that this system has, so every library that the service has loaded from the base is listed.

Needs Linux, root, and unshare, nsenter and setpriv of util-linux.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path
from typing import Any

CHECKOUT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(CHECKOUT / "tests"))

from support.dockerfile import Stage, read_dockerfile, substituted  # noqa: E402

BASE_MEGABYTES = 130
"""Size of python:3.11-slim (linux/amd64, uncompressed), which no step here can measure."""
SYSTEM = ("bin", "etc", "lib", "lib32", "lib64", "libx32", "sbin", "usr")
"""What the base image is stood in for by."""
UNPRIVILEGED = (
    *("setpriv", "--clear-groups", "--bounding-set=-all", "--inh-caps=-all"),
    *("--ambient-caps=-all", "--no-new-privs"),
)
TRANSLATE = """
import json, os, urllib.request
url = f"http://127.0.0.1:{os.environ['MT_PORT']}/translate"
body = json.dumps({"q": "Guten Morgen.", "source": "de", "target": "en"}).encode()
request = urllib.request.Request(url, body, {"Content-Type": "application/json"})
print(json.load(urllib.request.urlopen(request, timeout=30))["translatedText"])
"""


def main() -> None:
    arguments = _arguments()
    if arguments.folder is not None:
        report = carried_out_and_tried(arguments.folder, dict(arguments.build_arg))
        print(text := json.dumps(report, indent=2, ensure_ascii=False))
        if arguments.json is not None:
            arguments.json.write_text(text + "\n")
        return
    folder = tempfile.mkdtemp(prefix="stand-in-")
    try:
        # What is mounted there, only that process sees, and it goes with it: what is removed here
        # in the end is what the steps have made.
        again = [sys.executable, __file__, *sys.argv[1:], "--folder", folder]
        sys.exit(subprocess.run(["unshare", "--mount", *again], check=False).returncode)
    finally:
        shutil.rmtree(folder)


def carried_out_and_tried(folder: Path, build_arguments: dict[str, str]) -> dict[str, Any]:
    """Make the image in a folder and try it out; returns what was measured."""
    build, final = read_dockerfile(CHECKOUT / "Dockerfile")
    started = time.monotonic()
    root = make_image(build, final, folder, build_arguments)
    report: dict[str, Any] = {"build_s": round(time.monotonic() - started, 1)}
    return report | {"megabytes": size(root)} | try_out(root, final, folder / "log")


def make_image(build: Stage, final: Stage, folder: Path, given: dict[str, str]) -> Path:
    """Carry out both stages; returns the root folder of the last."""
    first, last = folder / "build", folder / "final"
    # pip may be set up to find packages anywhere on this machine: the first stage sees all of it.
    everything = [e.name for e in os.scandir("/") if e.name not in ("dev", "proc", "sys", "tmp")]
    lay_out(first, everything)
    carry_out(build, first, {}, given)
    lay_out(last, SYSTEM)
    carry_out(final, last, {build.name: first}, given)
    return last


def lay_out(root: Path, system: list[str] | tuple[str, ...]) -> None:
    """Make a root folder of this machine's folders, read-only, with this Python at /usr/local."""
    for name in ("dev", "proc", "tmp", "opt", "src"):
        (root / name).mkdir(parents=True)
    (root / "tmp").chmod(0o1777)
    for name in system:
        source = Path("/", name)
        if source.is_symlink():
            (root / name).symlink_to(source.readlink())
        elif name in ("opt", "src"):  # the steps write there, beside what there is
            for inner in source.iterdir():
                bind(inner, root / name / inner.name)
        elif source.is_dir():
            bind(source, root / name)
    if sys.base_prefix not in ("/usr", "/usr/local"):
        bind(Path(sys.base_prefix), root / "usr" / "local")
    for name in ("null", "zero", "full", "random", "urandom"):
        (root / "dev" / name).touch()
        call("mount", "--bind", f"/dev/{name}", root / "dev" / name)


def bind(source: Path, target: Path) -> None:
    """Show a folder or file at another place too, where it cannot be written."""
    if source.is_dir():
        target.mkdir(exist_ok=True)
    else:
        target.touch(exist_ok=True)
    call("mount", "--bind", source, target)
    call("mount", "-o", "remount,bind,ro", target)


def carry_out(stage: Stage, root: Path, stages: dict[str, Path], given: dict[str, str]) -> None:
    """Do the steps of a stage that fill its root."""
    environment = stage.environment() | _of_the_stand_in()
    variables: dict[str, str] = {}
    folder = Path("/")
    for step in stage.steps:
        if step.name == "ARG":
            name, _, default = step.value.partition("=")
            variables[name] = given.get(name, _answering(default))
        elif step.name == "WORKDIR":
            folder = folder / substituted(step.value, variables)
            (root / folder.relative_to("/")).mkdir(parents=True, exist_ok=True)
        elif step.name == "COPY":
            copy(step.words(variables), root, folder, stages)
        elif step.name == "RUN":
            print(f"RUN {step.value}", file=sys.stderr)
            shell = f"cd {folder} && {step.value}"
            pip = {name: value for name, value in os.environ.items() if name.startswith("PIP_")}
            call(
                *("chroot", root, "/bin/sh", "-ec", shell),
                environment=pip | environment | variables | {"HOME": "/root"},
            )


def copy(words: list[str], root: Path, folder: Path, stages: dict[str, Path]) -> None:
    """COPY, from the checkout or from an earlier stage."""
    origin = CHECKOUT
    if words[0].startswith("--from="):
        origin = stages[words.pop(0).removeprefix("--from=")]
    *sources, target = words
    place = root / (folder / target).relative_to("/")
    for name in sources:
        source = origin / name.lstrip("/")
        if source.is_dir():
            shutil.copytree(
                source, place, symlinks=True, dirs_exist_ok=True,
                ignore=shutil.ignore_patterns("__pycache__") if origin == CHECKOUT else None,
            )  # fmt: skip
        else:
            shutil.copy(source, place)


def try_out(root: Path, stage: Stage, log: Path) -> dict[str, Any]:
    """Run the image's command the strictest way there is, and see that it does its work.

    Raises:
        AssertionError: it does not.
    """
    call("mount", "--rbind", root, root)
    call("mount", "-o", "remount,bind,ro", root)
    for step in stage.steps:
        if step.name == "VOLUME":
            place = root / step.value.lstrip("/")
            call("mount", "-t", "tmpfs", "-o", "mode=1777,size=128m", "tmpfs", place)
    inside = _inside(root, stage)
    begin = f'ip link set lo up && mount -t proc proc {root}/proc && exec "$@"'
    started = time.monotonic()
    with log.open("wb") as output:
        container = subprocess.Popen(
            [
                *("unshare", "--pid", "--net", "--ipc", "--uts", "--fork"),
                *("sh", "-c", begin, "sh", *inside, *stage.last("CMD").json()),
            ],
            env=stage.environment() | _of_the_stand_in(),
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    try:
        return _tried(container, inside, stage, log, started)
    except BaseException:
        print(log.read_text(errors="replace"), file=sys.stderr)
        raise
    finally:
        if container.poll() is None:
            os.kill(_first_process(container), signal.SIGKILL)
            container.wait()


def _tried(
    container: subprocess.Popen[bytes], inside: list[str], stage: Stage, log: Path, started: float
) -> dict[str, Any]:
    healthcheck = stage.last("HEALTHCHECK").value
    check = json.loads(healthcheck[healthcheck.index("[") :])
    while enter(container, inside, stage, *check).returncode != 0:
        assert container.poll() is None, "the command ended before it was ready"
        assert time.monotonic() - started < 120, "it does not get ready"
        time.sleep(0.3)
    ready = time.monotonic() - started
    pid = _first_process(container)
    status = dict(
        line.split(":\t", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines()
    )
    assert status["Uid"].split() == [stage.last("USER").value.split(":")[0]] * 4, status["Uid"]
    assert all(int(status[name], 16) == 0 for name in ("CapEff", "CapPrm", "CapBnd")), status
    assert "http://0.0.0.0:" in log.read_text(), "the log does not say where it listens"
    assert _root_is_read_only(pid), "the root can be written"
    translation = enter(container, inside, stage, "python", "-c", TRANSLATE).stdout.decode().strip()
    assert translation == "Good morning.", translation
    libraries = _foreign_libraries(pid)
    memory = int(status["VmRSS"].split()[0]) / 1000
    stopped = time.monotonic()
    os.kill(pid, signal.SIGTERM)
    code = container.wait(timeout=60)
    return {
        "ready_s": round(ready, 2),
        "memory_megabytes": round(memory),
        "translation": translation,
        "stop_s": round(time.monotonic() - stopped, 2),
        "exit_code": code,
        "libraries_of_the_base": libraries,
        "log": log.read_text().splitlines(),
    }


def enter(
    container: subprocess.Popen[bytes], inside: list[str], stage: Stage, *command: str
) -> subprocess.CompletedProcess[bytes]:
    """Run a command in the container, as `docker exec` and HEALTHCHECK do."""
    pid = _first_process(container)
    return subprocess.run(
        ["nsenter", f"--target={pid}", "--pid", "--net", "--ipc", "--uts", *inside, *command],
        env=stage.environment() | _of_the_stand_in(),
        capture_output=True,
        check=False,
    )


def size(root: Path) -> dict[str, int]:
    """Megabytes (10^6 bytes) that the steps added to the base, the largest parts, and the sum."""
    files = [path for path in (root / "opt").rglob("*") if path.is_file() and not path.is_symlink()]
    parts: dict[str, int] = {}
    for path in files:
        words = path.relative_to(root).parts
        part = words[words.index("site-packages") + 1] if "site-packages" in words else "venv"
        parts[part] = parts.get(part, 0) + path.stat().st_size
    largest = sorted(parts.items(), key=lambda item: -item[1])[:8]
    added = sum(parts.values())
    return {
        **{part: round(count / 1e6) for part, count in largest},
        "added": round(added / 1e6),
        "base, as published": BASE_MEGABYTES,
        "image": round(added / 1e6) + BASE_MEGABYTES,
    }


def call(*command: str | Path, environment: dict[str, str] | None = None) -> None:
    """Run a command to a good end; what it prints goes to standard error."""
    subprocess.run([*map(str, command)], check=True, env=environment, stdout=sys.stderr)


def _inside(root: Path, stage: Stage) -> list[str]:
    """The words before a command that make it run in the container's root as its user."""
    user, _, group = stage.last("USER").value.partition(":")
    folder = stage.last("WORKDIR").value
    return [
        *("chroot", str(root), *UNPRIVILEGED, f"--reuid={user}", f"--regid={group or user}"),
        *("sh", "-c", f'cd {folder} && exec "$@"', "sh"),
    ]


def _of_the_stand_in() -> dict[str, str]:
    # The image's Python finds its own library through the linker's cache, a moved one does not.
    return {"LD_LIBRARY_PATH": "/usr/local/lib"}


def _first_process(container: subprocess.Popen[bytes]) -> int:
    children = Path(f"/proc/{container.pid}/task/{container.pid}/children")
    while not children.read_text().split():
        assert container.poll() is None, "the container could not be started"
    return int(children.read_text().split()[0])


def _root_is_read_only(pid: int) -> bool:
    # Fields 5 and 6 of mountinfo(5), as the process sees them: where, and with which options.
    mounts = [line.split() for line in Path(f"/proc/{pid}/mountinfo").read_text().splitlines()]
    return [m[5].split(",")[0] for m in mounts if m[4] == "/"][-1] == "ro"


def _foreign_libraries(pid: int) -> list[str]:
    lines = Path(f"/proc/{pid}/maps").read_text().splitlines()
    paths = {line.split()[-1] for line in lines if ".so" in line}
    base = {Path(path).name for path in paths if "/opt/mt/" not in path}
    return sorted(name for name in base if ".cpython-" not in name)  # but Python's own modules


def _answering(index: str) -> str:
    """A package index if it answers within a few seconds, else none."""
    if index.startswith("http"):
        try:
            urllib.request.urlopen(f"{index}/torch/", timeout=4).close()
        except OSError:
            print(f"{index} does not answer: pip takes torch from elsewhere", file=sys.stderr)
            return ""
    return index


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument(
        "--build-arg", action="append", default=[], metavar="NAME=VALUE",
        type=lambda text: tuple(text.split("=", 1)), help="a build argument of the Dockerfile",
    )  # fmt: skip
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--json", type=Path, metavar="F", help="also write the report here")
    return parser.parse_args()


if __name__ == "__main__":
    main()
