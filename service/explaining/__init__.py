"""Explanations, from a process of their own: they need torch, which the workers do without."""
