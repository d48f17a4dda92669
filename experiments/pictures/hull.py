"""B2: which pattern leads, and when: a walk along a convex hull."""

import numpy as np

SHOWS = ("B2",)

POLICY = np.array([0.658, 0.24, 0.05, 0.012, 0.004, 0.03, 0.006])
RATES = np.array([0.1, 0.4, 0.65, 0.8, 0.9, 0.3, 0.7])
# Paid by confidence (in nats), which knows nothing of the success rates below.
CONFIDENCE = np.array([0.2, 0.6, 1.0, 1.3, 1.5, 0.35, 0.9])
SUCCESS = np.array([0.35, 0.55, 0.85, 0.5, 0.2, 0.6, 0.4])
LAST_LOG10_TIME = 9


def hand_over_times(hull, rewards, log_policy):
    """Predicted physical time of every hand-over of one problem: `[edges]`."""
    import theory

    edges = int(hull.edges)
    shape = (edges, rewards.size)
    path = theory.intrinsic_time.intrinsic_path(
        np.broadcast_to(rewards, shape), np.broadcast_to(log_policy, shape)
    )
    ends = theory.intrinsic_time.Event(np.arange(edges), np.full(edges, np.inf))
    return theory.clock.time_of(path, ends).time


def changes_of_leader(times, policy):
    """When the most likely pattern changes, interpolated in log-log: `[changes]`."""
    leader = np.argmax(policy, axis=-1)
    places = np.nonzero(np.diff(leader))[0]
    old, new = leader[places], leader[places + 1]
    before = np.log(policy[places, old] / policy[places, new])
    after = np.log(policy[places + 1, old] / policy[places + 1, new])
    share = before / (before - after)
    log_t = np.log(times)
    return np.exp(log_t[places] + share * (log_t[places + 1] - log_t[places]))


def compute(rng, quick, progress):
    """Policies over time, hulls, predicted and measured hand-over times."""
    import simulator as sim
    import theory

    del rng, progress
    log_policy = np.log(POLICY)
    rewards = np.stack([RATES, CONFIDENCE])
    rates = np.stack([RATES, SUCCESS])
    hull = theory.hull.dominance_hull(rewards, np.stack([log_policy, log_policy]))
    predicted = [
        hand_over_times(theory.hull.dominance_hull(r, log_policy), r, log_policy)
        for r in rewards
    ]
    grid = np.geomspace(0.1, 10.0**LAST_LOG10_TIME, 121 if quick else 501)
    # Just before and after each prediction, so that the change is seen sharply.
    near = np.concatenate([p[:, None] * [1 - 1e-6, 1 + 1e-6] for p in predicted])
    times = np.union1d(grid, near)
    solution = sim.solve(
        sim.Problem(rates, np.stack([POLICY, POLICY])),
        sim.FixedConfidence(rewards),
        save_log_times=np.log(times),
        max_log_time=np.log(times[-1]),
    )
    saved = np.asarray(solution.saved)
    data = {"time": times, "policy": saved, "base": POLICY}
    data |= {"rewards": rewards, "rates": rates, "vertices": hull.vertices}
    data["staircase"] = theory.hull.values_along(hull, rates)
    for i, name in enumerate(("rlvr", "rlif")):
        data[f"predicted_{name}"] = predicted[i]
        data[f"measured_{name}"] = changes_of_leader(times, saved[i])
    return data


def _edges(rewards, base, vertices):
    """Points along the hull: straight in 1/pi_0, hence curved on a log axis."""
    x, y = rewards[vertices], 1 / base[vertices]
    fine = np.unique(np.concatenate([np.linspace(x[0], x[-1], 400), x]))
    return fine, np.interp(fine, x, y)


def _draw_hull(axis, data, i, colors, label):
    from experiments.pictures.style import BLACK, GREY

    rewards, base = data["rewards"][i], data["base"]
    vertices = data["vertices"][i]
    vertices = vertices[vertices >= 0]
    axis.plot(*_edges(rewards, base, vertices), color=BLACK, linewidth=0.9, zorder=1)
    others = np.setdiff1d(np.arange(base.size), vertices)
    axis.plot(rewards[others], 1 / base[others], "x", color=GREY, ms=5)
    for place, (k, color) in enumerate(zip(vertices, colors, strict=False)):
        axis.plot(rewards[k], 1 / base[k], "o", color=color, ms=7, zorder=2)
        axis.annotate(
            f"{place + 1}",
            (rewards[k], 1 / base[k]),
            ha="center",
            va="center",
            color="white",
            fontsize=5.5,
            zorder=3,
        )
    axis.set(
        yscale="log",
        ylim=(0.8, 500),
        xlabel=label,
        ylabel=r"rarity in the base model, $1/\pi_0(k)$",
    )


