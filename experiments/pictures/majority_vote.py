"""Majority votes: an instance where the majority of three answers flips (C3).

The flow counts infinitely many votes; training counts those of a group, or of a
teacher.
"""

import numpy as np

SHOWS = ("C3",)

KERNEL = np.array([[0.45, 0.55, 0.0], [0.42, 0.20, 0.38]])
BASE = np.array([0.05, 0.95])
HORIZON = 2000.0
GROUPS = (4, 16, 64, 256, 1024)
RATE = 2.0
JUDGES = (
    "votes of the group",
    "the policy's own majority",
    "a teacher that lags (0.99)",
    "a frozen teacher",
)


def recipes(group):
    """One recipe per judge; all have the same clock in expectation."""
    from simulator import rollouts as ro

    common = {
        "estimator": ro.RLOO(),
        "group_size": group,
        "learning_rate": RATE,
        "num_steps": round(HORIZON / RATE),
    }
    own = ro.MajorityVote()
    taught = ro.MajorityVote(ro.Teacher())
    return (
        ro.Recipe(feedback=own, **common),
        ro.Recipe(feedback=taught, **common),
        ro.Recipe(feedback=taught, teacher_decay=0.99, **common),
        ro.Recipe(feedback=taught, teacher_decay=1.0, **common),
    )


def _flow(problem, times):
    """The shares of the answers `[T, A]`."""
    import simulator as sim

    flow = sim.flow(
        problem,
        sim.MajorityVote(),
        save_log_times=np.log(times),
        max_log_time=np.log(HORIZON),
    )
    return flow.saved @ KERNEL


def _last_lead(answers):
    """The last row in which the correct answer is ahead of wrong answer 1."""
    return np.flatnonzero(answers[:, 0] > answers[:, 1])[-1]


def compute(rng, quick, progress):
    """Answer shares of the flow; which answer leads after sampled training."""
    import simulator as sim
    from simulator import rollouts as ro

    seeds = 20 if quick else 300
    groups = GROUPS[::2] if quick else GROUPS
    problem = sim.Problem(policy=BASE, answer_kernel=KERNEL)
    times = np.geomspace(1, HORIZON, 501)
    answers = _flow(problem, times)
    last = _last_lead(answers)
    close = np.linspace(times[last], times[last + 1], 501)
    flip = close[_last_lead(_flow(problem, close))]
    share = np.zeros((len(JUDGES), len(groups)))
    accuracy = np.zeros_like(share)
    done = 0
    for j, group in enumerate(groups):
        for i, recipe in enumerate(recipes(group)):
            seed = int(rng.integers(2**31))
            run = ro.train(problem, recipe, seed=seed, num_seeds=seeds)
            final = np.exp(run.log_probs[:, 0]) @ KERNEL
            share[i, j] = (final.argmax(axis=1) == 0).mean()
            accuracy[i, j] = final[:, 0].mean()
            done += 1
            progress(done, share.size)
    return {
        "horizon": HORIZON,
        "judges": JUDGES,
        "time": times,
        "answers": answers,
        "flip": flip,
        "group": np.array(groups),
        "share": share,
        "accuracy": accuracy,
        "seeds": seeds,
    }


def draw(data):
    """Left: the flow. Right: how often the correct answer still leads."""
    from experiments.pictures.style import CYCLE, GREY, panels

    figure, axes = panels(2, height=3.0)
    left, right = axes[0]
    for answer, (color, name) in enumerate(
        zip(CYCLE, ("correct answer", "wrong answer 1", "wrong answer 2"), strict=False)
    ):
        left.plot(data["time"], data["answers"][:, answer], color=color, label=name)
    flip = float(data["flip"])
    left.axvline(flip, color=GREY, lw=0.7)
    left.set(
        xscale="log",
        xlabel="flow time $t$",
        ylabel="share of the answer",
        title=f"flow: the majority flips at t = {flip:.0f}",
    )
    left.legend(loc="best")
    spread = 1.96 * np.sqrt(data["share"] * (1 - data["share"]) / data["seeds"])
    for name, color, values, error in zip(
        data["judges"], CYCLE, data["share"], spread, strict=False
    ):
        right.errorbar(
            data["group"], values, yerr=error, marker="o", ms=3, color=color, label=name
        )
    right.set(
        xscale="log",
        xticks=data["group"],
        xticklabels=data["group"],
        ylim=(-0.05, 1.05),
        xlabel="group size $G$",
        ylabel="share of runs",
        title=f"correct answer leads after t = {data['horizon']:g}",
    )
    right.minorticks_off()
    right.legend(loc="upper center", bbox_to_anchor=(0.5, -0.2), ncol=2)
    return figure
