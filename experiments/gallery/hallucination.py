"""The hallucination dilemma: RLVR on fluent guesses, and rewards for factuality.

Patterns have a success rate s and a factuality f, the share of their steps that is
supported; hallucination is `1 - pi . f`. Under RLVR
`dF/dt = sum_k pi_k^2 (s_k - ACC)(f_k - F)`.
"""

from typing import Any

import numpy as np

from experiments.gallery.models.random_models import correlated
from experiments.gallery.verdict import Claim, Finding, judged

TITLE = "The Hallucination Dilemma: Factuality-Aware RL (FSPO)"
SOURCE = "arXiv 2505.24630"
FACTS = "factuality"
# careful, guess, hedge, sloppy
RATES = [0.90, 0.70, 0.30, 0.35]
FACTUALITY = [0.95, 0.25, 0.97, 0.40]
BASE = [0.03, 0.27, 0.40, 0.30]
WEIGHTS = np.array([0.0, 0.1, 0.2, 0.5, 1.0])
SHARES = np.array([0.0, 0.2, 0.4, 0.6, 0.8, 1.0])
CORRELATIONS = np.array([-0.6, -0.3, 0.0, 0.3, 0.6])
TIMES = np.geomspace(0.1, 1e5, 121)

CLAIMS = (
    Claim(
        "hump",
        "training for correct answers raises hallucination",
        "hallucination rises by 0.2 or more while accuracy rises; in random models it "
        "rises at the start in most of those with success and factuality unrelated",
        "partly",
    ),
    Claim(
        "factual-reward",
        "a reward for factuality removes the rise, at no cost in accuracy",
        "weights from 0.5 on, and sign rule with 0.4 verified: never above the base "
        "model, the same final accuracy, the careful pattern leads earlier",
        "reproduced",
    ),
    Claim(
        "entropy",
        "high entropy causes the hallucination",
        "refuted if the policy's entropy at the top is below half of the base model's",
        "refuted",
    ),
)


def _followed(problem, signal, until):
    """Accuracy, hallucination and entropy at TIMES, and when the best one leads."""
    import simulator as sim

    solution = sim.solve(
        problem,
        signal,
        until=until,
        events=[sim.Crossing()],
        save_log_times=np.log(TIMES),
        observe=sim.log_probabilities,
    )
    logs: Any = solution.saved
    return {
        "accuracy": solution.accuracy_of(logs),
        "hallucination": 1 - solution.attribute(FACTS, logs),
        "entropy": sim.entropy(logs),
        "crossing": np.exp(solution["crossing"].log_time),
    }


def random_models(rng, number, patterns=10):
    """Success rates, factualities and base logits, `[C, number, K]`."""
    from scipy.stats import norm

    first, second = correlated(rng, (number, patterns), CORRELATIONS)
    logits = rng.normal(size=first.shape)
    rates, logits = np.broadcast_arrays(norm.cdf(first), logits, second)[:2]
    return rates, norm.cdf(second), logits


def compute(rng, quick, progress):
    """The four patterns for each weight and share; random models by correlation."""
    import simulator as sim

    del progress
    end = sim.Gap(1e-6)

    def copies(number):
        facts = {FACTS: np.tile(FACTUALITY, (number, 1))}
        rates, base = np.tile(RATES, (number, 1)), np.tile(BASE, (number, 1))
        return sim.Problem(rates, base, attributes=facts)

    weights = np.stack([np.ones_like(WEIGHTS), WEIGHTS], axis=1)
    mixed = sim.Mixture([sim.Verifiable(), sim.Attribute(FACTS)], weights)
    data = {"times": TIMES, "weights": WEIGHTS, "shares": SHARES}
    ruled = sim.SignRule(FACTS, SHARES)
    for name, number, signal in ("weight", 5, mixed), ("share", 6, ruled):
        found = _followed(copies(number), signal, end)
        data |= {f"{name}_{key}": value for key, value in found.items()}
    data["base"] = np.array([np.dot(BASE, RATES), 1 - np.dot(BASE, FACTUALITY)])
    rates, facts, logits = random_models(rng, 60 if quick else 400)
    many = sim.Problem(rates, logits=logits, attributes={FACTS: facts})
    base = 1 - np.sum(np.exp(many.log_policy) * facts, axis=-1)
    for name, weight in (("rlvr", 0.0), ("mixed", 1.0)):
        signal = sim.Mixture([sim.Verifiable(), sim.Attribute(FACTS)], [1.0, weight])
        start = sim.solve(many, signal, max_log_time=np.log(1e-3))
        ended = sim.solve(many, signal, until=sim.Gap(1e-3))
        data[f"{name}_rises"] = 1 - start.attribute(FACTS) > base
        data[f"{name}_above"] = 1 - ended.attribute(FACTS) > base
    data["correlations"] = CORRELATIONS
    return data


