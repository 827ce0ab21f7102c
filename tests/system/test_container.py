"""The image: what the Dockerfile promises, and the container itself on a stand-in for its base."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from support.dockerfile import Stage, read_dockerfile

LARGEST_MEGABYTES = 1200
LARGEST_STOP_S = 15.0
"""Far more than a service without requests takes, and far less than never."""
# What a Debian without anything installed has, and what the Python image itself brings.
LIBRARIES_OF_THE_BASE = (
    *("ld-linux", "libc.", "libm.", "libdl.", "librt.", "libpthread.", "libutil.", "libgcc_s."),
    *("libstdc++.", "libz.", "libbz2.", "liblzma.", "libffi.", "libcrypto.", "libssl.", "libuuid."),
    *("libpython3.", "libsqlite3.", "libexpat."),
    # Not there, but this machine's way to look up names (/etc/nsswitch.conf) may bring them.
    *("libnss_", "libcap."),
)


@pytest.fixture(scope="module")
def stages(checkout: Path) -> list[Stage]:
    return read_dockerfile(checkout / "Dockerfile")


def test_a_dockerfile_is_read_step_by_step(tmp_path: Path) -> None:
    (tmp_path / "Dockerfile").write_text(
        "# a comment\nFROM a AS one\nENV A=1 \\\n  # another\n  B=$A/x\nRUN x ${Y:+z}\n\n"
        'FROM b\nCOPY --from=one /p /q\nCMD ["run", "it"]\n'
    )
    one, two = read_dockerfile(tmp_path / "Dockerfile")
    assert (one.base, one.name, two.base, two.name) == ("a", "one", "b", "")
    assert one.environment()["B"] == "/x"  # A as it was before this instruction
    assert one.last("RUN").value == "x ${Y:+z}"
    assert two.last("COPY").words({}) == ["--from=one", "/p", "/q"]
    assert two.last("CMD").json() == ["run", "it"]


def test_the_image_is_made_in_two_stages_and_the_second_only_copies(stages: list[Stage]) -> None:
    build, final = stages
    assert build.base == final.base == "python:3.11-slim"
    assert [step.name for step in final.steps if step.name in ("RUN", "ADD")] == []
    assert final.last("COPY").words({})[0] == f"--from={build.name}"
    assert any(step.value.startswith("TORCH_INDEX=https://") for step in build.steps)


def test_the_command_is_a_process_of_its_own_that_listens_on_every_interface(
    stages: list[Stage],
) -> None:
    final = stages[1]
    assert final.last("CMD").json() == ["mt-serve"]
    assert final.environment()["MT_HOST"] == "0.0.0.0"
    assert final.last("EXPOSE").value == final.environment()["MT_PORT"]


def test_the_user_is_a_number_that_is_not_root(stages: list[Stage]) -> None:
    user, group = map(int, stages[1].last("USER").value.split(":"))
    assert user > 999
    assert group > 999


def test_health_is_readiness_asked_by_python(stages: list[Stage]) -> None:
    value = stages[1].last("HEALTHCHECK").value
    program, option, code = json.loads(value[value.index("[") :])
    assert (program, option) == ("python", "-c")
    assert "/ready" in code
    compile(code, "HEALTHCHECK", "exec")


def test_everything_that_is_copied_reaches_the_builder(checkout: Path, stages: list[Stage]) -> None:
    let_in = (checkout / ".dockerignore").read_text().splitlines()
    for step in stages[0].steps:
        if step.name == "COPY":
            for source in step.words({})[:-1]:
                assert (checkout / source).exists()
                assert f"!{source}" in let_in


@pytest.mark.parametrize(
    ("wanted", "left"), [(None, ["de-en"]), ("en-de de-en", ["de-en", "en-de"]), ("de-xx", None)]
)
def test_the_image_holds_the_models_that_its_builder_names(
    stages: list[Stage], tmp_path: Path, wanted: str | None, left: list[str] | None
) -> None:
    arguments = dict(step.value.split("=", 1) for step in stages[0].steps if step.name == "ARG")
    (choose,) = [step for step in stages[0].steps if step.name == "RUN" and "MODELS" in step.value]
    models = tmp_path / "mt" / "models"
    for name in ("de-en", "de-en-old", "en-de"):
        (models / name).mkdir(parents=True)

    chosen = subprocess.run(
        ["sh", "-ec", choose.value],
        cwd=tmp_path,
        env=os.environ | {"MODELS": wanted or arguments["MODELS"]},
        capture_output=True,
        text=True,
        check=False,
    )

    if left is None:
        assert chosen.returncode != 0
        assert chosen.stderr == "MODELS: no de-xx; there are: de-en de-en-old en-de\n"
    else:
        assert sorted(path.name for path in models.iterdir()) == left


@pytest.mark.slow
def test_the_container_works_without_root_capabilities_or_a_disk_to_write(
    checkout: Path, tmp_path: Path
) -> None:
    missing = [tool for tool in ("unshare", "nsenter", "setpriv", "ip") if not shutil.which(tool)]
    if os.geteuid() != 0 or missing:
        pytest.skip(f"needs root and {', '.join(missing) or 'nothing else'}")
    private = subprocess.run(
        ["unshare", "--mount", "--pid", "--net", "--fork", "true"], capture_output=True, check=False
    )
    if private.returncode != 0:
        pytest.skip(f"namespaces are not permitted: {private.stderr.decode().strip()}")
    report = tmp_path / "report.json"
    script = checkout / "tests" / "system" / "container_stand_in.py"
    subprocess.run([sys.executable, script, "--json", report], check=True)
    found = json.loads(report.read_text())
    assert found["megabytes"]["image"] < LARGEST_MEGABYTES
    assert found["stop_s"] < LARGEST_STOP_S
    assert found["exit_code"] == 0
    libraries = found["libraries_of_the_base"]
    assert [name for name in libraries if not name.startswith(LIBRARIES_OF_THE_BASE)] == []
