"""Injection of behaviour before RL: one model, random ones, and banks of questions."""

import numpy as np

import simulator as sim
from experiments.gallery.models.question_banks import orthogonal_features
from simulator import rollouts as ro

RATES = [0.85, 0.45, 0.2, 0.15, 0.1, 0.05]
BASE = [1e-5, 0.55, 0.15, 0.15, 0.1, 0.05]
# A useful pattern and clumsy ones; the model's favourite.
BEHAVIOUR, VANILLA = [0.5, 0, 0.1, 0.2, 0.1, 0.1], [0, 0.8, 0.1, 0.05, 0.03, 0.02]
SHARES = np.array([1e-3, 3e-3, 0.01, 0.03, 0.1, 0.3])
TIMES = np.array([1e2, 1e3, 1e4])
LEVEL, GROUP = 0.65, 8
BIASES, GRAM = np.array([2.0, 4, 6, 8]), np.array([0.0, 0.1, 0.3, 0.7])
INJECTED = np.array([0.0, 0.05])
QUESTIONS, PATTERNS = 40, 5
DURATION = 15.0  # 150 steps of 0.1


def random_models(rng, number):
    """Rates and base policies `[number, K]`, and data of both kinds.

    The vanilla data lie on the second best pattern, so that accuracies before RL differ
    as little as they can.
    """
    rates = rng.uniform(0.05, 0.45, (number, 6))
    rates[:, 0] = rng.uniform(0.75, 0.95, number)
    base = np.concatenate(
        [np.full((number, 1), 1e-5), rng.dirichlet(np.ones(5), number) * (1 - 1e-5)], 1
    )
    behaviour = np.concatenate(
        [np.full((number, 1), 0.5), rng.dirichlet(np.ones(5), number) / 2], axis=1
    )
    vanilla = np.eye(6)[1 + np.argmax(rates[:, 1:], axis=1)]
    return rates, base, behaviour, vanilla


def injected(rng, number, data):
    """Fixed and random models: accuracy before and after RL, and times to LEVEL."""
    shares = SHARES[:, None]
    fixed = [
        (1 - shares) * BASE / np.sum(BASE) + shares * d
        for d in (np.array(BEHAVIOUR), np.array(VANILLA))
    ]
    rates, base, *kinds = random_models(rng, number)
    many = [0.9 * base + 0.1 * d for d in kinds]
    policies = np.concatenate([*fixed, *many])
    wide = np.concatenate([np.tile(RATES, (2 * len(SHARES), 1)), rates, rates])
    found = sim.solve(
        sim.Problem(wide, policies / policies.sum(axis=1, keepdims=True)),
        sim.Verifiable(),
        events=[sim.Accuracy(LEVEL)],
        max_log_time=np.log(1e14),
        save_log_times=np.log(TIMES),
        observe=sim.log_probabilities,
    )
    before = np.sum(policies * wide, axis=1, keepdims=True)
    after = np.concatenate([before, found.accuracy_of(np.asarray(found.saved))], axis=1)
    cut = 2 * len(SHARES)
    data["fixed"] = after[:cut].reshape(2, len(SHARES), 4)
    data["times"] = np.exp(found["accuracy"].log_time[:cut]).reshape(2, -1)
    data["random"] = after[cut:].reshape(2, number, 4)
    return rates, policies[cut : cut + number]


def influence(rates, policies, seeds, data):
    """Influence of a question on itself: of sampled steps, and by the identity."""
    from theory.group_clocks import grpo, grpo_infinite

    problem = sim.Problem(rates[:, None], policies[:, None])
    recipe = ro.Recipe(group_size=GROUP, num_steps=1, learning_rate=1.0)
    run = ro.train(problem, recipe, num_seeds=seeds)
    moved = np.asarray(run.log_probs)[:, :, 0] - np.asarray(problem.log_policy)
    moved -= moved.mean(axis=-1, keepdims=True)  # steps have the sum 0
    alpha = np.sum(policies * rates, axis=1)
    gradient = policies * (rates - alpha[:, None])
    square = np.sum(gradient**2, axis=1)
    data["sampled"] = np.einsum("bsk,bk->b", moved, gradient) / seeds
    data["identity"] = grpo(alpha, GROUP) * square
    data["limit"] = grpo_infinite(alpha) * square


def question_banks(rng, number):
    """Rates and base logits `[biases, gram, injected, number, Q, K]`."""
    rates = rng.uniform(0, 0.2, (number, QUESTIONS, PATTERNS))
    rates[..., 0] = 0.9
    logits = rng.normal(size=rates.shape)
    shape = len(BIASES), len(GRAM), len(INJECTED), *rates.shape
    low = np.zeros(shape) + logits
    low[..., 0] -= BIASES[:, None, None, None, None]
    policies = np.exp(low)
    policies /= policies.sum(axis=-1, keepdims=True)
    eps = INJECTED[:, None, None, None]
    useful = np.arange(PATTERNS) == 0
    return np.broadcast_to(rates, shape).copy(), (1 - eps) * policies + eps * useful


def banks(rng, number, data):
    """Gains of trained and held-out questions, influence, informative accuracies."""
    from theory.group_clocks import grpo

    rates, policies = question_banks(rng, number)
    size = -1, QUESTIONS, PATTERNS
    features = orthogonal_features(GRAM, QUESTIONS)
    each = np.broadcast_to(np.arange(len(GRAM))[:, None, None], rates.shape[:4])
    trained = np.arange(QUESTIONS) < QUESTIONS // 2
    shared = ro.Features(features[each.ravel()])
    policy = ro.Weighted(shared, np.where(trained, float(QUESTIONS), 0.0))
    problem = sim.Problem(rates.reshape(size), policies.reshape(size))
    found = sim.solve_population(
        sim.Population(problem, policy),
        sim.Verifiable(),
        sim.GRPO(GROUP),
        max_log_time=np.log(DURATION),
        tolerance=1e-6,
    )
    alpha = np.sum(policies * rates, axis=-1)
    gain = np.asarray(found.accuracy).reshape(alpha.shape) - alpha
    gradient = policies * (rates - alpha[..., None])
    pull = grpo(alpha, GROUP)[..., None] * gradient * trained[:, None]
    gram = np.einsum("cqd,crd->cqr", features, features)[:, None, None]
    influence = np.einsum(
        "...qr,...qk,...rk->...r", gram, pull, gradient, optimize=True
    )
    halves = [trained, ~trained, trained | True]
    data["gain"] = np.stack([gain[..., half].mean(axis=-1) for half in halves])
    data["influence"] = np.stack([influence[..., h].mean(axis=-1) for h in halves])
    data["informative"] = np.mean((alpha > 0.05) & (alpha < 0.95), axis=-1)
