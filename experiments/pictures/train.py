"""Accuracy and policy against steps, as `pattern-selection train` saves them."""


def draw(data):
    """Accuracy of the seeds; mean policy; when the seeds got to the event, if any."""
    from experiments.pictures.style import BLUE, CYCLE, panels

    figure, axes = panels(3 if "until" in data else 2)
    left, right = axes[0][:2]
    steps = data["steps"]
    left.fill_between(
        steps, data["accuracy_q05"], data["accuracy_q95"], alpha=0.25, color=BLUE, lw=0
    )
    left.plot(steps, data["accuracy_mean"], color=BLUE)
    title = "all seeds: mean, and 5 to 95 %"
    left.set(xlabel="optimizer steps", ylabel="accuracy", title=title)
    policy = data["policy"].mean(axis=1)
    for k in range(min(policy.shape[1], len(CYCLE))):
        right.plot(steps, policy[:, k], color=CYCLE[k], label=f"pattern {k}")
    right.set(
        xlabel="optimizer steps",
        ylabel="probability",
        ylim=(0, 1),
        title="mean policy (of seeds and questions)",
    )
    right.legend(loc="best")
    if "until" in data:
        _draw_first(axes[0][2], str(data["until"]), data["first_step"], steps[-1])
    return figure


def _draw_first(axis, until, first, last):
    """The share of seeds in which the event has held, by step."""
    import numpy as np

    from experiments.pictures.style import ORANGE

    there = np.sort(first[first >= 0])
    share = np.arange(1, len(there) + 1) / len(first)
    end = share[-1] if len(there) else 0.0
    at = np.concatenate([[0], there, [last]])
    axis.step(at, [0, *share, end], where="post", color=ORANGE)
    axis.set(
        xlabel="optimizer steps",
        ylabel="share of seeds that got there",
        ylim=(-0.02, 1.02),
        title=until,
    )
