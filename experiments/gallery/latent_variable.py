"""Latent variables for RL: optimism on patterns instead of actions, as a bandit.

Actions are prompts with known mixtures w over K patterns and value `w . s`, linear in
the representation. Our own question: does optimism help against entanglement, in the
reward `rho = s + b / sqrt(1 + n)` with `n' = pi`, or in the selection?
"""

import numpy as np

from experiments.gallery.models import tries
from experiments.gallery.models.tries import ACTIONS, PATTERNS, WIDTHS
from experiments.gallery.verdict import Claim, Finding, judged

TITLE = "Latent Variable Representation for Reinforcement Learning (LV-Rep)"
SOURCE = "arXiv 2212.08765"

CLAIMS = (
    Claim(
        "size",
        "with the representation, regret goes by its size, not by that of the actions",
        "rank correlation of regret and number of actions: at most 0.2 for UCB on six "
        "patterns (refuted: 0.4 or more), 0.5 or more for UCB per arm; of regret and "
        "number of patterns: 0.5 or more",
        "reproduced",
    ),
    Claim(
        "optimism",
        "optimism is needed",
        "without the width the mean regret is 3 times as large or more at each number "
        "of actions; refuted if it is no larger",
        "reproduced",
    ),
    Claim(
        "entanglement",
        "a bonus in the reward does not cure entanglement, selection does (ours)",
        "bonus 2, policy gradient, p from .01 to .001: the time to one half grows by a "
        "power of 1/p of 0.5 or more in the example and most random problems; UCB "
        "takes the best pattern in 80 % of 50 pulls; refuted if the power is below 0.3",
        "reproduced",
    ),
    Claim(
        "planning",
        "planning in latent-variable MDPs, sample complexity, offline pessimism",
        "one step, mixtures known, nothing is learnt of the representation",
        "out of reach",
    ),
)


def compute(rng, quick, progress):
    """Regret by number of actions, of patterns, by width; times by rarity."""
    import simulator as sim

    del progress
    number = 30 if quick else 100
    known = tries.bandits(rng, number, ACTIONS, np.full(5, 6))
    learners = (
        sim.PatternOptimism(),
        sim.ArmOptimism(),
        sim.PatternOptimism(width=0.0),
        sim.SoftmaxGradient(),
    )
    regrets = np.stack([tries.regrets(rng, known, learner) for learner in learners])
    same = tries.bandits(rng, number, np.r_[np.full(4, 100), 1000], np.full(5, 6))
    width = np.broadcast_to(WIDTHS[:, None], (5, number))
    larger = tries.bandits(rng, number, np.full(5, 300), PATTERNS)
    others = np.sort(rng.uniform(size=(number, 3)), axis=-1)[:, ::-1]
    rates = np.concatenate([tries.RATES[None], others])
    return {
        **tries.LEVELS,
        "regret": regrets,
        "by_width": tries.regrets(rng, same, sim.PatternOptimism(width=width)),
        "by_size": tries.regrets(rng, larger, sim.PatternOptimism()),
        "gradient": tries.half_times(rates, None),
        "natural": tries.half_times(rates, sim.NaturalGradient()),
        "on_best": tries.share_of_best(rng, 50),
    }


