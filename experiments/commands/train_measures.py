"""What is measured of sampled training, and summarised over its seeds."""

import numpy as np

from experiments.extinct import lost

LISTED = 10_000  # seeds whose ends are given one by one
QUANTILES = (0.05, 0.5, 0.95)
MEASURES = (
    "accuracy",
    "optimal_probability",
    "log10_optimal_probability",
    "entropy",
    "kl_to_base",
    "kl_to_reference",
    "pass_at_8",
)


def has_a_best(problem):
    """Which questions have a pattern that is better than another one, `[Q]`."""
    import simulator as sim

    rates, base = problem.success_rates, problem.log_policy
    return sim.best_value(base, rates) > -sim.best_value(base, -rates)


def measures(problem, log_probs):
    """Data kept of every saved step: means over the questions, and rows of them.

    `by_question`: the accuracy of each; `policy`: its probabilities.

    `pi_*` is the mean over the questions that have a best pattern, NaN if none has; its
    logarithm is told too, as it may be smaller than floats can say.
    """
    import jax
    import jax.numpy as jnp

    import simulator as sim

    def one(problem, log_probs):
        rates = problem.success_rates
        return {
            "accuracy": sim.accuracy(log_probs, rates),
            "log_best": sim.log_optimal_probability(log_probs, rates),
            "entropy": sim.entropy(log_probs),
            "kl_to_base": sim.kl(log_probs, problem.log_policy),
            "kl_to_reference": sim.kl(log_probs, problem.log_reference),
            "pass_at_8": sim.pass_at_n(log_probs, rates, 8),
        }

    rows = jax.vmap(one)(problem, log_probs)
    known, log_best = has_a_best(problem), rows.pop("log_best")
    by_question = rows["accuracy"]
    log_sum = jax.nn.logsumexp(jnp.where(known, log_best, -jnp.inf))
    log_best = log_sum - jnp.log(jnp.sum(known))
    return jax.tree.map(jnp.mean, rows) | {
        "optimal_probability": jnp.exp(log_best),
        "log10_optimal_probability": log_best / np.log(10),
        "by_question": by_question,
        "policy": jnp.exp(log_probs),
    }


def lost_share(problem, recipe, log_probs) -> float:
    """The share of seeds and questions that lose the best pattern for good.

    Of questions that have one; NaN if none has.
    """
    import simulator as sim

    rates, known = np.asarray(problem.success_rates), np.asarray(has_a_best(problem))
    if not known.any():
        return np.nan
    best = rates == np.asarray(sim.best_value(problem.log_policy, rates))[:, None]
    mass = np.where(best, np.exp(log_probs), 0).sum(axis=-1)[..., known]
    return float(lost(mass, recipe.group_size, recipe.num_steps).mean())


def with_start(first, saved):
    """`saved` `[S, T, ...]` with the base model's value before it."""
    first = np.broadcast_to(np.asarray(first), (len(saved), 1, *saved.shape[2:]))
    return np.concatenate([first, saved], axis=1)


def summary(values: np.ndarray) -> dict[str, np.ndarray]:
    """Over the seeds, of `[S, T, ...]`: `[T, ...]` each."""
    low, middle, high = np.quantile(values, QUANTILES, axis=0)
    return {
        "mean": values.mean(axis=0),
        "standard_error": values.std(axis=0) / np.sqrt(len(values)),
        "q05": low,
        "q50": middle,
        "q95": high,
    }


def first_steps(until: str, first: np.ndarray) -> dict:
    """When an event held first, over the seeds; `first` `[S]`, -1 where it never did.

    `q10`: the step by which a tenth of the seeds had got there; None if they never did.
    """
    steps = np.where(first < 0, np.inf, first)
    ranked, count = np.sort(steps), len(steps)
    by = {f"q{p}": ranked[-(-p * count // 100) - 1] for p in (10, 50, 90)}
    return {
        "until": until,
        **{name: _whole(step) for name, step in by.items()},
        "never": float(np.mean(first < 0)),
        "by_seed": [_whole(step) for step in steps[:LISTED]],
    }


def _whole(step: float) -> int | None:
    return int(step) if np.isfinite(step) else None
