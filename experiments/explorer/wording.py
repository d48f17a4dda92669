"""How sentences under the views say numbers: three digits, times, shares, lists."""

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from experiments.explorer.told import Told


class Sentence(NamedTuple):
    """One or two sentences, and the ids of the statements that they rest on."""

    text: str
    statements: tuple[str, ...] = ()


def number(value: float) -> str:
    """A rate, a probability or a ratio, to three digits."""
    return f"{value:.3g}"


def apart(one: float, other: float) -> tuple[str, str]:
    """Two numbers, to three digits, or as many more as tell them apart."""
    for digits in range(3, 18):
        first, second = f"{one:.{digits}g}", f"{other:.{digits}g}"
        if first != second:
            return first, second
    return number(one), number(other)


def share(log_probability: float) -> str:
    """A probability: per cent, or a power of ten where that is tiny."""
    log10 = log_probability / math.log(10)
    return f"{100 * 10**log10:.3g} %" if log10 >= -4 else f"10^{log10:.4g}"


def time(log10_t: float) -> str:
    """A time, or how many times, to three digits; a power of ten from 100,000 on."""
    if log10_t >= 5:
        return f"10^{log10_t:.4g}"
    value = float(f"{10**log10_t:.3g}")
    return f"{value:,.0f}" if value >= 1000 else f"{value:.3g}"


def errors(of: Told) -> str:
    """What the verifier's errors add up to, and whether that is more than 1."""
    total = number(sum(of.state.errors))
    if total == "1" and of.informed:
        return "nearly 1" if of.informed > 0 else "just over 1"
    return f"{total}, more than 1" if of.informed < 0 else total


def listed(patterns: Sequence[int]) -> str:
    """`1`, `1 and 2`, `1, 2 and 0`."""
    words = [str(k) for k in patterns]
    return " and ".join([", ".join(words[:-1]), words[-1]] if words[1:] else words)


def patterns_of(patterns: Sequence[int]) -> str:
    return f"pattern{'s' * (len(patterns) > 1)} {listed(patterns)}"


def nothing(of: Told) -> Sentence:
    paid = number(float(of.paid[of.drawn[0]]))
    if of.verified and float(np.ptp(of.rates[of.drawn])):
        text = (
            f"The verifier's errors add up to 1: it pays every pattern {paid}, "
            "and nothing moves."
        )
        return Sentence(text, ("B6",))
    text = f"All patterns that are ever drawn are paid the same, {paid}: nothing moves."
    return Sentence(text, ("B1",))


def ending(of: Told) -> str:
    """When the run ends, after "ends"; `None` is at rest."""
    log10 = of.numbers["log10_time"]
    if log10 == -math.inf:
        return "at t = 0, for the base model is paid within 0.001 of the most"
    return "at rest" if log10 is None else f"at t = {time(log10)}"
