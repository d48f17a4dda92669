"""C5 in training: pass@1 rises, and at large n the base model solves more questions.

Questions share one policy over patterns. Training moves mass to what is good on
average, away from patterns that alone solve some questions.
"""

import numpy as np

import theory

QUESTIONS, PATTERNS = 64, 8
SPREADS = np.array([0.5, 1.0, 1.5, 2.0, 3.0, 4.0, 6.0])  # of the log-odds of success
SHOWN = 3  # index of the spread on the left
ATTEMPTS = np.unique(np.round(np.geomspace(1, 1e5, 61))).astype(int)
STEPS, RATE = 1500, 1.0
NAMES = ("RLOO, G = 16", "GRPO, G = 4", "GRPO, G = 16", "pass@8 (PKPO), G = 16")


def recipes():
    """The recipes compared; all with one policy for all questions."""
    from simulator import rollouts as ro

    common = {"policy": ro.Shared(), "learning_rate": RATE, "num_steps": STEPS}
    return (
        ro.Recipe(estimator=ro.RLOO(), group_size=16, **common),
        ro.Recipe(estimator=ro.GRPO(), group_size=4, **common),
        ro.Recipe(estimator=ro.GRPO(), group_size=16, **common),
        ro.Recipe(estimator=ro.PassAtNReward(8), group_size=16, **common),
    )


def pass_at_n(policy, rates):
    """pass@n over the questions, `[..., n]`, for policies `[..., K]`."""
    solved = np.einsum("...k,...qk->...q", policy, rates)
    return theory.pass_at(solved[..., None, :], ATTEMPTS)


def crossing(base, trained):
    """The first n (interpolated in log n) at which the base model is ahead, or NaN."""
    ahead = trained - base
    behind = np.flatnonzero(ahead < -1e-12)
    if not len(behind):
        return np.nan
    k = behind[0]
    if k == 0:
        return 1.0
    part = ahead[k - 1] / (ahead[k - 1] - ahead[k])
    logs = np.log(ATTEMPTS)
    return float(np.exp(logs[k - 1] + part * (logs[k] - logs[k - 1])))


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
    trained = np.zeros((len(NAMES), *base.shape))
    for i, recipe in enumerate(recipes()):
        run = ro.train(problem, recipe, seed=int(rng.integers(2**31)), num_seeds=seeds)
        final = np.exp(run.log_probs[..., 0, :])
        trained[i] = pass_at_n(final, rates[:, :, None]).mean(axis=2)
        progress(i + 1, len(NAMES))
    cross = np.array(
        [
            [
                [crossing(b, t) for b, t in zip(bs, ts, strict=True)]
                for bs, ts in zip(base, one, strict=True)
            ]
            for one in trained
        ]
    )
    return {
        "base": base.mean(axis=1),
        "trained": trained.mean(axis=2),
        "crossing": cross,
        "seeds": seeds,
        "draws": draws,
    }


def draw(data):
    """Left: pass@n at one spread. Right: where base and trained models cross."""
    from experiments.style import BLACK, CYCLE, panels

    figure, axes = panels(2, height=2.8)
    left, right = axes[0]
    left.plot(ATTEMPTS, data["base"][SHOWN], color=BLACK, label="base model")
    for name, color, values, cross in zip(
        NAMES, CYCLE, data["trained"], data["crossing"], strict=False
    ):
        left.plot(ATTEMPTS, values[SHOWN], color=color, label=name)
        # Populations without a crossing count as beyond the largest n.
        middle = np.median(np.where(np.isnan(cross), np.inf, cross), axis=1)
        seen = np.isfinite(middle)
        right.plot(SPREADS[seen], middle[seen], "o-", ms=3, color=color, label=name)
        right.plot(
            SPREADS[~seen],
            np.full((~seen).sum(), 2 * ATTEMPTS[-1]),
            "^",
            ms=4,
            mfc="none",
            color=color,
        )
    left.set(
        xscale="log",
        xlabel="attempts $n$",
        ylabel="pass@$n$, mean over questions",
        title=f"spread {SPREADS[SHOWN]:g} of the log-odds of success",
    )
    left.legend(loc="lower right")
    right.set(
        yscale="log",
        xlabel="spread of the log-odds of success over questions",
        ylabel="$n$ beyond which the base model leads",
        title=f"median of {int(data['draws'])} populations; open: no crossing",
    )
    right.legend(loc="best")
    return figure
