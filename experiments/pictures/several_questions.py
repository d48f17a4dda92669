"""C5 in training: pass@1 rises, and at large n the base model solves more questions.

Questions share one policy over patterns. Training moves mass to what is good on
average, away from patterns that alone solve some questions.
"""

import warnings
from typing import Any

import numpy as np

import theory

SHOWS = ("C5",)

QUESTIONS, PATTERNS = 64, 8
SPREADS = np.array([0.5, 1.0, 1.5, 2.0, 3.0, 4.0, 6.0])  # of the log-odds of success
SHOWN = 3  # index of the spread on the left
ATTEMPTS = np.unique(np.round(np.geomspace(1, 1e5, 61))).astype(int)
STEPS, RATE = 1500, 1.0
NAMES = ("RLOO, G = 16", "GRPO, G = 4", "GRPO, G = 16", "pass@8 (PKPO), G = 16")


def recipes():
    """The recipes compared; all with one policy for all questions."""
    from simulator import rollouts as ro

    common: dict[str, Any] = {
        "policy": ro.Shared(),
        "learning_rate": RATE,
        "num_steps": STEPS,
    }
    return (
        ro.Recipe(estimator=ro.RLOO(), group_size=16, **common),
        ro.Recipe(estimator=ro.GRPO(), group_size=4, **common),
        ro.Recipe(estimator=ro.GRPO(), group_size=16, **common),
        ro.Recipe(estimator=ro.PassAtNReward(8), group_size=16, **common),
    )


def pass_at_n(policy, rates):
    """pass@n over the questions, `[..., n]`, for policies `[..., K]`."""
    solved = np.einsum("...k,...qk->...q", policy, rates)
    return theory.several_questions.pass_at(solved[..., None, :], ATTEMPTS)


def crossing(base, trained):
    """The n (interpolated in log n) from which on the base model leads; NaN if none.

    Where both solve everything at the end, who led last counts.
    """
    ahead = trained - base
    ahead = ahead[: np.flatnonzero(np.abs(ahead) > 1e-12)[-1] + 1]
    if ahead[-1] > 0:
        return np.nan
    led = np.flatnonzero(ahead > 0)
    if not len(led):
        return 1.0
    k = led[-1]
    part = ahead[k] / (ahead[k] - ahead[k + 1])
    logs = np.log(ATTEMPTS)
    return float(np.exp(logs[k] + part * (logs[k + 1] - logs[k])))


def compute(rng, quick, progress):
    """pass@n of the base model and of every recipe, and where they cross."""
    import simulator as sim
    from simulator import rollouts as ro

    seeds, draws = (1, 2) if quick else (4, 8)
    questions = QUESTIONS // 8 if quick else QUESTIONS
    noise = rng.normal(size=(draws, questions, PATTERNS))
    skill = rng.normal(size=(draws, 1, PATTERNS))
    odds = -2 + skill + SPREADS[:, None, None, None] * noise
    rates = 1 / (1 + np.exp(-odds))
    policy = rng.dirichlet(np.ones(PATTERNS), size=(draws, 1))
    policy = np.broadcast_to(policy, rates.shape)
    problem = sim.Problem(rates, policy)
    base = pass_at_n(policy[..., 0, :], rates)
    trained = np.zeros((len(NAMES), *base.shape[:2], seeds, len(ATTEMPTS)))
    for i, recipe in enumerate(recipes()):
        run = ro.train(problem, recipe, seed=int(rng.integers(2**31)), num_seeds=seeds)
        final = np.exp(run.log_probs[..., 0, :])
        trained[i] = pass_at_n(final, rates[:, :, None])
        progress(i + 1, len(NAMES))
    cross = np.full(trained.shape[:-1], np.nan)
    for place in np.ndindex(cross.shape):
        cross[place] = crossing(base[place[1:3]], trained[place])
    return {
        "spread": SPREADS,
        "shown": SHOWN,
        "attempts": ATTEMPTS,
        "names": NAMES,
        "base": base.mean(axis=1),
        "trained": trained.mean(axis=(2, 3)),
        "crossing": cross.reshape(*cross.shape[:2], -1),
        "seeds": seeds,
        "draws": draws,
    }


def draw(data):
    """pass@n at one spread; where base and trained models cross; how often never."""
    from experiments.pictures.style import BLACK, CYCLE, legend_below, panels

    figure, axes = panels(3, height=2.7)
    left, middle, right = axes[0]
    attempts, spreads, shown = data["attempts"], data["spread"], data["shown"]
    left.plot(attempts, 1 - data["base"][shown], color=BLACK, label="base model")
    with warnings.catch_warnings():
        # In some places it never does.
        warnings.filterwarnings("ignore", message="All-NaN slice")
        quarters = np.nanquantile(data["crossing"], [0.25, 0.5, 0.75], axis=2)
    never = np.isnan(data["crossing"]).mean(axis=2)
    for i, (name, color) in enumerate(zip(data["names"], CYCLE, strict=False)):
        style = {"color": color, "label": name, "ls": ("-", "--", ":", "-")[i]}
        left.plot(attempts, 1 - data["trained"][i, shown], **style)
        low, half, high = quarters[:, i]
        place = spreads * 1.05 ** (i - 1.5)
        bars = (half - low, high - half)
        middle.errorbar(place, half, bars, fmt="o", ms=3, lw=1, capsize=2, **style)
        right.plot(spreads, never[i], marker="o", ms=3, **style)
    left.set(
        xscale="log",
        yscale="log",
        xlim=(1, 1e4),
        ylim=(1e-4, 1),
        xlabel="attempts $n$",
        ylabel="questions not solved, 1 - pass@$n$",
        title=f"spread {spreads[shown]:g}",
    )
    middle.set(
        yscale="log",
        ylabel="$n$ from which on the base model leads",
        title="median and middle half",
    )
    right.set(
        ylim=(0, 1),
        ylabel="share of runs in which it never does",
        title=f"of {data['crossing'].shape[-1]} runs, $n$ to $10^5$",
    )
    for axis in (middle, right):
        axis.set(xscale="log", xlabel="spread of the log-odds")
        axis.set_xticks(spreads, [f"{x:g}" for x in spreads])
        axis.minorticks_off()
    middle.set_yscale("log")
    handles, labels = left.get_legend_handles_labels()
    legend_below(figure, 5, handles, labels)
    return figure