def _mark_times(axis, predicted):
    """Dashed lines at the predicted hand-overs, with their times on top."""
    from experiments.pictures.style import GREY

    axis.annotate(
        "hand-over\npredicted at",
        (0, 1),
        xycoords="axes fraction",
        xytext=(0, 2),
        textcoords="offset points",
        fontsize=6,
    )
    for place, time in enumerate(predicted):
        axis.axvline(time, color=GREY, linestyle="--", linewidth=0.7, zorder=0)
        exponent = int(np.floor(np.log10(time)))
        mantissa = f"{time / 10.0**exponent:.1f}"
        text = f"{time:.0f}" if exponent < 3 else rf"${mantissa}\cdot10^{exponent}$"
        axis.annotate(
            rf"{place + 1}$\to${place + 2}" + f"\n{text}",
            (time, 1.0),
            xycoords=("data", "axes fraction"),
            xytext=(0, 2),
            textcoords="offset points",
            ha="center",
            fontsize=6,
        )


def draw(data):
    """Above: paid by success. Below: paid by confidence."""
    import matplotlib.pyplot as plt

    from experiments.pictures.style import (
        AMBER,
        BLACK,
        BLUE,
        GREEN,
        GREY,
        ORANGE,
        PAGE,
        PURPLE,
    )

    colors = (BLUE, ORANGE, GREEN, PURPLE, AMBER)
    figure, axes = plt.subplots(
        2, 2, figsize=(PAGE, 4.9), gridspec_kw={"width_ratios": [1, 1.7]}
    )
    _draw_hull(axes[0][0], data, 0, colors, "success rate $s_k$, which is paid")
    _draw_hull(axes[1][0], data, 1, colors, "confidence $c_k$, which is paid [nats]")
    axes[0][0].set_title("RLVR: the lower hull of the patterns")
    axes[1][0].set_title("RLIF: the same with confidence")
    note = "crosses: never lead\nedges: straight in $1/\\pi_0$"
    axes[0][0].text(0.11, 420, note, va="top", color=GREY, fontsize=6.5)
    for k in data["vertices"][1][data["vertices"][1] >= 0]:
        axes[1][0].annotate(
            f"s = {data['rates'][1][k]:g}",
            (data["rewards"][1][k], 1 / data["base"][k]),
            xytext=(5, -8),
            textcoords="offset points",
            fontsize=6.5,
        )
    axes[1][0].set_xlim(0.1, 1.9)
    time = data["time"]
    upper, lower = axes[0][1], axes[1][1]
    vertices = data["vertices"][0]
    vertices = vertices[vertices >= 0]
    for k in np.setdiff1d(np.arange(data["base"].size), vertices):
        upper.plot(time, data["policy"][0][:, k], color=GREY, linewidth=0.6)
    ends = np.concatenate([[time[0]], data["predicted_rlvr"], [time[-1]]])
    for place, (k, color) in enumerate(zip(vertices, colors, strict=False)):
        path = data["policy"][0][:, k]
        upper.plot(time, path, color=color, zorder=2)
        middle = np.sqrt(ends[place] * ends[place + 1])
        height = np.interp(middle, time, path)
        height += 0.04 if height < 0.8 else -0.07
        upper.text(middle, height, f"{place + 1}", color=color, ha="center")
    _mark_times(upper, data["predicted_rlvr"])
    upper.set(ylabel=r"probability $\pi_k(t)$", ylim=(0, 1.02))
    accuracy = data["policy"][1] @ data["rates"][1]
    stairs = data["staircase"][1]
    stairs = stairs[np.isfinite(stairs)]
    ends = np.concatenate([[time[0]], data["predicted_rlif"], [time[-1]]])
    for place, color in zip(range(stairs.size), colors, strict=False):
        lower.plot(ends[place : place + 2], [stairs[place]] * 2, color=color, lw=3.5)
    lower.plot(time, accuracy, color=BLACK, label="accuracy, simulated")
    _mark_times(lower, data["predicted_rlif"])
    lower.set(ylabel="accuracy", ylim=(0, 1.02))
    lower.text(
        2.5e3,
        0.98,
        "coloured: success rate\nof the leader\nblack: accuracy, simulated",
        va="top",
        fontsize=6,
    )
    for axis in (upper, lower):
        axis.set(
            xscale="log", xlim=(time[0], time[-1]), xlabel="flow time $t$ (log scale)"
        )
    return figure
