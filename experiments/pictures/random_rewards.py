"""Random rewards: which estimators push towards patterns that are already likely?

Every rollout is paid by a fair coin, so that the true gradient is 0. The exact mean of
one step comes from all groups; long runs are sampled.
"""

import numpy as np

SHOWS: tuple[str, ...] = ()

BASE = np.array([0.7, 0.2, 0.1])
COIN = 0.5
GROUP, RATE = 6, 2.0
STEPS = 200
LIKELY = 0
NAMES = (
    "REINFORCE",
    "RLOO",
    "GRPO",
    "natural gradient",
    "GRPO with Adam",
    "GRPO, 4 epochs, no clip",
    "... upper clip only",
    "... lower clip only",
    "... both clips at 0.2",
    "... DAPO",
)
CLIPS = {
    "no clip": (1e9, 1e9),
    "upper clip 0.2": (1e9, 0.2),
    "lower clip 0.2": (0.2, 1e9),
    "both": (0.2, 0.2),
    "DAPO: 0.2, 0.28": (0.2, 0.28),
}
MASSES = np.concatenate([np.linspace(0.5, 0.95, 19), [0.97, 0.99]])
CURVE_GROUP = 8
QUANTITIES = ("logit", "mass", "entropy")


def recipes():
    """The recipes, each with a batch used once or in four epochs of a quarter step."""
    import dataclasses

    from simulator import rollouts as ro

    base = ro.Recipe(group_size=GROUP, learning_rate=RATE, num_steps=STEPS)
    quarter = dataclasses.replace(base, learning_rate=RATE / 4)

    def clipped(low, high, **more):
        return dataclasses.replace(
            quarter, surrogate=ro.Clipped(low, high, epochs=4), **more
        )

    once = (
        dataclasses.replace(base, estimator=ro.Reinforce()),
        dataclasses.replace(base, estimator=ro.RLOO()),
        base,
        dataclasses.replace(
            base,
            estimator=ro.RLOO(),
            surrogate=ro.NaturalGradient(),
            learning_rate=RATE / 5,
        ),
        dataclasses.replace(
            base, optimizer=ro.Optimizer("adam"), learning_rate=RATE / 20
        ),
    )
    clips = list(CLIPS.values())
    often = [clipped(*clip) for clip in clips[:-1]]
    return (*once, *often, clipped(*clips[-1], redraws=10))


def measure(before, after):
    """Changes of the likely pattern's centred logit and mass, and of the entropy."""
    import jax.numpy as jnp

    import simulator as sim

    def odds(log_probs):
        return log_probs[LIKELY] - jnp.mean(log_probs)

    return {
        "logit": odds(after) - odds(before),
        "mass": jnp.exp(after[LIKELY]) - jnp.exp(before[LIKELY]),
        "entropy": sim.entropy(after) - sim.entropy(before),
    }


def compute(rng, quick, progress):
    """Exact means of one step; means and standard errors of one and of many steps."""
    import dataclasses

    import jax

    import simulator as sim
    from simulator import rollouts as ro

    seed = int(rng.integers(2**31))
    seeds = 500 if quick else 10_000
    problem = sim.Problem(np.full(3, COIN), BASE)

    def observe(problem, log_probs):
        return measure(problem.log_policy[0], log_probs[0])

    shape = (len(NAMES), len(QUANTITIES))
    exact, first, first_error = (np.zeros(shape) for _ in range(3))
    late, late_error, failed = np.zeros(shape), np.zeros(shape), np.zeros(len(NAMES))
    for i, recipe in enumerate(recipes()):
        mean = ro.expected_step(problem, recipe, measure)
        exact[i] = [mean[name] for name in QUANTITIES]
        one = dataclasses.replace(recipe, num_steps=1)
        for steps, values, errors in (
            (one, first, first_error),
            (recipe, late, late_error),
        ):
            run = ro.train(problem, steps, seed=seed, num_seeds=seeds, observe=observe)
            saved = jax.tree.map(lambda x: x[:, -1], run.saved)
            rows = np.stack([saved[name] for name in QUANTITIES])
            values[i] = rows.mean(axis=1)
            errors[i] = rows.std(axis=1) / np.sqrt(seeds)
        failed[i] = np.mean(run.outcome_names != "horizon")
        progress(i + 1, len(NAMES))
    return _curves(MASSES[::5] if quick else MASSES) | {
        "names": NAMES,
        "quantities": QUANTITIES,
        "num_steps": STEPS,
        "clips": list(CLIPS),
        "curve_group": CURVE_GROUP,
        "exact": exact,
        "first": first,
        "first_error": first_error,
        "late": late,
        "late_error": late_error,
        "failed": failed,
        "seeds": seeds,
    }


