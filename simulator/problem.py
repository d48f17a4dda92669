"""The selection problem: success rates, a base policy, and what answers look like."""

from __future__ import annotations

import difflib
import html
import math
from collections.abc import Mapping
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from simulator.problem_checks import (
    check_kernel_agrees,
    check_support,
    checked_attributes,
    checked_kernel,
    checked_logits,
    checked_rates,
    log_of_policy,
)
from simulator.reporting import display
from simulator.validation import Numbers, check_kind, is_traced, shown

__all__ = [
    "Problem",
    "two_answer_kernel",
]


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
    - `attributes`: other numbers per pattern, `[*B, K]` each, by name (lower-case
      letters, digits, `-` and `_`): success on held-out questions, factuality,
      coherence, format. Training sees only those that its signal names.

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
    >>> sim.Problem([0.9, 0.6], [0.2, 0.8], attributes={"factuality": [0.1, 0.7]})
    Problem([0.9 0.6], policy=[0.2 0.8], factuality=[0.1 0.7])
    """

    success_rates: Float[Array, "*B K"]
    log_policy: Float[Array, "*B K"]
    log_reference: Float[Array, "*B K"]
    answer_kernel: Float[Array, "*B K A"] | None
    attributes: dict[str, Float[Array, "*B K"]]

    def __init__(
        self,
        success_rates: Numbers | None = None,
        policy: Numbers | None = None,
        *,
        logits: Numbers | None = None,
        answer_kernel: Numbers | None = None,
        reference_policy: Numbers | None = None,
        attributes: Mapping[str, Numbers] | None = None,
    ):
        if (policy is None) == (logits is None):
            raise ValueError("give the base model once: either `policy` or `logits`.")
        if success_rates is None and answer_kernel is None:
            raise ValueError("give `success_rates`, or an `answer_kernel`.")
        if answer_kernel is not None:
            answer_kernel = checked_kernel(answer_kernel)
            if success_rates is None:
                success_rates = answer_kernel[..., 0]
        rates = checked_rates(success_rates)
        if policy is not None:
            log_policy = log_of_policy("policy", policy, rates.shape)
        else:
            log_policy = checked_logits(logits, rates.shape)
        log_policy = jax.nn.log_softmax(log_policy)
        if reference_policy is None:
            log_reference = log_policy
        else:
            log_reference = jax.nn.log_softmax(
                log_of_policy("reference_policy", reference_policy, rates.shape)
            )
            check_support(log_policy, log_reference)
        if answer_kernel is not None:
            check_kernel_agrees(answer_kernel, rates)
        self.success_rates = rates
        self.log_policy = log_policy
        self.log_reference = log_reference
        self.answer_kernel = answer_kernel
        self.attributes = checked_attributes(attributes, rates.shape)

    def attribute(self, name: str) -> Float[Array, "*B K"]:
        """The attribute of this name.

        Raises `ValueError` with the known names if there is none.

        >>> columns = {"factuality": [0.1, 0.7], "held-out": [0.8, 0.3]}
        >>> problem = sim.Problem([0.9, 0.6], [0.2, 0.8], attributes=columns)
        >>> problem.attribute("held-out").tolist()
        [0.8, 0.3]
        """
        if name in self.attributes:
            return self.attributes[name]
        raise ValueError(f"{shown(name)} is no attribute; {self._advice(name)}.")

    def _advice(self, name: Any) -> str:
        """Which attribute may be meant."""
        if not self.attributes:
            return "the problem has none: give Problem(..., attributes={name: [...]})"
        listed = f"hoose from {', '.join(self.attributes)}"
        near = difflib.get_close_matches(str(name).lower(), self.attributes, n=1)
        return f"did you mean {near[0]}? C{listed}" if near else f"c{listed}"

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
        for name, values in self.attributes.items():
            text += (
                f", {name}" if self.batch_shape else f", {name}={display.row(values)}"
            )
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
        columns |= self.attributes
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
    rates = checked_rates(success_rates)
    return jnp.stack([rates, 1 - rates], axis=-1)


def check_one(problem: Any) -> None:
    """Raise `ValueError` unless this is one problem."""
    check_kind("problem", problem, Problem, "Problem(success_rates, policy)")
    if problem.batch_shape:
        raise ValueError(
            f"`problem` is a batch of shape {problem.batch_shape}; give one problem, "
            "like problem[0]."
        )
