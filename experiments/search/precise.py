"""Times and policies of the policy-gradient flow to 50 digits, the slow and plain way.

Independent of `simulator.engines.exact`: everything is subtracted, in as many digits
as that takes, and integrated by Gauss-Legendre panels with balls of python-flint.
"""

from bisect import bisect_left
from operator import itemgetter

import flint
import numpy as np
from flint import arb

DIGITS = 50


def _time(u, lowest):
    del lowest
    return sum((1 / x for x in u), arb(0))


def _undecided(u, lowest):
    return sum((1 / x for k, x in enumerate(u) if k != lowest), arb(0))


def _product(u, lowest):
    result = arb(1)
    for k, x in enumerate(u):
        if k != lowest:
            result *= x - u[lowest]
    return result


def _squared(u, lowest):
    return 1 / u[0] ** 2 / _time(u, lowest)


def _off(u, lowest):
    return _time(u, lowest) - 1 / u[0]


# `f dt/dtau` for the kinds of `path_integrals` that are smooth on every piece; P is
# the mass of the first pattern of the support.
INTEGRANDS = {
    "time": _time,
    "undecided": _undecided,
    "product": _product,
    "squared": _squared,
    "off": _off,
}


def _zeros():
    return {kind: arb(0) for kind in INTEGRANDS}


def _sum(first, second):
    return {kind: (first[kind] + second[kind]).mid() for kind in first}


