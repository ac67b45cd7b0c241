"""Rivals: one adapter each, run in its own process by bench.rivals.client."""
