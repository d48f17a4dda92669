"""Random models that are paid by their own confidence, and how accuracy then moves."""

import numpy as np

from experiments.gallery.models.random_models import proportional, standardised

PATTERNS, ANSWERS = 30, 5
SHARPNESS = np.array([0.3, 1.0, 2.0, 4.0])  # times the base logits
ALIGNED = np.array([0.0, 1.0])  # how far base logits follow success rates
QUESTIONS, WAYS = 32, 5  # of a benchmark; to write an answer without the format
TIMES = np.geomspace(0.02, 60, 60)
LATE = np.geomspace(1, 1e6, 60)
PAIRS = ((0, 1), (1, 2), (0, 2))
# Formatted and right, not formatted and right, the same two wrong, the shortcut.
BASE = [0.5238, 0.0582, 0.3752, 0.0417, 0.0011]
SURE = [1.0, 0.0, 1.0, 0.0, 1.6]
# Five patterns, the last is sure of a wrong answer; a base model and a sharp one.
FIVE = np.array(
    [
        [0.85, 0.06, 0.05, 0.04],
        [0.6, 0.2, 0.1, 0.1],
        [0.4, 0.25, 0.2, 0.15],
        [0.3, 0.3, 0.2, 0.2],
        [0.03, 0.95, 0.01, 0.01],
    ]
)
BASES = [[0.1, 0.25, 0.3, 0.33, 0.02], [0.02, 0.9, 0.05, 0.025, 0.005]]
# As reported by a secondary source, Qwen2.5-3B: steps, MATH500, GSM8K.
REPORTED = np.array([[0, 20, 80], [0.524, 0.583, 0.454], [0.649, 0.778, 0.670]])


def kernels(rng, number, bias=1.0, patterns=PATTERNS):
    """Answer probabilities `[number, K, A]`; patterns 0 and 1 are the shortcuts."""
    scores = 1.6 * rng.normal(size=(number, patterns, ANSWERS))
    scores[..., 0] += bias
    scores[:, :2, 1] = 5.5
    return proportional(scores)


def random_models(rng, number):
    """Kernels `[2, 4, number, K, A]` and base logits, by alignment and sharpness."""
    kernel = kernels(rng, number)
    follow = ALIGNED[:, None, None] * standardised(kernel[..., 0])
    logits = rng.normal(size=kernel.shape[:-1]) + follow
    logits[..., :2] -= 2
    logits = SHARPNESS[:, None, None] * logits[:, None]
    return np.broadcast_to(kernel, (*logits.shape, ANSWERS)).copy(), logits


def benchmarks(rng, number):
    """Success with any format, format, confidence, base logits: `[2, number, Q, K]`.

    Each pattern exists with the format and without. Without it one answer is written in
    WAYS ways, which takes log WAYS from the confidence. Bias of the kernels: 0, 1.
    """
    half = PATTERNS // 2
    kernel = np.stack([kernels(rng, number * QUESTIONS, b, half) for b in (0, 1)])
    kernel = kernel.reshape(2, number, QUESTIONS, half, ANSWERS)
    sure = np.repeat(np.sum(kernel * np.log(kernel), axis=-1), 2, axis=-1)
    right = np.repeat(kernel[..., 0], 2, axis=-1)
    formatted = np.arange(PATTERNS) % 2 == 0
    logits = rng.normal(size=right.shape) + formatted  # most answers have the format
    logits[..., :4] -= 2
    return right, formatted, sure - np.log(WAYS) * ~formatted, logits


def signals(problem):
    """What the three signals pay at the start, and success rates: `[4, ...]`."""
    import simulator as sim

    sure = sim.SelfCertainty().rewards(problem), sim.TokenEntropy().rewards(problem)
    return np.stack([*sure, sure[1] + problem.log_policy, problem.success_rates])


def first_steps(problem, paid):
    """Policy gradients at the start, `pi_k (rho_k - rho_bar)`."""
    policy = np.exp(problem.log_policy)
    return policy * (paid - np.sum(policy * paid, axis=-1, keepdims=True))


def agreement(problem):
    """Cosines of first steps, and whether winners agree, for each of PAIRS."""
    paid = signals(problem)[:3]
    steps = first_steps(problem, paid)
    steps = steps / np.linalg.norm(steps, axis=-1, keepdims=True)
    best = paid.argmax(axis=-1)
    cosines = np.stack([np.sum(steps[i] * steps[j], axis=-1) for i, j in PAIRS])
    return cosines, np.stack([best[i] == best[j] for i, j in PAIRS])


