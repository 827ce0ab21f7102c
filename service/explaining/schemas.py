"""The bodies of `/v1/explain`, as clients and the OpenAPI document see them.

Knows the names and shapes of an explanation, which `mt.explain.record` writes. Does not check one:
the tests do.

Shapes: S pieces of the source, T of the target, P whichever of the two a layer reads; H units.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import ConfigDict, Field

from service.native.fields import Body, ModelName, Sentence

Share = Annotated[float, Field(ge=0, le=1)]


class ExplainRequest(Body):
    """What to explain."""

    model_config = ConfigDict(
        title="ExplainRequest",
        json_schema_extra={
            "examples": [{"text": "Ein Hund läuft."}, {"text": "Ein Hund läuft.", "full": True}]
        },
    )

    text: Sentence
    """One sentence."""
    model: ModelName | None = None
    """Name of the model to explain it by; the server's default model if null."""
    full: bool = False
    """With every activation of every unit, which may be megabytes."""


class GateSummary(Body):
    """A gate over all units, at each position."""

    mean: list[Share]
    """[P]"""
    shut: list[Share]
    """[P]: share of the units whose gate is under 0.1."""
    open: list[Share]
    """[P]: share of the units whose gate is over 0.9."""


class SignedSummary(Body):
    """A candidate, cell or hidden state over all units, at each position."""

    mean: list[float]
    """[P]: near 0 as a rule, as units differ in sign."""
    magnitude: list[float]
    """[P]: mean of the values without their signs."""


class LayerSummary(Body):
    """What a layer computed, in a few figures a position."""

    input: GateSummary
    forget: GateSummary
    output: GateSummary
    candidate: SignedSummary
    cell: SignedSummary
    hidden: SignedSummary


class Activations(Body):
    """What a layer computed: [P][H] each."""

    input: list[list[Share]]
    forget: list[list[Share]]
    output: list[list[Share]]
    candidate: list[list[float]]
    cell: list[list[float]]
    hidden: list[list[float]]


class ExplainedLayer(Body):
    """One layer in one direction. Positions come in the order of the text, or of writing,
    whichever way the layer reads."""

    layer: str = Field(examples=["encoder 1, backward"])
    side: Literal["encoder", "decoder"]
    depth: int = Field(ge=1)
    """Counted from 1, which reads the embeddings."""
    backwards: bool
    """Whether it reads from the last position to the first."""
    units: int = Field(ge=1)
    summary: LayerSummary
    initial_cell: list[float] | None = None
    """[H]: the cell before the first step; absent unless `full`."""
    activations: Activations | None = None
    """Absent unless `full`."""


class Kept(Body):
    """What a layer's forget gates have kept, at the end, of what it wrote at each position."""

    mean: list[Share]
    """[S]: over all units."""
    most: list[Share]
    """[S]: by the unit that kept most."""


class SourceDependence(Body):
    """How much a layer's final state depends on each piece of the source."""

    layer: str = Field(examples=["encoder 1, backward"])
    gradient: list[float]
    """[S]: norm of the final state's gradient with respect to the piece's embedding."""
    kept: Kept
    most_by_unit: list[int]
    """[S]: the unit that kept most, counted from 0."""
    kept_by_unit: list[list[Share]] | None = None
    """[S][H]; absent unless `full`."""


class Explanation(Body):
    """A sentence, its translation, and what the model's memory cells did on the way."""

    model: str = Field(examples=["de-en"])
    sha256: str = Field(examples=["9ffe1a9cbc" + 54 * "0"])
    """Of the model's weights."""
    source: str = Field(examples=["Ein Hund läuft."])
    translation: str = Field(examples=["A dog is running."])
    log_probability: float = Field(le=0, examples=[-1.71])
    """Of the translation, natural logarithm."""
    source_pieces: list[str] = Field(examples=[["▁Ein", "▁Hund", "▁läuft", ".", "</s>"]])
    """[S] what the encoder reads; the end token last."""
    target_read: list[str] = Field(examples=[["<s>", "▁A", "▁dog", "▁is", "▁running", "."]])
    """[T] what the decoder reads: the begin token first."""
    target_written: list[str] = Field(examples=[["▁A", "▁dog", "▁is", "▁running", ".", "</s>"]])
    """[T] what it writes having read that."""
    layers: list[ExplainedLayer]
    """From the embeddings up, the encoder's first."""
    dependence: list[SourceDependence]
    """Of each layer and direction of the encoder, in their order."""
    attention: list[list[Share]] | None = Field(examples=[None])
    """[T][S]: where the output looked; null for a model without attention."""
