"""Random problems through every engine, signal, update and event, against the witness.

`DIFFERENTIAL_LANES` (default 32) problems per program, `DIFFERENTIAL_SEED` (default 0).
"""

import os

import pytest

from tests.differential.comparison import differences
from tests.differential.recipes import RECIPES

LANES = int(os.environ.get("DIFFERENTIAL_LANES", "32"))
SEED = int(os.environ.get("DIFFERENTIAL_SEED", "0"))

pytestmark = pytest.mark.slow


@pytest.mark.witness(
    "T0",
    "Crossing",
    "LowestOptimalProbability",
    "PeakAccuracy",
    "BelowBase",
    "Leads",
    "Gap",
    "Accuracy",
    "OptimalProbability",
    "SuboptimalMass",
)
@pytest.mark.timeout(1200)
@pytest.mark.parametrize("recipe", RECIPES, ids=lambda recipe: recipe.name)
def test_an_engine_agrees_with_an_independent_integration(recipe):
    found = differences(recipe, SEED, LANES)
    assert not found, "\n".join(map(str, found))