def _curves(masses):
    """Exact drift of the log-odds against the likely pattern's mass; two patterns."""
    import simulator as sim
    from simulator import rollouts as ro

    drift = np.zeros((len(CLIPS), len(masses)))
    for i, (low, high) in enumerate(CLIPS.values()):
        recipe = ro.Recipe(
            group_size=CURVE_GROUP,
            learning_rate=RATE / 4,
            surrogate=ro.Clipped(low, high, epochs=4),
        )
        for j, mass in enumerate(masses):
            problem = sim.Problem([COIN, COIN], [mass, 1 - mass])
            mean = ro.expected_step(problem, recipe, measure)
            drift[i, j] = 2 * mean["logit"]
    return {"mass": masses, "drift": drift}


def draw(data):
    """Log-odds and entropy after one batch, mass after many; clips against mass."""
    import matplotlib.pyplot as plt

    from experiments.pictures.style import BLACK, BLUE, CYCLE, GREY, ORANGE, PAGE

    figure, axes = plt.subplots(2, 2, figsize=(PAGE, 5.4))
    names, quantities = list(data["names"]), list(data["quantities"])
    words = {
        "logit": "logit, over the mean logit",
        "mass": "mass",
        "entropy": "entropy (nats)",
    }
    place = np.arange(len(names))[::-1]
    first, late = (
        (data["first"], data["first_error"]),
        (data["late"], data["late_error"]),
    )
    for axis, name, (values, errors), color, title in (
        (axes[0, 0], "logit", first, BLUE, "likely pattern, one batch"),
        (axes[0, 1], "entropy", first, BLUE, "policy, one batch"),
        (
            axes[1, 0],
            "mass",
            late,
            ORANGE,
            f"likely pattern, {data['num_steps']} batches",
        ),
    ):
        column = quantities.index(name)
        if color == BLUE:
            exact = data["exact"][:, column]
            axis.barh(place, exact, height=0.6, color=BLUE, alpha=0.35, label="exact")
        axis.errorbar(
            values[:, column],
            place,
            xerr=1.96 * errors[:, column],
            fmt="o",
            ms=2.5,
            color=color,
            elinewidth=1,
            label="sampled, 95 %",
        )
        axis.axvline(0, color=GREY, lw=0.6, zorder=0)
        axis.set_yticks(place, names if axis is not axes[0, 1] else [])
        axis.set(title=title, xlabel=f"change of its {words[name]}")
    axes[0, 0].legend(loc="upper left", bbox_to_anchor=(-0.02, 0.98))
    right = axes[1, 1]
    for (name, drift), color in zip(
        zip(data["clips"], data["drift"], strict=True), (BLACK, *CYCLE), strict=False
    ):
        right.plot(data["mass"], drift, color=color, label=name)
    right.axhline(0, color=GREY, lw=0.6, zorder=0)
    right.set(
        xlabel="mass of the likely pattern",
        ylabel="exact change of its log-odds",
        title=f"two patterns, G = {data['curve_group']}, 4 epochs",
        ylim=(-0.19, None),
    )
    right.legend(loc="lower left", fontsize=6, ncol=2)
    return figure