def equivalences(rng, kernel):
    """What is equal exactly, and how far signals agree on models without shortcuts.

    With two answers both self-certainty and token entropy order patterns by |s - 1/2|.
    At a uniform base the first steps of token and trajectory entropy are the same.
    """
    import simulator as sim

    number, patterns, _ = kernel.shape
    plain = proportional(1.6 * rng.normal(size=kernel.shape) + np.eye(ANSWERS)[0])
    logits = rng.normal(size=(number, patterns)) + standardised(plain[..., 0])
    cosines, winners = agreement(sim.Problem(logits=logits, answer_kernel=plain))
    flat = sim.Problem(logits=np.zeros((number, patterns)), answer_kernel=kernel)
    steps = first_steps(flat, signals(flat)[1:3])
    pairs = sim.two_answer_kernel(rng.uniform(0.01, 0.99, (500, patterns)))
    two = sim.Problem(logits=np.zeros((500, patterns)), answer_kernel=pairs)
    order = np.argsort(signals(two)[:2], axis=-1)
    return {
        "same_order": (order[0] == order[1]).all(axis=-1),
        "flat_error": np.abs(steps[0] - steps[1]).max(),
        "cosines": cosines.mean(axis=-1),
        "same_winner": winners.mean(axis=-1),
    }


def followed(problem, signal, update, times):
    """Policies at the times, as logarithms `[..., T, K]`."""
    import simulator as sim

    return sim.solve(
        problem,
        signal,
        update,
        max_log_time=np.log(times[-1]),
        save_log_times=np.log(times),
        observe=sim.log_probabilities,
    ).saved


def accuracies(rates, log_policy, paid, update, times):
    """Accuracy at the times under fixed rewards; shapes are broadcast."""
    import simulator as sim

    shape = np.broadcast_shapes(*map(np.shape, (rates, log_policy, paid)))
    rates, start, paid = (np.broadcast_to(x, shape) for x in (rates, log_policy, paid))
    problem = sim.Problem(rates, logits=start)
    logs = followed(problem, sim.FixedConfidence(paid), update, times)
    return np.sum(np.exp(logs) * rates[..., None, :], axis=-1)


def five_patterns(update):
    """Accuracy of FIVE at the start, the top and the end: `[sc or te, BASES, 3]`."""
    paid = np.zeros((2, 1, PATTERNS))
    paid[0, 0, :5] = -np.log(FIVE).mean(axis=-1)
    paid[1, 0, :5] = np.sum(FIVE * np.log(FIVE), axis=-1)
    logits, rates = np.full((2, PATTERNS), -np.inf), np.zeros(PATTERNS)
    logits[:, :5], rates[:5] = np.log(BASES), FIVE[:, 0]
    curves = accuracies(rates, logits, paid, update, TIMES)
    start = np.broadcast_to(np.exp(logits) @ rates, curves.shape[:-1])
    return np.stack(
        [start, np.maximum(start, curves.max(-1)), curves[..., -1]], axis=-1
    )


def gains(curve, base):
    """Peak gain and final change."""
    return np.maximum(curve.max(axis=-1) - base, 0), curve[..., -1] - base


def shapes(gain, change):
    """Rise only, fall only, rise then fall, rise then below base: 0 to 3.

    What is less than 0.01 is no rise and no fall; a curve that does not rise is 1.
    """
    up, down = gain > 0.01, change < gain - 0.01
    return np.select([up & (change < -0.01), up & down, up], [3, 2, 0], 1)


def formats(rng, number, update):
    """Right with the format and in any: of the example, and of benchmarks by bias."""
    import simulator as sim

    right, formatted, sure, logits = benchmarks(rng, number)
    example = np.zeros((4, PATTERNS))
    example[:3, :5] = [1, 1, 0, 0, 0], [1, 0, 1, 0, 1], SURE
    example[3] = -np.inf  # other patterns do not exist
    example[3, :5] = np.log(BASE)
    known = right, np.broadcast_to(formatted, right.shape), sure, logits
    right, formatted, sure, logits = (
        np.concatenate([row[None], many.reshape(-1, PATTERNS)])
        for row, many in zip(example, known, strict=True)
    )
    problem = sim.Problem(right * formatted, logits=logits)
    logs = followed(problem, sim.FixedConfidence(sure), update, TIMES)
    start = np.asarray(problem.log_policy)[:, None]
    policies = np.exp(np.concatenate([start, logs], axis=1))
    one, many = [], []
    for values in right * formatted, right:
        curve = np.sum(policies * values[:, None], axis=-1)
        one.append(curve[0])
        many.append(curve[1:].reshape(2, number, QUESTIONS, -1).mean(axis=2))
    return {
        "example": np.stack(one),
        "example_mostly": mostly_format(*one),
        "benchmark": np.mean(many, axis=2),
        "benchmark_mostly": mostly_format(*many),
    }


def mostly_format(formatted, right):
    """Whether the early rise is format, and both end below base; curves `[..., T]`."""
    top = formatted.argmax(axis=-1)[..., None]
    rise, any_format = (
        np.take_along_axis(x, top, -1)[..., 0] - x[..., 0] for x in (formatted, right)
    )
    lost = (formatted[..., -1] < formatted[..., 0]) & (right[..., -1] < right[..., 0])
    return (rise > 0.03) & (any_format < 0.1 * rise) & lost
