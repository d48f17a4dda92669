"""Policies whose questions share parameters through clusters, features or depth.

Each belongs to training from sampled groups (`Recipe.policy`) and to the flow of a
`Population`. See `simulator.rollouts.policies` for the base class.
"""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from simulator.rollouts.policies import AbstractPolicy
from simulator.validation import (
    Given,
    Numbers,
    check_finite,
    check_kind,
    check_known,
    is_traced,
    real,
    whole_numbers,
)

__all__ = [
    "Clusters",
    "Features",
    "LatentDepth",
    "TrainedFeatures",
    "Weighted",
]


class Clusters(AbstractPolicy):
    """One vector of logits per cluster of questions.

    `cluster`: `[Q]`, the cluster of each question, numbered from 0. Each climbs the
    mean over its own questions, so that clusters of one question are `PerQuestion` and
    one cluster is `Shared`.

    >>> problem = sim.Problem(np.full((4, 2), 0.5), np.full((4, 2), 0.5))
    >>> policy = ro.Clusters([0, 1, 0, 1])
    >>> policy.start(problem).shape, policy.change(jnp.eye(2), problem).shape
    ((2, 2), (4, 2))
    """

    cluster: Int[Array, "*B Q"]
    number: int = eqx.field(static=True)

    def __init__(self, cluster: Numbers):
        check_known("cluster", cluster)
        self.cluster = whole_numbers("cluster", cluster)
        self.number = int(np.max(np.asarray(self.cluster), initial=0)) + 1

    def start(self, problem):
        rates = problem.success_rates
        return jnp.zeros((self.number, rates.shape[-1]), rates.dtype)

    def change(self, parameters, problem):
        del problem
        return parameters[self.cluster]

    def pull(self, gradient, parameters, problem):
        del parameters, problem
        ones = jnp.ones(len(gradient), gradient.dtype)
        count = jax.ops.segment_sum(ones, self.cluster, self.number)
        total = jax.ops.segment_sum(gradient, self.cluster, self.number)
        return total / jnp.maximum(count, 1)[:, None]

    def check(self, problem):
        questions = problem.success_rates.shape[-2]
        _check_questions("cluster", self.cluster.shape[-1:], questions)
        if (np.asarray(self.cluster) < 0).any():
            raise ValueError("`cluster` has negative numbers; clusters count from 0.")


class Features(AbstractPolicy):
    """A classifier on fixed features: `logits[q] = base[q] + W h_q`, W trained.

    `features` h: `[Q, D]`. Questions teach each other as much as their features
    coincide: the logits' kernel is `<h_q, h_q'>` for each pattern. Climbs the mean over
    questions.

    >>> problem = sim.Problem([[0.9, 0.1], [0.1, 0.9]], np.full((2, 2), 0.5))
    >>> policy = ro.Features([[1.0, 0.0], [0.6, 0.8]])
    >>> policy.start(problem).shape  # W, [K, D]
    (2, 2)
    """

    features: Given[Float[Array, "*B Q D"]] = eqx.field(converter=real("features"))

    def start(self, problem):
        number = problem.success_rates.shape[-1]
        return jnp.zeros((number, self.features.shape[-1]), self.features.dtype)

    def change(self, parameters, problem):
        del problem
        return self.features @ parameters.T

    def pull(self, gradient, parameters, problem):
        del parameters, problem
        return gradient.T @ self.features / len(gradient)

    def check(self, problem):
        _check_questions(
            "features", self.features.shape[-2:-1], problem.success_rates.shape[-2]
        )
        check_finite("features", self.features)


