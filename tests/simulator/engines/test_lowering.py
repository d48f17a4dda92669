"""Every compiled program of the package lowers for CPUs, CUDA and TPUs."""

import importlib
import pkgutil

import equinox as eqx
import jax
import jax.numpy as jnp
import optax
import pytest

import simulator
import simulator as sim
from simulator import rollouts as ro
from simulator.numerics import compiler

PLATFORMS = ("cpu", "cuda", "tpu")
QUESTION = sim.Problem([0.9, 0.6, 0.1], [0.15, 0.6, 0.25])
BATCH = sim.Problem([[0.9, 0.6, 0.1]] * 2, [[0.15, 0.6, 0.25]] * 2)
RECIPE = ro.Recipe(group_size=3, num_steps=2)
TRAIN = importlib.import_module("simulator.rollouts.train")  # not the function
TRACING = importlib.import_module("simulator.tracing")
JITTED = type(eqx.filter_jit(lambda: None))


def train_exactly(problem):
    return sim.train(problem, sim.Verifiable(), None, optax.sgd(0.5), num_steps=2)


# What leads to each; implicit steps are lowered in test_implicit.
CALLS = {
    "engines.run._run_one": [
        lambda: sim.exact(QUESTION, sim.Verifiable(), until=sim.Gap(1e-2)),
        lambda: sim.flow(QUESTION, sim.Verifiable(), until=sim.Gap(1e-2)),
    ],
    "engines.ensembles._run_block": [
        lambda: sim.exact(BATCH, sim.Verifiable(), until=sim.Gap(1e-2)),
    ],
    "training._one": [
        lambda: train_exactly(QUESTION),
    ],
    "training._block": [
        lambda: train_exactly(BATCH),
    ],
    "populations.solving._one": [
        lambda: sim.solve_population(
            sim.Population(BATCH, ro.Shared()),
            sim.Verifiable(),
            until=sim.Accuracy(0.8),
            events=[sim.PeakAccuracy()],
        ),
    ],
    "populations.solving._block": [
        lambda: sim.solve_population(
            sim.Population(BATCH[None], ro.Features([[1.0, 0.0], [0.5, 1.0]])),
            sim.Verifiable(),
            sim.GRPO(4),
            max_log_time=1.0,
        ),
    ],
    "tracing._paid": [lambda: sim.trace(QUESTION, sim.NoisyVerifier(0.1))],
    "bandits._played": [
        lambda: sim.play(
            sim.Bandit(jnp.eye(3), [0.2, 0.5, 0.9]),
            sim.ArmOptimism(),
            20,
            jax.random.key(0),
        ),
    ],
    "rollouts.expectation._mean_step": [lambda: ro.expected_step(QUESTION, RECIPE)],
}


def export(function, given, platform, **options):
    """Lower `function(*given)`; arrays are arguments, all else is fixed."""
    arrays, rest = eqx.partition(given, eqx.is_array)

    def program(arrays):
        return eqx.filter(function(*eqx.combine(arrays, rest)), eqx.is_array)

    jitted = jax.jit(program, **options)
    exported = jax.export.export(jitted, platforms=platform)(arrays)
    assert exported.platforms == platform


class Lowered(Exception):
    """Instead of the run."""


def jitted():
    """The compiled functions of all modules, by name."""
    found = set()
    for info in pkgutil.walk_packages(simulator.__path__, "simulator."):
        module = importlib.import_module(info.name)
        for name, value in vars(module).items():
            if isinstance(value, JITTED) and value.__module__ == info.name:
                found.add(f"{info.name.removeprefix('simulator.')}.{name}")
    return found


def test_nothing_compiled_is_left_out():
    assert jitted() == set(CALLS)


@pytest.mark.slow
@pytest.mark.parametrize(
    "name, call", [(name, call) for name, calls in CALLS.items() for call in calls]
)
def test_every_program_lowers_for_cpu_cuda_and_tpu(name, call, monkeypatch):
    path, _, function = f"simulator.{name}".rpartition(".")
    module = importlib.import_module(path)
    inner = getattr(module, function).__wrapped__

    def lower(*given):
        export(inner, given, PLATFORMS)
        raise Lowered

    monkeypatch.setattr(module, function, lower)
    with pytest.raises(Lowered):
        call()


@pytest.mark.slow
@pytest.mark.parametrize("group_size", [8, 256])  # one by one, and by binomials
@pytest.mark.parametrize("platform", PLATFORMS)
def test_sampled_training_lowers_with_its_options(platform, group_size, monkeypatch):
    asked = []

    def program(at_home):
        asked.append(at_home)

        def lower(*given):
            options = compiler.cpu_options(platform, **TRAIN.LOOPS)
            assert (options == {}) == (platform != "cpu")
            export(TRAIN._block, given, (platform,), compiler_options=options)
            raise Lowered

        return lower

    monkeypatch.setattr(TRAIN, "_program", program)
    with pytest.raises(Lowered):
        ro.train(QUESTION, ro.Recipe(group_size=group_size, redraws=1))
    assert asked == [jax.default_backend()]


@pytest.mark.slow
@pytest.mark.parametrize("platform", PLATFORMS)
def test_whole_paths_lower_with_their_options(platform, monkeypatch):
    def program(at_home):
        def lower(*given):
            options = compiler.cpu_options(platform, **TRACING.OPTIONS)
            export(TRACING._block, given, (platform,), compiler_options=options)
            raise Lowered

        return lower

    monkeypatch.setattr(TRACING, "_program", program)
    for problem in (QUESTION, BATCH):
        with pytest.raises(Lowered):
            sim.trace(problem, updates=[sim.PolicyGradient(), sim.GRPO(8)])


@pytest.mark.slow
def test_derivatives_lower_for_cpu_cuda_and_tpu():
    def log_time(rates):
        problem = sim.Problem(rates, logits=jnp.zeros(3))
        return sim.exact(problem, sim.Verifiable(), until=sim.Gap(1e-2)).log_time

    export(jax.jacfwd(log_time), (jnp.asarray([0.9, 0.6, 0.1]),), PLATFORMS)
