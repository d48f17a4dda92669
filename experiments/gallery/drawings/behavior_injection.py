"""The figure of `experiments.gallery.behavior_injection`."""

import numpy as np


def draw(data):
    """Time by injected share; accuracy before and after; gain by influence."""
    from experiments.pictures.style import BLUE, CYCLE, GREEN, GREY, ORANGE, panels

    figure, axes = panels(3, height=2.7)
    left, middle, right = axes[0]
    shares, times = data["shares"], data["times"][0]
    left.plot(shares, times, "o-", ms=3, color=BLUE, label="behaviour data")
    left.plot(
        shares[:3],
        times[0] * (shares[:3] / shares[0]) ** -5.0,
        color=GREY,
        ls="--",
        label="slope $-(K - 1) = -5$",
    )
    left.set(xscale="log", yscale="log", xlabel=r"injected share $\epsilon$")
    left.set(
        ylabel="flow time to accuracy 0.65", title="1 % of injection is not enough"
    )
    left.text(0.05, 0.06, "vanilla data: never", transform=left.transAxes, fontsize=6.5)
    left.legend()
    for kind, color, mark, word in (
        (0, BLUE, "o", "behaviour data"),
        (1, ORANGE, "^", "vanilla data"),
    ):
        before, after = data["random"][kind][:, [0, 2]].T
        middle.scatter(before, after, s=7, marker=mark, color=color, lw=0, alpha=0.5)
        place = list(shares).index(0.1)
        middle.scatter(
            *data["fixed"][kind, place, [0, 2]],
            s=35,
            marker=mark,
            color=color,
            edgecolor="black",
            label=word,
        )
    middle.set(xlabel="accuracy before RL", ylabel="accuracy after RL, $t$ = 1000")
    middle.set(ylim=(0.2, 1), title=r"$\epsilon$ = 0.1, random models")
    middle.legend(loc="center right")
    gain, influence = data["gain"][1], data["influence"][1]
    for i, c in enumerate(data["gram"]):
        color = (GREY, CYCLE[0], CYCLE[1], GREEN)[i]
        # Without shared features there is no influence: at the edge of the axis.
        at = np.maximum(influence[:, i], 1e-7)
        for injected, mark in enumerate("ox"):
            label = f"$c$ = {c:g}" if not injected else None
            right.plot(
                at[:, injected].ravel(),
                gain[:, i, injected].ravel(),
                mark,
                ms=3,
                color=color,
                label=None if injected else label,
            )
    right.set(xscale="log", xlabel="influence at the first step", ylim=(-0.05, 0.95))
    right.set(ylabel="held-out gain", title="banks (crosses: injected)")
    right.legend(loc="center left")
    right.text(7e-8, 0.05, "0 or less", fontsize=6.5)
    return figure
