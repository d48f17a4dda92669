"""Whether RLVR reaches beyond the base model: pass@1 rises while pass@n falls.

Questions of a cluster share one policy over patterns, so that the flow of a cluster is
that of one question with the mean rates (statement C5).
"""

import numpy as np

from experiments.gallery.drawings.limit_of_rlvr import draw
from experiments.gallery.models import question_runs as runs
from experiments.gallery.models.question_banks import banks
from experiments.gallery.verdict import Claim, Finding, judged

__all__ = ["compute", "draw", "findings"]

TITLE = "Does RL Really Incentivize Reasoning Capacity Beyond the Base Model?"
SOURCE = "arXiv 2504.13837"
# pass@1 and pass@256 on the training set in %, as reported by secondary sources:
# base; GRPO after 150, 300, 450 steps; PPO, ReMax, RLOO, Reinforce++, DAPO.
REPORTED = [[9.9, 67.2], [26.1, 66.3], [33.6, 65.3], [42.5, 64.3], [27.2, 65.8]]
REPORTED += [[24.4, 65.5], [28.6, 66.4], [28.2, 67.7], [31.4, 66.1]]
REPORTED_GAPS = [41.0, 45.3]  # smallest and largest of the six, on the test set

CLAIMS = (
    Claim(
        "crossover",
        "pass@1 rises while pass@256 falls, because questions share a policy",
        "with up to 80 clusters for 240 questions every bank crosses before n = 256 "
        "and pass@1 rises while pass@256 falls; refuted if none does, or as many do "
        "where no question shares",
        "reproduced",
    ),
    Claim(
        "subset",
        "what the trained model solves is nearly a subset of what the base model does",
        "of any bank at most 1 % of the questions are solved (p > 1/1024) by RL only",
        "reproduced",
    ),
    Claim(
        "algorithms",
        "the gap from pass@1 after RL to pass@256 before hardly depends on the rule",
        "over plain RL and GRPO(8), the two orbits of the paper's six (statement B6), "
        "it spreads in the mean less than over these six, as reported (4.3 points)",
        "reproduced",
    ),
    Claim(
        "rollouts",
        "more rollouts, 32 instead of 8, help slightly",
        "sampled groups: in the mean pass@1 or pass@256 rises by two standard errors, "
        "neither by more than 0.05, and neither falls by two standard errors",
        "reproduced",
    ),
    Claim(
        "kl",
        "a KL penalty lowers pass@128 at equal pass@1",
        "lower by 0.01: reproduced if in most banks with beta = 0.001, refuted if in "
        "10 % at most with any beta",
        "refuted",
    ),
    Claim(
        "entropy",
        "at the base model's entropy the trained model stays below it",
        "reheated pass@256: reproduced if below the base model by 0.01 in most banks, "
        "refuted if so in 10 % at most",
        "refuted",
    ),
    Claim(
        "distillation",
        "distillation from a teacher is above the base model at every n",
        "in 90 % of the banks and the large one, while RLVR drives the same patterns "
        "below the mass 1e-9 that they start with",
        "reproduced",
    ),
)


def compute(rng, quick, progress):
    """Large and small banks: plain flow, other rules, KL penalties, distillation."""
    del progress
    large, small = (
        (rates, np.pad(logits, ((0, 0), (0, 12)), constant_values=-np.inf))
        for rates, logits in (
            banks(rng, 16 if quick else 100, runs.LARGE),
            banks(rng, 32 if quick else 100, runs.SMALL),
        )
    )
    data = {"attempts": runs.ATTEMPTS, "clusters": runs.CLUSTERS, "reported": REPORTED}
    plain = runs.flows(large, small, data)
    runs.rules(*small, plain, data)
    runs.others(large, small, data)
    data |= {"betas": runs.BETAS, "reported_gaps": REPORTED_GAPS}
    return data


def findings(data):
    """The verdicts, from the saved data alone."""
    gain, crossing = data["gain"], data["crossing"]
    hits = (gain[:4, :, 0] > 0) & (gain[:4, :, 1] < 0) & (crossing[:4] < 256)
    shares = np.isfinite(crossing).mean(axis=1)
    spread = np.ptp(data["gaps"], axis=0)
    more = np.diff(data["rollouts"], axis=0)[0]
    error = more.std(axis=0) / np.sqrt(len(more))
    helps = more.mean(axis=0)
    falls = (helps < -2 * error).any()
    lower = data["matched"][1:] < data["matched"][0] - 0.01
    cold = data["reheated"][1] < data["reheated"][0] - 0.01
    above = (data["distilled_gain"] > 0).all(axis=1)
    lost = (data["teacher_mass"] < runs.RARE).all()
    return [
        Finding(
            "crossover",
            judged(hits.all() and shares[4] == 0, not hits.any() or shares[4] >= 1),
            {
                "pass@1 by clusters": gain[..., 0].mean(axis=1).tolist(),
                "pass@256": gain[..., 1].mean(axis=1).tolist(),
                "median crossing n": np.median(crossing[:4], axis=1).tolist(),
                "banks that cross": shares.tolist(),
                "C5: from n on at the latest": np.median(data["bound"][:4], 1).tolist(),
                "crossing before that": np.mean(crossing[:4] <= data["bound"][:4]),
            },
            hits,
        ),
        Finding(
            "subset",
            judged((data["only"] <= 0.01).all(), (data["only"] > 0.01).all()),
            {"RL only, at most, by clusters": data["only"].max(axis=1).tolist()},
            data["only"] <= 0.01,
        ),
        Finding(
            "algorithms",
            judged(spread.mean() < np.ptp(data["reported_gaps"]) / 100),
            {
                "gap, plain and GRPO": data["gaps"].mean(axis=1).tolist(),
                "mean spread": spread.mean(),
                "gaps in %, as reported by secondary sources": list(
                    data["reported_gaps"]
                ),
            },
            spread < np.ptp(data["reported_gaps"]) / 100,
        ),
        Finding(
            "rollouts",
            judged(
                (helps > 2 * error).any() and not falls and helps.max() < 0.05, falls
            ),
            {
                "pass@1 and pass@256 with 8": data["rollouts"][0].mean(axis=0).tolist(),
                "with 32": data["rollouts"][1].mean(axis=0).tolist(),
                "standard errors of the difference": error.tolist(),
            },
            more[:, 0] > 0,
        ),
        Finding(
            "kl",
            judged(lower[0].mean() > 0.5, (lower.mean(axis=1) <= 0.1).all()),
            {
                "pass@128 by beta": data["matched"].mean(axis=1).tolist(),
                "one large bank": data["matched"][:, -1].tolist(),
            },
            lower[0],
        ),
        Finding(
            "entropy",
            judged(cold.mean() > 0.5, cold.mean() <= 0.1),
            {"pass@256 before, after": data["reheated"].mean(axis=1).tolist()},
            cold,
        ),
        Finding(
            "distillation",
            judged(above.mean() >= 0.9 and above[-1] and lost, above.mean() < 0.5),
            {
                "pass@1 and pass@256 of one bank": data["distilled_curve"][
                    [0, 8]
                ].tolist(),
                "base": data["base_curve"][[0, 8]].tolist(),
                "largest mass of the teacher's patterns after RLVR": data[
                    "teacher_mass"
                ].max(),
                "though best in": np.mean(data["best"][0] > data["best"][1]),
            },
            above,
        ),
    ]
