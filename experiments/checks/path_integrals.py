"""Integrals along the run, as times: the plain path in the clock `int f dt`."""

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Int

import simulator as sim
from simulator.validation import Given

KINDS = ("squared", "off", "uneven", "undecided", "product", "time")
_SMALLEST = -700.0  # of log f
_ROUNDING = 1e-13  # of differences between log-probabilities


class Meter(sim.AbstractClock):
    """The "times" of a run in this clock are `int f dt`; `kind` says which f.

    With P the mass on `mask`, i the most likely pattern, and `u`, `a_k = u_k - u_i` as
    in `theory.intrinsic_time`:

    - `squared`: `f = P^2`; `off`: `f = 1 - P`;
    - `uneven`: the unevenness of `theory.tail_bounds.unevenness`;
    - `undecided`: `f = 1 - pi_i`, so that the integral is I of `theory.clock`;
    - `product`: `f = prod_{k != i} a_k / Z`, so that it is L;
    - `time`: `f = 1`.
    """

    kind: Given[Int[Array, "*B"]] = eqx.field(converter=jnp.asarray)
    mask: Given[Bool[Array, "*B K"]] = eqx.field(converter=jnp.asarray)

    def log_factor(self, log_p, log_q):
        """Not used: the speed depends on the whole policy."""
        return jnp.zeros_like(log_p + log_q)

    def log_clock(self, rewards, log_probs):
        behind = jnp.arange(len(log_probs)) != jnp.argmax(log_probs)
        log_f = {
            "squared": 2 * _log_mass(log_probs, self.mask > 0),
            "off": _log_mass(log_probs, self.mask == 0),
            "uneven": _log_unevenness(rewards, log_probs),
            "undecided": _log_mass(log_probs, behind),
            "product": _log_product(log_probs, behind),
            "time": 0.0,
        }
        chosen = jnp.select(
            [self.kind == i for i in range(len(KINDS))], [log_f[k] for k in KINDS]
        )
        return -jnp.maximum(chosen, _SMALLEST)


def _log_mass(log_probs, which):
    return jax.nn.logsumexp(jnp.where(which, log_probs, -jnp.inf))


def _log_unevenness(rewards, log_probs):
    inside = log_probs > -jnp.inf
    best = jnp.max(jnp.where(inside, rewards, -jnp.inf))
    short = jnp.where(inside, best - rewards, 0.0)
    gap = jnp.sum(jnp.exp(log_probs) * short)
    speed = log_probs + jnp.log(jnp.where(short > gap, short - gap, 1.0))
    fast = jnp.max(jnp.where(short > 0, speed, -jnp.inf))
    slow = jnp.min(jnp.where(short > 0, speed, jnp.inf))
    ratio = jnp.maximum(fast - slow, 1e-30)
    return 2 * (ratio / 2 + jnp.log(-jnp.expm1(-ratio) / 2))


def _log_product(log_probs, behind):
    """`log (prod a_k / Z)`, with `a_k = (1/pi_k - 1/pi_i) / Z` and `prod u_k = 1`."""
    inside = log_probs > -jnp.inf
    log_probs = jnp.where(inside, log_probs, 0.0)
    log_z = -jnp.sum(log_probs) / jnp.sum(inside)
    others = behind & inside
    top = jnp.max(jnp.where(inside, log_probs, -jnp.inf))
    lead = jnp.where(others, log_probs - top, -1.0)
    tie = lead >= -_ROUNDING  # then the product is 0
    log_a = jnp.log(-jnp.expm1(jnp.where(tie, -1.0, lead))) - log_probs - log_z
    log_f = jnp.sum(jnp.where(others, log_a, 0.0)) - log_z
    return jnp.where(jnp.any(tie), _SMALLEST, log_f)
