"""A3: an example in which the second-best pattern first takes over."""

import numpy as np

SHOWS = ("A3",)


def compute(rng, quick, progress):
    """The three probabilities over time, T0, the crossing and the dip."""
    import simulator as sim
    import theory

    del rng, progress
    rates, policy = theory.entanglement.example_case()
    times = np.geomspace(0.1, 1e4, 40 if quick else 241)
    solution = sim.solve(
        sim.Problem(rates, policy),
        sim.Verifiable(),
        until=sim.Gap(1e-4),
        events=(sim.T0(), sim.Crossing(), sim.LowestOptimalProbability()),
        save_log_times=np.log(times),
    )
    return {
        "time": times,
        "policy": np.asarray(solution.saved),
        "event_times": np.exp(solution.event_log_times),
        "event_policy": np.exp(solution.event_log_probs),
        "success_rates": np.asarray(rates),
        "gamma": np.asarray(theory.entanglement.gamma(rates, np.log(policy))),
    }


def draw(data):
    """Three lines, two marks, and the dip enlarged."""
    from experiments.pictures.style import BLUE, GREEN, GREY, ORANGE, panels

    figure, axes = panels(2)
    left, right = axes[0]
    t0, crossing, dip = data["event_times"]
    names = ("best, $*$", "rival, $r'$", "third")
    for k, color in enumerate((BLUE, ORANGE, GREEN)):
        left.plot(
            data["time"],
            data["policy"][:, k],
            color=color,
            label=f"{names[k]}: s = {data['success_rates'][k]:g}",
        )
    for axis in (left, right):
        axis.axvline(t0, color=GREY, linestyle="--", linewidth=0.8)
        axis.axvline(crossing, color=GREY, linestyle=":", linewidth=0.8)
        axis.set(xscale="log", xlabel="flow time $t$")
    left.text(t0 * 0.92, 1.0, f"$T_0$ = {t0:.2f}", ha="right", va="top", fontsize=6.5)
    left.text(crossing * 1.2, 0.5, f"crossing = {crossing:.2f}", fontsize=6.5)
    left.set(
        ylabel=r"probability $\pi_k$",
        ylim=(0, 1.05),
        title=rf"$\gamma$ = {data['gamma']:g}",
    )
    left.legend(loc="center left")
    lowest = data["event_policy"][2, 0]
    right.plot(data["time"], data["policy"][:, 0], color=BLUE)
    right.plot([dip], [lowest], "o", color=BLUE, ms=4)
    right.annotate(
        f"lowest {lowest:.5f} at t = {dip:.1f}",
        (dip, lowest),
        xytext=(0.13, lowest),
        va="center",
        fontsize=6.5,
        arrowprops={"arrowstyle": "-", "lw": 0.5},
    )
    right.set(
        xlim=(0.1, 110),
        ylim=(0.042, 0.06),
        ylabel=r"probability of the best, $\pi_*$",
        title="it falls first: paid above average, yet crowded out",
    )
    return figure
