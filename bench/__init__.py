"""Benchmarks: `python -m bench` answers the questions of bench/README.md."""
