"""LARES: latent steps that add the same evidence, pre-training and RL on it.

Items are patterns. After d latent steps their logits are `leak^d a + g_d v` with
`g_d = (1 - leak^d)/(1 - leak)`, which is d without a leak: a is the input, v the
evidence. RL trains v only; at depth D and without a leak it is policy gradient in the
clock `h = D^2` (statement B6).
"""

from typing import Any

import numpy as np

from experiments.gallery.drawings.lares import draw
from experiments.gallery.models.random_models import standardised
from experiments.gallery.verdict import Claim, Finding, judged

__all__ = ["compute", "draw", "findings"]

TITLE = "LARES: Latent Reasoning for Sequential Recommendation"
SOURCE = "arXiv 2505.16865"
ITEMS, TOP = 24, 0.8
DEPTHS = np.arange(25)
TRAINED = 6
SPEEDS = np.array([1, 2, 4, 8])
TIMES = np.array([0.1, 1.0, 3.0, 30.0, 300.0])
# Kinds of runs: evidence at the start, leak, training depths.
KINDS = (
    ("RL", 0.0, 1.0, [TRAINED]),
    ("pre-training, RL", 0.25, 1.0, [TRAINED]),
    ("pre-training, RL at 1 to 6", 0.25, 1.0, range(1, TRAINED + 1)),
    ("pre-training, RL, leak 0.9", 0.25, 0.9, [TRAINED]),
)
DIP = 0.01

CLAIMS = (
    Claim(
        "depth",
        "latent steps deepen reasoning without new parameters",
        "after pre-training accuracy at depth 6 is above that at 0 in over 90 % of the "
        "random models",
        "reproduced",
    ),
    Claim(
        "rl",
        "RL post-training raises accuracy at its depth",
        "it does in 95 % of the random models or more",
        "reproduced",
    ),
    Claim(
        "overthinking",
        "accuracy dips beyond some depth, and RL removes the dip",
        "fewer random models dip by 0.01 beyond their best depth after RL; refuted "
        "if as many or more have",
        "reproduced",
    ),
    Claim(
        "head-start",
        "pre-training is a head start for RL",
        "better than RL alone at t = 0.1, 1 and 3 in most random models",
        "reproduced",
    ),
    Claim(
        "speed",
        "RL at depth D is faster by D^2 (our own)",
        "T D^2 varies by less than 0.1 % in every model; refuted if by over 2 %",
        "reproduced",
    ),
    Claim(
        "benchmarks",
        "gains of 10 to 20 % over baselines",
        "the model has no sequences and no benchmarks",
        "out of reach",
    ),
)