def findings(data):
    """The verdicts, from the saved data alone."""
    base = data["base"][1]
    hump = data["weight_hallucination"][0]
    top = int(np.argmax(hump))
    rising = (np.diff(data["weight_accuracy"][0, : top + 1]) > -1e-9).all()
    rises = data["rlvr_rises"].mean(axis=1)
    unrelated = data["rlvr_rises"][list(data["correlations"]).index(0)]
    hump_here = hump[top] >= base + 0.2 and rising
    typical = unrelated.mean() > 0.6
    tamed = [*data["weight_hallucination"][3:], data["share_hallucination"][2]]
    never = all(curve.max() <= base + 1e-9 for curve in tamed)
    finals = [*data["weight_accuracy"][[0, 3, 4], -1], data["share_accuracy"][2, -1]]
    same = np.ptp(finals) < 5e-3
    crossing = data["weight_crossing"], data["share_crossing"]
    earlier = max(*crossing[0][3:], crossing[1][2]) < min(x[0] for x in crossing)
    entropy = data["weight_entropy"][0]
    return [
        Finding(
            "hump",
            judged(hump_here and typical, not hump_here),
            {
                "base": base,
                "top": hump[top],
                "at t": data["times"][top],
                "rises by correlation": rises.tolist(),
            },
            unrelated,
        ),
        Finding(
            "factual-reward",
            judged(never and same and earlier, not never),
            {
                "top by weight": data["weight_hallucination"].max(axis=1).tolist(),
                "leads at t by weight": data["weight_crossing"].tolist(),
                "top by share": data["share_hallucination"].max(axis=1).tolist(),
                "accuracy by share": data["share_accuracy"][:, -1].tolist(),
                "above base by correlation": data["mixed_above"].mean(1).tolist(),
            },
            ~data["mixed_above"],
        ),
        Finding(
            "entropy",
            judged(entropy[top] >= entropy[0], entropy[top] < entropy[0] / 2),
            {"entropy at start": entropy[0], "at the top": entropy[top]},
        ),
    ]


def draw(data):
    """Hallucination and accuracy in time; the final state; the ensemble."""
    from experiments.pictures.style import BLUE, CYCLE, GREY, ORANGE, grid

    figure, axes = grid(2, 2)
    for axis, name, level, word in (
        (axes[0][0], "weight", "weights", r"weight $\lambda$"),
        (axes[0][1], "share", "shares", "verified share $v$"),
    ):
        for i, value in enumerate(data[level]):
            color = CYCLE[i % len(CYCLE)]
            line = data[f"{name}_hallucination"][i]
            axis.plot(data["times"], line, color=color, label=f"{value:g}")
        axis.axhline(data["base"][1], color=GREY, lw=0.8, ls="--")
        axis.set(xscale="log", xlabel="flow time $t$", ylim=(0, 0.85))
        axis.set_ylabel("hallucination")
        axis.legend(title=word, ncols=2, title_fontsize=6.5)
    left, right = axes[1]
    for i, line in enumerate(data["weight_accuracy"]):
        left.plot(data["times"], line, color=CYCLE[i])
    left.set(xscale="log", xlabel="flow time $t$", ylabel="accuracy")
    left.set_title("colours as above")
    axes[0][0].set(title=r"reward $s + \lambda f$: a hump, until $\lambda$ = 0.5")
    axes[0][1].set(title="sign rule: a hump, until $v$ = 0.4")
    place = data["correlations"]
    for name, color, word in (
        ("rlvr_rises", BLUE, "RLVR, at the start"),
        ("rlvr_above", ORANGE, "RLVR, at the end"),
        ("mixed_above", CYCLE[2], r"$s + f$, at the end"),
    ):
        right.plot(place, data[name].mean(axis=1), "o-", ms=3, color=color, label=word)
    right.axhline(0.5, color=GREY, lw=0.8, ls="--")
    right.set(xlabel="correlation of success and factuality", ylim=(0, 1))
    right.set(ylabel="share of models", title="random models that hallucinate more")
    right.legend()
    return figure