class TrainedFeatures(AbstractPolicy):
    """Two layers: `logits[q] = base[q] + W B x_q - W_0 B_0 x_q`, both trained.

    `inputs` x: `[Q, X]`; `classifier` W_0: `[K, D]`; `layer` B_0: `[D, X]`. The logits'
    kernel has two parts, `<h_q, h_q'> I` from the classifier (`h = B x`) and
    `<x_q, x_q'> W W^T` from the features. `classifier_rate` and `layer_rate` multiply
    the speed of each; 0 freezes it. Climbs the mean over questions.

    Parameters are the changes of W and B, in one row.

    >>> problem = sim.Problem([[0.9, 0.1], [0.1, 0.9]], np.full((2, 2), 0.5))
    >>> policy = ro.TrainedFeatures(np.eye(2), np.zeros((2, 3)), np.ones((3, 2)))
    >>> policy.start(problem).shape
    (12,)
    """

    inputs: Given[Float[Array, "*B Q X"]] = eqx.field(converter=real("inputs"))
    classifier: Given[Float[Array, "*B K D"]] = eqx.field(converter=real("classifier"))
    layer: Given[Float[Array, "*B D X"]] = eqx.field(converter=real("layer"))
    classifier_rate: Given[Float[Array, "*B"]] = eqx.field(
        default=1.0, converter=real("classifier_rate")
    )
    layer_rate: Given[Float[Array, "*B"]] = eqx.field(
        default=1.0, converter=real("layer_rate")
    )

    def start(self, problem):
        return jnp.zeros(self.classifier.size + self.layer.size, self.layer.dtype)

    def _parts(self, parameters):
        top = parameters[: self.classifier.size].reshape(self.classifier.shape)
        bottom = parameters[self.classifier.size :].reshape(self.layer.shape)
        return top, bottom

    def change(self, parameters, problem):
        del problem
        top, bottom = self._parts(parameters)
        # (W + dW)(B + dB) - W B, without taking the difference.
        moved = self.inputs @ bottom.T
        features = self.inputs @ self.layer.T + moved
        return features @ top.T + moved @ self.classifier.T

    def pull(self, gradient, parameters, problem):
        pulled = super().pull(gradient, parameters, problem)
        rates = jnp.where(
            jnp.arange(len(pulled)) < self.classifier.size,
            self.classifier_rate,
            self.layer_rate,
        )
        return rates * pulled

    def check(self, problem):
        questions, patterns = problem.success_rates.shape[-2:]
        _check_questions("inputs", self.inputs.shape[-2:-1], questions)
        width, entries = self.layer.shape[-2:]
        wanted = (questions, entries), (patterns, width)
        given = self.inputs.shape[-2:], self.classifier.shape[-2:]
        if wanted != given:
            raise ValueError(
                f"`inputs`, `classifier` and `layer` have shapes {self.inputs.shape}, "
                f"{self.classifier.shape} and {self.layer.shape}; {questions} "
                f"questions with {patterns} patterns need ({questions}, X), "
                f"({patterns}, D) and (D, X)."
            )
        for name in ("inputs", "classifier", "layer", "classifier_rate", "layer_rate"):
            check_finite(name, getattr(self, name))


class LatentDepth(AbstractPolicy):
    """Latent steps that each add the same evidence v: `g_d v`, v trained.

    `depths` d: `[Q]`, one question for each number of latent steps;
    `g_d = (1 - leak^d) / (1 - leak)`, which is d without a leak (`leak = 1`). The base
    model's logits at depth d are `leak^d a`. Climbs the mean over depths.

    >>> problem = sim.Problem(np.full((2, 3), 0.5), np.full((2, 3), 1 / 3))
    >>> ro.LatentDepth([1, 4]).change(jnp.array([1.0, 0.0, 0.0]), problem)[:, 0]
    Array([1., 4.], dtype=float64)
    """

    depths: Given[Float[Array, "*B Q"]] = eqx.field(converter=real("depths"))
    leak: Given[Float[Array, "*B"]] = eqx.field(default=1.0, converter=real("leak"))

    def gains(self) -> Float[Array, " Q"]:
        """`g_d`."""
        still = self.leak == 1
        leak = jnp.where(still, 0.5, self.leak)
        return jnp.where(still, self.depths, (1 - leak**self.depths) / (1 - leak))

    def start(self, problem):
        return jnp.zeros_like(problem.success_rates[0])

    def change(self, parameters, problem):
        del problem
        return self.gains()[:, None] * parameters

    def check(self, problem):
        questions = problem.success_rates.shape[-2]
        _check_questions("depths", self.depths.shape[-1:], questions)
        check_finite("depths", self.depths)
        check_finite("leak", self.leak)
        if is_traced(self.leak) or is_traced(self.depths):
            return
        leak, depths = np.asarray(self.leak), np.asarray(self.depths)
        if leak.min() < 0 or depths.min() < 0:
            raise ValueError(
                f"`leak` goes down to {leak.min():g} and `depths` to "
                f"{depths.min():g}; give numbers that are 0 or positive."
            )


class Weighted(AbstractPolicy):
    """The same policy, trained by some questions more than by others.

    The gradient of question q counts `weights[q]` times: 0 holds a question out, which
    moves only with what it shares; other rates for other questions are weights as well.

    >>> problem = sim.Problem([[0.9, 0.1], [0.1, 0.9]], np.full((2, 2), 0.5))
    >>> policy = ro.Weighted(ro.Shared(), [1.0, 0.0])
    >>> policy.pull(jnp.array([[2.0, -2.0], [5.0, 5.0]]), jnp.zeros(2), problem)
    Array([ 1., -1.], dtype=float64)
    """

    policy: AbstractPolicy
    weights: Given[Float[Array, "*B Q"]] = eqx.field(converter=real("weights"))

    def start(self, problem):
        return self.policy.start(problem)

    def change(self, parameters, problem):
        return self.policy.change(parameters, problem)

    def pull(self, gradient, parameters, problem):
        counted = jnp.where(
            self.weights[:, None] == 0, 0.0, self.weights[:, None] * gradient
        )
        return self.policy.pull(counted, parameters, problem)

    def check(self, problem):
        check_kind("policy", self.policy, AbstractPolicy, "Shared()")
        self.policy.check(problem)
        questions = problem.success_rates.shape[-2]
        _check_questions("weights", self.weights.shape[-1:], questions)
        check_finite("weights", self.weights)


def _check_questions(name: str, given: tuple[int, ...], questions: int) -> None:
    if given != (questions,):
        number = given[0] if given else "no"
        raise ValueError(
            f"`{name}` is for {number} questions and there are {questions}; give one "
            "row per question."
        )