def findings(data):
    """The verdicts, from the saved data alone."""
    from scipy.stats import spearmanr

    means = data["regret"].mean(axis=-1)
    latent, arms, greedy, gradient = means
    ranks = [
        float(spearmanr(*np.broadcast_arrays(x, level[:, None]), axis=None).statistic)
        for x, level in (
            (data["regret"][0], data["actions"]),
            (data["regret"][1], data["actions"]),
            (data["by_size"], data["patterns"]),
        )
    ]
    powers = np.log10(data["gradient"][:, 2] / data["gradient"][:, 1])
    slow = powers[2] >= 0.5
    uncured = slow[0] and slow[1:].mean() > 0.5
    return [
        Finding(
            "size",
            judged(ranks[0] <= 0.2 and min(ranks[1:]) >= 0.5, ranks[0] >= 0.4),
            {
                "rank correlations: A, A per arm, K": ranks,
                "mean regret at A = 10 30 100 300 1000": latent.tolist(),
                "UCB per arm": arms.tolist(),
                "policy gradient": gradient.tolist(),
                "median on patterns": np.median(data["regret"][0], axis=-1).tolist(),
                "90 % quantile": np.quantile(data["regret"][0], 0.9, axis=-1).tolist(),
                "mean at K = 3 6 12 24 48": data["by_size"].mean(axis=-1).tolist(),
            },
            data["regret"][0, -1] < data["regret"][1, -1],
        ),
        Finding(
            "optimism",
            judged((greedy >= 3 * latent).all(), (greedy <= latent).all()),
            {
                "mean regret of greedy choice": greedy.tolist(),
                "by width .1 .3 .6 1 2, A = 100": data["by_width"].mean(-1).tolist(),
                "90 % quantile": np.quantile(data["by_width"], 0.9, axis=-1).tolist(),
            },
            (data["regret"][2] > data["regret"][0]).mean(axis=0) > 0.5,
        ),
        Finding(
            "entanglement",
            judged(uncured and data["on_best"] >= 0.8, powers[2, 0] < 0.3),
            {
                "time at p = .1 .01 .001": data["gradient"][0, :, 0].tolist(),
                "bonus .5": data["gradient"][1, :, 0].tolist(),
                "bonus 2": data["gradient"][2, :, 0].tolist(),
                "natural gradient": data["natural"][0, :, 0].tolist(),
                "natural gradient, bonus .5": data["natural"][1, :, 0].tolist(),
                "power without bonus, .5, 2, random": np.median(powers, -1).tolist(),
                "UCB: share of the best in 50 pulls": data["on_best"],
            },
            slow[1:],
        ),
        Finding("planning", "out of reach", {"steps of a decision process": 1}),
    ]


def draw(data):
    """Regret by actions, by patterns and width; time to one half by rarity."""
    from experiments.pictures.style import CYCLE, GREY, grid

    figure, ((first, second), (third, last)) = grid(2, 2)

    def band(axis, place, regrets, color, label):
        low, middle, high = np.quantile(regrets, [0.1, 0.5, 0.9], axis=-1)
        axis.fill_between(place, low, high, color=color, alpha=0.15, lw=0)
        axis.plot(place, middle, "o-", ms=3, color=color, label=label)

    words = "UCB on patterns", "UCB per arm", "greedy on patterns", "policy gradient"
    for i, word in enumerate(words):
        band(first, data["actions"], data["regret"][i], CYCLE[i], word)
    first.set(xscale="log", xlabel="actions $A$", ylim=(0, 900))
    first.set(
        ylabel="regret after 1000 pulls", title="flat in actions (median, 10 to 90 %)"
    )
    first.legend(loc="upper left", ncols=2)
    band(second, data["patterns"], data["by_size"], CYCLE[0], "UCB on patterns")
    second.set(xlabel="patterns $K$ (300 actions)", ylabel="regret after 1000 pulls")
    second.set(title="it grows with the number of patterns", ylim=(0, None))
    band(third, data["widths"], data["by_width"], CYCLE[0], "UCB on patterns")
    third.set(xscale="log", xlabel="width (100 actions)", ylim=(0, None))
    third.set(
        ylabel="regret after 1000 pulls", title="too little optimism: heavy tails"
    )
    for name, mark, word in ("gradient", "o-", "policy"), ("natural", "s--", "natural"):
        for i, bonus in enumerate(data["bonus"]):
            look = {"color": CYCLE[i], "label": f"{word} gradient, bonus {bonus:g}"}
            last.plot(1 / data["rare"], data[name][i, :, 0], mark, ms=3, **look)
    place = 1 / data["rare"][1:]
    last.plot(place, 0.2 * place**2, color=GREY, lw=0.8, ls=":", label="slope 2")
    last.set(xscale="log", yscale="log", xlabel="$1/p$", ylabel="time to one half")
    last.set_title("a bonus in the reward: still a power of $1/p$")
    last.legend(fontsize=5.5, loc="upper left")
    last.set_ylim(1, 1e8)
    return figure
