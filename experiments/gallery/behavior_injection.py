"""Behavior injection before RL: same accuracy before, another gain after.

Injection mixes data into the base policy, `pi_0 -> (1 - eps) pi_0 + eps d`. A step of
GRPO on question q moves the accuracy of q' by
`h_G(alpha_q) <h_q, h_q'> grad p_q . grad p_q'`, its influence (statement B6).
"""

import numpy as np

from experiments.gallery.drawings.behavior_injection import draw
from experiments.gallery.models import injection
from experiments.gallery.verdict import Claim, Finding, judged

__all__ = ["compute", "draw", "findings"]

TITLE = "Behavior Injection: Preparing Language Models for RL (BRIDGE)"
SOURCE = "arXiv 2505.18917"

CLAIMS = (
    Claim(
        "injection",
        "behaviour injected before RL raises what RL gains",
        "eps = 0.1: accuracies of both kinds of data within 0.02 before RL and at "
        "least 0.3 apart at t = 1000, here and in most random models; refuted if not "
        "0.05 apart here",
        "reproduced",
    ),
    Claim(
        "identity",
        "the gain of a step is informative accuracy times co-influence",
        "sampled groups of 8: the influence is within 1 % of the identity with "
        "h_G of B6; refuted if more than 5 % off",
        "reproduced",
    ),
    Claim(
        "influence",
        "the influence at the first step predicts the gain of RL",
        "rank correlation over banks of at least 0.7 with the gain on held-out and on "
        "all questions; refuted if below 0.3",
        "reproduced",
    ),
    Claim(
        "both",
        "held-out questions gain only with both, injection and shared features",
        "good pattern lowered by 6: held-out gain above 0.3 with both, below 0.05 "
        "without one of them; refuted if below 0.05 with both",
        "reproduced",
    ),
    Claim(
        "informative",
        "questions of informative accuracy are what makes RL gain",
        "where 80 % of accuracies are in (0.05, 0.95) trained questions gain 0.1 in at "
        "least 80 % of banks; refuted if in fewer than half",
        "partly",
    ),
    Claim(
        "text",
        "examples of exploration and exploitation teach the behaviour",
        "not expressible: which text raises which pattern is an input here",
        "out of reach",
    ),
)


def compute(rng, quick, progress):
    """One model and random ones; the influence; banks of questions."""
    del progress
    data = {
        "shares": injection.SHARES,
        "after": injection.TIMES,
        "biases": injection.BIASES,
        "gram": injection.GRAM,
    }
    number = 48 if quick else 200
    rates, policies = injection.injected(rng, number, data)
    injection.influence(rates[:40], policies[:40], 2_000 if quick else 10_000, data)
    injection.banks(rng, 2 if quick else 17, data)
    return data


def findings(data):
    """The verdicts, from the saved data alone."""
    from scipy.stats import spearmanr

    place = list(data["shares"]).index(0.1)
    before, after = np.abs(np.diff(data["fixed"][:, place], axis=0)[0, [0, 2]])
    apart = data["random"][0] - data["random"][1]
    hits = (np.abs(apart[:, 0]) <= 0.02) & (apart[:, 2] >= 0.3)
    slopes = np.diff(np.log(data["times"][0])) / np.diff(np.log(data["shares"]))
    ratio = data["sampled"].sum() / data["identity"].sum()
    gain, influence = data["gain"], data["influence"]
    ranks = [spearmanr(influence[i].ravel(), gain[i].ravel())[0] for i in (1, 2)]
    six, none = list(data["biases"]).index(6), list(data["gram"]).index(0)
    held = gain[1, six]
    both = gain[1, six:, none + 1 :, 1] > 0.3
    without = max(held[:, 0].mean(axis=-1).max(), held[none, 1].mean())
    known = data["informative"] >= 0.8
    trained = gain[0][known] > 0.1
    late = gain[1, 1, 3, 0].mean(), influence[1, 1, 3, 0].mean()
    return [
        Finding(
            "injection",
            judged(before <= 0.02 and after >= 0.3 and hits.mean() > 0.5, after < 0.05),
            {
                "before RL": data["fixed"][:, place, 0].tolist(),
                "after RL, behaviour": data["fixed"][0, place, 1:].tolist(),
                "vanilla": data["fixed"][1, place, 1:].tolist(),
                "time to 0.65 by eps": data["times"][0].tolist(),
                "steepest slope (B4: K - 1 = 5)": -slopes.min(),
            },
            hits,
        ),
        Finding(
            "identity",
            judged(abs(ratio - 1) <= 0.01, abs(ratio - 1) > 0.05),
            {
                "sampled over identity with h_8": ratio,
                "over that of the paper, G to infinity": data["sampled"].sum()
                / data["limit"].sum(),
            },
        ),
        Finding(
            "influence",
            judged(min(ranks) >= 0.7, max(ranks) < 0.3),
            {
                "rank correlation, held out": ranks[0],
                "all questions": ranks[1],
                "a late take-off gains": late[0],
                "at an influence of": late[1],
            },
        ),
        Finding(
            "both",
            judged(both.mean() > 0.5 and without < 0.05, not both.any()),
            {
                "held-out gain by c, not injected": held[:, 0].mean(axis=-1).tolist(),
                "injected": held[:, 1].mean(axis=-1).tolist(),
            },
            both,
        ),
        Finding(
            "informative",
            judged(trained.mean() >= 0.8, trained.mean() < 0.5),
            {
                "informative share, not injected": data["informative"][
                    ..., 0, :
                ].mean(),
                "injected": data["informative"][..., 1, :].mean(),
            },
            trained,
        ),
        Finding("text", "out of reach", {"useful share of the data, given": 0.5}),
    ]
