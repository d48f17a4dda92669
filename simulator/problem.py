"""The selection problem: success rates, a base policy, and what answers look like."""

from __future__ import annotations

import html
import math
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from simulator.reporting import display
from simulator.validation import (
    Numbers,
    check_kind,
    floats,
    given_array,
    is_traced,
    real_array,
)

__all__ = [
    "Problem",
    "two_answer_kernel",
]

ODDS_ERROR = 0.01  # of odds, by the rounding of logits
SUM_TOLERANCE = 1e-5  # how far the sum of probabilities typed by hand may be from 1


class Problem(eqx.Module):
    """One problem, or a batch of them along leading axes.

    A model answers a question by first choosing one of `K` reasoning patterns from
    `pi = softmax(logits)`; pattern `k` is then right with probability
    `success_rates[k]`, which training does not change.

    Shapes, with `*B` the batch axes (none for one problem):

    - `success_rates`: `[*B, K]`, probabilities. May be left out when `answer_kernel`
      is given, whose column 0 is the correct answer.
    - `policy` or `logits`: `[*B, K]`, the base model. A pattern with probability 0
      (logit `-inf`) is outside the support and stays at 0: pad with it to put
      problems of different `K` into one batch.
    - `answer_kernel`: `[*B, K, A]`, the probability of each answer given the pattern.
    - `reference_policy`: `[*B, K]`, where the KL penalty pulls to (default: the base).

    Stored as `log_policy` and `log_reference`, normalised: policies may miss a sum of 1
    by 1e-5, as when they are typed by hand. Rows of `answer_kernel` may as well, and
    are taken as they are. Values are checked when they are concrete; under a JAX
    transformation only shapes are.

    Raises `ValueError` with what was given and what is allowed.

    >>> problem = sim.Problem([0.9, 0.6, 0.1], [0.05, 0.7, 0.25])
    >>> problem
    Problem([0.9 0.6 0.1], policy=[0.05 0.7 0.25])
    >>> batch = sim.Problem(np.full((5, 2), 0.5), logits=np.zeros((5, 2)))
    >>> batch.batch_shape, batch.num_patterns, batch[0]
    ((5,), 2, Problem([0.5 0.5], policy=[0.5 0.5]))
    """

    success_rates: Float[Array, "*B K"]
    log_policy: Float[Array, "*B K"]
    log_reference: Float[Array, "*B K"]
    answer_kernel: Float[Array, "*B K A"] | None

    def __init__(
        self,
        success_rates: Numbers | None = None,
        policy: Numbers | None = None,
        *,
        logits: Numbers | None = None,
        answer_kernel: Numbers | None = None,
        reference_policy: Numbers | None = None,
    ):
        if (policy is None) == (logits is None):
            raise ValueError("give the base model once: either `policy` or `logits`.")
        if success_rates is None and answer_kernel is None:
            raise ValueError("give `success_rates`, or an `answer_kernel`.")
        if answer_kernel is not None:
            answer_kernel = _checked_kernel(answer_kernel)
            if success_rates is None:
                success_rates = answer_kernel[..., 0]
        rates = _checked_rates(success_rates)
        if policy is not None:
            log_policy = _log_of_policy("policy", policy, rates.shape)
        else:
            log_policy = _checked_logits(logits, rates.shape)
        log_policy = jax.nn.log_softmax(log_policy)
        if reference_policy is None:
            log_reference = log_policy
        else:
            log_reference = jax.nn.log_softmax(
                _log_of_policy("reference_policy", reference_policy, rates.shape)
            )
            _check_support(log_policy, log_reference)
        if answer_kernel is not None:
            _check_kernel_agrees(answer_kernel, rates)
        self.success_rates = rates
        self.log_policy = log_policy
        self.log_reference = log_reference
        self.answer_kernel = answer_kernel

    @property
    def num_patterns(self) -> int:
        """`K`."""
        return self.success_rates.shape[-1]

    @property
    def batch_shape(self) -> tuple[int, ...]:
        """The leading axes `*B`; `()` for one problem."""
        return self.success_rates.shape[:-1]

    def __len__(self) -> int:
        """The length of the first batch axis."""
        if not self.batch_shape:
            raise TypeError("this is one problem, not a batch: it has no length.")
        return self.batch_shape[0]

    def __getitem__(self, index: Any) -> Problem:
        """The problem or problems at `index` of the batch axes."""
        if not self.batch_shape:
            raise IndexError("this is one problem, not a batch: it has no lanes.")
        return lanes_at(self, self.batch_shape, index)

    def __repr__(self) -> str:
        if not display.known(self):
            shape = (*self.batch_shape, self.num_patterns)
            return f"Problem of numbers that are not known, of shape {shape}"
        if self.batch_shape:
            title = display.problems(self.batch_shape)
            inside = np.asarray(self.log_policy) > -np.inf
            rates = np.asarray(self.success_rates)[inside]
            title += f", {self.num_patterns} patterns"
            if not rates.size:
                return title
            title += f", success rates {rates.min():.4g} to {rates.max():.4g}"
            return title + self._more()
        one = display.row(self.success_rates)
        policy = display.row(np.exp(self.log_policy))
        return f"Problem({one}, policy={policy}{self._more()})"

    def _more(self) -> str:
        """The rest of one line: reference policy and answers, where they count."""
        text = ""
        if not np.array_equal(self.log_policy, self.log_reference):
            if self.batch_shape:
                text += ", own reference policies"
            else:
                text += f", reference_policy={display.row(np.exp(self.log_reference))}"
        if self.answer_kernel is not None:
            text += f", {self.answer_kernel.shape[-1]} answers"
        return text

    def _repr_html_(self) -> str:
        if self.batch_shape or not display.known(self):
            return f"<pre>{html.escape(repr(self))}</pre>"
        columns: dict[str, Any] = {
            "pattern": range(self.num_patterns),
            "success rate": self.success_rates,
            "policy": np.exp(self.log_policy),
        }
        if not np.array_equal(self.log_policy, self.log_reference):
            columns["reference policy"] = np.exp(self.log_reference)
        if self.answer_kernel is not None:
            for i, column in enumerate(np.asarray(self.answer_kernel).T):
                columns[f"answer {i}" if i else "correct answer"] = column
        lines = zip(*(map(display.number, x) for x in columns.values()), strict=True)
        return display.as_grid("Problem", list(columns), list(lines))


