"""The same work under Lumbre and its peers, in turn, in one run: ``python benchmarks/run.py``."""
