"""The figure of `experiments.gallery.limit_of_rlvr`."""

import numpy as np


def draw(data):
    """pass@n by sharing; the path; accuracies of questions; crossings; KL penalties."""
    from experiments.pictures.style import BLUE, GREEN, GREY, ORANGE, grid

    figure, axes = grid(3, 3, height=6.6)
    flat = axes.ravel()
    n = data["attempts"]
    for axis, c, after in zip(flat, data["clusters"], data["curve"], strict=False):
        axis.plot(n, data["base_curve"], color=BLUE, label="base")
        axis.plot(n, after, color=ORANGE, ls="--", label="after RLVR")
        if c == 30:
            axis.plot(
                n, data["distilled_curve"], color=GREEN, ls="-.", label="distilled"
            )
            axis.legend()
        axis.set(xscale="log", ylim=(0, 0.9), xlabel="attempts $n$", ylabel="pass@n")
        words = "all questions share" if c == 1 else "none share" if c == 240 else ""
        axis.set_title(f"clusters {c}{': ' * bool(words)}{words}")
    path, histogram, where, kl = flat[5:]
    path.plot(
        *(100 * data["path"].T), "o-", ms=3, color=ORANGE, label="model, 30 clusters"
    )
    reported = data["reported"]
    path.plot(*reported[:4].T, "s-", ms=3, color=GREY, label="GRPO, as reported")
    path.plot(*reported[4:].T, "x", ms=4, color=GREY, label="others, as reported")
    path.set(xlabel="pass@1 [%]", ylabel="pass@256 [%]", title="paths in training")
    path.set_ylim(top=76)
    path.legend()
    bins = np.arange(11)
    histogram.bar(bins - 0.2, data["histogram"][0], 0.4, color=BLUE, label="base")
    histogram.bar(bins + 0.2, data["histogram"][1], 0.4, color=ORANGE, label="RLVR")
    histogram.set(xlabel="accuracy on a question", ylabel="share of questions")
    histogram.set_xticks([0, 1.5, 5.5, 10.5], ["0", "0.1", "0.5", "1"])
    histogram.set_title("30 clusters: more at 0, more near 1")
    histogram.legend()
    low, middle, high = np.quantile(data["crossing"][:4], [0.1, 0.5, 0.9], axis=1)
    share = data["clusters"][:4] / data["clusters"][-1]
    where.fill_between(share, low, high, color=BLUE, alpha=0.2, lw=0)
    where.plot(share, middle, "o-", ms=3, color=BLUE)
    where.set(xscale="log", yscale="log", xlabel="clusters / questions", xlim=(None, 1))
    where.set(ylabel="crossing $n$", title="crossings (band: 10 to 90 % of banks)")
    where.set_yticks([3, 5, 10, 20], ["3", "5", "10", "20"])
    where.minorticks_off()
    change = 1e3 * (data["matched"] - data["matched"][0])
    kl.fill_between(
        range(4), *np.quantile(change, [0.1, 0.9], axis=1), color=BLUE, alpha=0.2, lw=0
    )
    kl.plot(range(4), np.median(change, axis=1), "o-", ms=3, color=BLUE)
    kl.axhline(0, color=GREY, lw=0.8, ls="--")
    kl.set_xticks(range(4), [f"{beta:g}" for beta in data["betas"]])
    kl.set(xlabel=r"KL weight $\beta$", ylabel=r"change of pass@128 [$10^{-3}$]")
    kl.set_title("at equal pass@1: KL raises it")
    return figure
