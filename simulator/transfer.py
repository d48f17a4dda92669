"""What training did to a small model, added to the logits of a large one."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from simulator.problem import Problem
from simulator.problem_checks import SUM_TOLERANCE
from simulator.validation import Numbers, check_finite, check_kind, given_array, real

__all__ = ["transferred"]


def transferred(
    large: Problem,
    small: Problem,
    small_trained: Numbers | Float[Array, "*B K"],
    strength: Numbers = 1.0,
) -> Problem:
    """The large model with the shift of the small one, as in RAST (arXiv 2506.15710).

    `log pi = log pi_large + strength (log pi_trained - log pi_small)`, normalised.

    - `large`, `small`: problems over the same patterns, `[*B, K]`; of the small one
      only the base policy counts.
    - `small_trained`: log-probabilities of the small model after training, `[*B, K]`,
      like `solution.log_probs`.
    - `strength`: a number, or one per problem, `[*B]`.

    Returns `large` with another policy; its success rates and reference stay. A pattern
    outside the support of the large model stays outside.

    Raises `ValueError` for other shapes, for a strength that is not finite, and where
    the small model has no shift: a pattern that only the large one has, or that is at
    probability 0 after training.

    Under the natural gradient the shift of fixed rewards is `rho t`, whatever the base
    model, so that with the same success rates the transfer is the training itself:

    >>> large = sim.Problem([0.9, 0.6, 0.1], [0.05, 0.7, 0.25])
    >>> small = sim.Problem([0.9, 0.6, 0.1], [0.6, 0.2, 0.2])
    >>> donor, wanted = (
    ...     sim.solve(x, sim.Verifiable(), sim.NaturalGradient(), max_log_time=2.0)
    ...     for x in (small, large)
    ... )
    >>> injected = sim.transferred(large, small, donor.log_probs)
    >>> np.round(jnp.exp(injected.log_policy), 4)
    Array([0.3938, 0.6008, 0.0053], dtype=float64)
    >>> np.round(wanted.policy, 4)
    Array([0.3938, 0.6008, 0.0053], dtype=float64)
    """
    for name, problem in ("large", large), ("small", small):
        check_kind(name, problem, Problem, "Problem(success_rates, policy)")
    trained = given_array("small_trained", small_trained)
    shape = large.log_policy.shape
    for name, found in (
        ("small", small.log_policy.shape),
        (
            "small_trained",
            trained.shape,
        ),
    ):
        if found != shape:
            raise ValueError(
                f"`{name}` has shape {found} and `large` {shape}; give both models the "
                "same patterns and the same batch."
            )
    _check_log_probs(trained)
    weight = real("strength")(strength)
    check_finite("strength", weight)
    if weight.shape not in ((), shape[:-1]):
        raise ValueError(
            f"`strength` has shape {weight.shape} and the problems {shape[:-1]}; give "
            "one number, or one per problem."
        )
    inside = large.log_policy > -jnp.inf
    shift = jnp.where(inside, trained - jnp.where(inside, small.log_policy, 0.0), 0.0)
    _check_shift(shift)
    moved = jnp.where(inside, large.log_policy + weight[..., None] * shift, -jnp.inf)
    return eqx.tree_at(lambda p: p.log_policy, large, jax.nn.log_softmax(moved))


def _check_log_probs(trained: Array | np.ndarray) -> None:
    if isinstance(trained, jax.core.Tracer):
        return
    with np.errstate(over="ignore"):
        sums = np.exp(np.asarray(trained, float)).sum(axis=-1)
    wrong = sums[~(np.abs(sums - 1) <= SUM_TOLERANCE)]
    if wrong.size:
        raise ValueError(
            f"`small_trained` are logarithms of probabilities with the sum "
            f"{wrong.flat[0]:g}; give log-probabilities, like `solution.log_probs`."
        )


def _check_shift(shift: Array) -> None:
    if isinstance(shift, jax.core.Tracer) or np.isfinite(shift).all():
        return
    raise ValueError(
        "the small model has no finite shift for a pattern of the large one; give the "
        "pattern some probability in `small` and in `small_trained`."
    )
