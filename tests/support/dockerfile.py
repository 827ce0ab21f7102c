"""The steps of a Dockerfile, as far as ours goes.

Knows the syntax: comments, continued lines, build arguments, variables, JSON lists. Does not know
how a step is carried out.
"""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple


class Step(NamedTuple):
    """One instruction; continued lines are joined."""

    name: str
    """In capitals: RUN, COPY, ..."""
    value: str

    def json(self) -> list[str]:
        """The words of an exec form.

        Raises:
            ValueError: the value is a shell form.
        """
        words = json.loads(self.value)
        if not isinstance(words, list):
            raise ValueError(f"{self.name} {self.value}: not a list of words")
        return words

    def words(self, variables: Mapping[str, str]) -> list[str]:
        """The words of the value, variables put in."""
        return [substituted(word, variables) for word in shlex.split(self.value)]


@dataclass
class Stage:
    """From a FROM to the next."""

    base: str
    name: str = ""
    steps: list[Step] = field(default_factory=list)

    def last(self, name: str) -> Step:
        """The step of that name that counts."""
        return [step for step in self.steps if step.name == name][-1]

    def environment(self) -> dict[str, str]:
        """Everything that ENV sets, on top of the base's path."""
        found = {"PATH": "/usr/local/bin:/usr/local/sbin:/usr/bin:/usr/sbin:/bin:/sbin"}
        for step in self.steps:
            if step.name == "ENV":
                for word in step.words(found):
                    name, _, value = word.partition("=")
                    found[name] = value
        return found


def read_dockerfile(path: Path) -> list[Stage]:
    """The stages of a Dockerfile, in order."""
    lines = [line for line in path.read_text().splitlines() if not line.lstrip().startswith("#")]
    stages: list[Stage] = []
    for line in "\n".join(lines).replace("\\\n", " ").splitlines():
        if not line.strip():
            continue
        name, value = line.strip().split(None, 1)
        if name == "FROM":
            base, *rest = value.split()
            stages.append(Stage(base, rest[1] if rest else ""))
        else:
            stages[-1].steps.append(Step(name, value.strip()))
    return stages


def substituted(word: str, variables: Mapping[str, str]) -> str:
    """A word with $NAME and ${NAME} replaced by what they stand for."""
    return re.sub(r"\$\{?(\w+)\}?", lambda match: variables.get(match[1], ""), word)
