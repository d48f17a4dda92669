"""Accuracy and policy against steps, as `pattern-selection train` saves them."""


def draw(data):
    """Left: accuracy of the seeds. Right: mean policy."""
    from experiments.pictures.style import BLUE, CYCLE, panels

    figure, axes = panels(2)
    left, right = axes[0]
    steps = data["steps"]
    left.fill_between(
        steps, data["accuracy_q05"], data["accuracy_q95"], alpha=0.25, color=BLUE, lw=0
    )
    left.plot(steps, data["accuracy_mean"], color=BLUE, label="mean (band: 5 to 95 %)")
    left.set(xlabel="optimizer steps", ylabel="accuracy", title="all seeds")
    left.legend(loc="best")
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
    return figure
