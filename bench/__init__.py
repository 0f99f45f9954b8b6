"""Benchmarks: `python -m bench [name ...]`. What they measure and found: docs/benchmarks.md."""
