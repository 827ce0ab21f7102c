"""A translator that upper-cases, with every failure and delay a test may want.

A line of a text is a source, a character of it is a piece, a hypothesis is a string: what a
test expects can be counted by hand.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from mt.config import SearchConfig
from mt.errors import InputError


@dataclass(frozen=True)
class FakePlan:
    """A text and the code points of each of its lines that is not blank."""

    text: str
    sources: tuple[tuple[int, ...], ...]


class FakeAlternative(NamedTuple):
    """What `mt.translator.Alternative` offers."""

    text: str
    score: float = 0.0


@dataclass(frozen=True)
class FakeTranslation:
    """What `mt.Translation` offers."""

    text: str
    score: float = 0.0
    flags: frozenset[str] = frozenset()
    alternatives: tuple[FakeAlternative, ...] = ()


@dataclass
class FakeTranslator:
    """Translates each line by `convert`; its k-th alternative is marked `#k`."""

    name: str = "fake"
    source_language: str = "de"
    target_language: str = "en"
    convert: Callable[[str], str] = str.upper
    search_config: SearchConfig = field(default_factory=SearchConfig)
    engine: str = "none"

    # Each is a text that, found in a source, makes that call raise.
    refuse_plan: str | None = None
    fail_plan: str | None = None
    fail_search: str | None = None
    die_in_search: str | None = None
    fail_finish: str | None = None

    gate: threading.Event = field(default_factory=threading.Event)
    """Searches wait for it; set at first."""
    searching: threading.Event = field(default_factory=threading.Event)
    """Set whenever a search begins."""
    planned: list[str] = field(default_factory=list)
    """The texts planned, in order."""
    batches: list[list[str]] = field(default_factory=list)
    """The sources of every search, in order."""
    n_bests: list[int] = field(default_factory=list)
    """The `n_best` of every search, in order."""
    threads: set[str] = field(default_factory=set)
    """Names of the threads that called."""

    def __post_init__(self) -> None:
        self.gate.set()

    def plan(self, text: str) -> FakePlan:
        self.threads.add(threading.current_thread().name)
        self.planned.append(text)
        if self.refuse_plan is not None and self.refuse_plan in text:
            raise InputError("this text is refused")
        if self.fail_plan is not None and self.fail_plan in text:
            raise RuntimeError("plan failed")
        lines = (line for line in text.split("\n") if line.strip())
        return FakePlan(text, tuple(tuple(map(ord, line)) for line in lines))

    def search(self, sources: Sequence[Sequence[int]], *, n_best: int = 1) -> list[list[str]]:
        self.threads.add(threading.current_thread().name)
        lines = ["".join(map(chr, source)) for source in sources]
        self.batches.append(lines)
        self.n_bests.append(n_best)
        self.searching.set()
        assert self.gate.wait(timeout=60), "a test forgot to open the gate"
        for line in lines:
            if self.die_in_search is not None and self.die_in_search in line:
                raise SystemExit("the worker dies")
            if self.fail_search is not None and self.fail_search in line:
                raise RuntimeError("search failed")
        return [
            [self.convert(line) + (f"#{k}" if k else "") for k in range(n_best)] for line in lines
        ]

    def finish(self, plan: FakePlan, results: Sequence[Sequence[str]]) -> FakeTranslation:
        if self.fail_finish is not None and self.fail_finish in plan.text:
            raise RuntimeError("finish failed")
        n_best = max(map(len, results), default=1)
        texts = [_join(plan.text, [hypotheses[k] for hypotheses in results]) for k in range(n_best)]
        return FakeTranslation(texts[0], alternatives=tuple(map(FakeAlternative, texts[1:])))

    def hold(self) -> None:
        """Make the next search wait until `release`."""
        self.searching.clear()
        self.gate.clear()

    def release(self) -> None:
        """Let searches through."""
        self.gate.set()

    def forget(self) -> None:
        """Forget the calls so far."""
        self.planned.clear()
        self.batches.clear()
        self.n_bests.clear()


def _join(text: str, translations: Sequence[str]) -> str:
    rest = iter(translations)
    return "\n".join(next(rest) if line.strip() else line for line in text.split("\n"))
