"""Interplay of pre-training, mid-training and RL: tasks of a depth, levels that share.

A task of depth d succeeds if its levels 1 to d are right. Exposure is the base mass of
the right pattern in a new context (statement B4).
"""

import numpy as np

from experiments.gallery.drawings.interplay import draw
from experiments.gallery.models import depths
from experiments.gallery.verdict import Claim, Finding, judged

__all__ = ["compute", "draw", "findings"]

TITLE = "On the Interplay of Pre-Training, Mid-Training, and RL"
SOURCE = "arXiv 2512.07783"

CLAIMS = (
    Claim(
        "edge",
        "true gains need headroom and RL data at the edge of competence",
        "RL in range: pass@1 there up by 0.1, pass@128 at the edge by 0.05 at most; at "
        "the edge: pass@128 up by 0.2 there and by 0.1 far beyond; far RL and no "
        "headroom: no change above 0.001; in 90 % of random models far RL changes "
        "nothing and edge RL does more than twice as much for pass@128 at the edge; "
        "refuted if far RL gains, or in-range RL as much as edge RL",
        "reproduced",
    ),
    Claim(
        "exposure",
        "a context is taken over if and only if it had minimal exposure",
        "ten times more exposure takes the mass at t = 500 from below 0.01 to above "
        "0.9, here and in most random models; refuted if in none",
        "reproduced",
    ),
    Claim(
        "one-per-cent",
        "1 % of exposure suffices, and less does not",
        "refuted if the exposure that is needed falls by more than 3 from t = 100 to "
        "10,000; reproduced if by less than 1.5",
        "refuted",
    ),
    Claim(
        "mid-training",
        "mid-training and RL beat RL alone at equal compute",
        "edge pass@1 is best at an inner share, for each fidelity of the data and in "
        "most random models; refuted if at 0 or 1 for each fidelity",
        "reproduced",
    ),
    Claim(
        "far",
        "far tasks want more RL than those at the edge",
        "best share of mid-training for far pass@128: reproduced if smaller than for "
        "edge pass@1 at each fidelity, refuted if larger",
        "refuted",
    ),
    Claim(
        "process",
        "rewards for the process reduce hacking",
        "not expressible here: steps have no reward of their own (see hallucination "
        "for a second reward)",
        "out of reach",
    ),
)


def compute(rng, quick, progress):
    """RL on ranges of depths; exposure; shares of mid-training."""
    del progress
    data = {"ranges": depths.RANGES, "eps": depths.EXPOSURES, "shares": depths.SHARES}
    depths.ranges(rng, 125, data)
    depths.exposure(rng, 40 if quick else 120, data)
    depths.middle(rng, 20 if quick else 100, data)
    return data


def _holds(passed):
    """Of each model `[B]`: whether all thresholds of `edge` hold, and its order."""
    one, many = np.moveaxis(passed[1:] - passed[0], -1, 0)
    inside = (one[0, :, 0] >= 0.1) & (many[0, :, 1] <= 0.05)
    edge = (many[2, :, 1] >= 0.2) & (many[2, :, 2] >= 0.1)
    far = np.abs([one[3], many[3]]).max(axis=(0, 2)) <= 1e-3
    return inside & edge & far, far & (many[2, :, 1] > 2 * many[0, :, 1])


def findings(data):
    """The verdicts, from the saved data alone."""
    passed = data["passed"]  # [base and RANGES, models, groups, 1 and 128]
    holds, order = _holds(passed)
    here = passed[:, 0]
    full = np.abs(passed[1:, 2, :, 1] - passed[0, 2, :, 1]).max() <= 1e-3
    far = np.abs(here[4] - here[0]).max() > 1e-3
    as_much = here[1, 1, 1] >= here[3, 1, 1]
    sharp = data["sharp"]
    times, eps = data["half_times"], data["eps"]
    needed = np.exp(
        np.interp(np.log([1e2, 1e4]), np.log(times[::-1]), np.log(eps[::-1]))
    )
    moves = needed[0] / needed[1]
    edge, beyond = data["edge"], data["beyond"]  # [fidelities or models, SHARES]
    best, best_far = (np.argmax(x, axis=1) for x in (edge, beyond))
    inner = (best > 0) & (best < len(data["shares"]) - 1)
    share = data["shares"]
    return [
        Finding(
            "edge",
            judged(
                holds[0] and full and order[3:].mean() >= 0.9,
                far or as_much,
            ),
            {
                "pass@1 in range, edge, far: base": here[0, :, 0].tolist(),
                "pass@128": here[0, :, 1].tolist(),
                **{
                    f"pass@128, RL {low} to {high}": here[i + 1, :, 1].tolist()
                    for i, (low, high) in enumerate(data["ranges"])
                },
                "without sharing, RL 11 to 14": passed[3, 1, :, 1].tolist(),
                "all thresholds in random models": holds[3:].mean(),
            },
            order[3:],
        ),
        Finding(
            "exposure",
            judged(sharp[0] and sharp[1:].mean() > 0.5, not sharp.any()),
            {
                "mass at t = 500, by eps": data["mass"].tolist(),
                "steepest slope of the time (B4: K - 1 = 2)": -np.min(
                    np.diff(np.log(times)) / np.diff(np.log(eps))
                ),
            },
            sharp[1:],
        ),
        Finding(
            "one-per-cent",
            judged(moves < 1.5, moves > 3),
            {"exposure needed at t = 100 and 10,000": needed.tolist()},
        ),
        Finding(
            "mid-training",
            judged(inner[:3].all() and inner[3:].mean() > 0.5, not inner[:3].any()),
            {
                "best share by fidelity": share[best[:3]].tolist(),
                "edge pass@1 there": edge[:3].max(axis=1).tolist(),
                "RL only": edge[:3, 0].tolist(),
                "mid-training only": edge[:3, -1].tolist(),
                "in range, mid-training only": data["inside"].tolist(),
            },
            inner[3:],
        ),
        Finding(
            "far",
            judged((best_far < best)[:3].all(), (best_far > best)[:3].all()),
            {
                "best share, far pass@128": share[best_far[:3]].tolist(),
                "far pass@128 there": beyond[:3].max(axis=1).tolist(),
            },
            best_far[3:] < best[3:],
        ),
        Finding("process", "out of reach", {"rewards of a task": 1}),
    ]
