"""Outcome rewards and coherent chains: SEED-Bench-R1, and the bonus of GRPO-CARE.

Patterns have a success rate s and a coherence kappa; consistency is `pi . kappa`. Under
RLVR it falls at the start if and only if `sum_k pi_k^2 (s_k - ACC)(kappa_k - C) < 0`.
The bonus pays correct answers for coherence: `rho = s (1 + b kappa)`.
"""

from typing import Any

import numpy as np

from experiments.gallery.hallucination import CORRELATIONS, random_models
from experiments.gallery.models.random_models import proportional
from experiments.gallery.verdict import Claim, Finding, judged

TITLE = "SEED-Bench-R1: Effect of RL on Video Understanding, and GRPO-CARE"
SOURCE = "arXiv 2503.24376"
NAME, WIDTH = "coherence", 8
# coherent-weak, shortcut, coherent-strong, poor
RATES = np.array([0.37, 0.53, 0.59, 0.25])
COHERENCE = np.array([0.80, 0.55, 0.85, 0.45])
BASE = np.array([0.62, 0.18, 0.02, 0.18])
BONUS = np.array([0.0, 0.1, 0.25, 0.5, 1.0, 2.0])
BETAS = np.array([0.02, 0.05, 0.1])
# Rows: poor and good perception; columns: coherent chain and shortcut.
TABLE = np.array([[0.34, 0.42], [0.58, 0.54]])
CHOICES = [[0.8, 0.2], [0.75, 0.25]]
TIMES = np.unique([*np.geomspace(0.1, 1e5, 61), 600.0])

CLAIMS = (
    Claim(
        "incoherent",
        "outcome rewards raise accuracy and make chains less coherent",
        "up by 0.1 and down by 0.1 at t = 600; down in most random models of negative "
        "correlation. Refuted if in most at 0 and above too",
        "reproduced",
    ),
    Claim(
        "bonus",
        "a consistency bonus for correct answers raises accuracy and consistency",
        "b = 1 raises both at t = 600, which is between the two times of crossing; in "
        "most random models b = 0.5 raises consistency at no cost in accuracy",
        "reproduced",
    ),
    Claim(
        "kl",
        "the KL penalty is a cause of low consistency",
        "the optima for beta 0.02 to 0.1 are less consistent than RLVR at t = 600; "
        "refuted if all are more so",
        "refuted",
    ),
    Claim(
        "perception",
        "perception improves first, and chains are less coherent meanwhile",
        "two choices with hand-picked rates: coherence dips, good perception rises",
        "possible",
    ),
    Claim(
        "efficiency",
        "RL needs fewer data than SFT, in and out of distribution",
        "the model has no amount of data",
        "out of reach",
    ),
)


def perceived(bonus):
    """Shares of good perception and of coherent chains at TIMES, `[T, 2]`."""
    import simulator as sim

    rates = TABLE * (1 + bonus * np.array([1.0, 0.0]))
    run = sim.solve_population(
        sim.Population(sim.Problem(np.full((2, 2), 0.5), CHOICES)),
        sim.SuccessTable(rates),
        save_log_times=np.log(TIMES),
        max_log_time=np.log(TIMES[-1]),
    )
    saved = np.asarray(run.saved)
    return np.stack([saved[:, 0, 1], saved[:, 1, 0]], axis=1)


def compute(rng, quick, progress):
    """The example for every bonus and the random models, in one batch; two choices."""
    import simulator as sim
    from theory.entanglement import transition_bounds

    number, late = 60 if quick else 400, np.searchsorted(TIMES, 600.0)
    drawn = [x.reshape(-1, WIDTH) for x in random_models(rng, number, WIDTH)]
    drawn[2] = proportional(drawn[2])
    # As wide as random models, by patterns that nobody takes.
    example = [np.tile(np.pad(x, (0, 4)), (6, 1)) for x in (RATES, COHERENCE, BASE)]
    rates, coherence, base = (
        np.concatenate([x, y, y]) for x, y in zip(example, drawn, strict=True)
    )
    bonus = np.repeat([*BONUS, 0.0, 0.5], [*[1] * 6, *[len(drawn[0])] * 2])
    run = sim.solve(
        sim.Problem(rates, base, attributes={NAME: coherence}),
        sim.CorrectBonus(NAME, bonus),
        events=[sim.Crossing()],
        save_log_times=np.log(TIMES),
        observe=sim.log_probabilities,
        max_log_time=np.log(TIMES[-1]),
        progress=progress,
    )
    saved: Any = run.saved
    curves = np.stack([run.accuracy_of(saved), run.attribute(NAME, saved)])
    shape = 2, 2, len(CORRELATIONS), number
    before = np.stack([np.sum(drawn[2] * x, axis=1) for x in drawn[:2]])
    excess = [x - y[:, None] for x, y in zip(drawn[:2], before, strict=True)]
    slope = np.sum(drawn[2] ** 2 * excess[0] * excess[1], axis=1)
    paid = RATES * (1 + BONUS[:, None] * COHERENCE)
    bounds = transition_bounds(
        paid / (1 + BONUS[:, None]), np.log(np.tile(BASE, (6, 1))), event="crossing"
    )
    kl = proportional(np.log(BASE) + RATES / BETAS[:, None])
    ended, start = curves[:, 6:, late].reshape(shape), before.reshape(2, *shape[2:])
    first = curves[1, 6 : 6 + len(slope), 0] - before[1]
    return {
        "times": TIMES,
        "bonus": BONUS,
        "start": np.array([BASE @ RATES, BASE @ COHERENCE]),
        "curves": curves[:, :6],
        "crossing": np.asarray(run["crossing"].time)[:6],
        "bound": bounds.upper / (1 + BONUS),
        "falls": ended[1] < start[1],
        "free": ended[0, 1] >= ended[0, 0] - 1e-3,
        "more": ended[1, 1] > ended[1, 0],
        "told": (first < 0) == (slope < 0),
        "correlations": CORRELATIONS,
        "kl": np.stack([kl @ RATES, kl @ COHERENCE]),
        "choices": np.stack([perceived(0.0), perceived(0.3)]),
    }


