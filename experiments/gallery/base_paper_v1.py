"""The base paper's first version: two regimes, SFT before RLVR, stable success rates.

Three patterns, best, rival, third. Success rates are frozen, or come from an answer
layer that is trained at alpha times the rate of the patterns (statement C6).
"""

import numpy as np

from experiments.gallery.models import answers
from experiments.gallery.models.rounds import joined, policies_at
from experiments.gallery.verdict import Claim, Finding, judged

TITLE = "On the Mechanism of Reasoning Pattern Selection, version 1"
SOURCE = "arXiv 2506.04695v1"
RATES = np.array([0.9, 0.5, 0.2])
RIVAL = 0.737  # share of the rival in the base model, beside the best pattern
WEAK = np.array([0.005, 0.05])
QUALITY = np.array([0.0, 0.1, 0.3, 0.5, 0.7, 0.9])  # share of the best in SFT data
DOSES = np.array([0.0, 1, 2, 4, 8, 16, 32])
SHARES = np.array([0.001, 0.003, 0.01, 0.03, 0.1, 0.3])
ALPHAS = np.array([0.0, *np.geomspace(1e-6, 1, 13)])
OTHERS = np.array([[0.9, 0.8, 0.2], [0.8, 0.3, 0.1], [0.9, 0.5, 0.4]])
STABLE = 0.05

CLAIMS = (
    Claim(
        "regimes",
        "RLVR is fast for strong base models and slow for weak ones",
        "over 80 % of random models in regime 2 take longer than regime 1's median",
        "reproduced",
    ),
    Claim(
        "sft",
        "SFT on data of feasible quality removes the slow regime",
        "at dose 32 regime 1 holds just where d . s > s_r', and then the total time is "
        "less than half for rare best patterns. Refuted if poorer data reach regime 1",
        "reproduced",
    ),
    Claim(
        "poor-data",
        "data with less of the best pattern per rival than the model make RLVR slower",
        "in all cells and in over 95 % of such random models; refuted if in under half",
        "partly",
    ),
    Claim(
        "stable",
        "success rates of patterns stay mostly stable in training",
        "the rival's rate moves by less than 0.05 until accuracy is 0.85, at every "
        "alpha; refuted if at none. Random models: at alpha = 0.05/T_cross",
        "partly",
    ),
    Claim(
        "lock-in",
        "beyond alpha_c = C(s)/T_cross the rival wins for ever (statement C6)",
        "within 2 % for four sets of rates at a share of 0.001; won 10 % below it and "
        "lost 10 % above it in over 95 % of random models",
        "reproduced",
    ),
)


