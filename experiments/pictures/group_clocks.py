"""B6: group-normalised rules walk one path, each by its own clock."""

import math
from typing import Any

import numpy as np

SHOWS = ("B6",)

RATES = np.array([0.6, 0.25, 0.01])
BASE = np.array([0.06, 0.24, 0.70])
NOISE = (0.1, 0.2)  # chances that a wrong answer is paid, that a right one is not
LEVELS = np.array([0.15, 0.25, 0.35, 0.45, 0.55])  # accuracies to compare paths at
BETA = 0.05
SNAPSHOT = 20.0  # a time at which all rules are marked on the path
NAMES = (
    "plain gradient",
    "group mean, G = 8",
    "GRPO, G = 2 (the same)",
    "GRPO, G = 4",
    "GRPO, G = 8",
    "GRPO, G = 64",
    r"GRPO, G = $\infty$",
    "GRPO, G = 8, noisy verifier",
    "pass@8",
)
OUTSIDE = ("natural gradient", rf"with KL, $\beta$ = {BETA:g}")


def _rules():
    import simulator as sim

    sizes = (2, 4, 8, 64, math.inf)
    return (
        sim.PolicyGradient(),
        sim.GroupMean(group_size=8),
        *[sim.GRPO(group_size=G) for G in sizes],
        sim.GRPO(group_size=8),
        sim.PassAtN(attempts=8),
    )


def compute(rng, quick, progress):
    """Policies and accuracies over time, and policies at given accuracies."""
    import simulator as sim
    from experiments.checks.per_lane_rules import Menu

    del rng, progress
    times = np.geomspace(0.1, 1e4, 51 if quick else 301)
    times = np.union1d(times, SNAPSHOT)
    number = len(NAMES)
    noise = np.zeros((2, number))
    noise[:, NAMES.index("GRPO, G = 8, noisy verifier")] = NOISE
    options = {
        "events": [sim.Accuracy(level) for level in LEVELS],
        "save_log_times": np.log(times),
        "max_log_time": np.log(times[-1]),
    }
    problems = sim.Problem(
        np.broadcast_to(RATES, (number, 3)), np.broadcast_to(BASE, (number, 3))
    )
    inside = sim.solve(
        problems,
        sim.NoisyVerifier(*noise),
        Menu(_rules(), np.arange(number)),
        **options,
    )
    problem = sim.Problem(RATES, BASE)
    natural = sim.solve(problem, sim.Verifiable(), sim.NaturalGradient(), **options)
    kl = sim.solve(problem, sim.Verifiable(), sim.PolicyGradient(beta=BETA), **options)
    if not np.isfinite(inside.event_log_times).all():
        raise RuntimeError("a rule did not reach all accuracies in time")
    outside = (natural, kl)
    return {
        "success_rates": RATES,
        "snapshot": SNAPSHOT,
        "names": NAMES,
        "outside_names": OUTSIDE,
        "time": times,
        "policy": inside.saved,
        "outside_policy": np.stack([np.asarray(s.saved) for s in outside]),
        "level": LEVELS,
        "at_level": np.exp(inside.event_log_probs),
        "outside_at_level": np.exp(np.stack([s.event_log_probs for s in outside])),
        "time_at_level": np.exp(inside.event_log_times),
    }


def draw(data):
    """Left: the simplex. Right: accuracy."""
    import matplotlib.pyplot as plt
    import mpltern  # noqa: F401  registers the projection

    from experiments.pictures.style import BLACK, CYCLE, GREY, PAGE

    figure = plt.figure(figsize=(PAGE, 3.1))
    left: Any = figure.add_subplot(1, 2, 1, projection="ternary")
    right = figure.add_subplot(1, 2, 2)
    colors = (BLACK, BLACK, *CYCLE[:5], CYCLE[2], CYCLE[5])
    dashes = ("-", ":", "-", "-", "-", "-", "--", "--", "-")
    widths = (2.6, *[1.2] * 8)
    rates, snapshot = data["success_rates"], data["snapshot"]
    place = np.searchsorted(data["time"], snapshot)
    for lane, name in enumerate(data["names"]):
        policy, color = data["policy"][lane], colors[lane]
        left.plot(*policy.T, color=BLACK, linewidth=1.0, zorder=2)
        fill = "white" if dashes[lane] != "-" else color
        left.plot(*policy[place][:, None], "o", color=color, mfc=fill, ms=4, zorder=3)
        right.plot(
            data["time"],
            policy @ rates,
            color=color,
            linestyle=dashes[lane],
            linewidth=widths[lane],
            label=name,
        )
    for lane, dash in enumerate(("--", ":")):
        policy = data["outside_policy"][lane]
        left.plot(*policy.T, color=GREY, linestyle=dash, zorder=1)
        right.plot(
            data["time"],
            policy @ rates,
            color=GREY,
            ls=dash,
            label=data["outside_names"][lane],
        )
    left.set_tlabel(f"best, s = {rates[0]:g}")
    left.set_llabel(f"rival, s = {rates[1]:g}")
    left.set_rlabel(f"third, s = {rates[2]:g}")
    for axis in (left.taxis, left.laxis, left.raxis):
        axis.set_ticks([0.2, 0.4, 0.6, 0.8])
        axis.set_tick_params(labelsize=6, size=2)
    left.set_title(f"one path; dots: at t = {snapshot:g}", pad=20)
    right.axvline(snapshot, color=GREY, linewidth=0.5, zorder=0)
    right.set(
        xscale="log",
        xlim=(0.1, 1e4),
        ylim=(0.05, 0.62),
        xlabel="flow time $t$ (log scale)",
        ylabel="accuracy",
        title="many clocks (grey: outside the class)",
    )
    right.legend(loc="center left", bbox_to_anchor=(1, 0.5))
    return figure