def findings(data):
    """The verdicts, from the saved data alone."""
    at = int(np.searchsorted(data["times"], 600.0))
    accuracy, consistency = data["curves"][:, :, at]
    falls, free = data["falls"][0], data["free"]
    shares, negative = falls.mean(axis=1), data["correlations"] < 0
    here = accuracy[0] > data["start"][0] + 0.1
    here &= consistency[0] < data["start"][1] - 0.1
    typical = falls[negative].mean() > 0.5
    helps = free & data["more"]
    both = accuracy[4] > accuracy[0] and consistency[4] > consistency[0]
    between = data["crossing"][4] < 600 < data["crossing"][0]
    kl = data["kl"][1]
    good, chain = np.moveaxis(data["choices"], -1, 0)
    dips = chain[0].min() < chain[0, 0] - 0.01 and good[0, -1] > 0.9
    numbers = {"accuracy": [data["start"][0], accuracy[0]]}
    numbers["consistency"] = [data["start"][1], consistency[0]]
    numbers |= {"falls by correlation": shares, "sign law": data["told"].mean()}
    bonus = {"accuracy": accuracy, "consistency": consistency}
    bonus |= {"crossing": data["crossing"], "B4": data["bound"]}
    bonus["no cost by correlation"] = free.mean(axis=1)
    penalty = {"accuracy": data["kl"][0], "consistency": kl, "RLVR": consistency[0]}
    seen = {"coherence, least": chain.min(axis=1), "at the end": chain[:, -1]}
    shown = [numbers, bonus, penalty, seen, {"patterns": 4}]
    verdicts = [
        judged(here and typical, (shares[~negative] > 0.5).all()),
        judged(both and between and helps.mean() > 0.5, not both),
        judged((kl < consistency[0]).all(), (kl > consistency[0]).all()),
        "possible" if dips else "refuted",
        "out of reach",
    ]
    hits = [falls[negative], helps, None, None, None]
    return list(map(Finding, [claim.id for claim in CLAIMS], verdicts, shown, hits))


def draw(data):
    """Accuracy and consistency in time, crossings, two choices, the ensemble."""
    from experiments.pictures.style import AMBER, BLUE, GREY, ORANGE, grid

    figure, ((left, right), (low, last)) = grid(2, 2)
    for i, color in ((0, BLUE), (4, ORANGE)):
        accuracy, consistency = data["curves"][:, i]
        word = f"b = {data['bonus'][i]:g}"
        left.plot(data["times"], accuracy, color=color, label=f"{word}: accuracy")
        left.plot(data["times"], consistency, "--", color=color, label="consistency")
    left.set(xscale="log", xlabel="flow time $t$", ylabel="mean", ylim=(0.3, 1.05))
    left.set_title("a bonus ends the incoherent plateau")
    left.legend(loc="upper left", ncols=2)
    right.plot(data["bonus"], data["bound"], color=AMBER, lw=4, label="B4: upper bound")
    right.semilogy(data["bonus"], data["crossing"], "o", ms=4, label="model")
    right.set(xlabel="bonus b", ylabel="coherent-strong leads at $t$")
    right.legend()
    for pair, word in zip(data["choices"], ("b = 0", "b = 0.3"), strict=True):
        low.plot(pair[:, 0], pair[:, 1], label=word)
    low.plot(*data["choices"][0, 0], "ko", ms=4, label="start")
    low.set(xlabel="good perception (share)", ylabel="coherent chains (share)")
    low.set_title("coherence dips until perception is good")
    low.legend()
    for row, word in zip(data["falls"], ("b = 0", "b = 0.5"), strict=True):
        last.plot(data["correlations"], row.mean(axis=1), "o-", ms=3, label=word)
    last.axhline(0.5, color=GREY, lw=0.8, ls="--")
    last.set(xlabel="correlation of success and coherence", ylabel="share of models")
    last.set(ylim=(0, 1), title="random models less consistent at t = 600")
    last.legend()
    return figure
