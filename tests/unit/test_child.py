"""Processes of the server's own: where they find their modules."""

import asyncio
import json
import site
import sys
from pathlib import Path

import service
from service.child import start_child

OURS = Path(service.__file__).parents[1]
# Without -S an installed package would be found in any case.
BARE = [sys.executable, "-S", "-P", "-c"]


def said_by(*command: str) -> object:
    """The line of JSON that a child writes."""

    async def run() -> bytes:
        child = await start_child(command)
        output, _ = await child.communicate()
        return output

    return json.loads(asyncio.run(asyncio.wait_for(run(), 60)))


def test_a_child_finds_a_package_that_is_not_installed_and_what_the_variable_names(
    tmp_path, monkeypatch
):
    (tmp_path / "service").mkdir()
    for name in ("service/__init__.py", "another.py"):
        (tmp_path / name).touch()
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    code = "import json, service, another; print(json.dumps([service.__file__, another.__file__]))"
    assert said_by(*BARE, code) == [service.__file__, str(tmp_path / "another.py")]


def test_what_is_installed_does_not_go_before_the_modules_of_python(monkeypatch):
    monkeypatch.setenv("PYTHONPATH", "/elsewhere")
    monkeypatch.setattr(site, "getsitepackages", lambda: [str(OURS)])
    code = "import json, os; print(json.dumps(os.environ['PYTHONPATH']))"
    assert said_by(*BARE, code) == "/elsewhere"
