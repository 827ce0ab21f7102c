"""Where two records differ, for whoever has to say why a job cannot go on.

Knows trees of JSON. Does not know what they are records of.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def first_difference(before: Any, now: Any, name: str = "") -> tuple[str, Any, Any] | None:
    """Where two trees of JSON differ first, and how; None if they do not.

    Args:
        name: of the trees' root.

    Returns:
        The keys down to the place, separated by dots; what stands there before, and now.
    """
    if isinstance(before, Mapping) and isinstance(now, Mapping):
        for key in {**before, **now}:
            where = f"{name}.{key}" if name else key
            if found := first_difference(before.get(key), now.get(key), where):
                return found
        return None
    return None if before == now else (name, before, now)
