"""B3: time times gap ends at a number that depends on counts alone."""

import numpy as np

SHOWS = ("B3",)

SIZES = (2, 3, 5, 10)
# (n suboptimal, M best, m of them in front)
TIES = ((1, 2, 2), (3, 3, 1), (2, 2, 2), (3, 3, 2), (3, 3, 3))
QUANTILES = np.array([0.05, 0.25, 0.5, 0.75, 0.95])
EXAMPLES = 15
PER_SIZE, PER_TIE = 250, 100


def _unique(rng, K, number):
    """Rates uniform and descending, logits normal; K patterns of the largest size."""
    shape = (number, max(SIZES))
    rates, logits = rng.uniform(size=shape), rng.normal(size=shape)
    rates[:, :K] = np.sort(rates[:, :K])[:, ::-1]
    logits[:, K:] = -np.inf
    return rates, logits


def _tied(rng, n, M, m, number):
    """The first M patterns are best, the first m of them equally likely, and most."""
    rates, logits = _unique(rng, n + M, number)
    rates[:, :M] = rates[:, :1]
    order = np.sort(logits[:, :M])[:, ::-1]
    logits[:, :m], logits[:, m:M] = order[:, :1], order[:, m:]
    return rates, logits


def compute(rng, quick, progress):
    """Quantiles of `t gap(t)` over random problems, from t = 1 to 1e12."""
    import simulator as sim
    import theory

    counts = (20, 12) if quick else (PER_SIZE, PER_TIE)
    groups = [_unique(rng, K, counts[0]) for K in SIZES]
    groups += [_tied(rng, *tie, counts[1]) for tie in TIES]
    rates, logits = (np.concatenate(part) for part in zip(*groups, strict=True))
    times = np.geomspace(1, 1e12, 13 if quick else 97)
    problem = sim.Problem(rates, logits=logits)
    solution = sim.solve(
        problem,
        sim.Verifiable(),
        save_log_times=np.log(times),
        max_log_time=np.log(times[-1]),
        progress=progress,
    )
    best = np.where(logits > -np.inf, rates, -np.inf).max(axis=-1, keepdims=True)
    shortfall = np.where(logits > -np.inf, best - rates, 0.0)
    scaled = times * np.einsum("btk,bk->bt", np.asarray(solution.saved), shortfall)
    limit = theory.tail.tail_limit(rates, np.asarray(problem.log_policy))
    edges = np.cumsum([0] + [len(group[0]) for group in groups])
    data = {"time": times, "sizes": SIZES, "ties": TIES, "counts": counts}
    for i, (first, last) in enumerate(zip(edges[:-1], edges[1:], strict=True)):
        data[f"limit_{i}"] = limit[first]
        data[f"quantiles_{i}"] = np.quantile(scaled[first:last], QUANTILES, axis=0)
        data[f"examples_{i}"] = scaled[first : first + EXAMPLES]
        data[f"last_{i}"] = scaled[first:last, -1] / limit[first:last]
    return data


def _draw_late(axis, data, groups, labels, colors):
    """Medians and bands of late times, with the predicted limits."""
    from experiments.pictures.style import BLACK

    for i, label, color in zip(groups, labels, colors, strict=True):
        bands = data[f"quantiles_{i}"]
        for low, high, alpha in ((0, 4, 0.15), (1, 3, 0.3)):
            axis.fill_between(
                data["time"], bands[low], bands[high], color=color, alpha=alpha, lw=0
            )
        axis.plot(data["time"], bands[2], color=color)
        limit = float(data[f"limit_{i}"])
        axis.axhline(limit, color=BLACK, linestyle="--", linewidth=0.7, zorder=3)
        axis.text(1.6e12, limit, label, color=color, va="center", fontsize=6.5)
    axis.set(xscale="log", xlim=(1e4, 1e12), xlabel="flow time $t$ (log scale)")
    axis.set_xticks(10.0 ** np.arange(4, 13, 4))


def draw(data):
    """All problems; late times for unique best patterns; late times for ties."""
    from experiments.pictures.style import BLACK, CYCLE, panels

    figure, axes = panels(3, height=2.8)
    whole, unique, ties = axes[0]
    sizes = [int(K) for K in data["sizes"]]
    for i, (K, color) in enumerate(zip(sizes, CYCLE, strict=False)):
        lines = data[f"examples_{i}"].T / data[f"limit_{i}"]
        whole.plot(data["time"], lines, color=color, linewidth=0.4)
        near = np.mean(np.abs(data[f"last_{i}"] - 1) < 0.01)
        whole.plot([], [], color=color, label=f"K = {K}: {100 * near:.0f} %")
    whole.axhline(1, color=BLACK, linestyle="--", linewidth=0.8, zorder=3)
    whole.set(
        xscale="log",
        yscale="log",
        xlim=(1, 1e12),
        ylim=(1e-2, 1e14),
        xlabel="flow time $t$ (log scale)",
        ylabel=r"$t\,\mathrm{gap}(t)\,/\,$predicted limit",
        title=f"examples out of {len(sizes) * int(data['counts'][0]):,}\n"
        "random problems",
    )
    whole.set_xticks(10.0 ** np.arange(0, 13, 4))
    whole.legend(
        loc="upper left",
        title="within 1 % of the\nlimit at the end",
        title_fontsize=6.5,
        handlelength=1.2,
        borderaxespad=0,
    )
    labels = [rf"K = {K}: $\frac{{{K - 1}}}{{{K}}}$" for K in sizes]
    _draw_late(unique, data, range(len(sizes)), labels, CYCLE[: len(sizes)])
    unique.set(
        ylabel=r"$t\,\mathrm{gap}(t)$",
        ylim=(0.4, 1.0),
        title="one best pattern: 50 %, 90 % bands\n" r"dashed: $(K-1)/K$",
    )
    groups = range(len(sizes), len(sizes) + len(data["ties"]))
    labels = [f"{n}, {M}, {m}" for n, M, m in data["ties"]]
    _draw_late(ties, data, groups, labels, CYCLE[: len(labels)])
    ties.set(
        ylabel=r"$t\,\mathrm{gap}(t)$",
        ylim=(0.5, 1.6),
        title="tied best patterns: $n$, $M$, $m$\n" r"dashed: $nm/(n+m)$",
    )
    return figure
