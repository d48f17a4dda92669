"""B5: paid by confidence, the excess over the winner's accuracy is a number over t."""

import numpy as np

SHOWS = ("B5",)

TIMES = 10.0 ** np.array([4, 8, 12])
ANSWERS, MOST_PATTERNS = 3, 8


def compute(rng, quick, progress):
    """`t (ACC(t) - s_w)` at three times, measured and predicted: `[problems, 3]`."""
    import simulator as sim
    import theory

    number = 40 if quick else 1000
    kernel = rng.dirichlet(np.ones(ANSWERS), size=(number, MOST_PATTERNS))
    logits = rng.normal(size=(number, MOST_PATTERNS))
    sizes = rng.integers(2, MOST_PATTERNS + 1, size=number)
    logits[np.arange(MOST_PATTERNS) >= sizes[:, None]] = -np.inf
    problem = sim.Problem(answer_kernel=kernel, logits=logits)
    solution = sim.solve(
        problem,
        sim.SelfCertainty(),
        save_log_times=np.log(TIMES),
        max_log_time=np.log(TIMES[-1]),
        progress=progress,
    )
    rates, log_policy = kernel[..., 0], np.asarray(problem.log_policy)
    confidence = -np.log(kernel).mean(axis=-1)
    inside = logits > -np.inf
    winner = np.argmax(np.where(inside, confidence, -np.inf), axis=-1)[:, None]
    # Differences first: near the end ACC - s_w is far below rounding of ACC.
    merit = np.where(inside, rates - np.take_along_axis(rates, winner, -1), 0.0)
    return {
        "time": TIMES,
        "measured": TIMES * np.einsum("btk,bk->bt", np.asarray(solution.saved), merit),
        "predicted": theory.degradation_law.degradation_coefficient(
            rates, confidence, log_policy
        ),
        "sizes": sizes,
    }


def draw(data):
    """One panel per time: measured against predicted, signs apart."""
    from experiments.pictures.style import BLACK, BLUE, ORANGE, panels

    figure, axes = panels(3, height=2.75)
    predicted, edge = data["predicted"], 400.0
    for i, (axis, time) in enumerate(zip(axes[0], data["time"], strict=True)):
        measured = data["measured"][:, i]
        for sign, color, label in (
            (1, ORANGE, "late degradation"),
            (-1, BLUE, "late rise"),
        ):
            of_sign = np.sign(predicted) == sign
            axis.plot(
                predicted[of_sign],
                np.clip(measured[of_sign], -edge, edge),
                "o",
                ms=1.6,
                color=color,
                label=f"{label}: {of_sign.sum()}",
                rasterized=True,
                clip_on=False,
            )
        beyond = np.sum(np.abs(measured) > edge)
        ends = np.array([-edge, edge])
        axis.plot(ends, ends, color=BLACK, linewidth=0.6, zorder=0)
        error = np.median(np.abs(measured / predicted - 1))
        wrong = np.sum(np.sign(measured) != np.sign(predicted))
        axis.set_xscale("symlog", linthresh=0.1, linscale=0.5)
        axis.set_yscale("symlog", linthresh=0.1, linscale=0.5)
        ticks = [-100, -10, -1, 0, 1, 10, 100]
        axis.set(
            xticks=ticks,
            yticks=ticks,
            xticklabels=[f"{tick:g}" for tick in ticks],
            yticklabels=[f"{tick:g}" for tick in ticks],
            xlim=(-edge, edge),
            ylim=(-edge, edge),
            xlabel=r"predicted $\frac{1}{K}\sum_j \frac{s_j-s_w}{c_w-c_j}$",
            title=rf"$t = 10^{{{np.log10(time):.0f}}}$: "
            f"median error {100 * error:.2g} %\n"
            f"wrong sign: {wrong}, off the frame: {beyond}",
        )
        axis.set_box_aspect(1)
        axis.minorticks_off()
    axes[0][0].set_ylabel(r"measured $t\,(ACC(t)-s_w)$")
    axes[0][2].legend(loc="lower right", handletextpad=0.1, markerscale=2)
    return figure
