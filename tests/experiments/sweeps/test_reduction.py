"""Summaries over draws and seeds, against NumPy."""

import numpy as np
import pytest

from experiments.sweeps import reduction
from experiments.text.errors import UserError


def test_statistics_are_those_of_numpy(rng):
    table = rng.normal(size=(5, 41))
    found = reduction.summarise(
        table, ("mean", "std", "min", "max", "count", "q05", "q50", "q93")
    )
    for name, want in {
        "mean": table.mean(1),
        "std": table.std(1),
        "min": table.min(1),
        "max": table.max(1),
        "count": np.full(5, 41.0),
        "q05": np.quantile(table, 0.05, axis=1),
        "q50": np.median(table, axis=1),
        "q93": np.quantile(table, 0.93, axis=1),
    }.items():
        np.testing.assert_allclose(found[name], want, rtol=1e-13, err_msg=name)


def test_times_that_never_come_are_ordered_and_not_averaged():
    table = np.array(
        [
            [1.0, np.nan, 3.0, np.inf],
            [np.nan, np.inf, -np.inf, np.nan],
            [np.nan, np.nan, np.nan, np.nan],
            [-np.inf, -np.inf, -np.inf, 2.0],
        ]
    )
    wanted = {
        "mean": [2, np.nan, np.nan, 2],
        "std": [1, np.nan, np.nan, 0],
        "min": [1, -np.inf, np.nan, -np.inf],
        "max": [np.inf, np.inf, np.nan, 2],
        "q50": [3, np.inf, np.nan, -np.inf],
        "q20": [1.8, -np.inf, np.nan, -np.inf],
        "q90": [np.inf, np.inf, np.nan, 2],
        "count": [2, 0, 0, 1],
    }
    found = reduction.summarise(table, tuple(wanted))
    for name, values in wanted.items():
        np.testing.assert_allclose(found[name], values, err_msg=name)


def test_histograms_are_those_of_numpy(rng):
    table = rng.normal(size=(3, 200))
    table[0, 0], table[1, 1], table[2, 2] = np.nan, 1.5, -1.5
    found = reduction.histogram(table, (-1.5, 1.5, 7))
    for row, counts in zip(table, found, strict=True):
        inside = row[np.isfinite(row)]
        want, _ = np.histogram(inside, bins=7, range=(-1.5, 1.5))
        np.testing.assert_array_equal(counts, want)


@pytest.mark.parametrize(
    "table, said",
    [
        ({}, "list of axes"),
        ({"over": []}, "list of axes"),
        ({"over": ["draw", "draw"]}, "list of axes"),
        ({"over": ["seed"]}, "not an axis"),
        ({"over": ["draw", "gap"]}, "leave at least one"),
        ({"over": ["draw"], "statistics": ["median"]}, "quantile in per cent"),
        ({"over": ["draw"], "statistics": []}, "must be a list"),
        ({"over": ["draw"], "statistics": [3]}, "unknown"),
        ({"over": ["draw"], "histogram": 3}, "table"),
        ({"over": ["draw"], "histogram": {"gain": [0, 1]}}, "low, high"),
        ({"over": ["draw"], "histogram": {"gain": [1, 0, 3]}}, "low < high"),
        ({"over": ["draw"], "histogram": {"gain": [0, 1, 0]}}, "bins"),
        ({"over": ["draw"], "median": 1}, "has no 'median'"),
    ],
)
def test_bad_summaries_are_refused(table, said):
    with pytest.raises(UserError, match=said):
        reduction.read(table, ["draw", "gap"])