class Precise:
    """One problem: `rewards` and `log_policy`, floats taken as exact numbers.

    `order`: nodes per panel of the quadratures.
    """

    def __init__(self, rewards, log_policy, order=40):
        inside = np.asarray(log_policy) > -np.inf
        self.index = np.flatnonzero(inside)
        log_pi = np.asarray(log_policy)[inside]
        # Layers may be as narrow as the smallest of all products of probabilities.
        spread = float(np.sum(log_pi.max() - log_pi)) / np.log(10)
        self.digits = DIGITS + 20 + int(2.2 * spread)
        flint.ctx.dps = self.digits
        self.rho = [arb(float(x)) for x in np.asarray(rewards)[inside]]
        log_c = [-arb(float(x)) for x in log_pi]
        mean = sum(log_c, arb(0)) / len(log_c)
        self.c = [(x - mean).exp().mid() for x in log_c]
        self.legendre = [
            arb.legendre_p_root(order, k, weight=True) for k in range(order)
        ]
        self.borders = [arb(0)]
        self._walk()
        self.passed = [_zeros()]

    def _lines(self, tau):
        return [c - r * tau for c, r in zip(self.c, self.rho, strict=True)]

    def _walk(self):
        """Where the lowest of the lines changes."""
        order = range(len(self.c))
        i = min(order, key=lambda k: (_Key(self.c[k]), -float(self.rho[k].mid())))
        while True:
            better = [k for k in order if self.rho[k] > self.rho[i]]
            if not better:
                return
            meet = {
                k: ((self.c[k] - self.c[i]) / (self.rho[k] - self.rho[i])).mid()
                for k in better
            }
            i = min(better, key=lambda k: (_Key(meet[k]), -float(self.rho[k].mid())))
            if meet[i] > self.borders[-1]:
                self.borders.append(meet[i])

    def state(self, tau):
        """`u_k` at intrinsic time tau."""
        v = self._lines(tau)
        low = min(v, key=_Key)
        a = [max(x - low, arb(0), key=_Key).mid() for x in v]
        log_p = arb(0)
        for _ in range(10_000):
            p = log_p.exp()
            u = [(p + x).mid() for x in a]
            product = arb(1)
            slope = arb(0)
            for x in u:
                product *= x
                slope += p / x
            step = (product.log() / slope).mid()
            log_p = (log_p - step).mid()
            if abs(step) < arb(10) ** (-self.digits // 2):
                p = log_p.exp().mid()
                return [(p + x).mid() for x in a]
        raise RuntimeError("Newton did not converge")

    def _scale(self, tau):
        """The width in tau on which logits move there."""
        u = self.state(tau)
        total = sum((1 / x for x in u), arb(0))
        mean = sum((r / x for r, x in zip(self.rho, u, strict=True)), arb(0)) / total
        fastest = max(
            (abs(r - mean) / x for r, x in zip(self.rho, u, strict=True)), key=_Key
        )
        return (1 / fastest).mid()

    def _half(self, end, length, sign):
        """The integrals over `length` from the border `end`, with tau = w sinh v."""
        w = self._scale(end)
        reach = (length / w).asinh()
        panels = max(1, int(float(reach) * 1.2) + 1)
        total = _zeros()
        for panel in range(panels):
            left, right = reach * panel / panels, reach * (panel + 1) / panels
            for node, weight in self.legendre:
                v = ((left + right) / 2 + (right - left) / 2 * node).mid()
                u = self.state((end + sign * w * v.sinh()).mid())
                lowest, _ = min(enumerate(map(_Key, u)), key=itemgetter(1))
                width = weight * (right - left) / 2 * w * v.cosh()
                for kind, integrand in INTEGRANDS.items():
                    total[kind] += width * integrand(u, lowest).mid()
        return {kind: value.mid() for kind, value in total.items()}

    def _between(self, start, end):
        """The integrals over part of a piece; `start` is its border."""
        if not end > start:
            return _zeros()
        half = ((end - start) / 2).mid()
        return _sum(self._half(start, half, 1), self._half(end, half, -1))

    def integrals(self, tau):
        """`int f dt` up to the intrinsic time tau, by kind of f (`INTEGRANDS`)."""
        q = bisect_left([_Key(b) for b in self.borders], _Key(tau)) - 1
        if q < 0:
            return _zeros()
        for k in range(len(self.passed) - 1, q):
            piece = self._between(self.borders[k], self.borders[k + 1])
            self.passed.append(_sum(self.passed[k], piece))
        return _sum(self.passed[q], self._between(self.borders[q], tau))

    def time(self, tau):
        """Physical time at intrinsic time tau."""
        return self.integrals(tau)["time"]

    def find(self, rising):
        """tau at which `rising(weights)` turns positive; weights are `1/u_k`."""

        def value(tau):
            return rising([1 / x for x in self.state(tau)])

        high = self.borders[-1] if len(self.borders) > 1 else arb(1)
        while not value(high) > 0:
            high = 2 * high
        low = arb(0)
        for border in self.borders:
            if border < high and not value(border) > 0:
                low = border
            elif border < high:
                high = border
                break
        # Bisection in log distance from both ends, for layers of any width.
        for _ in range(int(3.4 * self.digits)):
            middle = ((low + high) / 2).mid()
            low, high = (low, middle) if value(middle) > 0 else (middle, high)
        return high

    def gap(self, level):
        """tau at which `rho_* - rho_bar` falls to `level`."""
        top = max(self.rho, key=_Key)
        level = arb(float(level))

        def rising(w):
            return sum(
                (x * (level - top + r) for x, r in zip(w, self.rho, strict=True))
            )

        return self.find(rising)

    def passing(self, k):
        """tau at which the mean reward passes that of pattern k (T0 for the rival)."""
        level = self.rho[list(self.index).index(k)]

        def rising(w):
            return sum((x * (r - level) for x, r in zip(w, self.rho, strict=True)))

        return self.find(rising)

    def crossing(self):
        """tau at which the best pattern becomes the most likely one; 0 if it is."""
        return self.borders[-1]

    def log_probs(self, tau):
        """Log-probabilities of the patterns of the support, as floats."""
        u = self.state(tau)
        total = sum((1 / x for x in u), arb(0))
        return np.array([float(-(x * total).log()) for x in u])


class _Key:
    """Orders balls by their midpoints."""

    def __init__(self, ball):
        self.middle = ball.mid()

    def __lt__(self, other):
        return bool(self.middle < other.middle)

    def __eq__(self, other):
        return bool(self.middle == other.middle)
