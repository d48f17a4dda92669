"""Bandits over mixtures of patterns, and the time to one half with a count bonus."""

import numpy as np

PULLS = 1000
ACTIONS = np.array([10, 30, 100, 300, 1000])
PATTERNS = np.array([3, 6, 12, 24, 48])
WIDTHS = np.array([0.1, 0.3, 0.6, 1.0, 2.0])
RATES = np.array([0.9, 0.5, 0.2])
RARE = np.array([0.1, 0.01, 0.001])  # base probability of the best pattern
BONUS = np.array([0.0, 0.5, 2.0])
LEVELS = {
    "actions": ACTIONS,
    "patterns": PATTERNS,
    "widths": WIDTHS,
    "rare": RARE,
    "bonus": BONUS,
}


def bandits(rng, number, actions, patterns):
    """Mixtures from Dirichlet(.3), rates from .1 to .9, filled up to one shape."""
    import simulator as sim

    most, wide = max(actions), max(patterns)
    shape = len(actions), number
    mixtures, rates = np.zeros((*shape, most, wide)), np.zeros((*shape, wide))
    for i, (a, k) in enumerate(zip(actions, patterns, strict=True)):
        mixtures[i, :, :a, :k] = rng.dirichlet(np.full(k, 0.3), (number, a))
        rates[i, :, :k] = np.linspace(0.1, 0.9, k)
    return sim.Bandit(mixtures, rates)


def regrets(rng, bandit, learner):
    """The final regrets, `[*B]`."""
    import simulator as sim

    chosen = keys(rng, bandit.batch_shape)
    return np.asarray(sim.play(bandit, learner, PULLS, chosen).regret[..., -1])


def keys(rng, shape):
    import jax

    return jax.random.split(jax.random.key(rng.integers(2**31)), shape)


def half_times(rates, update):
    """Time to one half of the best pattern, `[bonus, rare, problems]`."""
    import simulator as sim

    shape = BONUS.size, RARE.size, len(rates)
    base = np.stack([RARE, 0.74 * (1 - RARE), 0.26 * (1 - RARE)], axis=-1)
    base = np.broadcast_to(base[:, None, None], (*shape, 1, 3))
    problem = sim.Problem(np.broadcast_to(rates[:, None], base.shape), base)
    weight = np.broadcast_to(BONUS[:, None, None, None], (*shape, 1))
    found = sim.solve_population(
        sim.Population(problem),
        sim.CountBonus(sim.Verifiable(), weight),
        update,
        until=sim.OptimalProbability(0.5),
        tolerance=1e-5,
    )
    return np.asarray(found.time)


def share_of_best(rng, pulls, number=200):
    """How often UCB on the three patterns pulls the best one, which is the last."""
    import simulator as sim

    rates = np.tile(RATES[::-1], (number, 1))  # ties go to the first
    three = sim.Bandit(np.tile(np.eye(3), (number, 1, 1)), rates)
    arms = sim.play(three, sim.ArmOptimism(), pulls, keys(rng, (number,))).arms
    return np.mean(np.asarray(arms) == 2)
