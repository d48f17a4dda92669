import os

# Two devices, so that batches are always cut in two as they are on several.
os.environ["JAX_NUM_CPU_DEVICES"] = "2"

import jax
import numpy as np
import pytest

jax.config.update("jax_enable_x64", True)


@pytest.fixture
def rng():
    return np.random.default_rng(20260604)
