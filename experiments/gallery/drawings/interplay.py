"""The figure of `experiments.gallery.interplay`."""

import numpy as np


def draw(data):
    """pass@1 and pass@128 by range of RL; exposure; share of mid-training."""
    from experiments.pictures.style import (
        AMBER,
        BLACK,
        BLUE,
        GREEN,
        GREY,
        ORANGE,
        SKY,
        grid,
    )

    figure, axes = grid(2, 2)
    words = ["base", *(f"RL {low} to {high}" for low, high in data["ranges"])]
    colors = GREY, SKY, BLUE, ORANGE, BLACK
    for axis, kind, name in zip(axes[0], (0, 1), ("pass@1", "pass@128"), strict=True):
        for i, (word, color) in enumerate(zip(words, colors, strict=True)):
            place = np.arange(3) + 0.16 * (i - 2)
            axis.bar(
                place, data["passed"][i, 0, :, kind], 0.16, color=color, label=word
            )
        axis.set_xticks(range(3), ["in range, 2-10", "edge, 11-14", "far, 15-20"])
        axis.set(xlabel="depth of the task", ylabel=name, ylim=(0, 1.05))
    axes[0][0].set_title("RL gains at the edge of competence")
    axes[0][1].set_title("beyond it only through shared features")
    axes[0][0].legend()
    left, right = axes[1]
    eps, times = data["eps"], data["half_times"]
    left.plot(eps, times, "o-", ms=3, color=BLUE, label="model")
    left.plot(
        eps[:5],
        times[0] * (eps[:5] / eps[0]) ** -2.0 * 0.4,
        color=GREY,
        ls="--",
        label="slope $-(K - 1) = -2$",
    )
    left.set(
        xscale="log", yscale="log", xlabel=r"exposure $\epsilon$ in the base model"
    )
    left.set(ylabel="flow time to half of the mass")
    left.set_title("the exposure that is needed is a budget")
    left.legend()
    share = data["shares"]
    looks = zip((0.8, 0.9, 0.97), (ORANGE, BLUE, GREEN), "os^", strict=True)
    for i, (fidelity, color, mark) in enumerate(looks):
        line = data["edge"][i]
        right.plot(share, line, mark + "-", ms=3, color=color, label=f"{fidelity:g}")
        best = np.argmax(line)
        right.plot(share[best], line[best], mark, ms=7, mfc="none", color=color)
    right.plot(
        share,
        20 * data["beyond"][1],
        ":",
        color=AMBER,
        label=r"0.9: far pass@128, $\times$ 20",
    )
    right.set(xlabel="share of mid-training in the budget", ylim=(0, 1.25))
    right.set(ylabel="edge pass@1", title="mid-training, then RL on 11 to 14")
    right.legend(
        title="fidelity of the data", title_fontsize=6.5, ncols=2, loc="upper center"
    )
    return figure
