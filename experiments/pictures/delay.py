"""B4: how tight the two-sided law is, how steep the delay, how deep the dip."""

import numpy as np

SHOWS = ("B4",)

RATES = {
    2: (0.9, 0.6),
    3: (0.9, 0.6, 0.1),
    4: (0.9, 0.6, 0.3, 0.1),
    5: (0.9, 0.6, 0.4, 0.2, 0.1),
    6: (0.9, 0.6, 0.4, 0.3, 0.2, 0.1),
}
WORSE = 0.25  # share of the rest of the base model on the worse patterns
# As many worse patterns as it takes, each as rare as the best one: gamma = K - 1.
CROWD_RARE, CROWD_RATE, MOST_PATTERNS = 1e-3, 0.4, 24


def _padded(rates, policy):
    """One row of MOST_PATTERNS patterns, with logits -inf beyond the last."""
    row = np.zeros((2, MOST_PATTERNS))
    row[0, : len(rates)], row[1, : len(rates)] = rates, policy
    with np.errstate(divide="ignore"):
        return row[0], np.log(row[1])


def _start(K, rare):
    worse = [WORSE * (1 - rare) / (K - 2)] * (K - 2) if K > 2 else []
    return np.array([rare, 1 - rare - sum(worse), *worse])


def _crowd(K):
    rates = [0.9, 0.6, *[CROWD_RATE] * (K - 2)]
    rest = [CROWD_RARE] * (K - 2)
    return rates, [CROWD_RARE, 1 - CROWD_RARE * (K - 1), *rest]


def compute(rng, quick, progress):
    """Crossing times and depths of the dip, with the law; the crowded family."""
    import simulator as sim
    import theory

    del rng
    rare = np.geomspace(0.1, 1e-11, 11 if quick else 61)
    sizes = np.arange(3, MOST_PATTERNS + 1, 7 if quick else 1)
    rows = [_padded(RATES[K], _start(K, x)) for K in RATES for x in rare]
    rows += [_padded(*_crowd(K)) for K in sizes]
    rates, log_policy = (np.stack(part) for part in zip(*rows, strict=True))
    solution = sim.solve(
        sim.Problem(rates, logits=log_policy),
        sim.Verifiable(),
        until=sim.Crossing(),
        events=[sim.LowestOptimalProbability()],
        progress=progress,
    )
    reached = solution.outcome_names == "reached"
    if not reached.all():
        raise RuntimeError(f"{(~reached).sum()} lanes did not reach the crossing")
    law = theory.entanglement.transition_bounds(rates, log_policy, event="crossing")
    degree = theory.entanglement.degree_bound(rates, log_policy)
    columns = {
        "log10_time": solution.log_time / np.log(10),
        "lower": law.lower / np.exp(solution.log_time),
        "upper": law.upper / np.exp(solution.log_time),
        "lowest": solution.event_log_probs[:, 0, 0] / np.log(10),
        "ceiling": theory.dip.dip_ceiling(rates, log_policy) / np.log(10),
        "dip_three": np.log10(theory.dip.dip_three(rates, log_policy)),
        "gamma": theory.entanglement.gamma(rates, log_policy),
        "exponential": np.log10(degree.exponential),
    }
    shown = np.linspace(1.01, 24, 200)
    data = {
        "rare": rare,
        "sizes": sizes,
        "patterns": list(RATES),
        "crowd_rare": CROWD_RARE,
        "reported_gamma": shown,
        "reported": np.log10(theory.entanglement.reported_form(shown)),
    }
    for name, values in columns.items():
        family = np.asarray(values)[: len(RATES) * len(rare)]
        data[name] = family.reshape(len(RATES), len(rare))
        data[f"crowd_{name}"] = np.asarray(values)[family.size :]
    return data


def _draw_tightness(axis, data, colors):
    from experiments.pictures.style import BLACK

    x = 1 / data["rare"]
    for i, (K, color) in enumerate(zip(data["patterns"], colors, strict=False)):
        # Below this both are rounding errors.
        above = np.maximum(data["upper"][i] - 1, 1e-11)
        below = np.maximum(1 - data["lower"][i], 1e-11)
        axis.plot(x, below, color=color, label=f"K = {K}")
        axis.plot(x, above, color=color, linestyle=":")
    axis.plot([], [], color=BLACK, label="$1-(L+I)/T$")
    axis.plot([], [], color=BLACK, linestyle=":", label="$(L+2I)/T-1$")
    axis.text(2e6, 3e-5, "($K = 2$: $T = L+2I$)", fontsize=6.5)
    axis.set(
        xscale="log",
        yscale="log",
        ylim=(1e-10, 1),
        ylabel="relative distance of the bounds",
        title="$L+I \\leq T \\leq L+2I$ closes up",
    )
    axis.legend(ncols=2, columnspacing=0.8, handlelength=1.4, loc="upper right")


