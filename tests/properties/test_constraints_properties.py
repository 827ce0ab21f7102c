"""What holds for rules on any table: search under them equals brute force, and no batch matters."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from mt.search import Constrained, Hypothesis, length_penalty, search
from support.scorers import END, Prefix, Table, TableScorer, random_table

LIMIT = 4
seeds = st.integers(0, 2**32 - 1)


@dataclass(frozen=True)
class Rules:
    """The rules for one sentence, and what may be written by their definition."""

    min_length: int = 0
    size: int = 0
    prefix: Prefix = ()

    def allow(self, table: Table, tokens: Prefix, token: int) -> bool:
        """Whether `token` may be written after `tokens`, themselves allowed."""
        if len(tokens) < len(self.prefix):
            return bool(token == self.prefix[len(tokens)] and table(tokens)[token] > -np.inf)
        if token != END:
            return bool(not self.repeats((*tokens, token)) and table(tokens)[token] > -np.inf)
        others = range(1, len(table(tokens)))
        early = len(tokens) < self.min_length and any(self.allow(table, tokens, t) for t in others)
        return bool(not early and table(tokens)[END] > -np.inf)

    def repeats(self, tokens: Prefix) -> bool:
        """Whether the last n-gram is also somewhere before."""
        ngrams = [tokens[n : n + self.size] for n in range(len(tokens) - self.size + 1)]
        return self.size > 0 and len(ngrams) > 0 and ngrams[-1] in ngrams[:-1]


@st.composite
def rules(draw: st.DrawFn, vocabulary: int = 3) -> Rules:
    prefix = draw(st.lists(st.integers(1, vocabulary - 1), max_size=LIMIT))
    return Rules(draw(st.integers(0, LIMIT)), draw(st.integers(0, 3)), tuple(prefix))


def find(
    tables: Sequence[Table], each: Sequence[Rules], *, beam_size: int, alpha: float, n_best: int = 1
) -> list[list[Hypothesis]]:
    """Search for all sentences as one batch; the n-gram size is that of the first."""
    scorer = TableScorer(tables)
    constrained = Constrained(
        scorer,
        min_lengths=np.array([own.min_length for own in each]),
        no_repeat_ngram_size=each[0].size,
        prefixes=[own.prefix for own in each],
    )
    limits = np.full(len(tables), LIMIT)
    state = constrained.start(scorer.start())
    return search(constrained, state, limits, beam_size=beam_size, alpha=alpha, n_best=n_best)


@given(seeds, st.booleans(), rules(), st.sampled_from([0.0, 1.0]), st.sampled_from([1, 5, 81]))
@settings(max_examples=100)
def test_a_beam_as_wide_as_all_there_is_finds_the_best_that_the_rules_allow(
    seed: int, bans: bool, own: Rules, alpha: float, n_best: int
) -> None:
    table = random_table(seed, 3, bans=bans)
    everything = 3 ** (LIMIT + 1)
    (found,) = find([table], [own], beam_size=everything, alpha=alpha, n_best=n_best)
    assert found == exhaustive(table, own, alpha)[:n_best]


@given(st.lists(st.tuples(seeds, rules()), min_size=1, max_size=4), st.integers(1, 4))
@settings(max_examples=60)
def test_a_sentence_has_the_same_result_alone_and_in_any_batch(
    cases: list[tuple[int, Rules]], beam_size: int
) -> None:
    tables = [random_table(seed, 3) for seed, _ in cases]
    each = [Rules(own.min_length, cases[0][1].size, own.prefix) for _, own in cases]
    together = find(tables, each, beam_size=beam_size, alpha=1.0)
    alone = [
        find([table], [own], beam_size=beam_size, alpha=1.0)[0]
        for table, own in zip(tables, each, strict=True)
    ]
    assert together == alone


@given(seeds, st.integers(0, LIMIT), st.sampled_from([1, 3 ** (LIMIT + 1)]))
@settings(max_examples=60)
def test_the_beginning_of_the_best_gives_the_best_again(
    seed: int, length: int, beam_size: int
) -> None:
    # Greedy and exhaustive search. In between a prefix may help to a better one.
    table = random_table(seed, 3)
    (best,) = find([table], [Rules()], beam_size=beam_size, alpha=1.0)
    begun = Rules(prefix=best[0].tokens[:length])
    assert find([table], [begun], beam_size=beam_size, alpha=1.0) == [best]


def exhaustive(table: Table, own: Rules, alpha: float) -> list[Hypothesis]:
    """Every hypothesis that the rules allow, best first: all that may end, and the longest."""
    found = []
    for length in range(LIMIT + 1):
        for tokens in product((1, 2), repeat=length):
            if not all(own.allow(table, tokens[:n], tokens[n]) for n in range(length)):
                continue
            may_end = own.allow(table, tokens, END)
            if may_end or length == LIMIT:
                scored = (*tokens, END) if may_end else tokens
                total = float(sum(table(scored[:n])[token] for n, token in enumerate(scored)))
                penalty = length_penalty(len(scored), alpha)
                found.append(Hypothesis(tokens, total, total / penalty, may_end))
    return sorted(found, key=lambda each: (not each.finished, -each.score))
