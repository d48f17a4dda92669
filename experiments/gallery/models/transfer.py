"""Training on easy questions, judged on hard ones that need related skills."""

import numpy as np

from experiments.gallery.models.random_models import correlated, proportional


def skills(rng, number, correlations):
    """Rates of easy and hard questions and base policies, `[C, number, 12]` each."""
    from scipy.stats import norm

    first, second = correlated(rng, (number, 12), correlations)
    base = proportional(rng.normal(size=first.shape))
    easy, base = (np.broadcast_to(x, second.shape) for x in (first + 0.3, base))
    return norm.cdf(easy), norm.cdf(second - 1.0), base


def trained(easy, hard, base, time):
    """What hard accuracy gains in this time, and its slope at the start.

    The slope is `sum_k pi_k^2 (s_k - ACC)(f_k - F)`, with hard rates f.
    """
    import simulator as sim

    problem = sim.Problem(easy, base, attributes={"hard": hard})
    run = sim.solve(problem, sim.Verifiable(), max_log_time=np.log(time))
    means = [np.sum(base * x, axis=-1, keepdims=True) for x in (easy, hard)]
    slope = np.sum(base**2 * (easy - means[0]) * (hard - means[1]), axis=-1)
    return run.attribute("hard") - means[1][..., 0], slope
