import os

# Two devices, so that batches are always cut in two as they are on several.
os.environ["JAX_NUM_CPU_DEVICES"] = "2"
# Nearly all the time of these tests is spent in compiling: half of it is saved.
os.environ["JAX_DISABLE_MOST_OPTIMIZATIONS"] = "1"

import jax
import numpy as np
import pytest

jax.config.update("jax_enable_x64", True)


@pytest.fixture
def rng():
    return np.random.default_rng(20260604)
