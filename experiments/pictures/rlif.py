"""A4: rewarding certainty first improves, then often degrades; and when theory says so.

Two answers, uniform base model, success rates of density 1 + c (2 s - 1).
"""

import numpy as np

from experiments.pictures.regime_1 import QUANTILES, bands

SIZES = (1000, 10_000)


def compute(rng, quick, progress):
    """Accuracy over time, shares improved and degraded, and the (tilt, K) map."""
    import jax
    import jax.numpy as jnp

    import simulator as sim
    import theory
    from experiments.checks import initial_rise

    data = {}
    for K in (50, 100) if quick else SIZES:
        draws = 40 if quick else 2_000_000 // max(K, 1000)
        rates = theory.sample(rng, (draws, K), 0.0)
        times = np.geomspace(10, 1e9, 10 if quick else 17)
        solutions = []
        for chunk in np.array_split(rates, max(1, draws * K // 2_000_000)):
            kernel = np.stack([chunk, 1 - chunk], axis=-1)
            problem = sim.Problem(
                chunk, logits=np.zeros_like(chunk), answer_kernel=kernel
            )
            solution = sim.flow(
                problem,
                sim.SelfCertainty(),
                save_log_times=np.log(times),
                max_log_time=float(np.log(1e9)) + 1e-9,
                tolerance=1e-4,
                observe=jnp.exp,
                progress=progress,
            )
            accuracy = jax.vmap(sim.accuracy)(solution.log_probs, jnp.asarray(chunk))
            weights = jnp.asarray(solution.saved)
            path = jnp.einsum("btk,bk->bt", weights, jnp.asarray(chunk))
            solutions.append((np.asarray(path), np.asarray(accuracy)))
        path = np.concatenate([p for p, _ in solutions])
        change = np.concatenate([a for _, a in solutions]) - rates.mean(axis=1)
        data[f"time_{K}"] = times
        data[f"accuracy_{K}"] = np.quantile(path, QUANTILES, axis=0)
        data[f"examples_{K}"] = path[:6]
        data[f"improved_{K}"] = np.mean(change > 0)
        data[f"draws_{K}"] = np.asarray(draws)
    data["sizes"] = np.array((50, 100) if quick else SIZES)
    K_axis = np.array([10, 30, 100, 300, 1000, 3000])
    tilts = np.array([0.0, 0.1, 0.3])
    trials = 200 if quick else 2000
    data["K"], data["tilts"] = K_axis, tilts
    data["rise"] = np.array(
        [
            [initial_rise(theory.sample(rng, (trials, K), c)).mean() for K in K_axis]
            for c in tilts
        ]
    )
    data["rise_predicted"] = np.array(
        [
            theory.initial_rise_probability(K_axis, c, theory.UNCONDITIONED)
            for c in tilts
        ]
    )
    map_K, map_c = np.geomspace(10, 1e6, 61), np.linspace(0, 0.5, 51)
    data["map_K"], data["map_c"] = map_K, map_c
    grid_c, grid_K = np.meshgrid(map_c, map_K, indexing="ij")
    data["map_rise"] = theory.initial_rise_probability(
        np.round(grid_K).astype(int), grid_c, theory.UNCONDITIONED
    )
    data["map_winner"] = theory.winner_is_worst_probability(
        np.round(grid_K).astype(int), grid_c, theory.UNCONDITIONED
    )
    return data


def draw(data):
    """Two panels of accuracy, early rise against K, and the map."""
    from cmcrameri import cm

    from experiments.style import BLACK, BLUE, CYCLE, GREY, grid

    figure, axes = grid(2, 2)
    axes = axes.reshape(1, 4)
    for axis, K in zip(axes[0], data["sizes"], strict=False):
        time = data[f"time_{K}"]
        bands(axis, time, data[f"accuracy_{K}"], BLUE)
        axis.plot(time, data[f"examples_{K}"].T, color=GREY, linewidth=0.5)
        share = 100 * float(data[f"improved_{K}"])
        axis.set(
            xscale="log",
            xlabel="flow time $t$",
            ylabel="accuracy",
            ylim=(0, 1),
            title=f"K = {K:,}, {int(data[f'draws_{K}']):,} draws\n"
            f"improved {share:.1f} : degraded {100 - share:.1f}",
        )
    rise, chart = axes[0][2], axes[0][3]
    for i, c in enumerate(data["tilts"]):
        rise.plot(data["K"], data["rise"][i], "o", color=CYCLE[i], ms=3)
        rise.plot(
            data["K"], data["rise_predicted"][i], color=CYCLE[i], label=f"c = {c:g}"
        )
    rise.set(
        xscale="log",
        xlabel="number of patterns K",
        ylabel="P(dACC/dt(0) > 0)",
        ylim=(0.4, 1.02),
        title="unconditioned reading\ndots: drawn; lines: theory",
    )
    rise.legend(title="tilt")
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
        title="colour: P(rise)\nlines: P(winner is worst)",
    )
    figure.colorbar(image)
    return figure