def lanes_at(tree: Any, shape: tuple[int, ...], index: Any) -> Any:
    """The lanes at `index` of a tree of arrays that have the batch axes `shape`."""
    lanes: Any = np.arange(math.prod(shape)).reshape(shape)
    chosen = (jnp.asarray(lanes) if is_traced(index) else lanes)[index]

    def pick(leaf: Any) -> Any:
        picked = leaf.reshape(math.prod(shape), *leaf.shape[len(shape) :])[chosen]
        return np.asarray(picked) if isinstance(picked, np.generic) else picked

    return jax.tree.map(pick, tree)


def two_answer_kernel(success_rates: Numbers) -> Float[Array, "*B K 2"]:
    """`P[k] = (s_k, 1 - s_k)`: each pattern gives the correct answer or the wrong one.

    >>> np.round(sim.two_answer_kernel([0.9, 0.6]), 4).tolist()
    [[0.9, 0.1], [0.6, 0.4]]
    """
    rates = _checked_rates(success_rates)
    return jnp.stack([rates, 1 - rates], axis=-1)


def _as_floats(name: str, value: Any) -> Array:
    array = real_array(name, value)
    _check_not_nan(name, array)
    return array


def _check_not_nan(name: str, array: Any) -> None:
    if not is_traced(array) and np.isnan(np.asarray(array)).any():
        raise ValueError(f"`{name}` contains NaN; give real numbers.")


def _checked_rates(value: Any) -> Array:
    rates = _as_floats("success_rates", value)
    if rates.ndim < 1 or rates.shape[-1] < 2:
        raise ValueError(
            f"`success_rates` has shape {rates.shape}; at least two patterns are "
            "needed (last axis K >= 2)."
        )
    if not is_traced(rates):
        host = np.asarray(rates)
        wrong = host[~((host >= 0) & (host <= 1))]
        if wrong.size:
            raise ValueError(
                f"`success_rates` contains {wrong.flat[0]:g}; rates are "
                "probabilities, between 0 and 1."
            )
    return rates


