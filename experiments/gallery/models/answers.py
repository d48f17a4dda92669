"""Patterns whose success rates are trained too: who wins, and where that changes."""

from typing import Any, NamedTuple

import numpy as np

REFINED, LANES = 3, 16  # of the search for a threshold
END = 1e9  # flow time by which the winner has nearly all mass
LEVEL = 0.85
TIMES = np.geomspace(1, 1e6, 61)


class Trained(NamedTuple):
    """Of each lane.

    When accuracy is 0.85, and the rate of pattern 1 then; whether the best pattern won;
    accuracy, its share and that rate at `TIMES`.
    """

    time: np.ndarray
    rival: np.ndarray
    kept: np.ndarray
    saved: np.ndarray


def split(share, rival):
    """Policies `[..., 3]`: shares of the best pattern, and of the rival in the rest."""
    return np.stack([share, (1 - share) * rival, (1 - share) * (1 - rival)], axis=-1)


def random_rates(rng, number):
    """Success rates `[number, 3]`, best first."""
    best = rng.uniform(0.6, 0.95, number)
    rival = rng.uniform(0.4, 0.85, number) * best
    return np.stack([best, rival, rng.uniform(0.1, 0.8, number) * rival], axis=1)


def watched(log_probs):
    """Accuracy, the share of pattern 0, and the success rate of pattern 1."""
    import jax.numpy as jnp

    right = log_probs[0] + log_probs[1:, 0]
    rows = [jnp.sum(jnp.exp(right)), jnp.exp(log_probs[0, 0]), jnp.exp(log_probs[2, 0])]
    return jnp.stack(rows)


def trained(rates, base, alpha, progress=None) -> Trained:
    """Three patterns, best first, whose answers are trained at the rates `alpha`."""
    import simulator as sim

    run = sim.solve_population(
        sim.answer_layer(sim.Problem(rates, base), alpha),
        sim.TrainedAnswers(),
        events=[sim.Accuracy(LEVEL)],
        save_log_times=np.log(TIMES),
        observe=watched,
        max_log_time=np.log(END),
        progress=progress,
    )
    saved: Any = run.saved
    there = run["accuracy"]
    kept = np.asarray(run.policy)[:, 0].argmax(axis=-1) == 0
    kept &= ~np.asarray(run.failed)
    rival = np.exp(there.log_probs)[:, 2, 0]
    return Trained(np.asarray(there.time), np.asarray(rival), kept, np.asarray(saved))


def thresholds(rates, base, time):
    """The least rate alpha at which the best pattern loses, times this time: `[n]`.

    Looked for between 0.3 and 3 by 16 rates, which are refined twice, to 0.07 %. nan
    where the winner does not change between the ends.
    """
    low, high = np.full(len(time), 0.3), np.full(len(time), 3.0)
    row, s, pi = np.arange(len(time)), *(np.repeat(x, LANES, 0) for x in (rates, base))
    found = np.full(len(time), True)
    for _ in range(REFINED):
        tried = np.geomspace(low, high, LANES, axis=1)
        kept = trained(s, pi, (tried / time[:, None]).ravel()).kept
        last = np.reshape(kept, tried.shape).sum(axis=1)
        found &= (last > 0) & (last < LANES)
        last = np.clip(last, 1, LANES - 1)
        low, high = tried[row, last - 1], tried[row, last]
    return np.where(found, np.sqrt(low * high), np.nan)


def laws(rates, base):
    """C(s) of statement C6 and the time of crossing, `[n]` each."""
    from theory.entanglement import transition_bounds
    from theory.lock_in import lock_in_constant

    bounds = transition_bounds(rates, np.log(base), event="crossing")
    return lock_in_constant(rates[:, 0], rates[:, 1], rates[:, 2:]), bounds.exact


def around(rates, base, slow):
    """Whether the winner changes within 10 % of C6's threshold, `[n]`.

    And how far the rival's rate moves at the lower rate alpha = slow/T_cross.
    """
    law, time = laws(rates, base)
    alpha = np.concatenate([0.9 * law / time, 1.1 * law / time, slow / time])
    found = trained(np.tile(rates, (3, 1)), np.tile(base, (3, 1)), alpha)
    kept, moved = found.kept.reshape(3, -1), found.rival.reshape(3, -1)
    return kept[0] & ~kept[1], moved[2] - rates[:, 1]
