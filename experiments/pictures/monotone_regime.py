"""A2: from a base model that is already good, monotone convergence at rate 1/eps."""

import numpy as np

SHOWS = ("A2",)

EPSILONS = 10.0 ** -np.arange(1, 7)
QUANTILES = np.array([0.05, 0.25, 0.5, 0.75, 0.95])


def compute(rng, quick, progress):
    """Bands of pi_* and accuracy over time, and hitting times for six eps."""
    import jax
    import jax.numpy as jnp

    import simulator as sim
    import theory
    from experiments.checks.random_problems import draw as draw_problems

    number = 64 if quick else 2000
    epsilons = EPSILONS[:2] if quick else EPSILONS
    rates, log_policy = draw_problems(rng, number, theory.monotone_regime.in_regime_1)
    times = np.geomspace(1e-1, 1e6, 15 if quick else 141)
    problem = sim.Problem(rates, logits=log_policy)
    solution = sim.solve(
        problem,
        sim.Verifiable(),
        events=[sim.SuboptimalMass(e) for e in epsilons],
        max_log_time=np.log(1e10),
        save_log_times=np.log(times),
        progress=progress,
    )
    log_probs = jnp.log(jnp.asarray(solution.saved))

    def best(lp, s):
        return jnp.exp(sim.log_optimal_probability(lp, s))

    over_time = jax.vmap(jax.vmap(best, (0, None)))(log_probs, jnp.asarray(rates))
    accuracy = jax.vmap(jax.vmap(sim.accuracy, (0, None)))(
        log_probs, jnp.asarray(rates)
    )
    hitting = np.exp(solution.event_log_times)
    bound = np.stack(
        [
            theory.monotone_regime.mass_time_upper(rates, log_policy, e)
            for e in epsilons
        ],
        -1,
    )
    # A problem that starts within some eps takes no time to get there.
    outside = (hitting > 0).all(axis=-1)
    return {
        "time": times,
        "problems": np.asarray(number),
        "quantiles": QUANTILES,
        "optimal": np.quantile(over_time, QUANTILES, axis=0),
        "optimal_examples": np.asarray(over_time[:6]),
        "accuracy": np.quantile(accuracy, QUANTILES, axis=0),
        "accuracy_examples": np.asarray(accuracy[:6]),
        "eps": epsilons,
        "outside": outside.sum(),
        "hitting": np.quantile(hitting[outside], QUANTILES, axis=0),
        # Where 1 - pi_* <= eps from the start both are 0.
        "ratio_max": (hitting / np.where(bound > 0, bound, np.inf)).max(axis=0),
        "bound_median": np.median(bound[outside], axis=0),
        "slope": np.median(np.diff(np.log10(hitting[outside, -2:]), axis=1)),
    }


def bands(axis, x, quantiles, color):
    """Median, 50 % and 90 % bands."""
    axis.fill_between(x, quantiles[0], quantiles[4], color=color, alpha=0.15, lw=0)
    axis.fill_between(x, quantiles[1], quantiles[3], color=color, alpha=0.3, lw=0)
    axis.plot(x, quantiles[2], color=color, label="median, 50 % and 90 % bands")


def draw(data):
    """Probability, accuracy, hitting times."""
    from experiments.pictures.style import BLACK, BLUE, GREY, ORANGE, panels

    figure, axes = panels(3)
    first, second, third = axes[0]
    for axis, key, label in (
        (first, "optimal", r"probability of the best pattern, $\pi_*$"),
        (second, "accuracy", "accuracy"),
    ):
        bands(axis, data["time"], data[key], BLUE)
        axis.plot(data["time"], data[f"{key}_examples"].T, color=GREY, linewidth=0.5)
        axis.set(xscale="log", xlabel="flow time $t$", ylabel=label, ylim=(0, 1.03))
    first.legend(loc="lower right")
    first.set_title(f"{int(data['problems']):,} regime-1 problems")
    third.fill_between(
        data["eps"], data["hitting"][0], data["hitting"][4], color=BLUE, alpha=0.2, lw=0
    )
    third.plot(
        data["eps"], data["hitting"][2], "o-", color=BLUE, ms=3, label="measured"
    )
    third.plot(
        data["eps"],
        data["bound_median"],
        "--",
        color=ORANGE,
        label="upper bound, median",
    )
    anchor = data["hitting"][2][-1] * data["eps"][-1]
    third.plot(data["eps"], anchor / data["eps"], ":", color=BLACK, label="slope -1")
    third.set(
        xscale="log",
        yscale="log",
        xlabel=r"$\epsilon$",
        ylabel=r"time until $1-\pi_* \leq \epsilon$",
        title=f"{int(data['outside']):,} that start outside all $\\epsilon$\n"
        f"slope -{data['slope']:.3f}, T / bound $\\leq$ {data['ratio_max'].max():.4f}",
    )
    third.legend()
    return figure
