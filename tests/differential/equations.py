"""The equations of motion, once more, from their definitions in plain NumPy.

Nothing here imports `simulator`. A question has K patterns, all inside the support;
`log_pi` is `[..., K]`, so that whole paths are looked at in one call. Differences are
formed pair by pair, `A_k = sum_j pi_j (f_k - f_j)`: nothing cancels on a plateau.
"""

from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from scipy.special import gammaln

ROUNDING = 64 * np.finfo(float).eps  # of what was summed to a reward


@dataclass(frozen=True)
class Question:
    """Patterns inside the support only; `[K]`, the kernel `[K, A]`."""

    rates: np.ndarray
    log_policy: np.ndarray
    log_reference: np.ndarray
    kernel: np.ndarray


@dataclass(frozen=True)
class Pay:
    """A weighted sum of signals, by name, with the numbers that they take."""

    weights: dict[str, float]
    false_positive: float = 0.0
    false_negative: float = 0.0
    confidence: np.ndarray | None = None
    data: np.ndarray | None = None

    def parts(self, question: Question, log_pi, majority: int):
        """Each signal's rewards, and the size of what was summed to them."""
        rates, kernel = question.rates, question.kernel
        pi = np.exp(log_pi)
        entropies = -np.sum(kernel * np.log(np.maximum(kernel, 1e-300)), axis=-1)
        answers = pi @ kernel
        for name, weight in self.weights.items():
            if name == "verifiable":
                paid, size = rates, 1.0
            elif name == "noisy":
                informed = 1 - self.false_positive - self.false_negative
                paid, size = self.false_positive + informed * rates, 1.0
            elif name == "confidence":
                paid, size = self.confidence, np.max(np.abs(self.confidence))
            elif name == "self-certainty":
                paid = -np.mean(np.log(kernel), axis=-1)
                size = np.max(paid)
            elif name == "token-entropy":
                paid, size = -entropies, np.log(kernel.shape[-1])
            elif name == "sequence":
                paid, size = log_pi - entropies, 0.0
            elif name == "majority":
                paid, size = kernel[:, majority], 1.0
            elif name == "consistency":
                paid, size = answers @ kernel.T, 1.0
            elif name == "answer-entropy":
                paid, size = np.log(answers) @ kernel.T, 1.0
            elif name == "demonstrations":
                # Where nothing is shown nothing is paid, however rare the pattern.
                shown = self.data > 0
                odds = np.log(np.where(shown, self.data, 1.0)) - log_pi
                paid = np.where(shown, np.exp(np.where(shown, odds, 0.0)), 0.0)
                size = 0.0
            yield weight * paid, abs(weight) * size

    @property
    def moves(self) -> bool:
        """Whether the rewards depend on the policy."""
        moving = ("sequence", "majority", "consistency", "answer-entropy")
        return any(name in self.weights for name in (*moving, "demonstrations"))


@dataclass(frozen=True)
class Rule:
    """`plain` or `natural` gradient, penalty beta, and the clock h(p) of a group."""

    natural: bool = False
    beta: float = 0.0
    clock: str = ""
    numbers: dict = field(default_factory=dict)

    def factor(self, p: float, q: float) -> float:
        """h, with p the chance of a reward and q = 1 - p; B6 of the theory."""
        n = self.numbers.get("group_size", 0)
        if self.clock == "group-mean":
            return (n - 1) / n
        if self.clock == "pass-at-n":
            return self.numbers["attempts"] * q ** (self.numbers["attempts"] - 1)
        if self.clock == "rejection-sampling":
            return 1 / p
        if self.clock == "grpo":
            epsilon = self.numbers.get("epsilon", 0.0)
            if np.isinf(n):
                return 1 / (np.sqrt(p * q) + epsilon)
            wins = np.arange(1, n)
            share = wins / n
            variance = share * (1 - share)
            if self.numbers.get("spread") == "sample":
                spread = np.sqrt(variance * n / (n - 1))
            else:
                spread = np.sqrt(variance)
            log_chance = gammaln(n + 1) - gammaln(wins + 1) - gammaln(n - wins + 1)
            log_chance += (wins - 1) * np.log(p) + (n - wins - 1) * np.log(q)
            # The chance of the number of wins, divided by p q.
            chance = np.exp(log_chance)
            h = np.sum(chance * variance / (spread + epsilon))
            if self.numbers.get("redraw"):
                h = h / (np.sum(chance) * p * q)
            return h
        return 1.0


@dataclass(frozen=True)
class Law:
    """One question under a signal and an update."""

    question: Question
    pay: Pay
    rule: Rule

    def mode(self, log_pi):
        """The answer that the majority gives; rewards jump where it changes."""
        return np.argmax(np.exp(log_pi) @ self.question.kernel, axis=-1)

    @cached_property
    def fixed(self):
        """Fixed rewards `[K]`; differences at the level of rounding count as none."""
        parts = list(self.pay.parts(self.question, self.question.log_policy, 0))
        total, size = sum(p for p, _ in parts), sum(s for _, s in parts)
        order = np.argsort(total)
        apart = np.diff(total[order], prepend=total[order[0]])
        # Equal to the one before: the same number.
        steps = np.where(apart > ROUNDING * size, apart, 0.0)
        equal = np.empty_like(total)
        equal[order] = total[order[0]] + np.cumsum(steps)
        return equal

    def rewards(self, log_pi, mode: int):
        """`rho` `[..., K]`."""
        if not self.pay.moves:
            return np.broadcast_to(self.fixed, np.shape(log_pi))
        return sum(paid for paid, _ in self.pay.parts(self.question, log_pi, mode))

    def advantages(self, log_pi, mode: int):
        """`A_k = sum_j pi_j (f_k - f_j)`, `f = rho - beta log(pi/pi_ref)`."""
        f = self.rewards(log_pi, mode)
        if self.rule.beta:
            f = f - self.rule.beta * (log_pi - self.question.log_reference)
        apart = f[..., :, None] - f[..., None, :]
        return (apart @ np.exp(log_pi)[..., None])[..., 0]

    def velocity(self, log_pi, mode: int):
        """`d theta / dt` `[K]` at one policy."""
        advantages = self.advantages(log_pi, mode)
        if self.rule.natural:
            return advantages
        velocity = np.exp(log_pi) * advantages
        if self.rule.clock and velocity.any():
            rewards, pi = self.rewards(log_pi, mode), np.exp(log_pi)
            velocity = velocity * self.rule.factor(pi @ rewards, pi @ (1 - rewards))
        return velocity


def log_sum(logs, axis=-1):
    """`log sum exp`, -inf for nothing; SciPy's takes 20 times as long for few."""
    top = np.max(logs, axis=axis, keepdims=True)
    top = np.where(np.isfinite(top), top, 0.0)
    with np.errstate(divide="ignore"):
        total = np.log(np.sum(np.exp(logs - top), axis=axis))
    return total + np.squeeze(top, axis=axis)


def log_softmax(theta):
    """`log pi` `[..., K]`."""
    shifted = theta - theta.max(axis=-1, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True))
