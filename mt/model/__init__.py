"""The encoder-decoder: source tokens to final states, final states to target tokens.

Knows token ids, layers and states. Does not know text, losses or search.

    source ids -> Encoder -> final (h, c) by layer -> Bridge -> DecoderState -> Decoder -> logits

encoder.py    reads the source
bridge.py     hands its final states over
decoder.py    writes the target, from there or from zeros
seq2seq.py    the whole, and the output layer
attention.py  looks back, if asked for
layers.py     what encoder and decoder are made of

A language model is a decoder alone, from zeros; `Model` is what the two have in common. Else all
that the decoder learns about the source passes through the fixed-size `DecoderState` (Sutskever,
Vinyals and Le 2014), unless attention is asked for: then the output looks back at the encoder's
states at every source position too, which the `DecoderState` takes along. Token ids, and what
attention looks back at, have a row for each sentence; layers run time first, and so do readouts.
"""

from mt.model.bridge import Bridge
from mt.model.decoder import Decoder, DecoderState
from mt.model.encoder import Encoder, reverse_each
from mt.model.seq2seq import DecoderOnly, Model, Seq2Seq, make_model

__all__ = [
    "Bridge",
    "Decoder",
    "DecoderOnly",
    "DecoderState",
    "Encoder",
    "Model",
    "Seq2Seq",
    "make_model",
    "reverse_each",
]
