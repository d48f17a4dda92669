"""The figure of `experiments.gallery.learning_dynamics`."""

import numpy as np


def draw(data):
    """Held-out questions by c; accuracy in total time and in that of stage two."""
    from experiments.pictures.style import BLUE, CYCLE, GREEN, GREY, ORANGE, grid

    figure, axes = grid(2, 2)
    left, right = axes[0]
    c = data["gram"]
    for key, color, mark, word in (
        ("confidence", BLUE, "o", "largest probability"),
        ("accuracy", ORANGE, "s", "accuracy"),
    ):
        low, middle, high = np.quantile(data[key][:, 0], [0.1, 0.5, 0.9], axis=-1)
        left.fill_between(c, low, high, color=color, alpha=0.2, lw=0)
        left.plot(c, middle, mark + "-", ms=3, color=color, label=word)
    left.axhline(0, color=GREY, lw=0.8, ls="--")
    left.set(xlabel="common part of the features $c$", ylabel="change, held out")
    left.set_title("unrelated questions get sure, not better")
    left.legend()
    for kind, color, mark, word in (
        (0, BLUE, "o", "success unrelated"),
        (1, GREEN, "s", "half of it common"),
        (2, ORANGE, "^", "unrelated, common prior"),
    ):
        share = data["lower"][:, kind, -1]
        right.plot(c, share, mark + "-", ms=3, color=color, label=word)
    right.set(xlabel="common part of the features $c$", ylim=(0, 1.02))
    right.set(
        ylabel="share of held-out questions", title="entropy is lower at $t$ = 30"
    )
    right.legend()
    total = data["total"]
    words = "joint", "classifier first", "features first"
    for axis, cell, title in (
        (axes[1][0], 1, "classifier small, features large"),
        (axes[1][1], 2, "classifier large, features small"),
    ):
        for schedule, word in enumerate(words):
            line = data["by_schedule"][schedule, cell]
            color = CYCLE[schedule]
            axis.plot(total, line, "o-", ms=3, color=color, label=word)
            if schedule == 1:
                axis.plot(
                    total[5:] - 10,
                    line[5:],
                    color=color,
                    ls=":",
                    label="same, time of stage two",
                )
        axis.axvline(10, ymax=0.6, color=GREY, lw=0.8, ls="--")
        axis.set(xlabel="total flow time $t$", ylabel="accuracy", title=title)
        axis.legend()
    return figure
