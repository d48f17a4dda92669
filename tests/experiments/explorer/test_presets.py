"""Each preset shows what its sentence says; those of papers are the gallery's."""

import math
import re
from collections.abc import Callable

import numpy as np
import pytest
from scipy.integrate import solve_ivp

from experiments import gallery
from experiments.explorer import numbers, presets, state
from experiments.explorer.presets import RARE
from experiments.gallery import (
    base_paper_v1,
    hallucination,
    openvlthinker,
    seed_bench_r1,
    vlaa_thinking,
)
from experiments.gallery.models import formats, injection, internal_feedback, tries

BY_NAME = {preset.name: preset for preset in presets.PRESETS}
NUMERAL = re.compile(
    r"(?<![\w.^])(?:10\^[\d.]+\d|\d[\d,]*\d(?:\.\d+)?|\d\.\d+|\d\b)(?: %)?"
)


def found(given: state.State) -> dict:
    return numbers.found(given).numbers


def lead(one: dict, pattern: int) -> float:
    return next(p["from"] for p in one["plateaus"] if p["pattern"] == pattern)


def imitated() -> list[float]:
    """The base model of vlaa-thinking after SFT of dose 8, by SciPy."""
    data = np.array(vlaa_thinking.DATA)

    def velocity(t, logits):
        pi = np.exp(logits - logits.max())
        return data - pi / pi.sum()

    start = np.log(vlaa_thinking.BASE)
    logits = solve_ivp(velocity, (0, 8), start, rtol=1e-11, atol=1e-12).y[:, -1]
    pi = np.exp(logits - logits.max())
    return (pi / pi.sum()).tolist()


def injected() -> np.ndarray:
    base = np.array(injection.BASE) / np.sum(injection.BASE)
    mixed = 0.9 * base + 0.1 * np.array(injection.BEHAVIOUR)
    return mixed / mixed.sum()


def with_logits(one: state.State, policy) -> state.State:
    return one.changed(logits=tuple(np.log(policy).tolist()))


def flip(one: state.State) -> float:
    """The weight from which on pattern 4 is paid more than pattern 0."""
    gain = one.success_rates[0] - one.success_rates[4]
    return gain / (gain + one.confidences[4] - one.confidences[0])


# What the numerals of a sentence are, in their order.
SAID: dict[str, Callable[[state.State, dict], list[float]]] = {
    "at-once": lambda s, n: [],
    "entanglement": lambda s, n: [n["t0"], n["t_cross"]],
    "kl-shortens": lambda s, n: [
        s.beta,
        n["t_cross"],
        found(s.changed(run="rlvr"))["t_cross"],
    ],
    "rise-and-fall": lambda s, n: [
        n["peak_accuracy"],
        n["t_peak"],
        n["t_below_base"],
    ],
    "many-clocks": lambda s, n: [n["t_cross"], found(RARE)["t_cross"]],
    "eight": lambda s, n: [],
    "sft-first": lambda s, n: [s.dose, found(RARE)["t0"]],
    "lying-verifier": lambda s, n: [*s.errors, 1, n["accuracy"]],
    "hallucination": lambda s, n: [1, lead(n, 1), 0, lead(n, 0)],
    "no-free-lunch": lambda s, n: [0, flip(s)],
    "echo-chamber": lambda s, n: [0.6, 0, lead(n, 2), 2],
    "vlaa-thinking": lambda s, n: [
        4,
        n["t0"],
        found(with_logits(s, vlaa_thinking.BASE))["t0"],
    ],
    "seed-bench-r1": lambda s, n: [1, lead(n, 1), lead(n, 2), 2],
    "openvlthinker": lambda s, n: [1, lead(n, 1)],
    "behavior-injection": lambda s, n: [0, lead(n, 0)],
    "base-paper-v1": lambda s, n: [0.005, n["t0"]],
    "latent-variable": lambda s, n: [0.01, n["t0"]],
}
ORDER = {"eight": list(range(8)), "at-once": [0], "sft-first": [0]}
ORDER |= {"lying-verifier": [1, 2], "seed-bench-r1": [0, 1, 2], "entanglement": [1, 0]}
ORDER |= {"rise-and-fall": [3, 1, 0, 4], "openvlthinker": [0, 4, 1]}

MODELS = {
    "hallucination": (hallucination.RATES, hallucination.BASE),
    "no-free-lunch": (internal_feedback.FIVE[:, 0], internal_feedback.BASES[0]),
    "rise-and-fall": (internal_feedback.FIVE[:, 0], internal_feedback.BASES[0]),
    "echo-chamber": (formats.rates_of(0.6), formats.MIXTURE),
    "vlaa-thinking": (vlaa_thinking.RATES, imitated()),
    "seed-bench-r1": (seed_bench_r1.RATES, seed_bench_r1.BASE),
    "openvlthinker": (openvlthinker.RATES, openvlthinker.BASE),
    "behavior-injection": (injection.RATES, injected()),
    "base-paper-v1": (
        [0.9, 0.5, 0.2],
        [0.005, 0.995 * base_paper_v1.RIVAL, 0.995 * (1 - base_paper_v1.RIVAL)],
    ),
    "latent-variable": (tries.RATES, [0.01, 0.99 * 0.74, 0.99 * 0.26]),
}


@pytest.mark.parametrize("name", BY_NAME)
def test_a_preset_shows_what_its_sentence_says(name):
    preset = BY_NAME[name]
    result = found(preset.state)
    want = SAID[name](preset.state, result)
    given = [m[0] for m in NUMERAL.finditer(preset.about.replace("T0", "T"))]
    assert len(given) == len(want), given
    for text, value in zip(given, want, strict=True):
        if text.startswith("10^"):
            assert text == f"10^{math.log10(value):.4g}"
        else:
            shown = float(text.removesuffix(" %").replace(",", ""))
            assert shown == float(f"{value * (100 if '%' in text else 1):.3g}")
    leaders = [p["pattern"] for p in result["plateaus"]]
    assert leaders == ORDER.get(name, leaders)
    if "rises" in preset.title:
        assert result["accuracy"] < result["base_accuracy"] < result["peak_accuracy"]


def test_never_is_far_beyond_any_training():
    state = BY_NAME["behavior-injection"].state
    assert lead(found(with_logits(state, injection.BASE)), 0) > 1e18


@pytest.mark.parametrize("name", MODELS)
def test_models_of_papers_are_those_of_the_gallery(name):
    given = BY_NAME[name].state
    rates, policy = MODELS[name]
    np.testing.assert_allclose(given.success_rates, rates, atol=1e-6)
    np.testing.assert_allclose(np.exp(given.log_policy), policy, rtol=2e-6)


def test_self_certainty_is_a_quarter_of_the_mean_of_minus_log():
    sure = -np.log(internal_feedback.FIVE).mean(axis=1) / 4
    np.testing.assert_allclose(presets.SURE, sure, atol=1e-6)


def test_the_list_is_what_the_page_reads():
    listed = presets.listed()
    assert len({row["name"] for row in listed}) == len(listed) > 12
    papers = {row["paper"] for row in listed if "paper" in row}
    assert {name.replace("_", "-") for name in papers} <= set(gallery.NAMES)
    for row in listed:
        assert state.parse(row["fragment"]) == BY_NAME[row["name"]].state
        assert row["about"].endswith(".") and len(row["about"]) < 180
