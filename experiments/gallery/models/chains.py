"""Tasks that need many levels right, with levels that share features."""

import numpy as np

import simulator as sim
from simulator import rollouts as ro


def level_features(levels, widths):
    """Features `[..., L, L]` whose kernel over levels is a Gaussian of those widths.

    `exp(-(l - m)^2 / (2 b^2))`; at width 0 levels share nothing.
    """
    place = np.arange(levels)
    b = np.asarray(widths, float)[..., None, None]
    far = (place - place[:, None]) ** 2 / np.where(b > 0, 2 * b**2, 1.0)
    values, vectors = np.linalg.eigh(np.where(b > 0, np.exp(-far), np.eye(levels)))
    return vectors * np.sqrt(np.maximum(values, 0))[..., None, :]


def sharing(widths, rates):
    """The policy under which `theta' = K_b rates g`, g the gradient in theta `[B, L]`.

    Level l is right with probability sigma(theta_l).
    """
    rates = np.asarray(rates, float)
    levels = rates.shape[-1]
    # Of two logits that move against each other, in the mean over the levels.
    return ro.Weighted(ro.Features(level_features(levels, widths)), rates * levels / 2)


def chain(logits, widths):
    """The population of levels with log odds `logits` `[B, L]`."""
    logits = np.asarray(logits, float)
    both = np.stack([logits, np.zeros_like(logits)], axis=-1)
    rates = np.broadcast_to([1.0, 0.0], both.shape)
    policy = sharing(widths, np.ones_like(logits))
    return sim.Population(sim.Problem(rates, logits=both), policy)


def up_to(depths, levels):
    """Tasks `[T, L]` that need the levels 1 to d."""
    return (np.arange(levels) < np.asarray(depths)[:, None]).astype(float)


def trained(population, tasks, weights, duration):
    """The population after GRPO(8) on tasks by weight, and all tasks' success."""
    weights = np.asarray(weights, float)
    signal = sim.Chain(tasks, weights / weights.sum(), sim.GRPO(8))
    found = sim.solve_population(
        population, signal, max_log_time=np.log(duration), tolerance=1e-6
    )
    return population.at(found), np.asarray(found.success)


def success(population, tasks):
    """The chance of success at each task, `[B, T]`."""
    right = np.asarray(population.log_probs())[..., 0]
    return np.exp(right @ np.asarray(tasks).T)
