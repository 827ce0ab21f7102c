"""What holds for every test: one thread, settings of the suite and not of the shell, corpora.

Knows where the checkout and the corpora beside it are. Does not know any module under test: it
imports none, so that a test can see what an import brings along.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

ROOT = Path(__file__).resolve().parents[1]
CORPORA = Path(os.environ.get("MT_CORPORA", ROOT.parent / "shared" / "corpora"))
OFFLINE = bool(os.environ.get("MT_OFFLINE"))

# The service reads MT_* from the environment; what the caller's shell holds must not decide a test.
for name in [name for name in os.environ if name.startswith("MT_")]:
    del os.environ[name]

# Read when torch is first imported, here or in a subprocess. Tiny models gain nothing from more
# threads, and sums repeat bit for bit only with the same number of them.
os.environ["OMP_NUM_THREADS"] = "1"

# No test measures speed, so none has a deadline. The suite repeats exactly, so that a failure
# belongs to the change that caused it; `--hypothesis-profile=explore` looks further.
settings.register_profile("suite", deadline=None, derandomize=True)
settings.register_profile("explore", deadline=None, max_examples=2000)
settings.load_profile("suite")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip what needs the corpora folder where it is absent, or an index under MT_OFFLINE."""
    absent = pytest.mark.skip(reason=f"no corpora at {CORPORA}; MT_CORPORA names another folder")
    offline = pytest.mark.skip(reason="MT_OFFLINE is set, and clients come from package indexes")
    for item in items:
        if item.get_closest_marker("shared") and not CORPORA.is_dir():
            item.add_marker(absent)
        if item.get_closest_marker("clients") and OFFLINE:
            item.add_marker(offline)


@pytest.fixture(autouse=True)
def _logging_as_found() -> Iterator[None]:
    """A test that leaves a log configured fails itself, not a later one of its process."""
    before = _logging_handlers()
    yield
    assert _logging_handlers() == before


def _logging_handlers() -> list[logging.Handler]:
    """The root logger's, but for those that pytest has for each phase of a test."""
    handlers = logging.getLogger().handlers
    return [each for each in handlers if not type(each).__module__.startswith("_pytest.")]


@pytest.fixture(scope="session")
def checkout() -> Path:
    """The repository's root folder."""
    return ROOT


@pytest.fixture(scope="session")
def corpora() -> Path:
    """The folder of parallel corpora; for tests marked `shared`."""
    return CORPORA
