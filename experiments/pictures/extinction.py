"""Sampled training may lose the best pattern for good, and loses diversity in any case.

Lost for good: if training went on for as many steps again without moving, the best
pattern would be sampled less than once in a hundred runs (`pi_* G steps < 0.01`).

Two equally good patterns: the mean step is 0, so that the log-odds are a martingale;
their spread grows, slower and slower, since a pattern that is rare is rarely sampled.
"""

import numpy as np
from scipy.special import entr, expit

from experiments.extinct import lost

SHOWS: tuple[str, ...] = ()

RATES = np.array([0.7, 0.5])
STEPS = 3000
BASES = np.geomspace(1e-4, 0.3, 11)
GROUPS = (2, 8, 32)
LEARNING_RATE = 0.05
MANY_RATES = np.geomspace(0.01, 32, 11)
BASE = 0.02
RULES = ("natural gradient, no baseline", "policy gradient, RLOO")
TWIN_RATE, TWIN_GROUP, TWIN_STEPS, TWIN_SAVES = 1.0, 4, 20_000, 40


def _lost(run, group, steps):
    return lost(np.exp(run.log_probs[:, :, 0, 0]), group, steps)


def _rules():
    from simulator import rollouts as ro

    return (
        {"estimator": ro.Reinforce(), "surrogate": ro.NaturalGradient()},
        {"estimator": ro.RLOO(), "surrogate": ro.PolicyGradient()},
    )


def predicted(base, rate, group):
    """Chance that the natural gradient without baseline loses the best pattern.

    As long as no rollout of it is right, its odds fall like `exp(-eta s_r t)`; the
    number of right ones is then about Poisson with mean `G pi_0 s_* / (eta s_r)`.
    """
    best, rival = RATES
    return np.exp(-group * base * best / (rate * rival))


def _problems(base):
    import simulator as sim

    base = np.atleast_1d(base)
    policy = np.stack([base, 1 - base], axis=-1)[:, None]
    return sim.Problem(np.broadcast_to(RATES, policy.shape), policy)


