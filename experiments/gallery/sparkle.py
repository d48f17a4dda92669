"""SPARKLE: external plans, given knowledge and partial steps before and after RL.

A plan raises the logit of one pattern j by lambda and changes accuracy by
`w (s_j - ACC)`, `w = pi_j (e^lambda - 1) / (1 + pi_j (e^lambda - 1))`. A hard problem
is a chain of 16 levels; a scaffold of m steps leaves the levels after m.
"""

import numpy as np

from experiments.gallery.drawings.sparkle import draw
from experiments.gallery.models import scaffolds
from experiments.gallery.models.random_models import correlated
from experiments.gallery.verdict import Claim, Finding, judged

__all__ = ["compute", "draw", "findings"]

TITLE = "Beyond Accuracy: Dissecting Mathematical Reasoning under RL (SPARKLE)"
SOURCE = "arXiv 2506.04723"
PATTERNS = 12
PLANS = np.array([1.0, 2, 4, 6])
TIMES = np.array([50.0, 500, 5000])
RELATED = np.array([0, 0.5, 1])  # correlation of knowledge and success
WORSE, BETTER = 0.3, 1.5  # success of the plan's pattern over accuracy: hard, easy

CLAIMS = (
    Claim(
        "plans",
        "external plans hurt on hard problems, and RL-tuned models are hurt less",
        "plans up to lambda = 4: base accuracy falls, and by more than after RL until "
        "t = 500, in 90 % of the problems; refuted if RL loses more at every lambda",
        "reproduced",
    ),
    Claim(
        "early",
        "a model is hurt less as soon as RL begins",
        "strongest plan, t = 50: reproduced if hurt less in 90 % of the problems, "
        "refuted if more in most",
        "refuted",
    ),
    Claim(
        "knowledge",
        "RL improves the use of given knowledge",
        "knowledge raises accuracy by more after RL (t = 50) in most problems: "
        "reproduced if also where it is unrelated to success, refuted if not even "
        "where it rises with success",
        "partly",
    ),
    Claim(
        "scaffold",
        "hard problems help when partial steps are given",
        "success at the hard problem of 0.1 or more with partial steps where hard "
        "problems alone give 0.001 at most; refuted if alone they give 0.1",
        "reproduced",
    ),
    Claim(
        "planning",
        "RL-tuned models plan better by themselves",
        "not expressible: a plan that changes success within a pattern is an input",
        "out of reach",
    ),
)


def random_problems(rng, number):
    """Rates `[3, number, K]` (hard, easy, free), base logits, and kappa `[R, ...]`."""
    from scipy.stats import norm

    score, second = correlated(rng, (number, PATTERNS), RELATED)
    rates = 1 / (1 + np.exp(1 - 1.2 * score))
    logits = rng.normal(size=rates.shape)
    pi = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    accuracy = np.sum(pi * rates, axis=1)
    kinds = np.stack([rates] * 3)
    kinds[0, :, 0], kinds[1, :, 0] = WORSE * accuracy, np.minimum(BETTER * accuracy, 1)
    return kinds, logits, norm.cdf(second) / 2


def _plans(rng, number, data):
    """Effects of plans `[hard and easy, base and TIMES, PLANS, number]`."""
    import simulator as sim

    rates, logits, kappa = random_problems(rng, number)
    wide = np.broadcast_to(logits, rates.shape)
    problem = sim.Problem(rates, logits=wide)
    found = sim.solve(
        problem,
        sim.Verifiable(),
        max_log_time=np.log(TIMES[-1]),
        save_log_times=np.log(TIMES),
        observe=sim.log_probabilities,
    )
    base = np.asarray(problem.log_policy)[:, :, None]
    logs = np.concatenate([base, np.asarray(found.saved)], axis=2)
    told = PLANS[:, None] * (np.arange(PATTERNS) == 0)
    told = logs[:2, :, :, None] + told
    planned = np.exp(sim.Problem(np.zeros(told.shape), logits=told).log_policy)
    plain = np.exp(logs[:2, :, :, None])
    effect = np.sum((planned - plain) * rates[:2, :, None, None], axis=-1)
    data["effect"] = np.moveaxis(effect, 1, -1)
    more = kappa * (1 - rates[2])
    data["knowledge"] = np.stack(
        [np.sum(np.exp(logs[2, :, i]) * more, axis=-1) for i in range(4)], axis=1
    )


def compute(rng, quick, progress):
    """Plans and knowledge in random problems; scaffolds of a chain."""
    del progress
    data = {"plans": PLANS, "times": TIMES, "variants": list(scaffolds.VARIANTS)}
    data["related"] = RELATED
    _plans(rng, 60 if quick else 120, data)
    scaffolds.follow(rng, 14 if quick else 110, data)
    return data


def findings(data):
    """The verdicts, from the saved data alone."""
    hard, easy = data["effect"]
    less = hard[2] > hard[0]  # at t = 500, [PLANS, number]
    mild = data["plans"] <= 4
    hurts = hard[0].mean(axis=-1)
    holds = (hurts < 0).all() and (less[mild].mean(axis=-1) >= 0.9).all()
    early = hard[1, -1] > hard[0, -1]
    used = data["knowledge"][:, 1] > data["knowledge"][:, 0]
    later = data["knowledge"][:, 3] > data["knowledge"][:, 0]
    unrelated, _, related = used.mean(axis=-1) > 0.5
    ends = data["scaffold"]
    helped = (ends[1:3].max(axis=0) >= 0.1) & (ends[0] <= 1e-3)
    return [
        Finding(
            "plans",
            judged(holds, (less.mean(axis=-1) < 0.5).all()),
            {
                "base, by lambda": hurts.tolist(),
                "RL, t = 500": hard[2].mean(axis=-1).tolist(),
                "hurt less": less.mean(axis=-1).tolist(),
                "easy, base": easy[0].mean(axis=-1).tolist(),
                "easy, RL": easy[2].mean(axis=-1).tolist(),
            },
            less[mild],
        ),
        Finding(
            "early",
            judged(early.mean() >= 0.9, early.mean() < 0.5),
            {"RL, t = 50, by lambda": hard[1].mean(axis=-1).tolist()},
            early,
        ),
        Finding(
            "knowledge",
            judged(unrelated and related, not related),
            {
                "base, by correlation": data["knowledge"][:, 0].mean(axis=-1).tolist(),
                "RL, t = 50": data["knowledge"][:, 1].mean(axis=-1).tolist(),
                "more after RL": used.mean(axis=-1).tolist(),
                "and at t = 5000": later.mean(axis=-1).tolist(),
            },
            used[0],
        ),
        Finding(
            "scaffold",
            judged(helped[0] and helped[2:].mean() > 0.5, ends[0, 0] >= 0.1),
            {
                "before": data["begun"][0],
                **{str(v): ends[i, 0] for i, v in enumerate(data["variants"])},
                "without sharing": ends[:, 1].tolist(),
                "right per level, hard only and before": [
                    data["levels"][0, 0],
                    data["base_levels"][0],
                ],
            },
            helped[2:],
        ),
        Finding("planning", "out of reach", {"patterns of a plan, given": 1}),
    ]