def random_models(rng, number):
    """Success rates, inputs and evidence of pre-training, `[number, 24]` each.

    The best item has 0.8; the evidence correlates with success by 0.6. In the first
    model a mediocre item has the strongest evidence.
    """
    rates = rng.uniform(0, 1, (number, ITEMS))
    rates *= TOP / rates.max(axis=1, keepdims=True)
    inputs, noise = rng.normal(size=(2, number, ITEMS))
    evidence = 0.6 * standardised(rates) + 0.8 * noise
    evidence[0, np.argsort(rates[0])[ITEMS // 2]] = evidence[0].max() + 1
    return rates, inputs, evidence - evidence.mean(axis=1, keepdims=True)


def gains(leak):
    """`g_d` at all depths."""
    return np.cumsum([0.0, *leak ** DEPTHS[:-1]])


def trained(rates, inputs, evidence, leak, depths):
    """Accuracy at all depths, at the start and at TIMES: `[number, 1 + T, 25]`."""
    import simulator as sim
    from simulator import rollouts as ro

    number, few = len(rates), len(DEPTHS)
    start = leak ** DEPTHS[:, None] * inputs[:, None]
    start = start + gains(leak)[:, None] * evidence[:, None]
    s = np.repeat(rates[:, None], few, axis=1)
    weights = np.isin(DEPTHS, depths) * few / len(depths)
    policy = ro.Weighted(ro.LatentDepth(DEPTHS, leak), weights)
    run = sim.solve_population(
        sim.Population(sim.Problem(s, logits=start), policy),
        sim.Verifiable(),
        save_log_times=np.log(TIMES),
        max_log_time=np.log(TIMES[-1]),
    )
    saved: Any = run.saved
    before = np.exp(run.population.problem.log_policy)
    policies = np.concatenate([before[:, None], saved], axis=1)
    return np.sum(policies * rates[:number, None, None], axis=-1)


def times(rates, inputs):
    """Time to 0.9 of the best rate at each of SPEEDS, `[number, 4]`."""
    import simulator as sim
    from simulator import rollouts as ro

    many = len(SPEEDS)
    s, a = (np.repeat(x, many, axis=0)[:, None] for x in (rates, inputs))
    depths = np.tile(SPEEDS, len(rates))[:, None]
    run = sim.solve_population(
        sim.Population(sim.Problem(s, logits=a), ro.LatentDepth(depths)),
        sim.Verifiable(),
        until=sim.Accuracy(0.9 * TOP),
    )
    return np.reshape(run.time, (-1, many))


def compute(rng, quick, progress):
    """All kinds of runs on the same random models; times by training depth."""
    del progress
    rates, inputs, evidence = random_models(rng, 60 if quick else 200)
    runs = np.stack(
        [
            trained(rates, inputs, share * evidence, leak, list(depths))
            for _, share, leak, depths in KINDS
        ]
    )
    best = runs.argmax(axis=-1)[..., None]
    later = np.where(DEPTHS >= best, runs, 1.0)
    return {
        "depths": DEPTHS,
        "times": TIMES,
        "kinds": np.array([kind[0] for kind in KINDS]),
        "example": runs[:, 0],
        "at_zero": runs[:, :, 0, 0],
        "trained": runs[..., TRAINED],
        "dip": runs.max(axis=-1) - later.min(axis=-1) > DIP,
        "speeds": SPEEDS,
        "reached": times(rates, inputs),
    }


def findings(data):
    """The verdicts, from the saved data alone."""
    alone, both = data["trained"][:2]
    deeper = both[:, 0] > data["at_zero"][1]
    rises = alone[:, -1] > alone[:, 0]
    dips = data["dip"].mean(axis=1)  # by kind and time
    ahead = both > alone
    small = ahead[:, 1:4]
    scaled = data["reached"] * data["speeds"] ** 2
    spread = np.ptp(scaled, axis=1) / scaled.min(axis=1)
    raised = (data["trained"][:, :, -1] > data["trained"][:, :, 0]).mean(axis=1)
    gain = (both - alone).mean(axis=0)[1:]
    shown = [
        {"example by depth 0, 4, 12, 24": data["example"][1, 0, [0, 4, 12, 24]]},
        {"raised, by kind": raised, "example": data["example"][:, -1, TRAINED]},
        {"dips before": dips[1:, 0], "after t = 3": dips[1:, 3], "300": dips[1:, 5]},
        {"ahead by t": ahead[:, 1:].mean(axis=0), "by": gain},
        {"T D^2, median": np.median(scaled, axis=0), "spread": spread.max()},
        {"items": scaled.shape[0]},
    ]
    verdicts = [
        judged(deeper.mean() > 0.9, deeper.mean() < 0.5),
        judged(raised.min() >= 0.95, raised.min() < 0.5),
        judged(dips[1, 5] < dips[1, 0], dips[1, 5] >= dips[1, 0]),
        judged((small.mean(axis=0) > 0.5).all(), (small.mean(axis=0) < 0.5).all()),
        judged(spread.max() < 1e-3, spread.max() > 0.02),
        "out of reach",
    ]
    gone = ~data["dip"][1, data["dip"][1, :, 0], 5]
    hits = [deeper, rises, gone, small[:, 0], spread < 1e-3, None]
    return list(map(Finding, [claim.id for claim in CLAIMS], verdicts, shown, hits))
