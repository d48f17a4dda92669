"""A4: rewarding certainty, where accuracy goes and when theory says so.

Two answers, uniform base model, success rates of density 1 + c (2 s - 1).
"""

import functools

import numpy as np

from experiments.pictures.monotone_regime import QUANTILES, bands
from experiments.runtime.compiling import fast

SHOWS = ("A4",)

# (K, tilt, draws); in --quick the same with few patterns and draws.
CASES = ((1000, 0.0, 4000), (10_000, 0.0, 500), (1000, 0.3, 2000))
QUICK_CASES = ((100, 0.0, 64), (100, 0.0, 64), (100, 0.3, 64))
CHUNK = 250  # draws between two reports of progress
WIDTH = 8  # draws that are solved side by side
EXAMPLES = 5  # lines per group
TILTS = np.array([0.0, 0.1, 0.3])


@functools.cache
def _times(K, quick):
    return K * np.append(0.005, np.linspace(0.12, 0.7, 8 if quick else 24))


@functools.cache
def _follower(K, quick):
    """A program from success rates `[draws, K]` to accuracies, at times and the end.

    By the numerical flow: from a uniform base the closed form takes a step per pattern,
    at K = 1000 fifteen times as long.
    """
    import jax
    import jax.numpy as jnp

    import simulator as sim

    log_times = np.log(_times(K, quick))

    def follow(s):
        def accuracy(log_probs):
            return jnp.sum(jnp.exp(log_probs) * s)

        kernel = jnp.stack([s, 1 - s], axis=-1)
        solution = sim.flow(
            sim.Problem(s, logits=jnp.zeros_like(s), answer_kernel=kernel),
            sim.SelfCertainty(),
            save_log_times=log_times,
            max_log_time=log_times[-1] + np.log(1e4),
            tolerance=1e-5,
            observe=accuracy,
        )
        return solution.saved, accuracy(solution.log_probs)

    return fast(lambda s: jax.lax.map(follow, s, batch_size=WIDTH))


def accuracy_over_time(rates, quick, progress):
    """Accuracy at `_times` and at the end of the run: `[draws, T]`, `[draws]`."""
    draws, K = rates.shape
    follow_all, parts = _follower(K, quick), []
    for start in range(0, draws, CHUNK):
        parts.append(follow_all(rates[start : start + CHUNK]))
        progress(min(start + CHUNK, draws), draws)
    return tuple(np.concatenate(part) for part in zip(*parts, strict=True))


def early_rise(rng, sizes, trials):
    """Share of draws whose accuracy rises at first, by tilt and reading: `[rows, K]`.

    Rows: each of `TILTS` unconditioned, then tilt 0 given that the mean exceeds 1/2.
    """
    import theory
    from experiments.checks.degradation import initial_rise

    shares = np.zeros((len(TILTS) + 1, len(sizes)))
    for j, K in enumerate(sizes):
        for i, c in enumerate(TILTS):
            rates = theory.degradation.sample(rng, (trials, K), c)
            rise = initial_rise(rates)
            shares[i, j] = rise.mean()
            if c == 0:
                shares[-1, j] = rise[rates.mean(axis=-1) > 0.5].mean()
    return shares


def compute(rng, quick, progress):
    """Accuracy over time, shares that end improved, early rise, the (tilt, K) map."""
    import theory

    data = {"quantiles": QUANTILES, "tilts": TILTS}
    for i, (K, c, draws) in enumerate(QUICK_CASES if quick else CASES):
        rates = theory.degradation.sample(rng, (draws, K), c)
        path, end = accuracy_over_time(rates, quick, progress)
        base = rates.mean(axis=-1)
        improved, above = end > base, base > 0.5
        data[f"case_{i}"] = np.array([K, c, draws])
        data[f"time_{i}"] = _times(K, quick) / K
        for name, group in (("improved", improved), ("degraded", ~improved)):
            data[f"{name}_path_{i}"] = np.quantile(path[group], QUANTILES, axis=0)
            data[f"{name}_examples_{i}"] = path[group][:EXAMPLES]
        # First over all draws, then over those whose mean rate exceeds 1/2.
        data[f"trials_{i}"] = np.array([draws, above.sum()])
        data[f"improved_{i}"] = np.array([improved.mean(), improved[above].mean()])
        rise = np.maximum(np.max(path, axis=-1) - base, 0.0)
        data[f"first_rise_{i}"] = np.median(rise[~improved])
    sizes = np.array([10, 30, 100, 300, 1000, 3000])
    data["K"] = sizes
    data["rise"] = early_rise(rng, sizes, 400 if quick else 2000)
    predict = theory.degradation.initial_rise_probability
    data["rise_predicted"] = np.array(
        [predict(sizes, c, theory.degradation.UNCONDITIONED) for c in TILTS]
        + [predict(sizes, 0.0, theory.degradation.MEAN_ABOVE_HALF)]
    )
    map_K, map_c = np.geomspace(10, 1e6, 61), np.linspace(0, 0.5, 51)
    grid_c, grid_K = np.meshgrid(map_c, np.round(map_K).astype(int), indexing="ij")
    data["map_K"], data["map_c"] = map_K, map_c
    data["map_rise"] = predict(grid_K, grid_c, theory.degradation.UNCONDITIONED)
    data["map_winner"] = theory.degradation.winner_is_worst_probability(
        grid_K, grid_c, theory.degradation.UNCONDITIONED
    )
    return data


