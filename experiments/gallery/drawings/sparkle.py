"""The figure of `experiments.gallery.sparkle`."""

import numpy as np


def draw(data):
    """Effect of plans on hard and easy problems; scaffolds; knowledge."""
    from experiments.pictures.style import BLACK, BLUE, GREEN, GREY, ORANGE, grid

    figure, axes = grid(2, 2)
    times = ["base", *(f"RL, $t$ = {t:g}" for t in data["times"])]
    looks = zip(times, (BLACK, ORANGE, BLUE, GREEN), "os^v", strict=True)
    for i, (word, color, mark) in enumerate(looks):
        for axis, effects in zip(axes[0], data["effect"], strict=True):
            low, middle, high = np.quantile(effects[i], [0.1, 0.5, 0.9], axis=-1)
            axis.plot(data["plans"], middle, mark + "-", ms=3, color=color, label=word)
            axis.fill_between(data["plans"], low, high, color=color, alpha=0.12, lw=0)
    for axis, word in zip(axes[0], ("hard", "easy"), strict=True):
        axis.axhline(0, color=GREY, lw=0.8, ls="--")
        axis.set(xlabel=r"strength of the plan $\lambda$", ylabel="change of accuracy")
        axis.set_title(f"an external plan on {word} problems")
    axes[0][0].legend(loc="lower left")
    left, right = axes[1]
    ends = np.maximum(data["scaffold"], 1e-5)
    place = np.arange(len(ends))
    low, high = np.quantile(ends[:, 2:], [0.1, 0.9], axis=1)
    left.vlines(place - 0.15, low, high, color=BLUE, alpha=0.4, lw=4)
    left.plot(place - 0.15, ends[:, 0], "o", ms=4, color=BLUE, label="features shared")
    left.plot(place + 0.15, ends[:, 1], "^", ms=4, color=ORANGE, label="not shared")
    left.axhline(data["begun"][0], color=GREY, lw=0.8, ls="--", label="before")
    words = "hard\nonly", "four\nprefixes", "six\nprefixes", "backward", "mixed\ndepths"
    left.set_xticks(place, words)
    left.set(yscale="log", ylim=(1e-5, 30), ylabel="success, 16 levels")
    left.set_title("partial steps (bars: 10 to 90 % of models)")
    left.set_yticks(10.0 ** np.arange(-5, 1))
    left.minorticks_off()
    left.legend(ncols=3, loc="upper center")
    colors = BLACK, ORANGE, BLUE, GREEN
    for i, (word, color) in enumerate(zip(times, colors, strict=True)):
        means = data["knowledge"][:, i].mean(axis=-1)
        right.bar(np.arange(3) + 0.2 * (i - 1.5), means, 0.2, color=color, label=word)
    right.set_xticks(range(3), [f"{r:g}" for r in data["related"]])
    right.set(xlabel="correlation of knowledge and success", ylim=(0, 0.27))
    right.set(
        ylabel="gain by given knowledge",
        title="RL uses knowledge better if it is related",
    )
    right.legend(ncols=2)
    return figure
