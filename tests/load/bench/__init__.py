"""Benchmarks on a real control plane: what Usher does in a second, beside what the machine itself can do.

`python -m tests.load.bench` runs them all. Load (load.yaml) and bounds (thresholds.yaml) are data. Every ceiling is
measured in the same run as its figure, because these machines differ from hour to hour: a ratio says more than a rate.
"""
