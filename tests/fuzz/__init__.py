"""Fuzzing: a target a subject, each `fuzz_x(data: bytes)`, which raises where it finds a fault.

`python -m tests.fuzz` lets atheris make the data, guided by what they reach; tests/test_fuzz.py
replays the seeds, what was found before, and some mutations of both, without atheris. Nothing is
imported here, so that atheris can instrument all that the targets import.
"""
