"""Who takes part in a comparison: our own, the bare loop where it can, the peers that were named.

Knows how each is made of one bundle. Does not know what is measured.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace

import torch

from mt.bundle import Bundle
from mt.config import EngineName
from mt.corpus import Corpus
from mt.errors import BundleError
from scripts.benchmarks.peers.process import Peer, start_peer
from scripts.benchmarks.plain import BareModel, check_plain
from scripts.benchmarks.systems import REFERENCE, BareSystem, OwnSystem, System
from scripts.benchmarks.train import BareLearner, Learner, OwnLearner

Note = Callable[[str], None]
"""Takes what a user has to know of what is left out."""


@contextmanager
def open_systems(
    bundle: Bundle,
    engines: Sequence[EngineName],
    against: Sequence[str],
    *,
    shortlist: int = 0,
    threads: int,
    note: Note,
) -> Iterator[list[System]]:
    """The systems that translate, the reference engine first.

    Args:
        shortlist: every engine takes part a second time, with a shortlist of this kind; 0 for none.

    Raises:
        BundleError: the weights do not fit the configuration, or peers cannot have this model.
        ConfigError: a peer is unknown or does not start.
    """
    torch.set_num_threads(threads)
    names = dict.fromkeys((REFERENCE, *engines))
    with _open_peers(bundle, against, threads) as peers:
        own = [OwnSystem.load(bundle, name, threads) for name in names]
        systems: list[System] = [*own]
        if shortlist:
            systems += [replace(each, shortlist=shortlist) for each in own]
        if _has_bare(bundle, note):
            systems.append(BareSystem(BareModel.of(bundle)))
        yield [*systems, *peers]


@contextmanager
def open_learners(
    bundle: Bundle, corpus: Corpus, against: Sequence[str], *, threads: int, note: Note
) -> Iterator[list[Learner]]:
    """The learners that train, our own in fp32 first.

    Raises:
        BundleError: the weights do not fit the configuration, or peers cannot have this model.
        ConfigError: a peer is unknown or does not start.
    """
    with _open_peers(bundle, against, threads) as peers:
        learners: list[Learner] = [
            OwnLearner(bundle, corpus, "fp32", threads),
            OwnLearner(bundle, corpus, "bf16", threads),
        ]
        if _has_bare(bundle, note):
            learners += [BareLearner(bundle, "fp32"), BareLearner(bundle, "bf16")]
        yield [*learners, *peers]


@contextmanager
def _open_peers(bundle: Bundle, against: Sequence[str], threads: int) -> Iterator[list[Peer]]:
    with ExitStack() as stack:
        yield [stack.enter_context(start_peer(each, bundle, threads)) for each in against]


def _has_bare(bundle: Bundle, note: Note) -> bool:
    try:
        check_plain(bundle.config.model)
    except BundleError as error:
        note(f"without the bare torch loop: {error}")
        return False
    return True