def compute(rng, quick, progress):
    """Shares that are lost, and the log-odds of two equally good patterns."""
    import simulator as sim
    from simulator import rollouts as ro

    seed = int(rng.integers(2**31))
    seeds, num_steps = (20, STEPS // 6) if quick else (300, STEPS)
    twin_steps = TWIN_STEPS // 20 if quick else TWIN_STEPS
    total, done = 2 * len(RULES) * len(GROUPS) + 1, 0
    by_base = np.zeros((len(RULES), len(GROUPS), len(BASES)))
    by_rate = np.zeros((len(RULES), len(GROUPS), len(MANY_RATES)))
    oversized = np.zeros_like(by_rate)
    for i, rule in enumerate(_rules()):
        for j, group in enumerate(GROUPS):
            common = rule | {"group_size": group, "num_steps": num_steps}
            rates = np.full(len(BASES), LEARNING_RATE)
            recipe = ro.Recipe(learning_rate=rates, **common)
            run = ro.train(_problems(BASES), recipe, seed=seed, num_seeds=seeds)
            by_base[i, j] = _lost(run, group, num_steps).mean(axis=1)
            recipe = ro.Recipe(learning_rate=MANY_RATES, **common)
            problems = _problems(np.full(len(MANY_RATES), BASE))
            run = ro.train(problems, recipe, seed=seed, num_seeds=seeds)
            by_rate[i, j] = _lost(run, group, num_steps).mean(axis=1)
            names = run.outcome_names
            oversized[i, j] = (names == "oversized").mean(axis=1)
            done += 2
            progress(done, total)
    twins = sim.Problem([0.5, 0.5], [0.5, 0.5])
    recipe = ro.Recipe(
        estimator=ro.RLOO(),
        group_size=TWIN_GROUP,
        learning_rate=TWIN_RATE,
        num_steps=twin_steps,
    )
    run = ro.train(
        twins,
        recipe,
        seed=seed + 1,
        num_seeds=max(4 * seeds, 200),
        save_at=np.geomspace(20, twin_steps, TWIN_SAVES).astype(int),
    )
    odds = run.saved[:, :, 0, 0] - run.saved[:, :, 0, 1]
    progress(total, total)
    fine = np.geomspace(BASES[0], BASES[-1], 200)
    many = np.geomspace(MANY_RATES[0], MANY_RATES[-1], 200)
    return {
        "base": BASES,
        "rate": MANY_RATES,
        "group": GROUPS,
        "fixed_rate": LEARNING_RATE,
        "fixed_base": BASE,
        "base_of_lines": fine,
        "predicted_by_base": [predicted(fine, LEARNING_RATE, g) for g in GROUPS],
        "rate_of_lines": many,
        "predicted_by_rate": [predicted(BASE, many, g) for g in GROUPS],
        "by_base": by_base,
        "by_rate": by_rate,
        "oversized": oversized,
        "seeds": seeds,
        "twin_steps": run.saved_steps,
        "twin_mean": odds.mean(axis=0),
        "twin_error": odds.std(axis=0) / np.sqrt(len(odds)),
        "twin_size": np.abs(odds).mean(axis=0),
        "twin_entropy": _entropy(odds).mean(axis=0),
    }


def _entropy(z):
    return entr(expit(z)) + entr(expit(-z))


def draw(data):
    """Left: against the base model. Middle: against the step. Right: twins."""
    from experiments.pictures.style import BLACK, CYCLE, GREY, legend_below, panels

    figure, axes = panels(3, height=2.9)
    left, middle, right = axes[0]
    for axis, free in ((left, "base"), (middle, "rate")):
        for mark, by_group in zip(("o", "^"), data[f"by_{free}"], strict=True):
            for color, values in zip(CYCLE, by_group, strict=False):
                axis.plot(data[free], values, mark, ms=3.5, mfc="none", color=color)
        for color, chance in zip(CYCLE, data[f"predicted_by_{free}"], strict=False):
            axis.plot(data[f"{free}_of_lines"], chance, color=color, lw=0.9)
        axis.set(xscale="log", ylim=(-0.03, 1.03))
    left.set(
        xlabel=r"base model $\pi_0(*)$",
        ylabel="share of runs that lose the best pattern",
        title=rf"learning rate {data['fixed_rate']:g}",
    )
    middle.set(
        xlabel=r"learning rate $\eta$", title=rf"$\pi_0(*)$ = {data['fixed_base']:g}"
    )
    for group, color in zip(data["group"], CYCLE, strict=False):
        left.plot([], [], color=color, label=f"G = {group}, predicted")
    left.plot([], [], "o", ms=3.5, mfc="none", color=GREY, label="natural, no baseline")
    left.plot([], [], "^", ms=3.5, mfc="none", color=GREY, label="plain, RLOO")
    legend_below(figure, 5, *left.get_legend_handles_labels())
    steps, size = data["twin_steps"], data["twin_size"]
    right.plot(steps, size, color=CYCLE[0], label="mean of |log-odds|")
    growth = np.polyfit(np.log(steps[2:]), size[2:], 1)
    right.plot(
        steps,
        np.polyval(growth, np.log(steps)),
        "--",
        lw=0.8,
        color=BLACK,
        label=rf"{growth[0]:.2f} $\log t$ + const",
    )
    right.fill_between(
        steps,
        data["twin_mean"] - 1.96 * data["twin_error"],
        data["twin_mean"] + 1.96 * data["twin_error"],
        color=CYCLE[1],
        alpha=0.5,
        lw=0,
        label="mean log-odds, 95 %",
    )
    right.plot(steps, data["twin_entropy"], color=CYCLE[2], label="entropy (nats)")
    right.set(
        xscale="log",
        xlabel="steps $t$",
        ylim=(-0.5, 9.5),
        title="two equally good patterns",
    )
    right.legend(loc="upper left")
    return figure
