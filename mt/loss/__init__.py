"""What training minimises, and what options add to it. What of it a run takes, `mt.training` says.

cross_entropy.py    of the right tokens, smoothed
divergence.py       of two passes over the same tokens (R-Drop)
bag_of_words.py     of the target's tokens in no order
"""
