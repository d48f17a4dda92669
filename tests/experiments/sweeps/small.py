"""One small sweep that all tests of the machinery share: one compiled program."""

from experiments import toml_files
from experiments.sweeps import sweep_file

TEXT = """
record = ["log10_t0", "accuracy"]
until = "t0"

[model]
family = "rival"

[axes]
gap = {linspace = [0.1, 0.3, 6]}
best_probability = {logspace = [1e-3, 0.1, 10]}
"""


def sweep(**changes):
    """The sweep of `TEXT`, with other top-level keys."""
    return sweep_file.read(toml_files.parse(TEXT) | changes)
