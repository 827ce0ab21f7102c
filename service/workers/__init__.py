"""Segments that wait, and the processes that translate them."""
