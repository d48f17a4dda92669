"""Sampled training and the flow: the mean follows it, the noise is of order eta/G."""

import numpy as np

SHOWS: tuple[str, ...] = ()

RATES = np.array([0.9, 0.6, 0.1])
BASE = np.array([0.05, 0.70, 0.25])
HORIZON = 120.0  # flow time shown
SHOWN = ((1.6, 4), (0.4, 4), (0.4, 64))  # learning rate, group size
EARLY = 8.0  # flow time at which the noise is measured
LEARNING_RATES = (0.4, 0.2, 0.1, 0.05)
GROUPS = (4, 16, 64, 256)
NAMES = ("REINFORCE, baseline 0.5", "RLOO", "GRPO")


def _estimators():
    from simulator import rollouts as ro

    return (ro.Reinforce(0.5), ro.RLOO(), ro.GRPO())


def compute(rng, quick, progress):
    """Quantiles over time, and variances of log pi_* at one flow time."""
    import simulator as sim
    from simulator import rollouts as ro

    seed = int(rng.integers(2**31))
    seeds = 100 if quick else 1000
    groups = GROUPS[:2] if quick else GROUPS
    problem = sim.Problem(RATES, BASE)
    runs = []
    for rate, group in SHOWN:
        recipe = ro.Recipe(
            estimator=ro.RLOO(),
            group_size=group,
            learning_rate=rate,
            num_steps=round(HORIZON / rate),
        )
        stops = np.linspace(0, recipe.num_steps, 31).round().astype(int)[1:]
        run = ro.train(problem, recipe, seed=seed, num_seeds=seeds, save_at=stops)
        pi = np.exp(run.saved[:, :, 0, 0])
        low, high = np.quantile(pi, [0.05, 0.95], axis=0)
        runs.append([rate * run.saved_steps, pi.mean(axis=0), low, high])
    times = np.geomspace(0.1, HORIZON, 200)
    flow = sim.solve(
        problem,
        sim.Verifiable(),
        save_log_times=np.log(times),
        max_log_time=np.log(HORIZON),
    )
    variance = np.zeros((len(NAMES), len(LEARNING_RATES), len(groups)))
    total, done = variance.size, 0
    for i, estimator in enumerate(_estimators()):
        for j, rate in enumerate(LEARNING_RATES):
            for k, group in enumerate(groups):
                recipe = ro.Recipe(
                    estimator=estimator,
                    group_size=group,
                    learning_rate=rate,
                    num_steps=round(EARLY / rate),
                )
                run = ro.train(problem, recipe, seed=seed + 1, num_seeds=2 * seeds)
                variance[i, j, k] = run.log_probs[:, 0, 0].var()
                done += 1
                progress(done, total)
    return {
        "shown": SHOWN,
        "horizon": HORIZON,
        "early": EARLY,
        "names": NAMES,
        "time": np.array([r[0] for r in runs]),
        "mean": np.array([r[1] for r in runs]),
        "low": np.array([r[2] for r in runs]),
        "high": np.array([r[3] for r in runs]),
        "flow_time": times,
        "flow": np.asarray(flow.saved)[:, 0],
        "ratio": np.divide.outer(LEARNING_RATES, groups),
        "variance": variance,
        "seeds": seeds,
    }


def draw(data):
    """Left: pi_* of sampled runs and of the flow. Right: the size of the noise."""
    from experiments.pictures.style import BLACK, CYCLE, GREY, panels

    figure, axes = panels(2, height=2.8)
    left, right = axes[0]
    for (rate, group), color, time, mean, low, high in zip(
        data["shown"],
        CYCLE,
        data["time"],
        data["mean"],
        data["low"],
        data["high"],
        strict=False,
    ):
        left.fill_between(time, low, high, color=color, alpha=0.2, lw=0)
        label = rf"$\eta$ = {rate:g}, G = {group:g}"
        left.plot(time, mean, color=color, label=label)
    left.plot(data["flow_time"], data["flow"], "--", color=BLACK, label="flow")
    left.set(
        xlabel=r"flow time $t = \eta \cdot$ steps",
        ylabel=r"best pattern $\pi_*$",
        title="mean of the runs, and 5 to 95 %",
        xlim=(0, data["horizon"]),
    )
    left.legend(loc="upper left")
    ratio = data["ratio"].ravel()
    marks = ("o", "s", "^")
    for name, color, mark, values in zip(
        data["names"], CYCLE, marks, data["variance"], strict=False
    ):
        slope = np.polyfit(np.log(ratio), np.log(values.ravel()), 1)[0]
        right.plot(
            ratio,
            values.ravel(),
            mark,
            ms=3.5,
            color=color,
            label=f"{name}: {slope:.2f}",
        )
    line = np.array([ratio.min(), ratio.max()])
    middle = np.exp(np.mean(np.log(data["variance"][0])) - np.mean(np.log(ratio)))
    right.plot(line, middle * line, color=GREY, lw=0.8, label="slope 1", zorder=0)
    right.set(
        xscale="log",
        yscale="log",
        xlabel=r"$\eta / G$",
        ylabel=r"variance of $\log \pi_*$",
        title=f"at t = {data['early']:g}; slopes in the legend",
    )
    right.legend(loc="upper left")
    return figure
