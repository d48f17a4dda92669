"""The figure of `experiments.gallery.lares`."""

import numpy as np


def draw(data):
    """Accuracy by test depth, dips, the head start, and time by training depth."""
    from experiments.pictures.style import AMBER, BLUE, CYCLE, GREY, ORANGE, grid

    figure, ((left, right), (low, last)) = grid(2, 2)
    depths, times = data["depths"], data["times"]
    alone, both, _, leaky = data["example"]
    for curve, color, style, word in (
        (alone[0], GREY, "-", "base model"),
        (both[0], BLUE, "--", "pre-training"),
        (alone[1], AMBER, "-", "RL, t = 0.1"),
        (both[1], BLUE, "-", "pre-training, RL, t = 0.1"),
        (both[-1], ORANGE, "-", "the same, t = 300"),
        (leaky[0], CYCLE[2], "--", "pre-training, leak 0.9"),
    ):
        left.plot(depths, curve, style, color=color, label=word)
    left.axvspan(1, 6, color=AMBER, alpha=0.15, lw=0)
    left.set(xlabel="latent steps in the test", ylabel="accuracy", ylim=(0.25, 1.2))
    left.set_title("one model; shaded: depths in training")
    left.legend(ncols=2, loc="upper left")
    at = np.array([0.03, *times])
    for kind, dips, color in zip(
        data["kinds"][1:], data["dip"][1:], CYCLE, strict=False
    ):
        right.plot(at, dips.mean(axis=0), "o-", ms=3, color=color, label=kind)
    right.set(xscale="log", xlabel="RL time $t$ (left: before RL)")
    right.set(ylabel="share of models", title="random models with overthinking")
    right.legend()
    gain = data["trained"][1] - data["trained"][0]
    low.fill_between(at, *np.quantile(gain, [0.1, 0.9], axis=0), color=BLUE, alpha=0.2)
    low.plot(
        at, np.median(gain, axis=0), "o-", ms=3, color=BLUE, label="median, 10-90 %"
    )
    low.axhline(0, color=GREY, lw=0.8, ls="--")
    low.set(xscale="log", xlabel="RL time $t$ (left: before RL)")
    low.set(ylabel="accuracy gained at depth 6", title="head start by pre-training")
    low.legend()
    speeds, reached = data["speeds"], data["reached"]
    band = np.quantile(reached, [0.1, 0.8], axis=0)
    last.fill_between(speeds, *band, color=BLUE, alpha=0.2, label="10-80 %")
    median = np.median(reached, axis=0)
    last.loglog(speeds, median, "o", ms=4, color=ORANGE, label="median of models")
    last.loglog(speeds, median[0] / speeds**2.0, "k--", label="slope -2 (B6)")
    last.set_xticks(speeds, [str(d) for d in speeds], minor=False)
    last.set_xticks([], minor=True)
    last.set(xlabel="depth D in training", ylabel="RL time to 0.9 of the best")
    last.legend()
    return figure