def _draw_paths(axis, data, i):
    from experiments.pictures.style import BLUE, ORANGE

    K, c, draws = data[f"case_{i}"]
    share = 100 * float(data[f"improved_{i}"][0])
    for name, color in (("improved", BLUE), ("degraded", ORANGE)):
        bands(axis, data[f"time_{i}"], data[f"{name}_path_{i}"], color)
        examples = data[f"{name}_examples_{i}"].T
        axis.plot(data[f"time_{i}"], examples, color=color, linewidth=0.4)
    place = {"x": 0.01, "fontsize": 6}
    axis.text(y=0.97, s=f"improved\n{share:.1f} %", va="top", color=BLUE, **place)
    axis.text(y=0.03, s=f"degraded\n{100 - share:.1f} %", color=ORANGE, **place)
    rise = float(data[f"first_rise_{i}"])
    axis.set(
        xlabel="flow time / K",
        ylabel="accuracy",
        xlim=(0, 0.7),
        ylim=(0, 1),
        title=f"K = {K:,.0f}, tilt c = {c:g}; {draws:,.0f} draws\n"
        "degraded: "
        + (f"first rise {rise:.4f}" if rise >= 5e-5 else "no first rise")
        + " (median)",
    )


def _draw_shares(axis, data):
    from experiments.pictures.style import BLUE, GREY, PURPLE

    place = np.arange(3)
    share = np.array([data[f"improved_{i}"] for i in place])
    trials = np.array([data[f"trials_{i}"] for i in place])
    error = 1.96 * np.sqrt(share * (1 - share) / trials)
    looks = (("all draws", BLUE), ("given mean rate > 1/2", PURPLE))
    for reading, (label, color) in enumerate(looks):
        axis.errorbar(
            place + 0.24 * reading - 0.12,
            share[:, reading],
            error[:, reading],
            fmt="o",
            color=color,
            ms=3,
            label=label,
        )
    axis.axhline(0.487, color=GREY, linewidth=0.8, linestyle="--", zorder=0)
    axis.text(-0.45, 0.45, "line: 0.487 as reported", va="top", fontsize=6)
    axis.set(
        xticks=place,
        xticklabels=["{:,.0f}\nc = {:g}".format(*data[f"case_{i}"][:2]) for i in place],
        xlim=(-0.5, 2.5),
        ylim=(0.4, 0.8),
        xlabel="number of patterns K, tilt c",
        ylabel="share that ends improved",
        title="who wins (95 % intervals)",
    )
    axis.legend(loc="upper left")


def _draw_rise(axis, data):
    from experiments.pictures.style import BLACK, CYCLE

    labels = [f"c = {c:g}" for c in data["tilts"]] + ["c = 0, mean > 1/2"]
    for row, label in enumerate(labels):
        color = CYCLE[row] if row < len(data["tilts"]) else BLACK
        axis.plot(data["K"], data["rise"][row], "o", color=color, ms=3)
        axis.plot(data["K"], data["rise_predicted"][row], color=color, label=label)
    axis.set(
        xscale="log",
        xlabel="number of patterns K",
        ylabel="P(dACC/dt(0) > 0)",
        ylim=(0, 1.02),
        title="early rise\ndots: drawn; lines: theory",
    )
    axis.legend(loc="lower left", ncols=2, columnspacing=0.8, handlelength=1.2)


def draw(data):
    """Accuracy in three cases; who wins, early rise, and the map."""
    from cmcrameri import cm

    from experiments.pictures.style import BLACK, grid

    figure, axes = grid(2, 3)
    for i in range(3):
        _draw_paths(axes[0][i], data, i)
    _draw_shares(axes[1][0], data)
    _draw_rise(axes[1][1], data)
    chart = axes[1][2]
    image = chart.pcolormesh(
        data["map_K"],
        data["map_c"],
        data["map_rise"],
        cmap=cm.batlow,
        rasterized=True,
        vmin=0.5,
        vmax=1,
    )
    lines = chart.contour(
        data["map_K"],
        data["map_c"],
        data["map_winner"],
        levels=[0.3, 0.35, 0.4, 0.45],
        colors=BLACK,
        linewidths=0.6,
    )
    chart.clabel(lines, fontsize=5.5)
    chart.set(
        xscale="log",
        xlabel="number of patterns K",
        ylabel="tilt c",
        title="colour: P(early rise)\nlines: P(winner is worst)",
    )
    figure.colorbar(image)
    return figure
