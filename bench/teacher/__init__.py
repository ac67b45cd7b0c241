"""A teacher with a language model: trained on every corpus, it tags text that nobody annotated."""

import os

# Threads that wait for each other by turning round and round take the core from the one that works
# whenever others use the machine, too: a step took four times as long. OpenMP reads it once.
os.environ.setdefault("OMP_WAIT_POLICY", "passive")