def _check_length(name: str, array: Any, shape: tuple[int, ...]) -> None:
    if array.shape != shape:
        raise ValueError(
            f"`{name}` has shape {array.shape} but `success_rates` has {shape}; "
            "give one number per pattern."
        )


def _check_sums(name: str, host: np.ndarray) -> None:
    if not np.isfinite(host).all():
        raise ValueError(f"`{name}` contains an infinity; give finite probabilities.")
    if (host < 0).any():
        raise ValueError(
            f"`{name}` contains {host.min():g}; probabilities are not negative."
        )
    sums = host.sum(axis=-1)
    wrong = sums[~(np.abs(sums - 1) <= SUM_TOLERANCE)]
    if wrong.size:
        raise ValueError(
            f"`{name}` sums to {wrong.flat[0]:.8g}; probabilities sum to 1: divide "
            "by the sum."
        )


def _log_of_policy(name: str, value: Any, shape: tuple[int, ...]) -> Array:
    policy = given_array(name, value)
    _check_not_nan(name, policy)
    _check_length(name, policy, shape)
    if is_traced(policy):
        return jnp.log(jnp.asarray(policy, dtype=float))
    host = np.asarray(policy, dtype=float)
    _check_sums(name, host)
    with np.errstate(divide="ignore"):  # not by JAX, to which 1e-310 is 0
        return floats(np.log(host))


def _checked_logits(value: Any, shape: tuple[int, ...]) -> Array:
    given = given_array("logits", value)
    _check_not_nan("logits", given)
    _check_length("logits", given, shape)
    if is_traced(given):
        return floats(given)
    host = np.asarray(given, dtype=float)
    if (host == np.inf).any():
        raise ValueError("`logits` contains +inf; give finite numbers or -inf.")
    if not np.isfinite(host).any(axis=-1).all():
        raise ValueError("`logits` are all -inf; at least one must be finite.")
    limits = jnp.finfo(jax.dtypes.canonicalize_dtype(float))
    most = ODDS_ERROR / float(limits.eps)
    with np.errstate(over="ignore"):
        below = host - host.max(axis=-1, keepdims=True)
    if (np.where(host > -np.inf, below, 0) < -most).any():
        raise ValueError(
            f"`logits` are more than {most:.2g} apart, where the odds are lost to "
            f"rounding in {limits.dtype}; bring them nearer together, or give -inf to "
            "a pattern that is never chosen."
        )
    return floats(below)


def _check_support(log_policy: Array, log_reference: Array) -> None:
    if is_traced(log_policy) or is_traced(log_reference):
        return
    inside, reference = np.asarray(log_policy), np.asarray(log_reference)
    if ((inside > -np.inf) & (reference == -np.inf)).any():
        raise ValueError(
            "`reference_policy` is 0 where the base policy is not: KL is infinite; "
            "give every pattern of the base model some reference probability."
        )


def _checked_kernel(value: Any) -> Array:
    kernel = _as_floats("answer_kernel", value)
    if kernel.ndim < 2 or kernel.shape[-1] < 2:
        raise ValueError(
            f"`answer_kernel` has shape {kernel.shape}; give one row per pattern with "
            "at least two answers, the correct one first."
        )
    if not is_traced(kernel):
        _check_sums("answer_kernel row", np.asarray(kernel))
    return kernel


def _check_kernel_agrees(kernel: Array, rates: Array) -> None:
    if kernel.shape[:-1] != rates.shape:
        raise ValueError(
            f"`answer_kernel` has {kernel.shape[:-1]} rows but `success_rates` has "
            f"shape {rates.shape}; give one row per pattern."
        )
    if not (is_traced(kernel) or is_traced(rates)):
        apart = np.abs(np.asarray(kernel[..., 0]) - np.asarray(rates)).max()
        if not apart <= SUM_TOLERANCE:
            raise ValueError(
                f"column 0 of `answer_kernel` differs from `success_rates` by "
                f"{apart:.3g}; it is the success rate: leave one of the two out."
            )


def check_one(problem: Any) -> None:
    """Raise `ValueError` unless this is one problem."""
    check_kind("problem", problem, Problem, "Problem(success_rates, policy)")
    if problem.batch_shape:
        raise ValueError(
            f"`problem` is a batch of shape {problem.batch_shape}; give one problem, "
            "like problem[0]."
        )
