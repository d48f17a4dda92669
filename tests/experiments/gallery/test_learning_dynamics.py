"""Learning dynamics: its numbers against SciPy, and a planted fault."""

import numpy as np
import pytest
from scipy.integrate import solve_ivp

from experiments.gallery.models import shared_features
from experiments.runtime.keys import generator
from simulator.rollouts import features


def models():
    """The held-out models and those of the schedules of the quick run."""
    rng = generator(0, "gallery learning-dynamics")
    held = shared_features.held_out_models(rng, 48)
    return held, shared_features.schedule_models(rng, 4)


def normalised(logits):
    pi = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return pi / pi.sum(axis=-1, keepdims=True)


def gradient(logits, rates):
    pi = normalised(logits)
    return pi * (rates - np.sum(pi * rates, axis=-1, keepdims=True))


def test_held_out_questions_move_by_the_gram_matrix(quick):
    """`z_q' = sum over trained q' of G_qq' pi_q' (s_q' - p_q')`, off `agree = 0`."""
    (rates, logits), _ = models()
    rates, start, c = rates[1, 5], logits[1, 5], 0.6
    gram = c + (1 - c) * np.eye(24)
    gram[:, 12:] = 0

    def field(t, flat):
        return (gram @ gradient(flat.reshape(start.shape), rates)).ravel()

    found = solve_ivp(field, (0, 30), start.ravel(), rtol=1e-9, atol=1e-11)
    ends = normalised(found.y[:, -1].reshape(start.shape))[12:]
    base = normalised(start)[12:]
    data = quick("learning-dynamics")
    place = list(shared_features.GRAM).index(c), 1, 5
    wanted = np.mean(ends.max(axis=-1) - base.max(axis=-1))
    np.testing.assert_allclose(data["confidence"][place], wanted, atol=1e-5)
    wanted = np.mean(np.sum((ends - base) * rates[12:], axis=-1))
    np.testing.assert_allclose(data["accuracy"][place], wanted, atol=1e-5)


def test_classifier_first_is_two_stages_of_two_layers(quick):
    _, (rates, classifier, layer, inputs) = models()
    cell, problem = 1, 3
    s, x = rates[cell, problem], inputs[cell, problem]
    shapes = classifier.shape[2:], layer.shape[2:]
    cut = np.prod(shapes[0])

    def field(t, flat, speeds):
        W, B = flat[:cut].reshape(shapes[0]), flat[cut:].reshape(shapes[1])
        pull = gradient(x @ B.T @ W.T, s) / len(x)
        rows = pull.T @ x @ B.T, W.T @ pull.T @ x
        return np.concatenate(
            [r * v.ravel() for r, v in zip(speeds, rows, strict=True)]
        )

    state = np.concatenate(
        [classifier[cell, problem].ravel(), layer[cell, problem].ravel()]
    )
    for speeds, duration in (((1, 0), 10), ((1, 1), 30)):
        found = solve_ivp(
            field, (0, duration), state, args=(speeds,), rtol=1e-9, atol=1e-11
        )
        state = found.y[:, -1]
    W, B = state[:cut].reshape(shapes[0]), state[cut:].reshape(shapes[1])
    wanted = np.mean(np.sum(normalised(x @ B.T @ W.T) * s, axis=-1))
    end = quick("learning-dynamics")["by_schedule_end"][1, cell, problem]
    np.testing.assert_allclose(end, wanted, atol=1e-5)


@pytest.mark.slow
def test_features_that_are_not_shared_are_seen(faulty):
    """Without the shared part of the features nothing reaches held-out questions."""

    def plant(patch):
        patch.setattr(
            features.Features,
            "change",
            lambda self, parameters, problem: (
                (self.features - self.features.mean(axis=0)) @ parameters.T
            ),
        )

    assert faulty("learning-dynamics", plant)["confidence"] != "reproduced"