def compute(rng, quick, progress):
    """SFT of all lanes, RLVR of all lanes, then everything with trained answers."""
    import simulator as sim

    number = 90 if quick else 300
    rates = answers.random_rates(rng, number)
    share = 10 ** rng.uniform(-3, -0.3, number)
    # Good data for half of the models, about as much of the best pattern for the rest.
    most = np.where(np.arange(number) % 2, 1.0, 2 * share)
    base, data = (
        answers.split(x, rng.uniform(0.5, 0.95, number))
        for x in (share, rng.uniform(0, 1, number) * most)
    )
    cells = np.repeat(answers.split(WEAK, RIVAL), len(QUALITY), axis=0)
    mixes = answers.split(QUALITY, 0.8)
    all_data = np.concatenate([mixes, mixes, data])
    start = sim.Problem([*[RATES] * len(cells), *rates], np.concatenate([cells, base]))
    tuned = np.exp(policies_at(start, sim.Demonstrations(all_data), DOSES[1:]))
    tuned = np.concatenate([np.exp(start.log_policy)[:, None], tuned], axis=1)
    grid, drawn = tuned[: len(cells)], tuned[len(cells) :]
    parts = {
        "cells": (RATES, grid.reshape(-1, 3)),
        "before": (rates, base),
        "after": (rates, drawn[:, 3]),
    }
    all_rates, policies, apart = joined(parts)
    run = sim.solve(
        sim.Problem(all_rates, policies),
        sim.Verifiable(),
        until=sim.Accuracy(all_rates[:, 0] - STABLE),
    )
    time = apart(np.where(run.log_time == -np.inf, 0.0, run.time))
    plane = np.array([(x, y) for x in ALPHAS for y in SHARES])
    bases, shape = answers.split(plane[:, 1], RIVAL), (len(ALPHAS), len(SHARES))
    found = answers.trained([RATES] * len(plane), bases, plane[:, 0], progress)
    cases = np.array([*[RATES] * 4, *OTHERS])
    bases = answers.split(np.array([*SHARES[3::-1], *[SHARES[0]] * 3]), RIVAL)
    law, slow = answers.laws(cases, bases)
    third = answers.split(np.full(number // 3, SHARES[0]), RIVAL)
    locked, moved = answers.around(rates[: number // 3], third, STABLE)
    reach = [np.sum(x * rates, 1) > rates[:, 1] for x in (base, data, drawn[:, -1])]
    return {
        "doses": DOSES,
        "quality": QUALITY,
        "accuracy": (grid @ RATES).reshape(2, len(QUALITY), -1),
        "time": time["cells"].reshape(2, len(QUALITY), -1),
        "value": mixes @ RATES,
        "random_above": np.stack(reach),
        "random_poor": data[:, 0] / data[:, 1] < base[:, 0] / base[:, 1],
        "random_time": np.stack([time["before"], time["after"]]),
        "alphas": ALPHAS,
        "shares": SHARES,
        "slow": slow[3::-1],
        "kept": found.kept.reshape(shape),
        "reached": found.time.reshape(shape),
        "drift": found.rival.reshape(shape) - RATES[1],
        "times": answers.TIMES,
        "curves": found.saved[[0, len(SHARES) * 7]],
        "case_shares": bases[:, 0],
        "measured": answers.thresholds(cases, bases, slow),
        "law": law,
        "random_locked": locked,
        "random_drift": moved,
    }


def findings(data):
    """The verdicts, from the saved data alone."""
    strong, good, ends = data["random_above"]
    before, after = data["random_time"]
    slower = before[~strong] > np.median(before[strong])
    reached = data["accuracy"][..., -1] > 0.5
    agrees = (reached == (data["value"] > 0.5)).all()
    total = data["time"][0] + data["doses"]
    best, feasible = total.min(axis=1), data["value"] > 0.5
    halved = (2 * best < total[:, 0])[feasible].all()
    longer = (after > before)[data["random_poor"]]
    cells = (np.diff(data["time"][:, 0]) > 0).all()
    drift, reach = data["drift"], data["reached"]
    calm = drift < STABLE
    near = calm[:, :4][data["alphas"][:, None] * data["slow"] < 0.1]
    ratio, locked = (data["measured"] / data["law"])[3:], data["random_locked"]
    medians = [np.median(before[strong]), np.median(before[~strong])]
    sft = {"d . s": data["value"], "no SFT": total[0, 0], "best total time": best}
    stable = {"share of cells": calm[1:].mean(), "alpha T < 0.1": near.mean()}
    stable["by alpha, share 0.001"] = drift[3:12:2, 0]
    lock = {"alpha_c T_cross": data["measured"], "C(s)": data["law"]}
    lock["time to 0.85"] = reach[[0, 3, 5, 7, 9, 11], 0]
    verdicts = [
        judged(slower.mean() > 0.8, slower.mean() < 0.5),
        judged(agrees and halved, reached[:, ~feasible].any()),
        judged(cells and longer.mean() > 0.95, longer.mean() < 0.5),
        judged(calm.all(), not calm[1:].any()),
        judged((np.abs(ratio - 1) < 0.02).all() and locked.mean() > 0.95),
    ]
    poorer = {"RL time by dose, q = 0": data["time"][0, 0]}
    shown = [{"median time, by regime": medians}, sft, poorer, stable, lock]
    hits = [slower, good == ends, longer, data["random_drift"] < STABLE, locked]
    return list(map(Finding, [claim.id for claim in CLAIMS], verdicts, shown, hits))


def draw(data):
    """Total time by dose, who wins, two runs, the threshold."""
    from matplotlib.colors import ListedColormap

    from experiments.pictures.style import BLACK, BLUE, CYCLE, GREY, ORANGE, SKY, grid

    figure, ((left, right), (low, last)) = grid(2, 2, height=5)
    doses, total = data["doses"], data["time"][0] + data["doses"]
    for i, q in enumerate(data["quality"]):
        color, done = (*CYCLE, GREY)[i], data["accuracy"][0, i] > 0.5
        left.plot(doses, total[i], "o-", ms=4, mfc="w", color=color, label=f"{q:g}")
        left.plot(doses[done], total[i, done], "o", ms=4, color=color)
    left.set(xlabel="SFT dose (flow time)", ylabel="SFT + RL time", yscale="log")
    left.set_title("filled: regime 1 after SFT")
    left.legend(title="best pattern in data", title_fontsize=6.5, ncols=2)
    shades = ListedColormap([ORANGE, SKY])
    alphas, shares = data["alphas"][1:], data["shares"]
    right.pcolormesh(shares, alphas, data["kept"][1:], cmap=shades, vmin=0, vmax=1)
    law = data["law"][0] / data["slow"]
    right.plot(shares[:4], law, "k-", label=r"$C(s)/T_{cross}$")
    right.set(xscale="log", yscale="log", ylabel=r"rate of answers $\alpha$")
    right.set(xlabel="best pattern in the base model", title="orange: the rival wins")
    right.legend(loc="lower right")
    for curve, style, alpha in zip(data["curves"], "-:", ("0", "1e-3"), strict=True):
        for k, name in enumerate(("accuracy", r"$\pi_*$", r"$s_{r'}$")):
            look = {"color": CYCLE[k], "label": rf"{name}, $\alpha$ = {alpha}"}
            low.plot(data["times"], curve[:, k], style, **look)
    low.set(xscale="log", xlabel="time $t$", ylabel="share or rate", ylim=(-0.03, 1.5))
    low.legend(ncols=2)
    last.axhline(data["law"][0], color=GREY)
    share, measured = data["case_shares"], data["measured"]
    last.semilogx(share, measured, "o", color=BLUE, label="measured")
    last.plot([8e-4] * 3, data["law"][4:], ">", color=BLACK, label="C(s)")
    last.set(xlabel="best pattern in the base model", ylabel=r"$\alpha_c T_{cross}$")
    last.legend()
    return figure
