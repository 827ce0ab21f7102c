"""The four token ids that mean something to every part, the same in every vocabulary."""

PAD = 0
"""Fills short rows of a batch; never read, never written."""
UNKNOWN = 1
"""Stands for text the vocabulary cannot spell; read, never written."""
BEGIN = 2
"""What the decoder is fed before the first token."""
END = 3
"""Closes every source and every translation."""

NEVER_WRITTEN = (PAD, UNKNOWN, BEGIN)
