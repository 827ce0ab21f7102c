"""A text before search and after it: what is to be searched for, and results put in their places.

Knows the order of the steps on both sides, and how much a model reads at once:

    plan      text -> segments (`mt.text`) -> without what is kept as it is (`mt.keeping`), in
              ordinary case, token ids (`mt.reading`)
    finish    hypotheses -> segments in their case, with what was kept, and flags (`mt.flags`)
              -> text

Does not know models or search: a model's vocabularies and options are all it needs of one.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice

from mt.alignment import WordAligner
from mt.bundle import Bundle
from mt.config import SearchConfig, Segmentation, Task
from mt.errors import InputError
from mt.flags import Segment, find_flags
from mt.keeping import Shown, leave_out
from mt.markup import guess_links
from mt.reading import Reading, read_segment
from mt.search import Hypothesis
from mt.text import Document, cut_document, split_long
from mt.text.casing import Case, restore
from mt.text.language import has_letters
from mt.text.words import Links
from mt.tokenizer import RightToLeft, TokenizerPair
from mt.tokens import UNKNOWN
from mt.translation import Candidate, SegmentTranslation, Translation, given, join


@dataclass(frozen=True)
class SegmentPlan:
    """One segment, tokenised."""

    segment: str
    shown: Shown
    """What the model is shown of it."""
    sources: tuple[tuple[int, ...], ...]
    """Token ids of each part to translate: one, more if the segment was split, none if it has no
    letter or no token and passes through as it is."""
    case: Case
    """The case that the translation is put into; `sources` are truecased."""


@dataclass(frozen=True)
class Plan:
    """One text, cut and tokenised, ready to be searched."""

    document: Document
    segments: tuple[SegmentPlan, ...]

    @property
    def sources(self) -> tuple[tuple[int, ...], ...]:
        """Token ids of each part to translate; empty for a text without words."""
        return tuple(source for segment in self.segments for source in segment.sources)

    def unrestored(self) -> Plan:
        """The same, its translation left in ordinary case."""
        ordinary = (replace(segment, case=Case.ORDINARY) for segment in self.segments)
        return replace(self, segments=tuple(ordinary))


@dataclass(frozen=True)
class Planner:
    """What a model's translations are planned and finished by."""

    name: str
    """Of the model, for messages."""
    tokenizers: TokenizerPair
    """Those the engine speaks, as `TokenizerPair.writing` gives them."""
    search_config: SearchConfig
    source_language: str
    target_language: str
    task: Task = "translate"
    segmentation: Segmentation = "sentences"
    aligner: WordAligner | None = None
    """Links words, where there is a lexical table to tell which belong together."""

    @classmethod
    def of(cls, bundle: Bundle) -> Planner:
        """That of a bundle, with its own options."""
        config = bundle.config
        return cls(
            config.name,
            bundle.tokenizers.writing(right_to_left=config.model.reverse_target),
            config.search,
            config.source_language,
            config.target_language,
            config.task,
            config.segmentation,
            bundle.lexicon and WordAligner(bundle.lexicon, bundle.tokenizers),
        )

    @property
    def right_to_left(self) -> bool:
        """Whether a translation is written from its last piece to its first."""
        return isinstance(self.tokenizers.target, RightToLeft)

    def keeping_nothing(self) -> Planner:
        """The same for texts that are shown as they are, whatever the options say."""
        whole = self.search_config.model_copy(update={"keep_verbatim": False})
        return replace(self, search_config=whole)

    def plan(self, text: str) -> Plan:
        """Cut a text into segments and tokenise them."""
        document = cut_document(text, self.source_language, self.segmentation, self.task)
        return Plan(document, tuple(map(self.plan_segment, document.segments)))

    def plan_segment(self, segment: str) -> SegmentPlan:
        """Tokenise a segment, also one that somebody else has cut.

        Raises:
            InputError: it is longer than a model of whole texts can read.
        """
        shown = Shown(segment)
        if self.task == "translate":
            if not has_letters(segment):
                return SegmentPlan(segment, shown, (), Case.ORDINARY)
            if self.search_config.keep_verbatim:
                shown = leave_out(segment)
        truecases = self.search_config.truecase
        reading = read_segment(shown.text, self.tokenizers.source, truecases=truecases)
        return SegmentPlan(segment, shown, tuple(map(tuple, self._parts(reading))), reading.case)

    def prefixes(self, plans: Sequence[Plan], prefixes: Sequence[str]) -> list[list[int]]:
        """The token ids of what the translation of each plan is to begin with.

        Raises:
            InputError: a text with a prefix is not one sentence, its prefix has characters that
                the model cannot write, or the model writes from right to left.
        """
        encoded = self.tokenizers.target.encode(prefixes)
        if self.right_to_left and any(encoded):
            raise InputError("a right-to-left model, which ends with the first word, has no prefix")
        for plan, prefix, ids in zip(plans, prefixes, encoded, strict=True):
            if ids and len(plan.sources) != 1:
                raise InputError(f"the prefix {prefix!r} needs {self._one_piece(plan)}")
            if UNKNOWN in ids:
                raise InputError(f"the prefix {prefix!r} has characters the model cannot write")
        return encoded

    def finish(self, plan: Plan, results: Sequence[Sequence[Hypothesis]]) -> Translation:
        """Put the results of a plan's sources, one list of hypotheses each, in their places."""
        assert len(results) == len(plan.sources)
        rest = iter(results)
        return join(plan.document, [self.finish_segment(each, rest) for each in plan.segments])

    def finish_segment(
        self, plan: SegmentPlan, results: Iterator[Sequence[Hypothesis]]
    ) -> SegmentTranslation:
        """Take the results of a segment's sources from an iterator, and make a translation of them.

        The n-th candidate takes every part's n-th hypothesis, or the last a part has.
        """
        if not plan.sources:
            return given(plan.segment)  # passes through as it is
        parts = list(islice(results, len(plan.sources)))
        ranks = range(max(map(len, parts)))
        nth = [[found[min(n, len(found) - 1)] for found in parts] for n in ranks]
        candidates = tuple(self._candidate(hypotheses, plan) for hypotheses in nth)
        outcome = Segment(
            plan.segment,
            candidates[0].text,
            list(zip(plan.sources, nth[0], strict=True)),
            self._suspicious(plan.segment),
        )
        flags = find_flags([outcome], self.source_language, self.target_language, self.task)
        return SegmentTranslation(candidates, frozenset(flags))

    def _parts(self, reading: Reading) -> list[list[int]]:
        ids = reading.tokens
        limit = self.search_config.max_source_pieces
        if len(ids) <= limit:
            return [ids] if ids else []
        if self.segmentation == "whole":
            raise InputError(
                f"a text of {len(ids)} pieces is too long: {self.name} takes texts as a whole, of "
                f"at most {limit} (search.max_source_pieces)"
            )
        texts, _ = split_long(reading.text, self._length, limit)
        return [part for part in self.tokenizers.source.encode(texts) if part]

    def _length(self, text: str) -> int:
        return len(self.tokenizers.source.encode([text])[0])

    def _one_piece(self, plan: Plan) -> str:
        """What a text would have to be to be one, and why it is not."""
        sentences = sum(bool(segment.sources) for segment in plan.segments)
        if sentences != 1:
            return f"a text of one sentence; its text has {sentences}"
        longest = self.search_config.max_source_pieces
        return f"a sentence of at most {longest} pieces; its text is cut into {len(plan.sources)}"

    def _candidate(self, hypotheses: Sequence[Hypothesis], plan: SegmentPlan) -> Candidate:
        texts = self.tokenizers.target.decode([hypothesis.tokens for hypothesis in hypotheses])
        text = restore(" ".join(filter(None, texts)), plan.case)
        if plan.shown.kept:
            text = plan.shown.restored(text, self._links(plan.shown.text, text))
        return Candidate(
            text,
            sum(hypothesis.log_probability for hypothesis in hypotheses),
            sum(hypothesis.length for hypothesis in hypotheses),
        )

    def _links(self, text: str, translation: str) -> Links:
        found = self.aligner.align(text, translation) if self.aligner else ()
        return found or guess_links(text, translation)

    def _suspicious(self, segment: str) -> bool:
        """Whether the target's vocabulary spells a segment much more shortly than the source's.

        None of 1,653 German sentences is, of their English translations all but 22. One vocabulary
        for both tells nothing.
        """
        source, target = self.tokenizers
        if self.source_language == self.target_language:
            return False
        if self.tokenizers.joint:
            return True
        return 4 * len(target.encode([segment])[0]) <= 3 * len(source.encode([segment])[0])
