"""Large models with the shift of small ones, and how much of RL they recover."""

import numpy as np

from experiments.gallery.models.random_models import correlated

PATTERNS = 20
MISMATCH = np.array([0.0, 0.5, 1.0, 1.5, 2.0])  # noise in success rates
ALIKE = np.array([0.0, 0.3, 0.7, 1.0])  # correlation of base logits
TIMES = np.array([10.0, 30.0, 100.0, 200.0, 1000.0])  # of donors
RL = 3  # place of the time of RL
STRENGTHS = np.array([0.25, 0.5, 1.0, 2.0, 4.0])
ATTEMPTS = np.array([1, 8, 64, 512])
QUESTIONS = 12  # of a benchmark
LEVELS = {
    "mismatch": MISMATCH,
    "alike": ALIKE,
    "donors": TIMES,
    "strengths": STRENGTHS,
    "attempts": ATTEMPTS,
}


def paired_models(rng, number, mismatch=MISMATCH, alike=ALIKE, patterns=PATTERNS):
    """Success rates and base logits of a large and a small model.

    `[2, mismatch, alike, number, K]`; `mismatch` is the noise between their success
    rates, `alike` the correlation of their base logits.
    """
    shape = len(mismatch), len(alike), number, patterns
    skill, other = rng.normal(size=(2, number, patterns))
    noise = np.reshape(mismatch, (-1, 1, 1, 1))
    scores = np.stack(
        [
            np.broadcast_to((skill + noise * other) / np.hypot(1, noise), shape),
            np.broadcast_to(skill - 1, shape),
        ]
    )
    first, second = correlated(rng, (number, patterns), alike)
    logits = 1.2 * np.stack([np.broadcast_to(x, shape) for x in (first, second)])
    return 1 / (1 + np.exp(-scores)), logits


def several_questions(rng, number, patterns=PATTERNS, questions=QUESTIONS):
    """Success rates `[2, number, Q, K]` of a large and a small model, base logits.

    Patterns differ in all questions together and in each. The small model is worse;
    noise between the two is 0.5, the correlation of base logits 0.7.
    """
    shared = rng.normal(size=(number, 1, patterns))
    own, noise = rng.normal(size=(2, number, questions, patterns))
    skill = shared + 2 * own - 1.5
    scores = np.stack([skill + 0.5 * noise, skill - 1])
    first, second = correlated(rng, (number, patterns), [0.7])
    return 1 / (1 + np.exp(-scores)), 1.2 * np.stack([first, second[0]])


def trained(problem, update, times):
    """Log-probabilities under RL at the times, `[T, ...]`."""
    import simulator as sim

    solution = sim.solve(
        problem,
        sim.Verifiable(),
        update,
        max_log_time=np.log(times[-1]),
        save_log_times=np.log(times),
        observe=sim.log_probabilities,
    )
    return np.moveaxis(np.asarray(solution.saved), -2, 0)


def recovery(large, small, donor, wanted, strength=1.0):
    """`(ACC_transfer - ACC_base) / (ACC_RL - ACC_base)` of the large model."""
    import simulator as sim

    moved = sim.transferred(large, small, donor, strength).log_policy
    before, after, best = (
        np.sum(np.exp(x) * large.success_rates, axis=-1)
        for x in (large.log_policy, moved, wanted)
    )
    return (after - before) / (best - before)


def exact_error(both, times, wanted):
    """By how much the transfer misses RL where both models have the same success rates.

    Under the natural gradient the shift is `s t`, whatever the base model.
    """
    import simulator as sim

    same = sim.Problem(both.success_rates[0], logits=both.log_policy[1])
    own = trained(same, sim.NaturalGradient(), times)[-1]
    found = sim.transferred(both[0], same, own).log_policy
    return np.abs(np.exp(found) - np.exp(wanted)).max()


def cosines(first, second):
    """Of shifts, each minus its mean."""
    first, second = (x - np.mean(x, axis=-1, keepdims=True) for x in (first, second))
    norms = np.linalg.norm(first, axis=-1) * np.linalg.norm(second, axis=-1)
    return np.sum(first * second, axis=-1) / norms


def misses(rng, number):
    """1 - pass@k of base model, RL and transfer, `[3, number, A]`.

    One policy for all questions of a benchmark, trained on their mean success rate.
    """
    import simulator as sim

    tables, logits = several_questions(rng, number)
    both = sim.Problem(tables.mean(axis=-2), logits=logits)
    ends = trained(both, None, TIMES)[RL]
    moved = sim.transferred(both[0], both[1], ends[1]).log_policy
    policies = np.exp([both.log_policy[0], ends[0], moved])
    wrong = np.sum(policies[:, :, None] * (1 - tables[0]), axis=-1)
    return np.stack([(wrong**k).mean(axis=-1) for k in ATTEMPTS], axis=-1)
