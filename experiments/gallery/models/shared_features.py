"""Questions that share features, with the features trained or not."""

import numpy as np

import simulator as sim
from experiments.gallery.models.question_banks import orthogonal_features
from simulator import rollouts as ro

GRAM = np.array([0, 0.1, 0.3, 0.6, 0.9, 1.0])
PATTERNS, QUESTIONS, SMALL, WIDTH = 8, 24, 16, 16
TIMES = np.array([0.3, 1, 3, 10, 30])
FIRST, SECOND = np.array([1, 2.5, 5, 7.5, 10]), np.array([2.5, 5, 10, 20, 30])
# Classifier and features: w, b, and c of the inputs.
CELLS = [(w, b, c) for c in (0.3, 0.9) for w in (0.3, 1.0) for b in (0.3, 1.0)]
# Rates of classifier and features in the first stage: joint, classifier first, features
# first, joint at rate 10, classifier first at rate 10.
RATES = np.array([[1.0, 1], [1, 0], [0, 1], [10, 10], [10, 0]])


def held_out_models(rng, number):
    """Rates and base logits `[3, number, Q, K]`.

    Success unrelated; half of it common to all questions; unrelated, but with a strong
    prior over patterns that all questions share.
    """
    shape = number, QUESTIONS, PATTERNS
    own, common = rng.uniform(size=shape), rng.uniform(size=(number, 1, PATTERNS))
    logits, prior = rng.normal(size=shape), 2 * rng.normal(size=(number, 1, PATTERNS))
    rates = np.stack([own, (own + common) / 2, own])
    return rates, np.stack([logits, logits, logits + prior])


def held_out(rng, number, data):
    """Held-out questions by c: confidence and accuracy gained, whose entropy falls."""
    rates, logits = held_out_models(rng, number)
    shape = len(GRAM), *rates.shape
    rates, logits = (np.broadcast_to(x, shape) for x in (rates, logits))
    size = -1, QUESTIONS, PATTERNS
    each = np.repeat(np.arange(len(GRAM)), 3 * number)
    trained = np.arange(QUESTIONS) < QUESTIONS // 2
    policy = ro.Weighted(
        ro.Features(orthogonal_features(GRAM, QUESTIONS)[each]),
        np.where(trained, float(QUESTIONS), 0.0),
    )
    problem = sim.Problem(rates.reshape(size), logits=logits.reshape(size))
    found = sim.solve_population(
        sim.Population(problem, policy),
        sim.Verifiable(),
        max_log_time=np.log(TIMES[-1]),
        save_log_times=np.log(TIMES),
        observe=sim.log_probabilities,
        tolerance=1e-6,
    )
    base = np.asarray(problem.log_policy)[:, None]
    logs = np.concatenate([base, np.asarray(found.saved)], axis=1)[:, :, ~trained]
    held = rates.reshape(size)[:, None, ~trained]
    seen = {
        "confidence": np.exp(logs).max(axis=-1),
        "accuracy": np.sum(np.exp(logs) * held, axis=-1),
        "entropy": np.asarray(sim.entropy(logs)),
    }
    shape = len(GRAM), 3, number
    for key, value in seen.items():
        change = value[:, 1:] - value[:, :1]
        if key == "entropy":
            lower = np.mean(change < -1e-9, axis=-1)
            data["lower"] = lower.reshape(*shape, -1).mean(axis=2)
        else:
            data[key] = change[:, -1].mean(axis=-1).reshape(shape)


def schedule_models(rng, number):
    """Rates `[C, number, Q, K]`, classifiers, layers and inputs of all cells."""
    shape = len(CELLS), number
    own = rng.uniform(size=(*shape, SMALL, PATTERNS))
    rates = (own + rng.uniform(size=(*shape, 1, PATTERNS))) / 2
    w, b, c = np.array(CELLS).T
    classifier, layer = (
        size[:, None, None, None] * rng.normal(size=(*shape, *sides)) / np.sqrt(WIDTH)
        for size, sides in ((w, (PATTERNS, WIDTH)), (b, (WIDTH, SMALL)))
    )
    inputs = orthogonal_features(c, SMALL)[:, None]
    inputs = np.broadcast_to(inputs, (*shape, SMALL, SMALL))
    return rates, classifier, layer, inputs


def schedules(rng, number, data):
    """Accuracy and confidence of all schedules in time, `[S, C, number, T]`."""
    shape = len(RATES), len(CELLS), number
    rates, classifier, layer, inputs = (
        np.broadcast_to(x, (len(RATES), *x.shape)).reshape(-1, *x.shape[2:])
        for x in schedule_models(rng, number)
    )
    logits = np.einsum("lqx,ldx,lkd->lqk", inputs, layer, classifier, optimize=True)
    first = np.repeat(RATES, len(CELLS) * number, axis=0)
    policies = [
        ro.TrainedFeatures(inputs, classifier, layer, *speeds.T)
        for speeds in (first, np.ones_like(first))
    ]
    start = sim.Population(sim.Problem(rates, logits=logits), policies[0])
    stages = []
    for policy, times in zip(policies, (FIRST, SECOND), strict=True):
        stage = sim.Population(start.problem, policy, parameters=start.parameters)
        found = sim.solve_population(
            stage,
            sim.Verifiable(),
            max_log_time=np.log(times[-1]),
            save_log_times=np.log(times),
            tolerance=1e-6,
        )
        stages.append(np.asarray(found.saved))
        start = stage.at(found)
    pi = np.concatenate(stages, axis=1)
    accuracy = np.sum(pi * rates[:, None], axis=-1).mean(axis=-1)
    for key, value in (
        ("by_schedule", accuracy),
        ("confident", pi.max(axis=-1).mean(axis=-1)),
    ):
        value = value.reshape(*shape, -1)
        data[key], data[f"{key}_end"] = value.mean(axis=2), value[..., -1]
