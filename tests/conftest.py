import gc
import os
import sys

from experiments.runtime import compiling, workers

# Two devices, for the tests of how batches are shared.
os.environ["JAX_NUM_CPU_DEVICES"] = "2"
# Nearly all the time of these tests is spent in compiling: half of it is saved.
os.environ["JAX_DISABLE_MOST_OPTIMIZATIONS"] = "1"
# And half of the rest: XLA's older way to write loops compiles twice as fast, and a
# program in one piece faster than in 32 where every core has its tests.
compiling.flag("xla_cpu_use_fusion_emitters", "false")
compiling.flag("xla_cpu_parallel_codegen_split_count", "1")
# Shared by the processes that run the tests.
compiling.keep_programs()

import jax
import numpy as np
import pytest

from simulator.engines import sharing

jax.config.update("jax_enable_x64", True)
# Tracing makes many objects that live; looking through them all is for nothing.
gc.set_threshold(50_000, 20, 50)


@pytest.fixture(scope="module", autouse=True)
def devices():
    """One device (programs for two take longer to compile); see test_ensembles."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sharing, "devices", lambda: jax.local_devices()[:1])
        yield
    # Programs of all tests together would be more than Linux lets a process keep.
    workers.forget_programs()


@pytest.fixture(autouse=True)
def double_precision():
    """A command that was asked for float32 does not decide for the next test."""
    yield
    jax.config.update("jax_enable_x64", True)


@pytest.fixture(autouse=True)
def no_figures():
    """Matplotlib keeps figures open, and warns of too many."""
    yield
    if "matplotlib.pyplot" in sys.modules:
        sys.modules["matplotlib.pyplot"].close("all")


@pytest.fixture
def rng():
    return np.random.default_rng(20260604)
