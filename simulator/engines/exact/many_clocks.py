"""The clocks of several updates at once, at the places of an orbit.

Those that are counted (`AbstractCounted`) and have as many terms are one table, so that
a program knows them by the shape of that table only: it serves all such clocks, in any
order. Others are computed one by one.
"""

import functools
from collections.abc import Sequence

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from simulator.clocks import AbstractClock, AbstractCounted, Terms
from simulator.engines.exact.fast_events import Passage
from simulator.engines.exact.orbit import Orbit
from simulator.rules import AbstractUpdate
from simulator.updates import PolicyGradient

Places = Float[Array, " N"]


class Table(eqx.Module):
    """Sums of powers of p and q, as many terms each: rows of `Terms`."""

    above: Terms
    below: Terms | None

    def log_factors(self, log_p: Places, log_q: Places) -> Float[Array, "C N"]:
        """`log h` of each at N places."""
        log_h = _log_sums(self.above, log_p, log_q)
        return (
            log_h if self.below is None else log_h - _log_sums(self.below, log_p, log_q)
        )


def _log_sums(terms: Terms, log_p: Places, log_q: Places) -> Float[Array, "C N"]:
    """`Terms.log_sum` of each row at N places; places last, for vector code."""

    def power(exponent, log):
        exponent = jnp.asarray(exponent, log.dtype)[:, :, None]
        return jnp.where(exponent == 0, 0.0, exponent * log[None, None, :])

    logs = power(terms.right, log_p) + power(terms.wrong, log_q)
    log_weight = jnp.asarray(terms.log_weight, log_p.dtype)[:, :, None]
    return jax.nn.logsumexp(log_weight + logs, axis=1)


class Clocks(eqx.Module):
    """Several clocks: those in tables, and the others."""

    tables: tuple[Table, ...]
    others: tuple[AbstractUpdate, ...]

    @property
    def number(self) -> int:
        """How many there are."""
        rows = [np.shape(table.above.log_weight)[-2] for table in self.tables]
        return sum(rows) + len(self.others)

    def log_factors(self, orbit: Orbit, passage: Passage) -> Float[Array, "C N"]:
        """`log h` of all at N places: table by table, then the others."""
        log_p = passage.log_mean(orbit.rewards)
        log_q = passage.log_mean(jnp.where(orbit.inside, 1 - orbit.rewards, 0.0))
        rows = [table.log_factors(log_p, log_q) for table in self.tables]
        for clock in self.others:
            plain = type(clock).log_clock is AbstractClock.log_clock
            if plain and isinstance(clock, AbstractClock):
                row = jax.vmap(clock.log_factor)(log_p, log_q)
            else:
                log_probs = jax.nn.log_softmax(_log_ratios(passage), axis=0)
                row = jax.vmap(clock.log_clock, in_axes=(None, 1))(
                    orbit.rewards, log_probs
                )
            rows.append(row[None, :])
        return jnp.concatenate(rows)


def _log_ratios(passage: Passage) -> Float[Array, "K N"]:
    """`log (pi_k / pi_i)` with the leader i."""
    log_ratios = passage.log_size + jnp.log(passage.shape)
    log_ratios = jnp.where(passage.others[:, None], log_ratios, -jnp.inf)
    return jnp.where(passage.leads[:, None], 0.0, log_ratios)


class _Plain(AbstractCounted):
    """The clock of the policy gradient: h = 1."""

    def terms(self):
        return Terms.of(0.0, 0, 0), None


def gathered(updates: Sequence[AbstractUpdate]) -> tuple[Clocks, list[int]]:
    """All clocks, and the row of each."""
    clocks = [_Plain() if isinstance(x, PolicyGradient) else x for x in updates]
    # Numbers may be of one lane each, or traced.
    counted = [
        i
        for i, clock in enumerate(clocks)
        if isinstance(clock, AbstractCounted) and not jax.tree.leaves(clock)
    ]
    others = [i for i in range(len(clocks)) if i not in counted]
    tables, order = _tables(tuple(clocks[i] for i in counted))
    order = [counted[i] for i in order] + others
    rows = [order.index(i) for i in range(len(clocks))]
    return Clocks(tables, tuple(clocks[i] for i in others)), rows


def _filled_up(terms: Terms) -> Terms:
    """One or two terms; more with terms of weight 0, up to 8, 16, 32, ..."""
    number = len(terms.log_weight)
    size = number if number <= 2 else max(8, 1 << (number - 1).bit_length())
    pad = (0, size - number)
    log_weight = np.pad(terms.log_weight, pad, constant_values=-np.inf)
    return Terms(log_weight, np.pad(terms.right, pad), np.pad(terms.wrong, pad))


@functools.lru_cache(maxsize=64)
def _tables(
    clocks: tuple[AbstractCounted, ...],
) -> tuple[tuple[Table, ...], list[int]]:
    """Clocks in tables, by their numbers of terms; and which are their rows."""
    kinds: dict[tuple[int, int], list[int]] = {}
    terms = []
    for i, clock in enumerate(clocks):
        above, below = clock.terms()
        above, below = _filled_up(above), below and _filled_up(below)
        sizes = len(above.log_weight), len(below.log_weight) if below else 0
        kinds.setdefault(sizes, []).append(i)
        terms.append((above, below))
    tables, order = [], []
    for _, mine in sorted(kinds.items()):
        order += mine
        rows = [terms[i] for i in mine]
        above, below = jax.tree.map(lambda *xs: np.stack(xs), *rows)
        tables.append(Table(above, below))
    return tuple(tables), order
