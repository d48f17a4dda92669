"""Tasks by depth under RL, mid-training before RL, and exposure to a context."""

import numpy as np

import simulator as sim
from experiments.gallery.models.chains import chain, sharing, success, trained, up_to

LEVELS, KNOWN, WIDTH = 20, 10, 1.5
TASKS = up_to(np.arange(1, LEVELS + 1), LEVELS)
DEPTHS = np.arange(1, LEVELS + 1)
RANGES = np.array([[2, 10], [9, 12], [11, 14], [17, 20]])  # of RL
GROUPS = [(2, 10), (11, 14), (15, 20)]  # in range, edge, far
DURATION, BUDGET = 100.0, 30.0  # 1000 and 300 steps of 0.1
EXPOSURES = np.geomspace(1e-4, 1e-1, 13)
LIMIT = 500.0
SHARES = np.array([0, 0.1, 0.2, 0.35, 0.5, 0.65, 0.75, 0.9, 1])
FIDELITIES = np.array([0.8, 0.9, 0.97])


def within(low, high):
    """Which depths are trained."""
    return (DEPTHS >= low) & (DEPTHS <= high)


def odds(known, fall):
    """Log odds of the levels `[B, L]`: `known`, and from KNOWN on falling."""
    beyond = np.maximum(DEPTHS - KNOWN, 0)
    return np.reshape(known, (-1, 1)) - np.reshape(fall, (-1, 1)) * beyond


def by_group(chances):
    """pass@1 and pass@128 `[B, groups, 2]` of chances `[B, T]`."""
    groups = [chances[:, within(*group)] for group in GROUPS]
    both = [[p.mean(axis=1), (1 - (1 - p) ** 128).mean(axis=1)] for p in groups]
    return np.moveaxis(np.array(both), -1, 0)


def random_models(rng, number):
    """Log odds of the known levels, how they fall, and the widths, `[number]`."""
    return (
        rng.uniform(3, 4, number),
        rng.uniform(1.6, 2.4, number),
        rng.uniform(1.2, 1.8, number),
    )


def ranges(rng, number, data):
    """pass@1 and pass@128 after RL on each range.

    Models: the one of the page, the same without sharing, without headroom, random.
    """
    known, fall, width = random_models(rng, number)
    logits = odds([3.5, 3.5, 6.0, *known], [2.0, 2.0, 0.0, *fall])
    base = chain(logits, np.array([WIDTH, 0.0, WIDTH, *width]))
    passed = [by_group(success(base, TASKS))]
    for low, high in RANGES:
        _, chances = trained(base, TASKS, within(low, high), DURATION)
        passed.append(by_group(chances))
    data["passed"] = np.array(passed)


def exposure(rng, number, data):
    """When the right pattern has half of the mass, and its mass at LIMIT."""
    rates = np.stack(
        [rng.uniform(*ends, number) for ends in ((0.7, 0.95), (0.1, 0.4), (0, 0.1))], 1
    )
    rival = rng.uniform(0.6, 0.9, number)
    rates, rival = np.vstack([[0.95, 0.2, 0.05], rates]), np.append(0.8, rival)
    others = np.stack([rival, 1 - rival], axis=-1)[:, None]
    eps = np.broadcast_to(EXPOSURES[:, None], (len(rates), len(EXPOSURES), 1))
    policy = np.concatenate([eps, (1 - eps) * others], axis=-1)
    wide = np.broadcast_to(rates[:, None], policy.shape)
    event = sim.OptimalProbability(0.5)
    found = sim.solve(
        sim.Problem(wide, policy),
        sim.Verifiable(),
        until=sim.Gap(1e-6),
        events=[event],
        save_log_times=np.log([LIMIT]),
    )
    mass = np.asarray(found.saved)[:, :, 0, 0]
    step = (len(EXPOSURES) - 1) // 3  # a factor of ten
    data["sharp"] = ((mass[:, :-step] < 0.01) & (mass[:, step:] > 0.9)).any(axis=1)
    data["mass"] = mass[0]
    data["half_times"] = np.exp(found.at(event).log_time[0])


def middle(rng, number, data):
    """Edge pass@1 and far pass@128 by share of mid-training, then RL on 11 to 14."""
    known, fall, width = random_models(rng, number)
    fidelity = np.append(FIDELITIES, rng.uniform(0.8, 0.97, number))
    logits = odds([3.5] * 3 + [*known], [3.2] * 3 + [*(fall + 1.2)])
    width = np.append([WIDTH] * 3, width)
    lanes = np.repeat(np.arange(len(width)), len(SHARES))
    share = np.tile(SHARES, len(width))[:, None]
    needed = TASKS[within(11, 14)].mean(axis=0)
    right = np.broadcast_to(fidelity[lanes, None], (len(lanes), LEVELS))
    shown = sim.Demonstrations(np.stack([right, 1 - right], axis=-1))
    signal = sim.Chain(TASKS, within(11, 14) / 4, sim.GRPO(8))
    policies = [
        sharing(width[lanes], x) for x in (share * needed, 1 - share + 0 * needed)
    ]
    phases = [
        sim.Phase(shown, duration=BUDGET, policy=policies[0]),
        sim.Phase(signal, duration=BUDGET, policy=policies[1]),
    ]
    start = chain(logits[lanes], width[lanes])
    *_, ended = sim.train_in_phases(start, phases, tolerance=1e-6)
    groups = by_group(np.asarray(ended.success)).reshape(len(width), len(SHARES), 3, 2)
    data["edge"], data["beyond"] = groups[:, :, 1, 0], groups[:, :, 2, 1]
    data["inside"] = groups[:3, -1, 0, 0]