def _draw_degree(axis, data, colors):
    from experiments.pictures.style import GREY

    log_x = -np.log10(data["rare"])
    middle = 10 ** (0.5 * (log_x[1:] + log_x[:-1]))
    for i, (K, color) in enumerate(zip(data["patterns"], colors, strict=False)):
        axis.plot(middle, np.diff(data["log10_time"][i]) / np.diff(log_x), color=color)
        axis.axhline(K - 1, color=GREY, linestyle="--", linewidth=0.6, zorder=0)
    axis.set(
        xscale="log",
        ylim=(0, 5.6),
        ylabel=r"$d\,\log T\,/\,d\,\log(1/\pi_0(*))$",
        title="the delay is a power: degree $K-1$",
    )


def _draw_gamma(axis, data, colors):
    from experiments.pictures.style import BLACK, GREY

    axis.plot(data["reported_gamma"], data["reported"], "--", color=BLACK)
    gamma = data["crowd_gamma"]
    axis.plot(gamma, data["crowd_exponential"], color=GREY)
    axis.plot(gamma, data["crowd_log10_time"], "s", color=BLACK, ms=2.2)
    for i, (K, color) in enumerate(zip(data["patterns"], colors, strict=False)):
        if K > 2:
            axis.plot(data["gamma"][i], data["log10_time"][i], color=color)
    for height, text in (
        (13.0, r"$\gamma^{\gamma}$, part of the reported order"),
        (10.0, "exponential bound on $L$"),
        (6.9, r"$K = \gamma + 1$ patterns"),
        (1.6, r"$K = 3$ to $6$ patterns"),
    ):
        axis.text(23.7, height, text, ha="right", fontsize=6.5)
    axis.set(
        xlim=(1, 24),
        ylim=(0, 16),
        xlabel=r"$\gamma = \sum_{k \neq r'} \pi_0(k)/\pi_0(*)$",
        ylabel=r"$\log_{10} T$",
        title=rf"at $\pi_0(*) = 10^{{{np.log10(data['crowd_rare']):.0f}}}$ below "
        r"an exponential in $\gamma$",
    )


def _draw_dip(axis, data, colors):
    from experiments.pictures.style import BLACK

    x = 1 / data["rare"]
    for i, (K, color) in enumerate(zip(data["patterns"], colors, strict=False)):
        axis.plot(x, data["ceiling"][i], color=color)
        axis.plot(x[::4], data["lowest"][i][::4], "o", color=color, ms=2.8)
        if K == 3:
            axis.plot(x, data["dip_three"][i], ":", color=BLACK, zorder=4)
    deep = data["rare"] < 1e-3
    error = 10 ** (data["ceiling"] - data["lowest"])[:, deep] - 1
    axis.set(
        xscale="log",
        ylabel=r"$\log_{10}$ of the lowest $\pi_*$",
        title="how deep the best pattern dips",
    )
    axis.text(
        0.03,
        0.04,
        "dots: measured; lines: law\n"
        r"dotted: $\frac{27}{4}\frac{\Delta}{\delta}$"
        r"$\frac{\pi_0(*)^2}{\pi_0(r')\pi_0(3)}$ for $K = 3$"
        + f"\nlaw and dots apart by {100 * np.abs(error).max():.2g} %\n"
        r"at most where $\pi_0(*) < 10^{-3}$",
        transform=axis.transAxes,
        fontsize=6.5,
    )


def draw(data):
    """Tightness, degree, gamma, dip."""
    from experiments.pictures.style import CYCLE, grid

    figure, axes = grid(2, 2, height=5.0)
    _draw_tightness(axes[0][0], data, CYCLE)
    _draw_degree(axes[0][1], data, CYCLE)
    _draw_gamma(axes[1][0], data, CYCLE)
    _draw_dip(axes[1][1], data, CYCLE)
    for axis in (axes[0][0], axes[0][1], axes[1][1]):
        axis.set(xlabel=r"rarity of the best pattern, $1/\pi_0(*)$", xlim=(10, 1e11))
    return figure
