"""One small sweep that all tests of the machinery share: one compiled program."""

import numpy as np

import simulator as sim
from experiments.sweeps import sweep_file
from experiments.text import toml

TEXT = """
record = ["log10_t0", "accuracy"]
until = "t0"

[model]
family = "rival"

[axes]
gap = {linspace = [0.1, 0.3, 6]}
best_probability = {logspace = [1e-3, 0.1, 10]}
"""

# Best patterns so rare that no run ends with its first step.
RARE = TEXT.replace("[1e-3, 0.1, 10]", "[1e-4, 0.01, 10]")


def sweep(**changes):
    """The sweep of `TEXT`, with other top-level keys."""
    return sweep_file.read(toml.parse(TEXT) | changes)


def read(text):
    """The sweep of any text."""
    return sweep_file.read(toml.parse(text))


def problems(gaps, bests):
    """The base models of `TEXT`, by hand."""
    gap, best = np.meshgrid(gaps, bests, indexing="ij")
    rates = np.stack([0.6 + gap, 0.6 + 0 * gap, 0.1 + 0 * gap], axis=-1)
    policy = np.stack([best, 0.75 * (1 - best), 0.25 * (1 - best)], axis=-1)
    return sim.Problem(rates, policy)
